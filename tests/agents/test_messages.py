"""The page of messages that did not arrive: what is listed, what the button does, who may press it."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import AccountEvent
from agents.models import Agent
from dunning import kinds
from dunning.channel_health import ChannelHealth
from dunning.gateways.patience import CircuitBreaker
from dunning.models import Notice, PrintRun
from dunning.roads import desk_name
from tests.agents.test_network_browser import browser as browser
from tests.agents.test_network_browser import desk as desk
from tests.agents.test_network_browser import opened, violations
from tests.dunning.upcoming import upcoming
from tests.factories import make_agent

PAGE = "/supervise/messages/"
RESEND = "/supervise/messages/resend/"


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def supervisor(db: None) -> Client:
    return signed_in(make_agent("supervisor"))


def message(state: str = "failed", channel: str = "sms", **columns: Any) -> Notice:
    given = {"state": state, "send_at": None, "attempts": 12, "reason": "no credit", "number": Notice.objects.count()}
    return upcoming(channel, **{**given, **columns})


def shown(client: Client, **query: str) -> list[Notice]:
    return list(client.get(PAGE, query).context["page"].object_list)


@pytest.mark.django_db
def test_each_list_has_its_own_and_what_went_well_is_in_none(supervisor: Client) -> None:
    made = {state: message(state) for state in ("failed", "bounced", "doubtful", "sent", "delivered", "withdrawn")}
    stuck = message("pending", send_at=timezone.now() - timedelta(hours=2), attempts=0)
    soon = message("pending", send_at=timezone.now() - timedelta(minutes=2), attempts=0)
    hanging = message("handing_over", lease_until=timezone.now() - timedelta(minutes=1))
    for state in ("failed", "bounced", "doubtful"):
        assert shown(supervisor, list=state) == [made[state]]
    assert shown(supervisor, list="stuck") == [hanging, stuck]
    assert soon not in shown(supervisor, list="stuck")
    assert shown(supervisor, list="nonsense") == [made["failed"]]


@pytest.mark.django_db
def test_the_list_is_narrowed_by_channel_and_by_reason(supervisor: Client) -> None:
    one = message(reason="blocked by the network")
    two, three = (message(channel="email", reason="550 relay denied") for _ in range(2))
    assert shown(supervisor, channel="sms") == [one]
    assert shown(supervisor, reason="550 relay denied", channel="email") == [three, two]
    answer = supervisor.get(PAGE)
    assert [(why.channel, why.messages) for why, _, _ in answer.context["reasons"]] == [("email", 2), ("sms", 1)]
    assert "550 relay denied" in answer.content.decode()


@pytest.mark.django_db
def test_the_chosen_ones_are_sent_again_and_leave_the_list(supervisor: Client) -> None:
    first, second, third = (message() for _ in range(3))
    answer = supervisor.post(RESEND, {"message": [first.pk, third.pk], "list": "failed"}, follow=True)
    assert "2 messages will leave" in answer.content.decode()
    assert shown(supervisor) == [second]
    assert set(Notice.objects.filter(state="pending").values_list("key", flat=True)) == {
        f"{first.key}~", f"{third.key}~",
    }  # fmt: skip
    event = AccountEvent.objects.get(account=first.account, kind=kinds.NOTICE_RESENT)
    assert event.actor.startswith("agent:supervisor")


@pytest.mark.django_db
def test_doubtful_ones_need_the_tick(supervisor: Client) -> None:
    one = message("doubtful")
    refused = supervisor.post(RESEND, {"message": one.pk, "list": "doubtful"}, follow=True)
    assert "may have arrived" in refused.content.decode()
    assert not Notice.objects.filter(state="pending").exists()
    supervisor.post(RESEND, {"message": one.pk, "list": "doubtful", "twice": "on"})
    assert Notice.objects.filter(state="pending").count() == 1


@pytest.mark.django_db
def test_nothing_chosen_and_nonsense_are_said_to_be_nothing(supervisor: Client) -> None:
    for given in ({}, {"message": ["x", "-1"]}, {"message": "999999999"}):
        assert "Choose at least one" in supervisor.post(RESEND, given, follow=True).content.decode()


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.django_db
def test_an_agent_may_neither_look_nor_send(method: str) -> None:
    one = message()
    client = signed_in(make_agent())
    answer = client.get(PAGE) if method == "get" else client.post(RESEND, {"message": one.pk})
    assert answer.status_code == 403
    assert Notice.objects.count() == 1


@pytest.mark.django_db
def test_a_visitor_is_asked_to_sign_in_and_looking_changes_nothing(supervisor: Client) -> None:
    assert Client().get(PAGE).status_code == 302
    assert Client().post(RESEND).status_code == 302
    assert supervisor.get(RESEND).status_code == 405
    assert supervisor.post(PAGE).status_code == 405


@pytest.mark.django_db
def test_how_channels_fare_is_shown(supervisor: Client) -> None:
    message("pending", send_at=timezone.now() - timedelta(minutes=1), attempts=0)
    health = ChannelHealth(settings.REDIS_URL, desk=desk_name())
    opened = CircuitBreaker(failures=6, opened_at=timezone.now())
    health.note_failure("sms", opened, "503 the provider is down", at=timezone.now())
    health.note_success("email", at=timezone.now())
    told = {one["code"]: one for one in supervisor.get(PAGE).context["channels"]}
    assert (told["sms"]["state"], told["sms"]["waiting"], told["sms"]["health"].failures) == ("Resting", 1, 6)
    assert told["email"]["is_well"]
    health.note_success("sms", at=timezone.now())
    assert supervisor.get(PAGE).context["channels"][0]["state"] == "Open"


@pytest.mark.django_db
def test_print_runs_are_listed(supervisor: Client) -> None:
    PrintRun.objects.create(name="letters-20260310T120000Z-0123456789ab", made_at=timezone.now(), letters=40, sheets=55)
    answer = supervisor.get(PAGE).content.decode()
    assert "letters-20260310T120000Z-0123456789ab" in answer
    assert "not yet" in answer


@pytest.mark.django_db
def test_a_page_takes_the_same_queries_for_one_message_as_for_a_hundred(supervisor: Client) -> None:
    message()
    supervisor.get(PAGE)
    with CaptureQueriesContext(
        connection,
    ) as one:
        supervisor.get(PAGE)
    for _ in range(60):
        message(reason="another")
    with CaptureQueriesContext(connection) as many:
        answer = supervisor.get(PAGE)
    assert len(many) == len(one)
    assert len(answer.context["page"].object_list) == 50
    assert len(shown(supervisor, page="2")) == 11


# In a browser ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_read_and_worked_without_a_mouse(desk: str, browser: Any, scheme: str) -> None:
    first = message(reason="ESME_RSUBMITFAIL 0x45 submit_sm or submit_multi failed")
    for _ in range(6):
        message(channel="email", reason="550 5.7.1 relaying denied for billing@northwind.example")
    PrintRun.objects.create(name="letters-20260310T120000Z-0123456789ab", made_at=timezone.now(), letters=40, sheets=55)
    page = opened(browser, desk, make_agent("supervisor"), PAGE, color_scheme=scheme)
    assert violations(page) == []
    folder = os.environ.get("DESK_SCREENSHOTS")
    if folder:
        page.screenshot(path=f"{folder}/messages-{scheme}.png")
    page.locator(f"#m-{first.pk}").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Send the chosen ones again").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 message will leave")).to_be_visible()
    assert Notice.objects.filter(key=f"{first.key}~", state="pending").exists()
