"""Customers, accounts, facts and people for tests: each with the least it needs, everything else by keyword.

A fact marks its account unsettled, as every writer of facts does; ``settled`` brings accounts to what their facts say.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import count
from typing import Any

from django.contrib.auth.models import Group

from accounts import settling
from accounts.models import Account, Adjustment, Bill, Customer, Payment, Service
from agents.models import Agent, Team, WorkItem

TODAY = date(2026, 3, 10)

_numbers = count(1)


def moment(on: date = TODAY, hour: int = 12, minute: int = 0) -> datetime:
    """A moment of that day, UTC."""
    return datetime.combine(on, time(hour, minute), tzinfo=UTC)


def make_customer(**columns: Any) -> Customer:
    number = next(_numbers)
    return Customer.objects.create(**{"ref": f"C{number}", "name": f"Customer {number}", "country": "GB", **columns})


def make_account(**columns: Any) -> Account:
    """An account in euro, with a customer of its own unless one is given."""
    columns.setdefault("customer", None)
    customer = columns.pop("customer") or make_customer()
    return Account.objects.create(
        **{
            "ref": f"A{next(_numbers)}",
            "customer": customer,
            "currency": "EUR",
            "opened_on": date(2020, 1, 1),
            **columns,
        }
    )


def make_service(account: Account, **columns: Any) -> Service:
    return Service.objects.create(**{"ref": f"S{next(_numbers)}", "account": account, "kind": "mobile", **columns})


def make_bill(account: Account, amount: str = "100.00", **columns: Any) -> Bill:
    """A bill issued on 1 February 2026 and due on the 15th, unless told otherwise."""
    bill = Bill.objects.create(
        **{
            "ref": f"B{next(_numbers)}",
            "account": account,
            "issued_on": date(2026, 2, 1),
            "due_on": date(2026, 2, 15),
            "amount": Decimal(amount),
            **columns,
        }
    )
    settling.mark_unsettled([account.pk])
    return bill


def make_payment(account: Account, amount: str, on: date = TODAY, **columns: Any) -> Payment:
    payment = Payment.objects.create(
        **{
            "ref": f"P{next(_numbers)}",
            "account": account,
            "received_on": on,
            "amount": Decimal(amount),
            **columns,
        }
    )
    settling.mark_unsettled([account.pk])
    return payment


def make_adjustment(account: Account, amount: str, on: date = TODAY, **columns: Any) -> Adjustment:
    adjustment = Adjustment.objects.create(
        **{"ref": f"J{next(_numbers)}", "account": account, "on": on, "amount": Decimal(amount), **columns}
    )
    settling.mark_unsettled([account.pk])
    return adjustment


def settled(*accounts: Account, as_of: date = TODAY) -> None:
    """Bring those accounts to what their facts say, and the instances with them."""
    settling.settle(as_of=as_of, at=moment(as_of), account_ids=[account.pk for account in accounts])
    for account in accounts:
        # The status cannot be assigned (its field is protected), so a refresh of the whole row fails.
        account.refresh_from_db(fields=[f.name for f in account._meta.concrete_fields if f.name != "status"])


def owing(*amounts: str, as_of: date = TODAY, **columns: Any) -> Account:
    """An account with a past-due bill for each amount, the first the oldest, settled."""
    account = make_account(**columns)
    for position, amount in enumerate(amounts or ("100.00",)):
        month = date(2025 + (9 + position) // 12, (9 + position) % 12 + 1, 1)
        make_bill(account, amount, issued_on=month, due_on=month.replace(day=15))
    settled(account, as_of=as_of)
    return account


def make_team(name: str = "") -> Team:
    return Team.objects.create(name=name or f"Team {next(_numbers)}")


def make_agent(role: str = "agent", **columns: Any) -> Agent:
    """Somebody with a role, by the groups of the migration; no password."""
    person = Agent(**{"username": f"{role}{next(_numbers)}", **columns})
    person.set_unusable_password()
    person.save()
    person.groups.add(Group.objects.get(name=role))
    return person


def make_item(account: Account, **columns: Any) -> WorkItem:
    return WorkItem.objects.create(**{"account": account, "created_at": moment(), **columns})


def kinds_of(account: Account, prefix: str = "") -> list[str]:
    """The kinds of the account's events, in order, where they begin with ``prefix``."""
    return list(account.events.filter(kind__startswith=prefix).order_by("pk").values_list("kind", flat=True))
