"""Any book under any policy, whatever happens in whatever order: what the desk promises of every account on every day.

The rules are read again here from the rows of facts alone (bills, holds, money), not from what the desk concluded.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings

from accounts import business_day, journals, position, settling
from accounts.importing import landing
from accounts.models import Account, AccountEvent, Adjustment, Bill, Fee, Hold, JournalEntry, Payment, Service
from accounts.money import mills
from accounts.refusals import Refused
from agents.models import Dispute
from collections_desk import journey, replay, resource
from collections_desk.book import BOOK
from dunning import kinds, policy_file
from dunning.deliver import deliver
from dunning.models import BillStep, Case, CaseStep, Notice, ServiceOrder
from dunning.roads import Roads
from tests import factories
from tests.journeys import anything
from tests.journeys.anything import AFTER, BEFORE, UNSEEN, Book, Fact, day
from tests.journeys.story import Story, publish

#: The same books everywhere: what fails here fails for everybody.
ANY_ORDER = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

STEPS = ("taken", "undeliverable", "nothing_to_do")
HURTS = ("limit", "place_with_agency")
TRANSFERS = ("transfer_to_collections", "place_with_agency", "write_off")
#: The design's matrix: what each reason stops, and which reasons stop the clock.
STOPS = dict.fromkeys(anything.HOLDS, ("notify", "charge_fee", "limit", *TRANSFERS)) | {
    "vulnerability_review": ("charge_fee", "limit", *TRANSFERS)
}
STOP_THE_CLOCK = ("hardship", "legal")
LABOR_DAY = date(2026, 9, 7)
WRITTEN = (Case, CaseStep, BillStep, Notice, ServiceOrder, AccountEvent, JournalEntry, Fee, Adjustment)


ZERO = Decimal(0)


class Due(NamedTuple):
    """A bill that is past due, in thousandths."""

    ref: str
    due_on: date
    open: int
    #: Open, uncontested, and under no promise.
    judged: int


class Desk:
    """A story told by a book, looked at after every run and every delivery."""

    def __init__(self, book: Book) -> None:
        self.book = book
        texts = [policy_file.write(policy_file.tidy(document)) for document in book.policies]
        self.story = Story(anything.FIRST, policy=texts[0])
        for text in texts[1:]:
            publish(text, on=self.story.today)
        tidied = [policy_file.tidy(document) for document in book.policies]
        self.policies = {document["code"]: document for document in tidied}
        self.keys: dict[str, int] = {}
        self.made: dict[str, Any] = {}
        self.held: dict[int, list[Hold]] = {}
        self.tally: Counter[str] = Counter()
        for who in book.people:
            contact = {"email": "", "phone": "", "address": ""} | who.contact
            account = self.story.account(who.ref, customer=contact, currency=who.currency, segment=who.segment)
            self.keys[who.ref] = account.pk
            for ref, protected in who.services:
                self.story.service(ref, who.ref, protected=protected)
        for fact in book.facts:
            if fact.on <= 0:
                self.happens(fact)

    def live(self) -> None:
        """Every day of the book."""
        for number in range(1, self.book.days + 1):
            self.story.days_without_a_run(until=day(number))
            for fact in self.book.on(number, BEFORE):
                self.happens(fact)
            if number not in self.book.skipped:
                self.run()
                if number in self.book.repeated:
                    self.run_again()
            for fact in self.book.on(number, AFTER, UNSEEN):
                self.happens(fact)
            if number not in self.book.skipped:
                if number in self.book.resumed:
                    self.run()
                self.deliver()
                self.check_money()

    # What happens.

    def happens(self, fact: Fact) -> None:
        """A fact of billing, or what somebody asks of the desk and the desk may refuse."""
        story, account = self.story, self.story.account_row(fact.account)
        on, until = day(fact.on), None if fact.until is None else day(fact.until)
        amount, named = str(fact.amount), {"ref": fact.ref}
        if fact.kind == "bill":
            factories.make_bill(account, amount, issued_on=on, due_on=until, **named)
        elif fact.kind == "payment":
            self.made[fact.ref] = factories.make_payment(account, amount, on, bill_ref=fact.about, **named)
        elif fact.kind == "reversal":
            factories.make_payment(account, amount, on, reverses=self.made[fact.about], **named)
        elif fact.kind == "credit":
            factories.make_adjustment(account, f"-{amount}", on, bill_ref=fact.about, **named)
        elif fact.kind == "charge":
            factories.make_adjustment(account, amount, on, bill_ref=fact.about, **named)
        with suppress(Refused):
            if fact.kind == "hold":
                self.made[fact.ref] = story.hold(fact.word, until=until, account=fact.account)
            elif fact.kind == "lift" and fact.about in self.made:
                story.lift(self.made[fact.about])
            elif fact.kind == "dispute":
                self.made[fact.ref] = story.dispute(amount, bill=fact.about, account=fact.account)
            elif fact.kind == "resolve" and fact.about in self.made:
                story.resolve(self.made[fact.about], fact.word)
            elif fact.kind == "promise" and until is not None:
                story.promise(amount, by=until, account=fact.account)
        if fact.when == AFTER:
            story._settle()

    # Days, looked at.

    def run(self) -> None:
        """One run, and whether everything that it did was to be done."""
        on = self.story.today
        owed = self.past_due(on)
        seen = set(CaseStep.objects.filter(done_on=on).values_list("pk", flat=True))
        cases = set(Case.objects.values_list("pk", flat=True))
        self.story.run(on)
        self.held = _by_account(Hold.objects.exclude(reason="dispute"))
        self.check_entered(on, owed, Case.objects.exclude(pk__in=cases))
        for step in CaseStep.objects.filter(done_on=on).exclude(pk__in=seen).select_related("case__version__policy"):
            self.check_step(step, on, owed[step.account_id])
        self.check_dates()

    def run_again(self) -> None:
        """The same day again, with nothing new: nothing is written."""
        before = {model: model.objects.count() for model in WRITTEN}
        told = list(CaseStep.objects.order_by("pk").values())
        self.story.run(self.story.today)
        assert {model: model.objects.count() for model in WRITTEN} == before
        assert list(CaseStep.objects.order_by("pk").values()) == told

    def deliver(self) -> None:
        """One delivery, and whether everything that left was still to be said or done."""
        on = self.story.today
        owed = self.past_due(on)
        told = set(Notice.objects.exclude(sent_at=None).values_list("pk", flat=True))
        ordered = set(ServiceOrder.objects.exclude(sent_at=None).values_list("pk", flat=True))
        self.story.deliver()
        left = Notice.objects.exclude(sent_at=None).exclude(pk__in=told).exclude(case=None)
        for notice in left.select_related("case__version__policy"):
            self.check_owing(notice, on, owed[notice.account_id], "notify")
        orders = ServiceOrder.objects.exclude(sent_at=None).exclude(pk__in=ordered).filter(kind="limit")
        for order in orders.select_related("case__version__policy", "service"):
            self.check_owing(order, on, owed[order.account_id], "limit")
            assert order.case is not None
            self.check_warned(order.case, order.step_code, on, owed[order.account_id])
            assert not order.service.protected
            self.tally["limits that left"] += 1
        self.check_services()

    # What must hold.

    def check_entered(self, on: date, owed: dict[int, list[Due]], opened: Any) -> None:
        """A case opens at least at the amount and the age."""
        for case in opened.select_related("version__policy", "account"):
            enters = self.policies[case.version.policy.code]["enters"]
            judged = [due for due in owed[case.account_id] if due.judged > 0]
            assert sum(due.judged for due in judged) >= mills(Decimal(enters["min_amount"]))
            assert self.age(case.account_id, judged, on) >= max(enters["min_days"], 1)
            self.tally["cases"] += 1

    def check_step(self, step: CaseStep, on: date, owed: list[Due]) -> None:
        """In order, on its day or later, under no hold, over the minimum, after a warning; repeated for a reason."""
        document = self.policies[step.case.version.policy.code]
        ladder = [each for each in document["steps"] if each["day"] >= 0]
        place = next(place for place, each in enumerate(ladder) if each["code"] == step.code)
        said = ladder[place]
        judged = [due for due in owed if due.judged > 0]
        assert self.age(step.account_id, judged, on) >= said["day"]
        latest = {row.code: row for row in CaseStep.objects.filter(case=step.case).order_by("repeat")}
        rows = [(before, latest.get(before["code"])) for before in ladder[:place]]
        left = [
            (before, row) for before, row in rows if row is None or row.done_on is None or row.undone_on is not None
        ]
        # Past what hurts and waits goes what does not hurt; of the hurting ones left, the first says why it waits.
        assert all(before["action"] in HURTS for before, _row in left), (step.code, left)
        assert not left or (left[0][1] is not None and left[0][1].done_on is None)
        assert not left or said["action"] not in HURTS or step.result == "passed_over"
        if step.result not in STEPS:
            assert "only_if" in said
            return
        assert "only_if" not in said
        self.tally[f"{step.action} {step.result}"] += 1
        least = said.get("min_amount", {}).get(step.account.currency, "0")
        least = max(Decimal(least), Decimal(document["enters"]["min_amount"]))
        assert sum(due.judged for due in judged) >= mills(least)
        assert not [hold for hold in self.holds(step.account_id, on) if step.action in STOPS.get(hold.reason, ())]
        if step.action in HURTS and step.result == "taken":
            self.check_warned(step.case, step.code, on, owed)
        if step.repeat:
            self.check_repeat(step, ladder, latest, judged)

    def check_repeat(self, step: CaseStep, ladder: list[Any], latest: dict[str, CaseStep], judged: list[Due]) -> None:
        """Only what was undone comes again; or a warning that no longer counts, for a step that waits for it."""
        self.tally["repeats"] += 1
        before = CaseStep.objects.get(case=step.case, code=step.code, repeat=step.repeat - 1)
        if before.undone_on is not None:
            return
        waiting = [each for each in ladder if each.get("warned_by") == step.code and each["code"] in latest]
        assert [each for each in waiting if latest[each["code"]].result == "waiting: not_warned"]
        case = Case.objects.get(pk=step.case_id)
        told = Notice.objects.filter(case=case, key__startswith=f"{case.pk}.{step.code}.{before.repeat}.")
        for notice in told.exclude(state__in=["withdrawn", "bounced", "failed"]):
            assert notice.made_on < case.warnings_from or not {due.ref for due in judged} & set(notice.bill_refs)

    def check_dates(self) -> None:
        """At most one step a date, with the policy's gap between them."""
        taken = CaseStep.objects.filter(result__in=STEPS, done_on__isnull=False).order_by("account_id", "done_on")
        rows = taken.values_list("account_id", "done_on", "case__version__policy__code")
        for (account, earlier, code), (another, later, _code) in pairwise(rows):
            if account == another:
                assert (later - earlier).days >= self.policies[code]["min_gap_days"], (earlier, later)

    def check_owing(self, row: Any, on: date, owed: list[Due], action: str) -> None:
        """Enough is past due, nothing holds it."""
        document = self.policies[row.case.version.policy.code]
        assert sum(due.open for due in owed) > mills(Decimal(document["exits"]["max_amount"]))
        amount = sum(due.judged for due in owed)
        assert amount >= max(mills(Decimal(document["enters"]["min_amount"])), 1)
        assert not [hold for hold in self.holds(row.account_id, on) if action in STOPS.get(hold.reason, ())]

    def check_warned(self, case: Case, code: str, on: date, owed: list[Due]) -> None:
        """A warning of this case had its days, and lists a bill that is still open."""
        document = self.policies[case.version.policy.code]
        step = next(each for each in document["steps"] if each["code"] == code)
        ended = Dispute.objects.filter(account=case.account_id, outcome__in=["rejected", "withdrawn"])
        since = max((row.resolved_on for row in ended if row.resolved_on), default=date.min)
        open_refs = {due.ref for due in owed if due.judged > 0}
        assert [
            notice
            for notice in Notice.objects.filter(case=case, step_code=step["warned_by"], state="delivered")
            if notice.delivered_at.date() + timedelta(days=step["notice_days"]) <= on
            and (notice.pay_by is None or notice.pay_by <= on)
            and notice.made_on >= since
            and open_refs & set(notice.bill_refs)
        ], f"{code} of {case.account_id} on {on} without a warning that counts"
        if document["calendar"]["roll"] == "next_working_day":
            assert on.weekday() < 5
            assert on != LABOR_DAY

    def check_services(self) -> None:
        """What a case limited is back once the case is closed; a debt that was written off gives nothing back."""
        latest: dict[int, ServiceOrder] = {}
        for order in ServiceOrder.objects.exclude(sent_at=None).select_related("case").order_by("pk"):
            latest[order.service_id] = order
        for service in Service.objects.all():
            order = latest.get(service.pk)
            if order is None or order.case is None or order.case.close_reason == "written_off":
                continue
            if order.case.closed_on is not None:
                assert (order.kind, service.status) == ("restore", "active"), service.ref
                self.tally["services back"] += 1

    def check_money(self) -> None:
        """What was billed and charged is open, paid or credited; what was paid too much waits; the journal agrees."""
        on = business_day.last_run() or self.story.today
        bills, payments, credits, fees, entries = (
            _by_account(model)
            for model in (
                Bill.objects.all(),
                Payment.objects.filter(received_on__lte=on).select_related("reverses"),
                Adjustment.objects.filter(on__lte=on),
                Fee.objects.filter(on__lte=on),
                JournalEntry.objects.all(),
            )
        )
        for account in Account.objects.all():
            issued = {bill.ref for bill in bills[account.pk] if bill.issued_on <= on}
            given_up = -sum((row.amount for row in credits[account.pk] if row.kind == "write_off"), ZERO)
            moved = [(row.amount, row.bill_ref) for row in credits[account.pk] if row.kind != "write_off"]
            paid = ZERO
            for row in payments[account.pk]:
                amount, directed = (-row.amount, row) if row.reverses is None else (row.amount, row.reverses)
                moved.append((amount, directed.bill_ref))
                paid -= amount
            # Money for a bill that is not issued yet waits for it; a charge comes with its bill.
            charges = [row.amount for row in credits[account.pk] if row.amount > 0 and row.bill_ref not in issued]
            waits = sum(charges, ZERO) - sum((amount for amount, ref in moved if ref and ref not in issued), ZERO)
            owed = sum((bill.amount for bill in bills[account.pk] if bill.ref in issued), ZERO)
            owed += sum((amount for amount, ref in moved if not ref or ref in issued), ZERO)
            owed += sum((fee.amount for fee in fees[account.pk]), ZERO)
            spare, due = account.unapplied - waits, account.open_amount + account.fees
            assert spare >= 0
            assert spare == 0 or account.open_amount == 0
            # Of what was written off, what nobody paid after all is no longer owed.
            assert 0 <= owed - (due - spare) <= given_up, (account.ref, owed, due, spare, given_up)
            assert account.open_amount == sum((bill.open_amount for bill in bills[account.pk]), ZERO)
            assert account.disputed == sum((bill.disputed_amount for bill in bills[account.pk]), ZERO)
            assert account.disputed <= account.open_amount
            balances: Counter[str] = Counter()
            for entry in entries[account.pk]:
                balances[entry.debit_code] += entry.amount
                balances[entry.credit_code] -= entry.amount
            assert balances[journals.RECEIVABLES] == due, (account.ref, balances)
            assert balances[journals.UNAPPLIED_CASH] == -account.unapplied
            assert balances[journals.BANK] == paid

    # The facts, read again.

    def past_due(self, on: date) -> dict[int, list[Due]]:
        """By account, what is past due as the facts known now say of that day."""
        self.held = _by_account(Hold.objects.exclude(reason="dispute"))
        found = {}
        for pk, account in position.books_of(list(self.keys.values()), as_of=on).items():
            covered = {ref for hold in self.holds(pk, on) for ref in hold.bill_refs}
            contested = account.books.disputed
            found[pk] = [
                Due(
                    row.fact.ref,
                    row.fact.due_on,
                    amount,
                    0 if row.fact.ref in covered else amount - contested.get(row.fact.ref, 0),
                )
                for row in account.bills
                if row.fact.due_on < on and (amount := account.books.open.get(row.fact.ref, 0))
            ]
        return found

    def holds(self, account_id: int, on: date) -> list[Hold]:
        """What holds the account or some of its bills on a day; disputes are in what is contested."""
        return [hold for hold in self.held[account_id] if _covers(hold, on)]

    def age(self, account_id: int, judged: list[Due], on: date) -> int:
        """Days past due of the oldest bill that was not left at an exit, less the days on which the clock stood."""
        left = dict(Bill.objects.filter(account=account_id).values_list("ref", "left_at_exit"))
        ageing = [due.due_on for due in judged if left[due.ref] is None or due.open > mills(left[due.ref])]
        if not ageing:
            return -1
        days = [min(ageing) + timedelta(days=number + 1) for number in range((on - min(ageing)).days)]
        stopping = [hold for hold in self.held[account_id] if hold.reason in STOP_THE_CLOCK]
        return len([each for each in days if not any(_covers(hold, each) for hold in stopping)])


