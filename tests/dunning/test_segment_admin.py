"""Segments in the admin: the list and its order, the rule's form, and what a rule finds while it is being written."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from playwright.sync_api import expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from accounts.models import AccountEvent
from dunning import kinds, segment_admin, segments, writing
from dunning.models import PolicyVersion, Segment
from tests.dunning.test_segments import kept, naming, rule
from tests.factories import make_account, make_agent, make_customer, moment, owing

pytestmark = pytest.mark.django_db

LIST, ADD = "/admin/dunning/segment/", "/admin/dunning/segment/add/"
PREVIEW, COUNTS = "/admin/dunning/segment/preview/", "/admin/dunning/segment/counts/"


def browser(role: str) -> Client:
    client = Client()
    client.force_login(make_agent(role, username=f"the-{role}"))
    return client


@pytest.fixture(autouse=True)
def nothing_yet() -> None:
    """No segments but the test's own, and no values remembered from another book."""
    Segment.objects.all().delete()
    cache.delete(segment_admin.VALUES_KEY)


@pytest.fixture
def desk() -> Client:
    return browser("admin")


def page(segment: Segment, name: str = "change") -> str:
    return f"{LIST}{segment.pk}/{name}/"


def form(said: Any, **fields: str) -> dict[str, str]:
    text = said if isinstance(said, str) else json.dumps(said)
    return {"name": "Some", "code": "some", "active": "on", "rule": text, **fields}


def text_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


BRITISH = rule("country", **{"is": "GB"})


# --- One segment ------------------------------------------------------------------------------------------------------


def test_a_segment_is_made_with_its_maker_and_an_event(desk: Client) -> None:
    response = desk.post(ADD, form(rule("past_due", at_least=25)))
    assert response.status_code == 302
    segment = Segment.objects.get()
    assert (segment.code, segment.rule, segment.changed_by) == (
        "some",
        rule("past_due", at_least="25"),
        "agent:the-admin",
    )
    assert segment.changed_at is not None
    event = AccountEvent.objects.get(kind=kinds.SEGMENT_CHANGED)
    assert (event.account_id, event.actor, event.payload["segment"]) == (None, "agent:the-admin", "some")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"all": []}, "It has no condition yet."),
        ({"all": [{"fact": "country", "is": "GB"}, {}]}, "Condition 2: names no fact."),
        (rule("tenure_days", at_least="long"), "Condition 1: must be a whole number from 0 to 1000000."),
        ({"any": [{"all": [{"fact": "age", "is": 1}]}]}, "Any[0].all[0].fact: is unknown; known: customer_kind"),
        ("{", "Enter a valid JSON."),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_beside_the_form_and_on_saving(
    desk: Client, said: Any, expected: str
) -> None:
    assert expected in text_of(desk.post(PREVIEW, form(said)))
    response = desk.post(ADD, form(said))
    assert response.status_code == 200
    assert expected in text_of(response)
    assert not Segment.objects.exists()


def test_the_form_brings_the_rule_the_vocabulary_and_the_values_of_the_book(desk: Client) -> None:
    make_account(product="fiber_500")
    segment = kept("some", {"any": [rule("country", **{"is": "GB"}), {"fact": "vulnerable", "is": True}]})
    content = desk.get(page(segment)).content.decode()
    written = re.search(r"<textarea[^>]*>(.*?)</textarea>", content, re.DOTALL)
    assert written is not None
    assert json.loads(written[1].replace("&quot;", '"')) == segment.rule
    vocabulary = re.search(r'id="segment-vocabulary"[^>]*>(.*?)</script>', content, re.DOTALL)
    assert vocabulary is not None
    assert json.loads(vocabulary[1])["tenure_days"]["operators"] == [["at_least", "at least"], ["at_most", "at most"]]
    assert '<datalist id="known-product"><option value="fiber_500">' in content


def test_a_changed_rule_is_saved_and_told(desk: Client) -> None:
    segment = kept("some")
    desk.post(page(segment), form(rule("tenure_days", at_most=30), name="New ones"))
    segment.refresh_from_db()
    assert (segment.name, segment.rule) == ("New ones", rule("tenure_days", at_most=30))
    assert "days with us at most 30" in text_of(desk.get(LIST))


