"""When collection must rest: breathing space, a debt adviser at work, demands that cannot be met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from dunning.gate import calendars
from dunning.gate.checks.registry import Check, Reckoning, Theme
from dunning.gate.checks.words import Phrases, phrases_for, says, words_of
from dunning.gate.decision import BLOCK, HOLD, Objection
from dunning.gate.facts import CONTACTS, Action, Facts

STANDARD, CRISIS = "standard", "crisis"
#: Those who collect for the creditor, or instead of it.
_AGENTS = frozenset({"bpo", "third_party", "debt_buyer"})
_AGENT_ACTIONS = frozenset({"place_agency", "sell_debt", "export_data"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moratorium:
    """A breathing space that we were told of: ``standard``, or ``crisis`` (mental-health crisis treatment)."""

    starts_on: date
    kind: str = STANDARD
    #: Of a crisis: the last day of treatment; none while it goes on or nobody said.
    treatment_ended_on: date | None = None
    #: Ended early, by the adviser or a court: the first day without protection.
    cancelled_on: date | None = None
    #: The debts it covers; empty: all that were owed when it began.
    debts: frozenset[str] = frozenset()
    agents_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BreathingSpace:
    """How long it lasts, its first day included, and what may be said all the same."""

    days: int = 60
    after_treatment_days: int = 30
    zone: str = "Europe/London"
    purposes: tuple[str, ...] = ("adviser", "ongoing_bill", "customer_request", "query_reply", "complaint", "court")
    #: Words by which a message about this month's bill would ask for the arrears.
    arrears_words: Phrases = field(default_factory=dict)


def last_day(
    kind: str, starts_on: date, treatment_ended_on: date | None, *, days: int, after_treatment_days: int
) -> date | None:
    """The last protected day; none while it is open."""
    if kind == STANDARD:
        return starts_on + timedelta(days=days - 1)
    return treatment_ended_on + timedelta(days=after_treatment_days) if treatment_ended_on else None


def breathing_space(params: BreathingSpace, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """SI 2020/1311 regs 7, 11, 12: no contact about enforcing the debt, no fee on it, no step to collect it."""
    space = facts.part(Moratorium)
    if space is None or not _protects(space, params, at.astimezone(ZoneInfo(params.zone)).date()):
        return None
    if space.debts and action.debts and not space.debts & action.debts:
        return None
    if not space.agents_told and (facts.role in _AGENTS or action.type in _AGENT_ACTIONS):
        text = "Breathing space: the agents were not told of it, so nothing may go through them."
        return Objection(reason=text, outcome=BLOCK, requires=("tell_agents",))
    if action.type not in CONTACTS:
        return Objection(reason="Breathing space: no fee and no step to collect this debt.", outcome=BLOCK)
    if action.purpose not in params.purposes:
        return Objection(reason="Breathing space: no contact to enforce this debt.", outcome=BLOCK)
    said = says(words_of(action), phrases_for(params.arrears_words, ""))
    if action.purpose == "ongoing_bill" and said:
        return Objection(reason=f'Breathing space: the text speaks of arrears ("{said}").', outcome=BLOCK)
    return None


def _protects(space: Moratorium, params: BreathingSpace, today: date) -> bool:
    if today < space.starts_on or (space.cancelled_on is not None and today >= space.cancelled_on):
        return False
    last = last_day(
        space.kind,
        space.starts_on,
        space.treatment_ended_on,
        days=params.days,
        after_treatment_days=params.after_treatment_days,
    )
    return last is None or today <= last


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceDays:
    """The days of a breathing space, as the law counts them from its start."""

    days: int = 60
    after_treatment_days: int = 30
    review_from_day: int = 25
    review_to_day: int = 35
    #: A standard one can be had again so many months after the last began.
    again_after_months: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceGiven:
    """A breathing space, and the standard one before it."""

    starts_on: date
    kind: str = STANDARD
    treatment_ended_on: date | None = None
    last_began_on: date | None = None


def space_dates(params: SpaceDays, given: SpaceGiven) -> Mapping[str, object]:
    """``last_day`` of protection (none: open), the adviser's midway review, and whether it may begin at all."""
    again = given.last_began_on and calendars.add_months(given.last_began_on, params.again_after_months)
    standard = given.kind == STANDARD
    return {
        "last_day": last_day(
            given.kind,
            given.starts_on,
            given.treatment_ended_on,
            days=params.days,
            after_treatment_days=params.after_treatment_days,
        ),
        "review_from": given.starts_on + timedelta(days=params.review_from_day - 1) if standard else None,
        "review_to": given.starts_on + timedelta(days=params.review_to_day - 1) if standard else None,
        "may_begin": not standard or again is None or given.starts_on >= again,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Days of rest after somebody began to speak for the customer, in these roles."""

    days: int = 30
    roles: tuple[str, ...] = ("debt_adviser",)


def adviser_pause(params: Pause, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """CONC 7.3.11-12: time for a plan to be worked out."""
    ends = [
        speaker.since + timedelta(days=params.days)
        for speaker in facts.represented_by
        if speaker.role in params.roles and speaker.since <= at and (speaker.until is None or at < speaker.until)
    ]
    until = max((end for end in ends if at < end), default=None)
    text = f"A debt adviser is working on it: nothing is collected for {params.days} days."
    return None if until is None else Objection(reason=text, until=until, outcome=HOLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the customer is asked for: all of it or not, within so many days; and what is known of their means."""

    pay_within_days: int
    low_income: bool = False
    plan_offered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbearance:
    """A demand is hard where it asks for so much of the debt in fewer days."""

    share: Decimal = Decimal("0.5")
    days: int = 30


def forbearance(params: Forbearance, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """CONC 7.3.4 and 7.3.10: who cannot pay at once is offered a plan, not pressed for the whole."""
    demand = facts.part(Demand)
    if demand is None or not demand.low_income or demand.plan_offered or action.amount is None:
        return None
    balance = facts.debt.balance or action.amount
    if action.amount < balance * params.share or demand.pay_within_days >= params.days:
        return None
    return Objection(
        reason=f"{action.amount} in {demand.pay_within_days} days is more than this customer can pay: offer a plan.",
        outcome=BLOCK,
        requires=("offer_plan",),
    )


THEME = Theme(
    checks={
        "breathing_space": Check(BreathingSpace, breathing_space),
        "adviser_pause": Check(Pause, adviser_pause),
        "forbearance": Check(Forbearance, forbearance),
    },
    parts=(Moratorium, Demand),
    reckonings={"space_dates": Reckoning(SpaceDays, SpaceGiven, space_dates)},
)