def _covers(hold: Hold, on: date) -> bool:
    begun, over = hold.starts_on <= on, hold.ends_on is not None and hold.ends_on < on
    return begun and not over and (hold.lifted_on is None or on < hold.lifted_on)


def _by_account(rows: Any) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.account_id].append(row)
    return found


@contextmanager
def forgotten() -> Iterator[None]:
    """What happens inside leaves nothing behind."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.django_db
@settings(ANY_ORDER, max_examples=4)
@given(anything.books(worlds=2, least=2))
def test_whatever_happens_the_promises_hold_on_every_day(book: Book) -> None:
    with forgotten():
        Desk(book).live()


# --- books that broke a promise, or nearly ----------------------------------------------------------------------------

WARNED = """
code: short
enters: {min_amount: "5", min_days: 1}
calendar: {country: US, roll: none}
steps:
  - {code: warning, day: 3, action: notify, channels: [sms], template: suspension-warning}
  - {code: bar, day: 6, action: limit, rung: outgoing_barred, warned_by: warning, notice_days: 1}
"""


@pytest.mark.django_db
def test_a_limit_stays_when_what_was_warned_of_is_paid_between_the_run_and_the_delivery() -> None:
    """The bill that is still open was never warned of: the order is withdrawn, and comes after a fresh warning."""
    story = Story(day(1), policy=WARNED)
    story.account()
    story.service()
    story.bill(day(0), ref="OLD")
    story.bill(day(4), ref="NEW")
    story.days_pass(until=day(5))
    story.run(day(6))
    story.pays("50.00", bill_ref="OLD")
    story.deliver()
    assert story.moves() == ["08-04 overdue"]
    story.days_pass(until=day(10))
    assert story.notices()[-1] == f"{day(10):%m-%d} warning sms"
    assert story.moves() == ["08-04 overdue"]
    story.days_pass(until=day(11))
    assert story.moves()[-1] == f"{day(11):%m-%d} S1 outgoing_barred"


@pytest.mark.django_db
def test_an_account_cured_and_owing_again_on_one_date_takes_no_second_step_on_it() -> None:
    """Another case, but the same account: one step a date."""
    story = Story(day(1), policy=WARNED.replace("day: 3,", "day: 1,"))
    story.account()
    story.bill(day(0))
    story.run(day(1))
    payment = story.pays("50.00")
    story.takes_back(payment)
    story.run(day(1))
    assert len(story.cases()) == 2
    assert story.steps() == [f"{day(1):%m-%d} warning taken"]


# --- a replay ---------------------------------------------------------------------------------------------------------

Said = set[tuple[str, ...]]


@pytest.fixture(scope="module")
def beside(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database for the desk that lives: no transaction may be open around a replay, which makes another beside it."""
    with django_db_blocker.unblock(), replay.scratch_database(keep=False):
        yield


