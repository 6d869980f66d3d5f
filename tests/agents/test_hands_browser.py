"""The desk under the hands: keys, the palette, a slip taken back, a lost network, a crash, a double press."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Account
from agents import calls, queue
from agents.models import Agent, Interaction, Note, WorkItem
from tests.agents.test_views_browser import browser as browser
from tests.agents.test_views_browser import desk as desk
from tests.agents.test_views_browser import late_account, opened, violations
from tests.factories import make_agent, make_item

ON_ACCOUNT = ("", "c", "p", "i", "d", "t", "h")


@pytest.fixture
def worked(desk: str) -> tuple[Agent, Account, Account]:
    """An agent with two accounts in the queue, the first on top."""
    nadia = make_agent(username="nadia")
    first, second = late_account("First Frida"), late_account("Second Sven")
    make_item(first, score=90)
    make_item(second, score=10)
    return nadia, first, second


def keys_on(page: Page) -> list[str]:
    """The keys of all that can be pressed; what lists them comes a moment after the page."""
    page.wait_for_function("() => desk.actions !== undefined")
    keys: list[str] = page.evaluate("desk.actions().filter((one) => one.key).map((one) => one.key)")
    return keys


def opens(page: Page, key: str) -> None:
    page.keyboard.press(key)
    page.locator("#work-form").wait_for()


def test_no_key_does_two_things_on_any_page_and_whatever_can_be_pressed_can_be_found(browser: Any, desk: str) -> None:
    account = late_account("Frida")
    make_item(account)
    agent, supervisor = make_agent(), make_agent("supervisor")
    visits = [(agent, address, "") for address in ("/queue/", "/day/", "/inbox/", "/search/?q=frida")]
    visits += [(agent, f"/accounts/{account.ref}/", key) for key in ON_ACCOUNT]
    visits += [(agent, f"/accounts/{account.ref}/summary/", "")]
    visits += [(supervisor, f"/supervise/{part}", "") for part in ("", "approvals/", "messages/", "network/")]
    visits += [(supervisor, f"/accounts/{account.ref}/", "")]
    for person, address, key in visits:
        page = opened(browser, desk, person, address)
        if key:
            opens(page, key)
        found = keys_on(page)
        assert sorted(found) == sorted(set(found)), f"{address} {key}"
        missing = page.evaluate(
            """() => {
                const known = new Set(desk.actions().map((one) => one.element));
                return desk.$$("main button, main summary, main a.btn")
                    .filter((one) => desk.visible(one) && !one.disabled && !known.has(one))
                    .map((one) => one.outerHTML);
            }"""
        )
        assert missing == [], f"{address} {key}"
        page.context.close()


def test_the_list_of_keys_is_made_of_what_is_on_the_page(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")

    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    listed = page.locator("#keys-here kbd").all_text_contents()
    assert {"c", "p", "i", "d", "t", "h", "n", "e", "b"} <= set(listed)
    page.keyboard.press("Escape")
    page.goto(f"{desk}/day/")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    assert "p" not in page.locator("#keys-here kbd").all_text_contents()


def test_focus_is_never_lost(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")

    for key in "tdh":
        opens(page, key)
        assert page.evaluate("document.activeElement.closest('#work-form') !== null"), key
        page.keyboard.press("Escape")
        expect(page.locator(f"[data-key={key}]")).to_be_focused()
    opens(page, "t")
    page.keyboard.type("Seen")
    page.locator("[data-save]").press("Enter")
    expect(page.locator(".toast")).to_contain_text("Note added.")
    expect(page.locator("[data-key=t]")).to_be_focused()


def test_letters_work_on_a_keyboard_of_another_alphabet(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")

    page.evaluate("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'ف', code: 'KeyT', bubbles: true}))")

    expect(page.locator("#work-form")).to_have_attribute("data-act", "note")


# --- the palette ------------------------------------------------------------------------------------------------------


def test_the_palette_opens_at_once_and_does_what_is_chosen(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    took = page.evaluate(
        """() => { const began = performance.now();
            const keys = {key: 'k', code: 'KeyK', ctrlKey: true, bubbles: true};
            document.body.dispatchEvent(new KeyboardEvent('keydown', keys));
            return [desk.$('#palette').open, performance.now() - began]; }"""
    )
    assert took[0]
    assert took[1] < 50
    field = page.locator("#palette input")
    expect(field).to_be_focused()
    page.keyboard.type("nte")
    expect(page.locator("#palette [aria-selected=true]")).to_contain_text("Note")
    assert field.get_attribute("aria-activedescendant") == page.locator("#palette [aria-selected=true]").get_attribute(
        "id"
    )
    page.keyboard.press("Enter")

    expect(page.locator("#work-form")).to_have_attribute("data-act", "note")


def test_the_palette_logs_a_call_by_its_outcome(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")

    page.keyboard.press("Control+k")
    page.keyboard.type("log no answer")
    expect(page.locator("#palette [aria-selected=true]")).to_contain_text("No answer")
    page.keyboard.press("Enter")

    expect(page.locator("#outcome [name=disposition][value=no_answer]")).to_be_checked()


def test_the_palette_finds_recent_and_any_accounts_and_pages(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, second = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    page.goto(f"{desk}/day/")

    page.keyboard.press("Control+k")
    expect(page.locator("#palette [role=option]", has_text="First Frida").first).to_be_visible()
    page.keyboard.type("second")
    expect(page.locator("#palette [role=option]", has_text="Second Sven")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{desk}/accounts/{second.ref}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("inbox")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{desk}/inbox/")


def test_the_palette_says_when_nothing_is_found_and_when_the_desk_is_away(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    page.wait_for_function("() => desk.actions !== undefined")

    page.context.set_offline(True)
    page.keyboard.press("Control+k")
    expect(page.locator("#palette [role=status]")).to_contain_text("cannot be reached")
    page.keyboard.type("qqqqqqqq")
    expect(page.locator("#palette-list")).to_contain_text("Nothing found")
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    expect(page.locator("body")).to_be_focused()


# --- a slip taken back ------------------------------------------------------------------------------------------------


def test_a_slip_is_taken_back_from_the_next_account(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "t")
    page.keyboard.type("On the wrong account")
    page.keyboard.press("Control+Enter")
    expect(page.locator("h1")).to_have_text("Second Sven")
    expect(page.locator(".toast [data-left]")).to_have_text(re.compile(r"0:[345]\d"))

    page.keyboard.press("Control+z")

    expect(page.locator(".toast")).to_contain_text("Taken back: Note added.")
    assert Note.objects.get().undone_at is not None
    assert WorkItem.objects.get(account=first).done_at is None
    page.keyboard.press("g")
    expect(page).to_have_url(f"{desk}/accounts/{first.ref}/")


def test_the_offer_stays_for_its_minute_whatever_page_is_opened_and_typing_keeps_its_own_undo(
    browser: Any, worked: Any, desk: str
) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "t")
    page.keyboard.type("Slip")
    page.locator("[data-save]").click()
    expect(page.locator("#toasts [data-undo]")).to_be_visible()
    page.goto(f"{desk}/day/")
    expect(page.locator("#toasts [data-undo]")).to_be_visible()
    page.goto(f"{desk}/accounts/{first.ref}/")
    opens(page, "t")
    page.keyboard.type("More words")
    page.keyboard.press("Control+z")
    assert Note.objects.get().undone_at is None
    page.keyboard.press("Escape")

    page.keyboard.press("F6")
    expect(page.locator("[data-undo] button")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#timeline")).not_to_contain_text("Slip")


# --- half-typed work --------------------------------------------------------------------------------------------------


def test_what_was_typed_a_moment_before_a_crash_is_offered_and_restored(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "h")
    page.locator("#work-form [name=note]").fill("Was on a ferry, card 4111 1111 1111 1111")
    kept = page.evaluate("JSON.stringify(localStorage)")
    assert "ferry" in kept
    assert "4111 1111" not in kept
    page.close()

    again = page.context.new_page()
    again.goto(f"{desk}/accounts/{first.ref}/")
    expect(again.locator(".toast")).to_contain_text("You were typing here at")
    again.keyboard.press("f")

    expect(again.locator("#work-form [name=note]")).to_have_value("Was on a ferry, card **** **** **** 1111")


def test_what_was_typed_is_offered_in_its_form_and_may_be_thrown_away(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "h")
    page.locator("#work-form [name=note]").fill("Was on a ferry")
    page.close()
    again = page.context.new_page()
    again.goto(f"{desk}/accounts/{first.ref}/")
    opens(again, "h")
    expect(again.locator("[data-offer]")).to_contain_text("You were typing this at")

    again.get_by_role("button", name="Discard").first.click()

    assert "ferry" not in again.evaluate("JSON.stringify(localStorage)")
    expect(again.locator("#work-form [name=note]")).to_have_value("")


def test_nothing_stays_on_a_shared_machine(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "h")
    page.locator("#work-form [name=note]").fill("Was on a ferry")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/login/"))

    assert page.evaluate("localStorage.length") == 0


def test_what_was_saved_is_kept_here_no_longer(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "t")
    page.keyboard.type("Seen")
    assert page.evaluate("localStorage.length") == 1
    page.locator("[data-save]").click()
    expect(page.locator(".toast")).to_contain_text("Note added.")

    assert page.evaluate("localStorage.length") == 0


def test_a_save_without_a_network_waits_in_sight_and_is_sent_once(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "t")
    page.keyboard.type("Said on the train")
    page.context.set_offline(True)
    page.keyboard.press("Control+Enter")
    waits = page.locator(".toast", has_text="Not sent yet")
    expect(waits).to_contain_text("Note")
    assert not Note.objects.exists()
    assert page.locator("#work-form").evaluate("form => form.inert")

    page.context.set_offline(False)

    expect(page.locator("h1")).to_have_text("Second Sven", timeout=20_000)
    assert Note.objects.get().text == "Said on the train"
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('desk ')).length") == 0


def test_a_closed_laptop_sends_what_waited_when_it_is_opened_again(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "t")
    page.keyboard.type("Said on the train")
    page.context.set_offline(True)
    page.locator("[data-save]").click()
    expect(page.locator(".toast", has_text="Not sent yet")).to_be_visible()
    context = page.context
    page.close()
    context.set_offline(False)

    again = context.new_page()
    again.goto(f"{desk}/queue/")

    expect(again.locator(".toast", has_text="Sent: Note")).to_be_visible()
    assert Note.objects.get().text == "Said on the train"


def test_what_waits_is_taken_back_before_it_is_sent(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "t")
    page.keyboard.type("Better not")
    page.context.set_offline(True)
    page.locator("[data-save]").click()
    page.get_by_role("button", name="Take back").click()

    expect(page.locator("#id_text")).to_be_focused()
    expect(page.locator("#id_text")).to_have_value("Better not")
    page.context.set_offline(False)
    page.wait_for_timeout(1_000)
    assert not Note.objects.exists()


def test_save_and_next_pressed_twice_logs_one_call(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "c")
    page.keyboard.press("1")
    page.locator("#outcome [value=inbound]").check()
    statuses = page.evaluate(
        """async () => {
            const typed = new FormData(desk.form());
            typed.set("then", "next");
            const body = new URLSearchParams(typed);
            const send = () => fetch(desk.form().action, {method: "POST", headers: desk.headers(), body});
            return (await Promise.all([send(), send(), send()])).map((answer) => answer.status);
        }"""
    )

    assert statuses == [204, 204, 204]
    assert Interaction.objects.count() == 1
    assert WorkItem.objects.filter(claimed_by=nadia, done_at=None).count() == 1


def test_a_lost_account_says_who_has_it_and_keeps_the_words(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    boss = make_agent("supervisor", first_name="Bea")
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "h")
    page.locator("#work-form [name=note]").fill("Dear to me")
    queue.take_over(account_id=first.pk, agent=boss, at=timezone.now())

    expect(page.locator(".toast.error").first).to_contain_text(
        re.compile("Bea (is working|works) on this"), timeout=8_000
    )
    expect(page.locator("#work-form [name=note]")).to_have_value("Dear to me")
    page.get_by_role("link", name="Open again").first.click()

    expect(page.locator(".toast", has_text="You were typing here")).to_be_visible()


# --- news -------------------------------------------------------------------------------------------------------------


def test_what_happens_meanwhile_appears_without_moving_the_focus_or_the_words(
    browser: Any, worked: Any, desk: str
) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    opens(page, "t")
    page.keyboard.type("Half a w")
    now = timezone.now()
    calls.add_note(account_id=first.pk, text="From Luis", actor="agent:luis", as_of=now.date(), at=now)
    WorkItem.objects.create(
        account=late_account("Callback Carla"), created_at=now, not_before=now + timedelta(minutes=3), kept_for=nadia
    )

    expect(page.locator("#timeline")).to_contain_text("From Luis", timeout=20_000)
    expect(page.locator(".toast", has_text="Call back Callback Carla")).to_be_visible(timeout=20_000)
    expect(page.locator("#id_text")).to_be_focused()
    page.keyboard.type("ord")
    expect(page.locator("#id_text")).to_have_value("Half a word")


def test_at_most_four_messages_and_errors_stay(browser: Any, worked: Any, desk: str) -> None:
    nadia, first, _ = worked
    page = opened(browser, desk, nadia, f"/accounts/{first.ref}/")
    page.evaluate("desk.say('It went wrong', 'error'); for (let n = 0; n < 6; n++) desk.say(`Calm ${n}`)")

    expect(page.locator(".toast")).to_have_count(4)
    expect(page.locator(".toast.error")).to_be_visible()
    page.keyboard.press("F6")
    page.keyboard.press("Escape")
    expect(page.locator(".toast")).to_have_count(3)


# --- for everybody ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scale", [1, 2])
def test_the_hands_have_no_accessibility_violations(
    browser: Any, worked: Any, desk: str, scheme: str, scale: int
) -> None:
    nadia, first, _ = worked
    view = {"width": 1280 // scale, "height": 720 // scale}
    for address, key in (
        ("/day/", ""),
        (f"/accounts/{first.ref}/summary/", ""),
        (f"/accounts/{first.ref}/", "Control+k"),
        (f"/accounts/{first.ref}/", "?"),
    ):
        page = opened(browser, desk, nadia, address, color_scheme=scheme, viewport=view, device_scale_factor=scale)
        if key:
            page.keyboard.press(key)
            page.locator("dialog[open]").wait_for()
        if address == "/day/":
            page.locator(".menu summary").click()
        page.evaluate("desk.say('A calm word', 'success', ['Do it', () => 0, 'g']); desk.say('A hard word', 'error')")
        assert violations(page) == [], f"{address} {key}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{address} {key}"
        page.context.close()


def test_in_arabic_the_page_is_mirrored(browser: Any, desk: str) -> None:
    nadia = make_agent(interface_language="ar")
    account = late_account("فريدة")
    make_item(account)
    page = opened(browser, desk, nadia, f"/accounts/{account.ref}/")

    left, right = (page.locator(zone).bounding_box() for zone in (".zone.left", ".zone.right"))
    assert left is not None
    assert right is not None
    assert left["x"] > right["x"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
