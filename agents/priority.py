"""Why an account is on top of the queue: points with their reasons in words. Pure: no rows, no clock.

The order is a recommendation that an agent can check: every part says what it counts and how much it is worth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from accounts import money

AMOUNT_MOST = 50
AGE_MOST = 30
BROKEN_EACH, BROKEN_MOST = 10, 20
SILENCE_MOST = 10
VULNERABLE = 10
CALLBACK = 100
#: Above everything else there can be.
CRISIS = 1_000

#: Orders of magnitude, so that a book in yen does not outrank one in euro; never used for money. Others: 1.
_UNITS_PER_EURO = {
    "ARS": 1000, "BDT": 130, "CLP": 1000, "COP": 4500, "CZK": 25, "DKK": 7, "EGP": 50, "HKD": 8, "HUF": 400,
    "IDR": 17000,
    "INR": 90, "ISK": 150, "JPY": 160, "KES": 140, "KRW": 1500, "LKR": 320, "MXN": 20, "NGN": 1600, "NOK": 11,
    "NPR": 145, "PHP": 60, "PKR": 300, "PLN": 4, "PYG": 8000, "RSD": 117, "RUB": 100, "SEK": 11, "THB": 38, "TRY": 35,
    "TWD": 35, "TZS": 2700, "UAH": 45, "UGX": 4000, "UYU": 43, "VND": 27000, "XAF": 656, "XOF": 656, "ZAR": 20,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoreFacts:
    """What is known of an account when it is placed in the queue."""

    amount_overdue: Decimal
    currency: str
    days_past_due: int
    broken_promises: int = 0
    #: Day of the last interaction, either direction; none: never spoken to.
    last_contact_on: date | None = None
    vulnerable: bool = False
    #: A callback that was agreed and has not been made, in the operator's zone.
    callback_at: datetime | None = None
    #: Words of a crisis in a message that nobody has dealt with yet.
    crisis: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One reason. ``text`` says what was counted and the points it gave."""

    name: str
    points: int
    text: str


def score(facts: ScoreFacts, *, as_of: date) -> list[Part]:
    """The parts worth something, the heaviest first; their points sum to the account's score."""
    parts = [
        _part("crisis", CRISIS * facts.crisis, "Words of a crisis in a message: speak to them now"),
        _part("callback", *_callback(facts.callback_at)),
        _part("amount", *_amount(facts)),
        _part("age", min(AGE_MOST, max(0, facts.days_past_due) // 3), f"{_days(facts.days_past_due)} past due"),
        _part(
            "broken_promises",
            min(BROKEN_MOST, BROKEN_EACH * facts.broken_promises),
            f"{facts.broken_promises} broken promise{'' if facts.broken_promises == 1 else 's'}",
        ),
        _part("silence", *_silence(facts.last_contact_on, as_of)),
        _part("vulnerable", VULNERABLE * facts.vulnerable, "Vulnerable: to be spoken to before service suffers"),
    ]
    return sorted((part for part in parts if part.points), key=lambda part: -part.points)


def _part(name: str, points: int, words: str) -> Part:
    return Part(name, points, f"{words}: {points} point{'' if points == 1 else 's'}")


def _amount(facts: ScoreFacts) -> tuple[int, str]:
    """Fifteen points for each power of ten: EUR 24 gives 20, EUR 240 gives 35."""
    size = float(facts.amount_overdue) / _UNITS_PER_EURO.get(facts.currency, 1)
    points = min(AMOUNT_MOST, int(15 * math.log10(size))) if size > 1 else 0
    return points, f"{facts.currency} {money.plain(facts.amount_overdue, facts.currency)} overdue"


def _silence(last_contact_on: date | None, as_of: date) -> tuple[int, str]:
    if last_contact_on is None:
        return SILENCE_MOST, "Never spoken to"
    quiet = max(0, (as_of - last_contact_on).days)
    return min(SILENCE_MOST, quiet), f"{_days(quiet)} since the last contact"


def _callback(callback_at: datetime | None) -> tuple[int, str]:
    if callback_at is None:
        return 0, ""
    return CALLBACK, f"Callback agreed for {callback_at:%H:%M} on {callback_at.day} {callback_at:%B}"


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
