from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts import holds
from accounts.models import Account, PendingEvent
from agents import kinds, promises
from agents.models import Promise
from agents.promises import CannotCancelPromise, CannotPromise
from tests.factories import (
    TODAY,
    kinds_of,
    make_account,
    make_adjustment,
    make_bill,
    make_payment,
    moment,
    owing,
    settled,
)

pytestmark = pytest.mark.django_db

FRIDAY = TODAY + timedelta(days=3)


def make(account: Account, amount: str = "60.00", due_on: date = FRIDAY, **more: Any) -> Promise:
    return promises.make(
        account_id=account.pk,
        amount=Decimal(amount),
        due_on=due_on,
        actor="agent:nadia",
        as_of=TODAY,
        at=moment(),
        **more,
    )


def review(account: Account, on: date) -> Promise:
    settled(account, as_of=on)
    promises.review(account_ids=[account.pk], as_of=on, at=moment(on))
    return account.promises.get()


def in_force(account: Account, on: date) -> list[str]:
    return [hold.reason for hold in holds.in_force(account_id=account.pk, as_of=on)]


def test_a_promise_holds_the_bills_open_when_it_was_made_until_due_and_grace() -> None:
    account = owing("40.00", "60.00")
    refs = sorted(account.bills.values_list("ref", flat=True))

    promise = make(account, "100.00")

    assert promise.hold is not None
    assert sorted(promise.hold.bill_refs) == sorted(promise.bill_refs) == refs
    assert in_force(account, FRIDAY + timedelta(days=3)) == ["promise"]
    assert in_force(account, FRIDAY + timedelta(days=4)) == []
    assert kinds_of(account, "agents.") == [kinds.PROMISE_MADE]


@pytest.mark.parametrize(
    ("amount", "due_on", "words"),
    [
        ("100.01", FRIDAY, "Only EUR 100.00 is open"),
        ("0", FRIDAY, "more than nothing"),
        ("10.001", FRIDAY, "more decimals than EUR"),
        ("10.00", TODAY - timedelta(days=1), "has passed"),
        ("10.00", TODAY + timedelta(days=31), "agree a plan"),
    ],
)
def test_a_promise_that_makes_no_sense_is_refused_in_words(amount: str, due_on: date, words: str) -> None:
    account = owing("100.00")

    with pytest.raises(CannotPromise, match=words):
        make(account, amount, due_on)

    assert not account.promises.exists()
    assert not account.holds.exists()


def test_bills_of_others_and_bills_paid_are_refused() -> None:
    account, other = owing("40.00", "60.00"), owing("40.00")
    make_payment(account, "40.00")
    paid = account.bills.get(amount=40)

    with pytest.raises(CannotPromise, match="is not of this account"):
        make(account, bill_refs=[other.bills.get().ref])
    with pytest.raises(CannotPromise, match=f"Nothing undisputed is open on bill {paid.ref}"):
        make(account, bill_refs=[paid.ref])


def test_nothing_open_is_nothing_to_promise() -> None:
    with pytest.raises(CannotPromise, match="Nothing is open"):
        make(make_account())


def test_a_bill_is_promised_once_but_another_bill_may_be() -> None:
    account = owing("40.00", "60.00")
    first, second = account.bills.order_by("due_on")
    make(account, "40.00", bill_refs=[first.ref])

    with pytest.raises(CannotPromise, match=r"EUR 40\.00 by 2026-03-13 is promised there already"):
        make(account, "10.00")
    make(account, "60.00", bill_refs=[second.ref])


def test_it_is_kept_as_soon_as_the_amount_has_come_and_the_hold_goes() -> None:
    account = owing("100.00")
    make(account)
    make_payment(account, "20.00", on=TODAY)
    assert review(account, TODAY).status == "open"
    make_payment(account, "40.00", on=TODAY + timedelta(days=1))

    promise = review(account, TODAY + timedelta(days=1))

    assert (promise.status, promise.paid, promise.settled_on) == ("kept", Decimal(60), TODAY + timedelta(days=1))
    assert in_force(account, TODAY + timedelta(days=1)) == []
    event = account.events.get(kind=kinds.PROMISE_KEPT)
    assert event.payload["full"] is False
    assert PendingEvent.objects.filter(event=event).exists()


def test_what_was_paid_earlier_on_the_same_day_does_not_keep_it() -> None:
    account = owing("100.00")
    make_payment(account, "50.00", on=TODAY)
    make(account, "50.00")
    assert review(account, TODAY).status == "open"

    make_payment(account, "50.00", on=TODAY)

    assert review(account, TODAY).status == "kept"


def test_it_is_kept_when_nothing_is_left_of_what_it_names() -> None:
    account = owing("100.00")
    make(account, "100.00")
    make_adjustment(account, "-30.00", bill_ref=account.bills.get().ref)
    make_payment(account, "70.00")

    assert review(account, TODAY).status == "kept"
    assert account.events.get(kind=kinds.PROMISE_KEPT).payload["full"] is True


