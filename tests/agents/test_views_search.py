from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import ContactPoint
from agents.models import Agent
from tests.factories import make_account, make_agent, make_bill, make_customer, make_item, make_service, make_team

pytestmark = pytest.mark.django_db

#: Session, person, roles, account, bill, service, phone, contact points, names, accounts, business date.
MOST_QUERIES = 14


def found(asked: str, person: Agent | None = None, **headers: str) -> str:
    client = Client()
    client.force_login(person or make_agent())
    return client.get("/search/", {"q": asked}, headers=headers).content.decode()


@pytest.mark.parametrize(
    "asked",
    [
        "ACC-77",
        "acc-77",
        "INV-2026-9",
        "inv-2026-9",
        "svc-5",
        "+1 (212) 555-0143",
        "12125550143",
        "212 555 0143",
        "+12125550199",
        "+442079460000",
        "Marlowe",
        "marlowe phil",
        "PHILIP",
        "philip@marlowe.example",
        "Philip@Marlowe.Example",
        "second@marlowe.example",
    ],
)
def test_an_account_is_found_by_whatever_the_caller_gives(asked: str) -> None:
    customer = make_customer(name="Philip Marlowe", phone="+12125550143", email="Philip@marlowe.example")
    account = make_account(ref="ACC-77", customer=customer)
    make_bill(account, ref="INV-2026-9")
    make_service(account, ref="SVC-5", number="+12125550199")
    ContactPoint.objects.create(ref="K1", customer=customer, kind="phone", value="+442079460000")
    ContactPoint.objects.create(ref="K2", customer=customer, kind="email", value="second@marlowe.example")
    make_account(customer=make_customer(name="Somebody Else"))

    page = found(asked)

    assert "/accounts/ACC-77/" in page
    assert "Somebody Else" not in page


@pytest.mark.parametrize(
    "asked", ["", "m", "%%", "'; drop table accounts_account; --", "a & | ! ( :*", "\\", "x" * 5_000, "🙂"]
)
def test_strange_questions_find_nothing_and_break_nothing(asked: str) -> None:
    make_account(customer=make_customer(name="Philip Marlowe"))

    assert "Philip Marlowe" not in found(asked)


def test_the_dropdown_is_short_and_the_page_says_when_there_is_more() -> None:
    for _ in range(60):
        make_account(customer=make_customer(name="Anna Popular"))
    person = make_agent()

    assert found("anna", person, **{"HX-Request": "true"}).count("/accounts/") == 8
    page = found("anna", person)
    assert page.count("/accounts/") == 50
    assert "the first of more" in page


def test_the_team_wall_holds_for_searches() -> None:
    account = make_account(customer=make_customer(name="Sam South", phone="+12125550143"))
    make_item(account, team=make_team("South"))
    outsider = make_agent(team=make_team("North"))

    assert "Sam South" not in found("Sam", outsider)
    assert f"/accounts/{account.ref}/" not in found(account.ref, outsider)
    assert "Sam South" not in found("+12125550143", outsider)


def test_a_search_never_costs_more_than_its_budget() -> None:
    for _ in range(60):
        make_account(customer=make_customer(name="Anna Popular", phone="+12125550143"))
    client = Client()
    client.force_login(make_agent())

    for asked in ("Anna", "+12125550143", "anna@popular.example"):
        with CaptureQueriesContext(connection) as queries:
            client.get("/search/", {"q": asked})
        assert len(queries) <= MOST_QUERIES
