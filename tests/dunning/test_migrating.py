"""Open cases moved to another version: who can, who cannot, what moving does, and moving beside the day's run."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.models import AccountEvent
from dunning import decide, migrating, writing
from dunning.models import (
    Agency,
    Arm,
    Case,
    CaseStep,
    Experiment,
    Notice,
    Placement,
    PolicyVersion,
    ServiceOrder,
)
from tests.dunning.test_writing import residential
from tests.factories import TODAY, make_account, make_bill, make_service, moment, settled

pytestmark = pytest.mark.django_db

ADA = "agent:ada"
#: Steps every few days from the day a case opens on; limits rest on ``final``.
POLICY: dict[str, Any] = {
    "code": "plain",
    "enters": {"min_amount": "1.00"},
    "steps": [
        {"code": "reminder", "day": 4, "action": "notify", "channels": ["in_app"], "template": "reminder"},
        {"code": "final", "day": 8, "action": "notify", "channels": ["in_app"], "template": "final-notice"},
        {"code": "look", "day": 12, "action": "create_task"},
        {"code": "desk", "day": 40, "action": "transfer_to_collections"},
    ],
}
LIMIT = {"code": "bar", "day": 30, "action": "limit", "rung": "outgoing_barred", "warned_by": "final", "notice_days": 5}
AGENCY = {
    "code": "place", "day": 60, "action": "place_with_agency", "agency": "north", "warned_by": "final",
    "notice_days": 5,
}  # fmt: skip


def policy_with(*more: dict[str, Any], without: tuple[str, ...] = (), **said: Any) -> dict[str, Any]:
    document = {**copy.deepcopy(POLICY), **said}
    document["steps"] = [step for step in document["steps"] if step["code"] not in without] + list(more)
    return document


def published(document: dict[str, Any]) -> PolicyVersion:
    return writing.publish(writing.save_draft(document, actor=ADA, at=moment()), actor=ADA, at=moment())


def account_of(days_past_due: int, *, as_of: date = TODAY, **columns: Any) -> Any:
    account = make_account(**columns)
    make_bill(account, "100.00", due_on=as_of - timedelta(days=days_past_due))
    make_service(account)
    settled(account, as_of=as_of)
    return account


def run(as_of: date = TODAY) -> None:
    decide.run(as_of=as_of, at=moment(as_of))


def days(first: date, count: int) -> None:
    for number in range(count):
        run(first + timedelta(days=number))


def codes(case: Case) -> dict[str, str]:
    return dict(case.steps.values_list("code", "result"))


@pytest.fixture
def cases() -> tuple[PolicyVersion, Case]:
    """Version 1, and a case of it that has had ``reminder``, ``final`` and ``look``."""
    version = published(POLICY)
    account_of(20)
    days(TODAY, 3)
    case = Case.objects.get()
    assert (case.version, case.stage) == (version, "look")
    return version, case


def move(case: Case, target: PolicyVersion, on: date = TODAY + timedelta(days=3)) -> migrating.Moved:
    return migrating.migrate([case.pk], target, actor=ADA, as_of=on, at=moment(on))


def why_not(source: Any, target: PolicyVersion) -> list[str]:
    return [reason for _row, reason in migrating.check(source, target, as_of=TODAY).cannot]


class TestMoving:
    def test_the_check_names_the_case_and_writes_nothing(self, cases: tuple[PolicyVersion, Case]) -> None:
        version, case = cases
        target = published(policy_with(LIMIT))
        before = AccountEvent.objects.count()
        found = migrating.check(version, target, as_of=TODAY)
        [row] = found.can
        assert (row.case_id, row.account_ref, row.version, row.stage) == (case.pk, case.account.ref, "plain@1", "look")
        assert (found.cannot, found.reasons, AccountEvent.objects.count()) == ([], [], before)

    def test_what_was_had_stays_and_what_comes_next_is_the_new_versions(
        self, cases: tuple[PolicyVersion, Case]
    ) -> None:
        _version, case = cases
        target = published(policy_with(LIMIT, {"code": "call", "day": 6, "action": "create_task"}))
        assert move(case, target) == (1, [])
        case.refresh_from_db()
        assert (case.version, case.next_on, case.stage) == (target, TODAY + timedelta(days=3), "look")
        assert codes(case) == {"reminder": "taken", "final": "taken", "look": "taken", "call": "passed_over"}
        event = AccountEvent.objects.get(kind="dunning.case.migrated")
        assert (event.account, event.actor, event.policy) == (case.account, ADA, "plain@2")
        assert event.payload == {"case": case.pk, "from": "plain@1", "to": "plain@2", "passed_over": ["call"]}
        run(TODAY + timedelta(days=3))
        assert codes(case).keys() == {"reminder", "final", "look", "call"}

    def test_nobody_goes_back_and_warnings_go_on_counting(self, cases: tuple[PolicyVersion, Case]) -> None:
        _version, case = cases
        warned = TODAY + timedelta(days=1)
        assert Notice.objects.get(step_code="final").made_on == warned
        Notice.objects.filter(step_code="final").update(
            state="delivered", delivered_at=moment(warned), pay_by=warned + timedelta(days=5)
        )
        target = published(policy_with({**LIMIT, "day": 15}, calendar={"roll": "none"}))
        move(case, target)
        days(TODAY + timedelta(days=3), 6)
        assert CaseStep.objects.filter(case=case, code="bar").values_list("result", flat=True).last() == "taken"
        assert Notice.objects.filter(step_code__in=["reminder", "final"]).count() == 2

    def test_a_warning_that_a_limit_ahead_rests_on_is_not_passed_over(self, cases: tuple[PolicyVersion, Case]) -> None:
        _version, case = cases
        target = published(
            policy_with(
                {"code": "second", "day": 9, "action": "notify", "channels": ["in_app"], "template": "final-notice"},
                {**LIMIT, "warned_by": "second"},
            )
        )
        move(case, target)
        assert "second" not in codes(case)
        run(TODAY + timedelta(days=3))
        assert codes(case)["second"] == "taken"
        case.refresh_from_db()
        assert case.stage == "look"

    def test_a_step_that_waits_and_is_gone_is_ended(self) -> None:
        version = published(policy_with(LIMIT))
        account_of(50)
        days(TODAY, 6)
        case = Case.objects.get()
        assert codes(case)["bar"].startswith("waiting")
        target = published(POLICY)
        assert migrating.check(version, target, as_of=TODAY).reasons == []
        on = TODAY + timedelta(days=6)
        move(case, target, on)
        bar = case.steps.filter(code="bar").latest("pk")
        assert (bar.result, bar.done_on) == ("passed_over", on)

    def test_one_without_a_step_yet_simply_follows_the_other(self) -> None:
        version = published(POLICY)
        account_of(2)
        run()
        target = published(policy_with(without=("reminder",)))
        assert [row.stage for row in migrating.check(version, target, as_of=TODAY).can] == [""]
        assert move(Case.objects.get(), target, TODAY).moved == 1

    def test_a_version_on_trial_may_be_moved_to(self, cases: tuple[PolicyVersion, Case]) -> None:
        version, case = cases
        draft = writing.save_draft(policy_with(LIMIT), actor=ADA, at=moment())
        PolicyVersion.objects.filter(pk=draft.pk).update(state="trial")
        draft.refresh_from_db()
        assert len(migrating.check(version, draft, as_of=TODAY).can) == 1
        assert move(case, draft).moved == 1

    def test_every_version_of_a_policy_can_be_asked_about_at_once(self, cases: tuple[PolicyVersion, Case]) -> None:
        version, case = cases
        second = published(policy_with(LIMIT))
        move(case, second)
        account_of(20)
        run()
        assert Case.objects.filter(version=second).count() == 2
        third = published(POLICY)
        assert len(migrating.check(version.policy, third, as_of=TODAY).can) == 2
        assert migrating.check(version.policy, second, as_of=TODAY).can == []


class TestWhoCannot:
    @pytest.mark.parametrize("state", ["draft", "retired"])
    def test_nobody_goes_to_what_is_no_published_version(self, cases: tuple[PolicyVersion, Case], state: str) -> None:
        version, case = cases
        if state == "retired":
            published(policy_with(LIMIT))
            target = PolicyVersion.objects.get(pk=version.pk)
        else:
            target = writing.save_draft(policy_with(LIMIT), actor=ADA, at=moment())
        for ask in (lambda: migrating.check(version, target, as_of=TODAY), lambda: move(case, target)):
            with pytest.raises(migrating.CannotMigrate, match=f"is {state}"):
                ask()

    def test_a_stage_that_the_target_does_not_know(self, cases: tuple[PolicyVersion, Case]) -> None:
        version, _case = cases
        assert why_not(version, published(policy_with(without=("look",)))) == [
            "Its last step, look, is no step of plain@2."
        ]

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            ({"applies_to": {"kind": ["business"]}}, "other@1 is not for this account."),
            ({"enters": {"min_amount": {"USD": "1.00"}}}, "other@1 is not for this account."),
            ({}, None),
        ],
    )
    def test_another_policys_version_has_to_be_for_the_account(
        self, cases: tuple[PolicyVersion, Case], said: dict[str, Any], reason: str | None
    ) -> None:
        version, _case = cases
        assert why_not(version, published(policy_with(code="other", **said))) == ([reason] if reason else [])

    def test_a_version_without_amounts_in_the_accounts_currency(self, cases: tuple[PolicyVersion, Case]) -> None:
        version, _case = cases
        target = published(policy_with(enters={"min_amount": {"USD": "1.00"}}))
        assert why_not(version, target) == ["plain@2 names no amounts in EUR."]

    def test_while_something_is_being_handed_over(self, cases: tuple[PolicyVersion, Case]) -> None:
        version, case = cases
        target = published(policy_with(LIMIT))
        Notice.objects.filter(step_code="final").update(state="handing_over")
        assert why_not(version, target)[0].startswith("A notice of it is being handed over")
        Notice.objects.update(state="sent")
        order = ServiceOrder.objects.create(
            account=case.account, service=case.account.services.get(), case=case, key="o", kind="limit",
            rung="suspended", made_on=TODAY, step_code="bar", state="handing_over",
        )  # fmt: skip
        assert why_not(version, target)[0].startswith("An order to the network of it is being handed over")
        ServiceOrder.objects.filter(pk=order.pk).update(state="pending", step_code="cut")
        assert "cut is no step of plain@2" in why_not(version, target)[0]

    def test_placed_with_an_agency_and_the_target_places_none(self, cases: tuple[PolicyVersion, Case]) -> None:
        version, case = cases
        agency = Agency.objects.create(code="south", name="South")
        placement = Placement.objects.create(
            ref="p", account=case.account, case=case, agency=agency, amount=5, placed_on=TODAY
        )
        none, places = published(policy_with(LIMIT)), published(policy_with(AGENCY, code="other"))
        assert "places none" in why_not(version, none)[0]
        assert why_not(version, places) == []
        Placement.objects.filter(pk=placement.pk).update(recalled_on=TODAY)
        assert why_not(version, none) == []

    def test_while_it_is_counted_in_an_experiment(self, cases: tuple[PolicyVersion, Case]) -> None:
        version, case = cases
        experiment = Experiment.objects.create(
            code="e", name="Spring", policy=version.policy, starts_on=TODAY, ends_on=TODAY,
            created_by=ADA, created_at=moment(),
        )  # fmt: skip
        arm = Arm.objects.create(experiment=experiment, code="champion", role="champion", share=10_000)
        Case.objects.filter(pk=case.pk).update(arm=arm)
        Experiment.objects.update(state="running")
        target = published(policy_with(LIMIT))
        assert why_not(version, target) == ["It is counted in the experiment Spring, which runs."]
        Experiment.objects.update(state="ended")
        assert why_not(version, target) == []

    def test_what_is_closed_gone_or_there_already_is_refused_one_by_one(
        self, cases: tuple[PolicyVersion, Case]
    ) -> None:
        _version, case = cases
        target = published(policy_with(LIMIT))
        gone = case.pk + 1_000
        assert migrating.migrate([case.pk, gone], target, actor=ADA, as_of=TODAY, at=moment()) == (
            1,
            [(gone, "There is no such case.")],
        )
        assert move(case, target) == (0, [(case.pk, "It follows plain@2 already.")])
        Case.objects.filter(pk=case.pk).update(closed_on=TODAY, version=_version)
        assert move(case, target) == (0, [(case.pk, "It is closed by now.")])

    def test_reasons_are_counted(self) -> None:
        version = published(residential())
        for _number in range(3):
            account_of(20, currency="USD")
        days(TODAY, 3)
        assert Case.objects.count() == 3
        document = residential()
        document["steps"] = [step for step in document["steps"] if step["code"] == "desk"]
        found = migrating.check(version, published(document), as_of=TODAY)
        assert [count for _reason, count in found.reasons] == [3]


@pytest.mark.django_db(transaction=True)
class TestBesideTheDaysRun:
    def test_cases_that_move_while_their_steps_run_end_consistent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whichever comes first: no step of the old version is taken after the move, none is taken twice."""
        monkeypatch.setattr(migrating, "CHUNK", 4)  # so that some go before the run and some come after it
        published(POLICY)
        for _number in range(40):
            account_of(20)
        days(TODAY, 2)  # reminder and final; look is due next
        target = published(policy_with(LIMIT, without=("look",)))
        keys = list(Case.objects.values_list("pk", flat=True))
        start = threading.Barrier(2)
        on = TODAY + timedelta(days=2)

        def migrate() -> migrating.Moved:
            try:
                start.wait(timeout=10)
                return migrating.migrate(keys, target, actor=ADA, as_of=on, at=moment(on))
            finally:
                connection.close()

        def run_day() -> None:
            try:
                start.wait(timeout=10)
                run(on)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            moving, running = pool.submit(migrate), pool.submit(run_day)
            moved = moving.result(timeout=60)
            running.result(timeout=60)
        assert moved.moved + len(moved.refused) == 40
        for case in Case.objects.select_related("version"):
            events = list(case.account.events.order_by("pk").values_list("kind", "policy", "payload__step"))
            took_look = ("dunning.step.taken", "plain@1", "look") in events
            assert (case.version_id == target.pk) is not took_look
            assert ("look" in codes(case)) is took_look
            assert (case.stage == "look") is took_look
            at_move = next((n for n, event in enumerate(events) if event[0] == "dunning.case.migrated"), len(events))
            assert all(policy != "plain@1" for _kind, policy, _step in events[at_move:])
