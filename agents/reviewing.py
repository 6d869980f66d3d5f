"""Looking at one piece of somebody's work and saying, by the card, what was good and what was not.

Nobody reviews their own work. Whoever is kept to one team reviews that team's, on its side of the team wall. The person
whose work it was sees what was said once it is done; what reviewers calibrate by is not theirs to see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Avg, Count, Prefetch, Q, QuerySet
from django.utils.translation import gettext as _

from accounts import business_day, events
from accounts.models import Account
from accounts.refusals import Refused
from agents import card_numbers, kinds, rights, score_cards
from agents.models import (
    Agent,
    Answer,
    Criterion,
    Interaction,
    Note,
    Review,
    ScoreCard,
    Subject,
)
from dunning.models import Notice

LONGEST_COMMENT = 500
LONGEST_SUMMARY = 4000
#: A review that somebody asked for is due within so long.
ASKED_WITHIN = timedelta(days=5)
TO_DO = (Review.State.WAITING, Review.State.DOING)
_AUTHOR = "agent:"


class CannotReview(Refused):
    """It is one's own work, another's review, done already, or not answered whole."""

    code = "forbidden"


@dataclass(frozen=True, slots=True)
class Given:
    """One answer: a value, or none where the question did not apply."""

    value: int | None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work with the account it is on and whose it is; no agent for a text that the desk sent itself."""

    subject: Subject
    piece: Interaction | Note | Notice
    account: Account
    agent: Agent | None

    @property
    def at(self) -> datetime | None:
        """When it was done; none for a text that has not left."""
        return self.piece.sent_at if isinstance(self.piece, Notice) else self.piece.at


# Who may ------------------------------------------------------------------------------------------------------------


def may_review(user: Any) -> bool:
    """Whether the user judges other people's work at all."""
    return rights.may(user, rights.Act.REVIEW)


def people(user: Any) -> QuerySet[Agent]:
    """Whose work the user may judge and whom they may coach: everybody, or their team; never themselves."""
    if not may_review(user):
        return Agent.objects.none()
    rows = Agent.objects.filter(is_active=True, groups__name__in=rights.roles_with(rights.Act.WORK)).exclude(pk=user.pk)
    if not rights.sees_all_teams(user):
        rows = rows.filter(team_id=user.team_id) if user.team_id else rows.filter(team=None)
    return rows.distinct()


def visible(user: Any) -> QuerySet[Review]:
    """The reviews that the user may do or read as a reviewer: never of their own work, never a calibration's."""
    if not may_review(user):
        return Review.objects.none()
    rows = Review.objects.filter(calibration=None).exclude(agent=user)
    return rows if rights.sees_all_teams(user) else rows.filter(_of_team(user))


def _of_team(user: Any) -> Q:
    """Work of the user's team, and texts to customers, on their side of the wall."""
    mine = Q(agent__team_id=user.team_id) if user.team_id else Q(agent__team=None, agent__isnull=False)
    return (mine | Q(agent=None)) & Q(account__in=rights.visible_accounts(user))


def own(agent: Agent) -> QuerySet[Review]:
    """What was said of the agent's own work: what is done, outside of calibration."""
    return Review.objects.filter(agent=agent, calibration=None, state=Review.State.DONE)


# The list -----------------------------------------------------------------------------------------------------------


def to_do(user: Any, **narrowed: Any) -> QuerySet[Review]:
    """The reviews that wait, or that were begun by the user, the one that is due first on top."""
    rows = visible(user).filter(Q(state=Review.State.WAITING) | Q(state=Review.State.DOING))
    return narrowed_to(rows, **narrowed).order_by("due_on", "pk")


def done(user: Any, **narrowed: Any) -> QuerySet[Review]:
    """The reviews that are over, the latest first."""
    rows = visible(user).filter(state__in=(Review.State.DONE, Review.State.SET_ASIDE))
    return narrowed_to(rows, **narrowed).order_by("-reviewed_at", "-pk")


def narrowed_to(
    rows: QuerySet[Review], *, subject: str = "", rule: str = "", agent: str = "", reviewer: str = ""
) -> QuerySet[Review]:
    """Of those, the ones of a subject, a rule, somebody's work, or somebody's hand."""
    if subject:
        rows = rows.filter(**{f"{_COLUMN[Subject(subject)]}__isnull": False})
    wanted = {"rule__code": rule, "agent__username": agent, "reviewer__username": reviewer}
    return rows.filter(**{name: value for name, value in wanted.items() if value})


def with_work(rows: QuerySet[Review]) -> QuerySet[Review]:
    """The same with what a list shows of them, so that a row costs no query."""
    return rows.select_related(
        "account__customer", "interaction", "note", "notice", "card", "rule", "agent__team", "reviewer"
    )