def test_money_for_another_bill_does_not_keep_it() -> None:
    account = owing("40.00", "60.00")
    first, second = account.bills.order_by("due_on")
    make(account, "60.00", bill_refs=[second.ref])
    make_payment(account, "40.00", bill_ref=first.ref)

    assert review(account, FRIDAY).paid == 0


def test_it_is_broken_only_when_the_grace_is_over() -> None:
    account = owing("100.00")
    make(account)

    assert review(account, FRIDAY + timedelta(days=3)).status == "open"
    assert review(account, FRIDAY + timedelta(days=4)).status == "broken"
    assert kinds_of(account, "agents.promise") == [kinds.PROMISE_MADE, kinds.PROMISE_BROKEN]


def test_a_part_is_neither_kept_nor_broken() -> None:
    account = owing("100.00")
    make(account)
    make_payment(account, "59.99", on=FRIDAY)

    assert review(account, FRIDAY + timedelta(days=4)).status == "part_kept"


def test_a_review_that_comes_late_judges_by_the_dates_of_the_payments() -> None:
    in_time, too_late = owing("100.00"), owing("100.00")
    make(in_time)
    make(too_late)
    make_payment(in_time, "60.00", on=FRIDAY + timedelta(days=3))
    make_payment(too_late, "100.00", on=FRIDAY + timedelta(days=4))
    much_later = FRIDAY + timedelta(days=60)

    assert review(in_time, much_later).settled_on == FRIDAY + timedelta(days=3)
    assert review(too_late, much_later).status == "broken"
    assert in_time.promises.get().status == "kept"


def test_a_payment_that_bounced_in_time_does_not_count() -> None:
    account = owing("100.00")
    make(account)
    payment = make_payment(account, "60.00", on=FRIDAY)
    make_payment(account, "60.00", on=FRIDAY + timedelta(days=2), reverses=payment)

    promise = review(account, FRIDAY + timedelta(days=4))

    assert (promise.status, promise.paid) == ("broken", 0)


def test_one_found_broken_is_kept_after_all_by_money_that_is_dated_in_time() -> None:
    account, in_part, too_late = owing("100.00"), owing("100.00"), owing("100.00")
    for each in (account, in_part, too_late):
        make(each)
        assert review(each, FRIDAY + timedelta(days=4)).status == "broken"
    make_payment(account, "60.00", on=FRIDAY + timedelta(days=2))
    make_payment(in_part, "20.00", on=FRIDAY)
    make_payment(too_late, "100.00", on=FRIDAY + timedelta(days=4))
    later = FRIDAY + timedelta(days=9)

    kept = review(account, later)
    assert (kept.status, kept.paid, kept.settled_on) == ("kept", 60, FRIDAY + timedelta(days=2))
    assert (review(in_part, later).status, in_part.promises.get().paid) == ("part_kept", 20)
    assert review(too_late, later).status == "broken"
    assert kinds_of(account, "agents.promise") == [kinds.PROMISE_MADE, kinds.PROMISE_BROKEN, kinds.PROMISE_KEPT]
    for each in (account, in_part, too_late):
        assert promises.review(account_ids=[each.pk], as_of=later, at=moment(later)) == 0


def test_one_whose_money_went_back_after_its_day_stays_broken() -> None:
    account = owing("100.00")
    make(account)
    payment = make_payment(account, "60.00", on=FRIDAY)
    assert review(account, FRIDAY + timedelta(days=1)).status == "kept"
    make_payment(account, "60.00", on=FRIDAY + timedelta(days=8), reverses=payment)

    for days in (8, 9, 20):
        assert review(account, FRIDAY + timedelta(days=days)).status == "broken"


def test_reviewing_again_finds_nothing() -> None:
    account = owing("100.00")
    make(account)
    late = FRIDAY + timedelta(days=9)

    assert promises.review(as_of=late, at=moment(late)) == 1
    assert promises.review(as_of=late, at=moment(late)) == 0


def test_a_promise_from_a_file_covers_what_was_open_when_it_was_made() -> None:
    account = owing("40.00")
    old = account.bills.get()
    hold = holds.place(
        account_id=account.pk,
        reason="promise",
        starts_on=TODAY,
        ends_on=FRIDAY,
        actor="import",
        as_of=TODAY,
        at=moment(),
    )
    Promise.objects.create(
        ref="PR1", account=account, hold=hold, amount=40, made_on=TODAY, due_on=FRIDAY, taken_by="import"
    )
    tomorrow = TODAY + timedelta(days=1)
    make_bill(account, "60.00", issued_on=tomorrow, due_on=tomorrow)

    promise = review(account, tomorrow)

    assert promise.bill_refs == [old.ref]
    hold.refresh_from_db()
    assert hold.bill_refs == [old.ref]


def test_cancelling_lets_treatment_go_on() -> None:
    account = owing("100.00")
    promise = make(account)

    promises.cancel(promise_id=promise.pk, actor="agent:nadia", as_of=TODAY, at=moment(), reason="wrong account")

    assert account.promises.get().status == "cancelled"
    assert in_force(account, TODAY) == []
    with pytest.raises(CannotCancelPromise, match="cancelled already"):
        promises.cancel(promise_id=promise.pk, actor="agent:nadia", as_of=TODAY, at=moment())
