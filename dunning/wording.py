"""What a notice says: facts in, the words of one message out. Pure: no database, no clock, no code in the texts.

The words are in `wordings/`, loaded by `wording_texts`. How to pay, how to get help and the opt-out line are put in
here, so no template can forget them; the date before which to pay is demanded when the texts are loaded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from urllib.parse import urlsplit

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import format_currency

from dunning.text_messages import sms_segments
from dunning.wording_facts import BillLine, Consequence, InstalmentLine, NoticeBody, NoticeFacts, Table, Wording
from dunning.wording_page import html_page
from dunning.wording_texts import (
    ALWAYS,
    FALLBACK_TEMPLATE,
    PHRASES,
    Language,
    NoticeTemplate,
    Values,
    WordingError,
    Wordings,
    load_wordings,
    standard_wordings,
)

__all__ = [
    "CHANNELS",
    "BillLine",
    "Consequence",
    "InstalmentLine",
    "NoticeBody",
    "NoticeFacts",
    "Table",
    "Wording",
    "WordingError",
    "Wordings",
    "load_wordings",
    "notice_body",
    "sms_segments",
    "standard_wordings",
    "word_notice",
]

CHANNELS = ("sms", "email", "letter", "in_app")


def word_notice(*, template: str, channel: str, facts: NoticeFacts, wordings: Wordings | None = None) -> Wording:
    """The message of one channel (sms, email, letter, in_app). An unknown template says what the general one says.

    Raises ValueError for an unknown channel, and when who writes, about what, and whom to call is not in the facts.
    """
    if channel not in CHANNELS:
        raise ValueError(f"No wording for the channel {channel!r}")
    wordings = wordings or standard_wordings()
    if channel in {"sms", "in_app"}:
        return _short_message(wordings, template, channel, facts)
    body = notice_body(template=template, channel=channel, facts=facts, wordings=wordings)
    html = html_page(body) if channel == "email" else None
    return Wording(body.subject, _plain_text(body), html, body.language)


def notice_body(*, template: str, channel: str, facts: NoticeFacts, wordings: Wordings | None = None) -> NoticeBody:
    """The parts of an e-mail or a letter; `dunning.letters` typesets the latter."""
    if channel == "letter":  # a line of print must not break a telephone number in two
        facts = replace(facts, help_phone=facts.help_phone.replace(" ", "\u00a0"))
    language, chosen = _choose(wordings or standard_wordings(), template, facts)
    locale = _locale(facts.language, language.code)
    money = _money_writer(facts.currency, locale)
    values = _values(language, facts, locale, money)
    labels = {name: text.say(values) for name, text in language.labels.items()}
    closing = [text.say(values) for text in chosen.closing]
    closing += [values["free_advice"], values["complaint"]]
    if channel == "email":
        closing.append(values["opt_out_email"])
    pays = chosen.pays
    ways = (values["pay_online"], values["pay_transfer"], values["pay_phone"]) if pays else ()
    return NoticeBody(
        language=language.code,
        locale=str(locale).replace("_", "-"),
        subject=chosen.subject.say(values),
        greeting=values["greeting"],
        opening=_said(text.say(values) for text in chosen.opening),
        table=_table(chosen.table, facts, labels, locale, money),
        ways_to_pay=_said(ways),
        transfer=_transfer(values, labels, facts, dated=chosen.table == "bills") if pays else (),
        pay_url=_web_address(facts.pay_url) if chosen.table == "bills" and pays else None,
        closing=_said(closing),
        sign_off=values["sign_off"],
        operator_name=values["operator_name"],
        account_ref=values["account_ref"],
        labels=labels,
    )


def _choose(wordings: Wordings, template: str, facts: NoticeFacts) -> tuple[Language, NoticeTemplate]:
    language, chosen = wordings.choose(template, facts.language)
    if chosen.table == "bills" and not facts.bills:
        return wordings.choose(FALLBACK_TEMPLATE, facts.language)
    return language, chosen


def _short_message(wordings: Wordings, template: str, channel: str, facts: NoticeFacts) -> Wording:
    language, chosen = _choose(wordings, template, facts)
    locale = _locale(facts.language, language.code)
    money = _money_writer(facts.currency, locale)
    if channel == "sms" and language.code != "hi":
        money = _for_gsm7(money, facts.currency, locale)
    values = _values(language, facts, locale, money)
    sentences = [text.say(values) for text in (chosen.sms if channel == "sms" else chosen.in_app)]
    help_line = values["get_help_short" if chosen.pays else "questions_short"]
    if channel == "sms":
        sentences += [values["pay_short"] if chosen.pays else "", help_line, values["opt_out_sms"]]
    else:
        sentences.append(help_line)
    # Thin and unbreakable spaces would turn a text message into the expensive alphabet.
    text = " ".join(" ".join(_said(sentences)).split())
    return Wording(chosen.subject.say(values), text, None, language.code)


def _values(language: Language, facts: NoticeFacts, locale: Locale, money: Callable[[Decimal], str]) -> dict[str, str]:
    """Every field that is there, as it is written in the customer's country; phrases included."""

    def long(day: date) -> str:
        return format_date(day, "long", locale=locale)

    def short(day: date) -> str:
        return format_skeleton("MMMMd", day, locale=locale)

    values: dict[str, str | None] = {
        "customer_name": facts.customer_name,
        "operator_name": facts.operator_name,
        "account_ref": facts.account_ref,
        "total_due": money(facts.total_due),
        "still_due": money(facts.total_due) if facts.total_due > 0 else None,
        "help_phone": facts.help_phone,
        "several_bills": str(len(facts.bills)),
        "pay_url": _web_address(facts.pay_url),
        "bank_name": facts.bank_name,
        "iban": facts.iban,
        "transfer_reference": facts.transfer_reference or facts.account_ref,
        "services": format_list(list(map(_one_line, facts.services)), locale=locale) if facts.services else None,
        "agency_name": facts.agency_name,
        "advice": facts.advice,
        "regulator": facts.regulator,
        "opt_out_url": _web_address(facts.opt_out_url),
    }
    if len(facts.bills) == 1:
        [bill] = facts.bills
        values |= {"one_bill": bill.ref, "one_bill_due": long(bill.due_on), "one_bill_due_day": short(bill.due_on)}
    if (paid := sum((bill.paid for bill in facts.bills), Decimal())) > 0:
        values["paid_so_far"] = money(paid)
    if facts.pay_by is not None:
        values |= {"pay_by": long(facts.pay_by), "pay_by_day": short(facts.pay_by)}
    if facts.promised_amount is not None and facts.promised_on is not None:
        values |= {
            "promised_amount": money(facts.promised_amount),
            "promised_on": long(facts.promised_on),
            "promised_day": short(facts.promised_on),
        }
    if facts.instalments:
        first = facts.instalments[0]
        values |= {
            "plan_total": money(sum((one.amount for one in facts.instalments), Decimal())),
            "instalment_count": str(len(facts.instalments)),
            "first_instalment_amount": money(first.amount),
            "first_instalment_on": long(first.due_on),
            "first_instalment_day": short(first.due_on),
        }
    said = {name: clean for name, value in values.items() if value is not None and (clean := _one_line(value))}
    if missing := ALWAYS - said.keys():
        raise ValueError(f"A notice needs {', '.join(sorted(missing))}")
    if facts.pay_by is not None and facts.consequence is not None:
        long_text, short_text = language.consequences[facts.consequence]
        said |= {"consequence": long_text.say(said), "consequence_short": short_text.say(said)}
    for name in PHRASES:
        said[name] = language.phrases[name].say(said)
    return said


