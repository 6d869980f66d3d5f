"""What people do and what customers say of it: calls, promises, answers, complaints, refusals.

Promises that nobody judged, and accounts that paid after a conversation, are read one by one.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import F, Q

from accounts.position import CHUNK, books_of
from agents import scopes, standing
from agents.counting import (
    CALLS,
    EARLIEST_HOUR,
    LATENCY_DAYS,
    LATEST_HOUR,
    NO_SLIP,
    NOT_GIVEN_ANEW,
    RESOLVED_DAYS,
    Tally,
    agent_in,
    in_chunks,
    read_rows,
)
from agents.kpi_formulas import is_kept
from agents.models import Promise
from agents.period import midnight


def calls(tally: Tally) -> None:
    tally.of_people(
        CALLS,
        tally.params(),
        sums="""count(*) FILTER (WHERE connected) AS connected, count(*) FILTER (WHERE right_party) AS right_party,
            count(*) FILTER (WHERE direction = 'outbound') AS attempts,
            count(*) FILTER (WHERE direction = 'outbound' AND connected) AS attempts_connected,
            count(*) FILTER (WHERE direction = 'outbound' AND right_party) AS attempts_right_party,
            count(DISTINCT account_id) AS accounts_worked,
            count(DISTINCT account_id) FILTER (WHERE direction = 'outbound') AS accounts_called,
            count(DISTINCT account_id) FILTER (WHERE direction = 'outbound' AND connected) AS accounts_connected,
            count(DISTINCT account_id) FILTER (WHERE right_party) AS accounts_right_party""",
    )
    tally.of_people(
        f"""SELECT DISTINCT ON (c.account_id) c.account_id, c.agent,
                   greatest(coalesce(o.b1 + o.b2 + o.b3 + o.b4 + o.b5, 0),
                            coalesce(n.b1 + n.b2 + n.b3 + n.b4 + n.b5, 0)) AS late
              FROM ({CALLS}) c
              LEFT JOIN figures_at o ON o.account_id = c.account_id AND o."on" = %(start)s
              LEFT JOIN figures_at n ON n.account_id = c.account_id AND n."on" = %(end)s
             WHERE c.right_party ORDER BY c.account_id, c.at DESC""",
        tally.params(),
        sums="sum(late) AS late_and_reached",
    )


def contacts(tally: Tally) -> None:
    """Every time that we turned to a customer: calls we made, messages sent by people and by the desk."""
    tally.of_people(
        f"""SELECT i.account_id, coalesce(p.username, '') AS agent FROM agents_interaction i
             LEFT JOIN figures_person p ON p.id = i.agent_id
            WHERE i.direction = 'outbound' AND i.at >= %(from_at)s AND i.at < %(to_at)s AND {NOT_GIVEN_ANEW}
           UNION ALL
           SELECT account_id, '' FROM dunning_notice WHERE sent_at >= %(from_at)s AND sent_at < %(to_at)s""",
        tally.params(),
        sums="count(*) AS contacts, count(DISTINCT account_id) AS accounts_contacted",
    )


def promises(tally: Tally) -> None:
    """One promise an account and day, the largest; what customers promise on their own page is not won by a call."""
    tally.of_people(
        f"""SELECT DISTINCT ON (account_id, made_on) account_id, {agent_in("taken_by")} AS agent, amount
              FROM agents_promise p
             WHERE made_on > %(start)s AND made_on <= %(end)s AND left(taken_by, 9) <> 'customer:' AND {NO_SLIP}
             ORDER BY account_id, made_on, amount DESC, id""",
        tally.params(),
        sums="count(*) AS promises_won, sum(amount) AS promised",
    )


def promises_kept(tally: Tally) -> None:
    """Promises that fell due, as the desk judged them; those nobody judged by the period's end by what was paid."""
    tally.of_people(
        f"""SELECT account_id, {agent_in("taken_by")} AS agent, status, amount, least(paid, amount) AS paid,
                   status = 'cancelled' AND (settled_on IS NULL OR settled_on <= due_on) AS taken_back,
                   status <> 'open' AND settled_on <= %(end)s AS judged
              FROM agents_promise p WHERE due_on > %(start)s AND due_on <= %(end)s AND {NO_SLIP}""",
        tally.params(),
        sums=f"""count(*) AS promises_due, count(*) FILTER (WHERE taken_back) AS promises_taken_back,
            {_judged("NOT taken_back AND judged")}""",
    )
    end = tally.period.end
    open_still = ~(Q(settled_on__lte=end) & ~Q(status=Promise.Status.OPEN))
    waiting = (
        Promise.objects.filter(tally.period.covers("due_on"))
        .exclude(Q(status=Promise.Status.CANCELLED) & (Q(settled_on__isnull=True) | Q(settled_on__lte=F("due_on"))))
        .filter(open_still | Q(settled_on__isnull=True))
        .order_by("account_id")
    )
    grace = timedelta(days=settings.PROMISE_GRACE_DAYS)
    for chunk in in_chunks(waiting.iterator(chunk_size=CHUNK)):
        keys = [promise.account_id for promise in chunk]
        places, books = scopes.places_of(keys), books_of(keys, as_of=end)
        for promise in chunk:
            if promise.account_id not in places:
                continue
            payments = books[promise.account_id].paid_towards(bill_refs=promise.bill_refs, since=promise.made_on)
            last_day = promise.due_on + grace
            paid = sum((amount for on, amount in payments if on <= last_day), Decimal(0)) - promise.paid_before
            kept = is_kept(paid=paid, promised=promise.amount, kept_percent=settings.PROMISE_KEPT_PERCENT)
            if kept or last_day < end:
                place, agent = places[promise.account_id], _login(promise.taken_by)
                paid = min(max(paid, Decimal(0)), promise.amount)
                state = "kept" if kept else "part_kept" if paid else "broken"
                for key, amount in (("", promise.amount), ("_paid", paid)):
                    tally.parts.said(place, agent, (f"judged{key}", state), amount)
                tally.parts.said(place, agent, ("judged_count", state), 1)


