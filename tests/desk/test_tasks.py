"""What beat starts: the day at midnight, a missed one soon after, and never over somebody's look into the past."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from accounts import business_day
from collections_desk import journey, tasks

pytestmark = pytest.mark.django_db

TODAY = date(2026, 3, 10)


def ran(day: date) -> None:
    journey.run_day(as_of=day, at=datetime(day.year, day.month, day.day, tzinfo=UTC))


class TestIsDue:
    def test_a_fresh_desk_waits_for_midnight(self) -> None:
        assert not tasks.is_due(today=TODAY, hour=14)
        assert tasks.is_due(today=TODAY, hour=0)

    def test_a_day_that_was_missed_is_run_at_any_hour(self) -> None:
        ran(date(2026, 3, 8))
        assert tasks.is_due(today=TODAY, hour=14)

    def test_a_day_that_is_complete_is_not_run_again(self) -> None:
        ran(TODAY)
        assert not tasks.is_due(today=TODAY, hour=0)

    def test_a_run_that_was_killed_is_taken_up_again(self) -> None:
        ran(date(2026, 3, 9))
        with journey.gathering():
            journey.open_day(as_of=TODAY, at=datetime(2026, 3, 10, tzinfo=UTC))
        assert business_day.last_run() == TODAY
        assert tasks.is_due(today=TODAY, hour=9)

    def test_a_desk_set_to_the_past_stays_there_until_midnight(self) -> None:
        ran(date(2013, 6, 30))
        assert not tasks.is_due(today=TODAY, hour=9)

    def test_the_business_date_never_goes_back(self) -> None:
        ran(date(2026, 3, 11))
        assert not tasks.is_due(today=TODAY, hour=0)


def test_the_end_of_a_day_is_noted_once() -> None:
    ran(date(2026, 3, 9))
    with journey.gathering():
        journey.open_day(as_of=TODAY, at=datetime(2026, 3, 10, tzinfo=UTC))
    assert business_day.completed() == date(2026, 3, 9)
    tasks.close_day(as_of=TODAY.isoformat())
    assert business_day.completed() == TODAY
    tasks.close_day(as_of=TODAY.isoformat())
    assert business_day.completed() == TODAY
