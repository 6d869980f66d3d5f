"""The live floor over HTTP: the page, its stream, accounts moved, lists steered, teams told; and who may."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from accounts.models import AccountEvent
from agents import kinds, queue, streams, team_messages, watching
from agents.models import Agent, MessageSeen, Stretch, TeamMessage, WorkItem
from agents.views import floor as view
from tests.agents.test_views_queue import fill_the_queue, signed_in
from tests.factories import make_account, make_agent, make_item, make_service, make_team

FLOOR = "/supervise/floor/"
PAGES = [FLOOR, f"{FLOOR}now/", f"{FLOOR}stream/", f"{FLOOR}list/", f"{FLOOR}messages/"]
ACTS = ["list/do/", "messages/send/", "messages/1/end/", "items/1/move/"]
#: Session, person, roles, and a look: depths, teams, people, callbacks, eleven of the machinery.
QUERIES = 18


@pytest.fixture(autouse=True)
def looked_at_by_nobody() -> Iterator[None]:
    """No look of an earlier test is shown to this one."""
    watching.FLOOR.forget_all()
    yield
    watching.FLOOR.forget_all()


def held(agent: Agent, **columns: Any) -> WorkItem:
    at = timezone.now()
    return make_item(
        make_account(),
        **{
            "claimed_by": agent,
            "claimed_at": at,
            "lease_until": at + timedelta(minutes=15),
            "created_at": at,
            **columns,
        },
    )


@pytest.mark.django_db
class TestThePage:
    @pytest.mark.parametrize("address", PAGES)
    @pytest.mark.parametrize("role", ["agent", "specialist", "team_lead"])
    def test_it_is_not_for_agents_and_team_leads(self, address: str, role: str) -> None:
        assert signed_in(make_agent(role)).get(address).status_code == 403

    @pytest.mark.parametrize("address", ACTS)
    def test_nor_is_any_act_of_it(self, address: str) -> None:
        assert signed_in(make_agent("team_lead")).post(FLOOR + address).status_code == 403

    @pytest.mark.parametrize("address", ACTS)
    def test_no_act_is_done_by_a_link(self, address: str) -> None:
        assert signed_in(make_agent("supervisor")).get(FLOOR + address).status_code == 405

    def test_a_visitor_is_sent_to_the_login_page(self) -> None:
        assert Client().get(f"{FLOOR}stream/")["Location"].startswith("/login/")

    @pytest.mark.parametrize("role", ["supervisor", "manager", "finance", "admin"])
    def test_whoever_supervises_sees_who_does_what(self, role: str) -> None:
        item = held(make_agent(first_name="Nadia"))

        page = signed_in(make_agent(role)).get(FLOOR).content.decode()

        assert "Nadia" in page
        assert "On an account" in page
        assert item.account.ref in page
        assert (f'href="/accounts/{item.account.ref}/"' in page) is (role != "finance")

    def test_it_costs_the_same_for_any_number(self) -> None:
        sam = signed_in(make_agent("supervisor"))

        def cost() -> int:
            watching.FLOOR.forget_all()
            with CaptureQueriesContext(connection) as taken:
                assert sam.get(FLOOR).status_code == 200
            return len(taken)

        held(make_agent())
        few = cost()
        fill_the_queue(1_000)
        for _ in range(12):
            held(make_agent())
        assert few == cost() == QUERIES

    def test_who_polls_gets_what_changed_since(self) -> None:
        sam = signed_in(make_agent("supervisor"))
        parts = sam.get(f"{FLOOR}now/").json()
        assert set(parts) == set(view.PARTS)
        known = ",".join(f"{name}.{part['digest']}" for name, part in parts.items())
        unchanged = sam.get(f"{FLOOR}now/", {"known": known})
        assert (unchanged.status_code, unchanged["X-Stream"]) == (204, "room")

        held(make_agent(first_name="Nadia"))
        watching.FLOOR.forget_all()
        changed = sam.get(f"{FLOOR}now/", {"known": known}).json()

        assert set(changed) == {"people", "queue", "said"}
        assert "Nadia" in changed["people"]["html"]

    def test_kept_to_one_team_nobody_else_is_on_the_page(self) -> None:
        north, south = make_team("North"), make_team("South")
        norma = signed_in(make_agent("supervisor", team=north, all_teams=False))
        items = {team.name: held(make_agent(team=team, first_name=f"Of {team}"), team=team) for team in (north, south)}

        page = norma.get(FLOOR).content.decode()

        assert "Of North" in page
        assert "Of South" not in page
        assert items["South"].account.ref not in page
        assert "South" not in page
        assert norma.get(f"{FLOOR}items/{items['South'].pk}/").status_code == 404
        assert norma.post(f"{FLOOR}items/{items['South'].pk}/move/", {"act": "back"}).status_code == 404

    def test_the_queue_of_another_team_is_not_theirs_either(self) -> None:
        north, south = make_team("North"), make_team("South")
        norma = signed_in(make_agent("supervisor", team=north, all_teams=False))
        make_item(make_account(ref="A-NORTH"), team=north)
        theirs = make_item(make_account(ref="A-SOUTH"), team=south)

        page = norma.get("/supervise/queue/").content.decode()
        assert "A-NORTH" in page
        assert "A-SOUTH" not in page
        norma.post("/supervise/queue/steer/", {"act": "pin", "reason": "x", "items": [theirs.pk]})
        theirs.refresh_from_db()
        assert theirs.pinned_by == ""
        order = {"name": "Ours", "team": south.pk, "first": "largest", "then": "force"}
        assert norma.post("/supervise/queue/order/write/", order).status_code == 403
        assert norma.post("/supervise/queue/order/write/", {**order, "team": ""}).status_code == 403

    def test_nor_are_orphans_and_the_network_of_another_team(self) -> None:
        at, (north, south) = timezone.now(), (make_team("North"), make_team("South"))
        norma = signed_in(make_agent("supervisor", team=north, all_teams=False))
        for team in (north, south):
            make_agent(team=team)
            account = make_account(ref=f"A-{team.name.upper()}")
            make_service(account, status="suspended", reported_status="active")
            make_item(account, team=team, kind="task", created_at=at - timedelta(days=30))

        for address in ("/supervise/queue/orphans/", "/supervise/network/?list=differing"):
            page = norma.get(address).content.decode()
            assert "A-NORTH" in page
            assert "A-SOUTH" not in page
        theirs = WorkItem.objects.get(account__ref="A-SOUTH")
        norma.post("/supervise/queue/orphans/mend/", {"account": theirs.account_id})
        theirs.refresh_from_db()
        assert theirs.pinned_by == ""


@pytest.mark.django_db
class TestMoving:
    def test_an_account_goes_to_somebody_else_who_hears_of_it(self) -> None:
        nadia, lena = make_agent(first_name="Nadia"), make_agent(username="lena")
        item = held(nadia)
        sam = signed_in(make_agent("supervisor", username="sam"))
        page = sam.get(f"{FLOOR}items/{item.pk}/").content.decode()
        assert "Nadia has it in hand" in page

        answer = sam.post(f"{FLOOR}items/{item.pk}/move/", {"to": "lena"}, follow=True)

        item.refresh_from_db()
        assert item.claimed_by == lena
        assert answer.redirect_chain[-1][0] == FLOOR
        (news,) = signed_in(lena).get("/news/").json()["decided"]
        assert news["text"] == f"sam gave you {item.account.ref}."
        assert signed_in(nadia).get("/news/").json()["decided"] == []

    def test_it_is_put_back(self) -> None:
        item = held(make_agent())

        signed_in(make_agent("supervisor")).post(f"{FLOOR}items/{item.pk}/move/", {"act": "back"})

        item.refresh_from_db()
        assert item.claimed_by is None

    def test_a_refusal_is_said_and_nothing_is_done(self) -> None:
        item = held(make_agent(), team=make_team())
        stranger = make_agent(team=make_team())
        sam = signed_in(make_agent("supervisor"))

        page = sam.post(f"{FLOOR}items/{item.pk}/move/", {"to": stranger.username}, follow=True).content.decode()

        assert "is for another team" in page
        assert AccountEvent.objects.filter(kind=kinds.ITEM_HANDED_OVER).count() == 0

    def test_what_is_done_already_is_not_found(self) -> None:
        item = make_item(make_account(), done_at=timezone.now())

        assert signed_in(make_agent("supervisor")).get(f"{FLOOR}items/{item.pk}/").status_code == 404


@pytest.mark.django_db
class TestLists:
    def asked(self, **more: str) -> dict[str, str]:
        return {"segment": "gold", "act": "give", **more}

    def test_what_the_preview_says_is_done_when_it_is_said_so(self) -> None:
        team = make_team("North")
        items = [make_item(make_account(segment="gold")) for _ in range(2)]
        sam = signed_in(make_agent("supervisor"))

        page = sam.get(f"{FLOOR}list/", self.asked(to=str(team.pk)))
        assert page.context["preview"].items == 2
        assert items[0].account.ref in page.content.decode()
        assert WorkItem.objects.filter(team=team).count() == 0

        said = {**self.asked(to=str(team.pk)), "upto": str(page.context["preview"].upto), "once": page.context["token"]}
        done = sam.post(f"{FLOOR}list/do/", said, follow=True).content.decode()
        again = sam.post(f"{FLOOR}list/do/", said, follow=True).content.decode()

        assert "2 accounts given." in done
        assert "nothing was done twice" in again
        assert WorkItem.objects.filter(team=team).count() == 2
        assert AccountEvent.objects.filter(kind=kinds.ITEM_REASSIGNED).count() == 2

    @pytest.mark.parametrize(
        "asked",
        [
            {"segment": "gold", "act": "give"},
            {"segment": "gold", "act": "pin"},
            {"act": "unpin"},
            {"segment": "gold", "act": "unpin", "least": "5"},
            {"segment": "gold", "act": "unpin", "currency": "EUR", "least": "5", "most": "4"},
            {"segment": "gold", "act": "pin", "reason": "x", "points": "1001"},
            {"segment": "gold", "act": "pin", "reason": "x", "until": "1999-01-01"},
            {"segment": "gold", "act": "explode"},
            {"team": "99", "act": "unpin"},
        ],
    )
    def test_what_makes_no_list_is_said(self, asked: dict[str, str]) -> None:
        make_item(make_account(segment="gold"))
        sam = signed_in(make_agent("supervisor"))

        page = sam.get(f"{FLOOR}list/", asked)

        assert page.status_code == 422
        assert "preview" not in page.context
        sam.post(f"{FLOOR}list/do/", {**asked, "upto": "999999", "once": "t"})
        assert AccountEvent.objects.count() == 0

    def test_begun_from_the_queue_nothing_is_asked_yet(self) -> None:
        make_item(make_account(segment="gold"))

        page = signed_in(make_agent("supervisor")).get(f"{FLOOR}list/", {"segment": "gold", "sort": "score"})

        assert page.status_code == 200
        assert page.context["form"].errors == {}
        assert page.context["form"]["segment"].value() == "gold"

    def test_kept_to_one_team_no_other_can_be_chosen_or_given_to(self) -> None:
        north, south = make_team("North"), make_team("South")
        make_item(make_account(segment="gold"), team=south)
        norma = signed_in(make_agent("supervisor", team=north, all_teams=False))

        assert norma.get(f"{FLOOR}list/", self.asked(to=str(south.pk))).status_code == 422
        assert norma.get(f"{FLOOR}list/", self.asked(to="everybody")).status_code == 422
        page = norma.get(f"{FLOOR}list/", self.asked(to=str(north.pk)))
        assert (page.context["preview"].items, page.context["preview"].not_seen) == (0, 1)


@pytest.mark.django_db
class TestTelling:
    def test_a_team_hears_of_it_until_each_saw_it(self) -> None:
        team = make_team("North")
        nadia = signed_in(make_agent(team=team))
        sam = signed_in(make_agent("supervisor", username="sam"))

        sam.post(f"{FLOOR}messages/send/", {"team": team.pk, "text": "The lines are down", "hours": "4"})

        (told,) = nadia.get("/news/").json()["messages"]
        assert told["text"].startswith("sam, ")
        assert told["text"].endswith(": The lines are down")
        assert nadia.post(told["seen"]).status_code == 204
        assert nadia.get("/news/").json()["messages"] == []
        message = TeamMessage.objects.get()
        page = sam.get(f"{FLOOR}messages/", {"seen": message.pk}).content.decode()
        assert "1 / 1" in page

    def test_nobody_else_says_that_they_saw_it(self) -> None:
        sam = make_agent("supervisor")
        message = team_messages.send(
            text="x", team=make_team(), until=timezone.now() + timedelta(hours=1), agent=sam, at=timezone.now()
        )

        assert signed_in(make_agent()).post(f"/news/{message.pk}/seen/").status_code == 404
        assert MessageSeen.objects.count() == 0

    @pytest.mark.parametrize("asked", [{"text": "", "hours": "4"}, {"text": "x", "hours": "5"}, {"text": "x"}])
    def test_what_says_nothing_is_not_sent(self, asked: dict[str, str]) -> None:
        answer = signed_in(make_agent("supervisor")).post(f"{FLOOR}messages/send/", asked)

        assert answer.status_code == 422
        assert TeamMessage.objects.count() == 0

    def test_it_is_taken_back(self) -> None:
        at = timezone.now()
        sam = make_agent("supervisor")
        message = team_messages.send(text="x", team=None, until=at + timedelta(hours=1), agent=sam, at=at)

        signed_in(sam).post(f"{FLOOR}messages/{message.pk}/end/")

        assert signed_in(make_agent()).get("/news/").json()["messages"] == []
        assert signed_in(sam).post(f"{FLOOR}messages/0/end/").status_code == 404


# The stream, over a server that runs ----------------------------------------------------------------------------------


@pytest.fixture
def desk(committed: None) -> Iterator[str]:
    server = LiveServer("127.0.0.1")
    yield server.url
    server.stop()
    connections.close_all()


@pytest.fixture(autouse=True)
def own_streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[streams.Streams]:
    """Places of this test's own, all of which end with it."""
    own = streams.Streams()
    monkeypatch.setattr(streams, "OPEN", own)
    yield own
    own.stop()


