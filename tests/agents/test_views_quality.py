"""Quality over HTTP: who reads and does what, what it costs, and what an agent sees of their own work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import events
from accounts.business_day import business_date
from agents import calibration, coaching, reviewing
from agents.models import Agent, Answer, CalibrationRound, Coaching, Finding, Review, ScoreCard, Survey
from tests.agents.judged import a_call, card_of, noted, talk, texted
from tests.factories import make_agent, make_item, make_team, owing

pytestmark = pytest.mark.django_db

PLACES = ("", "pick/", "teams/", "calibration/")


def now() -> dict[str, Any]:
    at = timezone.now()
    return {"as_of": business_date(at=at), "at": at}


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def talked(agent: Agent, **more: Any) -> Review:
    """A review of something the agent did a moment ago."""
    on = now()["as_of"]
    review: dict[str, Any] = {
        "drawn_on": on,
        "due_on": on,
        "of": talk(agent, at=timezone.now(), note="Pays on Friday."),
    }
    return a_call(**(review | more))


def page(review: Review) -> str:
    return f"/supervise/quality/reviews/{review.pk}/"


def answers(review: Review, value: str = "1") -> dict[str, str]:
    return {f"q-{question.pk}": value for question in review.card.criteria.all()}


# Who reads what -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["agent", "specialist", "finance"])
def test_the_pages_are_for_reviewers_alone(role: str) -> None:
    nadia = make_agent()
    review = talked(nadia)
    client = signed_in(make_agent(role))
    for place in PLACES:
        assert client.get(f"/supervise/quality/{place}").status_code == 403
    assert client.get(page(review)).status_code == 403
    assert client.get(f"/supervise/quality/agents/{nadia.username}/").status_code == 403
    for address in (
        page(review), "/supervise/quality/ask/", f"/supervise/quality/agents/{nadia.username}/coach/",
        "/supervise/quality/coaching/1/settle/", "/supervise/quality/calibration/1/close/",
        "/supervise/quality/calibration/open/",
    ):  # fmt: skip
        assert client.post(address, {}).status_code == 403, address
    assert Client().get("/supervise/quality/").status_code == 302


@pytest.mark.parametrize("role", ["supervisor", "manager", "team_lead"])
def test_reviewers_open_them_and_the_menu_says_so(role: str) -> None:
    client = signed_in(make_agent(role))
    for place in PLACES:
        assert client.get(f"/supervise/quality/{place}").status_code == 200, place
    assert 'href="/supervise/quality/"' in client.get("/queue/").content.decode()


def test_another_team_is_not_there_and_neither_is_ones_own_work() -> None:
    north = make_team("North")
    lead = make_agent("team_lead", team=north)
    nadia, far = make_agent(team=north), make_agent(team=make_team("South"))
    mine, theirs, own = talked(nadia), talked(far), talked(lead)
    client = signed_in(lead)

    listed = client.get("/supervise/quality/").content.decode()

    assert page(mine) in listed
    for review in (theirs, own):
        assert page(review) not in listed
        assert client.get(page(review)).status_code == 404
        assert client.post(page(review), {"do": "finish", **answers(review)}).status_code == 404
    for person in (far, lead):
        assert client.get(f"/supervise/quality/agents/{person.username}/").status_code == 404
        assert client.post(f"/supervise/quality/agents/{person.username}/coach/", {"text": "Hm."}).status_code == 404
    teams = client.get("/supervise/quality/teams/").content.decode()
    assert nadia.username in teams
    assert far.username not in teams
    assert "South" not in teams
    for work in (theirs, own):
        given = {"subject": "call", "piece": str(work.interaction_id)}
        assert client.post("/supervise/quality/ask/", given).status_code == 404
        assert client.get("/supervise/quality/calibration/open/", given).status_code == 404
    word = Coaching.objects.create(agent=far, text="Hm.", written_at=timezone.now())
    assert client.post(f"/supervise/quality/coaching/{word.pk}/settle/").status_code == 404
    assert not Review.objects.exclude(state="waiting").exists()


def test_an_account_behind_the_wall_is_not_picked() -> None:
    lead = make_agent("team_lead", team=make_team())
    account = owing()
    talk(make_agent(team=lead.team), account)
    make_item(account, team=make_team())
    shown = signed_in(lead).get(f"/supervise/quality/pick/?account={account.ref}").content.decode()
    assert "There is no such account" in shown
    assert account.customer.name not in shown


# Reviewing ----------------------------------------------------------------------------------------------------------


def test_the_work_stands_beside_its_card_and_that_somebody_read_it_is_kept() -> None:
    boss, nadia = make_agent("supervisor"), make_agent()
    review = talked(nadia)
    call = review.interaction
    assert call is not None
    Finding.objects.create(
        interaction=call, account=call.account, check_code="threat", severity="breach", excerpt="or else",
        found_at=timezone.now(),
    )  # fmt: skip
    Survey.objects.create(
        account=call.account, about="call", interaction=call, asked_at=timezone.now(), answered_at=timezone.now(),
        score=2, comment="Too fast",
    )  # fmt: skip
    noted(nadia, call.account, text="Wrote down something else.", at=timezone.now())

    shown = signed_in(boss).get(page(review)).content.decode()

    for words in ("Pays on Friday.", "or else", "Too fast", "2 of 5", "Wrote down something else.", "Refuses to pay"):
        assert words in shown
    read = call.account.events.get(kind=events.PERSONAL_DATA_READ)
    assert (read.actor, read.payload) == (f"agent:{boss.username}", {"page": "quality", "review": review.pk})


def test_what_checks_found_stands_there_the_worst_first() -> None:
    review = talked(make_agent())
    call = review.interaction
    assert call is not None
    for severity in ("warn", "note", "breach"):
        Finding.objects.create(
            interaction=call, account=call.account, check_code=f"a-{severity}", severity=severity,
            found_at=timezone.now(),
        )  # fmt: skip

    found = signed_in(make_agent("supervisor")).get(page(review)).context["findings"]

    assert [one.severity for one in found] == ["breach", "warn", "note"]


@pytest.mark.parametrize("days", ["91", "12", "", "x", "9" * 5_000])
def test_a_length_that_is_not_offered_is_the_usual_one(days: str) -> None:
    shown = signed_in(make_agent("supervisor")).get("/supervise/quality/teams/", {"days": days}).context["days"]

    assert shown == (91 if days == "91" else 28)


@pytest.mark.parametrize("subject", ["note", "notice"])
def test_a_note_or_a_text_is_judged_too(subject: str) -> None:
    nadia = make_agent()
    piece = noted(nadia, at=timezone.now()) if subject == "note" else texted(sent_at=timezone.now())
    client = signed_in(make_agent("supervisor"))
    asked = client.post("/supervise/quality/ask/", {"subject": subject, "piece": piece.pk})
    review = Review.objects.get()
    assert asked.url == page(review)  # type: ignore[attr-defined]  # a redirect
    assert review.card == ScoreCard.objects.get(subject=subject)
    shown = client.get(page(review)).content.decode()
    assert ("Says it is paid." if subject == "note" else "Please pay.") in shown
    assert client.post(page(review), {"do": "finish", **answers(review)}).status_code == 302
    assert client.get(page(review)).status_code == 200


def test_done_and_on_to_the_next_of_the_same_list() -> None:
    boss, nadia, ole = make_agent("supervisor"), make_agent(), make_agent()
    first, other, following = talked(nadia), talked(ole), talked(nadia)
    client = signed_in(boss)

    answered = client.post(f"{page(first)}?agent={nadia.username}", {"do": "finish", **answers(first)})

    assert answered.url == f"{page(following)}?agent={nadia.username}"  # type: ignore[attr-defined]  # a redirect
    last = client.post(f"{page(following)}?agent={nadia.username}", {"do": "finish", **answers(following)})
    assert last.url == f"/supervise/quality/?agent={nadia.username}"  # type: ignore[attr-defined]  # a redirect
    assert Review.objects.get(pk=other.pk).state == "waiting"
    assert page(first) in client.get("/supervise/quality/?list=done").content.decode()


def test_what_is_missing_is_said_and_what_was_typed_stays() -> None:
    review = talked(make_agent(), card=card_of(("kind", 1, "scale", False), ("read", 1, "yes_no", False)))
    kind = review.card.criteria.get(code="kind")
    client = signed_in(make_agent("supervisor"))

    given = {"do": "finish", f"q-{kind.pk}": "3", f"c-{kind.pk}": "Named it", "summary": "Not yet"}
    answer = client.post(page(review), given)

    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "Not answered yet: read" in shown
    assert 'value="Named it"' in shown
    assert "Not yet" in shown
    assert not Answer.objects.exists()
    assert client.post(page(review), given | {"do": "keep"}).status_code == 302
    assert Review.objects.get().state == "doing"
    assert Answer.objects.get().value == 3


def test_what_a_colleague_began_is_taken_over_first() -> None:
    boss = make_agent("supervisor")
    review = talked(make_agent(), state="doing", reviewer=make_agent("supervisor"))
    client = signed_in(boss)
    assert "has begun this review" in client.get(page(review)).content.decode()
    assert client.post(page(review), {"do": "finish", **answers(review)}).status_code == 422
    client.post(page(review), {"do": "take"})
    client.post(page(review), {"do": "finish", **answers(review)})
    assert Review.objects.get().reviewer == boss


def test_the_list_is_narrowed_and_costs_the_same_for_many() -> None:
    boss, nadia = make_agent("supervisor"), make_agent()
    client = signed_in(boss)

    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    first = talked(nadia)
    talked(nadia, state="done", score=50, reviewed_at=timezone.now())
    places = [f"/supervise/quality/{place}" for place in ("", "?list=done", "teams/", "calibration/")]
    places += [page(first), f"/supervise/quality/agents/{nadia.username}/"]
    few = [cost(place) for place in places]
    for number in range(6):
        agent = make_agent(team=make_team())
        review = talked(agent, state="done" if number % 2 else "waiting", score=50, reviewed_at=timezone.now())
        coaching.write(agent=agent, text="Hm.", by=boss, at=timezone.now(), review=review)
        coaching.write(agent=nadia, text="Hm.", by=boss, at=timezone.now())
        Answer.objects.create(review=review, criterion=review.card.criteria.get(), value=1)
    assert [cost(place) for place in places] == few

    listed = client.get(f"/supervise/quality/?agent={nadia.username}&subject=call&rule=nonsense").content.decode()
    assert page(first) in listed
    assert listed.count("data-entry") == 1


# Teams and people ---------------------------------------------------------------------------------------------------


def test_a_person_is_coached_answers_on_their_own_day_and_it_is_settled() -> None:
    boss, nadia = make_agent("supervisor"), make_agent()
    review = talked(nadia)
    desk, theirs = signed_in(boss), signed_in(nadia)
    desk.post(page(review), {"do": "finish", "summary": "Slow down a little.", **answers(review)})
    coached = desk.post(
        f"/supervise/quality/agents/{nadia.username}/coach/", {"text": "Breathe first.", "review": review.pk}
    )
    assert coached.url == page(review)  # type: ignore[attr-defined]  # a redirect
    word = Coaching.objects.get()

    told = theirs.get("/news/").json()["decided"]
    assert [(one["id"], one["href"]) for one in told] == [(f"coached {word.pk}", "/day/#quality")]
    day = theirs.get("/day/").content.decode()
    assert "Breathe first." in day
    assert "Slow down a little." in day
    assert "100 % in 1 review of 28 days" in day
    answered = theirs.post(f"/day/coaching/{word.pk}/answer/", {"do": "answer", "text": "I will try."})
    assert answered.url == "/day/#quality"  # type: ignore[attr-defined]  # a redirect
    assert theirs.get("/news/").json()["decided"] == []

    assert "I will try." in desk.get(f"/supervise/quality/agents/{nadia.username}/").content.decode()
    desk.post(f"/supervise/quality/coaching/{word.pk}/settle/")
    word.refresh_from_db()
    assert word.closed_at is not None
    assert "settled" in theirs.get("/day/").content.decode()


def test_an_agent_reads_their_own_alone_and_never_a_calibration() -> None:
    boss, nadia, ole = make_agent("supervisor"), make_agent(), make_agent()
    review = talked(nadia)
    signed_in(boss).post(page(review), {"do": "finish", "summary": "For Nadia alone.", **answers(review)})
    word = coaching.write(agent=nadia, text="Only hers.", by=boss, at=timezone.now())
    open_round(boss, nadia)
    theirs = signed_in(ole)
    day = theirs.get("/day/").content.decode()
    assert "For Nadia alone." not in day
    assert "Only hers." not in day
    for does in ("read", "answer"):
        assert theirs.post(f"/day/coaching/{word.pk}/answer/", {"do": does, "text": "x"}).status_code == 404
    own = signed_in(nadia)
    own.post(f"/day/coaching/{word.pk}/answer/", {"do": "read"})
    assert Coaching.objects.get().seen_at is not None
    assert "Calibrated" not in own.get("/day/").content.decode()


def test_a_coaching_that_says_nothing_is_refused() -> None:
    boss, nadia = make_agent("supervisor"), make_agent()
    client = signed_in(boss)
    answer = client.post(f"/supervise/quality/agents/{nadia.username}/coach/", {"text": " "})
    assert answer.status_code == 422
    answer = client.post(f"/supervise/quality/agents/{nadia.username}/coach/", {"text": "Card 4111 1111 1111 1111"})
    assert answer.status_code == 422
    assert not Coaching.objects.exists()


# Calibration --------------------------------------------------------------------------------------------------------


def open_round(by: Agent, about: Agent, *others: Agent) -> CalibrationRound:
    work = reviewing.work_of("call", talk(about, at=timezone.now()).pk)
    assert work is not None
    people = [by, *(others or (make_agent("supervisor"),))]
    closes_on = now()["as_of"] + timedelta(days=2)
    card = card_of(("kind", 1, "yes_no", True))
    return calibration.open_round(
        work=work, title="Calibrated", card=card, people=people, closes_on=closes_on, by=by, **now()
    )


def test_a_round_is_opened_answered_closed_and_compared() -> None:
    ann, ben, nadia = make_agent("supervisor"), make_agent("supervisor"), make_agent()
    call = talk(nadia, at=timezone.now())
    desk, other = signed_in(ann), signed_in(ben)
    picked = desk.get(f"/supervise/quality/pick/?account={call.account.ref}").content.decode()
    assert f"subject=call&amp;piece={call.pk}" in picked
    address = "/supervise/quality/calibration/open/"
    form = desk.get(f"{address}?subject=call&piece={call.pk}")
    assert ben.username in form.content.decode()
    card = ScoreCard.objects.get(subject="call", active=True)
    given: dict[str, Any] = {
        "subject": "call", "piece": call.pk, "title": "A hard one", "card": card.pk,
        "closes_on": now()["as_of"].isoformat(), "people": [ann.username, ben.username],
    }  # fmt: skip
    assert desk.post(address, given | {"people": [ann.username]}).status_code == 422
    assert desk.post(address, given | {"people": [ann.username, nadia.username]}).status_code == 422
    opened = desk.post(address, given)
    row = CalibrationRound.objects.get()
    assert opened.url == f"/supervise/quality/calibration/{row.pk}/"  # type: ignore[attr-defined]  # a redirect

    parts = {part.reviewer_id: part for part in Review.objects.filter(calibration=row)}
    assert desk.get(page(parts[ben.pk])).status_code == 404
    assert "A hard one" in other.get("/supervise/quality/").content.decode()
    done = desk.post(page(parts[ann.pk]), {"do": "finish", **answers(parts[ann.pk])})
    assert done.url == opened.url  # type: ignore[attr-defined]  # redirects
    assert "1 of 2 people have finished" in desk.get(opened.url).content.decode()  # type: ignore[attr-defined]
    other.post(page(parts[ben.pk]), {"do": "finish", **answers(parts[ben.pk], "0")})
    desk.post(f"{opened.url}close/")  # type: ignore[attr-defined]

    shown = other.get(opened.url).content.decode()  # type: ignore[attr-defined]
    assert "Cohen" in shown
    assert "needs a word" in shown
    assert desk.get(page(parts[ben.pk])).status_code == 404


def test_a_round_of_others_is_not_there_while_it_is_open() -> None:
    ann, cleo, nadia = make_agent("supervisor"), make_agent("supervisor"), make_agent()
    row = open_round(ann, nadia)
    client = signed_in(cleo)
    assert client.get(f"/supervise/quality/calibration/{row.pk}/").status_code == 404
    assert client.post(f"/supervise/quality/calibration/{row.pk}/close/").status_code == 404
    assert signed_in(nadia).get(f"/supervise/quality/calibration/{row.pk}/").status_code == 403
    calibration.close(round_id=row.pk, by=ann, at=timezone.now())
    assert client.get(f"/supervise/quality/calibration/{row.pk}/").status_code == 200
