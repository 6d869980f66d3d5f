"""Everything the figures are made of, counted by cell (``agents.scopes``): a few statements for the whole book.

``of_day`` counts what a day has whatever the period, ``of_period`` what a period has; both add to ``Parts``.
"""

from __future__ import annotations

from datetime import date

from agents import counted_costs as costs
from agents import counted_outcomes as outcomes
from agents import counted_people as people
from agents import counted_receivables as receivables
from agents.ageing import Say
from agents.counting import (
    CHURN_DAYS,
    EARLIEST_HOUR,
    LATENCY_DAYS,
    LATEST_HOUR,
    LIQUIDATION_DAYS,
    QUARTER_DAYS,
    RESOLVED_DAYS,
    SUSTAINED_DAYS,
    WARNED_DAYS,
    Tally,
    roll_days,
    roll_start,
    year_before,
)
from agents.period import Period
from agents.scopes import Parts

__all__ = [
    "CHURN_DAYS", "EARLIEST_HOUR", "LATENCY_DAYS", "LATEST_HOUR", "LIQUIDATION_DAYS", "QUARTER_DAYS", "RESOLVED_DAYS",
    "SUSTAINED_DAYS", "WARNED_DAYS", "of_day", "of_period", "roll_days", "roll_start", "year_before",
]  # fmt: skip


def of_day(parts: Parts, *, as_of: date, with_pictures: bool, say: Say) -> None:
    """Count what the day has: sales by month, what is open, write-offs, where things stood."""
    tally = Tally(parts, Period(as_of, 1))
    for number, count in enumerate((receivables.sales, receivables.still_open, receivables.write_offs)):
        say("the day itself", number, 3)
        count(tally)
    if with_pictures:
        receivables.ageing(tally)
        receivables.vintages(tally)


def of_period(parts: Parts, *, period: Period, with_pictures: bool, say: Say) -> None:
    """Count what the days of the period have."""
    tally = Tally(parts, period)
    steps = (*_OF_PERIOD, *(_OF_PICTURES if with_pictures else ()))
    for number, count in enumerate(steps):
        say(f"{period.days} days", number, len(steps))
        count(tally)


_OF_PERIOD = (
    receivables.billed, receivables.opening, receivables.given_up, receivables.rolls, receivables.recovered,
    receivables.sustained,
    outcomes.received, outcomes.paid_bills, outcomes.liquidation, outcomes.churn, outcomes.suspension,
    outcomes.instalments, people.calls, people.contacts, people.promises, people.promises_kept, people.latency,
    people.resolved, people.answers, people.complaints, people.gate, costs.time_and_pay, costs.costs,
)  # fmt: skip
_OF_PICTURES = (receivables.matrix, people.heat, people.funnels)
