"""What is going on now: the queue by team and segment, who works on what, missed callbacks, gateways, what is stuck.

One look is taken for everybody (``look``), in a fixed number of queries, and shown to each as far as they may see it
(``now``, ``seen_by``): somebody who supervises one team sees its people and its accounts. Gateways and stuck work name
neither, and are for all who supervise.

Counts stop at ``COUNTED``: beyond it nobody needs the number. The queue itself is counted whole, in one statement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.db.models import Count

from accounts import business_day
from accounts.models import BusinessDate, PendingEvent, RejectedRow
from agents import queue, rights
from agents.models import Team, WebhookCall, WorkItem
from dunning import asking, resending
from dunning.channel_health import ChannelHealth, Health
from dunning.models import Notice
from dunning.roads import CHANNELS, desk_name

#: Beyond so many it is "more than".
COUNTED = 1_000
#: Missed callbacks that are read, and shown, at most.
CALLBACKS, SHOWN = 200, 20
#: A promised moment is missed when it is past by so much.
MISSED_AFTER = timedelta(minutes=15)
#: Who was not seen for so long is away, and after a night not there.
AWAY_AFTER, GONE_AFTER = timedelta(minutes=10), timedelta(hours=12)
#: So long on one account, ringing, or saying what came of a call is marked.
LONG_ON_ACCOUNT, LONG_RINGING, LONG_WRAP_UP = timedelta(minutes=20), timedelta(minutes=2), timedelta(minutes=5)
#: An event that nobody reacted to, and a webhook not called, for so long: the workers are away.
CARRIED_WITHIN = timedelta(minutes=5)
#: Counts older than that say when they were made.
STALE_AFTER = timedelta(seconds=10)
#: The day's run begins soon after midnight and is over by then.
RUN_WITHIN = timedelta(hours=2)


# Records --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Depth:
    """Open items of a team, a segment, or all: how many, in which state, and since when the oldest free one waits."""

    open: int = 0
    free: int = 0
    #: Not offered before a later moment.
    waiting: int = 0
    claimed: int = 0
    #: The contact gate lets nobody call them yet.
    parked: int = 0
    #: Callbacks whose moment has come, in nobody's hands.
    callbacks: int = 0
    oldest: datetime | None = None
    #: Free for longer than a day, and than a week.
    day_old: int = 0
    week_old: int = 0

    def __add__(self, other: Depth) -> Depth:
        return Depth(
            self.open + other.open,
            self.free + other.free,
            self.waiting + other.waiting,
            self.claimed + other.claimed,
            self.parked + other.parked,
            self.callbacks + other.callbacks,
            min(filter(None, (self.oldest, other.oldest)), default=None),
            self.day_old + other.day_old,
            self.week_old + other.week_old,
        )


@dataclass(frozen=True, slots=True)
class Depths:
    """The whole queue, counted by team and segment at a moment."""

    at: datetime
    by: dict[tuple[int | None, str], Depth]
    products: list[str]
    currencies: list[str]

    @property
    def segments(self) -> list[str]:
        return sorted({segment for _, segment in self.by if segment})


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works today: with what, since when, and what they did."""

    pk: int
    username: str
    name: str
    team_id: int | None
    team: str
    #: ``work``, ``break``, ``training``, ``meeting`` of their paid time; empty: not signed in to any.
    there_for: str
    there_since: datetime | None
    seen_at: datetime | None
    #: ``ringing``, ``talking``, ``wrap_up``, ``account``, ``free``, ``break`` …, ``away``.
    doing: str
    since: datetime | None
    #: When that becomes long, where it does.
    long_from: datetime | None
    item: int | None
    account: str
    #: Whether the account is kept for teams, and which.
    account_teams: frozenset[int]
    #: Accounts in hand beside that one.
    others: int
    worked: int
    calls: int
    reached: int

    def is_long(self, at: datetime) -> bool:
        return self.long_from is not None and self.long_from <= at


@dataclass(frozen=True, slots=True)
class Missed:
    """A callback whose promised moment is past, and nobody has called since."""

    item: int
    account: str
    account_teams: frozenset[int]
    promised: datetime
    whose: str
    whose_id: int
    whose_team_id: int | None
    #: Who has the account in hand now, if anybody.
    held_by: str


