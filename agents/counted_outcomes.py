"""What came of collecting: money, paid bills, placements, accounts that left, warnings and limits, instalments."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

from django.conf import settings

from accounts.position import books_of, position_from
from agents import scopes
from agents.counting import CHURN_DAYS, LIQUIDATION_DAYS, WARNED_DAYS, Tally, in_chunks, read_rows


def received(tally: Tally) -> None:
    tally.of_accounts(
        """SELECT account_id, CASE WHEN reverses_id IS NULL THEN amount ELSE -amount END AS amount
             FROM accounts_payment WHERE received_on > %(start)s AND received_on <= %(end)s""",
        tally.params(),
        sums="sum(amount) AS received",
    )
    tally.of_accounts(
        """SELECT p.account_id, c.amount FROM dunning_commission c JOIN dunning_placement p ON p.id = c.placement_id
            WHERE c."on" > %(start)s AND c."on" <= %(end)s""",
        tally.params(),
        sums="sum(amount) AS commission",
    )


def paid_bills(tally: Tally) -> None:
    """Bills that payments naming them paid in full, the last of them in the period: days after the due date."""
    tally.of_accounts(
        """
        WITH last AS (
            SELECT DISTINCT account_id, bill_ref FROM accounts_payment
             WHERE received_on > %(start)s AND received_on <= %(end)s AND bill_ref <> '' AND reverses_id IS NULL
        ), reversed AS (
            SELECT reverses_id, sum(amount) AS amount FROM accounts_payment
             WHERE reverses_id IS NOT NULL AND received_on <= %(end)s GROUP BY reverses_id
        ), paid AS (
            SELECT b.account_id, b.due_on, b.amount, max(p.received_on) AS on,
                   sum(p.amount - coalesce(r.amount, 0)) AS paid
              FROM last JOIN accounts_bill b ON b.account_id = last.account_id AND b.ref = last.bill_ref
              JOIN accounts_payment p ON p.account_id = b.account_id AND p.bill_ref = b.ref
                   AND p.reverses_id IS NULL AND p.received_on <= %(end)s
              LEFT JOIN reversed r ON r.reverses_id = p.id
             WHERE b.amount > 0
             GROUP BY b.id
        )
        SELECT account_id, "on" - due_on AS days FROM paid WHERE paid >= amount
        """,
        tally.params(),
        sums="count(*) AS paid_bills, sum(days) AS paid_days, sum(greatest(days, 0)) AS paid_late_days",
    )


def liquidation(tally: Tally) -> None:
    """What was placed with agencies, and of it what was paid within so many days, less what the agency keeps."""
    for days in LIQUIDATION_DAYS:
        tally.of_accounts(
            """
            SELECT l.account_id, l.amount,
                   coalesce((SELECT sum(CASE WHEN p.reverses_id IS NULL THEN p.amount ELSE -p.amount END)
                       FROM accounts_payment p WHERE p.account_id = l.account_id AND p.received_on >= l.placed_on
                        AND p.received_on <= l.placed_on + %(within)s), 0) AS paid,
                   coalesce((SELECT sum(c.amount) FROM dunning_commission c
                       JOIN accounts_payment p ON p.id = c.payment_id
                      WHERE c.placement_id = l.id AND p.received_on <= l.placed_on + %(within)s), 0) AS fee
              FROM dunning_placement l
             WHERE l.placed_on > %(start)s AND l.placed_on <= %(end)s AND l.refused_reason = ''
            """,
            tally.params(tally.period.earlier(days), within=days),
            sums=f'sum(amount) AS "placed {days}", sum(paid) AS "liquidated {days}", sum(fee) AS "agency_kept {days}"',
        )


def churn(tally: Tally) -> None:
    """Accounts that closed: of those whose case ended in the period that lies ``CHURN_DAYS`` back, of the others."""
    params = tally.params(tally.period.earlier(CHURN_DAYS), within=CHURN_DAYS)
    tally.of_accounts(
        """
        SELECT c.account_id, bool_or(a.closed_on BETWEEN c.closed_on AND c.closed_on + %(within)s) AS ended,
               bool_or(EXISTS (SELECT 1 FROM accounts_adjustment w WHERE w.account_id = a.id AND w.kind = 'write_off'
                                  AND w."on" <= a.closed_on)
                    OR EXISTS (SELECT 1 FROM dunning_serviceorder o WHERE o.account_id = a.id AND o.kind = 'limit'
                                  AND o.rung = 'disconnected' AND o.state = 'confirmed'
                                  AND (o.confirmed_at AT TIME ZONE %(zone)s)::date <= a.closed_on)) AS ours
          FROM dunning_case c JOIN accounts_account a ON a.id = c.account_id
         WHERE c.closed_on > %(start)s AND c.closed_on <= %(end)s
         GROUP BY c.account_id
        """,
        params,
        sums="count(*) AS left_collections, count(*) FILTER (WHERE ended) AS ended, "
        "count(*) FILTER (WHERE ended AND ours) AS ended_by_us",
    )
    tally.of_accounts(
        """
        SELECT a.id AS account_id, coalesce(a.closed_on <= %(end)s + %(within)s, false) AS ended FROM accounts_account a
         WHERE coalesce(a.opened_on <= %(end)s, true) AND coalesce(a.closed_on > %(end)s, true)
           AND NOT EXISTS (SELECT 1 FROM dunning_case c WHERE c.account_id = a.id AND c.opened_on <= %(end)s
                              AND coalesce(c.closed_on > %(start)s, true))
        """,
        params,
        sums="count(*) AS others, count(*) FILTER (WHERE ended) AS others_ended",
    )


def suspension(tally: Tally) -> None:
    """Accounts warned of a limit, paid within ``WARNED_DAYS``; limits the network confirmed, and those in error."""
    tally.of_accounts(
        """
        WITH warned AS (
            SELECT DISTINCT ON (account_id) account_id, amount, (sent_at AT TIME ZONE %(zone)s)::date AS on
              FROM dunning_notice
             WHERE sent_at >= %(from_at)s AND sent_at < %(to_at)s AND consequence NOT IN ('', 'agency')
             ORDER BY account_id, sent_at, id
        )
        SELECT w.account_id, w.amount, coalesce((
                   SELECT sum(CASE WHEN p.reverses_id IS NULL THEN p.amount ELSE -p.amount END) FROM accounts_payment p
                    WHERE p.account_id = w.account_id AND p.received_on >= w.on
                      AND p.received_on <= w.on + %(within)s), 0) AS paid
          FROM warned w
        """,
        tally.params(tally.period.earlier(WARNED_DAYS), within=WARNED_DAYS),
        sums="count(*) AS warned, count(*) FILTER (WHERE paid > 0 AND paid >= amount) AS warned_paid, "
        "count(*) FILTER (WHERE paid > 0) AS warned_paid_some",
    )
    limits: dict[date, set[tuple[int, int]]] = defaultdict(set)
    for row in read_rows(
        """SELECT o.account_id, coalesce(c.account_id, o.account_id) AS debtor,
                  (o.confirmed_at AT TIME ZONE %(zone)s)::date AS day
             FROM dunning_serviceorder o LEFT JOIN dunning_case c ON c.id = o.case_id
            WHERE o.kind = 'limit' AND o.state = 'confirmed' AND o.confirmed_at >= %(from_at)s
              AND o.confirmed_at < %(to_at)s""",
        tally.params(),
    ):
        limits[row["day"]].add((row["account_id"], row["debtor"]))
    for on, accounts in sorted(limits.items()):
        for chunk in in_chunks(sorted(accounts)):
            places = scopes.places_of(account_id for account_id, _ in chunk)
            # As things stood the evening before: money of the day itself may have come after the limit, because of it.
            books = books_of([debtor for _, debtor in chunk], as_of=on - timedelta(days=1))
            for account_id, debtor in chunk:
                if account_id in places:
                    into = tally.parts.money[places[account_id].cell]
                    into.plus(("limited",), 1)
                    into.plus(("limited_wrongly",), position_from(books[debtor]).overdue <= 0)


def instalments(tally: Tally) -> None:
    tally.of_accounts(
        """SELECT i.account_id, coalesce(i.paid_on <= i.due_on + %(grace)s AND i.paid_on <= %(end)s, false) AS kept,
                  i.due_on < %(end)s - %(grace)s AS over
             FROM agents_instalment i JOIN agents_plan p ON p.id = i.plan_id
            WHERE i.due_on > %(start)s AND i.due_on <= %(end)s AND p.status NOT IN ('cancelled', 'pending_approval')""",
        tally.params(grace=settings.INSTALMENT_GRACE_DAYS),
        sums="""count(*) FILTER (WHERE kept) AS instalments_kept,
            count(*) FILTER (WHERE kept OR over) AS instalments_due""",
    )
