"""``simulate_policy``: what it prints, what it refuses, and that nothing is left behind."""

from __future__ import annotations

import json
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from dunning.models import Case, PolicyVersion
from tests.journeys.ledger import POLICY
from tests.journeys.story import Story

pytestmark = pytest.mark.django_db

DUE = date(2026, 3, 2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "earlier.yaml"
    path.write_text(POLICY.replace("day: 24, action: limit", "day: 20, action: limit"), encoding="utf-8")
    return path


def run(file: Path, *arguments: str) -> str:
    out = StringIO()
    call_command("simulate_policy", str(file), *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def one_account_about_to_be_late() -> Story:
    story = Story(DUE)
    story.account()
    story.service()
    story.bill(DUE)
    story.days_pass(until=DUE)
    return story


def test_the_answer_is_one_json_object(file: Path) -> None:
    one_account_about_to_be_late()
    answer = json.loads(run(file, "--as-of", "2026-03-06", "--days", "30", "--json"))
    assert set(answer) == {"days", "difference"}
    assert len(answer["days"]) == 30
    assert answer["days"][0] == {
        "date": "2026-03-06", "steps": {"reminder": 1}, "messages": {"email": 1}, "limits": [],
    }  # fmt: skip
    limited = [(day["date"], day["limits"]) for day in answer["days"] if day["limits"]]
    # The final notice of the 20th is delivered on the 21st and names the 26th, which the bar waits for.
    asked = {"account_id": "A1", "service_id": "S1", "amount": "50.00"}
    assert limited == [
        ("2026-03-26", [asked | {"rung": "outgoing_barred"}]),
        ("2026-04-02", [asked | {"rung": "suspended"}]),
    ]
    assert answer["difference"] == {}


def test_a_person_reads_sentences(file: Path) -> None:
    one_account_about_to_be_late()
    told = run(file, "--as-of", "2026-03-26")
    assert "2026-03-26: steps: reminder 1; messages: email 1; services limited: 0" in told
    assert "1 accounts looked at" in told


def test_nothing_is_left_behind(file: Path) -> None:
    one_account_about_to_be_late()
    run(file, "--as-of", "2026-04-10", "--days", "60")
    assert PolicyVersion.objects.count() == 1
    assert not Case.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--as-of", "2026-03-01"], "The business date is 2026-03-02"),
        (["--as-of", "2026-03-06", "--days", "0"], "--days is a number"),
    ],
)
def test_what_cannot_be_tried_exits_2_with_one_sentence(file: Path, arguments: list[str], why: str) -> None:
    one_account_about_to_be_late()
    with pytest.raises(CommandError, match=why) as refused:
        run(file, *arguments)
    assert refused.value.returncode == 2


def test_a_policy_that_cannot_run_names_file_line_and_field(file: Path) -> None:
    file.write_text(POLICY.replace("rung: suspended", "rung: gone"), encoding="utf-8")
    with pytest.raises(CommandError, match=r"earlier\.yaml, line 16, steps\[5\]\.rung: is unknown") as refused:
        run(file, "--as-of", str(DUE + timedelta(days=4)))
    assert refused.value.returncode == 2
