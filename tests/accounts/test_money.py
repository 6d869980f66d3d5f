"""Amounts of a currency: 0, 2 and 3 decimals, exact in every direction."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import money


@pytest.mark.parametrize(
    ("currency", "places"),
    [("JPY", 0), ("CLP", 0), ("EUR", 2), ("USD", 2), ("INR", 2), ("KWD", 3), ("IQD", 3), ("TND", 3), ("HUF", 2)],
)
def test_decimals_are_those_of_iso_4217(currency: str, places: int) -> None:
    assert money.exponent(currency) == places


@pytest.mark.parametrize("code", ["", "XXX", "ABC", "eur", "DEM", "EURO", "XAU"])
def test_what_is_no_currency_in_use_is_refused(code: str) -> None:
    with pytest.raises(money.UnknownCurrency):
        money.exponent(code)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("0", "EUR", "0"),
        ("12.5", "EUR", "12.5"),
        ("-12.50", "EUR", "-12.50"),
        ("12.500", "EUR", "12.5"),
        ("1000", "JPY", "1000"),
        ("1000.0", "JPY", "1000"),
        ("0.001", "KWD", "0.001"),
        ("999999999999999.99", "EUR", "999999999999999.99"),
    ],
)
def test_an_amount_is_read_exactly(text: str, currency: str, amount: str) -> None:
    assert money.parse_amount(text, currency) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("", "EUR"),
        ("1,5", "EUR"),
        ("1.", "EUR"),
        (".5", "EUR"),
        ("1 000", "EUR"),
        ("+1", "EUR"),
        ("1e3", "EUR"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("12.505", "EUR"),
        ("0.1", "JPY"),
        ("0.0001", "KWD"),
        ("1000000000000000", "EUR"),
        ("1\n", "EUR"),
    ],
)
def test_what_is_no_amount_of_the_currency_is_refused(text: str, currency: str) -> None:
    with pytest.raises(money.BadAmount):
        money.parse_amount(text, currency)


def test_digits_of_other_scripts_are_no_amount() -> None:
    with pytest.raises(money.BadAmount):
        money.parse_amount("١٢", "EUR")


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [("1.005", "EUR", "1.01"), ("-1.005", "EUR", "-1.01"), ("0.5", "JPY", "1"), ("2", "KWD", "2.000")],
)
def test_rounding_is_half_up_and_text_has_all_decimals(amount: str, currency: str, text: str) -> None:
    assert money.plain(Decimal(amount), currency) == text


def test_the_last_part_takes_the_remainder() -> None:
    assert money.split_evenly(Decimal("100.00"), 3, "EUR") == [Decimal("33.33"), Decimal("33.33"), Decimal("33.34")]
    assert money.split_evenly(Decimal(2), 3, "JPY") == [Decimal(0), Decimal(0), Decimal(2)]
    assert money.split_evenly(Decimal("0.002"), 2, "KWD") == [Decimal("0.001"), Decimal("0.001")]


@pytest.mark.parametrize(("total", "count"), [(Decimal("-1"), 2), (Decimal(1), 0), (Decimal(1), -1)])
def test_what_is_not_owed_or_has_no_parts_is_not_split(total: Decimal, count: int) -> None:
    with pytest.raises(money.BadAmount):
        money.split_evenly(total, count, "EUR")


@given(
    st.sampled_from(["JPY", "EUR", "KWD"]),
    st.integers(min_value=0, max_value=10**15),
    st.integers(min_value=1, max_value=400),
)
def test_parts_sum_to_the_whole_in_whole_units(currency: str, units: int, count: int) -> None:
    total = Decimal(units).scaleb(-money.exponent(currency))
    parts = money.split_evenly(total, count, currency)
    assert sum(parts) == total
    assert len(parts) == count
    assert all(part == money.quantize(part, currency) and part >= 0 for part in parts)
    assert len(set(parts[:-1])) <= 1
    assert parts[-1] >= parts[0]


@given(st.decimals(min_value=-money.LARGEST, max_value=money.LARGEST, places=3))
def test_thousandths_hold_every_amount_exactly(amount: Decimal) -> None:
    assert money.from_mills(money.mills(amount)) == amount


@given(st.sampled_from(["JPY", "EUR", "KWD"]), st.integers(min_value=1 - 10**15, max_value=10**15 - 1))
def test_what_was_written_is_read_back(currency: str, units: int) -> None:
    amount = Decimal(units).scaleb(-money.exponent(currency))
    assert money.parse_amount(money.plain(amount, currency), currency) == amount
