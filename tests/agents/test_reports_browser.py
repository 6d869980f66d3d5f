"""Reports by mail as a person uses their pages, and as a mail program shows them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from agents import reports
from agents.models import ReportRun, ReportSchedule
from tests.agents.reported import close, late, ordered, supervisor
from tests.agents.test_views_browser import browser, desk, opened, violations

__all__ = ["browser", "desk"]

LIGHT_AND_DARK = pytest.mark.parametrize("scheme", ["light", "dark"])


def recorded_today() -> None:
    """A book recorded today and a week ago."""
    today = timezone.localdate()
    late("100.00")
    close(today - timedelta(days=7))
    late("60.00")
    close(today)


def test_a_supervisor_orders_a_report_with_the_keyboard_and_has_it_sent_to_themselves(browser: Any, desk: str) -> None:
    recorded_today()
    person = supervisor(first_name="Omar")
    page = opened(browser, desk, person, "/supervise/reports/")
    expect(page.locator("h1")).to_contain_text("Reports by mail")
    page.wait_for_load_state("load")

    page.keyboard.press("n")
    expect(page.locator("#id_title")).to_be_visible()
    page.locator("#id_title").fill("Monday's figures")
    page.locator("#id_title").press("Enter")

    expect(page.locator("table")).to_contain_text("Monday's figures")
    expect(page.locator("#toasts")).to_contain_text("Monday's figures will be sent.")
    [schedule] = ReportSchedule.objects.all()
    assert [row.agent for row in schedule.recipients.all()] == [person]
    page.get_by_role("button", name="Send to me now").click()
    expect(page.locator("#toasts")).to_contain_text(f"On its way to {person.email}.")
    assert ReportRun.objects.get().asked_by == person


@LIGHT_AND_DARK
def test_the_pages_are_sound_for_assistive_technology(browser: Any, desk: str, scheme: str) -> None:
    recorded_today()
    person = supervisor()
    schedule = ordered(person, at=timezone.now())
    for state, error in (("failed", "550 no such user"), ("sent", ""), ("doubtful", "the worker stopped")):
        ReportRun.objects.create(
            schedule=schedule,
            as_of=timezone.localdate(),
            asked_by=person,
            made_at=timezone.now(),
            state=state,
            error=error,
        )
    for address in ("/supervise/reports/", "/supervise/reports/new/", f"/supervise/reports/{schedule.pk}/"):
        page = opened(browser, desk, person, address, color_scheme=scheme)
        expect(page.locator("h1")).to_be_visible()
        page.wait_for_load_state("load")
        assert violations(page) == [], address


@LIGHT_AND_DARK
@pytest.mark.parametrize("width", [640, 375])
def test_the_mail_is_read_in_the_light_and_the_dark_and_on_a_phone(
    browser: Any, desk: str, scheme: str, width: int
) -> None:
    recorded_today()
    person = supervisor()
    schedule = ordered(person, at=timezone.now())
    page = opened(
        browser, desk, person, f"/supervise/reports/{schedule.pk}/mail.html",
        color_scheme=scheme, viewport={"width": width, "height": 800},
    )  # fmt: skip

    expect(page.locator("h1")).to_have_text("The day")
    page.wait_for_load_state("load")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for picture in page.locator("img").all():
        assert picture.evaluate("one => one.complete && one.naturalWidth") == 1150
    ground = page.locator("body").evaluate("one => getComputedStyle(one).backgroundColor")
    assert ground == ("rgb(14, 17, 22)" if scheme == "dark" else "rgb(245, 246, 248)")
    assert violations(page) == []


def test_who_follows_the_link_of_a_mail_needs_no_login_to_stop_it(browser: Any, desk: str) -> None:
    person = supervisor()
    schedule = ordered(person, at=timezone.now())
    token = reports.stop_token(schedule.recipients.get())
    page = browser.new_context().new_page()

    page.goto(f"{desk}/reports/stop/{token}/")
    expect(page.locator("h1")).to_have_text("The day")
    assert violations(page) == []
    page.get_by_role("button", name="Send me no more of it").click()
    expect(page.get_by_role("status")).to_have_text("You get no more of these mails.")
    assert schedule.recipients.get().unsubscribed
