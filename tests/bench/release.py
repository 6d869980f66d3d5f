"""The contact gate as notices are released in bulk: facts read in chunks, every rule of every pack asked and kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from time import perf_counter
from typing import Any

from django.db import connection, transaction

from accounts.models import Account
from agents.calls import talks_of
from dunning import contact, reading, rule_packs
from dunning.handing_over import BATCH
from tests.bench.part import Line, apart
from tests.bench.strategy import DAY

_AT = datetime.combine(DAY, time(15), tzinfo=UTC)


def measure(accounts: int) -> Iterator[Line]:
    """In a book with money and history: one decision an account, kept."""
    (seconds, asked, queries), peak = apart(_release, accounts)
    note = f"{1_000 * queries / max(asked, 1):.0f} queries a thousand"
    yield Line("gate: notices released", accounts, asked, "decisions", seconds, peak_mib=peak, note=note)


def _release(accounts: int) -> tuple[float, int, int]:
    keys = list(Account.objects.order_by("pk").values_list("pk", flat=True)[:accounts])
    queries = 0

    def count(execute: Any, *call: Any) -> Any:
        nonlocal queries
        queries += 1
        return execute(*call)

    # A worker reads the packs once in its life.
    rule_packs.in_force()
    started = perf_counter()
    with connection.execute_wrapper(count):
        for first in range(0, len(keys), BATCH):
            with transaction.atomic():
                facts = reading.read(keys[first : first + BATCH], as_of=DAY)
                gate = contact.Gate(facts, at=_AT, as_of=DAY, talks=talks_of)
                for pk in facts:
                    gate.ask(pk, contact.contact_action("sms", automated=True))
                gate.keep(actor="bench")
    return perf_counter() - started, len(keys), queries
