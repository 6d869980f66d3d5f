"""The inbox of approvals in a browser: worked by keyboard, light and dark, and for assistive technology."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from agents import delegations
from agents.models import Agent, Asked, Delegation, Plan, Settlement
from tests.agents.test_approvals import (
    big_settlement,
    late,
    long_plan,
    long_time,
    looser,
    today,
    waiver,
    without_a_pack,
    write_off,
)
from tests.agents.test_network_browser import browser, desk, opened, shot, violations
from tests.factories import make_agent, make_customer

__all__ = ["browser", "desk"]

SCREEN = {"width": 1280, "height": 720}
LONG = "A company of a very long name, Sons & Daughters, Limited & Co. KGaA " * 2


def ready(page: Any) -> None:
    """Until the page listens to keys."""
    page.wait_for_load_state("load")
    page.wait_for_function("document.readyState === 'complete' && typeof desk === 'object'")


def morning() -> tuple[Agent, Settlement, Plan, Asked]:
    """Something of each kind; the settlement ends first, then the plan."""
    nadia = make_agent(username="nadia")
    settlement = big_settlement(late(customer=make_customer(name="Frida Fresh")), by=nadia, note="Lost her job")
    plan = long_plan(late("1600.00", customer=make_customer(name=LONG)), by=nadia)
    Settlement.objects.update(made_on=today() - timedelta(days=7))
    Plan.objects.update(made_on=today() - timedelta(days=6))
    long_time(late(customer=make_customer(name="Tim Later")), by=nadia)
    asked = waiver(late(customer=make_customer(name="Gus Fee")), by=nadia)
    write_off(late(customer=make_customer(name="Olga Old")))
    looser()
    without_a_pack()
    return nadia, settlement, plan, asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_inbox_is_worked_by_keyboard(browser: Any, desk: str, scheme: str) -> None:
    _, settlement, plan, _ = morning()
    ruth = make_agent("supervisor", username="ruth", first_name="Ruth")
    page = opened(browser, desk, ruth, "/supervise/approvals/", color_scheme=scheme, viewport=SCREEN)
    ready(page)
    rows = page.locator("tr[data-entry]")
    expect(rows).to_have_count(7)
    expect(rows.first).to_be_focused()
    expect(rows.first).to_contain_text("Frida Fresh")
    shot(page, f"approvals-{scheme}")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == SCREEN["width"]

    page.keyboard.press("a")  # what was not looked at is opened, not approved
    expect(page.locator("#facts")).to_contain_text("Lost her job")
    expect(page.locator("#facts")).to_contain_text("The rules say")
    expect(rows.first).to_be_focused()
    expect(rows.first).to_have_attribute("aria-current", "true")
    settlement.refresh_from_db()
    assert settlement.status == "pending_approval"
    shot(page, f"approvals-facts-{scheme}")
    assert violations(page) == []
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#facts")).to_contain_text("8 from")
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.locator("#facts")).to_contain_text("Lost her job")
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text("You agreed to the settlement")
    ready(page)
    expect(rows).to_have_count(6)
    settlement.refresh_from_db()
    assert settlement.status == "open"

    expect(rows.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#facts")).to_contain_text("8 from")
    page.keyboard.press("x")
    expect(page.locator("#why")).to_be_focused()
    expect(page.locator("#why-wanted")).to_be_visible()
    page.keyboard.press("Enter")  # without a reason nothing happens
    page.keyboard.type("Too long for what they earn")
    shot(page, f"approvals-decline-{scheme}")
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Plan declined")
    ready(page)
    expect(rows).to_have_count(5)
    plan.refresh_from_db()
    assert plan.status == "cancelled"
    assert plan.account.events.get(kind="agents.plan.declined").reason == "Too long for what they earn"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_somebody_stands_in_and_decides_for_them(browser: Any, desk: str, scheme: str) -> None:
    _, _, _, asked = morning()
    ruth = make_agent("supervisor", username="ruth", first_name="Ruth")
    omar = make_agent("finance", username="omar", first_name="Omar")
    page = opened(browser, desk, ruth, "/supervise/delegations/", color_scheme=scheme, viewport=SCREEN)
    ready(page)
    shot(page, f"delegations-empty-{scheme}")
    page.get_by_label("Who decides").select_option("omar")
    page.get_by_label("Why").fill("On leave")
    page.get_by_role("button", name="Let them decide").press("Enter")
    expect(page.locator(".toast")).to_contain_text("Omar decides for Ruth.")
    ready(page)
    shot(page, f"delegations-{scheme}")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == SCREEN["width"]

    theirs = opened(browser, desk, omar, "/supervise/approvals/?kind=fee_waiver", color_scheme=scheme, viewport=SCREEN)
    ready(theirs)
    expect(theirs.locator(".title")).to_contain_text("in the place of Ruth")
    theirs.keyboard.press("Enter")
    expect(theirs.locator("#in-place-of")).to_contain_text("Omar for Ruth")
    theirs.locator("#in-place-of").select_option("ruth")
    shot(theirs, f"approvals-for-{scheme}")
    assert violations(theirs) == []
    theirs.locator("tr[data-entry]").first.focus()
    theirs.keyboard.press("a")
    expect(theirs.locator(".toast")).to_contain_text("Decided for Ruth.")
    asked.refresh_from_db()
    assert (asked.decided_by, asked.decided_for) == ("agent:omar", "agent:ruth")

    page.get_by_role("button", name="End now").press("Enter")
    expect(page.locator(".toast")).to_contain_text("Omar does not decide for Ruth any more.")
    assert Delegation.objects.get().ended_at is not None
    assert delegations.acting_for(omar, timezone.now().date()) == set()


def test_it_works_without_a_script(browser: Any, desk: str) -> None:
    _, settlement, _, _ = morning()
    ruth = make_agent("supervisor", username="ruth")
    page = opened(browser, desk, ruth, "/supervise/approvals/", java_script_enabled=False, viewport=SCREEN)

    page.get_by_role("link", name="Frida Fresh").click()
    page.get_by_role("button", name="Approve").click()

    expect(page.locator(".toast")).to_contain_text("You agreed to the settlement")
    settlement.refresh_from_db()
    assert settlement.status == "open"


@pytest.mark.parametrize("width", [390, 1920])
def test_a_narrow_and_a_wide_screen_show_all_of_it(browser: Any, desk: str, width: int) -> None:
    morning()
    ruth = make_agent("supervisor", username="ruth")
    page = opened(browser, desk, ruth, "/supervise/approvals/", viewport={"width": width, "height": 800})
    ready(page)
    page.locator("[data-facts]").first.click()
    expect(page.locator("#decide")).to_be_visible()
    shot(page, f"approvals-{width}")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
