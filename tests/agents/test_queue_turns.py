"""Whose turn it is: callbacks at their minute, skills, and who lost an account to whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import holds
from agents import kinds, lost_claims, offering, queue, skills
from agents.models import Agent, Interaction, WorkItem
from agents.queue import CannotKeep
from tests.factories import TODAY, make_account, make_agent, make_customer, make_item, moment

pytestmark = pytest.mark.django_db

NOON = moment()
AT_TWO = moment(hour=14)


def agreed(agent: Agent, **columns: Any) -> WorkItem:
    """A callback that the agent agreed for two o'clock."""
    item = make_item(make_account(), score=2_000, **columns)
    queue.claim(account_id=item.account_id, agent=agent, at=NOON)
    return queue.complete(
        item_id=item.pk, agent=agent, at=NOON, outcome="rpc_callback", not_before=AT_TWO, kept_for=agent
    )


class TestCallbacks:
    def test_before_its_minute_nobody_is_offered_it(self) -> None:
        nadia = make_agent()
        agreed(nadia)

        assert queue.claim_next(agent=nadia, at=AT_TWO - timedelta(seconds=1)) is None
        assert offering.next_account(agent=nadia, at=AT_TWO - timedelta(seconds=1)) is None

    def test_at_its_minute_it_is_on_top_for_the_agent_who_agreed_it(self) -> None:
        nadia, omar = make_agent(), make_agent()
        callback = agreed(nadia)
        WorkItem.objects.filter(pk=callback.pk).update(score=2_000)
        other = make_item(make_account(), score=150)

        assert queue.claim_next(agent=omar, at=AT_TWO) == other
        assert queue.claim_next(agent=nadia, at=AT_TWO) == callback

    def test_a_quarter_of_an_hour_later_it_is_anybodys(self) -> None:
        nadia, omar = make_agent(), make_agent()
        callback = agreed(nadia)

        assert queue.claim_next(agent=omar, at=AT_TWO + queue.KEPT_FOR - timedelta(seconds=1)) is None
        assert offering.next_account(agent=omar, at=AT_TWO + queue.KEPT_FOR) == callback

    def test_of_two_at_the_same_minute_the_second_goes_to_whoever_is_free_in_time(self) -> None:
        nadia, omar = make_agent(), make_agent()
        first, second = agreed(nadia), agreed(nadia)

        assert queue.claim_next(agent=nadia, at=AT_TWO) == first
        queue.keep(item_id=first.pk, agent=nadia, at=AT_TWO + timedelta(minutes=5))
        assert queue.claim_next(agent=omar, at=AT_TWO + timedelta(minutes=14)) is None
        assert queue.claim_next(agent=omar, at=AT_TWO + timedelta(minutes=15)) == second

    def test_of_an_agent_who_has_left_it_is_anybodys_at_once(self) -> None:
        nadia = make_agent()
        callback = agreed(nadia)
        Agent.objects.filter(pk=nadia.pk).update(is_active=False)

        assert queue.claim_next(agent=make_agent(), at=AT_TWO) == callback

    def test_a_task_beside_a_callback_waits_for_nobody(self) -> None:
        callback = agreed(make_agent())
        make_item(callback.account, kind="task", score=5)

        assert queue.claim_next(agent=make_agent(), at=NOON) == callback

    def test_one_that_was_logged_over_the_api_is_the_callers_too(self) -> None:
        nadia, account = make_agent(), make_account()
        item = make_item(account)
        at = timezone.now().replace(microsecond=0)
        queue.claim(account_id=account.pk, agent=nadia, at=at)
        moments = {"agreed": at + timedelta(hours=2), "chosen": at + timedelta(hours=3)}
        Interaction.objects.create(
            ref="I1", account=account, agent=nadia, direction="outbound", disposition="rpc_callback", at=at,
            callback_at=moments["agreed"],
        )  # fmt: skip
        client = Client()
        client.force_login(nadia)

        kept = {}
        for name, moment_ in moments.items():
            queue.claim(account_id=account.pk, agent=nadia, at=at)
            said = {"outcome": "rpc_callback", "not_before": moment_.isoformat()}
            answer = client.post(f"/api/v1/queue/{item.pk}/complete/", said, content_type="application/json")
            assert answer.status_code == 200
            item.refresh_from_db()
            kept[name] = item.kept_for
        assert kept == {"agreed": nadia, "chosen": None}

    def test_once_it_is_made_the_account_is_everybodys_again(self) -> None:
        nadia, omar = make_agent(), make_agent()
        callback = agreed(nadia)
        queue.claim_next(agent=nadia, at=AT_TWO)
        later = AT_TWO + timedelta(hours=4)
        queue.complete(item_id=callback.pk, agent=nadia, at=AT_TWO, outcome="no_answer", not_before=later)

        assert queue.claim_next(agent=omar, at=later) == callback


