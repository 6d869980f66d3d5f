"""A call that a machine makes and a recorded or synthetic voice speaks, asked of a provider by webhook.

POST, JSON: `key, to, script, language, ref, caller, allowed_from, allowed_until`, with the headers of `sms_http`. The
provider answers `{"id": "…"}`; it must not dial outside the two moments. Later it tells by receipt what became of it:
`delivered` for a call that was answered or left on voicemail (`detail` says which, and the key that was pressed),
`failed` when nobody answered, `bounced` for a number that does not exist.
"""

from __future__ import annotations

from datetime import UTC, datetime

from dunning.gateways.base import Message, Outcome
from dunning.gateways.http_json import JsonPost

NOBODY_THERE = frozenset({410, 422})
"""The number does not exist, or is none that can be called."""


class VoiceHttpGateway:
    """Hands scripts to a provider that de-duplicates by `Idempotency-Key`."""

    knows_keys = True

    def __init__(
        self, url: str, *, secret: str, caller: str = "", timeout_seconds: float = 10.0, proxy: str | None = None
    ) -> None:
        self._post = JsonPost(url, secret=secret, timeout_seconds=timeout_seconds, proxy=proxy)
        self._caller = caller

    def hand_over(self, message: Message, /) -> Outcome:
        answer = self._post.send(
            {
                "key": message.key,
                "to": message.to,
                "script": message.text,
                "language": message.language,
                "ref": message.ref,
                "caller": self._caller,
                "allowed_from": _moment(message.allowed_from),
                "allowed_until": _moment(message.allowed_until),
            },
            key=message.key,
        )
        provider_ref = answer.text("id", "call_id")
        if answer.taken:
            return Outcome("accepted", provider_ref)
        return Outcome("unreachable" if answer.status in NOBODY_THERE else "rejected", provider_ref, answer.detail)

    def close(self) -> None:
        self._post.close()


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at is not None else None
