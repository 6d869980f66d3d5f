"""Write-offs and recoveries: the loss net, the tax back, and both again when money comes."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import events, journals, position, settling
from accounts.models import Account, Adjustment, Bill, Fee, JournalEntry, Payment
from accounts.models.account import AccountStatus
from dunning import cases
from dunning.models import WriteOff
from tests.factories import (
    TODAY,
    kinds_of,
    make_account,
    make_adjustment,
    make_bill,
    make_payment,
    moment,
    settled,
)
from tests.journeys.story import Story

pytestmark = pytest.mark.django_db


def sums(account: Account) -> dict[str, Decimal]:
    """Debit less credit of every code, those at nothing left out; every journal of one currency and balanced."""
    by_code: dict[str, Decimal] = defaultdict(Decimal)
    by_journal: dict[str, Decimal] = defaultdict(Decimal)
    for line in journals.lines(first=date.min, last=date.max):
        if line.customer_ref == account.customer.ref:
            amount = (line.debit or Decimal(0)) - (line.credit or Decimal(0))
            by_code[line.code] += amount
            by_journal[line.external_id] += amount
    assert not any(by_journal.values())
    return {code: amount for code, amount in by_code.items() if amount}


def journal(account: Account, event_type: str) -> set[tuple[str, str, Decimal]]:
    entries = JournalEntry.objects.filter(account=account, event_type=event_type)
    return {(entry.debit_code, entry.credit_code, entry.amount) for entry in entries}


def owing(amount: str = "120.00", tax: str = "20.00", **columns: Any) -> Account:
    account = make_account(**columns)
    make_bill(account, amount, tax_amount=Decimal(tax))
    settled(account)
    return account


def write_off(account: Account, on: date = TODAY) -> Decimal:
    return cases.write_off(account_id=account.pk, actor="agent:sofia", as_of=on, at=moment(on), reason="gone away")


def status_of(account: Account) -> str:
    return Account.objects.values_list("status", flat=True).get(pk=account.pk)


def pays(account: Account, amount: str, on: date = TODAY, **columns: Any) -> Payment:
    payment = make_payment(account, amount, on, **columns)
    settled(account, as_of=max(on, TODAY))
    return payment


def day(number: int) -> date:
    return TODAY + timedelta(days=number)


# --- the write-off ----------------------------------------------------------------------------------------------------


def test_the_net_is_loss_the_tax_comes_back_and_the_receivable_goes_gross() -> None:
    account = owing()
    assert write_off(account) == 120
    assert journal(account, "WRITE_OFF") == {("61000", "12000", Decimal(100)), ("21000", "12000", Decimal(20))}
    assert sums(account) == {journals.SERVICE_REVENUE: -100, journals.BAD_DEBT_EXPENSE: 100}


def test_of_a_bill_paid_in_part_the_tax_goes_in_proportion_to_what_is_open() -> None:
    account = owing()
    pays(account, "30.00")
    write_off(account)
    assert journal(account, "WRITE_OFF") == {("61000", "12000", Decimal(75)), ("21000", "12000", Decimal(15))}


@pytest.mark.parametrize(
    ("currency", "amount", "tax", "paid", "relief"),
    [
        ("EUR", "10.01", "1.67", "3.33", "1.11"),
        ("JPY", "1001", "91", "334", "61"),
        ("KWD", "10.001", "1.667", "3.333", "1.111"),
    ],
)
def test_the_tax_is_rounded_half_up_to_the_currency(
    currency: str, amount: str, tax: str, paid: str, relief: str
) -> None:
    account = owing(amount, tax, currency=currency)
    pays(account, paid)
    write_off(account)
    entry = JournalEntry.objects.get(account=account, event_type="WRITE_OFF", debit_code="21000")
    assert entry.amount == Decimal(relief)


def test_what_was_given_up_is_kept_as_it_stood() -> None:
    account = owing(segment="gold", product="fibre")
    write_off(account)
    row = WriteOff.objects.get()
    assert (row.amount, row.tax_amount, row.currency, row.on) == (120, 20, "EUR", TODAY)
    assert (row.segment, row.product, row.days_past_due) == ("gold", "fibre", 23)
    assert (row.actor, row.reason, row.case, row.version) == ("agent:sofia", "gone away", None, None)


def test_an_open_fee_goes_to_expense_by_an_entry_of_its_own_without_tax() -> None:
    account = owing()
    fee = Fee.objects.create(ref="desk-fee-1", account=account, kind="late_fee", on=TODAY, amount=10)
    Fee.objects.create(ref="desk-fee-2", account=account, kind="late_fee", on=TODAY, amount=7, waived_on=TODAY)
    settling.mark_unsettled([account.pk])
    assert write_off(account) == 130
    settled(account)
    assert (account.fees, account.open_amount) == (0, 0)
    entry = JournalEntry.objects.get(account=account, event_type="WRITE_OFF", amount=10)
    assert (entry.debit_code, entry.credit_code, entry.source_ref) == ("61000", "12000", f"desk-write-off-fee-{fee.pk}")
    # The fee was earned and lost: its revenue stands.
    assert sums(account)[journals.LATE_FEE_REVENUE] == -10
    assert WriteOff.objects.get().tax_amount == 20


def test_a_fee_written_off_that_billing_charges_all_the_same_is_owed_again_on_its_bill() -> None:
    account = owing()
    Fee.objects.create(ref="desk-fee-1", account=account, kind="late_fee", on=TODAY, amount=10)
    settling.mark_unsettled([account.pk])
    write_off(account)
    bill = make_bill(account, "50.00", issued_on=day(1), due_on=day(30))
    make_adjustment(account, "10.00", day(1), bill_ref=bill.ref, fee_ref="desk-fee-1")
    settled(account, as_of=day(1))
    assert account.open_amount == 60
    assert sums(account)[journals.BAD_DEBT_EXPENSE] == 100
    assert sums(account)[journals.LATE_FEE_REVENUE] == -10


def test_what_is_contested_is_not_given_up() -> None:
    account = owing()
    account.holds.create(
        ref="H1", reason="dispute", starts_on=TODAY, amount=50, bill_refs=[account.bills.get().ref], placed_by="x"
    )
    settling.mark_unsettled([account.pk])
    assert write_off(account) == 70
    settled(account)
    assert (account.open_amount, account.disputed) == (50, 50)


def test_a_promise_keeps_its_bills_and_a_hold_of_the_account_stops_everything() -> None:
    account = owing()
    make_bill(account, "60.00", ref="B-promised")
    account.holds.create(ref="H1", reason="promise", starts_on=TODAY, bill_refs=["B-promised"], placed_by="x")
    settling.mark_unsettled([account.pk])
    account.holds.create(ref="H2", reason="hardship", starts_on=TODAY, ends_on=TODAY, placed_by="x")
    with pytest.raises(cases.CannotWriteOff, match="hold"):
        write_off(account)
    assert status_of(account) == AccountStatus.OVERDUE
    assert write_off(account, day(1)) == 120
    assert Bill.objects.get(ref="B-promised").open_amount == 60


def test_a_bill_cancelled_after_its_write_off_takes_it_back_and_nothing_is_left_to_recover() -> None:
    account = owing()
    write_off(account)
    Bill.objects.update(status="cancelled", cancelled_on=day(1))
    settling.mark_unsettled([account.pk])
    settled(account, as_of=day(1))
    assert sums(account) == {}
    assert status_of(account) == AccountStatus.CLOSED


def test_a_credit_note_after_the_write_off_makes_it_smaller_and_recovers_nothing() -> None:
    account = owing()
    write_off(account)
    make_adjustment(account, "-60.00", day(1), bill_ref=account.bills.get().ref)
    settled(account, as_of=day(1))
    assert account.unapplied == 0
    assert sums(account) == {
        journals.SERVICE_REVENUE: -100,
        journals.CREDIT_NOTES: 60,
        journals.BAD_DEBT_EXPENSE: 50,
        journals.TAX_PAYABLE: -10,
    }
    assert status_of(account) == AccountStatus.WRITTEN_OFF


def test_a_payment_dated_before_the_write_off_that_comes_late_was_never_lost() -> None:
    account = owing()
    write_off(account)
    pays(account, "60.00", day(-1))
    assert journal(account, "RECOVERY") == set()
    assert journal(account, "WRITE_OFF_REVERSED") == {
        ("12000", "61000", Decimal(50)),
        ("12000", "21000", Decimal(10)),
    }
    assert (account.unapplied, position.position_of(account_id=account.pk, as_of=TODAY).written_off) == (0, 60)


# --- the recovery -----------------------------------------------------------------------------------------------------


def test_a_recovery_in_part_reopens_the_receivable_against_recoveries_and_tax_and_then_takes_the_cash() -> None:
    account = owing()
    write_off(account)
    payment = pays(account, "60.00", day(3))
    assert journal(account, "RECOVERY") == {("12000", "61050", Decimal(50)), ("12000", "21000", Decimal(10))}
    assert journal(account, "PAYMENT") == {("10100", "12000", Decimal(60))}
    assert set(JournalEntry.objects.filter(event_type="RECOVERY").values_list("on", "source_ref")) == {
        (day(3), payment.ref)
    }
    assert (account.open_amount, account.unapplied) == (0, 0)
    assert status_of(account) == AccountStatus.WRITTEN_OFF
    told = account.events.get(kind=events.RECOVERY_RECEIVED)
    assert told.payload == {"amount": "60.000", "left": "60.000", "currency": "EUR"}


def test_when_everything_is_recovered_the_account_is_closed_and_only_the_loss_net_of_recoveries_is_nothing() -> None:
    account = owing()
    write_off(account)
    for number in range(3):
        pays(account, "33.33", day(number))
    assert status_of(account) == AccountStatus.WRITTEN_OFF
    pays(account, "20.01", day(4))
    assert status_of(account) == AccountStatus.CLOSED
    assert sums(account) == {
        journals.BANK: 120,
        journals.SERVICE_REVENUE: -100,
        journals.TAX_PAYABLE: -20,
        journals.BAD_DEBT_EXPENSE: 100,
        journals.BAD_DEBT_RECOVERIES: -100,
    }


def test_a_recovery_of_more_than_was_lost_leaves_the_rest_to_the_customer() -> None:
    account = owing()
    write_off(account)
    pays(account, "150.00")
    assert account.unapplied == 30
    assert journal(account, "RECOVERY") == {("12000", "61050", Decimal(100)), ("12000", "21000", Decimal(20))}
    assert status_of(account) == AccountStatus.CLOSED


@pytest.mark.parametrize("paid", ["60.00", "120.00"])
def test_a_recovery_that_goes_back_is_mirrored_and_the_account_is_written_off_again(paid: str) -> None:
    account = owing()
    write_off(account)
    before = sums(account)
    payment = pays(account, paid, day(1))
    make_payment(account, paid, day(5), reverses=payment)
    settled(account, as_of=day(5))
    assert sums(account) == before
    mirrored = {(credit, debit, amount) for debit, credit, amount in journal(account, "RECOVERY")}
    assert journal(account, "RECOVERY_REVERSED") == mirrored
    assert status_of(account) == AccountStatus.WRITTEN_OFF
    assert (account.overdue, account.open_amount) == (0, 0)
    assert kinds_of(account, "accounts.recovery") == [events.RECOVERY_RECEIVED, events.RECOVERY_RETURNED]


def test_a_payment_from_before_the_write_off_that_goes_back_is_owed_again() -> None:
    account = owing()
    payment = pays(account, "30.00")
    write_off(account)
    make_payment(account, "30.00", day(2), reverses=payment)
    settled(account, as_of=day(2))
    assert status_of(account) == AccountStatus.OVERDUE
    assert (account.overdue, position.position_of(account_id=account.pk, as_of=day(2)).written_off) == (30, 90)


def test_a_late_bill_is_owed_and_paid_first_and_then_the_account_is_written_off_as_before() -> None:
    account = owing()
    write_off(account)
    make_bill(account, "40.00", issued_on=day(1), due_on=day(2))
    settled(account, as_of=day(3))
    assert status_of(account) == AccountStatus.OVERDUE
    pays(account, "50.00", day(4))
    assert status_of(account) == AccountStatus.WRITTEN_OFF
    assert position.position_of(account_id=account.pk, as_of=day(4)).written_off == 110


def test_money_directed_to_the_bill_that_was_written_off_goes_there() -> None:
    account = owing()
    write_off(account)
    make_bill(account, "40.00", ref="B-late", issued_on=day(1), due_on=day(2))
    lost = account.bills.exclude(ref="B-late").get()
    pays(account, "50.00", day(3), bill_ref=lost.ref)
    assert Bill.objects.get(ref="B-late").open_amount == 40
    assert journal(account, "RECOVERY") == {("12000", "61050", Decimal("41.67")), ("12000", "21000", Decimal("8.33"))}


def test_one_taken_over_as_written_off_is_not_closed_for_owing_nothing() -> None:
    account = make_account(status=AccountStatus.WRITTEN_OFF)
    settling.mark_unsettled([account.pk])
    settled(account)
    assert status_of(account) == AccountStatus.WRITTEN_OFF


def test_one_that_goes_on_owing_a_fee_is_written_off_again_when_a_part_of_what_recovered_it_goes_back() -> None:
    account = owing()
    write_off(account)
    make_bill(account, "10.00", issued_on=TODAY, due_on=day(1))
    settled(account, as_of=day(2))
    Fee.objects.create(ref="desk-f1", account=account, on=day(2), amount="5.00", kind="late_fee")
    payment = pays(account, "130.00", day(2))
    assert status_of(account) == AccountStatus.CURRENT
    make_payment(account, "50.00", day(3), reverses=payment)
    settled(account, as_of=day(3))
    found = position.position_of(account_id=account.pk, as_of=day(3))
    assert (found.open_amount, found.written_off) == (0, 50)
    assert status_of(account) == AccountStatus.WRITTEN_OFF


# --- closed -----------------------------------------------------------------------------------------------------------


def test_one_that_leaves_owing_nothing_is_closed_on_its_day_and_a_late_bill_brings_it_back() -> None:
    account = make_account(closed_on=day(1))
    settling.mark_unsettled([account.pk])
    settled(account)
    assert status_of(account) == AccountStatus.CURRENT
    settling.mark_day(after=TODAY, until=day(1))
    settled(account, as_of=day(1))
    assert status_of(account) == AccountStatus.CLOSED
    make_bill(account, "9.00", issued_on=day(2), due_on=day(3))
    settled(account, as_of=day(4))
    assert status_of(account) == AccountStatus.OVERDUE


def test_one_that_left_and_whose_payment_goes_back_owes_again() -> None:
    account = owing(closed_on=TODAY)
    payment = pays(account, "120.00")
    assert status_of(account) == AccountStatus.CLOSED
    make_payment(account, "120.00", day(1), reverses=payment)
    settled(account, as_of=day(1))
    assert status_of(account) == AccountStatus.OVERDUE


# --- whatever happens -------------------------------------------------------------------------------------------------

ACTS = ("bill", "pay", "directed", "credit", "fee", "write_off", "reverse", "dispute", "cancel", "late")


class Life:
    """One account whose debts come, are paid, given up and recovered, in any order."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.number = chance, 0
        self.account = make_account(currency=chance.choice(["EUR", "JPY", "KWD"]))
        self.unit = {"EUR": "0.01", "JPY": "1", "KWD": "0.001"}[self.account.currency]

    def money(self) -> str:
        return str(self.chance.randint(1, 9000) * Decimal(self.unit))

    def ref(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}-{self.account.pk}-{self.number}"

    def act(self, name: str, on: date) -> None:
        bills, payments = list(self.account.bills.all()), list(self.account.payments.filter(reverses=None))
        bill = self.chance.choice(bills) if bills else None
        if name == "bill":
            amount = Decimal(self.money())
            tax = (amount * self.chance.randint(0, 30) / 100).quantize(Decimal(self.unit))
            due_on = on - timedelta(days=self.chance.randint(0, 3))
            make_bill(self.account, str(amount), ref=self.ref("B"), tax_amount=tax, issued_on=due_on, due_on=due_on)
        elif name == "pay":
            make_payment(self.account, self.money(), on, ref=self.ref("P"))
        elif name == "late":
            make_payment(self.account, self.money(), on - timedelta(days=6), ref=self.ref("P"))
        elif name == "directed" and bill:
            make_payment(self.account, self.money(), on, ref=self.ref("P"), bill_ref=bill.ref)
        elif name == "credit":
            make_adjustment(self.account, f"-{self.money()}", on, ref=self.ref("J"), bill_ref=bill.ref if bill else "")
        elif name == "fee":
            Fee.objects.create(
                ref=self.ref("desk-f"), account=self.account, on=on, amount=self.money(), kind="late_fee"
            )
        elif name == "reverse" and payments:
            payment = self.chance.choice(payments)
            if left := payment.amount - sum((back.amount for back in payment.reversals.all()), Decimal(0)):
                part = self.chance.choice([left, min(left, Decimal(self.money()))])
                make_payment(self.account, str(part), on, ref=self.ref("R"), reverses=payment)
        elif name == "dispute" and bill:
            self.account.holds.create(
                ref=self.ref("H"), reason="dispute", starts_on=on, ends_on=on + timedelta(days=5),
                amount=self.money(), bill_refs=[bill.ref], placed_by="x",
            )  # fmt: skip
        elif name == "cancel" and bill:
            Bill.objects.filter(pk=bill.pk).update(status="cancelled", cancelled_on=on)
        settling.mark_unsettled([self.account.pk])
        if name == "write_off":
            try:
                write_off(self.account, on)
            except cases.CannotWriteOff:
                settled(self.account, as_of=on)

    def check(self, on: date) -> None:
        account = self.account
        settled(account, as_of=on)
        found, booked = position.position_of(account_id=account.pk, as_of=on), defaultdict(Decimal, sums(account))
        assert booked[journals.RECEIVABLES] == found.open_amount + found.fees == account.open_amount + account.fees
        assert booked[journals.UNAPPLIED_CASH] == -found.unapplied
        received = sum((row.amount for row in account.payments.filter(reverses=None)), Decimal(0))
        assert booked[journals.BANK] == received - sum(
            (row.amount for row in account.payments.exclude(reverses=None)), Decimal(0)
        )
        taxes = sum((bill.tax_amount for bill in account.bills.filter(status="issued")), Decimal(0))
        relief = booked[journals.TAX_PAYABLE] + taxes
        loss = booked[journals.BAD_DEBT_EXPENSE] + booked[journals.BAD_DEBT_RECOVERIES]
        assert loss + relief == (found.written_off or 0)
        assert 0 <= relief <= taxes
        assert loss >= 0 >= booked[journals.BAD_DEBT_RECOVERIES]
        assert not JournalEntry.objects.filter(account=account, debit_code=journals.ALLOWANCE).exists()
        unit = Decimal(self.unit)
        assert all(entry.amount % unit == 0 for entry in account.journal_entries.all())
        if found.written_off == 0 and not found.open_amount and not found.fees:
            assert status_of(account) != AccountStatus.WRITTEN_OFF
        if found.written_off and not found.open_amount:
            assert status_of(account) == AccountStatus.WRITTEN_OFF


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(ACTS), min_size=1, max_size=4), min_size=1, max_size=7), st.integers(0, 2**32))
def test_the_journal_balances_and_says_what_is_open_lost_and_recovered_whatever_happens(
    days: list[list[str]], seed: int
) -> None:
    life = Life(random.Random(seed))
    life.act("bill", TODAY)
    for number, acts in enumerate(days):
        on = day(4 * number)
        for name in acts:
            life.act(name, on)
        life.check(on)
        entries = life.account.journal_entries.count()
        settling.mark_unsettled([life.account.pk])
        life.check(on)
        assert life.account.journal_entries.count() == entries


