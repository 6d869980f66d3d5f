"""When a limit must never run, whatever the policy says: each obstacle beside somebody who is limited without it.

Every story has two customers with the same bill on the same day and one line each. ``A1`` has nothing in the way and is
barred on 25 March; ``A2`` differs in the obstacle alone. An obstacle may stand before the day's decision, or come up
between the decision and the moment at which the network would be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Service
from collections_desk.replay import LocalMemory
from dunning import receipts
from dunning.gateways.base import Message, NetworkOrder, NotTaken, Outcome
from dunning.gateways.memory import MemoryGateway
from dunning.gateways.receipts import Receipt
from dunning.models import CaseStep, Notice, ServiceOrder
from tests.journeys.ledger import POLICY
from tests.journeys.story import Story, at

pytestmark = pytest.mark.django_db

Obstacle = Callable[[Story], object]

#: The day on which a bill of 1 March is limited.
DAY = date(2026, 3, 25)


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


def two(customer: dict[str, Any] | None = None, policy: str = POLICY, amount: str = "100.00") -> Story:
    """``A1`` with nothing in the way, and ``A2``; ``customer`` are columns of the second."""
    story = Story(mar(2), policy=policy)
    for number, columns in ((1, None), (2, customer)):
        story.account(f"A{number}", customer=columns)
        story.service(f"S{number}", f"A{number}")
        story.bill(mar(1), amount, ref=f"B{number}", account=f"A{number}")
    return story


def limited(story: Story, account: str) -> list[str]:
    """Every limit that the account's line took, with its day."""
    return [move for move in story.moves(account) if move.endswith(("outgoing_barred", "suspended", "disconnected"))]


BARRED = ["03-25 S1 outgoing_barred"]


def expect_only_the_first(story: Story) -> None:
    assert limited(story, "A1")[:1] == BARRED
    assert limited(story, "A2") == []
    story.expect("A2", services=[{"service_id": "S2", "status": "active"}])


def test_without_an_obstacle_both_are_limited() -> None:
    story = two()
    story.days_pass(until=DAY)
    assert (limited(story, "A1"), limited(story, "A2")) == (BARRED, ["03-25 S2 outgoing_barred"])


# The warning.


