"""Policies as files and rows: what is refused, what is kept, and that a published version never changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from accounts.models import AccountEvent
from dunning import policy_file, rulebook, writing
from dunning.models import Agency, PolicyVersion, Step
from tests.factories import moment

RESIDENTIAL = """
code: residential
name: Residential, standard
priority: 100                      # higher is asked first; the first whose applies_to matches is taken
applies_to: {kind: [residential], product: [], segment: [], min_tenure_days: 0}
enters: {min_amount: "10.00", min_days: 1}
exits:  {max_amount: "0.00"}
min_gap_days: 1                    # between two steps on one account, also when catching up
calendar: {country: US, roll: next_working_day}                  # library: holidays
fees: {late_fee: "0.00", reconnection_fee: "0.00"}
agency: null
steps:
  - {code: upcoming,  day: -5, action: notify, channels: [sms, email], template: upcoming}
  - {code: reminder,  day: 4,  action: notify, channels: [email, sms], template: reminder}
  - {code: warning,   day: 11, action: notify, channels: [sms, email], template: suspension-warning, pay_by_days: 8}
  - {code: final,     day: 18, action: notify, channels: [email, letter], template: final-notice, pay_by_days: 6}
  - {code: bar,       day: 24, action: limit, rung: outgoing_barred, warned_by: final, notice_days: 5}
  - {code: suspend,   day: 31, action: limit, rung: suspended, warned_by: final, notice_days: 5}
  - {code: desk,      day: 32, action: transfer_to_collections}
  - {code: placement, day: 75, action: notify, channels: [email, letter], template: placement-notice, pay_by_days: 14}
  - {code: agency,    day: 90, action: place_with_agency, agency: northside, warned_by: placement, notice_days: 14}
  - {code: write-off, day: 180, action: write_off, approval: required}
"""

EVERYTHING_SAID: dict[str, Any] = {
    "code": "business:in",
    "name": "Business, India, größer भारत",
    "priority": 250,
    "applies_to": {"kind": ["business"], "product": ["fibre"], "segment": ["gold", "no"], "min_tenure_days": 90},
    "enters": {"min_amount": {"INR": "500.00", "JPY": "800", "KWD": "1.250"}, "min_days": 3},
    "exits": {"max_amount": {"INR": "5.00"}},
    "min_gap_days": 2,
    "calendar": {"country": "IN", "region": "MH", "roll": "none"},
    "fees": {"late_fee": {"INR": "100.00"}, "reconnection_fee": "0.5"},
    "agency": "southside",
    "limits_children": True,
    "after_broken": "cut",
    "steps": [
        {
            "code": "warn", "day": 5, "action": "notify", "channels": ["letter", "in_app"], "all_channels": True,
            "template": "final-notice", "pay_by_days": 9,
        },
        {"code": "fee", "day": 6, "action": "charge_fee", "fee": "reconnection_fee", "min_amount": {"INR": "900.00"}},
        {"code": "look", "day": 6, "action": "create_task", "only_if": {"segment": ["gold"], "min_tenure_days": 30}},
        {"code": "cut", "day": 20, "action": "limit", "rung": "throttled", "warned_by": "warn", "notice_days": 0},
        {"code": "desk", "day": 30, "action": "transfer_to_collections", "min_amount": "12.5"},
        {"code": "place", "day": 60, "action": "place_with_agency", "warned_by": "warn", "notice_days": 30},
        {"code": "off", "day": 400, "action": "write_off"},
    ],
}  # fmt: skip


def residential() -> dict[str, Any]:
    return writing.read(RESIDENTIAL)


def reasons(document: dict[str, Any]) -> dict[str, str]:
    return {problem.path: problem.reason for problem in writing.check(document)}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The residential policy with one value set, by a path such as ``steps.4.rung``; ``...`` takes the key away."""
    document = copy.deepcopy(residential())
    *way, last = path.split(".")
    place: Any = document
    for key in way:
        place = place[int(key)] if isinstance(place, list) else place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize("document", [residential(), EVERYTHING_SAID], ids=["residential", "everything"])
