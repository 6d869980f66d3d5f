"""One look at the floor for everybody who watches it in this process: taken when the last one is too old, kept for all.

What takes long to count in a long queue is counted seldom: never for more than a twentieth of the time. Each look says
when that was. No connection to the database is held between two looks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from django.db import connection

from agents import floor
from agents.floor import Depths, Look, Works

#: Two looks are so far apart.
EVERY = timedelta(seconds=2)
#: Gateways and what is stuck change more slowly.
WORKS_EVERY = timedelta(seconds=10)
#: What took a second is not counted again for so many.
RESTS = 20


class Watch:
    """The latest look, and what was made of it for those who see the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._look: Look | None = None
        self._depths: tuple[Depths, timedelta] | None = None
        self._works: tuple[Works, timedelta] | None = None
        self._made: dict[Any, Any] = {}

    def look(self, *, at: datetime) -> Look:
        """How the floor stands, not older than ``EVERY``. Whoever comes while somebody looks waits for that look."""
        with self._lock:
            if self._look is None or not timedelta(0) <= at - self._look.at < EVERY:
                self._look = self._take(at)
                self._made.clear()
            return self._look

    def made(self, look: Look, key: Any, make: Callable[[], Any]) -> Any:
        """What ``make`` makes of that look, once for all with the same ``key``."""
        key = (look.at, key)
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def forget(self) -> None:
        """Look anew the next time: somebody changed something and wants to see it. What is counted seldom stays."""
        with self._lock:
            self._look = None
            if self._depths is not None and self._depths[1] == EVERY:
                self._depths = None

    def forget_all(self) -> None:
        """As in a process that has not looked yet."""
        with self._lock:
            self._look = self._depths = self._works = None

    def _take(self, at: datetime) -> Look:
        if self._depths is None or _is_old(self._depths[0].at, at, self._depths[1]):
            begun = perf_counter()
            depths = floor.depths(at=at)
            self._depths = depths, max(EVERY, timedelta(seconds=RESTS * (perf_counter() - begun)))
        if self._works is None or _is_old(self._works[0].at, at, self._works[1]):
            begun = perf_counter()
            works = floor.works(at=at)
            self._works = works, max(WORKS_EVERY, timedelta(seconds=RESTS * (perf_counter() - begun)))
        return floor.look(at=at, depths=self._depths[0], works=self._works[0])


def _is_old(taken: datetime, at: datetime, rests: timedelta) -> bool:
    return not timedelta(0) <= at - taken < rests


def let_go_of_the_database() -> None:
    """Between two looks nobody needs this thread's connection; within a transaction it is somebody else's."""
    if not connection.in_atomic_block:
        connection.close()


#: Of this process.
FLOOR = Watch()
