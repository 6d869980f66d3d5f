"""A message from a customer: kept, understood, acted on where that is safe, and put before a person where it is not.

``receive`` does all of it in one transaction, so a message is either not there yet or wholly dealt with; the same
message again changes nothing. People go on with ``read_again`` and ``finish``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from django.db import transaction

from accounts import events, holds
from accounts.models import Account, Customer, Hold
from accounts.refusals import Refused
from dunning import cases, kinds, understanding
from dunning.gate.checks.cards import masked
from dunning.gateways.base import Incoming
from dunning.inbound_acts import Acts, hold_ref
from dunning.inbound_senders import Belongs, canonical, find, holders
from dunning.models import InboundMessage
from dunning.understanding import Understanding

ACTOR = "desk:inbound"
Intent, State = InboundMessage.Intent, InboundMessage.State

#: So much of a message is kept.
MOST_KEPT = 20_000


class CannotRead(Refused):
    """There is no such reading of a message, or somebody has finished with it."""

    code = "conflict"


def receive(incoming: Incoming, *, as_of: date, at: datetime) -> InboundMessage:
    """Keep a message and do what it asks for where that is safe; the same one again is the same row.

    Raises ``ValueError`` for a channel on which nobody writes to us.
    """
    if incoming.channel not in InboundMessage.Channel.values:
        raise ValueError(f"Nobody writes to us on {incoming.channel!r}")
    incoming = _storable(incoming)
    with transaction.atomic():
        kept = {"gateway": incoming.gateway[:20], "provider_ref": incoming.provider_ref[:200]}
        message, made = InboundMessage.objects.get_or_create(**kept, defaults=_columns(incoming, at=at))
        if not made:
            return message
        belongs = find(incoming)
        _lock(belongs)
        said = _understood(incoming, belongs)
        customer = belongs.account.customer if belongs.account else None
        message.account, message.answers = belongs.account, belongs.notice
        message.customer_id = belongs.customer_ids[0] if len(belongs.customer_ids) == 1 else None
        if message.customer_id is None and customer is not None and not belongs.shared:
            message.customer = customer
        message.intent, message.language, message.hints = said.intent, said.language[:12], list(said.hints)
        acts = _act(message, belongs, said, actor=_actor(belongs), as_of=as_of, at=at)
        message.save(
            update_fields=[
                "account", "customer", "answers", "intent", "language", "hints", "state", "acts", "answer",
            ]
        )  # fmt: skip
        _tell(message, said, acts, as_of=as_of, at=at)
    return message


def read_again(*, message_id: int, intent: str, actor: str, as_of: date, at: datetime) -> InboundMessage:
    """A person says what the message asks for; what follows from it is done, and what it was taken for is kept.

    Raises ``CannotRead``.
    """
    if intent not in Intent.values:
        raise CannotRead("There is no such reading of a message.", code="invalid")
    with transaction.atomic():
        message = _open(message_id)
        before = message.intent
        if before == intent and intent != Intent.OPT_OUT:
            return message
        _end_pause(message, actor=actor, as_of=as_of, at=at)
        message.intent = intent
        belongs = _as_kept(message)
        _lock(belongs)
        told = Understanding(
            intent, message.language, understanding.CERTAIN, keyword=intent in (Intent.OPT_OUT, Intent.OPT_IN)
        )
        done = list(message.acts)
        acts = _act(message, belongs, told, actor=actor, as_of=as_of, at=at)
        message.acts = list(dict.fromkeys([*done, *acts.done]))
        # Whoever corrects it has it before them: it waits until they say that it is done.
        message.state = State.WAITING
        message.save(update_fields=["intent", "state", "acts", "answer"])
        events.record(
            account_id=message.account_id,
            kind=kinds.MESSAGE_READ_AGAIN,
            actor=actor,
            at=at,
            on=as_of,
            reason=message.get_intent_display(),
            payload={"message": message.pk, "from": before, "to": intent, "acts": acts.done},
        )
    return message


def place(*, message_id: int, account_id: int, actor: str, as_of: date, at: datetime) -> InboundMessage:
    """A person says whose message it is. Nothing follows from that by itself: what it asks for is theirs to do.

    Raises ``CannotRead``.
    """
    with transaction.atomic():
        message = _open(message_id)
        if message.account_id is not None:
            raise CannotRead("This message has its account already.")
        account = Account.objects.select_related("customer").get(pk=account_id)
        cases.lock([account.pk])
        message.account, message.customer = account, account.customer
        message.save(update_fields=["account", "customer"])
        events.record(
            account_id=account.pk,
            kind=kinds.MESSAGE_PLACED,
            actor=actor,
            at=at,
            on=as_of,
            reason=message.get_intent_display(),
            payload={"message": message.pk, "intent": message.intent},
        )
    return message


def finish(*, message_id: int, actor: str, as_of: date, at: datetime) -> InboundMessage:
    """A person has dealt with it; what was paused until then goes on. Raises ``CannotRead``."""
    with transaction.atomic():
        message = _open(message_id)
        _lock(_as_kept(message))
        _end_pause(message, actor=actor, as_of=as_of, at=at)
        message.state, message.done_by, message.done_at = State.DONE, actor[:80], at
        message.save(update_fields=["state", "done_by", "done_at"])
        events.record(
            account_id=message.account_id,
            kind=kinds.MESSAGE_DONE,
            actor=actor,
            at=at,
            on=as_of,
            reason=message.get_intent_display(),
            payload={"message": message.pk, "intent": message.intent},
        )
    return message


def _columns(incoming: Incoming, *, at: datetime) -> dict[str, Any]:
    return {
        "channel": incoming.channel,
        "sender": canonical(incoming.sender, channel=incoming.channel),
        "recipient": incoming.recipient[:254],
        "subject": incoming.subject[:300],
        "text": masked(incoming.text)[0][:MOST_KEPT],  # a card number is not kept
        # The clock of another machine is not believed about the future.
        "received_at": min(incoming.received_at, at),
    }


def _storable(incoming: Incoming) -> Incoming:
    """Without what is no text to the database: NUL, and halves of characters."""
    names = ("gateway", "provider_ref", "sender", "recipient", "subject", "text")
    clean = {name: getattr(incoming, name).replace("\x00", "").encode("utf-8", "replace").decode() for name in names}
    return replace(incoming, **clean)


def _understood(incoming: Incoming, belongs: Belongs) -> Understanding:
    if incoming.automatic:
        return Understanding(incoming.automatic, "", understanding.CERTAIN)
    hint = belongs.account.customer.language if belongs.account else ""
    if not hint and belongs.customer_ids:
        hint = Customer.objects.values_list("language", flat=True).get(pk=belongs.customer_ids[0])
    return understanding.understand(
        incoming.text,
        subject=incoming.subject if incoming.channel == "email" else "",
        language_hint=hint,
        languages=understanding.standard_words(),
    )


def _act(
    message: InboundMessage, belongs: Belongs, said: Understanding, *, actor: str, as_of: date, at: datetime
) -> Acts:
    acts = Acts(message, belongs, said, actor, as_of, at)
    acts.take()
    message.acts, message.answer = acts.done, acts.template or message.answer
    message.state = State.WAITING if acts.waits else State.ACTED
    return acts


def _tell(message: InboundMessage, said: Understanding, acts: Acts, *, as_of: date, at: datetime) -> None:
    """The timeline, and whoever must react: ids and codes, never the words."""
    events.record(
        account_id=message.account_id,
        kind=kinds.MESSAGE_RECEIVED,
        actor=acts.actor,
        at=at,
        on=as_of,
        reason=message.get_intent_display(),
        payload={
            "message": message.pk,
            "channel": message.channel,
            "intent": message.intent,
            "also": list(said.also),
            "language": message.language,
            "confidence": said.confidence,
            "hints": message.hints,
            "acts": message.acts,
            "waits": acts.waits,
        },
        react=message.account_id is not None,
    )


def _actor(belongs: Belongs) -> str:
    return f"customer:{belongs.account.customer.ref}" if belongs.known and belongs.account else ACTOR


def _lock(belongs: Belongs) -> None:
    """Every account of everybody at that address: what is waiting for them is looked at, and perhaps withdrawn."""
    accounts = set(Account.objects.filter(customer__in=belongs.customer_ids).values_list("pk", flat=True))
    if belongs.account is not None:
        accounts.add(belongs.account.pk)
    cases.lock(accounts)


def _open(message_id: int) -> InboundMessage:
    message = (
        InboundMessage.objects.select_for_update(of=("self",))
        .select_related("account__customer", "answers__account__customer")
        .filter(pk=message_id)
        .first()
    )
    if message is None:
        raise CannotRead("There is no such message.", code="not_found")
    if message.state == State.DONE:
        raise CannotRead("Somebody has finished with this message already.")
    return message


def _as_kept(message: InboundMessage) -> Belongs:
    """Where the message belongs, as it was found when it came; a person has looked, so it is known."""
    everybody, addresses = holders(message.sender, channel=message.channel)
    own = (message.customer_id,) if message.customer_id else everybody
    return Belongs(own, message.account, message.answers, addresses, known=message.account is not None)


def _end_pause(message: InboundMessage, *, actor: str, as_of: date, at: datetime) -> None:
    pause = Hold.objects.filter(ref=hold_ref(message), lifted_on=None).values_list("pk", flat=True).first()
    if pause is not None:
        holds.lift(hold_id=pause, actor=actor, as_of=as_of, at=at, reason="somebody has looked at the message")
