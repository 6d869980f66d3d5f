"""Experiments in the admin: planned by one person, started by another, stopped, read and ended."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.utils import timezone

from accounts import business_day
from dunning import experiment_course
from dunning.models import Arm, Experiment, GuardRail, PolicyVersion
from tests.dunning.test_experiments import (
    DAY,
    TODAY,
    a_crowd,
    a_version,
    arm,
    challenger,
    champion,
    holdout,
    pay,
    planned,
    start,
    started,
)
from tests.factories import make_agent

pytestmark = pytest.mark.django_db

LIST = "/admin/dunning/experiment/"


def browser(role: str = "admin") -> Client:
    client = Client()
    client.force_login(make_agent(role))
    return client


@pytest.fixture
def desk() -> Client:
    """Another admin's browser than the one who planned."""
    return browser()


@pytest.fixture(autouse=True)
def _today() -> None:
    """The business date of the tests, as a run would have set it."""
    business_day.move_to(TODAY)


def page(experiment: Experiment, name: str = "change") -> str:
    return f"{LIST}{experiment.pk}/{name}/"


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def form_of(client: Client, address: str) -> dict[str, Any]:
    """What a browser would send back from the form at that address, nothing changed."""
    context = client.get(address).context
    forms = [context["adminform"].form]
    for formset in (inline.formset for inline in context["inline_admin_formsets"]):
        forms += [formset.management_form, *formset.forms]
    said = {bound.html_name: bound.value() for form in forms for bound in form}
    return {name: value for name, value in said.items() if value is not None and value is not False}


def plan(**said: Any) -> dict[str, Any]:
    """The form of a new experiment with no arms."""
    return {
        "code": "spring", "name": "Spring", "metric": "collected", "metric_days": "30",
        "starts_on": "2026-03-10", "ends_on": "2026-05-10",
        "arms-TOTAL_FORMS": "0", "arms-INITIAL_FORMS": "0",
        "guard_rails-TOTAL_FORMS": "0", "guard_rails-INITIAL_FORMS": "0",
    } | said  # fmt: skip


def with_arms(*arms: dict[str, str], **said: Any) -> dict[str, Any]:
    columns = {f"arms-{number}-{name}": value for number, arm in enumerate(arms) for name, value in arm.items()}
    return plan(**{"arms-TOTAL_FORMS": str(len(arms))}, **columns, **said)


CHAMPION = {"code": "as-is", "role": "champion", "percent": "62.5"}


class TestPlanning:
    @pytest.fixture
    def version(self) -> PolicyVersion:
        a_version("published")
        return a_version("draft", name="Softer")

    def test_arms_in_percent_and_guard_rails_are_kept(self, desk: Client, version: PolicyVersion) -> None:
        form = with_arms(
            CHAMPION,
            {"code": "softer", "role": "challenger", "percent": "27.25", "version": str(version.pk)},
            {"code": "none", "role": "holdout", "percent": "10.25", "holdout_days": "14"},
            **{
                "policy": str(version.policy_id),
                "guard_rails-TOTAL_FORMS": "1",
                "guard_rails-0-metric": "suspensions",
                "guard_rails-0-max_worse": "2.5",
            },
        )
        assert desk.post(f"{LIST}add/", form).status_code == 302
        experiment = Experiment.objects.get()
        assert list(experiment.arms.values_list("position", "code", "share", "holdout_days")) == [
            (0, "as-is", 6_250, None), (1, "softer", 2_725, None), (2, "none", 1_025, 14),
        ]  # fmt: skip
        assert str(GuardRail.objects.get().max_worse) == "2.500"
        assert experiment.created_by.startswith("agent:admin")
        again = form_of(desk, page(experiment))
        assert [again[f"arms-{number}-percent"] for number in range(3)] == ["62.5", "27.25", "10.25"]
        assert again["guard_rails-0-max_worse"] == "2.5"
        assert desk.post(page(experiment), again).status_code == 302
        assert list(experiment.arms.values_list("share", flat=True)) == [6_250, 2_725, 1_025]

    @pytest.mark.parametrize(
        ("arms", "problem"),
        [
            ([{**CHAMPION, "code": "a"}, {**CHAMPION, "code": "b", "percent": "1"}], "There is one champion"),
            (
                [CHAMPION, {"code": "h", "role": "holdout", "percent": "37.51", "holdout_days": "9"}],
                "more than all accounts",
            ),
            ([{"code": "c", "role": "challenger", "percent": "5"}], "Which version do its accounts get?"),
            ([{"code": "h", "role": "holdout", "percent": "5"}], "For how many days past due is it left alone?"),
            ([{**CHAMPION, "holdout_days": "5"}], "Only a holdout is left alone."),
            ([{**CHAMPION, "percent": "0"}], "greater than or equal to 0.01"),
            ([{**CHAMPION, "percent": "12.345"}], "no more than 2 decimal places"),
        ],
    )
    def test_what_cannot_be_is_said_beside_the_field(
        self, desk: Client, version: PolicyVersion, arms: list[dict[str, str]], problem: str
    ) -> None:
        answer = desk.post(f"{LIST}add/", with_arms(*arms, policy=str(version.policy_id)))
        assert problem in text(answer)
        assert not Experiment.objects.exists()

    def test_arms_may_change_places(self, desk: Client) -> None:
        experiment = planned()
        form = form_of(desk, page(experiment))
        version = form["arms-1-version"]
        form |= {
            "arms-0-role": "challenger",
            "arms-0-version": version,
            "arms-1-role": "champion",
            "arms-1-version": "",
        }
        assert desk.post(page(experiment), form).status_code == 302
        assert list(experiment.arms.values_list("code", "role")) == [("as-is", "challenger"), ("softer", "champion")]

    def test_round_shares_are_shown_as_people_write_them(self, desk: Client) -> None:
        form = form_of(desk, page(planned(champion(6_000), holdout(4_000))))
        assert (form["arms-0-percent"], form["arms-1-percent"]) == ("60", "40")

    def test_only_versions_of_the_policy_that_can_be_tried_are_offered(self, desk: Client) -> None:
        experiment = planned()
        a_version("trial", code="other")
        formset = desk.get(page(experiment)).context["inline_admin_formsets"][0].formset
        offered = [label for value, label in formset.forms[1].fields["version"].choices if value]
        assert offered == ["residential@2 (on trial): Softer"]

    def test_it_says_what_is_missing_before_it_can_start(self, desk: Client) -> None:
        told = text(desk.get(page(planned(champion(4_000), challenger(5_000)))))
        assert "Before it can start:" in told
        assert "The shares come to 90.00 %, not to 100 %." in told

    def test_supervisors_read_a_plan_and_change_nothing_of_it(self) -> None:
        experiment, client = planned(), browser("supervisor")
        assert "_save" not in text(client.get(page(experiment)))
        assert client.post(page(experiment), {}).status_code == 403
        assert client.get(f"{LIST}add/").status_code == 403
        assert browser("agent").get(LIST, follow=True).status_code == 403

    def test_a_supervisor_is_the_second_pair_of_eyes_that_starts_it(self) -> None:
        experiment = planned()
        browser("supervisor").post(page(experiment, "start"))
        experiment.refresh_from_db()
        assert (experiment.state, experiment.started_by.partition(":")[0]) == ("running", "agent")