@dataclass(frozen=True, slots=True)
class Road:
    """A gateway: closed, half open or open as its breaker is, and what waits for it."""

    code: str
    url: str
    state: str
    health: Health
    waiting: int

    @property
    def is_well(self) -> bool:
        return self.state == "closed" and not self.health.failures


@dataclass(frozen=True, slots=True)
class Stuck:
    """Work that does not move by itself any more; ``count`` up to ``COUNTED``, ``since`` the oldest."""

    code: str
    count: int
    since: datetime | None = None

    @property
    def is_more(self) -> bool:
        return self.count > COUNTED


@dataclass(frozen=True, slots=True)
class Run:
    """The day's run: its date, whether it came to its end, and whether it should have by now."""

    on: date | None
    completed: bool
    late: bool


@dataclass(frozen=True, slots=True)
class Works:
    """The desk's own machinery at a moment: no people and no accounts are in it."""

    at: datetime
    roads: list[Road]
    stuck: list[Stuck]
    run: Run


@dataclass(frozen=True, slots=True)
class Look:
    """The whole floor at a moment, for nobody in particular."""

    at: datetime
    people: list[Person]
    callbacks: list[Missed]
    teams: dict[int, str]
    depths: Depths
    works: Works


@dataclass(frozen=True, slots=True)
class Sight:
    """How far somebody sees: every team, or one."""

    whole: bool
    team_id: int | None = None

    def sees(self, teams: Iterable[int]) -> bool:
        """Whether an account that is kept for those teams is on their side of the wall."""
        kept_for = set(teams)
        return self.whole or not kept_for or self.team_id in kept_for


@dataclass(frozen=True, slots=True)
class Floor:
    """The floor as one person may see it."""

    at: datetime
    sight: Sight
    counted_at: datetime
    whole: Depth
    teams: list[tuple[str, Depth]]
    segments: list[tuple[str, Depth]]
    people: list[Person]
    callbacks: list[Missed]
    works: Works
    more_callbacks: bool = False
    doing: dict[str, int] = field(default_factory=dict)

    @property
    def counts_are_old(self) -> bool:
        """Whether the queue was counted a while before the rest: a long one is counted seldom."""
        return self.at - self.counted_at > STALE_AFTER

    @property
    def long(self) -> int:
        """How many are at the same thing for longer than is usual."""
        return sum(person.is_long(self.at) for person in self.people)

    @property
    def unwell(self) -> list[Road]:
        return [road for road in self.works.roads if not road.is_well]

    @property
    def is_stuck(self) -> bool:
        return self.works.run.late or any(row.count for row in self.works.stuck)


# What somebody sees ---------------------------------------------------------------------------------------------------


def sight_of(user: Any) -> Sight:
    """Every team for who stands above the wall, else the own one."""
    return Sight(whole=True) if rights.sees_all_teams(user) else Sight(whole=False, team_id=user.team_id)


def now(*, at: datetime, user: Any) -> Floor:
    """The floor as ``user`` may see it, counted now: a fixed number of queries, however long the queue."""
    return seen_by(look(at=at, depths=depths(at=at), works=works(at=at)), sight_of(user))


def seen_by(taken: Look, sight: Sight) -> Floor:
    """A look as somebody may see it. No query."""
    seen = {
        key: depth for key, depth in taken.depths.by.items() if sight.whole or key[0] is None or key[0] == sight.team_id
    }
    by_team: dict[int | None, Depth] = defaultdict(Depth)
    by_segment: dict[str, Depth] = defaultdict(Depth)
    for (team_id, segment), depth in seen.items():
        by_team[team_id] += depth
        by_segment[segment] += depth
    people = [
        person if sight.sees(person.account_teams) else replace(person, item=None, account="")
        for person in taken.people
        if sight.whole or (sight.team_id is not None and person.team_id == sight.team_id)
    ]
    callbacks = [
        row
        for row in taken.callbacks
        if sight.sees(row.account_teams)
        and (sight.whole or (sight.team_id is not None and row.whose_team_id == sight.team_id))
    ]
    doing: dict[str, int] = defaultdict(int)
    for person in people:
        doing[person.doing] += 1
    return Floor(
        at=taken.at,
        sight=sight,
        counted_at=taken.depths.at,
        whole=sum(seen.values(), Depth()),
        teams=[
            (taken.teams.get(team_id, "") if team_id is not None else "", depth)
            for team_id, depth in sorted(by_team.items(), key=lambda row: (-row[1].open, row[0] or 0))
        ],
        segments=sorted(by_segment.items(), key=lambda row: (-row[1].open, row[0])),
        people=people,
        callbacks=callbacks[:SHOWN],
        more_callbacks=len(callbacks) > SHOWN,
        works=taken.works,
        doing=dict(doing),
    )


