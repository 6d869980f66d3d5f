"""Who is reached and who may be told: advisers, third parties, the right party, executors, guardians, trustees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dunning.gate.checks.frequency import CALLS, too_many
from dunning.gate.checks.registry import Check, Theme
from dunning.gate.decision import BLOCK, REQUIRE, WARN, Objection
from dunning.gate.facts import CONTACTS, Action, Contact, Facts, SpeaksFor
from dunning.gate.zones import zones_of

_UTC = ZoneInfo("UTC")
#: Somebody asked us; we may answer, and are bound again afterwards.
ANSWERS = ("query_reply", "customer_request", "opt_out_confirmation")
_SPOKEN_TO = ("answered_third_party", "answered_wrong_party", "answered_right_party")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Who is on the line, or to whom it is written, where that is not simply the customer."""

    #: customer, spouse, parent, guardian, executor, administrator, attorney, trustee, third_party; empty: not known.
    role: str = ""
    #: What they named correctly: full_name, dob_or_last4_id, service_address, account_pin.
    factors: frozenset[str] = frozenset()
    #: Shown by a document, or known from before.
    verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdParty:
    """What is known of somebody who is asked where the customer is."""

    #: They asked to be contacted again.
    invited: bool = False
    #: What they said was wrong or incomplete, and they are believed to know better now.
    answer_was_wrong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Circumstances of the customer that decide whom to speak to."""

    born_on: date | None = None
    deceased: bool = False
    #: A bankruptcy or another insolvency stays collection.
    insolvent: bool = False
    in_military_service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRequest:
    """A request not to be called at work, made aloud, and its confirmation in writing."""

    oral_on: date
    confirmed_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Represented:
    """Somebody of these roles is spoken to instead; ``reply_days`` of silence end it, 0 never."""

    roles: tuple[str, ...] = ("attorney",)
    reply_days: int = 30
    write_to: str = "write_to_attorney"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cease:
    """What may still be said after all contact was refused in writing."""

    #: Said as often as the law asks for it.
    purposes: tuple[str, ...] = ("court", "legal_notice")
    #: Said once each.
    once_purposes: tuple[str, ...] = ("suspension_notice",)
    once_templates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RightParty:
    """How identity is verified, and who may hear of the debt as the customer may."""

    min_factors: int = 2
    factors: frozenset[str]
    told: tuple[str, ...]
    #: The customer's consent is asked before their spouse is told.
    ask_spouse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """How often somebody may be asked where the customer is."""

    most_spoken: int = 1
    most_calls: int = 7
    days: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Instead:
    """With one of these holds or circumstances only these people are contacted."""

    #: Reasons of holds that mean it.
    holds: tuple[str, ...]
    #: A circumstance of the person: deceased, insolvent, minor.
    circumstance: str
    roles: tuple[str, ...]
    requires: str
    #: A minor is younger than this.
    full_age: int = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Addresses that others hear or read."""

    blocked: tuple[str, ...] = ("sms", "email", "voicemail", "ringless_vm")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAtWork:
    """How long a request made aloud holds, and how soon it must be confirmed to hold for good."""

    oral_days: int = 10
    confirm_within_days: int = 7
    #: The desk keeps to a request made aloud without an end.
    keep: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Military:
    """Words that speak of going to court."""

    purposes: tuple[str, ...] = ("court", "legal_notice")


def _in_force(one: SpeaksFor, at: datetime) -> bool:
    return one.since <= at and (one.until is None or at < one.until)


def _is_for(action: Action, facts: Facts, roles: tuple[str, ...]) -> bool:
    """Whether this very action goes to somebody of those roles."""
    to = facts.part(Addressee)
    return action.purpose == "adviser" or (to is not None and to.role in roles)


