from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest

from accounts import events
from accounts.importing.landing import CannotLand, Landing, land
from accounts.importing.spec import FileSpec
from accounts.models import Account, Hold
from agents import disputes, kinds, plans, promises
from agents.book import DISPUTES, INTERACTIONS, PLANS, PROMISES
from agents.models import Dispute, Interaction, Plan, Promise
from tests.factories import TODAY, make_bill, moment, owing, settled

pytestmark = pytest.mark.django_db


def bring(spec: FileSpec, *rows: Mapping[str, object]) -> Landing:
    return land(spec, rows, on=TODAY, at=moment(), actor="import")


def overdue(account: Account, as_of: date = TODAY) -> Decimal:
    settled(account, as_of=as_of)
    return Account.objects.get(pk=account.pk).overdue


def dispute_row(account: Account, **columns: object) -> dict[str, object]:
    return {
        "dispute_id": "D1",
        "account_id": account.ref,
        "amount": "30.00",
        "opened_on": "2026-03-01",
        "bill_id": account.bills.get().ref,
        **columns,
    }


def test_a_dispute_takes_its_amount_out_from_its_day_on() -> None:
    account = owing("100.00")

    bring(DISPUTES, dispute_row(account, opened_on="2026-03-12"))

    assert overdue(account) == 100
    account_day = date(2026, 3, 12)
    bring(DISPUTES, dispute_row(account, opened_on="2026-03-01"))
    assert overdue(account, account_day) == 70
    assert Hold.objects.get().reason == "dispute"
    assert account.events.filter(kind=kinds.DISPUTE_OPENED).count() == 1
    assert account.events.filter(kind=events.HOLD_PLACED).count() == 1


def test_a_resolved_dispute_is_owed_again_or_credited() -> None:
    rejected, upheld = owing("100.00"), owing("100.00")
    resolved = {"resolved_on": "2026-03-05"}

    bring(DISPUTES, dispute_row(rejected, **resolved, outcome="rejected"))
    bring(DISPUTES, dispute_row(upheld, dispute_id="D2", **resolved, outcome="upheld"))

    assert overdue(rejected) == 100
    assert overdue(upheld) == 70
    credit = upheld.adjustments.get()
    assert (credit.amount, credit.on, credit.kind, credit.dispute_ref) == (-30, date(2026, 3, 5), "dispute", "D2")


def test_the_same_dispute_again_writes_nothing_and_a_resolution_later_ends_its_hold() -> None:
    account = owing("100.00")
    bring(DISPUTES, dispute_row(account))

    assert bring(DISPUTES, dispute_row(account)).written == 0
    assert bring(DISPUTES, dispute_row(account, resolved_on="2026-03-09", outcome="rejected")).written == 1

    assert Hold.objects.get().lifted_on == date(2026, 3, 9)
    assert overdue(account) == 100


def test_what_the_desk_resolved_is_not_undone_by_the_file() -> None:
    account = owing("100.00")
    row = dispute_row(account, note="from the web form", resolved_on="", outcome="")
    bring(DISPUTES, row)
    settled(account)
    disputes.resolve(
        dispute_id=Dispute.objects.get().pk,
        outcome="upheld",
        note="our error",
        actor="agent:omar",
        as_of=TODAY,
        at=moment(),
    )

    assert bring(DISPUTES, row).written == 0

    dispute = Dispute.objects.get()
    assert (dispute.outcome, dispute.resolved_by) == ("upheld", "agent:omar")
    assert dispute.note == "from the web form\nour error"
    assert account.adjustments.count() == 1
    with pytest.raises(CannotLand, match="was upheld before"):
        bring(DISPUTES, dispute_row(account, resolved_on="2026-03-09", outcome="rejected"))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"resolved_on": "2026-03-05"}, "is required with resolved_on"),
        ({"outcome": "upheld"}, "is required with outcome"),
        ({"resolved_on": "2026-02-01", "outcome": "upheld"}, "is before opened_on"),
        ({"resolved_on": "2026-03-05", "outcome": "perhaps"}, "is none of"),
        ({"amount": "0"}, "more than zero"),
        ({"dispute_id": "desk-1"}, "desk-"),
    ],
)
def test_a_dispute_that_makes_no_sense_is_refused(columns: dict[str, object], words: str) -> None:
    with pytest.raises(CannotLand, match=words):
        bring(DISPUTES, dispute_row(owing("100.00"), **columns))


def test_a_dispute_of_anothers_bill_is_refused() -> None:
    with pytest.raises(CannotLand, match="bill of another account"):
        bring(DISPUTES, dispute_row(owing("100.00"), bill_id=owing("5.00").bills.get().ref))


def promise_row(account: Account, **columns: object) -> dict[str, object]:
    return {
        "promise_id": "PR1",
        "account_id": account.ref,
        "amount": "60.00",
        "made_on": "2026-03-01",
        "due_on": "2026-03-04",
        **columns,
    }


