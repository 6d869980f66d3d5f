"""A telephone system that dials for an agent, asked by webhook.

POST, JSON: `key, action, agent, to, caller, ref`, with the headers of `sms_http`; `action` is `dial` or `hang_up`,
`agent` the login of whose telephone rings first, `ref` the account. The system answers `{"id": "…"}` and tells the
rest to `/api/v1/callbacks/cti/` under the same `key`: ringing, answered, ended, failed. The same key again is the same
call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dunning.gateways.base import Outcome
from dunning.gateways.http_json import JsonPost

NO_SUCH_NUMBER = frozenset({410, 422})
"""The number does not exist, or cannot be dialled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dial:
    """One call that a person wants placed, or ended."""

    key: str
    """Ours, unique and stable: asked for twice, it is placed once."""
    action: Literal["dial", "hang_up"]
    agent: str
    to: str
    ref: str


class CtiHttpGateway:
    """Asks a telephone system that de-duplicates by `Idempotency-Key`."""

    knows_keys = True

    def __init__(
        self, url: str, *, secret: str, caller: str = "", timeout_seconds: float = 5.0, proxy: str | None = None
    ) -> None:
        # A person waits: five seconds are long.
        self._post = JsonPost(url, secret=secret, timeout_seconds=timeout_seconds, proxy=proxy)
        self._caller = caller

    def hand_over(self, dial: Dial, /) -> Outcome:
        answer = self._post.send(
            {
                "key": dial.key,
                "action": dial.action,
                "agent": dial.agent,
                "to": dial.to,
                "caller": self._caller,
                "ref": dial.ref,
            },
            # Dialling and hanging up are two requests about one call.
            key=dial.key if dial.action == "dial" else f"{dial.key}.{dial.action}",
        )
        provider_ref = answer.text("id", "call_id")
        if answer.taken:
            return Outcome("accepted", provider_ref)
        return Outcome("unreachable" if answer.status in NO_SUCH_NUMBER else "rejected", provider_ref, answer.detail)

    def close(self) -> None:
        self._post.close()
