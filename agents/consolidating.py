"""One agreement over linked accounts: on each account a plan of its own, with its share of each instalment.

The accounts are of one customer, or parent and child, and owe in one currency. What is due on a day is shared in
proportion to what each still owes, by largest remainder in the currency's smallest unit: the shares of a day come to
the instalment, and those of an account to what is open on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import Q

from accounts import money
from accounts.models import Account
from accounts.models.fields import DESK_PREFIX
from agents import authority, covered, plans, rights, undertakings
from agents.instalments import CannotQuote, Instalment
from agents.models import Agent, Plan
from agents.plans import CannotAgree
from dunning import cases

#: More than anybody speaks about in one call.
MOST = 50


@dataclass(frozen=True, slots=True)
class Consolidated:
    """A plan of several accounts as it would be; ``parts`` by the key of the account."""

    total: Decimal
    currency: str
    instalments: list[Instalment]
    parts: Mapping[int, list[Instalment]]
    within_authority: bool
    reasons: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)


def linked(account: Account, user: Any) -> list[Account]:
    """Accounts that may be agreed about together with ``account``, itself first, the others with something open."""
    together = Q(customer=account.customer_id) | Q(parent=account.pk)
    if account.parent_id is not None:
        together |= Q(pk=account.parent_id) | Q(parent=account.parent_id)
    found = (
        rights.visible_accounts(user)
        .filter(together, currency=account.currency, open_amount__gt=0)
        .exclude(pk=account.pk)
        .select_related("customer")
        .order_by("ref")
    )
    return [account, *found[: MOST - 1]]


def quote_for(
    *,
    account_ids: Sequence[int],
    first_on: date,
    every: str,
    agent: Agent,
    as_of: date,
    at: datetime | None = None,
    count: int | None = None,
    amount: Decimal | None = None,
    down_payment: Decimal | None = None,
    payday: int | None = None,
    budget_id: int | None = None,
) -> Consolidated:
    """What one plan over those accounts would look like. Writes nothing.

    Raises ``CannotAgree`` and ``instalments.CannotQuote``.
    """
    accounts = _accounts(account_ids, agent=agent)
    owed: dict[int, Decimal] = {}
    for account in accounts:
        bills = covered.bills_of(account, None, refusal=CannotAgree)
        undertakings.refuse_twice(account, bills, refusal=CannotAgree)
        owed[account.pk] = covered.undisputed(bills)
    whole = money.total(list(owed.values()))
    first = accounts[0]
    together = plans.split(
        account=first,
        total=whole,
        count=count,
        amount=amount,
        first_on=first_on,
        every=every,
        down_payment=down_payment,
        payday=payday,
    )
    plans.check_dates(together, as_of=as_of)
    parts = share(together, owed, currency=first.currency)
    reasons = authority.beyond_limits(together, agent=agent, as_of=as_of)
    refusals: list[str] = []
    advice: list[str] = []
    budget = plans.budget_of(first, budget_id)
    for account in accounts:
        ruling = authority.plan(
            account=account,
            parts=parts[account.pk],
            covers=owed[account.pk],
            agent=agent,
            as_of=as_of,
            at=at,
            every=every,
            budget=budget if account.customer_id == first.customer_id else None,
        )
        reasons += ruling.reasons
        refusals += [f"{account.ref}: {text}" for text in ruling.refusals]
        advice += ruling.advice
    reasons, advice = list(dict.fromkeys(reasons)), list(dict.fromkeys(advice))
    within = not (reasons or refusals)
    return Consolidated(whole, first.currency, together, parts, within, reasons, refusals, advice)


def agree(
    *,
    account_ids: Sequence[int],
    instalments: Sequence[Instalment],
    actor: str,
    agent: Agent,
    as_of: date,
    at: datetime,
    note: str = "",
    agreed_by: str = "",
    read_back: str = "",
    budget_id: int | None = None,
) -> list[Plan]:
    """Record the instalments as one plan an account, all of them or none.

    They sum to what is open and undisputed on all of the accounts. Where one of the plans is beyond the agent's
    authority, or they are together, all of them wait for approval. Raises ``CannotAgree``,
    ``instalments.CannotQuote`` and ``card_numbers.CannotKeepCard``.
    """
    plans.check_dates(instalments, as_of=as_of)
    with transaction.atomic():
        cases.lock(account_ids)
        for account_id in sorted(set(account_ids)):
            covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
        accounts = _accounts(account_ids, agent=agent)
        first = accounts[0]
        owed = {
            account.pk: covered.undisputed(covered.bills_of(account, None, refusal=CannotAgree)) for account in accounts
        }
        offered, whole = money.total([part.amount for part in instalments]), money.total(list(owed.values()))
        if offered != whole:
            raise CannotAgree(
                f"The instalments come to {covered.said(offered, first)}, but {covered.said(whole, first)} is open."
            )
        for part in instalments:
            covered.checked_amount(part.amount, first, refusal=CannotAgree)
        parts = share(instalments, owed, currency=first.currency)
        budget = plans.budget_of(first, budget_id)
        waits_for = list(authority.beyond_limits(list(instalments), agent=agent, as_of=as_of))
        for account in accounts:
            ruling = authority.plan(
                account=account, parts=parts[account.pk], covers=owed[account.pk], agent=agent, as_of=as_of, at=at
            )
            waits_for += [reason for reason in ruling.reasons if reason not in waits_for]
        group = f"{DESK_PREFIX}{uuid4().hex}"
        return [
            plans.agree(
                account_id=account.pk,
                instalments=parts[account.pk],
                actor=actor,
                agent=agent,
                as_of=as_of,
                at=at,
                note=note,
                agreed_by=agreed_by,
                read_back=read_back,
                budget_id=budget.pk if budget is not None and account.customer_id == first.customer_id else None,
                group=group if len(accounts) > 1 else "",
                waits_for=waits_for,
            )
            for account in sorted(accounts, key=lambda account: account.pk)
        ]


def share(together: Sequence[Instalment], owed: Mapping[int, Decimal], *, currency: str) -> dict[int, list[Instalment]]:
    """Each account's part of each instalment: on every day they come to it, over all days to what each owes.

    A share of nothing is left out. Pure. Raises ``CannotQuote`` where the instalments do not come to what is owed.
    """
    unit = Decimal(1).scaleb(-money.exponent(currency))
    left = {account: int(amount / unit) for account, amount in owed.items()}
    if sum(left.values()) != sum(int(part.amount / unit) for part in together):
        raise CannotQuote("The instalments do not come to what is owed.")
    found: dict[int, list[Instalment]] = {account: [] for account in owed}
    for part in together:
        for account, units in _shares(int(part.amount / unit), left).items():
            left[account] -= units
            if units:
                found[account].append(Instalment(part.due_on, units * unit))
    return found


def _shares(amount: int, left: Mapping[int, int]) -> dict[int, int]:
    """``amount`` in proportion to what is left of each, by largest remainder; of equal ones, to the first by key."""
    whole = sum(left.values())
    exact = {account: divmod(amount * units, whole) for account, units in left.items()} if whole else {}
    shares = {account: quotient for account, (quotient, _) in exact.items()}
    by_remainder = sorted(exact, key=lambda account: (-exact[account][1], account))
    for account in by_remainder[: amount - sum(shares.values())]:
        shares[account] += 1
    return shares


def _accounts(account_ids: Sequence[int], *, agent: Agent) -> list[Account]:
    """Those accounts, in the order given, where they are linked and on the agent's side of the wall.

    Raises ``CannotAgree``.
    """
    wanted = list(dict.fromkeys(account_ids))
    if not wanted:
        raise CannotAgree("Name the accounts.", code="invalid")
    seen = rights.visible_accounts(agent).select_related("customer").filter(pk__in=wanted)
    found = {account.pk: account for account in seen}
    if len(found) < len(wanted):
        raise CannotAgree("There is no such account.", code="not_found")
    first = found[wanted[0]]
    together = {account.pk for account in linked(first, agent)}
    for pk in wanted:
        if pk not in together:
            raise CannotAgree(
                f"{found[pk].ref} cannot be agreed about together with {first.ref}: another customer, another "
                "currency, or nothing open.",
                code="invalid",
            )
    return [found[pk] for pk in wanted]
