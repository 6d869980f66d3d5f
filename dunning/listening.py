"""What a message centre brings of its own accord: receipts for what we sent, and what customers write.

Acknowledged only once it is kept. A receipt may overtake the answer that names its message: then it is asked for again
for a while, before it is taken for somebody else's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta

from django.db import DatabaseError

from dunning import receipts
from dunning.gateways.base import Incoming
from dunning.gateways.receipts import Receipt
from dunning.models import Notice

#: A receipt for no message of ours may be for one whose answer is not written down yet.
WAIT_FOR_ANSWER = timedelta(minutes=2)
MOST_UNKNOWN = 10_000

log = logging.getLogger(__name__)

#: Takes a customer's message; the same again is taken once.
Door = Callable[[Incoming], object]


class Keeper:
    """Keeps receipts and messages as they come; False asks for the same again."""

    def __init__(self, *, now: Callable[[], datetime], business_date: Callable[[datetime], date], door: Door) -> None:
        self._now, self._business_date, self._door = now, business_date, door
        self._unknown: dict[str, datetime] = {}

    def keep(self, one: Receipt | Incoming) -> bool:
        try:
            if isinstance(one, Incoming):
                self._door(one)
                return True
            return self._take(one)
        except DatabaseError:
            log.exception("Not kept, and asked for again")
            return False

    def _take(self, receipt: Receipt) -> bool:
        at, reference = self._now(), receipt.provider_ref or ""
        if Notice.objects.filter(provider_ref=reference).exists():
            self._unknown.pop(reference, None)
            receipts.take([receipt], as_of=self._business_date(at), at=at)
            return True
        if len(self._unknown) >= MOST_UNKNOWN:
            self._unknown.clear()
        if at < self._unknown.setdefault(reference, at) + WAIT_FOR_ANSWER:
            return False
        log.warning("A receipt for no message of ours: %s", reference)
        del self._unknown[reference]
        return True