def test_a_sound_policy_has_no_problems(document: dict[str, Any]) -> None:
    assert writing.check(document) == []


@pytest.mark.parametrize("document", [residential(), EVERYTHING_SAID], ids=["residential", "everything"])
def test_a_written_policy_reads_as_the_same_document(document: dict[str, Any]) -> None:
    tidied = policy_file.tidy(document)
    text = policy_file.write(tidied)
    assert policy_file.tidy(writing.read(text)) == tidied
    assert policy_file.write(policy_file.tidy(writing.read(text))) == text


def test_keys_are_written_in_the_order_of_the_format() -> None:
    text = policy_file.write(policy_file.tidy(dict(reversed(residential().items()))))
    keys = [line.split(":")[0] for line in text.splitlines() if line[0].isalpha()]
    assert keys == [
        "code", "name", "priority", "applies_to", "enters", "exits", "min_gap_days", "calendar", "fees", "agency",
        "steps",
    ]  # fmt: skip
    assert "  - {code: bar, day: 24, action: limit, rung: outgoing_barred, warned_by: final, notice_days: 5}" in text


def test_steps_are_kept_in_the_order_they_run() -> None:
    document = residential()
    document["steps"].reverse()
    document["steps"] += [{"code": "second", "day": 32, "action": "create_task"}]
    days = [(step["day"], step["code"]) for step in policy_file.tidy(document)["steps"]]
    assert [day for day, _code in days] == sorted(day for day, _code in days)
    assert days.index((32, "desk")) < days.index((32, "second"))


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("colour", "blue", "colour"),
        ("code", ..., "code"),
        ("code", "two words", "code"),
        ("name", "two\nlines", "name"),
        ("priority", "high", "priority"),
        ("priority", True, "priority"),
        ("steps", ..., "steps"),
        ("steps", {}, "steps"),
        ("applies_to.kind", ["private"], "applies_to.kind[0]"),
        ("applies_to.product", "fibre", "applies_to.product"),
        ("applies_to.colour", [], "applies_to.colour"),
        ("applies_to.min_tenure_days", -1, "applies_to.min_tenure_days"),
        ("enters", ["10"], "enters"),
        ("enters.min_amount", "-1", "enters.min_amount"),
        ("enters.min_amount", "1.2345", "enters.min_amount"),
        ("enters.min_amount", "ten", "enters.min_amount"),
        ("enters.min_amount", {}, "enters.min_amount"),
        ("enters.min_amount", {"USD": "1.005"}, "enters.min_amount.USD"),
        ("enters.min_amount", {"JPY": "1.5"}, "enters.min_amount.JPY"),
        ("enters.min_amount", {"ABC": "1"}, "enters.min_amount.ABC"),
        ("enters.min_amount", {"EUR": "-1"}, "enters.min_amount.EUR"),
        ("exits.max_amount", float("inf"), "exits.max_amount"),
        ("min_gap_days", 0, "min_gap_days"),
        ("min_gap_days", "1", "min_gap_days"),
        ("calendar.country", "XX", "calendar.country"),
        ("calendar.region", "Bavaria", "calendar.region"),
        ("calendar.roll", "backwards", "calendar.roll"),
        ("fees.late_fee", True, "fees.late_fee"),
        ("fees.tea", "1", "fees.tea"),
        ("agency", "two words", "agency"),
        ("limits_children", "yes", "limits_children"),
        ("after_broken", "nothing", "after_broken"),
        ("after_broken", "upcoming", "after_broken"),
        ("after_broken", ["final"], "after_broken"),
        ("steps.0.action", "shout", "steps[0].action"),
        ("steps.0.action", ..., "steps[0].action"),
        ("steps.0.channels", ["pigeon"], "steps[0].channels[0]"),
        ("steps.0.channels", ["sms", "sms"], "steps[0].channels[1]"),
        ("steps.0.channels", [], "steps[0].channels"),
        ("steps.0.template", ..., "steps[0].template"),
        ("steps.1.day", "soon", "steps[1].day"),
        ("steps.1.code", "upcoming", "steps[1].code"),
        ("steps.1.volume", 11, "steps[1].volume"),
        ("steps.1.rung", "suspended", "steps[1].rung"),
        ("steps.2.pay_by_days", 0, "steps[2].pay_by_days"),
        ("steps.4.rung", "active", "steps[4].rung"),
        ("steps.4.rung", ..., "steps[4].rung"),
        ("steps.4.warned_by", ..., "steps[4].warned_by"),
        ("steps.4.notice_days", ..., "steps[4].notice_days"),
        ("steps.4.notice_days", -1, "steps[4].notice_days"),
        ("steps.4.warned_by", "nothing", "steps[4].warned_by"),
        ("steps.4.warned_by", "suspend", "steps[4].warned_by"),
        ("steps.4.warned_by", "placement", "steps[4].warned_by"),
        ("steps.4.warned_by", "upcoming", "steps[4].warned_by"),
        ("steps.4.min_amount", {"EUR": "1.001"}, "steps[4].min_amount.EUR"),
        ("steps.4.only_if", {"kind": ["both"]}, "steps[4].only_if.kind[0]"),
        ("steps.4.day", -3, "steps[4].day"),
        ("steps.8.agency", ..., "steps[8].agency"),
        ("steps.8.warned_by", ..., "steps[8].warned_by"),
        ("steps.8.notice_days", ..., "steps[8].notice_days"),
        ("steps.9.approval", "maybe", "steps[9].approval"),
    ],
)
def test_what_cannot_run_is_refused_where_it_stands(path: str, value: Any, where: str) -> None:
    assert where in reasons(changed(path, value))


