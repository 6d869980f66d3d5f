"""Import the book's files of a folder, or try rejected rows again."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import settling
from accounts.business_day import business_date
from accounts.importing.landing import ACTOR, CannotImport, FileCount, Report, import_folder, retry_rejected
from collections_desk import journey
from collections_desk.book import BOOK
from collections_desk.clock import business_now

#: Rejected rows shown to a person; --json and the desk have all of them.
SHOWN = 20


class Command(BaseCommand):
    help = "Import the CSV files of a folder into the book. Exits 1 when rows were rejected, 2 when nothing was done."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="DIR", nargs="?", type=Path, help="with customers.csv, bills.csv …")
        parser.add_argument("--dry-run", action="store_true", help="do everything, report, and take it back")
        parser.add_argument("--retry", action="store_true", help="the rejected rows again, as they are kept now")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        at = business_now()
        on = business_date(at=at)
        dry_run, as_json = options["dry_run"], options["json"]
        folder: Path | None = options["folder"]
        progress = self._progress if sys.stderr.isatty() and not as_json else None
        if folder is None and not options["retry"]:
            raise CommandError("Name the folder to import, or --retry.", returncode=2)
        try:
            if folder is None or options["retry"]:
                report = retry_rejected(BOOK, on=on, at=at, dry_run=dry_run, progress=progress)
            else:
                report = import_folder(folder, BOOK, on=on, at=at, dry_run=dry_run, progress=progress)
        except CannotImport as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        if not dry_run:
            with journey.gathering():
                settling.settle(as_of=on, at=at, actor=ACTOR)
                journey.react_to_all(as_of=on, at=at)
        if as_json:
            self._write_json(report)
        else:
            self._write_text(report, dry_run=dry_run)
        if len(report.rejected):
            sys.exit(1)

    def _progress(self, count: FileCount) -> None:
        self.stderr.write(self._line(count))

    def _line(self, count: FileCount) -> str:
        return (
            f"{count.file}: {count.rows:,} rows, {count.written:,} written, {count.unchanged:,} unchanged, "
            f"{count.rejected:,} rejected"
        )

    def _write_text(self, report: Report, *, dry_run: bool) -> None:
        for count in report.files:
            self.stdout.write(self._line(count))
        for rejection in islice(report.rejected, SHOWN):
            where = f"{rejection.file} line {rejection.line}"
            self.stdout.write(f"  {where}: {rejection.column} {rejection.value[:40]!r}: {rejection.reason}")
        if len(report.rejected) > SHOWN:
            self.stdout.write(f"  … and {len(report.rejected) - SHOWN:,} more")
        if dry_run:
            self.stdout.write("Nothing was kept: this was a dry run.")

    def _write_json(self, report: Report) -> None:
        """Piece by piece: a million rejections need not fit in memory."""
        files = json.dumps([asdict(count) for count in report.files])
        self.stdout.write(f'{{"files": {files}, "rejected": [', ending="")
        for index, rejection in enumerate(report.rejected):
            self.stdout.write((", " if index else "") + json.dumps(asdict(rejection)), ending="")
        self.stdout.write("]}")
