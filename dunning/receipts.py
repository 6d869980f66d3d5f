"""What providers and the network tell afterwards: delivered, bounced, confirmed. Told twice, nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction

from accounts import events
from dunning import cases, kinds, leaving_notices, leaving_orders
from dunning.gateways.receipts import Receipt
from dunning.models import Notice, ServiceOrder


def take(receipts: Sequence[Receipt], *, as_of: date, at: datetime) -> int:
    """Note the receipts of messages; how many told something new. One for an unknown message is passed over."""
    news = 0
    for receipt in receipts:
        with transaction.atomic():
            notice = _find(receipt)
            if notice is not None:
                news += _note(notice, receipt, as_of=as_of, at=at)
    return news


def _find(receipt: Receipt) -> Notice | None:
    rows = Notice.objects.select_for_update(of=("self",)).select_related("customer")
    if receipt.key:
        return rows.filter(key=receipt.key).first()
    return rows.filter(provider_ref=receipt.provider_ref).first()


def _note(notice: Notice, receipt: Receipt, *, as_of: date, at: datetime) -> bool:
    if receipt.state == "delivered":
        if notice.state not in ("sent", "doubtful", "handing_over"):
            return False
        notice.state, notice.delivered_at, notice.counts_from = "delivered", receipt.at, receipt.at
        kind = kinds.NOTICE_DELIVERED
    else:
        if notice.state not in ("sent", "delivered", "doubtful", "handing_over"):
            return False
        # Nobody there, or not this time: only the first speaks against the address.
        notice.state = "bounced" if receipt.state == "bounced" else "failed"
        notice.counts_from = notice.delivered_at = None
        notice.reason = (receipt.detail or receipt.state)[:200]
        leaving_notices.go_on(notice, notice.reason, at=at)
        kind = kinds.NOTICE_FAILED
    notice.save(update_fields=["state", "delivered_at", "counts_from", "reason"])
    events.record(
        account_id=notice.account_id,
        kind=kind,
        actor="provider",
        at=at,
        on=as_of,
        reason=notice.reason if kind == kinds.NOTICE_FAILED else "",
        payload={"key": notice.key, "step": notice.step_code, "channel": notice.channel},
        react=True,
    )
    return True


def confirm_order(*, key: str, confirmed: bool, detail: str, as_of: date, at: datetime) -> bool:
    """The network's later word on an order it had accepted; whether it told something new."""
    with transaction.atomic():
        found = ServiceOrder.objects.filter(key=key).values_list("account_id", flat=True).first()
        if found is None:
            return False
        cases.lock([found])
        order = ServiceOrder.objects.select_for_update(of=("self",)).select_related("service").get(key=key)
        # One that waits to be asked again was asked before: this may be the answer to that.
        asked = order.state in ("sent", "handing_over") or (order.state == "pending" and order.sent_at is not None)
        if not asked:
            return False
        order.state = "confirmed" if confirmed else "failed"
        order.reason = order.reason if confirmed else detail[:200]
        order.confirmed_at = at if confirmed else None
        order.send_at = None
        order.save(update_fields=["state", "reason", "confirmed_at", "send_at"])
        if confirmed:
            leaving_orders.settle_services([order], as_of=as_of, at=at)
        events.record(
            account_id=order.account_id,
            kind=kinds.ORDER_CONFIRMED if confirmed else kinds.ORDER_FAILED,
            actor="network",
            at=at,
            on=as_of,
            reason=detail,
            payload={"key": order.key, "service": order.service.ref, "rung": order.rung},
            react=not confirmed,
        )
    return True
