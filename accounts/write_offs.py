"""Write-offs and recoveries in the journal: the revenue to expense, its tax back, and both again when money comes.

A write-off of 120 with 20 of tax: 61000 100 and 21000 20 against 12000 120. A fee of the desk goes to expense by an
entry of its own, without tax. Of 60 recovered, 12000 60 against 61050 50 and 21000 10; the money itself is posted as
any payment is. A credit of billing that takes the place of a write-off makes it smaller: nothing was recovered. All by
difference: what goes back is mirrored, and the tax of the parts sums to the tax of the whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from accounts import journals, money
from accounts.models import JournalEntry
from accounts.position import PAYMENT, WRITE_OFF, AccountBooks

WRITTEN_OFF, WRITE_OFF_REVERSED = "WRITE_OFF", "WRITE_OFF_REVERSED"
RECOVERY, RECOVERY_REVERSED = "RECOVERY", "RECOVERY_REVERSED"


def post(accounts: Sequence[AccountBooks], *, as_of: date) -> dict[int, int]:
    """Post what the journal does not yet say of those accounts' write-offs and recoveries.

    The accounts are locked. Returns by how much the recoveries of each changed, in thousandths; in five statements.
    """
    if not accounts:
        return {}
    keys = [account.account_id for account in accounts]
    ledger = _Ledger()
    ledger.read_facts(keys, as_of)
    ledger.read_journal(keys)
    journal: list[_Journal] = []
    changed: dict[int, int] = defaultdict(int)
    for account in accounts:
        said, posted = _said(account, ledger), ledger.posted[account.account_id]
        for source in dict.fromkeys((*said, *posted)):
            now, before = said.get(source, _Said(as_of)), posted.get(source, _NOTHING)
            if now.sums != before:
                on = now.on if before == _NOTHING else as_of
                journal.append(_Journal(account.account_id, source, on, now.sums.less(before)))
                if source.back:
                    changed[account.account_id] += now.sums.gross - before.gross
    if journal:
        _write(journal, ledger)
    return {pk: amount for pk, amount in changed.items() if amount}


def tax_of(*, account_id: int, refs: Collection[str]) -> Decimal:
    """The tax that was taken back with those write-offs, as the journal has it."""
    ledger = _Ledger()
    ledger.read_journal([account_id])
    posted = ledger.posted[account_id]
    return money.from_mills(sum(posted.get(_Source(False, ref), _NOTHING).tax for ref in refs))


class _Sums(NamedTuple):
    """Receivables and the tax within, in thousandths."""

    gross: int
    tax: int

    def less(self, other: _Sums) -> _Sums:
        return _Sums(self.gross - other.gross, self.tax - other.tax)


_NOTHING = _Sums(0, 0)


class _Source(NamedTuple):
    """A write-off, or (``back``) a payment that recovered of one."""

    back: bool
    ref: str


@dataclass(slots=True)
class _Said:
    """What the books say, and on which day it was first so."""

    on: date
    sums: _Sums = _NOTHING


class _Row(NamedTuple):
    """A write-off as a fact, with the bill that it is of."""

    pk: int
    on: date
    bill_ref: str
    posted: int
    bill_amount: int
    bill_tax: int


@dataclass(slots=True)
class _Ledger:
    rows: dict[int, dict[str, _Row]] = field(default_factory=lambda: defaultdict(dict))
    currency: dict[int, str] = field(default_factory=dict)
    #: What the journal holds, by account and source.
    posted: dict[int, dict[_Source, _Sums]] = field(default_factory=lambda: defaultdict(dict))

    def read_facts(self, keys: list[int], as_of: date) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_ROWS, [keys, as_of])
            for account_id, ref, currency, *columns in cursor:
                self.rows[account_id][ref] = _Row(*columns)
                self.currency[account_id] = currency

    def read_journal(self, keys: list[int]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_HELD, [keys, [WRITTEN_OFF, WRITE_OFF_REVERSED, RECOVERY, RECOVERY_REVERSED]])
            for account_id, back, ref, gross, tax in cursor:
                # A recovery stands on the other side of both accounts.
                self.posted[account_id][_Source(back, ref)] = _Sums(-gross, -tax) if back else _Sums(gross, tax)


class _Journal(NamedTuple):
    """One journal to write."""

    account_id: int
    source: _Source
    on: date
    sums: _Sums


_ROWS = """
    SELECT a.account_id, a.ref, c.currency, a.id, a."on", a.bill_ref, (a.posted_amount * 1000)::bigint,
           coalesce((b.amount * 1000)::bigint, 0), coalesce((b.tax_amount * 1000)::bigint, 0)
      FROM accounts_adjustment a JOIN accounts_account c ON c.id = a.account_id
      LEFT JOIN accounts_bill b ON b.ref = a.bill_ref AND b.account_id = a.account_id
     WHERE a.account_id = ANY(%s) AND a.kind = 'write_off' AND a."on" <= %s
     ORDER BY a."on", a.ref
