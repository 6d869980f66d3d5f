"""The next step: every rule on the day before, the day and the day after; then whole histories, day by day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dunning import holding, policy
from dunning.holding import HoldFact
from dunning.policy import (
    AGENCY,
    BELOW_MINIMUM,
    CHARGE_FEE,
    CLOSED_DAY,
    HELD,
    LIMIT,
    NOT_WARNED,
    NOTHING_TO_DO,
    NOTICE_RUNNING,
    NOTIFY,
    PASSED_OVER,
    TAKEN,
    TASK,
    TRANSFER,
    UNDELIVERABLE,
    WRITE_OFF,
    Amounts,
    Audience,
    CaseFacts,
    Done,
    FeeRule,
    JudgedBill,
    PolicyRules,
    ServiceFact,
    StepRule,
    Traits,
    WarningFact,
)

DUE = date(2026, 3, 1)
OVER = Done(0, True, None, False, TAKEN)


def day(number: int) -> date:
    """So many days past due."""
    return DUE + timedelta(days=number)


def amounts(value: int | Mapping[str, int]) -> Amounts:
    return Amounts(None, value) if isinstance(value, Mapping) else Amounts(value, {})


def notify(code: str, on: int, **columns: Any) -> StepRule:
    return StepRule(code, on, NOTIFY, **{"channels": ("sms", "email"), **columns})


def limit(
    code: str, on: int, rung: str = "suspended", warned_by: str = "final", notice: int = 5, **columns: Any
) -> StepRule:
    return StepRule(code, on, LIMIT, rung=rung, warned_by=warned_by, notice_days=notice, **columns)


def rules(*steps: StepRule, **columns: Any) -> PolicyRules:
    said: dict[str, Any] = {
        "version_id": 1, "code": "residential", "number": 1, "priority": 100, "applies_to": Audience(),
        "enter_min_amount": amounts(10_000), "enter_min_days": 1, "exit_max_amount": amounts(0), "min_gap_days": 1,
        "country": "US", "region": "", "rolls": True, "late_fee": FeeRule(amounts(0)), "reconnection_fee": amounts(0),
        "agency": "", "limits_children": False,
    }  # fmt: skip
    ordered = sorted(steps, key=lambda step: step.day)
    return PolicyRules(**{**said, **columns}, steps=tuple(ordered))


STANDARD = rules(
    notify("reminder", 4),
    notify("final", 18, pay_by_days=6),
    limit("bar", 24, "outgoing_barred"),
    limit("suspend", 31),
    StepRule("desk", 32, TRANSFER),
)


def facts(on: int, **columns: Any) -> CaseFacts:
    said: dict[str, Any] = {
        "currency": "USD", "traits": Traits("residential", "mobile", "", 400),
        "bills": (JudgedBill("B1", DUE, 50_000),),
        "services": (ServiceFact(1, 0, False),), "reachable": frozenset({"sms", "email", "letter", "in_app"}),
    }  # fmt: skip
    return CaseFacts(as_of=day(on), **{**said, **columns})


def said(answer: policy.Answer) -> list[tuple[str, str]]:
    return [(outcome.step.code, outcome.result) for outcome in answer.outcomes]


def warning(delivered: int | None = 18, pay_by: int | None = 24, made: int = 18, **columns: Any) -> WarningFact:
    given = {"on_its_way": False, "bill_refs": frozenset({"B1"})}
    return WarningFact(
        day(made),
        delivered_on=None if delivered is None else day(delivered),
        pay_by=None if pay_by is None else day(pay_by),
        **{**given, **columns},
    )


def up_to(code: str) -> dict[str, Done]:
    """Every step of the standard policy before that one is over."""
    codes = [step.code for step in STANDARD.steps]
    return dict.fromkeys(codes[: codes.index(code)], OVER)


# --- entering and leaving ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "amount", "enters"),
    [
        (2, 10_000, False),
        (3, 10_000, True),
        (4, 10_000, True),
        (3, 9_999, False),
        (3, 10_001, True),
        (300, 9_999, False),
    ],
)
def test_a_case_opens_at_least_at_the_amount_and_the_age(age: int, amount: int, enters: bool) -> None:
    asked = facts(age, bills=(JudgedBill("B1", DUE, amount),))
    assert policy.enters(replace(STANDARD, enter_min_days=3), asked) is enters


def test_the_amount_is_of_all_bills_and_the_age_of_the_oldest() -> None:
    asked = facts(3, bills=(JudgedBill("B2", day(2), 9_000), JudgedBill("B1", DUE, 1_000)))
    assert policy.enters(replace(STANDARD, enter_min_days=3), asked)


def test_nothing_open_opens_no_case_even_without_a_minimum() -> None:
    assert not policy.enters(replace(STANDARD, enter_min_amount=amounts(0)), facts(9, bills=()))


def test_what_was_left_at_an_exit_counts_in_the_amount_and_not_in_the_age() -> None:
    left = JudgedBill("B0", day(-300), 9_000, ages=False)
    assert not policy.enters(STANDARD, facts(9, bills=(left,)))
    assert policy.enters(STANDARD, facts(1, bills=(left, JudgedBill("B1", DUE, 1_000))))
    assert facts(1, bills=(left, JudgedBill("B1", DUE, 1_000))).age == 1


@pytest.mark.parametrize(
    ("exit_at", "past_due", "exits"),
    [(0, 0, True), (0, 1, False), (5_000, 4_999, True), (5_000, 5_000, True), (5_000, 5_001, False), (5_000, 0, True)],
)
def test_a_case_closes_at_most_at_the_exit_amount(exit_at: int, past_due: int, exits: bool) -> None:
    assert policy.exits(replace(STANDARD, exit_max_amount=amounts(exit_at)), "USD", past_due) is exits


def test_entry_and_exit_differ() -> None:
    asked = facts(5, bills=(JudgedBill("B1", DUE, 9_999),))
    assert not policy.enters(STANDARD, asked)
    assert not policy.exits(STANDARD, "USD", 9_999)


@pytest.mark.parametrize(
    "columns",
    [
        {"enter_min_amount": amounts({"USD": 1})},
        {"exit_max_amount": amounts({"USD": 1})},
        {"late_fee": FeeRule(amounts({"USD": 1}))},
        {"reconnection_fee": amounts({"USD": 1})},
        {"steps": (notify("reminder", 4, min_amount=amounts({"USD": 1})),)},
    ],
)
def test_a_currency_that_is_not_in_a_map_has_no_policy_there(columns: dict[str, Any]) -> None:
    mapped = replace(STANDARD, **columns)
    assert mapped.applies(Traits(), "USD")
    assert not mapped.applies(Traits(), "EUR")


def test_minima_are_those_of_the_currency() -> None:
    mapped = replace(STANDARD, enter_min_amount=amounts({"USD": 60_000, "JPY": 1_000}))
    assert not policy.enters(mapped, facts(5))
    assert policy.enters(mapped, facts(5, currency="JPY"))
    assert not policy.enters(mapped, facts(5, currency="EUR"))


def test_the_first_policy_that_applies_is_taken_by_priority() -> None:
    business = replace(STANDARD, code="business", priority=200, applies_to=Audience(kind=("business",)))
    mobile = replace(STANDARD, code="mobile", priority=150, applies_to=Audience(product=("mobile",)))
    book = [STANDARD, mobile, business]
    assert policy.choose(book, Traits("business", "mobile"), "USD") is business
    assert policy.choose(book, Traits("residential", "mobile"), "USD") is mobile
    assert policy.choose(book, Traits("residential", "tv"), "USD") is STANDARD
    assert policy.choose([mobile], Traits("residential", "tv"), "USD") is None


@pytest.mark.parametrize(("tenure", "included"), [(89, False), (90, True), (91, True)])
def test_an_audience_of_some_tenure(tenure: int, included: bool) -> None:
    assert Audience(min_tenure_days=90).includes(Traits(tenure_days=tenure)) is included


# --- order, one a day, gap --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "taken"), [(3, []), (4, [("reminder", TAKEN)]), (5, [("reminder", TAKEN)])])
def test_a_step_is_taken_on_its_day_and_caught_up_after_it(age: int, taken: list[tuple[str, str]]) -> None:
    assert said(policy.decide(STANDARD, facts(age))) == taken


def test_one_step_a_day_also_when_several_are_late() -> None:
    answer = policy.decide(STANDARD, facts(60))
    assert said(answer) == [("reminder", TAKEN)]
    assert answer.next_on == day(61)


@pytest.mark.parametrize(
    ("gap", "on", "taken"), [(0, 60, []), (0, 61, ["final"]), (1, 61, ["final"]), (3, 62, []), (3, 63, ["final"])]
)
def test_the_gap_is_kept_and_is_at_least_a_day(gap: int, on: int, taken: list[str]) -> None:
    asked = facts(on, done=up_to("final"), last_step_on=day(60))
    answer = policy.decide(replace(STANDARD, min_gap_days=gap), asked)
    assert [outcome.step.code for outcome in answer.outcomes] == taken
    if not taken:
        assert answer.next_on == day(60 + max(gap, 1))


def test_a_younger_oldest_bill_waits_for_the_next_step_and_repeats_none() -> None:
    asked = facts(30, done=up_to("bar"), bills=(JudgedBill("B2", day(20), 50_000),), warnings={"final": warning()})
    answer = policy.decide(STANDARD, asked)
    assert said(answer) == []
    assert answer.next_on == day(20 + 24)


def test_an_older_oldest_bill_takes_the_next_step_and_skips_none() -> None:
    asked = facts(5, done=up_to("final"), bills=(JudgedBill("B0", day(-200), 50_000),))
    assert said(policy.decide(STANDARD, asked)) == [("final", TAKEN)]


def test_it_looks_again_when_the_next_step_comes() -> None:
    assert policy.decide(STANDARD, facts(5, done=up_to("final"))).next_on == day(18)
    assert policy.decide(STANDARD, facts(99, done={step.code: OVER for step in STANDARD.steps})).next_on is None


@pytest.mark.parametrize("result", [TAKEN, UNDELIVERABLE, NOTHING_TO_DO, PASSED_OVER])
def test_what_is_over_is_not_taken_again(result: str) -> None:
    done = {"reminder": Done(0, True, None, False, result)}
    assert said(policy.decide(STANDARD, facts(18, done=done))) == [("final", TAKEN)]


def test_everything_contested_pauses_until_a_hold_ends_or_the_facts_change() -> None:
    assert policy.decide(STANDARD, facts(30, bills=())) == policy.Answer((), None)
    promise = HoldFact("promise", day(1), day(40), ("B1",))
    assert policy.decide(STANDARD, facts(30, bills=(), holds=(promise,))).next_on == day(41)


# --- channels, audiences, minima --------------------------------------------------------------------------------------


def test_channels_are_those_that_reach_somebody_in_order() -> None:
    wide = rules(notify("letter", 1, channels=("letter", "email", "sms")))
    (outcome,) = policy.decide(wide, facts(1, reachable=frozenset({"sms", "letter"}))).outcomes
    assert outcome.channels == ("letter", "sms")


def test_a_notice_that_nobody_can_receive_is_over_and_undeliverable() -> None:
    (outcome,) = policy.decide(STANDARD, facts(4, reachable=frozenset({"letter"}))).outcomes
    assert (outcome.result, outcome.channels) == (UNDELIVERABLE, ())


def test_a_step_for_others_is_passed_over_and_the_next_taken_the_same_day() -> None:
    choosy = rules(notify("tv", 4, only_if=Audience(product=("tv",))), notify("all", 4))
    assert said(policy.decide(choosy, facts(3))) == []
    assert said(policy.decide(choosy, facts(4))) == [("tv", PASSED_OVER), ("all", TAKEN)]


@pytest.mark.parametrize(("amount", "result"), [(79_999, BELOW_MINIMUM), (80_000, TAKEN), (80_001, TAKEN)])
def test_a_step_waits_for_its_own_minimum_and_keeps_back_what_follows(amount: int, result: str) -> None:
    picky = rules(notify("big", 4, min_amount=amounts(80_000)), notify("later", 5))
    assert said(policy.decide(picky, facts(9, bills=(JudgedBill("B1", DUE, amount),)))) == [("big", result)]


def test_a_step_waits_for_the_policys_minimum_inside_a_case() -> None:
    answer = policy.decide(STANDARD, facts(9, bills=(JudgedBill("B1", DUE, 9_999),)))
    assert said(answer) == [("reminder", BELOW_MINIMUM)]


# --- holds ------------------------------------------------------------------------------------------------------------

ACTIONS = {
    NOTIFY: holding.NOTICES,
    CHARGE_FEE: holding.FEES,
    LIMIT: holding.LIMITS,
    TRANSFER: holding.TRANSFERS,
    AGENCY: holding.TRANSFERS,
    WRITE_OFF: holding.TRANSFERS,
    TASK: None,
}
REASONS = [
    "dispute", "promise", "plan", "hardship", "breathing_space", "vulnerability_review", "bankruptcy", "deceased",
    "legal", "fraud", "payment_in_flight", "manual",
]  # fmt: skip


def one_step(action: str) -> PolicyRules:
    step = StepRule(
        "it", 20, action, channels=("sms",), warned_by="final", notice_days=1, rung="suspended", agency="north"
    )
    return rules(notify("final", 1), step)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_stops_what_the_matrix_says(reason: str, action: str) -> None:
    # The clock stood for the day of the hold, so the step is a day older than it must be.
    asked = facts(
        30,
        holds=(HoldFact(reason, day(30), day(30)),),
        done={"final": OVER},
        warnings={"final": warning(pay_by=None)},
    )
    stopped = ACTIONS[action] in holding.stops(reason)
    assert said(policy.decide(one_step(action), asked)) == [("it", HELD if stopped else TAKEN)]


@pytest.mark.parametrize("ticked", sorted(holding.EVERYTHING))
@pytest.mark.parametrize("action", ACTIONS)
def test_a_manual_hold_stops_what_was_ticked_only(action: str, ticked: str) -> None:
    asked = facts(
        30,
        holds=(HoldFact("manual", day(30), None, (), (ticked,)),),
        done={"final": OVER},
        warnings={"final": warning(pay_by=None)},
    )
    assert said(policy.decide(one_step(action), asked)) == [("it", HELD if ACTIONS[action] == ticked else TAKEN)]


@pytest.mark.parametrize(("on", "result"), [(9, TAKEN), (10, HELD), (12, HELD), (13, TAKEN)])
def test_a_hold_stops_from_its_first_day_to_its_last(on: int, result: str) -> None:
    asked = facts(on, holds=(HoldFact("promise", day(10), day(12)),))
    assert said(policy.decide(STANDARD, asked)) == [("reminder", result)]


def test_what_is_held_is_looked_at_when_the_hold_ends() -> None:
    assert policy.decide(STANDARD, facts(10, holds=(HoldFact("promise", day(10), day(12)),))).next_on == day(13)


def test_a_promise_over_some_bills_leaves_the_others_to_go_on() -> None:
    asked = facts(4, holds=(HoldFact("promise", day(1), None, ("B9",)),))
    assert said(policy.decide(STANDARD, asked)) == [("reminder", TAKEN)]


@pytest.mark.parametrize(
    ("holds", "age"),
    [
        ((), 30),
        ((HoldFact("hardship", day(5), day(9)),), 25),
        ((HoldFact("hardship", day(5), day(9)), HoldFact("legal", day(8), day(12))), 22),
        ((HoldFact("hardship", day(5), day(14)), HoldFact("legal", day(8), day(9))), 20),
        ((HoldFact("hardship", day(-50), day(9)),), 21),
        ((HoldFact("hardship", day(-50), None),), 0),
        ((HoldFact("hardship", day(30), None),), 29),
        ((HoldFact("promise", day(5), day(9)),), 30),
        ((HoldFact("manual", day(5), day(9), (), (), True),), 25),
    ],
)
def test_a_stopped_clock_stops_the_days_that_steps_count(holds: tuple[HoldFact, ...], age: int) -> None:
    assert facts(30, holds=holds).age == age


@pytest.mark.parametrize(("on", "taken"), [(8, []), (9, [("reminder", TAKEN)])])
def test_a_step_comes_later_by_the_days_the_clock_stood(on: int, taken: list[tuple[str, str]]) -> None:
    asked = facts(on, holds=(HoldFact("hardship", day(2), day(6)),))
    assert said(policy.decide(STANDARD, asked)) == taken


# --- what hurts -------------------------------------------------------------------------------------------------------


def at_bar(on: int, note: WarningFact | None = None, **columns: Any) -> list[tuple[str, str]]:
    given = {"done": up_to("bar"), "warnings": {"final": note} if note else {}}
    return said(policy.decide(STANDARD, facts(on, **{**given, **columns})))


def test_without_a_warning_it_waits_and_the_warning_is_sent_again() -> None:
    assert at_bar(24) == [("bar", NOT_WARNED), ("final", TAKEN)]


def test_while_the_warning_is_on_its_way_it_waits() -> None:
    assert at_bar(24, warning(delivered=None, on_its_way=True)) == [("bar", NOT_WARNED)]


@pytest.mark.parametrize(("on", "result"), [(24, NOTICE_RUNNING), (25, NOTICE_RUNNING), (26, TAKEN), (27, TAKEN)])
def test_notice_days_run_from_delivery(on: int, result: str) -> None:
    assert at_bar(on, warning(delivered=21, pay_by=24)) == [("bar", result)]


@pytest.mark.parametrize(("on", "result"), [(26, NOTICE_RUNNING), (27, TAKEN), (28, TAKEN)])
def test_the_day_the_customer_was_told_may_itself_be_acted_on_and_none_before(on: int, result: str) -> None:
    assert at_bar(on, warning(delivered=18, pay_by=27)) == [("bar", result)]


def test_a_closed_day_rolls_to_the_next_that_is_not() -> None:
    asked = {"done": up_to("bar"), "warnings": {"final": warning()}}
    closed = policy.decide(STANDARD, facts(24, working_day=False, **asked))
    assert said(closed) == [("bar", CLOSED_DAY)]
    assert closed.next_on == day(25)
    assert said(policy.decide(replace(STANDARD, rolls=False), facts(24, working_day=False, **asked))) == [
        ("bar", TAKEN)
    ]


def test_only_what_hurts_rolls() -> None:
    assert said(policy.decide(STANDARD, facts(4, working_day=False))) == [("reminder", TAKEN)]


@pytest.mark.parametrize(
    "services", [(), (ServiceFact(1, 2, False),), (ServiceFact(1, 4, False),), (ServiceFact(1, 0, True),)]
)
def test_nothing_left_to_limit_counts_as_taken(services: tuple[ServiceFact, ...]) -> None:
    assert at_bar(24, warning(), services=services) == [("bar", NOTHING_TO_DO)]


def test_a_service_already_lower_or_protected_is_left_alone() -> None:
    services = (ServiceFact(1, 0, False), ServiceFact(2, 1, False), ServiceFact(3, 2, False), ServiceFact(4, 0, True))
    assert [(service.pk, rung) for service, rung in policy.to_limit("outgoing_barred", services)] == [
        (1, "outgoing_barred"),
        (2, "outgoing_barred"),
    ]


def test_a_warning_whose_bills_are_all_paid_does_not_count_and_is_sent_again() -> None:
    asked = {"done": up_to("bar"), "warnings": {"final": warning(bill_refs=frozenset({"PAID"}))}}
    answer = policy.decide(STANDARD, facts(24, **asked))
    assert said(answer) == [("bar", NOT_WARNED), ("final", TAKEN)]
    assert answer.outcomes[1].repeat == 1
    assert answer.outcomes[1].note


def test_a_warning_that_lists_one_bill_still_open_counts() -> None:
    assert at_bar(24, warning(bill_refs=frozenset({"PAID", "B1"}))) == [("bar", TAKEN)]


@pytest.mark.parametrize(("since", "first"), [(17, TAKEN), (18, TAKEN), (19, NOT_WARNED)])
def test_a_warning_of_an_earlier_stretch_does_not_count(since: int, first: str) -> None:
    assert at_bar(24, warning(made=18), warnings_from=day(since))[0] == ("bar", first)


def test_a_warning_on_its_way_about_paid_bills_is_sent_again() -> None:
    old = warning(delivered=None, on_its_way=True, bill_refs=frozenset({"PAID"}))
    assert at_bar(24, old) == [("bar", NOT_WARNED), ("final", TAKEN)]


def test_a_bounced_warning_is_sent_again_only_to_somebody_who_can_be_reached() -> None:
    bounced = warning(delivered=None)
    assert at_bar(24, bounced) == [("bar", NOT_WARNED), ("final", TAKEN)]
    assert at_bar(24, bounced, reachable=frozenset({"letter"})) == [("bar", NOT_WARNED)]


def test_an_undeliverable_warning_never_counts_and_goes_out_once_there_is_an_address() -> None:
    done = up_to("bar") | {"final": Done(0, True, None, False, UNDELIVERABLE)}
    assert at_bar(24, done=done, reachable=frozenset()) == [("bar", NOT_WARNED)]
    assert at_bar(24, done=done) == [("bar", NOT_WARNED), ("final", TAKEN)]


def test_a_warning_that_was_for_others_is_not_sent_after_all() -> None:
    done = up_to("bar") | {"final": Done(0, True, None, False, PASSED_OVER)}
    assert at_bar(24, done=done) == [("bar", NOT_WARNED)]


def test_the_gap_holds_for_a_warning_sent_again() -> None:
    assert at_bar(24, last_step_on=day(24)) == []
    asked = facts(24, done=up_to("bar"))
    assert policy.decide(STANDARD, asked).next_on == day(25)


def test_below_the_minimum_nothing_that_hurts_is_done() -> None:
    assert at_bar(24, warning(), bills=(JudgedBill("B1", DUE, 9_999),)) == [("bar", BELOW_MINIMUM)]


@pytest.mark.parametrize(
    ("waited", "asked_before", "asks"), [(13, False, False), (14, False, True), (15, False, True), (15, True, False)]
)
def test_after_fourteen_days_of_waiting_a_person_is_asked_once(waited: int, asked_before: bool, asks: bool) -> None:
    done = up_to("bar") | {"bar": Done(0, False, day(24), asked_before, NOT_WARNED)}
    answer = policy.decide(STANDARD, facts(24 + waited, done=done, reachable=frozenset()))
    assert answer.outcomes[0].step.code == "bar"
    assert answer.outcomes[0].escalate is asks


def test_what_is_held_for_months_still_asks_a_person_after_fourteen_days() -> None:
    last = rules(notify("final", 18), limit("bar", 24))
    answer = policy.decide(last, facts(24, done={"final": OVER}, holds=(HoldFact("promise", day(24), day(90)),)))
    assert answer.next_on == day(24 + policy.ESCALATE_AFTER_DAYS)


def test_what_does_not_hurt_is_asked_of_nobody() -> None:
    done = {"reminder": Done(0, False, day(4), False, HELD)}
    (outcome,) = policy.decide(STANDARD, facts(90, done=done, holds=(HoldFact("promise", day(1), None),))).outcomes
    assert not outcome.escalate


def test_a_hurting_step_that_waits_lets_pass_what_does_not_hurt() -> None:
    answer = at_bar(40, warning(delivered=None, on_its_way=True))
    assert answer == [("bar", NOT_WARNED), ("suspend", NOT_WARNED), ("desk", TAKEN)]


def test_a_hurting_step_that_waits_keeps_back_what_hurts() -> None:
    ladder = rules(
        notify("first", 1),
        notify("second", 2),
        limit("bar", 10, "outgoing_barred", warned_by="first"),
        limit("suspend", 20, warned_by="second"),
        StepRule("desk", 30, TRANSFER),
    )
    asked = facts(
        40,
        done={"first": OVER, "second": OVER},
        warnings={"first": warning(delivered=None, on_its_way=True), "second": warning(delivered=2, pay_by=None)},
    )
    assert said(policy.decide(ladder, asked)) == [("bar", NOT_WARNED), ("desk", TAKEN)]


def test_a_limit_undone_is_taken_again_after_a_fresh_warning() -> None:
    done = up_to("suspend") | {"bar": Done(1, False, None, False, "")}
    stale = warning()
    answer = policy.decide(STANDARD, facts(40, done=done, warnings={"final": stale}, warnings_from=day(39)))
    assert answer.outcomes[0][:3] == (STANDARD.step("bar"), NOT_WARNED, 1)
    assert answer.outcomes[-1][:3] == (STANDARD.step("final"), TAKEN, 1)
    fresh = warning(delivered=41, pay_by=None, made=40)
    answer = policy.decide(STANDARD, facts(46, done=done, warnings={"final": fresh}, warnings_from=day(39)))
    assert [(o.step.code, o.result, o.repeat) for o in answer.outcomes] == [("bar", TAKEN, 1)]


# --- before the due date ----------------------------------------------------------------------------------------------

EARLY = rules(notify("soon", -10), notify("upcoming", -5), notify("reminder", 4))


@pytest.mark.parametrize(
    ("on", "taken", "code"),
    [
        (-11, (), None), (-10, (), "soon"), (-9, (), "soon"), (-9, ("soon",), None), (-5, ("soon",), "upcoming"),
        (-1, ("soon",), "upcoming"), (-1, ("soon", "upcoming"), None), (0, (), None), (1, (), None),
    ],
)  # fmt: skip
def test_steps_before_the_due_date_are_taken_once_a_bill_while_it_is_not_yet_due(
    on: int, taken: tuple[str, ...], code: str | None
) -> None:
    step = policy.due_before(EARLY, due_on=DUE, as_of=day(on), taken=taken)
    assert (step.code if step else None) == code


def test_steps_before_the_due_date_belong_to_no_case() -> None:
    assert said(policy.decide(EARLY, facts(4))) == [("reminder", TAKEN)]


# --- the outlook ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "upcoming"),
    [
        ({}, ("reminder", day(4))),
        ({"done": up_to("final"), "last_step_on": day(2)}, ("final", day(18))),
        ({"done": up_to("bar"), "warnings": {"final": warning(delivered=21, pay_by=27)}}, ("bar", day(27))),
        ({"holds": (HoldFact("promise", day(1), day(9)),)}, ("reminder", day(10))),
        ({"bills": ()}, None),
        ({"done": {step.code: OVER for step in STANDARD.steps}}, None),
    ],
)
def test_the_next_step_and_its_first_possible_day(columns: dict[str, Any], upcoming: tuple[str, date] | None) -> None:
    assert policy.outlook(STANDARD, facts(2, **columns)) == upcoming


# --- whole histories, day by day, in memory ---------------------------------------------------------------------------


@dataclass
class Life:
    """One account: what is said is delivered (or bounces) days later, bills come and go, holds too."""

    rules: PolicyRules
    bills: dict[str, tuple[int, int, int]]  # ref → due, amount, the day it is paid
    holds: list[HoldFact]
    delays: list[int | None]  # of each sending in turn: days to its delivery, none when it bounces
    closed: frozenset[int]
    done: dict[str, Done] = field(default_factory=dict)
    last_step_on: date | None = None
    sendings: list[tuple[str, int, int | None, int | None, frozenset[str]]] = field(default_factory=list)
    taken: list[tuple[int, str, str, int]] = field(default_factory=list)  # day, code, result, repeat
    waited: list[tuple[int, str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    passed: list[tuple[int, str]] = field(default_factory=list)

    def judged(self, on: int) -> tuple[JudgedBill, ...]:
        covered = {ref for hold in self.holds if hold.covers(day(on)) for ref in hold.bill_refs}
        return tuple(
            JudgedBill(ref, day(due), amount)
            for ref, (due, amount, paid) in sorted(self.bills.items())
            if due < on < paid and ref not in covered
        )

    def facts(self, on: int) -> CaseFacts:
        warnings: dict[str, WarningFact] = {}
        for code, made, delivered, pay_by, refs in self.sendings:
            arrived = delivered is not None and delivered <= on
            warnings[code] = WarningFact(
                day(made),
                on_its_way=delivered is not None and not arrived,
                delivered_on=day(delivered) if arrived and delivered is not None else None,
                pay_by=None if pay_by is None else day(pay_by),
                bill_refs=refs,
            )
        return facts(
            on,
            bills=self.judged(on),
            holds=tuple(hold for hold in self.holds if hold.starts_on <= day(on)),
            done=dict(self.done),
            last_step_on=self.last_step_on,
            warnings=warnings,
            working_day=on not in self.closed,
        )

    def live(self, on: int) -> policy.Answer:
        answer = policy.decide(self.rules, self.facts(on))
        for outcome in answer.outcomes:
            code = outcome.step.code
            before = self.done.get(code)
            if outcome.waits:
                since = (before.waiting_since if before else None) or day(on)
                asked = outcome.escalate or bool(before and before.escalated)
                self.done[code] = Done(outcome.repeat, False, since, asked, outcome.result)
                self.waited.append((on, code, outcome.result))
                if outcome.escalate:
                    self.asked.append(code)
                continue
            self.done[code] = Done(outcome.repeat, True, None, False, outcome.result)
            if outcome.result == PASSED_OVER:
                self.passed.append((on, code))
                continue
            self.taken.append((on, code, outcome.result, outcome.repeat))
            self.last_step_on = day(on)
            if outcome.result == TAKEN and outcome.step.action == NOTIFY:
                delay = self.delays[len(self.sendings) % len(self.delays)]
                self.sendings.append(
                    (
                        code,
                        on,
                        None if delay is None else on + delay,
                        None if outcome.step.pay_by_days is None else on + outcome.step.pay_by_days,
                        frozenset(bill.ref for bill in self.judged(on)),
                    )
                )
        return answer


@st.composite
def policies(draw: st.DrawFn) -> PolicyRules:
    steps: list[StepRule] = []
    warnings: list[StepRule] = []
    at = 0
    for number in range(draw(st.integers(2, 9))):
        at += draw(st.integers(0, 5))
        kinds = [LIMIT, LIMIT, LIMIT, AGENCY, NOTIFY, TRANSFER, CHARGE_FEE, TASK] if warnings else [NOTIFY]
        action = draw(st.sampled_from(kinds))
        columns: dict[str, Any] = {
            "position": number,
            "min_amount": amounts(draw(st.sampled_from([0, 0, 0, 0, 0, 30_000, 60_000]))),
            "only_if": draw(st.sampled_from([*[Audience()] * 6, Audience(product=("tv",))])),
        }
        if action == NOTIFY:
            reach = st.sampled_from([("sms",), ("email", "sms"), ("sms",), ("letter",), ("pigeon",)])
            step = notify(
                f"s{number}", at, channels=draw(reach), pay_by_days=draw(st.none() | st.integers(1, 9)), **columns
            )
            warnings.append(step)
        elif action in (LIMIT, AGENCY):
            step = StepRule(
                f"s{number}", at, action, rung=draw(st.sampled_from(policy.RUNGS[1:])), agency="north",
                warned_by=draw(st.sampled_from(warnings)).code, notice_days=draw(st.integers(0, 9)), **columns,
            )  # fmt: skip
        else:
            step = StepRule(f"s{number}", at, action, **columns)
        steps.append(step)
    return rules(*steps, min_gap_days=draw(st.integers(0, 4)), rolls=draw(st.booleans()))


@st.composite
def lives(draw: st.DrawFn) -> Life:
    bills = {}
    for number in range(draw(st.integers(1, 4))):
        due = draw(st.sampled_from([0, 0, 5, 15, 30]))
        bills[f"B{number}"] = (
            due,
            draw(st.sampled_from([5_000, 20_000, 40_000, 70_000])),
            due + draw(st.integers(5, 150)),
        )
    holds = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 3]))):
        starts = draw(st.integers(-5, 70))
        ends = draw(st.none() | st.integers(starts, starts + 30))
        reason = draw(st.sampled_from([reason for reason in REASONS if reason != "dispute"]))
        refs = tuple(draw(st.sets(st.sampled_from(sorted(bills)), max_size=2))) if reason in holding.COVERING else ()
        ticked = (
            tuple(draw(st.sets(st.sampled_from(sorted(holding.EVERYTHING)), min_size=1))) if reason == "manual" else ()
        )
        holds.append(
            HoldFact(reason, day(starts), None if ends is None else day(ends), refs, ticked, draw(st.booleans()))
        )
    return Life(
        rules=draw(policies()),
        bills=bills,
        holds=holds,
        delays=draw(st.lists(st.sampled_from([0, 0, 1, 3, 6, None]), min_size=1, max_size=5)),
        closed=draw(
            st.sampled_from(
                [frozenset(), frozenset(range(5, 110, 7)), frozenset(on for on in range(110) if on % 7 > 4)]
            )
        ),
    )


LONG = range(90)


@settings(deadline=None, max_examples=120)
@given(lives())
def test_whatever_happens_steps_come_in_order_once_and_one_a_day(life: Life) -> None:
    for on in LONG:
        life.live(on)
    dates = [on for on, *_ in life.taken]
    assert len(dates) == len(set(dates))
    gap = max(life.rules.min_gap_days, 1)
    assert all(later - earlier >= gap for earlier, later in pairwise(dates))
    # None twice; a warning that is sent again is counted.
    assert len({(code, repeat) for _, code, _, repeat in life.taken}) == len(life.taken)
    firsts = [(on, life.rules.step(code)) for on, code, _, repeat in life.taken if repeat == 0]
    order = {step.code: position for position, step in enumerate(life.rules.steps)}
    for hurts in (True, False):
        walked = [order[step.code] for _, step in firsts if step is not None and step.hurts is hurts]
        assert walked == sorted(walked)
    # None skipped: when one is taken, all before it are over, or hurt and wait.
    over: set[str] = set()
    for on in LONG:
        over |= {code for passed_on, code in life.passed if passed_on == on}
        for taken_on, code, _result, repeat in life.taken:
            if taken_on == on and repeat == 0:
                left = [step for step in life.rules.steps[: order[code]] if step.code not in over]
                assert all(step.hurts for step in left)
                assert not left or not life.rules.steps[order[code]].hurts
                over.add(code)
    assert len(life.asked) == len(set(life.asked))


@settings(deadline=None, max_examples=120)
@given(lives())
def test_whatever_happens_nothing_hurts_without_a_warning_that_was_delivered_in_time(life: Life) -> None:
    for on in LONG:
        life.live(on)
    for on, code, result, _ in life.taken:
        step = life.rules.step(code)
        assert step is not None
        in_force = [hold for hold in life.holds if hold.covers(day(on)) and holding.is_account_wide(hold)]
        assert all(ACTIONS[step.action] not in holding.stops(hold.reason, hold.ticked) for hold in in_force)
        assert sum(bill.amount for bill in life.judged(on)) >= max(10_000, step.min_amount.every or 0)
        if not step.hurts or result != TAKEN:
            continue
        assert on not in life.closed or not life.rules.rolls
        open_refs = {bill.ref for bill in life.judged(on)}
        assert any(
            delivered is not None
            and delivered + (step.notice_days or 0) <= on
            and (pay_by is None or pay_by <= on)
            and refs & open_refs
            for sent, _, delivered, pay_by, refs in life.sendings
            if sent == step.warned_by
        )


@settings(deadline=None, max_examples=100)
@given(lives())
def test_asking_again_on_the_same_day_does_nothing_more(life: Life) -> None:
    for on in LONG:
        life.live(on)
        taken, passed, asked = list(life.taken), list(life.passed), list(life.asked)
        life.live(on)
        assert (life.taken, life.passed, life.asked) == (taken, passed, asked)


@settings(deadline=None, max_examples=120)
@given(lives())
def test_looking_only_on_the_days_it_names_and_when_facts_change_misses_nothing(life: Life) -> None:
    """What ``next_on`` promises: between now and then time alone decides nothing."""
    daily = replace(life, done={}, sendings=[], taken=[], waited=[], asked=[], passed=[])
    for on in LONG:
        daily.live(on)
    changes = {
        *(edge for due, _, paid in life.bills.values() for edge in (due + 1, paid)),
        *((hold.starts_on - DUE).days for hold in life.holds),
        *((hold.ends_on - DUE).days + 1 for hold in life.holds if hold.ends_on),
    }
    next_on: date | None = None
    for on in LONG:
        delivered = any(sending[2] == on for sending in life.sendings)
        if on == 0 or on in changes or delivered or (next_on is not None and day(on) >= next_on):
            next_on = life.live(on).next_on
    assert (life.taken, life.asked, life.passed) == (daily.taken, daily.asked, daily.passed)


def test_a_fee_is_an_amount_a_part_or_both() -> None:
    flat, part = FeeRule(amounts(5_000)), FeeRule(amounts(0), 1_500)
    both = {how: FeeRule(amounts(5_000), 1_500, how) for how in ("sum", "min", "max")}
    assert flat.of("USD", 100_000) == 5_000
    assert part.of("USD", 100_000) == 1_500
    assert {how: rule.of("USD", 100_000) for how, rule in both.items()} == {"sum": 6_500, "min": 1_500, "max": 5_000}


@pytest.mark.parametrize(
    ("currency", "base", "expected"),
    [("USD", 33_330, 500), ("USD", 33_300, 500), ("USD", 32_990, 490), ("JPY", 100_000, 2_000), ("KWD", 33_333, 500)],
)
def test_a_part_is_rounded_half_up_to_what_the_currency_has(currency: str, base: int, expected: int) -> None:
    assert FeeRule(amounts(0), 1_500).of(currency, base) == expected


def test_no_fee_is_charged_on_nothing() -> None:
    assert FeeRule(amounts(5_000), 1_500).of("USD", 0) == 0


def test_days_may_count_working_days_only() -> None:
    friday = date(2026, 1, 2)
    bills = (JudgedBill("B1", friday, 50_000),)
    asked = CaseFacts(date(2026, 1, 8), "USD", Traits(), bills, counted_in=("US", ""))
    assert asked.age == 4  # Monday to Thursday
    assert asked.day_in(2) == date(2026, 1, 12)
    assert replace(asked, counted_in=None).age == 6
    rested = replace(asked, holds=(HoldFact("hardship", date(2026, 1, 3), date(2026, 1, 6)),))
    assert rested.age == 2


def test_a_protected_service_goes_as_far_as_its_market_allows() -> None:
    services = (ServiceFact(1, 0, True, 1), ServiceFact(2, 1, True, 1), ServiceFact(3, 0, False, 1))
    assert [(service.pk, rung) for service, rung in policy.to_limit("suspended", services)] == [
        (1, "throttled"),
        (3, "suspended"),
    ]


# --- after a broken promise or plan -----------------------------------------------------------------------------------


def passed(stage: str, done: Mapping[str, Done], at: str = "bar") -> list[str] | None:
    entry = policy.re_entry(replace(STANDARD, after_broken=at), stage=stage, done=done)
    return None if entry is None else [step.code for step in entry.passed_over]


def test_without_the_key_a_case_stays_where_it_stands() -> None:
    assert policy.re_entry(STANDARD, stage="", done={}) is None


def test_steps_before_it_that_were_not_taken_are_passed_over_and_those_that_were_are_not() -> None:
    assert passed("", {}, at="final") == ["reminder"]
    assert passed("reminder", {"reminder": OVER}, at="final") == []


def test_the_warning_of_what_hurts_is_not_passed_over() -> None:
    assert passed("", {}, at="bar") == ["reminder"], "final warns of bar"
    assert passed("", {}, at="desk") == ["reminder", "final", "bar", "suspend"], "desk hurts nobody"


def test_a_step_that_waits_or_was_given_back_is_passed_over_too() -> None:
    waits = up_to("bar") | {"bar": Done(0, False, day(24), False, NOT_WARNED)}
    assert passed("final", waits, at="desk") == ["bar", "suspend"]
    undone = up_to("suspend") | {"bar": Done(1, False, None, False, "")}
    assert passed("bar", undone, at="desk") == ["bar", "suspend"]


@pytest.mark.parametrize("stage", ["final", "bar", "suspend"])
def test_nobody_goes_back(stage: str) -> None:
    assert passed(stage, up_to(stage) | {stage: OVER}, at="final") is None


def test_it_does_not_wait_for_its_day_and_what_comes_after_it_does() -> None:
    entered = facts(13, re_entered_at="final", done={"reminder": OVER})
    answer = policy.decide(STANDARD, entered)
    assert said(answer) == [("final", TAKEN)]
    after = facts(14, re_entered_at="final", done={"reminder": OVER, "final": OVER})
    assert policy.decide(STANDARD, after) == policy.Answer((), day(24))


def test_what_hurts_still_waits_for_a_warning_of_now_and_its_days() -> None:
    entered = facts(13, re_entered_at="bar", done={"reminder": OVER})
    assert said(policy.decide(STANDARD, entered)) == [("final", TAKEN)]
    told = {"warnings": {"final": warning(delivered=13, made=13, pay_by=19)}, "warnings_from": day(13)}
    done = {"reminder": OVER, "final": OVER}
    assert said(policy.decide(STANDARD, facts(16, re_entered_at="bar", done=done, **told))) == [("bar", NOTICE_RUNNING)]
    assert said(policy.decide(STANDARD, facts(19, re_entered_at="bar", done=done, **told))) == [("bar", TAKEN)]


def test_the_outlook_says_so() -> None:
    entered = facts(13, re_entered_at="final", done={"reminder": OVER})
    assert policy.outlook(STANDARD, entered) == policy.Upcoming("final", day(14))
