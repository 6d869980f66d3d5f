"""Orders of the queue: written by supervisors, looked at before they count, put in force for a team or for all.

An order that was in force is never changed: a new one takes its place, so that the list of orders is the history of
who had the queue worked how, and since when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.expressions import OrderBy

from accounts import business_day, events
from accounts.refusals import Refused
from agents import call_effects, kinds, priority, scoring
from agents.models import QueueOrder, Team, WorkItem
from agents.priority import Part
from agents.scoring import Ordering, Scorable

#: How many a preview shows, and of how many candidates by each of the ways to be on top it chooses them.
TOP, CANDIDATES = 20, 400

#: Serialises putting in force: of two orders of one team at once the later one stands.
_LOCK = 7301032


class CannotOrder(Refused):
    """What is said of the order does not fit together."""

    code = "invalid"


@dataclass(frozen=True, slots=True)
class Ranked:
    """An item as an order would have it, and where it stands now."""

    item: WorkItem
    score: int
    parts: list[Part]
    #: Its place today, from 1; none beyond the candidates.
    now: int | None


def check(*, weights: Mapping[str, int], first: str) -> None:
    """Raises ``CannotOrder``."""
    if first not in QueueOrder.First.values:
        raise CannotOrder(f"There is no order {first}.")
    for part, weight in weights.items():
        if part not in priority.WEIGHED:
            raise CannotOrder(f"There is no part {part}.")
        if not 0 <= weight <= priority.WEIGHS_MOST:
            raise CannotOrder(f"A part weighs from 0 to {priority.WEIGHS_MOST} %.")


def write(
    *, name: str, team: Team | None, first: str, weights: Mapping[str, int], actor: str, at: datetime
) -> QueueOrder:
    """Keep an order that is not in force yet. Raises ``CannotOrder``."""
    check(weights=weights, first=first)
    return QueueOrder.objects.create(
        name=name,
        team=team,
        first=first,
        weights={part: weight for part, weight in weights.items() if weight != priority.WEIGHS},
        made_by=actor,
        made_at=at,
    )


def put_in_force(*, order_id: int, actor: str, at: datetime) -> int:
    """Let the order's team work by it from now on, and score what is open anew; how many items changed.

    One order is in force a team; the one before stays in the list. What is scored is written a chunk at a time, and
    the day's run finishes what a killed process left.
    """
    as_of = business_day.business_date(at=at)
    with transaction.atomic():
        _one_at_a_time()
        figures = scoring.in_force().by_figures
        order = QueueOrder.objects.select_for_update(of=("self",)).select_related("team").get(pk=order_id)
        QueueOrder.objects.filter(team=order.team, in_force=True).exclude(pk=order.pk).update(in_force=False)
        if not order.in_force:
            order.in_force = True
            order.save(update_fields=["in_force"])
            _record(order, actor=actor, as_of=as_of, at=at)
    return _rescore(order.team_id, figures=figures, as_of=as_of, at=at)


def end(*, order_id: int, actor: str, at: datetime) -> int:
    """Let the order's team work by the desk's order again; how many items changed."""
    as_of = business_day.business_date(at=at)
    with transaction.atomic():
        _one_at_a_time()
        figures = scoring.in_force().by_figures
        order = QueueOrder.objects.select_for_update().get(pk=order_id)
        if not order.in_force:
            return 0
        order.in_force = False
        order.save(update_fields=["in_force"])
        _record(order, actor=actor, as_of=as_of, at=at)
    return _rescore(order.team_id, figures=figures, as_of=as_of, at=at)


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _record(order: QueueOrder, *, actor: str, as_of: date, at: datetime) -> None:
    events.record(
        account_id=None,
        kind=kinds.QUEUE_ORDERED,
        actor=actor,
        at=at,
        on=as_of,
        payload={
            "order": order.pk,
            "team": order.team_id,
            "first": order.first,
            "weights": order.weights,
            "in_force": order.in_force,
        },
    )


def _rescore(team_id: int | None, *, figures: bool, as_of: date, at: datetime) -> int:
    """The items whose order changed: of the team, or, for the desk's order, of every team without one of its own; all
    where ``figures``, whether some team works by a figure, is no longer so.
    """
    if scoring.in_force().by_figures != figures:
        return scoring.rescore(as_of=as_of, at=at)
    teams = {None, *Team.objects.values_list("pk", flat=True)} - _with_their_own() if team_id is None else {team_id}
    return scoring.rescore(as_of=as_of, at=at, teams=teams)


def _with_their_own() -> set[int | None]:
    """Teams that the desk's order is not for."""
    return set(QueueOrder.objects.filter(in_force=True, team__isnull=False).values_list("team_id", flat=True))


def preview(*, team: Team | None, ordering: Ordering, as_of: date, at: datetime, most: int = TOP) -> list[Ranked]:
    """The top of the team's items under that order, nothing written; without a team, of all that the desk's is for.

    Chosen among the foremost items by today's score and by amount, age and waiting, each: whoever is on top for any
    reason is among those. As many queries however long the queue.
    """
    waiting = _of(team)
    candidates: dict[int, int | None] = {
        pk: place + 1 for place, pk in enumerate(_foremost(waiting, F("score").desc(), "pk"))
    }
    for way in (F("account__overdue").desc(), F("account__oldest_due_on").asc(nulls_last=True), F("created_at").asc()):
        for pk in _foremost(waiting, way, "pk"):
            candidates.setdefault(pk, None)
    ranked: list[tuple[int, Scorable, list[Part]]] = []
    counted = call_effects.counted()
    for chunk in scoring.facts_of(as_of=as_of, at=at, counted=counted, item_ids=list(candidates)):
        for scorable in chunk:
            parts = scoring.parts_of(scorable, ordering, as_of=as_of)
            ranked.append((sum(part.points for part in parts), scorable, parts))
    ranked.sort(key=lambda row: (-row[0], row[1].item_id))
    top = ranked[:most]
    items = WorkItem.objects.select_related("account__customer", "team").in_bulk([row.item_id for _, row, _ in top])
    return [
        Ranked(items[row.item_id], points, parts, candidates[row.item_id])
        for points, row, parts in top
        if row.item_id in items
    ]


def _of(team: Team | None) -> QuerySet[WorkItem]:
    waiting = WorkItem.objects.filter(done_at=None).exclude(kind=WorkItem.Kind.APPROVAL)
    return waiting.filter(team=team) if team else waiting.exclude(team__in=_with_their_own() - {None})


def _foremost(items: QuerySet[WorkItem], *order: str | OrderBy) -> list[int]:
    return list(items.order_by(*order).values_list("pk", flat=True)[:CANDIDATES])
