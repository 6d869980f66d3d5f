"""What work is judged by: the arithmetic of a card, and its versions.

A card that somebody was judged by never changes. To change it, it is copied; the copy is a draft until it is put in
use, and then takes the place of the one before, in the rules and in the reviews that nobody began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext_noop as _

from accounts.refusals import Refused
from agents.models import CalibrationRound, Criterion, Review, SamplingRule, ScoreCard

#: The best of each way to answer.
TOP = {Criterion.Answers.YES_NO.value: 1, Criterion.Answers.SCALE.value: 4}
_COPIED = ("code", "position", "section", "text", "help", "weight", "answers", "critical")


class CannotChangeCard(Refused):
    """People were judged by this card, or it has no question."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What answers come to; all none where no question applied."""

    #: Percent of what could be reached, two decimals.
    score: Decimal | None
    passed: bool | None
    #: A critical question was answered with no, or 0.
    critical: bool


def share(question: Criterion, value: int | None) -> Decimal | None:
    """An answer as a part of the best one: 0 to 1; none where the question did not apply."""
    return None if value is None else Decimal(value) / TOP[question.answers]


def scored(questions: Iterable[Criterion], values: Mapping[int, int | None], *, pass_mark: int) -> Scored:
    """The weighted percentage of what applied, and whether it passes; ``values`` by the key of the question.

    A critical No fails the whole whatever the percentage, which stays as it is.
    """
    reached, possible, critical = Decimal(0), 0, False
    for question in questions:
        part = share(question, values.get(question.pk))
        if part is None:
            continue
        reached += part * question.weight
        possible += question.weight
        critical |= question.critical and part == 0
    if not possible:
        return Scored(None, None, False)
    score = (reached * 100 / possible).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return Scored(score, score >= pass_mark and not critical, critical)


def may_change(card: ScoreCard) -> bool:
    """Whether nobody was, or is being, judged by it. Two queries at most."""
    reviewed = Review.objects.filter(card=card).exclude(state=Review.State.WAITING)
    return not (reviewed.exists() or CalibrationRound.objects.filter(card=card).exists())


@transaction.atomic
def copy(card: ScoreCard, *, by: str) -> ScoreCard:
    """The next version as a draft, with the same questions; the draft that is there already, if there is one."""
    versions = ScoreCard.objects.select_for_update().filter(code=card.code)
    draft = versions.filter(active=False, version__gt=card.version).order_by("-version").first()
    if draft is not None and may_change(draft):
        return draft
    newest: int = versions.aggregate(newest=Max("version"))["newest"]
    made = ScoreCard.objects.create(
        code=card.code,
        version=newest + 1,
        title=card.title,
        subject=card.subject,
        pass_mark=card.pass_mark,
        active=False,
        changed_by=by,
    )
    Criterion.objects.bulk_create(
        Criterion(card=made, **{name: getattr(row, name) for name in _COPIED}) for row in card.criteria.all()
    )
    return made


@transaction.atomic
def put_in_use(card: ScoreCard, *, by: str) -> ScoreCard:
    """From now on work is judged by this version: rules and reviews that nobody began go over to it.

    Raises ``CannotChangeCard`` where it has no question.
    """
    locked = list(ScoreCard.objects.select_for_update().filter(code=card.code).order_by("pk"))
    if not Criterion.objects.filter(card=card).exists():
        raise CannotChangeCard(_("A card without a question judges nothing."))
    others = [row.pk for row in locked if row.pk != card.pk]
    ScoreCard.objects.filter(pk__in=others, active=True).update(active=False)
    ScoreCard.objects.filter(pk=card.pk).update(active=True, changed_by=by)
    SamplingRule.objects.filter(card__in=others).update(card=card)
    Review.objects.filter(card__in=others, state=Review.State.WAITING, calibration=None).update(card=card)
    card.refresh_from_db()
    return card
