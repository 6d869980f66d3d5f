"""What personal data may be used for, kept, handed on and decided from; and how soon a request is answered.

Regulation (EU) 2016/679 and the UK GDPR; India's Digital Personal Data Protection Act 2023 and Rules 2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from accounts.sensitive_words import diagnosis_in
from dunning.gate import calendars
from dunning.gate.checks.registry import Check, Reckoning, Theme
from dunning.gate.checks.words import Phrases, phrases_for, says, words_of
from dunning.gate.decision import BLOCK, REQUIRE, WARN, Objection
from dunning.gate.facts import CONTACTS, Action, Facts

CLAIM, MARKETING = "collection_claim", "marketing"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataUse:
    """What data is about to be used, for which purpose; the action says whether it is read, stored or handed on."""

    #: service, billing, collection_claim, marketing, analytics, tracing.
    purpose: str
    #: identity, contact, account, debt, debt_calls, payment_history, friend_contact, location, marketing_profile.
    category: str
    #: The person agreed to this purpose.
    consented: bool = False
    #: It is written down who looked.
    logged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Purposes:
    """Which data serves which purpose without asking anybody."""

    #: Data that a claim needs; with ``collection_claim`` nothing else is used.
    claim_scope: tuple[str, ...]
    #: Purposes that need the person's consent of their own.
    consent_for: tuple[str, ...] = (MARKETING, "analytics")
    #: Reading leaves a line in the access log.
    access_log: bool = True


def purpose(params: Purposes, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """DPDP Act s. 6 and s. 17(1)(a); GDPR Art. 5(1)(b)-(c): what was given for one thing is not used for another."""
    use = facts.part(DataUse)
    if use is None:
        return None
    if use.purpose == CLAIM and use.category not in params.claim_scope:
        what = use.category.replace("_", " ")
        return Objection(reason=f"The claim does not need this: {what}.", outcome=BLOCK)
    if use.purpose in params.consent_for and not use.consented:
        return Objection(reason=f"The customer did not agree to this use for {use.purpose}.", outcome=BLOCK)
    if params.access_log and action.type == "read" and not use.logged:
        return Objection(reason="Write down who reads this and why.", outcome=REQUIRE, requires=("log_access",))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long what a claim or the law needs is kept."""

    #: The article by which erasure is refused, as it is told to the person.
    ground: str
    #: Data that a claim needs.
    claim_scope: tuple[str, ...] = ("identity", "contact", "account", "debt", "debt_calls", "payment_history")
    #: After the due date a claim can no longer be brought; after settlement books must still be kept.
    limitation_years: int
    books_years: int
    #: Logs of who read what, from the day of each line.
    log_days: int = 365
    #: The answer is due so many months, or else days, after the request.
    reply_months: int = 0
    reply_days: int = 0
    calendar: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureAsked:
    """Somebody asks that their data be erased."""

    asked_on: date
    open_amount: Decimal = Decimal(0)
    #: Of the oldest open bill; of the last one paid.
    due_on: date | None = None
    settled_on: date | None = None
    holds: tuple[str, ...] = ("claim", "marketing", "logs")


def erasure(params: Kept, given: ErasureAsked) -> Mapping[str, object]:
    """``answer``: erase, or refuse for what the claim needs; ``erase`` and ``keep`` name kinds of data; ``reply_by``.

    GDPR Art. 17(3)(b), (e); DPDP Act s. 17(1)(a). Marketing profiles go in any case; logs stay their time.
    """
    needed = _is_needed(params, given.open_amount, given.due_on, given.settled_on, given.asked_on)
    keep = [kind for kind in given.holds if (kind == "claim" and needed) or kind == "logs"]
    return {
        "answer": "refuse" if needed else "erase",
        "reason": params.ground if needed else "",
        "erase": [kind for kind in given.holds if kind not in keep],
        "keep": keep,
        "reply_by": _reply_by(params, given.asked_on),
    }


