"""One agent's own day: what they did against what they usually do, and what waits for them. A fixed number of queries.

Nobody else reads it, and nothing in it ranks people: everybody is measured by their own last four weeks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, Q, QuerySet

from accounts import at_once
from accounts.business_day import calendar_date
from accounts.models import Account, AccountEvent
from agents import kinds, rights
from agents.models import Agent, Extension, Interaction, Plan, Promise, Settlement, Undo, WorkItem
from agents.models import Asked as Waiver

#: So many days of their own make what is usual.
LOOKS_BACK = 28
#: Callbacks and promises of the next days.
AHEAD = timedelta(days=7)
MOST = 12
RECENT = 25
#: What was claimed today and not worked yet belongs to the recent accounts too.
_CLAIMS = 60


@dataclass
class Counted:
    """What one day came to, or several."""

    worked: set[tuple[date, int]] = field(default_factory=set)
    calls: int = 0
    right_party: int = 0
    promises: int = 0
    plans: int = 0
    wraps: int = 0
    wrap_seconds: int = 0
    promised: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    kept: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    @property
    def wrap(self) -> int | None:
        """Seconds from hanging up to the saved outcome, on average; none where none was measured."""
        return round(self.wrap_seconds / self.wraps) if self.wraps else None

    def add(self, other: Counted) -> None:
        self.worked |= other.worked
        self.calls += other.calls
        self.right_party += other.right_party
        self.promises += other.promises
        self.plans += other.plans
        self.wraps += other.wraps
        self.wrap_seconds += other.wrap_seconds
        for currency, amount in other.promised.items():
            self.promised[currency] += amount
        for currency, amount in other.kept.items():
            self.kept[currency] += amount


@dataclass(frozen=True, slots=True)
class Line:
    """One figure: today, this week, and on a day as it usually is; ``usual`` is none before the first whole day."""

    code: str
    today: int | None
    week: int | None
    usual: float | None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency: today, this week, and on a usual day."""

    code: str
    currency: str
    today: Decimal
    week: Decimal
    usual: Decimal | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Something of mine that waits for another's word."""

    kind: str
    account: Account
    made_on: date


@dataclass(frozen=True, slots=True)
class Day:
    lines: list[Line]
    money: list[Money]
    callbacks: list[WorkItem]
    promises: list[Promise]
    waiting: list[Asked]
    recent: list[Account]

    @property
    def is_new(self) -> bool:
        """Nothing was done today or this week, and nothing waits."""
        done = any(line.week for line in self.lines)
        return not (done or self.callbacks or self.promises or self.waiting or self.recent)


def day_of(*, agent: Agent, as_of: date, at: datetime) -> Day:
    """The agent's day. Eleven queries at most, however long they have been here."""
    today = calendar_date(at=at)
    by_day = _counted(agent, since=today - timedelta(days=LOOKS_BACK), at=at)
    now = by_day.get(today, Counted())
    week = _sum(count for on, count in by_day.items() if on > today - timedelta(days=today.isoweekday()))
    before = [count for on, count in by_day.items() if on < today and (count.calls or count.worked)]
    usual = _sum(before)
    return Day(
        lines=_lines(now, week, usual, len(before)),
        money=_money(now, week, usual, len(before)),
        callbacks=callbacks_of(agent, until=at + AHEAD)[:MOST],
        promises=list(
            Promise.objects.filter(taken_by=rights.actor(agent), status=Promise.Status.OPEN, due_on__lte=as_of + AHEAD)
            .select_related("account__customer")
            .order_by("due_on", "pk")[:MOST]
        ),
        waiting=_waiting(agent),
        recent=recent_accounts(agent=agent, as_of=as_of),
    )


def callbacks_of(agent: Agent, *, until: datetime) -> list[WorkItem]:
    """Open accounts that the agent agreed to call back by that moment, the first first."""
    mine = Q(kept_for=agent) | Q(account__interactions__agent=agent, account__interactions__callback_at=F("not_before"))
    found = (
        WorkItem.objects.filter(mine, done_at=None, not_before__isnull=False, not_before__lte=until)
        .select_related("account__customer")
        .order_by("not_before", "pk")
        .distinct()
    )
    return list(found[:RECENT])


def recent_accounts(*, agent: Agent, as_of: date) -> list[Account]:
    """The last accounts the agent worked on or opened to work on, newest first, as far as they may still see them."""
    claimed = AccountEvent.objects.filter(
        kind=kinds.ITEM_CLAIMED, on__gte=as_of, actor=rights.actor(agent), account__isnull=False
    ).order_by("-pk")
    worked = Undo.objects.filter(agent=agent).order_by("-done_at")
    seen = [*claimed.values_list("at", "account_id")[:_CLAIMS], *worked.values_list("done_at", "account_id")[:_CLAIMS]]
    newest = list(dict.fromkeys(account_id for _, account_id in sorted(seen, reverse=True)))[: 2 * RECENT]
    visible = rights.visible_accounts(agent).select_related("customer").in_bulk(newest)
    return [visible[pk] for pk in newest if pk in visible][:RECENT]


