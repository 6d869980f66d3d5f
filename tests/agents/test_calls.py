from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts import holds
from accounts.models import Account, Consent, UnreachableAddress
from agents import calls, kinds, queue
from agents.calls import CannotCall, CannotLog, CannotNote
from agents.models import Agent, Disposition, Interaction
from agents.promises import CannotPromise
from dunning.kinds import CONTACT_REFUSED
from tests.factories import TODAY, kinds_of, make_agent, make_customer, make_item, moment, owing

pytestmark = pytest.mark.django_db

NUMBER = "+442079460000"
NIGHT = moment(hour=22)


@pytest.fixture
def account() -> Account:
    return owing("100.00", customer=make_customer(country="GB", timezone="Europe/London", phone=NUMBER))


@pytest.fixture
def nadia(account: Account) -> Agent:
    """An agent who holds the account."""
    agent = make_agent()
    make_item(account)
    queue.claim_next(agent=agent, at=moment())
    return agent


def call(account: Account, agent: Agent, disposition: str = "no_answer", **more: Any) -> Interaction:
    at: datetime = more.pop("at", moment())
    return calls.log(
        **{
            "account_id": account.pk,
            "agent": agent,
            "direction": "outbound",
            "disposition": disposition,
            "number": NUMBER,
            "right_party": disposition.startswith("rpc"),
            "started_at": at,
            "duration_seconds": 40,
            "as_of": TODAY,
            "at": at,
            **more,
        }
    )


def test_a_call_is_kept_and_told_without_its_number(account: Account, nadia: Agent) -> None:
    interaction = call(account, nadia, "rpc_refused", note="angry")

    assert (interaction.disposition, interaction.right_party, interaction.agent) == ("rpc_refused", True, nadia)
    event = account.events.get(kind=kinds.CALL_LOGGED)
    assert event.payload["gate"]["outcome"] == "ALLOW"
    assert NUMBER not in str(event.payload)
    assert "angry" not in str(event.payload)


def test_calling_out_needs_the_account_in_ones_hands(account: Account, nadia: Agent) -> None:
    with pytest.raises(CannotCall, match="not in your hands") as refusal:
        call(account, make_agent())

    assert refusal.value.decision is None
    assert not account.interactions.exists()


def test_a_call_at_night_is_refused_with_the_decision_and_the_refusal_is_kept(account: Account, nadia: Agent) -> None:
    queue.claim(account_id=account.pk, agent=nadia, at=NIGHT)

    with pytest.raises(CannotCall, match="22:00") as refusal:
        call(account, nadia, at=NIGHT)

    assert refusal.value.decision is not None
    assert refusal.value.decision.outcome == "HOLD"
    assert refusal.value.code == "blocked"
    assert not account.interactions.exists()
    assert account.events.get(kind=CONTACT_REFUSED).payload["rules"] == ["UK-CONT-01"]


def test_customers_may_call_at_any_hour_and_whoever_answers(account: Account) -> None:
    interaction = call(account, make_agent(), "rpc_refused", direction="inbound", at=NIGHT)

    assert interaction.direction == "inbound"


def test_the_eighth_call_in_a_week_is_refused_and_busy_ones_do_not_count(account: Account, nadia: Agent) -> None:
    for disposition in ("busy", "disconnected_number", *["no_answer"] * 7):
        call(account, nadia, disposition, number="")

    with pytest.raises(CannotCall, match="7 calls"):
        call(account, nadia)


