"""The figures supervisors judge by, against published worked examples."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest

from agents import kpi_formulas as formulas
from agents.kpi_formulas import Figure, MonthOfSales
from agents.kpis import CATALOGUE, Asked
from agents.period import Period
from agents.scopes import Sums


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


@pytest.mark.parametrize(
    ("write_offs", "per_month_of", "percent"),
    [(None, None, "98.00"), (10_000, None, "97.00"), (10_000, 60, "94.00"), (0, None, "98.00")],
)
def test_write_offs_added_back_lower_the_effectiveness(
    write_offs: int | None, per_month_of: int | None, percent: str
) -> None:
    figure = formulas.collection_effectiveness(
        opening=Decimal(100_000),
        sales=Decimal(1_000_000),
        closing=Decimal(120_000),
        closing_current=Decimal(100_000),
        per_month_of=per_month_of,
        write_offs=None if write_offs is None else Decimal(write_offs),
    )
    assert rounded(figure, 2) == Decimal(percent)
    assert ("written off" in figure.formula) == (write_offs is not None)


def test_dso_without_what_is_disputed_says_so() -> None:
    figure = formulas.dso(receivables=Decimal(60), sales=Decimal(30), days=30, disputed=Decimal(15))
    assert [figure.value, figure.numerator] == [45, 45]
    assert figure.formula.startswith("receivables not disputed / sales")


def test_other_ways_to_count_days_of_sales() -> None:
    average = formulas.dso_average(opening=Decimal(100), closing=Decimal(200), sales=Decimal(300), days=30)
    quarter = formulas.dso_rolling(receivables=Decimal(200), sales=Decimal(910), days=91)
    assert [average.value, quarter.value] == [15, 20]
    # 40 open of January's 200 for 50 days, 90 open of February's 300 for 20 days.
    true = formulas.true_dso(
        receivables=Decimal(130),
        age_days={"2026-01": Decimal(40 * 50), "2026-02": Decimal(90 * 20)},
        sales={"2026-01": Decimal(200), "2026-02": Decimal(300)},
    )
    assert true.value == 16
    without = formulas.true_dso(receivables=Decimal(1), age_days={"2026-01": Decimal(50)}, sales={})
    assert without.value is None
    assert without.formula.endswith("nothing was billed in 2026-01")


#: A published example (IFRScommunity.com, "IFRS 9 impairment", a provision matrix of trade receivables): of 100,000
#: sold in January 50,000 were paid in time, 27,000, 15,000 and 6,000 in the months after that, 2,000 not at all.
ROLLED = [Decimal(amount) for amount in (100_000, 50_000, 23_000, 8_000, 2_000)]
#: What was receivable at the end of its year: not past due, 1-30, 31-60, 61-90 and more days.
RECEIVABLE = [Decimal(amount) for amount in (300_000, 140_000, 60_000, 23_000, 5_000)]


def test_roll_rates_and_the_provision_they_ask_for() -> None:
    rolls = [formulas.roll_rate(rolled=rolled, held=held, days=30) for held, rolled in pairwise(ROLLED)]
    assert [str(rounded(roll, 1)) for roll in rolls] == ["50.0", "46.0", "34.8", "25.0"]
    forward = [roll.value for roll in rolls if roll.value is not None]
    losses = formulas.loss_rates(forward)
    assert [f"{loss:.1%}" for loss in losses] == ["2.0%", "4.0%", "8.7%", "25.0%", "100.0%"]
    allowances = [round(balance * loss) for balance, loss in zip(RECEIVABLE, losses, strict=True)]
    assert allowances == [6_000, 5_600, 5_217, 5_750, 5_000]
    assert round(formulas.provision(balances=RECEIVABLE, forward_rolls=forward)) == 27_567
    half_comes_back = formulas.provision(balances=RECEIVABLE, forward_rolls=forward, recovered=Decimal("0.5"))
    assert round(half_comes_back * 2) == 27_567
    with pytest.raises(ValueError, match="argument"):
        formulas.provision(balances=RECEIVABLE[1:], forward_rolls=forward)


@pytest.mark.parametrize(
    ("paid", "kept_percent", "kept"), [(97, 100, False), (97, 95, True), (95, 95, True), (100, 100, True)]
)
def test_a_promise_is_kept_from_a_share_on(paid: int, kept_percent: int, kept: bool) -> None:
    assert formulas.is_kept(paid=Decimal(paid), promised=Decimal(100), kept_percent=kept_percent) is kept
    by_amount = formulas.kept_rate_amount(paid=Decimal(paid), promised=Decimal(100), grace_days=3)
    assert by_amount.value == paid


def test_time_at_work_and_paid_time() -> None:
    handled, idle, paid = Decimal(120 + 15 + 15) / 60, Decimal(50) / 60, Decimal(480) / 60
    assert rounded(formulas.occupancy(handled=handled, available=idle), 1) == 75
    assert rounded(formulas.utilization(handled=handled, available=idle, paid=paid), 1) == Decimal("41.7")
    nobody = formulas.occupancy(handled=handled, available=idle, known=False)
    assert nobody.value is None
    assert "recorded" in nobody.formula


@pytest.mark.parametrize(
    ("values", "median", "ninety"),
    [
        ([], None, None),
        ([4], "4.0", "4.0"),
        ([1, 2], "1.5", "1.9"),
        ([0, 0, 0, 10], "0.0", "7.0"),
        ([3, 1, 2], "2", "2.8"),
    ],
)
def test_percentiles_from_how_often_each_value_occurs(
    values: list[int], median: str | None, ninety: str | None
) -> None:
    counts = {value: values.count(value) for value in values}
    found = [formulas.percentile(counts, Decimal(share)) for share in ("0.5", "0.9")]
    assert found == [None if text is None else Decimal(text) for text in (median, ninety)]


def test_few_answers_show_neither_share_nor_mean() -> None:
    assert formulas.satisfaction_mean(score=116, answers=29).value is None
    assert formulas.satisfaction_mean(score=126, answers=30).value == Decimal("4.2")


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        (formulas.contact_rate(connected=3, attempts=12), 25),
        (formulas.contact_rate_of_accounts(connected=1, called=2), 50),
        (formulas.right_party_rate_of_attempts(right_party=1, attempts=4), 25),
        (formulas.right_party_rate_of_accounts(right_party=1, worked=5), 20),
        (formulas.promise_rate_amount(promised=Decimal(30), late_and_reached=Decimal(120)), 25),
        (formulas.promises_taken_back(taken_back=1, fell_due=4), 25),
        (formulas.net_recovery_rate(collected=Decimal(50), commission=Decimal(10), past_due_at_start=Decimal(80)), 50),
        (formulas.liquidation(collected=Decimal(20), placed=Decimal(80), within_days=30), 25),
        (formulas.recovery_after_write_off(recovered=Decimal(60), written_off=Decimal(120)), 50),
        (formulas.bad_debt_ratio(written_off=Decimal(30), recovered=Decimal(10), sales=Decimal(1000)), 2),
        (formulas.bad_debt_of_bills(written_off=Decimal(30), sales=Decimal(1000)), 3),
        (formulas.cure_rate_any(cured=1, delinquent_at_start=4), 25),
        (formulas.cure_rate_amount(cured=Decimal(1), past_due_at_start=Decimal(4)), 25),
        (formulas.sustained_cure(still_cured=1, cured=4, after_days=60, known=True), 25),
        (formulas.roll_rate_proxy(now=Decimal(1), held=Decimal(4), days=30), 25),
        (formulas.stay_rate(stayed=Decimal(1), held=Decimal(4), days=30), 25),
        (formulas.roll_back_rate(rolled_back=Decimal(1), held=Decimal(4), days=30), 25),
        (formulas.roll_off_rate(rolled_off=Decimal(1), held=Decimal(4), days=30), 25),
        (formulas.unattributed_payments(unattributed=1, payments=4, within_days=30), 25),
        (formulas.first_contact_resolution(resolved=1, reached=4, within_days=14), 25),
        (formulas.suspension_effectiveness(paid=1, warned=4, within_days=7, in_full=True), 25),
        (formulas.wrongly_limited(wrongly=1, limited=50), 2),
        (formulas.response_rate(answered=1, asked=4), 25),
        (formulas.complaint_rate_of_contacts(complaints=3, contacts=1500), 2),
        (formulas.complaints_upheld(upheld=1, decided=4), 25),
        (formulas.complaints_again(again=1, complaints=4), 25),
        (formulas.complaint_days(days=9, closed=2), Decimal("4.5")),
        (formulas.churn_of(ended=1, left_collections=4, within_days=90, by_us=True), 25),
        (formulas.retention(ended=1, left_collections=4, within_days=90), 75),
        (formulas.churn_of_others(ended=1, others=4, within_days=90), 25),
        (formulas.refused_contacts(refused=1, asked=4), 25),
        (formulas.overridden_contacts(overridden=1, asked=4), 25),
        (formulas.outside_hours(outside=0, contacts=4, earliest=8, latest=21), 0),
        (formulas.paid_bill_days(days=Decimal(-6), bills=4, floored=False), Decimal("-1.5")),
    ],
)
def test_variants(figure: Figure, value: Decimal | int) -> None:
    assert figure.value == value


def test_every_figure_of_an_empty_book_is_unknown_with_a_reason_but_count_back() -> None:
    nothing = Asked(Sums(), Period(date(2026, 3, 31), 30))
    for kpi in CATALOGUE:
        found = kpi.figure(nothing)
        for figure in found.values() if isinstance(found, dict) else [found]:
            if kpi.name == "dso_countback":
                assert figure.value == 0
            else:
                assert figure.value is None, kpi.name
                assert figure.formula.rpartition(": ")[0], kpi.name


def test_the_catalogue_names_every_figure_once_and_variants_of_what_there_is() -> None:
    names = [kpi.name for kpi in CATALOGUE]
    assert len(names) == len(set(names))
    assert {kpi.variants_of for kpi in CATALOGUE} - {""} <= set(names)
    assert all(kpi.title and kpi.formula and kpi.unit and kpi.scopes for kpi in CATALOGUE)
    assert {kpi.better for kpi in CATALOGUE} == {"", "higher", "lower"}
