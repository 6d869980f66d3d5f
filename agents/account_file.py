"""Everything about one account in one file, for a regulator or a court: who, what was owed and paid, what was said and
done and refused by which rule, what was agreed, and the trail with the seals and the head that cover it.

As JSON it has every column that says something; as PDF the same to read (``agents.account_print``). Taking it out is a
read of personal data, and the event that tells of it is in the file itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import QuerySet
from django.utils.translation import override

from accounts import audit, audit_heads, events
from accounts.business_day import business_date
from accounts.models import Account, AccountEvent, JournalEntry, Seal, SealedHead
from accounts.money import plain
from agents import account_print, audit_words
from agents.event_words import title_of
from agents.models import Complaint, DisputeEvidence, Instalment, Survey
from dunning.models import BillStep, CaseStep, Commission, InboundMessage

FORMAT = "Collections Desk: file of an account, version 1"

#: Columns that keep the machinery going and say nothing of what happened.
_SILENT = frozenset(
    {
        "id", "account", "customer", "posted_amount", "lease_until", "attempts", "send_at", "draft", "score_parts",
        "also_about", "left_at_exit", "next_on", "paid_before", "content", "facts_digest", "address_digest",
    }
)  # fmt: skip
#: How a row of another table is named, the first of these that it has.
_NAMED_BY = ("ref", "username", "key", "code")

File = dict[str, Any]


def take_out(account: Account, *, by: str, at: datetime, form: str, with_support: bool) -> File:
    """The file, with a fresh head over all that it tells; who took it out is an event, and in it.

    ``form`` is ``pdf`` or ``json``; ``with_support`` says whether the circumstances of vulnerable customers are in it.
    """
    events.record(
        account_id=account.pk,
        kind=events.PERSONAL_DATA_READ,
        actor=by,
        at=at,
        on=business_date(at=at),
        reason="the account's file was taken out",
        payload={"file": "account", "format": form, "support": with_support},
    )
    audit_heads.give_out(by=by, at=at)
    return of(account, at=at, with_support=with_support)


def pdf(file: File) -> bytes:
    """The file on paper: PDF/A, tagged, its pages numbered."""
    return account_print.typeset(file)


def as_json(file: File) -> bytes:
    """The file as it is handed over: UTF-8, a line for each fact."""
    return json.dumps(file, ensure_ascii=False, indent=1).encode() + b"\n"


def of(account: Account, *, at: datetime, with_support: bool = True) -> File:
    """The file as it is known at this moment, ready for JSON; some forty queries, whatever is in it.

    Without ``with_support`` what is known of a vulnerable customer's circumstances is left out, and it says so.
    """
    customer = account.customer
    trail = _trail(account)
    return {
        "format": FORMAT,
        "account_id": account.ref,
        "made_at": _value(at),
        "operator": settings.DESK_OPERATOR["name"],
        "left_out": [] if with_support else ["vulnerabilities: for those who may see them"],
        "account": _row(account, account.currency)
        | {"parent": account.parent.ref if account.parent else None}
        | {"children": list(account.children.order_by("ref").values_list("ref", flat=True))},
        "customer": _row(customer, account.currency),
        "contact_points": _rows(customer.contact_points.order_by("pk"), account),
        "representatives": _rows(customer.representatives.order_by("since", "pk"), account),
        "consents": _rows(customer.consents.order_by("at", "pk"), account),
        "preferences": _rows(customer.preferences.order_by("starts_at", "pk"), account),
        "vulnerabilities": _rows(customer.vulnerabilities.order_by("noted_on", "pk"), account) if with_support else [],
        "services": _rows(account.services.order_by("ref"), account),
        "bills": _rows(account.bills.order_by("issued_on", "pk"), account),
        "payments": _rows(account.payments.order_by("received_on", "pk"), account),
        "adjustments": _rows(account.adjustments.order_by("on", "pk"), account),
        "fees": _rows(account.desk_fees.order_by("on", "pk"), account),
        "journal": _rows(JournalEntry.objects.filter(account=account).order_by("on", "pk"), account),
        "holds": _rows(account.holds.order_by("starts_on", "pk"), account),
        "cases": _with_parts(
            account.cases.select_related("version__policy").order_by("pk"),
            account,
            steps=(CaseStep.objects.filter(account=account).order_by("case_id", "pk"), "case_id"),
        ),
        "steps_before_due": _rows(
            BillStep.objects.filter(account=account).select_related("version__policy").order_by("pk"), account
        ),
        "notices": _rows(account.notices.order_by("pk"), account),
        "messages_received": _rows(InboundMessage.objects.filter(account=account).order_by("pk"), account),
        "orders": _rows(account.service_orders.order_by("pk"), account),
        "contacts_decided": _rows(account.gate_decisions.order_by("pk"), account),
        "interactions": _rows(account.interactions.order_by("at", "pk"), account),
        "identity_checks": _rows(account.identity_checks.order_by("at", "pk"), account),
        "notes": _rows(account.notes.order_by("at", "pk"), account),
        "promises": _rows(account.promises.order_by("made_on", "pk"), account),
        "plans": _with_parts(
            account.plans.order_by("made_on", "pk"),
            account,
            instalments=(Instalment.objects.filter(account=account).order_by("plan_id", "position"), "plan_id"),
        ),
        "extensions": _rows(account.extensions.order_by("made_on", "pk"), account),
        "settlements": _rows(account.settlements.order_by("made_on", "pk"), account),
        "downgrades": _rows(account.downgrades.order_by("asked_at", "pk"), account),
        "budgets": _rows(account.budgets.order_by("made_on", "pk"), account),
        "disputes": _with_parts(
            account.disputes.order_by("opened_on", "pk"),
            account,
            evidence=(
                DisputeEvidence.objects.filter(dispute__account=account).order_by("dispute_id", "pk"),
                "dispute_id",
            ),
        ),
        "complaints": _rows(Complaint.objects.filter(account=account).order_by("received_on", "pk"), account),
        "surveys": _rows(Survey.objects.filter(account=account).order_by("asked_at", "pk"), account),
        "placements": _rows(account.placements.order_by("placed_on", "pk"), account),
        "commissions": _rows(Commission.objects.filter(placement__account=account).order_by("on", "pk"), account),
        "write_offs": _rows(account.write_offs.select_related("version__policy").order_by("on", "pk"), account),
        "work_items": _rows(account.work_items.order_by("pk"), account),
        **trail,
        "head": _head(trail["seals"]),
        "public_key": audit_heads.public_text(),
    }


def _rows(queryset: QuerySet[Any], account: Account) -> list[dict[str, Any]]:
    """Each row with every column that says something; what it refers to by its name. One query."""
    return [_row(row, account.currency) for row in _joined(queryset)]


def _with_parts(queryset: QuerySet[Any], account: Account, **parts: tuple[QuerySet[Any], str]) -> list[dict[str, Any]]:
    """The same with the rows that belong to each, under their name. A query more for each name."""
    found = {
        name: {
            key: [_row(part, account.currency) for part in group]
            for key, group in groupby(_joined(rows), key=attrgetter(column))
        }
        for name, (rows, column) in parts.items()
    }
    return [
        _row(row, account.currency) | {name: of_rows.get(row.pk, []) for name, of_rows in found.items()}
        for row in _joined(queryset)
    ]


def _joined(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """With what its rows refer to; the contents of files, ours and others', stay where they are."""
    fields = queryset.model._meta.concrete_fields
    referred = {field.name: field.related_model for field in fields if field.is_relation and field.name not in _SILENT}
    contents = [field.name for field in fields if _is_content(field)]
    contents += [
        f"{name}__{field.name}"
        for name, model in referred.items()
        for field in model._meta.concrete_fields
        if _is_content(field)
    ]
    return (queryset.select_related(*referred) if referred else queryset).defer(*contents)