def _judged(where: str) -> str:
    """SQL: how many of each state, what they promised and what was paid of it."""
    return ", ".join(
        f"""
        count(*) FILTER (WHERE {where} AND status = '{state}') AS "judged_count {state}",
        sum(amount) FILTER (WHERE {where} AND status = '{state}') AS "judged {state}",
        sum(paid) FILTER (WHERE {where} AND status = '{state}') AS "judged_paid {state}"
        """
        for state in JUDGED
    )


#: What became of a promise that fell due; cancelled after its day, it was not kept either.
JUDGED = ("kept", "part_kept", "broken", "cancelled")


def _login(actor: str) -> str:
    return actor.removeprefix("agent:") if actor.startswith("agent:") else ""


def latency(tally: Tally) -> None:
    """Days from the last, and the first, conversation of ``LATENCY_DAYS`` to each payment; payments without any."""
    period = tally.period
    params = tally.params(within=LATENCY_DAYS, calls_from=midnight(period.start + timedelta(days=1 - LATENCY_DAYS)))
    paid = """
        SELECT p.id, p.account_id, p.received_on FROM accounts_payment p
         WHERE p.received_on > %(start)s AND p.received_on <= %(end)s AND p.reverses_id IS NULL
           AND NOT EXISTS (SELECT 1 FROM accounts_payment r WHERE r.reverses_id = p.id AND r.received_on <= %(end)s)
    """
    reached = """
        SELECT i.account_id, coalesce(u.username, '') AS agent, i.at, (i.at AT TIME ZONE %(zone)s)::date AS on
          FROM agents_interaction i LEFT JOIN figures_person u ON u.id = i.agent_id
         WHERE i.kind = 'call' AND i.right_party AND i.undone_at IS NULL
           AND i.at >= %(calls_from)s AND i.at < %(to_at)s
    """
    matched = f"""
        SELECT p.id, p.account_id, c.agent, p.received_on - c.on AS days, c.at
          FROM ({paid}) p JOIN ({reached}) c ON c.account_id = p.account_id
           AND c.on BETWEEN p.received_on - %(within)s AND p.received_on
    """
    for name, order in (("latency", "DESC"), ("latency_of_first", "ASC")):
        tally.of_people(
            f"SELECT DISTINCT ON (id) account_id, agent, days FROM ({matched}) m ORDER BY id, at {order}",
            params,
            by=["days"],
            sums=f"count(*) AS {name}",
        )
    tally.of_accounts(paid, params, sums="count(*) AS payments")


