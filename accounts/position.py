"""What accounts owe as of any day, read from the facts; for one account and for all, along one path.

``books_of`` reads a chunk of accounts with five queries and allocates; everything that needs more than the maintained
columns (another day, which payment paid what) starts there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from accounts.allocation import allocate
from accounts.facts import Applied, BillFact, Books, ChargeFact, CreditFact, DisputeFact, Recovery, ReversalFact
from accounts.models import Account
from accounts.money import from_mills

BUCKETS = ("current", "1-30", "31-60", "61-90", "91-120", "120+")

#: How a credit is named in ``Applied.credit_ref``; payments come before adjustments of the same day.
PAYMENT, REDUCTION, WRITE_OFF = "payment:", "reduction:", "write-off:"

CHUNK = 2_000


def bucket_of(days_past_due: int) -> str:
    """The ageing bucket of a number of days past due."""
    if days_past_due <= 0:
        return "current"
    for bucket, last in zip(BUCKETS[1:], (30, 60, 90, 120), strict=False):
        if days_past_due <= last:
            return bucket
    return BUCKETS[-1]


class BillRow(NamedTuple):
    """A bill as read for settling: the fact, and what its row holds now (thousandths)."""

    pk: int
    fact: BillFact
    open_amount: int
    disputed_amount: int


@dataclass(slots=True)
class AccountBooks:
    """The books of one account as of a day."""

    account_id: int
    as_of: date
    bills: list[BillRow] = field(default_factory=list)
    books: Books = field(default_factory=lambda: Books({}, {}, {}, [], {}, []))
    fees: int = 0

    def paid_towards(self, *, bill_refs: Collection[str], since: date) -> list[tuple[date, Decimal]]:
        """Payments that went to those bills from ``since`` on, net of reversals, by day; no bills named: any.

        Also what was paid on them after they had been written off.
        """
        entries: list[Applied | Recovery] = [*self.books.applied, *self.books.recoveries]
        return [
            (entry.on, from_mills(entry.amount))
            for entry in entries
            if entry.on >= since
            and entry.credit_ref.startswith(PAYMENT)
            and (not bill_refs or entry.bill_ref in bill_refs)
        ]

    def open_on(self, bill_refs: Collection[str]) -> Decimal:
        """What is open on those bills."""
        return from_mills(sum(amount for ref, amount in self.books.open.items() if ref in bill_refs))


@dataclass(frozen=True, slots=True)
class Position:
    """What one account owes as of a day; amounts in its currency."""

    as_of: date
    open_amount: Decimal
    overdue: Decimal
    overdue_disputed: Decimal
    disputed: Decimal
    unapplied: Decimal
    fees: Decimal
    oldest_due_on: date | None
    #: Of what was written off, what is not recovered; none where nothing ever was.
    written_off: Decimal | None = None

    @property
    def balance(self) -> Decimal:
        return self.open_amount + self.fees - self.unapplied

    @property
    def days_past_due(self) -> int:
        return (self.as_of - self.oldest_due_on).days if self.oldest_due_on else 0

    @property
    def bucket(self) -> str:
        return bucket_of(self.days_past_due)


class OpenBill(NamedTuple):
    """A bill with something open as of a day."""

    account_id: int
    bill_id: int
    issued_on: date
    due_on: date
    amount: Decimal
    open: Decimal
    disputed: Decimal


_BILLS = """
    SELECT account_id, id, ref, issued_on, due_on, (amount * 1000)::bigint,
           CASE WHEN status = 'cancelled' THEN coalesce(cancelled_on, issued_on) ELSE cancelled_on END,
           (open_amount * 1000)::bigint, (disputed_amount * 1000)::bigint
      FROM accounts_bill WHERE account_id = ANY(%s) AND status <> 'draft'
"""
_PAYMENTS = """
    SELECT p.account_id, p.ref, p.received_on, (p.amount * 1000)::bigint, p.bill_ref, o.ref
      FROM accounts_payment p LEFT JOIN accounts_payment o ON o.id = p.reverses_id
     WHERE p.account_id = ANY(%s) AND p.received_on <= %s
"""
_ADJUSTMENTS = """
    SELECT account_id, ref, "on",
           CASE WHEN kind = 'write_off' AND fee_ref <> '' AND EXISTS (
                SELECT 1 FROM accounts_adjustment b WHERE b.fee_ref = a.fee_ref AND b.kind <> 'write_off'
                   AND b."on" <= %(as_of)s)
           OR kind = 'settlement' AND EXISTS (
                SELECT 1 FROM accounts_bill c WHERE c.ref = a.bill_ref AND c.account_id = a.account_id
                   AND CASE WHEN c.status = 'cancelled' THEN coalesce(c.cancelled_on, c.issued_on)
                            ELSE c.cancelled_on END <= %(as_of)s)
           THEN 0 ELSE (amount * 1000)::bigint END, bill_ref, kind = 'write_off'
      FROM accounts_adjustment a WHERE account_id = ANY(%(ids)s) AND "on" <= %(as_of)s
       AND NOT (kind = 'dispute' AND EXISTS (
            SELECT 1 FROM accounts_adjustment b WHERE b.dispute_ref = a.dispute_ref AND b.dispute_ref <> ''
               AND b.kind = 'billing' AND b."on" <= %(as_of)s))
"""
_DISPUTES = """
    SELECT account_id, ref, starts_on, least(lifted_on, ends_on + 1),
           coalesce((amount * 1000)::bigint, 100000000000000000), bill_refs
      FROM accounts_hold WHERE account_id = ANY(%s) AND reason = 'dispute' AND starts_on <= %s
