"""Bringing the stored amounts, the journal and the status of accounts to what the facts say.

Whoever writes a fact marks its account unsettled in the same transaction. Settling takes marked accounts a chunk at a
time, each chunk one transaction: lock, unmark, read, allocate, write what differs, post the journal by difference, move
the status, record the events. Killed anywhere, what is still marked is settled by the next pass; run twice, the second
writes nothing. No effect may act on an account that is still marked: effects settle first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import NamedTuple

from django.db import connection, transaction

from accounts import events, status, write_offs
from accounts.models import Account, Hold, Unsettled
from accounts.models.account import AccountStatus
from accounts.money import from_mills, mills
from accounts.position import CHUNK, AccountBooks, Position, books_of, position_from

ACTOR = "desk:settling"


def mark_unsettled(account_ids: Collection[int]) -> None:
    """Mark accounts whose facts changed, in the transaction that changes them.

    DO UPDATE, not DO NOTHING: it locks the mark, so a settling that would delete it waits for these facts to commit.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_unsettled (account_id) SELECT unnest(%s::bigint[]) "
            "ON CONFLICT (account_id) DO UPDATE SET account_id = excluded.account_id",
            [sorted(account_ids)],
        )


def mark_day(*, after: date, until: date) -> None:
    """Mark every account for which a fact takes effect in ``(after, until]``, or a bill falls past due."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKING_EFFECT, {"after": after, "until": until})


def mark_all() -> None:
    """Mark every account: the business date moved in a way that no window describes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_unsettled (account_id) SELECT id FROM accounts_account ORDER BY id "
            "ON CONFLICT (account_id) DO UPDATE SET account_id = excluded.account_id"
        )


def settle(*, as_of: date, at: datetime, actor: str = ACTOR, account_ids: Collection[int] | None = None) -> int:
    """Settle marked accounts (of ``account_ids``, or all) at the business date ``as_of``; how many were.

    Each chunk is a transaction of its own, or part of the caller's. Waits for accounts that others hold locked.
    """
    settled = 0
    pending: Iterable[list[int]] = _chunks(account_ids) if account_ids is not None else _marked()
    for chunk in pending:
        with transaction.atomic():
            settled += _settle_chunk(chunk, as_of=as_of, at=at, actor=actor)
    return settled


def _marked() -> Iterable[list[int]]:
    last = 0
    while chunk := list(Unsettled.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        yield chunk
        last = chunk[-1]


def _chunks(account_ids: Collection[int]) -> Iterable[list[int]]:
    keys = sorted(set(account_ids))
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))


class _Row(NamedTuple):
    pk: int
    status: str
    currency: str
    closed_on: date | None
    amounts: tuple[int, ...]
    oldest_due_on: date | None


def _settle_chunk(chunk: list[int], *, as_of: date, at: datetime, actor: str) -> int:
    rows = [
        _Row(pk, state, currency, closed_on, tuple(mills(amount) for amount in amounts), oldest)
        for pk, state, currency, closed_on, oldest, *amounts in Account.objects.select_for_update(no_key=True)
        .filter(pk__in=chunk)
        .order_by("pk")
        .values_list("pk", "status", "currency", "closed_on", "oldest_due_on", *_AMOUNTS)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_UNMARK, [chunk])
        marked = {key for (key,) in cursor.fetchall()}
    rows = [row for row in rows if row.pk in marked]
    if not rows:
        return 0
    books = books_of([row.pk for row in rows], as_of=as_of)
    positions = {pk: position_from(account) for pk, account in books.items()}
    _write_bills(books.values())
    _post_journal(rows, positions, as_of=as_of)
    recovered = write_offs.post([account for account in books.values() if account.books.written_off], as_of=as_of)
    _write_accounts(rows, positions)
    _write_events(rows, positions, recovered, as_of=as_of, at=at, actor=actor)
    return len(rows)


#: In the order in which writers mark, so that the two wait for each other and never deadlock.
_UNMARK = """
    DELETE FROM accounts_unsettled WHERE account_id IN (
        SELECT account_id FROM accounts_unsettled WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE
    ) RETURNING account_id
"""
_AMOUNTS = ("open_amount", "overdue", "overdue_disputed", "disputed", "unapplied", "fees")


def _amounts(position: Position) -> tuple[int, ...]:
    return tuple(mills(getattr(position, name)) for name in _AMOUNTS)


def _write_bills(accounts: Iterable[AccountBooks]) -> None:
    keys, opens, disputes = [], [], []
    for account in accounts:
        for row in account.bills:
            open_amount = account.books.open.get(row.fact.ref, 0)
            disputed = account.books.disputed.get(row.fact.ref, 0)
            if (open_amount, disputed) != (row.open_amount, row.disputed_amount):
                keys.append(row.pk)
                opens.append(open_amount)
                disputes.append(disputed)
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE accounts_bill b SET open_amount = v.o / 1000.0, disputed_amount = v.d / 1000.0 "
                "FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS v(id, o, d) WHERE b.id = v.id",
                [keys, opens, disputes],
            )


