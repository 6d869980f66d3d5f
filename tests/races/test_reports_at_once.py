"""Reports sent by several workers at once, one of them killed: each mail is handed over once, or listed as in doubt."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.test.utils import setup_databases, teardown_databases

from tests.races.elsewhere import Database, empty_database, relay, wait_until

PEOPLE, SCHEDULES = 5, 4
COUNT = PEOPLE * SCHEDULES


@pytest.fixture
def book(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Iterator[Database]:
    """A database with mails of reports to be sent."""
    with django_db_blocker.unblock():
        # pytest-django makes the test database for marked tests alone; without one there would be no tables to copy.
        is_there = any(item.get_closest_marker("django_db") for item in request.session.items)
        own = None if is_there else setup_databases(verbosity=0, interactive=False)
        database = empty_database("reports")
        database.manage(
            "shell", "-v", "0", "-c", f"from tests.agents.reported import many; many({PEOPLE}, {SCHEDULES})"
        )
        yield database
        database.drop()
        if own is not None:
            teardown_databases(own, verbosity=0)


def states(database: Database) -> Counter[str]:
    return Counter(state for (state,) in database.rows("SELECT state FROM agents_reportrun"))


def test_two_workers_share_the_mails_and_nobody_gets_one_twice(book: Database) -> None:
    assert states(book) == {"pending": COUNT}
    with relay() as (office, url):
        workers = [book.start("send_reports", DESK_SMTP_URL=url) for _ in range(2)]
        said = [worker.communicate(timeout=300) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert states(book) == {"sent": COUNT}
    assert len(office.taken) == COUNT
    assert set(office.taken.values()) == {1}
    shares = [int(out.split()[0]) for out, _err in said if out.strip() != "nothing was due"]
    assert sum(shares) == COUNT


def test_a_killed_worker_leaves_at_most_one_mail_in_doubt_and_none_is_sent_twice(book: Database) -> None:
    with relay() as (office, url):
        worker = book.start("send_reports", DESK_SMTP_URL=url)
        wait_until(lambda: len(office.taken) >= COUNT // 4 or worker.poll() is not None)
        worker.send_signal(signal.SIGKILL)
        out, err = worker.communicate()
        assert worker.returncode == -signal.SIGKILL, out + err
        in_flight = states(book)["sending"]
        assert in_flight <= 1
        # What it had in hand is nobody's once its time is over.
        book.rows(
            "UPDATE agents_reportrun SET lease_until = now() - interval '1 minute' "
            "WHERE lease_until IS NOT NULL RETURNING id"
        )
        workers = [book.start("send_reports", DESK_SMTP_URL=url) for _ in range(2)]
        said = [one.communicate(timeout=300) for one in workers]
    assert [one.returncode for one in workers] == [0, 0], said
    found = states(book)
    assert found["doubtful"] == in_flight
    assert found["sent"] + found["doubtful"] == COUNT
    assert set(office.taken.values()) == {1}
    assert found["sent"] <= len(office.taken) <= COUNT


def test_reports_fall_due_once_however_many_workers_look(book: Database) -> None:
    book.rows("DELETE FROM agents_reportrun RETURNING id")
    book.rows("UPDATE agents_reportschedule SET next_on = '2026-03-10', next_at = '2026-03-10 07:00Z' RETURNING id")
    with relay() as (office, url):
        workers = [book.start("send_reports", DESK_SMTP_URL=url) for _ in range(3)]
        said = [worker.communicate(timeout=300) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0], said
    assert states(book) == {"sent": COUNT}
    assert set(office.taken.values()) == {1}
    assert len(office.taken) == COUNT
