"""Reviewers judge the same piece of work, none seeing the others', and then look at where they differ.

While a round is open everybody sees their own answers alone. Closed, it shows those who took part, and those who may
judge that work, how every question was answered; the person whose work it was never sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext as _

from accounts import business_day, events
from accounts.refusals import Refused
from agents import kinds, raters, reviewing, rights, score_cards
from agents.models import Agent, Answer, CalibrationRound, Criterion, Review, ScoreCard

#: Answers that lie so far apart, of 1, need a word; so does a critical question answered differently.
FAR = Decimal("0.5")
#: So does a question on which fewer pairs than this agree.
ENOUGH = 0.8
MOST_REVIEWERS = 12


class CannotCalibrate(Refused):
    """Too few take part, somebody is not to judge that work, or the round is over."""

    code = "forbidden"


# Who ----------------------------------------------------------------------------------------------------------------


def reviewers(user: Any, work: reviewing.Work) -> list[Agent]:
    """Who may judge that piece of work, as far as the user may ask them. Few people have the right."""
    rows = Agent.objects.filter(is_active=True, groups__name__in=rights.roles_with(rights.Act.REVIEW)).distinct()
    if not rights.sees_all_teams(user):
        rows = rows.filter(team_id=user.team_id) if user.team_id else rows.filter(team=None)
    return [person for person in rows.order_by("username") if reviewing.may_judge(person, work)]


def visible(user: Any) -> QuerySet[CalibrationRound]:
    """The rounds the user takes part in or opened, and those closed on work they may judge; none on their own work."""
    if not reviewing.may_review(user):
        return CalibrationRound.objects.none()
    mine = Q(reviews__reviewer=user) | Q(opened_by=rights.actor(user))
    if rights.sees_all_teams(user):
        mine |= Q(closed_at__isnull=False)
    on_own_work = Review.objects.filter(calibration__isnull=False, agent=user).values("calibration")
    return CalibrationRound.objects.filter(mine).exclude(pk__in=on_own_work).distinct()


# The round ----------------------------------------------------------------------------------------------------------


def open_round(
    *,
    work: reviewing.Work,
    title: str,
    card: ScoreCard,
    people: Sequence[Agent],
    closes_on: date,
    by: Agent,
    as_of: date,
    at: datetime,
) -> CalibrationRound:
    """Everybody named reviews that piece by the card until that day. Raises ``CannotCalibrate``."""
    if not reviewing.may_judge(by, work):
        raise CannotCalibrate(_("Nobody reviews their own work, or another team's."))
    if card.subject != work.subject:
        raise CannotCalibrate(_("This card is for other work."), code="invalid")
    if not title.strip():
        raise CannotCalibrate(_("Give it a title."), code="invalid")
    if closes_on < as_of:
        raise CannotCalibrate(_("It closes today or later."), code="invalid")
    if not 2 <= len({person.pk for person in people}) <= MOST_REVIEWERS:
        raise CannotCalibrate(_("Between 2 and %(n)s people take part.") % {"n": MOST_REVIEWERS}, code="invalid")
    if strangers := [str(person) for person in people if not reviewing.may_judge(person, work)]:
        raise CannotCalibrate(_("May not judge this work: %(people)s.") % {"people": ", ".join(strangers)})
    piece = reviewing.columns_of(work)
    with transaction.atomic():
        made = CalibrationRound.objects.create(
            **piece, title=title.strip(), card=card, opened_by=rights.actor(by), opened_at=at, closes_on=closes_on
        )
        Review.objects.bulk_create(
            Review(
                **piece,
                account=work.account,
                agent=work.agent,
                card=card,
                calibration=made,
                reviewer=person,
                drawn_on=as_of,
                due_on=closes_on,
            )
            for person in {person.pk: person for person in people}.values()
        )
        _record(made, kinds.CALIBRATION_OPENED, rights.actor(by), at)
    return made


def review_of(user: Agent, round_id: int) -> Review | None:
    """The user's own part of the round."""
    rows = Review.objects.filter(calibration=round_id, reviewer=user).exclude(agent=user)
    return reviewing.with_work(rows).first()


def to_do(user: Agent) -> list[Review]:
    """The user's own parts of rounds that are open and wait for them, what closes first on top. One query."""
    rows = Review.objects.filter(reviewer=user, calibration__closed_at=None, state__in=reviewing.TO_DO)
    return list(rows.filter(calibration__isnull=False).select_related("calibration").order_by("due_on", "pk")[:10])


def close(*, round_id: int, by: Agent, at: datetime) -> CalibrationRound:
    """End it and show the answers; who has not finished is left out. Raises ``CannotCalibrate``.

    Whoever opened it closes it, or somebody above the team wall.
    """
    with transaction.atomic():
        row = CalibrationRound.objects.select_for_update(of=("self",)).filter(pk=round_id).first()
        if row is None or not visible(by).filter(pk=round_id).exists():
            raise CannotCalibrate(_("There is no such round."), code="not_found")
        if row.closed_at is not None:
            raise CannotCalibrate(_("This round is closed."), code="conflict")
        if row.opened_by != rights.actor(by) and not rights.sees_all_teams(by):
            raise CannotCalibrate(_("Whoever opened it closes it."))
        _close(row, by=rights.actor(by), at=at)
    return row


