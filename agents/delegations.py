"""In somebody's place: who decides for whom, for how long, and with whose authority.

Whoever stands in has the authority of the person they stand in for, and no more: not their own beside it, and not what
that person may because they stand in for a third. What either of the two asked for, neither decides. A delegation that
is ended is over at that moment, also for a decision that is being made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts import events
from accounts.refusals import Refused
from agents import card_numbers, kinds, rights
from agents.models import Agent, Delegation

#: Whoever is away for longer is somebody whose work is given to others for good.
LONGEST = timedelta(days=184)


class CannotDelegate(Refused):
    """These two, these days or this person's right do not make a delegation."""


class CannotEndDelegation(Refused):
    """It is over already, or not this person's to end."""

    code = "conflict"


class CannotActFor(Refused):
    """Nobody stands in for that person now, or not this one."""

    code = "forbidden"


@dataclass(frozen=True, slots=True)
class Word:
    """Somebody's word on what waits: who gives it, and in whose place."""

    by: Agent
    instead_of: Agent | None = None

    @property
    def actor(self) -> str:
        """Who gives it, as events name them."""
        return rights.actor(self.by)

    @property
    def for_whom(self) -> str:
        """In whose place, as events name them; empty in one's own."""
        return rights.actor(self.instead_of) if self.instead_of is not None else ""

    @property
    def authority(self) -> Agent:
        """Whose roles and whose side of the team wall count."""
        return self.instead_of or self.by

    @property
    def told(self) -> dict[str, str]:
        """What an event of the decision says beside its actor."""
        return {"in_place_of": self.for_whom} if self.instead_of is not None else {}

    def is_of(self, actor: str) -> bool:
        """Whether that is who gives the word, or in whose place."""
        return bool(actor) and actor in {self.actor, self.for_whom}


def word_of(agent: Agent, *, instead_of: Agent | None, on: date) -> Word:
    """The word of ``agent`` on a day, in their own name or in somebody's place; call it within a transaction.

    Until that ends nobody can end the delegation. Raises ``CannotActFor``.
    """
    if instead_of is None:
        return Word(agent)
    if not rights.may(agent, rights.Act.APPROVE):
        raise CannotActFor("Only somebody who decides stands in for others.")
    standing = _in_force(on).filter(to=agent, of=instead_of).select_for_update(of=("self",), no_key=True)
    if not list(standing.values_list("pk", flat=True)):
        raise CannotActFor(f"You do not stand in for {instead_of} today.")
    return Word(agent, instead_of)


def acting_for(user: Agent, on: date) -> set[Agent]:
    """The people in whose place the user may decide on that day, as far as they may decide themselves."""
    if not rights.may(user, rights.Act.APPROVE):
        return set()
    rows = _in_force(on).filter(to=user, of__is_active=True).select_related("of")
    return {person for person in {row.of for row in rows} if rights.may(person, rights.Act.APPROVE)}


def named(user: Agent, username: str, on: date) -> Agent | None:
    """The person of that name for whom the user stands in; none where the name is empty. Raises ``CannotActFor``."""
    if not username:
        return None
    found = next((person for person in acting_for(user, on) if person.username == username), None)
    if found is None:
        raise CannotActFor("You do not stand in for this person today.")
    return found


def people() -> QuerySet[Agent]:
    """Everybody who may decide on something, and so may stand in or be stood in for."""
    roles = rights.roles_with(rights.Act.APPROVE)
    decides = Agent.objects.filter(is_active=True).filter(Q(groups__name__in=roles) | Q(is_superuser=True))
    return decides.distinct().order_by("first_name", "last_name", "username")


def may_make_for(by: Agent, of: Agent) -> bool:
    """Whether ``by`` says who stands in for ``of``: they themselves, a manager or an admin do; for an admin, admins."""
    roles = rights.roles(by)
    if by.pk == of.pk or rights.ADMIN in roles:
        return True
    return rights.MANAGER in roles and rights.ADMIN not in rights.roles(of)


def makes_for_others(by: Agent) -> bool:
    """Whether the person says for others who stands in for them."""
    return bool(rights.roles(by) & {rights.MANAGER, rights.ADMIN})


def seen_by(user: Agent) -> QuerySet[Delegation]:
    """The delegations a person may know of: theirs, and for managers and admins everybody's; the latest first."""
    rows = Delegation.objects.select_related("of", "to").order_by("-from_on", "-pk")
    if makes_for_others(user):
        return rows
    return rows.filter(Q(of=user) | Q(to=user) | Q(made_by=rights.actor(user)))


