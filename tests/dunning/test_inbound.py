"""Messages that arrive: whose they are, what is done at once, and what is left to a person."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts import holds
from accounts.models import Account, Consent, ContactPoint, Hold, UnreachableAddress
from dunning import deliver, inbound, kinds
from dunning.composing import pay_token
from dunning.gateways.base import Incoming, Message, Outcome
from dunning.models import InboundMessage, Notice, OutboxMessage
from dunning.roads import Roads, roads_from_settings
from tests.factories import TODAY, make_account, make_bill, make_customer, moment, owing, settled

pytestmark = pytest.mark.django_db

NUMBER = "+447946000002"
MAILBOX = "anna@example.org"


@pytest.fixture
def account() -> Account:
    return owing(customer=make_customer(name="Anna Arendt", phone=NUMBER, email=MAILBOX, language="en"))


def sms(text: str, *, sender: str = NUMBER, ref: str = "", **columns: Any) -> Incoming:
    given = {
        "gateway": "sms", "provider_ref": ref or text, "channel": "sms", "sender": sender, "recipient": "60777",
        "text": text, "received_at": moment(),
    }  # fmt: skip
    return Incoming(**given | columns)


def mail(text: str, *, sender: str = MAILBOX, **columns: Any) -> Incoming:
    given = {"gateway": "mailbox", "provider_ref": f"<{text}>", "recipient": "billing@northwind.example"}
    return sms(text, **{"sender": sender, "channel": "email", **given, **columns})


def receive(incoming: Incoming, *, on: date = TODAY, minutes: int = 0) -> InboundMessage:
    return inbound.receive(incoming, as_of=on, at=moment(on, minute=minutes))


def notice(account: Account, **columns: Any) -> Notice:
    number = Notice.objects.count()
    given = {
        "account": account, "customer": account.customer, "key": f"1.warning.{number}.sms", "step_code": "warning",
        "template": "suspension-warning", "channel": "sms", "currency": "EUR", "made_on": TODAY, "state": "delivered",
        "address": NUMBER, "sent_at": moment() - timedelta(days=1),
    }  # fmt: skip
    return Notice.objects.create(**given | columns)


def answers() -> list[tuple[str, str, str]]:
    rows = Notice.objects.filter(key__startswith="answer.").order_by("pk")
    return list(rows.values_list("template", "channel", "address"))


# Whose it is --------------------------------------------------------------------------------------------------------


def test_the_same_message_again_is_the_same_message(account: Account) -> None:
    first = receive(sms("I paid yesterday", ref="mo-1"))
    again = receive(sms("I paid yesterday", ref="mo-1"))

    assert first.pk == again.pk
    assert Hold.objects.count() == 1
    assert account.events.filter(kind=kinds.MESSAGE_RECEIVED).count() == 1
    assert len(answers()) == 1


@pytest.mark.parametrize(
    ("on_file", "sender"),
    [
        ("+447946000002", "447946000002"), ("07946 000002", "+447946000002"), ("+44 7946 000002", "00447946000002"),
        ("07946000002", "447946000002"), ("+1 202 555 0123", "12025550123"), ("(202) 555-0123", "+1 202 555 0123"),
    ],
)  # fmt: skip
def test_a_number_is_found_however_it_is_written_on_file(on_file: str, sender: str) -> None:
    account = owing(customer=make_customer(phone=on_file))
    message = receive(sms("call me", sender=sender))
    assert (message.account, message.sender[0]) == (account, "+")
    assert answers() == [("call-back", "sms", on_file)]


def test_a_number_beside_the_customers_own_is_found_too() -> None:
    account = owing()
    ContactPoint.objects.create(ref="CP1", customer=account.customer, kind="phone", value=NUMBER)
    assert receive(sms("call me")).account == account


def test_of_several_accounts_it_is_the_one_that_was_written_to_last(account: Account) -> None:
    other = owing("50.00", customer=account.customer)
    notice(other, sent_at=moment() - timedelta(days=2))
    told = notice(account)
    notice(other, channel="email", address=MAILBOX)

    message = receive(sms("call me"))

    assert (message.account, message.answers) == (account, told)


def test_of_several_accounts_that_nobody_wrote_to_a_person_chooses(account: Account) -> None:
    owing("50.00", customer=account.customer)
    message = receive(sms("I paid"))
    assert (message.account, message.customer, message.state) == (None, account.customer, "waiting")
    assert (Hold.objects.count(), answers()) == (0, [])


def test_of_a_number_in_two_hands_nothing_is_disclosed_and_a_person_decides(account: Account) -> None:
    owing(customer=make_customer(phone=NUMBER))
    notice(account)

    message = receive(sms("I paid"))

    assert (message.account, message.customer, message.state) == (None, None, "waiting")
    assert (answers(), Hold.objects.count()) == ([], 0)


def test_stop_from_a_number_in_two_hands_stops_both(account: Account) -> None:
    other = owing(customer=make_customer(phone=NUMBER))
    receive(sms("STOP"))
    refused = Consent.objects.filter(given=False, channel="sms", value="").values_list("customer_id", flat=True)
    assert sorted(refused) == sorted([account.customer_id, other.customer_id])


def test_nobody_we_know_waits_for_a_supervisor() -> None:
    message = receive(sms("hello"))
    assert (message.account, message.customer, message.state, message.intent) == (None, None, "waiting", "unclear")


def test_a_mail_finds_its_notice_by_what_it_answers(account: Account) -> None:
    other = owing("50.00", customer=account.customer)
    told = notice(other, channel="email", address=MAILBOX, provider_ref="<abc@northwind.example>")
    notice(account, channel="email", address=MAILBOX, key="9.warning.0.email")

    message = receive(mail("please call me", references=("<other@x>", "<abc@northwind.example>")))

    assert (message.account, message.answers) == (other, told)


def test_a_mail_finds_its_account_by_the_signed_address_or_by_the_subject(account: Account) -> None:
    owing("50.00", customer=account.customer)
    token = pay_token(account.ref)
    by_address = receive(mail("call me", recipient=f"billing+{token}@northwind.example"))
    by_subject = receive(mail("call me please", subject=f"Re: Your account {account.ref}"))
    forged = receive(mail("ring me", recipient=f"billing+{account.ref}~AAAAAAAAAAAAAAAA@northwind.example"))
    assert (by_address.account, by_subject.account, forged.account) == (account, account, None)


def test_a_strangers_mail_about_an_account_changes_nothing(account: Account) -> None:
    message = receive(mail("I paid", sender="mallory@example.org", subject=f"Account {account.ref}"))
    assert (message.account, message.state, message.acts) == (account, "waiting", [])
    assert (Hold.objects.count(), answers()) == (0, [])
    assert account.events.get(kind=kinds.MESSAGE_RECEIVED).actor == "desk:inbound"


def test_an_answer_to_a_notice_of_somebody_else_is_not_believed(account: Account) -> None:
    """The reference names Anna's notice; the sender is another customer."""
    other = owing(customer=make_customer(email="ben@example.org"))
    notice(account, channel="email", address=MAILBOX, provider_ref="<abc@northwind.example>")
    message = receive(mail("I paid", sender="ben@example.org", references=("<abc@northwind.example>",)))
    assert (message.account, message.state, answers()) == (account, "waiting", [])
    assert not Hold.objects.filter(account__in=[account, other]).exists()