def test_a_segment_that_a_policy_names_is_neither_renamed_nor_deleted(desk: Client) -> None:
    segment = kept("some")
    writing.save_draft(naming("some", in_step=True), actor="agent:ada", at=moment())
    draft = PolicyVersion.objects.get()
    assert str(draft) in text_of(desk.get(page(segment)))
    response = desk.post(page(segment), form(BRITISH, code="other"))
    assert f"some is named by {draft}: its code cannot change." in text_of(response)
    for ask in (desk.get, lambda address, **how: desk.post(address, {"post": "yes"}, **how)):
        response = ask(page(segment, "delete"), follow=True)
        assert f"some cannot be deleted: it is named by {draft}." in text_of(response)
    assert Segment.objects.get().code == "some"


def test_switching_off_what_a_policy_names_is_allowed_with_a_warning(desk: Client) -> None:
    segment = kept("some")
    writing.save_draft(naming("some", in_step=False), actor="agent:ada", at=moment())
    response = desk.post(page(segment), {**form(BRITISH), "active": ""}, follow=True)
    assert f"some is switched off, and named by {PolicyVersion.objects.get()}." in text_of(response)
    assert not Segment.objects.get().active


def test_a_segment_nobody_names_is_deleted_with_an_event(desk: Client) -> None:
    segment = kept("some")
    assert desk.post(page(segment, "delete"), {"post": "yes"}).status_code == 302
    assert not Segment.objects.exists()
    assert AccountEvent.objects.filter(kind=kinds.SEGMENT_CHANGED, payload__removed=True).count() == 1


# --- What a rule finds ------------------------------------------------------------------------------------------------


def test_the_panel_tells_the_rule_the_count_and_a_sample(desk: Client) -> None:
    rich = owing("120.00", customer=make_customer(name="Rich & Daughter"))
    for _ in range(3):
        make_account()
    said = {"all": [{"fact": "past_due", "at_least": "50"}, {"fact": "has_parent", "is": False}]}
    shown = text_of(desk.post(PREVIEW, form(said)))
    assert "Accounts where past due amount at least 50 in the account&#x27;s currency, and" in shown
    assert "1 of 4 accounts (25.0 %)" in shown
    assert f"{rich.ref} Rich &amp; Daughter 120.00 EUR 120.00 no" in shown


def test_a_rule_that_finds_nobody_says_so_without_a_table(desk: Client) -> None:
    make_account()
    response = desk.post(PREVIEW, form(rule("country", **{"is": "DE"})))
    assert "0 of 1 account (0.0 %)" in text_of(response)
    assert "<table" not in response.content.decode()


