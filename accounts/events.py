"""Writing the history. One door: whatever is said, done, seen or refused passes ``record`` or ``record_many``.

An event somebody must react to gets a pending row in the same transaction; after commit ``settings.DESK_NUDGE`` (a
dotted name, so that this room need not know the building) is called with the accounts concerned. Losing the nudge loses
nothing: a sweep finds the pending rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.utils.module_loading import import_string

from accounts import bulk
from accounts.audit import WRITERS

STATUS_CHANGED = "accounts.status.changed"
SERVICE_CHANGED = "accounts.service.changed"
MONEY_MOVED = "accounts.money.moved"
HOLD_PLACED = "accounts.hold.placed"
HOLD_LIFTED = "accounts.hold.lifted"
FEE_CHARGED = "accounts.fee.charged"
FEE_WAIVED = "accounts.fee.waived"
RECOVERY_RECEIVED = "accounts.recovery.received"
RECOVERY_RETURNED = "accounts.recovery.returned"
SERVICE_KEPT = "accounts.service.kept"
SERVICE_LET_GO = "accounts.service.let_go"
PERSONAL_DATA_READ = "accounts.personal_data.read"
CONSENT_GIVEN = "accounts.consent.given"
CONSENT_WITHDRAWN = "accounts.consent.withdrawn"
PREFERENCE_NOTED = "accounts.preference.noted"
PREFERENCE_ENDED = "accounts.preference.ended"
REPRESENTATIVE_NOTED = "accounts.representative.noted"
REPRESENTATIVE_ENDED = "accounts.representative.ended"
REPRESENTATIVE_WRITTEN_TO = "accounts.representative.written_to"
REPRESENTATIVE_ANSWERED = "accounts.representative.answered"
VULNERABILITY_NOTED = "accounts.vulnerability.noted"
VULNERABILITY_REVIEWED = "accounts.vulnerability.reviewed"
VULNERABILITY_ENDED = "accounts.vulnerability.ended"
TIME_ZONE_STATED = "accounts.time_zone.stated"
LANGUAGE_STATED = "accounts.language.stated"
HEAD_GIVEN_OUT = "accounts.head.given_out"


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
    """Write events in order, in the caller's transaction, and a pending row for each that asks for a reaction."""
    if not rows:
        return
    with transaction.atomic(savepoint=False):
        keys = _keys(len(rows))
        bulk.copy_in("accounts_accountevent", _COLUMNS, (_values(*pair) for pair in zip(keys, rows, strict=True)))
        pending = [
            (key, row.account_id)
            for key, row in zip(keys, rows, strict=True)
            if row.react and row.account_id is not None
        ]
        if pending:
            bulk.copy_in("accounts_pendingevent", ("event_id", "account_id"), pending)
            accounts = sorted({account_id for _, account_id in pending})
            transaction.on_commit(lambda: nudge(accounts))


def _keys(count: int) -> list[int]:
    """So many keys of events, in order. Who holds one is a writer already: the sealer waits (``accounts.audit``)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('accounts_accountevent', 'id')) "
            "FROM pg_advisory_xact_lock_shared(%s), generate_series(1, %s)",
            [WRITERS, count],
        )
        return [key for (key,) in cursor.fetchall()]


_COLUMNS = ("id", "account_id", "kind", "actor", "at", "on", "reason", "policy", "payload")


def _values(key: int, row: EventRow) -> tuple[Any, ...]:
    payload = json.dumps(row.payload, cls=DjangoJSONEncoder)
    return key, row.account_id, row.kind, row.actor, row.at, row.on, row.reason[:300], row.policy, payload


def nudge(account_ids: Sequence[int]) -> None:
    """Tell the building that events of these accounts wait; a failure there is the sweep's business."""
    import_string(settings.DESK_NUDGE)(account_ids)
