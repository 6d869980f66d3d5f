"""A message in the operator's app, pushed by webhook.

POST, JSON: `key, to, title, text, language, ref`, with the headers of `sms_http`; `to` is the customer's account, the
app knows the devices. The app answers `{"id": "…"}` and may send a receipt when the message was shown.
"""

from __future__ import annotations

from dunning.gateways.base import Message, Outcome
from dunning.gateways.http_json import JsonPost

GONE = 410
"""Nobody has the app any more."""


class PushHttpGateway:
    """Hands messages to an app's backend that de-duplicates by `Idempotency-Key`."""

    knows_keys = True

    def __init__(self, url: str, *, secret: str, timeout_seconds: float = 10.0, proxy: str | None = None) -> None:
        self._post = JsonPost(url, secret=secret, timeout_seconds=timeout_seconds, proxy=proxy)

    def hand_over(self, message: Message, /) -> Outcome:
        answer = self._post.send(
            {
                "key": message.key,
                "to": message.ref,
                "title": message.subject,
                "text": message.text,
                "language": message.language,
                "ref": message.ref,
            },
            key=message.key,
        )
        provider_ref = answer.text("id", "message_id")
        if answer.taken:
            return Outcome("accepted", provider_ref)
        return Outcome("unreachable" if answer.status == GONE else "rejected", provider_ref, answer.detail)

    def close(self) -> None:
        self._post.close()
