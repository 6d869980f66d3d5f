"""The debt itself: whose rules bind, its validation, disputes, fees, age, credit reports, sale and records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from dunning.gate import calendars
from dunning.gate.checks.registry import Check, Reckoning, Theme
from dunning.gate.checks.words import Phrases, phrases_for, plain, says, words_of
from dunning.gate.decision import BLOCK, HOLD, REQUIRE, WARN, Objection
from dunning.gate.facts import Action, Facts
from dunning.gate.zones import zones_of

_UTC = ZoneInfo("UTC")


# --- who is bound -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Collectors:
    """Roles that the federal rules bind."""

    bound: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Who works a debt, in whose name, and since when."""

    role: str
    kind: str = "residential"
    #: The name that messages show, and the names that are the creditor's own.
    brand: str = ""
    own_names: tuple[str, ...] = ()
    defaulted_on: date | None = None
    placed_on: date | None = None


def collector_scope(params: Collectors, given: Desk) -> dict[str, object]:
    """12 CFR 1006.2(g)-(i): ``mandatory``, ``policy``, or ``off`` for a business; and the role that decisions rest on.

    Who collects under another name is a collector; who was given the debt before its default is not.
    """
    role = given.role
    if role == "first_party" and given.brand and plain(given.brand) not in map(plain, given.own_names):
        role = "first_party_other_name"
    if role == "bpo" and given.placed_on and given.defaulted_on and given.placed_on > given.defaulted_on:
        role = "third_party"
    if given.kind != "residential":
        return {"rules": "off", "role": role}
    return {"rules": "mandatory" if role in params.bound else "policy", "role": role}


# --- validation -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The validation notice of a debt, as far as it came."""

    #: The first communication with the customer about it.
    first_on: date | None = None
    sent_on: date | None = None
    #: letter, email, oral.
    sent_by: str = ""
    undeliverable: bool = False
    paid_on: date | None = None
    #: The last day of the validation period, as printed.
    ends_on: date | None = None
    #: last_statement, charge_off, last_payment, transaction, judgment: of the first notice.
    basis: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationNotice:
    """What the notice that is about to be sent says."""

    basis: str
    #: Its fields by name, as printed: none may be empty, "0" or "none" is said.
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRule:
    """When the notice is due, and what it contains."""

    send_within_days: int = 5
    templates: tuple[str, ...]
    fields: tuple[str, ...]
    bases: tuple[str, ...]
    #: Ways of sending that count; empty: all.
    sent_by: tuple[str, ...] = ()


