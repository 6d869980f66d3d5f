"""How far people agree who judge the same things, beyond what chance would bring.

Two of them: Cohen's kappa (J. Cohen, A coefficient of agreement for nominal scales, Educational and Psychological
Measurement 20, 1960, 37-46). More of them: Fleiss' kappa (J. L. Fleiss, Measuring nominal scale agreement among many
raters, Psychological Bulletin 76, 1971, 378-382). Words for its size: J. R. Landis and G. G. Koch, The measurement of
observer agreement for categorical data, Biometrics 33, 1977, 159-174.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

#: From each value on, what Landis and Koch call it.
SIZES = ((0.81, "almost perfect"), (0.61, "substantial"), (0.41, "moderate"), (0.21, "fair"), (0.0, "slight"))
POOR = "poor"


def agreement(answers: Sequence[Hashable]) -> float | None:
    """Of all pairs of people, the share that gave the same answer to one question; none for fewer than two."""
    people = len(answers)
    if people < 2:
        return None
    same = sum(count * (count - 1) for count in Counter(answers).values())
    return same / (people * (people - 1))


def cohen(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Two people's kappa over the same things, in their order; none where chance alone brings full agreement.

    Raises ``ValueError`` where they did not judge the same number of things.
    """
    both = list(zip(first, second, strict=True))
    if not both:
        return None
    things = len(both)
    observed = sum(one == other for one, other in both) / things
    theirs, others = Counter(first), Counter(second)
    expected = sum(count * others[answer] for answer, count in theirs.items()) / things**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def fleiss(things: Sequence[Sequence[Hashable]]) -> float | None:
    """Kappa of several people: for each thing, one answer of each; none where chance alone brings full agreement.

    Raises ``ValueError`` where not everybody judged everything, or one person alone did.
    """
    if not things:
        return None
    people = len(things[0])
    if people < 2 or any(len(answers) != people for answers in things):
        raise ValueError("Every thing is judged by the same two people or more.")
    observed = sum(agreement(answers) or 0.0 for answers in things) / len(things)
    counts = Counter(answer for answers in things for answer in answers)
    expected = sum((count / (people * len(things))) ** 2 for count in counts.values())
    return None if len(counts) == 1 else (observed - expected) / (1 - expected)


def size(kappa: float) -> str:
    """A kappa, to two decimals, in words, as Landis and Koch have them."""
    return next((words for least, words in SIZES if round(kappa, 2) >= least), POOR)
