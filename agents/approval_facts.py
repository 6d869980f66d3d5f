"""What somebody has to know of an account before they let anything of it go: a fixed number of queries for any number.

How old the debt is, who the customer is and how they paid, what was agreed before and what became of it, whether they
need support (what kind, only for who may see that), and what the rule packs said of what is asked for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import wishes
from accounts.models import Account, Bill, Payment, Vulnerability
from accounts.position import BUCKETS, bucket_of
from agents.models import Extension, Plan, Promise, Settlement
from agents.templatetags.desk import day, money
from agents.words import said, within
from dunning.models import GateDecision

#: How they paid, and how often they were given time, is looked at over a year.
YEAR = timedelta(days=365)

#: What the rule packs are asked about each kind.
ACTIONS = {"plan": "make_plan", "extension": "defer", "settlement": "settle", "write_off": "write_off"}


class Fact(NamedTuple):
    """One thing to know, in words of the page's language."""

    name: str
    value: str


def of_accounts(accounts: Iterable[Account], *, as_of: date, sees_support: bool) -> dict[int, list[Fact]]:
    """The facts of each account, by its key; the accounts come with their customers. Seven queries."""
    rows = {account.pk: account for account in accounts}
    ageing, paid = _ageing(rows.keys(), as_of), _paid(rows.keys(), as_of)
    plans = _by_status(Plan.objects.filter(account__in=rows).exclude(status=Plan.Status.PENDING_APPROVAL))
    promises = _by_status(Promise.objects.filter(account__in=rows))
    settlements = _by_status(
        Settlement.objects.filter(account__in=rows).exclude(status=Settlement.Status.PENDING_APPROVAL)
    )
    given = Extension.objects.filter(account__in=rows, made_on__gt=as_of - YEAR)
    given = given.exclude(status__in=[Extension.Status.PENDING_APPROVAL, Extension.Status.CANCELLED])
    extensions = dict(given.order_by().values_list("account").annotate(n=Count("pk")))
    needs = _needs({account.customer_id for account in rows.values()}, as_of=as_of)
    found = {}
    for pk, account in rows.items():
        facts = [
            Fact(_("Customer"), _standing(account, as_of)),
            Fact(_("Owes"), _owes(account, as_of)),
            Fact(_("Age of the debt"), _in_buckets(ageing.get(pk, {}), account.currency)),
            Fact(_("Paid in a year"), _payments(paid.get(pk), account.currency)),
            Fact(_("Plans before"), _counted(plans.get(pk), dict(Plan.Status.choices))),
            Fact(_("Promises before"), _counted(promises.get(pk), dict(Promise.Status.choices))),
            Fact(_("Settlements before"), _counted(settlements.get(pk), dict(Settlement.Status.choices))),
            Fact(_("Time to pay in a year"), str(extensions.get(pk, 0) or _("none"))),
        ]
        if here := needs.get(account.customer_id):
            facts.insert(1, Fact(_("Support"), _support(here, sees_support=sees_support)))
        found[pk] = facts
    return found


def said_by_rules(wanted: Mapping[int, set[str]]) -> dict[tuple[int, str], str]:
    """What the rule packs said last of those actions on those accounts, in words: one query."""
    actions = {action for asked in wanted.values() for action in asked}
    rows = (
        GateDecision.objects.filter(account__in=wanted, action__in=actions)
        .order_by("account_id", "action", "-id")
        .distinct("account_id", "action")
        .values_list("account_id", "action", "reasons", "rule_ids")
    )
    return {
        (account_id, action): _rules_said(reasons, rule_ids)
        for account_id, action, reasons, rule_ids in rows
        if action in wanted.get(account_id, ())
    }


def _rules_said(reasons: Sequence[str], rule_ids: Sequence[str]) -> str:
    if not reasons:
        return _("Nothing against it.")
    return f"{' '.join(reasons)} ({', '.join(rule_ids)})" if rule_ids else " ".join(reasons)


def _ageing(accounts: Iterable[int], as_of: date) -> dict[int, dict[str, Decimal]]:
    """What is open in each bucket, disputed amounts included."""
    open_bills = Bill.objects.filter(account__in=list(accounts), open_amount__gt=0)
    found: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for account_id, due_on, amount in open_bills.values_list("account_id", "due_on", "open_amount"):
        found[account_id][bucket_of((as_of - due_on).days)] += amount
    return found


