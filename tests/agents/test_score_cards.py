"""The arithmetic of a card and its versions."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agents import score_cards
from agents.models import Criterion, Review, SamplingRule, ScoreCard
from agents.score_cards import CannotChangeCard, Scored
from tests.agents.judged import a_call, card_of

pytestmark = pytest.mark.django_db


def test_what_applies_counts_by_its_weight() -> None:
    card = card_of(("kind", 30, "scale", False), ("read", 10, "yes_no", False), ("other", 60, "yes_no", False))
    kind, read, other = card.criteria.order_by("position")

    # Three quarters of 30, and 10 of 10: 32.5 of 40; the third question did not apply.
    assert score_cards.scored([kind, read, other], {kind.pk: 3, read.pk: 1, other.pk: None}, pass_mark=80) == Scored(
        Decimal("81.25"), True, False
    )
    assert score_cards.scored([kind, read], {kind.pk: 3, read.pk: 0}, pass_mark=80) == Scored(
        Decimal("56.25"), False, False
    )


def test_a_critical_no_fails_the_whole_whatever_the_percentage() -> None:
    card = card_of(("kind", 99, "scale", False), ("identity", 1, "yes_no", True))
    kind, identity = card.criteria.order_by("position")

    assert score_cards.scored([kind, identity], {kind.pk: 4, identity.pk: 0}, pass_mark=80) == Scored(
        Decimal("99.00"), False, True
    )
    assert score_cards.scored([kind, identity], {kind.pk: 4, identity.pk: None}, pass_mark=80).passed


def test_where_nothing_applied_there_is_no_score() -> None:
    card = card_of(("kind", 10, "scale", True))
    assert score_cards.scored(card.criteria.all(), {}, pass_mark=80) == Scored(None, None, False)


def test_a_card_that_somebody_was_judged_by_is_copied_and_keeps_its_questions() -> None:
    card = card_of(("kind", 10, "scale", False))
    rule = SamplingRule.objects.create(code="all", title="All", subject="call", percent=100, card=card)
    done = a_call(card=card, state=Review.State.DONE)
    waiting, begun = a_call(card=card), a_call(card=card, state=Review.State.DOING)
    assert not score_cards.may_change(card)

    draft = score_cards.copy(card, by="agent:ada")
    assert (draft.version, draft.active, score_cards.may_change(draft)) == (2, False, True)
    assert score_cards.copy(card, by="agent:ada") == draft
    draft.criteria.update(text="Was kind to them")
    score_cards.put_in_use(draft, by="agent:ada")

    for row in (card, rule, done, waiting, begun):
        row.refresh_from_db()
    assert card.active is False
    assert rule.card == waiting.card == draft
    assert done.card == begun.card == card
    assert card.criteria.get().text == "kind"
    assert list(ScoreCard.objects.filter(code=card.code, active=True)) == [draft]


def test_a_card_without_a_question_is_not_put_in_use() -> None:
    card = card_of(("kind", 10, "scale", False))
    draft = score_cards.copy(card, by="agent:ada")
    draft.criteria.all().delete()

    with pytest.raises(CannotChangeCard):
        score_cards.put_in_use(draft, by="agent:ada")


def test_the_cards_that_ship_ask_what_they_should() -> None:
    cards = {card.subject: card for card in ScoreCard.objects.filter(active=True)}
    assert set(cards) == {"call", "note", "notice"}
    critical = Criterion.objects.filter(card=cards["call"], critical=True).values_list("code", flat=True)
    assert set(critical) == {"identity", "disclosure", "honest"}
    for card in cards.values():
        assert sum(card.criteria.values_list("weight", flat=True)) == 100
    assert SamplingRule.objects.filter(active=True).count() == 7
