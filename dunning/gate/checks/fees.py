"""What may be charged on top of a debt, and how much: clauses, caps, interest, deposits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from dunning.gate.checks.registry import Check, Reckoning, Theme
from dunning.gate.decision import BLOCK, Objection
from dunning.gate.facts import Action, Facts

_CENT = Decimal("0.01")
_DAYS_OF_A_YEAR = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeCharged:
    """What is about to be charged: reminder, late, reconnection, collection, commercial_interest."""

    kind: str = "late"
    #: The clause of the contract that it rests on.
    clause: str = ""
    #: Fees of that kind in this bill cycle so far.
    charged_this_cycle: int = 0
    #: Of a reminder: 1 the first.
    number: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFee:
    """A fee is part of the contract, and comes so often in a bill cycle."""

    clause_required: bool = True
    most_per_cycle: int = 1
    kinds: tuple[str, ...] = ("late", "reminder", "collection")


def contract_fee(params: ContractFee, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Consumer Rights Act 2015: only what a fair term says. Fails closed: without ``FeeCharged`` there is no term."""
    fee = facts.part(FeeCharged) or FeeCharged()
    if fee.kind not in params.kinds:
        return None
    if params.clause_required and not fee.clause:
        return Objection(reason="No clause of the contract allows this fee.", outcome=BLOCK)
    if fee.charged_this_cycle >= params.most_per_cycle:
        return Objection(reason="This fee was charged in this bill cycle already.", outcome=BLOCK)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommercialInterest:
    """Kinds of customers from whom interest for late commercial payment may be asked."""

    kinds: tuple[str, ...] = ("business",)


def commercial_interest(params: CommercialInterest, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Late Payment of Commercial Debts (Interest) Act 1998: between businesses alone."""
    fee = facts.part(FeeCharged)
    if fee is None or fee.kind != "commercial_interest" or facts.kind in params.kinds:
        return None
    return Objection(reason="Statutory commercial interest is for businesses only.", outcome=BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeCap:
    """The most that a reminder and a reconnection may cost."""

    first_reminder: Decimal
    reminder: Decimal
    reconnection: Decimal

    def most(self, kind: str, number: int) -> Decimal | None:
        """The cap of such a fee; none where there is none."""
        if kind == "reminder":
            return self.first_reminder if number <= 1 else self.reminder
        return self.reconnection if kind == "reconnection" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeAsked:
    """A fee as the operator's tariff has it."""

    kind: str
    amount: Decimal
    number: int = 1


def fee_cap(params: FeeCap, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """More than the cap is not charged. Fails closed: without ``FeeCharged`` it is taken for a first reminder's."""
    fee = facts.part(FeeCharged) or FeeCharged(kind="reminder")
    most = params.most(fee.kind, fee.number)
    if most is None or action.amount is None or action.amount <= most:
        return None
    return Objection(reason=f"This fee may be {most} at most.", outcome=BLOCK, requires=("cap_fee",))


def capped_fee(params: FeeCap, given: FeeAsked) -> Mapping[str, object]:
    """``amount``: what may be charged of what was asked."""
    most = params.most(given.kind, given.number)
    return {"amount": given.amount if most is None else min(given.amount, most)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Days to end the service, to refund the deposit, and the interest of a year after that."""

    close_days: int
    deposit_refund_days: int
    deposit_interest: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingGiven:
    """A customer who leaves: what they owe, and what they had deposited."""

    asked_on: date
    closed_on: date
    overdue: Decimal = Decimal(0)
    deposit: Decimal = Decimal(0)
    refunded_on: date | None = None


def closing(params: Closing, given: ClosingGiven) -> Mapping[str, object]:
    """The end of a service: ``close_by``, whatever is owed; ``owed`` after the deposit was set against it; ``refund``
    of the rest, ``refund_by``, and the ``interest`` of a refund that was late, by days of a year of 365.
    """
    refund = max(given.deposit - given.overdue, Decimal(0))
    refund_by = given.closed_on + timedelta(days=params.deposit_refund_days)
    late = max((given.refunded_on - refund_by).days, 0) if given.refunded_on else 0
    interest = refund * params.deposit_interest * late / _DAYS_OF_A_YEAR
    return {
        "close_by": given.asked_on + timedelta(days=params.close_days),
        "may_close": True,
        "owed": max(given.overdue - given.deposit, Decimal(0)),
        "refund": refund,
        "refund_by": refund_by,
        "interest": interest.quantize(_CENT, ROUND_HALF_UP),
    }


THEME = Theme(
    checks={
        "contract_fee": Check(ContractFee, contract_fee),
        "commercial_interest": Check(CommercialInterest, commercial_interest),
        "fee_cap": Check(FeeCap, fee_cap),
    },
    parts=(FeeCharged,),
    reckonings={
        "capped_fee": Reckoning(FeeCap, FeeAsked, capped_fee),
        "closing": Reckoning(Closing, ClosingGiven, closing),
    },
)
