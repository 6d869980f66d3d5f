"""A day's run spread over processes of this machine, as Celery spreads it over workers: the same shards, no broker.

For loading the demo and for the benchmarks; an installation has workers.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from types import TracebackType
from typing import Self, TypeVar

from django.db import connections

from agents import calls, confirmations
from collections_desk import journey
from dunning import decide, deliver
from dunning.roads import roads_from_settings
from dunning.sharding import Shard

Answer = TypeVar("Answer")


@dataclass
class Crew:
    """So many processes, each with its own connection; used as a context manager."""

    size: int

    def __enter__(self) -> Self:
        # No connection may cross the fork; all processes start with the first task.
        connections.close_all()
        self._pool = ProcessPoolExecutor(self.size, mp_context=multiprocessing.get_context("fork"))
        self._pool.submit(_ready).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def decide(self, *, as_of: date, at: datetime) -> decide.Tally:
        """``decide.run`` on every shard."""
        tally = decide.Tally()
        for part in self._each(_decide, as_of, at):
            tally.add(part)
        return tally

    def deliver(self, *, as_of: date, at: datetime) -> Counter[str]:
        """``deliver.deliver`` on every shard, through the gateways of the settings."""
        return sum(self._each(_deliver, as_of, at), Counter[str]())

    def _each(self, work: Callable[[date, datetime, Shard], Answer], as_of: date, at: datetime) -> list[Answer]:
        shards = [Shard(number, self.size) for number in range(self.size)]
        return [future.result() for future in [self._pool.submit(work, as_of, at, shard) for shard in shards]]


def _ready() -> bool:
    return True


def _decide(as_of: date, at: datetime, shard: Shard) -> decide.Tally:
    with journey.gathering():
        return decide.run(as_of=as_of, at=at, shard=shard)


def _deliver(as_of: date, at: datetime, shard: Shard) -> Counter[str]:
    roads = roads_from_settings(now=lambda: at, talks=calls.talks_of, agreements=confirmations.standing)
    with journey.gathering():
        return deliver.deliver(as_of=as_of, at=at, roads=roads, shard=shard)
