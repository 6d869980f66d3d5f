"""The plain-language description says what the data says, all of it, and changes with it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from dunning import writing
from dunning.describing import describe
from dunning.policy import Amounts, Audience, FeeRule, PolicyRules, StepRule
from dunning.policy_file import CHANNELS, FEES, RUNGS
from tests.dunning.test_writing import residential


def rules() -> PolicyRules:
    return writing.rules(residential(), number=3)


def with_step(code: str, /, **changes: Any) -> PolicyRules:
    policy = rules()
    steps = tuple(replace(step, **changes) if step.code == code else step for step in policy.steps)
    return replace(policy, steps=steps)


def sentence(policy: PolicyRules, code: str) -> str:
    return next(said for said in describe(policy) if f"(step {code})" in said)


def test_the_policy_is_introduced() -> None:
    said = describe(rules())
    assert said[:4] == [
        "Policy residential, version 3, is for residential customers; policies with a priority above 100 are asked "
        "first.",
        "A case opens when at least 10.00 in the account's currency has been past due for 1 day; while less than that "
        "is past due and undisputed, its steps wait.",
        "It closes when nothing is past due any more: notices not yet sent are withdrawn, services restored, and "
        "placements with agencies recalled.",
        "Between two steps on one account there is at least 1 day, also when days are caught up.",
    ]


def test_every_step_is_told_in_order() -> None:
    told = [said.split("(step ")[1].split(")")[0] for said in describe(rules()) if "(step " in said]
    assert told == [step.code for step in rules().steps]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "upcoming",
            "5 days before a bill is due (step upcoming) we send an SMS, or an e-mail if that cannot reach the "
            "customer, worded as upcoming.",
        ),
        (
            "warning",
            "On day 11 after the due date (step warning) we send an SMS, or an e-mail if that cannot reach the "
            "customer, worded as suspension-warning, asking to pay within 8 days.",
        ),
        (
            "final",
            "On day 18 after the due date (step final) we send an e-mail, or a letter if that cannot reach the "
            "customer, worded as final-notice, asking to pay within 6 days; it is the warning for bar and suspend.",
        ),
        (
            "bar",
            "From day 24 after the due date (step bar), and not before 5 days after the notice final was delivered and "
            "the date it named, outgoing calls are barred, on a working day (US).",
        ),
        ("desk", "On day 32 after the due date (step desk) the account is handed to the agents."),
        (
            "agency",
            "From day 90 after the due date (step agency), and not before 14 days after the notice placement was "
            "delivered and the date it named, the account is placed with the agency northside, on a working day (US).",
        ),
        (
            "write-off",
            "On day 180 after the due date (step write-off) what is past due is written off, once a supervisor has "
            "approved it.",
        ),
    ],
)
def test_a_step_in_one_sentence(code: str, expected: str) -> None:
    assert sentence(rules(), code) == expected


def test_a_fee_names_its_amount_by_currency() -> None:
    policy = replace(
        with_step("desk", action="charge_fee"),
        late_fee=FeeRule(Amounts(None, {"USD": 5_000, "KWD": 1_250})),
    )
    assert sentence(policy, "desk").endswith("we charge the late fee (KWD 1.25 or USD 5.00), due with the next bill.")


@pytest.mark.parametrize(
    ("fee", "told"),
    [
        (FeeRule(Amounts(0, {}), 1_500), "1.50 % of what is past due, undisputed and not held"),
        (FeeRule(Amounts(5_000, {}), 1_500), "5.00 in the account's currency and 1.50 % of what is past due"),
        (FeeRule(Amounts(5_000, {}), 1_500, "max"), "undisputed and not held, whichever is more"),
        (FeeRule(Amounts(5_000, {}), 1_500, "min"), "undisputed and not held, whichever is less"),
    ],
)
def test_a_fee_that_is_a_part_says_of_what(fee: FeeRule, told: str) -> None:
    assert told in sentence(replace(with_step("desk", action="charge_fee"), late_fee=fee), "desk")


def test_a_task_is_told() -> None:
    assert sentence(with_step("desk", action="create_task"), "desk").endswith(
        "an agent gets a task to look at the account."
    )


def test_an_empty_policy_is_for_everybody() -> None:
    empty = writing.rules({"code": "least", "steps": []})
    assert "is for every customer;" in describe(empty)[0]
    assert describe(empty)[1] == "A case opens when anything has been past due for 1 day."


def test_where_a_case_goes_on_after_a_broken_promise_is_said_in_plain_words() -> None:
    [said] = [line for line in describe(replace(rules(), after_broken="bar")) if "broken" in line]
    assert said == (
        "After a broken promise or plan a case that has not reached bar goes on there without waiting for its day; "
        "steps before it that were not taken are passed over, and what hurts waits for a new warning."
    )
    assert not any("broken" in line for line in describe(rules()))


POLICY_CHANGES: dict[str, Any] = {
    "code": "other",
    "number": 4,
    "priority": 7,
    "applies_to": Audience(kind=("business",)),
    "enter_min_amount": Amounts(None, {"EUR": 10_000}),
    "enter_min_days": 2,
    "exit_max_amount": Amounts(1_000, {}),
    "min_gap_days": 2,
    "country": "DE",
    "region": "CA",
    "rolls": False,
    "late_fee": FeeRule(Amounts(5_000, {})),
    "reconnection_fee": Amounts(5_000, {}),
    "limits_children": True,
    "counts_working_days": True,
    "after_broken": "bar",
    "steps": (),
}


@pytest.mark.parametrize("name", [field.name for field in fields(PolicyRules) if field.name != "version_id"])
def test_whatever_a_policy_says_shows(name: str) -> None:
    if name == "agency":  # said by the steps that name none
        policy = with_step("agency", agency="")
        assert describe(replace(policy, agency="a")) != describe(replace(policy, agency="b"))
    else:
        assert describe(replace(rules(), **{name: POLICY_CHANGES[name]})) != describe(rules())


STEP_CHANGES: dict[str, tuple[str, Any]] = {
    "code": ("desk", "other"),
    "day": ("desk", 33),
    "action": ("desk", "create_task"),
    "channels": ("final", ("email",)),
    "all_channels": ("final", True),
    "template": ("final", "other"),
    "pay_by_days": ("final", 9),
    "rung": ("bar", "suspended"),
    "warned_by": ("bar", "warning"),
    "notice_days": ("bar", 0),
    "min_amount": ("desk", Amounts(20_000, {})),
    "only_if": ("desk", Audience(segment=("gold",))),
    "agency": ("agency", "southside"),
    "approval": ("write-off", False),
    "reason": ("desk", "nobody was reached"),
}


@pytest.mark.parametrize("name", [field.name for field in fields(StepRule) if field.name not in {"position", "fee"}])
def test_whatever_a_step_says_shows(name: str) -> None:
    code, value = STEP_CHANGES[name]
    assert describe(with_step(code, **{name: value})) != describe(rules())


@pytest.mark.parametrize("name", [field.name for field in fields(Audience)])
def test_whatever_an_audience_says_shows(name: str) -> None:
    value: Any = 30 if name == "min_tenure_days" else ("x", "y")
    said = sentence(with_step("desk", only_if=replace(Audience(), **{name: value})), "desk")
    assert ("at least 30 days" if name == "min_tenure_days" else "x or y") in said


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("notice_days", [0, 1, 5])
def test_every_limit_can_be_told(rung: str, dated: bool, notice_days: int) -> None:
    policy = with_step("bar", rung=rung, notice_days=notice_days)
    if not dated:
        steps = tuple(replace(step, pay_by_days=None) for step in policy.steps)
        policy = replace(policy, steps=steps)
    said = sentence(policy, "bar")
    assert ("the date it named" in said) is dated
    assert ("not before" in said) is (notice_days > 0)


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_can_be_told(channel: str) -> None:
    assert len({sentence(with_step("final", channels=(other,)), "final") for other in CHANNELS}) == len(CHANNELS)
    assert "we send" in sentence(with_step("final", channels=(channel,)), "final")


@pytest.mark.parametrize("fee", FEES)
def test_every_fee_can_be_told(fee: str) -> None:
    said = sentence(with_step("desk", action="charge_fee", fee=fee), "desk")
    assert f"the {fee.replace('_', ' ')} (nothing in this policy)" in said
