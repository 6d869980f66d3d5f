from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts import holds
from accounts.models import Account, PendingEvent
from agents import kinds, plans, promises
from agents.instalments import Instalment
from agents.models import Agent, Plan
from agents.plans import CannotAgree, CannotCancelPlan, CannotDecide
from tests.factories import (
    TODAY,
    kinds_of,
    make_adjustment,
    make_agent,
    make_bill,
    make_payment,
    moment,
    owing,
    settled,
)

pytestmark = pytest.mark.django_db

APRIL, MAY, JUNE = date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1)


def parts(*amounts: str, first_on: date = APRIL) -> list[Instalment]:
    days = [first_on, MAY, JUNE] + [date(2026, 6 + month, 1) for month in range(1, 7)]
    return [Instalment(day, Decimal(amount)) for day, amount in zip(days, amounts, strict=False)]


def agree(account: Account, *amounts: str, agent: Agent | None = None, **more: Any) -> Plan:
    return plans.agree(
        account_id=account.pk,
        instalments=more.pop("instalments", None) or parts(*amounts),
        actor=f"agent:{agent.username}" if agent else "agent:nadia",
        agent=agent,
        as_of=TODAY,
        at=moment(),
        **more,
    )


def review(account: Account, on: date) -> Plan:
    settled(account, as_of=on)
    plans.review(account_ids=[account.pk], as_of=on, at=moment(on))
    return account.plans.get()


def in_force(account: Account, on: date) -> list[str]:
    return [hold.reason for hold in holds.in_force(account_id=account.pk, as_of=on)]


def test_a_quote_says_what_it_would_be_and_whether_it_needs_approval() -> None:
    account = owing("100.00", "20.00")
    terms: dict[str, Any] = {"first_on": APRIL, "every": "month", "agent": make_agent(), "as_of": TODAY}

    quote = plans.quote_for(account_id=account.pk, count=3, **terms)
    longer = plans.quote_for(account_id=account.pk, count=8, **terms)

    assert [(each.due_on, each.amount) for each in quote.instalments] == [
        (APRIL, Decimal(40)), (MAY, Decimal(40)), (JUNE, Decimal(40)),
    ]  # fmt: skip
    assert (quote.total, quote.within_authority, quote.reasons) == (Decimal(120), True, [])
    assert not longer.within_authority
    assert longer.reasons == [
        "8 instalments: up to 6 need no approval.",
        "The last instalment is 236 days ahead: up to 190 need no approval.",
    ]
    assert not account.plans.exists()


def test_supervisors_may_agree_to_more_than_agents_and_admins_to_anything() -> None:
    eight = [Instalment(APRIL + timedelta(weeks=week), Decimal(1)) for week in range(8)]
    century = [Instalment(APRIL + timedelta(days=400), Decimal(1))]

    assert plans.beyond_authority(eight, agent=None, as_of=TODAY)
    assert plans.beyond_authority(eight, agent=make_agent(), as_of=TODAY)
    assert not plans.beyond_authority(eight, agent=make_agent("supervisor"), as_of=TODAY)
    assert plans.beyond_authority(century, agent=make_agent("supervisor"), as_of=TODAY)
    assert not plans.beyond_authority(century, agent=make_agent("admin"), as_of=TODAY)


def test_a_plan_holds_the_bills_it_covers_and_no_later_one() -> None:
    account = owing("120.00")
    covered = account.bills.get().ref

    plan = agree(account, "40.00", "40.00", "40.00")

    assert (plan.status, plan.bill_refs) == ("active", [covered])
    assert plan.hold is not None
    assert (plan.hold.bill_refs, plan.hold.ends_on) == ([covered], None)
    assert list(plan.instalments.order_by("position").values_list("due_on", flat=True)) == [APRIL, MAY, JUNE]
    assert kinds_of(account, "agents.") == [kinds.PLAN_AGREED]


