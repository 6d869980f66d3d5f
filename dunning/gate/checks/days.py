"""Dates that rules count to: deadlines in hours and days, and the days of instalments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dunning.gate import calendars
from dunning.gate.checks.registry import Reckoning, Theme


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Hours as they pass, weekends and changes of the clock included."""

    hours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """The moment from which hours are counted."""

    since: datetime


def hours_after(params: Hours, given: Since) -> Mapping[str, object]:
    """``due``: that many hours later, in UTC."""
    return {"due": given.since.astimezone(UTC) + timedelta(hours=params.hours)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Calendar days, or the business days of a calendar."""

    days: int
    business_days_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """The day from which days are counted; it is not counted itself."""

    day: date


def days_after(params: Days, given: From) -> Mapping[str, object]:
    """``due``: the last of those days."""
    if params.business_days_of:
        return {"due": calendars.add_business_days(given.day, params.days, params.business_days_of)}
    return {"due": given.day + timedelta(days=params.days)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Monthly:
    """How a monthly date that falls on no business day of this calendar moves; empty: it stays."""

    roll_to_business_day_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instalments:
    """The first date, whose day of the month is kept, and how many there are."""

    first: date
    count: int


def monthly_dates(params: Monthly, given: Instalments) -> Mapping[str, object]:
    """``dates``: the same day of every month, clamped to the end of a shorter one, and back after it; ``last``."""
    dates = [calendars.add_months(given.first, months, anchor=given.first.day) for months in range(given.count)]
    if params.roll_to_business_day_of:
        dates = [calendars.next_business_day(day, params.roll_to_business_day_of) for day in dates]
    return {"dates": dates, "last": dates[-1]}


THEME = Theme(
    reckonings={
        "hours_after": Reckoning(Hours, Since, hours_after),
        "days_after": Reckoning(Days, From, days_after),
        "monthly_dates": Reckoning(Monthly, Instalments, monthly_dates),
    }
)