def _in_buckets(amounts: Mapping[str, Decimal], currency: str) -> str:
    parts = [
        f"{said(bucket) if bucket == BUCKETS[0] else bucket}: {money(amounts[bucket], currency)}"
        for bucket in BUCKETS
        if amounts.get(bucket)
    ]
    return " · ".join(parts) or _("nothing open")


def _paid(accounts: Iterable[int], as_of: date) -> dict[int, tuple[int, Decimal, int]]:
    """Payments of a year, what they come to less what went back, and how many went back."""
    rows = Payment.objects.filter(account__in=list(accounts), received_on__gt=as_of - YEAR, received_on__lte=as_of)
    came, went = Q(reverses=None), ~Q(reverses=None)
    summed = (
        rows.order_by()
        .values_list("account_id")
        .annotate(
            n=Count("pk", filter=came),
            received=Coalesce(Sum("amount", filter=came), Decimal(0)),
            back=Count("pk", filter=went),
            returned=Coalesce(Sum("amount", filter=went), Decimal(0)),
        )
    )
    return {account_id: (n, received - returned, back) for account_id, n, received, back, returned in summed}


def _payments(paid: tuple[int, Decimal, int] | None, currency: str) -> str:
    if paid is None:
        return _("nothing")
    count, amount, back = paid
    told = ngettext("%(amount)s in %(count)s payment", "%(amount)s in %(count)s payments", count) % {
        "amount": money(amount, currency),
        "count": count,
    }
    went_back = _("%(count)s went back") % {"count": back}
    return f"{told} · {went_back}" if back else told


def _by_status(rows: object) -> dict[int, Counter[str]]:
    found: dict[int, Counter[str]] = defaultdict(Counter)
    counted = rows.order_by().values_list("account_id", "status").annotate(n=Count("pk"))  # type: ignore[attr-defined]
    for account_id, status, n in counted:
        found[account_id][status] = n
    return found


def _counted(counts: Counter[str] | None, words: Mapping[str, str]) -> str:
    if not counts:
        return _("none")
    return ", ".join(f"{counts[status]} {within(label)}" for status, label in words.items() if counts[status])


def _standing(account: Account, as_of: date) -> str:
    parts = [said(account.get_status_display())]
    if account.opened_on is not None:
        years = (as_of - account.opened_on).days // 365
        parts.append(
            ngettext("with us for %(count)s year", "with us for %(count)s years", years) % {"count": years}
            if years
            else _("with us since %(day)s") % {"day": day(account.opened_on)}
        )
    return " · ".join(filter(None, [*parts, within(account.segment), account.product]))


def _owes(account: Account, as_of: date) -> str:
    currency = account.currency
    parts = [money(account.open_amount + account.fees, currency)]
    if account.oldest_due_on is not None:
        days = max((as_of - account.oldest_due_on).days, 0)
        told = ngettext("%(amount)s past due, for %(count)s day", "%(amount)s past due, for %(count)s days", days)
        parts.append(told % {"amount": money(account.overdue, currency), "count": days})
    if account.disputed:
        parts.append(_("%(amount)s disputed") % {"amount": money(account.disputed, currency)})
    return " · ".join(parts)


def _needs(customers: set[int], *, as_of: date) -> dict[int, list[Vulnerability]]:
    rows = Vulnerability.objects.filter(customer__in=customers, ended_on=None, noted_on__lte=as_of)
    found: dict[int, list[Vulnerability]] = defaultdict(list)
    for row in rows.order_by("-noted_on", "-pk"):
        found[row.customer_id].append(row)
    return found


def _support(rows: Sequence[Vulnerability], *, sees_support: bool) -> str:
    """What kind of support, for who may see it; for the others, that some is needed."""
    if not sees_support:
        return wishes.CATEGORIES[wishes.SUPPORT]
    told = []
    for row in rows:
        needs = ", ".join(wishes.NEEDS.get(code, code.replace("_", " ")) for code in row.needs)
        words = wishes.CATEGORIES.get(row.category) or row.category.replace("_", " ").capitalize()
        told.append(f"{words} ({needs})" if needs else words)
    return " · ".join(told)
