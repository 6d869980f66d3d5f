"""Accounts that somebody lost to another: told at their next page, by whom. Kept in the cache, for a shift.

Losing it loses a courtesy: the heartbeat of a page that is still open says the same from the rows.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.cache import cache
from redis.exceptions import RedisError

_KEPT = timedelta(hours=12)
#: Nobody is told of more at once.
_MOST = 10


@dataclass(frozen=True, slots=True)
class LostClaim:
    account_ref: str
    taken_by: str
    at: datetime


def tell(agent_id: int, *, account_ref: str, taken_by: str, at: datetime) -> None:
    """Keep it until the agent's next page."""
    earlier: list[LostClaim] = [row for row in waiting(agent_id) if row.account_ref != account_ref]
    with suppress(RedisError):
        cache.set(_key(agent_id), [*earlier, LostClaim(account_ref, taken_by, at)][-_MOST:], _KEPT.total_seconds())


def waiting(agent_id: int) -> list[LostClaim]:
    """What the agent has not been told yet, oldest first."""
    with suppress(RedisError):
        return cache.get(_key(agent_id)) or []
    return []


def take(agent_id: int) -> list[LostClaim]:
    """What the agent is to be told, once."""
    found = waiting(agent_id)
    if found:
        with suppress(RedisError):
            cache.delete(_key(agent_id))
    return found


def _key(agent_id: int) -> str:
    return f"lost-claims-{agent_id}"
