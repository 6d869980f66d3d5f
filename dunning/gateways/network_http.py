"""Limits and restores, asked of the network's provisioning interface.

POST, JSON: `key, service_ref, account_ref, rung, reason`, with the headers of `sms_http`. The network answers
`{"state": "confirmed", "id": "…"}` when the rung is in effect, `{"state": "accepted"}` when it will report later.
"""

from __future__ import annotations

from dunning.gateways.base import NetworkOrder, Outcome, Unclear
from dunning.gateways.http_json import JsonPost


class NetworkHttpGateway:
    """Hands orders to a network that de-duplicates by `Idempotency-Key`."""

    knows_keys = True

    def __init__(self, url: str, *, secret: str, timeout_seconds: float = 20.0, proxy: str | None = None) -> None:
        self._post = JsonPost(url, secret=secret, timeout_seconds=timeout_seconds, proxy=proxy)

    def hand_over(self, order: NetworkOrder, /) -> Outcome:
        answer = self._post.send(
            {
                "key": order.key,
                "service_ref": order.service_ref,
                "account_ref": order.account_ref,
                "rung": order.rung,
                "reason": order.reason,
            },
            key=order.key,
        )
        provider_ref = answer.text("id", "order_id")
        if not answer.taken:
            return Outcome("rejected", provider_ref, answer.detail)
        state = answer.text("state")
        if state == "confirmed":
            return Outcome("confirmed", provider_ref)
        if state == "rejected":
            return Outcome("rejected", provider_ref, answer.text("detail") or "")
        if state in {"accepted", None}:
            return Outcome("accepted", provider_ref)
        raise Unclear(f"the network answered with a state we do not know: {state!r}")

    def close(self) -> None:
        self._post.close()
