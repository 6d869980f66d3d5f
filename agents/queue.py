"""The agents' queue: who works on which account now, and which comes next.

An item is claimed by a lease of fifteen minutes that the page renews. A lease that runs out gives the account back with
what was half typed; whoever saves afterwards is told, unless nobody else has taken the account meanwhile.

An account may have two open items, to collect and a task. Only the older one can be claimed: it stands for the account,
so that its row lock is what keeps two agents from one customer. Approvals are apart: they need no customer.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from accounts import business_day, events
from accounts.events import EventRow
from accounts.models import Hold
from accounts.models.account import AccountStatus
from accounts.refusals import Refused
from agents import kinds, priority, rights
from agents.models import Agent, WorkItem
from dunning import holding

LEASE = timedelta(minutes=15)

#: Items scored in one statement; a claim skips rows being written, so this stays small.
CHUNK = 1_000

#: A broken promise weighs on the score for a year.
BROKEN_SINCE = timedelta(days=365)


class CannotKeep(Refused):
    """The claim is lost: the lease ran out and another took the account, or it has left the queue."""

    code = "conflict"


class CannotTakeOver(Refused):
    """Only supervisors take an account out of somebody's hands, and only one that has a place in the queue."""

    code = "forbidden"


# The item that stands for its account: no older open one beside it.
_LEAD = """
    NOT EXISTS (SELECT 1 FROM agents_workitem older
                 WHERE older.account_id = w.account_id AND older.done_at IS NULL AND older.kind <> 'approval'
                   AND older.id < w.id)
"""

# A hold in force that keeps agents from calling: as ticked where it is manual, else as the matrix says; where nobody
# wrote its line, as a desk begins. A dispute holds an amount, which is in no figure here anyway.
_SILENT = """
    {h}.reason <> 'dispute' AND {h}.starts_on <= {today} AND ({h}.ends_on IS NULL OR {h}.ends_on >= {today})
    AND ({h}.lifted_on IS NULL OR {h}.lifted_on > {today})
    AND CASE WHEN {h}.reason = 'manual' THEN {h}.stops = '{{}}' OR 'calls' = ANY({h}.stops)
             ELSE coalesce((SELECT 'calls' = ANY(r.stops) FROM dunning_holdrule r WHERE r.reason = {h}.reason),
                           {h}.reason = ANY({begins_silent})) END
"""
_BILLS_NAMED = "({h}.reason = ANY({covering}) AND {h}.bill_refs <> '{{}}')"


def _array(codes: Iterable[str]) -> str:
    """Codes of our own as an SQL array."""
    return "ARRAY[" + ", ".join(f"'{code}'" for code in sorted(codes)) + "]"


def _silent(alias: str, today: str) -> str:
    begins_silent = [
        reason
        for reason in Hold.Reason.values
        if reason != Hold.Reason.MANUAL and holding.CALLS in holding.stops(reason)
    ]
    return _SILENT.format(h=alias, today=today, begins_silent=_array(begins_silent))


def _names_bills(alias: str) -> str:
    return _BILLS_NAMED.format(h=alias, covering=_array(holding.COVERING))


def _quiet(item: str, today: str) -> str:
    """Condition on an item to collect: a hold keeps the account quiet, or every past-due bill is under one."""
    return f"""
    ({item}.kind = 'collect' AND EXISTS (
        SELECT 1 FROM accounts_hold h
         WHERE h.account_id = {item}.account_id AND {_silent("h", today)}
           AND (NOT {_names_bills("h")} OR NOT EXISTS (
                SELECT 1 FROM accounts_bill b
                 WHERE b.account_id = {item}.account_id AND b.open_amount > b.disputed_amount AND b.due_on < {today}
                   AND NOT EXISTS (
                        SELECT 1 FROM accounts_hold c
                         WHERE c.account_id = {item}.account_id AND b.ref = ANY(c.bill_refs)
                           AND {_names_bills("c")} AND {_silent("c", today)})))))
"""


_TODAY = """coalesce((SELECT d."on" FROM accounts_businessdate d), {day}::date)"""

_TAKE = """
    UPDATE agents_workitem t
       SET claimed_by_id = %(agent)s, lease_until = %(until)s,
           claimed_at = CASE WHEN chosen.again THEN t.claimed_at ELSE %(at)s END
      FROM chosen WHERE t.id = chosen.id
    RETURNING t.*, chosen.again
"""

