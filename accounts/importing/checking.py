"""What no row can be judged on alone: the same id twice, rows that name each other, and the checks of the file's spec.

Every check is one statement over ``stage``; lines it finds move to ``refused``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

from django.db import connection
from psycopg.sql import Literal

from accounts.importing.merging import book_column, differs, key_of, same_row
from accounts.importing.spec import Check, Column, FileSpec

TWICE = "the same id twice in one file with other content"


def check(spec: FileSpec, names: Collection[str], *, again: bool = False) -> None:
    """Run all checks on the staged rows that say something new; only those are left in ``stage``.

    ``again``: the lines are keys of rejected rows, which are tried once more.
    """
    present = [column for column in spec.columns if column.name in names]
    _check_twice(spec)
    if again:
        # Taking such a row now would supersede the first one, which nobody decided.
        refuse(Check(spec.key[0], TWICE, _refused_as_twice(spec, names)))
    _drop_what_is_known(spec, names)
    for name in spec.fixed:
        refuse(Check(name, f"differs from what the book has; a {_noun(spec)} keeps it", _moved(spec, name)))
    for each in spec.checks:
        refuse(each)
    unknown = [_unknown(spec, column) for column in present if spec.refers_to_itself(column)]
    _refuse_until_none(unknown)
    while spec.judges is not None and _refuse_lines(spec.judges()):
        _refuse_until_none(unknown)


def refuse(check: Check) -> int:
    """Move the lines that the check finds; how many they were."""
    with connection.cursor() as cursor:
        # No parameters: a check's SQL may hold % signs. Column and reason are our own words.
        cursor.execute(
            f"""WITH bad AS MATERIALIZED ({check.lines}),
                     gone AS (DELETE FROM stage USING bad WHERE stage.line = bad.line RETURNING stage.line)
                INSERT INTO refused SELECT line, {_quoted(check.column)}, {_quoted(check.reason)} FROM gone"""
        )
        return int(cursor.rowcount)


def _quoted(text: str) -> str:
    return str(Literal(text).as_string())


def _refuse_until_none(checks: Iterable[Check]) -> None:
    """What names a row that was refused is refused with it, and so on."""
    while sum(refuse(each) for each in checks):
        pass


def _refuse_lines(found: Iterable[tuple[int, str, str]]) -> int:
    count = 0
    lines = iter(found)
    while batch := list(islice(lines, 5_000)):
        with connection.cursor() as cursor:
            cursor.execute(
                """WITH bad AS (SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS v(line, col, reason)),
                        gone AS (DELETE FROM stage USING bad WHERE stage.line = bad.line
                                 RETURNING stage.line, bad.col, bad.reason)
                   INSERT INTO refused SELECT * FROM gone""",
                [list(values) for values in zip(*batch, strict=True)],
            )
            count += cursor.rowcount
    return count


def _check_twice(spec: FileSpec) -> None:
    """Refuse later rows of an id that say something else; drop those that say the same."""
    key = key_of(spec, "")
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.twice")
        cursor.execute(
            f"CREATE TEMPORARY TABLE twice ON COMMIT DROP AS "
            f"SELECT {key}, min(line) AS first FROM stage GROUP BY {key} HAVING count(*) > 1"
        )
        if cursor.rowcount == 0:
            return
        match = " AND ".join(f'd."{name}" = s."{name}"' for name in spec.key)
        columns = [column.name for column in spec.columns]
        later, first = (", ".join(f'{row}."{name}"' for name in columns) for row in ("s", "f"))
        refuse(
            Check(
                spec.key[0],
                TWICE,
                f"SELECT s.line FROM stage s JOIN twice d ON {match} JOIN stage f ON f.line = d.first "
                f"WHERE s.line > d.first AND ({later}) IS DISTINCT FROM ({first})",
            )
        )
        cursor.execute(f"DELETE FROM stage s USING twice d WHERE {match} AND s.line > d.first")


def _drop_what_is_known(spec: FileSpec, names: Collection[str]) -> None:
    """Take out what the book says already: it was checked when it came. Ids refused before are noted in ``known``."""
    itself = [column for column in spec.columns if column.name in names and spec.refers_to_itself(column)]
    table = spec.model._meta.db_table
    same = "".join(
        f""" AND s."{column.name}" IS NOT DISTINCT FROM
                 (SELECT named.ref FROM {table} named WHERE named.id = t."{book_column(column)}")"""
        for column in itself
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH gone AS (DELETE FROM stage s USING {table} t
                               WHERE {same_row(spec)} AND NOT {differs(spec, names)}{same}
                              RETURNING s."{spec.key[0]}"::text AS id)
                INSERT INTO known SELECT id FROM gone WHERE id IN (
                    SELECT row->>{_quoted(spec.key[0])} FROM accounts_rejectedrow
                     WHERE file = {_quoted(spec.file)} AND resolved_at IS NULL)"""
        )


def _refused_as_twice(spec: FileSpec, names: Collection[str]) -> str:
    return f"""SELECT s.line FROM stage s JOIN accounts_rejectedrow r ON r.id = s.line AND r.reason = '{TWICE}'
                 JOIN {spec.model._meta.db_table} t ON {same_row(spec)} WHERE {differs(spec, names)}"""


def _moved(spec: FileSpec, name: str) -> str:
    column = next(column for column in spec.columns if column.name == name)
    return f"""SELECT s.line FROM stage s JOIN {spec.model._meta.db_table} t ON {same_row(spec)}
                WHERE t."{book_column(column)}" IS DISTINCT FROM s."{name}" """


def _unknown(spec: FileSpec, column: Column) -> Check:
    noun = _noun(spec)
    return Check(
        column.name,
        f"no such {noun} in the book or in this file",
        f"""SELECT s.line FROM stage s WHERE s."{column.name}" IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM stage o WHERE o."{spec.key[0]}" = s."{column.name}")
               AND NOT EXISTS (SELECT 1 FROM {spec.model._meta.db_table} t WHERE t.ref = s."{column.name}")""",
    )


def _noun(spec: FileSpec) -> str:
    return str(spec.model._meta.verbose_name)
