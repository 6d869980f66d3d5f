"""The admin: who gets in, policies as forms, and what the customer got."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from accounts import holds
from accounts.models import AccountEvent, Fee, JournalEntry, RejectedRow, Seal, UnreachableAddress
from agents.models import (
    Agent,
    CallEffect,
    Complaint,
    Cost,
    Dispute,
    Interaction,
    KpiTarget,
    Plan,
    Promise,
    QueueOrder,
    ScriptText,
    Stretch,
    Survey,
)
from dunning import notice_texts, rule_packs, writing
from dunning.models import (
    Agency,
    BillStep,
    Case,
    CaseStep,
    Experiment,
    GateDecision,
    HoldRule,
    Notice,
    OutboxMessage,
    Placement,
    PolicyVersion,
    Segment,
    ServiceOrder,
)
from dunning.text_messages import sms_segments
from tests.dunning.test_writing import EVERYTHING_SAID, RESIDENTIAL, residential
from tests.dunning.tried import make_dry_run
from tests.factories import (
    TODAY,
    make_adjustment,
    make_agent,
    make_customer,
    make_item,
    make_payment,
    make_service,
    make_team,
    moment,
    owing,
)

pytestmark = pytest.mark.django_db

OURS = [model for model in admin.site._registry if model._meta.app_label in {"accounts", "dunning", "agents"}]
ADD = "/admin/dunning/policyversion/add/"


def browser(role: str) -> Client:
    client = Client()
    client.force_login(make_agent(role))
    return client


@pytest.fixture
def desk() -> Client:
    """An admin's browser."""
    return browser("admin")


def page(version: PolicyVersion, name: str = "change") -> str:
    return f"/admin/dunning/policyversion/{version.pk}/{name}/"


def draft_of(document: dict[str, Any] | None = None) -> PolicyVersion:
    return writing.save_draft(document or residential(), actor="import", at=moment())


def published() -> PolicyVersion:
    return writing.publish(draft_of(), actor="import", at=moment())


def seen(client: Client, draft: PolicyVersion) -> dict[str, str]:
    """What the publish page sends back."""
    return {"digest": client.get(page(draft, "publish")).context["digest"]}


def form_of(client: Client, address: str) -> dict[str, Any]:
    """What a browser would send back from the form at that address, nothing changed."""
    context = client.get(address).context
    forms = [context["adminform"].form]
    for formset in (inline.formset for inline in context["inline_admin_formsets"]):
        forms += [formset.management_form, *formset.forms]
    fields = [bound for form in forms for bound in form]
    said = {bound.html_name: bound.value() for bound in fields}
    return {name: value for name, value in said.items() if value is not None and value is not False}


class TestTheDoor:
    @pytest.mark.parametrize("role", ["admin", "supervisor"])
    def test_admins_and_supervisors_come_in(self, role: str) -> None:
        assert browser(role).get("/admin/").status_code == 200

    def test_agents_do_not_even_when_they_are_staff(self) -> None:
        client = browser("agent")
        Agent.objects.update(is_staff=True)
        assert client.get("/admin/", follow=True).status_code == 403

    def test_visitors_are_sent_to_the_desks_login(self) -> None:
        answer = Client().get("/admin/dunning/policy/")
        assert answer["Location"].startswith("/admin/login/")
        assert Client().get(answer["Location"])["Location"] == "/login/?next=/admin/dunning/policy/"

    def test_somebody_who_left_stays_out(self) -> None:
        client = browser("admin")
        Agent.objects.update(is_active=False)
        assert client.get("/admin/").status_code == 302

    def test_supervisors_read_policies_and_change_none(self) -> None:
        client, version = browser("supervisor"), draft_of()
        answer = client.get(page(version))
        assert "_save" not in answer.content.decode()
        assert "In plain words" in answer.content.decode()
        assert client.post(page(version), {"name": "Mine"}).status_code == 403
        assert client.post(page(version, "delete"), {"post": "yes"}).status_code == 403
        assert client.get(page(version, "duplicate")).status_code == 403
        assert client.get("/admin/dunning/policy/move-cases/").status_code == 403
        assert client.get(ADD).status_code == 403
        assert client.get("/admin/dunning/policy/upload/").status_code == 403
        assert client.post(f"/admin/dunning/policyversion/describe/?version={version.pk}").status_code == 403

    def test_an_admin_cannot_rise_above_itself(self, desk: Client) -> None:
        root = Agent.objects.create(username="root", is_superuser=True)
        assert desk.post(f"/admin/agents/agent/{root.pk}/change/", {"username": "mine"}).status_code == 403
        assert desk.post(f"/admin/agents/agent/{root.pk}/password/", {}).status_code == 403
        names = desk.get("/admin/agents/agent/add/").context["adminform"].form.fields
        assert set(names).isdisjoint({"is_superuser", "user_permissions", "is_staff"})


