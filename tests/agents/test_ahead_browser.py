"""Keys typed faster than pages and panels come: they wait, in order, and mean what they would have meant."""

from __future__ import annotations

import re
import time
from typing import Any

from playwright.sync_api import Page, Route, expect

from agents.models import Note
from tests.agents.test_views_browser import browser, desk, late_account, opened
from tests.factories import make_agent, make_item

__all__ = ["browser", "desk"]


def slow(page: Page, address: str) -> None:
    """Answers from there take their time, so that keys are there first."""

    def later(route: Route) -> None:
        time.sleep(0.4)
        route.continue_()

    page.route(address, later)


def ready(page: Page) -> None:
    page.wait_for_load_state("load")
    page.wait_for_timeout(50)


def test_what_is_typed_before_a_panel_comes_is_typed_into_it(browser: Any, desk: str) -> None:
    account = late_account("Frida")
    make_item(account)
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")
    ready(page)
    slow(page, "**/promise/")
    slow(page, "**/designer.js*")

    page.keyboard.type("p25.50")
    expect(page.locator("#id_amount")).to_have_value("25.50")
    expect(page.locator("#id_amount")).to_be_focused()


def test_keys_go_with_the_agent_to_the_page_that_comes(browser: Any, desk: str) -> None:
    account = late_account("Frida")
    make_item(account)
    page = opened(browser, desk, make_agent(), "/queue/")
    ready(page)
    slow(page, re.compile(r"/accounts/"))

    page.keyboard.type("nc1")
    expect(page.locator("h1")).to_have_text("Frida")
    expect(page.locator("#outcome [data-digit='1']")).to_be_checked()


def test_a_note_is_written_and_saved_in_one_go(browser: Any, desk: str) -> None:
    account = late_account("Frida")
    make_item(account)
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")
    ready(page)
    slow(page, "**/note/")

    page.keyboard.type("tShe will call back, at 5")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toasts")).to_contain_text("Note")

    assert Note.objects.get().text == "She will call back, at 5"


def test_what_was_typed_for_a_panel_that_does_not_come_does_nothing(browser: Any, desk: str) -> None:
    account = late_account("Frida")
    make_item(account)
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")
    ready(page)

    def gone(route: Route) -> None:
        time.sleep(0.3)
        route.abort()

    page.route("**/note/", gone)
    page.keyboard.type("tpd")
    expect(page.locator("#toasts .error")).to_be_visible()
    page.wait_for_timeout(300)
    expect(page.locator("#work-form")).to_have_count(0)
    # The next key is heard as ever.
    page.keyboard.press("p")
    expect(page.locator("#id_amount")).to_be_focused()


def test_escape_takes_back_what_waits(browser: Any, desk: str) -> None:
    account = late_account("Frida")
    make_item(account)
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")
    ready(page)
    slow(page, "**/promise/")

    page.keyboard.type("p99")
    page.keyboard.press("Escape")
    page.keyboard.type("25")
    expect(page.locator("#id_amount")).to_have_value("25")
