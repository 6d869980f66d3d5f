"""The ``replay`` command: the time machine through its interface, files in and one JSON object out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.journeys.ledger import POLICY


@pytest.fixture
def book(django_db_setup: None, django_db_blocker: Any, tmp_path: Path) -> Iterator[Path]:
    """One account with one bill due on 1 August 2026, agreed and paid as the example tells, and one beside it."""
    files = {
        "policy.yaml": POLICY,
        "customers.csv": "customer_id,name,country,email,phone\nC1,Ada Lovelace,US,ada@example.com,+12025550100\n",
        "accounts.csv": "account_id,customer_id,currency\nA1,C1,USD\nA2,C1,USD\n",
        "services.csv": "service_id,account_id,kind,number\nS1,A1,mobile,2025550100\n",
        "bills.csv": "bill_id,account_id,issued_on,due_on,amount\n"
        "B1,A1,2026-07-11,2026-08-01,80.00\nB2,A2,2026-07-11,2026-08-01,50.00\n",
        "plans.csv": "plan_id,account_id,made_on,instalments\nL1,A1,2026-09-05,2026-09-10:40.00;2026-10-10:40.00\n",
        "payments.csv": "payment_id,account_id,received_on,amount\n"
        "P1,A1,2026-09-10,40.00\nP2,A1,2026-10-09,40.00\nP3,A2,2026-08-12,50.00\nP4,A1,2026-10-09,9.00x\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    with django_db_blocker.unblock():
        yield tmp_path


def replayed(book: Path, *more: str, first: str = "2026-07-25", last: str = "2026-10-12") -> dict[str, Any]:
    out = StringIO()
    options = ["--from", first, "--to", last, "--policy", str(book / "policy.yaml"), "--json", *more]
    call_command("replay", str(book), *options, stdout=out, stderr=StringIO())
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_the_example_from_its_first_notice_to_its_cure(book: Path) -> None:
    answer = replayed(book, "--trace", "A1")
    told = []
    for day in answer["days"]:
        told += [f"{day['date'][5:]} {s['step']} {s['result']}" for s in day["steps"] if s["account_id"] == "A1"]
        told += [f"{day['date'][5:]} {move['service_id']} {move['to']}" for move in day["services"]]
        told += [f"{day['date'][5:]} {move['to']}" for move in day["status"] if move["account_id"] == "A1"]
    assert sorted(told) == [
        "07-27 upcoming taken",
        "08-02 overdue",
        "08-05 reminder taken",
        "08-12 warning taken",
        "08-19 final taken",
        "08-25 S1 outgoing_barred",
        "08-25 bar taken",
        "09-01 S1 suspended",
        "09-01 suspend taken",
        "09-02 collections",
        "09-02 desk taken",
        "09-10 S1 active",
        "10-09 current",
    ]
    days = {day["date"]: day for day in answer["days"]}
    assert len(days) == 80  # a traced account is shown on every day
    assert days["2026-08-12"]["notices"] == 1
    assert days["2026-08-12"]["status"] == [{"account_id": "A2", "from": "overdue", "to": "current"}]
    shown = days["2026-09-06"]["trace"]["A1"]
    assert (shown["status"], shown["overdue"], shown["days_past_due"]) == ("collections", "80.00", 36)
    assert [hold["reason"] for hold in shown["holds"]] == ["plan"]
    assert shown["work_item"]["kind"] == "collect"
    end = answer["accounts"]["A1"]
    assert (end["status"], end["balance"], end["work_item"], end["stage"]) == ("current", "0.00", None, None)
    assert set(answer["accounts"]) == {"A1", "A2"}


def test_days_left_out_are_caught_up_and_days_with_nothing_are_left_out(book: Path) -> None:
    answer = replayed(book, "--skip", "2026-08-05", "2026-08-06", last="2026-08-13")
    steps = {day["date"]: [(step["account_id"], step["step"]) for step in day["steps"]] for day in answer["days"]}
    assert steps == {
        "2026-07-27": [("A1", "upcoming"), ("A2", "upcoming")],
        "2026-08-02": [],
        "2026-08-07": [("A1", "reminder"), ("A2", "reminder")],
        "2026-08-12": [("A1", "warning")],
    }


def test_nothing_of_it_touches_our_own_database_or_stays_behind(book: Path) -> None:
    replayed(book, last="2026-07-28")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_account WHERE ref IN ('A1', 'A2')")
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE %s", [f"{databases()}_replay%"])
        assert cursor.fetchone() == (0,)


def test_kept_on_request_it_names_the_database(book: Path) -> None:
    err = StringIO()
    call_command(
        "replay", str(book), "--from", "2026-07-25", "--to", "2026-07-27", "--policy", str(book / "policy.yaml"),
        "--keep", stdout=StringIO(), stderr=err,
    )  # fmt: skip
    name = err.getvalue().rpartition("kept as database ")[2].strip()
    own = connection.get_connection_params() | {"dbname": name, "autocommit": True}
    own.pop("cursor_factory", None), own.pop("context", None), own.pop("prepare_threshold", None)
    with psycopg.connect(**own) as line:
        assert line.execute("SELECT count(*) FROM accounts_account").fetchone() == (2,)
    with connection.cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name}"')


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--from", "2026-08-02", "--to", "2026-08-01"], "--to is before --from"),
        (["--from", "2026-08-01", "--to", "2026-08-02", "--policy", "absent.yaml"], "absent.yaml"),
    ],
)
def test_what_makes_no_replay_ends_with_2_and_one_sentence(book: Path, options: list[str], sentence: str) -> None:
    if "--policy" not in options:
        options = [*options, "--policy", str(book / "policy.yaml")]
    with pytest.raises(CommandError, match=sentence) as refused:
        call_command("replay", str(book), *options, stdout=StringIO(), stderr=StringIO())
    assert refused.value.returncode == 2


def test_an_account_to_trace_that_is_not_there_ends_with_2_and_leaves_nothing(book: Path) -> None:
    with pytest.raises(CommandError, match="no account A9") as refused:
        replayed(book, "--trace", "A9")
    assert refused.value.returncode == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE %s", [f"{databases()}_replay%"])
        assert cursor.fetchone() == (0,)


def databases() -> str:
    return str(connection.settings_dict["NAME"])