@pytest.mark.parametrize(
    ("instalments", "words"),
    [
        ([Instalment(APRIL, Decimal("119.99"))], "come to EUR 119.99, but EUR 120.00 is open"),
        ([Instalment(TODAY - timedelta(days=1), Decimal(120))], "in the past"),
        ([Instalment(MAY, Decimal(60)), Instalment(APRIL, Decimal(60))], "after the one before"),
        ([Instalment(APRIL, Decimal(130)), Instalment(MAY, Decimal(-10))], "more than nothing"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_in_words(instalments: list[Instalment], words: str) -> None:
    account = owing("120.00")

    with pytest.raises(CannotAgree, match=words):
        agree(account, instalments=instalments)

    assert not account.plans.exists()


def test_bills_are_in_one_plan_or_promise_at_a_time() -> None:
    account = owing("60.00", "60.00")
    first, second = account.bills.order_by("due_on")
    agree(account, "60.00", bill_refs=[first.ref])

    with pytest.raises(CannotAgree, match="covers that already"):
        agree(account, "120.00")
    with pytest.raises(promises.CannotPromise, match="instalment plan covers that"):
        promises.make(
            account_id=account.pk, amount=Decimal(5), due_on=TODAY, actor="agent:nadia", as_of=TODAY, at=moment()
        )
    agree(account, "60.00", bill_refs=[second.ref])


def test_what_was_paid_earlier_on_the_day_is_not_the_first_instalment() -> None:
    account = owing("120.00")
    make_payment(account, "40.00")
    agree(account, "40.00", "40.00")

    assert review(account, TODAY).instalments.get(position=1).paid == 0


def test_the_first_kept_instalment_is_told_once() -> None:
    account = owing("120.00")
    agree(account, "40.00", "40.00", "40.00")
    make_payment(account, "50.00", on=APRIL)

    plan = review(account, APRIL)
    review(account, APRIL)

    assert list(plan.instalments.order_by("position").values_list("paid", "paid_on")) == [
        (Decimal(40), APRIL), (Decimal(10), None), (Decimal(0), None),
    ]  # fmt: skip
    event = account.events.get(kind=kinds.INSTALMENT_KEPT)
    assert event.payload["first"] is True
    assert PendingEvent.objects.filter(event=event).exists()


def test_a_plan_paid_to_the_end_is_kept_and_its_hold_goes() -> None:
    account = owing("120.00")
    agree(account, "40.00", "40.00", "40.00")
    for on in (APRIL, MAY, JUNE):
        make_payment(account, "40.00", on=on)

    plan = review(account, JUNE)

    assert (plan.status, plan.settled_on) == ("kept", JUNE)
    assert in_force(account, JUNE) == []
    told = account.events.filter(kind=kinds.INSTALMENT_KEPT).values_list("payload__first", flat=True)
    assert sorted(told) == [False, False, True]


def test_a_credit_that_leaves_nothing_open_ends_the_plan_well() -> None:
    account = owing("120.00")
    agree(account, "60.00", "60.00")
    make_adjustment(account, "-120.00", on=APRIL)

    assert review(account, APRIL).status == "kept"


def test_two_instalments_unpaid_after_their_grace_break_it() -> None:
    account = owing("120.00")
    agree(account, instalments=[Instalment(APRIL + timedelta(weeks=week), Decimal(40)) for week in range(3)])
    second_is_late = APRIL + timedelta(weeks=1, days=6)

    assert review(account, second_is_late - timedelta(days=1)).status == "active"
    assert review(account, second_is_late).status == "broken"
    assert in_force(account, second_is_late) == []
    event = account.events.get(kind=kinds.PLAN_BROKEN)
    assert event.reason == "2 instalments are unpaid"
    assert PendingEvent.objects.filter(event=event).exists()


def test_one_instalment_unpaid_for_more_than_thirty_days_breaks_it() -> None:
    account = owing("120.00")
    agree(account, instalments=[Instalment(APRIL, Decimal(60)), Instalment(JUNE, Decimal(60))])

    assert review(account, APRIL + timedelta(days=30)).status == "active"
    assert review(account, APRIL + timedelta(days=31)).status == "broken"


def test_a_bounced_instalment_is_unpaid_again() -> None:
    account = owing("120.00")
    agree(account, "60.00", "60.00")
    payment = make_payment(account, "60.00", on=APRIL)
    assert review(account, APRIL).instalments.get(position=1).paid_on == APRIL
    make_payment(account, "60.00", on=APRIL + timedelta(days=2), reverses=payment)

    plan = review(account, APRIL + timedelta(days=2))

    assert (plan.instalments.get(position=1).paid_on, plan.instalments.get(position=1).paid) == (None, 0)


def test_a_later_bill_is_not_paid_by_the_plan_and_does_not_feed_it() -> None:
    account = owing("60.00")
    agree(account, "60.00")
    later = make_bill(account, "30.00", issued_on=TODAY, due_on=APRIL)
    make_payment(account, "30.00", on=APRIL, bill_ref=later.ref)

    assert review(account, APRIL).instalments.get().paid == 0


def test_beyond_authority_it_waits_for_somebody_else_and_holds_meanwhile() -> None:
    account = owing("80.00")
    nadia, boss = make_agent(), make_agent("supervisor")
    weekly = [Instalment(APRIL + timedelta(weeks=week), Decimal(10)) for week in range(8)]

    plan = agree(account, instalments=weekly, agent=nadia)

    assert plan.status == "pending_approval"
    assert in_force(account, APRIL) == ["plan"]
    item = account.work_items.get(kind="approval")
    assert "8 instalments" in item.reason
    with pytest.raises(CannotDecide, match="Supervisors decide"):
        plans.decide(plan_id=plan.pk, approve=True, agent=nadia, as_of=TODAY, at=moment())
    assert review(account, JUNE).status == "pending_approval", "what nobody has approved is not broken"

    plans.decide(plan_id=plan.pk, approve=True, agent=boss, as_of=TODAY, at=moment())

    item.refresh_from_db()
    assert (account.plans.get().status, item.outcome) == ("active", "approved")
    with pytest.raises(CannotDecide, match="does not wait"):
        plans.decide(plan_id=plan.pk, approve=False, agent=boss, as_of=TODAY, at=moment())


def test_nobody_decides_on_a_plan_of_their_own_or_beyond_their_authority() -> None:
    account = owing("80.00")
    boss, other, admin = make_agent("supervisor"), make_agent("supervisor"), make_agent("admin")
    plan = agree(account, instalments=[Instalment(TODAY + timedelta(days=371), Decimal(80))], agent=boss)

    with pytest.raises(CannotDecide, match="Somebody else"):
        plans.decide(plan_id=plan.pk, approve=True, agent=boss, as_of=TODAY, at=moment())
    with pytest.raises(CannotDecide, match="beyond what a supervisor may"):
        plans.decide(plan_id=plan.pk, approve=True, agent=other, as_of=TODAY, at=moment())

    assert plans.decide(plan_id=plan.pk, approve=True, agent=admin, as_of=TODAY, at=moment()).status == "active"


def test_a_declined_plan_holds_nothing() -> None:
    account = owing("80.00")
    weekly = [Instalment(APRIL + timedelta(weeks=week), Decimal(10)) for week in range(8)]
    plan = agree(account, instalments=weekly, agent=make_agent())

    plans.decide(
        plan_id=plan.pk, approve=False, agent=make_agent("supervisor"), as_of=TODAY, at=moment(), reason="too long"
    )

    assert account.plans.get().status == "cancelled"
    assert in_force(account, TODAY) == []
    assert kinds_of(account, "agents.plan") == [kinds.PLAN_AGREED, kinds.PLAN_DECLINED]


def test_a_cancelled_plan_is_over() -> None:
    account = owing("80.00")
    plan = agree(account, "80.00")

    plans.cancel(plan_id=plan.pk, actor="agent:nadia", as_of=TODAY, at=moment())

    assert in_force(account, TODAY) == []
    with pytest.raises(CannotCancelPlan, match="cancelled already"):
        plans.cancel(plan_id=plan.pk, actor="agent:nadia", as_of=TODAY, at=moment())
