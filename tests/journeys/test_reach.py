"""Who can be told, on which channel, and when a warning counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from accounts.models import ContactPoint
from dunning import receipts
from dunning.gateways.base import Message, NetworkOrder, Outcome
from dunning.gateways.receipts import Receipt
from dunning.models import Notice
from tests.journeys.ledger import POLICY
from tests.journeys.story import Story, at

pytestmark = pytest.mark.django_db


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


class Telling:
    """A road inside the process that answers as told for each message."""

    knows_keys = True

    def __init__(self, answer: Callable[[Message], Outcome]) -> None:
        self.answer = answer
        self.messages: list[Message] = []

    def hand_over_many(self, handed: Sequence[Message | NetworkOrder]) -> list[Outcome]:
        return [self._take(one) for one in handed]

    def _take(self, one: Message | NetworkOrder) -> Outcome:
        if isinstance(one, NetworkOrder):
            return Outcome("confirmed", one.key)
        self.messages.append(one)
        return self.answer(one)

    def close(self) -> None:
        """Nothing is open."""


def told(customer: dict[str, Any] | None = None, policy: str = POLICY) -> Story:
    story = Story(mar(2), policy=policy)
    story.account(customer=customer)
    story.service()
    story.bill(mar(1), "100.00", ref="B1")
    return story


def test_a_customer_without_email_is_told_on_the_next_channel() -> None:
    story = told({"email": ""})
    story.days_pass(until=mar(19))
    story.expect(notices=["03-05 reminder sms", "03-12 warning sms until 03-20", "03-19 final letter until 03-25"])


def test_nobody_reachable_is_noted_never_a_warning_and_the_limit_becomes_a_task_after_14_days() -> None:
    story = told({"email": "", "phone": "", "address": ""})
    story.days_pass(until=mar(50))
    story.expect(
        steps=[
            "03-05 reminder undeliverable",
            "03-12 warning undeliverable",
            "03-19 final undeliverable",
            "03-25 bar waiting: not_warned",
            "04-01 suspend waiting: not_warned",
            "04-02 desk taken",
        ],
        services=[{"service_id": "S1", "status": "active"}],
        queue=["collect: handed to agents by the policy", "task: bar has waited 14 days (not_warned)"],
    )


def test_a_warning_that_bounces_goes_on_to_the_next_channel_and_counts_from_its_delivery() -> None:
    story = told()
    story.days_pass(until=mar(18))
    story.run(mar(19))
    road = Telling(lambda message: Outcome("accepted", message.key))
    story.deliver(road=road)
    # The relay took it, and it comes back the next morning.
    story.run(mar(20))
    bounce = Receipt(key=road.messages[-1].key, provider_ref=None, state="bounced", at=at(mar(20), 8), detail="unknown")
    receipts.take([bounce], as_of=mar(20), at=at(mar(20), 8))
    story.deliver(road=Telling(lambda message: Outcome("accepted", message.key)))
    story.days_pass(until=mar(35))
    assert story.notices()[-2:] == [
        "03-19 final email until 03-25 bounced: unknown",
        "03-20 final letter until 03-26",
    ]
    # A letter counts three working days after its print, 25 March; five days of notice end on the 30th.
    assert story.steps()[2:] == ["03-19 final taken", "03-30 bar taken", "04-01 suspend taken", "04-02 desk taken"]
    story.expect(steps=story.steps())


def test_an_address_that_bounced_is_not_used_again() -> None:
    story = told()
    story.days_pass(until=mar(4))
    story.run(mar(5))
    road = Telling(lambda message: Outcome("unreachable" if message.channel == "email" else "delivered", message.key))
    story.deliver(road=road)
    story.days_pass(until=mar(19))
    story.expect(
        notices=[
            "03-05 reminder email bounced",
            "03-05 reminder sms",
            "03-12 warning sms until 03-20",
            "03-19 final letter until 03-25",
        ]
    )


def test_a_better_address_found_later_is_warned_and_only_then_limited() -> None:
    story = told({"email": "", "phone": "", "address": ""})
    story.days_pass(until=mar(26))
    customer = story.account_row().customer
    ContactPoint.objects.create(ref="K1", customer=customer, kind="email", value="found@customers.example")
    story.days_pass(until=mar(38))
    assert story.steps()[2:] == [
        "03-19 final undeliverable",
        "03-27 final taken",
        "04-02 bar taken",
        "04-03 suspend taken",
        "04-04 desk taken",
    ]


def test_an_sms_without_a_receipt_never_counts_as_a_warning() -> None:
    policy = POLICY.replace("channels: [email, letter], template: final", "channels: [sms], template: final")
    story = told(policy=policy)
    story.days_pass(until=mar(18))
    story.run(mar(19))
    road = Telling(lambda message: Outcome("accepted", message.key))
    story.deliver(road=road)
    story.days_pass(until=mar(33))
    assert story.steps()[3:] == [
        "03-25 bar waiting: not_warned",
        "04-01 suspend waiting: not_warned",
        "04-02 desk taken",
    ]
    receipt = Receipt(key=road.messages[-1].key, provider_ref=None, state="delivered", at=at(mar(33), 18))
    assert receipts.take([receipt, receipt], as_of=mar(33), at=at(mar(33), 18)) == 1
    story.days_pass(until=mar(40))
    assert story.steps()[3:] == ["04-02 desk taken", "04-07 bar taken", "04-08 suspend taken"]


def test_bills_due_together_share_one_notice_before_the_due_date() -> None:
    story = Story(mar(1))
    story.account()
    story.bill(mar(10), "40.00", ref="B1")
    story.bill(mar(10), "20.00", ref="B2")
    story.bill(mar(12), "5.00", ref="B3")
    story.days_pass(until=mar(9))
    story.expect(notices=["03-05 upcoming sms", "03-07 upcoming sms"], cases=[])
    assert "60.00" in story.texts[0].text


def test_a_notice_before_the_due_date_that_was_missed_lapses() -> None:
    story = Story(mar(1))
    story.account()
    story.bill(mar(10), "40.00", ref="B1")
    story.days_pass(until=mar(3))
    story.days_without_a_run(until=mar(10))
    story.days_pass(until=mar(14))
    story.expect(notices=["03-14 reminder email"])


def test_a_notice_before_the_due_date_is_not_sent_after_it() -> None:
    story = Story(mar(1))
    story.account()
    story.bill(mar(10), "40.00", ref="B1")
    story.days_pass(until=mar(4))
    story.run(mar(5))
    for day in range(6, 12):
        story.run(mar(day))
    story.deliver()
    assert story.withdrawn()[0].startswith("03-11 upcoming: ")
    assert story.handed[mar(11)] == 0


def test_no_notice_before_the_due_date_while_a_case_is_open() -> None:
    story = told()
    story.bill(mar(12), "40.00", ref="B2")
    story.days_pass(until=mar(11))
    story.expect(steps=["03-05 reminder taken"])


def test_all_channels_tells_on_each_and_one_that_cannot_leave_repeats_nothing() -> None:
    channels = "action: notify, channels: [email, sms]"
    policy = POLICY.replace(f"{channels}, template: reminder", f"{channels}, all_channels: true, template: reminder")
    story = told(policy=policy)
    story.days_pass(until=mar(4))
    story.run(mar(5))
    customer = story.account_row().customer
    customer.email = ""
    customer.save(update_fields=["email"])
    story.deliver()
    story.days_pass(until=mar(9))
    story.expect(
        notices=["03-05 reminder email withdrawn: no usable address on this channel", "03-05 reminder sms"],
        steps=["03-05 reminder taken"],
    )
    assert Notice.objects.count() == 2