def test_a_task_beside_an_account_that_a_hold_keeps_quiet_is_offered() -> None:
    account = make_account()
    lead = make_item(account)
    holds.place(account_id=account.pk, reason="deceased", starts_on=TODAY, actor="desk", as_of=TODAY, at=NOON)
    assert queue.claim_next(agent=make_agent(), at=NOON) is None
    make_item(account, kind="task")

    assert queue.claim_next(agent=make_agent(), at=NOON) == lead


def test_a_parked_task_does_not_open_an_account_that_a_hold_keeps_quiet() -> None:
    account = make_account()
    make_item(account, kind="task", not_before=NOON + timedelta(days=30))
    make_item(account)
    holds.place(account_id=account.pk, reason="deceased", starts_on=TODAY, actor="desk", as_of=TODAY, at=NOON)

    assert queue.claim_next(agent=make_agent(), at=NOON) is None


def speaking(language: str) -> Callable[[], WorkItem]:
    return lambda: make_item(make_account(customer=make_customer(language=language)))


SKILLS: list[tuple[dict[str, Any], Callable[[], WorkItem], bool]] = [
    ({}, speaking("pl"), True),
    ({"languages": ["en", "de"]}, speaking("de"), True),
    ({"languages": ["de"]}, speaking("de-AT"), True),
    ({"languages": ["de-AT"]}, speaking("de"), True),
    ({"languages": ["en", "de"]}, speaking("pl"), False),
    ({"languages": ["en"]}, speaking(""), True),
    ({"segments": ["gold"]}, lambda: make_item(make_account(segment="gold")), True),
    ({"segments": ["gold"]}, lambda: make_item(make_account(segment="mass")), False),
    ({"segments": ["gold"]}, lambda: make_item(make_account()), True),
    ({"products": ["fibre"]}, lambda: make_item(make_account(product="fibre")), True),
    ({"products": ["fibre"]}, lambda: make_item(make_account(product="mobile")), False),
    ({"most_overdue": Decimal(100)}, lambda: make_item(make_account(overdue=Decimal(100))), True),
    ({"most_overdue": Decimal(100)}, lambda: make_item(make_account(overdue=Decimal(101))), False),
    ({"languages": ["en"], "segments": ["gold"]}, lambda: make_item(make_account(segment="gold")), True),
]


