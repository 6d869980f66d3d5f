"""Letting a fee go, with a second pair of eyes: asked for by who talks to the customer, decided by who may.

Up to what their role lets go of alone (``DESK_WAIVE_ALONE_UP_TO``) whoever may approve does it at once. Everybody else
asks, and so do they beyond that; the fee stays until somebody decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts import events
from accounts.models import Account, Adjustment, Fee
from accounts.refusals import Refused
from agents import card_numbers, delegations, fees, kinds, rights, second_words
from agents.models import Agent, Asked

WAITING = Asked.State.WAITING


class CannotAskForWaiver(Refused):
    """The fee is gone, or somebody asked already."""

    code = "conflict"


class CannotDecideWaiver(Refused):
    """It does not wait any more, or not for this person's word."""

    code = "conflict"


class NeedsReason(Refused):
    """A fee is let go, and kept, for a reason."""

    code = "invalid"


def most_alone(person: Agent, currency: str) -> Decimal | None:
    """How much of a fee the person lets go alone: nothing without the right to approve; none: any amount."""
    limits: list[Decimal] = []
    approving = set(rights.roles_with(rights.Act.APPROVE))
    for role in rights.roles(person) & approving:
        named: Mapping[str, str] = settings.DESK_WAIVE_ALONE_UP_TO
        limit = named.get(f"{role}:{currency}", named.get(role))
        if limit is None:
            return None
        limits.append(Decimal(limit))
    return max(limits, default=Decimal(0))


def is_within(person: Agent, amount: Decimal, currency: str) -> bool:
    """Whether the person's word alone lets so much go."""
    most = most_alone(person, currency)
    return most is None or (most > 0 and amount <= most)


def let_go(*, fee_ref: str, agent: Agent, reason: str, as_of: date, at: datetime) -> Asked | None:
    """Let a fee go at once where the person's word is enough, else ask; what waits then, or none where it is gone.

    What somebody else asked for is decided by it. Raises what ``fees.waive``, ``ask`` and ``decide`` raise.
    """
    with transaction.atomic():
        fee = Fee.objects.select_related("account").get(ref=fee_ref)
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=fee.account_id)
        if not is_within(agent, fee.amount, fee.account.currency):
            return ask(fee_ref=fee_ref, agent=agent, reason=reason, as_of=as_of, at=at)
        waits = waiting_for(fee_ref)
        if waits is None:
            fees.waive(fee_ref=fee_ref, actor=rights.actor(agent), reason=reason, as_of=as_of, at=at)
        elif not reason.strip():
            raise NeedsReason("Say why the fee is waived.")
        else:
            decide(asked_id=waits.pk, approve=True, agent=agent, reason=reason, as_of=as_of, at=at)
    return None


def waiting_for(fee_ref: str) -> Asked | None:
    """What was asked about a fee and nobody decided."""
    return Asked.objects.filter(kind=Asked.Kind.FEE_WAIVER, subject=fee_ref, state=WAITING).first()


def ask(*, fee_ref: str, agent: Agent, reason: str, as_of: date, at: datetime) -> Asked:
    """Ask somebody who may to let a fee go. Raises ``CannotAskForWaiver``, ``NeedsReason``, ``CannotKeepCard``."""
    reason, actor = card_numbers.without_cards(" ".join(reason.split()))[:200], rights.actor(agent)
    if not reason:
        raise NeedsReason("Say why the fee is to be let go.")
    with transaction.atomic():
        account_id = Fee.objects.values_list("account_id", flat=True).get(ref=fee_ref)
        account = Account.objects.select_for_update(no_key=True).get(pk=account_id)
        fee = Fee.objects.get(ref=fee_ref)
        if why := gone([fee]).get(fee.ref):
            raise CannotAskForWaiver(why)
        if waiting_for(fee_ref) is not None:
            raise CannotAskForWaiver("Somebody asked for that already: it waits for a decision.")
        asked = Asked.objects.create(
            kind=Asked.Kind.FEE_WAIVER,
            account=account,
            subject=fee.ref,
            amount=fee.amount,
            reason=reason,
            asked_by=actor,
            asked_at=at,
            expires_on=second_words.last_day(second_words.FEE_WAIVER, as_of) or date.max,
        )
        _tell(
            asked, kinds.FEE_WAIVER_ASKED, actor=actor, as_of=as_of, at=at, reason=reason, told={"fee_kind": fee.kind}
        )
        why = f"A fee is to be let go. {reason}"
        second_words.ask(account_id=account_id, reason=why, as_of=as_of, at=at, actor=actor)
    return asked


def gone(rows: list[Fee]) -> dict[str, str]:
    """Of those fees, the ones that nobody can let go any more, with why: one query."""
    taken = dict(
        Adjustment.objects.filter(fee_ref__in=[fee.ref for fee in rows]).order_by("pk").values_list("fee_ref", "kind")
    )
    found = {}
    for fee in rows:
        if fee.waived_on is not None:
            found[fee.ref] = f"The fee was waived on {fee.waived_on}."
        elif fee.ref in taken:
            written_off = taken[fee.ref] == Adjustment.Kind.WRITE_OFF
            found[fee.ref] = "The fee is written off." if written_off else "The fee is on a bill: billing credits it."
    return found


