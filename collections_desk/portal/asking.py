"""What a customer tells us from the page: that the money is on its way, or that a person should call."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction

from accounts import events, holds
from accounts.models import Account, AccountEvent, Hold
from accounts.refusals import Refused

OPENED = "portal.opened"
CONTACT_REQUESTED = "agents.contact.requested"
#: A customer's word that he has paid counts once in so many days.
PAID_EVERY = timedelta(days=30)
PAID_FOR = timedelta(days=7)
#: One request for a call a day: a person has seen it.
ASKED_EVERY = timedelta(days=1)

#: What may be wanted, with the words the agents read.
REASONS = {
    "call_back": "The customer asks to be called back",
    "cannot_pay": "The customer cannot pay all of it now",
    "bill_wrong": "The customer thinks a bill is wrong",
}


class CannotSayPaid(Refused):
    """Said already, not long ago."""

    code = "conflict"


def actor(account: Account) -> str:
    return f"customer:{account.customer.ref}"


def opened(account: Account, *, as_of: date, at: datetime) -> None:
    """Keep that the page was opened: who, and when; nothing of what it showed."""
    events.record(account_id=account.pk, kind=OPENED, actor=actor(account), at=at, on=as_of)


def said_paid(account: Account, *, as_of: date) -> Hold | None:
    """The hold of the customer's last word that he has paid, if it is recent."""
    return (
        Hold.objects.filter(
            account=account,
            reason=Hold.Reason.PAYMENT_IN_FLIGHT,
            placed_by=actor(account),
            starts_on__gt=as_of - PAID_EVERY,
        )
        .order_by("-starts_on", "-pk")
        .first()
    )


def say_paid(account: Account, *, as_of: date, at: datetime) -> Hold:
    """Hold treatment while the payment arrives. Raises ``CannotSayPaid`` when that was said within 30 days."""
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
        if said_paid(account, as_of=as_of) is not None:
            raise CannotSayPaid("That was said within the last thirty days.")
        return holds.place(
            account_id=account.pk,
            reason=Hold.Reason.PAYMENT_IN_FLIGHT,
            starts_on=as_of,
            ends_on=as_of + PAID_FOR,
            actor=actor(account),
            as_of=as_of,
            at=at,
        )


def asked_for_a_call(account: Account, *, at: datetime) -> bool:
    """Whether a call was asked for within the last day."""
    recent = AccountEvent.objects.filter(account=account, kind=CONTACT_REQUESTED, at__gt=at - ASKED_EVERY)
    return recent.exists()


def ask_for_a_call(account: Account, reason: str, *, as_of: date, at: datetime) -> None:
    """Make it a task for a person; asked again within a day, it is one still. ``reason`` is a code of ``REASONS``."""
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
        if asked_for_a_call(account, at=at):
            return
        events.record(
            account_id=account.pk,
            kind=CONTACT_REQUESTED,
            actor=actor(account),
            at=at,
            on=as_of,
            reason=REASONS[reason],
            payload={"code": reason},
            react=True,
        )
