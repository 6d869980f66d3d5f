"""What waits for somebody's word, for those who may give it: plans, time to pay, settlements, write-offs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from accounts.models import AccountEvent
from accounts.money import total
from agents import authority, kinds, rights, second_words, settlements
from agents.models import Agent, Extension, Instalment, Plan, Settlement, WorkItem
from dunning import rule_packs

#: Rows of each kind on one page.
MOST = 100


@dataclass(frozen=True, slots=True)
class WaitingPlan:
    """A plan that waits, with its instalments and what they come to; ``others`` were agreed as one with it."""

    plan: Plan
    parts: list[Instalment]
    total: Decimal
    reason: str
    may_decide: bool
    others: list[Plan] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WaitingExtension:
    """Time to pay that waits."""

    extension: Extension
    reason: str
    may_decide: bool


@dataclass(frozen=True, slots=True)
class WaitingSettlement:
    """A settlement that waits, what it lets go of, and whose word is missing."""

    settlement: Settlement
    discount: Decimal
    percent: Decimal
    wants: list[str]
    may_decide: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """Everything that waits on one person's side of the team wall, the oldest first."""

    plans: list[WaitingPlan]
    extensions: list[WaitingExtension]
    settlements: list[WaitingSettlement]
    write_offs: list[WorkItem]

    def __len__(self) -> int:
        return len(self.plans) + len(self.extensions) + len(self.settlements) + len(self.write_offs)


def waiting(user: Agent, *, at: datetime) -> Waiting:
    """What the person may look at and decide.

    A team lead sees their team's; finance sees what wants finance, and the write-offs; the others see everything.
    """
    terms = bool(rights.roles(user) & authority.TERMS)
    return Waiting(
        plans=_plans(user) if terms else [],
        extensions=_extensions(user) if terms else [],
        settlements=_settlements(user, only_finance=not terms, at=at),
        write_offs=_write_offs(user),
    )


def count(user: Agent) -> int:
    """On how many accounts something waits, for a tile: one query."""
    seen = rights.visible_accounts(user)
    return WorkItem.objects.filter(kind=WorkItem.Kind.APPROVAL, done_at=None, account__in=seen).count()


def _plans(user: Agent) -> list[WaitingPlan]:
    rows = (
        Plan.objects.filter(status=Plan.Status.PENDING_APPROVAL, account__in=rights.visible_accounts(user))
        .select_related("account__customer")
        .prefetch_related("instalments")
        .order_by("made_on", "pk")[:MOST]
    )
    why = _reasons(rows, kinds.PLAN_AGREED, "plan")
    groups: dict[str, list[Plan]] = defaultdict(list)
    for plan in rows:
        groups[plan.group or plan.ref].append(plan)
    found = []
    for first, *others in groups.values():
        parts = sorted(
            (part for plan in (first, *others) for part in plan.instalments.all()), key=lambda part: part.due_on
        )
        days = [_together(list(same)) for _, same in groupby(parts, key=lambda part: part.due_on)]
        mine = first.made_by == rights.actor(user)
        amount = total([part.amount for part in days])
        found.append(WaitingPlan(first, days, amount, why.get(first.ref, ""), not mine, others))
    return found


def _reasons(rows: Iterable[Plan] | Iterable[Extension], kind: str, named: str) -> dict[str, str]:
    """Why each waits, by its own id, as it was told when it was agreed."""
    accounts = {row.account_id for row in rows}
    told = AccountEvent.objects.filter(account__in=accounts, kind=kind).exclude(reason="")
    return {payload.get(named, ""): reason for payload, reason in told.values_list("payload", "reason")}


def _together(parts: list[Instalment]) -> Instalment:
    """What falls due on one day, as one instalment."""
    return Instalment(due_on=parts[0].due_on, amount=total([part.amount for part in parts]))


def _extensions(user: Agent) -> list[WaitingExtension]:
    rows = (
        Extension.objects.filter(status=Extension.Status.PENDING_APPROVAL, account__in=rights.visible_accounts(user))
        .select_related("account__customer")
        .order_by("made_on", "pk")[:MOST]
    )
    why = _reasons(rows, kinds.EXTENSION_AGREED, "extension")
    mine = rights.actor(user)
    supervises = bool(rights.roles(user) & authority.SUPERVISORS)
    return [WaitingExtension(row, why.get(row.ref, ""), supervises and row.made_by != mine) for row in rows]


def _settlements(user: Agent, *, only_finance: bool, at: datetime) -> list[WaitingSettlement]:
    rows = Settlement.objects.filter(
        status=Settlement.Status.PENDING_APPROVAL, account__in=rights.visible_accounts(user)
    )
    if only_finance:
        rows = rows.filter(wants__contains=[rights.FINANCE])
    packs = rule_packs.in_force()
    return [
        WaitingSettlement(
            row,
            row.balance - row.amount,
            (100 * (row.balance - row.amount) / row.balance).quantize(Decimal("0.1")),
            row.wants,
            settlements.may_decide(row, user, at=at, packs=packs),
        )
        for row in rows.select_related("account__customer").order_by("made_on", "pk")[:MOST]
    ]


def _write_offs(user: Agent) -> list[WorkItem]:
    """Approvals that no agreement explains, and those beside which a write-off was asked for."""
    items = (
        WorkItem.objects.filter(kind=WorkItem.Kind.APPROVAL, done_at=None, account__in=rights.visible_accounts(user))
        .select_related("account__customer")
        .order_by("created_at", "pk")[: 3 * MOST]
    )
    pending = second_words.waiting_among([item.account_id for item in items])
    return [
        item for item in items if item.account_id not in pending or second_words.write_off_is_asked(item.account_id)
    ][:MOST]
