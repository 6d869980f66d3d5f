"""A supervisor's hand on the queue: what is put on top, given to a team or a person, or taken out of somebody's hands.

Whoever supervises one team steers what is on its side of the team wall, and gives nothing across it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import business_day, events
from accounts.events import EventRow
from accounts.refusals import Refused
from agents import card_numbers, kinds, lost_claims, priority, queue, rights
from agents.models import Agent, LiveCall, Team, WorkItem

#: A pin ends after so many days at the latest: what is on top for ever is on top of nothing.
LONGEST_PIN = timedelta(days=92)


class CannotSteer(Refused):
    """Only supervisors order the queue by hand, and only what is still in it."""

    code = "forbidden"


def pin(
    *,
    item_ids: Collection[int],
    reason: str,
    agent: Agent,
    at: datetime,
    points: int = priority.PINNED,
    until: date | None = None,
    only_free: bool = False,
) -> int:
    """Put those on top until they are worked, for a reason that everybody reads; how many.

    Fewer ``points`` than ``priority.PINNED`` prefer them among the others; ``until``: their last day on top.
    ``only_free``: none that somebody works on. Raises ``CannotSteer`` and ``card_numbers.CannotKeepCard``.
    """
    reason = checked_pin(reason=reason, points=points, until=until, as_of=business_day.business_date(at=at))
    pinned = {
        "pinned_by": rights.actor(agent), "pinned_because": reason, "pin_points": points, "pinned_until": until
    }  # fmt: skip

    def put_on_top(items: list[WorkItem]) -> None:
        WorkItem.objects.filter(pk__in=[item.pk for item in items]).update(**pinned)

    payload = {} if (points, until) == (priority.PINNED, None) else {"points": points, "until": until}
    return _steer(
        item_ids, kinds.ITEM_PINNED, put_on_top, agent=agent, at=at, scored=True, only_free=only_free, payload=payload
    )


def checked_pin(*, reason: str, points: int, until: date | None, as_of: date) -> str:
    """The reason as it is kept. Raises ``CannotSteer`` and ``card_numbers.CannotKeepCard``."""
    reason = card_numbers.without_cards(reason).strip()
    if not reason:
        raise CannotSteer("Say why it is put on top.", code="invalid")
    if not 1 <= points <= priority.PINNED:
        raise CannotSteer(f"It is worth from 1 to {priority.PINNED} points.", code="invalid")
    if until is not None and not as_of <= until <= as_of + LONGEST_PIN:
        raise CannotSteer(f"It ends today at the earliest, and within {LONGEST_PIN.days} days.", code="invalid")
    return reason[:200]


def unpin(*, item_ids: Collection[int], agent: Agent, at: datetime, only_free: bool = False) -> int:
    """Leave those to their score again; how many. Raises ``CannotSteer``."""

    def let_go(items: list[WorkItem]) -> None:
        _unpin([item.pk for item in items])

    return _steer(item_ids, kinds.ITEM_UNPINNED, let_go, agent=agent, at=at, scored=True, only_free=only_free)


def _unpin(item_ids: Collection[int]) -> None:
    by, because, points, until = queue.NOT_PINNED
    WorkItem.objects.filter(pk__in=list(item_ids)).update(
        pinned_by=by, pinned_because=because, pin_points=points, pinned_until=until
    )


def end_pins(*, as_of: date, at: datetime, actor: str) -> int:
    """Leave to their score what was to be on top until an earlier day; how many. The day's run scores them."""
    with transaction.atomic():
        over = list(WorkItem.objects.select_for_update().filter(done_at=None, pinned_until__lt=as_of).order_by("pk"))
        _unpin([item.pk for item in over])
        _record(over, kinds.ITEM_UNPINNED, actor=actor, on=as_of, at=at, payload={"ended": True})
    return len(over)


def give_to(
    *, item_ids: Collection[int], team: Team | None, agent: Agent, at: datetime, only_free: bool = False
) -> int:
    """Give those to a team, or to everybody; how many. Whoever has one in hand keeps it, or, ``only_free``, none is
    given that somebody works on. Raises ``CannotSteer``.
    """
    refuse_across(agent, team)

    def reassign(items: list[WorkItem]) -> None:
        WorkItem.objects.filter(pk__in=[item.pk for item in items]).update(team=team)

    payload = {"team": team.pk if team else None}
    return _steer(
        item_ids, kinds.ITEM_REASSIGNED, reassign, agent=agent, at=at, scored=True, only_free=only_free, payload=payload
    )


def refuse_across(agent: Agent, team: Team | None) -> None:
    """Raise ``CannotSteer`` where somebody kept to one team gives to another, or to all."""
    if not rights.sees_all_teams(agent) and (team is None or team.pk != agent.team_id):
        raise CannotSteer("You give accounts to your own team.")


