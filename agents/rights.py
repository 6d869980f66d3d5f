"""Who may do and see what. Roles are groups: agent, specialist, team lead, supervisor, manager, finance, admin.

A specialist is an agent who also sees what kind of support a customer needs; a team lead approves what their agents
may not alone; a supervisor may do what all of them may, and a manager lets go of more. Finance decides with a manager
what nobody may alone. An admin and a superuser may everything. The team wall hides from an agent and a team lead the
accounts that another team has in its queue; the others see them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import keeping
from accounts.models import Account, Service
from agents.models import WorkItem
from dunning import hold_rules
from dunning.hold_rules import Rule

AGENT, SPECIALIST, SUPERVISOR, ADMIN = "agent", "specialist", "supervisor", "admin"
TEAM_LEAD, MANAGER, FINANCE = "team_lead", "manager", "finance"
ROLES = (AGENT, SPECIALIST, TEAM_LEAD, SUPERVISOR, MANAGER, FINANCE, ADMIN)


class Act(StrEnum):
    """What may be allowed or not; the value is what views and the API name."""

    WORK = "work"  # the queue, the account page, calls, notes, promises, plans, disputes, holds
    SUPERVISE = "supervise"  # everybody's queue, KPIs, approvals, audit
    APPROVE = "approve"
    RESOLVE_DISPUTE = "resolve_dispute"
    OVERRIDE_CONTACT = "override_contact"
    REVIEW = "review"  # judge other people's work, coach them
    SEE_SUPPORT = "see_support"  # the circumstances and needs of vulnerable customers, and their end
    SEE_KPIS = "see_kpis"
    SEE_AUDIT = "see_audit"
    IMPORT_FACTS = "import_facts"
    EDIT_POLICIES = "edit_policies"
    MANAGE_PEOPLE = "manage_people"
    MANAGE_WEBHOOKS = "manage_webhooks"


_OF_AGENTS = frozenset({Act.WORK})
_OF_SPECIALISTS = _OF_AGENTS | {Act.SEE_SUPPORT}
_OF_SUPERVISORS = _OF_SPECIALISTS | {
    Act.SUPERVISE,
    Act.REVIEW,
    Act.APPROVE,
    Act.RESOLVE_DISPUTE,
    Act.OVERRIDE_CONTACT,
    Act.SEE_KPIS,
    Act.SEE_AUDIT,
}
_ACTS: dict[str, frozenset[Act]] = {
    AGENT: _OF_AGENTS,
    SPECIALIST: _OF_SPECIALISTS,
    TEAM_LEAD: _OF_AGENTS | {Act.APPROVE, Act.RESOLVE_DISPUTE, Act.REVIEW},
    SUPERVISOR: _OF_SUPERVISORS,
    MANAGER: _OF_SUPERVISORS,
    FINANCE: frozenset({Act.SUPERVISE, Act.APPROVE, Act.SEE_KPIS, Act.SEE_AUDIT}),
    ADMIN: frozenset(Act),
}

#: For how many days an agent may keep a service from being limited; a supervisor as long as anybody may.
AGENT_KEEPS_DAYS = 14


def actor(user: Any) -> str:
    """How events name this person."""
    return f"agent:{user.username}"


def roles(user: Any) -> frozenset[str]:
    """The roles of a user; none for a visitor or somebody who has left. One query for the life of ``user``."""
    if not getattr(user, "is_active", False) or not user.is_authenticated:
        return frozenset()
    if user.is_superuser:
        return frozenset(ROLES)
    known: frozenset[str] | None = user.__dict__.get("_desk_roles")
    if known is None:
        known = frozenset(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
        user.__dict__["_desk_roles"] = known
    return known


def may(user: Any, act: Act | str) -> bool:
    """Whether one of the user's roles allows ``act``. Raises ``ValueError`` for an act that does not exist."""
    wanted = Act(act)
    return any(wanted in _ACTS[role] for role in roles(user))


def roles_with(act: Act | str) -> list[str]:
    """The roles that allow ``act``. Raises ``ValueError`` for an act that does not exist."""
    wanted = Act(act)
    return [role for role in ROLES if wanted in _ACTS[role]]


def liftable(user: Any, matrix: Mapping[str, Rule] | None = None) -> frozenset[str]:
    """The reasons of which the user may lift a hold, as the matrix says; it is read unless it is given."""
    if not may(user, Act.WORK):
        return frozenset()
    return hold_rules.lifted_by(roles(user), matrix if matrix is not None else hold_rules.matrix())


def may_lift(user: Any, reason: str) -> bool:
    """Whether the user may lift a hold of that reason."""
    return reason in liftable(user)


def keeps_until(user: Any, *, as_of: date) -> date | None:
    """The last day until which the user may keep a service; none for somebody who may not at all."""
    if may(user, Act.SUPERVISE):
        return as_of + timedelta(days=keeping.MOST_DAYS)
    return as_of + timedelta(days=AGENT_KEEPS_DAYS) if may(user, Act.WORK) else None


def may_keep(user: Any, service: Service, *, as_of: date, until: date | None = None) -> bool:
    """Whether the user may keep the service until that day, or, without one, let it go.

    Nobody takes back what reaches further than he could have kept it himself.
    """
    latest = keeps_until(user, as_of=as_of)
    wanted = max(filter(None, (until, service.keep_until)), default=as_of)
    return latest is not None and wanted <= latest


def sees_all_teams(user: Any) -> bool:
    """Whether the user stands above the team wall: supervisors do unless they are kept to their team, admins always."""
    return may(user, Act.SUPERVISE) and (user.all_teams or ADMIN in roles(user))


def visible_accounts(user: Any) -> QuerySet[Account]:
    """Every account the user may see; none at all for somebody without a role."""
    if sees_all_teams(user):
        return Account.objects.all()
    if not may(user, Act.WORK):
        return Account.objects.none()
    queued = WorkItem.objects.filter(account=OuterRef("pk"), done_at__isnull=True, team__isnull=False)
    if user.team_id is None:
        return Account.objects.filter(~Exists(queued))
    mine = queued.filter(team_id=user.team_id)
    return Account.objects.filter(Q(~Exists(queued)) | Q(Exists(mine)))


def may_see_account(user: Any, account: Account) -> bool:
    """Whether the account is on the user's side of the team wall."""
    return visible_accounts(user).filter(pk=account.pk).exists()
