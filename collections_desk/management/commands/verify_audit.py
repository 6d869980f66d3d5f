"""Prove that the history is what it was when it was sealed, and when a head of it was given out."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import audit, audit_heads
from accounts.refusals import Refused

#: How often it says how far it is.
EVERY_SECONDS = 2.0
MOST_WORKERS = 32


class Command(BaseCommand):
    help = "Recompute the hash chain over all events. Exits 1 when a row was changed, removed, inserted or moved."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
        parser.add_argument(
            "--head", type=Path, metavar="FILE", help="a head that was given out: the chain must still contain it"
        )
        parser.add_argument(
            "--public-key", type=Path, metavar="FILE", help="the key that signed it; this desk's own unless given"
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=min(os.cpu_count() or 1, 4),
            metavar="N",
            help="database connections that share the work (default: %(default)s)",
        )

    def handle(self, *args: Any, head: Path | None, workers: int, **options: Any) -> None:
        workers = min(max(workers, 1), MOST_WORKERS)
        self.begun = self.told = time.monotonic()
        if head is None:
            verdict = audit.verify(workers=workers, say=self.say)
        else:
            verdict = self.against(head, options["public_key"], workers)
        problem = verdict.first_problem
        if options["json"]:
            answer = {"events": verdict.events, "seals": verdict.seals, "ok": verdict.ok}
            self.stdout.write(json.dumps(answer | {"first_problem": asdict(problem) if problem else None}))
        elif problem:
            where = "The head" if problem.event_id is None else f"Event {problem.event_id}"
            self.stdout.write(f"{where}: {problem.kind}: {problem.detail}")
        else:
            kept = " The head that was kept is in it." if head else ""
            self.stdout.write(f"{verdict.events} events under {verdict.seals} seals: all as sealed.{kept}")
        if verdict.unsealed and not options["json"]:
            written = "1 event is" if verdict.unsealed == 1 else f"{verdict.unsealed} events are"
            self.stdout.write(f"{written} newer than the last seal: not sealed yet.")
        if problem:
            sys.exit(1)

    def against(self, head: Path, public_key: Path | None, workers: int) -> audit.Verdict:
        """The chain held against a head that was kept."""
        try:
            key = audit_heads.read_public_key(public_key.read_text()) if public_key else audit_heads.public_key()
            return audit_heads.check(head.read_text(), key, workers=workers, say=self.say)
        except (OSError, UnicodeDecodeError) as problem:
            raise CommandError(f"{head}: {getattr(problem, 'strerror', None) or 'no text'}.", returncode=2) from None
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=2) from None

    def say(self, events: int, seals: int, most: int) -> None:
        now = time.monotonic()
        if now - self.told < EVERY_SECONDS:
            return
        self.told = now
        rate = events / (now - self.begun)
        self.stderr.write(f"{events:,} events, {min(seals * 100 // most, 100)} % of the seals, {rate:,.0f} a second")
