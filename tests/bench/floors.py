"""The floors: the least SQL that could do the same work, on tables that hold nothing else. Schema ``floor``.

The day's decisions as one statement, once summing every bill and payment (the ledger), once with an open amount kept on
the bill; a claim as one row taken by SKIP LOCKED; an import as a bare COPY into a table with our keys.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

from django.db import connection

from tests.bench.strategy import DAY, STRATEGIES

_TABLES = """
    CREATE SCHEMA floor;
    CREATE TABLE floor.step (
        strategy int, place int, days int, amount numeric(12, 2), gap int, does text, PRIMARY KEY (strategy, place));
    CREATE TABLE floor.account (
        id bigint PRIMARY KEY, strategy int NOT NULL, reached int NOT NULL, stepped_on date, status text NOT NULL,
        disputed boolean NOT NULL, promised_until date);
    CREATE TABLE floor.bill (
        id bigint PRIMARY KEY, account_id bigint NOT NULL, due_on date NOT NULL, amount numeric(12, 2) NOT NULL);
    CREATE TABLE floor.payment (
        id bigint PRIMARY KEY, account_id bigint NOT NULL, bill_id bigint NOT NULL, received_on date NOT NULL,
        amount numeric(12, 2) NOT NULL);
    CREATE TABLE floor.notice (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run int NOT NULL, account_id bigint NOT NULL,
        place int NOT NULL, channel text NOT NULL, owed numeric(12, 2) NOT NULL, oldest_due_on date NOT NULL,
        made_at timestamptz NOT NULL DEFAULT now(), UNIQUE (run, account_id));
    SELECT setseed(0.42);
"""
#: 2.5 bills an account, due from 100 days ago to 20 days ahead; two payments a bill, four bills in five paid in full.
_ROWS = """
    INSERT INTO floor.account
    SELECT g, 1 + mod(g, 3), (random() * 3)::int,
           CASE WHEN random() < 0.7 THEN %(day)s::date - (random() * 40)::int END, 'current', random() < 0.02,
           CASE WHEN random() < 0.05 THEN %(day)s::date + (random() * 20 - 10)::int END
      FROM generate_series(1, %(accounts)s) g;
    INSERT INTO floor.bill
    SELECT g, 1 + mod(hashint8(g)::bigint + 2147483648, %(accounts)s), %(day)s::date - (random() * 120 - 20)::int,
           (10 + random() * 90)::numeric(12, 2)
      FROM generate_series(1, %(accounts)s * 5 / 2) g;
    INSERT INTO floor.payment
    SELECT b.id * 2 - k, b.account_id, b.id, b.due_on + (mod(b.id, 7)::int - 3),
           CASE WHEN mod(b.id, 5) = 0 THEN round(b.amount * 0.3, 2) WHEN k = 1 THEN round(b.amount / 2, 2)
                ELSE b.amount - round(b.amount / 2, 2) END
      FROM floor.bill b, generate_series(0, 1) k;
    CREATE INDEX ON floor.bill (account_id);
    CREATE INDEX ON floor.payment (bill_id);
    CREATE INDEX ON floor.payment (account_id);
    ALTER TABLE floor.bill ADD FOREIGN KEY (account_id) REFERENCES floor.account;
    ALTER TABLE floor.payment ADD FOREIGN KEY (account_id) REFERENCES floor.account;
    ALTER TABLE floor.notice ADD FOREIGN KEY (account_id) REFERENCES floor.account;
    CREATE TABLE floor.open_bill AS
        SELECT b.*, b.amount - coalesce(p.amount, 0) AS open
          FROM floor.bill b LEFT JOIN (SELECT bill_id, sum(amount) AS amount FROM floor.payment GROUP BY 1) p
            ON p.bill_id = b.id;
    CREATE INDEX ON floor.open_bill (account_id) INCLUDE (open, due_on) WHERE open > 0;
"""

_OWED_BY_LEDGER = """
    paid AS (SELECT bill_id, sum(amount) AS amount FROM floor.payment GROUP BY bill_id),
    owed AS (SELECT b.account_id, sum(b.amount - coalesce(p.amount, 0)) AS owed, min(b.due_on) AS oldest
               FROM floor.bill b LEFT JOIN paid p ON p.bill_id = b.id
              WHERE b.due_on < %(day)s AND b.amount > coalesce(p.amount, 0) GROUP BY b.account_id)
"""
_OWED_AS_KEPT = """
    owed AS (SELECT account_id, sum(open) AS owed, min(due_on) AS oldest
               FROM floor.open_bill WHERE open > 0 AND due_on < %(day)s GROUP BY account_id)
