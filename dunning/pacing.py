"""How fast a channel may hand over: so many a second, by all workers together.

The workers share one clock in Redis. A lost Redis stops nothing: each process then keeps the pace by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

#: The next free moment moves on by one interval; how long to wait for it, in milliseconds. By Redis' own clock.
_TURN = """
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
local free = math.max(at, tonumber(redis.call('GET', KEYS[1]) or '0'))
redis.call('SET', KEYS[1], string.format('%.3f', free + tonumber(ARGV[1])), 'PX', 600000)
return tostring(free - at)
"""
#: After Redis did not answer, it is left alone for so long.
_ALONE_SECONDS = 30.0


class Pace:
    """Turns of one channel. ``wait`` sleeps until the caller's turn: never call it inside a transaction."""

    def __init__(
        self,
        channel: str,
        per_second: float,
        *,
        redis_url: str,
        desk: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_second <= 0:
            raise ValueError("A pace is more than nothing a second")
        self._interval = 1.0 / per_second
        self._key = f"desk:{desk}:pace:{channel}"
        self._sleep = sleep
        once = Retry(NoBackoff(), 0)
        self._shared = redis.Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=1, retry=once)
        self._turn = self._shared.register_script(_TURN)
        self._alone_until = 0.0
        self._free = 0.0

    def wait(self) -> None:
        seconds = self._turn_shared()
        if seconds is None:
            seconds = self._turn_alone()
        if seconds > 0:
            self._sleep(seconds)

    def close(self) -> None:
        self._shared.close()

    def _turn_shared(self) -> float | None:
        if time.monotonic() < self._alone_until:
            return None
        try:
            return float(self._turn(keys=[self._key], args=[self._interval * 1000])) / 1000
        except redis.RedisError:
            self._alone_until = time.monotonic() + _ALONE_SECONDS
            return None

    def _turn_alone(self) -> float:
        now = time.monotonic()
        mine = max(now, self._free)
        self._free = mine + self._interval
        return mine - now