class Post(MemoryGateway):
    """A road inside the process that answers as told for messages to some addresses."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__()
        self.answers = answers

    def hand_over_many(self, handed: Sequence[Message | NetworkOrder]) -> list[Outcome]:
        return [
            Outcome(self.answers[one.to], one.key, "as told")  # type: ignore[arg-type]
            if self.hand_over(one) and isinstance(one, Message) and one.to in self.answers
            else Outcome("confirmed" if isinstance(one, NetworkOrder) else "delivered", one.key)
            for one in handed
        ]


SECOND = {"email": "second@customers.example", "phone": "+12025550122", "address": "2 Main Street"}


@pytest.mark.parametrize("answer", ["unreachable", "rejected"])
def test_never_when_the_warning_bounced_on_every_channel(answer: str) -> None:
    story = two(SECOND)
    story.days_pass(until=mar(18))
    story.run(mar(19))
    story.deliver(road=Post({"second@customers.example": answer, "2 Main Street": answer}))
    reached = {notice.account.ref for notice in Notice.objects.filter(step_code="final", state="delivered")}
    assert reached == {"A1"}
    # Nobody is found at these addresses later either.
    while story.today < mar(33):
        story.run(story.today + timedelta(days=1))
        story.deliver(road=Post({"second@customers.example": answer, "2 Main Street": answer}))
    expect_only_the_first(story)


def _bounces(story: Story, day: date, hour: int) -> None:
    notice = Notice.objects.get(account__ref="A2", step_code="final", channel="email")
    receipt = Receipt(key=notice.key, provider_ref=None, state="bounced", at=at(day, hour), detail="mailbox gone")
    assert receipts.take([receipt], as_of=day, at=at(day, hour)) == 1


def test_never_when_the_warning_came_back_days_after_it_counted_as_delivered() -> None:
    story = two({**SECOND, "address": ""})
    story.days_pass(until=mar(18))
    story.run(mar(19))
    story.deliver(road=Post({"second@customers.example": "accepted"}))
    story.days_pass(until=mar(24))
    assert Notice.objects.get(account__ref="A2", step_code="final").state == "delivered"
    _bounces(story, mar(24), 18)
    story.days_pass(until=mar(33))
    expect_only_the_first(story)


def test_never_when_the_warning_comes_back_between_the_decision_and_the_limit() -> None:
    """The order is made; it is looked at again like everything else that the decision rested on."""
    story = two({**SECOND, "address": ""})
    story.days_pass(until=mar(18))
    story.run(mar(19))
    story.deliver(road=Post({"second@customers.example": "accepted"}))
    story.days_pass(until=mar(24))
    story.run(DAY)
    assert ServiceOrder.objects.filter(state="pending", made_on=DAY).count() == 2
    _bounces(story, DAY, 9)
    story.deliver()
    expect_only_the_first(story)
    assert [line for line in story.withdrawn("A2") if line.startswith("03-25 bar: ")]


SMS_ONLY = POLICY.replace("channels: [email, letter], template: final", "channels: [sms], template: final")


@pytest.mark.parametrize("days", [6, 13])
def test_never_when_nothing_says_that_the_warning_was_delivered(days: int) -> None:
    """A text message counts with its receipt, and there is none."""
    story = two(SECOND, policy=SMS_ONLY)
    story.days_pass(until=mar(18))
    story.run(mar(19))
    story.deliver(road=Post({"+12025550122": "accepted"}))
    story.days_pass(until=mar(19 + days))
    expect_only_the_first(story)
    assert story.steps("A2")[3] == "03-25 bar waiting: not_warned"


class Down(MemoryGateway):
    """A relay that cannot be reached for messages to some addresses."""

    def __init__(self, *addresses: str) -> None:
        super().__init__()
        self.addresses = addresses

    def hand_over(self, handed: Message | NetworkOrder, /) -> Outcome:
        if isinstance(handed, Message) and handed.to in self.addresses:
            raise NotTaken("connection refused")
        return super().hand_over(handed)


def test_never_while_the_warning_has_not_left_the_house() -> None:
    story = two(SECOND)
    story.days_pass(until=mar(18))
    while story.today < mar(33):
        story.run(story.today + timedelta(days=1))
        story.deliver(road=Down("second@customers.example", "2 Main Street"))
    expect_only_the_first(story)


@pytest.mark.parametrize(
    ("delivered", "barred"),
    # It named the 25th; the 28th is a Saturday.
    [(19, 25), (20, 25), (21, 26), (22, 27), (23, 30), (24, 30), (25, 30), (26, 31)],
)
def test_never_before_the_notice_days_have_run_from_the_day_of_delivery(delivered: int, barred: int) -> None:
    story = two(SECOND, policy=SMS_ONLY)
    story.days_pass(until=mar(18))
    story.run(mar(19))
    story.deliver(road=Post({"+12025550122": "accepted"}))
    story.days_pass(until=mar(delivered))
    notice = Notice.objects.get(account__ref="A2", step_code="final")
    receipt = Receipt(key=notice.key, provider_ref=None, state="delivered", at=at(mar(delivered), 18))
    assert receipts.take([receipt], as_of=mar(delivered), at=at(mar(delivered), 18)) == 1
    story.days_pass(until=mar(barred - 1))
    assert limited(story, "A2") == []
    story.days_pass(until=mar(barred))
    assert limited(story, "A1") == BARRED
    assert limited(story, "A2") == [f"03-{barred} S2 outgoing_barred"]


def test_never_on_a_warning_about_bills_that_are_paid() -> None:
    """The bill it named is paid between decision and limit; of the younger one, past due as well, nobody warned."""
    story = two()
    for number in (1, 2):
        story.bill(mar(21), "40.00", ref=f"Y{number}", account=f"A{number}", issued_on=mar(2))
    story.days_pass(until=mar(24))
    story.run(DAY)
    story.pays("100.00", account="A2", bill_ref="B2")
    story.deliver()
    expect_only_the_first(story)
    assert [line for line in story.withdrawn("A2") if line.startswith("03-25 bar: ")]
    story.expect("A2", overdue="40.00", cases=["03-02 open"])


def test_never_on_the_warning_from_before_a_dispute_that_ended_against_the_customer() -> None:
    """Contested and rejected between the decision and the limit: a fresh warning comes first."""
    story = two()
    story.days_pass(until=mar(24))
    story.run(DAY)
    story.resolve(story.dispute("100.00", bill="B2", account="A2"), "rejected")
    story.deliver()
    expect_only_the_first(story)
    story.days_pass(until=mar(33))
    # Warned on the 26th until 1 April.
    assert story.notices("A2")[-1] == "03-26 final email until 04-01"
    assert limited(story, "A2") == ["04-01 S2 outgoing_barred", "04-02 S2 suspended"]


# Agreements and other holds.


def _promise(story: Story) -> object:
    return story.promise("100.00", by=mar(38), account="A2")


def _plan(story: Story) -> object:
    return story.plan((mar(38), "50.00"), (mar(68), "50.00"), account="A2")


def _dispute(story: Story) -> object:
    return story.dispute("100.00", bill="B2", account="A2")


def _hold(reason: str) -> Obstacle:
    return lambda story: story.hold(reason, account="A2")


HOLDS: dict[str, Obstacle] = {"dispute": _dispute, "promise": _promise, "plan": _plan} | {
    reason: _hold(reason)
    for reason in (
        "payment_in_flight",
        "hardship",
        "breathing_space",
        "vulnerability_review",
        "bankruptcy",
        "deceased",
        "legal",
        "fraud",
        "manual",
    )
}


@pytest.mark.parametrize("reason", HOLDS)
def test_never_while_a_hold_is_open_that_was_there_before_the_decision(reason: str) -> None:
    story = two()
    story.days_pass(until=mar(24))
    HOLDS[reason](story)
    story.days_pass(until=mar(31))
    expect_only_the_first(story)
    assert not ServiceOrder.objects.filter(account__ref="A2").exists()


@pytest.mark.parametrize("reason", HOLDS)
def test_never_while_a_hold_is_open_that_was_placed_between_the_decision_and_the_limit(reason: str) -> None:
    story = two()
    story.days_pass(until=mar(24))
    story.run(DAY)
    assert ServiceOrder.objects.filter(account__ref="A2", state="pending").count() == 1
    HOLDS[reason](story)
    story.deliver()
    story.days_pass(until=mar(31))
    expect_only_the_first(story)
    assert [line[:10] for line in story.withdrawn("A2")] == ["03-25 bar:"]


def test_never_for_a_part_in_dispute_that_leaves_less_than_the_minimum() -> None:
    story = two()
    story.days_pass(until=mar(21))
    story.dispute("90.00", bill="B1", account="A1")
    story.dispute("90.01", bill="B2", account="A2")
    story.days_pass(until=mar(33))
    expect_only_the_first(story)
    assert story.steps("A2")[3] == "03-25 bar waiting: below_minimum"


# The amount.


def _paid(story: Story, account: str, amount: str) -> object:
    return story.pays(amount, account=account)


def _paid_and_not_yet_settled(story: Story, account: str, amount: str) -> object:
    return story.unsettled_payment(amount, account=account)


def _credited(story: Story, account: str, amount: str) -> object:
    return story.adjusts(f"-{amount}", bill_ref=f"B{account[1:]}", account=account)


def _contested(story: Story, account: str, amount: str) -> object:
    return story.dispute(amount, bill=f"B{account[1:]}", account=account)


@pytest.mark.parametrize("less", [_paid, _paid_and_not_yet_settled, _credited, _contested])
def test_never_when_the_undisputed_amount_fell_under_the_minimum_a_second_before(
    less: Callable[[Story, str, str], object],
) -> None:
    """The minimum is 10.00: the first is left with 10.00, the second with 9.99."""
    story = two()
    story.days_pass(until=mar(24))
    story.run(DAY)
    less(story, "A1", "90.00")
    less(story, "A2", "90.01")
    story.deliver()
    story.days_pass(until=mar(31))
    expect_only_the_first(story)
    assert story.withdrawn("A2") == ["03-25 bar: below the minimum amount"]


def test_never_under_the_minimum_of_its_own_step() -> None:
    policy = POLICY.replace("rung: outgoing_barred,", 'rung: outgoing_barred, min_amount: "50.00",')
    story = two(policy=policy)
    story.days_pass(until=mar(24))
    story.run(DAY)
    story.pays("50.00", account="A1")
    story.pays("50.01", account="A2")
    story.deliver()
    story.days_pass(until=mar(31))
    expect_only_the_first(story)


# The market's day and hour.


@pytest.mark.parametrize(
    ("hour", "open_to"),
    # Eight to five: in London, where it is UTC until the 29th, and in New York, four hours behind.
    [(7, ""), (8, "1"), (11, "1"), (12, "12"), (16, "12"), (17, "2"), (20, "2"), (21, "")],
)
def test_never_outside_the_hours_of_the_customers_market(hour: int, open_to: str) -> None:
    story = two({"timezone": "America/New_York"})
    story.days_pass(until=mar(24))
    story.run(DAY)
    story.careful = True
    story.deliver(hour=hour)
    assert [number for number in "12" if limited(story, f"A{number}")] == list(open_to)
    # What waited comes when they open again.
    story.run(mar(26))
    story.deliver(hour=12)
    assert (len(limited(story, "A1")), len(limited(story, "A2"))) == (1, 1)


def test_never_decided_on_a_closed_day_of_the_customers_market() -> None:
    """Friday 3 July 2026 is a holiday in the United States and a working day in Britain."""
    policy = POLICY.replace("calendar: {country: US, roll: next_working_day}", "calendar: {roll: next_working_day}")
    story = Story(date(2026, 6, 10), policy=policy)
    for number, country in ((1, "GB"), (2, "US")):
        story.account(f"A{number}", customer={"country": country})
        story.service(f"S{number}", f"A{number}")
        story.bill(date(2026, 6, 9), "100.00", ref=f"B{number}", account=f"A{number}")
    story.days_pass(until=date(2026, 7, 5))
    assert (limited(story, "A1"), limited(story, "A2")) == (["07-03 S1 outgoing_barred"], [])
    story.days_pass(until=date(2026, 7, 6))
    assert limited(story, "A2") == ["07-06 S2 outgoing_barred"]


def on_friday() -> Story:
    """Both limits are decided on Friday the 27th, and nothing is handed over on that day."""
    story = Story(mar(4))
    for number in (1, 2):
        story.account(f"A{number}")
        story.service(f"S{number}", f"A{number}")
        story.bill(mar(3), "100.00", ref=f"B{number}", account=f"A{number}")
    story.days_pass(until=mar(26))
    story.run(mar(27))
    assert ServiceOrder.objects.filter(state="pending", made_on=mar(27)).count() == 2
    story.careful = True
    return story


def test_never_delivered_over_a_closed_weekend_and_looked_at_again_when_it_is_over() -> None:
    """The second pays on Sunday."""
    story = on_friday()
    for day in (28, 29):
        story.run(mar(day))
        for hour in (9, 12, 16):
            story.deliver(hour=hour)
    assert (limited(story, "A1"), limited(story, "A2")) == ([], [])
    story.pays("100.00", account="A2")
    story.run(mar(30))
    story.deliver(hour=7)
    assert limited(story, "A1") == []
    story.deliver(hour=8)
    assert limited(story, "A1") == ["03-30 S1 outgoing_barred"]
    story.days_pass(until=mar(31))
    assert limited(story, "A2") == []


# Protected services.


def _protect(story: Story) -> object:
    return Service.objects.filter(ref="S2").update(protected=True)


def test_never_a_protected_service() -> None:
    story = two()
    _protect(story)
    story.days_pass(until=mar(60))
    expect_only_the_first(story)
    assert story.steps("A2")[3:5] == ["03-25 bar nothing_to_do", "04-01 suspend nothing_to_do"]


def test_never_a_service_that_was_protected_between_the_decision_and_the_limit() -> None:
    story = two()
    story.days_pass(until=mar(24))
    story.run(DAY)
    _protect(story)
    story.deliver()
    story.days_pass(until=mar(31))
    expect_only_the_first(story)
    assert story.withdrawn("A2") == ["03-25 bar: the service is protected"]


# Days without a run.

#: The steps of a bill due on 1 March, and the day of each counted from there.
LADDER = {"reminder": 4, "warning": 11, "final": 18, "bar": 24, "suspend": 31, "desk": 32}


class Relay(LocalMemory):
    """Everything is accepted at once, and an e-mail counts a day later, unless it bounces."""

    def hand_over(self, handed: Message | NetworkOrder, /) -> Outcome:
        outcome = super().hand_over(handed)
        return Outcome("accepted", outcome.provider_ref) if isinstance(handed, Message) else outcome


@pytest.mark.parametrize("gap", range(3, 34, 3))
def test_five_days_without_a_run_are_caught_up_one_step_a_day_and_warned_in_full(gap: int) -> None:
    """Nothing runs for five days from the ``gap``-th of March on, then every day; the e-mail relay takes its time."""
    policy = POLICY.replace("[sms, email], template: suspension", "[email], template: suspension")
    story = Story(mar(2), policy=policy)
    story.account()
    story.service()
    story.bill(mar(1), "100.00", ref="B1")
    while story.today < mar(60):
        following = story.today + timedelta(days=1)
        if following == mar(gap):
            story.days_without_a_run(until=mar(gap + 4))
            continue
        story.run(following)
        story.deliver(road=Relay())

    taken = [(row.done_on, row.code) for row in CaseStep.objects.order_by("done_on", "pk") if row.result == "taken"]
    assert sorted(code for _, code in taken) == sorted(LADDER)
    on = {code: day for day, code in taken}
    days = [day for day, _ in taken]
    assert len(set(days)) == len(days), "one step a day"
    assert not {mar(gap + offset) for offset in range(5)} & set(days)
    assert [code for _, code in taken if code != "desk"] == [code for code in LADDER if code != "desk"]
    assert on["desk"] > on["final"]
    assert all(day >= mar(1 + LADDER[code]) for day, code in taken), "none before its day"

    final = Notice.objects.get(step_code="final")
    delivered = _delivered_on(final)
    assert delivered == on["final"] + timedelta(days=1)
    for code in ("bar", "suspend"):
        assert on[code] >= delivered + timedelta(days=5)
        assert on[code] >= final.pay_by
    assert [move[6:] for move in limited(story, "A1")] == ["S1 outgoing_barred", "S1 suspended"]


def _delivered_on(notice: Notice) -> date:
    assert isinstance(notice.delivered_at, datetime)
    return notice.delivered_at.date()


def test_five_days_without_a_run_over_the_final_warning_day_by_day() -> None:
    """Down from the 17th to the 21st: the warning of the 19th leaves on the 22nd and names the 28th, a Saturday."""
    story = two()
    story.days_pass(until=mar(16))
    story.days_without_a_run(until=mar(21))
    story.days_pass(until=mar(36))
    for account in ("A1", "A2"):
        assert story.steps(account) == [
            "03-05 reminder taken",
            "03-12 warning taken",
            "03-22 final taken",
            "03-30 bar taken",
            "04-01 suspend taken",
            "04-02 desk taken",
        ]
        assert story.notices(account)[-1] == "03-22 final email until 03-28"
