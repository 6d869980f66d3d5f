"""One agreement over linked accounts: exact shares, one group, all or nothing."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import holds
from accounts.models import Account
from agents import consolidating, instalments, plans, rights
from agents.instalments import CannotQuote, Instalment
from agents.models import Agent, Plan, WorkItem
from agents.plans import CannotAgree, CannotCancelPlan
from tests.factories import TODAY, make_agent, make_customer, make_item, make_team, moment, owing

APRIL = date(2026, 4, 1)


def linked_accounts(*amounts: str, **columns: Any) -> list[Account]:
    customer = make_customer()
    return [owing(amount, customer=customer, **columns) for amount in amounts]


def agree(accounts: list[Account], parts: list[Instalment], agent: Agent | None = None) -> list[Plan]:
    agent = agent or make_agent()
    return consolidating.agree(
        account_ids=[account.pk for account in accounts],
        instalments=parts,
        actor=rights.actor(agent),
        agent=agent,
        as_of=TODAY,
        at=moment(),
    )


def quote(accounts: list[Account], agent: Agent, **terms: Any) -> consolidating.Consolidated:
    return consolidating.quote_for(
        account_ids=[account.pk for account in accounts],
        agent=agent,
        as_of=TODAY,
        at=moment(),
        **{"first_on": APRIL, "every": "month", "count": 3, **terms},
    )


@given(
    owed=st.lists(st.integers(1, 10**7), min_size=1, max_size=8),
    count=st.integers(1, 40),
    down=st.integers(0, 10**5),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_shares_come_to_every_instalment_and_to_what_every_account_owes(
    owed: list[int], count: int, down: int, currency: str
) -> None:
    unit = {"EUR": Decimal("0.01"), "JPY": Decimal(1), "KWD": Decimal("0.001")}[currency]
    debts = {number: units * unit for number, units in enumerate(owed)}
    total = sum(debts.values(), Decimal(0))
    at_once = down * unit if 0 < down * unit < total else None
    try:
        together = instalments.quote(
            total=total, count=count, first_on=APRIL, every="month", down_payment=at_once, currency=currency
        )
    except CannotQuote:
        return  # too little for so many

    parts = consolidating.share(together, debts, currency=currency)

    for number, amount in debts.items():
        assert sum((part.amount for part in parts[number]), Decimal(0)) == amount
        assert all(part.amount > 0 for part in parts[number])
    for each in together:
        shares = [part.amount for own in parts.values() for part in own if part.due_on == each.due_on]
        assert sum(shares, Decimal(0)) == each.amount


def test_shares_of_something_else_than_what_is_owed_are_refused() -> None:
    with pytest.raises(CannotQuote):
        consolidating.share([Instalment(APRIL, Decimal(10))], {1: Decimal(9)}, currency="EUR")


@pytest.mark.django_db
def test_linked_are_the_customers_others_and_parent_and_child_in_the_same_currency() -> None:
    first, second = linked_accounts("10.00", "20.00")
    child = owing("5.00", parent=first)
    owing("7.00", customer=first.customer, currency="USD")
    agent = make_agent()

    assert {each.pk for each in consolidating.linked(first, agent)} == {first.pk, second.pk, child.pk}
    assert {each.pk for each in consolidating.linked(child, agent)} == {child.pk, first.pk}


@pytest.mark.django_db
def test_one_agreement_makes_a_plan_an_account_on_the_same_days() -> None:
    accounts = linked_accounts("100.00", "50.01")
    agent = make_agent()
    offered = quote(accounts, agent)

    made = agree(accounts, offered.instalments, agent)

    assert (offered.total, offered.within_authority, offered.refusals) == (Decimal("150.01"), True, [])
    assert len({plan.group for plan in made}) == 1
    assert made[0].group
    for plan in made:
        rows = list(plan.instalments.order_by("position"))
        assert [row.due_on for row in rows] == [each.due_on for each in offered.instalments]
        assert sum(row.amount for row in rows) == plan.account.open_amount
        assert [row.amount for row in rows] == [part.amount for part in offered.parts[plan.account_id]]


@pytest.mark.django_db
def test_where_one_account_cannot_none_is_agreed() -> None:
    accounts = linked_accounts("100.00", "50.00")
    holds.place(account_id=accounts[1].pk, reason="legal", starts_on=TODAY, actor="x", as_of=TODAY, at=moment())

    assert quote(accounts, make_agent()).refusals
    with pytest.raises(CannotAgree, match="A hold stands in the way"):
        agree(accounts, [Instalment(APRIL, Decimal(150))])
    assert not Plan.objects.exists()


@pytest.mark.django_db
def test_accounts_of_others_and_behind_the_wall_are_refused() -> None:
    mine, other = owing("100.00"), owing("50.00")
    with pytest.raises(CannotAgree, match="together"):
        agree([mine, other], [Instalment(APRIL, Decimal(150))])

    hidden = linked_accounts("100.00", "50.00")
    make_item(hidden[1], team=make_team())
    with pytest.raises(CannotAgree) as refused:
        agree(hidden, [Instalment(APRIL, Decimal(150))], make_agent(team=make_team()))
    assert refused.value.code == "not_found"
    assert not Plan.objects.exists()


@pytest.mark.django_db
def test_over_authority_all_of_them_wait_and_one_decision_is_for_all() -> None:
    accounts = linked_accounts("80.00", "80.00")
    parts = [Instalment(APRIL + timedelta(weeks=week), Decimal(20)) for week in range(8)]

    made = agree(accounts, parts)
    assert [plan.status for plan in made] == ["pending_approval"] * 2
    plans.decide(plan_id=made[1].pk, approve=True, agent=make_agent("supervisor"), as_of=TODAY, at=moment())

    assert {plan.status for plan in Plan.objects.all()} == {"active"}
    assert not WorkItem.objects.filter(kind="approval", done_at=None).exists()


@pytest.mark.django_db
def test_one_is_cancelled_with_all_or_not_at_all() -> None:
    accounts = linked_accounts("80.00", "80.00")
    made = agree(accounts, [Instalment(APRIL, Decimal(160))])
    now: dict[str, Any] = {"plan_id": made[0].pk, "actor": "agent:x", "as_of": TODAY, "at": moment()}

    with pytest.raises(CannotCancelPlan, match=accounts[1].ref):
        plans.cancel(**now)
    plans.cancel(**now, together=True)

    assert {plan.status for plan in Plan.objects.all()} == {"cancelled"}
