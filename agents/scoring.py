"""The queue in order: open items scored from today's facts, as their team weighs them. In bulk, a chunk at a time."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from accounts.position import bucket_of
from agents import call_effects, chances, priority
from agents.chances import CallFacts, Counted
from agents.models import QueueOrder
from agents.priority import Part, ScoreFacts

#: Items scored in one statement; a claim skips rows being written, so this stays small.
CHUNK = 1_000

#: What became of a promise weighs for a year.
SETTLED_SINCE = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Ordering:
    """How a team orders its queue: as ``priority.score`` takes it."""

    weights: Mapping[str, int] = field(default_factory=dict)
    first: str = priority.SCORE


@dataclass(frozen=True, slots=True)
class Orderings:
    """The orders in force, by team; a team without one has the desk's."""

    by_team: Mapping[int | None, Ordering]

    def of(self, team_id: int | None) -> Ordering:
        return self.by_team.get(team_id) or self.by_team.get(None) or Ordering()

    @property
    def by_figures(self) -> bool:
        """Whether some team works by one figure: what comes first in every order is then above the figures."""
        return any(ordering.first != priority.SCORE for ordering in self.by_team.values())


def in_force() -> Orderings:
    """One query."""
    rows = QueueOrder.objects.filter(in_force=True).values_list("team_id", "weights", "first")
    return Orderings({team_id: Ordering(weights, first) for team_id, weights, first in rows})


@dataclass(frozen=True, slots=True)
class Scorable:
    """An open item with what its score rests on."""

    item_id: int
    account_id: int
    team_id: int | None
    facts: ScoreFacts


_FACTS = """
    SELECT w.id, w.account_id, w.team_id, a.overdue, a.currency, a.oldest_due_on, promised.kept, promised.broken,
           latest.at, latest.callback_at, w.created_at,
           CASE WHEN w.pinned_until IS NULL OR w.pinned_until >= %(as_of)s THEN w.pinned_by ELSE '' END,
           w.pinned_because, w.pin_points, a.opened_on, brings.fee,
           EXISTS (SELECT 1 FROM agents_interaction r
                    WHERE r.account_id = w.account_id AND r.right_party AND r.undone_at IS NULL
                      AND r.at <= %(at)s) AS reached,
           EXISTS (SELECT 1 FROM accounts_vulnerability v
                    WHERE v.customer_id = a.customer_id AND v.noted_on <= %(as_of)s
                      AND (v.ended_on IS NULL OR v.ended_on > %(as_of)s)) AS vulnerable,
           EXISTS (SELECT 1 FROM dunning_inboundmessage m
                    WHERE m.account_id = w.account_id AND m.state = 'waiting' AND 'crisis' = ANY(m.hints)) AS crisis
      FROM agents_workitem w
      JOIN accounts_account a ON a.id = w.account_id
      LEFT JOIN LATERAL (SELECT i.at, i.callback_at FROM agents_interaction i
                          WHERE i.account_id = w.account_id AND i.at <= %(at)s AND i.undone_at IS NULL
                          ORDER BY i.at DESC, i.id DESC LIMIT 1) latest ON true
      CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE p.status = 'kept') AS kept,
                                 count(*) FILTER (WHERE p.status = 'broken') AS broken
                            FROM agents_promise p
                           WHERE p.account_id = w.account_id AND p.settled_on > %(settled_since)s) promised
      CROSS JOIN LATERAL (SELECT coalesce(sum(s.monthly_fee), 0) AS fee FROM accounts_service s
                           WHERE s.account_id = w.account_id AND s.status <> 'disconnected') brings
     WHERE w.done_at IS NULL AND w.id > %(after)s
       AND (%(accounts)s::bigint[] IS NULL OR w.account_id = ANY(%(accounts)s))
       AND (%(items)s::bigint[] IS NULL OR w.id = ANY(%(items)s))
     ORDER BY w.id LIMIT %(limit)s
"""


