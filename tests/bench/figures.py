"""The figures supervisors judge by: recorded for the first time, and the pages that show them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from statistics import median, quantiles
from time import perf_counter

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents import snapshots
from agents.models import Agent, Snapshot
from tests.bench import book, supervised
from tests.bench.floors import timed
from tests.bench.part import Line, apart, say
from tests.bench.strategy import EVE

_EVENING = datetime.combine(EVE, time(22), tzinfo=UTC)
#: How often each page is asked for; the first few are not counted.
TIMES, WARM = 20, 3
#: What the first build reads: it cannot be faster than counting these.
_READ = (
    "accounts_account", "accounts_bill", "accounts_payment", "agents_interaction", "agents_promise", "dunning_case",
    "dunning_notice", "dunning_gatedecision",
)  # fmt: skip
#: The days before, as if they had been recorded: the same figures, a little off.
_DAYS_BEFORE = """
    INSERT INTO agents_snapshot (as_of, days, currency, dimension, member, recorded_at, restated, receivables, kpis,
                                 pictures)
    SELECT as_of - ago, days, currency, dimension, member, recorded_at - interval '1 day' * ago, false, receivables,
           jsonb_set(kpis, '{{dso,value}}', to_jsonb((20 + mod(ago, 9))::text)), pictures
      FROM agents_snapshot, generate_series(1, {days}) AS ago
"""


def measure(accounts: int) -> Iterator[Line]:
    """In a book with money and history; adds what people did."""
    supervised.add_people()
    supervised.add_work()
    floor = timed(_count)
    (seconds, records), peak = apart(_record)
    say(f"  figures recorded for the first time in {seconds:.1f} s")
    note = f"{records:,} records"
    yield Line("figures: first build", accounts, accounts, "accounts", seconds, floor, peak_mib=peak, note=note)
    remember(days=snapshots.TREND_DAYS + 30)
    yield from pages(accounts)


def pages(accounts: int) -> Iterator[Line]:
    """The pages over what is recorded, beside reading one record by its index."""
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(Agent.objects.get(username=supervised.SUPERVISOR))
    asked = f"?as_of={EVE}&days=30&currency=USD&view=recorded&scope="
    floor = median(timed(_read_one) for _ in range(WARM + TIMES))
    for name, address in (
        ("page: figures", f"{reverse('figures')}{asked}all"),
        ("page: figures of a team", f"{reverse('figures')}{asked}team:Team+03"),
        ("page: accounts behind one", f"{reverse('figures_accounts', args=['overdue'])}{asked}all"),
    ):
        took, queries = ask(client, address)
        note = f"p50 {median(took) * 1000:.1f} ms, p95 {quantiles(took, n=20)[18] * 1000:.1f} ms, {queries} queries"
        say(f"  {name}: {note}")
        yield Line(name, accounts, len(took), "pages", sum(took), floor * len(took), "p95 ≤ 300 ms", note=note)


def remember(*, days: int) -> None:
    """So many days before the eve as they would have been recorded; the trigger that keeps them sleeps meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(_DAYS_BEFORE.format(days=days))
        cursor.execute("SET session_replication_role = origin")
    book.tidy()


def ask(client: Client, address: str) -> tuple[list[float], int]:
    """The seconds of each answer but the first ones, and how many queries one takes."""
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    count = len(queries)  # what they were is forgotten with the next request
    took = []
    for _ in range(WARM + TIMES):
        started = perf_counter()
        answer = client.get(address)
        took.append(perf_counter() - started)
        assert answer.status_code == 200, answer.status_code
    return took[WARM:], count


def _record() -> tuple[float, int]:
    records: list[int] = []
    seconds = timed(lambda: records.append(snapshots.close(as_of=EVE, at=_EVENING)))
    return seconds, records[0]


def _count() -> None:
    with connection.cursor() as cursor:
        for table in _READ:
            cursor.execute(f"SELECT count(*) FROM {table}")
            cursor.fetchone()


def _read_one() -> None:
    rows = Snapshot.objects.filter(currency="USD", days=30, dimension="all", member="", as_of=EVE, restated=False)
    assert rows.values_list("kpis", flat=True).get()
