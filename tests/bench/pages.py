"""The two pages that agents live in, as the server makes them: the queue, and an account with a long history."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median, quantiles
from time import perf_counter

from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from agents.models import Agent
from tests.bench import book
from tests.bench.part import Line, say
from tests.bench.strategy import EVE

#: Events of the account that is opened.
EVENTS = 500
#: How often each page is asked for; the first few are not counted.
TIMES, WARM = 60, 5

#: Server time in the middle by page, at the smallest size that was measured.
_first: dict[str, float] = {}

_LONG_HISTORY = """
    INSERT INTO accounts_accountevent (kind, actor, at, "on", reason, policy, payload, account_id)
    SELECT 'dunning.step.taken', 'policy:strategy-1@1', %(eve)s - make_interval(hours => n), %(eve)s - n / 24, '',
           'strategy-1@1', jsonb_build_object('step', 'step-' || n), %(account)s
      FROM generate_series(1, %(events)s) AS n;
    INSERT INTO agents_interaction (ref, kind, direction, disposition, right_party, number, at, note, override_code,
                                    nonpayment_reason, said, also_about, account_id)
    SELECT 'bench-' || n, 'call', 'outbound', 'no_answer', false, '+12025550100', %(eve)s - make_interval(days => n),
           'Nobody there', '', '', '{}', '{}', %(account)s
      FROM generate_series(1, %(events)s) AS n
"""


def measure(accounts: int) -> Iterator[Line]:
    """In a book with money, history and a queue."""
    book.add_queue()
    ref = _account_with_a_history()
    client = _agent()
    for name, address in (("page: queue", "/queue/"), (f"page: account, {EVENTS} events", f"/accounts/{ref}/")):
        took = _asked(client, address)
        middle = median(took)
        ratio = middle / _first.setdefault(name, middle)
        worst = quantiles(took, n=100)[98]
        note = f"p50 {middle * 1000:.1f} ms, p99 {worst * 1000:.1f} ms, {ratio:.2f} times the smallest book's"
        say(f"  {name}: {note}")
        yield Line(name, accounts, len(took), "pages", sum(took), aim="ratio ≤ 1.5", note=note)


def _account_with_a_history() -> str:
    """One that is past due and in a case, with a place in the queue."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.id, a.ref FROM accounts_account a JOIN dunning_case c ON c.account_id = a.id "
            "WHERE a.overdue > 0 ORDER BY a.id DESC LIMIT 1"
        )
        account, ref = cursor.fetchone()
        for statement in _LONG_HISTORY.split(";\n"):
            cursor.execute(statement, {"account": account, "events": EVENTS, "eve": EVE})
    book.tidy()
    return str(ref)


def _agent() -> Client:
    agent = Agent(username="bench")
    agent.set_unusable_password()
    agent.save()
    agent.groups.add(Group.objects.get(name="agent"))
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(agent)
    return client


def _asked(client: Client, address: str) -> list[float]:
    """The seconds that each answer took, the first ones left out."""
    took = []
    for _ in range(WARM + TIMES):
        started = perf_counter()
        answer = client.get(address)
        took.append(perf_counter() - started)
        assert answer.status_code == 200, answer.status_code
    return took[WARM:]
