"""Time to pay, settlements and cheaper products through the API."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.business_day import move_to
from agents.models import Downgrade, Settlement
from tests.desk.machines import caller
from tests.factories import TODAY, make_item, make_service, make_team, owing

pytestmark = pytest.mark.django_db

PAY_BY = (TODAY + timedelta(days=10)).isoformat()


@pytest.fixture(autouse=True)
def today() -> None:
    move_to(TODAY)


def test_a_settlement_is_offered_once_and_looked_at() -> None:
    account, client = owing("400.00"), caller()
    body = {"amount": "360.00", "pay_by": PAY_BY, "note": "lost the job"}

    key: dict[str, Any] = {"HTTP_IDEMPOTENCY_KEY": "one"}
    first = client.post(f"/api/v1/accounts/{account.ref}/settlements/", body, **key)
    again = client.post(f"/api/v1/accounts/{account.ref}/settlements/", body, **key)

    assert (first.status_code, again.data) == (201, first.data)
    assert Settlement.objects.count() == 1
    found = client.get(f"/api/v1/settlements/{first.data['settlement_id']}/").data
    assert found == {
        "settlement_id": first.data["settlement_id"], "account_id": account.ref, "status": "open",
        "made_on": TODAY.isoformat(), "pay_by": PAY_BY, "bill_ids": [account.bills.get().ref], "balance": "400.00",
        "amount": "360.00", "paid": "0.00", "wants": [], "settled_on": None, "note": "lost the job",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": "400.00", "pay_by": PAY_BY}, 422, "refused"),
        ({"amount": "0.00", "pay_by": PAY_BY}, 400, "invalid"),
        ({"amount": "360.00", "pay_by": "2026-03-09"}, 400, "invalid"),
        ({"amount": "360.00", "pay_by": "2026-12-24"}, 422, "refused"),
        ({"amount": "360.00"}, 400, "invalid"),
    ],
)
def test_what_is_no_settlement_is_refused(body: dict[str, Any], status: int, code: str) -> None:
    account = owing("400.00")
    answer = caller().post(f"/api/v1/accounts/{account.ref}/settlements/", body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_over_authority_it_says_whose_word_is_missing() -> None:
    account = owing("1000.00")
    answer = caller().post(f"/api/v1/accounts/{account.ref}/settlements/", {"amount": "900.00", "pay_by": PAY_BY})

    assert (answer.data["status"], answer.data["wants"]) == ("pending_approval", ["team_lead"])


def test_time_to_pay_is_given_and_looked_at() -> None:
    account, client = owing("400.00"), caller()
    answer = client.post(f"/api/v1/accounts/{account.ref}/extensions/", {"until": PAY_BY, "agreed_by": "phone"})

    assert (answer.status_code, answer.data["status"], answer.data["until"]) == (201, "active", PAY_BY)
    assert client.get(f"/api/v1/extensions/{answer.data['extension_id']}/").data == answer.data


def test_another_teams_is_not_there() -> None:
    account = owing("400.00")
    make_item(account, team=make_team())
    outsider = caller(team=make_team())

    for what, body in (("settlements", {"amount": "1.00", "pay_by": PAY_BY}), ("extensions", {"until": PAY_BY})):
        assert outsider.post(f"/api/v1/accounts/{account.ref}/{what}/", body).status_code == 404


def test_a_cheaper_product_is_asked_for_by_an_agent_and_answered_by_billing() -> None:
    account = owing("60.00")
    service = make_service(account, monthly_fee=Decimal(40))
    agent, billing = caller(), caller("integration")
    body = {"service_id": service.ref, "to_product": "basic", "to_fee": "15.00"}

    asked = agent.post(f"/api/v1/accounts/{account.ref}/downgrades/", body)
    where = f"/api/v1/downgrades/{asked.data['downgrade_id']}/"

    assert (asked.status_code, asked.data["state"]) == (201, "asked")
    assert agent.post(f"{where}answer/", {"done": True}).status_code == 403
    assert billing.post(f"{where}answer/", {"done": True}).data["state"] == "done"
    assert agent.get(where).data["state"] == "done"
    assert billing.post(f"{where}answer/", {"done": False}).status_code == 409
    assert Downgrade.objects.get().answered_at is not None
