"""Letting one of the desk's fees go: once, for a reason, by whoever may, and mirrored in the journal."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from accounts import events, settling
from accounts.models import Account, Fee, JournalEntry
from agents import fees
from agents.models import Agent
from dunning import cases
from dunning.cases import NewFee
from tests.factories import (
    TODAY,
    kinds_of,
    make_adjustment,
    make_agent,
    make_bill,
    moment,
    owing,
    settled,
)

pytestmark = pytest.mark.django_db


def charged(account: Account, amount: str = "10.00", *, key: str = "1") -> Fee:
    assert cases.charge([NewFee(account.pk, Fee.Kind.LATE, Decimal(amount), key)], as_of=TODAY)
    settled(account)
    return Fee.objects.get(ref=f"desk-fee-{key}")


def waive(fee: Fee, reason: str = "goodwill") -> Fee:
    return fees.waive(fee_ref=fee.ref, actor="agent:sofia", reason=reason, as_of=TODAY, at=moment())


def test_a_waived_fee_leaves_the_balance_and_its_journal_is_mirrored() -> None:
    account = owing()
    waived = waive(charged(account))
    settled(account)
    assert account.fees == 0
    assert (waived.waived_on, waived.waived_by, waived.waive_reason) == (TODAY, "agent:sofia", "goodwill")
    entries = JournalEntry.objects.filter(account=account, event_type__startswith="FEE").order_by("pk")
    assert [(entry.event_type, entry.debit_code, entry.credit_code, entry.amount) for entry in entries] == [
        ("FEE", "12000", "41000", 10),
        ("FEE_REVERSED", "41000", "12000", 10),
    ]
    told = account.events.get(kind=events.FEE_WAIVED)
    assert (told.actor, told.reason, told.payload["amount"]) == ("agent:sofia", "goodwill", "10.000")


def test_a_fee_is_waived_once() -> None:
    fee = waive(charged(owing()))
    with pytest.raises(fees.CannotWaive, match="waived on"):
        waive(fee)
    assert kinds_of(fee.account, events.FEE_WAIVED) == [events.FEE_WAIVED]


def test_a_fee_that_billing_has_charged_is_billings_to_credit() -> None:
    account = owing()
    fee = charged(account)
    make_adjustment(account, "10.00", bill_ref=account.bills.get().ref, fee_ref=fee.ref)
    settled(account)
    with pytest.raises(fees.CannotWaive, match="billing"):
        waive(fee)
    assert Fee.objects.get().waived_on is None


def test_a_fee_that_is_written_off_is_not_waived_too() -> None:
    account = owing()
    fee = charged(account)
    cases.write_off(account_id=account.pk, actor="agent:sofia", as_of=TODAY, at=moment(), reason="gone away")
    with pytest.raises(fees.CannotWaive, match="written off"):
        waive(fee)


def test_nothing_is_waived_without_a_reason() -> None:
    fee = charged(owing())
    with pytest.raises(fees.NeedsReason):
        waive(fee, "  ")
    assert Fee.objects.get().waived_on is None


def test_only_fees_that_are_still_the_desks_are_open() -> None:
    account = owing()
    waive(charged(account))
    billed = Fee.objects.create(ref="desk-fee-2", account=account, kind="late_fee", on=TODAY, amount=3)
    make_adjustment(account, "3.00", bill_ref=account.bills.get().ref, fee_ref=billed.ref)
    still = Fee.objects.create(ref="desk-fee-3", account=account, kind="reconnection_fee", on=TODAY, amount=4)
    assert list(fees.open_fees(account_id=account.pk, as_of=TODAY)) == [still]


def test_one_kind_of_fee_is_charged_once_a_day() -> None:
    account = owing()
    charged(account)
    assert not cases.charge([NewFee(account.pk, Fee.Kind.LATE, Decimal(10), "2")], as_of=TODAY)
    assert cases.charge([NewFee(account.pk, Fee.Kind.RECONNECTION, Decimal(10), "3")], as_of=TODAY)
    assert Fee.objects.count() == 2


# --- on the account's page --------------------------------------------------------------------------------------------


def page_of(account: Account, person: Agent) -> str:
    client = Client()
    client.force_login(person)
    return client.get(f"/accounts/{account.ref}/").content.decode()


def account_with_fee() -> tuple[Account, Fee]:
    today = timezone.now().date()
    account = owing(as_of=today)
    fee = Fee.objects.create(ref="desk-fee-1", account=account, kind="late_fee", on=today, amount=10)
    settling.mark_unsettled([account.pk])
    settled(account, as_of=today)
    return account, fee


def test_a_supervisor_waives_where_the_fee_is_shown_and_an_agent_sees_no_button() -> None:
    account, fee = account_with_fee()
    address = f"/accounts/{account.ref}/fees/{fee.ref}/waive/"
    agent, supervisor = make_agent(), make_agent("supervisor")
    client = Client()
    client.force_login(agent)
    assert "Late fee" in page_of(account, agent)
    assert address not in page_of(account, agent)
    assert client.post(address, {"reason": "goodwill"}).status_code == 403
    assert Fee.objects.get().waived_on is None
    client.force_login(supervisor)
    assert address in page_of(account, supervisor)
    assert "Say why" in client.post(address, {"reason": ""}, follow=True).content.decode()
    assert "Late fee waived." in client.post(address, {"reason": "goodwill"}, follow=True).content.decode()
    assert Fee.objects.get().waived_by == f"agent:{supervisor.username}"
    assert address not in page_of(account, supervisor)


def test_a_fee_of_another_account_is_not_found_on_this_one() -> None:
    account, fee = account_with_fee()
    other = owing()
    make_bill(other)
    client = Client()
    client.force_login(make_agent("supervisor"))
    assert client.post(f"/accounts/{other.ref}/fees/{fee.ref}/waive/", {"reason": "x"}).status_code == 404
    assert account.desk_fees.get().waived_on is None