def close_due(*, as_of: date, at: datetime, actor: str) -> int:
    """Rounds past their day are closed. How many."""
    with transaction.atomic():
        rows = CalibrationRound.objects.select_for_update(of=("self",)).filter(closed_at=None, closes_on__lt=as_of)
        due = list(rows.order_by("pk"))
        for row in due:
            _close(row, by=actor, at=at)
    return len(due)


def _close(row: CalibrationRound, *, by: str, at: datetime) -> None:
    Review.objects.filter(calibration=row, state__in=reviewing.TO_DO).update(state=Review.State.SET_ASIDE)
    row.closed_at, row.closed_by = at, by
    row.save(update_fields=["closed_at", "closed_by"])
    _record(row, kinds.WORK_CALIBRATED, by, at)


# What it shows ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One question: each person's answer in their order, how many pairs agree, how far the answers lie apart."""

    question: Criterion
    answers: tuple[Answer | None, ...]
    agreement: float | None
    #: Between the best and the worst answer, of 1; none where fewer than two people judged it.
    spread: Decimal | None
    needs_word: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a closed round came to. ``kappa`` is Cohen's of two people, Fleiss' of more."""

    people: tuple[Review, ...]
    lines: tuple[Line, ...]
    #: Of all pairs of answers to all questions, the share that are equal.
    agreement: float | None
    kappa: float | None
    kappa_of: str
    #: Between the highest and the lowest score, in points.
    apart: Decimal | None

    @property
    def in_words(self) -> str:
        """How large the kappa is; empty where there is none."""
        return "" if self.kappa is None else raters.size(self.kappa)


def outcome(row: CalibrationRound) -> Outcome:
    """Of the people who finished. Three queries.

    Answers count as equal where they mean the same part of the best one: a yes is a 4, a no is a 0, and *does not
    apply* is an answer of its own.
    """
    rows = Review.objects.filter(calibration=row, state=Review.State.DONE).select_related("reviewer")
    people = tuple(rows.order_by("reviewer__username"))
    questions = list(row.card.criteria.order_by("position", "pk"))
    given = {
        (one.review_id, one.criterion_id): one for one in Answer.objects.filter(review__in=[each.pk for each in people])
    }
    lines, judged = [], []
    for question in questions:
        answers = tuple(given.get((review.pk, question.pk)) for review in people)
        parts = [score_cards.share(question, one.value if one else None) for one in answers]
        judged.append(parts)
        lines.append(_line(question, answers, parts))
    scores = [review.score for review in people if review.score is not None]
    shares = [line.agreement for line in lines if line.agreement is not None]
    return Outcome(
        people=people,
        lines=tuple(lines),
        agreement=sum(shares) / len(shares) if shares else None,
        kappa=_kappa(judged, len(people)),
        kappa_of="Cohen" if len(people) == 2 else "Fleiss",
        apart=max(scores) - min(scores) if len(scores) > 1 else None,
    )


def _line(question: Criterion, answers: tuple[Answer | None, ...], parts: list[Decimal | None]) -> Line:
    share = raters.agreement(parts)
    values = [part for part in parts if part is not None]
    spread = max(values) - min(values) if len(values) > 1 else None
    differ = len(set(parts)) > 1
    needs_word = differ and (
        question.critical or (spread is not None and spread >= FAR) or (share is not None and share < ENOUGH)
    )
    return Line(question, answers, share, spread, needs_word)


def _kappa(judged: list[list[Decimal | None]], people: int) -> float | None:
    if people < 2 or not judged:
        return None
    if people == 2:
        return raters.cohen([parts[0] for parts in judged], [parts[1] for parts in judged])
    return raters.fleiss(judged)


def listed(user: Any) -> QuerySet[CalibrationRound]:
    """The rounds the user sees, the open ones first, with how many take part and how many have finished."""
    rows = CalibrationRound.objects.filter(pk__in=visible(user).values("pk")).select_related("card")
    return rows.annotate(
        people=Count("reviews"), finished=Count("reviews", filter=Q(reviews__state=Review.State.DONE))
    ).order_by(F("closed_at").desc(nulls_first=True), "-closes_on", "-pk")


def _record(row: CalibrationRound, kind: str, actor: str, at: datetime) -> None:
    payload = {
        "calibration": row.pk,
        "card": f"{row.card.code}@{row.card.version}",
        "subject": row.subject.value,
        "piece": row.piece_id,
    }
    events.record(account_id=None, kind=kind, actor=actor, at=at, on=business_day.business_date(at=at), payload=payload)
