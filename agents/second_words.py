"""What waits for somebody else's word on an account: one place in the queue for all of it, until nothing waits.

Nothing waits for ever: how many days each kind has is ``DESK_APPROVAL_DAYS``. After its last day nobody approves it any
more, and the close of the day declines it (``approvals.expire``).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings

from accounts.models import AccountEvent
from agents import queue
from agents.models import Asked, Extension, Plan, Settlement, WorkItem
from dunning import kinds

#: Who declines what nobody decided on in time.
ACTOR = "desk:approvals"

PLAN, EXTENSION, SETTLEMENT, WRITE_OFF = "plan", "extension", "settlement", "write_off"
FEE_WAIVER, RULE_CHANGE, PACK_CHOICE = "fee_waiver", "rule_change", "pack_choice"

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
    if agreement_waits(account_id) or waiver_waits(account_id) or write_off_waits(account_id):
        return
    queue.leave(account_ids=[account_id], outcome=outcome, at=at, actor=actor, only=[WorkItem.Kind.APPROVAL])


def tell(*, account_id: int, what: str, asked_by: str, as_of: date, at: datetime, actor: str, reason: str) -> None:
    """Declined: whoever agreed it with the customer has something to tell them."""
    who = asked_by.partition(":")[2] or asked_by
    why = f"Tell the customer: {what} was declined (asked by {who}). {reason}".strip()
    task = WorkItem.Kind.TASK
    queue.enqueue(account_ids=[account_id], reason=why, kind=task, as_of=as_of, at=at, actor=actor)


def last_day(kind: str, asked_on: date, *, until: date | None = None) -> date | None:
    """The last day on which somebody may say yes to what was asked for; none: for as long as it takes.

    ``until``: after that day there is nothing left to say yes to.
    """
    days = settings.DESK_APPROVAL_DAYS.get(kind, settings.DESK_APPROVAL_DAYS.get("*"))
    last = asked_on + timedelta(days=int(Decimal(days))) if days is not None else None
    return min((day for day in (last, until) if day is not None), default=None)


def is_over(kind: str, asked_on: date, as_of: date, *, until: date | None = None) -> bool:
    """Whether its last day has passed."""
    last = last_day(kind, asked_on, until=until)
    return last is not None and as_of > last


def asked_before(kind: str, as_of: date) -> date | None:
    """What was asked for before that day is over on ``as_of``; none where that kind waits for as long as it takes."""
    last = last_day(kind, as_of)
    return as_of - (last - as_of) if last is not None else None


def too_late(kind: str, asked_on: date, *, until: date | None = None) -> str:
    """Why it is declined."""
    last = last_day(kind, asked_on, until=until)
    return f"Nobody decided on it by {last}." if last is not None else ""


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
    """Those of the accounts on which an agreement or the waiver of a fee waits: one query."""
    waits = Plan.Status.PENDING_APPROVAL  # all three name it alike
    first, *others = (
        model._default_manager.filter(account__in=account_ids, status=waits).order_by().values_list("account_id")
        for model in (Plan, Settlement, Extension)
    )
    waived = Asked.objects.filter(account__in=account_ids, state=Asked.State.WAITING).values_list("account_id")
    return {account_id for (account_id,) in first.union(*others, waived)}


def waiver_waits(account_id: int) -> bool:
    """Whether somebody asked to let a fee of the account go, and nobody decided."""
    return Asked.objects.filter(account_id=account_id, state=Asked.State.WAITING).exists()


def write_off_waits(account_id: int) -> bool:
    """Whether a write-off was asked for and nobody decided, nor the case closed, since."""
    last = AccountEvent.objects.filter(account_id=account_id, kind__in=_ABOUT_WRITE_OFFS).order_by("-pk")
    return last.values_list("kind", flat=True).first() == kinds.WRITE_OFF_REQUESTED


def write_offs_asked(account_ids: Collection[int]) -> dict[int, AccountEvent]:
    """Of those accounts, who asked for a write-off that nobody decided on since, by account: one query."""
    last = AccountEvent.objects.filter(account__in=account_ids, kind__in=_ABOUT_WRITE_OFFS)
    rows = last.order_by("account_id", "-pk").distinct("account_id")
    return {row.account_id: row for row in rows if row.account_id and row.kind == kinds.WRITE_OFF_REQUESTED}
