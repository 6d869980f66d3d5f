"""Text messages through a provider's HTTP interface.

POST, JSON: `key, to, text, language, ref, sender`; headers `Idempotency-Key` and `X-Signature: sha256=<HMAC of the
body>`. The provider answers `{"id": "…"}` and sends the receipt later.
"""

from __future__ import annotations

from dunning.gateways.base import Message, Outcome
from dunning.gateways.http_json import JsonPost


class SmsHttpGateway:
    """Hands text messages to a provider that de-duplicates by `Idempotency-Key`."""

    knows_keys = True

    def __init__(
        self, url: str, *, secret: str, sender: str = "", timeout_seconds: float = 10.0, proxy: str | None = None
    ) -> None:
        self._post = JsonPost(url, secret=secret, timeout_seconds=timeout_seconds, proxy=proxy)
        self._sender = sender

    def hand_over(self, message: Message, /) -> Outcome:
        answer = self._post.send(
            {
                "key": message.key,
                "to": message.to,
                "text": message.text,
                "language": message.language,
                "ref": message.ref,
                "sender": self._sender,
            },
            key=message.key,
        )
        provider_ref = answer.text("id", "message_id")
        return Outcome("accepted" if answer.taken else "rejected", provider_ref, answer.detail)

    def close(self) -> None:
        self._post.close()
