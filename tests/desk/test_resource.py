from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import holds
from agents import disputes
from collections_desk.resource import account_resources
from dunning import reading
from tests.factories import (
    TODAY,
    make_account,
    make_agent,
    make_bill,
    make_item,
    make_payment,
    make_service,
    moment,
    owing,
    settled,
)

pytestmark = pytest.mark.django_db


def test_many_accounts_cost_the_queries_of_a_few_and_one_costs_fewer() -> None:
    accounts = [owing("100.00", "20.00") for _ in range(2 * reading.FEW)]
    for account in accounts:
        make_service(account)
        make_item(account)
    with CaptureQueriesContext(connection) as one:
        account_resources([accounts[0].pk], as_of=TODAY)
    with CaptureQueriesContext(connection) as more_than_a_few:
        account_resources([account.pk for account in accounts[: reading.FEW + 1]], as_of=TODAY)
    with CaptureQueriesContext(connection) as all_of_them:
        resources = account_resources([account.pk for account in accounts], as_of=TODAY)
    assert len(all_of_them) == len(more_than_a_few)
    assert len(one) < len(all_of_them)
    assert set(resources) == {account.ref for account in accounts}


def test_the_balance_is_everything_open_less_what_is_unapplied_disputed_or_not() -> None:
    account = owing("100.00", "50.00")
    bill = account.bills.order_by("due_on").first()
    assert bill is not None
    words = {"actor": "agent:x", "as_of": TODAY, "at": moment()}
    disputes.open_dispute(account_id=account.pk, bill_ref=bill.ref, amount=Decimal("30.00"), **words)
    make_payment(account, "20.00", bill_ref="not-issued-yet")
    settled(account)

    found = account_resources([account.pk], as_of=TODAY)[account.ref]

    assert (found["balance"], found["overdue"], found["disputed"], found["unapplied"]) == (
        "130.00",
        "120.00",
        "30.00",
        "20.00",
    )
    [hold] = found["holds"]
    assert (hold["reason"], hold["amount"], hold["bill_ids"]) == ("dispute", "30.00", [bill.ref])


def test_only_holds_in_force_on_the_day_are_listed() -> None:
    account = make_account()
    words = {"account_id": account.pk, "actor": "agent:x", "as_of": TODAY, "at": moment()}
    holds.place(reason="hardship", starts_on=TODAY - timedelta(days=9), ends_on=TODAY - timedelta(days=1), **words)
    holds.place(reason="legal", starts_on=TODAY + timedelta(days=1), **words)
    holds.place(reason="fraud", starts_on=TODAY, ends_on=TODAY, **words)
    found = account_resources([account.pk], as_of=TODAY)[account.ref]
    assert [hold["reason"] for hold in found["holds"]] == ["fraud"]


def test_the_first_day_past_due_is_the_day_after_the_due_date() -> None:
    account = make_account()
    make_bill(account, "10.00", due_on=TODAY - timedelta(days=1))
    make_bill(account, "10.00", due_on=TODAY)
    settled(account)
    found = account_resources([account.pk], as_of=TODAY)[account.ref]
    assert (found["days_past_due"], found["bucket"], found["overdue"], found["balance"]) == (
        1,
        "1-30",
        "10.00",
        "20.00",
    )


def test_a_claim_whose_lease_ran_out_is_shown_as_free() -> None:
    account, agent = make_account(), make_agent()
    make_item(account, claimed_by=agent, claimed_at=moment(), lease_until=moment() + timedelta(minutes=15))

    def item(minutes: int) -> tuple[str, str | None]:
        at = moment() + timedelta(minutes=minutes)
        shown = account_resources([account.pk], as_of=TODAY, at=at)[account.ref]["work_item"]
        return shown["status"], shown["claimed_by"]

    assert item(14) == ("claimed", agent.username)
    assert item(15) == ("waiting", None)


def test_no_accounts_are_no_resources() -> None:
    assert account_resources([], as_of=TODAY) == {}
