"""The desk's own fees: what is still to be paid of them, and letting one go."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import events, settling
from accounts.models import Account, Adjustment, Fee
from accounts.refusals import Refused


class CannotWaive(Refused):
    """The fee is no longer the desk's to waive."""

    code = "conflict"


class NeedsReason(Refused):
    """A fee is let go for a reason."""

    code = "invalid"


def open_fees(*, account_id: int, as_of: date) -> QuerySet[Fee]:
    """The account's fees in its balance: not waived, not on a bill, not written off."""
    taken = Adjustment.objects.filter(fee_ref=OuterRef("ref"), on__lte=as_of)
    standing = Q(waived_on=None) | Q(waived_on__gt=as_of)
    return Fee.objects.filter(standing, ~Exists(taken), account_id=account_id, on__lte=as_of).order_by("on", "pk")


def waive(*, fee_ref: str, actor: str, reason: str, as_of: date, at: datetime) -> Fee:
    """Let a fee go: it leaves the balance, and its journal is mirrored.

    Whether the actor may is asked before (``rights.Act.APPROVE``). Raises ``CannotWaive`` where it was waived or
    written off already, or billing has charged it (billing credits it then); ``NeedsReason`` without a reason.
    """
    if not reason.strip():
        raise NeedsReason("Say why the fee is waived.")
    with transaction.atomic():
        account_id = Fee.objects.values_list("account_id", flat=True).get(ref=fee_ref)
        account = Account.objects.select_for_update(no_key=True).get(pk=account_id)
        fee = Fee.objects.get(ref=fee_ref)
        if fee.waived_on is not None:
            raise CannotWaive(f"The fee was waived on {fee.waived_on}.")
        # Also one that is dated later: money has taken its place, or is about to.
        if taken := Adjustment.objects.filter(fee_ref=fee_ref).first():
            written_off = taken.kind == Adjustment.Kind.WRITE_OFF
            raise CannotWaive(
                "The fee is written off." if written_off else "The fee is on a bill already: billing credits it."
            )
        fee.waived_on, fee.waived_by, fee.waive_reason = as_of, actor, reason.strip()[:200]
        fee.save(update_fields=["waived_on", "waived_by", "waive_reason"])
        settling.mark_unsettled([account.pk])
        events.record(
            account_id=account.pk,
            kind=events.FEE_WAIVED,
            actor=actor,
            at=at,
            on=as_of,
            reason=fee.waive_reason,
            payload={"amount": str(fee.amount), "currency": account.currency, "kind": fee.kind, "fee": fee.ref},
        )
        settling.settle(as_of=as_of, at=at, account_ids=[account.pk])
    return fee
