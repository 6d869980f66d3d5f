"""The seal over the history: a hash chain over batches of events, and the proof that nothing was touched.

Each seal holds the ids of its events, the SHA-256 of each, and a hash over those and the seal before it. Writers of
events share an advisory lock until they commit (migration 0002); the sealer takes it alone for a moment, so that behind
the last id it reads no event can still appear.

The proof is worked out in the database, stretches of seals side by side where workers are asked for: one row a seal
comes back, so that it needs the same memory for any number of events. Only where something differs is the batch walked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import pairwise, takewhile
from typing import NamedTuple

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

CHANGED = "changed"
#: Seals in which an event that changed is looked for; where more are wrong, nothing simply changed places.
MOST_LOOKED_THROUGH = 100

#: Seals that are proven with one statement: about a second's work.
STRETCH = 20

#: What of an event is sealed: every column, in a form that only depends on the values and keeps them apart (JSON, so
#: that no text can be moved over into the column beside it).
_DIGEST_AS = """
    sha256(convert_to(jsonb_build_array({id}, e.account_id, e.kind, e.actor,
        (extract(epoch FROM e.at) * 1000000)::bigint, e."on", e.reason, e.policy, e.payload)::text, 'UTF8'))
"""
_DIGEST = _DIGEST_AS.format(id="e.id")


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
    #: Events behind the last seal: written, and proven by nothing yet.
    unsealed: int = field(default=0, compare=False)

    @property
    def ok(self) -> bool:
        return self.first_problem is None


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain as somebody keeps it: so many events, the last of them, and the hash over them all."""

    events: int
    last_event_id: int
    hash: bytes
    given_at: datetime


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


#: Told while it goes on: events and seals proven so far, and of how many seals at the most.
Progress = Callable[[int, int, int], None]


def verify(*, heads: Sequence[Head] = (), workers: int = 1, say: Progress | None = None) -> Verdict:
    """Recompute the whole chain, and name the first problem. Sees what is committed when it comes by.

    It stops there, but for an event that was changed: what is wrong behind it tells whether it changed places.
    With ``heads`` the chain must also contain exactly those: whoever owns the database can rewrite every seal, and not
    what others keep. With ``workers`` so many connections share the work.
    """
    ends = _stretches()
    events = seals = 0
    problem: Problem | None = None
    wrong: list[_Wrong] = []
    # Rows of an open transaction are seen by its own connection alone.
    with _side_by_side(1 if connection.in_atomic_block else min(workers, len(ends))) as each:
        for found in each(_prove, list(pairwise([START, *ends]))):
            wrong += found.wrong
            if problem is None:
                events, seals = events + found.events, seals + found.seals
                problem = _problem(wrong[0]) if wrong else None
            if problem is not None and problem.kind != CHANGED:
                break
            if say is not None:
                say(events, seals, len(ends) * STRETCH)
    if problem is not None and problem.kind == CHANGED:
        problem = _moved(problem, wrong)
    if problem is None:
        problem = next(filter(None, map(_missing, heads)), None)
    return Verdict(events, seals, problem, _unsealed())


class _Wrong(NamedTuple):
    """A seal that does not prove: where the one before it ended, and whether it fits into the chain at all."""

    seal: int
    behind: int
    fits: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """What is proven in a stretch up to the first seal that is wrong, and every one that is."""

    events: int
    seals: int
    wrong: list[_Wrong]


_Pair = tuple[int, int]
_Each = Callable[[Callable[[_Pair], _Found], list[_Pair]], Iterator[_Found]]


@contextmanager
def _side_by_side(workers: int) -> Iterator[_Each]:
    """``map``, in this thread or in several that have a connection each; what was not begun at the end is let go."""
    if workers <= 1:
        yield lambda act, over: map(act, over)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        yield lambda act, over: pool.map(partial(_and_close, act), over)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _and_close(act: Callable[[_Pair], _Found], over: _Pair) -> _Found:
    try:
        return act(over)
    finally:
        connection.close()


