"""A book of monthly bills and the ways in which people pay them, as an operator's files; the same for the same seed."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

POLICY = """
code: residential
name: Residential, standard
priority: 100
applies_to: {kind: [residential]}
enters: {min_amount: "10.00", min_days: 1}
exits: {max_amount: "0.00"}
min_gap_days: 1
calendar: {country: US, roll: next_working_day}
steps:
  - {code: upcoming, day: -5, action: notify, channels: [sms, email], template: upcoming}
  - {code: reminder, day: 4, action: notify, channels: [email, sms], template: reminder}
  - {code: warning, day: 11, action: notify, channels: [sms, email], template: suspension-warning, pay_by_days: 8}
  - {code: final, day: 18, action: notify, channels: [email, letter], template: final-notice, pay_by_days: 6}
  - {code: bar, day: 24, action: limit, rung: outgoing_barred, warned_by: final, notice_days: 5}
  - {code: suspend, day: 31, action: limit, rung: suspended, warned_by: final, notice_days: 5}
  - {code: desk, day: 32, action: transfer_to_collections}
  - {code: placement, day: 75, action: notify, channels: [email, letter], template: placement-notice, pay_by_days: 14}
  - {code: agency, day: 90, action: place_with_agency, agency: northside, warned_by: placement, notice_days: 14}
  - {code: write-off, day: 180, action: write_off, approval: required}
"""

#: How people pay: chance of paying a bill at all, and the days after its due date between which they do.
HABITS = [(1.0, -9, 0), (0.97, 1, 30), (0.85, -3, 70), (0.6, 5, 120), (0.2, 20, 200)]


def write(folder: Path, *, accounts: int, first: date, months: int, seed: int) -> None:
    """Write customers, accounts, services, bills, payments, disputes and promises into ``folder``."""
    chance = random.Random(seed)
    customers: list[Sequence[object]] = []
    book: list[Sequence[object]] = []
    services: list[Sequence[object]] = []
    bills: list[Sequence[object]] = []
    payments: list[Sequence[object]] = []
    disputes: list[Sequence[object]] = []
    promises: list[Sequence[object]] = []
    for number in range(accounts):
        account = f"A{number:04}"
        email = f"c{number}@customers.example" if chance.random() < 0.9 else ""
        phone = f"+1202555{number:04}" if chance.random() < 0.9 else ""
        customers.append(
            (f"C{number:04}", f"Customer {number}", "US", "America/New_York", email, phone, f"{number} Main Street")
        )
        book.append((account, f"C{number:04}", "USD", first - timedelta(days=400)))
        for line in range(chance.choice((1, 1, 2))):
            services.append(
                (f"S{number:04}-{line}", account, "mobile", f"555{number:04}{line}", chance.random() < 0.05)
            )
        paying, early, late = chance.choice(HABITS)
        for month in range(months):
            issued = first + timedelta(days=30 * month + number % 28)
            due, cents = issued + timedelta(days=14), chance.randint(900, 9900)
            bill = f"B{number:04}-{month}"
            bills.append((bill, account, issued, due, f"{cents / 100:.2f}"))
            if chance.random() < paying:
                parts = chance.choice(((1.0,), (1.0,), (0.4, 0.6), (1.1,)))
                paid = sorted(due + timedelta(days=chance.randint(early, late)) for _ in parts)
                for place, (part, on) in enumerate(zip(parts, paid, strict=True)):
                    ref, amount = f"P{number:04}-{month}-{place}", f"{cents * part / 100:.2f}"
                    payments.append((ref, account, max(on, issued), amount, ""))
                    if chance.random() < 0.03:
                        payments.append((f"R{ref}", account, max(on, issued) + timedelta(days=9), amount, ref))
            if chance.random() < 0.03:
                opened = due + timedelta(days=chance.randint(1, 25))
                ended = opened + timedelta(days=chance.randint(3, 40))
                outcome = chance.choice(("upheld", "rejected", "withdrawn"))
                disputes.append((f"D{bill}", account, f"{cents / 200:.2f}", opened, bill, ended, outcome))
            if chance.random() < 0.05:
                made = due + timedelta(days=chance.randint(2, 40))
                promises.append((f"M{bill}", account, f"{cents / 100:.2f}", made + timedelta(days=7), made))
    _write(folder, "customers", ("customer_id", "name", "country", "timezone", "email", "phone", "address"), customers)
    _write(folder, "accounts", ("account_id", "customer_id", "currency", "opened_on"), book)
    _write(folder, "services", ("service_id", "account_id", "kind", "number", "protected"), services)
    _write(folder, "bills", ("bill_id", "account_id", "issued_on", "due_on", "amount"), bills)
    _write(folder, "payments", ("payment_id", "account_id", "received_on", "amount", "reverses_payment_id"), payments)
    columns = ("dispute_id", "account_id", "amount", "opened_on", "bill_id", "resolved_on", "outcome")
    _write(folder, "disputes", columns, disputes)
    _write(folder, "promises", ("promise_id", "account_id", "amount", "due_on", "made_on"), promises)


def _write(folder: Path, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([str(value).lower() if isinstance(value, bool) else value for value in row] for row in rows)
