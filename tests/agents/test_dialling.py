from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connection
from rest_framework.test import APIClient

from accounts import holds
from accounts.models import Account, UnreachableAddress
from agents import calls, dialling, identity, kinds, promises, queue
from agents.calls import CannotCall, CannotDisclose, CannotLog
from agents.dialling import CannotDial, CannotGiveUp, CannotLeave
from agents.models import Agent, Disposition, Interaction, LiveCall
from dunning.kinds import CONTACT_REFUSED
from dunning.models import GateDecision
from tests.agents.telephone import SECRET, Answering, Telephone, telephone
from tests.factories import TODAY, kinds_of, make_agent, make_customer, make_item, make_team, moment, owing

pytestmark = pytest.mark.django_db

NUMBER = "+442079460000"
AT = moment()


@pytest.fixture
def account() -> Account:
    customer = make_customer(
        country="GB", timezone="Europe/London", phone=NUMBER, postal_code="SW1A 1AA", email="ann@example.org"
    )
    return owing("100.00", customer=customer)


@pytest.fixture
def nadia(account: Account) -> Agent:
    """An agent who holds the account."""
    agent = make_agent(username="nadia")
    make_item(account)
    queue.claim_next(agent=agent, at=AT)
    return agent


def dial(account: Account, agent: Agent, at: datetime = AT, **more: Any) -> LiveCall:
    return dialling.dial(
        **{"account_id": account.pk, "agent": agent, "number": NUMBER, "at": at, "as_of": TODAY, **more}
    )


def log(account: Account, agent: Agent, disposition: str = "no_answer", **more: Any) -> Interaction:
    at: datetime = more.pop("at", AT + timedelta(minutes=3))
    return calls.log(
        **{
            "account_id": account.pk, "agent": agent, "direction": "outbound", "disposition": disposition,
            "number": "", "right_party": Disposition.objects.get(code=disposition).right_party, "started_at": at,
            "duration_seconds": None, "as_of": TODAY, "at": at, **more,
        }
    )  # fmt: skip


def verify(account: Account, agent: Agent, *matched: str, failed: tuple[str, ...] = (), minutes: int = 1) -> bool:
    return identity.check(
        account_id=account.pk, agent=agent, matched=matched or ("postal_code", "email"), failed=failed, as_of=TODAY,
        at=AT + timedelta(minutes=minutes),
    ).passed  # fmt: skip


# --- dialling ---------------------------------------------------------------------------------------------------------


def test_a_call_begins_with_the_gates_leave_which_is_kept(account: Account, nadia: Agent) -> None:
    call = dial(account, nadia)

    assert (call.state, call.via, call.direction, call.begun_at) == ("dialled", "tel", "outbound", AT)
    assert dialling.tel("+44 (20) 7946-0000") == "tel:+442079460000"
    assert dialling.current(agent=nadia) == call
    assert GateDecision.objects.get(account=account).outcome == "ALLOW"
    event = account.events.get(kind=kinds.CALL_DIALLED)
    assert event.payload["gate"]["outcome"] == "ALLOW"
    assert NUMBER not in str(event.payload)


def test_nobody_dials_without_the_account_in_hand_nor_without_a_number(account: Account, nadia: Agent) -> None:
    with pytest.raises(CannotCall, match="not in your hands"):
        dial(account, make_agent())
    with pytest.raises(CannotDial, match="no number"):
        dial(account, nadia, number="ask her sister")

    assert not LiveCall.objects.exists()


def test_a_call_at_night_is_not_begun_and_that_is_kept(account: Account, nadia: Agent) -> None:
    night = moment(hour=22)
    queue.claim(account_id=account.pk, agent=nadia, at=night)

    with pytest.raises(CannotCall, match="22:00") as refusal:
        dial(account, nadia, at=night)

    assert refusal.value.decision is not None
    assert not LiveCall.objects.exists()
    assert GateDecision.objects.get().outcome == "HOLD"
    assert account.events.filter(kind=CONTACT_REFUSED).count() == 1


