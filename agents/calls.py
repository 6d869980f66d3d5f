"""Conversations: a call is logged with what came of it, and what follows from that at once.

An outbound call needs the account in the agent's hands and the contact gate's leave, judged at the moment it began.
What was said on the phone may stop more than any button: a death, a bankruptcy, a lawyer, a wish to be left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NotRequired, TypedDict
from uuid import uuid4

from django.db import transaction

from accounts import events, holds
from accounts.models import Account, Consent, ContactPoint, Hold, UnreachableAddress
from accounts.models.fields import DESK_PREFIX
from accounts.refusals import Refused
from agents import kinds, promises, queue, rights
from agents.models import Agent, Disposition, Interaction, Note
from dunning import contact
from dunning.gate import Decision
from dunning.kinds import CONTACT_REFUSED

#: Clocks of other machines may be ahead of ours by so much.
CLOCK_DRIFT = timedelta(minutes=5)

#: Holds that a disposition brings with it: the reason, and its last day counted from today; none: until it is lifted.
_HOLDS: dict[str, tuple[str, int | None]] = {
    "rpc_already_paid": (Hold.Reason.PAYMENT_IN_FLIGHT, 7),
    "bankruptcy": (Hold.Reason.BANKRUPTCY, None),
    "deceased": (Hold.Reason.DECEASED, None),
    "attorney": (Hold.Reason.LEGAL, None),
}
#: Asked not to be contacted: on these channels nothing more is begun from our side.
_CEASED = (Consent.Channel.CALL, Consent.Channel.SMS, Consent.Channel.EMAIL)


#: As far back as any rule counts calls.
_LOOKS_BACK = timedelta(days=15)

#: Dialled, but nothing rang: does not count among the calls that a customer may get in a week.
NOT_RUNG = ("busy", "disconnected_number")


class CannotCall(Refused):
    """The call may not be made: not in the agent's hands, or the gate says no (then ``decision`` is its answer)."""

    code = "blocked"

    def __init__(self, text: str, *, decision: Decision | None = None, code: str | None = None) -> None:
        super().__init__(text, code=code)
        self.decision = decision


class CannotLog(Refused):
    """What is said about the call does not fit together."""

    code = "invalid"


class CannotNote(Refused):
    """A note without words."""

    code = "invalid"


class PromiseTerms(TypedDict):
    """A promise given during a call, as ``promises.make`` takes it."""

    amount: Decimal
    due_on: date
    bill_refs: NotRequired[Sequence[str] | None]
    note: NotRequired[str]


def log(
    *,
    account_id: int,
    agent: Agent,
    direction: str,
    disposition: str,
    number: str,
    right_party: bool,
    started_at: datetime,
    duration_seconds: int | None,
    as_of: date,
    at: datetime,
    note: str = "",
    callback_at: datetime | None = None,
    promise: PromiseTerms | None = None,
) -> Interaction:
    """Log a call, with the promise given in it and the holds its outcome brings, all or nothing.

    Raises ``CannotCall``, ``CannotLog``, and ``promises.CannotPromise``.
    """
    outcome = Disposition.objects.filter(code=disposition, active=True).first()
    if outcome is None:
        raise CannotLog(f"There is no disposition {disposition}.")
    if direction not in Interaction.Direction.values:
        raise CannotLog("A call is outbound or inbound.")
    if started_at > at + CLOCK_DRIFT:
        raise CannotLog("The call has not begun yet.")
    if duration_seconds is not None and duration_seconds < 0:
        raise CannotLog("A call cannot last less than nothing.")
    if callback_at is not None and callback_at <= at:
        raise CannotLog("The moment to call back has passed.")
    if outcome.asks == Disposition.Asks.CALLBACK and callback_at is None:
        raise CannotLog("Say when to call back.")
    with transaction.atomic():
        # The gate counts the calls before this one: of two logged at once only one can be the last that is allowed.
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
        decision = None
        if direction == Interaction.Direction.OUTBOUND:
            if queue.held(account_id=account_id, agent=agent, at=at) is None:
                raise CannotCall(
                    "This account is not in your hands: open it from the queue before you call.", code="conflict"
                )
            decision = ask_gate(account_id=account_id, channel="call", at=started_at, as_of=as_of)
        if decision is None or decision.is_allowed:
            return _write(
                outcome,
                decision,
                account_id=account_id,
                agent=agent,
                direction=direction,
                number=number,
                right_party=right_party,
                started_at=started_at,
                duration_seconds=duration_seconds,
                note=note,
                callback_at=callback_at,
                promise=promise,
                as_of=as_of,
                at=at,
            )
        events.record(
            account_id=account_id,
            kind=CONTACT_REFUSED,
            actor=rights.actor(agent),
            at=at,
            on=as_of,
            reason=" ".join(decision.reasons),
            payload={
                "channel": "call",
                "outcome": decision.outcome,
                "rules": list(decision.rule_ids),
                "packs": list(decision.pack_versions),
                "next_allowed_at": decision.next_allowed_at,
            },
        )
    # After the commit: that it was refused is kept.
    raise CannotCall(" ".join(decision.reasons) or "This call is not allowed now.", decision=decision)


