"""The arithmetic of experiments: who falls in which arm, and how sure a difference is. Pure.

Proportions have Wilson's score interval and, for their difference, Newcombe's hybrid of two of them; means have the
normal approximation of Welch's interval: at thirty accounts it is four hundredths narrower than Student's (1.96 for
2.045), and with fewer nothing is judged.

- E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212.
- R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), 857-872
  (method 3), and "Interval estimation for the difference between independent proportions", the same volume, 873-890
  (method 10).
- B. L. Welch, "The generalization of Student's problem when several different population variances are involved",
  Biometrika 34 (1947), 28-35.
"""

from __future__ import annotations

import hashlib
import math
from enum import StrEnum
from statistics import NormalDist
from typing import NamedTuple

#: How finely accounts are laid out: shares of arms are so many ten-thousandths.
BUCKETS = 10_000
#: Of a result: one interval in twenty misses what it estimates.
CONFIDENCE = 0.95
#: Arms with fewer accounts than this are not judged.
ENOUGH = 30


def bucket(experiment_code: str, account_ref: str) -> int:
    """Where an account falls in an experiment: 0 to 9,999, the same for ever, and independent between experiments.

    The first eight bytes of a SHA-256 over both names; the remainder's bias is below one in 10^15.
    """
    digest = hashlib.sha256(f"{experiment_code}\0{account_ref}".encode()).digest()
    return int.from_bytes(digest[:8]) % BUCKETS


class Interval(NamedTuple):
    """A confidence interval, both ends included."""

    low: float
    high: float

    def turned(self) -> Interval:
        """The interval of the opposite difference."""
        return Interval(-self.high, -self.low)


def wilson(successes: int, n: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval for a proportion, without continuity correction; the whole range where ``n`` is 0."""
    if n <= 0:
        return Interval(0.0, 1.0)
    z = _deviations(confidence)
    share = successes / n
    centre = 2 * successes + z * z
    spread = z * math.sqrt(z * z + 4 * successes * (1 - share))
    below = 2 * (n + z * z)
    # The ends at which nothing is left to estimate are exact: rounding must not exclude them.
    low = 0.0 if successes == 0 else (centre - spread) / below
    high = 1.0 if successes == n else (centre + spread) / below
    return Interval(low, high)


def newcombe(first: int, n_first: int, second: int, n_second: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Newcombe's interval (method 10) for the first proportion less the second."""
    if n_first <= 0 or n_second <= 0:
        return Interval(-1.0, 1.0)
    one, other = first / n_first, second / n_second
    of_one = wilson(first, n_first, confidence=confidence)
    of_other = wilson(second, n_second, confidence=confidence)
    difference = one - other
    return Interval(
        difference - math.hypot(one - of_one.low, of_other.high - other),
        difference + math.hypot(of_one.high - one, other - of_other.low),
    )


class Mean(NamedTuple):
    """A sample of shares: how many, their mean, and their variance (of the sample, over ``n`` - 1)."""

    n: int
    mean: float
    variance: float


def mean_interval(sample: Mean, *, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a mean of shares by the normal approximation, within 0 to 1; the whole range below two."""
    if sample.n < 2:
        return Interval(0.0, 1.0)
    reach = _deviations(confidence) * math.sqrt(sample.variance / sample.n)
    return Interval(max(sample.mean - reach, 0.0), min(sample.mean + reach, 1.0))


def welch(first: Mean, second: Mean, *, confidence: float = CONFIDENCE) -> Interval:
    """Welch's interval for the first mean less the second, of shares; by the normal approximation.

    The arms' variances need not be the same. The whole range where an arm has fewer than two accounts.
    """
    if first.n < 2 or second.n < 2:
        return Interval(-1.0, 1.0)
    reach = _deviations(confidence) * math.sqrt(first.variance / first.n + second.variance / second.n)
    difference = first.mean - second.mean
    return Interval(max(difference - reach, -1.0), min(difference + reach, 1.0))


class Verdict(StrEnum):
    """What a difference to the champion comes to, in words."""

    BETTER = "better"
    WORSE = "worse"
    UNSEEN = "no difference seen"
    TOO_FEW = "too few to say"


def judge(difference: Interval, *, higher_is_better: bool, fewest: int) -> Verdict:
    """The verdict on an arm: only an interval that leaves out nought says anything, and only from ``ENOUGH`` on.

    ``difference`` is the arm less the champion; ``fewest`` the accounts of the smaller of the two.
    """
    if fewest < ENOUGH:
        return Verdict.TOO_FEW
    if difference.low <= 0 <= difference.high:
        return Verdict.UNSEEN
    return Verdict.BETTER if (difference.low > 0) is higher_is_better else Verdict.WORSE


def crosses(difference: Interval, *, higher_is_better: bool, max_worse: float, fewest: int) -> bool:
    """Whether an arm is worse than the champion by more than ``max_worse`` (a share), the whole interval through."""
    worse = difference.turned() if higher_is_better else difference
    return fewest >= ENOUGH and worse.low > max_worse


def _deviations(confidence: float) -> float:
    """Standard deviations on either side of the mean that hold so much of a normal distribution."""
    return NormalDist().inv_cdf((1 + confidence) / 2)
