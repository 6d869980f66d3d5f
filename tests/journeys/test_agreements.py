"""Promises, plans, disputes and other holds: what stops, what goes on, and what comes back."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from agents.models import Plan, Promise
from tests.journeys.story import Story

pytestmark = pytest.mark.django_db


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


@pytest.fixture
def story() -> Story:
    told = Story(mar(2))
    told.account()
    told.service()
    told.bill(mar(1), "100.00", ref="B1")
    return told


# Disputes.


def test_half_a_bill_disputed_goes_on_for_the_rest(story: Story) -> None:
    story.days_pass(until=mar(6))
    story.dispute("60.00", bill="B1")
    story.days_pass(until=mar(12))
    story.expect(
        steps=["03-05 reminder taken", "03-12 warning taken"], overdue="40.00", disputed="60.00", balance="100.00"
    )
    assert "40.00" in story.texts[-1].text


def test_a_full_dispute_pauses_and_rejected_resumes_at_its_stage_with_a_fresh_warning(story: Story) -> None:
    story.days_pass(until=mar(20))
    contest = story.dispute("100.00", bill="B1")
    story.days_pass(until=mar(40))
    taken = ["03-05 reminder taken", "03-12 warning taken", "03-19 final taken"]
    story.expect(steps=taken, cases=["03-02 open"], stage="final", overdue="0.00", days_past_due=0, status="overdue")
    story.resolve(contest, "rejected")
    story.days_pass(until=mar(50))
    story.expect(
        steps=[
            *taken,
            "04-10 final taken",
            "04-11 desk taken",
            "04-16 bar taken",
            "04-17 suspend taken",
        ]
    )
    assert story.notices()[-1] == "04-10 final email until 04-16"


def test_a_dispute_upheld_for_a_part_goes_on_with_the_rest_after_a_fresh_warning(story: Story) -> None:
    story.days_pass(until=mar(20))
    contest = story.dispute("100.00", bill="B1")
    story.days_pass(until=mar(40))
    story.resolve(contest, "upheld", credited="30.00")
    story.expect(overdue="70.00", disputed="0.00", balance="70.00", stage="final")
    story.days_pass(until=mar(50))
    story.expect(
        steps=[
            "03-05 reminder taken", "03-12 warning taken", "03-19 final taken",
            "04-10 final taken", "04-11 desk taken", "04-16 bar taken", "04-17 suspend taken",
        ]
    )  # fmt: skip


def test_the_rest_of_an_account_gets_its_steps_and_is_handed_over_while_a_part_is_contested(story: Story) -> None:
    story.days_pass(until=mar(3))
    story.dispute("60.00", bill="B1")
    story.days_pass(until=mar(40))
    story.expect(
        steps=[
            "03-05 reminder taken", "03-12 warning taken", "03-19 final taken", "03-25 bar taken",
            "04-01 suspend taken", "04-02 desk taken",
        ],
        status="collections", overdue="40.00", disputed="60.00",
    )  # fmt: skip


def test_a_dispute_withdrawn_after_the_limit_takes_nothing_twice(story: Story) -> None:
    story.days_pass(until=mar(26))
    contest = story.dispute("100.00", bill="B1")
    story.days_pass(until=mar(30))
    story.resolve(contest, "withdrawn")
    story.days_pass(until=mar(42))
    story.expect(
        steps=[
            "03-05 reminder taken", "03-12 warning taken", "03-19 final taken", "03-25 bar taken",
            "04-01 final taken", "04-02 desk taken", "04-07 suspend taken",
        ]
    )  # fmt: skip


def test_an_upheld_dispute_is_out_of_what_is_owed_and_billings_credit_counts_once(story: Story) -> None:
    story.days_pass(until=mar(6))
    contest = story.dispute("60.00", bill="B1")
    story.resolve(contest, "upheld")
    story.expect(overdue="40.00", disputed="0.00", balance="40.00")
    story.days_pass(until=mar(9))
    story.adjusts("-60.00", bill_ref="B1", dispute_ref=contest.ref)
    story.expect(overdue="40.00", balance="40.00")
    story.days_pass(until=mar(12))
    story.expect(steps=["03-05 reminder taken", "03-12 warning taken"], balance="40.00")


def test_a_dispute_upheld_in_full_closes_the_case(story: Story) -> None:
    story.days_pass(until=mar(26))
    contest = story.dispute("100.00", bill="B1")
    story.resolve(contest, "upheld")
    story.days_pass(until=mar(27))
    story.expect(cases=["03-02 03-26 paid"], services=[{"service_id": "S1", "status": "active"}], status="current")


# Promises.


def test_a_promise_kept_early_lifts_its_hold(story: Story) -> None:
    story.days_pass(until=mar(6))
    story.promise("40.00", by=mar(20))
    story.days_pass(until=mar(13))
    story.expect(steps=["03-05 reminder taken"])
    story.pays("40.00")
    story.expect(holds=[])
    story.days_pass(until=mar(15))
    assert Promise.objects.get().status == "kept"
    story.expect(steps=["03-05 reminder taken", "03-14 warning taken"], overdue="60.00")


def test_a_promise_is_broken_the_day_after_its_grace(story: Story) -> None:
    story.days_pass(until=mar(6))
    story.promise("100.00", by=mar(14))
    story.days_pass(until=mar(17))
    assert Promise.objects.get().status == "open"
    story.expect(steps=["03-05 reminder taken"])
    story.days_pass(until=mar(18))
    assert Promise.objects.get().status == "broken"
    story.expect(steps=["03-05 reminder taken", "03-18 warning taken"], holds=[])


def test_a_broken_promise_of_an_account_in_the_agents_hands_comes_back_to_them(story: Story) -> None:
    story.days_pass(until=mar(34))
    story.promise("100.00", by=mar(38))
    story.days_pass(until=mar(42))
    story.expect(queue=["collect: handed to agents by the policy"], status="collections")


def test_full_payment_of_what_a_promise_names_restores_while_other_bills_stay_open(story: Story) -> None:
    story.bill(mar(3), "30.00", ref="B2")
    story.days_pass(until=mar(26))
    story.promise("100.00", by=mar(36), bills=["B1"])
    story.pays("100.00", bill_ref="B1")
    story.deliver()
    story.expect(services=[{"service_id": "S1", "status": "active"}], cases=["03-02 open"], overdue="30.00", holds=[])
    story.days_pass(until=mar(41))
    # Its limits come again, after a fresh warning.
    assert story.steps()[4:] == ["03-27 final taken", "04-02 bar taken", "04-03 suspend taken", "04-04 desk taken"]


def test_a_bill_that_no_promise_names_is_judged_alone(story: Story) -> None:
    story.days_pass(until=mar(6))
    story.promise("100.00", by=mar(30))
    story.bill(mar(8), "30.00", ref="B2")
    story.days_pass(until=mar(20))
    # Counted from 8 March.
    story.expect(steps=["03-05 reminder taken", "03-19 warning taken"], overdue="130.00")
    assert "30.00" in story.texts[-1].text
    assert "130.00" not in story.texts[-1].text


# Plans.


def test_a_plan_broken_by_two_instalments_resumes_at_its_stage(story: Story) -> None:
    story.days_pass(until=mar(13))
    story.plan((mar(16), "50.00"), (mar(23), "50.00"))
    story.days_pass(until=mar(28))
    assert Plan.objects.get().status == "active"
    story.expect(steps=["03-05 reminder taken", "03-12 warning taken"])
    story.days_pass(until=mar(40))
    assert Plan.objects.get().status == "broken"
    story.expect(
        steps=[
            "03-05 reminder taken",
            "03-12 warning taken",
            "03-29 final taken",
            "04-02 desk taken",
            "04-06 bar taken",
            "04-07 suspend taken",
        ]
    )


def test_later_bills_are_judged_alone_beside_a_plan(story: Story) -> None:
    story.days_pass(until=mar(6))
    story.plan((mar(20), "50.00"), (mar(50), "50.00"))
    story.bill(mar(15), "30.00", ref="B2", issued_on=mar(7))
    story.days_pass(until=mar(20))
    story.pays("50.00", bill_ref="B1")
    story.days_pass(until=mar(33))
    # Both counted from 15 March; no notice before the due date while a case is open.
    story.expect(
        steps=["03-05 reminder taken", "03-26 warning taken", "04-02 final taken"],
        cases=["03-02 open"],
        overdue="80.00",
    )


def test_paying_a_plan_leaves_the_later_bill_and_goes_on_for_it(story: Story) -> None:
    story.days_pass(until=mar(6))
    story.plan((mar(10), "100.00"))
    story.bill(mar(8), "30.00", ref="B2")
    story.days_pass(until=mar(10))
    story.pays("100.00", bill_ref="B1")
    story.days_pass(until=mar(19))
    assert Plan.objects.get().status == "kept"
    story.expect(steps=["03-05 reminder taken", "03-19 warning taken"], cases=["03-02 open"], holds=[])


# Holds.


def test_hardship_stops_the_clock_and_days_past_due_run_on(story: Story) -> None:
    story.days_pass(until=mar(8))
    story.hold("hardship", until=mar(18))
    story.days_pass(until=mar(18))
    story.expect(steps=["03-05 reminder taken"], days_past_due=17)
    story.days_pass(until=mar(30))
    # Eleven days stood still: 8 to 18 March.
    story.expect(steps=["03-05 reminder taken", "03-23 warning taken", "03-30 final taken"], days_past_due=29)


def test_a_vulnerability_review_lets_notices_go_and_keeps_the_service(story: Story) -> None:
    story.days_pass(until=mar(8))
    review = story.hold("vulnerability_review")
    story.days_pass(until=mar(26))
    story.expect(
        steps=["03-05 reminder taken", "03-12 warning taken", "03-19 final taken", "03-25 bar waiting: hold"],
        services=[{"service_id": "S1", "status": "active"}],
    )
    story.lift(review)
    story.days_pass(until=mar(27))
    assert story.steps()[-1] == "03-27 bar taken"


def test_of_two_overlapping_holds_lifting_one_leaves_the_other(story: Story) -> None:
    story.days_pass(until=mar(8))
    legal = story.hold("payment_in_flight")
    story.hold("manual", until=mar(20))
    story.lift(legal)
    story.days_pass(until=mar(20))
    story.expect(steps=["03-05 reminder taken", "03-12 warning waiting: hold"])
    story.days_pass(until=mar(21))
    story.expect(steps=["03-05 reminder taken", "03-21 warning taken"])


def test_stopped_clocks_that_overlap_count_once(story: Story) -> None:
    story.days_pass(until=mar(8))
    story.hold("hardship", until=mar(14))
    story.hold("breathing_space", until=mar(12))
    story.days_pass(until=mar(19))
    story.expect(steps=["03-05 reminder taken", "03-19 warning taken"])


def test_a_hold_longer_than_the_rest_of_the_path_resumes_where_it_stood(story: Story) -> None:
    story.days_pass(until=mar(8))
    story.hold("manual", until=mar(66))
    story.days_pass(until=mar(74))
    story.expect(
        steps=[
            "03-05 reminder taken",
            "05-06 warning taken",
            "05-07 final taken",
            "05-08 suspend waiting: notice_running",
            "05-08 desk taken",
            "05-13 bar taken",
        ],
        cases=["03-02 open"],
    )


def test_a_hold_placed_between_the_run_and_the_sending_withdraws_and_the_step_comes_again(story: Story) -> None:
    story.days_pass(until=mar(11))
    story.run(mar(12))
    hold = story.hold("legal")
    story.deliver()
    story.expect(withdrawn=["03-12 warning: a hold is in force"])
    story.lift(hold)
    story.days_pass(until=mar(13))
    assert story.steps()[-1] == "03-13 warning taken"
    assert story.handed[mar(13)] == 1
    assert Decimal(story.shows()["overdue"]) == 100
