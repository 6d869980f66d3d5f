"""Writing the history. One door: whatever is said, done, seen or refused passes ``record`` or ``record_many``.

An event somebody must react to gets a pending row in the same transaction; after commit ``settings.DESK_NUDGE`` (a
dotted name, so that this room need not know the building) is called with the accounts concerned. Losing the nudge loses
nothing: a sweep finds the pending rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from accounts.models import AccountEvent, PendingEvent

STATUS_CHANGED = "accounts.status.changed"
SERVICE_CHANGED = "accounts.service.changed"
MONEY_MOVED = "accounts.money.moved"
HOLD_PLACED = "accounts.hold.placed"
HOLD_LIFTED = "accounts.hold.lifted"
FEE_CHARGED = "accounts.fee.charged"
IMPORT_REJECTED = "accounts.import.rejected"
PERSONAL_DATA_READ = "accounts.personal_data.read"
CUSTOMER_ERASED = "accounts.customer.erased"


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event to write, of an account or of the desk itself; ``react`` asks for a pending row, an account's only."""

    account_id: int | None
    kind: str
    actor: str
    at: datetime
    on: date
    reason: str = ""
    policy: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    react: bool = False


def record(
    *,
    account_id: int | None,
    kind: str,
    actor: str,
    at: datetime,
    on: date,
    reason: str = "",
    policy: str = "",
    payload: Mapping[str, Any] | None = None,
    react: bool = False,
) -> None:
    """Write one event in the caller's transaction."""
    record_many([EventRow(account_id, kind, actor, at, on, reason, policy, payload or {}, react)])


def record_many(rows: Sequence[EventRow]) -> None:
    """Write events in order, in the caller's transaction: one insert, and one more where any asks for a reaction."""
    if not rows:
        return
    written = AccountEvent.objects.bulk_create(
        [
            AccountEvent(
                account_id=row.account_id,
                kind=row.kind,
                actor=row.actor,
                at=row.at,
                on=row.on,
                reason=row.reason[:300],
                policy=row.policy,
                payload=dict(row.payload),
            )
            for row in rows
        ],
        batch_size=5_000,
    )
    pending = [
        PendingEvent(event=event, account_id=row.account_id)
        for event, row in zip(written, rows, strict=True)
        if row.react and row.account_id is not None
    ]
    if pending:
        PendingEvent.objects.bulk_create(pending, batch_size=5_000)
        accounts = sorted({row.account_id for row in pending})
        transaction.on_commit(lambda: nudge(accounts))


def nudge(account_ids: Sequence[int]) -> None:
    """Tell the building that events of these accounts wait; a failure there is the sweep's business."""
    import_string(settings.DESK_NUDGE)(account_ids)