def _stretches() -> list[int]:
    """The key of the last seal of every stretch: one number for some hundred thousand events."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(id) FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM accounts_seal) s "
            "GROUP BY place / %s ORDER BY 1",
            [STRETCH],
        )
        return [last for (last,) in cursor.fetchall()]


#: A seal is as long as the rows it is held against, and one more: a batch whose end was moved reads no further.
_PROVE = f"""
    SELECT s.id, coalesce(b.last_event_id, {START}), cardinality(s.event_ids),
           coalesce(s.previous = coalesce(b.hash, %(genesis)s)
               AND sha256(s.previous || convert_to(array_to_string(s.event_ids, ','), 'UTF8') || s.digests) = s.hash
               AND s.first_event_id = s.event_ids[1]
               AND s.last_event_id = s.event_ids[cardinality(s.event_ids)], false),
           coalesce(r.ids = s.event_ids AND r.digests = s.digests, false)
      FROM accounts_seal s
      LEFT JOIN LATERAL (
            SELECT p.hash, p.last_event_id FROM accounts_seal p WHERE p.id < s.id ORDER BY p.id DESC LIMIT 1
           ) b ON true
     CROSS JOIN LATERAL (
            SELECT array_agg(n.id ORDER BY n.id) AS ids, string_agg(n.digest, ''::bytea ORDER BY n.id) AS digests
              FROM (SELECT e.id, {_DIGEST} AS digest FROM accounts_accountevent e
                     WHERE e.id > coalesce(b.last_event_id, {START}) AND e.id <= s.last_event_id
                     ORDER BY e.id LIMIT cardinality(s.event_ids) + 1) n
           ) r
     WHERE s.id > %(after)s AND s.id <= %(upto)s
     ORDER BY s.id
"""


def _prove(stretch: _Pair) -> _Found:
    """The seals behind the first key up to the second, in order."""
    after, upto = stretch
    with connection.cursor() as cursor:
        cursor.execute(_PROVE, {"genesis": GENESIS, "after": after, "upto": upto})
        rows = cursor.fetchall()
    wrong = [_Wrong(pk, behind, fits) for pk, behind, _, fits, same in rows if not (fits and same)]
    sound = list(takewhile(lambda row: row[3] and row[4], rows))
    return _Found(sum(row[2] for row in sound), len(sound) + bool(wrong), wrong)


def _problem(wrong: _Wrong) -> Problem:
    """What is wrong with a seal that does not fit, or with the events under it."""
    sealed = Seal.objects.get(pk=wrong.seal)
    if not wrong.fits:
        return Problem(sealed.first_event_id, "broken_chain", f"seal {sealed.pk} does not fit")
    return _walk(sealed, wrong.behind) or Problem(
        sealed.first_event_id, "broken_chain", f"seal {sealed.pk} was written while it was read"
    )


def _moved(problem: Problem, wrong: Sequence[_Wrong]) -> Problem:
    """The same, or that the event changed places, where its content was sealed as another that is wrong as well."""
    nearby = [one.seal for one in wrong[:MOST_LOOKED_THROUGH]]
    if problem.event_id is None or (was := _sealed_as(problem.event_id, nearby)) is None:
        return problem
    return Problem(problem.event_id, "reordered", f"what stands here was sealed as event {was}")


def _walk(sealed: Seal, after: int) -> Problem | None:
    """Walk the sealed ids and the rows that are there side by side."""
    digests = bytes(sealed.digests)
    rows = _rows(after, sealed.last_event_id, len(sealed.event_ids) + 1)
    found = next(rows, None)
    for place, pk in enumerate(sealed.event_ids):
        if found is not None and found[0] < pk:
            return Problem(found[0], "inserted", "an event that no seal knows stands among sealed ones")
        if found is None or found[0] > pk:
            return Problem(pk, "removed", "a sealed event is gone")
        if found[1] != digests[place * 32 : place * 32 + 32]:
            return Problem(pk, CHANGED, "the event differs from what was sealed")
        found = next(rows, None)
    if found is not None:
        return Problem(found[0], "inserted", "an event that no seal knows stands among sealed ones")
    return None


def _rows(after: int, upto: int, most: int) -> Iterator[tuple[int, bytes]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.id, {_DIGEST} FROM accounts_accountevent e "
            "WHERE e.id > %s AND e.id <= %s ORDER BY e.id LIMIT %s",
            [after, upto, most],
        )
        rows = [(pk, bytes(digest)) for pk, digest in cursor.fetchall()]
    return iter(rows)


def _sealed_as(event_id: int, seals: Sequence[int]) -> int | None:
    """As which event under these seals the content of this row was sealed, if it is not there any more."""
    as_another = _DIGEST_AS.format(id="c.id")
    for pk in seals:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT s.event_ids, s.digests, (SELECT string_agg({as_another}, ''::bytea ORDER BY c.place) "
                "FROM unnest(s.event_ids) WITH ORDINALITY c(id, place)) "
                "FROM accounts_seal s CROSS JOIN accounts_accountevent e WHERE s.id = %s AND e.id = %s",
                [pk, event_id],
            )
            ids, sealed, as_it_stands = cursor.fetchone()
        for place, was in enumerate(ids):
            digest = sealed[place * 32 : place * 32 + 32]
            if digest == as_it_stands[place * 32 : place * 32 + 32] and not _stands(was):
                return int(was)
    return None


def _stands(event_id: int) -> bool:
    """Whether that event still reads as it was sealed: then another that reads the same did not come from there."""
    found = standing([event_id]).get(event_id)
    return found is not None and found.as_sealed


def _missing(head: Head) -> Problem | None:
    """What is wrong where the chain does not contain the head exactly as it was given out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.hash, (SELECT sum(cardinality(b.event_ids)) FROM accounts_seal b WHERE b.id <= s.id) "
            "FROM accounts_seal s WHERE s.last_event_id = %s",
            [head.last_event_id],
        )
        found = cursor.fetchone()
    if found is not None and (bytes(found[0]), int(found[1])) == (head.hash, head.events):
        return None
    detail = f"the chain was written anew: the head given out on {head.given_at:%Y-%m-%d %H:%M} UTC is not in it"
    return Problem(head.last_event_id, "head_missing", detail)


