"""The figures of a day, from small books whose answers can be done by hand."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from itertools import count
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import settling
from accounts.models import Account, Adjustment, Bill, BusinessDate, Hold, Payment
from agents import kpis
from agents.models import Agent, Instalment, Interaction, Plan, Promise, Team, WorkItem
from dunning.models import Case, Policy, PolicyVersion
from tests import factories

pytestmark = pytest.mark.django_db

TODAY = date(2026, 3, 31)
NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
numbers = count(1)


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def an_account(currency: str = "EUR") -> Account:
    return factories.make_account(currency=currency)


def a_bill(account: Account, amount: str | int, *, issued: date, due: date, **facts: Any) -> Bill:
    return factories.make_bill(account, str(amount), issued_on=issued, due_on=due, **facts)


def a_payment(account: Account, amount: str | int, *, on: date, **facts: Any) -> Payment:
    return factories.make_payment(account, str(amount), on, **facts)


def a_credit(bill: Bill, amount: str | int, *, on: date, **facts: Any) -> Adjustment:
    return factories.make_adjustment(bill.account, f"-{amount}", on, bill_ref=bill.ref, **facts)


def a_promise(account: Account, amount: str | int, *, due: date, **facts: Any) -> Promise:
    facts.setdefault("made_on", due - timedelta(days=7))
    facts.setdefault("taken_by", "agent:nadia")
    return Promise.objects.create(ref=f"R{next(numbers)}", account=account, amount=amount, due_on=due, **facts)


def a_call(account: Account, disposition: str, *, at: datetime = NOON, **facts: Any) -> Interaction:
    facts.setdefault("right_party", disposition.startswith("rpc_"))
    return Interaction.objects.create(
        ref=f"I{next(numbers)}", account=account, direction="outbound", disposition=disposition, at=at, **facts
    )


def a_case(account: Account, *, opened: date, closed: date | None = None) -> Case:
    policy, _ = Policy.objects.get_or_create(code="residential")
    version, _ = PolicyVersion.objects.get_or_create(policy=policy, number=1, defaults={"created_at": NOON})
    return Case.objects.create(
        account=account, version=version, opened_on=opened, closed_on=closed, warnings_from=opened
    )


def settle() -> None:
    settling.settle(as_of=TODAY, at=NOON)


def figures(*, days: int = 30, business_date: date = date(2026, 12, 31), **question: Any) -> dict[str, Any]:
    return kpis.compute(as_of=TODAY, days=days, business_date=business_date, **question)


def values(**question: Any) -> dict[str, Any]:
    return {name: figure["value"] for name, figure in figures(**question)["kpis"].items()}


def test_receivables_by_days_past_due() -> None:
    account, other = an_account(), an_account()
    for late, amount in [(-5, 1), (0, 2), (1, 4), (30, 8), (31, 16), (60, 32), (61, 64), (90, 128), (91, 256)]:
        a_bill(account, amount, issued=days_ago(late + 15), due=days_ago(late))
    a_bill(other, 512, issued=days_ago(150), due=days_ago(120))
    contested = a_bill(other, 1024, issued=days_ago(150), due=days_ago(121))
    a_payment(other, "24.50", on=days_ago(3), bill_ref=contested.ref)
    a_bill(other, 5, issued=TODAY + timedelta(days=1), due=TODAY + timedelta(days=20))
    Hold.objects.create(
        ref="H1",
        account=other,
        reason="dispute",
        amount=500,
        bill_refs=[contested.ref],
        starts_on=days_ago(9),
        placed_by="agent:nadia",
    )
    from_facts = figures()["receivables"]
    assert from_facts == {
        "open_bills": 11,
        "open": "2022.50",
        "overdue_bills": 9,
        "overdue": "2019.50",
        "overdue_accounts": 2,
        "buckets": {
            "current": "3.00",
            "1-30": "12.00",
            "31-60": "48.00",
            "61-90": "192.00",
            "91-120": "768.00",
            "120+": "999.50",
        },
    }
    settle()
    assert figures(business_date=TODAY)["receivables"] == from_facts


def test_the_object_has_the_promised_keys_and_text_amounts() -> None:
    a_bill(an_account("JPY"), 1500, issued=days_ago(5), due=TODAY)
    answer = figures()
    assert {key: answer[key] for key in ("as_of", "days", "currency")} == {
        "as_of": "2026-03-31",
        "days": 30,
        "currency": "JPY",
    }
    assert answer["kpis"]["dso"] == {
        "value": "30.0000",
        "numerator": "1500",
        "denominator": "1500",
        "formula": "receivables / sales of the period * 30 days",
    }
    promised = "dso dso_countback bpdso add cei cei_monthly_sales recovery_rate cure_rate roll_rates rpc_rate ptp_rate"
    promised += " kept_rate cost_per_unit_collected csat complaint_rate churn_after_collections"
    assert set(promised.split()) <= set(answer["kpis"])
    assert all(set(kpi) == {"value", "numerator", "denominator", "formula"} for kpi in answer["kpis"].values())
    json.dumps(answer)


def test_dso_and_the_days_of_lateness_in_it() -> None:
    account = an_account()
    a_bill(account, 11_000, issued=days_ago(70), due=days_ago(40))
    a_bill(account, 4_000, issued=days_ago(29), due=TODAY)
    settled = a_bill(account, 6_000, issued=days_ago(20), due=days_ago(5))
    a_payment(account, 6_000, on=days_ago(4), bill_ref=settled.ref)
    found = values()
    assert (found["dso"], found["bpdso"], found["add"]) == ("45.0000", "12.0000", "33.0000")
    assert found["wadd_overdue"] == "40.0000"


def test_sales_are_the_bills_issued_and_still_in_force() -> None:
    account = an_account()
    a_bill(account, 1, issued=days_ago(30), due=TODAY)
    a_bill(account, 2, issued=days_ago(29), due=TODAY)
    a_bill(account, 4, issued=TODAY, due=TODAY)
    a_bill(account, 8, issued=days_ago(3), due=TODAY, status="draft")
    a_bill(account, 16, issued=days_ago(3), due=TODAY, status="cancelled")
    a_bill(account, 32, issued=days_ago(3), due=TODAY, status="cancelled", cancelled_on=TODAY)
    a_bill(account, 64, issued=days_ago(3), due=TODAY, status="cancelled", cancelled_on=TODAY + timedelta(days=1))
    assert figures()["kpis"]["dso"]["denominator"] == "70.00"


def test_collection_effectiveness_of_a_month_and_with_write_offs_added_back() -> None:
    account = an_account()
    old = a_bill(account, 500_000, issued=days_ago(60), due=days_ago(35))
    a_bill(account, 260_000, issued=days_ago(10), due=TODAY + timedelta(days=20))
    late = a_bill(account, 40_000, issued=days_ago(29), due=days_ago(1))
    a_payment(account, 320_000, on=days_ago(2), bill_ref=old.ref)
    a_payment(account, 40_000, on=days_ago(2), bill_ref=late.ref)
    a_credit(old, 20_000, on=days_ago(1), kind="write_off")
    found = figures()["kpis"]
    assert (found["cei"]["numerator"], found["cei"]["denominator"]) == ("380000.00", "540000.00")
    assert found["cei"]["value"] == "70.3704"
    assert found["cei_without_write_offs"]["value"] == "66.6667"


def test_counting_back_uses_calendar_months_and_the_leap_day() -> None:
    account = an_account()
    for year in (2024, 2026):
        for month, sales in ((1, 700), (2, 800), (3, 900)):
            bill = a_bill(account, sales, issued=date(year, month, 10), due=date(year, month, 24))
            if (year, month) == (2026, 1):
                a_payment(account, 300, on=date(2026, 2, 1), bill_ref=bill.ref)
    for paid in Bill.objects.filter(issued_on__year=2024, issued_on__month__gte=2):
        a_payment(account, paid.amount, on=date(2024, 4, 2), bill_ref=paid.ref)
    oldest = Bill.objects.get(issued_on=date(2024, 1, 10))
    a_payment(account, 700, on=date(2025, 1, 1), bill_ref=oldest.ref)
    # 31 days of March, 28 of February, and 400 of January's 700.
    assert values()["dso_countback"] == f"{31 + 28 + Decimal(400) / 700 * 31:.4f}"
    in_2024 = kpis.compute(as_of=date(2024, 3, 31), days=30, business_date=TODAY)
    assert in_2024["kpis"]["dso_countback"]["value"] == "91.0000"  # nothing paid yet: 31 + 29 + 31 days
    assert in_2024["receivables"]["open"] == "2400.00"


def test_recovery_counts_money_and_a_cure_needs_all_of_it() -> None:
    paid, partly, credited, late_again, never_late = (an_account() for _ in range(5))
    due = {
        account: a_bill(account, 100, issued=days_ago(60), due=days_ago(45))
        for account in (paid, partly, credited, late_again)
    }
    a_bill(never_late, 100, issued=days_ago(40), due=days_ago(30))  # due on the day the period begins: not yet late
    a_payment(paid, 100, on=days_ago(10))
    a_payment(partly, 40, on=days_ago(10))
    a_payment(partly, 500, on=TODAY + timedelta(days=1))
    a_credit(due[credited], 100, on=days_ago(10))
    a_bill(late_again, 70, issued=days_ago(20), due=days_ago(2))
    a_payment(late_again, 100, on=days_ago(10))
    a_payment(never_late, 100, on=days_ago(10))
    found = figures()["kpis"]
    assert (found["recovery_rate"]["numerator"], found["recovery_rate"]["denominator"]) == ("240.00", "400.00")
    assert (found["cure_rate"]["numerator"], found["cure_rate"]["denominator"]) == ("1", "4")


def test_a_reversed_payment_recovers_nothing() -> None:
    account = an_account()
    a_bill(account, 100, issued=days_ago(60), due=days_ago(45))
    payment = a_payment(account, 100, on=days_ago(10))
    assert values()["recovery_rate"] == "100.0000"
    a_payment(account, 100, on=days_ago(5), reverses=payment)
    assert values()["recovery_rate"] == "0.0000"
    assert values()["cure_rate"] == "0.0000"
    assert figures()["kpis"]["cost_per_unit_collected"]["denominator"] == "0.00"


def test_roll_rates_follow_accounts_from_bucket_to_bucket() -> None:
    for number in range(5):
        account = an_account()
        a_bill(account, 200_000, issued=days_ago(60), due=days_ago(45))  # 15 days late when the period begins
        if number:
            a_payment(account, 200_000, on=days_ago(1))
    new = an_account()
    a_bill(new, 999, issued=days_ago(50), due=days_ago(31))  # another account reaches 31-60, from 1-30 as well
    a_payment(new, 999, on=TODAY)
    rolled = figures()["kpis"]["roll_rates"]
    assert rolled["value"]["1-30 to 31-60"] == f"{Decimal(200_000) / 1_000_999 * 100:.4f}"
    assert rolled["denominator"]["1-30 to 31-60"] == "1000999.00"
    assert rolled["value"]["61-90 to 91-120"] is None
    assert rolled["formula"]["61-90 to 91-120"].endswith("the bucket was empty")


def test_a_longer_period_still_rolls_by_the_month() -> None:
    account = an_account()
    a_bill(account, 100, issued=days_ago(60), due=days_ago(45))
    rolled = figures(days=90)["kpis"]["roll_rates"]
    assert rolled["value"]["1-30 to 31-60"] == "100.0000"
    assert "30 days earlier" in rolled["formula"]["1-30 to 31-60"]


def test_calls_and_the_promises_they_won() -> None:
    account, other = an_account(), an_account()
    for disposition in ("no_answer", "busy", "voicemail", "third_party", "rpc_promise", "rpc_refused"):
        a_call(account, disposition)
    a_call(other, "older-system-spoke", right_party=True)
    a_call(account, "rpc_promise", at=datetime(2026, 3, 1, 23, 59, tzinfo=UTC))  # the day before the period
    a_call(account, "rpc_promise", kind="visit")
    a_promise(account, 10, due=TODAY, made_on=TODAY)
    a_promise(account, 20, due=TODAY, made_on=TODAY)
    a_promise(other, 20, due=TODAY, made_on=TODAY, taken_by="customer:C1")
    found = figures()["kpis"]
    assert (found["rpc_rate"]["numerator"], found["rpc_rate"]["denominator"]) == ("3", "5")
    assert (found["ptp_rate"]["numerator"], found["ptp_rate"]["denominator"]) == ("1", "3")


@pytest.mark.parametrize(
    ("paid", "on", "kept"),
    [("100", 18, "100.0000"), ("100", 15, "0.0000"), ("97", 18, "0.0000"), ("100", 28, "0.0000")],
    ids=["on the last day of grace", "too late", "not all of it", "before it was made"],
)
def test_a_promise_nobody_judged_yet_is_judged_by_what_was_paid(paid: str, on: int, kept: str) -> None:
    account = an_account()
    a_bill(account, 200, issued=days_ago(60), due=days_ago(45))
    a_promise(account, 100, due=days_ago(21), made_on=days_ago(27))
    a_payment(account, paid, on=days_ago(on))
    assert values()["kept_rate"] == kept


def test_promises_count_once_they_are_decided() -> None:
    account = an_account()
    a_bill(account, 500, issued=days_ago(60), due=days_ago(45))
    a_promise(account, 100, due=days_ago(10), status="kept", settled_on=days_ago(11))
    a_promise(account, 100, due=days_ago(10), status="broken", settled_on=days_ago(6))
    a_promise(account, 100, due=days_ago(10), status="part_kept", settled_on=days_ago(6))
    a_promise(account, 100, due=days_ago(10), status="cancelled", settled_on=days_ago(12))
    a_promise(account, 100, due=days_ago(10), status="cancelled", settled_on=days_ago(9))
    a_promise(account, 100, due=days_ago(3))  # its grace ends tonight
    a_promise(account, 100, due=days_ago(31), status="kept", settled_on=days_ago(31))
    kept_rate = figures()["kpis"]["kept_rate"]
    assert (kept_rate["numerator"], kept_rate["denominator"]) == ("1", "4")


def test_instalments_are_promises_with_grace_of_their_own() -> None:
    account = an_account()
    plan = Plan.objects.create(ref="L1", account=account, made_on=days_ago(60), made_by="agent:nadia")
    pending = Plan.objects.create(
        ref="L2", account=account, made_on=days_ago(60), made_by="agent:nadia", status="pending_approval"
    )
    for position, (due, paid) in enumerate([(20, 15), (20, 14), (6, None), (5, None), (4, 4)]):
        paid_on = None if paid is None else days_ago(paid)
        Instalment.objects.create(
            plan=plan, account=account, position=position, due_on=days_ago(due), amount=10, paid_on=paid_on
        )
    Instalment.objects.create(plan=pending, account=account, position=0, due_on=days_ago(20), amount=10)
    rate = figures()["kpis"]["instalments_kept_rate"]
    assert (rate["numerator"], rate["denominator"]) == ("2", "4")


def test_churn_is_judged_ninety_days_after_collections() -> None:
    stayed, left, left_later, too_recent = (an_account() for _ in range(4))
    for account in (stayed, left, left_later):
        a_case(account, opened=days_ago(150), closed=days_ago(100))
    a_case(too_recent, opened=days_ago(50), closed=days_ago(40))
    for account, closed in ((left, 10), (left_later, 9), (too_recent, 30)):
        account.closed_on = days_ago(closed)
        account.save(update_fields=["closed_on"])
    churn = figures()["kpis"]["churn_after_collections"]
    assert (churn["numerator"], churn["denominator"]) == ("1", "3")


def test_what_nobody_records_yet_has_no_value_and_says_so() -> None:
    found = figures()["kpis"]
    for name in ("cost_per_unit_collected", "csat", "complaint_rate"):
        assert found[name]["value"] is None
        assert "recorded" in found[name]["formula"]


def test_an_empty_book_has_no_rates() -> None:
    answer = figures()
    assert answer["receivables"]["open_bills"] == 0
    assert answer["kpis"]["dso"]["value"] is None
    assert answer["kpis"]["dso_countback"]["value"] == "0.0000"


def test_several_currencies_are_never_added() -> None:
    a_bill(an_account("EUR"), 10, issued=days_ago(5), due=TODAY)
    a_bill(an_account("KWD"), "2.125", issued=days_ago(5), due=TODAY)
    with pytest.raises(kpis.CannotCompute, match=r"EUR, KWD"):
        figures()
    assert figures(currency="KWD")["receivables"]["open"] == "2.125"
    assert figures(currency="KWD")["kpis"]["dso"]["denominator"] == "2.125"
    assert figures(currency="USD")["receivables"]["open"] == "0.00"


@pytest.mark.parametrize("question", [{"days": 0}, {"days": 1_000_000}, {"currency": "XXL"}])
def test_questions_without_an_answer_are_refused(question: dict[str, Any]) -> None:
    with pytest.raises(kpis.CannotCompute):
        figures(**question)


def test_the_command_prints_one_json_object() -> None:
    BusinessDate.objects.create(on=TODAY)
    a_bill(an_account(), 10, issued=days_ago(40), due=days_ago(30))
    settle()
    out = StringIO()
    call_command("kpis", "--as-of", "2026-03-31", "--json", stdout=out)
    assert json.loads(out.getvalue())["receivables"]["buckets"]["1-30"] == "10.00"
    out = StringIO()
    call_command("kpis", "--as-of", "2026-03-31", stdout=out)
    assert "n/a" in out.getvalue()


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [(["--as-recorded"], "No snapshot of 2026-03-31 is kept."), ([], "The book has several currencies")],
)
def test_the_command_says_in_a_sentence_why_it_did_nothing(extra: list[str], sentence: str) -> None:
    an_account("EUR")
    an_account("USD")
    with pytest.raises(CommandError, match=sentence) as refusal:
        call_command("kpis", "--as-of", "2026-03-31", *extra)
    assert refusal.value.returncode == 2


class TestDesk:
    """The supervisor's page."""

    def test_its_figures_are_those_of_the_command(self) -> None:
        first, second = an_account(), an_account()
        old = a_bill(first, 300, issued=days_ago(80), due=days_ago(50))
        a_bill(first, 120, issued=days_ago(12), due=TODAY + timedelta(days=2))
        a_bill(second, 50, issued=days_ago(50), due=days_ago(20), status="cancelled", cancelled_on=days_ago(2))
        a_payment(second, 10, on=days_ago(40))  # frees 10 when the bill is cancelled
        payment = a_payment(first, 200, on=days_ago(9))
        a_payment(first, 50, on=days_ago(3), reverses=payment)
        a_credit(old, 25, on=days_ago(1))
        settle()
        found = figures(business_date=TODAY)
        (euro,) = kpis.desk(as_of=TODAY, at=NOON).money
        for name in ("dso", "bpdso", "add", "cei"):
            figure = getattr(euro, name)
            assert f"{figure.value:.4f}" == found["kpis"][name]["value"], name
        assert str(euro.overdue.quantize(Decimal("0.01"))) == found["receivables"]["overdue"] == "125.00"
        assert euro.overdue_accounts == 1
        assert [(total.bucket, total.bills, total.amount) for total in euro.buckets] == [
            ("1-30", 0, 0),
            ("31-60", 1, 125),
            ("61-90", 0, 0),
            ("91-120", 0, 0),
            ("120+", 0, 0),
        ]

    def test_money_of_a_day_is_net_and_told_apart_by_open_cases(self) -> None:
        in_case, not_in_case, case_over = an_account(), an_account(), an_account()
        a_case(in_case, opened=days_ago(20))
        a_case(case_over, opened=days_ago(20), closed=days_ago(6))
        a_payment(in_case, 70, on=days_ago(5))
        payment = a_payment(in_case, 30, on=days_ago(21))
        a_payment(in_case, 30, on=days_ago(5), reverses=payment)
        a_payment(not_in_case, 500, on=days_ago(5))
        a_payment(case_over, 11, on=days_ago(6))
        a_payment(case_over, 7, on=days_ago(5))
        (euro,) = kpis.desk(as_of=TODAY, at=NOON).money
        days = {day.on: (day.received, day.in_collections) for day in euro.collected}
        assert len(days) == 30
        assert days[days_ago(5)] == (547, 40)
        assert days[days_ago(6)] == (11, 11)
        assert days[days_ago(21)] == (30, 0)
        assert days[TODAY] == (0, 0)

    def test_promises_queue_agents_and_calls(self) -> None:
        team = Team.objects.create(name="North")
        nadia = Agent.objects.create(username="nadia", team=team)
        omar = Agent.objects.create(username="omar")
        account, claimed, waiting, done = (an_account() for _ in range(4))
        made = NOON - timedelta(days=1)
        WorkItem.objects.create(account=account, created_at=made, claimed_by=omar, lease_until=NOON)  # lease ran out
        WorkItem.objects.create(
            account=claimed, created_at=made, team=team, claimed_by=nadia, lease_until=NOON + timedelta(minutes=5)
        )
        WorkItem.objects.create(account=waiting, created_at=made, not_before=NOON + timedelta(hours=1))
        WorkItem.objects.create(account=done, created_at=made, done_at=NOON, done_by=nadia)
        WorkItem.objects.create(account=done, created_at=made, done_at=made, done_by=omar)
        a_call(account, "rpc_promise", agent=nadia)
        a_call(account, "no_answer", agent=nadia)
        a_call(account, "no_answer", agent=omar, at=NOON - timedelta(days=6))
        a_call(account, "no_answer", agent=omar, at=NOON - timedelta(days=7))
        a_promise(account, 100, due=days_ago(5), status="kept", settled_on=days_ago(6))
        a_promise(account, 300, due=days_ago(5), status="broken", settled_on=days_ago(1))
        a_promise(account, 700, due=days_ago(1))
        page = kpis.desk(as_of=TODAY, at=NOON)
        assert (page.queue.open, page.queue.free, page.queue.waiting, page.queue.claimed) == (3, 1, 1, 1)
        assert [(row.agent, row.items, row.calls, row.right_party) for row in page.agents] == [("nadia", 1, 2, 1)]
        assert [(row.label, row.today, row.week) for row in page.calls] == [
            ("No answer", 1, 2),
            ("Promise to pay", 1, 1),
        ]
        promises = page.money[0].promises
        assert (promises.kept, promises.fell_due) == (1, 2)
        assert (promises.kept_amount, promises.fell_due_amount) == (100, 400)
        assert promises.rate.value == 50

        north = kpis.desk(as_of=TODAY, at=NOON, team=team)
        assert (north.queue.open, north.queue.claimed) == (1, 1)
        assert [row.agent for row in north.agents] == ["nadia"]
        assert north.money[0].promises.fell_due == 0

    def test_it_asks_the_same_number_of_questions_of_any_book(self) -> None:
        def questions() -> int:
            with CaptureQueriesContext(connection) as asked:
                kpis.desk(as_of=TODAY, at=NOON)
            return len(asked)

        empty = questions()
        for currency in ("EUR", "USD", "KWD"):
            for _ in range(3):
                account = an_account(currency)
                a_bill(account, 10, issued=days_ago(40), due=days_ago(20))
                a_payment(account, 5, on=days_ago(3))
                a_promise(account, 5, due=days_ago(3), status="kept", settled_on=days_ago(3))
        settle()
        assert questions() == empty == 10
