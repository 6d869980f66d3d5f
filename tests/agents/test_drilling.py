"""The accounts behind a number are the ones it was made of."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts import business_day, settling
from accounts.models import Account
from agents import drilling, kpis, standing
from agents.drilling import DRILLS, OF_BUCKET, CannotDrill
from agents.models import Complaint, Interaction, Promise, Snapshot
from agents.scopes import EVERYTHING, Scope
from dunning.models import GateDecision, ServiceOrder
from tests.factories import (
    TODAY,
    make_account,
    make_agent,
    make_bill,
    make_item,
    make_payment,
    make_service,
    make_team,
    moment,
)

pytestmark = pytest.mark.django_db

START = TODAY - timedelta(days=30)


def late(amount: str = "100.00", *, due: date = date(2026, 1, 31), **columns: Any) -> Account:
    account = make_account(**columns)
    make_bill(account, amount, issued_on=due - timedelta(days=14), due_on=due)
    return account


def run(day: date = TODAY) -> None:
    business_day.move_to(day)
    settling.settle(as_of=day, at=moment(day))
    standing.record(on=day, business_date=day)


def behind(name: str, scope: Scope = EVERYTHING, as_of: date = TODAY) -> dict[str, Decimal]:
    found = drilling.accounts(
        name, as_of=as_of, days=30, currency="EUR", scope=scope, business_date=TODAY, seen=Account.objects.all()
    )
    return {account.ref: account.behind for account in found.accounts}


@pytest.mark.parametrize("name", DRILLS)
@pytest.mark.parametrize("dimension", Snapshot.Dimension.values)
def test_every_list_can_be_asked_in_every_scope_that_has_accounts(name: str, dimension: str) -> None:
    late()
    run(START)
    run()
    scope = Scope(dimension, "" if dimension == "all" else "nobody")
    if dimension == "agent" and not DRILLS[name].of_people:
        with pytest.raises(CannotDrill):
            behind(name, scope)
    else:
        assert len(behind(name, scope)) <= 1


def test_every_figure_leads_to_a_list_that_there_is() -> None:
    assert {kpi.drill for kpi in kpis.CATALOGUE} - {""} <= set(DRILLS)


@pytest.mark.parametrize("is_now", [True, False])
def test_the_buckets_lists_come_to_what_the_buckets_hold(is_now: bool) -> None:
    for number, days in enumerate((1, 30, 31, 60, 61, 90, 91, 120, 121, 400)):
        late(f"{number + 1}.00", due=TODAY - timedelta(days=days))
    late("7.00", due=TODAY)
    run()
    if not is_now:
        business_day.move_to(TODAY + timedelta(days=1))

    held = kpis.compute(as_of=TODAY, days=30, business_date=TODAY)["receivables"]["buckets"]

    def listed(name: str) -> Decimal:
        found = drilling.accounts(
            name, as_of=TODAY, days=30, currency="EUR", scope=EVERYTHING,
            business_date=TODAY if is_now else TODAY + timedelta(days=1), seen=Account.objects.all(),
        )  # fmt: skip
        return sum((account.behind for account in found.accounts), Decimal(0))

    for bucket, name in OF_BUCKET.items():
        assert listed(name) == Decimal(held[bucket]), bucket
    assert listed("overdue") == sum(Decimal(held[bucket]) for bucket in OF_BUCKET)


def test_who_was_late_at_the_start_was_cured_or_is_not_recovered() -> None:
    still, cured, credited = late(ref="STILL"), late(ref="CURED"), late(ref="CREDITED")
    late(ref="NEW", due=TODAY - timedelta(days=3))
    run(START)
    make_payment(cured, "100.00", on=TODAY - timedelta(days=5))
    make_payment(still, "40.00", on=TODAY - timedelta(days=5))
    credited.bills.update(status="cancelled", cancelled_on=TODAY - timedelta(days=5))
    settling.mark_unsettled([credited.pk])
    run()

    found = kpis.compute(as_of=TODAY, days=30, business_date=TODAY)["kpis"]["cure_rate"]

    assert set(behind("at_start")) == {"STILL", "CURED", "CREDITED"}
    assert behind("not_recovered") == {"STILL": 100}
    assert behind("cured") == {"CURED": 100}
    assert (found["numerator"], found["denominator"]) == ("1", "3")


def test_where_nothing_is_kept_of_the_start_it_is_said() -> None:
    late()
    run()
    with pytest.raises(CannotDrill, match="Nothing is kept"):
        behind("not_recovered")


def a_promise(account: Account, status: str, taken_by: str = "agent:nadia") -> None:
    Promise.objects.create(
        ref=f"PR-{account.ref}-{status}", account=account, amount=Decimal(50), made_on=TODAY - timedelta(days=20),
        due_on=TODAY - timedelta(days=10), status=status, settled_on=TODAY - timedelta(days=6), taken_by=taken_by,
    )  # fmt: skip


def test_promises_belong_to_who_took_them_and_to_their_team() -> None:
    north, south = make_team("North"), make_team("South")
    make_agent(username="nadia", team=north)
    make_agent(username="sven", team=south)
    for ref, taken_by in (("A", "agent:nadia"), ("B", "agent:sven"), ("C", "customer:x")):
        account = late(ref=ref)
        make_item(account, team=north)
        a_promise(account, "broken", taken_by)
    a_promise(late(ref="D"), "kept")
    run()

    assert set(behind("broken_promises")) == {"A", "B", "C"}
    assert set(behind("broken_promises", Scope("agent", "nadia"))) == {"A"}
    assert set(behind("broken_promises", Scope("team", "North"))) == {"A", "C"}
    assert set(behind("broken_promises", Scope("team", "South"))) == {"B"}
    assert set(behind("promises", Scope("agent", "nadia"))) == {"A", "D"}
    assert set(behind("kept_promises")) == {"D"}


def test_complaints_and_what_the_gate_refused_are_listed_with_how_many() -> None:
    account, other = late(ref="A"), late(ref="B")
    nadia = make_agent(username="nadia")
    for number, about in enumerate((nadia, nadia, None)):
        Complaint.objects.create(
            ref=f"CM{number}", account=account, received_on=TODAY, channel="call", category="conduct", about=about,
            acknowledge_by=TODAY, answer_by=TODAY, taken_by="x",
        )  # fmt: skip
    for outcome, overridden_by in (("BLOCK", ""), ("BLOCK", "agent:ruth"), ("ALLOW", "")):
        GateDecision.objects.create(
            account=other, customer=other.customer, action="call", automated=False, actor="agent:nadia",
            at=moment(), outcome=outcome, facts_digest="0" * 64, overridden_by=overridden_by,
        )  # fmt: skip
    run()

    assert behind("complaints") == {"A": 3}
    assert behind("complaints", Scope("agent", "nadia")) == {"A": 2}
    assert behind("blocked_contacts") == {"B": 2}
    assert behind("overridden_contacts") == {"B": 1}
    assert behind("blocked_contacts", Scope("agent", "sven")) == {}


def test_calls_are_listed_by_what_they_came_to() -> None:
    account = late(ref="A")
    for number, (disposition, right_party) in enumerate(
        [("busy", False), ("rpc_promise", True), ("third_party", False)]
    ):
        Interaction.objects.create(
            ref=f"I{number}", account=account, direction="outbound", disposition=disposition, right_party=right_party,
            at=moment(),
        )  # fmt: skip
    run()

    found = kpis.compute(as_of=TODAY, days=30, business_date=TODAY)["kpis"]["rpc_rate"]

    assert behind("calls") == {"A": 3}
    assert behind("right_party") == {"A": int(found["numerator"])}
    assert behind("connected") == {"A": int(found["denominator"])}


def test_who_was_limited_without_owing_anything_is_named() -> None:
    owing, settled_long_ago = late(ref="OWING"), late(ref="PAID")
    make_payment(settled_long_ago, "100.00", on=TODAY - timedelta(days=9))
    for account in (owing, settled_long_ago):
        ServiceOrder.objects.create(
            account=account, service=make_service(account), key=f"o-{account.ref}", kind="limit", rung="suspended",
            made_on=TODAY, state="confirmed", confirmed_at=moment(),
        )  # fmt: skip
    run()

    assert behind("wrongly_suspended") == {"PAID": 1}
    found = kpis.compute(as_of=TODAY, days=30, business_date=TODAY)["kpis"]["suspension_wrongly"]
    assert (found["numerator"], found["denominator"]) == ("1", "2")


def test_a_scope_holds_the_accounts_whose_last_item_was_the_teams() -> None:
    north, south = make_team("North"), make_team("South")
    moved, stayed = late(ref="MOVED"), late(ref="STAYED")
    make_item(moved, team=north, done_at=moment())
    make_item(moved, team=south)
    make_item(stayed, team=north)
    late(ref="NOBODYS", product="fibre")
    run()

    assert set(behind("overdue", Scope("team", "North"))) == {"STAYED"}
    assert set(behind("overdue", Scope("team", "South"))) == {"MOVED"}
    assert set(behind("overdue", Scope("team", ""))) == {"NOBODYS"}
    assert set(behind("overdue", Scope("product", "fibre"))) == {"NOBODYS"}


def test_lists_that_are_looked_at_together_name_each_other() -> None:
    assert [name for name, _title in drilling.beside("cured")] == ["at_start", "not_recovered", "cured"]
    assert drilling.beside("written_off") == []
