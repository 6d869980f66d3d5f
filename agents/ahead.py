"""What agreements come to by time and by what is written already: promises kept, plans over, disputes lost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from accounts import taking_effect
from accounts.position import CHUNK, AccountBooks, books_of
from agents import plans, promises, undertakings
from agents.models import Dispute, Plan, Promise


@dataclass(frozen=True, slots=True)
class Ending:
    """What comes of promises and plans by what the book holds already, and if nobody pays more."""

    #: Holds that end before their own last day, with the day each ends: its promise is kept, its plan is over.
    holds: dict[int, date] = field(default_factory=dict)
    #: Accounts on which a promise or plan is broken, with the days.
    broken: dict[int, set[date]] = field(default_factory=lambda: defaultdict(set))


def agreements_ending(*, after: date, until: date) -> Ending:
    """What ends in ``(after, until]``.

    Reads only: all of them as of the first day, later those for which something takes effect; five queries a day and
    chunk.
    """
    open_promises = list(Promise.objects.filter(status=Promise.Status.OPEN, hold__isnull=False, made_on__lte=until))
    running = list(
        Plan.objects.filter(status__in=undertakings.RUNNING_PLANS, hold__isnull=False, made_on__lte=until)
        .prefetch_related("instalments")
        .order_by("pk")
    )
    concerned = {promise.account_id for promise in open_promises} | {plan.account_id for plan in running}
    days = taking_effect.days_of(concerned, after=after, until=until)
    parts = {plan.pk: sorted(plan.instalments.all(), key=lambda part: part.position) for plan in running}
    found = Ending()
    paid: dict[int, Decimal] = {}
    for ahead in range(1, (until - after).days + 1):
        day = after + timedelta(days=ahead)
        moving = sorted(concerned) if ahead == 1 else sorted(pk for pk, moves in days.items() if day in moves)
        seen: dict[int, AccountBooks] = {}
        for start in range(0, len(moving), CHUNK):
            seen |= books_of(moving[start : start + CHUNK], as_of=day)
        for promise in open_promises:
            books = seen.get(promise.account_id)
            if promise.hold_id is None or promise.made_on > day:
                continue
            if books:
                paid[promise.pk] = promises.paid_by(promise, books)
                if promises.is_kept(promise, books):
                    found.holds.setdefault(promise.hold_id, day)
            if promise.hold_id not in found.holds and promises.breaks_on(promise) == day and not paid.get(promise.pk):
                found.broken[promise.account_id].add(day)
        for plan in running:
            if plan.hold_id is None or plan.hold_id in found.holds or plan.made_on > day:
                continue
            now = seen.get(plan.account_id)
            if plans.is_over(plan, parts[plan.pk], seen=now, as_of=day):
                found.holds[plan.hold_id] = day
                nothing_left = now is not None and bool(plan.bill_refs) and now.open_on(plan.bill_refs) == 0
                if not nothing_left and any(part.paid_on is None for part in parts[plan.pk]):
                    found.broken[plan.account_id].add(day)
    return found


def disputes_lost(*, after: date, until: date) -> dict[int, date]:
    """Accounts with a dispute that is known to end against them in ``(after, until]``, with its last such day."""
    lost = Dispute.objects.filter(
        resolved_on__gt=after,
        resolved_on__lte=until,
        outcome__in=(Dispute.Outcome.REJECTED, Dispute.Outcome.WITHDRAWN),
    )
    rows = lost.order_by("resolved_on").values_list("account_id", "resolved_on")
    return {account_id: on for account_id, on in rows if on is not None}
