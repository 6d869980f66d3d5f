"""The next account for an agent: the best in the queue that is theirs to work and whose customer may be called now.

The contact gate is asked of the best few at a time. Whoever may be called only later is parked until then, with the
reason; whoever may not be called at all is offered all the same, because somebody must find another way.

Where many ask at once each looks at others: the few are locked while the gate is asked, and whoever comes meanwhile
passes them over. When nothing else is left they are looked at by all, and the claim decides.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from accounts import business_day
from agents import calls, queue, rights
from agents.models import Agent, WorkItem
from dunning import contact
from dunning.gate.decision import HOLD

#: So many are asked of while nobody else looks at them.
_ASIDE = (4, 16)
#: So many are asked of then, and more at a time; after the last nobody is offered for now.
_STEPS = (4, 16, 64, 256, 1024, 4096)


@transaction.atomic
def next_account(*, agent: Agent, at: datetime) -> WorkItem | None:
    """Claim the best free item whose customer may be called; none when nothing is free. What is held comes first.

    Pressed twice at once, the second gets what the first has taken.
    """
    Agent.objects.select_for_update(no_key=True).only("pk").get(pk=agent.pk)
    if WorkItem.objects.filter(done_at=None, claimed_by=agent, lease_until__gt=at).exists():
        return queue.claim_next(agent=agent, at=at)
    for most in _ASIDE:
        with transaction.atomic():
            best = _best(agent, at, most, aside=True)
            if not best:
                break
            if (item := _first_callable(best, agent, at)) is not None:
                return item
    for most in _STEPS:
        best = _best(agent, at, most)
        if not best:
            return None
        # Another agent may have taken them meanwhile: then the next few are asked of.
        if (item := _first_callable(best, agent, at)) is not None:
            return item
    return None


def _first_callable(best: dict[int, bool], agent: Agent, at: datetime) -> WorkItem | None:
    callable_now = best.keys() - _park_for_later(best, at)
    return queue.claim_next(agent=agent, at=at, among=callable_now) if callable_now else None


def _best(agent: Agent, at: datetime, most: int, *, aside: bool = False) -> dict[int, bool]:
    """The accounts of the best free items, and whether each is there to be called about what it owes.

    ``aside``: those that nobody else looks at in this way, kept from others until the transaction ends.
    """
    items = WorkItem.objects.filter(done_at=None).exclude(lease_until__gt=at)
    if not rights.sees_all_teams(agent):
        items = items.filter(Q(team=None) | Q(team_id=agent.team_id))
    if not rights.may(agent, rights.Act.APPROVE):
        items = items.exclude(kind=WorkItem.Kind.APPROVAL)
    if aside:
        items = items.select_for_update(skip_locked=True)
    best: dict[int, bool] = {}
    for account_id, kind in (
        queue.offered(items, at=at, agent=agent).order_by("-score", "id").values_list("account_id", "kind")[:most]
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
