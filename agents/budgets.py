"""What a household has and needs, in the shape of the Standard Financial Statement, and what of it could be ours.

The figures come from the packs (AFF-01 to AFF-03). A budget is asked for once: while it is fresh everybody who offers
something to the customer sees it. What a household spends stays in its row, which erasure can destroy; events name the
categories that were told and no figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import events
from accounts.models import Account
from accounts.money import plain, quantize
from accounts.refusals import Refused
from agents import kinds
from agents.models import Budget
from dunning import rule_packs
from dunning.gate.checks import affordability
from dunning.gate.checks.affordability import FIXED, FLEXIBLE, INCOME, NON_PRIORITY, PRIORITY, BudgetLine, Periodic
from dunning.gate.facts import Action, Facts
from dunning.gate.packs import Rule

PACK, BUDGET, MONTHLY, ASK_WHY, STALE = "AFF", "AFF-01-BUDGET", "AFF-01", "AFF-02", "AFF-03-STALE"

KINDS = (INCOME, FIXED, FLEXIBLE, PRIORITY, NON_PRIORITY)
KIND_WORDS: Mapping[str, Any] = {
    INCOME: _("Income"),
    FIXED: _("Fixed costs"),
    FLEXIBLE: _("Flexible costs"),
    PRIORITY: _("Priority debts"),
    NON_PRIORITY: _("Other debts, a month"),
}
CATEGORY_WORDS: Mapping[str, Any] = {
    "earnings": _("Earnings"),
    "benefits": _("Benefits"),
    "pensions": _("Pensions"),
    "other_income": _("Other income"),
    "home_contents": _("Home and contents"),
    "utilities": _("Gas, electricity, heating"),
    "water": _("Water"),
    "care_health": _("Care and health"),
    "transport_travel": _("Transport and travel"),
    "school": _("School"),
    "pensions_insurances": _("Pensions and insurance"),
    "professional_costs": _("Professional costs"),
    "other_essential": _("Other essentials"),
    "communications_leisure": _("Communications and leisure"),
    "food_housekeeping": _("Food and housekeeping"),
    "personal_costs": _("Personal costs"),
    "priority_debts": _("Rent, mortgage, tax arrears"),
    "non_priority_debts": _("Paid on other debts"),
}
EVERY_WORDS: Mapping[str, Any] = {
    "weekly": _("week"),
    "fortnightly": _("fortnight"),
    "four_weekly": _("four weeks"),
    "monthly": _("month"),
    "quarterly": _("quarter"),
    "annual": _("year"),
}
#: The periods of instalments by the budget's own word.
PERIODS: Mapping[str, str] = {
    "week": "weekly",
    "fortnight": "fortnightly",
    "four_weeks": "four_weekly",
    "month": "monthly",
}


class CannotBudget(Refused):
    """What was told makes no budget; the text says what to change."""

    code = "invalid"


class Line(NamedTuple):
    """One line as it is told: an amount of the account's currency that comes or goes every so often."""

    category: str
    amount: Decimal
    every: str = "monthly"


@dataclass(frozen=True, slots=True)
class Figures:
    """A month of the household. ``offer`` is our share of what is left, nothing where it does not balance."""

    income: Decimal
    fixed: Decimal
    flexible: Decimal
    priority: Decimal
    non_priority: Decimal
    surplus: Decimal
    savings: Decimal
    available: Decimal
    offer: Decimal
    is_negative: bool

    @property
    def outgoings(self) -> Decimal:
        """What goes before anything is left."""
        return self.fixed + self.flexible + self.priority


class Rules(NamedTuple):
    """The rules a budget goes by, as they decide at one moment, with the values an admin set."""

    budget: Rule
    monthly: Rule
    ask_why: Rule
    stale: Rule


def rules_in_force() -> Rules:
    """Two small queries: whoever asks several questions reads them once and hands them on."""
    pack = rule_packs.in_force().packs[PACK]
    return Rules(*(pack.rule(rule_id) for rule_id in (BUDGET, MONTHLY, ASK_WHY, STALE)))


def categories(rules: Rules) -> dict[str, list[str]]:
    """The lines of a budget by their kind, in the order of the pack."""
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for category, kind in rules.budget.params.categories.items():
        found[kind].append(category)
    return found


def words_of(category: str) -> str:
    """A category in words; one that an admin's pack added is said as it is written."""
    return str(CATEGORY_WORDS.get(category, category.replace("_", " ").capitalize()))


def households(rules: Rules) -> list[str]:
    """The kinds of household that the guidelines tell apart; none until an admin has typed the licensed figures."""
    return sorted({household for most in rules.ask_why.params.guidelines.values() for household in most})


def reckon(rules: Rules, *, lines: Sequence[Line], our_balance: Decimal, debts_in_all: Decimal) -> Figures:
    """AFF-01, AFF-03: what a month brings, takes and leaves, and our share. Raises ``CannotBudget``."""
    rule = rules.budget
    assert rule.reckoning is not None
    try:
        given = rule.reckoning.gives(rule.params, _budget(lines, our_balance=our_balance, debts_in_all=debts_in_all))
    except ValueError as problem:
        raise CannotBudget(str(problem)) from problem
    return Figures(**{name: given[name] for name in Figures.__dataclass_fields__})  # type: ignore[arg-type]


