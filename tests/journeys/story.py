"""A story of one or more accounts, told in days: facts on their day, days that pass, and what the desk did.

Every day is run and delivered as the desk runs and delivers it, through the road that stays inside the process, where
everything arrives the moment it is handed over. What is said of a story is one line a thing that happened:
``08-12 warning taken``, ``08-12 sms until 08-20``, ``08-25 S1 outgoing_barred``, ``08-02 overdue``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from accounts import business_day, holds, settling
from accounts.events import SERVICE_CHANGED, STATUS_CHANGED
from accounts.models import Account, AccountEvent, Adjustment, Bill, Hold, Service
from agents import confirmations, disputes, plans, promises
from agents.instalments import Instalment
from agents.models import Dispute, Plan, Promise, WorkItem
from collections_desk import journey, resource
from collections_desk.replay import LocalMemory
from dunning import deliver, kinds, policy_file, writing
from dunning.models import BillStep, Case, CaseStep, Notice
from dunning.roads import Roads
from tests import factories
from tests.journeys.ledger import POLICY

AGENT = "agent:nadia"


def at(day: date, hour: int = 12) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=UTC)


def publish(text: str, *, on: date) -> None:
    version = writing.save_draft(policy_file.read(text), actor="admin:ada", at=at(on))
    writing.publish(version, actor="admin:ada", at=at(on))


class Story:
    """Begins on the eve of ``first``, with one policy and nobody in it."""

    def __init__(self, first: date, *, policy: str = POLICY, careful: bool = False) -> None:
        self.today = first - timedelta(days=1)
        self.careful = careful
        self.handed: Counter[date] = Counter()
        self.texts: list[Any] = []
        publish(policy, on=self.today)

    # Who is in it.

    def account(self, ref: str = "A1", *, customer: dict[str, Any] | None = None, **columns: Any) -> Account:
        who = {
            "country": "US",
            "email": f"{ref}@customers.example",
            "phone": "+12025550100",
            "address": "1 Main Street",
        }
        person = factories.make_customer(**who | (customer or {}))
        columns = {"currency": "USD", **columns}
        return factories.make_account(ref=ref, customer=person, **columns)

    def service(self, ref: str = "S1", account: str = "A1", **columns: Any) -> Service:
        return factories.make_service(self._account(account), ref=ref, **columns)

    # Facts of the day.

    def bill(self, due_on: date, amount: str = "50.00", *, ref: str = "", account: str = "A1", **columns: Any) -> Bill:
        columns = {"issued_on": due_on - timedelta(days=21), **columns}
        row = factories.make_bill(
            self._account(account), amount, ref=ref or f"{account}-{due_on}", due_on=due_on, **columns
        )
        self._settle()
        return row

    def pays(self, amount: str, *, account: str = "A1", **columns: Any) -> Any:
        row = factories.make_payment(self._account(account), amount, self.today, **columns)
        self._settle()
        return row

    def unsettled_payment(self, amount: str, *, account: str = "A1") -> Any:
        """Written by a process that was killed before anything followed from it."""
        return factories.make_payment(self._account(account), amount, self.today)

    def takes_back(self, payment: Any) -> None:
        """The payment is reversed today, in full."""
        factories.make_payment(payment.account, str(payment.amount), self.today, reverses=payment)
        self._settle()

    def adjusts(self, amount: str, *, account: str = "A1", **columns: Any) -> Adjustment:
        row = factories.make_adjustment(self._account(account), amount, self.today, **columns)
        self._settle()
        return row

    def hold(self, reason: str, *, until: date | None = None, account: str = "A1", **more: Any) -> Hold:
        row = holds.place(
            account_id=self._account(account).pk, reason=reason, starts_on=self.today, ends_on=until, actor=AGENT,
            **self._now(), **more,
        )  # fmt: skip
        self._settle()
        return row

    def lift(self, hold: Hold) -> None:
        holds.lift(hold_id=hold.pk, actor=AGENT, **self._now())
        self._settle()

    def promise(self, amount: str, *, by: date, account: str = "A1", bills: Sequence[str] | None = None) -> Promise:
        made = promises.make(
            account_id=self._account(account).pk, amount=Decimal(amount), due_on=by, bill_refs=bills, actor=AGENT,
            **self._now(),
        )  # fmt: skip
        self._settle()
        return made

    def plan(self, *parts: tuple[date, str], account: str = "A1", bills: Sequence[str] | None = None) -> Plan:
        made = plans.agree(
            account_id=self._account(account).pk, instalments=[Instalment(on, Decimal(sum_)) for on, sum_ in parts],
            bill_refs=bills, actor=AGENT, agent=None, **self._now(),
        )  # fmt: skip
        self._settle()
        return made

    def dispute(self, amount: str, *, bill: str, account: str = "A1") -> Dispute:
        opened = disputes.open_dispute(
            account_id=self._account(account).pk, bill_ref=bill, amount=Decimal(amount), actor=AGENT, **self._now()
        )
        self._settle()
        return opened

    def resolve(self, dispute: Dispute, outcome: str, *, credited: str | None = None) -> None:
        part = None if credited is None else Decimal(credited)
        disputes.resolve(dispute_id=dispute.pk, outcome=outcome, credited=part, actor=AGENT, **self._now())
        self._settle()

    # Days.

    def days_pass(self, *, until: date) -> None:
        """Every day after today up to ``until`` is run and delivered."""
        while self.today < until:
            self.run(self.today + timedelta(days=1))
            self.deliver()

    def days_without_a_run(self, *, until: date) -> None:
        """Time goes by and nobody runs anything; facts posted now are of that day."""
        self.today = until

    def run(self, day: date | None = None) -> journey.DayReport:
        self.today = day or self.today
        return journey.run_day(as_of=self.today, at=at(self.today, 2), keeps_figures=False)

    def deliver(self, *, hour: int = 12, road: Any = None) -> None:
        """Two passes: what the first one causes leaves on the same day."""
        as_of = business_day.last_run() or self.today
        road = road or LocalMemory()
        roads = Roads(
            dict.fromkeys(("sms", "email", "letter", "in_app"), road), road, careful=self.careful,
            agreements=confirmations.standing,
        )  # fmt: skip
        with journey.gathering():
            for _ in range(2):
                deliver.deliver(as_of=as_of, at=at(self.today, hour), roads=roads)
                journey.react_to_all(as_of=as_of, at=at(self.today, hour))
        self.handed[self.today] += len(road.messages)
        self.texts += road.messages

    # What came of it.

    def steps(self, account: str = "A1") -> list[str]:
        """Every step done and every one that waits, in order."""
        key = self._account(account).pk
        rows = [
            (row.done_on or row.came_on, row.pk, f"{row.code} {row.result}")
            for row in CaseStep.objects.filter(account_id=key)
        ]
        seen = BillStep.objects.filter(account_id=key).values_list("on", "code", "result").distinct()
        rows += [(on, 0, f"{code} {result}") for on, code, result in seen]
        return [f"{on:%m-%d} {text}" for on, _pk, text in sorted(rows)]

    def notices(self, account: str = "A1") -> list[str]:
        """Every notice that left the house or was withdrawn, with the day it names and its reason."""
        told = []
        for notice in Notice.objects.filter(account__ref=account).order_by("pk"):
            on = notice.sent_at.date() if notice.sent_at else notice.made_on
            text = f"{on:%m-%d} {notice.step_code} {notice.channel}"
            text += f" until {notice.pay_by:%m-%d}" if notice.pay_by else ""
            text += "" if notice.state == "delivered" else f" {notice.state}"
            told.append(text + (f": {notice.reason}" if notice.reason else ""))
        return told

    def moves(self, account: str = "A1") -> list[str]:
        """Every change of the account's status and of its services, in order."""
        rows = AccountEvent.objects.filter(account__ref=account, kind__in=[STATUS_CHANGED, SERVICE_CHANGED])
        return [
            f"{row.on:%m-%d} {row.payload.get('service', '')} {row.payload['to']}".replace("  ", " ")
            for row in rows.order_by("pk")
        ]

    def cases(self, account: str = "A1") -> list[str]:
        """Every episode: opened, closed and why."""
        return [
            f"{case.opened_on:%m-%d} " + (f"{case.closed_on:%m-%d} {case.close_reason}" if case.closed_on else "open")
            for case in Case.objects.filter(account__ref=account).order_by("pk")
        ]

    def queue(self, account: str = "A1") -> list[str]:
        """The open items of the account."""
        return [
            f"{item.kind}: {item.reason}"
            for item in WorkItem.objects.filter(account__ref=account, done_at=None).order_by("pk")
        ]

    def shows(self, account: str = "A1") -> dict[str, Any]:
        """The account's resource."""
        pk = self._account(account).pk
        return resource.account_resources([pk], as_of=business_day.last_run() or self.today)[account]

    def withdrawn(self, account: str = "A1") -> list[str]:
        """What was meant to leave and did not."""
        rows = AccountEvent.objects.filter(
            account__ref=account, kind__in=[kinds.NOTICE_WITHDRAWN, kinds.ORDER_WITHDRAWN]
        )
        return [f"{row.on:%m-%d} {row.payload['step']}: {row.reason}" for row in rows.order_by("pk")]

    def expect(self, account: str = "A1", **expected: Any) -> None:
        """Compare what is named: ``steps``, ``notices``, ``moves``, ``cases``, ``queue``, or a key of the resource."""
        shown = self.shows(account)
        for name, value in expected.items():
            found = getattr(self, name)(account) if name in self._LISTS else shown[name]
            assert found == value, f"{name} of {account} on {self.today}: {found}"

    _LISTS = frozenset({"steps", "notices", "moves", "cases", "queue", "withdrawn"})

    def account_row(self, ref: str = "A1") -> Account:
        return self._account(ref)

    def _account(self, ref: str) -> Account:
        return Account.objects.get(ref=ref)

    def _now(self) -> dict[str, Any]:
        return {"as_of": business_day.last_run() or self.today, "at": at(self.today, 10)}

    def _settle(self) -> None:
        """What follows from a fact at once: amounts, status, reactions; once there is a business date."""
        as_of = business_day.last_run()
        if as_of is not None:
            settling.settle(as_of=as_of, at=at(self.today, 10))
            with journey.gathering():
                journey.react_to_all(as_of=as_of, at=at(self.today, 10))
