"""What was open at the ends of days, in temporary tables, for the figures.

``figures_open`` has a row for each bill with something open; ``figures_at`` one for each account, its buckets as b0 to
b5 in the order of ``BUCKETS``; ``figures_late`` one for each account that was late when a period began, with what was
collected of that by its end, and whether something is past due then.

The business date comes from the stored amounts. Any other day is allocated from the facts: of every account, or only of
those of which arithmetic cannot tell that nothing was past due; the others then have their row by account, and none by
bill.

That arithmetic: what an account owed on a day is what it owes now less what came since. Young are its bills that were
not due yet. Money goes to the oldest bill first unless it names another, so a young bill got money while an older one
was open only if the money named it, or something odd happened since the young bill was issued: a dispute, a reversal, a
charge, an older bill that came late. So nothing was past due if no more was owed than was open on the young bills, even
if all money that names them went there; and then all that was owed was not due yet. Where a fact counts otherwise than
by its own day and amount (write-offs, cancellations, money for a bill not issued yet), the account is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import NamedTuple

from django.db import connection

from accounts import bulk
from accounts.money import from_mills
from accounts.position import BUCKETS, CHUNK, PAYMENT, AccountBooks, OpenBill, books_of
from agents import scopes, standing

#: Told what is being done, how much of it is done, and of how much.
Say = Callable[[str, int, int], None]

_TABLES = ("figures_open", "figures_at", "figures_late", "figures_net")

_CREATE = """
    CREATE TEMP TABLE figures_open (
        "on" date, account_id bigint, bill_id bigint, issued_on date, due_on date, open numeric, disputed numeric);
    CREATE TEMP TABLE figures_at (
        "on" date, account_id bigint, b0 numeric, b1 numeric, b2 numeric, b3 numeric, b4 numeric, b5 numeric);
    CREATE TEMP TABLE figures_late (
        "on" date, account_id bigint, amount numeric, collected numeric, late_still boolean);
"""
_FROM_COLUMNS = """
    INSERT INTO figures_open
    SELECT %(on)s, b.account_id, b.id, b.issued_on, b.due_on, b.open_amount, b.disputed_amount
      FROM accounts_bill b JOIN figures_account USING (account_id) WHERE b.open_amount > 0
"""
_BY_ACCOUNT = """
    INSERT INTO figures_at
    SELECT "on", account_id,
           coalesce(sum(open) FILTER (WHERE due_on >= "on"), 0),
           coalesce(sum(open) FILTER (WHERE "on" - due_on BETWEEN 1 AND 30), 0),
           coalesce(sum(open) FILTER (WHERE "on" - due_on BETWEEN 31 AND 60), 0),
           coalesce(sum(open) FILTER (WHERE "on" - due_on BETWEEN 61 AND 90), 0),
           coalesce(sum(open) FILTER (WHERE "on" - due_on BETWEEN 91 AND 120), 0),
           coalesce(sum(open) FILTER (WHERE "on" - due_on > 120), 0)
      FROM figures_open WHERE "on" = %(on)s GROUP BY "on", account_id
