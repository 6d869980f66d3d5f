"""Telling others of events: calls are written as rows with the reactions, signed, and made afterwards with patience.

A call carries the event's id; whoever gets the same id twice has been told before. Its body is one JSON object, and
``X-Signature: sha256=…`` is the HMAC-SHA256 of these exact bytes under the webhook's secret. Any 2xx says it was taken;
everything else is tried again, each time later, and after the last time kept as a dead letter that a person may send
again.

The desk stands in the operator's network, so an address is looked up and refused where it is private, and then that
very address is connected to: a name that answers differently the second time gains nothing.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.db import connection, transaction

from accounts.models import AccountEvent
from accounts.refusals import Refused
from agents.models import Webhook, WebhookCall
from collections_desk.resource import moment
from dunning.gateways.receipts import signature_of

#: How long after each failure it is tried again; after the last one nobody tries any more.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 720, 1440))
#: While somebody tries a call, nobody else does; whoever dies trying leaves it to be taken again.
LEASE = timedelta(minutes=5)
TIMEOUT_SECONDS = 10.0
BATCH = 50
LONGEST_REASON = 300


class CannotReach(Refused):
    """The address is none that may be called."""

    code = "invalid"


def queue_for(events: Iterable[AccountEvent], *, at: datetime) -> int:
    """Write the calls that those events ask for, in the caller's transaction; how many. Again, it writes nothing."""
    listening = list(Webhook.objects.filter(active=True))
    if not listening:
        return 0
    calls = [
        WebhookCall(webhook=webhook, event=event, send_at=at)
        for event in events
        for webhook in listening
        if event.kind.startswith(tuple(webhook.events))
    ]
    WebhookCall.objects.bulk_create(calls, ignore_conflicts=True, batch_size=1_000)
    return len(calls)


def send_due(at: datetime) -> int:
    """Make the calls that are due at that moment; how many were taken. Any number of processes may do so at once."""
    taken = 0
    with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False) as client:
        while batch := _take(at):
            for call in batch:
                reason = _call(client, call, at)
                _note(call, reason, at=at)
                taken += not reason
    return taken


def send_again(call_id: int, *, at: datetime) -> bool:
    """Give a dead letter another round; whether it was one."""
    return bool(
        WebhookCall.objects.filter(pk=call_id, state=WebhookCall.State.DEAD).update(
            state=WebhookCall.State.PENDING, attempts=0, send_at=at, finished_at=None
        )
    )


def body_of(event: AccountEvent) -> bytes:
    """What is told: the event as the audit shows it. No personal data is in events, so none is here."""
    told = {
        "event_id": event.pk,
        "kind": event.kind,
        "account_id": event.account.ref if event.account else None,
        "actor": event.actor,
        "at": moment(event.at),
        "on": event.on.isoformat(),
        "reason": event.reason,
        "policy": event.policy,
        "payload": event.payload,
    }
    return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def checked_url(url: str) -> str:
    """The URL, if it may be called as far as its text says. Raises ``CannotReach``."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise CannotReach("This is no URL.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise CannotReach("A webhook's URL begins with http:// or https:// and names a host.")
    if parts.username is not None or parts.password is not None:
        raise CannotReach("A webhook's URL holds no user or password: its signature is the proof.")
    try:
        httpx.URL(url)
    except httpx.InvalidURL:
        raise CannotReach("This is no URL.") from None
    literal = _address(parts.hostname)
    if literal is not None and not _may_call(literal):
        raise CannotReach("A webhook does not reach into a private network.")
    return url


def _take(at: datetime) -> list[WebhookCall]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE agents_webhookcall SET send_at = %s, attempts = attempts + 1
             WHERE id IN (SELECT c.id FROM agents_webhookcall c JOIN agents_webhook w ON w.id = c.webhook_id
                           WHERE c.state = 'pending' AND c.send_at <= %s AND w.active
                           ORDER BY c.send_at, c.id LIMIT %s FOR UPDATE OF c SKIP LOCKED)
            RETURNING id
            """,
            [at + LEASE, at, BATCH],
        )
        keys = [pk for (pk,) in cursor.fetchall()]
    return list(WebhookCall.objects.select_related("webhook", "event__account").filter(pk__in=keys).order_by("pk"))


def _call(client: httpx.Client, call: WebhookCall, at: datetime) -> str:
    """Make one call; empty when it was taken, else why not."""
    content = body_of(call.event)
    try:
        url, extensions, host = _target(call.webhook.url)
        response = client.post(
            url,
            content=content,
            extensions=extensions,
            headers={
                "Host": host,
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "collections-desk",
                "X-Signature": f"sha256={signature_of(content, call.webhook.secret)}",
                "X-Event": call.event.kind,
                "X-Call": str(call.pk),
                "X-Sent-At": moment(at),
            },
        )
    except (CannotReach, httpx.HTTPError) as problem:
        return f"{type(problem).__name__}: {problem}"
    return "" if response.is_success else f"answered {response.status_code}"


def _target(url: str) -> tuple[httpx.URL, dict[str, Any], str]:
    """The URL by address, what TLS must still be asked for by name, and the Host header. Raises ``CannotReach``."""
    parts = httpx.URL(checked_url(url))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        raise CannotReach(f"{parts.host} is not known: {problem}") from None
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    if not all(_may_call(address) for address in addresses):
        raise CannotReach("A webhook does not reach into a private network.")
    extensions = {"sni_hostname": parts.host} if parts.scheme == "https" else {}
    return parts.copy_with(host=str(addresses[0])), extensions, parts.netloc.decode()


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _may_call(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if getattr(settings, "DESK_WEBHOOK_PRIVATE", False):
        return True
    inner = getattr(address, "ipv4_mapped", None) or address
    return bool(inner.is_global) and not inner.is_multicast


def _note(call: WebhookCall, reason: str, *, at: datetime) -> None:
    if not reason:
        call.state, call.send_at, call.finished_at = WebhookCall.State.SENT, None, at
    elif call.attempts > len(WAITS):
        call.state, call.send_at, call.finished_at = WebhookCall.State.DEAD, None, at
    else:
        call.send_at = at + WAITS[call.attempts - 1]
    call.reason = reason[:LONGEST_REASON]
    call.save(update_fields=["state", "send_at", "finished_at", "reason"])
