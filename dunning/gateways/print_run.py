"""A print run: letters that go to the print house together, with a list of them. Pure.

A run is laid out in full where nobody fetches it, and released by one rename: it is there whole or not at all. A run
that is not waiting any more after it was laid out was released, whoever died in between.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from dunning.gateways.base import Message

#: Beside the runs, for what is not finished; print houses fetch nothing that begins with a full stop.
UNFINISHED = ".unfinished"
#: What was left unfinished for so long belongs to nobody any more.
FORGOTTEN_AFTER = timedelta(days=1)
COLUMNS = ("file", "key", "account", "language", "sheets", "paper", "country", "bytes", "sha256", "to")

_NAME = re.compile(r"letters-(\d{8}T\d{6}Z)-[0-9a-f]{12}(\.zip)?")
_PAGES = re.compile(rb"/Type\s*/Pages\b[^>]*?/Count\s+(\d+)|/Count\s+(\d+)[^>]*?/Type\s*/Pages\b")
#: Archives hold moments from here on.
_FIRST_DAY = datetime(1980, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Run:
    """What is handed over under one name."""

    name: str
    letters: tuple[Message, ...]
    made_at: datetime

    @classmethod
    def of(cls, letters: tuple[Message, ...], *, at: datetime) -> Run:
        """Named after its moment and what is in it."""
        mark = hashlib.sha256("\n".join(letter.key for letter in letters).encode()).hexdigest()[:12]
        return cls(f"letters-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{mark}", letters, at)

    @property
    def sheets(self) -> int:
        return sum(sheets_of(letter) for letter in self.letters)


class PrintHouse(Protocol):
    """Where runs are handed over. Every call raises `NotTaken`; ``release`` may raise `Unclear` too."""

    def lay_out(self, run: Run, /) -> None:
        """Write the whole run where nobody fetches it; again under the same name replaces it."""
        ...

    def release(self, name: str, /) -> str:
        """Let it be fetched; under which name it lies there."""
        ...

    def discard(self, name: str, /) -> None:
        """Remove what was laid out; nothing happens where it is not there."""
        ...

    def is_waiting(self, name: str, /) -> bool:
        """Whether it is laid out and not released."""
        ...

    def close(self) -> None: ...


def files_of(run: Run) -> Iterator[tuple[str, bytes]]:
    """The letters, then the list of them twice: ``manifest.csv`` and ``manifest.json``."""
    for letter in run.letters:
        yield file_name(letter.key), letter.attachment or b""
    rows = [_row(letter) for letter in run.letters]
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    writer.writerows([_plain(row[column]) for column in COLUMNS] for row in rows)
    yield "manifest.csv", table.getvalue().encode()
    listed = {
        "run": run.name,
        "made_at": run.made_at.astimezone(UTC).isoformat(),
        "count": len(rows),
        "sheets": run.sheets,
        "letters": rows,
    }
    yield "manifest.json", (json.dumps(listed, ensure_ascii=False, indent=1) + "\n").encode()


def archive_of(run: Run) -> bytes:
    """The run as one ZIP file; the same run gives the same bytes."""
    packed = io.BytesIO()
    moment = max(run.made_at.astimezone(UTC), _FIRST_DAY).timetuple()[:6]
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files_of(run):
            archive.writestr(zipfile.ZipInfo(name, moment), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def is_forgotten(name: str, *, at: datetime) -> bool:
    """Whether this unfinished run was begun so long ago that nobody will finish it."""
    found = _NAME.fullmatch(name)
    if found is None:
        return False
    begun = datetime.strptime(found.group(1), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return begun < at - FORGOTTEN_AFTER


def sheets_of(letter: Message) -> int:
    """As counted by who made the letter; else its pages, one to a sheet."""
    if letter.sheets:
        return letter.sheets
    counts = [int(one or other) for one, other in _PAGES.findall(letter.attachment or b"")]
    return max(counts, default=1)


def file_name(key: str) -> str:
    """A file name that is safe everywhere and different for different keys, also where case is not."""
    return (
        f"{re.sub(r'[^A-Za-z0-9._-]+', '-', key).strip('.-')[:80]}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.pdf"
    )


def _row(letter: Message) -> dict[str, Any]:
    pdf = letter.attachment or b""
    return {
        "file": file_name(letter.key),
        "key": letter.key,
        "account": letter.ref,
        "language": letter.language,
        "sheets": sheets_of(letter),
        "paper": letter.paper,
        "country": letter.country,
        "bytes": len(pdf),
        "sha256": hashlib.sha256(pdf).hexdigest(),
        "to": " | ".join(letter.to.split("\n")),
    }


def _plain(cell: object) -> str:
    """One line, and never a formula: the list is opened in spreadsheets."""
    text = " ".join(str(cell).split())
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