# The look -------------------------------------------------------------------------------------------------------------


def look(*, at: datetime, depths: Depths, works: Works) -> Look:
    """Who does what, and which callbacks were missed; beside what was counted before. Three queries."""
    return Look(
        at=at,
        people=_people(at),
        callbacks=_missed(at),
        teams=dict(Team.objects.values_list("pk", "name")),
        depths=depths,
        works=works,
    )


# An item that a claim holds, that waits for a moment, for an hour to call, or for nothing: one of the four. What a hold
# keeps quiet is asked when its turn comes; it counts among the free here.
_DEPTHS = """
    SELECT s.team_id, s.segment, s.product, s.currency, count(*),
           count(*) FILTER (WHERE s.state = 'free'), count(*) FILTER (WHERE s.state = 'waiting'),
           count(*) FILTER (WHERE s.state = 'claimed'), count(*) FILTER (WHERE s.state = 'parked'),
           count(*) FILTER (WHERE s.called AND s.state <> 'claimed'),
           min(s.created_at) FILTER (WHERE s.state = 'free'),
           count(*) FILTER (WHERE s.state = 'free' AND s.created_at < %(day)s),
           count(*) FILTER (WHERE s.state = 'free' AND s.created_at < %(week)s)
      FROM (SELECT w.team_id, a.segment, a.product, a.currency, w.created_at,
                   w.kind = 'collect' AND w.kept_for_id IS NOT NULL AND w.not_before <= %(at)s AS called,
                   CASE WHEN w.lease_until > %(at)s THEN 'claimed' WHEN w.not_before > %(at)s THEN 'waiting'
                        WHEN w.kind = 'collect' AND w.callable_from > %(at)s THEN 'parked' ELSE 'free' END AS state
              FROM agents_workitem w JOIN accounts_account a ON a.id = w.account_id
             WHERE w.done_at IS NULL AND w.kind <> 'approval') s
     GROUP BY s.team_id, s.segment, s.product, s.currency
"""


def depths(*, at: datetime) -> Depths:
    """The queue by team and segment. One query over all that is open: a long queue takes a while."""
    with connection.cursor() as cursor:
        cursor.execute(_DEPTHS, {"at": at, "day": at - timedelta(days=1), "week": at - timedelta(days=7)})
        rows = cursor.fetchall()
    by: dict[tuple[int | None, str], Depth] = defaultdict(Depth)
    for team_id, segment, _product, _currency, *counts in rows:
        by[team_id, segment] += Depth(*counts)
    products, currencies = ({row[place] for row in rows if row[place]} for place in (2, 3))
    return Depths(at, dict(by), sorted(products), sorted(currencies))


_TEAMS_OF = """
    ARRAY(SELECT DISTINCT k.team_id FROM agents_workitem k
           WHERE k.account_id = {account} AND k.done_at IS NULL AND k.team_id IS NOT NULL)
"""

