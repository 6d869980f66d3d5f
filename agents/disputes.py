"""Contested amounts: what a customer disputes leaves the treatment until somebody decides who is right."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

from django.db import transaction

from accounts import events, holds, settling
from accounts.models import Adjustment, Bill, Hold
from accounts.models.fields import DESK_PREFIX
from accounts.refusals import Refused
from agents import card_numbers, covered, kinds
from agents.models import Dispute


class CannotDispute(Refused):
    """That cannot be contested; the text tells the agent what can."""


class CannotResolve(Refused):
    """The dispute is resolved already, or the outcome is none."""

    code = "conflict"


def open_dispute(
    *,
    account_id: int,
    bill_ref: str,
    amount: Decimal,
    actor: str,
    as_of: date,
    at: datetime,
    reason: str = "",
    note: str = "",
    ref: str | None = None,
) -> Dispute:
    """Contest an amount of a bill; without a bill, of the account.

    Raises ``CannotDispute`` and ``card_numbers.CannotKeepCard``.
    """
    reason, note = card_numbers.without_cards(reason), card_numbers.without_cards(note)
    if len(reason) > 60:
        raise CannotDispute("The reason is longer than 60 characters: put the story into the note.", code="invalid")
    with transaction.atomic():
        account = covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
        covered.checked_amount(amount, account, refusal=CannotDispute)
        if bill_ref:
            bill = Bill.objects.filter(account=account, ref=bill_ref).first()
            if bill is None:
                raise CannotDispute(f"Bill {bill_ref} is not of this account.", code="invalid")
            contestable = covered.undisputed([bill])
            where = f"bill {bill_ref}"
        else:
            contestable = account.open_amount - account.disputed
            where = "this account"
        if not contestable:
            raise CannotDispute(f"Nothing undisputed is open on {where}.")
        if amount > contestable:
            raise CannotDispute(f"Only {covered.said(contestable, account)} is open and undisputed on {where}.")
        hold = holds.place(
            account_id=account_id,
            reason=Hold.Reason.DISPUTE,
            starts_on=as_of,
            bill_refs=[bill_ref] if bill_ref else [],
            amount=amount,
            actor=actor,
            as_of=as_of,
            at=at,
        )
        dispute = Dispute.objects.create(
            ref=ref or f"{DESK_PREFIX}{uuid4().hex}",
            account=account,
            hold=hold,
            bill_ref=bill_ref,
            amount=amount,
            reason=reason,
            opened_on=as_of,
            opened_by=actor,
            note=note,
        )
        events.record(
            account_id=account_id,
            kind=kinds.DISPUTE_OPENED,
            actor=actor,
            at=at,
            on=as_of,
            payload={"dispute": dispute.ref, "bill": bill_ref, "amount": str(amount), "reason": reason},
        )
    return dispute


def resolve(*, dispute_id: int, outcome: str, actor: str, as_of: date, at: datetime, note: str = "") -> Dispute:
    """Decide a dispute: its hold ends; upheld, the desk credits the amount until billing's own credit arrives.

    Raises ``CannotResolve`` and ``card_numbers.CannotKeepCard``.
    """
    note = card_numbers.without_cards(note)
    if outcome not in Dispute.Outcome.values:
        raise CannotResolve(f"A dispute is {', '.join(Dispute.Outcome.values)}.", code="invalid")
    with transaction.atomic():
        account_id = Dispute.objects.values_list("account_id", flat=True).get(pk=dispute_id)
        covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
        dispute = Dispute.objects.select_related("hold").get(pk=dispute_id)
        if dispute.resolved_on is not None:
            raise CannotResolve(f"This dispute was {dispute.get_outcome_display().lower()} on {dispute.resolved_on}.")
        dispute.resolved_on, dispute.resolved_by, dispute.outcome = as_of, actor, outcome
        dispute.note = "\n".join(filter(None, [dispute.note, note]))
        dispute.save(update_fields=["resolved_on", "resolved_by", "outcome", "note"])
        if outcome == Dispute.Outcome.UPHELD:
            credit(dispute, on=as_of)
        # The hold may have been lifted by hand; the facts are settled either way.
        if dispute.hold is not None and covered.still_holds(dispute.hold, as_of=as_of):
            holds.lift(hold_id=dispute.hold.pk, actor=actor, as_of=as_of, at=at, reason=f"dispute {outcome}")
        settling.settle(as_of=as_of, at=at, actor=actor, account_ids=[account_id])
        events.record(
            account_id=account_id,
            kind=kinds.DISPUTE_RESOLVED,
            actor=actor,
            at=at,
            on=as_of,
            payload={
                "dispute": dispute.ref,
                "bill": dispute.bill_ref,
                "amount": str(dispute.amount),
                "outcome": outcome,
            },
            react=True,
        )
    return dispute


def credit(dispute: Dispute, *, on: date) -> Adjustment:
    """The desk's own credit for an upheld dispute; billing's adjustment with the same ``dispute_id`` replaces it."""
    adjustment = Adjustment.objects.create(
        ref=f"{DESK_PREFIX}{uuid4().hex}",
        account_id=dispute.account_id,
        on=on,
        amount=-dispute.amount,
        kind=Adjustment.Kind.DISPUTE,
        bill_ref=dispute.bill_ref,
        reason="Upheld dispute",
        dispute_ref=dispute.ref,
    )
    settling.mark_unsettled([dispute.account_id])
    return adjustment