# Stop ---------------------------------------------------------------------------------------------------------------


def test_stop_ends_all_automated_contact_at_once_and_is_confirmed_once(account: Account) -> None:
    waiting = notice(account, state="pending", send_at=moment(), sent_at=None, address="")
    letter = notice(account, key="2.w.0.letter", channel="letter", state="pending", send_at=moment(), sent_at=None)

    message = receive(sms("Stop!"))

    said = set(Consent.objects.values_list("channel", "purpose", "value", "given"))
    assert {("sms", "service", NUMBER, False), ("sms", "service", "", False), ("call", "automated", "", False)} <= said
    assert ("call", "service", "", False) not in said
    waiting.refresh_from_db()
    letter.refresh_from_db()
    assert (waiting.state, waiting.send_at, letter.state) == ("withdrawn", None, "pending")
    assert answers() == [("stop-confirmation", "sms", NUMBER)]
    assert Notice.objects.get(template="stop-confirmation").step_code == "opt-out"
    assert (message.state, message.acts) == ("acted", ["stopped", "notices_withdrawn", "answered"])
    assert account.events.filter(kind=kinds.NOTICE_WITHDRAWN).count() == 1

    receive(sms("STOP", ref="mo-2"))
    assert len(answers()) == 1


def test_a_stop_that_is_read_late_is_honoured_and_not_confirmed(account: Account) -> None:
    message = receive(sms("STOP"), minutes=6)
    assert (message.acts, answers()) == (["stopped"], [])


