"""What an account owes as of any day, read from the facts; and the maintained columns agree with it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts import position, settling
from accounts.models import Account, Adjustment, Bill, Fee, Hold
from tests.factories import make_account, make_adjustment, make_bill, make_payment, moment

pytestmark = pytest.mark.django_db

DUE = date(2026, 2, 15)


@pytest.mark.parametrize(
    ("days", "bucket"),
    [
        (-3, "current"), (0, "current"), (1, "1-30"), (30, "1-30"), (31, "31-60"), (60, "31-60"), (61, "61-90"),
        (90, "61-90"), (91, "91-120"), (120, "91-120"), (121, "120+"), (4000, "120+"),
    ],
)  # fmt: skip
def test_every_day_has_its_bucket(days: int, bucket: str) -> None:
    assert position.bucket_of(days) == bucket


@pytest.mark.parametrize(
    ("as_of", "open_amount", "overdue", "days_past_due"),
    [
        (date(2026, 1, 31), "0", "0", 0),
        (date(2026, 2, 1), "100", "0", 0),
        (DUE, "100", "0", 0),
        (DUE + timedelta(days=1), "100", "100", 1),
        (DUE + timedelta(days=30), "100", "100", 30),
        (date(2026, 3, 20), "40", "40", 33),
        (date(2026, 3, 25), "100", "100", 38),
    ],
)
def test_past_due_starts_the_day_after_and_a_reversal_ages_anew_from_the_bill(
    as_of: date, open_amount: str, overdue: str, days_past_due: int
) -> None:
    account = make_account()
    make_bill(account)
    payment = make_payment(account, "60", date(2026, 3, 20))
    make_payment(account, "60", date(2026, 3, 25), reverses=payment)
    found = position.position_of(account_id=account.pk, as_of=as_of)
    assert (found.open_amount, found.overdue, found.days_past_due) == (
        Decimal(open_amount),
        Decimal(overdue),
        days_past_due,
    )


def test_what_is_contested_leaves_overdue_and_age_but_not_the_balance() -> None:
    account = make_account()
    make_bill(account, "30", due_on=DUE, ref="OLD")
    make_bill(account, "70", due_on=DUE + timedelta(days=10))
    Hold.objects.create(
        ref="H1",
        account=account,
        reason="dispute",
        starts_on=date(2026, 3, 1),
        bill_refs=["OLD"],
        amount=30,
        placed_by="x",
    )
    before = position.position_of(account_id=account.pk, as_of=date(2026, 2, 28))
    found = position.position_of(account_id=account.pk, as_of=date(2026, 3, 1))
    assert (before.overdue, before.oldest_due_on) == (Decimal(100), DUE)
    assert (found.overdue, found.overdue_disputed, found.disputed, found.balance) == (70, 30, 30, 100)
    assert found.oldest_due_on == DUE + timedelta(days=10)


@pytest.mark.parametrize(
    ("lifted_on", "ends_on", "as_of", "disputed"),
    [
        (None, date(2026, 3, 5), date(2026, 3, 5), 30),
        (None, date(2026, 3, 5), date(2026, 3, 6), 0),
        (date(2026, 3, 4), date(2026, 3, 9), date(2026, 3, 3), 30),
        (date(2026, 3, 4), date(2026, 3, 9), date(2026, 3, 4), 0),
        (date(2026, 3, 9), date(2026, 3, 5), date(2026, 3, 6), 0),
        (date(2026, 3, 1), None, date(2026, 3, 1), 0),
    ],
)
def test_a_dispute_ends_after_its_last_day_or_on_the_day_it_is_lifted(
    lifted_on: date | None, ends_on: date | None, as_of: date, disputed: int
) -> None:
    account = make_account()
    make_bill(account)
    Hold.objects.create(
        ref="H1", account=account, reason="dispute", starts_on=date(2026, 3, 1), ends_on=ends_on, lifted_on=lifted_on,
        amount=30, placed_by="x",
    )  # fmt: skip
    assert position.position_of(account_id=account.pk, as_of=as_of).disputed == disputed


def test_an_upheld_dispute_is_credited_once_whoever_credits_it() -> None:
    account = make_account()
    make_bill(account)
    desk = {"bill_ref": "", "dispute_ref": "D1"}
    make_adjustment(account, "-30", date(2026, 3, 1), kind=Adjustment.Kind.DISPUTE, **desk)
    make_adjustment(account, "-25", date(2026, 3, 5), **desk)
    assert position.position_of(account_id=account.pk, as_of=date(2026, 3, 4)).open_amount == 70
    assert position.position_of(account_id=account.pk, as_of=date(2026, 3, 5)).open_amount == 75


def test_another_disputes_credit_replaces_nothing() -> None:
    account = make_account()
    make_bill(account)
    make_adjustment(account, "-30", date(2026, 3, 1), kind=Adjustment.Kind.DISPUTE, dispute_ref="D1")
    make_adjustment(account, "-5", date(2026, 3, 1), dispute_ref="D2")
    make_adjustment(account, "-5", date(2026, 3, 1))
    assert position.position_of(account_id=account.pk, as_of=date(2026, 3, 4)).open_amount == 60


def test_a_fee_is_in_the_balance_until_billing_charges_it_or_it_is_waived() -> None:
    account = make_account()
    make_bill(account, ref="B-fee")
    Fee.objects.create(ref="desk-f1", account=account, kind="late_fee", on=date(2026, 3, 1), amount=5)
    Fee.objects.create(
        ref="desk-f2", account=account, kind="late_fee", on=date(2026, 3, 1), amount=7, waived_on=date(2026, 3, 3)
    )
    make_adjustment(account, "5", date(2026, 3, 5), bill_ref="B-fee", fee_ref="desk-f1")

    def as_of(on: date) -> tuple[Decimal, Decimal, Decimal]:
        found = position.position_of(account_id=account.pk, as_of=on)
        return found.fees, found.overdue, found.balance

    assert as_of(date(2026, 2, 28)) == (0, 100, 100)
    assert as_of(date(2026, 3, 1)) == (12, 100, 112)
    assert as_of(date(2026, 3, 3)) == (5, 100, 105)
    assert as_of(date(2026, 3, 5)) == (0, 105, 105)


@pytest.mark.parametrize(
    ("columns", "open_amount"),
    [
        ({"status": "draft"}, 0),
        ({"status": "cancelled"}, 0),
        ({"status": "cancelled", "cancelled_on": date(2026, 3, 9)}, 100),
        ({"status": "cancelled", "cancelled_on": date(2026, 3, 8)}, 0),
        ({"status": "issued", "cancelled_on": date(2026, 3, 8)}, 0),
    ],
)
def test_drafts_and_cancelled_bills_owe_nothing(columns: dict[str, object], open_amount: int) -> None:
    account = make_account()
    make_bill(account, **columns)
    assert position.position_of(account_id=account.pk, as_of=date(2026, 3, 8)).open_amount == open_amount


def test_the_position_of_a_day_equals_settling_to_that_day() -> None:
    account = make_account(currency="KWD")
    make_bill(account, "10.001", ref="K1", issued_on=date(2026, 1, 1), due_on=date(2026, 1, 10))
    make_bill(account, "20.500", ref="K2", issued_on=date(2026, 1, 20), due_on=date(2026, 2, 1))
    payment = make_payment(account, "12.002", date(2026, 1, 15))
    make_payment(account, "3.000", date(2026, 2, 10), reverses=payment)
    make_adjustment(account, "-1.500", date(2026, 2, 12))
    for offset in range(0, 60, 3):
        on = date(2026, 1, 1) + timedelta(days=offset)
        expected = position.position_of(account_id=account.pk, as_of=on)
        settling.mark_unsettled([account.pk])
        settling.settle(as_of=on, at=moment(on))
        row = Account.objects.defer("status").get(pk=account.pk)
        found = (row.open_amount, row.overdue, row.disputed, row.unapplied, row.oldest_due_on)
        assert found == (
            expected.open_amount,
            expected.overdue,
            expected.disputed,
            expected.unapplied,
            expected.oldest_due_on,
        )
        bills = {bill.ref: bill.open_amount for bill in Bill.objects.filter(open_amount__gt=0)}
        assert bills == {Bill.objects.get(pk=each.bill_id).ref: each.open for each in position.open_bills(as_of=on)}


def test_open_bills_of_the_business_date_are_those_computed_from_the_facts() -> None:
    for amount in ("10", "20"):
        make_bill(make_account(), amount)
    make_bill(make_account(currency="USD"), "30")
    today = date(2026, 3, 1)
    settling.settle(as_of=today, at=moment(today))
    maintained = list(position.open_bills(as_of=today, business_date=today, currency="EUR"))
    assert maintained == list(position.open_bills(as_of=today, currency="EUR"))
    assert [bill.open for bill in maintained] == [Decimal(10), Decimal(20)]


def test_five_queries_whatever_the_number_of_accounts(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    accounts = [make_account() for _ in range(3)]
    for account in accounts:
        make_bill(account)
    with django_assert_num_queries(5):
        position.books_of([account.pk for account in accounts], as_of=date(2026, 3, 1))