def _counted(agent: Agent, *, since: date, at: datetime) -> dict[date, Counted]:
    """What the agent did on each day since then, on the desk's clock. Four queries."""
    zone = ZoneInfo(settings.DESK_TIME_ZONE)
    first = datetime.combine(since, datetime.min.time(), tzinfo=zone)
    by_day: dict[date, Counted] = defaultdict(Counted)
    talks = Interaction.objects.filter(agent=agent, at__gte=first, at__lte=at, kind=Interaction.Kind.CALL)
    for moment, account_id, right_party, wrap, undone in talks.values_list(
        "at", "account_id", "right_party", "wrap_seconds", "undone_at"
    ):
        on = moment.astimezone(zone).date()
        count = by_day[on]
        count.calls += 1
        count.worked.add((on, account_id))
        count.right_party += right_party and undone is None
        if wrap is not None:
            count.wraps += 1
            count.wrap_seconds += wrap
    items = WorkItem.objects.filter(done_by=agent, done_at__gte=first)
    for done_at, account_id in items.values_list("done_at", "account_id"):
        if done_at is not None:
            on = done_at.astimezone(zone).date()
            by_day[on].worked.add((on, account_id))
    promises = Promise.objects.filter(taken_by=rights.actor(agent), due_on__gte=since).exclude(
        status=Promise.Status.CANCELLED
    )
    for made_on, settled_on, status, amount, currency in promises.values_list(
        "made_on", "settled_on", "status", "amount", "account__currency"
    ):
        if made_on >= since:
            by_day[made_on].promises += 1
            by_day[made_on].promised[currency] += amount
        if status == Promise.Status.KEPT and settled_on is not None and settled_on >= since:
            by_day[settled_on].kept[currency] += amount
    agreed = AccountEvent.objects.filter(kind=kinds.PLAN_AGREED, on__gte=since, actor=rights.actor(agent))
    for on in agreed.values_list("on", flat=True):
        by_day[on].plans += 1
    return by_day


def _sum(counts: Iterable[Counted]) -> Counted:
    whole = Counted()
    for count in counts:
        whole.add(count)
    return whole


def _lines(now: Counted, week: Counted, usual: Counted, days: int) -> list[Line]:
    def mean(total: int) -> float | None:
        return round(total / days, 1) if days else None

    return [
        Line("worked", len(now.worked), len(week.worked), mean(len(usual.worked))),
        Line("calls", now.calls, week.calls, mean(usual.calls)),
        Line("right_party", now.right_party, week.right_party, mean(usual.right_party)),
        Line("promises", now.promises, week.promises, mean(usual.promises)),
        Line("plans", now.plans, week.plans, mean(usual.plans)),
        Line("wrap", now.wrap, week.wrap, usual.wrap),
    ]


def _money(now: Counted, week: Counted, usual: Counted, days: int) -> list[Money]:
    found = []
    for code, name in (("promised", "promised"), ("kept", "kept")):
        amounts: Sequence[dict[str, Decimal]] = [getattr(each, name) for each in (now, week, usual)]
        for currency in sorted(set().union(*amounts)):
            today, this_week, whole = (each.get(currency, Decimal(0)) for each in amounts)
            found.append(Money(code, currency, today, this_week, whole / days if days else None))
    return found


def _waiting(agent: Agent) -> list[Asked]:
    """Of mine, what waits for somebody's approval, the oldest first. One query."""
    actor = rights.actor(agent)
    lists: dict[str, QuerySet[Any]] = {
        kind: model._default_manager.filter(
            status="pending_approval",
            made_by=actor,
            account__work_items__kind=WorkItem.Kind.APPROVAL,
            account__work_items__done_at=None,
        )
        .select_related("account__customer")
        .order_by("made_on", "pk")[:MOST]
        for kind, model in (("plan", Plan), ("extension", Extension), ("settlement", Settlement))
    }
    waivers = Waiver.objects.filter(asked_by=actor, state=Waiver.State.WAITING).select_related("account__customer")
    found = at_once.rows(**lists, fee=waivers.order_by("asked_at", "pk")[:MOST])
    asked = [Asked(kind, row.account, row.made_on) for kind in lists for row in found[kind]]
    asked += [Asked("fee", row.account, calendar_date(at=row.asked_at)) for row in found["fee"]]
    return sorted(asked, key=lambda each: each.made_on)[:MOST]
