from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, AccountEvent, Bill, Customer, Hold, Payment
from agents import queue
from agents.models import Agent, Dispute, Interaction, Note, Promise, WorkItem
from tests.agents.heard import agree
from tests.factories import make_account, make_agent, make_bill, make_customer, make_item, make_team, owing

pytestmark = pytest.mark.django_db

#: The whole page at most, session and person included, claimed or opened anew: the zones' lists come with one query,
#: the timeline with another, and what policy and contact gate rest on is read once.
QUERIES = 22

HTMX = {"HX-Request": "true"}


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def late_account(**columns: Any) -> Account:
    """An account with two late bills, 100.00 and 60.00."""
    return owing("100.00", "60.00", as_of=timezone.now().date(), **columns)


def opened(account: Account, agent: Agent) -> tuple[Client, WorkItem]:
    """A client that has the account's page open, and the item it claimed."""
    item = make_item(account)
    client = signed_in(agent)
    assert client.get(f"/accounts/{account.ref}/").status_code == 200
    return client, item


def long_history(account: Account, count: int) -> None:
    """So many bills, payments, talks, notes and events."""
    day, now = date(2020, 1, 1), timezone.now()
    Bill.objects.bulk_create(
        [
            Bill(ref=f"L{account.pk}-{n}", account=account, issued_on=day, due_on=day, amount=5, open_amount=n % 2)
            for n in range(count)
        ]
    )
    Payment.objects.bulk_create(
        [Payment(ref=f"L{account.pk}-{n}", account=account, received_on=day, amount=5) for n in range(count)]
    )
    Interaction.objects.bulk_create(
        [
            Interaction(ref=f"L{account.pk}-{n}", account=account, direction="outbound", disposition="busy", at=now)
            for n in range(count)
        ]
    )
    Note.objects.bulk_create([Note(account=account, text="Noted", at=now, by="agent:x") for _ in range(count)])
    AccountEvent.objects.bulk_create(
        [
            AccountEvent(account=account, kind="dunning.step.taken", actor="policy:a@1", at=now, on=day)
            for _ in range(count)
        ]
    )


def test_the_page_costs_the_same_in_a_book_of_fifty_and_of_five_thousand_and_after_a_long_history() -> None:
    nadia = make_agent()
    young, old = late_account(), late_account()
    long_history(young, 3)
    client, _ = opened(young, nadia)
    make_item(old)
    with CaptureQueriesContext(connection) as small_book:
        client.get(f"/accounts/{young.ref}/")

    long_history(old, 300)
    customers = Customer.objects.bulk_create([Customer(ref=f"Q{n}", name=f"Customer {n}") for n in range(5_000)])
    accounts = Account.objects.bulk_create(
        [Account(ref=customer.ref, customer=customer, currency="EUR") for customer in customers]
    )
    WorkItem.objects.bulk_create([WorkItem(account=account, created_at=timezone.now()) for account in accounts])
    client.get(f"/accounts/{old.ref}/")
    with CaptureQueriesContext(connection) as large_book:
        page = client.get(f"/accounts/{old.ref}/")

    assert page.status_code == 200
    assert len(small_book) == len(large_book) <= QUERIES


def test_opening_an_account_claims_its_item() -> None:
    nadia = make_agent()
    _, item = opened(late_account(), nadia)

    item.refresh_from_db()
    assert item.claimed_by == nadia


def test_a_supervisor_takes_over_what_a_colleague_holds_and_the_colleague_is_told() -> None:
    account, luis = late_account(), make_agent(first_name="Luis", last_name="Ortega")
    item = make_item(account)
    queue.claim(account_id=account.pk, agent=luis, at=timezone.now())
    queue.keep(item_id=item.pk, agent=luis, at=timezone.now(), draft={"note": "asked for"})
    omar = make_agent(role="supervisor")

    assert "Take over" in signed_in(omar).get(f"/accounts/{account.ref}/").content.decode()
    signed_in(omar).post(f"/accounts/{account.ref}/take-over/")

    item.refresh_from_db()
    assert (item.claimed_by, item.draft) == (omar, {"note": "asked for"})
    with pytest.raises(queue.CannotKeep):
        queue.keep(item_id=item.pk, agent=luis, at=timezone.now())


