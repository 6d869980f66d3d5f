from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.business_day import move_to
from accounts.models import Account
from dunning.models import Notice, ServiceOrder
from tests.factories import TODAY, make_service, moment, owing

pytestmark = pytest.mark.django_db

SECRET = "a-shared-secret"


@pytest.fixture(autouse=True)
def secret(settings: Any) -> None:
    settings.CALLBACK_SECRET = SECRET
    move_to(TODAY)


@pytest.fixture
def account() -> Account:
    return owing()


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def call(gateway: str, told: Any, *, signature: str | None = None) -> Any:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return APIClient().generic(
        "POST",
        f"/api/v1/callbacks/{gateway}/",
        body,
        content_type="application/json",
        HTTP_X_SIGNATURE=signed(body) if signature is None else signature,
    )


def make_notice(account: Account, **columns: Any) -> Notice:
    return Notice.objects.create(
        **{
            "account": account, "customer": account.customer, "key": "1.warning.0.sms", "step_code": "warning",
            "template": "warning", "channel": "sms", "currency": "EUR", "made_on": TODAY, "state": "sent",
            "sent_at": moment(), **columns,
        }
    )  # fmt: skip


def test_a_receipt_makes_the_notice_delivered(account: Account) -> None:
    notice = make_notice(account)
    told = {"key": notice.key, "state": "delivered", "at": "2026-03-10T12:00:05Z"}

    answer = call("sms", told)

    assert (answer.status_code, answer.data) == (200, {"taken": 1})
    notice.refresh_from_db()
    assert (notice.state, notice.delivered_at) == ("delivered", moment().replace(second=5))
    assert call("sms", told).data == {"taken": 0}


def test_a_receipt_may_name_the_providers_own_id_and_come_with_others(account: Account) -> None:
    make_notice(account, provider_ref="prov-1")
    told = [
        {"id": "prov-1", "state": "delivered", "at": "2026-03-10T12:00:05Z"},
        {"id": "nobody", "state": "delivered", "at": "2026-03-10T12:00:05Z"},
    ]
    assert call("sms", {"receipts": told}).data == {"taken": 1}


@pytest.mark.parametrize("signature", ["", "sha256=", "nonsense", signed(b"other"), signed(b"{}", "another-secret")])
def test_a_wrong_signature_changes_nothing(account: Account, signature: str) -> None:
    notice = make_notice(account)
    answer = call("sms", {"key": notice.key, "state": "delivered", "at": "2026-03-10T12:00:05Z"}, signature=signature)
    assert (answer.status_code, answer.data["code"]) == (403, "forbidden")
    notice.refresh_from_db()
    assert notice.state == "sent"


def test_without_a_secret_nothing_is_believed(settings: Any) -> None:
    settings.CALLBACK_SECRET = ""
    assert call("sms", b"{}", signature=signed(b"{}", "")).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b"{}",
        b'{"key": "x", "state": "lost", "at": "2026-03-10T12:00:05Z"}',
        b'{"key": "x", "state": "delivered", "at": "then"}',
        b'{"key": "\\u0000", "state": "delivered", "at": "2026-03-10T12:00:05Z"}',
        b"\xff",
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("gateway", ["sms", "network"])
def test_a_signed_body_that_cannot_be_used_is_invalid(gateway: str, body: bytes) -> None:
    answer = call(gateway, body)
    assert (answer.status_code, answer.data["code"]) == (400, "invalid")


def test_the_network_confirms_an_order_and_the_service_moves(account: Account) -> None:
    service = make_service(account)
    order = ServiceOrder.objects.create(
        account=account, service=service, key="1.bar.0.1", kind="limit", rung="outgoing_barred", made_on=TODAY,
        state="sent", sent_at=moment(),
    )  # fmt: skip

    answer = call("network", {"key": order.key, "state": "confirmed", "detail": ""})

    assert answer.data == {"taken": 1}
    order.refresh_from_db()
    assert order.state == "confirmed"
    assert account.services.values_list("status", flat=True).get() == "outgoing_barred"
    assert call("network", {"key": order.key, "state": "failed", "detail": "late"}).data == {"taken": 0}


def test_an_unknown_gateway_is_not_there() -> None:
    assert call("fax", {}).status_code == 404
