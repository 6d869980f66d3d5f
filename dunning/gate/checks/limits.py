"""What must be true before a service is limited: a warning, a ladder, undisputed arrears, calls for help left open.

Directive (EU) 2018/1972, Annex VI Part A(e), and what nations made of it; India's and the United Kingdom's practice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from dunning.gate import calendars
from dunning.gate.checks.registry import Check, Theme
from dunning.gate.decision import BLOCK, HOLD, REQUIRE, WARN, Objection
from dunning.gate.facts import Action, Facts
from dunning.gate.zones import zones_of

_UTC = ZoneInfo("UTC")
_RUNGS = {"restrict": "outgoing_barred", "suspend": "suspended", "disconnect": "disconnected"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A warning that arrived, on that day; ``says``: amount, date, court, consequence."""

    day: date
    channel: str
    says: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """A limit that has been in force on the service since that day."""

    rung: str
    since: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The service about to be limited, and what led there."""

    warnings: tuple[Warned, ...] = ()
    rungs: tuple[Stood, ...] = ()
    #: What is overdue and undisputed for this service alone; none where bills do not say.
    service_overdue: Decimal | None = None
    #: 112, 999, 911 can be called while it is limited so; none where nobody said.
    emergency_open: bool | None = None
    #: What is left of the speed; none where the limit is not about speed.
    kbps: int | None = None
    fraud: bool = False
    #: Why it is taken for fraud.
    fraud_note: str = ""
    #: Late or unpaid again and again.
    persistent: bool = False
    #: Where the operator's measures are published.
    published_policy: str = ""
    dispute_open: bool = False
    #: A body outside decides about the bill, on that day where it is known.
    under_review: bool = False
    review_ends_on: date | None = None
    #: Everything was paid then, and something is still limited.
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Excepting:
    """Who is not protected by the rule."""

    except_fraud: bool = False
    except_persistent: bool = False


def _limit(params: Excepting, facts: Facts) -> Limit | None:
    """The limit, where the rule protects this customer; without the part, one of which nothing is known."""
    limit = facts.part(Limit) or Limit()
    excepted = (params.except_fraud and limit.fraud) or (params.except_persistent and limit.persistent)
    return None if excepted else limit


def _rung(action: Action) -> str:
    return action.rung or _RUNGS.get(action.type, "")


def _beginning(day: date, facts: Facts, at: datetime) -> datetime:
    """When that day has begun wherever the customer may be."""
    return max(calendars.beginning(day, zone) for zone in zones_of(facts.place, at) or (_UTC,))


@dataclass(frozen=True, slots=True, kw_only=True)
class WarnedBefore(Excepting):
    """A warning of at least so many days, on so many channels, that says all of these things."""

    days: int
    channels: int = 1
    says: tuple[str, ...] = ()


def warned(params: WarnedBefore, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Due warning; the day it arrived is not counted. Fails closed: without ``Limit`` nobody was warned."""
    limit = _limit(params, facts)
    if limit is None:
        return None
    first: dict[str, date] = {}
    for warning in limit.warnings:
        if warning.says >= set(params.says):
            first[warning.channel] = min(warning.day, first.get(warning.channel, warning.day))
    if len(first) < params.channels:
        what = f" that names {' and '.join(params.says)}" if params.says else ""
        how = f" on {params.channels} channels" if params.channels > 1 else ""
        return Objection(reason=f"There was no warning{how}{what}.", outcome=BLOCK, requires=("warn",))
    counts_from = sorted(first.values())[params.channels - 1]
    until = _beginning(counts_from + timedelta(days=params.days), facts, at)
    if at >= until:
        return None
    return Objection(reason=f"The warning is not yet {params.days} days old.", until=until, outcome=HOLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder(Excepting):
    """Limits come one after the other, each after so many days of the one before it."""

    #: Limits with which it may begin.
    first: tuple[str, ...] = ("throttled", "outgoing_barred")
    #: Days of one of those before a full stop, and whether one must have been.
    first_days: int = 0
    full_needs_first: bool = True
    #: Days of a limit of ``last_after`` before the line is taken away.
    last_after: tuple[str, ...] = ("throttled", "outgoing_barred", "suspended")
    last_days: int = 0


def ladder(params: Ladder, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Proportionate means step by step. Fails closed: without ``Limit`` nothing came before."""
    limit = _limit(params, facts)
    rung = _rung(action)
    if limit is None or rung in params.first:
        return None
    if rung == "disconnected":
        before, days = params.last_after, params.last_days
    elif params.full_needs_first:
        before, days = params.first, params.first_days
    else:
        return None
    since = min((stood.since for stood in limit.rungs if stood.rung in before), default=None)
    named = " or ".join(one.replace("_", " ") for one in before)
    if since is None:
        return Objection(reason=f"The line must be {named} first.", outcome=BLOCK, requires=("limit_less",))
    until = _beginning(since + timedelta(days=days), facts, at)
    if at >= until:
        return None
    return Objection(reason=f"The line has not been {named} for {days} days yet.", until=until, outcome=HOLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrearsAtLeast(Excepting):
    """The least that must be overdue and undisputed, in a currency where the amount is of one."""

    least: Decimal
    currency: str = ""
    less_disputed: bool = True
    #: A dispute that is open stops it, whatever else is owed.
    no_open_dispute: bool = False


def arrears(params: ArrearsAtLeast, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Nothing is limited for what is disputed or little. Fails closed: arrears that nobody knows are none."""
    limit = _limit(params, facts)
    if limit is None:
        return None
    debt = facts.debt
    if params.no_open_dispute and (limit.dispute_open or debt.disputed > 0):
        return Objection(reason="A dispute about the bill is open.", outcome=BLOCK)
    if debt.overdue is None:
        return Objection(reason="What is overdue is not known.", outcome=BLOCK)
    if params.currency and debt.currency and debt.currency != params.currency:
        return None
    counted = debt.overdue - (debt.disputed if params.less_disputed else 0)
    if counted >= params.least:
        return None
    return Objection(reason=f"{max(counted, Decimal(0)):.2f} is overdue and undisputed, less than {params.least}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConcerned(Excepting):
    """Only the service that is not paid for."""


def service_concerned(params: ServiceConcerned, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Of a bundle, the rest goes on, where bills say what each service owes."""
    limit = _limit(params, facts)
    if limit is None or limit.service_overdue is None or limit.service_overdue > 0:
        return None
    return Objection(reason="Nothing is overdue for this service: limit only the one concerned.", outcome=BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyCalls:
    """The numbers that must be reachable, as they are said; and at which limits."""

    numbers: str = "112"
    rungs: tuple[str, ...] = ("throttled", "outgoing_barred", "suspended")


def emergency_calls(params: EmergencyCalls, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Calls for help stay open. Fails closed: where nobody said so, machines stop and people are warned."""
    limit = facts.part(Limit) or Limit()
    if limit.emergency_open or _rung(action) not in params.rungs:
        return None
    if limit.emergency_open is None and not action.automated:
        return Objection(reason=f"It is not known whether {params.numbers} can still be called.", outcome=WARN)
    return Objection(reason=f"{params.numbers} must stay reachable.", outcome=BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedFloor(Excepting):
    """The least that is left of the speed."""

    least_kbps: int


def speed_floor(params: SpeedFloor, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """A slower line is still one that letters and forms can be sent on."""
    limit = _limit(params, facts)
    if limit is None or _rung(action) != "throttled" or limit.kbps is None or limit.kbps >= params.least_kbps:
        return None
    return Objection(reason=f"{limit.kbps} kbit/s is too slow: at least {params.least_kbps} must be left.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published(Excepting):
    """The operator's measures can be read by everybody."""

    url_required: bool = True


def published(params: Published, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Customers know what follows before it does. Fails closed: without ``Limit`` nothing is published."""
    limit = _limit(params, facts)
    if limit is None or limit.published_policy or not params.url_required:
        return None
    return Objection(reason="No policy about unpaid bills is published.", outcome=BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderReview(Excepting):
    """While a body outside decides about the bill, nothing is limited."""


def under_review(params: UnderReview, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Held until the day of the decision; where none is known, or it is late, blocked."""
    limit = _limit(params, facts)
    if limit is None or not limit.under_review:
        return None
    until = _beginning(limit.review_ends_on, facts, at) if limit.review_ends_on else None
    if until is not None and facts.at < until <= at:
        return None
    expected = until if until is not None and at < until else None
    return Objection(reason="The bill is before a dispute scheme: wait for its decision.", until=expected, outcome=HOLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried(Excepting):
    """So many attempts to reach the customer, on so many channels, come first."""

    attempts: int
    channels: int


def tried(params: Tried, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Nobody is cut off who may not have heard of it."""
    if _limit(params, facts) is None:
        return None
    made = [one.channel for one in facts.contacts if one.direction == "outbound" and one.at <= at]
    if len(made) >= params.attempts and len(set(made)) >= params.channels:
        return None
    text = f"The customer was tried {len(made)} times on {len(set(made))} channels"
    return Objection(reason=f"{text}; it takes {params.attempts} on {params.channels}.", requires=("reach_out",))


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudNoted:
    """Fraud passes by the rules of a market, for a reason that is written down."""

    note_required: bool = True


def fraud_noted(params: FraudNoted, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """The exception for fraud is only as good as its note."""
    limit = facts.part(Limit)
    if limit is None or not limit.fraud or limit.fraud_note or not params.note_required:
        return None
    return Objection(reason="Write down why this is fraud.", outcome=REQUIRE, requires=("note_fraud",))


@dataclass(frozen=True, slots=True, kw_only=True)
class NotOn:
    """Days on which nothing is limited, because nobody could put it right at once."""

    #: ISO weekdays, 1 Monday to 7 Sunday.
    weekdays: tuple[int, ...] = ()
    calendar: str = ""
    before_holidays: bool = False
    on_holidays: bool = False
    zone: str = "UTC"


#: No run of holidays is longer.
_MOST_DAYS = 60


def not_on(params: NotOn, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Not before a weekend or a holiday: who pays then waits."""
    zone = ZoneInfo(params.zone)
    today = at.astimezone(zone).date()
    if _is_fit(today, params):
        return None
    later = (today + timedelta(days=days) for days in range(1, _MOST_DAYS))
    fit = next((day for day in later if _is_fit(day, params)), None)
    return Objection(
        reason=f"No service is limited on {today:%A, %d %B}: nobody could put it right the day after.",
        until=calendars.beginning(fit, zone) if fit else None,
        outcome=HOLD,
    )


def _is_fit(day: date, params: NotOn) -> bool:
    return (
        day.isoweekday() not in params.weekdays
        and not (params.on_holidays and calendars.is_holiday(day, params.calendar))
        and not (params.before_holidays and calendars.is_holiday(day + timedelta(days=1), params.calendar))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreFirst:
    """How soon service is back after all was paid."""

    hours: int


def restore_first(params: RestoreFirst, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Who has paid gets service back before anything else is done."""
    limit = facts.part(Limit)
    if limit is None or limit.paid_at is None:
        return None
    zone = next(iter(zones_of(facts.place, at)), _UTC)
    by = (limit.paid_at + timedelta(hours=params.hours)).astimezone(zone)
    return Objection(
        reason=f"It was paid: give service back by {by:%H:%M on %d %B}.", outcome=REQUIRE, requires=("restore",)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gentle:
    """Whose service is not limited, or not by a machine."""

    never: tuple[str, ...] = ("high",)
    #: Codes of needs for which the line is a lifeline.
    lifelines: tuple[str, ...] = ("telecare", "life_support", "emergency_reliance")
    #: A person decides, as the last resort.
    by_people: tuple[str, ...] = ("medium",)


def gentle(params: Gentle, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Those who rely on the line keep it; for others in difficulty a supervisor decides when all else was tried."""
    needs = {need for care in facts.care for need in care.needs}
    if any(care.severity in params.never for care in facts.care) or needs & set(params.lifelines):
        return Objection(reason="The customer relies on the line: it is not limited.", outcome=BLOCK)
    if any(care.severity in params.by_people for care in facts.care):
        text = "The customer needs care: limits are the last resort, and a supervisor's."
        if action.automated:
            return Objection(reason=text, outcome=BLOCK, requires=("supervisor",))
        return Objection(reason=text, outcome=REQUIRE, requires=("supervisor", "last_resort"))
    return None


THEME = Theme(
    checks={
        "warned": Check(WarnedBefore, warned),
        "ladder": Check(Ladder, ladder),
        "arrears": Check(ArrearsAtLeast, arrears),
        "service_concerned": Check(ServiceConcerned, service_concerned),
        "emergency_calls": Check(EmergencyCalls, emergency_calls),
        "speed_floor": Check(SpeedFloor, speed_floor),
        "published": Check(Published, published),
        "under_review": Check(UnderReview, under_review),
        "tried": Check(Tried, tried),
        "fraud_noted": Check(FraudNoted, fraud_noted),
        "not_on": Check(NotOn, not_on),
        "restore_first": Check(RestoreFirst, restore_first),
        "gentle_limits": Check(Gentle, gentle),
    },
    parts=(Limit,),
)
