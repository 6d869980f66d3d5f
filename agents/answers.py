"""What customers write back, as agents work it: tasks in the queue, callbacks, and the box of what waits.

A message that a person must see becomes a task; one that asks for a call is a callback too, one in which somebody may
be in danger goes above everything else. A message is on its account's side of the team wall; one that nobody could
place is for supervisors.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db.models import Case, IntegerField, QuerySet, Value, When

from accounts.models import Account, AccountEvent
from accounts.models.fields import DESK_PREFIX
from agents import queue, rights
from agents.models import Agent, Interaction, WorkItem
from dunning import inbound, understanding
from dunning.models import InboundMessage

ACTOR = "desk:answers"
Intent = InboundMessage.Intent

#: What waits for a person.
WAITING = (InboundMessage.State.NEW, InboundMessage.State.WAITING)

#: What an agent reads in the queue.
_REASONS = {
    Intent.OPT_OUT: "Seems to ask us to stop: decide within a working day",
    Intent.PAID: "Says it is paid: check",
    Intent.CALL_ME: "Asks for a call",
    Intent.DISPUTE: "Contests a bill: ask which and why",
    Intent.CANNOT_PAY: "Cannot pay: speak about a plan",
    Intent.WRONG_PERSON: "Says they are not the customer: verify the address",
}


def take(news: Sequence[AccountEvent], as_of: date, at: datetime) -> None:
    """Messages that came: those that a person must see get a task, and those that ask for it a callback."""
    for event in news:
        account_id, told = event.account_id, event.payload
        if account_id is None or not told["waits"]:
            continue
        if told["intent"] == Intent.CALL_ME:
            _note_callback(told["message"])
        crisis = understanding.CRISIS in told["hints"]
        reason = _REASONS.get(told["intent"], "Wrote to us: read it")
        queue.enqueue(
            account_ids=[account_id],
            reason=f"{'Words of a crisis' if crisis else reason} ({InboundMessage.Channel(told['channel']).label})",
            kind=WorkItem.Kind.TASK,
            as_of=as_of,
            at=at,
            actor=ACTOR,
        )
        # Also where it had a place already: what was written may move it up.
        queue.rescore(account_ids=[account_id], as_of=as_of, at=at)


def waiting(user: Any) -> QuerySet[InboundMessage]:
    """What waits for a person and the user may see: a crisis first, then the newest."""
    urgent = Case(
        When(hints__contains=[understanding.CRISIS], then=Value(0)), default=Value(1), output_field=IntegerField()
    )
    return visible(user).filter(state__in=WAITING).order_by(urgent, "-pk")


def visible(user: Any) -> QuerySet[InboundMessage]:
    """Every message on the user's side of the team wall; of those that nobody could place, supervisors see all."""
    messages = InboundMessage.objects.select_related("account__customer", "answers")
    if rights.sees_all_teams(user):
        return messages
    return messages.filter(account__in=rights.visible_accounts(user))


def of_account(account: Account) -> QuerySet[InboundMessage]:
    """What the account's customer wrote, the newest first."""
    return InboundMessage.objects.filter(account=account).select_related("answers").order_by("-pk")


def finish(*, message_id: int, agent: Agent, as_of: date, at: datetime) -> InboundMessage:
    """Done: it leaves the box. Raises ``dunning.inbound.CannotRead``."""
    message = inbound.finish(message_id=message_id, actor=rights.actor(agent), as_of=as_of, at=at)
    _rescore(message, as_of=as_of, at=at)
    return message


def read_again(*, message_id: int, intent: str, agent: Agent, as_of: date, at: datetime) -> InboundMessage:
    """What it really asks for; what follows from that is done. Raises ``dunning.inbound.CannotRead``."""
    before = InboundMessage.objects.values_list("intent", flat=True).filter(pk=message_id).first()
    message = inbound.read_again(message_id=message_id, intent=intent, actor=rights.actor(agent), as_of=as_of, at=at)
    if intent == Intent.CALL_ME and before != intent:
        _note_callback(message.pk)
    _rescore(message, as_of=as_of, at=at)
    return message


def place(*, message_id: int, account: str, agent: Agent, as_of: date, at: datetime) -> InboundMessage:
    """Whose message it is, by the account's id. Raises ``dunning.inbound.CannotRead``."""
    found = rights.visible_accounts(agent).filter(ref=account.strip()).values_list("pk", flat=True).first()
    if found is None:
        raise inbound.CannotRead(f"There is no account {account.strip()[:64]}.", code="not_found")
    message = inbound.place(message_id=message_id, account_id=found, actor=rights.actor(agent), as_of=as_of, at=at)
    _rescore(message, as_of=as_of, at=at)
    return message


def opt_out(*, message_id: int, agent: Agent, as_of: date, at: datetime) -> InboundMessage:
    """They mean stop: everything automatic ends, and the message is done. Raises ``dunning.inbound.CannotRead``."""
    inbound.read_again(message_id=message_id, intent=Intent.OPT_OUT, actor=rights.actor(agent), as_of=as_of, at=at)
    return finish(message_id=message_id, agent=agent, as_of=as_of, at=at)


def _note_callback(message_id: int) -> None:
    """A wish for a call is an inbound contact with a callback due from the moment it came."""
    message = InboundMessage.objects.get(pk=message_id)
    if message.account_id is None:
        return
    Interaction.objects.get_or_create(
        ref=f"{DESK_PREFIX}inbound-{message.pk}",
        defaults={
            "account_id": message.account_id,
            "kind": message.channel,
            "direction": Interaction.Direction.INBOUND,
            "disposition": "asked_for_a_call",
            "number": message.sender[:40] if message.channel == InboundMessage.Channel.SMS else "",
            "at": message.received_at,
            "callback_at": message.received_at,
        },
    )


def _rescore(message: InboundMessage, *, as_of: date, at: datetime) -> None:
    if message.account_id is not None:
        queue.rescore(account_ids=[message.account_id], as_of=as_of, at=at)