class TestPoliciesAsForms:
    @pytest.mark.parametrize("document", [residential(), EVERYTHING_SAID], ids=["residential", "everything"])
    def test_a_draft_saved_unchanged_says_the_same(self, desk: Client, document: dict[str, Any]) -> None:
        version = draft_of(document)
        said = writing.document_of(version)
        answer = desk.post(page(version), form_of(desk, page(version)))
        assert answer.status_code == 302
        version.refresh_from_db()
        assert writing.document_of(version) == said

    def test_what_is_changed_is_kept(self, desk: Client) -> None:
        version = draft_of()
        form = form_of(desk, page(version))
        form |= {
            "enter_min_amount": "usd 10.00, EUR 9",
            "segment": "gold, silver",
            "steps-4-day": "26",
            "steps-1-DELETE": "on",
            "steps-3-channels": "letter, email",
            "steps-6-only_segment": "gold",
        }
        assert desk.post(page(version), form).status_code == 302
        version.refresh_from_db()
        said = writing.document_of(version)
        assert said["enters"]["min_amount"] == {"USD": "10.00", "EUR": "9"}
        assert said["applies_to"]["segment"] == ["gold", "silver"]
        steps = {step["code"]: step for step in said["steps"]}
        assert "reminder" not in steps
        assert steps["bar"]["day"] == 26
        assert steps["final"]["channels"] == ["letter", "email"]
        assert steps["desk"]["only_if"] == {"segment": ["gold"]}

    def test_steps_of_one_day_run_in_the_order_they_were_dragged_to(self, desk: Client) -> None:
        document = residential()
        document["steps"] += [{"code": "call", "day": 32, "action": "create_task", "reason": "Nobody was reached"}]
        version = draft_of(document)
        form = form_of(desk, page(version))
        codes = [form[f"steps-{number}-code"] for number in range(11)]
        assert codes[6:8] == ["desk", "call"]
        assert form["steps-7-reason"] == "Nobody was reached"
        dragged = [*codes[:6], "call", "desk", *codes[8:]]
        form |= {f"steps-{number}-position": str(dragged.index(code)) for number, code in enumerate(codes)}
        assert desk.post(page(version), form).status_code == 302
        assert list(version.steps.order_by("position").values_list("code", flat=True)) == dragged

    def test_dragging_past_another_day_changes_nothing(self, desk: Client) -> None:
        version = draft_of()
        form = form_of(desk, page(version))
        form |= {f"steps-{number}-position": str(20 - number) for number in range(10)}
        assert desk.post(page(version), form).status_code == 302
        days = list(version.steps.order_by("position").values_list("day", flat=True))
        assert days == sorted(days)

    def test_a_problem_stands_beside_its_step_wherever_that_was_dragged(self, desk: Client) -> None:
        version = draft_of()
        form = form_of(desk, page(version)) | {"steps-4-rung": ""}
        form |= {f"steps-{number}-position": str(20 - number) for number in range(10)}
        answer = desk.post(page(version), form)
        assert "rung" in answer.context["inline_admin_formsets"][0].formset.forms[4].errors

    def test_a_late_fee_may_be_an_amount_and_a_part(self, desk: Client) -> None:
        version = draft_of()
        form = form_of(desk, page(version))
        form |= {"late_fee": "USD 5.00, EUR 4.00", "late_fee_percent": "1.5 %", "late_fee_combine": "max"}
        form |= {"calendar_count": "working_days"}
        assert desk.post(page(version), form).status_code == 302
        version.refresh_from_db()
        said = writing.document_of(version)
        rule = {"amount": {"USD": "5.00", "EUR": "4.00"}, "percent": "1.5", "combine": "max"}
        assert said["fees"]["late_fee"] == rule
        assert said["calendar"]["count"] == "working_days"
        again = form_of(desk, page(version))
        assert (again["late_fee"], again["late_fee_percent"], again["late_fee_combine"]) == (
            "EUR 4.00, USD 5.00", "1.5", "max",
        )  # fmt: skip
        assert desk.post(page(version), again).status_code == 302
        version.refresh_from_db()
        assert writing.document_of(version) == said

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("late_fee_percent", "101", "Must be a percentage"),
            ("late_fee_percent", "much", "Must be a percentage"),
            ("late_fee", "1.2345", "Must be an amount"),
        ],
    )
    def test_a_problem_of_the_late_fee_stands_beside_its_part(
        self, desk: Client, field: str, value: str, said: str
    ) -> None:
        version = draft_of()
        form = form_of(desk, page(version)) | {"late_fee": "1.00", "late_fee_percent": "1", field: value}
        answer = desk.post(page(version), form)
        assert any(said in text for text in answer.context["adminform"].form.errors[field])

    def test_two_steps_may_swap_their_codes(self, desk: Client) -> None:
        version = draft_of()
        form = form_of(desk, page(version))
        form["steps-0-code"], form["steps-1-code"] = form["steps-1-code"], form["steps-0-code"]
        assert desk.post(page(version), form).status_code == 302
        assert list(version.steps.order_by("position").values_list("code", flat=True))[:2] == ["reminder", "upcoming"]

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("enter_min_amount", "1.2345", "Must be an amount"),
            ("enter_min_amount", "USD 1.005", "more decimals than USD has"),
            ("late_fee", "ten dollars please", "One amount, or one for each currency"),
            ("min_gap_days", "0", "whole number from 1"),
            ("calendar_country", "XX", "no country whose holidays are known"),
            ("kind", "private", "Is unknown; it is one of residential, business"),
        ],
    )
    def test_a_problem_stands_beside_its_field(self, desk: Client, field: str, value: str, said: str) -> None:
        version = draft_of()
        answer = desk.post(page(version), form_of(desk, page(version)) | {field: value})
        assert any(said.lower() in text.lower() for text in answer.context["adminform"].form.errors[field])

    @pytest.mark.parametrize(
        ("step", "field", "value", "said"),
        [
            (4, "warned_by", "nobody", "'nobody' is no step of this policy."),
            (4, "warned_by", "", "Is missing"),
            (4, "notice_days", "", "Is missing"),
            (4, "rung", "", "Is missing"),
            (0, "channels", "pigeon", "Is unknown; it is one of sms"),
            (0, "template", "", "Is missing."),
            (1, "code", "upcoming", "another step's code already"),
            (8, "agency", "", "names no agency at its top"),
        ],
    )
    def test_a_problem_of_a_step_stands_beside_the_steps_field(
        self, desk: Client, step: int, field: str, value: str, said: str
    ) -> None:
        version = draft_of()
        answer = desk.post(page(version), form_of(desk, page(version)) | {f"steps-{step}-{field}": value})
        errors = answer.context["inline_admin_formsets"][0].formset.forms[step].errors
        assert any(said in text for text in errors[field])
        assert version.steps.get(code="bar").warned_by == "final"

    def test_where_a_case_goes_on_after_a_broken_promise_is_one_of_its_steps(self, desk: Client) -> None:
        version = draft_of()
        form = form_of(desk, page(version))
        answer = desk.post(page(version), form | {"after_broken": "nobody"})
        assert answer.context["inline_admin_formsets"][0].formset.non_form_errors() == [
            "After a broken promise or plan: 'nobody' is no step of this policy."
        ]
        assert desk.post(page(version), form | {"after_broken": "final"}).status_code == 302
        assert writing.document_of(PolicyVersion.objects.get(pk=version.pk))["after_broken"] == "final"
        said = desk.post(f"/admin/dunning/policyversion/describe/?version={version.pk}", form | {"after_broken": "bar"})
        assert "a case that has not reached bar goes on there" in said.content.decode()

    def test_a_new_policy_begins_with_a_draft(self, desk: Client) -> None:
        form = form_of(desk, ADD) | {
            "code": "vip", "name": "Our best", "steps-TOTAL_FORMS": "1", "steps-0-code": "ring", "steps-0-day": "9",
            "steps-0-action": "create_task",
        }  # fmt: skip
        answer = desk.post(ADD, form)
        draft = PolicyVersion.objects.get(policy__code="vip")
        assert answer.status_code == 302
        assert [step["code"] for step in writing.document_of(draft)["steps"]] == ["ring"]
        assert draft.created_by.startswith("agent:admin")

    def test_a_new_policy_never_overwrites_a_draft(self, desk: Client) -> None:
        draft_of()
        answer = desk.post(ADD, form_of(desk, ADD) | {"code": "residential", "name": "Mine"})
        assert "has a draft already" in answer.context["adminform"].form.errors["code"][0]

    def test_the_description_follows_the_form(self, desk: Client) -> None:
        version = draft_of()
        address = f"/admin/dunning/policyversion/describe/?version={version.pk}"
        form = form_of(desk, page(version))
        said = desk.post(address, form | {"steps-4-day": "27", "steps-0-template": "poem"}).content.decode()
        assert "From day 27 after the due date (step bar)" in said
        assert "Nobody wrote a template poem" in said
        incomplete = desk.post(address, form | {"steps-4-warned_by": "nobody"}).content.decode()
        assert escape("bar, Warned by: 'nobody' is no step of this policy.") in incomplete
        version.refresh_from_db()
        assert version.steps.get(code="bar").day == 24

    def test_a_draft_can_be_deleted_and_nothing_else(self, desk: Client) -> None:
        version, draft = published(), draft_of(EVERYTHING_SAID)
        assert desk.post(page(version, "delete"), {"post": "yes"}).status_code == 403
        assert desk.post(page(draft, "delete"), {"post": "yes"}).status_code == 302
        assert list(PolicyVersion.objects.all()) == [version]


