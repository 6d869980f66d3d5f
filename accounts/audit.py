"""The seal over the history: a hash chain over batches of events, and the proof that nothing was touched.

Each seal holds the ids of its events, the SHA-256 of each, and a hash over those and the seal before it. Writers of
events share an advisory lock until they commit (migration 0002); the sealer takes it alone for a moment, so that behind
the last id it reads no event can still appear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from accounts.models import Seal

#: The advisory lock of migration 0002.
WRITERS = 7301001
BATCH = 5_000
TURNS, TURN_MILLISECONDS = 5, 1_000
GENESIS = bytes(32)

#: Before every id there can be.
START = -(2**63)

#: What of an event is sealed: every column, in a form that only depends on the values and keeps them apart (JSON, so
#: that no text can be moved over into the column beside it).
_DIGEST = """
    sha256(convert_to(jsonb_build_array(e.id, e.account_id, e.kind, e.actor,
        (extract(epoch FROM e.at) * 1000000)::bigint, e."on", e.reason, e.policy, e.payload)::text, 'UTF8'))
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing found wrong: which event, and how."""

    event_id: int | None
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    events: int
    seals: int
    first_problem: Problem | None

    @property
    def ok(self) -> bool:
        return self.first_problem is None


def seal(*, at: datetime) -> int:
    """Seal every event committed so far; how many were. Safe beside writers and other sealers.

    While the sealer waits for its moment new writers wait behind it, so it waits in short turns; where a long
    transaction leaves it none, the events are sealed by the next call.
    """
    upto = next((found for _ in range(TURNS) if (found := _highest()) is not None), None)
    sealed = 0
    while upto is not None and (count := _seal_batch(upto, at)):
        sealed += count
    return sealed


def _highest() -> int | None:
    """The highest id below which no event can appear any more; none when there is no event, or no moment for it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = %s", [TURN_MILLISECONDS])
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WRITERS])
            cursor.execute("SELECT coalesce(max(id), 0) FROM accounts_accountevent")
            return int(cursor.fetchone()[0])
    except OperationalError as problem:
        if not isinstance(problem.__cause__, LockNotAvailable):
            raise
        return None


def _seal_batch(upto: int, at: datetime) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE accounts_seal IN SHARE ROW EXCLUSIVE MODE")
        last = Seal.objects.order_by("-pk").values_list("last_event_id", "hash").first()
        after, previous = (last[0], bytes(last[1])) if last else (START, GENESIS)
        cursor.execute(
            f"SELECT e.id, {_DIGEST} FROM accounts_accountevent e "
            "WHERE e.id > %s AND e.id <= %s ORDER BY e.id LIMIT %s",
            [after, upto, BATCH],
        )
        rows = cursor.fetchall()
        if not rows:
            return 0
        ids = [pk for pk, _ in rows]
        digests = b"".join(bytes(digest) for _, digest in rows)
        Seal.objects.create(
            event_ids=ids,
            digests=digests,
            previous=previous,
            hash=_chain(previous, ids, digests),
            first_event_id=ids[0],
            last_event_id=ids[-1],
            sealed_at=at,
        )
        return len(rows)


def _chain(previous: bytes, ids: list[int], digests: bytes) -> bytes:
    return hashlib.sha256(previous + ",".join(map(str, ids)).encode() + digests).digest()


def verify() -> Verdict:
    """Recompute the whole chain, a batch at a time; stops at the first problem, which it names."""
    events = seals = 0
    previous, reached = GENESIS, START
    for sealed in Seal.objects.order_by("pk").iterator(chunk_size=20):
        seals += 1
        digests = bytes(sealed.digests)
        if bytes(sealed.previous) != previous or _chain(previous, sealed.event_ids, digests) != bytes(sealed.hash):
            return Verdict(
                events, seals, Problem(sealed.first_event_id, "broken_chain", f"seal {sealed.pk} does not fit")
            )
        if problem := _check_batch(sealed, digests, reached):
            return Verdict(events, seals, problem)
        events += len(sealed.event_ids)
        previous, reached = bytes(sealed.hash), sealed.last_event_id
    return Verdict(events, seals, None)


def _check_batch(sealed: Seal, digests: bytes, after: int) -> Problem | None:
    """Walk the sealed ids and the rows that are there side by side."""
    rows = _rows(after, sealed.last_event_id)
    found = next(rows, None)
    for place, pk in enumerate(sealed.event_ids):
        if found is not None and found[0] < pk:
            return Problem(found[0], "inserted", "an event that no seal knows stands among sealed ones")
        if found is None or found[0] > pk:
            return Problem(pk, "removed", "a sealed event is gone")
        if found[1] != digests[place * 32 : place * 32 + 32]:
            return Problem(pk, "changed", "the event differs from what was sealed")
        found = next(rows, None)
    if found is not None:
        return Problem(found[0], "inserted", "an event that no seal knows stands among sealed ones")
    return None


def _rows(after: int, upto: int) -> Iterator[tuple[int, bytes]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.id, {_DIGEST} FROM accounts_accountevent e WHERE e.id > %s AND e.id <= %s ORDER BY e.id",
            [after, upto],
        )
        rows = [(pk, bytes(digest)) for pk, digest in cursor.fetchall()]
    return iter(rows)
