"""Dry runs in the admin: asked for, followed, cancelled, read, taken home, accepted; and who may."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AccountEvent
from collections_desk.celery import app
from dunning import dry_run_results, writing
from dunning.models import DryRun, PolicyVersion
from tests.dunning.test_admin import browser
from tests.dunning.test_writing import changed, residential
from tests.dunning.tried import RESULT, limit, make_dry_run, result, too_far
from tests.factories import moment

pytestmark = pytest.mark.django_db

NEW = "/admin/dunning/dryrun/add/"


@pytest.fixture
def version() -> PolicyVersion:
    return writing.save_draft(residential(), actor="agent:ada", at=moment())


@pytest.fixture
def desk() -> Client:
    return browser("admin")


def page(run: DryRun, end: str = "change/") -> str:
    return f"/admin/dunning/dryrun/{run.pk}/{end}"


class TestAsking:
    @pytest.mark.parametrize("role", ["admin", "supervisor"])
    def test_a_run_keeps_what_is_tried_and_is_given_to_a_worker(self, role: str, version: PolicyVersion) -> None:
        client = browser(role)
        assert client.get(f"/admin/dunning/policyversion/{version.pk}/dry-run/")["Location"] == (
            f"{NEW}?version={version.pk}"
        )
        assert client.get(NEW, {"version": version.pk}).status_code == 200
        answer = client.post(NEW, {"version": version.pk, "days": "7"})
        run = DryRun.objects.get()
        assert answer["Location"] == page(run)
        assert (run.version, run.days, run.state) == (version, 7, "waiting")
        assert run.document == writing.document_of(version)
        assert run.digest == writing.digest_of(run.document)
        assert run.asked_by.startswith(f"agent:{role}")
        event = AccountEvent.objects.latest("pk")
        assert (event.kind, event.payload["dry_run"]) == ("dunning.policy.tried", run.pk)
        with app.connection_for_read() as line:
            sent = line.SimpleQueue(app.conf.task_default_queue).get(block=False)
        assert sent.headers["task"] == "collections_desk.tasks.dry_run"
        assert sent.payload[1] == {"run_id": run.pk}
        sent.ack()

    @pytest.mark.parametrize("days", ["0", "61", "many", ""])
    def test_one_to_sixty_days(self, desk: Client, version: PolicyVersion, days: str) -> None:
        answer = desk.post(NEW, {"version": version.pk, "days": days})
        assert "days" in answer.context["form"].errors
        assert not DryRun.objects.exists()

    def test_without_a_broker_it_says_so(
        self, desk: Client, version: PolicyVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nowhere = app.amqp.Producer(app.connection_for_write("redis://127.0.0.1:1/0"))
        monkeypatch.setattr(app, "send_task", lambda name, **said: _send_through(nowhere, name, **said))
        answer = desk.post(NEW, {"version": version.pk, "days": "1"}, follow=True)
        run = DryRun.objects.get()
        assert run.state == "failed"
        assert "their broker (Redis) does not answer" in answer.content.decode()

    def test_agents_have_no_business_here(self, version: PolicyVersion) -> None:
        run, client = make_dry_run(version), browser("agent")
        for address in (NEW, page(run), page(run, "result.json"), page(run, "progress/")):
            assert client.get(address).status_code == 302
        assert client.post(page(run, "accept/"), {"reason": "x"}).status_code == 302
        assert client.post(NEW, {"version": version.pk, "days": "1"}).status_code == 302
        assert DryRun.objects.count() == 1


_send_task = app.send_task


def _send_through(producer: Any, name: str, **said: Any) -> Any:
    return _send_task(name, producer=producer, retry=False, **said)


class TestFollowing:
    def test_while_it_runs_the_page_asks_every_second(self, desk: Client, version: PolicyVersion) -> None:
        run = make_dry_run(version, state="running", result=None, accounts_done=4_500)
        for address in (page(run), page(run, "progress/")):
            said = desk.get(address).content.decode()
            assert f'hx-get="{page(run, "progress/")}" hx-trigger="every 1s"' in said
            assert "4,500 of 15,000 accounts" in said
            assert 'value="30"' in said
            assert "Cancel" in said

    def test_once_it_ended_nobody_asks_again(self, desk: Client, version: PolicyVersion) -> None:
        said = desk.get(page(make_dry_run(version), "progress/")).content.decode()
        assert "hx-get" not in said
        assert "1,214 messages" in said

    def test_one_that_waits_is_cancelled_at_once_and_one_that_runs_is_asked_to_end(
        self, desk: Client, version: PolicyVersion
    ) -> None:
        waits = make_dry_run(version, state="waiting", result=None, accounts_total=0, accounts_done=0)
        runs = make_dry_run(version, state="running", result=None)
        done = make_dry_run(version)
        for run in (waits, runs, done):
            assert desk.post(page(run, "cancel/"))["Location"] == page(run)
            run.refresh_from_db()
        assert [(run.state, run.cancel_asked) for run in (waits, runs, done)] == [
            ("cancelled", True), ("running", True), ("done", False),
        ]  # fmt: skip
        assert "Nothing was found out" in desk.get(page(waits)).content.decode()
        assert "It ends after the accounts it is at" in desk.get(page(runs)).content.decode()
        assert desk.get(page(runs, "cancel/")).status_code == 405

    def test_one_whose_worker_died_is_ended_by_whoever_cancels_it(self, desk: Client, version: PolicyVersion) -> None:
        silent = timezone.now() - timedelta(minutes=3)
        run = make_dry_run(version, state="running", result=None, cancel_asked=True, seen_at=silent)
        assert "has probably died" in desk.get(page(run)).content.decode()
        desk.post(page(run, "cancel/"))
        run.refresh_from_db()
        assert run.state == "cancelled"

    def test_one_that_failed_says_why(self, desk: Client, version: PolicyVersion) -> None:
        run = make_dry_run(version, state="failed", result=None, problem="The worker was stopped.")
        assert "The worker was stopped." in desk.get(page(run)).content.decode()

    def test_nobody_edits_or_deletes_one(self, desk: Client, version: PolicyVersion) -> None:
        run = make_dry_run(version)
        assert desk.post(page(run, "delete/"), {"post": "yes"}).status_code == 403
        assert DryRun.objects.filter(pk=run.pk).exists()

    def test_there_is_no_such_run(self, desk: Client) -> None:
        assert desk.get("/admin/dunning/dryrun/999/change/").status_code == 404
        assert desk.get("/admin/dunning/dryrun/none/change/").status_code == 404

    def test_the_run_of_a_deleted_draft_can_still_be_read(self, desk: Client, version: PolicyVersion) -> None:
        run = make_dry_run(version)
        version.delete()
        assert "a version that was deleted" in desk.get(page(run)).content.decode()


class TestReading:
    def test_the_finding_stands_first(self, desk: Client, version: PolicyVersion) -> None:
        answer = desk.get(page(make_dry_run(version)))
        assert answer.context["headline"] == (
            "1 more barred from calling out; 3 fewer suspended than with today's version; 1,214 messages; 63.81 USD."
        )

    @pytest.mark.parametrize(
        ("changed_to", "said"),
        [
            ({"published": None}, "2 suspended; 1 barred from calling out; 1,214 messages; 63.81 USD."),
            (
                {"published": RESULT["days"]},
                "As many limited as with today's version; 1,214 messages; 63.81 USD.",
            ),
            (
                {"days": [{"date": "2026-03-10", "steps": {}, "messages": {}, "limits": []}], "published": None},
                "Nobody is limited; 0 messages.",
            ),
        ],
    )
    def test_the_finding_of_other_results(self, changed_to: dict[str, Any], said: str) -> None:
        assert dry_run_results.headline(result(**changed_to)) == said

    def test_steps_stand_by_day_in_the_order_of_the_policy(self) -> None:
        table = dry_run_results.steps(RESULT, ["upcoming", "reminder", "suspend"])
        assert table.codes == ["reminder", "suspend", "extra"]
        assert table.rows == [("2026-03-10", [1_204, 1, 2], 1_207), ("2026-03-11", [0, 1, 0], 1)]
        assert (table.totals, table.total) == ([1_204, 2, 2], 1_208)

    def test_each_step_beside_todays_version(self) -> None:
        assert dry_run_results.differences(RESULT, ["reminder", "suspend"])[1] == ("suspend", 2, 5, -3)
        assert dry_run_results.differences(result(published=None), []) == []

    def test_money_adds_up(self) -> None:
        assert dry_run_results.cost(RESULT) == Decimal("63.81")
        assert dry_run_results.fees(RESULT) == [("EUR", Decimal("1.00")), ("USD", Decimal("7.50"))]
        assert dry_run_results.restores(RESULT) == 3

    @pytest.mark.parametrize(
        ("words", "found"), [("", 3), ("a2", 1), ("2026-03-10", 2), ("barred 03-10", 1), ("customer suspended", 2)]
    )
    def test_limits_are_found_by_words(self, words: str, found: int) -> None:
        assert len(dry_run_results.found_limits(RESULT, words=words)) == found

    def test_many_limits_come_in_pages(self, desk: Client, version: PolicyVersion) -> None:
        days = [{**RESULT["days"][0], "limits": [limit(f"A{number:03}") for number in range(120)]}]
        run = make_dry_run(version, result=result(days=days))
        said = desk.get(page(run), {"page": "2"}).content.decode()
        assert "A050" in said
        assert "A049" not in said
        assert "Page 2 of 3" in said
        assert "A119" in desk.get(page(run), {"q": "a119"}).content.decode()

    def test_names_cannot_become_markup(self, desk: Client, version: PolicyVersion) -> None:
        days = [{**RESULT["days"][0], "limits": [limit("A1", name="<script>steal()</script>")]}]
        assert "<script>steal" not in desk.get(page(make_dry_run(version, result=result(days=days)))).content.decode()


class TestFiles:
    def test_everything_as_json(self, desk: Client, version: PolicyVersion) -> None:
        answer = desk.get(page(make_dry_run(version), "result.json"))
        assert json.loads(answer.content) == RESULT
        assert answer["Content-Disposition"].startswith("attachment")

    def test_steps_and_limits_as_csv_that_no_spreadsheet_runs(self, desk: Client, version: PolicyVersion) -> None:
        run = make_dry_run(version)
        steps = list(csv.reader(io.StringIO(desk.get(page(run, "steps.csv")).content.decode())))
        assert steps[0] == ["date", "step", "count"]
        assert ["2026-03-10", "reminder", "1204"] in steps
        limits = list(csv.DictReader(io.StringIO(desk.get(page(run, "limits.csv")).content.decode())))
        assert [row["account_id"] for row in limits] == ["A1", "A7", "A2"]
        assert limits[1]["name"] == "'=cmd|' /C calc'!A0"

    def test_what_has_not_ended_has_none(self, desk: Client, version: PolicyVersion) -> None:
        run = make_dry_run(version, state="running", result=None)
        for end in ("result.json", "steps.csv", "limits.csv"):
            assert desk.get(page(run, end)).status_code == 404


class TestReach:
    def test_a_supervisor_accepts_with_a_reason(self, version: PolicyVersion) -> None:
        run, client = make_dry_run(version, result=too_far()), browser("supervisor")
        assert "Accept with this reason" in client.get(page(run)).content.decode()
        client.post(page(run, "accept/"), {"reason": ""})
        run.refresh_from_db()
        assert run.reach_accepted_by == ""
        client.post(page(run, "accept/"), {"reason": "The backlog of February"})
        run.refresh_from_db()
        assert run.reach_accepted_by.startswith("agent:supervisor")
        said = client.get(page(run)).content.decode()
        assert "The backlog of February" in said
        assert "Accept with this reason" not in said

    def test_the_editor_is_not_asked_and_not_heard(self) -> None:
        client = browser("admin")
        [name] = client.get("/admin/").context["user"].get_username().splitlines()
        mine = writing.save_draft(changed("priority", 7), actor=f"agent:{name}", at=moment())
        run = make_dry_run(mine, result=too_far())
        said = client.get(page(run)).content.decode()
        assert "Accept with this reason" not in said
        assert "somebody else has to accept it" in said
        client.post(page(run, "accept/"), {"reason": "because"})
        run.refresh_from_db()
        assert run.reach_accepted_by == ""

    def test_it_is_a_right_of_its_own(self, version: PolicyVersion) -> None:
        run, client = make_dry_run(version, result=too_far()), browser("supervisor")
        group = client.get("/admin/").context["user"].groups.get()
        group.permissions.remove(group.permissions.get(codename="exceed_blast_radius"))
        assert "takes the right" in client.get(page(run)).content.decode()
        assert client.post(page(run, "accept/"), {"reason": "because"}).status_code == 403

    def test_the_result_says_what_a_publish_still_needs(self, desk: Client, version: PolicyVersion) -> None:
        run = make_dry_run(version)
        met = {one.code: one.is_met for one in desk.get(page(run)).context["conditions"]}
        assert met == {"runs": True, "second_person": True, "dry_run": True, "reach": True}
        writing.save_draft(changed("priority", 7), actor="agent:ada", at=moment())
        said = desk.get(page(run)).content.decode()
        assert "The draft was changed after this run" in said
