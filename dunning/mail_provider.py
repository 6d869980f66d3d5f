"""E-mail through a mail provider's own interface, by ``django-anymail``: one gateway for whichever provider it knows.

Not among ``gateways`` because the library stands on Django's mail and settings. Providers take no key of ours that they
de-duplicate by, so a request whose answer got lost is not repeated. The key travels with the message as metadata and
comes back with what the provider tells later.
"""

from __future__ import annotations

import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from anymail.exceptions import (
    AnymailAPIError,
    AnymailConfigurationError,
    AnymailError,
    AnymailRecipientsRefused,
    AnymailRequestsAPIError,
)
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.utils.module_loading import import_string

from dunning.gateways.base import Enclosure, Message, NotTaken, Outcome, Unclear
from dunning.gateways.http_json import MAY_HAVE_REACHED_THE_PROVIDER, NOT_ABOUT_THIS_ONE
from dunning.gateways.receipts import LONGEST_DETAIL, Receipt, ReceiptState
from dunning.gateways.smtp import message_id

#: The name under which our key travels.
KEY = "desk_key"

_ENDS: dict[str, ReceiptState] = {
    "delivered": "delivered", "bounced": "bounced", "rejected": "bounced", "failed": "failed",
}  # fmt: skip
#: The customer asks not to be written to.
_OBJECTIONS = frozenset({"complained", "unsubscribed"})


@dataclass(frozen=True, slots=True)
class Provider:
    """``anymail://postmark?server_token=…``: the provider, what its sender and what its callback are set up with."""

    name: str
    sending: dict[str, str]
    calling_back: dict[str, str]

    @classmethod
    def from_url(cls, url: str) -> Provider:
        """Options are the library's own, those of callbacks begin with ``webhook_``. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme != "anymail" or not parts.netloc.replace("_", "").isalnum():
            raise ValueError("A mail provider is given as anymail://name?option=value")
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        return cls(
            parts.netloc,
            {name: value for name, value in options.items() if not name.startswith("webhook_")},
            {name: value for name, value in options.items() if name.startswith("webhook_")},
        )


def open_mail_provider(url: str, *, sender: str) -> MailProviderGateway:
    """Raises ValueError for a provider that the library does not know, or one that lacks an option."""
    provider = Provider.from_url(url)
    try:
        backend = import_string(f"anymail.backends.{provider.name}.EmailBackend")
        timeout = float(provider.sending.get("timeout", "20"))
        return MailProviderGateway(backend(**{**provider.sending, "timeout": timeout}), sender=sender)
    except (ImportError, AnymailConfigurationError) as problem:
        raise ValueError(f"The mail provider {provider.name!r} cannot be used: {problem}") from problem


class MailProviderGateway:
    """Hands mails to a provider's interface, one request each on a kept connection."""

    knows_keys = False

    def __init__(self, backend: Any, *, sender: str) -> None:
        self._backend, self._sender = backend, sender

    def hand_over(self, message: Message, /) -> Outcome:
        mail: Any = EmailMultiAlternatives(
            subject=" ".join(message.subject.split()),
            body=message.text,
            from_email=self._sender,
            to=[message.to],
            headers={
                "Message-ID": message_id(message.key, self._sender.rstrip(">")),
                "Auto-Submitted": "auto-generated",
                "X-Auto-Response-Suppress": "OOF, AutoReply",
                **_unsubscribing(message),
            },
        )
        if message.html is not None:
            mail.attach_alternative(message.html, "text/html")
        if message.attachment:
            mail.attach(f"{message.ref}.pdf", message.attachment, "application/pdf")
        for one in message.enclosures:
            mail.attach(_part(one))
        mail.metadata = {KEY: message.key}
        mail.track_opens = mail.track_clicks = False
        try:
            self._backend.open()
            self._backend.send_messages([mail])
        except AnymailRecipientsRefused as refused:
            return Outcome("unreachable", None, _said(refused))
        except AnymailRequestsAPIError as problem:
            return self._refusal(problem)
        except (AnymailAPIError, smtplib.SMTPException) as problem:
            raise Unclear(_said(problem)) from problem
        except (AnymailError, ValueError) as problem:
            return Outcome("rejected", None, f"cannot be written as an e-mail: {_said(problem)}")
        return self._outcome(mail.anymail_status)

    def close(self) -> None:
        self._backend.close()

    def _outcome(self, told: Any) -> Outcome:
        """What an answer said of the one recipient."""
        said = set(told.status or ())
        if said & {"invalid", "rejected"}:
            return Outcome("unreachable", _reference(told.message_id), "the provider does not write to this address")
        if "failed" in said:
            return Outcome("rejected", _reference(told.message_id), "the provider cannot send it")
        if not said & {"sent", "queued"}:
            raise Unclear("the provider's answer does not say what became of it")
        return Outcome("accepted", _reference(told.message_id))

    def _refusal(self, problem: Any) -> Outcome:
        """What an answer, or its absence, means for a repeat."""
        status = getattr(getattr(problem, "response", None), "status_code", None) or problem.status_code
        if status is None:
            cause = problem.__cause__
            if isinstance(cause, requests.ConnectTimeout) or _never_left(cause):
                raise NotTaken(_said(problem)) from problem
            raise Unclear(_said(problem)) from problem
        if status in MAY_HAVE_REACHED_THE_PROVIDER or 200 <= status < 300:
            raise Unclear(_said(problem)) from problem
        if status in NOT_ABOUT_THIS_ONE or status >= 500 or status < 400:
            raise NotTaken(_said(problem)) from problem
        return Outcome("rejected", None, _said(problem))