def a_month(rules: Rules, amount: Decimal, every: str) -> Decimal:
    """AFF-01: what comes every ``every`` of an instalment plan, as a month's."""
    rule = rules.monthly
    assert rule.reckoning is not None
    reckoned = rule.reckoning.gives(rule.params, Periodic(amount=amount, every=PERIODS.get(every, every)))["monthly"]
    assert isinstance(reckoned, Decimal)
    return reckoned


def above_guideline(rules: Rules, *, lines: Sequence[Line], household: str, at: datetime) -> list[str]:
    """AFF-02: the categories in which more is spent than usual for such a household, to be asked about and no more."""
    rule = rules.ask_why
    if rule.check is None:
        return []
    asked = []
    for category in rule.params.categories:
        own = _budget([line for line in lines if line.category == category], household=household)
        if rule.check.asks(rule.params, Action(type="make_plan"), Facts(at=at, parts={"Budget": own}), at):
            asked.append(category)
    return asked


def make(
    *,
    account_id: int,
    lines: Sequence[Line],
    debts_in_all: Decimal | None,
    actor: str,
    as_of: date,
    at: datetime,
    household: str = "",
    evidence: str = Budget.Evidence.SELF_DECLARED,
    reasons: Mapping[str, str] | None = None,
) -> Budget:
    """Keep a budget for the customer of that account.

    ``debts_in_all``: all debts without priority together, ours included; without it ours alone. Raises ``CannotBudget``
    where nothing is told, an amount is none of the currency, or more is spent than usual and nobody said why.
    """
    rules = rules_in_force()
    reasons = {category: why.strip()[:200] for category, why in (reasons or {}).items() if why.strip()}
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).get(pk=account_id)
        told = [line for line in lines if line.amount]
        if not told:
            raise CannotBudget("A budget has at least one line.")
        for line in told:
            if line.amount < 0 or line.amount != quantize(line.amount, account.currency):
                raise CannotBudget(f"{line.amount} is no amount of {account.currency}.")
        ours = max(account.open_amount - account.disputed, Decimal(0))
        in_all = max(debts_in_all or Decimal(0), ours)
        for category in above_guideline(rules, lines=told, household=household, at=at):
            if category not in reasons:
                raise CannotBudget(f"Ask why more is spent than usual on {words_of(category).lower()}.")
        figures = reckon(rules, lines=told, our_balance=ours, debts_in_all=in_all)
        budget = Budget.objects.create(
            customer_id=account.customer_id,
            account=account,
            lines=[
                {"category": line.category, "amount": plain(line.amount, account.currency), "every": line.every}
                for line in told
            ],
            our_balance=ours,
            debts_in_all=in_all,
            household=household,
            evidence=evidence,
            reasons=reasons,
            surplus=figures.surplus,
            offer=payable(figures.offer, account.currency),
            made_on=as_of,
            made_by=actor,
        )
        events.record(
            account_id=account_id,
            kind=kinds.BUDGET_MADE,
            actor=actor,
            at=at,
            on=as_of,
            payload={
                "budget": budget.pk,
                "categories": sorted({line.category for line in told}),
                "evidence": evidence,
            },
        )
    return budget


def payable(amount: Decimal, currency: str) -> Decimal:
    """An amount that the currency can pay, never more than ``amount``."""
    unit = quantize(Decimal(0), currency)
    return amount.quantize(unit, rounding=ROUND_FLOOR)


def fresh_for(rules: Rules, *, account: Account, as_of: date) -> Budget | None:
    """The customer's latest budget in this currency, unless it is stale by AFF-03: nobody is asked twice."""
    latest = (
        Budget.objects.filter(customer_id=account.customer_id, account__currency=account.currency)
        .order_by("-made_on", "-pk")
        .first()
    )
    return latest if latest is not None and as_of <= stale_after(rules, latest) else None


def stale_after(rules: Rules, budget: Budget) -> date:
    """The last day on which something may rest on it."""
    days: int = rules.stale.params.stale_after_days
    return budget.made_on + timedelta(days=days)


def figures_of(rules: Rules, budget: Budget) -> Figures:
    """The month behind a budget that was kept."""
    return reckon(rules, lines=lines_of(budget), our_balance=budget.our_balance, debts_in_all=budget.debts_in_all)


def lines_of(budget: Budget) -> list[Line]:
    """Its lines, amounts exact."""
    return [Line(line["category"], Decimal(line["amount"]), line["every"]) for line in budget.lines]


def _budget(lines: Sequence[Line], **more: Any) -> affordability.Budget:
    told = tuple(BudgetLine(category=line.category, amount=line.amount, every=line.every) for line in lines)
    return affordability.Budget(lines=told, **more)
