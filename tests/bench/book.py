"""The floors' accounts told as our book, by INSERT … SELECT: the same money, and the history that led to the day.

The book stands as the desk left it on the evening before: amounts maintained, cases open where the strategy has begun,
their steps and delivered notices written, holds and promises in force.
"""

from __future__ import annotations

from datetime import UTC, datetime, time

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection

from accounts import business_day
from dunning import writing
from tests.bench.strategy import DAY, EVE, MESSAGES, STRATEGIES, document_of

ACTOR = "bench"
NOON = datetime.combine(DAY, time(12), tzinfo=UTC)


def add_accounts() -> None:
    """Policies, customers, accounts and their services; no money yet."""
    evening = datetime.combine(EVE, time(12), tzinfo=UTC)
    for strategy in STRATEGIES:
        draft = writing.save_draft(document_of(strategy), actor=ACTOR, at=evening)
        writing.publish(draft, actor=ACTOR, at=evening)
    _execute(_ACCOUNTS)
    business_day.move_to(EVE)
    business_day.complete(EVE)
    tidy()


def add_money_and_history() -> None:
    """Bills and payments with what they leave open, and what dunning did about it so far."""
    _execute(_MONEY)
    tidy()
    _execute(_HISTORY)
    tidy()


def add_queue() -> None:
    """Every account in the agents' queue."""
    _execute(_QUEUE)
    tidy()


def tidy() -> None:
    """Sequences behind the keys given, and statistics as a server at rest has them."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(apps.get_models())):
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE")


def _execute(statements: str) -> None:
    parameters = {"day": DAY, "eve": EVE, "messages": list(MESSAGES)}
    with connection.cursor() as cursor:
        for statement in statements.split(";\n"):
            cursor.execute(statement, parameters)


_ACCOUNTS = """
    INSERT INTO accounts_customer (id, ref, name, kind, language, timezone, country, region, city, postal_code, address,
                                   email, phone)
    SELECT id, 'C' || id, 'Customer ' || id, 'residential', (ARRAY['en', 'es'])[1 + mod(id, 2)], 'America/New_York',
           'US', 'NY', 'Springfield', lpad(mod(id, 99999)::text, 5, '0'), id || ' Harbour Street',
           'customer' || id || '@example.com', '+1202' || lpad(id::text, 7, '0')
      FROM floor.account ORDER BY id;
    INSERT INTO accounts_account (id, ref, currency, opened_on, product, payment_method, segment, pays_itself, status,
                                  open_amount, overdue, overdue_disputed, disputed, unapplied, fees, taken_over_stage,
                                  customer_id)
    SELECT id, 'A' || id, 'USD', date '2024-01-01', 'postpaid', 'card', 'strategy-' || strategy, false, 'current',
           0, 0, 0, 0, 0, 0, '', id
      FROM floor.account ORDER BY id;
    INSERT INTO accounts_service (id, ref, kind, number, protected, status, reported_status, account_id)
    SELECT id, 'S' || id, 'mobile', '+1202' || lpad(id::text, 7, '0'), false, 'active', '', id
      FROM floor.account ORDER BY id
"""

_MONEY = """
    INSERT INTO accounts_bill (id, ref, issued_on, due_on, amount, status, open_amount, disputed_amount, posted_amount,
                               account_id)
    SELECT b.id, 'B' || b.id, b.due_on - 21, b.due_on, b.amount, 'issued', b.amount - coalesce(p.paid, 0),
           CASE WHEN a.disputed THEN b.amount - coalesce(p.paid, 0) ELSE 0 END, b.amount, b.account_id
      FROM floor.bill b JOIN floor.account a ON a.id = b.account_id
      LEFT JOIN (SELECT bill_id, sum(amount) AS paid FROM floor.payment WHERE received_on <= %(eve)s GROUP BY 1) p
        ON p.bill_id = b.id
     ORDER BY b.id;
    INSERT INTO accounts_payment (id, ref, received_on, amount, method, bill_ref, posted_amount, account_id)
    SELECT id, 'P' || id, received_on, amount, 'card', 'B' || bill_id,
           CASE WHEN received_on <= %(eve)s THEN amount ELSE 0 END, account_id
      FROM floor.payment WHERE amount > 0 ORDER BY id;
    UPDATE accounts_account a
       SET open_amount = s.open, overdue = s.overdue, overdue_disputed = s.contested, disputed = s.disputed,
           oldest_due_on = s.oldest, status = CASE WHEN s.overdue > 0 THEN 'overdue' ELSE 'current' END
      FROM (SELECT account_id, sum(open_amount) AS open, sum(disputed_amount) AS disputed,
                   coalesce(sum(open_amount - disputed_amount) FILTER (WHERE due_on < %(eve)s), 0) AS overdue,
                   coalesce(sum(disputed_amount) FILTER (WHERE due_on < %(eve)s), 0) AS contested,
                   min(due_on) FILTER (WHERE due_on < %(eve)s AND open_amount > disputed_amount) AS oldest
              FROM accounts_bill WHERE open_amount > 0 GROUP BY account_id) s
     WHERE s.account_id = a.id;
    INSERT INTO accounts_hold (ref, reason, starts_on, ends_on, bill_refs, stops, stops_clock, placed_by, note,
                               lifted_by, account_id)
    SELECT 'D' || id, 'dispute', %(eve)s - 30, NULL, '{}', '{}', false, 'bench', '', '', id
      FROM floor.account WHERE disputed
