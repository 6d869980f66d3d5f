"""Tables as files for a spreadsheet: CSV and XLSX, row by row, in constant memory. Pure but for the disk.

Amounts and numbers go as numbers; text that a spreadsheet would run as a formula gets an apostrophe.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, Any

from xlsxwriter import Workbook

from accounts import money
from accounts.journals import harmless

Cell = str | int | Decimal | date | None

#: What XLSX can hold, with the line of titles.
MOST_ROWS = 1_048_575
#: What the name of a sheet cannot hold, and how long it is at most.
_NOT_IN_NAMES = str.maketrans("[]:*?/\\", "       ")
_LONGEST_NAME = 31
_WIDTHS = {"text": 24, "amount": 16, "number": 12, "day": 12}


@dataclass(frozen=True)
class Column:
    """A column and what is in it: ``text``, ``amount`` (of the sheet's currency), ``number`` or ``day``."""

    title: str
    kind: str = "text"


@dataclass(frozen=True)
class Sheet:
    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    #: Whose decimals its amounts have.
    currency: str = ""


class _Line:
    """Where the writer of CSV puts one line, to be handed on."""

    def write(self, text: str) -> str:
        return text


def as_csv(sheet: Sheet) -> Iterator[str]:
    """One line at a time, the titles first; dots for decimals, no grouping, dates as 2026-01-31."""
    writer = csv.writer(_Line())
    yield writer.writerow([harmless(column.title) for column in sheet.columns])
    for row in sheet.rows:
        yield writer.writerow([_plain(cell, column, sheet) for cell, column in zip(row, sheet.columns, strict=True)])


def _plain(cell: Cell, column: Column, sheet: Sheet) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return harmless(cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if column.kind == "amount" and sheet.currency:
        return money.plain(Decimal(cell), sheet.currency)
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


def as_xlsx(sheets: Iterable[Sheet]) -> IO[bytes]:
    """A workbook at its beginning, to be read and closed; it is gone from the disk then.

    Rows beyond ``MOST_ROWS`` are left out: a sheet cannot hold them.
    """
    found: IO[bytes] = TemporaryFile()  # noqa: SIM115  # whoever reads it closes it
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": False}
    with Workbook(found, {**options, "strings_to_numbers": False}) as book:
        titles = book.add_format({"bold": True, "bottom": 1})
        days = book.add_format({"num_format": "yyyy-mm-dd"})
        numbers = book.add_format({"num_format": "#,##0.####"})
        for sheet in sheets:
            decimals = money.exponent(sheet.currency) if sheet.currency else 2
            amounts = book.add_format({"num_format": f"#,##0.{'0' * decimals}" if decimals else "#,##0"})
            kinds = {"amount": amounts, "number": numbers, "day": days}
            page = book.add_worksheet(sheet.title.translate(_NOT_IN_NAMES)[:_LONGEST_NAME])
            page.freeze_panes(1, 0)
            for place, column in enumerate(sheet.columns):
                page.set_column(place, place, _WIDTHS[column.kind])
                page.write_string(0, place, harmless(column.title), titles)
            for line, row in enumerate(sheet.rows, start=1):
                if line > MOST_ROWS:
                    break
                for place, (cell, column) in enumerate(zip(row, sheet.columns, strict=True)):
                    _write(page, line, place, cell, kinds.get(column.kind), days)
    found.seek(0)
    return found


def _write(page: Any, line: int, place: int, cell: Cell, like: Any, days: Any) -> None:
    if cell is None:
        return
    if isinstance(cell, str):
        page.write_string(line, place, harmless(cell))
    elif isinstance(cell, date):
        page.write_datetime(line, place, cell, days)
    else:
        page.write_number(line, place, cell, like)