# A scalar subquery for what lies beside a parked item: EXISTS would be hashed over the whole queue.
_CLAIM_NEXT = f"""
    WITH mine AS MATERIALIZED (
        SELECT id FROM agents_workitem
         WHERE done_at IS NULL AND claimed_by_id = %(agent)s AND lease_until > %(at)s
         ORDER BY claimed_at, id LIMIT 1 FOR UPDATE
    ), best AS MATERIALIZED (
        SELECT w.id FROM agents_workitem w
         WHERE w.done_at IS NULL AND NOT EXISTS (SELECT 1 FROM mine)
           AND (w.lease_until IS NULL OR w.lease_until <= %(at)s)
           AND (w.team_id IS NULL OR w.team_id = %(team)s OR %(every_team)s)
           AND (w.not_before IS NULL OR w.not_before <= %(at)s OR (w.kind <> 'approval' AND (
                SELECT true FROM agents_workitem beside
                 WHERE beside.account_id = w.account_id AND beside.done_at IS NULL AND beside.kind <> 'approval'
                   AND (beside.not_before IS NULL OR beside.not_before <= %(at)s) LIMIT 1)))
           AND CASE WHEN w.kind = 'approval' THEN %(approves)s ELSE {_LEAD} END
           AND (w.kind <> 'collect' OR w.callable_from IS NULL OR w.callable_from <= %(at)s OR (
                SELECT true FROM agents_workitem beside
                 WHERE beside.account_id = w.account_id AND beside.done_at IS NULL AND beside.kind = 'task'
                   AND (beside.not_before IS NULL OR beside.not_before <= %(at)s) LIMIT 1))
           AND (%(among)s::bigint[] IS NULL OR w.account_id = ANY(%(among)s))
           AND NOT {_quiet("w", _TODAY.format(day="%(today)s"))}
         ORDER BY w.score DESC, w.id LIMIT 1 FOR UPDATE OF w SKIP LOCKED
    ), chosen AS (
        SELECT id, true AS again FROM mine UNION ALL SELECT id, false FROM best
    )
    {_TAKE}
"""

_TAKE_OVER = f"""
    WITH chosen AS MATERIALIZED (
        SELECT w.id, false AS again FROM agents_workitem w
         WHERE w.account_id = %(account)s AND w.done_at IS NULL AND w.kind <> 'approval' AND {_LEAD}
         FOR UPDATE OF w
    )
    {_TAKE}
"""

_CLAIM_ACCOUNT = f"""
    WITH chosen AS MATERIALIZED (
        SELECT w.id, coalesce(w.claimed_by_id = %(agent)s AND w.lease_until > %(at)s, false) AS again
          FROM agents_workitem w
         WHERE w.account_id = %(account)s AND w.done_at IS NULL AND w.kind <> 'approval' AND {_LEAD}
           AND (w.lease_until IS NULL OR w.lease_until <= %(at)s OR w.claimed_by_id = %(agent)s)
           AND (w.team_id IS NULL OR w.team_id = %(team)s OR %(every_team)s)
         FOR UPDATE OF w
    )
    {_TAKE}
"""


def claim_next(*, agent: Agent, at: datetime, among: Collection[int] | None = None) -> WorkItem | None:
    """Claim the best free item for ``agent``, of all or of those accounts; none when nothing is free.

    Whoever holds a live claim gets the oldest of those again, with a fresh lease. One statement chooses and takes.
    """
    return _claim(_CLAIM_NEXT, agent=agent, at=at, among=None if among is None else sorted(among))


def offered(items: QuerySet[WorkItem], *, at: datetime) -> QuerySet[WorkItem]:
    """Those of the items whose time has come and that no hold keeps quiet."""
    day = business_day.calendar_date(at=at).isoformat()
    quiet = _quiet("agents_workitem", _TODAY.format(day=f"'{day}'"))
    free = items.filter(Q(not_before=None) | Q(not_before__lte=at)).exclude(uncallable(at=at))
    return free.extra(where=[f"NOT {quiet}"])


def uncallable(*, at: datetime) -> Q:
    """Items to collect whose customers nobody may call yet."""
    return Q(kind=WorkItem.Kind.COLLECT, callable_from__gt=at)


