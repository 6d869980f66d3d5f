"""Payments, credits, reversals and cancellations: nothing jumps, nothing is skipped, the paid are left alone."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.journeys.ledger import POLICY
from tests.journeys.story import Story

pytestmark = pytest.mark.django_db

FIRST = date(2026, 3, 2)


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


def told(policy: str = POLICY) -> Story:
    story = Story(FIRST, policy=policy)
    story.account()
    story.service()
    return story


def test_paying_the_older_bill_waits_for_the_younger_one_and_skips_nothing() -> None:
    """The oldest due date moves from 1 to 11 March: the warning comes on its day counted from there."""
    story = told()
    story.bill(mar(1), "40.00", ref="B1")
    story.bill(mar(11), "40.00", ref="B2")
    story.days_pass(until=mar(12))
    story.expect(steps=["03-05 reminder taken", "03-12 warning taken"])
    story.pays("40.00")
    story.days_pass(until=mar(42))
    story.expect(
        steps=[
            "03-05 reminder taken",
            "03-12 warning taken",
            "03-29 final taken",
            "04-06 bar taken",  # 4 April is a Saturday
            "04-11 suspend waiting: closed_day",
        ],
        cases=["03-02 open"],
    )
    assert story.notices()[-1] == "03-29 final email until 04-04"


def test_a_part_payment_that_leaves_the_oldest_bill_open_changes_no_day() -> None:
    story = told()
    story.bill(mar(1), "100.00")
    story.days_pass(until=mar(8))
    story.pays("90.00")
    story.days_pass(until=mar(19))
    story.expect(steps=["03-05 reminder taken", "03-12 warning taken", "03-19 final taken"], overdue="10.00")


def test_an_older_debt_that_appears_late_is_caught_up_one_step_a_day_never_jumped() -> None:
    """The oldest due date moves back: by a bill that arrives late."""
    story = told()
    story.bill(mar(10), "40.00", ref="B2")
    story.days_pass(until=mar(12))
    story.bill(date(2026, 1, 15), "40.00", ref="B1")
    story.days_pass(until=mar(26))
    story.expect(
        steps=[
            "03-05 upcoming taken",
            "03-13 reminder taken",
            "03-14 warning taken",
            "03-15 final taken",
            "03-16 desk taken",
            "03-23 bar taken",  # 21 March is a Saturday
            "03-24 suspend taken",
        ],
        days_past_due=70,
    )


def test_below_the_minimum_it_waits_and_goes_on_where_it_stood() -> None:
    story = told()
    story.bill(mar(1), "40.00", ref="B1")
    story.days_pass(until=mar(6))
    story.pays("31.00")
    story.days_pass(until=mar(20))
    story.expect(steps=["03-05 reminder taken", "03-12 warning waiting: below_minimum"], cases=["03-02 open"])
    story.bill(mar(19), "20.00", ref="B2", issued_on=mar(10))
    story.days_pass(until=mar(21))
    assert story.steps()[:3] == ["03-05 reminder taken", "03-21 warning taken"]


def test_an_exit_with_a_remainder_and_the_debt_that_comes_back() -> None:
    policy = POLICY.replace('exits: {max_amount: "0.00"}', 'exits: {max_amount: "1.00"}')
    story = told(policy)
    story.bill(mar(1), "40.00", ref="B1")
    story.days_pass(until=mar(26))
    story.expect(services=[{"service_id": "S1", "status": "outgoing_barred"}])
    story.pays("39.60")
    story.days_pass(until=mar(27))
    story.expect(
        cases=["03-02 03-26 below_exit_amount"],
        services=[{"service_id": "S1", "status": "active"}],
        status="overdue",
        overdue="0.40",
        stage=None,
    )
    story.bill(mar(36), "30.00", ref="B2")
    story.days_pass(until=mar(60))
    # The new case ages from the younger bill, due 5 April, and asks for everything.
    story.expect(
        cases=["03-02 03-26 below_exit_amount", "04-06 open"],
        overdue="30.40",
        days_past_due=59,
    )
    assert story.steps()[-4:] == [
        "04-09 reminder taken", "04-16 warning taken", "04-23 final taken", "04-29 bar taken",
    ]  # fmt: skip
    assert "30.40" in story.texts[-1].text


def test_a_reversal_after_the_cure_is_a_new_case_with_its_original_age_and_a_fresh_warning() -> None:
    story = told()
    story.bill(mar(1), "40.00", ref="B1")
    story.days_pass(until=mar(20))
    payment = story.pays("40.00")
    story.days_pass(until=mar(30))
    story.expect(cases=["03-02 03-20 paid"], status="current")
    story.takes_back(payment)
    story.expect(status="overdue", days_past_due=29)
    story.days_pass(until=mar(44))
    story.expect(cases=["03-02 03-20 paid", "03-31 open"])
    assert story.steps()[3:] == [
        "03-31 reminder taken",
        "04-01 warning taken",
        "04-02 final taken",
        "04-03 desk taken",
        "04-08 bar taken",
        "04-09 suspend taken",
    ]


def test_a_reversal_on_the_day_of_the_payment_leaves_the_next_step_on_its_day() -> None:
    story = told()
    story.bill(mar(1), "40.00", ref="B1")
    story.days_pass(until=mar(12))
    payment = story.pays("40.00")
    story.takes_back(payment)
    story.days_pass(until=mar(13))
    assert story.cases()[-1] == "03-13 open"
    assert story.steps()[-1] == "03-13 reminder taken"


def test_paying_too_much_cures_and_the_credit_pays_the_next_bill() -> None:
    story = told()
    story.bill(mar(1), "40.00", ref="B1")
    story.days_pass(until=mar(8))
    story.pays("65.00")
    story.expect(cases=["03-02 03-08 paid"], unapplied="25.00", balance="-25.00")
    story.bill(mar(20), "25.00", ref="B2", issued_on=mar(9))
    story.days_pass(until=mar(60))
    story.expect(steps=["03-05 reminder taken"], balance="0.00", status="current")


def test_a_cancelled_bill_ends_the_case_and_a_draft_never_begins_one() -> None:
    story = told()
    bill = story.bill(mar(1), "40.00", ref="B1")
    story.bill(mar(2), "99.00", ref="B2", status="draft")
    story.days_pass(until=mar(10))
    bill.cancelled_on, bill.status = mar(11), "cancelled"
    bill.save(update_fields=["cancelled_on", "status"])
    story.days_pass(until=mar(30))
    story.expect(steps=["03-05 reminder taken"], cases=["03-02 03-11 paid"], balance="0.00")


def test_a_credit_note_lowers_what_is_asked_for() -> None:
    story = told()
    story.bill(mar(1), "40.00", ref="B1")
    story.days_pass(until=mar(10))
    story.adjusts("-15.00", bill_ref="B1")
    story.days_pass(until=mar(12))
    assert "25.00" in story.texts[-1].text
    assert "40.00" not in story.texts[-1].text.replace("140.00", "")


def test_twelve_late_bills_are_one_letter() -> None:
    story = told()
    for month in range(12):
        story.bill(mar(1) - timedelta(days=30 * month), "20.00", ref=f"B{month:02}")
    story.days_pass(until=mar(3))
    assert story.handed[mar(2)] == 1
    story.expect(steps=["03-02 reminder taken", "03-03 warning taken"], overdue="240.00")


def test_an_account_whose_currency_the_policy_does_not_name_is_left_alone() -> None:
    policy = POLICY.replace('min_amount: "10.00"', 'min_amount: {USD: "10.00", EUR: "9.00"}')
    story = Story(FIRST, policy=policy)
    story.account("A1", currency="JPY")
    story.account("A2", currency="EUR")
    story.bill(mar(1), "4000", account="A1")
    story.bill(mar(1), "9.00", account="A2")
    story.days_pass(until=mar(20))
    story.expect("A1", steps=[], cases=[], status="overdue", policy=None)
    story.expect("A2", steps=["03-05 reminder taken", "03-12 warning taken", "03-19 final taken"])