def test_write_offs_are_never_the_customers_money() -> None:
    account = owing()
    write_off(account)
    assert Adjustment.objects.get().posted_amount == -120
    pays(account, "120.00", day(-2))
    assert (account.unapplied, Adjustment.objects.get().posted_amount) == (0, 0)


# --- in the life of an account ----------------------------------------------------------------------------------------

LATE = """
code: late
enters: {min_amount: "1.00", min_days: 1}
steps:
  - {code: give-up, day: 10, action: write_off, approval: required}
"""


PLACED_LATER = """
code: late
enters: {min_amount: "1.00", min_days: 1}
steps:
  - {code: notice, day: 2, action: notify, channels: [email], template: placement-notice, pay_by_days: 5}
  - {code: give-up, day: 10, action: write_off, approval: required}
  - {code: agency, day: 20, action: place_with_agency, agency: northside, warned_by: notice, notice_days: 5}
"""


def story() -> Story:
    told = Story(TODAY, policy=LATE)
    told.account(segment="gold")
    told.bill(TODAY, "120.00", tax_amount="20.00")
    return told


def test_a_write_off_that_waits_for_approval_is_withdrawn_when_the_account_pays() -> None:
    told = story()
    told.days_pass(until=day(10))
    told.expect(queue=["approval: give-up"])
    told.pays("120.00")
    told.expect(queue=[], status="current")
    assert not WriteOff.objects.exists()


