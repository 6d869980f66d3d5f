"""The designer by keyboard alone: budgets and plans by payday, settlements beyond one's limit, linked accounts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from decimal import Decimal
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
from agents.models import Agent, Budget, Plan, Promise, Settlement
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


def late_account(*amounts: str, language: str = "en", **columns: Any) -> Account:
    customer = columns.pop("customer", None) or make_customer(name="Frida", country="GB", language=language)
    account = owing(*(amounts or ("100.00", "60.00")), as_of=timezone.now().date(), customer=customer, **columns)
    make_service(account, number="+442079460000", monthly_fee=Decimal("49.00"))
    return account


def opened(browser: Any, desk: str, person: Agent, account: Account, **options: Any) -> Page:
    """The page of an account to somebody who is signed in; it fails the test on any script error."""
    client = Client()
    client.force_login(person)
    options.setdefault("viewport", {"width": WIDTH, "height": HEIGHT})
    context = browser.new_context(**options)
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": client.cookies[settings.SESSION_COOKIE_NAME].value}
    context.add_cookies([{**cookie, "url": desk}])
    page: Page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"script error: {error}"))
    page.goto(f"{desk}/accounts/{account.ref}/")
    return page


def focus_on(page: Page, selector: str, key: str = "Tab") -> None:
    """Press ``key`` until that control has the focus."""
    for _ in range(60):
        if page.locator(selector).evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press(key)
    pytest.fail(f"{selector} is not reached by {key}")


def test_a_promise_takes_a_few_keys(browser: Any, desk: str) -> None:
    account = late_account()
    make_item(account)
    page = opened(browser, desk, make_agent(), account)

    page.keyboard.press("p")
    expect(page.locator("#id_amount")).to_be_focused()
    page.keyboard.type("40.00")
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Promise noted")

    promise = Promise.objects.get()
    assert (promise.amount, promise.agreed_by) == (Decimal("40.000"), "phone")
    assert promise.read_back.startswith("You will pay €40.00 by ")


def test_agreeing_to_words_is_undone_by_other_words(browser: Any, desk: str) -> None:
    account = late_account()
    make_item(account)
    page = opened(browser, desk, make_agent(), account)

    page.keyboard.press("p")
    expect(page.locator("#id_amount")).to_be_focused()
    page.keyboard.press("a")
    expect(page.locator("#id_agreed")).to_be_checked()
    page.keyboard.type("50.00")
    expect(page.locator("#id_agreed")).not_to_be_checked()
    expect(page.locator(".readback")).to_contain_text("€50.00")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".agree .errors")).to_contain_text("tick that they agree")
    assert not Promise.objects.exists()


def test_a_budget_and_a_plan_by_payday_with_the_keyboard_alone(browser: Any, desk: str) -> None:
    account = late_account(language="de")
    make_item(account)
    page = opened(browser, desk, make_agent(), account)

    page.keyboard.press("i")
    expect(page.locator("#id_count")).to_be_focused()
    page.keyboard.press("i")
    expect(page.locator("a.offer[aria-current]")).to_be_focused()
    focus_on(page, ".offer.still a", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#id_earnings")).to_be_focused()
    page.keyboard.type("1100")
    focus_on(page, "#id_home_contents")
    page.keyboard.type("1000")
    expect(page.locator("#quote")).to_contain_text("€90.00")
    page.keyboard.press("Enter")
    expect(page.locator("#work-form[data-act=plan]")).to_be_visible()
    expect(page.locator("#id_amount")).to_have_value("90.00")

    focus_on(page, "[name=by][value=amount]", "Shift+Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#id_payday")).to_be_visible()
    focus_on(page, "#id_count")
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    focus_on(page, "#id_payday")
    page.keyboard.type("28")
    expect(page.locator(".schedule tr")).to_have_count(2)
    expect(page.locator("#quote")).to_contain_text("Left for them a month")
    expect(page.locator(".readback")).to_contain_text("Anzahl der Raten: 2. Jede beträgt 80,00")
    page.keyboard.press("a")
    expect(page.locator("#id_agreed")).to_be_checked()
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/queue/")

    plan, budget = Plan.objects.get(), Budget.objects.get()
    assert (plan.status, plan.budget) == (Plan.Status.ACTIVE, budget)
    assert plan.read_back.startswith("Anzahl der Raten: 2.")


def test_a_settlement_beyond_ones_limit_says_who_decides_before_it_is_saved(browser: Any, desk: str) -> None:
    account = late_account("1000.00")
    make_item(account)
    page = opened(browser, desk, make_agent(), account)

    page.keyboard.press("i")
    expect(page.locator("#work-form")).to_be_visible()
    page.keyboard.press("i")
    focus_on(page, "a.offer[data-offer=settlement]", "ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#id_amount")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("600.00")
    expect(page.locator("#quote")).to_contain_text("40.00 % off")
    expect(page.locator("#quote")).to_contain_text("Before it counts a supervisor must agree")
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Handed to a supervisor")

    assert Settlement.objects.get().status == Settlement.Status.PENDING_APPROVAL
    page.locator("#tab-plan").click()
    expect(page.locator("#pane-plan")).to_contain_text("Waits for approval")


def test_linked_accounts_in_one_plan(browser: Any, desk: str) -> None:
    customer = make_customer(name="Frida", country="GB")
    account, other = late_account("100.00", customer=customer), late_account("50.00", customer=customer)
    make_item(account)
    page = opened(browser, desk, make_agent(), account)

    page.keyboard.press("i")
    expect(page.locator("#work-form")).to_be_visible()
    page.keyboard.press("i")
    focus_on(page, "a.offer[data-offer=consolidation]", "ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("[name=accounts]")).to_be_checked()
    expect(page.locator("#quote")).to_contain_text(other.ref)
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("One plan for 2 accounts agreed")

    assert {plan.account_id for plan in Plan.objects.all()} == {account.pk, other.pk}


def test_half_typed_terms_survive_closing_the_window(browser: Any, desk: str) -> None:
    account, nadia = late_account(), make_agent()
    make_item(account)
    page = opened(browser, desk, nadia, account)
    page.keyboard.press("i")
    expect(page.locator("#id_count")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("5")
    expect(page.locator(".schedule tr")).to_have_count(5)
    page.keyboard.press("a")
    with page.expect_response("**/keep/"):
        page.wait_for_timeout(5_500)
    page.close()

    again = opened(browser, desk, nadia, account)
    again.keyboard.press("i")

    expect(again.locator("#id_count")).to_have_value("5")
    expect(again.locator("#id_agreed")).not_to_be_checked()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_designer_is_for_everybody(browser: Any, desk: str, scheme: str) -> None:
    customer = make_customer(name="Frida Falk", country="DE", language="ar")
    account = late_account(customer=customer)
    late_account("80.00", customer=customer)
    make_item(account)
    page = opened(browser, desk, make_agent(), account, color_scheme=scheme)

    for offer in ("plan", "settlement", "consolidation", "budget", "hardship", "downgrade", "extension", "pay"):
        page.goto(f"{desk}/accounts/{account.ref}/designer/?offer={offer}")
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found] == [], offer
        sizes = page.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
        assert sizes == [HEIGHT, WIDTH], offer
    # At 200 % a window of 1280 by 720 shows half as much: nothing is cut off sideways.
    page.set_viewport_size({"width": WIDTH // 2, "height": HEIGHT // 2})
    for offer in ("plan", "consolidation", "budget"):
        page.goto(f"{desk}/accounts/{account.ref}/designer/?offer={offer}")
        assert page.evaluate("document.documentElement.scrollWidth") == WIDTH // 2
