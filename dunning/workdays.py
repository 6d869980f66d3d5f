"""Working days and hours of a market. Pure; public holidays come from the ``holidays`` library."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

import holidays

#: Saturday and Sunday, where the library does not know the market's own.
_WEEKEND = frozenset({5, 6})

#: When the network may take service away: the customer must be able to reach somebody who can give it back.
OPENS, CLOSES = time(8), time(17)


@cache
def _calendar(country: str, region: str, year: int) -> holidays.HolidayBase | None:
    if not is_known(country):
        return None
    return holidays.country_holidays(country, subdiv=region if is_known(country, region) else None, years=year)


def is_known(country: str, region: str = "") -> bool:
    """Whether the library has that market's holidays."""
    supported = holidays.list_supported_countries()
    return country in supported and (not region or region in supported[country])


@lru_cache(maxsize=10_000)
def is_working_day(day: date, *, country: str, region: str = "") -> bool:
    """Neither weekend nor public holiday there; an unknown region has its country's, an unknown market weekends."""
    calendar = _calendar(country, region, day.year) if country else None
    if calendar is None:
        return day.weekday() not in _WEEKEND
    return calendar.is_working_day(day)


def next_working_day(day: date, *, country: str, region: str = "") -> date:
    """``day`` itself when it is one, else the first after it."""
    while not is_working_day(day, country=country, region=region):
        day += timedelta(days=1)
    return day


def add_working_days(day: date, count: int, *, country: str, region: str = "") -> date:
    """The ``count``-th working day after ``day``."""
    for _ in range(count):
        day = next_working_day(day + timedelta(days=1), country=country, region=region)
    return day


def between(after: date, until: date, *, country: str, region: str = "") -> int:
    """Working days in ``(after, until]``."""
    days = (until - after).days
    return sum(
        is_working_day(after + timedelta(days=ahead), country=country, region=region) for ahead in range(1, days + 1)
    )


def next_opening(at: datetime, *, zone: ZoneInfo, country: str, region: str = "") -> datetime:
    """``at`` itself in working hours of the market, else when they next begin."""
    local = at.astimezone(zone)
    if is_working_day(local.date(), country=country, region=region) and OPENS <= local.time() < CLOSES:
        return at
    day = local.date() if local.time() < OPENS else local.date() + timedelta(days=1)
    opening = next_working_day(day, country=country, region=region)
    return datetime.combine(opening, OPENS, tzinfo=zone)
