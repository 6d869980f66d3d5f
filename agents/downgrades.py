"""A cheaper product that the customer asked for: billing and the network are told by webhook, and answer."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

from django.db import transaction

from accounts import events
from accounts.models import Account, Service
from accounts.models.fields import DESK_PREFIX
from accounts.money import quantize
from accounts.refusals import Refused
from agents import card_numbers, kinds
from agents.models import Downgrade


class CannotDowngrade(Refused):
    """That cannot be asked for; the text tells the agent why."""


class CannotAnswer(Refused):
    """It was answered already."""

    code = "conflict"


def ask(
    *,
    account_id: int,
    service_ref: str,
    to_product: str,
    to_fee: Decimal,
    actor: str,
    as_of: date,
    at: datetime,
    note: str = "",
) -> Downgrade:
    """Ask billing and the network to move a service to a cheaper product; ``to_fee`` is its monthly fee.

    Nothing changes here: what it costs comes with the next bill. Raises ``CannotDowngrade`` and
    ``card_numbers.CannotKeepCard``.
    """
    note, to_product = card_numbers.without_cards(note).strip()[:300], to_product.strip()
    with transaction.atomic():
        account = Account.objects.select_for_update(no_key=True).get(pk=account_id)
        service = Service.objects.filter(account=account, ref=service_ref).first()
        if service is None:
            raise CannotDowngrade(f"Service {service_ref} is not of this account.", code="invalid")
        if not to_product or len(to_product) > 80:
            raise CannotDowngrade("Name the product, in up to 80 characters.", code="invalid")
        if to_fee < 0 or to_fee != quantize(to_fee, account.currency):
            raise CannotDowngrade(f"{to_fee} is no monthly fee in {account.currency}.", code="invalid")
        fee = service.monthly_fee or Decimal(0)
        if fee and to_fee >= fee:
            raise CannotDowngrade("That is not cheaper than what they have.", code="invalid")
        if Downgrade.objects.filter(service=service, state=Downgrade.State.ASKED).exists():
            raise CannotDowngrade("A cheaper product is asked for already: wait for the answer.", code="conflict")
        downgrade = Downgrade.objects.create(
            ref=f"{DESK_PREFIX}{uuid4().hex}",
            account=account,
            service=service,
            to_product=to_product,
            from_fee=fee,
            to_fee=to_fee,
            asked_at=at,
            asked_by=actor,
            note=note,
        )
        events.record(
            account_id=account_id,
            kind=kinds.DOWNGRADE_REQUESTED,
            actor=actor,
            at=at,
            on=as_of,
            payload={
                "downgrade": downgrade.ref,
                "service": service.ref,
                "product": to_product,
                "from_fee": str(fee),
                "to_fee": str(to_fee),
                "currency": account.currency,
            },
            react=True,
        )
    return downgrade


def answer(*, downgrade_id: int, done: bool, actor: str, as_of: date, at: datetime, note: str = "") -> Downgrade:
    """Billing's or the network's answer. Raises ``CannotAnswer`` for one that was answered otherwise."""
    note = card_numbers.without_cards(note).strip()[:300]
    state = Downgrade.State.DONE if done else Downgrade.State.REFUSED
    with transaction.atomic():
        account_id = Downgrade.objects.values_list("account_id", flat=True).get(pk=downgrade_id)
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
        downgrade = Downgrade.objects.select_related("service").get(pk=downgrade_id)
        if downgrade.state == state:
            return downgrade
        if downgrade.state != Downgrade.State.ASKED:
            raise CannotAnswer(f"This was {downgrade.get_state_display().lower()} already.")
        downgrade.state, downgrade.answered_at = state, at
        downgrade.note = note or downgrade.note
        downgrade.save(update_fields=["state", "answered_at", "note"])
        events.record(
            account_id=account_id,
            kind=kinds.DOWNGRADE_DONE if done else kinds.DOWNGRADE_REFUSED,
            actor=actor,
            at=at,
            on=as_of,
            payload={
                "downgrade": downgrade.ref,
                "service": downgrade.service.ref,
                "product": downgrade.to_product,
            },
            react=True,
        )
    return downgrade