def test_a_supervisor_dials_all_the_same_for_a_reason_that_stays_with_the_call() -> None:
    customer = make_customer(country="US", region="NY", timezone="America/New_York", phone="+15185550123")
    account = owing("100.00", customer=customer)
    make_item(account)
    boss = make_agent("supervisor")
    at = moment(hour=16)
    queue.claim(account_id=account.pk, agent=boss, at=at)
    calls.log(
        account_id=account.pk, agent=boss, direction="inbound", disposition="rpc_refused", number="", right_party=True,
        started_at=at - timedelta(days=1), duration_seconds=60, as_of=TODAY, at=at,
    )  # fmt: skip
    [code, *_] = calls.overrides_for(
        calls.ask_gate(account_id=account.pk, channel="call", at=at, as_of=TODAY, agent=boss), boss
    )

    with pytest.raises(CannotCall):
        dial(account, boss, at=at, number=customer.phone)
    dial(account, boss, at=at, number=customer.phone, override=calls.Override(code, "She asked by e-mail"))
    interaction = log(account, boss, at=at + timedelta(minutes=1))

    assert interaction.override_code == code
    assert account.events.filter(kind=kinds.CALL_LOGGED).latest("pk").payload["override"] == code


def test_an_agent_is_in_one_call_and_dialling_the_same_again_is_the_same_call(account: Account, nadia: Agent) -> None:
    other = owing("50.00", customer=make_customer(country="GB", timezone="Europe/London", phone="+442079460001"))
    make_item(other)
    queue.claim(account_id=other.pk, agent=nadia, at=AT)
    call = dial(account, nadia)

    assert dial(account, nadia, at=AT + timedelta(seconds=5)) == call
    with pytest.raises(CannotDial, match="what came of it"):
        dial(other, nadia, number="+442079460001")

    assert GateDecision.objects.filter(action="call").count() == 1


def test_the_log_takes_when_how_long_and_where_to_from_the_call(account: Account, nadia: Agent) -> None:
    dial(account, nadia)
    dialling.hang_up(agent=nadia, at=AT + timedelta(seconds=95))

    interaction = log(account, nadia, "third_party", at=AT + timedelta(seconds=125))

    assert (interaction.at, interaction.number) == (AT, NUMBER)
    assert (interaction.duration_seconds, interaction.wrap_seconds) == (95, 30)
    assert interaction.live_call.state == "logged"
    assert dialling.current(agent=nadia) is None
    payload = account.events.get(kind=kinds.CALL_LOGGED).payload
    assert (payload["gate"]["outcome"], payload["call"]) == ("ALLOW", interaction.live_call.ref)


def test_nothing_lasted_where_nobody_answered_and_a_typed_length_wins(account: Account, nadia: Agent) -> None:
    dial(account, nadia)
    assert log(account, nadia).duration_seconds == 0
    dial(account, nadia, at=AT + timedelta(minutes=10))
    assert log(account, nadia, "third_party", duration_seconds=7, at=AT + timedelta(minutes=20)).duration_seconds == 7


def test_a_call_that_was_made_is_logged_although_it_would_not_be_allowed_any_more(
    account: Account, nadia: Agent
) -> None:
    dial(account, nadia)
    holds.place(account_id=account.pk, reason="legal", starts_on=TODAY, actor="import", as_of=TODAY, at=AT)
    queue.claim(account_id=account.pk, agent=make_agent(), at=AT + queue.LEASE + timedelta(seconds=1))

    assert log(account, nadia, at=AT + timedelta(minutes=20)).disposition == "no_answer"


def test_the_same_call_is_logged_once(account: Account, nadia: Agent) -> None:
    call = dial(account, nadia)
    log(account, nadia, call_ref=call.ref)

    with pytest.raises(CannotLog, match="logged already"):
        log(account, nadia, call_ref=call.ref)

    assert Interaction.objects.count() == 1


# --- left open --------------------------------------------------------------------------------------------------------


def test_nobody_goes_on_before_saying_what_came_of_a_call(account: Account, nadia: Agent) -> None:
    dial(account, nadia)

    with pytest.raises(CannotLeave, match="You were on the phone with"):
        dialling.refuse_next(agent=nadia)
    with pytest.raises(CannotGiveUp, match="Say why"):
        dialling.give_up(agent=nadia, reason="because", as_of=TODAY, at=AT)
    call = dialling.give_up(agent=nadia, reason="not_placed", as_of=TODAY, at=AT)

    assert (call.state, call.reason) == ("failed", "not_placed")
    dialling.refuse_next(agent=nadia)
    assert account.events.get(kind=kinds.CALL_GIVEN_UP).reason == "not_placed"


def test_a_call_that_was_answered_is_not_given_up(account: Account, nadia: Agent) -> None:
    call = dial(account, nadia)
    dialling.hear(key=call.ref, state="answered", at=AT)

    with pytest.raises(CannotGiveUp, match="Somebody answered"):
        dialling.give_up(agent=nadia, reason="mistake", as_of=TODAY, at=AT)


