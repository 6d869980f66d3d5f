"""Settling: by difference, journal and facts always one, nothing half done, and no fact lost to a race."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from threading import Event
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import events, position, settling
from accounts.models import Account, Bill, Fee, Hold, JournalEntry, Payment, Unsettled
from tests.factories import TODAY, kinds_of, make_account, make_adjustment, make_bill, make_payment, moment

AT = moment()


def settle(as_of: date = TODAY, **options: Any) -> int:
    return settling.settle(as_of=as_of, at=moment(as_of), **options)


def rows_changed() -> dict[str, int]:
    """How many rows this transaction has written so far, by table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables")
        return dict(cursor.fetchall())


def written_by(act: Callable[[], object]) -> dict[str, int]:
    before = rows_changed()
    act()
    after = rows_changed()
    return {table: count - before.get(table, 0) for table, count in after.items() if count != before.get(table, 0)}


def balance(account: Account, code: str) -> Decimal:
    """Debits less credits of a code in the account's journal."""
    total = Decimal(0)
    for entry in JournalEntry.objects.filter(account=account):
        total += entry.amount * ((entry.debit_code == code) - (entry.credit_code == code))
    return total


def standing(account: Account) -> Account:
    return Account.objects.get(pk=account.pk)


# --- by difference ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_settling_again_writes_nothing() -> None:
    account = make_account()
    make_bill(account, tax_amount=Decimal(20))
    make_payment(account, "130")
    assert settle() == 1
    assert written_by(settle) == {}


@pytest.mark.django_db
def test_settling_an_unchanged_account_writes_nothing_but_its_mark() -> None:
    account = make_account()
    make_bill(account)
    make_payment(account, "30")
    settle()
    settling.mark_unsettled([account.pk])
    assert written_by(settle) == {"accounts_unsettled": 1}


@pytest.mark.django_db
def test_only_marked_accounts_are_settled() -> None:
    account = make_account()
    make_bill(account)
    settle()
    Bill.objects.update(amount=999)
    assert settle(account_ids=[account.pk]) == 0
    assert standing(account).open_amount == 100


@pytest.mark.django_db
def test_facts_move_status_and_tell_of_money() -> None:
    account = make_account()
    make_bill(account)
    settle()
    make_payment(account, "100")
    settle()
    assert kinds_of(account) == [
        events.STATUS_CHANGED,
        events.STATUS_CHANGED,
        events.MONEY_MOVED,
    ]
    assert standing(account).status == "current"


@pytest.mark.django_db
def test_facts_dated_later_wait_for_their_day() -> None:
    account = make_account()
    make_bill(account)
    make_payment(account, "100", TODAY + timedelta(days=2))
    settle()
    assert standing(account).overdue == 100
    for ahead, overdue in ((1, 100), (2, 0)):
        settling.mark_day(after=TODAY + timedelta(days=ahead - 1), until=TODAY + timedelta(days=ahead))
        settle(TODAY + timedelta(days=ahead))
        assert standing(account).overdue == overdue


EFFECTS: dict[str, Callable[[Account, date], object]] = {
    "a bill is issued": lambda account, on: make_bill(account, issued_on=on, due_on=on + timedelta(days=9)),
    "a bill falls past due": lambda account, on: make_bill(account, due_on=on - timedelta(days=1)),
    "a bill is cancelled": lambda account, on: make_bill(account, cancelled_on=on),
    "a payment arrives": lambda account, on: make_payment(account, "1", on),
    "an adjustment counts": lambda account, on: make_adjustment(account, "-1", on),
    "a fee counts": lambda account, on: Fee.objects.create(
        ref="desk-f", account=account, kind="late_fee", on=on, amount=1
    ),
    "a fee is waived": lambda account, on: Fee.objects.create(
        ref="desk-f", account=account, kind="late_fee", on=on - timedelta(days=5), waived_on=on, amount=1
    ),
    "a dispute starts": lambda account, on: _dispute(account, starts_on=on),
    "a dispute's last day is over": lambda account, on: _dispute(account, ends_on=on - timedelta(days=1)),
    "a dispute was lifted for today": lambda account, on: _dispute(account, lifted_on=on),
}


