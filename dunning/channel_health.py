"""How each channel fares: its last success, its failures in a row, until when it rests. Kept in Redis, for all workers.

What is kept here may be lost: then the breakers of ``patience`` begin closed, and the page shows nothing yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dunning.gateways.patience import CircuitBreaker

#: What nobody noted for so long is forgotten.
_KEPT_SECONDS = 7 * 86_400
LONGEST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Health:
    """One channel as all workers found it."""

    channel: str
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None
    #: Since the last success.
    failures: int = 0
    detail: str = ""
    opened_at: datetime | None = None

    def breaker(self) -> CircuitBreaker:
        """As the last worker left it."""
        return CircuitBreaker(failures=self.failures, opened_at=self.opened_at)

    def state(self, *, at: datetime) -> str:
        """closed: it hands over. open: it rests. half_open: the next one tries."""
        return self.breaker().state(at=at)


class ChannelHealth:
    """Notes and tells; says nothing, and raises nothing, while Redis does not answer."""

    def __init__(self, redis_url: str, *, desk: str) -> None:
        once = Retry(NoBackoff(), 0)
        self._kept = redis.Redis.from_url(
            redis_url, socket_connect_timeout=1, socket_timeout=1, retry=once, decode_responses=True
        )
        self._prefix = f"desk:{desk}:channel:"
        self._lost = False

    def note_success(self, channel: str, *, at: datetime) -> None:
        self._note(channel, {"succeeded_at": at.isoformat(), "failures": "0", "detail": "", "opened_at": ""})

    def note_failure(self, channel: str, breaker: CircuitBreaker, detail: str, *, at: datetime) -> None:
        opened = breaker.opened_at.isoformat() if breaker.opened_at else ""
        self._note(
            channel,
            {
                "failed_at": at.isoformat(),
                "failures": str(breaker.failures),
                "detail": detail[:LONGEST_DETAIL],
                "opened_at": opened,
            },
        )

    def of(self, channels: Collection[str]) -> dict[str, Health]:
        """One call for all of them; an unknown channel is one nobody has used."""
        try:
            asked = self._kept.pipeline(transaction=False)
            for channel in channels:
                asked.hgetall(f"{self._prefix}{channel}")
            told: list[Any] = asked.execute()
        except redis.RedisError:
            told = [{} for _ in channels]
        return {channel: _health(channel, row) for channel, row in zip(channels, told, strict=True)}

    def close(self) -> None:
        self._kept.close()

    def _note(self, channel: str, told: dict[Any, Any]) -> None:
        if self._lost:
            return
        try:
            noted = self._kept.pipeline(transaction=True)
            noted.hset(f"{self._prefix}{channel}", mapping=told)
            noted.expire(f"{self._prefix}{channel}", _KEPT_SECONDS)
            noted.execute()
        except redis.RedisError:
            self._lost = True  # for the rest of this pass: it must not wait a second for each message


def _health(channel: str, row: Mapping[str, str]) -> Health:
    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(row[name]) if row.get(name) else None

    return Health(
        channel,
        succeeded_at=moment("succeeded_at"),
        failed_at=moment("failed_at"),
        failures=int(row.get("failures") or 0),
        detail=row.get("detail", ""),
        opened_at=moment("opened_at"),
    )
