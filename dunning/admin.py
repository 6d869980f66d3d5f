"""Strategy, written and read; what went out of the house, to look at."""

from __future__ import annotations

import difflib
from typing import Any

from csp.decorators import csp_exempt
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Prefetch, QuerySet
from django.forms import all_valid
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import Truncator
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, StackedInline
from unfold.decorators import action, display

from accounts.admin import ReadOnlyAdmin, ReadOnlyInline, desk_page
from accounts.money import plain
from accounts.refusals import Refused
from dunning import describing, rulebook, writing
from dunning.models import (
    Agency,
    BillStep,
    Case,
    CaseStep,
    Notice,
    OutboxMessage,
    Placement,
    Policy,
    PolicyVersion,
    ServiceOrder,
    Step,
)
from dunning.models.notice import HandOver
from dunning.policy_forms import StepForm, StepFormSet, UploadForm, VersionForm, missing

DRAFT, PUBLISHED = PolicyVersion.State.DRAFT, PolicyVersion.State.PUBLISHED
STATE_COLOURS = {"Draft": "warning", "Published": "success", "Retired": "info"}


def _actor(request: HttpRequest) -> str:
    return f"agent:{request.user.get_username()}"


def _version_link(version: PolicyVersion | None, text: str) -> str:
    if version is None:
        return "-"
    address = reverse("admin:dunning_policyversion_change", args=[version.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', address, text)


# --- Policies ---------------------------------------------------------------------------------------------------------


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
    actions_list = ("new_policy", "upload_policy")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A policy comes into being with its first draft."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Policy | None = None) -> bool:
        return False

    def has_write_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dunning.add_policyversion"))

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
            draft = writing.save_draft(form.document, actor=_actor(request), at=timezone.now())
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


class StepInline(StackedInline):
    model = Step
    form = StepForm
    formset = StepFormSet
    extra = 0
    ordering = ("position",)
    collapsible = True
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
                    ("min_amount", "only_kind", "only_min_tenure_days"),
                    ("only_product", "only_segment"),
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
    readonly_fields = ("coloured_state",)
    warn_unsaved_form = True
    compressed_fields = False
    change_form_outer_before_template = "admin/dunning/policyversion/beside.html"
    actions_detail = ("publish", "new_draft", "download")

    draft_fieldsets = (
        (None, {"fields": (("code", "name", "priority"),)}),
        ("Whom it is for", {"fields": (("kind", "product"), ("segment", "min_tenure_days"))}),
        (
            "When a case begins and ends",
            {"fields": (("enter_min_amount", "enter_min_days"), ("exit_max_amount", "min_gap_days"))},
        ),
        ("Working days", {"fields": (("calendar_country", "calendar_region", "calendar_roll"),)}),
        ("Money and others", {"fields": (("late_fee", "reconnection_fee"), ("agency", "limits_children"))}),
    )
    read_fieldsets = (
        (None, {"fields": (("policy", "number", "coloured_state"),)}),
        ("How it came about", {"fields": (("created_by", "created_at"), ("published_by", "published_at"))}),
    )

    @display(description="state", ordering="state", label=STATE_COLOURS)
    def coloured_state(self, version: PolicyVersion) -> str:
        return str(version.get_state_display())

    # Who may do what --------------------------------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: PolicyVersion | None = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and (obj is None or obj.state == DRAFT)

    def has_delete_permission(self, request: HttpRequest, obj: PolicyVersion | None = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and (obj is None or obj.state == DRAFT)

    def has_publish_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("dunning.publish_policyversion")) and self._is(object_id, draft=True)

    def has_copy_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("dunning.add_policyversion")) and self._is(object_id, draft=False)

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
            if not beside["edits"]:
                beside["yaml"] = writing.export(version)
        else:
            beside |= {"title": "New policy", "edits": True}
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **beside})

    def save_model(self, request: HttpRequest, obj: PolicyVersion, form: VersionForm, change: bool) -> None:
        """Nothing yet: the draft is saved with its steps, as one document."""

    def save_related(self, request: HttpRequest, form: VersionForm, formsets: list[StepFormSet], change: bool) -> None:
        draft = writing.save_draft(form.document(formsets[0].said()), actor=_actor(request), at=timezone.now())
        form.instance.pk, form.instance.policy, form.instance.number = draft.pk, draft.policy, draft.number

    def construct_change_message(
        self, request: HttpRequest, form: VersionForm, formsets: Any, add: bool = False
    ) -> str:
        return "Drafted." if add else "Changed the draft."

    # More pages -------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        describe = self.admin_site.admin_view(require_POST(self.describe_view))
        return [path("describe/", describe, name="dunning_policyversion_describe"), *super().get_urls()]

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
            try:
                published = writing.publish(version, actor=_actor(request), at=timezone.now())
            except Refused as refusal:
                messages.error(request, str(refusal))
            else:
                messages.success(request, f"{published} is in force for cases that open from now on.")
            return redirect("admin:dunning_policyversion_change", version.pk)
        before = version.policy.versions.filter(state=PUBLISHED).first()
        context = {
            "title": f"Publish {version}?",
            "before": before,
            "difference": _difference(before, version) if before else [],
            "open_cases": Case.objects.filter(version=before, closed_on__isnull=True).count() if before else 0,
            "problems": writing.check(writing.document_of(version)),
            "sentences": describing.describe(rulebook.rules_of([version.pk])[version.pk]),
        }
        return self._page(request, version, "admin/dunning/policyversion/publish.html", context)

    @action(description="New draft from this", icon="edit_document", url_path="new-draft", permissions=["copy"])
    def new_draft(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self._version(request, object_id)
        draft = version.policy.versions.filter(state=DRAFT).first()
        if draft is not None:
            messages.info(request, f"This is the draft there is already; {version} was not copied over it.")
            return redirect("admin:dunning_policyversion_change", draft.pk)
        if request.method == "POST":
            try:
                copy = writing.copy_to_draft(version, actor=_actor(request), at=timezone.now())
            except Refused as refusal:
                messages.error(request, str(refusal))
                return redirect("admin:dunning_policyversion_change", version.pk)
            return redirect("admin:dunning_policyversion_change", copy.pk)
        context = {"title": f"New draft from {version}?"}
        return self._page(request, version, "admin/dunning/policyversion/new_draft.html", context)

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


def _difference(before: PolicyVersion, after: PolicyVersion) -> list[tuple[str, str]]:
    """Changed lines of the two files with their kind: ``gone``, ``new`` or ``same``."""
    lines = difflib.ndiff(writing.export(before).splitlines(), writing.export(after).splitlines())
    kinds = {"-": "gone", "+": "new", " ": "same"}
    return [(kinds[line[0]], line[2:]) for line in lines if line[0] in kinds]


@admin.register(Agency)
class AgencyAdmin(ModelAdmin):
    list_display = ("code", "name")
    search_fields = ("code", "name")
    ordering = ("code",)
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Agency | None = None) -> tuple[str, ...]:
        """Policies name an agency by its code."""
        return ("code",) if obj else ()