class Listening:
    """A browser that listens to the floor."""

    def __init__(self, desk: str, person: Agent) -> None:
        client = signed_in(person)
        self.connection = http.client.HTTPConnection(urlsplit(desk).netloc, timeout=10)
        cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        self.connection.request("GET", f"{FLOOR}stream/", headers={"Cookie": cookie})
        self.answer = self.connection.getresponse()

    def line(self) -> str:
        """The next line; none at the end of the stream."""
        return self.answer.readline().decode().rstrip("\n")

    def heard(self) -> dict[str, Any]:
        """The next change that is told."""
        while said := self.answer.readline().decode():
            if said.startswith("data: "):
                told: dict[str, Any] = json.loads(said.removeprefix("data: "))
                return told
            assert said == "\n" or said.startswith((":", "retry")), said
        pytest.fail("the stream ended")

    def close(self) -> None:
        self.connection.close()


def until(what: Any) -> None:
    """Wait for something that another thread brings about."""
    ends = time.monotonic() + 10
    while not what():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_a_claim_is_told_within_seconds_and_nothing_is_sent_while_nothing_changes(desk: str) -> None:
    nadia, item = make_agent(first_name="Nadia"), make_item(make_account(), created_at=timezone.now())
    heard = Listening(desk, make_agent("supervisor"))
    assert heard.answer.status == 200
    assert heard.answer.headers["Content-Type"] == "text/event-stream"
    assert heard.answer.headers["Cache-Control"] == "no-store"
    assert set(heard.heard()) == set(view.PARTS)

    queue.claim(account_id=item.account_id, agent=nadia, at=timezone.now())
    changed = heard.heard()

    assert "Nadia" in changed["people"]["html"]
    assert "roads" not in changed
    heard.close()


