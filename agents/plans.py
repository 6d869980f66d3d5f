"""Instalment plans: quoted, agreed within somebody's authority, filled by payments, kept or broken.

A plan covers bills whole: its instalments sum to what is open on them. Payments towards those bills since the plan was
made fill the instalments, first in first out; money that went back empties them again. Plans of linked accounts that
were agreed as one (``consolidating``) are decided on and cancelled as one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from accounts import events, holds
from accounts.events import EventRow
from accounts.models import Account, Hold
from accounts.models.fields import DESK_PREFIX
from accounts.money import total
from accounts.position import AccountBooks, books_of
from accounts.refusals import Refused
from agents import (
    authority,
    card_numbers,
    confirmations,
    covered,
    delegations,
    instalments,
    kinds,
    promises,
    rights,
    second_words,
    undertakings,
)
from agents.models import Agent, Budget, Instalment, Plan
from agents.undertakings import RUNNING_PLANS as RUNNING
from dunning import cases
from dunning.gate.checks.agreements import Terms

ACTOR = "desk:plans"

#: Accounts judged in one transaction.
CHUNK = 1_000


class CannotAgree(Refused):
    """No such plan can be agreed; the text tells the agent what to change."""


class CannotCancelPlan(Refused):
    """The plan is over already."""

    code = "conflict"


class CannotDecide(Refused):
    """The plan does not wait for a decision, or not for this person's."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class Quote:
    """A plan as it would be; ``reasons`` say why it would need approval, ``refusals`` why nobody may agree it.

    ``advice`` is what the rules would have done otherwise.
    """

    instalments: list[instalments.Instalment]
    total: Decimal
    within_authority: bool
    reasons: list[str]
    refusals: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)


def quote_for(
    *,
    account_id: int,
    first_on: date,
    every: str,
    agent: Agent | None,
    as_of: date,
    at: datetime | None = None,
    count: int | None = None,
    amount: Decimal | None = None,
    down_payment: Decimal | None = None,
    bill_refs: Sequence[str] | None = None,
    payday: int | None = None,
    budget_id: int | None = None,
) -> Quote:
    """What a plan over the bills named, else all that are open, would look like. Writes nothing.

    ``payday``: the day of the month on which the customer's money comes, 31 for the last; instalments then fall due on
    it, or on the next working day of their market, never earlier. ``at``: without it, midday of ``as_of``.

    Raises ``CannotAgree`` and ``instalments.CannotQuote``.
    """
    account = Account.objects.select_related("customer").get(pk=account_id)
    bills = covered.bills_of(account, bill_refs, refusal=CannotAgree)
    undertakings.refuse_twice(account, bills, refusal=CannotAgree)
    owed = covered.undisputed(bills)
    parts = split(
        account=account,
        total=owed,
        count=count,
        amount=amount,
        first_on=first_on,
        every=every,
        down_payment=down_payment,
        payday=payday,
    )
    check_dates(parts, as_of=as_of)
    ruling = authority.plan(
        account=account,
        parts=parts,
        covers=owed,
        agent=agent,
        as_of=as_of,
        at=at,
        every=every,
        deposit=down_payment,
        budget=budget_of(account, budget_id),
    )
    return Quote(parts, owed, ruling.is_within, ruling.reasons, ruling.refusals, ruling.advice)


