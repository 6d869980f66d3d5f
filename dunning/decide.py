"""The day's decisions, for many accounts at once: cases opened and closed, steps taken or waiting, what to send made.

A chunk of accounts is one transaction: lock, settle, read, decide (pure), write in bulk. What was decided is a row with
a unique key, and the case's next day moves with it, so a run that is killed goes on where it stopped and a run on the
same day again finds nothing to do. Nothing is sent here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from accounts import bulk, events, settling, status
from accounts.models import Account, Fee
from accounts.models.account import AccountStatus
from accounts.money import from_mills
from dunning import cases, holding, kinds, policy, reading, rulebook
from dunning.models import Agency, BillStep, Case, CaseStep, Notice, Placement, ServiceOrder
from dunning.policy import Outcome, PolicyRules
from dunning.reading import AccountFacts
from dunning.sharding import WHOLE, Shard

CHUNK = 1_000
#: Keys of due accounts found by one query: finding them costs the same for few as for many.
SLICE = 50_000

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


def run(*, as_of: date, at: datetime, shard: Shard = WHOLE) -> Tally:
    """Decide everything that is due on ``as_of`` in a shard; safe to repeat and to run beside other shards."""
    tally = Tally()
    published = rulebook.published()
    for chunk in _due_cases(as_of, shard):
        with transaction.atomic():
            tally.add(_decide_chunk(chunk, published, as_of=as_of, at=at))
    if early := sorted({(step.code, -step.day) for rules in published for step in rules.before_due}):
        for chunk in _due_bills(as_of, early, shard):
            with transaction.atomic():
                tally.add(_remind_chunk(chunk, published, as_of=as_of, at=at))
    return tally


_DUE = """
    SELECT id FROM (
        SELECT account_id AS id FROM dunning_case WHERE closed_on IS NULL AND next_on <= %(as_of)s
        UNION
        SELECT payer FROM (
            SELECT CASE WHEN parent_id IS NOT NULL AND NOT pays_itself THEN parent_id ELSE id END AS payer
              FROM accounts_account WHERE oldest_due_on < %(as_of)s
        ) o WHERE NOT EXISTS (SELECT 1 FROM dunning_case c WHERE c.account_id = o.payer AND c.closed_on IS NULL)
    ) due
     WHERE id > %(last)s AND mod(id, %(of)s) = %(number)s
     ORDER BY id LIMIT %(slice)s
"""
#: Payers with a bill ahead for which the day of a step has come that it has not had.
_UPCOMING = """
    SELECT DISTINCT payer FROM (
        SELECT CASE WHEN a.parent_id IS NOT NULL AND NOT a.pays_itself THEN a.parent_id ELSE a.id END AS payer
          FROM accounts_bill b JOIN accounts_account a ON a.id = b.account_id
          JOIN unnest(%(codes)s::text[], %(days)s::int[]) AS s(code, days) ON b.due_on <= %(as_of)s + s.days
         WHERE b.open_amount > b.disputed_amount AND b.due_on > %(as_of)s AND b.due_on <= %(until)s
           AND NOT EXISTS (SELECT 1 FROM dunning_billstep d WHERE d.bill_id = b.id AND d.code = s.code)
    ) ahead
     WHERE payer > %(last)s AND mod(payer, %(of)s) = %(number)s
       AND NOT EXISTS (SELECT 1 FROM dunning_case c WHERE c.account_id = payer AND c.closed_on IS NULL)
     ORDER BY payer LIMIT %(slice)s