class TestStarting:
    def test_the_page_says_what_will_happen_and_the_button_does_it(self, desk: Client) -> None:
        experiment = planned(champion(5_000), challenger(3_000), holdout(2_000), state="draft")
        GuardRail.objects.create(experiment=experiment, metric="complaints", max_worse="1.5")
        told = text(desk.get(page(experiment, "start")))
        for sentence in (
            "From 10 March 2026 to 9 May 2026, every account that comes up under residential",
            "50 % of them (as-is) get what is published, the champion: version 1.",
            "30 % of them (softer) get version 2, Softer, which nobody else gets.",
            "20 % of them (nothing) are left alone up to 10 days past due, and get what is published after that.",
            "share of the amount collected by day 30",
            "by more than 1.5 percentage points, beyond chance.",
            "The draft residential@2 is put on trial",
        ):
            assert sentence in told
        answer = desk.post(page(experiment, "start"), follow=True)
        assert "Spring is started." in text(answer)
        experiment.refresh_from_db()
        assert experiment.state == "running"
        assert PolicyVersion.objects.get(number=2).state == "trial"

    def test_what_cannot_start_leaves_the_draft_a_draft(self, desk: Client) -> None:
        experiment = planned(champion(4_000), challenger(5_000), state="draft")
        assert "It cannot start yet" in text(desk.get(page(experiment, "start")))
        answer = desk.post(page(experiment, "start"), follow=True)
        assert "The shares come to 90.00 %" in text(answer)
        assert PolicyVersion.objects.get(number=2).state == "draft"

    def test_who_wrote_the_plan_last_does_not_start_it(self, desk: Client) -> None:
        experiment = planned()
        desk.post(page(experiment), form_of(desk, page(experiment)) | {"name": "Late spring"})
        assert "Somebody else starts an experiment" in text(desk.post(page(experiment, "start"), follow=True))
        assert "is started" in text(browser().post(page(experiment, "start"), follow=True))

    def test_saving_without_a_change_is_not_writing_the_plan(self, desk: Client) -> None:
        experiment = planned()
        assert desk.post(page(experiment), form_of(desk, page(experiment))).status_code == 302
        assert "is started" in text(desk.post(page(experiment, "start"), follow=True))


