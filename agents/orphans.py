"""Accounts that nobody will come across, or that nobody can work: each with why, and one way to give it a next contact.

The day's run keeps the first kind from lasting (``queue.unattended``, ``unwatched``); the rest are people's business: a
team whose last agent left, a language that nobody speaks, a wait that nobody would wait for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from django.conf import settings
from django.db import connection

from accounts.models import Account, Hold
from accounts.models.account import AccountStatus
from agents import queue, rights, skills, steering
from agents.models import Agent, WorkItem

#: Longer than this nobody's account waits for its turn, except for a callback that was agreed.
WAITS_MOST = timedelta(days=7)
#: An open task is overdue after so long.
TASK_DUE = timedelta(days=7)
#: A hold without an end is looked at again after so many days.
LOOKED_AT_AFTER = 30
#: The page shows so many of a kind; mending goes on with the rest.
MOST = 200


class Why(StrEnum):
    UNATTENDED = "unattended"
    UNWATCHED = "unwatched"
    NO_TEAM = "no_team"
    LANGUAGE = "language"
    PARKED = "parked"
    UNCALLABLE = "uncallable"
    TASK_OVERDUE = "task_overdue"


@dataclass(frozen=True, slots=True)
class Orphan:
    """An account with why nobody works it; ``item_id`` its place in the queue, if it has one."""

    why: Why
    account_id: int
    account_ref: str
    customer: str
    overdue: Decimal
    currency: str
    item_id: int | None
    text: str


_WORKED = "w.done_at IS NULL AND w.kind <> 'approval'"
_SPEAKS = skills.LANGUAGE.format(column="c.language")

# Each: why, account, item, and what the words need. Teams, languages: of people who are here.
_FOUND = f"""
    WITH people AS (
        SELECT g.id, g.team_id, ARRAY(SELECT {skills.LANGUAGE.format(column="l")} FROM unnest(g.languages) l) AS speaks
          FROM agents_agent g
         WHERE g.is_active AND EXISTS (
               SELECT 1 FROM agents_agent_groups m JOIN auth_group r ON r.id = m.group_id
                WHERE m.agent_id = g.id AND r.name = ANY(%(workers)s))
    ), teams AS (
        SELECT t.id, t.name FROM agents_team t WHERE NOT EXISTS (SELECT 1 FROM people p WHERE p.team_id = t.id)
    ), silent AS (
        SELECT language FROM (SELECT DISTINCT {_SPEAKS} AS language FROM accounts_customer c WHERE c.language <> '') l
         WHERE EXISTS (SELECT 1 FROM people)
           AND NOT EXISTS (SELECT 1 FROM people p WHERE p.speaks = '{{}}' OR l.language = ANY(p.speaks))
    ), found AS (
        SELECT '{Why.NO_TEAM}' AS why, w.account_id, w.id AS item_id, t.name AS word, NULL::timestamptz AS moment
          FROM agents_workitem w JOIN teams t ON t.id = w.team_id WHERE {_WORKED}
        UNION ALL
        SELECT '{Why.LANGUAGE}', w.account_id, w.id, {_SPEAKS}, NULL
          FROM agents_workitem w JOIN accounts_account a ON a.id = w.account_id
          JOIN accounts_customer c ON c.id = a.customer_id JOIN silent s ON s.language = {_SPEAKS}
         WHERE {_WORKED} AND w.kind = 'collect'
        UNION ALL
        SELECT '{Why.PARKED}', w.account_id, w.id, w.uncallable_because, greatest(w.not_before, w.callable_from)
          FROM agents_workitem w
         WHERE {_WORKED} AND w.kind = 'collect' AND w.kept_for_id IS NULL
           AND greatest(w.not_before, w.callable_from) > %(parked)s
        UNION ALL
        SELECT '{Why.TASK_OVERDUE}', w.account_id, w.id, w.reason, greatest(w.created_at, w.not_before)
          FROM agents_workitem w
         WHERE {_WORKED} AND w.kind = 'task' AND greatest(w.created_at, w.not_before) < %(due)s
           AND (w.lease_until IS NULL OR w.lease_until <= %(at)s)
        UNION ALL
        SELECT '{Why.UNCALLABLE}', w.account_id, w.id,
               CASE WHEN refused.given = false THEN 'consent' ELSE 'number' END, NULL
          FROM agents_workitem w JOIN accounts_account a ON a.id = w.account_id
          JOIN accounts_customer c ON c.id = a.customer_id
          LEFT JOIN LATERAL (
               SELECT n.given FROM accounts_consent n
                WHERE n.customer_id = c.id AND n.channel = 'call' AND n.purpose = 'service' AND n.value = ''
                  AND n.at <= %(at)s
                ORDER BY n.at DESC, n.id DESC LIMIT 1) refused ON true
         WHERE {_WORKED} AND w.kind = 'collect'
           AND NOT EXISTS (SELECT 1 FROM agents_workitem k
                            WHERE k.account_id = w.account_id AND k.done_at IS NULL AND k.kind = 'task')
           AND (refused.given = false OR NOT EXISTS (
                SELECT 1 FROM (
                    SELECT c.phone AS number WHERE c.phone <> ''
                    UNION ALL
                    SELECT p.value FROM accounts_contactpoint p
                     WHERE p.customer_id = c.id AND p.kind = 'phone'
                       AND (p.valid_to IS NULL OR p.valid_to >= %(as_of)s)) numbers
                 WHERE NOT EXISTS (SELECT 1 FROM accounts_unreachableaddress u
                                    WHERE u.kind = 'phone' AND u.value = numbers.number)))
    ), numbered AS (
        SELECT f.*, row_number() OVER (PARTITION BY f.why ORDER BY f.account_id, f.item_id) AS place,
               count(*) OVER (PARTITION BY f.why) AS of_kind
          FROM found f
    )
    SELECT n.why, n.account_id, a.ref, c.name, a.overdue, a.currency, n.item_id, n.word, n.moment, n.of_kind
      FROM numbered n JOIN accounts_account a ON a.id = n.account_id JOIN accounts_customer c ON c.id = a.customer_id
     WHERE n.place <= %(most)s
     ORDER BY n.why, a.overdue DESC, n.account_id