def _is_content(field: models.Field[Any, Any]) -> bool:
    return isinstance(field, models.BinaryField) or field.name == "content"


def _row(row: models.Model, currency: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        if field.name in _SILENT or isinstance(field, models.BinaryField):
            continue
        value = getattr(row, field.name)
        if isinstance(value, Decimal) and field.name not in ("surplus",):
            told[field.name] = plain(value, currency)
        else:
            told[field.name] = _value(value)
    return told


def _value(value: Any) -> Any:
    """As JSON has it: days and moments ISO (moments UTC), amounts as text, rows by their names."""
    if isinstance(value, models.Model):
        return next((str(getattr(value, name)) for name in _NAMED_BY if getattr(value, name, None)), str(value))
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, list | tuple):
        return [_value(one) for one in value]
    return value


def _trail(account: Account) -> dict[str, Any]:
    """The account's events in the order in which they were written, each held against its seal; and those seals."""
    rows = list(AccountEvent.objects.filter(account=account).order_by("pk"))
    standing = audit.standing([row.pk for row in rows])
    with override("en"):
        told = [_event(row, standing[row.pk]) for row in rows]
    over = sorted({found.seal for found in standing.values() if found.seal is not None})
    return {"events": told, "seals": _seals(over)}


def _event(row: AccountEvent, standing: audit.Standing) -> dict[str, Any]:
    return {
        "event_id": row.pk,
        "at": _value(row.at),
        "on": _value(row.on),
        "kind": row.kind,
        "title": title_of(row.kind),
        "actor": row.actor,
        "reason": row.reason,
        "policy": row.policy,
        "step": audit_words.doer(actor=row.actor, policy=row.policy, payload=row.payload).step,
        "payload": row.payload,
        "seal": standing.seal,
        "sha256": standing.digest.hex(),
        "as_sealed": standing.as_sealed if standing.seal is not None else None,
    }


def _seals(keys: Iterable[int]) -> list[dict[str, Any]]:
    rows = Seal.objects.filter(pk__in=list(keys)).defer("event_ids", "digests").order_by("pk")
    return [
        {
            "seal": row.pk,
            "first_event_id": row.first_event_id,
            "last_event_id": row.last_event_id,
            "sealed_at": _value(row.sealed_at),
            "previous": bytes(row.previous).hex(),
            "hash": bytes(row.hash).hex(),
        }
        for row in rows
    ]


def _head(seals: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The latest head that was given out, and whether every seal of the trail is under it."""
    head = SealedHead.objects.select_related("seal").defer("seal__event_ids", "seal__digests").order_by("-pk").first()
    if head is None:
        return None
    return {
        "text": audit_heads.text(head),
        "seal": head.seal_id,
        "covers_every_seal": all(seal["seal"] <= head.seal_id for seal in seals),
    }
