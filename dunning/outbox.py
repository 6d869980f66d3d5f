"""The local counterpart of every gateway: keeps what would have left the house, for demos and for installations without
a provider yet. Storing is part of the transaction that notes the hand-over, so it can neither be lost nor doubled.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import datetime

from dunning.gateways.base import Message, NetworkOrder, Outcome
from dunning.models import OutboxMessage


class OutboxGateway:
    """Takes every message and order; e-mail and letters are accepted, the rest arrives at once."""

    knows_keys = True

    def __init__(self, channel: str, *, now: Callable[[], datetime]) -> None:
        self.channel, self.now = channel, now

    def hand_over(self, handed: Message | NetworkOrder, /) -> Outcome:
        return self.hand_over_many([handed])[0]

    def hand_over_many(self, handed: Sequence[Message | NetworkOrder]) -> list[Outcome]:
        """Keep all of them in one statement; the same key again is answered as before and kept once."""
        OutboxMessage.objects.bulk_create([self._row(one) for one in handed], ignore_conflicts=True, batch_size=500)
        return [self._answer(one) for one in handed]

    def _row(self, handed: Message | NetworkOrder) -> OutboxMessage:
        if isinstance(handed, NetworkOrder):
            return OutboxMessage(
                key=handed.key,
                channel="network",
                account_ref=handed.account_ref,
                to=handed.service_ref,
                subject=handed.rung,
                text=handed.reason,
                received_at=self.now(),
            )
        return OutboxMessage(
            key=handed.key,
            channel=handed.channel,
            account_ref=handed.ref,
            to=handed.to,
            subject=handed.subject,
            text=handed.text,
            html=_with_pictures(handed),
            language=handed.language,
            attachment=handed.attachment,
            received_at=self.now(),
        )

    def _answer(self, handed: Message | NetworkOrder) -> Outcome:
        reference = f"outbox:{handed.key}"
        if isinstance(handed, NetworkOrder):
            return Outcome("confirmed", reference)
        return Outcome("accepted" if handed.channel in ("email", "letter") else "delivered", reference)

    def close(self) -> None:
        """Nothing is open."""


def _with_pictures(message: Message) -> str:
    """The HTML with what it shows inside: here is no mail that its pictures could be beside."""
    html = message.html or ""
    for one in message.enclosures:
        if one.content_id:
            inside = f"data:{one.media_type};base64,{b64encode(one.content).decode('ascii')}"
            html = html.replace(f"cid:{one.content_id}", inside)
    return html
