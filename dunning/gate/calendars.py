"""Days as rules count them: months, business days and public holidays by market. Pure.

Calendars: ``US-FED`` (5 U.S.C. 6103(a)), ``UK-EW``, ``UK-SC``, ``UK-NI``, ``IN``, ``IN-<state>``, and the two letters
of a country. They come from the package ``holidays``.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

_KINGDOM = {"UK-EW": "ENG", "UK-SC": "SCT", "UK-NI": "NIR"}

#: Nobody has the holidays of a year so far away.
LAST_YEAR = 2100


@cache
def _holidays(calendar: str, year: int) -> Mapping[date, str]:
    if calendar == "US-FED":
        return holidays.country_holidays("US", years=year, categories=("public",))
    if calendar in _KINGDOM:
        return holidays.country_holidays("GB", subdiv=_KINGDOM[calendar], years=year)
    country, _, region = calendar.partition("-")
    return holidays.country_holidays(country, subdiv=region or None, years=year)


def is_holiday(day: date, calendar: str) -> bool:
    """Whether that day is a public holiday of the calendar; of no calendar, none is.

    Raises ``LookupError`` for a year beyond the tables and for a calendar there is none of.
    """
    if not calendar:
        return False
    if day.year > LAST_YEAR:
        raise LookupError(f"The holidays of {day.year} are not known.")
    try:
        return day in _holidays(calendar, day.year)
    except NotImplementedError as unknown:
        raise LookupError(f"There is no calendar {calendar!r}.") from unknown


def is_business_day(day: date, calendar: str) -> bool:
    """Monday to Friday, no public holiday."""
    return day.isoweekday() < 6 and not is_holiday(day, calendar)


def add_business_days(day: date, days: int, calendar: str) -> date:
    """The ``days``-th business day after ``day``."""
    while days > 0:
        day += timedelta(days=1)
        days -= is_business_day(day, calendar)
    return day


def next_business_day(day: date, calendar: str) -> date:
    """``day`` itself where it is one."""
    while not is_business_day(day, calendar):
        day += timedelta(days=1)
    return day


def add_months(day: date, months: int, *, anchor: int | None = None) -> date:
    """The same day of the month (or the ``anchor``-th), clamped to the month's end: 31 January + 1 is 28 or 29
    February.
    """
    whole = day.year * 12 + day.month - 1 + months
    year, month = divmod(whole, 12)
    return date(year, month + 1, min(anchor or day.day, monthrange(year, month + 1)[1]))


def beginning(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of that day there, in UTC; of an hour that comes twice the first."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
