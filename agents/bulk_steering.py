"""A whole list of the queue steered at once: chosen by what its accounts are, looked at before, then given or pinned.

What somebody works on is left out, and what the supervisor may not see. A list is carried out a chunk at a time, each
chunk with its events, so that nobody's claim waits for all of it; what is so already is passed over, so a list that
was cut short goes on where it stopped, and one that is sent twice is done once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.expressions import Combinable

from accounts import business_day
from accounts.position import BUCKETS
from agents import once, priority, rights, steering
from agents.models import Agent, Team, WorkItem
from dunning.models import Case

#: So many items at once at most; and so many in one transaction.
MOST, CHUNK = 20_000, 1_000
#: A preview shows so many.
SHOWN = 20
#: Stands for items of no team.
NO_TEAM = 0


class CannotSteerList(steering.CannotSteer):
    """The list is too long, or what is to be done with it does not fit together."""

    code = "invalid"


class Act(StrEnum):
    GIVE = "give"
    PIN = "pin"
    UNPIN = "unpin"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which open items: whatever is not named is not asked for."""

    #: A team's key, ``NO_TEAM``, or none for any.
    team: int | None = None
    segment: str = ""
    product: str = ""
    bucket: str = ""
    policy: str = ""
    #: Overdue, in that currency alone.
    currency: str = ""
    least: Decimal | None = None
    most: Decimal | None = None

    @property
    def is_everything(self) -> bool:
        return self == Chosen()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is done with them: given to a team or to everybody, pinned with points and an end, or no longer pinned."""

    act: Act
    team: Team | None = None
    reason: str = ""
    points: int = priority.PINNED
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen now. ``upto``: what is queued later is not on the list that was looked at."""

    #: Items it would be done with, and of how many accounts.
    items: int
    accounts: int
    first: list[WorkItem]
    #: Left out because somebody works on the account, because it is on the other side of the wall, or is so already.
    in_hand: int
    not_seen: int
    already: int
    upto: int


@dataclass(frozen=True, slots=True)
class Done:
    """What was done. ``again``: this list was carried out before, and nothing was done now."""

    items: int
    left_out: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Matched:
    item_id: int
    account_id: int
    held: bool
    seen: bool
    same: bool

    @property
    def is_to_do(self) -> bool:
        return self.seen and not self.held and not self.same


def preview(*, chosen: Chosen, wanted: Wanted, agent: Agent, at: datetime) -> Preview:
    """Count what is on the list and what is left out of it, with the foremost; nothing is written. Four queries.

    Raises ``CannotSteerList``.
    """
    as_of = business_day.business_date(at=at)
    _check(wanted, agent, as_of)
    newest = WorkItem.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    matched = _matched(chosen, wanted, agent=agent, upto=newest, as_of=as_of, at=at)
    to_do = [row for row in matched if row.is_to_do]
    first = (
        WorkItem.objects.filter(pk__in=[row.item_id for row in to_do])
        .select_related("account", "team")
        .order_by("-score", "pk")[:SHOWN]
    )
    return Preview(
        items=len(to_do),
        accounts=len({row.account_id for row in to_do}),
        first=list(first),
        in_hand=sum(row.held for row in matched if row.seen),
        not_seen=sum(not row.seen for row in matched),
        already=sum(row.same for row in matched if row.seen and not row.held),
        upto=newest,
    )


def carry_out(
    *, chosen: Chosen, wanted: Wanted, upto: int, token: str, given: Mapping[str, list[str]], agent: Agent, at: datetime
) -> Done:
    """Do it with everything on the list that may be done now; how many items.

    ``token`` and ``given`` are the form's (``once``): sent again it says what was done. Raises ``CannotSteerList`` and
    ``once.CannotSaveAgain``.
    """
    as_of = business_day.business_date(at=at)
    _check(wanted, agent, as_of)
    first_time = once.begin(agent=agent, token=token, path="bulk steering", given=given, at=at)
    if not first_time and (before := once.finished(agent=agent, token=token)) is not None:
        return Done(int(before["items"]), int(before["left_out"]), again=True)
    try:
        matched = _matched(chosen, wanted, agent=agent, upto=upto, as_of=as_of, at=at)
    except CannotSteerList:
        once.forget(agent=agent, token=token)
        raise
    to_do = [row.item_id for row in matched if row.is_to_do]
    done = sum(
        _steer(to_do[start : start + CHUNK], wanted, agent=agent, at=at) for start in range(0, len(to_do), CHUNK)
    )
    left_out = sum(not row.same for row in matched) - done
    once.finish(agent=agent, token=token, said={"items": done, "left_out": left_out})
    return Done(done, left_out)


