"""Where rows come from: a CSV file or a list of objects. Streamed, and readable twice.

Every source names its columns and yields ``(line, fields)``. A row that has not exactly one field a column comes as
``Broken``: the fields that could be read, and why the row cannot be used.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Protocol, TextIO

#: Characters of the longest field that is read, and of the longest line; beyond them a row is refused.
FIELD_LIMIT = 131_072
LINE_LIMIT = 1 << 20

Fields = list[str]


class FileRefused(Exception):
    """The header is unusable, so nothing of the file can be read."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


class Broken(Fields):
    """The fields of a row that cannot be used as a whole; ``at`` is the index of the one to look at."""

    def __init__(self, fields: Iterable[str], *, at: int, reason: str) -> None:
        super().__init__(fields)
        self.at = at
        self.reason = reason


class Source(Protocol):
    """Rows to land; ``rows`` begins anew each time it is called, in the order of the lines."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    def rows(self) -> Iterator[tuple[int, Fields]]: ...


class CsvFile:
    """A CSV file: UTF-8 with or without a byte order mark, a header row, RFC 4180 quoting, any line ends.

    Lines are counted as an editor counts them: a row's line is the one it starts on. A row that cannot be read (a quote
    never closed, a field beyond the limit) costs itself alone: reading goes on at the line after its start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            first = next(self._records(), None)
        except OSError as error:
            raise FileRefused("", f"the file cannot be read: {error.strerror}") from None
        if first is None:
            raise FileRefused("", "the file is empty: the header is missing")
        _, header = first
        if isinstance(header, Broken):
            raise FileRefused("", f"the header cannot be read: {header.reason}")
        self.columns = tuple(name.strip() for name in header)

    def rows(self) -> Iterator[tuple[int, Fields]]:
        records = self._records(width=len(self.columns))
        next(records, None)
        return records

    def _records(self, width: int | None = None) -> Iterator[tuple[int, Fields]]:
        """Each record with the line it starts on, blank lines left out."""
        csv.field_size_limit(FIELD_LIMIT)
        with self.path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            taken: list[str] = []  # lines of the record being read
            again: list[str] = []  # lines to read once more, last first

            def feed() -> Iterator[str]:
                while text := again.pop() if again else stream.readline(LINE_LIMIT):
                    if len(text) == LINE_LIMIT:
                        text = _cut(text, stream)
                    taken.append(text)
                    yield text

            line = 1
            reader = csv.reader(feed(), strict=True)
            while True:
                try:
                    for fields in reader:
                        if len(fields) == width or (width is None and fields):
                            yield line, fields
                        elif fields:
                            reason = f"the row has {len(fields)} fields, the header {width}"
                            yield line, Broken(fields, at=min(len(fields), width or 0), reason=reason)
                        line += len(taken)
                        taken.clear()
                except csv.Error as error:
                    yield line, _unreadable(taken, error)
                    again.extend(reversed(taken[1:]))
                    taken.clear()
                    line += 1
                    reader = csv.reader(feed(), strict=True)
                else:
                    return


def _cut(text: str, stream: TextIO) -> str:
    """The beginning of a line beyond the limit; the rest of it is skipped."""
    rest = text
    while rest and not rest.endswith(("\n", "\r")):
        rest = stream.readline(LINE_LIMIT)
    return text if text.endswith("\n") else f"{text[:-1]}\n"


def _unreadable(lines: list[str], error: csv.Error) -> Broken:
    """The fields of a record up to the one that stopped the reader."""
    head = next(csv.reader([lines[0][:FIELD_LIMIT].replace("\r", " ")]), [])
    said = str(error)
    if "field limit" in said:
        if len(lines) == 1:
            reason = f"a field is longer than {FIELD_LIMIT:,} characters"
        else:
            reason = f"a quote is not closed within {FIELD_LIMIT:,} characters"
    elif "end of data" in said:
        reason = "a quote is never closed"
    elif "expected after" in said:
        reason = "a quote ends in the middle of a field"
    else:
        reason = f"the row cannot be read: {said}"
    return Broken(head, at=max(len(head) - 1, 0), reason=reason)


class RowList:
    """Objects from a program, numbered from 0; a column that only some of them name counts as empty in the others.

    Numbers may be whole or Decimal, booleans are true and false, null is empty.
    """

    def __init__(self, rows: Sequence[Mapping[str, object]]) -> None:
        self._rows = rows
        self.columns: tuple[str, ...] = tuple(dict.fromkeys(name for row in rows for name in row))

    def rows(self) -> Iterator[tuple[int, Fields]]:
        for index, row in enumerate(self._rows):
            fields = [_as_text(row.get(name)) for name in self.columns]
            wrong = next((at for at, name in enumerate(self.columns) if not _is_plain(row.get(name))), None)
            if wrong is None:
                yield index, fields
            else:
                yield index, Broken(fields, at=wrong, reason='give text; amounts as text too, such as "12.50"')


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | bool | int | Decimal)


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
