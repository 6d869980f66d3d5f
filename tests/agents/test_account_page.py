"""What the account's page costs, says in its header, and shows of accounts too full or too empty."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, AccountEvent, Bill, Hold, Payment, Service
from agents import queue
from agents.models import Agent, Instalment, Interaction, Note, Plan, Promise, WorkItem
from dunning import contact, reading
from dunning.models import Case, CaseStep, Notice
from tests.agents.test_views_account import HTMX, QUERIES, long_history, opened, signed_in
from tests.dunning.test_migrating import POLICY, published
from tests.factories import make_account, make_agent, make_bill, make_customer, make_item, make_service, owing

pytestmark = pytest.mark.django_db


def late_account(**columns: Any) -> Account:
    return owing("100.00", "60.00", as_of=timezone.now().date(), **columns)


def queries_of(client: Client, account: Account) -> int:
    with CaptureQueriesContext(connection) as asked:
        page = client.get(f"/accounts/{account.ref}/")
    assert page.status_code == 200
    return len(asked)


def page_of(account: Account, agent: Agent | None = None) -> str:
    return signed_in(agent or make_agent()).get(f"/accounts/{account.ref}/").content.decode()


def in_a_case(account: Account) -> Case:
    """A case with its policy, steps taken and notices sent."""
    today, now = timezone.now().date(), timezone.now()
    case = Case.objects.create(
        account=account, version=published(POLICY), opened_on=today, next_on=today, stage="final", warnings_from=today
    )
    CaseStep.objects.create(
        case=case, account=account, code="final", action="notify", came_on=today, done_on=today, result="done"
    )
    Notice.objects.create(
        account=account, customer=account.customer, case=case, key=f"k{case.pk}", step_code="final", channel="sms",
        template="final-notice", made_on=today, state="delivered", sent_at=now, delivered_at=now,
    )  # fmt: skip
    return case


def everything(account: Account, agent: Agent) -> None:
    """More of all that a page shows than anybody will ever see."""
    today = timezone.now().date()
    in_a_case(account)
    long_history(account, 500)
    plan = Plan.objects.create(ref="PL1", account=account, made_on=today, made_by="agent:x")
    for place in range(6):
        Instalment.objects.create(plan=plan, account=account, position=place + 1, due_on=today, amount=10)
    Promise.objects.create(ref="PR1", account=account, amount=5, made_on=today, due_on=today, taken_by="agent:x")
    Hold.objects.create(ref="H1", account=account, reason="hardship", starts_on=today, placed_by="agent:x")
    for number in range(40):
        make_service(account, number=f"+4420{number:08}", status="suspended" if number == 0 else "active")
    for _ in range(5):
        make_item(make_account(customer=account.customer))
    Interaction.objects.filter(account=account).update(agent=agent, right_party=True)


def test_the_page_costs_the_same_for_nothing_at_all_and_for_far_too_much() -> None:
    nadia, empty, full = make_agent(), make_account(customer=make_customer(phone="")), late_account()
    everything(full, nadia)
    client, _ = opened(full, nadia)

    assert queries_of(client, full) == queries_of(client, full) <= QUERIES
    # What is not in the queue is not claimed.
    assert queries_of(client, empty) <= queries_of(client, full)


def test_opening_a_free_account_stays_within_the_same_budget_claim_and_event_included() -> None:
    account, client = late_account(), signed_in(make_agent())
    make_item(account)

    assert queries_of(client, account) <= QUERIES
    assert account.events.filter(kind="agents.item.claimed").count() == 1


def test_an_account_of_another_is_shown_with_who_has_it_and_stays_theirs() -> None:
    account, luis = late_account(), make_agent(first_name="Luis", last_name="Ortega")
    item = make_item(account)
    queue.claim(account_id=account.pk, agent=luis, at=timezone.now())

    assert "Luis Ortega" in page_of(account)
    item.refresh_from_db()
    assert item.claimed_by == luis


def test_opening_the_page_again_renews_the_lease() -> None:
    account = late_account()
    client, item = opened(account, make_agent())
    WorkItem.objects.filter(pk=item.pk).update(lease_until=timezone.now() + timedelta(minutes=1))

    client.get(f"/accounts/{account.ref}/")

    item.refresh_from_db()
    assert item.lease_until is not None
    assert item.lease_until > timezone.now() + timedelta(minutes=14)
    assert account.events.filter(kind="agents.item.claimed").count() == 1


def test_the_header_says_how_many_of_the_allowed_calls_are_used_and_when_the_next_is_free() -> None:
    account = late_account(customer=make_customer(country="US", region="NY", timezone="America/New_York"))
    now = timezone.now()
    for number in range(7):
        Interaction.objects.create(
            ref=f"I{number}", account=account, direction="outbound", disposition="no_answer",
            at=now - timedelta(days=1, minutes=number),
        )  # fmt: skip

    page = page_of(account)

    assert "7 of 7 calls in 7 days" in page
    assert "free from" in page


def test_where_no_rule_counts_there_is_no_limit_to_show() -> None:
    account, now = late_account(), timezone.now()
    gate = contact.Gate(reading.read([account.pk], as_of=now.date()), at=now, as_of=now.date())

    assert gate.allowances(account.pk, contact.contact_action("letter", automated=False)) == []
    assert [one.most for one in gate.allowances(account.pk, contact.contact_action("call", automated=False))] == [7]


def test_the_header_names_the_least_payment_that_helps() -> None:
    account = late_account()
    make_service(account, status="suspended")
    in_a_case(account)
    today = timezone.now().date()

    before = page_of(account)
    Promise.objects.create(
        ref="P1", account=account, amount=Decimal(40), paid=Decimal(15), made_on=today, due_on=today, taken_by="x"
    )
    after = page_of(account)

    assert "€160.00</b> ends the case and restores service" in before
    assert "€25.00</b> keeps the promise and restores service" in after


def test_a_page_of_extremes_is_whole(settings: Any) -> None:
    name = "\N{ARABIC LETTER MEEM}\N{ARABIC LETTER HAH}\N{ARABIC LETTER MEEM}\N{ARABIC LETTER DAL} " * 24
    account = owing(
        "999999999999999", as_of=timezone.now().date(), currency="JPY",
        customer=make_customer(name=name.strip()[:120], phone="", email="", language="ar", timezone="nowhere"),
    )  # fmt: skip
    Bill.objects.bulk_create(
        [
            Bill(
                ref=f"X{n}", account=account, issued_on=timezone.now().date(), due_on=timezone.now().date(), amount=1,
                open_amount=1,
            )
            for n in range(250)
        ]
    )  # fmt: skip
    Service.objects.bulk_create([Service(ref=f"S{n}", account=account, kind="mobile") for n in range(40)])
    make_item(account)
    client = signed_in(make_agent())

    page = client.get(f"/accounts/{account.ref}/").content.decode()

    assert "¥999,999,999,999,999" in page
    assert "No phone number on file." in page
    assert "time zone unknown" in page
    assert "Show all 200 bills" in page
    assert "Show all 40 services" in page
    assert page.count('name="bills"') == 8
    whole = client.get(f"/accounts/{account.ref}/whole/bills/", headers=HTMX).content.decode()
    assert whole.count('name="bills"') == 200
    assert "<html" not in whole
    assert client.get(f"/accounts/{account.ref}/?whole=bills").content.decode().count('name="bills"') == 200
    assert client.get(f"/accounts/{account.ref}/whole/secrets/").status_code == 404


def test_an_account_without_anything_says_so_in_every_zone() -> None:
    page = page_of(make_account(customer=make_customer(phone="", email="")))

    for said in ("No bills yet", "No services on this account", "Nothing was ever paid", "No linked accounts",
                 "Nobody has spoken with them yet", "None so far.", "Nothing here yet"):  # fmt: skip
        assert said in page


def test_what_is_open_is_shown_by_age() -> None:
    account = late_account()
    make_bill(account, "30.00", due_on=timezone.now().date() + timedelta(days=9), open_amount=Decimal(30))

    page = page_of(account)

    assert "not due €30.00" in page
    assert "120+ €160.00" in page


def test_a_payment_on_its_way_is_summed_up() -> None:
    account = late_account()
    Payment.objects.create(
        ref="PF", account=account, amount=50, received_on=timezone.now().date() + timedelta(days=2), method="transfer"
    )

    assert "€50.00</b> is on its way" in page_of(account)


def test_news_come_with_the_header_and_the_timeline_and_only_after_something_happened() -> None:
    account = late_account()
    client, _ = opened(account, make_agent())
    after = AccountEvent.objects.order_by("-pk").values_list("pk", flat=True)[0]

    assert client.get(f"/accounts/{account.ref}/news/?after={after}").status_code == 204
    client.post(f"/accounts/{account.ref}/note/", {"text": "They moved house"})
    fresh = client.get(f"/accounts/{account.ref}/news/?after={after}", headers=HTMX)

    assert fresh.status_code == 200
    assert "They moved house" in fresh.content.decode()
    assert 'id="strip"' in fresh.content.decode()
    assert Note.objects.get(account=account).text == "They moved house"


def test_a_page_that_somebody_only_looks_at_is_no_news() -> None:
    account = late_account()
    client, _ = opened(account, make_agent())
    page = client.get(f"/accounts/{account.ref}/").content.decode()
    newest = AccountEvent.objects.filter(account=account).order_by("-pk").values_list("pk", flat=True)[0]

    assert f'data-last-event="{newest}"' in page
    queue.release(item_id=account.work_items.get().pk, agent=Agent.objects.get(), at=timezone.now())
    assert client.get(f"/accounts/{account.ref}/news/?after={newest}").status_code == 204