def test_a_stream_beyond_the_last_place_is_asked_to_come_again(desk: str, own_streams: streams.Streams) -> None:
    sam = make_agent("supervisor")
    open_ones = [Listening(desk, sam) for _ in range(streams.MOST)]
    for one in open_ones:
        one.heard()

    refused = Listening(desk, sam)
    assert refused.answer.status == 503
    assert refused.answer.headers["Retry-After"] == "60"
    # Pages are served all the same.
    assert "Live floor" in signed_in(sam).get(FLOOR).content.decode()

    own_streams.stop()
    for one in open_ones:
        assert one.answer.read().decode().strip() in ("", ": still here")
    until(own_streams.take)
    own_streams.give_back()


def test_all_end_at_once_when_the_process_is_told_to_stop(desk: str, own_streams: streams.Streams) -> None:
    heard = Listening(desk, make_agent("supervisor"))
    heard.heard()

    begun = time.monotonic()
    own_streams.stop()
    heard.answer.read()

    assert time.monotonic() - begun < 30  # by itself it would last for minutes


def test_between_two_looks_no_connection_to_the_database_is_held(desk: str) -> None:
    heard = Listening(desk, make_agent("supervisor"))
    heard.heard()

    def others() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return int(cursor.fetchone()[0])

    until(lambda: others() == 0)
    heard.close()


