"""A whole call by keyboard alone: dialled, checked, talked, said what came of it, and on to the next."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Account
from agents.models import Agent, Interaction, LiveCall
from tests.agents.test_views_browser import HEIGHT, WIDTH, browser, desk, opened, violations
from tests.agents.test_views_call import NUMBER, _where_it_is_noon
from tests.factories import make_agent, make_customer, make_item, owing

__all__ = ["browser", "desk"]


def late(name: str, **columns: Any) -> Account:
    customer = make_customer(
        name=name, country="BR", timezone=_where_it_is_noon(), phone=NUMBER, postal_code="SW1A 1AA",
        email="ann@example.org", **columns,
    )  # fmt: skip
    account = owing("123.45", "60.00", as_of=timezone.now().date(), customer=customer)
    make_item(account, score=50)
    return account


class Keys:
    """A keyboard that counts."""

    def __init__(self, page: Page) -> None:
        self.page, self.pressed = page, 0

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.pressed += 1


def on_the_phone(page: Page) -> None:
    expect(page.locator("[data-live=dialled]")).to_be_visible()


def test_no_answer_and_next_takes_four_keys(browser: Any, desk: str, committed: None) -> None:
    first, second = late("First Frida"), late("Second Sven")
    page = opened(browser, desk, make_agent(), f"/accounts/{first.ref}/")
    keys = Keys(page)

    keys.press("c")
    expect(page.locator("[data-dial]")).to_be_visible()
    keys.press("Enter")
    on_the_phone(page)
    keys.press("1")
    keys.press("Control+Enter")
    expect(page.locator("h1")).to_have_text("Second Sven")

    assert keys.pressed == 4
    row = Interaction.objects.get()
    assert (row.disposition, row.number, row.account_id) == ("no_answer", NUMBER, first.pk)
    assert LiveCall.objects.get().state == "logged"
    assert second.pk != first.pk


def test_a_conversation_by_keyboard_alone(browser: Any, desk: str, committed: None) -> None:
    account = late("Frida")
    late("Next Nora")
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")
    keys = Keys(page)

    keys.press("c")
    expect(page.locator("[data-dial]")).to_be_visible()
    keys.press("Enter")
    on_the_phone(page)
    expect(page.locator(".script .withheld").first).to_be_visible()
    keys.press("v")
    expect(page.locator("#identity-form [data-detail]:first-child :focus")).to_have_count(1)
    keys.press("m")  # the name
    keys.press("m")
    keys.press("m")
    expect(page.locator("#live")).to_contain_text("Verified")
    expect(page.locator(".script .withheld")).to_have_count(0)
    expect(page.locator("#script-card")).to_contain_text("183.45")
    keys.press("a")
    expect(page.locator("[data-live=ended]")).to_be_visible()
    keys.press("8")
    expect(page.locator("#id_nonpayment_reason")).to_be_visible()
    page.locator("#id_nonpayment_reason").focus()
    page.keyboard.press("L")  # in a list a word typed slowly is several words
    page.locator("#id_note").focus()
    page.keyboard.type("Calls back when she has work")
    keys.press("Control+Enter")
    expect(page.locator("h1")).to_have_text("Next Nora")

    row = Interaction.objects.get()
    assert (row.disposition, row.right_party, row.nonpayment_reason) == ("rpc_refused", True, "job_lost")
    assert row.wrap_seconds is not None
    assert row.note == "Calls back when she has work"


def test_every_outcome_is_reached_by_keys(browser: Any, desk: str, committed: None) -> None:
    account = late("Frida")
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/")
    page.keyboard.press("c")
    expect(page.locator("[data-dial]")).to_be_visible()
    codes = page.eval_on_selector_all("[name=disposition]", "rows => rows.map((row) => row.value)")

    page.keyboard.press("1")
    reached = set()
    for _ in codes:
        reached.add(page.locator("[name=disposition]:checked").input_value())
        page.keyboard.press("ArrowDown")
    assert reached == set(codes)
    page.keyboard.press("Shift+B")
    first = page.locator("[name=disposition]:checked").input_value()
    page.keyboard.press("Shift+B")
    assert {first, page.locator("[name=disposition]:checked").input_value()} == {"busy", "bankruptcy"}


def test_after_a_closed_laptop_the_call_and_its_words_are_there(browser: Any, desk: str, committed: None) -> None:
    account, nadia = late("Frida"), make_agent()
    page = opened(browser, desk, nadia, f"/accounts/{account.ref}/")
    page.keyboard.press("c")
    expect(page.locator("[data-dial]")).to_be_visible()
    page.keyboard.press("Enter")
    on_the_phone(page)
    page.keyboard.press("9")
    page.locator("#id_note").fill("A stranger has that number")
    with page.expect_response("**/keep/"):
        page.wait_for_timeout(5_500)
    page.context.close()

    again = opened(browser, desk, nadia, "/queue/")
    expect(again.locator(".note.warn")).to_contain_text("You were on the phone with Frida")
    again.keyboard.press("n")
    expect(again.locator("#work-form")).to_be_visible()
    expect(again.locator("#id_note")).to_have_value("A stranger has that number")
    again.keyboard.press("Control+Enter")
    expect(again.locator("[data-live]")).to_have_count(0)
    assert Interaction.objects.get().note == "A stranger has that number"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_call_is_readable_in_both_themes_and_fits(browser: Any, desk: str, committed: None, scheme: Any) -> None:
    account = late("Frida", language="es")
    nadia: Agent = make_agent()
    page = opened(browser, desk, nadia, f"/accounts/{account.ref}/", color_scheme=scheme)

    def check() -> None:
        assert violations(page) == []
        sizes = page.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
        assert sizes == [HEIGHT, WIDTH]

    page.keyboard.press("c")
    expect(page.locator("[data-dial]")).to_be_visible()
    check()
    page.keyboard.press("Enter")
    on_the_phone(page)
    check()
    page.keyboard.press("v")
    expect(page.locator("#identity-form")).to_be_visible()
    check()
    for _ in range(3):
        page.keyboard.press("m")
    expect(page.locator(".script .withheld")).to_have_count(0)
    check()
    page.keyboard.press("a")
    expect(page.locator("[data-live=ended]")).to_be_visible()
    check()
