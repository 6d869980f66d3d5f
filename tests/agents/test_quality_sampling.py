"""What is drawn: by rule, at random, the same however often it is drawn."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from agents import quality_sampling
from agents.models import Complaint, Finding, Review, SamplingRule, ScoreCard, Survey
from agents.quality_sampling import CannotSample
from collections_desk import journey
from tests.agents.judged import card_of, noted, talk, texted
from tests.factories import TODAY, make_agent, make_customer, make_team, moment, owing

pytestmark = pytest.mark.django_db

#: A Monday.
MONDAY = date(2026, 3, 2)


@pytest.fixture(autouse=True)
def _no_rule_but_the_tests_own() -> None:
    SamplingRule.objects.update(active=False)


def rule_of(*, subject: str = "call", conditions: dict[str, Any] | None = None, **share: Any) -> SamplingRule:
    card = ScoreCard.objects.filter(subject=subject, active=True).first() or card_of(subject=subject)
    share = share or {"percent": 100}
    code = f"rule-{SamplingRule.objects.count()}"
    return SamplingRule.objects.create(
        code=code, title=code, subject=subject, conditions=conditions or {}, card=card, due_days=3, **share
    )


def draw(on: date = TODAY) -> int:
    return quality_sampling.draw(as_of=on, at=moment(on, 23))


def test_what_is_drawn_waits_for_somebody_with_its_card_and_its_date() -> None:
    call, rule = talk(), rule_of()

    assert draw() == 1

    review = Review.objects.get()
    assert (review.interaction, review.account, review.agent) == (call, call.account, call.agent)
    assert (review.rule, review.card, review.state) == (rule, rule.card, Review.State.WAITING)
    assert (review.drawn_on, review.due_on) == (TODAY, TODAY + timedelta(days=3))


def test_drawn_again_nothing_is_drawn_twice_also_by_another_rule() -> None:
    talk()
    rule_of()
    rule_of()
    assert draw() == 1
    assert draw() == 0
    assert draw(TODAY + timedelta(days=1)) == 0


def test_a_share_is_about_that_share_and_the_same_whoever_draws() -> None:
    agent, account = make_agent(), owing()
    for minute in range(300):
        talk(agent, account, at=moment(hour=minute // 60, minute=minute % 60))
    rule_of(percent=20)

    first = draw()
    chosen = set(Review.objects.values_list("interaction", flat=True))
    Review.objects.all().delete()

    assert 35 <= first <= 85
    assert draw() == first
    assert set(Review.objects.values_list("interaction", flat=True)) == chosen


def test_a_rule_draws_no_more_at_a_time_than_people_can_look_at() -> None:
    agent, account = make_agent(), owing()
    for minute in range(quality_sampling.MOST_AT_ONCE + 5):
        talk(agent, account, at=moment(hour=minute // 60, minute=minute % 60))
    rule_of()
    assert draw() == quality_sampling.MOST_AT_ONCE
    assert draw() == 5


@pytest.mark.parametrize("wanted", [1, 3, 5])
def test_so_many_an_agent_and_week_whenever_their_days_are_closed(wanted: int) -> None:
    nadia, ole = make_agent(), make_agent()
    for day in range(5):
        for agent in (nadia, ole):
            for hour in range(8):
                talk(agent, at=moment(MONDAY + timedelta(days=day), 8 + hour))
    rule_of(per_agent_week=wanted)

    by_day = [draw(MONDAY + timedelta(days=day)) for day in range(5)]

    assert sum(by_day) == 2 * wanted
    assert Counter(Review.objects.values_list("agent", flat=True)) == {nadia.pk: wanted, ole.pk: wanted}
    assert draw(MONDAY + timedelta(days=6)) == 0
    assert draw(MONDAY + timedelta(days=8)) == 0


def test_a_quota_that_was_missed_is_made_up_for_in_the_week_after() -> None:
    nadia = make_agent()
    for day in range(3):
        talk(nadia, at=moment(MONDAY + timedelta(days=day)))
    rule_of(per_agent_week=2)
    assert draw(MONDAY + timedelta(days=9)) == 2


def test_the_days_of_a_week_are_drawn_from_evenly_over_many_people() -> None:
    starts = [number / 1000 for number in range(1000)]
    for wanted in (1, 2, 3, 7):
        due = [[quality_sampling.due_by(wanted, day, start=start) for day in range(6)] for start in starts]
        assert all(days[0] == 0 and days[5] == wanted for days in due)
        for day in range(1, 6):
            drawn = sum(days[day] - days[day - 1] for days in due) / len(due)
            assert drawn == pytest.approx(wanted / 5, abs=0.01)


# Conditions ---------------------------------------------------------------------------------------------------------


def test_only_conversations_and_only_some_outcomes() -> None:
    refused, rang = talk(), talk(disposition="no_answer", right_party=False)
    rule_of(conditions={"conversation": True})
    assert draw() == 1
    assert Review.objects.get().interaction == refused
    rule_of(conditions={"dispositions": ["no_answer"]})
    assert draw() == 1
    assert Review.objects.latest("pk").interaction == rang


def test_what_a_check_found_unless_somebody_called_it_wrong() -> None:
    nadia = make_agent()
    bad, wrong, light = noted(nadia), noted(nadia), noted(nadia)
    for note, severity, verdict in ((bad, "breach", ""), (wrong, "breach", "wrong"), (light, "note", "")):
        Finding.objects.create(
            note=note, account=note.account, agent=nadia, check_code="threat", severity=severity, verdict=verdict,
            found_at=moment(),
        )  # fmt: skip
    rule_of(subject="note", conditions={"severity": "warn"})

    assert draw() == 1
    review = Review.objects.get()
    assert (review.note, review.agent) == (bad, nadia)


def test_what_the_customer_said_of_it_also_days_later() -> None:
    unhappy, content = talk(), talk()
    for call, score in ((unhappy, 2), (content, 5)):
        Survey.objects.create(
            account=call.account, about="call", interaction=call, agent=call.agent, asked_at=moment(), score=score
        )
    rule_of(conditions={"survey_at_most": 2})
    assert draw(TODAY + timedelta(days=6)) == 1
    assert Review.objects.get().interaction == unhappy


def test_work_that_a_complaint_followed() -> None:
    before, after, other = talk(at=moment(TODAY - timedelta(days=3))), talk(), talk()
    for call, received in ((before, TODAY), (after, TODAY - timedelta(days=2))):
        Complaint.objects.create(
            ref=f"c{call.pk}", account=call.account, received_on=received, channel="email", category="conduct",
            acknowledge_by=TODAY, answer_by=TODAY, taken_by="x",
        )  # fmt: skip
    Complaint.objects.create(
        ref="named", account=other.account, interaction=other, received_on=TODAY - timedelta(days=5), channel="email",
        category="conduct", acknowledge_by=TODAY, answer_by=TODAY, taken_by="x",
    )  # fmt: skip
    rule_of(conditions={"complaint": True})
    assert draw() == 2
    assert set(Review.objects.values_list("interaction", flat=True)) == {before.pk, other.pk}


def test_who_is_new_how_long_it_took_and_against_the_gate() -> None:
    new = make_agent(date_joined=moment(TODAY - timedelta(days=10)))
    old = make_agent(date_joined=moment(TODAY - timedelta(days=100)))
    theirs, long, short, against = (
        talk(new),
        talk(old, duration_seconds=1900),
        talk(old, duration_seconds=9),
        talk(old, override_code="SAFETY"),
    )
    for conditions, expected in (
        ({"new_agent_days": 30}, theirs),
        ({"longer_than": 1800}, long),
        ({"shorter_than": 10}, short),
        ({"override": True}, against),
    ):
        rule_of(conditions=conditions)
        assert draw() == 1, conditions
        assert Review.objects.latest("pk").interaction == expected


def test_of_a_team_a_segment_a_country_or_a_step() -> None:
    north = make_team("North")
    of_team = talk(make_agent(team=north))
    of_segment = talk(account=owing(segment="late payers"))
    of_country = talk(account=owing(customer=make_customer(country="US")))
    for conditions, expected in (
        ({"teams": ["North"]}, of_team),
        ({"segments": ["late payers"]}, of_segment),
        ({"countries": ["US"]}, of_country),
    ):
        rule_of(conditions=conditions)
        assert draw() == 1, conditions
        assert Review.objects.latest("pk").interaction == expected
    final = texted()
    texted(step_code="reminder")
    rule_of(subject="notice", conditions={"steps": ["final"]})
    assert draw() == 1
    review = Review.objects.latest("pk")
    assert (review.notice, review.agent) == (final, None)


def test_what_nobody_here_did_or_was_taken_back_is_not_drawn() -> None:
    talk(undone_at=moment())
    talk(kind="sms")
    call = talk()
    call.agent = None
    call.save(update_fields=["agent"])
    nadia = make_agent()
    noted(nadia, by="import")
    noted(nadia, by="agent:somebody-gone")
    noted(nadia, undone_at=moment())
    texted(sent_at=None)
    for subject in ("call", "note", "notice"):
        rule_of(subject=subject)
    assert draw() == 0


def test_what_cannot_be_asked_of_some_work_is_refused() -> None:
    with pytest.raises(CannotSample, match="survey_at_most"):
        quality_sampling.read({"survey_at_most": 2}, subject="note")
    with pytest.raises(CannotSample, match="severity"):
        quality_sampling.read({"severity": "dreadful"}, subject="note")
    with pytest.raises(CannotSample, match="longer_than"):
        quality_sampling.read({"longer_than": "1"}, subject="call")
    with pytest.raises(CannotSample, match="conversation"):
        quality_sampling.read({"conversation": 1}, subject="call")


def test_a_rule_has_one_share_and_a_review_one_piece_of_work() -> None:
    with pytest.raises(IntegrityError, match="sampling_rule_one_share"), transaction.atomic():
        rule_of(percent=5, per_agent_week=2)
    call = talk()
    columns = {"account": call.account, "card": card_of(), "drawn_on": TODAY, "due_on": TODAY}
    with pytest.raises(IntegrityError, match="review_one_piece"), transaction.atomic():
        Review.objects.create(interaction=call, note=noted(make_agent()), **columns)
    with pytest.raises(IntegrityError, match="review_one_piece"), transaction.atomic():
        Review.objects.create(**columns)


def test_the_draw_costs_the_same_however_much_work_there_was() -> None:
    rule_of(percent=50)
    rule_of(per_agent_week=2)

    def cost(on: date) -> int:
        with CaptureQueriesContext(connection) as queries:
            draw(on)
        return len(queries)

    talk(at=moment(MONDAY))
    few = cost(MONDAY)
    account = owing()
    for agent in [make_agent() for _ in range(4)]:
        for hour in range(10):
            talk(agent, account, at=moment(MONDAY + timedelta(days=7), 8 + hour))
    assert cost(MONDAY + timedelta(days=7)) <= few + 2


def test_the_close_of_a_day_draws() -> None:
    talk()
    rule_of()
    journey.close_day(as_of=TODAY, at=moment(TODAY, 23), keeps_figures=False)
    journey.close_day(as_of=TODAY, at=moment(TODAY, 23), keeps_figures=False)
    assert Review.objects.count() == 1
