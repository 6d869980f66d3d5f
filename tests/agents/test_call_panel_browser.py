"""Why somebody may not be called: the panel on the account's page, and going on all the same, by keyboard."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Account
from agents.models import Interaction
from tests.agents.test_views_browser import browser, desk, opened, violations
from tests.factories import make_agent, make_customer, make_item, owing

__all__ = ["browser", "desk"]

#: A supervisor may go on after a conversation; of the hour only the legal department decides.
TALK = "There was a conversation"


def _where_it_is_noon() -> str:
    """A zone in which it is about midday at this moment: the hour of the test is no part of it."""
    offset = (12 - timezone.now().hour + 12) % 24 - 12
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"


@pytest.fixture
def quiet(committed: None) -> Account:
    """Somebody in New York who called us yesterday."""
    customer = make_customer(
        name="Quiet Quentin", country="US", region="NY", timezone=_where_it_is_noon(), phone="+15185550123"
    )
    account = owing("100.00", as_of=timezone.now().date(), customer=customer)
    make_item(account)
    Interaction.objects.create(
        ref="talk", account=account, direction="inbound", disposition="rpc_refused", right_party=True,
        at=timezone.now() - timedelta(days=1),
    )  # fmt: skip
    return account


def panel(page: Page) -> Any:
    return page.locator("section[aria-labelledby=gate-title]")


def test_the_panel_says_why_until_when_by_which_rule_and_who_may_go_on(browser: Any, desk: str, quiet: Account) -> None:
    page = opened(browser, desk, make_agent(), f"/accounts/{quiet.ref}/")

    expect(panel(page).locator("h2")).to_have_text(re.compile("^Why can.t I call"))
    expect(panel(page)).to_contain_text(TALK)
    expect(panel(page)).to_contain_text("US-FREQ-02")
    expect(panel(page)).to_contain_text("A supervisor may go on, with a reason that is kept.")
    expect(panel(page)).to_contain_text("US-FED")
    expect(panel(page).locator("[data-countdown]")).to_have_text("5 d")
    page.keyboard.press("c")
    expect(page.locator("[name=override_code]")).to_have_count(0)
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panel_reads_in_light_and_dark(browser: Any, desk: str, quiet: Account, scheme: Any) -> None:
    page = opened(browser, desk, make_agent(role="supervisor"), f"/accounts/{quiet.ref}/", color_scheme=scheme)

    page.keyboard.press("c")
    expect(page.locator("[name=override_reason]")).to_be_visible()
    assert violations(page) == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 1280, "nothing sticks out"


def test_a_supervisor_goes_on_with_the_keyboard_alone(browser: Any, desk: str, quiet: Account) -> None:
    page = opened(browser, desk, make_agent(role="supervisor"), f"/accounts/{quiet.ref}/")

    page.keyboard.press("c")
    expect(page.locator("#work-form")).to_be_visible()
    page.keyboard.press("1")
    expect(page.locator("[name=disposition]:checked")).to_have_count(1)
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "override_code":
            break
    page.keyboard.press("ArrowDown")
    chosen = page.locator("[name=override_code]:checked").input_value()
    assert chosen
    page.keyboard.press("Tab")
    expect(page.locator("[name=override_reason]")).to_be_focused()
    page.keyboard.type("Asked by e-mail to be rung today")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#work-form")).to_have_count(0)

    assert Interaction.objects.get(disposition="no_answer").override_code == chosen


def test_the_countdown_of_the_next_hours_runs(browser: Any, desk: str, committed: None) -> None:
    now = timezone.now()
    elsewhere = "Etc/GMT-12" if 8 <= now.hour < 20 else "Etc/GMT"
    customer = make_customer(name="Nadine Night", country="BR", timezone=elsewhere, phone="+5511987654321")
    account = owing("100.00", as_of=now.date(), customer=customer)
    make_item(account)
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")

    clock = panel(page).locator("[data-countdown]")
    expect(clock).to_have_text(re.compile(r"^\d+:\d\d:\d\d$"))
    first = clock.inner_text()
    expect(clock).not_to_have_text(first)
