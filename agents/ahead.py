"""What agreements come to by time and by what is written already: promises kept, plans over, disputes lost."""

from __future__ import annotations

from datetime import date, timedelta

from accounts import taking_effect
from accounts.position import CHUNK, AccountBooks, books_of
from agents import plans, promises
from agents.models import Dispute, Plan, Promise


def holds_ending(*, after: date, until: date) -> dict[int, date]:
    """The holds of agreements that end in ``(after, until]`` before their own last day, with the day each ends.

    A promise that is kept and a plan that is over, by what the book holds already and if nobody pays more. Reads only:
    all of them as of the first day, later those for which something takes effect; five queries a day and chunk.
    """
    open_promises = list(Promise.objects.filter(status=Promise.Status.OPEN, hold__isnull=False, made_on__lte=until))
    running = list(
        Plan.objects.filter(status__in=plans.RUNNING, hold__isnull=False, made_on__lte=until)
        .prefetch_related("instalments")
        .order_by("pk")
    )
    concerned = {promise.account_id for promise in open_promises} | {plan.account_id for plan in running}
    days = taking_effect.days_of(concerned, after=after, until=until)
    parts = {plan.pk: sorted(plan.instalments.all(), key=lambda part: part.position) for plan in running}
    found: dict[int, date] = {}
    for ahead in range(1, (until - after).days + 1):
        day = after + timedelta(days=ahead)
        moving = sorted(concerned) if ahead == 1 else sorted(pk for pk, moves in days.items() if day in moves)
        seen: dict[int, AccountBooks] = {}
        for start in range(0, len(moving), CHUNK):
            seen |= books_of(moving[start : start + CHUNK], as_of=day)
        for promise in open_promises:
            books = seen.get(promise.account_id)
            if books and promise.made_on <= day and promises.is_kept(promise, books) and promise.hold_id is not None:
                found.setdefault(promise.hold_id, day)
        for plan in running:
            over = plan.made_on <= day and plans.is_over(
                plan, parts[plan.pk], seen=seen.get(plan.account_id), as_of=day
            )
            if over and plan.hold_id is not None:
                found.setdefault(plan.hold_id, day)
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
