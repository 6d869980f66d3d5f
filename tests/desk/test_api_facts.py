from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.business_day import calendar_date
from accounts.models import Customer, Payment
from agents.models import ApiAnswer
from tests.desk.machines import caller
from tests.factories import make_account, make_bill, make_item, make_service, make_team, owing

pytestmark = pytest.mark.django_db

PAYMENT = {"payment_id": "P-1", "account_id": "A-1", "received_on": "2026-03-01", "amount": "40.00"}


@pytest.fixture
def integration() -> APIClient:
    return caller("integration")


def book(client: APIClient) -> None:
    """A customer with one account and one old bill, brought by the client itself."""
    for path, row in (
        ("customers", {"customer_id": "C-1", "name": "Ana Ruiz", "kind": "residential", "birth_date": "1980-05-06"}),
        ("accounts", {"account_id": "A-1", "customer_id": "C-1", "currency": "EUR"}),
        ("services", {"service_id": "S-1", "account_id": "A-1", "kind": "mobile", "protected": True}),
        (
            "bills",
            {
                "bill_id": "B-1",
                "account_id": "A-1",
                "issued_on": "2026-01-01",
                "due_on": "2026-01-15",
                "amount": "100.00",
            },
        ),
    ):
        answer = client.post(f"/api/v1/{path}/", [row])
        assert answer.status_code == 201, answer.data
        assert {name: answer.data[0][name] for name in row} == row


def test_what_is_brought_is_answered_with_every_column_of_the_file(integration: APIClient) -> None:
    book(integration)

    [row] = integration.get("/api/v1/bills/").data["results"]

    assert row == {
        "bill_id": "B-1", "account_id": "A-1", "issued_on": "2026-01-01", "due_on": "2026-01-15", "amount": "100.00",
        "tax_amount": None, "status": "issued", "essential_amount": None, "cancelled_on": None,
    }  # fmt: skip
    assert integration.get("/api/v1/services/").data["results"][0]["protected"] is True


def test_what_a_list_answers_can_be_brought_again_and_changes_nothing(integration: APIClient) -> None:
    book(integration)
    for path in ("customers", "accounts", "services", "bills"):
        rows = integration.get(f"/api/v1/{path}/").data["results"]
        again = integration.post(f"/api/v1/{path}/", rows)
        assert (again.status_code, again.data) == (201, rows)


def test_a_payment_shows_at_once_in_the_account(integration: APIClient) -> None:
    book(integration)
    assert integration.get("/api/v1/accounts/A-1/").data["overdue"] == "100.00"

    integration.post("/api/v1/payments/", [PAYMENT])

    account = integration.get("/api/v1/accounts/A-1/").data
    assert (account["balance"], account["overdue"], account["status"]) == ("60.00", "60.00", "overdue")


def test_a_bad_row_refuses_the_whole_list_and_names_its_index_and_column(integration: APIClient) -> None:
    book(integration)

    answer = integration.post("/api/v1/payments/", [PAYMENT, {**PAYMENT, "payment_id": "P-2", "amount": "1.234"}])

    assert (answer.status_code, answer["Content-Type"], answer.data["code"]) == (
        400,
        "application/problem+json",
        "invalid",
    )
    assert [(error["index"], error["column"]) for error in answer.data["errors"]] == [(1, "amount")]
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "not JSON"),
        ("", "list of objects"),
        ("{}", "list of objects"),
        ("[]", "at least one"),
        ("[1]", "not an object"),
        ('[{"payment_id": NaN}]', "no number"),
        ('[{"amount": 1e999999999}]', "plain number"),
        ('[{"a": 1, "a": 2}]', "twice"),
        ("[" * 100_000, "nested"),
        ('[{"payment_id": "P\\u0000", "account_id": "A", "received_on": "2026-01-01", "amount": "1"}]', "payment_id"),
        (json.dumps([{**PAYMENT, "colour": "red"}]), "colour"),
        (json.dumps([{**PAYMENT, "amount": 12.5, "account_id": ["A-1"]}]), "account_id"),
        (json.dumps([{**PAYMENT, "payment_id": "desk-1"}]), "desk-"),
        ('[{"amount": ' + "9" * 5_000 + "}]", "not JSON"),
        ('[{"\\ud800": "x"}]', "no text"),
        ("\udcff".encode("utf-8", "surrogateescape"), "no text"),
    ],
)
def test_a_body_that_cannot_be_used_is_invalid_never_our_fault(integration: APIClient, body: Any, says: str) -> None:
    answer = integration.generic("POST", "/api/v1/payments/", body, content_type="application/json")

    assert (answer.status_code, answer.data["code"]) == (400, "invalid")
    assert says in json.dumps(answer.data)