def facts_of(
    *,
    as_of: date,
    at: datetime,
    counted: Counted,
    account_ids: Sequence[int] | None = None,
    item_ids: Sequence[int] | None = None,
) -> Iterator[list[Scorable]]:
    """The open items of those accounts, or those items, or all, with their facts: one query a chunk."""
    zone = ZoneInfo(settings.DESK_TIME_ZONE)
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                _FACTS,
                {
                    "as_of": as_of,
                    "at": at,
                    "settled_since": as_of - SETTLED_SINCE,
                    "after": after,
                    "accounts": None if account_ids is None else list(account_ids),
                    "items": None if item_ids is None else list(item_ids),
                    "limit": CHUNK,
                },
            )
            rows = cursor.fetchall()
        if rows:
            yield [_scorable(row, as_of, zone, counted) for row in rows]
        if len(rows) < CHUNK:
            return
        after = rows[-1][0]


def _scorable(row: tuple[Any, ...], as_of: date, zone: ZoneInfo, counted: Counted) -> Scorable:
    (
        item_id, account_id, team_id, overdue, currency, oldest_due_on, kept, broken, last_at, callback_at, created_at,
        pinned_by, pinned_because, pin_points, opened_on, fee, reached, vulnerable, crisis,
    ) = row  # fmt: skip
    days = (as_of - oldest_due_on).days if oldest_due_on else 0
    to_call = CallFacts(bucket_of(days), reached, kept, broken, counted)
    return Scorable(
        item_id,
        account_id,
        team_id,
        ScoreFacts(
            amount_overdue=overdue,
            currency=currency,
            days_past_due=days,
            broken_promises=broken,
            chance=chances.chance(to_call),
            monthly_fee=fee,
            customer_since=opened_on,
            last_contact_on=last_at.astimezone(zone).date() if last_at else None,
            vulnerable=vulnerable,
            callback_at=callback_at.astimezone(zone) if callback_at else None,
            crisis=crisis,
            pinned_by=pinned_by.partition(":")[2] or pinned_by,
            pinned_because=pinned_because,
            pin_points=pin_points,
            waiting_since=max(created_at, last_at or created_at).astimezone(zone),
        ),
    )


def parts_of(scorable: Scorable, ordering: Ordering, *, as_of: date, among_figures: bool = False) -> list[Part]:
    """The item's score as that order has it."""
    return priority.score(
        scorable.facts,
        as_of=as_of,
        weights=ordering.weights,
        first=ordering.first,
        among_figures=among_figures,
    )


def rescore(
    *,
    as_of: date,
    at: datetime,
    account_ids: Sequence[int] | None = None,
    teams: Collection[int | None] | None = None,
) -> int:
    """Score the open items of those accounts, or all, from today's facts; how many changed.

    ``teams``: only the items of those teams, None among them for the items of no team. Reads and writes a chunk at a
    time; items whose reasons are the same are not written.
    """
    orderings, counted = in_force(), call_effects.counted()
    changed = 0
    for chunk in facts_of(as_of=as_of, at=at, counted=counted, account_ids=account_ids):
        items, scores, reasons = [], [], []
        for scorable in chunk:
            if teams is not None and scorable.team_id not in teams:
                continue
            ordering = orderings.of(scorable.team_id)
            parts = parts_of(scorable, ordering, as_of=as_of, among_figures=orderings.by_figures)
            items.append(scorable.item_id)
            scores.append(sum(part.points for part in parts))
            reasons.append(json.dumps([asdict(part) for part in parts]))
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE agents_workitem w SET score = v.score, score_parts = v.parts::jsonb
                  FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS v(id, score, parts)
                 WHERE w.id = v.id AND w.done_at IS NULL AND w.score_parts IS DISTINCT FROM v.parts::jsonb
                """,
                [items, scores, reasons],
            )
            changed += int(cursor.rowcount)
    return changed