class TestVersions:
    def test_a_published_version_is_read_as_words_and_as_a_file(self, desk: Client) -> None:
        version = published()
        said = desk.get(page(version)).content.decode()
        assert "outgoing calls are barred, on a working day (US)." in said
        assert escape("enters: {min_amount: '10.00', min_days: 1}") in said
        assert desk.post(page(version), {"name": "Other"}).status_code == 403

    def test_publishing_shows_what_changes_and_asks_first(self, desk: Client) -> None:
        published()
        document = residential()
        document["priority"] = 7
        draft = draft_of(document)
        answer = desk.get(page(draft, "publish"))
        assert ("gone", "priority: 100") in answer.context["difference"]
        assert ("new", "priority: 7") in answer.context["difference"]
        draft.refresh_from_db()
        assert draft.state == "draft"
        make_dry_run(draft)
        assert desk.post(page(draft, "publish"), seen(desk, draft)).status_code == 302
        assert dict(PolicyVersion.objects.values_list("number", "state")) == {1: "retired", 2: "published"}

    def test_publishing_is_a_permission_of_its_own(self, desk: Client) -> None:
        draft = draft_of()
        group = Agent.objects.get().groups.get()
        group.permissions.remove(group.permissions.get(codename="publish_policyversion"))
        assert desk.get(page(draft)).status_code == 200
        assert desk.post(page(draft, "publish")).status_code == 403

    def test_the_page_says_what_is_missing_and_offers_no_publish(self) -> None:
        client = browser("admin")
        draft = writing.save_draft(residential(), actor=f"agent:{Agent.objects.get().username}", at=moment())
        said = client.get(page(draft, "publish")).content.decode()
        assert "changed it last: somebody else has to publish it" in said
        assert "No dry run of just this content" in said
        assert '<button type="submit" disabled' in said
        refused = client.post(page(draft, "publish"), seen(client, draft), follow=True).content.decode()
        assert "changed it last: somebody else has to publish it" in refused
        draft.refresh_from_db()
        assert draft.state == "draft"
        make_dry_run(draft)
        other = browser("supervisor")
        assert "disabled" not in other.get(page(draft, "publish")).content.decode().split("Back to the draft")[0]
        other.post(page(draft, "publish"), seen(other, draft))
        draft.refresh_from_db()
        assert draft.state == "published"
        assert draft.published_by.startswith("agent:supervisor")

    def test_what_changed_since_the_page_was_opened_is_not_published(self, desk: Client) -> None:
        draft = draft_of()
        form = seen(desk, draft)
        make_dry_run(draft_of(EVERYTHING_SAID | {"code": "residential"}))
        answer = desk.post(page(draft, "publish"), form, follow=True)
        assert "was changed while you looked at it" in answer.content.decode()
        draft.refresh_from_db()
        assert draft.state == "draft"

    def test_a_published_version_cannot_be_published_again(self, desk: Client) -> None:
        assert desk.post(page(published(), "publish")).status_code == 403

    def test_a_new_draft_begins_as_a_copy(self, desk: Client) -> None:
        version = published()
        assert desk.get(page(version, "new-draft")).status_code == 200
        assert PolicyVersion.objects.count() == 1
        desk.post(page(version, "new-draft"))
        draft = PolicyVersion.objects.get(state="draft")
        assert writing.document_of(draft) == writing.document_of(version)
        assert desk.get(page(version, "new-draft"))["Location"] == page(draft)

    def test_a_version_downloads_as_a_file(self, desk: Client) -> None:
        version = published()
        answer = desk.get(page(version, "download"))
        assert answer["Content-Disposition"] == 'attachment; filename="residential-1.yaml"'
        assert answer.content.decode() == writing.export(version)

    def test_a_file_uploads_as_a_draft(self, desk: Client) -> None:
        upload = SimpleUploadedFile("p.yaml", RESIDENTIAL.encode())
        assert desk.post("/admin/dunning/policy/upload/", {"file": upload}).status_code == 302
        draft = PolicyVersion.objects.get()
        assert (draft.state, draft.steps.count()) == ("draft", 10)

    def test_a_wrong_file_says_which_line(self, desk: Client) -> None:
        upload = SimpleUploadedFile("p.yaml", RESIDENTIAL.replace("rung: suspended", "rung: low").encode())
        said = desk.post("/admin/dunning/policy/upload/", {"file": upload}).content.decode()
        assert "Line 18, steps[5].rung: is unknown" in said
        assert not PolicyVersion.objects.exists()

    def test_the_list_shows_what_is_in_force_and_what_is_drafted(self, desk: Client) -> None:
        version = published()
        draft = writing.copy_to_draft(version, actor="x", at=moment())
        said = desk.get("/admin/dunning/policy/").content.decode()
        assert page(version) in said
        assert page(draft) in said


