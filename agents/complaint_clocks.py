"""By when a complaint is acknowledged and answered: the days that its market gives, as the admins keep them.

Counted and rolled back to working days as the clocks of disputes are.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from agents.dispute_clocks import rolled_back
from agents.models import ComplaintClock

#: Calendar days to acknowledge and to answer, where no row speaks of the market nor of every other.
USUAL = (5, 30)


class Clock(NamedTuple):
    """The last days for the acknowledgement and for the answer, and where the figures come from."""

    acknowledge_by: date
    answer_by: date
    source: str = ""


def clock(*, country: str, received_on: date, region: str = "") -> Clock:
    """The clock of a complaint of that market. One query."""
    rows = {row.country: row for row in ComplaintClock.objects.filter(country__in=("", country))}
    row = rows.get(country) or rows.get("")
    days = (row.acknowledge_days, row.answer_days) if row is not None else USUAL
    acknowledge, answer = (
        rolled_back(received_on + timedelta(days=each), received_on, country=country, region=region) for each in days
    )
    return Clock(acknowledge, answer, row.source if row is not None else "")