def test_the_policys_agency_serves_steps_that_name_none() -> None:
    document = changed("steps.8.agency", ...)
    document["agency"] = "northside"
    assert writing.check(document) == []


def test_only_the_code_and_the_steps_have_to_be_said() -> None:
    document = {"code": "least", "steps": []}
    assert writing.check(document) == []
    assert policy_file.tidy(document)["min_gap_days"] == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("code: a\ncode: b\nsteps: []", "line 2: 'code' stands here twice"),
        ("code: a\nsteps: [{code: x, day: 1, day: 2}]", "line 2: 'day' stands here twice"),
        ("code: [", "line 1"),
        ("- code", "a policy is a map"),
        ("", "a policy is a map"),
        ("code: &a x\nname: *a", "line 2: aliases have no place"),
        ("code: !!python/object/apply:os.system [ls]", "line 1: could not determine a constructor"),
        ("code: a\n---\ncode: b", "line 2"),
        ("[" * 20_000, "nested too deeply"),
        ("code: \x00", "not YAML"),
    ],
)
def test_a_text_that_is_no_policy_says_where(text: str, reason: str) -> None:
    with pytest.raises(writing.UnreadablePolicy) as refused:
        writing.read(text)
    assert reason in str(refused.value)


def test_yaml_is_read_as_it_looks() -> None:
    document = writing.read(
        "country: NO\nwhen: 2026-01-01\namount: 10.50\nday: 010\ncount: 12\nyes: on\nnone: ~\ntrue: true"
    )
    assert document == {
        "country": "NO", "when": "2026-01-01", "amount": "10.50", "day": "010", "count": 12, "yes": "on", "none": None,
        True: True,
    }  # fmt: skip


def test_problems_name_the_lines_of_the_file() -> None:
    text = RESIDENTIAL.replace("rung: suspended", "rung: low").replace('min_amount: "10.00"', 'min_amount: {USD: "x"}')
    problems = writing.located(writing.check(writing.read(text)), text)
    assert [(problem.line, problem.path) for problem in problems] == [
        (6, "enters.min_amount.USD"),
        (18, "steps[5].rung"),
    ]
    missing = writing.located(writing.check(writing.read("code: a\nname: b")), "code: a\nname: b")
    assert [(problem.line, problem.path) for problem in missing] == [(None, "steps")]


