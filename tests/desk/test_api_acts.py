from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.business_day import move_to
from accounts.models import Account, Hold
from agents import queue
from agents.models import Interaction, Promise, WorkItem
from tests.desk.machines import caller
from tests.factories import TODAY, make_customer, make_item, make_service, make_team, owing

pytestmark = pytest.mark.django_db

NUMBER = "+12025550123"


@pytest.fixture(autouse=True)
def today() -> None:
    move_to(TODAY)


def zone_where_it_is(hour: int) -> str:
    """A zone whose clock shows that hour now."""
    west = (timezone.now().hour - hour) % 24
    return f"Etc/GMT+{west}" if west <= 12 else f"Etc/GMT-{24 - west}"


def american(hour: int = 12, **columns: Any) -> Account:
    customer = make_customer(country="US", timezone=zone_where_it_is(hour), phone=NUMBER)
    return owing("100.00", customer=customer, currency="USD", **columns)


def call_body(**fields: Any) -> dict[str, Any]:
    return {
        "number": NUMBER, "direction": "outbound", "disposition": "no_answer", "right_party": False,
        "started_at": timezone.now().isoformat(), "duration_seconds": 12, "note": "", **fields,
    }  # fmt: skip


def test_the_resource_of_an_account_has_every_field_of_the_interface() -> None:
    account = american()
    service = make_service(account)
    client = caller()
    hold = client.post(f"/api/v1/accounts/{account.ref}/holds/", {"reason": "hardship", "note": "lost his job"}).data
    make_item(account, score=7)

    found = client.get(f"/api/v1/accounts/{account.ref}/").data

    item = found.pop("work_item")
    assert found == {
        "account_id": account.ref, "customer_id": account.customer.ref, "as_of": "2026-03-10", "status": "overdue",
        "currency": "USD", "balance": "100.00", "overdue": "100.00", "disputed": "0.00", "unapplied": "0.00",
        "days_past_due": 146, "bucket": "120+", "policy": None, "stage": None, "next_step": None,
        "holds": [
            {"hold_id": hold["hold_id"], "reason": "hardship", "starts_on": "2026-03-10", "ends_on": None,
             "amount": None, "bill_ids": []}
        ],
        "services": [{"service_id": service.ref, "status": "active"}],
    }  # fmt: skip
    assert (item["status"], item["score"], item["claimed_by"], item["lease_until"]) == ("waiting", 7, None, None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "accounts/{a}/"), ("get", "accounts/{a}/timeline/"),
        ("get", "accounts/{a}/contact-check/?channel=call"),
        ("post", "accounts/{a}/calls/"), ("post", "accounts/{a}/promises/"), ("post", "accounts/{a}/disputes/"),
        ("post", "accounts/{a}/holds/"), ("post", "accounts/{a}/notes/"), ("post", "accounts/{a}/plans/"),
        ("post", "accounts/{a}/plans/quote/"), ("get", "promises/{p}/"), ("get", "plans/{l}/"),
        ("get", "disputes/{d}/"),
        ("post", "plans/{l}/cancel/"), ("post", "holds/{h}/lift/"), ("post", "queue/{i}/release/"),
        ("post", "queue/{i}/complete/"),
    ],
)  # fmt: skip
def test_another_teams_account_is_not_there(method: str, path: str) -> None:
    account, other = owing("100.00", "50.00"), caller("supervisor")
    base, bills = f"/api/v1/accounts/{account.ref}", [bill.ref for bill in account.bills.order_by("due_on")]
    promise = other.post(f"{base}/promises/", {"amount": "50.00", "due_on": "2026-03-20", "bill_ids": bills[:1]}).data
    plan = other.post(
        f"{base}/plans/", {"instalments": [{"due_on": "2026-04-01", "amount": "50.00"}], "bill_ids": bills[1:]}
    ).data
    dispute = other.post(f"{base}/disputes/", {"bill_id": bills[0], "amount": "1.00"}).data
    item = make_item(account, team=make_team())
    hold = Hold.objects.filter(reason="promise").get()

    address = path.format(
        a=account.ref, p=promise["promise_id"], l=plan["plan_id"], d=dispute["dispute_id"], h=hold.ref, i=item.pk
    )
    answer = getattr(caller("agent", team=make_team()), method)(f"/api/v1/{address}")

    assert (answer.status_code, answer.data["code"]) == (404, "not_found")
    assert getattr(other, method)(f"/api/v1/{address}").status_code != 404


