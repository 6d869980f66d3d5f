"""The rows that were refused: read from their source once more, kept for a person, and reported."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import islice

from django.db import connection
from django.db.models import Func, Max, TextField

from accounts.importing.columns import shown
from accounts.importing.files import Broken, Fields, Source
from accounts.importing.spec import FileSpec
from accounts.models import RejectedRow

#: Characters of a field that are kept, and of the value that is reported.
KEPT, REPORTED = 10_000, 200
#: Under this name a kept row has the fields beyond the header; a field that was not there is null.
BEYOND = "(beyond the header)"
_BATCH = 1_000

Kept = dict[str, object]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row did not land. ``line`` is the line it starts on; of a list, its index."""

    file: str
    line: int
    column: str
    value: str
    reason: str


class RejectionLog:
    """Rejections in the order they came, kept on disk: a million of them take no memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._count = 0

    def add(self, rejection: Rejection) -> None:
        self._file.write(json.dumps(asdict(rejection)) + "\n")
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Rejection]:
        self._file.seek(0)
        for line in self._file:
            yield Rejection(**json.loads(line))


def refused_rows(spec: FileSpec, source: Source) -> Iterator[tuple[Rejection, Kept]]:
    """What is in ``refused``, in the order of the lines, with the rows as they came."""
    rows = source.rows()
    for line, column, reason in _refused():
        fields = next(fields for at, fields in rows if at == line)
        yield _rejection(spec, source.columns, line, column, reason, fields), _kept(source.columns, fields)


def _refused() -> Iterator[tuple[int, str, str]]:
    last = -1
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                'SELECT line, "column", reason FROM refused WHERE line > %s ORDER BY line LIMIT %s', [last, _BATCH]
            )
            batch = cursor.fetchall()
        if not batch:
            return
        yield from batch
        last = batch[-1][0]


def _rejection(
    spec: FileSpec, columns: tuple[str, ...], line: int, column: str, reason: str, fields: Fields
) -> Rejection:
    at = fields.at if isinstance(fields, Broken) else columns.index(column) if column in columns else len(columns)
    value = fields[at] if at < len(fields) else ""
    return Rejection(spec.file, line, column, shown(value[:REPORTED]), reason)


def _kept(columns: tuple[str, ...], fields: Fields) -> Kept:
    row: Kept = {
        name: shown(fields[index][:KEPT]) if index < len(fields) else None for index, name in enumerate(columns)
    }
    if len(fields) > len(columns):
        row[BEYOND] = [shown(value[:KEPT]) for value in fields[len(columns) : len(columns) + 20]]
    return row


def keep(rejections: Iterator[tuple[Rejection, Kept]], *, at: datetime) -> Iterator[Rejection]:
    """Write rejected rows, a batch at a time; one that is open already with the same content is brought up to date."""
    while batch := list(islice(rejections, _BATCH)):
        file = batch[0][0].file
        lines = [rejection.line for rejection, _ in batch]
        known: dict[int, list[RejectedRow]] = {}
        for row in RejectedRow.objects.filter(file=file, line__in=lines, resolved_at=None):
            known.setdefault(row.line, []).append(row)
        new: list[RejectedRow] = []
        again: list[RejectedRow] = []
        for rejection, content in batch:
            same = next((row for row in known.get(rejection.line, []) if row.row == content), None)
            row = same or RejectedRow(file=file, line=rejection.line, row=content)
            row.column, row.value, row.reason = rejection.column, rejection.value, rejection.reason[:300]
            row.rejected_at = at
            (again if same else new).append(row)
        RejectedRow.objects.bulk_create(new)
        RejectedRow.objects.bulk_update(again, ["column", "value", "reason", "rejected_at"])
        yield from (rejection for rejection, _ in batch)


def resolve_superseded(spec: FileSpec, *, at: datetime, actor: str) -> None:
    """Close what was refused before and speaks of an id that this file brought; a retry would bring back old news."""
    earlier = RejectedRow.objects.filter(file=spec.file, resolved_at=None, rejected_at__lt=at)
    if len(spec.key) == 1 and earlier.exists():
        with connection.cursor() as cursor:
            cursor.execute(
                f"""UPDATE accounts_rejectedrow SET resolved_at = %s, resolved_by = %s
                     WHERE file = %s AND resolved_at IS NULL AND rejected_at < %s AND row->>%s::text IN (
                         SELECT "{spec.key[0]}"::text FROM stage UNION ALL SELECT id FROM known)""",
                [at, actor, spec.file, at, spec.key[0]],
            )


class RejectedAgain:
    """The open rejected rows of a file as they are stored now, perhaps mended; a row's line is its key."""

    def __init__(self, spec: FileSpec) -> None:
        self._known = {column.name for column in spec.columns}
        self.file = spec.file
        still_open = RejectedRow.objects.filter(file=spec.file, resolved_at=None)
        self.last = still_open.aggregate(last=Max("pk"))["last"] or 0
        self._rows = still_open.filter(pk__lte=self.last)
        named = self._rows.annotate(name=Func("row", function="jsonb_object_keys", output_field=TextField()))
        present = set(named.values_list("name", flat=True).distinct())
        self.columns: tuple[str, ...] = tuple(column.name for column in spec.columns if column.name in present)

    def rows(self) -> Iterator[tuple[int, Fields]]:
        last = 0
        while batch := list(self._rows.filter(pk__gt=last).order_by("pk").values_list("pk", "row", "reason")[:_BATCH]):
            for key, row, reason in batch:
                yield key, self._fields(row, reason)
            last = batch[-1][0]

    def _fields(self, row: Kept, reason: str) -> Fields:
        fields = ["" if (value := row.get(name, "")) is None else str(value) for name in self.columns]
        if unknown := set(row) - self._known:
            return Broken(fields, at=len(fields), reason=reason if BEYOND in unknown else "the row has unknown columns")
        missing = next((at for at, name in enumerate(self.columns) if row.get(name, "") is None), None)
        return fields if missing is None else Broken(fields, at=missing, reason=reason)


def keep_again(
    source: RejectedAgain, rejections: Iterator[tuple[Rejection, Kept]], *, at: datetime, actor: str
) -> Iterator[Rejection]:
    """After a retry: rows refused again get today's reason, the others are resolved."""
    while batch := list(islice(rejections, _BATCH)):
        rows = RejectedRow.objects.in_bulk([rejection.line for rejection, _ in batch])
        for rejection, _ in batch:
            row = rows[rejection.line]
            row.column, row.value, row.reason = rejection.column, rejection.value, rejection.reason[:300]
            yield replace(rejection, line=row.line)
        RejectedRow.objects.bulk_update(rows.values(), ["column", "value", "reason"])
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE accounts_rejectedrow r SET resolved_at = %s, resolved_by = %s
                WHERE file = %s AND resolved_at IS NULL AND id <= %s
                  AND NOT EXISTS (SELECT 1 FROM refused WHERE refused.line = r.id)""",
            [at, actor, source.file, source.last],
        )
