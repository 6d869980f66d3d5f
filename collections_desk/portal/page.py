"""What the customer's page shows: everything that can be paid through this account, said in their language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import F, Q

from accounts.models import Account, Bill, Service
from accounts.models.account import ServiceStatus
from accounts.money import total
from agents.models import Plan, Promise
from collections_desk.portal import asking
from collections_desk.portal.texts import Words

#: Whoever has more open bills than this is shown the oldest.
MOST_BILLS = 60


@dataclass(frozen=True, slots=True)
class BillShown:
    title: str
    issued: str
    due: str
    past_due: bool
    amount: str
    paid: str
    left: str
    contested: str


@dataclass(frozen=True, slots=True)
class InstalmentShown:
    amount: str
    state: str
    paid: bool


@dataclass(frozen=True, slots=True)
class Detail:
    """A line of the bank details; ``value`` is what is copied."""

    label: str
    value: str
    shown: str


@dataclass(frozen=True, slots=True)
class Owed:
    """The page. Empty texts are not shown."""

    greeting: str
    account: str
    owes: bool
    to_pay: str
    since: str
    later: str
    later_on: str
    in_plan: str
    credit: str
    fees: str
    contested: str
    bills: list[BillShown]
    services: list[str]
    restore: str
    ended: bool
    promise: str
    plan: list[InstalmentShown]
    plan_waits: bool
    details: list[Detail]
    may_say_paid: bool
    paid: str
    asked: bool


def owed(account: Account, words: Words, *, as_of: date, at: datetime) -> Owed:
    """Everything the page says; about nine queries."""
    money = words.money(account.currency)
    ours = _paid_through(account)
    bills = list(Bill.objects.filter(account__in=ours, open_amount__gt=0).order_by("due_on", "issued_on", "pk"))
    plan = _running_plan(ours)
    # What is paid in instalments is due with them, whatever the bills say.
    covered = set(plan.bill_refs) if plan else set()
    payable = [bill for bill in bills if bill.open_amount > bill.disputed_amount and bill.ref not in covered]
    instalments = [part for part in plan.instalments.all() if part.paid_on is None] if plan else []
    in_plan = total([part.amount - part.paid for part in instalments if part.due_on > as_of])
    now = total([_left(bill) for bill in payable if bill.due_on < as_of])
    now += total([part.amount - part.paid for part in instalments if part.due_on <= as_of])
    later = total([_left(bill) for bill in payable if bill.due_on >= as_of])
    contested = total([bill.disputed_amount for bill in bills])
    credit, fees = total([each.unapplied for each in ours]), total([each.fees for each in ours])
    past = [bill.due_on for bill in payable if bill.due_on < as_of]
    next_due = [bill.due_on for bill in payable if bill.due_on >= as_of]
    limited = list(
        Service.objects.filter(account__in=ours).exclude(status=ServiceStatus.ACTIVE).order_by("kind", "number", "pk")
    )
    ended = [service for service in limited if service.status == ServiceStatus.DISCONNECTED]
    said = asking.said_paid(account, as_of=as_of)
    return Owed(
        greeting=words.say("greeting", name=account.customer.name),
        account=words.say("account", account=account.ref),
        owes=bool(now or later or in_plan),
        to_pay=money(now),
        since=words.say("overdue_since", day=words.day(past[0] + timedelta(days=1))) if past else "",
        later=money(later) if later else "",
        later_on=words.say("due_soon", day=words.day(next_due[0])) if next_due else "",
        in_plan=money(in_plan) if in_plan else "",
        credit=money(credit) if credit else "",
        fees=money(fees) if fees else "",
        contested=words.say("contested_note", amount=money(contested)) if contested else "",
        bills=[_bill(bill, words, account.currency, as_of) for bill in bills[:MOST_BILLS]],
        services=[_service(service, words) for service in limited],
        restore=words.say("services_restore", amount=money(now)) if now and len(limited) > len(ended) else "",
        ended=bool(ended),
        promise=_promise(ours, words, account.currency),
        plan=_instalments(plan, words, account.currency) if plan else [],
        plan_waits=plan is not None and plan.status == Plan.Status.PENDING_APPROVAL,
        details=_transfer(account, words, now or later),
        may_say_paid=bool(now) and said is None,
        paid=_paid(said.ends_on, said.starts_on, words, as_of) if said is not None else "",
        asked=asking.asked_for_a_call(account, at=at),
    )


def _paid_through(account: Account) -> list[Account]:
    """The account, and those that pay through it."""
    return list(
        Account.objects.filter(
            Q(pk=account.pk) | Q(parent=account, pays_itself=False), currency=account.currency
        ).order_by(F("parent_id").asc(nulls_first=True), "pk")
    )


def _running_plan(accounts: list[Account]) -> Plan | None:
    running = Plan.objects.filter(account__in=accounts, status__in=(Plan.Status.ACTIVE, Plan.Status.PENDING_APPROVAL))
    return running.prefetch_related("instalments").order_by("-made_on", "-pk").first()


def _left(bill: Bill) -> Decimal:
    left: Decimal = bill.open_amount - bill.disputed_amount
    return left


def _bill(bill: Bill, words: Words, currency: str, as_of: date) -> BillShown:
    money = words.money(currency)
    paid = bill.amount - bill.open_amount
    return BillShown(
        title=words.say("bill", bill=bill.ref),
        issued=words.say("issued", day=words.day(bill.issued_on)),
        due=words.say("due", day=words.day(bill.due_on)),
        past_due=bill.due_on < as_of,
        amount=money(bill.amount),
        paid=money(paid) if paid > 0 else "",
        left=money(_left(bill)),
        contested=money(bill.disputed_amount) if bill.disputed_amount else "",
    )


def _service(service: Service, words: Words) -> str:
    name = " ".join(filter(None, [words[f"service_{service.kind}"], service.number]))
    return f"{name}: {words[f'state_{service.status}']}"


def _promise(accounts: list[Account], words: Words, currency: str) -> str:
    promise = Promise.objects.filter(account__in=accounts, status=Promise.Status.OPEN).order_by("due_on", "pk").first()
    if promise is None:
        return ""
    return words.say("promise_line", amount=words.money(currency)(promise.amount), day=words.day(promise.due_on))


def _instalments(plan: Plan, words: Words, currency: str) -> list[InstalmentShown]:
    money = words.money(currency)
    return [
        InstalmentShown(
            amount=money(part.amount),
            state=words["instalment_paid"]
            if part.paid_on
            else words.say("instalment_open", day=words.day(part.due_on)),
            paid=part.paid_on is not None,
        )
        for part in sorted(plan.instalments.all(), key=lambda part: part.position)
    ]


def _transfer(account: Account, words: Words, amount: Decimal) -> list[Detail]:
    operator: dict[str, Any] = settings.DESK_OPERATOR
    iban = operator["iban"].replace(" ", "")
    grouped = " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))
    details = [
        Detail(words["holder"], operator["name"], operator["name"]),
        Detail(words["iban"], iban, grouped),
        Detail(words["bank"], operator["bank"], operator["bank"]),
        Detail(words["reference"], account.ref, account.ref),
    ]
    if amount:
        typed, shown = words.number(amount, account.currency), words.money(account.currency)(amount)
        details.append(Detail(words["amount"], typed, shown))
    return details


def _paid(ends_on: date | None, said_on: date, words: Words, as_of: date) -> str:
    if ends_on is not None and ends_on >= as_of:
        return words.say("paid_done", day=words.day(ends_on))
    return words.say("paid_before", day=words.day(said_on))
