"""The next step: a function of the policy version, the position, the steps done, the holds and the calendar. Pure.

Nothing here knows a database or a clock. ``decide`` answers what happens to one account on one day, with its reasons:
at most one step is taken, in the policy's order, none is skipped; what cannot be taken yet waits and says why; and a
step that hurts needs a warning of this case that was delivered, names a bill still open, and has run its time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from accounts.money import exponent
from dunning import holding, workdays

NOTIFY, CHARGE_FEE, LIMIT = "notify", "charge_fee", "limit"
TRANSFER, TASK, AGENCY, WRITE_OFF = "transfer_to_collections", "create_task", "place_with_agency", "write_off"

#: Steps that take something from the customer: only after a delivered warning, only on a working day.
HURTING = frozenset({LIMIT, AGENCY})

#: Which effect of a hold stops which action; a task for a person is never stopped.
_EFFECT = {
    NOTIFY: holding.NOTICES,
    CHARGE_FEE: holding.FEES,
    LIMIT: holding.LIMITS,
    TRANSFER: holding.TRANSFERS,
    AGENCY: holding.TRANSFERS,
    WRITE_OFF: holding.TRANSFERS,
}

#: A hurting step that waited this many days becomes a task for a person.
ESCALATE_AFTER_DAYS = 14

TAKEN, UNDELIVERABLE, NOTHING_TO_DO, PASSED_OVER = "taken", "undeliverable", "nothing_to_do", "passed_over"
HELD, CLOSED_DAY, NOT_WARNED = "waiting: hold", "waiting: closed_day", "waiting: not_warned"
NOTICE_RUNNING, BELOW_MINIMUM = "waiting: notice_running", "waiting: below_minimum"


class Amounts(NamedTuple):
    """One amount for every currency, or one by currency, in thousandths."""

    every: int | None
    by_currency: Mapping[str, int]

    def of(self, currency: str) -> int | None:
        """The amount in that currency, none where the policy names none."""
        return self.every if self.every is not None else self.by_currency.get(currency)


NO_MINIMUM = Amounts(0, {})


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a policy or a step is for; an empty list is everybody."""

    kind: tuple[str, ...] = ()
    product: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()
    min_tenure_days: int = 0

    def includes(self, traits: Traits) -> bool:
        return (
            (not self.kind or traits.kind in self.kind)
            and (not self.product or traits.product in self.product)
            and (not self.segment or any(name in self.segment for name in (traits.segment, *traits.segments)))
            and (self.min_tenure_days <= 0 or traits.tenure_days >= self.min_tenure_days)
        )


@dataclass(frozen=True, slots=True)
class Traits:
    """What an audience asks about an account and its customer."""

    kind: str = ""
    product: str = ""
    #: As billing has it.
    segment: str = ""
    tenure_days: int = 0
    #: The desk's own segments whose rules it meets, the main one first.
    segments: tuple[str, ...] = ()

    @property
    def main_segment(self) -> str:
        """What it is reported under."""
        return self.segments[0] if self.segments else self.segment


@dataclass(frozen=True, slots=True)
class FeeRule:
    """A fee: an amount, a part of what is owed, or both combined (BRM's three ways: sum, the lesser, the greater)."""

    amount: Amounts
    #: Thousandths of a percent: 1.5 % is 1,500.
    percent: int = 0
    #: ``sum``, ``min`` or ``max`` of the two; of no matter while one of them is nothing.
    combine: str = "sum"

    def of(self, currency: str, base: int) -> int | None:
        """The fee on ``base`` thousandths, rounded half up to what the currency has; none where it is not set.

        ``base`` is what is open, undisputed and not held: a fee is never charged on anything else.
        """
        flat = self.amount.of(currency)
        if flat is None:
            return None
        if base <= 0:
            return 0
        if not self.percent:
            return flat
        unit: int = 10 ** (3 - min(exponent(currency), 3))
        part = (base * self.percent + 50_000 * unit) // (100_000 * unit) * unit
        if not flat:
            return part
        return {"sum": flat + part, "min": min(flat, part), "max": max(flat, part)}[self.combine]


