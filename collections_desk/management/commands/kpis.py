"""The figures of a day: receivables by age, and the KPIs of the days that end with it."""

from __future__ import annotations

import argparse
import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.business_day import business_date
from agents import kpis, snapshots


class Command(BaseCommand):
    help = "Prints the receivables and KPIs as of a day: from what is known today, or as they were recorded on it."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--as-of", type=date.fromisoformat, required=True, metavar="DATE")
        parser.add_argument("--days", type=int, default=30, help="length of the period (default %(default)s)")
        parser.add_argument("--currency", help="needed where the book has several")
        parser.add_argument("--as-recorded", action="store_true", help="as they were recorded at the close of that day")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(
        self, *args: object, as_of: date, days: int, currency: str | None, as_recorded: bool, json: bool, **_: object
    ) -> None:
        try:
            if as_recorded:
                figures = snapshots.as_it_was(as_of=as_of, days=days, currency=currency)
            else:
                today = business_date(at=timezone.now())
                figures = kpis.compute(as_of=as_of, days=days, currency=currency, business_date=today)
        except (kpis.CannotCompute, snapshots.NotKept) as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        self.stdout.write(as_json(figures) if json else as_text(figures))


def as_json(figures: dict[str, Any]) -> str:
    return json.dumps(figures, ensure_ascii=False, indent=2)


def as_text(figures: dict[str, Any]) -> str:
    """For people: amounts and values in columns, with what each value was made of."""
    owed, currency = figures["receivables"], figures["currency"] or ""
    lines = [
        f"As of {figures['as_of']}, {figures['days']} days, {currency or 'no accounts'}",
        "",
        f"{'open':<26}{owed['open']:>18} {currency}  {owed['open_bills']} bills",
        f"{'overdue':<26}{owed['overdue']:>18} {currency}  {owed['overdue_bills']} bills, "
        f"{owed['overdue_accounts']} accounts",
        *(f"  {bucket:<24}{amount:>18} {currency}" for bucket, amount in owed["buckets"].items()),
        "",
    ]
    for name, figure in figures["kpis"].items():
        if isinstance(figure["value"], dict):
            lines += [
                _line(f"{name} {member}", figure["value"][member], figure["formula"][member])
                for member in figure["value"]
            ]
        else:
            lines.append(_line(name, figure["value"], figure["formula"]))
    return "\n".join(lines)


def _line(name: str, value: str | None, formula: str) -> str:
    return f"{name:<26}{value if value is not None else 'n/a':>18}  {formula}"
