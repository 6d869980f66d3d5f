"""What a person may agree to, by the desk's limits and the packs."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts import holds
from accounts.models import Account
from agents import authority, plans, rights
from agents.instalments import CannotQuote, Instalment
from agents.models import Agent, Budget, Plan
from agents.plans import CannotAgree, CannotDecide
from dunning.models import GateDecision
from tests.factories import TODAY, make_agent, make_customer, make_item, make_team, moment, owing

pytestmark = pytest.mark.django_db

APRIL = date(2026, 4, 1)


def quote(account: Account, agent: Agent | None = None, **terms: Any) -> plans.Quote:
    return plans.quote_for(
        **{
            "account_id": account.pk,
            "first_on": APRIL,
            "every": "month",
            "count": 3,
            "agent": agent or make_agent(),
            "as_of": TODAY,
            "at": moment(),
            **terms,
        }
    )


def agree(account: Account, parts: list[Instalment], agent: Agent | None = None, **more: Any) -> Plan:
    agent = agent or make_agent()
    return plans.agree(
        account_id=account.pk,
        instalments=parts,
        actor=rights.actor(agent),
        agent=agent,
        as_of=TODAY,
        at=moment(),
        **more,
    )


def broken_plan(account: Account, days_ago: int) -> None:
    on = TODAY - timedelta(days=days_ago)
    Plan.objects.create(
        ref=f"old-{account.pk}", account=account, made_on=on, status="broken", settled_on=on, made_by="agent:x"
    )


def budget_of(account: Account, income: str, spent: str, *, made_on: date = TODAY) -> Budget:
    lines = [{"category": "earnings", "amount": income}, {"category": "home_contents", "amount": spent}]
    return Budget.objects.create(
        customer=account.customer,
        account=account,
        lines=lines,
        our_balance=account.open_amount,
        debts_in_all=account.open_amount,
        surplus=Decimal(0),
        made_on=made_on,
        made_by="agent:x",
    )


def test_a_second_plan_within_sixty_days_of_a_broken_one_is_a_supervisors() -> None:
    account = owing("120.00")
    broken_plan(account, 60)

    waits = quote(account)
    alone = quote(account, make_agent("supervisor"))
    managers = quote(account, make_agent("manager"))

    assert not waits.within_authority
    assert "a supervisor agrees the next" in waits.reasons[0]
    assert alone.within_authority
    assert managers.within_authority

    plan = agree(account, waits.instalments)
    assert plan.status == "pending_approval"
    with pytest.raises(CannotDecide) as refused:
        plans.decide(plan_id=plan.pk, approve=True, agent=make_agent("team_lead"), as_of=TODAY, at=moment())
    assert refused.value.code == "forbidden"
    approved = plans.decide(plan_id=plan.pk, approve=True, agent=make_agent("supervisor"), as_of=TODAY, at=moment())
    assert approved.status == "active"


def test_after_sixty_days_or_of_another_customer_it_is_anybodys() -> None:
    later, other = owing("120.00"), owing("120.00")
    broken_plan(later, 61)
    broken_plan(other, 5)
    sibling = owing("50.00", customer=other.customer)

    assert quote(later).within_authority
    assert not quote(sibling).within_authority
    assert quote(owing("120.00")).within_authority


@pytest.mark.parametrize("reason", ["bankruptcy", "deceased", "legal", "fraud", "breathing_space"])
def test_nobody_plans_a_debt_that_is_held(reason: str) -> None:
    account = owing("120.00")
    holds.place(account_id=account.pk, reason=reason, starts_on=TODAY, actor="x", as_of=TODAY, at=moment())
    offered = quote(account, make_agent("admin"))

    assert offered.refusals[0].startswith("A hold stands in the way")
    assert not offered.within_authority
    with pytest.raises(CannotAgree, match="A hold stands in the way"):
        agree(account, offered.instalments, make_agent("admin"))


def test_thirteen_months_need_a_supervisor_unless_the_debt_is_large() -> None:
    small, large = owing("120.00"), owing("1200.00")
    terms: dict[str, Any] = {"count": 13}

    assert any("more than 12 months" in reason for reason in quote(small, make_agent("team_lead"), **terms).reasons)
    assert not any("months" in reason for reason in quote(large, make_agent("team_lead"), **terms).reasons)


def test_a_customer_may_always_pay_more_at_once() -> None:
    account = owing("120.00")

    offered = quote(account, down_payment=Decimal(90))

    assert (offered.within_authority, offered.reasons, offered.advice) == (True, [], [])


def test_more_than_the_budget_leaves_is_a_supervisors_to_agree() -> None:
    account = owing("120.00")
    tight = budget_of(account, "1000.00", "990.00")

    offered = quote(account, budget_id=tight.pk)
    by_boss = quote(account, make_agent("supervisor"), budget_id=tight.pk)
    plan = agree(account, offered.instalments, budget_id=tight.pk)

    assert any("The budget leaves" in text for text in offered.reasons)
    assert not offered.within_authority
    assert by_boss.within_authority
    assert any("The budget leaves" in text for text in by_boss.advice)
    assert (plan.budget, plan.status) == (tight, Plan.Status.PENDING_APPROVAL)


def test_a_plan_within_the_budget_is_agreed_at_once() -> None:
    account = owing("120.00")
    enough = budget_of(account, "1000.00", "700.00")

    plan = agree(account, quote(account, budget_id=enough.pk).instalments, budget_id=enough.pk)

    assert (plan.budget, plan.status) == (enough, Plan.Status.ACTIVE)


def test_a_budget_of_another_customer_is_refused() -> None:
    account = owing("120.00")
    budget = budget_of(account, "1000.00", "700.00")
    quote(owing("120.00", customer=account.customer), budget_id=budget.pk)

    with pytest.raises(CannotAgree, match="not of this customer"):
        quote(owing("120.00"), budget_id=budget.pk)


def test_four_weeks_are_known_by_their_days() -> None:
    weeks = [Instalment(APRIL + timedelta(days=28 * place), Decimal(10)) for place in range(3)]

    assert authority.period_of(weeks) == "four_weeks"
    assert authority.period_of(weeks[:2]) == "month"


def test_what_the_rules_said_of_a_plan_is_written_down() -> None:
    account = owing("120.00")
    agree(account, [Instalment(APRIL, Decimal(120))])

    assert list(GateDecision.objects.filter(account=account).values_list("action", flat=True)) == ["make_plan"]


def test_on_payday_or_the_next_working_day_never_earlier() -> None:
    account = owing("100.00", customer=make_customer(country="GB"))

    days = [part.due_on for part in quote(account, first_on=APRIL, payday=31, count=5).instalments]

    # 31 May 2026 is a Sunday; 31 August the late summer holiday.
    assert days == [date(2026, 4, 30), date(2026, 6, 1), date(2026, 6, 30), date(2026, 7, 31), date(2026, 9, 1)]


def test_a_down_payment_is_at_once_and_paydays_follow() -> None:
    account = owing("100.00", customer=make_customer(country="US"))

    parts = quote(account, first_on=date(2026, 3, 28), payday=28, count=2, down_payment=Decimal(20)).instalments

    assert [(part.due_on, part.amount) for part in parts] == [
        (date(2026, 3, 28), Decimal(20)),
        (date(2026, 4, 28), Decimal(40)),
        (date(2026, 5, 28), Decimal(40)),
    ]


@pytest.mark.parametrize(("every", "payday"), [("week", 5), ("month", 0), ("month", 32)])
def test_a_payday_is_a_day_of_the_month(every: str, payday: int) -> None:
    with pytest.raises(CannotQuote, match="payday"):
        quote(owing("100.00"), every=every, payday=payday)


def test_how_they_agreed_and_what_was_read_back_is_kept() -> None:
    plan = agree(owing("20.00"), [Instalment(APRIL, Decimal(20))], agreed_by="phone", read_back="20 on 1 April")

    assert (plan.agreed_by, plan.read_back) == ("phone", "20 on 1 April")


def test_a_team_lead_decides_on_their_own_teams_plans_only_and_finance_on_none() -> None:
    account, team = owing("80.00"), make_team()
    make_item(account, team=team)
    plan = agree(account, [Instalment(APRIL + timedelta(weeks=week), Decimal(10)) for week in range(8)])
    now: dict[str, Any] = {"plan_id": plan.pk, "approve": True, "as_of": TODAY, "at": moment()}

    for person in (make_agent("team_lead", team=make_team()), make_agent("finance"), make_agent("agent", team=team)):
        with pytest.raises(CannotDecide) as refused:
            plans.decide(agent=person, **now)
        assert refused.value.code == "forbidden"
    assert plans.decide(agent=make_agent("team_lead", team=team), **now).status == "active"
