"""Gentle treatment: how a circumstance is taken down, what it stops, and who sees of it what. Pure.

Frames that the trade knows by their letters: TEXAS (when somebody tells us), IDEA (the specialist's talk), BRUCE (how a
difficulty to decide is noticed), CARERS (somebody who cares for the customer speaks).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from accounts.sensitive_words import crisis_in, diagnosis_in
from dunning.gate.checks.registry import Check, Reckoning, Theme
from dunning.gate.decision import BLOCK, REQUIRE, WARN, Objection
from dunning.gate.facts import CONTACTS, Action, Care, Facts

SEVERITIES = ("low", "medium", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskPerson:
    """Who acts at the desk, by roles: agent, specialist, supervisor …; nobody where a machine does."""

    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpOffered:
    """What was offered to the customer in this episode: budget, plan, deferral, social_tariff, signpost …"""

    offered: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ForCare:
    """What a rule asks where the customer needs care of one of these severities or has one of these needs."""

    severities: tuple[str, ...] = SEVERITIES
    needs: tuple[str, ...] = ()
    #: Purposes, templates and people for whom it does not hold.
    unless_purposes: tuple[str, ...] = ()
    unless_templates: tuple[str, ...] = ()
    unless_roles: tuple[str, ...] = ()
    #: What is offered first; when all of it was, nothing is asked.
    offer_first: tuple[str, ...] = ()
    #: Codes of what to do, and the words for the agent.
    requires: tuple[str, ...] = ()
    says: str


def for_care(params: ForCare, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """VUL-04: a circumstance is in force until a person ends it, also past the day to look again."""
    if not any(_is_meant(params, care) for care in facts.care):
        return None
    if action.purpose in params.unless_purposes or action.template in params.unless_templates:
        return None
    person = facts.part(DeskPerson)
    if person is not None and not action.automated and person.roles & set(params.unless_roles):
        return None
    missing: tuple[str, ...] = ()
    if params.offer_first:
        offered = facts.part(HelpOffered) or HelpOffered()
        missing = tuple(f"offer_{what}" for what in params.offer_first if what not in offered.offered)
        if not missing:
            return None
    return Objection(reason=params.says, requires=(*params.requires, *missing))


def _is_meant(params: ForCare, care: Care) -> bool:
    return care.severity in params.severities and (not params.needs or bool(care.needs & set(params.needs)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A rule that only reminds."""

    requires: tuple[str, ...] = ("review_care",)


