"""A worker killed in the middle of a thousand sends: each is handed over once, or listed as in doubt and left alone."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test.utils import setup_databases, teardown_databases

from tests.dunning.message_centre import message_centre
from tests.factories import TODAY
from tests.races.elsewhere import Database, empty_database, provider, relay, wait_until

COUNT = 1_000
#: A worker is killed when the far side has so many.
KILLED_AT = (200, 550)


@pytest.fixture(scope="module")
def books(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any
) -> Iterator[Callable[[str], Database]]:
    """A database with a thousand notices due on one channel: the same book each time, on another channel."""
    made: list[Database] = []

    def book(channel: str) -> Database:
        database = made[0].copy(f"{channel}_{len(made)}")
        made.append(database)
        database.rows(
            "UPDATE dunning_notice SET channel = %s, key = replace(key, 'sms', %s) RETURNING id", channel, channel
        )
        return database

    with django_db_blocker.unblock():
        # pytest-django makes the test database for marked tests alone; without one there would be no tables to copy.
        is_there = any(item.get_closest_marker("django_db") for item in request.session.items)
        own = None if is_there else setup_databases(verbosity=0, interactive=False)
        made.append(empty_database("sends"))
        made[0].manage("shell", "-v", "0", "-c", f"from tests.dunning.upcoming import many; many({COUNT}, 'sms')")
        yield book
        for database in made:
            database.drop()
        if own is not None:
            teardown_databases(own, verbosity=0)


def killed_twice(database: Database, handed: Callable[[], int], **roads: str) -> int:
    """Passes killed in the middle, the second within the lease of what the first left on its way, and one after it
    that is not.

    How many were on their way when their worker died.
    """
    in_flight = 0
    for minute, count in enumerate(KILLED_AT):
        process = database.start("deliver", "--at", f"{TODAY}T12:{minute:02}:00Z", **roads)
        wait_until(lambda count=count, process=process: handed() >= count or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
        assert process.returncode == -signal.SIGKILL, out + err
        in_flight = database.rows("SELECT count(*) FROM dunning_notice WHERE state = 'handing_over'")[0][0]
    database.manage("deliver", "--at", f"{TODAY}T12:30:00Z", **roads)
    assert in_flight <= len(KILLED_AT)
    return in_flight


def states(database: Database) -> Counter[str]:
    return Counter(state for (state,) in database.rows("SELECT state FROM dunning_notice"))


def keys(database: Database, state: str) -> set[str]:
    return {key for (key,) in database.rows("SELECT key FROM dunning_notice WHERE state = %s", state)}


def test_over_http_each_text_is_taken_once_by_its_key(books: Callable[[str], Database]) -> None:
    database = books("sms")
    with provider() as far_side:
        in_flight = killed_twice(database, lambda: len(far_side.requests), DESK_SMS_URL=far_side.url)
    assert states(database) == {"sent": COUNT}
    assert set(far_side.requests) == keys(database, "sent")
    assert sum(far_side.requests.values()) <= COUNT + in_flight


def test_over_smtp_each_mail_leaves_at_most_once_and_the_doubtful_are_listed(books: Callable[[str], Database]) -> None:
    database = books("email")
    with relay() as (office, url):
        in_flight = killed_twice(database, lambda: len(office.taken), DESK_SMTP_URL=url)
    found = states(database)
    assert found["doubtful"] == in_flight
    assert found["sent"] + found["doubtful"] == COUNT
    assert set(office.taken.values()) == {1}
    assert found["sent"] <= len(office.taken) <= COUNT


def test_over_smpp_each_text_is_submitted_at_most_once_and_the_doubtful_are_listed(
    books: Callable[[str], Database],
) -> None:
    database = books("sms")
    with message_centre() as centre:
        in_flight = killed_twice(database, lambda: len(centre.taken), DESK_SMS_URL=centre.url)
        found = states(database)
        centre.wait(lambda: len(centre.taken) >= found["sent"])
    assert found["doubtful"] == in_flight
    assert found["sent"] + found["doubtful"] == COUNT
    # One text to each customer may be in several parts; its first tells it apart.
    first_parts = Counter(one["to"] for one in centre.taken if not one["header"] or one["content"][10:12] == "01")
    assert set(first_parts.values()) == {1}
    assert found["sent"] <= len(first_parts) <= COUNT


def test_letters_are_in_whole_runs_only_and_each_in_one(books: Callable[[str], Database], tmp_path: Path) -> None:
    database = books("letter")
    road = {"DESK_LETTER_DIR": tmp_path.as_uri()}
    process = database.start("deliver", "--at", f"{TODAY}T12:00:00Z", **road)
    wait_until(lambda: any(tmp_path.glob("letters-*")) or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for minute in (1, 30):
        database.manage("deliver", "--at", f"{TODAY}T12:{minute:02}:00Z", **road)
    printed = Counter(
        letter["key"]
        for run in tmp_path.glob("letters-*")
        for letter in json.loads((run / "manifest.json").read_text())["letters"]
    )
    assert states(database) == {"sent": COUNT}
    assert set(printed) == keys(database, "sent")
    assert set(printed.values()) == {1}


def test_who_listens_keeps_receipts_and_replies_and_stops_when_told(books: Callable[[str], Database]) -> None:
    database = books("sms")
    database.rows("DELETE FROM dunning_notice WHERE id > (SELECT min(id) + 2 FROM dunning_notice) RETURNING id")
    with message_centre() as centre:
        centre.tell(receipts="DELIVRD")
        road = {"DESK_SMS_URL": f"{centre.url}?timeout=2"}
        database.manage("deliver", "--at", f"{TODAY}T12:00:00Z", **road)
        process = database.start("listen_sms", **road)
        wait_until(lambda: states(database) == {"delivered": 3} or process.poll() is not None)
        [(number,)] = database.rows("SELECT min(address) FROM dunning_notice")
        centre.tell(text=[{"from": number.removeprefix("+"), "content": b"STOP".hex()}])
        said = "SELECT text, sender FROM dunning_inboundmessage"
        wait_until(lambda: database.rows(said) or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, out + err
    assert database.rows(said) == [("STOP", number)]
    assert states(database)["delivered"] == 3  # beside them waits the answer to what was written
