"""What a notice says: facts in, the words of one message out. Pure: no database, no clock, no code in the texts.

The words are in `wordings/`, loaded by `wording_texts`. How to pay, how to get help, the opt-out line and the words
that a market requires are put in here, so no template can forget them; the date before which to pay is demanded when
the texts are loaded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Set
from dataclasses import replace
from datetime import date
from decimal import Decimal
from urllib.parse import urlsplit

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import format_currency

from dunning.text_messages import plain_signs, sms_cost, sms_segments
from dunning.wording_facts import (
    BillLine,
    Consequence,
    Disclosure,
    InstalmentLine,
    NoticeBody,
    NoticeFacts,
    Table,
    TearOff,
    ValidationFacts,
    Wording,
)
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
    read_wordings,
    standard_wordings,
    wording_contents,
)

__all__ = [
    "CHANNELS",
    "BillLine",
    "Consequence",
    "Disclosure",
    "InstalmentLine",
    "NoticeBody",
    "NoticeFacts",
    "Table",
    "TearOff",
    "ValidationFacts",
    "Wording",
    "WordingError",
    "Wordings",
    "load_wordings",
    "notice_body",
    "read_wordings",
    "sms_cost",
    "sms_segments",
    "standard_wordings",
    "word_notice",
    "wording_contents",
]

CHANNELS = ("sms", "email", "letter", "in_app", "voice")


def word_notice(
    *, template: str, channel: str, facts: NoticeFacts, wordings: Wordings | None = None, tone: str = ""
) -> Wording:
    """The message of one channel: sms, email, letter, in_app, or voice, the script of an automatic call.

    An unknown template says what the general one says; a tone that nobody wrote is the plain one. Of a call the first
    paragraph may be heard by anybody, the second only by a listener who has confirmed who they are, and the last says
    which keys to press. Raises ValueError for an unknown channel, when who writes, about what, and whom to call is not
    in the facts, and when a notice that itemizes a debt lacks a part of it.
    """
    if channel not in CHANNELS:
        raise ValueError(f"No wording for the channel {channel!r}")
    wordings = wordings or standard_wordings()
    if channel in {"sms", "in_app", "voice"}:
        return _short_message(wordings, template, channel, facts, tone)
    body = notice_body(template=template, channel=channel, facts=facts, wordings=wordings, tone=tone)
    html = html_page(body) if channel == "email" else None
    return Wording(body.subject, _plain_text(body), html, body.language)


def notice_body(
    *, template: str, channel: str, facts: NoticeFacts, wordings: Wordings | None = None, tone: str = ""
) -> NoticeBody:
    """The parts of an e-mail or a letter; `dunning.letters` typesets the latter."""
    if channel == "letter":  # a line of print must not break a telephone number in two
        facts = replace(facts, help_phone=facts.help_phone.replace(" ", "\u00a0"))
    language, chosen = _choose(wordings or standard_wordings(), template, facts, tone)
    if chosen.table == "itemization" and channel == "email" and not _web_address(_itemized(facts).dispute_url):
        raise ValueError("A notice that itemizes a debt says where to dispute it electronically when it is an e-mail")
    pen = _Pen(facts.currency, _locale(facts.language, language.code))
    values = _values(language, chosen, facts, pen)
    labels = {name: text.say(values) for name, text in language.labels.items()}
    opening = _said(text.say(values) for text in chosen.opening)
    named = {name for text in chosen.page for name in text.names}
    closing = [text.say(values) for text in chosen.closing]
    if not chosen.bare:
        said_at_the_end = ("suspension_date", *(() if "get_help" in named else ("free_advice",)))
        closing += [values[name] for name in said_at_the_end if name not in named]
        if facts.names_court and facts.consequence:
            closing.append(values["court_recourse"])
        closing += [_disclosure(facts, values, named, short=False), values["complaint"]]
        if channel == "email":
            closing.append(values["opt_out_email"])
    pays = chosen.pays
    ways = (values["pay_online"], values["pay_transfer"], values["pay_phone"]) if pays else ()
    return NoticeBody(
        language=language.code,
        locale=str(pen.locale).replace("_", "-"),
        subject=chosen.subject.say(values),
        greeting=values["greeting"],
        opening=opening,
        table=_table(chosen, facts, values, labels, pen),
        ways_to_pay=_said(ways),
        transfer=_transfer(values, labels, facts, dated=chosen.table == "bills") if pays else (),
        pay_url=_web_address(facts.pay_url) if chosen.table == "bills" and pays else None,
        closing=_said(closing),
        sign_off=values["sign_off"],
        operator_name=values["operator_name"],
        account_ref=values["account_ref"],
        payment_ref=_one_line(facts.transfer_reference or facts.account_ref),
        preview=values["preview"] if pays or chosen.table != "none" else next(iter(opening), ""),
        labels=labels,
        rtl=pen.rtl,
        digits=pen.digits,
        tear_off=_tear_off(chosen, facts, values) if channel == "letter" else None,
    )


def _choose(wordings: Wordings, template: str, facts: NoticeFacts, tone: str) -> tuple[Language, NoticeTemplate]:
    language, chosen = wordings.choose(template, facts.language, tone)
    if chosen.table == "bills" and not facts.bills:
        return wordings.choose(FALLBACK_TEMPLATE, facts.language, tone)
    return language, chosen


def _short_message(wordings: Wordings, template: str, channel: str, facts: NoticeFacts, tone: str) -> Wording:
    language, chosen = _choose(wordings, template, facts, tone)
    cheap = channel == "sms" and language.gsm7
    pen = _Pen(facts.currency, _locale(facts.language, language.code), gsm7=cheap)
    values = _values(language, chosen, facts, pen)
    texts = {"sms": chosen.sms, "in_app": chosen.in_app, "voice": chosen.voice}[channel]
    sentences = [text.say(values) for text in texts]
    if not chosen.bare:
        named = {name for text in texts for name in text.names}
        help_line = "get_help_short" if chosen.pays else "questions_short"
        added = ["suspension_date"]
        if channel == "sms" and chosen.pays:
            added.append("pay_short")
        if channel != "voice":  # a call is answered by keys
            added.append(help_line)
        if facts.help_signpost:
            added.append("help_signpost")
        if facts.names_court and facts.consequence and channel != "voice":
            added.append("court_recourse")
        sentences += [values[name] for name in added if name not in named]
        sentences.append(_disclosure(facts, values, named, short=True))
        if channel == "sms" and "opt_out_sms" not in named:
            sentences.append(values["opt_out_sms"])
    text = _joined(sentences)
    opening = ""
    if channel == "voice":
        opening = _joined([values["voice_open"]])
        text = "\n\n".join(_said((opening, text, "" if chosen.bare else _joined([values["voice_close"]]))))
        opening, text = _one_order(opening), _one_order(text)
    return Wording(chosen.subject.say(values), plain_signs(text) if cheap else text, None, language.code, opening)


def _joined(sentences: Iterable[str]) -> str:
    """On one line and with plain spaces: others would turn a text message into the expensive alphabet."""
    return " ".join(" ".join(_said(sentences)).split())


def _one_order(text: str) -> str:
    """Without the signs that keep numbers in order on a page: a voice reads in one order only."""
    return "".join(sign for sign in text if sign not in _REORDERING)


def _disclosure(facts: NoticeFacts, values: Values, named: Set[str], *, short: bool) -> str:
    """What a debt collector must say, unless the notice says it in its own place."""
    if facts.collector_disclosure == "" or named & {"mini_miranda", "mini_miranda_short"}:
        return ""
    if facts.collector_disclosure == "later":
        return "" if "from_collector" in named else values["from_collector"]
    return values["mini_miranda_short" if short else "mini_miranda"]


# Babel knows which digits a country writes with, and writes western ones all the same.
_ZEROS = {"arab": "\u0660", "arabext": "\u06f0", "beng": "\u09e6", "deva": "\u0966"}


class _Pen:
    """How the customer's country writes amounts, dates and numbers."""

    def __init__(self, currency: str, locale: Locale, *, gsm7: bool = False) -> None:
        self.locale = locale
        self.rtl = locale.text_direction == "rtl"
        self._currency = currency
        self._gsm7 = gsm7
        zero = ord(_ZEROS.get(locale.default_numbering_system, "0"))
        self.digits = "".join(chr(zero + number) for number in range(10))
        self._digits = str.maketrans("0123456789", self.digits)

    def money(self, amount: Decimal) -> str:
        """With all decimals of the currency; a currency written in letters stands apart from the number. In a text
        message the currency's code stands where its sign would make the message three times as long.
        """
        usual = format_currency(amount, self._currency, locale=self.locale, numbering_system="default")
        usual = re.sub(r"(?<=[^\W\d_])(?=\d)", "\u00a0", usual).translate(self._digits)
        if not self._gsm7 or sms_segments(" ".join(usual.split())).alphabet == "GSM-7":
            return usual
        pattern = self.locale.currency_formats["standard"].pattern.replace("¤", "")
        number = format_currency(amount, self._currency, format=pattern, locale=self.locale)
        return f"{self._currency} {' '.join(number.split())}"

    def day(self, day: date, form: str = "long") -> str:
        return self._written(str(format_date(day, form, locale=self.locale)), day)

    def month_and_day(self, day: date) -> str:
        """In letters; in figures where the month's name would make a text message three times as long."""
        usual = self._written(str(format_skeleton("MMMMd", day, locale=self.locale)), day)
        if not self._gsm7 or sms_segments(usual).alphabet == "GSM-7":
            return usual
        return str(format_skeleton("Md", day, locale=self.locale))

    def _written(self, text: str, day: date) -> str:
        if self.locale.language == "fr" and day.day == 1:
            text = re.sub(r"^1 ", "1er ", text)  # the first of a month is an ordinal, which Babel's patterns cannot say
        return text.translate(self._digits)

    def count(self, number: int) -> str:
        return str(number).translate(self._digits)

    def kept_in_order(self, value: str) -> str:
        """A number or a reference inside a text that runs from right to left: its groups must not change places."""
        if not self.rtl or not value or (value[0].isalpha() and value[-1].isalnum()):
            return value
        unbroken = value.replace(" ", "\u00a0")
        return f"\u2066{unbroken}\u2069"


