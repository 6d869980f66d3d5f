"""The box in a browser: by keyboard, light and dark, and for assistive technology."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.business_day import business_date
from accounts.models import Consent
from dunning import inbound
from dunning.gateways.base import Incoming
from dunning.models import InboundMessage
from tests.agents.test_network_browser import browser, desk, opened, shot, violations
from tests.factories import make_agent, make_customer, owing

__all__ = ["browser", "desk"]

#: What a morning brings, the last the newest.
MORNING = [
    ("Ben Okafor", "en", "hello? nobody answers your phone. and now?"),
    ("Carla Ruiz", "es", "Este mes no puedo pagar, perdí mi trabajo. ¿Puedo pagar a plazos?"),
    ("Dieter Lang", "de", "Der Betrag stimmt nicht, ich habe das nie bestellt"),
    ("Fatima Haddad", "ar", "لقد دفعت الفاتورة أمس، الرجاء الاتصال بي"),
    ("Asha Verma", "hi", "मुझे परेशान मत करो"),
    ("Anna Arendt", "en", "I paid yesterday, my husband passed away in March and I forgot"),
]


def morning() -> None:
    at = timezone.now()
    as_of = business_date(at=at)
    for number, (name, language, text) in enumerate(MORNING):
        phone = f"+4479460003{number:02}"
        owing("100.00", f"{number}4.50", as_of=as_of, customer=make_customer(name=name, phone=phone, language=language))
        receive(text, phone)
    receive("who are you people and why me", "+447946000399")


def receive(text: str, phone: str) -> InboundMessage:
    at = timezone.now()
    told = Incoming(
        gateway="sms", provider_ref=f"{phone} {text}"[:200], channel="sms", sender=phone, recipient="60777", text=text,
        received_at=at,
    )  # fmt: skip
    return inbound.receive(told, as_of=business_date(at=at), at=at)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_box_is_worked_by_keyboard_alone(browser: Any, desk: str, scheme: str) -> None:
    morning()
    receive("I can't go on, I want to die", "+447946000300")
    page = opened(
        browser, desk, make_agent("supervisor"), "/inbox/", color_scheme=scheme, viewport={"width": 1280, "height": 720}
    )
    rows = page.locator("[data-entry]")
    expect(rows).to_have_count(8)
    expect(rows.first).to_be_focused()
    expect(rows.first).to_contain_text("In a crisis?")
    shot(page, f"inbox-{scheme}")
    assert violations(page) == []

    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("k")
    expect(rows.nth(2)).to_be_focused()
    expect(rows.nth(2)).to_contain_text("Anna Arendt")
    page.keyboard.press("r")
    expect(rows.nth(2).locator("select")).to_be_focused()
    shot(page, f"inbox-read-again-{scheme}")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(rows.nth(2)).to_be_focused()
    page.keyboard.press("d")
    expect(page.locator(".toast")).to_contain_text("Done.")
    assert InboundMessage.objects.get(text__startswith="I paid yesterday").state == "done"

    expect(rows).to_have_count(7)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(rows.nth(2)).to_contain_text("Asha Verma")
    page.keyboard.press("o")
    expect(page.locator(".toast").first).to_contain_text("automatic contact")
    assert Consent.objects.filter(customer__name="Asha Verma", channel="sms", value="", given=False).exists()

    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Ben Okafor")


def test_nothing_waits(browser: Any, desk: str) -> None:
    page = opened(browser, desk, make_agent(), "/inbox/")
    expect(page.locator(".empty")).to_contain_text("Nothing waits for a person")
    assert violations(page) == []
