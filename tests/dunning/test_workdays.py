"""Working days and hours of markets."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunning import workdays

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("day", "country", "region", "works"),
    [
        (date(2026, 3, 10), "US", "", True),
        (date(2026, 3, 14), "US", "", False),  # Saturday
        (date(2026, 11, 26), "US", "", False),  # Thanksgiving
        (date(2026, 11, 26), "GB", "", True),
        (date(2026, 12, 25), "GB", "", False),
        (date(2027, 1, 1), "US", "", False),
        (date(2026, 1, 6), "DE", "BY", False),  # Epiphany in Bavaria
        (date(2026, 1, 6), "DE", "BE", True),
        (date(2026, 1, 6), "DE", "", True),
        (date(2026, 12, 25), "DE", "ATLANTIS", False),  # an unknown region has its country's holidays
        (date(2026, 3, 11), "DE", "ATLANTIS", True),
        (date(2026, 12, 25), "ZZ", "", True),  # an unknown market has weekends only
        (date(2026, 12, 26), "ZZ", "", False),
        (date(2026, 12, 25), "", "", True),
        (date(2026, 3, 13), "IL", "", False),  # Friday there
        (date(2026, 3, 15), "IL", "", True),  # and Sunday
        (date(2028, 2, 29), "US", "", True),  # a Tuesday
        (date(2020, 2, 29), "US", "", False),  # a Saturday
    ],
)
def test_working_days(day: date, country: str, region: str, works: bool) -> None:
    assert workdays.is_working_day(day, country=country, region=region) is works


@pytest.mark.parametrize(
    ("day", "country", "following"),
    [
        (date(2026, 3, 10), "US", date(2026, 3, 10)),
        (date(2026, 3, 14), "US", date(2026, 3, 16)),
        (date(2026, 12, 25), "GB", date(2026, 12, 29)),  # Friday; Boxing Day is made up for on Monday
        (date(2026, 12, 31), "US", date(2026, 12, 31)),
        (date(2027, 1, 1), "US", date(2027, 1, 4)),
        (date(2024, 2, 29), "US", date(2024, 2, 29)),
    ],
)
def test_the_next_working_day_is_the_day_itself_when_it_is_one(day: date, country: str, following: date) -> None:
    assert workdays.next_working_day(day, country=country) == following


def test_working_days_are_counted_over_the_end_of_the_year() -> None:
    assert workdays.add_working_days(date(2026, 12, 30), 3, country="US") == date(2027, 1, 5)
    assert workdays.add_working_days(date(2026, 12, 30), 0, country="US") == date(2026, 12, 30)
    assert workdays.add_working_days(date(2024, 2, 28), 2, country="") == date(2024, 3, 1)


@pytest.mark.parametrize(
    ("country", "region", "known"),
    [("US", "", True), ("US", "CA", True), ("US", "ZZ", False), ("ZZ", "", False), ("", "", False)],
)
def test_known_markets(country: str, region: str, known: bool) -> None:
    assert workdays.is_known(country, region) is known


@pytest.mark.parametrize(
    ("at", "opening"),
    [
        # Winter: 08:00 in New York is 13:00 UTC.
        ("2026-03-06T12:59:59", "2026-03-06T13:00:00"),
        ("2026-03-06T13:00:00", "2026-03-06T13:00:00"),
        ("2026-03-06T21:59:59", "2026-03-06T21:59:59"),
        # Friday evening; the clocks go forward on Sunday, so Monday opens at 12:00 UTC.
        ("2026-03-06T22:00:00", "2026-03-09T12:00:00"),
        ("2026-03-08T15:00:00", "2026-03-09T12:00:00"),
        # Friday evening in October; they go back on Sunday 1 November.
        ("2026-10-30T21:00:00", "2026-11-02T13:00:00"),
        # New Year's Eve after hours: New Year and the weekend are over on the 4th.
        ("2026-12-31T22:30:00", "2027-01-04T13:00:00"),
        # Still Thursday in New York though Friday in UTC.
        ("2026-03-06T02:00:00", "2026-03-06T13:00:00"),
    ],
)
def test_the_next_opening_in_the_markets_own_hours(at: str, opening: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    found = workdays.next_opening(moment, zone=NEW_YORK, country="US")
    assert found == datetime.fromisoformat(opening).replace(tzinfo=UTC)


@given(
    st.integers(0, 830 * 24 * 60).map(lambda minutes: datetime(2025, 12, 1, tzinfo=UTC) + timedelta(minutes=minutes)),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"]),
    st.sampled_from(["US", "DE", "IN", "AU", "ZZ"]),
)
def test_an_opening_is_in_working_hours_not_before_and_within_a_fortnight(
    at: datetime, zone: str, country: str
) -> None:
    found = workdays.next_opening(at, zone=ZoneInfo(zone), country=country)
    local = found.astimezone(ZoneInfo(zone))
    assert workdays.is_working_day(local.date(), country=country)
    assert workdays.OPENS <= local.time() < workdays.CLOSES
    assert at <= found < at + timedelta(days=14)
    assert workdays.next_opening(found, zone=ZoneInfo(zone), country=country) == found