def _table(
    kind: str, facts: NoticeFacts, labels: Values, locale: Locale, money: Callable[[Decimal], str]
) -> Table | None:
    def day(moment: date) -> str:
        return format_date(moment, "medium", locale=locale)

    if kind == "bills" and facts.bills:
        headings = tuple(labels[name] for name in ("bill", "issued", "due", "amount", "paid", "open"))
        rows = tuple(
            (
                _one_line(bill.ref),
                day(bill.issued_on),
                day(bill.due_on),
                money(bill.amount),
                money(bill.paid),
                money(bill.open),
            )
            for bill in sorted(facts.bills, key=lambda bill: (bill.due_on, bill.ref))
        )
        return Table(headings, rows, labels["total"], money(facts.total_due), 3)
    if kind == "instalments" and facts.instalments:
        lines = sorted(facts.instalments, key=lambda line: line.due_on)
        parts = tuple((str(place), day(line.due_on), money(line.amount)) for place, line in enumerate(lines, start=1))
        total = sum((line.amount for line in lines), Decimal())
        return Table((labels["instalment"], labels["due"], labels["amount"]), parts, labels["total"], money(total), 2)
    return None


def _transfer(values: Values, labels: Values, facts: NoticeFacts, *, dated: bool) -> tuple[tuple[str, str], ...]:
    """What one types into a banking app, in that order; nothing of it without an account to pay to."""
    lines: list[tuple[str, str]] = []
    if "iban" in values:
        lines = [
            (labels["payee"], _one_line(facts.account_holder or facts.operator_name)),
            (labels["bank"], values.get("bank_name", "")),
            (labels["iban"], values["iban"]),
            (labels["reference"], values["transfer_reference"]),
        ]
    lines += [
        (labels["pay_before"], values.get("pay_by", "") if dated else ""),
        (labels["online"], values.get("pay_url", "")),
        (labels["phone"], values["help_phone"]),
    ]
    return tuple((label, value) for label, value in lines if value)


