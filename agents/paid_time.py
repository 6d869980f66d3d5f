"""Paid time: from signing in to signing out, kept alive while the desk is open, and what a person says it was for.

Seen means that a page of the desk asked for news. Nobody is watched closer: what is kept is a beginning, a purpose and
an end, and its own figures are shown to each person alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from accounts.refusals import Refused
from agents.models import Agent, Interaction, Stretch

#: Written at most so often.
EVERY = timedelta(minutes=1)
#: Not seen for so long, they have gone: the stretch ended when they were last seen.
GONE_AFTER = timedelta(minutes=10)
What = Stretch.What


class CannotChange(Refused):
    """There is no such use of paid time."""

    code = "invalid"


def seen(agent: Agent, at: datetime) -> None:
    """They are at the desk. One query, and at most one write a minute."""
    stretch = _current(agent)
    if stretch is None or at - stretch.seen_at > GONE_AFTER:
        _begin(agent, What.WORK, at)
    elif at - stretch.seen_at >= EVERY:
        Stretch.objects.filter(pk=stretch.pk, ended_at=None, seen_at__lt=at).update(seen_at=at)


def change(agent: Agent, what: str, at: datetime) -> None:
    """From now on it is a break, a training, a meeting, or work again. Raises ``CannotChange``."""
    if what not in What.values:
        raise CannotChange(f"Paid time is for one of {', '.join(What.values)}.")
    stretch = _current(agent)
    if stretch is None or stretch.what != what or at - stretch.seen_at > GONE_AFTER:
        _begin(agent, what, at)


def leave(agent: Agent, at: datetime) -> None:
    """They signed out."""
    _end(Q(agent=agent), at)


def close_unseen(at: datetime) -> int:
    """End the stretches of everybody who went without signing out; how many. One statement."""
    return Stretch.objects.filter(ended_at=None, seen_at__lt=at - GONE_AFTER).update(ended_at=F("seen_at"))


def doing(agent: Agent, at: datetime) -> str:
    """What they are there for now; ``work`` where nothing else is known."""
    stretch = _current(agent)
    here = stretch is not None and at - stretch.seen_at <= GONE_AFTER
    return stretch.what if stretch is not None and here else What.WORK


def _current(agent: Agent) -> Stretch | None:
    return Stretch.objects.filter(agent=agent, ended_at=None).first()


def _begin(agent: Agent, what: str, at: datetime) -> None:
    """What was before ends; of two windows that begin at once one does it."""
    with transaction.atomic():
        _end(Q(agent=agent), at)
        Stretch.objects.bulk_create([Stretch(agent=agent, what=what, begun_at=at, seen_at=at)], ignore_conflicts=True)


def _end(whose: Q, at: datetime) -> None:
    """Now, or when they were last seen where that is long ago."""
    open_ones = Stretch.objects.filter(whose, ended_at=None)
    open_ones.filter(seen_at__lt=at - GONE_AFTER).update(ended_at=F("seen_at"))
    open_ones.update(ended_at=at, seen_at=at)


# One day ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OwnTime:
    """One person's day so far, in seconds."""

    paid: int
    #: Break, training and meeting, by name.
    away: dict[str, int]
    talk: int
    wrap: int
    #: At work and in no call.
    idle: int

    @property
    def occupancy(self) -> float | None:
        """Talk and wrap as a share of the time at work; none without any."""
        worked = self.talk + self.wrap + self.idle
        return (self.talk + self.wrap) / worked if worked else None


def day_of(agent: Agent, *, today: date, at: datetime) -> OwnTime:
    """What a day of paid time went to, on the desk's clock. Two queries."""
    begins = datetime.combine(today, time.min, tzinfo=ZoneInfo(settings.DESK_TIME_ZONE))
    ends = min(begins + timedelta(days=1), at)
    spent: dict[str, int] = defaultdict(int)
    rows = Stretch.objects.filter(agent=agent, begun_at__lt=ends).filter(Q(ended_at=None) | Q(ended_at__gt=begins))
    for what, begun_at, seen_at, ended_at in rows.values_list("what", "begun_at", "seen_at", "ended_at"):
        until = ended_at or (at if at - seen_at <= GONE_AFTER else seen_at)
        spent[what] += max(int((min(until, ends) - max(begun_at, begins)).total_seconds()), 0)
    calls = Interaction.objects.filter(agent=agent, kind=Interaction.Kind.CALL, at__gte=begins, at__lt=ends)
    talk = wrap = 0
    for talked, wrapped in calls.values_list("duration_seconds", "wrap_seconds"):
        talk, wrap = talk + (talked or 0), wrap + (wrapped or 0)
    work = spent.pop(What.WORK.value, 0)
    return OwnTime(
        paid=work + sum(spent.values()), away=dict(spent), talk=talk, wrap=wrap, idle=max(work - talk - wrap, 0)
    )