def test_an_agent_takes_nothing_over() -> None:
    account, luis, nadia = late_account(), make_agent(), make_agent()
    item = make_item(account)
    queue.claim(account_id=account.pk, agent=luis, at=timezone.now())

    assert "Take over" not in signed_in(nadia).get(f"/accounts/{account.ref}/").content.decode()
    assert signed_in(nadia).post(f"/accounts/{account.ref}/take-over/").status_code == 403
    item.refresh_from_db()
    assert item.claimed_by == luis


def test_an_account_that_a_colleague_holds_is_shown_with_who_and_until_when_and_nothing_to_press() -> None:
    account, luis = late_account(), make_agent(first_name="Luis", last_name="Ortega")
    make_item(account)
    queue.claim(account_id=account.pk, agent=luis, at=timezone.now())

    page = signed_in(make_agent()).get(f"/accounts/{account.ref}/").content.decode()

    assert "<b>Luis Ortega</b> works on this account until" in page
    assert "Log call" not in page
    assert f"/accounts/{account.ref}/note/" in page


def test_an_account_behind_the_team_wall_does_not_exist() -> None:
    account = late_account()
    make_item(account, team=make_team("South"))
    client = signed_in(make_agent(team=make_team("North")))

    for address in ("", "timeline/", "call/", "promise/", "designer/", "plan/quote/"):
        assert client.get(f"/accounts/{account.ref}/{address}").status_code == 404
    for address in ("keep/", "release/", "note/"):
        assert client.post(f"/accounts/{account.ref}/{address}", {"text": "x"}).status_code == 404


def test_the_five_zones_say_who_how_much_and_why() -> None:
    account = late_account(
        customer=make_customer(name="Anna Arendt", language="de", timezone="Europe/Berlin", city="Bonn")
    )
    make_item(
        account,
        reason="A promise was broken",
        score_parts=[{"name": "amount", "points": 9, "text": "EUR 160.00 overdue: 9 points"}],
    )

    page = signed_in(make_agent()).get(f"/accounts/{account.ref}/").content.decode()

    for said in ("Anna Arendt", "German", "Bonn", "€160.00", "A promise was broken", "EUR 160.00 overdue", "Verify"):
        assert said in page


@pytest.mark.parametrize(
    "act",
    [
        "call", "promise", "designer", "plan", "down_payment", "extension", "settlement", "hardship", "downgrade",
        "pay", "consolidation", "budget", "dispute", "note", "hold",
    ],
)  # fmt: skip
def test_every_act_has_a_page_without_scripts_and_a_panel_with_htmx(act: str) -> None:
    account = late_account()
    client, _ = opened(account, make_agent())

    whole = client.get(f"/accounts/{account.ref}/{act}/").content.decode()
    panel = client.get(f"/accounts/{account.ref}/{act}/", headers=HTMX).content.decode()

    assert whole.startswith("<!doctype html>")
    assert 'id="work-form"' in whole
    assert 'id="work-form"' in panel
    assert "<html" not in panel


def test_an_act_that_does_not_exist_is_not_found() -> None:
    account = late_account()
    client, _ = opened(account, make_agent())

    assert client.get(f"/accounts/{account.ref}/forgive/").status_code == 404


def test_a_promise_is_made_for_the_ticked_bills_and_the_page_shows_it() -> None:
    account = late_account()
    bill = account.bills.order_by("due_on").first()
    assert bill is not None
    client, item = opened(account, make_agent(username="nadia"))
    due_on = timezone.now().date() + timedelta(days=5)

    terms = {"amount": "40.00", "due_on": due_on.isoformat(), "bills": [bill.ref]}
    answer = agree(client, account, "promise", terms, item=item.pk)

    assert answer.status_code == 200
    assert answer["HX-Retarget"] == "#account"
    promise = Promise.objects.get()
    assert (promise.amount, promise.due_on, promise.bill_refs, promise.taken_by) == (
        Decimal("40.000"),
        due_on,
        [bill.ref],
        "agent:nadia",
    )
    assert "Promise to pay" in answer.content.decode()


