"""The desk as a person drives it: keys, half-typed work, light and dark, and what assistive technology would find."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from accounts.models import Account
from agents import queue
from agents.models import Agent, Dispute, Interaction, Promise, WorkItem
from tests.factories import make_agent, make_customer, make_item, make_service, owing

WIDTH, HEIGHT = 1280, 720


@pytest.fixture
def desk(committed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a desk that runs beside the test, on a database in which transactions commit."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright keeps a loop in this thread
    server = LiveServer("127.0.0.1")
    yield server.url
    server.stop()


@pytest.fixture
def browser() -> Iterator[Any]:
    found = os.environ.get("DESK_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        connection.close()  # the loop's own, which nobody finds again once it has ended


def late_account(name: str) -> Account:
    account = owing("100.00", "60.00", as_of=timezone.now().date(), customer=make_customer(name=name, country="GB"))
    make_service(account, number="+442079460000")
    return account


def opened(browser: Any, desk: str, person: Agent, address: str, **options: Any) -> Page:
    """A page of somebody who is signed in; it fails the test on any script error or refused resource."""
    client = Client()
    client.force_login(person)
    options.setdefault("viewport", {"width": WIDTH, "height": HEIGHT})
    context = browser.new_context(**options)
    context.add_cookies(
        [
            {
                "name": settings.SESSION_COOKIE_NAME,
                "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
                "url": desk,
            }
        ]
    )
    page: Page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"script error: {error}"))
    page.goto(desk + address)
    return page


def violations(page: Page) -> list[tuple[str, list[Any]]]:
    found = Axe().run(page).response["violations"]
    return [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found]


def test_an_agent_works_an_account_with_the_keyboard_alone(browser: Any, desk: str) -> None:
    nadia = make_agent(username="nadia")
    first, second = late_account("First Frida"), late_account("Second Sven")
    item = make_item(first, score=90)
    make_item(second, score=10)
    page = opened(browser, desk, nadia, "/queue/")

    page.keyboard.press("n")
    expect(page.locator("h1")).to_have_text("First Frida")
    page.wait_for_load_state("load")
    page.keyboard.press("p")
    expect(page.locator("#id_amount")).to_be_focused()
    page.keyboard.type("40.00")
    page.keyboard.press("a")
    page.keyboard.press("Control+Enter")
    expect(page.locator("h1")).to_have_text("Second Sven")

    assert str(Promise.objects.get().amount) == "40.000"
    item.refresh_from_db()
    assert item.done_by == nadia


def test_digits_choose_the_outcome_of_a_call_and_only_then(browser: Any, desk: str) -> None:
    account = late_account("Frida")
    make_item(account)
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")

    page.keyboard.press("2")
    expect(page.locator("#outcome form")).to_have_count(0)
    page.keyboard.press("c")
    expect(page.locator("#outcome form")).to_be_visible()
    page.keyboard.press("4")
    expect(page.locator("#outcome [value=rpc_promise]")).to_be_checked()
    expect(page.locator("#outcome [name=right_party]")).to_be_checked()
    expect(page.locator("#outcome [name=due_on]")).to_be_visible()
    page.keyboard.press("3")
    expect(page.locator("#outcome [name=due_on]")).to_be_hidden()
    page.locator("#outcome [value=inbound]").check()
    page.locator("#outcome [data-save]").click()
    expect(page.locator(".toast")).to_contain_text("Call logged: voicemail")

    assert Interaction.objects.get().disposition == "voicemail"


def test_no_letter_acts_while_typing_and_escape_closes(browser: Any, desk: str) -> None:
    account = late_account("Frida")
    make_item(account)
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")

    page.keyboard.press("t")
    expect(page.locator("#id_text")).to_be_focused()
    page.keyboard.type("pidhn /?1")
    expect(page.locator("#id_text")).to_have_value("pidhn /?1")
    page.keyboard.press("Escape")
    expect(page.locator("#work-form")).to_have_count(0)
    page.keyboard.press("j")
    expect(page.locator("[data-entry]").first).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()


def test_half_typed_work_survives_closing_the_window(browser: Any, desk: str) -> None:
    account, nadia = late_account("Frida"), make_agent()
    item = make_item(account)
    page = opened(browser, desk, nadia, f"/accounts/{account.ref}/")

    page.keyboard.press("d")
    page.locator("#id_note").fill("Was on a ferry")
    with page.expect_response("**/keep/"):
        page.wait_for_timeout(5_500)
    page.close()
    again = opened(browser, desk, nadia, f"/accounts/{account.ref}/")
    again.keyboard.press("d")

    expect(again.locator("#id_note")).to_have_value("Was on a ferry")
    item.refresh_from_db()
    assert item.draft["dispute"]["note"] == "Was on a ferry"


def test_a_claim_lost_meanwhile_keeps_the_text_on_the_screen(browser: Any, desk: str) -> None:
    account = late_account("Frida")
    make_item(account)
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")
    page.keyboard.press("t")
    page.locator("#id_text").fill("Dear to me")
    luis = make_agent(first_name="Luis")
    queue.claim(account_id=account.pk, agent=luis, at=timezone.now() + queue.LEASE + timedelta(seconds=1))
    WorkItem.objects.update(lease_until=timezone.now() + queue.LEASE)

    page.locator("[data-save]").click()

    expect(page.locator("[role=alert]")).to_contain_text("Not saved.")
    expect(page.locator("#id_text")).to_have_value("Dear to me")


def test_ticked_bills_and_the_plan_are_added_up_and_read_back_live(browser: Any, desk: str) -> None:
    account = late_account("Frida")
    make_item(account)
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")

    page.keyboard.press("i")
    page.locator("#id_count").fill("4")
    expect(page.locator("#quote")).to_contain_text("Number of payments: 4. Each is €40.00")
    page.locator("input[name=bills]").first.check()
    expect(page.locator("#quote")).to_contain_text("Number of payments: 4. Each is €25.00")
    expect(page.locator("#ticked")).to_have_text("1 ticked, 100.00 EUR")


def test_search_answers_while_typing_and_the_arrow_keys_choose(browser: Any, desk: str) -> None:
    account = late_account("Philippa Marlowe")
    page = opened(browser, desk, make_agent(), "/queue/")

    page.keyboard.press("/")
    page.keyboard.type("marl")
    expect(page.locator("#found a")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page).to_have_url(f"{desk}/accounts/{account.ref}/")


def test_everything_can_be_done_without_scripts(browser: Any, desk: str) -> None:
    account = late_account("Frida")
    make_item(account)
    page = opened(browser, desk, make_agent(), "/queue/", java_script_enabled=False)

    page.get_by_role("button", name="Next account").click()
    page.get_by_role("link", name="Dispute d").click()
    page.locator("#id_note").fill("Was on a ferry")
    page.get_by_role("button", name="Open dispute").click()

    assert Dispute.objects.get().account == account
    assert page.url == f"{desk}/accounts/{account.ref}/"


def test_the_account_page_fits_the_screen_and_its_panels_scroll(browser: Any, desk: str) -> None:
    account = late_account("A very long name of a company that goes on and on, and on, Limited & Co. KG " * 2)
    make_item(account, reason="A long reason " * 12)
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")

    for key in ("c", "i", "h"):
        page.keyboard.press(key)
        expect(page.locator("#work-form")).to_be_visible()
        sizes = page.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
        assert sizes == [HEIGHT, WIDTH]
        page.keyboard.press("Escape")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_accessibility_violations(browser: Any, desk: str, scheme: str) -> None:
    account = late_account("Frida")
    make_item(account, reason="A promise was broken", score=7, score_parts=[{"name": "a", "points": 7, "text": "Old"}])
    agent, supervisor = make_agent(), make_agent("supervisor")

    visits = [(agent, "/queue/", ""), (agent, "/search/?q=frida", "")]
    visits += [(agent, f"/accounts/{account.ref}/", key) for key in ("", "c", "p", "i", "d", "t", "h", "?")]
    visits += [(supervisor, f"/supervise/{page}", "") for page in ("", "approvals/", "rejected/")]
    visits += [(supervisor, f"/supervise/accounts/{account.ref}/audit/", "")]
    for person, address, key in visits:
        page = opened(browser, desk, person, address, color_scheme=scheme)
        if key:
            page.keyboard.press(key)
            page.locator("#keys[open], #work-form").wait_for()
        assert violations(page) == [], f"{address} {key}"
        page.context.close()


def test_the_theme_is_changed_with_one_press_and_stays(browser: Any, desk: str) -> None:
    nadia = make_agent()
    page = opened(browser, desk, nadia, "/queue/", color_scheme="light")
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    with page.expect_response("**/theme/"):
        page.get_by_role("button", name="Change theme").click()
    page.reload()

    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != light