@dataclass(frozen=True, slots=True)
class StepRule:
    """A step as the policy wrote it."""

    code: str
    day: int
    action: str
    position: int = 0
    channels: tuple[str, ...] = ()
    all_channels: bool = False
    template: str = ""
    pay_by_days: int | None = None
    rung: str = ""
    warned_by: str = ""
    notice_days: int | None = None
    min_amount: Amounts = NO_MINIMUM
    only_if: Audience = field(default_factory=Audience)
    agency: str = ""
    approval: bool = False
    fee: str = "late_fee"
    reason: str = ""

    @property
    def hurts(self) -> bool:
        return self.action in HURTING


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """A policy version, ready to be asked. ``steps`` are in order of their day, then as written."""

    version_id: int
    code: str
    number: int
    priority: int
    applies_to: Audience
    enter_min_amount: Amounts
    enter_min_days: int
    exit_max_amount: Amounts
    min_gap_days: int
    country: str
    region: str
    rolls: bool
    late_fee: FeeRule
    reconnection_fee: Amounts
    agency: str
    limits_children: bool
    steps: tuple[StepRule, ...]
    counts_working_days: bool = False
    #: Code of the step at which a case comes in again after a broken promise or plan; empty: where it stands.
    after_broken: str = ""

    @property
    def actor(self) -> str:
        return f"policy:{self.code}@{self.number}"

    @property
    def label(self) -> str:
        return f"{self.code}@{self.number}"

    @property
    def before_due(self) -> tuple[StepRule, ...]:
        return tuple(step for step in self.steps if step.day < 0)

    @property
    def after_due(self) -> tuple[StepRule, ...]:
        return tuple(step for step in self.steps if step.day >= 0)

    def step(self, code: str) -> StepRule | None:
        return next((step for step in self.steps if step.code == code), None)

    def place(self, code: str) -> int:
        """How many steps come before that one, once the due date has passed; -1 for one that is none of them."""
        return next((place for place, step in enumerate(self.after_due) if step.code == code), -1)

    def speaks(self, currency: str) -> bool:
        """Whether all its amounts name that currency."""
        named = (self.enter_min_amount, self.exit_max_amount, self.late_fee.amount, self.reconnection_fee)
        amounts = (*named, *(step.min_amount for step in self.steps))
        return all(amount.of(currency) is not None for amount in amounts)

    def applies(self, traits: Traits, currency: str) -> bool:
        """Whether the account is this policy's: its audience, and a currency that all its amounts name."""
        return self.applies_to.includes(traits) and self.speaks(currency)


def choose(policies: Collection[PolicyRules], traits: Traits, currency: str) -> PolicyRules | None:
    """The first policy, highest priority first (then by code), that applies."""
    for rules in sorted(policies, key=lambda rules: (-rules.priority, rules.code)):
        if rules.applies(traits, currency):
            return rules
    return None


def left_behind(
    rules: PolicyRules, *, stage: str, had: Collection[str], ahead: Collection[str]
) -> tuple[StepRule, ...]:
    """The steps that a case passes over when it comes to these rules at ``stage``, a step of theirs or none.

    Nobody goes back to a step that is behind him, unless its turn was ``had`` already; but the warning stays on which a
    step rests that comes after the stage or is still ``ahead`` (it waits, or may come again).
    """
    order = [step.code for step in rules.after_due]
    reached = order.index(stage) if stage else 0
    rests_on = {
        step.warned_by
        for place, step in enumerate(rules.after_due)
        if step.hurts and (place > reached or step.code in ahead)
    }
    return tuple(step for step in rules.after_due[:reached] if step.code not in had and step.code not in rests_on)


class ReEntry(NamedTuple):
    """Where a case goes on after a broken promise or plan."""

    step: StepRule
    passed_over: tuple[StepRule, ...]


def re_entry(rules: PolicyRules, *, stage: str, done: Mapping[str, Done]) -> ReEntry | None:
    """The step at which a case comes in again, and those before it that it passes over; None: it goes on as it stands.

    Nobody goes back: a case that has reached the step already stays where it is. The warning of what hurts is not
    passed over.
    """
    place = rules.place(rules.after_broken)
    if place < 0 or rules.place(stage) >= place:
        return None
    step = rules.after_due[place]
    had = {code for code, turn in done.items() if turn.over}
    if step.code in had:
        return None
    return ReEntry(step, left_behind(rules, stage=step.code, had=had, ahead={step.code}))