@settings(ANY_ORDER, max_examples=2)
@given(anything.books(worlds=3, least=2, lifted=False))
def test_a_replay_says_what_the_desk_did_as_the_facts_came(beside: None, book: Book) -> None:
    """Facts known beforehand that wait for their date, or that arrive on its morning: the same steps, the same end."""
    texts = [policy_file.write(policy_file.tidy(document)) for document in book.policies]
    with tempfile.TemporaryDirectory() as folder:
        anything.write(Path(folder), book)
        skipped = frozenset(map(day, book.skipped))
        order = replay.Order(Path(folder), day(1), day(book.days), texts, skip=skipped)
        replayed = replay.replay(order)
    assert not list(replayed.imported.rejected)
    with forgotten(), journey.gathering():
        said, accounts = as_the_facts_came(book, texts)
    assert {
        (each["date"], step["account_id"], step["step"], step["result"])
        for each in replayed.days
        for step in each["steps"]
    } == said
    assert _ends(replayed.accounts) == _ends(accounts)


def as_the_facts_came(book: Book, texts: list[str]) -> tuple[Said, dict[str, Any]]:
    """A desk whose billing tells it every morning what is new; its steps, day by day, and its accounts at the end."""
    for text in texts:
        publish(text, on=day(0))
    business_day.move_to(day(0))
    land(anything.rows_of_people(book.people), on=day(0))
    land(anything.rows_of_facts([fact for fact in book.facts if fact.on <= 0], all_facts=book.facts), on=day(0))
    said: Said = set()
    for number in range(1, book.days + 1):
        fresh = [fact for fact in book.facts if fact.on == number]
        land(anything.rows_of_facts(fresh, all_facts=book.facts), on=business_day.last_run() or day(0))
        if number not in book.skipped:
            journey.run_day(as_of=day(number), at=replay.noon(day(number)))
            road = replay.LocalMemory()
            roads = Roads(dict.fromkeys(("sms", "email", "letter", "in_app"), road), road, careful=False)
            while deliver(as_of=day(number), at=replay.noon(day(number)), roads=roads) and journey.react_to_all(
                as_of=day(number), at=replay.noon(day(number))
            ):
                continue
        said |= {(day(number).isoformat(), *step) for step in steps_of(day(number))}
    return said, resource.account_resources(
        list(Account.objects.values_list("pk", flat=True)), as_of=business_day.last_run() or day(0)
    )


