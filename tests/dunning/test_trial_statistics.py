"""The arithmetic of experiments, against published numbers and against chance."""

from __future__ import annotations

import random
from collections import Counter
from statistics import mean, variance

import pytest

from dunning.trial_statistics import (
    BUCKETS,
    Interval,
    Mean,
    Verdict,
    bucket,
    crosses,
    judge,
    mean_interval,
    newcombe,
    welch,
    wilson,
)

REFS = [f"A{number}" for number in range(20_000)]


def binomial(chance: random.Random, n: int, share: float) -> int:
    return sum(chance.random() < share for _ in range(n))


def sample(values: list[float]) -> Mean:
    return Mean(len(values), mean(values), variance(values))


class TestWhereAnAccountFalls:
    def test_it_is_the_same_in_every_process_and_every_year(self) -> None:
        assert [bucket("spring", ref) for ref in ("A1", "A2", "Zürich-7")] == [32, 2323, 7604]

    def test_buckets_are_filled_evenly(self) -> None:
        tenths = Counter(bucket("spring", ref) * 10 // BUCKETS for ref in REFS)
        assert sorted(tenths) == list(range(10))
        # Chi-squared with nine degrees of freedom: 27.9 is exceeded once in a thousand.
        assert sum((count - 2_000) ** 2 / 2_000 for count in tenths.values()) < 27.9

    def test_two_experiments_divide_the_same_accounts_independently(self) -> None:
        both = Counter((bucket("spring", ref) < 5_000, bucket("summer", ref) < 5_000) for ref in REFS)
        assert sum((count - 5_000) ** 2 / 5_000 for count in both.values()) < 16.3  # three degrees of freedom


class TestPublishedNumbers:
    @pytest.mark.parametrize(
        ("successes", "n", "low", "high"),
        [
            # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3.
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ],
    )
    def test_wilson(self, successes: int, n: int, low: float, high: float) -> None:
        assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)

    @pytest.mark.parametrize(
        ("first", "second", "low", "high"),
        [
            # Newcombe 1998, Statistics in Medicine 17, 873-890, table II, method 10.
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((6, 7), (2, 7), 0.0582, 0.8062),
            ((5, 56), (0, 29), -0.0381, 0.1926),
            ((0, 10), (0, 20), -0.1611, 0.2775),
            ((0, 10), (0, 10), -0.2775, 0.2775),
            ((10, 10), (0, 20), 0.6791, 1.0),
            ((10, 10), (0, 10), 0.6075, 1.0),
        ],
    )
    def test_newcombe(self, first: tuple[int, int], second: tuple[int, int], low: float, high: float) -> None:
        assert newcombe(*first, *second) == pytest.approx((low, high), abs=5e-5)

    def test_the_difference_turned_round_is_the_interval_turned_round(self) -> None:
        assert newcombe(48, 80, 56, 70) == pytest.approx(newcombe(56, 70, 48, 80).turned())

    def test_welch_in_figures_anybody_can_follow(self) -> None:
        # 0.6 - 0.5, standard error sqrt(0.04/100 + 0.09/100) = 0.036056, times 1.959964.
        assert welch(Mean(100, 0.6, 0.04), Mean(100, 0.5, 0.09)) == pytest.approx((0.029333, 0.170667), abs=1e-6)
        assert mean_interval(Mean(100, 0.6, 0.04)) == pytest.approx((0.560801, 0.639199), abs=1e-6)


class TestNothingToGoOn:
    def test_no_accounts_exclude_nothing(self) -> None:
        assert wilson(0, 0) == (0, 1)
        assert newcombe(0, 0, 3, 10) == (-1, 1)
        assert mean_interval(Mean(1, 0.4, 0.0)) == (0, 1)
        assert welch(Mean(1, 0.4, 0.0), Mean(90, 0.4, 0.1)) == (-1, 1)

    def test_a_share_stays_a_share(self) -> None:
        assert mean_interval(Mean(40, 0.01, 0.09)).low == 0
        assert wilson(0, 50).low == 0
        assert wilson(50, 50).high == 1