@pytest.mark.django_db
class TestRows:
    def test_a_saved_draft_says_what_the_document_says(self) -> None:
        draft = writing.save_draft(EVERYTHING_SAID, actor="agent:ada", at=moment())
        assert (draft.number, draft.state, draft.created_by) == (1, "draft", "agent:ada")
        assert writing.document_of(draft) == policy_file.tidy(EVERYTHING_SAID)
        assert policy_file.tidy(writing.read(writing.export(draft))) == policy_file.tidy(EVERYTHING_SAID)

    def test_rules_of_a_document_are_the_rules_of_its_rows(self) -> None:
        for document in (residential(), EVERYTHING_SAID):
            draft = writing.save_draft(document, actor="import", at=moment())
            stored = rulebook.rules_of([draft.pk])[draft.pk]
            assert writing.rules(document, number=1).steps == stored.steps
            assert writing.rules(document, number=1).enter_min_amount == stored.enter_min_amount

    def test_agencies_come_into_being_with_the_policy_that_names_them(self) -> None:
        Agency.objects.create(code="southside", name="Southside Ltd")
        writing.save_draft(residential(), actor="import", at=moment())
        writing.save_draft(EVERYTHING_SAID, actor="import", at=moment())
        assert dict(Agency.objects.values_list("code", "name")) == {
            "northside": "northside",
            "southside": "Southside Ltd",
        }

    def test_a_document_with_problems_is_not_saved(self) -> None:
        with pytest.raises(writing.CannotSave) as refused:
            writing.save_draft(changed("min_gap_days", 0), actor="import", at=moment())
        assert [problem.path for problem in refused.value.problems] == ["min_gap_days"]
        assert not PolicyVersion.objects.exists()

    def test_saving_again_changes_the_draft_and_steps_keep_their_rows(self) -> None:
        first = writing.save_draft(residential(), actor="import", at=moment())
        rows = dict(first.steps.values_list("code", "pk"))
        document = residential()
        document["steps"] = [step for step in document["steps"] if step["code"] != "reminder"]
        document["steps"][1]["day"] = 40
        document["steps"].append({"code": "look", "day": 7, "action": "create_task"})
        del document["steps"][2]["pay_by_days"]
        document["steps"] = [step for step in document["steps"] if step["code"] not in {"bar", "suspend"}]
        second = writing.save_draft(document, actor="import", at=moment())
        assert second.pk == first.pk
        assert writing.document_of(second) == policy_file.tidy(document)
        kept = dict(second.steps.values_list("code", "pk"))
        assert kept.keys() == rows.keys() - {"reminder", "bar", "suspend"} | {"look"}
        assert all(kept[code] == rows[code] for code in kept.keys() & rows.keys())

    def test_steps_may_swap_their_codes(self) -> None:
        document = residential()
        writing.save_draft(document, actor="import", at=moment())
        steps = document["steps"]
        steps[0]["code"], steps[1]["code"] = steps[1]["code"], steps[0]["code"]
        draft = writing.save_draft(document, actor="import", at=moment())
        assert writing.document_of(draft) == policy_file.tidy(document)

    def test_publishing_retires_the_version_before(self) -> None:
        first = writing.publish(
            writing.save_draft(residential(), actor="import", at=moment()), actor="agent:ada", at=moment()
        )
        assert (first.state, first.published_by, first.published_at) == ("published", "agent:ada", moment())
        draft = writing.save_draft(changed("priority", 7), actor="import", at=moment())
        assert draft.number == 2
        writing.publish(draft, actor="agent:ada", at=moment())
        assert dict(PolicyVersion.objects.values_list("number", "state")) == {1: "retired", 2: "published"}
        assert [rules.number for rules in rulebook.published()] == [2]

    def test_only_a_draft_can_be_published(self) -> None:
        version = writing.publish(
            writing.save_draft(residential(), actor="import", at=moment()), actor="x", at=moment()
        )
        with pytest.raises(writing.CannotPublish):
            writing.publish(version, actor="x", at=moment())

    def test_drafting_and_publishing_are_history(self) -> None:
        writing.publish(
            writing.save_draft(residential(), actor="agent:ada", at=moment()), actor="agent:bo", at=moment()
        )
        events = AccountEvent.objects.order_by("pk").values_list("kind", "actor", "policy", "account")
        assert list(events) == [
            ("dunning.policy.drafted", "agent:ada", "residential@1", None),
            ("dunning.policy.published", "agent:bo", "residential@1", None),
        ]

    def test_a_copy_becomes_a_draft_and_never_overwrites_one(self) -> None:
        version = writing.publish(writing.save_draft(residential(), actor="x", at=moment()), actor="x", at=moment())
        draft = writing.copy_to_draft(version, actor="agent:ada", at=moment())
        assert (draft.number, draft.state) == (2, "draft")
        assert writing.document_of(draft) == writing.document_of(version)
        with pytest.raises(writing.CannotCopy):
            writing.copy_to_draft(version, actor="agent:ada", at=moment())

    def test_the_published_version_is_known_again(self) -> None:
        draft = writing.save_draft(residential(), actor="x", at=moment())
        assert writing.same_as_published(residential()) is None
        version = writing.publish(draft, actor="x", at=moment())
        assert writing.same_as_published(residential()) == version
        assert writing.same_as_published(changed("priority", 1)) is None

    def test_templates_nobody_wrote_are_named(self) -> None:
        assert writing.unknown_templates(residential()) == []
        assert writing.unknown_templates(changed("steps.0.template", "poem")) == ["poem"]