def _values(language: Language, chosen: NoticeTemplate, facts: NoticeFacts, pen: _Pen) -> dict[str, str]:
    """Every field that is there, as it is written in the customer's country; phrases included."""
    raw: dict[str, str | None] = {
        "customer_name": facts.customer_name,
        "operator_name": facts.operator_name,
        "account_ref": facts.account_ref,
        "help_phone": facts.help_phone,
        "pay_url": _web_address(facts.pay_url),
        "bank_name": facts.bank_name,
        "iban": facts.iban,
        "transfer_reference": facts.transfer_reference or facts.account_ref,
        "agency_name": facts.agency_name,
        "advice": facts.advice,
        "regulator": facts.regulator,
        "opt_out_url": _web_address(facts.opt_out_url),
    }
    if len(facts.bills) == 1:
        raw["one_bill"] = facts.bills[0].ref
    raw |= {"disputed_bill": facts.disputed_bill, "outcome_words": facts.outcome_words}
    said = {name: clean for name, value in raw.items() if value is not None and (clean := _one_line(value))}
    for name in _REFERENCES & said.keys():
        said[name] = pen.kept_in_order(said[name])
    said |= _amounts_and_days(facts, pen)
    if missing := ALWAYS - said.keys():
        raise ValueError(f"A notice needs {', '.join(sorted(missing))}")
    if chosen.table == "itemization":
        said |= _itemized_values(_itemized(facts), pen)
    if facts.pay_by is not None and facts.consequence is not None:
        long_text, short_text = language.consequences[facts.consequence]
        said |= {"consequence": long_text.say(said), "consequence_short": short_text.say(said)}
    for name in PHRASES:
        said[name] = language.phrases[name].say(said)
    return said


