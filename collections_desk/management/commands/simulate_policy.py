"""A policy file tried on the book as it stands, without writing."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.refusals import Refused
from collections_desk import clock, dry_runs
from collections_desk.management.policy_files import document_in

MOST_DAYS = 366


class Command(BaseCommand):
    help = "What a policy would do to today's book, for a day or for days ahead; nothing is written."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.yaml")
        parser.add_argument("--as-of", required=True, type=date.fromisoformat, metavar="DATE")
        parser.add_argument("--days", type=int, default=1, metavar="N", help="so many days from that one (default 1)")
        parser.add_argument("--move-cases", action="store_true", help="as if open cases moved to it, where they can")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, file: Path, as_of: date, days: int, **options: Any) -> None:
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--days is a number from 1 to {MOST_DAYS}.", returncode=2)
        document = document_in(file)
        with tqdm(unit=" accounts", disable=None if not options["json"] else True, file=self.stderr) as bar:

            def progress(done: int, of: int) -> None:
                bar.total = of
                bar.update(done - bar.n)

            try:
                found = dry_runs.simulate(
                    document,
                    as_of=as_of,
                    days=days,
                    at=clock.business_now(),
                    moves_cases=options["move_cases"],
                    progress=progress,
                )
            except Refused as refusal:
                raise CommandError(str(refusal), returncode=2) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(found.as_json()))
            return
        for line in _lines(found):
            self.stdout.write(line)


def _lines(found: dry_runs.Simulated) -> list[str]:
    answer, full = found.as_json(), found.in_full()
    lines = []
    for day in answer["days"]:
        steps = ", ".join(f"{code} {count}" for code, count in day["steps"].items()) or "none"
        sent = ", ".join(f"{channel} {count}" for channel, count in day["messages"].items()) or "none"
        lines.append(f"{day['date']}: steps: {steps}; messages: {sent}; services limited: {len(day['limits'])}")
        lines += [
            f"  {limit['account_id']} {limit['service_id']} to {limit['rung']}, {limit['amount']}"
            for limit in day["limits"]
        ]
    for code, change in answer["difference"].items():
        lines.append(f"{code}: {abs(change)} {'more' if change > 0 else 'fewer'} than with what is published")
    costs = sum(float(line["total"]) for line in full["costs"].values())
    reach = full["reach"]
    lines.append(
        f"{full['accounts']['reviewed']} accounts looked at; messages cost {costs:.2f} {full['cost_currency']}; "
        f"at most {reach['accounts']} of {reach['of']} open accounts limited on one day ({reach['percent']} %)"
    )
    return lines
