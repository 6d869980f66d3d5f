from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from accounts.models import Account, ContactPoint, Representative
from agents import dialling, identity, kinds, queue
from agents.identity import CannotCheck
from agents.models import Agent, IdentityCheck, LiveCall
from tests.factories import TODAY, make_agent, make_customer, make_item, make_payment, make_service, moment, owing

pytestmark = pytest.mark.django_db

AT = moment()
NUMBER = "+442079460000"


@pytest.fixture
def account() -> Account:
    customer = make_customer(
        country="GB", timezone="Europe/London", phone=NUMBER, name="Ann Example", birth_date=date(1980, 5, 17),
        postal_code="SW1A 1AA", email="ann@example.org",
    )  # fmt: skip
    return owing("100.00", customer=customer)


@pytest.fixture
def nadia(account: Account) -> Agent:
    agent = make_agent(username="nadia")
    make_item(account)
    queue.claim_next(agent=agent, at=AT)
    dialling.dial(account_id=account.pk, agent=agent, number=NUMBER, at=AT, as_of=TODAY)
    return agent


def check(account: Account, agent: Agent, matched: str = "", failed: str = "", **more: Any) -> IdentityCheck:
    return identity.check(
        account_id=account.pk, agent=agent, matched=matched.split(), failed=failed.split(), as_of=TODAY,
        at=more.pop("at", AT + timedelta(minutes=1)), **more,
    )  # fmt: skip


def asked(account: Account, **more: Any) -> dict[str, str]:
    return {detail.code: detail.on_file for detail in identity.details_on_file(account, as_of=TODAY, **more)}


def test_only_what_is_on_file_is_asked_with_what_to_compare(account: Account) -> None:
    assert asked(account).keys() == {"full_name", "birth_date", "postal_code", "email", "account_number", "last_bill"}
    make_payment(account, "12.50", on=TODAY)
    make_service(account, number="+44 7700 900001")
    make_service(account, number="+44 20 7946 0000")
    ContactPoint.objects.create(ref="k", customer=account.customer, kind="address", value="1 Old Road")

    found = asked(account, number=NUMBER)

    assert (found["full_name"], found["birth_date"], found["address"]) == ("Ann Example", "17 May 1980", "1 Old Road")
    assert (found["last_bill"], found["last_payment"]) == ("100.00 EUR, 01 Oct", "12.50 EUR, 10 Mar")
    # The number that was dialled proves nothing.
    assert found["service_number"] == "+44 7700 900001"


def test_two_details_beside_the_name_are_enough_and_the_name_is_none(account: Account, nadia: Agent) -> None:
    assert not check(account, nadia, "full_name birth_date").passed
    assert check(account, nadia, "postal_code").passed
    call = LiveCall.objects.get()
    assert identity.passed(call)
    assert identity.passed_for(account_id=account.pk, agent=nadia, at=AT)
    assert not identity.passed_for(account_id=account.pk, agent=make_agent(), at=AT)


def test_how_many_are_enough_is_a_setting(account: Account, nadia: Agent, settings: Any) -> None:
    settings.DESK_IDENTITY_DETAILS = 3

    assert not check(account, nadia, "birth_date postal_code").passed
    assert check(account, nadia, "email").passed


def test_what_failed_once_may_be_asked_again_and_twice_ends_it(account: Account, nadia: Agent) -> None:
    check(account, nadia, "birth_date", "postal_code")
    assert check(account, nadia, "postal_code").passed

    other = make_agent()
    second = owing("10.00", customer=account.customer)
    make_item(second)
    queue.claim(account_id=second.pk, agent=other, at=AT)
    dialling.dial(account_id=second.pk, agent=other, number=NUMBER, at=AT, as_of=TODAY)
    check(second, other, "", "postal_code")
    assert not check(second, other, "birth_date email", "postal_code").passed
    with pytest.raises(CannotCheck, match="any more"):
        check(second, other, "birth_date email account_number")


def test_three_that_fail_end_it_for_the_call_and_not_for_the_next(account: Account, nadia: Agent) -> None:
    check(account, nadia, "", "birth_date postal_code")
    assert not identity.standing(LiveCall.objects.get()).ended
    check(account, nadia, "", "email")
    assert identity.standing(LiveCall.objects.get()).ended
    with pytest.raises(CannotCheck, match="any more"):
        check(account, nadia, "birth_date postal_code email")

    dialling.give_up(agent=nadia, reason="mistake", as_of=TODAY, at=AT)
    later = AT + timedelta(minutes=9)
    dialling.dial(account_id=account.pk, agent=nadia, number=NUMBER, at=later, as_of=TODAY)
    assert not identity.passed_for(account_id=account.pk, agent=nadia, at=later)
    assert check(account, nadia, "birth_date postal_code", at=later).passed


def test_a_wrong_name_is_not_made_good_by_what_a_spouse_knows(account: Account, nadia: Agent) -> None:
    assert not check(account, nadia, "birth_date postal_code", "full_name").passed
    assert check(account, nadia, "full_name").passed


@pytest.mark.parametrize(
    ("matched", "failed", "words"),
    [
        ("mothers_name", "", "Not on file"),
        ("service_number email", "", "Not on file"),
        ("email", "email", "matches or it does not"),
        ("", "", "Tick what was asked"),
    ],
)
def test_what_cannot_be_ticked_is_refused(
    account: Account, nadia: Agent, matched: str, failed: str, words: str
) -> None:
    with pytest.raises(CannotCheck, match=words):
        check(account, nadia, matched, failed)
    assert not IdentityCheck.objects.exists()


def test_codes_are_kept_and_never_an_answer(account: Account, nadia: Agent) -> None:
    check(account, nadia, "birth_date postal_code", "email")

    event = account.events.get(kind=kinds.IDENTITY_CHECKED)
    assert event.payload == {
        "call": LiveCall.objects.get().ref,
        "party": "customer",
        "passed": True,
        "matched": ["birth_date", "postal_code"],
        "failed": ["email"],
    }


def test_a_representative_counts_where_they_may_be_told(account: Account, nadia: Agent) -> None:
    told, other = (
        Representative.objects.create(customer=account.customer, role="carer", name=name, may_be_told=may, since=AT)
        for name, may in (("Carl Carer", True), ("Nosy Neighbour", False))
    )
    assert [row.name for row in identity.parties(account, at=AT)] == ["Carl Carer"]
    assert asked(account, speaks=told)["full_name"] == "Carl Carer, carer"

    with pytest.raises(CannotCheck, match="may not be told"):
        check(account, nadia, "birth_date postal_code", representative_id=other.pk)
    assert check(account, nadia, "birth_date postal_code", representative_id=told.pk).party == "representative"


def test_where_little_is_on_file_all_of_it_is_wanted() -> None:
    account = owing("100.00", customer=make_customer(country="GB"))
    details = identity.details_on_file(account, as_of=TODAY)

    assert [detail.code for detail in details] == ["full_name", "account_number", "last_bill"]
    assert identity.wanted(details[:2]) == 1