def represented(params: Represented, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """12 CFR 1006.6(b)(2): who has an attorney is not contacted; the attorney is, until silence gives the person back.

    A contact the customer began may be answered; that ends nothing.
    """
    if action.type not in CONTACTS or action.purpose in ANSWERS or _is_for(action, facts, params.roles):
        return []
    found = []
    for one in facts.represented_by:
        if one.role not in params.roles or not _in_force(one, at):
            continue
        who = one.name or one.role.replace("_", " ")
        if _is_silent(params, one, at):
            reason = f"{who} has not answered for {params.reply_days} days."
            found.append(Objection(reason=reason, outcome=WARN, requires=("supervisor_note",)))
            continue
        found.append(Objection(reason=f"{who} speaks for the customer.", outcome=BLOCK, requires=(params.write_to,)))
    return found


def _is_silent(params: Represented, one: SpeaksFor, at: datetime) -> bool:
    if not params.reply_days or one.written_to_at is None or one.answered_at is not None:
        return False
    return at > one.written_to_at + timedelta(days=params.reply_days)


def cease(params: Cease, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.6(c): from the receipt of a written wish that contact end, but for a last word of each kind."""
    if action.type not in CONTACTS or action.purpose in (*ANSWERS, *params.purposes):
        return None
    since = min(
        (
            wish.starts_at or datetime.min.replace(tzinfo=_UTC)
            for wish in facts.preferences
            if wish.kind == "cease"
            and (wish.starts_at is None or wish.starts_at <= at)
            and (wish.ends_at is None or at < wish.ends_at)
        ),
        default=None,
    )
    if since is None:
        return None
    once = action.template in params.once_templates or action.purpose in params.once_purposes
    said = any(
        contact.direction == "outbound" and contact.template == action.template and since <= contact.at <= at
        for contact in facts.contacts
    )
    if once and not said:
        return None
    reason = "The customer asked in writing that all contact end."
    return Objection(reason=f"{reason} This was said already." if once else reason, outcome=BLOCK)


def right_party(params: RightParty, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.6(a), (d)(1): the debt is spoken of with the customer and few others, once they are verified."""
    to = facts.part(Addressee)
    if to is None:
        return None
    identified = to.verified or len(to.factors & params.factors) >= params.min_factors
    if to.role not in ("customer", *params.told, ""):
        return Objection(
            reason="This person may not hear of the debt, nor that there is one.",
            outcome=BLOCK,
            requires=("ask_to_call_back",),
        )
    if not identified:
        return Objection(
            reason="It is not verified who this is: say only who called and ask for a call back.",
            outcome=BLOCK,
            requires=("verify_identity", "ask_to_call_back"),
        )
    if to.role == "spouse" and params.ask_spouse:
        return Objection(
            reason="Ask for the customer's consent before their spouse is told.",
            outcome=WARN,
            requires=("ask_consent",),
        )
    return None


def location_call(params: Location, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.10(b)-(c): once per person unless invited, never where an attorney is known."""
    if any(one.role == "attorney" and _in_force(one, at) for one in facts.represented_by):
        return Objection(
            reason="An attorney speaks for the customer and is asked instead.",
            outcome=BLOCK,
            requires=("write_to_attorney",),
        )
    reached = [
        contact
        for contact in facts.contacts
        if contact.direction == "outbound" and contact.at <= at and _is_theirs(contact, action)
    ]
    spoken = sum(contact.conversation or contact.result in _SPOKEN_TO for contact in reached)
    third = facts.part(ThirdParty) or ThirdParty()
    if spoken >= params.most_spoken and not third.invited and not third.answer_was_wrong:
        return Objection(reason="This person was asked already where the customer is.", outcome=BLOCK)
    if action.type not in CALLS:
        return None
    calls = [contact.at for contact in reached if contact.channel in CALLS]
    text = f"At most {params.most_calls} calls to this person in {params.days} days"
    return too_many(calls, params.most_calls, params.days, facts, at, text)


def _is_theirs(contact: Contact, action: Action) -> bool:
    return contact.reached == "third_party" and (
        not action.address or not contact.address or contact.address == action.address
    )


def instead(params: Instead, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Who has died, is under age or insolvent is not contacted; who stands in for them may be."""
    if not _is_so(params, facts, at) or _is_for(action, facts, params.roles):
        return None
    who = " or ".join(role.replace("_", " ") for role in params.roles)
    return Objection(
        reason=f"The customer is {params.circumstance.replace('minor', 'under age')}: only the {who} may be contacted.",
        outcome=BLOCK,
        requires=(params.requires,),
    )


def _is_so(params: Instead, facts: Facts, at: datetime) -> bool:
    if any(hold.reason in params.holds for hold in facts.holds):
        return True
    if any(one.role in params.roles and one.role != "attorney" and _in_force(one, at) for one in facts.represented_by):
        return True
    person = facts.part(Person)
    if person is None:
        return False
    if params.circumstance == "minor":
        return person.born_on is not None and _age(person.born_on, facts, at) < params.full_age
    return person.deceased if params.circumstance == "deceased" else person.insolvent


def _age(born_on: date, facts: Facts, at: datetime) -> int:
    today = at.astimezone(next(iter(zones_of(facts.place, at)), _UTC)).date()
    return today.year - born_on.year - ((today.month, today.day) < (born_on.month, born_on.day))


def shared(params: Shared, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Where others hear or read it, a person verifies first, and nothing written is sent until the customer agrees."""
    if not facts.address.shared or facts.address.permitted:
        return None
    if action.type in params.blocked:
        reason = "Others read or hear what arrives there, and the customer has not said that it is theirs to use."
        return Objection(reason=reason, outcome=BLOCK, requires=("confirm_address",))
    return Objection(
        reason="Others answer this number: verify who it is before anything is said.",
        outcome=REQUIRE,
        requires=("verify_identity",),
    )


def not_at_work(params: NotAtWork, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """209 CMR 18.16(1)(c): a request made aloud holds ten days, confirmed in writing within seven days for good."""
    asked = facts.part(WorkRequest)
    if asked is None or facts.address.use != "work" or action.purpose in ANSWERS:
        return None
    today = at.astimezone(next(iter(zones_of(facts.place, at)), _UTC)).date()
    if today < asked.oral_on:
        return None
    in_time = asked.oral_on + timedelta(days=params.confirm_within_days)
    confirmed = asked.confirmed_on is not None and asked.confirmed_on <= in_time
    last = asked.oral_on + timedelta(days=params.oral_days - 1)
    if not confirmed and not params.keep and today > last:
        return None
    reason = "The customer asked not to be called at work"
    return Objection(reason=f"{reason}." if confirmed or params.keep else f"{reason}, until {last}.", outcome=BLOCK)


def in_service(params: Military, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """50 U.S.C. 3931: before a court is asked, legal looks at whoever serves."""
    person = facts.part(Person)
    if person is None or not person.in_military_service or action.purpose not in params.purposes:
        return None
    return Objection(reason="The customer serves in the military.", outcome=WARN, requires=("legal_sign_off",))


THEME = Theme(
    checks={
        "represented": Check(Represented, represented),
        "cease": Check(Cease, cease),
        "right_party": Check(RightParty, right_party),
        "location_call": Check(Location, location_call),
        "instead": Check(Instead, instead),
        "shared_address": Check(Shared, shared),
        "not_at_work": Check(NotAtWork, not_at_work),
        "in_service": Check(Military, in_service),
    },
    parts=(Addressee, ThirdParty, Person, WorkRequest),
)