class TestCoverage:
    """An interval of 95 % holds the truth about 95 times in a hundred.

    1,500 seeded trials, whose own error is one in a hundred; counts are whole, which alone moves a score interval of
    small arms by one or two in a hundred more.
    """

    TRIALS = 1_500

    @pytest.mark.parametrize(("one", "other", "n", "m"), [(0.3, 0.3, 60, 60), (0.05, 0.1, 200, 90), (0.9, 0.7, 40, 80)])
    def test_of_proportions(self, one: float, other: float, n: int, m: int) -> None:
        chance = random.Random(9)
        held = held_difference = 0
        for _ in range(self.TRIALS):
            first, second = binomial(chance, n, one), binomial(chance, m, other)
            held += wilson(first, n).low <= one <= wilson(first, n).high
            interval = newcombe(first, n, second, m)
            held_difference += interval.low <= one - other <= interval.high
        assert 0.92 < held / self.TRIALS < 0.98
        assert 0.92 < held_difference / self.TRIALS < 0.98

    def test_of_shares_collected_which_are_mostly_all_or_nothing(self) -> None:
        chance = random.Random(10)

        def collected(all_of_it: float, count: int) -> Mean:
            paid = [chance.random() for _ in range(count)]
            return sample([1.0 if share < all_of_it else 0.5 if share > 0.9 else 0.0 for share in paid])

        truth = (0.4 + 0.05) - (0.3 + 0.05)
        held = 0
        for _ in range(self.TRIALS):
            interval = welch(collected(0.4, 120), collected(0.3, 60))
            held += interval.low <= truth <= interval.high
        assert 0.92 < held / self.TRIALS < 0.97


class TestVerdicts:
    @pytest.mark.parametrize(
        ("low", "high", "higher_is_better", "verdict"),
        [
            (0.01, 0.05, True, Verdict.BETTER),
            (0.01, 0.05, False, Verdict.WORSE),
            (-0.05, -0.01, True, Verdict.WORSE),
            (-0.05, -0.01, False, Verdict.BETTER),
            (-0.01, 0.05, True, Verdict.UNSEEN),
            (0.0, 0.05, True, Verdict.UNSEEN),
        ],
    )
    def test_only_an_interval_without_nought_says_anything(
        self, low: float, high: float, higher_is_better: bool, verdict: Verdict
    ) -> None:
        assert judge(Interval(low, high), higher_is_better=higher_is_better, fewest=30) == verdict

    def test_twenty_nine_accounts_say_nothing(self) -> None:
        assert judge(Interval(0.5, 0.9), higher_is_better=True, fewest=29) == Verdict.TOO_FEW

    def test_a_guard_rail_is_crossed_by_the_whole_interval(self) -> None:
        worse = Interval(0.04, 0.09)
        assert crosses(worse, higher_is_better=False, max_worse=0.03, fewest=30)
        assert not crosses(worse, higher_is_better=False, max_worse=0.05, fewest=30)
        assert not crosses(worse, higher_is_better=False, max_worse=0.03, fewest=29)
        assert not crosses(worse, higher_is_better=True, max_worse=0.0, fewest=30)
        assert crosses(worse.turned(), higher_is_better=True, max_worse=0.03, fewest=30)

    def test_sixty_looks_rarely_stop_an_arm_that_is_no_worse(self) -> None:
        chance = random.Random(11)

        def stopped() -> bool:
            arm = champion = n = 0
            for _day in range(60):
                n += 20
                arm += binomial(chance, 20, 0.1)
                champion += binomial(chance, 20, 0.1)
                seen = newcombe(arm, n, champion, n, confidence=0.99)
                if crosses(seen, higher_is_better=False, max_worse=0.0, fewest=n):
                    return True
            return False

        assert sum(stopped() for _ in range(400)) / 400 < 0.08