class TestCopies:
    def test_a_version_is_duplicated_under_a_code_of_its_own(self, desk: Client) -> None:
        version = published()
        answer = desk.post(page(version, "duplicate"), {"code": "vip", "name": "Our best"})
        copy = PolicyVersion.objects.get(policy__code="vip")
        assert answer["Location"] == page(copy)
        assert writing.document_of(copy)["steps"] == writing.document_of(version)["steps"]

    @pytest.mark.parametrize(("code", "said"), [("residential", "a policy residential already"), ("a b", "letters")])
    def test_a_code_that_is_taken_or_none_is_refused(self, desk: Client, code: str, said: str) -> None:
        version = published()
        answer = desk.post(page(version, "duplicate"), {"code": code, "name": "Mine"})
        assert said in answer.context["form"].errors["code"][0]
        assert PolicyVersion.objects.count() == 1


class TestComparing:
    def test_two_versions_are_told_apart_in_lines_and_in_words(self) -> None:
        first = published()
        document = residential()
        document["steps"][4]["day"] = 27
        second = draft_of(document)
        answer = browser("supervisor").get(page(second, "compare"))
        kinds = [kind for kind, _line in answer.context["difference"] if kind != "same"]
        assert kinds == ["gone", "new"]
        assert [(kind, "day 24" in text, "day 27" in text) for kind, text in answer.context["sentences"]] == [
            ("gone", True, False), ("new", False, True),
        ]  # fmt: skip
        turned = browser("admin").get(page(second, "compare"), {"before": second.pk, "after": first.pk})
        assert [(kind, "day 27" in text) for kind, text in turned.context["sentences"]] == [
            ("gone", True), ("new", False),
        ]  # fmt: skip

    def test_a_version_beside_itself_says_the_same(self, desk: Client) -> None:
        version = published()
        copy = writing.copy_to_draft(version, actor="x", at=moment())
        assert "say just the same" in desk.get(page(copy, "compare")).content.decode()

    def test_another_policys_version_is_no_choice(self, desk: Client) -> None:
        version, other = published(), draft_of(EVERYTHING_SAID)
        answer = desk.get(page(version, "compare"), {"before": other.pk, "after": version.pk})
        assert "difference" not in answer.context
        assert answer.status_code == 200


