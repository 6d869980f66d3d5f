"""The next account for an agent: the best in the queue whose customer may be called now.

The contact gate is asked of the best few at a time. Whoever may be called only later is parked until then, with the
reason; whoever may not be called at all is offered all the same, because somebody must find another way.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from accounts import business_day
from agents import calls, queue, rights
from agents.models import Agent, WorkItem
from dunning import contact
from dunning.gate.decision import HOLD

#: So many are asked of at first, then more at a time; after the last nobody is offered for now.
_STEPS = (4, 16, 64, 256, 1024, 4096)


def next_account(*, agent: Agent, at: datetime) -> WorkItem | None:
    """Claim the best free item whose customer may be called; none when nothing is free. What is held comes first."""
    if WorkItem.objects.filter(done_at=None, claimed_by=agent, lease_until__gt=at).exists():
        return queue.claim_next(agent=agent, at=at)
    for step in _STEPS:
        best = _best(agent, at, step)
        if not best:
            return None
        callable_now = best.keys() - _park_for_later(best, at)
        # Another agent may have taken them meanwhile: then the next few are asked of.
        if callable_now and (item := queue.claim_next(agent=agent, at=at, among=callable_now)) is not None:
            return item
    return None


def _best(agent: Agent, at: datetime, most: int) -> dict[int, bool]:
    """The accounts of the best free items, and whether each is there to be called about what it owes."""
    items = WorkItem.objects.filter(done_at=None).exclude(lease_until__gt=at)
    if not rights.sees_all_teams(agent):
        items = items.filter(Q(team=None) | Q(team_id=agent.team_id))
    if not rights.may(agent, rights.Act.APPROVE):
        items = items.exclude(kind=WorkItem.Kind.APPROVAL)
    best: dict[int, bool] = {}
    for account_id, kind in (
        queue.offered(items, at=at).order_by("-score", "id").values_list("account_id", "kind")[:most]
    ):
        best[account_id] = best.get(account_id, True) and kind == WorkItem.Kind.COLLECT
    return best


def _park_for_later(best: dict[int, bool], at: datetime) -> set[int]:
    """Park those of the accounts that may be called later only; which they are."""
    to_call = [account_id for account_id, calls_for in best.items() if calls_for]
    as_of = business_day.business_date(at=at)
    decisions = contact.check_many(to_call, channel="call", at=at, as_of=as_of, talks=calls.talks_of)
    later = {
        account_id: (decision.next_allowed_at, decision.reasons[0])
        for account_id, decision in decisions.items()
        if decision.outcome == HOLD and decision.next_allowed_at is not None
    }
    queue.park(later)
    return set(later)
