"""A supervisor's hand on the queue, its orders, and who is in nobody's hands."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts import holds, status, wishes
from accounts.models import Account, AccountEvent
from agents import kinds, lost_claims, orders, orphans, queue, scoring, steering
from agents.models import Agent, Interaction, QueueOrder, WorkItem
from agents.orphans import Why
from agents.scoring import Ordering
from tests.factories import (
    TODAY,
    kinds_of,
    make_account,
    make_agent,
    make_customer,
    make_item,
    make_team,
    moment,
    owing,
)

pytestmark = pytest.mark.django_db

NOON = moment()


class TestByHand:
    def test_what_is_pinned_comes_first_until_it_is_worked(self) -> None:
        sam, nadia = make_agent("supervisor", username="sam"), make_agent()
        make_item(make_account(), score=150)
        pinned = make_item(owing("20.00"), score=1)

        assert steering.pin(item_ids=[pinned.pk], reason="the press asks", agent=sam, at=NOON) == 1

        pinned.refresh_from_db()
        assert pinned.score_parts[0]["text"] == "Put on top by sam: the press asks: 1000 points"
        assert kinds_of(pinned.account, kinds.ITEM_PINNED) == [kinds.ITEM_PINNED]
        assert queue.claim_next(agent=nadia, at=NOON) == pinned
        left = queue.complete(
            item_id=pinned.pk, agent=nadia, at=NOON, outcome="no_answer", not_before=NOON + timedelta(hours=4)
        )
        left.refresh_from_db()
        assert (left.pinned_by, left.pinned_because) == ("", "")
        assert left.score < 1_000

    def test_unpinned_it_follows_its_score_again(self) -> None:
        sam = make_agent("supervisor")
        item = make_item(owing("20.00"))
        steering.pin(item_ids=[item.pk], reason="the press asks", agent=sam, at=NOON)

        steering.unpin(item_ids=[item.pk], agent=sam, at=NOON)

        item.refresh_from_db()
        assert "pinned" not in {part["name"] for part in item.score_parts}

    def test_a_pin_needs_a_reason(self) -> None:
        item = make_item(make_account())

        with pytest.raises(steering.CannotSteer, match="Say why"):
            steering.pin(item_ids=[item.pk], reason=" ", agent=make_agent("supervisor"), at=NOON)

    @pytest.mark.parametrize("role", ["agent", "specialist", "team_lead"])
    def test_only_a_supervisor_does_any_of_it(self, role: str) -> None:
        item, agent = make_item(make_account()), make_agent(role)

        for act in (
            lambda: steering.pin(item_ids=[item.pk], reason="mine", agent=agent, at=NOON),
            lambda: steering.unpin(item_ids=[item.pk], agent=agent, at=NOON),
            lambda: steering.give_to(item_ids=[item.pk], team=None, agent=agent, at=NOON),
            lambda: steering.release(item_ids=[item.pk], agent=agent, at=NOON),
            lambda: steering.bring_forward(item_ids=[item.pk], agent=agent, at=NOON),
            lambda: orphans.give_next_contact(account_ids=[item.account_id], agent=agent, as_of=TODAY, at=NOON),
        ):
            with pytest.raises(steering.CannotSteer):
                act()

    def test_another_team_gets_it_and_its_order_counts(self) -> None:
        north = make_team()
        item = make_item(owing("240.00"))
        order = orders.write(name="Old first", team=north, first="oldest", weights={}, actor="agent:sam", at=NOON)
        orders.put_in_force(order_id=order.pk, actor="agent:sam", at=NOON)

        steering.give_to(item_ids=[item.pk], team=north, agent=make_agent("supervisor"), at=NOON)

        item.refresh_from_db()
        assert item.team == north
        assert [part["name"] for part in item.score_parts] == ["age"]
        assert queue.claim_next(agent=make_agent(), at=NOON) is None

    def test_taken_out_of_somebodys_hands_it_is_free_and_they_are_told(
        self, django_capture_on_commit_callbacks: Any
    ) -> None:
        nadia, item = make_agent(), make_item(make_account(ref="A90"))
        queue.claim_next(agent=nadia, at=NOON)
        queue.keep(item_id=item.pk, agent=nadia, at=NOON, draft={"note": "half"})

        with django_capture_on_commit_callbacks(execute=True):
            freed = steering.release(item_ids=[item.pk], agent=make_agent("supervisor"), at=NOON)

        assert freed == 1
        assert [row.account_ref for row in lost_claims.take(nadia.pk)] == ["A90"]
        again = queue.claim_next(agent=make_agent(), at=NOON)
        assert again is not None
        assert again.draft == {"note": "half"}

    def test_brought_forward_it_is_offered_now(self) -> None:
        item = make_item(make_account(), not_before=NOON + timedelta(days=9))

        steering.bring_forward(item_ids=[item.pk], agent=make_agent("supervisor"), at=NOON)

        assert queue.claim_next(agent=make_agent(), at=NOON) == item


def fill(count: int, team: Any = None) -> None:
    customer = make_customer()
    before = Account.objects.count()
    accounts = Account.objects.bulk_create(
        [
            Account(
                ref=f"F{before + number}",
                customer=customer,
                currency="EUR",
                overdue=Decimal(10 + number),
                oldest_due_on=TODAY - timedelta(days=200 - number % 200),
            )
            for number in range(count)
        ]
    )
    WorkItem.objects.bulk_create([WorkItem(account=account, team=team, created_at=NOON) for account in accounts])


def put(*, first: str = "score", team: Any = None, **weights: int) -> QueueOrder:
    order = orders.write(name="Ours", team=team, first=first, weights=weights, actor="agent:sam", at=NOON)
    orders.put_in_force(order_id=order.pk, actor="agent:sam", at=NOON)
    return order


class TestOrders:
    def test_in_force_it_is_the_order_in_which_accounts_are_served(self) -> None:
        fill(30)
        queue.rescore(as_of=TODAY, at=NOON)
        agent = make_agent()

        put(first="largest")
        largest = queue.claim_next(agent=agent, at=NOON)
        assert largest is not None
        assert largest.account.overdue == 39
        queue.release(item_id=largest.pk, agent=agent, at=NOON)
        put(first="oldest")
        oldest = queue.claim_next(agent=agent, at=NOON)
        assert oldest is not None
        assert oldest.account.oldest_due_on == TODAY - timedelta(days=200)

    def test_weights_change_every_open_item_in_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scoring, "CHUNK", 10)
        fill(25)
        queue.rescore(as_of=TODAY, at=NOON)

        put(amount=0, age=300)

        for item in WorkItem.objects.all():
            assert "amount" not in {part["name"] for part in item.score_parts}
            assert item.score == sum(part["points"] for part in item.score_parts)

    def test_one_is_in_force_a_team_and_the_list_keeps_the_others(self) -> None:
        north = make_team()
        first, second, theirs = put(amount=50), put(amount=60), put(team=north, amount=70)

        in_force = QueueOrder.objects.filter(in_force=True)
        assert set(in_force) == {second, theirs}
        assert QueueOrder.objects.count() == 3
        assert first.weights == {"amount": 50}
        with pytest.raises(IntegrityError), transaction.atomic():
            QueueOrder.objects.create(name="Again", in_force=True, made_by="agent:sam", made_at=NOON)

    def test_a_teams_order_is_for_its_items_and_the_desks_for_the_rest(self) -> None:
        north, south = make_team(), make_team()
        items = {team: make_item(owing("240.00"), team=team) for team in (north, south, None)}
        queue.rescore(as_of=TODAY, at=NOON)
        put(first="oldest")
        put(team=north, first="largest")

        names = {}
        for team, item in items.items():
            item.refresh_from_db()
            names[team] = [part["name"] for part in item.score_parts]
        assert names == {north: ["amount"], south: ["age"], None: ["age"]}

    def test_a_callback_of_everybody_comes_before_the_largest_of_a_team_that_works_by_amount(self) -> None:
        north = make_team()
        make_item(owing("250000.00"), team=north)
        nadia = make_agent(team=north)
        account = owing("20.00")
        callback = make_item(account)
        Interaction.objects.create(
            ref="I1", account=account, direction="inbound", disposition="rpc_callback", at=NOON - timedelta(hours=1),
            callback_at=NOON,
        )  # fmt: skip
        queue.rescore(as_of=TODAY, at=NOON)

        put(team=north, first="largest")

        assert queue.claim_next(agent=nadia, at=NOON) == callback

    def test_ended_the_desks_order_counts_again(self) -> None:
        north = make_team()
        item = make_item(owing("240.00"), team=north)
        order = put(team=north, first="largest")

        orders.end(order_id=order.pk, actor="agent:sam", at=NOON)

        item.refresh_from_db()
        assert "silence" in {part["name"] for part in item.score_parts}

    def test_who_put_it_in_force_and_what_it_says_is_an_event_of_the_desk(self) -> None:
        order = put(amount=50)

        event = AccountEvent.objects.get(kind=kinds.QUEUE_ORDERED)
        assert (event.account_id, event.actor) == (None, "agent:sam")
        assert event.payload == {
            "order": order.pk, "team": None, "first": "score", "weights": {"amount": 50}, "in_force": True,
        }  # fmt: skip

    @pytest.mark.parametrize("wrong", [{"weights": {"luck": 100}}, {"weights": {"amount": 501}}, {"first": "newest"}])
    def test_what_makes_no_order_is_refused(self, wrong: dict[str, Any]) -> None:
        said: dict[str, Any] = {"name": "x", "team": None, "first": "score", "weights": {}, **wrong}

        with pytest.raises(orders.CannotOrder):
            orders.write(actor="agent:sam", at=NOON, **said)

    def test_a_preview_is_what_would_be_served_and_writes_nothing(self) -> None:
        fill(60)
        queue.rescore(as_of=TODAY, at=NOON)
        before = list(WorkItem.objects.order_by("pk").values_list("score", flat=True))

        top = orders.preview(team=None, ordering=Ordering(first="largest"), as_of=TODAY, at=NOON)

        assert list(WorkItem.objects.order_by("pk").values_list("score", flat=True)) == before
        put(first="largest")
        served = list(WorkItem.objects.order_by("-score", "pk").values_list("pk", flat=True)[: orders.TOP])
        assert [row.item.pk for row in top] == served

    def test_a_preview_costs_the_same_for_thirty_and_for_three_thousand(self) -> None:
        def cost() -> int:
            with CaptureQueriesContext(connection) as taken:
                assert orders.preview(team=None, ordering=Ordering(), as_of=TODAY, at=NOON)
            return len(taken)

        fill(30)
        few = cost()
        fill(3_000)
        # Candidates are read a chunk at a time, of which there are at most two.
        assert cost() <= few + 1


def in_collections(account: Account) -> Account:
    status.move_account(account_id=account.pk, target="collections", actor="desk", at=NOON, on=TODAY, reason="policy")
    return account


def held(account: Account, reason: str, *, starts_on: date = TODAY, **columns: Any) -> None:
    holds.place(
        account_id=account.pk, reason=reason, starts_on=starts_on, actor="desk", as_of=TODAY, at=NOON, **columns
    )


def an_unattended_account() -> Account:
    return in_collections(owing("40.00"))


def an_account_held_for_ever() -> Account:
    account = in_collections(owing("40.00"))
    held(account, "deceased")
    return account


def of_a_team_without_people() -> Account:
    return make_item(reachable(), team=make_team("Ghosts")).account


def in_a_language_nobody_speaks() -> Account:
    return make_item(reachable(language="pl")).account


def parked_for_long() -> Account:
    return make_item(reachable(), not_before=NOON + timedelta(days=8)).account


def without_a_number() -> Account:
    return make_item(reachable(phone="")).account


def who_wants_no_call() -> Account:
    account = reachable()
    wishes.stop(
        customer_id=account.customer_id, channels=["call"], actor="desk", as_of=TODAY, at=NOON - timedelta(days=1)
    )
    return make_item(account).account


def with_an_old_task() -> Account:
    return make_item(reachable(), kind="task", reason="ring the shop", created_at=NOON - timedelta(days=8)).account


def reachable(**columns: Any) -> Account:
    return owing("40.00", customer=make_customer(**{"language": "en", "phone": "+442079460000", **columns}))


ORPHANS = {
    an_unattended_account: (Why.UNATTENDED, "It has no place in the queue and nothing to wait for."),
    an_account_held_for_ever: (Why.UNWATCHED, "It is held without an end, and nobody is to look at it again."),
    of_a_team_without_people: (Why.NO_TEAM, "It is kept for Ghosts, where nobody works."),
    in_a_language_nobody_speaks: (Why.LANGUAGE, "Nobody here speaks Polish."),
    parked_for_long: (Why.PARKED, "It waits until 18 March, 12:00, more than 7 days from now."),
    without_a_number: (Why.UNCALLABLE, "There is no number to call. No hour will change that."),
    who_wants_no_call: (Why.UNCALLABLE, "The customer asked not to be called. No hour will change that."),
    with_an_old_task: (Why.TASK_OVERDUE, "A task waits since 2 March, 12:00: ring the shop."),
}


class TestOrphans:
    @pytest.fixture(autouse=True)
    def _people(self) -> None:
        make_agent(languages=["en", "de"], team=make_team("North"))

    @pytest.mark.parametrize("make", ORPHANS, ids=lambda make: make.__name__)
    def test_each_is_found_with_why_and_one_act_gives_it_a_next_contact(self, make: Any) -> None:
        account = make()

        [orphan] = orphans.find(as_of=TODAY, at=NOON).orphans
        assert (orphan.account_id, orphan.why, orphan.text) == (account.pk, *ORPHANS[make])

        sam = make_agent("supervisor", languages=["en"])
        done, said = orphans.give_next_contact(account_ids=[account.pk], agent=sam, as_of=TODAY, at=NOON)
        assert (done, said) == (1, [orphans.DONE[orphan.why]])
        nadia = make_agent(languages=["en"], team=make_team())
        item = queue.claim_next(agent=nadia, at=NOON)
        assert item is not None, "and somebody is served it now"
        assert item.account_id == account.pk

    def test_whoever_has_a_next_contact_is_not_among_them(self) -> None:
        make_item(reachable())
        make_item(reachable(), not_before=NOON + timedelta(days=6))
        make_item(reachable(), kind="task")
        make_item(reachable(), not_before=NOON + timedelta(days=9), kept_for=make_agent())
        promised = in_collections(owing("40.00"))
        held(promised, "promise", ends_on=TODAY + timedelta(days=10))
        watched = in_collections(owing("40.00"))
        held(watched, "deceased")
        orphans.watch(as_of=TODAY, at=NOON, actor="desk")

        assert orphans.find(as_of=TODAY, at=NOON).total == 0

    def test_a_language_is_nobodys_only_where_nobody_may_speak_it(self) -> None:
        make_item(reachable(language="pl"))
        make_agent()

        assert orphans.find(as_of=TODAY, at=NOON).total == 0

    def test_people_who_have_left_speak_nothing_and_are_in_no_team(self) -> None:
        ghosts = make_team("Ghosts")
        gone = make_agent(languages=["pl"], team=ghosts)
        Agent.objects.filter(pk=gone.pk).update(is_active=False)
        make_item(reachable(language="pl"), team=ghosts)

        assert set(orphans.find(as_of=TODAY, at=NOON).counts) == {Why.NO_TEAM, Why.LANGUAGE}

    def test_what_is_held_without_an_end_is_looked_at_again_after_a_month(self) -> None:
        old, new = in_collections(owing("40.00")), in_collections(owing("40.00"))
        held(old, "deceased", starts_on=TODAY - timedelta(days=60))
        held(new, "legal")

        assert orphans.watch(as_of=TODAY, at=NOON, actor="desk") == 2
        assert orphans.watch(as_of=TODAY, at=NOON, actor="desk") == 0

        days = {item.account_id: item.not_before.date() for item in WorkItem.objects.all() if item.not_before}
        assert days == {old.pk: TODAY, new.pk: TODAY + timedelta(days=30)}
        nadia = make_agent()
        first = queue.claim_next(agent=nadia, at=NOON)
        assert first is not None
        assert first.account_id == old.pk

    def test_finding_them_costs_the_same_for_one_and_for_thirty(self) -> None:
        def cost() -> int:
            with CaptureQueriesContext(connection) as taken:
                orphans.find(as_of=TODAY, at=NOON)
            return len(taken)

        for make in ORPHANS:
            make()
        few = cost()
        for _ in range(4):
            for make in (an_unattended_account, without_a_number, parked_for_long):
                make()
        assert cost() == few
