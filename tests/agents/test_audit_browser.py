"""The audit trail in a browser: a search by keyboard, files that arrive, light and dark, assistive technology."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts import audit, events
from accounts.models import SealedHead
from tests.agents.test_views_browser import browser, desk, late_account, opened, violations
from tests.factories import make_agent

__all__ = ["browser", "desk"]


@pytest.fixture(autouse=True)
def key(settings: Any, tmp_path: Path) -> None:
    settings.DESK_AUDIT_KEY = str(tmp_path / "audit-key")


def history() -> str:
    """Events of an account and of the desk, some of them sealed; the account's reference."""
    account, at = late_account("Frida Fjord"), timezone.now()
    audit.seal(at=at)
    for kind, actor, payload in (
        ("dunning.step.taken", "policy:residential@3", {"step": "final-notice", "overdue": "160.000", "bills": ["B1"]}),
        ("dunning.contact.refused", "agent:nadia", {"channel": "call", "outcome": "BLOCK", "rules": ["UK-CONT-01"]}),
        ("agents.promise.made", "agent:nadia", {"amount": "40.00", "due_on": "2026-11-27"}),
    ):
        policy = actor.removeprefix("policy:") if actor.startswith("policy:") else ""
        events.record(
            account_id=account.pk, kind=kind, actor=actor, at=at, on=at.date(), policy=policy, payload=payload,
            reason="It is too early there." if "refused" in kind else "",
        )  # fmt: skip
    events.record(account_id=None, kind="dunning.policy.published", actor="agent:adam", at=at, on=at.date())
    return account.ref


def test_a_search_by_keyboard_narrows_the_trail_and_stands_in_the_address(browser: Any, desk: str) -> None:
    history()
    page = opened(browser, desk, make_agent("supervisor"), "/supervise/audit/")
    page.wait_for_load_state("load")

    page.locator("#id_actor").focus()
    page.keyboard.type("nadia")
    page.locator("#id_kind").select_option("promise")
    page.locator("#id_actor").press("Enter")

    expect(page.locator(".trail tbody tr")).to_have_count(1)
    expect(page.locator(".trail tbody tr")).to_contain_text("Promise to pay")
    assert "actor=nadia" in page.url
    assert "kind=promise" in page.url
    page.locator(".trail tbody a.mono").click()
    expect(page.locator("h1")).to_have_text("Audit trail")
    expect(page.locator(".title")).to_contain_text("Frida Fjord")


def test_a_head_a_csv_and_the_accounts_file_arrive(browser: Any, desk: str) -> None:
    ref = history()
    page = opened(browser, desk, make_agent("supervisor"), "/supervise/audit/")
    page.wait_for_load_state("load")

    with page.expect_download() as head:
        page.get_by_role("button", name="Give out the head").click()
    assert "signature: ed25519" in head.value.path().read_text()
    assert SealedHead.objects.count() == 1
    with page.expect_download() as found:
        page.get_by_role("link", name="All of these as CSV").click()
    assert "UK-CONT-01" in found.value.path().read_text()
    page.goto(f"{desk}/supervise/accounts/{ref}/audit/")
    page.wait_for_load_state("load")
    with page.expect_download() as file:
        page.get_by_role("button", name="PDF").click()
    assert file.value.path().read_bytes().startswith(b"%PDF-")
    assert file.value.suggested_filename == f"account-{ref}.pdf"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_the_way_of_assistive_technology(browser: Any, desk: str, scheme: str) -> None:
    ref = history()
    person = make_agent("supervisor")
    for address in ("/supervise/audit/", "/supervise/audit/?rule=UK-CONT-01", "/supervise/audit/?account=NOBODY",
                    f"/supervise/accounts/{ref}/audit/"):  # fmt: skip
        page = opened(browser, desk, person, address, color_scheme=scheme)
        page.wait_for_load_state("load")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        page.context.close()
