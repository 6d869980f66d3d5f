"""The one place that reads the time; everything below the edges is told it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def business_now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(tz=UTC)


def today_in(zone: str | ZoneInfo) -> date:
    """The date on the wall in `zone` at this moment.

    Raises ZoneInfoNotFoundError for a name that is no time zone.
    """
    return business_now().astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone).date()
