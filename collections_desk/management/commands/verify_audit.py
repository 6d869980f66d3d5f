"""Prove that the history is what it was when it was sealed."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from accounts import audit


class Command(BaseCommand):
    help = "Recompute the hash chain over all events. Exits 1 when a row was changed, removed, inserted or moved."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = audit.verify()
        problem = verdict.first_problem
        if options["json"]:
            answer = {"events": verdict.events, "seals": verdict.seals, "ok": verdict.ok}
            self.stdout.write(json.dumps(answer | {"first_problem": asdict(problem) if problem else None}))
        elif problem:
            self.stdout.write(f"Event {problem.event_id}: {problem.kind}: {problem.detail}")
        else:
            self.stdout.write(f"{verdict.events} events under {verdict.seals} seals: all as sealed.")
        if problem:
            sys.exit(1)