class JudgedBill(NamedTuple):
    """A past-due bill that steps are judged on: what is open on it, undisputed, and under no promise or plan."""

    ref: str
    due_on: date
    amount: int
    #: Left open when an earlier case closed: it counts in the amount, not in the age.
    ages: bool = True


class ServiceFact(NamedTuple):
    pk: int
    rung: int
    protected: bool
    #: How far down a protected service may go in its market; an unprotected one goes all the way.
    lowest: int = 0


class WarningFact(NamedTuple):
    """The latest notice of a warning step in this case."""

    made_on: date
    on_its_way: bool
    delivered_on: date | None
    pay_by: date | None
    bill_refs: frozenset[str]


class Done(NamedTuple):
    """How often a step's turn came, and whether its last turn is over."""

    repeat: int
    over: bool
    waiting_since: date | None
    escalated: bool
    result: str


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """Everything the decision about one account on one day rests on."""

    as_of: date
    currency: str
    traits: Traits
    bills: tuple[JudgedBill, ...]
    holds: tuple[holding.HoldFact, ...] = ()
    services: tuple[ServiceFact, ...] = ()
    reachable: frozenset[str] = frozenset()
    done: Mapping[str, Done] = field(default_factory=dict)
    last_step_on: date | None = None
    warnings: Mapping[str, WarningFact] = field(default_factory=dict)
    warnings_from: date = date.min
    working_day: bool = True
    #: Code of the step at which the case came in again: up to it no step waits for its day.
    re_entered_at: str = ""
    #: Steps count working days of this market (country, region) instead of every day.
    counted_in: tuple[str, str] | None = None

    @property
    def amount(self) -> int:
        """Open, undisputed, past due and uncovered."""
        return sum(bill.amount for bill in self.bills)

    @property
    def anchor(self) -> date | None:
        """Due date of the oldest bill that ages the case."""
        return min((bill.due_on for bill in self.bills if bill.ages), default=None)

    @property
    def stopped(self) -> frozenset[str]:
        """Effects that some account-wide hold stops today."""
        return frozenset[str]().union(
            *(hold.effects for hold in self.holds if hold.covers(self.as_of) and holding.is_account_wide(hold))
        )

    @property
    def age(self) -> int | None:
        """Days that count for steps: past due, less the days the clock stood; none when nothing ages."""
        if (anchor := self.anchor) is None:
            return None
        if self.counted_in is not None:
            worked = self._worked(anchor, self.as_of)
            return worked - holding.stopped_days(self.holds, after=anchor, until=self.as_of, count=self._worked)
        past_due = (self.as_of - anchor).days
        return past_due - holding.stopped_days(self.holds, after=anchor, until=self.as_of) if self.holds else past_due

    def _worked(self, after: date, until: date) -> int:
        country, region = self.counted_in or ("", "")
        return workdays.between(after, until, country=country, region=region)

    def day_in(self, days: int) -> date:
        """The day on which that many more days will have counted, while no clock stands."""
        if self.counted_in is None or days <= 0:
            return self.as_of + timedelta(days=days)
        country, region = self.counted_in
        return workdays.add_working_days(self.as_of, days, country=country, region=region)


class Outcome(NamedTuple):
    """What happens to one step on one day."""

    step: StepRule
    result: str
    repeat: int = 0
    #: Channels to use, in order; for ``all_channels`` each of them.
    channels: tuple[str, ...] = ()
    #: Why it is sent again, or that a person must look.
    note: str = ""
    escalate: bool = False

    @property
    def waits(self) -> bool:
        return self.result.startswith("waiting:")


class Answer(NamedTuple):
    """The day's outcomes in order, and when to look again (none: when the facts change)."""

    outcomes: tuple[Outcome, ...]
    next_on: date | None


