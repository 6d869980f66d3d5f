"""What waits for somebody's word: who sees what of it, and when its place in the queue is given up."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import events
from accounts.models import Account
from agents import approvals, extensions, plans, rights, settlements, write_offs
from agents.instalments import Instalment
from agents.models import Agent, Extension, Plan, Settlement, WorkItem
from dunning import kinds
from tests.factories import make_agent, make_bill, make_item, make_team, owing, settled

pytestmark = pytest.mark.django_db


def today() -> date:
    return timezone.now().date()


def now(agent: Agent) -> dict[str, Any]:
    return {"actor": rights.actor(agent), "agent": agent, "as_of": today(), "at": timezone.now()}


def late(amount: str = "400.00", **columns: Any) -> Account:
    return owing(amount, as_of=today(), **columns)


def big_settlement(account: Account, amount: str = "300.00", **more: Any) -> Settlement:
    pay_by = today() + timedelta(days=7)
    return settlements.agree(account_id=account.pk, amount=Decimal(amount), pay_by=pay_by, **now(make_agent()), **more)


def long_time(account: Account, **more: Any) -> Extension:
    return extensions.agree(account_id=account.pk, until=today() + timedelta(days=45), **now(make_agent()), **more)


def long_plan(account: Account, **more: Any) -> Plan:
    total = account.open_amount
    parts = [Instalment(today() + timedelta(days=30 * month), total / 8) for month in range(1, 9)]
    return plans.agree(account_id=account.pk, instalments=parts, **now(make_agent()), **more)


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def waits(item: WorkItem) -> bool:
    return WorkItem.objects.get(pk=item.pk).done_at is None


def counts(person: Agent) -> tuple[int, int, int, int]:
    found = approvals.waiting(person, at=timezone.now())
    return len(found.plans), len(found.extensions), len(found.settlements), len(found.write_offs)


def test_supervisors_see_everything_and_finance_what_wants_finance() -> None:
    long_plan(late())
    long_time(late())
    big_settlement(late())
    big_settlement(late("9000.00"), "1000.00")
    make_item(late(), kind=WorkItem.Kind.APPROVAL, reason="write-off")

    assert counts(make_agent("supervisor")) == (1, 1, 2, 1)
    assert counts(make_agent("finance")) == (0, 0, 1, 1)
    assert approvals.count(make_agent("supervisor")) == 5


def test_a_team_lead_sees_their_teams() -> None:
    mine, others = make_team(), make_team()
    for team in (mine, others):
        account = late()
        make_item(account, team=team)
        big_settlement(account)

    [row] = approvals.waiting(make_agent("team_lead", team=mine), at=timezone.now()).settlements
    assert row.settlement.account.work_items.filter(team=mine).exists()
    assert row.may_decide


@pytest.mark.parametrize(("role", "may"), [("team_lead", True), ("supervisor", True), ("finance", False)])
def test_the_page_offers_a_decision_to_who_has_one(role: str, may: bool) -> None:
    settlement = big_settlement(late())
    page = signed_in(make_agent(role)).get("/supervise/approvals/").content.decode()

    assert (f"/supervise/settlements/{settlement.ref}/decide/" in page) is may


def test_the_place_in_the_queue_is_given_up_when_nothing_waits_any_more() -> None:
    account = late()
    other = make_bill(account, "100.00")
    settled(account, as_of=today())
    first = account.bills.exclude(pk=other.pk).get()
    settlement = big_settlement(account, bill_refs=[first.ref])
    extension = long_time(account, bill_refs=[other.ref])
    item = WorkItem.objects.get(account=account, kind=WorkItem.Kind.APPROVAL)
    client = signed_in(make_agent("supervisor"))

    client.post(f"/supervise/settlements/{settlement.ref}/decide/", {"decision": "approve"})
    assert waits(item)
    client.post(f"/supervise/extensions/{extension.ref}/decide/", {"decision": "decline", "reason": "too long"})

    assert not waits(item)
    assert Settlement.objects.get().status == "open"
    assert Extension.objects.get().status == "cancelled"


def test_a_write_off_that_was_asked_for_waits_on_after_the_agreement_is_decided() -> None:
    account = late()
    events.record(
        account_id=account.pk, kind=kinds.WRITE_OFF_REQUESTED, actor="policy:x@1", at=timezone.now(), on=today()
    )
    item = make_item(account, kind=WorkItem.Kind.APPROVAL, reason="write-off")
    settlement = big_settlement(account)
    supervisor = make_agent("supervisor")
    assert counts(supervisor) == (0, 0, 1, 1)

    client = signed_in(supervisor)
    client.post(f"/supervise/settlements/{settlement.ref}/decide/", {"decision": "decline"})
    assert (waits(item), counts(supervisor)) == (True, (0, 0, 0, 1))

    write_offs.decide(item_id=item.pk, approve=False, reason="wait", agent=supervisor, as_of=today(), at=timezone.now())
    assert not waits(item)


@pytest.mark.parametrize("role", ["agent", "specialist"])
def test_agents_forge_no_decision(role: str) -> None:
    settlement, extension, plan = big_settlement(late()), long_time(late()), long_plan(late())
    client = signed_in(make_agent(role))

    for what, ref in (("settlements", settlement.ref), ("extensions", extension.ref), ("plans", plan.ref)):
        assert client.post(f"/supervise/{what}/{ref}/decide/", {"decision": "approve"}).status_code == 403
    assert {Settlement.objects.get().status, Extension.objects.get().status, Plan.objects.get().status} == {
        "pending_approval"
    }


def test_a_team_lead_of_another_team_finds_nothing_to_decide() -> None:
    account = late()
    make_item(account, team=make_team())
    settlement = big_settlement(account)
    client = signed_in(make_agent("team_lead", team=make_team()))

    assert client.post(f"/supervise/settlements/{settlement.ref}/decide/", {"decision": "approve"}).status_code == 404


def test_a_card_number_in_the_reason_is_not_kept() -> None:
    settlement = big_settlement(late())
    page = signed_in(make_agent("supervisor")).post(
        f"/supervise/settlements/{settlement.ref}/decide/",
        {"decision": "approve", "reason": "4111 1111 1111 1111"},
        follow=True,
    )

    assert "toast error" in page.content.decode()
    assert Settlement.objects.get().status == "pending_approval"


def test_the_page_costs_the_same_for_few_and_many(django_assert_max_num_queries: Any) -> None:
    for _ in range(6):
        big_settlement(late())
        long_plan(late())
    client = signed_in(make_agent("supervisor"))

    with django_assert_max_num_queries(40):
        assert client.get("/supervise/approvals/").status_code == 200
