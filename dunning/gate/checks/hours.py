"""When somebody may be reached: hours, days, and the times and places a customer named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dunning.gate import calendars
from dunning.gate.checks.registry import Check, Theme
from dunning.gate.decision import BLOCK, HOLD, WARN, Objection
from dunning.gate.facts import Action, Facts, Preference
from dunning.gate.zones import zones_of

EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
#: Nobody waits longer than this for a window.
HORIZON_DAYS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hours at the customer, half-open: ``opens`` is inside, ``closes`` is not."""

    opens: time = time(8)
    closes: time = time(21)
    #: ISO weekdays, 1 Monday to 7 Sunday.
    weekdays: tuple[int, ...] = EVERY_DAY
    #: Other hours on Sundays; without them Sundays are as other days.
    sunday_opens: time | None = None
    sunday_closes: time | None = None
    #: A calendar whose public holidays are closed.
    closed_on: str = ""
    #: Judged in this zone alone, wherever the customer is.
    zone: str = ""
    #: So much is added on both sides, where the law leaves the instant open.
    edge_guard_seconds: int = 0
    #: A call must begin so long before closing, or it would run past it.
    latest_start_before_close_min: int = 0
    #: What the customer sent within so many hours may be answered at any time, once; 0 allows no answer.
    reply_within_hours: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneKnown:
    """How an unknown place is met."""

    machines: str = BLOCK
    people: str = WARN


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Answers that are allowed at a time or place the customer named, for each message of theirs."""

    reply_allowance: int = 1
    reply_within_hours: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Whether an unasked work number may be used."""

    blocked_until_permitted: bool = True


