"""Complaints for machines: taken once, listed for whoever may read them."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.business_day import move_to
from agents.models import Complaint, Interaction
from tests.desk.machines import caller
from tests.factories import TODAY, make_agent, make_item, make_team, moment, owing

pytestmark = pytest.mark.django_db

BODY = {"category": "conduct", "channel": "email", "text": "Nobody let me finish a sentence."}


@pytest.fixture(autouse=True)
def today() -> None:
    move_to(TODAY)


def address(account: Any) -> str:
    return f"/api/v1/accounts/{account.ref}/complaints/"


def test_a_complaint_is_taken_with_its_clock_and_whom_it_is_about() -> None:
    account, luis = owing("100.00"), make_agent()
    Interaction.objects.create(
        ref="I1", account=account, agent=luis, direction="outbound", disposition="busy", at=moment()
    )

    answer = caller().post(address(account), {**BODY, "about": luis.username, "interaction_id": "I1", "pauses": True})

    assert answer.status_code == 201
    told = answer.data
    assert (told["state"], told["category"], told["about"]) == ("received", "conduct", luis.username)
    assert (told["acknowledge_by"], told["answer_by"]) == ("2026-03-13", "2026-04-21")
    assert (told["outcome"], told["redress"], told["repeats"], told["assigned_to"]) == (None, None, None, None)
    assert account.holds.get().stops == ["calls", "notices"]


def test_the_same_call_again_takes_it_once() -> None:
    account, agent = owing("100.00"), caller()

    answers = [agent.post(address(account), BODY, headers={"Idempotency-Key": "c1"}) for _ in range(2)]

    assert answers[0].data == answers[1].data
    assert Complaint.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"category": "weather"}, {"channel": "pigeon"}, {"text": ""}, {"text": "x" * 4001}, {"about": "nobody"},
        {"interaction_id": "I9"}, {"pauses": "yes"}, {"more": 1}, {"text": "4111 1111 1111 1111"},
    ],
)  # fmt: skip
def test_what_is_no_complaint_is_refused(wrong: dict[str, Any]) -> None:
    answer = caller().post(address(owing("100.00")), {**BODY, **wrong})

    assert answer.status_code in (400, 422)
    assert not Complaint.objects.exists()


def test_the_list_has_for_each_caller_what_they_may_read_newest_first() -> None:
    account, nadia, luis, boss = owing("100.00"), caller(), caller(), caller("supervisor")
    first = nadia.post(address(account), BODY).data["complaint_id"]
    second = nadia.post(address(account), BODY).data

    assert second["repeats"] == first
    listed = nadia.get(address(account), {"limit": 1})
    assert [row["complaint_id"] for row in listed.data["results"]] == [second["complaint_id"]]
    following = nadia.get(listed.data["next"]).data
    assert ([row["complaint_id"] for row in following["results"]], following["next"]) == ([first], None)
    assert luis.get(address(account)).data["results"] == []
    assert len(boss.get(address(account), {"state": "received"}).data["results"]) == 2
    assert boss.get(address(account), {"state": "closed"}).data["results"] == []


def test_another_teams_account_and_machines_that_bring_facts_stay_outside() -> None:
    account = owing("100.00")
    make_item(account, team=make_team())
    other = caller(team=make_team())

    assert other.get(address(account)).status_code == 404
    assert other.post(address(account), BODY).status_code == 404
    assert caller("integration").post(address(account), BODY).status_code == 403
    assert caller("finance").get(address(account)).status_code == 403
