"""Quality in a browser: a piece of work judged by keyboard, and every page light and dark, for assistive technology."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.business_day import business_date
from agents import calibration, coaching, reviewing, score_cards
from agents.models import Agent, Answer, Criterion, Finding, Review, SamplingRule, ScoreCard, Survey
from agents.reviewing import Given
from tests.agents.judged import a_call, noted, talk
from tests.agents.test_network_browser import browser, desk, opened, shot, violations
from tests.factories import make_agent, make_customer, make_team, owing

__all__ = ["browser", "desk"]

SCREEN = {"width": 1280, "height": 720}
NOTE = "Checked name and date of birth. Lost her job in May, can pay 20 from the 5th on. Plan read back, she agreed."


def ready(page: Any) -> None:
    """Until the page listens to keys."""
    page.wait_for_load_state("load")
    page.wait_for_function("document.readyState === 'complete' && typeof desk === 'object'")


def call_card() -> ScoreCard:
    return ScoreCard.objects.get(code="call", active=True)


def judged(agent: Agent, name: str, *, days_ago: int = 0, **more: Any) -> Review:
    at = timezone.now() - timedelta(days=days_ago)
    account = owing("100.00", "60.00", as_of=at.date(), customer=make_customer(name=name, country="GB"))
    call = talk(agent, account, at=at, note=NOTE, number="+442079460000", said=["mini_miranda"], duration_seconds=312)
    given: dict[str, Any] = {
        "card": call_card(),
        "of": call,
        "drawn_on": at.date(),
        "due_on": at.date() + timedelta(days=3),
    }
    return a_call(**(given | more))


def finished(review: Review, by: Agent, *values: int | None) -> None:
    """Answers in the order of the card, the best for what is not named."""
    questions = list(review.card.criteria.order_by("position"))
    given = {
        question.pk: Given(values[at] if at < len(values) else score_cards.TOP[question.answers], "Named the reason")
        for at, question in enumerate(questions)
    }
    at = review.interaction.at if review.interaction else timezone.now()
    reviewing.keep(review_id=review.pk, answers=given, summary="Well heard.", reviewer=by, at=at, finish=True)


def morning(boss: Agent) -> Review:
    """Work of two teams, some of it judged, some of it waiting."""
    north = make_team("North")
    nadia = make_agent(username="nadia", first_name="Nadia", last_name="Okafor", team=north)
    ole = make_agent(username="ole", first_name="Ole", team=make_team("South"))
    for days_ago, values in ((20, (1, 1, 2, 3, 1, 1, 1)), (13, (1, 1, 3)), (6, (0, 1, 3, 2)), (1, ())):
        finished(judged(nadia, "Judged Jana", days_ago=days_ago), boss, *values)
    finished(judged(ole, "Judged Jana", days_ago=2), boss, 1, None, 1, 0, None, 1, 0)
    rule = SamplingRule.objects.get(code="calls-of-everybody")
    judged(ole, "A customer of a very long name, Sons & Daughters, Limited & Co. KGaA", rule=rule)
    review = judged(nadia, "Late Larissa", days_ago=4, rule=rule, due_on=timezone.now().date() - timedelta(days=1))
    call = review.interaction
    assert call is not None
    Finding.objects.create(
        interaction=call, account=call.account, agent=nadia, check_code="health-detail", severity="warn",
        excerpt="Lost her job", found_at=timezone.now(),
    )  # fmt: skip
    Survey.objects.create(
        account=call.account, about="call", interaction=call, agent=nadia, asked_at=call.at, answered_at=call.at,
        score=2, reasons=["time"], comment="She was kind but it took too long.",
    )  # fmt: skip
    noted(ole, call.account, at=call.at + timedelta(hours=2), text="Customer sent the form.")
    word = coaching.write(
        agent=nadia, text="You hear people well. Say who you are before anything else.", by=boss, at=timezone.now(),
        goal=Criterion.objects.get(card=call_card(), code="identity"),
    )  # fmt: skip
    coaching.answer(coaching_id=word.pk, text="I will put it on a note by the screen.", agent=nadia, at=timezone.now())
    coaching.write(agent=nadia, text="The last call was a pleasure to hear.", by=boss, at=timezone.now())
    return review


def test_a_piece_of_work_is_judged_by_keyboard_and_the_next_comes(browser: Any, desk: str) -> None:
    boss = make_agent("supervisor", username="lena", first_name="Lena")
    first = morning(boss)
    page = opened(browser, desk, boss, "/supervise/quality/", viewport=SCREEN)
    rows = page.locator("tr[data-entry]")
    expect(rows).to_have_count(2)
    ready(page)
    expect(rows.first).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#score-card")).to_be_visible()
    ready(page)
    questions = page.locator("[data-question]")
    expect(questions.first).to_be_focused()
    page.keyboard.press("y")
    expect(questions.nth(1)).to_be_focused()
    page.keyboard.press("x")
    expect(questions.nth(2)).to_be_focused()
    page.keyboard.press("3")
    page.keyboard.press("c")
    expect(questions.nth(3).locator(".said")).to_be_focused()
    page.keyboard.type("yes no 4")
    page.keyboard.press("Enter")
    expect(questions.nth(3)).to_be_focused()
    page.keyboard.press("4")
    for key in "yyyyyy":
        page.keyboard.press(key)
    expect(page.locator("#tally")).to_contain_text("1 to answer")
    page.keyboard.press("4")
    expect(page.locator("#summary")).to_be_focused()
    page.keyboard.type("Heard her out.")
    expect(page.locator("#tally")).to_contain_text("passed")
    page.keyboard.press("Control+Enter")

    expect(page.locator(".toast")).to_contain_text("passed")
    expect(page.locator(".strip")).to_contain_text("A customer of a very long name")
    first.refresh_from_db()
    assert (first.state, first.summary) == ("done", "Heard her out.")
    codes = {
        answer.criterion.code: answer for answer in Answer.objects.filter(review=first).select_related("criterion")
    }
    assert (codes["disclosure"].value, codes["empathy"].value) == (None, 3)
    assert codes["need"].comment == "yes no 4"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_calm_and_read_by_everybody(browser: Any, desk: str, scheme: str) -> None:
    boss, other = make_agent("supervisor", username="lena", first_name="Lena"), make_agent("manager", username="max")
    review = morning(boss)
    done = Review.objects.filter(state="done", agent__username="nadia").latest("pk")
    work = reviewing.work_of("call", review.interaction_id or 0)
    assert work is not None
    now: dict[str, Any] = {"as_of": business_date(at=timezone.now()), "at": timezone.now()}
    row = calibration.open_round(
        work=work, title="A hard call", card=call_card(), people=[boss, other], closes_on=now["as_of"], by=boss, **now
    )
    for part, values in zip(Review.objects.filter(calibration=row).order_by("pk"), ((1, 1, 3), (0, 1, 1)), strict=True):
        assert part.reviewer is not None
        finished(part, part.reviewer, *values)
    calibration.close(round_id=row.pk, by=boss, at=timezone.now())
    places = {
        "list": "/supervise/quality/",
        "review": f"/supervise/quality/reviews/{review.pk}/",
        "done": f"/supervise/quality/reviews/{done.pk}/",
        "teams": "/supervise/quality/teams/",
        "person": "/supervise/quality/agents/nadia/",
        "pick": f"/supervise/quality/pick/?account={review.account.ref}",
        "calibrate": f"/supervise/quality/calibration/open/?subject=call&piece={review.interaction_id}",
        "calibrations": "/supervise/quality/calibration/",
        "calibration": f"/supervise/quality/calibration/{row.pk}/",
    }
    page = opened(browser, desk, boss, places["list"], color_scheme=scheme, viewport=SCREEN)
    for name, place in places.items():
        page.goto(desk + place)
        expect(page.locator("h1")).to_be_visible()
        ready(page)
        shot(page, f"quality-{name}-{scheme}")
        assert violations(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") == SCREEN["width"], name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_agent_reads_and_answers_on_their_own_day(browser: Any, desk: str, scheme: str) -> None:
    morning(make_agent("supervisor", username="lena", first_name="Lena"))
    nadia = Agent.objects.get(username="nadia")
    page = opened(browser, desk, nadia, "/day/", color_scheme=scheme, viewport=SCREEN)
    mine = page.locator("#quality")
    expect(mine).to_contain_text("The last call was a pleasure to hear.")
    ready(page)
    mine.locator("details summary").last.click()
    mine.scroll_into_view_if_needed()
    shot(page, f"quality-day-{scheme}")
    assert violations(page) == []
    mine.locator("textarea:visible").first.fill("Thank you.")
    mine.get_by_role("button", name="Answer", exact=True).first.click()
    expect(page.locator(".toast")).to_contain_text("Answered")
    expect(mine).to_contain_text("Thank you.")
