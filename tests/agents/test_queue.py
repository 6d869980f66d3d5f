from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from accounts import status
from agents import kinds, promises, queue
from agents.models import Agent, Interaction, WorkItem
from agents.queue import CannotKeep
from tests.factories import (
    TODAY,
    kinds_of,
    make_account,
    make_agent,
    make_item,
    make_team,
    moment,
    owing,
)

NOON = moment()
LATER = NOON + queue.LEASE + timedelta(seconds=1)


@pytest.mark.django_db
def test_the_best_free_item_comes_first_and_the_claim_is_told() -> None:
    low, high = make_item(make_account(), score=10), make_item(make_account(), score=90)
    nadia = make_agent(username="nadia")

    item = queue.claim_next(agent=nadia, at=NOON)

    assert item == high
    assert item is not None
    assert item.lease_until == NOON + queue.LEASE
    assert kinds_of(high.account) == [kinds.ITEM_CLAIMED]
    assert high.account.events.get().actor == "agent:nadia"
    assert kinds_of(low.account) == []


@pytest.mark.django_db
def test_whoever_holds_an_item_gets_it_again_with_a_fresh_lease() -> None:
    mine = make_item(make_account(), score=1)
    nadia = make_agent()
    queue.claim_next(agent=nadia, at=NOON)
    make_item(make_account(), score=90)

    again = queue.claim_next(agent=nadia, at=NOON + timedelta(minutes=10))

    assert again == mine
    assert again is not None
    assert again.lease_until == NOON + timedelta(minutes=25)
    assert kinds_of(mine.account) == [kinds.ITEM_CLAIMED], "a renewed claim is not a second one"


@pytest.mark.django_db
def test_done_parked_and_claimed_items_are_not_offered() -> None:
    make_item(make_account(), done_at=NOON)
    make_item(make_account(), not_before=NOON + timedelta(minutes=1))
    make_item(make_account(), claimed_by=make_agent(), lease_until=NOON + timedelta(minutes=1))

    assert queue.claim_next(agent=make_agent(), at=NOON) is None


@pytest.mark.django_db
def test_a_parked_item_is_offered_from_its_moment_on() -> None:
    parked = make_item(make_account(), not_before=NOON)

    assert queue.claim_next(agent=make_agent(), at=NOON) == parked


@pytest.mark.django_db
def test_another_teams_items_are_left_to_it() -> None:
    north = make_team()
    theirs, open_to_all = make_item(make_account(), score=90, team=make_team()), make_item(make_account(), score=10)
    ours = make_item(make_account(), score=20, team=north)

    assert queue.claim_next(agent=make_agent(team=north), at=NOON) == ours
    assert queue.claim_next(agent=make_agent(), at=NOON) == open_to_all
    assert queue.claim(account_id=theirs.account_id, agent=make_agent(team=north), at=NOON) is None
    assert queue.claim_next(agent=make_agent("supervisor"), at=NOON) == theirs


@pytest.mark.django_db
def test_approvals_go_to_supervisors_only() -> None:
    approval = make_item(make_account(), kind="approval", score=90)

    assert queue.claim_next(agent=make_agent(), at=NOON) is None
    assert queue.claim_next(agent=make_agent("supervisor"), at=NOON) == approval


@pytest.mark.django_db
def test_two_items_of_one_account_never_go_to_two_agents() -> None:
    account = make_account()
    older = make_item(account, kind="collect", score=1)
    make_item(account, kind="task", score=90)

    assert queue.claim_next(agent=make_agent(), at=NOON) == older
    assert queue.claim_next(agent=make_agent(), at=NOON) is None
    assert queue.claim(account_id=account.pk, agent=make_agent(), at=NOON) is None


@pytest.mark.django_db
def test_a_task_brings_back_an_account_whose_other_item_is_parked() -> None:
    account = make_account()
    parked = make_item(account, not_before=NOON + timedelta(days=3))
    make_item(account, kind="task")

    assert queue.claim_next(agent=make_agent(), at=NOON) == parked


@pytest.mark.django_db
def test_opening_an_account_claims_it_whatever_its_turn() -> None:
    parked = make_item(make_account(), not_before=NOON + timedelta(days=3))
    nadia, omar = make_agent(), make_agent()

    assert queue.claim(account_id=parked.account_id, agent=nadia, at=NOON) == parked
    assert queue.claim(account_id=parked.account_id, agent=nadia, at=NOON) == parked
    assert queue.held(account_id=parked.account_id, agent=nadia, at=NOON) == parked
    assert queue.claim(account_id=parked.account_id, agent=omar, at=NOON) is None
    assert queue.held(account_id=parked.account_id, agent=omar, at=NOON) is None


