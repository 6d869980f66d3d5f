"""When a telephone line may be cut for a debt: for which charges, after which notice, on which days. By state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from dunning.gate import calendars
from dunning.gate.checks.registry import Check, Reckoning, Theme
from dunning.gate.decision import BLOCK, HOLD, REQUIRE, WARN, Objection
from dunning.gate.facts import Action, Facts
from dunning.gate.zones import zones_of

_UTC = ZoneInfo("UTC")
#: Nobody waits longer than this for a lawful day.
HORIZON_DAYS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """The overdue part of a bill with basic service, and what was paid on it since; the rest disconnects nothing."""

    deniable: Decimal
    other: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnection:
    """What happened before a line is cut."""

    #: Of the bill it is about; without it, of the oldest that is open.
    bill_on: date | None = None
    notice_sent_on: date | None = None
    notice_received_on: date | None = None
    #: What the notice says: name, address, amount, dates, how_to_avoid, regulator.
    contents: frozenset[str] = frozenset()
    #: The last attempt in good faith to reach the customer.
    tried_to_reach_on: date | None = None
    #: A medical certificate, how often it was renewed, and when the illness ended.
    certified_on: date | None = None
    renewals: int = 0
    well_since: date | None = None
    #: What else the debt is, where that is so: prior_occupant, unregulated_equipment, other_class, guarantee.
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One state's terms; what it does not say is the desk's own."""

    min_days_from_bill: int = 0
    notice_days: int = 10
    #: calendar or business.
    day_type: str = "calendar"
    #: The notice counts from its receipt, where that is known to be needed.
    from_receipt: bool = False
    contents: tuple[str, ...] = ()
    #: Somebody tried to reach the customer so many days before; 0 asks for no attempt.
    pre_contact_days: int = 0
    weekdays: tuple[int, ...] = (1, 2, 3, 4)
    opens: time | None = None
    closes: time | None = None
    not_before_holiday: bool = True
    medical_hold_days: int = 30
    medical_hold_months: int = 0
    medical_renewals: int = 0
    #: The medical hold is added to the day of the disconnection, not counted from the certificate.
    medical_adds_to_date: bool = False
    basic_protected: bool = False
    causes_forbidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DisconnectionRule:
    """Terms by state, and of a state that is not among them."""

    states: Mapping[str, Terms]
    otherwise: Terms
    calendar: str = "US-FED"
    #: How severe the desk's own terms are, where no state's were read: WARN says them, HOLD keeps to them.
    elsewhere: str = WARN


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """Nothing to set."""


def deniable_left(charges: Charges) -> Decimal:
    """What of the deniable part is open: payments go there first, so that a line is kept as long as possible."""
    return max(Decimal(0), charges.deniable - charges.paid)


def deniable_first(params: Whole, given: Charges) -> dict[str, object]:
    """47 CFR 64.2401(c): what is open of either part after a payment without directions."""
    spare = max(Decimal(0), given.paid - given.deniable)
    return {"deniable": deniable_left(given), "other": max(Decimal(0), given.other - spare)}


