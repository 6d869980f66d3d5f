"""The account resource: what GET /api/v1/accounts/{id}/ answers and what ``replay`` compares day by day.

Read in bulk: the same number of queries for one account and for ten thousand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from accounts import holds
from accounts.models import Account, Hold, Service
from accounts.money import plain
from accounts.position import bucket_of
from agents.models import WorkItem
from dunning import cases
from dunning.cases import Outlook
from dunning.gate.decision import Decision

#: A dispute that came by file names no amount: everything the account owes is contested.
_ALL_THERE_IS = Decimal(999_999_999_999)


def account_resources(
    account_ids: Collection[int], *, as_of: date, at: datetime | None = None
) -> dict[str, dict[str, Any]]:
    """Each account's resource by the operator's own id. ``as_of`` is the business date, at which stored amounts hold.

    With ``at``, a claim whose lease has run out by that moment is shown as free.
    """
    accounts = Account.objects.filter(pk__in=list(account_ids)).select_related("customer").order_by("pk")
    outlooks = cases.outlooks(account_ids, as_of=as_of)
    held = _holds(account_ids, as_of)
    services = _services(account_ids)
    items = _items(account_ids)
    return {
        account.ref: _resource(
            account,
            outlooks.get(account.pk, Outlook()),
            held[account.pk],
            services[account.pk],
            items.get(account.pk),
            as_of=as_of,
            at=at,
        )
        for account in accounts
    }


def moment(at: datetime) -> str:
    """A moment as every interface writes it: UTC, with Z, whole seconds unless there are fractions."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def hold_resource(hold: Hold, *, currency: str) -> dict[str, Any]:
    """A hold as the interfaces show it; the amount is null where the hold covers whatever is owed."""
    return {
        "hold_id": hold.ref,
        "reason": hold.reason,
        "starts_on": hold.starts_on.isoformat(),
        "ends_on": hold.ends_on.isoformat() if hold.ends_on else None,
        "amount": plain(hold.amount, currency) if hold.amount is not None and hold.amount < _ALL_THERE_IS else None,
        "bill_ids": list(hold.bill_refs),
    }


def _resource(
    account: Account,
    outlook: Outlook,
    held: list[Hold],
    services: list[Service],
    item: WorkItem | None,
    *,
    as_of: date,
    at: datetime | None,
) -> dict[str, Any]:
    def money(amount: Decimal) -> str:
        return plain(amount, account.currency)

    days = max((as_of - account.oldest_due_on).days, 0) if account.oldest_due_on else 0
    return {
        "account_id": account.ref,
        "customer_id": account.customer.ref,
        "as_of": as_of.isoformat(),
        "status": account.status,
        "currency": account.currency,
        "balance": money(account.open_amount + account.fees - account.unapplied),
        "overdue": money(account.overdue),
        "disputed": money(account.disputed),
        "unapplied": money(account.unapplied),
        "days_past_due": days,
        "bucket": bucket_of(days),
        "policy": {"code": outlook.policy_code, "version": outlook.policy_version} if outlook.policy_code else None,
        "stage": outlook.stage,
        "next_step": (
            {"code": outlook.next_step_code, "on": outlook.next_step_on.isoformat()}
            if outlook.next_step_code and outlook.next_step_on
            else None
        ),
        "holds": [hold_resource(hold, currency=account.currency) for hold in held],
        "services": [{"service_id": service.ref, "status": service.status} for service in services],
        "work_item": _item(item, at) if item else None,
    }


def _item(item: WorkItem, at: datetime | None) -> dict[str, Any]:
    claimed = item.claimed_by is not None and (at is None or item.lease_until is None or item.lease_until > at)
    agent, lease = (item.claimed_by, item.lease_until) if claimed else (None, None)
    return {
        "item": item.pk,
        "kind": item.kind,
        "status": "claimed" if claimed else "waiting",
        "score": item.score,
        "claimed_by": agent.username if agent else None,
        "lease_until": moment(lease) if lease else None,
    }


def _holds(account_ids: Collection[int], as_of: date) -> dict[int, list[Hold]]:
    found: dict[int, list[Hold]] = defaultdict(list)
    in_force = Hold.objects.filter(holds.covering(as_of), account__in=list(account_ids))
    for hold in in_force.order_by("account_id", "starts_on", "pk"):
        found[hold.account_id].append(hold)
    return found


def _services(account_ids: Collection[int]) -> dict[int, list[Service]]:
    found: dict[int, list[Service]] = defaultdict(list)
    for service in Service.objects.filter(account__in=list(account_ids)).order_by("account_id", "ref"):
        found[service.account_id].append(service)
    return found


def _items(account_ids: Collection[int]) -> dict[int, WorkItem]:
    """The open item that stands for each account in the queue: the oldest, approvals apart."""
    found: dict[int, WorkItem] = {}
    waiting = WorkItem.objects.filter(account__in=list(account_ids), done_at=None).exclude(kind=WorkItem.Kind.APPROVAL)
    for item in waiting.select_related("claimed_by").order_by("account_id", "pk"):
        found.setdefault(item.account_id, item)
    return found


def decision_resource(decision: Decision) -> dict[str, Any]:
    """The contact gate's answer, as the API and ``contact_check --json`` give it."""
    return {
        "outcome": decision.outcome,
        "rule_ids": list(decision.rule_ids),
        "reasons": list(decision.reasons),
        "next_allowed_at": moment(decision.next_allowed_at) if decision.next_allowed_at else None,
        "requires": list(decision.requires),
        "override": decision.override,
        "pack_versions": list(decision.pack_versions),
    }
