"""A day's decisions for a chunk of accounts, noted down before anything is written.

``decide`` writes what is noted here; a simulation only reads it, and goes on with the next day. What a policy would do
is therefore found by the code that does it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from operator import attrgetter
from typing import NamedTuple

from accounts import events, status
from accounts.models import Account, Fee
from accounts.models.account import AccountStatus
from accounts.money import from_mills
from dunning import holding, kinds, policy, reading
from dunning.cases import NewFee
from dunning.models import BillStep, CaseStep, Notice, ServiceOrder
from dunning.policy import Outcome, PolicyRules
from dunning.reading import AccountFacts

#: Results that are a step of the case, in contrast to waiting and passing over.
STEPS = (policy.TAKEN, policy.UNDELIVERABLE, policy.NOTHING_TO_DO)


@dataclass(slots=True)
class Tally:
    """What a run did, for its report."""

    reviewed: int = 0
    cases_opened: int = 0
    cases_closed: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    notices: int = 0
    orders: int = 0

    def add(self, other: Tally) -> None:
        self.reviewed += other.reviewed
        self.cases_opened += other.cases_opened
        self.cases_closed += other.cases_closed
        self.steps.update(other.steps)
        self.notices += other.notices
        self.orders += other.orders


class NewPlacement(NamedTuple):
    """An account to be placed with an agency."""

    fact: AccountFacts
    agency: str
    amount: Decimal
    repeat: int


class BillAhead(NamedTuple):
    """A bill that is not due yet, with the steps before its due date that it had."""

    pk: int
    ref: str
    due_on: date
    #: Open and undisputed, in thousandths.
    amount: int
    taken: Sequence[str]


class Day:
    """What one chunk's decisions on one day come to."""

    def __init__(self, as_of: date, at: datetime) -> None:
        self.as_of, self.at = as_of, at
        self.tally = Tally()
        self.case_steps: list[CaseStep] = []
        #: Steps that wait already: their rows are there.
        self.waiting: list[CaseStep] = []
        #: Case, stage, day of the last step, day to look again.
        self.moved: list[tuple[int, str, date | None, date | None]] = []
        self.bill_steps: list[BillStep] = []
        self.notices: list[Notice] = []
        #: Who gets them, by customer.
        self.written_to: dict[int, AccountFacts] = {}
        self.orders: list[ServiceOrder] = []
        self.fees: list[NewFee] = []
        self.events: list[events.EventRow] = []
        self.moves: dict[str, list[status.Move]] = defaultdict(list)
        self.placements: list[NewPlacement] = []
        self.write_offs: list[tuple[AccountFacts, PolicyRules, str]] = []

    def opened(self, fact: AccountFacts, rules: PolicyRules, case: reading.CaseRow, *, arm: str = "") -> None:
        """A case was opened; one taken over from another system starts at the stage it had reached."""
        fact.case = case
        self.tally.cases_opened += 1
        payload = {"case": case.pk, "overdue": str(from_mills(fact.past_due_amount))} | ({"arm": arm} if arm else {})
        self.record(fact, rules, kinds.CASE_OPENED, payload=payload)
        if fact.taken_over_stage:
            self._take_over(fact, rules)

    def _take_over(self, fact: AccountFacts, rules: PolicyRules) -> None:
        reached = next((i for i, step in enumerate(rules.after_due) if step.code == fact.taken_over_stage), None)
        if reached is None or fact.case is None:
            return
        taken = rules.after_due[: reached + 1]
        on = fact.taken_over_warned_on or self.as_of
        for step in taken:
            fact.done[step.code] = policy.Done(0, True, None, False, policy.TAKEN)
            self.case_steps.append(self._case_step(fact, Outcome(step, policy.TAKEN, note="taken over"), on))
        fact.case = fact.case._replace(stage=fact.taken_over_stage, last_step_on=fact.taken_over_warned_on)
        fact.last_step_on = fact.taken_over_warned_on
        self.moved.append((fact.case.pk, fact.case.stage, fact.case.last_step_on, self.as_of))
        warnings = {step.warned_by for step in rules.after_due if step.hurts}
        warned = [step for step in taken if step.code in warnings]
        if fact.taken_over_warned_on and warned:
            step = warned[-1]
            notice = self._notice(fact, rules, Outcome(step, policy.TAKEN), "letter", ())
            notice.state, notice.reason, notice.send_at = "delivered", "by the system it was taken over from", None
            notice.made_on, notice.delivered_at = on, reading.end_of(on)
            notice.pay_by = on + timedelta(days=step.pay_by_days or 0)
            fact.warnings[step.code] = policy.WarningFact(on, False, on, notice.pay_by, frozenset(notice.bill_refs))
            self.notices.append(notice)

    def decide(self, fact: AccountFacts, rules: PolicyRules) -> None:
        """Ask the policy about one account, and note what follows."""
        if (case := fact.case) is None:
            return
        answer = policy.decide(rules, fact.case_facts(rules, self.as_of))
        stage, last_step_on = case.stage, case.last_step_on
        order = [step.code for step in rules.after_due]
        for outcome in answer.outcomes:
            if outcome.result == policy.TAKEN:
                outcome = self._act(fact, rules, outcome)
            if outcome.result in STEPS:
                code = outcome.step.code
                self.tally.steps[code] += 1
                last_step_on = self.as_of
                if not stage or stage not in order or order.index(code) > order.index(stage):
                    stage = code
            self._note(fact, rules, outcome)
        next_on = answer.next_on
        if (stage, last_step_on, next_on) != (case.stage, case.last_step_on, case.next_on):
            self.moved.append((case.pk, stage, last_step_on, next_on))

    def _note(self, fact: AccountFacts, rules: PolicyRules, outcome: Outcome) -> None:
        """The step's row and event; a step that goes on waiting for the same reason is not written again."""
        before = fact.done.get(outcome.step.code)
        if (
            outcome.waits
            and before
            and before.waiting_since
            and before.result == outcome.result
            and not outcome.escalate
        ):
            return
        stands = before is not None and before.repeat == outcome.repeat
        (self.waiting if stands else self.case_steps).append(self._case_step(fact, outcome, self.as_of))
        payload = {
            "case": fact.case.pk if fact.case else None,
            "step": outcome.step.code,
            "action": outcome.step.action,
            "result": outcome.result,
            "overdue": str(from_mills(fact.past_due_amount)),
            "bills": [bill.ref for bill in fact.past_due],
        }
        kind = kinds.STEP_WAITING if outcome.waits else kinds.STEP_TAKEN
        self.record(fact, rules, kind, reason=outcome.note or outcome.result, payload=payload)
        if outcome.escalate:
            text = f"{outcome.step.code} has waited {policy.ESCALATE_AFTER_DAYS} days ({outcome.result[9:]})"
            self.record(fact, rules, kinds.TASK_REQUESTED, reason=text, payload={"step": outcome.step.code}, react=True)

    def _case_step(self, fact: AccountFacts, outcome: Outcome, on: date) -> CaseStep:
        if fact.case is None:
            raise ValueError("only a case has steps")
        return CaseStep(
            account_id=fact.pk,
            case_id=fact.case.pk,
            code=outcome.step.code,
            action=outcome.step.action,
            repeat=outcome.repeat,
            result=outcome.result,
            came_on=on,
            done_on=None if outcome.waits else on,
            escalated_on=on if outcome.escalate else None,
        )

    def record(
        self,
        fact: AccountFacts,
        rules: PolicyRules,
        kind: str,
        *,
        reason: str = "",
        payload: Mapping[str, object] | None = None,
        react: bool = False,
    ) -> None:
        self.events.append(
            events.EventRow(
                fact.pk, kind, rules.actor, self.at, self.as_of, reason, rules.label, payload or {}, react=react
            )
        )

    def _act(self, fact: AccountFacts, rules: PolicyRules, outcome: Outcome) -> Outcome:
        """Write down the intent of a step that was taken; the result may turn out to be that nothing is to be done."""
        step = outcome.step
        if step.action == policy.NOTIFY:
            used = outcome.channels if step.all_channels else outcome.channels[:1]
            for channel in used:
                fallbacks = () if step.all_channels else outcome.channels[1:]
                self.written_to[fact.customer_id] = fact
                self.notices.append(self._notice(fact, rules, outcome, channel, fallbacks))
        elif step.action == policy.LIMIT:
            services = fact.services + (fact.child_services if rules.limits_children else [])
            for service, rung in policy.to_limit(step.rung, services):
                self.orders.append(self._order(fact, outcome, service.pk, rung))
        elif step.action == policy.TRANSFER:
            self._move(fact, rules, (AccountStatus.COLLECTIONS,), step.reason or "handed to agents by the policy")
            if fact.status == AccountStatus.CURRENT:
                # Only what it pays for is past due, and that shows in no status of its own.
                payload = {"step": step.code}
                reason = step.reason or "an account it pays for is past due"
                self.record(fact, rules, kinds.TASK_REQUESTED, reason=reason, payload=payload, react=True)
        elif step.action == policy.TASK:
            payload = {"step": step.code}
            reason = step.reason or step.code
            self.record(fact, rules, kinds.TASK_REQUESTED, reason=reason, payload=payload, react=True)
        elif step.action == policy.CHARGE_FEE:
            return self._charge(fact, rules, outcome)
        elif step.action == policy.AGENCY:
            return self._place(fact, rules, outcome)
        elif step.action == policy.WRITE_OFF:
            if step.approval:
                payload = {"amount": str(from_mills(fact.past_due_amount)), "step": step.code}
                self.record(fact, rules, kinds.WRITE_OFF_REQUESTED, reason=step.code, payload=payload, react=True)
            else:
                self.write_offs.append((fact, rules, step.code))
        return outcome

    def _notice(
        self, fact: AccountFacts, rules: PolicyRules, outcome: Outcome, channel: str, fallbacks: tuple[str, ...]
    ) -> Notice:
        step = outcome.step
        judged = fact.judged(self.as_of)
        hurts = next((rule for rule in rules.after_due if rule.hurts and rule.warned_by == step.code), None)
        return Notice(
            account_id=fact.pk,
            customer_id=fact.customer_id,
            case_id=fact.case.pk if fact.case else None,
            key=f"{fact.case.pk if fact.case else 0}.{step.code}.{outcome.repeat}.{channel}",
            step_code=step.code,
            template=step.template,
            channel=channel,
            fallbacks=list(fallbacks),
            language=fact.language,
            bill_refs=[bill.ref for bill in judged],
            amount=from_mills(sum(bill.amount for bill in judged)),
            currency=fact.currency,
            made_on=self.as_of,
            pay_by_days=step.pay_by_days,
            consequence=(hurts.rung or "agency") if hurts else "",
            send_at=reading.due_from(self.as_of, self.at),
        )

    def _order(self, fact: AccountFacts, outcome: Outcome, service_id: int, rung: str) -> ServiceOrder:
        return ServiceOrder(
            account_id=fact.pk,
            service_id=service_id,
            case_id=fact.case.pk if fact.case else None,
            key=f"{fact.case.pk if fact.case else 0}.{outcome.step.code}.{outcome.repeat}.{service_id}",
            kind=ServiceOrder.Kind.LIMIT,
            rung=rung,
            step_code=outcome.step.code,
            made_on=self.as_of,
            reason=outcome.step.code,
            send_at=reading.due_from(self.as_of, self.at),
        )

    def _move(self, fact: AccountFacts, rules: PolicyRules, path: Sequence[str], reason: str) -> None:
        """Move the account along the path, from wherever on it it stands already."""
        for target in path:
            if fact.status != target and (fact.status, target) in status.graph(Account):
                self.moves[rules.label].append(status.Move(fact.pk, fact.status, target, reason))
                fact.status = target

    def _charge(self, fact: AccountFacts, rules: PolicyRules, outcome: Outcome) -> Outcome:
        reconnection = outcome.step.fee == Fee.Kind.RECONNECTION
        base = sum(bill.amount for bill in fact.judged(self.as_of))
        late = rules.late_fee.of(fact.currency, base)
        fee = rules.reconnection_fee.of(fact.currency) if reconnection else late
        if not fee or fact.case is None:
            return outcome._replace(result=policy.NOTHING_TO_DO)
        kind = Fee.Kind.RECONNECTION if reconnection else Fee.Kind.LATE
        # Once a stage of the oldest bill, not once a case: money that came and went back makes another case of it.
        oldest = min((bill for bill in fact.judged(self.as_of) if bill.ages), key=attrgetter("due_on", "ref"))
        stage = f"{fact.pk} {oldest.ref} {outcome.step.code} {outcome.repeat}"
        key = sha256(stage.encode()).hexdigest()[:32]
        payload = {"amount": str(from_mills(fee)), "kind": str(kind)}
        code, at, on = outcome.step.code, self.at, self.as_of
        event = events.EventRow(fact.pk, events.FEE_CHARGED, rules.actor, at, on, code, rules.label, payload)
        self.fees.append(NewFee(fact.pk, kind, from_mills(fee), key, event))
        return outcome

    def _place(self, fact: AccountFacts, rules: PolicyRules, outcome: Outcome) -> Outcome:
        code = outcome.step.agency or rules.agency
        if fact.status == AccountStatus.AGENCY or not code or fact.case is None:
            return outcome._replace(result=policy.NOTHING_TO_DO)
        amount = from_mills(sum(bill.amount for bill in fact.judged(self.as_of)))
        self.placements.append(NewPlacement(fact, code, amount, outcome.repeat))
        self._move(fact, rules, (AccountStatus.COLLECTIONS, AccountStatus.AGENCY), f"placed with {code}")
        payload = {"agency": code, "amount": str(amount)}
        self.record(fact, rules, kinds.PLACED, reason=outcome.step.code, payload=payload)
        return outcome

    def remind(self, fact: AccountFacts, rules: PolicyRules, ahead: Sequence[BillAhead]) -> None:
        """The steps before the due date: taken once a bill; bills due for the same step share a notice."""
        case_facts = fact.case_facts(rules, self.as_of)
        if fact.case is not None or holding.NOTICES in case_facts.stopped:
            return
        covered = fact.covered(self.as_of)
        due: dict[str, list[BillAhead]] = defaultdict(list)
        for bill in ahead:
            step = policy.due_before(rules, due_on=bill.due_on, as_of=self.as_of, taken=bill.taken)
            minimum = step.min_amount.of(fact.currency) if step else None
            if step and bill.ref not in covered and minimum is not None and bill.amount >= minimum:
                due[step.code].append(bill)
        for code, bills in due.items():
            if (step := rules.step(code)) is not None:
                self._remind(fact, rules, step, bills, case_facts.reachable)

    def _remind(
        self,
        fact: AccountFacts,
        rules: PolicyRules,
        step: policy.StepRule,
        bills: Sequence[BillAhead],
        reachable: frozenset[str],
    ) -> None:
        passed = not step.only_if.includes(fact.traits)
        channels = tuple(channel for channel in step.channels if channel in reachable)
        result = policy.PASSED_OVER if passed else policy.TAKEN if channels else policy.UNDELIVERABLE
        outcome = Outcome(step, result, 0, channels)
        self.bill_steps += [
            BillStep(
                account_id=fact.pk,
                bill_id=bill.pk,
                version_id=rules.version_id,
                code=step.code,
                on=self.as_of,
                result=result,
            )
            for bill in bills
        ]
        if result == policy.TAKEN:
            for channel in channels if step.all_channels else channels[:1]:
                rest = () if step.all_channels else channels[1:]
                notice = self._notice(fact, rules, outcome, channel, rest)
                notice.key = f"bill.{bills[0].pk}.{step.code}.{channel}"
                notice.bill_refs = [bill.ref for bill in bills]
                notice.amount = from_mills(sum(bill.amount for bill in bills))
                self.written_to[fact.customer_id] = fact
                self.notices.append(notice)
        if not passed:
            self.tally.steps[step.code] += 1
        payload = {
            "step": step.code, "action": step.action, "result": result, "bills": [bill.ref for bill in bills],
        }  # fmt: skip
        self.record(fact, rules, kinds.STEP_TAKEN, reason=result, payload=payload)