def _plain_text(body: NoticeBody) -> str:
    blocks = [body.greeting, *body.opening]
    if body.table is not None:
        blocks.append(_text_table(body.table))
    if body.ways_to_pay:
        blocks.append("\n".join((body.labels["how_to_pay"], *(f"- {way}" for way in body.ways_to_pay))))
    blocks += [*body.closing, f"{body.sign_off}\n{body.operator_name}"]
    return "\n\n".join(blocks) + "\n"


def _text_table(table: Table) -> str:
    """One bill a paragraph of its own: columns fall apart in the fonts that mail programs use for plain text."""
    lines = []
    for row in table.rows:
        cells = [f"{heading}: {cell}" for heading, cell in zip(table.headings, row, strict=True)]
        lines.append(f"- {', '.join(cells)}")
    return "\n".join((*lines, f"{table.total_label}: {table.total}"))


def _locale(tag: str, language: str) -> Locale:
    """The language of the words, with the customer's country where that pair is known."""
    country = next((part for part in tag.replace("_", "-").split("-")[1:] if len(part) == 2 and part.isalpha()), None)
    try:
        return Locale.parse(f"{language}_{country.upper()}") if country else Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return Locale.parse(language)


def _money_writer(currency: str, locale: Locale) -> Callable[[Decimal], str]:
    """Amounts with all decimals of their currency; a currency written in letters stands apart from the number."""

    def write(amount: Decimal) -> str:
        return re.sub(r"(?<=[^\W\d_])(?=\d)", "\u00a0", format_currency(amount, currency, locale=locale))

    return write


def _for_gsm7(money: Callable[[Decimal], str], currency: str, locale: Locale) -> Callable[[Decimal], str]:
    """The same, with the currency's code where its sign would make every text message three times as long."""

    def write(amount: Decimal) -> str:
        usual = " ".join(money(amount).split())
        if sms_segments(usual).alphabet == "GSM-7":
            return usual
        pattern = locale.currency_formats["standard"].pattern.replace("¤", "")
        number = format_currency(amount, currency, format=pattern, locale=locale)
        return f"{currency} {' '.join(number.split())}"

    return write


def _said(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text for text in texts if text)


# Signs that reorder what follows them; the joiners that Indic scripts need are not among them.
_REORDERING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _one_line(value: str) -> str:
    """Text from outside on one line, without control characters and without signs that turn the reading order round."""
    kept = "".join(
        " " if unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} else sign
        for sign in value
        if sign not in _REORDERING
    )
    return re.sub(" +", " ", kept).strip()


def _web_address(url: str | None) -> str | None:
    """The URL if a browser may open it; anything else is not offered to the customer."""
    if url is None or not url.isprintable() or any(sign.isspace() for sign in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None
