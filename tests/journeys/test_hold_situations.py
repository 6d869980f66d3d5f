"""Holds through the real day: the edited matrix, pauses of one bill, kept services, holds inside each other."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from accounts import keeping
from accounts.models import Service
from agents import queue
from agents.models import WorkItem
from collections_desk import journey
from dunning import hold_rules, holding
from dunning.hold_rules import Rule
from tests.factories import make_agent
from tests.journeys.story import Story, at

pytestmark = pytest.mark.django_db

REMINDED, WARNED, FINAL = "03-05 reminder taken", "03-12 warning taken", "03-19 final taken"
BARRED, SUSPENDED = "03-25 bar taken", "04-01 suspend taken"


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


@pytest.fixture
def story() -> Story:
    """An account with one line that owes USD 100.00 since 1 March."""
    told = Story(mar(2))
    told.account()
    told.service("S1")
    told.bill(mar(1), "100.00", ref="B1")
    return told


def rule(reason: str, **columns: Any) -> None:
    """An admin changes one line of the matrix, on the day of the story."""
    before = hold_rules.matrix()[reason]
    line = {"stops": before.stops, "clock": before.clock, "lifted_by": before.lifted_by} | columns
    on = columns.pop("on")
    line.pop("on")
    hold_rules.change(rules=[Rule(reason, **line)], actor="agent:ada", as_of=on, at=at(on))


def keep(story: Story, until: date, ref: str = "S1") -> None:
    pk = Service.objects.get(ref=ref).pk
    keeping.keep(service_id=pk, until=until, reason="depended_on", actor="agent:sofia", **now(story))
    react(story)


def let_go(story: Story, ref: str = "S1") -> None:
    pk = Service.objects.get(ref=ref).pk
    keeping.let_go(service_id=pk, reason="over", actor="agent:sofia", **now(story))
    react(story)


def now(story: Story) -> dict[str, Any]:
    return {"as_of": story.today, "at": at(story.today, 10)}


def react(story: Story) -> None:
    with journey.gathering():
        journey.react_to_all(as_of=story.today, at=at(story.today, 10))


def a_day(steps: list[str]) -> int:
    """Most steps taken on one day."""
    return max(Counter(step[:5] for step in steps if step.endswith("taken")).values())


# The matrix as the admin has it.


def test_a_vulnerability_review_that_lets_limits_go_limits(story: Story) -> None:
    rule("vulnerability_review", stops={holding.FEES}, on=story.today)
    story.days_pass(until=mar(8))
    story.hold("vulnerability_review")
    story.days_pass(until=mar(25))
    story.expect(steps=[REMINDED, WARNED, FINAL, BARRED])


def test_a_change_of_the_matrix_is_in_force_for_the_holds_there_are_on_the_same_day(story: Story) -> None:
    story.days_pass(until=mar(8))
    story.hold("hardship", until=mar(60))
    story.days_pass(until=mar(20))
    story.expect(steps=[REMINDED])
    rule("hardship", stops=holding.EVERYTHING - {holding.NOTICES}, clock=False, on=mar(20))
    story.run()
    story.deliver()
    # Nineteen days past due and a clock that never stood: the warning, and the day after the next.
    story.expect(steps=[REMINDED, "03-20 warning taken"])
    story.days_pass(until=mar(40))
    story.expect(
        steps=[
            REMINDED,
            "03-20 warning taken",
            "03-21 final taken",
            "03-25 bar waiting: hold",
            "04-01 suspend waiting: hold",
            "04-02 desk waiting: hold",
        ],
        services=[{"service_id": "S1", "status": "active"}],
    )


def test_a_reason_whose_clock_the_admin_stopped_stands_still(story: Story) -> None:
    rule("payment_in_flight", clock=True, on=story.today)
    story.days_pass(until=mar(8))
    story.hold("payment_in_flight", until=mar(12))
    story.days_pass(until=mar(17))
    # Five days stood still: 8 to 12 March.
    story.expect(steps=[REMINDED, "03-17 warning taken"], days_past_due=16)


def test_agents_are_offered_whom_the_matrix_lets_them_call(story: Story) -> None:
    story.days_pass(until=mar(33))
    story.hold("hardship", until=mar(60))
    nadia = make_agent()
    assert queue.claim_next(agent=nadia, at=at(mar(33))) is None
    assert not queue.offered(WorkItem.objects.all(), at=at(mar(33))).exists()
    rule("hardship", stops=holding.EVERYTHING - {holding.CALLS}, on=mar(33))
    assert queue.offered(WorkItem.objects.all(), at=at(mar(33))).exists()
    claimed = queue.claim_next(agent=nadia, at=at(mar(33)))
    assert claimed is not None
    assert claimed.account.ref == "A1"


def test_who_is_held_by_two_covers_together_is_called_about_neither() -> None:
    story = Story(mar(2))
    story.account()
    story.bill(mar(1), "100.00", ref="B1")
    story.bill(mar(2), "50.00", ref="B2")
    story.days_pass(until=mar(33))
    nadia = make_agent()
    story.promise("100.00", by=mar(38), bills=["B1"])
    assert queue.offered(WorkItem.objects.all(), at=at(mar(33))).exists()
    story.hold("manual", until=mar(38), bill_refs=["B2"])
    assert not queue.offered(WorkItem.objects.all(), at=at(mar(33))).exists()
    assert queue.claim_next(agent=nadia, at=at(mar(33))) is None
    story.days_pass(until=mar(39))
    assert queue.offered(WorkItem.objects.all(), at=at(mar(39))).exists()


# Single bills, and amounts.


def test_a_manual_hold_of_one_bill_pauses_that_bill_and_no_other(story: Story) -> None:
    story.bill(mar(4), "60.00", ref="B2")
    story.days_pass(until=mar(8))
    paused = story.hold("manual", until=mar(22), bill_refs=["B1"])
    story.days_pass(until=mar(16))
    # The case goes on with the younger bill: eleven days past due on the 15th, and B1 in no text.
    story.expect(steps=[REMINDED, "03-15 warning taken"], overdue="160.00")
    assert "60.00" in story.texts[-1].text
    assert "160.00" not in story.texts[-1].text
    story.days_pass(until=mar(24))
    # The pause is over: the older bill's age is the case's again, one step a day.
    story.expect(steps=[REMINDED, "03-15 warning taken", "03-22 final taken"])
    assert paused.stops == []


def test_lifting_the_pause_of_the_only_bill_resumes_where_the_case_was(story: Story) -> None:
    story.days_pass(until=mar(8))
    paused = story.hold("manual", bill_refs=["B1"])
    story.days_pass(until=mar(28))
    story.expect(steps=[REMINDED], cases=["03-02 open"])
    story.lift(paused)
    story.days_pass(until=mar(31))
    story.expect(
        steps=[REMINDED, "03-29 warning taken", "03-30 final taken", "03-31 bar waiting: notice_running"],
        cases=["03-02 open"],
    )


def test_a_dispute_of_an_amount_lets_the_rest_go_on_to_the_limit(story: Story) -> None:
    story.days_pass(until=mar(8))
    story.dispute("30.00", bill="B1")
    story.days_pass(until=mar(25))
    story.expect(steps=[REMINDED, WARNED, FINAL, BARRED], overdue="70.00", disputed="30.00")
    assert "70.00" in story.texts[-1].text


# Over and inside each other.


@pytest.mark.parametrize("lifted", ["outer", "inner"])
def test_of_an_enclosing_and_an_enclosed_hold_lifting_one_leaves_the_other(story: Story, lifted: str) -> None:
    story.days_pass(until=mar(8))
    holds = {"outer": story.hold("manual", until=mar(30))}
    story.days_pass(until=mar(10))
    holds["inner"] = story.hold("fraud", until=mar(20))
    story.days_pass(until=mar(14))
    story.lift(holds[lifted])
    story.days_pass(until=mar(19))
    assert [hold["reason"] for hold in story.shows()["holds"]] == ["fraud" if lifted == "outer" else "manual"]
    assert [step for step in story.steps() if step.endswith("taken")] == [REMINDED]


def test_three_clocks_that_stand_over_and_inside_each_other_are_counted_once(story: Story) -> None:
    story.days_pass(until=mar(8))
    story.hold("hardship", until=mar(14))
    story.hold("legal", until=mar(10))
    story.hold("fraud", until=mar(14))
    story.days_pass(until=mar(19))
    # Seven days stood still: 8 to 14 March.
    story.expect(steps=[REMINDED, "03-19 warning taken"])


def test_a_hold_longer_than_the_rest_of_the_path_neither_fails_nor_restarts_and_resumes_a_step_a_day(
    story: Story,
) -> None:
    story.days_pass(until=mar(13))
    story.hold("manual", until=mar(120))
    story.days_pass(until=mar(120))
    assert [step for step in story.steps() if step.endswith("taken")] == [REMINDED, WARNED]
    story.expect(stage="warning", cases=["03-02 open"], services=[{"service_id": "S1", "status": "active"}])
    story.days_pass(until=mar(140))
    steps = story.steps()
    assert steps[:2] == [REMINDED, WARNED]
    assert sum(step.split()[1] == "reminder" for step in steps) == 1
    assert sum(step.split()[1] == "warning" for step in steps) == 1
    assert a_day(steps) == 1
    assert [step for step in steps if " final " in step] == ["06-29 final taken"]


# Kept services.


def test_a_kept_service_is_not_limited_and_everything_else_goes_on(story: Story) -> None:
    story.service("S2")
    story.days_pass(until=mar(8))
    keep(story, mar(29))
    story.days_pass(until=mar(29))
    story.expect(
        steps=[REMINDED, WARNED, FINAL, BARRED],
        services=[{"service_id": "S1", "status": "active"}, {"service_id": "S2", "status": "outgoing_barred"}],
    )
    story.days_pass(until=mar(30))
    assert story.moves()[-1] == "03-30 S1 outgoing_barred"


def test_a_service_that_is_let_go_is_limited_with_the_next_hand_over(story: Story) -> None:
    story.days_pass(until=mar(8))
    keep(story, mar(60))
    story.days_pass(until=mar(26))
    story.expect(services=[{"service_id": "S1", "status": "active"}])
    let_go(story)
    story.deliver()
    story.expect(services=[{"service_id": "S1", "status": "outgoing_barred"}])


def test_a_service_kept_beyond_its_payment_is_never_limited(story: Story) -> None:
    story.days_pass(until=mar(8))
    keep(story, mar(60))
    story.days_pass(until=mar(27))
    story.pays("100.00")
    story.days_pass(until=mar(62))
    story.expect(services=[{"service_id": "S1", "status": "active"}], status="current")
    assert story.withdrawn() == ["03-27 bar: case closed: paid"]


def test_a_service_kept_past_two_limits_goes_down_a_rung_a_day(story: Story) -> None:
    story.days_pass(until=mar(8))
    keep(story, mar(36))
    story.days_pass(until=mar(40))
    rungs = [move for move in story.moves() if " S1 " in move]
    assert len({move[:5] for move in rungs}) == len(rungs)
    story.expect(services=[{"service_id": "S1", "status": "suspended"}])
