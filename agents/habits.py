"""The calls among what customers answer: an outbound call that rang is a try, a customer reached is an answer."""

from __future__ import annotations

from datetime import date, datetime

from dunning import habits
from dunning.sharding import WHOLE, Shard

_CALLS = """
    SELECT a.customer_id, 'call' AS channel, i.at, i.right_party AS answered
      FROM agents_interaction i JOIN accounts_account a ON a.id = i.account_id
     WHERE i.at > %(after)s AND i.at <= %(until)s AND i.kind = 'call' AND i.direction = 'outbound'
       AND i.undone_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM agents_disposition d WHERE d.code = i.disposition AND NOT d.rang)
       AND a.customer_id %% %(of)s = %(number)s
"""


def count_calls(*, as_of: date, at: datetime, shard: Shard = WHOLE) -> int:
    """Count the calls that were not counted yet, beside ``dunning.habits.count``; how many rows moved."""
    return habits.count_from(_CALLS, calls=True, at=at, shard=shard)
