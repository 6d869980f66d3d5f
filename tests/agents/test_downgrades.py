"""A cheaper product: asked for once, told by webhook, answered by billing or the network."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import PendingEvent
from agents import downgrades, kinds
from agents.downgrades import CannotAnswer, CannotDowngrade
from agents.models import Downgrade
from tests.factories import TODAY, kinds_of, make_service, moment, owing

pytestmark = pytest.mark.django_db

NOW: dict[str, Any] = {"actor": "agent:nadia", "as_of": TODAY, "at": moment()}


def asked() -> Downgrade:
    account = owing("60.00")
    service = make_service(account, monthly_fee=Decimal(40))
    return downgrades.ask(account_id=account.pk, service_ref=service.ref, to_product="basic", to_fee=Decimal(15), **NOW)


def test_it_goes_out_with_codes_and_changes_nothing_here() -> None:
    downgrade = asked()

    event = downgrade.account.events.get(kind=kinds.DOWNGRADE_REQUESTED)
    assert event.payload == {
        "downgrade": downgrade.ref,
        "service": downgrade.service.ref,
        "product": "basic",
        "from_fee": "40.000",
        "to_fee": "15",
        "currency": "EUR",
    }
    assert PendingEvent.objects.filter(event=event).exists()
    downgrade.service.refresh_from_db(fields=["monthly_fee"])
    assert downgrade.service.monthly_fee == 40


@pytest.mark.parametrize(
    ("product", "fee"), [("basic", "40.00"), ("basic", "-1.00"), ("basic", "1.001"), ("", "10.00"), ("x" * 81, "10.00")]
)
def test_what_is_no_cheaper_product_is_refused(product: str, fee: str) -> None:
    account = owing("60.00")
    service = make_service(account, monthly_fee=Decimal(40))

    with pytest.raises(CannotDowngrade):
        downgrades.ask(account_id=account.pk, service_ref=service.ref, to_product=product, to_fee=Decimal(fee), **NOW)


def test_a_service_of_somebody_else_and_one_that_is_asked_for_already_are_refused() -> None:
    downgrade, stranger = asked(), make_service(owing("1.00"))
    terms: dict[str, Any] = {"account_id": downgrade.account_id, "to_product": "basic", "to_fee": Decimal(1), **NOW}

    with pytest.raises(CannotDowngrade, match="not of this account"):
        downgrades.ask(service_ref=stranger.ref, **terms)
    with pytest.raises(CannotDowngrade, match="asked for already"):
        downgrades.ask(service_ref=downgrade.service.ref, **terms)


@pytest.mark.parametrize(
    ("done", "state", "kind"), [(True, "done", kinds.DOWNGRADE_DONE), (False, "refused", kinds.DOWNGRADE_REFUSED)]
)
def test_it_is_answered_once(done: bool, state: str, kind: str) -> None:
    downgrade = asked()

    for _ in range(2):
        answered = downgrades.answer(downgrade_id=downgrade.pk, done=done, **NOW)
    assert answered.state == state
    assert kinds_of(downgrade.account).count(kind) == 1
    with pytest.raises(CannotAnswer):
        downgrades.answer(downgrade_id=downgrade.pk, done=not done, **NOW)
