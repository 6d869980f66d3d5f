"""A few accounts are read with one question, many with one for each kind of fact: what is known is the same."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from accounts.models import (
    Consent,
    ContactPoint,
    ContactPreference,
    Hold,
    Representative,
    UnreachableAddress,
    Vulnerability,
)
from dunning import contact_facts, reading
from dunning.models import Case, CaseStep, Notice
from tests.dunning.test_migrating import POLICY, published
from tests.factories import TODAY, make_customer, make_service, moment, owing

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts() -> list[int]:
    """More than a few, with everything there is to know."""
    version, found = published(POLICY), []
    for number in range(reading.FEW + 2):
        customer = make_customer(phone="+441", email="a@example.com", timezone="Europe/London")
        account = owing("100.00", "12.345", customer=customer)
        child = owing("7.00", parent=account, customer=make_customer())
        for row in (account, child):
            make_service(row, status="suspended")
        Hold.objects.create(
            ref=f"H{number}", account=account, reason="manual", starts_on=TODAY, ends_on=TODAY + timedelta(days=number),
            placed_by="x", bill_refs=["B-1"], stops=["calls"], stops_clock=True,
        )  # fmt: skip
        for kind, value in (("phone", "+442"), ("email", "b@example.com"), ("phone", f"+449{number}")):
            ContactPoint.objects.create(
                ref=f"{kind}{number}{value}", customer=customer, kind=kind, value=value, valid_from=TODAY
            )
        Consent.objects.create(customer=customer, channel="sms", given=False, at=moment(), purpose="service")
        Consent.objects.create(customer=customer, channel="call", given=True, at=moment(), purpose="extra_calls")
        ContactPreference.objects.create(
            customer=customer, kind="time", weekdays=[1, 5], opens=time(9), closes=time(17, 30), starts_at=moment()
        )
        Representative.objects.create(customer=customer, role="adviser", name="Ann", since=moment(), may_be_told=True)
        Vulnerability.objects.create(customer=customer, category="x", needs=["slow"], noted_on=TODAY, review_on=TODAY)
        case = Case.objects.create(
            account=account, version=version, opened_on=TODAY, next_on=TODAY, stage="final", warnings_from=TODAY,
            last_step_on=TODAY,
        )  # fmt: skip
        CaseStep.objects.create(
            case=case, account=account, code="final", action="notify", came_on=TODAY, done_on=TODAY, result="taken"
        )
        Notice.objects.create(
            account=account, customer=customer, case=case, key=f"k{case.pk}", step_code="final", channel="sms",
            template="final-notice", made_on=TODAY, state="delivered", delivered_at=moment(), sent_at=moment(),
            pay_by=TODAY, bill_refs=["B-1"],
        )  # fmt: skip
        found.append(account.pk)
    UnreachableAddress.objects.create(kind="phone", value="+442", since=moment())
    return found


@pytest.mark.parametrize("in_full", [True, False])
def test_one_account_is_known_as_it_is_among_many(accounts: list[int], in_full: bool) -> None:
    together = reading.read(accounts, as_of=TODAY, in_full=in_full)

    assert {pk: reading.read([pk], as_of=TODAY, in_full=in_full)[pk] for pk in accounts} == together
    if in_full:
        assert together[accounts[0]].done
        assert together[accounts[0]].warnings
        assert together[accounts[0]].refused_channels == {"sms"}
        assert together[accounts[0]].contact["phone"] != "+442"


def test_one_customer_is_known_as_among_many(accounts: list[int]) -> None:
    at = datetime.combine(TODAY, time(20), tzinfo=UTC)
    customers = [facts.customer_id for facts in reading.read(accounts, as_of=TODAY).values()]
    together = contact_facts.read(customers, at=at, as_of=TODAY)

    alone = {key: contact_facts.read([key], at=at, as_of=TODAY)[key] for key in customers}

    assert alone == together
    known = together[customers[0]]
    assert known.sent
    assert known.preferences
    assert known.represented_by
    assert known.care
