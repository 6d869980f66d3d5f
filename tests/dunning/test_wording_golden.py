"""Every notice as a customer reads it, kept as files: a change of a text or of a renderer shows what it does to them.

`pytest tests/dunning/test_wording_golden.py --write-golden` writes them anew.
"""

from __future__ import annotations

import difflib
import itertools
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pypdfium2
import pytest

from dunning.letters import LetterFacts, render_letter
from dunning.wording import (
    BillLine,
    InstalmentLine,
    NoticeFacts,
    ValidationFacts,
    notice_body,
    sms_segments,
    standard_wordings,
    word_notice,
)

GOLDEN = Path(__file__).with_name("golden")
AS_HTML = ("reminder", "final-notice")
AS_LETTER = ("final-notice", "plan-confirmation", "validation-notice")
# One of each thing that countries write differently, among them digits, separators and where the currency stands.
TAGS = {"ar": ("ar-EG", "EGP"), "de": ("de-AT", "EUR"), "en": ("en-GB", "GBP"), "es": ("es-MX", "MXN"),
        "fr": ("fr-FR", "EUR"), "hi": ("hi-IN", "INR")}  # fmt: skip
NAMES = {"ar": "ليلى حداد", "hi": "सारा सिंह"}


def bill(ref: str, due_on: date, amount: str, paid: str) -> BillLine:
    left = Decimal(amount) - Decimal(paid)
    issued_on = date(due_on.year, due_on.month - 1, 15)
    return BillLine(ref=ref, issued_on=issued_on, due_on=due_on, amount=Decimal(amount), paid=Decimal(paid), open=left)


BILLS = (bill("B-7", date(2026, 8, 1), "89.90", "30.00"), bill("B-8", date(2026, 8, 5), "123456.50", "0"))
ITEMIZED = ValidationFacts(
    creditor="Northwind Mobile", itemized_on=date(2026, 7, 2), amount_then=Decimal("500"), interest=Decimal("0"),
    fees=Decimal("25.10"), payments=Decimal("100"), credits=Decimal("0"), ends_on=date(2026, 10, 1),
    collector_address=("P.O. Box 121", "Pasadena, CA 91101"), consumer_address=("2323 Park St", "Bethesda, MD 20815"),
    dispute_url="https://collector.example/dispute",
)  # fmt: skip


def facts(language: str, template: str) -> NoticeFacts:
    tag, currency = TAGS[language]
    said = NoticeFacts(
        customer_name=NAMES.get(language, "Sarah Reed"), operator_name="Northwind Mobile", account_ref="A-1001",
        language=tag, currency=currency, bills=BILLS, total_due=sum((one.open for one in BILLS), Decimal()),
        help_phone="+43 800 555 0100" if language == "ar" else "0800 555 0100", pay_by=date(2026, 8, 25),
        consequence="suspended", pay_url="https://pay.example/t/Ab3", bank_name="Example Bank",
        iban="DE89 3704 0044 0532 0130 00", transfer_reference="RF18 5390 0754 7034", services=("0151 2345678",),
        promised_amount=Decimal("50"), promised_on=date(2026, 8, 20), advice="Advice Line, 0800 555 0199",
        instalments=(
            InstalmentLine(due_on=date(2026, 9, 1), amount=Decimal("500")),
            InstalmentLine(due_on=date(2026, 10, 1), amount=Decimal("579.90")),
        ),
        regulator="Ombuds Office", opt_out_url="https://pay.example/stop/Ab3", wait_until=date(2026, 8, 26),
        answer_by=date(2026, 8, 28), extended_until=date(2026, 9, 10), settled_amount=Decimal("300"),
        settled_balance=Decimal("412.50"), settled_by=date(2026, 9, 2), disputed_amount=Decimal("24.50"),
        disputed_bill="B-7", credited_amount=Decimal("24.50"),
    )  # fmt: skip
    if template == "validation-notice":
        tag = {"en": "en-US", "es": "es-US"}[language]
        return replace(
            said, language=tag, currency="USD", bills=(), total_due=ITEMIZED.amount_now, validation=ITEMIZED,
            operator_name="Harbour Recovery", advice=None, regulator=None,
        )  # fmt: skip
    return said


def expect(golden: Path, said: str, *, write: bool) -> None:
    if write:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(said, encoding="utf-8")
        return
    kept = golden.read_text(encoding="utf-8") if golden.exists() else ""
    if kept != said:
        name = str(golden.relative_to(GOLDEN))
        lines = difflib.unified_diff(kept.splitlines(), said.splitlines(), f"kept {name}", f"said {name}", lineterm="")
        pytest.fail("\n".join(lines), pytrace=False)


NOTICES = [(code, name) for code, language in standard_wordings().languages.items() for name in language.templates]


@pytest.mark.parametrize("channel", ["sms", "email", "voice"])
@pytest.mark.parametrize(("language", "name"), NOTICES)
def test_a_notice_reads_as_it_is_kept(language, name, channel, write_golden):
    template, _, tone = name.partition(".")
    said = word_notice(template=template, channel=channel, facts=facts(language, template), tone=tone)
    text = said.text
    if channel == "sms":
        length = sms_segments(said.text)
        text = f"{said.text}\n\n[{length.alphabet}, {length.places} places, {length.segments} segments]\n"
    if channel == "email":
        text = f"Subject: {said.subject}\n\n{said.text}"
    expect(GOLDEN / language / f"{name}.{channel}.txt", text.rstrip("\n") + "\n", write=write_golden)
    if channel == "email" and name in AS_HTML:
        expect(GOLDEN / language / f"{name}.email.html", said.html, write=write_golden)


@pytest.mark.parametrize(("language", "name"), [notice for notice in NOTICES if notice[1] in AS_LETTER])
def test_a_letter_says_what_is_kept_on_as_many_pages(language, name, write_golden):
    said = facts(language, name)
    letter = LetterFacts(
        body=notice_body(template=name, channel="letter", facts=said), dated_on=date(2026, 8, 19),
        sender=("Northwind Mobile", "12 Harbour Street", "Bristol BS1 4QA"), customer_ref="C-77",
        recipient=(said.customer_name, "14 Station Road", "Bristol BS3 2AB"),
        paper="us-letter" if name == "validation-notice" else "a4",
    )  # fmt: skip
    pages = len(pypdfium2.PdfDocument(render_letter(letter)))
    text = word_notice(template=name, channel="letter", facts=said).text
    expect(GOLDEN / language / f"{name}.letter.txt", f"[pages: {pages}]\n\n{text}", write=write_golden)


def test_nothing_is_kept_that_nobody_says():
    kept = {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.*")}
    said = {
        f"{code}/{name}.{channel}.txt"
        for (code, name), channel in itertools.product(NOTICES, ("sms", "email", "voice"))
    }
    said |= {f"{code}/{name}.email.html" for code, name in NOTICES if name in AS_HTML}
    said |= {f"{code}/{name}.letter.txt" for code, name in NOTICES if name in AS_LETTER}
    assert kept == said
