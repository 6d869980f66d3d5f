"""One sending on several channels is one warning."""

from __future__ import annotations

from datetime import date

import pytest

from dunning.policy import WarningFact
from dunning.reading import _together

MADE = date(2026, 3, 1)


def on_channel(
    delivered: int | None = None, pay_by: int | None = None, *, on_its_way: bool = False, bill: str = "B1"
) -> WarningFact:
    return WarningFact(
        MADE,
        on_its_way=on_its_way,
        delivered_on=None if delivered is None else MADE.replace(day=delivered),
        pay_by=None if pay_by is None else MADE.replace(day=pay_by),
        bill_refs=frozenset({bill}),
    )


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        # The first that reached the customer starts the notice days, the last date named is the one kept.
        (on_channel(2, 9), on_channel(5, 12), on_channel(2, 12)),
        (on_channel(2, 9), on_channel(), on_channel(2, 9)),
        (on_channel(2, 9), on_channel(pay_by=12, on_its_way=True), on_channel(2, 12)),
        # A channel that bounced does not hide one that is on its way.
        (on_channel(pay_by=9, on_its_way=True), on_channel(pay_by=12), on_channel(pay_by=9, on_its_way=True)),
        (on_channel(pay_by=9), on_channel(pay_by=12), on_channel()),
    ],
)
def test_channels_of_one_sending_count_together_in_either_order(
    one: WarningFact, other: WarningFact, together: WarningFact
) -> None:
    assert _together(one, other) == together
    assert _together(other, one) == together


def test_the_bills_are_those_that_somebody_was_told_of() -> None:
    assert _together(on_channel(2, bill="B1"), on_channel(3, bill="B2")).bill_refs == {"B1", "B2"}
    assert _together(on_channel(2, bill="B1"), on_channel(on_its_way=True, bill="B2")).bill_refs == {"B1"}
