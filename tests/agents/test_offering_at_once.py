"""Fifty agents on one queue at the same moment: nothing is served twice, nothing is lost."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts.models import AccountEvent
from agents import kinds, offering, queue
from agents.models import Agent, WorkItem
from tests.factories import make_account, make_agent, make_customer, make_item

#: A Tuesday noon in London, where everybody here lives.
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
AGENTS, ACCOUNTS = 50, 80


def in_threads(agents: list[Agent], shift: object) -> list[list[int]]:
    start = threading.Barrier(len(agents))

    def run(agent: Agent) -> list[int]:
        try:
            connection.ensure_connection()
            start.wait()
            return shift(agent)  # type: ignore[operator, no-any-return]
        finally:
            connection.close()

    with ThreadPoolExecutor(len(agents)) as pool:
        return list(pool.map(run, agents))


@pytest.fixture
def people(committed: None) -> list[Agent]:
    phone = "+442079460000"
    for number in range(ACCOUNTS):
        make_item(make_account(customer=make_customer(phone=phone, language="en")), score=number % 7)
    # Some have skills, some a team: they look at the same accounts in different ways.
    return [make_agent(languages=["en"] if number % 3 else []) for number in range(AGENTS)]


def test_fifty_who_press_next_together_get_fifty_accounts(people: list[Agent]) -> None:
    def one(agent: Agent) -> list[int]:
        item = offering.next_account(agent=agent, at=NOON)
        return [] if item is None else [item.account_id]

    served = [account for accounts in in_threads(people, one) for account in accounts]

    assert len(served) == len(set(served)) == AGENTS
    assert WorkItem.objects.filter(claimed_by__isnull=False).count() == AGENTS


def test_fifty_who_work_until_nothing_is_left_work_every_account_once(people: list[Agent]) -> None:
    def shift(agent: Agent) -> list[int]:
        worked, nothing = [], 0
        # Two who look at the last few at the same moment: one comes away with nothing, and presses again.
        while nothing < 3:
            at = NOON + timedelta(seconds=len(worked))
            item = offering.next_account(agent=agent, at=at)
            if item is None:
                nothing += 1
                continue
            queue.complete(item_id=item.pk, agent=agent, at=at, outcome="no_answer")
            worked.append(item.account_id)
        return worked

    worked = Counter(account for accounts in in_threads(people, shift) for account in accounts)

    assert len(worked) == ACCOUNTS, "none was lost"
    assert set(worked.values()) == {1}, "none was worked twice"
    told = AccountEvent.objects.filter(kind__in=[kinds.ITEM_CLAIMED, kinds.ITEM_COMPLETED]).order_by("pk")
    for account_id in worked:
        history = [(event.kind, event.actor) for event in told if event.account_id == account_id]
        assert [kind for kind, _ in history] == [kinds.ITEM_CLAIMED, kinds.ITEM_COMPLETED]
        assert len({actor for _, actor in history}) == 1
