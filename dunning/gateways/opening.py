"""A gateway from the URL in the settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dunning.gateways.base import Gateway, Message, NetworkOrder
from dunning.gateways.letters_folder import LettersFolderGateway
from dunning.gateways.letters_sftp import Host, LettersSftpGateway
from dunning.gateways.memory import MemoryGateway
from dunning.gateways.network_http import NetworkHttpGateway
from dunning.gateways.print_run import PrintHouse
from dunning.gateways.push_http import PushHttpGateway
from dunning.gateways.sms_http import SmsHttpGateway
from dunning.gateways.sms_smpp import Centre, SmppGateway
from dunning.gateways.smtp import Relay, SmtpGateway
from dunning.gateways.voice_http import VoiceHttpGateway


def open_message_gateway(
    url: str,
    *,
    channel: str,
    now: Callable[[], datetime],
    secret: str = "",
    sender: str = "",
    list_unsubscribe: str | None = None,
) -> Gateway[Message] | PrintHouse:
    """email: `smtp://`, `smtps://`; sms: `https://`, `http://`, `smpp://`, `smpps://`; letter: `file:///folder`,
    `sftp://`; in_app and voice: `https://`, `http://`; any: `memory://`.

    Nothing is connected yet. Raises ValueError, with what is wrong, for a URL that the channel cannot use.
    """
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return MemoryGateway()
    if channel == "email" and scheme in {"smtp", "smtps"}:
        return SmtpGateway(Relay.from_url(url), sender=sender, now=now, list_unsubscribe=list_unsubscribe)
    if channel == "sms" and scheme in {"http", "https"}:
        return SmsHttpGateway(url, secret=secret, sender=sender)
    if channel == "sms" and scheme in {"smpp", "smpps"}:
        return SmppGateway(Centre.from_url(url), sender=sender)
    if channel == "letter" and scheme == "file":
        return LettersFolderGateway(Path(unquote(urlsplit(url).path)))
    if channel == "letter" and scheme == "sftp":
        return LettersSftpGateway(Host.from_url(url))
    if channel == "in_app" and scheme in {"http", "https"}:
        return PushHttpGateway(url, secret=secret)
    if channel == "voice" and scheme in {"http", "https"}:
        return VoiceHttpGateway(url, secret=secret, caller=sender)
    raise ValueError(f"The channel {channel!r} has no gateway for {scheme!r} URLs")


def open_network_gateway(url: str, *, secret: str = "") -> Gateway[NetworkOrder]:
    """`https://`, `http://`, or `memory://`. Raises ValueError for anything else."""
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return MemoryGateway()
    if scheme in {"http", "https"}:
        return NetworkHttpGateway(url, secret=secret)
    raise ValueError(f"The network has no gateway for {scheme!r} URLs")
