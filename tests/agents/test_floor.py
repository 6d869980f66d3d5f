"""What is going on now: the queue, the people, missed callbacks, gateways, what is stuck, and who sees how much."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import business_day, events
from accounts.models import PendingEvent, RejectedRow
from agents import floor, queue, watching
from agents.floor import Floor, Person
from agents.models import Agent, Interaction, LiveCall, Stretch, Webhook, WebhookCall, WorkItem
from dunning.channel_health import ChannelHealth
from dunning.gateways.patience import CircuitBreaker
from dunning.roads import desk_name
from tests.agents.test_views_queue import fill_the_queue
from tests.factories import TODAY, make_account, make_agent, make_item, make_team, moment

pytestmark = pytest.mark.django_db

NOON = moment()
#: Depths, teams, people, callbacks; notices that are due, events, three of messages, orders, two of webhooks, rejected
#: rows, claims, the day's run.
QUERIES = 15


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def seen(user: Agent | None = None, at: datetime = NOON) -> Floor:
    return floor.now(at=at, user=user or make_agent("supervisor"))


def called(agent: Agent, account: Any, state: str, **columns: Any) -> LiveCall:
    return LiveCall.objects.create(
        ref=f"L{LiveCall.objects.count()}",
        account=account,
        agent=agent,
        state=state,
        begun_at=NOON - minutes(9),
        **columns,
    )


def stretch(agent: Agent, what: str = "work", *, seen_at: datetime = NOON) -> Stretch:
    return Stretch.objects.create(agent=agent, what=what, begun_at=NOON - minutes(60), seen_at=seen_at)


def only(found: Floor) -> Person:
    (person,) = found.people
    return person


class TestTheQueue:
    def test_every_open_item_is_in_one_state(self) -> None:
        nadia = make_agent()
        make_item(make_account(segment="gold"), created_at=NOON - timedelta(days=9))
        make_item(make_account(segment="gold"), created_at=NOON - timedelta(days=2))
        make_item(make_account(), not_before=NOON + minutes(1))
        make_item(make_account(), callable_from=NOON + minutes(1), uncallable_because="too early")
        make_item(make_account(), kind="task", callable_from=NOON + minutes(1))
        make_item(make_account(), claimed_by=nadia, claimed_at=NOON, lease_until=NOON + minutes(1), not_before=NOON)
        make_item(make_account(), claimed_by=nadia, claimed_at=NOON, lease_until=NOON - minutes(1))
        make_item(make_account(), kept_for=nadia, not_before=NOON - minutes(1))
        make_item(make_account(), kind="approval")
        make_item(make_account(), done_at=NOON)

        whole = seen().whole

        assert (whole.open, whole.free, whole.waiting, whole.claimed, whole.parked) == (8, 5, 1, 1, 1)
        assert (whole.callbacks, whole.day_old, whole.week_old) == (1, 2, 1)
        assert whole.oldest == NOON - timedelta(days=9)

    def test_it_is_counted_by_team_and_by_segment_the_longest_first(self) -> None:
        north = make_team("North")
        for segment, team in (("gold", north), ("gold", north), ("silver", north), ("gold", None)):
            make_item(make_account(segment=segment), team=team)

        found = seen()

        assert [(name, row.open) for name, row in found.teams] == [("North", 3), ("", 1)]
        assert [(name, row.open) for name, row in found.segments] == [("gold", 3), ("silver", 1)]

    def test_it_costs_the_same_however_long_it_is(self) -> None:
        sam = make_agent("supervisor")
        seen(sam)

        def cost() -> int:
            with CaptureQueriesContext(connection) as taken:
                seen(sam)
            return len(taken)

        fill_the_queue(20)
        few = cost()
        fill_the_queue(1_000)
        assert few == cost() == QUERIES


class TestThePeople:
    def test_who_did_nothing_and_is_not_here_is_not_listed(self) -> None:
        make_agent()
        stretch(make_agent(), seen_at=NOON - timedelta(hours=13))
        stretch(make_agent("supervisor"))

        assert seen().people == []

    @pytest.mark.parametrize(
        ("state", "columns", "doing", "since", "long"),
        [
            ("dialled", {}, "ringing", 9, True),
            ("ringing", {}, "ringing", 9, True),
            ("answered", {"answered_at": NOON - minutes(8)}, "talking", 8, False),
            ("answered", {"answered_at": NOON - minutes(20)}, "talking", 20, True),
            ("ended", {"ended_at": NOON - minutes(4)}, "wrap_up", 4, False),
            ("ended", {"ended_at": NOON - minutes(5)}, "wrap_up", 5, True),
        ],
    )
    def test_a_call_says_what_somebody_does(
        self, state: str, columns: dict[str, Any], doing: str, since: int, long: bool
    ) -> None:
        nadia, account = make_agent(first_name="Nadia"), make_account()
        item = make_item(account)
        queue.claim(account_id=account.pk, agent=nadia, at=NOON - minutes(10))
        called(nadia, account, state, **columns)

        person = only(seen())

        assert (person.name, person.doing, person.since) == ("Nadia", doing, NOON - minutes(since))
        assert person.is_long(NOON) is long
        assert (person.account, person.item, person.others) == (account.ref, item.pk, 0)

    @pytest.mark.parametrize(("held", "long"), [(19, False), (20, True)])
    def test_an_account_in_hand_is_long_after_a_while(self, held: int, long: bool) -> None:
        nadia, account = make_agent(), make_account()
        item = make_item(account)
        WorkItem.objects.filter(pk=item.pk).update(
            claimed_by=nadia, claimed_at=NOON - minutes(held), lease_until=NOON + minutes(3)
        )

        person = only(seen())

        assert (person.doing, person.is_long(NOON)) == ("account", long)

    def test_a_break_a_training_or_nothing_in_hand(self) -> None:
        at_work, breaks, gone = (make_agent(username=name) for name in ("a", "b", "c"))
        stretch(at_work)
        stretch(breaks, "break")
        stretch(gone, "training", seen_at=NOON - minutes(11))

        assert [person.doing for person in seen().people] == ["free", "break", "away"]

    def test_worked_and_called_today_are_counted_and_yesterday_is_not(self) -> None:
        nadia = make_agent()
        for at in (NOON - minutes(30), NOON - timedelta(days=1)):
            make_item(make_account(), done_at=at, done_by=nadia)
            for right_party in (True, False):
                Interaction.objects.create(
                    ref=f"I{Interaction.objects.count()}", account=make_account(), agent=nadia, kind="call",
                    direction="outbound", disposition="no_answer", right_party=right_party, at=at,
                )  # fmt: skip

        person = only(seen())

        assert (person.worked, person.calls, person.reached) == (1, 2, 1)


class TestCallbacks:
    def promised(self, late: int, **columns: Any) -> WorkItem:
        nadia = columns.pop("kept_for", None) or make_agent()
        return make_item(make_account(), kept_for=nadia, not_before=NOON - minutes(late), **columns)

    def test_a_moment_is_missed_after_a_quarter_of_an_hour(self) -> None:
        nadia = make_agent(first_name="Nadia")
        self.promised(15)
        missed = self.promised(16, kept_for=nadia)

        (row,) = seen().callbacks

        assert (row.item, row.whose, row.promised) == (missed.pk, "Nadia", NOON - minutes(16))

    def test_not_when_somebody_has_called_since(self) -> None:
        item = self.promised(40)
        Interaction.objects.create(
            ref="I1", account=item.account, kind="call", direction="outbound", disposition="no_answer",
            at=NOON - minutes(35),
        )  # fmt: skip

        assert seen().callbacks == []

    def test_a_task_that_was_kept_for_somebody_is_no_callback(self) -> None:
        self.promised(40, kind="task")

        assert seen().callbacks == []

    def test_who_has_it_in_hand_now_is_said(self) -> None:
        lena = make_agent(first_name="Lena", last_name="Lark")
        self.promised(40, claimed_by=lena, claimed_at=NOON, lease_until=NOON + minutes(5))

        assert seen().callbacks[0].held_by == "Lena Lark"


class TestTheWall:
    def test_a_supervisor_of_one_team_sees_its_people_and_accounts_and_nobody_elses(self) -> None:
        north, south = make_team("North"), make_team("South")
        for team in (north, south):
            agent = make_agent(team=team, username=team.name)
            stretch(agent)
            make_item(make_account(segment="gold"), team=team)
            make_item(make_account(), team=team, kept_for=agent, not_before=NOON - minutes(20))
        make_item(make_account())

        whole = seen(make_agent("supervisor", team=north))
        kept = seen(make_agent("supervisor", team=north, all_teams=False))

        assert {person.username for person in whole.people} == {"North", "South"}
        assert [person.username for person in kept.people] == ["North"]
        assert [name for name, _ in kept.teams] == ["North", ""]
        assert (whole.whole.open, kept.whole.open) == (5, 3)
        assert [row.whose for row in kept.callbacks] == ["North"]

    def test_an_account_of_another_team_in_the_hands_of_theirs_is_not_named(self) -> None:
        north, south = make_team(), make_team()
        nadia, account = make_agent(team=north), make_account()
        make_item(account, team=south)
        called(nadia, account, "answered", answered_at=NOON)

        kept = only(seen(make_agent("supervisor", team=north, all_teams=False)))

        assert (kept.doing, kept.account, kept.item) == ("talking", "", None)

    def test_without_a_team_and_kept_to_it_nobody_is_seen(self) -> None:
        stretch(make_agent())
        make_item(make_account(), team=make_team())

        kept = seen(make_agent("supervisor", all_teams=False))

        assert (kept.people, kept.whole.open) == ([], 0)


class TestTheMachinery:
    def stuck(self) -> dict[str, int]:
        return {row.code: row.count for row in seen().works.stuck if row.count}

    def test_nothing_is_stuck_on_a_quiet_desk(self) -> None:
        found = seen()

        assert self.stuck() == {}
        assert not found.is_stuck
        assert {road.code for road in found.works.roads} == {"sms", "email", "letter", "in_app", "voice", "network"}

    def test_what_does_not_move_is_counted(self) -> None:
        account = make_account()
        events.record(
            account_id=account.pk, kind="agents.note.added", actor="x", at=NOON - minutes(6), on=TODAY, react=True
        )
        event = PendingEvent.objects.get().event
        hook = Webhook.objects.create(
            url="https://example.com/", events=["agents"], secret="s", created_by="x", created_at=NOON
        )
        WebhookCall.objects.create(webhook=hook, event=event, state="dead")
        RejectedRow.objects.create(file="bills.csv", line=1, reason="no", rejected_at=NOON)
        make_item(account, claimed_by=make_agent(), claimed_at=NOON, lease_until=NOON - minutes(1))

        assert self.stuck() == {"pending": 1, "dead_webhooks": 1, "rejected": 1, "leases": 1}

    def test_a_webhook_that_waits_for_its_next_try_is_not_stuck(self) -> None:
        events.record(account_id=None, kind="agents.queue.ordered", actor="x", at=NOON, on=TODAY)
        hook = Webhook.objects.create(url="https://x.test/", events=["a"], secret="s", created_by="x", created_at=NOON)
        event = make_account().events.model.objects.get()
        call = WebhookCall.objects.create(webhook=hook, event=event, send_at=NOON + minutes(30))
        assert self.stuck() == {}

        WebhookCall.objects.filter(pk=call.pk).update(send_at=NOON - minutes(6))
        assert self.stuck() == {"unsent_webhooks": 1}

    @pytest.mark.parametrize(
        ("hour", "on", "completed", "late"),
        [
            (1, -1, True, False),
            (3, -1, True, True),
            (3, 0, False, True),
            (3, 0, True, False),
            (1, 0, False, False),
        ],
    )
    def test_the_days_run_is_late_two_hours_after_midnight(
        self, hour: int, on: int, completed: bool, late: bool
    ) -> None:
        day = TODAY + timedelta(days=on)
        business_day.move_to(day)
        if completed:
            business_day.complete(day)

        assert seen(at=moment(hour=hour)).works.run.late is late

    def test_a_gateway_that_keeps_failing_is_said_to_rest(self) -> None:
        kept = ChannelHealth(settings.REDIS_URL, desk=desk_name())
        try:
            kept.note_failure("sms", CircuitBreaker(failures=9, opened_at=NOON), "503 down", at=NOON)
            (road,) = seen().unwell
            assert (road.code, road.state, road.health.failures) == ("sms", "open", 9)
        finally:
            kept.note_success("sms", at=NOON)
            kept.close()


class TestOneLookForAll:
    def test_two_who_watch_share_a_look_until_it_is_two_seconds_old(self) -> None:
        watch = watching.Watch()
        first = watch.look(at=NOON)
        with CaptureQueriesContext(connection) as taken:
            again = watch.look(at=NOON + timedelta(seconds=1.9))
        assert again is first
        assert len(taken) == 0

        with CaptureQueriesContext(connection) as taken:
            later = watch.look(at=NOON + timedelta(seconds=2.1))
        assert later.at == NOON + timedelta(seconds=2.1)
        assert 3 <= len(taken) <= 4

    def test_what_is_made_of_a_look_is_made_once(self) -> None:
        watch, made = watching.Watch(), []
        look = watch.look(at=NOON)

        for _ in range(3):
            watch.made(look, "all", lambda: made.append(1))

        assert made == [1]

    def test_after_a_change_the_next_look_is_new(self) -> None:
        watch = watching.Watch()
        watch.look(at=NOON)
        stretch(make_agent())
        watch.forget()

        assert len(watch.look(at=NOON).people) == 1
