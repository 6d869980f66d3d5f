"""The agents' queue: who works on which account now, and which comes next.

An item is claimed by a lease of fifteen minutes that the page renews. A lease that runs out gives the account back with
what was half typed; whoever saves afterwards is told, unless nobody else has taken the account meanwhile.

An account may have two open items, to collect and a task. Only the older one can be claimed: it stands for the account,
so that its row lock is what keeps two agents from one customer. Its turn comes with that of either. Approvals are
apart: they need no customer.

A callback is offered at its minute, on top, to the agent who agreed it, and a quarter of an hour later to anybody. An
agent's skills keep from them what others do better; nothing stated keeps nothing. Whoever loses an account to another
is told by whom.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from accounts import business_day, events
from accounts.events import EventRow
from accounts.models import Account, Hold
from accounts.models.account import AccountStatus
from accounts.refusals import Refused
from agents import kinds, lost_claims, priority, rights, skills
from agents.models import Agent, Interaction, WorkItem
from agents.scoring import rescore as rescore  # an item is scored wherever it is queued or parked
from dunning import holding

LEASE = timedelta(minutes=15)

#: After a call that was logged, an account that is put back waits so long.
AFTER_A_CALL = timedelta(hours=4)

#: Who pinned an item, why, with how many points and until when, where nobody did.
NOT_PINNED: tuple[str, str, int, date | None] = ("", "", priority.PINNED, None)

#: A callback is its agent's for so long after its minute, then anybody's.
KEPT_FOR = timedelta(minutes=15)


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


def silencing(alias: str, today: str) -> str:
    """Condition on a hold: in force on that day, and nobody is to be called while it is."""
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
         WHERE h.account_id = {item}.account_id AND {silencing("h", today)}
           AND (NOT {_names_bills("h")} OR NOT EXISTS (
                SELECT 1 FROM accounts_bill b
                 WHERE b.account_id = {item}.account_id AND b.open_amount > b.disputed_amount AND b.due_on < {today}
                   AND NOT EXISTS (
                        SELECT 1 FROM accounts_hold c
                         WHERE c.account_id = {item}.account_id AND b.ref = ANY(c.bill_refs)
                           AND {_names_bills("c")} AND {silencing("c", today)})))))
"""


_TODAY = """coalesce((SELECT d."on" FROM accounts_businessdate d), {day}::date)"""


def _ready(item: str, *, at: str, agent: str | None, today: str) -> str:
    """Condition on an open item: its time has come. A callback's comes first to the agent it is kept for, if any."""
    kept = f"""
        AND ({item}.kept_for_id IS NULL OR {item}.kept_for_id = {agent}
             OR {item}.not_before <= {at} - interval '{KEPT_FOR.total_seconds():.0f} seconds'
             OR (SELECT NOT k.is_active FROM agents_agent k WHERE k.id = {item}.kept_for_id))
    """
    return f"""
        ({item}.not_before IS NULL OR {item}.not_before <= {at}) {"" if agent is None else kept}
        AND ({item}.kind <> 'collect' OR {item}.callable_from IS NULL OR {item}.callable_from <= {at})
        AND NOT {_quiet(item, today)}
    """


_NAMED = {"at": "%(at)s", "agent": "%(agent)s", "today": _TODAY.format(day="%(today)s")}

_TAKE = """
    UPDATE agents_workitem t
       SET claimed_by_id = %(agent)s, lease_until = %(until)s,
           claimed_at = CASE WHEN chosen.again THEN t.claimed_at ELSE %(at)s END
      FROM chosen WHERE t.id = chosen.id
    RETURNING t.*, chosen.again, chosen.held_by
"""

