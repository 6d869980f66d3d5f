"""From text to typed rows beside the book: parse a chunk, resolve what it names, copy it into ``stage``.

What cannot be used is put into ``refused`` by its line, column and reason; ``rejecting`` reads the rows themselves.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import compress, islice
from typing import Any

from django.db import connection

from accounts.importing.columns import BadValue, damage
from accounts.importing.files import Broken, Fields, FileRefused, Source
from accounts.importing.spec import Column, FileSpec
from accounts.models import Account

CHUNK = 5_000

#: Why a row is refused, by its place in the chunk: the column and the reason.
Faults = dict[int, tuple[str, str]]


def check_header(spec: FileSpec, names: Sequence[str]) -> None:
    """Raises ``FileRefused`` for a column that is unknown, named twice, or missing though required."""
    known = {column.name for column in spec.columns}
    for index, name in enumerate(names):
        if name not in known:
            raise FileRefused(name, f"unknown column; there are {', '.join(column.name for column in spec.columns)}")
        if name in names[:index]:
            raise FileRefused(name, "the header names this column twice")
    for name in spec.required:
        if name not in names:
            raise FileRefused(name, "the header lacks this column, which is required")


def stage(spec: FileSpec, source: Source) -> int:
    """Fill ``stage`` and ``refused`` from the source, whose header has been checked; the number of rows read."""
    by_name = {column.name: column for column in spec.columns}
    columns = [by_name[name] for name in source.columns]
    _make_tables(spec)
    count = 0
    rows = source.rows()
    while chunk := list(islice(rows, CHUNK)):
        count += len(chunk)
        _stage_chunk(spec, columns, chunk)
    with connection.cursor() as cursor:
        for statement in ("ANALYZE stage", *spec.prepares):
            cursor.execute(statement)
    return count


def _make_tables(spec: FileSpec) -> None:
    columns = ", ".join(f'"{column.name}" {_sql_type(spec, column)}' for column in spec.columns)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.stage, pg_temp.refused, pg_temp.known, pg_temp.landed")
        for name, content in (
            ("stage", f"line bigint NOT NULL, {columns}"),
            ("refused", 'line bigint NOT NULL, "column" text NOT NULL, reason text NOT NULL'),
            ("known", "id text NOT NULL"),
            ("landed", "id bigint NOT NULL, account_id bigint, inserted boolean NOT NULL"),
        ):
            cursor.execute(f"CREATE TEMPORARY TABLE {name} ({content}) ON COMMIT DROP")


def _sql_type(spec: FileSpec, column: Column) -> str:
    if column.refers_to is None or spec.refers_to_itself(column):
        return column.kind.sql
    return "bigint"


def _stage_chunk(spec: FileSpec, columns: Sequence[Column], chunk: Sequence[tuple[int, Fields]]) -> None:
    refused = [
        (line, columns[fields.at].name if fields.at < len(columns) else "", fields.reason)
        for line, fields in chunk
        if isinstance(fields, Broken)
    ]
    sound = [row for row in chunk if not isinstance(row[1], Broken)]
    if sound:
        lines = [line for line, _ in sound]
        texts = list(zip(*(fields for _, fields in sound), strict=True))
        faults: Faults = {}
        parsed = _parse_columns(spec, columns, texts, faults)
        good: Iterator[tuple[Any, ...]] = zip(lines, *parsed, strict=True)
        if faults:
            refused += [(lines[index], *fault) for index, fault in faults.items()]
            good = compress(good, [index not in faults for index in range(len(lines))])
        _copy("stage", ["line", *(column.name for column in columns)], good)
    _copy("refused", ["line", "column", "reason"], iter(refused))


def _parse_columns(
    spec: FileSpec, columns: Sequence[Column], texts: Sequence[tuple[str, ...]], faults: Faults
) -> list[list[Any]]:
    """The columns of a chunk as PostgreSQL takes them; ``faults`` gets each row's first fault."""
    parsed: list[list[Any]] = [[] for _ in columns]
    currencies: list[str | None] = [None] * len(texts[0])
    for index, column in enumerate(columns):
        if not column.kind.by_currency:
            parsed[index] = _parse(column, texts[index], faults)
            if column.refers_to is not None and not spec.refers_to_itself(column):
                parsed[index], found = _resolve(column, parsed[index], texts[index], faults)
                currencies = found or currencies
    for index, column in enumerate(columns):
        if column.kind.by_currency:
            parsed[index] = _parse_money(column, texts[index], currencies, faults)
    return parsed


