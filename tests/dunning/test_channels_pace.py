"""How fast a channel hands over, by all workers together, and what is kept of how it fares."""

from __future__ import annotations

import multiprocessing
import socket
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from dunning.channel_health import ChannelHealth
from dunning.gateways.patience import CircuitBreaker
from dunning.pacing import Pace

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def nowhere() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"redis://127.0.0.1:{probe.getsockname()[1]}/0"


def turns(desk: str, redis_url: str, count: int) -> None:
    pace = Pace("sms", 100, redis_url=redis_url, desk=desk)
    for _ in range(count):
        pace.wait()
    pace.close()


def test_several_workers_together_keep_the_pace_of_one():
    desk = str(uuid.uuid4())
    context = multiprocessing.get_context("fork")
    begun = time.monotonic()
    workers = [context.Process(target=turns, args=(desk, settings.REDIS_URL, 25)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    took = time.monotonic() - begun
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    assert took >= 0.95


def test_a_lost_redis_stops_nobody_and_each_paces_itself():
    waited: list[float] = []
    pace = Pace("sms", 1, redis_url=nowhere(), desk="a", sleep=waited.append)
    for _ in range(5):
        pace.wait()
    # What is waited is what the turns before it left, less the time that this took.
    assert waited == pytest.approx([1, 2, 3, 4], abs=0.9)


def test_after_a_pause_nobody_waits_and_no_turns_were_saved_up():
    waited: list[float] = []
    pace = Pace("sms", 1, redis_url=settings.REDIS_URL, sleep=waited.append, desk=str(uuid.uuid4()))
    pace.wait()
    time.sleep(1.1)
    pace.wait()
    assert waited == []
    pace.wait()
    assert waited == pytest.approx([1], abs=0.9)


def test_a_pace_of_nothing_is_refused():
    with pytest.raises(ValueError, match="pace"):
        Pace("sms", 0, redis_url=settings.REDIS_URL, desk="a")


def test_what_one_worker_learns_of_a_channel_the_next_begins_with():
    desk = str(uuid.uuid4())
    first, second = (ChannelHealth(settings.REDIS_URL, desk=desk) for _ in range(2))
    breaker = CircuitBreaker()
    first.note_success("sms", at=NOW)
    for minute in range(5):
        breaker.note_failure(at=NOW + timedelta(minutes=minute))
        first.note_failure("sms", breaker, "503 busy", at=NOW + timedelta(minutes=minute))
    told = second.of(["sms", "email"])
    opened = NOW + timedelta(minutes=4)
    assert (told["sms"].failures, told["sms"].detail, told["sms"].succeeded_at) == (5, "503 busy", NOW)
    assert told["sms"].state(at=opened) == "open"
    assert not told["sms"].breaker().lets_through(at=opened + timedelta(seconds=10))
    assert told["sms"].breaker().lets_through(at=opened + timedelta(minutes=1))
    assert (told["email"].failures, told["email"].state(at=NOW)) == (0, "closed")
    second.note_success("sms", at=opened)
    assert first.of(["sms"])["sms"].state(at=opened) == "closed"


def test_a_lost_redis_keeps_nothing_and_says_so_by_an_empty_account():
    health = ChannelHealth(nowhere(), desk="a")
    health.note_success("sms", at=NOW)
    health.note_failure("sms", CircuitBreaker(failures=9), "x", at=NOW)
    assert health.of(["sms"])["sms"].failures == 0
