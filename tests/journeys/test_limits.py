"""Limits, working days, protected lines, families, fees, policies, agencies and the write-off."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from accounts.models import Fee
from collections_desk import journey
from dunning import cases
from dunning.models import Case, Placement
from tests.journeys.ledger import POLICY
from tests.journeys.story import Story, at, publish

pytestmark = pytest.mark.django_db

S1 = "S1"


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


def told(policy: str = POLICY) -> Story:
    story = Story(mar(2), policy=policy)
    story.account(customer={"timezone": "UTC"})
    story.bill(mar(1), "100.00", ref="B1")
    return story


def test_a_protected_service_is_left_and_the_step_counts_as_taken() -> None:
    story = told()
    story.service(S1, protected=True)
    story.days_pass(until=mar(34))
    story.expect(services=[{"service_id": S1, "status": "active"}])
    assert story.steps()[3:] == ["03-25 bar nothing_to_do", "04-01 suspend nothing_to_do", "04-02 desk taken"]


def test_of_two_lines_only_the_unprotected_one_is_limited() -> None:
    story = told()
    story.service("S0", protected=True)
    story.service(S1)
    story.days_pass(until=mar(33))
    story.expect(services=[{"service_id": "S0", "status": "active"}, {"service_id": S1, "status": "suspended"}])


def test_a_closed_day_rolls_a_limit_and_not_a_notice() -> None:
    """Due on 4 March 2026: the reminder falls on a Sunday, the limit on a Saturday."""
    story = Story(mar(2))
    story.account()
    story.service()
    story.bill(mar(4), "100.00", ref="B1", issued_on=mar(1))
    story.days_pass(until=mar(31))
    assert story.steps()[1:] == ["03-08 reminder taken", "03-15 warning taken", "03-22 final taken", "03-30 bar taken"]
    assert story.notices()[-1] == "03-22 final email until 03-28"


def test_the_network_is_asked_in_the_markets_hours_only() -> None:
    story = told()
    story.service()
    story.careful = True
    story.days_pass(until=mar(24))
    story.run(mar(25))
    story.deliver(hour=3)
    story.expect(services=[{"service_id": S1, "status": "active"}])
    story.deliver(hour=12)
    story.expect(services=[{"service_id": S1, "status": "outgoing_barred"}])


def test_a_line_already_at_the_rung_counts_as_taken() -> None:
    story = told()
    story.service(S1, status="suspended")
    story.days_pass(until=mar(34))
    assert story.steps()[3:] == ["03-25 bar nothing_to_do", "04-01 suspend nothing_to_do", "04-02 desk taken"]


@pytest.mark.parametrize("limits", [False, True])
def test_a_parent_pays_for_its_child_whose_line_is_limited_only_if_the_policy_says_so(limits: bool) -> None:
    story = Story(mar(1), policy=POLICY + ("limits_children: true\n" if limits else ""))
    parent = story.account("P1")
    story.account("K1", customer={"email": "child@customers.example"}, parent=parent)
    story.service("SP", account="P1")
    story.service("SK", account="K1")
    story.bill(mar(8), "100.00", ref="B1", account="K1")
    story.days_pass(until=mar(40))
    story.expect("K1", steps=[], notices=[], cases=[], status="overdue")
    story.expect("P1", cases=["03-09 open"], services=[{"service_id": "SP", "status": "suspended"}])
    assert story.notices("P1") == [
        "03-03 upcoming sms", "03-12 reminder email", "03-19 warning sms until 03-27", "03-26 final email until 04-01",
    ]  # fmt: skip
    story.expect("K1", services=[{"service_id": "SK", "status": "suspended" if limits else "active"}])
    # It owes nothing itself, so no status tells the agents: a task does.
    story.expect("P1", queue=["task: an account it pays for is past due"])
    story.pays("100.00", account="K1")
    story.days_pass(until=mar(41))
    story.expect("P1", services=[{"service_id": "SP", "status": "active"}], cases=["03-09 04-09 paid"], queue=[])
    story.expect("K1", services=[{"service_id": "SK", "status": "active"}], status="current")


def test_a_child_that_pays_itself_is_dunned_itself() -> None:
    story = Story(mar(2))
    parent = story.account("P1")
    story.account("K1", parent=parent, pays_itself=True)
    story.bill(mar(1), "100.00", ref="B1", account="K1")
    story.days_pass(until=mar(6))
    story.expect("P1", steps=[], cases=[])
    story.expect("K1", steps=["03-05 reminder taken"], cases=["03-02 open"])


def test_a_remainder_of_the_child_ages_no_new_case() -> None:
    story = Story(mar(2), policy=POLICY.replace('exits: {max_amount: "0.00"}', 'exits: {max_amount: "12.00"}'))
    parent = story.account("P1")
    story.account("K1", parent=parent)
    story.bill(mar(1), "50.00", ref="B1", account="K1")
    story.days_pass(until=mar(6))
    story.pays("38.00", account="K1")
    story.days_pass(until=mar(20))
    story.expect("P1", cases=["03-02 03-06 below_exit_amount"], steps=["03-05 reminder taken"])


def test_a_case_keeps_its_version_when_a_new_one_is_published() -> None:
    story = told()
    story.service()
    story.days_pass(until=mar(6))
    publish(POLICY.replace("code: warning,   day: 11", "").replace("day: 11", "day: 8"), on=mar(6))
    story.account("A2")
    story.bill(mar(3), "50.00", account="A2")
    story.days_pass(until=mar(13))
    story.expect(steps=["03-05 reminder taken", "03-12 warning taken"])
    story.expect("A2", steps=["03-07 reminder taken", "03-11 warning taken"])
    assert Case.objects.get(account__ref="A1").version.number == 1
    assert Case.objects.get(account__ref="A2").version.number == 2


def test_fees_are_in_the_balance_and_never_in_what_steps_are_judged_on() -> None:
    policy = POLICY.replace("steps:\n", 'fees: {late_fee: "5.00", reconnection_fee: "7.50"}\nsteps:\n').replace(
        "  - {code: warning,", "  - {code: late, day: 6, action: charge_fee, fee: late_fee}\n  - {code: warning,"
    )
    story = told(policy)
    story.service()
    story.days_pass(until=mar(26))
    story.expect(overdue="100.00", balance="105.00")
    assert "100.00" in story.texts[-1].text
    story.pays("100.00")
    story.days_pass(until=mar(30))
    story.expect(overdue="0.00", status="current", cases=["03-02 03-26 paid"], balance="12.50")
    assert Fee.objects.count() == 2


def test_an_agency_gets_the_account_after_its_notice_and_a_payment_recalls_it() -> None:
    story = told()
    story.days_pass(until=date(2026, 6, 2))
    story.expect(status="agency", stage="agency", queue=[])
    assert story.steps()[-2:] == ["05-15 placement taken", "06-01 agency taken"]  # 30 May is a Saturday
    assert Placement.objects.get().amount == 100
    story.pays("100.00")
    story.expect(status="current", cases=["03-02 06-02 paid"])
    assert Placement.objects.get().recalled_on == date(2026, 6, 2)


def test_a_write_off_waits_for_its_approval_and_closes_the_case() -> None:
    story = told()
    story.days_pass(until=date(2026, 8, 29))
    assert story.steps()[-1] == "08-28 write-off taken"
    story.expect(status="agency", queue=["approval: write-off"], overdue="100.00")
    cases.write_off(
        account_id=story.account_row().pk,
        actor="agent:sofia",
        as_of=story.today,
        at=at(story.today),
        reason="uncollectable",
    )
    story.days_pass(until=date(2026, 8, 31))
    story.expect(status="written_off", overdue="0.00", balance="0.00", cases=["03-02 08-29 written_off"], queue=[])


def test_a_write_off_that_is_refused_stops_nobody_elses_day() -> None:
    """A parent that owes nothing itself has nothing to write off."""
    policy = POLICY.replace("day: 180, action: write_off, approval: required", "day: 40, action: write_off")
    policy = "\n".join(line for line in policy.split("\n") if "placement" not in line)
    story = Story(mar(2), policy=policy)
    parent = story.account("P1")
    story.account("K1", parent=parent)
    story.account("A1")
    story.bill(mar(1), "50.00", ref="B1", account="K1")
    story.bill(mar(1), "50.00", ref="B2", account="A1")
    story.days_pass(until=mar(42))
    story.expect("A1", status="written_off")
    assert [item.split(":")[0] for item in story.queue("P1")] == ["task"]


def test_a_taken_over_account_goes_on_from_its_stage_with_its_warning() -> None:
    story = Story(mar(20))
    story.account(taken_over_stage="final", taken_over_warned_on=mar(19))
    story.service()
    story.bill(mar(1), "100.00", ref="B1")
    story.days_pass(until=mar(26))
    story.expect(
        stage="bar", steps=[
            "03-19 reminder taken", "03-19 warning taken", "03-19 final taken", "03-25 bar taken",
        ],
    )  # fmt: skip
    assert story.handed.total() == 0


def test_a_taken_over_account_without_a_warning_is_warned_before_anything_hurts() -> None:
    story = Story(mar(26))
    story.account(taken_over_stage="final")
    story.service()
    story.bill(mar(1), "100.00", ref="B1")
    story.days_pass(until=mar(35))
    assert story.steps()[3:] == [
        "03-26 final taken", "04-01 bar taken", "04-02 suspend taken", "04-03 desk taken",
    ]  # fmt: skip


def test_the_business_date_never_goes_back() -> None:
    story = told()
    story.days_pass(until=mar(10))
    before = story.steps()
    with pytest.raises(journey.CannotRunDay, match="2026-03-10"):
        journey.run_day(as_of=mar(9), at=at(mar(11)))
    assert story.steps() == before
    story.expect(as_of="2026-03-10")


def test_a_limit_withdrawn_at_the_last_moment_comes_again_when_its_reason_is_gone() -> None:
    story = told()
    story.service()
    story.days_pass(until=mar(24))
    story.run(mar(25))
    hold = story.hold("vulnerability_review")
    story.deliver()
    story.expect(services=[{"service_id": S1, "status": "active"}], withdrawn=["03-25 bar: a hold is in force"])
    story.lift(hold)
    story.days_pass(until=mar(26))
    story.expect(services=[{"service_id": S1, "status": "outgoing_barred"}])
