"""Time to pay: how much, how often, by whom, and how it ends."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts import holds
from accounts.models import Account, Vulnerability
from agents import extensions, kinds, rights
from agents.extensions import CannotCancelExtension, CannotDecideExtension, CannotExtend
from agents.models import Agent, Extension, WorkItem
from tests.factories import TODAY, kinds_of, make_agent, make_bill, make_payment, moment, owing, settled

pytestmark = pytest.mark.django_db

UNTIL = TODAY + timedelta(days=20)


def give(account: Account, agent: Agent | None = None, **more: Any) -> Extension:
    agent = agent or make_agent()
    return extensions.agree(
        **{
            "account_id": account.pk,
            "until": UNTIL,
            "actor": rights.actor(agent),
            "agent": agent,
            "as_of": TODAY,
            "at": moment(),
            **more,
        }
    )


def decide(extension: Extension, agent: Agent, approve: bool = True) -> Extension:
    return extensions.decide(
        extension_id=extension.pk, approve=approve, agent=agent, as_of=TODAY, at=moment(), reason="looked at"
    )


def review(account: Account, on: date) -> Extension:
    settled(account, as_of=on)
    extensions.review(account_ids=[account.pk], as_of=on, at=moment(on))
    return account.extensions.order_by("-pk")[0]


def test_a_quote_says_how_long_and_whether_it_needs_approval() -> None:
    account = owing("60.00", "40.00")
    terms: dict[str, Any] = {"account_id": account.pk, "agent": make_agent(), "as_of": TODAY, "at": moment()}

    month = extensions.quote_for(until=TODAY + timedelta(days=30), **terms)
    more = extensions.quote_for(until=TODAY + timedelta(days=31), **terms)

    assert (month.total, month.days, month.within_authority, month.reasons) == (Decimal(100), 30, True, [])
    assert (more.within_authority, more.reasons, more.refusals) == (False, ["At most 30 days more."], [])
    assert not account.extensions.exists()


def test_it_leaves_the_bills_alone_until_its_day_and_ends_with_it() -> None:
    account = owing("100.00")
    given = give(account)

    assert (given.status, given.hold and given.hold.ends_on) == ("active", UNTIL)
    assert review(account, UNTIL).status == "active"
    ended = review(account, UNTIL + timedelta(days=1))
    assert (ended.status, ended.settled_on) == ("ended", UNTIL + timedelta(days=1))
    assert kinds_of(account, "agents.extension") == [kinds.EXTENSION_AGREED, kinds.EXTENSION_ENDED]


def test_paid_before_its_day_it_ends_by_itself() -> None:
    account = owing("100.00")
    give(account)
    make_payment(account, "100.00", on=TODAY + timedelta(days=2))

    assert review(account, TODAY + timedelta(days=2)).status == "ended"
    assert list(holds.in_force(account_id=account.pk, as_of=TODAY + timedelta(days=2))) == []


def test_somebody_who_needs_care_gets_sixty_days() -> None:
    account = owing("100.00")
    Vulnerability.objects.create(
        customer=account.customer, category="health", severity="medium", noted_on=TODAY, recorded_by="x"
    )
    agent = make_agent()

    assert give(account, agent, until=TODAY + timedelta(days=60)).status == "active"


def test_the_third_time_in_twelve_months_is_a_supervisors() -> None:
    account = owing("100.00")
    for days in (300, 100):
        Extension.objects.create(
            ref=f"E{days}",
            account=account,
            made_on=TODAY - timedelta(days=days),
            until=TODAY - timedelta(days=days - 7),
            status="ended",
            made_by="agent:x",
        )

    third = give(account)

    assert third.status == "pending_approval"
    assert decide(third, make_agent("supervisor")).status == "active"


def test_a_supervisor_gives_more_alone_and_a_team_lead_does_not() -> None:
    long = TODAY + timedelta(days=45)
    assert give(owing("100.00"), make_agent("supervisor"), until=long).status == "active"
    waits = give(owing("100.00"), make_agent("team_lead"), until=long)
    assert waits.status == "pending_approval"

    for role in ("agent", "team_lead", "finance"):
        with pytest.raises(CannotDecideExtension) as refused:
            decide(waits, make_agent(role))
        assert refused.value.code == "forbidden"


def test_nobody_decides_on_time_that_they_gave() -> None:
    agent = make_agent("agent")
    waits = give(owing("100.00"), agent, until=TODAY + timedelta(days=45))
    agent.groups.add(*make_agent("supervisor").groups.all())

    with pytest.raises(CannotDecideExtension, match="Somebody else"):
        decide(waits, Agent.objects.get(pk=agent.pk))


def test_declined_the_hold_ends_and_somebody_is_told() -> None:
    account = owing("100.00")
    waits = give(account, until=TODAY + timedelta(days=45))
    assert [hold.reason for hold in holds.in_force(account_id=account.pk, as_of=TODAY)] == ["promise"]

    assert decide(waits, make_agent("supervisor"), approve=False).status == "cancelled"
    assert list(holds.in_force(account_id=account.pk, as_of=TODAY)) == []
    assert WorkItem.objects.filter(account=account, kind="task", reason__contains="time to pay was declined").exists()
    assert not WorkItem.objects.filter(account=account, kind="approval", done_at=None).exists()


@pytest.mark.parametrize("reason", ["bankruptcy", "deceased", "legal", "fraud", "breathing_space"])
def test_no_time_is_given_where_nobody_may_agree_anything(reason: str) -> None:
    account = owing("100.00")
    holds.place(account_id=account.pk, reason=reason, starts_on=TODAY, actor="x", as_of=TODAY, at=moment())

    with pytest.raises(CannotExtend, match="A hold stands in the way"):
        give(account, make_agent("admin"))


def test_a_day_that_gives_no_time_is_refused() -> None:
    account = owing("100.00")
    later = make_bill(account, "10.00", due_on=TODAY + timedelta(days=5))
    settled(account)

    for until, refs in ((TODAY, None), (TODAY + timedelta(days=5), [later.ref]), (TODAY + timedelta(days=400), None)):
        with pytest.raises(CannotExtend):
            give(account, until=until, bill_refs=refs)
    give(account, until=TODAY + timedelta(days=35), bill_refs=[later.ref])
    with pytest.raises(CannotExtend, match="have time to pay that"):
        give(account)


def test_it_is_taken_back_once() -> None:
    account = owing("100.00")
    now: dict[str, Any] = {"extension_id": give(account).pk, "actor": "agent:x", "as_of": TODAY, "at": moment()}

    assert extensions.cancel(**now).status == "cancelled"
    with pytest.raises(CannotCancelExtension):
        extensions.cancel(**now)