def split(
    *,
    account: Account,
    total: Decimal,
    first_on: date,
    every: str,
    count: int | None = None,
    amount: Decimal | None = None,
    down_payment: Decimal | None = None,
    payday: int | None = None,
) -> list[instalments.Instalment]:
    """``total`` over dates; a down payment is due on ``first_on``, payday instalments on paydays after it.

    Raises ``instalments.CannotQuote``.
    """
    parts = instalments.quote(
        total=total,
        count=count,
        amount=amount,
        first_on=first_on,
        every=every,
        down_payment=down_payment,
        currency=account.currency,
    )
    if payday is None:
        return parts
    if every != "month" or not 1 <= payday <= 31:
        raise instalments.CannotQuote("A payday is a day of the month, from 1 to 31, of a plan that is paid monthly.")
    at_once = parts[:1] if down_payment is not None else []
    rest = parts[len(at_once) :]
    terms = Terms(
        total=total,
        count=len(rest),
        first_on=first_on + timedelta(days=1) if at_once else first_on,
        currency=account.currency,
        calendar=authority.calendar_of(account),
        payday=payday,
    )
    days = authority.schedule(terms)
    return [*at_once, *(instalments.Instalment(day, part.amount) for day, part in zip(days, rest, strict=True))]


def beyond_authority(parts: Sequence[instalments.Instalment], *, agent: Agent | None, as_of: date) -> list[str]:
    """Why ``agent`` may not agree that alone by the desk's own limits; nothing where he may."""
    return authority.beyond_limits(parts, agent=agent, as_of=as_of)


def budget_of(account: Account, budget_id: int | None) -> Budget | None:
    """The budget of that id, where it is of the account's customer. Raises ``CannotAgree``."""
    if budget_id is None:
        return None
    found = Budget.objects.filter(pk=budget_id, customer=account.customer_id).first()
    if found is None:
        raise CannotAgree("This budget is not of this customer.", code="invalid")
    return found


def agree(
    *,
    account_id: int,
    instalments: Sequence[instalments.Instalment],
    actor: str,
    agent: Agent | None,
    as_of: date,
    at: datetime,
    bill_refs: Sequence[str] | None = None,
    note: str = "",
    ref: str | None = None,
    agreed_by: str = "",
    read_back: str = "",
    budget_id: int | None = None,
    group: str = "",
    waits_for: Sequence[str] = (),
) -> Plan:
    """Record a plan over the bills named, else all that are open, and hold their treatment while it is kept.

    Beyond the agent's authority it waits for approval, and holds meanwhile. ``agreed_by``: how they agreed, of
    ``Agreed``; ``read_back``: what was read to them. ``group``: plans that were agreed as one; ``waits_for``: why the
    whole of them waits.

    Raises ``CannotAgree`` and ``card_numbers.CannotKeepCard``.
    """
    note, read_back = card_numbers.without_cards(note), card_numbers.without_cards(read_back)
    parts = list(instalments)
    check_dates(parts, as_of=as_of)
    with transaction.atomic():
        account = covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
        for part in parts:
            covered.checked_amount(part.amount, account, refusal=CannotAgree)
        bills = covered.bills_of(account, bill_refs, refusal=CannotAgree)
        undertakings.refuse_twice(account, bills, refusal=CannotAgree)
        owed, offered = covered.undisputed(bills), total([part.amount for part in parts])
        if offered != owed:
            raise CannotAgree(
                f"The instalments come to {covered.said(offered, account)}, but {covered.said(owed, account)} is open."
            )
        budget = budget_of(account, budget_id)
        ruling = authority.plan(
            account=account, parts=parts, covers=owed, agent=agent, as_of=as_of, at=at, budget=budget, keep=True
        )
        if ruling.refusals:
            raise CannotAgree(" ".join(ruling.refusals))
        ruling.keep(actor=actor)
        reasons = list(dict.fromkeys([*waits_for, *ruling.reasons]))
        refs = [bill.ref for bill in bills]
        hold = holds.place(
            account_id=account_id,
            reason=Hold.Reason.PLAN,
            starts_on=as_of,
            bill_refs=refs,
            actor=actor,
            as_of=as_of,
            at=at,
        )
        plan = Plan.objects.create(
            ref=ref or f"{DESK_PREFIX}{uuid4().hex}",
            account=account,
            hold=hold,
            made_on=as_of,
            bill_refs=refs,
            paid_before=covered.paid_on_the_day(account, bills, as_of=as_of),
            status=Plan.Status.PENDING_APPROVAL if reasons else Plan.Status.ACTIVE,
            note=note,
            made_by=actor,
            group=group,
            agreed_by=agreed_by,
            read_back=read_back,
            budget=budget,
        )
        Instalment.objects.bulk_create(
            Instalment(plan=plan, account=account, position=position, due_on=part.due_on, amount=part.amount)
            for position, part in enumerate(parts, start=1)
        )
        events.record(
            account_id=account_id,
            kind=kinds.PLAN_AGREED,
            actor=actor,
            at=at,
            on=as_of,
            reason=" ".join(reasons),
            payload={
                "plan": plan.ref,
                "status": plan.status,
                "total": str(owed),
                "bills": refs,
                "instalments": [{"due_on": part.due_on, "amount": str(part.amount)} for part in parts],
                **({"group": group} if group else {}),
                **({"agreed_by": agreed_by} if agreed_by else {}),
            },
        )
        if reasons:
            why = f"Plan waits for approval. {' '.join(reasons)}"
            second_words.ask(account_id=account_id, reason=why, as_of=as_of, at=at, actor=actor)
        confirmations.of_plan(plan, actor=actor, as_of=as_of, at=at)
    return plan


