"""The steps that the floors take in SQL and our policies take in full: three strategies, an account follows one."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

from dunning import policy

#: A Tuesday, and no holiday: what needs a working day may happen.
DAY = date(2026, 11, 17)
EVE = DAY - timedelta(days=1)


class Turn(NamedTuple):
    """A step's turn comes so many days past due, above an amount, some days after the step before it."""

    days: int
    amount: int
    gap: int
    does: str


STRATEGIES: dict[int, tuple[Turn, ...]] = {
    1: (
        Turn(3, 5, 0, "sms"),
        Turn(10, 5, 5, "email"),
        Turn(20, 10, 7, "letter"),
        Turn(30, 20, 7, "queue"),
        Turn(45, 20, 10, "limit"),
        Turn(75, 30, 14, "agency"),
    ),
    2: (
        Turn(5, 20, 0, "email"),
        Turn(15, 20, 7, "task"),
        Turn(30, 50, 10, "letter"),
        Turn(60, 100, 14, "agency"),
    ),
    3: (
        Turn(1, 1, 0, "sms"),
        Turn(7, 1, 5, "sms"),
        Turn(14, 5, 5, "email"),
        Turn(25, 5, 7, "limit"),
        Turn(60, 10, 14, "agency"),
    ),
}
MESSAGES = ("sms", "email", "letter")
_ACTIONS = {"queue": policy.TRANSFER, "task": policy.TASK, "limit": policy.LIMIT, "agency": policy.AGENCY}


def code_of(place: int) -> str:
    """The code of the step at that place, counted from 1."""
    return f"step-{place}"


def segment_of(strategy: int) -> str:
    """Accounts of this segment follow the strategy."""
    return f"strategy-{strategy}"


def document_of(strategy: int) -> dict[str, Any]:
    """The strategy as a policy document. One gap serves all its steps, where the floor knows one for each."""
    turns = STRATEGIES[strategy]
    return {
        "code": segment_of(strategy),
        "name": f"Benchmark, strategy {strategy}",
        "applies_to": {"segment": [segment_of(strategy)]},
        "enters": {"min_amount": "1.00", "min_days": 1},
        "exits": {"max_amount": "0.00"},
        "min_gap_days": sorted(turn.gap for turn in turns)[len(turns) // 2],
        "calendar": {"country": "US", "roll": "next_working_day"},
        "agency": "northside",
        "steps": [_step(turns, place) for place in range(1, len(turns) + 1)],
    }


def _step(turns: tuple[Turn, ...], place: int) -> dict[str, Any]:
    turn = turns[place - 1]
    step: dict[str, Any] = {"code": code_of(place), "day": turn.days, "min_amount": f"{turn.amount}.00"}
    if turn.does in MESSAGES:
        return step | {"action": policy.NOTIFY, "channels": [turn.does], "template": "reminder", "pay_by_days": 10}
    step["action"] = _ACTIONS[turn.does]
    if turn.does in ("limit", "agency"):
        warning = max(before for before in range(1, place) if turns[before - 1].does in MESSAGES)
        step |= {"warned_by": code_of(warning), "notice_days": 5}
    if turn.does == "limit":
        step["rung"] = "outgoing_barred"
    return step
