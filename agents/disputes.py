"""Contested amounts: what a customer disputes leaves the treatment until somebody decides who is right.

Whoever works here opens a dispute, notes, moves it on and takes it; deciding is for others (``rights``). The market
sets a clock, the customer hears that we have it and how it ended, and what was not upheld is owed again after a fresh
warning. A dispute that is decided stays so: the customer who contests again opens a new one.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from accounts import events, holds, settling
from accounts.models import Account, Adjustment, Bill, Hold
from accounts.models.fields import DESK_PREFIX
from accounts.money import plain
from accounts.refusals import Refused
from agents import card_numbers, confirmations, covered, kinds, rights
from agents.dispute_clocks import Clocks
from agents.models import Agent, Dispute, Note

#: Characters of what the customer is told of the outcome.
LONGEST_WORDS = 1000
#: Stages between which an open dispute is moved.
STAGES = (Dispute.Stage.REVIEWING, Dispute.Stage.CUSTOMER, Dispute.Stage.BILLING)

#: What a dispute's letters are about, beside its outcome.
RECEIVED = "received"
#: Outcomes that the customer is written about; who withdraws knows.
TOLD = (Dispute.Outcome.UPHELD, Dispute.Outcome.REJECTED)


class CannotDispute(Refused):
    """That cannot be contested; the text tells the agent what can."""


class CannotResolve(Refused):
    """The dispute is resolved already, or the outcome is none."""

    code = "conflict"


class CannotWorkDispute(Refused):
    """It is decided already, or is not for this person; the text says which."""

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
    """Contest an amount of a bill; without a bill, of the account. Its receipt is confirmed a minute later.

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
        customer = account.customer
        clock = Clocks().clock(country=customer.country, region=customer.region, opened_on=as_of)
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
            acknowledge_by=clock and clock.acknowledge_by,
            decide_by=clock and clock.decide_by,
        )
        _tell(
            dispute,
            kinds.DISPUTE_OPENED,
            actor=actor,
            as_of=as_of,
            at=at,
            bill=bill_ref,
            amount=str(amount),
            reason=reason,
            decide_by=dispute.decide_by,
        )
        confirmations.of_dispute(dispute, RECEIVED, actor=actor, as_of=as_of, at=at)
    return dispute


def resolve(
    *,
    dispute_id: int,
    outcome: str,
    actor: str,
    as_of: date,
    at: datetime,
    note: str = "",
    credited: Decimal | None = None,
    told: str = "",
    slip: bool = False,
) -> Dispute:
    """Decide a dispute: its hold ends; upheld, the desk credits the amount until billing's own credit arrives.

    ``credited``: upheld for so much only; the rest is owed again like a rejected dispute. ``told``: what the customer
    is told of it, in their language. ``slip``: it was opened by mistake just now; nobody is told and nothing begins
    afresh. Raises ``CannotResolve`` and ``card_numbers.CannotKeepCard``.
    """
    note, told = card_numbers.without_cards(note), card_numbers.without_cards(told)
    if outcome not in Dispute.Outcome.values:
        raise CannotResolve(f"A dispute is {', '.join(Dispute.Outcome.values)}.", code="invalid")
    if len(told) > LONGEST_WORDS:
        raise CannotResolve(f"What the customer is told has at most {LONGEST_WORDS} characters.", code="invalid")
    with transaction.atomic():
        account_id = Dispute.objects.values_list("account_id", flat=True).get(pk=dispute_id)
        account = covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
        dispute = Dispute.objects.select_related("hold").get(pk=dispute_id)
        dispute.account = account
        if dispute.resolved_on is not None:
            raise CannotResolve(f"This dispute was {dispute.get_outcome_display().lower()} on {dispute.resolved_on}.")
        granted = _granted(dispute, account, outcome=outcome, credited=credited, actor=actor)
        dispute.resolved_on, dispute.resolved_by, dispute.outcome = as_of, actor, outcome
        dispute.stage, dispute.credited, dispute.told = Dispute.Stage.CLOSED, granted, told
        dispute.note = "\n".join(filter(None, [dispute.note, note]))
        dispute.save(update_fields=["resolved_on", "resolved_by", "outcome", "note", "stage", "credited", "told"])
        if granted:
            credit(dispute, on=as_of, amount=granted)
        # The hold may have been lifted by hand; the facts are settled either way.
        if dispute.hold is not None and covered.still_holds(dispute.hold, as_of=as_of):
            holds.lift(hold_id=dispute.hold.pk, actor=actor, as_of=as_of, at=at, reason=f"dispute {outcome}")
        settling.settle(as_of=as_of, at=at, actor=actor, account_ids=[account_id])
        payload = {"bill": dispute.bill_ref, "amount": str(dispute.amount), "outcome": outcome}
        if granted is not None and granted < dispute.amount:
            rest = dispute.amount - granted
            payload |= {"credited": plain(granted, account.currency), "rest": plain(rest, account.currency)}
        if slip:
            payload["slip"] = "yes"
        _tell(dispute, kinds.DISPUTE_RESOLVED, actor=actor, as_of=as_of, at=at, react=True, **payload)
        confirmations.take_back("dispute", f"{dispute.ref}.{RECEIVED}", reason=f"the dispute is {outcome}", at=at)
        if outcome in TOLD:
            confirmations.of_dispute(dispute, outcome, actor=actor, as_of=as_of, at=at)
    return dispute


