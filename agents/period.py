"""The days a figure is about, and the rows that count in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.functions import Coalesce

from accounts.models import Bill

#: Money received, and, negative, money that went back.
NET_RECEIVED = Case(When(reverses__isnull=True, then=F("amount")), default=-F("amount"))


@dataclass(frozen=True)
class Period:
    """The days after ``start`` up to and including ``end``."""

    end: date
    days: int

    @property
    def start(self) -> date:
        return self.end - timedelta(days=self.days)

    def covers(self, column: str) -> Q:
        return Q(**{f"{column}__gt": self.start, f"{column}__lte": self.end})

    def covers_moment(self, column: str) -> Q:
        """The same for moments: days begin and end at the operator's midnight."""
        after_start, after_end = midnight(self.start + timedelta(days=1)), midnight(self.end + timedelta(days=1))
        return Q(**{f"{column}__gte": after_start, f"{column}__lt": after_end})

    def earlier(self, days: int) -> Period:
        return Period(self.end - timedelta(days=days), self.days)


def in_currency(currency: str | None) -> Q:
    return Q(account__currency=currency) if currency else Q()


def bills_in_force(period: Period, currency: str | None) -> QuerySet[Bill]:
    """Bills issued in the period and not cancelled by its end."""
    cancelled_from = Case(
        When(status=Bill.Status.CANCELLED, then=Coalesce("cancelled_on", "issued_on")), default=F("cancelled_on")
    )
    bills = Bill.objects.filter(period.covers("issued_on"), in_currency(currency)).exclude(status=Bill.Status.DRAFT)
    return bills.alias(cancelled_from=cancelled_from).filter(
        Q(cancelled_from__isnull=True) | Q(cancelled_from__gt=period.end)
    )


def midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=ZoneInfo(settings.DESK_TIME_ZONE))
