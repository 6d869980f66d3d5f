"""Costs by day: the latest line by then counts, in its own currency."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from agents import costs
from agents.models import Cost
from collections_desk.demo import strategy
from tests.factories import TODAY

pytestmark = pytest.mark.django_db


def test_the_latest_line_by_the_day_counts() -> None:
    for kind, currency, amount, days in (
        ("sms", "EUR", "0.05", -30), ("sms", "EUR", "0.07", 0), ("sms", "EUR", "0.09", 1), ("sms", "USD", "9", 0),
        ("letter", "EUR", "0.95", -1),
    ):  # fmt: skip
        Cost.objects.create(kind=kind, currency=currency, amount=amount, from_on=TODAY + timedelta(days=days))

    assert costs.in_force("EUR", TODAY) == {"sms": Decimal("0.07"), "letter": Decimal("0.95")}
    assert costs.in_force("EUR", TODAY - timedelta(days=2)) == {"sms": Decimal("0.05")}
    assert costs.in_force("INR", TODAY) == {}


def test_the_demo_has_every_cost_of_every_currency_once() -> None:
    strategy.set_costs(from_on=TODAY)
    strategy.set_costs(from_on=TODAY)

    for currency in ("USD", "EUR", "GBP", "INR", "AED"):
        assert set(costs.in_force(currency, TODAY)) == set(Cost.Kind.values)