def next_of(user: Any, *, after: Review | None = None, **narrowed: Any) -> Review | None:
    """The next one to do; the one just left is passed over. One query."""
    rows = to_do(user, **narrowed).filter(Q(reviewer=None) | Q(reviewer=user))
    return (rows.exclude(pk=after.pk) if after else rows).first()


def counted(user: Any, *, as_of: date) -> dict[str, int]:
    """How many reviews wait, how many of them are late, how many the user began. One query."""
    return visible(user).aggregate(
        waiting=Count("pk", filter=Q(state__in=TO_DO)),
        late=Count("pk", filter=Q(state__in=TO_DO, due_on__lt=as_of)),
        mine=Count("pk", filter=Q(state=Review.State.DOING, reviewer=user)),
    )


# Asking for one -----------------------------------------------------------------------------------------------------

_COLUMN = {Subject.CALL: "interaction", Subject.NOTE: "note", Subject.NOTICE: "notice"}
_ROWS: dict[Subject, Any] = {Subject.CALL: Interaction, Subject.NOTE: Note, Subject.NOTICE: Notice}


def work_of(subject: str, pk: int) -> Work | None:
    """That piece of work; none where there is no such one. Two queries at most."""
    if subject not in Subject.values:
        return None
    of = Subject(subject)
    rows = _ROWS[of].objects.select_related("account__customer", *(["agent"] if of == Subject.CALL else []))
    piece = rows.filter(pk=pk).first()
    return None if piece is None else _worked(of, piece)


def _worked(of: Subject, piece: Any) -> Work:
    agent = None
    if of == Subject.CALL:
        agent = piece.agent
    elif of == Subject.NOTE and piece.by.startswith(_AUTHOR):
        agent = Agent.objects.filter(username=piece.by.removeprefix(_AUTHOR)).first()
    return Work(of, piece, piece.account, agent)


def may_judge(user: Any, work: Work) -> bool:
    """Whether this user may review that piece of work: never one's own, never across the team wall."""
    if not may_review(user) or work.agent == user:
        return False
    if rights.sees_all_teams(user):
        return True
    is_of_team = work.agent is None or work.agent.team_id == user.team_id
    return is_of_team and rights.may_see_account(user, work.account)


def columns_of(work: Work) -> dict[str, Any]:
    """What a row about that piece says of it."""
    return {f"{_COLUMN[work.subject]}_id": work.piece.pk}


def card_for(subject: str) -> ScoreCard | None:
    """The card in use for such work: the first by its code."""
    return ScoreCard.objects.filter(subject=subject, active=True).order_by("code").first()


def ask(*, work: Work, by: Any, as_of: date, card: ScoreCard | None = None) -> Review:
    """A review that nobody's rule drew; the one that is there already. Raises ``CannotReview``."""
    if not may_judge(by, work):
        raise CannotReview(_("Nobody reviews their own work, or another team's."))
    card = card or card_for(work.subject)
    if card is None or card.subject != work.subject:
        raise CannotReview(_("There is no card in use for such work."), code="invalid")
    piece = columns_of(work)
    try:
        with transaction.atomic():
            return Review.objects.create(
                **piece,
                account=work.account,
                agent=work.agent,
                card=card,
                drawn_on=as_of,
                due_on=as_of + ASKED_WITHIN,
            )
    except IntegrityError:
        return Review.objects.get(**piece, calibration=None)


# Doing it -----------------------------------------------------------------------------------------------------------


def keep(
    *,
    review_id: int,
    answers: Mapping[int, Given],
    summary: str,
    reviewer: Agent,
    at: datetime,
    finish: bool,
) -> Review:
    """Keep what was answered, by the key of the question; ``finish``: it is the reviewer's word.

    A question without an entry is not answered yet: finished it needs all of them. Raises ``CannotReview`` and
    ``card_numbers.CannotKeepCard``.
    """
    summary = card_numbers.without_cards(summary.strip())[:LONGEST_SUMMARY]
    given = {pk: Given(one.value, card_numbers.without_cards(one.comment.strip())) for pk, one in answers.items()}
    with transaction.atomic():
        review = _mine(review_id, reviewer)
        questions = list(review.card.criteria.order_by("position", "pk"))
        _check(questions, given, finish=finish)
        Answer.objects.filter(review=review).delete()
        Answer.objects.bulk_create(
            Answer(review=review, criterion_id=pk, value=one.value, comment=one.comment) for pk, one in given.items()
        )
        review.summary, review.reviewer = summary, reviewer
        review.state = Review.State.DONE if finish else Review.State.DOING
        if finish:
            values = {pk: one.value for pk, one in given.items()}
            result = score_cards.scored(questions, values, pass_mark=review.card.pass_mark)
            review.score, review.passed, review.critical = result.score, result.passed, result.critical
            review.reviewed_at = at
        review.save(update_fields=["summary", "reviewer", "state", "score", "passed", "critical", "reviewed_at"])
        if finish:
            _record(review, kinds.WORK_REVIEWED, reviewer, at)
    return review


