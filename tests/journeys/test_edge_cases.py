"""The situations in which desks like this one go wrong, each replayed day by day: the path and the calendar.

Numbered as the list of known troubles of the trade. Those about who is told and who works on what (12, 13, 16 to 20)
stand in ``test_edge_cases_people``, those about the end of the money (21, 22, 25) in ``test_edge_cases_money``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from accounts import keeping, settling
from accounts.models import Account, Hold, Payment, Service
from agents import plans
from agents.models import Plan, Promise
from collections_desk import journey
from dunning import deliver, migrating
from dunning.gateways.base import Message, NetworkOrder, Outcome
from dunning.gateways.memory import MemoryGateway
from dunning.models import BillStep, Case, CaseStep, Notice, PolicyVersion, ServiceOrder
from dunning.roads import Roads
from tests import factories
from tests.journeys.ledger import POLICY
from tests.journeys.story import Story, at, publish

pytestmark = pytest.mark.django_db

FIRST = date(2026, 3, 2)

#: A week between two steps, as in the policies of small operators.
WEEKLY = """
code: weekly
enters: {min_amount: "20.00", min_days: 1}
exits: {max_amount: "1.00"}
calendar: {country: US, roll: next_working_day}
steps:
  - {code: reminder, day: 1, action: notify, channels: [email], template: reminder}
  - {code: warning, day: 7, action: notify, channels: [email, letter], template: suspension-warning, pay_by_days: 7}
  - {code: block, day: 14, action: limit, rung: suspended, warned_by: warning, notice_days: 7}