def land(rows: anything.Rows, *, on: date) -> None:
    """What billing sends, in the order of the book's files; amounts follow at once."""
    at = replay.noon(on)
    for spec in BOOK:
        if new := rows.get(spec.file.removesuffix(".csv")):
            landing.land(spec, new, on=on, at=at, actor="api:billing")
    settling.settle(as_of=on, at=at)
    journey.react_to_all(as_of=on, at=at)


def steps_of(on: date) -> Said:
    """Steps done on a day, waiting since it, or withdrawn on it: (account, step, result)."""
    done = CaseStep.objects.filter(done_on=on) | CaseStep.objects.filter(came_on=on, done_on=None)
    early = BillStep.objects.filter(on=on)
    withdrawn = AccountEvent.objects.filter(on=on, kind__in=[kinds.NOTICE_WITHDRAWN, kinds.ORDER_WITHDRAWN])
    return {
        *done.values_list("account__ref", "code", "result"),
        *early.values_list("account__ref", "code", "result"),
        *((row.account.ref, row.payload["step"], f"withdrawn: {row.reason}") for row in withdrawn if row.account),
    }


def _ends(accounts: dict[str, Any]) -> dict[str, Any]:
    """The accounts, without the numbers that a database gives."""
    return {
        ref: {key: value for key, value in account.items() if key != "work_item"}
        | {"work_item": (account["work_item"] or {}).get("kind")}
        for ref, account in accounts.items()
    }