def park(found: Mapping[int, tuple[datetime, str]]) -> None:
    """Not to be called about what they owe before those moments, each with its reason, by account."""
    if not found:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE agents_workitem w SET callable_from = v.moment, uncallable_because = v.reason
              FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[]) AS v(account_id, moment, reason)
             WHERE w.account_id = v.account_id AND w.done_at IS NULL AND w.kind = 'collect'
            """,
            [list(found), [moment for moment, _ in found.values()], [reason[:300] for _, reason in found.values()]],
        )


def look_again(*, account_ids: Sequence[int] | None = None) -> None:
    """Ask the gate anew of those accounts, or all, when their turn comes: what it rested on has changed."""
    parked = WorkItem.objects.filter(done_at=None).exclude(callable_from=None)
    if account_ids is not None:
        parked = parked.filter(account__in=list(account_ids))
    parked.update(callable_from=None, uncallable_because="")


def claim(*, account_id: int, agent: Agent, at: datetime) -> WorkItem | None:
    """Claim that account's place in the queue, whatever its turn; none when it has none or another holds it."""
    return _claim(_CLAIM_ACCOUNT, agent=agent, at=at, account=account_id)


def take_over(*, account_id: int, agent: Agent, at: datetime) -> WorkItem:
    """Take an account out of another's hands, with what was half typed; whoever had it is told by ``CannotKeep``.

    Raises ``CannotTakeOver``.
    """
    if not rights.sees_all_teams(agent):
        raise CannotTakeOver("Only a supervisor takes an account over.")
    item = _claim(_TAKE_OVER, agent=agent, at=at, account=account_id)
    if item is None:
        raise CannotTakeOver("This account has no place in the queue.", code="not_found")
    return item


def _claim(statement: str, *, agent: Agent, at: datetime, **more: int | list[int] | None) -> WorkItem | None:
    parameters: dict[str, Any] = {
        "agent": agent.pk,
        "team": agent.team_id,
        "every_team": rights.sees_all_teams(agent),
        "approves": rights.may(agent, rights.Act.APPROVE),
        "at": at,
        "today": business_day.calendar_date(at=at),
        "until": at + LEASE,
        **more,
    }
    with transaction.atomic():
        items: list[Any] = list(WorkItem.objects.raw(statement, parameters))
        if not items:
            return None
        item = items[0]
        if not item.again:
            _record([item], kinds.ITEM_CLAIMED, actor=rights.actor(agent), at=at)
    claimed: WorkItem = item
    return claimed


def held(*, account_id: int, agent: Agent, at: datetime) -> WorkItem | None:
    """The agent's live claim on the account's place in the queue, if there is one."""
    return (
        WorkItem.objects.filter(account_id=account_id, done_at=None, claimed_by=agent, lease_until__gt=at)
        .exclude(kind=WorkItem.Kind.APPROVAL)
        .first()
    )


def keep(*, item_id: int, agent: Agent, at: datetime, draft: Mapping[str, Any] | None = None) -> None:
    """Renew the lease, and keep what is half typed where ``draft`` is given.

    Raises ``CannotKeep`` when the claim is lost.
    """
    changes: dict[str, Any] = {"lease_until": at + LEASE}
    if draft is not None:
        changes["draft"] = dict(draft)
    if not WorkItem.objects.filter(pk=item_id, done_at=None, claimed_by=agent).update(**changes):
        raise _lost(item_id, agent=agent, at=at)


def release(*, item_id: int, agent: Agent, at: datetime) -> None:
    """Give the account back to the queue, with what was half typed. Raises ``CannotKeep`` when the claim is lost."""
    with transaction.atomic():
        item = _locked(item_id, agent=agent, at=at)
        _let_go(item)
        item.save(update_fields=["claimed_by", "claimed_at", "lease_until"])
        _record([item], kinds.ITEM_RELEASED, actor=rights.actor(agent), at=at)


def complete(*, item_id: int, agent: Agent, at: datetime, outcome: str, not_before: datetime | None = None) -> WorkItem:
    """Finish with an item for now: for good, or, with ``not_before``, until it is offered again.

    Raises ``CannotKeep`` when the claim is lost: nothing is written then.
    """
    with transaction.atomic():
        item = _locked(item_id, agent=agent, at=at)
        item.outcome, item.draft = outcome, {}
        if not_before is None:
            item.done_at, item.done_by, item.lease_until = at, agent, None
        else:
            item.not_before = not_before
            _let_go(item)
        item.save(
            update_fields=[
                "outcome", "draft", "done_at", "done_by", "not_before", "claimed_by", "claimed_at", "lease_until",
            ]
        )  # fmt: skip
        _record(
            [item],
            kinds.ITEM_COMPLETED,
            actor=rights.actor(agent),
            at=at,
            payload={"outcome": outcome, "not_before": not_before},
        )
        if not_before is not None:
            rescore(account_ids=[item.account_id], as_of=business_day.business_date(at=at), at=at)
    return item