def _dispute(account: Account, **columns: Any) -> Hold:
    early = {"starts_on": date(2026, 1, 1), "amount": 5, "placed_by": "x"}
    return Hold.objects.create(ref="H", account=account, reason="dispute", **{**early, **columns})


@pytest.mark.django_db
@pytest.mark.parametrize("effect", EFFECTS)
def test_the_day_on_which_something_takes_effect_marks_the_account_and_no_other_day_does(effect: str) -> None:
    account = make_account()
    make_bill(account, due_on=TODAY + timedelta(days=300))
    EFFECTS[effect](account, TODAY)
    # Settled as if the day before had been run: what waits for today is in nobody's amounts.
    settling.mark_unsettled([account.pk])
    settle(TODAY - timedelta(days=1))
    for offset, marked in ((-1, False), (0, True), (1, False)):
        on = TODAY + timedelta(days=offset)
        Unsettled.objects.all().delete()
        settling.mark_day(after=on - timedelta(days=1), until=on)
        assert Unsettled.objects.filter(pk=account.pk).exists() is marked, on


# --- the journal and the facts are one --------------------------------------------------------------------------------


def check_books(account: Account, as_of: date) -> None:
    """What the maintained columns and the journal must be, whatever happened before."""
    row = standing(account)
    found = position.position_of(account_id=account.pk, as_of=as_of)
    assert (row.open_amount, row.overdue, row.disputed) == (found.open_amount, found.overdue, found.disputed)
    assert (row.unapplied, row.fees) == (found.unapplied, found.fees)
    # Receivables are what is open and our fees; what waits for a bill is owed to the customer.
    assert balance(account, "12000") == found.open_amount + found.fees
    assert balance(account, "23000") == -found.unapplied
    received = Payment.objects.filter(account=account, received_on__lte=as_of)
    assert balance(account, "10100") == sum((each.amount for each in received.filter(reverses=None)), Decimal(0)) - sum(
        (each.amount for each in received.exclude(reverses=None).filter(reverses__received_on__lte=as_of)), Decimal(0)
    )
    bills = [
        bill
        for bill in Bill.objects.filter(account=account, issued_on__lte=as_of).exclude(status="draft")
        if not (bill.status == "cancelled" and (bill.cancelled_on or bill.issued_on) <= as_of)
        and not (bill.cancelled_on and bill.cancelled_on <= as_of)
    ]
    # What still stands of write-offs is in expense less recoveries, and its tax was taken back: nothing else was.
    taxes = sum((bill.tax_amount or Decimal(0) for bill in bills), Decimal(0))
    relief = balance(account, "21000") + taxes
    assert 0 <= relief <= taxes
    assert balance(account, "61000") + balance(account, "61050") + relief == (found.written_off or 0)
    # Exact in the currency: no fraction of a cent anywhere.
    for entry in JournalEntry.objects.filter(account=account):
        assert entry.amount == entry.amount.quantize(Decimal("0.01"))


ACTS = (
    "bill", "pay", "reverse", "credit", "charge", "fee", "waive", "replace_fee", "write_off", "uphold",
    "billing_upholds", "dispute", "correct", "cancel", "revive", "correct_payment", "nothing",
)  # fmt: skip


