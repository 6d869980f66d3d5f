"""Placing and lifting holds: what makes no sense is refused, what does is settled and told of."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts import events, holds, settling
from accounts.models import Account, Hold, PendingEvent
from tests.factories import TODAY, kinds_of, make_account, make_bill, moment, owing, settled

pytestmark = pytest.mark.django_db

YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


def place(account: Account, reason: str = "hardship", **options: Any) -> Hold:
    given = {"starts_on": TODAY, "actor": "agent:nadia", "as_of": TODAY, "at": moment()}
    return holds.place(account_id=account.pk, reason=reason, **{**given, **options})


def lift(hold: Hold, as_of: date = TODAY) -> Hold:
    return holds.lift(hold_id=hold.pk, actor="agent:nadia", as_of=as_of, at=moment(as_of), reason="over")


def in_force(account: Account, as_of: date) -> list[Hold]:
    return list(holds.in_force(account_id=account.pk, as_of=as_of))


@pytest.mark.parametrize("reason", Hold.Reason.values)
def test_a_hold_of_every_reason_is_placed_told_of_and_carried_on(reason: str) -> None:
    account = owing()
    hold = place(account, reason, amount=Decimal(10) if reason == "dispute" else None)
    event = account.events.get(kind=events.HOLD_PLACED)
    assert (event.reason, event.actor, event.payload["hold"]) == (reason, "agent:nadia", hold.ref)
    assert PendingEvent.objects.filter(event=event).exists()
    assert in_force(account, TODAY) == [hold]
    assert hold.ref.startswith("desk-")


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "lifted_on", "days"),
    [
        (TODAY, None, None, {YESTERDAY: False, TODAY: True, TOMORROW: True}),
        (TODAY, TODAY, None, {YESTERDAY: False, TODAY: True, TOMORROW: False}),
        (YESTERDAY, None, TODAY, {YESTERDAY: True, TODAY: False, TOMORROW: False}),
        (TODAY, None, TODAY, {YESTERDAY: False, TODAY: False, TOMORROW: False}),
        (TOMORROW, None, TODAY, {TODAY: False, TOMORROW: False}),
    ],
)
def test_in_force_from_its_first_day_to_its_last(
    starts_on: date, ends_on: date | None, lifted_on: date | None, days: dict[date, bool]
) -> None:
    account = owing()
    hold = place(account, starts_on=starts_on, ends_on=ends_on)
    if lifted_on:
        lift(hold, lifted_on)
    assert {on: bool(in_force(account, on)) for on in days} == days


def test_it_cannot_end_before_it_starts() -> None:
    account = owing()
    with pytest.raises(holds.CannotPlaceHold):
        place(account, ends_on=YESTERDAY)
    assert not Hold.objects.exists()
    assert kinds_of(account, "accounts.hold") == []


def test_a_payment_in_flight_holds_a_week_at_most() -> None:
    account = owing()
    with pytest.raises(holds.CannotPlaceHold):
        place(account, "payment_in_flight", ends_on=TODAY + timedelta(days=8))
    assert place(account, "payment_in_flight").ends_on == TODAY + timedelta(days=7)
    assert place(account, "payment_in_flight", ends_on=TOMORROW).ends_on == TOMORROW


def test_a_dispute_takes_its_amount_out_of_overdue_and_lifting_puts_it_back() -> None:
    account = owing("100.00", "50.00")
    bill = account.bills.order_by("due_on")[0]
    hold = place(account, "dispute", amount=Decimal(30), bill_refs=[bill.ref])
    settled(account)
    assert (account.overdue, account.disputed, account.overdue_disputed) == (120, 30, 30)
    lift(hold)
    settled(account)
    assert (account.overdue, account.disputed) == (150, 0)


def test_a_dispute_of_everything_changes_no_status_and_leaves_nothing_overdue() -> None:
    account = owing()
    place(account, "dispute", amount=Decimal(100))
    row = Account.objects.get(pk=account.pk)
    assert (row.status, row.overdue, row.oldest_due_on) == ("overdue", 0, None)


def test_placing_settles_what_was_waiting() -> None:
    account = make_account()
    make_bill(account)
    place(account)
    assert Account.objects.get(pk=account.pk).overdue == 100
    assert settling.settle(as_of=TODAY, at=moment()) == 0


def test_a_hold_is_lifted_once() -> None:
    account = owing()
    hold = lift(place(account))
    assert (hold.lifted_on, hold.lifted_by) == (TODAY, "agent:nadia")
    with pytest.raises(holds.CannotLiftHold):
        lift(hold)
    assert kinds_of(account, "accounts.hold") == [events.HOLD_PLACED, events.HOLD_LIFTED]