def _unsubscribing(message: Message) -> dict[str, str]:
    if not message.unsubscribe_url:
        return {}
    return {
        "List-Unsubscribe": f"<{message.unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _part(one: Enclosure) -> MIMEBase:
    kind, _, subtype = one.media_type.partition("/")
    part = MIMEBase(kind, subtype)
    part.set_payload(one.content)
    encode_base64(part)
    part.add_header("Content-Disposition", "inline" if one.content_id else "attachment", filename=one.name)
    if one.content_id:
        part["Content-ID"] = f"<{one.content_id}>"
    return part


def _never_left(cause: BaseException | None) -> bool:
    """Whether the connection was never made: the library's word for that is the innermost of three exceptions."""
    while cause is not None:
        if type(cause).__name__ == "NewConnectionError":
            return True
        inner = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else None
        cause = getattr(inner, "reason", None) or cause.__context__
    return False


def _reference(given: Any) -> str | None:
    return given[:120] if isinstance(given, str) else None


def _said(problem: BaseException) -> str:
    """The first lines without the payload: it names the customer."""
    response = getattr(problem, "response", None)
    body = " ".join(response.text.split()) if response is not None else ""
    words = " ".join(str(part) for part in problem.args) or type(problem).__name__
    return " ".join(f"{getattr(response, 'status_code', '')} {words} {body}".split())[:LONGEST_DETAIL]


# What the provider tells later ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class News:
    """Of one callback: what became of messages, and the keys of those whose readers want no more of them."""

    receipts: tuple[Receipt, ...]
    objections: tuple[str, ...]


def is_provider(name: str) -> bool:
    """Whether the settings send e-mail through this provider."""
    url = settings.GATEWAYS["email"]["url"]
    return url.startswith("anymail://") and Provider.from_url(url).name == name


def read_callback(request: HttpRequest, *, at: datetime) -> News:
    """The news of a provider's callback that came ``at``, after the library has checked that it is the provider's.

    Raises ``django.core.exceptions.SuspiciousOperation`` where it is not, ValueError where it cannot be read.
    """
    view = _callback_view(settings.GATEWAYS["email"]["url"])
    view.run_validators(request)
    try:
        events: Sequence[Any] = view.parse_events(request)
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"not a callback of this provider: {problem!r}") from problem
    receipts, objections = [], []
    for event in events:
        key = (event.metadata or {}).get(KEY)
        if event.event_type in _ENDS and (key or event.message_id):
            receipts.append(
                Receipt(
                    key=key,
                    provider_ref=event.message_id,
                    state=_ENDS[event.event_type],
                    at=event.timestamp or at,
                    detail=(event.mta_response or event.description or event.reject_reason or "")[:LONGEST_DETAIL],
                )
            )
        if event.event_type in _OBJECTIONS and key:
            objections.append(key)
    return News(tuple(receipts), tuple(objections))


@cache
def _callback_view(url: str) -> Any:
    provider = Provider.from_url(url)
    backend = import_string(f"anymail.backends.{provider.name}.EmailBackend")
    kind = "Combined" if provider.name == "mandrill" else "Tracking"
    view = import_string(f"anymail.webhooks.{provider.name}.{backend.esp_name.replace(' ', '')}{kind}WebhookView")
    if not provider.calling_back:
        raise ValueError("Callbacks of the mail provider cannot be proved: name a webhook_ option")
    return view(**provider.calling_back)
