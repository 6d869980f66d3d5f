"""What the checks found in a browser: verdicts by keyboard, one's own notes on the day, light, dark, screen readers."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts import audit
from agents import calls, findings, rights
from agents.models import Agent, Finding
from tests.agents.test_views_browser import browser, desk, late_account, opened, violations
from tests.factories import make_agent

__all__ = ["browser", "desk"]

NOTES = (
    "Spoke with the customer about March. He is a liar, he promised that three times.",
    "Told her that she will be arrested if the amount is not here by Friday.",
    "Has diabetes and cannot work before June; wants instalments.",
    "Customer said our last agent was an idiot, and hung up.",
    "Informed his wife that he has a debt with us.",
    "Die Kundin ist eine Lügnerin, immer dieselbe Ausrede.",
)


def found(by: Agent) -> None:
    """Notes with words that do not belong there, judged as at the close of a day."""
    at = timezone.now()
    for number, text in enumerate(NOTES):
        account = late_account(f"Frida Fjord {number}")
        calls.add_note(account_id=account.pk, text=text, actor=rights.actor(by), as_of=at.date(), at=at)
    audit.seal(at=at)
    findings.check(as_of=at.date(), at=at)


def test_verdicts_are_given_with_one_key_each(browser: Any, desk: str) -> None:
    found(make_agent(first_name="Nadia", last_name="Nord"))
    page = opened(browser, desk, make_agent("supervisor"), "/supervise/quality/findings/")
    page.wait_for_load_state("load")
    rows = page.locator(".judging [data-entry]")
    expect(rows.first).to_be_focused()
    ids = [row.get_attribute("id") for row in rows.all()]

    page.keyboard.press("r")
    expect(page.locator(f"#{ids[0]} button[value=right]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(f"#{ids[1]}")).to_be_focused()
    page.keyboard.press("w")
    expect(page.locator(f"#{ids[1]} button[value=wrong]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(f"#{ids[2]}")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator(f"#{ids[1]}")).to_be_focused()
    page.keyboard.press("r")
    expect(page.locator(f"#{ids[1]} button[value=right]")).to_have_attribute("aria-pressed", "true")

    assert sorted(Finding.objects.exclude(verdict="").values_list("verdict", flat=True)) == ["right", "right"]
    page.locator(f"#{ids[2]}").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Frida Fjord")


def test_an_agent_looks_at_their_own_again(browser: Any, desk: str) -> None:
    nadia = make_agent()
    found(nadia)
    page = opened(browser, desk, nadia, "/day/")
    page.wait_for_load_state("load")
    card = page.locator("section", has=page.locator("#found-title"))
    expect(card).to_contain_text("of your notes to look at again")
    before = findings.own(nadia, at=timezone.now()).count
    card.get_by_role("button", name="Seen").first.click()
    expect(page.locator("#found-title")).to_contain_text(f"{before - 1} of your notes")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_sound_in_light_and_dark(browser: Any, desk: str, scheme: str) -> None:
    nadia = make_agent(first_name="Nadia", last_name="Nord")
    found(nadia)
    for person, address in ((make_agent("supervisor"), "/supervise/quality/findings/"), (nadia, "/day/")):
        page = opened(browser, desk, person, address, color_scheme=scheme)
        page.wait_for_load_state("load")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
