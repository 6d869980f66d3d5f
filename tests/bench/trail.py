"""The history is sealed and proven, on one connection and on two, beside a bare pass over the same rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, time

from django.db import connection

from accounts import audit
from accounts.models import AccountEvent
from tests.bench import supervised
from tests.bench.floors import timed
from tests.bench.part import Line, apart, say
from tests.bench.strategy import EVE

#: Events of an account.
EVENTS = 10
_NIGHT = datetime.combine(EVE, time(23), tzinfo=UTC)


def measure(accounts: int) -> Iterator[Line]:
    """In a book with accounts; writes the events."""
    supervised.add_events(accounts * EVENTS)
    events = AccountEvent.objects.count()
    floor, _ = apart(_pass_over)
    yield Line("floor: COPY and SHA-256", accounts, events, "events", floor)
    seconds, peak = apart(_seal)
    say(f"  {events:,} events sealed in {seconds:.1f} s")
    yield Line("trail: sealed", accounts, events, "events", seconds, floor, peak_mib=peak)
    for workers in (1, 2):
        (seconds, verdict), peak = apart(prove, workers)
        assert verdict.ok, verdict
        assert verdict.events == events, verdict
        say(f"  {events:,} events proven on {workers} in {seconds:.1f} s")
        yield Line(f"trail: proven on {workers}", accounts, events, "events", seconds, floor, peak_mib=peak)


def prove(workers: int) -> tuple[float, audit.Verdict]:
    """How long it takes, and what it finds."""
    found: list[audit.Verdict] = []
    seconds = timed(lambda: found.append(audit.verify(workers=workers)))
    return seconds, found[0]


def _seal() -> float:
    return timed(lambda: audit.seal(at=_NIGHT))


def _pass_over() -> float:
    return timed(_digest_all)


def _digest_all() -> None:
    """Every column of every event, in order, through one SHA-256: no row apart, nothing compared."""
    whole = hashlib.sha256()
    columns = 'id, account_id, kind, actor, at, "on", reason, policy, payload'
    statement = f"COPY (SELECT {columns} FROM accounts_accountevent ORDER BY id) TO STDOUT"
    with connection.cursor() as cursor, cursor.copy(statement) as out:
        for block in out:
            whole.update(block)
    whole.digest()
