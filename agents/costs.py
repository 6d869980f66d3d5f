"""What collecting costs: an hour of an agent, a message, a month of everything else, as the admins keep it by day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from agents.models import Cost


def in_force(currency: str, on: date) -> dict[str, Decimal]:
    """What each kind of cost comes to on that day, by ``Cost.Kind``; a kind that nobody wrote down is not there.

    Amounts are in ``currency``; nothing is converted. One query.
    """
    rows = Cost.objects.filter(currency=currency, from_on__lte=on).order_by("kind", "-from_on").distinct("kind")
    return dict(rows.values_list("kind", "amount"))
