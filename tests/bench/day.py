"""The decisions of a day on one process and on two, and the whole day around them."""

from __future__ import annotations

from collections.abc import Iterator

from collections_desk import journey
from collections_desk.crew import Crew
from dunning.decide import Tally
from tests.bench import floors, scratch
from tests.bench.book import NOON
from tests.bench.part import Line, apart, say
from tests.bench.strategy import DAY


def measure(accounts: int, template: str) -> Iterator[Line]:
    """Copies the book for each try: a day is decided once."""
    ledger, steps = floors.decide_by_ledger()
    kept, _ = floors.decide_as_kept()
    yield Line("floor: decided by ledger", accounts, accounts, "accounts", ledger, note=f"{steps:,} steps")
    yield Line("floor: decided, amounts kept", accounts, accounts, "accounts", kept, note=f"{steps:,} steps")
    for processes, aim in ((1, "≤ 3"), (2, "≤ 1.5")):
        with scratch.copy_of(template, f"on_{processes}"):
            (opening, deciding, closing, tally), peak = apart(_day, processes)
        say(f"  {accounts:,} accounts, {processes} at once: decided in {deciding:.1f} s")
        name = f"decide on {processes}"
        note = f"{sum(tally.steps.values()):,} steps, {tally.notices:,} notices, {tally.cases_opened:,} cases opened"
        yield Line(f"{name} (ledger)", accounts, accounts, "accounts", deciding, ledger, aim, peak, note)
        yield Line(f"{name} (amounts kept)", accounts, accounts, "accounts", deciding, kept, "", peak)
    whole = opening + deciding + closing
    note = f"opened in {opening:.1f} s, closed in {closing:.1f} s"
    yield Line("the whole day on 2 (ledger)", accounts, accounts, "accounts", whole, ledger, "≤ 5", peak, note)


def _day(processes: int) -> tuple[float, float, float, Tally]:
    tallies: list[Tally] = []
    with journey.gathering():
        opening = floors.timed(lambda: journey.open_day(as_of=DAY, at=NOON))
        with Crew(processes) as crew:
            deciding = floors.timed(lambda: tallies.append(crew.decide(as_of=DAY, at=NOON)))
        closing = floors.timed(lambda: journey.close_day(as_of=DAY, at=NOON))
    return opening, deciding, closing, tallies[0]