"""
_HELD = """
    SELECT account_id, event_type LIKE 'RECOVERY%%', source_ref,
           sum(amount * 1000 * CASE '12000' WHEN credit_code THEN 1 WHEN debit_code THEN -1 ELSE 0 END)::bigint,
           sum(amount * 1000 * CASE '21000' WHEN debit_code THEN 1 WHEN credit_code THEN -1 ELSE 0 END)::bigint
      FROM accounts_journalentry
     WHERE account_id = ANY(%s) AND event_type = ANY(%s)
     GROUP BY 1, 2, 3
"""


def _said(account: AccountBooks, ledger: _Ledger) -> dict[_Source, _Said]:
    """What the books say was written off, by write-off, and recovered, by payment."""
    unit = 10 ** (3 - money.exponent(ledger.currency[account.account_id]))
    rows = ledger.rows[account.account_id]
    paid = [entry for entry in account.books.recoveries if entry.credit_ref.startswith(PAYMENT)]
    gross = {ref: account.books.written_off.get(WRITE_OFF + ref, 0) for ref in rows}
    for entry in paid:
        gross[entry.write_off_ref.removeprefix(WRITE_OFF)] += entry.amount
    said: dict[_Source, _Said] = {}
    of_bill: dict[str, int] = defaultdict(int)
    for ref, row in rows.items():
        before = of_bill[row.bill_ref]
        of_bill[row.bill_ref] += gross[ref]
        tax = _part(of_bill[row.bill_ref], row.bill_tax, row.bill_amount, unit) - _part(
            before, row.bill_tax, row.bill_amount, unit
        )
        said[_Source(False, ref)] = _Said(row.on, _Sums(gross[ref], tax))
    of_write_off: dict[str, int] = defaultdict(int)
    for entry in paid:
        ref = entry.write_off_ref.removeprefix(WRITE_OFF)
        whole, before = said[_Source(False, ref)].sums, of_write_off[ref]
        of_write_off[ref] += entry.amount
        tax = _part(of_write_off[ref], whole.tax, whole.gross, unit) - _part(before, whole.tax, whole.gross, unit)
        recovered = said.setdefault(_Source(True, entry.credit_ref.removeprefix(PAYMENT)), _Said(entry.on))
        recovered.sums = _Sums(recovered.sums.gross + entry.amount, recovered.sums.tax + tax)
    return said


def _part(amount: int, tax: int, whole: int, unit: int) -> int:
    """The tax within ``amount`` of a whole with ``tax`` in it: rounded half up to the unit, at most all of it."""
    if whole <= 0 or tax <= 0:
        return 0
    return min((2 * amount * tax + whole * unit) // (2 * whole * unit) * unit, tax)


def _write(journal: Sequence[_Journal], ledger: _Ledger) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('accounts_journal_no') FROM generate_series(1, %s)", [len(journal)])
        numbers = [number for (number,) in cursor.fetchall()]
        given_up = [one for one in journal if not one.source.back]
        moved = [(ledger.rows[one.account_id][one.source.ref], one.sums.gross) for one in given_up]
        cursor.execute(
            "UPDATE accounts_adjustment a SET posted_amount = v.posted / 1000.0 "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS v(id, posted) WHERE a.id = v.id",
            [[row.pk for row, _ in moved], [row.posted - gross for row, gross in moved]],
        )
    numbered = zip(numbers, journal, strict=True)
    JournalEntry.objects.bulk_create(
        [entry for number, one in numbered for entry in _entries(f"J{number:010}", one, ledger)]
    )


def _entries(no: str, one: _Journal, ledger: _Ledger) -> Iterator[JournalEntry]:
    back = one.source.back
    kind, undone = (RECOVERY, RECOVERY_REVERSED) if back else (WRITTEN_OFF, WRITE_OFF_REVERSED)
    net_code = journals.BAD_DEBT_RECOVERIES if back else journals.BAD_DEBT_EXPENSE
    for code, amount in ((net_code, one.sums.gross - one.sums.tax), (journals.TAX_PAYABLE, one.sums.tax)):
        if amount:
            towards_receivables = (amount > 0) is back
            yield JournalEntry(
                journal_ref=no,
                account_id=one.account_id,
                on=one.on,
                event_type=kind if one.sums.gross >= 0 else undone,
                debit_code=journals.RECEIVABLES if towards_receivables else code,
                credit_code=code if towards_receivables else journals.RECEIVABLES,
                amount=money.from_mills(abs(amount)),
                currency=ledger.currency[one.account_id],
                source_ref=one.source.ref,
            )
