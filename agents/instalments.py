"""Splitting a debt over dates, and what has been paid into the parts. Pure: no rows, no clock.

Months are counted from the anchor date, so 31 January is followed by 28 February and 31 March, never by 28 March.
Amounts are multiples of the currency's smallest unit and always sum to the debt.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, get_args

from accounts import money
from accounts.refusals import Refused

Every = Literal["week", "fortnight", "four_weeks", "month"]

#: Nobody agrees on more; a slip of the keyboard does not make ten thousand rows.
MOST = 120


class CannotQuote(Refused):
    """These terms do not make a plan; the text says what to change."""

    code = "invalid"


@dataclass(frozen=True, slots=True)
class Instalment:
    due_on: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Filled:
    """How much of an instalment is paid, and the day that completed it."""

    paid: Decimal
    paid_on: date | None


def quote(
    *,
    total: Decimal,
    count: int | None = None,
    amount: Decimal | None = None,
    first_on: date,
    every: str,
    down_payment: Decimal | None = None,
    currency: str,
) -> list[Instalment]:
    """Split ``total`` into ``count`` instalments, or into instalments of ``amount`` until nothing is left.

    With a ``down_payment`` that is the first row, due on ``first_on``, and the instalments follow, the first of them
    one period later. The last instalment takes what division leaves over (``count``) or is the smaller rest
    (``amount``).

    Raises ``CannotQuote``.
    """
    if every not in get_args(Every):
        raise CannotQuote("Instalments fall due every week, fortnight, four weeks or month.")
    if total <= 0:
        raise CannotQuote("There is nothing to pay in instalments.")
    if (count is None) == (amount is None):
        raise CannotQuote("Give either the number of instalments or the amount of each.")
    amounts: list[Decimal] = []
    rest = total
    if down_payment is not None:
        _check_amount(down_payment, currency, "down payment")
        if down_payment >= total:
            raise CannotQuote(f"The down payment must be less than what is owed ({money.plain(total, currency)}).")
        amounts.append(down_payment)
        rest -= down_payment
    if count is not None:
        amounts += _by_count(rest, count, currency)
    elif amount is not None:
        amounts += _by_amount(rest, amount, currency)
    return [Instalment(due(first_on, every, position), each) for position, each in enumerate(amounts)]


def due(anchor: date, every: str, position: int) -> date:
    """The ``position``-th date (0 is the anchor itself); a month without that day uses its last."""
    if every == "week":
        return anchor + timedelta(weeks=position)
    if every == "fortnight":
        return anchor + timedelta(weeks=2 * position)
    if every == "four_weeks":
        return anchor + timedelta(weeks=4 * position)
    years, month = divmod(anchor.month - 1 + position, 12)
    year, month = anchor.year + years, month + 1
    return date(year, month, min(anchor.day, calendar.monthrange(year, month)[1]))


def fill(*, amounts: Sequence[Decimal], payments: Iterable[tuple[date, Decimal]]) -> list[Filled]:
    """Pour payments, in the order of their dates, into the instalments, first in first out.

    Money that went back (a negative payment) leaves the last one filled first; an instalment is complete from the day
    after which it was never less than full again.
    """
    received: list[tuple[date, Decimal]] = []
    for on, paid in sorted(payments):
        if paid < 0:
            _take_back(received, -paid)
        else:
            received.append((on, paid))
    received.reverse()  # the oldest last, to be taken from the end
    filled: list[Filled] = []
    for amount in amounts:
        missing = amount
        done_on: date | None = None
        while missing and received:
            done_on, left = received.pop()
            part = min(missing, left)
            missing -= part
            if left > part:
                received.append((done_on, left - part))
        filled.append(Filled(amount - missing, None if missing else done_on))
    return filled


def _take_back(received: list[tuple[date, Decimal]], amount: Decimal) -> None:
    while amount > 0 and received:
        on, paid = received.pop()
        if paid > amount:
            received.append((on, paid - amount))
        amount -= paid


def _by_count(rest: Decimal, count: int, currency: str) -> list[Decimal]:
    if not 1 <= count <= MOST:
        raise CannotQuote(f"Between 1 and {MOST} instalments.")
    amounts = money.split_evenly(rest, count, currency)
    if not amounts[0]:
        raise CannotQuote(f"{money.plain(rest, currency)} is too little for {count} instalments.")
    return amounts


def _by_amount(rest: Decimal, amount: Decimal, currency: str) -> list[Decimal]:
    _check_amount(amount, currency, "instalment")
    full, remainder = divmod(rest, amount)
    if full + bool(remainder) > MOST:
        raise CannotQuote(f"That makes more than {MOST} instalments: raise the amount.")
    return [amount] * int(full) + ([remainder] if remainder else [])


def _check_amount(amount: Decimal, currency: str, what: str) -> None:
    if amount <= 0:
        raise CannotQuote(f"The {what} must be more than nothing.")
    if amount != money.quantize(amount, currency):
        raise CannotQuote(f"The {what} has more decimals than {currency}.")
