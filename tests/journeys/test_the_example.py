"""The bill due on 1 August 2026, from its reminder to its end."""

from __future__ import annotations

from datetime import date

import pytest

from tests.journeys.story import Story

pytestmark = pytest.mark.django_db

DUE = date(2026, 8, 1)


def aug(day: int) -> date:
    return date(2026, 8, day)


def sep(day: int) -> date:
    return date(2026, 9, day)


@pytest.fixture
def story() -> Story:
    told = Story(date(2026, 7, 25))
    told.account()
    told.service()
    told.bill(DUE, "80.00", ref="B1")
    return told


LADDER = [
    "07-27 upcoming taken",
    "08-05 reminder taken",
    "08-12 warning taken",
    "08-19 final taken",
    "08-25 bar taken",
    "09-01 suspend taken",
    "09-02 desk taken",
]


def test_an_unpaid_bill_goes_through_every_step_on_its_day(story: Story) -> None:
    story.days_pass(until=sep(2))
    story.expect(
        steps=LADDER,
        notices=[
            "07-27 upcoming sms",
            "08-05 reminder email",
            "08-12 warning sms until 08-20",
            "08-19 final email until 08-25",
        ],
        moves=["08-02 overdue", "08-25 S1 outgoing_barred", "09-01 S1 suspended", "09-02 collections"],
        cases=["08-02 open"],
        queue=["collect: handed to agents by the policy"],
        status="collections",
        stage="desk",
        next_step={"code": "placement", "on": "2026-10-15"},
    )


def test_a_plan_stops_everything_its_first_instalment_restores_and_the_last_cures(story: Story) -> None:
    story.days_pass(until=sep(5))
    story.plan((sep(10), "40.00"), (date(2026, 10, 10), "40.00"))
    story.days_pass(until=sep(10))
    story.expect(steps=LADDER, services=[{"service_id": "S1", "status": "suspended"}], overdue="80.00")
    story.pays("40.00")
    story.deliver()
    story.expect(services=[{"service_id": "S1", "status": "active"}], cases=["08-02 open"])
    story.days_pass(until=date(2026, 10, 9))
    story.pays("40.00")
    story.days_pass(until=date(2026, 12, 1))
    story.expect(
        steps=[*LADDER[:4], "08-25 bar taken", "09-01 suspend taken", "09-02 desk taken"],
        cases=["08-02 10-09 paid"],
        queue=[],
        status="current",
        balance="0.00",
    )
    assert story.moves()[-2:] == ["09-10 S1 active", "10-09 current"]


def test_a_payment_between_the_run_and_the_sending_withdraws_the_notice(story: Story) -> None:
    story.days_pass(until=aug(11))
    story.run(aug(12))
    story.pays("80.00")
    story.deliver()
    story.expect(withdrawn=["08-12 warning: case closed: paid"], cases=["08-02 08-12 paid"], status="current", queue=[])
    assert story.handed[aug(12)] == 0


def test_a_payment_that_nobody_has_settled_yet_withdraws_it_too(story: Story) -> None:
    story.days_pass(until=aug(24))
    story.run(aug(25))
    story.unsettled_payment("80.00")
    story.deliver()
    story.expect(services=[{"service_id": "S1", "status": "active"}], cases=["08-02 08-25 paid"], status="current")
    assert story.withdrawn()[0].startswith("08-25 bar: ")


def test_a_payment_in_mid_path_exits_restores_and_leaves_the_queue(story: Story) -> None:
    story.days_pass(until=sep(8))
    story.pays("80.00")
    story.days_pass(until=sep(9))
    story.expect(
        steps=LADDER,
        cases=["08-02 09-08 paid"],
        queue=[],
        status="current",
        services=[{"service_id": "S1", "status": "active"}],
        stage=None,
    )
    assert story.moves()[-2:] == ["09-08 current", "09-09 S1 active"]


def test_the_same_day_twice_does_nothing(story: Story) -> None:
    story.days_pass(until=aug(25))
    before = (story.steps(), story.notices(), story.moves(), story.cases())
    report = story.run(aug(25))
    story.deliver()
    assert (dict(report.steps), report.notices, report.orders) == ({}, 0, 0)
    assert before == (story.steps(), story.notices(), story.moves(), story.cases())


def test_five_days_without_a_run_are_caught_up_one_step_a_day_with_full_notice(story: Story) -> None:
    story.days_pass(until=aug(16))
    story.days_without_a_run(until=aug(22))
    story.days_pass(until=sep(3))
    story.expect(
        steps=[
            *LADDER[:3],
            "08-23 final taken",
            "08-31 bar taken",  # 29 August, the day named, is a Saturday
            "09-01 suspend taken",
            "09-02 desk taken",
        ]
    )
    assert story.notices()[-1] == "08-23 final email until 08-29"


def test_days_without_a_run_from_the_start_skip_no_step(story: Story) -> None:
    story.days_pass(until=date(2026, 7, 30))
    story.days_without_a_run(until=aug(27))
    story.days_pass(until=date(2026, 9, 10))
    story.expect(
        steps=[
            "07-27 upcoming taken",
            "08-28 reminder taken",
            "08-29 warning taken",
            "08-30 final taken",
            "09-02 desk taken",
            "09-08 bar taken",  # named 5 September, a Saturday; 7 September is Labor Day
            "09-09 suspend taken",
        ]
    )
