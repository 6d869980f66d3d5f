"""The figures as they stood: recorded with their day, kept as they were, computed again beside."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts import business_day, settling
from accounts.models import Account
from agents import kpis, snapshots, standing
from agents.models import KpiTarget, Snapshot, Standing, StandingDay
from agents.scopes import EVERYTHING, Scope
from agents.snapshots import CannotRecord, NotKept
from agents.targets import in_force, is_met
from tests.factories import (
    TODAY,
    make_account,
    make_agent,
    make_bill,
    make_item,
    make_payment,
    make_team,
    moment,
    owing,
    settled,
)

pytestmark = pytest.mark.django_db

YESTERDAY = TODAY - timedelta(days=1)


def close(day: date, hour: int = 23) -> int:
    """The close of a business day, as the day's run does it."""
    business_day.move_to(day)
    settling.settle(as_of=day, at=moment(day))
    return snapshots.close(as_of=day, at=moment(day, hour))


def recorded(day: date, days: int = 30, scope: Scope = EVERYTHING) -> Snapshot:
    found = snapshots.read(as_of=day, days=days, currency="EUR", scope=scope)
    assert found is not None
    return found


def a_late_account(amount: str = "100.00", **columns: object) -> Account:
    """Late at the end of February and since."""
    account = make_account(**columns)
    make_bill(account, amount, issued_on=date(2026, 1, 10), due_on=date(2026, 1, 31))
    return account


def test_a_day_is_recorded_for_every_length_and_scope_as_the_command_would_print_it() -> None:
    account = a_late_account(product="fibre")
    make_item(account, team=make_team("North"))
    make_payment(account, "40.00", on=date(2026, 3, 1))

    assert close(TODAY) == Snapshot.objects.count()

    for days in (7, 30, 90):
        live = kpis.compute(as_of=TODAY, days=days, business_date=TODAY)
        assert snapshots.as_printed(recorded(TODAY, days)) == live
        assert list(snapshots.as_printed(recorded(TODAY, days))["kpis"]) == list(live["kpis"])
    assert recorded(TODAY, scope=Scope("team", "North")).receivables["open"] == "60.00"
    assert recorded(TODAY, scope=Scope("product", "fibre")).receivables["overdue_accounts"] == 1
    assert recorded(TODAY).recorded_at == moment(TODAY, 23)
    assert snapshots.read(as_of=TODAY, days=45, currency="EUR", scope=EVERYTHING) is None


def test_the_day_is_recorded_anew_until_it_is_over() -> None:
    account = a_late_account()
    first = close(TODAY, hour=1)
    make_payment(account, "40.00", on=TODAY)

    assert close(TODAY) == first == Snapshot.objects.count()
    assert recorded(TODAY).receivables["open"] == "60.00"


def test_a_payment_dated_back_changes_todays_view_and_not_yesterdays_report() -> None:
    account = a_late_account()
    close(YESTERDAY)
    close(TODAY)
    before = snapshots.as_it_was(as_of=YESTERDAY, days=30, currency=None)

    make_payment(account, "100.00", on=YESTERDAY)
    settled(account)

    assert snapshots.as_it_was(as_of=YESTERDAY, days=30, currency=None) == before
    assert before["receivables"]["overdue"] == "100.00"
    now = kpis.compute(as_of=YESTERDAY, days=30, business_date=TODAY)
    assert now["receivables"]["overdue"] == "0.00"


def test_what_is_computed_of_a_day_that_is_over_stands_beside_its_record() -> None:
    account = a_late_account()
    close(YESTERDAY)
    close(TODAY)
    make_payment(account, "100.00", on=YESTERDAY)
    settled(account)

    snapshots.record(as_of=YESTERDAY, at=moment(TODAY, 23), business_date=TODAY, windows=(30,))

    named = {"as_of": YESTERDAY, "days": 30, "currency": "EUR", "scope": EVERYTHING}
    own = snapshots.pair(**named, as_recorded=True).now
    known = snapshots.pair(**named, as_recorded=False).now
    assert own is not None
    assert known is not None
    assert (own.restated, own.receivables["overdue"]) == (False, "100.00")
    assert (known.restated, known.receivables["overdue"]) == (True, "0.00")
    assert recorded(YESTERDAY) == own
    assert [point.restated for point in snapshots.series(until=TODAY, days=30, currency="EUR", scope=EVERYTHING)] == [
        False,
        False,
    ]