"""


def _due_cases(as_of: date, shard: Shard) -> Iterator[list[int]]:
    return _keyset(_DUE, {"as_of": as_of}, shard)


def _due_bills(as_of: date, early: Sequence[tuple[str, int]], shard: Shard) -> Iterator[list[int]]:
    """Chunks of payers, for the steps before the due date: (code, days before)."""
    codes, days = [code for code, _ in early], [days for _, days in early]
    until = as_of + timedelta(days=max(days))
    return _keyset(_UPCOMING, {"as_of": as_of, "until": until, "codes": codes, "days": days}, shard)


def _keyset(query: str, parameters: dict[str, Any], shard: Shard) -> Iterator[list[int]]:
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(query, parameters | {"last": last, "slice": SLICE, "number": shard.number, "of": shard.of})
            found = [pk for (pk,) in cursor.fetchall()]
        for start in range(0, len(found), CHUNK):
            yield found[start : start + CHUNK]
        if len(found) < SLICE:
            return
        last = found[-1]


def _decide_chunk(chunk: Sequence[int], published: list[PolicyRules], *, as_of: date, at: datetime) -> Tally:
    cases.lock(chunk)
    settling.settle(as_of=as_of, at=at, account_ids=chunk)
    facts = reading.read(chunk, as_of=as_of)
    pinned = rulebook.rules_of({fact.case.version_id for fact in facts.values() if fact.case})
    day = _Day(as_of, at)
    day.tally.reviewed = len(facts)
    judged: list[tuple[AccountFacts, PolicyRules]] = []
    entering: list[tuple[AccountFacts, PolicyRules]] = []
    closing: list[cases.Closing] = []
    for fact in facts.values():
        if fact.case:
            rules = pinned[fact.case.version_id]
            if policy.exits(rules, fact.currency, fact.past_due_amount):
                reason = "paid" if fact.past_due_amount == 0 else "below_exit_amount"
                closing.append(cases.Closing(fact, rules, reason))
            else:
                judged.append((fact, rules))
        elif (chosen := policy.choose(published, fact.traits, fact.currency)) and policy.enters(
            chosen, fact.case_facts(chosen, as_of)
        ):
            entering.append((fact, chosen))
    cases.close(closing, as_of=as_of, at=at)
    day.tally.cases_closed += len(closing)
    day.open_cases(entering)
    for fact, rules in sorted(judged + entering, key=lambda pair: pair[0].pk):
        day.decide(fact, rules)
    day.write()
    return day.tally


class _Day:
    """What one chunk's decisions come to, collected to be written in bulk."""

    def __init__(self, as_of: date, at: datetime) -> None:
        self.as_of, self.at = as_of, at
        self.tally = Tally()
        self.case_steps: list[CaseStep] = []
        #: Steps that wait already: their rows are there.
        self.waiting: list[CaseStep] = []
        self.moved: list[tuple[int, str, date | None, date | None]] = []
        self.notices: list[Notice] = []
        self.orders: list[ServiceOrder] = []
        self.events: list[events.EventRow] = []
        self.moves: dict[str, list[status.Move]] = defaultdict(list)
        self.placements: list[Placement] = []
        self.write_offs: list[tuple[AccountFacts, PolicyRules, str]] = []
        self.unsettled: set[int] = set()
        self.agencies: dict[str, int] = {}

    def open_cases(self, entering: Sequence[tuple[AccountFacts, PolicyRules]]) -> None:
        """Open a case for each; one taken over from another system starts at the stage it had reached."""
        opened = Case.objects.bulk_create(
            [
                Case(
                    account_id=fact.pk,
                    version_id=rules.version_id,
                    opened_on=self.as_of,
                    next_on=self.as_of,
                    warnings_from=min(fact.taken_over_warned_on or self.as_of, self.as_of),
                )
                for fact, rules in entering
            ]
        )
        self.tally.cases_opened += len(opened)
        for case, (fact, rules) in zip(opened, entering, strict=True):
            fact.case = reading.CaseRow(
                case.pk, case.version_id, case.opened_on, "", None, case.next_on, case.warnings_from
            )
            self.record(
                fact,
                rules,
                kinds.CASE_OPENED,
                payload={"case": case.pk, "overdue": str(from_mills(fact.past_due_amount))},
            )
            if fact.taken_over_stage:
                self._take_over(fact, rules)
        Account.objects.filter(pk__in=[fact.pk for fact, _ in entering if fact.taken_over_stage]).update(
            taken_over_stage="", taken_over_warned_on=None
        )

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
                self.notices.append(self._notice(fact, rules, outcome, channel, fallbacks))
        elif step.action == policy.LIMIT:
            services = fact.services + (fact.child_services if rules.limits_children else [])
            for service in policy.to_limit(step.rung, services):
                self.orders.append(self._order(fact, outcome, service.pk))
        elif step.action == policy.TRANSFER:
            self._move(fact, rules, (AccountStatus.COLLECTIONS,), "handed to agents by the policy")
            if fact.status == AccountStatus.CURRENT:
                # Only what it pays for is past due, and that shows in no status of its own.
                payload = {"step": step.code}
                reason = "an account it pays for is past due"
                self.record(fact, rules, kinds.TASK_REQUESTED, reason=reason, payload=payload, react=True)
        elif step.action == policy.TASK:
            payload = {"step": step.code}
            self.record(fact, rules, kinds.TASK_REQUESTED, reason=step.code, payload=payload, react=True)
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

    def _order(self, fact: AccountFacts, outcome: Outcome, service_id: int) -> ServiceOrder:
        return ServiceOrder(
            account_id=fact.pk,
            service_id=service_id,
            case_id=fact.case.pk if fact.case else None,
            key=f"{fact.case.pk if fact.case else 0}.{outcome.step.code}.{outcome.repeat}.{service_id}",
            kind=ServiceOrder.Kind.LIMIT,
            rung=outcome.step.rung,
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
        fee = (rules.reconnection_fee if reconnection else rules.late_fee).of(fact.currency)
        if not fee or fact.case is None:
            return outcome._replace(result=policy.NOTHING_TO_DO)
        kind = Fee.Kind.RECONNECTION if reconnection else Fee.Kind.LATE
        key = f"{fact.case.pk}-{outcome.step.code}-{outcome.repeat}"
        cases.charge(fact.pk, kind, from_mills(fee), key=key, as_of=self.as_of)
        self.unsettled.add(fact.pk)
        payload = {"amount": str(from_mills(fee)), "kind": str(kind)}
        self.record(fact, rules, events.FEE_CHARGED, reason=outcome.step.code, payload=payload)
        return outcome

    def _place(self, fact: AccountFacts, rules: PolicyRules, outcome: Outcome) -> Outcome:
        code = outcome.step.agency or rules.agency
        if fact.status == AccountStatus.AGENCY or not code or fact.case is None:
            return outcome._replace(result=policy.NOTHING_TO_DO)
        if code not in self.agencies:
            self.agencies[code] = Agency.objects.get_or_create(code=code, defaults={"name": code})[0].pk
        amount = from_mills(sum(bill.amount for bill in fact.judged(self.as_of)))
        self.placements.append(
            Placement(
                ref=f"desk-placement-{fact.case.pk}-{outcome.repeat}",
                account_id=fact.pk,
                case_id=fact.case.pk,
                agency_id=self.agencies[code],
                amount=amount,
                placed_on=self.as_of,
            )
        )
        self._move(fact, rules, (AccountStatus.COLLECTIONS, AccountStatus.AGENCY), f"placed with {code}")
        payload = {"agency": code, "amount": str(amount)}
        self.record(fact, rules, kinds.PLACED, reason=outcome.step.code, payload=payload)
        return outcome

    def write(self) -> None:
        """Everything noted, in a handful of statements."""
        # A step that goes on waiting for another reason keeps the day on which a person was asked.
        asked = [step for step in self.waiting if step.escalated_on]
        rest = [step for step in self.waiting if not step.escalated_on]
        for case_steps, columns in ((asked, ["result", "done_on", "escalated_on"]), (rest, ["result", "done_on"])):
            CaseStep.objects.bulk_create(
                case_steps,
                batch_size=2_000,
                update_conflicts=True,
                unique_fields=["case", "code", "repeat"],
                update_fields=columns,
            )
        bulk.insert(self.case_steps)
        bulk.insert(self.notices)
        bulk.insert(self.orders)
        Placement.objects.bulk_create(self.placements, batch_size=2_000)
        self.tally.notices += len(self.notices)
        self.tally.orders += len(self.orders)
        self._write_cases()
        events.record_many(self.events)
        for label, moves in self.moves.items():
            for hop in _hops(moves):
                status.move_accounts(hop, actor=f"policy:{label}", at=self.at, on=self.as_of, policy=label)
        if self.unsettled:
            settling.settle(as_of=self.as_of, at=self.at, account_ids=self.unsettled)
        self._write_off()

    def _write_off(self) -> None:
        refused: list[events.EventRow] = []
        for fact, rules, code in self.write_offs:
            try:
                cases.write_off(
                    account_id=fact.pk,
                    actor=rules.actor,
                    as_of=self.as_of,
                    at=self.at,
                    reason=code,
                    policy_label=rules.label,
                )
            except cases.CannotWriteOff as refusal:
                # One account's trouble is a person's business, and stops nobody else's day.
                reason, payload = f"{code}: {refusal}", {"step": code}
                row = events.EventRow(fact.pk, kinds.TASK_REQUESTED, rules.actor, self.at, self.as_of, reason)
                refused.append(replace(row, policy=rules.label, payload=payload, react=True))
            else:
                self.tally.cases_closed += 1
        events.record_many(refused)

    def _write_cases(self) -> None:
        if not self.moved:
            return
        latest = {pk: (stage, last, following) for pk, stage, last, following in self.moved}
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE dunning_case c SET stage = v.stage, last_step_on = v.last, next_on = v.following "
                "FROM unnest(%s::bigint[], %s::text[], %s::date[], %s::date[]) AS v(id, stage, last, following) "
                "WHERE c.id = v.id AND c.closed_on IS NULL",
                [list(latest), *(list(column) for column in zip(*latest.values(), strict=True))],
            )


