"""The complaint desk over HTTP: who reads what, who may do what, and how a complaint gets there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.business_day import business_date
from accounts.models import Account
from agents import complaints, rights
from agents.models import Agent, Complaint, ComplaintClock, Interaction
from tests.factories import make_agent, make_customer, make_item, make_team, owing

pytestmark = pytest.mark.django_db

ANSWER = {"decision-outcome": "upheld", "decision-answer": "You are right.", "decision-cause": "Rang too often"}


def now() -> dict[str, Any]:
    at = timezone.now()
    return {"as_of": business_date(at=at), "at": at}


def account_of(name: str = "Frida", **columns: Any) -> Account:
    customer = make_customer(**{"name": name, "email": "frida@example.com", "language": "en", **columns})
    return owing("100.00", as_of=now()["as_of"], customer=customer)


def taken(name: str = "Frida", **more: Any) -> Complaint:
    account = more.pop("of", None) or account_of(name)
    given = {"channel": "call", "category": "contact", "text": "You call me all day.", "actor": "agent:nobody"}
    return complaints.take(account_id=account.pk, **(given | now() | more))


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page(complaint: Complaint, tail: str = "") -> str:
    return f"/complaints/{complaint.ref}/{tail}"


# Who reads what -----------------------------------------------------------------------------------------------------


def test_the_list_has_what_is_late_on_top_and_says_how_late() -> None:
    boss = make_agent("supervisor")
    taken("Fresh Frida")
    late = taken("Late Larissa")
    Complaint.objects.filter(pk=late.pk).update(answer_by=now()["as_of"] - timedelta(days=2))

    shown = signed_in(boss).get("/complaints/").content.decode()

    assert shown.index("Late Larissa") < shown.index("Fresh Frida")
    assert "2 d late" in shown
    assert "1 past its date" in shown


def test_an_agent_sees_and_opens_their_own_alone() -> None:
    nadia = make_agent()
    mine, other = taken("Mine Mia"), taken("Other Ole", about=nadia)
    complaints.assign(complaint_id=mine.pk, to=nadia, agent=nadia, **now())
    client = signed_in(nadia)

    every = client.get("/complaints/?list=all").content.decode()

    assert "Mine Mia" in every
    assert "Other Ole" not in every
    assert client.get(page(mine)).status_code == 200
    assert client.get(page(other)).status_code == 404
    for tail in ("assign/", "received/", "pause/", "note/"):
        assert client.post(page(other, tail), {"me": "1", "note-text": "x"}).status_code == 404


def test_another_teams_complaint_is_not_there_for_whoever_answers_them_either() -> None:
    complaint = taken()
    make_item(complaint.account, team=make_team())
    lead = signed_in(make_agent("team_lead", team=make_team()))
    bound = signed_in(make_agent("supervisor", team=make_team(), all_teams=False))
    free = signed_in(make_agent("supervisor"))

    for client in (lead, bound):
        assert client.get(page(complaint)).status_code == 404
        assert client.get(page(complaint, "letter/")).status_code == 404
        assert client.post(page(complaint, "close/"), ANSWER).status_code == 404
        assert client.post("/complaints/give/", {"complaint": complaint.ref, "me": "1"}).status_code == 302
        assert complaint.ref not in client.get("/complaints/?list=all").content.decode()
    complaint.refresh_from_db()
    assert (complaint.state, complaint.assigned_to) == ("received", None)
    assert free.get(page(complaint)).status_code == 200


@pytest.mark.parametrize("role", ["finance", "integration"])
def test_who_does_not_work_here_gets_in_nowhere(role: str) -> None:
    complaint = taken()
    person = make_agent("finance") if role == "finance" else Agent.objects.create(username="billing")

    assert signed_in(person).get("/complaints/").status_code == 403
    assert signed_in(person).get(page(complaint)).status_code == 403
    assert Client().get("/complaints/").status_code == 302


def test_the_list_costs_the_same_however_long_it_is() -> None:
    client = signed_in(make_agent("supervisor"))
    taken()
    client.get("/complaints/?list=all")
    with CaptureQueriesContext(connection) as few:
        client.get("/complaints/?list=all")
    for number in range(6):
        taken(f"Customer {number}", about=make_agent())
    with CaptureQueriesContext(connection) as many:
        client.get("/complaints/?list=all")

    assert len(many) == len(few)


def test_narrowing_it_keeps_what_fits() -> None:
    client = signed_in(make_agent("supervisor"))
    taken("Conny", category="conduct")
    taken("Priya", channel="email")
    taken("Indira", of=account_of("Indira", country="IN"))

    assert "Priya" not in client.get("/complaints/?list=all&category=conduct").content.decode()
    assert "Conny" in client.get("/complaints/?list=all&category=conduct").content.decode()
    assert "Indira" not in client.get("/complaints/?list=all&country=GB").content.decode()
    assert client.get("/complaints/?list=all&category=<script>&page=-3").status_code == 200


# Who may do what ----------------------------------------------------------------------------------------------------


def test_an_agent_works_on_it_and_does_not_answer_it() -> None:
    nadia = make_agent()
    complaint = taken(actor=rights.actor(nadia))
    client = signed_in(nadia)

    client.post(page(complaint, "assign/"), {"me": "1"})
    client.post(page(complaint, "received/"))
    client.post(page(complaint, "pause/"))
    client.post(page(complaint, "note/"), {"note-text": "Asked the dialler for its log"})

    shown = client.get(page(complaint)).content.decode()
    complaint.refresh_from_db()
    assert (complaint.assigned_to, complaint.state) == (nadia, "acknowledged")
    assert "Asked the dialler" in shown
    assert "Waits until the complaint is answered" in shown
    assert "A team lead or a supervisor answers" in shown
    assert client.post(page(complaint, "close/"), ANSWER).status_code == 403
    assert client.get(page(complaint, "letter/")).status_code == 403


def test_a_lead_answers_it_and_sees_the_letter_before() -> None:
    complaint, client = taken(), signed_in(make_agent("team_lead"))

    preview = client.get(page(complaint, "letter/"), {**ANSWER, "decision-redress": "10"}).content.decode()
    assert "You are right." in preview
    assert "€10.00" in preview
    assert client.post(page(complaint, "close/"), {**ANSWER, "decision-cause": ""}).status_code == 422
    assert client.post(page(complaint, "close/"), {**ANSWER, "decision-redress": "1e9"}).status_code == 422
    assert client.post(page(complaint, "close/"), {**ANSWER, "decision-redress": "10.00"}).status_code == 302

    complaint.refresh_from_db()
    assert (complaint.outcome, str(complaint.redress)) == ("upheld", "10.000")
    shown = client.get(page(complaint)).content.decode()
    assert "€10.00, to be credited by billing" in shown
    assert "Rang too often" in shown
    assert client.post(page(complaint, "close/"), ANSWER).status_code == 422, "an answer stands"


def test_whom_it_is_about_neither_answers_nor_takes_it() -> None:
    boss = make_agent("supervisor")
    complaint, client = taken(about=boss), signed_in(boss)

    shown = client.get(page(complaint)).content.decode()
    assert "It is about you" in shown
    assert client.post(page(complaint, "close/"), ANSWER).status_code == 422
    client.post(page(complaint, "assign/"), {"me": "1"})
    complaint.refresh_from_db()
    assert (complaint.state, complaint.assigned_to) == ("received", None)


def test_the_ticked_ones_are_given_and_refusals_are_said() -> None:
    boss, nadia = make_agent("supervisor"), make_agent()
    first, second = taken(), taken(about=nadia)

    answer = signed_in(boss).post(
        "/complaints/give/", {"complaint": [first.ref, second.ref], "to": nadia.username, "back": "list=all"},
        follow=True,
    )  # fmt: skip

    told = " ".join(map(str, answer.context["messages"]))
    assert "1 complaint is with" in told
    assert "somebody else looks into it" in told
    first.refresh_from_db()
    assert first.assigned_to == nadia


def test_an_agent_gives_nothing_to_others() -> None:
    nadia, luis = make_agent(), make_agent()
    complaint = taken(actor=rights.actor(nadia))

    signed_in(nadia).post(page(complaint, "assign/"), {"to": luis.username})
    signed_in(nadia).post("/complaints/give/", {"complaint": complaint.ref, "to": luis.username})

    complaint.refresh_from_db()
    assert complaint.assigned_to is None


# Taking one on the account ------------------------------------------------------------------------------------------


def test_a_complaint_is_taken_on_the_account_about_somebody_who_talked_to_them() -> None:
    nadia, luis, stranger = make_agent(), make_agent(), make_agent()
    account, client = account_of(), signed_in(nadia)
    Interaction.objects.create(
        ref="I1", account=account, agent=luis, direction="outbound", disposition="busy", at=timezone.now()
    )
    form = {"category": "conduct", "channel": "call", "text": "He shouted at me.", "pauses": "on", "once": "x1"}
    address = f"/accounts/{account.ref}/complaint/"

    shown = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert luis.username in shown
    assert stranger.username not in shown
    assert client.post(address, {**form, "about": stranger.username}).status_code == 422
    assert client.post(address, {**form, "text": "4111 1111 1111 1111"}).status_code == 422
    assert client.post(address, {**form, "about": luis.username}).status_code == 302
    client.post(address, {**form, "about": luis.username})

    complaint = Complaint.objects.get()
    assert (complaint.about, complaint.assigned_to, complaint.taken_by) == (luis, nadia, rights.actor(nadia))
    assert complaints.paused_by(complaint) is not None
    assert client.get(f"/accounts/{account.ref}/?show=system").status_code == 200


def test_the_panels_and_the_palette_lead_there() -> None:
    account, client = account_of(), signed_in(make_agent())

    for act in ("note", "dispute"):
        panel = client.get(f"/accounts/{account.ref}/{act}/", headers={"HX-Request": "true"}).content.decode()
        assert f"/accounts/{account.ref}/complaint/" in panel
    told = client.get("/palette/").json()
    assert told["acts"] == [{"act": "complaint", "words": "Take a complaint"}]
    assert told["places"] == [{"href": "/complaints/", "words": "Complaints"}]
    assert "/complaints/" in client.get("/disputes/").content.decode()


def test_behind_the_team_wall_nobody_complains() -> None:
    account = account_of()
    make_item(account, team=make_team())

    answer = signed_in(make_agent(team=make_team())).post(f"/accounts/{account.ref}/complaint/", {"text": "x"})

    assert answer.status_code == 404


# The admin ----------------------------------------------------------------------------------------------------------


def test_clocks_are_changed_by_admins_and_the_line_of_every_other_market_stays() -> None:
    admin, boss = signed_in(make_agent("admin")), signed_in(make_agent("supervisor"))
    other = ComplaintClock.objects.get(country="")
    address = f"/admin/agents/complaintclock/{other.pk}/"
    wrong = {"acknowledge_days": "9", "answer_days": "3", "source": "x"}

    assert "confirmed before the answer" in admin.post(f"{address}change/", wrong).content.decode()
    assert admin.post(f"{address}change/", {**wrong, "answer_days": "10"}).status_code == 302
    assert admin.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    assert boss.post(f"{address}change/", {**wrong, "answer_days": "10"}).status_code == 403
    other.refresh_from_db()
    assert (other.acknowledge_days, other.answer_days) == (9, 10)
    assert admin.get("/admin/agents/cost/add/").status_code == 200
    assert boss.get("/admin/agents/cost/add/").status_code == 403