def test_a_conversation_brings_quiet_except_for_the_callback_it_agreed() -> None:
    american = owing("100.00", customer=make_customer(country="US", timezone="America/New_York", phone="+12125550100"))
    make_item(american)
    agent = make_agent()
    at = moment(hour=15)
    queue.claim_next(agent=agent, at=at)
    call(american, agent, "rpc_callback", at=at, callback_at=at + timedelta(hours=2))

    def outcome(hours: int) -> str:
        decided = calls.ask_gate(account_id=american.pk, channel="call", at=at + timedelta(hours=hours), as_of=TODAY)
        return decided.outcome

    assert outcome(1) == "HOLD"
    assert outcome(2) == "ALLOW"
    call(american, agent, "rpc_refused", at=at + timedelta(minutes=1), direction="inbound")
    assert outcome(2) == "HOLD"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"disposition": "shrug"}, "no disposition shrug"),
        ({"direction": "sideways"}, "outbound or inbound"),
        ({"started_at": moment() + timedelta(hours=1)}, "not begun"),
        ({"duration_seconds": -1}, "less than nothing"),
        ({"disposition": "rpc_callback"}, "when to call back"),
        ({"disposition": "rpc_callback", "callback_at": moment()}, "has passed"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    account: Account, nadia: Agent, columns: dict[str, Any], words: str
) -> None:
    with pytest.raises(CannotLog, match=words):
        call(account, nadia, **columns)


def test_a_promise_given_on_the_phone_is_made_with_the_call_or_neither_is(account: Account, nadia: Agent) -> None:
    due_on = TODAY + timedelta(days=2)

    with pytest.raises(CannotPromise, match=r"Only EUR 100\.00"):
        call(account, nadia, "rpc_promise", promise={"amount": Decimal(101), "due_on": due_on})
    assert not account.interactions.exists()
    assert kinds.CALL_LOGGED not in kinds_of(account)

    call(account, nadia, "rpc_promise", promise={"amount": Decimal(100), "due_on": due_on})
    assert account.promises.get().due_on == due_on


@pytest.mark.parametrize(
    ("disposition", "reason"),
    [
        ("bankruptcy", "bankruptcy"),
        ("deceased", "deceased"),
        ("attorney", "legal"),
        ("rpc_already_paid", "payment_in_flight"),
    ],
)
def test_some_outcomes_bring_a_hold_at_once(account: Account, nadia: Agent, disposition: str, reason: str) -> None:
    call(account, nadia, disposition)

    assert [hold.reason for hold in holds.in_force(account_id=account.pk, as_of=TODAY)] == [reason]
    assert calls.ask_gate(account_id=account.pk, channel="call", at=moment(), as_of=TODAY).outcome == "BLOCK"


def test_who_asks_to_be_left_alone_is_left_alone(account: Account, nadia: Agent) -> None:
    call(account, nadia, "cease")

    assert set(Consent.objects.filter(given=False).values_list("channel", flat=True)) == {"call", "sms", "email"}
    later = moment() + timedelta(minutes=1)
    assert calls.ask_gate(account_id=account.pk, channel="call", at=later, as_of=TODAY).outcome == "BLOCK"


def test_a_wrong_number_is_not_used_again(account: Account, nadia: Agent) -> None:
    call(account, nadia, "wrong_number")
    call(account, nadia, "wrong_number", number=NUMBER, direction="inbound")

    assert UnreachableAddress.objects.get(kind="phone").value == NUMBER


def test_when_an_account_comes_back_follows_from_the_outcome() -> None:
    at, callback = moment(), moment(hour=17)
    disposition = Disposition.objects.get

    assert calls.next_offer(disposition(code="busy"), callback_at=None, at=at) == at + timedelta(hours=1)
    assert calls.next_offer(disposition(code="rpc_callback"), callback_at=callback, at=at) == callback
    assert calls.next_offer(disposition(code="rpc_promise"), callback_at=None, at=at) is None


def test_frequent_outcomes_have_the_keys_one_to_nine() -> None:
    keys = Disposition.objects.exclude(key="").order_by("key").values_list("key", flat=True)

    assert "".join(keys) == "123456789"
    assert Disposition.objects.count() == 20


def test_a_note_is_kept_and_its_text_stays_out_of_the_history(account: Account) -> None:
    note = calls.add_note(account_id=account.pk, text=" Sister pays. ", actor="agent:nadia", as_of=TODAY, at=moment())

    assert note.text == "Sister pays."
    assert account.events.get(kind=kinds.NOTE_ADDED).payload == {"note": note.pk}
    with pytest.raises(CannotNote):
        calls.add_note(account_id=account.pk, text="  ", actor="agent:nadia", as_of=TODAY, at=moment())
