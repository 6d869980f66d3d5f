"""What the demo says of the agents' work: through the real operations, once however often a day is lived."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agents import calibration
from agents.models import CalibrationRound, Coaching, Review
from collections_desk.demo import reviews
from tests.agents.judged import a_call, talk
from tests.factories import TODAY, make_agent, moment

pytestmark = pytest.mark.django_db


def lived(days: int = 0) -> dict[str, Any]:
    on = TODAY + timedelta(days=days)
    return {"as_of": on, "at": moment(on, 18), "last_day": TODAY + timedelta(days=2)}


def test_some_reviews_are_done_some_wait_and_two_people_are_compared() -> None:
    make_agent("supervisor", username="supervisor")
    make_agent("manager")
    nadia, pia = make_agent(), make_agent()
    for number in range(2 * reviews.A_DAY + 2):
        a_call(of=talk(nadia if number % 2 else pia))

    for _ in range(2):
        reviews.review(**lived())

    ordinary = Review.objects.filter(calibration=None)
    assert ordinary.filter(state="done").count() == reviews.A_DAY
    assert ordinary.filter(state="waiting").count() == reviews.A_DAY + 2
    assert set(Coaching.objects.values_list("agent", flat=True)) == {nadia.pk, pia.pk}
    reviews.review(**lived(1))
    closed = CalibrationRound.objects.get()
    assert closed.closed_at is not None
    assert len(calibration.outcome(closed).people) == 2

    reviews.review(**lived(2))
    assert ordinary.filter(state="waiting").count() == reviews.A_DAY + 2, "left for whoever looks around"
    opened = CalibrationRound.objects.get(closed_at=None)
    assert set(opened.reviews.values_list("state", flat=True)) == {"waiting", "done"}
