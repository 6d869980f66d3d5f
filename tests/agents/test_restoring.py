from __future__ import annotations

from decimal import Decimal
from typing import Any

from agents.restoring import Least, least


def asked(**more: Any) -> Least | None:
    return least(**{"past_due": Decimal(100), "contested": Decimal(0), "exit_amount": Decimal(0), "limited": 0, **more})


def test_what_ends_the_case_is_what_is_past_due_less_what_may_stay() -> None:
    assert asked(exit_amount=Decimal(5)) == Least(Decimal(95), "ends the case")
    assert asked(limited=2) == Least(Decimal(100), "ends the case and restores service")


def test_nothing_is_needed_where_no_more_is_past_due_than_may_stay() -> None:
    assert asked(past_due=Decimal(5), exit_amount=Decimal(5)) is None


def test_a_promise_or_the_first_instalment_restores_service_for_less() -> None:
    assert asked(limited=1, promised=Decimal(40)) == Least(Decimal(40), "keeps the promise and restores service")
    assert asked(limited=1, promised=Decimal(40), instalments_left=[Decimal(25), Decimal(75)]) == Least(
        Decimal(25), "is the first instalment and restores service"
    )


def test_they_are_no_shortcut_where_nothing_is_limited_or_one_was_kept_already() -> None:
    assert asked(promised=Decimal(40)) == Least(Decimal(100), "ends the case")
    assert asked(limited=1, instalments_left=[Decimal(25)], none_kept=False) == Least(
        Decimal(100), "ends the case and restores service"
    )


def test_what_is_contested_is_said() -> None:
    found = asked(contested=Decimal(30))
    assert found is not None
    assert found.contested == Decimal(30)
