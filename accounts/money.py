"""Exact money: amounts of a currency, their parsing and their division. Pure.

Which currencies exist comes from CLDR through Babel; their decimals from ISO 4217 itself, because CLDR gives customary
ones (none for the Iraqi dinar). Inside loops over whole books amounts travel as
integers of a thousandth ("mills"), which hold every currency of up to three decimals exactly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

from babel.core import get_global

#: The most the columns hold: numeric(18,3).
LARGEST = Decimal("999999999999999.999")
#: ISO 4217, minor units other than two.
_NO_DECIMALS = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())  # noqa: SIM905
_THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())  # noqa: SIM905
_PLAIN = re.compile(r"-?[0-9]{1,15}(\.[0-9]+)?")


class UnknownCurrency(ValueError):
    """Not an ISO 4217 code in use."""


class BadAmount(ValueError):
    """Not an amount of that currency; the text says why."""


@cache
def exponent(currency: str) -> int:
    """Decimals of ``currency``: 0 (JPY), 2 (EUR) or 3 (KWD).

    Raises ``UnknownCurrency`` for a code that is not ISO 4217, or is no longer legal tender anywhere.
    """
    if currency not in _legal_tender():
        raise UnknownCurrency(f"{currency!r} is not an ISO 4217 currency in use")
    if currency in _NO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


@cache
def _legal_tender() -> frozenset[str]:
    """Codes that some territory uses today, by CLDR's supplemental data."""
    territories = get_global("territory_currencies")
    return frozenset(
        code
        for uses in territories.values()
        for code, _start, end, tender in uses
        if tender and (end is None or not end)
    )


def parse_amount(text: str, currency: str) -> Decimal:
    """An amount written with a dot and no grouping, such as ``-12.50``.

    Raises ``BadAmount`` when it is none, has more decimals than the currency, or is beyond what is stored;
    ``UnknownCurrency`` for the currency.
    """
    if not _PLAIN.fullmatch(text):
        raise BadAmount("not an amount (digits with a dot as decimal sign)")
    amount = Decimal(text)
    places = exponent(currency)
    if amount != amount.quantize(Decimal(1).scaleb(-places)):
        raise BadAmount(f"more decimals than {currency} has ({places})")
    if abs(amount) > LARGEST:
        raise BadAmount("larger than can be kept")
    return amount


def quantize(amount: Decimal, currency: str) -> Decimal:
    """Rounded half up to the currency's decimals."""
    return amount.quantize(Decimal(1).scaleb(-exponent(currency)), rounding=ROUND_HALF_UP)


def plain(amount: Decimal, currency: str) -> str:
    """As text with exactly the currency's decimals, for files and JSON."""
    return f"{quantize(amount, currency):f}"


def split_evenly(total: Decimal, count: int, currency: str) -> list[Decimal]:
    """``count`` parts that sum to ``total``: each the floor, the last takes the remainder.

    Raises ``BadAmount`` for a negative total (its parts would not be monotonic) or a count below one.
    """
    if total < 0:
        raise BadAmount("only an amount that is owed can be split")
    if count < 1:
        raise BadAmount("at least one part")
    unit = Decimal(1).scaleb(-exponent(currency))
    part = (total / count // unit) * unit
    return [part] * (count - 1) + [total - part * (count - 1)]


def total(amounts: Sequence[Decimal]) -> Decimal:
    """Their sum, a Decimal also when there are none."""
    return sum(amounts, Decimal(0))


def mills(amount: Decimal) -> int:
    """In thousandths; exact, because no column holds more decimals."""
    return int(amount.scaleb(3))


def from_mills(amount: int) -> Decimal:
    """The Decimal of an amount in thousandths."""
    return Decimal(amount).scaleb(-3)
