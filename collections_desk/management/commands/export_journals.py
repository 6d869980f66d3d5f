"""The journal of a period, for the general ledger."""

from __future__ import annotations

import argparse
import csv
from datetime import date

from django.core.management.base import BaseCommand, CommandError

from accounts import journals


class Command(BaseCommand):
    help = "Prints the journals of a period as CSV (RFC 4180); control totals go to standard error."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, metavar="DATE")
        parser.add_argument("--to", dest="last", type=date.fromisoformat, required=True, metavar="DATE")

    def handle(self, *args: object, first: date, last: date, **options: object) -> None:
        if last < first:
            raise CommandError(f"The period ends on {last}, before it begins on {first}.", returncode=2)
        out = csv.writer(self.stdout, lineterminator="\r\n")
        out.writerow(journals.COLUMNS)
        totals = journals.ControlTotals()
        for line in journals.lines(first=first, last=last):
            out.writerow(line.cells())
            totals.add(line)
        for sentence in totals.sentences():
            self.stderr.write(sentence, self.style.NOTICE)