def may_decide_alone(dispute: Dispute, *, amount: Decimal, actor: str, currency: str) -> bool:
    """Whether that person may credit so much of the dispute, also where they opened it themselves.

    Above ``DESK_DISPUTE_ALONE_UP_TO``, by currency, a second person decides; a currency that is not named has no limit.
    """
    limits = settings.DESK_DISPUTE_ALONE_UP_TO
    limit = limits.get(currency, limits.get("*"))
    return limit is None or dispute.opened_by != actor or amount <= Decimal(limit)


def _granted(
    dispute: Dispute, account: Account, *, outcome: str, credited: Decimal | None, actor: str
) -> Decimal | None:
    """What is credited; none for what is not upheld. Raises ``CannotResolve``."""
    if outcome != Dispute.Outcome.UPHELD:
        if credited is not None:
            raise CannotResolve("Only what is upheld is credited.", code="invalid")
        return None
    granted = dispute.amount if credited is None else credited
    covered.checked_amount(granted, account, refusal=CannotResolve)
    if granted > dispute.amount:
        raise CannotResolve(f"Only {covered.said(dispute.amount, account)} was contested.", code="invalid")
    if not may_decide_alone(dispute, amount=granted, actor=actor, currency=account.currency):
        raise CannotResolve(
            f"Whoever opened a dispute does not credit {covered.said(granted, account)} of it alone: "
            "ask somebody else to decide.",
            code="refused",
        )
    return granted


def credit(dispute: Dispute, *, on: date, amount: Decimal | None = None) -> Adjustment:
    """The desk's own credit for an upheld dispute; billing's adjustment with the same ``dispute_id`` replaces it."""
    adjustment = Adjustment.objects.create(
        ref=f"{DESK_PREFIX}credit-{uuid4().hex[:16]}",
        account_id=dispute.account_id,
        on=on,
        amount=-(dispute.amount if amount is None else amount),
        kind=Adjustment.Kind.DISPUTE,
        bill_ref=dispute.bill_ref,
        reason="Upheld dispute",
        dispute_ref=dispute.ref,
    )
    settling.mark_unsettled([dispute.account_id])
    return adjustment


# On its way ---------------------------------------------------------------------------------------------------------


def move(*, dispute_id: int, stage: str, agent: Agent, as_of: date, at: datetime) -> Dispute:
    """Say where an open dispute stands. Raises ``CannotWorkDispute``."""
    if stage not in STAGES:
        raise CannotWorkDispute("A dispute is looked into, or waits for the customer or for billing.", code="invalid")
    with transaction.atomic():
        dispute = _open_and_locked(dispute_id)
        if dispute.stage == stage:
            return dispute
        before, dispute.stage = dispute.stage, stage
        dispute.save(update_fields=["stage"])
        stages: dict[str, Any] = {"from": before, "to": stage}
        _tell(dispute, kinds.DISPUTE_MOVED, actor=rights.actor(agent), as_of=as_of, at=at, **stages)
    return dispute