# --- before anybody is verified ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("disposition", ["rpc_promise", "rpc_refused", "rpc_already_paid", "rpc_hardship"])
def test_an_outcome_with_the_customer_needs_the_check(account: Account, nadia: Agent, disposition: str) -> None:
    dial(account, nadia)

    with pytest.raises(CannotDisclose) as refusal:
        log(account, nadia, disposition)
    assert refusal.value.code == "blocked"
    with pytest.raises(CannotDisclose):
        log(account, nadia, "third_party", right_party=True)
    with pytest.raises(CannotDisclose):
        log(account, nadia, "voicemail", promise={"amount": Decimal(10), "due_on": TODAY + timedelta(days=3)})
    # Calling it inbound does not help: the call knows better.
    with pytest.raises(CannotDisclose):
        log(account, nadia, disposition, direction="inbound")
    assert not Interaction.objects.exists()

    assert verify(account, nadia)
    assert log(account, nadia, disposition).right_party


@pytest.mark.parametrize("disposition", ["cease", "attorney", "bankruptcy", "deceased"])
def test_what_is_only_heard_is_kept_from_whoever_says_it(account: Account, nadia: Agent, disposition: str) -> None:
    dial(account, nadia)

    interaction = log(account, nadia, disposition)

    assert not interaction.right_party
    assert (
        calls.ask_gate(account_id=account.pk, channel="call", at=AT + timedelta(hours=1), as_of=TODAY).outcome
        == "BLOCK"
    )


def test_nothing_is_agreed_in_a_call_before_the_check(account: Account, nadia: Agent) -> None:
    beside = owing("30.00", customer=account.customer)
    stranger = owing("30.00")
    calls.refuse_undisclosed(account_id=account.pk, agent=nadia, at=AT)
    dial(account, nadia)

    for one in (account, beside):
        with pytest.raises(CannotDisclose):
            calls.refuse_undisclosed(account_id=one.pk, agent=nadia, at=AT)
        assert not identity.passed_for(account_id=one.pk, agent=nadia, at=AT)
    calls.refuse_undisclosed(account_id=stranger.pk, agent=nadia, at=AT)
    calls.refuse_undisclosed(account_id=account.pk, agent=make_agent(), at=AT)
    verify(account, nadia)

    calls.refuse_undisclosed(account_id=beside.pk, agent=nadia, at=AT)
    assert identity.passed_for(account_id=beside.pk, agent=nadia, at=AT)
    assert not identity.passed_for(account_id=stranger.pk, agent=nadia, at=AT)


def test_a_call_that_came_in_is_logged_as_it_is_told(account: Account, nadia: Agent) -> None:
    dialling.take(account_id=account.pk, agent=nadia, number=NUMBER, as_of=TODAY, at=AT)
    calls.refuse_undisclosed(account_id=account.pk, agent=nadia, at=AT)

    interaction = log(account, nadia, "rpc_refused", nonpayment_reason="job_lost")

    assert (interaction.direction, interaction.right_party) == ("inbound", True)
    assert interaction.duration_seconds == 180


# --- dispositions are data --------------------------------------------------------------------------------------------


def test_an_outcome_that_an_admin_makes_works_as_its_columns_say(account: Account, nadia: Agent) -> None:
    Disposition.objects.create(
        code="moved_abroad", label="Moved abroad", rang=False, connected=True, result="no_connect_invalid",
        phone="dead", hold_reason="fraud", hold_days=3, stops_contact=True, asks_reason=True,
    )  # fmt: skip
    dial(account, nadia)

    log(account, nadia, "moved_abroad", nonpayment_reason="moved")

    event = account.events.get(kind=kinds.CALL_LOGGED)
    assert (event.payload["rang"], event.payload["nonpayment_reason"]) == (False, "moved")
    assert UnreachableAddress.objects.get().value == NUMBER
    [hold] = holds.in_force(account_id=account.pk, as_of=TODAY)
    assert (hold.reason, hold.ends_on) == ("fraud", TODAY + timedelta(days=3))
    [talked] = calls.talks_of([account.pk], AT + timedelta(hours=1))[account.pk].contacts
    assert talked.result == "no_connect_invalid"
    assert account.customer.consents.filter(given=False).count() == 3


