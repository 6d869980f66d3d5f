"""No account is left without a next contact: after any call it is in the queue, held with an end, or done."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from accounts import holds, status
from accounts.models import Account, AccountStatus, Hold
from agents import calls, disputes, orphans, plans, queue, settlements
from agents.instalments import Instalment
from agents.models import Agent, Disposition, Interaction, WorkItem
from collections_desk import journey
from tests.factories import make_agent, make_customer, make_item, owing

pytestmark = pytest.mark.django_db

#: A Tuesday noon in London.
TODAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
NUMBER = "+442079460000"
ACTOR = "agent:nadia"


def dispositions() -> list[str]:
    """As migrations put them there; read where a database is."""
    return [
        "attorney", "bankruptcy", "busy", "cease", "deceased", "disconnected_number", "language_barrier", "no_answer",
        "rpc_already_paid", "rpc_callback", "rpc_dispute", "rpc_hardship", "rpc_paid_now", "rpc_plan", "rpc_promise",
        "rpc_refused", "rpc_settlement", "third_party", "voicemail", "wrong_number",
    ]  # fmt: skip


def test_every_disposition_is_among_them() -> None:
    assert sorted(Disposition.objects.filter(active=True).values_list("code", flat=True)) == dispositions()


@pytest.fixture
def account() -> Account:
    row = owing("80.00", "40.00", as_of=TODAY, customer=make_customer(phone=NUMBER, language="en"))
    status.move_account(account_id=row.pk, target="collections", actor="desk", at=NOON, on=TODAY, reason="handed over")
    make_item(row)
    return row


def save_and_next(account: Account, code: str, nadia: Agent) -> None:
    """The call, what its outcome asks for, and on to the next account, as the account's page does it."""
    item = queue.claim_next(agent=nadia, at=NOON)
    assert item is not None
    outcome = Disposition.objects.get(code=code)
    asks = Disposition.Asks(outcome.asks)
    callback_at = NOON + timedelta(days=1) if asks == asks.CALLBACK else None
    calls.log(
        account_id=account.pk,
        agent=nadia,
        direction=Interaction.Direction.OUTBOUND,
        disposition=code,
        number=NUMBER,
        right_party=outcome.right_party,
        started_at=NOON,
        duration_seconds=60,
        callback_at=callback_at,
        promise={"amount": Decimal(120), "due_on": TODAY + timedelta(days=7)} if asks == asks.PROMISE else None,
        as_of=TODAY,
        at=NOON,
    )
    when = {"as_of": TODAY, "at": NOON}
    if asks == asks.PLAN:
        halves = [Instalment(TODAY + timedelta(days=days), Decimal(60)) for days in (10, 40)]
        plans.agree(account_id=account.pk, instalments=halves, actor=ACTOR, agent=nadia, **when)  # type: ignore[arg-type]
    elif asks == asks.DISPUTE:
        for bill in account.bills.all():
            disputes.open_dispute(
                account_id=account.pk, bill_ref=bill.ref, amount=bill.amount, actor=ACTOR, **when  # type: ignore[arg-type]
            )  # fmt: skip
    elif asks == asks.HARDSHIP:
        holds.place(
            account_id=account.pk, reason=Hold.Reason.HARDSHIP, starts_on=TODAY, ends_on=TODAY + timedelta(days=30),
            actor=ACTOR, **when,  # type: ignore[arg-type]
        )  # fmt: skip
    elif asks == asks.SETTLEMENT:
        settlements.agree(
            account_id=account.pk, amount=Decimal(100), pay_by=TODAY + timedelta(days=10), actor=ACTOR, agent=nadia,
            **when,  # type: ignore[arg-type]
        )  # fmt: skip
    queue.complete(
        item_id=item.pk,
        agent=nadia,
        at=NOON,
        outcome=code,
        not_before=calls.next_offer(outcome, callback_at=callback_at, at=NOON),
        kept_for=nadia if callback_at else None,
    )


def next_contact(account: Account, *, as_of: date) -> str:
    """Why the account is not forgotten; nothing where it is."""
    account = Account.objects.get(pk=account.pk)
    if account.status != AccountStatus.COLLECTIONS or account.overdue == 0:
        # Everything disputed: the dispute has its own clock and its own desk.
        return "done" if account.overdue == 0 else f"the policy goes on: {account.status}"
    open_items = WorkItem.objects.filter(account=account, done_at=None).exclude(kind=WorkItem.Kind.APPROVAL)
    quiet = holds.in_force(account_id=account.pk, as_of=as_of).exclude(reason=Hold.Reason.DISPUTE)
    if open_items.filter(kind=WorkItem.Kind.TASK).exists():
        return "a task"
    endless = quiet.filter(ends_on=None).exclude(reason__in=[Hold.Reason.PLAN, Hold.Reason.PROMISE])
    if endless.exists():
        return ""
    if quiet.exists():
        return "held with an end"
    return "in the queue" if open_items.exists() else ""


@pytest.mark.parametrize("code", dispositions())
def test_after_save_and_next_and_the_days_run_it_has_a_next_contact(account: Account, code: str) -> None:
    nadia = make_agent(role="supervisor", username="nadia")
    journey.run_day(as_of=TODAY, at=NOON)
    save_and_next(account, code, nadia)
    journey.react_to_all(as_of=TODAY, at=NOON)

    found = []
    for days in (1, 2, 8, 35, 70):
        on = TODAY + timedelta(days=days)
        journey.run_day(as_of=on, at=NOON + timedelta(days=days))
        found.append(next_contact(account, as_of=on))

    assert all(found), f"after {code}: {found}"
    assert {"unattended", "unwatched"}.isdisjoint(orphans.find(as_of=on, at=NOON + timedelta(days=70)).counts)


def test_without_the_days_run_an_account_held_for_ever_would_be_forgotten(account: Account) -> None:
    save_and_next(account, "deceased", make_agent(username="nadia"))

    assert next_contact(account, as_of=TODAY) == ""
