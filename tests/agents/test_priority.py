from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from agents.priority import ScoreFacts, score

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

    assert best[0].text == "Callback agreed for 14:30 on 10 March: 100 points"
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