# A scalar subquery for what lies beside an item: EXISTS would be hashed over the whole queue.
_CLAIM_NEXT = f"""
    WITH mine AS MATERIALIZED (
        SELECT id FROM agents_workitem
         WHERE done_at IS NULL AND claimed_by_id = %(agent)s AND lease_until > %(at)s
         ORDER BY claimed_at, id LIMIT 1 FOR UPDATE
    ), best AS MATERIALIZED (
        SELECT w.id, w.claimed_by_id FROM agents_workitem w
         WHERE w.done_at IS NULL AND NOT EXISTS (SELECT 1 FROM mine)
           AND (w.lease_until IS NULL OR w.lease_until <= %(at)s)
           AND (w.team_id IS NULL OR w.team_id = %(team)s OR %(every_team)s)
           AND CASE WHEN w.kind = 'approval' THEN %(approves)s ELSE {_LEAD} END
           AND (%(among)s::bigint[] IS NULL OR w.account_id = ANY(%(among)s))
           AND (({_ready("w", **_NAMED)} AND {{skilled}}) OR (w.kind <> 'approval' AND (
                SELECT true FROM agents_workitem beside
                 WHERE beside.account_id = w.account_id AND beside.id <> w.id AND beside.done_at IS NULL
                   AND beside.kind <> 'approval' AND {_ready("beside", **_NAMED)} AND {{skilled_beside}} LIMIT 1)))
         ORDER BY w.score DESC, w.id LIMIT 1 FOR UPDATE OF w SKIP LOCKED
    ), chosen AS (
        SELECT id, true AS again, NULL::bigint AS held_by FROM mine
        UNION ALL SELECT id, false, claimed_by_id FROM best
    )
    {_TAKE}
"""

_TAKE_OVER = f"""
    WITH chosen AS MATERIALIZED (
        SELECT w.id, false AS again, w.claimed_by_id AS held_by FROM agents_workitem w
         WHERE w.account_id = %(account)s AND w.done_at IS NULL AND w.kind <> 'approval' AND {_LEAD}
         FOR UPDATE OF w
    )
    {_TAKE}
"""