def test_save_and_next_completes_the_item_and_opens_the_next_one() -> None:
    account, nadia = late_account(), make_agent()
    client, item = opened(account, nadia)
    following = make_item(late_account(), score=9)
    due_on = timezone.now().date() + timedelta(days=5)

    terms = {"amount": "160.00", "due_on": due_on.isoformat()}
    answer = agree(client, account, "promise", terms, item=item.pk, then="next")

    assert answer.status_code == 204
    assert answer["HX-Redirect"] == f"/accounts/{following.account.ref}/"
    item.refresh_from_db()
    assert (item.done_by, item.outcome) == (nadia, "promise")


@pytest.mark.parametrize("amount", ["", "12,50", "0", "-5", "1.005", "much"])
def test_an_amount_that_is_none_answers_422_with_the_reason_beside_the_field_and_all_that_was_typed(
    amount: str,
) -> None:
    account = late_account()
    client, item = opened(account, make_agent())

    answer = client.post(
        f"/accounts/{account.ref}/promise/",
        {"item": item.pk, "amount": amount, "due_on": "2099-01-01", "note": "Says after payday"},
        headers=HTMX,
    )

    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="id_amount-errors"' in page
    assert 'aria-invalid="true"' in page
    assert "Says after payday" in page
    assert not Promise.objects.exists()


def test_what_the_desk_refuses_is_said_in_its_words_and_the_form_stays() -> None:
    account = late_account()
    client, item = opened(account, make_agent())

    terms = {"amount": "40.00", "due_on": "2020-01-01"}
    answer = agree(client, account, "promise", terms, item=item.pk)

    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert not Promise.objects.exists()


@pytest.mark.parametrize("headers", [HTMX, {}])
def test_a_lost_claim_answers_409_with_what_was_typed_and_writes_nothing(headers: dict[str, str]) -> None:
    account = late_account()
    client, item = opened(account, make_agent())
    later = timezone.now() + queue.LEASE + timedelta(seconds=1)
    queue.claim(account_id=account.pk, agent=make_agent(first_name="Luis"), at=later)

    answer = client.post(
        f"/accounts/{account.ref}/note/", {"item": item.pk, "text": "Half a sentence, dear to me"}, headers=headers
    )

    assert answer.status_code == 409
    assert "Half a sentence, dear to me" in answer.content.decode()
    assert not Note.objects.exists()


def test_half_typed_work_is_kept_with_the_item_and_laid_back_into_the_form() -> None:
    account = late_account()
    client, item = opened(account, make_agent())

    kept = client.post(
        f"/accounts/{account.ref}/keep/",
        {"item": item.pk, "act": "dispute", "amount": "12.34", "note": "Roaming on the fe"},
    )

    assert kept.status_code == 200
    form = client.get(f"/accounts/{account.ref}/dispute/", headers=HTMX).content.decode()
    assert "12.34" in form
    assert "Roaming on the fe" in form
    assert "kept" in client.get(f"/accounts/{account.ref}/").content.decode()


def test_saving_a_form_clears_its_draft_and_no_other() -> None:
    account = late_account()
    client, item = opened(account, make_agent())
    client.post(f"/accounts/{account.ref}/keep/", {"item": item.pk, "act": "note", "text": "Dra"})
    client.post(f"/accounts/{account.ref}/keep/", {"item": item.pk, "act": "promise", "amount": "5"})

    client.post(f"/accounts/{account.ref}/note/", {"item": item.pk, "text": "Draft no more"}, headers=HTMX)

    item.refresh_from_db()
    assert item.draft.keys() == {"promise"}


def test_the_heartbeat_of_a_lost_claim_says_who_took_it() -> None:
    account = late_account()
    client, item = opened(account, make_agent())
    later = timezone.now() + queue.LEASE + timedelta(seconds=1)
    queue.claim(account_id=account.pk, agent=make_agent(first_name="Luis", last_name="Ortega"), at=later)

    answer = client.post(f"/accounts/{account.ref}/keep/", {"item": item.pk})

    assert answer.status_code == 409
    assert "Luis Ortega" in answer.json()["lost"]


