from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from accounts import audit, events
from agents.models import Agent
from tests.desk.machines import caller
from tests.factories import TODAY, make_item, make_team, moment, owing

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


def test_the_history_is_narrowed_to_days_rules_and_versions() -> None:
    account = owing()
    for on, rule in ((TODAY, "UK-CONT-01"), (TODAY - timedelta(days=9), "UK-CONT-02")):
        events.record(
            account_id=account.pk, kind="dunning.contact.refused", actor="agent:nadia", at=moment(on), on=on,
            policy="residential@3", payload={"rules": [rule]},
        )  # fmt: skip
    client = caller("supervisor")

    def found(query: str) -> list[str]:
        answer = client.get(f"/api/v1/audit/?kind=dunning.&{query}").data
        return [event["payload"]["rules"][0] for event in answer["results"]]

    assert found("rule=UK-CONT-01") == ["UK-CONT-01"]
    assert found(f"first={TODAY}") == ["UK-CONT-01"]
    assert found(f"last={TODAY - timedelta(days=1)}") == ["UK-CONT-02"]
    assert found("policy=residential@3") == found("policy=residential") == ["UK-CONT-01", "UK-CONT-02"]
    assert found("policy=residential@2") == []
    assert client.get("/api/v1/audit/?first=nonsense").status_code == 400


def test_who_is_kept_to_a_team_gets_its_accounts_alone() -> None:
    ours, theirs, account, other = make_team(), make_team(), owing(), owing()
    make_item(account, team=ours)
    make_item(other, team=theirs)
    client = caller("supervisor")
    assert {event["account_id"] for event in client.get("/api/v1/audit/").data["results"]} >= {account.ref, other.ref}

    Agent.objects.filter(groups__name="supervisor").update(team=ours, all_teams=False)

    assert {event["account_id"] for event in client.get("/api/v1/audit/").data["results"]} == {account.ref}
    assert client.get(f"/api/v1/audit/?account={other.ref}").status_code == 404
