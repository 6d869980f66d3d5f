"""A changed policy tried on the book, for its next day and for thirty, and held against the day that then comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from collections_desk import dry_runs, journey
from dunning import writing
from tests.bench import floors, scratch
from tests.bench.book import ACTOR, NOON
from tests.bench.part import Line, apart, say
from tests.bench.strategy import DAY, document_of


class Differs(Exception):
    """The day took other steps than its dry run had shown: no figure of it means anything."""


class Tried(NamedTuple):
    one_day: float
    thirty_days: float
    steps: int
    limits: int
    reviewed: int


def measure(accounts: int, template: str) -> Iterator[Line]:
    """Copies the book, because the day is run after it was tried."""
    floor, _ = floors.decide_by_ledger()
    with scratch.copy_of(template, "tried"):
        found, peak = apart(_try)
    say(f"  {accounts:,} accounts: tried in {found.one_day:.1f} s, for thirty days in {found.thirty_days:.1f} s")
    note = f"{found.steps:,} steps, {found.limits:,} limits: those of the day itself"
    yield Line("dry run of a day (ledger)", accounts, accounts, "accounts", found.one_day, floor, "", peak, note)
    yield Line("dry run of 30 days (ledger)", accounts, accounts, "accounts", found.thirty_days, floor, "", peak)


def _try() -> Tried:
    document = changed(document_of(1))
    found: list[dry_runs.Simulated] = []

    def simulate(days: int) -> None:
        found.append(dry_runs.simulate(document, as_of=DAY, days=days, at=NOON))

    one, thirty = floors.timed(lambda: simulate(1)), floors.timed(lambda: simulate(30))
    shown = found[0].tried.days[0]
    writing.publish(writing.save_draft(document, actor=ACTOR, at=NOON), actor=ACTOR, at=NOON)
    with journey.gathering():
        report = journey.run_day(as_of=DAY, at=NOON)
    if (Counter(report.steps), report.orders) != (shown.steps, len(shown.limits)):
        raise Differs(f"shown {dict(shown.steps)}, {len(shown.limits)} limits; taken {report.steps}, {report.orders}")
    return Tried(one, thirty, shown.steps.total(), len(shown.limits), found[0].accounts["reviewed"])


def changed(document: dict[str, Any]) -> dict[str, Any]:
    """The policy as an admin might change it: the first two steps a day earlier."""
    steps = [step | {"day": max(step["day"] - (place < 2), 0)} for place, step in enumerate(document["steps"])]
    return document | {"steps": steps}