class TestHistory:
    def test_who_changed_what_and_when_stands_on_the_page(self, desk: Client) -> None:
        draft_of()
        document = residential()
        document["priority"] = 7
        draft = writing.save_draft(document, actor="agent:bo", at=moment(hour=15))
        run = make_dry_run(draft)
        writing.publish(draft, actor="agent:cy", at=moment(hour=16))
        answer = desk.get(page(draft))
        history = {(entry.who, entry.what.partition(" (")[0]) for entry in answer.context["history"]}
        assert history >= {("import", "Drafted it"), ("agent:bo", "Changed it"), ("agent:cy", "Published it")}
        assert reverse("admin:dunning_dryrun_change", args=[run.pk]) in answer.content.decode()
        changed = next(entry for entry in answer.context["history"] if entry.who == "agent:bo")
        assert changed.lines == [("gone", "priority: 100"), ("new", "priority: 7")]

    def test_deleting_a_draft_is_history(self, desk: Client) -> None:
        draft = draft_of()
        desk.post(page(draft, "delete"), {"post": "yes"})
        assert AccountEvent.objects.latest("pk").kind == "dunning.policy.draft_deleted"


class TestPreviews:
    @pytest.fixture
    def version(self) -> PolicyVersion:
        document = residential()
        document["steps"][3]["channels"] = ["email", "letter", "sms"]
        return draft_of(document)

    @pytest.fixture
    def account(self) -> Any:
        who = make_customer(
            name="Maria <b>Rossi</b>", language="en", email="m@example.com", address="1 Street", city="Rome",
            country="GB",
        )  # fmt: skip
        return owing("100.00", customer=who, currency="USD")

    def test_a_notice_is_shown_on_each_channel_from_the_accounts_own_facts(
        self, desk: Client, version: PolicyVersion, account: Any
    ) -> None:
        events = AccountEvent.objects.count()
        answer = desk.get(page(version, "preview"), {"step": "final", "account": account.ref})
        shown = {one.channel: one for _name, one in answer.context["shown"]}
        assert list(shown) == ["email", "letter", "sms"]
        said = answer.content.decode()
        assert 'sandbox=""' in said
        assert "<b>Rossi" not in said
        assert "100.00" in shown["email"].message.text
        assert shown["letter"].message.attachment[:4] == b"%PDF"
        assert (shown["sms"].length.segments, shown["sms"].remarks) == (
            sms_segments(shown["sms"].message.text).segments, ("There is no usable address.",),
        )  # fmt: skip
        assert not Notice.objects.exists()
        assert not Case.objects.exists()
        assert AccountEvent.objects.count() == events

    @pytest.mark.parametrize(("language", "said"), [("de", "Rechnung"), ("es", "factura"), ("", "bill")])
    def test_the_language_is_the_one_chosen(
        self, desk: Client, version: PolicyVersion, account: Any, language: str, said: str
    ) -> None:
        asked = {"step": "final", "account": account.ref, "language": language}
        shown = desk.get(page(version, "preview"), asked).context["shown"]
        assert said in shown[0][1].message.text

    def test_the_letter_opens_as_it_would_be_printed(self, desk: Client, version: PolicyVersion, account: Any) -> None:
        address = f"{page(version, 'preview')}letter.pdf"
        answer = desk.get(address, {"step": "final", "account": account.ref, "language": "de"})
        assert (answer["Content-Type"], answer.content[:4]) == ("application/pdf", b"%PDF")
        assert desk.get(address, {"step": "warning", "account": account.ref}).status_code == 404
        assert browser("agent").get(address).status_code == 302

    def test_some_account_the_policy_is_for_is_chosen_first(
        self, desk: Client, version: PolicyVersion, account: Any
    ) -> None:
        owing("5.00", customer=make_customer(kind="business"))
        answer = desk.get(page(version, "preview"))
        assert answer.context["form"].data["account"] == account.ref
        assert answer.context["form"].data["step"] == "upcoming"
        assert "falls due after today" in answer.context["refusal"]

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"step": "final", "account": "nobody"}, "There is no account nobody."),
            ({"step": "final"}, "There is no account without an id."),
        ],
    )
    def test_what_cannot_be_shown_says_why(
        self, desk: Client, version: PolicyVersion, asked: dict[str, str], said: str
    ) -> None:
        assert desk.get(page(version, "preview"), asked).context["refusal"] == said

    def test_somebody_it_is_not_for_is_shown_with_a_remark(self, desk: Client, version: PolicyVersion) -> None:
        other = owing("5.00", customer=make_customer(kind="business", email="b@example.com"), currency="USD")
        shown = desk.get(page(version, "preview"), {"step": "final", "account": other.ref}).context["shown"]
        assert shown[0][1].remarks == ("residential@1 is not for this account.",)