class Book:
    """One account to which things keep happening."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.account = make_account()
        self.number = 0

    def ref(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}-{self.account.pk}-{self.number}"

    def money(self) -> str:
        return f"{self.chance.randint(1, 9000) / 100:.2f}"

    def near(self, on: date) -> date:
        """A day about ``on``, often the very day of another run: edges are where it breaks."""
        return on + timedelta(
            days=4 * self.chance.choice([-3, -1, -1, 0, 0, 0, 1, 2]) + self.chance.choice([0, 0, 0, 1])
        )

    def some(self, rows: Any) -> Any:
        found = list(rows.order_by("pk"))
        return self.chance.choice(found) if found else None

    def act(self, name: str, on: date) -> None:
        bill = self.some(Bill.objects.filter(account=self.account))
        payment = self.some(Payment.objects.filter(account=self.account, reverses=None))
        if name == "bill":
            issued, amount = self.near(on), self.money()
            tax = (Decimal(amount) * self.chance.randint(0, 30) / 100).quantize(Decimal("0.01"))
            make_bill(self.account, amount, ref=self.ref("B"), tax_amount=self.chance.choice([None, tax]),
                      issued_on=issued, due_on=issued + timedelta(days=self.chance.randint(0, 14)))  # fmt: skip
        elif name == "pay":
            directed = self.chance.choice(["", bill.ref if bill else "unknown"])
            make_payment(self.account, self.money(), self.near(on), ref=self.ref("P"), bill_ref=directed)
        elif name == "reverse" and payment:
            back = sum((each.amount for each in payment.reversals.all()), Decimal(0))
            if left := payment.amount - back:
                part = self.chance.choice([left, min(left, Decimal(self.money()))])
                make_payment(self.account, str(part), self.near(on), ref=self.ref("R"), reverses=payment)
        elif name == "credit":
            self._adjust(f"-{self.money()}", on, bill_ref=self.chance.choice(["", bill.ref if bill else ""]))
        elif name == "charge" and bill:
            self._adjust(self.money(), on, bill_ref=bill.ref)
        elif name == "uphold":
            self._adjust(f"-{self.money()}", on, kind="dispute", dispute_ref=f"D-{self.account.pk}")
        elif name == "billing_upholds":
            self._adjust(f"-{self.money()}", on, dispute_ref=f"D-{self.account.pk}")
        elif name == "fee":
            Fee.objects.create(ref=self.ref("desk-f"), account=self.account, on=self.near(on), amount=self.money(),
                               kind=self.chance.choice(["late_fee", "reconnection_fee"]))  # fmt: skip
        elif name == "waive":
            Fee.objects.filter(account=self.account, waived_on=None).update(waived_on=self.near(on))
        elif name == "replace_fee" and bill and (fee := self.some(Fee.objects.filter(account=self.account))):
            self._adjust(str(fee.amount), on, bill_ref=bill.ref, fee_ref=fee.ref)
        elif name == "write_off":
            for late in Bill.objects.filter(account=self.account, open_amount__gt=0):
                self._adjust(str(-late.open_amount), on, kind="write_off", bill_ref=late.ref, when=on)
        elif name == "dispute" and bill:
            Hold.objects.create(ref=self.ref("H"), account=self.account, reason="dispute", starts_on=self.near(on),
                                amount=self.money(), bill_refs=[bill.ref], placed_by="x")  # fmt: skip
        elif name == "correct" and bill:
            amount = Decimal(self.money())
            tax = self.chance.choice([None, (amount / 7).quantize(Decimal("0.01"))])
            # Billing changes a bill's tax with its amount.
            Bill.objects.filter(pk=bill.pk).exclude(amount=amount).update(amount=amount, tax_amount=tax)
        elif name == "cancel" and bill:
            Bill.objects.filter(pk=bill.pk).update(
                status="cancelled", cancelled_on=self.chance.choice([None, self.near(on)])
            )
        elif name == "revive" and bill:
            Bill.objects.filter(pk=bill.pk).update(status="issued", cancelled_on=None)
        elif name == "correct_payment" and payment:
            Payment.objects.filter(pk=payment.pk).update(amount=F("amount") + Decimal(self.money()))
        settling.mark_unsettled([self.account.pk])

    def _adjust(self, amount: str, on: date, *, when: date | None = None, **columns: Any) -> None:
        make_adjustment(self.account, amount, when or self.near(on), ref=self.ref("J"), **columns)


@pytest.mark.django_db
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(ACTS), min_size=1, max_size=6), min_size=1, max_size=6), st.integers(0, 2**32))
def test_the_journal_says_what_the_facts_say_after_anything(days: list[list[str]], seed: int) -> None:
    book = Book(random.Random(seed))
    book.act("bill", TODAY)
    for number, acts in enumerate(days):
        today = TODAY + timedelta(days=4 * number)
        for name in acts:
            book.act(name, today)
        settle(today, account_ids=[book.account.pk])
        check_books(book.account, today)
        settling.mark_unsettled([book.account.pk])
        assert written_by(lambda on=today: settle(on, account_ids=[book.account.pk])) == {"accounts_unsettled": 1}


@pytest.mark.django_db
def test_a_bill_with_tax_posts_revenue_and_tax_and_its_cancellation_takes_back_both() -> None:
    account = make_account()
    bill = make_bill(account, "121.00", tax_amount=Decimal("21.00"))
    settle()
    assert (balance(account, "12000"), balance(account, "40000"), balance(account, "21000")) == (121, -100, -21)
    Bill.objects.filter(pk=bill.pk).update(status="cancelled", cancelled_on=TODAY)
    settling.mark_unsettled([account.pk])
    settle()
    assert (balance(account, "12000"), balance(account, "40000"), balance(account, "21000")) == (0, 0, 0)


@pytest.mark.django_db
def test_a_corrected_bill_posts_the_difference_on_the_business_date_in_whole_cents() -> None:
    account = make_account()
    bill = make_bill(account, "10.00", tax_amount=Decimal("1.60"))
    settle()
    Bill.objects.filter(pk=bill.pk).update(amount=Decimal("10.01"), tax_amount=Decimal("1.61"))
    settling.mark_unsettled([account.pk])
    settle()
    first, *rest = (
        JournalEntry.objects.filter(account=account).order_by("pk").values_list("on", "amount", "credit_code")
    )
    assert first[0] == bill.issued_on
    assert rest[1:] == [(TODAY, Decimal("0.01"), "21000")]


@pytest.mark.django_db
def test_a_reversal_that_comes_before_its_payment_is_posted_with_it() -> None:
    account = make_account()
    make_bill(account)
    payment = make_payment(account, "100", TODAY + timedelta(days=1))
    make_payment(account, "100", TODAY, reverses=payment)
    settle()
    check_books(account, TODAY)
    settling.mark_day(after=TODAY, until=TODAY + timedelta(days=1))
    settle(TODAY + timedelta(days=1))
    check_books(account, TODAY + timedelta(days=1))
    assert JournalEntry.objects.filter(account=account, event_type__startswith="PAYMENT").count() == 2


@pytest.mark.django_db
def test_a_charge_is_posted_with_its_bill_and_goes_with_it() -> None:
    account = make_account()
    issued_on, cancelled_on = TODAY + timedelta(days=1), TODAY + timedelta(days=2)
    make_bill(account, "100", ref="B-next", issued_on=issued_on, due_on=issued_on, cancelled_on=cancelled_on)
    make_adjustment(account, "5", TODAY, bill_ref="B-next")
    for today, receivable in ((TODAY, 0), (issued_on, 105), (cancelled_on, 0)):
        settling.mark_day(after=today - timedelta(days=1), until=today)
        settle(today)
        check_books(account, today)
        assert balance(account, "12000") == receivable


@pytest.mark.django_db
def test_an_upheld_dispute_is_posted_once_when_billing_credits_it_too() -> None:
    account = make_account()
    make_bill(account)
    make_adjustment(account, "-30", kind="dispute", dispute_ref="D1")
    settle()
    make_adjustment(account, "-30", dispute_ref="D1")
    settle()
    assert balance(account, "49000") == 30
    check_books(account, TODAY)


@pytest.mark.django_db
@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1001"), ("EUR", "10.01"), ("KWD", "1.001")])
def test_every_currency_is_posted_exactly(currency: str, amount: str) -> None:
    account = make_account(currency=currency)
    make_bill(account, amount)
    settle()
    assert balance(account, "12000") == Decimal(amount)
    assert standing(account).overdue == Decimal(amount)


# --- killed, and raced ------------------------------------------------------------------------------------------------


@contextmanager
def events_of_refused(account: Account) -> Iterator[None]:
    """The database refuses the history of one account: a fault in the last statement of its chunk."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.account_id = {account.pk} THEN RAISE EXCEPTION 'disk full'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON accounts_accountevent FOR EACH ROW EXECUTE FUNCTION refuse()"""
        )
        yield
        cursor.execute("DROP TRIGGER refuse ON accounts_accountevent; DROP FUNCTION refuse()")


