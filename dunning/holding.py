"""What each kind of hold stops: the effect matrix. Pure.

A dispute holds an amount, and a hold that names bills (a promise, a plan, a pause of one bill) holds those: what they
cover is left out of what steps are judged on, and the rest of the account goes on. Every other hold is the account's.
The matrix here is what a desk starts with; the admin's own (``models.HoldRule``) replaces it reason by reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

NOTICES, CALLS, FEES, LIMITS, TRANSFERS = "notices", "calls", "fees", "limits", "transfers"
EVERYTHING = frozenset({NOTICES, CALLS, FEES, LIMITS, TRANSFERS})

#: Reasons that cover the bills they name; every other one is about the person, whatever it names.
COVERING = frozenset({"promise", "plan", "manual", "payment_in_flight"})

_STOPS = {
    "dispute": frozenset[str](),  # its amount leaves what is judged: nothing else stops
    "promise": EVERYTHING,
    "plan": EVERYTHING,
    "hardship": EVERYTHING,
    "breathing_space": EVERYTHING,
    "vulnerability_review": frozenset({FEES, LIMITS, TRANSFERS}),
    "bankruptcy": EVERYTHING,
    "deceased": EVERYTHING,
    "legal": EVERYTHING,
    "fraud": EVERYTHING,
    "payment_in_flight": EVERYTHING,
}
_STOPS_CLOCK = frozenset({"hardship", "breathing_space", "bankruptcy", "deceased", "legal", "fraud"})


class Effects(NamedTuple):
    """A line of the matrix: what a reason stops, and whether the clock stands."""

    stops: frozenset[str]
    clock: bool


class HoldFact(NamedTuple):
    """A hold as the decisions read it; ``ends_on`` is its last day, an early lift included."""

    reason: str
    starts_on: date
    ends_on: date | None
    bill_refs: tuple[str, ...] = ()
    ticked: tuple[str, ...] = ()
    clock_ticked: bool = False
    #: The admin's line of the matrix for its reason; none where nobody changed it.
    rule: Effects | None = None

    @property
    def effects(self) -> frozenset[str]:
        """What it stops."""
        if self.rule is not None and self.reason != "manual":
            return self.rule.stops
        return stops(self.reason, self.ticked)

    @property
    def stops_clock(self) -> bool:
        """Whether days under it count for steps; ``days_past_due`` runs on either way."""
        if self.rule is not None and self.reason != "manual":
            return self.rule.clock
        return stops_clock(self.reason, self.clock_ticked)

    def covers(self, day: date) -> bool:
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


def stops(reason: str, ticked: Collection[str] = ()) -> frozenset[str]:
    """The effects a hold stops; a manual one as ticked, and everything when nothing was."""
    if reason == "manual":
        return frozenset(ticked) & EVERYTHING or EVERYTHING
    return _STOPS[reason]


def stops_clock(reason: str, ticked: bool = False) -> bool:
    """Whether days under the hold count for steps; ``days_past_due`` runs on either way."""
    return ticked if reason == "manual" else reason in _STOPS_CLOCK


def is_account_wide(hold: HoldFact) -> bool:
    """Whether the hold covers the account, not some of its bills."""
    return hold.reason != "dispute" and not (hold.reason in COVERING and hold.bill_refs)


def stopped_days(
    holds: Iterable[HoldFact], *, after: date, until: date, count: Callable[[date, date], int] | None = None
) -> int:
    """Days in ``(after, until]`` on which the clock stood; overlapping holds count once.

    ``count`` says how many of the days in ``(first, last]`` count at all; without it every day does.
    """
    spans = _standing(holds, after, until)
    if count is None:
        return sum((last - first).days for first, last in spans)
    return sum(count(first, last) for first, last in spans)


def _standing(holds: Iterable[HoldFact], after: date, until: date) -> Iterator[tuple[date, date]]:
    """Half-open spans ``(first, last]`` in which the clock stood, apart and in order."""
    reached = after
    for first, last in sorted(
        (hold.starts_on - timedelta(days=1), min(hold.ends_on or until, until))
        for hold in holds
        if hold.stops_clock and is_account_wide(hold)
    ):
        first = max(first, reached)
        if last > first:
            yield first, last
            reached = last
