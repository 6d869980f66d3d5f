"""The least payment that helps: what ends the case, and what gives limited services back before that (pure).

A case ends when what is past due, contested amounts included, is at most the exit amount of its policy. Limited
services come back with it, and earlier with the full payment of what a promise names, or a plan's first instalment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Least:
    """An amount, and what it does in words."""

    amount: Decimal
    does: str
    #: What is contested keeps the case open until it is decided, whatever is paid of the rest.
    contested: Decimal = Decimal(0)


def least(
    *,
    past_due: Decimal,
    contested: Decimal,
    exit_amount: Decimal,
    limited: int,
    promised: Decimal | None = None,
    instalments_left: Sequence[Decimal] = (),
    none_kept: bool = True,
) -> Least | None:
    """The smallest payment that ends the case or, where services are limited, gives them back; none: nothing is due.

    ``promised``: what is still to come of an open promise; ``instalments_left``: of an active plan, in order;
    ``none_kept``: no instalment of it was kept so far.
    """
    if past_due <= exit_amount:
        return None
    ends = past_due - exit_amount
    ways = [(ends, "ends the case" + (" and restores service" if limited else ""))]
    if limited and promised is not None and promised > 0:
        ways.append((promised, "keeps the promise and restores service"))
    if limited and instalments_left and none_kept:
        ways.append((instalments_left[0], "is the first instalment and restores service"))
    amount, does = min(ways, key=lambda way: way[0])
    return Least(amount, does, contested)
