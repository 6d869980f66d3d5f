"""The desk's one business date: what day it is for every decision, wherever the customer lives."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Subquery

from accounts.models import BusinessDate

#: The date of the last run, as a column of another question.
LAST_RUN = Subquery(BusinessDate.objects.values("on")[:1])


def business_date(*, at: datetime) -> date:
    """The date set by the last run; before the first run, the date of ``at`` in the operator's zone. One query."""
    return last_run() or calendar_date(at=at)


def last_run() -> date | None:
    """The date of the last run, none before the first. One query."""
    return BusinessDate.objects.values_list("on", flat=True).first()


def calendar_date(*, at: datetime) -> date:
    """The date of a moment in the operator's zone."""
    return at.astimezone(ZoneInfo(settings.DESK_TIME_ZONE)).date()


def move_to(day: date) -> None:
    """Make ``day`` the business date; the caller has made sure that it does not go back."""
    BusinessDate.objects.update_or_create(id=1, defaults={"on": day})


def completed() -> date | None:
    """The last date whose run came to its end. One query."""
    return BusinessDate.objects.values_list("completed_on", flat=True).first()


def next_to_run(*, at: datetime) -> date:
    """The day whose run comes next: the business date until its run came to its end, then the day after."""
    on = business_date(at=at)
    return on + timedelta(days=1) if completed() == on else on


def complete(day: date) -> None:
    """Note that the run of ``day`` came to its end."""
    BusinessDate.objects.filter(on=day).update(completed_on=day)
