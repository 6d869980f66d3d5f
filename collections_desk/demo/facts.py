"""The facts of one account of the demo book, in memory, and what it owes on a day.

Days are proleptic ordinals (`date.toordinal`), amounts are minor units: a book of 100,000 accounts has three million
bills and payments, and whole numbers are what makes that a matter of seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from collections_desk.demo.catalogue import Service
from collections_desk.demo.people import Customer


@dataclass(slots=True, eq=False)
class Bill:
    bill_id: str
    issued: int
    due: int
    amount: int
    credit: int = 0  # credited on `credited`, before anything is paid
    credited: int = 0
    cancelled: int = 0  # day of cancellation; 0: none


@dataclass(slots=True, eq=False)
class Payment:
    day: int
    amount: int
    method: str
    bill: Bill | None = None
    reverses: Payment | None = None
    reversed_on: int = 0
    payment_id: str = ""


@dataclass(slots=True, eq=False)
class Dispute:
    bill: Bill
    amount: int
    opened: int
    resolved: int = 0
    outcome: str = ""
    note: str = ""


@dataclass(slots=True)
class Promise:
    amount: int
    made: int
    due: int


@dataclass(slots=True)
class Plan:
    made: int
    instalments: list[tuple[int, int]]  # (due, amount)
    bills: list[Bill]
    stops: int  # the first day the plan no longer keeps collectors away


@dataclass(slots=True)
class Hold:
    reason: str
    starts: int
    ends: int  # 0: open
    note: str


@dataclass(slots=True)
class Call:
    day: int
    direction: str
    disposition: str
    seconds: int
    note: str
    number: str
    moment: str = ""  # UTC; given when the call is placed in the customer's day


@dataclass(slots=True)
class Placement:
    agency: str
    amount: int
    placed: int
    recalled: int


@dataclass(slots=True)
class Account:
    number: int
    customer: Customer
    services: list[Service]
    opened: int
    payment_method: str
    segment: str = "standard"
    product: str = "bundle"
    closed: int = 0
    parent: Account | None = None
    pays_itself: bool = False
    bills: list[Bill] = field(default_factory=list)  # in order of due dates
    payments: list[Payment] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)

    @property
    def account_id(self) -> str:
        return f"A{self.number}"

    def pay(self, *, day: int, amount: int, bill: Bill | None = None, method: str = "") -> Payment:
        """Receive `amount` on `day`, for `bill` or for whatever is oldest."""
        payment = Payment(day, amount, method or self.payment_method, bill)
        self.payments.append(payment)
        return payment

    def bounce(self, payment: Payment, *, day: int) -> None:
        """The bank takes `payment` back on `day`."""
        payment.reversed_on = day
        self.payments.append(Payment(day, payment.amount, payment.method, None, payment))


@dataclass(frozen=True, slots=True)
class Position:
    """What an account owes at the close of a day: past due and undisputed, in minor units."""

    past_due: int
    days: int  # since the oldest of it was due; 0 when nothing is past due
    bills: tuple[Bill, ...]  # the bills it stands on


def position(account: Account, day: int) -> Position:
    """The position of `account` on `day`, from the facts dated by then.

    Payments go to the bill they name, else to the oldest due first; what is disputed is paid last.
    """
    open_amounts: dict[Bill, int] = {}
    for bill in account.bills:
        if bill.issued <= day and not (bill.cancelled and bill.cancelled <= day):
            open_amounts[bill] = bill.amount - (bill.credit if bill.credited <= day else 0)
    disputed: dict[Bill, int] = {}
    for dispute in account.disputes:
        if dispute.opened <= day and dispute.bill in open_amounts:
            if not dispute.resolved or dispute.resolved > day:
                disputed[dispute.bill] = dispute.amount
            elif dispute.outcome == "upheld":
                open_amounts[dispute.bill] -= dispute.amount
    loose = 0
    for payment in account.payments:
        if payment.day > day or payment.reverses or (payment.reversed_on and payment.reversed_on <= day):
            continue
        taken = 0
        if payment.bill is not None and payment.bill in open_amounts:
            taken = min(payment.amount, open_amounts[payment.bill])
            open_amounts[payment.bill] -= taken
        loose += payment.amount - taken
    for reserve in (disputed, {}) if disputed else ({},):
        for bill, amount in open_amounts.items():
            if not loose:
                break
            taken = max(0, min(loose, amount - reserve.get(bill, 0)))
            open_amounts[bill] -= taken
            loose -= taken
    owed = [
        (bill, amount - min(amount, disputed.get(bill, 0))) for bill, amount in open_amounts.items() if bill.due < day
    ]
    standing = tuple(bill for bill, amount in owed if amount > 0)
    return Position(
        past_due=sum(amount for _, amount in owed),
        days=day - min(bill.due for bill in standing) if standing else 0,
        bills=standing,
    )
