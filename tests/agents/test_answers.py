"""Replies as agents work them: tasks, callbacks, the box and its wall."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Account, Consent, Hold
from agents import answers
from agents.models import Agent, Interaction, WorkItem
from agents.views import inbound as inbound_page
from collections_desk import journey
from dunning import inbound
from dunning.gateways.base import Incoming
from dunning.models import InboundMessage
from tests.factories import TODAY, make_agent, make_customer, make_item, make_team, moment, owing

pytestmark = pytest.mark.django_db


def customer_of(number: str, **columns: Any) -> Account:
    return owing(customer=make_customer(phone=number, **columns))


def receive(text: str, *, sender: str = "+447946000002", ref: str = "") -> InboundMessage:
    message = inbound.receive(
        Incoming(
            gateway="sms", provider_ref=ref or f"{sender} {text}", channel="sms", sender=sender, recipient="",
            text=text, received_at=moment(),
        ),
        as_of=TODAY,
        at=moment(),
    )  # fmt: skip
    journey.react_to_all(as_of=TODAY, at=moment())
    return message


@pytest.fixture
def account() -> Account:
    return customer_of("+447946000002", name="Anna Arendt")


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I paid", "Says it is paid: check (SMS)"), ("wrong bill", "Contests a bill: ask which and why (SMS)"),
        ("i have no money", "Cannot pay: speak about a plan (SMS)"),
        ("leave me alone", "Seems to ask us to stop: decide within a working day (SMS)"),
        ("wrong number", "Says they are not the customer: verify the address (SMS)"),
        ("and now?", "Wrote to us: read it (SMS)"),
    ],
)  # fmt: skip
def test_what_a_person_must_see_is_a_task(account: Account, text: str, reason: str) -> None:
    receive(text)
    item = WorkItem.objects.get()
    assert (item.account, item.kind, item.reason) == (account, "task", reason)


def test_a_wish_for_a_call_is_a_callback_from_the_moment_it_came(account: Account) -> None:
    message = receive("call me please")
    receive("call me please")  # the same again

    contact = Interaction.objects.get()
    assert (contact.kind, contact.direction, contact.callback_at) == ("sms", "inbound", message.received_at)
    assert WorkItem.objects.get().score_parts[0]["name"] == "callback"


def test_a_crisis_is_above_everything_also_where_the_account_had_its_place(account: Account) -> None:
    others = [customer_of(f"+44794600010{number}") for number in range(3)]
    for other in others:
        make_item(other, score=500)
    own = make_item(account)

    message = receive("I want to die, I can't pay")

    own.refresh_from_db()
    assert own.score_parts[0]["name"] == "crisis"
    assert own.score == max(WorkItem.objects.values_list("score", flat=True))
    task = WorkItem.objects.get(account=account, kind="task")
    assert task.reason == "Words of a crisis (SMS)"

    answers.finish(message_id=message.pk, agent=make_agent(), as_of=TODAY, at=moment(hour=13))
    own.refresh_from_db()
    assert "crisis" not in {part["name"] for part in own.score_parts}


def test_the_box_shows_a_crisis_first_then_the_newest(account: Account) -> None:
    urgent = receive("no reason to live")
    older, newer = receive("hmm"), receive("and now?")
    receive("HELP")
    assert list(answers.waiting(make_agent("supervisor"))) == [urgent, newer, older]


def test_a_message_is_on_its_accounts_side_of_the_wall(account: Account) -> None:
    mine, theirs = make_team(), make_team()
    receive("and now?")
    WorkItem.objects.update(team=theirs)
    receive("who knows", sender="+447946000099")  # nobody we know
    agent = make_agent(team=mine)

    assert list(answers.waiting(agent)) == []
    assert answers.waiting(make_agent(team=theirs)).count() == 1
    assert answers.waiting(make_agent("supervisor")).count() == 2
    message = InboundMessage.objects.get(account=account)
    client = signed_in(agent)
    for act in ("inbox_done", "inbox_read_again", "inbox_opt_out"):
        assert client.post(reverse(act, args=[message.pk]), {"intent": "paid"}).status_code == 404
    message.refresh_from_db()
    assert (message.state, message.intent) == ("waiting", "unclear")


def test_nobody_without_a_role_sees_the_box(account: Account) -> None:
    message = receive("and now?")
    person = make_agent()
    person.groups.clear()
    assert signed_in(person).get("/inbox/").status_code == 403
    assert signed_in(person).post(reverse("inbox_done", args=[message.pk])).status_code == 403
    assert Client().get("/inbox/").status_code == 302
    assert signed_in(make_agent()).get(reverse("inbox_done", args=[message.pk])).status_code == 405


def test_the_page_says_what_was_written_and_what_was_done(account: Account) -> None:
    receive("I paid, my husband passed away")
    page = signed_in(make_agent()).get("/inbox/").content.decode()
    for words in (
        "my husband passed away",
        "Says it is paid",
        "Bereavement?",
        "Treatment waits",
        "Anna Arendt",
        "100.00",
    ):
        assert words in page


def test_what_a_customer_wrote_is_text_and_no_page(account: Account) -> None:
    receive("<script>alert(1)</script> and now?")
    page = signed_in(make_agent()).get("/inbox/").content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_done_read_again_and_opt_out_by_the_buttons(account: Account) -> None:
    client, first = signed_in(make_agent(username="ada")), receive("and now?")
    client.post(reverse("inbox_read_again", args=[first.pk]), {"intent": "dispute"})
    first.refresh_from_db()
    assert (first.intent, first.state, Hold.objects.get().reason) == ("dispute", "waiting", "manual")

    client.post(reverse("inbox_done", args=[first.pk]))
    first.refresh_from_db()
    assert (first.state, first.done_by) == ("done", "agent:ada")

    second = receive("enough of it")
    client.post(reverse("inbox_opt_out", args=[second.pk]))
    second.refresh_from_db()
    assert (second.intent, second.state) == ("opt_out", "done")
    assert Consent.objects.filter(channel="sms", value="", given=False).exists()


def test_a_supervisor_says_whose_message_it_is(account: Account) -> None:
    message, client = receive("and now?", sender="+447946000099"), signed_in(make_agent("supervisor"))
    lost = client.post(reverse("inbox_place", args=[message.pk]), {"ref": "nowhere"}, follow=True)
    assert "There is no account nowhere." in lost.content.decode()

    client.post(reverse("inbox_place", args=[message.pk]), {"ref": account.ref})

    message.refresh_from_db()
    assert (message.account, message.customer, message.state) == (account, account.customer, "waiting")
    assert account.events.filter(kind="dunning.message.placed").count() == 1
    again = client.post(reverse("inbox_place", args=[message.pk]), {"ref": account.ref}, follow=True)
    assert "has its account already" in again.content.decode()
    assert (
        signed_in(make_agent()).post(reverse("inbox_place", args=[receive("x", sender="+447946000088").pk])).status_code
        == 404
    )


def test_a_person_stops_a_number_in_two_hands_for_both(account: Account) -> None:
    other = customer_of("+447946000002")
    message = receive("leave me alone")
    answers.opt_out(message_id=message.pk, agent=make_agent("supervisor"), as_of=TODAY, at=moment(hour=13))
    refused = Consent.objects.filter(given=False, channel="sms", value="").values_list("customer_id", flat=True)
    assert sorted(refused) == sorted([account.customer_id, other.customer_id])


def test_what_the_customer_wrote_is_on_the_accounts_panel(account: Account) -> None:
    receive("and now?")
    receive("HELP")
    shown = inbound_page.shown(list(inbound_page.lately(account)))
    panel = render_to_string("agents/_inbound.html", {"account": account, "at": moment(), **shown})
    assert "and now?" in panel
    assert "1 waiting" in panel
    assert panel.count("<article") == 2


def test_a_wrong_word_or_a_finished_message_is_said_and_changes_nothing(account: Account) -> None:
    client, message = signed_in(make_agent()), receive("and now?")
    said = client.post(reverse("inbox_read_again", args=[message.pk]), {"intent": "bounce"}, follow=True)
    assert "Say what the message asks for." in said.content.decode()
    client.post(reverse("inbox_done", args=[message.pk]))
    again = client.post(reverse("inbox_done", args=[message.pk]), follow=True).content.decode()
    assert "finished with this message already" in again


def test_the_box_takes_as_many_queries_for_many_as_for_one(account: Account) -> None:
    client = signed_in(make_agent())
    receive("and now?")
    client.get("/inbox/")
    with CaptureQueriesContext(connection) as one:
        client.get("/inbox/")
    for number in range(20):
        customer_of(f"+4479460002{number:02}")
        receive("and now?", sender=f"+4479460002{number:02}")
    with CaptureQueriesContext(connection) as many:
        assert client.get("/inbox/").content.decode().count("data-entry") == 21
    assert len(many) == len(one)
