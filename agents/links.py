"""Accounts that belong together: the customer's others, the account that pays for this one, and those it pays for.

One call can be about several of them. Whoever works on one may take the free ones beside it, so that nobody else calls
the same customer meanwhile, and finish them together.

The call itself stays one: it is logged on the account that was open, and names the others that it was about. The gate
counts it for each of them, as the law counts by the debt, and once for the person. The others get a note and the same
outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Concat, NullIf, Trim

from accounts.models import Account
from agents import calls, queue, rights
from agents.models import Agent, WorkItem

#: On one page; a parent of hundreds is worked through its own queue.
MOST = 25

MINE, HELD, FREE, NOWHERE = "mine", "held", "free", "nowhere"


@dataclass(frozen=True, slots=True)
class Linked:
    """An account beside the one that is open."""

    account: Account
    #: What it is to the open one, in words.
    relation: str
    #: In this agent's hands, in another's, free to be taken, or not in the queue.
    state: str
    held_by: str = ""
    until: datetime | None = None


def beside(account: Account, user: Any) -> QuerySet[Account]:
    """The linked accounts on the user's side of the team wall, what is overdue most first, each with its place in the
    queue: ``item_id``, ``holder_id``, ``holder`` and ``lease_until``.
    """
    linked = Q(customer=account.customer_id) | Q(parent=account.pk)
    if account.parent_id is not None:
        linked |= Q(pk=account.parent_id)
    items = WorkItem.objects.filter(account=OuterRef("pk"), done_at=None).exclude(kind=WorkItem.Kind.APPROVAL)
    lead = items.order_by("pk")
    full_name = Trim(Concat("claimed_by__first_name", Value(" "), "claimed_by__last_name"))
    name = Coalesce(NullIf(full_name, Value("")), "claimed_by__username")
    return (
        rights.visible_accounts(user)
        .filter(linked)
        .exclude(pk=account.pk)
        .select_related("customer")
        .annotate(
            item_id=Subquery(lead.values("pk")[:1]),
            holder_id=Subquery(lead.values("claimed_by")[:1]),
            holder=Subquery(lead.values(named=name)[:1]),
            lease_until=Subquery(lead.values("lease_until")[:1]),
        )
        .order_by("-overdue", "pk")[:MOST]
    )


def told(rows: Iterable[Any], *, account: Account, agent: Agent, at: datetime) -> list[Linked]:
    """The rows of ``beside`` as the page shows them. No query."""
    return [_told(row, account, agent, at) for row in rows]


def _told(row: Any, account: Account, agent: Agent, at: datetime) -> Linked:
    live = row.lease_until is not None and row.lease_until > at
    if row.item_id is None:
        state = NOWHERE
    elif live:
        state = MINE if row.holder_id == agent.pk else HELD
    else:
        state = FREE
    return Linked(
        account=row,
        relation=_relation(row, account),
        state=state,
        held_by=row.holder or "" if state == HELD else "",
        until=row.lease_until if live else None,
    )


def _relation(row: Account, account: Account) -> str:
    if row.pk == account.parent_id:
        return "Parent: pays for this one" if not account.pays_itself else "Parent"
    if row.parent_id == account.pk:
        return "Child: this one pays for it" if not row.pays_itself else "Child"
    return "Same customer"


def work_together(*, account: Account, agent: Agent, at: datetime) -> tuple[list[Account], list[Account]]:
    """Take every free linked account for this agent in one go; which came, and which another holds.

    Accounts are taken in order of their keys, so that two agents who do the same do not wait for each other.
    """
    beside_it: Iterable[Any] = beside(account, agent)
    rows = [row for row in beside_it if row.item_id is not None]
    taken: list[Account] = []
    missed: list[Account] = []
    with transaction.atomic():
        for row in sorted(rows, key=lambda row: row.pk):
            item = queue.claim(account_id=row.pk, agent=agent, at=at)
            (missed if item is None else taken).append(row)
    return taken, missed


def keep_together(*, account: Account, agent: Agent, at: datetime) -> int:
    """Renew the agent's live claims on the linked accounts, with the heartbeat of the open one; how many. One query."""
    linked = Q(account__customer=account.customer_id) | Q(account__parent=account.pk)
    if account.parent_id is not None:
        linked |= Q(account=account.parent_id)
    held = WorkItem.objects.filter(linked, done_at=None, claimed_by=agent, lease_until__gt=at)
    return held.exclude(account=account.pk).update(lease_until=at + queue.LEASE)


def finish_together(
    *,
    account: Account,
    refs: Sequence[str],
    outcome: str,
    said: str,
    not_before: datetime | None,
    called: bool,
    agent: Agent,
    as_of: date,
    at: datetime,
) -> list[str]:
    """Finish linked accounts with the outcome of this one, each with a note of where it was spoken about; which.

    ``called``: the agent's last call on the account was about all of them. Left out is what is not linked, not in this
    agent's hands any more, or on the other side of the team wall.
    """
    finished: list[str] = []
    about: list[int] = []
    with transaction.atomic():
        for row in sorted(beside(account, agent), key=lambda row: row.pk):
            if row.ref not in refs:
                continue
            item = queue.held(account_id=row.pk, agent=agent, at=at)
            if item is None:
                continue
            text = f"Spoken about together with account {account.ref}: {said}"
            calls.add_note(account_id=row.pk, text=text, actor=rights.actor(agent), as_of=as_of, at=at)
            queue.complete(item_id=item.pk, agent=agent, at=at, outcome=outcome, not_before=not_before)
            finished.append(row.ref)
            about.append(row.pk)
        call = account.interactions.filter(agent=agent).order_by("-pk").first() if called and about else None
        if call is not None:
            call.also_about = about
            call.save(update_fields=["also_about"])
    return finished