def validation(params: ValidationRule, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """12 CFR 1006.34, 1006.42: within five days of the first communication, complete, on one basis, and delivered."""
    known = facts.part(Validation)
    if known is None or known.paid_on is not None:
        return []
    if action.template in params.templates:
        return _notice(params, known, facts.part(ValidationNotice))
    if known.sent_on is not None and known.undeliverable:
        reason = "The validation notice came back: it counts as not sent."
        return [Objection(reason=reason, outcome=REQUIRE, requires=("send_validation_by_post",))]
    counted = known.sent_on is not None and (not params.sent_by or known.sent_by in params.sent_by)
    last = known.first_on + timedelta(days=params.send_within_days) if known.first_on else None
    if counted or last is None or _today(facts, at) <= last:
        return []
    reason = f"The validation notice was due by {last} and has not been sent."
    return [Objection(reason=reason, outcome=BLOCK, requires=("send_validation",))]


def _notice(params: ValidationRule, known: Validation, notice: ValidationNotice | None) -> list[Objection]:
    if notice is None:
        return [Objection(reason="It is not known what the validation notice says.", outcome=BLOCK)]
    found = []
    if empty := [name for name in params.fields if not notice.fields.get(name, "").strip()]:
        reason = f"The validation notice has blank fields: {', '.join(empty).replace('_', ' ')}."
        found.append(Objection(reason=reason, outcome=BLOCK))
    if notice.basis not in params.bases:
        found.append(Objection(reason="The itemization has no date that the rule knows.", outcome=BLOCK))
    elif known.basis and notice.basis != known.basis:
        reason = f"The first notice was reckoned from {known.basis.replace('_', ' ')}; this one is not."
        found.append(Objection(reason=reason, outcome=BLOCK))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationDays:
    """The days of the validation period."""

    assumed_receipt_business_days: int
    period_days: int
    calendar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """When a notice was sent, and received where that is known."""

    sent_on: date
    received_on: date | None = None


def validation_period(params: ValidationDays, given: Sent) -> dict[str, object]:
    """12 CFR 1006.34(b)(5): thirty days after receipt, which is assumed five working days after sending."""
    receipt = given.received_on or calendars.add_business_days(
        given.sent_on, params.assumed_receipt_business_days, params.calendar
    )
    return {"received_on": receipt, "ends_on": receipt + timedelta(days=params.period_days)}


# --- disputes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A dispute or a request for the original creditor; verified when the answer was sent."""

    received_on: date
    amount: Decimal
    written: bool = True
    answered_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputed:
    """Whether a dispute made aloud, or late, also stops what is disputed."""

    oral_stops: bool = True
    late_stops: bool = True
    #: Words that overshadow the right to dispute while it lasts.
    overshadowing: Phrases
    templates: tuple[str, ...] = ()


def disputed(params: Disputed, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """12 CFR 1006.38, 1006.18(e): what is disputed rests until it is verified; the rest may be asked for.

    An action without an amount is about the whole balance.
    """
    found = _overshadows(params, action, facts, at)
    dispute = facts.part(Dispute)
    if dispute is None:
        return found + _more_than_undisputed(action, facts)
    if dispute.answered_on is not None or _today(facts, at) < dispute.received_on:
        return found
    balance = facts.debt.balance
    undisputed = None if balance is None else balance - dispute.amount
    if action.amount is not None and undisputed is not None and action.amount <= undisputed:
        return found
    known = facts.part(Validation)
    late = known is not None and known.ends_on is not None and dispute.received_on > known.ends_on
    stops = (dispute.written or params.oral_stops) and (not late or params.late_stops)
    what = f"{dispute.amount} is disputed and has not been verified"
    requires = ("verify_debt", "report_as_disputed")
    found.append(
        Objection(reason=f"{what}.", outcome=BLOCK, requires=requires)
        if stops
        else Objection(reason=f"{what}: report it as disputed.", outcome=WARN, requires=("report_as_disputed",))
    )
    return found


def _more_than_undisputed(action: Action, facts: Facts) -> list[Objection]:
    """Where nothing is known of the dispute but its amount: only an amount that reaches into it is stopped."""
    owed = facts.debt.overdue if facts.debt.overdue is not None else facts.debt.balance
    if action.amount is None or owed is None or not facts.debt.disputed:
        return []
    if action.amount <= max(Decimal(0), owed - facts.debt.disputed):
        return []
    reason = f"{facts.debt.disputed} is disputed and has not been verified."
    return [Objection(reason=reason, outcome=BLOCK, requires=("verify_debt", "report_as_disputed"))]


def _overshadows(params: Disputed, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    known = facts.part(Validation)
    if known is None or known.ends_on is None or _today(facts, at) > known.ends_on:
        return []
    said = says(words_of(action), phrases_for(params.overshadowing, ""))
    reason = f'"{said}" overshadows the right to dispute, which lasts until {known.ends_on}.'
    return [Objection(reason=reason, outcome=BLOCK)] if said else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One debt that a payment may be used for."""

    name: str
    open: Decimal
    disputed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment, the debts in their order, and what the customer said it is for."""

    amount: Decimal
    debts: tuple[Owed, ...]
    directed: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoValues:
    """Nothing to set."""


def undisputed_first(params: NoValues, given: Payment) -> dict[str, object]:
    """12 CFR 1006.30(c): as the customer directs, never to a disputed debt; what is left over is ``unused``."""
    left = given.amount
    used: dict[str, object] = {}
    for debt in given.debts:
        wanted = given.directed.get(debt.name, Decimal(0)) if given.directed else debt.open
        part = Decimal(0) if debt.disputed and not given.directed else min(wanted, debt.open, left)
        used[debt.name] = part
        left -= part
    return used | {"unused": left}


# --- fees and payments ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """What a fee rests on."""

    kind: str
    #: The clause of the contract, as it is numbered there.
    clause: str = ""
    #: The state's law allows it.
    state_permits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRule:
    """Whether a state must permit what a contract has."""

    state_must_permit: bool = True


def fee_authority(params: FeeRule, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.22(b): only what the contract says or the law permits; without a record of it nothing is charged."""
    fee = facts.part(Fee)
    if fee is not None and fee.clause and (fee.state_permits or not params.state_must_permit):
        return None
    return Objection(
        reason="No clause of the contract and no law on record allows this fee.",
        outcome=BLOCK,
        requires=("fee_authority",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PostDated:
    """A payment taken now for a later day."""

    dated_on: date
    accepted_on: date
    notice_sent_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostDatedRule:
    """How far ahead needs a notice, and when that is sent."""

    longer_than_days: int = 5
    notice_from: int = 3
    notice_to: int = 10
    calendar: str = "US-FED"


def post_dated(params: PostDatedRule, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """12 CFR 1006.22(c): never before its day, and with a written notice three to ten business days before."""
    payment = facts.part(PostDated)
    if payment is None:
        return []
    found = []
    if _today(facts, at) < payment.dated_on:
        reason = f"The payment is dated {payment.dated_on} and is not deposited before."
        found.append(Objection(reason=reason, outcome=BLOCK))
    far = payment.dated_on - payment.accepted_on > timedelta(days=params.longer_than_days)
    if far and not _noticed(params, payment):
        reason = f"A notice is sent {params.notice_from} to {params.notice_to} business days before the deposit."
        found.append(Objection(reason=reason, outcome=BLOCK, requires=("deposit_notice",)))
    return found


def _noticed(params: PostDatedRule, payment: PostDated) -> bool:
    if payment.notice_sent_on is None:
        return False
    earliest = calendars.add_business_days(payment.notice_sent_on, params.notice_from, params.calendar)
    latest = calendars.add_business_days(payment.notice_sent_on, params.notice_to, params.calendar)
    return earliest <= payment.dated_on <= latest


# --- age --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Limitation:
    """What the limitation period runs from."""

    last_default_or_payment_on: date
    #: A proof of claim in a bankruptcy is no suit.
    proof_of_claim: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBarred:
    """Years by state, words that threaten a suit, and what some states want said of an old debt."""

    years: Mapping[str, int]
    threats: Phrases
    #: Years after which courts disagree whether carriers may sue (47 U.S.C. 415(a)).
    carrier_years: int = 2
    disclosures: Mapping[str, Phrases]


def time_barred(params: TimeBarred, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """12 CFR 1006.26: no suit and no threat of one when the time for it is over; a state nobody knows the years of
    needs legal's word.
    """
    age = facts.part(Limitation)
    if age is None or age.proof_of_claim:
        return []
    states = sorted(code for code in facts.jurisdictions if code in params.years)
    today = _today(facts, at)
    years = min((params.years[code] for code in states), default=None)
    over = years is not None and today > calendars.add_months(age.last_default_or_payment_on, 12 * years)
    threat = action.purpose == "court" or says(words_of(action), phrases_for(params.threats, ""))
    if threat and over:
        return [Objection(reason="The time to sue for this debt is over; nothing may speak of it.", outcome=BLOCK)]
    carrier = today > calendars.add_months(age.last_default_or_payment_on, 12 * params.carrier_years)
    if threat and (carrier or years is None):
        reason = f"Courts disagree whether a carrier may sue after {params.carrier_years} years."
        if years is None:
            reason = "It is not known how long this debt may be sued for."
        return [Objection(reason=reason, outcome=WARN, requires=("legal_sign_off",))]
    if not over or not action.text:
        return []
    return [
        Objection(
            reason="The text does not say that this debt is too old to be sued for.",
            outcome=REQUIRE,
            requires=("add_words",),
        )
        for code in sorted(facts.jurisdictions & params.disclosures.keys())
        if not says(words_of(action), phrases_for(params.disclosures[code], action.language))
    ]


# --- reports, sale and records ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Furnishing:
    """What the customer was told before a bureau is."""

    spoke_on: date | None = None
    letter_on: date | None = None
    undeliverable_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Days from the letter, its own day the first."""

    days: int = 14


def furnish_after(params: Wait, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.30(a): spoken with, or fourteen days after a letter that did not come back."""
    told = facts.part(Furnishing) or Furnishing()
    if told.spoke_on is not None and told.spoke_on <= _today(facts, at):
        return None
    letter = told.letter_on
    if letter is None or (told.undeliverable_on is not None and told.undeliverable_on >= letter):
        return Objection(
            reason="The customer has not been told of the debt before it is reported.",
            outcome=BLOCK,
            requires=("letter_before_reporting",),
        )
    first = letter + timedelta(days=params.days)
    until = max(calendars.beginning(first, zone) for zone in zones_of(facts.place, at) or (_UTC,))
    if at >= until:
        return None
    return Objection(reason=f"The debt may be reported from {first}.", until=until, outcome=HOLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Ways in which a debt ended without being paid."""

    settled: bool = False
    discharged_in_bankruptcy: bool = False


def may_be_passed_on(params: NoValues, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.30(b): nothing that is paid, settled or discharged is sold or placed."""
    ended = facts.part(Ended) or Ended()
    if facts.debt.balance is not None and facts.debt.balance <= 0:
        return Objection(reason="Nothing is owed.", outcome=BLOCK)
    if ended.settled or ended.discharged_in_bankruptcy:
        how = "settled" if ended.settled else "discharged in a bankruptcy"
        return Objection(reason=f"The debt was {how}.", outcome=BLOCK)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Something kept that is about to be erased."""

    #: call_recording, or evidence of what was done.
    kind: str
    made_on: date
    #: The last collection activity on the debt.
    last_activity_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Years that records are kept."""

    recording_years: int = 3
    evidence_years: int = 3


def kept_long_enough(params: Keep, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """12 CFR 1006.100: evidence three years after the last activity, a recording three years after the call."""
    record = facts.part(Record)
    if record is None:
        return None
    recording = record.kind == "call_recording"
    years = params.recording_years if recording else params.evidence_years
    begins = record.made_on if recording else record.last_activity_on
    if begins is None:
        return Objection(reason="Collection on this debt has not ended.", outcome=BLOCK)
    last = calendars.add_months(begins, 12 * years)
    if _today(facts, at) > last:
        return None
    return Objection(reason=f"This is kept until {last} at least.", outcome=BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """What an agency filed with the state."""

    amount: Decimal
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BondRule:
    """The least bond of an agency."""

    least: Decimal


def agency_bond(params: BondRule, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Tex. Fin. Code 392.101: no placement with an agency whose bond is not on record."""
    bond = facts.part(Bond)
    if bond is not None and bond.amount >= params.least and (bond.until is None or _today(facts, at) <= bond.until):
        return None
    return Objection(
        reason=f"No bond of {params.least} of the agency is on record.", outcome=BLOCK, requires=("agency_bond",)
    )


def _today(facts: Facts, at: datetime) -> date:
    return at.astimezone(next(iter(zones_of(facts.place, at)), _UTC)).date()


THEME = Theme(
    checks={
        "validation": Check(ValidationRule, validation),
        "disputed": Check(Disputed, disputed),
        "fee_authority": Check(FeeRule, fee_authority),
        "post_dated": Check(PostDatedRule, post_dated),
        "time_barred": Check(TimeBarred, time_barred),
        "furnish_after": Check(Wait, furnish_after),
        "may_be_passed_on": Check(NoValues, may_be_passed_on),
        "kept_long_enough": Check(Keep, kept_long_enough),
        "agency_bond": Check(BondRule, agency_bond),
    },
    parts=(
        Validation,
        ValidationNotice,
        Dispute,
        Fee,
        PostDated,
        Limitation,
        Furnishing,
        Ended,
        Record,
        Bond,
    ),
    reckonings={
        "collector_scope": Reckoning(Collectors, Desk, collector_scope),
        "validation_period": Reckoning(ValidationDays, Sent, validation_period),
        "undisputed_first": Reckoning(NoValues, Payment, undisputed_first),
    },
)
