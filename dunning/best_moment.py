"""When and how somebody answers: an hour of their day and a channel, from what they answered before. Pure.

Counts are weighted: a try of ninety days ago weighs half of one today. A rate is the customer's own answers, drawn
towards what everybody does on that channel at that hour as long as little is known of them (a Beta prior of
``PRIOR_TRIES``). Too little evidence, and nothing is said: the desk does what it did before.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

HALF_LIFE = timedelta(days=90)
#: Before anything is said of a customer: weighted tries, and answers among them, on the channels asked about.
LEAST_TRIES, LEAST_ANSWERS = 5.0, 2.0
#: So many tries of everybody stand beside the customer's own.
PRIOR_TRIES = 4.0
#: What the hours next to one say of it.
NEIGHBOUR = 0.5
#: Of somebody of whom nobody knows anything: one in four.
_NOBODY = 0.25
HOURS = range(24)

#: How each channel's tries are called.
NOUNS: Mapping[str, str] = {
    "call": "calls",
    "sms": "text messages",
    "email": "e-mails",
    "in_app": "in-app messages",
    "voice": "automatic calls",
    "letter": "letters",
}


@dataclass(frozen=True, slots=True)
class Count:
    """Weighted tries on a channel in an hour (0 to 23, at the customer), and the answers among them."""

    channel: str
    hour: int
    tries: float
    answers: float


#: What everybody together was tried and answered, by channel and hour.
Prior = Mapping[tuple[str, int], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Moment:
    """The best channel and hour, with the rate to expect there, what it rests on, and why in words."""

    channel: str
    hour: int
    rate: float
    tries: float
    why: str


@dataclass(frozen=True, slots=True)
class HourRate:
    """One hour of the strip: what to expect, and the customer's own tries and answers in it."""

    hour: int
    rate: float
    tries: float
    answers: float


def decayed(weight: float, *, age: timedelta) -> float:
    """What a weight is worth after so long; one from the future is worth itself."""
    return weight * math.pow(0.5, max(age, timedelta()) / HALF_LIFE)


def best(
    habits: Sequence[Count], prior: Prior, *, allowed_hours: Collection[int], channels: Sequence[str]
) -> Moment | None:
    """The channel and hour with the highest rate among those allowed; none while too little is known.

    Of equal ones that with more tries, then the channel named first, then the earlier hour.
    """
    own = [count for count in habits if count.channel in channels]
    if sum(count.tries for count in own) < LEAST_TRIES or sum(count.answers for count in own) < LEAST_ANSWERS:
        return None
    hours = sorted(set(allowed_hours) & set(HOURS))
    candidates = [
        (rate.rate, rate.tries, -place, -rate.hour, channel)
        for place, channel in enumerate(dict.fromkeys(channels))
        for rate in rates(own, prior, channel=channel, hours=hours)
    ]
    if not candidates:
        return None
    rate, tries, _, hour, channel = max(candidates)
    return Moment(channel, -hour, rate, tries, _why(own, channel, -hour))


def rates(habits: Iterable[Count], prior: Prior, *, channel: str, hours: Iterable[int] = HOURS) -> list[HourRate]:
    """What to expect of the customer on a channel, hour by hour."""
    own = {count.hour: (count.tries, count.answers) for count in habits if count.channel == channel}
    return [
        HourRate(
            hour,
            round((answers + PRIOR_TRIES * expected) / (tries + PRIOR_TRIES), 6),
            *own.get(hour, (0.0, 0.0)),
        )
        for hour in hours
        for tries, answers in [_around(own, hour)]
        for expected in [_expected(prior, channel, hour)]
    ]


def _around(own: Mapping[int, tuple[float, float]], hour: int) -> tuple[float, float]:
    """Tries and answers in the hour, and half of those in the hours beside it."""
    shares = ((hour - 1, NEIGHBOUR), (hour, 1.0), (hour + 1, NEIGHBOUR))
    found = [(share, own.get(near, (0.0, 0.0))) for near, share in shares]
    return sum(share * tries for share, (tries, _) in found), sum(share * answers for share, (_, answers) in found)


def _expected(prior: Prior, channel: str, hour: int) -> float:
    """What everybody answers in that hour, drawn towards the whole channel, and that towards nobody's guess."""
    of_channel = [counts for (each, _), counts in prior.items() if each == channel]
    tries, answers = sum(tries for tries, _ in of_channel), sum(answers for _, answers in of_channel)
    whole = (answers + PRIOR_TRIES * _NOBODY) / (tries + PRIOR_TRIES)
    tries, answers = prior.get((channel, hour), (0.0, 0.0))
    return (answers + PRIOR_TRIES * whole) / (tries + PRIOR_TRIES)


def _why(own: Sequence[Count], channel: str, hour: int) -> str:
    """In words: of what was tried around that hour, how much was answered; else what speaks for it."""
    near = [count for count in own if count.channel == channel and abs(count.hour - hour) <= 1 and count.tries > 0]
    tries, answers = sum(count.tries for count in near), sum(count.answers for count in near)
    noun = NOUNS.get(channel, f"messages by {channel}")
    if round(tries) < 1 or round(answers) < 1:
        asked = [count for count in own if count.tries > 0]
        total, heard = sum(count.tries for count in asked), sum(count.answers for count in asked)
        told = f"answered {_of(heard, total)} so far, none of them near {hour}:00"
        return f"{told}; others answer {noun} best then"
    first, last = min(count.hour for count in near), max(count.hour for count in near) + 1
    return f"answered {_of(answers, tries)} {noun} between {first} and {last}"


def _of(answers: float, tries: float) -> str:
    """``4 of 5``: weights rounded to what a person counts in, never more answers than tries."""
    of = max(round(tries), 1)
    return f"{min(round(answers), of)} of {of}"
