from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from agents.models import Agent
from tests.factories import make_agent

pytestmark = pytest.mark.django_db


def with_password(role: str, word: str = "harbour-ladder-42") -> Agent:
    person = make_agent(role)
    person.set_password(word)
    person.save(update_fields=["password"])
    return person


@pytest.mark.parametrize(("role", "desk"), [("agent", "/queue/"), ("supervisor", "/supervise/"), ("admin", "/admin/")])
def test_everybody_lands_on_their_own_desk(role: str, desk: str) -> None:
    client = Client()
    client.force_login(make_agent(role))

    assert client.get("/")["Location"] == desk


def test_signing_in_leads_to_the_desk() -> None:
    nadia = with_password("agent")

    answer = Client().post("/login/", {"username": nadia.username, "password": "harbour-ladder-42"})

    assert answer.status_code == 302
    assert answer["Location"] == "/"


def test_a_wrong_password_is_said_in_words_beside_the_form() -> None:
    nadia = with_password("agent")

    page = Client().post("/login/", {"username": nadia.username, "password": "wrong"}).content.decode()

    assert "Please enter a correct username and password" in page


def test_only_a_demo_shows_its_password(settings: Any) -> None:
    settings.DESK_DEMO, settings.DESK_DEMO_PASSWORD = False, "harbour-ladder-42"
    assert "harbour-ladder-42" not in Client().get("/login/").content.decode()

    settings.DESK_DEMO = True
    page = Client().get("/login/").content.decode()
    assert "harbour-ladder-42" in page
    assert "supervisor" in page


def test_the_theme_is_kept_with_the_person_and_used_by_every_page() -> None:
    nadia = make_agent()
    client = Client()
    client.force_login(nadia)

    client.post("/theme/", {"theme": "dark", "back": "/queue/"})

    assert Agent.objects.get(pk=nadia.pk).theme == "dark"
    assert 'data-theme="dark"' in client.get("/queue/").content.decode()


def test_the_theme_form_leads_nowhere_else() -> None:
    client = Client()
    client.force_login(make_agent())

    answer = client.post("/theme/", {"theme": "neon", "back": "https://elsewhere.example/"})

    assert answer["Location"] == "/"


def test_pages_carry_nothing_inline_for_the_strict_policy_to_refuse() -> None:
    client = Client()
    client.force_login(make_agent())

    answer = client.get("/queue/")
    page = answer.content.decode()

    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe-inline" not in answer["Content-Security-Policy"]
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert page.count("<script") == page.count("<script src=")