_REFERENCES = frozenset({"account_ref", "help_phone", "iban", "transfer_reference", "one_bill", "disputed_bill"})


def _amounts_and_days(facts: NoticeFacts, pen: _Pen) -> dict[str, str]:
    values = {"total_due": pen.money(facts.total_due), "several_bills": pen.count(len(facts.bills))}
    if facts.total_due > 0:
        values["still_due"] = values["total_due"]
    if services := [pen.kept_in_order(clean) for one in facts.services if (clean := _one_line(one))]:
        values["services"] = format_list(services, locale=pen.locale)
    if len(facts.bills) == 1:
        [bill] = facts.bills
        values |= {"one_bill_due": pen.day(bill.due_on), "one_bill_due_day": pen.month_and_day(bill.due_on)}
    if (paid := sum((bill.paid for bill in facts.bills), Decimal())) > 0:
        values["paid_so_far"] = pen.money(paid)
    days = {
        "pay_by": facts.pay_by,
        "wait_until": facts.wait_until,
        "answer_by": facts.answer_by,
        "extended_until": facts.extended_until,
        "settled_by": facts.settled_by,
    }
    for name, day in days.items():
        if day is not None:
            values |= {name: pen.day(day), f"{name}_day": pen.month_and_day(day)}
    if facts.suspension_on is not None:
        values["suspension_on"] = pen.day(facts.suspension_on)
    if facts.promised_amount is not None and facts.promised_on is not None:
        values |= {
            "promised_amount": pen.money(facts.promised_amount),
            "promised_on": pen.day(facts.promised_on),
            "promised_day": pen.month_and_day(facts.promised_on),
        }
    amounts = {
        "settled_amount": facts.settled_amount,
        "settled_balance": facts.settled_balance,
        "disputed_amount": facts.disputed_amount,
        "credited_amount": facts.credited_amount,
        "disputed_rest": facts.disputed_rest,
    }
    values |= {name: pen.money(amount) for name, amount in amounts.items() if amount is not None}
    if facts.instalments:
        first = facts.instalments[0]
        values |= {
            "plan_total": pen.money(sum((one.amount for one in facts.instalments), Decimal())),
            "instalment_count": pen.count(len(facts.instalments)),
            "first_instalment_amount": pen.money(first.amount),
            "first_instalment_on": pen.day(first.due_on),
            "first_instalment_day": pen.month_and_day(first.due_on),
        }
    return values


