"""What the far side tells later: signed delivery receipts.

The body is one receipt, a list of them, or `{"receipts": [...]}`. A receipt names our `key` or the provider's `id`,
a `state` (delivered, bounced, failed), the moment `at` with its offset, and optionally a `detail`. The same receipt
twice says nothing new, so a replayed body does no harm and needs no nonce.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

ReceiptState = Literal["delivered", "bounced", "failed"]
STATES: frozenset[str] = frozenset({"delivered", "bounced", "failed"})
MOST_RECEIPTS = 10_000
LONGEST_DETAIL = 300


class ReceiptRefused(ValueError):
    """The body is no receipt; the message says what is wrong and where. Nothing of it is used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What became of one hand-over; `key` or `provider_ref` is there. `at` is in UTC."""

    key: str | None
    provider_ref: str | None
    state: ReceiptState
    at: datetime
    detail: str = ""


def signature_of(body: bytes, secret: str) -> str:
    """HMAC-SHA256 of the exact bytes, in hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verify_signature(body: bytes, signature: str, secret: str) -> bool:
    """Whether `signature` (hex, with or without `sha256=`) was made over these bytes; an empty secret verifies
    nothing.
    """
    if not secret:
        return False
    given = signature.strip().removeprefix("sha256=").lower()
    return hmac.compare_digest(given.encode(), signature_of(body, secret).encode())


def parse_receipt(body: bytes) -> list[Receipt]:
    """All receipts of a body, in its order. Raises `ReceiptRefused` if any one of them is not right."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise ReceiptRefused("the body is not JSON") from problem
    if isinstance(content, dict) and "receipts" in content:
        content = content["receipts"]
    rows = content if isinstance(content, list) else [content]
    if len(rows) > MOST_RECEIPTS:
        raise ReceiptRefused(f"more than {MOST_RECEIPTS} receipts in one body")
    return [_receipt(row, place) for place, row in enumerate(rows, start=1)]


def _receipt(row: object, place: int) -> Receipt:
    if not isinstance(row, dict):
        raise ReceiptRefused(f"receipt {place}: not an object")
    key = _text(row, "key", place)
    provider_ref = _text(row, "provider_ref", place) or _text(row, "id", place)
    if not key and not provider_ref:
        raise ReceiptRefused(f"receipt {place}: neither key nor id")
    state = _text(row, "state", place)
    if state not in STATES:
        raise ReceiptRefused(f"receipt {place}: state must be one of {', '.join(sorted(STATES))}")
    return Receipt(
        key=key,
        provider_ref=provider_ref,
        state=cast(ReceiptState, state),
        at=_moment(_text(row, "at", place), place),
        detail=(_text(row, "detail", place) or "")[:LONGEST_DETAIL],
    )


def _text(row: dict[str, object], name: str, place: int) -> str | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    # PostgreSQL stores no NUL, and a number is no reference.
    if not isinstance(value, str) or "\x00" in value:
        raise ReceiptRefused(f"receipt {place}: {name} must be text")
    return value


def _moment(value: str | None, place: int) -> datetime:
    try:
        moment = datetime.fromisoformat(value or "")
    except ValueError as problem:
        raise ReceiptRefused(f"receipt {place}: at must be a moment in ISO 8601") from problem
    if moment.tzinfo is None:
        raise ReceiptRefused(f"receipt {place}: at must name its offset from UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError as problem:
        raise ReceiptRefused(f"receipt {place}: at is out of range") from problem