class TestRunning:
    def test_the_plan_is_read_only_then(self, desk: Client) -> None:
        experiment = planned()
        form = form_of(desk, page(experiment))
        experiment_course.start(experiment, actor="agent:bea", at=timezone.now(), as_of=TODAY)
        answer = desk.get(page(experiment))
        assert "_save" not in text(answer)
        assert "50 %" in text(answer)
        assert desk.post(page(experiment), form | {"metric_days": "5", "arms-0-percent": "1"}).status_code == 403
        experiment.refresh_from_db()
        assert (experiment.metric_days, arm(experiment, "as-is").share) == (30, 5_000)
        assert desk.post(page(experiment, "delete"), {"post": "yes"}).status_code == 403
        assert desk.get(page(experiment, "start")).status_code == 403

    def test_somebody_stops_an_arm_with_a_reason(self, desk: Client) -> None:
        experiment = started()
        address = f"{LIST}{experiment.pk}/arms/{arm(experiment, 'softer').pk}/stop/"
        assert address in text(desk.get(page(experiment)))
        assert "takes no accounts" not in text(desk.post(address, {"reason": ""}))
        assert arm(experiment, "softer").stopped_on is None
        assert "softer takes no accounts any more." in text(
            desk.post(address, {"reason": "Too many calls."}, follow=True)
        )
        assert (arm(experiment, "softer").stopped_on, arm(experiment, "softer").stop_reason) == (
            TODAY,
            "Too many calls.",
        )
        assert "(stopped)" in text(desk.get(LIST))
        assert browser("agent").post(address, {"reason": "No."}).status_code == 302  # to log in as somebody else

    def test_the_results_are_a_table_and_a_file(self, desk: Client) -> None:
        first = TODAY - 40 * DAY
        experiment = start(planned(champion(5_000), challenger(4_000), holdout(1_000), starts_on=first), as_of=first)
        keys = {
            **a_crowd(experiment, 60, "as-is", "softer", on=first),
            **a_crowd(experiment, 5, "nothing", on=first),
            **a_crowd(experiment, 3, "as-is", on=TODAY),
        }
        pay(keys["softer"][:45], "100.00", TODAY - 30 * DAY)
        answer = desk.get(page(experiment, "results"))
        told = text(answer)
        assert "125 accounts whose 30 days are over, 3 still under way." in told
        assert told.index("named to decide") < told.index("Not what the experiment was set up to decide.")
        assert "No complaints are recorded yet" in told
        for said in ("75.0 %", "64.0 to 86.0 %", "+75.0 points", "+64.0 to +86.0", "better", "too few to say"):
            assert said in told
        lines = list(csv.DictReader(desk.get(f"{LIST}{experiment.pk}/results.csv").content.decode().splitlines()))
        softer = next(line for line in lines if (line["metric"], line["arm"]) == ("collected", "softer"))
        assert softer | {"decides": "yes", "share_percent": "40", "accounts": "60", "verdict": "better"} == softer
        assert float(softer["difference"]) == 0.75
        assert {line["metric"] for line in lines} == {"collected", "cured", "suspensions"}

    def test_results_without_a_single_account(self, desk: Client) -> None:
        told = text(desk.get(page(started(), "results")))
        assert "0 accounts whose 30 days are over." in told
        assert "too few to say" in told

    def test_a_plan_has_no_results(self, desk: Client) -> None:
        experiment = planned()
        assert desk.get(page(experiment, "results")).status_code == 403
        assert desk.get(f"{LIST}{experiment.pk}/results.csv").status_code == 403


class TestEnding:
    def test_with_a_winner_that_is_published(self, desk: Client) -> None:
        experiment = started()
        told = text(desk.get(page(experiment, "end")))
        assert "softer: residential@2 is published" in told
        answer = desk.post(
            page(experiment, "end"), {"winner": str(arm(experiment, "softer").pk), "reason": "More money."}, follow=True
        )
        assert "Spring is ended. residential@2 is in force" in text(answer)
        assert PolicyVersion.objects.get(number=2).state == "published"

    def test_without_one_and_not_without_a_reason(self, desk: Client) -> None:
        experiment = started()
        assert desk.post(page(experiment, "end"), {"winner": "", "reason": ""}).status_code == 200
        assert Experiment.objects.get().state == "running"
        desk.post(page(experiment, "end"), {"winner": "", "reason": "No difference."})
        assert (Experiment.objects.get().state, Experiment.objects.get().end_reason) == ("ended", "No difference.")
        assert desk.get(page(experiment, "end")).status_code == 403

    def test_a_stopped_arm_and_a_holdout_are_no_choice(self, desk: Client) -> None:
        experiment = started(champion(5_000), challenger(3_000), holdout(2_000))
        Arm.objects.filter(code="softer").update(stopped_on=TODAY)
        choices = desk.get(page(experiment, "end")).context["form"].fields["winner"].choices
        assert [value for value, _label in choices] == [""]


def test_the_list_says_what_each_is_about(desk: Client) -> None:
    started()
    told = text(desk.get(LIST))
    for said in (
        "Spring",
        "residential",
        "Running",
        "Share of the amount collected by day 30",
        "50 % as-is, 50 % softer",
    ):
        assert said in told
    assert admin.site.is_registered(Experiment)
