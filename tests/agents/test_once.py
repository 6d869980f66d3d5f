"""A form that is sent twice is done once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Account, Hold
from agents.models import Agent, ApiAnswer, Interaction, Note, WorkItem
from tests.factories import make_agent, make_item, owing


def late_account() -> Account:
    return owing("100.00", as_of=timezone.now().date())


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.mark.django_db
def test_every_form_that_is_shown_has_a_token_of_its_own() -> None:
    account, client = late_account(), signed_in(make_agent())
    tokens = {
        client.get(f"/accounts/{account.ref}/note/", headers={"HX-Request": "true"}).context["form"]["once"].value()
        for _ in range(2)
    }

    assert len(tokens) == 2
    assert all(tokens)


@pytest.mark.django_db
def test_a_note_sent_twice_is_noted_once() -> None:
    account, client = late_account(), signed_in(make_agent())
    given = {"text": "Was on a ferry", "once": "t1"}

    answers = [client.post(f"/accounts/{account.ref}/note/", given) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert Note.objects.count() == 1


@pytest.mark.django_db
def test_the_same_token_with_other_words_is_said_so_and_both_are_kept() -> None:
    account, client = late_account(), signed_in(make_agent())
    client.post(f"/accounts/{account.ref}/note/", {"text": "First", "once": "t1"})

    answer = client.post(
        f"/accounts/{account.ref}/note/", {"text": "Second", "once": "t1"}, headers={"HX-Request": "true"}
    )

    assert answer.status_code == 409
    assert "saved already, with other words" in answer.content.decode()
    fresh = answer.context["form"]["once"].value()
    assert fresh != "t1"
    client.post(f"/accounts/{account.ref}/note/", {"text": "Second", "once": fresh})
    assert set(Note.objects.values_list("text", flat=True)) == {"First", "Second"}


@pytest.mark.django_db
def test_what_was_refused_may_be_sent_again() -> None:
    account, client = late_account(), signed_in(make_agent())
    today = timezone.now().date()
    given: dict[str, Any] = {"reason": "payment_in_flight", "starts_on": today, "once": "t1"}

    refused = client.post(f"/accounts/{account.ref}/hold/", {**given, "ends_on": today + timedelta(days=30)})
    assert refused.status_code == 422
    assert not ApiAnswer.objects.exists()
    client.post(f"/accounts/{account.ref}/hold/", {**given, "ends_on": today + timedelta(days=5)})

    assert Hold.objects.count() == 1


@pytest.mark.django_db
def test_another_agent_with_the_same_token_is_another_form() -> None:
    account = late_account()
    for person in (make_agent(), make_agent()):
        signed_in(person).post(f"/accounts/{account.ref}/note/", {"text": "Seen", "once": "t1"})

    assert Note.objects.count() == 2


def test_save_and_next_pressed_twice_at_once_logs_one_call_and_takes_one_account(committed: None) -> None:
    nadia = make_agent()
    accounts = [late_account() for _ in range(3)]
    items = [make_item(account, score=90 - place) for place, account in enumerate(accounts)]
    first = signed_in(nadia)
    first.get(f"/accounts/{accounts[0].ref}/")
    given = {
        "item": items[0].pk,
        "once": "t1",
        "direction": "inbound",
        "number": "+442079460000",
        "disposition": "no_answer",
        "then": "next",
    }

    def press(_: int) -> str:
        try:
            return signed_in(nadia).post(f"/accounts/{accounts[0].ref}/call/", given)["Location"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        addresses = list(pool.map(press, range(4)))

    assert Interaction.objects.count() == 1
    assert set(addresses) == {f"/accounts/{accounts[1].ref}/"}
    assert WorkItem.objects.filter(claimed_by=nadia, done_at=None).count() == 1