def _check(questions: Sequence[Criterion], given: Mapping[int, Given], *, finish: bool) -> None:
    known = {question.pk: question for question in questions}
    for pk, one in given.items():
        if pk not in known:
            raise CannotReview(_("This question is not on the card."), code="invalid")
        if one.value is not None and not 0 <= one.value <= score_cards.TOP[known[pk].answers]:
            raise CannotReview(_("This question has no such answer."), code="invalid")
        if len(one.comment) > LONGEST_COMMENT:
            raise CannotReview(_("A comment has %(n)s characters at most.") % {"n": LONGEST_COMMENT}, code="invalid")
    if finish and (left := [question for question in questions if question.pk not in given]):
        raise CannotReview(
            _("Not answered yet: %(questions)s") % {"questions": "; ".join(question.text for question in left)},
            code="invalid",
        )


def take_over(*, review_id: int, reviewer: Agent) -> Review:
    """Go on with what a colleague began; their answers stay until they are changed. Raises ``CannotReview``."""
    with transaction.atomic():
        review = _locked(review_id, reviewer)
        if review.calibration_id is not None:
            raise CannotReview(_("In a calibration everybody answers for themselves."))
        review.state, review.reviewer = Review.State.DOING, reviewer
        review.save(update_fields=["state", "reviewer"])
    return review


def set_aside(*, review_id: int, why: str, reviewer: Agent, at: datetime) -> Review:
    """There is nothing to judge: no recording, the wrong person, a test. Raises ``CannotReview``."""
    why = card_numbers.without_cards(why.strip())[:LONGEST_SUMMARY]
    if not why:
        raise CannotReview(_("Say why it is not reviewed."), code="invalid")
    with transaction.atomic():
        review = _mine(review_id, reviewer)
        if review.calibration_id is not None:
            raise CannotReview(_("In a calibration everybody answers for themselves."))
        review.state, review.reviewer, review.reviewed_at, review.summary = (
            Review.State.SET_ASIDE,
            reviewer,
            at,
            why,
        )
        review.save(update_fields=["state", "reviewer", "reviewed_at", "summary"])
        _record(review, kinds.REVIEW_SET_ASIDE, reviewer, at)
    return review


def _locked(review_id: int, reviewer: Agent) -> Review:
    """The review under lock, if this person may do it and it is not over."""
    theirs = Q(pk__in=visible(reviewer).values("pk")) | Q(calibration__isnull=False, reviewer=reviewer)
    rows = Review.objects.select_for_update(of=("self",)).select_related("card", "agent")
    review = rows.filter(theirs, pk=review_id).first()
    if review is None or review.agent_id == reviewer.pk:
        raise CannotReview(_("Nobody reviews their own work, or another team's."), code="not_found")
    if review.state not in TO_DO:
        raise CannotReview(_("This review is over."), code="conflict")
    return review


def _mine(review_id: int, reviewer: Agent) -> Review:
    review = _locked(review_id, reviewer)
    if review.state == Review.State.DOING and review.reviewer_id not in (None, reviewer.pk):
        raise CannotReview(_("%(who)s has begun this review.") % {"who": review.reviewer}, code="conflict")
    return review


def _record(review: Review, kind: str, reviewer: Agent, at: datetime) -> None:
    """In the desk's own history, not the account's: it is about a person's work, and not everybody's to read."""
    payload = {
        "review": review.pk,
        "card": f"{review.card.code}@{review.card.version}",
        "subject": review.subject.value,
        "piece": review.piece_id,
        **({"about": rights.actor(review.agent)} if review.agent else {}),
        **({"calibration": review.calibration_id} if review.calibration_id else {}),
        **({"score": str(review.score), "passed": review.passed} if review.state == Review.State.DONE else {}),
    }
    events.record(
        account_id=None,
        kind=kind,
        actor=rights.actor(reviewer),
        at=at,
        on=business_day.business_date(at=at),
        payload=payload,
    )


# What was said ------------------------------------------------------------------------------------------------------


def answered(rows: QuerySet[Review]) -> QuerySet[Review]:
    """The same with their answers and questions, in the order of the card. Two queries more."""
    given = Answer.objects.select_related("criterion").order_by("criterion__position", "criterion_id")
    return with_work(rows).prefetch_related(Prefetch("answers", queryset=given, to_attr="given"))


@dataclass(frozen=True, slots=True)
class Mean:
    """What somebody's reviews of a time came to."""

    reviews: int
    score: Decimal | None
    passed: int
    critical: int


def mean(rows: QuerySet[Review]) -> Mean:
    """Of reviews that are done. One query."""
    return Mean(
        **rows.aggregate(
            reviews=Count("pk", filter=Q(score__isnull=False)),
            score=Avg("score"),
            passed=Count("pk", filter=Q(passed=True)),
            critical=Count("pk", filter=Q(critical=True)),
        )
    )
