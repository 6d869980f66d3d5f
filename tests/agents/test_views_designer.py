"""The designer's addresses, and what the server refuses whoever asks."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import holds
from accounts.models import Account, Hold
from agents.models import Agent, Budget, Downgrade, Extension, LiveCall, Plan, Promise, Settlement, WorkItem
from tests.agents.heard import HTMX, agree, heard
from tests.factories import make_agent, make_bill, make_customer, make_item, make_service, make_team, owing

pytestmark = pytest.mark.django_db


def today() -> date:
    return timezone.now().date()


def late_account(*amounts: str, **columns: Any) -> Account:
    return owing(*(amounts or ("100.00", "60.00")), as_of=today(), **columns)


def signed_in(person: Agent) -> Client:
    client = Client()
    client.force_login(person)
    return client


def in_days(days: int) -> str:
    return (today() + timedelta(days=days)).isoformat()


PLAN = {"by": "count", "count": "4", "every": "week"}


def plan_terms(**more: Any) -> dict[str, Any]:
    return {**PLAN, "first_on": in_days(7), **more}


OFFERS = ("pay", "promise", "extension", "plan", "down_payment", "hardship", "downgrade", "settlement", "consolidation")


@pytest.mark.parametrize("offer", ["", *OFFERS, "budget"])
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_every_offer_opens_beside_the_others(offer: str, headers: dict[str, str]) -> None:
    customer = make_customer(country="DE", language="de")
    account = late_account(customer=customer)
    late_account("80.00", customer=customer)
    make_service(account, monthly_fee=Decimal("49.00"))

    page = signed_in(make_agent()).get(f"/accounts/{account.ref}/designer/?offer={offer}", headers=headers)

    assert page.status_code == 200
    assert b'id="work-form"' in page.content
    if offer != "promise" or headers:
        assert b"Settlement" in page.content


def test_there_is_no_offer_that_nobody_made() -> None:
    account = late_account()
    client = signed_in(make_agent())

    assert client.get(f"/accounts/{account.ref}/designer/?offer=forgive").status_code == 404
    assert client.post(f"/accounts/{account.ref}/designer/", {}).status_code == 404
    assert client.get(f"/accounts/{account.ref}/forgive/quote/").status_code == 404


# Words that were heard ------------------------------------------------------------------------------------------------


def test_a_plan_is_quoted_live_read_aloud_in_the_customers_language_and_saved_as_it_was_heard() -> None:
    account = late_account(customer=make_customer(country="DE", language="de"))
    item = make_item(account)
    client = signed_in(make_agent())
    client.get(f"/accounts/{account.ref}/")

    quote = client.get(f"/accounts/{account.ref}/plan/quote/", plan_terms(), headers=HTMX).content.decode()
    answer = agree(client, account, "plan", plan_terms(), item=item.pk)

    assert quote.count("€40.00") >= 4
    assert "Anzahl der Raten: 4. Jede beträgt 40,00" in quote
    assert "Number of payments: 4. Each is" in quote
    assert answer.status_code == 200
    plan = Plan.objects.get()
    assert (plan.status, plan.agreed_by) == (Plan.Status.ACTIVE, "phone")
    assert plan.read_back in quote
    assert plan.read_back.startswith("Anzahl der Raten: 4.")
    assert [part.amount for part in plan.instalments.order_by("position")] == [Decimal("40.000")] * 4


@pytest.mark.parametrize("act", ["promise", "plan", "extension", "settlement", "hardship"])
def test_nothing_is_saved_before_they_agree_or_on_words_they_have_not_heard(act: str) -> None:
    account = late_account()
    client = signed_in(make_agent())
    terms: dict[str, dict[str, Any]] = {
        "promise": {"amount": "40.00", "due_on": in_days(5)},
        "plan": plan_terms(),
        "extension": {"until": in_days(10)},
        "settlement": {"by": "amount", "amount": "150.00", "pay_by": in_days(10)},
        "hardship": {"review_on": in_days(30), "every": "month"},
    }
    others: dict[str, dict[str, Any]] = {
        "promise": {"amount": "50.00"},
        "plan": {"count": "5"},
        "extension": {"until": in_days(11)},
        "settlement": {"amount": "149.00"},
        "hardship": {"review_on": in_days(31)},
    }
    address = f"/accounts/{account.ref}/{act}/"
    said = heard(client, account, act, terms[act])
    assert said["heard"]

    unagreed = client.post(address, {**said, "agreed": ""}, headers=HTMX)
    unheard = client.post(address, {**said, "heard": ""}, headers=HTMX)
    changed = client.post(address, {**said, **others[act]}, headers=HTMX)
    alone = client.post(address, {**said, "agreed_by": "self_service"}, headers=HTMX)

    assert [answer.status_code for answer in (unagreed, unheard, changed, alone)] == [422] * 4
    assert "Read it to them, and tick that they agree." in unagreed.content.decode()
    assert "they are new" in changed.content.decode()
    assert "checked" not in changed.content.decode().partition('name="agreed"')[2].partition(">")[0]
    assert not Hold.objects.exists()
    assert client.post(address, said, headers=HTMX).status_code == 200
    assert Hold.objects.count() == 1


# Beyond one's limits --------------------------------------------------------------------------------------------------


def test_a_plan_beyond_the_agents_authority_says_who_decides_before_and_is_never_active() -> None:
    account = late_account()
    client = signed_in(make_agent())
    terms = plan_terms(count="9", every="month")

    quote = client.get(f"/accounts/{account.ref}/plan/quote/", terms, headers=HTMX).content.decode()
    agree(client, account, "plan", terms)

    assert "Before it counts a supervisor must agree; everything holds meanwhile." in quote
    assert "Somebody here must agree to it first." in quote
    plan = Plan.objects.get()
    assert plan.status == Plan.Status.PENDING_APPROVAL
    assert plan.hold is not None
    assert WorkItem.objects.filter(account=account, kind=WorkItem.Kind.APPROVAL).exists()


def test_a_settlement_beyond_the_agents_authority_waits_and_shows_what_is_let_go() -> None:
    account = late_account("1000.00")
    client = signed_in(make_agent())
    terms = {"by": "percent", "percent": "40", "pay_by": in_days(10)}

    quote = client.get(f"/accounts/{account.ref}/settlement/quote/", terms, headers=HTMX).content.decode()
    agree(client, account, "settlement", terms)

    assert "40.00 % off" in quote
    assert "€400.00" in quote
    assert "Before it counts a supervisor must agree" in quote
    settlement = Settlement.objects.get()
    assert (settlement.amount, settlement.status) == (Decimal("600.000"), Settlement.Status.PENDING_APPROVAL)


def test_a_settlement_within_the_agents_authority_is_offered_at_once() -> None:
    account = late_account("400.00")
    client = signed_in(make_agent())

    agree(client, account, "settlement", {"by": "amount", "amount": "370.00", "pay_by": in_days(10)})

    assert Settlement.objects.get().status == Settlement.Status.OPEN


def test_more_time_than_the_packs_give_waits() -> None:
    account = late_account()
    client = signed_in(make_agent())

    agree(client, account, "extension", {"until": in_days(500)})
    assert not Extension.objects.exists()
    agree(client, account, "extension", {"until": in_days(60)})

    assert Extension.objects.get().status == Extension.Status.PENDING_APPROVAL


# Forged requests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["promise", "plan", "settlement", "extension", "hardship", "budget", "designer"])
def test_another_teams_account_is_not_there(act: str) -> None:
    account = late_account()
    make_item(account, team=make_team())
    client = signed_in(make_agent(team=make_team()))

    assert client.get(f"/accounts/{account.ref}/{act}/").status_code == 404
    assert client.post(f"/accounts/{account.ref}/{act}/", {"offer": "plan", "agreed": "on"}).status_code == 404
    assert client.get(f"/accounts/{account.ref}/plan/quote/", plan_terms()).status_code == 404


def test_a_held_debt_is_not_settled_nor_put_into_a_plan() -> None:
    account = late_account()
    now: dict[str, Any] = {"actor": "agent:nadia", "as_of": today(), "at": timezone.now()}
    holds.place(account_id=account.pk, reason=Hold.Reason.LEGAL, starts_on=today(), **now)
    client = signed_in(make_agent())

    settled = {"by": "amount", "amount": "150.00", "pay_by": in_days(10)}
    for act, terms in (("settlement", settled), ("plan", plan_terms()), ("extension", {"until": in_days(10)})):
        forged = {**terms, "agreed": "on", "agreed_by": "phone", "heard": "0" * 20}
        answer = client.post(f"/accounts/{account.ref}/{act}/", forged, headers=HTMX)
        assert answer.status_code == 422, act
        assert "A hold stands in the way: legal" in answer.content.decode()

    assert not Settlement.objects.exists()
    assert not Plan.objects.exists()
    assert not Extension.objects.exists()


@pytest.mark.parametrize(
    ("act", "terms", "says"),
    [
        ("promise", {"amount": "40.00", "due_on": "2020-01-01"}, "From today to"),
        ("plan", {**PLAN, "first_on": "2020-01-01"}, "in the past"),
        ("extension", {"until": "2020-01-01"}, "reaches beyond today"),
        ("settlement", {"by": "amount", "amount": "150.00", "pay_by": "2020-01-01"}, "has passed"),
        ("hardship", {"review_on": "2020-01-01", "every": "month"}, "lies ahead"),
    ],
)
def test_days_in_the_past_are_refused(act: str, terms: dict[str, Any], says: str) -> None:
    account = late_account()

    answer = agree(signed_in(make_agent()), account, act, terms)

    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert not Hold.objects.exists()


@pytest.mark.parametrize(
    ("act", "terms"),
    [
        ("promise", {"amount": "40.001", "due_on": "2099-01-01"}),
        ("plan", {"by": "amount", "amount": "40.001", "every": "month", "first_on": "2099-01-01"}),
        ("plan", {"by": "count", "count": "3", "down_payment": "40.001", "every": "month", "first_on": "2099-01-01"}),
        ("settlement", {"by": "amount", "amount": "40.001", "pay_by": "2099-01-01"}),
        ("hardship", {"review_on": "2099-01-01", "token": "1.001", "every": "month", "first_on": "2099-01-01"}),
        ("budget", {"earnings": "40.001", "evidence": "self_declared"}),
    ],
)
def test_amounts_with_more_decimals_than_the_currency_are_refused(act: str, terms: dict[str, Any]) -> None:
    account = late_account()

    answer = agree(signed_in(make_agent()), account, act, terms)

    assert answer.status_code == 422
    assert "more decimals than EUR" in answer.content.decode()
    assert not Budget.objects.exists()


@pytest.mark.parametrize("act", ["promise", "plan", "extension", "settlement"])
def test_bills_of_another_account_are_refused(act: str) -> None:
    account, other = late_account(), late_account()
    foreign = make_bill(other)
    terms: dict[str, dict[str, Any]] = {
        "promise": {"amount": "40.00", "due_on": in_days(5)},
        "plan": plan_terms(),
        "extension": {"until": in_days(10)},
        "settlement": {"by": "amount", "amount": "90.00", "pay_by": in_days(10)},
    }

    answer = agree(signed_in(make_agent()), account, act, {**terms[act], "bills": [foreign.ref]})

    assert answer.status_code == 422
    assert not Hold.objects.exists()


def test_a_strangers_account_cannot_be_put_into_one_plan() -> None:
    customer = make_customer()
    account, linked, stranger = late_account(customer=customer), late_account(customer=customer), late_account()
    client = signed_in(make_agent())

    forged = agree(client, account, "consolidation", plan_terms(accounts=[linked.ref, stranger.ref]))

    assert forged.status_code == 422
    assert not Plan.objects.exists()


def test_nothing_is_agreed_on_a_call_before_they_are_verified() -> None:
    account, nadia = late_account(customer=make_customer(phone="+442079460000")), make_agent()
    make_item(account)
    client = signed_in(nadia)
    said = heard(client, account, "plan", plan_terms())
    LiveCall.objects.create(
        ref="L-1",
        account=account,
        agent=nadia,
        number="+442079460000",
        state=LiveCall.State.ANSWERED,
        begun_at=timezone.now(),
    )

    answer = client.post(f"/accounts/{account.ref}/plan/", said, headers=HTMX)

    assert answer.status_code in {409, 422}
    assert not Plan.objects.exists()


# The rest of the menu -------------------------------------------------------------------------------------------------


def test_instalments_fall_on_the_payday_of_their_market() -> None:
    account = late_account(customer=make_customer(country="GB"))
    client = signed_in(make_agent())

    agree(client, account, "plan", plan_terms(by="payday", payday="28", count="3", every="week"))

    days = list(Plan.objects.get().instalments.order_by("position").values_list("due_on", flat=True))
    assert len(days) == 3
    assert all(day.weekday() < 5 for day in days)
    assert all(day.day >= 28 or day.day <= 4 for day in days)


def test_a_budget_is_kept_used_by_the_plan_and_shows_what_is_left() -> None:
    account = late_account()
    client = signed_in(make_agent())

    answer = client.post(
        f"/accounts/{account.ref}/budget/",
        {"earnings": "300", "earnings_every": "weekly", "home_contents": "1200", "evidence": "self_declared"},
        headers=HTMX,
    )
    quote = client.get(f"/accounts/{account.ref}/plan/quote/", plan_terms(every="month"), headers=HTMX).content.decode()
    agree(client, account, "plan", plan_terms(every="month"))

    budget = Budget.objects.get()
    assert (budget.surplus, budget.offer) == (Decimal("100.000"), Decimal("90.000"))
    assert 'name="by" value="amount" checked' in answer.content.decode()
    assert "Left for them a month" in quote
    assert "€60.00" in quote
    assert Plan.objects.get().budget == budget


def test_an_instalment_beyond_the_budget_is_said_so() -> None:
    account = late_account()
    client = signed_in(make_agent())
    client.post(
        f"/accounts/{account.ref}/budget/",
        {"earnings": "1050", "home_contents": "1000", "evidence": "self_declared"},
        headers=HTMX,
    )

    quote = client.get(f"/accounts/{account.ref}/plan/quote/", plan_terms(every="month", count="2"), headers=HTMX)

    assert "The budget leaves 45.00 a month for this debt" in quote.content.decode()


def test_linked_accounts_get_one_plan_with_a_share_each() -> None:
    customer = make_customer()
    account, other = late_account("100.00", customer=customer), late_account("50.00", customer=customer)
    client = signed_in(make_agent())
    terms = plan_terms(count="3", accounts=[other.ref])

    quote = client.get(f"/accounts/{account.ref}/consolidation/quote/", terms, headers=HTMX).content.decode()
    agree(client, account, "consolidation", terms)

    assert quote.count("€50.00") >= 3
    plans = Plan.objects.order_by("pk")
    assert len({plan.group for plan in plans}) == 1
    assert {plan.account: sum(part.amount for part in plan.instalments.all()) for plan in plans} == {
        account: Decimal("100.000"),
        other: Decimal("50.000"),
    }
    cancelled = client.post(f"/accounts/{account.ref}/plans/{plans[0].ref}/cancel/", {"together": "1"})
    assert cancelled.status_code == 302
    assert not Plan.objects.exclude(status=Plan.Status.CANCELLED).exists()


def test_a_cheaper_product_is_asked_for() -> None:
    account = late_account()
    service = make_service(account, monthly_fee=Decimal("49.00"))
    client = signed_in(make_agent())

    dearer = agree(client, account, "downgrade", {"service": service.ref, "to_product": "Max", "to_fee": "59.00"})
    agree(client, account, "downgrade", {"service": service.ref, "to_product": "Basic", "to_fee": "19.00"})

    assert dearer.status_code == 422
    downgrade = Downgrade.objects.get()
    assert (downgrade.to_product, downgrade.from_fee, downgrade.to_fee) == ("Basic", Decimal(49), Decimal(19))


@pytest.mark.parametrize(
    ("currency", "open_amount", "each"), [("JPY", "16000", "¥4,000"), ("KWD", "160.500", "40.125")]
)
def test_every_amount_is_exact_in_its_currency(currency: str, open_amount: str, each: str) -> None:
    account = late_account(open_amount, currency=currency)
    client = signed_in(make_agent())

    quote = client.get(f"/accounts/{account.ref}/plan/quote/", plan_terms(), headers=HTMX).content.decode()
    agree(client, account, "plan", plan_terms())

    assert quote.count(each) >= 4
    parts = Plan.objects.get().instalments.values_list("amount", flat=True)
    assert sum(parts) == Decimal(open_amount)


def test_half_typed_terms_are_kept_and_consent_is_not() -> None:
    account, nadia = late_account(), make_agent()
    item = make_item(account)
    client = signed_in(nadia)
    client.get(f"/accounts/{account.ref}/")

    typed = {"by": "amount", "amount": "12.50", "agreed": "on", "heard": "abc", "note": "After payday"}
    client.post(f"/accounts/{account.ref}/keep/", {"item": item.pk, "act": "plan", **typed})

    item.refresh_from_db()
    assert item.draft == {"plan": {"by": "amount", "amount": "12.50", "note": "After payday"}}
    again = client.get(f"/accounts/{account.ref}/plan/").content.decode()
    assert 'value="12.50"' in again


def test_time_and_settlements_are_cancelled_by_hand() -> None:
    account, other = late_account(), late_account("400.00")
    client = signed_in(make_agent())
    agree(client, account, "extension", {"until": in_days(10)})
    agree(client, other, "settlement", {"by": "amount", "amount": "370.00", "pay_by": in_days(10)})
    extension, settlement = Extension.objects.get(), Settlement.objects.get()

    client.post(f"/accounts/{account.ref}/extensions/{extension.ref}/cancel/")
    client.post(f"/accounts/{other.ref}/settlements/{settlement.ref}/cancel/")
    foreign = client.post(f"/accounts/{account.ref}/settlements/{settlement.ref}/cancel/")

    extension.refresh_from_db()
    settlement.refresh_from_db()
    assert (extension.status, settlement.status, foreign.status_code) == ("cancelled", "cancelled", 404)


def test_a_promise_over_what_is_open_is_refused() -> None:
    account = late_account()

    answer = agree(signed_in(make_agent()), account, "promise", {"amount": "160.01", "due_on": in_days(3)})

    assert answer.status_code == 422
    assert not Promise.objects.exists()
