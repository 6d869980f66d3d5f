"""What figures should come to, from a day on: a team's own targets, and everybody's where it has none."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db.models import F, Q

from agents.models import KpiTarget
from agents.scopes import Scope


def in_force(*, as_of: date, scope: Scope) -> dict[str, KpiTarget]:
    """The targets of a day by figure: of a team and its people their own, else everybody's. One query."""
    whose = Q(team=None)
    if scope.dimension == "team":
        whose |= Q(team__name=scope.member)
    elif scope.dimension == "agent":
        whose |= Q(team__agents__username=scope.member)
    rows = KpiTarget.objects.filter(whose, from_on__lte=as_of)
    # What stands later takes the place of what stood before: everybody's first, then by day.
    return {row.kpi: row for row in rows.order_by(F("team").asc(nulls_first=True), "from_on")}


def is_met(target: KpiTarget, value: Decimal) -> bool:
    """Whether a value is as good as its target; as good is met."""
    return value >= target.value if target.aim == KpiTarget.Aim.AT_LEAST else value <= target.value