def _unsealed() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM accounts_accountevent WHERE id > (SELECT coalesce(max(last_event_id), %s) "
            "FROM accounts_seal)",
            [START],
        )
        return int(cursor.fetchone()[0])


@dataclass(frozen=True, slots=True)
class Standing:
    """How an event stands: under which seal, and whether it reads as it was sealed."""

    seal: int | None
    digest: bytes
    as_sealed: bool


def standing(event_ids: Sequence[int]) -> dict[int, Standing]:
    """Each of these events with its seal, and its digest held against the sealed one. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT e.id, s.id, d.digest, substring(s.digests FROM (s.place - 1) * 32 + 1 FOR 32) = d.digest
                  FROM accounts_accountevent e
                 CROSS JOIN LATERAL (SELECT {_DIGEST} AS digest) d
                  LEFT JOIN LATERAL (
                        SELECT n.id, n.digests, array_position(n.event_ids, e.id) AS place
                          FROM (SELECT * FROM accounts_seal a WHERE a.last_event_id >= e.id
                                 ORDER BY a.last_event_id LIMIT 1) n
                       ) s ON s.place IS NOT NULL
                 WHERE e.id = ANY(%s)""",
            [list(event_ids)],
        )
        return {pk: Standing(seal, bytes(digest), bool(same)) for pk, seal, digest, same in cursor.fetchall()}


def seals_of(event_ids: Sequence[int]) -> dict[int, int]:
    """The seal over each of these events, as far as there is one. One query."""
    if not event_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.id, s.id FROM unnest(%s::bigint[]) AS e(id) CROSS JOIN LATERAL (SELECT a.id, a.event_ids "
            "FROM accounts_seal a WHERE a.last_event_id >= e.id ORDER BY a.last_event_id LIMIT 1) s "
            "WHERE e.id = ANY(s.event_ids)",
            [list(event_ids)],
        )
        return dict(cursor.fetchall())
