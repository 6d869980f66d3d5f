"""A policy on the live book, a day or many ahead, without writing: what each step would come to, and for whom.

The facts are read as the day's run reads them, a chunk of accounts at a time and without a lock; each day is decided by
the same code (``day``), and what it decided is carried into the facts in memory. As things stand: nobody pays beyond
what the book holds already, nobody calls, messages arrive (SMS and in-app on their day, e-mail a day later, a letter
after three working days) and the network does what it is asked. Segments are asked anew for each day, by what the book
holds now. Two strategies are played side by side on the same reading, so that what differs is what the policy makes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import count
from typing import NamedTuple

from django.db import connection, transaction

from accounts import position, status, taking_effect
from accounts.models import Account, AccountStatus, Bill, Service
from accounts.money import from_mills, plain
from dunning import policy, re_entry, reading, rulebook, segments, workdays
from dunning.choosing import Strategy
from dunning.day import BillAhead, Day
from dunning.decide import bills_ahead
from dunning.experiments import Assigned
from dunning.leaving_notices import LETTER_WORKING_DAYS
from dunning.models import CaseStep, Notice
from dunning.policy import Done, PolicyRules, WarningFact
from dunning.reading import AccountFacts, CaseRow, PastDueBill, Reach

CHUNK = 1_000


class Limit(NamedTuple):
    """A service that would be limited."""

    account_id: int
    service_id: int
    rung: str
    step: str
    #: What the step was judged on, in thousandths.
    amount: int
    currency: str


@dataclass(slots=True)
class DayFound:
    """What one day would bring."""

    on: date
    steps: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    limits: list[Limit] = field(default_factory=list)
    #: Thousandths by currency.
    fees: Counter[str] = field(default_factory=Counter)
    restores: int = 0


@dataclass(slots=True)
class Found:
    """What a strategy would bring, day by day."""

    days: list[DayFound]
    entering: int = 0


@dataclass(frozen=True)
class Ahead:
    """What is agreed already and ends by time alone; the room above knows it."""

    #: The first day on which a hold no longer holds: its plan breaks unless somebody pays.
    holds_end: Mapping[int, date] = field(default_factory=dict)
    #: Accounts whose dispute ends against them on that day: earlier warnings justify nothing any more.
    disputes_lost: Mapping[int, date] = field(default_factory=dict)
    #: Accounts on which a promise or plan is broken on that day: where their policy says so, their cases go on at a
    #: step of its choice.
    broken: Mapping[int, Collection[date]] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """What to try, from when, for how long."""

    strategies: Sequence[Strategy]
    first: date
    days: int
    at: datetime
    #: The day whose facts the stored amounts hold; none: they are worked out from the facts.
    stored_on: date | None
    ahead: Ahead = field(default_factory=Ahead)
    #: For each strategy, by policy code: the rules that open cases of other versions move to as well.
    moving: Sequence[Mapping[str, PolicyRules]] = ()

    @property
    def last(self) -> date:
        return self.first + timedelta(days=self.days - 1)


#: Told after every chunk how many accounts are done of how many; it raises to stop.
Progress = Callable[[int, int], None]


def with_draft(strategy: Strategy, rules: PolicyRules) -> Strategy:
    """The strategy as it would be with these rules published."""
    others = [other for other in strategy.published if other.code != rules.code]
    return replace(strategy, published=[*others, rules])


def simulate(question: Question, progress: Progress = lambda _done, _of: None) -> list[Found]:
    """What each strategy would bring. Reads only; memory grows with what is found, not with the book."""
    found = [Found([DayFound(question.first + timedelta(days=ahead)) for ahead in range(question.days)])
             for _ in question.strategies]  # fmt: skip
    keys = _concerned(question)
    for start in range(0, len(keys), CHUNK):
        with _one_moment():
            chunk = _Chunk.read(keys[start : start + CHUNK], question)
        for place, strategy in enumerate(question.strategies):
            moving = question.moving[place] if question.moving else {}
            _Played(chunk.copy(), strategy, moving, question, found[place]).play()
        progress(min(start + CHUNK, len(keys)), len(keys))
    return found


@contextmanager
def _one_moment() -> Iterator[None]:
    """Everything read inside is of one moment; nothing is locked."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