def test_a_promise_is_made_and_looked_at() -> None:
    account, client = owing(), caller()
    bill = account.bills.get().ref

    made = client.post(
        f"/api/v1/accounts/{account.ref}/promises/",
        {"amount": "60.00", "due_on": "2026-03-20", "bill_ids": [bill], "note": "on pay day"},
    )

    assert (made.status_code, made.data["status"], made.data["bill_ids"]) == (201, "open", [bill])
    assert client.get(f"/api/v1/promises/{made.data['promise_id']}/").data == made.data
    assert client.get(f"/api/v1/accounts/{account.ref}/").data["holds"][0]["ends_on"] == "2026-03-23"


def test_what_an_operation_refuses_is_told_with_its_code() -> None:
    account, client = owing(), caller()
    address = f"/api/v1/accounts/{account.ref}/promises/"

    past = client.post(address, {"amount": "60.00", "due_on": "2026-03-01"})
    too_much = client.post(address, {"amount": "100.01", "due_on": "2026-03-20"})
    client.post(address, {"amount": "60.00", "due_on": "2026-03-20"})
    twice = client.post(address, {"amount": "10.00", "due_on": "2026-03-20"})

    assert [(each.status_code, each.data["code"]) for each in (past, too_much, twice)] == [
        (400, "invalid"), (422, "refused"), (409, "conflict"),
    ]  # fmt: skip
    assert all(each["Content-Type"] == "application/problem+json" for each in (past, too_much, twice))


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("promises", {"amount": 60, "due_on": "2026-03-20"}, "amount"),
        ("promises", {"amount": "1e3", "due_on": "2026-03-20"}, "amount"),
        ("promises", {"amount": "60.00", "due_on": "20.3.2026"}, "due_on"),
        ("promises", {"amount": "60.00", "due_on": "9999-12-31"}, "due_on"),
        ("promises", {"amount": "60.00"}, "due_on"),
        ("promises", {"amount": "60.00", "due_on": "2026-03-20", "colour": "red"}, "colour"),
        ("promises", {"amount": "60.00", "due_on": "2026-03-20", "bill_ids": "B1"}, "bill_ids"),
        ("promises", {"amount": "60.00", "due_on": "2026-03-20", "bill_ids": ["\u0000"]}, "bill_ids.0"),
        ("promises", {"amount": "60.00", "due_on": "2026-03-20", "note": "a\u0000b"}, "note"),
        ("promises", [], None),
        ("promises", "text", None),
        ("notes", {"text": 5}, "text"),
        ("notes", {"text": " "}, "text"),
        ("notes", {}, "text"),
        ("holds", {"reason": "promise"}, "reason"),
        ("holds", {"reason": "hardship", "stops": ["calls"]}, "stops"),
        ("holds", {"reason": "manual", "stops_clock": "yes"}, "stops_clock"),
        ("plans/quote", {"count": 10**30, "first_on": "2026-04-01", "every": "month"}, "count"),
        ("plans/quote", {"count": True, "first_on": "2026-04-01", "every": "month"}, "count"),
        ("plans/quote", {"count": 3, "first_on": "2026-04-01", "every": "year"}, "every"),
        ("plans", {"instalments": []}, "instalments"),
        ("plans", {"instalments": [{"due_on": "2026-04-01", "amount": "x"}]}, "instalments.0.amount"),
        ("calls", {**call_body(), "duration_seconds": -1}, "duration_seconds"),
        ("calls", {**call_body(), "started_at": "yesterday"}, "started_at"),
        ("calls", {**call_body(), "promise": {"amount": "1.00"}}, "promise.due_on"),
        ("disputes", {"amount": "1.00", "bill_id": 7}, "bill_id"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(path: str, body: Any, field: str | None) -> None:
    answer = caller().post(f"/api/v1/accounts/{owing().ref}/{path}/", body)

    assert (answer.status_code, answer.data["code"]) == (400, "invalid")
    assert answer.data["errors"][0]["field"] == field


def test_a_call_without_the_claim_is_a_conflict_and_at_night_is_blocked_with_the_decision() -> None:
    client, account, at_night = caller(), american(12), american(23)
    make_item(account)
    make_item(at_night)

    unclaimed = client.post(f"/api/v1/accounts/{account.ref}/calls/", call_body())
    queue.claim(account_id=at_night.pk, agent=client.user, at=timezone.now())  # type: ignore[attr-defined]
    body = call_body()
    blocked = client.post(f"/api/v1/accounts/{at_night.ref}/calls/", body, HTTP_IDEMPOTENCY_KEY="night")
    again = client.post(f"/api/v1/accounts/{at_night.ref}/calls/", body, HTTP_IDEMPOTENCY_KEY="night")

    assert (unclaimed.status_code, unclaimed.data["code"]) == (409, "conflict")
    assert (blocked.status_code, blocked.data["code"]) == (403, "blocked")
    assert blocked.data["decision"]["outcome"] == "HOLD"
    assert blocked.data["decision"]["rule_ids"]
    assert not Interaction.objects.exists()
    assert (again.status_code, again.data) == (403, blocked.data)
    assert at_night.events.filter(kind="dunning.contact.refused").count() == 1


def test_a_call_is_logged_with_the_promise_given_in_it() -> None:
    client, account = caller(), american(12)
    make_item(account)
    claimed = client.post("/api/v1/queue/next/").data
    assert claimed["account_id"] == account.ref

    answer = client.post(
        f"/api/v1/accounts/{account.ref}/calls/",
        call_body(
            disposition="rpc_promise",
            right_party=True,
            promise={"amount": "100.00", "due_on": "2026-03-20", "note": ""},
        ),
    )

    assert (answer.status_code, answer.data["promise"]["status"]) == (201, "open")
    assert Promise.objects.get().taken_by == f"agent:{client.user.username}"  # type: ignore[attr-defined]


def test_the_gate_answers_over_the_api_as_the_command_does() -> None:
    account = american(12)
    address = f"/api/v1/accounts/{account.ref}/contact-check/"

    now = caller().get(f"{address}?channel=call").data
    later = (
        caller()
        .get(f"{address}?channel=call&at={(datetime.now(UTC) + timedelta(hours=11)).strftime('%Y-%m-%dT%H:%M:%SZ')}")
        .data
    )

    assert now["outcome"] == "ALLOW"
    assert later["outcome"] == "HOLD"
    assert later["next_allowed_at"].endswith("Z")
    assert set(now) == {"outcome", "rule_ids", "reasons", "next_allowed_at", "requires", "override", "pack_versions"}
    for query in ("", "?channel=fax", "?channel=call&at=soon", "?channel=call&at=99999-01-01"):
        assert caller().get(address + query).status_code == 400


def test_a_plan_is_quoted_agreed_and_cancelled() -> None:
    account, client = owing("100.00"), caller()
    base = f"/api/v1/accounts/{account.ref}/plans/"

    quote = client.post(f"{base}quote/", {"count": 3, "first_on": "2026-04-01", "every": "month"})
    plan = client.post(base, {"instalments": quote.data["instalments"], "note": ""})

    assert quote.data == {
        "instalments": [
            {"due_on": "2026-04-01", "amount": "33.33"}, {"due_on": "2026-05-01", "amount": "33.33"},
            {"due_on": "2026-06-01", "amount": "33.34"},
        ],
        "total": "100.00", "within_authority": True, "reasons": [],
    }  # fmt: skip
    assert (plan.status_code, plan.data["status"]) == (201, "active")
    assert client.get(f"/api/v1/plans/{plan.data['plan_id']}/").data == plan.data
    assert client.post(f"/api/v1/plans/{plan.data['plan_id']}/cancel/").data["status"] == "cancelled"
    assert client.post(f"/api/v1/plans/{plan.data['plan_id']}/cancel/").status_code == 409


def test_a_plan_beyond_the_agents_authority_waits_for_approval() -> None:
    account, client = owing("100.00"), caller()
    base = f"/api/v1/accounts/{account.ref}/plans/"
    quote = client.post(f"{base}quote/", {"count": 10, "first_on": "2026-04-01", "every": "month"}).data
    assert (quote["within_authority"], bool(quote["reasons"])) == (False, True)
    assert client.post(base, {"instalments": quote["instalments"]}).data["status"] == "pending_approval"


def test_a_dispute_is_opened_by_an_agent_and_resolved_by_a_supervisor() -> None:
    account, agent = owing("100.00"), caller()
    bill = account.bills.get().ref

    opened = agent.post(
        f"/api/v1/accounts/{account.ref}/disputes/", {"bill_id": bill, "amount": "30.00", "reason": "roaming"}
    )
    assert (opened.status_code, opened.data["status"]) == (201, "open")
    assert agent.get(f"/api/v1/accounts/{account.ref}/").data["disputed"] == "30.00"
    address = f"/api/v1/disputes/{opened.data['dispute_id']}/"
    assert agent.post(f"{address}resolve/", {"outcome": "upheld"}).status_code == 403

    resolved = caller("supervisor").post(f"{address}resolve/", {"outcome": "upheld", "note": "billed twice"})

    assert (resolved.status_code, resolved.data["outcome"]) == (200, "upheld")
    assert agent.get(address).data == resolved.data
    assert agent.get(f"/api/v1/accounts/{account.ref}/").data["balance"] == "70.00"


def test_agents_lift_what_they_could_have_placed_supervisors_every_hold() -> None:
    account, agent = owing(), caller()
    address = f"/api/v1/accounts/{account.ref}/holds/"
    manual = agent.post(address, {"reason": "manual", "stops": ["calls", "notices"], "ends_on": "2026-04-01"}).data
    legal = agent.post(address, {"reason": "legal"}).data

    assert (manual["stops"], manual["ends_on"]) == (["calls", "notices"], "2026-04-01")
    assert agent.post(f"/api/v1/holds/{manual['hold_id']}/lift/").data["lifted_on"] == "2026-03-10"
    assert agent.post(f"/api/v1/holds/{legal['hold_id']}/lift/").status_code == 403
    assert caller("supervisor").post(f"/api/v1/holds/{legal['hold_id']}/lift/").status_code == 200
    assert caller("supervisor").post(f"/api/v1/holds/{legal['hold_id']}/lift/").status_code == 409


def test_the_queue_gives_the_best_item_and_takes_it_back() -> None:
    client = caller()
    assert client.post("/api/v1/queue/next/").status_code == 204
    low, high = (
        make_item(owing(), score=1),
        make_item(owing(), score=9, score_parts=[{"name": "amount", "points": 9, "text": "EUR 100"}]),
    )

    first = client.post("/api/v1/queue/next/").data
    assert (first["item"], first["score"], first["reasons"][0]["name"]) == (high.pk, 9, "amount")
    assert first["lease_until"].endswith("Z")
    assert client.post("/api/v1/queue/next/").data["item"] == high.pk
    assert caller().post(f"/api/v1/queue/{high.pk}/release/").status_code == 409
    assert client.post(f"/api/v1/queue/{high.pk}/release/").data["status"] == "waiting"
    assert client.post("/api/v1/queue/999999999999999999/release/").status_code == 404
    again = client.post("/api/v1/queue/next/").data
    done = client.post(f"/api/v1/queue/{again['item']}/complete/", {"outcome": "rpc_refused"})
    assert done.data["status"] == "done"
    assert client.post("/api/v1/queue/next/").data["item"] == low.pk
    past = client.post(f"/api/v1/queue/{low.pk}/complete/", {"not_before": "2020-01-01T00:00:00Z"})
    assert past.data["errors"][0]["field"] == "not_before"
    assert WorkItem.objects.get(pk=low.pk).done_at is None


def test_the_timeline_tells_the_newest_first_with_actor_and_reason() -> None:
    account, client = owing(), caller()
    client.post(f"/api/v1/accounts/{account.ref}/notes/", {"text": "secret words"})

    answer = client.get(f"/api/v1/accounts/{account.ref}/timeline/?limit=1").data

    [event] = answer["results"]
    assert (event["kind"], event["actor"]) == ("agents.note.added", f"agent:{client.user.username}")  # type: ignore[attr-defined]
    assert event["at"].endswith("Z")
    assert "secret words" not in str(event)
    assert client.get(answer["next"]).data["results"][0]["event_id"] < event["event_id"]


@pytest.mark.parametrize(
    "address",
    ["/api/v1/nothing/", "/api/v1/accounts/a%00b/", "/api/v1/accounts/ü/", "/api/v1/queue/x/release/", "/api/v1/"],
)
def test_an_address_that_is_none_answers_a_problem(address: str) -> None:
    answer = caller().get(address)
    assert (answer.status_code, answer["Content-Type"], answer.data["code"]) == (
        404,
        "application/problem+json",
        "not_found",
    )


def test_another_method_answers_a_problem() -> None:
    answer = caller().delete(f"/api/v1/accounts/{owing().ref}/")
    assert (answer.status_code, answer.data["code"]) == (405, "invalid")


def test_a_session_needs_its_csrf_token_to_write() -> None:
    person = caller().user  # type: ignore[attr-defined]
    from_browser = caller().__class__(enforce_csrf_checks=True)
    from_browser.force_login(person)
    account = owing()
    assert from_browser.get(f"/api/v1/accounts/{account.ref}/").status_code == 200
    refused = from_browser.post(f"/api/v1/accounts/{account.ref}/notes/", {"text": "x"})
    assert (refused.status_code, refused.data["code"]) == (403, "forbidden")