def zone_known(params: ZoneKnown, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """GLB-TZ: somebody whose hour nobody knows is not contacted by a machine."""
    if zones_of(facts.place, at):
        return None
    return Objection(
        reason="The customer's time zone is not known: ask where they are.",
        outcome=params.machines if action.automated else params.people,
        requires=("ask_where",),
    )


def window(params: Window, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """Shut in one of the zones is shut."""
    if _answers(params, action, facts, at):
        return []
    found = []
    zones = (ZoneInfo(params.zone),) if params.zone else zones_of(facts.place, at)
    # Where the customer may be in several, knowing which is the way to more hours.
    ask = ("ask_where",) if len(zones) > 1 else ()
    for zone in zones:
        hours = _hours(params, action, at.astimezone(zone).date())
        local = at.astimezone(zone)
        if hours is not None and hours[0] <= local.time() < hours[1]:
            continue
        reason = (
            f"It is {local:%H:%M} at the customer ({zone.key}): contact is {hours[0]:%H:%M} to {hours[1]:%H:%M}."
            if hours is not None
            else f"Not on {_named(local.date(), params)} ({zone.key})."
        )
        until = _opening(params, action, at, zone)
        found.append(Objection(reason=reason, until=until, outcome="" if until else BLOCK, requires=ask))
    return found


def _answers(params: Window, action: Action, facts: Facts, at: datetime) -> bool:
    asked = params.reply_within_hours > 0 and action.purpose in ("query_reply", "customer_request")
    return asked and _may_answer(Wishes(reply_within_hours=params.reply_within_hours), facts, at)


def _named(day: date, params: Window) -> str:
    holiday = params.closed_on and calendars.is_holiday(day, params.closed_on)
    return "a public holiday" if holiday else f"a {day:%A}"


def _hours(params: Window, action: Action, day: date) -> tuple[time, time] | None:
    """The hours of that day; none where it is closed."""
    if day.isoweekday() not in params.weekdays or calendars.is_holiday(day, params.closed_on):
        return None
    opens, closes = params.opens, params.closes
    if day.isoweekday() == 7 and params.sunday_opens and params.sunday_closes:
        opens, closes = params.sunday_opens, params.sunday_closes
    early = params.edge_guard_seconds
    late = early + (params.latest_start_before_close_min * 60 if action.type == "call" else 0)
    return (_moved(opens, early), _moved(closes, -late)) if early or late else (opens, closes)


def _moved(hour: time, seconds: int) -> time:
    return (datetime.combine(date(2000, 1, 1), hour) + timedelta(seconds=seconds)).time()


def _opening(params: Window, action: Action, at: datetime, zone: ZoneInfo) -> datetime | None:
    first = at.astimezone(zone).date()
    for days in range(HORIZON_DAYS + 1):
        day = first + timedelta(days=days)
        hours = _hours(params, action, day)
        if hours is not None and (opens := _moment(day, hours[0], zone)) > at:
            return opens
    return None


def _moment(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """That hour there, in UTC: one that a clock skips is the moment it reads, and one that comes twice its first."""
    return datetime.combine(day, hour, tzinfo=zone).astimezone(UTC)


def wishes(params: Wishes, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """Times and places the customer named (12 CFR 1006.6(b)(1)); what they write may be answered all the same, once."""
    if action.purpose in ("query_reply", "customer_request") and _may_answer(params, facts, at):
        return []
    found = []
    for preference in facts.preferences:
        if preference.kind not in ("time", "place") or not _in_force(preference, at):
            continue
        if preference.kind == "place":
            if _is_there(preference, action, facts):
                found.append(
                    Objection(reason=f"The customer asked not to be contacted at {preference.place}.", outcome=BLOCK)
                )
        elif not _suits(preference, facts, at):
            until = _next_suiting(preference, facts, at)
            text = "The customer asked not to be contacted at this time."
            found.append(Objection(reason=text, until=until, outcome=HOLD if until else BLOCK))
    return found


def _may_answer(params: Wishes, facts: Facts, at: datetime) -> bool:
    since = at - timedelta(hours=params.reply_within_hours)
    recent = [contact for contact in facts.contacts if since <= contact.at <= at]
    asked = max((contact.at for contact in recent if contact.direction == "inbound"), default=None)
    if asked is None:
        return False
    answers = sum(contact.direction == "outbound" and contact.reply and contact.at >= asked for contact in recent)
    return answers < params.reply_allowance


def _in_force(preference: Preference, at: datetime) -> bool:
    return (preference.starts_at is None or preference.starts_at <= at) and (
        preference.ends_at is None or at < preference.ends_at
    )


def _is_there(preference: Preference, action: Action, facts: Facts) -> bool:
    if preference.place == "home":
        return action.type in ("letter", "visit") or (facts.address.line == "landline" and facts.address.use != "work")
    return facts.address.use == preference.place


def _suits(preference: Preference, facts: Facts, at: datetime) -> bool:
    return all(_suits_there(preference, at.astimezone(zone)) for zone in zones_of(facts.place, at))


def _suits_there(preference: Preference, local: datetime) -> bool:
    named = (not preference.weekdays or local.isoweekday() in preference.weekdays) and (
        (preference.opens or time.min) <= local.time() < (preference.closes or time.max)
    )
    return named if preference.wanted else not named


def _next_suiting(preference: Preference, facts: Facts, at: datetime) -> datetime | None:
    """The first moment at which this wish is met in every zone: it changes only where a day or an hour of it begins."""
    edges = {time.min} | {edge for edge in (preference.opens, preference.closes) if edge}
    moments = sorted(
        moment
        for zone in zones_of(facts.place, at)
        for days in range(HORIZON_DAYS + 1)
        for edge in edges
        if (moment := _moment(at.astimezone(zone).date() + timedelta(days=days), edge, zone)) > at
    )
    if preference.ends_at is not None:
        moments = sorted([*moments, preference.ends_at])
    return next(
        (moment for moment in moments if not _in_force(preference, moment) or _suits(preference, facts, moment)), None
    )


def workplace(params: Workplace, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.6(b)(3): not at work where the employer forbids it; unasked not at all, by the desk's own rule."""
    if facts.address.use != "work" or facts.address.permitted:
        return None
    if action.purpose in ("query_reply", "customer_request"):
        return None
    if facts.address.permitted is False:
        return Objection(reason="The employer does not allow private calls at work.", outcome=BLOCK)
    if params.blocked_until_permitted:
        return Objection(reason="This is a number at work, and the customer has not asked us to use it.", outcome=BLOCK)
    return None


THEME = Theme(
    checks={
        "zone_known": Check(ZoneKnown, zone_known),
        "window": Check(Window, window),
        "wishes": Check(Wishes, wishes),
        "workplace": Check(Workplace, workplace),
    }
)