def test_another_media_type_is_refused_as_a_problem(integration: APIClient) -> None:
    answer = integration.generic("POST", "/api/v1/payments/", "a,b", content_type="text/csv")
    assert (answer.status_code, answer["Content-Type"], answer.data["code"]) == (
        415,
        "application/problem+json",
        "invalid",
    )


def test_pages_follow_each_other_without_a_gap_or_a_repeat(integration: APIClient) -> None:
    account = make_account()
    for number in range(7):
        make_bill(account, ref=f"B{number}00")
    seen, address = [], "/api/v1/bills/?limit=3"
    while address:
        answer = integration.get(address).data
        seen += [row["bill_id"] for row in answer["results"]]
        address = answer["next"]
    assert seen == [f"B{number}00" for number in range(7)]


def test_a_list_is_narrowed_to_an_account(integration: APIClient) -> None:
    wanted, other = make_account(), make_account()
    make_service(other)
    service = make_service(wanted)
    answer = integration.get(f"/api/v1/services/?account_id={wanted.ref}")
    assert [row["service_id"] for row in answer.data["results"]] == [service.ref]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=ten",
        "limit=99999999999999",
        "cursor=%00",
        "cursor=AAAA",
        "x=1",
        "limit=1&limit=2",
        "account_id=%00",
    ],
)
def test_a_parameter_that_cannot_be_used_is_invalid(integration: APIClient, query: str) -> None:
    answer = integration.get(f"/api/v1/bills/?{query}")
    assert (answer.status_code, answer.data["code"]) == (400, "invalid")


@pytest.mark.parametrize("role", ["agent", "supervisor"])
def test_only_admins_and_machines_bring_facts(role: str) -> None:
    answer = caller(role).post("/api/v1/customers/", [{"customer_id": "C-1", "name": "Ana"}])
    assert (answer.status_code, answer.data["code"]) == (403, "forbidden")
    assert not Customer.objects.exists()


def test_an_admin_brings_facts() -> None:
    assert caller("admin").post("/api/v1/customers/", [{"customer_id": "C-1", "name": "Ana"}]).status_code == 201


def test_nobody_gets_in_without_a_token_or_with_a_wrong_one() -> None:
    for client in (APIClient(), APIClient(HTTP_AUTHORIZATION="Token nonsense")):
        answer = client.get("/api/v1/bills/")
        assert (answer.status_code, answer["Content-Type"], answer.data["code"]) == (
            401,
            "application/problem+json",
            "forbidden",
        )


def test_a_user_without_a_role_sees_nothing() -> None:
    client = caller("agent")
    client.user.groups.clear()  # type: ignore[attr-defined]
    assert client.get("/api/v1/bills/").status_code == 403


def test_an_agent_sees_the_facts_of_his_team_only() -> None:
    mine, theirs = make_team(), make_team()
    client = caller("agent", team=mine)
    seen, hidden = owing(), owing()
    make_item(seen, team=mine)
    make_item(hidden, team=theirs)

    for path, name in (("accounts", "account_id"), ("bills", "account_id"), ("customers", "customer_id")):
        refs = {row[name] for row in client.get(f"/api/v1/{path}/").data["results"]}
        assert refs == {seen.ref if name == "account_id" else seen.customer.ref}
    assert caller("supervisor").get("/api/v1/accounts/").data["results"][1]["account_id"] == hidden.ref


