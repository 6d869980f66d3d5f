"""Facts that are dated back: today's view of the past follows them, and what was recorded of it stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction

from accounts import business_day, holds, settling
from accounts.models import Account, Bill, Payment, Touched
from agents import drilling, kpis, snapshots, standing
from agents.models import Snapshot, Stale, Standing, StandingDay
from agents.scopes import EVERYTHING
from tests.agents.made_up_ledger import make
from tests.factories import (
    TODAY,
    make_account,
    make_adjustment,
    make_bill,
    make_payment,
    moment,
)

pytestmark = pytest.mark.django_db

YESTERDAY = TODAY - timedelta(days=1)
DAYS = [TODAY - timedelta(days=back) for back in (3, 2, 1)]


def close(*days: date) -> None:
    """The close of business days, as the day's run does it."""
    for day in days:
        settling.mark_day(after=business_day.last_run() or date.min, until=day)
        business_day.move_to(day)
        settling.settle(as_of=day, at=moment(day))
        snapshots.close(as_of=day, at=moment(day, 23))


def rows(on: date) -> dict[int, tuple[list[Decimal], int]]:
    """What is kept of a day, by account."""
    kept = Standing.objects.filter(on=on).values_list("account", "amounts", "days_past_due")
    return {account: (amounts, days) for account, amounts, days in kept}


def from_facts(on: date) -> dict[int, tuple[list[Decimal], int]]:
    """The same, read from the facts there and then."""
    bills = standing.bills_of(list(Account.objects.order_by("pk").values_list("pk", flat=True)), on=on)
    return {account: (amounts, days) for account, _on, amounts, days in standing.rows_of(bills, on=on)}


def as_recorded(on: date) -> Any:
    """What ``kpis --as-recorded`` prints of a day."""
    out = StringIO()
    call_command("kpis", as_of=on, as_recorded=True, json=True, stdout=out)
    return json.loads(out.getvalue())


def late_bill() -> Bill:
    """Of 100, five weeks past due today."""
    return make_bill(make_account(), "100.00", issued_on=date(2026, 1, 10), due_on=date(2026, 1, 31))


def paid_bill() -> Bill:
    bill = late_bill()
    make_payment(bill.account, "100.00", on=date(2026, 2, 2), bill_ref=bill.ref)
    return bill


def pays(bill: Bill, on: date) -> None:
    make_payment(bill.account, "40.00", on=on)


def pays_all(bill: Bill, on: date) -> None:
    make_payment(bill.account, "100.00", on=on)


def bounces(bill: Bill, on: date) -> None:
    make_payment(bill.account, "100.00", on=on, reverses=Payment.objects.get(account=bill.account))


def credits(bill: Bill, on: date) -> None:
    make_adjustment(bill.account, "-30.00", on, bill_ref=bill.ref)


def charges(bill: Bill, on: date) -> None:
    make_adjustment(bill.account, "12.00", on, bill_ref=bill.ref)


def writes_off(bill: Bill, on: date) -> None:
    make_adjustment(bill.account, "-100.00", on, kind="write_off", bill_ref=bill.ref)


def bills_more(bill: Bill, on: date) -> None:
    make_bill(bill.account, "20.00", issued_on=on, due_on=on)


def cancels(bill: Bill, on: date) -> None:
    bill.cancelled_on = on
    bill.save(update_fields=["cancelled_on"])
    settling.mark_unsettled([bill.account_id])


def was_due_earlier(bill: Bill, on: date) -> None:
    bill.due_on = date(2026, 1, 20)
    bill.save(update_fields=["due_on"])
    settling.mark_unsettled([bill.account_id])


def moves_its_payment(bill: Bill, on: date) -> None:
    Payment.objects.filter(account=bill.account).update(received_on=on)
    settling.mark_unsettled([bill.account_id])


def belongs_to_another(bill: Bill, on: date) -> None:
    other = make_account()
    Bill.objects.filter(pk=bill.pk).update(account=other)
    settling.mark_unsettled([bill.account_id, other.pk])


