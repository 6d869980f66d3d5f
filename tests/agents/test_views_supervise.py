from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import audit, events
from accounts.models import Account, Payment, RejectedRow
from accounts.models.account import AccountStatus
from agents import instalments, plans, rights, today, write_offs
from agents.models import Agent, Plan, WorkItem
from dunning import kinds
from tests.agents.judged import talk
from tests.factories import make_account, make_agent, make_item, make_payment, make_team, owing

pytestmark = pytest.mark.django_db

#: Session, person, roles, business date, ten of figures, plans that wait, rejected rows, complaints, the network.
QUERIES_OF_FIGURES = 21

PAGES = ("/supervise/", "/supervise/rejected/", "/supervise/approvals/")


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def late_account(**columns: Any) -> Account:
    return owing("100.00", "60.00", as_of=timezone.now().date(), **columns)


def rejected(**columns: Any) -> RejectedRow:
    row = {"payment_id": "P-1", "account_id": "A-1", "received_on": "2026-01-05", "amount": "12,50"}
    return RejectedRow.objects.create(
        **{
            "file": "payments.csv",
            "line": 7,
            "column": "amount",
            "value": "12,50",
            "reason": "not an amount",
            "row": row,
            "rejected_at": timezone.now(),
            **columns,
        }
    )


def test_a_call_that_was_undone_is_not_of_the_day() -> None:
    nadia, at = make_agent(), timezone.now()
    talk(nadia, late_account(), at=at)
    talk(nadia, late_account(), at=at, undone_at=at)

    day = today.desk(as_of=at.date(), at=at)

    assert [(one.calls, one.right_party) for one in day.agents] == [(1, 1)]
    assert [(one.code, one.today, one.week) for one in day.calls] == [("rpc_refused", 1, 1)]


@pytest.mark.parametrize("address", PAGES)
def test_supervisors_and_admins_get_in_and_agents_do_not(address: str) -> None:
    assert signed_in(make_agent()).get(address).status_code == 403
    assert signed_in(make_agent("supervisor")).get(address).status_code == 200
    assert signed_in(make_agent("admin")).get(address).status_code == 200


def test_what_is_of_the_whole_book_is_not_for_who_supervises_one_team() -> None:
    client = signed_in(make_agent("supervisor", all_teams=False, team=make_team()))
    row = rejected()

    for address in ("/supervise/rejected/", "/supervise/write-offs/", "/supervise/write-offs/accounts.csv"):
        assert client.get(address).status_code == 403
    assert client.post("/supervise/rejected/again/").status_code == 403
    assert client.post(f"/supervise/rejected/{row.pk}/set-aside/").status_code == 403
    shown = client.get("/supervise/").content.decode()
    assert "/supervise/rejected/" not in shown
    assert "/supervise/write-offs/" not in shown


def test_agents_may_not_do_what_supervisors_do_either() -> None:
    account, row = late_account(), rejected()
    agent = signed_in(make_agent())

    assert agent.get(f"/supervise/accounts/{account.ref}/audit/").status_code == 403
    for address in (f"rejected/{row.pk}/mend/", f"rejected/{row.pk}/set-aside/", "rejected/again/", "plans/P1/decide/"):
        assert agent.post(f"/supervise/{address}").status_code == 403


def test_an_empty_book_is_a_page_too() -> None:
    assert "The book is empty" in signed_in(make_agent("supervisor")).get("/supervise/").content.decode()


def test_the_figures_show_the_money_with_its_formulas_and_every_chart_as_a_table() -> None:
    account = late_account()
    make_payment(account, "25.00", on=timezone.now().date())

    page = signed_in(make_agent("supervisor")).get("/supervise/").content.decode()

    assert "€160.00" in page
    assert "€25.00" in page
    assert page.count("As a table") == 2
    assert "DSO" in page
    assert "÷" in page


def test_the_figures_cost_the_same_for_few_and_many_accounts() -> None:
    client = signed_in(make_agent("supervisor"))
    late_account()
    with CaptureQueriesContext(connection) as few:
        client.get("/supervise/")
    for _ in range(25):
        late_account()
    with CaptureQueriesContext(connection) as many:
        client.get("/supervise/")

    assert len(few) == len(many) == QUERIES_OF_FIGURES


def test_one_currency_is_shown_at_a_time() -> None:
    late_account()
    late_account(currency="JPY")
    client = signed_in(make_agent("supervisor"))

    yen = client.get("/supervise/?currency=JPY")

    assert yen.context["money"].currency == "JPY"
    assert "¥160" in yen.content.decode()
    assert client.get("/supervise/?currency=XXX").status_code == 200


