"""A random book of fifteen months, replayed: what must hold of every account on every day, whatever people do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from collections_desk import replay
from tests.journeys import ledger

FIRST, LAST = date(2025, 1, 1), date(2026, 3, 31)
#: A part of it is replayed again, and once more with every third day left out.
PART = date(2025, 6, 15)
TRACED = ["A0003", "A0007", "A0011"]

LADDER = {
    "reminder": 4,
    "warning": 11,
    "final": 18,
    "bar": 24,
    "suspend": 31,
    "desk": 32,
    "placement": 75,
    "agency": 90,
}
HURTS = {"bar": "final", "suspend": "final", "agency": "placement"}
#: A limit waits for the date that its warning named.
NOTICE = {"bar": 6, "suspend": 6, "agency": 14}

Taken = list[tuple[date, str]]


@pytest.fixture(scope="module")
def book(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files; the replays make databases of their own."""
    folder = tmp_path_factory.mktemp("book")
    ledger.write(folder, accounts=30, first=FIRST, months=15, seed=23)
    with django_db_blocker.unblock():
        yield folder


@pytest.fixture(scope="module")
def replayed_book(book: Path) -> dict[str, Any]:
    return replay.replay(replay.Order(book, FIRST, LAST, [ledger.POLICY])).as_json()


@pytest.fixture(scope="module")
def again(book: Path) -> dict[str, Any]:
    return replay.replay(replay.Order(book, FIRST, PART, [ledger.POLICY], trace=TRACED)).as_json()


@pytest.fixture(scope="module")
def with_gaps(book: Path) -> dict[str, Any]:
    gaps = [FIRST + timedelta(days=offset) for offset in range(2, (PART - FIRST).days, 3)]
    return replay.replay(replay.Order(book, FIRST, PART, [ledger.POLICY], skip=frozenset(gaps))).as_json()


def taken(replayed: dict[str, Any], *, until: date = LAST) -> dict[str, Taken]:
    """Every step taken, by account, in order."""
    found: dict[str, Taken] = defaultdict(list)
    for day in replayed["days"]:
        on = date.fromisoformat(day["date"])
        if on <= until:
            for step in day["steps"]:
                if step["result"] == "taken":
                    found[step["account_id"]].append((on, step["step"]))
    return found


def cured(replayed: dict[str, Any]) -> dict[str, list[date]]:
    """When each account came to owe nothing that is past due."""
    found: dict[str, list[date]] = defaultdict(list)
    for day in replayed["days"]:
        for move in day["status"]:
            if move["to"] == "current":
                found[move["account_id"]].append(date.fromisoformat(day["date"]))
    return found


def untraced(replayed: dict[str, Any], *, until: date) -> list[dict[str, Any]]:
    """The days on which something happened to somebody, without the traces."""
    days = [{name: part for name, part in day.items() if name != "trace"} for day in replayed["days"]]
    return [
        day
        for day in days
        if date.fromisoformat(day["date"]) <= until
        and (day["steps"] or day["status"] or day["services"] or day["notices"])
    ]


def test_a_replay_again_says_the_same_to_the_letter(again: dict[str, Any], replayed_book: dict[str, Any]) -> None:
    assert untraced(again, until=PART) == untraced(replayed_book, until=PART)


def test_much_happened(replayed_book: dict[str, Any]) -> None:
    """The book is worth its replay: every kind of step was taken, services were limited and came back."""
    codes = {code for steps in taken(replayed_book).values() for _on, code in steps}
    assert codes == {"upcoming", "write-off", *LADDER}
    moves = [move["to"] for day in replayed_book["days"] for move in day["services"]]
    assert moves.count("active") > 10
    assert sum(day["notices"] for day in replayed_book["days"]) > 300


def test_no_step_comes_before_its_day_or_after_paying(again: dict[str, Any]) -> None:
    checked = 0
    for day in again["days"]:
        for step in day["steps"]:
            if step["account_id"] in TRACED and step["result"] == "taken" and step["step"] in LADDER:
                account = day["trace"][step["account_id"]]
                assert account["days_past_due"] >= LADDER[step["step"]], (day["date"], step)
                assert float(account["overdue"]) >= 10, (day["date"], step)
                checked += 1
    assert checked > 10


def test_an_account_takes_one_step_a_day_at_most(replayed_book: dict[str, Any]) -> None:
    for account, steps in taken(replayed_book).items():
        days = [on for on, code in steps if code in LADDER]
        assert len(days) == len(set(days)), account


def test_nothing_hurts_without_a_warning_that_had_its_days_in_the_same_case(replayed_book: dict[str, Any]) -> None:
    ends = cured(replayed_book)
    checked = 0
    for account, steps in taken(replayed_book).items():
        for on, code in steps:
            if code in HURTS:
                warned = [day for day, warning in steps if warning == HURTS[code] and day < on]
                assert warned, (account, on, code)
                assert (on - warned[-1]).days >= NOTICE[code], (account, on, code)
                assert not [day for day in ends[account] if warned[-1] < day < on], (account, on, code)
                checked += 1
    assert checked > 10


def test_nothing_is_limited_on_a_weekend(replayed_book: dict[str, Any]) -> None:
    limited = [on for steps in taken(replayed_book).values() for on, code in steps if code in HURTS]
    assert limited
    assert {on.weekday() for on in limited} <= {0, 1, 2, 3, 4}


def test_whoever_owes_nothing_past_due_has_every_line_back(replayed_book: dict[str, Any]) -> None:
    for ref, account in replayed_book["accounts"].items():
        if account["status"] == "current":
            assert {service["status"] for service in account["services"]} == {"active"}, ref
            assert account["stage"] is None
            assert account["work_item"] is None


def undertaken(book: Path) -> set[str]:
    """Accounts that promise or dispute: a day later may be a day on which they did."""
    rows = (book / "promises.csv").read_text().splitlines()[1:] + (book / "disputes.csv").read_text().splitlines()[1:]
    return {row.split(",")[1] for row in rows}


def test_days_left_out_bring_no_step_earlier_none_twice_and_lose_none(
    book: Path, replayed_book: dict[str, Any], with_gaps: dict[str, Any]
) -> None:
    """A step is missing only where its account was cured, or its bill fell due, before its turn came."""
    held = undertaken(book)
    full, gaps, ends = taken(replayed_book, until=PART), taken(with_gaps), cured(replayed_book)
    late = 0
    for account in full | gaps:
        # What hurts waits for working days and lets the rest go past it: each kind keeps its own order.
        for hurting in (True, False):
            rest = [(on, code) for on, code in full[account] if (code in HURTS) == hurting]
            for on, code in [(on, code) for on, code in gaps[account] if (code in HURTS) == hurting]:
                place = next((i for i, (_day, other) in enumerate(rest) if other == code), None)
                assert place is not None, f"{account} took {code} on {on}, which it never takes without gaps"
                planned, _code = rest[place]
                assert planned <= on, f"{account} took {code} on {on}, before {planned}"
                late += planned < on
                lost = [(missing, on) for missing, other in rest[:place] if other != "upcoming"]
                rest = rest[place + 1 :]
                if account not in held:
                    assert all(any(missing < day <= end for day in ends[account]) for missing, end in lost), account
            lost = [(day, day + timedelta(days=12)) for day, code in rest if code != "upcoming"]
            if account not in held:
                gone = [(missing, end) for missing, end in lost if end < PART]
                assert all(any(missing < day <= end for day in ends[account]) for missing, end in gone), account
    assert late > 10