def decide(
    *,
    asked_id: int,
    approve: bool,
    agent: Agent,
    reason: str,
    as_of: date,
    at: datetime,
    instead_of: Agent | None = None,
) -> Asked:
    """Let the fee go, or keep it with a reason; in one's own name or in somebody's place.

    Nobody decides on what they asked for, nor about more than they let go of alone. Raises ``CannotDecideWaiver``,
    ``NeedsReason``, ``delegations.CannotActFor``, and ``fees.CannotWaive`` where the fee is gone meanwhile.
    """
    reason = card_numbers.without_cards(reason.strip())[:200]
    with transaction.atomic():
        word = delegations.word_of(agent, instead_of=instead_of, on=as_of)
        asked = _locked(asked_id)
        if asked.state != WAITING:
            raise CannotDecideWaiver(f"This does not wait any more: {asked.get_state_display().lower()}.")
        if word.is_of(asked.asked_by):
            raise CannotDecideWaiver("Somebody else decides on what you asked for.", code="forbidden")
        if not rights.may(word.authority, rights.Act.APPROVE):
            raise CannotDecideWaiver("Whoever may let a fee go decides on that.", code="forbidden")
        if not rights.may_see_account(word.authority, asked.account):
            raise CannotDecideWaiver("This account is another team's.", code="forbidden")
        if not approve and not reason:
            raise NeedsReason("Say why the fee is kept.")
        if approve and as_of > asked.expires_on:
            raise CannotDecideWaiver(f"Nobody decided on it by {asked.expires_on}.")
        if approve and not is_within(word.authority, asked.amount or Decimal(0), asked.account.currency):
            raise CannotDecideWaiver(
                "This is more than you let go of alone: somebody above you decides.", code="forbidden"
            )
        asked.decided_for = word.for_whom
        if not approve:
            _decline(asked, Asked.State.DECLINED, actor=word.actor, as_of=as_of, at=at, reason=reason, told=word.told)
            return asked
        why = ": ".join(filter(None, (asked.reason, reason)))
        fees.waive(fee_ref=asked.subject, actor=word.actor, reason=why, as_of=as_of, at=at)
        _close(asked, Asked.State.APPROVED, actor=word.actor, at=at, reason=reason)
        kind = kinds.FEE_WAIVER_APPROVED
        _tell(asked, kind, actor=word.actor, as_of=as_of, at=at, reason=reason, told=word.told)
        second_words.settled(account_id=asked.account_id, outcome="approved", actor=word.actor, at=at)
    return asked


def expire(*, as_of: date, at: datetime) -> int:
    """Decline what nobody decided on in time, and take back what is about a fee that is gone; how many.

    Run twice, the second finds nothing.
    """
    waiting = list(Asked.objects.filter(kind=Asked.Kind.FEE_WAIVER, state=WAITING).order_by("pk"))
    left = gone(list(Fee.objects.filter(ref__in=[asked.subject for asked in waiting])))
    done = 0
    for row in waiting:
        if row.subject not in left and as_of <= row.expires_on:
            continue
        with transaction.atomic():
            asked = _locked(row.pk)
            if asked.state != WAITING:
                continue
            now: dict[str, Any] = {"actor": second_words.ACTOR, "as_of": as_of, "at": at}
            if why := left.get(asked.subject):
                _close(asked, Asked.State.WITHDRAWN, actor=second_words.ACTOR, at=at, reason=why)
                _tell(asked, kinds.FEE_WAIVER_WITHDRAWN, **now, reason=why, told={})
                second_words.settled(account_id=asked.account_id, outcome="withdrawn", actor=second_words.ACTOR, at=at)
            else:
                why = f"Nobody decided on it by {asked.expires_on}."
                _decline(asked, Asked.State.EXPIRED, **now, reason=why, told={"expired": True})
            done += 1
    return done


def _locked(asked_id: int) -> Asked:
    """What was asked, under the lock of its account."""
    account_id = Asked.objects.values_list("account_id", flat=True).get(pk=asked_id)
    Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
    return Asked.objects.select_related("account__customer").get(pk=asked_id)


def _decline(
    asked: Asked, state: str, *, actor: str, as_of: date, at: datetime, reason: str, told: Mapping[str, Any]
) -> None:
    _close(asked, state, actor=actor, at=at, reason=reason)
    _tell(asked, kinds.FEE_WAIVER_DECLINED, actor=actor, as_of=as_of, at=at, reason=reason, told=told)
    second_words.settled(account_id=asked.account_id, outcome="declined", actor=actor, at=at)
    second_words.tell(
        account_id=asked.account_id,
        what="letting a fee go",
        asked_by=asked.asked_by,
        reason=reason,
        actor=actor,
        as_of=as_of,
        at=at,
    )


def _close(asked: Asked, state: str, *, actor: str, at: datetime, reason: str) -> None:
    asked.state, asked.decided_by, asked.decided_at, asked.decision = state, actor, at, reason[:300]
    asked.save(update_fields=["state", "decided_by", "decided_for", "decided_at", "decision"])


def _tell(
    asked: Asked, kind: str, *, actor: str, as_of: date, at: datetime, reason: str, told: Mapping[str, Any]
) -> None:
    events.record(
        account_id=asked.account_id,
        kind=kind,
        actor=actor,
        at=at,
        on=as_of,
        reason=reason,
        payload={
            "fee": asked.subject,
            "amount": str(asked.amount),
            "currency": asked.account.currency,
            "asked_by": asked.asked_by,
            **told,
        },
    )