def _itemized(facts: NoticeFacts) -> ValidationFacts:
    """The itemized debt. Raises ValueError when a part is missing or the parts do not add up to what is asked for."""
    debt = facts.validation
    if debt is None:
        raise ValueError("A notice that itemizes a debt needs its parts")
    texts = (debt.creditor, *debt.collector_address[:1])
    if len(texts) < 2 or not all(_one_line(text) for text in texts):
        raise ValueError("A notice that itemizes a debt names the creditor and the address for disputes")
    if debt.amount_now != facts.total_due:
        raise ValueError(f"The parts of the debt make {debt.amount_now}, and {facts.total_due} is asked for")
    return debt


def _itemized_values(debt: ValidationFacts, pen: _Pen) -> dict[str, str]:
    values = {
        "creditor": _one_line(debt.creditor),
        "itemized_on": pen.day(debt.itemized_on),
        "debt_then": pen.money(debt.amount_then),
        "validation_ends": pen.day(debt.ends_on),
        "collector_address": ", ".join(_said(map(_one_line, debt.collector_address))),
    }
    if address := _web_address(debt.dispute_url):
        values["dispute_url"] = address
    return values


def _tear_off(chosen: NoticeTemplate, facts: NoticeFacts, values: Values) -> TearOff | None:
    form = chosen.tear_off
    if form is None:
        return None
    debt = _itemized(facts)
    return TearOff(
        heading=form.heading.say(values),
        instruction=form.instruction.say(values),
        boxes=tuple((box.say(values), _said(one.say(values) for one in below)) for box, below in form.boxes),
        mail_to=(values["operator_name"], *_said(map(_one_line, debt.collector_address))),
        sent_by=(values["customer_name"], *_said(map(_one_line, debt.consumer_address))),
    )


