"""The one place that reads the time; everything below the edges is told it."""

from __future__ import annotations

from datetime import UTC, datetime


def business_now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(tz=UTC)
