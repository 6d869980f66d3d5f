"""From draft to publish: what is kept of every change, who may publish, after which dry run, and who answers for it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from accounts import business_day
from accounts.models import AccountEvent
from dunning import policy_file, writing
from dunning.models import Experiment, Policy, PolicyChange, PolicyVersion
from tests.dunning.test_writing import EVERYTHING_SAID, changed, residential
from tests.dunning.tried import make_dry_run, too_far
from tests.factories import TODAY, moment

pytestmark = pytest.mark.django_db

ADA, BO, CY = "agent:ada", "agent:bo", "agent:cy"


@pytest.fixture(autouse=True)
def _business_date() -> None:
    business_day.move_to(TODAY)


def draft_by(actor: str, document: dict[str, Any] | None = None) -> PolicyVersion:
    return writing.save_draft(document or residential(), actor=actor, at=moment())


def missing(version: PolicyVersion, actor: str) -> list[str]:
    return [one.code for one in writing.conditions(version, actor=actor, as_of=TODAY) if not one.is_met]


class TestWhatIsKeptOfAChange:
    def test_the_lines_that_came_and_went_with_who_and_when(self) -> None:
        draft_by(ADA)
        draft = writing.save_draft(changed("steps.4.day", 27), actor=BO, at=moment(hour=15))
        assert (draft.created_by, draft.changed_by, draft.changed_at) == (ADA, BO, moment(hour=15))
        change = PolicyChange.objects.latest("pk")
        assert (change.version, change.by, change.at) == (draft, BO, moment(hour=15))
        assert [line[:18] for line in change.lines] == ["-  - {code: bar, d", "+  - {code: bar, d"]
        assert "day: 24" in change.lines[0]
        assert "day: 27" in change.lines[1]

    def test_the_order_in_which_currencies_were_written_is_no_change(self) -> None:
        document = changed("enters.min_amount", {"USD": "10.00", "EUR": "9.00"})
        draft_by(ADA, document)
        draft = draft_by(BO, {**document, "priority": 7})
        assert draft.changes.latest("pk").lines == ["-priority: 100", "+priority: 7"]

    def test_the_first_draft_is_a_change_from_nothing(self) -> None:
        lines = draft_by(ADA).changes.get().lines
        assert lines == [f"+{line}" for line in policy_file.write(policy_file.tidy(residential())).splitlines()]

    def test_a_later_draft_is_a_change_from_the_version_before(self) -> None:
        writing.publish(draft_by(ADA), actor=BO, at=moment())
        second = draft_by(BO, changed("priority", 7))
        assert second.changes.get().lines == ["-priority: 100", "+priority: 7"]

    def test_a_copy_that_says_the_same_is_no_change(self) -> None:
        version = writing.publish(draft_by(ADA), actor=BO, at=moment())
        copy = writing.copy_to_draft(version, actor=BO, at=moment())
        assert (copy.created_by, copy.changes.count()) == (BO, 0)

    def test_saving_what_stands_there_makes_nobody_its_editor(self) -> None:
        draft = draft_by(ADA)
        again = draft_by(BO)
        assert (again.pk, again.changed_by, draft.changes.count()) == (draft.pk, ADA, 1)
        assert AccountEvent.objects.count() == 1


class TestDigests:
    def test_what_says_the_same_has_the_same(self) -> None:
        again = dict(reversed(residential().items())) | {"limits_children": False, "min_gap_days": 1}
        assert writing.digest_of(again) == writing.digest_of(residential())
        assert writing.digest_of(writing.document_of(draft_by(ADA))) == writing.digest_of(residential())

    @pytest.mark.parametrize(("path", "value"), [("steps.4.day", 25), ("name", "Other"), ("fees.late_fee", "0.01")])
    def test_any_difference_is_another(self, path: str, value: Any) -> None:
        assert writing.digest_of(changed(path, value)) != writing.digest_of(residential())


class TestFourEyes:
    def test_the_last_editor_does_not_publish(self) -> None:
        draft_by(ADA)
        draft = draft_by(BO, changed("priority", 7))
        make_dry_run(draft, as_of=TODAY)
        assert missing(draft, BO) == ["second_person"]
        with pytest.raises(writing.CannotPublish, match="bo changed it last"):
            writing.publish_reviewed(draft, actor=BO, at=moment())
        assert writing.publish_reviewed(draft, actor=ADA, at=moment()).state == "published"

    def test_whoever_made_it_counts_where_nobody_changed_it_since(self) -> None:
        draft = draft_by(ADA)
        PolicyVersion.objects.update(changed_by="")
        draft.refresh_from_db()
        assert "second_person" in missing(draft, ADA)

    def test_a_desk_may_do_without(self, settings: Any) -> None:
        settings.DESK_PUBLISH_FOUR_EYES = False
        draft = draft_by(ADA)
        make_dry_run(draft, as_of=TODAY)
        assert writing.publish_reviewed(draft, actor=ADA, at=moment()).published_by == ADA

    def test_a_command_needs_nobody_else(self) -> None:
        assert writing.publish(draft_by(ADA), actor=ADA, at=moment()).state == "published"


class TestTheDryRunBefore:
    def test_without_one_nothing_is_published(self) -> None:
        draft = draft_by(ADA)
        assert missing(draft, BO) == ["dry_run"]
        with pytest.raises(writing.CannotPublish, match="No dry run of just this content"):
            writing.publish_reviewed(draft, actor=BO, at=moment())
        draft.refresh_from_db()
        assert draft.state == "draft"

    @pytest.mark.parametrize(
        "columns",
        [{"as_of": TODAY - timedelta(days=1)}, {"state": "running"}, {"state": "cancelled"}, {"state": "failed"}],
    )
    def test_yesterdays_and_unfinished_ones_do_not_count(self, columns: dict[str, Any]) -> None:
        draft = draft_by(ADA)
        make_dry_run(draft, **{"as_of": TODAY, **columns})
        assert missing(draft, BO) == ["dry_run"]

    def test_one_of_other_content_does_not_count_and_counts_again_when_the_content_is_back(self) -> None:
        draft = draft_by(ADA)
        make_dry_run(draft, as_of=TODAY)
        draft = draft_by(ADA, changed("priority", 7))
        assert missing(draft, BO) == ["dry_run"]
        assert missing(draft_by(ADA), BO) == []

    def test_a_desk_may_do_without(self, settings: Any) -> None:
        settings.DESK_PUBLISH_DRY_RUN = False
        assert writing.publish_reviewed(draft_by(ADA), actor=BO, at=moment()).state == "published"

    def test_what_was_changed_while_somebody_looked_is_not_published(self) -> None:
        draft = draft_by(ADA)
        seen = writing.digest_of(writing.document_of(draft))
        draft = draft_by(ADA, changed("priority", 7))
        make_dry_run(draft, as_of=TODAY)
        with pytest.raises(writing.CannotPublish, match="changed while you looked at it"):
            writing.publish_reviewed(draft, actor=BO, at=moment(), digest=seen)

    def test_a_deleted_draft_is_not_published(self) -> None:
        draft = draft_by(ADA)
        stale = PolicyVersion.objects.select_related("policy").get(pk=draft.pk)
        draft_of_other = draft_by(ADA, EVERYTHING_SAID)
        PolicyVersion.objects.filter(pk=draft.pk).delete()
        with pytest.raises(writing.CannotPublish, match="deleted"):
            writing.publish_reviewed(stale, actor=BO, at=moment())
        assert draft_of_other.state == "draft"


class TestReach:
    def test_a_version_that_limits_too_many_needs_somebody_who_answers_for_it(self) -> None:
        draft = draft_by(ADA)
        run = make_dry_run(draft, as_of=TODAY, result=too_far())
        assert missing(draft, BO) == ["reach"]
        with pytest.raises(writing.CannotPublish, match="800 of 4,020 open accounts"):
            writing.publish_reviewed(draft, actor=BO, at=moment())
        accepted = writing.accept_reach(run, actor=BO, reason="  The backlog of\nFebruary ", at=moment())
        assert (accepted.reach_accepted_by, accepted.reach_reason) == (BO, "The backlog of February")
        event = AccountEvent.objects.latest("pk")
        assert (event.kind, event.actor, event.reason) == (
            "dunning.policy.reach_accepted", BO, "The backlog of February",
        )  # fmt: skip
        assert event.payload == {"dry_run": run.pk, "digest": run.digest}
        assert writing.publish_reviewed(draft, actor=CY, at=moment()).state == "published"

    @pytest.mark.parametrize("reason", ["", "  \n "])
    def test_it_takes_a_reason(self, reason: str) -> None:
        run = make_dry_run(draft_by(ADA), as_of=TODAY, result=too_far())
        with pytest.raises(writing.CannotAccept, match="Say why"):
            writing.accept_reach(run, actor=BO, reason=reason, at=moment())

    def test_the_editor_does_not_answer_for_his_own(self, settings: Any) -> None:
        run = make_dry_run(draft_by(ADA), as_of=TODAY, result=too_far())
        with pytest.raises(writing.CannotAccept, match="somebody else has to answer"):
            writing.accept_reach(run, actor=ADA, reason="because", at=moment())
        settings.DESK_PUBLISH_FOUR_EYES = False
        assert writing.accept_reach(run, actor=ADA, reason="because", at=moment()).reach_accepted_by == ADA

    def test_only_what_is_too_far_and_once(self) -> None:
        draft = draft_by(ADA)
        near = make_dry_run(draft, as_of=TODAY)
        far = make_dry_run(draft, as_of=TODAY, result=too_far())
        writing.accept_reach(far, actor=BO, reason="because", at=moment())
        for run in (near, far):
            with pytest.raises(writing.CannotAccept, match="nothing to accept"):
                writing.accept_reach(run, actor=CY, reason="again", at=moment())

    def test_a_later_dry_run_is_judged_anew(self) -> None:
        draft = draft_by(ADA)
        writing.accept_reach(
            make_dry_run(draft, as_of=TODAY, result=too_far()), actor=BO, reason="because", at=moment()
        )
        make_dry_run(draft, as_of=TODAY, result=too_far())
        assert missing(draft, BO) == ["reach"]


class TestCopies:
    def test_a_retired_version_becomes_a_draft_again(self) -> None:
        first = writing.publish(draft_by(ADA), actor=BO, at=moment())
        writing.publish(draft_by(ADA, changed("priority", 7)), actor=BO, at=moment())
        first.refresh_from_db()
        assert first.state == "retired"
        copy = writing.copy_to_draft(first, actor=CY, at=moment())
        assert (copy.number, writing.document_of(copy)) == (3, writing.document_of(first))

    def test_a_version_becomes_another_policy(self) -> None:
        version = writing.publish(draft_by(ADA), actor=BO, at=moment())
        copy = writing.copy_to_policy(version, code="vip", name="Our best", actor=CY, at=moment())
        assert (str(copy), copy.name, copy.state, copy.created_by) == ("vip@1", "Our best", "draft", CY)
        said = {**writing.document_of(version), "code": "vip", "name": "Our best"}
        assert writing.document_of(copy) == said

    def test_another_policys_code_is_refused(self) -> None:
        version = draft_by(ADA)
        with pytest.raises(writing.CannotCopy, match="residential already"):
            writing.copy_to_policy(version, code="residential", name="Mine", actor=CY, at=moment())
        with pytest.raises(writing.CannotSave):
            writing.copy_to_policy(version, code="two words", name="Mine", actor=CY, at=moment())
        assert PolicyVersion.objects.count() == 1


class TestDeletingADraft:
    def test_a_policy_without_versions_goes_with_it(self) -> None:
        writing.delete_draft(draft_by(ADA), actor=BO, at=moment())
        assert not Policy.objects.exists()
        last = AccountEvent.objects.latest("pk")
        assert (last.kind, last.actor, last.policy) == ("dunning.policy.draft_deleted", BO, "residential@1")

    def test_one_with_other_versions_or_experiments_stays(self) -> None:
        writing.publish(draft_by(ADA), actor=BO, at=moment())
        writing.delete_draft(draft_by(ADA, changed("priority", 7)), actor=BO, at=moment())
        assert Policy.objects.get().versions.count() == 1
        draft = draft_by(ADA, EVERYTHING_SAID)
        Experiment.objects.create(
            code="e", name="E", policy=draft.policy, starts_on=TODAY, ends_on=TODAY, created_by=ADA, created_at=moment()
        )
        writing.delete_draft(draft, actor=BO, at=moment())
        assert Policy.objects.filter(code="business:in").exists()


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_of_two_who_publish_at_once_exactly_one_wins_and_the_other_hears_why(self) -> None:
        draft = draft_by(ADA)
        make_dry_run(draft, as_of=TODAY)
        start = threading.Barrier(2)

        def publish(actor: str) -> str:
            try:
                start.wait(timeout=10)
                return writing.publish_reviewed(draft, actor=actor, at=moment()).published_by
            except writing.CannotPublish as refusal:
                return str(refusal)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            answers = sorted(pool.map(publish, (BO, CY)), key=len)
        assert answers[0] in (BO, CY)
        assert answers[1] == "residential@1 is published; only a draft can be published."
        assert PolicyVersion.objects.get().published_by == answers[0]
        assert AccountEvent.objects.filter(kind="dunning.policy.published").count() == 1

    def test_of_a_change_and_a_publish_at_once_what_is_published_was_tried(self) -> None:
        for _round in range(5):
            draft = draft_by(ADA)
            make_dry_run(draft, as_of=TODAY)
            start = threading.Barrier(2)

            def publish(version: PolicyVersion = draft, start: threading.Barrier = start) -> None:
                try:
                    start.wait(timeout=10)
                    writing.publish_reviewed(version, actor=BO, at=moment())
                except writing.CannotPublish:
                    pass
                finally:
                    connection.close()

            def change(start: threading.Barrier = start) -> None:
                try:
                    start.wait(timeout=10)
                    writing.save_draft(changed("priority", 7), actor=CY, at=moment())
                finally:
                    connection.close()

            with ThreadPoolExecutor(2) as pool:
                for done in (pool.submit(publish), pool.submit(change)):
                    done.result(timeout=30)
            published = PolicyVersion.objects.filter(state="published").first()
            assert published is None or published.priority == 100
            PolicyVersion.objects.filter(state="draft").delete()