def test_a_write_off_that_waits_is_still_to_be_decided_when_an_agency_gets_the_account() -> None:
    told = Story(TODAY, policy=PLACED_LATER)
    told.account(segment="gold")
    told.bill(TODAY, "120.00", tax_amount="20.00")
    told.days_pass(until=day(11))
    told.expect(queue=["approval: give-up"])
    told.days_pass(until=day(30))
    told.expect(status="agency", queue=["approval: give-up"])


def test_a_write_off_that_waits_takes_what_is_open_when_it_is_approved() -> None:
    told = story()
    told.days_pass(until=day(10))
    told.pays("60.00")
    told.expect(queue=["approval: give-up"])
    account = told.account_row()
    assert write_off(account, day(10)) == 60
    row = WriteOff.objects.get()
    assert (row.amount, row.tax_amount, row.days_past_due) == (60, 10, 10)
    assert (row.case, row.version) == (account.cases.get(), account.cases.get().version)


def test_after_a_write_off_a_recovery_of_everything_closes_the_account_and_opens_no_case() -> None:
    told = story()
    told.days_pass(until=day(10))
    write_off(told.account_row(), day(10))
    told.days_pass(until=day(12))
    told.pays("70.00")
    told.days_pass(until=day(14))
    told.expect(status="written_off", unapplied="0.00", queue=[])
    told.pays("50.00")
    told.days_pass(until=day(16))
    told.expect(status="closed", balance="0.00", unapplied="0.00")
    assert len(told.cases()) == 1


def test_a_second_write_off_of_the_day_adds_to_the_first() -> None:
    account = owing()
    write_off(account)
    bill = account.bills.get()
    make_adjustment(account, "12.00", bill_ref=bill.ref)
    make_bill(account, "24.00", tax_amount=Decimal(4))
    assert write_off(account) == 36
    row = WriteOff.objects.get()
    # A charge that came after the bill has no tax of its own: no more comes back than the bill had.
    assert (row.amount, row.tax_amount) == (156, 24)
    assert sums(account)[journals.BAD_DEBT_EXPENSE] == 132