def test_a_number_on_which_they_answered_is_good_again(account: Account, nadia: Agent) -> None:
    UnreachableAddress.objects.create(kind="phone", value=NUMBER, since=AT, reason="Wrong number")
    dial(account, nadia)
    verify(account, nadia)
    log(account, nadia, "rpc_refused")

    assert not UnreachableAddress.objects.exists()


def test_a_reason_that_nobody_knows_is_refused(account: Account, nadia: Agent) -> None:
    with pytest.raises(CannotLog, match="no reason"):
        log(account, nadia, nonpayment_reason="aliens")


def test_an_outcome_taken_back_and_said_again_is_one_call(account: Account, nadia: Agent) -> None:
    first = log(account, nadia, number=NUMBER)
    Interaction.objects.filter(pk=first.pk).update(undone_at=AT)
    Interaction.objects.create(
        ref="again", account=account, direction="outbound", disposition="busy", number=NUMBER, at=first.at
    )

    [talked] = calls.talks_of([account.pk], AT + timedelta(hours=1))[account.pk].contacts

    assert talked.result == "no_connect_busy"


# --- what must be said ------------------------------------------------------------------------------------------------


@pytest.fixture
def american(settings: Any) -> Account:
    """A customer whose rules want to hear that this is from a debt collector."""
    settings.DESK_COLLECTOR_ROLE = "third_party"
    customer = make_customer(
        country="US", region="TX", timezone="America/New_York", phone="+12125550100", postal_code="75001",
        email="joe@example.org", language="en",
    )  # fmt: skip
    return owing("100.00", customer=customer)


def test_a_conversation_without_what_must_be_said_is_not_logged(american: Account) -> None:
    agent, at = make_agent(), moment(hour=16)
    make_item(american)
    queue.claim(account_id=american.pk, agent=agent, at=at)
    dial(american, agent, at=at, number="+12125550100")
    identity.check(account_id=american.pk, agent=agent, matched=["postal_code", "email"], failed=[], as_of=TODAY, at=at)
    [code] = calls.must_be_said(account_id=american.pk, agent=agent, number="+12125550100", at=at, as_of=TODAY)

    with pytest.raises(CannotLog, match="must be said") as refusal:
        log(american, agent, "rpc_refused", at=at + timedelta(minutes=2))
    assert refusal.value.code == "refused"
    calls.say(account_id=american.pk, agent=agent, code=code, as_of=TODAY, at=at + timedelta(seconds=20))
    calls.say(account_id=american.pk, agent=agent, code=code, as_of=TODAY, at=at + timedelta(seconds=40))
    interaction = log(american, agent, "rpc_refused", at=at + timedelta(minutes=2))

    assert interaction.said == [f"{code}@{at + timedelta(seconds=20):%Y%m%dT%H%M%SZ}"]
    assert american.events.filter(kind=kinds.CALL_DISCLOSED).count() == 1


def test_where_nobody_spoke_nothing_had_to_be_said(american: Account) -> None:
    agent, at = make_agent(), moment(hour=16)
    make_item(american)
    queue.claim(account_id=american.pk, agent=agent, at=at)
    dial(american, agent, at=at, number="+12125550100")

    assert log(american, agent, at=at + timedelta(minutes=1)).said == []


def test_who_tells_what_was_said_must_tell_all_of_it_and_who_does_not_is_believed(american: Account) -> None:
    agent, at = make_agent(), moment(hour=16)
    make_item(american)
    queue.claim(account_id=american.pk, agent=agent, at=at)
    more: dict[str, Any] = {"at": at, "number": "+12125550100"}

    with pytest.raises(CannotLog, match="must be said"):
        log(american, agent, "rpc_refused", said=[], **more)
    with pytest.raises(CannotLog, match="is called"):
        log(american, agent, "rpc_refused", said=["sorry"], **more)
    assert log(american, agent, "rpc_refused", **more).said == []


# --- the telephone system ---------------------------------------------------------------------------------------------


@pytest.fixture
def system(settings: Any) -> Iterator[Telephone]:
    with telephone() as server:
        settings.DESK_CTI_URL, settings.DESK_CTI_SECRET = server.url, SECRET
        settings.CALLBACK_SECRET = "callbacks"
        yield server


def test_the_system_is_asked_under_our_key_and_signed(account: Account, nadia: Agent, system: Telephone) -> None:
    call = dial(account, nadia)

    assert (call.via, call.state) == ("cti", "dialled")
    assert system.keys == [call.ref]
    assert system.signed == [True]
    assert system.asked == [
        {
            "key": call.ref, "action": "dial", "agent": "nadia", "to": NUMBER, "ref": account.ref,
            "caller": configured.DESK_CALLER_NUMBER,
        }
    ]  # fmt: skip


