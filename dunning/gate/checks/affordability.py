"""What somebody can pay: a budget as the Standard Financial Statement has it, and plans held against it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from dunning.gate.checks.registry import Check, Reckoning, Theme
from dunning.gate.decision import Objection
from dunning.gate.facts import Action, Facts

_CENT = Decimal("0.01")
INCOME, FIXED, FLEXIBLE, PRIORITY, NON_PRIORITY = "income", "fixed", "flexible", "priority", "non_priority"


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """How many times a year each period comes: 52 weeks, 13 times four weeks, twelve months."""

    times_a_year: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Periodic:
    """An amount that comes every so often."""

    amount: Decimal
    every: str


def monthly(params: Periods, given: Periodic) -> Mapping[str, object]:
    """AFF-01: a week's amount x 52/12, four weeks' x 13/12, a year's /12. Raises ``ValueError`` for another period."""
    return {"monthly": _rounded(_a_month(given.amount, given.every, params.times_a_year))}


def _a_month(amount: Decimal, every: str, times_a_year: Mapping[str, int]) -> Fraction:
    """Exact, so that what is added up is rounded once."""
    if every not in times_a_year:
        raise ValueError(f"Nobody knows how often {every!r} comes.")
    return Fraction(amount) * times_a_year[every] / 12