def test_stop_by_mail_ends_mails_and_texts(account: Account) -> None:
    receive(mail("Unsubscribe"))
    refused = set(Consent.objects.filter(given=False, value="").values_list("channel", "purpose"))
    assert refused == {("email", "service"), ("sms", "service"), ("call", "automated")}
    assert Consent.objects.filter(channel="email", value=MAILBOX, given=False).exists()


def test_stop_from_somebody_unknown_closes_the_number() -> None:
    message = receive(sms("STOP", sender="447946000009"))
    assert UnreachableAddress.objects.get().value == "+447946000009"
    assert (message.state, answers()) == ("acted", [])


def test_start_allows_it_again_and_the_next_stop_is_confirmed_again(account: Account) -> None:
    receive(sms("STOP"))
    begun = receive(sms("START"), minutes=1)
    receive(sms("STOP", ref="again"), minutes=2)

    assert begun.acts == ["started"]
    assert [template for template, *_ in answers()] == ["stop-confirmation"] * 2
    latest = Consent.objects.filter(channel="sms", value="", purpose="service").order_by("at")
    assert list(latest.values_list("given", flat=True)) == [False, True, False]


def test_a_wish_in_other_words_holds_the_notices_until_a_person_has_decided(account: Account) -> None:
    message = receive(sms("pls don't text me anymore"))

    hold = Hold.objects.get()
    assert (hold.reason, hold.stops, hold.ends_on) == ("manual", ["notices"], None)
    assert (message.state, answers(), Consent.objects.count()) == ("waiting", [], 0)

    inbound.finish(message_id=message.pk, actor="agent:ada", as_of=TODAY, at=moment(hour=13))
    assert not holds.in_force(account_id=account.pk, as_of=TODAY).exists()


# Everything else ----------------------------------------------------------------------------------------------------


def test_paid_holds_treatment_for_a_week_and_only_once_a_month(account: Account) -> None:
    message = receive(sms("I paid yesterday"))

    hold = Hold.objects.get()
    assert (hold.reason, hold.starts_on, hold.ends_on) == ("payment_in_flight", TODAY, TODAY + timedelta(days=7))
    assert hold.placed_by == f"customer:{account.customer.ref}"
    assert (message.state, answers()) == ("waiting", [("paid-thanks", "sms", NUMBER)])

    late = receive(sms("already paid", ref="mo-2"), on=TODAY + timedelta(days=29))
    assert (Hold.objects.count(), late.acts, late.state) == (1, [], "waiting")  # nothing is said that is not so
    receive(sms("already paid", ref="mo-3"), on=TODAY + timedelta(days=30))
    assert Hold.objects.count() == 2


def test_paid_with_nothing_overdue_holds_nothing() -> None:
    make_account(customer=make_customer(phone=NUMBER))
    message = receive(sms("I paid"))
    assert (Hold.objects.count(), message.acts, message.state) == (0, [], "waiting")


def test_a_contested_bill_is_paused_and_not_yet_a_dispute(account: Account) -> None:
    message = receive(sms("This bill is wrong"))

    hold = Hold.objects.get()
    # Tuesday: three working days on is Friday.
    assert (hold.reason, hold.stops, hold.ends_on) == ("manual", ["limits", "notices"], date(2026, 3, 13))
    assert account.disputes.count() == 0
    assert (message.acts, answers()[0][0]) == (["paused", "answered"], "dispute-received")

    again = receive(sms("wrong amount", ref="mo-2"), on=TODAY + timedelta(days=5))
    assert (Hold.objects.count(), again.acts) == (1, [])