_PEOPLE = f"""
    WITH worked AS (
        SELECT done_by_id AS agent_id, count(*) AS n, max(done_at) AS latest FROM agents_workitem
         WHERE done_at >= %(midnight)s AND done_by_id IS NOT NULL GROUP BY done_by_id
    ), called AS (
        SELECT agent_id, count(*) AS n, count(*) FILTER (WHERE right_party AND undone_at IS NULL) AS reached,
               max(at) AS latest
          FROM agents_interaction
         WHERE at >= %(midnight)s AND at <= %(at)s AND agent_id IS NOT NULL AND kind = 'call' GROUP BY agent_id
    )
    SELECT g.id, g.username, g.first_name, g.last_name, g.team_id, coalesce(t.name, ''),
           s.what, s.begun_at, s.seen_at,
           c.state, c.begun_at, c.answered_at, c.ended_at,
           h.id, h.claimed_at, h.lease_until, coalesce(h.claims, 0),
           coalesce(a.ref, ''), {_TEAMS_OF.format(account="a.id")}, c.account_id IS NOT DISTINCT FROM h.account_id,
           coalesce(worked.n, 0), coalesce(called.n, 0), coalesce(called.reached, 0),
           greatest(worked.latest, called.latest)
      FROM agents_agent g
      LEFT JOIN agents_team t ON t.id = g.team_id
      LEFT JOIN agents_stretch s ON s.agent_id = g.id AND s.ended_at IS NULL AND s.seen_at > %(gone)s
      LEFT JOIN agents_livecall c ON c.agent_id = g.id AND c.state NOT IN ('logged', 'failed')
      LEFT JOIN LATERAL (
           SELECT w.id, w.account_id, w.claimed_at, w.lease_until, count(*) OVER () AS claims
             FROM agents_workitem w
            WHERE w.claimed_by_id = g.id AND w.done_at IS NULL AND w.lease_until > %(at)s AND w.kind <> 'approval'
            ORDER BY w.account_id = c.account_id DESC NULLS LAST, w.claimed_at, w.id LIMIT 1) h ON true
      LEFT JOIN accounts_account a ON a.id = coalesce(c.account_id, h.account_id)
      LEFT JOIN worked ON worked.agent_id = g.id
      LEFT JOIN called ON called.agent_id = g.id
     WHERE g.is_active AND (c.id IS NOT NULL OR h.id IS NOT NULL OR worked.n IS NOT NULL OR called.n IS NOT NULL
           OR (s.id IS NOT NULL AND NOT g.is_superuser AND NOT EXISTS (
               SELECT 1 FROM agents_agent_groups m JOIN auth_group r ON r.id = m.group_id
                WHERE m.agent_id = g.id AND r.name = ANY(%(supervising)s))))
     ORDER BY lower(g.first_name), lower(g.last_name), g.username
"""


def _people(at: datetime) -> list[Person]:
    """Who works today; who only supervises is not listed for being here."""
    named: dict[str, Any] = {
        "at": at,
        "midnight": _midnight(at),
        "gone": at - GONE_AFTER,
        "supervising": rights.roles_with(rights.Act.SUPERVISE),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, named)
        return [_person(row, at) for row in cursor.fetchall()]


def _person(row: Sequence[Any], at: datetime) -> Person:
    (
        pk, username, first_name, last_name, team_id, team, there_for, there_since, seen_at,
        state, dialled_at, answered_at, ended_at, item, claimed_at, lease_until, claims,
        account, account_teams, same, worked, calls, reached, latest,
    ) = row  # fmt: skip
    # A claim is renewed while its page is open: that is a sign of life too.
    seen = max(filter(None, (seen_at, lease_until and lease_until - queue.LEASE, latest)), default=None)
    doing, since, long_from = "free", latest or there_since, None
    if state in ("dialled", "ringing"):
        doing, since, long_from = "ringing", dialled_at, dialled_at + LONG_RINGING
    elif state == "answered":
        doing, since = "talking", answered_at or dialled_at
        long_from = since + LONG_ON_ACCOUNT
    elif state == "ended":
        doing, since = "wrap_up", ended_at or dialled_at
        long_from = since + LONG_WRAP_UP
    elif item is not None:
        doing, since, long_from = "account", claimed_at, claimed_at and claimed_at + LONG_ON_ACCOUNT
    elif seen is None or seen < at - AWAY_AFTER:
        doing, since = "away", seen
    elif there_for not in (None, "work"):
        doing, since = there_for, there_since
    return Person(
        pk=pk,
        username=username,
        name=f"{first_name} {last_name}".strip() or username,
        team_id=team_id,
        team=team,
        there_for=there_for or "",
        there_since=there_since,
        seen_at=seen,
        doing=doing,
        since=since,
        long_from=long_from,
        item=item if same or state is None else None,
        account=account,
        account_teams=frozenset(account_teams),
        others=max(claims - 1, 0) if same or state is None else claims,
        worked=worked,
        calls=calls,
        reached=reached,
    )


