"""When to try again, and when to leave a failing far side alone for a while. Pure: the moment is an argument."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)


def backoff(
    attempt: int, *, key: str = "", first: timedelta = FIRST_WAIT, longest: timedelta = LONGEST_WAIT
) -> timedelta:
    """How long to wait after the `attempt`-th failure (1 is the first): doubling, capped, the upper half spread by the
    key.

    The spread comes from the key and the attempt, not from chance: a thousand messages that failed together do not
    return together, and the same message is due at the same moment whoever asks.
    """
    if attempt < 1:
        raise ValueError("attempts are counted from 1")
    doublings = min(attempt - 1, 32)
    whole = min(first * 2**doublings, longest)
    digest = hashlib.sha256(f"{key}:{attempt}".encode()).digest()
    spread = int.from_bytes(digest[:4], "big") / 2**32
    return timedelta(seconds=round(whole.total_seconds() * (0.5 + spread / 2), 3))


@dataclass(slots=True)
class CircuitBreaker:
    """Closed: let through. Open after `limit` failures in a row: nothing goes for `rest`. Then half open: one may
    try.
    """

    limit: int = 5
    rest: timedelta = timedelta(minutes=1)
    failures: int = 0
    opened_at: datetime | None = None
    trying_since: datetime | None = None

    def state(self, *, at: datetime) -> Literal["closed", "open", "half_open"]:
        if self.opened_at is None:
            return "closed"
        return "half_open" if at >= self.opened_at + self.rest else "open"

    def lets_through(self, *, at: datetime) -> bool:
        """Whether one hand-over may go now. Half open, only the first to ask may; if it never reports, another may
        after `rest`.
        """
        state = self.state(at=at)
        if state != "half_open":
            return state == "closed"
        if self.trying_since is not None and at < self.trying_since + self.rest:
            return False
        self.trying_since = at
        return True

    def note_success(self) -> None:
        self.failures, self.opened_at, self.trying_since = 0, None, None

    def note_failure(self, *, at: datetime) -> None:
        """`NotTaken` and `Unclear` count; a rejected message is an answer, not a failure."""
        self.failures += 1
        if self.failures >= self.limit or self.opened_at is not None:
            self.opened_at, self.trying_since = at, None

    def free_at(self) -> datetime | None:
        """When the next one may try; None while closed."""
        return self.opened_at + self.rest if self.opened_at is not None else None