@pytest.mark.parametrize(
    ("text", "intent", "template"),
    [
        ("please call me back", "call_me", "call-back"), ("I can't pay this month", "cannot_pay", "hardship-help"),
        ("HELP", "help", "help"),
    ],
)  # fmt: skip
def test_each_wish_has_its_answer(account: Account, text: str, intent: str, template: str) -> None:
    message = receive(sms(text))
    assert (message.intent, message.answer, answers()) == (intent, template, [(template, "sms", NUMBER)])
    assert message.state == ("acted" if intent == "help" else "waiting")


def test_the_answer_is_in_the_language_of_the_message(account: Account) -> None:
    message = receive(sms("Kann ich in Raten zahlen?"))
    assert (message.language, Notice.objects.get(step_code="answer").language) == ("de", "de")


def test_a_wrong_person_is_told_nothing_and_the_number_is_not_used_again(account: Account) -> None:
    waiting = notice(account, state="pending", send_at=moment(), sent_at=None)
    message = receive(sms("Wrong number"))

    waiting.refresh_from_db()
    assert UnreachableAddress.objects.get().value == NUMBER
    assert (waiting.state, answers(), message.state) == ("withdrawn", [], "waiting")


def test_a_crisis_silences_every_machine(account: Account) -> None:
    message = receive(sms("I can't pay, I want to kill myself"))
    assert (message.hints, message.state, message.acts) == (["crisis"], "waiting", [])
    assert (answers(), Hold.objects.count()) == ([], 0)


def test_a_stop_is_heard_in_a_crisis_too_and_not_answered(account: Account) -> None:
    message = receive(mail("I can't go on", subject="STOP"))
    assert (message.intent, message.hints, message.state, message.acts) == (
        "opt_out",
        ["crisis"],
        "waiting",
        ["stopped"],
    )
    assert answers() == []


def test_a_hint_is_kept_for_a_person_and_changes_no_row(account: Account) -> None:
    message = receive(sms("I paid, my husband passed away"))
    assert (message.hints, message.state) == (["bereavement"], "waiting")
    assert account.customer.vulnerabilities.count() == 0


@pytest.mark.parametrize("automatic", ["auto_reply", "bounce"])
def test_a_machine_is_never_answered(account: Account, automatic: Any) -> None:
    message = receive(mail("I paid. STOP", automatic=automatic))
    assert (message.intent, message.state, answers()) == (automatic, "acted", [])
    assert (Hold.objects.count(), Consent.objects.count()) == (0, 0)


def test_two_machines_do_not_talk_for_ever(account: Account) -> None:
    for number in range(5):
        last = receive(sms("HELP", ref=f"mo-{number}"), minutes=number)
    assert (len(answers()), last.state) == (3, "waiting")


def test_what_is_told_upstairs_holds_no_words_and_no_address(account: Account) -> None:
    receive(sms("I paid 40 to Ben Okafor, call me at +447946000002"))
    told = account.events.get(kind=kinds.MESSAGE_RECEIVED)
    assert "Okafor" not in str(told.payload) + told.reason
    assert "447946000002" not in str(told.payload) + told.reason
    assert (told.actor, told.payload["also"]) == (f"customer:{account.customer.ref}", ["call_me"])


def test_a_clock_that_is_ahead_is_not_believed_and_a_nul_is_no_text(account: Account) -> None:
    message = receive(sms("I\x00 \ud800paid", ref="mo\x00-1", received_at=moment() + timedelta(days=3)))
    assert (message.received_at, message.text) == (moment(), "I ?paid")


# People -------------------------------------------------------------------------------------------------------------


def test_a_person_corrects_the_reading_and_what_follows_is_done(account: Account) -> None:
    message = receive(sms("the thing from my bank went out"))
    assert message.intent == "unclear"

    inbound.read_again(message_id=message.pk, intent="paid", actor="agent:ada", as_of=TODAY, at=moment(hour=13))

    message.refresh_from_db()
    assert (message.intent, message.state, message.acts) == ("paid", "waiting", ["payment_in_flight", "answered"])
    event = account.events.get(kind=kinds.MESSAGE_READ_AGAIN)
    assert (event.payload["from"], event.payload["to"], event.actor) == ("unclear", "paid", "agent:ada")


