"""Customers whose circumstances ask for care, over weeks: helped, not chased and not limited."""

from __future__ import annotations

from datetime import date

import pytest

from accounts.models import Customer, Vulnerability
from tests.journeys.story import Story

pytestmark = pytest.mark.django_db


def months_late(severity: str) -> Story:
    story = Story(date(2026, 3, 2), careful=True)
    story.account(customer={"country": "", "timezone": "UTC"})
    story.service()
    Vulnerability.objects.create(
        customer=Customer.objects.get(), category="support", severity=severity, noted_on=date(2026, 3, 1)
    )
    story.bill(date(2026, 3, 1), "100.00", ref="B1")
    story.days_pass(until=date(2026, 4, 20))
    return story


@pytest.mark.parametrize("severity", ["medium", "high"])
def test_help_is_not_pressed_on_anybody_every_day(severity: str) -> None:
    story = months_late(severity)
    assert len(story.texts) == 2, "at once, and once more after a month"
    assert story.account_row().services.get().status == "active"