def decide(
    *,
    plan_id: int,
    approve: bool,
    agent: Agent,
    as_of: date,
    at: datetime,
    reason: str = "",
    instead_of: Agent | None = None,
) -> Plan:
    """Approve or decline a plan that waits, and those agreed with it.

    Nobody decides on a plan of their own, nor beyond their own authority or that of the person in whose place they do.
    Raises ``CannotDecide`` and ``delegations.CannotActFor``.
    """
    with transaction.atomic():
        word = delegations.word_of(agent, instead_of=instead_of, on=as_of)
        if not rights.roles(word.authority) & authority.TERMS:
            raise CannotDecide("Supervisors decide on plans.", code="forbidden")
        plan, *others = _locked(plan_id, as_of=as_of, at=at, actor=word.actor)
        if plan.status != Plan.Status.PENDING_APPROVAL:
            raise CannotDecide(f"This plan does not wait for a decision: it is {plan.get_status_display().lower()}.")
        if word.is_of(plan.made_by):
            raise CannotDecide("Somebody else must decide on a plan of yours.", code="forbidden")
        if approve and second_words.is_over(second_words.PLAN, plan.made_on, as_of):
            raise CannotDecide(second_words.too_late(second_words.PLAN, plan.made_on))
        for each in (plan, *(other for other in others if other.status == Plan.Status.PENDING_APPROVAL)):
            _decide(each, approve=approve, word=word, as_of=as_of, at=at, reason=reason)
    return plan


def _decide(plan: Plan, *, approve: bool, word: delegations.Word, as_of: date, at: datetime, reason: str) -> None:
    if not rights.may_see_account(word.authority, plan.account):
        raise CannotDecide("An account of this plan is another team's.", code="forbidden")
    if approve:
        parts = [instalments.Instalment(each.due_on, each.amount) for each in plan.instalments.order_by("position")]
        ruling = authority.plan(
            account=plan.account,
            parts=parts,
            covers=total([part.amount for part in parts]),
            agent=word.authority,
            as_of=plan.made_on,
            at=at,
            budget=plan.budget,
        )
        if ruling.refusals:
            raise CannotDecide(" ".join(ruling.refusals))
        if ruling.reasons:
            raise CannotDecide(
                f"This goes beyond what a supervisor may approve. {' '.join(ruling.reasons)}", code="forbidden"
            )
    plan.decided_by, plan.decided_for = word.actor, word.for_whom
    plan.save(update_fields=["decided_by", "decided_for"])
    if not approve:
        _decline(plan, actor=word.actor, as_of=as_of, at=at, reason=reason, told=word.told)
        return
    plan.status = Plan.Status.ACTIVE
    plan.save(update_fields=["status"])
    confirmations.of_plan(plan, actor=word.actor, as_of=as_of, at=at)
    _tell(plan, kinds.PLAN_APPROVED, actor=word.actor, as_of=as_of, at=at, reason=reason, told=word.told)
    _close_approval(plan, outcome="approved", actor=word.actor, at=at)