def _write_accounts(rows: list[_Row], positions: dict[int, Position]) -> None:
    changed = [
        row
        for row in rows
        if (row.amounts, row.oldest_due_on) != (_amounts(positions[row.pk]), positions[row.pk].oldest_due_on)
    ]
    if changed:
        columns = zip(*(_amounts(positions[row.pk]) for row in changed), strict=True)
        assignments = ", ".join(f"{name} = v.{name} / 1000.0" for name in _AMOUNTS)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE accounts_account a SET {assignments}, oldest_due_on = v.oldest FROM "
                f"unnest(%s::bigint[], {', '.join(['%s::bigint[]'] * len(_AMOUNTS))}, %s::date[]) "
                f"AS v(id, {', '.join(_AMOUNTS)}, oldest) WHERE a.id = v.id",
                [
                    [row.pk for row in changed],
                    *[list(column) for column in columns],
                    [positions[row.pk].oldest_due_on for row in changed],
                ],
            )


def _write_events(
    rows: list[_Row],
    positions: dict[int, Position],
    recovered: Mapping[int, int],
    *,
    as_of: date,
    at: datetime,
    actor: str,
) -> None:
    """Move what follows from the amounts; tell of money only where an episode or a hold may care."""
    _tell_recoveries(rows, positions, recovered, as_of=as_of, at=at, actor=actor)
    standing = {row.pk: row.status for row in rows}
    # One that left and pays its last bill is cured and then closed: two moves, so the graph is walked until it rests.
    while moves := [move for row in rows if (move := _next_move(row, standing[row.pk], positions[row.pk], as_of))]:
        status.move_accounts(moves, actor=actor, at=at, on=as_of)
        standing |= {move.pk: move.target for move in moves}
    moved = [row for row in rows if row.amounts != _amounts(positions[row.pk])]
    held = set(
        Hold.objects.filter(account__in=[row.pk for row in moved], lifted_on=None).values_list("account_id", flat=True)
    )
    events.record_many(
        [
            events.EventRow(
                account_id=row.pk,
                kind=events.MONEY_MOVED,
                actor=actor,
                at=at,
                on=as_of,
                payload={
                    "overdue": str(positions[row.pk].overdue),
                    "disputed": str(positions[row.pk].disputed),
                    "balance": str(positions[row.pk].balance),
                    "currency": row.currency,
                },
                react=True,
            )
            for row in moved
            if row.status != AccountStatus.CURRENT or row.pk in held
        ]
    )


def _tell_recoveries(
    rows: list[_Row],
    positions: dict[int, Position],
    recovered: Mapping[int, int],
    *,
    as_of: date,
    at: datetime,
    actor: str,
) -> None:
    events.record_many(
        [
            events.EventRow(
                account_id=row.pk,
                kind=events.RECOVERY_RECEIVED if amount > 0 else events.RECOVERY_RETURNED,
                actor=actor,
                at=at,
                on=as_of,
                payload={
                    "amount": str(from_mills(abs(amount))),
                    "left": str(positions[row.pk].written_off),
                    "currency": row.currency,
                },
                react=True,
            )
            for row in rows
            if (amount := recovered.get(row.pk, 0))
        ]
    )


def _next_move(row: _Row, standing: str, position: Position, as_of: date) -> status.Move | None:
    target = status.settled_status(
        status=standing,
        overdue=mills(position.overdue),
        past_due=mills(position.overdue + position.overdue_disputed),
        owes_nothing=position.open_amount == 0 and position.fees == 0,
        closed=row.closed_on is not None and row.closed_on <= as_of,
        written_off=None if position.written_off is None else mills(position.written_off),
    )
    if target == standing:
        return None
    why = _WHY[target]
    if standing == AccountStatus.WRITTEN_OFF and target == AccountStatus.CLOSED:
        why = "what was written off is recovered"
    elif target == AccountStatus.OVERDUE and position.overdue == 0:
        why = "what had recovered a write-off went back"
    return status.Move(row.pk, standing, target, why)


_WHY: dict[str, str] = {
    AccountStatus.OVERDUE: "something undisputed is past due",
    AccountStatus.CURRENT: "nothing is past due",
    AccountStatus.WRITTEN_OFF: "nothing is past due beside what was written off",
    AccountStatus.CLOSED: "left with nothing owed",
}

