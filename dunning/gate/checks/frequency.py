"""How often somebody may be reached: calls and messages in days, quiet after a conversation, no rapid fire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dunning.gate import calendars
from dunning.gate.checks.registry import Check, Reckoning, Theme
from dunning.gate.decision import WARN, Objection
from dunning.gate.facts import Action, Contact, Facts
from dunning.gate.zones import zones_of

CALLS = ("call", "ringless_vm", "voicemail")
#: Nothing rang anywhere: 12 CFR 1006.14(b)(4)(ii), comment 14(b)(4)-2.
NOT_CONNECTED = ("no_connect_busy", "no_connect_invalid")
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class InDays:
    """At most ``most`` contacts on these channels within ``days`` consecutive days, this one included."""

    most: int
    days: int
    channels: tuple[str, ...] = CALLS
    #: ``account``: all its debts are one, stricter than the law; ``debt``: each for itself.
    per: str = "account"
    #: Only what reached the customer there: work, third_party, or ``other`` than work; empty: everywhere.
    reached: str = ""
    #: Results that do not count.
    not_counted: tuple[str, ...] = NOT_CONNECTED
    #: Calls that a consent covers neither count nor are held back.
    consent_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """No call for ``days`` days, the day of the conversation being the first."""

    days: int
    per: str = "account"
    consent_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRapidFire:
    """Limits under the caps of the law; 0 sets none."""

    most_calls_a_day: int = 2
    min_gap_minutes: int = 120
    busy_gap_minutes: int = 30
    most_sms_7d: int = 3
    most_email_7d: int = 4
    most_all_7d: int = 10


def _mine(contact: Contact, action: Action, per: str) -> bool:
    """Whether it counts for what the action is about."""
    return per != "debt" or not contact.debts or not action.debts or bool(contact.debts & action.debts)


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _consented(facts: Facts, action: Action, moment: datetime, days: int) -> bool:
    """Whether a call at that moment is one the person asked for (12 CFR 1006.14(b)(3)(i)).

    Up to ``days`` days with the consent's own as the first, until it is revoked, its time is up, or a conversation
    takes place.
    """
    if not days:
        return False
    zone = next(iter(zones_of(facts.place, moment)), _UTC)
    for consent in facts.consents:
        if consent.purpose != "extra_calls" or not consent.given or consent.given_to != "desk" or consent.at > moment:
            continue
        if consent.debts and action.debts and not consent.debts & action.debts:
            continue
        last = _day(consent.at, zone) + timedelta(days=days - 1)
        if _day(moment, zone) > last or (consent.until is not None and moment >= consent.until):
            continue
        ended = any(
            other.purpose == "extra_calls" and not other.given and consent.at < other.at <= moment
            for other in facts.consents
        ) or any(contact.conversation and consent.at < contact.at < moment for contact in facts.contacts)
        if not ended:
            return True
    return False


def in_days(params: InDays, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.14(b)(2)(i)(A) and the caps of states: counted by local days, the worst zone decides."""
    if not _counts(params, action, facts) or _consented(facts, action, at, params.consent_days):
        return None
    return too_many(_counted(params, action, facts, at), params.most, params.days, facts, at, _said(params))


def _counts(params: InDays, action: Action, facts: Facts) -> bool:
    """Whether such an action is one of those that are counted."""
    return action.type in params.channels and (not params.reached or _reaches(params.reached, facts.address.use))


def _counted(params: InDays, action: Action, facts: Facts, at: datetime) -> list[datetime]:
    return [
        contact.at
        for contact in facts.contacts
        if contact.direction == "outbound"
        and contact.channel in params.channels
        and contact.at <= at
        and not contact.not_theirs
        and contact.result not in params.not_counted
        and (not params.reached or _reaches(params.reached, contact.reached))
        and _mine(contact, action, params.per)
        and not _consented(facts, action, contact.at, params.consent_days)
    ]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a limit leaves: so many used of so many in so many days, and when one more is free again, if none is."""

    used: int
    most: int
    days: int
    calls_alone: bool
    free_at: datetime | None


def allowance(params: object, action: Action, facts: Facts, at: datetime) -> Allowance | None:
    """How far a limit is used up by ``at``; none where the check counts nothing for such an action."""
    if isinstance(params, InDays) and _counts(params, action, facts):
        moments, most, days = _counted(params, action, facts, at), params.most, params.days
        calls_alone = set(params.channels) <= set(CALLS)
    elif isinstance(params, NoRapidFire) and params.most_calls_a_day and action.type in CALLS:
        sent = [c for c in facts.contacts if c.direction == "outbound" and c.at <= at and not c.not_theirs]
        moments = [c.at for c in sent if c.channel in CALLS and c.result not in NOT_CONNECTED]
        most, days, calls_alone = params.most_calls_a_day, 1, True
    else:
        return None
    used = max(_inside(moments, days, zone, at) for zone in zones_of(facts.place, at) or (_UTC,))
    full = too_many(moments, most, days, facts, at, "")
    return Allowance(used, most, days, calls_alone, full.until if full else None)


def _inside(moments: Sequence[datetime], days: int, zone: ZoneInfo, at: datetime) -> int:
    today = _day(at, zone)
    return sum(today - timedelta(days=days) < _day(moment, zone) <= today for moment in moments)


def _reaches(wanted: str, reached: str) -> bool:
    return reached != "work" if wanted == "other" else reached == wanted


def _said(params: InDays) -> str:
    what = "calls" if set(params.channels) <= set(CALLS) else "contacts"
    where = {"work": " at work", "third_party": " of this third party"}.get(params.reached, "")
    return f"At most {params.most} {what}{where} in {params.days} days"


def too_many(
    moments: Sequence[datetime], most: int, days: int, facts: Facts, at: datetime, said: str
) -> Objection | None:
    """An objection where so many of the moments lie within ``days`` local days; the worst zone decides."""
    until: datetime | None = None
    worst = 0
    for zone in zones_of(facts.place, at) or (_UTC,):
        today = _day(at, zone)
        inside = sorted(
            day for moment in moments if today - timedelta(days=days) < (day := _day(moment, zone)) <= today
        )
        if len(inside) >= most:
            # The oldest that must leave the window takes with it all of its own day.
            leaves = calendars.beginning(inside[len(inside) - most] + timedelta(days=days), zone)
            until, worst = max(until or leaves, leaves), max(worst, len(inside))
    return None if until is None else Objection(reason=f"{said}; there were {worst}.", until=until)


def quiet(params: Quiet, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.14(b)(2)(i)(B): whoever called, and whoever spoke of the debt."""
    if _consented(facts, action, at, params.consent_days):
        return None
    talks = [
        contact.at
        for contact in facts.contacts
        if contact.channel == "call"
        and contact.conversation
        and contact.at <= at
        and not contact.not_theirs
        and _mine(contact, action, params.per)
    ]
    text = f"There was a conversation; after one there are {params.days} days without a call"
    found = too_many(talks, 1, params.days, facts, at, text)
    return found and Objection(reason=f"{text}.", until=found.until)