class TestMovingCases:
    def test_the_lists_are_shown_and_only_who_can_is_moved(self, desk: Client) -> None:
        version = published()
        cases = [
            Case.objects.create(
                account=owing("50.00"), version=version, opened_on=TODAY, warnings_from=TODAY, stage=stage
            )
            for stage in ("reminder", "")
        ]
        document = residential()
        document["steps"] = [step for step in document["steps"] if step["code"] != "reminder"]
        target = writing.publish(draft_of(document), actor="x", at=moment())
        address = "/admin/dunning/policy/move-cases/"
        assert desk.get(address, {"version": version.pk}).context["form"].initial == {
            "source": str(version.pk), "target": str(target.pk),
        }  # fmt: skip
        asked = {"source": version.pk, "target": target.pk}
        said = desk.get(address, asked).content.decode()
        assert "1 can move to residential@2, 1 cannot." in said
        assert escape("Its last step, reminder, is no step of residential@2.") in said
        assert reverse("admin:dunning_case_change", args=[cases[0].pk]) in said
        assert not Case.objects.filter(version=target).exists()
        said = desk.post(address, asked, follow=True).content.decode()
        assert "1 open case follows residential@2 now." in said
        assert Case.objects.get(version=target) == cases[1]

    def test_when_all_have_moved_the_page_begins_afresh(self, desk: Client) -> None:
        version = published()
        Case.objects.create(account=owing("50.00"), version=version, opened_on=TODAY, warnings_from=TODAY)
        target = writing.publish(draft_of({**residential(), "priority": 7}), actor="x", at=moment())
        asked = {"source": version.pk, "target": target.pk}
        said = desk.post("/admin/dunning/policy/move-cases/", asked, follow=True).content.decode()
        assert "1 open case follows residential@2 now." in said
        assert "not one of the available choices" not in said

    def test_supervisors_do_not_move_cases(self) -> None:
        version = published()
        client = browser("supervisor")
        asked = {"source": version.pk, "target": version.pk}
        assert client.post("/admin/dunning/policy/move-cases/", asked).status_code == 403

    def test_without_open_cases_there_is_nothing_to_choose(self, desk: Client) -> None:
        published()
        assert "No case is open." in desk.get("/admin/dunning/policy/move-cases/").content.decode()