_TAKING_EFFECT = """
    INSERT INTO accounts_unsettled (account_id)
    SELECT account_id FROM (
        SELECT account_id FROM accounts_bill WHERE issued_on > %(after)s AND issued_on <= %(until)s
        UNION SELECT account_id FROM accounts_bill
               WHERE open_amount > 0 AND due_on >= %(after)s AND due_on < %(until)s
        UNION SELECT account_id FROM accounts_bill WHERE cancelled_on > %(after)s AND cancelled_on <= %(until)s
        UNION SELECT account_id FROM accounts_payment WHERE received_on > %(after)s AND received_on <= %(until)s
        UNION SELECT account_id FROM accounts_adjustment WHERE "on" > %(after)s AND "on" <= %(until)s
        UNION SELECT account_id FROM accounts_fee
               WHERE "on" > %(after)s AND "on" <= %(until)s OR waived_on > %(after)s AND waived_on <= %(until)s
        UNION SELECT account_id FROM accounts_hold WHERE reason = 'dispute'
                 AND (starts_on > %(after)s AND starts_on <= %(until)s
                      OR ends_on >= %(after)s AND ends_on < %(until)s
                      OR lifted_on > %(after)s AND lifted_on <= %(until)s)
        UNION SELECT id FROM accounts_account WHERE closed_on > %(after)s AND closed_on <= %(until)s
    ) effective ORDER BY account_id
    ON CONFLICT (account_id) DO UPDATE SET account_id = excluded.account_id
"""


def _post_journal(rows: list[_Row], positions: dict[int, Position], *, as_of: date) -> None:
    """Post, by difference, what the facts say beyond what the journal holds (chart: ``accounts.journals``)."""
    keys = [row.pk for row in rows]
    with connection.cursor() as cursor:
        for statement in _POSTINGS:
            cursor.execute(statement, {"accounts": keys, "as_of": as_of})
        shifted = [
            (row.pk, mills(positions[row.pk].unapplied) - row.amounts[_AMOUNTS.index("unapplied")])
            for row in rows
            if mills(positions[row.pk].unapplied) != row.amounts[_AMOUNTS.index("unapplied")]
        ]
        if shifted:
            cursor.execute(
                _POST_UNAPPLIED,
                {"accounts": [pk for pk, _ in shifted], "shifts": [shift for _, shift in shifted], "as_of": as_of},
            )


def _posting(*, table: str, effective: str, fact_date: str, lines: str, event_type: str, tax: str = "0") -> str:
    """SQL that posts one kind of fact by difference, one journal a fact.

    ``effective`` is what the fact is worth at ``as_of``; ``lines`` are (debit, credit, amount) of the difference ``d``,
    of which ``tax`` is tax; a negative one swaps the codes. A first posting is dated as the fact, a correction on the
    business date.
    """
    return f"""
        WITH fact AS MATERIALIZED (
            SELECT f.*, {effective} - f.posted_amount AS d, {tax} AS tax FROM {table} f
             WHERE f.account_id = ANY(%(accounts)s) AND {effective} <> f.posted_amount
        ), journal AS MATERIALIZED (
            SELECT fact.*, 'J' || lpad(nextval('accounts_journal_no')::text, 10, '0') AS no FROM fact
        ), posted AS (
            UPDATE {table} t SET posted_amount = t.posted_amount + fact.d FROM fact WHERE t.id = fact.id
        )
        INSERT INTO accounts_journalentry
            (journal_ref, account_id, "on", event_type, debit_code, credit_code, amount, currency, source_ref,
             description)
        SELECT j.no, j.account_id,
               CASE WHEN j.posted_amount = 0 THEN {fact_date} ELSE %(as_of)s END,
               {event_type}, CASE WHEN l.a > 0 THEN l.dr ELSE l.cr END, CASE WHEN l.a > 0 THEN l.cr ELSE l.dr END,
               abs(l.a), a.currency, j.ref, ''
          FROM journal j JOIN accounts_account a ON a.id = j.account_id
          CROSS JOIN LATERAL (VALUES {lines}) AS l(dr, cr, a)
         WHERE l.a <> 0
    """


def _stands(bill: str) -> str:
    """SQL: the bill is issued and not cancelled at ``as_of``."""
    return f"""({bill}.status <> 'draft' AND {bill}.issued_on <= %(as_of)s AND NOT coalesce(
        CASE WHEN {bill}.status = 'cancelled' THEN coalesce({bill}.cancelled_on, {bill}.issued_on)
             ELSE {bill}.cancelled_on END <= %(as_of)s, false))"""


