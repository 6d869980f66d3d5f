"""The gateways of a pass, from what the settings name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from dunning.channel_health import ChannelHealth
from dunning.confirming import Agreements, nothing_agreed
from dunning.contact import nobody_talked
from dunning.contact_facts import Talks
from dunning.gateways.opening import open_message_gateway, open_network_gateway
from dunning.gateways.patience import CircuitBreaker
from dunning.mail_provider import open_mail_provider
from dunning.outbox import OutboxGateway
from dunning.pacing import Pace

#: Channels on which notices leave, in the order of their lists.
CHANNELS = ("sms", "email", "letter", "in_app", "voice")


@dataclass(slots=True)
class Roads:
    """The gateways of a pass. ``careful`` asks the contact gate and the market's hours; ``replay`` does not."""

    messages: Mapping[str, Any]
    network: Any
    careful: bool = True
    #: Who knows of calls: the room above.
    talks: Talks = nobody_talked
    #: Who knows how agreements stand: the room above.
    agreements: Agreements = nothing_agreed
    #: These packs alone, where a replay names some.
    only_packs: tuple[str, ...] | None = None
    breakers: dict[str, CircuitBreaker] = field(default_factory=lambda: defaultdict(CircuitBreaker))
    #: Where the fate of each channel is kept for all workers; None keeps nothing.
    health: ChannelHealth | None = None
    #: Channels that may hand over so many a second.
    paces: Mapping[str, Pace] = field(default_factory=dict)

    def wait_for_turn(self, channel: str) -> None:
        """Sleeps where the channel has a pace: never inside a transaction."""
        if channel in self.paces:
            self.paces[channel].wait()

    def note_success(self, channel: str, *, at: datetime) -> None:
        self.breakers[channel].note_success()
        if self.health is not None:
            self.health.note_success(channel, at=at)

    def note_failure(self, channel: str, detail: str, *, at: datetime) -> None:
        breaker = self.breakers[channel]
        breaker.note_failure(at=at)
        if self.health is not None:
            self.health.note_failure(channel, breaker, detail, at=at)

    def close(self) -> None:
        for road in (*self.messages.values(), self.network, *self.paces.values()):
            road.close()
        if self.health is not None:
            self.health.close()


def roads_from_settings(
    *, now: Callable[[], datetime], talks: Talks = nobody_talked, agreements: Agreements = nothing_agreed
) -> Roads:
    """The gateways that the settings name; ``outbox`` keeps a channel inside the desk."""
    messages = {channel: _message_road(channel, now=now) for channel in CHANNELS}
    chosen = settings.GATEWAYS["network"]
    network: Any = (
        OutboxGateway("network", now=now)
        if chosen["url"] == "outbox"
        else open_network_gateway(chosen["url"], secret=chosen.get("secret", ""))
    )
    health = ChannelHealth(settings.REDIS_URL, desk=desk_name())
    known = health.of([*CHANNELS, "network"])
    breakers = defaultdict(CircuitBreaker, {channel: told.breaker() for channel, told in known.items()})
    return Roads(
        messages, network, talks=talks, agreements=agreements, breakers=breakers, health=health, paces=_paces()
    )


def mail_road(*, now: Callable[[], datetime]) -> Any:
    """The way out for e-mail alone, for what is no notice."""
    return _message_road("email", now=now)


def _message_road(channel: str, *, now: Callable[[], datetime]) -> Any:
    chosen = settings.GATEWAYS[channel]
    sender = settings.DESK_OPERATOR["email"] if channel == "email" else settings.DESK_OPERATOR["name"]
    if chosen["url"] == "outbox":
        return OutboxGateway(channel, now=now)
    if channel == "email" and chosen["url"].startswith("anymail://"):
        return open_mail_provider(chosen["url"], sender=sender)
    if channel == "voice":
        sender = settings.DESK_OPERATOR["phone"]
    return open_message_gateway(chosen["url"], channel=channel, now=now, secret=chosen.get("secret", ""), sender=sender)


def desk_name() -> str:
    """What tells this desk from another one on the same Redis: its database."""
    return str(connection.settings_dict["NAME"])


def _paces() -> dict[str, Pace]:
    return {
        channel: Pace(channel, chosen["per_second"], redis_url=settings.REDIS_URL, desk=desk_name())
        for channel, chosen in settings.GATEWAYS.items()
        if chosen.get("per_second")
    }
