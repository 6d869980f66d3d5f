"""Cards, care, budgets, plans and settlements: what a table of examples cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import instalments
from dunning.gate import calendars
from dunning.gate.checks.affordability import Budget, BudgetLine, PlanOffered
from dunning.gate.checks.agreements import Approval, Dates, PlanInForce, PlanPart, Settlement, Terms, schedule, settled
from dunning.gate.checks.care import DeskPerson
from dunning.gate.deciding import decide
from dunning.gate.decision import BLOCK, HOLD, REQUIRE, WARN, Decision
from dunning.gate.facts import CONTACTS, Action, Care, Facts
from dunning.gate.packs import FOLDER, Change, Pack, read_pack, with_params
from dunning.gate.zones import Place

AT = datetime(2026, 11, 24, 18, tzinfo=UTC)
CODES = ("pci", "vul", "aff", "plan", "set")
HARMS = ("restrict", "suspend", "disconnect", "charge_fee", "report_credit", "place_agency", "sell_debt")


@pytest.fixture(scope="module")
def packs() -> Mapping[str, Pack]:
    found = [read_pack(FOLDER / f"{code}.yaml") for code in CODES]
    return {pack.code: pack for pack in found}


def ask(packs: Mapping[str, Pack], action: Action, **facts: Any) -> Decision:
    parts = {type(part).__name__: part for part in facts.pop("parts", ())}
    given: dict[str, Any] = {"at": AT, "parts": parts, **facts}
    return decide(action, Facts(**given), packs.values())


def D(text: str) -> Decimal:
    return Decimal(text)


def test_they_apply_everywhere(packs: Mapping[str, Pack]) -> None:
    decision = ask(packs, Action(type="call"), jurisdictions=frozenset({"XX"}))

    assert {version.partition("@")[0] for version in decision.pack_versions} == {"PCI", "VUL", "AFF", "PLAN", "SET"}


def test_an_ordinary_contact_and_limit_meet_none_of_them(packs: Mapping[str, Pack]) -> None:
    for kind in (*CONTACTS, *HARMS, "make_plan", "settle", "store", "export_data"):
        for automated in (True, False):
            assert ask(packs, Action(type=kind, automated=automated, text="Please pay 20.00.")).outcome == "ALLOW", kind


# --- The pack's plan and the product's -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "count", "first_on", "every"),
    [
        ("100.00", 3, date(2028, 1, 31), "month"),
        ("140.00", 14, date(2028, 2, 29), "month"),
        ("30.00", 3, date(2027, 1, 1), "week"),
        ("30.00", 2, date(2027, 1, 1), "fortnight"),
        ("0.07", 3, date(2027, 8, 31), "month"),
    ],
)
def test_the_desk_quotes_what_the_pack_reckons(total: str, count: int, first_on: date, every: str) -> None:
    quoted = instalments.quote(total=D(total), count=count, first_on=first_on, every=every, currency="EUR")
    reckoned = schedule(Dates(), Terms(total=D(total), count=count, first_on=first_on, every=every))

    assert [part.amount for part in quoted] == reckoned["amounts"]
    assert [part.due_on for part in quoted] == reckoned["due_on"]


@given(
    st.integers(min_value=120, max_value=9_999_999),
    st.integers(min_value=1, max_value=instalments.MOST),
    st.dates(min_value=date(2026, 1, 1), max_value=date(2040, 12, 31)),
    st.sampled_from(["week", "fortnight", "month"]),
    st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_the_desk_and_the_pack_never_disagree(
    units: int, count: int, first_on: date, every: str, currency: str
) -> None:
    total = Decimal(units).scaleb({"EUR": -2, "JPY": 0, "KWD": -3}[currency])

    quoted = instalments.quote(total=total, count=count, first_on=first_on, every=every, currency=currency)
    reckoned = schedule(Dates(), Terms(total=total, count=count, first_on=first_on, every=every, currency=currency))

    assert [part.amount for part in quoted] == reckoned["amounts"]
    assert [part.due_on for part in quoted] == reckoned["due_on"]
    assert reckoned["sum"] == total


@given(
    st.dates(min_value=date(2026, 1, 1), max_value=date(2040, 12, 31)),
    st.integers(min_value=1, max_value=24),
    st.integers(min_value=1, max_value=31),
)
def test_days_roll_on_and_never_back_and_stay_in_order(first_on: date, count: int, payday: int) -> None:
    terms = Terms(total=D("1000"), count=count, first_on=first_on, payday=payday)
    plain = schedule(Dates(), terms)["due_on"]
    rolled = schedule(Dates(), replace(terms, calendar="UK-EW"))["due_on"]
    assert isinstance(plain, list)
    assert isinstance(rolled, list)

    assert plain[0] >= first_on
    assert all(timedelta(0) <= moved - day <= timedelta(days=6) for day, moved in zip(plain, rolled, strict=True))
    assert all(calendars.is_business_day(day, "UK-EW") for day in rolled)
    assert all(earlier < later for earlier, later in pairwise(rolled))


def test_a_period_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="decade"):
        schedule(Dates(), Terms(total=D("10"), count=2, first_on=date(2027, 1, 1), every="decade"))


# --- Care ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HARMS)
@pytest.mark.parametrize("template", ["", "help", "hardship-help", "suspension-warning"])
@pytest.mark.parametrize("purpose", ["collection", "help", "legal_notice", "suspension_notice", "adviser"])
def test_no_word_or_template_opens_the_way_to_harm_somebody_who_depends_on_the_line(
    packs: Mapping[str, Pack], kind: str, template: str, purpose: str
) -> None:
    action = Action(type=kind, automated=True, template=template, purpose=purpose)
    person = DeskPerson(roles=frozenset({"specialist", "supervisor", "admin"}))

    assert ask(packs, action, care=(Care(severity="high"),)).outcome == BLOCK
    assert (
        ask(packs, Action(type=kind, purpose=purpose), care=(Care(severity="high"),), parts=[person]).outcome == BLOCK
    )


def test_of_several_circumstances_the_gravest_decides(packs: Mapping[str, Pack]) -> None:
    care = (Care(severity="low"), Care(severity="high"), Care(severity="medium"))

    decision = ask(packs, Action(type="suspend", automated=True), care=care)

    assert (decision.outcome, decision.override) == (BLOCK, "legal")
    assert decision.rule_ids[0] == "VUL-04-V3-HARM"
    assert {"VUL-04-V1", "VUL-04-V2-SUSPEND"} <= set(decision.rule_ids)


@pytest.mark.parametrize("severity", ["low", "medium", "high"])
def test_a_review_that_was_missed_for_years_changes_nothing_but_asks_for_one(
    packs: Mapping[str, Pack], severity: str
) -> None:
    for kind in (*CONTACTS, *HARMS):
        for automated in (True, False):
            action = Action(type=kind, automated=automated)
            fresh = ask(packs, action, care=(Care(severity=severity, review_on=date(2026, 12, 1)),))
            old = ask(packs, action, care=(Care(severity=severity, review_on=date(2020, 1, 1)),))
            assert set(old.rule_ids) - set(fresh.rule_ids) == {"VUL-04-REVIEW"}
            assert set(old.requires) - set(fresh.requires) == {"review_care"}
            assert old.outcome == (WARN if fresh.outcome == "ALLOW" else fresh.outcome)


# --- Budgets ---------------------------------------------------------------------------------------------------------


@given(st.decimals(min_value=0, max_value=99_999, places=2), st.booleans())
def test_spending_above_the_guideline_never_turns_anybody_away(amount: Decimal, automated: bool) -> None:
    pack = read_pack(FOLDER / "aff.yaml")
    typed = {"communications_leisure": {"single": "120.00"}}
    rule = with_params(pack.rule("AFF-02"), [Change("AFF-02", "guidelines", typed)])
    budget = Budget(lines=(BudgetLine(category="communications_leisure", amount=amount),), household="single")
    assert rule.check is not None

    for kind in ("make_plan", "decide"):
        facts = Facts(at=AT, parts={"Budget": budget})
        said = rule.check.asks(rule.params, Action(type=kind, automated=automated), facts, AT)
        assert bool(said) == (amount > 120)
        assert not isinstance(said, list)
        assert said is None or (said.outcome, rule.written.severity) == ("", REQUIRE)


@given(
    st.decimals(min_value=0, max_value=5_000, places=2),
    st.decimals(min_value=0, max_value=5_000, places=2),
    st.integers(min_value=1, max_value=5_000),
    st.integers(min_value=0, max_value=5_000),
)
def test_never_more_is_offered_than_is_left(income: Decimal, rent: Decimal, ours: int, others: int) -> None:
    rule = read_pack(FOLDER / "aff.yaml").rule("AFF-01-BUDGET")
    lines = (BudgetLine(category="earnings", amount=income), BudgetLine(category="home_contents", amount=rent))
    budget = Budget(lines=lines, our_balance=Decimal(ours), debts_in_all=Decimal(ours + others))
    assert rule.reckoning is not None

    gave: Mapping[str, Any] = rule.reckoning.gives(rule.params, budget)

    assert 0 <= gave["savings"] <= 20
    assert 0 <= gave["offer"] <= gave["available"] <= max(income - rent, Decimal(0))
    assert gave["offer"] == gave["offer"].to_integral_value()
    assert gave["is_negative"] == (income < rent)


def test_a_budget_nobody_can_read_stops_machines_and_warns_people(packs: Mapping[str, Pack]) -> None:
    budget = Budget(lines=(BudgetLine(category="yacht", amount=D("1.00")),), made_on=AT.date())

    for automated, outcome in ((True, BLOCK), (False, WARN)):
        decision = ask(packs, Action(type="make_plan", automated=automated), parts=[budget])
        assert (decision.outcome, decision.rule_ids) == (outcome, ("AFF-03",))


# --- Plans in force --------------------------------------------------------------------------------------------------


def test_a_reminder_for_a_day_beyond_the_horizon_is_blocked_and_not_looked_for(packs: Mapping[str, Pack]) -> None:
    plan = PlanInForce(parts=(PlanPart(due_on=date(2027, 11, 1), amount=D("10.00")),))

    decision = ask(packs, Action(type="sms", automated=True, purpose="plan_reminder"), parts=[plan])

    assert (decision.outcome, decision.next_allowed_at) == (BLOCK, None)


def test_the_day_begins_where_the_customer_is_and_in_the_last_of_several_zones(packs: Mapping[str, Pack]) -> None:
    plan = PlanInForce(parts=(PlanPart(due_on=date(2026, 12, 1), amount=D("10.00")),))
    action = Action(type="sms", automated=True, purpose="plan_reminder")

    decision = ask(packs, action, parts=[plan], place=Place(country="US", region="NY", numbers=("+13105550143",)))

    assert decision.outcome == HOLD
    assert decision.next_allowed_at == datetime(2026, 11, 28, 8, tzinfo=UTC)  # midnight in Los Angeles


def test_a_limit_waits_for_its_seven_days_and_is_free_then(packs: Mapping[str, Pack]) -> None:
    plan = PlanInForce(broken_on=date(2026, 11, 20), warned_on=date(2026, 11, 24))
    action = Action(type="suspend", automated=True)
    held = ask(packs, action, parts=[plan], place=Place(timezone="America/New_York"))
    assert held.outcome == HOLD
    assert held.next_allowed_at is not None

    place = Place(timezone="America/New_York")
    before = ask(packs, action, parts=[plan], place=place, at=held.next_allowed_at - timedelta(microseconds=1))
    then = ask(packs, action, parts=[plan], place=place, at=held.next_allowed_at)

    assert (before.outcome, then.outcome) == (HOLD, "ALLOW")


def test_a_plan_for_somebody_who_needs_care_may_be_longer_but_not_disputed(packs: Mapping[str, Pack]) -> None:
    plan = PlanOffered(
        total=D("20.00"), amounts=(D("10.00"), D("10.00")), due_on=(date(2026, 12, 1), date(2028, 12, 1))
    )

    decision = ask(packs, Action(type="make_plan"), parts=[plan], care=(Care(severity="high"),))

    assert (decision.outcome, decision.rule_ids) == (BLOCK, ("PLAN-01",))


# --- Settlements -----------------------------------------------------------------------------------------------------


@given(
    st.integers(min_value=1, max_value=20_000),
    st.integers(min_value=0, max_value=100),
    st.sampled_from(["agent", "team_lead", "supervisor", "manager", "finance", "cleaner"]),
    st.integers(min_value=0, max_value=200),
)
def test_nobody_settles_alone_beyond_the_lower_of_percentage_and_amount(
    balance: int, percent: int, role: str, days: int
) -> None:
    pack = read_pack(FOLDER / "set.yaml")
    most: dict[str, tuple[int, int]] = {
        "agent": (10, 50),
        "team_lead": (25, 250),
        "supervisor": (50, 1_000),
        "manager": (75, 5_000),
    }
    discount = Decimal(balance) * percent / 100
    asked = Settlement(
        balance=Decimal(balance), settle=Decimal(balance) - discount, requester="ana", role=role, days_past_due=days,
        approvals=(Approval(by="ana", role="manager"),),
    )  # fmt: skip

    decision = ask({"SET": pack}, Action(type="settle"), parts=[asked])
    alone = ask({"SET": pack}, Action(type="settle"), parts=[Settlement(
        balance=asked.balance, settle=asked.settle, requester="ana", role=role, days_past_due=days,
    )])  # fmt: skip

    assert decision.outcome == BLOCK  # one's own approval is none
    within = role in most and discount <= min(Decimal(balance) * most[role][0] / 100, Decimal(most[role][1]))
    if role == "agent" and days < 60:
        within = False
    if asked.settle > 0:
        assert (alone.outcome == "ALLOW") == within


@given(st.integers(min_value=1, max_value=5_000), st.integers(min_value=0, max_value=5_000), st.data())
def test_what_is_let_go_of_is_fees_first_and_sums(balance: int, fees: int, data: st.DataObject) -> None:
    rule = read_pack(FOLDER / "set.yaml").rule("SET-01-TERMS")
    settle = data.draw(st.integers(min_value=0, max_value=balance))
    asked = Settlement(
        balance=Decimal(balance),
        settle=Decimal(settle),
        fees=Decimal(min(fees, balance)),
        requester="ana",
        role="agent",
    )

    gave: Mapping[str, Any] = settled(rule.params, asked)

    assert gave["fees_waived"] + gave["principal_waived"] == gave["discount"] == balance - settle
    assert gave["principal_waived"] == 0 or gave["fees_waived"] == asked.fees