class TestWhatTheCustomerGot:
    def test_a_mail_is_shown_in_a_box_that_can_do_nothing(self, desk: Client) -> None:
        html = '<p>Dear "Maria"</p><script>steal()</script>'
        message = OutboxMessage.objects.create(
            received_at=moment(),
            key="k",
            channel="email",
            account_ref="A1",
            to="m@example.com",
            subject="Pay",
            text="Dear",
            html=html,
        )
        said = desk.get(f"/admin/dunning/outboxmessage/{message.pk}/change/").content.decode()
        assert 'sandbox=""' in said
        assert f'srcdoc="{escape(html)}"' in said
        assert "<script>steal" not in said

    def test_a_letter_opens_as_it_was_printed(self, desk: Client) -> None:
        letter = OutboxMessage.objects.create(
            received_at=moment(), key="k", channel="letter", account_ref="A1", attachment=b"%PDF-1.7 x"
        )
        answer = desk.get(f"/admin/dunning/outboxmessage/{letter.pk}/letter.pdf")
        assert (answer["Content-Type"], answer.content) == ("application/pdf", b"%PDF-1.7 x")
        assert browser("agent").get(f"/admin/dunning/outboxmessage/{letter.pk}/letter.pdf").status_code == 302

    def test_a_message_without_a_letter_has_none_to_open(self, desk: Client) -> None:
        text = OutboxMessage.objects.create(
            received_at=moment(), key="k", channel="sms", account_ref="A1", text="Hello"
        )
        assert desk.get(f"/admin/dunning/outboxmessage/{text.pk}/letter.pdf").status_code == 404

    def test_messages_are_found_by_account(self, desk: Client) -> None:
        for account in ("A1", "A2"):
            OutboxMessage.objects.create(
                received_at=moment(), key=account, channel="sms", account_ref=account, text=f"Dear {account}"
            )
        said = desk.get("/admin/dunning/outboxmessage/?q=A2").content.decode()
        assert "Dear A2" in said
        assert "Dear A1" not in said

    def test_doubtful_notices_have_a_list_of_their_own(self, desk: Client) -> None:
        account = owing()
        for state in ("doubtful", "failed", "delivered"):
            _notice(account, key=state, step_code=f"was-{state}", state=state)
        said = desk.get("/admin/dunning/notice/?attention=doubtful").content.decode()
        assert "was-doubtful" in said
        assert "was-failed" not in said
        assert "was-delivered" not in said


def _notice(account: Any, **columns: Any) -> Notice:
    return Notice.objects.create(
        **{
            "account": account, "customer": account.customer, "key": "n1", "step_code": "final", "channel": "sms",
            "template": "final-notice", "currency": "EUR", "made_on": TODAY, **columns,
        }
    )  # fmt: skip