def _decline(plan: Plan, *, actor: str, as_of: date, at: datetime, reason: str, told: Mapping[str, Any]) -> None:
    _end(plan, Plan.Status.CANCELLED, on=as_of, actor=actor, as_of=as_of, at=at)
    _tell(plan, kinds.PLAN_DECLINED, actor=actor, as_of=as_of, at=at, reason=reason, told=told)
    _close_approval(plan, outcome="declined", actor=actor, at=at)
    second_words.tell(
        account_id=plan.account_id,
        what="the instalment plan",
        asked_by=plan.made_by,
        reason=reason,
        actor=actor,
        as_of=as_of,
        at=at,
    )


def _tell(
    plan: Plan, kind: str, *, actor: str, as_of: date, at: datetime, reason: str, told: Mapping[str, Any]
) -> None:
    events.record(
        account_id=plan.account_id,
        kind=kind,
        actor=actor,
        at=at,
        on=as_of,
        reason=reason,
        payload={"plan": plan.ref, **told},
        react=True,
    )


def expire(*, as_of: date, at: datetime) -> int:
    """Decline the plans on which nobody decided in time, with those agreed as one with them; how many.

    Run twice, the second finds nothing.
    """
    before = second_words.asked_before(second_words.PLAN, as_of)
    waiting = Plan.objects.filter(status=Plan.Status.PENDING_APPROVAL, made_on__lt=before or date.min)
    declined = 0
    for plan_id in list(waiting.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            for plan in _locked(plan_id, as_of=as_of, at=at, actor=second_words.ACTOR):
                if plan.status != Plan.Status.PENDING_APPROVAL:
                    continue
                reason = second_words.too_late(second_words.PLAN, plan.made_on)
                told = {"expired": True}
                _decline(plan, actor=second_words.ACTOR, as_of=as_of, at=at, reason=reason, told=told)
                declined += 1
    return declined


def cancel(*, plan_id: int, actor: str, as_of: date, at: datetime, reason: str = "", together: bool = False) -> Plan:
    """End a plan before its time: treatment goes on. Raises ``CannotCancelPlan``.

    One of several that were agreed as one ends with all of them, and only where ``together`` says so.
    """
    with transaction.atomic():
        plan, *others = _locked(plan_id, as_of=as_of, at=at, actor=actor)
        if plan.status not in RUNNING:
            raise CannotCancelPlan(f"This plan is {plan.get_status_display().lower()} already.")
        running = [other for other in others if other.status in RUNNING]
        if running and not together:
            accounts = ", ".join(sorted(other.account.ref for other in running))
            raise CannotCancelPlan(f"It was agreed as one with plans of {accounts}: cancel them together.")
        for each in (plan, *running):
            _cancel(each, actor=actor, as_of=as_of, at=at, reason=reason)
    return plan


def _cancel(plan: Plan, *, actor: str, as_of: date, at: datetime, reason: str) -> None:
    waited = plan.status == Plan.Status.PENDING_APPROVAL
    _end(plan, Plan.Status.CANCELLED, on=as_of, actor=actor, as_of=as_of, at=at)
    events.record(
        account_id=plan.account_id,
        kind=kinds.PLAN_CANCELLED,
        actor=actor,
        at=at,
        on=as_of,
        reason=reason,
        payload={"plan": plan.ref},
        react=True,
    )
    confirmations.take_back("plan", plan.ref, reason="the plan is cancelled", at=at, actor=actor)
    if waited:
        _close_approval(plan, outcome="cancelled", actor=actor, at=at)


def review(*, as_of: date, at: datetime, account_ids: Collection[int] | None = None) -> int:
    """Fill the running plans of those accounts, or all, as of a day; how many were found kept or broken.

    A plan that waits for approval is filled but not broken. Run twice, the second finds nothing.
    """
    found = 0
    for chunk in _chunks(account_ids, as_of=as_of):
        with transaction.atomic():
            found += _review_chunk(chunk, as_of=as_of, at=at)
    return found


def _chunks(account_ids: Collection[int] | None, *, as_of: date) -> Iterator[list[int]]:
    running = Plan.objects.filter(status__in=RUNNING, made_on__lte=as_of)
    if account_ids is not None:
        running = running.filter(account__in=list(account_ids))
    keys = list(running.order_by("account_id").values_list("account_id", flat=True).distinct())
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def _review_chunk(account_ids: list[int], *, as_of: date, at: datetime) -> int:
    list(Account.objects.select_for_update(no_key=True).filter(pk__in=account_ids).order_by("pk").values_list("pk"))
    plans = list(
        Plan.objects.select_related("hold")
        .prefetch_related("instalments")
        .filter(account__in=account_ids, status__in=RUNNING, made_on__lte=as_of)
        .order_by("account_id", "pk")
    )
    promises.name_bills(plans)
    books = books_of(account_ids, as_of=as_of)
    rows: list[EventRow] = []
    found = 0
    for plan in plans:
        seen = books[plan.account_id]
        parts = sorted(plan.instalments.all(), key=lambda each: each.position)
        payments = covered.payments_since(
            seen, bill_refs=plan.bill_refs, made_on=plan.made_on, paid_before=plan.paid_before
        )
        rows += _fill(plan, parts, payments, as_of=as_of, at=at)
        nothing_left = bool(plan.bill_refs) and seen.open_on(plan.bill_refs) == 0
        verdict = _verdict(plan, parts, nothing_left=nothing_left, as_of=as_of)
        if verdict is None:
            continue
        found += 1
        waited = plan.status == Plan.Status.PENDING_APPROVAL
        status, kind, on, reason = verdict
        _end(plan, status, on=on, actor=ACTOR, as_of=as_of, at=at)
        if status == Plan.Status.BROKEN:
            confirmations.of_plan_broken(plan, actor=ACTOR, as_of=as_of, at=at)
        if waited:
            _close_approval(plan, outcome=status, actor=ACTOR, at=at)
        rows.append(EventRow(plan.account_id, kind, ACTOR, at, as_of, reason, payload={"plan": plan.ref}, react=True))
    events.record_many(rows)
    return found


def _fill(
    plan: Plan,
    parts: Sequence[Instalment],
    payments: Sequence[tuple[date, Decimal]],
    *,
    as_of: date,
    at: datetime,
) -> list[EventRow]:
    """Write what is paid into each instalment; the events of those that are complete now and were not before."""
    kept: list[EventRow] = []
    changed = []
    for each, filled in zip(
        parts, instalments.fill(amounts=[part.amount for part in parts], payments=payments), strict=True
    ):
        if (each.paid, each.paid_on) == (filled.paid, filled.paid_on):
            continue
        if filled.paid_on and each.paid_on is None:
            first = each.position == parts[0].position
            kept.append(
                EventRow(
                    account_id=plan.account_id,
                    kind=kinds.INSTALMENT_KEPT,
                    actor=ACTOR,
                    at=at,
                    on=as_of,
                    payload={
                        "plan": plan.ref,
                        "position": each.position,
                        "amount": str(each.amount),
                        "paid_on": filled.paid_on,
                        "first": first,
                    },
                    react=first,
                )
            )
        each.paid, each.paid_on = filled.paid, filled.paid_on
        changed.append(each)
    Instalment.objects.bulk_update(changed, ["paid", "paid_on"])
    return kept


def _verdict(
    plan: Plan, parts: Sequence[Instalment], *, nothing_left: bool, as_of: date
) -> tuple[str, str, date, str] | None:
    """Status, event kind, day and reason of a plan that is over; none while it runs."""
    paid_on = [each.paid_on for each in parts if each.paid_on]
    if nothing_left or len(paid_on) == len(parts):
        on = max(paid_on) if len(paid_on) == len(parts) else as_of
        return Plan.Status.KEPT, kinds.PLAN_KEPT, on, ""
    if plan.status != Plan.Status.ACTIVE:
        return None
    grace = timedelta(days=settings.INSTALMENT_GRACE_DAYS)
    longest = timedelta(days=settings.PLAN_BREAK_DAYS)
    unpaid = [each for each in parts if each.paid_on is None and each.due_on + grace < as_of]
    if len(unpaid) >= 2:
        return Plan.Status.BROKEN, kinds.PLAN_BROKEN, as_of, f"{len(unpaid)} instalments are unpaid"
    if unpaid and unpaid[0].due_on + longest < as_of:
        reason = f"the instalment of {unpaid[0].due_on} is unpaid by more than {settings.PLAN_BREAK_DAYS} days"
        return Plan.Status.BROKEN, kinds.PLAN_BROKEN, as_of, reason
    return None


def is_over(plan: Plan, parts: Sequence[Instalment], *, seen: AccountBooks | None, as_of: date) -> bool:
    """Whether a running plan is kept or broken on a day. Writes nothing.

    ``parts`` are its instalments in order; with the books of that day they are filled, in memory, first.
    """
    nothing_left = False
    if seen is not None:
        payments = covered.payments_since(
            seen, bill_refs=plan.bill_refs, made_on=plan.made_on, paid_before=plan.paid_before
        )
        filled = instalments.fill(amounts=[part.amount for part in parts], payments=payments)
        for part, now in zip(parts, filled, strict=True):
            part.paid, part.paid_on = now.paid, now.paid_on
        nothing_left = bool(plan.bill_refs) and seen.open_on(plan.bill_refs) == 0
    return _verdict(plan, parts, nothing_left=nothing_left, as_of=as_of) is not None


def check_dates(parts: Sequence[instalments.Instalment], *, as_of: date) -> None:
    """Raises ``CannotAgree`` for instalments that lie in the past, or not one after the other."""
    if not parts:
        raise CannotAgree("A plan has at least one instalment.", code="invalid")
    if len(parts) > instalments.MOST:
        raise CannotAgree(f"A plan has at most {instalments.MOST} instalments.", code="invalid")
    days = [part.due_on for part in parts]
    if days[0] < as_of:
        raise CannotAgree("The first instalment is due in the past.", code="invalid")
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise CannotAgree("Each instalment must be due after the one before it.", code="invalid")


def _locked(plan_id: int, *, as_of: date, at: datetime, actor: str) -> list[Plan]:
    """The plan and those agreed with it, it first; their accounts locked in the order of their keys."""
    group = Plan.objects.values_list("group", flat=True).get(pk=plan_id)
    together = Plan.objects.filter(group=group) if group else Plan.objects.filter(pk=plan_id)
    account_ids = sorted(set(together.values_list("account_id", flat=True)))
    cases.lock(account_ids)
    for account_id in account_ids:
        covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
    found = together.select_related("hold", "budget", "account__customer").order_by("account_id", "pk")
    return sorted(found, key=lambda plan: plan.pk != plan_id)


def _end(plan: Plan, status: str, *, on: date, actor: str, as_of: date, at: datetime) -> None:
    plan.status, plan.settled_on = status, on
    plan.save(update_fields=["status", "settled_on"])
    if plan.hold is not None and covered.still_holds(plan.hold, as_of=as_of):
        holds.lift(hold_id=plan.hold.pk, actor=actor, as_of=as_of, at=at, reason=f"plan {status}")


def _close_approval(plan: Plan, *, outcome: str, actor: str, at: datetime) -> None:
    second_words.settled(account_id=plan.account_id, outcome=outcome, actor=actor, at=at)
