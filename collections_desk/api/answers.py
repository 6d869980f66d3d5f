"""Rows as the API shows them: amounts as text with the currency's decimals, moments in UTC, the operator's own ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from accounts.models import AccountEvent, Hold
from accounts.money import plain, total
from agents.models import Complaint, Dispute, DisputeEvidence, Instalment, Interaction, Note, Plan, Promise, WorkItem
from agents.plans import Quote
from collections_desk.resource import hold_resource, moment


def day(value: date | None) -> str | None:
    return value.isoformat() if value else None


def promise_answer(promise: Promise, *, account: str, currency: str) -> dict[str, Any]:
    return {
        "promise_id": promise.ref,
        "account_id": account,
        "status": promise.status,
        "amount": plain(promise.amount, currency),
        "paid": plain(Decimal(promise.paid), currency),  # a new row's default is not read back
        "made_on": day(promise.made_on),
        "due_on": day(promise.due_on),
        "bill_ids": list(promise.bill_refs),
        "settled_on": day(promise.settled_on),
        "note": promise.note,
    }


def plan_answer(plan: Plan, parts: Sequence[Instalment], *, account: str, currency: str) -> dict[str, Any]:
    return {
        "plan_id": plan.ref,
        "account_id": account,
        "status": plan.status,
        "made_on": day(plan.made_on),
        "bill_ids": list(plan.bill_refs),
        "total": plain(total([part.amount for part in parts]), currency),
        "instalments": [
            {
                "due_on": day(part.due_on),
                "amount": plain(part.amount, currency),
                "paid": plain(part.paid, currency),
                "paid_on": day(part.paid_on),
            }
            for part in parts
        ],
        "settled_on": day(plan.settled_on),
        "note": plan.note,
    }


def quote_answer(quote: Quote, *, currency: str) -> dict[str, Any]:
    return {
        "instalments": [
            {"due_on": day(part.due_on), "amount": plain(part.amount, currency)} for part in quote.instalments
        ],
        "total": plain(quote.total, currency),
        "within_authority": quote.within_authority,
        "reasons": [*quote.refusals, *quote.reasons],
    }


def dispute_answer(dispute: Dispute, *, account: str, currency: str) -> dict[str, Any]:
    return {
        "dispute_id": dispute.ref,
        "account_id": account,
        "status": "resolved" if dispute.resolved_on else "open",
        "bill_id": dispute.bill_ref or None,
        "amount": plain(dispute.amount, currency),
        "reason": dispute.reason,
        "opened_on": day(dispute.opened_on),
        "resolved_on": day(dispute.resolved_on),
        "outcome": dispute.outcome or None,
        "credited": None if dispute.outcome != Dispute.Outcome.UPHELD else plain(_credited(dispute), currency),
        "note": dispute.note,
        "stage": dispute.stage,
        "assigned_to": dispute.assigned_to.username if dispute.assigned_to else None,
        "acknowledge_by": day(dispute.acknowledge_by),
        "acknowledged_on": day(dispute.acknowledged_on),
        "decide_by": day(dispute.decide_by),
    }


def complaint_answer(complaint: Complaint, *, account: str, currency: str) -> dict[str, Any]:
    return {
        "complaint_id": complaint.ref,
        "account_id": account,
        "state": complaint.state,
        "category": complaint.category,
        "channel": complaint.channel,
        "text": complaint.text,
        "about": complaint.about.username if complaint.about else None,
        "received_on": day(complaint.received_on),
        "acknowledge_by": day(complaint.acknowledge_by),
        "acknowledged_on": day(complaint.acknowledged_on),
        "answer_by": day(complaint.answer_by),
        "closed_on": day(complaint.closed_on),
        "outcome": complaint.outcome or None,
        "answer": complaint.answer,
        "cause": complaint.cause,
        "redress": plain(complaint.redress, currency) if complaint.redress else None,
        "repeats": complaint.repeats.ref if complaint.repeats else None,
        "assigned_to": complaint.assigned_to.username if complaint.assigned_to else None,
    }


def _credited(dispute: Dispute) -> Decimal:
    """All of it, unless somebody said less."""
    credited: Decimal = dispute.amount if dispute.credited is None else dispute.credited
    return credited


def evidence_answer(file: DisputeEvidence) -> dict[str, Any]:
    return {
        "evidence_id": file.pk,
        "name": file.name,
        "content_type": file.content_type,
        "size": file.size,
        "sha256": file.sha256,
        "added_at": moment(file.added_at),
    }


def hold_answer(hold: Hold, *, account: str, currency: str) -> dict[str, Any]:
    return {
        **hold_resource(hold, currency=currency),
        "account_id": account,
        "note": hold.note,
        "stops": list(hold.stops),
        "stops_clock": hold.stops_clock,
        "lifted_on": day(hold.lifted_on),
    }


def call_answer(call: Interaction, promise: Promise | None, *, account: str, currency: str) -> dict[str, Any]:
    return {
        "call_id": call.ref,
        "account_id": account,
        "direction": call.direction,
        "disposition": call.disposition,
        "right_party": call.right_party,
        "number": call.number,
        "started_at": moment(call.at),
        "duration_seconds": call.duration_seconds,
        "note": call.note,
        "callback_at": moment(call.callback_at) if call.callback_at else None,
        "nonpayment_reason": call.nonpayment_reason,
        "said": list(call.said),
        "promise": promise_answer(promise, account=account, currency=currency) if promise else None,
    }


def note_answer(note: Note, *, account: str) -> dict[str, Any]:
    return {"note_id": note.pk, "account_id": account, "text": note.text, "at": moment(note.at), "by": note.by}


def item_answer(item: WorkItem, *, account: str) -> dict[str, Any]:
    return {
        "item": item.pk,
        "account_id": account,
        "kind": item.kind,
        "reason": item.reason,
        "lease_until": moment(item.lease_until) if item.lease_until else None,
        "score": item.score,
        "reasons": item.score_parts,
        "draft": item.draft,
    }


def event_answers(events: Iterable[AccountEvent]) -> list[dict[str, Any]]:
    """Events with their accounts' own ids; the accounts were fetched with them."""
    return [
        {
            "event_id": event.pk,
            "account_id": event.account.ref if event.account else None,
            "kind": event.kind,
            "actor": event.actor,
            "at": moment(event.at),
            "on": day(event.on),
            "reason": event.reason,
            "policy": event.policy,
            "payload": event.payload,
        }
        for event in events
    ]