"""

#: Who is past due at the close of the eve, with which bills.
_BEHIND = """
    (SELECT b.account_id, min(b.due_on) AS oldest, array_agg(b.ref ORDER BY b.due_on) AS refs,
            sum(b.open_amount) AS owed
       FROM accounts_bill b WHERE b.open_amount > 0 AND b.due_on < %(eve)s GROUP BY b.account_id)
"""
_HISTORY = f"""
    INSERT INTO accounts_hold (ref, reason, starts_on, ends_on, bill_refs, stops, stops_clock, placed_by, note,
                               lifted_by, account_id)
    SELECT 'R' || a.id, 'promise', %(eve)s - 20, a.promised_until, o.refs, '{{}}', false, 'bench', '', '', a.id
      FROM floor.account a JOIN {_BEHIND} o ON o.account_id = a.id WHERE a.promised_until IS NOT NULL;
    INSERT INTO agents_promise (ref, amount, made_on, due_on, bill_refs, status, paid_before, paid, note, taken_by,
                                agreed_by, read_back, account_id, hold_id)
    SELECT h.ref, o.owed, h.starts_on, h.ends_on - 3, h.bill_refs, 'open', 0, 0, '', 'bench', '', '', h.account_id, h.id
      FROM accounts_hold h JOIN {_BEHIND} o ON o.account_id = h.account_id
     WHERE h.reason = 'promise' AND h.ends_on >= %(eve)s;
    INSERT INTO dunning_case (opened_on, close_reason, segment, stage, last_step_on, next_on, warnings_from, account_id,
                              version_id)
    SELECT %(eve)s - 90, '', '', 'step-' || a.reached, coalesce(a.stepped_on, %(eve)s - 10),
           CASE WHEN a.disputed THEN NULL
                WHEN a.promised_until >= %(day)s THEN a.promised_until + 1
                ELSE greatest(%(day)s, coalesce(a.stepped_on, %(eve)s - 10) + v.min_gap_days, o.oldest + s.days) END,
           %(eve)s - 90, a.id, v.id
      FROM floor.account a JOIN {_BEHIND} o ON o.account_id = a.id
      JOIN dunning_policy p ON p.code = 'strategy-' || a.strategy
      JOIN dunning_policyversion v ON v.policy_id = p.id
      LEFT JOIN floor.step s ON s.strategy = a.strategy AND s.place = a.reached + 1
     WHERE a.reached > 0 ORDER BY a.id;
    INSERT INTO dunning_casestep (code, action, repeat, result, came_on, done_on, account_id, case_id)
    SELECT d.code, d.action, 0, 'taken', c.last_step_on - 7 * (a.reached - s.place)::int,
           c.last_step_on - 7 * (a.reached - s.place)::int, a.id, c.id
      FROM dunning_case c JOIN floor.account a ON a.id = c.account_id
      JOIN floor.step s ON s.strategy = a.strategy AND s.place <= a.reached
      JOIN dunning_step d ON d.version_id = c.version_id AND d.code = 'step-' || s.place
     ORDER BY c.id, s.place;
    INSERT INTO dunning_notice (key, step_code, template, channel, fallbacks, language, bill_refs, amount, currency,
                                made_on, pay_by_days, pay_by, consequence, state, reason, attempts, address, subject,
                                body, provider_ref, sent_at, delivered_at, account_id, case_id, customer_id, tone,
                                print_run)
    SELECT t.case_id || '.' || t.code || '.0.' || s.does, t.code, 'reminder', s.does, '{{}}', 'en', o.refs, o.owed,
           'USD', t.done_on, 10, t.done_on + 10, '', 'delivered', '', 1, '', '', '', '', t.done_on::timestamptz,
           t.done_on::timestamptz, t.account_id, t.case_id, t.account_id, '', ''
      FROM dunning_casestep t JOIN floor.account a ON a.id = t.account_id
      JOIN floor.step s ON s.strategy = a.strategy AND 'step-' || s.place = t.code AND s.does = ANY(%(messages)s)
      JOIN {_BEHIND} o ON o.account_id = a.id
     ORDER BY t.id
"""

_QUEUE = """
    INSERT INTO agents_workitem (kind, reason, score, score_parts, created_at, draft, outcome, uncallable_because,
                                 pinned_by, pinned_because, account_id)
    SELECT 'collect', '', (random() * 1000000)::int, '[]', now(), '{}', '', '', '', '', id
      FROM floor.account ORDER BY id
"""
