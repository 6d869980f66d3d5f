"""What a customer allowed or forbade: media, electronic messages, machines that call, and how an opt-out is heard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dunning.gate import calendars
from dunning.gate.checks.frequency import CALLS, too_many
from dunning.gate.checks.registry import Check, Reckoning, Theme
from dunning.gate.checks.words import Phrases, phrases_for, plain, says, words_of
from dunning.gate.decision import BLOCK, HOLD, Objection
from dunning.gate.facts import Action, AddressFact, ConsentFact, Facts
from dunning.gate.zones import zones_of

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailRoute:
    """How an e-mail address came to a collector (12 CFR 1006.6(d)(4))."""

    #: The creditor had it from the customer, wrote to it about the account, and nobody objected.
    creditor_used_it: bool = False
    #: The creditor's notice naming the collector, and the day until which the customer could opt out.
    notice_sent_on: date | None = None
    notice_deadline: date | None = None
    opted_out: bool = False
    #: The immediately prior collector wrote to it without an opt-out, having it by one of the lawful ways.
    prior_collector_used_it: bool = False
    #: Mail to it is known to have reached somebody else.
    leaked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberCheck:
    """What the reassigned numbers database said of the number, and when."""

    checked_on: date | None = None
    reassigned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A message that may be an opt-out and that a person has yet to read."""

    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One confirmation of an opt-out, saying nothing else, soon after it."""

    confirmations: int = 1
    confirm_within_minutes: int = 5
    #: What a confirmation must not say.
    words: Phrases
    #: Answers on a refused medium, for each message the customer sends on it.
    reply_allowance: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A consent to this channel is on record, for one of these purposes."""

    purposes: tuple[str, ...]
    #: The consent is so young; 0 sets no limit.
    days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailUse:
    """Which addresses a collector may write to."""

    notice_days: int = 35
    public_domains: tuple[str, ...]
    employer_domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextUse:
    """Which numbers a collector may text."""

    recency_days: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCalls:
    """Calls by machines, recorded voices and automatic texts."""

    #: Sources of a number by which the customer gave it for this account; empty is the billing system's.
    given_sources: tuple[str, ...] = ("", "customer")
    #: Recorded calls to a house line without a consent.
    residential_most: int = 3
    residential_days: int = 30
    marketing_words: Phrases


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One STOP ends all automatic contact of the sender from ``all_from``; at once where ``all_now`` is set."""

    all_from: date
    all_now: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A person reads within so many business days; meanwhile nothing is sent."""

    business_days: int = 1
    calendar: str = "US-FED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Solicitation:
    """Hours of messages that also sell something; states may close earlier."""

    opens: time = time(8)
    closes: time = time(21)
    closes_in: Mapping[str, time]
    marketing_words: Phrases


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutWords:
    """Words that end consent by themselves; ``unclear`` ones are read by a person."""

    keywords: tuple[str, ...]
    unclear: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a customer wrote."""

    text: str


def _latest(facts: Facts, at: datetime, channel: str, purposes: Iterable[str], address: str) -> ConsentFact | None:
    """What was said last about this channel and address, by anybody we had it from directly."""
    wanted = set(purposes)
    told = [
        consent
        for consent in facts.consents
        if consent.channel == channel
        and consent.purpose in wanted
        and consent.given_to == "desk"
        and consent.at <= at
        and (not consent.value or not address or consent.value == address)
    ]
    return max(told, key=lambda consent: consent.at, default=None)


def _allows(consent: ConsentFact | None, at: datetime) -> bool:
    return consent is not None and consent.given and (consent.until is None or at < consent.until)


def _refusal(facts: Facts, action: Action, at: datetime) -> ConsentFact | None:
    channel = "call" if action.type in CALLS else action.type
    said = _latest(facts, at, channel, ("service",), action.address)
    return said if said is not None and not said.given else None


def medium_refused(params: Refusal, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.14(h): a medium or an address that the person asked us not to use, for any debt.

    One confirmation that says nothing else may follow; a message they send on that medium may be answered.
    """
    refusal = _refusal(facts, action, at)
    if action.purpose == "opt_out_confirmation":
        return _confirmation(params, action, facts, at, refusal)
    if refusal is None and not facts.refused:
        return None
    if action.purpose in ("query_reply", "customer_request"):
        asked = max(
            (
                contact.at
                for contact in facts.contacts
                if contact.direction == "inbound" and contact.channel == action.type and contact.at <= at
            ),
            default=None,
        )
        since_refusal = asked is not None and (refusal is None or asked >= refusal.at)
        if asked is not None and since_refusal and _sent_since(facts, action.type, asked, at) < params.reply_allowance:
            return None
    return Objection(reason="The customer asked us not to use this way of contact.", outcome=BLOCK)


def _confirmation(
    params: Refusal, action: Action, facts: Facts, at: datetime, refusal: ConsentFact | None
) -> Objection | None:
    if said := says(words_of(action), phrases_for(params.words, "")):
        return Objection(reason=f'The confirmation of an opt-out says nothing else; this says "{said}".', outcome=BLOCK)
    if refusal is None:
        return None
    if at > refusal.at + timedelta(minutes=params.confirm_within_minutes):
        return Objection(reason="It is too late to confirm the opt-out.", outcome=BLOCK)
    if _sent_since(facts, action.type, refusal.at, at) >= params.confirmations:
        return Objection(reason="The opt-out was confirmed already.", outcome=BLOCK)
    return None