def test_a_stream_ends_by_itself(desk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "LASTS", timedelta(seconds=1))
    heard = Listening(desk, make_agent("supervisor"))

    heard.answer.read()

    assert heard.line() == ""


def test_who_may_look_no_longer_is_told_no_more(desk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "STILL_HERE", timedelta(seconds=0))
    sam = make_agent("supervisor")
    heard = Listening(desk, sam)
    heard.heard()

    sam.groups.clear()
    Stretch.objects.create(
        agent=make_agent(first_name="Nadia"), begun_at=timezone.now(), seen_at=timezone.now(), what="work"
    )

    assert b"Nadia" not in heard.answer.read()


def test_its_place_is_free_again_after_the_browser_has_gone(
    desk: str, own_streams: streams.Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "STILL_HERE", timedelta(seconds=0))
    heard = Listening(desk, make_agent("supervisor"))
    heard.heard()
    for _ in range(streams.MOST - 1):
        assert own_streams.take()
    assert not own_streams.take()

    heard.answer.close()
    heard.close()

    until(own_streams.take)


def test_waiting_is_over_at_once_for_whoever_waits_when_it_is_told_to_stop() -> None:
    own, waited = streams.Streams(), []

    def wait() -> None:
        waited.append(own.wait(30))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    own.stop()
    for thread in threads:
        thread.join(5)

    assert waited == [False, False, False]
    assert own.wait(30) is False