_CONCERNED = """
    SELECT DISTINCT payer FROM (
        SELECT CASE WHEN a.parent_id IS NOT NULL AND NOT a.pays_itself THEN a.parent_id ELSE a.id END AS payer
          FROM accounts_account a
         WHERE %(everybody)s OR a.id = ANY(%(moving)s) OR EXISTS (
                SELECT 1 FROM accounts_bill b
                 WHERE b.account_id = a.id AND b.open_amount > 0 AND b.due_on < %(until)s)
        UNION ALL SELECT account_id FROM dunning_case WHERE closed_on IS NULL
    ) p ORDER BY payer
"""


def _concerned(question: Question) -> list[int]:
    """The payers to whom anything could happen in the time."""
    early = [step.day for strategy in question.strategies for rules in strategy.published for step in rules.before_due]
    until = question.last - timedelta(days=min(early, default=0)) + timedelta(days=1)
    everybody = question.stored_on is None
    moving: list[int] = []
    if question.stored_on is not None:
        moving = list(taking_effect.days_of(None, after=question.stored_on, until=question.last))
    with connection.cursor() as cursor:
        cursor.execute(_CONCERNED, {"until": until, "moving": moving, "everybody": everybody})
        return [pk for (pk,) in cursor.fetchall()]


@dataclass
class _Chunk:
    """The facts of some accounts, for every day of the time."""

    question: Question

    facts: dict[int, AccountFacts]
    #: Bills past due by the last day, by payer; those of a day are cut from them.
    due: dict[int, list[PastDueBill]]
    ahead: dict[int, list[BillAhead]]
    pinned: dict[int, PolicyRules]
    assigned: Assigned
    #: The days on which a fact of the account, or of one it pays for, takes effect.
    moves: dict[int, set[date]]
    #: Whom it pays for, itself included.
    group: dict[int, list[int]]
    #: The bills of others that it pays.
    of_others: dict[int, set[str]]
    #: Segments by account, for each day; empty where nobody asks for them.
    in_segments: list[dict[int, tuple[str, ...]]]
    reach: dict[date, dict[int, Reach]]
    #: What was open on a day on which facts took effect, worked out once.
    worked_out: dict[date, dict[int, position.AccountBooks]] = field(default_factory=dict)

    @classmethod
    def read(cls, keys: Sequence[int], question: Question) -> _Chunk:
        facts = reading.read(keys, as_of=question.first, until=question.last, holds_end=question.ahead.holds_end)
        upcoming = bills_ahead(keys, as_of=question.first)
        pinned = rulebook.rules_of({fact.case.version_id for fact in facts.values() if fact.case})
        group: dict[int, list[int]] = {pk: [pk] for pk in facts}
        through = Account.objects.filter(parent__in=facts, pays_itself=False).values_list("pk", "parent_id")
        for pk, parent in through:
            if parent is not None:
                group[parent].append(pk)
        members = {pk: payer for payer, pks in group.items() for pk in pks}
        moves: dict[int, set[date]] = defaultdict(set)
        if question.stored_on is None:
            for payer in facts:
                moves[payer].add(question.first)
        after = question.stored_on or question.first
        for pk, days in taking_effect.days_of(list(members), after=after, until=question.last).items():
            moves[members[pk]] |= {max(day, question.first) for day in days}
        of_others: dict[int, set[str]] = defaultdict(set)
        children = members.keys() - facts.keys()
        if children:
            for child, ref in Bill.objects.filter(account__in=children).values_list("account_id", "ref"):
                of_others[members[child]].add(ref)
        strategies = question.strategies
        asked = [*pinned.values(), *(rules for moving in question.moving for rules in moving.values())]
        in_segments = []
        if named := {row.code for strategy in strategies for row in strategy.segments_asked_for(asked)}:
            rows = [row for row in strategies[0].segments if row.code in named]
            every_day = (question.first + timedelta(days=ahead) for ahead in range(question.days))
            in_segments = [segments.memberships(facts, as_of=day, among=rows) for day in every_day]
        return cls(
            question,
            facts,
            {pk: fact.past_due for pk, fact in facts.items()},
            {pk: upcoming.get(pk, []) for pk in facts},
            pinned,
            strategies[0].assigned(keys) if strategies else {},
            moves,
            group,
            of_others,
            in_segments,
            reading.changes_of_reach(facts, after=question.first, until=question.last),
        )

    def books_on(self, day: date, payers: Sequence[int]) -> dict[int, position.AccountBooks]:
        """What is open on a day on which facts of these payers take effect; the same for every strategy."""
        if day not in self.worked_out:
            keys = [pk for payer in payers for pk in self.group[payer]]
            self.worked_out[day] = position.books_of(keys, as_of=day)
        return self.worked_out[day]

    def copy(self) -> _Chunk:
        """With facts that another strategy may carry on."""
        return replace(
            self,
            facts={pk: fact.copy() for pk, fact in self.facts.items()},
            due={pk: list(bills) for pk, bills in self.due.items()},
            ahead={pk: list(bills) for pk, bills in self.ahead.items()},
        )


