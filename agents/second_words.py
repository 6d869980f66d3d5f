"""What waits for somebody else's word on an account: one place in the queue for all of it, until nothing waits."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from accounts.models import AccountEvent
from agents import queue
from agents.models import Extension, Plan, Settlement, WorkItem
from dunning import kinds

#: The last of these tells whether a write-off still waits.
_ABOUT_WRITE_OFFS = (
    kinds.WRITE_OFF_REQUESTED,
    kinds.WRITE_OFF_DECLINED,
    kinds.WRITTEN_OFF,
    kinds.CASE_CLOSED,
)


def ask(*, account_id: int, reason: str, as_of: date, at: datetime, actor: str) -> None:
    """Give the account a place among the approvals; one that has it keeps it."""
    approval = WorkItem.Kind.APPROVAL
    queue.enqueue(account_ids=[account_id], reason=reason, kind=approval, as_of=as_of, at=at, actor=actor)


def settled(*, account_id: int, outcome: str, actor: str, at: datetime) -> None:
    """Something was decided: the place is given up when nothing of the account waits any more."""
    if agreement_waits(account_id) or write_off_is_asked(account_id):
        return
    queue.leave(account_ids=[account_id], outcome=outcome, at=at, actor=actor, only=[WorkItem.Kind.APPROVAL])


def tell(*, account_id: int, what: str, asked_by: str, as_of: date, at: datetime, actor: str, reason: str) -> None:
    """Declined: whoever agreed it with the customer has something to tell them."""
    who = asked_by.partition(":")[2] or asked_by
    why = f"Tell the customer: {what} was declined (asked by {who}). {reason}".strip()
    task = WorkItem.Kind.TASK
    queue.enqueue(account_ids=[account_id], reason=why, kind=task, as_of=as_of, at=at, actor=actor)


def agreement_waits(account_id: int) -> str:
    """What of the account waits for somebody's word, in words; empty where nothing does."""
    if Plan.objects.filter(account_id=account_id, status=Plan.Status.PENDING_APPROVAL).exists():
        return "an instalment plan"
    if Settlement.objects.filter(account_id=account_id, status=Settlement.Status.PENDING_APPROVAL).exists():
        return "a settlement"
    if Extension.objects.filter(account_id=account_id, status=Extension.Status.PENDING_APPROVAL).exists():
        return "time to pay"
    return ""


def waiting_among(account_ids: Collection[int]) -> set[int]:
    """Those of the accounts on which an agreement waits: three queries."""
    waits = Plan.Status.PENDING_APPROVAL  # all three name it alike
    return {
        account_id
        for model in (Plan, Settlement, Extension)
        for account_id in model._default_manager.filter(account__in=account_ids, status=waits).values_list(
            "account_id", flat=True
        )
    }


def write_off_is_asked(account_id: int) -> bool:
    """Whether a write-off was asked for and nobody decided, nor the case closed, since."""
    last = AccountEvent.objects.filter(account_id=account_id, kind__in=_ABOUT_WRITE_OFFS).order_by("-pk")
    return last.values_list("kind", flat=True).first() == kinds.WRITE_OFF_REQUESTED
