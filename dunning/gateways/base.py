"""What is handed over to the outside world, and what comes back.

A hand-over ends in one of three ways, and the difference decides whether it may be repeated:

* an `Outcome`: the far side has answered, and the answer is final for this hand-over;
* `NotTaken`: the far side certainly does not have it, trying again is safe;
* `Unclear`: the far side may have it. Trying again is safe only where `knows_keys` says that our key is de-duplicated
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeVar

Channel = Literal["sms", "email", "letter", "in_app", "voice"]
Rung = Literal["active", "throttled", "outgoing_barred", "suspended", "disconnected"]
OutcomeState = Literal["accepted", "delivered", "rejected", "unreachable", "confirmed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Enclosure:
    """A file that goes with an e-mail; one with a `content_id` is shown where the HTML says `cid:` and that."""

    name: str
    media_type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One notice to one customer on one channel, worded and addressed."""

    key: str
    """Ours, unique and stable: the same notice has the same key however often it is handed over."""
    channel: str
    to: str
    subject: str
    text: str
    html: str | None = None
    language: str
    attachment: bytes | None = None
    """A PDF: the letter itself on the channel `letter`, an enclosure on `email`."""
    enclosures: tuple[Enclosure, ...] = ()
    """Of an e-mail: pictures that its HTML shows, and files beside it."""
    unsubscribe_url: str = ""
    """Of an e-mail: one POST to it, without anything else, ends the subscription (RFC 8058)."""
    sheets: int = 0
    """Of a letter: how many sheets of paper; 0 where nobody counted."""
    paper: str = ""
    country: str = ""
    """Of a letter: ISO code of the country it goes to, which sets the postage."""
    allowed_from: datetime | None = None
    """Of a call: not before this moment, and not after `allowed_until`."""
    allowed_until: datetime | None = None
    ref: str
    """What a person would quote: printed in lists, never used to de-duplicate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkOrder:
    """One request to bring one service to a rung."""

    key: str
    service_ref: str
    account_ref: str
    rung: Rung
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the far side said about one hand-over.

    accepted: it has it and will do its part. delivered: it reached the customer. confirmed: the network has done it.
    rejected: it will never take this one. unreachable: it took it, and nobody can be reached at that address.
    """

    state: OutcomeState
    provider_ref: str | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """A message from a customer, as a gateway received it; the same ``provider_ref`` again is the same message."""

    gateway: str
    """By what road it came: the channel's name in the settings."""
    provider_ref: str
    channel: str
    sender: str
    """The number or address as the far side wrote it."""
    recipient: str
    text: str
    subject: str = ""
    received_at: datetime
    references: tuple[str, ...] = ()
    """Message ids of a mail that this one answers, the nearest last."""
    automatic: Literal["", "auto_reply", "bounce"] = ""
    """What the headers of a mail say of who wrote it: a machine is never answered."""


class NotTaken(Exception):
    """The far side certainly did not take it: refused connection, 429, 5xx before acceptance, or a configuration it
    turns away.
    """

    def __init__(self, detail: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class Unclear(Exception):
    """Nobody can know whether it was taken: the line went dead after the content had left."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


Handed = TypeVar("Handed", contravariant=True)


class Gateway(Protocol[Handed]):
    """A road out of the house. Not shared between threads; `close` may be called twice."""

    knows_keys: bool
    """Whether the far side de-duplicates by our key, so that an unclear hand-over may be repeated."""

    def hand_over(self, handed: Handed, /) -> Outcome:
        """Raises `NotTaken` or `Unclear`, and nothing else for what the far side may do."""
        ...

    def close(self) -> None: ...
