"""The decision alone, day by day, under any policy that a file may hold: bills that come, go and come back, holds,
notices lost or withdrawn, limits given back, warnings outdated, days left out. No database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.money import mills
from dunning import policy_file, writing
from dunning.holding import HoldFact
from dunning.policy import (
    NOT_WARNED,
    NOTHING_TO_DO,
    NOTIFY,
    PASSED_OVER,
    RUNGS,
    TAKEN,
    UNDELIVERABLE,
    Answer,
    CaseFacts,
    Done,
    JudgedBill,
    Outcome,
    PolicyRules,
    ServiceFact,
    StepRule,
    Traits,
    WarningFact,
    decide,
)
from tests.journeys import anything
from tests.journeys.anything import day

STEPS = (TAKEN, UNDELIVERABLE, NOTHING_TO_DO)
DAYS = 70
TRANSFERS = ("transfer_to_collections", "place_with_agency", "write_off")
STOPS = dict.fromkeys(anything.HOLDS, (NOTIFY, "charge_fee", "limit", *TRANSFERS)) | {
    "vulnerability_review": ("charge_fee", "limit", *TRANSFERS)
}


@dataclass(frozen=True)
class Sending:
    """One notice: its step, when it was made and delivered (none: never), the date it names, its bills."""

    code: str
    made: int
    delivered: int | None
    pay_by: int | None
    refs: frozenset[str]


@dataclass
class Course:
    """One open case, and what happens to it from outside."""

    rules: PolicyRules
    product: str
    reached_by: frozenset[str]
    #: Due day, amount, and the days on which it is paid and its payment goes back (none: never).
    bills: dict[str, tuple[int, int, int | None, int | None]]
    holds: list[HoldFact]
    protected: tuple[bool, ...]
    #: Of each sending in turn: days to its delivery, none when it is lost.
    delays: list[int | None]
    #: Days on which: no run; what was told is withdrawn; limits are given back; warnings are outdated; offices close.
    skipped: frozenset[int]
    withdrawn: frozenset[int]
    given_back: frozenset[int]
    outdated: frozenset[int]
    closed: frozenset[int]
    done: dict[str, Done] = field(default_factory=dict)
    sendings: list[Sending] = field(default_factory=list)
    rungs: dict[int, int] = field(default_factory=dict)
    since: int = -1_000
    taken_on: list[int] = field(default_factory=list)
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)
    tally: Counter[str] = field(default_factory=Counter)

    def live(self) -> None:
        """Every day that is run, checked."""
        self.rungs = dict.fromkeys(range(len(self.protected)), 0)
        for on in range(DAYS):
            if on in self.outdated:
                self.since = on
            if on in self.given_back:
                self._give_back(on)
            if on not in self.skipped:
                answer = decide(self.rules, self.facts(on))
                self.check(on, answer)
                self._act(on, answer)
                again = decide(self.rules, self.facts(on))
                assert not [outcome for outcome in again.outcomes if outcome.result in STEPS], "twice on one date"

    # What happens.

    def _give_back(self, on: int) -> None:
        for step in self.rules.steps:
            if step.action == "limit" and (done := self.done.get(step.code)) and done.over:
                self.done[step.code] = Done(done.repeat + 1, False, None, False, "")
                self.since = on
        self.rungs = dict.fromkeys(self.rungs, 0)

    def _act(self, on: int, answer: Answer) -> None:
        for outcome in answer.outcomes:
            step, before = outcome.step, self.done.get(outcome.step.code)
            if outcome.waits:
                since = (before.waiting_since if before else None) or day(on)
                asked = outcome.escalate or bool(before and before.escalated)
                self.done[step.code] = Done(outcome.repeat, False, since, asked, outcome.result)
                continue
            self.done[step.code] = Done(outcome.repeat, True, None, False, outcome.result)
            if outcome.result in STEPS:
                self.taken_on.append(on)
            if outcome.result == TAKEN and step.action == "limit":
                rung = RUNGS.index(step.rung)
                self.rungs |= {pk: max(at, rung) for pk, at in self.rungs.items() if not self.protected[pk]}
            if outcome.result == TAKEN and step.action == NOTIFY:
                self._send(step, on, outcome.repeat)

    def _send(self, step: StepRule, on: int, repeat: int) -> None:
        delay = self.delays[len(self.sendings) % len(self.delays)]
        if on in self.withdrawn:
            self.done[step.code] = Done(repeat + 1, False, None, False, "")
            delay = None
        delivered = None if delay is None else on + delay
        pay_by = None if step.pay_by_days is None else on + step.pay_by_days
        self.sendings.append(Sending(step.code, on, delivered, pay_by, frozenset(self.open_on(on))))

    # The facts.

    def open_on(self, on: int) -> dict[str, int]:
        """What is past due."""
        return {
            ref: amount
            for ref, (due, amount, paid, back) in self.bills.items()
            if due < on and not (paid is not None and paid <= on and (back is None or on < back))
        }

    def age(self, on: int) -> int | None:
        """Counted day by day."""
        owed = self.open_on(on)
        if not owed:
            return None
        oldest = min(self.bills[ref][0] for ref in owed)
        standing = [hold for hold in self.holds if hold.reason in ("hardship", "legal")]
        counted = range(oldest + 1, on + 1)
        return len([each for each in counted if not any(_covers(hold, each) for hold in standing)])

    def facts(self, on: int) -> CaseFacts:
        warnings = {
            sent.code: WarningFact(
                day(sent.made),
                on_its_way=sent.delivered is not None and sent.delivered > on,
                delivered_on=day(sent.delivered) if sent.delivered is not None and sent.delivered <= on else None,
                pay_by=None if sent.pay_by is None else day(sent.pay_by),
                bill_refs=sent.refs,
            )
            for sent in self.sendings
        }
        return CaseFacts(
            as_of=day(on),
            currency="USD",
            traits=Traits("residential", self.product),
            bills=tuple(JudgedBill(ref, day(self.bills[ref][0]), owed) for ref, owed in self.open_on(on).items()),
            holds=tuple(hold for hold in self.holds if hold.starts_on <= day(on)),
            services=tuple(ServiceFact(pk, at, self.protected[pk]) for pk, at in self.rungs.items()),
            reachable=self.reached_by,
            done=dict(self.done),
            last_step_on=day(self.taken_on[-1]) if self.taken_on else None,
            warnings=warnings,
            warnings_from=day(self.since),
            working_day=on not in self.closed,
        )

    # What must hold.

    def check(self, on: int, answer: Answer) -> None:
        """Of one day's answer, before anything follows from it."""
        steps = [outcome for outcome in answer.outcomes if outcome.result in STEPS]
        assert len(steps) <= 1
        rests = bool(self.taken_on) and on - self.taken_on[-1] < self.rules.min_gap_days
        assert not (rests and answer.outcomes)
        age = self.age(on)
        if age is None or rests:
            assert not answer.outcomes
            return
        waiting = {outcome.step.code: outcome for outcome in answer.outcomes if outcome.waits}
        left = [step for step in self.rules.after_due if not self._is_over(step, answer)]
        if not steps and (due := [step for step in left if step.day <= age]):
            assert due[0].code in waiting, f"{due[0].code} is due, and nothing says why it is not taken"
        for outcome in waiting.values():
            if outcome.result == NOT_WARNED and not steps:
                assert not self._could_warn(on, outcome.step), f"{outcome.step.code} waits for a warning nobody sends"
        for outcome in answer.outcomes:
            assert 0 <= outcome.step.day <= age
            if not outcome.waits:
                self.check_done(on, outcome, waiting, answer)

    def _could_warn(self, on: int, step: StepRule) -> bool:
        """Whether the step's warning had its turn, justifies nothing any more, and could be sent again."""
        rule = next(each for each in self.rules.steps if each.code == step.warned_by)
        done = self.done.get(rule.code)
        if done is None or not done.over or done.result == PASSED_OVER:
            return False
        held = [hold for hold in self.holds if _covers(hold, on) and NOTIFY in STOPS[hold.reason]]
        owed = sum(self.open_on(on).values())
        enough = owed >= max(self.rules.enter_min_amount.of("USD") or 0, rule.min_amount.of("USD") or 0)
        for sent in [sent for sent in self.sendings if sent.code == rule.code][-1:]:
            on_its_way = sent.delivered is not None and sent.delivered > on
            if on_its_way and sent.made >= self.since and sent.refs & self.open_on(on).keys():
                return False
        return enough and not held and bool(self.reached_by & set(rule.channels))

    def _is_over(self, step: StepRule, answer: Answer) -> bool:
        done = self.done.get(step.code)
        today = [each for each in answer.outcomes if each.step.code == step.code and not each.waits]
        return bool(today) or (done is not None and done.over)

    def check_done(self, on: int, outcome: Outcome, waiting: dict[str, Outcome], answer: Answer) -> None:
        step = outcome.step
        self.tally[f"{step.action} {outcome.result}"] += 1
        self.seen[step.code, outcome.repeat] += 1
        assert self.seen[step.code, outcome.repeat] == 1
        ladder = list(self.rules.after_due)
        left = [before for before in ladder[: ladder.index(step)] if not self._is_over(before, answer)]
        # Past what hurts and waits goes what does not hurt; of the hurting ones left, the first says why it waits.
        assert all(before.hurts for before in left), f"{step.code} before {left}"
        assert not left or left[0].code in waiting
        assert not left or not step.hurts or outcome.result == PASSED_OVER
        self.check_repeat(on, outcome, waiting)
        if outcome.result == PASSED_OVER:
            assert self.product not in step.only_if.product
            assert step.only_if.product
            return
        assert not step.only_if.product or self.product in step.only_if.product
        owed = sum(self.open_on(on).values())
        assert owed >= max(self.rules.enter_min_amount.of("USD") or 0, step.min_amount.of("USD") or 0)
        assert not [hold for hold in self.holds if _covers(hold, on) and step.action in STOPS[hold.reason]]
        if step.hurts and outcome.result == TAKEN:
            assert not (self.rules.rolls and on in self.closed)
            assert [sent for sent in self.sendings if self._warns(sent, step, on)]
        if step.action == "limit":
            rung = RUNGS.index(step.rung)
            above = [pk for pk, at in self.rungs.items() if at < rung and not self.protected[pk]]
            assert bool(above) is (outcome.result == TAKEN)

    def _warns(self, sent: Sending, step: StepRule, on: int) -> bool:
        return (
            sent.code == step.warned_by
            and sent.delivered is not None
            and sent.delivered + (step.notice_days or 0) <= on
            and (sent.pay_by is None or sent.pay_by <= on)
            and sent.made >= self.since
            and bool(sent.refs & self.open_on(on).keys())
        )

    def check_repeat(self, on: int, outcome: Outcome, waiting: dict[str, Outcome]) -> None:
        """A first time, what was undone, or a warning that no longer counts and that a step waits for."""
        before = self.done.get(outcome.step.code)
        if before is None or not before.over:
            assert outcome.repeat == (before.repeat if before else 0)
            return
        assert outcome.repeat == before.repeat + 1
        missed = [other.step for other in waiting.values() if other.result == NOT_WARNED]
        assert outcome.step.code in {step.warned_by for step in missed}
        last = [sent for sent in self.sendings if sent.code == outcome.step.code][-1:]
        for sent in last:
            lost = sent.delivered is None
            assert lost or sent.made < self.since or not sent.refs & self.open_on(on).keys()
        self.tally["warned again"] += 1


