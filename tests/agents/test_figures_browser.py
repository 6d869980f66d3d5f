"""The figures page in a browser: its charts, its keys, light and dark, and what assistive technology would find."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.db import connection
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from accounts import business_day, settling
from agents import snapshots
from agents.models import Agent, KpiTarget
from tests.factories import TODAY, make_account, make_agent, make_bill, make_item, make_payment, make_team, moment

WIDTH, HEIGHT = 1280, 720
HERE = f"/supervise/figures/?as_of={TODAY}&days=30&currency=EUR&scope=all&view=recorded"


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


def a_recorded_book() -> None:
    """Three late accounts that pay a little, on three recorded days."""
    team = make_team("North")
    accounts = [make_account(product="fibre") for _ in range(3)]
    for number, account in enumerate(accounts):
        make_bill(
            account, f"{100 + number}.00", issued_on=date(2026, 1, 10), due_on=date(2026, 1, 31 - 25 * number // 3)
        )
        make_item(account, team=team)
    KpiTarget.objects.create(kpi="recovery_rate", aim="at_least", value=5, from_on=date(2026, 1, 1), set_by="x")
    KpiTarget.objects.create(kpi="cure_rate", aim="at_least", value=50, from_on=date(2026, 1, 1), set_by="x")
    for number, day in enumerate((TODAY - timedelta(days=30), TODAY - timedelta(days=1), TODAY)):
        make_payment(accounts[number], "20.00", on=day)
        business_day.move_to(day)
        settling.settle(as_of=day, at=moment(day))
        snapshots.close(as_of=day, at=moment(day, 23))


def opened(browser: Any, desk: str, person: Agent, address: str, **options: Any) -> Page:
    """A page of somebody who is signed in, its scripts there; it fails the test on any script error."""
    client = Client()
    client.force_login(person)
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, **options)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": desk}])
    page: Page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"script error: {error}"))
    page.goto(desk + address)
    page.wait_for_load_state("load")
    return page


def violations(page: Page) -> list[tuple[str, list[Any]]]:
    found = Axe().run(page).response["violations"]
    return [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_figures_have_no_accessibility_violations(browser: Any, desk: str, scheme: str) -> None:
    a_recorded_book()
    ruth = make_agent("supervisor", username="ruth")
    query = HERE.partition("?")[2]
    for address in (
        HERE,
        f"/supervise/figures/trend/recovery_rate/?{query}",
        f"/supervise/figures/accounts/overdue/?{query}",
        f"/supervise/figures/?{query.replace('days=30', 'days=0')}",
        "/supervise/",
    ):
        page = opened(browser, desk, ruth, address, color_scheme=scheme)
        for details in page.locator("details.plain").all():
            details.evaluate("element => { element.open = true; }")
        if folder := os.environ.get("DESK_SCREENSHOTS"):
            name = re.sub(r"\W+", "-", address.partition("?")[0]).strip("-")
            page.screenshot(path=f"{folder}/{name}-{scheme}.png", full_page=True)
        assert violations(page) == [], address
        page.context.close()


def test_the_charts_are_drawn_and_nothing_is_wider_than_the_screen(browser: Any, desk: str) -> None:
    a_recorded_book()
    page = opened(browser, desk, make_agent("supervisor"), HERE)

    expect(page.locator("#ageing-chart")).to_be_visible()
    drawn = page.evaluate("Object.keys(Chart.instances).length")
    assert drawn == page.locator("canvas").count() >= 1
    assert page.evaluate("document.documentElement.scrollWidth") == WIDTH
    assert page.locator("svg.spark").count() >= 3
    assert page.locator("svg.spark").first.get_attribute("aria-label")


def test_keys_choose_the_period_and_the_day_and_open_what_is_behind_a_number(browser: Any, desk: str) -> None:
    a_recorded_book()
    page = opened(browser, desk, make_agent("supervisor"), HERE)

    page.keyboard.press("w")
    expect(page).to_have_url(re.compile("days=7"))
    page.wait_for_load_state("load")
    page.keyboard.press("e")
    expect(page).to_have_url(re.compile(f"as_of={TODAY - timedelta(days=1)}"))
    page.wait_for_load_state("load")
    page.keyboard.press("v")
    expect(page).to_have_url(re.compile("view=known"))
    expect(page.locator(".stood")).to_contain_text("Computed just now")
    page.wait_for_load_state("load")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/trend/"))


def test_a_formula_is_opened_where_it_is_wanted(browser: Any, desk: str) -> None:
    a_recorded_book()
    page = opened(browser, desk, make_agent("supervisor"), HERE)
    row = page.locator("tr", has=page.get_by_role("link", name="Recovery rate", exact=True)).first

    expect(row.locator("details b")).to_be_hidden()
    row.locator("summary").click()
    expect(row.locator("details b")).to_contain_text("÷")
