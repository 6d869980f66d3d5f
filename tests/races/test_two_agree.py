"""Two agents agree something about one account at the same moment: one of them is told so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from accounts import business_day
from accounts.models import Account, Hold
from accounts.refusals import Refused
from agents import consolidating, extensions, plans, promises, settlements
from agents.instalments import Instalment
from agents.models import Agent, Extension, Plan, Promise, Settlement
from tests.factories import TODAY, make_agent, make_customer, moment, owing

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _on_the_day() -> None:
    """News is carried at once after a commit, on the business date."""
    business_day.move_to(TODAY)


SOON = TODAY + timedelta(days=10)


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Begun together, each on a connection of its own; what each gave, or the refusal."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        start.wait()
        try:
            return act()
        except Refused as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def act_of(what: str, account: Account, agent: Agent) -> Callable[[], object]:
    now: dict[str, Any] = {"actor": f"agent:{agent.username}", "as_of": TODAY, "at": moment()}
    if what == "promise":
        return lambda: promises.make(account_id=account.pk, amount=Decimal(5), due_on=SOON, **now)
    now["agent"] = agent
    if what == "plan":
        parts = [Instalment(SOON, Decimal(400))]
        return lambda: plans.agree(account_id=account.pk, instalments=parts, **now)
    if what == "extension":
        return lambda: extensions.agree(account_id=account.pk, until=SOON, **now)
    return lambda: settlements.agree(account_id=account.pk, amount=Decimal(380), pay_by=SOON, **now)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("settlement", "settlement"),
        ("settlement", "plan"),
        ("extension", "promise"),
        ("plan", "plan"),
        ("extension", "settlement"),
    ],
)
def test_one_agreement_stands_and_one_is_refused(one: str, other: str) -> None:
    account = owing("400.00")
    agents = [make_agent(), make_agent()]

    given = at_once(*(act_of(what, account, agent) for what, agent in zip((one, other), agents, strict=True)))

    assert sum(isinstance(each, Refused) for each in given) == 1
    made = [model.objects.count() for model in (Promise, Plan, Extension, Settlement)]
    assert sum(made) == 1
    assert Hold.objects.filter(account=account, lifted_on=None).count() == 1


def test_two_consolidate_the_same_accounts_in_the_other_order() -> None:
    customer = make_customer()
    accounts = [owing("100.00", customer=customer), owing("300.00", customer=customer)]
    parts = [Instalment(SOON, Decimal(400))]

    def agree(order: list[Account], agent: Agent) -> Callable[[], object]:
        return lambda: consolidating.agree(
            account_ids=[account.pk for account in order],
            instalments=parts,
            actor=f"agent:{agent.username}",
            agent=agent,
            as_of=TODAY,
            at=moment(),
        )

    given = at_once(agree(accounts, make_agent()), agree(accounts[::-1], make_agent()))

    assert sum(isinstance(each, Refused) for each in given) == 1
    assert Plan.objects.count() == 2
    assert Plan.objects.values("group").distinct().count() == 1


def test_two_words_given_at_once_make_one_offer() -> None:
    account, asking = owing("6000.00"), make_agent()
    settlement = settlements.agree(
        account_id=account.pk,
        amount=Decimal(900),
        pay_by=SOON,
        actor=f"agent:{asking.username}",
        agent=asking,
        as_of=TODAY,
        at=moment(),
    )

    def decide(person: Agent) -> Callable[[], object]:
        return lambda: settlements.decide(
            settlement_id=settlement.pk, approve=True, agent=person, as_of=TODAY, at=moment()
        )

    at_once(decide(make_agent("finance")), decide(make_agent("manager")))

    settlement.refresh_from_db()
    assert (settlement.status, settlement.wants) == ("open", [])
    assert {each["role"] for each in settlement.approvals} == {"finance", "manager"}