"""
_FEES = """
    SELECT account_id, sum(amount * 1000)::bigint
      FROM accounts_fee f WHERE account_id = ANY(%s) AND "on" <= %s AND (waived_on IS NULL OR waived_on > %s)
       AND NOT EXISTS (SELECT 1 FROM accounts_adjustment b WHERE b.fee_ref = f.ref AND b."on" <= %s)
     GROUP BY account_id
"""


def books_of(account_ids: Sequence[int], *, as_of: date) -> dict[int, AccountBooks]:
    """The books of those accounts as of a day: five queries, whatever their number."""
    found = {account_id: AccountBooks(account_id, as_of) for account_id in account_ids}
    keys = list(found)
    credits: dict[int, list[CreditFact]] = defaultdict(list)
    reversals: dict[int, list[ReversalFact]] = defaultdict(list)
    charges: dict[int, list[ChargeFact]] = defaultdict(list)
    disputes: dict[int, list[DisputeFact]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_BILLS, [keys])
        for account_id, pk, ref, issued_on, due_on, amount, ends_on, open_amount, disputed in cursor:
            fact = BillFact(ref, issued_on, due_on, amount, ends_on)
            found[account_id].bills.append(BillRow(pk, fact, open_amount, disputed))
        cursor.execute(_PAYMENTS, [keys, as_of])
        for account_id, ref, on, amount, bill_ref, reverses in cursor:
            if reverses is None:
                credits[account_id].append(CreditFact(PAYMENT + ref, on, amount, bill_ref))
            else:
                reversals[account_id].append(ReversalFact(ref, on, amount, PAYMENT + reverses))
        cursor.execute(_ADJUSTMENTS, {"ids": keys, "as_of": as_of})
        for account_id, ref, on, amount, bill_ref, write_off in cursor:
            if write_off:
                credits[account_id].append(CreditFact(WRITE_OFF + ref, on, -amount, bill_ref, write_off=True))
            elif amount < 0:
                credits[account_id].append(CreditFact(REDUCTION + ref, on, -amount, bill_ref))
            else:
                charges[account_id].append(ChargeFact(ref, on, amount, bill_ref))
        cursor.execute(_DISPUTES, [keys, as_of])
        for account_id, ref, starts_on, ends_on, amount, bill_refs in cursor:
            disputes[account_id].append(DisputeFact(ref, starts_on, ends_on, amount, bill_refs[0] if bill_refs else ""))
        cursor.execute(_FEES, [keys, as_of, as_of, as_of])
        for account_id, amount in cursor:
            found[account_id].fees = amount
    for account_id, account in found.items():
        account.books = allocate(
            as_of=as_of,
            bills=[row.fact for row in account.bills],
            credits=credits.get(account_id, ()),
            reversals=reversals.get(account_id, ()),
            charges=charges.get(account_id, ()),
            disputes=disputes.get(account_id, ()),
        )
    return found


def position_from(account: AccountBooks) -> Position:
    """The sums of an account's books."""
    books, as_of = account.books, account.as_of
    due = {row.fact.ref: row.fact.due_on for row in account.bills}
    overdue = overdue_disputed = 0
    oldest: date | None = None
    for ref, amount in books.open.items():
        if due[ref] < as_of:
            contested = books.disputed.get(ref, 0)
            overdue += amount - contested
            overdue_disputed += contested
            if amount > contested and (oldest is None or due[ref] < oldest):
                oldest = due[ref]
    return Position(
        as_of=as_of,
        open_amount=from_mills(sum(books.open.values())),
        overdue=from_mills(overdue),
        overdue_disputed=from_mills(overdue_disputed),
        disputed=from_mills(sum(books.disputed.values())),
        unapplied=from_mills(sum(books.unapplied.values())),
        fees=from_mills(account.fees),
        oldest_due_on=oldest,
        written_off=from_mills(sum(books.written_off.values())) if books.written_off else None,
    )


def position_of(*, account_id: int, as_of: date) -> Position:
    """What one account owes as of a day."""
    return position_from(books_of([account_id], as_of=as_of)[account_id])


def open_bills(*, as_of: date, business_date: date | None = None, currency: str | None = None) -> Iterator[OpenBill]:
    """Every bill with something open as of a day; from the maintained columns where that day is the business date."""
    if as_of == business_date:
        yield from _open_bills_now(currency)
        return
    for chunk in account_chunks(currency=currency):
        for account_id, account in books_of(chunk, as_of=as_of).items():
            for row in account.bills:
                if amount := account.books.open.get(row.fact.ref):
                    yield OpenBill(
                        account_id,
                        row.pk,
                        row.fact.issued_on,
                        row.fact.due_on,
                        from_mills(row.fact.amount),
                        from_mills(amount),
                        from_mills(account.books.disputed.get(row.fact.ref, 0)),
                    )


def _open_bills_now(currency: str | None) -> Iterator[OpenBill]:
    rows: Any = Account.objects.filter(bills__open_amount__gt=0).order_by("pk", "bills__pk")
    if currency:
        rows = rows.filter(currency=currency)
    columns = ("pk", "bills__pk", "bills__issued_on", "bills__due_on", "bills__amount", "bills__open_amount")
    for row in rows.values_list(*columns, "bills__disputed_amount").iterator(chunk_size=CHUNK):
        yield OpenBill(*row)


def account_chunks(*, currency: str | None = None) -> Iterator[list[int]]:
    """The keys of all accounts in order, ``CHUNK`` at a time."""
    last = 0
    while True:
        keys: Any = Account.objects.filter(pk__gt=last).order_by("pk")
        if currency:
            keys = keys.filter(currency=currency)
        chunk = list(keys.values_list("pk", flat=True)[:CHUNK])
        if not chunk:
            return
        yield chunk
        last = chunk[-1]
