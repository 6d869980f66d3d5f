"""Notices of bills that fall due soon: the least that can leave the house."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from accounts import settling
from accounts.models import Account, Bill, ContactPoint, Customer
from dunning.models import Notice
from tests.factories import TODAY, make_account, make_bill, make_customer, moment, settled

#: Where the customer can be reached, by kind.
PLACES = {"phone": "+4479{:08}", "email": "c{}@customers.example", "address": "{} Station Road"}


def upcoming(channel: str, *fallbacks: str, number: int = 1, **columns: Any) -> Notice:
    """A notice that is due now, of a customer who has a phone, an e-mail and a postal address."""
    customer = make_customer(timezone="Europe/London", city="Bristol", postal_code="BS1 4QA")
    for kind, place in PLACES.items():
        ContactPoint.objects.create(
            ref=f"{customer.ref}-{kind}", customer=customer, kind=kind, value=place.format(number)
        )
    account = make_account(customer=customer)
    bill = make_bill(account, "40.00", due_on=TODAY + timedelta(days=5))
    settled(account)
    return Notice.objects.create(
        **{
            "account": account, "customer": customer, "key": f"{account.pk}.upcoming.0.{channel}",
            "step_code": "upcoming", "template": "upcoming", "channel": channel, "fallbacks": list(fallbacks),
            "bill_refs": [bill.ref], "currency": "EUR", "made_on": TODAY, "send_at": moment(), **columns,
        }
    )  # fmt: skip


def many(count: int, channel: str) -> None:
    """So many of them, each of a customer of its own, in few statements."""
    customers = Customer.objects.bulk_create(
        Customer(ref=f"C{n}", name=f"Customer {n}", country="GB", timezone="Europe/London", city="Bristol",
                 postal_code="BS1 4QA") for n in range(count)
    )  # fmt: skip
    ContactPoint.objects.bulk_create(
        ContactPoint(ref=f"C{n}-{kind}", customer=customer, kind=kind, value=place.format(n))
        for n, customer in enumerate(customers)
        for kind, place in PLACES.items()
    )
    accounts = Account.objects.bulk_create(
        Account(ref=f"A{n}", customer=customer, currency="EUR", opened_on=TODAY - timedelta(days=900))
        for n, customer in enumerate(customers)
    )
    bills = Bill.objects.bulk_create(
        Bill(ref=f"B{n}", account=account, issued_on=TODAY - timedelta(days=20), due_on=TODAY + timedelta(days=5),
             amount=Decimal(40)) for n, account in enumerate(accounts)
    )  # fmt: skip
    settling.mark_unsettled([account.pk for account in accounts])
    settling.settle(as_of=TODAY, at=moment(), account_ids=[account.pk for account in accounts])
    Notice.objects.bulk_create(
        Notice(account=account, customer=account.customer, key=f"{account.ref}.upcoming.0.{channel}",
               step_code="upcoming", template="upcoming", channel=channel, bill_refs=[bill.ref], currency="EUR",
               made_on=TODAY, send_at=moment()) for account, bill in zip(accounts, bills, strict=True)
    )  # fmt: skip
