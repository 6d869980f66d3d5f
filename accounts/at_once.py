"""Several lists of rows in one question: one statement and one trip to the database, however many tables it asks.

Each list is a SELECT of its own, with its own order and limit; the database hands each back as one JSON array, and the
values become what they are in their columns. For a page or an account that shows a little of much. Not for many rows:
there the JSON costs more than the trips it saves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from django.db.models.query import get_related_populators


class Column(NamedTuple):
    """How a value travels: the SQL that makes it safe for JSON, and what makes it a Python value again."""

    sent: str
    loaded: Callable[[Any], Any] | None


#: Whole numbers, text, truth, lists of these, and JSON: they are in JSON what they are in Python.
AS_IS = Column("{}", None)
DAY = Column("{}", date.fromisoformat)
MOMENT = Column("{}", datetime.fromisoformat)
CLOCK = Column("{}", time.fromisoformat)
#: As text: a number of JSON would lose the end of a long amount.
AMOUNT = Column("{}::text", Decimal)


class Question(NamedTuple):
    """A SELECT with named parameters, and its columns in order."""

    sql: str
    columns: Sequence[Column]


def tuples(
    cursor: CursorWrapper, questions: Mapping[str, Question], parameters: Mapping[str, Any]
) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each question, in its order. One query."""
    parts = [_part(question.sql, question.columns) for question in questions.values()]
    cursor.execute(f"SELECT {', '.join(parts)}", parameters)
    told = cursor.fetchone() or ()
    return {
        name: [tuple(_loaded(row, question.columns)) for row in json.loads(answer)]
        for (name, question), answer in zip(questions.items(), told, strict=True)
    }


def rows(**lists: QuerySet[Any]) -> dict[str, list[Any]]:
    """The rows of each query set as it would have given them, ``select_related`` and annotations included.

    One query. Not for ``values``, ``prefetch_related`` or fields that need the database's own conversion.
    """
    asked: dict[str, tuple[str, Sequence[Any], _Shape]] = {}
    for name, queryset in lists.items():
        compiler = queryset.query.get_compiler(connection=connection)
        try:
            sql, parameters = compiler.as_sql()
        except EmptyResultSet:
            continue
        asked[name] = (sql, parameters, _shape_of(compiler))
    found: dict[str, list[Any]] = {name: [] for name in lists}
    if not asked:
        return found
    parts = [_part(sql, shape.columns) for sql, _, shape in asked.values()]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", [value for _, values, _ in asked.values() for value in values])
        told = cursor.fetchone() or ()
    for (name, (_, _, shape)), answer in zip(asked.items(), told, strict=True):
        found[name] = [shape.row(_loaded(row, shape.columns)) for row in json.loads(answer)]
    return found


class _Shape(NamedTuple):
    """How the columns of a query set make rows."""

    model: type[models.Model]
    columns: list[Column]
    start: int
    names: list[str]
    related: list[Any]
    annotations: dict[str, int]

    def row(self, values: list[Any]) -> models.Model:
        row = self.model.from_db(connection.alias, self.names, values[self.start : self.start + len(self.names)])
        for populator in self.related:
            populator.populate(values, row)
        for name, place in self.annotations.items():
            setattr(row, name, values[place])
        return row


def _shape_of(compiler: Any) -> _Shape:
    """As Django's own iteration over models reads it."""
    populators: Any = get_related_populators
    related = populators(compiler.klass_info, compiler.select, connection.alias)
    places = compiler.klass_info["select_fields"]
    return _Shape(
        model=compiler.klass_info["model"],
        columns=[_column(expression.output_field) for expression, _, _ in compiler.select],
        start=places[0],
        names=[compiler.select[place][0].target.attname for place in places],
        related=related,
        annotations=dict(compiler.annotation_col_map or {}),
    )


def _column(field: models.Field[Any, Any]) -> Column:
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    for kind, column in _KINDS:
        if isinstance(field, kind):
            return column
    return AS_IS


#: A moment is a day, to Django: it comes first.
_KINDS: tuple[tuple[type[models.Field[Any, Any]], Column], ...] = (
    (models.DateTimeField, MOMENT),
    (models.DateField, DAY),
    (models.TimeField, CLOCK),
    (models.DecimalField, AMOUNT),
)


def _part(sql: str, columns: Sequence[Column]) -> str:
    """One list as one value. The names are ours, so that two columns called ``id`` do not meet."""
    names = [f"c{place}" for place in range(len(columns))]
    values = ", ".join(column.sent.format(name) for name, column in zip(names, columns, strict=True))
    listed = f"SELECT json_agg(json_build_array({values})) FROM ({sql}) AS asked({', '.join(names)})"
    return f"(SELECT coalesce(({listed}), '[]'))::text"


def _loaded(row: Sequence[Any], columns: Sequence[Column]) -> list[Any]:
    return [
        value if value is None or column.loaded is None else column.loaded(value)
        for value, column in zip(row, columns, strict=True)
    ]