def test_a_day_computed_again_while_it_lasts_leaves_its_record_alone() -> None:
    a_late_account()
    close(TODAY)
    own = recorded(TODAY)

    snapshots.restate(as_of=TODAY, at=moment(TODAY, 23), business_date=TODAY, windows=(30, 45))

    assert recorded(TODAY) == own
    assert snapshots.read(as_of=TODAY, days=45, currency="EUR", scope=EVERYTHING) is None
    known = snapshots.pair(as_of=TODAY, days=45, currency="EUR", scope=EVERYTHING, as_recorded=False).now
    assert known is not None
    assert known.restated


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE agents_snapshot SET receivables = '{}'",
        "UPDATE agents_snapshot SET recorded_at = now()",
        "UPDATE agents_snapshot SET as_of = '2026-03-10'",
        "DELETE FROM agents_snapshot",
        "TRUNCATE agents_snapshot",
        "INSERT INTO agents_snapshot (as_of, days, currency, dimension, member, recorded_at, restated, receivables,"
        " kpis, pictures) SELECT as_of, 31, currency, dimension, member, now(), false, receivables, kpis, pictures"
        " FROM agents_snapshot LIMIT 1",
    ],
)
def test_the_database_refuses_to_change_what_was_recorded_of_a_day_that_is_over(statement: str) -> None:
    a_late_account()
    close(YESTERDAY)
    business_day.move_to(TODAY)

    with (
        pytest.raises(DatabaseError, match="a day that is over"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert recorded(YESTERDAY).receivables["open"] == "100.00"


def test_nobody_dates_a_record_of_today_back() -> None:
    a_late_account()
    close(TODAY)

    with pytest.raises(DatabaseError, match="a day that is over"), transaction.atomic():
        Snapshot.objects.update(as_of=YESTERDAY)


@pytest.mark.parametrize(
    ("day", "windows"), [(TODAY + timedelta(days=1), (30,)), (TODAY, ()), (TODAY, (0,)), (TODAY, (30, 1_000_000))]
)
def test_days_to_come_and_periods_that_are_none_are_refused(day: date, windows: tuple[int, ...]) -> None:
    with pytest.raises(CannotRecord):
        snapshots.record(as_of=day, at=moment(), business_date=TODAY, windows=windows)


def test_whoever_records_is_told_how_far_it_is() -> None:
    a_late_account()
    business_day.move_to(TODAY)
    told: list[tuple[str, int, int]] = []

    def tell(what: str, done: int, of: int) -> None:
        told.append((what, done, of))

    snapshots.record(as_of=TODAY, at=moment(), business_date=TODAY, windows=(7,), say=tell)

    assert told
    assert all(what and 0 <= done <= of for what, done, of in told)


def test_what_is_not_kept_is_said_with_what_is() -> None:
    a_late_account()
    close(TODAY)

    with pytest.raises(NotKept, match=r"No snapshot of 2026-03-09 is kept\."):
        snapshots.as_it_was(as_of=YESTERDAY, days=30, currency=None)
    with pytest.raises(NotKept, match="over 45 days is kept; there is 7, 30 and 90"):
        snapshots.as_it_was(as_of=TODAY, days=45, currency=None)
    with pytest.raises(NotKept, match="in USD is kept; there is EUR"):
        snapshots.as_it_was(as_of=TODAY, days=30, currency="USD")
    a_late_account(currency="USD")
    close(TODAY)
    with pytest.raises(NotKept, match="several currencies"):
        snapshots.as_it_was(as_of=TODAY, days=30, currency=None)


def test_a_trend_has_every_day_once_and_costs_one_query() -> None:
    account = a_late_account("90.00")
    for day in (date(2026, 3, 8), YESTERDAY, TODAY):
        make_payment(account, "10.00", on=day)
        close(day)

    with CaptureQueriesContext(connection) as queries:
        trend = snapshots.series(until=TODAY, days=7, currency="EUR", scope=EVERYTHING)

    assert len(queries) == 1
    assert [point.on for point in trend] == [date(2026, 3, 8), YESTERDAY, TODAY]
    assert trend[-1].value("roll_rates", "current to 1-30") is None
    recovery = [point.value("recovery_rate") for point in trend]
    assert recovery == sorted(recovery)
    assert recovery[-1] == Decimal(recorded(TODAY, 7).kpis["recovery_rate"]["value"])


def test_where_accounts_stood_is_kept_for_a_cure_of_ninety_days_and_at_the_ends_of_months_for_good() -> None:
    account = a_late_account()
    settled(account)
    # A hundred and ninety days back is 1 September; for a period of 90 days, a cure of 90 days needs 11 September.
    days = [date(2025, 7, 31), date(2025, 8, 30), date(2025, 8, 31), date(2025, 9, 1), date(2025, 9, 11), TODAY]
    StandingDay.objects.bulk_create(StandingDay(on=day) for day in days[:-1])
    Standing.objects.bulk_create(
        Standing(account=account, on=day, amounts=[Decimal(0)] * 6, days_past_due=1) for day in days[:-1]
    )

    close(TODAY)

    kept = {date(2025, 7, 31), date(2025, 8, 31), date(2025, 9, 1), date(2025, 9, 11), TODAY}
    assert set(Standing.objects.values_list("on", flat=True)) == kept
    assert [day for day in days if standing.is_recorded(day)] == sorted(kept)


# How long the records of parts of the book are kept ------------------------------------------------------------------


NORTH = Scope("team", "North")


@pytest.fixture
def a_year(settings: Any) -> list[date]:
    """A record a day for half a year up to yesterday, of the whole book and of a team; kept for a hundred days."""
    settings.DESK_FIGURES_KEPT_DAYS = 100
    days = [TODAY - timedelta(days=back) for back in range(182, 0, -1)]
    for day in days:
        business_day.move_to(day)
        a_record(day)
        if day.day != 30 or day.month != 11:  # the team was not there on the last day of November
            a_record(day, NORTH)
    business_day.move_to(TODAY)
    return days


def a_record(day: date, scope: Scope = EVERYTHING, *, restated_on: date | None = None) -> Snapshot:
    return Snapshot.objects.create(
        as_of=day, days=30, currency="EUR", dimension=scope.dimension, member=scope.member,
        recorded_at=moment(restated_on or day, 23), restated=restated_on is not None,
        receivables={"open": "1.00", "buckets": {}}, kpis={},
    )  # fmt: skip


def kept_of(scope: Scope, *, restated: bool = False) -> list[date]:
    rows = Snapshot.objects.filter(dimension=scope.dimension, member=scope.member, restated=restated, days=30)
    return list(rows.order_by("as_of").values_list("as_of", flat=True))


def test_records_of_parts_of_the_book_go_but_the_last_of_a_month_and_the_whole_books_stay(a_year: list[date]) -> None:
    since = TODAY - timedelta(days=100)  # 30 November
    ends = [date(2025, 9, 30), date(2025, 10, 31), date(2025, 11, 29)]

    assert snapshots.forget(as_of=TODAY) == sum(day < since for day in a_year) - len(ends)

    assert kept_of(NORTH) == [*ends, *(day for day in a_year if day > since)]
    assert kept_of(EVERYTHING) == a_year
    assert snapshots.forget(as_of=TODAY) == 0


def test_the_close_of_a_day_lets_them_go(a_year: list[date]) -> None:
    make_item(a_late_account(), team=make_team("North"))

    close(TODAY)

    assert kept_of(NORTH)[:4] == [date(2025, 9, 30), date(2025, 10, 31), date(2025, 11, 29), date(2025, 12, 1)]
    assert kept_of(NORTH)[-1] == TODAY


def test_what_was_computed_again_stays_as_long_after_it_was_computed(a_year: list[date]) -> None:
    old, recent = date(2025, 10, 5), date(2025, 10, 6)
    a_record(old, NORTH, restated_on=TODAY - timedelta(days=101))
    a_record(recent, NORTH, restated_on=TODAY - timedelta(days=2))
    a_record(old, restated_on=TODAY - timedelta(days=101))

    snapshots.forget(as_of=TODAY)

    assert kept_of(NORTH, restated=True) == [recent]
    assert kept_of(EVERYTHING, restated=True) == [old]


def test_a_record_that_is_not_kept_any_more_is_said_to_be_none(a_year: list[date]) -> None:
    snapshots.forget(as_of=TODAY)
    asked: dict[str, Any] = {"days": 30, "currency": None}

    with pytest.raises(NotKept, match=r"2025-10-05 for team:North is not kept any more: .* stay for 100 days"):
        snapshots.as_it_was(as_of=date(2025, 10, 5), scope=NORTH, **asked)
    assert snapshots.as_it_was(as_of=date(2025, 10, 31), scope=NORTH, **asked)["receivables"]["open"] == "1.00"
    assert snapshots.as_it_was(as_of=date(2025, 10, 5), **asked)["as_of"] == "2025-10-05"
    with pytest.raises(NotKept, match=r"No snapshot of 2026-03-09 for team:South is kept\."):
        snapshots.as_it_was(as_of=YESTERDAY, scope=Scope("team", "South"), **asked)


@pytest.mark.parametrize(
    "which",
    [
        "dimension = 'all' AND as_of = '2025-10-05'",
        "dimension = 'team' AND as_of = '2025-10-31'",
        "dimension = 'team' AND as_of = '2025-12-01'",
        "restated",
    ],
    ids=["the whole book's", "the last one of a month", "a hundred days have not passed", "computed again of late"],
)
def test_the_database_refuses_to_let_go_of_what_is_to_stay(a_year: list[date], which: str) -> None:
    a_record(date(2025, 10, 6), NORTH, restated_on=TODAY - timedelta(days=99))

    with (
        pytest.raises(DatabaseError, match="a day that is over"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"DELETE FROM agents_snapshot WHERE {which}")


def a_target(value: str, **columns: object) -> KpiTarget:
    return KpiTarget.objects.create(
        **{
            "kpi": "kept_rate",
            "aim": "at_least",
            "value": Decimal(value),
            "from_on": date(2026, 1, 1),
            "set_by": "x",
            **columns,
        }
    )


def test_a_teams_own_target_goes_before_everybodys_from_its_day_on() -> None:
    north = make_team("North")
    make_agent(username="nadia", team=north)
    a_target("70")
    a_target("75", from_on=date(2026, 3, 1))
    a_target("80", team=north, from_on=date(2026, 2, 1))
    a_target("90", team=make_team("South"))

    def aim(day: date, scope: Scope) -> Decimal:
        return in_force(as_of=day, scope=scope)["kept_rate"].value

    assert aim(date(2026, 2, 28), EVERYTHING) == 70
    assert aim(TODAY, EVERYTHING) == aim(TODAY, Scope("product", "fibre")) == 75
    assert aim(TODAY, Scope("team", "North")) == aim(TODAY, Scope("agent", "nadia")) == 80
    assert aim(date(2026, 1, 15), Scope("team", "North")) == 70
    assert in_force(as_of=date(2025, 12, 31), scope=EVERYTHING) == {}


def test_a_target_is_met_by_what_is_as_good() -> None:
    at_least, at_most = a_target("70"), a_target("5", kpi="complaint_rate", aim="at_most")

    assert [is_met(at_least, Decimal(value)) for value in ("69.9", "70", "71")] == [False, True, True]
    assert [is_met(at_most, Decimal(value)) for value in ("4.9", "5", "5.1")] == [True, True, False]


def test_the_last_recorded_day_is_known() -> None:
    owing()
    assert snapshots.last_recorded(until=TODAY) is None
    close(TODAY)
    assert snapshots.last_recorded(until=TODAY) == TODAY
    assert snapshots.last_recorded(until=YESTERDAY) is None
