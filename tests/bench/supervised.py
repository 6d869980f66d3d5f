"""What supervisors look at, added to the book: teams and people, their calls, promises and time, costs, and events.

By INSERT … SELECT as the rest of the book. About a sixth of the accounts have been worked on in the last 130 days.
"""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import connection

from agents.models import Agent, Team
from tests.bench import book
from tests.bench.strategy import DAY, EVE

TEAMS, PEOPLE = 8, 120
#: Who looks at the figures.
SUPERVISOR = "bench-supervisor"


def add_people() -> None:
    """Teams with their agents, and a supervisor of all of them; products and currencies. Before there is money."""
    teams = Team.objects.bulk_create(Team(name=f"Team {number:02d}") for number in range(1, TEAMS + 1))
    Agent.objects.bulk_create(
        Agent(username=f"caller{number:03d}", team=teams[number % TEAMS], password="!") for number in range(PEOPLE)
    )
    supervisor = Agent.objects.create(username=SUPERVISOR, password="!")
    supervisor.groups.add(Group.objects.get(name="supervisor"))
    with connection.cursor() as cursor:
        cursor.execute(_SORTS)


def add_work() -> None:
    """What they did, and what came of it. After the money and the history of dunning."""
    with connection.cursor() as cursor:
        for statement in _WORK.split(";\n"):
            cursor.execute(statement, {"day": DAY, "eve": EVE, "people": PEOPLE})
    book.tidy()


def add_events(count: int) -> None:
    """So many more events, in order; every thousandth number is missing, as where a transaction was rolled back."""
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, {"count": count, "eve": EVE})
    book.tidy()


_SORTS = """
    UPDATE accounts_account SET product = (ARRAY['postpaid', 'prepaid', 'fibre', 'tv', 'bundle'])[1 + mod(id, 5)],
           currency = CASE WHEN mod(id / 11, 5) = 4 THEN 'EUR' ELSE 'USD' END
"""

