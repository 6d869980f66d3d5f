from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dunning.gateways.base import Message, NetworkOrder
from dunning.gateways.letters_folder import LettersFolderGateway
from dunning.gateways.memory import MemoryGateway
from dunning.gateways.network_http import NetworkHttpGateway
from dunning.gateways.opening import open_message_gateway, open_network_gateway
from dunning.gateways.patience import LONGEST_WAIT, CircuitBreaker, backoff
from dunning.gateways.sms_http import SmsHttpGateway
from dunning.gateways.smtp import SmtpGateway

NOON = datetime(2026, 8, 19, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_waits_double_within_their_spread_up_to_the_longest():
    for attempt in range(1, 200):
        whole = min(timedelta(seconds=30) * 2 ** min(attempt - 1, 20), LONGEST_WAIT)
        assert whole / 2 <= backoff(attempt, key="a") <= whole


def test_the_wait_is_the_same_for_the_same_key_and_spread_over_keys():
    assert backoff(3, key="a") == backoff(3, key="a")
    waits = {backoff(3, key=f"k{number}") for number in range(100)}
    assert len(waits) > 90
    assert max(waits) - min(waits) > timedelta(seconds=40)


def test_attempts_are_counted_from_one():
    with pytest.raises(ValueError, match="from 1"):
        backoff(0)


def test_a_breaker_opens_after_failures_in_a_row_and_closes_on_success():
    breaker = CircuitBreaker(limit=3, rest=MINUTE)
    for _ in range(2):
        breaker.note_failure(at=NOON)
    breaker.note_success()
    for _ in range(2):
        breaker.note_failure(at=NOON)
    assert breaker.lets_through(at=NOON)
    breaker.note_failure(at=NOON)
    assert breaker.state(at=NOON) == "open"
    assert not breaker.lets_through(at=NOON + timedelta(seconds=59))
    assert breaker.free_at() == NOON + MINUTE

    assert breaker.state(at=NOON + MINUTE) == "half_open"
    assert breaker.lets_through(at=NOON + MINUTE)
    assert not breaker.lets_through(at=NOON + MINUTE), "one may try, not two"
    breaker.note_success()
    assert breaker.state(at=NOON + MINUTE) == "closed"
    assert breaker.free_at() is None


def test_a_failed_try_opens_the_breaker_again_at_once():
    breaker = CircuitBreaker(limit=3, rest=MINUTE)
    for _ in range(3):
        breaker.note_failure(at=NOON)
    assert breaker.lets_through(at=NOON + MINUTE)
    breaker.note_failure(at=NOON + MINUTE)
    assert not breaker.lets_through(at=NOON + MINUTE + timedelta(seconds=59))
    assert breaker.lets_through(at=NOON + 2 * MINUTE)


def test_a_try_that_never_reports_does_not_block_for_ever():
    breaker = CircuitBreaker(limit=1, rest=MINUTE)
    breaker.note_failure(at=NOON)
    assert breaker.lets_through(at=NOON + MINUTE)
    assert breaker.lets_through(at=NOON + 2 * MINUTE)


def test_in_memory_everything_arrives_at_once_and_is_kept_once():
    road = MemoryGateway()
    text = Message(key="a", channel="sms", to="+1", subject="", text="x", language="en", ref="r")
    order = NetworkOrder(key="b", service_ref="s", account_ref="a", rung="active", reason="paid")
    assert [road.hand_over(text).state for _ in range(2)] == ["delivered", "delivered"]
    assert road.hand_over(order).state == "confirmed"
    road.close()
    assert road.handed == [text, order]
    assert (road.messages, road.orders, road.keys) == ([text], [order], {"a", "b"})


@pytest.mark.parametrize(
    ("url", "channel", "kind"),
    [
        ("smtp://relay.example:587?starttls=1", "email", SmtpGateway),
        ("https://sms.example/send", "sms", SmsHttpGateway),
        ("file:///var/spool/print%20run", "letter", LettersFolderGateway),
        ("memory://", "sms", MemoryGateway),
    ],
)
def test_a_channel_gets_its_gateway_from_a_url(url, channel, kind):
    road = open_message_gateway(url, channel=channel, now=lambda: NOON, sender="billing@northwind.example")
    assert isinstance(road, kind)
    road.close()


@pytest.mark.parametrize(
    ("url", "channel"), [("smtp://relay.example", "sms"), ("https://x.example", "letter"), ("", "email")]
)
def test_a_url_the_channel_cannot_use_is_refused(url, channel):
    with pytest.raises(ValueError, match=channel):
        open_message_gateway(url, channel=channel, now=lambda: NOON, sender="billing@northwind.example")


def test_the_network_gets_its_gateway_from_a_url():
    road = open_network_gateway("https://network.example/orders", secret="s")
    assert isinstance(road, NetworkHttpGateway)
    road.close()
    assert isinstance(open_network_gateway("memory://"), MemoryGateway)
    with pytest.raises(ValueError, match="smtp"):
        open_network_gateway("smtp://x")
