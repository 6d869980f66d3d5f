"""How rows are counted by cell, team and person (``agents.scopes``), and over which days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection

from accounts.position import CHUNK
from agents.period import Period, midnight
from agents.scopes import Parts, Spread, Sums

Row = TypeVar("Row")


#: An account that closes within so many days of leaving collections was lost to them.
CHURN_DAYS = 90
#: A payment within so many days of a conversation came of it.
LATENCY_DAYS = 30
#: What was settled in one conversation needs no other for so many days.
RESOLVED_DAYS = 14
#: A warning worked if it was paid within so many days.
WARNED_DAYS = 7
#: Ages of a placement with an agency, and of a cure.
LIQUIDATION_DAYS = (30, 60, 90)
SUSTAINED_DAYS = (60, 90)
#: Ages of a month's bills, how many months are followed, and of how many accounts at most: more are sampled.
VINTAGE_DAYS = (30, 60, 90)
VINTAGE_MONTHS = 12
VINTAGE_ACCOUNTS = 20_000
#: Weeks of the curve of what was past due.
AGEING_WEEKS = 13
#: A roll rate is a month's; longer periods look at the last so many days.
ROLL_DAYS = 30
LONGEST_MONTH = 31
#: No market's pack lets anybody call or text before, or from, these hours of the customer.
EARLIEST_HOUR, LATEST_HOUR = 8, 21
#: Sales of so many days make the rolling DSO.
QUARTER_DAYS = 91


#: SQL: a bill ``b`` is issued and not cancelled by the end of the period.
IN_FORCE = """b.status <> 'draft' AND b.issued_on <= %(end)s AND coalesce(
    CASE WHEN b.status = 'cancelled' THEN coalesce(b.cancelled_on, b.issued_on) ELSE b.cancelled_on END
    > %(end)s, true)"""

#: SQL: an interaction ``i`` counts; one whose outcome was taken back and given anew counts as the one given anew.
NOT_GIVEN_ANEW = """(i.undone_at IS NULL OR NOT EXISTS (
    SELECT 1 FROM agents_interaction anew WHERE anew.account_id = i.account_id AND anew.at = i.at
       AND anew.undone_at IS NULL AND anew.id <> i.id))"""

#: Calls with the login of who made them, which is empty for another system's. An outcome that was taken back is none.
CALLS = f"""
    SELECT i.account_id, coalesce(p.username, '') AS agent, i.direction, i.at,
           i.right_party AND i.undone_at IS NULL AS right_party,
           (i.right_party OR coalesce(d.connected, false)) AND i.undone_at IS NULL AS connected,
           coalesce(i.duration_seconds, 0) + coalesce(i.wrap_seconds, 0) AS seconds,
           coalesce(i.duration_seconds, 0) AS talk
      FROM agents_interaction i LEFT JOIN agents_disposition d ON d.code = i.disposition
      LEFT JOIN figures_person p ON p.id = i.agent_id
     WHERE i.kind = 'call' AND i.at >= %(from_at)s AND i.at < %(to_at)s AND {NOT_GIVEN_ANEW}
"""

#: SQL: a promise ``p`` was meant, and no slip that was taken back within a minute.
NO_SLIP = """(p.status <> 'cancelled' OR NOT EXISTS (
    SELECT 1 FROM agents_undo u WHERE u.account_id = p.account_id AND u.undone_at IS NOT NULL
       AND u.rows -> 'promise' ? p.ref))"""


def year_before(on: date) -> date:
    """The same day a year earlier: 365 days, or 366."""
    return on.replace(year=on.year - 1, day=28) if (on.month, on.day) == (2, 29) else on.replace(year=on.year - 1)


def roll_days(period: Period) -> int:
    return period.days if period.days <= LONGEST_MONTH else ROLL_DAYS


def roll_start(period: Period) -> date:
    return period.end - timedelta(days=roll_days(period))


class Tally:
    """One period, and the ways in which its rows are counted."""

    def __init__(self, parts: Parts, period: Period) -> None:
        self.parts, self.period = parts, period

    def params(self, period: Period | None = None, **more: Any) -> dict[str, Any]:
        """The period's days, and its moments as the operator's midnights."""
        asked = period or self.period
        return {
            "start": asked.start,
            "end": asked.end,
            "from_at": midnight(asked.start + timedelta(days=1)),
            "to_at": midnight(asked.end + timedelta(days=1)),
            "zone": settings.DESK_TIME_ZONE,
            **more,
        }

    def of_accounts(self, rows: str, params: Mapping[str, Any], *, sums: str, by: Sequence[str] = ()) -> None:
        """Count rows with an ``account_id`` by its cell, those of different ``by`` apart.

        Each column of ``sums`` is counted under the words of its name.
        """
        keys = "".join(f", r.{name}" for name in by)
        for row in read_rows(
            f"SELECT f.cell{keys}, {sums} FROM ({rows}) r JOIN figures_account f USING (account_id) "
            f"GROUP BY f.cell{keys}",
            params,
        ):
            parts = tuple(str(row.pop(name)) for name in by)
            into = self.parts.money[row.pop("cell")]
            for name, amount in row.items():
                if amount:
                    into.plus((*name.split(" "), *parts), amount)

    def of_people(self, rows: str, params: Mapping[str, Any], *, sums: str, by: Sequence[str] = ()) -> None:
        """Count rows with an ``account_id`` and an ``agent`` (a login, or empty) by cell, by team and by person."""
        keys = "".join(f", {name}" for name in by)
        found = read_rows(
            f"""
            WITH said AS (
                SELECT r.*, f.cell, f.currency,
                       CASE WHEN r.agent = '' THEN f.team ELSE coalesce(p.team, '') END AS team
                  FROM ({rows}) r JOIN figures_account f USING (account_id)
                  LEFT JOIN figures_person p ON p.username = r.agent
            )
            SELECT cell, currency, team, agent{keys}, grouping(cell) AS no_cell, grouping(team) AS no_team, {sums}
              FROM said
             GROUP BY GROUPING SETS ((cell{keys}), (currency, team{keys}), (currency, agent{keys}))
            """,
            params,
        )
        for row in found:
            cell, currency, team, agent = (row.pop(name) for name in ("cell", "currency", "team", "agent"))
            no_cell, no_team = row.pop("no_cell"), row.pop("no_team")
            parts = tuple(str(row.pop(name)) for name in by)
            into: Sums | Spread
            if not no_cell:
                into = self.parts.talk[cell]
            elif not no_team:
                into = self.parts.teams[currency, team]
            elif agent:
                into = self.parts.agents[currency, agent]
            else:
                continue
            for name, amount in row.items():
                if amount:
                    into.plus((*name.split(" "), *parts), amount)


def read_rows(statement: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        names = [column[0] for column in cursor.description or ()]
        for row in cursor:
            yield dict(zip(names, row, strict=True))


def in_chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def agent_in(actor: str) -> str:
    """SQL: the login within ``agent:login``; empty for any other actor."""
    return f"CASE WHEN left({actor}, 6) = 'agent:' THEN substr({actor}, 7) ELSE '' END"