_WORK = """
    UPDATE dunning_case SET segment = (ARRAY['new', 'value', 'long-standing', 'business'])[1 + mod(account_id / 13, 4)];
    INSERT INTO dunning_case (opened_on, closed_on, close_reason, segment, stage, last_step_on, warnings_from,
                              account_id, version_id)
    SELECT %(eve)s - 200 + mod(a.id, 60)::int, %(eve)s - mod(a.id, 150)::int, 'paid',
           (ARRAY['new', 'value', 'long-standing', 'business'])[1 + mod(a.id / 13, 4)], 'step-1',
           %(eve)s - 190 + mod(a.id, 60)::int, %(eve)s - 200 + mod(a.id, 60)::int, a.id, v.id
      FROM accounts_account a JOIN dunning_policy p ON p.code = a.segment
      JOIN dunning_policyversion v ON v.policy_id = p.id
     WHERE mod(a.id, 7) = 3 AND NOT EXISTS (SELECT 1 FROM dunning_case c WHERE c.account_id = a.id);
    INSERT INTO dunning_experiment (code, name, policy_id, state, metric, metric_days, starts_on, ends_on, created_by,
                                    created_at, started_by, end_reason)
    SELECT 'gentle', 'Gentle', id, 'planned', 'collected', 30, %(eve)s - 90, %(eve)s + 90, 'bench', now(), '', ''
      FROM dunning_policy WHERE code = 'strategy-1';
    INSERT INTO dunning_arm (experiment_id, code, role, share, holdout_days, position, stop_reason)
    SELECT e.id, r.code, r.code, r.share, r.holdout_days, r.position, ''
      FROM dunning_experiment e, (VALUES ('champion', 8000, NULL, 0), ('holdout', 2000, 30, 1))
           r(code, share, holdout_days, position);
    INSERT INTO dunning_assignment (experiment_id, arm_id, account_id, "on", overdue)
    SELECT r.experiment_id, r.id, a.id, %(eve)s - mod(a.id, 80)::int, a.overdue
      FROM accounts_account a JOIN dunning_arm r ON (r.role = 'holdout') = (mod(a.id / 19, 5) = 0)
     WHERE a.segment = 'strategy-1' AND (a.overdue > 0 OR mod(a.id, 7) = 3);
    INSERT INTO agents_workitem (kind, reason, score, score_parts, created_at, draft, done_at, outcome,
                                 uncallable_because, pinned_by, pinned_because, account_id, team_id)
    SELECT 'collect', '', mod(a.id * 7919, 1000), '[]', %(eve)s::timestamptz - interval '1 day' * mod(a.id, 90), '{}',
           CASE WHEN a.overdue = 0 THEN %(eve)s::timestamptz - interval '1 day' * mod(a.id, 60) END,
           CASE WHEN a.overdue = 0 THEN 'paid' ELSE '' END, '', '', '', a.id, t.id
      FROM accounts_account a
      JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM agents_team) t ON t.place = mod(a.id / 17, 8)
     WHERE a.overdue > 0 OR mod(a.id, 7) = 3;
    CREATE TEMP TABLE bench_worked AS
    SELECT row_number() OVER (ORDER BY hashint8(id)) - 1 AS place, id, overdue, currency FROM accounts_account
     WHERE overdue > 0 OR mod(id, 7) = 3;
    CREATE UNIQUE INDEX ON bench_worked (place);
    CREATE TEMP TABLE bench_person AS
    SELECT row_number() OVER (ORDER BY id) - 1 AS place, id, username FROM agents_agent WHERE team_id IS NOT NULL;
    CREATE TEMP TABLE bench_call AS
    SELECT n, w.id AS account_id, w.overdue, w.currency, p.id AS agent_id, p.username,
           %(eve)s::timestamptz - interval '1 minute' * (mod(n * 104729, 130 * 1440)) + interval '12 hours' AS at,
           (ARRAY['no_answer', 'no_answer', 'no_answer', 'voicemail', 'voicemail', 'busy', 'third_party', 'rpc_promise',
                  'rpc_refused', 'rpc_callback'])[1 + abs(mod(hashint8(n), 10))] AS disposition
      FROM (SELECT generate_series(1, (SELECT count(*) * 5 FROM bench_worked))) g(n)
      JOIN bench_worked w ON w.place = mod(g.n * 31, (SELECT count(*) FROM bench_worked))
      JOIN bench_person p ON p.place = mod(g.n * 17, %(people)s)
     WHERE mod(g.n * 104729, 1440) < 1320;
    DELETE FROM bench_call WHERE at > %(eve)s::timestamptz + interval '20 hours';
    INSERT INTO agents_interaction (ref, kind, direction, disposition, right_party, number, at, duration_seconds, note,
                                    override_code, nonpayment_reason, said, also_about, wrap_seconds, account_id,
                                    agent_id)
    SELECT 'call-' || n, 'call', CASE WHEN mod(n, 12) = 0 THEN 'inbound' ELSE 'outbound' END, disposition,
           disposition LIKE 'rpc%%', '', at, 30 + mod(n, 300), '', '', '', '{}', '{}', 40 + mod(n, 60), account_id,
           agent_id
      FROM bench_call ORDER BY at;
    INSERT INTO agents_promise (ref, amount, made_on, due_on, bill_refs, status, paid_before, paid, settled_on, note,
                                taken_by, agreed_by, read_back, account_id)
    SELECT 'word-' || n, greatest(overdue, 20), at::date, at::date + 10, '{}',
           CASE WHEN at::date + 14 > %(eve)s THEN 'open' WHEN mod(n, 5) < 3 THEN 'kept' WHEN mod(n, 5) = 3
                THEN 'part_kept' ELSE 'broken' END,
           0, CASE WHEN at::date + 14 > %(eve)s THEN 0 WHEN mod(n, 5) < 3 THEN greatest(overdue, 20)
                   WHEN mod(n, 5) = 3 THEN 5 ELSE 0 END,
           CASE WHEN at::date + 14 > %(eve)s THEN NULL ELSE at::date + 12 END, '', 'agent:' || username, 'phone', '',
           account_id
      FROM bench_call WHERE disposition = 'rpc_promise';
    INSERT INTO dunning_notice (key, step_code, template, channel, fallbacks, language, tone, bill_refs, amount,
                                currency, made_on, consequence, state, reason, attempts, address, subject, body,
                                segments, print_run, provider_ref, sent_at, delivered_at, account_id, customer_id)
    SELECT 'bench-' || n, 'step-1', 'reminder', (ARRAY['sms', 'sms', 'email', 'letter'])[1 + mod(n, 4)], '{}', 'en', '',
           '{}', greatest(overdue, 10), currency, at::date, CASE WHEN mod(n, 9) = 0 THEN 'outgoing_barred' ELSE '' END,
           'delivered', '', 1, '', '', '', 1, '', '', at, at, account_id, account_id
      FROM bench_call WHERE mod(n, 2) = 0;
    INSERT INTO dunning_gatedecision (action, automated, actor, at, local_times, outcome, rule_ids, reasons, packs,
                                      facts_digest, address_digest, override_code, override_reason, overridden_by,
                                      account_id, customer_id)
    SELECT 'call', false, 'agent:' || username, at, '{}', CASE WHEN mod(n, 15) = 0 THEN 'BLOCK' ELSE 'ALLOW' END,
           CASE WHEN mod(n, 15) = 0 THEN ARRAY['US-' || mod(n, 7)] ELSE '{}' END, '{}', '{}', md5(n::text), '',
           '', '', CASE WHEN mod(n, 300) = 0 THEN 'agent:' || username ELSE '' END, account_id, account_id
      FROM bench_call;
    INSERT INTO agents_survey (about, asked_at, answered_at, score, reasons, comment, account_id, agent_id)
    SELECT 'call', at, CASE WHEN mod(n, 3) = 0 THEN at + interval '1 hour' END,
           CASE WHEN mod(n, 3) = 0 THEN 1 + mod(n / 3, 5) END, '{}', '', account_id, agent_id
      FROM bench_call WHERE mod(n, 40) IN (3, 6);
    INSERT INTO agents_complaint (ref, received_on, channel, category, text, state, acknowledge_by, answer_by,
                                  closed_on, outcome, answer, cause, redress, taken_by, closed_by, account_id, about_id)
    SELECT 'complaint-' || n, at::date, 'call', 'conduct', '', 'closed', at::date + 5, at::date + 30, at::date + 20,
           (ARRAY['upheld', 'rejected', 'partly_upheld'])[1 + mod(n, 3)], '', '', 0, 'agent:' || username, '',
           account_id, agent_id
      FROM bench_call WHERE mod(n, 150) = 1;
    INSERT INTO agents_stretch (what, begun_at, seen_at, ended_at, agent_id)
    SELECT CASE WHEN hour = 11 THEN 'break' ELSE 'work' END, day + interval '1 hour' * hour,
           day + interval '1 hour' * (hour + 2), day + interval '1 hour' * (hour + 2), p.id
      FROM bench_person p, generate_series(%(eve)s::timestamptz - interval '130 days', %(eve)s, interval '1 day') day,
           unnest(ARRAY[9, 11, 13, 15]) hour;
    INSERT INTO agents_cost (kind, currency, amount, from_on)
    SELECT k.kind, c.currency, k.amount, %(eve)s - 400
      FROM (VALUES ('agent_hour', 24.0), ('call_minute', 0.02), ('sms', 0.04), ('email', 0.001), ('letter', 0.95),
                   ('overhead_month', 40000)) k(kind, amount), (VALUES ('USD'), ('EUR')) c(currency);
    INSERT INTO dunning_serviceorder (key, kind, rung, step_code, made_on, state, reason, attempts, provider_ref,
                                      sent_at, confirmed_at, account_id, service_id)
    SELECT 'limit-' || n, 'limit', 'outgoing_barred', 'step-5', at::date, 'confirmed', '', 1, '', at, at, account_id,
           account_id
      FROM bench_call WHERE mod(n, 60) = 4;
    INSERT INTO accounts_adjustment (ref, "on", amount, kind, bill_ref, reason, dispute_ref, fee_ref, posted_amount,
                                     account_id)
    SELECT 'off-' || b.id, %(eve)s - mod(b.id, 80)::int, -b.open_amount, 'write_off', b.ref, '', '', '', -b.open_amount,
           b.account_id
      FROM accounts_bill b WHERE b.open_amount > 0 AND b.due_on < %(eve)s - 95 AND mod(b.account_id, 20) = 3;
    INSERT INTO dunning_writeoff ("on", amount, tax_amount, currency, reason, actor, segment, product, days_past_due,
                                  account_id)
    SELECT j."on", -sum(j.amount), 0, min(a.currency), 'bench', 'bench', '', '', 100, j.account_id
      FROM accounts_adjustment j JOIN accounts_account a ON a.id = j.account_id GROUP BY j.account_id, j."on";
    UPDATE accounts_bill b SET open_amount = 0, disputed_amount = 0 FROM accounts_adjustment j
     WHERE j.bill_ref = b.ref AND j.kind = 'write_off';
    UPDATE accounts_account a
       SET open_amount = coalesce(s.open, 0), overdue = coalesce(s.overdue, 0), disputed = coalesce(s.disputed, 0),
           overdue_disputed = coalesce(s.contested, 0), oldest_due_on = s.oldest
      FROM (SELECT DISTINCT account_id FROM accounts_adjustment) j
      LEFT JOIN (SELECT account_id, sum(open_amount) AS open, sum(disputed_amount) AS disputed,
                        sum(open_amount - disputed_amount) FILTER (WHERE due_on < %(eve)s) AS overdue,
                        sum(disputed_amount) FILTER (WHERE due_on < %(eve)s) AS contested,
                        min(due_on) FILTER (WHERE due_on < %(eve)s AND open_amount > disputed_amount) AS oldest
                   FROM accounts_bill WHERE open_amount > 0 GROUP BY account_id) s USING (account_id)
     WHERE a.id = j.account_id;
    DROP TABLE bench_call;
    DROP TABLE bench_worked;
    DROP TABLE bench_person
"""

