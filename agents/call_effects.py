"""What calls brought, counted: once a day, in bulk, from the desk's own calls, promises, plans and payments.

A call counts a week after it was made: it helped when the customer promised, agreed a plan or settlement, or paid from
its day on within seven days. Its band (``chances``) is the one it had on that day, with the oldest open bill found as
money is allocated, oldest due first. Counting goes on where it stopped; the last day counted is in the rows.
"""

from __future__ import annotations

from datetime import date, timedelta

from django.conf import settings
from django.db import connection, transaction

from accounts.position import BUCKETS
from agents import chances
from agents.chances import Counted, Effect
from agents.models import CallEffect

#: A call helped when something came of it within so many days.
HELPS_WITHIN = 7
#: Further back nothing is looked for when counting begins, and no promise weighs on a band.
LOOKS_BACK = 365

#: Serialises the counting: two at once would count the same calls twice.
_LOCK = 7301031

_LAST_DAYS = dict(zip(BUCKETS[1:], (30, 60, 90, 120), strict=False))
_BUCKET = (
    f"CASE WHEN oldest.due_on IS NULL THEN '{BUCKETS[0]}' "
    + " ".join(f"WHEN c.day - oldest.due_on <= {last} THEN '{name}'" for name, last in _LAST_DAYS.items())
    + f" ELSE '{BUCKETS[-1]}' END"
)

_COUNT = f"""
    WITH called AS (
        SELECT i.account_id, i.at, (i.at AT TIME ZONE %(zone)s)::date AS day
          FROM agents_interaction i LEFT JOIN agents_disposition d ON d.code = i.disposition
         WHERE i.kind = 'call' AND i.direction = 'outbound' AND i.undone_at IS NULL AND coalesce(d.rang, true)
           AND i.at >= (%(after)s::timestamp AT TIME ZONE %(zone)s)
           AND i.at < (%(until)s::timestamp AT TIME ZONE %(zone)s)
    ), known AS (
        SELECT {_BUCKET} AS bucket,
               EXISTS (SELECT 1 FROM agents_interaction r
                        WHERE r.account_id = c.account_id AND r.right_party AND r.undone_at IS NULL
                          AND r.at < c.at) AS reached,
               coalesce(promised.kept, 0) AS kept, coalesce(promised.broken, 0) AS broken,
               EXISTS (SELECT 1 FROM agents_promise p
                        WHERE p.account_id = c.account_id AND p.status <> 'cancelled'
                          AND p.made_on BETWEEN c.day AND c.day + %(within)s)
               OR EXISTS (SELECT 1 FROM agents_plan p
                           WHERE p.account_id = c.account_id AND p.status <> 'cancelled'
                             AND p.made_on BETWEEN c.day AND c.day + %(within)s)
               OR EXISTS (SELECT 1 FROM agents_settlement s
                           WHERE s.account_id = c.account_id AND s.status <> 'cancelled'
                             AND s.made_on BETWEEN c.day AND c.day + %(within)s)
               OR EXISTS (SELECT 1 FROM accounts_payment p
                           WHERE p.account_id = c.account_id AND p.reverses_id IS NULL
                             AND p.received_on BETWEEN c.day AND c.day + %(within)s
                             AND NOT EXISTS (SELECT 1 FROM accounts_payment b WHERE b.reverses_id = p.id)) AS helped
          FROM called c
          CROSS JOIN LATERAL (
               SELECT coalesce((SELECT sum(CASE WHEN p.reverses_id IS NULL THEN p.amount ELSE -p.amount END)
                                  FROM accounts_payment p
                                 WHERE p.account_id = c.account_id AND p.received_on < c.day), 0)
                    - coalesce((SELECT sum(j.amount) FROM accounts_adjustment j
                                 WHERE j.account_id = c.account_id AND j."on" < c.day), 0) AS amount) came_in
          CROSS JOIN LATERAL (
               SELECT min(due_on) AS due_on
                 FROM (SELECT b.due_on, sum(b.amount) OVER (ORDER BY b.due_on, b.id) AS up_to
                         FROM accounts_bill b
                        WHERE b.account_id = c.account_id AND b.status = 'issued' AND b.due_on < c.day) owed
                WHERE owed.up_to > came_in.amount) oldest
          LEFT JOIN LATERAL (
               SELECT count(*) FILTER (WHERE p.status = 'kept') AS kept,
                      count(*) FILTER (WHERE p.status = 'broken') AS broken
                 FROM agents_promise p
                WHERE p.account_id = c.account_id AND p.settled_on < c.day
                  AND p.settled_on > c.day - %(looks_back)s) promised ON true
    )
    SELECT bucket, reached, kept, broken, count(*), count(*) FILTER (WHERE helped) FROM known GROUP BY 1, 2, 3, 4
"""


def count(*, as_of: date) -> int:
    """Count the calls whose week has passed and that were not counted yet; how many calls. Safe to repeat."""
    until = as_of - timedelta(days=HELPS_WITHIN)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute("SELECT max(counted_on) FROM agents_calleffect")
        (counted_to,) = cursor.fetchone()
        after = counted_to or until - timedelta(days=LOOKS_BACK)
        if after >= until:
            return 0
        cursor.execute(
            _COUNT,
            {
                "zone": settings.DESK_TIME_ZONE,
                "after": after,
                "until": until,
                "within": HELPS_WITHIN,
                "looks_back": LOOKS_BACK,
            },
        )
        found: dict[str, list[int]] = {}
        for bucket, reached, kept, broken, calls, helped in cursor.fetchall():
            band = chances.band(bucket=bucket, reached=reached, promises_kept=kept, promises_broken=broken)
            counted = found.setdefault(band, [0, 0])
            counted[0] += calls
            counted[1] += helped
        cursor.executemany(
            """
            INSERT INTO agents_calleffect AS e (band, calls, helped, counted_on) VALUES (%s, %s, %s, %s)
                ON CONFLICT (band) DO UPDATE
               SET calls = e.calls + excluded.calls, helped = e.helped + excluded.helped,
                   counted_on = excluded.counted_on
            """,
            [(band, calls, helped, until) for band, (calls, helped) in sorted(found.items())],
        )
    return sum(calls for calls, _ in found.values())


def counted() -> Counted:
    """The bands as counted so far, with their prior. One query."""
    rows = CallEffect.objects.values_list("band", "calls", "helped")
    return chances.counted({band: Effect(calls, helped) for band, calls, helped in rows})
