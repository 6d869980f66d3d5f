"""Budgets in the shape of the Standard Financial Statement: reckoned by the packs, asked for once, told to nobody."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import AccountEvent
from agents import budgets
from agents.budgets import Line
from agents.models import Budget
from dunning import rule_packs
from dunning.models import PackChange
from tests.factories import TODAY, make_customer, moment, owing

pytestmark = pytest.mark.django_db

LINES = [
    Line("earnings", Decimal("300.00"), "weekly"),
    Line("home_contents", Decimal("850.00")),
    Line("utilities", Decimal("1200.00"), "annual"),
    Line("food_housekeeping", Decimal("130.00"), "four_weekly"),
]


def made(account: Any, lines: list[Line] | None = None, **more: Any) -> Budget:
    terms = {"debts_in_all": Decimal("480.00"), "actor": "agent:nadia", "as_of": TODAY, "at": moment(), **more}
    return budgets.make(account_id=account.pk, lines=LINES if lines is None else lines, **terms)


def test_amounts_of_every_period_are_reckoned_as_a_month_and_our_share_is_offered() -> None:
    account = owing("100.00", "60.00")

    budget = made(account)

    figures = budgets.figures_of(budgets.rules_in_force(), budget)
    assert figures.income == Decimal("1300.00")
    assert (figures.fixed, figures.flexible) == (Decimal("950.00"), Decimal("140.83"))
    assert figures.surplus == Decimal("209.17")
    # 20 put aside, 189.17 left, ours is 160 of 480.
    assert figures.offer == budget.offer == Decimal("63.00")
    assert budget.our_balance == Decimal("160.000")


def test_a_budget_that_does_not_balance_offers_nothing() -> None:
    budget = made(owing("100.00"), [Line("benefits", Decimal("800")), Line("home_contents", Decimal("900"))])

    assert budget.offer == 0
    assert budget.surplus == Decimal("-100.00")


def test_it_is_fresh_for_180_days_on_every_account_of_the_customer_and_no_longer() -> None:
    customer = make_customer()
    account, other = owing("100.00", customer=customer), owing("50.00", customer=customer)
    dollars = owing("50.00", customer=customer, currency="USD")
    stranger = owing("50.00")
    budget, rules = made(account), budgets.rules_in_force()

    assert budgets.fresh_for(rules, account=other, as_of=TODAY + timedelta(days=180)) == budget
    assert budgets.fresh_for(rules, account=other, as_of=TODAY + timedelta(days=181)) is None
    assert budgets.fresh_for(rules, account=dollars, as_of=TODAY) is None
    assert budgets.fresh_for(rules, account=stranger, as_of=TODAY) is None


def test_the_days_it_stays_fresh_are_the_packs() -> None:
    rule_packs.change(
        pack="AFF",
        rule="AFF-03-STALE",
        parameter="stale_after_days",
        value=90,
        reason="",
        actor="admin:ada",
        at=moment(),
    )
    account = owing("100.00")
    made(account)

    assert budgets.fresh_for(budgets.rules_in_force(), account=account, as_of=TODAY + timedelta(days=91)) is None


def test_the_history_names_what_was_told_and_no_figure_of_it() -> None:
    account = owing("100.00")

    made(account)

    event = AccountEvent.objects.get(kind="agents.budget.made")
    assert event.payload["categories"] == ["earnings", "food_housekeeping", "home_contents", "utilities"]
    told = json.dumps(event.payload) + event.reason
    assert not any(figure in told for figure in ("300", "850", "1200", "130", "209", "63"))


def test_more_than_usual_is_asked_about_and_kept_with_its_reason() -> None:
    PackChange.objects.create(
        pack="AFF",
        rule="AFF-02",
        parameter="guidelines",
        was={},
        value={"food_housekeeping": {"single": "120.00"}},
        state=PackChange.State.IN_FORCE,
        asked_by="admin:ada",
        asked_at=moment(),
    )
    account, rules = owing("100.00"), budgets.rules_in_force()

    assert budgets.households(rules) == ["single"]
    assert budgets.above_guideline(rules, lines=LINES, household="single", at=moment()) == ["food_housekeeping"]
    assert budgets.above_guideline(rules, lines=LINES, household="", at=moment()) == []
    with pytest.raises(budgets.CannotBudget, match="Ask why more is spent than usual on food and housekeeping"):
        made(account, household="single")
    budget = made(account, household="single", reasons={"food_housekeeping": "A child with allergies"})
    assert budget.reasons == {"food_housekeeping": "A child with allergies"}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "at least one line"),
        ([Line("earnings", Decimal("10.001"))], "no amount of EUR"),
        ([Line("earnings", Decimal("-10"))], "no amount of EUR"),
        ([Line("lottery", Decimal("10"))], "no line of a budget"),
        ([Line("earnings", Decimal("10"), "daily")], "Nobody knows how often"),
    ],
)
def test_what_makes_no_budget_is_refused_and_nothing_is_kept(lines: list[Line], says: str) -> None:
    account = owing("100.00")

    with pytest.raises(budgets.CannotBudget, match=says):
        made(account, lines)

    assert not Budget.objects.exists()
    assert not AccountEvent.objects.filter(kind="agents.budget.made").exists()


@pytest.mark.parametrize(
    ("currency", "amount", "offer"), [("JPY", "100000", "99980"), ("KWD", "100.125", "90"), ("EUR", "100.10", "90")]
)
def test_the_offer_is_an_amount_of_the_currency(currency: str, amount: str, offer: str) -> None:
    account = owing("60000" if currency == "JPY" else "60", currency=currency)

    # 10 % is put aside, 20 of the currency at most; the offer is rounded down to whole units.
    budget = made(account, [Line("earnings", Decimal(amount))], debts_in_all=None)

    assert budget.offer == Decimal(offer) == budgets.payable(budget.offer, currency)


def test_an_instalments_period_becomes_a_month() -> None:
    rules = budgets.rules_in_force()

    months = {
        every: budgets.a_month(rules, Decimal(12), every) for every in ("week", "fortnight", "four_weeks", "month")
    }

    assert months == {
        "week": Decimal("52.00"),
        "fortnight": Decimal("26.00"),
        "four_weeks": Decimal("13.00"),
        "month": Decimal("12.00"),
    }
