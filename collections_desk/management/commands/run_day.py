"""The whole day, in this process; sends nothing."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from collections_desk import clock, journey


class Command(BaseCommand):
    help = "Run the day of a date: amounts, reactions, decisions, the queue, the seal. Safe to repeat; sends nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--as-of", required=True, type=date.fromisoformat, metavar="DATE")
        parser.add_argument("--dry-run", action="store_true", help="do everything, report, and take it back")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        at = clock.business_now()
        try:
            if options["dry_run"]:
                with transaction.atomic():
                    report = journey.run_day(as_of=options["as_of"], at=at, keeps_figures=False)
                    transaction.set_rollback(True)
            else:
                report = journey.run_day(as_of=options["as_of"], at=at)
        except journey.CannotRunDay as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
            return
        steps = ", ".join(f"{code} {count}" for code, count in sorted(report.steps.items())) or "none"
        self.stdout.write(
            f"{report.date}: {report.reviewed} accounts reviewed, {report.cases_opened} cases opened, "
            f"{report.cases_closed} closed; steps: {steps}; {report.notices} notices, {report.orders} orders; "
            f"{report.seconds:.1f} s"
        )
