"""What the contact gate makes of a day: what waits for its hour, what a word from the customer stops, what is kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.db import DatabaseError, transaction

from accounts import wishes
from accounts.models import Customer, Vulnerability
from agents import calls
from collections_desk.replay import LocalMemory
from dunning import deliver
from dunning.models import GateDecision, Notice, RulePackVersion
from dunning.roads import CHANNELS, Roads
from tests.journeys.story import AGENT, Story

pytestmark = pytest.mark.django_db

#: The policy reminds four days after the due date.
DUE = date(2026, 3, 28)
REMINDED = date(2026, 4, 1)


def on_the_morning(customer: dict[str, object], *, due_on: date = DUE) -> Story:
    """The reminder is made on the fourth day; nothing has left yet."""
    story = Story(due_on - timedelta(days=3), careful=True)
    story.account(customer={"email": "", **customer})
    story.bill(due_on, "100.00", ref="B1")
    story.days_pass(until=due_on + timedelta(days=3))
    story.run(due_on + timedelta(days=4))
    return story


def moment(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=UTC)


def test_stop_between_queueing_and_sending_stops_the_sending() -> None:
    story = on_the_morning({"timezone": "America/Los_Angeles"})
    story.deliver(hour=14)
    assert story.handed[REMINDED] == 0, "too early in Los Angeles"
    customer = Customer.objects.get()
    wishes.stop(
        customer_id=customer.pk,
        channels=["sms"],
        actor="customer",
        as_of=REMINDED,
        at=moment(REMINDED, 14),
        source="STOP",
    )
    story.deliver(hour=16)
    assert not Notice.objects.filter(channel="sms", state="delivered", step_code="reminder").exists()


def test_a_customer_who_moves_is_written_to_by_the_new_clock() -> None:
    story = on_the_morning({"timezone": "America/New_York"})
    wishes.state_timezone(
        customer_id=Customer.objects.get().pk,
        timezone="America/Los_Angeles",
        actor=AGENT,
        as_of=REMINDED,
        at=moment(REMINDED, 10),
    )
    story.deliver(hour=13)
    assert story.handed[REMINDED] == 0, "nine in New York, six in Los Angeles"
    story.deliver(hour=15)
    assert story.handed[REMINDED] == 1


def test_an_agent_calls_by_the_new_clock_too() -> None:
    story = on_the_morning({"timezone": "America/New_York"})
    account, when = story.account_row(), moment(REMINDED, 13)
    assert calls.ask_gate(account_id=account.pk, channel="call", at=when, as_of=REMINDED).outcome == "ALLOW"
    wishes.state_timezone(
        customer_id=account.customer_id, timezone="America/Los_Angeles", actor=AGENT, as_of=REMINDED, at=when
    )
    decision = calls.ask_gate(account_id=account.pk, channel="call", at=when, as_of=REMINDED)
    assert (decision.outcome, decision.next_allowed_at) == ("HOLD", moment(REMINDED, 15))


@pytest.mark.parametrize(
    ("night", "opens"),
    [(date(2027, 3, 14), 12), (date(2026, 11, 1), 13)],
    ids=["the hour that is skipped", "the hour that comes twice"],
)
def test_on_the_night_the_clocks_change_a_message_leaves_once_and_at_eight(night: date, opens: int) -> None:
    story = on_the_morning({"timezone": "America/New_York"}, due_on=night - timedelta(days=4))
    for hour in range(5, opens):  # before that it is still the evening
        story.deliver(hour=hour)
        assert story.handed[night] == 0, hour
    for hour in range(opens, 24):
        story.deliver(hour=hour)
    assert story.handed[night] == 1
    assert Notice.objects.filter(step_code="reminder", state="delivered").count() == 1


def test_every_decision_is_kept_with_its_packs_and_the_hour_at_the_customer() -> None:
    story = on_the_morning({"timezone": "America/Los_Angeles", "region": "CA"})
    story.deliver(hour=14)
    story.deliver(hour=15)
    story.deliver(hour=16)
    held, allowed = GateDecision.objects.filter(notice__step_code="reminder").order_by("pk")
    assert (held.outcome, held.rule_ids, held.next_allowed_at) == (
        "HOLD",
        ["US-ST-CA-01", "US-TIME-01"],
        moment(REMINDED, 15),
    )
    assert held.local_times == ["2026-04-01 07:00 America/Los_Angeles"]
    assert allowed.outcome in ("ALLOW", "WARN")
    assert {version.partition("@")[0] for version in allowed.packs} >= {"GLB", "US-FED", "US-CA", "VUL"}
    kept = {f"{row.pack}@{row.version}" for row in RulePackVersion.objects.all()}
    assert set(allowed.packs) <= kept


def test_what_the_gate_said_cannot_be_changed() -> None:
    story = on_the_morning({"timezone": "America/New_York"})
    story.deliver(hour=15)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        GateDecision.objects.update(outcome="ALLOW")


@pytest.mark.parametrize(("severity", "template"), [("low", "reminder"), ("medium", "hardship-help")])
def test_whose_circumstances_ask_for_it_is_written_to_gently_or_offered_help_instead(
    severity: str, template: str
) -> None:
    story = on_the_morning({"timezone": "America/New_York"})
    Vulnerability.objects.create(
        customer=Customer.objects.get(), category="support", severity=severity, noted_on=REMINDED
    )
    story.deliver(hour=15)
    notice = Notice.objects.get(step_code="reminder")
    assert (notice.state, notice.template, notice.tone) == ("delivered", template, "gentle")
    assert ("100.00" in story.texts[-1].text) is (severity == "low")


def test_highly_vulnerable_customers_are_offered_help_and_nothing_else() -> None:
    story = on_the_morning({"timezone": "America/New_York"})
    Vulnerability.objects.create(
        customer=Customer.objects.get(), category="support", severity="high", noted_on=REMINDED
    )
    story.deliver(hour=15)
    notice = Notice.objects.get(step_code="reminder")
    assert (notice.state, notice.template) == ("delivered", "hardship-help")
    assert "100.00" not in notice.body


def test_a_replay_asks_only_the_packs_it_was_given() -> None:
    on_the_morning({"timezone": "America/Los_Angeles"})
    before = GateDecision.objects.count()
    road = LocalMemory()
    roads = Roads(dict.fromkeys(CHANNELS, road), road, only_packs=("GB",))
    deliver.deliver(as_of=REMINDED, at=moment(REMINDED, 14), roads=roads)
    asked = GateDecision.objects.order_by("pk")[before:]
    assert {version.partition("@")[0] for row in asked for version in row.packs} == {"GB"}
