"""Processes killed at any moment and started again: every step once, every message once."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.journeys import ledger
from tests.races.elsewhere import Database, empty_database, provider, relay, wait_until

DAY = date(2026, 3, 10)
NEXT = DAY + timedelta(days=1)

#: What a day's run leaves, by the operator's ids: the same however often it was killed on the way.
LEFT = {
    "accounts": "SELECT ref, status, overdue, open_amount, disputed, unapplied, fees FROM accounts_account",
    "cases": """SELECT a.ref, c.opened_on, c.closed_on, c.close_reason, c.stage, c.last_step_on, c.next_on
                  FROM dunning_case c JOIN accounts_account a ON a.id = c.account_id""",
    "steps": """SELECT a.ref, s.code, s.repeat, s.action, s.result, s.came_on, s.done_on, s.undone_on
                  FROM dunning_casestep s JOIN accounts_account a ON a.id = s.account_id""",
    "bill steps": """SELECT b.ref, s.code, s."on", s.result
                       FROM dunning_billstep s JOIN accounts_bill b ON b.id = s.bill_id""",
    "notices": """SELECT a.ref, n.step_code, n.channel, n.bill_refs, n.amount, n.made_on, n.state
                    FROM dunning_notice n JOIN accounts_account a ON a.id = n.account_id""",
    "orders": """SELECT s.ref, o.kind, o.rung, o.made_on, o.state
                   FROM dunning_serviceorder o JOIN accounts_service s ON s.id = o.service_id""",
    "queue": """SELECT a.ref, w.kind, w.reason, w.score, w.done_at IS NULL
                  FROM agents_workitem w JOIN accounts_account a ON a.id = w.account_id""",
    "promises": "SELECT ref, status, paid, settled_on FROM agents_promise",
    "journal": """SELECT a.ref, j."on", j.event_type, j.debit_code, j.credit_code, j.amount
                    FROM accounts_journalentry j JOIN accounts_account a ON a.id = j.account_id""",
    "events": """SELECT a.ref, e.kind, e.actor, e."on", e.reason
                   FROM accounts_accountevent e JOIN accounts_account a ON a.id = e.account_id""",
}


def left_in(database: Database) -> dict[str, Counter[str]]:
    return {name: Counter(map(str, database.rows(query))) for name, query in LEFT.items()}


@pytest.fixture(scope="module")
def book(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with 1,500 accounts, some of them long overdue, and no day run yet."""
    folder: Path = tmp_path_factory.mktemp("book")
    ledger.write(folder, accounts=1_500, first=date(2025, 11, 15), months=4, seed=7)
    (folder / "policy.yaml").write_text(ledger.POLICY, encoding="utf-8")
    with django_db_blocker.unblock():
        database = empty_database("killed")
        database.manage("import_policy", str(folder / "policy.yaml"), "--publish")
        database.manage("import_book", str(folder))
        yield database
        database.drop()


@pytest.fixture(scope="module")
def undisturbed(book: Database) -> Iterator[Database]:
    """The same book after two days that nobody disturbed."""
    database = book.copy("undisturbed")
    database.manage("run_day", "--as-of", DAY.isoformat())
    database.manage("run_day", "--as-of", NEXT.isoformat())
    yield database
    database.drop()


def test_a_run_killed_again_and_again_leaves_what_an_undisturbed_run_leaves(
    book: Database, undisturbed: Database
) -> None:
    chance = random.Random(11)
    database = book.copy("disturbed")
    killed = 0
    for day, kills in ((DAY, 3), (NEXT, 1)):
        for _ in range(kills):
            process = database.start("run_day", "--as-of", day.isoformat())
            reached = 'SELECT 1 FROM accounts_businessdate WHERE "on" = %s'
            wait_until(lambda day=day, reached=reached: database.rows(reached, day))
            time.sleep(chance.uniform(0.0, 1.5))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        database.manage("run_day", "--as-of", day.isoformat())
    assert killed >= 2, "most runs ended before they were killed"
    expected, found = left_in(undisturbed), left_in(database)
    for name in LEFT:
        assert found[name] == expected[name], name
    assert database.rows("SELECT count(*) FROM accounts_pendingevent") == [(0,)]
    assert len(expected["steps"]) > 500
    database.manage("verify_audit")
    database.drop()


