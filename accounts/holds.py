"""Placing and lifting holds: the one way to pause an account's treatment, whoever has the reason.

What each reason stops is decided by the room above; here a hold is a dated fact, written and ended with its event.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import events, settling
from accounts.models import Account, Bill, Hold
from accounts.models.fields import DESK_PREFIX
from accounts.refusals import Refused


class CannotPlaceHold(Refused):
    """The hold makes no sense: its dates or its amount."""

    code = "invalid"


class CannotLiftHold(Refused):
    """The hold has ended already."""

    code = "conflict"


def in_force(*, account_id: int, as_of: date) -> QuerySet[Hold]:
    """The account's holds that cover the day."""
    return Hold.objects.filter(account_id=account_id).filter(covering(as_of)).order_by("starts_on", "pk")


def covering(as_of: date) -> Q:
    """Condition on holds: in force on that day."""
    return (
        Q(starts_on__lte=as_of)
        & (Q(ends_on=None) | Q(ends_on__gte=as_of))
        & (Q(lifted_on=None) | Q(lifted_on__gt=as_of))
    )


def place(
    *,
    account_id: int,
    reason: str,
    starts_on: date,
    actor: str,
    as_of: date,
    at: datetime,
    ends_on: date | None = None,
    bill_refs: Sequence[str] = (),
    amount: Decimal | None = None,
    stops: Sequence[str] = (),
    stops_clock: bool = False,
    note: str = "",
    ref: str | None = None,
) -> Hold:
    """Place a hold, lock the account, settle it.

    A manual hold that names bills stops everything about those bills and lets the rest of the account go on. Raises
    ``CannotPlaceHold`` for dates that make no sense, and for bills of somebody else.
    """
    if ends_on is not None and ends_on < starts_on:
        raise CannotPlaceHold("A hold cannot end before it starts.")
    if reason == Hold.Reason.PAYMENT_IN_FLIGHT:
        latest = starts_on + timedelta(days=7)
        if ends_on is not None and ends_on > latest:
            raise CannotPlaceHold("A payment in flight holds seven days at most.")
        ends_on = ends_on or latest
    if reason == Hold.Reason.MANUAL and bill_refs and (stops or stops_clock):
        raise CannotPlaceHold("A hold of single bills stops everything about them, and no clock of the account.")
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
        if reason == Hold.Reason.MANUAL and bill_refs:
            _check_bills(account_id, bill_refs)
        hold = Hold.objects.create(
            ref=ref or f"{DESK_PREFIX}{uuid4().hex}",
            account_id=account_id,
            reason=reason,
            starts_on=starts_on,
            ends_on=ends_on,
            bill_refs=list(bill_refs),
            amount=amount,
            stops=list(stops),
            stops_clock=stops_clock,
            placed_by=actor,
            note=note,
        )
        events.record(
            account_id=account_id,
            kind=events.HOLD_PLACED,
            actor=actor,
            at=at,
            on=as_of,
            reason=reason,
            payload={"hold": hold.ref, "starts_on": starts_on, "ends_on": ends_on, "amount": amount and str(amount)},
            react=True,
        )
        settling.mark_unsettled([account_id])
        settling.settle(as_of=as_of, at=at, actor=actor, account_ids=[account_id])
    return hold


def _check_bills(account_id: int, bill_refs: Sequence[str]) -> None:
    """The bills are those that the account is dunned for: its own, and those of children that pay through it."""
    paid_by_it = Q(account=account_id) | Q(account__parent=account_id, account__pays_itself=False)
    known = set(Bill.objects.filter(paid_by_it, ref__in=list(bill_refs)).values_list("ref", flat=True))
    if unknown := sorted(set(bill_refs) - known):
        raise CannotPlaceHold(f"Bill {unknown[0]} is not of this account.")


def lift(*, hold_id: int, actor: str, as_of: date, at: datetime, reason: str = "") -> Hold:
    """End a hold: ``as_of`` is the first day it no longer holds. Raises ``CannotLiftHold``."""
    with transaction.atomic():
        account_id = Hold.objects.values_list("account_id", flat=True).get(pk=hold_id)
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
        hold = Hold.objects.select_for_update().get(pk=hold_id)
        if hold.lifted_on is not None:
            raise CannotLiftHold("This hold was lifted already.")
        hold.lifted_on, hold.lifted_by = as_of, actor
        hold.save(update_fields=["lifted_on", "lifted_by"])
        events.record(
            account_id=account_id,
            kind=events.HOLD_LIFTED,
            actor=actor,
            at=at,
            on=as_of,
            reason=reason,
            payload={"hold": hold.ref, "hold_reason": hold.reason},
            react=True,
        )
        settling.mark_unsettled([account_id])
        settling.settle(as_of=as_of, at=at, actor=actor, account_ids=[account_id])
    return hold
