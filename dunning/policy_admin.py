"""Policies in the admin: written with their steps, compared, previewed, published by a second person, cases moved."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from csp.decorators import csp_exempt
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Prefetch, Q, QuerySet
from django.forms import Form, all_valid
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, StackedInline
from unfold.decorators import action, display

from accounts import business_day
from accounts.admin import ReadOnlyInline, actor_of, signed
from accounts.refusals import Refused
from dunning import describing, migrating, policy_results, previewing, rulebook, text_remarks, writing
from dunning.models import Case, Policy, PolicyVersion, Step
from dunning.policy_forms import (
    CompareForm,
    DuplicateForm,
    MigrateForm,
    PreviewForm,
    StepForm,
    StepFormSet,
    UploadForm,
    VersionForm,
    missing,
)
from dunning.wording_texts import standard_wordings

DRAFT, PUBLISHED = PolicyVersion.State.DRAFT, PolicyVersion.State.PUBLISHED
STATE_COLOURS = {"Draft": "warning", "Published": "success", "On trial": "primary", "Retired": "info"}
CHANNELS = {
    "sms": "SMS",
    "email": "E-mail",
    "letter": "Letter",
    "in_app": "Message in the app",
    "voice": "Automatic call",
}

#: More open cases than these are moved in several goes: a page answers within seconds.
MOST_MOVED_AT_ONCE = 20_000
#: Of each list of a pre-check, so many are shown.
MOST_SHOWN = 200


def _today() -> date:
    return business_day.business_date(at=timezone.now())


def _version_link(version: PolicyVersion | None, text: str) -> str:
    if version is None:
        return "-"
    address = reverse("admin:dunning_policyversion_change", args=[version.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', address, text)


class VersionsOfPolicy(ReadOnlyInline):
    model = PolicyVersion
    fields = ("number", "name", "state", "published_at", "published_by", "created_at", "created_by")
    ordering = ("-number",)
    show_change_link = True


@admin.register(Policy)
class PolicyAdmin(ModelAdmin):
    list_display = ("policy_code", "name", "priority", "published", "draft")
    list_display_links = None
    search_fields = ("code",)
    ordering = ("code",)
    readonly_fields = ("code",)
    inlines = (VersionsOfPolicy,)
    actions = None
    actions_list = ("new_policy", "upload_policy", "move_cases")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A policy comes into being with its first draft."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Policy | None = None) -> bool:
        return False

    def has_write_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dunning.add_policyversion"))

    def has_migrate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dunning.migrate_case"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Policy]:
        shown = PolicyVersion.objects.filter(state__in=[DRAFT, PUBLISHED])
        policies: QuerySet[Policy] = super().get_queryset(request)
        return policies.prefetch_related(Prefetch("versions", queryset=shown, to_attr="shown_versions"))

    @display(description="policy", ordering="code")
    def policy_code(self, policy: Policy) -> str:
        return format_html(
            '<a class="text-link font-semibold" href="{}">{}</a>',
            reverse("admin:dunning_policy_change", args=[policy.pk]),
            policy.code,
        )

    @display(description="name")
    def name(self, policy: Policy) -> str:
        version = self._shown(policy, PUBLISHED) or self._shown(policy, DRAFT)
        return version.name if version else "-"

    @display(description="priority")
    def priority(self, policy: Policy) -> object:
        version = self._shown(policy, PUBLISHED) or self._shown(policy, DRAFT)
        return version.priority if version else "-"

    @display(description="in force")
    def published(self, policy: Policy) -> str:
        version = self._shown(policy, PUBLISHED)
        since = f" since {version.published_at:%d %b %Y}" if version and version.published_at else ""
        return _version_link(version, f"version {version.number}{since}" if version else "")

    @display(description="draft")
    def draft(self, policy: Policy) -> str:
        version = self._shown(policy, DRAFT)
        return _version_link(version, f"version {version.number}" if version else "")

    def _shown(self, policy: Policy, state: str) -> PolicyVersion | None:
        return next((version for version in policy.shown_versions if version.state == state), None)  # type: ignore[attr-defined]

    @action(description="New policy", icon="add", url_path="new", permissions=["write"])
    def new_policy(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:dunning_policyversion_add")

    @action(description="Upload a file", icon="upload", url_path="upload", permissions=["write"])
    def upload_policy(self, request: HttpRequest) -> HttpResponse:
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            draft = writing.save_draft(form.document, actor=actor_of(request), at=timezone.now())
            messages.success(request, f"{draft} is a draft now.")
            for template in writing.unknown_templates(form.document):
                messages.warning(request, f"Nobody wrote a template {template}; the general wording is used.")
            return redirect("admin:dunning_policyversion_change", draft.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Upload a policy file",
            "form": form,
        }
        return TemplateResponse(request, "admin/dunning/policy/upload.html", context)

    @action(description="Move open cases", icon="move_down", url_path="move-cases", permissions=["migrate"])
    def move_cases(self, request: HttpRequest) -> HttpResponse:
        """Choose, see who can and who cannot, confirm. Everybody is judged again while his account is locked."""
        asked, sources = request.POST or request.GET, _sources()
        # Once all of a version's cases have moved, the address of their check names nobody any more.
        is_asked = bool(request.POST) or any(key == asked.get("source") for key, _ in sources)
        form = MigrateForm(asked if is_asked else None, sources=sources, targets=_targets())
        if not is_asked:
            form.initial = _likely_move(request)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Move open cases to another version",
            "form": form,
        }
        if form.is_bound and form.is_valid():
            source = _source(form.cleaned_data["source"])
            target = PolicyVersion.objects.select_related("policy").get(pk=form.cleaned_data["target"])
            as_of = _today()
            found = migrating.check(source, target, as_of=as_of)
            if request.method == "POST":
                self._move_now(request, found, target, as_of)
                back = urlencode({"source": form.cleaned_data["source"], "target": target.pk})
                return redirect(f"{reverse('admin:dunning_policy_move_cases')}?{back}")
            context |= {"checked": found, "source": source, "target": target, "most_shown": MOST_SHOWN}
            context |= {"can": found.can[:MOST_SHOWN], "cannot": found.cannot[:MOST_SHOWN]}
            context["going"] = min(len(found.can), MOST_MOVED_AT_ONCE)
        return TemplateResponse(request, "admin/dunning/policy/move_cases.html", context)

    def _move_now(self, request: HttpRequest, found: migrating.Check, target: PolicyVersion, as_of: date) -> None:
        going = [row.case_id for row in found.can[:MOST_MOVED_AT_ONCE]]
        try:
            done = migrating.migrate(going, target, actor=actor_of(request), as_of=as_of, at=timezone.now())
        except Refused as refusal:
            messages.error(request, str(refusal))
            return
        messages.success(
            request, f"{done.moved:,} open case{'s follow' if done.moved != 1 else ' follows'} {target} now."
        )
        if done.refused:
            reason = done.refused[0].reason
            messages.warning(request, f"{len(done.refused):,} stayed where they are, such as: {reason}")


def _sources() -> list[tuple[str, str]]:
    """Versions with open cases, and policies with open cases of several, each with how many."""
    counted = (
        PolicyVersion.objects.annotate(open_cases=Count("cases", filter=Q(cases__closed_on=None)))
        .filter(open_cases__gt=0)
        .select_related("policy")
        .order_by("policy__code", "-number")
    )
    found: list[tuple[str, str]] = []
    by_policy: dict[Policy, list[Any]] = {}
    for version in counted:
        by_policy.setdefault(version.policy, []).append(version)
    for policy, versions in by_policy.items():
        if len(versions) > 1:
            every = sum(version.open_cases for version in versions)
            found.append((f"policy-{policy.pk}", f"{policy}, every version ({every:,} open)"))
        found += [(str(version.pk), f"{version} ({version.open_cases:,} open)") for version in versions]
    return found


def _targets() -> list[PolicyVersion]:
    found = PolicyVersion.objects.filter(state__in=migrating.TARGETS).select_related("policy")
    return list(found.order_by("policy__code", "-number"))


def _source(chosen: str) -> PolicyVersion | Policy:
    if chosen.startswith("policy-"):
        return Policy.objects.get(pk=chosen.removeprefix("policy-"))
    return PolicyVersion.objects.select_related("policy").get(pk=chosen)


def _likely_move(request: HttpRequest) -> dict[str, str]:
    """From the version whose page the person came from, to what is published of its policy."""
    asked = request.GET.get("version", "")
    version = PolicyVersion.objects.filter(pk=asked).first() if asked.isdigit() else None
    if version is None:
        return {}
    published = PolicyVersion.objects.filter(policy=version.policy_id, state=PUBLISHED).first()
    return {"source": str(version.pk), "target": str(published.pk) if published else ""}


class StepInline(StackedInline):
    model = Step
    form = StepForm
    formset = StepFormSet
    extra = 0
    ordering = ("position",)
    ordering_field = "position"
    hide_ordering_field = True
    collapsible = True
    verbose_name_plural = "Steps, by their day; drag to order those of one day"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("code", "day", "action"),
                    ("channels", "all_channels"),
                    ("template", "pay_by_days"),
                    ("rung", "agency", "warned_by", "notice_days"),
                    ("fee", "approval"),
                    ("reason",),
                    ("min_amount", "only_kind", "only_min_tenure_days"),
                    ("only_product", "only_segment"),
                    ("position",),
                )
            },
        ),
    )


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ModelAdmin):
    """A draft is a form with its plain-language description beside it; every other version is read."""

    form = VersionForm
    list_display = ("policy", "number", "name", "coloured_state", "published_at", "published_by")
    list_filter = ("state",)
    list_select_related = ("policy",)
    search_fields = ("policy__code", "name")
    ordering = ("policy__code", "-number")
    actions = None
    inlines = (StepInline,)
    readonly_fields = ("coloured_state", "drafted", "put_in_force")
    warn_unsaved_form = True
    compressed_fields = False
    change_form_outer_before_template = "admin/dunning/policyversion/beside.html"
    change_form_outer_after_template = "admin/dunning/policyversion/below.html"
    actions_detail = (
        "publish",
        "dry_run",
        "preview",
        {"title": "More", "items": ["heard", "compare", "new_draft", "duplicate", "download", "move_cases"]},
    )

    draft_fieldsets = (
        (None, {"fields": (("code", "name", "priority"),)}),
        ("Whom it is for", {"fields": (("kind", "product"), ("segment", "min_tenure_days"))}),
        (
            "When a case begins and ends",
            {"fields": (("enter_min_amount", "enter_min_days"), ("exit_max_amount", "min_gap_days"))},
        ),
        (
            "Working days",
            {"fields": (("calendar_country", "calendar_region"), ("calendar_roll", "calendar_count"))},
        ),
        (
            "Money and others",
            {
                "fields": (
                    ("late_fee", "late_fee_percent", "late_fee_combine"),
                    ("reconnection_fee", "agency"),
                    ("limits_children", "after_broken"),
                )
            },
        ),
    )
    read_fieldsets = (
        (None, {"fields": (("policy", "number", "coloured_state"),)}),
        ("How it came about", {"fields": (("drafted", "put_in_force"),)}),
    )

    @display(description="state", ordering="state", label=STATE_COLOURS)
    def coloured_state(self, version: PolicyVersion) -> str:
        return str(version.get_state_display())

    @display(description="drafted")
    def drafted(self, version: PolicyVersion) -> str:
        return signed(writing.name_of(version.created_by), version.created_at)

    @display(description="published")
    def put_in_force(self, version: PolicyVersion) -> str:
        return signed(writing.name_of(version.published_by), version.published_at) if version.published_at else "-"

    # Who may do what --------------------------------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: PolicyVersion | None = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and (obj is None or obj.state == DRAFT)

    def has_delete_permission(self, request: HttpRequest, obj: PolicyVersion | None = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and (obj is None or obj.state == DRAFT)

    def has_publish_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("dunning.publish_policyversion")) and self._is(object_id, draft=True)

    def has_copy_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_write_permission(request) and self._is(object_id, draft=False)

    def has_write_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("dunning.add_policyversion"))

    def has_try_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("dunning.add_dryrun"))

    def has_migrate_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("dunning.migrate_case")) and self._is(object_id, draft=False)

    def _is(self, object_id: str | None, *, draft: bool) -> bool:
        if object_id is None:
            return True
        return PolicyVersion.objects.filter(pk=unquote(str(object_id)), state=DRAFT).exists() is draft

    # The page ---------------------------------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: PolicyVersion | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return self.read_fieldsets
        if obj is None:
            return self.draft_fieldsets
        return ((None, {"fields": (("name", "priority"),)}), *self.draft_fieldsets[1:])

    def get_inlines(self, request: HttpRequest, obj: PolicyVersion | None) -> Any:
        return () if obj is not None and not self.has_change_permission(request, obj) else self.inlines

    def get_form(
        self, request: HttpRequest, obj: PolicyVersion | None = None, change: bool = False, **options: Any
    ) -> Any:
        # Most fields of the form are no columns: what it holds is the form's own business.
        options["fields"] = VersionForm.Meta.fields if self._edits(request, obj) else ()
        return super().get_form(request, obj, change=change, **options)

    def _edits(self, request: HttpRequest, obj: PolicyVersion | None) -> bool:
        return self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        version = self.get_object(request, unquote(object_id)) if object_id else None
        beside: dict[str, Any] = {
            "describe_url": reverse("admin:dunning_policyversion_describe"),
            "show_save_and_add_another": False,
        }
        if version is not None:
            beside["title"] = f"{version.policy.code}, version {version.number}: {version.name}"
            beside["describe_url"] += f"?version={version.pk}"
            beside["sentences"] = describing.describe(rulebook.rules_of([version.pk])[version.pk])
            beside["edits"] = self.has_change_permission(request, version)
            beside["history"] = _history(version)
            if version.state == DRAFT:
                beside["conditions"] = writing.conditions(version, actor=actor_of(request), as_of=_today())
            if not beside["edits"]:
                beside["yaml"] = writing.export(version)
        else:
            beside |= {"title": "New policy", "edits": True}
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **beside})

    def save_model(self, request: HttpRequest, obj: PolicyVersion, form: VersionForm, change: bool) -> None:
        """Nothing yet: the draft is saved with its steps, as one document."""

    def delete_model(self, request: HttpRequest, obj: PolicyVersion) -> None:
        writing.delete_draft(obj, actor=actor_of(request), at=timezone.now())

    def save_related(self, request: HttpRequest, form: VersionForm, formsets: list[StepFormSet], change: bool) -> None:
        draft = writing.save_draft(form.document(formsets[0].said()), actor=actor_of(request), at=timezone.now())
        form.instance.pk, form.instance.policy, form.instance.number = draft.pk, draft.policy, draft.number

    def construct_change_message(
        self, request: HttpRequest, form: VersionForm, formsets: Any, add: bool = False
    ) -> str:
        return "Drafted." if add else "Changed the draft."

    # More pages -------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        describe = self.admin_site.admin_view(require_POST(self.describe_view))
        # Browsers show a PDF inside a page of their own, which a policy made for ours would break.
        letter = csp_exempt()(self.admin_site.admin_view(self.letter_view))
        return [
            path("describe/", describe, name="dunning_policyversion_describe"),
            path("<path:object_id>/preview/letter.pdf", letter, name="dunning_policyversion_letter"),
            *super().get_urls(),
        ]

    def describe_view(self, request: HttpRequest) -> HttpResponse:
        """What the form as it stands would do, in plain words; or what is missing before it could."""
        version = get_object_or_404(PolicyVersion, pk=request.GET["version"]) if "version" in request.GET else None
        if not self._edits(request, version):
            raise PermissionDenied
        form = self.get_form(request, version, change=version is not None)(request.POST, instance=version)
        valid = form.is_valid()
        formsets, _inlines = self._create_formsets(request, form.instance, change=version is not None)
        context: dict[str, Any] = {"edits": True}
        if all_valid(formsets) and valid:
            number = version.number if version is not None else 1
            document = form.document(formsets[0].said())
            context["sentences"] = describing.describe(writing.rules(document, number=number))
            context["general"] = writing.unknown_templates(document)
        else:
            context["missing"] = missing(form, formsets[0])
        return TemplateResponse(request, "admin/dunning/policyversion/description.html", context)

    @action(description="Publish", icon="publish", variant="primary", url_path="publish", permissions=["publish"])
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self._version(request, object_id)
        if request.method == "POST":
            digest = request.POST.get("digest", "")
            try:
                published = writing.publish_reviewed(version, actor=actor_of(request), at=timezone.now(), digest=digest)
            except Refused as refusal:
                messages.error(request, str(refusal))
                return redirect("admin:dunning_policyversion_publish", version.pk)
            messages.success(request, f"{published} is in force for cases that open from now on.")
            return redirect("admin:dunning_policyversion_change", version.pk)
        before = version.policy.versions.filter(state=PUBLISHED).first()
        conditions = writing.conditions(version, actor=actor_of(request), as_of=_today())
        rules = rulebook.rules_of([version.pk])[version.pk]
        context = {
            "title": f"Publish {version}?",
            "before": before,
            "difference": _difference(before, version) if before else [],
            "open_cases": Case.objects.filter(version=before, closed_on__isnull=True).count() if before else 0,
            "conditions": conditions,
            "is_ready": all(condition.is_met for condition in conditions),
            "digest": writing.digest_of(writing.document_of(version)),
            "may_try": self.has_try_permission(request),
            "sentences": describing.describe(rules),
            "remarks": text_remarks.of_templates(
                [step.template for step in previewing.notice_steps(rules)], today=_today()
            ),
        }
        return self._page(request, version, "admin/dunning/policyversion/publish.html", context)

    @action(description="What came of it", icon="forum", url_path="heard", permissions=["view"])
    def heard(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What customers answered and complained of after each of its notices, and what checks found in them."""
        version = self._version(request, object_id)
        context = {
            "title": f"What came of the notices of {version}",
            "steps": policy_results.heard_of(version, as_of=_today()),
            "days": policy_results.LOOKS_BACK.days,
            "within": policy_results.WITHIN.days,
        }
        return self._page(request, version, "admin/dunning/policyversion/heard.html", context)

    @action(description="Dry run", icon="science", url_path="dry-run", permissions=["try"])
    def dry_run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self._version(request, object_id)
        return redirect(f"{reverse('admin:dunning_dryrun_add')}?version={version.pk}")

    @action(description="Preview a notice", icon="preview", url_path="preview", permissions=["view"])
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self._version(request, object_id)
        form, shown, refusal = self._previewed(request, version)
        letter = reverse("admin:dunning_policyversion_letter", args=[version.pk])
        context = {
            "title": f"A notice of {version}",
            "form": form,
            "shown": [(CHANNELS[one.channel], one) for one in shown],
            "refusal": refusal,
            "letter_url": f"{letter}?{urlencode(form.data)}",
            "has_notices": bool(previewing.notice_steps(rulebook.rules_of([version.pk])[version.pk])),
        }
        return self._page(request, version, "admin/dunning/policyversion/preview.html", context)

    def letter_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The letter of the preview, as it would be printed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        version = self._version(request, object_id)
        _form, shown, refusal = self._previewed(request, version, channels=("letter",))
        attachment = next((one.message.attachment for one in shown), None)
        if refusal or not attachment:
            raise Http404(refusal or "The notice is no letter.")
        return HttpResponse(
            attachment,
            content_type="application/pdf",
            headers={"Content-Disposition": 'inline; filename="preview.pdf"'},
        )

    def _previewed(
        self, request: HttpRequest, version: PolicyVersion, channels: Sequence[str] = ()
    ) -> tuple[Form, list[previewing.Preview], str]:
        """The form as asked, or at its beginning, with what it shows or why it shows nothing."""
        rules = rulebook.rules_of([version.pk])[version.pk]
        steps = [(step.code, f"{step.code} (day {step.day})") for step in previewing.notice_steps(rules)]
        languages = sorted(standard_wordings().languages)
        as_of = _today()
        asked = {name: request.GET.get(name, "") for name in ("step", "language", "account")}
        asked["step"] = asked["step"] or next((code for code, _ in steps), "")
        asked["account"] = asked["account"].strip() or previewing.example_account(version, as_of=as_of)
        form = PreviewForm(asked, steps=steps, languages=languages)
        if not form.is_valid():
            return form, [], "" if steps else "The policy has no step that sends a notice."
        said = form.cleaned_data
        try:
            shown = previewing.preview(
                version,
                step_code=said["step"],
                account_ref=said["account"],
                language=said["language"],
                as_of=as_of,
                channels=channels,
            )
        except Refused as refusal:
            return form, [], str(refusal)
        return form, shown, ""

    @action(description="Compare", icon="difference", url_path="compare", permissions=["view"])
    def compare(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self._version(request, object_id)
        versions = list(version.policy.versions.select_related("policy").order_by("-number"))
        by_key = {str(one.pk): one for one in versions}
        other = _compared_with(version, versions)
        chosen = {
            "before": request.GET.get("before") or str(other.pk if other else version.pk),
            "after": request.GET.get("after") or str(version.pk),
        }
        form = CompareForm(chosen, versions=versions)
        context: dict[str, Any] = {
            "title": f"Versions of {version.policy.code}",
            "form": form,
            "is_alone": len(versions) < 2,
        }
        if form.is_valid():
            before, after = by_key[chosen["before"]], by_key[chosen["after"]]
            lines = _difference(before, after)
            context |= {"before": before, "after": after, "difference": lines}
            context["is_same"] = all(kind == "same" for kind, _line in lines)
            context["sentences"] = _changed_sentences(before, after)
        return self._page(request, version, "admin/dunning/policyversion/compare.html", context)

    @action(description="New draft from this", icon="edit_document", url_path="new-draft", permissions=["copy"])
    def new_draft(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self._version(request, object_id)
        draft = version.policy.versions.filter(state=DRAFT).first()
        if draft is not None:
            messages.info(request, f"This is the draft there is already; {version} was not copied over it.")
            return redirect("admin:dunning_policyversion_change", draft.pk)
        if request.method == "POST":
            try:
                copy = writing.copy_to_draft(version, actor=actor_of(request), at=timezone.now())
            except Refused as refusal:
                messages.error(request, str(refusal))
                return redirect("admin:dunning_policyversion_change", version.pk)
            return redirect("admin:dunning_policyversion_change", copy.pk)
        context = {"title": f"New draft from {version}?"}
        return self._page(request, version, "admin/dunning/policyversion/new_draft.html", context)

    @action(description="Copy as new policy", icon="content_copy", url_path="duplicate", permissions=["write"])
    def duplicate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self._version(request, object_id)
        form = DuplicateForm(request.POST or None, initial={"name": f"Copy of {version.name}"[:200]})
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            try:
                copy = writing.copy_to_policy(
                    version, code=said["code"], name=said["name"], actor=actor_of(request), at=timezone.now()
                )
            except Refused as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(request, f"{copy} is a draft now, and says what {version} says.")
                return redirect("admin:dunning_policyversion_change", copy.pk)
        context = {"title": f"Duplicate {version} as a new policy", "form": form}
        return self._page(request, version, "admin/dunning/policyversion/duplicate.html", context)

    @action(description="Move its open cases", icon="move_down", url_path="move-cases", permissions=["migrate"])
    def move_cases(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self._version(request, object_id)
        return redirect(f"{reverse('admin:dunning_policy_move_cases')}?version={version.pk}")

    @action(description="Download", icon="download", url_path="download", permissions=["view"])
    def download(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self._version(request, object_id)
        name = f"{version.policy.code}-{version.number}.yaml"
        return HttpResponse(
            writing.export(version),
            content_type="application/yaml; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _version(self, request: HttpRequest, object_id: str) -> PolicyVersion:
        version: PolicyVersion | None = self.get_object(request, unquote(object_id))
        if version is None:
            raise Http404
        return version

    def _page(
        self, request: HttpRequest, version: PolicyVersion, template: str, context: dict[str, Any]
    ) -> HttpResponse:
        shared = {"opts": self.model._meta, "original": version, "version": version}
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **shared, **context})


KINDS_OF_LINES = {"-": "gone", "+": "new", " ": "same"}


def _difference(before: PolicyVersion, after: PolicyVersion) -> list[tuple[str, str]]:
    """The lines of the two files with their kind: ``gone``, ``new`` or ``same``."""
    lines = writing.difference(writing.document_of(before), writing.document_of(after))
    return [(KINDS_OF_LINES[sign], line) for sign, line in lines]


def _changed_sentences(before: PolicyVersion, after: PolicyVersion) -> list[tuple[str, str]]:
    """What is told differently in plain words, in the order of the telling: ``gone`` or ``new``."""
    rules = rulebook.rules_of([before.pk, after.pk])
    # That the number differs is known.
    old, new = (describing.describe(replace(rules[one.pk], number=after.number)) for one in (before, after))
    lines = difflib.ndiff(old, new)
    return [(KINDS_OF_LINES[line[0]], line[2:]) for line in lines if line[0] in "-+"]


def _compared_with(version: PolicyVersion, versions: Sequence[PolicyVersion]) -> PolicyVersion | None:
    """What one would compare a version with: what is in force, or the one before it."""
    published = next((one for one in versions if one.state == PUBLISHED and one.pk != version.pk), None)
    earlier = next((one for one in versions if one.number < version.number), None)
    return (published if version.state == DRAFT else None) or earlier or published


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a version's history."""

    at: datetime
    who: str
    what: str
    #: Lines of the file that came and went, with their kind.
    lines: Sequence[tuple[str, str]] = ()
    address: str = ""

    @property
    def name(self) -> str:
        return writing.name_of(self.who)


def _history(version: PolicyVersion) -> list[Entry]:
    """Who changed what, when, the latest first; read from the rows that the acts left."""
    found = [
        Entry(
            change.at,
            change.by,
            "Drafted it" if change.at == version.created_at else f"Changed it ({_counted(change.lines)})",
            [(KINDS_OF_LINES[line[0]], line[1:]) for line in change.lines],
        )
        for change in version.changes.all()
    ]
    if not any(entry.at == version.created_at for entry in found):
        found.append(Entry(version.created_at, version.created_by, "Drafted it"))
    for run in version.dry_runs.order_by("pk"):
        address = reverse("admin:dunning_dryrun_change", args=[run.pk])
        what = f"Tried it on the book of {run.as_of:%d %b %Y}: {run.get_state_display().lower()}"
        found.append(Entry(run.asked_at, run.asked_by, what, address=address))
        if run.reach_accepted_at is not None:
            found.append(Entry(run.reach_accepted_at, run.reach_accepted_by, f"Accepted its reach: {run.reach_reason}"))
    for arm in version.arms.select_related("experiment"):
        experiment = arm.experiment
        if experiment.started_at is not None:
            what = f"Began the experiment {experiment.name}, in which it is the arm {arm.code}"
            found.append(Entry(experiment.started_at, experiment.started_by, what))
    if version.published_at is not None:
        found.append(Entry(version.published_at, version.published_by, "Published it"))
        after = version.policy.versions.filter(published_at__gt=version.published_at).order_by("published_at").first()
        if after is not None and after.published_at is not None:
            what = f"Retired it by publishing version {after.number}"
            found.append(Entry(after.published_at, after.published_by, what))
    return sorted(found, key=lambda entry: entry.at, reverse=True)


def _counted(lines: Sequence[str]) -> str:
    return "1 line" if len(lines) == 1 else f"{len(lines)} lines"