def _is_needed(params: Kept, open_amount: Decimal, due_on: date | None, settled_on: date | None, today: date) -> bool:
    """Whether a claim or the books still need the data; an open debt without a date is not out of time."""
    if open_amount > 0:
        return due_on is None or today <= calendars.add_months(due_on, 12 * params.limitation_years)
    years = max(params.limitation_years, params.books_years)
    return settled_on is not None and today <= calendars.add_months(settled_on, 12 * years)


def _reply_by(params: Kept, asked_on: date) -> date:
    if not params.reply_months:
        return asked_on + timedelta(days=params.reply_days)
    due = calendars.add_months(asked_on, params.reply_months)
    return calendars.next_business_day(due, params.calendar) if params.calendar else due


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasing:
    """Data about to be erased: its kind (of ``DataUse.category``, or ``access_log``) and its day."""

    category: str
    of: date
    open_amount: Decimal = Decimal(0)
    due_on: date | None = None
    settled_on: date | None = None


def kept_data(params: Kept, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Nothing is erased that a claim, the books or the law on logs still need; what is not told is not erased."""
    erasing = facts.part(Erasing)
    if erasing is None:
        return Objection(reason="It is not known what would be erased.", outcome=BLOCK)
    if erasing.category == "access_log":
        age = (at.date() - erasing.of).days
        if age >= params.log_days:
            return None
        return Objection(reason=f"Access logs are kept {params.log_days} days; this is {age} days old.", outcome=BLOCK)
    if erasing.category not in params.claim_scope:
        return None
    if _is_needed(params, erasing.open_amount, erasing.due_on, erasing.settled_on, at.date()):
        return Objection(reason=f"A claim or the books still need this ({params.ground}).", outcome=BLOCK)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestClock:
    """Months to answer a request, and how many more for a difficult one."""

    months: int = 1
    extension_months: int = 2
    #: A last day that is no business day moves to the next one of this calendar, or of the person's country.
    calendar: str = ""
    roll: bool = True
    #: The days until a needed answer of the person do not count.
    stops_while_clarifying: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReceived:
    """A request of access, rectification, erasure, restriction or objection."""

    received_on: date
    country: str = ""
    extension_told_on: date | None = None
    clarification_asked_on: date | None = None
    clarified_on: date | None = None


def request_due(params: RequestClock, given: RequestReceived) -> Mapping[str, object]:
    """GDPR Art. 12(3): ``due``; ``breach`` where the extension was told too late, which then does not count."""
    calendar = params.calendar or given.country

    def rolled(months: int) -> date:
        day = calendars.add_months(given.received_on, months)
        if params.stops_while_clarifying and given.clarification_asked_on and given.clarified_on:
            day += given.clarified_on - given.clarification_asked_on
        return calendars.next_business_day(day, calendar) if params.roll else day

    first = rolled(params.months)
    extended = given.extension_told_on is not None and given.extension_told_on <= first
    late = given.extension_told_on is not None and not extended
    return {"due": rolled(params.months + params.extension_months) if extended else first, "breach": late}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessCopy:
    """A copy of somebody's data, as it is about to be handed over."""

    includes: frozenset[str]
    #: Other people, and the desk's own staff, were made unreadable.
    redacted: bool = False
    identity_doubted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyParts:
    """What a copy says beside the data."""

    parts: tuple[str, ...] = (
        "data", "purposes", "categories", "recipients", "retention", "rights", "source", "decision_logic",
        "recordings", "notes",
    )  # fmt: skip


def access_copy(params: CopyParts, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """GDPR Art. 12(6), 15(1), (3)-(4): a copy is whole, and nobody else's."""
    copy = facts.part(AccessCopy)
    if copy is None:
        return []
    found = []
    if copy.identity_doubted:
        text = "It is doubtful who asks: let them show who they are."
        found.append(Objection(reason=text, outcome=REQUIRE, requires=("verify_identity",)))
    if missing := [part.replace("_", " ") for part in params.parts if part not in copy.includes]:
        found.append(Objection(reason=f"The copy lacks {', '.join(missing)}.", outcome=REQUIRE, requires=("complete",)))
    if not copy.redacted:
        text = "Other people in it must be made unreadable."
        found.append(Objection(reason=text, outcome=REQUIRE, requires=("redact",)))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectified:
    """Something was put right; who had the wrong data, and who of them was told."""

    recipients: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class TellRecipients:
    """Whether everybody who had the data is told before anything more goes to them."""

    all_told: bool = True


def recipients_told(params: TellRecipients, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """GDPR Art. 16 and 19: who was given the wrong data is given the right one."""
    rectified = facts.part(Rectified)
    untold = sorted(rectified.recipients - rectified.told) if rectified else []
    if not untold or not params.all_told:
        return None
    text = f"The data was put right: tell {', '.join(untold)}."
    return Objection(reason=text, outcome=REQUIRE, requires=("tell_recipients",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """Processing is restricted: all of it, or some addresses (``that is not my number``)."""

    addresses: frozenset[str] = frozenset()
    everything: bool = False
    #: Its grounds: accuracy, unlawful, needed_for_claims, objection.
    ground: str = "accuracy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restricted:
    """What rests while processing is restricted; people may still answer, and pursue a claim by hand."""

    blocked: tuple[str, ...] = ("decide", "score", "place_agency", "report_credit", "sell_debt")
    automated_contact: bool = True


def restricted(params: Restricted, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """GDPR Art. 18(2): kept, and otherwise used only with consent or for legal claims; the desk rests its machines."""
    restriction = facts.part(Restriction)
    if restriction is None:
        return None
    if action.address and action.address in restriction.addresses:
        return Objection(
            reason="The customer says that this is not theirs: verify it, and put it right.",
            outcome=BLOCK,
            requires=("verify_address", "rectify", "tell_recipients"),
        )
    if not restriction.everything:
        return None
    by_machine = params.automated_contact and action.automated and action.type in CONTACTS
    if by_machine or action.type in params.blocked:
        return Objection(reason="Processing of this customer's data is restricted.", outcome=BLOCK)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """How a person looked at it before it was decided."""

    #: They may decide otherwise, see the reasons, and can change it.
    has_authority: bool = False
    sees_reasons: bool = False
    can_change: bool = False
    #: What they approved at one go, and how long they took over it.
    decisions: int = 1
    seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Safeguards:
    """What the person concerned was given: word of the decision, and a way to have it looked at again."""

    told: bool = False
    may_be_heard: bool = False
    human_on_request: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignificantDecisions:
    """What no machine decides alone, or only with safeguards."""

    human_required: tuple[str, ...]
    #: A person who looks takes this long over each.
    least_seconds_each: int = 20
    #: Safeguards stand in for a person.
    safeguards_suffice: bool = False


def significant_decision(params: SignificantDecisions, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """GDPR Art. 22; UK GDPR Art. 22A-22D: what weighs on somebody is decided by a person who really looks."""
    if action.type not in params.human_required:
        return None
    review = facts.part(Review)
    if review is not None:
        if not (review.has_authority and review.sees_reasons and review.can_change):
            text = "Whoever approved it could not see the reasons, or could not decide otherwise."
        elif review.seconds < review.decisions * params.least_seconds_each:
            text = f"{review.decisions} were approved in {review.seconds} s: nobody looked at each."
        else:
            return None
        return Objection(reason=text, outcome=REQUIRE, requires=("review",))
    if not action.automated:
        return None
    if not params.safeguards_suffice:
        return Objection(reason="A person must decide this.", outcome=BLOCK, requires=("review",))
    given = facts.part(Safeguards) or Safeguards()
    if given.told and given.may_be_heard and given.human_on_request:
        return None
    return Objection(
        reason="Tell the customer that a machine decides, and how a person can look at it again.",
        outcome=REQUIRE,
        requires=("safeguards_notice", "review_route"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What a score or a decision is made from, by the names of its columns."""

    features: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbiddenFeatures:
    """Beginnings of words in names that tell of what no score may know."""

    parts_of_names: tuple[str, ...]


def forbidden_features(params: ForbiddenFeatures, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """GDPR Art. 9 and 22(4): health and the like decide nothing."""
    model = facts.part(Model)
    if model is None:
        return None
    found = next((name for name in sorted(model.features) if _tells(name, params.parts_of_names)), "")
    return Objection(reason=f'A score may not be made from "{found}".', outcome=BLOCK) if found else None


def _tells(name: str, beginnings: tuple[str, ...]) -> bool:
    flat = "_" + name.casefold().replace("-", "_").replace(" ", "_")
    return any(f"_{beginning}" in flat for beginning in beginnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objected:
    """The person objected to a use of their data; grounds on record are of a legal claim."""

    purposes: frozenset[str]
    claim_grounds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Objecting:
    """Uses to which an objection is the end of it, whatever the grounds."""

    absolute: tuple[str, ...] = (MARKETING,)


def objected(params: Objecting, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """GDPR Art. 21: stop, unless a legal claim is recorded; for advertising there is no unless."""
    objection, use = facts.part(Objected), facts.part(DataUse)
    meant = use.purpose if use is not None else action.purpose
    if objection is None or meant not in objection.purposes:
        return None
    if objection.claim_grounds and meant not in params.absolute:
        return None
    return Objection(reason=f"The customer objected to {meant}.", outcome=BLOCK, requires=("record_claim_grounds",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who is given data: an agency, a dialler, a gateway; its contract as a processor, and the country it is in."""

    name: str
    contract_on: date | None = None
    contract_ends_on: date | None = None
    #: What allows a transfer abroad: adequacy, clauses; ``inside`` where it stays.
    transfer: str = "inside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a recipient must have."""

    transfers: tuple[str, ...] = ("inside", "adequacy", "clauses")


def recipient_contract(params: Contract, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """GDPR Art. 28 and Ch. V: nothing is handed on without a contract. Fails closed: who is not known has none."""
    to = facts.part(Recipient) or Recipient(name="The recipient")
    today = at.date()
    begun = to.contract_on is not None and to.contract_on <= today
    if not begun or (to.contract_ends_on is not None and today > to.contract_ends_on):
        return Objection(reason=f"{to.name} has no contract to process data for us.", outcome=BLOCK)
    if to.transfer not in params.transfers:
        return Objection(reason=f"{to.name} is abroad, and nothing allows the transfer.", outcome=BLOCK)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthWords:
    """Words of illness beside those everywhere in use, by language; and what is written instead."""

    words: Phrases = field(default_factory=dict)
    write_instead: str = "the code of what helps, COMM-SLOW for one"


def health_words(params: HealthWords, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """GDPR Art. 9: what somebody needs is kept, not what they have."""
    text = words_of(action)
    word = diagnosis_in(text) or says(text, phrases_for(params.words, ""))
    if not word:
        return None
    return Objection(
        reason=f'"{word}" is about health: write {params.write_instead}.',
        outcome=WARN,
        requires=("store_code", "mask"),
    )


THEME = Theme(
    checks={
        "data_purpose": Check(Purposes, purpose),
        "kept_data": Check(Kept, kept_data),
        "access_copy": Check(CopyParts, access_copy),
        "recipients_told": Check(TellRecipients, recipients_told),
        "restricted": Check(Restricted, restricted),
        "significant_decision": Check(SignificantDecisions, significant_decision),
        "forbidden_features": Check(ForbiddenFeatures, forbidden_features),
        "objected": Check(Objecting, objected),
        "recipient_contract": Check(Contract, recipient_contract),
        "health_words": Check(HealthWords, health_words),
    },
    parts=(
        DataUse, Erasing, AccessCopy, Rectified, Restriction, Review, Safeguards, Model, Objected, Recipient,
    ),
    reckonings={
        "erasure": Reckoning(Kept, ErasureAsked, erasure),
        "request_due": Reckoning(RequestClock, RequestReceived, request_due),
    },
)  # fmt: skip
