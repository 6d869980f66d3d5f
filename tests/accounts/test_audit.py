"""The seal over the history: what a superuser with the triggers asleep does to it is found and named."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connection, connections, transaction

from accounts import audit, events
from accounts.models import Account, AccountEvent, Seal
from tests.factories import TODAY, make_account, moment


def write(account: Account | None, count: int = 1, reason: str = "") -> list[int]:
    """Events of an account, or of the desk; their ids."""
    row = events.EventRow(account.pk if account else None, "desk.note.added", "agent:nadia", moment(), TODAY, reason)
    events.record_many([row] * count)
    return list(AccountEvent.objects.order_by("-pk").values_list("pk", flat=True)[:count][::-1])


def rewrite(statement: str, *parameters: object) -> None:
    """As a superuser may: for a replica the triggers sleep."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, parameters)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


@pytest.fixture
def ids(db: None, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of nine sealed events in three seals, some of them the desk's own."""
    monkeypatch.setattr(audit, "BATCH", 3)
    account = make_account()
    written = write(account, 4) + write(None, 2) + write(account, 3)
    assert audit.seal(at=moment()) == 9
    assert Seal.objects.count() == 3
    return written


def test_an_untouched_history_is_proven(ids: list[int]) -> None:
    assert audit.verify() == audit.Verdict(events=9, seals=3, first_problem=None)


def test_sealing_again_seals_only_what_is_new(ids: list[int]) -> None:
    assert audit.seal(at=moment()) == 0
    write(make_account(), 2)
    assert audit.seal(at=moment()) == 2
    assert audit.verify() == audit.Verdict(events=11, seals=4, first_problem=None)


def test_events_not_sealed_yet_are_no_problem(ids: list[int]) -> None:
    write(make_account())
    assert audit.verify().ok


def test_an_empty_history_is_sound(db: None) -> None:
    assert audit.seal(at=moment()) == 0
    assert audit.verify() == audit.Verdict(0, 0, None)


CHANGES = {
    "account_id": "account_id = NULL",
    "kind": "kind = 'desk.note.removed'",
    "actor": "actor = 'agent:somebody'",
    "at": "at = at + interval '1 microsecond'",
    "on": "\"on\" = \"on\" + 1",
    "reason": "reason = 'other'",
    "policy": "policy = 'p@2'",
    "payload": "payload = '{\"amount\": \"1\"}'",
}  # fmt: skip


@pytest.mark.parametrize("column", CHANGES)
@pytest.mark.parametrize("place", [0, 2])
def test_a_changed_event_is_named(ids: list[int], column: str, place: int) -> None:
    rewrite(f"UPDATE accounts_accountevent SET {CHANGES[column]} WHERE id = %s", ids[place])
    assert audit.verify().first_problem == audit.Problem(
        ids[place], "changed", "the event differs from what was sealed"
    )


def test_text_moved_into_the_next_column_is_a_change(ids: list[int]) -> None:
    """Digests over columns joined with a separator would not see it."""
    (event,) = write(None, reason="a|b")
    audit.seal(at=moment())
    rewrite("UPDATE accounts_accountevent SET reason = 'a', policy = 'b|' || policy WHERE id = %s", event)
    problem = audit.verify().first_problem
    assert problem is not None
    assert (problem.event_id, problem.kind) == (event, "changed")


@pytest.mark.parametrize("place", [0, 2, 3, 8])
def test_a_removed_event_is_named(ids: list[int], place: int) -> None:
    rewrite("DELETE FROM accounts_accountevent WHERE id = %s", ids[place])
    assert audit.verify().first_problem == audit.Problem(ids[place], "removed", "a sealed event is gone")


@pytest.mark.parametrize("how", ["before all", "in a gap", "between seals"])
def test_an_inserted_event_is_named(db: None, how: str) -> None:
    account = make_account()
    first = write(account, 2)
    with connection.cursor() as cursor:  # a transaction that was rolled back leaves such a gap
        cursor.execute("SELECT nextval(pg_get_serial_sequence('accounts_accountevent', 'id'))")
        (gap,) = cursor.fetchone()
    if how == "between seals":
        audit.seal(at=moment())
    write(account, 2)
    audit.seal(at=moment())
    forged = -7 if how == "before all" else gap
    rewrite(
        """INSERT INTO accounts_accountevent (id, account_id, kind, actor, at, "on", reason, policy, payload)
        SELECT %s, account_id, kind, actor, at, "on", reason, policy, payload
          FROM accounts_accountevent WHERE id = %s""",
        forged,
        first[0],
    )
    problem = audit.verify().first_problem
    assert problem is not None
    assert (problem.event_id, problem.kind) == (forged, "inserted")


def test_an_event_dated_back_into_a_sealed_day_is_named(ids: list[int]) -> None:
    """A key between two sealed ones is free after a roll-back; here the owner makes room."""
    rewrite("UPDATE accounts_accountevent SET id = id + 1000 WHERE id > %s", ids[8])
    rewrite(
        """INSERT INTO accounts_accountevent (id, account_id, kind, actor, at, "on", reason, policy, payload)
        SELECT %s, account_id, 'dunning.notice.delivered', actor, at - interval '30 days', "on" - 30, reason, policy,
               payload FROM accounts_accountevent WHERE id = %s""",
        ids[0] - 1,
        ids[0],
    )
    problem = audit.verify().first_problem
    assert problem is not None
    assert (problem.event_id, problem.kind) == (ids[0] - 1, "inserted")


@pytest.mark.parametrize("places", [(0, 1), (1, 4), (2, 8)])
def test_two_events_that_changed_places_are_named_both(ids: list[int], places: tuple[int, int]) -> None:
    """Under one seal, and under two."""
    one, other = (ids[place] for place in places)
    rewrite("UPDATE accounts_accountevent SET reason = 'other' WHERE id = %s", other)
    resealed()
    for source, target in ((one, -1), (other, one), (-1, other)):
        rewrite("UPDATE accounts_accountevent SET id = %s WHERE id = %s", target, source)
    assert audit.verify().first_problem == audit.Problem(
        one, "reordered", f"what stands here was sealed as event {other}"
    )


def resealed() -> None:
    """All of it anew, as the owner of the database could."""
    rewrite("DELETE FROM accounts_seal")
    audit.seal(at=moment())


def test_events_behind_the_last_seal_are_counted(ids: list[int]) -> None:
    assert audit.verify().unsealed == 0
    write(make_account(), 2)
    assert (audit.verify().unsealed, audit.verify().events) == (2, 9)


def test_it_says_how_far_it_is(ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "STRETCH", 2)
    told: list[tuple[int, int, int]] = []

    audit.verify(say=lambda *where: told.append(where))

    assert told == [(6, 2, 4), (9, 3, 4)]


@pytest.mark.parametrize("stretch", [1, 2, 20])
@pytest.mark.parametrize("place", [0, 4, 8])
def test_the_first_of_several_problems_is_named_however_the_work_is_cut(
    ids: list[int], monkeypatch: pytest.MonkeyPatch, stretch: int, place: int
) -> None:
    monkeypatch.setattr(audit, "STRETCH", stretch)
    rewrite("UPDATE accounts_accountevent SET actor = 'agent:other' WHERE id >= %s", ids[place])

    problem = audit.verify().first_problem

    assert problem is not None
    assert (problem.event_id, problem.kind) == (ids[place], "changed")


def test_a_seal_whose_end_was_moved_reads_no_further_than_it_is_long(ids: list[int]) -> None:
    rewrite("UPDATE accounts_seal SET last_event_id = %s WHERE last_event_id = %s", 2**62, ids[8])
    problem = audit.verify().first_problem
    assert problem is not None
    assert (problem.event_id, problem.kind) == (ids[6], "broken_chain")


def test_how_an_event_stands_is_told_one_by_one(ids: list[int]) -> None:
    (fresh,) = write(None)
    rewrite("UPDATE accounts_accountevent SET actor = 'agent:other' WHERE id = %s", ids[4])
    seals = list(Seal.objects.order_by("pk").values_list("pk", flat=True))

    standing = audit.standing([ids[0], ids[4], ids[8], fresh])

    assert {pk: (found.seal, found.as_sealed) for pk, found in standing.items()} == {
        ids[0]: (seals[0], True),
        ids[4]: (seals[1], False),
        ids[8]: (seals[2], True),
        fresh: (None, False),
    }
    assert audit.seals_of([ids[0], ids[8], fresh]) == {ids[0]: seals[0], ids[8]: seals[2]}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("tampered", [None, 3, 40, 59])
def test_several_workers_find_what_one_finds(monkeypatch: pytest.MonkeyPatch, tampered: int | None) -> None:
    monkeypatch.setattr(audit, "BATCH", 5)
    monkeypatch.setattr(audit, "STRETCH", 2)
    written = write(make_account(), 60)
    audit.seal(at=moment())
    if tampered is not None:
        with transaction.atomic():
            rewrite("DELETE FROM accounts_accountevent WHERE id = %s", written[tampered])

    alone, together = audit.verify(), audit.verify(workers=3)

    assert alone == together
    if tampered is None:
        assert together == audit.Verdict(60, 12, None)
    else:
        assert together.first_problem == audit.Problem(written[tampered], "removed", "a sealed event is gone")


@pytest.mark.parametrize("place", [0, 1])
def test_a_removed_seal_breaks_the_chain(ids: list[int], place: int) -> None:
    seals = list(Seal.objects.order_by("pk"))
    rewrite("DELETE FROM accounts_seal WHERE id = %s", seals[place].pk)
    problem = audit.verify().first_problem
    assert problem is not None
    assert (problem.kind, problem.event_id) == ("broken_chain", seals[place + 1].first_event_id)


@pytest.mark.parametrize(
    "change", ["digests = previous || digests", "hash = previous", "previous = hash", "event_ids = event_ids[2:]"]
)
def test_a_changed_seal_breaks_the_chain(ids: list[int], change: str) -> None:
    middle = Seal.objects.order_by("pk")[1]
    rewrite(f"UPDATE accounts_seal SET {change} WHERE id = %s", middle.pk)
    problem = audit.verify().first_problem
    assert problem is not None
    assert (problem.kind, problem.event_id) == ("broken_chain", middle.first_event_id)


def test_a_seal_made_anew_over_a_changed_event_breaks_the_next(ids: list[int]) -> None:
    first, second = Seal.objects.order_by("pk")[:2]
    rewrite("UPDATE accounts_accountevent SET actor = 'agent:somebody' WHERE id = %s", ids[0])
    rewrite("DELETE FROM accounts_seal WHERE id = %s", first.pk)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {audit._DIGEST} FROM accounts_accountevent e WHERE id = ANY(%s) ORDER BY id", [ids[:3]])
        digests = b"".join(bytes(digest) for (digest,) in cursor.fetchall())
    Seal.objects.create(
        id=first.pk, event_ids=ids[:3], digests=digests, previous=audit.GENESIS, first_event_id=ids[0],
        last_event_id=ids[2], hash=audit._chain(audit.GENESIS, ids[:3], digests), sealed_at=moment(),
    )  # fmt: skip
    problem = audit.verify().first_problem
    assert problem is not None
    assert (problem.kind, problem.event_id) == ("broken_chain", second.first_event_id)


def with_own_connection(act: Callable[[], int]) -> int:
    try:
        return act()
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_a_writer_that_commits_during_sealing_is_not_lost_behind_the_seal() -> None:
    account = make_account()
    written, let_go = Event(), Event()

    def slow_writer() -> int:
        with transaction.atomic():
            (event,) = write(account)
            written.set()
            let_go.wait(20)
        return event

    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(with_own_connection, slow_writer)
        assert written.wait(10)
        # A second writer has a higher id and has committed: a naive seal would end behind the first one's.
        write(account)
        sealer = pool.submit(with_own_connection, lambda: audit.seal(at=moment()))
        for _ in range(1000):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*), pg_sleep(0.01) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                )
                if cursor.fetchone()[0]:
                    break
        else:
            pytest.fail("the sealer did not wait")
        let_go.set()
        early = slow.result(timeout=20)
        assert sealer.result(timeout=20) == 2
    assert early in Seal.objects.get().event_ids
    assert audit.verify() == audit.Verdict(events=2, seals=1, first_problem=None)


@pytest.mark.django_db(transaction=True)
def test_two_sealers_at_once_seal_every_event_once() -> None:
    write(make_account(), 50)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(with_own_connection, lambda: audit.seal(at=moment())) for _ in range(2)]
        assert sum(job.result(timeout=20) for job in jobs) == 50
    assert audit.verify().ok
    assert Seal.objects.count() == 1
