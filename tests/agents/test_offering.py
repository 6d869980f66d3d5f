from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import wishes
from accounts.models import Account, Customer
from agents import offering, queue
from agents.models import Agent, Interaction, WorkItem
from collections_desk import journey
from tests.factories import make_account, make_agent, make_customer, make_item

#: Noon in New York, six in the morning in Honolulu.
NOON = datetime(2026, 3, 12, 16, tzinfo=UTC)
NIGHT = datetime(2026, 3, 12, 6, tzinfo=UTC)
TODAY = NOON.date()

PLACES = {
    "New York": {"country": "US", "region": "NY", "phone": "+15185550123"},
    "Honolulu": {"country": "US", "region": "HI", "phone": "+18085550123"},
    "Madrid": {"country": "ES", "timezone": "Europe/Madrid", "phone": "+34600000001"},
}


def living_in(city: str) -> Account:
    return make_account(customer=make_customer(**PLACES[city]))


def talked_to(account: Account) -> Account:
    """Somebody who was spoken to yesterday: seven days of quiet in the United States."""
    Interaction.objects.create(
        ref=f"talk-{account.pk}", account=account, direction="outbound", disposition="rpc_refused", right_party=True,
        at=NOON - timedelta(days=1),
    )  # fmt: skip
    return account


@pytest.mark.django_db
class TestWhoIsOffered:
    def test_the_best_whom_nobody_may_call_yet_is_passed_over_and_says_from_when(self) -> None:
        asleep = make_item(living_in("Honolulu"), score=90)
        awake = make_item(living_in("New York"), score=10)

        assert offering.next_account(agent=make_agent(), at=NOON) == awake

        asleep.refresh_from_db()
        assert asleep.callable_from == datetime(2026, 3, 12, 18, tzinfo=UTC), "eight in Honolulu"
        assert "Pacific/Honolulu" in asleep.uncallable_because

    def test_their_turn_comes_at_that_moment(self) -> None:
        asleep = make_item(living_in("Honolulu"), score=90)
        assert offering.next_account(agent=make_agent(), at=NOON) is None

        assert offering.next_account(agent=make_agent(), at=datetime(2026, 3, 12, 17, 59, tzinfo=UTC)) is None
        assert offering.next_account(agent=make_agent(), at=datetime(2026, 3, 12, 18, tzinfo=UTC)) == asleep

    def test_somebody_who_was_spoken_to_yesterday_is_not_offered(self) -> None:
        quiet = make_item(talked_to(living_in("New York")), score=90)

        assert offering.next_account(agent=make_agent(), at=NOON) is None
        quiet.refresh_from_db()
        assert quiet.callable_from == datetime(2026, 3, 18, 12, tzinfo=UTC), "eight in New York, on the seventh day"

    def test_who_may_never_be_called_is_offered_because_somebody_must_find_another_way(self) -> None:
        account = living_in("New York")
        wishes.stop(
            customer_id=account.customer_id, channels=["call"], actor="desk:test", as_of=TODAY,
            at=NOON - timedelta(days=2),
        )  # fmt: skip
        blocked = make_item(account, score=90)
        make_item(living_in("New York"), score=10)

        assert offering.next_account(agent=make_agent(), at=NOON) == blocked

    @pytest.mark.parametrize("kind", [WorkItem.Kind.TASK, WorkItem.Kind.APPROVAL])
    def test_tasks_and_approvals_need_no_call(self, kind: str) -> None:
        item = make_item(living_in("Honolulu"), kind=kind)

        assert offering.next_account(agent=make_agent(role="supervisor"), at=NOON) == item

    def test_an_approval_that_is_not_theirs_does_not_let_an_agent_have_somebody_asleep(self) -> None:
        make_item(living_in("Honolulu"), score=50)
        make_item(living_in("New York"), kind=WorkItem.Kind.APPROVAL, score=90)

        assert offering.next_account(agent=make_agent(), at=NOON) is None

    def test_a_task_beside_somebody_asleep_is_still_offered(self) -> None:
        account = living_in("Honolulu")
        lead = make_item(account, score=90)
        assert offering.next_account(agent=make_agent(), at=NOON) is None
        make_item(account, kind=WorkItem.Kind.TASK, score=5)

        assert offering.next_account(agent=make_agent(), at=NOON) == lead

    def test_what_is_held_comes_first_whatever_the_hour(self) -> None:
        nadia = make_agent()
        mine = make_item(living_in("New York"), score=1)
        assert offering.next_account(agent=nadia, at=NOON) == mine

        assert offering.next_account(agent=nadia, at=NOON + timedelta(minutes=5)) == mine

    def test_at_night_nobody_is_offered_anywhere(self) -> None:
        for _ in range(30):
            make_item(living_in("New York"), score=10)

        assert offering.next_account(agent=make_agent(), at=NIGHT) is None
        assert WorkItem.objects.filter(callable_from=datetime(2026, 3, 12, 12, tzinfo=UTC)).count() == 30