"""

REMINDED, WARNED, FINAL = "03-05 reminder taken", "03-12 warning taken", "03-19 final taken"


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


def told(policy: str = POLICY, *, customer: dict[str, Any] | None = None) -> Story:
    story = Story(FIRST, policy=policy)
    story.account(customer=customer)
    story.service()
    return story


def owing(
    amount: str = "100.00", policy: str = POLICY, *, customer: dict[str, Any] | None = None, **columns: Any
) -> Story:
    """One bill, due on 1 March."""
    story = told(policy, customer=customer)
    story.bill(mar(1), amount, ref="B1", **columns)
    return story


# 1, 3, 4, 6: what is paid.


def test_01_the_older_bill_paid_on_day_6_of_7_moves_the_next_step_with_the_new_oldest_due_date_and_skips_none() -> None:
    story = told(WEEKLY)
    story.bill(mar(1), "40.00", ref="B1")
    story.bill(mar(4), "40.00", ref="B2")
    story.days_pass(until=mar(7))
    story.expect(days_past_due=6, next_step={"code": "warning", "on": "2026-03-08"})
    story.pays("40.00")
    story.expect(days_past_due=3, next_step={"code": "warning", "on": "2026-03-11"})
    story.days_pass(until=mar(20))
    story.expect(
        steps=["03-02 reminder taken", "03-11 warning taken", "03-18 block taken"],
        notices=["03-02 reminder email", "03-11 warning email until 03-18"],
        cases=["03-02 open"],
    )


class MeanwhilePaid(MemoryGateway):
    """A network that takes its time: the customer pays while the order is on its way."""

    def __init__(self, pay: Callable[[], Any]) -> None:
        super().__init__()
        self.pay: Callable[[], Any] | None = pay
        self.stands = "active"

    def hand_over(self, handed: Message | NetworkOrder, /) -> Outcome:
        if isinstance(handed, NetworkOrder):
            if self.pay and handed.rung != "active":
                self.pay()
                self.pay = None
            self.stands = handed.rung
        return super().hand_over(handed)


def test_02_a_payment_while_the_suspension_is_on_its_way_restores_the_line_after_it() -> None:
    story = owing()
    story.days_pass(until=mar(24))
    story.run(mar(25))
    network = MeanwhilePaid(lambda: story.pays("100.00"))
    story.deliver(road=network)
    story.expect(
        status="current", cases=["03-02 03-25 paid"], services=[{"service_id": "S1", "status": "active"}], queue=[]
    )
    assert network.stands == "active"
    assert [order.rung for order in network.orders] == ["outgoing_barred", "active"]


@pytest.mark.django_db(transaction=True)
def test_02_a_payment_and_a_suspension_at_the_same_moment_have_one_outcome_and_the_line_ends_active() -> None:
    story = owing()
    story.days_pass(until=mar(24))
    story.run(mar(25))
    network = MemoryGateway()
    start = threading.Barrier(2)

    def pay() -> None:
        with transaction.atomic():
            account = Account.objects.get(ref="A1")
            Payment.objects.create(ref="P1", account=account, received_on=mar(25), amount=Decimal(100))
            settling.mark_unsettled([account.pk])
            settling.settle(as_of=mar(25), at=at(mar(25)), account_ids=[account.pk])
        with journey.gathering():
            journey.react_to_all(as_of=mar(25), at=at(mar(25)))

    def suspend() -> None:
        roads = Roads(dict.fromkeys(("sms", "email", "letter", "in_app"), network), network, careful=False)
        deliver.deliver(as_of=mar(25), at=at(mar(25)), roads=roads)

    def go(work: Callable[[], None]) -> None:
        try:
            start.wait(timeout=30)
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(go, work) for work in (pay, suspend)]:
            done.result(timeout=60)
    suspend()  # the next pass: what the payment asked for after the limit had left
    orders = [(order.kind, order.state) for order in ServiceOrder.objects.order_by("pk")]
    assert orders in ([("limit", "withdrawn")], [("limit", "confirmed"), ("restore", "confirmed")])
    assert [order.rung for order in network.orders] in ([], ["outgoing_barred", "active"])
    assert Service.objects.get().status == "active"
    assert Account.objects.get().status == "current"
    story.expect(cases=["03-02 03-25 paid"])


def test_03_what_is_left_leaves_the_case_at_the_exit_amount_and_not_at_the_entry_amount() -> None:
    """Enters at 20.00, exits at 1.00: 5.00 stay in and wait, 0.40 leave."""
    story = owing("40.00", WEEKLY)
    story.days_pass(until=mar(5))
    story.pays("35.00")
    story.days_pass(until=mar(20))
    story.expect(steps=["03-02 reminder taken", "03-08 warning waiting: below_minimum"], cases=["03-02 open"])
    story.pays("4.60")
    story.expect(cases=["03-02 03-20 below_exit_amount"], overdue="0.40", status="overdue", stage=None)
    story.days_pass(until=mar(30))
    story.expect(cases=["03-02 03-20 below_exit_amount"], notices=["03-02 reminder email"])


def test_04_a_payment_of_90_percent_stays_in_and_the_letter_says_what_is_paid_and_what_is_left() -> None:
    story = owing("300.00", customer={"email": ""})
    story.days_pass(until=mar(8))
    story.pays("270.00")
    story.days_pass(until=mar(25))
    story.expect(
        steps=[REMINDED, WARNED, FINAL, "03-25 bar taken"],
        cases=["03-02 open"],
        overdue="30.00",
        balance="30.00",
    )
    letter = story.texts[-1]
    assert letter.channel == "letter"
    assert "30.00" in letter.text
    assert "270.00" in letter.text


def test_04_a_promise_with_a_threshold_of_90_percent_is_kept_by_90_percent_and_by_no_less(settings: Any) -> None:
    settings.PROMISE_KEPT_PERCENT = 90
    story = told()
    story.account("A2")
    for account in ("A1", "A2"):
        story.bill(mar(1), "100.00", ref=f"B-{account}", account=account)
    story.days_pass(until=mar(6))
    for account in ("A1", "A2"):
        story.promise("100.00", by=mar(10), account=account)
    story.pays("90.00")
    story.pays("89.99", account="A2")
    assert set(Promise.objects.values_list("status", flat=True)) == {"open"}, "the rest may still come"
    story.days_pass(until=mar(14))
    judged = Promise.objects.order_by("account__ref").values_list("account__ref", "status", "paid")
    assert list(judged) == [("A1", "kept", Decimal(90)), ("A2", "part_kept", Decimal("89.99"))]
    story.expect(overdue="10.00", holds=[], cases=["03-02 open"])


def test_06_a_draft_and_a_cancelled_bill_are_never_dunned() -> None:
    story = told()
    story.bill(mar(1), "90.00", ref="B1", status="draft")
    story.bill(mar(1), "80.00", ref="B2", status="cancelled")
    story.days_pass(until=mar(30))
    story.expect(steps=[], notices=[], cases=[], status="current", balance="0.00")


def test_06_an_open_credit_note_lowers_what_is_asked_and_a_cancelled_one_does_not() -> None:
    story = owing("90.00")
    story.days_pass(until=mar(4))
    story.adjusts("-30.00", bill_ref="B1")
    story.days_pass(until=mar(8))
    assert "60.00" in story.texts[-1].text
    story.adjusts("30.00", bill_ref="B1")  # billing took it back
    story.days_pass(until=mar(12))
    assert "90.00" in story.texts[-1].text
    story.expect(steps=[REMINDED, WARNED], overdue="90.00", cases=["03-02 open"])


# 5: money that goes back.


def test_05_a_charge_back_after_the_cure_re_enters_with_its_age_and_warns_afresh_before_the_ladder_restarts() -> None:
    story = owing()
    story.days_pass(until=mar(26))
    payment = story.pays("100.00")
    story.days_pass(until=mar(31))
    story.expect(status="current", services=[{"service_id": "S1", "status": "active"}], cases=["03-02 03-26 paid"])
    story.takes_back(payment)
    story.expect(status="overdue", overdue="100.00", days_past_due=30, stage=None)
    story.days_pass(until=mar(45))
    story.expect(cases=["03-02 03-26 paid", "04-01 open"])
    assert story.steps()[4:] == [
        "04-01 reminder taken",
        "04-02 warning taken",
        "04-03 final taken",
        "04-04 desk taken",
        "04-09 bar taken",
        "04-10 suspend taken",
    ]
    assert story.notices()[-1] == "04-03 final email until 04-09"
    assert story.moves()[-3:] == ["04-04 collections", "04-09 S1 outgoing_barred", "04-10 S1 suspended"]


def test_05_a_promise_that_a_charge_back_un_pays_after_its_day_is_broken() -> None:
    story = owing()
    story.days_pass(until=mar(6))
    story.promise("100.00", by=mar(10))
    story.days_pass(until=mar(9))
    payment = story.pays("100.00")
    story.days_pass(until=mar(20))
    assert Promise.objects.get().status == "kept"
    story.takes_back(payment)
    story.days_pass(until=mar(21))
    promise = Promise.objects.get()
    assert (promise.status, promise.paid) == ("broken", Decimal(0))
    story.expect(overdue="100.00", days_past_due=20, holds=[])


def test_05_a_promise_that_a_charge_back_un_pays_before_its_day_is_open_again_and_holds() -> None:
    story = owing()
    story.days_pass(until=mar(6))
    story.promise("100.00", by=mar(20))
    story.days_pass(until=mar(9))
    payment = story.pays("100.00")
    assert Promise.objects.get().status == "kept"
    story.days_pass(until=mar(11))
    story.takes_back(payment)
    story.days_pass(until=mar(23))
    assert Promise.objects.get().status == "open"
    assert [hold["reason"] for hold in story.shows()["holds"]] == ["promise"]
    assert story.steps()[1:] == []
    story.days_pass(until=mar(24))
    assert Promise.objects.get().status == "broken"


# 7, 8: promises and their days.


@pytest.mark.parametrize(("paid_on", "status"), [(28, "kept"), (29, "broken")])
def test_07_a_promise_due_on_a_holiday_is_judged_by_its_day_and_grace_although_the_runs_were_missed(
    paid_on: int, status: str
) -> None:
    """Memorial Day, 25 May 2026, and three days of grace: the 28th. Nothing ran from the 27th to the 30th."""
    may = [date(2026, 5, 1) + timedelta(days=day) for day in range(-1, 32)]
    story = Story(may[2])
    story.account()
    story.bill(may[1], "100.00", ref="B1")
    story.days_pass(until=may[12])
    story.promise("100.00", by=may[25])
    story.days_pass(until=may[26])
    story.days_without_a_run(until=may[paid_on])
    story.pays("100.00")
    story.days_without_a_run(until=may[30])
    story.days_pass(until=may[31])
    promise = Promise.objects.get()
    assert (promise.status, promise.settled_on) == (status, may[28])
    story.expect(status="current", cases=["05-02 05-31 paid"], holds=[])


def test_08_a_promise_paid_early_and_in_full_lifts_its_hold_by_itself_and_the_rest_goes_on() -> None:
    story = owing()
    story.bill(mar(3), "40.00", ref="B2")
    story.days_pass(until=mar(6))
    story.promise("100.00", by=mar(25), bills=["B1"])
    story.pays("100.00", bill_ref="B1")
    promise, hold = Promise.objects.get(), Hold.objects.get()
    assert (promise.status, promise.settled_on) == ("kept", mar(6))
    assert (hold.lifted_on, hold.lifted_by) == (mar(6), "desk:promises")
    story.days_pass(until=mar(14))
    story.expect(steps=[REMINDED, "03-14 warning taken"], holds=[], overdue="40.00", queue=[])


# 9, 10, 11: what stops, and for how long.


def test_09_a_dispute_of_one_line_goes_on_for_the_rest_alone_up_to_the_limit() -> None:
    story = owing()
    story.days_pass(until=mar(6))
    story.dispute("60.00", bill="B1")
    story.days_pass(until=mar(25))
    story.expect(
        steps=[REMINDED, WARNED, FINAL, "03-25 bar taken"],
        overdue="40.00",
        disputed="60.00",
        balance="100.00",
        services=[{"service_id": "S1", "status": "outgoing_barred"}],
    )
    for warning in (text for text in story.texts[1:] if not text.key.startswith("confirm.")):
        assert "40.00" in warning.text
        assert "60.00" not in warning.text, "what is contested is neither asked for nor called paid"
    asked_for = Notice.objects.exclude(step_code="confirmation").order_by("pk")
    assert list(asked_for.values_list("amount", flat=True)) == [100, 40, 40]


def test_09_a_dispute_that_leaves_less_than_the_minimum_waits_and_closes_nothing() -> None:
    story = owing()
    story.days_pass(until=mar(6))
    story.dispute("90.01", bill="B1")
    story.days_pass(until=mar(20))
    story.expect(
        steps=[REMINDED, "03-12 warning waiting: below_minimum"], overdue="9.99", cases=["03-02 open"], status="overdue"
    )


def test_10_a_hold_longer_than_the_rest_of_the_path_neither_fails_nor_restarts_it() -> None:
    story = owing(policy=WEEKLY)
    story.days_pass(until=mar(4))
    story.hold("manual", until=mar(66))
    story.days_pass(until=mar(66))
    story.expect(
        steps=["03-02 reminder taken", "03-08 warning waiting: hold"],
        cases=["03-02 open"],
        stage="reminder",
        status="overdue",
        days_past_due=65,
        queue=[],
    )
    story.days_pass(until=mar(76))
    story.expect(
        steps=["03-02 reminder taken", "05-06 warning taken", "05-13 block taken"],
        notices=["03-02 reminder email", "05-06 warning email until 05-13"],
        cases=["03-02 open"],
    )


def test_11_of_enclosing_and_overlapping_holds_lifting_one_leaves_the_others() -> None:
    story = owing()
    story.days_pass(until=mar(8))
    outer = story.hold("manual", until=mar(20))
    story.days_pass(until=mar(12))
    inner = story.hold("payment_in_flight")  # until the 19th, within the other
    story.days_pass(until=mar(14))
    story.lift(inner)
    story.days_pass(until=mar(18))
    story.expect(steps=[REMINDED, "03-12 warning waiting: hold"])
    assert [hold["reason"] for hold in story.shows()["holds"]] == ["manual"]
    story.hold("legal", until=mar(25))  # reaches beyond the outer one
    story.lift(outer)
    story.days_pass(until=mar(25))
    story.expect(steps=[REMINDED, "03-12 warning waiting: hold"], days_past_due=24)
    assert [hold["reason"] for hold in story.shows()["holds"]] == ["legal"]
    story.days_pass(until=mar(28))
    # The clock stood from the 18th to the 25th: 28 March is the 19th day that counts.
    story.expect(steps=[REMINDED, "03-26 warning taken", "03-27 final taken"], holds=[], days_past_due=27)


# 14: the day of a limit.


@pytest.mark.parametrize(
    ("due_on", "named", "limited"),
    [
        (date(2026, 3, 5), "03-29", "03-30"),  # a Sunday
        (date(2026, 5, 1), "05-25", "05-26"),  # Memorial Day
        (date(2026, 6, 10), "07-04", "07-06"),  # Independence Day, a Saturday; the Friday before it is closed too
    ],
)
def test_14_a_limit_that_falls_on_a_closed_day_comes_on_the_next_working_day(
    due_on: date, named: str, limited: str
) -> None:
    story = Story(due_on + timedelta(days=1))
    story.account()
    story.service()
    story.bill(due_on, "100.00", ref="B1")
    story.days_pass(until=due_on + timedelta(days=27))
    assert story.notices()[-1].endswith(f"final email until {named}")
    assert story.steps()[3:] == [f"{limited} bar taken"]
    assert story.moves()[-1] == f"{limited} S1 outgoing_barred"


@pytest.mark.parametrize(
    ("until", "limited"),
    [(mar(20), "03-25"), (mar(27), "03-30"), (mar(39), "04-09")],  # before; a Friday, so Monday; a Wednesday later
)
def test_14_of_the_policys_day_and_a_manual_date_the_later_one_wins(until: date, limited: str) -> None:
    story = owing()
    story.days_pass(until=mar(15))
    story.hold("manual", until=until, stops=["limits"])
    story.days_pass(until=mar(40))
    assert story.steps()[:3] == [REMINDED, WARNED, FINAL]
    [barred] = [step for step in story.steps() if " bar " in step]
    assert barred == f"{limited} bar taken"


@pytest.mark.parametrize(
    ("until", "barred", "suspended"),
    [
        (mar(24), "03-25", "04-01"),
        (mar(25), "03-26", "04-01"),
        (mar(27), "03-30", "04-01"),  # a Friday, so Monday
        (mar(38), "04-08", "04-09"),  # beyond both: still one step a day
    ],
)
def test_14_a_line_kept_until_a_day_is_limited_from_the_first_working_day_after_it_one_rung_a_day(
    until: date, barred: str, suspended: str
) -> None:
    story = owing()
    story.days_pass(until=mar(16))
    keeping.keep(
        service_id=Service.objects.get().pk, until=until, reason="a technician comes", actor="agent:nadia",
        as_of=story.today, at=at(story.today),
    )  # fmt: skip
    story.days_pass(until=mar(40))
    assert story.steps()[:3] == [REMINDED, WARNED, FINAL], "notices go on"
    lines = [move for move in story.moves() if "S1" in move]
    assert lines == [f"{barred} S1 outgoing_barred", f"{suspended} S1 suspended"]


def test_14_a_warning_that_was_late_moves_the_limit_so_that_its_notice_is_kept_in_full() -> None:
    story = owing()
    story.days_pass(until=mar(15))
    story.hold("manual", until=mar(24), stops=["notices"])
    story.days_pass(until=mar(31))
    story.expect(
        steps=[REMINDED, WARNED, "03-25 final taken", "03-31 bar taken"],
        services=[{"service_id": "S1", "status": "outgoing_barred"}],
    )
    assert story.notices()[-1] == "03-25 final email until 03-31"


# 15: policies that change.


def test_15_a_policy_edited_in_mid_flight_leaves_open_cases_on_their_version_until_they_close() -> None:
    story = owing()
    story.days_pass(until=mar(6))
    publish(POLICY.replace("day: 11", "day: 7").replace("day: 18", "day: 14").replace("day: 24", "day: 20"), on=mar(6))
    story.days_pass(until=mar(25))
    story.expect(steps=[REMINDED, WARNED, FINAL, "03-25 bar taken"], policy={"code": "residential", "version": 1})
    payment = story.pays("100.00")
    story.days_pass(until=mar(26))
    story.takes_back(payment)
    story.days_pass(until=mar(27))
    story.expect(policy={"code": "residential", "version": 2}, cases=["03-02 03-25 paid", "03-27 open"])
    assert list(Case.objects.order_by("pk").values_list("version__number", flat=True)) == [1, 2]


def test_15_the_check_before_a_migration_lists_what_cannot_move_and_only_the_rest_moves() -> None:
    """The new version knows no warning, where A2 stands, and bars two days later."""
    story = owing()
    story.account("A2")
    story.bill(mar(7), "50.00", account="A2")
    story.days_pass(until=mar(20))
    story.expect("A1", stage="final")
    story.expect("A2", stage="warning")
    lines = POLICY.replace("day: 24", "day: 26").splitlines()
    publish("\n".join(line for line in lines if "code: warning" not in line), on=mar(20))
    target = PolicyVersion.objects.get(state="published")
    open_cases = {case.account.ref: case.pk for case in Case.objects.select_related("account")}
    why = "Its last step, warning, is no step of residential@2."
    found = migrating.check(target.policy, target, as_of=mar(20))
    assert [row.account_ref for row in found.can] == ["A1"]
    assert [(row.account_ref, reason) for row, reason in found.cannot] == [("A2", why)]
    came = migrating.migrate(open_cases.values(), target, actor="admin:ada", as_of=mar(20), at=at(mar(20)))
    assert came == (1, [(open_cases["A2"], why)])
    story.days_pass(until=mar(31))
    story.expect("A1", steps=[REMINDED, WARNED, FINAL, "03-27 bar taken"], cases=["03-02 open"])
    story.expect("A1", policy={"code": "residential", "version": 2})
    assert story.steps("A2")[-2:] == ["03-25 final taken", "03-31 bar nothing_to_do"]
    story.expect("A2", policy={"code": "residential", "version": 1})


# 23: calendars and currencies.


@pytest.mark.parametrize(
    ("zone", "changes"), [("America/New_York", date(2026, 3, 8)), ("Europe/Berlin", date(2026, 3, 29))]
)
def test_23_the_day_on_which_the_clocks_change_moves_no_step_and_loses_none(
    settings: Any, zone: str, changes: date
) -> None:
    settings.DESK_TIME_ZONE = zone
    story = Story(changes - timedelta(days=10))
    story.account(customer={"timezone": zone})
    story.service()
    story.bill(changes - timedelta(days=11), "100.00", ref="B1")
    story.days_pass(until=changes + timedelta(days=15))
    done = CaseStep.objects.filter(done_on__isnull=False).values_list("code", "done_on")
    offsets = {code: (on - changes).days for code, on in done if on}
    # The eleventh day past due is the day of the change itself; the 24th is a Saturday both times.
    assert {code: offsets[code] for code in ("reminder", "warning", "final", "bar")} == {
        "reminder": -7, "warning": 0, "final": 7, "bar": 15,
    }  # fmt: skip


@pytest.mark.parametrize(("day", "opens"), [(7, 13), (8, 12)])
def test_23_on_the_morning_after_the_clocks_went_forward_a_message_leaves_an_hour_earlier_by_utc(
    day: int, opens: int
) -> None:
    """Eight in the morning in New York, on 7 and on 8 March 2026."""
    story = Story(mar(day - 3), careful=True)
    story.account(customer={"timezone": "America/New_York"})
    story.bill(mar(day - 4), "100.00", ref="B1")
    story.days_pass(until=mar(day - 1))
    story.run(mar(day))
    story.deliver(hour=opens - 1)
    assert Notice.objects.get().send_at == at(mar(day), opens)
    assert story.handed[mar(day)] == 0
    story.deliver(hour=opens)
    story.expect(notices=[f"03-0{day} reminder email"])


@pytest.mark.parametrize(
    ("due_on", "steps"),
    [
        (date(2028, 2, 29), ["02-24 upcoming", "03-04 reminder", "03-11 warning", "03-18 final", "03-24 bar"]),
        (date(2027, 1, 31), ["01-26 upcoming", "02-04 reminder", "02-11 warning", "02-18 final", "02-24 bar"]),
        (date(2027, 12, 31), ["12-26 upcoming", "01-04 reminder", "01-11 warning", "01-18 final", "01-24 bar"]),
    ],
)
def test_23_the_29th_of_february_and_the_end_of_a_month_are_days_like_any_other(due_on: date, steps: list[str]) -> None:
    story = Story(due_on - timedelta(days=8))
    story.account()
    story.service()
    story.bill(due_on, "100.00", ref="B1")
    story.days_pass(until=due_on)
    story.expect(status="current", days_past_due=0, cases=[])
    story.days_pass(until=due_on + timedelta(days=24))
    story.expect(
        status="overdue",
        days_past_due=24,
        cases=[f"{due_on + timedelta(days=1):%m-%d} open"],
        services=[{"service_id": "S1", "status": "outgoing_barred"}],
    )
    taken = [*BillStep.objects.values_list("on", "code"), *CaseStep.objects.values_list("done_on", "code")]
    assert [f"{on:%m-%d} {code}" for on, code in sorted(taken)] == steps


def test_23_a_plan_by_the_month_from_the_31st_falls_due_on_the_last_days_and_is_kept_on_them() -> None:
    story = Story(date(2028, 1, 12))
    account = story.account()
    story.bill(date(2028, 1, 10), "100.00", ref="B1")
    story.days_pass(until=date(2028, 1, 20))
    offer = plans.quote_for(
        account_id=account.pk, count=3, first_on=date(2028, 1, 31), every="month", agent=None, as_of=story.today
    )
    parts = [(part.due_on, f"{part.amount:.2f}") for part in offer.instalments]
    assert parts == [
        (date(2028, 1, 31), "33.33"), (date(2028, 2, 29), "33.33"), (date(2028, 3, 31), "33.34"),
    ]  # fmt: skip
    story.plan(*parts)
    for due_on, amount in parts:
        story.days_pass(until=due_on)
        story.pays(amount)
    story.expect(status="current", balance="0.00", steps=["01-14 reminder taken"], cases=["01-12 03-31 paid"])
    assert Plan.objects.get().status == "kept"


def test_23_two_accounts_in_two_currencies_are_judged_and_told_each_in_its_own() -> None:
    policy = POLICY.replace('min_amount: "10.00"', 'min_amount: {USD: "10.00", JPY: "1500"}')
    story = told(policy)
    factories.make_account(ref="A2", customer=story.account_row().customer, currency="JPY")
    story.bill(mar(1), "10.00", ref="B1")
    story.bill(mar(1), "1499", ref="B2", account="A2")
    story.days_pass(until=mar(6))
    story.expect("A1", steps=[REMINDED], overdue="10.00")
    story.expect("A2", steps=[], cases=[], overdue="1499", status="overdue")
    story.bill(mar(6), "1", ref="B3", account="A2")
    story.days_pass(until=mar(8))
    story.expect("A2", steps=["03-07 reminder taken"], overdue="1500")
    assert "1,500" in story.texts[-1].text
    story.pays("1500", account="A2")
    story.days_pass(until=mar(12))
    story.expect("A1", steps=[REMINDED, WARNED], overdue="10.00", unapplied="0.00")
    story.expect("A2", status="current", balance="0")


# 24: once means once.


def test_24_the_same_day_run_again_sends_no_second_letter() -> None:
    story = owing(customer={"email": "", "phone": ""})
    story.days_pass(until=mar(19))
    for _ in range(3):
        report = story.run(mar(19))
        assert (dict(report.steps), report.notices, report.orders) == ({}, 0, 0)
        story.deliver()
    story.expect(steps=["03-05 reminder undeliverable", "03-12 warning undeliverable", FINAL])
    assert story.handed[mar(19)] == 1
    [letter] = Notice.objects.all()
    case = Case.objects.get()
    assert (letter.key, letter.channel) == (f"{case.pk}.final.0.letter", "letter")
