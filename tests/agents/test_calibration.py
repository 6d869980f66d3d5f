"""Reviewers judge the same piece: nobody sees the others' answers before the round is closed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import AccountEvent
from agents import calibration, kinds, reviewing
from agents.calibration import CannotCalibrate
from agents.models import Agent, CalibrationRound, Review
from agents.reviewing import Given
from collections_desk import journey
from tests.agents.judged import card_of, talk
from tests.factories import TODAY, make_agent, make_team, moment

pytestmark = pytest.mark.django_db


def work_of(agent: Agent | None = None) -> reviewing.Work:
    work = reviewing.work_of("call", talk(agent).pk)
    assert work is not None
    return work


def opened(by: Agent, people: list[Agent], **more: Any) -> CalibrationRound:
    given: dict[str, Any] = {
        "work": work_of(),
        "title": "A hard call",
        "card": card_of(("kind", 10, "scale", False), ("read", 10, "yes_no", False), ("id", 10, "yes_no", True)),
        "closes_on": TODAY + timedelta(days=3),
        "as_of": TODAY,
        "at": moment(),
    }
    return calibration.open_round(by=by, people=people, **(given | more))


def answer(row: CalibrationRound, by: Agent, *values: int | None) -> None:
    review = calibration.review_of(by, row.pk)
    assert review is not None
    questions = row.card.criteria.order_by("position")
    given = {question.pk: Given(value) for question, value in zip(questions, values, strict=True)}
    reviewing.keep(review_id=review.pk, answers=given, summary="", reviewer=by, at=moment(), finish=True)


def test_two_people_compared_with_what_needs_a_word() -> None:
    ann, ben = make_agent("supervisor", username="ann"), make_agent("supervisor", username="ben")
    row = opened(ann, [ann, ben])
    answer(row, ann, 4, 1, 1)
    answer(row, ben, 3, 1, 0)
    calibration.close(round_id=row.pk, by=ann, at=moment())

    outcome = calibration.outcome(CalibrationRound.objects.get())

    kind, read, identity = outcome.lines
    assert [review.reviewer for review in outcome.people] == [ann, ben]
    assert (kind.agreement, kind.spread, kind.needs_word) == (0.0, Decimal("0.25"), True)
    assert (read.agreement, read.spread, read.needs_word) == (1.0, Decimal(0), False)
    assert (identity.spread, identity.needs_word) == (Decimal(1), True)
    assert outcome.agreement == pytest.approx(1 / 3)
    # Both: 1 1 1 against 3/4 1 0; by chance 1 · 1/3.
    assert outcome.kappa_of == "Cohen"
    assert outcome.kappa == pytest.approx((1 / 3 - 1 / 3) / (1 - 1 / 3))
    assert outcome.apart == Decimal("100.00") - Decimal("58.33")
    event = AccountEvent.objects.get(kind=kinds.WORK_CALIBRATED)
    assert (event.account, event.payload["calibration"]) == (None, row.pk)


def test_three_people_have_fleiss_kappa_and_who_did_not_finish_is_left_out() -> None:
    people = [make_agent("supervisor") for _ in range(4)]
    row = opened(people[0], people)
    for person, values in zip(people[:3], ((4, 1, 1), (4, 0, 1), (0, None, 1)), strict=True):
        answer(row, person, *values)
    calibration.close(round_id=row.pk, by=people[0], at=moment())
    outcome = calibration.outcome(CalibrationRound.objects.get())
    assert len(outcome.people) == 3
    assert outcome.kappa_of == "Fleiss"
    # Thirds of pairs: 1/3, 0, 1; categories 6, 2 and 1 of 9.
    expected = (36 + 4 + 1) / 81
    assert outcome.kappa == pytest.approx(((1 / 3 + 0 + 1) / 3 - expected) / (1 - expected))
    assert outcome.lines[1].spread == 1
    assert Review.objects.filter(state="set_aside").count() == 1


def test_nobody_sees_the_others_answers_and_they_count_in_nobodys_mean() -> None:
    nadia = make_agent()
    ann, ben, cleo = (make_agent("supervisor") for _ in range(3))
    row = opened(ann, [ann, ben], work=work_of(nadia))
    answer(row, ann, 0, 0, 0)

    theirs = Review.objects.get(reviewer=ann)
    for person in (ann, ben, cleo, nadia):
        assert not reviewing.visible(person).exists()
    assert not reviewing.own(nadia).exists()
    assert set(calibration.visible(ben)) == {row}
    assert not calibration.visible(cleo).exists()
    with pytest.raises(reviewing.CannotReview):
        reviewing.keep(review_id=theirs.pk, answers={}, summary="", reviewer=ben, at=moment(), finish=False)
    with pytest.raises(reviewing.CannotReview):
        reviewing.take_over(review_id=Review.objects.get(reviewer=ben).pk, reviewer=ben)
    calibration.close(round_id=row.pk, by=ann, at=moment())
    assert set(calibration.visible(cleo)) == {row}
    assert not calibration.visible(nadia).exists()


def test_whose_work_it_is_never_sees_the_round_also_as_a_supervisor() -> None:
    boss = make_agent("supervisor")
    ann, ben = make_agent("supervisor"), make_agent("supervisor")
    row = opened(ann, [ann, ben], work=work_of(boss))
    calibration.close(round_id=row.pk, by=ann, at=moment())
    assert not calibration.visible(boss).exists()
    with pytest.raises(CannotCalibrate, match="May not judge"):
        opened(ann, [ann, boss], work=work_of(boss))


def test_who_may_take_part_and_open_and_close() -> None:
    north, south = make_team(), make_team()
    ann, ben = make_agent("supervisor", all_teams=False, team=north), make_agent("team_lead", team=north)
    far = make_agent("team_lead", team=south)
    work = work_of(make_agent(team=north))
    assert calibration.reviewers(ann, work) == sorted([ann, ben], key=lambda person: person.username)
    with pytest.raises(CannotCalibrate, match="May not judge"):
        opened(ann, [ann, far], work=work)
    with pytest.raises(CannotCalibrate, match="another team"):
        opened(far, [ann, ben], work=work)
    with pytest.raises(CannotCalibrate, match="Between 2"):
        opened(ann, [ann, ann], work=work)
    with pytest.raises(CannotCalibrate, match="today or later"):
        opened(ann, [ann, ben], work=work, closes_on=TODAY - timedelta(days=1))
    with pytest.raises(CannotCalibrate, match="other work"):
        opened(ann, [ann, ben], work=work, card=card_of(subject="note"))
    with pytest.raises(CannotCalibrate):
        opened(make_agent(), [ann, ben], work=work)
    row = opened(ann, [ann, ben], work=work)
    with pytest.raises(CannotCalibrate, match="opened it"):
        calibration.close(round_id=row.pk, by=ben, at=moment())
    with pytest.raises(CannotCalibrate, match="no such round"):
        calibration.close(round_id=row.pk, by=far, at=moment())
    calibration.close(round_id=row.pk, by=ann, at=moment())
    with pytest.raises(CannotCalibrate, match="closed"):
        calibration.close(round_id=row.pk, by=ann, at=moment())


def test_a_round_past_its_day_closes_with_the_day() -> None:
    ann, ben = make_agent("supervisor"), make_agent("supervisor")
    row = opened(ann, [ann, ben], closes_on=TODAY)
    journey.close_day(as_of=TODAY, at=moment(hour=23), keeps_figures=False)
    row.refresh_from_db()
    assert row.closed_at is None
    later = TODAY + timedelta(days=1)
    journey.close_day(as_of=later, at=moment(later, 23), keeps_figures=False)
    row.refresh_from_db()
    assert row.closed_by == journey.ACTOR
    outcome = calibration.outcome(row)
    assert (outcome.kappa, outcome.agreement, outcome.apart) == (None, None, None)