# --- What happened ----------------------------------------------------------------------------------------------------


class StepsOfCase(ReadOnlyInline):
    model = CaseStep
    fields = ("code", "action", "repeat", "result", "came_on", "done_on", "undone_on", "escalated_on")
    ordering = ("pk",)


@admin.register(Case)
class CaseAdmin(ReadOnlyAdmin):
    list_display = ("account", "version", "opened_on", "stage", "last_step_on", "next_on", "closed_on", "close_reason")
    list_filter = (("closed_on", admin.EmptyFieldListFilter),)
    list_select_related = ("account", "version__policy")
    search_help_text = "Account or customer id, exactly"
    own_ids = ()
    inlines = (StepsOfCase,)


@admin.register(Placement)
class PlacementAdmin(ReadOnlyAdmin):
    list_display = ("ref", "account", "agency", "amount", "placed_on", "recalled_on", "recall_reason")
    list_filter = ("agency",)
    list_select_related = ("account", "agency")
    search_help_text = "Placement, account or customer id, exactly"


@admin.register(BillStep)
class BillStepAdmin(ReadOnlyAdmin):
    list_display = ("account", "bill", "code", "on", "result")
    list_select_related = ("account", "bill")
    search_help_text = "Account or customer id, exactly"
    own_ids = ()


# --- Out of the house -------------------------------------------------------------------------------------------------

HAND_OVER_COLOURS = {
    "Delivered": "success",
    "Handed over": "info",
    "Confirmed": "success",
    "Accepted by the network": "info",
    "Bounced": "danger",
    "Failed": "danger",
    "Doubtful": "warning",
}


