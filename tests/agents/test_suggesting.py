"""What to do next: every act's worth with its reasons, one on top, and nobody in need is pressed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import suggesting
from agents.chances import Chance
from agents.suggesting import (
    ACTS,
    ALL,
    CALL_LATER,
    CALL_NOW,
    CURE,
    DISPUTE,
    EXTENSION,
    GENTLE,
    GIVE_UP,
    HARDSHIP,
    INSTALMENTS,
    LETTER,
    LINK,
    PLAN,
    PROMISE,
    SETTLEMENT,
    SPECIALIST,
    WAIT,
    Candidate,
    Facts,
    Share,
)  # fmt: skip

TODAY = date(2026, 3, 10)
NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)

#: Six weeks past due, may be called, owes three months' fees.
USUAL = Facts(
    as_of=TODAY, at=NOW, currency="EUR", overdue=Decimal("120.00"), days_past_due=42, bucket="31-60",
    monthly_fee=Decimal("40.00"), may_call=True, phones=1, channels=frozenset({"sms", "email"}),
    chance=Chance(0.4, 100, 40), hour_now=10, costs={CALL_NOW: Decimal("2.50"), "sms": Decimal("0.05")},
)  # fmt: skip


def acts(facts: Facts) -> list[str]:
    return [candidate.action for candidate in suggesting.candidates(facts)]


def worth(facts: Facts, action: str) -> Candidate:
    return next(candidate for candidate in suggesting.candidates(facts) if candidate.action == action)


def test_the_expected_value_is_the_chance_times_the_amount_less_the_cost_and_its_reasons_sum_to_it() -> None:
    call = worth(
        replace(USUAL, effects={(PROMISE, "none"): Share(1980, 990), (CURE, "31-60"): Share(980, 197)}), CALL_NOW
    )
    assert [(reason.name, reason.value) for reason in call.reasons] == [
        ("chance", Decimal("48.00")),
        ("kept", Decimal("-24.00")),
        ("cure", Decimal("14.40")),
        ("cost", Decimal("-2.50")),
    ]
    assert call.expected == Decimal("35.90")
    assert call.reasons[0].text == "40 % of such calls bring money or a promise (40 of 100)"


def test_a_young_debt_that_mends_itself_is_left_alone() -> None:
    young = replace(USUAL, overdue=Decimal("20.00"), days_past_due=6, bucket="1-30", chance=Chance(0.2, 50, 10))
    first = suggesting.suggest(replace(young, effects={(CURE, "1-30"): Share(1000, 700)}, channels=frozenset()))
    assert first.action == WAIT
    assert (
        "69 % of accounts 1-30 days past due pay within a fortnight by themselves (700 of 1000)"
        in first.reasons[0].text
    )


def test_counted_history_outweighs_the_first_guess() -> None:
    kept = {(PLAN, ALL): Share(500, 450), (PROMISE, "broken"): Share(500, 50)}
    broke_twice = replace(USUAL, promises_broken=2, effects=kept)
    assert suggesting.suggest(broke_twice).action == INSTALMENTS
    said = suggesting.suggest(broke_twice)
    assert said.says == "2 monthly instalments of EUR 60.00, the first on 17 March."
    assert said.terms == {"count": 2, "first_on": date(2026, 3, 17), "every": "month"}


def test_a_better_hour_is_worth_waiting_for() -> None:
    evening = replace(
        USUAL, best_hour=18, best_rate=0.6, rate_now=0.2, best_why="3 of 4 calls around 18:00 were answered"
    )
    later = suggesting.suggest(evening)
    assert (later.action, later.terms["not_before"].hour) == (CALL_LATER, 18)
    assert worth(evening, CALL_LATER).expected > worth(evening, CALL_NOW).expected
    assert CALL_LATER not in acts(replace(evening, best_hour=9)), "that hour is over today"


def test_where_the_gate_says_not_now_it_says_when() -> None:
    tomorrow = NOW + timedelta(days=1)
    held = replace(
        USUAL, may_call=False, call_from=tomorrow, call_because="Seven calls in seven days", channels=frozenset()
    )
    assert CALL_NOW not in acts(held)
    assert worth(held, CALL_LATER).terms == {"not_before": tomorrow}


def test_on_the_line_what_can_be_agreed_is_suggested_and_no_call() -> None:
    line = replace(USUAL, on_the_line=True)
    assert {CALL_NOW, CALL_LATER, LINK, LETTER, GIVE_UP}.isdisjoint(acts(line))
    assert acts(line)[0] in (PROMISE, INSTALMENTS)
    assert worth(line, PROMISE).terms == {"amount": Decimal("120.00"), "due_on": date(2026, 3, 17)}


def test_a_sum_of_many_months_is_worth_less_at_once_than_in_parts() -> None:
    line = replace(USUAL, on_the_line=True, overdue=Decimal("480.00"))
    assert acts(line)[0] == INSTALMENTS
    assert "burden" in [reason.name for reason in worth(line, PROMISE).reasons]
    assert worth(line, INSTALMENTS).terms["count"] == 6


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        ({"promise": (Decimal(50), TODAY + timedelta(days=3))}, "They promised EUR 50.00 by 13 March"),
        ({"next_instalment": (Decimal(50), TODAY + timedelta(days=9))}, "Their plan runs: EUR 50.00 is due 19 March"),
        ({"extended_until": TODAY + timedelta(days=5)}, "They have time to pay until 15 March"),
        ({"in_flight_until": TODAY + timedelta(days=5)}, "A payment is on its way"),
        ({"untouchable": "Bankruptcy"}, "Bankruptcy: nothing may be asked of them."),
        ({"is_placed": True}, "Somebody else collects this."),
        ({"overdue": Decimal(0)}, "Nothing is past due."),
    ],
)
def test_what_is_agreed_or_forbidden_is_left_alone(standing: dict[str, object], said: str) -> None:
    [only] = suggesting.candidates(replace(USUAL, **standing))
    assert only.action == WAIT
    assert said in only.reasons[0].text


def test_what_has_passed_its_day_and_is_not_judged_yet_is_looked_at_tomorrow() -> None:
    late = suggesting.suggest(replace(USUAL, promise=(Decimal(50), TODAY - timedelta(days=2))))
    assert late.terms == {"until": TODAY + timedelta(days=1)}


def test_somebody_in_danger_comes_before_everything() -> None:
    assert acts(replace(USUAL, crisis=True, promise=(Decimal(1), TODAY), untouchable="Bankruptcy")) == [SPECIALIST]


def test_who_is_spoken_for_is_not_called() -> None:
    assert acts(replace(USUAL, represented=True)) == [SPECIALIST]


@pytest.mark.parametrize(("care", "first"), [({"high"}, HARDSHIP), ({"medium"}, HARDSHIP)])
def test_who_needs_support_is_offered_help_and_nothing_else(care: set[str], first: str) -> None:
    found = acts(replace(USUAL, care=frozenset(care), days_past_due=200, may_let_go=Decimal(10)))
    assert found[0] == first
    assert set(found) <= {SPECIALIST, HARDSHIP, DISPUTE}


def test_a_dispute_near_its_clock_is_looked_into() -> None:
    contested = replace(USUAL, overdue=Decimal(0), disputed=Decimal("80.00"), decide_by=TODAY + timedelta(days=2))
    assert suggesting.suggest(contested).action == DISPUTE


def test_who_does_not_answer_gets_a_letter() -> None:
    silent = replace(
        USUAL, unanswered=9, channels=frozenset({"letter"}), effects={("message", "letter"): Share(1000, 200)}
    )
    assert suggesting.suggest(silent).action == LETTER


def test_an_old_debt_that_nobody_answers_for_is_given_up_or_settled() -> None:
    old = replace(
        USUAL, days_past_due=400, bucket="120+", chance=Chance(0.01, 5000, 50), may_let_go=Decimal(10), unanswered=3,
        channels=frozenset(),
    )  # fmt: skip
    assert suggesting.suggest(old).action == GIVE_UP
    asked = replace(old, on_the_line=True, effects={(SETTLEMENT, ALL): Share(100, 95)})
    offer = worth(asked, SETTLEMENT)
    assert (offer.terms["amount"], offer.terms["pay_by"]) == (Decimal("108.00"), date(2026, 3, 24))


def test_of_two_worth_the_same_the_one_that_harms_less_comes_first() -> None:
    nothing = replace(
        USUAL, may_call=False, phones=0, channels=frozenset(), overdue=Decimal("0.00"), disputed=Decimal("0.02")
    )
    found = suggesting.candidates(nothing)
    ties = [one.action for one in found if one.expected == found[0].expected]
    assert ties == sorted(ties, key=ACTS.index)


amounts = st.decimals(Decimal("0.00"), Decimal("5000"), places=2)


@given(
    overdue=amounts, disputed=amounts, days=st.integers(0, 700), fee=amounts, may_call=st.booleans(),
    phones=st.integers(0, 3), on_the_line=st.booleans(), kept=st.integers(0, 5), broken=st.integers(0, 5),
    unanswered=st.integers(0, 12), care=st.frozensets(st.sampled_from(["low", "medium", "high"]), max_size=2),
    in_hardship=st.booleans(), let_go=st.sampled_from([Decimal(0), Decimal(10), Decimal(50)]),
    rate=st.none() | st.floats(0, 1), channels=st.frozensets(st.sampled_from(["sms", "email", "letter"])),
)  # fmt: skip
def test_there_is_always_exactly_one_on_top_and_care_is_never_pressed(
    overdue, disputed, days, fee, may_call, phones, on_the_line, kept, broken, unanswered, care, in_hardship, let_go,
    rate, channels,
) -> None:  # fmt: skip
    facts = replace(
        USUAL, overdue=overdue, disputed=disputed, days_past_due=days, monthly_fee=fee, may_call=may_call,
        phones=phones, on_the_line=on_the_line, promises_kept=kept, promises_broken=broken, unanswered=unanswered,
        care=care, in_hardship=in_hardship, may_let_go=let_go, channels=channels,
        chance=None if rate is None else Chance(rate, 10, round(rate * 10)),
    )  # fmt: skip
    found = suggesting.candidates(facts)
    assert found == suggesting.candidates(facts)
    assert len({candidate.action for candidate in found}) == len(found) > 0
    for candidate in found:
        assert candidate.expected == sum(reason.value for reason in candidate.reasons)
        assert all(reason.text for reason in candidate.reasons)
    if care or in_hardship:
        assert {candidate.action for candidate in found} <= GENTLE
    assert EXTENSION not in [candidate.action for candidate in found if broken]
