"""Agreement beyond chance, against figures that were published."""

from __future__ import annotations

import pytest

from agents import raters

#: Fourteen people, ten things, five categories: the worked example with 0.210 (Fleiss' kappa, as taught everywhere).
FOURTEEN = (
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
)  # fmt: skip


def told(counts: tuple[int, ...]) -> list[int]:
    return [category for category, count in enumerate(counts) for _ in range(count)]


def test_fleiss_kappa_of_the_worked_example() -> None:
    kappa = raters.fleiss([told(counts) for counts in FOURTEEN])

    assert kappa is not None
    assert round(kappa, 3) == 0.210
    assert raters.size(kappa) == "fair"


def test_cohens_kappa_of_fifty_proposals() -> None:
    # Both yes 20, the first alone 5, the second alone 10, both no 15: 0.7 observed, 0.5 by chance.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15

    assert raters.cohen(first, second) == pytest.approx(0.4)
    assert raters.cohen(second, first) == pytest.approx(0.4)


def test_chance_that_brings_full_agreement_has_no_kappa() -> None:
    assert raters.cohen(["yes", "yes"], ["yes", "yes"]) is None
    assert raters.fleiss([["yes", "yes", "yes"]]) is None
    assert raters.cohen([], []) is None


def test_full_agreement_on_different_things_is_one_and_full_disagreement_is_below_nothing() -> None:
    assert raters.cohen(["yes", "no"], ["yes", "no"]) == 1
    assert raters.fleiss([["yes"] * 3, ["no"] * 3]) == pytest.approx(1)
    against = raters.cohen(["yes", "no"], ["no", "yes"])
    assert against is not None
    assert against < 0
    assert raters.size(against) == raters.POOR


def test_pairs_that_agree_are_counted_and_one_person_makes_no_pair() -> None:
    assert raters.agreement([1, 1, 0]) == pytest.approx(1 / 3)
    assert raters.agreement([1, 1]) == 1
    assert raters.agreement([1]) is None


def test_everybody_judges_everything() -> None:
    with pytest.raises(ValueError, match="same two people"):
        raters.fleiss([["yes", "no"], ["yes"]])
    with pytest.raises(ValueError, match="zip"):
        raters.cohen(["yes"], ["yes", "no"])