def _steer(item_ids: list[int], wanted: Wanted, *, agent: Agent, at: datetime) -> int:
    match wanted.act:
        case Act.GIVE:
            return steering.give_to(item_ids=item_ids, team=wanted.team, agent=agent, at=at, only_free=True)
        case Act.PIN:
            return steering.pin(
                item_ids=item_ids, reason=wanted.reason, points=wanted.points, until=wanted.until, agent=agent, at=at,
                only_free=True,
            )  # fmt: skip
        case Act.UNPIN:
            return steering.unpin(item_ids=item_ids, agent=agent, at=at, only_free=True)


def _check(wanted: Wanted, agent: Agent, as_of: date) -> None:
    if not rights.may(agent, rights.Act.SUPERVISE):
        raise CannotSteerList("Only a supervisor orders the queue by hand.", code="forbidden")
    if wanted.act == Act.GIVE:
        steering.refuse_across(agent, wanted.team)
    if wanted.act == Act.PIN:
        steering.checked_pin(reason=wanted.reason, points=wanted.points, until=wanted.until, as_of=as_of)


def _matched(chosen: Chosen, wanted: Wanted, *, agent: Agent, upto: int, as_of: date, at: datetime) -> list[_Matched]:
    """Every item on the list, and why it would be left out. One query. Raises ``CannotSteerList``."""
    if chosen.is_everything:
        raise CannotSteerList("Say which accounts: at least one of the ways to choose.")
    seen: Combinable | Exists = Value(value=True, output_field=BooleanField())
    if not rights.sees_all_teams(agent):
        seen = Exists(rights.visible_accounts(agent).filter(pk=OuterRef("account")))
    rows = (
        narrowed(WorkItem.objects.filter(done_at=None, pk__lte=upto), chosen, as_of=as_of)
        .exclude(kind=WorkItem.Kind.APPROVAL)
        .annotate(held=steering.in_hand(at), seen=seen, same=_is_so(wanted, agent))
        .order_by("pk")
        .values_list("pk", "account_id", "held", "seen", "same")
    )
    matched = [_Matched(*row) for row in rows[: MOST + 1]]
    if len(matched) > MOST:
        raise CannotSteerList(f"More than {MOST:,} are on that list: choose fewer at a time.")
    return matched


def _is_so(wanted: Wanted, agent: Agent) -> Exists:
    """Whether the item is already as it would be."""
    match wanted.act:
        case Act.GIVE:
            so = Q(team=wanted.team)
        case Act.PIN:
            so = Q(
                pinned_by=rights.actor(agent), pinned_because=wanted.reason.strip()[:200], pin_points=wanted.points,
                pinned_until=wanted.until,
            )  # fmt: skip
        case Act.UNPIN:
            so = Q(pinned_by="")
    return Exists(WorkItem.objects.filter(so, pk=OuterRef("pk")))


def narrowed(items: QuerySet[WorkItem], chosen: Chosen, *, as_of: date) -> QuerySet[WorkItem]:
    """Those of the items that are on the list."""
    if chosen.team is not None:
        items = items.filter(team_id=chosen.team) if chosen.team else items.filter(team=None)
    if chosen.segment:
        items = items.filter(account__segment=chosen.segment)
    if chosen.product:
        items = items.filter(account__product=chosen.product)
    if chosen.bucket:
        items = items.filter(in_bucket(chosen.bucket, as_of=as_of))
    if chosen.currency:
        items = items.filter(account__currency=chosen.currency)
    if chosen.least is not None:
        items = items.filter(account__overdue__gte=chosen.least)
    if chosen.most is not None:
        items = items.filter(account__overdue__lte=chosen.most)
    if chosen.policy:
        under = Case.objects.filter(account=OuterRef("account"), closed_on=None, version__policy__code=chosen.policy)
        items = items.filter(Exists(under))
    return items


def in_bucket(bucket: str, *, as_of: date) -> Q:
    """Accounts whose oldest debt is so old: the bucket's first and last day past due."""
    place = BUCKETS.index(bucket)
    if place == 0:
        return Q(account__oldest_due_on=None) | Q(account__oldest_due_on__gte=as_of)
    first = (1, 31, 61, 91, 121)[place - 1]
    in_it = Q(account__oldest_due_on__lte=as_of - timedelta(days=first))
    return (
        in_it if place == len(BUCKETS) - 1 else in_it & Q(account__oldest_due_on__gt=as_of - timedelta(days=first + 30))
    )