def people(agent: Agent) -> QuerySet[Agent]:
    """Whom this supervisor gives accounts to: whoever works at the desk and is theirs to steer."""
    workers = Agent.objects.filter(is_active=True, groups__name__in=rights.roles_with(rights.Act.WORK)).distinct()
    if rights.sees_all_teams(agent):
        return workers
    if not rights.may(agent, rights.Act.SUPERVISE) or agent.team_id is None:
        return workers.none()
    return workers.filter(team_id=agent.team_id)


def takers(item: WorkItem, agent: Agent) -> QuerySet[Agent]:
    """Those of ``people`` who may have this account: of its team, or above the team wall."""
    found = people(agent).order_by("first_name", "last_name", "username")
    if item.team_id is None:
        return found
    above = Q(all_teams=True, groups__name__in=rights.roles_with(rights.Act.SUPERVISE)) | Q(groups__name=rights.ADMIN)
    return found.filter(Q(team_id=item.team_id) | above)


def reassign(*, item_id: int, to: Agent, agent: Agent, at: datetime) -> WorkItem:
    """Take an account from whoever has it and put it into somebody else's hands, with what was half typed.

    Both are told, the one who had it by whom. Raises ``CannotSteer``: for a person of another team, or while the
    customer is on the phone.
    """
    with transaction.atomic():
        item = _one(item_id, agent)
        if not people(agent).filter(pk=to.pk).exists():
            raise CannotSteer(f"{to} does not work at your desk.")
        if not takers(item, agent).filter(pk=to.pk).exists():
            raise CannotSteer(f"{item.account.ref} is for another team than that of {to}.", code="conflict")
        _refuse_on_the_phone(item)
        handed = queue.hand_over(account_id=item.account_id, to=to, by=rights.actor(agent), at=at)
        if handed is None:
            raise CannotSteer("This account has left the queue meanwhile.", code="conflict")
    return handed


def put_back(*, item_id: int, agent: Agent, at: datetime) -> bool:
    """Take an account out of somebody's hands, for whoever comes next; whether it was in any.

    Whoever had it is told. Raises ``CannotSteer``, also while the customer is on the phone.
    """
    with transaction.atomic():
        item = _one(item_id, agent)
        _refuse_on_the_phone(item)
        return bool(release(item_ids=[item.pk], agent=agent, at=at))


def _one(item_id: int, agent: Agent) -> WorkItem:
    """The open item, locked, of an account that this supervisor may see."""
    if not rights.may(agent, rights.Act.SUPERVISE):
        raise CannotSteer("Only a supervisor orders the queue by hand.")
    wanted = _seen(WorkItem.objects.select_for_update(of=("self",)), agent).exclude(kind=WorkItem.Kind.APPROVAL)
    item = wanted.select_related("account", "claimed_by").filter(pk=item_id, done_at=None).first()
    if item is None:
        raise CannotSteer("This account has left the queue meanwhile.", code="not_found")
    return item


def _refuse_on_the_phone(item: WorkItem) -> None:
    talking = (LiveCall.State.DIALLED, LiveCall.State.RINGING, LiveCall.State.ANSWERED)
    call = LiveCall.objects.select_related("agent").filter(account=item.account_id, state__in=talking).first()
    if call is not None:
        raise CannotSteer(f"{call.agent} is on the phone with them: not now.", code="conflict")


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
    only_free: bool = False,
    payload: Mapping[str, Any] | None = None,
) -> int:
    if not rights.may(agent, rights.Act.SUPERVISE):
        raise CannotSteer("Only a supervisor orders the queue by hand.")
    as_of = business_day.business_date(at=at)
    with transaction.atomic():
        wanted = WorkItem.objects.select_for_update(of=("self",)).filter(pk__in=list(item_ids), done_at=None)
        wanted = _seen(wanted, agent)
        if held:
            wanted = wanted.filter(lease_until__gt=at)
        if only_free:
            wanted = wanted.exclude(in_hand(at))
        items = list(wanted.select_related("account").order_by("pk"))
        if not items:
            return 0
        change(items)
        _record(items, kind, actor=rights.actor(agent), on=as_of, at=at, payload=payload or {})
        if scored:
            queue.rescore(account_ids=[item.account_id for item in items], as_of=as_of, at=at)
    return len(items)


def in_hand(at: datetime) -> Exists:
    """Condition on an item: somebody works on its account, by this item or by another."""
    return Exists(WorkItem.objects.filter(account=OuterRef("account"), done_at=None, lease_until__gt=at))


def _seen(items: QuerySet[WorkItem], agent: Agent) -> QuerySet[WorkItem]:
    """Those whose accounts this supervisor may see."""
    return items if rights.sees_all_teams(agent) else items.filter(account__in=rights.visible_accounts(agent))


def _record(
    items: list[WorkItem], kind: str, *, actor: str, on: date, at: datetime, payload: Mapping[str, Any]
) -> None:
    events.record_many(
        [
            EventRow(
                account_id=item.account_id,
                kind=kind,
                actor=actor,
                at=at,
                on=on,
                payload={"item": item.pk, "item_kind": item.kind, **payload},
            )
            for item in items
        ]
    )
