"""The ``deliver`` command: one pass, at the moment it is told."""

from __future__ import annotations

from datetime import date
from io import StringIO

import pytest
from django.core.management import call_command

from dunning.models import Notice, OutboxMessage, ServiceOrder
from tests.journeys.story import Story

pytestmark = pytest.mark.django_db

DAY = date(2026, 3, 5)


@pytest.fixture
def story() -> Story:
    told = Story(date(2026, 3, 2))
    told.account(customer={"timezone": "America/New_York"})
    told.service()
    told.bill(date(2026, 3, 1), "50.00")
    return told


def deliver(at: str) -> str:
    out = StringIO()
    call_command("deliver", "--at", at, stdout=out)
    return out.getvalue().strip()


def test_what_the_run_made_leaves_at_the_moment_told_and_once(story: Story) -> None:
    call_command("run_day", "--as-of", DAY.isoformat(), stdout=StringIO())
    assert deliver("2026-03-05T15:00:00Z") == "1 sent"
    assert deliver("2026-03-05T15:00:00Z") == "nothing was due"
    message = OutboxMessage.objects.get()
    assert (message.channel, message.to) == ("email", "A1@customers.example")
    assert Notice.objects.get().sent_at.isoformat() == "2026-03-05T15:00:00+00:00"  # type: ignore[union-attr]


def test_an_email_counts_as_delivered_24_hours_later(story: Story) -> None:
    call_command("run_day", "--as-of", DAY.isoformat(), stdout=StringIO())
    deliver("2026-03-05T15:00:00Z")
    assert deliver("2026-03-06T14:59:00Z") == "nothing was due"
    assert deliver("2026-03-06T15:00:00Z") == "1 delivered"


def test_at_night_it_waits_for_the_customers_morning(story: Story) -> None:
    call_command("run_day", "--as-of", DAY.isoformat(), stdout=StringIO())
    assert deliver("2026-03-05T03:00:00Z") == "nothing was due"
    assert Notice.objects.get().state == "pending"
    assert deliver("2026-03-05T16:00:00Z") == "1 sent"


def test_a_payment_that_nobody_reacted_to_yet_withdraws_what_was_due_and_restores_in_the_same_pass(
    story: Story,
) -> None:
    story.days_pass(until=date(2026, 3, 26))
    assert story.shows()["services"][0]["status"] == "outgoing_barred"
    story.unsettled_payment("50.00")
    assert deliver("2026-03-26T15:00:00Z") == "1 confirmed"
    assert story.shows()["services"][0]["status"] == "active"
    assert ServiceOrder.objects.filter(kind="restore", state="confirmed").count() == 1
    story.expect(cases=["03-02 03-26 paid"], status="current")
