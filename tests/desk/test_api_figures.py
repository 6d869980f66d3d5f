"""Figures over the API: as known now or as recorded, of the whole book or of what is one's own to see."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from accounts import settling
from collections_desk import journey
from tests.desk.machines import caller
from tests.factories import TODAY, make_account, make_bill, make_item, make_payment, make_team, moment

pytestmark = pytest.mark.django_db

YESTERDAY = TODAY - timedelta(days=1)


def test_a_day_is_answered_as_recorded_and_as_known_now() -> None:
    account = make_account()
    make_bill(account, "100.00", issued_on=date(2026, 1, 10), due_on=date(2026, 1, 31))
    journey.run_day(as_of=YESTERDAY, at=moment(YESTERDAY))
    journey.run_day(as_of=TODAY, at=moment())
    make_payment(account, "100.00", on=YESTERDAY)
    settling.settle(as_of=TODAY, at=moment())
    client = caller("supervisor")

    recorded = client.get(f"/api/v1/kpis/?as_of={YESTERDAY}&as_recorded=true").data
    known = client.get(f"/api/v1/kpis/?as_of={YESTERDAY}").data

    assert (recorded["receivables"]["overdue"], known["receivables"]["overdue"]) == ("100.00", "0.00")
    assert list(recorded) == list(known)
    assert list(recorded["kpis"]) == list(known["kpis"])
    answer = client.get(f"/api/v1/kpis/?as_of={YESTERDAY - timedelta(days=1)}&as_recorded=true")
    assert (answer.status_code, answer.data["code"]) == (404, "not_found")


def test_a_supervisor_kept_to_a_team_gets_its_figures_and_no_others() -> None:
    north = make_team("North")
    mine, other = make_account(), make_account()
    for account in (mine, other):
        make_bill(account, "100.00", issued_on=date(2026, 1, 10), due_on=date(2026, 1, 31))
    make_item(mine, team=north)
    settling.settle(as_of=TODAY, at=moment())
    walled = caller("supervisor", team=north, all_teams=False)

    answer = walled.get("/api/v1/kpis/?scope=team:North&as_of=2026-03-10")

    assert answer.data["receivables"]["open"] == "100.00"
    for scope in ("", "?scope=all", "?scope=team:South", "?scope=agent:sven", "?scope=product:fibre"):
        assert walled.get(f"/api/v1/kpis/{scope}").status_code == 403, scope
    assert caller("supervisor").get("/api/v1/kpis/?as_of=2026-03-10").data["receivables"]["open"] == "200.00"
    assert caller("agent").get("/api/v1/kpis/?scope=team:North").status_code == 403


@pytest.mark.parametrize("query", ["scope=planet:Mars", "scope=team", "as_recorded=maybe", "scope=all:x"])
def test_a_question_that_cannot_be_read_is_invalid(query: str) -> None:
    make_account()
    answer = caller("supervisor").get(f"/api/v1/kpis/?{query}")
    assert (answer.status_code, answer.data["code"]) == (400, "invalid")
