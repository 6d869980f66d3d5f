"""How late payment is treated, published for whoever asks."""

from __future__ import annotations

from datetime import date

import pytest
from django.conf import settings
from django.test import Client

from tests.journeys.ledger import POLICY
from tests.journeys.story import publish

pytestmark = pytest.mark.django_db


def test_the_policies_in_force_are_published_without_a_sign_in(client: Client) -> None:
    publish(POLICY, on=date(2026, 3, 1))
    page = client.get("/how-we-collect/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "How we treat late payment" in text
    assert "outgoing calls" in text
    assert settings.DESK_POLICY_URL.endswith("/how-we-collect/")


@pytest.mark.parametrize(("language", "direction"), [("de", "ltr"), ("ar", "rtl"), ("hi", "ltr")])
def test_it_is_introduced_in_the_readers_language(client: Client, language: str, direction: str) -> None:
    text = client.get(f"/how-we-collect/?lang={language}").content.decode()
    assert f'<html lang="{language}" dir="{direction}">' in text


def test_a_draft_is_nobodys_business(client: Client) -> None:
    assert (
        "<section" not in client.get("/how-we-collect/").content.decode().partition("<main")[2].partition("</main>")[0]
    )