@pytest.mark.django_db
def test_a_lease_that_runs_out_gives_the_account_back_with_what_was_half_typed() -> None:
    item = make_item(make_account())
    nadia, omar = make_agent(first_name="Nadia"), make_agent(first_name="Omar")
    queue.claim_next(agent=nadia, at=NOON)
    queue.keep(item_id=item.pk, agent=nadia, at=NOON, draft={"note": "will call her ba"})

    taken = queue.claim_next(agent=omar, at=LATER)

    assert taken == item
    assert taken is not None
    assert taken.draft == {"note": "will call her ba"}
    with pytest.raises(CannotKeep, match="Omar is working on this account now"):
        queue.keep(item_id=item.pk, agent=nadia, at=LATER, draft={"note": "mine"})
    with pytest.raises(CannotKeep, match="Omar"):
        queue.complete(item_id=item.pk, agent=nadia, at=LATER, outcome="no_answer")
    item.refresh_from_db()
    assert item.draft == {"note": "will call her ba"}
    assert item.done_at is None


@pytest.mark.django_db
def test_a_lease_that_ran_out_while_nobody_came_is_still_the_agents() -> None:
    item = make_item(make_account())
    nadia = make_agent()
    queue.claim_next(agent=nadia, at=NOON)

    queue.keep(item_id=item.pk, agent=nadia, at=LATER)

    assert queue.held(account_id=item.account_id, agent=nadia, at=LATER) == item


@pytest.mark.django_db
def test_a_released_account_is_free_at_once() -> None:
    item = make_item(make_account())
    nadia, omar = make_agent(), make_agent()
    queue.claim_next(agent=nadia, at=NOON)

    queue.release(item_id=item.pk, agent=nadia, at=NOON)

    assert queue.claim_next(agent=omar, at=NOON) == item
    assert kinds_of(item.account) == [kinds.ITEM_CLAIMED, kinds.ITEM_RELEASED, kinds.ITEM_CLAIMED]
    with pytest.raises(CannotKeep):
        queue.release(item_id=item.pk, agent=nadia, at=NOON)


@pytest.mark.django_db
def test_completing_ends_an_item_or_parks_it() -> None:
    ended, parked = make_item(make_account(), score=2), make_item(owing("240.00"), score=1)
    nadia = make_agent()
    tomorrow = NOON + timedelta(days=1)
    queue.claim_next(agent=nadia, at=NOON)
    queue.complete(item_id=ended.pk, agent=nadia, at=NOON, outcome="rpc_promise")
    queue.claim_next(agent=nadia, at=NOON)
    queue.keep(item_id=parked.pk, agent=nadia, at=NOON, draft={"note": "x"})
    queue.complete(item_id=parked.pk, agent=nadia, at=NOON, outcome="no_answer", not_before=tomorrow)

    ended.refresh_from_db()
    parked.refresh_from_db()
    assert (ended.done_at, ended.done_by, ended.outcome) == (NOON, nadia, "rpc_promise")
    assert (parked.done_at, parked.not_before, parked.claimed_by, parked.draft) == (None, tomorrow, None, {})
    assert parked.score == sum(part["points"] for part in parked.score_parts) > 1
    assert queue.claim_next(agent=nadia, at=NOON) is None
    assert queue.claim_next(agent=nadia, at=tomorrow) == parked


@pytest.mark.django_db
def test_queueing_twice_makes_one_place() -> None:
    first, second = owing("240.00"), owing("20.00")
    arguments = {"reason": "handed over by the policy", "as_of": TODAY, "at": NOON, "actor": "policy:residential@1"}

    assert queue.enqueue(account_ids=[first.pk], **arguments) == 1  # type: ignore[arg-type]
    assert queue.enqueue(account_ids=[second.pk, first.pk, second.pk], **arguments) == 1  # type: ignore[arg-type]

    item = WorkItem.objects.get(account=first)
    assert item.reason == "handed over by the policy"
    assert item.score_parts[0]["text"] == "EUR 240.00 overdue: 35 points"
    assert kinds_of(first, "agents.") == [kinds.ITEM_QUEUED]


@pytest.mark.django_db
def test_queueing_many_takes_as_many_statements_as_queueing_one() -> None:
    accounts = [make_account().pk for _ in range(20)]

    one = _log(lambda: _enqueue(accounts[:1]))
    many = _log(lambda: _enqueue(accounts[1:]))

    assert len(many) == len(one)
    assert WorkItem.objects.count() == 20


@pytest.mark.django_db
def test_an_account_with_nobody_to_come_across_it_is_found() -> None:
    lost, queued, promised, partly = (owing("40.00", "60.00") for _ in range(4))
    for account in (lost, queued, promised, partly):
        status.move_account(
            account_id=account.pk, target="collections", actor="desk", at=NOON, on=TODAY, reason="policy"
        )
    make_item(queued)
    for account, amount, bills in ((promised, "100.00", None), (partly, "40.00", [partly.bills.get(amount=40).ref])):
        promises.make(
            account_id=account.pk,
            amount=Decimal(amount),
            due_on=TODAY,
            bill_refs=bills,
            actor="agent:nadia",
            as_of=TODAY,
            at=NOON,
        )

    assert queue.unattended(as_of=TODAY) == [lost.pk, partly.pk]


