"""Locks, second pairs of eyes and facts that move under a decision: what a second look at the engine found."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import Fee, Hold
from agents import queue, write_offs
from agents.instalments import Instalment
from agents.models import Plan, WorkItem
from agents.plans import agree
from dunning import cases, decide, hold_rules, placements, policy_file, writing
from dunning.models import Agency, Case, Placement, PolicyVersion, ServiceOrder
from tests.dunning.test_lifecycle import ADA, BO, draft_by, missing
from tests.dunning.tried import make_dry_run, too_far
from tests.factories import TODAY, make_account, make_agent, make_bill, make_payment, moment, owing, settled
from tests.journeys.story import Story

pytestmark = pytest.mark.django_db

FEES = """
code: plain
enters: {min_amount: "1.00"}
fees: {late_fee: "5.00"}
steps:
  - {code: fee, day: 1, action: charge_fee}
"""


def published(text: str) -> PolicyVersion:
    draft = writing.save_draft(policy_file.read(text), actor=ADA, at=moment())
    return writing.publish(draft, actor=BO, at=moment())


def test_no_fee_is_charged_on_a_childs_bill_whose_payment_is_not_settled_yet() -> None:
    published(FEES)
    parent = make_account()
    child = make_account(parent=parent)
    make_bill(child, due_on=TODAY - timedelta(days=3))
    settled(parent, child)
    make_payment(child, "100.00")
    decide.run(as_of=TODAY, at=moment())
    assert not Fee.objects.exists()


LIMITING = """
code: residential
enters: {min_amount: "1.00"}
limits_children: true
steps:
  - {code: warning, day: 1, action: notify, channels: [sms], template: final-notice, pay_by_days: 2}
  - {code: slow, day: 4, action: limit, rung: suspended, warned_by: warning, notice_days: 2}
"""


def test_a_protected_service_goes_as_far_as_its_own_market_lets_it_wherever_the_payer_lives(settings: Any) -> None:
    settings.DESK_PROTECTED_RUNGS = {"US": "throttled"}
    first = date(2026, 3, 2)
    story = Story(first, policy=LIMITING)
    parent = story.account(customer={"country": "GB", "phone": "+447700900123"})
    story.account("A2", parent=parent)
    story.service(account="A2", protected=True)
    story.bill(first - timedelta(days=1), account="A2")
    story.days_pass(until=first + timedelta(days=8))
    assert list(ServiceOrder.objects.values_list("rung", "state")) == [("throttled", "confirmed")]


def test_a_shorter_dry_run_does_not_hide_that_the_version_limits_too_many() -> None:
    draft = draft_by(ADA)
    far = make_dry_run(draft, as_of=TODAY, result=too_far(), days=30)
    make_dry_run(draft, as_of=TODAY, days=1)
    assert missing(draft, BO) == ["reach"]
    writing.accept_reach(far, actor=BO, reason="The backlog of February", at=moment())
    assert missing(draft, BO) == []


def test_the_approval_of_a_plan_is_not_taken_for_that_of_a_write_off() -> None:
    account = owing("100.00", "40.00")
    bill = account.bills.order_by("due_on").first()
    parts = [Instalment(TODAY + timedelta(days=30 * number), Decimal("4.00")) for number in range(1, 26)]
    plan = agree(
        account_id=account.pk, instalments=parts, actor="agent:x", agent=make_agent(), as_of=TODAY, at=moment(),
        bill_refs=[bill.ref],
    )  # fmt: skip
    assert plan.status == Plan.Status.PENDING_APPROVAL
    item = WorkItem.objects.get(account=account, kind=WorkItem.Kind.APPROVAL)
    with pytest.raises(write_offs.AlreadyDecided, match="plan"):
        write_offs.decide(
            item_id=item.pk, approve=True, reason="", agent=make_agent("supervisor"), as_of=TODAY, at=moment()
        )
    assert queue.offered(WorkItem.objects.filter(pk=item.pk, done_at=None), at=moment()).exists()


def beside(work: Callable[[], Any]) -> Future[Any]:
    """Do it at the same time, on a connection of its own."""

    def go() -> Any:
        try:
            return work()
        finally:
            connection.close()

    pool = ThreadPoolExecutor(1)
    future = pool.submit(go)
    pool.shutdown(wait=False)
    return future


@pytest.mark.django_db(transaction=True)
def test_an_agencys_file_that_is_being_made_keeps_no_placement_waiting() -> None:
    """The day's run holds accounts while it places them, and the file waits for accounts: the two must not deadlock."""
    agency = Agency.objects.create(code="northside", name="Northside")
    account = owing("100.00")

    def place() -> None:
        Placement.objects.create(
            ref="desk-placement-1-0", account=account, agency=agency, amount=Decimal(100), placed_on=TODAY
        )

    with transaction.atomic():
        placements.make_file(agency, as_of=TODAY, at=moment(), actor=ADA)
        beside(place).result(timeout=10)
    assert Placement.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_change_of_the_matrix_comes_after_the_decision_that_read_the_one_before_it() -> None:
    published(FEES)
    account = owing("100.00")
    decide.run(as_of=TODAY, at=moment())
    Hold.objects.create(ref="H1", account=account, reason="hardship", starts_on=TODAY, placed_by=ADA)
    rule = hold_rules.matrix()["hardship"]

    def change() -> None:
        lenient = hold_rules.Rule(rule.reason, frozenset(), rule.clock, rule.lifted_by)
        hold_rules.change(rules=[lenient], actor=ADA, as_of=TODAY, at=moment())

    try:
        with transaction.atomic():
            cases.lock([account.pk])  # as the day's run does, before it reads the matrix
            changing = beside(change)
            with pytest.raises(StillWaiting):
                changing.result(timeout=1)
            Case.objects.update(next_on=TODAY + timedelta(days=9))
        changing.result(timeout=10)
        assert Case.objects.get().next_on == TODAY
    finally:
        hold_rules.change(rules=[rule], actor=ADA, as_of=TODAY, at=moment())
