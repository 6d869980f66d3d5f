"""Many new rows at once, by COPY: a fraction of the time of ``bulk_create``, and no keys come back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from django.db import connection, models


def insert(rows: Sequence[models.Model]) -> None:
    """Write new rows of one model in their order, in the caller's transaction; the database alone checks them.

    Raises ``TypeError`` for a model with JSON in it: psycopg is not told how to write that here.
    """
    if not rows:
        return
    fields = [field for field in rows[0]._meta.concrete_fields if not field.primary_key]
    if any(isinstance(field, models.JSONField) for field in fields):
        raise TypeError(f"{type(rows[0]).__name__} holds JSON")
    values = attrgetter(*(field.attname for field in fields))
    copy_in(rows[0]._meta.db_table, [str(field.column) for field in fields], map(values, rows))


def copy_in(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """COPY tuples into the table, a value for each of the columns, as Python values or as PostgreSQL's text.

    Raises Django's ``DatabaseError`` like any other statement, which a bare ``copy`` would not.
    """
    named = ", ".join(f'"{name}"' for name in columns)
    into = f"COPY {table} ({named}) FROM STDIN"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(into) as copy:
        for row in rows:
            copy.write_row(row)
