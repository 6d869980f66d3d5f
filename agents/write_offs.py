"""A write-off that waits for a second pair of eyes: approved or left with the desk, each with its reason."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from accounts import events
from accounts.models import AccountEvent
from accounts.refusals import Refused
from agents import queue, rights, second_words
from agents.models import Agent, WorkItem
from dunning import cases, kinds


class AlreadyDecided(Refused):
    """Somebody decided it, or the account paid meanwhile."""

    code = "conflict"


class AskedForIt(Refused):
    """Whoever asks for a write-off does not approve it."""

    code = "forbidden"


class NeedsReason(Refused):
    """A write-off that is not approved is declined for a reason."""

    code = "invalid"


def decide(*, item_id: int, approve: bool, reason: str, agent: Agent, as_of: date, at: datetime) -> Decimal:
    """Write off what is open on the item's account, or decline; how much was written off.

    Whether the agent may is asked before (``rights.Act.APPROVE``). Raises ``AlreadyDecided``, ``AskedForIt``,
    ``NeedsReason`` when a decline gives none, and what ``cases.write_off`` raises; the item then waits on.
    """
    actor, reason = rights.actor(agent), reason.strip()
    with transaction.atomic():
        account_id = WorkItem.objects.values_list("account_id", flat=True).get(pk=item_id)
        cases.lock([account_id])
        item = WorkItem.objects.get(pk=item_id)
        if item.done_at is not None:
            raise AlreadyDecided("This write-off does not wait any more.")
        if what := second_words.agreement_waits(account_id):
            raise AlreadyDecided(f"What waits here is {what}: decide that first.")
        amount = Decimal(0)
        if approve:
            if _asked_by(item) == actor:
                raise AskedForIt("Somebody else approves what you asked for.")
            why = ": ".join(filter(None, (item.reason, reason)))
            amount = cases.write_off(account_id=account_id, actor=actor, as_of=as_of, at=at, reason=why)
        else:
            if not reason:
                raise NeedsReason("Say why it is not written off.")
            events.record(
                account_id=account_id,
                kind=kinds.WRITE_OFF_DECLINED,
                actor=actor,
                at=at,
                on=as_of,
                reason=reason,
                payload={"step": item.reason},
            )
        outcome, only = "approved" if approve else "declined", [WorkItem.Kind.APPROVAL]
        queue.leave(account_ids=[account_id], outcome=outcome, at=at, actor=actor, only=only)
    return amount


def _asked_by(item: WorkItem) -> str:
    """Who asked for this write-off: a policy as a rule."""
    asked = AccountEvent.objects.filter(account_id=item.account_id, kind=kinds.WRITE_OFF_REQUESTED)
    return asked.order_by("-pk").values_list("actor", flat=True).first() or ""