def test_a_search_that_takes_too_long_is_stopped_and_said(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = kept("some")
    monkeypatch.setattr(segment_admin, "PATIENCE_SECONDS", 1)
    make_account()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_customer RENAME TO some_customers")
        cursor.execute("CREATE VIEW accounts_customer AS SELECT * FROM some_customers WHERE pg_sleep(5) IS NOT NULL")
    response = desk.post(PREVIEW, form(BRITISH))
    assert "The book gave no answer within 1 seconds" in text_of(response)
    assert f'id="segment-count-{segment.pk}" class="segment-count" hx-swap-oob="true">see its page' in (
        desk.get(COUNTS).content.decode()
    )


# --- The list ---------------------------------------------------------------------------------------------------------


def test_the_list_asks_the_book_once_for_all_its_segments(desk: Client) -> None:
    owing("80.00")
    make_account(customer=make_customer(country="DE"))
    for number in range(12):
        kept(f"s{number}", BRITISH if number % 2 else rule("past_due", at_least="1.00"), active=number != 3)
    with CaptureQueriesContext(connection) as asked:
        assert "s11" in desk.get(LIST).content.decode()
    assert not [query for query in asked.captured_queries if "accounts_account" in query["sql"]]
    with CaptureQueriesContext(connection) as asked:
        content = desk.get(COUNTS).content.decode()
    assert len([query for query in asked.captured_queries if "accounts_account" in query["sql"]]) == 1
    for segment in Segment.objects.all():
        assert f'id="segment-count-{segment.pk}" class="segment-count" hx-swap-oob="true">1 (50.0 %)' in content


def test_the_order_of_the_list_is_saved_as_dragged(desk: Client) -> None:
    first, second = kept("first"), kept("second")
    fields = {
        "form-TOTAL_FORMS": "2",
        "form-INITIAL_FORMS": "2",
        "form-0-id": str(first.pk),
        "form-0-position": "1",
        "form-1-id": str(second.pk),
        "form-1-position": "0",
        "_save": "Save",
    }
    assert desk.post(LIST, fields).status_code == 302
    assert [row.code for row in segments.active()] == ["second", "first"]
    assert Segment.objects.get(code="first").changed_by == "agent:the-admin"
    positions = AccountEvent.objects.filter(kind=kinds.SEGMENT_CHANGED, actor="agent:the-admin")
    assert {event.payload["segment"]: event.payload["position"] for event in positions} == {"first": 1, "second": 0}


# --- Who may ----------------------------------------------------------------------------------------------------------


def test_a_supervisor_looks_and_changes_nothing() -> None:
    make_account(unapplied=Decimal(0))
    segment, client = kept("some"), browser("supervisor")
    listed = client.get(LIST).content.decode()
    assert "drag_indicator" not in listed
    assert 'name="form-0-position"' not in listed
    shown = client.get(page(segment))
    assert "country is GB" in text_of(shown)
    assert "<textarea" not in shown.content.decode()
    assert f'hx-get="{PREVIEW}?segment={segment.pk}"' in shown.content.decode()
    assert "1 of 1 account (100.0 %)" in text_of(client.get(f"{PREVIEW}?segment={segment.pk}"))
    assert client.post(page(segment), form(BRITISH, name="Mine")).status_code == 403
    assert client.get(ADD).status_code == 403
    assert client.post(page(segment, "delete"), {"post": "yes"}).status_code == 403
    assert Segment.objects.get().name == "Some"


def test_an_agent_does_not_get_in() -> None:
    segment, client = kept("some"), browser("agent")
    for address in (LIST, ADD, PREVIEW, COUNTS, page(segment), reverse("admin:dunning_segment_preview")):
        assert client.get(address).status_code in (302, 403)


# --- In a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def chromium(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright keeps a loop in this thread
    found = os.environ.get("DESK_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        connection.close()  # the loop's own, which nobody finds again once it has ended


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
    """The address of a desk that runs beside the test."""
    server = LiveServer("127.0.0.1")
    yield server.url
    server.stop()


@pytest.mark.django_db(transaction=True)
def test_rows_write_the_rule_and_the_panel_follows(address: str, chromium: Any) -> None:
    owing("120.00", product="tv")
    make_account(product="fiber")
    session = {
        "name": settings.SESSION_COOKIE_NAME,
        "value": browser("admin").cookies[settings.SESSION_COOKIE_NAME].value,
        "url": address,
    }
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    context.add_cookies([session])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address + ADD)
    panel = page.locator(".segment-beside")
    expect(panel).to_contain_text("It has no condition yet.")
    page.get_by_label("Fact of condition 1").select_option("past_due")
    page.get_by_label("Value of condition 1").fill("usd 10, EUR 100.00")
    expect(panel).to_contain_text("1 of 2 accounts (50.0 %)")
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("Fact of condition 2").select_option("product")
    page.get_by_label("Operator of condition 2").select_option("is_any_of")
    page.get_by_label("Value of condition 2").fill("fiber, dsl")
    page.get_by_label("How many of the conditions must hold").select_option("any")
    expect(panel).to_contain_text("2 of 2 accounts (100.0 %)")
    page.get_by_role("button", name="Add a condition").click()
    expect(panel).to_contain_text("Condition 3: names no fact.")
    page.get_by_label("Remove condition 3").click()
    expect(panel).to_contain_text("or product is fiber or dsl")
    page.get_by_label("Name").fill("Some")
    page.get_by_label("Code").fill("some")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    assert errors == []
    assert Segment.objects.get().rule == {
        "any": [
            {"fact": "past_due", "at_least": {"USD": "10", "EUR": "100.00"}},
            {"fact": "product", "is_any_of": ["fiber", "dsl"]},
        ]
    }