def test_the_audit_trail_tells_actor_policy_payload_and_seal_and_is_filtered() -> None:
    account, now = late_account(), timezone.now()
    events.record(
        account_id=account.pk,
        kind="dunning.step.taken",
        actor="policy:residential@3",
        at=now,
        on=now.date(),
        policy="residential@3",
        payload={"step": "final-notice"},
    )
    client = signed_in(make_agent("supervisor"))
    address = f"/supervise/accounts/{account.ref}/audit/"

    before = client.get(address).content.decode()
    audit.seal(at=now)
    after = client.get(f"{address}?kind=dunning.").content.decode()

    assert "final-notice" in before
    assert "policy:residential@3" in before
    assert "not yet" in before
    assert "not yet" not in after
    assert "dunning.step.taken" in after
    assert "No such events" in client.get(f"{address}?actor=agent:nobody").content.decode()


def test_the_audit_trail_of_an_account_that_does_not_exist_is_not_found() -> None:
    assert signed_in(make_agent("supervisor")).get("/supervise/accounts/NOPE/audit/").status_code == 404


def test_a_long_audit_trail_has_pages() -> None:
    account, now = make_account(), timezone.now()
    events.record_many(
        [
            events.EventRow(account.pk, "dunning.step.taken", "desk", now, now.date(), payload={"n": n})
            for n in range(150)
        ]
    )
    client = signed_in(make_agent("supervisor"))

    first = client.get(f"/supervise/accounts/{account.ref}/audit/")
    second = client.get(f"/supervise/accounts/{account.ref}/audit/?after={first.context['after']}")

    assert len(first.context["rows"]) == 100
    assert len(second.context["rows"]) == 50


def test_a_mended_row_is_run_again_and_lands() -> None:
    account, row = make_account(ref="A-1"), rejected()
    client = signed_in(make_agent("supervisor"))
    shown = client.get("/supervise/rejected/").content.decode()

    client.post(
        f"/supervise/rejected/{row.pk}/mend/",
        {f"r{row.pk}-{column}": value for column, value in {**row.row, "amount": "12.50"}.items()},
    )

    assert 'aria-invalid="true"' in shown
    assert shown.index("payment_id") < shown.index("received_on") < shown.index(">amount<")
    assert Payment.objects.get(account=account).amount == Decimal("12.500")
    row.refresh_from_db()
    assert row.resolved_at is not None


def test_a_row_that_is_still_wrong_stays_with_what_was_mended() -> None:
    row = rejected()
    client = signed_in(make_agent("supervisor"))

    page = client.post(
        f"/supervise/rejected/{row.pk}/mend/",
        {f"r{row.pk}-{column}": value for column, value in {**row.row, "amount": "twelve"}.items()},
        follow=True,
    ).content.decode()

    assert "Nothing landed" in page
    assert "twelve" in page
    assert not Payment.objects.exists()


def test_a_row_set_aside_leaves_the_list_and_remembers_who() -> None:
    row, ruth = rejected(), make_agent("supervisor", username="ruth")

    signed_in(ruth).post(f"/supervise/rejected/{row.pk}/set-aside/")

    row.refresh_from_db()
    assert (row.resolved_by, row.resolved_at is not None) == ("agent:ruth", True)
    assert "Every row got in" in signed_in(ruth).get("/supervise/rejected/").content.decode()


def nine_instalments(account: Account, agent: Agent) -> Plan:
    """A plan beyond what an agent may agree alone."""
    now = timezone.now()
    today = now.date()
    parts = instalments.quote(
        total=Decimal("160.00"), count=9, first_on=today + timedelta(days=3), every="month", currency="EUR"
    )
    return plans.agree(
        account_id=account.pk, instalments=parts, actor=rights.actor(agent), agent=agent, as_of=today, at=now
    )


@pytest.mark.parametrize(("decision", "status"), [("approve", "active"), ("decline", "cancelled")])
def test_a_plan_beyond_an_agents_authority_is_decided_here(decision: str, status: str) -> None:
    plan = nine_instalments(late_account(), make_agent())
    client = signed_in(make_agent("supervisor"))
    shown = client.get("/supervise/approvals/").content.decode()

    client.post(f"/supervise/plans/{plan.ref}/decide/", {"decision": decision, "reason": "they said so"})

    assert plan.account.ref in shown
    assert "€160.00" in shown
    assert Plan.objects.get(pk=plan.pk).status == status


