"""The ``run_day`` command: its report, its exits, its second run."""

from __future__ import annotations

import json
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts import business_day
from accounts.models import Account, Seal
from dunning.models import Case, Notice
from tests.journeys.story import Story

pytestmark = pytest.mark.django_db

DAY = date(2026, 3, 5)


@pytest.fixture
def story() -> Story:
    told = Story(date(2026, 3, 1))
    told.account()
    told.bill(date(2026, 3, 1), "50.00")
    told.account("A2")
    told.bill(date(2026, 3, 8), "20.00", account="A2")
    return told


def run(*options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("run_day", *options, "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_the_first_run_sets_the_date_decides_seals_and_sends_nothing(story: Story) -> None:
    report = run("--as-of", DAY.isoformat())
    assert report.pop("seconds") > 0
    assert report == {
        "date": "2026-03-05",
        "reviewed": 1,
        "cases_opened": 1,
        "cases_closed": 0,
        "steps": {"reminder": 1, "upcoming": 1},
        "notices": 2,
        "orders": 0,
        "days_caught_up": 0,
    }
    assert business_day.last_run() == business_day.completed() == DAY
    assert set(Notice.objects.values_list("state", flat=True)) == {"pending"}
    assert Seal.objects.exists()


def test_the_same_date_again_finds_nothing_and_facts_that_came_since_are_processed(story: Story) -> None:
    run("--as-of", DAY.isoformat())
    again = run("--as-of", DAY.isoformat())
    assert (again["steps"], again["notices"], again["cases_opened"]) == ({}, 0, 0)
    story.today = DAY
    story.unsettled_payment("50.00")
    third = run("--as-of", DAY.isoformat())
    assert (third["steps"], third["cases_closed"]) == ({}, 1)
    assert Account.objects.get(ref="A1").status == "current"


def test_days_without_a_run_are_counted(story: Story) -> None:
    run("--as-of", DAY.isoformat())
    report = run("--as-of", "2026-03-12")
    assert (report["days_caught_up"], report["steps"]) == (6, {"reminder": 1, "warning": 1})


def test_an_earlier_date_ends_with_2_and_nothing_done(story: Story) -> None:
    run("--as-of", DAY.isoformat())
    story.today = DAY
    story.unsettled_payment("50.00")
    with pytest.raises(CommandError, match="2026-03-05") as refused:
        run("--as-of", "2026-03-04")
    assert refused.value.returncode == 2
    assert business_day.last_run() == DAY
    assert Case.objects.filter(closed_on=None).exists()


def test_a_dry_run_reports_everything_and_leaves_nothing(story: Story) -> None:
    report = run("--as-of", DAY.isoformat(), "--dry-run")
    assert (report["cases_opened"], report["notices"]) == (1, 2)
    assert business_day.last_run() is None
    assert not Case.objects.exists()
    assert not Notice.objects.exists()


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError, match="--as-of"):
        call_command("run_day", "--as-of", "tomorrow")


def test_without_json_it_says_a_line(story: Story) -> None:
    out = StringIO()
    call_command("run_day", "--as-of", DAY.isoformat(), stdout=out)
    assert "1 cases opened" in out.getvalue()
    assert "steps: reminder 1, upcoming 1" in out.getvalue()