@pytest.mark.django_db
def test_killed_in_the_middle_nothing_is_half_done_and_the_next_pass_finishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "CHUNK", 2)
    accounts = [make_account() for _ in range(5)]
    for account in accounts:
        make_bill(account)
    with events_of_refused(accounts[3]), pytest.raises(DatabaseError, match="disk full"):
        settle()
    done = [account.pk for account in accounts[:2]]
    assert set(Account.objects.filter(overdue=100).values_list("pk", flat=True)) == set(done)
    assert set(JournalEntry.objects.values_list("account", flat=True)) == set(done)
    assert set(Unsettled.objects.values_list("pk", flat=True)) == {account.pk for account in accounts[2:]}
    assert not Bill.objects.exclude(account__in=done).exclude(open_amount=0, posted_amount=0).exists()
    assert settle() == 3
    for account in accounts:
        check_books(account, TODAY)
        assert kinds_of(account) == [events.STATUS_CHANGED]


def in_thread(act: Callable[[], Any]) -> Callable[[], Any]:
    """``act`` with connections of its own, closed when it is done."""

    def run() -> Any:
        try:
            return act()
        finally:
            connections.close_all()

    return run


MARK = "INSERT INTO accounts_unsettled (account_id) VALUES (%s) ON CONFLICT (account_id) "
DO_NOTHING, DO_UPDATE = MARK + "DO NOTHING", MARK + "DO UPDATE SET account_id = excluded.account_id"