def enters(rules: PolicyRules, facts: CaseFacts) -> bool:
    """Whether a case opens: at least the amount, at least the age."""
    minimum = rules.enter_min_amount.of(facts.currency)
    age = facts.age
    return minimum is not None and age is not None and age >= rules.enter_min_days and facts.amount >= max(minimum, 1)


def exits(rules: PolicyRules, currency: str, past_due: int) -> bool:
    """Whether a case closes: what is past due, contested or covered amounts included, is at most the exit amount."""
    return past_due <= (rules.exit_max_amount.of(currency) or 0)


def decide(rules: PolicyRules, facts: CaseFacts) -> Answer:
    """What happens to an open case on ``facts.as_of``."""
    age, today, tomorrow = facts.age, facts.as_of, facts.as_of + timedelta(days=1)
    if age is None:
        return Answer((), _first_hold_end(facts))
    gap = max(rules.min_gap_days, 1)
    if facts.last_step_on is not None and today < facts.last_step_on + timedelta(days=gap):
        return Answer((), facts.last_step_on + timedelta(days=gap))

    outcomes: list[Outcome] = []
    # What a hold covers comes back the day after its end, and may make a step due earlier.
    looks: list[date] = [end] if (end := _first_hold_end(facts)) else []
    hurting_waits = False
    re_entered = rules.place(facts.re_entered_at)
    for place, step in enumerate(rules.after_due):
        done = facts.done.get(step.code)
        if done is not None and done.over:
            continue
        if age < step.day and place > re_entered:
            looks.append(facts.day_in(step.day - age))
            break
        repeat = done.repeat if done else 0
        if not step.only_if.includes(facts.traits):
            outcomes.append(Outcome(step, PASSED_OVER, repeat))
            continue
        wait, look = _reason_to_wait(rules, facts, step)
        if hurting_waits and step.hurts and wait in ("", NOTHING_TO_DO):
            continue  # in order: only what does not hurt goes past a hurting step that waits
        if wait == NOTHING_TO_DO:
            outcomes.append(Outcome(step, NOTHING_TO_DO, repeat))
            return Answer(tuple(outcomes), today + timedelta(days=gap))
        if wait:
            since = (done.waiting_since if done else None) or today
            escalates_on = since + timedelta(days=ESCALATE_AFTER_DAYS)
            asked = done is not None and done.escalated
            outcomes.append(Outcome(step, wait, repeat, escalate=step.hurts and not asked and today >= escalates_on))
            looks.append(look or tomorrow)
            if not step.hurts:
                break
            hurting_waits = True
            if not asked and today < escalates_on:
                looks.append(escalates_on)
            if wait == NOT_WARNED and (again := _warn_again(rules, facts, step)):
                outcomes.append(again)
                return Answer(tuple(outcomes), today + timedelta(days=gap))
            continue
        outcomes.append(_take(step, facts, repeat))
        return Answer(tuple(outcomes), today + timedelta(days=gap))
    return Answer(tuple(outcomes), min(looks, default=None))


def _take(step: StepRule, facts: CaseFacts, repeat: int) -> Outcome:
    if step.action != NOTIFY:
        return Outcome(step, TAKEN, repeat)
    channels = tuple(channel for channel in step.channels if channel in facts.reachable)
    return Outcome(step, TAKEN if channels else UNDELIVERABLE, repeat, channels)


def _reason_to_wait(rules: PolicyRules, facts: CaseFacts, step: StepRule) -> tuple[str, date | None]:
    """Why the step cannot be taken today ("" when it can), and the day that alone would change it."""
    if _EFFECT.get(step.action) in facts.stopped:
        return HELD, _first_hold_end(facts) or facts.as_of + timedelta(days=ESCALATE_AFTER_DAYS)
    minimum = max(rules.enter_min_amount.of(facts.currency) or 0, step.min_amount.of(facts.currency) or 0)
    if facts.amount < minimum:
        return BELOW_MINIMUM, None
    if step.action == LIMIT and not to_limit(step.rung, facts.services):
        return NOTHING_TO_DO, None
    if not step.hurts:
        return "", None
    if (wait := unwarned(facts, step))[0]:
        return wait
    if rules.rolls and not facts.working_day:
        return CLOSED_DAY, None
    return "", None


