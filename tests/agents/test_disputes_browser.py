"""The dispute desk in a browser: worked by keyboard with real files, light and dark, and for assistive technology."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.business_day import business_date
from accounts.models import Account
from agents import disputes, evidence
from agents.models import Agent, Dispute, DisputeEvidence
from tests.agents.some_files import mail, pdf, picture
from tests.agents.test_network_browser import browser, desk, opened, shot, violations
from tests.factories import make_agent, make_customer, make_item, owing

__all__ = ["browser", "desk"]

SCREEN = {"width": 1280, "height": 720}
LONG = "Roaming charges of a ferry that never left the harbour and whose mast caught a foreign network " * 3


def ready(page: Any) -> None:
    """Until the page listens to keys."""
    page.wait_for_function("document.readyState === 'complete' && typeof desk === 'object'")
    page.wait_for_load_state("networkidle")


def contested(name: str, amount: str = "30.00", *, on: int = 0, reason: str = "roaming", **columns: Any) -> Dispute:
    """A dispute that was opened so many days ago."""
    at = timezone.now() - timedelta(days=on)
    columns = {"email": "frida@example.com", "country": "GB", "language": "en"} | columns
    account = owing("100.00", "60.00", as_of=timezone.now().date(), customer=make_customer(name=name, **columns))
    return disputes.open_dispute(
        account_id=account.pk, bill_ref=account.bills.order_by("due_on")[0].ref, amount=Decimal(amount), reason=reason,
        note="I was at home all week, and never called France.", actor="agent:nadia", as_of=at.date(), at=at,
    )  # fmt: skip


def morning(agent: Agent) -> list[Dispute]:
    """A list with something of everything."""
    made = [
        contested("Late Larissa", on=60),
        contested("Soon Sanna", "12.00", on=54, reason="quality"),
        contested("Frida Fresh", country="IN"),
        contested("A company of a very long name, Sons & Daughters, Limited & Co. KGaA " * 2, reason=LONG[:60]),
        contested("Dieter Lang", country="DE", language="de", reason="not_mine"),
    ]  # fmt: skip
    now: dict[str, Any] = {"as_of": business_date(at=timezone.now()), "at": timezone.now()}
    disputes.assign(dispute_id=made[1].pk, to=agent, agent=agent, **now)
    disputes.move(dispute_id=made[1].pk, stage="billing", agent=agent, **now)
    gone = contested("Gone Gustav", on=5)
    disputes.resolve(dispute_id=gone.pk, outcome="upheld", actor="agent:omar", **now)
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_list_is_worked_by_keyboard(browser: Any, desk: str, scheme: str) -> None:
    lead = make_agent("supervisor", username="lena", first_name="Lena")
    morning(lead)
    page = opened(browser, desk, lead, "/disputes/?list=all", color_scheme=scheme, viewport=SCREEN)
    rows = page.locator("tr[data-entry]")
    expect(rows).to_have_count(5)
    expect(rows.first).to_be_focused()
    expect(rows.first).to_contain_text("Late Larissa")
    expect(rows.first.locator(".bad")).to_contain_text("d late")
    expect(rows.nth(1)).to_contain_text("due in")
    shot(page, f"disputes-{scheme}")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == SCREEN["width"]

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Space")
    page.keyboard.press("k")
    page.keyboard.press("k")
    page.keyboard.press("Space")
    expect(page.locator("#chosen")).to_have_text("2 ticked")
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_contain_text("2 disputes are with Lena now")
    ready(page)
    assert Dispute.objects.filter(assigned_to=lead).count() == 3
    expect(rows.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("€30.00 contested")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_dispute_is_looked_into_and_decided_by_keyboard(
    browser: Any, desk: str, scheme: str, tmp_path: Path
) -> None:
    lead = make_agent("supervisor", username="lena", first_name="Lena")
    dispute = contested("Frida Fresh", on=2)
    at = timezone.now()
    told: dict[str, Any] = {"actor": "agent:nadia", "as_of": business_date(at=at), "at": at}
    evidence.add(dispute_id=dispute.pk, name="ferry.jpg", content=picture("JPEG", (1200, 800), "navy"), **told)
    evidence.add(dispute_id=dispute.pk, name="her-mail.eml", content=mail(("shot.png", picture())), **told)
    (tmp_path / "bill of another operator.pdf").write_bytes(pdf())
    (tmp_path / "run.pdf").write_bytes(b"MZ" + b"\x00" * 100)
    page = opened(browser, desk, lead, f"/disputes/{dispute.ref}/", color_scheme=scheme, viewport=SCREEN)
    expect(page.locator(".small-picture img")).to_have_count(1)
    assert page.locator(".small-picture img").evaluate("img => img.decode().then(() => img.naturalWidth)") == 160

    ready(page)
    page.keyboard.press("a")
    expect(page.locator(".toast").first).to_contain_text("Lena works on it now")
    ready(page)
    page.keyboard.press("r")
    expect(page.locator(".strip")).to_contain_text("Looked into")
    ready(page)
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("e")
    chooser.value.set_files(tmp_path / "run.pdf")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Keep").press("Enter")
    expect(page.locator("#id_evidence-errors")).to_contain_text("none of what can be kept")
    ready(page)
    assert violations(page) == []
    page.locator("#id_evidence").set_input_files(tmp_path / "bill of another operator.pdf")
    page.get_by_role("button", name="Keep").press("Enter")
    expect(page.locator(".files")).to_contain_text("bill of another operator.pdf")
    ready(page)
    page.keyboard.press("t")
    page.keyboard.type("Billing says: four calls were hers.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".past")).to_contain_text("four calls were hers")
    ready(page)

    page.keyboard.press("d")
    expect(page.locator("[value=upheld]")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("12.50")
    page.keyboard.press("Tab")
    page.keyboard.type("Four calls came from your line, six did not.")
    expect(page.locator("#letter")).to_contain_text("six did not", timeout=5000)
    expect(page.locator("#letter")).to_contain_text("€12.50")
    expect(page.locator("#letter")).to_contain_text("€17.50")
    shot(page, f"dispute-{scheme}")
    assert violations(page) == []
    assert page.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]") == [720, 1280]
    page.locator("#decision .btn.first").press("Enter")
    expect(page.locator(".toast").first).to_contain_text("Dispute upheld")
    expect(page.locator(".zone.left")).to_contain_text("desk-credit-")
    shot(page, f"dispute-decided-{scheme}")
    assert violations(page) == []
    dispute.refresh_from_db()
    assert (dispute.outcome, dispute.credited) == ("upheld", Decimal("12.50"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_opened_on_the_account_with_its_evidence(browser: Any, desk: str, scheme: str, tmp_path: Path) -> None:
    customer = make_customer(name="Frida Fresh", email="frida@example.com")
    account: Account = owing("100.00", "60.00", as_of=timezone.now().date(), customer=customer)
    make_item(account)
    (tmp_path / "ferry.png").write_bytes(picture())
    (tmp_path / "page.html").write_bytes(b"<html><script>alert(1)</script>")
    page = opened(browser, desk, make_agent(), f"/accounts/{account.ref}/", color_scheme=scheme, viewport=SCREEN)

    page.keyboard.press("d")
    expect(page.locator("#id_bill")).to_be_focused()
    page.locator("#id_note").fill("I was on a ferry")
    page.locator("#id_evidence").set_input_files(tmp_path / "page.html")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#work .errors")).to_contain_text("none of what can be kept")
    shot(page, f"dispute-panel-{scheme}")
    assert violations(page) == []
    expect(page.locator("#id_note")).to_have_value("I was on a ferry")
    page.locator("#id_evidence").set_input_files(tmp_path / "ferry.png")
    page.locator("#id_amount").fill("500")
    page.locator("[data-save]").press("Enter")
    expect(page.locator("#work [role=alert]")).to_contain_text("is open and undisputed")
    page.locator("#id_amount").fill("20.00")
    page.locator("[data-save]").press("Enter")
    expect(page.locator(".toast").first).to_contain_text("Dispute opened")

    assert DisputeEvidence.objects.get().name == "ferry.png", "what was chosen stayed chosen"


@pytest.mark.parametrize("address", ["/disputes/", "/disputes/?list=mine", "/disputes/?list=all&stage=billing"])
def test_nothing_waits(browser: Any, desk: str, address: str) -> None:
    page = opened(browser, desk, make_agent(), address, viewport=SCREEN)

    expect(page.locator(".empty").first).to_be_visible()
    shot(page, f"disputes-empty-{len(address)}")
    assert violations(page) == []


def test_very_long_words_break_no_page(browser: Any, desk: str) -> None:
    lead = make_agent("supervisor")
    word = "Donaudampfschifffahrtsgesellschaftskapitänswitwenrentenauszahlungsstelle" * 4
    dispute = contested(word[:200], reason=word[:60])
    at = timezone.now()
    told: dict[str, Any] = {"actor": "agent:nadia", "as_of": business_date(at=at), "at": at}
    evidence.add(dispute_id=dispute.pk, name=f"{word}.pdf", content=pdf(), **told)
    disputes.note(dispute_id=dispute.pk, text=word * 5, **told)
    Dispute.objects.update(note=word * 6)

    for address in ("/disputes/?list=all", f"/disputes/{dispute.ref}/"):
        page = opened(browser, desk, lead, address, viewport=SCREEN)
        shot(page, f"dispute-long-{len(address)}")
        assert page.evaluate("document.documentElement.scrollWidth") == SCREEN["width"]
        sideways = "document.querySelectorAll('.zone, .card, .scroll, .body')"
        spilt = page.evaluate(f"[...{sideways}].filter((part) => part.scrollWidth > part.clientWidth + 1).length")
        assert spilt == 0
        page.context.close()


def test_at_twice_the_size_and_from_right_to_left_nothing_is_lost(browser: Any, desk: str) -> None:
    lead = make_agent("supervisor")
    made = morning(lead)
    for address in ("/disputes/?list=all", f"/disputes/{made[0].ref}/"):
        page = opened(browser, desk, lead, address, viewport={"width": 640, "height": 720})
        assert violations(page) == []
        page.context.close()
    lead.interface_language = "ar"
    lead.save(update_fields=["interface_language"])
    for address in ("/disputes/?list=all", f"/disputes/{made[0].ref}/"):
        page = opened(browser, desk, lead, address, viewport=SCREEN)
        assert page.evaluate("document.documentElement.dir") == "rtl"
        assert page.evaluate("document.documentElement.scrollWidth") == SCREEN["width"]
        shot(page, f"dispute-rtl-{len(address)}")
        page.context.close()
