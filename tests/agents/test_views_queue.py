from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, Customer
from agents import queue, rights
from agents.models import Promise, WorkItem
from tests.factories import make_account, make_agent, make_customer, make_item, make_team, owing

pytestmark = pytest.mark.django_db

#: Session, person, roles, business date, items held, callbacks, worked, promised, the list, how many are left,
#: who waits for an hour.
QUERIES_OF_AN_AGENT = 12


def signed_in(person: object) -> Client:
    client = Client()
    client.force_login(person)  # type: ignore[arg-type]
    return client


def fill_the_queue(count: int) -> None:
    """So many accounts with an item each, in four statements."""
    first = Customer.objects.count()
    customers = Customer.objects.bulk_create(
        [Customer(ref=f"Q{first + n}", name=f"Customer {first + n}") for n in range(count)]
    )
    accounts = Account.objects.bulk_create(
        [
            Account(ref=customer.ref, customer=customer, currency="EUR", overdue=Decimal(10), open_amount=Decimal(10))
            for customer in customers
        ]
    )
    parts = [{"name": "amount", "points": 7, "text": "EUR 10.00 overdue: 7 points"}]
    WorkItem.objects.bulk_create(
        [WorkItem(account=account, score=7, score_parts=parts, created_at=timezone.now()) for account in accounts]
    )


def test_the_queue_page_costs_the_same_for_fifty_and_for_five_thousand_accounts() -> None:
    client = signed_in(make_agent())
    fill_the_queue(50)
    with CaptureQueriesContext(connection) as few:
        client.get("/queue/")
    fill_the_queue(4_950)
    with CaptureQueriesContext(connection) as many:
        page = client.get("/queue/")

    assert len(few) == len(many) == QUERIES_OF_AN_AGENT
    assert b"top 25 of 1000" in page.content


def test_next_claims_the_best_item_and_opens_its_account() -> None:
    nadia = make_agent()
    make_item(make_account(), score=5)
    best = make_item(make_account(), score=50)

    answer = signed_in(nadia).post("/queue/next/")

    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/{best.account.ref}/"
    best.refresh_from_db()
    assert best.claimed_by == nadia


def test_next_cannot_be_pulled_by_a_link() -> None:
    assert signed_in(make_agent()).get("/queue/next/").status_code == 405


def test_an_empty_queue_says_so() -> None:
    client = signed_in(make_agent())

    assert client.post("/queue/next/")["Location"] == "/queue/"
    page = client.get("/queue/").content.decode()
    assert "The queue is empty" in page
    assert "everything free has been worked" in page


def test_agents_do_not_see_items_of_another_team_and_supervisors_see_all() -> None:
    north, south = make_team("North"), make_team("South")
    make_item(make_account(customer=make_customer(name="Norma North")), team=north)
    make_item(make_account(customer=make_customer(name="Sam South")), team=south)

    seen_by_agent = signed_in(make_agent(team=north)).get("/queue/").content.decode()
    seen_by_supervisor = signed_in(make_agent("supervisor")).get("/queue/").content.decode()

    assert "Norma North" in seen_by_agent
    assert "Sam South" not in seen_by_agent
    assert "Norma North" in seen_by_supervisor
    assert "Sam South" in seen_by_supervisor


def test_items_whose_time_has_not_come_are_not_among_those_coming_up() -> None:
    make_item(make_account(customer=make_customer(name="Later Lena")), not_before=timezone.now() + timedelta(hours=2))

    assert "Later Lena" not in signed_in(make_agent()).get("/queue/").content.decode()


def test_what_i_hold_and_my_day_are_shown() -> None:
    nadia = make_agent()
    account = owing("80.00", customer=make_customer(name="Held Hannah"))
    item = make_item(account, score=3)
    queue.claim(account_id=account.pk, agent=nadia, at=timezone.now())
    done = make_item(owing("20.00"), done_at=timezone.now(), done_by=nadia)
    Promise.objects.create(
        ref="P1",
        account=done.account,
        amount=Decimal("20.00"),
        made_on=timezone.now().date(),
        due_on=timezone.now().date(),
        taken_by=rights.actor(nadia),
    )

    page = signed_in(nadia).get("/queue/")

    assert page.context["held"] == [item]
    assert page.context["day"] == {"worked": 1, "promises": 1, "amounts": [(Decimal("20.000"), "EUR")]}


@pytest.mark.parametrize(
    "address", ["/queue/", "/search/?q=anna", "/accounts/A1/", "/supervise/", "/supervise/rejected/"]
)
def test_a_visitor_is_sent_to_the_login_page(address: str) -> None:
    answer = Client().get(address)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/?next=")


def test_somebody_without_a_role_gets_no_queue() -> None:
    nobody = make_agent()
    nobody.groups.clear()

    assert signed_in(nobody).get("/queue/").status_code == 403


def test_next_does_not_lead_away_from_an_account_without_an_outcome() -> None:
    nadia, account = make_agent(), make_account()
    make_item(account)
    client = signed_in(nadia)
    client.post("/queue/next/")

    page = client.post("/queue/next/", {"leaving": account.ref}, follow=True).content.decode()

    assert "This account is still yours" in page


def test_a_supervisors_next_may_be_a_decision() -> None:
    make_item(make_account(), kind=WorkItem.Kind.APPROVAL, score=99)

    assert signed_in(make_agent("supervisor")).post("/queue/next/")["Location"] == "/supervise/approvals/"