def _published() -> PolicyVersion:
    return writing.publish(writing.save_draft(residential(), actor="x", at=moment()), actor="x", at=moment())


def _retired() -> PolicyVersion:
    version = _published()
    writing.publish(writing.save_draft(changed("priority", 7), actor="x", at=moment()), actor="x", at=moment())
    return PolicyVersion.objects.get(pk=version.pk)


@pytest.mark.django_db
class TestTheDatabaseRefuses:
    @pytest.mark.parametrize("make", [_published, _retired])
    @pytest.mark.parametrize(
        "change",
        [
            {"name": "Other"},
            {"number": 99},
            {"enter_min_amount": "0"},
            {"published_by": "somebody"},
            {"state": "draft"},
            {"state": "retired", "priority": 1},
        ],
    )
    def test_any_change_of_a_version_that_was_published(self, make: Any, change: dict[str, Any]) -> None:
        version = make()
        with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
            PolicyVersion.objects.filter(pk=version.pk).update(**change)

    def test_bringing_a_retired_version_back(self) -> None:
        version = _retired()
        PolicyVersion.objects.filter(state="published").update(state="retired")
        with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
            PolicyVersion.objects.filter(pk=version.pk).update(state="published")

    @pytest.mark.parametrize("make", [_published, _retired])
    def test_deleting_it_or_its_steps(self, make: Any) -> None:
        version = make()
        with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
            version.delete()
        with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
            version.steps.all().delete()

    def test_changing_adding_or_moving_its_steps(self) -> None:
        version = _published()
        with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
            version.steps.filter(code="bar").update(day=1)
        with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
            Step.objects.create(version=version, position=99, code="new", day=1, action="create_task")
        draft = writing.copy_to_draft(version, actor="x", at=moment())
        with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
            draft.steps.filter(code="bar").update(version=version, code="elsewhere")

    def test_a_draft_may_be_changed_and_deleted(self) -> None:
        draft = writing.save_draft(residential(), actor="x", at=moment())
        draft.steps.filter(code="bar").update(day=25)
        PolicyVersion.objects.filter(pk=draft.pk).update(name="Other")
        draft.delete()
        assert not PolicyVersion.objects.exists()
        assert not Step.objects.exists()