"""


@dataclass(frozen=True, slots=True)
class Found:
    """The orphans, at most ``MOST`` of a kind, and how many of each kind there are."""

    orphans: list[Orphan]
    counts: dict[Why, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def find(*, as_of: date, at: datetime) -> Found:
    """Every account that nobody will come across or can work. As many queries however many there are."""
    zone = ZoneInfo(settings.DESK_TIME_ZONE)
    with connection.cursor() as cursor:
        cursor.execute(
            _FOUND,
            {
                "workers": [role for role in rights.ROLES if role not in (rights.FINANCE,)],
                "parked": at + WAITS_MOST,
                "due": at - TASK_DUE,
                "at": at,
                "as_of": as_of,
                "most": MOST,
            },
        )
        rows = cursor.fetchall()
    counts: dict[Why, int] = {}
    orphans = []
    for why, account_id, ref, name, overdue, currency, item_id, word, moment, of_kind in rows:
        counts[Why(why)] = of_kind
        text = _words(Why(why), word, moment.astimezone(zone) if moment else None)
        orphans.append(Orphan(Why(why), account_id, ref, name, overdue, currency, item_id, text))
    lost: list[tuple[Why, list[int]]] = [
        (Why.UNATTENDED, queue.unattended(as_of=as_of)),
        (Why.UNWATCHED, [pk for pks in unwatched(as_of=as_of).values() for pk in pks]),
    ]
    shown = {pk for _, pks in lost for pk in pks[:MOST]}
    accounts = Account.objects.select_related("customer").in_bulk(sorted(shown))
    nowhere = []
    for why, pks in lost:
        if pks:
            counts[why] = len(pks)
        for pk in pks[:MOST]:
            account = accounts[pk]
            nowhere.append(
                Orphan(
                    why, pk, account.ref, account.customer.name, account.overdue, account.currency, None, _words(why)
                )
            )
    return Found([*nowhere, *orphans], counts)


def _words(why: Why, word: str = "", moment: datetime | None = None) -> str:
    when = f"{moment.day} {moment:%B}, {moment:%H:%M}" if moment else ""
    match why:
        case Why.UNATTENDED:
            return "It has no place in the queue and nothing to wait for."
        case Why.UNWATCHED:
            return "It is held without an end, and nobody is to look at it again."
        case Why.NO_TEAM:
            return f"It is kept for {word}, where nobody works."
        case Why.LANGUAGE:
            return f"Nobody here speaks {_language(word)}."
        case Why.PARKED:
            return f"It waits until {when}, more than {WAITS_MOST.days} days from now." + (f" {word}" if word else "")
        case Why.UNCALLABLE:
            asked = "The customer asked not to be called." if word == "consent" else "There is no number to call."
            return f"{asked} No hour will change that."
        case Why.TASK_OVERDUE:
            return f"A task waits since {when}: {word or 'no words'}."


def _language(code: str) -> str:
    try:
        return Locale.parse(code, sep="-").get_display_name("en") or code
    except (UnknownLocaleError, ValueError):
        return code


# Held without an end, and not by an agreement or a dispute, which end by themselves; no task to look at it.
_UNWATCHED = f"""
    SELECT h.account_id, max(h.starts_on)
      FROM accounts_hold h JOIN accounts_account a ON a.id = h.account_id
     WHERE a.status = %(collections)s AND a.overdue > 0
       AND h.lifted_on IS NULL AND h.ends_on IS NULL AND h.starts_on <= %(as_of)s
       AND h.reason <> ALL(%(ends_itself)s) AND h.bill_refs = '{{}}' AND {queue.silencing("h", "%(as_of)s")}
       AND NOT EXISTS (SELECT 1 FROM agents_workitem w
                        WHERE w.account_id = h.account_id AND w.done_at IS NULL AND w.kind = 'task')
     GROUP BY h.account_id ORDER BY h.account_id
