"""What supervisor and manager say of the agents' work in the demo: reviews, a word to somebody, one round together.

What waits to be reviewed is drawn by the days themselves. Through the real operations, once however often a day is
lived, and the same whoever builds it.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zlib import crc32

from agents import calibration, coaching, reviewing, score_cards
from agents.models import Agent, CalibrationRound, Coaching, Criterion, Review
from agents.reviewing import Given

#: So many are done on a day, and none on the last ones: whoever looks around finds some to do.
A_DAY, LEFT = 3, timedelta(days=2)
TOGETHER = "How much empathy is a 4?"
NEXT_ROUND = "Is it read back when the customer says it first?"

#: Of a hundred answers so many are the best; the others lie below it.
_GOOD = 72
_SAID = {
    "identity": "The amount was said before the date of birth was checked.",
    "disclosure": "The words the market asks for came after the amount.",
    "empathy": "They told you about the hospital twice.",
    "need": "You asked when they can pay, not what happened.",
    "offer": "A longer plan was within what you may agree to.",
    "read-back": "The day was not said again.",
    "note": "What comes next is missing.",
}
_SUMMARIES = (
    "Calm from beginning to end, and they thanked you for it.",
    "Good questions. Say the day and the amount once more before you hang up.",
    "You had the right offer; let them finish before you make it.",
)
_WORDS = (
    ("need", "Ask what happened before you ask when. The best plan of yours this week began like that."),
    ("read-back", "Amount, day, way to pay: three things, then wait for the yes."),
    ("note", "Write the next step as its own line; whoever takes the account over reads that first."),
)


def review(*, as_of: date, at: datetime, last_day: date) -> None:
    """What is looked at on a day, and what is said about it."""
    supervisor = Agent.objects.get(username="supervisor")
    if as_of <= last_day - LEFT and not Review.objects.filter(reviewed_at=at).exists():
        for place, row in enumerate(reviewing.to_do(supervisor)[:A_DAY]):
            _judge(row, supervisor, at=at, skew=0)
            if place < len(_WORDS):
                _coach(row, supervisor, place, at=at)
    second = Agent.objects.filter(groups__name="manager", is_active=True).order_by("username").first()
    if second is None:
        return
    if as_of == last_day - timedelta(days=1):
        _together(TOGETHER, supervisor, second, as_of=as_of, at=at, closes=True)
    if as_of == last_day:
        _together(NEXT_ROUND, supervisor, second, as_of=as_of, at=at, closes=False)


def _judge(row: Review, reviewer: Agent, *, at: datetime, skew: int) -> None:
    """Mostly good, with the reason where it is not; ``skew`` makes two people differ."""
    given = {}
    for question in row.card.criteria.order_by("position"):
        drawn = crc32(f"{row.account_id} {row.subject} {question.code} {skew}".encode())
        best = score_cards.TOP[question.answers]
        good = drawn % 100 < (_GOOD if not question.critical else 96)
        value = best if good else drawn // 100 % best
        comment = "" if good else _SAID.get(question.code, "")
        given[question.pk] = Given(None if question.code == "disclosure" else value, comment)
    summary = _SUMMARIES[crc32(f"{row.account_id}".encode()) % len(_SUMMARIES)]
    reviewing.keep(review_id=row.pk, answers=given, summary=summary, reviewer=reviewer, at=at, finish=True)


def _coach(row: Review, by: Agent, place: int, *, at: datetime) -> None:
    """One word to a person in a few days; most of them answer."""
    agent = row.agent
    if agent is None or Coaching.objects.filter(agent=agent, written_at__gt=at - timedelta(days=3)).exists():
        return
    code, text = _WORDS[place]
    goal = Criterion.objects.filter(card=row.card, code=code).first()
    word = coaching.write(agent=agent, text=text, by=by, at=at, review=row, goal=goal)
    if crc32(f"{agent.username} {row.account_id}".encode()) % 3:
        coaching.answer(coaching_id=word.pk, text="I will try that on the next calls.", agent=agent, at=at)


def _together(title: str, first: Agent, second: Agent, *, as_of: date, at: datetime, closes: bool) -> None:
    """A conversation that both judge; the first time they look at what came of it."""
    if CalibrationRound.objects.filter(title=title).exists():
        return
    done = Review.objects.filter(interaction__isnull=False, calibration=None, state=Review.State.DONE)
    row = done.exclude(interaction__calibrationrounds__isnull=False).select_related("card").order_by("-pk").first()
    work = reviewing.work_of("call", row.interaction_id or 0) if row else None
    if row is None or work is None:
        return
    made = calibration.open_round(
        work=work, title=title, card=row.card, people=[first, second], closes_on=as_of + timedelta(days=4), by=first,
        as_of=as_of, at=at,
    )  # fmt: skip
    parts = Review.objects.filter(calibration=made).select_related("reviewer", "card").order_by("pk")
    for skew, part in enumerate(parts if closes else parts.filter(reviewer=second), start=1):
        if part.reviewer is not None:
            _judge(part, part.reviewer, at=at, skew=skew)
    if closes:
        calibration.close(round_id=made.pk, by=first, at=at)
