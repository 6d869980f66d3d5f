"""A decision in somebody's place, and its end or another decision at the same moment: one comes after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from accounts import business_day, events
from accounts.models import Fee
from accounts.refusals import Refused
from agents import delegations, fee_waivers
from agents.models import Agent, Asked, Delegation
from tests.factories import TODAY, make_agent, moment, owing
from tests.races.test_two_agree import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _on_the_day() -> None:
    """News is carried at once after a commit, on the business date."""
    business_day.move_to(TODAY)


def standing_in() -> tuple[Agent, Agent, Delegation]:
    ruth, omar = make_agent("supervisor"), make_agent("team_lead")
    made = delegations.make(
        of=ruth, to=omar, from_on=TODAY, until_on=TODAY + timedelta(days=3), reason="On leave", by=ruth, as_of=TODAY,
        at=moment(),
    )  # fmt: skip
    return ruth, omar, made


def asked() -> Asked:
    account = owing("400.00")
    fee = Fee.objects.create(ref=f"desk-fee-{account.pk}", account=account, kind="late_fee", on=TODAY, amount=10)
    return fee_waivers.ask(fee_ref=fee.ref, agent=make_agent(), reason="goodwill", as_of=TODAY, at=moment())


def decide(row: Asked, agent: Agent, of: Agent | None) -> Callable[[], object]:
    return lambda: fee_waivers.decide(
        asked_id=row.pk, approve=True, agent=agent, instead_of=of, reason="", as_of=TODAY, at=moment()
    )


def test_a_delegation_ends_after_the_decision_that_is_being_made_with_it() -> None:
    ruth, omar, made = standing_in()
    ended = threading.Event()

    def end() -> None:
        try:
            delegations.end(delegation_id=made.pk, by=ruth, as_of=TODAY, at=moment())
            ended.set()
        finally:
            connection.close()

    with transaction.atomic():
        delegations.word_of(omar, instead_of=ruth, on=TODAY)
        other = threading.Thread(target=end)
        other.start()
        assert not ended.wait(0.5)
    other.join(10)

    assert ended.is_set()
    assert isinstance(at_once(decide(asked(), omar, ruth))[0], delegations.CannotActFor)


def test_an_end_and_a_decision_at_once_leave_no_half_of_either() -> None:
    for _ in range(4):
        ruth, omar, made = standing_in()
        row = asked()

        said, _ended = at_once(
            decide(row, omar, ruth),
            lambda made=made, ruth=ruth: delegations.end(delegation_id=made.pk, by=ruth, as_of=TODAY, at=moment()),  # type: ignore[misc]
        )

        row.refresh_from_db()
        gone = Fee.objects.get(ref=row.subject).waived_on is not None
        assert gone == (row.state == "approved") == (not isinstance(said, Refused))


def test_two_words_on_one_fee_let_it_go_once() -> None:
    ruth, omar, _ = standing_in()
    row = asked()

    given = at_once(decide(row, omar, ruth), decide(row, make_agent("supervisor"), None))

    assert sum(isinstance(one, Refused) for one in given) == 1
    assert row.account.events.filter(kind=events.FEE_WAIVED).count() == 1
