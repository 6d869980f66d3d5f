"""Which money paid which bill: a function of the facts dated by a day, not of their order of arrival. Pure.

The day's facts enter in one order (bills, cancellations, payments, credits, reversals, charges; each by id), so a book
read twice, or delivered in another order, gives the same answer. Money goes to the bill it is directed to, else to the
oldest due bill first, contested amounts last; what then finds only what was written off takes its place (a recovery),
oldest due first; what finds nothing waits and is applied as soon as a bill is issued or re-opened. A write-off comes
before the money of its day, which it was judged with, and is never the customer's to spend.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter

from accounts.facts import Applied, BillFact, Books, ChargeFact, CreditFact, DisputeFact, Recovery, ReversalFact

_ISSUE, _CANCEL, _WRITE_OFF, _CREDIT, _REVERSE, _CHARGE = range(6)


def allocate(
    *,
    as_of: date,
    bills: Iterable[BillFact],
    credits: Iterable[CreditFact],
    reversals: Sequence[ReversalFact] = (),
    charges: Sequence[ChargeFact] = (),
    disputes: Sequence[DisputeFact] = (),
) -> Books:
    """Where the bills and credits of one account stand at the close of ``as_of``.

    Facts dated later are left out. Conserves money, a cancelled bill counting nothing, nor what was charged on it:
    bills + charges - credits + reversals = open - unapplied, of write-offs what still stands.
    """
    ledger = _Ledger(disputes)
    agenda: list[tuple[date, int, str, BillFact | CreditFact | ReversalFact | ChargeFact]] = []
    issued_on: dict[str, date] = {}
    for bill in bills:
        if bill.issued_on <= as_of:
            issued_on[bill.ref] = bill.issued_on
            agenda.append((bill.issued_on, _ISSUE, bill.ref, bill))
            # Cancelled from its issue, it still has to be known: money directed to it is free for the others.
            if bill.ends_on and bill.ends_on <= as_of:
                agenda.append((max(bill.ends_on, bill.issued_on), _CANCEL, bill.ref, bill))
    paid_on: dict[str, date] = {}
    for credit in credits:
        if credit.on <= as_of:
            paid_on[credit.ref] = credit.on
            agenda.append((credit.on, _WRITE_OFF if credit.write_off else _CREDIT, credit.ref, credit))
    for reversal in reversals:
        # Nothing goes back before it came: a reversal dated earlier than its payment counts from the payment's day.
        if reversal.on <= as_of and reversal.reverses in paid_on:
            agenda.append((max(reversal.on, paid_on[reversal.reverses]), _REVERSE, reversal.ref, reversal))
    for charge in charges:
        if charge.on <= as_of and charge.bill_ref in issued_on:
            agenda.append((max(charge.on, issued_on[charge.bill_ref]), _CHARGE, charge.ref, charge))

    agenda.sort(key=itemgetter(0, 1, 2))
    for day, entries in groupby(agenda, key=itemgetter(0)):
        ledger.take_day(day, entries)
    return ledger.close(as_of)


class _Ledger:
    """The running state of one account while its facts are read in order."""

    def __init__(self, disputes: Sequence[DisputeFact]) -> None:
        self.disputes = disputes
        self.open: dict[str, int] = {}
        self.due: dict[str, date] = {}
        #: (due date, ref) of bills with something open, oldest first.
        self.live: list[tuple[date, str]] = []
        self.left: dict[str, int] = {}
        self.directed: dict[str, str] = {}
        self.cancelled: set[str] = set()
        self.applied: list[Applied] = []
        #: Of each write-off: its bill, what stands, and what found nothing open (a payment dated earlier came late).
        self.given_up: dict[str, str] = {}
        self.standing: dict[str, int] = {}
        self.spare: dict[str, int] = {}
        self.recoveries: list[Recovery] = []
        self.day = date.min

    def take_day(self, day: date, entries: Iterable[tuple[date, int, str, object]]) -> None:
        self.day = day
        reopened = False
        for _day, _kind, ref, fact in entries:
            if isinstance(fact, BillFact):
                if _kind == _CANCEL:
                    self._cancel(ref)
                else:
                    self.due[ref] = fact.due_on
                    self.open[ref] = 0
                    self._reopen(ref, fact.amount)
                reopened = True
                continue
            if reopened:
                self._apply_waiting()
                reopened = False
            if isinstance(fact, CreditFact) and fact.write_off:
                self._write_off(fact)
                reopened = True
            elif isinstance(fact, CreditFact):
                self.left[ref] = fact.amount
                self.directed[ref] = fact.bill_ref
                self._spend(ref)
            elif isinstance(fact, ReversalFact):
                self._reverse(fact)
                reopened = True
            elif isinstance(fact, ChargeFact) and fact.bill_ref not in self.cancelled:
                self._reopen(fact.bill_ref, fact.amount)
                reopened = True
        if reopened:
            self._apply_waiting()

    def _reopen(self, ref: str, amount: int) -> None:
        if amount <= 0:
            return
        if self.open[ref] == 0:
            insort(self.live, (self.due[ref], ref))
        self.open[ref] += amount
        if self.spare:
            self._cover(ref)

    def _write_off(self, fact: CreditFact) -> None:
        self.given_up[fact.ref] = fact.bill_ref
        if fact.bill_ref:
            self.standing[fact.ref], self.spare[fact.ref] = 0, fact.amount
            self._cover(fact.bill_ref)
        else:
            self.standing[fact.ref] = fact.amount

    def _cover(self, bill_ref: str) -> None:
        """Lay what its write-offs can still take over what is open on a bill."""
        for ref, spare in list(self.spare.items()):
            if self.given_up[ref] == bill_ref:
                taken = self._pay(ref, bill_ref, min(spare, self.open.get(bill_ref, 0)))
                self.standing[ref] += taken
                self.spare[ref] -= taken
                if not self.spare[ref]:
                    del self.spare[ref]

    def _apply_waiting(self) -> None:
        if self.left and (self.live or self.standing):
            for ref in list(self.left):
                self._spend(ref)

    def _spend(self, ref: str) -> None:
        """Apply what is left of a credit: to its bill, to the oldest due (contested amounts last), to write-offs."""
        left = self.left.pop(ref)
        bill_ref = self.directed[ref]
        if bill_ref:
            if bill_ref not in self.open:
                self.left[ref] = left
                return
            left -= self._pay(ref, bill_ref, min(left, self.open[bill_ref]))
            left -= self._recover(ref, left, [one for one, bill in self.given_up.items() if bill == bill_ref])
        if left and self.live:
            if self.disputes:
                contested = self._contested(self.day)
                for _due, candidate in list(self.live):
                    undisputed = self.open[candidate] - contested.get(candidate, 0)
                    left -= self._pay(ref, candidate, min(left, undisputed))
                    if not left:
                        return
            for _due, candidate in list(self.live):
                left -= self._pay(ref, candidate, min(left, self.open[candidate]))
                if not left:
                    return
        if left and self.given_up:
            left -= self._recover(ref, left, self._oldest_given_up())
        if left:
            self.left[ref] = left

    def _oldest_given_up(self) -> list[str]:
        """Write-offs by the due date of their bill; those of fees last."""
        return sorted(self.given_up, key=lambda ref: self.due.get(self.given_up[ref], date.max))

    def _recover(self, credit_ref: str, amount: int, write_offs: Iterable[str]) -> int:
        """Put a credit in the place of those write-offs, as far as it goes; how far that was."""
        left = amount
        for ref in write_offs:
            if part := min(left, self.standing[ref]):
                self._move_recovery(credit_ref, ref, part)
                left -= part
        return amount - left

    def _move_recovery(self, credit_ref: str, write_off_ref: str, amount: int) -> None:
        self.standing[write_off_ref] -= amount
        bill_ref = self.given_up[write_off_ref]
        self.recoveries.append(Recovery(credit_ref, write_off_ref, bill_ref, self.day, amount))

    def _recovered(self, *, credit_ref: str = "", bill_ref: str = "") -> dict[tuple[str, str], int]:
        """(credit, write-off) → what the one recovered of the other; of one credit, or on one bill."""
        found: dict[tuple[str, str], int] = {}
        for entry in self.recoveries:
            if entry.credit_ref == credit_ref or (bill_ref and entry.bill_ref == bill_ref):
                key = (entry.credit_ref, entry.write_off_ref)
                found[key] = found.get(key, 0) + entry.amount
        return found

    def _pay(self, credit_ref: str, bill_ref: str, amount: int) -> int:
        if amount <= 0:
            return 0
        self.open[bill_ref] -= amount
        if self.open[bill_ref] == 0:
            self.live.remove((self.due[bill_ref], bill_ref))
        self.applied.append(Applied(credit_ref, bill_ref, self.day, amount))
        return amount

    def _reverse(self, reversal: ReversalFact) -> None:
        """Take back what waits first, then what was applied last."""
        back = reversal.amount
        waiting = min(back, self.left.get(reversal.reverses, 0))
        if waiting:
            self._keep(reversal.reverses, self.left[reversal.reverses] - waiting)
            back -= waiting
        recovered = self._recovered(credit_ref=reversal.reverses) if self.recoveries else {}
        for (credit_ref, write_off_ref), amount in reversed(list(recovered.items())):
            if part := min(back, amount):
                self._move_recovery(credit_ref, write_off_ref, -part)
                back -= part
        spent: dict[str, int] = {}
        for entry in self.applied:
            if entry.credit_ref == reversal.reverses:
                spent[entry.bill_ref] = spent.get(entry.bill_ref, 0) + entry.amount
        for bill_ref in reversed(list(spent)):
            amount = min(back, spent[bill_ref])
            if amount:
                self.applied.append(Applied(reversal.reverses, bill_ref, self.day, -amount))
                self._reopen(bill_ref, amount)
                back -= amount

    def _cancel(self, bill_ref: str) -> None:
        """A cancelled bill owes nothing, whatever was charged on it; what had paid it waits for another."""
        self.cancelled.add(bill_ref)
        if self.open[bill_ref]:
            self.live.remove((self.due[bill_ref], bill_ref))
            self.open[bill_ref] = 0
        freed: dict[str, int] = {}
        for entry in self.applied:
            if entry.bill_ref == bill_ref:
                freed[entry.credit_ref] = freed.get(entry.credit_ref, 0) + entry.amount
        for credit_ref, amount in freed.items():
            if amount:
                self.applied.append(Applied(credit_ref, bill_ref, self.day, -amount))
                if credit_ref not in self.given_up:
                    self._keep(credit_ref, self.left.get(credit_ref, 0) + amount)
        for (credit_ref, write_off_ref), amount in self._recovered(bill_ref=bill_ref).items():
            if amount:
                self._move_recovery(credit_ref, write_off_ref, -amount)
                self._keep(credit_ref, self.left.get(credit_ref, 0) + amount)
        for ref in [ref for ref, bill in self.given_up.items() if bill == bill_ref]:
            self.standing[ref] = 0
            self.spare.pop(ref, None)

    def _keep(self, credit_ref: str, amount: int) -> None:
        if amount:
            self.left[credit_ref] = amount
        else:
            self.left.pop(credit_ref, None)

    def _contested(self, day: date) -> dict[str, int]:
        """Contested part of each open bill on ``day``; a dispute of the account falls on its oldest due bills."""
        contested: dict[str, int] = {}
        loose = 0
        for dispute in self.disputes:
            if dispute.starts_on <= day and (dispute.ends_on is None or day < dispute.ends_on):
                if dispute.bill_ref:
                    contested[dispute.bill_ref] = contested.get(dispute.bill_ref, 0) + dispute.amount
                else:
                    loose += dispute.amount
        contested = {ref: min(amount, self.open[ref]) for ref, amount in contested.items() if self.open.get(ref)}
        for _due, ref in self.live:
            if not loose:
                break
            part = min(loose, self.open[ref] - contested.get(ref, 0))
            if part:
                contested[ref] = contested.get(ref, 0) + part
                loose -= part
        return contested

    def close(self, as_of: date) -> Books:
        return Books(
            open={ref: amount for ref, amount in self.open.items() if amount},
            disputed=self._contested(as_of) if self.disputes else {},
            unapplied=self.left,
            applied=self.applied,
            written_off=self.standing,
            recoveries=self.recoveries,
        )
