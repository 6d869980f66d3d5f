from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.money import quantize
from agents.instalments import CannotQuote, Filled, due, fill, quote

FIRST = date(2026, 1, 31)


def D(text: str) -> Decimal:
    return Decimal(text)


def test_the_last_instalment_takes_what_division_leaves_over() -> None:
    plan = quote(total=D("100.00"), count=3, first_on=FIRST, every="month", currency="EUR")

    assert [(each.due_on.isoformat(), each.amount) for each in plan] == [
        ("2026-01-31", D("33.33")),
        ("2026-02-28", D("33.33")),
        ("2026-03-31", D("33.34")),
    ]


def test_a_fixed_amount_ends_with_the_smaller_rest() -> None:
    plan = quote(total=D("100.00"), amount=D("30.00"), first_on=FIRST, every="fortnight", currency="EUR")

    assert [each.amount for each in plan] == [D("30.00"), D("30.00"), D("30.00"), D("10.00")]
    assert [each.due_on for each in plan][1:3] == [date(2026, 2, 14), date(2026, 2, 28)]


def test_a_down_payment_comes_first_and_the_instalments_follow_it() -> None:
    plan = quote(total=D("100.00"), count=2, first_on=FIRST, every="week", down_payment=D("40.00"), currency="EUR")

    assert [each.amount for each in plan] == [D("40.00"), D("30.00"), D("30.00")]
    assert plan[1].due_on == date(2026, 2, 7)


def test_yen_have_no_decimals_to_split() -> None:
    plan = quote(total=D("1000"), count=3, first_on=FIRST, every="month", currency="JPY")

    assert [each.amount for each in plan] == [D("333"), D("333"), D("334")]


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"count": 2, "amount": D("10")}, "either"),
        ({}, "either"),
        ({"count": 0}, "Between"),
        ({"count": 2, "every": "day"}, "week, fortnight, four weeks or month"),
        ({"count": 2, "total": D("0")}, "nothing to pay"),
        ({"count": 2, "total": D("0.01")}, "too little"),
        ({"amount": D("0.01")}, "more than 120"),
        ({"amount": D("0.001")}, "decimals"),
        ({"amount": D("-5")}, "more than nothing"),
        ({"count": 2, "down_payment": D("100.00")}, "less than what is owed"),
    ],
)
def test_terms_that_make_no_plan_are_refused_in_words(terms: dict[str, object], words: str) -> None:
    whole = {"total": D("100.00"), "first_on": FIRST, "every": "month", "currency": "EUR", **terms}

    with pytest.raises(CannotQuote, match=words):
        quote(**whole)  # type: ignore[arg-type]


@given(
    mills=st.integers(min_value=120_000, max_value=10**12),
    count=st.integers(min_value=1, max_value=120),
    currency=st.sampled_from(["JPY", "EUR", "KWD"]),
)
def test_whatever_the_split_it_sums_to_the_debt(mills: int, count: int, currency: str) -> None:
    total = quantize(Decimal(mills) / 1000, currency)

    plan = quote(total=total, count=count, first_on=FIRST, every="month", currency=currency)

    assert sum(each.amount for each in plan) == total
    assert all(each.amount == quantize(each.amount, currency) > 0 for each in plan)
    assert plan == sorted(plan, key=lambda each: each.due_on)


def test_months_are_counted_from_the_anchor_also_over_a_leap_day() -> None:
    assert [due(date(2027, 12, 31), "month", position) for position in (0, 2, 3)] == [
        date(2027, 12, 31),
        date(2028, 2, 29),
        date(2028, 3, 31),
    ]


def test_payments_fill_the_oldest_instalment_first() -> None:
    filled = fill(
        amounts=[D("40"), D("40")],
        payments=[(date(2026, 2, 5), D("30")), (date(2026, 1, 5), D("30"))],
    )

    assert filled == [Filled(D("40"), date(2026, 2, 5)), Filled(D("20"), None)]


def test_money_that_went_back_empties_what_it_filled_last() -> None:
    filled = fill(
        amounts=[D("40"), D("40")],
        payments=[(date(2026, 1, 5), D("40")), (date(2026, 2, 5), D("40")), (date(2026, 2, 9), D("-50"))],
    )

    assert filled == [Filled(D("30"), None), Filled(D("0"), None)]
