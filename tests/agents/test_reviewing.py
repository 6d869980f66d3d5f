"""Looking at somebody's work, and a word to them about it: who may, and what is kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import AccountEvent
from agents import card_numbers, coaching, kinds, quality_results, reviewing, rights
from agents.coaching import CannotCoach
from agents.models import Agent, Answer, Coaching, Finding, Review, Subject
from agents.reviewing import CannotReview, Given, Work
from tests.agents.judged import a_call, card_of, noted, talk, texted
from tests.factories import TODAY, make_agent, make_item, make_team, moment, owing

pytestmark = pytest.mark.django_db
LATER = moment(hour=15)


def save(review: Review, by: Agent, answers: dict[str, Given], **more: Any) -> Review:
    """Answers by the code of the question."""
    keys = {question.code: question.pk for question in review.card.criteria.all()}
    given = {keys[code]: answer for code, answer in answers.items()}
    told: dict[str, Any] = {"summary": "", "finish": True} | more
    return reviewing.keep(review_id=review.pk, answers=given, reviewer=by, at=LATER, **told)


def only_event(kind: str) -> AccountEvent:
    return AccountEvent.objects.get(kind=kind)


# Reviewing ----------------------------------------------------------------------------------------------------------


def test_a_review_that_is_done_has_its_score_and_is_told_in_the_desks_own_history() -> None:
    boss = make_agent("supervisor")
    review = a_call(card=card_of(("kind", 30, "scale", False), ("read", 10, "yes_no", False)))

    save(review, boss, {"kind": Given(3, "Named it"), "read": Given(1)}, summary="Well heard.")

    review.refresh_from_db()
    assert (review.state, review.score, review.passed, review.critical) == ("done", Decimal("81.25"), True, False)
    assert (review.reviewer, review.reviewed_at, review.summary) == (boss, LATER, "Well heard.")
    event = only_event(kinds.WORK_REVIEWED)
    assert (event.account, event.actor) == (None, rights.actor(boss))
    assert event.payload["about"] == rights.actor(review.agent)
    assert event.payload["score"] == "81.25"
    assert "Well heard." not in str(event.payload)
    assert not review.account.events.filter(kind=kinds.WORK_REVIEWED).exists()


def test_what_was_kept_for_later_is_there_and_belongs_to_who_began_it() -> None:
    boss, other = make_agent("supervisor"), make_agent("manager")
    review = a_call(card=card_of(("kind", 10, "yes_no", False), ("read", 10, "yes_no", False)))

    save(review, boss, {"kind": Given(1)}, finish=False)
    assert Review.objects.get().state == "doing"
    with pytest.raises(CannotReview, match="has begun"):
        save(review, other, {"kind": Given(0), "read": Given(0)})
    reviewing.take_over(review_id=review.pk, reviewer=other)
    save(review, other, {"kind": Given(0), "read": Given(None)})

    assert Review.objects.get().reviewer == other
    assert sorted(Answer.objects.values_list("value", flat=True), key=str) == [0, None]
    with pytest.raises(CannotReview, match="over"):
        save(review, other, {"kind": Given(1), "read": Given(1)})


def test_finished_it_needs_every_answer_and_only_answers_that_there_are() -> None:
    boss = make_agent("supervisor")
    review = a_call(card=card_of(("kind", 10, "yes_no", False), ("read", 10, "scale", False)))
    with pytest.raises(CannotReview, match="Not answered yet: read"):
        save(review, boss, {"kind": Given(1)})
    with pytest.raises(CannotReview, match="no such answer"):
        save(review, boss, {"kind": Given(4), "read": Given(4)})
    with pytest.raises(CannotReview, match="not on the card"):
        reviewing.keep(review_id=review.pk, answers={0: Given(1)}, summary="", reviewer=boss, at=LATER, finish=False)
    with pytest.raises(card_numbers.CannotKeepCard):
        save(review, boss, {"kind": Given(1, "Read out 4111 1111 1111 1111"), "read": Given(4)})
    assert not Answer.objects.exists()


def test_nobody_reviews_their_own_work() -> None:
    lead = make_agent("supervisor")
    review = a_call(of=talk(lead))
    assert not reviewing.visible(lead).exists()
    with pytest.raises(CannotReview):
        save(review, lead, {"kind": Given(1)})
    for subject, piece in ((Subject.CALL, review.interaction), (Subject.NOTE, noted(lead))):
        assert piece is not None
        with pytest.raises(CannotReview):
            reviewing.ask(work=Work(subject, piece, review.account, lead), by=lead, as_of=TODAY)


def test_who_is_kept_to_a_team_reviews_that_team_on_their_side_of_the_wall() -> None:
    north, south = make_team(), make_team()
    boss, lead = make_agent("supervisor", all_teams=False, team=north), make_agent("team_lead", team=north)
    ours, theirs = a_call(of=talk(make_agent(team=north))), a_call(of=talk(make_agent(team=south)))
    walled = a_call(of=talk(make_agent(team=north)))
    make_item(walled.account, team=south)
    text = texted()
    drawn = Review.objects.create(
        notice=text, account=text.account, card=card_of(subject="notice"), drawn_on=TODAY, due_on=TODAY
    )

    for person in (boss, lead):
        assert set(reviewing.visible(person)) == {ours, drawn}
        for review in (theirs, walled):
            with pytest.raises(CannotReview):
                save(review, person, {"kind": Given(1)})
        assert set(reviewing.people(person)) >= {ours.agent}
        assert theirs.agent not in reviewing.people(person)
    assert set(reviewing.visible(make_agent("supervisor"))) == {ours, theirs, walled, drawn}


@pytest.mark.parametrize("role", ["agent", "specialist", "finance"])
def test_others_review_nobody(role: str) -> None:
    person = make_agent(role)
    review = a_call()
    assert not reviewing.visible(person).exists()
    assert not reviewing.people(person).exists()
    assert not coaching.visible(person).exists()
    with pytest.raises(CannotReview):
        save(review, person, {"kind": Given(1)})


def test_a_review_is_asked_for_once_and_set_aside_with_its_reason() -> None:
    boss = make_agent("supervisor")
    work = reviewing.work_of("call", talk().pk)
    assert work is not None
    review = reviewing.ask(work=work, by=boss, as_of=TODAY)
    assert reviewing.ask(work=work, by=boss, as_of=TODAY) == review
    with pytest.raises(CannotReview, match="Say why"):
        reviewing.set_aside(review_id=review.pk, why=" ", reviewer=boss, at=LATER)
    reviewing.set_aside(review_id=review.pk, why="The line was dead.", reviewer=boss, at=LATER)
    review.refresh_from_db()
    assert (review.state, review.score) == ("set_aside", None)
    assert only_event(kinds.REVIEW_SET_ASIDE).payload["review"] == review.pk
    assert reviewing.mean(reviewing.own(work.agent or boss)).reviews == 0


def test_the_agent_of_a_note_is_who_wrote_it() -> None:
    nadia = make_agent()
    work = reviewing.work_of("note", noted(nadia).pk)
    assert work is not None
    assert (work.agent, work.subject) == (nadia, Subject.NOTE)
    assert reviewing.work_of("note", 0) is None
    assert reviewing.work_of("dream", 1) is None


def test_the_next_is_the_one_due_first_that_nobody_else_began() -> None:
    boss, other = make_agent("supervisor"), make_agent("supervisor")
    a_call(state="doing", reviewer=other, due_on=TODAY.replace(day=1))
    first, second = a_call(due_on=TODAY.replace(day=2)), a_call(due_on=TODAY.replace(day=3))
    assert reviewing.next_of(boss) == first
    assert reviewing.next_of(boss, after=first) == second
    assert reviewing.counted(boss, as_of=TODAY.replace(day=3)) == {"waiting": 3, "late": 2, "mine": 0}


# Coaching -----------------------------------------------------------------------------------------------------------


def test_a_word_is_seen_answered_and_settled() -> None:
    boss, nadia = make_agent("supervisor"), make_agent()
    review = a_call(of=talk(nadia), state="done")
    goal = review.card.criteria.get()

    word = coaching.write(agent=nadia, text="Slow down.", by=boss, at=moment(), review=review, goal=goal)
    assert list(coaching.unseen(nadia)) == [word]
    coaching.read(coaching_id=word.pk, agent=nadia, at=LATER)
    assert not coaching.unseen(nadia).exists()
    coaching.answer(coaching_id=word.pk, text="I will.", agent=nadia, at=LATER)
    coaching.close(coaching_id=word.pk, by=boss, at=LATER)

    word.refresh_from_db()
    assert (word.seen_at, word.answer, word.closed_by) == (LATER, "I will.", rights.actor(boss))
    assert only_event(kinds.COACHING_WRITTEN).payload == {
        "coaching": word.pk, "about": rights.actor(nadia), "review": review.pk, "goal": goal.code
    }  # fmt: skip
    assert only_event(kinds.COACHING_ANSWERED).actor == rights.actor(nadia)
    assert only_event(kinds.COACHING_CLOSED).account is None
    with pytest.raises(CannotCoach, match="settled"):
        coaching.answer(coaching_id=word.pk, text="Once more", agent=nadia, at=LATER)
    with pytest.raises(CannotCoach, match="settled"):
        coaching.close(coaching_id=word.pk, by=boss, at=LATER)


def test_nobody_coaches_themselves_a_colleague_or_another_team_and_nobody_answers_for_another() -> None:
    north = make_team()
    boss, nadia, ole = make_agent("supervisor", all_teams=False, team=north), make_agent(team=north), make_agent()
    for person, by in ((boss, boss), (ole, boss), (nadia, ole)):
        with pytest.raises(CannotCoach):
            coaching.write(agent=person, text="Hm.", by=by, at=moment())
    with pytest.raises(CannotCoach, match="somebody else's"):
        coaching.write(agent=nadia, text="Hm.", by=boss, at=moment(), review=a_call())
    with pytest.raises(CannotCoach):
        coaching.write(agent=nadia, text=" ", by=boss, at=moment())
    word = coaching.write(agent=nadia, text="Well done.", by=boss, at=moment())
    for act in (coaching.read, coaching.answer):
        with pytest.raises(CannotCoach):
            act(coaching_id=word.pk, agent=ole, at=LATER, **({"text": "x"} if act is coaching.answer else {}))
    with pytest.raises(CannotCoach):
        coaching.close(coaching_id=word.pk, by=make_agent("supervisor", all_teams=False, team=make_team()), at=LATER)
    assert Coaching.objects.get().answered_at is None


# Results ------------------------------------------------------------------------------------------------------------


def test_teams_are_means_of_sums_and_shares_of_conversations() -> None:
    north = make_team("North")
    boss, nadia, ole = make_agent("supervisor"), make_agent(team=north), make_agent(team=north)
    talk(nadia)
    talk(nadia, disposition="no_answer")
    for agent, score, passed, critical in (
        (nadia, 100, True, False),
        (nadia, 40, False, True),
        (ole, 70, False, False),
    ):
        a_call(
            of=talk(agent), state="done", score=score, passed=passed, critical=critical, reviewed_at=moment(),
            reviewer=boss,
        )  # fmt: skip
    a_call(of=talk(ole), due_on=TODAY.replace(day=1))
    word = coaching.write(agent=nadia, text="Hm.", by=boss, at=moment())
    coaching.answer(coaching_id=word.pk, text="Yes.", agent=nadia, at=LATER)

    seen = quality_results.teams(boss, as_of=TODAY, days=28)

    together, people = seen.teams[0]
    assert together.name == "North"
    assert (together.conversations, together.looked_at, together.reviews) == (5, 3, 3)
    assert together.share == pytest.approx(0.6)
    assert together.score == Decimal(70)
    assert (together.passed, together.critical, together.waiting, together.late) == (1, 1, 1, 1)
    assert (together.coached, together.answered) == (1, 1)
    assert {line.who: line.score for line in people} == {nadia.username: Decimal(70), ole.username: Decimal(70)}


def test_a_person_over_time_question_by_question_through_the_versions_of_a_card() -> None:
    boss, nadia = make_agent("supervisor"), make_agent()
    card = card_of(("kind", 10, "scale", False), ("read", 10, "yes_no", True))
    for day, kind, read in ((1, 4, 1), (2, 2, 0)):
        review = a_call(of=talk(nadia), card=card)
        save(review, boss, {"kind": Given(kind), "read": Given(read)})
        Review.objects.filter(pk=review.pk).update(reviewed_at=moment(TODAY.replace(day=day)))
    courses = {course.code: course for course in quality_results.courses(nadia, as_of=TODAY)}
    assert (courses["kind"].lately, courses["kind"].before, courses["kind"].answers) == (0.75, None, 2)
    assert (courses["read"].lately, courses["read"].missed, courses["read"].critical) == (0.5, 1, True)
    weeks = quality_results.weeks(nadia, as_of=TODAY)
    # The first was a Sunday.
    assert [(week.monday.day, week.reviews, week.score) for week in weeks] == [
        (23, 1, Decimal(100)),
        (2, 1, Decimal(25)),
    ]


def test_texts_by_the_step_of_the_policy_that_sent_them() -> None:
    boss = make_agent("supervisor")
    for score, critical in ((90, False), (40, True)):
        text = texted()
        Review.objects.create(
            notice=text, account=text.account, card=card_of(subject="notice"), drawn_on=TODAY, due_on=TODAY,
            state="done", score=score, critical=critical, reviewed_at=LATER, reviewer=boss,
        )  # fmt: skip
    found = quality_results.texts(boss, since=moment(TODAY, 0))
    assert [(row.policy, row.step, row.reviews, row.score, row.critical) for row in found] == [
        ("", "final", 2, Decimal(65), 1)
    ]


def test_findings_by_check_and_by_step_of_the_policy() -> None:
    boss = make_agent("supervisor")
    text, note = texted(), noted(make_agent())
    for piece, verdict in (({"notice": text}, "right"), ({"note": note}, "")):
        Finding.objects.create(
            **piece, account=owing(), check_code="threat", severity="warn", verdict=verdict, found_at=moment()
        )
    checks = quality_results.by_check(boss, since=moment(TODAY, 0))
    assert [(row.name, row.found, row.right, row.unseen, row.severity) for row in checks] == [
        ("threat", 2, 1, 1, "warn")
    ]
    assert [(row.name, row.found) for row in quality_results.by_step(boss, since=moment(TODAY, 0))] == [("final", 1)]
