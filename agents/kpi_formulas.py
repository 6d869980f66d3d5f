"""The figures supervisors judge by, each with the numbers it was made of and the sentence of how. Pure.

A denominator of nothing gives no value: neither 0 nor 100 %. Figures are never averaged over teams or periods, they are
computed again from the sums. Values are Decimals, rounded only where they are shown. Rates are per cent, the rest days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

NOTHING = Decimal(0)

#: How far count-back looks into the past.
COUNTBACK_MONTHS = 24

#: Of a survey, so that a figure says anything.
FEWEST_ANSWERS = 30


@dataclass(frozen=True)
class Figure:
    """One KPI. ``value`` is None when it cannot be known; the formula then ends with the reason.

    ``in_money``: numerator and denominator are amounts, not counts.
    """

    value: Decimal | None
    numerator: Decimal | None
    denominator: Decimal | None
    formula: str
    in_money: bool = False


@dataclass(frozen=True)
class MonthOfSales:
    """What was billed in a calendar month, or in the part of it that has passed, and how many days that is."""

    amount: Decimal
    days: int


def ratio(
    numerator: Decimal | int,
    denominator: Decimal | int,
    formula: str,
    *,
    empty: str,
    times: int = 100,
    in_money: bool = False,
) -> Figure:
    """``numerator / denominator * times``; no value, with ``empty`` as the reason, where that is 0 or less."""
    above, below = Decimal(numerator), Decimal(denominator)
    if below <= 0:
        return Figure(None, above, below, f"{formula}: {empty}", in_money)
    return Figure(above * times / below, above, below, formula, in_money)


def dso(*, receivables: Decimal, sales: Decimal, days: int) -> Figure:
    """Days sales outstanding: how many days of sales are still unpaid at the end of the period."""
    return _days_of_sales(receivables, sales, days, "receivables")


def best_possible_dso(*, current: Decimal, sales: Decimal, days: int) -> Figure:
    """What DSO would be if nobody were late."""
    return _days_of_sales(current, sales, days, "receivables not past due")


def average_days_delinquent(*, receivables: Decimal, current: Decimal, sales: Decimal, days: int) -> Figure:
    """The part of DSO that lateness makes: DSO less best possible DSO."""
    return _days_of_sales(receivables - current, sales, days, "DSO - best possible DSO = receivables past due")


def _days_of_sales(amount: Decimal, sales: Decimal, days: int, name: str) -> Figure:
    return ratio(
        amount,
        sales,
        f"{name} / sales of the period * {days} days",
        times=days,
        empty="no sales in the period",
        in_money=True,
    )


def countback_dso(*, receivables: Decimal, months: Sequence[MonthOfSales]) -> Figure:
    """DSO by exhaustion: months of sales, latest first, come off the receivables until one is larger than the rest.

    A month without sales adds its days. No value when the receivables are older than the months given. The denominator
    is the sales of the month that was reached.
    """
    formula = "days of the latest months whose sales make up the receivables, the last of them in proportion"
    left, days = receivables, NOTHING
    if left <= 0:
        return Figure(NOTHING, receivables, None, formula, in_money=True)
    for month in months:
        if left < month.amount:
            return Figure(days + left * month.days / month.amount, receivables, month.amount, formula, in_money=True)
        left -= max(month.amount, NOTHING)
        days += month.days
        if left == 0:
            return Figure(days, receivables, month.amount, formula, in_money=True)
    reason = f"the receivables are more than the sales of {len(months)} months"
    return Figure(None, receivables, None, f"{formula}: {reason}", in_money=True)


def collection_effectiveness(
    *, opening: Decimal, sales: Decimal, closing: Decimal, closing_current: Decimal, per_month_of: int | None = None
) -> Figure:
    """CEI: of what could be collected in the period, how much was.

    ``per_month_of`` days: sales count * 30 / days, for periods of several months. A write-off lowers what is left
    without any money coming in; give ``closing`` with the period's write-offs added back to see the figure without it.
    """
    term, counted = "sales", sales
    if per_month_of is not None:
        term, counted = f"sales * 30 / {per_month_of}", sales * 30 / per_month_of
    sought = f"opening receivables + {term}"
    return ratio(
        opening + counted - closing,
        opening + counted - closing_current,
        f"({sought} - closing receivables) / ({sought} - closing receivables not past due) * 100",
        empty="nothing could be collected",
        in_money=True,
    )


def weighted_days_delinquent(*, amount_days: Decimal, amount: Decimal, overdue_only: bool) -> Figure:
    """Days past due (none before the due date) weighted by the open amount, of everything open or of the overdue alone.

    ``amount_days`` is Σ open amount * days past due; ``amount`` Σ open amount of the same scope.
    """
    scope = "Σ open amount past due" if overdue_only else "Σ open amount"
    return ratio(
        amount_days,
        amount,
        f"Σ (open amount * days past due) / {scope}",
        times=1,
        empty="nothing is past due" if overdue_only else "nothing is open",
        in_money=True,
    )


def recovery_rate(*, collected: Decimal, past_due_at_start: Decimal) -> Figure:
    """Of what was past due when the period began, how much was collected in it, in money."""
    return ratio(
        collected,
        past_due_at_start,
        "collected on bills past due at the start (credits, cancellations and write-offs left out) / past due at the "
        "start * 100",
        empty="nothing was past due at the start",
        in_money=True,
    )


def cure_rate(*, cured: int, delinquent_at_start: int) -> Figure:
    """Of the accounts past due when the period began, how many paid all of it and have nothing past due at its end."""
    return ratio(
        cured,
        delinquent_at_start,
        "accounts past due at the start that paid all of it and have nothing past due at the end / accounts past due "
        "at the start * 100",
        empty="no account was past due at the start",
    )


def roll_rate(*, rolled: Decimal, held: Decimal, days: int) -> Figure:
    """Of the balance in a bucket, how much the same accounts have in the next one ``days`` later."""
    return ratio(
        rolled,
        held,
        f"balance in the next bucket of the same accounts / balance in the bucket {days} days earlier * 100",
        empty="the bucket was empty",
        in_money=True,
    )


def right_party_contact_rate(*, right_party: int, connected: int) -> Figure:
    return ratio(
        right_party, connected, "calls with the right party / calls connected * 100", empty="no call was connected"
    )


def promise_rate(*, promises: int, right_party: int) -> Figure:
    """One promise an account and day; those that customers made on their own page are not won by a call."""
    return ratio(
        promises,
        right_party,
        "promises made (one an account and day, self-service left out) / calls with the right party * 100",
        empty="no call reached the right party",
    )


def kept_rate(*, kept: int, fell_due: int, grace_days: int) -> Figure:
    """Promises whose grace still runs are not judged yet, unless they are already kept."""
    return ratio(
        kept,
        fell_due,
        f"promises paid in full by the due date + {grace_days} days / promises that fell due (cancelled before, or "
        "still in those days: left out) * 100",
        empty="no promise fell due",
    )


def instalments_kept_rate(*, kept: int, fell_due: int, grace_days: int) -> Figure:
    """The same of plans: an instalment is a promise with its own days of grace."""
    return ratio(
        kept,
        fell_due,
        f"instalments paid by the due date + {grace_days} days / instalments that fell due (still in those days: left "
        "out) * 100",
        empty="no instalment fell due",
    )


def churn_after_collections(*, ended: int, left_collections: int, within_days: int) -> Figure:
    """Judged once its days are over: the cohort left collections as long before the period as the days are."""
    return ratio(
        ended,
        left_collections,
        f"accounts closed within {within_days} days of the end of their dunning case / accounts whose case ended in "
        f"the period that lies {within_days} days back * 100",
        empty=f"no case ended in the period that lies {within_days} days back",
    )


def cost_per_unit_collected(*, cost: Decimal | None, collected: Decimal) -> Figure:
    """What it cost to collect one unit of the currency. ``cost`` is None where nobody records costs."""
    formula = "(pay + messages + agency commission + overhead) / money received"
    if cost is None:
        return Figure(None, None, collected, f"{formula}: no costs are recorded", in_money=True)
    return ratio(cost, collected, formula, times=1, empty="nothing was collected", in_money=True)


def satisfaction(*, satisfied: int | None, answers: int | None) -> Figure:
    """CSAT: answers of 4 or 5 out of 5. Fewer than ``FEWEST_ANSWERS`` show nothing: they would mislead."""
    formula = "answers of 4 or 5 out of 5 / answers * 100"
    if satisfied is None or answers is None:
        return Figure(None, None, None, f"{formula}: no answers of customers are recorded")
    if answers < FEWEST_ANSWERS:
        return Figure(
            None, Decimal(satisfied), Decimal(answers), f"{formula}: fewer than {FEWEST_ANSWERS} customers answered"
        )
    return ratio(satisfied, answers, formula, empty="nobody answered")


def complaint_rate(*, complaints: int | None, accounts_contacted: int | None) -> Figure:
    """Complaints for a thousand accounts contacted; ``complaints`` is None where nobody records them."""
    formula = "complaints / accounts contacted * 1000"
    if complaints is None or accounts_contacted is None:
        return Figure(None, None, None, f"{formula}: no complaints are recorded")
    return ratio(complaints, accounts_contacted, formula, times=1000, empty="no account was contacted")
