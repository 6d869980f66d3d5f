"""What is suggested on a page: one a visit, answered by a key, kept, and what came of it."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Account, Vulnerability
from agents import act_effects, kinds, suggesting, suggestions
from agents.models import ActEffect, Agent, IdentityCheck, Interaction, LiveCall, Plan, Promise, Suggestion, WorkItem
from dunning.models import Notice
from tests.agents.judged import talk
from tests.factories import (
    TODAY,
    kinds_of,
    make_agent,
    make_bill,
    make_customer,
    make_item,
    make_payment,
    moment,
    settled,
)
from tests.factories import make_account as an_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def nadia() -> Agent:
    return make_agent("agent", username="nadia")


@pytest.fixture
def desk(nadia: Agent) -> Client:
    client = Client()
    client.force_login(nadia)
    return client


@pytest.fixture
def account() -> Account:
    customer = make_customer(phone="+442079460018", email="sarah@customers.example", timezone="Europe/London")
    made = an_account(ref="A-1", customer=customer, currency="GBP")
    make_bill(made, "120.00", issued_on=date(2026, 1, 1), due_on=date(2026, 1, 20))
    settled(made)
    make_item(made)
    return made


def opened(client: Client, account: Account) -> str:
    return client.get(f"/accounts/{account.ref}/").content.decode()


def answered(client: Client, account: Account, **said: str) -> str:
    row = Suggestion.objects.latest("pk")
    given = {"suggestion": str(row.pk), "action": row.action, **said}
    return client.post(f"/accounts/{account.ref}/suggestion/", given, follow=True).content.decode()


def only(action: str) -> Suggestion:
    """Whatever was suggested, it is that now."""
    row = Suggestion.objects.latest("pk")
    assert row.action == action, row.action
    return row


def test_one_is_kept_for_a_visit_not_for_each_look(desk: Client, account: Account) -> None:
    page = opened(desk, account)
    assert "Next best" in page
    opened(desk, account)
    opened(desk, account)
    row = Suggestion.objects.get()
    assert (row.account, row.answer, row.currency) == (account, "", "GBP")
    assert row.reasons
    assert sum(Decimal(reason["value"]) for reason in row.reasons) == row.expected or row.expected == 0


def test_another_visit_is_another_suggestion(desk: Client, account: Account) -> None:
    opened(desk, account)
    WorkItem.objects.update(claimed_by=None, claimed_at=None, lease_until=None)
    opened(desk, account)
    assert Suggestion.objects.count() == 2


def test_what_was_undone_or_only_written_is_no_call_that_nobody_answered(
    desk: Client, account: Account, nadia: Agent
) -> None:
    made = [
        talk(nadia, account, disposition="no_answer", right_party=False, at=moment(TODAY - timedelta(days=back)))
        for back in (1, 2, 3, 4)
    ]
    opened(desk, account)
    assert "4 calls in a row were not answered" in only(suggesting.LETTER).reasons[1]["text"]

    made[0].undone_at = moment()
    made[0].save(update_fields=["undone_at"])
    made[1].kind = Interaction.Kind.SMS
    made[1].save(update_fields=["kind"])
    assert "calls in a row" not in opened(desk, account)
    assert Suggestion.objects.latest("pk").action != suggesting.LETTER


def test_nothing_is_suggested_to_who_only_reads(desk: Client, account: Account) -> None:
    other = make_agent()
    WorkItem.objects.update(claimed_by=other, claimed_at=moment(), lease_until=moment(date(2999, 1, 1)))
    assert "Next best" not in opened(desk, account)
    assert not Suggestion.objects.exists()


def test_declined_with_a_key_and_a_reason_after_it(desk: Client, account: Account) -> None:
    opened(desk, account)
    page = answered(desk, account, answer="declined")
    assert "Declined at" in page
    assert "Not the moment" in page, "the reasons are offered"
    answered(desk, account, answer="declined", because="not_now")
    row = Suggestion.objects.get()
    assert (row.answer, row.declined_because) == ("declined", "not_now")
    assert kinds_of(account, kinds.SUGGESTION_ANSWERED) == [kinds.SUGGESTION_ANSWERED], "one event"


def test_what_was_declined_cannot_be_accepted_after_all(desk: Client, account: Account, nadia: Agent) -> None:
    opened(desk, account)
    answered(desk, account, answer="declined")
    row = Suggestion.objects.get()
    with pytest.raises(suggestions.CannotAnswer):
        suggestions.answer(suggestion_id=row.pk, agent=nadia, accepted=True, as_of=TODAY, at=moment())
    with pytest.raises(suggestions.CannotAnswer):
        suggestions.answer(suggestion_id=row.pk, agent=make_agent(), accepted=False, as_of=TODAY, at=moment())


def on_the_line(account: Account, nadia: Agent) -> None:
    """They have called us, and it is them."""
    now = timezone.now()
    check = IdentityCheck.objects.create(
        account=account, agent=nadia, matched=["birth_date", "postal_code"], passed=True, at=now
    )
    LiveCall.objects.create(
        ref="L-1", account=account, agent=nadia, direction="inbound", number="+442079460018", state="answered",
        begun_at=now, answered_at=now, identity=check,
    )  # fmt: skip


def test_accepting_opens_the_form_with_the_terms(desk: Client, account: Account, nadia: Agent) -> None:
    ActEffect.objects.create(act=suggesting.PLAN, band="all", tried=500, worked=495, counted_on=TODAY)
    ActEffect.objects.create(act=suggesting.PROMISE, band="none", tried=500, worked=50, counted_on=TODAY)
    on_the_line(account, nadia)
    page = opened(desk, account)
    only(suggesting.INSTALMENTS)
    assert "3 monthly instalments of GBP 40.00" in page
    page = answered(desk, account, answer="accepted")
    assert 'data-act="plan"' in page
    assert re.search(r'name="count"[^>]*value="3"|value="3"[^>]*name="count"', page)
    assert Suggestion.objects.get().answer == "accepted"


def test_care_is_never_pressed_on_the_page_either(desk: Client, account: Account) -> None:
    Vulnerability.objects.create(
        customer=account.customer, category="health", severity="medium", noted_on=date(2026, 1, 1), source="agent"
    )
    opened(desk, account)
    only(suggesting.HARDSHIP)
    page = answered(desk, account, answer="accepted")
    assert 'data-act="hardship"' in page


def test_what_is_promised_is_waited_for_and_the_account_put_off(desk: Client, account: Account) -> None:
    Promise.objects.create(
        ref="P1", account=account, amount=Decimal(50), made_on=TODAY, due_on=date(2999, 1, 1), taken_by="agent:x"
    )
    opened(desk, account)
    only(suggesting.WAIT)
    answered(desk, account, answer="accepted")
    item = WorkItem.objects.get()
    assert (item.claimed_by, item.outcome) == (None, "suggested: wait")
    assert item.not_before.year == 2998 or item.not_before.year == 2999


def test_a_page_that_is_out_of_date_does_nothing(desk: Client, account: Account) -> None:
    opened(desk, account)
    page = answered(desk, account, answer="accepted", action="settlement")
    assert "has changed meanwhile" in page
    assert not Suggestion.objects.get().answer
    desk.post(f"/accounts/{account.ref}/suggestion/", {"suggestion": "999999", "answer": "accepted"})
    assert not Suggestion.objects.get().answer


def test_the_card_costs_the_page_one_write_and_no_read(
    desk: Client, account: Account, django_assert_max_num_queries
) -> None:
    opened(desk, account)
    with django_assert_max_num_queries(25) as asked:
        opened(desk, account)
    written = [query["sql"] for query in asked.captured_queries if "agents_suggestion" in query["sql"]]
    assert len(written) == 1, "read with the other lists; nothing is written on a second look"


# What acts brought ----------------------------------------------------------------------------------------------------


def test_promises_plans_and_messages_are_counted_once(account: Account) -> None:
    done = TODAY - timedelta(days=20)
    for number, status in enumerate(["kept", "kept", "broken", "part_kept", "cancelled"]):
        Promise.objects.create(
            ref=f"P{number}", account=an_account(), amount=Decimal(50), made_on=done, due_on=done, settled_on=done,
            status=status, taken_by="x",
        )  # fmt: skip
    Plan.objects.create(ref="L1", account=account, made_on=done, settled_on=done, status="broken", made_by="x")
    Notice.objects.create(
        account=account, customer=account.customer, key="n.sms", step_code="reminder", template="reminder",
        channel="sms", currency="GBP", made_on=done, state="sent", sent_at=moment(done),
    )  # fmt: skip
    act_effects.count(as_of=TODAY)
    act_effects.count(as_of=TODAY)
    found = {(row.act, row.band): (row.tried, row.worked) for row in ActEffect.objects.all()}
    assert found == {("promise", "none"): (4, 2), ("plan", "all"): (1, 0)}, "a message of no case asks for nothing"
    assert act_effects.count(as_of=TODAY + timedelta(days=1)) == 0


# What came of it ------------------------------------------------------------------------------------------------------


def kept(account: Account, nadia: Agent, action: str, said: str, days_ago: int, because: str = "") -> Suggestion:
    at = moment() - timedelta(days=days_ago)
    return Suggestion.objects.create(
        account=account, agent=nadia, action=action, expected=Decimal(30), currency="GBP", made_at=at, answer=said,
        answered_at=at if said else None, declined_because=because,
    )  # fmt: skip


def test_the_report_puts_what_came_in_beside_each_answer(nadia: Agent) -> None:
    paying, silent, lately = (an_account(currency="GBP") for _ in range(3))
    kept(paying, nadia, "call_now", "accepted", 20)
    make_payment(paying, "40.00", TODAY - timedelta(days=10))
    make_payment(paying, "99.00", TODAY)
    kept(silent, nadia, "call_now", "declined", 20, "disagree")
    kept(lately, nadia, "call_now", "accepted", 3)
    make_payment(lately, "70.00", TODAY)
    kept(lately, nadia, "wait", "", 2)
    after = moment() - timedelta(days=30)
    calls, waits = suggestions.report(after=after, until=moment() + timedelta(days=1), as_of=TODAY)
    assert (calls.action, calls.suggested, calls.accepted.count, calls.declined.count) == ("call_now", 3, 2, 1)
    assert (calls.accepted.judged, calls.accepted.paid, calls.accepted.each) == (1, 1, Decimal("40.00"))
    assert (calls.declined.each, calls.declined.percent, calls.why) == (0, 0, [("I see it otherwise", 1)])
    assert calls.accepted_percent == 67
    assert (waits.action, waits.accepted.each) == ("wait", None)
    only_theirs = suggestions.report(after=after, until=moment(), as_of=TODAY, accounts=[silent.pk])
    assert [line.suggested for line in only_theirs] == [1]


def test_supervisors_read_it_and_agents_do_not(desk: Client, account: Account, nadia: Agent) -> None:
    kept(account, nadia, "call_now", "accepted", 0)
    assert desk.get("/supervise/suggestions/").status_code == 403
    boss = Client()
    boss.force_login(make_agent("supervisor"))
    page = boss.get("/supervise/suggestions/?days=365").content.decode()
    assert "Call now" in page
    assert "what came of it" in page