def make(
    *, of: Agent, to: Agent, from_on: date, until_on: date, reason: str, by: Agent, as_of: date, at: datetime
) -> Delegation:
    """Let ``to`` decide in the place of ``of`` from one day to another, both included.

    Raises ``CannotDelegate``: where ``by`` may not say so, nobody appoints themselves to another's place, either of the
    two decides on nothing, the days are past, the wrong way round or too many, they overlap with others of the same
    two, or no reason is given.
    """
    reason = card_numbers.without_cards(" ".join(reason.split()))[:200]
    _refuse(of=of, to=to, from_on=from_on, until_on=until_on, reason=reason, by=by, as_of=as_of)
    with transaction.atomic():
        Agent.objects.select_for_update(no_key=True).get(pk=of.pk)
        same = Delegation.objects.filter(of=of, to=to, ended_at=None, from_on__lte=until_on, until_on__gte=from_on)
        if same.exists():
            raise CannotDelegate(f"{to} stands in for {of} on some of these days already.", code="conflict")
        made = Delegation.objects.create(
            of=of, to=to, from_on=from_on, until_on=until_on, reason=reason, made_by=rights.actor(by), made_at=at
        )
        _record(made, kinds.DELEGATION_MADE, actor=rights.actor(by), as_of=as_of, at=at)
    return made


def _refuse(*, of: Agent, to: Agent, from_on: date, until_on: date, reason: str, by: Agent, as_of: date) -> None:
    if not rights.may(by, rights.Act.APPROVE) or not may_make_for(by, of):
        raise CannotDelegate("They themselves, a manager or an admin say who stands in for them.", code="forbidden")
    if of.pk == to.pk:
        raise CannotDelegate("Nobody stands in for themselves.")
    if by.pk == to.pk:
        raise CannotDelegate("Nobody puts themselves in another's place: somebody else makes it.", code="forbidden")
    for person in (of, to):
        if not rights.may(person, rights.Act.APPROVE):
            raise CannotDelegate(f"{person} decides on nothing: somebody who does stands in.")
    if until_on < from_on:
        raise CannotDelegate("It ends before it begins.")
    if until_on < as_of:
        raise CannotDelegate("These days are past.")
    if until_on - from_on > LONGEST:
        raise CannotDelegate(f"It is for {LONGEST.days} days at most.")
    if not reason:
        raise CannotDelegate("Say why.")


def may_end(by: Agent, delegation: Delegation) -> bool:
    """Whether ``by`` may end it: either of the two, who made it, and whoever could make it."""
    theirs = by.pk in {delegation.of_id, delegation.to_id} or delegation.made_by == rights.actor(by)
    return theirs or may_make_for(by, delegation.of)


def end(*, delegation_id: int, by: Agent, as_of: date, at: datetime) -> Delegation:
    """End it now, whatever its days were. Raises ``CannotEndDelegation``."""
    with transaction.atomic():
        rows = Delegation.objects.select_for_update(of=("self",), no_key=True).select_related("of", "to")
        delegation = rows.filter(pk=delegation_id).first()
        if delegation is None:
            raise CannotEndDelegation("There is no such delegation.", code="not_found")
        if not may_end(by, delegation):
            raise CannotEndDelegation("This is not yours to end.", code="forbidden")
        if delegation.ended_at is not None or delegation.until_on < as_of:
            raise CannotEndDelegation("It is over already.")
        delegation.ended_at = at
        delegation.save(update_fields=["ended_at"])
        _record(delegation, kinds.DELEGATION_ENDED, actor=rights.actor(by), as_of=as_of, at=at)
    return delegation


def _in_force(on: date) -> QuerySet[Delegation]:
    return Delegation.objects.filter(ended_at=None, from_on__lte=on, until_on__gte=on)


def _record(delegation: Delegation, kind: str, *, actor: str, as_of: date, at: datetime) -> None:
    events.record(
        account_id=None,
        kind=kind,
        actor=actor,
        at=at,
        on=as_of,
        reason=delegation.reason,
        payload={
            "delegation": delegation.pk,
            "decides": rights.actor(delegation.to),
            "in_place_of": rights.actor(delegation.of),
            "from_on": delegation.from_on,
            "until_on": delegation.until_on,
        },
    )
