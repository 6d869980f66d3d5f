"""A made-up ledger as the operator's files, and what follows from them, worked out without the desk.

The same seed makes the same rows. ``Ledger`` reads the rows it wrote, as text, and replays every account's money day by
day in the plainest way; nothing of the desk is used, so the two can be compared.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

ZERO = Decimal(0)
FIRST_MONTH = date(2025, 1, 1)
MONTHS = 13
#: The last day of which anything is told.
LAST = date(2026, 2, 28)

Row = dict[str, str]

CONNECTED = {"voicemail", "third_party", "rpc_promise", "rpc_refused"}


@dataclass
class Files:
    """The rows by file; what was written off has no file: the desk does that."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def write(self, folder: Path) -> None:
        for name, rows in self.rows.items():
            if name == "write_offs":
                continue
            columns = list(dict.fromkeys(column for row in rows for column in row))
            with (folder / f"{name}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, columns, restval="")
                writer.writeheader()
                writer.writerows(rows)


def make(*, accounts: int, seed: int, currency: str = "EUR") -> Files:
    """So many accounts with a bill a month, and what people do with bills."""
    chance, files = random.Random(seed), Files()
    for number in range(1, accounts + 1):
        _Customer(files, chance, number, currency).live()
    return files


class _Customer:
    """One account: it pays in time, late, in part or never, names its bills or does not."""

    def __init__(self, files: Files, chance: random.Random, number: int, currency: str) -> None:
        self.files, self.chance, self.ref = files, chance, f"MA{number}"
        files.rows["customers"].append({"customer_id": f"MC{number}", "name": f"Customer {number}", "country": "GB"})
        files.rows["accounts"].append(
            {
                "account_id": self.ref,
                "customer_id": f"MC{number}",
                "currency": currency,
                "opened_on": "2024-06-01",
                "product": chance.choice(["mobile", "fibre", ""]),
            }
        )
        self.habit = chance.choices(["good", "late", "partly", "never"], [60, 25, 10, 5])[0]
        self.names = chance.random() < 0.7
        self.day = chance.randint(1, 25)
        self.paid: set[date] = set()

    def add(self, file: str, **row: object) -> None:
        self.files.rows[file].append({name: "" if value is None else str(value) for name, value in row.items()})

    def id_of(self, file: str) -> str:
        return f"M{file[0].upper()}{len(self.files.rows[file]) + 1}"

    def live(self) -> None:
        month = FIRST_MONTH
        for _ in range(MONTHS):
            self.bill(month.replace(day=self.day))
            month = (month + timedelta(days=32)).replace(day=1)
        if self.habit == "never" and self.chance.random() < 0.6:
            self.given_up(date(2025, 9, 1) + timedelta(days=self.chance.randint(0, 120)))
        self.calls_and_promises()

    def bill(self, issued: date) -> None:
        chance, ref = self.chance, self.id_of("bills")
        due = issued + timedelta(days=chance.randint(14, 20))
        amount = Decimal(chance.randint(1_500, 22_000)) / 100
        cancelled = issued + timedelta(days=chance.randint(1, 50)) if self.names and chance.random() < 0.01 else None
        self.add(
            "bills", bill_id=ref, account_id=self.ref, issued_on=issued, due_on=due, amount=amount,
            tax_amount=(amount / 6).quantize(Decimal("0.01")), cancelled_on=cancelled,
        )  # fmt: skip
        if cancelled:
            return
        left = amount
        if chance.random() < 0.03:
            credit = min(Decimal(chance.randint(100, 900)) / 100, amount)
            self.add(
                "adjustments", adjustment_id=self.id_of("adjustments"), account_id=self.ref,
                on=issued + timedelta(days=chance.randint(1, 40)), amount=-credit, bill_id=ref,
            )  # fmt: skip
            left -= credit
        if chance.random() < 0.01:
            self.add(
                "adjustments", adjustment_id=self.id_of("adjustments"), account_id=self.ref,
                on=issued + timedelta(days=chance.randint(1, 60)), amount=Decimal("4.50"), bill_id=ref,
            )  # fmt: skip
        if chance.random() < 0.03:
            opened = issued + timedelta(days=chance.randint(2, 30))
            resolved = opened + timedelta(days=chance.randint(5, 90)) if chance.random() < 0.6 else None
            self.add(
                "disputes", dispute_id=self.id_of("disputes"), account_id=self.ref,
                amount=max(Decimal("1.00"), (amount / 2).quantize(Decimal("0.01"))), opened_on=opened, bill_id=ref,
                resolved_on=resolved, outcome="rejected" if resolved else None,
            )  # fmt: skip
        self.pay(ref, left, issued, due)

    def pay(self, ref: str, left: Decimal, issued: date, due: date) -> None:
        chance = self.chance
        parts: list[tuple[date, Decimal]] = []
        if self.habit == "never":
            if chance.random() < 0.3:
                parts = [(due + timedelta(days=chance.randint(1, 30)), left)]
        elif self.habit == "partly":
            parts = [(due + timedelta(days=chance.randint(-5, 60)), (left / 2).quantize(Decimal("0.01")))]
        elif self.habit == "late":
            on = due + timedelta(days=chance.randint(1, 110))
            half = (left / 2).quantize(Decimal("0.01"))
            parts = [(on, half), (on + timedelta(days=chance.randint(1, 40)), left - half)]
        else:
            # Sometimes before the bill is there: money for it waits.
            parts = [(due - timedelta(days=chance.randint(0, 12) + (10 if chance.random() < 0.05 else 0)), left)]
        for on, amount in parts:
            if amount > 0 and on <= LAST:
                self.pays(on, amount + (Decimal(5) if chance.random() < 0.02 else ZERO), ref if self.names else "")

    def pays(self, on: date, amount: Decimal, bill: str) -> None:
        payment = self.id_of("payments")
        self.paid.add(on)
        self.add(
            "payments", payment_id=payment, account_id=self.ref, received_on=on, amount=amount, bill_id=bill,
            reverses_payment_id=None,
        )  # fmt: skip
        if self.chance.random() < 0.02:
            back = on + timedelta(days=self.chance.randint(1, 12))
            if back <= LAST:
                self.add(
                    "payments", payment_id=self.id_of("payments"), account_id=self.ref, received_on=back, amount=amount,
                    bill_id=None, reverses_payment_id=payment,
                )  # fmt: skip

    def given_up(self, on: date) -> None:
        """What is past due is written off, bill by bill; some of it is paid later."""
        for bill, amount in Ledger(self.files).of(self.ref).at(on - timedelta(days=1)).late_bills():
            self.add(
                "write_offs", ref=self.id_of("write_offs"), account_id=self.ref, on=on, amount=-amount, bill_id=bill
            )
            if self.chance.random() < 0.3:
                part = (amount / 3).quantize(Decimal("0.01"))
                if part > 0:
                    self.pays(on + timedelta(days=self.chance.randint(3, 60)), part, bill)

    def calls_and_promises(self) -> None:
        chance = self.chance
        if self.habit == "good":
            return
        for _ in range(chance.randint(0, 5)):
            on = date(2025, 10, 1) + timedelta(days=chance.randint(0, 150))
            outcome = chance.choice(["no_answer", "busy", "voicemail", "third_party", "rpc_promise", "rpc_refused"])
            self.add(
                "interactions", interaction_id=self.id_of("interactions"), account_id=self.ref,
                at=f"{on}T{chance.randint(7, 21):02}:{chance.randint(0, 59):02}:00Z", kind="call",
                direction=chance.choice(["outbound", "outbound", "outbound", "inbound"]), disposition=outcome,
                duration_seconds=chance.randint(5, 900),
            )  # fmt: skip
            if outcome == "rpc_promise" and on not in self.paid:
                due = on + timedelta(days=chance.randint(1, 14))
                self.add(
                    "promises", promise_id=f"MR{len(self.files.rows['promises']) + 1}", account_id=self.ref,
                    amount=Decimal(chance.randint(500, 9_000)) / 100, due_on=due, made_on=on,
                )  # fmt: skip


# What follows from the rows -------------------------------------------------------------------------------------------


def day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


@dataclass
class Paid:
    """So much of a credit went to a bill, or took the place of what was written off of it."""

    on: date
    credit: str
    kind: str
    bill: str
    amount: Decimal
    recovery: bool = False


class Ledger:
    """The rows, by account."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.by_account: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
        for name, rows in files.rows.items():
            for row in rows:
                if "account_id" in row:
                    self.by_account[row["account_id"]][name].append(row)

    def accounts(self) -> Iterator[Replay]:
        for row in self.files.rows["accounts"]:
            yield self.of(row["account_id"])

    def of(self, account: str) -> Replay:
        return Replay(account, self.by_account[account])


@dataclass
class Stand:
    """How an account stands at the end of a day."""

    on: date
    open: dict[str, Decimal]
    disputed: dict[str, Decimal]
    paid: list[Paid]
    written_off: dict[str, Decimal]
    bills: dict[str, Row]

    def late_bills(self) -> list[tuple[str, Decimal]]:
        return [(ref, amount) for ref, amount in self.open.items() if self.days_late(ref) > 0]

    def days_late(self, ref: str) -> int:
        return (self.on - date.fromisoformat(self.bills[ref]["due_on"])).days

    def late(self) -> Decimal:
        return sum((amount for _, amount in self.late_bills()), ZERO)

    def in_buckets(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = defaultdict(Decimal)
        for ref, amount in self.open.items():
            found[bucket(self.days_late(ref))] += amount
        return found


def bucket(late: int) -> str:
    for name, last in (("current", 0), ("1-30", 30), ("31-60", 60), ("61-90", 90), ("91-120", 120)):
        if late <= last:
            return name
    return "120+"


class Replay:
    """One account's money, replayed from its first day."""

    def __init__(self, ref: str, rows: dict[str, list[Row]]) -> None:
        self.ref, self.rows = ref, rows
        self.bills = {row["bill_id"]: row for row in rows["bills"]}

    def at(self, end: date) -> Stand:
        self.open: dict[str, Decimal] = {}
        self.waiting: dict[str, tuple[Decimal, str, str]] = {}
        self.gone: dict[str, tuple[str, Decimal]] = {}
        self.paid: list[Paid] = []
        for on, events in sorted(self._events(end).items()):
            self.today = on
            for _, _, act, row in sorted(events, key=lambda event: event[:2]):
                getattr(self, act)(row)
            self._spend_what_waits()
        disputed = self._contested(end)
        return Stand(
            end,
            {ref: amount for ref, amount in self.open.items() if amount},
            disputed,
            self.paid,
            {ref: amount for ref, (_, amount) in self.gone.items()},
            self.bills,
        )

    def _events(self, end: date) -> dict[date, list[tuple[int, str, str, Row]]]:
        found: dict[date, list[tuple[int, str, str, Row]]] = defaultdict(list)

        def add(on: str, order: int, ref: str, act: str, row: Row) -> None:
            if on and date.fromisoformat(on) <= end:
                found[date.fromisoformat(on)].append((order, ref, act, row))

        for row in self.rows["bills"]:
            add(row["issued_on"], 0, row["bill_id"], "issue", row)
            add(row["cancelled_on"], 1, row["bill_id"], "cancel", row)
        for row in self.rows["write_offs"]:
            add(row["on"], 2, row["ref"], "give_up", row)
        for row in self.rows["payments"]:
            back = bool(row["reverses_payment_id"])
            add(row["received_on"], 4 if back else 3, "1" + row["payment_id"], "go_back" if back else "come", row)
        for row in self.rows["adjustments"]:
            less = Decimal(row["amount"]) < 0
            add(row["on"], 3 if less else 5, "2" + row["adjustment_id"], "credit" if less else "charge", row)
        return found

    # What happens

    def issue(self, row: Row) -> None:
        self.open[row["bill_id"]] = Decimal(row["amount"])

    def cancel(self, row: Row) -> None:
        ref = row["bill_id"]
        self.open[ref] = ZERO
        freed: dict[str, Decimal] = defaultdict(Decimal)
        kinds = {}
        for entry in list(self.paid):
            if entry.bill == ref and not entry.recovery:
                freed[entry.credit] += entry.amount
                kinds[entry.credit] = entry.kind
        for credit, amount in freed.items():
            if amount:
                self.paid.append(Paid(self.today, credit, kinds[credit], ref, -amount))
                self._wait(credit, amount, kinds[credit], ref)
        self.gone = {key: (bill, ZERO if bill == ref else left) for key, (bill, left) in self.gone.items()}

    def give_up(self, row: Row) -> None:
        self._spend_what_waits()
        ref, amount = row["bill_id"], min(-Decimal(row["amount"]), self.open[row["bill_id"]])
        assert amount == -Decimal(row["amount"]), "the ledger writes off what is open"
        self.open[ref] -= amount
        self.gone[row["ref"]] = (ref, amount)

    def come(self, row: Row) -> None:
        self._spend_what_waits()
        self._spend(row["payment_id"], Decimal(row["amount"]), "payment", row["bill_id"])

    def credit(self, row: Row) -> None:
        self._spend_what_waits()
        self._spend(row["adjustment_id"], -Decimal(row["amount"]), "credit", row["bill_id"])

    def charge(self, row: Row) -> None:
        self._spend_what_waits()
        self.open[row["bill_id"]] += Decimal(row["amount"])

    def go_back(self, row: Row) -> None:
        """All of it, the whole payment: from what waits, from recoveries, from the bills it went to last."""
        self._spend_what_waits()
        payment = row["reverses_payment_id"]
        self.waiting.pop(payment, None)
        went: dict[tuple[str, bool], Decimal] = {}
        for entry in self.paid:
            if entry.credit == payment:
                key = (entry.bill, entry.recovery)
                went[key] = went.get(key, ZERO) + entry.amount
        for (bill, recovery), amount in went.items():
            if amount:
                self.paid.append(Paid(self.today, payment, "payment", bill, -amount, recovery))
                if recovery:
                    for ref, (of_bill, left) in self.gone.items():
                        if of_bill == bill:
                            self.gone[ref] = (bill, left + amount)
                else:
                    self.open[bill] += amount

    # Where money goes

    def _wait(self, credit: str, amount: Decimal, kind: str, names: str) -> None:
        before = self.waiting.get(credit, (ZERO, kind, names))[0]
        self.waiting[credit] = (before + amount, kind, names)

    def _spend_what_waits(self) -> None:
        for credit in list(self.waiting):
            amount, kind, names = self.waiting.pop(credit)
            self._spend(credit, amount, kind, names)

    def _spend(self, credit: str, amount: Decimal, kind: str, names: str) -> None:
        if names and names not in self.open:
            self._wait(credit, amount, kind, names)
            return
        contested = self._contested(self.today)
        oldest_first = sorted(self.open, key=lambda ref: (self.bills[ref]["due_on"], ref))
        turns = [
            *((ref, "open") for ref in ([names] if names else [])),
            *((ref, "gone") for ref in ([names] if names else [])),
            *((ref, "undisputed") for ref in oldest_first),
            *((ref, "open") for ref in oldest_first),
            *((ref, "gone") for ref in oldest_first),
        ]
        for ref, what in turns:
            if what == "gone":
                for write_off, (bill, left) in list(self.gone.items()):
                    part = min(amount, left) if bill == ref else ZERO
                    if part:
                        self.gone[write_off] = (bill, left - part)
                        self.paid.append(Paid(self.today, credit, kind, bill, part, recovery=True))
                        amount -= part
                continue
            most = self.open[ref] - (contested.get(ref, ZERO) if what == "undisputed" else ZERO)
            part = min(amount, max(most, ZERO))
            if part:
                self.open[ref] -= part
                self.paid.append(Paid(self.today, credit, kind, ref, part))
                amount -= part
        if amount:
            self._wait(credit, amount, kind, names)

    def _contested(self, on: date) -> dict[str, Decimal]:
        found: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.rows["disputes"]:
            resolved = day(row["resolved_on"])
            if date.fromisoformat(row["opened_on"]) <= on and (resolved is None or on < resolved):
                found[row["bill_id"]] += Decimal(row["amount"])
        return {ref: min(amount, self.open[ref]) for ref, amount in found.items() if self.open.get(ref)}
