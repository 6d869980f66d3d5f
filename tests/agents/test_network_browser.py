"""The network page, the matrix of holds and kept services in a browser: keys, light and dark, assistive technology."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from accounts import holds
from accounts.models import Account, Hold, Service
from agents.models import Agent
from dunning import hold_rules, policy_file, writing
from dunning.models import Case, HoldRule, ServiceOrder
from tests.factories import make_account, make_agent, make_customer, make_service, owing
from tests.journeys.ledger import POLICY


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


@pytest.fixture
def matrix(committed: None) -> Iterator[None]:
    """The matrix as a desk begins, before and after: it outlives the clean-up as all that migrations put there."""
    begin_matrix()
    yield
    begin_matrix()


def begin_matrix() -> None:
    for reason in Hold.Reason.values:
        begun = hold_rules.begins_as(reason)
        line = {"stops": sorted(begun.stops), "stops_clock": begun.clock, "lifted_by": begun.lifted_by}
        HoldRule.objects.update_or_create(reason=reason, defaults=line)


def opened(browser: Any, desk: str, person: Agent, address: str, **options: Any) -> Page:
    """A page of somebody who is signed in; it fails the test on any script error."""
    client = Client()
    client.force_login(person)
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": desk}])
    page: Page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"script error: {error}"))
    page.goto(desk + address)
    return page


def violations(page: Page) -> list[tuple[str, list[Any]]]:
    found = Axe().run(page).response["violations"]
    return [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found]


def limited_case(at: datetime, name: str) -> Service:
    """A service of an account in an open case."""
    account = owing("100.00", "60.00", as_of=at.date(), customer=make_customer(name=name))
    version = writing.save_draft(policy_file.read(POLICY), actor="admin:ada", at=at)
    Case.objects.create(account=account, version=version, opened_on=at.date(), warnings_from=at.date())
    return make_service(account, number="+442079460002")


def order(service: Service, state: str, at: datetime, **columns: Any) -> ServiceOrder:
    given = {
        "account": service.account, "service": service, "case": service.account.cases.get(), "kind": "limit",
        "rung": "suspended", "step_code": "suspend", "key": f"1.suspend.0.{service.pk}", "state": state,
        "made_on": at.date(), "attempts": 12, "reason": "unknown subscriber",
    }  # fmt: skip
    return ServiceOrder.objects.create(**given | columns)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_list_is_worked_by_keyboard_and_clean_for_assistive_technology(
    browser: Any, desk: str, scheme: str
) -> None:
    at = timezone.now()
    row = order(limited_case(at, "Anna Arendt"), "failed", at)
    order(limited_case(at, "Ben Okafor"), "sent", at, sent_at=at - timedelta(hours=7), attempts=1, reason="suspend")
    order(
        limited_case(at, "Carla Ruiz"), "pending", at, send_at=at + timedelta(hours=9), attempts=0,
        reason="outside the market's working hours",
    )  # fmt: skip
    make_service(make_account(), status="throttled", reported_status="active", number="+442079460003")
    page = opened(browser, desk, make_agent("supervisor"), "/supervise/network/", color_scheme=scheme)
    for shown in ("waiting", "limited", "differing", "stuck"):
        page.goto(f"{desk}/supervise/network/?list={shown}")
        shot(page, f"network-{shown}-{scheme}")
        assert violations(page) == []

    page.locator("tr", has_text="Anna Arendt").locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("ported away")
    shot(page, f"network-typing-{scheme}")
    page.keyboard.press("Enter")

    expect(page.locator(".toast")).to_contain_text("given up, and in the queue as a task")
    row.refresh_from_db()
    assert row.state == "withdrawn"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_matrix_is_one_form_that_says_what_it_means(browser: Any, desk: str, matrix: None, scheme: str) -> None:
    at = timezone.now()
    holds.place(
        account_id=owing(as_of=at.date()).pk, reason="hardship", starts_on=at.date(), actor="agent:nadia",
        as_of=at.date(), at=at,
    )  # fmt: skip
    page = opened(browser, desk, make_agent("admin"), "/admin/dunning/holdrule/", color_scheme=scheme)
    shot(page, f"matrix-{scheme}", full=True)
    # The theme has no main landmark; what is ours is clean.
    assert [rule for rule, nodes in violations(page) if rule != "region" and "hold" in str(nodes)] == []

    page.get_by_label("Deceased stops limits").uncheck()
    page.get_by_label("Who may lift deceased").select_option("admin")
    page.get_by_role("button", name="Save").click()

    expect(page.locator("body")).to_contain_text("Deceased: lets limits go on; is lifted by admins.")
    expect(page.locator("tr", has_text="Deceased")).to_contain_text("Somebody has died, and limits go on all the same.")
    shot(page, f"matrix-saved-{scheme}", full=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_service_is_kept_on_the_account_page(browser: Any, desk: str, scheme: str) -> None:
    at = timezone.now()
    account = owing("100.00", "60.00", as_of=at.date(), customer=make_customer(name="Dora Lind"))
    make_service(account, number="+442079460004", status="throttled")
    make_service(account, number="+442079460005", protected=True)
    holds.place(
        account_id=account.pk, reason="vulnerability_review", starts_on=at.date(), actor="agent:nadia",
        as_of=at.date(), at=at, note="Oxygen at home",
    )  # fmt: skip
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/", color_scheme=scheme)
    page.get_by_role("tab", name="Holds").click()
    shot(page, f"holds-{scheme}")
    expect(page.locator("#pane-holds")).to_contain_text("Stops fees, limits and transfers.")
    page.get_by_role("tab", name="Services").click()
    page.locator("summary", has_text="Keep from limits").click()
    shot(page, f"services-{scheme}")
    assert violations(page) == []

    page.get_by_role("button", name="Keep", exact=True).click()

    expect(page.locator(".toast")).to_contain_text("is kept until")
    page.get_by_role("tab", name="Services").click()
    expect(page.locator("#pane-services")).to_contain_text("kept until")
    page.locator("#pane-services summary", has_text="Change").click()
    shot(page, f"services-kept-{scheme}")
    assert Account.objects.get().services.filter(keep_until__isnull=False).count() == 1


def shot(page: Page, name: str, *, full: bool = False) -> None:
    folder = os.environ.get("DESK_SHOTS")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=full)