class _Played:
    """One strategy, played over the days on one chunk."""

    def __init__(
        self,
        chunk: _Chunk,
        strategy: Strategy,
        moving: Mapping[str, PolicyRules],
        question: Question,
        found: Found,
    ) -> None:
        self.chunk, self.strategy, self.question, self.found = chunk, strategy, question, found
        self.pinned = dict(chunk.pinned)
        self.assigned = dict(chunk.assigned)
        #: What was given up of each bill, in thousandths.
        self.given_up: dict[int, dict[str, int]] = defaultdict(dict)
        self.keys = count(-1, -1)
        #: Warnings on their way: what arrives when.
        self.arriving: dict[int, dict[str, date]] = defaultdict(dict)
        #: Accounts to look at again, whatever their next day: something arrived, or the facts moved.
        self.woken: set[int] = set()
        self._move_open_cases(moving)

    def _move_open_cases(self, moving: Mapping[str, PolicyRules]) -> None:
        for fact in self.chunk.facts.values():
            if fact.case is None:
                continue
            rules, stage = moving.get(self.pinned[fact.case.version_id].code), fact.case.stage
            if rules is None or not rules.speaks(fact.currency):
                continue
            if stage and stage not in [step.code for step in rules.after_due]:
                continue
            self.pinned[rules.version_id] = rules
            fact.case = fact.case._replace(version_id=rules.version_id)
            ahead = [code for code, done in fact.done.items() if not done.over]
            for step in policy.left_behind(rules, stage=stage, had=fact.done, ahead=ahead):
                fact.done[step.code] = Done(0, True, None, False, policy.PASSED_OVER)

    def play(self) -> None:
        for ahead, noted in enumerate(self.found.days):
            self._turn(noted.on, first=ahead == 0)
            names = self.chunk.in_segments[ahead] if self.chunk.in_segments else {}
            for pk, fact in self.chunk.facts.items():
                tenure = fact.traits.tenure_days
                if fact.opened_on is not None:
                    tenure = (noted.on - fact.opened_on).days
                fact.traits = replace(fact.traits, tenure_days=tenure, segments=names.get(pk, ()))
            self._decide(noted)

    # A day turns: bills fall due, facts take effect, messages arrive --------------------------------------------------

    def _turn(self, day: date, *, first: bool) -> None:
        chunk = self.chunk
        moved = [pk for pk, days in chunk.moves.items() if day in days]
        if moved:
            self._work_out(moved, day)
        yesterday = day - timedelta(days=1)
        self.woken = set(chunk.facts) if first else set(moved)
        for pk, fact in chunk.facts.items():
            due = [bill for bill in chunk.due[pk] if bill.due_on < day]
            if len(due) != len(fact.past_due) or any(bill.due_on == yesterday for bill in due):
                self.woken.add(pk)
            fact.past_due = due
            if any(hold.starts_on == day or hold.ends_on == yesterday for hold in fact.holds):
                self.woken.add(pk)
            lost_on = self.question.ahead.disputes_lost.get(pk)
            if lost_on is not None and fact.case is not None and (lost_on == day or (first and lost_on < day)):
                fact.case = fact.case._replace(warnings_from=lost_on)
                self.woken.add(pk)
            if fact.case is not None and any(day in self.question.ahead.broken.get(one, ()) for one in chunk.group[pk]):
                rules = self.pinned[fact.case.version_id]
                if rules.after_broken:
                    entry = policy.re_entry(rules, stage=fact.case.stage, done=fact.done)
                    re_entry.carry(fact, entry, as_of=day)
                    self.woken.add(pk)
            if pk in self.woken:
                self._settle(fact)
        for pk, (contact, refused) in chunk.reach.get(day, {}).items():
            chunk.facts[pk].contact, chunk.facts[pk].refused_channels = contact, refused
        for pk, codes in self.arriving.items():
            for code in [code for code, on in codes.items() if on <= day]:
                fact = chunk.facts[pk]
                on = codes.pop(code)
                if (warning := fact.warnings.get(code)) is not None:
                    fact.warnings[code] = warning._replace(on_its_way=False, delivered_on=on)
                    self.woken.add(pk)

    def _settle(self, fact: AccountFacts) -> None:
        """The status that follows from what is open on the account's own bills."""
        own = [bill for bill in fact.past_due if bill.ref not in self.chunk.of_others[fact.pk]]
        fact.status = status.settled_status(
            status=fact.status,
            overdue=sum(bill.open_amount - bill.disputed_amount for bill in own),
            past_due=sum(bill.open_amount for bill in own),
            owes_nothing=False,
            closed=False,
            written_off=sum(self.given_up[fact.pk].values()) or None,
        )

    def _work_out(self, payers: Sequence[int], day: date) -> None:
        """What is open on that day, from the facts: something of the book takes effect."""
        chunk = self.chunk
        books = chunk.books_on(day, payers)
        for payer in payers:
            given_up = self.given_up[payer]
            left = {bill.ref: bill.left_at_exit for bill in chunk.due[payer]}
            had = {bill.ref: bill.taken for bill in chunk.ahead[payer]}
            rows = [
                (row.pk, row.fact.ref, row.fact.due_on,
                 seen.books.open.get(row.fact.ref, 0) - given_up.get(row.fact.ref, 0),
                 seen.books.disputed.get(row.fact.ref, 0))
                for seen in (books[pk] for pk in chunk.group[payer])
                for row in seen.bills
            ]  # fmt: skip
            rows = sorted((row for row in rows if row[3] > 0), key=lambda row: (row[2], row[1]))
            chunk.due[payer] = [
                PastDueBill(ref, due_on, amount, disputed, left.get(ref)) for _, ref, due_on, amount, disputed in rows
            ]
            chunk.ahead[payer] = [
                BillAhead(pk, ref, due_on, amount - disputed, had.get(ref, ()))
                for pk, ref, due_on, amount, disputed in rows
                if due_on > day and amount > disputed
            ]

    # The day's decisions, and what they change ------------------------------------------------------------------------

    def _decide(self, noted: DayFound) -> None:
        chunk, day = self.chunk, Day(noted.on, self.question.at)
        entering: list[tuple[AccountFacts, PolicyRules]] = []
        for pk, fact in chunk.facts.items():
            if fact.case is not None:
                rules = self.pinned[fact.case.version_id]
                if policy.exits(rules, fact.currency, fact.past_due_amount):
                    self._close(fact, rules, noted)
                elif pk in self.woken or (fact.case.next_on is not None and fact.case.next_on <= noted.on):
                    day.decide(fact, rules)
            elif fact.past_due:
                treatment = self.strategy.entry(fact, as_of=noted.on, assigned=self.assigned)
                if treatment is None:
                    continue
                if treatment.new and treatment.experiment is not None and treatment.arm is not None:
                    self.assigned[treatment.experiment.pk, pk] = treatment.arm.pk
                if treatment.rules is not None:
                    entering.append((fact, treatment.rules))
        for fact, rules in entering:
            self.pinned[rules.version_id] = rules
            opened = min(fact.taken_over_warned_on or noted.on, noted.on)
            day.opened(fact, rules, CaseRow(next(self.keys), rules.version_id, noted.on, "", None, noted.on, opened))
            day.decide(fact, rules)
            fact.taken_over_stage = ""
        for pk, fact in chunk.facts.items():
            if fact.case is None and chunk.ahead[pk]:
                ahead = [bill for bill in chunk.ahead[pk] if bill.due_on > noted.on]
                if ahead and (chosen := policy.choose(self.strategy.published, fact.traits, fact.currency)):
                    day.remind(fact, chosen, ahead)
        self._note(day, noted)
        self._carry(day)
        self.found.entering += len(entering)

    def _close(self, fact: AccountFacts, rules: PolicyRules, noted: DayFound) -> None:
        """The case ends: what it limited comes back, for the fee that takes; what is left open ages no new one."""
        restored = self._give_back(fact, rules)
        noted.restores += restored
        if restored and (fee := rules.reconnection_fee.of(fact.currency)):
            noted.fees[fact.currency] += fee
        self._forget(fact, {bill.ref for bill in fact.past_due})
        if fact.status in (AccountStatus.COLLECTIONS, AccountStatus.AGENCY):
            fact.status = AccountStatus.OVERDUE
        self._settle(fact)

    def _give_back(self, fact: AccountFacts, rules: PolicyRules) -> int:
        """The services that a case under these rules limited are active again; how many."""
        restored, gone = 0, policy.RUNGS.index("disconnected")
        for services in (fact.services, fact.child_services) if rules.limits_children else (fact.services,):
            for place, service in enumerate(services):
                if 0 < service.rung < gone:
                    services[place] = service._replace(rung=0)
                    restored += 1
        return restored

    def _forget(self, fact: AccountFacts, left: set[str]) -> None:
        fact.case = None
        fact.done, fact.warnings = {}, {}
        self.arriving.pop(fact.pk, None)
        self.chunk.due[fact.pk] = [
            bill._replace(left_at_exit=bill.open_amount) if bill.ref in left else bill
            for bill in self.chunk.due[fact.pk]
        ]

    def _note(self, day: Day, noted: DayFound) -> None:
        noted.steps.update(day.tally.steps)
        noted.messages.update(notice.channel for notice in day.notices if notice.state == "pending")
        for order in day.orders:
            fact = self.chunk.facts[order.account_id]
            amount = sum(bill.amount for bill in fact.judged(noted.on))
            noted.limits.append(
                Limit(order.account_id, order.service_id, order.rung, order.step_code, amount, fact.currency)
            )
        for fee in day.fees:
            noted.fees[self.chunk.facts[fee.account_id].currency] += int(fee.amount * 1000)

    def _carry(self, day: Day) -> None:
        """What was decided becomes the next day's facts, as reading it back would give them."""
        facts = self.chunk.facts
        for step in (*day.case_steps, *day.waiting):
            fact = facts[step.account_id]
            fact.done[step.code] = _done(step, fact.done.get(step.code))
        by_case = {fact.case.pk: fact for fact in facts.values() if fact.case is not None}
        for key, stage, last_step_on, next_on in day.moved:
            moved = by_case.get(key)
            if moved is not None and moved.case is not None:
                moved.case = moved.case._replace(stage=stage, last_step_on=last_step_on, next_on=next_on)
                moved.last_step_on = last_step_on or moved.last_step_on
        sent: dict[tuple[int, str], list[Notice]] = defaultdict(list)
        for notice in day.notices:
            if notice.case_id is not None and notice.state == "pending":
                sent[notice.account_id, notice.step_code].append(notice)
        for (pk, code), notices in sent.items():
            arrives = min(_arrives(notice.channel, day.as_of) for notice in notices)
            days = notices[0].pay_by_days
            facts[pk].warnings[code] = WarningFact(
                day.as_of,
                on_its_way=True,
                delivered_on=None,
                pay_by=day.as_of + timedelta(days=days) if days is not None else None,
                bill_refs=frozenset(notices[0].bill_refs),
            )
            self.arriving[pk][code] = max(arrives, day.as_of + timedelta(days=1))
            if arrives == day.as_of:
                warning = facts[pk].warnings[code]
                facts[pk].warnings[code] = warning._replace(on_its_way=False, delivered_on=arrives)
                del self.arriving[pk][code]
        for order in day.orders:
            rung = policy.RUNGS.index(order.rung)
            fact = facts[order.account_id]
            for services in (fact.services, fact.child_services):
                services[:] = [
                    service._replace(rung=rung) if service.pk == order.service_id else service for service in services
                ]
        for bill_step in day.bill_steps:
            self.chunk.ahead[bill_step.account_id] = [
                bill._replace(taken=(*bill.taken, bill_step.code)) if bill.pk == bill_step.bill_id else bill
                for bill in self.chunk.ahead[bill_step.account_id]
            ]
        for fact, _rules, _code in day.write_offs:
            self._write_off(fact, day.as_of)

    def _write_off(self, fact: AccountFacts, on: date) -> None:
        """As ``cases.write_off``: what is contested, under an agreement or another account's stays open.

        Where nothing else is open, nobody can write it off, and the case goes on.
        """
        chunk, kept = self.chunk, fact.covered(on) | self.chunk.of_others[fact.pk]
        due = {bill.ref: bill.open_amount - bill.disputed_amount for bill in chunk.due[fact.pk]}
        given_up = {
            ref: amount
            for ref, amount in ({bill.ref: bill.amount for bill in chunk.ahead[fact.pk]} | due).items()
            if amount > 0 and ref not in kept
        }
        if not given_up or (fact.status, AccountStatus.WRITTEN_OFF) not in status.graph(Account):
            return
        for ref, amount in given_up.items():
            self.given_up[fact.pk][ref] = self.given_up[fact.pk].get(ref, 0) + amount
        self._forget(fact, set())
        chunk.due[fact.pk] = [
            bill._replace(open_amount=left)
            for bill in chunk.due[fact.pk]
            if (left := bill.open_amount - given_up.get(bill.ref, 0)) > 0
        ]
        chunk.ahead[fact.pk] = [bill for bill in chunk.ahead[fact.pk] if bill.ref not in given_up]
        fact.status = AccountStatus.WRITTEN_OFF


