"""What the pure modules read about money: plain records, amounts in thousandths (``accounts.money``). Pure."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple


class BillFact(NamedTuple):
    """A bill, as issued. ``ends_on`` is the day from which it is cancelled."""

    ref: str
    issued_on: date
    due_on: date
    amount: int
    ends_on: date | None = None


class CreditFact(NamedTuple):
    """Money for the customer: a payment or a credit. ``bill_ref`` directs it; empty pays the oldest due.

    A write-off is a credit on its bill alone (empty: on a fee of ours), and money that comes later takes its place.
    """

    ref: str
    on: date
    amount: int
    bill_ref: str = ""
    write_off: bool = False


class ReversalFact(NamedTuple):
    """Money that went back: ``amount`` of the payment ``reverses``."""

    ref: str
    on: date
    amount: int
    reverses: str


class ChargeFact(NamedTuple):
    """A debit of billing on one bill; it ages with the bill's own due date."""

    ref: str
    on: date
    amount: int
    bill_ref: str


class DisputeFact(NamedTuple):
    """An amount contested from ``starts_on`` up to, not including, ``ends_on``. No bill: of the account."""

    ref: str
    starts_on: date
    ends_on: date | None
    amount: int
    bill_ref: str = ""


class Applied(NamedTuple):
    """So much of a credit went to a bill on a day; negative when a reversal took it back."""

    credit_ref: str
    bill_ref: str
    on: date
    amount: int


class Recovery(NamedTuple):
    """So much of a credit took the place of a write-off on a day; negative when a reversal took it back."""

    credit_ref: str
    write_off_ref: str
    bill_ref: str
    on: date
    amount: int


class Books(NamedTuple):
    """Where every bill and every credit stands."""

    #: bill ref → open amount; bills with nothing open are left out.
    open: dict[str, int]
    #: bill ref → contested part of the open amount.
    disputed: dict[str, int]
    #: credit ref → what waits for a bill; credits used up are left out.
    unapplied: dict[str, int]
    applied: list[Applied]
    #: write-off ref → what of it still stands; every write-off is here, also one that is recovered.
    written_off: dict[str, int]
    recoveries: list[Recovery]
