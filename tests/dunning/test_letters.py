from __future__ import annotations

import re
import threading
import zlib
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from dunning.letters import LetterFacts, render_letter
from dunning.wording import BillLine, NoticeFacts, notice_body

FACTS = NoticeFacts(
    customer_name="Sarah Reed",
    operator_name="Northwind Mobile",
    account_ref="A-1001",
    language="en-GB",
    currency="EUR",
    bills=tuple(
        BillLine(
            ref=f"B-{number}", issued_on=date(2026, 7, 1), due_on=date(2026, 8, number),
            amount=Decimal("40"), paid=Decimal(0), open=Decimal("40"),
        )
        for number in (1, 2)
    ),
    total_due=Decimal("80"),
    help_phone="0800 555 0100",
    pay_by=date(2026, 8, 25),
    consequence="suspended",
    pay_url="https://pay.example/t/Ab3",
    iban="DE89 3704 0044 0532 0130 00",
)  # fmt: skip


def letter(facts: NoticeFacts = FACTS, template: str = "final-notice", **more) -> LetterFacts:
    return LetterFacts(
        body=notice_body(template=template, channel="letter", facts=facts),
        dated_on=date(2026, 8, 19),
        sender=("Northwind Mobile", "12 Harbour Street", "Bristol BS1 4QA"),
        recipient=("Sarah Reed", "14 Station Road", "Bristol BS3 2AB"),
        **more,
    )


def pages(pdf: bytes) -> int:
    """Counted in the page tree, which may be in a compressed stream."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    readable = [pdf]
    for stream in streams:
        try:
            readable.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return max(int(count) for part in readable for count in re.findall(rb"/Count (\d+)", part))


@pytest.mark.parametrize("language", ["en-GB", "es", "de", "hi-IN"])
def test_a_letter_with_two_bills_fits_one_sheet_in_every_language(language):
    pdf = render_letter(letter(replace(FACTS, language=language)))
    assert pdf.startswith(b"%PDF-")
    assert pages(pdf) == 1


def test_the_fonts_travel_with_the_letter():
    pdf = render_letter(letter(replace(FACTS, language="hi")))
    assert b"FiraGO" in pdf
    assert b"/FontFile" in pdf


def test_the_same_facts_give_the_same_bytes():
    assert render_letter(letter()) == render_letter(letter())
    assert render_letter(letter()) != render_letter(replace(letter(), dated_on=date(2026, 8, 20)))


def test_many_bills_run_over_several_pages():
    bills = tuple(replace(FACTS.bills[0], ref=f"B-{number}") for number in range(60))
    assert pages(render_letter(letter(replace(FACTS, bills=bills)))) >= 2


@pytest.mark.parametrize(
    "name", ['#panic("x")', "*bold* _x_ $y$", "#sys.inputs", '"}, "a": [', "</script>\\", "@label <x>", "= Heading"]
)
def test_what_customers_are_called_never_becomes_markup(name):
    plain = letter(replace(FACTS, customer_name=name))
    render_letter(replace(plain, recipient=(name, "14 Station Road", name), sender=(name,)))


@pytest.mark.parametrize("template", ["plan-confirmation", "restored", "promise-confirmation", "unknown-code"])
def test_letters_without_a_table_or_a_payment_block_are_laid_out(template):
    assert pages(render_letter(letter(replace(FACTS, bills=()), template))) == 1


def test_a_letter_on_american_paper():
    assert b"612" in render_letter(letter(paper="us-letter"))


@pytest.mark.parametrize("recipient", [(), ("", " "), tuple("abcdefg")])
def test_an_address_that_the_window_cannot_show_is_refused(recipient):
    with pytest.raises(ValueError, match="1 to 6 lines"):
        render_letter(replace(letter(), recipient=recipient))


def test_threads_share_the_press():
    wanted = {
        language: render_letter(letter(replace(FACTS, language=language))) for language in ("en", "de", "es", "hi")
    }
    got: dict[str, bytes] = {}

    def typeset(language: str) -> None:
        got[language] = render_letter(letter(replace(FACTS, language=language)))

    threads = [threading.Thread(target=typeset, args=(language,)) for language in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == wanted