def _covers(hold: HoldFact, on: int) -> bool:
    return hold.starts_on <= day(on) and (hold.ends_on is None or day(on) <= hold.ends_on)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    number = st.integers(0, DAYS - 1)
    bills: dict[str, tuple[int, int, int | None, int | None]] = {}
    if draw(st.booleans()):
        # What was warned of is paid, and another bill takes its place.
        bills["OLD"] = (-1, 30_000, draw(st.integers(4, 20)), None)
        bills["NEW"] = (draw(st.integers(0, 8)), 60_000, None, None)
    for each in range(0 if bills else draw(st.integers(1, 5))):
        due = draw(st.sampled_from([-1, -1, 0, 5, 12, 25]))
        paid = draw(st.none() | st.integers(due, DAYS))
        back = None if paid is None else draw(st.none() | st.integers(paid + 1, paid + 20))
        bills[f"B{each}"] = (due, mills(draw(anything.amounts("USD"))), paid, back)
    holds = []
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        first = draw(number)
        last = draw(st.none() | st.integers(first, first + 20))
        reason = draw(st.sampled_from(anything.HOLDS))
        holds.append(HoldFact(reason, day(first), None if last is None else day(last)))
    weekends = frozenset(on for on in range(DAYS) if day(on).weekday() > 4)
    return Course(
        rules=writing.rules(draw(anything.policies())),
        product=draw(st.sampled_from(["", "tv"])),
        reached_by=frozenset(draw(st.sets(st.sampled_from(anything.CHANNELS)))) | {"in_app"},
        bills=bills,
        holds=holds,
        protected=tuple(draw(st.lists(st.sampled_from([False, False, True]), max_size=3))),
        delays=draw(st.lists(st.sampled_from([0, 0, 0, 1, 4, None]), min_size=1, max_size=4)),
        skipped=draw(st.frozensets(number, max_size=20)),
        withdrawn=draw(st.frozensets(number, max_size=4)),
        given_back=draw(st.frozensets(number, max_size=3)),
        outdated=draw(st.frozensets(number, max_size=3)),
        closed=draw(st.sampled_from([weekends, frozenset[int]()])),
    )


@settings(deadline=None, max_examples=250)
@given(courses())
def test_any_course_takes_its_steps_in_order_once_on_their_day_and_hurts_nobody_unwarned(course: Course) -> None:
    course.live()


@settings(deadline=None, max_examples=100)
@given(anything.policies())
def test_any_policy_drawn_here_is_one_that_a_file_may_hold_and_comes_back_from_its_file(
    document: dict[str, Any],
) -> None:
    """What the other properties rest on: nothing is drawn that the desk would refuse, or read otherwise."""
    assert policy_file.check(document) == []
    tidied = policy_file.tidy(document)
    assert policy_file.tidy(policy_file.read(policy_file.write(tidied))) == tidied
    rules = writing.rules(document)
    assert [step.code for step in rules.steps] == [step["code"] for step in tidied["steps"]]
    assert rules.enter_min_amount.of("KWD") == mills(Decimal(tidied["enters"]["min_amount"]))
