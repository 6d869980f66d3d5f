"""What stands between a customer and us already: no bill is in two promises, plans, extensions or settlements.

What is paid on a bill could not be said to belong to either.
"""

from __future__ import annotations

from collections.abc import Sequence

from accounts.models import Account, Bill
from accounts.refusals import Refused
from agents import covered
from agents.models import Extension, Plan, Promise, Settlement

#: States in which each of them holds its bills.
RUNNING_PLANS = (Plan.Status.ACTIVE, Plan.Status.PENDING_APPROVAL)
RUNNING_EXTENSIONS = (Extension.Status.ACTIVE, Extension.Status.PENDING_APPROVAL)
RUNNING_SETTLEMENTS = (Settlement.Status.OPEN, Settlement.Status.PENDING_APPROVAL)


def refuse_twice(account: Account, bills: Sequence[Bill], *, refusal: type[Refused]) -> None:
    """Raises ``refusal`` where something is agreed about one of those bills; the text says what."""
    overlapping = covered.overlapping(bills)
    if Plan.objects.filter(account=account, status__in=RUNNING_PLANS).filter(overlapping).exists():
        raise refusal("An instalment plan covers that already: cancel it first.", code="conflict")
    promises = Promise.objects.filter(account=account, status=Promise.Status.OPEN)
    promise = promises.filter(overlapping).order_by("due_on").first()
    if promise is not None:
        amount = covered.said(promise.amount, account)
        raise refusal(f"{amount} by {promise.due_on} is promised there already: cancel that first.", code="conflict")
    extensions = Extension.objects.filter(account=account, status__in=RUNNING_EXTENSIONS)
    extension = extensions.filter(overlapping).first()
    if extension is not None:
        raise refusal(f"They have time to pay that until {extension.until}: cancel that first.", code="conflict")
    settlements = Settlement.objects.filter(account=account, status__in=RUNNING_SETTLEMENTS)
    settlement = settlements.filter(overlapping).first()
    if settlement is not None:
        amount = covered.said(settlement.amount, account)
        raise refusal(
            f"A settlement for {amount} by {settlement.pay_by} is offered there: cancel that first.", code="conflict"
        )