def unwarned(facts: CaseFacts, step: StepRule) -> tuple[str, date | None]:
    """Why the warning of a step that hurts does not carry it today ("" when it does), and the day that would.

    Asked when the step is decided, and again at the moment of its effect: a warning may bounce in between.
    """
    warning = facts.warnings.get(step.warned_by)
    if warning is None or not _counts(warning, facts) or warning.delivered_on is None:
        return NOT_WARNED, None
    ready = warning.delivered_on + timedelta(days=step.notice_days or 0)
    if warning.pay_by is not None:
        ready = max(ready, warning.pay_by)
    return (NOTICE_RUNNING, ready) if facts.as_of < ready else ("", None)


def _counts(warning: WarningFact, facts: CaseFacts) -> bool:
    """Of this stretch of the case, and about a bill that is still open."""
    return warning.made_on >= facts.warnings_from and any(bill.ref in warning.bill_refs for bill in facts.bills)


def _warn_again(rules: PolicyRules, facts: CaseFacts, step: StepRule) -> Outcome | None:
    """The warning once more, when the last one no longer counts and somebody can receive it."""
    rule = rules.step(step.warned_by)
    done = facts.done.get(step.warned_by)
    if rule is None or done is None or not done.over or done.result == PASSED_OVER:
        return None
    if _reason_to_wait(rules, facts, rule)[0]:
        return None
    warning = facts.warnings.get(step.warned_by)
    if warning is not None and warning.on_its_way and _counts(warning, facts):
        return None
    again = _take(rule, facts, done.repeat + 1)
    if again.result != TAKEN:
        return None
    return again._replace(note=f"the last warning no longer counts for {step.code}")


def to_limit(rung: str, services: Collection[ServiceFact]) -> list[tuple[ServiceFact, str]]:
    """The services that may go further down, each with its rung: a protected one stops where its market says."""
    wanted = RUNGS.index(rung)
    reached = ((service, min(wanted, service.lowest) if service.protected else wanted) for service in services)
    return [(service, RUNGS[target]) for service, target in reached if service.rung < target]


RUNGS = ("active", "throttled", "outgoing_barred", "suspended", "disconnected")


def _first_hold_end(facts: CaseFacts) -> date | None:
    ends = [hold.ends_on for hold in facts.holds if hold.ends_on is not None and hold.covers(facts.as_of)]
    return min(ends) + timedelta(days=1) if ends else None


class Upcoming(NamedTuple):
    """The step an account comes to next, and the first day it can be taken as things stand."""

    code: str
    on: date


def outlook(rules: PolicyRules, facts: CaseFacts) -> Upcoming | None:
    """What is next for an open case, as far as time alone decides; none when nothing is left or nothing ages."""
    if (age := facts.age) is None:
        return None
    earliest = facts.as_of + timedelta(days=1)
    if facts.last_step_on is not None:
        earliest = max(earliest, facts.last_step_on + timedelta(days=max(rules.min_gap_days, 1)))
    if (end := _first_hold_end(facts)) and facts.stopped:
        earliest = max(earliest, end)
    re_entered = rules.place(facts.re_entered_at)
    for place, step in enumerate(rules.after_due):
        done = facts.done.get(step.code)
        if (done is not None and done.over) or not step.only_if.includes(facts.traits):
            continue
        on = max(earliest, facts.day_in(step.day - age)) if place > re_entered else earliest
        if step.hurts and (warning := facts.warnings.get(step.warned_by)) and warning.delivered_on:
            on = max(on, warning.delivered_on + timedelta(days=step.notice_days or 0), warning.pay_by or on)
        return Upcoming(step.code, on)
    return None


def due_before(rules: PolicyRules, *, due_on: date, as_of: date, taken: Collection[str]) -> StepRule | None:
    """The pre-due step of a bill for today: the first not taken whose day has come, while the bill is not yet due."""
    if as_of >= due_on:
        return None
    for step in rules.before_due:
        if step.code not in taken and as_of >= due_on + timedelta(days=step.day):
            return step
    return None