"""


def unwatched(*, as_of: date) -> dict[date, list[int]]:
    """Accounts in the agents' hands that are held without an end while nobody is to look at them again, by the day on
    which somebody should: a month after the hold began.
    """
    found: dict[date, list[int]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(
            _UNWATCHED,
            {
                "collections": AccountStatus.COLLECTIONS,
                "as_of": as_of,
                "ends_itself": [Hold.Reason.PROMISE, Hold.Reason.PLAN, Hold.Reason.DISPUTE],
            },
        )
        for account_id, starts_on in cursor.fetchall():
            found[max(as_of, starts_on + timedelta(days=LOOKED_AT_AFTER))].append(account_id)
    return dict(found)


def watch(*, as_of: date, at: datetime, actor: str) -> int:
    """Give everything that is held without an end a day on which somebody looks at it again; how many accounts."""
    zone = ZoneInfo(settings.DESK_TIME_ZONE)
    return sum(
        queue.enqueue(
            account_ids=account_ids,
            reason="look at the hold again: it has no end",
            kind=WorkItem.Kind.TASK,
            not_before=datetime.combine(on, time.min, tzinfo=zone),
            as_of=as_of,
            at=at,
            actor=actor,
        )
        for on, account_ids in sorted(unwatched(as_of=as_of).items())
    )


#: What somebody is asked to do where a call is not the way.
_TASKS = {
    Why.LANGUAGE: "nobody here speaks their language: find an interpreter or write",
    Why.UNCALLABLE: "cannot be called: write, or find another way",
}


def give_next_contact(*, account_ids: Sequence[int], agent: Agent, as_of: date, at: datetime) -> tuple[int, list[str]]:
    """Give each of those orphans its next contact; how many there were, and what was done, in words.

    Without a place: a place. A team without people: everybody. A wait too long: now. Nobody to speak, or to be called:
    a task for a person. An overdue task: on top. Raises ``steering.CannotSteer``.
    """
    if not rights.may(agent, rights.Act.SUPERVISE):
        raise steering.CannotSteer("Only a supervisor orders the queue by hand.")
    wanted = set(account_ids)
    by_why: dict[Why, list[Orphan]] = defaultdict(list)
    for orphan in find(as_of=as_of, at=at).orphans:
        if orphan.account_id in wanted:
            by_why[orphan.why].append(orphan)
    done: list[str] = []
    for why, orphans in by_why.items():
        accounts = [orphan.account_id for orphan in orphans]
        items = [orphan.item_id for orphan in orphans if orphan.item_id is not None]
        match why:
            case Why.UNATTENDED:
                _place(accounts, "nobody was to come across it", WorkItem.Kind.COLLECT, agent, as_of, at)
            case Why.UNWATCHED:
                _place(accounts, "look at the hold again: it has no end", WorkItem.Kind.TASK, agent, as_of, at)
            case Why.NO_TEAM:
                steering.give_to(item_ids=items, team=None, agent=agent, at=at)
            case Why.LANGUAGE | Why.UNCALLABLE:
                _place(accounts, _TASKS[why], WorkItem.Kind.TASK, agent, as_of, at)
            case Why.PARKED:
                steering.bring_forward(item_ids=items, agent=agent, at=at)
            case Why.TASK_OVERDUE:
                steering.pin(item_ids=items, reason="the task is overdue", agent=agent, at=at)
        done.append(DONE[why])
    return sum(len(orphans) for orphans in by_why.values()), done


#: What the button does, by why.
DONE = {
    Why.UNATTENDED: "put into the queue",
    Why.UNWATCHED: "a task to look at the hold",
    Why.NO_TEAM: "open to every team",
    Why.LANGUAGE: "a task to find an interpreter or to write",
    Why.PARKED: "offered now",
    Why.UNCALLABLE: "a task to find another way",
    Why.TASK_OVERDUE: "put on top",
}


def _place(accounts: Sequence[int], reason: str, kind: str, agent: Agent, as_of: date, at: datetime) -> None:
    queue.enqueue(account_ids=accounts, reason=reason, kind=kind, as_of=as_of, at=at, actor=rights.actor(agent))
