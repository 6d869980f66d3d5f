"""What each kind of hold stops: the effect matrix. Pure.

A dispute, a promise and a plan hold amounts or bills: what they cover is left out of what steps are judged on, and the
rest of the account goes on. Every other reason holds the whole account.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import NamedTuple

NOTICES, CALLS, FEES, LIMITS, TRANSFERS = "notices", "calls", "fees", "limits", "transfers"
EVERYTHING = frozenset({NOTICES, CALLS, FEES, LIMITS, TRANSFERS})

#: Reasons that cover bills (or, naming none, all of them) rather than the account.
COVERING = frozenset({"promise", "plan"})

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


class HoldFact(NamedTuple):
    """A hold as the decisions read it; ``ends_on`` is its last day, an early lift included."""

    reason: str
    starts_on: date
    ends_on: date | None
    bill_refs: tuple[str, ...] = ()
    ticked: tuple[str, ...] = ()
    clock_ticked: bool = False

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


def stopped_days(holds: Iterable[HoldFact], *, after: date, until: date) -> int:
    """Days in ``(after, until]`` on which the clock stood; overlapping holds count once."""
    spans = sorted(
        (max(hold.starts_on, after + timedelta(days=1)), min(hold.ends_on or until, until))
        for hold in holds
        if stops_clock(hold.reason, hold.clock_ticked) and is_account_wide(hold)
    )
    days, reached = 0, after
    for first, last in spans:
        first = max(first, reached + timedelta(days=1))
        if last >= first:
            days += (last - first).days + 1
            reached = last
    return days
