"""Messages from customers through the signed door, carried to the agents' queue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.business_day import move_to
from accounts.models import Account, Consent, Hold
from agents.models import WorkItem
from collections_desk import journey
from dunning.models import InboundMessage
from tests.desk.test_api_callbacks import SECRET, signed
from tests.factories import TODAY, make_customer, owing

pytestmark = pytest.mark.django_db

NUMBER = "+447946000002"


@pytest.fixture(autouse=True)
def secret(settings: Any) -> None:
    settings.CALLBACK_SECRET = SECRET
    move_to(TODAY)


@pytest.fixture
def account() -> Account:
    return owing(customer=make_customer(phone=NUMBER, email="anna@example.org"))


def message(text: str, **columns: Any) -> dict[str, Any]:
    given = {"id": text, "from": NUMBER, "to": "60777", "text": text, "received_at": timezone.now().isoformat()}
    return given | columns


def call(told: Any, *, gateway: str = "sms", signature: str | None = None) -> Any:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return APIClient().generic(
        "POST",
        f"/api/v1/inbound/{gateway}/",
        body,
        content_type="application/json",
        HTTP_X_SIGNATURE=signed(body) if signature is None else signature,
    )


def test_a_message_is_kept_once_and_acted_on(account: Account) -> None:
    told = message("I paid yesterday", id="mo-1")

    first, again = call(told), call(told)

    assert (first.status_code, first.data, again.data) == (200, {"taken": 1}, {"taken": 1})
    kept = InboundMessage.objects.get()
    assert (kept.gateway, kept.provider_ref, kept.account, kept.intent) == ("sms", "mo-1", account, "paid")
    assert Hold.objects.count() == 1


def test_a_list_is_taken_whole_and_each_door_is_its_own_channel(account: Account) -> None:
    assert call([message("one"), message("two")]).data == {"taken": 2}
    assert call(message("three", **{"from": "anna@example.org", "subject": "Re: bill"}), gateway="email").data["taken"]
    assert sorted(InboundMessage.objects.values_list("channel", flat=True)) == ["email", "sms", "sms"]


def test_stop_through_the_door_stops(account: Account) -> None:
    call(message("STOP"))
    assert Consent.objects.filter(customer=account.customer, channel="sms", value="", given=False).exists()


@pytest.mark.parametrize("signature", ["", "sha256=", "nonsense", signed(b"other"), signed(b"{}", "another-secret")])
def test_a_wrong_signature_keeps_nothing(account: Account, signature: str) -> None:
    assert call(message("STOP"), signature=signature).status_code == 403
    assert not InboundMessage.objects.exists()


def test_without_a_secret_nothing_is_believed(account: Account, settings: Any) -> None:
    settings.CALLBACK_SECRET = ""
    assert call(message("STOP"), signature=signed(b"", "")).status_code == 403


@pytest.mark.parametrize(
    "told",
    [
        b"", b"[", b'"x"', {}, message("x", received_at="yesterday"), message("x", id=""), message("x", more=1),
        message("x") | {"text": None}, {key: value for key, value in message("x").items() if key != "from"},
        message("x", id="i" * 201), [message("x"), 7],
    ],
)  # fmt: skip
def test_a_body_that_is_no_message_is_refused_whole(account: Account, told: Any) -> None:
    answer = call(told)
    assert (answer.status_code, answer.data["code"]) == (400, "invalid")
    assert not InboundMessage.objects.exists()


@pytest.mark.parametrize("gateway", ["letter", "network", "elsewhere"])
def test_there_are_no_other_doors(gateway: str) -> None:
    assert call(message("x"), gateway=gateway).status_code == 404


def test_what_a_person_must_see_reaches_the_queue(account: Account) -> None:
    call(message("please call me back"))

    journey.react_to_all(as_of=TODAY, at=timezone.now())

    item = WorkItem.objects.get(account=account)
    assert (item.kind, item.reason) == ("task", "Asks for a call (SMS)")
    assert "callback" in {part["name"] for part in item.score_parts}


def test_what_was_dealt_with_does_not(account: Account) -> None:
    call([message("STOP"), message("HELP")])
    journey.react_to_all(as_of=TODAY, at=timezone.now())
    assert not WorkItem.objects.exists()