"""
_NET = """
    CREATE TEMP TABLE figures_net AS
    WITH young AS (
        SELECT id, account_id, ref, issued_on, amount FROM accounts_bill
         WHERE status = 'issued' AND issued_on <= %(on)s AND due_on >= %(on)s
           AND (cancelled_on IS NULL OR cancelled_on > %(on)s)
    ), named AS (
        SELECT y.id, sum(c.amount) AS amount
          FROM young y JOIN (
              SELECT account_id, bill_ref, amount FROM accounts_payment
               WHERE bill_ref <> '' AND received_on <= %(on)s AND reverses_id IS NULL
              UNION ALL
              SELECT account_id, bill_ref, -amount FROM accounts_adjustment
               WHERE bill_ref <> '' AND "on" <= %(on)s AND amount < 0
          ) c ON c.account_id = y.account_id AND c.bill_ref = y.ref
         GROUP BY y.id
    ), youngest AS (
        SELECT y.account_id, sum(greatest(y.amount - coalesce(n.amount, 0), 0)) AS least_open,
               min(y.issued_on) AS since
          FROM young y LEFT JOIN named n USING (id) GROUP BY y.account_id
    ), flow AS (
        SELECT account_id, sum(amount) AS amount FROM (
            SELECT account_id, amount FROM accounts_bill
             WHERE status <> 'draft' AND issued_on > %(on)s AND issued_on <= %(now)s
            UNION ALL
            SELECT account_id, CASE WHEN reverses_id IS NULL THEN -amount ELSE amount END FROM accounts_payment
             WHERE received_on > %(on)s AND received_on <= %(now)s
            UNION ALL
            SELECT account_id, amount FROM accounts_adjustment WHERE "on" > %(on)s AND "on" <= %(now)s
        ) fact GROUP BY account_id
    ), odd AS (
        -- While a young bill was there: a dispute turned money to it, or an older bill was opened again.
        SELECT h.account_id FROM accounts_hold h JOIN youngest y USING (account_id)
         WHERE h.reason = 'dispute' AND h.starts_on <= %(on)s
           AND coalesce(least(h.lifted_on, h.ends_on + 1) > y.since, true)
        UNION SELECT p.account_id FROM accounts_payment p JOIN youngest y USING (account_id)
               WHERE p.reverses_id IS NOT NULL AND p.received_on BETWEEN y.since AND %(on)s
        UNION SELECT a.account_id FROM accounts_adjustment a JOIN youngest y USING (account_id)
               WHERE a.amount > 0 AND a."on" BETWEEN y.since AND %(on)s
        -- An older bill that was issued after a young one, and so was not there for its money.
        UNION SELECT o.account_id FROM accounts_bill o JOIN youngest y USING (account_id)
               WHERE o.due_on < %(on)s AND o.issued_on <= %(on)s AND o.status <> 'draft' AND o.issued_on > y.since
                 AND o.issued_on > (SELECT min(since) FROM youngest)
        -- Facts that count on another day than their own, in another amount, or beside what is owed.
        UNION SELECT account_id FROM accounts_adjustment WHERE kind <> 'billing' OR dispute_ref <> ''
        UNION SELECT a.account_id FROM accounts_adjustment a
                LEFT JOIN accounts_bill b ON b.ref = a.bill_ref AND b.account_id = a.account_id
               WHERE a.amount > 0 AND coalesce(b.issued_on > a."on", true)
        UNION SELECT p.account_id FROM accounts_payment p JOIN accounts_payment o ON o.id = p.reverses_id
               WHERE p.reverses_id IS NOT NULL AND p.received_on < o.received_on
        UNION SELECT b.account_id FROM accounts_bill b LEFT JOIN youngest y USING (account_id)
               WHERE (b.cancelled_on IS NOT NULL OR b.status = 'cancelled')
                 AND coalesce(b.cancelled_on, b.issued_on) >= coalesce(y.since, %(on)s)
        UNION SELECT b.account_id FROM accounts_bill b
                JOIN accounts_payment p ON p.account_id = b.account_id AND p.bill_ref = b.ref
               WHERE b.issued_on > %(on)s AND p.received_on <= %(on)s
        UNION SELECT b.account_id FROM accounts_bill b
                JOIN accounts_adjustment a ON a.account_id = b.account_id AND a.bill_ref = b.ref
               WHERE b.issued_on > %(on)s AND a."on" <= %(on)s
        UNION SELECT a.id FROM accounts_account a
                JOIN (SELECT account_id, bill_ref FROM accounts_payment
                       UNION ALL SELECT account_id, bill_ref FROM accounts_adjustment) c ON c.account_id = a.id
               WHERE a.unapplied > 0 AND c.bill_ref <> '' AND NOT EXISTS (
                     SELECT 1 FROM accounts_bill b WHERE b.ref = c.bill_ref AND b.account_id = a.id
                        AND b.status <> 'draft' AND b.issued_on <= %(now)s)
        UNION SELECT account_id FROM accounts_unsettled
    )
    SELECT f.account_id, owed.net, o.account_id IS NOT NULL OR owed.net > coalesce(y.least_open, 0) AS to_read
      FROM figures_account f JOIN accounts_account a ON a.id = f.account_id
      LEFT JOIN flow ON flow.account_id = f.account_id
      LEFT JOIN youngest y ON y.account_id = f.account_id
      LEFT JOIN odd o ON o.account_id = f.account_id
      CROSS JOIN LATERAL (SELECT a.open_amount - a.unapplied - coalesce(flow.amount, 0) AS net) owed
"""
_NOT_DUE = """
    INSERT INTO figures_at SELECT %(on)s, account_id, net, 0, 0, 0, 0, 0 FROM figures_net WHERE net > 0 AND NOT to_read
