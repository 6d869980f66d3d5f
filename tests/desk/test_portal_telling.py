"""What customers say of us on their page: complaints behind the question, one answer behind the link."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.business_day import move_to
from accounts.models import Account
from agents import complaints, promises
from agents.models import Complaint, Survey, WorkItem
from collections_desk.portal.texts import LANGUAGES
from dunning.composing import pay_token
from tests.factories import TODAY, make_customer, moment, owing

pytestmark = pytest.mark.django_db

BORN = date(1971, 3, 27)
RIGHT = {"day": "27", "month": "3", "year": "1971"}
GIVEN = {"category": "conduct", "text": "Nobody let me finish a sentence."}


@pytest.fixture(autouse=True)
def today() -> None:
    move_to(TODAY)


@pytest.fixture
def account() -> Account:
    return owing("100.00", customer=make_customer(name="Ana Ruiz", language="en", birth_date=BORN))


def address(account: Account, tail: str = "") -> str:
    return f"/pay/{pay_token(account.ref)}/{tail}"


def opened(account: Account) -> Client:
    client = Client()
    assert client.post(address(account), RIGHT).status_code == 303
    return client


def text(response: Any) -> str:
    return str(response.content.decode())


def ticket(client: Client, account: Account) -> str:
    found = re.search(r'name="ticket" value="(\w+)"', text(client.get(address(account))))
    assert found
    return found[1]


def asked(account: Account, **columns: Any) -> Survey:
    return Survey.objects.create(account=account, **{"about": "call", "asked_at": timezone.now(), **columns})


# Complaints ---------------------------------------------------------------------------------------------------------


def test_a_customer_complains_from_their_page_and_sees_by_when_they_get_an_answer(account: Account) -> None:
    client = opened(account)

    answer = client.post(address(account, "complaint/"), {**GIVEN, "ticket": ticket(client, account)})

    assert answer["Location"].endswith("#complaint")
    complaint = Complaint.objects.get()
    assert (complaint.channel, complaint.taken_by) == ("page", f"customer:{account.customer.ref}")
    assert complaint.assigned_to is None
    page = text(client.get(address(account)))
    assert "We are looking into it and will answer you by April 21, 2026." in page
    assert "Send the complaint" not in page, "one at a time"


def test_an_answered_complaint_shows_its_answer(account: Account) -> None:
    client = opened(account)
    client.post(address(account, "complaint/"), {**GIVEN, "ticket": ticket(client, account)})
    complaints.close(
        complaint_id=Complaint.objects.get().pk, outcome="upheld", answer="We are sorry <b>indeed</b>.", cause="x",
        redress=Decimal(10), actor="agent:omar", as_of=TODAY, at=moment(),
    )  # fmt: skip

    page = text(client.get(address(account)))

    assert "We are sorry &lt;b&gt;indeed&lt;/b&gt;." in page
    assert "€10.00" in page
    assert "Send the complaint" in page


def test_nothing_is_taken_without_the_question_the_ticket_or_words(account: Account) -> None:
    Client().post(address(account, "complaint/"), GIVEN)
    client = opened(account)
    client.post(address(account, "complaint/"), GIVEN)
    client.post(address(account, "complaint/"), {**GIVEN, "ticket": "x"})
    right = ticket(client, account)
    empty = client.post(address(account, "complaint/"), {**GIVEN, "text": "  ", "ticket": right})
    odd = client.post(address(account, "complaint/"), {**GIVEN, "category": "weather", "ticket": right})

    assert (empty.status_code, odd.status_code) == (422, 422)
    assert "Please say what happened." in text(empty)
    assert not Complaint.objects.exists()


def test_card_numbers_are_masked_and_the_second_one_waits_for_the_first(account: Account) -> None:
    client = opened(account)
    right = ticket(client, account)

    client.post(address(account, "complaint/"), {**GIVEN, "text": "My card 4111 1111 1111 1111", "ticket": right})
    client.post(address(account, "complaint/"), {**GIVEN, "category": "other", "ticket": right})

    assert "4111 1111" not in Complaint.objects.get().text


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_speak_every_language(account: Account, language: str) -> None:
    asked(account)
    client = opened(account)
    client.post(address(account, "complaint/"), {**GIVEN, "ticket": ticket(client, account)})

    assert client.get(address(account) + f"?lang={language}").status_code == 200
    page = text(client.get(address(account, f"feedback/?lang={language}")))
    assert f'lang="{language}"' in page
    assert "$" not in page


# The question -------------------------------------------------------------------------------------------------------


def test_the_question_needs_the_link_alone_and_shows_nothing_of_the_account(account: Account) -> None:
    asked(account)

    page = text(Client().get(address(account, "feedback/")))

    assert "How did we do?" in page
    for secret in ("Ana", "Ruiz", account.customer.ref, "100.00", "1971"):
        assert secret not in page.replace(account.ref, "")
    assert Client().get("/pay/x/feedback/").status_code == 404


def test_an_answer_is_kept_once(account: Account) -> None:
    survey, client = asked(account), Client()
    given = {"score": "2", "reasons": ["clear", "x"], "comment": "Card 4111 1111 1111 1111", "call_me": "on"}

    first = client.post(address(account, "feedback/"), given)
    client.post(address(account, "feedback/"), {"score": "5"})

    assert first.status_code == 303
    survey.refresh_from_db()
    assert (survey.score, survey.reasons) == (2, ["clear"])
    assert "4111 1111" not in survey.comment
    assert WorkItem.objects.get(account=account).reason == "Not satisfied, and asks for a call"
    assert "Thank you" in text(client.get(address(account, "feedback/")))


@pytest.mark.parametrize("score", ["", "0", "6", "x", "²"])
def test_what_is_no_score_is_asked_again_with_what_was_typed(account: Account, score: str) -> None:
    survey = asked(account)

    answer = Client().post(address(account, "feedback/"), {"score": score, "comment": "Kept"})

    assert answer.status_code == 422
    assert "Please choose an answer from 1 to 5." in text(answer)
    assert "Kept" in text(answer)
    survey.refresh_from_db()
    assert survey.answered_at is None


def test_whoever_was_not_asked_cannot_answer(account: Account) -> None:
    asked(owing("5.00"))

    answer = Client().post(address(account, "feedback/"), {"score": "5"})

    assert "There is no question to you at the moment." in text(answer)
    assert not Survey.objects.filter(answered_at__isnull=False).exists()


def test_the_page_leads_to_the_question_after_an_agreement(account: Account) -> None:
    assert "feedback/" not in text(opened(account).get(address(account)))
    assert not Survey.objects.exists()
    promises.make(
        account_id=account.pk, amount=Decimal("40.00"), due_on=TODAY + timedelta(days=5), actor="agent:x",
        as_of=TODAY, at=moment(),
    )  # fmt: skip

    page = text(opened(account).get(address(account)))

    assert Survey.objects.get().about == "plan"
    assert address(account, "feedback/") in page
    assert "how you pay" in text(Client().get(address(account, "feedback/")))