def _hops(moves: Sequence[status.Move]) -> Iterator[list[status.Move]]:
    """The moves in waves, so that an account that moves twice does so in order."""
    waves: list[list[status.Move]] = []
    seen: Counter[int] = Counter()
    for move in moves:
        if seen[move.pk] == len(waves):
            waves.append([])
        waves[seen[move.pk]].append(move)
        seen[move.pk] += 1
    return iter(waves)


_BILLS_AHEAD = """
    SELECT x.payer, b.id, b.ref, b.due_on, ((b.open_amount - b.disputed_amount) * 1000)::bigint,
           coalesce(array_agg(s.code) FILTER (WHERE s.code IS NOT NULL), '{}')
      FROM (SELECT id, id AS payer FROM accounts_account WHERE id = ANY(%(ids)s)
            UNION ALL SELECT id, parent_id FROM accounts_account WHERE parent_id = ANY(%(ids)s) AND NOT pays_itself) x
      JOIN accounts_bill b ON b.account_id = x.id LEFT JOIN dunning_billstep s ON s.bill_id = b.id
     WHERE b.open_amount > b.disputed_amount AND b.due_on > %(as_of)s
     GROUP BY x.payer, b.id ORDER BY x.payer, b.due_on, b.ref
"""


def _remind_chunk(chunk: Sequence[int], published: list[PolicyRules], *, as_of: date, at: datetime) -> Tally:
    """The steps before the due date: taken once a bill; bills due for the same step share a notice."""
    cases.lock(chunk)
    settling.settle(as_of=as_of, at=at, account_ids=chunk)
    facts = reading.read(chunk, as_of=as_of)
    day = _Day(as_of, at)
    ahead: dict[int, list[tuple[int, str, date, int, list[str]]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_BILLS_AHEAD, {"ids": list(chunk), "as_of": as_of})
        for account_id, *bill in cursor.fetchall():
            ahead[account_id].append(tuple(bill))
    taken: list[BillStep] = []
    for pk, fact in facts.items():
        rules = policy.choose(published, fact.traits, fact.currency)
        if rules is None or fact.case is not None or not ahead[pk]:
            continue
        case_facts = fact.case_facts(rules, as_of)
        if holding.NOTICES in case_facts.stopped:
            continue
        covered = fact.covered(as_of)
        groups: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
        for bill_id, ref, due_on, amount, done in ahead[pk]:
            step = policy.due_before(rules, due_on=due_on, as_of=as_of, taken=done)
            minimum = step.min_amount.of(fact.currency) if step else None
            if step and ref not in covered and minimum is not None and amount >= minimum:
                groups[step.code].append((bill_id, ref, amount))
        for code, bills in groups.items():
            step = rules.step(code)
            if step is None:
                continue
            passed = not step.only_if.includes(fact.traits)
            channels = tuple(channel for channel in step.channels if channel in case_facts.reachable)
            result = policy.PASSED_OVER if passed else policy.TAKEN if channels else policy.UNDELIVERABLE
            outcome = Outcome(step, result, 0, channels)
            taken += [
                BillStep(
                    account_id=pk, bill_id=bill_id, version_id=rules.version_id, code=code, on=as_of, result=result
                )
                for bill_id, _ref, _amount in bills
            ]
            if result == policy.TAKEN:
                for channel in channels if step.all_channels else channels[:1]:
                    rest = () if step.all_channels else channels[1:]
                    notice = day._notice(fact, rules, outcome, channel, rest)
                    notice.key = f"bill.{bills[0][0]}.{code}.{channel}"
                    notice.bill_refs = [ref for _pk, ref, _amount in bills]
                    notice.amount = from_mills(sum(amount for _pk, _ref, amount in bills))
                    day.notices.append(notice)
            if not passed:
                day.tally.steps[code] += 1
            payload = {"step": code, "action": step.action, "result": result, "bills": [ref for _, ref, _ in bills]}
            day.record(fact, rules, kinds.STEP_TAKEN, reason=result, payload=payload)
    BillStep.objects.bulk_create(taken, batch_size=2_000)
    day.write()
    day.tally.reviewed = 0
    return day.tally
