"""By when a dispute is confirmed and decided: the days that its market gives, as the admins keep them.

What we owe the customer is never late because of a weekend: a day on which nobody works there rolls back to the one
before.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from agents.models import DisputeClock
from dunning import workdays


class Clock(NamedTuple):
    """The last days for the confirmation and for the decision, and where the figures come from."""

    acknowledge_by: date
    decide_by: date
    source: str = ""


class Clocks:
    """The clocks of all markets, read once: for many disputes at a time. One query."""

    def __init__(self) -> None:
        self._of = {row.country: row for row in DisputeClock.objects.all()}

    def clock(self, *, country: str, opened_on: date, region: str = "") -> Clock | None:
        """The clock of a dispute of that market; none where no row speaks of it, nor of every other market."""
        row = self._of.get(country) or self._of.get("")
        if row is None:
            return None
        acknowledge, decide = (
            rolled_back(opened_on + timedelta(days=days), opened_on, country=country, region=region)
            for days in (row.acknowledge_days, row.decide_days)
        )
        return Clock(acknowledge, decide, row.source)


def rolled_back(day: date, earliest: date, *, country: str, region: str) -> date:
    """``day``, or the last working day before it; never before ``earliest``."""
    while day > earliest and not workdays.is_working_day(day, country=country, region=region):
        day -= timedelta(days=1)
    return day
