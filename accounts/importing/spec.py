"""What one file of the book is: its columns, where they go, what must be true of its rows. Data, no behaviour.

How a room adds a file: write a ``FileSpec`` in the room's ``book.py`` and list it in ``collections_desk/book.py`` at
its place in the order. For example, promises::

    PROMISES = FileSpec(
        file="promises.csv",
        model=Promise,
        key=("promise_id",),
        columns=(
            Column("promise_id", columns.NEW_ID, required=True, into="ref"),
            Column("account_id", columns.ID, required=True, refers_to=Account),
            Column("amount", columns.amount(above=0), required=True),
            Column("due_on", columns.DATE, required=True),
            Column("made_on", columns.DATE, required=True),
        ),
        fixed=("account_id",),                                       # may not change once the row is in the book
        checks=(row_check("due_on", "is before made_on", "s.due_on < s.made_on"),),
        derived={"taken_by": "'import'"},                            # SQL over the staged row ``s``
        after=place_holds,                                           # set SQL in the file's transaction
    )

What happens to a file, in one transaction: rows are parsed a chunk at a time and copied into the temporary table
``stage``; ``prepares`` run; what the book says already is taken out, then what the checks find bad; what is left is
merged into the model's table; the temporary table ``landed`` names the rows inserted or changed; ``after`` is called.

``stage``   ``line``, and one column for each of the spec's, by its name in the file. References are the integer key of
            the row they name (self references stay text), amounts numeric, dates date, moments timestamptz, empty
            fields NULL.
``landed``  ``id`` and ``account_id`` (NULL where the table has none) of what was written, ``inserted`` (false:
            superseded). Join it with the table on ``id``, and that with ``stage`` on the key, to see the columns that
            are not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum, auto

from django.db.models import Model

from accounts.importing.columns import Kind


class Into(Enum):
    """Where a column goes when no database column is named."""

    SAME = auto()
    NOWHERE = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file.

    ``required``   the header must have it and every row a value.
    ``into``       the database column; that of the same name unless named. ``Into.NOWHERE``: staged for the checks and
                   ``after`` only.
    ``seeds``      a database column that a new row gets the value for, and a superseded one keeps.
    ``refers_to``  the model whose ``refers_by`` the value names; unknown ones are refused, or made by ``makes``.
    ``current``    SQL for what the book now holds of a column that goes nowhere, ``t`` being the row: so that a change
                   of it counts as one. It is compared with the staged text.
    """

    name: str
    kind: Kind
    required: bool = False
    into: str | Into = Into.SAME
    seeds: str = ""
    refers_to: type[Model] | None = None
    refers_by: str = "ref"
    makes: Callable[[str], Model] | None = None
    current: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must not be: ``lines`` selects the lines of ``stage`` for which it is."""

    column: str
    reason: str
    lines: str


def row_check(column: str, reason: str, condition: str) -> Check:
    """A check of staged rows by themselves; ``condition`` is SQL over ``s`` and true for the bad ones."""
    return Check(column, reason, f"SELECT s.line FROM stage s WHERE {condition}")


@dataclass(frozen=True, slots=True)
class Landed:
    """What ``after`` is told beside the temporary tables ``stage`` and ``landed``. ``on`` is the business date."""

    on: date
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class FileSpec:
    """One file of the book.

    ``key``       the columns of the file that name a row; the model has a unique constraint on them.
    ``fixed``     columns that a later file may not change: the account of a bill.
    ``prepares``  SQL statements that put right what is staged before it is checked.
    ``checks``    run in order on rows that the book does not have just so; a row is refused by the first that finds it.
    ``judges``    what no statement can say, such as a running sum: called after the checks, it yields the lines it
                  refuses, each with the column and the reason. It must keep memory flat.
    ``derived``   database columns that no column of the file gives, as SQL over the staged row ``s`` and the book's row
                  ``t`` (NULL for a new one). What neither gives takes the model's default.
    ``settles``   rows written put their account among the unsettled: always, or only where this SQL over the row ``t``
                  holds.
    ``after``     called in the same transaction once rows are merged.
    """

    file: str
    model: type[Model]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    fixed: tuple[str, ...] = ()
    prepares: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    judges: Callable[[], Iterable[tuple[int, str, str]]] | None = None
    derived: Mapping[str, str] = field(default_factory=dict)
    settles: bool | str = False
    after: Callable[[Landed], None] | None = None

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)

    def refers_to_itself(self, column: Column) -> bool:
        return column.refers_to is self.model
