"""What acts other than calls brought, counted: who paid by themselves, which promises were kept, what a message did.

Counted once a day, in bulk, where a fortnight has shown what came of it; counting goes on where it stopped. The bands
are those that ``suggesting`` asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from django.conf import settings
from django.db import connection, transaction

from agents.models import ActEffect
from agents.suggesting import ALL, CURE, EXTENSION, MESSAGE, PLAN, PROMISE, SETTLEMENT, Share

#: What comes within so many days came of it.
WITHIN = 14
#: Further back nothing is looked for when counting begins.
LOOKS_BACK = 365

#: Serialises the counting: two at once would count the same rows twice.
_LOCK = 7301032

#: A case that came into a bucket, and was paid within the fortnight without a word with anybody.
_CURE = """
    SELECT '{CURE}', b.name, count(*), count(*) FILTER (WHERE c.close_reason = 'paid'
               AND c.closed_on <= c.opened_on + b.starts + %(within)s
               AND NOT EXISTS (SELECT 1 FROM agents_interaction i
                                WHERE i.account_id = c.account_id AND i.right_party AND i.undone_at IS NULL
                                  AND i.at >= (c.opened_on + b.starts)::timestamp AT TIME ZONE %(zone)s
                                  AND i.at < (c.closed_on + 1)::timestamp AT TIME ZONE %(zone)s))
      FROM dunning_case c
      CROSS JOIN (VALUES ('1-30', 0), ('31-60', 30), ('61-90', 60), ('91-120', 90), ('120+', 120)) b(name, starts)
     WHERE c.opened_on + b.starts > %(after)s AND c.opened_on + b.starts <= %(until)s
       AND (c.closed_on IS NULL OR c.closed_on >= c.opened_on + b.starts)
     GROUP BY 2
"""
_PROMISE = """
    SELECT '{PROMISE}', CASE WHEN before.broken > before.kept THEN 'broken' WHEN before.kept > 0 THEN 'kept'
                             ELSE 'none' END,
           count(*), count(*) FILTER (WHERE p.status = 'kept')
      FROM agents_promise p
      CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE o.status = 'kept') AS kept,
                                 count(*) FILTER (WHERE o.status = 'broken') AS broken
                            FROM agents_promise o
                           WHERE o.account_id = p.account_id AND o.settled_on < p.made_on) before
     WHERE p.settled_on > %(after)s AND p.settled_on <= %(until)s AND p.status IN ('kept', 'part_kept', 'broken')
     GROUP BY 2
"""
_SETTLED = """
    SELECT '{act}', '{ALL}', count(*), count(*) FILTER (WHERE status = 'kept') FROM {table}
     WHERE settled_on > %(after)s AND settled_on <= %(until)s AND status IN ('kept', 'broken')
"""
_EXTENSION = """
    SELECT '{EXTENSION}', '{ALL}', count(*), count(*) FILTER (WHERE EXISTS (
               SELECT 1 FROM accounts_payment p
                WHERE p.account_id = e.account_id AND p.reverses_id IS NULL
                  AND p.received_on BETWEEN e.made_on AND e.until))
      FROM agents_extension e
     WHERE e.settled_on > %(after)s AND e.settled_on <= %(until)s AND e.status = 'ended'
"""
_MESSAGE = """
    SELECT '{MESSAGE}', n.channel, count(*), count(*) FILTER (WHERE EXISTS (
               SELECT 1 FROM accounts_payment p
                WHERE p.account_id = n.account_id AND p.reverses_id IS NULL
                  AND p.received_on BETWEEN (n.sent_at AT TIME ZONE %(zone)s)::date
                                        AND (n.sent_at AT TIME ZONE %(zone)s)::date + 7))
      FROM dunning_notice n
     WHERE n.sent_at >= (%(after)s + 1)::timestamp AT TIME ZONE %(zone)s
       AND n.sent_at < (%(until)s + 1)::timestamp AT TIME ZONE %(zone)s
       AND n.case_id IS NOT NULL AND n.channel IN ('sms', 'email', 'letter')
     GROUP BY 2
"""
_NAMES = {
    "CURE": CURE, "PROMISE": PROMISE, "EXTENSION": EXTENSION, "MESSAGE": MESSAGE, "ALL": ALL,
}  # fmt: skip
_COUNTS = (
    _CURE.format(**_NAMES),
    _PROMISE.format(**_NAMES),
    _SETTLED.format(act=PLAN, table="agents_plan", **_NAMES),
    _SETTLED.format(act=SETTLEMENT, table="agents_settlement", **_NAMES),
    _EXTENSION.format(**_NAMES),
    _MESSAGE.format(**_NAMES),
)


def count(*, as_of: date) -> int:
    """Count what ended up to a fortnight ago and was not counted yet; how much. Safe to repeat."""
    until = as_of - timedelta(days=WITHIN)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute("SELECT max(counted_on) FROM agents_acteffect")
        (counted_to,) = cursor.fetchone()
        after = counted_to or until - timedelta(days=LOOKS_BACK)
        if after >= until:
            return 0
        found: list[tuple[str, str, int, int]] = []
        for sql in _COUNTS:
            cursor.execute(sql, {"after": after, "until": until, "within": WITHIN, "zone": settings.DESK_TIME_ZONE})
            found += [row for row in cursor.fetchall() if row[2]]
        cursor.executemany(
            """
            INSERT INTO agents_acteffect AS e (act, band, tried, worked, counted_on) VALUES (%s, %s, %s, %s, %s)
                ON CONFLICT (act, band) DO UPDATE
               SET tried = e.tried + excluded.tried, worked = e.worked + excluded.worked,
                   counted_on = excluded.counted_on
            """,
            [(*row, until) for row in sorted(found)],
        )
        cursor.execute("UPDATE agents_acteffect SET counted_on = %s WHERE counted_on < %s", [until, until])
    return sum(tried for _, _, tried, _ in found)


def shares(rows: Iterable[ActEffect]) -> Mapping[tuple[str, str], Share]:
    """The rows as ``suggesting`` reads them."""
    return {(row.act, row.band): Share(row.tried, row.worked) for row in rows}