def test_nobody_approves_a_plan_twice() -> None:
    plan = nine_instalments(late_account(), make_agent())
    client = signed_in(make_agent("supervisor"))
    client.post(f"/supervise/plans/{plan.ref}/decide/", {"decision": "decline", "reason": "too long"})

    page = client.post(f"/supervise/plans/{plan.ref}/decide/", {"decision": "approve"}, follow=True)

    assert "toast error" in page.content.decode()
    assert Plan.objects.get(pk=plan.pk).status == "cancelled"


@pytest.mark.parametrize(
    ("decision", "status"), [("approve", AccountStatus.WRITTEN_OFF), ("decline", AccountStatus.OVERDUE)]
)
def test_a_write_off_waits_for_a_supervisor(decision: str, status: str) -> None:
    account = late_account()
    item = make_item(account, kind=WorkItem.Kind.APPROVAL, reason="write-off")
    client = signed_in(make_agent("supervisor"))
    shown = client.get("/supervise/approvals/").content.decode()

    client.post(f"/supervise/write-offs/{item.pk}/decide/", {"decision": decision, "reason": "gone away"})

    assert account.ref in shown
    assert Account.objects.get(pk=account.pk).status == status
    item.refresh_from_db()
    assert item.done_at is not None


def decide(item: WorkItem, person: Agent, **typed: str) -> str:
    """Post a decision; what the page then says."""
    client = signed_in(person)
    page = client.post(f"/supervise/write-offs/{item.pk}/decide/", typed, follow=True).content.decode()
    item.refresh_from_db()
    return page


def asked_for(account: Account, actor: str = "policy:residential@1") -> WorkItem:
    """A write-off that waits, and the event that asked for it."""
    at = timezone.now()
    events.record(account_id=account.pk, kind=kinds.WRITE_OFF_REQUESTED, actor=actor, at=at, on=at.date())
    return make_item(account, kind=WorkItem.Kind.APPROVAL, reason="write-off")


def test_the_reason_of_the_decision_is_kept() -> None:
    approved, declined, supervisor = late_account(), late_account(), make_agent("supervisor")
    decide(asked_for(approved), supervisor, decision="approve", reason="gone away")
    decide(asked_for(declined), supervisor, decision="decline", reason="pays in cash on Friday")

    assert approved.write_offs.get().reason == "write-off: gone away"
    told = declined.events.get(kind=kinds.WRITE_OFF_DECLINED)
    assert (told.actor, told.reason) == (f"agent:{supervisor.username}", "pays in cash on Friday")


def test_a_write_off_is_not_declined_without_a_reason_and_waits_on() -> None:
    item = asked_for(late_account())

    assert "Say why it is not written off." in decide(item, make_agent("supervisor"), decision="decline")
    assert item.done_at is None


def test_whoever_asked_for_a_write_off_does_not_approve_it() -> None:
    account, asking = late_account(), make_agent("supervisor")
    item = asked_for(account, rights.actor(asking))

    assert "Somebody else approves what you asked for." in decide(item, asking, decision="approve")
    assert (item.done_at, Account.objects.get(pk=account.pk).status) == (None, AccountStatus.OVERDUE)
    assert "written off" in decide(item, make_agent("supervisor"), decision="approve")
    assert Account.objects.get(pk=account.pk).status == AccountStatus.WRITTEN_OFF


def test_a_write_off_that_a_hold_stops_waits_on() -> None:
    account = late_account()
    item = asked_for(account)
    account.holds.create(ref="H1", reason="hardship", starts_on=timezone.now().date(), placed_by="x")

    assert "A hold stops it" in decide(item, make_agent("supervisor"), decision="approve", reason="gone")
    assert (item.done_at, Account.objects.get(pk=account.pk).status) == (None, AccountStatus.OVERDUE)


def test_a_write_off_is_decided_once_and_an_agent_decides_none() -> None:
    item = asked_for(late_account())
    assert signed_in(make_agent()).post(f"/supervise/write-offs/{item.pk}/decide/").status_code == 403

    supervisor = make_agent("supervisor")
    decide(item, supervisor, decision="approve")
    at = timezone.now()
    with pytest.raises(write_offs.AlreadyDecided):
        write_offs.decide(item_id=item.pk, approve=False, reason="x", agent=supervisor, as_of=at.date(), at=at)
