"""Agents claim the best account and complete it, alone and eight at once; never one item twice."""

from __future__ import annotations

import multiprocessing
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

from django.contrib.auth.models import Group
from django.db import connection, connections

from agents import queue
from agents.models import Agent
from collections_desk import embedded
from tests.bench import book, floors
from tests.bench.part import Line

CLIENTS = (1, 8)


class Worked(NamedTuple):
    """What one client did: from when to when, how long each item took, and which items they were."""

    started: float
    ended: float
    took: list[float]
    items: list[int]


Work = Callable[[int, int], Worked]


def measure(accounts: int) -> Iterator[Line]:
    """In a book with accounts; every one of them is queued, here and at the floor."""
    book.add_queue()
    floors.make_queue(accounts)
    agents = [_agent(number) for number in range(max(CLIENTS))]
    for clients in CLIENTS:
        each = max(min(500, accounts // 4 // clients), 1)
        plain = _summed(_together(_plain_client, list(range(clients)), each))
        bare = _pgbench(clients, each)
        ours = _summed(_together(_client, agents[:clients], each))
        aim = "≤ 1.43" if clients > 1 else ""
        measured = [("claim and complete", ours, (bare or plain)[0], aim), ("floor: psycopg", plain, None, "")]
        if bare is not None:
            measured.append(("floor: pgbench", bare, None, ""))
        for name, (seconds, note), floor, aimed in measured:
            name = f"{name}, {clients} at once"
            yield Line(name, accounts, each * clients, "items", seconds, floor, aimed, note=note)


def _agent(number: int) -> int:
    agent = Agent(username=f"agent{number}")
    agent.set_unusable_password()
    agent.save()
    agent.groups.add(Group.objects.get(name="agent"))
    return int(agent.pk)


def _together(work: Work, clients: Sequence[int], each: int) -> list[Worked]:
    """Each client in a process of its own, all beginning at once."""
    connections.close_all()
    fork = multiprocessing.get_context("fork")
    start = fork.Barrier(len(clients))
    with ProcessPoolExecutor(len(clients), fork, initializer=_remember, initargs=(start,)) as pool:
        worked = [future.result() for future in [pool.submit(work, client, each) for client in clients]]
    items = [item for one in worked for item in one.items]
    assert len(items) == each * len(clients), "every client found as many items as it asked for"
    assert len(set(items)) == len(items), "no item was claimed twice"
    return worked


_begin: list[Barrier] = []


def _remember(start: Barrier) -> None:
    _begin[:] = [start]


def _client(agent_id: int, each: int) -> Worked:
    agent = Agent.objects.get(pk=agent_id)
    took, items = [], []
    _begin[0].wait()
    started = before = perf_counter()
    for _ in range(each):
        at = datetime.now(UTC)
        item = queue.claim_next(agent=agent, at=at)
        assert item is not None
        queue.complete(item_id=item.pk, agent=agent, at=at, outcome="reached")
        items.append(item.pk)
        now = perf_counter()
        took.append(now - before)
        before = now
    return Worked(started, before, took, items)


def _plain_client(number: int, each: int) -> Worked:
    """The floor's two statements over a bare connection, prepared, each its own transaction."""
    claim, complete = floors.CLAIM.format(agent="%s"), floors.COMPLETE.format(item="%s")
    took, items = [], []
    connection.ensure_connection()
    bare = connection.connection
    with bare.cursor() as cursor:
        _begin[0].wait()
        started = before = perf_counter()
        for _ in range(each):
            (item,) = cursor.execute(claim, [number], prepare=True).fetchone()
            cursor.execute(complete, [item], prepare=True)
            items.append(item)
            now = perf_counter()
            took.append(now - before)
            before = now
    return Worked(started, before, took, items)


def _summed(worked: Sequence[Worked]) -> tuple[float, str]:
    seconds = max(one.ended for one in worked) - min(one.started for one in worked)
    return seconds, _spread([took for one in worked for took in one.took])


def _spread(took: Sequence[float]) -> str:
    marks = quantiles(took, n=100) if len(took) > 1 else [took[0]] * 99
    return f"p50 {marks[49] * 1000:.1f} ms, p99 {marks[98] * 1000:.1f} ms"


def _pgbench(clients: int, each: int) -> tuple[float, str] | None:
    """The same two statements sent by PostgreSQL's own program, where the embedded server brings it."""
    program = embedded.Postgres(embedded.var_dir()).programs() / "pgbench"
    if not program.exists():
        return None
    server = connection.get_connection_params()
    where = {"-h": server.get("host"), "-p": server.get("port"), "-U": server.get("user")}
    with TemporaryDirectory() as folder:
        script = Path(folder) / "claim.sql"
        claim, complete = floors.CLAIM.format(agent=":client_id"), floors.COMPLETE.format(item=":id")
        script.write_text(f"{' '.join(claim.split())} \\gset\n{complete};\n", encoding="utf-8")
        options = [text for flag, value in where.items() if value for text in (flag, str(value))]
        options += ["-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)), "-t", str(each)]
        subprocess.run(
            [program, *options, "-f", script, "-l", "--log-prefix", "took", str(server["dbname"])],
            cwd=folder,
            env={"PGPASSWORD": str(server.get("password") or ""), "LC_ALL": "C"},
            check=True,
            capture_output=True,
        )
        rows = [line.split() for log in Path(folder).glob("took.*") for line in log.read_text().splitlines()]
    took = [int(row[2]) / 1e6 for row in rows]
    ended = [int(row[4]) + int(row[5]) / 1e6 for row in rows]
    seconds = max(ended) - min(end - own for end, own in zip(ended, took, strict=True))
    return seconds, _spread(took)