def test_a_draft_of_a_million_letters_is_not_kept() -> None:
    account = late_account()
    client, item = opened(account, make_agent())

    client.post(f"/accounts/{account.ref}/keep/", {"item": item.pk, "act": "note", "text": "x" * 1_000_000})

    item.refresh_from_db()
    assert item.draft == {}


def test_an_inbound_call_with_a_promise_is_logged_in_one_go() -> None:
    account = late_account()
    client, item = opened(account, make_agent())
    due_on = timezone.now().date() + timedelta(days=3)

    client.post(
        f"/accounts/{account.ref}/call/",
        {
            "item": item.pk,
            "direction": "inbound",
            "disposition": "rpc_promise",
            "amount": "60.00",
            "due_on": due_on.isoformat(),
            "note": "Rang us",
        },
        headers=HTMX,
    )

    call = Interaction.objects.get()
    assert (call.direction, call.disposition, call.right_party, call.note) == (
        "inbound",
        "rpc_promise",
        True,
        "Rang us",
    )
    assert Promise.objects.get().amount == Decimal("60.000")


def test_a_call_that_ends_in_a_promise_must_say_how_much_and_by_when() -> None:
    account = late_account()
    client, item = opened(account, make_agent())

    answer = client.post(
        f"/accounts/{account.ref}/call/",
        {"item": item.pk, "direction": "inbound", "disposition": "rpc_promise"},
        headers=HTMX,
    )

    assert answer.status_code == 422
    assert "Say how much was promised." in answer.content.decode()
    assert "Say by when it will be paid." in answer.content.decode()
    assert not Interaction.objects.exists()


def test_a_call_about_a_dispute_opens_the_dispute_form_next() -> None:
    account = late_account()
    client, item = opened(account, make_agent())

    answer = client.post(
        f"/accounts/{account.ref}/call/",
        {"item": item.pk, "direction": "inbound", "disposition": "rpc_dispute", "then": "next"},
        headers=HTMX,
    )

    assert 'data-act="dispute"' in answer.content.decode()
    item.refresh_from_db()
    assert item.done_at is None


def test_an_outbound_call_without_the_claim_is_refused() -> None:
    account = late_account()

    answer = signed_in(make_agent()).post(
        f"/accounts/{account.ref}/call/", {"direction": "outbound", "disposition": "busy"}, headers=HTMX
    )

    assert answer.status_code == 409
    assert not Interaction.objects.exists()


def test_the_dispute_form_proposes_half_of_the_newest_open_bill_and_opens_it() -> None:
    account = late_account()
    newest = account.bills.order_by("-due_on").first()
    assert newest is not None
    client, item = opened(account, make_agent())

    form = client.get(f"/accounts/{account.ref}/dispute/", headers=HTMX).content.decode()
    client.post(
        f"/accounts/{account.ref}/dispute/",
        {"item": item.pk, "bill": newest.ref, "amount": "30.00", "reason": "roaming", "note": "Was at home"},
        headers=HTMX,
    )

    assert 'value="30.00"' in form
    dispute = Dispute.objects.get()
    assert (dispute.bill_ref, dispute.amount, dispute.reason) == (newest.ref, Decimal("30.000"), "roaming")


def test_a_manual_hold_must_say_what_it_stops() -> None:
    account = late_account()
    client, item = opened(account, make_agent())
    today = timezone.now().date().isoformat()

    refused = client.post(
        f"/accounts/{account.ref}/hold/", {"item": item.pk, "reason": "manual", "starts_on": today}, headers=HTMX
    )
    client.post(
        f"/accounts/{account.ref}/hold/",
        {"item": item.pk, "reason": "manual", "starts_on": today, "stops": ["calls", "fees"]},
        headers=HTMX,
    )

    assert refused.status_code == 422
    assert Hold.objects.get().stops == ["calls", "fees"]