def _enqueue(accounts: list[int]) -> None:
    queue.enqueue(account_ids=accounts, reason="test", as_of=TODAY, at=NOON, actor="desk")


@pytest.mark.django_db
def test_leaving_takes_an_account_away_from_whoever_works_on_it() -> None:
    item, other = make_item(make_account()), make_item(make_account())
    nadia = make_agent()
    queue.claim(account_id=item.account_id, agent=nadia, at=NOON)

    assert queue.leave(account_ids=[item.account_id], outcome="cured", at=NOON, actor="desk") == 1
    assert queue.leave(account_ids=[item.account_id], outcome="cured", at=NOON, actor="desk") == 0

    with pytest.raises(CannotKeep, match="left the queue"):
        queue.keep(item_id=item.pk, agent=nadia, at=NOON)
    other.refresh_from_db()
    assert other.done_at is None


@pytest.mark.django_db
def test_scores_follow_the_facts_and_unchanged_ones_are_not_written() -> None:
    account = owing("240.00")
    item = make_item(account)
    assert queue.rescore(as_of=TODAY, at=NOON) == 1
    assert queue.rescore(as_of=TODAY, at=NOON) == 0
    item.refresh_from_db()
    before = item.score

    Interaction.objects.create(
        ref="I1",
        account=account,
        direction="inbound",
        disposition="rpc_callback",
        at=NOON - timedelta(hours=1),
        callback_at=NOON + timedelta(hours=2),
    )
    assert queue.rescore(as_of=TODAY, at=NOON, account_ids=[account.pk]) == 1

    item.refresh_from_db()
    assert item.score == sum(part["points"] for part in item.score_parts)
    assert item.score == before + 2_000 - 10, "a callback, and no longer never spoken to"


def _in_threads(agents: list[Agent], work: Callable[[Agent], WorkItem | None]) -> list[int | None]:
    """Everybody does ``work`` at once, each on a connection of their own."""
    start = threading.Barrier(len(agents))

    def run(agent: Agent) -> int | None:
        try:
            connection.ensure_connection()
            start.wait()
            item = work(agent)
            return item.pk if item else None
        finally:
            connection.close()

    with ThreadPoolExecutor(len(agents)) as pool:
        return list(pool.map(run, agents))


@pytest.mark.usefixtures("committed")
def test_eight_agents_who_press_next_at_once_get_eight_accounts() -> None:
    for _ in range(8):
        make_item(make_account(), score=50)
    agents = [make_agent() for _ in range(8)]
    everybody_has_read = threading.Barrier(8)

    def read_then_write(agent: Agent) -> WorkItem | None:
        item = WorkItem.objects.filter(done_at=None, claimed_by=None).order_by("-score", "pk").first()
        everybody_has_read.wait()
        assert item is not None
        item.claimed_by = agent
        item.save(update_fields=["claimed_by"])
        return item

    assert len(set(_in_threads(agents, read_then_write))) == 1, "the race there would be without the lock"
    WorkItem.objects.update(claimed_by=None)

    claimed = _in_threads(agents, lambda agent: queue.claim_next(agent=agent, at=NOON))

    assert None not in claimed
    assert len(set(claimed)) == 8


@pytest.mark.usefixtures("committed")
def test_two_items_of_one_account_are_not_taken_at_the_same_moment() -> None:
    agents = [make_agent() for _ in range(8)]
    for _ in range(20):
        account = make_account()
        make_item(account, kind="collect", score=10)
        make_item(account, kind="task", score=90)

        claimed = _in_threads(agents, lambda agent: queue.claim_next(agent=agent, at=NOON))

        assert sum(pk is not None for pk in claimed) == 1
        WorkItem.objects.filter(account=account).update(done_at=NOON)


@pytest.mark.usefixtures("committed")
def test_choosing_and_taking_is_one_statement() -> None:
    make_item(make_account())
    agent = make_agent()
    queue.claim_next(agent=agent, at=NOON)

    # Taking it again records nothing: what is left is the transaction and the one statement.
    statements = _log(lambda: queue.claim_next(agent=agent, at=NOON))

    assert [sql for sql in statements if "agents_workitem" in sql] == [statements[1]]
    assert len(statements) == 3


def _log(work: Callable[[], object]) -> list[str]:
    connection.force_debug_cursor = True
    from_here = len(connection.queries_log)
    work()
    connection.force_debug_cursor = False
    return [query["sql"] for query in list(connection.queries_log)[from_here:]]
