"""The files this room takes: disputes, promises, plans and interactions of another system, with the holds behind them.

The holds carry the dates of the rows, so what lies after the business date waits by itself. A promise or plan that
names no bills covers those open when it was made: ``promises.review`` and ``plans.review`` name them on the first run
whose date has reached it, and until then its hold covers the account. What the desk itself resolved or judged is not
undone by the same file coming again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from accounts import events
from accounts.events import EventRow
from accounts.importing import columns
from accounts.importing.columns import BadValue, Kind
from accounts.importing.spec import Check, Column, FileSpec, Into, Landed, row_check
from accounts.models import Account, Hold
from accounts.models.fields import DESK_PREFIX
from agents import kinds
from agents.dispute_clocks import Clocks
from agents.instalments import MOST
from agents.models import Dispute, Interaction, Plan, Promise

#: Rows whose events are written at a time.
_BATCH = 5_000

_SEPARATOR = re.compile(r"[;,\s]+")


def _parse_instalments(text: str, currency: str) -> str:
    """``2026-01-05:40.00;2026-02-05:40.00``, as PostgreSQL will show it again: three decimals."""
    parts = [part for part in text.split(";") if part.strip()]
    if not parts:
        raise BadValue("names no instalment such as 2026-01-05:40.00")
    if len(parts) > MOST:
        raise BadValue(f"names more than {MOST} instalments")
    found: list[str] = []
    for part in parts:
        day, colon, amount = part.strip().partition(":")
        if not colon:
            raise BadValue("is not a list such as 2026-01-05:40.00;2026-02-05:40.00")
        day = columns.DATE.parse(day.strip(), "")
        if found and day <= found[-1][:10]:
            raise BadValue("does not name each day after the one before")
        money = columns.parse_money(amount.strip(), currency)
        if money <= 0:
            raise BadValue("has an instalment that is not more than zero")
        found.append(f"{day}:{money:.3f}")
    return ";".join(found)


def _parse_bills(text: str, _currency: str) -> str:
    refs = [ref for ref in _SEPARATOR.split(text) if ref]
    for ref in refs:
        columns.ID.parse(ref, "")
    return ";".join(sorted(set(refs)))


def _place_holds(table: str, reason: str, *, ends_on: str, amount: str, bill_refs: str, lifted_on: str) -> str:
    """SQL that gives each landed row ``t`` its hold, or brings the one it has to what the row says."""
    ref = f"'{DESK_PREFIX}' || md5('{reason}:' || t.ref)"
    return f"""
        WITH placed AS (
            INSERT INTO accounts_hold AS h (ref, account_id, reason, starts_on, ends_on, bill_refs, amount, stops,
                                            stops_clock, placed_by, note, lifted_on, lifted_by)
            SELECT {ref}, t.account_id, '{reason}', t.{"opened_on" if reason == "dispute" else "made_on"}, {ends_on},
                   {bill_refs}, {amount}, '{{}}', false, 'import', '', {lifted_on},
                   CASE WHEN {lifted_on} IS NULL THEN '' ELSE 'import' END
              FROM landed JOIN {table} t ON t.id = landed.id
             ORDER BY t.id
            ON CONFLICT (ref) DO UPDATE
               SET starts_on = excluded.starts_on, ends_on = excluded.ends_on, amount = excluded.amount,
                   bill_refs = excluded.bill_refs,
                   lifted_on = coalesce(h.lifted_on, excluded.lifted_on),
                   lifted_by = CASE WHEN h.lifted_on IS NULL THEN excluded.lifted_by ELSE h.lifted_by END
            RETURNING id, ref
        )
        UPDATE {table} t SET hold_id = placed.id FROM landed, placed
         WHERE landed.id = t.id AND placed.ref = {ref} AND t.hold_id IS DISTINCT FROM placed.id
    """


def _tell(landed: Landed, *, table: str, kind: str, reason: str, noun: str, shown: dict[str, str]) -> None:
    """The events of new rows, and of the holds that came with them: what these stop, they stop from this moment on."""
    for rows in _new_rows(
        f"""SELECT t.id, t.account_id, t.ref, h.ref AS hold, h.starts_on, h.ends_on,
                   jsonb_build_object({", ".join(f"'{name}', {sql}" for name, sql in shown.items())})
              FROM landed JOIN {table} t ON t.id = landed.id JOIN accounts_hold h ON h.id = t.hold_id
             WHERE landed.inserted AND t.id > %s ORDER BY t.id LIMIT %s"""
    ):
        told: list[EventRow] = []
        for _pk, account_id, ref, hold, starts_on, ends_on, details in rows:
            payload = {noun: ref, **json.loads(details)}
            told.append(EventRow(account_id, kind, landed.actor, landed.at, landed.on, payload=payload))
            told.append(
                EventRow(
                    account_id=account_id,
                    kind=events.HOLD_PLACED,
                    actor=landed.actor,
                    at=landed.at,
                    on=landed.on,
                    reason=reason,
                    payload={"hold": hold, "starts_on": starts_on, "ends_on": ends_on},
                    react=True,
                )
            )
        events.record_many(told)


def _new_rows(select: str) -> Iterator[list[tuple[Any, ...]]]:
    """Batches of a select that takes the last key and the size of a batch; its first column is the key."""
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(select, [last, _BATCH])
            rows = cursor.fetchall()
        if not rows:
            return
        yield rows
        last = rows[-1][0]


_OF_ANOTHER_ACCOUNT = Check(
    "bill_id",
    "is a bill of another account",
    "SELECT s.line FROM stage s JOIN accounts_bill b ON b.ref = s.bill_id WHERE b.account_id <> s.account_id",
)


def _after_disputes(landed: Landed) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _place_holds(
                "agents_dispute",
                Hold.Reason.DISPUTE,
                ends_on="NULL::date",
                amount="t.amount",
                bill_refs="CASE WHEN t.bill_ref = '' THEN '{}'::varchar[] ELSE ARRAY[t.bill_ref] END",
                lifted_on="t.resolved_on",
            )
        )
        # The desk's own credit, until billing's adjustment with that dispute_id replaces it. An upheld dispute stays
        # so, hence there is none to take back. What the desk upheld has its credit already.
        cursor.execute(
            f"""
            INSERT INTO accounts_adjustment AS a
                (ref, account_id, "on", amount, kind, bill_ref, reason, dispute_ref, fee_ref, posted_amount)
            SELECT '{DESK_PREFIX}' || md5('credit:' || t.ref), t.account_id, t.resolved_on, -t.amount, 'dispute',
                   t.bill_ref, 'Upheld dispute', t.ref, '', 0
              FROM landed JOIN agents_dispute t ON t.id = landed.id
             WHERE t.outcome = 'upheld' AND t.resolved_by = 'import'
             ORDER BY t.id
            ON CONFLICT (ref) DO UPDATE
               SET "on" = excluded."on", amount = excluded.amount, bill_ref = excluded.bill_ref
            """
        )
    _set_clocks()
    _tell(
        landed,
        table="agents_dispute",
        kind=kinds.DISPUTE_OPENED,
        reason=Hold.Reason.DISPUTE,
        noun="dispute",
        shown={"bill": "t.bill_ref", "amount": "t.amount::text", "outcome": "t.outcome"},
    )
    # What ends later is told by the run of its day.
    for rows in _new_rows(
        f"""SELECT t.id, t.account_id, t.ref, t.bill_ref, t.amount::text, t.outcome
              FROM landed JOIN agents_dispute t ON t.id = landed.id
             WHERE t.resolved_on <= '{landed.on.isoformat()}' AND t.resolved_by = 'import'
               AND t.id > %s ORDER BY t.id LIMIT %s"""
    ):
        events.record_many(
            [
                EventRow(
                    account_id,
                    kinds.DISPUTE_RESOLVED,
                    landed.actor,
                    landed.at,
                    landed.on,
                    payload={"dispute": ref, "bill": bill, "amount": amount, "outcome": outcome},
                    react=True,
                )
                for _pk, account_id, ref, bill, amount, outcome in rows
            ]
        )


def _set_clocks() -> None:
    """By when the open ones are decided, as their market has it; that they were received the other system has said."""
    clocks = Clocks()
    for rows in _new_rows(
        """SELECT t.id, c.country, c.region, t.opened_on
             FROM landed JOIN agents_dispute t ON t.id = landed.id JOIN accounts_account a ON a.id = t.account_id
             JOIN accounts_customer c ON c.id = a.customer_id
            WHERE landed.inserted AND t.resolved_on IS NULL AND t.id > %s ORDER BY t.id LIMIT %s"""
    ):
        set_to = [
            (pk, clock.decide_by)
            for pk, country, region, opened_on in rows
            if (clock := clocks.clock(country=country, region=region, opened_on=opened_on)) is not None
        ]
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE agents_dispute t SET decide_by = v.day FROM unnest(%s::bigint[], %s::date[]) AS v(id, day) "
                "WHERE t.id = v.id",
                [[pk for pk, _ in set_to], [day for _, day in set_to]],
            )


DISPUTES = FileSpec(
    file="disputes.csv",
    model=Dispute,
    key=("dispute_id",),
    columns=(
        Column("dispute_id", columns.NEW_ID, required=True, into="ref"),
        Column("account_id", columns.ID, required=True, refers_to=Account),
        Column("amount", columns.amount(above=0), required=True),
        Column("opened_on", columns.DATE, required=True),
        Column("bill_id", columns.ID, into="bill_ref"),
        Column("resolved_on", columns.DATE),
        Column("outcome", columns.one_of(Dispute.Outcome.values)),
        # Whoever resolves it at the desk writes below; the file does not take that away.
        Column("note", columns.text(10_000), into=Into.NOWHERE, seeds="note"),
    ),
    fixed=("account_id",),
    prepares=(
        # What the desk resolved stays resolved when the other system's file comes again.
        "UPDATE stage SET resolved_on = d.resolved_on, outcome = d.outcome FROM agents_dispute d "
        "WHERE d.ref = stage.dispute_id AND stage.resolved_on IS NULL AND stage.outcome IS NULL "
        "AND d.resolved_by NOT IN ('', 'import')",
    ),
    checks=(
        row_check("outcome", "is required with resolved_on", "s.resolved_on IS NOT NULL AND s.outcome IS NULL"),
        row_check("resolved_on", "is required with outcome", "s.outcome IS NOT NULL AND s.resolved_on IS NULL"),
        row_check("resolved_on", "is before opened_on", "s.resolved_on < s.opened_on"),
        _OF_ANOTHER_ACCOUNT,
        Check(
            "outcome",
            "was upheld before, and its credit stands",
            "SELECT s.line FROM stage s JOIN agents_dispute d ON d.ref = s.dispute_id "
            "WHERE d.outcome = 'upheld' AND s.outcome IS DISTINCT FROM 'upheld'",
        ),
        Check(
            "outcome",
            "was resolved otherwise at the desk",
            "SELECT s.line FROM stage s JOIN agents_dispute d ON d.ref = s.dispute_id "
            "WHERE d.resolved_by NOT IN ('', 'import') AND d.outcome <> s.outcome",
        ),
    ),
    derived={
        "opened_by": "'import'",
        "resolved_by": "CASE WHEN s.resolved_on IS NULL THEN '' ELSE coalesce(nullif(t.resolved_by, ''), 'import') END",
        "stage": "CASE WHEN s.resolved_on IS NULL THEN coalesce(nullif(t.stage, 'closed'), 'new') ELSE 'closed' END",
    },
    settles=True,
    after=_after_disputes,
)


def _after_promises(landed: Landed) -> None:
    grace = timedelta(days=settings.PROMISE_GRACE_DAYS).days
    with connection.cursor() as cursor:
        cursor.execute(
            _place_holds(
                "agents_promise",
                Hold.Reason.PROMISE,
                ends_on=f"t.due_on + {grace}",
                amount="NULL::numeric",
                bill_refs="t.bill_refs",
                lifted_on="NULL::date",
            )
        )
    _tell(
        landed,
        table="agents_promise",
        kind=kinds.PROMISE_MADE,
        reason=Hold.Reason.PROMISE,
        noun="promise",
        shown={"amount": "t.amount::text", "due_on": "t.due_on"},
    )


PROMISES = FileSpec(
    file="promises.csv",
    model=Promise,
    key=("promise_id",),
    columns=(
        Column("promise_id", columns.NEW_ID, required=True, into="ref"),
        Column("account_id", columns.ID, required=True, refers_to=Account),
        Column("amount", columns.amount(above=0), required=True),
        Column("due_on", columns.DATE, required=True),
        Column("made_on", columns.DATE, required=True),
    ),
    fixed=("account_id",),
    checks=(row_check("due_on", "is before made_on", "s.due_on < s.made_on"),),
    derived={"taken_by": "'import'"},
    after=_after_promises,
)


def _after_plans(landed: Landed) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _place_holds(
                "agents_plan",
                Hold.Reason.PLAN,
                ends_on="NULL::date",
                amount="NULL::numeric",
                bill_refs="t.bill_refs",
                lifted_on="NULL::date",
            )
        )
        # What is paid into an instalment stays until the next review pours the payments again.
        cursor.execute(
            """
            INSERT INTO agents_instalment AS i (plan_id, account_id, position, due_on, amount, paid)
            SELECT t.id, t.account_id, part.position, split_part(part.text, ':', 1)::date,
                   split_part(part.text, ':', 2)::numeric, 0
              FROM landed JOIN agents_plan t ON t.id = landed.id JOIN stage s ON s.plan_id = t.ref
              CROSS JOIN LATERAL unnest(string_to_array(s.instalments, ';')) WITH ORDINALITY AS part(text, position)
            ON CONFLICT (plan_id, position) DO UPDATE SET due_on = excluded.due_on, amount = excluded.amount
            """
        )
        cursor.execute(
            """
            DELETE FROM agents_instalment i USING landed, agents_plan t, stage s
             WHERE t.id = landed.id AND i.plan_id = t.id AND s.plan_id = t.ref
               AND i.position > cardinality(string_to_array(s.instalments, ';'))
            """
        )
    _tell(
        landed,
        table="agents_plan",
        kind=kinds.PLAN_AGREED,
        reason=Hold.Reason.PLAN,
        noun="plan",
        shown={
            "status": "t.status",
            "total": "(SELECT sum(i.amount)::text FROM agents_instalment i WHERE i.plan_id = t.id)",
        },
    )


# The bills of a plan as the file would name them, in the order that ``_parse_bills`` gives them.
_BILLS_OF = "SELECT string_agg(bill, ';' ORDER BY bill COLLATE \"C\") FROM unnest({}.bill_refs) AS bill"

PLANS = FileSpec(
    file="plans.csv",
    model=Plan,
    key=("plan_id",),
    columns=(
        Column("plan_id", columns.NEW_ID, required=True, into="ref"),
        Column("account_id", columns.ID, required=True, refers_to=Account),
        Column("made_on", columns.DATE, required=True),
        Column(
            "instalments",
            Kind("text", _parse_instalments, by_currency=True),
            required=True,
            into=Into.NOWHERE,
            current="SELECT string_agg(i.due_on || ':' || i.amount, ';' ORDER BY i.position) "
            "FROM agents_instalment i WHERE i.plan_id = t.id",
        ),
        Column(
            "bill_ids",
            Kind("text", _parse_bills),
            into=Into.NOWHERE,
            current=_BILLS_OF.format("t"),
        ),
    ),
    fixed=("account_id",),
    prepares=(
        # A file that names no bills says nothing against those that were found to be covered.
        f"UPDATE stage SET bill_ids = ({_BILLS_OF.format('p')}) "
        "FROM agents_plan p WHERE p.ref = stage.plan_id AND stage.bill_ids IS NULL AND p.bill_refs <> '{}'",
    ),
    checks=(
        row_check(
            "instalments",
            "the first is due before made_on",
            "split_part(s.instalments, ':', 1)::date < s.made_on",
        ),
        Check(
            "bill_ids",
            "names a bill that is not of this account",
            "SELECT s.line FROM stage s WHERE EXISTS (SELECT 1 FROM unnest(string_to_array(s.bill_ids, ';')) AS bill "
            "WHERE NOT EXISTS (SELECT 1 FROM accounts_bill b WHERE b.ref = bill AND b.account_id = s.account_id))",
        ),
    ),
    derived={
        "made_by": "'import'",
        "bill_refs": "coalesce(string_to_array(s.bill_ids, ';'), '{}')::varchar[]",
    },
    after=_after_plans,
)


def _after_interactions(landed: Landed) -> None:
    """Calls of the other system count for how often a customer may be called, each at its own moment."""
    for rows in _new_rows(
        """SELECT i.id, i.account_id, i.ref, i.at, i.kind, i.direction, i.disposition, i.duration_seconds,
                  i.right_party, coalesce(d.connected, i.right_party), coalesce(d.conversation, i.right_party),
                  coalesce(d.rang, true)
             FROM landed JOIN agents_interaction i ON i.id = landed.id
             LEFT JOIN agents_disposition d ON d.code = i.disposition
            WHERE landed.inserted AND i.id > %s ORDER BY i.id LIMIT %s"""
    ):
        events.record_many(
            [
                EventRow(
                    account_id=account_id,
                    kind=kinds.CALL_LOGGED if kind == Interaction.Kind.CALL else kinds.CONTACT_RECORDED,
                    actor=landed.actor,
                    at=started_at,
                    on=landed.on,
                    payload={
                        "interaction": ref,
                        "contact": kind,
                        "direction": direction,
                        "disposition": disposition,
                        "started_at": started_at,
                        "duration_seconds": duration,
                        "rang": rang,
                        "connected": connected,
                        "conversation": conversation,
                        "right_party": right_party,
                    },
                )
                for (
                    _pk, account_id, ref, started_at, kind, direction, disposition, duration, right_party, connected,
                    conversation, rang,
                ) in rows
            ]
        )  # fmt: skip


INTERACTIONS = FileSpec(
    file="interactions.csv",
    model=Interaction,
    key=("interaction_id",),
    columns=(
        Column("interaction_id", columns.NEW_ID, required=True, into="ref"),
        Column("account_id", columns.ID, required=True, refers_to=Account),
        Column("at", columns.MOMENT, required=True),
        Column("kind", columns.one_of(Interaction.Kind.values), required=True),
        Column("direction", columns.one_of(Interaction.Direction.values), required=True),
        Column("disposition", columns.text(40)),
        Column("number", columns.text(40)),
        Column("duration_seconds", columns.WHOLE_NUMBER),
        Column("note", columns.text(10_000)),
    ),
    fixed=("account_id",),
    derived={
        # Another system's own codes tell by their name, as ours do.
        "right_party": "coalesce((SELECT d.right_party FROM agents_disposition d WHERE d.code = s.disposition), "
        "starts_with(s.disposition, 'rpc'), false)",
    },
    after=_after_interactions,
)
