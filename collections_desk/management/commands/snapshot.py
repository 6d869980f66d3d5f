"""The figures of a day, recorded for everybody who looks at them: the first build, or a day computed again."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import date
from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.business_day import business_date
from agents import snapshots, standing
from collections_desk import clock


class Command(BaseCommand):
    help = (
        "Record the figures of a day for every currency, team, agent, segment, product, policy and arm. Safe to "
        "repeat. A day that is over keeps what was recorded on it: what is known of it now stands beside that."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--as-of", type=date.fromisoformat, metavar="DATE", help="the business date unless given")
        parser.add_argument(
            "--days", type=int, nargs="+", default=list(snapshots.WINDOWS), metavar="N",
            help="lengths of period (default: %(default)s)",
        )  # fmt: skip

    def handle(self, *args: Any, as_of: date | None, days: list[int], **options: Any) -> None:
        at, started = clock.business_now(), monotonic()
        today = business_date(at=at)
        on = as_of or today
        telling = _Telling()
        try:
            if on <= today:
                standing.record(on=on, business_date=today, say=telling)
            records = snapshots.record(as_of=on, at=at, business_date=today, windows=days, say=telling)
        except snapshots.CannotRecord as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        finally:
            telling.close()
        restated = " as known now, beside what was recorded on the day" if on < today else ""
        self.stdout.write(f"{records:,} records of {on}{restated}, in {monotonic() - started:.1f} s")


class _Telling:
    """A bar on standard error for each thing that is done; on anything but a terminal, a line when it begins."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.what = ""

    def __call__(self, what: str, done: int, of: int) -> None:
        if what != self.what:
            self.close()
            self.what = what
            if sys.stderr.isatty():
                self.bar = tqdm(total=of or None, desc=what, unit="", file=sys.stderr)
            else:
                sys.stderr.write(f"{what}\n")
        if self.bar is not None:
            self.bar.update(done - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
        self.bar, self.what = None, ""