def enqueue(
    *,
    account_ids: Sequence[int],
    reason: str,
    as_of: date,
    at: datetime,
    actor: str,
    kind: str = WorkItem.Kind.COLLECT,
    team_id: int | None = None,
) -> int:
    """Give accounts a place in the queue, scored; how many had none yet. Those that have one keep it as it is.

    One insert, however many the accounts.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO agents_workitem
                    (account_id, kind, team_id, reason, score, score_parts, created_at, draft, outcome,
                     uncallable_because)
                SELECT account, %s, %s, %s, 0, '[]', %s, '{}', '', '' FROM unnest(%s::bigint[]) AS account
                    ON CONFLICT (account_id, kind) WHERE done_at IS NULL DO NOTHING
                RETURNING account_id, id
                """,
                [kind, team_id, reason[:200], at, sorted(set(account_ids))],
            )
            added: list[tuple[int, int]] = cursor.fetchall()
        events.record_many(
            [
                EventRow(
                    account_id=account_id,
                    kind=kinds.ITEM_QUEUED,
                    actor=actor,
                    at=at,
                    on=as_of,
                    reason=reason,
                    payload={"item": item_id, "item_kind": kind},
                )
                for account_id, item_id in added
            ]
        )
        rescore(account_ids=[account_id for account_id, _ in added], as_of=as_of, at=at)
    return len(added)


def leave(
    *, account_ids: Sequence[int], outcome: str, at: datetime, actor: str, only: Iterable[str] = WorkItem.Kind.values
) -> int:
    """Take accounts out of the queue, whoever works on them: paid, placed outside, decided. How many items that closed.

    An agent at work there is told by ``CannotKeep`` at the next heartbeat; what was half typed stays with the item.
    """
    with transaction.atomic():
        items = list(
            WorkItem.objects.select_for_update()
            .filter(account__in=list(account_ids), kind__in=list(only), done_at=None)
            .order_by("pk")
        )
        WorkItem.objects.filter(pk__in=[item.pk for item in items]).update(
            done_at=at, outcome=outcome, lease_until=None
        )
        _record(items, kinds.ITEM_COMPLETED, actor=actor, at=at, payload={"outcome": outcome})
    return len(items)


# An undisputed past-due bill that no hold keeps agents from: one that names bills keeps them from its own only.
_UNATTENDED = f"""
    SELECT a.id FROM accounts_account a
     WHERE a.status = %(collections)s AND a.overdue > 0
       AND NOT EXISTS (SELECT 1 FROM agents_workitem w
                        WHERE w.account_id = a.id AND w.done_at IS NULL AND w.kind <> 'approval')
       AND EXISTS (
            SELECT 1 FROM accounts_bill b
             WHERE b.account_id = a.id AND b.open_amount > b.disputed_amount AND b.due_on < %(as_of)s
               AND NOT EXISTS (
                    SELECT 1 FROM accounts_hold h
                     WHERE h.account_id = a.id AND (NOT {_names_bills("h")} OR b.ref = ANY(h.bill_refs))
                       AND {_silent("h", "%(as_of)s")}))
     ORDER BY a.id
"""


def unattended(*, as_of: date) -> list[int]:
    """Accounts in the agents' hands that nobody would come across: no open item, and no hold to wait for.

    The day's run gives them a place again, so that no account is lost between two conversations.
    """
    with connection.cursor() as cursor:
        cursor.execute(_UNATTENDED, {"collections": AccountStatus.COLLECTIONS, "as_of": as_of})
        return [account_id for (account_id,) in cursor.fetchall()]