def test_two_runs_at_once_are_one(book: Database, undisturbed: Database) -> None:
    database = book.copy("twice")
    both = [database.start("run_day", "--as-of", DAY.isoformat()) for _ in range(2)]
    ends = sorted((process.wait(timeout=300), process.communicate()[1]) for process in both)
    assert ends[0][0] == 0
    assert ends[1][0] in (0, 2)
    if ends[1][0] == 2:
        assert "Another run" in ends[1][1]
    database.manage("run_day", "--as-of", NEXT.isoformat())
    assert left_in(database)["steps"] == left_in(undisturbed)["steps"]
    assert left_in(database)["notices"] == left_in(undisturbed)["notices"]
    database.drop()


@pytest.fixture(scope="module")
def outbound(undisturbed: Database) -> Iterator[Database]:
    """The book after those days, with a part of its notices left to send: enough to be killed in the middle."""
    database = undisturbed.copy("outbound")
    database.rows(
        """DELETE FROM dunning_notice WHERE id NOT IN (
               SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY channel ORDER BY id) AS place
                                 FROM dunning_notice) counted WHERE place <= 90) RETURNING id"""
    )
    yield database
    database.drop()


def test_a_pass_killed_half_way_hands_each_text_over_once_by_key_and_each_mail_at_most_once(
    outbound: Database,
) -> None:
    database = outbound.copy("delivered")
    of_channel = "SELECT count(*) FROM dunning_notice WHERE channel = %s AND state IN ('sent', 'delivered')"
    with provider() as far_side, relay() as (office, smtp):
        roads = {"DESK_SMS_URL": far_side.url, "DESK_SMTP_URL": smtp}
        for minute, handed in ((0, 25), (1, 80)):
            process = database.start("deliver", "--at", f"{NEXT}T15:{minute:02}:00Z", **roads)
            wait_until(lambda handed=handed: len(far_side.requests) + len(office.taken) >= handed)
            process.send_signal(signal.SIGKILL)
            process.wait()
        in_flight = Counter(
            channel for (channel,) in database.rows("SELECT channel FROM dunning_notice WHERE state = 'handing_over'")
        )
        # Both within the lease of what was on its way, and after it.
        for minute in (2, 15):
            database.manage("deliver", "--at", f"{NEXT}T15:{minute:02}:00Z", **roads)
    assert in_flight.total() <= 2
    states = Counter(database.rows("SELECT channel, state FROM dunning_notice"))
    assert states["email", "doubtful"] == in_flight["email"]
    assert not {state for _, state in states} & {"pending", "handing_over"}
    texts = database.rows("SELECT key FROM dunning_notice WHERE channel = 'sms' AND state <> 'withdrawn'")
    assert set(far_side.requests) == {key for (key,) in texts}
    assert sum(far_side.requests.values()) <= len(texts) + in_flight["sms"]
    assert set(office.taken.values()) == {1}
    assert len(office.taken) - database.rows(of_channel, "email")[0][0] in range(in_flight["email"] + 1)
    assert len(texts) > 30
    assert len(office.taken) > 50
    database.drop()


def test_two_passes_at_once_send_each_message_once(outbound: Database) -> None:
    database = outbound.copy("both")
    with provider() as far_side, relay() as (office, smtp):
        roads = {"DESK_SMS_URL": far_side.url, "DESK_SMTP_URL": smtp}
        both = [database.start("deliver", "--at", f"{NEXT}T15:00:00Z", **roads) for _ in range(2)]
        for process in both:
            _out, err = process.communicate(timeout=300)
            assert process.returncode == 0, err
    assert set(far_side.requests.values()) == {1}
    assert set(office.taken.values()) == {1}
    states = Counter(state for (state,) in database.rows("SELECT state FROM dunning_notice"))
    assert not {"pending", "handing_over", "doubtful"} & set(states)
    assert (
        len(office.taken) + len(far_side.requests)
        == database.rows(
            "SELECT count(*) FROM dunning_notice WHERE channel IN ('sms', 'email') AND sent_at IS NOT NULL"
        )[0][0]
    )
    database.drop()
