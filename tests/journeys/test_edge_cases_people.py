"""The situations in which desks like this one go wrong, replayed: people who are told and called, and people at work.

Numbered like those of ``test_edge_cases``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from accounts.models import Service, UnreachableAddress
from agents import calls, queue
from agents.models import Agent, Interaction, WorkItem
from dunning import contact
from dunning.gateways.base import Message, NetworkOrder, Outcome
from dunning.gateways.memory import MemoryGateway
from dunning.kinds import CONTACT_REFUSED
from dunning.models import Notice
from tests import factories
from tests.journeys.ledger import POLICY
from tests.journeys.story import Story, at

pytestmark = pytest.mark.django_db

NUMBER = "+12025550100"
REMINDED, WARNED, FINAL = "03-05 reminder taken", "03-12 warning taken", "03-19 final taken"
#: The day after accounts of the first of March were handed to agents.
HANDED = date(2026, 4, 3)
NEW_YORK = {"timezone": "America/New_York"}


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


def owing(policy: str = POLICY, **columns: Any) -> Story:
    """A customer with one bill, due on 1 March."""
    story = Story(mar(2), policy=policy)
    story.account(customer=columns)
    story.service()
    story.bill(mar(1), "100.00", ref="B1")
    return story


def handed_over(*accounts: str, customer: dict[str, Any] | None = None) -> Story:
    """Accounts whom the policy has handed to agents, on the morning after."""
    story = Story(date(2026, 3, 2))
    for account in accounts:
        story.account(account, customer=NEW_YORK if customer is None else customer)
        story.bill(date(2026, 3, 1), "100.00", account=account)
    story.days_pass(until=HANDED)
    assert [story.queue(account) for account in accounts] == [["collect: handed to agents by the policy"]] * len(
        accounts
    )
    return story


def morning(day: date = HANDED, *, hour: int = 15, minute: int = 0) -> datetime:
    """By default eleven o'clock in New York."""
    return at(day, hour) + timedelta(minutes=minute)


# 12, 13: who is told, and how often.


def test_12_without_an_email_the_next_channel_is_used_and_that_is_recorded() -> None:
    story = owing(email="")
    story.days_pass(until=mar(5))
    story.expect(steps=[REMINDED], notices=["03-05 reminder sms"])
    assert [(message.channel, message.to) for message in story.texts] == [("sms", "+12025550100")]


class NobodyThere(MemoryGateway):
    """Every address is dead."""

    def hand_over(self, handed: Message | NetworkOrder, /) -> Outcome:
        super().hand_over(handed)
        return Outcome("unreachable", None, "unknown subscriber")


def test_12_a_bounce_on_the_last_channel_is_listed_as_bounced_and_ends_with_a_person_never_as_queued() -> None:
    story = owing(email="", address="")
    story.days_pass(until=mar(4))
    story.run(mar(5))
    story.deliver(road=NobodyThere())
    story.expect(notices=["03-05 reminder sms bounced: unknown subscriber"], steps=[REMINDED])
    assert UnreachableAddress.objects.get().value == "+12025550100"
    story.days_pass(until=mar(39))
    assert not Notice.objects.filter(state__in=["pending", "handing_over", "sent"]).exists()
    assert Notice.objects.count() == 1, "a dead address is not written to again"
    story.expect(
        steps=[
            REMINDED,
            "03-12 warning undeliverable",
            "03-19 final undeliverable",
            "03-25 bar waiting: not_warned",
            "04-01 suspend waiting: not_warned",
            "04-02 desk taken",
        ],
        services=[{"service_id": "S1", "status": "active"}],
        queue=["collect: handed to agents by the policy", "task: bar has waited 14 days (not_warned)"],
    )


def test_13_twelve_monthly_bills_are_one_message_a_step_with_one_total_in_each_currency() -> None:
    """A customer with an account in dollars and one in euro, twelve bills late on each."""
    policy = POLICY.replace('min_amount: "10.00"', 'min_amount: {USD: "10.00", EUR: "10.00"}').replace(
        "[email, letter]", "[email]"
    )
    story = Story(mar(2), policy=policy)
    story.account()
    factories.make_account(ref="A2", customer=story.account_row().customer, currency="EUR")
    for month in range(12):
        due_on = mar(1) - timedelta(days=30 * month)
        story.bill(due_on, "20.00", ref=f"U{month:02}")
        story.bill(due_on, "30.00", ref=f"E{month:02}", account="A2")
    story.days_pass(until=mar(4))
    for account, total in (("A1", "240.00"), ("A2", "360.00")):
        story.expect(
            account,
            steps=["03-02 reminder taken", "03-03 warning taken", "03-04 final taken"],
            overdue=total,
            stage="final",
            days_past_due=333,
        )
        sent = Notice.objects.filter(account__ref=account)
        assert [(len(notice.bill_refs), str(notice.amount)) for notice in sent] == [(12, f"{total}0")] * 3
    assert dict(story.handed) == {mar(2): 2, mar(3): 2, mar(4): 2}
    for text in story.texts:
        assert ("240.00" in text.text) != ("360.00" in text.text)


# 16, 17: who has the account.


