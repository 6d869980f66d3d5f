"""A time machine for a policy: the book's files replayed day by day in a scratch database."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.refusals import Refused
from collections_desk import replay


class Command(BaseCommand):
    help = "Replay a folder's facts day by day, each on its own date, and report every step. Touches no data of ours."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path)
        parser.add_argument("--from", dest="first", required=True, type=date.fromisoformat, metavar="DATE")
        parser.add_argument("--to", dest="last", required=True, type=date.fromisoformat, metavar="DATE")
        parser.add_argument("--policy", type=Path, metavar="FILE.yaml", help="the only policy; else those in force")
        parser.add_argument("--pack", nargs="+", action="extend", default=[], metavar="ID", help="contact rules apply")
        parser.add_argument(
            "--skip", nargs="+", action="extend", default=[], type=date.fromisoformat, metavar="DATE", help="no run"
        )
        parser.add_argument("--trace", nargs="+", action="extend", default=[], metavar="ACCOUNT")
        parser.add_argument("--keep", action="store_true", help="keep the scratch database and name it")
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        quiet = options["json"] or not sys.stderr.isatty()
        try:
            if options["policy"]:
                policies = [options["policy"].read_text(encoding="utf-8")]
            else:
                policies = replay.published_policies()
            answer = replay.replay(
                replay.Order(
                    folder=options["folder"],
                    first=options["first"],
                    last=options["last"],
                    policies=policies,
                    skip=frozenset(options["skip"]),
                    trace=options["trace"],
                    keep=options["keep"],
                    packs=tuple(options["pack"]),
                    progress=(lambda _day: None) if quiet else self._progress,
                )
            )
        except OSError as problem:
            raise CommandError(f"{options['policy']}: {problem.strerror}.", returncode=2) from problem
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        for rejection in answer.imported.rejected:
            self.stderr.write(f"{rejection.file} line {rejection.line}: {rejection.column}: {rejection.reason}")
        if answer.database:
            self.stderr.write(f"kept as database {answer.database}")
        if options["json"]:
            self.stdout.write(json.dumps(answer.as_json()))
        else:
            self._write(answer)

    def _progress(self, day: date) -> None:
        self.stderr.write(f"\r{day}", ending="")

    def _write(self, answer: replay.Replayed) -> None:
        steps = Counter((step["step"], step["result"]) for day in answer.days for step in day["steps"])
        for (code, result), count in sorted(steps.items()):
            self.stdout.write(f"{code:20} {result:28} {count}")
        notices = sum(day["notices"] for day in answer.days)
        self.stdout.write(f"{len(answer.days)} days with something, {notices} notices, {len(answer.accounts)} accounts")