_CLAIM_ACCOUNT = f"""
    WITH chosen AS MATERIALIZED (
        SELECT w.id, coalesce(w.claimed_by_id = %(agent)s AND w.lease_until > %(at)s, false) AS again,
               w.claimed_by_id AS held_by
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
    skilled, wanted = skills.condition(agent, item="w")
    skilled_beside, _ = skills.condition(agent, item="beside")
    return _claim(
        _CLAIM_NEXT.replace("{skilled}", skilled).replace("{skilled_beside}", skilled_beside),
        agent=agent,
        at=at,
        among=None if among is None else sorted(among),
        **wanted,
    )


def offered(items: QuerySet[WorkItem], *, at: datetime, agent: Agent | None = None) -> QuerySet[WorkItem]:
    """Those of the items whose time has come and that no hold keeps quiet; for ``agent``, if one is named, those that
    are not kept for another and that their skills reach.
    """
    day = business_day.calendar_date(at=at).isoformat()
    ready = _ready(
        "agents_workitem",
        at=f"'{at.isoformat()}'::timestamptz",
        agent=None if agent is None else str(int(agent.pk)),
        today=_TODAY.format(day=f"'{day}'"),
    )
    if agent is None:
        return items.extra(where=[ready])
    skilled, wanted = skills.condition(agent, item="agents_workitem", named=False)
    return items.extra(where=[ready, skilled], params=list(wanted.values()))


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


def hand_over(*, account_id: int, to: Agent, by: str, at: datetime) -> WorkItem | None:
    """Put an account into ``to``'s hands on the word of ``by``, whoever has it now; none when it has no place.

    Whoever had it is told, and what they had half typed goes with it. Whether that may be is asked before.
    """
    named = {"account": account_id, "agent": to.pk, "at": at, "until": at + LEASE}
    with transaction.atomic():
        items: list[Any] = list(WorkItem.objects.raw(_TAKE_OVER, named))
        if not items:
            return None
        item = items[0]
        payload = {"to": rights.actor(to), **_taken(item, to, at)}
        _record([item], kinds.ITEM_HANDED_OVER, actor=by, at=at, payload=payload)
    handed: WorkItem = item
    return handed


def _claim(statement: str, *, agent: Agent, at: datetime, **more: Any) -> WorkItem | None:
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
            _record([item], kinds.ITEM_CLAIMED, actor=rights.actor(agent), at=at, payload=_taken(item, agent, at))
    claimed: WorkItem = item
    return claimed


def _taken(item: Any, agent: Agent, at: datetime) -> dict[str, str]:
    """Who had the item and did not give it back: said with the claim, and told to them."""
    if item.held_by is None or item.held_by == agent.pk:
        return {}
    first = Agent.objects.get(pk=item.held_by)
    ref = Account.objects.values_list("ref", flat=True).get(pk=item.account_id)
    # After the commit: a claim that is taken back was never lost.
    transaction.on_commit(lambda: lost_claims.tell(first.pk, account_ref=ref, taken_by=str(agent), at=at))
    return {"taken_from": rights.actor(first)}


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
    """Give the account back to the queue, with what was half typed. Raises ``CannotKeep`` when the claim is lost.

    Who was spoken to while it was held is not offered again at once.
    """
    with transaction.atomic():
        item = _locked(item_id, agent=agent, at=at)
        spoken = Interaction.objects.filter(account=item.account_id, agent=agent, at__gte=item.claimed_at)
        if (item.not_before is None or item.not_before <= at) and spoken.exists():
            item.not_before = at + AFTER_A_CALL
        _let_go(item)
        item.save(update_fields=["claimed_by", "claimed_at", "lease_until", "not_before"])
        _record([item], kinds.ITEM_RELEASED, actor=rights.actor(agent), at=at)


def complete(
    *,
    item_id: int,
    agent: Agent,
    at: datetime,
    outcome: str,
    not_before: datetime | None = None,
    kept_for: Agent | None = None,
) -> WorkItem:
    """Finish with an item for now: for good, or, with ``not_before``, until it is offered again.

    ``kept_for``: who agreed to call back at ``not_before``; it is theirs first. What a supervisor pinned is worked now
    and no longer on top.

    Raises ``CannotKeep`` when the claim is lost: nothing is written then.
    """
    with transaction.atomic():
        item = _locked(item_id, agent=agent, at=at)
        item.outcome, item.draft = outcome, {}
        item.pinned_by, item.pinned_because, item.pin_points, item.pinned_until = NOT_PINNED
        item.kept_for = kept_for if not_before is not None else None
        if not_before is None:
            item.done_at, item.done_by, item.lease_until = at, agent, None
        else:
            item.not_before = not_before
            _let_go(item)
        item.save(
            update_fields=[
                "outcome", "draft", "done_at", "done_by", "not_before", "claimed_by", "claimed_at", "lease_until",
                "kept_for", "pinned_by", "pinned_because", "pin_points", "pinned_until",
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
    not_before: datetime | None = None,
) -> int:
    """Give accounts a place in the queue, scored; how many had none yet. Those that have one keep it as it is.

    ``not_before``: offered from then on. One insert, however many the accounts.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO agents_workitem
                    (account_id, kind, team_id, reason, score, score_parts, created_at, not_before, draft,
                     outcome, uncallable_because, pinned_by, pinned_because)
                SELECT account, %s, %s, %s, 0, '[]', %s, %s, '{}', '', '', '', '' FROM unnest(%s::bigint[]) AS account
                    ON CONFLICT (account_id, kind) WHERE done_at IS NULL DO NOTHING
                RETURNING account_id, id
                """,
                [kind, team_id, reason[:200], at, not_before, sorted(set(account_ids))],
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
                       AND {silencing("h", "%(as_of)s")}))
     ORDER BY a.id
"""


def unattended(*, as_of: date) -> list[int]:
    """Accounts in the agents' hands that nobody would come across: no open item, and no hold to wait for.

    The day's run gives them a place again, so that no account is lost between two conversations.
    """
    with connection.cursor() as cursor:
        cursor.execute(_UNATTENDED, {"collections": AccountStatus.COLLECTIONS, "as_of": as_of})
        return [account_id for (account_id,) in cursor.fetchall()]


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
    since = f" (since {item.claimed_at.astimezone(ZoneInfo(settings.DESK_TIME_ZONE)):%H:%M})" if item.claimed_at else ""
    return CannotKeep(f"{item.claimed_by} is working on this account now{since}.")


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
