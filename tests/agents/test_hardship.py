"""The hardship programme: everything is paused until a person looks again, with a token where one can be paid."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account, AccountEvent, Hold
from agents import hardship
from agents.models import Plan, WorkItem
from tests.factories import TODAY, make_agent, moment, owing

pytestmark = pytest.mark.django_db

REVIEW = TODAY + timedelta(days=75)


def begun(account: Account, **terms: Any) -> Hold:
    given = {"review_on": REVIEW, "actor": "agent:nadia", "agent": make_agent(), **terms}
    return hardship.begin(account_id=account.pk, as_of=TODAY, at=moment(), **given)


def test_it_pauses_the_account_until_the_review_with_a_task_for_that_day() -> None:
    account = owing("100.00")

    hold = begun(account, read_back="We pause everything.", note="Lost the job")

    assert (hold.reason, hold.ends_on, hold.note) == ("hardship", REVIEW, "Lost the job\nWe pause everything.")
    task = WorkItem.objects.get(account=account, kind=WorkItem.Kind.TASK)
    assert str(REVIEW) in task.reason
    assert task.not_before is not None
    assert task.not_before.date() in {REVIEW, REVIEW - timedelta(days=1)}
    payload = AccountEvent.objects.get(kind="agents.hardship.begun").payload
    assert payload["hold"] == hold.ref
    assert "job" not in str(payload)


def test_a_token_is_paid_until_the_review_and_the_rest_is_looked_at_then() -> None:
    account = owing("100.00", "60.00")

    begun(account, token=Decimal("5.00"), first_on=TODAY + timedelta(days=7), every="month", agreed_by="phone")

    plan = Plan.objects.get()
    parts = list(plan.instalments.order_by("position").values_list("due_on", "amount"))
    assert [amount for _, amount in parts] == [Decimal("5.000")] * 3 + [Decimal("145.000")]
    assert parts[-1][0] == REVIEW
    assert plan.agreed_by == "phone"


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"review_on": TODAY}, "lies ahead"),
        ({"review_on": TODAY + timedelta(days=181)}, "180 days at the latest"),
        ({"token": Decimal("5.001"), "first_on": TODAY}, "5.001 is no amount of EUR"),
        ({"token": Decimal("5"), "first_on": REVIEW}, "before the review"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_left_behind(terms: dict[str, Any], says: str) -> None:
    account = owing("100.00")

    with pytest.raises(hardship.CannotBegin, match=says):
        begun(account, **terms)

    assert not Hold.objects.exists()
    assert not Plan.objects.exists()
    assert not WorkItem.objects.exists()


def test_nobody_is_in_it_twice() -> None:
    account = owing("100.00")
    begun(account)

    with pytest.raises(hardship.CannotBegin, match="already"):
        begun(account)


@pytest.mark.parametrize(("currency", "token"), [("JPY", "500"), ("KWD", "1.125")])
def test_tokens_come_to_what_is_open_in_every_currency(currency: str, token: str) -> None:
    account = owing("16000" if currency == "JPY" else "160.125", currency=currency)

    begun(account, token=Decimal(token), first_on=TODAY + timedelta(days=7), every="week")

    parts = Plan.objects.get().instalments.values_list("amount", flat=True)
    assert sum(parts) == account.open_amount
