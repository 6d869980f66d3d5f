"""Fees that are let go: at once within one's own word, asked for beyond it, and decided by somebody else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts import events, settling
from accounts.models import Account, Fee
from agents import approvals, fee_waivers, fees, kinds
from agents.fee_waivers import CannotAskForWaiver, CannotDecideWaiver, NeedsReason
from agents.models import Agent, Asked, WorkItem
from tests.agents.test_approvals import late, only, signed_in, today
from tests.factories import make_adjustment, make_agent, make_item, make_team, settled

pytestmark = pytest.mark.django_db


def charged(amount: int = 10, account: Account | None = None) -> Fee:
    account = account or late()
    fee = Fee.objects.create(ref=f"desk-fee-{account.pk}", account=account, kind="late_fee", on=today(), amount=amount)
    settling.mark_unsettled([account.pk])
    settled(account, as_of=today())
    return fee


def ask(fee: Fee, agent: Agent, reason: str = "goodwill") -> Asked:
    return fee_waivers.ask(fee_ref=fee.ref, agent=agent, reason=reason, as_of=today(), at=timezone.now())


def decide(asked: Asked, agent: Agent, approve: bool = True, reason: str = "") -> Asked:
    return fee_waivers.decide(
        asked_id=asked.pk, approve=approve, agent=agent, reason=reason, as_of=today(), at=timezone.now()
    )


def test_an_agent_asks_and_the_fee_stays_until_a_lead_decides() -> None:
    fee, nadia = charged(), make_agent(username="nadia")
    client = signed_in(nadia)
    address = f"/accounts/{fee.account.ref}/fees/{fee.ref}/ask/"
    assert address in client.get(f"/accounts/{fee.account.ref}/").content.decode()

    page = client.post(address, {"reason": "goodwill"}, follow=True).content.decode()

    assert "Asked: somebody decides on it" in page
    assert "Asked to let it go" in page
    assert address not in page
    asked = Asked.objects.get()
    assert (asked.asked_by, asked.amount, asked.state) == ("agent:nadia", Decimal(10), "waiting")
    assert Fee.objects.get().waived_on is None
    assert WorkItem.objects.filter(account=fee.account, kind="approval", done_at=None).exists()

    decide(asked, make_agent("team_lead", username="omar"), reason="once")

    waived = Fee.objects.get()
    assert (waived.waived_on, waived.waived_by, waived.waive_reason) == (today(), "agent:omar", "goodwill: once")
    told = fee.account.events.get(kind=kinds.FEE_WAIVER_APPROVED)
    assert (told.actor, told.payload["asked_by"]) == ("agent:omar", "agent:nadia")
    assert fee.account.events.filter(kind=events.FEE_WAIVED).count() == 1
    assert not WorkItem.objects.filter(account=fee.account, kind="approval", done_at=None).exists()
    [news] = client.get("/news/").json()["decided"]
    assert news["text"].startswith("Let go: the fee of")


def test_a_fee_that_is_kept_is_told_to_who_asked() -> None:
    fee, nadia = charged(), make_agent(username="nadia")
    asked = ask(fee, nadia)
    with pytest.raises(NeedsReason):
        decide(asked, make_agent("supervisor"), approve=False)

    decide(asked, make_agent("supervisor"), approve=False, reason="third time this year")

    assert Asked.objects.get().state == "declined"
    assert Fee.objects.get().waived_on is None
    task = WorkItem.objects.get(account=fee.account, kind="task", done_at=None)
    assert "asked by nadia" in task.reason
    assert "third time" in task.reason


@pytest.mark.parametrize(
    ("role", "amount", "alone"),
    [
        ("team_lead", 25, True), ("team_lead", 26, False), ("supervisor", 100, True), ("supervisor", 101, False),
        ("manager", 5_000, True), ("admin", 5_000, True),
    ],
)  # fmt: skip
def test_up_to_the_limit_of_their_role_people_let_go_alone_and_ask_beyond_it(
    role: str, amount: int, alone: bool
) -> None:
    fee, person = charged(amount), make_agent(role)

    signed_in(person).post(f"/accounts/{fee.account.ref}/fees/{fee.ref}/waive/", {"reason": "goodwill"})

    assert (Fee.objects.get().waived_on is not None) is alone
    assert Asked.objects.exists() is not alone


def test_a_limit_may_be_set_by_currency(settings: Any) -> None:
    settings.DESK_WAIVE_ALONE_UP_TO = {"supervisor": "5", "supervisor:EUR": "50"}
    boss = make_agent("supervisor")

    assert fee_waivers.most_alone(boss, "EUR") == 50
    assert fee_waivers.most_alone(boss, "USD") == 5
    assert fee_waivers.most_alone(make_agent("manager"), "USD") is None
    assert fee_waivers.most_alone(make_agent(), "USD") == 0


def test_who_asked_does_not_decide_whatever_they_became() -> None:
    fee, nadia = charged(), make_agent("team_lead")
    asked = ask(fee, nadia)

    with pytest.raises(CannotDecideWaiver, match="Somebody else"):
        decide(asked, nadia)
    with pytest.raises(CannotDecideWaiver, match="Somebody else"):
        fee_waivers.let_go(fee_ref=fee.ref, agent=nadia, reason="mine", as_of=today(), at=timezone.now())
    assert Fee.objects.get().waived_on is None
    item = only(nadia, "fee_waiver")
    assert (item.may_decide, item.why_not != "") == (False, True)


def test_letting_it_go_on_the_account_decides_what_somebody_asked() -> None:
    fee = charged()
    asked = ask(fee, make_agent())
    boss = make_agent("supervisor")

    signed_in(boss).post(f"/accounts/{fee.account.ref}/fees/{fee.ref}/waive/", {"reason": "agreed"})

    asked.refresh_from_db()
    assert (asked.state, asked.decided_by) == ("approved", f"agent:{boss.username}")
    assert Fee.objects.get().waive_reason == "goodwill: agreed"


def test_it_is_asked_once_with_a_reason_and_of_a_fee_that_is_there() -> None:
    fee, nadia = charged(), make_agent()
    with pytest.raises(NeedsReason):
        ask(fee, nadia, "  ")
    asked = ask(fee, nadia)
    with pytest.raises(CannotAskForWaiver, match="already"):
        ask(fee, make_agent())
    decide(asked, make_agent("supervisor"))
    with pytest.raises(CannotAskForWaiver, match="waived on"):
        ask(fee, nadia)


def test_one_of_another_account_and_one_of_another_team_is_not_found() -> None:
    fee, other = charged(), late()
    make_item(fee.account, team=make_team())
    nadia = signed_in(make_agent(team=make_team()))

    assert nadia.post(f"/accounts/{other.ref}/fees/{fee.ref}/ask/", {"reason": "x"}).status_code == 404
    assert nadia.post(f"/accounts/{fee.account.ref}/fees/{fee.ref}/ask/", {"reason": "x"}).status_code in {403, 404}
    asked = ask(fee, make_agent())
    lead = make_agent("team_lead", team=make_team())
    with pytest.raises(CannotDecideWaiver, match="another team"):
        decide(asked, lead)
    assert (
        signed_in(lead).post(f"/supervise/fee-waivers/{asked.pk}/decide/", {"decision": "approve"}).status_code == 404
    )
    with pytest.raises(CannotDecideWaiver, match="decides on that"):
        decide(asked, make_agent(team=fee.account.work_items.filter(kind="collect").get().team))


def test_a_fee_that_went_meanwhile_can_only_be_declined_and_is_taken_back_by_the_day() -> None:
    fee = charged()
    ask(fee, make_agent())
    make_adjustment(fee.account, "10.00", on=today(), bill_ref=fee.account.bills.get().ref, fee_ref=fee.ref)
    boss = make_agent("supervisor")
    item = only(boss, "fee_waiver")
    assert (item.is_over, "billing credits it" in item.why_not) == (True, True)
    with pytest.raises(fees.CannotWaive):
        decide(Asked.objects.get(), boss)
    assert Asked.objects.get().state == "waiting"

    assert approvals.expire(as_of=today(), at=timezone.now()) == {"fee_waiver": 1}

    assert Asked.objects.get().state == "withdrawn"
    assert fee.account.events.filter(kind=kinds.FEE_WAIVER_WITHDRAWN).count() == 1
    assert not WorkItem.objects.filter(account=fee.account, kind="approval", done_at=None).exists()
