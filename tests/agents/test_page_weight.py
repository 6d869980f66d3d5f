"""What the account's page weighs for a browser that has nothing of it yet, as it is served: everything added up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Response

from accounts.models import Account
from agents.models import Agent, Instalment, Interaction, Plan
from collections_desk.static_files import SmallStaticFiles, small
from tests.agents.test_account_page import everything, in_a_case
from tests.agents.test_views_browser import browser, desk, opened
from tests.factories import make_agent, make_customer, make_item, make_service, owing

__all__ = ["browser", "desk"]

#: Bytes, before any compression.
MOST = 150_000


def weighed(browser: Any, address: str, person: Agent, account: str) -> dict[str, int]:
    """The bytes of every answer by its name, unpacked; our own scripts and styles as a server gives them out."""
    answers: list[Response] = []
    page = opened(browser, address, person, "/healthz/")
    page.on("response", lambda answer: answers.append(answer))
    page.goto(f"{address}/accounts/{account}/")
    page.wait_for_load_state("networkidle")
    sizes: dict[str, int] = {}
    for answer in answers:
        if answer.status == 200 and "favicon" not in answer.url:
            name, body = answer.url.removeprefix(address), answer.body()
            sizes[name] = len(served(name.removeprefix("/static/").partition("?")[0], body))
    page.context.close()
    return sizes


def served(name: str, body: bytes) -> bytes:
    return small(name, body.decode()).encode()


def test_the_page_weighs_less_than_150_kb(browser: Any, desk: str) -> None:
    nadia = make_agent()
    usual = owing("100.00", "60.00", as_of=timezone.now().date(), customer=make_customer(country="GB"))
    make_item(usual)
    busy = busy_account(nadia)

    for account in (usual, busy):
        sizes = weighed(browser, desk, nadia, account.ref)
        assert sum(sizes.values()) < MOST, sorted(sizes.items())
        assert any(name.endswith(".css") for name in sizes)
        assert any(name.endswith(".js") for name in sizes)


def busy_account(agent: Agent) -> Account:
    """What an agent calls a lot: ten open bills, four lines, two other accounts, a plan, and months of calls."""
    today, now = timezone.now().date(), timezone.now()
    account = owing(*["40.00"] * 10, as_of=today, customer=make_customer(name="Sarah Whitfield-Okonkwo"))
    make_item(account, reason="A promise was broken")
    in_a_case(account)
    for number in range(4):
        make_service(account, number=f"+4479460000{number}", status="active" if number else "suspended")
    for _ in range(2):
        make_item(owing("20.00", as_of=today, customer=account.customer))
    plan = Plan.objects.create(ref="PL1", account=account, made_on=today, made_by="agent:x")
    for place in range(6):
        Instalment.objects.create(plan=plan, account=account, position=place + 1, due_on=today, amount=10)
    for number in range(60):
        Interaction.objects.create(
            ref=f"I{number}", account=account, direction="outbound", disposition="no_answer", agent=agent,
            note="Asked to be called after work", at=now - timedelta(days=number + 1),
        )  # fmt: skip
    return account


@pytest.mark.django_db
def test_far_too_much_of_everything_adds_little_to_it() -> None:
    nadia, account = make_agent(), owing("100.00", as_of=timezone.now().date())
    make_item(account)
    everything(account, nadia)
    client = Client()
    client.force_login(nadia)

    assert len(client.get(f"/accounts/{account.ref}/").content) < 60_000


def test_static_files_of_ours_are_collected_small_and_those_of_libraries_as_they_are(tmp_path: Path) -> None:
    storage = SmallStaticFiles(location=str(tmp_path))
    style = "/* The desk. */\n.a {\n  color: #ff0000;\n}\n"

    storage.save("desk/one.css", ContentFile(style))
    storage.save("htmx/one.css", ContentFile(style))

    assert (tmp_path / "desk/one.css").read_text() == ".a{color:red}"
    assert (tmp_path / "htmx/one.css").read_text() == style
