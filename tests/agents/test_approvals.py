"""What waits for somebody's word: who sees what of it with which facts, who decides, and what if nobody does."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import events
from accounts.models import Account, AccountEvent, Fee, Vulnerability
from agents import approvals, extensions, fee_waivers, plans, rights, settlements, write_offs
from agents import kinds as talk
from agents.approvals import Item
from agents.instalments import Instalment
from agents.models import Agent, Asked, Extension, Plan, Settlement, WorkItem
from collections_desk import journey
from dunning import kinds, policy_file, rule_packs, writing
from dunning.models import Arm, Experiment, MarketPacks, PackChange
from tests.dunning.tried import make_dry_run
from tests.factories import make_agent, make_bill, make_customer, make_item, make_payment, make_team, owing, settled
from tests.journeys.ledger import POLICY

pytestmark = pytest.mark.django_db


def today() -> date:
    return timezone.now().date()


def now(agent: Agent, on: date | None = None) -> dict[str, Any]:
    return {"actor": rights.actor(agent), "agent": agent, "as_of": on or today(), "at": moment_of(on)}


def moment_of(on: date | None) -> datetime:
    at = timezone.now()
    return at if on is None else at + timedelta(days=(on - at.date()).days)


def late(amount: str = "400.00", **columns: Any) -> Account:
    return owing(amount, as_of=today(), **columns)


def big_settlement(account: Account, amount: str = "300.00", *, by: Agent | None = None, **more: Any) -> Settlement:
    pay_by = today() + timedelta(days=12)
    asking = now(by or make_agent())
    return settlements.agree(account_id=account.pk, amount=Decimal(amount), pay_by=pay_by, **asking, **more)


def long_time(account: Account, *, by: Agent | None = None, **more: Any) -> Extension:
    until = today() + timedelta(days=45)
    return extensions.agree(account_id=account.pk, until=until, **now(by or make_agent()), **more)


def long_plan(account: Account, *, by: Agent | None = None, **more: Any) -> Plan:
    total = account.open_amount
    parts = [Instalment(today() + timedelta(days=30 * month), total / 8) for month in range(1, 9)]
    return plans.agree(account_id=account.pk, instalments=parts, **now(by or make_agent()), **more)


def write_off(account: Account, actor: str = "policy:residential@1", on: date | None = None) -> WorkItem:
    at = moment_of(on)
    events.record(account_id=account.pk, kind=kinds.WRITE_OFF_REQUESTED, actor=actor, at=at, on=at.date())
    return make_item(account, kind=WorkItem.Kind.APPROVAL, reason="write-off", created_at=at)


def waiver(account: Account, amount: int = 10, *, by: Agent | None = None) -> Asked:
    fee = Fee.objects.create(
        ref=f"desk-fee-{account.pk}-{amount}", account=account, kind="late_fee", on=today(), amount=amount
    )
    asking = by or make_agent()
    return fee_waivers.ask(fee_ref=fee.ref, agent=asking, reason="goodwill", as_of=today(), at=timezone.now())


def looser(by: str = "agent:ada") -> PackChange:
    return rule_packs.change(
        pack="US-FED", rule="US-FREQ-01", parameter="most", value=9, reason="A court said so", actor=by,
        at=timezone.now(),
    )  # fmt: skip


def without_a_pack(by: str = "agent:ada") -> MarketPacks:
    kept = [code for code in rule_packs.packs_of("GB") if code != rule_packs.packs_of("GB")[0]]
    return rule_packs.choose(market="GB", packs=kept, reason="Not our market", actor=by, at=timezone.now())


def tried_policy(by: str = "agent:ada") -> Any:
    draft = writing.save_draft(policy_file.read(POLICY), actor=by, at=timezone.now())
    make_dry_run(draft, as_of=today(), asked_at=timezone.now())
    return draft


def planned(draft: Any, by: str = "agent:ada") -> Experiment:
    row = Experiment.objects.create(
        code="spring", name="Spring", policy=draft.policy, starts_on=today(), ends_on=today() + timedelta(days=30),
        created_by=by, created_at=timezone.now(),
    )  # fmt: skip
    Arm.objects.create(experiment=row, code="as-is", role="champion", share=5_000)
    return row


def everything() -> None:
    """Something of each kind."""
    big_settlement(late())
    long_plan(late())
    long_time(late())
    write_off(late())
    waiver(late())
    looser()
    without_a_pack()
    planned(tried_policy())


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def waits(item: WorkItem) -> bool:
    return WorkItem.objects.get(pk=item.pk).done_at is None


def inbox(person: Agent) -> list[Item]:
    return approvals.inbox(person, at=timezone.now(), as_of=today())


def only(person: Agent, kind: str) -> Item:
    [item] = [item for item in inbox(person) if item.kind == kind]
    return item


def counts(person: Agent) -> tuple[int, int, int, int]:
    found = [item.kind for item in inbox(person)]
    return found.count("plan"), found.count("extension"), found.count("settlement"), found.count("write_off")


def statuses() -> set[str]:
    """Of every plan, time to pay and settlement."""
    return {
        status
        for model in (Plan, Extension, Settlement)
        for status in model._default_manager.values_list("status", flat=True)
    }


def events_of(account: Account, kind: str) -> AccountEvent:
    return account.events.get(kind=kind)


def test_supervisors_see_everything_and_finance_what_wants_finance() -> None:
    long_plan(late())
    long_time(late())
    big_settlement(late())
    big_settlement(late("9000.00"), "1000.00")
    write_off(late())

    assert counts(make_agent("supervisor")) == (1, 1, 2, 1)
    assert counts(make_agent("finance")) == (0, 0, 1, 1)
    assert approvals.count(make_agent("supervisor")) == 5


def test_a_team_lead_sees_their_teams() -> None:
    mine, others = make_team(), make_team()
    for team in (mine, others):
        account = late()
        make_item(account, team=team)
        big_settlement(account)

    lead = make_agent("team_lead", team=mine)
    row = only(lead, "settlement")
    assert row.account is not None
    assert row.account.work_items.filter(team=mine).exists()
    assert (row.may_decide, row.opens) == (True, True)
    assert counts(make_agent("supervisor", team=mine, all_teams=False)) == (0, 0, 1, 0)


@pytest.mark.parametrize(("role", "may"), [("team_lead", True), ("supervisor", True), ("finance", False)])
def test_the_page_offers_a_decision_to_who_has_one(role: str, may: bool) -> None:
    settlement = big_settlement(late())
    opened = f"/supervise/approvals/?open=settlement-{settlement.ref}"
    page = signed_in(make_agent(role)).get(opened).content.decode()

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
    item = make_item(account, kind=WorkItem.Kind.APPROVAL, reason="write-off", created_at=timezone.now())
    settlement = big_settlement(account)
    supervisor = make_agent("supervisor")
    assert counts(supervisor) == (0, 0, 1, 1)

    client = signed_in(supervisor)
    client.post(f"/supervise/settlements/{settlement.ref}/decide/", {"decision": "decline", "reason": "no"})
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


# --- The facts -------------------------------------------------------------------------------------------------------


def test_everything_that_waits_is_in_one_list_with_its_facts() -> None:
    everything()
    admin = make_agent("admin")

    found = inbox(admin)

    assert {item.kind for item in found} == set(approvals.KINDS)
    assert all(item.may_decide for item in found)
    assert all(item.facts for item in found)
    assert [item.expires_on for item in found] == sorted(
        (item.expires_on for item in found), key=lambda on: on or date.max
    )


def test_a_settlement_is_told_with_all_that_one_decides_on() -> None:
    nadia = make_agent(username="nadia")
    account = late("400.00", segment="business", customer=make_customer(name="Frida"))
    make_payment(account, "24.00", on=today() - timedelta(days=40))
    settled(account, as_of=today())
    broken = long_plan(account, by=nadia)
    Plan.objects.filter(pk=broken.pk).update(status="broken")
    Vulnerability.objects.create(
        customer=account.customer, category="communication", needs=["large_print"], noted_on=today()
    )
    big_settlement(account, "300.00", by=nadia, note="Lost her job")

    item = only(make_agent("manager"), "settlement")
    facts = dict(item.facts)

    assert (item.amount, item.let_go, item.percent) == (Decimal("300.00"), Decimal("76.000"), Decimal("20.2"))
    assert (item.asked_by, item.expires_on) == ("agent:nadia", today() + timedelta(days=7))
    assert facts["Let go"] == "€76.00 (20.2 %)"
    assert facts["Note"] == "Lost her job"
    assert facts["Plans before"] == "1 broken"
    assert facts["Paid in a year"] == "€24.00 in 1 payment"
    assert facts["Owes"].startswith("€376.00 · €376.00 past due, for ")
    assert facts["Age of the debt"] == "120+: €376.00"
    assert "business" in facts["Customer"]
    assert facts["Support"] == "Needs another way to communicate (Large print)"
    assert "SET-01" in facts["The rules say"]
    assert item.why != ""


def test_what_support_is_needed_is_told_to_who_may_see_it() -> None:
    account = late()
    Vulnerability.objects.create(
        customer=account.customer, category="communication", needs=["braille"], noted_on=today()
    )
    big_settlement(account)

    assert dict(only(make_agent("team_lead"), "settlement").facts)["Support"] == "Support needed"
    assert dict(only(make_agent("finance"), "settlement").facts if inbox(make_agent("finance")) else []) == {}


def test_a_plan_a_fee_and_a_rule_are_told_with_what_is_their_own() -> None:
    long_plan(late())
    waiver(late(), 30)
    looser()
    boss = make_agent("supervisor")

    assert dict(only(boss, "plan").facts)["Instalments"].startswith("8 from ")
    assert only(boss, "fee_waiver").why == "goodwill"
    told = dict(only(boss, "rule_change").facts)
    assert (told["Now"], told["Then"]) == ("7", "9")
    assert "examples" in told["Would come out otherwise"]


def test_whoever_reads_the_facts_of_a_customer_leaves_an_event_and_the_list_alone_does_not() -> None:
    settlement = big_settlement(late())
    boss = make_agent("supervisor", username="ruth")
    client = signed_in(boss)
    read = settlement.account.events.filter(kind=events.PERSONAL_DATA_READ)

    client.get("/supervise/approvals/")
    assert not read.exists()
    page = client.get(f"/supervise/approvals/settlement/{settlement.ref}/", headers={"HX-Request": "true"})

    assert "€100.00 (25.0 %)" in page.content.decode()
    assert (read.get().actor, read.get().payload["ref"]) == ("agent:ruth", settlement.ref)


def test_facts_of_what_is_not_mine_to_see_are_not_found() -> None:
    account = late()
    make_item(account, team=make_team())
    settlement = big_settlement(account)
    lead = signed_in(make_agent("team_lead", team=make_team()))

    address = f"/supervise/approvals/settlement/{settlement.ref}/"
    assert lead.get(address, headers={"HX-Request": "true"}).status_code == 404
    assert not account.events.filter(kind=events.PERSONAL_DATA_READ).exists()
    assert signed_in(make_agent()).get("/supervise/approvals/").status_code == 403


def test_the_list_is_narrowed_to_a_kind_and_to_what_is_mine() -> None:
    boss = make_agent("supervisor")
    long_plan(late())
    Plan.objects.update(made_by=rights.actor(boss))
    big_settlement(late())
    client = signed_in(boss)

    assert len(client.get("/supervise/approvals/").context["items"]) == 2
    assert [item.kind for item in client.get("/supervise/approvals/?kind=plan").context["items"]] == ["plan"]
    mine = client.get("/supervise/approvals/?mine=1").context
    assert [item.kind for item in mine["items"]] == ["settlement"]
    assert (mine["waiting"], mine["to_decide"]) == (2, 1)


def test_the_page_takes_the_same_number_of_queries_whatever_waits() -> None:
    boss = make_agent("supervisor")
    client = signed_in(boss)
    everything()
    client.get("/supervise/approvals/")  # what is kept in memory is read

    with CaptureQueriesContext(
        connection,
    ) as few:
        assert client.get("/supervise/approvals/").status_code == 200
    for _ in range(4):
        big_settlement(late())
        long_plan(late())
        long_time(late())
        write_off(late())
        waiver(late())
    with CaptureQueriesContext(connection) as many:
        assert len(client.get("/supervise/approvals/").context["items"]) == 29

    assert len(many) == len(few)
    assert len(many) <= 40
    with CaptureQueriesContext(connection) as with_facts:
        inbox(boss)
    assert len(with_facts) <= 45


# --- Four eyes -------------------------------------------------------------------------------------------------------


def test_nobody_decides_on_what_they_asked_for_whatever_it_is() -> None:
    boss = make_agent("admin", username="ada")
    plan, time, settlement = long_plan(late(), by=boss), long_time(late(), by=boss), None
    Plan.objects.update(status="pending_approval")
    Extension.objects.update(status="pending_approval")
    account = late()
    settlement = big_settlement(account)
    Settlement.objects.update(made_by="agent:ada")
    item, asked = write_off(late(), "agent:ada"), waiver(late(), by=boss)
    change, choice = looser("agent:ada"), without_a_pack("agent:ada")
    planned(tried_policy())

    assert not [item.kind for item in inbox(boss) if item.may_decide]
    assert all(item.why_not for item in inbox(boss))
    client = signed_in(boss)
    for address in (
        f"plans/{plan.ref}", f"extensions/{time.ref}", f"settlements/{settlement.ref}", f"write-offs/{item.pk}",
        f"fee-waivers/{asked.pk}", f"rules/{change.pk}",
    ):  # fmt: skip
        page = client.post(f"/supervise/{address}/decide/", {"decision": "approve", "reason": "mine"}, follow=True)
        assert "toast error" in page.content.decode(), address
    seen = ",".join(choice.waiting_for or [])
    page = client.post("/supervise/packs/GB/decide/", {"decision": "approve", "seen": seen}, follow=True)
    assert "toast error" in page.content.decode()
    assert statuses() == {"pending_approval"}
    assert (PackChange.objects.get().state, Asked.objects.get().state) == ("waiting", "waiting")


def test_a_looser_rule_and_a_choice_of_packs_are_decided_here_by_the_second_person() -> None:
    change, choice = looser(), without_a_pack()
    boss = make_agent("supervisor", username="ruth")
    client = signed_in(boss)

    client.post(f"/supervise/rules/{change.pk}/decide/", {"decision": "approve"})
    client.post(
        "/supervise/packs/GB/decide/",
        {"decision": "decline", "reason": "It is our market", "seen": ",".join(choice.waiting_for or [])},
    )

    assert PackChange.objects.get().state == "in_force"
    assert MarketPacks.objects.get().waiting_for is None
    told = AccountEvent.objects.get(kind=kinds.RULE_CHANGE_APPROVED)
    assert (told.actor, told.payload["rule"], told.payload["asked_by"]) == ("agent:ruth", "US-FREQ-01", "agent:ada")
    assert AccountEvent.objects.get(kind=kinds.PACK_CHOICE_DECLINED).reason == "It is our market"


def test_who_may_not_let_rules_be_looser_neither_sees_nor_decides_them() -> None:
    change = looser()
    lead = make_agent("team_lead")

    assert inbox(lead) == []
    signed_in(lead).post(f"/supervise/rules/{change.pk}/decide/", {"decision": "approve"})
    assert PackChange.objects.get().state == "waiting"


def test_a_policy_that_was_not_tried_as_it_stands_waits_for_nobody() -> None:
    draft = tried_policy()
    boss = make_agent("supervisor")
    assert [item.kind for item in inbox(boss)] == ["policy"]

    later = timezone.now() + timedelta(minutes=1)
    writing.save_draft({**policy_file.read(POLICY), "name": "Another"}, actor="agent:ada", at=later)

    assert inbox(boss) == []
    assert draft.pk


def test_policies_and_experiments_lead_to_the_page_where_they_are_decided() -> None:
    draft = tried_policy()
    row = planned(draft)
    client = signed_in(make_agent("supervisor"))

    page = client.get(f"/supervise/approvals/?open=policy-{draft.pk}").content.decode()
    assert f"/policyversion/{draft.pk}/publish" in page
    page = client.get(f"/supervise/approvals/?open=experiment-{row.pk}").content.decode()
    assert f"/experiment/{row.pk}/start" in page


@pytest.mark.parametrize("what", ["plans", "extensions", "settlements"])
def test_whoever_declines_says_why(what: str) -> None:
    makers: dict[str, Any] = {"plans": long_plan, "extensions": long_time, "settlements": big_settlement}
    row = makers[what](late())
    client = signed_in(make_agent("supervisor"))

    page = client.post(f"/supervise/{what}/{row.ref}/decide/", {"decision": "decline"}, follow=True)

    assert "Say why" in page.content.decode()
    row.refresh_from_db()
    assert row.status == "pending_approval"


# --- Nobody decides --------------------------------------------------------------------------------------------------


def test_what_nobody_decides_on_in_time_is_declined_at_the_close_of_the_day() -> None:
    nadia = make_agent(username="nadia")
    accounts = [late() for _ in range(4)]
    plan, time, settlement = (
        long_plan(accounts[0], by=nadia), long_time(accounts[1], by=nadia), big_settlement(accounts[2], by=nadia)
    )  # fmt: skip
    asked = waiver(accounts[3], by=nadia)
    last = today() + timedelta(days=7)

    journey.close_day(as_of=last, at=moment_of(last))
    assert statuses() == {"pending_approval"}
    after = last + timedelta(days=1)
    journey.close_day(as_of=after, at=moment_of(after))

    declined: tuple[tuple[Any, str, str], ...] = (
        (plan, talk.PLAN_DECLINED, "plan"),
        (time, talk.EXTENSION_DECLINED, "extension"),
        (settlement, talk.SETTLEMENT_DECLINED, "settlement"),
    )
    for row, kind, noun in declined:
        row.refresh_from_db()
        assert row.status == "cancelled"
        assert row.hold is not None
        assert row.hold.lifted_on == after, noun
        told = row.account.events.get(kind=kind)
        assert (told.actor, told.payload["expired"]) == ("desk:approvals", True)
        assert told.reason == f"Nobody decided on it by {last}."
    asked.refresh_from_db()
    assert (asked.state, asked.decided_by) == ("expired", "desk:approvals")
    assert asked.account.desk_fees.get().waived_on is None
    for account in accounts:
        assert not account.work_items.filter(kind="approval", done_at=None).exists()
        assert "asked by nadia" in account.work_items.get(kind="task", done_at=None).reason
    assert approvals.expire(as_of=after, at=moment_of(after)) == {}


def test_whoever_asked_hears_that_nobody_decided() -> None:
    nadia, luis = make_agent(), make_agent()
    account = late(customer=make_customer(name="Frida"))
    plan = long_plan(account, by=nadia)
    waiver(late(customer=make_customer(name="Gus")), by=nadia)
    Plan.objects.filter(pk=plan.pk).update(made_on=today() - timedelta(days=8))
    Asked.objects.update(expires_on=today() - timedelta(days=1))

    approvals.expire(as_of=today(), at=timezone.now() - timedelta(hours=9))

    told = signed_in(nadia).get("/news/").json()["decided"]
    assert {one["text"] for one in told} == {
        "Declined: the plan of Frida.", "Declined: letting the fee of Gus go."
    }  # fmt: skip
    assert signed_in(luis).get("/news/").json()["decided"] == []


def test_a_write_off_and_a_rule_wait_for_longer_and_then_end_too() -> None:
    account = late()
    item, change, choice = write_off(account), looser(), without_a_pack()
    soon, later = today() + timedelta(days=30), today() + timedelta(days=31)

    assert approvals.expire(as_of=soon, at=moment_of(soon)) == {}
    assert approvals.expire(as_of=later, at=moment_of(later)) == {"write_off": 1, "rule_change": 2}

    assert not waits(item)
    assert events_of(account, kinds.WRITE_OFF_DECLINED).payload["expired"] is True
    assert "residential@1" in account.work_items.get(kind="task").reason
    change.refresh_from_db()
    choice.refresh_from_db()
    assert (change.state, choice.waiting_for) == ("refused", None)
    assert AccountEvent.objects.get(kind=kinds.RULE_CHANGE_DECLINED).actor == "desk:approvals"


def test_after_its_last_day_it_can_be_declined_and_not_approved() -> None:
    boss = make_agent("supervisor")
    rows: list[Any] = [long_plan(late()), long_time(late()), big_settlement(late())]
    item, asked = write_off(late(), on=today() - timedelta(days=31)), waiver(late())
    for row in rows:
        type(row).objects.filter(pk=row.pk).update(made_on=today() - timedelta(days=8))
    Asked.objects.update(expires_on=today() - timedelta(days=1))
    assert all(one.is_over and one.may_decide and one.why_not for one in inbox(boss))
    client = signed_in(boss)

    addresses = [
        f"plans/{rows[0].ref}", f"extensions/{rows[1].ref}", f"settlements/{rows[2].ref}", f"write-offs/{item.pk}",
        f"fee-waivers/{asked.pk}",
    ]  # fmt: skip
    for address in addresses:
        page = client.post(f"/supervise/{address}/decide/", {"decision": "approve", "reason": "late"}, follow=True)
        assert "Nobody decided on it by" in page.content.decode(), address
        client.post(f"/supervise/{address}/decide/", {"decision": "decline", "reason": "late"})

    assert inbox(boss) == []


def test_how_long_something_waits_is_set_by_kind(settings: Any) -> None:
    settings.DESK_APPROVAL_DAYS = {"settlement": "2"}
    long_plan(late())
    big_settlement(late())
    boss = make_agent("supervisor")

    assert only(boss, "settlement").expires_on == today() + timedelta(days=2)
    assert only(boss, "plan").expires_on is None
    far = today() + timedelta(days=200)
    assert approvals.expire(as_of=far, at=moment_of(far)) == {"settlement": 1}


def test_a_fee_waiver_alone_lets_nobody_write_the_account_off() -> None:
    asked = waiver(late())
    item = WorkItem.objects.get(account=asked.account, kind="approval")

    with pytest.raises(write_offs.AlreadyDecided, match="waiver of a fee"):
        write_offs.decide(
            item_id=item.pk, approve=True, reason="x", agent=make_agent("supervisor"), as_of=today(), at=timezone.now()
        )
    assert [one.kind for one in inbox(make_agent("supervisor"))] == ["fee_waiver"]


def test_a_settlement_and_time_to_pay_wait_no_longer_than_their_own_day() -> None:
    nadia = make_agent(username="nadia")
    settlement, time = big_settlement(late(), by=nadia), long_time(late(), by=nadia)
    soon = today() + timedelta(days=2)
    Settlement.objects.update(pay_by=soon)
    Extension.objects.update(until=soon)
    assert {item.expires_on for item in inbox(make_agent("supervisor"))} == {soon}

    after = soon + timedelta(days=1)
    settlements.review(as_of=after, at=moment_of(after))
    extensions.review(as_of=after, at=moment_of(after))

    declined: tuple[tuple[Any, str], ...] = (
        (settlement, talk.SETTLEMENT_DECLINED), (time, talk.EXTENSION_DECLINED)
    )  # fmt: skip
    for row, kind in declined:
        row.refresh_from_db()
        assert row.status == "cancelled"
        assert events_of(row.account, kind).reason == f"Nobody decided on it by {soon}."
        assert "asked by nadia" in row.account.work_items.get(kind="task", done_at=None).reason
