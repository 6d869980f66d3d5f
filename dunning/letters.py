"""A notice as a letter on paper: typeset to PDF, ready for a window envelope. Pure but for one compiler kept in memory.

The layout is `letterhead/letter.typ`; what the letter says comes from `wording`. All words reach the layout as JSON
data, so nothing a customer is called can become markup. The same facts give the same bytes: the only date in the file
is the letter's own. A bar code carries the payment's reference and the account, for returned letters and paper slips.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_DOWN, Decimal
from functools import cache
from pathlib import Path
from typing import Literal

import typst
from babel import Locale
from babel.dates import format_date
from barcode.codex import Code128  # type: ignore[import-untyped]
from barcode.errors import BarcodeError  # type: ignore[import-untyped]
from pymupdf_fonts import FiraGO_Bold, FiraGO_Regular  # type: ignore[import-untyped]

from dunning.wording_facts import NoticeBody

LAYOUT = Path(__file__).with_name("letterhead") / "letter.typ"
MOST_ADDRESS_LINES = 6
"""What the window shows."""

Window = Literal["din-b", "us-10", "uk-dl"]
"""DIN 5008 form B in a DL or C6/5 envelope, a #10 envelope, and A4 in thirds in a British DL envelope."""

ISOLATES = "\u2066\u2069"

BAR_CODE_WIDTH = Decimal(63)
WIDEST_BAR = Decimal("0.33")
NARROWEST_BAR = Decimal("0.19")
"""Millimetres; office printers and hand scanners still tell bars of 0.19 mm apart. The ten bars of white that Code 128
needs on either side (ISO/IEC 15417) are in the layout: nothing stands beside it.
"""

# The compiler remembers what it has laid out; a fresh one now and then keeps a print run's memory flat.
LETTERS_PER_COMPILER = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterFacts:
    """One letter. `sender` begins with the sender's name; `footer` is the small print of the operator."""

    body: NoticeBody
    dated_on: date
    sender: tuple[str, ...]
    recipient: tuple[str, ...]
    customer_ref: str | None = None
    footer: tuple[str, ...] = ()
    paper: Literal["a4", "us-letter"] = "a4"
    country: str = ""
    """Where it is posted, ISO 3166: it chooses the envelope, and with it where the window is."""

    @property
    def window(self) -> Window:
        if self.paper == "us-letter":
            return "us-10"
        return "uk-dl" if self.country == "GB" else "din-b"


@dataclass(frozen=True, slots=True)
class BarCode:
    """What a scanner reads, and its bars: 1 is black, 0 is white, each `bar` millimetres wide."""

    text: str
    bars: str
    bar: Decimal


def render_letter(facts: LetterFacts) -> bytes:
    """The letter as PDF/A-2b. Raises ValueError when there is nobody to write to or the address is longer than the
    window.
    """
    recipient = [line for line in facts.recipient if line.strip()]
    if not recipient or len(recipient) > MOST_ADDRESS_LINES:
        raise ValueError(f"A letter needs an address of 1 to {MOST_ADDRESS_LINES} lines, this one has {len(recipient)}")
    return _press().typeset(_letter(facts, recipient), dated_on=facts.dated_on)


def bar_code(payment_ref: str, account_ref: str) -> BarCode | None:
    """Code 128 of `reference/account`, or of the account alone where both are the same or would be too narrow to be
    read. None when even that does not fit its place or has letters that Code 128 does not know.
    """
    texts = [account_ref] if payment_ref == account_ref else [f"{payment_ref}/{account_ref}", account_ref]
    for text in texts:
        try:
            [bars] = Code128(text).build()
        except BarcodeError:
            continue
        width = min(BAR_CODE_WIDTH / len(bars), WIDEST_BAR).quantize(Decimal("0.001"), ROUND_DOWN)
        if width >= NARROWEST_BAR:
            return BarCode(text, bars, width)
    return None


def _letter(facts: LetterFacts, recipient: list[str]) -> str:
    body = facts.body
    locale = Locale.parse(body.locale, sep="-")
    digits = str.maketrans("0123456789", body.digits)
    dated_on = str(format_date(facts.dated_on, "long", locale=locale)).translate(digits)
    reference = [(body.labels["date"], dated_on), (body.labels["account"], body.account_ref)]
    if facts.customer_ref:
        reference.append((body.labels["customer"], facts.customer_ref))
    table = None
    if body.table is not None:
        table = {
            "headings": body.table.headings,
            "rows": body.table.rows,
            "total_label": body.table.total_label,
            "total": body.table.total,
            "numbers_from": body.table.numbers_from,
        }
    code = bar_code(body.payment_ref, body.account_ref.strip(ISOLATES))
    form = body.tear_off
    return json.dumps(
        {
            "paper": facts.paper,
            "window": facts.window,
            "rtl": body.rtl,
            "digits": body.digits,
            "lang": body.language,
            "region": locale.territory,
            "operator_name": body.operator_name,
            "return_line": " · ".join(line for line in facts.sender if line.strip()),
            "recipient": recipient,
            "reference": reference,
            "dated_on": dated_on,
            "account_label": body.labels["account"],
            "account_ref": body.account_ref,
            "page_label": body.labels["page"],
            "bar_code": None if code is None else {"text": code.text, "bars": _runs(code.bars), "bar": float(code.bar)},
            "confidential": body.labels["confidential"],
            "subject": body.subject,
            "greeting": body.greeting,
            "opening": body.opening,
            "table": table,
            "how_to_pay": body.labels["how_to_pay"],
            "payment": body.transfer,
            "closing": body.closing,
            "sign_off": body.sign_off,
            "footer": facts.footer or facts.sender,
            "tear_off": None if form is None else asdict(form),
        },
        ensure_ascii=False,
    )


def _runs(bars: str) -> list[tuple[int, int]]:
    """Each black run as where it begins and how wide it is, in bars."""
    return [(run.start(), len(run.group())) for run in re.finditer("1+", bars)]


class _Press:
    """One compiler and its fonts, for all threads of a process in turn. Only our two fonts: the sheet is the same on
    every machine.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fonts = tempfile.TemporaryDirectory(prefix="letter-fonts-")
        for name, font in (("regular", FiraGO_Regular), ("bold", FiraGO_Bold)):
            (Path(self._fonts.name) / f"{name}.ttf").write_bytes(font.fontbuffer)
        self._compiler: typst.Compiler | None = None
        self._letters = 0

    def typeset(self, letter: str, *, dated_on: date) -> bytes:
        timestamp = int(datetime.combine(dated_on, time(), UTC).timestamp())
        with self._lock:
            if self._compiler is None or self._letters >= LETTERS_PER_COMPILER:
                self._compiler, self._letters = self._fresh(), 0
            self._letters += 1
            pdf = self._compiler.compile(
                format="pdf", sys_inputs={"letter": letter}, timestamp=timestamp, pdf_standards="a-2b"
            )
        if not isinstance(pdf, bytes):
            raise TypeError("the compiler returned no PDF")
        return pdf

    def _fresh(self) -> typst.Compiler:
        return typst.Compiler(
            str(LAYOUT), root=str(LAYOUT.parent), font_paths=[self._fonts.name], ignore_system_fonts=True
        )


@cache
def _press() -> _Press:
    return _Press()
