"""Agents and accounts for a run: made in the desk's own database, and put aside when it is over."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import Account, Bill, Customer
from agents import queue
from agents.models import Agent, WorkItem

ACTOR = "desk:load"
#: Accounts of a run are told by their ids.
PREFIX = "load-"
CHUNK = 2_000


def hire(count: int, *, at: datetime) -> dict[str, str]:
    """So many agents, signed in: each with the key of a session, because fifty passwords hashed at once are a load of
    their own.
    """
    role = Group.objects.get(name="agent")
    signed_in = {}
    for number in range(1, count + 1):
        agent, _made = Agent.objects.get_or_create(username=f"load-agent-{number}")
        agent.is_active = True
        agent.set_unusable_password()
        agent.save(update_fields=["is_active", "password"])
        agent.groups.set([role])
        # What an earlier run was killed with.
        for item in WorkItem.objects.filter(claimed_by=agent, done_at=None):
            queue.release(item_id=item.pk, agent=agent, at=at)
        client = Client()
        client.force_login(agent)
        signed_in[agent.username] = client.cookies[settings.SESSION_COOKIE_NAME].value
    return signed_in


def dismiss(names: Collection[str]) -> None:
    """Their sessions end; the history goes on naming them."""
    Agent.objects.filter(username__in=names).update(is_active=False)


def fill(count: int, *, as_of: date, at: datetime) -> int:
    """Top the queue up to so many accounts that may be called now; how many were added."""
    free = queue.offered(WorkItem.objects.filter(done_at=None, kind=WorkItem.Kind.COLLECT), at=at).count()
    missing = max(0, count - free)
    begun = Account.objects.filter(ref__startswith=PREFIX).count()
    zone = noon_at(at)
    for first in range(begun, begun + missing, CHUNK):
        _add(range(first, min(first + CHUNK, begun + missing)), zone=zone, as_of=as_of, at=at)
    return missing


def _add(numbers: range, *, zone: str, as_of: date, at: datetime) -> None:
    customers = Customer.objects.bulk_create(
        [
            Customer(
                ref=f"{PREFIX}{n}", name=f"Load {n}", language="en", timezone=zone, phone=f"+6421{n:07d}", country="NZ"
            )
            for n in numbers
        ]
    )
    accounts = Account.objects.bulk_create(
        [
            Account(
                ref=customer.ref,
                customer=customer,
                currency="NZD",
                opened_on=date(2020, 1, 1),
                product="mobile",
                status="collections",
                open_amount=Decimal(20 + n % 400),
                overdue=Decimal(20 + n % 400),
                oldest_due_on=as_of - timedelta(days=5 + n % 150),
            )
            for n, customer in zip(numbers, customers, strict=True)
        ]
    )
    Bill.objects.bulk_create(
        [
            Bill(
                ref=account.ref,
                account=account,
                issued_on=account.oldest_due_on - timedelta(days=21),
                due_on=account.oldest_due_on,
                amount=account.overdue,
                open_amount=account.overdue,
            )
            for account in accounts
            if account.oldest_due_on
        ]
    )
    queue.enqueue(account_ids=[account.pk for account in accounts], reason="load", as_of=as_of, at=at, actor=ACTOR)


def noon_at(at: datetime) -> str:
    """A zone in which it is about noon: customers there may be called."""
    hours = round(12 - (at.astimezone(UTC).hour + at.minute / 60))
    # The signs of these zones are the other way round.
    name = f"Etc/GMT{-hours:+d}" if hours else "Etc/GMT"
    ZoneInfo(name)
    return name
