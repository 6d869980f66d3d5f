"""The whole queue in a supervisor's hand, in the browser: listed, steered, ordered, and nobody forgotten."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import priority, queue
from agents.models import QueueOrder, WorkItem
from tests.agents.test_views_queue import fill_the_queue, signed_in
from tests.factories import make_account, make_agent, make_customer, make_item, make_team

pytestmark = pytest.mark.django_db

QUEUE, ORDER, ORPHANS = "/supervise/queue/", "/supervise/queue/order/", "/supervise/queue/orphans/"
#: Session, person, roles, business date, how many, the page, what to filter by, teams, people at work.
QUERIES_OF_THE_LIST = 9


@pytest.fixture
def sam() -> Client:
    return signed_in(make_agent("supervisor", username="sam"))


def named(name: str, *, item: dict[str, Any] | None = None, language: str = "en", **columns: Any) -> WorkItem:
    account = make_account(customer=make_customer(name=name, language=language), **columns)
    return make_item(account, **(item or {}))


@pytest.mark.parametrize("address", [QUEUE, ORDER, ORPHANS, f"{ORDER}preview/"])
@pytest.mark.parametrize("role", ["agent", "team_lead"])
def test_it_is_not_for_agents(address: str, role: str) -> None:
    assert signed_in(make_agent(role)).get(address).status_code == 403


@pytest.mark.parametrize("address", ["steer/", "order/write/", "order/1/force/", "order/1/end/", "orphans/mend/"])
def test_nor_is_any_act_of_it(address: str) -> None:
    assert signed_in(make_agent()).post(QUEUE + address).status_code == 403


def test_the_list_costs_the_same_for_fifty_and_for_two_thousand(sam: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as taken:
            assert sam.get(QUEUE).status_code == 200
        return len(taken)

    fill_the_queue(50)
    few = cost()
    fill_the_queue(1_950)
    assert few == cost() == QUERIES_OF_THE_LIST


class TestTheList:
    def shown(self, client: Client, **asked: str) -> list[str]:
        page = client.get(QUEUE, asked)
        assert page.status_code == 200
        return [item.account.customer.name for item in page.context["items"]]

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({"language": "pl"}, ["Pola"]),
            ({"segment": "gold"}, ["Gold"]),
            ({"product": "fibre"}, ["Fibre"]),
            ({"bucket": "61-90"}, ["Old"]),
            ({"bucket": "1-30"}, ["Young"]),
            ({"reason": "broken promise"}, ["Broken"]),
            ({"held": "anybody"}, ["Held"]),
            ({"waiting": "later"}, ["Later", "Called"]),
            ({"waiting": "callback"}, ["Called"]),
            ({"waiting": "hour"}, ["Asleep"]),
            ({"waiting": "pinned"}, ["Pinned"]),
            ({"team": "none", "language": "pl"}, ["Pola"]),
            ({"language": "pl", "segment": "gold"}, []),
        ],
    )
    def test_it_is_narrowed_by_everything(self, sam: Client, asked: dict[str, str], expected: list[str]) -> None:
        at = timezone.now()
        today = at.date()
        nadia = make_agent()
        named("Pola", language="pl")
        named("Gold", segment="gold")
        named("Fibre", product="fibre")
        named("Old", oldest_due_on=today - timedelta(days=70))
        named("Young", oldest_due_on=today - timedelta(days=30))
        named("Broken", item={"reason": "broken promise"})
        named("Held", item={"claimed_by": nadia, "lease_until": at + timedelta(minutes=5)})
        named("Later", item={"not_before": at + timedelta(days=1)})
        named("Called", item={"not_before": at + timedelta(days=1), "kept_for": nadia})
        named("Asleep", item={"callable_from": at + timedelta(hours=5)})
        named("Pinned", item={"pinned_by": "agent:sam", "pinned_because": "so"})

        assert self.shown(sam, **asked) == expected

    def test_by_team_and_by_who_holds_it(self, sam: Client) -> None:
        north, nadia = make_team("North"), make_agent()
        named("Ours", item={"team": north})
        named("Held", item={"claimed_by": nadia, "lease_until": timezone.now() + timedelta(minutes=5)})

        assert self.shown(sam, team=str(north.pk)) == ["Ours"]
        assert self.shown(sam, held=str(nadia.pk)) == ["Held"]
        assert self.shown(sam, held="nobody") == ["Ours"]
        assert self.shown(sam, waiting="now") == ["Ours"]

    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            ("score", ["Berta", "Anna", "Cleo"]),
            ("overdue", ["Cleo", "Berta", "Anna"]),
            ("name", ["Anna", "Berta", "Cleo"]),
            ("days", ["Anna", "Cleo", "Berta"]),
            ("luck", ["Berta", "Anna", "Cleo"]),
        ],
    )
    def test_it_is_sorted_as_asked(self, sam: Client, sort: str, expected: list[str]) -> None:
        today = timezone.now().date()
        for name, score, overdue, days in (("Anna", 5, 10, 90), ("Berta", 9, 20, 10), ("Cleo", 1, 30, 50)):
            due_on = today - timedelta(days=days)
            named(name, item={"score": score}, overdue=Decimal(overdue), oldest_due_on=due_on)

        assert self.shown(sam, sort=sort) == expected

    @pytest.mark.parametrize("nonsense", [{"team": "x"}, {"bucket": "9-9"}, {"held": "x"}, {"waiting": "x"}])
    def test_what_makes_no_sense_is_left_out(self, sam: Client, nonsense: dict[str, str]) -> None:
        named("Anna")

        assert self.shown(sam, **nonsense) == ["Anna"]


class TestSteering:
    def test_what_is_ticked_is_put_on_top_with_its_reason(self, sam: Client) -> None:
        item, other = named("Anna"), named("Berta")

        answer = sam.post(
            f"{QUEUE}steer/",
            {"items": [item.pk], "act": "pin", "reason": "the press asks", "back": f"{QUEUE}?language=en"},
        )

        assert answer["Location"] == f"{QUEUE}?language=en"
        item.refresh_from_db()
        other.refresh_from_db()
        assert (item.pinned_because, other.pinned_because) == ("the press asks", "")
        assert "1 account is on top." in sam.get(QUEUE).content.decode()

    def test_a_card_number_is_not_kept_with_it(self, sam: Client) -> None:
        item = named("Anna")

        sam.post(f"{QUEUE}steer/", {"items": [item.pk], "act": "pin", "reason": "paid with 4111 1111 1111 1111"})

        item.refresh_from_db()
        assert "4111 1111 1111 1111" not in item.pinned_because

    def test_it_is_given_to_a_team_and_freed(self, sam: Client) -> None:
        north, nadia = make_team(), make_agent()
        item = named("Anna")
        queue.claim(account_id=item.account_id, agent=nadia, at=timezone.now())

        sam.post(f"{QUEUE}steer/", {"items": [item.pk], "act": "team", "team": str(north.pk)})
        sam.post(f"{QUEUE}steer/", {"items": [item.pk], "act": "release"})

        item.refresh_from_db()
        assert (item.team, item.claimed_by) == (north, None)

    @pytest.mark.parametrize("forged", ["https://evil.example/", "/admin/", "//evil.example/supervise/queue/"])
    def test_it_goes_back_nowhere_else(self, sam: Client, forged: str) -> None:
        item = named("Anna")

        answer = sam.post(f"{QUEUE}steer/", {"items": [item.pk], "act": "unpin", "back": forged})

        assert answer["Location"] == QUEUE

    def test_nothing_ticked_is_said(self, sam: Client) -> None:
        sam.post(f"{QUEUE}steer/", {"act": "release"})

        assert "Tick the accounts first." in sam.get(QUEUE).content.decode()


def weights(**changed: int) -> dict[str, int]:
    return {f"weight_{part}": changed.get(part, 100) for part in priority.WEIGHED}


class TestTheOrder:
    def test_it_shows_what_would_be_on_top_before_anything_is_changed(self, sam: Client) -> None:
        now = timezone.now()
        named("Poor and old", overdue=Decimal(30), oldest_due_on=now.date() - timedelta(days=60))
        named("Rich and young", overdue=Decimal(3_000), oldest_due_on=now.date() - timedelta(days=2))
        queue.rescore(as_of=now.date(), at=now)

        def first(**changed: int) -> str:
            page = sam.get(f"{ORDER}preview/", {"first": "score", **weights(**changed)})
            name: str = page.context["preview"][0][1].item.account.customer.name
            return name

        before = list(WorkItem.objects.order_by("pk").values_list("score", flat=True))
        assert first() == "Rich and young"
        assert first(amount=0) == "Poor and old"
        assert list(WorkItem.objects.order_by("pk").values_list("score", flat=True)) == before

    def test_it_is_written_and_put_in_force_with_who_and_when(self, sam: Client) -> None:
        item = named("Anna", overdue=Decimal(240))
        said = {"name": "Amounts twice", "first": "score", "then": "force", **weights(amount=200)}

        assert sam.post(f"{ORDER}write/", said)["Location"] == ORDER

        order = QueueOrder.objects.get()
        assert (order.in_force, order.made_by, order.weights) == (True, "agent:sam", {"amount": 200})
        item.refresh_from_db()
        assert "EUR 240.00 overdue, weighs 200 %: 70 points" in {part["text"] for part in item.score_parts}
        page = sam.get(ORDER).content.decode()
        assert "Amounts twice" in page
        assert "What is overdue 200 %" in page

    def test_kept_it_waits_until_it_is_put_in_force_and_ends(self, sam: Client) -> None:
        sam.post(f"{ORDER}write/", {"name": "Later", "first": "oldest", "then": "keep", **weights()})
        order = QueueOrder.objects.get()
        assert not order.in_force

        sam.post(f"{ORDER}{order.pk}/force/")
        order.refresh_from_db()
        assert order.in_force
        sam.post(f"{ORDER}{order.pk}/end/")
        order.refresh_from_db()
        assert not order.in_force

    @pytest.mark.parametrize(
        "wrong", [{"name": ""}, {"first": "newest"}, {"weight_amount": "-1"}, {"weight_age": "5000"}, {"team": "77777"}]
    )
    def test_what_makes_no_order_comes_back_with_why(self, sam: Client, wrong: dict[str, str]) -> None:
        answer = sam.post(f"{ORDER}write/", {"name": "x", "first": "score", **weights(), **wrong})

        assert answer.status_code == 422
        assert answer.context["form"].errors
        assert not QueueOrder.objects.exists()

    def test_another_begins_from_one_there_is(self, sam: Client) -> None:
        order = QueueOrder.objects.create(
            name="Amounts twice", weights={"amount": 200}, made_by="agent:sam", made_at=timezone.now()
        )

        form = sam.get(ORDER, {"from": order.pk}).context["form"]

        assert form["weight_amount"].value() == 200
        assert form["weight_age"].value() == 100


class TestOrphans:
    def test_each_stands_there_with_why_and_a_button(self, sam: Client) -> None:
        lost = named("Lost Lena", item={"team": make_team("Ghosts")})

        page = sam.get(ORPHANS).content.decode()
        assert "Lost Lena" in page
        assert "It is kept for Ghosts, where nobody works." in page

        sam.post(f"{ORPHANS}mend/", {"account": [lost.account_id]})
        lost.refresh_from_db()
        assert lost.team is None
        assert "open to every team" in sam.get(ORPHANS).content.decode()

    def test_none_is_said(self, sam: Client) -> None:
        assert "Every account has a next contact" in sam.get(ORPHANS).content.decode()

    def test_an_account_that_is_none_is_left_alone(self, sam: Client) -> None:
        make_agent()
        item = make_item(make_account(customer=make_customer(phone="+442079460000")), team=make_team())
        make_agent(team=item.team)

        sam.post(f"{ORPHANS}mend/", {"account": [item.account_id]})

        item.refresh_from_db()
        assert item.team is not None


class TestTheAdmin:
    @pytest.fixture
    def ada(self) -> Client:
        return signed_in(make_agent("admin", username="ada"))

    def test_an_order_has_a_field_a_part_and_is_put_in_force(self, ada: Client) -> None:
        item = named("Anna", overdue=Decimal(240))
        page = ada.get("/admin/agents/queueorder/add/").content.decode()
        assert all(f'name="weight_{part}"' in page for part in priority.WEIGHED)

        said = {"name": "Amounts twice", "first": "score", "in_force": "on", **weights(amount=200)}
        assert ada.post("/admin/agents/queueorder/add/", said).status_code == 302

        order = QueueOrder.objects.get()
        assert (order.in_force, order.made_by, order.weights) == (True, "agent:ada", {"amount": 200})
        item.refresh_from_db()
        assert item.score > 35
        assert ada.get("/admin/agents/queueorder/").status_code == 200
        assert ada.get(f"/admin/agents/queueorder/{order.pk}/history/").status_code == 200

    def test_in_force_it_is_ended_and_not_rewritten(self, ada: Client) -> None:
        ada.post(
            "/admin/agents/queueorder/add/",
            {"name": "Amounts twice", "first": "score", "in_force": "on", **weights(amount=200)},
        )
        order = QueueOrder.objects.get()
        address = f"/admin/agents/queueorder/{order.pk}/change/"
        assert 'name="weight_amount"' not in ada.get(address).content.decode()

        assert ada.post(address, {"name": "Else", **weights(amount=5)}).status_code == 302

        order.refresh_from_db()
        assert (order.name, order.weights, order.in_force) == ("Amounts twice", {"amount": 200}, False)

    def test_skills_are_edited_with_the_person(self, ada: Client) -> None:
        nadia = make_agent(username="nadia")
        address = f"/admin/agents/agent/{nadia.pk}/change/"
        page = ada.get(address)
        form = page.context["adminform"].form
        said = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
        said |= {"languages": "en, de", "segments": "gold", "products": "", "most_overdue": "500"}

        assert ada.post(address, said).status_code == 302

        nadia.refresh_from_db()
        assert (nadia.languages, nadia.segments, nadia.products) == (["en", "de"], ["gold"], [])
        assert nadia.most_overdue == 500
