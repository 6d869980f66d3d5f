"""Disputes for machines: the clock, the stage and the outcome for a part; evidence in and listed."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from accounts.business_day import move_to
from agents.models import DisputeEvidence
from tests.agents.some_files import pdf
from tests.desk.machines import caller
from tests.factories import TODAY, make_item, make_team, owing

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def today() -> None:
    move_to(TODAY)


def opened(amount: str = "30.00", **more: Any) -> tuple[Any, str]:
    account, agent = owing("100.00", "900.00"), caller()
    given = {"bill_id": account.bills.order_by("due_on")[0].ref, "amount": amount, "reason": "roaming", **more}
    answer = agent.post(f"/api/v1/accounts/{account.ref}/disputes/", given)
    assert answer.status_code == 201
    return account, f"/api/v1/disputes/{answer.data['dispute_id']}/"


def file(content: bytes = b"", name: str = "bill.pdf") -> dict[str, str]:
    return {"name": name, "content": b64encode(content or pdf()).decode()}


def test_a_dispute_says_its_stage_its_clock_and_what_was_credited() -> None:
    account, address = opened()
    agent, lead = caller(), caller("supervisor")

    before = agent.get(address).data
    assert (before["stage"], before["assigned_to"], before["credited"]) == ("new", None, None)
    assert (before["acknowledge_by"], before["decide_by"], before["acknowledged_on"]) == (
        "2026-03-13", "2026-05-05", None,
    )  # fmt: skip
    body = {"outcome": "upheld", "credited": "12.50", "told": "Four calls were ours."}
    after = lead.post(f"{address}resolve/", body).data

    assert (after["stage"], after["outcome"], after["credited"]) == ("closed", "upheld", "12.50")
    assert agent.get(f"/api/v1/accounts/{account.ref}/").data["balance"] == "987.50"


def test_upheld_without_an_amount_is_upheld_for_all_of_it() -> None:
    _, address = opened()

    assert caller("supervisor").post(f"{address}resolve/", {"outcome": "upheld"}).data["credited"] == "30.00"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"outcome": "upheld", "credited": "30.01"}, 400),
        ({"outcome": "rejected", "credited": "1.00"}, 400),
        ({"outcome": "upheld", "credited": 12.5}, 400),
        ({"outcome": "upheld", "told": "x" * 1001}, 400),
    ],
)
def test_a_part_that_is_none_is_refused(body: dict[str, Any], status: int) -> None:
    _, address = opened()

    assert caller("supervisor").post(f"{address}resolve/", body).status_code == status
    assert caller().get(address).data["status"] == "open"


def test_a_second_person_decides_above_the_limit() -> None:
    account, lead = owing("900.00"), caller("supervisor")
    bill = account.bills.get().ref
    made = lead.post(f"/api/v1/accounts/{account.ref}/disputes/", {"bill_id": bill, "amount": "600.00"}).data
    address = f"/api/v1/disputes/{made['dispute_id']}/resolve/"

    refused = lead.post(address, {"outcome": "upheld"})

    assert (refused.status_code, refused.data["code"]) == (422, "refused")
    assert caller("supervisor").post(address, {"outcome": "upheld"}).status_code == 200


def test_evidence_is_taken_once_and_listed_without_what_is_in_it() -> None:
    _, address = opened()
    agent = caller()

    first, again = agent.post(f"{address}evidence/", file()), agent.post(f"{address}evidence/", file(name="b.pdf"))

    assert (first.status_code, first.data["content_type"]) == (201, "application/pdf")
    assert again.data["evidence_id"] == first.data["evidence_id"]
    assert agent.get(f"{address}evidence/").data == {"results": [first.data]}
    assert "content" not in first.data


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (file(b"MZ\x90"), 400),
        ({"name": "a.txt", "content": "not base64!"}, 400),
        ({"name": "a.txt"}, 400),
        (file(b"x" * 5_300_000, "a.txt"), 400),
        (file(b"", ".."), 400),
    ],
    ids=["program", "not base64", "nothing", "too large", "no name"],
)
def test_evidence_that_cannot_be_kept_is_refused(body: dict[str, str], status: int) -> None:
    _, address = opened()

    assert caller().post(f"{address}evidence/", body).status_code == status
    assert not DisputeEvidence.objects.exists()


def test_another_teams_evidence_is_not_there() -> None:
    account, address = opened()
    make_item(account, team=make_team())
    stranger = caller()

    assert stranger.get(f"{address}evidence/").status_code == 404
    assert stranger.post(f"{address}evidence/", file()).status_code == 404