def resolved(tally: Tally) -> None:
    """Accounts reached ``RESOLVED_DAYS`` back: paid, or with a plan, and in no need of another call since."""
    cohort = tally.period.earlier(RESOLVED_DAYS)
    params = tally.params(cohort, within=RESOLVED_DAYS)
    rows = list(
        read_rows(
            """
            WITH reached AS (
                SELECT DISTINCT ON (i.account_id) i.account_id, coalesce(u.username, '') AS agent, i.at,
                       (i.at AT TIME ZONE %(zone)s)::date AS on
                  FROM agents_interaction i LEFT JOIN figures_person u ON u.id = i.agent_id
                  JOIN figures_account f ON f.account_id = i.account_id
                 WHERE i.kind = 'call' AND i.right_party AND i.undone_at IS NULL
                   AND i.at >= %(from_at)s AND i.at < %(to_at)s
                 ORDER BY i.account_id, i.at
            )
            SELECT r.account_id, r.agent, r.on,
                   EXISTS (SELECT 1 FROM agents_interaction i WHERE i.account_id = r.account_id AND i.kind = 'call'
                              AND i.undone_at IS NULL AND i.at > r.at
                              AND (i.at AT TIME ZONE %(zone)s)::date <= r.on + %(within)s) AS again,
                   EXISTS (SELECT 1 FROM agents_plan p WHERE p.account_id = r.account_id
                              AND p.made_on BETWEEN r.on AND r.on + %(within)s
                              AND p.status NOT IN ('cancelled', 'pending_approval')) AS planned,
                   EXISTS (SELECT 1 FROM accounts_payment p WHERE p.account_id = r.account_id AND p.reverses_id IS NULL
                              AND p.received_on BETWEEN r.on AND r.on + %(within)s) AS paid
              FROM reached r
            """,
            params,
        )
    )
    to_look_at: dict[date, list[int]] = defaultdict(list)
    for row in rows:
        if row["paid"] and not row["again"] and not row["planned"]:
            to_look_at[row["on"]].append(row["account_id"])
    owing: set[int] = set()
    for on, accounts in sorted(to_look_at.items()):
        for chunk in in_chunks(accounts):
            bills = standing.bills_of(chunk, on=on + timedelta(days=RESOLVED_DAYS))
            owing.update(bill.account_id for bill in bills if bill.due_on < on)
    for part in in_chunks(rows):
        places = scopes.places_of(row["account_id"] for row in part)
        for row in part:
            place = places[row["account_id"]]
            tally.parts.said(place, row["agent"], ("reached_before",), 1)
            if not row["again"] and (row["planned"] or (row["paid"] and row["account_id"] not in owing)):
                tally.parts.said(place, row["agent"], ("resolved_at_once",), 1)


def answers(tally: Tally) -> None:
    """Customers asked how they were treated, and what they answered."""
    who = "LEFT JOIN figures_person p ON p.id = s.agent_id"
    tally.of_people(
        f"""SELECT s.account_id, coalesce(p.username, '') AS agent, s.score FROM agents_survey s {who}
             WHERE s.answered_at >= %(from_at)s AND s.answered_at < %(to_at)s AND s.score IS NOT NULL""",
        tally.params(),
        sums="count(*) AS answers, count(*) FILTER (WHERE score >= 4) AS satisfied, sum(score) AS score",
    )
    tally.of_people(
        f"""SELECT s.account_id, coalesce(p.username, '') AS agent,
                   s.answered_at < %(to_at)s AND s.score IS NOT NULL AS came
              FROM agents_survey s {who} WHERE s.asked_at >= %(from_at)s AND s.asked_at < %(to_at)s""",
        tally.params(),
        sums="count(*) AS asked, count(*) FILTER (WHERE came) AS asked_and_answered",
    )
    if next(read_rows("SELECT EXISTS (SELECT 1 FROM agents_survey WHERE score IS NOT NULL) AS any", {}))["any"]:
        tally.parts.known.add("answers")


def complaints(tally: Tally) -> None:
    rows = """SELECT c.account_id, coalesce(p.username, '') AS agent, c.repeats_id IS NOT NULL AS again, c.outcome,
                     c.closed_on - c.received_on AS days
                FROM agents_complaint c LEFT JOIN figures_person p ON p.id = c.about_id"""
    tally.of_people(
        f"{rows} WHERE c.received_on > %(start)s AND c.received_on <= %(end)s",
        tally.params(),
        sums="count(*) AS complaints, count(*) FILTER (WHERE again) AS complaints_again",
    )
    tally.of_people(
        f"{rows} WHERE c.closed_on > %(start)s AND c.closed_on <= %(end)s",
        tally.params(),
        sums="""count(*) AS complaints_closed, sum(days) AS complaints_days,
            count(*) FILTER (WHERE outcome <> 'withdrawn') AS complaints_decided,
            count(*) FILTER (WHERE outcome IN ('upheld', 'partly_upheld')) AS complaints_upheld""",
    )
    if next(read_rows("SELECT EXISTS (SELECT 1 FROM agents_complaint) AS any", {}))["any"]:
        tally.parts.known.add("complaints")