_MISSED = f"""
    SELECT w.id, a.ref, {_TEAMS_OF.format(account="w.account_id")}, w.not_before, g.id, g.username, g.first_name,
           g.last_name, g.team_id, coalesce(nullif(trim(concat(h.first_name, ' ', h.last_name)), ''), h.username, '')
      FROM agents_workitem w
      JOIN accounts_account a ON a.id = w.account_id
      JOIN agents_agent g ON g.id = w.kept_for_id
      LEFT JOIN agents_agent h ON h.id = w.claimed_by_id AND w.lease_until > %(at)s
     WHERE w.done_at IS NULL AND w.kept_for_id IS NOT NULL AND w.not_before < %(missed)s
       AND (w.kind = 'collect' OR EXISTS (SELECT 1 FROM agents_interaction p
                                           WHERE p.account_id = w.account_id AND p.callback_at = w.not_before))
       AND NOT EXISTS (SELECT 1 FROM agents_interaction i
                        WHERE i.account_id = w.account_id AND i.at >= w.not_before AND i.kind = 'call')
     ORDER BY w.not_before, w.id LIMIT %(most)s
"""


def _missed(at: datetime) -> list[Missed]:
    with connection.cursor() as cursor:
        cursor.execute(_MISSED, {"at": at, "missed": at - MISSED_AFTER, "most": CALLBACKS})
        return [
            Missed(item, ref, frozenset(teams), promised, f"{first} {last}".strip() or login, pk, team_id, held_by)
            for item, ref, teams, promised, pk, login, first, last, team_id, held_by in cursor.fetchall()
        ]


def _midnight(at: datetime) -> datetime:
    zone = ZoneInfo(settings.DESK_TIME_ZONE)
    return datetime.combine(business_day.calendar_date(at=at), time.min, tzinfo=zone)


# Gateways and what is stuck -------------------------------------------------------------------------------------------


def works(*, at: datetime) -> Works:
    """Every gateway, and what needs a person before it moves again. Eleven queries, and one call to Redis."""
    return Works(at, _roads(at), _stuck(at), _run(at))


def _roads(at: datetime) -> list[Road]:
    codes = [*CHANNELS, "network"]
    kept = ChannelHealth(settings.REDIS_URL, desk=desk_name())
    try:
        told = kept.of(codes)
    finally:
        kept.close()
    due = Notice.objects.filter(state="pending", send_at__lte=at).order_by().values_list("channel")
    waiting = dict(due.annotate(count=Count("pk")))
    return [
        Road(code, settings.GATEWAYS[code]["url"].partition(":")[0], told[code].state(at=at), told[code],
             waiting.get(code, 0))
        for code in codes
    ]  # fmt: skip


def _stuck(at: datetime) -> list[Stuck]:
    pending = list(
        PendingEvent.objects.filter(event__at__lt=at - CARRIED_WITHIN)
        .order_by("event_id")
        .values_list("event__at", flat=True)[: COUNTED + 1]
    )
    unsent = WebhookCall.objects.filter(state=WebhookCall.State.PENDING, send_at__lt=at - CARRIED_WITHIN)
    left = WorkItem.objects.filter(done_at=None, claimed_by__isnull=False, lease_until__lte=at)
    return [
        Stuck("failed", _counted(resending.listed(resending.FAILED, at=at))),
        Stuck("doubtful", _counted(resending.listed(resending.DOUBTFUL, at=at))),
        Stuck("stuck", _counted(resending.listed(resending.STUCK, at=at))),
        Stuck("orders", _counted(asking.stuck(at=at))),
        Stuck("dead_webhooks", _counted(WebhookCall.objects.filter(state=WebhookCall.State.DEAD))),
        Stuck("unsent_webhooks", _counted(unsent)),
        Stuck("pending", len(pending), pending[0] if pending else None),
        Stuck("rejected", _counted(RejectedRow.objects.filter(resolved_at=None))),
        Stuck("leases", _counted(left)),
    ]


def _counted(rows: Any) -> int:
    return int(rows.order_by()[: COUNTED + 1].count())


def _run(at: datetime) -> Run:
    """Late: the calendar's day has no run that came to its end, some time after midnight."""
    row = BusinessDate.objects.values_list("on", "completed_on").first()
    if row is None:
        return Run(None, completed=False, late=False)
    on, completed_on = row
    today = business_day.calendar_date(at=at)
    begun, completed = on >= today, completed_on == on
    return Run(on, completed=completed, late=not (begun and completed) and at - _midnight(at) > RUN_WITHIN)
