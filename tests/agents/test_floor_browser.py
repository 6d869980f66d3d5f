"""The live floor as a supervisor watches it: what happens appears by itself, quietly, in both themes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from agents import queue, streams, team_messages, watching
from agents.models import Agent, LiveCall, MessageSeen, Stretch, WorkItem
from tests.agents.test_views_browser import browser, desk, late_account, opened, violations
from tests.factories import make_account, make_agent, make_item, make_team

__all__ = ["browser", "desk"]

FLOOR = "/supervise/floor/"


@pytest.fixture(autouse=True)
def own_streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Places of this test's own, all of which end with it, and no look of an earlier one."""
    own = streams.Streams()
    monkeypatch.setattr(streams, "OPEN", own)
    watching.FLOOR.forget_all()
    yield
    own.stop()


def a_busy_floor() -> list[Agent]:
    at = timezone.now()
    north = make_team("North")
    names = ("Nadia Novak", "Lena Lark", "Omar Odeh", "Priya Patel", "Tom Tell")
    people = []
    for number, name in enumerate(names):
        first, last = name.split()
        agent = make_agent(first_name=first, last_name=last, team=north, username=first.lower())
        what = "break" if number == 4 else "work"
        Stretch.objects.create(agent=agent, what=what, begun_at=at - timedelta(hours=2), seen_at=at)
        people.append(agent)
    for agent, minutes in zip(people, (3, 25, 12), strict=False):
        item = make_item(make_account(segment="gold"), team=north, created_at=at)
        WorkItem.objects.filter(pk=item.pk).update(
            claimed_by=agent, claimed_at=at - timedelta(minutes=minutes), lease_until=at + timedelta(minutes=9)
        )
        if minutes == 12:
            LiveCall.objects.create(
                ref="L1", account=item.account, agent=agent, state="answered", begun_at=at, answered_at=at
            )
    for number in range(8):
        make_item(make_account(segment=("gold", "silver")[number % 2]), created_at=at - timedelta(hours=9 * number))
    make_item(make_account(), kept_for=people[0], not_before=at - timedelta(minutes=40), created_at=at)
    return people


def watched(browser: Any, desk: str, person: Agent) -> Page:
    page = opened(browser, desk, person, FLOOR)
    page.wait_for_load_state("load")
    expect(page.locator("[data-state]")).to_have_class("light good")
    return page


def test_a_claim_appears_without_a_reload_and_keeps_the_focus(browser: Any, desk: str) -> None:
    people = a_busy_floor()
    item = make_item(make_account(), created_at=timezone.now())
    page = watched(browser, desk, make_agent("supervisor"))
    page.evaluate("() => { window.here = true; }")
    move = page.get_by_role("link", name="from Nadia Novak")
    move.focus()
    row = page.locator("tr", has_text="Priya Patel")
    expect(row).to_contain_text("Between accounts")

    queue.claim(account_id=item.account_id, agent=people[3], at=timezone.now())

    expect(row).to_contain_text("On an account", timeout=10_000)
    expect(row).to_contain_text(item.account.ref)
    expect(page.get_by_role("link", name="from Nadia Novak")).to_be_focused()
    assert page.evaluate("() => window.here")


def test_paused_nothing_changes_until_it_goes_on(browser: Any, desk: str) -> None:
    a_busy_floor()
    page = watched(browser, desk, make_agent("supervisor"))
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-state]")).to_have_text("Paused")
    zoe = make_agent(first_name="Zoe")
    Stretch.objects.create(agent=zoe, what="work", begun_at=timezone.now(), seen_at=timezone.now())
    page.wait_for_timeout(4_500)
    expect(page.locator("[data-part=people]")).not_to_contain_text("Zoe")

    page.get_by_role("button", name="Pause").click()

    expect(page.locator("[data-part=people]")).to_contain_text("Zoe", timeout=10_000)


def test_without_room_for_a_stream_it_is_asked_for(browser: Any, desk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a_busy_floor()
    monkeypatch.setattr(streams, "OPEN", streams.Streams(most=0))
    page = opened(browser, desk, make_agent("supervisor"), FLOOR)

    expect(page.locator("[data-state]")).to_have_text("Every ten seconds")
    zoe = make_agent(first_name="Zoe")
    Stretch.objects.create(agent=zoe, what="work", begun_at=timezone.now(), seen_at=timezone.now())
    expect(page.locator("[data-part=people]")).to_contain_text("Zoe", timeout=20_000)


def test_nothing_is_read_out_by_itself_and_one_sentence_when_asked(browser: Any, desk: str) -> None:
    a_busy_floor()
    page = watched(browser, desk, make_agent("supervisor"))
    assert page.locator(".floor").get_attribute("aria-live") == "off"
    assert page.locator(".floor [role=status], .floor [aria-live=polite]").count() == 0
    expect(page.locator("[data-said]")).to_be_hidden()

    page.get_by_role("button", name="Sum up").click()

    expect(page.locator("[data-said]")).to_contain_text("Callbacks missed: 1")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("address", [FLOOR, f"{FLOOR}list/?segment=gold&act=pin&reason=campaign", f"{FLOOR}messages/"])
def test_no_barrier_is_found(browser: Any, desk: str, theme: str, address: str) -> None:
    at = timezone.now()
    sam = make_agent("supervisor", theme=theme)
    a_busy_floor()
    team_messages.send(text="The lines are down", team=None, until=at + timedelta(hours=1), agent=sam, at=at)
    page = opened(browser, desk, sam, address, color_scheme=theme, reduced_motion="reduce")
    page.wait_for_load_state("load")

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_agent_reads_a_message_on_every_page_until_they_saw_it(browser: Any, desk: str) -> None:
    nadia, sam = make_agent(), make_agent("supervisor", username="sam")
    account, at = late_account("Frida"), timezone.now()
    make_item(account)
    team_messages.send(text="The lines are down", team=None, until=at + timedelta(hours=1), agent=sam, at=at)
    page = opened(browser, desk, nadia, "/queue/")
    told = page.locator("[data-message]")
    expect(told).to_contain_text("The lines are down", timeout=10_000)
    page.goto(f"{desk}/accounts/{account.ref}/")
    expect(told).to_contain_text("sam, ", timeout=10_000)

    with page.expect_response("**/seen/"):
        told.get_by_role("button", name="Seen").click()

    expect(told).to_have_count(0)
    assert MessageSeen.objects.get().agent == nadia