class NeedsAttention(admin.SimpleListFilter):
    """What somebody should look at."""

    title = "needs a person"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("doubtful", "Doubtful: may have gone out"), ("failed", "Failed or bounced")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        states = {"doubtful": [HandOver.DOUBTFUL], "failed": [HandOver.FAILED, HandOver.BOUNCED]}
        asked = self.value()
        return queryset.filter(state__in=states[asked]) if asked in states else queryset


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("made_on", "account", "step_code", "channel", "money", "pay_by", "coloured_state", "reason")
    list_display_links = ("made_on", "step_code")
    list_filter = (NeedsAttention, "state")
    list_select_related = ("account",)
    search_help_text = "Account or customer id, key or the provider's reference, exactly"
    own_ids = ("key", "provider_ref")
    exclude = ("state", "lease_until")
    readonly_fields = ("coloured_state", "as_received")

    @display(description="state", label=HAND_OVER_COLOURS)
    def coloured_state(self, notice: Notice) -> str:
        return str(notice.get_state_display())

    @display(description="amount")
    def money(self, notice: Notice) -> str:
        return f"{plain(notice.amount, notice.currency)} {notice.currency}"

    @display(description="as the customer got it")
    def as_received(self, notice: Notice) -> str:
        message = OutboxMessage.objects.filter(key=notice.key).only("pk").first()
        if message is None:
            return "-"
        address = reverse("admin:dunning_outboxmessage_change", args=[message.pk])
        return format_html('<a class="text-link" href="{}">Open the message</a>', address)


@admin.register(ServiceOrder)
class ServiceOrderAdmin(ReadOnlyAdmin):
    list_display = ("made_on", "account", "service", "kind", "rung", "step_code", "coloured_state", "reason")
    list_display_links = ("made_on", "service")
    list_filter = ("state", "kind")
    list_select_related = ("account", "service")
    search_help_text = "Account or customer id, key or the provider's reference, exactly"
    own_ids = ("key", "provider_ref")
    exclude = ("state", "lease_until")
    readonly_fields = ("coloured_state",)

    @display(description="state", label=HAND_OVER_COLOURS)
    def coloured_state(self, order: ServiceOrder) -> str:
        return str(order.get_state_display())


CHANNELS = {"sms": "SMS", "email": "E-mail", "letter": "Letter", "in_app": "In-app", "network": "Network"}
CHANNEL_COLOURS = {"SMS": "info", "E-mail": "primary", "Letter": "warning", "In-app": "success"}


class ByChannel(admin.SimpleListFilter):
    title = "channel"
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(CHANNELS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(channel=self.value()) if self.value() else queryset


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    """What the customer got: the words as they arrived, the mail as it looks, the letter as it was printed."""

    list_display = ("received_at", "by", "says", "account_ref", "to")
    list_display_links = ("received_at", "says")
    list_filter = (ByChannel,)
    search_help_text = "Account id or key, exactly"
    own_ids = ("account_ref", "key")
    of_account = False
    fieldsets = ((None, {"fields": (("received_at", "by"), ("to", "on_desk"), ("language", "delivery"))}),)
    readonly_fields = ("received_at", "by", "to", "on_desk", "language", "delivery")
    change_form_outer_after_template = "admin/dunning/outboxmessage/message.html"

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whoever may see what was to be sent may see what arrived."""
        return bool(request.user.has_perm("dunning.view_notice"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxMessage]:
        return super().get_queryset(request).defer("html", "attachment")  # type: ignore[no-any-return]

    @display(description="channel", ordering="channel", label=CHANNEL_COLOURS)
    def by(self, message: OutboxMessage) -> str:
        return CHANNELS.get(message.channel, message.channel)

    @display(description="message")
    def says(self, message: OutboxMessage) -> str:
        first_line = next((line for line in message.text.splitlines() if line.strip()), "")
        return Truncator(message.subject or first_line).chars(90) or "-"

    @display(description="account")
    def on_desk(self, message: OutboxMessage) -> str:
        return desk_page(message.account_ref) if message.account_ref else "-"

    @display(description="delivery")
    def delivery(self, message: OutboxMessage) -> str:
        notice = Notice.objects.filter(key=message.key).first()
        if notice is None:
            return "-"
        address = reverse("admin:dunning_notice_change", args=[notice.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, notice.get_state_display())

    def get_urls(self) -> list[URLPattern]:
        # Browsers show a PDF inside a page of their own, which a policy made for ours would break.
        letter = csp_exempt()(self.admin_site.admin_view(self.letter_view))
        return [path("<int:pk>/letter.pdf", letter, name="dunning_outboxmessage_letter"), *super().get_urls()]

    def letter_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        message = get_object_or_404(OutboxMessage.objects.only("attachment"), pk=pk)
        if not message.attachment:
            raise Http404
        return HttpResponse(
            bytes(message.attachment),
            content_type="application/pdf",
            headers={"Content-Disposition": f'inline; filename="letter-{pk}.pdf"'},
        )
