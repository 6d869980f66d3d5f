"""What users of other systems complain about, lived through here: each test is a complaint and says what we do instead.

The numbers are those of the field's complaints: a part-payment that skips the warning (1), a race of payment and limit
(2), a letter for every bill (8), and so on. Six of them are replayed from an operator's files, the others are stories.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts.models import AccountEvent, Bill, Fee, Hold, Service, UnreachableAddress
from agents.models import Plan, Promise
from agents.timeline import timeline
from collections_desk import replay
from collections_desk.replay import LocalMemory
from dunning import kinds
from dunning.gateways.base import Message, NetworkOrder, NotTaken, Outcome
from dunning.gateways.memory import MemoryGateway
from dunning.models import Notice, ServiceOrder
from tests.journeys.ledger import POLICY
from tests.journeys.story import Story

pytestmark = pytest.mark.django_db

ACTIVE = [{"service_id": "S1", "status": "active"}]
BARRED = [{"service_id": "S1", "status": "outgoing_barred"}]
SUSPENDED = [{"service_id": "S1", "status": "suspended"}]

#: What becomes of a bill due on 1 March that nobody pays.
LADDER = [
    "03-05 reminder taken",
    "03-12 warning taken",
    "03-19 final taken",
    "03-25 bar taken",
    "04-01 suspend taken",
    "04-02 desk taken",
]


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


def told(customer: dict[str, Any] | None = None, policy: str = POLICY) -> Story:
    """Somebody who owes 100.00 since 1 March and has one line."""
    story = Story(mar(2), policy=policy)
    story.account(customer=customer)
    story.service()
    story.bill(mar(1), "100.00", ref="B1")
    return story


class Refusing(MemoryGateway):
    """A road inside the process on which some addresses reach nobody."""

    def __init__(self, *addresses: str) -> None:
        super().__init__()
        self.dead = addresses

    def hand_over_many(self, handed: Sequence[Message | NetworkOrder]) -> list[Outcome]:
        return [
            Outcome("unreachable", detail="no such mailbox")
            if isinstance(one, Message) and one.to in self.dead
            else self.hand_over(one)
            for one in handed
        ]


# From an operator's files.

BOOK: dict[str, list[dict[str, str]]] = {
    "customers": [
        {"customer_id": ref, "name": f"Customer {ref}", "country": "US", "email": f"{ref}@customers.example"}
        for ref in ("C01", "C12", "C15", "C25", "C33")
    ],
    "accounts": [
        {"account_id": f"A{number}", "customer_id": f"C{number}", "currency": "USD", "opened_on": "2024-01-01"}
        for number in ("01", "12", "15", "25", "33")
    ],
    "services": [
        {"service_id": f"S{number}", "account_id": f"A{number}", "kind": "mobile"}
        for number in ("01", "12", "15", "25", "33")
    ],
    "bills": [
        {"bill_id": "B01a", "account_id": "A01", "issued_on": "2026-02-08", "due_on": "2026-03-01", "amount": "40.00"},
        {"bill_id": "B01b", "account_id": "A01", "issued_on": "2026-02-12", "due_on": "2026-03-05", "amount": "40.00"},
        {"bill_id": "B12a", "account_id": "A12", "issued_on": "2026-02-08", "due_on": "2026-03-01", "amount": "20.00"},
        {"bill_id": "B12b", "account_id": "A12", "issued_on": "2026-02-12", "due_on": "2026-03-09", "amount": "30.00"},
        {
            "bill_id": "B15a", "account_id": "A15", "issued_on": "2026-02-08", "due_on": "2026-03-01",
            "amount": "99.00", "status": "draft",
        },
        {
            "bill_id": "B15b", "account_id": "A15", "issued_on": "2026-02-08", "due_on": "2026-03-01",
            "amount": "99.00", "status": "cancelled",
        },
        {
            "bill_id": "B15c", "account_id": "A15", "issued_on": "2026-02-08", "due_on": "2026-03-01",
            "amount": "50.00", "cancelled_on": "2026-03-12",
        },
        {"bill_id": "B25", "account_id": "A25", "issued_on": "2026-02-08", "due_on": "2026-03-01", "amount": "100.00"},
        {"bill_id": "B33", "account_id": "A33", "issued_on": "2026-02-08", "due_on": "2026-03-01", "amount": "80.00"},
    ],
    "payments": [
        # Pays the older of two bills, and nothing after that.
        {"payment_id": "P01", "account_id": "A01", "received_on": "2026-03-07", "amount": "40.00"},
        # Exactly what is owed, in three parts.
        {"payment_id": "P25a", "account_id": "A25", "received_on": "2026-03-10", "amount": "33.33"},
        {"payment_id": "P25b", "account_id": "A25", "received_on": "2026-03-17", "amount": "33.33"},
        {"payment_id": "P25c", "account_id": "A25", "received_on": "2026-03-24", "amount": "33.34"},
        # Sent on the day before the limit, in the books six days later.
        {"payment_id": "P33", "account_id": "A33", "received_on": "2026-03-30", "amount": "80.00"},
    ],
    "holds": [
        {
            "hold_id": "H33", "account_id": "A33", "reason": "payment_in_flight", "starts_on": "2026-03-24",
            "ends_on": "2026-03-31",
        }
    ],
}  # fmt: skip
GAP = [mar(10) + timedelta(days=offset) for offset in range(30)]


@pytest.fixture(scope="module")
def files(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("complaints")
    for name, rows in BOOK.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    with django_db_blocker.unblock():
        yield folder


@pytest.fixture(scope="module")
def replayed(files: Path) -> dict[str, Any]:
    return _replayed(files)


@pytest.fixture(scope="module")
def with_a_gap(files: Path) -> dict[str, Any]:
    """The same, and nothing runs from 10 March to 8 April."""
    return _replayed(files, skip=GAP)


def _replayed(folder: Path, *, skip: Sequence[date] = ()) -> dict[str, Any]:
    found = replay.replay(replay.Order(folder, date(2026, 2, 8), mar(51), [POLICY], skip=frozenset(skip)))
    assert [count.rejected for count in found.imported.files] == [0] * len(BOOK)
    return found.as_json()


def steps(found: dict[str, Any], account: str) -> list[str]:
    return [
        f"{day['date'][5:]} {step['step']} {step['result']}"
        for day in found["days"]
        for step in day["steps"]
        if step["account_id"] == account
    ]


def line(found: dict[str, Any], service: str) -> list[str]:
    return [
        f"{day['date'][5:]} {move['to']}"
        for day in found["days"]
        for move in day["services"]
        if move["service_id"] == service
    ]


def test_u01_a_part_payment_that_moves_the_oldest_due_date_never_skips_the_warning(replayed: dict[str, Any]) -> None:
    """It counts from the younger bill, due on 5 March, and goes on with the step after the last one taken."""
    assert steps(replayed, "A01") == [
        "02-24 upcoming taken",
        "02-28 upcoming taken",
        "03-05 reminder taken",
        "03-16 warning taken",
        "03-23 final taken",
        "03-29 bar waiting: closed_day",
        "03-30 bar taken",
        "04-05 suspend waiting: closed_day",
        "04-06 suspend taken",
        "04-07 desk taken",
    ]


def test_u01_a_part_payment_and_a_month_without_a_run_never_lead_straight_to_the_limit(
    with_a_gap: dict[str, Any],
) -> None:
    assert [step for step in steps(with_a_gap, "A01") if step.endswith("taken")] == [
        "02-24 upcoming taken",
        "02-28 upcoming taken",
        "03-05 reminder taken",
        "04-09 warning taken",
        "04-10 final taken",
        "04-11 desk taken",
        "04-16 bar taken",
        "04-17 suspend taken",
    ]


def test_u12_reminding_of_one_bill_closes_no_other(replayed: dict[str, Any]) -> None:
    """The younger bill was not yet due when the elder was reminded of; both are asked for, open, to the end."""
    assert steps(replayed, "A12") == ["02-24 upcoming taken", *LADDER]
    shown = replayed["accounts"]["A12"]
    assert (shown["overdue"], shown["balance"], shown["days_past_due"]) == ("50.00", "50.00", 50)


def test_u15_drafts_and_cancelled_bills_are_never_dunned(replayed: dict[str, Any]) -> None:
    """A bill that is cancelled in mid path ends there, on the morning of its warning."""
    assert steps(replayed, "A15") == ["02-24 upcoming taken", "03-05 reminder taken"]
    shown = replayed["accounts"]["A15"]
    assert (shown["status"], shown["balance"], line(replayed, "S15")) == ("current", "0.00", [])


def test_u25_what_was_paid_to_the_last_cent_is_never_limited(replayed: dict[str, Any]) -> None:
    """33.33, 33.33 and 33.34 are 100.00: the last part comes a day before the limit."""
    assert steps(replayed, "A25") == ["02-24 upcoming taken", *LADDER[:3]]
    shown = replayed["accounts"]["A25"]
    assert (shown["status"], shown["balance"], shown["unapplied"], line(replayed, "S25")) == (
        "current", "0.00", "0.00", [],
    )  # fmt: skip


def test_u33_a_payment_on_its_way_keeps_the_line_until_it_is_in_the_books(replayed: dict[str, Any]) -> None:
    assert steps(replayed, "A33") == ["02-24 upcoming taken", *LADDER[:3], "03-25 bar waiting: hold"]
    shown = replayed["accounts"]["A33"]
    assert (shown["status"], shown["balance"], line(replayed, "S33")) == ("current", "0.00", [])


# Stale facts.


class PaidMeanwhile(MemoryGateway):
    """A far side that takes its time: the customer pays while the first order is on its way."""

    def __init__(self, story: Story) -> None:
        super().__init__()
        self.story = story

    def hand_over(self, handed: Message | NetworkOrder, /) -> Outcome:
        if not self.orders:
            self.story.unsettled_payment("100.00")
        return super().hand_over(handed)


def test_u02_a_payment_in_the_second_of_the_limit_keeps_one_line_and_brings_the_other_back() -> None:
    story = told()
    story.service("S2")
    story.days_pass(until=mar(24))
    story.run(mar(25))
    network = PaidMeanwhile(story)
    story.deliver(road=network)
    story.deliver(road=network)
    asked = [(order.service_ref, order.rung) for order in network.orders]
    assert asked == [("S1", "outgoing_barred"), ("S1", "active")]
    assert story.moves() == ["03-02 overdue", "03-25 S1 outgoing_barred", "03-25 current", "03-25 S1 active"]
    assert story.cases() == ["03-02 03-25 paid"]


def test_u02_a_payment_a_second_before_the_limit_keeps_both_lines() -> None:
    story = told()
    story.service("S2")
    story.days_pass(until=mar(24))
    story.run(mar(25))
    story.unsettled_payment("100.00")
    network = LocalMemory()
    story.deliver(road=network)
    assert network.orders == []
    assert len(story.withdrawn()) == 2
    story.expect(status="current", cases=["03-02 03-25 paid"], balance="0.00")


def test_u10_a_partly_paid_bill_is_still_reminded_of_and_keeps_its_history() -> None:
    story = told()
    story.days_pass(until=mar(6))
    story.pays("60.00")
    story.days_pass(until=mar(19))
    story.expect(steps=LADDER[:3], overdue="40.00")
    for text in story.texts[-2:]:
        assert "40.00" in text.text
        assert "100.00 is overdue" not in text.text
    assert "Thank you for the $60.00 you have already paid" in story.texts[-1].text
    part_paid = _history(story)
    story.pays("40.00")
    paid = _history(story)
    assert [entry for entry in paid if entry in part_paid] == part_paid
    assert part_paid == [
        "2026-02-08 Bill B1",
        "2026-03-05 Reminder by e-mail",
        "2026-03-06 Payment",
        "2026-03-12 Warning by SMS",
        "2026-03-19 Final by e-mail",
    ]
    assert sorted(set(paid) - set(part_paid)) == ["2026-03-19 Payment"]


def _history(story: Story) -> list[str]:
    """What the account page tells of money and notices, oldest first."""
    found = timeline(account=story.account_row(), as_of=story.today, zone=ZoneInfo("UTC"), outcomes={}, most=500)
    told_of = [entry for entry in found.entries if entry.group in ("money", "notices")]
    return [f"{entry.day} {entry.title}" for entry in reversed(told_of)]


def test_u11_a_bill_disputed_a_moment_before_the_notice_leaves_is_left_out_of_it() -> None:
    story = told()
    story.bill(mar(2), "30.00", ref="B2")
    story.days_pass(until=mar(11))
    story.run(mar(12))
    story.dispute("100.00", bill="B1")
    story.deliver()
    notice = Notice.objects.get(step_code="warning")
    assert (notice.bill_refs, notice.amount, notice.state) == (["B2"], Decimal("30.00"), "delivered")
    # The customer hears that we have the dispute, too.
    asked = [sent.text for sent in story.texts if not sent.key.startswith("confirm.")]
    assert "$30.00 is overdue" in asked[-1]
    story.expect(overdue="30.00", disputed="100.00", balance="130.00", cases=["03-02 open"])


def test_u12_after_each_reminder_every_bill_is_open_and_the_next_one_asks_for_all_of_them() -> None:
    story = told()
    story.bill(mar(9), "30.00", ref="B2")
    for last, refs, amount in ((5, ["B1"], "100.00"), (12, ["B1", "B2"], "130.00"), (19, ["B1", "B2"], "130.00")):
        story.days_pass(until=mar(last))
        notice = Notice.objects.order_by("-pk")[0]
        assert (notice.made_on, notice.bill_refs, notice.amount) == (mar(last), refs, Decimal(amount))
        story.expect(balance="130.00")
    story.pays("100.00", bill_ref="B1")
    story.expect(overdue="30.00", cases=["03-02 open"])


def test_u13_an_open_credit_note_is_taken_off_and_one_that_was_cancelled_is_not() -> None:
    story = told()
    story.days_pass(until=mar(4))
    story.adjusts("-15.00", bill_ref="B1", reason="credit note")
    story.days_pass(until=mar(5))
    story.expect(overdue="85.00")
    assert "$85.00" in story.texts[-1].text
    assert "$15.00" in story.texts[-1].text
    story.adjusts("15.00", bill_ref="B1", reason="credit note cancelled")
    story.days_pass(until=mar(12))
    story.expect(overdue="100.00")
    assert "$100.00 is overdue" in story.texts[-1].text
    assert "15.00" not in story.texts[-1].text
    assert "85.00" not in story.texts[-1].text


def test_u13_a_credit_note_of_more_than_is_owed_is_shown_and_pays_the_next_bill() -> None:
    story = told()
    story.days_pass(until=mar(4))
    story.adjusts("-130.00", reason="credit note")
    story.expect(balance="-30.00", unapplied="30.00", status="current")
    story.bill(mar(20), "45.00", ref="B2", issued_on=mar(5))
    story.days_pass(until=mar(24))
    story.expect(unapplied="0.00", overdue="15.00")
    assert "$15.00" in story.texts[-1].text
    assert "$45.00 is" not in story.texts[-1].text


def test_u26_a_warning_is_not_sent_once_the_cheque_is_entered() -> None:
    story = told()
    story.days_pass(until=mar(11))
    story.run(mar(12))
    story.pays("100.00", method="cheque")
    story.deliver()
    assert story.handed[mar(12)] == 0
    story.expect(
        withdrawn=["03-12 warning: case closed: paid"],
        notices=["03-05 reminder email", "03-12 warning sms withdrawn: case closed: paid"],
        status="current",
    )
    story.days_pass(until=mar(40))
    story.expect(steps=LADDER[:2], services=ACTIVE)


def test_u33_a_payment_on_its_way_that_never_comes_delays_the_limit_by_seven_days_at_most() -> None:
    story = told()
    story.days_pass(until=mar(24))
    hold = story.hold("payment_in_flight")
    assert hold.ends_on == mar(31)
    story.days_pass(until=mar(31))
    story.expect(services=ACTIVE, days_past_due=30)
    story.days_pass(until=mar(32))
    story.expect(services=BARRED, steps=[*LADDER[:3], "04-01 bar taken"])


def test_u33_a_payment_received_in_time_and_posted_late_keeps_the_promise_of_its_own_day() -> None:
    """Promised for the 20th, received on the 20th, in the books on the 23rd, the last day of grace."""
    story = told()
    story.days_pass(until=mar(13))
    promise = story.promise("100.00", by=mar(20))
    story.days_pass(until=mar(23))
    story.pays("100.00", received_on=mar(20))
    promise.refresh_from_db()
    assert (promise.status, promise.settled_on) == ("kept", mar(20))
    story.days_pass(until=mar(40))
    story.expect(services=ACTIVE, steps=LADDER[:2], cases=["03-02 03-23 paid"])


def test_u33_a_payment_received_in_time_and_posted_on_the_day_of_the_limit_stops_it() -> None:
    story = told()
    story.days_pass(until=mar(24))
    story.run(mar(25))
    story.pays("100.00", received_on=mar(20))
    story.deliver()
    story.days_pass(until=mar(40))
    story.expect(services=ACTIVE, cases=["03-02 03-25 paid"], withdrawn=["03-25 bar: case closed: paid"])


# A step lost or repeated.


def test_u08_twelve_late_bills_are_one_letter_a_step_that_names_them_all() -> None:
    channels = "{code: reminder, day: 4, action: notify, channels: ["
    story = Story(mar(2), policy=POLICY.replace(f"{channels}email, sms]", f"{channels}letter]"))
    story.account(customer={"email": "", "phone": ""})
    refs = [f"B{month:02}" for month in range(12)]
    for month, ref in enumerate(refs):
        story.bill(mar(1) - timedelta(days=30 * month), "20.00", ref=ref)
    story.days_pass(until=mar(2))
    story.expect(notices=["03-02 reminder letter"], overdue="240.00")
    [letter] = story.texts
    assert all(ref in letter.text for ref in refs)
    assert "$240.00" in letter.text
    assert letter.attachment.startswith(b"%PDF")
    assert sorted(Notice.objects.get().bill_refs) == refs


def test_u14_a_bad_address_is_left_for_the_next_channel_at_once_and_nothing_stays_queued() -> None:
    story = told()
    story.days_pass(until=mar(4))
    story.run(mar(5))
    road = Refusing("A1@customers.example")
    story.deliver(road=road)
    assert [message.channel for message in road.messages] == ["sms"]
    story.expect(notices=["03-05 reminder email bounced: no such mailbox", "03-05 reminder sms"])
    story.days_pass(until=mar(19))
    assert story.notices()[-1] == "03-19 final letter until 03-25"
    assert not Notice.objects.filter(state__in=["pending", "handing_over", "sent", "doubtful"]).exists()
    assert UnreachableAddress.objects.get().value == "A1@customers.example"


def test_u14_where_no_address_is_left_the_step_says_so_and_a_person_is_told() -> None:
    story = told({"phone": "", "address": ""})
    story.days_pass(until=mar(4))
    story.run(mar(5))
    story.deliver(road=Refusing("A1@customers.example"))
    story.days_pass(until=mar(39))
    assert story.steps()[:4] == [
        "03-05 reminder taken",
        "03-12 warning undeliverable",
        "03-19 final undeliverable",
        "03-25 bar waiting: not_warned",
    ]
    assert "task: bar has waited 14 days (not_warned)" in story.queue()
    assert not Notice.objects.filter(send_at__isnull=False).exists()
    story.expect(services=ACTIVE)


def test_u17_instalments_are_judged_by_their_own_due_dates_and_their_grace() -> None:
    """Each is paid on the last day of its grace: what was agreed is said, nothing is limited, the plan is kept."""
    story = told()
    story.days_pass(until=mar(13))
    story.plan((mar(20), "50.00"), (mar(51), "50.00"))
    story.days_pass(until=mar(25))
    story.pays("50.00")
    story.days_pass(until=mar(56))
    story.pays("50.00")
    story.days_pass(until=mar(60))
    assert Plan.objects.get().status == "kept"
    assert [part.paid_on for part in Plan.objects.get().instalments.order_by("position")] == [mar(25), mar(56)]
    story.expect(steps=LADDER[:2], services=ACTIVE, status="current", cases=["03-02 04-25 paid"], holds=[])
    assert (story.handed.total(), story.handed[mar(14)]) == (3, 1)  # two steps, and the plan confirmed


def test_u17_an_instalment_that_stays_unpaid_ends_the_plan_and_not_a_day_earlier() -> None:
    story = told()
    story.days_pass(until=mar(13))
    story.plan((mar(20), "50.00"), (mar(70), "50.00"))
    story.days_pass(until=mar(50))
    assert Plan.objects.get().status == "active"
    story.expect(steps=LADDER[:2], services=ACTIVE)
    story.days_pass(until=mar(51))
    assert Plan.objects.get().status == "broken"
    assert story.steps() == [*LADDER[:2], "04-20 final taken"]
    story.expect(services=ACTIVE)


def test_u32_a_limit_is_warned_of_once_not_every_day() -> None:
    story = told()
    story.days_pass(until=mar(18))
    for day in range(19, 26):
        for _ in range(3):
            story.run(mar(day))
            story.deliver()
    story.expect(services=BARRED)
    assert story.notices() == [
        "03-05 reminder email", "03-12 warning sms until 03-20", "03-19 final email until 03-25",
    ]  # fmt: skip
    assert story.handed.total() == 3


# Fees and services.


LATE_FEE = POLICY.replace("steps:\n", 'fees: {late_fee: "5.00"}\nsteps:\n').replace(
    "  - {code: warning,", "  - {code: late, day: 6, action: charge_fee, fee: late_fee}\n  - {code: warning,"
)


def test_u27_a_service_that_comes_back_brings_no_charge_and_no_notice_of_its_own() -> None:
    """Billing then bills the months without service at once: those are dunned by their own due dates alone."""
    story = told()
    story.days_pass(until=mar(60))
    story.expect(services=SUSPENDED)
    before = story.handed.total()
    story.pays("100.00")
    story.deliver()
    story.expect(services=ACTIVE, balance="0.00", status="current")
    for month in range(2):
        story.bill(mar(90), "30.00", ref=f"M{month}", issued_on=mar(61))
    story.days_pass(until=mar(84))
    assert (Fee.objects.count(), Bill.objects.count(), story.handed.total()) == (0, 3, before)
    story.expect(services=ACTIVE, balance="60.00", overdue="0.00", status="current", stage=None, queue=[])
    story.days_pass(until=mar(90))
    # Five days before they are due: one notice for both.
    assert story.notices()[-1] == "05-24 upcoming sms"
    assert story.handed.total() == before + 1
    story.expect(cases=["03-02 04-29 paid"], services=ACTIVE)


def test_u28_a_late_fee_is_charged_once_on_its_day_after_the_due_date() -> None:
    story = Story(mar(2), policy=LATE_FEE)
    story.account()
    story.bill(mar(10), "100.00", ref="B1", issued_on=mar(3))
    story.days_pass(until=mar(15))
    assert not Fee.objects.exists()
    story.expect(balance="100.00")
    story.days_pass(until=mar(40))
    fee = Fee.objects.get()
    assert (fee.on, fee.amount, fee.kind) == (mar(16), Decimal("5.00"), "late_fee")
    story.expect(balance="105.00", overdue="100.00")


def test_u28_who_pays_in_time_never_sees_a_late_fee() -> None:
    story = Story(mar(2), policy=LATE_FEE)
    story.account()
    story.bill(mar(10), "100.00", ref="B1", issued_on=mar(3))
    story.days_pass(until=mar(10))
    story.pays("100.00")
    story.days_pass(until=mar(40))
    story.expect(balance="0.00", steps=["03-05 upcoming taken"])
    assert not Fee.objects.exists()


class Answering(MemoryGateway):
    """A network that answers restores as told, once each, then as it should."""

    def __init__(self, *answers: Outcome | NotTaken) -> None:
        super().__init__()
        self.answers = list(answers)

    def hand_over(self, handed: Message | NetworkOrder, /) -> Outcome:
        if isinstance(handed, NetworkOrder) and handed.rung == "active" and self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, NotTaken):
                raise answer
            return answer
        return super().hand_over(handed)


def test_u29_whoever_pays_has_the_service_back_on_the_same_day() -> None:
    story = told()
    story.days_pass(until=mar(32))
    story.expect(services=SUSPENDED)
    story.pays("100.00")
    story.deliver(hour=13)
    story.expect(services=ACTIVE)
    assert story.moves()[-2:] == ["04-01 current", "04-01 S1 active"]


def test_u29_a_network_that_is_down_is_asked_again_until_the_service_is_back() -> None:
    story = told()
    story.days_pass(until=mar(32))
    story.pays("100.00")
    network = Answering(NotTaken("connection refused"), NotTaken("connection refused"))
    story.deliver(hour=13, road=network)
    story.expect(services=SUSPENDED)
    assert ServiceOrder.objects.get(kind="restore").state == "pending"
    for hour in range(14, 24):
        story.deliver(hour=hour, road=network)
    story.expect(services=ACTIVE)
    assert len([order for order in network.orders if order.rung == "active"]) == 1


def test_u29_a_restore_that_the_network_refuses_is_put_before_a_person() -> None:
    story = told()
    story.days_pass(until=mar(32))
    story.pays("100.00")
    story.deliver(hour=13, road=Answering(Outcome("rejected", detail="unknown subscriber")))
    story.expect(services=SUSPENDED, queue=["task: unknown subscriber"])


def test_u31_days_of_grace_one_final_warning_staff_told_and_the_network_given_the_reason() -> None:
    story = told()
    network = LocalMemory()
    while story.today < mar(33):
        story.run(story.today + timedelta(days=1))
        story.deliver(road=network)
        story.deliver(road=network)
    assert story.steps() == LADDER
    assert [notice for notice in story.notices() if "final" in notice] == ["03-19 final email until 03-25"]
    assert story.queue() == ["collect: handed to agents by the policy"]
    assert [(order.rung, order.reason) for order in network.orders] == [
        ("outgoing_barred", "bar"),
        ("suspended", "suspend"),
    ]
    story.pays("100.00")
    story.deliver(road=network)
    assert (network.orders[-1].rung, network.orders[-1].reason) == ("active", "paid")


# Pauses that people control.


def test_u22_a_pause_of_one_bill_leaves_it_out_and_the_others_go_on_by_their_own_dates() -> None:
    story = told()
    story.bill(mar(3), "30.00", ref="B2")
    story.days_pass(until=mar(6))
    story.hold("manual", until=mar(31), bill_refs=["B1"])
    story.days_pass(until=mar(14))
    # Eleven days after 3 March, about the younger bill alone.
    notice = Notice.objects.get(step_code="warning")
    assert (notice.made_on, notice.bill_refs, notice.amount) == (mar(14), ["B2"], Decimal("30.00"))
    assert "$30.00 is overdue" in story.texts[-1].text
    story.expect(overdue="130.00", days_past_due=13)
    story.days_pass(until=mar(27))
    assert story.steps() == ["03-05 reminder taken", "03-14 warning taken", "03-21 final taken", "03-27 bar taken"]
    # The pause is over after its last day: the next notice asks for both again.
    story.days_pass(until=mar(33))
    assert story.steps()[4:] == ["04-01 suspend taken", "04-02 desk taken"]
    assert [hold["bill_ids"] for hold in story.shows()["holds"]] == []


def test_u22_a_pause_of_the_only_bill_stops_everything_until_its_last_day() -> None:
    story = told()
    story.days_pass(until=mar(6))
    story.hold("manual", until=mar(31), bill_refs=["B1"])
    story.days_pass(until=mar(31))
    story.expect(steps=LADDER[:1], services=ACTIVE, overdue="100.00", days_past_due=30, cases=["03-02 open"])
    story.days_pass(until=mar(32))
    assert story.steps()[1:] == ["04-01 warning taken"]


def test_u22_a_pause_that_names_no_bill_stops_the_whole_account_and_no_other_of_the_customer() -> None:
    story = told()
    story.bill(mar(3), "30.00", ref="B2")
    other = story.account("A2")
    other.customer = story.account_row("A1").customer
    other.save(update_fields=["customer"])
    story.bill(mar(1), "50.00", ref="B3", account="A2")
    story.days_pass(until=mar(6))
    hold = story.hold("manual", until=mar(31))
    story.days_pass(until=mar(20))
    assert story.handed[mar(12)] == 1
    assert [step for step in story.steps("A1") if step.endswith("taken")] == LADDER[:1]
    assert story.steps("A2") == LADDER[:3]
    # And whoever placed it may end it.
    story.lift(hold)
    story.days_pass(until=mar(21))
    assert story.steps("A1")[-1] == "03-21 warning taken"


def test_u30_a_service_is_not_limited_before_the_day_after_the_date_set_on_it() -> None:
    story = told()
    story.service("S2")
    Service.objects.filter(ref="S1").update(keep_until=mar(30))
    story.days_pass(until=mar(30))
    story.expect(services=[{"service_id": "S1", "status": "active"}, {"service_id": "S2", "status": "outgoing_barred"}])
    story.days_pass(until=mar(31))
    story.expect(
        services=[{"service_id": "S1", "status": "outgoing_barred"}, {"service_id": "S2", "status": "outgoing_barred"}]
    )
    assert story.moves() == ["03-02 overdue", "03-25 S2 outgoing_barred", "03-31 S1 outgoing_barred"]


def test_u30_a_date_set_on_a_service_between_the_decision_and_the_limit_counts() -> None:
    story = told()
    story.days_pass(until=mar(24))
    story.run(mar(25))
    Service.objects.filter(ref="S1").update(keep_until=mar(26))
    story.deliver()
    story.days_pass(until=mar(26))
    story.expect(services=ACTIVE)
    story.days_pass(until=mar(27))
    story.expect(services=BARRED)


def test_u30_a_date_that_ends_before_a_weekend_does_not_make_the_limit_run_on_it() -> None:
    """Kept until Friday the 27th: not Saturday, but Monday."""
    story = told()
    Service.objects.filter(ref="S1").update(keep_until=mar(27))
    story.days_pass(until=mar(29))
    story.expect(services=ACTIVE)
    story.days_pass(until=mar(30))
    story.expect(services=BARRED)


def test_u30_limits_that_came_due_while_the_service_was_kept_follow_one_a_day() -> None:
    story = told()
    Service.objects.filter(ref="S1").update(keep_until=mar(36))
    story.days_pass(until=mar(40))
    assert [move for move in story.moves() if "S1" in move] == ["04-06 S1 outgoing_barred", "04-07 S1 suspended"]


def test_u30_who_pays_while_the_service_is_kept_never_loses_it() -> None:
    story = told()
    Service.objects.filter(ref="S1").update(keep_until=mar(30))
    story.days_pass(until=mar(29))
    story.pays("100.00")
    story.days_pass(until=mar(40))
    story.expect(services=ACTIVE, withdrawn=["03-29 bar: case closed: paid"])


def test_u34_nobody_is_cut_off_on_a_weekend_or_a_holiday_and_the_day_named_is_never_early() -> None:
    """Friday 3 July 2026 is the holiday of the 4th, a Saturday: the limit comes on Monday."""
    story = Story(date(2026, 6, 10))
    story.account()
    story.service()
    story.bill(date(2026, 6, 9), "100.00", ref="B1")
    story.days_pass(until=date(2026, 7, 5))
    assert story.notices()[-1] == "06-27 final email until 07-03"
    story.expect(services=ACTIVE)
    assert story.steps()[-1] == "07-03 bar waiting: closed_day"
    story.days_pass(until=date(2026, 7, 6))
    story.expect(services=BARRED)
    assert story.steps()[-1] == "07-06 bar taken"


def test_u34_a_promise_for_after_the_holiday_keeps_the_line_over_it() -> None:
    story = Story(date(2026, 6, 10))
    story.account()
    story.service()
    story.bill(date(2026, 6, 9), "100.00", ref="B1")
    story.days_pass(until=date(2026, 7, 2))
    story.promise("100.00", by=date(2026, 7, 7))
    story.days_pass(until=date(2026, 7, 7))
    story.expect(services=ACTIVE)
    story.pays("100.00")
    story.days_pass(until=date(2026, 7, 12))
    story.expect(services=ACTIVE, cases=["06-10 07-07 paid"], holds=[])


def test_u35_age_is_right_after_a_pause_a_repayment_and_a_charge_back_and_the_way_in_and_out_is_on_record() -> None:
    story = told()
    story.days_pass(until=mar(8))
    story.hold("hardship", until=mar(18))
    story.days_pass(until=mar(18))
    story.expect(days_past_due=17, bucket="1-30", steps=LADDER[:1])
    # Eleven days stood still: what steps count is behind what the customer owes.
    story.days_pass(until=mar(23))
    story.expect(days_past_due=22, steps=[*LADDER[:1], "03-23 warning taken"])
    payment = story.pays("100.00")
    story.expect(days_past_due=0, bucket="current", status="current", overdue="0.00")
    story.days_pass(until=mar(39))
    story.takes_back(payment)
    story.expect(days_past_due=38, bucket="31-60", status="overdue", overdue="100.00")
    assert story.account_row().oldest_due_on == mar(1)
    story.days_pass(until=mar(41))
    story.expect(days_past_due=40, cases=["03-02 03-23 paid", "04-09 open"])
    assert _in_and_out(story) == [
        "03-02 current > overdue: something undisputed is past due",
        "03-02 case opened",
        "03-08 hold placed: hardship",
        "03-23 overdue > current: nothing is past due",
        "03-23 case closed: paid",
        "04-08 current > overdue: something undisputed is past due",
        "04-09 case opened",
    ]


def _in_and_out(story: Story) -> list[str]:
    """The way into dunning and out of it, as the events tell it."""
    told_of = []
    for row in AccountEvent.objects.filter(account__ref="A1").order_by("pk"):
        if row.kind == "accounts.status.changed":
            told_of.append(f"{row.on:%m-%d} {row.payload['from']} > {row.payload['to']}: {row.reason}")
        elif row.kind in (kinds.CASE_OPENED, kinds.CASE_CLOSED, "accounts.hold.placed", "accounts.hold.lifted"):
            words = " ".join(row.kind.split(".")[1:])
            told_of.append(f"{row.on:%m-%d} {words}" + (f": {row.reason}" if row.reason else ""))
    return told_of


def test_u38_an_early_payment_keeps_the_promise_and_ends_its_hold_without_a_hand() -> None:
    story = told()
    story.days_pass(until=mar(6))
    story.promise("100.00", by=mar(30))
    story.days_pass(until=mar(9))
    story.pays("100.00")
    promise = Promise.objects.get()
    assert (promise.status, promise.settled_on) == ("kept", mar(9))
    hold = Hold.objects.get()
    assert (hold.lifted_on, hold.lifted_by) == (mar(9), "desk:promises")
    story.expect(holds=[], status="current", cases=["03-02 03-09 paid"])
    # What comes later is not held by it.
    story.bill(mar(10), "30.00", ref="B2", issued_on=mar(1))
    story.days_pass(until=mar(14))
    assert story.steps()[-1] == "03-14 reminder taken"