_FACTS = """
    SELECT w.id, a.overdue, a.currency, a.oldest_due_on, broken.promises, latest.at, latest.callback_at,
           EXISTS (SELECT 1 FROM accounts_vulnerability v
                    WHERE v.customer_id = a.customer_id AND v.noted_on <= %(as_of)s
                      AND (v.ended_on IS NULL OR v.ended_on > %(as_of)s)) AS vulnerable,
           EXISTS (SELECT 1 FROM dunning_inboundmessage m
                    WHERE m.account_id = w.account_id AND m.state = 'waiting' AND 'crisis' = ANY(m.hints)) AS crisis
      FROM agents_workitem w
      JOIN accounts_account a ON a.id = w.account_id
      LEFT JOIN LATERAL (SELECT i.at, i.callback_at FROM agents_interaction i
                          WHERE i.account_id = w.account_id AND i.at <= %(at)s
                          ORDER BY i.at DESC, i.id DESC LIMIT 1) latest ON true
      CROSS JOIN LATERAL (SELECT count(*) AS promises FROM agents_promise p
                           WHERE p.account_id = w.account_id AND p.status = 'broken'
                             AND p.settled_on > %(broken_since)s) broken
     WHERE w.done_at IS NULL AND w.id > %(after)s
       AND (%(accounts)s::bigint[] IS NULL OR w.account_id = ANY(%(accounts)s))
     ORDER BY w.id LIMIT %(limit)s
"""


def rescore(*, as_of: date, at: datetime, account_ids: Sequence[int] | None = None) -> int:
    """Score the open items of those accounts, or all, from today's facts; how many changed.

    Reads and writes a chunk at a time; items whose reasons are the same are not written.
    """
    zone = ZoneInfo(settings.DESK_TIME_ZONE)
    after = changed = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                _FACTS,
                {
                    "as_of": as_of,
                    "at": at,
                    "broken_since": as_of - BROKEN_SINCE,
                    "after": after,
                    "accounts": None if account_ids is None else list(account_ids),
                    "limit": CHUNK,
                },
            )
            rows = cursor.fetchall()
            if not rows:
                return changed
            scores: list[int] = []
            parts: list[str] = []
            for _pk, overdue, currency, oldest_due_on, broken, last_at, callback_at, vulnerable, crisis in rows:
                reasons = priority.score(
                    priority.ScoreFacts(
                        amount_overdue=overdue,
                        currency=currency,
                        days_past_due=(as_of - oldest_due_on).days if oldest_due_on else 0,
                        broken_promises=broken,
                        last_contact_on=last_at.astimezone(zone).date() if last_at else None,
                        vulnerable=vulnerable,
                        callback_at=callback_at.astimezone(zone) if callback_at else None,
                        crisis=crisis,
                    ),
                    as_of=as_of,
                )
                scores.append(sum(part.points for part in reasons))
                parts.append(json.dumps([asdict(part) for part in reasons]))
            cursor.execute(
                """
                UPDATE agents_workitem w SET score = v.score, score_parts = v.parts::jsonb
                  FROM unnest(%s::bigint[], %s::int[], %s::text[]) AS v(id, score, parts)
                 WHERE w.id = v.id AND w.done_at IS NULL AND w.score_parts IS DISTINCT FROM v.parts::jsonb
                """,
                [[row[0] for row in rows], scores, parts],
            )
            changed += int(cursor.rowcount)
        if len(rows) < CHUNK:
            return changed
        after = rows[-1][0]


def _locked(item_id: int, *, agent: Agent, at: datetime) -> WorkItem:
    """The agent's own open item, locked. A lease that ran out while nobody took the account is still theirs."""
    item = WorkItem.objects.select_for_update().filter(pk=item_id, done_at=None, claimed_by=agent).first()
    if item is None:
        raise _lost(item_id, agent=agent, at=at)
    return item


def _lost(item_id: int, *, agent: Agent, at: datetime) -> CannotKeep:
    item = WorkItem.objects.select_related("claimed_by").filter(pk=item_id).first()
    if item is None:
        return CannotKeep("There is no such item in the queue.", code="not_found")
    if item.done_at is not None:
        return CannotKeep("This account has left the queue meanwhile.")
    if item.claimed_by is None or item.lease_until is None or item.lease_until <= at:
        return CannotKeep("You no longer hold this account: open it again to go on.")
    return CannotKeep(f"{item.claimed_by} is working on this account now.")


def _let_go(item: WorkItem) -> None:
    item.claimed_by, item.claimed_at, item.lease_until = None, None, None


def _record(
    items: Sequence[WorkItem], kind: str, *, actor: str, at: datetime, payload: Mapping[str, Any] | None = None
) -> None:
    on = business_day.business_date(at=at)
    events.record_many(
        [
            EventRow(
                account_id=item.account_id,
                kind=kind,
                actor=actor,
                at=at,
                on=on,
                payload={"item": item.pk, "item_kind": item.kind, **(payload or {})},
            )
            for item in items
        ]
    )