def test_16_a_laptop_closed_gives_the_account_back_after_its_lease_with_what_was_half_typed() -> None:
    handed_over("A1")
    nadia, omar = factories.make_agent(username="nadia"), factories.make_agent(username="omar")
    item = queue.claim_next(agent=nadia, at=morning())
    assert item is not None
    queue.keep(item_id=item.pk, agent=nadia, at=morning(minute=5), draft={"note": "will pay on the"})
    assert queue.claim_next(agent=omar, at=morning(minute=19)) is None
    found = queue.claim_next(agent=omar, at=morning(minute=20))
    assert found is not None
    assert (found.pk, found.draft, found.lease_until) == (item.pk, {"note": "will pay on the"}, morning(minute=35))
    with pytest.raises(queue.CannotKeep, match="omar is working on this account now"):
        queue.keep(item_id=item.pk, agent=nadia, at=morning(minute=21), draft={"note": "overwritten"})
    assert WorkItem.objects.get().draft == {"note": "will pay on the"}


@pytest.mark.django_db(transaction=True)
def test_17_two_agents_who_press_next_at_once_get_two_accounts_and_a_third_gets_none() -> None:
    handed_over("A1", "A2")
    people = [factories.make_agent() for _ in range(3)]
    start = Barrier(len(people))

    def press(agent: Agent) -> int | None:
        try:
            start.wait(timeout=30)
            item = queue.claim_next(agent=agent, at=morning())
            return item.account_id if item else None
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        got = list(pool.map(press, people))
    assert sorted(account for account in got if account) == sorted(
        WorkItem.objects.values_list("account_id", flat=True)
    )
    assert got.count(None) == 1


def test_17_a_supervisor_who_takes_an_account_over_has_it_and_the_agent_is_told() -> None:
    story = handed_over("A1")
    nadia, sofia = factories.make_agent(username="nadia"), factories.make_agent("supervisor", username="sofia")
    item = queue.claim_next(agent=nadia, at=morning())
    assert item is not None
    queue.keep(item_id=item.pk, agent=nadia, at=morning(minute=1), draft={"note": "she said"})
    assert queue.claim(account_id=item.account_id, agent=sofia, at=morning(minute=2)) is None, "opening takes nothing"
    taken = queue.take_over(account_id=item.account_id, agent=sofia, at=morning(minute=2))
    assert (taken.pk, taken.claimed_by, taken.draft) == (item.pk, sofia, {"note": "she said"})
    with pytest.raises(queue.CannotKeep, match="sofia is working on this account now"):
        queue.keep(item_id=item.pk, agent=nadia, at=morning(minute=3))
    with pytest.raises(calls.CannotCall, match="not in your hands"):
        by_hand(story, nadia, morning(minute=3))


# 18: how often.


def by_hand(story: Story, agent: Agent, moment: datetime, disposition: str = "no_answer", **more: Any) -> Interaction:
    """An agent has called and logs it."""
    account = story.account_row()
    queue.claim(account_id=account.pk, agent=agent, at=moment)
    return calls.log(
        **{
            "account_id": account.pk, "agent": agent, "direction": "outbound", "disposition": disposition,
            "number": NUMBER, "right_party": disposition.startswith("rpc"), "started_at": moment,
            "duration_seconds": 30, "as_of": story.today, "at": moment, **more,
        }
    )  # fmt: skip


