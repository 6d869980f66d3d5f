"""The complaint desk in a browser: worked by keyboard, light and dark, and for assistive technology."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.business_day import business_date
from accounts.models import Account
from agents import complaints
from agents.models import Agent, Complaint, Stretch, Survey
from dunning.composing import pay_token
from tests.agents.test_network_browser import browser, desk, opened, shot, violations
from tests.factories import make_agent, make_customer, make_item, owing

__all__ = ["browser", "desk"]

SCREEN = {"width": 1280, "height": 720}


def ready(page: Any) -> None:
    """Until the page listens to keys."""
    page.wait_for_load_state("load")
    page.wait_for_function("document.readyState === 'complete' && typeof desk === 'object'")


def account_of(name: str, **columns: Any) -> Account:
    customer = make_customer(name=name, email="frida@example.com", language="en", **columns)
    return owing("100.00", as_of=timezone.now().date(), customer=customer)


def taken(name: str, *, on: int = 0, **more: Any) -> Complaint:
    """A complaint that came so many days ago."""
    at = timezone.now() - timedelta(days=on)
    given = {"channel": "call", "category": "contact", "text": "You call me all day, at work too.\nStop it."}
    of = more.pop("of", None) or account_of(name)
    return complaints.take(account_id=of.pk, actor="agent:nadia", as_of=at.date(), at=at, **(given | more))


def morning(lead: Agent) -> list[Complaint]:
    """A list with something of everything."""
    account = account_of("Late Larissa")
    taken("", on=200, of=account)
    made = [
        taken("", on=50, of=account),
        taken("Soon Sanna", on=39, category="agreement", about=make_agent(first_name="Pia", last_name="Lindqvist")),
        taken("Frida Fresh", category="conduct", channel="page"),
        taken("A company of a very long name, Sons & Daughters, Limited & Co. KGaA " * 2, category="privacy"),
    ]
    now: dict[str, Any] = {"as_of": business_date(at=timezone.now()), "at": timezone.now()}
    complaints.close(
        complaint_id=Complaint.objects.order_by("pk")[0].pk, outcome="partly_upheld", answer="Sorry", cause="Dialler",
        actor="agent:omar", **now,
    )  # fmt: skip
    complaints.assign(complaint_id=made[1].pk, to=lead, agent=lead, **now)
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_list_is_worked_by_keyboard(browser: Any, desk: str, scheme: str) -> None:
    lead = make_agent("supervisor", username="lena", first_name="Lena")
    morning(lead)
    page = opened(browser, desk, lead, "/complaints/?list=all", color_scheme=scheme, viewport=SCREEN)
    rows = page.locator("tr[data-entry]")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text("Late Larissa")
    expect(rows.first.locator(".bad").first).to_contain_text("d late")
    ready(page)
    expect(rows.first).to_be_focused()
    shot(page, f"complaints-{scheme}")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == SCREEN["width"]

    page.keyboard.press("Space")
    expect(page.locator("#chosen")).to_have_text("1 ticked")
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text("1 complaint is with Lena now")
    ready(page)
    assert Complaint.objects.filter(assigned_to=lead).count() == 2
    expect(rows.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("How often or when we contact them")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_complaint_is_looked_into_and_answered_by_keyboard(browser: Any, desk: str, scheme: str) -> None:
    lead = make_agent("supervisor", username="lena", first_name="Lena")
    complaint = morning(lead)[0]
    page = opened(browser, desk, lead, f"/complaints/{complaint.ref}/", color_scheme=scheme, viewport=SCREEN)
    ready(page)
    expect(page.locator(".strip")).to_contain_text("Made again")
    page.keyboard.press("a")
    expect(page.locator(".toast").first).to_contain_text("Lena works on it now")
    ready(page)
    page.keyboard.press("r")
    expect(page.locator(".strip")).to_contain_text("receipt confirmed")
    ready(page)
    page.keyboard.press("h")
    expect(page.locator(".zone.left")).to_contain_text("Waits until the complaint is answered")
    ready(page)
    page.keyboard.press("t")
    page.keyboard.type("Asked the dialler for its log")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".past")).to_contain_text("Asked the dialler for its log")
    ready(page)
    page.keyboard.press("c")
    page.get_by_role("radio", name="Partly upheld").check()
    page.get_by_label("Our answer, for the customer").fill("You are right: that was too often.")
    page.get_by_label("What went wrong, for us").fill("The campaign ignored the wish")
    page.get_by_label("To be credited by billing").fill("10.00")
    expect(page.locator("#letter .words")).to_contain_text("You are right: that was too often.")
    expect(page.locator("#letter .words")).to_contain_text("€10.00")
    shot(page, f"complaint-{scheme}")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == SCREEN["width"]
    page.get_by_role("button", name="Send the answer").press("Enter")
    expect(page.locator(".strip")).to_contain_text("Partly upheld")
    ready(page)
    shot(page, f"complaint-answered-{scheme}")
    assert violations(page) == []
    complaint.refresh_from_db()
    assert (complaint.outcome, complaint.closed_by) == ("partly_upheld", "agent:lena")


def test_a_complaint_is_taken_by_the_palette_and_time_is_set_in_the_menu(browser: Any, desk: str) -> None:
    nadia = make_agent(username="nadia")
    account = account_of("Frida Fresh")
    make_item(account)
    page = opened(browser, desk, nadia, f"/accounts/{account.ref}/", viewport=SCREEN)
    ready(page)
    page.keyboard.press("Control+k")
    page.keyboard.type("take a complaint")
    expect(page.locator("#palette [role=option]").first).to_contain_text("Take a complaint")
    page.keyboard.press("Enter")
    expect(page.locator("#work h2")).to_have_text("Complaint")
    ready(page)
    shot(page, "complaint-panel")
    assert violations(page) == []
    page.get_by_label("In the customer's words").fill("Nobody let me finish a sentence.")
    page.get_by_role("button", name="Take complaint").press("Enter")
    expect(page.locator(".toast").first).to_contain_text("Complaint taken")
    assert Complaint.objects.get().assigned_to == nadia

    page.goto(f"{desk}/queue/")
    ready(page)
    page.locator(".menu > summary").click()
    page.get_by_label("I am").select_option("break")
    shot(page, "paid-time-menu")
    page.get_by_role("button", name="Set", exact=True).click()
    page.wait_for_url(f"{desk}/queue/")
    expect(page.locator(".toast").first).to_contain_text("Break")
    assert Stretch.objects.get(ended_at=None).what == "break"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_my_day_and_the_customers_question_are_for_everybody(browser: Any, desk: str, scheme: str) -> None:
    nadia = make_agent(username="nadia")
    now = timezone.now()
    Stretch.objects.create(agent=nadia, begun_at=now - timedelta(minutes=20), seen_at=now)
    account = account_of("Frida Fresh", birth_date="1971-03-27")
    Survey.objects.create(account=account, about="call", agent=nadia, asked_at=now)
    page = opened(browser, desk, nadia, "/day/", color_scheme=scheme, viewport=SCREEN)
    ready(page)
    expect(page.locator("main")).to_contain_text("Occupancy")
    shot(page, f"own-day-{scheme}")
    assert violations(page) == []
    page.goto(f"{desk}/pay/{pay_token(account.ref)}/feedback/")
    page.wait_for_load_state("load")
    shot(page, f"feedback-{scheme}")
    assert violations(page) == []
    page.get_by_label("Not at all").check()
    page.get_by_label("please call me").check()
    page.get_by_role("button", name="Send").press("Enter")
    expect(page.locator("h1")).to_have_text("Thank you")
    assert Survey.objects.get().score == 1
