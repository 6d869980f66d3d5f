"""Made-up facts that a text is tried on before anybody gets it: the usual, the longest, and every consequence. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from string import Template

from babel.numbers import get_territory_currencies

from dunning.wording import notice_body
from dunning.wording_facts import (
    CONSEQUENCES,
    BillLine,
    Disclosure,
    InstalmentLine,
    NoticeFacts,
    ValidationFacts,
)
from dunning.wording_texts import ALWAYS, PHRASES, SOMETIMES, Language, NoticeTemplate, Text, Wordings

#: Names of somebody usual and of somebody long, in the script of the language.
_NAMES = {
    "hi": ("अनिता शर्मा", "वेंकटनरसिम्हराजुवारिपेटा राजशेखरन सुब्रमण्यम नायर"),
    "ar": ("ليلى حداد", "عبد الرحمن بن عبد العزيز بن إبراهيم آل المنصوري"),
}
_LATIN = ("Ana Miller", "Maximiliane-Konstantina Wolfeschlegelstein-Featherstonehaugh of Ardnamurchan")
#: Where the words of a language are read when the book does not say.
_COUNTRIES = {"en": "US", "es": "ES", "fr": "FR", "de": "DE", "hi": "IN", "ar": "AE"}
MANY_BILLS = 12
_BARE_TABLE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Who writes, as the samples name it."""

    name: str
    phone: str
    bank: str
    iban: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Facts and what is special about them."""

    name: str
    facts: NoticeFacts


def usual_country(language: str) -> str:
    """Where the words of a language are tried when nobody in the book reads them."""
    return _COUNTRIES.get(language, "US")


def samples(
    *,
    language: str,
    country: str,
    house: House,
    today: date,
    advice: str | None = None,
    regulator: str | None = None,
    disclosure: Disclosure = "",
) -> list[Sample]:
    """The usual case first, the longest second."""
    usual = _usual(language, country, house, today)
    usual = replace(
        usual, advice=advice, regulator=regulator, help_signpost=advice is not None, collector_disclosure=disclosure
    )
    dated = replace(usual, suspension_on=today + timedelta(days=14))
    nothing = replace(
        usual,
        bills=tuple(replace(bill, paid=Decimal(0), open=bill.amount) for bill in usual.bills),
        total_due=sum((bill.amount for bill in usual.bills), Decimal(0)),
    )
    bare = replace(nothing, pay_by=None, pay_url=None, iban=None, bank_name=None, opt_out_url=None, services=())
    return [
        Sample(name="a usual case", facts=usual),
        Sample(name="the longest case", facts=_longest(dated, today)),
        Sample(name="nothing paid yet", facts=nothing),
        Sample(name="only what is always known", facts=bare),
        *(
            Sample(name=f"followed by {one.replace('_', ' ')}", facts=replace(dated, consequence=one))
            for one in CONSEQUENCES
        ),
    ]


def _usual(language: str, country: str, house: House, today: date) -> NoticeFacts:
    currency = (get_territory_currencies(country, tender=True) or ["EUR"])[0]
    bill = BillLine(
        ref="B-20417", issued_on=today - timedelta(days=44), due_on=today - timedelta(days=30),
        amount=Decimal("64.90"), paid=Decimal("20.00"), open=Decimal("44.90"),
    )  # fmt: skip
    return NoticeFacts(
        customer_name=_NAMES.get(language, _LATIN)[0],
        operator_name=house.name,
        account_ref="A-10042",
        language=f"{language}-{country}",
        currency=currency,
        bills=(bill,),
        total_due=bill.open,
        help_phone=house.phone,
        pay_by=today + timedelta(days=14),
        pay_url=f"{house.url}/pay/A-10042~4f0aT2mNw1xQb7Zc/",
        account_holder=house.name,
        bank_name=house.bank,
        iban=house.iban,
        transfer_reference="A-10042",
        services=("+1 202 555 0143",),
        agency_name="Northline Recovery Ltd",
        promised_amount=Decimal("40.00"),
        promised_on=today + timedelta(days=7),
        instalments=tuple(
            InstalmentLine(due_on=today + timedelta(days=30 * one), amount=Decimal("14.97")) for one in (1, 2, 3)
        ),
        extended_until=today + timedelta(days=21),
        settled_amount=Decimal("30.00"),
        settled_balance=Decimal("44.90"),
        settled_by=today + timedelta(days=14),
        disputed_amount=Decimal("12.50"),
        outcome_words="The call was made from this line.",
        disputed_bill=bill.ref,
        credited_amount=Decimal("12.50"),
        opt_out_url=f"{house.url}/stop/A-10042~4f0aT2mNw1xQb7Zc/",
        wait_until=today + timedelta(days=10),
        answer_by=today + timedelta(days=5),
        validation=ValidationFacts(
            creditor="Harbour Telecom", itemized_on=today - timedelta(days=60), amount_then=Decimal("60.00"),
            interest=Decimal(0), fees=Decimal("4.90"), payments=Decimal("20.00"), credits=Decimal(0),
            ends_on=today + timedelta(days=35), collector_address=("PO Box 1", "Springfield, IL 62701"),
            consumer_address=("12 Elm Street", "Springfield, IL 62701"), dispute_url=f"{house.url}/dispute/",
        ),
    )  # fmt: skip


def _longest(usual: NoticeFacts, today: date) -> NoticeFacts:
    """Twelve bills of five figures, nothing paid, long names, and a date whose month is long."""
    september = date(today.year + 1, 9, 30)
    bills = tuple(
        BillLine(
            ref=f"B-2026-0000{number:02}-CONSOLIDATED", issued_on=today - timedelta(days=44 + 30 * number),
            due_on=today - timedelta(days=30 + 30 * number), amount=Decimal("12488.88"), paid=Decimal(0),
            open=Decimal("12488.88"),
        )
        for number in range(MANY_BILLS)
    )  # fmt: skip
    total = sum((bill.open for bill in bills), Decimal(0))
    language = usual.language.partition("-")[0]
    debt = usual.validation
    return replace(
        usual,
        customer_name=_NAMES.get(language, _LATIN)[1],
        account_ref="A-2026-0000-1004-2288",
        bills=bills,
        total_due=total,
        pay_by=september,
        consequence="agency",
        pay_url=f"{usual.pay_url}".replace("A-10042", "A-2026-0000-1004-2288"),
        transfer_reference="A-2026-0000-1004-2288",
        services=tuple(f"+1 202 555 01{number:02}" for number in range(40, 44)),
        agency_name="Northline International Receivables and Recovery Services",
        suspension_on=september,
        validation=debt and replace(
            debt, creditor="Harbour Telecommunications and Broadcasting Corporation", amount_then=total,
            fees=Decimal(0), payments=Decimal(0),
        ),
    )  # fmt: skip


def for_table(facts: NoticeFacts, table: str) -> NoticeFacts:
    """Of a notice that itemizes a debt, the parts make what is asked for."""
    if table != "itemization" or facts.validation is None:
        return facts
    return replace(facts, total_due=facts.validation.amount_now)


def example_values(wordings: Wordings, facts: NoticeFacts) -> dict[str, str]:
    """What each field comes to with these facts, as the texts write it; a field that is not there is left out."""
    code = facts.language.partition("-")[0]
    language = wordings.languages.get(code) or wordings.languages["en"]
    names = [*sorted(ALWAYS), *sorted(SOMETIMES), "consequence", "consequence_short", *PHRASES]
    probe = NoticeTemplate(
        subject=_said(""),
        opening=tuple(_said(f"{name}=${name}", "") for name in names),
        closing=(_said(""),),
        sms=(_said(""),),
        in_app=(_said(""),),
        voice=(_said(""),),
        table=_BARE_TABLE,
        pays=False,
        bare=True,
    )
    asked = Wordings({**wordings.languages, language.code: _with(language, probe)})
    body = notice_body(template="probe", channel="email", facts=facts, wordings=asked)
    return {name: value for name, _, value in (line.partition("=") for line in body.opening)}


def _said(*alternatives: str) -> Text:
    return Text(tuple(Template(one) for one in alternatives))


def _with(language: Language, probe: NoticeTemplate) -> Language:
    return replace(language, templates={**language.templates, "probe": probe})
