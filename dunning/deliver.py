"""What is due leaves the house: a last look at the facts under lock, the hand-over, the result.

1. Take a batch whose time has come: lock the accounts, then the rows (another worker's are skipped).
2. Look again: balance, holds, consent, address, hours. What no longer applies is withdrawn with its reason, what is
   too early waits, the rest is worded with the facts of this moment.
3. Hand over. To a gateway of our own database in the same transaction; to the outside world one at a time: the intent
   is committed (``handing_over``), the call is made with our key and no transaction open, the result is committed.

A worker killed between call and result leaves ``handing_over`` behind. Where the far side knows our key the same call
is made again; where it knows none (a mail relay) the notice becomes ``doubtful``, is listed, and is not sent again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime

from django.db import transaction

from accounts import events, settling
from dunning import kinds
from dunning.handing_over import event_of, write_each
from dunning.leaving_notices import LeavingNotices
from dunning.leaving_orders import LeavingOrders
from dunning.models import Notice
from dunning.roads import Roads
from dunning.sharding import WHOLE, Shard


def deliver(
    *,
    as_of: date,
    at: datetime,
    roads: Roads,
    now: Callable[[], datetime] | None = None,
    shard: Shard = WHOLE,
) -> Counter[str]:
    """One pass over what is due at ``at`` in a shard; how many ended in which state. Safe beside other passes.

    ``now`` stamps hand-overs that take time; the default stands still at ``at``.
    """
    clock = now or (lambda: at)
    ended: Counter[str] = Counter()
    settling.settle(as_of=as_of, at=at)
    ended.update(note_deliveries(as_of=as_of, at=at))
    for one_pass in (LeavingNotices(as_of, at, clock, roads, shard), LeavingOrders(as_of, at, clock, roads, shard)):
        ended.update(one_pass.run())
    return +ended


def note_deliveries(*, as_of: date, at: datetime) -> Counter[str]:
    """Mark as delivered what was handed over and did not come back in its time; each with its event."""
    ended: Counter[str] = Counter()
    while True:
        with transaction.atomic():
            due = Notice.objects.select_for_update(skip_locked=True).filter(state="sent", counts_from__lte=at)
            rows = list(due.order_by("counts_from", "pk")[:1_000])
            for row in rows:
                row.state, row.delivered_at = "delivered", row.counts_from
            write_each(rows, ("state", "delivered_at"))
            events.record_many([event_of(row, kinds.NOTICE_DELIVERED, as_of, at) for row in rows])
        ended["delivered"] += len(rows)
        if len(rows) < 1_000:
            return +ended