"""


@contextmanager
def read(
    *,
    end: date,
    starts: Collection[date],
    between: Collection[date] = (),
    business_date: date,
    say: Say,
    every_account: bool,
) -> Iterator[None]:
    """Fill the tables for periods that end with ``end``, of the accounts that ``scopes.laid_out`` has laid out.

    ``starts``: when they begin; ``between``: other days of which it is wanted what was open. With ``every_account``
    those days are read of all of them; else the stored amounts must be those of the business date, and only accounts
    that may have been late are read, once for all days. The tables are gone when this ends.
    """
    scopes.drop(_TABLES)
    with connection.cursor() as cursor:
        cursor.execute(_CREATE)
    earlier = sorted({*starts, *between} - {end})
    quick = [on for on in earlier if not every_account and on < business_date]
    for on in sorted({end, *earlier} - set(quick)):
        _fill(on, business_date=business_date, say=say)
    with connection.cursor() as cursor:
        cursor.execute('CREATE INDEX ON figures_open ("on", account_id)')
    for start in sorted(set(starts) - set(quick)):
        _collect(start, end)
    if quick:
        _go_back(quick, end=end, starts=starts, business_date=business_date, say=say)
    with connection.cursor() as cursor:
        for on in {end, *earlier}:
            cursor.execute(_BY_ACCOUNT, {"on": on})
        cursor.execute('CREATE INDEX ON figures_at ("on", account_id)')
        cursor.execute("ANALYZE figures_open, figures_at, figures_late")
    yield
    scopes.drop(_TABLES)


def _fill(on: date, *, business_date: date, say: Say) -> None:
    """What was open on a day, of every account."""
    with connection.cursor() as cursor:
        if on == business_date:
            cursor.execute(_FROM_COLUMNS, {"on": on})
            return
        cursor.execute("SELECT account_id FROM figures_account ORDER BY account_id")
        keys = [key for (key,) in cursor.fetchall()]
    for chunk in _told(keys, f"what was open on {on}", say):
        _write(on, standing.bills_of(chunk, on=on))


def _told(keys: Sequence[int], what: str, say: Say) -> Iterator[list[int]]:
    for start in range(0, len(keys), CHUNK):
        say(what, start, len(keys))
        yield list(keys[start : start + CHUNK])


def _write(on: date, bills: Iterable[OpenBill]) -> None:
    # Read to the end first: a connection that copies cannot read.
    rows = [
        (on, bill.account_id, bill.bill_id, bill.issued_on, bill.due_on, bill.open, bill.disputed) for bill in bills
    ]
    bulk.copy_in("figures_open", ("on", "account_id", "bill_id", "issued_on", "due_on", "open", "disputed"), rows)


def _collect(start: date, end: date) -> None:
    """What was collected by the end of a period of what was past due when it began, from the bills open then."""
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_LATE, {"on": start, "last": last, "most": CHUNK})
            bills: dict[int, set[int]] = {account_id: set(keys) for account_id, keys in cursor.fetchall()}
        if not bills:
            return
        books = books_of(list(bills), as_of=end)
        was_open = dict.fromkeys(bills, 0)
        with connection.cursor() as cursor:
            cursor.execute(_WAS_OPEN, {"on": start, "keys": list(bills)})
            was_open.update(dict(cursor.fetchall()))
        _write_late(
            [
                (start, pk, was_open[pk], {row.fact.ref for row in books[pk].bills if row.pk in keys}, books[pk])
                for pk, keys in bills.items()
            ]
        )
        last = max(bills)


_LATE = """
    SELECT account_id, array_agg(bill_id) FROM figures_open
     WHERE "on" = %(on)s AND due_on < %(on)s AND account_id > %(last)s
     GROUP BY account_id ORDER BY account_id LIMIT %(most)s
"""
_WAS_OPEN = """
    SELECT account_id, sum(open * 1000)::bigint FROM figures_open
     WHERE "on" = %(on)s AND due_on < %(on)s AND account_id = ANY(%(keys)s) GROUP BY account_id