def deniable_only(params: Whole, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """47 CFR 64.2401(c): basic service is cut for the charges alone that the bill says disconnect it.

    Says nothing where a bill has no such parts, as those of mobiles do not.
    """
    charges = facts.part(Charges)
    if charges is None or deniable_left(charges) > 0:
        return None
    return Objection(reason="What is overdue does not disconnect basic service.", outcome=BLOCK)


def state_notice(params: DisconnectionRule, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """The state's terms of a disconnection for non-payment. Fails closed: without a notice on record no line is cut."""
    states = sorted(code for code in facts.jurisdictions if code in params.states)
    known = facts.part(Disconnection) or Disconnection()
    if states:
        return [one for code in states for one in _by(params.states[code], params.calendar, known, facts, at)]
    if (never := _never(params.otherwise, known, facts)) is not None:
        return [never]
    ours = _by(params.otherwise, params.calendar, known, facts, at)
    return ours if params.elsewhere == HOLD else [replace(one, outcome=params.elsewhere, until=None) for one in ours]


def _by(terms: Terms, calendar: str, known: Disconnection, facts: Facts, at: datetime) -> list[Objection]:
    if (never := _never(terms, known, facts)) is not None:
        return [never]
    noticed = known.notice_received_on if terms.from_receipt else (known.notice_sent_on or known.notice_received_on)
    if noticed is None:
        reason = "No notice of disconnection was received." if terms.from_receipt else "No notice of it was sent."
        return [Objection(reason=reason, outcome=BLOCK, requires=("disconnection_notice",))]
    found = []
    if known.notice_sent_on or known.notice_received_on:
        missing = sorted(set(terms.contents) - known.contents)
        if missing:
            reason = f"The notice does not give {', '.join(missing).replace('_', ' ')}."
            found.append(Objection(reason=reason, outcome=BLOCK, requires=("disconnection_notice",)))
    if terms.pre_contact_days and known.tried_to_reach_on is None:
        reason = "Nobody has tried to reach the customer before the line is cut."
        found.append(Objection(reason=reason, outcome=REQUIRE, requires=("reach_customer",)))
    first, why = _first_day(terms, calendar, known, facts, noticed)
    for zone in zones_of(facts.place, at) or (_UTC,):
        until = _next_moment(terms, calendar, first, at, zone)
        if until == at:
            continue
        today = at.astimezone(zone).date()
        reason = why if today < first else _shut(terms)
        found.append(Objection(reason=reason, until=until, outcome=HOLD if until else BLOCK))
    return found


def _never(terms: Terms, known: Disconnection, facts: Facts) -> Objection | None:
    """What no waiting makes lawful."""
    owed = facts.debt.overdue if facts.debt.overdue is not None else facts.debt.balance
    if owed is not None and facts.debt.disputed and facts.debt.disputed >= owed:
        return Objection(reason="All that is overdue is disputed.", outcome=BLOCK, requires=("settle_dispute",))
    if known.cause in terms.causes_forbidden:
        return Objection(reason=f"No line is cut for this: {known.cause.replace('_', ' ')}.", outcome=BLOCK)
    charges = facts.part(Charges)
    if terms.basic_protected and charges is not None and deniable_left(charges) <= 0:
        return Objection(reason="Basic service is not cut for other charges.", outcome=BLOCK)
    return None


def _first_day(terms: Terms, calendar: str, known: Disconnection, facts: Facts, noticed: date) -> tuple[date, str]:
    """The first day that notice, bill, attempt and illness leave, and which of them it is."""
    days = [(_add(noticed, terms.notice_days, terms, calendar), f"{terms.notice_days} days after the notice")]
    bill = known.bill_on or facts.debt.oldest_bill_on
    if terms.min_days_from_bill and bill is not None:
        days.append((bill + timedelta(days=terms.min_days_from_bill), f"{terms.min_days_from_bill} days from the bill"))
    if terms.pre_contact_days and known.tried_to_reach_on is not None:
        tried = known.tried_to_reach_on + timedelta(days=terms.pre_contact_days)
        days.append((tried, f"{terms.pre_contact_days} days after the attempt to reach the customer"))
    day, what = max(days)
    if known.certified_on is not None and known.certified_on <= day:
        hold = _medical(terms, known, day if terms.medical_adds_to_date else known.certified_on)
        if hold > day:
            day, what = hold, "when the hold for an illness ends"
    return day, f"The line may be cut from {day}: {what}."


def _medical(terms: Terms, known: Disconnection, since: date) -> date:
    times = 1 + min(known.renewals, terms.medical_renewals)
    ends = calendars.add_months(since, times * terms.medical_hold_months) + timedelta(
        days=0 if terms.medical_hold_months else times * terms.medical_hold_days
    )
    return min(ends, known.well_since) if known.well_since is not None else ends


def _add(day: date, days: int, terms: Terms, calendar: str) -> date:
    if terms.day_type == "business":
        return calendars.add_business_days(day, days, calendar)
    return day + timedelta(days=days)


def _next_moment(terms: Terms, calendar: str, first: date, at: datetime, zone: ZoneInfo) -> datetime | None:
    """``at`` itself where it suits, else the next opening; none within the horizon."""
    local = at.astimezone(zone)
    opens, closes = terms.opens or time.min, terms.closes or time.max
    if local.date() >= first and _is_day(terms, calendar, local.date()) and opens <= local.time() < closes:
        return at
    begins = max(first, local.date())
    for days in range(HORIZON_DAYS + 1):
        day = begins + timedelta(days=days)
        moment = datetime.combine(day, opens, tzinfo=zone)
        if moment > at and _is_day(terms, calendar, day):
            return moment
    return None


def _is_day(terms: Terms, calendar: str, day: date) -> bool:
    if day.isoweekday() not in terms.weekdays:
        return False
    if not terms.not_before_holiday:
        return True
    return not calendars.is_holiday(day, calendar) and not calendars.is_holiday(day + timedelta(days=1), calendar)


def _shut(terms: Terms) -> str:
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    days = ", ".join(names[day - 1] for day in sorted(terms.weekdays))
    hours = f" from {terms.opens:%H:%M} to {terms.closes:%H:%M}" if terms.opens and terms.closes else ""
    return f"Lines are cut on {days} only{hours}, and not before a holiday."


THEME = Theme(
    checks={
        "deniable_only": Check(Whole, deniable_only),
        "state_disconnection": Check(DisconnectionRule, state_notice),
    },
    parts=(Charges, Disconnection),
    reckonings={"deniable_first": Reckoning(Whole, Charges, deniable_first)},
)
