from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Account
from agents import disputes, kinds
from agents.disputes import CannotDispute, CannotResolve
from agents.models import Dispute
from tests.factories import TODAY, kinds_of, make_adjustment, moment, owing, settled

pytestmark = pytest.mark.django_db


def open_dispute(account: Account, amount: str, bill_ref: str | None = None) -> Dispute:
    return disputes.open_dispute(
        account_id=account.pk,
        bill_ref=account.bills.order_by("due_on")[0].ref if bill_ref is None else bill_ref,
        amount=Decimal(amount),
        reason="roaming",
        note="never left the country",
        actor="agent:nadia",
        as_of=TODAY,
        at=moment(),
    )


def resolve(dispute: Dispute, outcome: str) -> Dispute:
    return disputes.resolve(
        dispute_id=dispute.pk, outcome=outcome, note="checked", actor="agent:omar", as_of=TODAY, at=moment()
    )


def amounts(account: Account) -> tuple[Decimal, Decimal]:
    return Account.objects.values_list("overdue", "disputed").get(pk=account.pk)


def test_only_the_contested_amount_leaves_what_is_judged() -> None:
    account = owing("100.00")

    dispute = open_dispute(account, "30.00")

    assert amounts(account) == (70, 30)
    assert dispute.hold is not None
    assert dispute.hold.amount == 30
    assert kinds_of(account, "agents.") == [kinds.DISPUTE_OPENED]


def test_a_dispute_without_a_bill_is_of_the_account() -> None:
    account = owing("100.00", "50.00")

    open_dispute(account, "120.00", bill_ref="")

    assert amounts(account) == (30, 120)


@pytest.mark.parametrize(("amount", "words"), [("70.01", "Only EUR 70.00 is open and undisputed"), ("0", "nothing")])
def test_no_more_than_what_is_open_and_undisputed_can_be_contested(amount: str, words: str) -> None:
    account = owing("100.00")
    open_dispute(account, "30.00")

    with pytest.raises(CannotDispute, match=words):
        open_dispute(account, amount)


def test_bills_of_others_cannot_be_contested() -> None:
    with pytest.raises(CannotDispute, match="not of this account"):
        open_dispute(owing("100.00"), "1.00", bill_ref=owing("5.00").bills.get().ref)


def test_upheld_the_desk_credits_until_billing_does() -> None:
    account = owing("100.00")
    dispute = open_dispute(account, "30.00")

    resolve(dispute, "upheld")

    credit = account.adjustments.get()
    assert (credit.amount, credit.kind, credit.dispute_ref) == (-30, "dispute", dispute.ref)
    assert credit.ref.startswith("desk-")
    assert amounts(account) == (70, 0)
    make_adjustment(account, "-30.00", bill_ref=dispute.bill_ref, dispute_ref=dispute.ref)
    settled(account)
    assert amounts(account) == (70, 0), "billing's credit replaces ours, never both"


@pytest.mark.parametrize("outcome", ["rejected", "withdrawn"])
def test_otherwise_the_amount_is_owed_again(outcome: str) -> None:
    account = owing("100.00")
    dispute = open_dispute(account, "30.00")

    resolved = resolve(dispute, outcome)

    assert amounts(account) == (100, 0)
    assert not account.adjustments.exists()
    assert (resolved.resolved_on, resolved.resolved_by) == (TODAY, "agent:omar")
    assert resolved.note == "never left the country\nchecked"
    assert account.events.get(kind=kinds.DISPUTE_RESOLVED).payload["outcome"] == outcome


def test_a_dispute_is_resolved_once() -> None:
    dispute = open_dispute(owing("100.00"), "30.00")
    with pytest.raises(CannotResolve, match="upheld, rejected, withdrawn"):
        resolve(dispute, "maybe")
    resolve(dispute, "rejected")

    with pytest.raises(CannotResolve, match=f"rejected on {TODAY}"):
        resolve(dispute, "upheld")


def test_the_debt_ages_on_while_it_is_contested() -> None:
    account = owing("100.00")
    dispute = open_dispute(account, "100.00")
    due_on = account.bills.get().due_on
    later = TODAY + timedelta(days=10)

    disputes.resolve(dispute_id=dispute.pk, outcome="rejected", actor="agent:omar", as_of=later, at=moment(later))

    account.refresh_from_db(fields=["oldest_due_on"])
    assert account.oldest_due_on == due_on
