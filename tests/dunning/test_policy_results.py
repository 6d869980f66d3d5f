"""What came back from customers after the notices of a policy, by step, by text, and by arm of an experiment."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import events
from accounts.models import Account
from agents import kinds as talk
from dunning import kinds, policy_results, writing
from dunning.models import Arm, Assignment, Case, Experiment, Notice, PolicyVersion
from dunning.policy_results import Heard
from tests.dunning.test_writing import residential
from tests.factories import TODAY, make_agent, moment, owing

pytestmark = pytest.mark.django_db


@pytest.fixture
def version() -> PolicyVersion:
    return writing.publish(writing.save_draft(residential(), actor="import", at=moment()), actor="import", at=moment())


def sent(version: PolicyVersion, step: str, *, to: Account | None = None, at: datetime | None = None) -> Notice:
    account = to or owing("100.00")
    case = Case.objects.filter(account=account).first() or Case.objects.create(
        account=account, version=version, opened_on=TODAY, warnings_from=TODAY
    )
    return Notice.objects.create(
        account=account, customer=account.customer, case=case, key=f"n{Notice.objects.count()}", step_code=step,
        channel="sms", template=f"{step}-text", currency="EUR", made_on=TODAY, sent_at=at or moment(),
    )  # fmt: skip


def happened(kind: str, account: Account, *, at: datetime, policy: str = "", **payload: Any) -> None:
    events.record(account_id=account.pk, kind=kind, actor="x", at=at, on=at.date(), policy=policy, payload=payload)


def complained(notice: Notice, *, after: timedelta = timedelta(hours=1)) -> None:
    assert notice.sent_at is not None
    happened(kinds.COMPLAINT, notice.account, at=notice.sent_at + after, category="conduct")


def answered(notice: Notice, score: int) -> None:
    assert notice.sent_at is not None
    happened(kinds.SURVEY_ANSWERED, notice.account, at=notice.sent_at + timedelta(hours=2), score=score)


def found(notice: Notice, severity: str = "warn", *, finding: int = 1, verdict: str = "") -> None:
    policy = str(notice.case.version) if notice.case else ""
    about = {"finding": finding, "key": notice.key, "severity": severity, "check": "urgency-en"}
    happened(kinds.FINDING_MADE, notice.account, at=moment(), policy=policy, **about)
    if verdict:
        happened(kinds.FINDING_JUDGED, notice.account, at=moment(), finding=finding, verdict=verdict)


def heard(version: PolicyVersion, *, as_of: date = TODAY + timedelta(days=20)) -> dict[str, Heard]:
    return {one.name: one for one in policy_results.heard_of(version, as_of=as_of)}


def test_the_room_above_writes_the_same_kind() -> None:
    assert talk.SURVEY_ANSWERED == kinds.SURVEY_ANSWERED


def test_each_step_has_what_came_of_its_own_notices(version: PolicyVersion) -> None:
    reminder, final = sent(version, "reminder"), sent(version, "final")
    sent(version, "final")
    complained(final)
    answered(reminder, 5)
    answered(final, 2)
    found(final, "breach")
    told = heard(version)
    assert told["reminder"] == Heard("reminder", "reminder-text", 1, 0, 0, 0, 1, 1)
    assert told["final"] == Heard("final", "final-text", 2, 1, 1, 1, 1, 0)
    assert (told["final"].complaint_rate, told["final"].satisfaction) == (500.0, 0.0)
    assert list(told) == ["reminder", "final"]


def test_a_complaint_belongs_to_the_last_notice_before_it_and_counts_once(version: PolicyVersion) -> None:
    account = owing("100.00")
    first = sent(version, "reminder", to=account, at=moment())
    second = sent(version, "final", to=account, at=moment() + timedelta(days=2))
    complained(second)
    assert (heard(version)["reminder"].complaints, heard(version)["final"].complaints) == (0, 1)
    complained(first)
    assert (heard(version)["reminder"].complaints, heard(version)["final"].complaints) == (1, 1)


@pytest.mark.parametrize(("days", "counts"), [(13, 1), (15, 0)])
def test_what_comes_long_after_belongs_to_none(version: PolicyVersion, days: int, counts: int) -> None:
    complained(sent(version, "final"), after=timedelta(days=days))
    assert heard(version)["final"].complaints == counts


def test_several_complaints_do_not_make_several_notices(version: PolicyVersion) -> None:
    notice = sent(version, "final")
    complained(notice)
    complained(notice)
    assert (heard(version)["final"].sent, heard(version)["final"].complaints) == (1, 2)


@pytest.mark.parametrize(("verdict", "counts"), [("", 1), ("right", 1), ("wrong", 0)])
def test_a_finding_that_was_called_wrong_does_not_count(version: PolicyVersion, verdict: str, counts: int) -> None:
    found(sent(version, "final"), verdict=verdict)
    assert heard(version)["final"].findings == counts


def test_the_last_verdict_counts(version: PolicyVersion) -> None:
    notice = sent(version, "final")
    found(notice, verdict="wrong")
    happened(kinds.FINDING_JUDGED, notice.account, at=moment(), finding=1, verdict="right")
    assert heard(version)["final"].findings == 1


def test_the_notices_of_another_version_are_not_its_own(version: PolicyVersion) -> None:
    other = writing.publish(writing.save_draft(residential(), actor="x", at=moment()), actor="y", at=moment())
    complained(sent(other, "final"))
    assert heard(version) == {}


def test_without_notices_there_is_no_rate() -> None:
    nothing = Heard("final", "final-text", 0, 0, 0, 0, 0, 0)
    assert (nothing.complaint_rate, nothing.satisfaction) == (None, None)


def test_it_takes_the_same_queries_for_many(version: PolicyVersion) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as watched:
            heard(version)
        return len(watched)

    complained(sent(version, "final"))
    few = queries()
    for _ in range(6):
        complained(sent(version, "final"))
    assert queries() == few == 2


class TestAnExperiment:
    def test_each_arm_has_what_came_of_the_notices_to_its_accounts(self, version: PolicyVersion) -> None:
        trial = Experiment.objects.create(
            code="spring", name="Spring", policy=version.policy, starts_on=TODAY, ends_on=TODAY, created_by="x",
            created_at=moment(), metric_days=10,
        )  # fmt: skip
        arms = [
            Arm.objects.create(
                experiment=trial,
                code=code,
                role=role,
                share=5000,
                position=place,
                holdout_days=5 if role == "holdout" else None,
            )
            for place, (code, role) in enumerate((("a", "champion"), ("b", "holdout")))
        ]
        Experiment.objects.filter(pk=trial.pk).update(state="running")
        notices = [sent(version, "final"), sent(version, "final")]
        for arm, notice in zip(arms, notices, strict=True):
            Assignment.objects.create(experiment=trial, arm=arm, account=notice.account, on=TODAY, overdue=100)
        late = sent(version, "final", to=notices[0].account, at=moment() + timedelta(days=11))
        complained(late)
        complained(notices[1])
        found(notices[1])
        told = policy_results.heard_in(trial, as_of=TODAY + timedelta(days=20))
        assert (told[arms[0].pk].sent, told[arms[0].pk].complaints) == (1, 0)
        assert (told[arms[1].pk].sent, told[arms[1].pk].complaints, told[arms[1].pk].findings) == (1, 1, 1)
        client = Client()
        client.force_login(make_agent("admin"))
        page = client.get(f"/admin/dunning/experiment/{trial.pk}/results/").content.decode()
        assert "What customers said, and what checks found" in page


def test_the_admin_shows_it_for_a_version(version: PolicyVersion) -> None:
    client = Client()
    client.force_login(make_agent("admin"))
    address = f"/admin/dunning/policyversion/{version.pk}/heard/"
    assert "No notice of this version was sent" in client.get(address).content.decode()
    sent(version, "final", at=timezone.now())
    page = client.get(address).content.decode()
    assert "final-text" in page
    assert "n/a" in page


def test_who_may_not_see_policies_does_not_see_what_came_of_them(version: PolicyVersion) -> None:
    client = Client()
    client.force_login(make_agent("agent"))
    assert client.get(f"/admin/dunning/policyversion/{version.pk}/heard/").status_code in (302, 403)
