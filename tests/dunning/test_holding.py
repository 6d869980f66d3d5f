"""What each kind of hold stops, and the days on which the clock stood."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Hold
from dunning import holding
from dunning.holding import CALLS, EVERYTHING, FEES, LIMITS, NOTICES, TRANSFERS, HoldFact

FIRST = date(2026, 3, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def hold(starts: int, ends: int | None, reason: str = "hardship", **columns: object) -> HoldFact:
    return HoldFact(reason, day(starts), None if ends is None else day(ends), **columns)  # type: ignore[arg-type]


#: The matrix of the design, row by row: what it stops, and whether the clock stands.
MATRIX = {
    "promise": (EVERYTHING, False),
    "plan": (EVERYTHING, False),
    "hardship": (EVERYTHING, True),
    "breathing_space": (EVERYTHING, True),
    "vulnerability_review": ({FEES, LIMITS, TRANSFERS}, False),
    "bankruptcy": (EVERYTHING, True),
    "deceased": (EVERYTHING, True),
    "legal": (EVERYTHING, True),
    "fraud": (EVERYTHING, True),
    "payment_in_flight": (EVERYTHING, False),
}


@pytest.mark.parametrize("reason", MATRIX)
def test_the_effect_matrix(reason: str) -> None:
    stopped, clock = MATRIX[reason]
    assert holding.stops(reason) == stopped
    assert holding.stops_clock(reason) is clock


def test_every_reason_there_is_has_its_effects() -> None:
    assert set(MATRIX) | {"dispute", "manual"} == set(Hold.Reason.values)


def test_a_dispute_takes_its_amount_away_and_stops_nothing_else() -> None:
    assert holding.stops("dispute") == frozenset()
    assert not holding.is_account_wide(hold(0, None, "dispute", bill_refs=("B1",)))
    assert not holding.is_account_wide(hold(0, None, "dispute"))


@pytest.mark.parametrize(
    ("ticked", "stopped"),
    [((), EVERYTHING), (("fees",), {FEES}), (("notices", "calls"), {NOTICES, CALLS}), (tuple(EVERYTHING), EVERYTHING)],
)
def test_a_manual_hold_stops_what_was_ticked(ticked: tuple[str, ...], stopped: set[str]) -> None:
    assert holding.stops("manual", ticked) == stopped


def test_the_clock_of_a_manual_hold_is_ticked_by_itself_and_no_other_clock_listens() -> None:
    assert holding.stops_clock("manual", True)
    assert not holding.stops_clock("manual", False)
    assert not holding.stops_clock("promise", True)


@pytest.mark.parametrize(
    ("reason", "bills", "wide"),
    [
        ("promise", (), True), ("promise", ("B1",), False), ("plan", ("B1",), False), ("hardship", (), True),
        ("hardship", ("B1",), True), ("manual", (), True), ("manual", ("B1",), False),
        ("payment_in_flight", ("B1",), False),
    ],
)  # fmt: skip
def test_a_promise_or_plan_over_bills_leaves_the_rest_of_the_account(
    reason: str, bills: tuple[str, ...], wide: bool
) -> None:
    assert holding.is_account_wide(hold(0, None, reason, bill_refs=bills)) is wide


@pytest.mark.parametrize(
    ("holds", "stopped"),
    [
        ([], 0),
        ([hold(3, 5)], 3),
        ([hold(3, 3)], 1),
        ([hold(-5, 2)], 2),
        ([hold(0, 0)], 0),  # the due date itself does not count anyway
        ([hold(8, 40)], 3),
        ([hold(10, None)], 1),
        ([hold(11, 12)], 0),
        ([hold(-9, -1)], 0),
        ([hold(-9, None)], 10),
        ([hold(2, 5), hold(4, 7)], 6),  # overlapping
        ([hold(2, 9), hold(4, 5)], 8),  # enclosed
        ([hold(4, 5), hold(2, 9)], 8),
        ([hold(2, 5), hold(2, 5)], 4),  # the same twice
        ([hold(2, 5), hold(6, 7)], 6),  # touching
        ([hold(2, 3), hold(7, 8)], 4),
        ([hold(2, 5, "promise")], 0),
        ([hold(2, 5, "manual", clock_ticked=True)], 4),
        ([hold(2, 5, "manual")], 0),
    ],
)
def test_days_on_which_the_clock_stood(holds: list[HoldFact], stopped: int) -> None:
    assert holding.stopped_days(holds, after=day(0), until=day(10)) == stopped


spans = st.lists(
    st.tuples(st.integers(-10, 30), st.none() | st.integers(0, 20)).map(
        lambda span: hold(span[0], None if span[1] is None else span[0] + span[1])
    ),
    max_size=6,
)


@given(spans, st.integers(-5, 10), st.integers(0, 25))
def test_stopped_days_are_the_days_that_some_hold_covers(holds: list[HoldFact], after: int, length: int) -> None:
    covered = sum(any(each.covers(day(number)) for each in holds) for number in range(after + 1, after + length + 1))
    assert holding.stopped_days(holds, after=day(after), until=day(after + length)) == covered
