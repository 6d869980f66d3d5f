from __future__ import annotations

import pytest
from django.db import connection

from accounts import audit
from tests.desk.machines import caller
from tests.factories import moment, owing

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["kpis/", "audit/", "audit/verify/"])
def test_figures_and_history_are_for_supervisors(path: str) -> None:
    owing()
    assert caller("agent").get(f"/api/v1/{path}").status_code == 403
    assert caller("supervisor").get(f"/api/v1/{path}").status_code == 200
    assert caller("admin").get(f"/api/v1/{path}").status_code == 200


def test_the_figures_are_those_of_the_command() -> None:
    owing("100.00")
    figures = caller("supervisor").get("/api/v1/kpis/?as_of=2026-03-10&days=30").data
    assert (figures["as_of"], figures["days"], figures["receivables"]["open"]) == ("2026-03-10", 30, "100.00")
    assert "dso" in figures["kpis"]


@pytest.mark.parametrize("query", ["as_of=x", "days=0", "days=100000", "currency=XXX", "as_of=0001-01-01"])
def test_a_question_without_an_answer_is_invalid(query: str) -> None:
    owing()
    answer = caller("supervisor").get(f"/api/v1/kpis/?{query}")
    assert (answer.status_code, answer.data["code"]) == (400, "invalid")


def test_the_history_of_an_account_is_oldest_first_and_says_what_is_sealed() -> None:
    account, other = owing(), owing()
    audit.seal(at=moment())
    client = caller("supervisor")
    client.post(f"/api/v1/accounts/{account.ref}/notes/", {"text": "after the seal"})

    events = client.get(f"/api/v1/audit/?account={account.ref}").data["results"]

    assert {event["account_id"] for event in events} == {account.ref}
    assert [event["event_id"] for event in events] == sorted(event["event_id"] for event in events)
    assert (events[0]["sealed"], events[-1]["sealed"]) == (True, False)
    assert client.get("/api/v1/audit/?account=nobody").status_code == 404
    notes = client.get("/api/v1/audit/?kind=agents.note").data["results"]
    assert [event["account_id"] for event in notes] == [account.ref]
    assert other.ref in {event["account_id"] for event in client.get("/api/v1/audit/").data["results"]}


def test_a_changed_event_is_found() -> None:
    account = owing()
    audit.seal(at=moment())
    client = caller("supervisor")
    assert client.get("/api/v1/audit/verify/").data["ok"] is True
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE accounts_accountevent SET reason = 'forged' WHERE account_id = %s", [account.pk])
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    verdict = client.get("/api/v1/audit/verify/").data
    assert (verdict["ok"], verdict["first_problem"]["kind"]) == (False, "changed")
