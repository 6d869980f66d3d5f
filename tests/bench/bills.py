"""A file of bills lands, is settled and posted to the journal; and the same file again, which changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory

from django.db import connection

from accounts import settling
from accounts.book import BILLS
from accounts.importing.landing import import_folder
from accounts.models import Bill, JournalEntry
from tests.bench import floors
from tests.bench.book import ACTOR
from tests.bench.part import Line, apart
from tests.bench.strategy import EVE

_FILE = """
    COPY (SELECT 'B' || id AS bill_id, 'A' || account_id AS account_id, due_on - 21 AS issued_on, due_on, amount
            FROM floor.bill ORDER BY id) TO STDOUT (FORMAT csv, HEADER)
"""
_EVENING = datetime.combine(EVE, time(12), tzinfo=UTC)


def measure(accounts: int) -> Iterator[Line]:
    """In a book that has accounts and no money; leaves the bills there."""
    floor = floors.copy_bills()
    with TemporaryDirectory() as folder:
        _write_file(Path(folder) / BILLS.file)
        (landed, settled, again), peak = apart(_land, Path(folder))
    count = Bill.objects.count()
    assert JournalEntry.objects.count() == count, "every bill is posted, once"
    yield Line("import: bills land", accounts, count, "bills", landed, floor, "", peak)
    yield Line("import: land, settle, post", accounts, count, "bills", landed + settled, floor, "≤ 4", peak)
    yield Line("import: the same file again", accounts, count, "bills", again, floor, "≤ 1", peak)
    yield Line("floor: COPY with our keys", accounts, count, "bills", floor)


def _write_file(path: Path) -> None:
    with connection.cursor() as cursor, cursor.copy(_FILE) as out, path.open("wb") as file:
        for block in out:
            file.write(block)


def _land(folder: Path) -> tuple[float, float, float]:
    def land() -> None:
        report = import_folder(folder, (BILLS,), on=EVE, at=_EVENING, actor=ACTOR)
        assert not report.files[0].rejected

    return floors.timed(land), floors.timed(lambda: settling.settle(as_of=EVE, at=_EVENING)), floors.timed(land)
