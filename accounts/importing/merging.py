"""From ``stage`` into the book by difference: new rows inserted, others superseded, the rest not touched."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connection
from django.db.models import Field
from psycopg.sql import Literal

from accounts.importing.spec import Column, FileSpec, Into
from accounts.models import Account


def book_column(column: Column) -> str:
    """The database column a column of the file is kept in, empty for none."""
    if column.into is Into.NOWHERE:
        return ""
    return column.name if isinstance(column.into, Into) else column.into


def key_of(spec: FileSpec, alias: str) -> str:
    """The columns that name a staged row, as SQL."""
    return ", ".join(f'{alias}"{name}"' for name in spec.key)


def same_row(spec: FileSpec) -> str:
    """SQL: the row ``t`` of the book is what the staged row ``s`` speaks of."""
    columns = {column.name: column for column in spec.columns}
    return " AND ".join(f't."{book_column(columns[name])}" = s."{name}"' for name in spec.key)


def merge(spec: FileSpec, names: Collection[str]) -> int:
    """Bring the book to what the staged rows say, fill ``landed``, mark accounts unsettled; how many rows were written.

    A column that the file does not have says nothing: a new row gets its default, a superseded one keeps what it has.
    """
    with connection.cursor() as cursor:
        cursor.execute(_merge_statement(spec, names))
        written = int(cursor.rowcount)
        for column in spec.columns:
            if column.name in names and spec.refers_to_itself(column):
                written += _link(spec, column)
        if spec.settles:
            cursor.execute(_mark_statement(spec))
    return written


def differs(spec: FileSpec, names: Collection[str]) -> str:
    """SQL: the staged row ``s`` says something else than the row ``t`` of the book, rows naming each other left out."""
    fields = _fields(spec)
    book: list[str] = []
    said: list[str] = []
    for column in spec.columns:
        if column.name not in names or spec.refers_to_itself(column):
            continue
        if name := book_column(column):
            book.append(f't."{name}"')
            said.append(_or_default(f's."{column.name}"', fields[name]))
        if column.current:
            book.append(f"({column.current})")
            said.append(f's."{column.name}"')
    return f"(({', '.join(book)}) IS DISTINCT FROM ({', '.join(said)}))"


def _merge_statement(spec: FileSpec, names: Collection[str]) -> str:
    table = spec.model._meta.db_table
    fields = _fields(spec)
    values: dict[str, str] = {}  # database column: SQL of what a new row gets
    stated: list[str] = []  # those of them that a superseded row gets too
    for column in spec.columns:
        if column.name not in names or spec.refers_to_itself(column):
            continue
        if name := book_column(column):
            values[name] = _or_default(f's."{column.name}"', fields[name])
            stated.append(name)
        if column.seeds:
            values[column.seeds] = _or_default(f's."{column.name}"', fields[column.seeds])
    for name, derived in spec.derived.items():
        values[name] = derived
        stated.append(name)
    for name, left in fields.items():
        if name not in values and (default := _default(left)):
            values[name] = default

    account = "new.id" if spec.model is Account else "new.account_id" if "account_id" in fields else "NULL::bigint"
    conflict = ", ".join(f'"{book_column(column)}"' for column in spec.columns if column.name in spec.key)
    return f"""
        WITH written AS (
            INSERT INTO {table} ({", ".join(f'"{name}"' for name in values)})
            SELECT {", ".join(values.values())}
              FROM stage s LEFT JOIN {table} t ON {same_row(spec)}
             WHERE t.id IS NULL OR {differs(spec, names)}
             ORDER BY s.line
            ON CONFLICT ({conflict}) DO UPDATE SET {", ".join(f'"{name}" = excluded."{name}"' for name in stated)}
            RETURNING new.id, {account}, old.id IS NULL
        )
        INSERT INTO landed SELECT * FROM written
    """


def _fields(spec: FileSpec) -> dict[str, Field[Any, Any]]:
    return {str(field.column): field for field in spec.model._meta.concrete_fields if not field.primary_key}


def _or_default(staged: str, field: Field[Any, Any]) -> str:
    default = _default(field)
    return f"coalesce({staged}, {default})" if default else staged


def _default(field: Field[Any, Any]) -> str:
    """The model's default as SQL; empty where that is NULL."""
    if field.null and not field.has_default():
        return ""
    value = field.get_db_prep_save(field.get_default(), connection)
    return "" if value is None else f"{Literal(value).as_string()}::{field.db_type(connection)}"


def _link(spec: FileSpec, column: Column) -> int:
    """Point rows at each other, now that all of them have keys; how many more rows that changed."""
    table = spec.model._meta.db_table
    link = book_column(column)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT EXISTS (SELECT 1 FROM stage WHERE "{column.name}" IS NOT NULL)
                    OR EXISTS (SELECT 1 FROM {table} WHERE "{link}" IS NOT NULL)"""
        )
        if cursor.fetchone() == (False,):
            return 0
        account = "id" if spec.model is Account else "account_id"
        cursor.execute(
            f"""
            WITH linked AS (
                UPDATE {table} t SET "{link}" = named.id
                  FROM stage s LEFT JOIN {table} named ON named.ref = s."{column.name}"
                 WHERE {same_row(spec)} AND t."{link}" IS DISTINCT FROM named.id
                RETURNING t.id, t.{account} AS account_id
            )
            INSERT INTO landed SELECT id, account_id, false FROM linked
             WHERE NOT EXISTS (SELECT 1 FROM landed l WHERE l.id = linked.id)
            """
        )
        return int(cursor.rowcount)


def _mark_statement(spec: FileSpec) -> str:
    """``settling.mark_unsettled`` for as many accounts as a file may touch."""
    some = "" if spec.settles is True else f"JOIN {spec.model._meta.db_table} t ON t.id = l.id WHERE {spec.settles}"
    # DO UPDATE locks a mark that is there already: settling cannot take it away before these facts are committed.
    return f"""
        INSERT INTO accounts_unsettled (account_id)
        SELECT DISTINCT l.account_id FROM landed l {some} ORDER BY 1
        ON CONFLICT (account_id) DO UPDATE SET account_id = excluded.account_id
    """