@pytest.fixture
def book() -> None:
    """At least one row of everything that can be looked at."""
    account = owing("100.00", "20.00")
    service, person = make_service(account), make_agent()
    make_payment(account, "5.00")
    make_adjustment(account, "-1.00")
    version = published()
    make_dry_run(version)
    Segment.objects.create(code="late", name="Late payers", rule={"all": []})
    HoldRule.objects.get_or_create(reason="legal")
    Experiment.objects.create(
        code="spring", name="Spring", policy=version.policy, starts_on=TODAY, ends_on=TODAY, created_by="x",
        created_at=moment(),
    )  # fmt: skip
    case = Case.objects.create(account=account, version=version, opened_on=TODAY, warnings_from=TODAY)
    CaseStep.objects.create(account=account, case=case, code="final", action="notify", result="taken", came_on=TODAY)
    holds.place(account_id=account.pk, reason="legal", starts_on=TODAY, actor="x", as_of=TODAY, at=moment())
    _notice(account)
    ServiceOrder.objects.create(
        account=account, service=service, key="o1", kind="limit", rung="suspended", made_on=TODAY
    )
    Placement.objects.create(ref="PL1", account=account, agency=Agency.objects.get(), amount=5, placed_on=TODAY)
    OutboxMessage.objects.create(received_at=moment(), key="m1", channel="sms", account_ref=account.ref, text="Hello")
    Promise.objects.create(ref="PR1", account=account, amount=5, made_on=TODAY, due_on=TODAY, taken_by="x")
    Plan.objects.create(ref="PN1", account=account, made_on=TODAY, made_by="x")
    Interaction.objects.create(
        ref="I1", account=account, agent=person, direction="outbound", disposition="busy", at=moment()
    )
    Dispute.objects.create(ref="D1", account=account, amount=5, opened_on=TODAY, opened_by="x")
    Complaint.objects.create(
        ref="CM1", account=account, received_on=TODAY, channel="call", category="conduct", about=person,
        acknowledge_by=TODAY, answer_by=TODAY, taken_by="x",
    )  # fmt: skip
    Survey.objects.create(account=account, about="call", agent=person, asked_at=moment())
    Cost.objects.create(kind="sms", currency="EUR", amount="0.05", from_on=TODAY)
    Stretch.objects.create(agent=person, begun_at=moment(), seen_at=moment())
    KpiTarget.objects.create(kpi="kept_rate", aim="at_least", value=80, from_on=TODAY, set_by="x")
    rule_packs.keep_versions([rule_packs.in_force().packs["GLB"]], at=moment())
    rule_packs.choose(market="GB", packs=["GLB", *rule_packs.packs_of("GB")], reason="", actor="x", at=moment())
    rule_packs.change(pack="US-FED", rule="US-FREQ-01", parameter="most", value=5, reason="", actor="x", at=moment())
    notice_texts.draft(
        template="reminder", language="en", tone="plain", content=notice_texts.shipped()["en"]["reminder"],
        registration={}, actor="x", at=moment(),
    )  # fmt: skip
    GateDecision.objects.create(
        account=account, customer=account.customer, action="call", automated=False, actor="x", at=moment(),
        outcome="ALLOW", facts_digest="0" * 64,
    )  # fmt: skip
    Fee.objects.create(ref="F1", account=account, kind="late_fee", on=TODAY, amount=5)
    BillStep.objects.create(
        account=account, bill=account.bills.first(), version=version, code="upcoming", on=TODAY, result="taken"
    )
    Seal.objects.create(
        event_ids=[1],
        digests=b"d" * 32,
        previous=b"",
        hash=b"h" * 32,
        first_event_id=1,
        last_event_id=1,
        sealed_at=moment(),
    )
    ScriptText.objects.create(situation="hardship", step="offer", words="There is no payment to agree today.")
    QueueOrder.objects.create(name="The largest first", first="largest", made_by="x", made_at=moment())
    CallEffect.objects.create(band="1-30|new|none", calls=10, helped=3, counted_on=TODAY)
    make_team()
    make_item(account)
    RejectedRow.objects.create(file="bills.csv", line=2, reason="no amount", rejected_at=moment())
    UnreachableAddress.objects.create(kind="email", value="x@example.com", since=moment(), reason="bounced")
    assert AccountEvent.objects.exists()
    assert JournalEntry.objects.exists()


@pytest.mark.usefixtures("book")
class TestEveryPage:
    @pytest.mark.parametrize("role", ["admin", "supervisor"])
    def test_every_list_and_row_can_be_looked_at(self, role: str) -> None:
        client = browser(role)
        for model in OURS:
            base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            addresses = [reverse(f"{base}_changelist"), reverse(f"{base}_changelist") + "?q=A1"]
            rows = model._default_manager.all()[:2]
            addresses += [reverse(f"{base}_change", args=[row.pk]) for row in rows]
            for address in addresses:
                assert client.get(address, follow=True).status_code == 200, address
            assert rows, f"the book has no {model._meta.verbose_name}"

    def test_facts_cannot_be_added_changed_or_deleted(self, desk: Client) -> None:
        for name in ("customer", "account", "bill", "payment", "adjustment", "service", "hold", "accountevent", "seal"):
            assert desk.get(f"/admin/accounts/{name}/add/").status_code == 403
        account = Notice.objects.get().account
        for address in (f"accounts/account/{account.pk}", f"accounts/customer/{account.customer_id}"):
            assert desk.post(f"/admin/{address}/change/", {"ref": "X"}).status_code == 403
            assert desk.post(f"/admin/{address}/delete/", {"post": "yes"}).status_code == 403

    def test_rows_are_found_by_the_operators_ids(self, desk: Client) -> None:
        account = Notice.objects.get().account
        bill = account.bills.first()
        for asked in (account.ref, account.customer.ref, bill.ref):
            assert bill.ref in desk.get(f"/admin/accounts/bill/?q={asked}").content.decode()
        assert bill.ref not in desk.get("/admin/accounts/bill/?q=nothing").content.decode()
