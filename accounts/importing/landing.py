"""Bringing the book to what files and lists say: a folder of files, the rows refused before, a list from a program.

Every file is one transaction. Settling is the caller's: accounts that money touched are marked in that transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from django.db import connection, transaction

from accounts.importing.checking import check
from accounts.importing.files import CsvFile, FileRefused, RowList, Source
from accounts.importing.merging import merge
from accounts.importing.rejecting import (
    RejectedAgain,
    Rejection,
    RejectionLog,
    keep,
    keep_again,
    refused_rows,
    resolve_superseded,
)
from accounts.importing.spec import FileSpec, Landed
from accounts.importing.staging import check_header, stage
from accounts.models import RejectedRow
from accounts.refusals import Refused

ACTOR = "import"
#: Two imports at once would both find an id new: they take turns, file by file.
_TURN = 7_301_002


class CannotImport(Refused):
    """The folder cannot be read, or holds no file of the book: nothing was done."""

    code = "invalid"


class CannotLand(Refused):
    """A row of a list that lands whole or not at all is bad; ``rejections`` say which and why, by index."""

    code = "invalid"

    def __init__(self, rejections: Sequence[Rejection]) -> None:
        first = rejections[0]
        more = f" (and {len(rejections) - 1} more)" if len(rejections) > 1 else ""
        super().__init__(f"Row {first.line}: {first.column or 'the row'}: {first.reason}{more}")
        self.rejections = rejections


@dataclass(frozen=True, slots=True)
class FileCount:
    """What became of a file's rows: ``rows`` = written + unchanged + rejected."""

    file: str
    rows: int
    written: int
    unchanged: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Report:
    files: list[FileCount]
    rejected: RejectionLog


@dataclass(frozen=True, slots=True)
class Landing:
    """What became of a list; ``account_ids`` are the keys of accounts whose facts changed and await settling."""

    rows: int
    written: int
    unchanged: int
    rejections: list[Rejection]
    account_ids: list[int]


Progress = Callable[[FileCount], None]


def import_folder(
    folder: Path,
    book: Sequence[FileSpec],
    *,
    on: date,
    at: datetime,
    actor: str = ACTOR,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Import the files of ``folder`` that the book knows, in the book's order. Raises ``CannotImport``.

    ``on`` is the business date. May be repeated: what is there already is not written again. A dry run does everything
    and takes it back.
    """
    try:
        present = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise CannotImport(f"{folder} cannot be read: {error.strerror}.") from None
    specs = [spec for spec in book if spec.file in present]
    if not specs:
        raise CannotImport(f"{folder} holds no file of the book, such as {book[0].file}.")
    with _all_or_dry(dry_run):
        report = Report([], RejectionLog())
        for spec in specs:
            count = _import_file(spec, folder / spec.file, report.rejected, landed=Landed(on, at, actor))
            report.files.append(count)
            if progress is not None:
                progress(count)
    return report


def retry_rejected(
    book: Sequence[FileSpec],
    *,
    on: date,
    at: datetime,
    actor: str = ACTOR,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Try the open rejected rows again, as they are stored now; those that land are resolved."""
    with _all_or_dry(dry_run):
        report = Report([], RejectionLog())
        waiting = set(RejectedRow.objects.filter(resolved_at=None).values_list("file", flat=True).distinct())
        for spec in book:
            if spec.file in waiting:
                count = _retry_file(spec, report.rejected, landed=Landed(on, at, actor))
                report.files.append(count)
                if progress is not None:
                    progress(count)
    return report


def land(
    spec: FileSpec,
    rows: Sequence[Mapping[str, object]],
    *,
    on: date,
    at: datetime,
    actor: str,
    all_or_nothing: bool = True,
) -> Landing:
    """Land objects with the columns of the file, by the same rules, in the caller's transaction or one of its own.

    Each object states its fact whole: a column that any of them names counts as empty in those that do not. Raises
    ``CannotLand`` with ``all_or_nothing`` set and a row refused, nothing being written then.
    """
    source = RowList(rows)
    with transaction.atomic():
        try:
            check_header(spec, source.columns)
        except FileRefused as refused:
            index = next((index for index, row in enumerate(rows) if refused.column in row), 0)
            raise CannotLand([Rejection(spec.file, index, refused.column, "", refused.reason)]) from None
        count, written = _land(spec, source, landed=Landed(on, at, actor))
        rejections = [rejection for rejection, _ in refused_rows(spec, source)]
        if rejections and all_or_nothing:
            raise CannotLand(rejections)
        return Landing(count, written, count - written - len(rejections), rejections, _accounts_landed())


def _import_file(spec: FileSpec, path: Path, log: RejectionLog, *, landed: Landed) -> FileCount:
    with transaction.atomic():
        _take_turn()
        try:
            source = CsvFile(path)
            check_header(spec, source.columns)
        except FileRefused as refused:
            log.add(Rejection(spec.file, 1, refused.column, refused.column, refused.reason))
            return FileCount(spec.file, rows=0, written=0, unchanged=0, rejected=1)
        rows, written = _land(spec, source, landed=landed)
        rejected = _log(log, keep(refused_rows(spec, source), at=landed.at))
        resolve_superseded(spec, at=landed.at, actor=landed.actor)
        return FileCount(spec.file, rows, written, rows - written - rejected, rejected)


def _retry_file(spec: FileSpec, log: RejectionLog, *, landed: Landed) -> FileCount:
    with transaction.atomic():
        _take_turn()
        source = RejectedAgain(spec)
        rows, written = _land(spec, source, landed=landed, again=True)
        rejected = _log(log, keep_again(source, refused_rows(spec, source), at=landed.at, actor=landed.actor))
        return FileCount(spec.file, rows, written, rows - written - rejected, rejected)


def _land(spec: FileSpec, source: Source, *, landed: Landed, again: bool = False) -> tuple[int, int]:
    """Stage, check and merge; rows read and rows written. What was refused is in ``refused``."""
    rows = stage(spec, source)
    check(spec, source.columns, again=again)
    written = merge(spec, source.columns)
    if spec.after is not None:
        spec.after(landed)
    return rows, written


def _log(log: RejectionLog, rejections: Iterator[Rejection]) -> int:
    before = len(log)
    for rejection in rejections:
        log.add(rejection)
    return len(log) - before


def _accounts_landed() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT account_id FROM landed WHERE account_id IS NOT NULL ORDER BY 1")
        return [key for (key,) in cursor.fetchall()]


def _take_turn() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])
        # Hash joins of a whole file against a whole table; the default spills them to disk in hundreds of pieces.
        cursor.execute("SET LOCAL work_mem = '64MB'")


@contextmanager
def _all_or_dry(dry_run: bool) -> Iterator[None]:
    """Each file its own transaction; or all of them one that is taken back."""
    if not dry_run:
        yield
        return
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
