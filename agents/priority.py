"""Why an account is on top of the queue: points with their reasons in words. Pure: no rows, no clock.

The order is a recommendation that an agent can check: every part says what it counts and how much it is worth. A team
may weigh the parts otherwise, or work by amount, age or waiting instead; a crisis, an agreed callback and what a
supervisor pinned come first in every order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from accounts import money
from agents.chances import Chance

AMOUNT_MOST = 50
CHANCE_MOST = 30
#: At this chance and above a call is worth the most points.
CHANCE_FULL = 0.6
AGE_MOST = 30
BROKEN_EACH, BROKEN_MOST = 10, 20
VALUE_MOST = 20
#: A point for every two years with us, beside those for what the services bring.
TENURE_MOST = 5
SILENCE_MOST = 10
VULNERABLE = 10

#: Above everything that is weighed, in this order; never weighed themselves.
PINNED = 1_000
CALLBACK = 2_000
CRISIS = 10_000
#: Where accounts are ordered by one figure, that figure may be as large as this.
FIGURE_MOST = 999_999

#: What a team may weigh, in percent, and what each part is called.
WEIGHED = {
    "amount": "What is overdue",
    "chance": "The chance that a call helps",
    "broken_promises": "Broken promises",
    "age": "Days past due",
    "value": "Value of the customer",
    "silence": "Days since the last contact",
    "vulnerable": "Vulnerable customers",
}
#: A part weighs this much where nobody said otherwise, and at most that much: then what is pinned stays on top.
WEIGHS, WEIGHS_MOST = 100, 500

#: The orders there are: by points, or by one figure alone.
SCORE, LARGEST, OLDEST, WAITING = "score", "largest", "oldest", "waiting"

#: Orders of magnitude, so that a book in yen does not outrank one in euro; never used for money. Others: 1.
_UNITS_PER_EURO = {
    "ARS": 1000, "BDT": 130, "CLP": 1000, "COP": 4500, "CZK": 25, "DKK": 7, "EGP": 50, "HKD": 8, "HUF": 400,
    "IDR": 17000,
    "INR": 90, "ISK": 150, "JPY": 160, "KES": 140, "KRW": 1500, "LKR": 320, "MXN": 20, "NGN": 1600, "NOK": 11,
    "NPR": 145, "PHP": 60, "PKR": 300, "PLN": 4, "PYG": 8000, "RSD": 117, "RUB": 100, "SEK": 11, "THB": 38, "TRY": 35,
    "TWD": 35, "TZS": 2700, "UAH": 45, "UGX": 4000, "UYU": 43, "VND": 27000, "XAF": 656, "XOF": 656, "ZAR": 20,
}  # fmt: skip


def units_per_euro(currency: str) -> int:
    """About how many units of the currency a euro is: an order of magnitude, never money."""
    return _UNITS_PER_EURO.get(currency, 1)


@dataclass(frozen=True, slots=True)
class ScoreFacts:
    """What is known of an account when it is placed in the queue. Moments are in the operator's zone."""

    amount_overdue: Decimal
    currency: str
    days_past_due: int
    broken_promises: int = 0
    #: How often a call of this kind helped; none: nothing was counted yet.
    chance: Chance | None = None
    #: What the services that are not disconnected bring in a month, and since when they are a customer.
    monthly_fee: Decimal = Decimal(0)
    customer_since: date | None = None
    #: Day of the last interaction, either direction; none: never spoken to.
    last_contact_on: date | None = None
    vulnerable: bool = False
    #: A callback that was agreed and has not been made.
    callback_at: datetime | None = None
    #: Words of a crisis in a message that nobody has dealt with yet.
    crisis: bool = False
    #: Who put it on top, and why; empty: nobody did.
    pinned_by: str = ""
    pinned_because: str = ""
    #: What that is worth; ``PINNED`` and more is above everything that is weighed.
    pin_points: int = PINNED
    #: Since when nobody worked on it.
    waiting_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One reason. ``text`` says what was counted and the points it gave."""

    name: str
    points: int
    text: str


def score(
    facts: ScoreFacts,
    *,
    as_of: date,
    weights: Mapping[str, int] | None = None,
    first: str = SCORE,
    among_figures: bool = False,
) -> list[Part]:
    """The parts worth something, the heaviest first; their points sum to the account's score.

    ``weights``: percent by part of ``WEIGHED``; a part that is not named weighs ``WEIGHS``. ``first``: ``largest``,
    ``oldest`` or ``waiting`` give the points of that one figure instead of the weighed parts. ``among_figures``: some
    team works by such a figure, so that what comes first in every order has to be above those too.
    """
    above = 1 if first == SCORE and not among_figures else 1_000
    parts = [
        _part("crisis", CRISIS * above * facts.crisis, "Words of a crisis in a message: speak to them now"),
        _part("callback", *_callback(facts.callback_at, above)),
        _part("pinned", *_pinned(facts, above)),
    ]
    if first == SCORE:
        parts += _weighed(facts, as_of, weights or {})
    else:
        parts.append(_figure(facts, as_of, first))
    return sorted((part for part in parts if part.points), key=lambda part: -part.points)


def _weighed(facts: ScoreFacts, as_of: date, weights: Mapping[str, int]) -> list[Part]:
    broken = facts.broken_promises
    counted = {
        "amount": _amount(facts),
        "chance": _chance(facts.chance),
        "age": (min(AGE_MOST, max(0, facts.days_past_due) // 3), f"{_days(facts.days_past_due)} past due"),
        "broken_promises": (
            min(BROKEN_MOST, BROKEN_EACH * broken),
            f"{broken} broken promise{'' if broken == 1 else 's'}",
        ),
        "value": _value(facts, as_of),
        "silence": _silence(facts.last_contact_on, as_of),
        "vulnerable": (VULNERABLE * facts.vulnerable, "Vulnerable: to be spoken to before service suffers"),
    }
    parts = []
    for name, (points, words) in counted.items():
        weight = weights.get(name, WEIGHS)
        # Half a point and more is a point.
        weighed = (points * weight + 50) // 100
        parts.append(_part(name, weighed, words if weight == WEIGHS else f"{words}, weighs {weight} %"))
    return parts


def _figure(facts: ScoreFacts, as_of: date, first: str) -> Part:
    """The one figure that a team works by, as points."""
    if first == LARGEST:
        size = int(float(facts.amount_overdue) / _UNITS_PER_EURO.get(facts.currency, 1))
        return _part("amount", _within(size), _owed(facts))
    if first == OLDEST:
        return _part("age", _within(facts.days_past_due), f"{_days(facts.days_past_due)} past due")
    if first != WAITING:
        raise ValueError(f"There is no order {first}.")
    if facts.waiting_since is None:
        return _part("waiting", 0, "")
    # Hours up to the end of the day: whoever is scored later the same day does not gain by it.
    until = datetime.combine(as_of + timedelta(days=1), time.min, tzinfo=facts.waiting_since.tzinfo or UTC)
    hours = int((until - facts.waiting_since) / timedelta(hours=1))
    return _part("waiting", _within(hours), f"Waiting since {_moment(facts.waiting_since)}")


def _within(figure: int) -> int:
    return min(FIGURE_MOST, max(0, figure))


def _part(name: str, points: int, words: str) -> Part:
    return Part(name, points, f"{words}: {points} point{'' if points == 1 else 's'}")


def _owed(facts: ScoreFacts) -> str:
    return f"{facts.currency} {money.plain(facts.amount_overdue, facts.currency)} overdue"


def _tens(amount: Decimal, currency: str, each: int) -> int:
    """``each`` points for a power of ten of what the amount comes to in euro."""
    size = float(amount) / _UNITS_PER_EURO.get(currency, 1)
    return int(each * math.log10(size)) if size > 1 else 0


def _amount(facts: ScoreFacts) -> tuple[int, str]:
    """Fifteen points for each power of ten: EUR 24 gives 20, EUR 240 gives 35."""
    return min(AMOUNT_MOST, _tens(facts.amount_overdue, facts.currency, 15)), _owed(facts)


def _chance(chance: Chance | None) -> tuple[int, str]:
    if chance is None:
        return 0, ""
    return min(CHANCE_MOST, round(CHANCE_MOST * chance.rate / CHANCE_FULL)), chance.words


def _value(facts: ScoreFacts, as_of: date) -> tuple[int, str]:
    """Five points for each power of ten that a year brings, and one for every two years they have stayed."""
    if facts.monthly_fee <= 0:
        return 0, ""
    years = max(0, (as_of - facts.customer_since).days // 365) if facts.customer_since else 0
    points = _tens(facts.monthly_fee * 12, facts.currency, 5) + min(TENURE_MOST, years // 2)
    words = f"{facts.currency} {money.plain(facts.monthly_fee, facts.currency)} a month"
    return min(VALUE_MOST, points), f"{words}, a customer for {years} years" if years > 1 else words


def _silence(last_contact_on: date | None, as_of: date) -> tuple[int, str]:
    if last_contact_on is None:
        return SILENCE_MOST, "Never spoken to"
    quiet = max(0, (as_of - last_contact_on).days)
    return min(SILENCE_MOST, quiet), f"{_days(quiet)} since the last contact"


def _callback(callback_at: datetime | None, above: int) -> tuple[int, str]:
    if callback_at is None:
        return 0, ""
    return CALLBACK * above, f"Callback agreed for {callback_at:%H:%M} on {callback_at.day} {callback_at:%B}"


def _pinned(facts: ScoreFacts, above: int) -> tuple[int, str]:
    if not facts.pinned_by:
        return 0, ""
    does = "Put on top" if facts.pin_points >= PINNED else "Preferred"
    return facts.pin_points * above, f"{does} by {facts.pinned_by}: {facts.pinned_because}"


def _moment(moment: datetime) -> str:
    return f"{moment.day} {moment:%B}, {moment:%H:%M}"


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