def test_a_promise_holds_from_its_day_to_due_and_grace_and_is_judged_by_the_next_run() -> None:
    account = owing("100.00")

    bring(PROMISES, promise_row(account))

    hold = Hold.objects.get()
    assert (hold.reason, hold.starts_on, hold.ends_on) == ("promise", date(2026, 3, 1), date(2026, 3, 7))
    assert promises.review(as_of=TODAY, at=moment()) == 1
    promise = Promise.objects.get()
    assert (promise.status, promise.bill_refs) == ("broken", [account.bills.get().ref])
    assert bring(PROMISES, promise_row(account)).written == 0
    assert Promise.objects.get().status == "broken"


def test_a_promise_of_a_day_to_come_waits() -> None:
    account = owing("100.00")

    bring(PROMISES, promise_row(account, made_on="2026-03-12", due_on="2026-03-20"))

    assert promises.review(as_of=TODAY, at=moment()) == 0
    assert Promise.objects.get().bill_refs == []


def test_a_promise_with_a_new_day_moves_its_hold() -> None:
    account = owing("100.00")
    bring(PROMISES, promise_row(account))

    bring(PROMISES, promise_row(account, due_on="2026-03-20"))

    assert Hold.objects.get().ends_on == date(2026, 3, 23)


def plan_row(account: Account, **columns: object) -> dict[str, object]:
    return {
        "plan_id": "PL1",
        "account_id": account.ref,
        "made_on": "2026-03-01",
        "instalments": "2026-03-05:40.00;2026-04-05:60",
        **columns,
    }


def test_a_plan_comes_with_its_instalments_and_covers_what_was_open_when_made() -> None:
    account = owing("100.00")
    old = account.bills.get().ref
    bring(PLANS, plan_row(account))
    make_bill(account, "9.00", issued_on=date(2026, 3, 2), due_on=date(2026, 3, 9))
    settled(account)

    plans.review(as_of=TODAY, at=moment())

    plan = Plan.objects.get()
    assert list(plan.instalments.order_by("position").values_list("due_on", "amount")) == [
        (date(2026, 3, 5), Decimal(40)), (date(2026, 4, 5), Decimal(60)),
    ]  # fmt: skip
    assert plan.bill_refs == [old]
    assert Hold.objects.get().bill_refs == [old]
    assert bring(PLANS, plan_row(account)).written == 0, "also when the file goes on naming no bills"
    assert bring(PLANS, plan_row(account, bill_ids="")).written == 0


def test_a_plan_names_its_bills_and_a_later_file_changes_its_instalments() -> None:
    account = owing("40.00", "60.00")
    first, second = account.bills.order_by("due_on")
    bring(PLANS, plan_row(account, bill_ids=f"{second.ref};{first.ref}"))
    assert bring(PLANS, plan_row(account, bill_ids=f"{first.ref};{second.ref}")).written == 0

    bring(PLANS, plan_row(account, bill_ids=first.ref, instalments="2026-03-06:40.00"))

    plan = Plan.objects.get()
    assert plan.bill_refs == [first.ref]
    assert list(plan.instalments.values_list("due_on", "amount")) == [(date(2026, 3, 6), Decimal(40))]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"instalments": "2026-03-05"}, "is not a list such as"),
        ({"instalments": "2026-03-05:40.001"}, "more decimals"),
        ({"instalments": "2026-03-05:0"}, "not more than zero"),
        ({"instalments": "2026-02-30:5"}, "no day of the calendar"),
        ({"instalments": "2026-03-05:5;2026-03-05:5"}, "each day after the one before"),
        ({"instalments": "2026-02-01:5"}, "due before made_on"),
        ({"bill_ids": "NOPE"}, "not of this account"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(columns: dict[str, object], words: str) -> None:
    with pytest.raises(CannotLand, match=words):
        bring(PLANS, plan_row(owing("100.00"), **columns))


def test_interactions_of_another_system_are_told_at_their_own_moment() -> None:
    account = owing("100.00")
    row = {
        "interaction_id": "I1",
        "account_id": account.ref,
        "at": "2026-03-02T10:00:00Z",
        "kind": "call",
        "direction": "outbound",
        "disposition": "rpc_refused",
        "number": "+4420",
        "duration_seconds": "61",
        "note": "will not pay",
    }

    bring(INTERACTIONS, row, {**row, "interaction_id": "I2", "kind": "visit", "disposition": "{odd"})

    call = Interaction.objects.get(ref="I1")
    assert (call.right_party, call.duration_seconds) == (True, 61)
    event = account.events.get(kind=kinds.CALL_LOGGED)
    assert event.at == call.at
    assert event.payload["conversation"] is True
    assert account.events.filter(kind=kinds.CONTACT_RECORDED).count() == 1
    assert bring(INTERACTIONS, row).written == 0
