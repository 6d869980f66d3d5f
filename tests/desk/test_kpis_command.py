"""The figures on the command line: as known now, as recorded on a day, and recorded."""

from __future__ import annotations

import json
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts import business_day, settling
from agents.models import Snapshot, Standing
from collections_desk import journey
from tests.factories import TODAY, make_account, make_bill, make_payment, moment

pytestmark = pytest.mark.django_db

YESTERDAY = TODAY - timedelta(days=1)


def late(currency: str = "EUR") -> Any:
    account = make_account(currency=currency)
    make_bill(account, "100.00", issued_on=date(2026, 1, 10), due_on=date(2026, 1, 31))
    return account


def run(day: date) -> None:
    journey.run_day(as_of=day, at=moment(day))


def printed(*options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("kpis", *options, "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_a_day_is_printed_as_recorded_in_the_shape_of_what_is_known_now() -> None:
    account = late()
    run(YESTERDAY)
    known = printed("--as-of", f"{YESTERDAY}")
    run(TODAY)

    make_payment(account, "100.00", on=YESTERDAY)
    settling.settle(as_of=TODAY, at=moment())

    recorded = printed("--as-of", f"{YESTERDAY}", "--as-recorded")
    assert recorded == known
    assert list(recorded) == list(known)
    assert list(recorded["kpis"]) == list(known["kpis"])
    assert list(recorded["receivables"]) == list(known["receivables"])
    assert recorded["receivables"]["overdue"] == "100.00"
    assert printed("--as-of", f"{YESTERDAY}")["receivables"]["overdue"] == "0.00"


@pytest.mark.parametrize("days", ["7", "30", "90"])
def test_every_length_is_recorded_by_the_days_run(days: str) -> None:
    late()
    run(TODAY)
    assert printed("--as-of", f"{TODAY}", "--days", days, "--as-recorded")["days"] == int(days)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--as-of", f"{YESTERDAY}"], r"^No snapshot of 2026-03-09 is kept\.$"),
        (
            ["--as-of", f"{TODAY}", "--days", "45", "--currency", "EUR"],
            r"^No snapshot of 2026-03-10 over 45 days is kept; there is 7, 30 and 90\.$",
        ),
        (
            ["--as-of", f"{TODAY}", "--currency", "GBP"],
            r"^No snapshot of 2026-03-10 in GBP is kept; there is EUR and USD\.$",
        ),
        (["--as-of", f"{TODAY}"], r"^The book had several currencies \(EUR, USD\): name one with --currency\.$"),
    ],
)
def test_what_was_not_recorded_is_said_in_a_sentence(options: list[str], sentence: str) -> None:
    late()
    late("USD")
    run(TODAY)
    with pytest.raises(CommandError, match=sentence) as refusal:
        call_command("kpis", *options, "--as-recorded")
    assert refusal.value.returncode == 2


def test_a_recorded_day_is_printed_for_people_too() -> None:
    late()
    run(TODAY)
    out = StringIO()
    call_command("kpis", "--as-of", f"{TODAY}", "--as-recorded", stdout=out)
    assert "overdue" in out.getvalue()
    assert "n/a" in out.getvalue()


def test_a_day_that_is_only_tried_keeps_no_figures() -> None:
    late()
    call_command("run_day", "--as-of", f"{TODAY}", "--dry-run", stdout=StringIO())
    assert not Snapshot.objects.exists()


def test_the_first_build_records_the_business_date_and_tells_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    late()
    business_day.move_to(TODAY)
    settling.settle(as_of=TODAY, at=moment())
    out = StringIO()

    call_command("snapshot", stdout=out)

    assert f"{Snapshot.objects.count():,} records of 2026-03-10, in" in out.getvalue()
    assert Snapshot.objects.filter(restated=False).count() == Snapshot.objects.count() > 0
    assert Standing.objects.filter(on=TODAY).count() == 1
    assert capsys.readouterr().err
    assert printed("--as-of", f"{TODAY}", "--as-recorded")["receivables"]["overdue"] == "100.00"


def test_a_day_that_is_over_is_recorded_beside_what_it_had() -> None:
    late()
    run(YESTERDAY)
    run(TODAY)
    before = Snapshot.objects.count()
    out = StringIO()

    call_command("snapshot", "--as-of", f"{YESTERDAY}", "--days", "30", "45", stdout=out)

    assert "as known now, beside what was recorded on the day" in out.getvalue()
    added = Snapshot.objects.filter(restated=True)
    assert added.count() == Snapshot.objects.count() - before > 0
    assert set(added.values_list("as_of", "days")) == {(YESTERDAY, 30), (YESTERDAY, 45)}


@pytest.mark.parametrize("options", [["--as-of", "2026-03-11"], ["--days", "0"]])
def test_what_cannot_be_recorded_is_said_in_a_sentence(options: list[str]) -> None:
    late()
    business_day.move_to(TODAY)
    with pytest.raises(CommandError) as refusal:
        call_command("snapshot", *options)
    assert refusal.value.returncode == 2
    assert not Snapshot.objects.exists()