_EVENTS = """
    INSERT INTO accounts_accountevent (id, account_id, kind, actor, at, "on", reason, policy, payload)
    SELECT a.last + n + n / 1000, 1 + mod(n * 7919, a.accounts), k.kind,
           CASE WHEN k.ours THEN 'policy:strategy-1@1' ELSE 'agent:caller' || lpad(mod(n, 120)::text, 3, '0') END,
           m.at, m.at::date, CASE WHEN mod(n, 3) = 0 THEN 'Reminder sent by text message' ELSE '' END,
           CASE WHEN k.ours THEN 'strategy-1@1' ELSE '' END,
           CASE k.place
               WHEN 0 THEN jsonb_build_object('step', 'step-' || mod(n, 6), 'channel', 'sms', 'case', n)
               WHEN 1 THEN jsonb_build_object('from', 'current', 'to', 'overdue', 'amount', mod(n, 9000) || '.00')
               WHEN 2 THEN jsonb_build_object('disposition', 'no_answer', 'seconds', mod(n, 300), 'right_party', false)
               ELSE jsonb_build_object('payment', 'P' || n, 'amount', (mod(n, 90) + 10) || '.50', 'bills',
                                       jsonb_build_array('B' || n, 'B' || n + 1))
           END
      FROM generate_series(1, %(count)s::bigint) AS n
     CROSS JOIN (SELECT count(*) AS accounts, (SELECT coalesce(max(id), 0) FROM accounts_accountevent) AS last
                   FROM accounts_account) a
     CROSS JOIN LATERAL (
           SELECT %(eve)s::timestamptz + interval '20 hours'
                  - interval '1 second' * ((%(count)s - n) * 31536000.0 / %(count)s)
           ) m(at)
      JOIN (VALUES (0, 'dunning.step.taken', true), (1, 'accounts.status.changed', true),
                   (2, 'agents.call.logged', false), (3, 'accounts.money.moved', false)) k(place, kind, ours)
        ON k.place = mod(n, 4)
     ORDER BY n
"""