@pytest.mark.parametrize(
    ("before", "fact", "changed", "overdue"),
    [
        (late_bill, pays, DAYS[1:], "60.00"),
        (late_bill, pays_all, DAYS[1:], "0.00"),
        (paid_bill, bounces, DAYS[1:], "100.00"),
        (late_bill, credits, DAYS[1:], "70.00"),
        (late_bill, charges, DAYS[1:], "112.00"),
        (late_bill, writes_off, DAYS[1:], "0.00"),
        (late_bill, bills_more, DAYS[1:], "120.00"),
        (late_bill, cancels, DAYS[1:], "0.00"),
        (late_bill, was_due_earlier, DAYS, "100.00"),
        (paid_bill, moves_its_payment, DAYS[:1], "0.00"),
        (late_bill, belongs_to_another, DAYS, "100.00"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_past_as_it_is_known_follows_facts_dated_back_and_its_record_does_not(
    before: Callable[[], Bill], fact: Callable[[Bill, date], None], changed: list[date], overdue: str
) -> None:
    bill, other = before(), late_bill()
    close(*DAYS)
    recorded, stood = {on: as_recorded(on) for on in DAYS}, {on: rows(on) for on in DAYS}

    fact(bill, DAYS[1])
    assert {on: rows(on) for on in DAYS} == stood, "until the day is closed"
    close(TODAY)

    assert {on: as_recorded(on) for on in DAYS} == recorded
    assert {on: rows(on) for on in (*DAYS, TODAY)} == {on: from_facts(on) for on in (*DAYS, TODAY)}
    assert [on for on in DAYS if rows(on) != stood[on]] == changed
    assert all(rows(on)[other.account_id] == stood[on][other.account_id] for on in DAYS)
    now = kpis.compute(as_of=YESTERDAY, days=30, business_date=TODAY)["receivables"]["overdue"]
    kept = sum((sum(amounts[1:]) for amounts, _days in rows(YESTERDAY).values()), Decimal(0))
    assert Decimal(now) == kept == Decimal(overdue) + 100


def test_curves_lists_and_cures_that_last_follow_too() -> None:
    bill = late_bill()
    late_bill()
    week = TODAY - timedelta(days=7)
    sixty = TODAY - timedelta(days=60)
    close(sixty - timedelta(days=7))
    old = make_bill(make_account(), "10.00", issued_on=date(2025, 11, 1), due_on=date(2025, 11, 20))
    close(sixty, TODAY - timedelta(days=56), week, YESTERDAY)
    # It was late on every one of those days but was paid long ago, as is known from today on.
    make_payment(old.account, "10.00", on=TODAY - timedelta(days=65))
    pays_all(bill, week)
    close(TODAY)

    found = snapshots.read(as_of=TODAY, days=7, currency="EUR", scope=EVERYTHING)
    assert found is not None
    weeks = {row["on"]: row["buckets"] for row in found.pictures["ageing"]}
    assert weeks[week.isoformat()]["31-60"] == "100.00"
    fifty_six = (TODAY - timedelta(days=56)).isoformat()
    assert weeks[fifty_six] == dict.fromkeys(weeks[fifty_six], "0.00"), "known, and nothing was past due"
    assert (found.kpis["cure_sustained_60"]["numerator"], found.kpis["cure_sustained_60"]["denominator"]) == ("1", "1")

    behind = drilling.accounts(
        "overdue", as_of=week, days=7, currency="EUR", scope=EVERYTHING, business_date=TODAY,
        seen=Account.objects.all(),
    ).accounts  # fmt: skip
    assert bill.account not in behind
    assert len(behind) == 1


def test_a_day_on_which_nobody_was_late_is_kept_and_may_turn_out_otherwise() -> None:
    bill = paid_bill()
    close(*DAYS)
    assert all(standing.is_recorded(on) and not rows(on) for on in DAYS)

    bounces(bill, DAYS[1])
    close(TODAY)

    assert [on for on in DAYS if rows(on)] == DAYS[1:]


def test_days_that_were_not_kept_stay_without_rows() -> None:
    bill = paid_bill()
    close(DAYS[0], DAYS[2])

    bounces(bill, DAYS[1])
    close(TODAY)

    assert set(Standing.objects.values_list("on", flat=True)) == {DAYS[2], TODAY}
    assert not standing.is_recorded(DAYS[1])


def test_what_counts_from_today_or_later_touches_no_past_and_settling_touches_none_either() -> None:
    bill = late_bill()
    close(*DAYS)
    pays(bill, TODAY)
    pays(bill, TODAY + timedelta(days=3))
    bills_more(bill, TODAY)

    business_day.move_to(TODAY)
    assert standing.take_up(before=TODAY) == 0
    settling.mark_all()
    settling.settle(as_of=TODAY, at=moment())
    holds.place(
        account_id=bill.account_id, reason="hardship", starts_on=DAYS[0], actor="agent:nadia", as_of=TODAY, at=moment()
    )
    assert not Touched.objects.exists()
    assert not Stale.objects.exists()


def test_a_dispute_that_came_late_moves_money_that_named_no_bill() -> None:
    """Contested amounts are paid last: on the days that are over the money went elsewhere."""
    account = make_account()
    old = make_bill(account, "50.00", issued_on=date(2025, 12, 1), due_on=date(2025, 12, 20))
    make_bill(account, "50.00", issued_on=date(2026, 1, 10), due_on=date(2026, 1, 31))
    make_payment(account, "50.00", on=DAYS[0])
    close(*DAYS)
    assert rows(YESTERDAY)[account.pk][1] == (YESTERDAY - date(2026, 1, 31)).days

    holds.place(
        account_id=account.pk, reason="dispute", starts_on=DAYS[0], bill_refs=[old.ref], amount=Decimal(50),
        actor="agent:nadia", as_of=TODAY, at=moment(),
    )  # fmt: skip
    close(TODAY)

    assert rows(YESTERDAY)[account.pk][1] == (YESTERDAY - date(2025, 12, 20)).days
    assert {on: rows(on) for on in DAYS} == {on: from_facts(on) for on in DAYS}


class Killed(Exception):
    pass


def test_killed_between_two_chunks_the_next_close_goes_on_and_the_one_after_finds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bills = [late_bill() for _ in range(5)]
    close(*DAYS)
    for bill in bills:
        pays_all(bill, DAYS[1])
    monkeypatch.setattr(standing, "CHUNK", 2)

    def die(what: str, done: int, of: int) -> None:
        if what == "facts dated back":
            assert (done, of) == (2, 5)
            raise Killed

    business_day.move_to(TODAY)
    settling.settle(as_of=TODAY, at=moment())
    with pytest.raises(Killed):
        snapshots.close(as_of=TODAY, at=moment(hour=23), say=die)
    assert (Stale.objects.count(), len(rows(YESTERDAY))) == (3, 3)
    assert not Snapshot.objects.filter(as_of=TODAY).exists()

    close(TODAY)
    assert {on: len(rows(on)) for on in DAYS} == dict(zip(DAYS, [5, 0, 0], strict=True))
    assert not Stale.objects.exists()
    assert standing.take_up(before=TODAY) == standing.catch_up(before=TODAY) == 0


def test_facts_of_accounts_that_wait_to_be_settled_are_in_the_row_of_the_day() -> None:
    bill = late_bill()
    business_day.move_to(TODAY)
    settling.settle(as_of=TODAY, at=moment())
    pays(bill, TODAY)

    snapshots.close(as_of=TODAY, at=moment(hour=23))

    assert rows(TODAY) == from_facts(TODAY)
    assert rows(TODAY)[bill.account_id][0][2] == 60


@pytest.mark.django_db(transaction=True)
def test_facts_that_are_committed_during_a_close_are_taken_up_by_the_next() -> None:
    """Written before the close and committed after it, with a number below those that the close has seen."""
    slow, quick = late_bill(), late_bill()
    close(*DAYS)
    written, let_go = Event(), Event()

    def write_slowly() -> None:
        try:
            with transaction.atomic():
                # Of a day that is not closed yet while it is written, and is when it is committed.
                make_payment(slow.account, "100.00", on=TODAY)
                make_payment(slow.account, "1.00", on=DAYS[1])
                written.set()
                assert let_go.wait(20)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write_slowly)
        assert written.wait(10)
        pays_all(quick, DAYS[1])
        close(TODAY)
        let_go.set()
        writing.result(timeout=20)

    assert quick.account_id not in rows(YESTERDAY)
    assert rows(TODAY)[slow.account_id][0][2] == 100
    close(TODAY + timedelta(days=1))
    assert slow.account_id not in rows(TODAY)
    assert {on: rows(on) for on in (*DAYS, TODAY)} == {on: from_facts(on) for on in (*DAYS, TODAY)}


def test_files_that_come_late_or_are_corrected_are_followed_account_by_account(tmp_path: Path) -> None:
    """A made-up book whose payments are held back in part, and then come with corrections: every kept day is right."""
    files = make(accounts=60, seed=11)
    held_back = files.rows["payments"][::3]
    late = {row["payment_id"] for row in held_back}
    # Whoever is reversed or reverses comes with the other.
    late |= {row["payment_id"] for row in files.rows["payments"] if row["reverses_payment_id"] in late}
    everything = files.rows["payments"]
    files.rows["payments"] = [
        row for row in everything if row["payment_id"] not in late and row["reverses_payment_id"] not in late
    ]
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    on = date(2026, 2, 20)
    business_day.move_to(on - timedelta(days=70))
    files.write(first)
    call_command("import_book", str(first))
    days = [on - timedelta(days=back) for back in (60, 45, 31, 30, 8, 7, 2, 1)]
    for day in days:
        standing.record(on=day, business_date=date(2026, 12, 31))
    assert standing.take_up(before=on) == 60  # the book itself: it came before any day was kept
    standing.catch_up(before=on)
    stood = {day: rows(day) for day in days}

    files.rows["payments"] = everything
    for bill in files.rows["bills"][::40]:
        bill["due_on"] = (date.fromisoformat(bill["due_on"]) - timedelta(days=3)).isoformat()
    files.rows = {name: files.rows[name] for name in ("bills", "payments")}
    files.write(second)
    call_command("import_book", str(second))
    close(on)

    assert {day: rows(day) for day in days} == {day: from_facts(day) for day in days}
    assert sum(rows(day) != stood[day] for day in days) == len(days)
    assert StandingDay.objects.count() == len(days) + 1


def test_a_note_of_a_fact_has_its_day_and_its_account() -> None:
    bill = late_bill()
    Touched.objects.all().delete()
    paid = make_payment(bill.account, "5.00", on=DAYS[0])
    Payment.objects.filter(pk=paid.pk).update(received_on=DAYS[1], method="cash")
    Payment.objects.filter(pk=paid.pk).update(method="card", posted_amount=5)
    Bill.objects.filter(pk=bill.pk).update(open_amount=95, disputed_amount=1)

    assert list(Touched.objects.order_by("pk").values_list("account", "since")) == [
        (bill.account_id, DAYS[0]), (bill.account_id, DAYS[0]), (bill.account_id, DAYS[1]),
    ]  # fmt: skip