"""
_DECIDE = """
    INSERT INTO floor.notice (run, account_id, place, channel, owed, oldest_due_on)
    WITH {owed}
    SELECT 1, a.id, s.place, s.does, o.owed, o.oldest
      FROM floor.account a JOIN owed o ON o.account_id = a.id
      JOIN floor.step s ON s.strategy = a.strategy AND s.place = a.reached + 1
     WHERE NOT a.disputed AND (a.promised_until IS NULL OR a.promised_until < %(day)s)
       AND o.owed >= s.amount AND %(day)s - o.oldest >= s.days
       AND (a.stepped_on IS NULL OR %(day)s - a.stepped_on >= s.gap)
"""
_MOVE = """
    UPDATE floor.account a SET reached = n.place, stepped_on = %(day)s, status = 'dunning'
      FROM floor.notice n WHERE n.run = 1 AND n.account_id = a.id
"""

CLAIM = """
    UPDATE floor.item SET state = 1, agent_id = {agent}, claimed_at = now() WHERE id = (
        SELECT id FROM floor.item WHERE state = 0 ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id"""
COMPLETE = "UPDATE floor.item SET state = 2, outcome = 1, done_at = now() WHERE id = {item}"


def make_tables(accounts: int) -> None:
    """The floors' tables for so many accounts: about a third are overdue, a fifth take a step on the day."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        cursor.executemany(
            "INSERT INTO floor.step VALUES (%s, %s, %s, %s, %s, %s)",
            [(strategy, at, *turn) for strategy, turns in STRATEGIES.items() for at, turn in enumerate(turns, 1)],
        )
        for statement in _ROWS.split(";\n"):
            cursor.execute(statement, {"accounts": accounts, "day": DAY})


def decide_by_ledger() -> tuple[float, int]:
    """Seconds, and steps taken, with what is owed summed from bills and payments."""
    return _decide(_OWED_BY_LEDGER)


def decide_as_kept() -> tuple[float, int]:
    """The same with an open amount kept on the bill."""
    return _decide(_OWED_AS_KEPT)


def _decide(owed: str) -> tuple[float, int]:
    """The median of three tries, each with its commit and put back afterwards."""
    taken = []
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE floor.before AS SELECT * FROM floor.account")
        for _ in range(3):
            started = perf_counter()
            cursor.execute("BEGIN")
            cursor.execute(_DECIDE.format(owed=owed), {"day": DAY})
            cursor.execute(_MOVE, {"day": DAY})
            steps = cursor.rowcount
            cursor.execute("COMMIT")
            taken.append(perf_counter() - started)
            cursor.execute("TRUNCATE floor.notice")
            cursor.execute(
                "UPDATE floor.account a SET reached = b.reached, stepped_on = b.stepped_on, status = b.status "
                "FROM floor.before b WHERE b.id = a.id AND b.status <> a.status"
            )
            cursor.execute("VACUUM ANALYZE floor.account")
        cursor.execute("DROP TABLE floor.before")
    return median(taken), steps


def make_queue(items: int) -> None:
    """The queue as a table of its own with the one index that a claim needs."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS floor.item")
        cursor.execute(
            """
            CREATE TABLE floor.item (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id bigint NOT NULL, priority int NOT NULL,
                due_on date NOT NULL DEFAULT current_date, state smallint NOT NULL DEFAULT 0, agent_id int,
                claimed_at timestamptz, done_at timestamptz, outcome smallint)
            WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01)
            """
        )
        cursor.execute(
            "INSERT INTO floor.item (account_id, priority) "
            "SELECT g, (random() * 1000000)::int FROM generate_series(1, %s) g",
            [items],
        )
        cursor.execute("CREATE INDEX item_free ON floor.item (priority DESC, id) WHERE state = 0")
        cursor.execute("VACUUM ANALYZE floor.item")


#: Our bills' columns in the order of ``accounts_bill``, of rows as an import leaves them.
_LANDED = """
    SELECT b.id, 'B' || b.id, b.due_on - 21, b.due_on, b.amount, NULL, NULL, 'issued', NULL, 0, 0, NULL, 0, b.account_id
      FROM floor.bill b ORDER BY b.id
"""
_COLUMNS = (
    "id, ref, issued_on, due_on, amount, tax_amount, essential_amount, status, cancelled_on, open_amount, "
    "disputed_amount, left_at_exit, posted_amount, account_id"
)


def copy_bills() -> float:
    """Seconds of a bare COPY of the same bills into a table with the keys, checks and indexes of ours."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE floor.landed (LIKE accounts_bill INCLUDING ALL)")
        cursor.execute("ALTER TABLE floor.landed ADD FOREIGN KEY (account_id) REFERENCES accounts_account")
        with cursor.copy(f"COPY ({_LANDED}) TO STDOUT") as out:
            rendered = [bytes(block) for block in out]
        seconds = timed(lambda: _pour(rendered))
        cursor.execute("DROP TABLE floor.landed")
    return seconds


def _pour(rendered: list[bytes]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY floor.landed ({_COLUMNS}) FROM STDIN") as into:
        for block in rendered:
            into.write(block)


def timed(work: Callable[[], object]) -> float:
    """How long it takes, in seconds."""
    started = perf_counter()
    work()
    return perf_counter() - started
