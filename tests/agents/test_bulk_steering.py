"""A list of the queue looked at, given and pinned at once; one account moved from hand to hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AccountEvent
from accounts.position import BUCKETS
from agents import bulk_steering, kinds, lost_claims, once, queue, rights, steering
from agents.bulk_steering import NO_TEAM, Act, CannotSteerList, Chosen, Done, Preview, Wanted
from agents.models import Agent, LiveCall, Team, WorkItem
from collections_desk import journey
from tests.agents.test_views_queue import fill_the_queue
from tests.factories import TODAY, kinds_of, make_account, make_agent, make_item, make_team, moment, owing

pytestmark = pytest.mark.django_db

NOON = moment()
GOLD = Chosen(segment="gold")
#: Of a list that is carried out.
QUERIES_A_CHUNK = 15


@pytest.fixture
def sam() -> Agent:
    return make_agent("supervisor", username="sam")


def give(team: Team | None) -> Wanted:
    return Wanted(Act.GIVE, team=team)


def look(chosen: Chosen, wanted: Wanted, agent: Agent) -> Preview:
    return bulk_steering.preview(chosen=chosen, wanted=wanted, agent=agent, at=NOON)


def do(chosen: Chosen, wanted: Wanted, agent: Agent, *, token: str = "", upto: int | None = None) -> Done:
    newest = WorkItem.objects.order_by("-pk").values_list("pk", flat=True)[0] if upto is None else upto
    given = {"segment": [chosen.segment]}
    return bulk_steering.carry_out(
        chosen=chosen,
        wanted=wanted,
        upto=newest,
        token=token,
        given=given,
        agent=agent,
        at=NOON,
    )


def gold(**columns: Any) -> WorkItem:
    return make_item(make_account(segment="gold"), **columns)


class TestChoosing:
    def test_by_each_of_the_ways(self, sam: Agent) -> None:
        team = make_team()
        of_team = gold(team=team)
        old = make_item(owing("120.00", segment="silver", product="fibre"))

        def chosen(**ways: Any) -> set[int]:
            preview = look(Chosen(**ways), Wanted(Act.PIN, reason="first"), sam)
            assert preview.items == len(preview.first)
            return {item.pk for item in preview.first}

        assert chosen(team=team.pk) == {of_team.pk}
        assert chosen(team=NO_TEAM) == {old.pk}
        assert chosen(segment="gold") == {of_team.pk}
        assert chosen(product="fibre") == {old.pk}
        assert chosen(bucket=BUCKETS[-1]) == {old.pk}
        assert chosen(bucket=BUCKETS[0]) == {of_team.pk}
        assert chosen(currency="EUR", least=Decimal(120)) == {old.pk}
        assert chosen(currency="EUR", least=Decimal("120.01")) == set()
        assert chosen(currency="EUR", most=Decimal(119)) == {of_team.pk}
        assert chosen(currency="USD") == set()
        assert chosen(policy="nothing-like-that") == set()

    def test_everything_is_no_list(self, sam: Agent) -> None:
        with pytest.raises(CannotSteerList, match="Say which"):
            look(Chosen(), give(None), sam)

    def test_one_that_is_too_long_is_refused(self, sam: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bulk_steering, "MOST", 2)
        for _ in range(3):
            gold()

        with pytest.raises(CannotSteerList, match="More than 2"):
            look(GOLD, give(make_team()), sam)

    def test_done_and_approvals_are_on_no_list(self, sam: Agent) -> None:
        gold(done_at=NOON)
        gold(kind="approval")

        assert look(GOLD, give(make_team()), sam).items == 0


class TestLookingFirst:
    def test_it_counts_what_would_be_done_and_what_is_left_out_and_changes_nothing(self, sam: Agent) -> None:
        team, nadia = make_team(), make_agent()
        to_do = [gold(score=score) for score in (5, 9)]
        gold(team=team)
        held = gold(claimed_by=nadia, claimed_at=NOON, lease_until=NOON + timedelta(minutes=5))
        make_item(held.account, kind="task")  # the other item of an account in somebody's hands

        preview = look(GOLD, give(team), sam)

        assert (preview.items, preview.accounts, preview.in_hand, preview.already) == (2, 2, 2, 1)
        assert [item.pk for item in preview.first] == [to_do[1].pk, to_do[0].pk]
        assert WorkItem.objects.filter(team=team).count() == 1
        assert AccountEvent.objects.count() == 0

    def test_it_shows_twenty_and_takes_as_many_queries_for_any_number(self, sam: Agent) -> None:
        team = make_team()

        def cost() -> int:
            with CaptureQueriesContext(connection) as taken:
                look(Chosen(currency="EUR"), give(team), sam)
            return len(taken)

        rights.roles(sam)
        fill_the_queue(30)
        few = cost()
        fill_the_queue(1_500)
        assert few == cost()
        assert len(look(Chosen(currency="EUR"), give(team), sam).first) == 20


class TestDoing:
    def test_a_team_gets_the_list_each_account_with_its_event(self, sam: Agent) -> None:
        team = make_team()
        items = [gold() for _ in range(3)]

        assert do(GOLD, give(team), sam) == Done(3)

        assert WorkItem.objects.filter(team=team).count() == 3
        for item in items:
            assert kinds_of(item.account) == [kinds.ITEM_REASSIGNED]
            assert item.account.events.get().payload["team"] == team.pk

    def test_what_somebody_took_meanwhile_is_left_to_them(self, sam: Agent) -> None:
        team = make_team()
        gold()
        taken = gold()
        assert look(GOLD, give(team), sam).items == 2
        queue.claim(account_id=taken.account_id, agent=make_agent(), at=NOON)

        assert do(GOLD, give(team), sam) == Done(1, left_out=1)

        taken.refresh_from_db()
        assert taken.team is None

    def test_what_was_queued_after_the_look_is_not_on_the_list(self, sam: Agent) -> None:
        team = make_team()
        gold()
        upto = look(GOLD, give(team), sam).upto
        gold()

        assert do(GOLD, give(team), sam, upto=upto).items == 1

    def test_sent_twice_it_is_done_once_and_says_so(self, sam: Agent) -> None:
        team = make_team()
        gold()
        gold()

        assert do(GOLD, give(team), sam, token="t1") == Done(2)
        WorkItem.objects.update(team=None)
        assert do(GOLD, give(team), sam, token="t1") == Done(2, again=True)

        assert WorkItem.objects.filter(team=team).count() == 0
        assert AccountEvent.objects.filter(kind=kinds.ITEM_REASSIGNED).count() == 2

    def test_the_same_token_for_other_words_is_refused(self, sam: Agent) -> None:
        gold()
        do(GOLD, give(make_team()), sam, token="t1")

        with pytest.raises(once.CannotSaveAgain):
            do(Chosen(segment="silver"), give(make_team()), sam, token="t1")

    def test_cut_short_it_goes_on_where_it_stopped(self, sam: Agent) -> None:
        team = make_team()
        items = [gold() for _ in range(5)]
        # As a killed process leaves it: the token is taken, one chunk is done, nothing was said.
        once.begin(agent=sam, token="t1", path="bulk steering", given={"segment": ["gold"]}, at=NOON)
        steering.give_to(item_ids=[item.pk for item in items[:2]], team=team, agent=sam, at=NOON, only_free=True)

        assert do(GOLD, give(team), sam, token="t1") == Done(3)
        assert do(GOLD, give(team), sam, token="t1") == Done(3, again=True)
        assert AccountEvent.objects.filter(kind=kinds.ITEM_REASSIGNED).count() == 5

    def test_thousands_of_accounts_take_a_few_statements_a_chunk(self, sam: Agent) -> None:
        fill_the_queue(3_000)
        chosen, wanted = Chosen(currency="EUR"), Wanted(Act.PIN, reason="campaign", points=40)

        with CaptureQueriesContext(connection) as asked:
            done = do(chosen, wanted, sam)

        assert done.items == 3_000
        assert len(asked) <= 3 * QUERIES_A_CHUNK
        assert WorkItem.objects.filter(score_parts__contains=[{"name": "pinned", "points": 40}]).count() == 3_000


class TestPinning:
    def test_points_prefer_a_list_and_a_thousand_put_it_on_top(self, sam: Agent) -> None:
        item = gold()
        do(GOLD, Wanted(Act.PIN, reason="campaign", points=40, until=TODAY), sam)

        item.refresh_from_db()
        pinned = next(part for part in item.score_parts if part["name"] == "pinned")
        assert pinned == {"name": "pinned", "points": 40, "text": "Preferred by sam: campaign: 40 points"}
        assert item.pinned_until == TODAY

    def test_it_ends_with_its_day(self, sam: Agent) -> None:
        item = gold()
        do(GOLD, Wanted(Act.PIN, reason="campaign", until=TODAY), sam)
        tomorrow = TODAY + timedelta(days=1)

        assert steering.end_pins(as_of=TODAY, at=NOON, actor="desk:journey") == 0
        assert steering.end_pins(as_of=tomorrow, at=moment(tomorrow), actor="desk:journey") == 1
        queue.rescore(as_of=tomorrow, at=moment(tomorrow))

        item.refresh_from_db()
        assert (item.pinned_by, item.pinned_until) == ("", None)
        assert "pinned" not in {part["name"] for part in item.score_parts}
        assert kinds_of(item.account) == [kinds.ITEM_PINNED, kinds.ITEM_UNPINNED]

    def test_the_days_run_ends_it(self, sam: Agent) -> None:
        item = make_item(owing("100.00", segment="gold"))
        do(GOLD, Wanted(Act.PIN, reason="campaign", until=TODAY), sam)
        tomorrow = TODAY + timedelta(days=1)

        journey.run_day(as_of=tomorrow, at=moment(tomorrow))

        item.refresh_from_db()
        assert item.pinned_by == ""
        assert "pinned" not in {part["name"] for part in item.score_parts}

    def test_worked_it_is_no_longer_on_top_and_the_next_pin_is_whole(self, sam: Agent) -> None:
        item, nadia = gold(), make_agent()
        do(GOLD, Wanted(Act.PIN, reason="campaign", points=40, until=TODAY), sam)
        queue.claim(account_id=item.account_id, agent=nadia, at=NOON)
        queue.complete(item_id=item.pk, agent=nadia, at=NOON, outcome="x", not_before=NOON + timedelta(hours=1))

        item.refresh_from_db()
        assert (item.pinned_by, item.pinned_because, item.pin_points, item.pinned_until) == queue.NOT_PINNED

    @pytest.mark.parametrize(
        "wanted",
        [
            Wanted(Act.PIN, reason=" "),
            Wanted(Act.PIN, reason="x", points=0),
            Wanted(Act.PIN, reason="x", points=1001),
            Wanted(Act.PIN, reason="x", until=TODAY - timedelta(days=1)),
            Wanted(Act.PIN, reason="x", until=TODAY + timedelta(days=93)),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, wanted: Wanted, sam: Agent) -> None:
        gold()

        with pytest.raises(steering.CannotSteer):
            look(GOLD, wanted, sam)

    def test_unpinned_a_list_follows_its_score(self, sam: Agent) -> None:
        gold()
        plain = gold()
        do(GOLD, Wanted(Act.PIN, reason="campaign"), sam)
        steering.unpin(item_ids=[plain.pk], agent=sam, at=NOON)

        assert do(GOLD, Wanted(Act.UNPIN), sam) == Done(1)
        assert not WorkItem.objects.exclude(pinned_by="").exists()


class TestTheWall:
    @pytest.fixture
    def north(self) -> Team:
        return make_team("North")

    @pytest.fixture
    def norma(self, north: Team) -> Agent:
        """Supervises the north alone."""
        return make_agent("supervisor", username="norma", team=north, all_teams=False)

    def test_what_is_another_teams_is_left_out(self, north: Team, norma: Agent) -> None:
        mine, theirs = gold(team=north), gold(team=make_team())
        wanted = Wanted(Act.PIN, reason="first")

        preview = look(GOLD, wanted, norma)
        assert (preview.items, preview.not_seen) == (1, 1)
        assert do(GOLD, wanted, norma) == Done(1, left_out=1)

        mine.refresh_from_db()
        theirs.refresh_from_db()
        assert (mine.pinned_by, theirs.pinned_by) == ("agent:norma", "")

    def test_nothing_is_given_across_it(self, north: Team, norma: Agent) -> None:
        gold(team=north)

        for team in (make_team(), None):
            with pytest.raises(steering.CannotSteer, match="your own team"):
                look(GOLD, give(team), norma)

    def test_no_act_by_hand_reaches_across_it(self, norma: Agent) -> None:
        nadia = make_agent()
        theirs = gold(team=make_team(), claimed_by=nadia, claimed_at=NOON, lease_until=NOON + timedelta(minutes=5))

        assert steering.pin(item_ids=[theirs.pk], reason="x", agent=norma, at=NOON) == 0
        assert steering.unpin(item_ids=[theirs.pk], agent=norma, at=NOON) == 0
        assert steering.release(item_ids=[theirs.pk], agent=norma, at=NOON) == 0
        assert steering.bring_forward(item_ids=[theirs.pk], agent=norma, at=NOON) == 0
        with pytest.raises(steering.CannotSteer):
            steering.put_back(item_id=theirs.pk, agent=norma, at=NOON)
        with pytest.raises(steering.CannotSteer):
            steering.reassign(item_id=theirs.pk, to=make_agent(team=norma.team), agent=norma, at=NOON)

    def test_nobody_of_another_team_is_given_an_account(self, north: Team, norma: Agent) -> None:
        item = gold(team=north)

        with pytest.raises(steering.CannotSteer, match="does not work at your desk"):
            steering.reassign(item_id=item.pk, to=make_agent(team=make_team()), agent=norma, at=NOON)

    @pytest.mark.parametrize("role", ["agent", "specialist", "team_lead"])
    def test_whoever_does_not_supervise_does_none_of_it(self, role: str) -> None:
        item, agent = gold(), make_agent(role)

        with pytest.raises(steering.CannotSteer):
            look(GOLD, give(None), agent)
        with pytest.raises(steering.CannotSteer):
            do(GOLD, Wanted(Act.PIN, reason="x"), agent)
        with pytest.raises(steering.CannotSteer):
            steering.reassign(item_id=item.pk, to=make_agent(), agent=agent, at=NOON)
        with pytest.raises(steering.CannotSteer):
            steering.put_back(item_id=item.pk, agent=agent, at=NOON)


class TestOneAccount:
    @pytest.fixture
    def people(self) -> tuple[Agent, Agent]:
        return make_agent(first_name="Nadia"), make_agent(first_name="Lena")

    def test_it_goes_from_one_to_another_with_what_was_half_typed(
        self, sam: Agent, people: tuple[Agent, Agent], django_capture_on_commit_callbacks: Any
    ) -> None:
        nadia, lena = people
        item = gold(draft={"note": "half"})
        queue.claim(account_id=item.account_id, agent=nadia, at=NOON)

        with django_capture_on_commit_callbacks(execute=True):
            steering.reassign(item_id=item.pk, to=lena, agent=sam, at=NOON)

        item.refresh_from_db()
        assert (item.claimed_by, item.lease_until, item.draft) == (lena, NOON + queue.LEASE, {"note": "half"})
        (lost,) = lost_claims.take(nadia.pk)
        assert (lost.account_ref, lost.taken_by) == (item.account.ref, "Lena")
        event = item.account.events.get(kind=kinds.ITEM_HANDED_OVER)
        assert event.actor == "agent:sam"
        assert event.payload["to"] == rights.actor(lena)
        assert event.payload["taken_from"] == rights.actor(nadia)

    def test_nobodys_account_is_given_to_somebody(self, sam: Agent, people: tuple[Agent, Agent]) -> None:
        item = gold()

        steering.reassign(item_id=item.pk, to=people[0], agent=sam, at=NOON)

        assert queue.held(account_id=item.account_id, agent=people[0], at=NOON) == item

    def test_not_to_a_person_of_another_team(self, sam: Agent) -> None:
        item, stranger = gold(team=make_team()), make_agent(team=make_team())

        with pytest.raises(steering.CannotSteer, match="for another team"):
            steering.reassign(item_id=item.pk, to=stranger, agent=sam, at=NOON)

    def test_not_to_somebody_who_has_left_or_works_on_nothing(self, sam: Agent) -> None:
        item = gold()

        for to in (make_agent(is_active=False), make_agent("finance")):
            with pytest.raises(steering.CannotSteer):
                steering.reassign(item_id=item.pk, to=to, agent=sam, at=NOON)

    @pytest.mark.parametrize("state", ["dialled", "ringing", "answered"])
    def test_nobody_loses_a_customer_who_is_on_the_phone(
        self, state: str, sam: Agent, people: tuple[Agent, Agent]
    ) -> None:
        nadia, lena = people
        item = gold()
        queue.claim(account_id=item.account_id, agent=nadia, at=NOON)
        LiveCall.objects.create(ref="L1", account=item.account, agent=nadia, state=state, begun_at=NOON)

        with pytest.raises(steering.CannotSteer, match="Nadia is on the phone"):
            steering.reassign(item_id=item.pk, to=lena, agent=sam, at=NOON)
        with pytest.raises(steering.CannotSteer, match="Nadia is on the phone"):
            steering.put_back(item_id=item.pk, agent=sam, at=NOON)

        assert queue.held(account_id=item.account_id, agent=nadia, at=NOON) == item

    def test_put_back_it_is_free_and_who_had_it_is_told(
        self, sam: Agent, people: tuple[Agent, Agent], django_capture_on_commit_callbacks: Any
    ) -> None:
        item = gold()
        queue.claim(account_id=item.account_id, agent=people[0], at=NOON)

        with django_capture_on_commit_callbacks(execute=True):
            assert steering.put_back(item_id=item.pk, agent=sam, at=NOON)
        assert not steering.put_back(item_id=item.pk, agent=sam, at=NOON)

        assert [lost.taken_by for lost in lost_claims.take(people[0].pk)] == ["sam"]
        assert queue.claim_next(agent=people[1], at=NOON) == item