def test_agents_lift_manual_holds_and_leave_a_bankruptcy_to_a_supervisor() -> None:
    account = late_account()
    client, _ = opened(account, make_agent())
    today = timezone.now().date()
    manual = Hold.objects.create(ref="H1", account=account, reason="manual", starts_on=today, placed_by="desk")
    legal = Hold.objects.create(ref="H2", account=account, reason="bankruptcy", starts_on=today, placed_by="desk")

    assert client.post(f"/accounts/{account.ref}/holds/{manual.ref}/lift/").status_code == 302
    assert client.post(f"/accounts/{account.ref}/holds/{legal.ref}/lift/").status_code == 403

    assert Hold.objects.get(pk=manual.pk).lifted_on is not None
    assert Hold.objects.get(pk=legal.pk).lifted_on is None


def test_only_supervisors_resolve_disputes() -> None:
    account = late_account()
    client, item = opened(account, make_agent())
    newest = account.bills.order_by("-due_on").first()
    assert newest is not None
    client.post(
        f"/accounts/{account.ref}/dispute/",
        {"item": item.pk, "bill": newest.ref, "amount": "30.00", "reason": "roaming", "note": "x"},
    )
    address = f"/accounts/{account.ref}/disputes/{Dispute.objects.get().ref}/resolve/"

    assert client.post(address, {"outcome": "upheld"}).status_code == 403
    assert signed_in(make_agent("supervisor")).post(address, {"outcome": "upheld", "note": "Right"}).status_code == 302

    assert Dispute.objects.get().outcome == "upheld"


def test_an_account_that_is_put_back_is_free_again() -> None:
    account = late_account()
    client, item = opened(account, make_agent())

    client.post(f"/accounts/{account.ref}/release/")

    item.refresh_from_db()
    assert item.claimed_by is None


def test_the_timeline_is_narrowed_and_lengthened() -> None:
    account = late_account()
    client, _ = opened(account, make_agent())
    long_history(account, 70)

    notes = client.get(f"/accounts/{account.ref}/timeline/?show=talks", headers=HTMX).content.decode()
    everything = client.get(f"/accounts/{account.ref}/timeline/?most=960", headers=HTMX).content.decode()

    assert notes.count("data-entry") == 12
    assert "Show older" in notes
    assert "Payment" not in notes
    assert everything.count("data-entry") > 300
    assert "Show older" not in everything


@pytest.mark.parametrize(
    "query", ["?show=nonsense", "?most=-1", "?most=99999999999999999999", "?most=abc", "?show=<script>"]
)
def test_a_strange_address_of_the_timeline_is_the_usual_timeline(query: str) -> None:
    account = late_account()
    client, _ = opened(account, make_agent())

    answer = client.get(f"/accounts/{account.ref}/timeline/{query}", headers=HTMX)

    assert answer.status_code == 200
    assert "<script>" not in answer.content.decode()


def test_texts_of_customers_are_shown_as_text() -> None:
    account = late_account(customer=make_customer(name="<img src=x>"))
    client, item = opened(account, make_agent())
    client.post(f"/accounts/{account.ref}/note/", {"item": item.pk, "text": "<script>alert(1)</script>"})

    page = client.get(f"/accounts/{account.ref}/").content.decode()

    assert "<img src=x>" not in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_foreign_bill_cannot_be_ticked() -> None:
    account, other = late_account(), late_account()
    foreign = make_bill(other)
    client, item = opened(account, make_agent())

    answer = client.post(
        f"/accounts/{account.ref}/promise/",
        {"item": item.pk, "amount": "5.00", "due_on": timezone.now().date().isoformat(), "bills": [foreign.ref]},
        headers=HTMX,
    )

    assert answer.status_code == 422
    assert not Promise.objects.exists()


def test_an_account_without_bills_services_or_history_is_a_page_too() -> None:
    account = make_account()

    page = signed_in(make_agent()).get(f"/accounts/{account.ref}/").content.decode()

    assert "No bills yet" in page
    assert "Nothing here yet" in page
    assert "Not in the queue" in page
