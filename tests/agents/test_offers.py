"""What may I offer: the packs' order, reasons for what not, and one to begin with."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import holds, settling, wishes
from accounts.models import Account, Hold
from agents import budgets, disputes, offers, promises
from agents.budgets import Line
from agents.models import Agent, Promise
from tests.factories import TODAY, make_agent, make_customer, make_service, moment, owing, settled

pytestmark = pytest.mark.django_db


def menu(account: Account, agent: Agent | None = None) -> offers.Menu:
    return offers.of(account=account, agent=agent or make_agent(), as_of=TODAY, at=moment())


def offered(found: offers.Menu) -> dict[str, offers.Offer]:
    return {offer.code: offer for offer in found.offers}


def hold(account: Account, reason: str, **more: Any) -> Hold:
    now: dict[str, Any] = {"actor": "agent:nadia", "as_of": TODAY, "at": moment()}
    return holds.place(account_id=account.pk, reason=reason, starts_on=TODAY, **more, **now)


def test_what_harms_least_comes_first_by_the_packs_menu_with_the_recommended_on_top() -> None:
    found = menu(owing("100.00"))

    codes = [offer.code for offer in found.offers]
    assert codes[0] == found.recommended
    assert [code for code in codes if code != found.recommended] == [
        code
        for code in (
            offers.PAY,
            offers.PROMISE,
            offers.EXTENSION,
            offers.PLAN,
            offers.DOWN_PAYMENT,
            offers.CONSOLIDATION,
            offers.HARDSHIP,
            offers.DOWNGRADE,
            offers.SETTLEMENT,
        )
        if code != found.recommended
    ]
    assert sum(bool(offer.because) for offer in found.offers) == 1


def test_an_account_that_owes_nothing_is_offered_no_promise_and_told_why() -> None:
    account = owing("100.00")
    account.bills.update(amount=0)
    settling.mark_unsettled([account.pk])
    settled(account)

    found = offered(menu(account))

    assert found[offers.PROMISE].why_not == ("Nothing is open.",)
    assert found[offers.PLAN].why_not == ("Nothing is open.",)


@pytest.mark.parametrize("reason", [Hold.Reason.DECEASED, Hold.Reason.BANKRUPTCY, Hold.Reason.LEGAL, Hold.Reason.FRAUD])
def test_who_cannot_agree_is_offered_nothing_about_the_debt(reason: str) -> None:
    account = owing("100.00")
    hold(account, reason)

    found = offered(menu(account))

    for code in (offers.PROMISE, offers.EXTENSION, offers.PLAN, offers.HARDSHIP, offers.SETTLEMENT):
        assert any("A hold stands in the way" in text for text in found[code].why_not), code


def test_a_payment_on_its_way_is_waited_for() -> None:
    account = owing("100.00")
    hold(account, Hold.Reason.PAYMENT_IN_FLIGHT)

    assert "A payment is on its way: wait for it." in offered(menu(account))[offers.PLAN].why_not


def test_what_is_promised_already_is_not_offered_again_but_the_other_bills_are() -> None:
    account = owing("100.00", "60.00")
    first = account.bills.order_by("due_on").first()
    assert first is not None
    now: dict[str, Any] = {"actor": "agent:nadia", "as_of": TODAY, "at": moment()}
    promises.make(
        account_id=account.pk, amount=Decimal(100), due_on=TODAY + timedelta(days=5), bill_refs=[first.ref], **now
    )
    rest = menu(account)
    assert rest.owed == Decimal("60.000")
    assert offered(rest)[offers.PLAN].is_possible

    last = account.bills.order_by("due_on").last()
    assert last is not None
    promises.make(
        account_id=account.pk, amount=Decimal(60), due_on=TODAY + timedelta(days=5), bill_refs=[last.ref], **now
    )
    why = offered(menu(account))[offers.PLAN].why_not
    assert any("is promised: cancel that first" in text for text in why)


def test_what_is_contested_is_not_offered_for_payment() -> None:
    account = owing("100.00")
    bill = account.bills.get()
    disputes.open_dispute(
        account_id=account.pk,
        bill_ref=bill.ref,
        amount=Decimal("100.00"),
        reason="quality",
        note="",
        actor="agent:nadia",
        as_of=TODAY,
        at=moment(),
    )
    account = Account.objects.get(pk=account.pk)

    assert offered(menu(account))[offers.PROMISE].why_not == ("Everything that is open is disputed.",)


def test_broken_promises_speak_for_parts() -> None:
    account = owing("100.00")
    Promise.objects.create(
        ref="P-1",
        account=account,
        amount=100,
        made_on=TODAY - timedelta(days=40),
        due_on=TODAY - timedelta(days=30),
        status=Promise.Status.BROKEN,
        settled_on=TODAY - timedelta(days=27),
        taken_by="agent:nadia",
    )

    found = menu(account)

    assert found.recommended == offers.PLAN
    assert offered(found)[offers.PROMISE].cautions == ("1 broken in 90 days",)


def told(account: Account, *lines: Line) -> None:
    budgets.make(account_id=account.pk, lines=lines, debts_in_all=None, actor="agent:nadia", as_of=TODAY, at=moment())


def test_a_budget_says_what_a_plan_begins_with() -> None:
    account = owing("100.00", "60.00")
    told(account, Line("earnings", Decimal("1060.00")), Line("home_contents", Decimal("1000.00")))

    found = menu(account)

    assert (found.recommended, offers.usual_terms(found, currency="EUR")) == (
        offers.PLAN,
        {"by": "amount", "amount": Decimal("54.00")},
    )


def test_a_budget_that_leaves_nothing_leads_to_the_hardship_programme() -> None:
    account = owing("100.00")
    told(account, Line("benefits", Decimal("800.00")), Line("home_contents", Decimal("900.00")))

    found = menu(account)

    assert found.recommended == offers.HARDSHIP
    assert offered(found)[offers.DOWN_PAYMENT].why_not == ("Their budget leaves nothing to pay at once.",)


def test_somebody_who_needs_care_is_paused_first() -> None:
    account = owing("100.00")
    wishes.note_vulnerability(
        customer_id=account.customer_id,
        category="life_event",
        severity="medium",
        needs=[],
        actor="agent:nadia",
        as_of=TODAY,
        at=moment(),
    )

    assert menu(account).recommended == offers.HARDSHIP


@pytest.mark.parametrize(
    ("role", "alone"), [("agent", "16.00"), ("team_lead", "40.00"), ("supervisor", "80.00"), ("manager", "120.00")]
)
def test_how_much_may_be_let_go_alone_is_the_roles(role: str, alone: str) -> None:
    # 160 open, older than sixty days: 10 %, 25 %, 50 %, 75 %.
    assert menu(owing("100.00", "60.00"), make_agent(role)).alone_off == Decimal(alone)


def test_a_cheaper_product_needs_one_that_costs() -> None:
    account = owing("100.00")
    assert not offered(menu(account))[offers.DOWNGRADE].is_possible

    make_service(account, monthly_fee=Decimal("49.00"))
    assert offered(menu(account))[offers.DOWNGRADE].says == "€49.00 a month now"


def test_one_plan_for_several_needs_another_account_with_something_open() -> None:
    customer = make_customer()
    account = owing("100.00", customer=customer)
    assert not offered(menu(account))[offers.CONSOLIDATION].is_possible

    owing("50.00", customer=customer)
    assert offered(menu(account))[offers.CONSOLIDATION].is_possible


def test_the_menu_is_read_in_a_fixed_number_of_queries() -> None:
    account, agent = owing(*(["10.00"] * 2)), make_agent()
    menu(account, agent)
    with CaptureQueriesContext(connection) as few:
        menu(account, agent)
    longer = owing(*(["10.00"] * 8))
    for number in range(6):
        make_service(longer, monthly_fee=Decimal(number + 1))
    with CaptureQueriesContext(connection) as many:
        menu(longer, agent)

    assert len(many) == len(few) <= 45
