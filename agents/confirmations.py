"""What was agreed, confirmed to the customer: what each agreement has to say, and whether it still stands.

The acts call ``of_promise`` and its like in their own transaction; a minute later, when the message leaves,
``standing`` says what the row says by then. An agreement that came in a file was confirmed by whoever made it: nothing
is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import Model, QuerySet

from accounts.models.fields import DESK_PREFIX
from agents.models import Complaint, Dispute, Extension, Plan, Promise, Settlement
from dunning import confirming
from dunning.confirming import Standing
from dunning.models import Notice


def of_promise(promise: Promise, *, actor: str, as_of: date, at: datetime) -> Notice | None:
    """That they will pay an amount by a day."""
    return _confirm(promise, "promise-confirmation", f"promise.{promise.ref}", actor=actor, as_of=as_of, at=at)


def of_plan(plan: Plan, *, actor: str, as_of: date, at: datetime) -> Notice | None:
    """The instalments and their days; not before the plan is agreed for good."""
    if plan.status != Plan.Status.ACTIVE:
        return None
    return _confirm(plan, "plan-confirmation", f"plan.{plan.ref}", actor=actor, as_of=as_of, at=at)


def of_plan_broken(plan: Plan, *, actor: str, as_of: date, at: datetime) -> Notice | None:
    """That the plan is over, and that another one can be spoken about."""
    return _confirm(plan, "plan-broken", f"plan.{plan.ref}.broken", actor=actor, as_of=as_of, at=at)


def of_extension(extension: Extension, *, actor: str, as_of: date, at: datetime) -> Notice | None:
    """Until when nothing is asked for; not before somebody has approved it."""
    if extension.status != Extension.Status.ACTIVE:
        return None
    key = f"extension.{extension.ref}"
    return _confirm(extension, "extension-confirmation", key, actor=actor, as_of=as_of, at=at)


def of_settlement(settlement: Settlement, *, actor: str, as_of: date, at: datetime) -> Notice | None:
    """The written terms: what is taken for all of it, and by when; not before everybody has agreed."""
    if settlement.status != Settlement.Status.OPEN:
        return None
    key = f"settlement.{settlement.ref}"
    return _confirm(settlement, "settlement-offer", key, actor=actor, as_of=as_of, at=at)


def of_settlement_paid(settlement: Settlement, *, actor: str, as_of: date, at: datetime) -> Notice | None:
    """That it was paid in time, and nothing is left of it."""
    key = f"settlement.{settlement.ref}.paid"
    return _confirm(settlement, "settlement-paid", key, actor=actor, as_of=as_of, at=at)


def of_dispute(dispute: Dispute, about: str, *, actor: str, as_of: date, at: datetime) -> Notice | None:
    """That it was ``received``, or how it ended: ``upheld`` or ``rejected``."""
    key = f"dispute.{dispute.ref}.{about}"
    return _confirm(dispute, f"dispute-{about}", key, actor=actor, as_of=as_of, at=at)


def of_complaint(complaint: Complaint, about: str, *, actor: str, as_of: date, at: datetime) -> Notice | None:
    """That it was ``received``, or what our answer is: ``answered``."""
    key = f"complaint.{complaint.ref}.{about}"
    return _confirm(complaint, f"complaint-{about}", key, actor=actor, as_of=as_of, at=at)


def take_back(what: str, ref: str, *, reason: str, at: datetime, actor: str = confirming.ACTOR) -> int:
    """What has not left of the confirmations of a ``promise``, ``plan``, ``extension``, … does not leave; how many."""
    return confirming.withdraw(key_prefix=f"confirm.{what}.{ref}", reason=reason, at=at, actor=actor)


def _confirm(row: Any, template: str, key: str, *, actor: str, as_of: date, at: datetime) -> Notice | None:
    # A dispute of a file is decided here all the same, and the customer hears of it.
    if not row.ref.startswith(DESK_PREFIX) and not isinstance(row, Dispute):
        return None
    return confirming.confirm(
        account_id=row.account_id,
        template=template,
        wording=_KINDS[template].wording(row),
        key=f"confirm.{key}",
        actor=actor,
        as_of=as_of,
        at=at,
    )


# As it stands --------------------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """What a text confirms: rows of which model, what they say, and in which states there is something to say."""

    model: type[Model]
    wording: Callable[[Any], dict[str, Any]]
    stands: Callable[[Any], bool]


def standing(asked: Collection[tuple[str, str]]) -> Mapping[str, Standing]:
    """How the agreements behind those keys and texts stand. One query a kind of agreement, two where it has parts."""
    found: dict[str, Standing] = {}
    wanted: dict[type[Model], list[tuple[str, str]]] = {}
    for key, template in asked:
        if template in _KINDS:
            wanted.setdefault(_KINDS[template].model, []).append((key, template))
    for model, pairs in wanted.items():
        refs = {ref for key, template in pairs for ref in _refs(key, template)}
        query: QuerySet[Any] = model._default_manager.filter(ref__in=refs)
        rows = {row.ref: row for row in (query.prefetch_related("instalments") if model is Plan else query)}
        for key, template in pairs:
            row = next((rows[ref] for ref in _refs(key, template) if ref in rows), None)
            if row is None:
                continue
            kind, noun = _KINDS[template], model._meta.verbose_name
            if kind.stands(row):
                found[key] = Standing(kind.wording(row))
            else:
                found[key] = Standing(over=f"the {noun} is {_state(row)} by now")
    return found


def _refs(key: str, template: str) -> list[str]:
    """The id in a key: all of what follows its kind, or that without its last word."""
    ref = key.split(".", 2)[-1]
    return [ref, ref.rpartition(".")[0]]


def _state(row: Any) -> str:
    decided = isinstance(row, (Dispute, Complaint))
    said = row.get_outcome_display() or "open" if decided else row.get_status_display()
    return str(said).lower()


def _promise(promise: Promise) -> dict[str, Any]:
    return {"promised_amount": promise.amount, "promised_on": promise.due_on}


def _plan(plan: Plan) -> dict[str, Any]:
    return {"instalments": sorted(plan.instalments.all(), key=lambda part: part.position)}


def _extension(extension: Extension) -> dict[str, Any]:
    return {"extended_until": extension.until}


def _settlement(settlement: Settlement) -> dict[str, Any]:
    return {
        "settled_amount": settlement.amount,
        "settled_balance": settlement.balance,
        "settled_by": settlement.pay_by,
    }


def _dispute(dispute: Dispute) -> dict[str, Any]:
    return {
        "disputed_amount": dispute.amount,
        "disputed_bill": dispute.bill_ref or None,
        "credited_amount": dispute.credited,
        "disputed_rest": dispute.amount - dispute.credited if dispute.credited else None,
        "answer_by": dispute.decide_by,
        "outcome_words": dispute.told or None,
    }


def _complaint(complaint: Complaint) -> dict[str, Any]:
    return {
        "answer_by": complaint.answer_by,
        "outcome_words": complaint.answer or None,
        "credited_amount": complaint.redress or None,
    }


_KINDS = {
    "promise-confirmation": _Kind(Promise, _promise, lambda row: row.status == Promise.Status.OPEN),
    "plan-confirmation": _Kind(Plan, _plan, lambda row: row.status == Plan.Status.ACTIVE),
    "plan-broken": _Kind(Plan, _plan, lambda row: row.status == Plan.Status.BROKEN),
    "extension-confirmation": _Kind(Extension, _extension, lambda row: row.status == Extension.Status.ACTIVE),
    "settlement-offer": _Kind(Settlement, _settlement, lambda row: row.status == Settlement.Status.OPEN),
    "settlement-paid": _Kind(Settlement, _settlement, lambda row: row.status == Settlement.Status.KEPT),
    "dispute-received": _Kind(Dispute, _dispute, lambda row: not row.outcome),
    "dispute-upheld": _Kind(Dispute, _dispute, lambda row: row.outcome == Dispute.Outcome.UPHELD),
    "dispute-rejected": _Kind(Dispute, _dispute, lambda row: row.outcome == Dispute.Outcome.REJECTED),
    "complaint-received": _Kind(Complaint, _complaint, lambda row: not row.outcome),
    "complaint-answered": _Kind(
        Complaint, _complaint, lambda row: row.outcome not in ("", Complaint.Outcome.WITHDRAWN)
    ),
}