def gate(tally: Tally) -> None:
    """What the contact gate was asked, refused, and what went on all the same; contacts at an hour nobody allows."""
    rows = f"""SELECT account_id, {agent_in("actor")} AS agent, outcome IN ('BLOCK', 'HOLD') AS refused,
                      overridden_by <> '' AS overridden, rule_ids
                 FROM dunning_gatedecision WHERE at >= %(from_at)s AND at < %(to_at)s"""
    tally.of_people(
        rows,
        tally.params(),
        sums="count(*) AS gate_asked, count(*) FILTER (WHERE refused) AS gate_refused, "
        "count(*) FILTER (WHERE overridden) AS gate_overridden",
    )
    tally.of_people(
        f"SELECT account_id, agent, overridden, unnest(rule_ids) AS rule FROM ({rows}) d WHERE refused OR overridden",
        tally.params(),
        by=["rule"],
        sums="count(*) AS rule_refused, count(*) FILTER (WHERE overridden) AS rule_overridden",
    )
    tally.of_people(
        f"""
        WITH zone AS MATERIALIZED (SELECT name FROM pg_timezone_names), contact AS (
            SELECT i.account_id, coalesce(p.username, '') AS agent, i.at FROM agents_interaction i
              LEFT JOIN figures_person p ON p.id = i.agent_id
             WHERE i.direction = 'outbound' AND i.kind IN ('call', 'sms') AND {NOT_GIVEN_ANEW}
               AND i.at >= %(from_at)s AND i.at < %(to_at)s
            UNION ALL
            SELECT account_id, '', sent_at FROM dunning_notice
             WHERE channel IN ('sms', 'voice') AND sent_at >= %(from_at)s AND sent_at < %(to_at)s
        )
        SELECT c.account_id, c.agent, extract(hour FROM c.at AT TIME ZONE coalesce(z.name, %(zone)s)) AS hour
          FROM contact c JOIN accounts_account a ON a.id = c.account_id
          JOIN accounts_customer u ON u.id = a.customer_id LEFT JOIN zone z ON z.name = u.timezone
        """,
        tally.params(earliest=EARLIEST_HOUR, latest=LATEST_HOUR),
        sums="count(*) AS timed_contacts, "
        "count(*) FILTER (WHERE hour < %(earliest)s OR hour >= %(latest)s) AS outside_hours",
    )


def heat(tally: Tally) -> None:
    """Calls we made by the weekday (0 is Monday) and the hour of the operator."""
    tally.of_people(
        f"""SELECT account_id, agent, right_party, extract(isodow FROM at AT TIME ZONE %(zone)s)::int - 1 AS weekday,
                   extract(hour FROM at AT TIME ZONE %(zone)s)::int AS hour
              FROM ({CALLS}) c WHERE direction = 'outbound'""",
        tally.params(),
        by=["weekday", "hour"],
        sums="count(*) AS heat_attempts, count(*) FILTER (WHERE right_party) AS heat_right_party",
    )


def funnels(tally: Tally) -> None:
    """Accounts that were in the queue; that promised; that kept what they had promised in the period."""
    tally.of_accounts(
        """SELECT DISTINCT account_id FROM agents_workitem
            WHERE created_at < %(to_at)s AND (done_at IS NULL OR done_at >= %(from_at)s)""",
        tally.params(),
        sums="count(*) AS accounts_queued",
    )
    tally.of_people(
        f"""SELECT account_id, {agent_in("taken_by")} AS agent, amount,
                   status = 'kept' AND settled_on <= %(end)s AS kept
              FROM agents_promise p WHERE made_on > %(start)s AND made_on <= %(end)s AND {NO_SLIP}""",
        tally.params(),
        sums="""count(*) AS promises_made, sum(amount) AS promises_made_amount,
            count(DISTINCT account_id) AS accounts_promised,
            count(DISTINCT account_id) FILTER (WHERE kept) AS accounts_kept""",
    )
