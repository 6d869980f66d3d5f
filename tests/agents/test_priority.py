from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.chances import Chance
from agents.priority import WEIGHED, WEIGHS_MOST, Part, ScoreFacts, score

TODAY = date(2026, 3, 10)
FACTS = ScoreFacts(amount_overdue=Decimal("240.00"), currency="EUR", days_past_due=45, last_contact_on=date(2026, 3, 8))


def test_every_point_is_explained_in_words() -> None:
    parts = score(replace(FACTS, broken_promises=1, vulnerable=True), as_of=TODAY)

    assert [part.text for part in parts] == [
        "EUR 240.00 overdue: 35 points",
        "45 days past due: 15 points",
        "1 broken promise: 10 points",
        "Vulnerable: to be spoken to before service suffers: 10 points",
        "2 days since the last contact: 2 points",
    ]


def test_an_agreed_callback_outranks_everything() -> None:
    worst = ScoreFacts(Decimal(10**9), "EUR", 900, broken_promises=9, vulnerable=True)
    callback = replace(FACTS, callback_at=datetime(2026, 3, 10, 14, 30, tzinfo=UTC))

    best = score(callback, as_of=TODAY)

    assert best[0].text == "Callback agreed for 14:30 on 10 March: 2000 points"
    assert sum(part.points for part in best) > sum(part.points for part in score(worst, as_of=TODAY))


def test_a_book_in_yen_does_not_outrank_one_in_euro() -> None:
    yen = replace(FACTS, amount_overdue=Decimal("24000"), currency="JPY")

    parts = {part.name: part for part in score(yen, as_of=TODAY)}

    assert parts["amount"].points < 35
    assert parts["amount"].text.startswith("JPY 24000 overdue")


def test_nothing_owed_and_just_spoken_to_is_worth_nothing() -> None:
    assert score(ScoreFacts(Decimal(0), "EUR", 0, last_contact_on=TODAY), as_of=TODAY) == []


@given(st.decimals(min_value=0, max_value=10**9, places=2), st.integers(min_value=0, max_value=5000))
def test_more_owed_for_longer_never_scores_less(amount: Decimal, days: int) -> None:
    facts = replace(FACTS, amount_overdue=amount, days_past_due=days)
    more = replace(facts, amount_overdue=amount * 2, days_past_due=days + 10)

    assert _sum(more) >= _sum(facts)


def _sum(facts: ScoreFacts) -> int:
    return sum(part.points for part in score(facts, as_of=TODAY))


WEIGHTY = replace(
    FACTS,
    broken_promises=3,
    chance=Chance(0.34, 412, 140),
    monthly_fee=Decimal("45.00"),
    customer_since=date(2018, 3, 1),
    vulnerable=True,
)


def by_name(facts: ScoreFacts, **order: Any) -> dict[str, Part]:
    return {part.name: part for part in score(facts, as_of=TODAY, **order)}


def test_the_chance_of_a_call_and_the_value_of_the_customer_say_what_they_rest_on() -> None:
    parts = by_name(WEIGHTY)

    assert parts["chance"].text == "34 % of such calls bring money or a promise (140 of 412): 17 points"
    assert parts["value"].text == "EUR 45.00 a month, a customer for 8 years: 17 points"


def test_no_service_and_no_calls_counted_are_worth_nothing() -> None:
    assert not {"chance", "value"} & by_name(FACTS).keys()


def test_a_part_weighs_what_its_team_says_and_says_so() -> None:
    parts = by_name(WEIGHTY, weights={"amount": 50, "broken_promises": 200, "value": 0})

    assert parts["amount"].text == "EUR 240.00 overdue, weighs 50 %: 18 points"
    assert parts["broken_promises"].points == 40
    assert "value" not in parts
    assert parts["age"] == by_name(WEIGHTY)["age"]


ON_TOP = {
    "crisis": replace(FACTS, crisis=True),
    "callback": replace(FACTS, callback_at=datetime(2026, 3, 10, 14, 30, tzinfo=UTC)),
    "pinned": replace(FACTS, pinned_by="sam", pinned_because="the press asks"),
}
LARGEST_THERE_IS = replace(
    WEIGHTY,
    amount_overdue=Decimal(10**12),
    days_past_due=9_000,
    monthly_fee=Decimal(10**9),
    last_contact_on=None,
    waiting_since=datetime(2001, 1, 1, tzinfo=UTC),
)


@pytest.mark.parametrize("first", ["score", "largest", "oldest", "waiting"])
def test_a_crisis_a_callback_and_what_is_pinned_come_first_in_every_order(first: str) -> None:
    heavy = dict.fromkeys(WEIGHED, WEIGHS_MOST)
    crisis, callback, pinned, rest = (
        sum(part.points for part in score(facts, as_of=TODAY, weights=heavy, first=first))
        for facts in (*ON_TOP.values(), LARGEST_THERE_IS)
    )

    assert crisis > callback > pinned > rest > 0
    assert crisis < 2**31, "the column's"


def test_what_is_pinned_says_by_whom_and_why() -> None:
    assert by_name(ON_TOP["pinned"])["pinned"].text == "Put on top by sam: the press asks: 1000 points"


def test_an_order_by_one_figure_counts_nothing_else() -> None:
    waiting = replace(WEIGHTY, waiting_since=datetime(2026, 3, 9, 12, tzinfo=UTC))

    assert [part.text for part in score(waiting, as_of=TODAY, first="largest")] == ["EUR 240.00 overdue: 240 points"]
    assert [part.text for part in score(waiting, as_of=TODAY, first="oldest")] == ["45 days past due: 45 points"]
    assert [part.text for part in score(waiting, as_of=TODAY, first="waiting")] == [
        "Waiting since 9 March, 12:00: 36 points"
    ]


def test_there_is_no_other_order() -> None:
    with pytest.raises(ValueError, match="no order newest"):
        score(FACTS, as_of=TODAY, first="newest")


@given(
    st.dictionaries(st.sampled_from(sorted(WEIGHED)), st.integers(min_value=0, max_value=WEIGHS_MOST)),
    st.sampled_from(sorted(WEIGHED)),
)
def test_weighing_a_part_more_never_costs_a_point(weights: dict[str, int], part: str) -> None:
    more = weights | {part: WEIGHS_MOST}

    assert _total(more) >= _total(weights)


def _total(weights: dict[str, int]) -> int:
    return sum(part.points for part in score(WEIGHTY, as_of=TODAY, weights=weights))