def test_where_the_system_does_not_take_it_the_agents_own_telephone_dials(
    account: Account, nadia: Agent, system: Telephone
) -> None:
    system.answer = lambda request: request.say(503, {"detail": "restarting"})

    call = dial(account, nadia)

    assert (call.via, call.state) == ("tel", "dialled")
    assert "did not take it" in call.reason


def test_a_number_that_cannot_be_dialled_fails_and_the_agent_is_free(
    account: Account, nadia: Agent, system: Telephone
) -> None:
    system.answer = lambda request: request.say(422, {"detail": "no such number"})

    call = dial(account, nadia)

    assert call.state == "failed"
    assert "no such number" in call.reason
    assert dialling.current(agent=nadia) is None


def test_a_system_that_does_not_answer_is_asked_again_under_the_same_key(
    account: Account, nadia: Agent, system: Telephone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(request: Answering) -> None:
        request.connection.close()

    system.answer = never
    call = dial(account, nadia)
    assert (call.state, call.via) == ("dialled", "cti")
    assert call.reason.startswith("No word")

    system.answer = lambda request: request.say(409, {"detail": "has it already"})
    again = dial(account, nadia, at=AT + timedelta(seconds=9))

    assert (again.pk, again.state, again.reason) == (call.pk, "dialled", "")
    assert system.keys == [call.ref, call.ref]


def test_what_the_system_tells_before_it_answers_is_not_lost(account: Account, nadia: Agent, system: Telephone) -> None:
    """The far side is faster with its news than with its answer."""

    def rings_first(request: Answering) -> None:
        request.say(200, {"id": "x"})

    system.answer = rings_first
    call = dial(account, nadia)
    dialling.hear(key=call.ref, state="ringing", at=AT)
    stale = LiveCall.objects.get(pk=call.pk)
    stale.state = "dialled"

    assert dialling.place(call=stale, at=AT).state == "ringing"


def test_hanging_up_ends_it_there_too_and_survives_its_silence(
    account: Account, nadia: Agent, system: Telephone
) -> None:
    call = dial(account, nadia)
    system.answer = lambda request: request.say(500)

    ended = dialling.hang_up(agent=nadia, at=AT + timedelta(seconds=30))

    assert ended is not None
    assert ended.state == "ended"
    assert [asked["action"] for asked in system.asked] == ["dial", "hang_up"]
    assert system.keys == [call.ref, f"{call.ref}.hang_up"]


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_system_is_asked(settings: Any) -> None:
    account = owing("100.00", customer=make_customer(country="GB", timezone="Europe/London", phone=NUMBER))
    agent = make_agent()
    make_item(account)
    queue.claim_next(agent=agent, at=AT)
    seen: list[int] = []

    def look(request: Answering) -> None:
        # Another connection sees the call: what was intended stands before it is asked for.
        seen.append(LiveCall.objects.filter(agent=agent, state="dialled").count())
        connection.close()
        request.say(200, {"id": "x"})

    with telephone() as server:
        settings.DESK_CTI_URL, settings.DESK_CTI_SECRET = server.url, SECRET
        server.answer = look
        dial(account, agent)

    assert seen == [1]


@pytest.mark.django_db(transaction=True)
def test_two_windows_that_dial_at_once_make_one_call(settings: Any) -> None:
    customer = make_customer(country="GB", timezone="Europe/London", phone=NUMBER)
    one, two = owing("100.00", customer=customer), owing("50.00", customer=customer)
    agent = make_agent()
    for account in (one, two):
        make_item(account)
        queue.claim(account_id=account.pk, agent=agent, at=AT)
    refused: list[str] = []
    ready = threading.Barrier(2)

    def press(account: Account) -> None:
        try:
            ready.wait(5)
            dial(account, agent)
        except CannotDial as refusal:
            refused.append(str(refusal))
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=(account,)) for account in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert LiveCall.objects.count() == 1
    assert len(refused) == 1


def news(told: Any, secret: str = "callbacks") -> Any:
    body = json.dumps(told).encode()
    proof = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return APIClient().generic(
        "POST", "/api/v1/callbacks/cti/", body, content_type="application/json", HTTP_X_SIGNATURE=proof
    )