def _table(chosen: NoticeTemplate, facts: NoticeFacts, values: Values, labels: Values, pen: _Pen) -> Table | None:
    def day(moment: date) -> str:
        return pen.day(moment, "medium")

    if chosen.table == "bills" and facts.bills:
        headings = tuple(labels[name] for name in ("bill", "issued", "due", "amount", "paid", "open"))
        rows = tuple(
            (
                pen.kept_in_order(_one_line(bill.ref)),
                day(bill.issued_on),
                day(bill.due_on),
                pen.money(bill.amount),
                pen.money(bill.paid),
                pen.money(bill.open),
            )
            for bill in sorted(facts.bills, key=lambda bill: (bill.due_on, bill.ref))
        )
        return Table(headings, rows, labels["total"], values["total_due"], 3)
    if chosen.table == "instalments" and facts.instalments:
        lines = sorted(facts.instalments, key=lambda line: line.due_on)
        parts = tuple(
            (pen.count(place), day(line.due_on), pen.money(line.amount)) for place, line in enumerate(lines, start=1)
        )
        headings = (labels["instalment"], labels["due"], labels["amount"])
        return Table(headings, parts, labels["total"], values["plan_total"], 2)
    if chosen.items is not None:
        debt = _itemized(facts)
        amounts = (debt.amount_then, debt.interest, debt.fees, debt.payments, debt.credits, debt.amount_now)
        items = [
            (text.say(values), pen.money(amount)) for text, amount in zip(chosen.items.values(), amounts, strict=True)
        ]
        return Table((), tuple(items[:-1]), *items[-1], 1)
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
        blocks.append(_text_table(body.table, body.labels))
    if body.ways_to_pay:
        blocks.append("\n".join((body.labels["how_to_pay"], *(f"- {way}" for way in body.ways_to_pay))))
    blocks += [*body.closing, f"{body.sign_off}\n{body.operator_name}"]
    if body.tear_off is not None:
        blocks += _text_form(body.tear_off)
    return "\n\n".join(blocks) + "\n"


def _text_table(table: Table, labels: Values) -> str:
    """One bill a paragraph of its own: columns fall apart in the fonts that mail programs use for plain text."""
    colon, comma = f"{labels['colon']} ", f"{labels['comma']} "
    lines = []
    for row in table.rows:
        pairs = zip(table.headings, row, strict=True) if table.headings else [row]
        lines.append(f"- {comma.join(colon.join(pair) for pair in pairs)}")
    return "\n".join((*lines, f"{table.total_label}{colon}{table.total}"))


def _text_form(form: TearOff) -> list[str]:
    boxes = [line for box, below in form.boxes for line in (f"[ ] {box}", *(f"    [ ] {one}" for one in below))]
    return [
        "- " * 20,
        form.heading,
        form.instruction,
        "\n".join(boxes),
        "\n".join(form.mail_to),
        "\n".join(form.sent_by),
    ]


def _locale(tag: str, language: str) -> Locale:
    """The language of the words, with the customer's country where that pair is known."""
    country = next((part for part in tag.replace("_", "-").split("-")[1:] if len(part) == 2 and part.isalpha()), None)
    try:
        return Locale.parse(f"{language}_{country.upper()}") if country else Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return Locale.parse(language)


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