class TestSkills:
    @pytest.mark.parametrize(("stated", "item", "theirs"), SKILLS)
    def test_next_serves_what_an_agent_is_for(
        self, stated: dict[str, Any], item: Callable[[], WorkItem], theirs: bool
    ) -> None:
        agent, row = make_agent(**stated), item()

        assert (queue.claim_next(agent=agent, at=NOON) == row) is theirs
        WorkItem.objects.update(claimed_by=None, lease_until=None)
        assert (offering.next_account(agent=agent, at=NOON) == row) is theirs

    def test_the_best_of_what_is_theirs_comes_first(self) -> None:
        better = make_item(make_account(customer=make_customer(language="pl")), score=90)
        own = make_item(make_account(customer=make_customer(language="de")), score=10)
        agent = make_agent(languages=["de"], segments=["gold"], products=["fibre"], most_overdue=Decimal(500))

        assert offering.next_account(agent=agent, at=NOON) == own
        assert offering.next_account(agent=make_agent(), at=NOON) == better

    def test_a_callback_stays_with_whoever_agreed_it(self) -> None:
        nadia = make_agent(languages=["de"])
        callback = agreed(nadia)
        callback.account.customer.language = "pl"
        callback.account.customer.save(update_fields=["language"])

        assert queue.claim_next(agent=nadia, at=AT_TWO) == callback

    def test_skills_cost_no_query(self) -> None:
        make_item(make_account())
        costs = []
        for stated in ({}, {"languages": ["en"], "segments": ["gold"], "most_overdue": Decimal(1_000)}):
            agent = make_agent(**stated)
            with CaptureQueriesContext(connection) as taken:
                assert offering._best(agent, NOON, 4)
            costs.append(len(taken))
        assert costs[0] == costs[1]

    def test_nothing_stated_asks_nothing(self) -> None:
        assert skills.condition(make_agent(), item="w") == ("true", {})


@pytest.mark.usefixtures("_told")
class TestALostClaim:
    @pytest.fixture
    def _told(self) -> Any:
        cache.clear()
        yield
        cache.clear()

    def test_the_first_agent_is_told_by_whom_at_the_heartbeat_and_the_next_page(
        self, django_capture_on_commit_callbacks: Any
    ) -> None:
        nadia = make_agent(first_name="Nadia")
        omar = make_agent(first_name="Omar")
        account = make_account(ref="A77")
        item = make_item(account)
        at = timezone.now()
        queue.claim_next(agent=nadia, at=at - queue.LEASE - timedelta(minutes=1))

        with django_capture_on_commit_callbacks(execute=True):
            assert queue.claim_next(agent=omar, at=at) == item

        with pytest.raises(CannotKeep, match=r"Omar is working on this account now \(since \d\d:\d\d\)"):
            queue.keep(item_id=item.pk, agent=nadia, at=at)
        event = account.events.filter(kind=kinds.ITEM_CLAIMED).latest("pk")
        assert event.payload["taken_from"] == f"agent:{nadia.username}"

        client = Client()
        client.force_login(nadia)
        assert "Omar took over A77" in client.get("/queue/").content.decode()
        assert "Omar took over A77" not in client.get("/queue/").content.decode(), "once"

    def test_a_supervisor_who_takes_over_is_named_too(self, django_capture_on_commit_callbacks: Any) -> None:
        nadia, sam = make_agent(), make_agent("supervisor", first_name="Sam")
        item = make_item(make_account(ref="A78"))
        queue.claim_next(agent=nadia, at=NOON)

        with django_capture_on_commit_callbacks(execute=True):
            queue.take_over(account_id=item.account_id, agent=sam, at=NOON)

        assert [(row.account_ref, row.taken_by) for row in lost_claims.waiting(nadia.pk)] == [("A78", "Sam")]

    def test_who_gave_an_account_back_lost_nothing(self, django_capture_on_commit_callbacks: Any) -> None:
        nadia = make_agent()
        item = make_item(make_account())
        queue.claim_next(agent=nadia, at=NOON)
        queue.release(item_id=item.pk, agent=nadia, at=NOON)

        with django_capture_on_commit_callbacks(execute=True):
            queue.claim_next(agent=make_agent(), at=NOON)

        assert lost_claims.waiting(nadia.pk) == []


def test_who_was_spoken_to_and_is_put_back_is_not_offered_at_once() -> None:
    nadia, account = make_agent(), make_account()
    make_item(account)
    item = queue.claim(account_id=account.pk, agent=nadia, at=NOON)
    assert item is not None
    Interaction.objects.create(
        ref="I1", account=account, agent=nadia, direction="outbound", disposition="rpc_plan", at=NOON
    )

    queue.release(item_id=item.pk, agent=nadia, at=NOON)

    assert queue.claim_next(agent=nadia, at=NOON + timedelta(minutes=1)) is None
    assert queue.claim_next(agent=nadia, at=NOON + queue.AFTER_A_CALL) is not None
