from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pypdfium2
import pytest
import zxingcpp

from dunning.letters import NARROWEST_BAR, LetterFacts, bar_code, render_letter
from dunning.wording import BillLine, NoticeFacts, ValidationFacts, notice_body

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
    return len(pypdfium2.PdfDocument(pdf))


def shown(pdf: bytes) -> str:
    """What a reader of the file can select, all pages."""
    return "\n".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))


def printed(pdf: bytes, page: int = 0, *, dots_per_inch: int = 300) -> memoryview:
    """A page as the print house rasters it: rows of grey dots."""
    bitmap = pypdfium2.PdfDocument(pdf)[page].render(scale=dots_per_inch / 72, grayscale=True)
    rows = memoryview(bitmap.buffer).cast("B")
    tight = b"".join(rows[at : at + bitmap.width] for at in range(0, bitmap.height * bitmap.stride, bitmap.stride))
    return memoryview(tight).cast("B", shape=[bitmap.height, bitmap.width])


def scanned(pdf: bytes, page: int = 0) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(printed(pdf, page)) if "128" in str(found.format)]


def darkest(image: memoryview, left: float, top: float, width: float, height: float) -> int:
    """The darkest dot of a part of the page, in millimetres at 300 dots per inch: 255 is white."""
    dots = 300 / 25.4
    rows, columns = (
        range(int(top * dots), int((top + height) * dots)),
        range(int(left * dots), int((left + width) * dots)),
    )
    return min(image[row, column] for row in rows for column in columns)


@pytest.mark.parametrize("language", ["en-GB", "es", "de", "hi-IN", "fr", "ar-EG", "ar-AE"])
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
    page = pypdfium2.PdfDocument(render_letter(letter(paper="us-letter")))[0]
    assert page.get_size() == (612, 792)


@pytest.mark.parametrize(
    ("payment_ref", "account_ref", "text"),
    [
        ("A-1001", "A-1001", "A-1001"),
        ("RF18539007547034", "A-1001", "RF18539007547034/A-1001"),
        ("RF18 5390 0754 7034", "7000123456", "RF18 5390 0754 7034/7000123456"),
        # Too narrow together: the account alone.
        ("RF18 5390 0754 7034 and more words", "ACC-2026-000123", "ACC-2026-000123"),
    ],
)
@pytest.mark.parametrize(("paper", "country"), [("a4", "DE"), ("a4", "GB"), ("us-letter", "US")])
@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_scanner_reads_reference_and_account_from_the_printed_page(
    payment_ref, account_ref, text, paper, country, language
):
    facts = replace(FACTS, transfer_reference=payment_ref, account_ref=account_ref, language=language)
    pdf = render_letter(letter(facts, paper=paper, country=country))
    assert scanned(pdf) == [text]


@pytest.mark.parametrize("account_ref", ["Ä-1", "A" * 60])
def test_what_no_bar_code_can_carry_is_printed_without_one(account_ref):
    assert bar_code(account_ref, account_ref) is None
    assert scanned(render_letter(letter(replace(FACTS, account_ref=account_ref)))) == []


def test_bars_are_never_narrower_than_a_scanner_can_tell_apart():
    for length in range(1, 40):
        code = bar_code("R" * length, "A-1001")
        assert code is not None
        assert code.bar >= NARROWEST_BAR


@pytest.mark.parametrize(
    ("paper", "country", "window"),
    [
        # Left, top, width and height of what the window shows however the sheet has slipped.
        ("a4", "DE", (20, 62.7, 80, 27.3)),
        ("a4", "GB", (20, 57, 80, 24)),
        ("us-letter", "US", (22.3, 54, 80, 28)),
    ],
)
def test_the_window_shows_the_address_and_nothing_else(paper, country, window):
    six = ("Sarah Reed", "Flat 2", "The Old Mill", "14 Station Road", "Bristol BS3 2AB", "United Kingdom")
    pdf = render_letter(replace(letter(paper=paper, country=country), recipient=six))
    page = pypdfium2.PdfDocument(pdf)[0]
    _, height = page.get_size()
    left, top, width, tall = (part / 25.4 * 72 for part in window)
    seen = page.get_textpage().get_text_bounded(left, height - top - tall, left + width, height - top)
    assert [line.strip() for line in seen.splitlines() if line.strip()] == list(six)


def test_nothing_stands_beside_the_bar_code():
    image = printed(render_letter(letter(replace(FACTS, transfer_reference="RF18539007547034"))))
    assert darkest(image, 125 - 3.5, 76, 3.2, 9) == 255
    assert darkest(image, 190, 76, 15, 9) == 255


@pytest.mark.parametrize(("country", "folds"), [("DE", (105, 210)), ("GB", (99, 198))])
def test_the_sheet_is_marked_where_it_is_folded(country, folds):
    image = printed(render_letter(letter(country=country)))
    for fold in folds:
        assert darkest(image, 4, fold - 0.5, 4, 1) < 200
        assert darkest(image, 4, fold - 3, 4, 2) == 255


@pytest.mark.parametrize("language", ["en-GB", "de", "es", "fr"])
def test_a_letter_is_marked_private_and_its_pages_are_counted(language):
    bills = tuple(replace(FACTS.bills[0], ref=f"B-{number}") for number in range(60))
    facts = letter(replace(FACTS, language=language, bills=bills))
    pdf = render_letter(facts)
    text = shown(pdf)
    assert facts.body.labels["confidential"] in text
    for page in range(1, pages(pdf) + 1):
        assert f"{facts.body.labels['page']} {page} / {pages(pdf)}" in text
    for number in range(60):
        assert f"B-{number}" in text


def test_the_customers_number_is_not_called_the_reference_of_a_payment():
    text = shown(render_letter(letter(replace(FACTS, language="de"), customer_ref="C-77")))
    assert "Kundennummer C-77" in text


def test_the_form_to_send_back_is_on_one_page():
    debt = ValidationFacts(
        creditor="Northwind Mobile", itemized_on=date(2026, 7, 2), amount_then=Decimal("80"), interest=Decimal(0),
        fees=Decimal(0), payments=Decimal(0), credits=Decimal(0), ends_on=date(2026, 10, 1),
        collector_address=("P.O. Box 121", "Pasadena, CA 91101"), consumer_address=("14 Station Road",),
    )  # fmt: skip
    facts = replace(FACTS, language="en-US", currency="USD", bills=(), validation=debt)
    pdf = render_letter(letter(facts, "validation-notice", paper="us-letter"))
    [form] = [page for page in pypdfium2.PdfDocument(pdf) if "How do you want" in page.get_textpage().get_text_range()]
    text = form.get_textpage().get_text_range()
    for part in (
        "This is not my debt.",
        "The amount is wrong.",
        "original creditor",
        "P.O. Box 121",
        "14 Station Road",
    ):
        assert part in text


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