def test_a_machine_works_no_accounts(integration: APIClient) -> None:
    account = owing()
    assert integration.get(f"/api/v1/accounts/{account.ref}/").status_code == 200
    assert integration.post(f"/api/v1/accounts/{account.ref}/notes/", {"text": "x"}).status_code == 403
    assert integration.post("/api/v1/queue/next/").status_code == 403
    assert integration.get("/api/v1/audit/").status_code == 403


def test_the_same_key_and_body_get_the_first_answer_again(integration: APIClient) -> None:
    book(integration)
    first = integration.post("/api/v1/payments/", [PAYMENT], HTTP_IDEMPOTENCY_KEY="k1")
    Payment.objects.update(method="changed since")
    reordered = dict(reversed(PAYMENT.items()))
    again = integration.post("/api/v1/payments/", [reordered], HTTP_IDEMPOTENCY_KEY="k1")

    assert (again.status_code, again.data, again["Idempotency-Replayed"]) == (201, first.data, "true")
    assert Payment.objects.get().method == "changed since"


def test_the_same_key_with_another_body_or_address_is_a_conflict(integration: APIClient) -> None:
    book(integration)
    integration.post("/api/v1/payments/", [PAYMENT], HTTP_IDEMPOTENCY_KEY="k1")

    other = integration.post("/api/v1/payments/", [{**PAYMENT, "amount": "41.00"}], HTTP_IDEMPOTENCY_KEY="k1")
    elsewhere = integration.post("/api/v1/bills/", [PAYMENT], HTTP_IDEMPOTENCY_KEY="k1")

    assert [(each.status_code, each.data["code"]) for each in (other, elsewhere)] == [(409, "conflict")] * 2


def test_a_key_belongs_to_its_caller(integration: APIClient) -> None:
    book(integration)
    integration.post("/api/v1/payments/", [PAYMENT], HTTP_IDEMPOTENCY_KEY="k1")
    assert (
        caller("admin")
        .post("/api/v1/payments/", [{**PAYMENT, "payment_id": "P-9"}], HTTP_IDEMPOTENCY_KEY="k1")
        .status_code
        == 201
    )


def test_a_call_that_could_not_be_read_does_not_use_up_its_key(integration: APIClient) -> None:
    book(integration)
    assert (
        integration.post("/api/v1/payments/", [{**PAYMENT, "amount": "x"}], HTTP_IDEMPOTENCY_KEY="k1").status_code
        == 400
    )
    assert not ApiAnswer.objects.exists()
    assert integration.post("/api/v1/payments/", [PAYMENT], HTTP_IDEMPOTENCY_KEY="k1").status_code == 201


def test_a_key_must_be_printable(integration: APIClient) -> None:
    assert integration.post("/api/v1/payments/", [PAYMENT], HTTP_IDEMPOTENCY_KEY="é").status_code == 400


def test_a_list_costs_the_same_however_long_it_is(integration: APIClient, django_assert_max_num_queries: Any) -> None:
    account = make_account()
    for number in range(30):
        make_bill(account, ref=f"Q{number}")
    with django_assert_max_num_queries(6):
        assert len(integration.get("/api/v1/bills/").data["results"]) == 30


def test_three_decimals_and_none_are_answered_as_the_currency_has_them(integration: APIClient) -> None:
    for currency, amount in (("KWD", "1.234"), ("JPY", "1234")):
        account = make_account(currency=currency)
        bill = {
            "bill_id": f"B-{currency}",
            "account_id": account.ref,
            "issued_on": "2026-01-01",
            "due_on": "2026-01-15",
        }
        assert integration.post("/api/v1/bills/", [{**bill, "amount": amount}]).data[0]["amount"] == amount
        assert integration.get(f"/api/v1/accounts/{account.ref}/").data["balance"] == amount


def test_the_resource_holds_at_the_business_date(integration: APIClient) -> None:
    account = owing()
    assert (
        integration.get(f"/api/v1/accounts/{account.ref}/").data["as_of"]
        == calendar_date(at=timezone.now()).isoformat()
    )