@pytest.mark.django_db
def test_a_step_costs_as_many_queries_for_three_as_for_fifty() -> None:
    def asked(count: int) -> int:
        WorkItem.objects.update(done_at=NOON)
        for _ in range(count):
            make_item(living_in("Honolulu"))
        last = offering._STEPS[-1]
        with CaptureQueriesContext(connection) as taken:
            best = offering._best(nadia, NOON, last)
            assert offering._park_for_later(best, NOON) == set(best)
        assert len(best) == count
        return len(taken)

    nadia = make_agent()
    asked(1)  # the roles of a person are read once
    assert asked(3) <= asked(20) == asked(50), "a few are asked of together"


@pytest.mark.django_db
class TestLookingAgain:
    def test_a_stated_zone_lets_them_be_offered_at_once(self) -> None:
        account = living_in("Honolulu")
        item = make_item(account)
        assert offering.next_account(agent=make_agent(), at=NOON) is None

        wishes.state_timezone(
            customer_id=account.customer_id, timezone="America/New_York", actor="desk:test", as_of=TODAY, at=NOON
        )
        journey.react_to_all(as_of=TODAY, at=NOON)

        assert offering.next_account(agent=make_agent(), at=NOON) == item

    def test_so_does_a_wish_to_be_called(self) -> None:
        account = talked_to(living_in("New York"))
        item = make_item(account)
        assert offering.next_account(agent=make_agent(), at=NOON) is None

        wishes.note_consent(
            customer_id=account.customer_id, channel="call", given=True, purpose="extra_calls", actor="desk:test",
            as_of=TODAY, at=NOON - timedelta(minutes=5),
        )  # fmt: skip
        journey.react_to_all(as_of=TODAY, at=NOON)

        assert offering.next_account(agent=make_agent(), at=NOON) == item

    def test_the_days_run_asks_of_all_again(self) -> None:
        item = make_item(living_in("Honolulu"))
        queue.park({item.account_id: (NOON + timedelta(days=9), "Some rule that was changed since.")})

        journey.run_day(as_of=TODAY, at=NOON)

        item.refresh_from_db()
        assert (item.callable_from, item.uncallable_because) == (None, "")


@pytest.mark.django_db
def test_the_page_says_when_the_first_may_be_called() -> None:
    nadia = make_agent()
    item = make_item(living_in("New York"))
    queue.park({item.account_id: (timezone.now() + timedelta(hours=5, minutes=1), "It is night there.")})
    client = Client()
    client.force_login(nadia)

    page = client.get("/queue/").content.decode()

    assert "1 waits for an hour at which they may be called" in page
    assert "data-countdown" in page
    client.post("/queue/next/")
    told = client.get("/queue/").content.decode()
    assert "Nobody may be called now. 1 of the queue waits for an hour, the first in 5 h." in told


def _at_once(work: Callable[[int], Any], times: int) -> list[Any]:
    def alone(number: int) -> Any:
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(alone, range(times)))


def test_two_who_ask_at_once_never_get_the_same(committed: None) -> None:
    people: list[Agent] = [make_agent() for _ in range(6)]
    for number in range(12):
        make_item(living_in("Honolulu" if number % 2 else "New York"), score=number)

    taken = _at_once(lambda number: offering.next_account(agent=people[number], at=NOON), 6)

    accounts = [item.account_id for item in taken if item is not None]
    assert len(accounts) == len(set(accounts)) == 6
    homes = Customer.objects.filter(accounts__in=accounts).values_list("region", flat=True)
    assert set(homes) == {"NY"}, "and nobody gets one who is asleep"