def _parse(column: Column, texts: Sequence[str], faults: Faults, *, currency: str = "") -> list[str | None]:
    known: dict[str, str | None] = {}
    wrong: dict[Hashable, str] = {}
    parse = column.kind.parse
    for text in set(texts):
        try:
            known[text] = parse(text, currency) or None if text else None
        except BadValue as bad:
            known[text] = None
            wrong[text] = damage(text) or str(bad)
    values = [known[text] for text in texts]
    _note(column, texts, values, wrong, faults)
    return values


def _note(
    column: Column, texts: Sequence[Hashable], values: Sequence[object], wrong: Mapping[Hashable, str], faults: Faults
) -> None:
    if wrong:
        for index, text in enumerate(texts):
            if text in wrong:
                faults.setdefault(index, (column.name, wrong[text]))
    if column.required and None in values:
        for index, value in enumerate(values):
            if value is None:
                faults.setdefault(index, (column.name, "is required"))


def _resolve(
    column: Column, values: Sequence[str | None], texts: Sequence[str], faults: Faults
) -> tuple[list[int | None], list[str | None]]:
    """Integer keys for the ids named; for accounts their currencies too. Whatever is not in the book is a fault."""
    model = column.refers_to
    assert model is not None
    wanted = sorted({value for index, value in enumerate(values) if value is not None and index not in faults})
    keys: dict[str | None, int] = {}
    currency_of: dict[str | None, str] = {}
    with connection.cursor() as cursor:
        currency = "currency" if model is Account else "''"
        table, by = model._meta.db_table, column.refers_by
        query = f'SELECT "{by}", id, {currency} FROM {table} WHERE "{by}" = ANY(%s)'
        cursor.execute(query, [wanted])
        found = cursor.fetchall()
        if column.makes is not None and len(found) < len(wanted):
            missing = set(wanted) - {name for name, _, _ in found}
            model._default_manager.bulk_create([column.makes(name) for name in sorted(missing)], ignore_conflicts=True)
            cursor.execute(query, [wanted])
            found = cursor.fetchall()
    for name, key, currency in found:
        keys[name] = key
        currency_of[name] = currency
    resolved = [keys.get(value) for value in values]
    if len(keys) < len(wanted):
        for index, value in enumerate(values):
            if value is not None and value not in keys:
                faults.setdefault(index, (column.name, f"no such {model._meta.verbose_name} in the book"))
    currencies = [currency_of.get(value) for value in values] if model is Account else []
    return resolved, currencies


def _parse_money(
    column: Column, texts: Sequence[str], currencies: Sequence[str | None], faults: Faults
) -> list[str | None]:
    """Like ``_parse``, by the currency of each row's account; rows without one are refused already."""
    if len(only := set(currencies)) == 1 and (currency := next(iter(only))) is not None:
        return _parse(column, texts, faults, currency=currency)
    known: dict[tuple[str, str | None], str | None] = {}
    wrong: dict[Hashable, str] = {}
    parse = column.kind.parse
    pairs = list(zip(texts, currencies, strict=True))
    for pair in set(pairs):
        text, currency = pair
        known[pair] = None
        if text and currency:
            try:
                known[pair] = parse(text, currency)
            except BadValue as bad:
                wrong[pair] = damage(text) or str(bad)
    values = [known[pair] for pair in pairs]
    _note(column, pairs, values, wrong, faults)
    return values


def _copy(table: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    first = next(rows, None)
    if first is None:
        return
    named = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({named}) FROM STDIN") as copy:
        copy.write_row(first)
        for row in rows:
            copy.write_row(row)
