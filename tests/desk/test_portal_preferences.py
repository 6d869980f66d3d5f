from __future__ import annotations

import re
from datetime import date, time
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import wishes
from accounts.business_day import move_to
from accounts.models import Account, Consent, ContactPreference
from collections_desk.portal.texts import LANGUAGES
from dunning.composing import pay_token
from tests.factories import TODAY, kinds_of, make_customer, owing

pytestmark = pytest.mark.django_db

BORN = date(1971, 3, 27)
RIGHT = {"day": "27", "month": "3", "year": "1971"}
ALL = list(Consent.Channel.values)


@pytest.fixture(autouse=True)
def today() -> None:
    move_to(TODAY)


@pytest.fixture
def account() -> Account:
    return owing("100.00", customer=make_customer(name="Ana Ruiz", language="es-MX", birth_date=BORN))


def address(account: Account, tail: str = "contact/") -> str:
    return f"/pay/{pay_token(account.ref)}/{tail}"


def opened(account: Account) -> Client:
    client = Client()
    assert client.post(address(account, ""), RIGHT).status_code == 303
    return client


def ticket(client: Client, account: Account) -> str:
    found = re.search(r'name="ticket" value="(\w+)"', client.get(address(account)).content.decode())
    assert found
    return found[1]


def save(account: Account, client: Client | None = None, **chosen: Any) -> Any:
    client = client or opened(account)
    form = {"ticket": ticket(client, account), "channels": ALL, "language": "es", **chosen}
    return client.post(address(account), form)


def refused(account: Account) -> set[str]:
    in_force = wishes.consents_in_force(customer_id=account.customer_id, at=timezone.now())
    return {row.channel for row in in_force if not row.given}


def test_it_is_behind_the_question_that_the_page_asks_anyway(account: Account) -> None:
    response = Client().get(address(account))
    assert (response.status_code, response["Location"]) == (303, address(account, ""))
    assert Client().post(address(account), {"stop": "all"}).status_code == 303
    assert not Consent.objects.exists()
    assert Client().get("/pay/x/contact/").status_code == 404


def test_a_form_from_elsewhere_changes_nothing(account: Account) -> None:
    opened(account).post(address(account), {"stop": "all", "ticket": "0" * 32})
    assert not Consent.objects.exists()


def test_the_page_of_the_account_leads_there(account: Account) -> None:
    assert f'href="{address(account)}"' in opened(account).get(address(account, "")).content.decode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_speaks_every_language_of_the_page(account: Account, language: str) -> None:
    response = opened(account).get(address(account) + f"?lang={language}")
    page = response.content.decode()
    assert f'<html lang="{language}"' in page
    assert "$" not in page
    assert "<script" not in page
    assert "no-store" in response["Cache-Control"]


def test_an_unticked_channel_is_stopped_at_once_and_ticked_again_it_starts(account: Account) -> None:
    assert save(account, channels=["letter", "email"]).status_code == 303
    assert refused(account) == {"call", "sms", "in_app"}
    assert {row.recorded_by for row in Consent.objects.all()} == {f"customer:{account.customer.ref}"}

    save(account, channels=["letter", "email", "sms"])
    assert refused(account) == {"call", "in_app"}


def test_saving_what_is_as_before_writes_nothing(account: Account) -> None:
    client = opened(account)
    events = account.events.count()
    save(account, client)
    assert (account.events.count(), Consent.objects.count(), ContactPreference.objects.count()) == (events, 0, 0)
    account.customer.refresh_from_db()
    assert account.customer.language == "es-MX"


def test_everything_is_stopped_with_one_button_and_the_page_says_so(account: Account) -> None:
    client = opened(account)
    response = client.post(address(account), {"ticket": ticket(client, account), "stop": "all"}, follow=True)
    assert refused(account) == set(ALL)
    assert response.content.decode().count(" checked") == 0
    assert 'role="status"' in response.content.decode()
    assert kinds_of(account, "accounts.consent") == ["accounts.consent.withdrawn"] * 5


def test_they_choose_what_they_like_best_and_think_again(account: Account) -> None:
    save(account, preferred="letter")
    save(account, preferred="sms")
    standing = ContactPreference.objects.filter(wishes.covering(timezone.now()))
    assert [row.channel for row in standing] == ["sms"]
    save(account, preferred="")
    assert not ContactPreference.objects.filter(wishes.covering(timezone.now())).exists()


def test_times_are_noted_shown_and_removed(account: Account) -> None:
    client = opened(account)
    save(account, client, opens="22:00", closes="07:30", weekdays=["1", "7"])
    row = ContactPreference.objects.get()
    assert (row.opens, row.closes, row.weekdays, row.wanted) == (time(22), time(7, 30), [1, 7], False)
    assert "22:00 a 07:30" in client.get(address(account)).content.decode()

    client.post(address(account), {"ticket": ticket(client, account), "remove": str(row.pk)})
    assert "22:00" not in client.get(address(account)).content.decode()


@pytest.mark.parametrize(
    "wrong", [{"opens": "22:00"}, {"opens": "9:0x", "closes": "10:00"}, {"opens": "09:00", "closes": "09:00"}]
)
def test_half_a_time_is_asked_again_and_nothing_is_saved(account: Account, wrong: dict[str, Any]) -> None:
    response = save(account, channels=[], **wrong)
    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()
    assert not Consent.objects.exists()


def test_nobody_removes_what_somebody_else_said(account: Account) -> None:
    other = owing("10.00")
    row = wishes.note_preference(
        customer_id=other.customer_id, kind="time", weekdays=[1], actor="agent:x", as_of=TODAY, at=timezone.now()
    )
    client = opened(account)
    for key in (str(row.pk), "x", "9" * 40):
        client.post(address(account), {"ticket": ticket(client, account), "remove": key})
    row.refresh_from_db()
    assert row.ends_at is None


def test_they_choose_the_language_of_what_we_write(account: Account) -> None:
    save(account, language="de")
    account.customer.refresh_from_db()
    assert account.customer.language == "de"
    assert kinds_of(account, "accounts.language") == ["accounts.language.stated"]


def test_a_language_that_the_page_does_not_speak_is_kept_unless_they_choose_another() -> None:
    account = owing(customer=make_customer(language="pt-BR", birth_date=BORN))
    client = opened(account)
    assert "Portuguese (Brazil)" in client.get(address(account) + "?lang=en").content.decode()
    save(account, client, language="")
    account.customer.refresh_from_db()
    assert account.customer.language == "pt-BR"