def _rounded(amount: Fraction) -> Decimal:
    exact = Decimal(amount.numerator) / Decimal(amount.denominator)
    return exact.quantize(_CENT, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """One line of a budget."""

    category: str
    amount: Decimal
    every: str = "monthly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a household has and needs, as told on ``made_on``; what it owes to us and to all whose debts have no
    priority.
    """

    lines: tuple[BudgetLine, ...]
    our_balance: Decimal = Decimal(0)
    #: All non-priority debts together, ours included.
    debts_in_all: Decimal = Decimal(0)
    made_on: date | None = None
    #: none, self_declared, documents.
    evidence: str = "self_declared"
    household: str = ""
    #: Why a line is above its guideline, by category.
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgeting:
    """How a budget is reckoned: which kind each category is, and what is put aside first."""

    categories: Mapping[str, str]
    times_a_year: Mapping[str, int]
    savings_share: Decimal
    savings_most: Decimal
    round_down_to: Decimal


def reckon(params: Budgeting, given: Budget) -> Mapping[str, object]:
    """AFF-01, AFF-03: what a month brings and takes, what is put aside, what is left, and our share of it.

    Our share is ``our_balance`` of ``debts_in_all``, rounded down. A budget that does not balance offers nothing.
    Raises ``ValueError`` for a category or a period that is not known.
    """
    sums = dict.fromkeys((INCOME, FIXED, FLEXIBLE, PRIORITY, NON_PRIORITY), Fraction(0))
    for line in given.lines:
        kind = params.categories.get(line.category)
        if kind is None:
            raise ValueError(f"{line.category!r} is no line of a budget.")
        sums[kind] += _a_month(line.amount, line.every, params.times_a_year)
    surplus = sums[INCOME] - sums[FIXED] - sums[FLEXIBLE] - sums[PRIORITY]
    savings = max(min(surplus * Fraction(params.savings_share), Fraction(params.savings_most)), Fraction(0))
    available = max(surplus - savings, Fraction(0))
    share = Fraction(given.our_balance) / Fraction(given.debts_in_all) if given.debts_in_all > 0 else Fraction(1)
    step = Fraction(params.round_down_to)
    offer = (available * min(share, Fraction(1)) // step) * step
    return {
        **{name: _rounded(amount) for name, amount in sums.items()},
        "surplus": _rounded(surplus),
        "savings": _rounded(savings),
        "available": _rounded(available),
        "offer": _rounded(offer),
        "is_negative": surplus < 0,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidelines:
    """The most a household is expected to spend, by category and household. The figures are licensed: an admin types
    them, and until then nothing is compared.
    """

    categories: tuple[str, ...]
    times_a_year: Mapping[str, int]
    guidelines: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)


def guideline(params: Guidelines, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """AFF-02: somebody who spends more than usual is asked why, and never turned away for it."""
    budget = facts.part(Budget)
    if budget is None:
        return None
    spent: dict[str, Fraction] = {}
    for line in budget.lines:
        if line.category in params.categories:
            month = _a_month(line.amount, line.every, params.times_a_year)
            spent[line.category] = spent.get(line.category, Fraction(0)) + month
    asks = [
        category
        for category, amount in spent.items()
        if (most := params.guidelines.get(category, {}).get(budget.household)) is not None
        and amount > Fraction(most)
        and not budget.reasons.get(category, "").strip()
    ]
    if not asks:
        return None
    words = ", ".join(category.replace("_", " ") for category in asks)
    return Objection(reason=f"Ask why more is spent than usual: {words}.", requires=("ask_why",))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOffered:
    """A plan about to be agreed. ``amounts`` and ``due_on`` side by side, a deposit not among them."""

    amounts: tuple[Decimal, ...]
    due_on: tuple[date, ...] = ()
    every: str = "month"
    deposit: Decimal = Decimal(0)
    #: What it covers; without it, what is owed.
    total: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Affordable(Budgeting):
    """How the budget behind a plan is reckoned; ``periods`` gives an instalment's period the budget's word."""

    periods: Mapping[str, str]


def affordable(params: Affordable, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """AFF-03, PLAN-03: instalments and a deposit within our share of what is left; where nothing is, help."""
    budget, plan = facts.part(Budget), facts.part(PlanOffered)
    if budget is None:
        return []
    reckoned = reckon(params, budget)
    offer = reckoned["offer"]
    assert isinstance(offer, Decimal)
    if reckoned["is_negative"] or not offer:
        text = "The budget leaves nothing for instalments: offer to wait, and free advice on debts."
        return [Objection(reason=text, requires=("offer_deferral", "signpost_debt_advice"))]
    if plan is None or not plan.amounts:
        return []
    found = []
    month = _rounded(_a_month(max(plan.amounts), params.periods.get(plan.every, plan.every), params.times_a_year))
    if month > offer:
        text = f"The budget leaves {offer} a month for this debt; the instalments come to {month}."
        found.append(Objection(reason=text, requires=("lower_instalment",)))
    if plan.deposit > offer:
        text = f"The budget leaves {offer} a month for this debt: no more can be asked for at once."
        found.append(Objection(reason=text, requires=("lower_deposit",)))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """How old a budget may be, and what it must rest on; ``order`` from the weakest."""

    stale_after_days: int = 180
    min_evidence: str = "self_declared"
    order: tuple[str, ...] = ("none", "self_declared", "documents")


def fresh_budget(params: Fresh, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """AFF-03: lives change: an old budget is made anew before anything rests on it."""
    budget = facts.part(Budget)
    if budget is None:
        return []
    found = []
    if budget.made_on is None or at.date() > budget.made_on + timedelta(days=params.stale_after_days):
        text = f"The budget is older than {params.stale_after_days} days: make a new one."
        found.append(Objection(reason=text, requires=("make_budget",)))
    if params.order.index(budget.evidence) < params.order.index(params.min_evidence):
        text = f"The budget must be {params.min_evidence.replace('_', ' ')} at least."
        found.append(Objection(reason=text, requires=("get_evidence",)))
    return found


THEME = Theme(
    checks={
        "guideline": Check(Guidelines, guideline),
        "affordable": Check(Affordable, affordable),
        "fresh_budget": Check(Fresh, fresh_budget),
    },
    parts=(Budget, PlanOffered),
    reckonings={
        "monthly": Reckoning(Periods, Periodic, monthly),
        "budget": Reckoning(Budgeting, Budget, reckon),
    },
)