def _done(step: CaseStep, before: Done | None) -> Done:
    """The step as reading its row back would give it."""
    over = step.done_on is not None
    same = before if before is not None and before.repeat == step.repeat else None
    since = None if over else (same.waiting_since if same else None) or step.came_on
    asked = step.escalated_on is not None or (same is not None and same.escalated)
    return Done(step.repeat, over, since, asked, step.result)


def _arrives(channel: str, day: date) -> date:
    """When a message made on ``day`` counts as delivered, if nothing goes wrong (``leaving_notices.counts_from``)."""
    if channel == "letter":
        return workdays.add_working_days(day, LETTER_WORKING_DAYS, country="")
    return day + timedelta(days=1) if channel == "email" else day


# What was found, in words and figures ---------------------------------------------------------------------------------


def difference(tried: Found, published: Found) -> dict[str, int]:
    """By step: how often more (or fewer) than with what is published today, over all days; only where it differs."""
    total = _total(tried)
    total.subtract(_total(published))
    return {code: number for code, number in sorted(total.items()) if number}


def _total(found: Found) -> Counter[str]:
    total: Counter[str] = Counter()
    for day in found.days:
        total.update(day.steps)
    return total


class Names(NamedTuple):
    """What accounts and services are called outside."""

    accounts: Mapping[int, tuple[str, str]]
    services: Mapping[int, str]


def names_of(found: Sequence[Found]) -> Names:
    """Refs and customers' names of what would be limited; two queries."""
    limits = [limit for one in found for day in one.days for limit in day.limits]
    accounts = Account.objects.filter(pk__in={limit.account_id for limit in limits})
    rows = accounts.values_list("pk", "ref", "customer__name")
    services = Service.objects.filter(pk__in={limit.service_id for limit in limits}).values_list("pk", "ref")
    return Names({pk: (ref, name) for pk, ref, name in rows}, dict(services))


def limits_as_json(day: DayFound, names: Names) -> Iterator[dict[str, str]]:
    """A day's limits in the order of accounts and services."""
    rows = sorted(day.limits, key=lambda limit: (names.accounts[limit.account_id][0], names.services[limit.service_id]))
    for limit in rows:
        ref, name = names.accounts[limit.account_id]
        yield {
            "account_id": ref,
            "name": name,
            "service_id": names.services[limit.service_id],
            "rung": limit.rung,
            "step": limit.step,
            "amount": plain(from_mills(limit.amount), limit.currency),
            "currency": limit.currency,
        }