def settle_while_a_payment_is_written(account: Account, mark: Callable[[], None]) -> None:
    """The account is marked already; a payment is written and marked, and settling runs before it commits."""
    written, settling_is_over = Event(), Event()

    def write() -> None:
        with transaction.atomic():
            Payment.objects.create(ref="P-late", account=account, received_on=TODAY, amount=100)
            mark()
            written.set()
            # Settling may be waiting for us: then this times out, as it should.
            settling_is_over.wait(1)

    def pass_over() -> int:
        written.wait(10)
        count = settle()
        settling_is_over.set()
        return count

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(in_thread(write)), pool.submit(in_thread(pass_over))]
        for job in jobs:
            job.result(timeout=30)


@pytest.mark.django_db(transaction=True)
def test_a_mark_that_does_not_lock_loses_a_payment() -> None:
    account = make_account()
    make_bill(account)

    def mark() -> None:
        with connection.cursor() as cursor:
            cursor.execute(DO_NOTHING, [account.pk])

    settle_while_a_payment_is_written(account, mark)
    assert standing(account).overdue == 100  # it was paid …
    assert not Unsettled.objects.exists()  # … and nobody will look again


@pytest.mark.django_db(transaction=True)
def test_a_payment_committed_while_settling_runs_is_not_lost() -> None:
    account = make_account()
    make_bill(account)
    settle_while_a_payment_is_written(account, lambda: settling.mark_unsettled([account.pk]))
    assert standing(account).overdue == 0
    assert not Unsettled.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_payment_written_after_settling_has_read_leaves_its_mark() -> None:
    account = make_account()
    make_bill(account)
    locked, let_go = Event(), Event()

    def keep_the_journal() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE accounts_journalentry IN SHARE MODE")
            locked.set()
            let_go.wait(20)

    def pay() -> None:
        with transaction.atomic():
            make_payment(account, "100")

    with ThreadPoolExecutor(3) as pool:
        keeper = pool.submit(in_thread(keep_the_journal))
        assert locked.wait(10)
        settler = pool.submit(in_thread(settle))
        wait_until_blocked(1)
        payer = pool.submit(in_thread(pay))
        wait_until_blocked(2)
        let_go.set()
        for job in (keeper, settler, payer):
            job.result(timeout=30)
    assert standing(account).overdue == 100
    assert settle() == 1
    assert standing(account).overdue == 0


def wait_until_blocked(sessions: int) -> None:
    """Until so many sessions of this database wait for a lock."""
    for _ in range(1000):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*), pg_sleep(0.01) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0] >= sessions:
                return
    pytest.fail("nobody waited")


@pytest.mark.django_db(transaction=True)
def test_two_passes_at_once_settle_every_account_once() -> None:
    accounts = [make_account() for _ in range(6)]
    for account in accounts:
        make_bill(account)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(in_thread(settle)) for _ in range(2)]
        assert sum(job.result(timeout=30) for job in jobs) == 6
    assert JournalEntry.objects.count() == 6
    assert all(kinds_of(account) == [events.STATUS_CHANGED] for account in accounts)
