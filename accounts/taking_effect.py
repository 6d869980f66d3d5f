"""On which days the facts of the book take effect: what was written already and counts from a later date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, timedelta

from django.db import connection

_DAYS = """
    SELECT account_id, day FROM (
        SELECT account_id, issued_on AS day FROM accounts_bill
        UNION ALL SELECT account_id, cancelled_on FROM accounts_bill WHERE cancelled_on IS NOT NULL
        UNION ALL SELECT account_id, received_on FROM accounts_payment
        UNION ALL SELECT account_id, "on" FROM accounts_adjustment
        UNION ALL SELECT account_id, starts_on FROM accounts_hold WHERE reason = 'dispute'
        UNION ALL SELECT account_id, ends_on + 1 FROM accounts_hold WHERE reason = 'dispute' AND ends_on IS NOT NULL
        UNION ALL SELECT account_id, lifted_on FROM accounts_hold WHERE reason = 'dispute' AND lifted_on IS NOT NULL
    ) facts WHERE day > %(after)s AND day <= %(until)s AND (%(ids)s::bigint[] IS NULL OR account_id = ANY(%(ids)s))
    UNION SELECT account_id, %(next)s::date FROM accounts_unsettled
     WHERE %(ids)s::bigint[] IS NULL OR account_id = ANY(%(ids)s)
"""


def days_of(account_ids: Collection[int] | None, *, after: date, until: date) -> dict[int, set[date]]:
    """The days in ``(after, until]`` on which what an account owes may move, by account (none given: all). One query.

    A bill that merely falls due is not among them; an account that waits to be settled moves on the first of the days.
    """
    found: dict[int, set[date]] = defaultdict(set)
    ids = None if account_ids is None else list(account_ids)
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, {"ids": ids, "after": after, "until": until, "next": after + timedelta(days=1)})
        for account_id, day in cursor:
            found[account_id].add(day)
    return found