def test_a_person_who_reads_stop_stops_everything(account: Account) -> None:
    message = receive(sms("leave me alone"))
    inbound.read_again(message_id=message.pk, intent="opt_out", actor="agent:ada", as_of=TODAY, at=moment(hour=13))
    assert Consent.objects.filter(channel="sms", value="", given=False).exists()
    assert not holds.in_force(account_id=account.pk, as_of=TODAY).exists()
    assert answers() == []  # not within five minutes of receipt


def test_what_is_done_is_done_once(account: Account) -> None:
    message = receive(sms("hello there"))
    inbound.finish(message_id=message.pk, actor="agent:ada", as_of=TODAY, at=moment(hour=13))
    with pytest.raises(inbound.CannotRead, match="already"):
        inbound.finish(message_id=message.pk, actor="agent:ben", as_of=TODAY, at=moment(hour=14))
    with pytest.raises(inbound.CannotRead, match="no such reading"):
        inbound.read_again(message_id=message.pk, intent="bribe", actor="agent:ben", as_of=TODAY, at=moment())
    message.refresh_from_db()
    assert (message.state, message.done_by) == ("done", "agent:ada")


def test_a_known_number_is_read_with_a_bounded_number_of_queries(
    account: Account, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        notice(account, key=f"1.warning.{number}.x", sent_at=moment() - timedelta(days=number + 1))
    with django_assert_max_num_queries(15):
        receive(sms("something else entirely"))


# Out of the house ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [("Ich habe gestern bezahlt", "de", "Danke"), ("I paid yesterday", "en", "thank"), ("STOP", "en", "no more")],
)
def test_the_answer_leaves_through_the_gate_although_a_hold_stops_notices(
    account: Account, text: str, language: str, said: str
) -> None:
    receive(sms(text))
    roads = roads_from_settings(now=moment)

    deliver.deliver(as_of=TODAY, at=moment(), roads=roads)

    gone = OutboxMessage.objects.get()
    assert (gone.to, gone.language) == (NUMBER, language)
    assert said.lower() in gone.text.lower()
    assert "100.00" not in gone.text  # what is owed is no answer


# At once ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_same_message_at_once_is_dealt_with_once() -> None:
    account = owing(customer=make_customer(phone=NUMBER))

    def again(_number: int) -> int:
        try:
            return receive(sms("I paid", ref="mo-1")).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(again, range(8)))) == 1
    assert (Hold.objects.count(), len(answers())) == (1, 1)
    assert account.events.filter(kind=kinds.MESSAGE_RECEIVED).count() == 1


class StopsTheNext:
    """A gateway through which, while the first notice is on its way, the customer of the second asks us to stop."""

    knows_keys = True

    def __init__(self, *numbers: str) -> None:
        self.numbers, self.taken = numbers, list[str]()

    def hand_over(self, handed: Message, /) -> Outcome:
        self.taken.append(handed.key)
        for number in self.numbers:
            if number != handed.to and handed.key.startswith("u."):
                receive(sms("STOP", sender=number))
        return Outcome("delivered", handed.key)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.django_db(transaction=True)
def test_a_stop_between_queueing_and_sending_stops_the_sending() -> None:
    """Both notices were worded and looked at in one batch; the second customer's STOP is faster than its turn."""
    numbers = ("+447946000011", "+447946000012")
    for number in numbers:
        account = make_account(customer=make_customer(phone=number))
        bill = make_bill(account, due_on=TODAY + timedelta(days=9))
        settled(account)
        notice(
            account, key=f"u.{bill.ref}.sms", step_code="upcoming", template="upcoming", state="pending", address="",
            send_at=moment(), sent_at=None, bill_refs=[bill.ref],
        )  # fmt: skip
    gateway = StopsTheNext(*numbers)
    roads = Roads(messages={"sms": gateway}, network=gateway, careful=False)

    deliver.deliver(as_of=TODAY, at=moment(), roads=roads)

    stopped = InboundMessage.objects.get()
    assert len(gateway.taken) == 2
    assert gateway.taken[1] == f"answer.{stopped.pk}.sms"  # the one thing that may still be said
    states = Notice.objects.filter(step_code="upcoming").order_by("state").values_list("state", "reason")
    assert list(states) == [("delivered", ""), ("withdrawn", "the customer asked us to stop")]