"""


def _write_late(late: Sequence[tuple[date, int, int, Collection[str], AccountBooks]]) -> None:
    """Rows of ``figures_late``: the start, the account, what was past due on which bills, and its books at the end."""
    rows = []
    for start, account_id, amount, refs, account in late:
        collected = sum(
            entry.amount
            for entries in (account.books.applied, account.books.recoveries)
            for entry in entries
            if entry.on > start and entry.bill_ref in refs and entry.credit_ref.startswith(PAYMENT)
        )
        due = {row.fact.ref: row.fact.due_on for row in account.bills}
        still = any(due[ref] < account.as_of for ref in account.books.open)
        rows.append((start, account_id, from_mills(amount), from_mills(collected), still))
    bulk.copy_in("figures_late", ("on", "account_id", "amount", "collected", "late_still"), rows)


# Going back from the end ----------------------------------------------------------------------------------------------


class _Charge(NamedTuple):
    bill_ref: str
    on: date
    amount: int


#: Facts that count, or do not, by what came after them: such accounts are read again for each day.
_BY_HINDSIGHT = """
    SELECT DISTINCT account_id FROM accounts_adjustment
     WHERE account_id = ANY(%(keys)s) AND (kind IN ('dispute', 'settlement') OR kind = 'write_off' AND fee_ref <> '')
"""
_CHARGES = """
    SELECT account_id, bill_ref, "on", (amount * 1000)::bigint FROM accounts_adjustment
     WHERE account_id = ANY(%(keys)s) AND amount > 0 AND kind = 'billing' AND "on" <= %(end)s
"""


def _go_back(days: Sequence[date], *, end: date, starts: Collection[date], business_date: date, say: Say) -> None:
    """What was open on those days, and collected since the starts: the books of the end are gone through backwards."""
    to_read: dict[int, list[date]] = defaultdict(list)
    for number, on in enumerate(days):
        say("who may have been late", number, len(days))
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS figures_net")
            cursor.execute(_NET, {"on": on, "now": business_date})
            cursor.execute(_NOT_DUE, {"on": on})
            cursor.execute("SELECT account_id FROM figures_net WHERE to_read")
            for (account_id,) in cursor.fetchall():
                to_read[account_id].append(on)
    for chunk in _told(sorted(to_read), "accounts that may have been late", say):
        charges: dict[int, list[_Charge]] = defaultdict(list)
        with connection.cursor() as cursor:
            cursor.execute(_BY_HINDSIGHT, {"keys": chunk})
            again = {account_id for (account_id,) in cursor.fetchall()}
            cursor.execute(_CHARGES, {"keys": chunk, "end": end})
            for account_id, *charge in cursor.fetchall():
                charges[account_id].append(_Charge(*charge))
        books = books_of(chunk, as_of=end)
        for on in days:
            keys = [pk for pk in chunk if on in to_read[pk]]
            bills = [bill for pk in keys if pk not in again for bill in _open_then(books[pk], on, charges[pk])]
            if read_again := [pk for pk in keys if pk in again]:
                bills += standing.bills_of(read_again, on=on)
            _write(on, bills)
            if on in starts:
                _write_late(_late_of(bills, on, books))


def _open_then(account: AccountBooks, on: date, charges: Iterable[_Charge]) -> Iterator[OpenBill]:
    """What was open on an earlier day: the same money went the same way until then."""
    paid: dict[str, int] = defaultdict(int)
    for entry in account.books.applied:
        if entry.on <= on:
            paid[entry.bill_ref] += entry.amount
    for row in account.bills:
        ref, issued_on, due_on, amount, ends_on = row.fact
        if issued_on <= on and (ends_on is None or max(ends_on, issued_on) > on):
            charged = sum(
                charge.amount for charge in charges if charge.bill_ref == ref and max(charge.on, issued_on) <= on
            )
            if (left := amount + charged - paid[ref]) > 0:
                opened = from_mills(left)
                yield OpenBill(account.account_id, row.pk, issued_on, due_on, from_mills(amount), opened, from_mills(0))


def _late_of(
    bills: Iterable[OpenBill], on: date, books: dict[int, AccountBooks]
) -> list[tuple[date, int, int, set[str], AccountBooks]]:
    """The accounts among them that were late, with what and on which bills."""
    late: dict[int, dict[int, int]] = defaultdict(dict)
    for bill in bills:
        if bill.due_on < on:
            late[bill.account_id][bill.bill_id] = int(bill.open * 1000)
    return [
        (on, pk, sum(own.values()), {row.fact.ref for row in books[pk].bills if row.pk in own}, books[pk])
        for pk, own in late.items()
    ]


def bucket_columns() -> list[tuple[str, str]]:
    """The column of each bucket in ``figures_at``."""
    return [(bucket, f"b{position}") for position, bucket in enumerate(BUCKETS)]