def no_rapid_fire(params: NoRapidFire, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """12 CFR 1006.14(a): under the cap, calls in quick succession can be harassment; the numbers are the desk's own."""
    found: list[Objection] = []
    sent = [c for c in facts.contacts if c.direction == "outbound" and c.at <= at and not c.not_theirs]
    if action.type in CALLS:
        calls = [contact for contact in sent if contact.channel in CALLS]
        found += _gaps(params, calls, at)
        rang = [contact.at for contact in calls if contact.result not in NOT_CONNECTED]
        if params.most_calls_a_day:
            text = f"At most {params.most_calls_a_day} calls a day"
            found += _list(too_many(rang, params.most_calls_a_day, 1, facts, at, text))
    for channel, most in (("sms", params.most_sms_7d), ("email", params.most_email_7d)):
        if most and action.type == channel:
            moments = [contact.at for contact in sent if contact.channel == channel and not contact.reply]
            found += _list(too_many(moments, most, 7, facts, at, f"At most {most} messages by {channel} in 7 days"))
    if params.most_all_7d and action.purpose != "query_reply":
        moments = [c.at for c in sent if c.result not in NOT_CONNECTED and not c.reply and c.channel != "letter"]
        text = f"At most {params.most_all_7d} contacts on all channels in 7 days"
        found += _list(too_many(moments, params.most_all_7d, 7, facts, at, text))
    return found


def _gaps(params: NoRapidFire, calls: Sequence[Contact], at: datetime) -> list[Objection]:
    last = max(calls, key=lambda contact: contact.at, default=None)
    if last is None or last.conversation:
        return []
    minutes = params.busy_gap_minutes if last.result in NOT_CONNECTED else params.min_gap_minutes
    until = last.at + timedelta(minutes=minutes)
    if at >= until:
        return []
    return [Objection(reason=f"The last call was less than {minutes} minutes ago.", until=until)]


def _list(found: Objection | None) -> list[Objection]:
    return [] if found is None else [found]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlsoReached:
    """Contacts beside the account's own: with the same person about other accounts, with others of the household."""

    person: tuple[Contact, ...] = ()
    household: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TooManyWarned:
    """As ``InDays`` over everything sent to the person, or to their household: only a warning."""

    most: int
    days: int = 7
    #: ``person`` or ``household``.
    of: str = "person"


def warned_in_days(params: TooManyWarned, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """The person's or the household's own cap, whatever the account: said, not enforced.

    Of contacts about one account alone its own rules speak.
    """
    also = facts.part(AlsoReached) or AlsoReached()
    others = [*also.person, *(also.household if params.of == "household" else ())]
    if not others:
        return None
    contacts = [*facts.contacts, *others]
    moments = [contact.at for contact in contacts if contact.direction == "outbound" and contact.at <= at]
    text = f"More than {params.most} contacts in {params.days} days with this {params.of}"
    found = too_many(moments, params.most, params.days, facts, at, text)
    return found and Objection(reason=found.reason, outcome=WARN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentDays:
    """Days that a consent to more calls lasts, its own day the first."""

    consent_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraCalls:
    """A consent to more calls, and what ended it early."""

    given_on: date
    given_to: str = "desk"
    ends_on: date | None = None
    revoked_on: date | None = None
    talked_on: date | None = None


def consented_calls(params: ConsentDays, given: ExtraCalls) -> dict[str, object]:
    """12 CFR 1006.14(b)(3)(i): the last day of it; none where it was given to somebody else."""
    if given.given_to != "desk":
        return {"last_day": None}
    ends = [given.given_on + timedelta(days=params.consent_days - 1), given.ends_on, given.revoked_on, given.talked_on]
    return {"last_day": min(day for day in ends if day is not None)}


THEME = Theme(
    checks={
        "in_days": Check(InDays, in_days),
        "quiet": Check(Quiet, quiet),
        "no_rapid_fire": Check(NoRapidFire, no_rapid_fire),
        "warned_in_days": Check(TooManyWarned, warned_in_days),
    },
    parts=(AlsoReached,),
    reckonings={"consented_calls": Reckoning(ConsentDays, ExtraCalls, consented_calls)},
)
