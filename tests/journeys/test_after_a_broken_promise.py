"""After a broken promise or plan a case goes on where its policy says: once, forwards, warned before it hurts."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from accounts.models import AccountEvent
from agents.models import Plan, Promise
from collections_desk import dry_runs
from dunning import kinds, policy_file
from tests.journeys.ledger import POLICY
from tests.journeys.story import Story, at

pytestmark = pytest.mark.django_db


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


def told(after_broken: str = "") -> Story:
    """A bill of the eve, the reminder taken on the fifth; promised on the sixth, by the ninth."""
    said = f"after_broken: {after_broken}\n" if after_broken else ""
    story = Story(mar(2), policy=POLICY.replace("steps:", f"{said}steps:"))
    story.account()
    story.service()
    story.bill(mar(1), "100.00", ref="B1")
    story.days_pass(until=mar(6))
    return story


def re_entries() -> list[str]:
    events = AccountEvent.objects.filter(kind=kinds.CASE_RE_ENTERED).order_by("pk")
    return [f"{event.on:%m-%d} {event.reason}" for event in events]


#: Promised by 9 March; the grace ends on the 12th.
BROKEN = mar(13)


def test_without_the_key_it_goes_on_where_it_stands() -> None:
    story = told()
    story.promise("100.00", by=mar(9))
    story.days_pass(until=mar(20))
    story.expect(steps=["03-05 reminder taken", "03-13 warning taken", "03-19 final taken"])
    assert re_entries() == []


def test_the_steps_between_are_passed_over_and_it_does_not_wait_for_its_day() -> None:
    story = told("final")
    story.promise("100.00", by=mar(9))
    story.days_pass(until=mar(24))
    story.expect(steps=["03-05 reminder taken", "03-13 warning passed_over", "03-13 final taken"], stage="final")
    assert Promise.objects.get().status == Promise.Status.BROKEN
    assert re_entries() == ["03-13 broken promise: goes on at final"]
    story.days_pass(until=mar(25))
    assert story.steps()[-1] == "03-25 bar taken", "on its day, after the notice ran"


def test_a_broken_plan_does_the_same() -> None:
    story = told("final")
    story.plan((mar(7), "50.00"), (mar(8), "50.00"))
    story.days_pass(until=mar(16))
    assert Plan.objects.get().status == Plan.Status.BROKEN
    story.expect(steps=["03-05 reminder taken", "03-14 warning passed_over", "03-14 final taken"], stage="final")


def test_days_without_a_run_are_caught_up() -> None:
    story = told("final")
    story.promise("100.00", by=mar(9))
    story.days_without_a_run(until=mar(15))
    story.days_pass(until=mar(17))
    story.expect(steps=["03-05 reminder taken", "03-16 warning passed_over", "03-16 final taken"])


def test_what_hurts_waits_for_a_new_warning_though_one_was_given_before_the_promise() -> None:
    story = told("bar")
    story.days_pass(until=mar(20))  # the warning and the final notice have arrived
    story.promise("100.00", by=mar(21))
    story.days_pass(until=mar(31))
    story.expect(
        steps=[
            "03-05 reminder taken",
            "03-12 warning taken",
            "03-19 final taken",
            "03-25 final taken",
            "03-31 bar taken",
        ]
    )
    assert story.notices()[-1] == "03-25 final email until 03-31"
    assert story.moves()[-1] == "03-31 S1 outgoing_barred"


def test_a_case_that_is_past_the_step_never_goes_back() -> None:
    story = told("reminder")
    story.days_pass(until=mar(20))
    story.promise("100.00", by=mar(21))
    story.days_pass(until=mar(25))
    assert re_entries() == ["03-25 broken promise: goes on where it stands"]
    assert [step for step in story.steps() if "reminder" in step] == ["03-05 reminder taken"]


def test_a_second_broken_promise_changes_nothing_where_the_first_brought_it_there() -> None:
    story = told("final")
    story.promise("100.00", by=mar(9))
    story.days_pass(until=mar(14))
    story.promise("100.00", by=mar(16))
    story.days_pass(until=mar(21))
    taken = ["03-05 reminder taken", "03-13 warning passed_over", "03-13 final taken"]
    story.expect(steps=taken)
    assert re_entries() == [
        "03-13 broken promise: goes on at final",
        "03-20 broken promise: goes on where it stands",
    ]


def test_the_day_run_again_finds_nothing_more_to_do() -> None:
    story = told("final")
    story.promise("100.00", by=mar(9))
    story.days_pass(until=BROKEN)
    story.run(BROKEN)
    story.deliver()
    assert len(re_entries()) == 1


def test_a_promise_kept_in_part_is_not_broken() -> None:
    story = told("final")
    story.promise("100.00", by=mar(9))
    story.days_pass(until=mar(8))
    story.pays("40.00")
    story.days_pass(until=mar(13))
    assert Promise.objects.get().status == Promise.Status.PART_KEPT
    story.expect(steps=["03-05 reminder taken", "03-13 warning taken"])
    assert re_entries() == []


@pytest.mark.parametrize("undertaking", ["promise", "plan"])
def test_a_dry_run_finds_the_same_days(undertaking: str) -> None:
    story = told("final")
    if undertaking == "promise":
        story.promise("100.00", by=mar(9))
    else:
        story.plan((mar(7), "50.00"), (mar(8), "50.00"))
    text = POLICY.replace("steps:", "after_broken: final\nsteps:")
    found = dry_runs.simulate(policy_file.read(text), as_of=mar(7), days=20, at=at(mar(7)))
    shown = [(day.on, code) for day in found.tried.days for code in sorted(day.steps)]
    story.days_pass(until=mar(26))
    happened = [line.rpartition(" ")[0] for line in story.steps() if line.endswith("taken") and "reminder" not in line]
    assert [f"{on:%m-%d} {code}" for on, code in shown] == happened
    assert happened