def care_review(params: Review, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """VUL-04: past its day it stays in force, and somebody looks again."""
    due = [care.review_on for care in facts.care if care.review_on is not None and care.review_on < at.date()]
    if not due:
        return None
    return Objection(
        reason=f"The support needed was to be reviewed on {min(due)}; it stays in force until somebody does.",
        outcome=WARN,
        requires=params.requires,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CareRecord:
    """A circumstance about to be written down, or ended."""

    severity: str
    noted_on: date
    review_on: date | None = None
    needs: tuple[str, ...] = ()
    words: str = ""
    source: str = ""
    consented: bool = False
    ends: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """How a circumstance is kept; days until somebody looks again at the latest."""

    review_days: int = 180
    review_days_high: int = 90
    #: Without consent these words alone are kept of it.
    without_consent: tuple[str, ...] = ()


def care_record(params: Recorded, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """VUL-04: codes of what helps, never a diagnosis; a day to look again; only a person ends it."""
    record = facts.part(CareRecord)
    if record is None:
        return []
    if record.ends:
        return [Objection(reason="Only a person ends it.")] if action.automated else []
    found = []
    if word := diagnosis_in(" ".join([record.words, *record.needs]).replace("_", " ")):
        found.append(Objection(reason=f"Keep what helps, not the illness ({word}).", requires=("use_need_codes",)))
    if not record.consented and set(record.needs) - set(params.without_consent):
        found.append(
            Objection(
                reason="Without the customer's consent, only that support is needed is kept.",
                requires=("ask_consent",),
            )
        )
    if not record.source:
        found.append(Objection(reason="Say where it is known from.", outcome=REQUIRE, requires=("say_source",)))
    days = params.review_days_high if record.severity == "high" else params.review_days
    latest = record.noted_on + timedelta(days=days)
    if record.review_on is None or not record.noted_on <= record.review_on <= latest:
        found.append(
            Objection(
                reason=f"Somebody looks again by {latest} at the latest.", outcome=REQUIRE, requires=("set_review",)
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """Who sees what is known of a circumstance, and the little that everybody else sees."""

    roles: tuple[str, ...]
    others_see: str
    #: With one of these needs, others see none of these fields.
    hidden_with: tuple[str, ...] = ()
    hides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Somebody opens the page of a customer who needs care."""

    roles: frozenset[str]
    severity: str = "medium"
    needs: tuple[str, ...] = ()
    category: str = ""


def care_seen(params: Visible, given: Looking) -> Mapping[str, object]:
    """VUL-04: whoever has no role in it sees that support is needed, and not why; nor, for safety, where they live."""
    if given.roles & set(params.roles):
        return {"shows": [given.category or params.others_see, given.severity, *given.needs], "hides": []}
    hidden = params.hides if set(given.needs) & set(params.hidden_with) else ()
    return {"shows": [params.others_see], "hides": list(hidden)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeAddresses:
    """The numbers and addresses that the customer called safe."""

    addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """Codes of the needs that keep somebody safe at home."""

    safe_only: str = "safe_contact_only"
    no_joint_mail: str = "no_joint_mail"


def safe_contact(params: Safety, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """VUL-04: only what the customer called safe, and nothing to an address that others open. Where no safe address is
    known, nothing leaves: a message read by the wrong eyes harms.
    """
    needs = {need for care in facts.care for need in care.needs}
    if params.safe_only in needs:
        safe = facts.part(SafeAddresses) or SafeAddresses()
        if action.address not in safe.addresses:
            return Objection(reason="Only the number or address that the customer called safe may be used.")
    if params.no_joint_mail in needs and action.type in ("letter", "email") and facts.address.shared:
        return Objection(reason="Nothing is sent to an address that others share.")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedTold:
    """What was done, in this order, when the customer told us; ``consented`` is their yes or no."""

    steps: tuple[str, ...] = ()
    consented: bool | None = None
    #: Fields about to be kept.
    keeps: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Texas:
    """The steps in their order; after a no only these fields are kept, and these steps are left out."""

    steps: tuple[str, ...] = ("thank", "explain", "consent", "ask", "signpost")
    kept_after_no: tuple[str, ...] = ("support_needed",)
    skipped_after_no: tuple[str, ...] = ("ask",)


def texas(params: Texas, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """VUL-01 (ABI, TEXAS): nothing is kept before the customer was told how it is used and said yes or no."""
    told = facts.part(NeedTold)
    if told is None:
        return []
    refused = told.consented is False
    wanted = [step for step in params.steps if not (refused and step in params.skipped_after_no)]
    done = [step for step in told.steps if step in wanted]
    missing = [step for step in wanted if step not in done]
    found = []
    if missing:
        found.append(
            Objection(reason=f"Not done yet: {', '.join(missing)}.", requires=tuple(f"do_{step}" for step in missing))
        )
    elif done != wanted:
        found.append(Objection(reason=f"The order is {', '.join(wanted)}.", requires=("keep_order",)))
    if told.consented is None:
        found.append(Objection(reason="The customer said neither yes nor no.", requires=("do_consent",)))
    if refused and (more := told.keeps - set(params.kept_after_no)):
        found.append(
            Objection(
                reason=f"They said no: nothing is kept but that support is needed (not {', '.join(sorted(more))}).",
                requires=("keep_support_only",),
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the customer said or wrote just now."""

    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Crisis:
    """What is done at once."""

    requires: tuple[str, ...] = ("escalate_now",)
    #: These go on: who writes it down, and who helps.
    unless_purposes: tuple[str, ...] = ()


def crisis(params: Crisis, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """VUL-01: talk of harming oneself ends the talk of money; a person takes over at once."""
    heard = facts.part(Heard)
    if heard is None or not crisis_in(heard.words):
        return None
    goes_on = action.type == "store" or action.purpose in params.unless_purposes
    return Objection(
        reason="The customer may be in danger: stop talking of money and hand over now.",
        outcome=REQUIRE if goes_on else BLOCK,
        requires=params.requires,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialistTalk:
    """What was asked in the specialist's talk."""

    asked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """The questions, and whose they are."""

    asks: tuple[str, ...] = ("impact", "duration", "experiences", "assistance")
    roles: tuple[str, ...] = ("specialist",)


def idea(params: Idea, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """VUL-02 (IDEA): the deeper talk is a specialist's, and whole. Nobody known to be one is none."""
    talk = facts.part(SpecialistTalk)
    if talk is None:
        return None
    person = facts.part(DeskPerson) or DeskPerson()
    if not person.roles & set(params.roles):
        return Objection(reason="This talk is for a specialist.", requires=("route_to_specialist",))
    missing = [ask for ask in params.asks if ask not in talk.asked]
    if not missing:
        return None
    return Objection(
        reason=f"Not asked yet: {', '.join(missing)}.",
        outcome=REQUIRE,
        requires=tuple(f"ask_{ask}" for ask in missing),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionTalk:
    """Clear concerns about how somebody decides: behaviour, remembering, understanding, communicating, evaluating."""

    concerns: frozenset[str] = frozenset()
    #: They could say in their own words what was agreed.
    repeats_back: bool = True
    summary_sent: bool = False
    called_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bruce:
    """From how many clear concerns nothing is agreed, and from how many a specialist takes over."""

    pause_at: int = 1
    specialist_at: int = 2
    roles: tuple[str, ...] = ("specialist",)


def bruce(params: Bruce, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """VUL-03 (BRUCE): what was perhaps not understood is not agreed: a summary in writing, and a call back first."""
    talk = facts.part(DecisionTalk)
    if talk is None:
        return None
    concerns = len(talk.concerns)
    person = facts.part(DeskPerson) or DeskPerson()
    to_specialist = concerns >= params.specialist_at and not person.roles & set(params.roles)
    specialist = ("route_to_specialist",) if to_specialist else ()
    if action.type in CONTACTS:
        text = "The customer finds it hard to decide: a specialist speaks with them."
        return Objection(reason=text, outcome=REQUIRE, requires=specialist) if specialist else None
    unsure = concerns >= params.pause_at or not talk.repeats_back
    settled = talk.repeats_back and talk.summary_sent and talk.called_back
    if not unsure or (settled and not specialist):
        return None
    first = (
        *(() if talk.summary_sent else ("send_summary",)),
        *(() if talk.called_back else ("call_back",)),
        *(() if talk.repeats_back else ("repeat_back",)),
    )
    return Objection(reason="The customer may not have understood what is agreed.", requires=(*first, *specialist))


@dataclass(frozen=True, slots=True, kw_only=True)
class CarerSpeaks:
    """Somebody who cares for the customer is on the line; ``may_be_told`` as the customer said."""

    may_be_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Carers:
    """What is listened to."""

    may: tuple[str, ...] = ("store",)


def carers(params: Carers, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """CARERS: what a carer tells us is written down; nothing is told to them that the customer did not allow."""
    carer = facts.part(CarerSpeaks)
    if carer is None or carer.may_be_told or action.type in params.may:
        return None
    return Objection(
        reason="Listen to the carer and write it down; say nothing of the account.", requires=("listen_only",)
    )


THEME = Theme(
    checks={
        "for_care": Check(ForCare, for_care),
        "care_review": Check(Review, care_review),
        "care_record": Check(Recorded, care_record),
        "safe_contact": Check(Safety, safe_contact),
        "texas": Check(Texas, texas),
        "crisis": Check(Crisis, crisis),
        "idea": Check(Idea, idea),
        "bruce": Check(Bruce, bruce),
        "carers": Check(Carers, carers),
    },
    parts=(
        DeskPerson,
        HelpOffered,
        CareRecord,
        SafeAddresses,
        NeedTold,
        Heard,
        SpecialistTalk,
        DecisionTalk,
        CarerSpeaks,
    ),
    reckonings={"care_seen": Reckoning(Visible, Looking, care_seen)},
)
