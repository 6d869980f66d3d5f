"""The figures of any day, from the rows (``compute``); today's page of the supervisor is ``desk``.

Nothing is averaged: every figure is made of the sums of its period, the ``days`` days that end with ``as_of``.
Receivables include what is disputed; sales are the bills issued, tax included. The figures of a past day are computed
from what is known now, so money that was back-dated counts on its own date.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from itertools import groupby, islice, pairwise, repeat
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Q, Sum, Value
from django.db.models.functions import TruncMonth

from accounts import money
from accounts.models import Account, Adjustment, Bill, Payment
from accounts.position import BUCKETS, CHUNK, OpenBill, books_of, bucket_of, open_bills, position_from
from accounts.refusals import Refused
from agents import kpi_formulas as formulas
from agents.kpi_formulas import NOTHING, Figure, MonthOfSales
from agents.models import Disposition, Instalment, Interaction, Plan, Promise
from agents.period import NET_RECEIVED, Period, bills_in_force, in_currency
from agents.today import DeskFigures, desk
from dunning.models import Case

__all__ = ["CannotCompute", "DeskFigures", "compute", "desk"]

#: An account that closes within so many days of leaving collections was lost to them.
CHURN_DAYS = 90

#: A roll rate is a month's; longer periods look at the last so many days.
ROLL_DAYS = 30
LONGEST_MONTH = 31

LONGEST_PERIOD = 3_660


class CannotCompute(Refused):
    """The question has no single answer: a currency is missing, unknown, or the period is empty."""

    code = "invalid"


def compute(*, as_of: date, days: int, currency: str | None = None, business_date: date) -> dict[str, Any]:
    """The object that ``kpis --json`` prints: receivables of ``as_of`` and the KPIs of the days that end with it.

    Amounts are text with the currency's decimals, values text with four. Reads every account of the currency for
    each end of the period, a chunk at a time; where that is ``business_date``, the stored open amounts.
    Raises ``CannotCompute`` for less than one day or more than ``LONGEST_PERIOD``, for a book of several currencies
    without ``currency``, and for a currency that does not exist.
    """
    if not 1 <= days <= LONGEST_PERIOD:
        raise CannotCompute(f"A period has 1 to {LONGEST_PERIOD} days.")
    currency = _currency_of_the_book(currency)
    period = Period(as_of, days)
    aged = _age_the_book(period, currency, business_date)
    billed = _sales(bills_in_force(period, currency))
    receivables, current = aged.closing.open, aged.closing.buckets["current"]
    collected = _collect_from_delinquent(aged.delinquent, period)
    contacts = _calls(period, currency)
    kept, fell_due = _promises_kept(period, currency)
    instalments_kept, instalments_due = _instalments_kept(period, currency)
    ended, left = _churn(period, currency)
    effectiveness = partial(
        formulas.collection_effectiveness, opening=aged.opening.open, sales=billed, closing_current=current
    )

    figures: dict[str, Figure | dict[str, Figure]] = {
        "dso": formulas.dso(receivables=receivables, sales=billed, days=days),
        "dso_undisputed": formulas.dso(receivables=receivables - aged.closing.disputed, sales=billed, days=days),
        "dso_countback": formulas.countback_dso(receivables=receivables, months=_months_of_sales(as_of, currency)),
        "bpdso": formulas.best_possible_dso(current=current, sales=billed, days=days),
        "add": formulas.average_days_delinquent(receivables=receivables, current=current, sales=billed, days=days),
        "wadd_all": formulas.weighted_days_delinquent(
            amount_days=aged.closing.amount_days, amount=receivables, overdue_only=False
        ),
        "wadd_overdue": formulas.weighted_days_delinquent(
            amount_days=aged.closing.amount_days, amount=aged.closing.overdue, overdue_only=True
        ),
        "cei": effectiveness(closing=receivables),
        "cei_monthly_sales": effectiveness(closing=receivables, per_month_of=days),
        "cei_without_write_offs": effectiveness(closing=receivables + _written_off(period, currency)),
        "recovery_rate": formulas.recovery_rate(
            collected=collected.amount, past_due_at_start=sum((d.amount for d in aged.delinquent.values()), NOTHING)
        ),
        "cure_rate": formulas.cure_rate(cured=collected.cured, delinquent_at_start=len(aged.delinquent)),
        "roll_rates": {
            f"{bucket} to {following}": formulas.roll_rate(
                rolled=aged.rolled[bucket], held=aged.held[bucket], days=_roll_days(period)
            )
            for bucket, following in _ROLLS
        },
        "rpc_rate": formulas.right_party_contact_rate(right_party=contacts.right_party, connected=contacts.connected),
        "ptp_rate": formulas.promise_rate(promises=_promises_won(period, currency), right_party=contacts.right_party),
        "kept_rate": formulas.kept_rate(kept=kept, fell_due=fell_due, grace_days=settings.PROMISE_GRACE_DAYS),
        "instalments_kept_rate": formulas.instalments_kept_rate(
            kept=instalments_kept, fell_due=instalments_due, grace_days=settings.INSTALMENT_GRACE_DAYS
        ),
        "cost_per_unit_collected": formulas.cost_per_unit_collected(cost=None, collected=_received(period, currency)),
        "csat": formulas.satisfaction(satisfied=None, answers=None),
        "complaint_rate": formulas.complaint_rate(complaints=None, accounts_contacted=None),
        "churn_after_collections": formulas.churn_after_collections(
            ended=ended, left_collections=left, within_days=CHURN_DAYS
        ),
    }
    return {
        "as_of": as_of.isoformat(),
        "days": days,
        "currency": currency,
        "receivables": aged.closing.as_json(currency),
        "kpis": {name: _as_json(figure, currency) for name, figure in figures.items()},
    }


@dataclass
class _Receivables:
    """What is open as of a day, by days past due."""

    as_of: date
    open_bills: int = 0
    overdue_bills: int = 0
    overdue_accounts: int = 0
    disputed: Decimal = NOTHING
    #: Σ open amount * days past due.
    amount_days: Decimal = NOTHING
    buckets: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(BUCKETS, NOTHING))

    @property
    def open(self) -> Decimal:
        return sum(self.buckets.values(), NOTHING)

    @property
    def overdue(self) -> Decimal:
        return self.open - self.buckets["current"]

    def add(self, bills: list[OpenBill]) -> dict[str, Decimal]:
        """Add the open bills of one account; what it has in each bucket."""
        own: dict[str, Decimal] = defaultdict(Decimal)
        overdue_before = self.overdue_bills
        for bill in bills:
            days_past_due = (self.as_of - bill.due_on).days
            own[bucket_of(days_past_due)] += bill.open
            self.open_bills += 1
            self.disputed += bill.disputed
            if days_past_due > 0:
                self.overdue_bills += 1
                self.amount_days += bill.open * days_past_due
        self.overdue_accounts += self.overdue_bills > overdue_before
        for bucket, amount in own.items():
            self.buckets[bucket] += amount
        return own

    def as_json(self, currency: str | None) -> dict[str, Any]:
        return {
            "open_bills": self.open_bills,
            "open": _plain(self.open, currency),
            "overdue_bills": self.overdue_bills,
            "overdue": _plain(self.overdue, currency),
            "overdue_accounts": self.overdue_accounts,
            "buckets": {bucket: _plain(amount, currency) for bucket, amount in self.buckets.items()},
        }


@dataclass
class _Delinquent:
    """An account past due when the period began: which bills, and how much was open on them."""

    bill_ids: set[int]
    amount: Decimal


@dataclass
class _AgedBook:
    opening: _Receivables
    closing: _Receivables
    delinquent: dict[int, _Delinquent]
    #: By bucket: what was in it when the roll began, and what the same accounts had in the next one at the end.
    held: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    rolled: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


_ROLLS = tuple(pairwise(BUCKETS))


def _roll_days(period: Period) -> int:
    return period.days if period.days <= LONGEST_MONTH else ROLL_DAYS


def _age_the_book(period: Period, currency: str | None, business_date: date) -> _AgedBook:
    """The book at both ends of the period (and where a month's roll began), side by side, one account at a time."""
    roll_start = period.end - timedelta(days=_roll_days(period))
    aged = _AgedBook(_Receivables(period.start), _Receivables(period.end), {})
    at_roll_start = aged.opening if roll_start == period.start else _Receivables(roll_start)
    books = {book.as_of: book for book in (aged.opening, at_roll_start, aged.closing)}
    streams = [
        zip(repeat(day), open_bills(as_of=day, business_date=business_date, currency=currency), strict=False)
        for day in books
    ]
    merged: Iterator[tuple[date, OpenBill]] = heapq.merge(*streams, key=lambda entry: entry[1].account_id)
    for account_id, entries in groupby(merged, key=lambda entry: entry[1].account_id):
        bills: dict[date, list[OpenBill]] = defaultdict(list)
        for day, bill in entries:
            bills[day].append(bill)
        own = {day: book.add(bills[day]) for day, book in books.items()}
        for bucket, following in _ROLLS:
            if held := own[roll_start].get(bucket):
                aged.held[bucket] += held
                aged.rolled[bucket] += own[period.end].get(following, NOTHING)
        past_due = [bill for bill in bills[period.start] if bill.due_on < period.start]
        if past_due:
            amount = sum((bill.open for bill in past_due), NOTHING)
            aged.delinquent[account_id] = _Delinquent({bill.bill_id for bill in past_due}, amount)
    return aged


@dataclass
class _Collected:
    amount: Decimal = NOTHING
    cured: int = 0


def _collect_from_delinquent(delinquent: dict[int, _Delinquent], period: Period) -> _Collected:
    """What payments of the period settled of bills that were past due when it began, and which accounts that cured."""
    collected = _Collected()
    account_ids = iter(delinquent)
    while chunk := list(islice(account_ids, CHUNK)):
        for account_id, account in books_of(chunk, as_of=period.end).items():
            was = delinquent[account_id]
            refs = {row.fact.ref for row in account.bills if row.pk in was.bill_ids}
            since = period.start + timedelta(days=1)
            paid = sum((amount for _on, amount in account.paid_towards(bill_refs=refs, since=since)), NOTHING)
            now = position_from(account)
            collected.amount += paid
            collected.cured += paid >= was.amount and now.overdue + now.overdue_disputed == 0
    return collected


def _sales(bills: models.QuerySet[Bill]) -> Decimal:
    return _sum(bills.aggregate(total=Sum("amount")))


def _months_of_sales(as_of: date, currency: str | None) -> list[MonthOfSales]:
    """Calendar months, latest first, beginning with the part of the present one that has passed."""
    months, last_day = [], as_of
    for _ in range(formulas.COUNTBACK_MONTHS):
        months.append((last_day.replace(day=1), last_day.day))
        last_day = last_day.replace(day=1) - timedelta(days=1)
    bills = bills_in_force(Period(as_of, (as_of - last_day).days), currency)
    by_month = bills.annotate(month=TruncMonth("issued_on")).values("month").annotate(total=Sum("amount"))
    sales = dict(by_month.order_by("month").values_list("month", "total"))
    return [MonthOfSales(sales.get(first_day, NOTHING), days) for first_day, days in months]


def _written_off(period: Period, currency: str | None) -> Decimal:
    written_off = Adjustment.objects.filter(period.covers("on"), in_currency(currency), kind=Adjustment.Kind.WRITE_OFF)
    return -_sum(written_off.aggregate(total=Sum("amount")))


def _received(period: Period, currency: str | None) -> Decimal:
    payments = Payment.objects.filter(period.covers("received_on"), in_currency(currency))
    return _sum(payments.aggregate(total=Sum(NET_RECEIVED)))


@dataclass(frozen=True)
class _Calls:
    connected: int
    right_party: int


def _calls(period: Period, currency: str | None) -> _Calls:
    calls = Interaction.objects.filter(period.covers_moment("at"), in_currency(currency), kind=Interaction.Kind.CALL)
    answered = Disposition.objects.filter(connected=True).values("code")
    counts = calls.aggregate(
        connected=Count("pk", filter=Q(right_party=True) | Q(disposition__in=answered)),
        right_party=Count("pk", filter=Q(right_party=True)),
    )
    return _Calls(**counts)


def _promises_won(period: Period, currency: str | None) -> int:
    """Promises made to people or taken over from other systems, one an account and day."""
    made = Promise.objects.filter(period.covers("made_on"), in_currency(currency)).exclude(
        taken_by__startswith="customer:"
    )
    return made.values("account", "made_on").distinct().count()


def _promises_kept(period: Period, currency: str | None) -> tuple[int, int]:
    """Kept, and fell due. Promises that nobody has judged by the end of the period are judged by what was paid."""
    end = period.end
    fell_due = Promise.objects.filter(period.covers("due_on"), in_currency(currency)).exclude(
        Q(status=Promise.Status.CANCELLED) & (Q(settled_on__isnull=True) | Q(settled_on__lte=F("due_on")))
    )
    judged = Q(settled_on__lte=end) & ~Q(status=Promise.Status.OPEN)
    counts = fell_due.aggregate(
        judged=Count("pk", filter=judged), kept=Count("pk", filter=judged & Q(status=Promise.Status.KEPT))
    )
    kept, judged_count = counts["kept"], counts["judged"]
    grace = timedelta(days=settings.PROMISE_GRACE_DAYS)
    waiting = iter(fell_due.exclude(judged).order_by("account_id").iterator(chunk_size=CHUNK))
    while chunk := list(islice(waiting, CHUNK)):
        books = books_of([promise.account_id for promise in chunk], as_of=end)
        for promise in chunk:
            payments = books[promise.account_id].paid_towards(bill_refs=promise.bill_refs, since=promise.made_on)
            last_day = promise.due_on + grace
            paid = sum((amount for on, amount in payments if on <= last_day), NOTHING) - promise.paid_before
            kept += paid >= promise.amount
            judged_count += paid >= promise.amount or last_day < end
    return kept, judged_count


def _instalments_kept(period: Period, currency: str | None) -> tuple[int, int]:
    """Kept, and fell due, of plans that were agreed and not cancelled."""
    fell_due = Instalment.objects.filter(period.covers("due_on"), in_currency(currency)).exclude(
        plan__status__in=[Plan.Status.CANCELLED, Plan.Status.PENDING_APPROVAL]
    )
    grace = timedelta(days=settings.INSTALMENT_GRACE_DAYS)
    kept = Q(paid_on__lte=F("due_on") + Value(grace)) & Q(paid_on__lte=period.end)
    over = Q(due_on__lt=period.end - grace)
    counts = fell_due.aggregate(kept=Count("pk", filter=kept), judged=Count("pk", filter=kept | over))
    return counts["kept"], counts["judged"]


def _churn(period: Period, currency: str | None) -> tuple[int, int]:
    """Accounts that closed, and accounts whose case ended, in the period that lies ``CHURN_DAYS`` back."""
    cases = Case.objects.filter(period.earlier(CHURN_DAYS).covers("closed_on"), in_currency(currency))
    within = Q(account__closed_on__gte=F("closed_on")) & Q(
        account__closed_on__lte=F("closed_on") + Value(timedelta(days=CHURN_DAYS))
    )
    counts = cases.aggregate(left=Count("account", distinct=True), ended=Count("account", distinct=True, filter=within))
    return counts["ended"], counts["left"]


def _currency_of_the_book(wanted: str | None) -> str | None:
    """The currency asked for, else the only one there is; None in an empty book."""
    if wanted is not None:
        try:
            money.exponent(wanted)
        except money.UnknownCurrency as unknown:
            raise CannotCompute(f"{unknown}.") from unknown
        return wanted
    found = list(Account.objects.order_by("currency").values_list("currency", flat=True).distinct())
    if len(found) > 1:
        raise CannotCompute(f"The book has several currencies ({', '.join(found)}): name one with --currency.")
    return found[0] if found else None


def _sum(row: dict[str, Any]) -> Decimal:
    return row["total"] or NOTHING


def _plain(amount: Decimal, currency: str | None) -> str:
    return money.plain(amount, currency) if currency else str(amount)


def _as_json(figure: Figure | dict[str, Figure], currency: str | None) -> dict[str, Any]:
    """A figure's four parts; for a family of figures, each part by member (they share one formula)."""
    if isinstance(figure, dict):
        members = {name: _as_json(member, currency) for name, member in figure.items()}
        return {part: {name: member[part] for name, member in members.items()} for part in _PARTS}
    return {
        "value": None if figure.value is None else f"{figure.value:.4f}",
        "numerator": _part(figure.numerator, figure, currency),
        "denominator": _part(figure.denominator, figure, currency),
        "formula": figure.formula,
    }


_PARTS = ("value", "numerator", "denominator", "formula")


def _part(number: Decimal | None, figure: Figure, currency: str | None) -> str | None:
    if number is None:
        return None
    return _plain(number, currency) if figure.in_money else str(number)
