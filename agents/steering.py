"""A supervisor's hand on the queue: what is put on top, given to another team, or taken out of somebody's hands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import business_day, events
from accounts.events import EventRow
from accounts.refusals import Refused
from agents import card_numbers, kinds, lost_claims, queue, rights
from agents.models import Agent, Team, WorkItem


class CannotSteer(Refused):
    """Only supervisors order the queue by hand, and only what is still in it."""

    code = "forbidden"


def pin(*, item_ids: Collection[int], reason: str, agent: Agent, at: datetime) -> int:
    """Put those on top until they are worked, for a reason that everybody reads; how many.

    Raises ``CannotSteer`` and ``card_numbers.CannotKeepCard``.
    """
    reason = card_numbers.without_cards(reason).strip()
    if not reason:
        raise CannotSteer("Say why it is put on top.", code="invalid")

    def put_on_top(items: list[WorkItem]) -> None:
        WorkItem.objects.filter(pk__in=[item.pk for item in items]).update(
            pinned_by=rights.actor(agent), pinned_because=reason[:200]
        )

    return _steer(item_ids, kinds.ITEM_PINNED, put_on_top, agent=agent, at=at, scored=True)


def unpin(*, item_ids: Collection[int], agent: Agent, at: datetime) -> int:
    """Leave those to their score again; how many. Raises ``CannotSteer``."""

    def let_go(items: list[WorkItem]) -> None:
        WorkItem.objects.filter(pk__in=[item.pk for item in items]).update(pinned_by="", pinned_because="")

    return _steer(item_ids, kinds.ITEM_UNPINNED, let_go, agent=agent, at=at, scored=True)


def give_to(*, item_ids: Collection[int], team: Team | None, agent: Agent, at: datetime) -> int:
    """Give those to a team, or to everybody; how many. Whoever has one in hand keeps it. Raises ``CannotSteer``."""

    def reassign(items: list[WorkItem]) -> None:
        WorkItem.objects.filter(pk__in=[item.pk for item in items]).update(team=team)

    payload = {"team": team.pk if team else None}
    return _steer(item_ids, kinds.ITEM_REASSIGNED, reassign, agent=agent, at=at, scored=True, payload=payload)


def release(*, item_ids: Collection[int], agent: Agent, at: datetime) -> int:
    """Take those out of the hands of whoever has them, with what was half typed; how many were held.

    Whoever had one is told. Raises ``CannotSteer``.
    """

    def free(items: list[WorkItem]) -> None:
        WorkItem.objects.filter(pk__in=[item.pk for item in items]).update(
            claimed_by=None, claimed_at=None, lease_until=None
        )
        for item in items:
            _tell(item, taken_by=str(agent), at=at)

    return _steer(item_ids, kinds.ITEM_RELEASED, free, agent=agent, at=at, held=True)


def bring_forward(*, item_ids: Collection[int], agent: Agent, at: datetime) -> int:
    """Offer those now instead of later, as far as they may be called; how many. Raises ``CannotSteer``."""

    def now(items: list[WorkItem]) -> None:
        WorkItem.objects.filter(pk__in=[item.pk for item in items]).update(
            not_before=None, kept_for=None, callable_from=None, uncallable_because=""
        )

    return _steer(item_ids, kinds.ITEM_BROUGHT_FORWARD, now, agent=agent, at=at)


def _tell(item: WorkItem, *, taken_by: str, at: datetime) -> None:
    first, ref = item.claimed_by_id, item.account.ref
    if first is not None:
        transaction.on_commit(lambda: lost_claims.tell(first, account_ref=ref, taken_by=taken_by, at=at))


def _steer(
    item_ids: Collection[int],
    kind: str,
    change: Callable[[list[WorkItem]], None],
    *,
    agent: Agent,
    at: datetime,
    scored: bool = False,
    held: bool = False,
    payload: Mapping[str, Any] | None = None,
) -> int:
    if not rights.may(agent, rights.Act.SUPERVISE):
        raise CannotSteer("Only a supervisor orders the queue by hand.")
    as_of = business_day.business_date(at=at)
    with transaction.atomic():
        wanted = WorkItem.objects.select_for_update(of=("self",)).filter(pk__in=list(item_ids), done_at=None)
        if held:
            wanted = wanted.filter(lease_until__gt=at)
        items = list(wanted.select_related("account").order_by("pk"))
        if not items:
            return 0
        change(items)
        events.record_many(
            [
                EventRow(
                    account_id=item.account_id,
                    kind=kind,
                    actor=rights.actor(agent),
                    at=at,
                    on=as_of,
                    payload={"item": item.pk, "item_kind": item.kind, **(payload or {})},
                )
                for item in items
            ]
        )
        if scored:
            queue.rescore(account_ids=[item.account_id for item in items], as_of=as_of, at=at)
    return len(items)