_POSTINGS = (
    _posting(
        table="accounts_bill",
        effective=f"(CASE WHEN {_stands('f')} THEN f.amount ELSE 0 END)",
        fact_date="j.issued_on",
        # What the journal holds of its tax is asked of the journal: a share of the difference would leave fractions.
        tax=f"""(CASE WHEN {_stands("f")} THEN coalesce(f.tax_amount, 0) ELSE 0 END)
            - CASE WHEN f.posted_amount = 0 THEN 0 ELSE coalesce((
                SELECT sum(CASE WHEN e.credit_code = '21000' THEN e.amount ELSE -e.amount END)
                  FROM accounts_journalentry e
                 WHERE e.account_id = f.account_id AND e.source_ref = f.ref AND '21000' IN (e.debit_code, e.credit_code)
              ), 0) END""",
        lines="('12000', '40000', j.d - j.tax), ('12000', '21000', j.tax)",
        event_type="CASE WHEN j.d > 0 THEN 'BILL' ELSE 'BILL_CANCELLED' END",
    ),
    _posting(
        table="accounts_payment",
        # Nothing goes back before it came: a reversal waits for its payment.
        effective="""(CASE WHEN f.received_on <= %(as_of)s AND (f.reverses_id IS NULL OR EXISTS (
            SELECT 1 FROM accounts_payment o WHERE o.id = f.reverses_id AND o.received_on <= %(as_of)s))
            THEN f.amount ELSE 0 END)""",
        fact_date="j.received_on",
        lines="(CASE WHEN j.reverses_id IS NULL THEN '10100' ELSE '12000' END, "
        "CASE WHEN j.reverses_id IS NULL THEN '12000' ELSE '10100' END, j.d)",
        event_type="CASE WHEN j.reverses_id IS NULL THEN 'PAYMENT' ELSE 'PAYMENT_REVERSED' END",
    ),
    _posting(
        table="accounts_adjustment",
        # A charge lives with its bill: it waits for its issue, and goes when the bill is cancelled. So does what a
        # settlement lets go of: nobody is given what is not owed any more.
        # A write-off is posted with its tax, and as far as it stands (``accounts.write_offs``): not here.
        effective=f"""(CASE WHEN f.kind = 'write_off' THEN f.posted_amount
            WHEN f."on" <= %(as_of)s AND NOT (f.kind = 'dispute' AND EXISTS (
            SELECT 1 FROM accounts_adjustment b WHERE b.dispute_ref = f.dispute_ref AND b.dispute_ref <> ''
               AND b.kind = 'billing' AND b."on" <= %(as_of)s)) AND (f.amount < 0 AND f.kind <> 'settlement' OR EXISTS (
            SELECT 1 FROM accounts_bill b WHERE b.ref = f.bill_ref AND b.account_id = f.account_id AND {_stands("b")}))
            THEN f.amount ELSE 0 END)""",
        fact_date='j."on"',
        lines="""('12000', CASE WHEN j.kind = 'settlement' THEN '61100' WHEN j.amount < 0 THEN '49000'
            WHEN j.fee_ref <> '' THEN '41000' ELSE '40000' END, j.d)""",
        event_type="""CASE WHEN j.kind = 'settlement' AND j.amount < 0 THEN 'SETTLEMENT'
            WHEN j.kind = 'settlement' THEN 'SETTLEMENT_REVERSED' WHEN j.amount < 0 THEN 'CREDIT' ELSE 'DEBIT' END""",
    ),
    _posting(
        table="accounts_fee",
        effective="""(CASE WHEN f."on" <= %(as_of)s AND (f.waived_on IS NULL OR f.waived_on > %(as_of)s)
            AND NOT EXISTS (SELECT 1 FROM accounts_adjustment b
                             WHERE b.fee_ref = f.ref AND b.kind <> 'write_off' AND b."on" <= %(as_of)s)
            THEN f.amount ELSE 0 END)""",
        fact_date='j."on"',
        lines="('12000', CASE WHEN j.kind = 'late_fee' THEN '41000' ELSE '41100' END, j.d)",
        event_type="CASE WHEN j.d > 0 THEN 'FEE' ELSE 'FEE_REVERSED' END",
    ),
)

_POST_UNAPPLIED = """
    INSERT INTO accounts_journalentry
        (journal_ref, account_id, "on", event_type, debit_code, credit_code, amount, currency, source_ref,
         description)
    SELECT 'J' || lpad(nextval('accounts_journal_no')::text, 10, '0'), a.id, %(as_of)s, 'UNAPPLIED',
           CASE WHEN v.shift > 0 THEN '12000' ELSE '23000' END, CASE WHEN v.shift > 0 THEN '23000' ELSE '12000' END,
           abs(v.shift) / 1000.0, a.currency, a.ref, ''
      FROM unnest(%(accounts)s::bigint[], %(shifts)s::bigint[]) AS v(id, shift) JOIN accounts_account a ON a.id = v.id
"""