def ask_gate(*, account_id: int, channel: str, at: datetime, as_of: date) -> Decision:
    """May this account's customer be contacted on ``channel`` at ``at``: the gate, told of the calls there were.

    A conversation in which the customer asked to be called back asks for no quiet once that moment has come.
    """
    recent = Interaction.objects.filter(
        account_id=account_id, kind=Interaction.Kind.CALL, at__gt=at - _LOOKS_BACK, at__lte=at
    )
    return contact.check(
        account_id=account_id,
        channel=channel,
        at=at,
        as_of=as_of,
        calls=list(
            recent.filter(direction=Interaction.Direction.OUTBOUND)
            .exclude(disposition__in=NOT_RUNG)
            .values_list("at", flat=True)
        ),
        conversations=list(recent.filter(right_party=True).exclude(callback_at__lte=at).values_list("at", flat=True)),
    )


def _write(
    outcome: Disposition,
    decision: Decision | None,
    *,
    account_id: int,
    agent: Agent,
    direction: str,
    number: str,
    right_party: bool,
    started_at: datetime,
    duration_seconds: int | None,
    note: str,
    callback_at: datetime | None,
    promise: PromiseTerms | None,
    as_of: date,
    at: datetime,
) -> Interaction:
    actor = rights.actor(agent)
    interaction = Interaction.objects.create(
        ref=f"{DESK_PREFIX}{uuid4().hex}",
        account_id=account_id,
        agent=agent,
        kind=Interaction.Kind.CALL,
        direction=direction,
        disposition=outcome.code,
        right_party=right_party,
        number=number,
        at=started_at,
        duration_seconds=duration_seconds,
        note=note,
        callback_at=callback_at,
    )
    events.record(
        account_id=account_id,
        kind=kinds.CALL_LOGGED,
        actor=actor,
        at=at,
        on=as_of,
        payload={
            "interaction": interaction.ref,
            "contact": interaction.kind,
            "direction": direction,
            "disposition": outcome.code,
            "started_at": started_at,
            "duration_seconds": duration_seconds,
            "rang": outcome.code not in NOT_RUNG,
            "connected": outcome.connected,
            "conversation": outcome.conversation,
            "right_party": right_party,
            "gate": decision and {"outcome": decision.outcome, "rules": list(decision.rule_ids)},
        },
    )
    if promise is not None:
        promises.make(account_id=account_id, actor=actor, as_of=as_of, at=at, **promise)
    _follow(outcome, account_id=account_id, number=number, actor=actor, as_of=as_of, at=at)
    return interaction


def add_note(*, account_id: int, text: str, actor: str, as_of: date, at: datetime) -> Note:
    """Keep a note on the account. Raises ``CannotNote``."""
    if not text.strip():
        raise CannotNote("The note is empty.")
    with transaction.atomic():
        note = Note.objects.create(account_id=account_id, text=text.strip(), at=at, by=actor)
        events.record(
            account_id=account_id, kind=kinds.NOTE_ADDED, actor=actor, at=at, on=as_of, payload={"note": note.pk}
        )
    return note


def next_offer(disposition: Disposition, *, callback_at: datetime | None, at: datetime) -> datetime | None:
    """When the account should be offered again after such a call; none: the call ended its turn."""
    if callback_at is not None:
        return callback_at
    hours = disposition.next_contact_hours
    return None if hours is None else at + timedelta(hours=hours)


def _follow(outcome: Disposition, *, account_id: int, number: str, actor: str, as_of: date, at: datetime) -> None:
    """What the outcome of a call brings with it at once."""
    if outcome.bad_number and number:
        UnreachableAddress.objects.get_or_create(
            kind=ContactPoint.Kind.PHONE, value=number, defaults={"since": at, "reason": outcome.label[:200]}
        )
    if outcome.code in _HOLDS:
        reason, days = _HOLDS[outcome.code]
        if not holds.in_force(account_id=account_id, as_of=as_of).filter(reason=reason).exists():
            holds.place(
                account_id=account_id,
                reason=reason,
                starts_on=as_of,
                ends_on=None if days is None else as_of + timedelta(days=days),
                note=f"From a call: {outcome.label}",
                actor=actor,
                as_of=as_of,
                at=at,
            )
    if outcome.code == "cease":
        customer_id = Account.objects.values_list("customer_id", flat=True).get(pk=account_id)
        Consent.objects.bulk_create(
            [
                Consent(customer_id=customer_id, channel=channel, given=False, at=at, source="asked on the phone")
                for channel in _CEASED
            ],
            ignore_conflicts=True,
        )
