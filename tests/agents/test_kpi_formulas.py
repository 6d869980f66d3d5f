"""The figures supervisors judge by, against published worked examples."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agents import kpi_formulas as formulas
from agents.kpi_formulas import Figure, MonthOfSales


def rounded(figure: Figure, places: int) -> Decimal:
    assert figure.value is not None, figure.formula
    return round(figure.value, places)


def months(*pairs: tuple[int, int]) -> list[MonthOfSales]:
    return [MonthOfSales(Decimal(amount), days) for amount, days in pairs]


@pytest.mark.parametrize(
    ("receivables", "current", "sales", "days", "dso", "best", "delinquent"),
    [
        (4_600_000, 2_070_000, 9_000_000, 90, "46.0", "20.7", "25.3"),
        (15_000, 4_000, 10_000, 30, "45.0", "12.0", "33.0"),
        (50_000, 12_000, 30_000, 30, "50.0", "12.0", "38.0"),
    ],
)
def test_dso_its_best_and_the_days_of_lateness_between_them(
    receivables: int, current: int, sales: int, days: int, dso: str, best: str, delinquent: str
) -> None:
    owed, on_time, sold = Decimal(receivables), Decimal(current), Decimal(sales)
    whole = formulas.dso(receivables=owed, sales=sold, days=days)
    least = formulas.best_possible_dso(current=on_time, sales=sold, days=days)
    late = formulas.average_days_delinquent(receivables=owed, current=on_time, sales=sold, days=days)
    assert (rounded(whole, 1), rounded(least, 1), rounded(late, 1)) == (
        Decimal(dso),
        Decimal(best),
        Decimal(delinquent),
    )
    assert (whole.numerator, whole.denominator) == (owed, sold)


def test_without_sales_there_is_no_dso_rather_than_zero() -> None:
    figure = formulas.dso(receivables=Decimal(0), sales=Decimal(0), days=30)
    assert figure.value is None
    assert figure.formula.endswith("no sales in the period")


@pytest.mark.parametrize(
    ("receivables", "sales", "days"),
    [
        (212_000, months((100_000, 30), (80_000, 30), (70_000, 30)), "73.714"),
        (2_100_000, months((900_000, 31), (800_000, 28), (700_000, 31)), "76.714"),
        (2_100_000, months((900_000, 31), (800_000, 29), (700_000, 31)), "77.714"),
        (50, months((100, 30)), "15.000"),
        (150, months((100, 30), (0, 31), (100, 30)), "76.000"),
        (180, months((100, 30), (80, 31)), "61.000"),
        (0, months((100, 30)), "0.000"),
        (-20, months((100, 30)), "0.000"),
    ],
    ids=[
        "thirty-day months",
        "calendar months",
        "leap year",
        "part of the first month",
        "a month without sales adds its days",
        "used up exactly",
        "nothing owed",
        "more paid than owed",
    ],
)
def test_counting_back_takes_months_of_sales_off_the_receivables(
    receivables: int, sales: list[MonthOfSales], days: str
) -> None:
    assert rounded(formulas.countback_dso(receivables=Decimal(receivables), months=sales), 3) == Decimal(days)


def test_counting_back_gives_up_when_the_receivables_are_older_than_the_sales_known() -> None:
    figure = formulas.countback_dso(receivables=Decimal(201), months=months((100, 30), (100, 31)))
    assert figure.value is None
    assert figure.formula.endswith("more than the sales of 2 months")


@pytest.mark.parametrize(
    ("opening", "sales", "closing", "current", "per_month_of", "percent"),
    [
        (500_000, 300_000, 420_000, 260_000, None, "70.37"),
        (100_000, 1_000_000, 120_000, 100_000, None, "98.00"),
        (6_200, 10_890, 6_340, 3_590, 90, "55.93"),
        (6_200, 10_890, 6_340, 3_590, None, "79.63"),
        (6_200, 10_890, 6_340, 3_590, 30, "79.63"),
    ],
)
def test_collection_effectiveness(
    opening: int, sales: int, closing: int, current: int, per_month_of: int | None, percent: str
) -> None:
    figure = formulas.collection_effectiveness(
        opening=Decimal(opening),
        sales=Decimal(sales),
        closing=Decimal(closing),
        closing_current=Decimal(current),
        per_month_of=per_month_of,
    )
    assert rounded(figure, 2) == Decimal(percent)


def test_collection_effectiveness_of_an_empty_book_is_unknown() -> None:
    nothing = Decimal(0)
    figure = formulas.collection_effectiveness(opening=nothing, sales=nothing, closing=nothing, closing_current=nothing)
    assert figure.value is None


def test_days_delinquent_weighted_by_amount() -> None:
    amount_days = Decimal(100 * 10 + 300 * 0 + 200 * 45)
    all_open = formulas.weighted_days_delinquent(amount_days=amount_days, amount=Decimal(600), overdue_only=False)
    overdue = formulas.weighted_days_delinquent(amount_days=amount_days, amount=Decimal(300), overdue_only=True)
    assert (rounded(all_open, 3), rounded(overdue, 3)) == (Decimal("16.667"), Decimal("33.333"))


def test_a_roll_rate_follows_the_same_accounts_into_the_next_bucket() -> None:
    figure = formulas.roll_rate(rolled=Decimal(200_000), held=Decimal(1_000_000), days=30)
    assert figure.value == 20
    assert formulas.roll_rate(rolled=Decimal(5), held=Decimal(0), days=30).value is None


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        (formulas.recovery_rate(collected=Decimal(250), past_due_at_start=Decimal(1000)), 25),
        (formulas.cure_rate(cured=3, delinquent_at_start=12), 25),
        (formulas.right_party_contact_rate(right_party=30, connected=120), 25),
        (formulas.promise_rate(promises=12, right_party=30), 40),
        (formulas.kept_rate(kept=9, fell_due=12, grace_days=3), 75),
        (formulas.instalments_kept_rate(kept=1, fell_due=2, grace_days=5), 50),
        (formulas.churn_after_collections(ended=1, left_collections=20, within_days=90), 5),
        (formulas.cost_per_unit_collected(cost=Decimal(8), collected=Decimal(100)), Decimal("0.08")),
        (formulas.satisfaction(satisfied=24, answers=30), 80),
        (formulas.complaint_rate(complaints=3, accounts_contacted=1500), 2),
    ],
)
def test_rates(figure: Figure, value: Decimal | int) -> None:
    assert figure.value == value


@pytest.mark.parametrize(
    "figure",
    [
        formulas.recovery_rate(collected=Decimal(0), past_due_at_start=Decimal(0)),
        formulas.cure_rate(cured=0, delinquent_at_start=0),
        formulas.right_party_contact_rate(right_party=0, connected=0),
        formulas.promise_rate(promises=2, right_party=0),
        formulas.kept_rate(kept=0, fell_due=0, grace_days=3),
        formulas.instalments_kept_rate(kept=0, fell_due=0, grace_days=5),
        formulas.churn_after_collections(ended=0, left_collections=0, within_days=90),
        formulas.cost_per_unit_collected(cost=Decimal(8), collected=Decimal(0)),
        formulas.cost_per_unit_collected(cost=None, collected=Decimal(100)),
        formulas.satisfaction(satisfied=None, answers=None),
        formulas.satisfaction(satisfied=29, answers=29),
        formulas.complaint_rate(complaints=None, accounts_contacted=None),
        formulas.complaint_rate(complaints=0, accounts_contacted=0),
    ],
)
def test_what_cannot_be_known_has_no_value_and_says_why(figure: Figure) -> None:
    assert figure.value is None
    assert ": " in figure.formula
