"""A gateway from the URL in the settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dunning.gateways.base import Gateway, Message, NetworkOrder
from dunning.gateways.letters_folder import LettersFolderGateway
from dunning.gateways.memory import MemoryGateway
from dunning.gateways.network_http import NetworkHttpGateway
from dunning.gateways.sms_http import SmsHttpGateway
from dunning.gateways.smtp import Relay, SmtpGateway


def open_message_gateway(
    url: str,
    *,
    channel: str,
    now: Callable[[], datetime],
    secret: str = "",
    sender: str = "",
    list_unsubscribe: str | None = None,
) -> Gateway[Message]:
    """email: `smtp://`, `smtps://`; sms: `https://`, `http://`; letter: `file:///folder`; any: `memory://`.

    Nothing is connected yet. Raises ValueError, with what is wrong, for a URL that the channel cannot use.
    """
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return MemoryGateway()
    if channel == "email" and scheme in {"smtp", "smtps"}:
        return SmtpGateway(Relay.from_url(url), sender=sender, now=now, list_unsubscribe=list_unsubscribe)
    if channel == "sms" and scheme in {"http", "https"}:
        return SmsHttpGateway(url, secret=secret, sender=sender)
    if channel == "letter" and scheme == "file":
        return LettersFolderGateway(Path(unquote(urlsplit(url).path)))
    raise ValueError(f"The channel {channel!r} has no gateway for {scheme!r} URLs")


def open_network_gateway(url: str, *, secret: str = "") -> Gateway[NetworkOrder]:
    """`https://`, `http://`, or `memory://`. Raises ValueError for anything else."""
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return MemoryGateway()
    if scheme in {"http", "https"}:
        return NetworkHttpGateway(url, secret=secret)
    raise ValueError(f"The network has no gateway for {scheme!r} URLs")
