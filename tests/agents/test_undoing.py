"""A slip taken back within a minute: what comes back, what stays, and where it is refused."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Account, Hold, UnreachableAddress
from agents import calls, consolidating, disputes, kinds, plans, promises, queue, undoing
from agents.models import Agent, Dispute, Interaction, Note, Plan, Promise, Undo, WorkItem
from dunning import confirming
from dunning.models import Notice
from tests.factories import TODAY, kinds_of, make_agent, make_customer, make_item, moment, owing

pytestmark = pytest.mark.django_db

NOW = moment()


def done(agent: Agent, account: Account, act: str = "act") -> Undo:
    """What the agent has just done at ``NOW``, remembered as the page remembers it."""
    tag = undoing.offered(agent=agent, account_id=account.pk, act=act, said="Done.", at=NOW)
    return Undo.objects.get(pk=int(tag.partition("@")[0]))


def take_back(row: Undo, agent: Agent, after: int = 20) -> str:
    return undoing.undo(undo_id=row.pk, agent=agent, as_of=TODAY, at=NOW + timedelta(seconds=after))


def promised(account: Account, agent: Agent) -> Promise:
    return promises.make(
        account_id=account.pk,
        amount=Decimal("40.00"),
        due_on=TODAY + timedelta(days=7),
        actor=f"agent:{agent.username}",
        as_of=TODAY,
        at=NOW,
    )


def logged(account: Account, agent: Agent, disposition: str, **more: Any) -> Interaction:
    return calls.log(
        **{
            "account_id": account.pk,
            "agent": agent,
            "direction": "inbound",
            "disposition": disposition,
            "number": "+442079460000",
            "right_party": False,
            "started_at": NOW,
            "duration_seconds": 60,
            "as_of": TODAY,
            "at": NOW,
            **more,
        }
    )


def test_a_promise_is_cancelled_its_hold_lifted_and_its_confirmation_never_leaves() -> None:
    nadia, account = make_agent(), owing("100.00")
    account.customer.email = "c@example.org"
    account.customer.save(update_fields=["email"])
    promise = promised(account, nadia)
    confirming.confirm(
        account_id=account.pk,
        template="promise-confirmation",
        wording={"promised_amount": promise.amount, "promised_on": promise.due_on},
        key=f"confirm.promise.{promise.ref}",
        actor="agent:x",
        as_of=TODAY,
        at=NOW,
    )

    assert take_back(done(nadia, account), nadia) == "Done."

    promise.refresh_from_db()
    assert promise.status == Promise.Status.CANCELLED
    assert Hold.objects.get(account=account).lifted_on == TODAY
    assert {row.state for row in Notice.objects.filter(key__startswith="confirm.promise")} == {"withdrawn"}
    assert kinds_of(account, "agents.act") == [kinds.ACT_UNDONE]


@pytest.mark.parametrize("state", ["handing_over", "sent", "delivered"])
def test_a_promise_of_which_the_customer_was_told_stands(state: str) -> None:
    nadia, account = make_agent(), owing("100.00")
    account.customer.email = "c@example.org"
    account.customer.save(update_fields=["email"])
    promise = promised(account, nadia)
    confirming.confirm(
        account_id=account.pk,
        template="promise-confirmation",
        wording={"promised_amount": promise.amount, "promised_on": promise.due_on},
        key=f"confirm.promise.{promise.ref}",
        actor="agent:x",
        as_of=TODAY,
        at=NOW,
    )
    Notice.objects.filter(key__startswith="confirm.promise").update(state=state)
    row = done(nadia, account)

    with pytest.raises(undoing.CannotUndo, match="told already"):
        take_back(row, nadia)

    promise.refresh_from_db()
    row.refresh_from_db()
    assert (promise.status, row.undone_at) == (Promise.Status.OPEN, None)


def test_a_plan_is_cancelled_and_its_approval_asked_for_no_more() -> None:
    nadia, account = make_agent(), owing("120.00")
    quote = plans.quote_for(
        account_id=account.pk, count=12, first_on=TODAY + timedelta(days=5), every="month", agent=nadia, as_of=TODAY
    )
    plan = plans.agree(
        account_id=account.pk,
        instalments=quote.instalments,
        actor=f"agent:{nadia.username}",
        agent=nadia,
        as_of=TODAY,
        at=NOW,
    )
    assert plan.status == Plan.Status.PENDING_APPROVAL

    take_back(done(nadia, account), nadia)

    plan.refresh_from_db()
    assert plan.status == Plan.Status.CANCELLED
    assert not WorkItem.objects.filter(kind=WorkItem.Kind.APPROVAL, done_at=None).exists()


def test_a_plan_over_several_accounts_is_cancelled_on_all_of_them() -> None:
    nadia, customer = make_agent(), make_customer()
    accounts = [owing("60.00", customer=customer), owing("40.00", customer=customer)]
    ids = [account.pk for account in accounts]
    quote = consolidating.quote_for(
        account_ids=ids, count=2, first_on=TODAY + timedelta(days=5), every="month", agent=nadia, as_of=TODAY, at=NOW
    )
    consolidating.agree(
        account_ids=ids,
        instalments=quote.instalments,
        actor=f"agent:{nadia.username}",
        agent=nadia,
        as_of=TODAY,
        at=NOW,
    )

    take_back(done(nadia, accounts[0]), nadia)

    assert list(Plan.objects.values_list("status", flat=True)) == [Plan.Status.CANCELLED] * 2
    assert not Hold.objects.filter(lifted_on=None).exists()


def test_a_plan_that_another_decided_on_stands() -> None:
    nadia, boss, account = make_agent(), make_agent("supervisor"), owing("120.00")
    quote = plans.quote_for(
        account_id=account.pk, count=8, first_on=TODAY + timedelta(days=5), every="month", agent=nadia, as_of=TODAY
    )
    plan = plans.agree(
        account_id=account.pk,
        instalments=quote.instalments,
        actor=f"agent:{nadia.username}",
        agent=nadia,
        as_of=TODAY,
        at=NOW,
    )
    row = done(nadia, account)
    plans.decide(plan_id=plan.pk, approve=True, agent=boss, as_of=TODAY, at=NOW + timedelta(seconds=5))

    with pytest.raises(undoing.CannotUndo, match=f"{boss.username} decided on it already"):
        take_back(row, nadia)


def test_a_dispute_is_withdrawn_and_a_hold_lifted() -> None:
    nadia, account = make_agent(), owing("100.00")
    bill = account.bills.get()
    dispute = disputes.open_dispute(
        account_id=account.pk,
        bill_ref=bill.ref,
        amount=Decimal("30.00"),
        actor=f"agent:{nadia.username}",
        as_of=TODAY,
        at=NOW,
    )

    take_back(done(nadia, account), nadia)

    dispute.refresh_from_db()
    bill.refresh_from_db()
    assert (dispute.outcome, bill.disputed_amount) == (Dispute.Outcome.WITHDRAWN, 0)


def test_a_note_leaves_the_timeline_and_stays_in_the_history() -> None:
    nadia, account = make_agent(), owing("100.00")
    calls.add_note(account_id=account.pk, text="Wrong one", actor=f"agent:{nadia.username}", as_of=TODAY, at=NOW)

    take_back(done(nadia, account), nadia)

    assert Note.objects.get().undone_at == NOW + timedelta(seconds=20)
    assert kinds_of(account, "agents.") == [kinds.NOTE_ADDED, kinds.ACT_UNDONE]


def test_the_outcome_of_a_call_goes_with_what_it_brought_and_the_call_itself_stays_counted() -> None:
    nadia, account = make_agent(), owing("100.00")
    logged(account, nadia, "rpc_already_paid")
    assert account.holds.get().reason == Hold.Reason.PAYMENT_IN_FLIGHT

    take_back(done(nadia, account), nadia)

    assert account.holds.get().lifted_on == TODAY
    assert Interaction.objects.get().undone_at is not None
    talked = calls.talks_of([account.pk], NOW + timedelta(minutes=1))[account.pk]
    assert len(talked.contacts) == 1


def test_a_number_found_dead_by_a_slip_may_be_called_again() -> None:
    nadia, account = make_agent(), owing("100.00")
    logged(account, nadia, "disconnected_number")
    assert UnreachableAddress.objects.exists()

    take_back(done(nadia, account), nadia)

    assert not UnreachableAddress.objects.exists()


def test_a_wish_not_to_be_contacted_is_not_offered_to_be_taken_back() -> None:
    nadia, account = make_agent(), owing("100.00")
    logged(account, nadia, "cease")

    assert undoing.offered(agent=nadia, account_id=account.pk, act="call", said="Done.", at=NOW) == ""


def test_an_account_that_was_finished_with_comes_back_into_the_agents_hands() -> None:
    nadia, account = make_agent(), owing("100.00")
    item = make_item(account)
    queue.claim(account_id=account.pk, agent=nadia, at=NOW)
    calls.add_note(account_id=account.pk, text="Wrong one", actor=f"agent:{nadia.username}", as_of=TODAY, at=NOW)
    row = done(nadia, account)
    queue.complete(item_id=item.pk, agent=nadia, at=NOW, outcome="note")

    take_back(row, nadia)

    item.refresh_from_db()
    assert (item.done_at, item.claimed_by) == (None, nadia)


def test_an_account_parked_for_later_comes_back_too() -> None:
    nadia, account = make_agent(), owing("100.00")
    item = make_item(account)
    queue.claim(account_id=account.pk, agent=nadia, at=NOW)
    logged(account, nadia, "no_answer")
    row = done(nadia, account)
    queue.complete(item_id=item.pk, agent=nadia, at=NOW, outcome="no_answer", not_before=NOW + timedelta(hours=4))

    take_back(row, nadia)

    item.refresh_from_db()
    assert (item.not_before, item.claimed_by) == (None, nadia)


def test_nothing_is_taken_back_under_another_agents_hands() -> None:
    nadia, luis, account = make_agent(), make_agent(username="luis"), owing("100.00")
    make_item(account)
    promise = promised(account, nadia)
    row = done(nadia, account)
    queue.claim(account_id=account.pk, agent=luis, at=NOW + timedelta(seconds=5))

    with pytest.raises(undoing.CannotUndo, match="luis works on this account now"):
        take_back(row, nadia)

    promise.refresh_from_db()
    assert promise.status == Promise.Status.OPEN


def test_after_a_minute_it_stands_and_it_is_taken_back_once() -> None:
    nadia, account = make_agent(), owing("100.00")
    promised(account, nadia)
    row = done(nadia, account)

    with pytest.raises(undoing.CannotUndo, match="A minute is over"):
        take_back(row, nadia, after=61)
    take_back(row, nadia, after=60)
    with pytest.raises(undoing.CannotUndo, match="already"):
        take_back(row, nadia, after=60)


def test_only_what_that_agent_did_at_that_moment_is_taken_back() -> None:
    nadia, luis, account = make_agent(), make_agent(), owing("100.00")
    calls.add_note(account_id=account.pk, text="Mine", actor=f"agent:{nadia.username}", as_of=TODAY, at=NOW)
    calls.add_note(account_id=account.pk, text="Theirs", actor=f"agent:{luis.username}", as_of=TODAY, at=NOW)
    earlier = NOW - timedelta(seconds=10)
    calls.add_note(account_id=account.pk, text="Before", actor=f"agent:{nadia.username}", as_of=TODAY, at=earlier)

    take_back(done(nadia, account), nadia)

    assert set(Note.objects.filter(undone_at=None).values_list("text", flat=True)) == {"Theirs", "Before"}


def test_another_agents_undo_is_not_found() -> None:
    nadia, luis, account = make_agent(), make_agent(), owing("100.00")
    promised(account, nadia)
    row = done(nadia, account)
    client = Client()
    client.force_login(luis)

    assert client.post(f"/undo/{row.pk}/").status_code == 404
    with pytest.raises(undoing.CannotUndo) as refusal:
        take_back(row, luis)
    assert refusal.value.code == "not_found"


def test_the_page_offers_it_with_the_act_and_goes_back_to_the_account_without_scripts() -> None:
    nadia = make_agent()
    account = owing("100.00", as_of=timezone.now().date())
    client = Client()
    client.force_login(nadia)
    client.post(f"/accounts/{account.ref}/note/", {"text": "Wrong one"})
    page = client.get(f"/accounts/{account.ref}/")
    row = Undo.objects.get()
    assert f'action="/undo/{row.pk}/"' in page.content.decode()

    answer = client.post(f"/undo/{row.pk}/", follow=True)

    assert answer.redirect_chain == [(f"/accounts/{account.ref}/", 302)]
    assert "Taken back: Note added." in answer.content.decode()
    assert "Wrong one" not in answer.content.decode()