def _sent_since(facts: Facts, channel: str, since: datetime, at: datetime) -> int:
    return sum(
        contact.direction == "outbound" and contact.channel == channel and since <= contact.at <= at
        for contact in facts.contacts
    )


def consent_on_record(params: Allowed, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """A channel that needs the customer's yes; without a record of it nothing is sent."""
    said = _latest(facts, at, action.type, params.purposes, action.address)
    young = said is not None and (not params.days or at < said.at + timedelta(days=params.days))
    if _allows(said, at) and young:
        return None
    return Objection(
        reason="There is no record that the customer agreed to messages on this channel.",
        outcome=BLOCK,
        requires=("ask_consent",),
    )


def email_use(params: EmailUse, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.6(d)(3)-(4), 1006.22(f)(3): by the customer's own use or consent, or by the creditor's notice.

    Without a lawful way on record the address is not used: others may read it.
    """
    route = facts.part(EmailRoute) or EmailRoute()
    if facts.address.unusable or route.leaked:
        return Objection(reason="Mail to this address reached somebody else, or nobody.", outcome=BLOCK)
    if _used_or_allowed(action, facts, at):
        return None
    domain = action.address.rpartition("@")[2].lower()
    if facts.address.use == "work" or domain in params.employer_domains:
        return Objection(reason="The address is one at work: an employer may read it.", outcome=BLOCK)
    if route.opted_out:
        return Objection(reason="The customer opted out of this address.", outcome=BLOCK)
    if route.prior_collector_used_it:
        return None
    if domain not in params.public_domains:
        return Objection(reason=f"{domain or 'The address'} is not open to the general public.", outcome=BLOCK)
    if not route.creditor_used_it or route.notice_sent_on is None:
        return Objection(
            reason="The creditor has not told the customer that this address will be used.",
            outcome=BLOCK,
            requires=("creditor_notice",),
        )
    return _period(params, route, route.notice_sent_on, facts, at)


def _used_or_allowed(action: Action, facts: Facts, at: datetime) -> bool:
    """Route (a): the customer wrote to us from it, or agreed to us directly, and did not opt out since."""
    said = _latest(facts, at, "email", ("service", "electronic"), action.address)
    if said is not None:
        return _allows(said, at)
    return any(
        contact.direction == "inbound"
        and contact.channel == "email"
        and contact.at <= at
        and (not action.address or contact.address == action.address)
        for contact in facts.contacts
    )


def _period(params: EmailUse, route: EmailRoute, sent_on: date, facts: Facts, at: datetime) -> Objection | None:
    """The customer has at least so many days to opt out, and all of the last one."""
    last = max(route.notice_deadline or date.min, sent_on + timedelta(days=params.notice_days))
    zones = zones_of(facts.place, at) or (_UTC,)
    until = max(calendars.beginning(last + timedelta(days=1), zone) for zone in zones)
    if at >= until:
        return None
    return Objection(reason=f"The customer may still opt out of this address until {last}.", until=until, outcome=HOLD)


def text_use(params: TextUse, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.6(d)(5): a text or a consent of the last sixty days, or a look into the reassigned numbers since."""
    number = facts.part(NumberCheck) or NumberCheck()
    if number.reassigned or facts.address.unusable:
        return Objection(
            reason="The number belongs to somebody else now.", outcome=BLOCK, requires=("mark_number_stale",)
        )
    said = _latest(facts, at, "sms", ("service", "electronic", "automated"), action.address)
    if said is not None and not said.given:
        return Objection(reason="The customer opted out of texts to this number.", outcome=BLOCK)
    moments = [said.at] if _allows(said, at) and said is not None else []
    moments += [
        contact.at
        for contact in facts.contacts
        if contact.direction == "inbound"
        and contact.channel == "sms"
        and contact.at <= at
        and (not action.address or not contact.address or contact.address == action.address)
    ]
    if not moments:
        return Objection(reason="The customer neither texted us from this number nor agreed to texts.", outcome=BLOCK)
    zone = next(iter(zones_of(facts.place, at)), _UTC)
    last = max(moments).astimezone(zone).date()
    today = at.astimezone(zone).date()
    checked = number.checked_on is not None and last <= number.checked_on <= today
    if checked or today <= last + timedelta(days=params.recency_days):
        return None
    return Objection(
        reason=f"The last text or consent is older than {params.recency_days} days.",
        requires=("renew_consent", "check_reassigned_numbers"),
    )


def machine_calls(params: MachineCalls, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """47 U.S.C. 227(b): recorded voices and automatic texts to mobiles need consent, which a number given for the
    account is; a line nobody looked up is taken for a mobile.
    """
    if not (action.automated or action.prerecorded):
        return None
    if action.purpose == "marketing" or (said := says(words_of(action), phrases_for(params.marketing_words, ""))):
        what = "is marketing" if action.purpose == "marketing" else f'says "{said}", which is marketing'
        return Objection(reason=f"The message {what}: that needs a written consent.", outcome=BLOCK)
    if (facts.part(NumberCheck) or NumberCheck()).reassigned:
        return Objection(reason="The number belongs to somebody else now.", outcome=BLOCK)
    if _machines_allowed(params, facts.address, action, facts, at):
        return None
    if facts.address.line == "landline" and action.type != "sms":
        recorded = [
            contact.at
            for contact in facts.contacts
            if contact.direction == "outbound" and contact.prerecorded and contact.at <= at and not contact.not_theirs
        ]
        most, days = params.residential_most, params.residential_days
        return too_many(recorded, most, days, facts, at, f"At most {most} recorded calls in {days} days")
    return Objection(
        reason="The customer did not give us this number: a machine may not call or text it.", outcome=BLOCK
    )


def _machines_allowed(params: MachineCalls, address: AddressFact, action: Action, facts: Facts, at: datetime) -> bool:
    said = _latest(facts, at, "sms" if action.type == "sms" else "call", ("automated",), action.address)
    if said is not None:
        return _allows(said, at)
    return address.source in params.given_sources


def revoked(params: Revocation, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """47 CFR 64.1200(a)(10)-(12): a STOP on any thread ends automatic contact; a later consent begins it anew.

    "Stop calling" asks for no more calls (12 CFR 1006.14(h)) and leaves texts as they are.
    """
    if not (action.automated or action.prerecorded):
        return None
    channels = {"sms", "call"} if action.type in (*CALLS, "sms") else {action.type}
    wanted = "call" if action.type in CALLS else action.type
    zone = ZoneInfo("America/New_York")
    everything = params.all_now or at.astimezone(zone).date() >= params.all_from
    stops = [
        consent
        for consent in facts.consents
        if not consent.given
        and consent.at <= at
        and (not consent.value or consent.value == action.address)
        and (
            (everything and consent.channel in channels and (consent.channel, consent.purpose) != ("call", "service"))
            or (consent.purpose in ("automated", "service") and consent.channel == wanted)
        )
    ]
    last = max((consent.at for consent in stops), default=None)
    if last is None:
        return None
    again = _latest(facts, at, wanted, ("automated", "service"), action.address)
    if _allows(again, at) and again is not None and again.at > last:
        return None
    return Objection(reason="The customer revoked consent to automatic calls and texts.", outcome=BLOCK)


def being_read(params: Reading, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """What may be an opt-out is read by a person first; unread in time, it is taken for one."""
    unread = facts.part(Unread)
    if unread is None or unread.received_at > at:
        return None
    zone = next(iter(zones_of(facts.place, at)), _UTC)
    received = unread.received_at.astimezone(zone).date()
    last = calendars.add_business_days(received, params.business_days, params.calendar)
    until = calendars.beginning(last + timedelta(days=1), zone)
    if facts.at >= until:
        return Objection(reason="What may be an opt-out has not been read in time.", outcome=BLOCK)
    if at >= until:
        return None
    return Objection(
        reason="A message that may be an opt-out is being read.", until=until, outcome=HOLD, requires=("read_message",)
    )


def solicitation_hours(params: Solicitation, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """47 CFR 64.1200(c)(1): hours of solicitations, which a plain reminder is not; states close earlier."""
    if action.purpose != "marketing" and not says(words_of(action), phrases_for(params.marketing_words, "")):
        return None
    closes = min([params.closes, *(params.closes_in[code] for code in facts.jurisdictions if code in params.closes_in)])
    if all(params.opens <= at.astimezone(zone).time() < closes for zone in zones_of(facts.place, at)):
        return None
    return Objection(
        reason=f"A message that sells something is allowed from {params.opens:%H:%M} to {closes:%H:%M} only.",
        outcome=BLOCK,
    )


def opt_out_said(params: OptOutWords, given: Message) -> dict[str, object]:
    """What an answer means: ``stop`` where a keyword is all it says, ``read`` where it may mean so, or ``nothing``."""
    bare = " ".join(re.sub(r"[^\w\s]", " ", plain(given.text)).split())
    closed = bare.replace(" ", "")
    if closed in {keyword.replace(" ", "") for keyword in params.keywords}:
        return {"heard": "stop"}
    if says(given.text, params.keywords) or says(given.text, params.unclear):
        return {"heard": "read"}
    return {"heard": "nothing"}


THEME = Theme(
    checks={
        "medium_refused": Check(Refusal, medium_refused),
        "consent_on_record": Check(Allowed, consent_on_record),
        "email_use": Check(EmailUse, email_use),
        "text_use": Check(TextUse, text_use),
        "machine_calls": Check(MachineCalls, machine_calls),
        "revoked": Check(Revocation, revoked),
        "being_read": Check(Reading, being_read),
        "solicitation_hours": Check(Solicitation, solicitation_hours),
    },
    parts=(EmailRoute, NumberCheck, Unread),
    reckonings={"opt_out_said": Reckoning(OptOutWords, Message, opt_out_said)},
)