def dialler(agent: Agent) -> APIClient:
    """A machine that asks before it dials, by token."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=agent).key}")
    return client


def may_dial(machine: APIClient, moment: datetime) -> dict[str, Any]:
    answer = machine.get(
        "/api/v1/accounts/A1/contact-check/", {"channel": "call", "at": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
    )
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_18_after_seven_calls_in_seven_days_the_next_is_refused_to_the_dialler_and_by_hand() -> None:
    """Seven are allowed, the eighth is too many: 12 CFR 1006.14(b)(2)(i)(A). Monday 6 to Sunday 12 April."""
    story = handed_over("A1")
    nadia = factories.make_agent()
    machine = dialler(factories.make_agent("supervisor"))
    story.days_pass(until=date(2026, 4, 12))
    for day in range(6, 13):
        moment = morning(date(2026, 4, day))
        assert may_dial(machine, moment)["outcome"] == "ALLOW", f"call {day - 5}"
        by_hand(story, nadia, moment)
    # Within two hours of the seventh the pause between two calls would object as well.
    eighth = morning(date(2026, 4, 12), hour=18)
    refused = may_dial(machine, eighth)
    assert (refused["outcome"], refused["rule_ids"]) == ("HOLD", ["US-FREQ-01"])
    # On the 13th the call of the 6th leaves the window; New York opens at eight.
    assert refused["next_allowed_at"] == "2026-04-13T12:00:00Z"
    with pytest.raises(calls.CannotCall, match="7 calls") as refusal:
        by_hand(story, nadia, eighth)
    assert refusal.value.decision is not None
    assert refusal.value.decision.rule_ids == ("US-FREQ-01",)
    assert story.account_row().interactions.count() == 7
    assert story.account_row().events.filter(kind=CONTACT_REFUSED).count() == 1
    story.days_pass(until=date(2026, 4, 13))
    assert may_dial(machine, morning(story.today))["outcome"] == "ALLOW"
    assert by_hand(story, nadia, morning(story.today)).disposition == "no_answer"


@pytest.mark.parametrize("direction", ["outbound", "inbound"])
def test_18_a_conversation_whoever_began_it_starts_seven_days_of_quiet(direction: str) -> None:
    story = handed_over("A1")
    nadia = factories.make_agent()
    machine = dialler(factories.make_agent("supervisor"))
    by_hand(story, nadia, morning(), "rpc_refused", direction=direction)
    for days in range(1, 7):
        assert may_dial(machine, morning(HANDED + timedelta(days=days)))["rule_ids"] == ["US-FREQ-02"], days
    story.days_pass(until=HANDED + timedelta(days=6))
    with pytest.raises(calls.CannotCall, match="conversation"):
        by_hand(story, nadia, morning(story.today))
    story.days_pass(until=HANDED + timedelta(days=7))
    assert may_dial(machine, morning(story.today))["outcome"] == "ALLOW"
    assert by_hand(story, nadia, morning(story.today)).disposition == "no_answer"


# 19: when.


@pytest.mark.parametrize(
    ("zone", "opens"),
    [("America/New_York", 12), ("America/Los_Angeles", 15), ("Pacific/Honolulu", 18)],
)
def test_19_a_customer_in_another_time_zone_is_called_and_written_to_in_the_hours_of_that_zone(
    zone: str, opens: int
) -> None:
    story = handed_over("A1", customer={"timezone": zone, "email": ""})
    account = story.account_row()
    for automated in (False, True):
        early, open_now = (
            contact.check(account_id=account.pk, channel="call", at=moment, as_of=HANDED, automated=automated)
            for moment in (morning(hour=opens - 1, minute=59), morning(hour=opens))
        )
        assert (early.outcome, early.next_allowed_at) == ("HOLD", datetime(2026, 4, 3, opens, tzinfo=UTC))
        assert open_now.outcome == "ALLOW"


def morning_of_the_reminder(customer: dict[str, Any]) -> Story:
    """The day's run is made, and asks the gate before anything leaves."""
    story = Story(date(2026, 3, 25), careful=True)
    story.account(customer={"email": "", **customer})
    story.bill(date(2026, 3, 28), "100.00", ref="B1")
    story.days_pass(until=date(2026, 3, 31))
    story.run(date(2026, 4, 1))
    return story


def test_19_a_message_waits_until_it_is_eight_at_the_customer() -> None:
    story = morning_of_the_reminder({"timezone": "America/Los_Angeles"})
    story.deliver(hour=14)
    assert story.handed[story.today] == 0
    story.deliver(hour=15)
    assert story.handed[story.today] == 1
    assert story.notices()[-1] == "04-01 reminder sms"


def test_19_of_a_customer_whose_zone_is_unknown_the_strictest_hours_of_the_country_hold() -> None:
    """Somewhere in the United States: eight in Honolulu is two in the afternoon in New York."""
    story = morning_of_the_reminder({"country": "US", "timezone": "", "phone": "+18005550100"})
    for hour in (8, 12, 15, 17):
        story.deliver(hour=hour)
        assert story.handed[story.today] == 0, f"{hour}:00 UTC is night or early morning somewhere in the country"
    story.deliver(hour=18)
    assert story.handed[story.today] == 1
    account = story.account_row()
    early = contact.check(account_id=account.pk, channel="call", at=morning(story.today), as_of=story.today)
    assert (early.outcome, early.next_allowed_at) == ("HOLD", datetime(2026, 4, 1, 18, tzinfo=UTC))


def test_19_an_area_code_tells_where_in_the_country_the_customer_is() -> None:
    story = morning_of_the_reminder({"country": "US", "timezone": "", "phone": "+14155550100"})
    story.deliver(hour=14)
    assert story.handed[story.today] == 0
    story.deliver(hour=15)
    assert story.handed[story.today] == 1


# 20: families.


@pytest.mark.parametrize(("limits_children", "childs_line"), [(False, "active"), (True, "outgoing_barred")])
def test_20_the_parent_is_treated_for_its_child_whose_line_is_touched_only_by_setting(
    limits_children: bool, childs_line: str
) -> None:
    story = Story(mar(2), policy=POLICY + f"limits_children: {str(limits_children).lower()}\n")
    parent = story.account("P1")
    story.account("K1", customer={"email": "child@customers.example"}, parent=parent)
    story.service("SP", account="P1")
    story.service("SK", account="K1")
    story.service("S112", account="K1", protected=True)
    story.bill(mar(1), "100.00", ref="B1", account="K1")
    story.days_pass(until=mar(25))
    story.expect("P1", steps=[REMINDED, WARNED, FINAL, "03-25 bar taken"], cases=["03-02 open"])
    story.expect("K1", steps=[], notices=[], cases=[])
    assert {text.to for text in story.texts} == {"P1@customers.example", "+12025550100"}
    assert dict(Service.objects.values_list("ref", "status")) == {
        "SP": "outgoing_barred",
        "SK": childs_line,
        "S112": "active",
    }
