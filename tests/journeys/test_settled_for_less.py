"""Settlements and time to pay through the day's run: kept, void, over, and what comes back into the queue."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from accounts.business_day import move_to
from accounts.models import Account
from accounts.models.account import AccountStatus
from agents import extensions, rights, settlements
from agents.models import WorkItem
from collections_desk import journey
from tests.factories import TODAY, make_agent, make_payment, moment, owing

pytestmark = pytest.mark.django_db

PAY_BY = TODAY + timedelta(days=10)


@pytest.fixture
def account() -> Account:
    move_to(TODAY)
    owed = owing("400.00")
    Account.objects.filter(pk=owed.pk).update(status=AccountStatus.COLLECTIONS)
    return owed


def run(on: date) -> None:
    journey.run_day(as_of=on, at=moment(on))


def offer(account: Account) -> None:
    agent = make_agent()
    settlements.agree(
        account_id=account.pk,
        amount=Decimal(360),
        pay_by=PAY_BY,
        actor=rights.actor(agent),
        agent=agent,
        as_of=TODAY,
        at=moment(),
    )


def test_paid_in_time_the_account_is_cured_by_the_days_run(account: Account) -> None:
    offer(account)
    make_payment(account, "360.00", on=PAY_BY)

    run(PAY_BY)

    found = Account.objects.get(pk=account.pk)
    assert (account.settlements.get().status, found.status, found.open_amount) == ("kept", "current", Decimal(0))


def test_not_paid_it_is_void_and_comes_back_to_the_agents(account: Account) -> None:
    offer(account)
    run(PAY_BY)
    assert account.settlements.get().status == "open"

    run(PAY_BY + timedelta(days=1))

    assert account.settlements.get().status == "broken"
    assert Account.objects.get(pk=account.pk).open_amount == 400
    [item] = WorkItem.objects.filter(account=account, kind="collect", done_at=None)
    assert item.reason == "settlement not paid"


def test_time_to_pay_is_over_and_the_account_comes_back_to_the_agents(account: Account) -> None:
    agent = make_agent()
    now = {"actor": rights.actor(agent), "agent": agent, "as_of": TODAY, "at": moment()}
    extensions.agree(account_id=account.pk, until=PAY_BY, **now)  # type: ignore[arg-type]  # each as it is named

    run(PAY_BY)
    assert account.extensions.get().status == "active"
    run(PAY_BY + timedelta(days=1))

    assert account.extensions.get().status == "ended"
    [item] = WorkItem.objects.filter(account=account, kind="collect", done_at=None)
    assert item.reason == "time to pay is over"