def assign(*, dispute_id: int, to: Agent | None, agent: Agent, as_of: date, at: datetime) -> Dispute:
    """Give a dispute to somebody, or to nobody.

    Everybody takes what nobody has, and puts back what is theirs; whoever decides disputes gives them to others, who
    must be able to see the account. Raises ``CannotWorkDispute``.
    """
    with transaction.atomic():
        dispute = _open_and_locked(dispute_id)
        if dispute.assigned_to_id == (to.pk if to else None):
            return dispute
        gives = rights.may(agent, rights.Act.RESOLVE_DISPUTE)
        if not gives and to not in (None, agent):
            raise CannotWorkDispute("Disputes are given to others by whoever decides them.", code="forbidden")
        if not gives and dispute.assigned_to_id not in (None, agent.pk):
            raise CannotWorkDispute(f"{dispute.assigned_to} works on this dispute.")
        if to is not None and not may_have(to, dispute):
            raise CannotWorkDispute(f"{to} does not work on this account.", code="refused")
        dispute.assigned_to = to
        dispute.save(update_fields=["assigned_to"])
        by, whom = rights.actor(agent), rights.actor(to) if to else ""
        _tell(dispute, kinds.DISPUTE_ASSIGNED, actor=by, as_of=as_of, at=at, to=whom)
    return dispute


def may_have(person: Agent, dispute: Dispute) -> bool:
    """Whether the dispute may be that person's: they work here, and see the account."""
    works = person.is_active and rights.may(person, rights.Act.WORK)
    return works and rights.visible_accounts(person).filter(pk=dispute.account_id).exists()


def note(*, dispute_id: int, text: str, actor: str, as_of: date, at: datetime) -> Note:
    """A note on the dispute; the account's history has it too. Raises ``CannotWorkDispute`` and ``CannotKeepCard``."""
    text = card_numbers.without_cards(text.strip())
    if not text:
        raise CannotWorkDispute("There is nothing in the note.", code="invalid")
    with transaction.atomic():
        dispute = Dispute.objects.get(pk=dispute_id)
        written = Note.objects.create(account_id=dispute.account_id, dispute=dispute, text=text, at=at, by=actor)
        _tell(dispute, kinds.NOTE_ADDED, actor=actor, as_of=as_of, at=at, note=written.pk)
    return written


def acknowledge(*, dispute_id: int, actor: str, as_of: date, at: datetime) -> Dispute:
    """The customer knows that we have it: told on the telephone, or by hand. Raises ``CannotWorkDispute``."""
    with transaction.atomic():
        dispute = _open_and_locked(dispute_id)
        if dispute.acknowledged_on is None:
            dispute.acknowledged_on = as_of
            dispute.save(update_fields=["acknowledged_on"])
            _tell(dispute, kinds.DISPUTE_ACKNOWLEDGED, actor=actor, as_of=as_of, at=at)
    return dispute


def _open_and_locked(dispute_id: int) -> Dispute:
    dispute = Dispute.objects.select_for_update(of=("self",)).select_related("assigned_to").get(pk=dispute_id)
    if dispute.resolved_on is not None:
        said = dispute.get_outcome_display().lower()
        raise CannotWorkDispute(f"This dispute was {said} on {dispute.resolved_on}: contesting again is a new one.")
    return dispute


def _tell(
    dispute: Dispute, kind: str, *, actor: str, as_of: date, at: datetime, react: bool = False, **payload: object
) -> None:
    events.record(
        account_id=dispute.account_id,
        kind=kind,
        actor=actor,
        at=at,
        on=as_of,
        payload={"dispute": dispute.ref, **payload},
        react=react,
    )
