"""In somebody's place: with their authority and no more, never on one's own or their own, and over when it is ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AccountEvent, Fee
from accounts.refusals import Refused
from agents import approvals, delegations, extensions, fee_waivers, kinds, loosening, plans, settlements, write_offs
from agents.models import Agent, Asked, Delegation, Plan, Settlement
from agents.settlements import CannotDecideSettlement
from dunning.models import PackChange
from tests.agents.test_approvals import (
    big_settlement,
    late,
    long_plan,
    long_time,
    looser,
    only,
    signed_in,
    today,
    waits,
    waiver,
    write_off,
)
from tests.factories import make_agent, make_item, make_team

pytestmark = pytest.mark.django_db


def stands_in(to: Agent, of: Agent, *, from_on: date | None = None, until_on: date | None = None) -> Delegation:
    """``to`` decides for ``of`` from today on, unless told otherwise; the person themselves says so."""
    first = from_on or today()
    return delegations.make(
        of=of, to=to, from_on=first, until_on=until_on or first + timedelta(days=10), reason="On leave", by=of,
        as_of=today(), at=timezone.now(),
    )  # fmt: skip


def decided(agent: Agent, of: Agent | None, **more: Any) -> dict[str, Any]:
    return {"approve": True, "agent": agent, "instead_of": of, "as_of": today(), "at": timezone.now(), **more}


def refused(act: Callable[..., object], **named: Any) -> str:
    """What is said of an act that may not be done."""
    with pytest.raises(Refused) as refusal:
        act(**named)
    return str(refusal.value)


# --- Making and ending one -------------------------------------------------------------------------------------------


def test_one_is_made_by_the_person_and_is_in_force_on_its_days_alone() -> None:
    ruth, omar = make_agent("supervisor", username="ruth"), make_agent("team_lead", username="omar")
    made = stands_in(omar, ruth, from_on=today() + timedelta(days=2), until_on=today() + timedelta(days=4))

    days = [bool(delegations.acting_for(omar, today() + timedelta(days=ahead))) for ahead in range(7)]

    assert days == [False, False, True, True, True, False, False]
    assert delegations.acting_for(ruth, made.from_on) == set()
    told = AccountEvent.objects.get(kind=kinds.DELEGATION_MADE)
    assert (told.actor, told.payload["decides"], told.payload["in_place_of"]) == (
        "agent:ruth", "agent:omar", "agent:ruth"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("by", "of", "may"),
    [
        ("manager", "supervisor", True),
        ("admin", "supervisor", True),
        ("admin", "admin", True),
        ("manager", "admin", False),
        ("supervisor", "supervisor", False),
        ("supervisor", "manager", False),
        ("team_lead", "supervisor", False),
        ("finance", "supervisor", False),
        ("agent", "supervisor", False),
    ],
)
def test_for_others_managers_and_admins_make_one(by: str, of: str, may: bool) -> None:
    made: dict[str, Any] = {
        "of": make_agent(of), "to": make_agent("team_lead"), "from_on": today(), "until_on": today(), "reason": "ill",
        "by": make_agent(by), "as_of": today(), "at": timezone.now(),
    }  # fmt: skip
    if may:
        assert delegations.make(**made).pk
    else:
        assert "say who stands in" in refused(delegations.make, **made)


def test_what_makes_no_sense_is_refused() -> None:
    ruth, omar, nadia = make_agent("supervisor"), make_agent("supervisor"), make_agent()
    boss = make_agent("manager")
    given: dict[str, Any] = {
        "of": ruth, "to": omar, "from_on": today(), "until_on": today(), "reason": "ill", "by": ruth,
        "as_of": today(), "at": timezone.now(),
    }  # fmt: skip
    day = timedelta(days=1)

    assert "for themselves" in refused(delegations.make, **{**given, "to": ruth})
    assert "puts themselves" in refused(delegations.make, **{**given, "by": boss, "to": boss})
    assert "decides on nothing" in refused(delegations.make, **{**given, "to": nadia})
    assert "before it begins" in refused(delegations.make, **{**given, "until_on": today() - day})
    past = {**given, "from_on": today() - 3 * day, "until_on": today() - day}
    assert "past" in refused(delegations.make, **past)
    assert "at most" in refused(delegations.make, **{**given, "until_on": today() + 200 * day})
    assert "Say why" in refused(delegations.make, **{**given, "reason": "  "})
    delegations.make(**given)
    assert "already" in refused(delegations.make, **{**given, "until_on": today() + day})


def test_once_ended_it_gives_no_word_any_more() -> None:
    ruth, omar = make_agent("supervisor"), make_agent("team_lead")
    made = stands_in(omar, ruth)
    plan = long_plan(late())
    delegations.end(delegation_id=made.pk, by=ruth, as_of=today(), at=timezone.now())

    said = refused(plans.decide, plan_id=plan.pk, **decided(omar, ruth))

    assert "do not stand in" in said
    assert Plan.objects.get().status == "pending_approval"
    assert AccountEvent.objects.filter(kind=kinds.DELEGATION_ENDED).count() == 1
    assert "over already" in refused(delegations.end, delegation_id=made.pk, by=ruth, as_of=today(), at=timezone.now())


def test_it_is_ended_by_either_or_who_could_make_it_and_by_nobody_else() -> None:
    ruth, omar = make_agent("supervisor"), make_agent("team_lead")
    for by in (ruth, omar, make_agent("manager"), make_agent("admin")):
        made = stands_in(omar, ruth)
        assert delegations.end(delegation_id=made.pk, by=by, as_of=today(), at=timezone.now()).ended_at
    made = stands_in(omar, ruth)
    for role in ("supervisor", "team_lead", "finance", "agent"):
        given = {"delegation_id": made.pk, "by": make_agent(role), "as_of": today(), "at": timezone.now()}
        assert "not yours" in refused(delegations.end, **given)


# --- Deciding --------------------------------------------------------------------------------------------------------


def test_every_kind_is_decided_in_somebodys_place_and_says_so() -> None:
    ruth, omar = make_agent("supervisor", username="ruth"), make_agent("finance", username="omar")
    stands_in(omar, ruth)
    plan, time, settlement = long_plan(late()), long_time(late()), big_settlement(late())
    item, asked, change = write_off(late()), waiver(late()), looser()
    assert all(row.may_decide for row in approvals.inbox(omar, at=timezone.now(), as_of=today()))

    client = signed_in(omar)
    for address in (
        f"plans/{plan.ref}", f"extensions/{time.ref}", f"settlements/{settlement.ref}", f"write-offs/{item.pk}",
        f"fee-waivers/{asked.pk}", f"rules/{change.pk}",
    ):  # fmt: skip
        page = client.post(f"/supervise/{address}/decide/", {"decision": "approve", "in_place_of": "ruth"}, follow=True)
        assert "Decided for ruth." in page.content.decode(), address

    plan.refresh_from_db()
    time.refresh_from_db()
    asked.refresh_from_db()
    settlement.refresh_from_db()
    for row in (plan, time, asked):
        assert (row.decided_by, row.decided_for) == ("agent:omar", "agent:ruth")
    assert settlement.approvals == [{"by": "agent:omar", "role": "supervisor", "in_place_of": "agent:ruth"}]
    told = AccountEvent.objects.filter(payload__in_place_of="agent:ruth").exclude(kind=kinds.DELEGATION_MADE)
    assert set(told.values_list("actor", flat=True)) == {"agent:omar"}
    assert {row.kind for row in told} == {
        "agents.plan.approved", "agents.extension.approved", "agents.settlement.approved",
        "dunning.account.written_off",
        "agents.fee_waiver.approved", "dunning.rule_change.approved",
    }  # fmt: skip


def test_the_timeline_names_both() -> None:
    ruth, omar = make_agent("supervisor", username="ruth"), make_agent("team_lead", username="omar")
    stands_in(omar, ruth)
    plan = long_plan(late())
    plans.decide(plan_id=plan.pk, **decided(omar, ruth))

    page = signed_in(ruth).get(f"/accounts/{plan.account.ref}/").content.decode()

    assert "omar for ruth" in page


def test_neither_decides_on_what_either_asked_for() -> None:
    ruth, omar = make_agent("supervisor", username="ruth"), make_agent("supervisor", username="omar")
    stands_in(omar, ruth)
    for asking in (ruth, omar):
        plan, time = long_plan(late(), by=make_agent()), long_time(late(), by=make_agent())
        settlement, asked = big_settlement(late(), by=make_agent()), waiver(late(), by=asking)
        who = f"agent:{asking.username}"
        for row in (plan, time, settlement):
            type(row).objects.filter(pk=row.pk).update(made_by=who)
        item, change = write_off(late(), who), looser(who)

        assert "Somebody else" in refused(plans.decide, plan_id=plan.pk, **decided(omar, ruth))
        assert "Somebody else" in refused(extensions.decide, extension_id=time.pk, **decided(omar, ruth))
        assert "Somebody else" in refused(settlements.decide, settlement_id=settlement.pk, **decided(omar, ruth))
        assert "Somebody else" in refused(fee_waivers.decide, asked_id=asked.pk, reason="x", **decided(omar, ruth))
        assert "Somebody else" in refused(write_offs.decide, item_id=item.pk, reason="x", **decided(omar, ruth))
        assert "Somebody else" in refused(
            loosening.decide_change, change_id=change.pk, reason="x", **decided(omar, ruth)
        )
        assert waits(item)
        PackChange.objects.all().delete()
    seen = [row for row in approvals.inbox(omar, at=timezone.now(), as_of=today()) if row.asked_by == "agent:ruth"]
    assert seen
    assert all(not row.in_place_of for row in seen)


def test_whoever_stands_in_for_who_stands_in_has_the_latters_own_authority_alone() -> None:
    ruth, omar, lena = make_agent("manager"), make_agent("team_lead"), make_agent("team_lead", username="lena")
    stands_in(omar, ruth)
    stands_in(lena, omar)
    settlement = big_settlement(late("2000.00"), "1200.00")  # a manager's

    assert delegations.acting_for(lena, today()) == {omar}
    assert "do not stand in" in refused(settlements.decide, settlement_id=settlement.pk, **decided(lena, ruth))
    with pytest.raises(CannotDecideSettlement):
        settlements.decide(settlement_id=settlement.pk, **decided(lena, omar))
    assert not only(lena, "settlement").may_decide
    assert only(omar, "settlement").in_place_of == (ruth,)
    assert settlements.decide(settlement_id=settlement.pk, **decided(omar, ruth)).status == "open"


def test_the_authority_is_that_of_the_person_and_not_ones_own_beside_it() -> None:
    lead, boss = make_agent("team_lead", username="lead"), make_agent("manager", username="boss")
    stands_in(boss, lead)
    settlement, time = big_settlement(late("2000.00"), "1200.00"), long_time(late())

    assert "more than you may" in refused(settlements.decide, settlement_id=settlement.pk, **decided(boss, lead))
    assert "supervisor decides" in refused(extensions.decide, extension_id=time.pk, **decided(boss, lead))
    assert settlements.decide(settlement_id=settlement.pk, **decided(boss, None)).status == "open"


def test_a_large_fee_is_let_go_by_whose_limit_it_is_within() -> None:
    lead, boss = make_agent("team_lead"), make_agent("manager")
    stands_in(lead, boss)
    asked = waiver(late(), 500)

    assert "more than you let go" in refused(fee_waivers.decide, asked_id=asked.pk, reason="", **decided(lead, None))
    assert fee_waivers.decide(asked_id=asked.pk, reason="", **decided(lead, boss)).state == "approved"
    assert Fee.objects.get().waived_by == f"agent:{lead.username}"


def test_the_other_teams_account_stays_the_other_teams() -> None:
    north, south = make_team(), make_team()
    ruth = make_agent("supervisor", team=north, all_teams=False, username="ruth")
    omar = make_agent("team_lead", team=south)
    stands_in(omar, ruth)
    mine, hers, nobodys = late(), late(), late()
    make_item(mine, team=south)
    make_item(hers, team=north)
    make_item(nobodys, team=make_team())
    rows = {account.pk: long_plan(account) for account in (mine, hers, nobodys)}

    seen = {row.account.pk: row for row in approvals.inbox(omar, at=timezone.now(), as_of=today()) if row.account}
    assert seen.keys() == {mine.pk, hers.pk}
    assert (seen[mine.pk].own, seen[mine.pk].in_place_of) == (True, ())
    assert (seen[hers.pk].own, seen[hers.pk].in_place_of, seen[hers.pk].opens) == (False, (ruth,), False)
    assert "another team" in refused(plans.decide, plan_id=rows[mine.pk].pk, **decided(omar, ruth))
    assert "another team" in refused(plans.decide, plan_id=rows[hers.pk].pk, **decided(omar, None))
    client = signed_in(omar)
    for account, whom, status in ((nobodys, "", 404), (nobodys, "ruth", 404), (hers, "", 404), (mine, "ruth", 404)):
        given = {"decision": "approve", "in_place_of": whom}
        answer = client.post(f"/supervise/plans/{rows[account.pk].ref}/decide/", given)
        assert answer.status_code == status
    assert client.get(f"/accounts/{hers.ref}/").status_code in {403, 404}
    client.post(f"/supervise/plans/{rows[hers.pk].ref}/decide/", {"decision": "approve", "in_place_of": "ruth"})
    assert Plan.objects.get(pk=rows[hers.pk].pk).status == "active"


def test_nobody_stands_in_who_was_not_asked_to() -> None:
    ruth = make_agent("supervisor", username="ruth")
    stands_in(make_agent("team_lead"), ruth)
    plan = long_plan(late())

    for role in ("team_lead", "finance", "manager"):
        client = signed_in(make_agent(role))
        given = {"decision": "approve", "in_place_of": "ruth"}
        assert client.post(f"/supervise/plans/{plan.ref}/decide/", given).status_code == 403
    assert Plan.objects.get().status == "pending_approval"


def test_an_agent_cannot_be_made_to_decide_and_a_role_that_was_lost_counts_at_once() -> None:
    ruth, omar = make_agent("supervisor"), make_agent("team_lead")
    Delegation.objects.create(
        of=ruth, to=make_agent(username="nadia"), from_on=today(), until_on=today(), reason="forged",
        made_by="agent:x", made_at=timezone.now(),
    )  # fmt: skip
    nadia = Agent.objects.get(username="nadia")
    plan = long_plan(late())
    assert delegations.acting_for(nadia, today()) == set()
    assert refused(plans.decide, plan_id=plan.pk, **decided(nadia, ruth))

    stands_in(omar, ruth)
    ruth.groups.clear()
    gone = Agent.objects.get(pk=ruth.pk)
    assert delegations.acting_for(Agent.objects.get(pk=omar.pk), today()) == set()
    assert refused(plans.decide, plan_id=plan.pk, **decided(omar, gone))
    assert Plan.objects.get().status == "pending_approval"


def test_two_words_are_two_peoples_whoever_stands_in_for_whom() -> None:
    finance, manager = make_agent("finance"), make_agent("manager")
    stands_in(finance, manager)
    stands_in(manager, finance)
    settlement = big_settlement(late("9000.00"), "1000.00")
    settlements.decide(settlement_id=settlement.pk, **decided(finance, manager))

    assert Settlement.objects.get().wants == ["finance"]
    for agent, of in ((finance, None), (finance, manager), (manager, None), (manager, finance)):
        said = refused(settlements.decide, settlement_id=settlement.pk, **decided(agent, of))
        assert "agreed already" in said
    other = make_agent("finance")
    assert settlements.decide(settlement_id=settlement.pk, **decided(other, None)).status == "open"


def test_a_decision_is_made_once() -> None:
    ruth, omar = make_agent("supervisor"), make_agent("team_lead")
    stands_in(omar, ruth)
    asked = waiver(late())
    fee_waivers.decide(asked_id=asked.pk, reason="", **decided(omar, ruth))

    for agent, of in ((omar, ruth), (omar, None), (ruth, None)):
        assert "does not wait any more" in refused(
            fee_waivers.decide, asked_id=asked.pk, reason="", **decided(agent, of)
        )
    assert Asked.objects.get().state == "approved"


# --- The page --------------------------------------------------------------------------------------------------------


def test_the_page_lets_one_be_made_and_ended() -> None:
    ruth = make_agent("supervisor", username="ruth")
    make_agent("team_lead", username="omar", first_name="Omar")
    client = signed_in(ruth)
    days = {"from_on": today().isoformat(), "until_on": (today() + timedelta(days=3)).isoformat()}

    page = client.post("/supervise/delegations/", {"of": "ruth", "to": "omar", "reason": "leave", **days}, follow=True)
    assert "Omar decides for ruth." in page.content.decode()
    made = Delegation.objects.get()
    assert made.made_by == "agent:ruth"
    page = client.post(f"/supervise/delegations/{made.pk}/end/", follow=True)
    assert "does not decide for ruth any more" in page.content.decode()
    assert Delegation.objects.get().ended_at is not None


def test_the_page_takes_no_forged_persons() -> None:
    ruth, omar = make_agent("supervisor", username="ruth"), make_agent("team_lead", username="omar")
    days = {"from_on": today().isoformat(), "until_on": today().isoformat(), "reason": "leave"}
    client: Client = signed_in(omar)

    for of, to in (("ruth", "omar"), ("ruth", "ruth"), ("omar", "omar"), ("omar", "nobody")):
        assert client.post("/supervise/delegations/", {"of": of, "to": to, **days}).status_code == 422
    assert not Delegation.objects.exists()
    made = stands_in(make_agent("team_lead"), ruth)
    assert client.post(f"/supervise/delegations/{made.pk}/end/").status_code == 404
    assert signed_in(make_agent()).get("/supervise/delegations/").status_code == 403
    assert Decimal(Delegation.objects.filter(ended_at=None).count()) == 1