def test_news_moves_a_call_forward_and_never_back(account: Account, nadia: Agent, system: Telephone) -> None:
    call = dial(account, nadia)

    told = [news({"key": call.ref, "state": state}).data for state in ("ringing", "answered", "ringing", "answered")]
    assert told == [{"taken": 1}, {"taken": 1}, {"taken": 0}, {"taken": 0}]
    assert news({"key": call.ref, "state": "ended", "duration_seconds": 61}).data == {"taken": 1}
    assert news({"key": call.ref, "state": "failed"}).data == {"taken": 0}
    assert news({"key": "nobody", "state": "ended"}).data == {"taken": 0}

    call.refresh_from_db()
    assert call.state == "ended"
    assert call.ended_at is not None
    assert call.answered_at == max(call.ended_at - timedelta(seconds=61), call.begun_at)


def test_a_call_that_failed_frees_the_agent_and_one_that_was_answered_only_ends(
    account: Account, nadia: Agent, system: Telephone
) -> None:
    call = dial(account, nadia)
    news({"key": call.ref, "state": "failed", "detail": "busy"})
    call.refresh_from_db()
    assert (call.state, call.reason) == ("failed", "busy")
    assert dialling.current(agent=nadia) is None

    again = dial(account, nadia, at=AT + timedelta(minutes=1))
    news({"key": again.ref, "state": "answered"})
    news({"key": again.ref, "state": "failed", "detail": "line dropped"})
    again.refresh_from_db()
    assert again.state == "ended"


@pytest.mark.parametrize("secret", ["", "another"])
def test_news_that_is_not_signed_is_not_believed(
    account: Account, nadia: Agent, system: Telephone, secret: str
) -> None:
    call = dial(account, nadia)

    assert news({"key": call.ref, "state": "answered"}, secret).status_code == 403
    call.refresh_from_db()
    assert call.state == "dialled"


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"key": "x"},
        {"key": "x", "state": "singing"},
        {"key": "x", "state": "ended", "duration_seconds": -1},
        [1],
        7,
    ],
)
def test_news_that_cannot_be_used_is_invalid(told: Any, system: Telephone) -> None:
    assert news(told).status_code == 400


def test_a_customer_who_calls_is_found_by_their_number(account: Account, nadia: Agent, system: Telephone) -> None:
    told = {"key": "pbx-77", "state": "ringing", "number": "0044 20 7946 0000", "agent": "nadia"}

    assert news({**told, "number": "+4915199"}).data == {"taken": 0}
    assert news(told).data == {"taken": 1}
    assert news(told).data == {"taken": 0}
    call = dialling.current(agent=nadia)
    assert call is not None
    assert (call.account_id, call.direction, call.state, call.ref) == (account.pk, "inbound", "ringing", "pbx-77")
    assert kinds.CALL_CAME_IN in kinds_of(account)

    taken = dialling.take(account_id=account.pk, agent=nadia, number=NUMBER, as_of=TODAY, at=AT)
    assert (taken.pk, taken.state) == (call.pk, "answered")
    news({"key": "pbx-77", "state": "ended", "duration_seconds": 30})
    call.refresh_from_db()
    assert call.state == "ended"


def test_who_calls_is_not_shown_beyond_the_team_wall(account: Account, system: Telephone) -> None:
    team = make_agent().username
    other = make_agent(username="elsewhere")
    item = make_item(account)
    item.team_id = _team()
    item.save(update_fields=["team"])

    assert team != "elsewhere"
    assert news({"key": "pbx-1", "state": "ringing", "number": NUMBER, "agent": "elsewhere"}).data == {"taken": 0}
    assert news({"key": "pbx-1", "state": "ringing", "number": NUMBER, "agent": "nobody"}).data == {"taken": 0}
    assert dialling.current(agent=other) is None


def _team() -> int:
    """A team of its own."""

    return int(make_team().pk)


def test_a_system_that_hangs_does_not_hang_the_desk(account: Account, nadia: Agent, system: Telephone) -> None:
    let_go = threading.Event()

    def hang(request: Answering) -> None:
        let_go.wait(60)
        request.say(200, {"id": "call-1"})

    system.answer = hang
    call = dial(account, nadia)
    let_go.set()

    assert call.reason.startswith("No word")


def test_a_promise_made_by_another_door_is_none_of_the_calls_business(account: Account, nadia: Agent) -> None:
    dial(account, nadia)

    promises.make(
        account_id=account.pk, amount=Decimal(10), due_on=TODAY + timedelta(days=2), actor="portal", as_of=TODAY, at=AT
    )
    assert account.promises.count() == 1
