"""Segments in the admin: rules as rows of fact, operator and value, beside what they find in the book."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import INPUT_CLASSES, SELECT_CLASSES, TEXTAREA_CLASSES

from accounts import business_day
from accounts.admin import actor_of, desk_page
from accounts.money import plain
from dunning import segment_rules, segments
from dunning.models import Segment
from dunning.policy_file import Problem
from dunning.segment_rules import Fact

#: A page waits no longer than that for the book's answer.
PATIENCE_SECONDS = 5
#: Columns of facts that fit beside an account in a sample.
FACTS_SHOWN = 4
VALUES_KEY, VALUES_KEPT_SECONDS = "dunning:segment-values", 600

_ROW = re.compile(r"(?:all|any)\[(\d+)\](?:\.\w+)?")


# --- The rule as a field ----------------------------------------------------------------------------------------------


class RuleWidget(forms.Textarea):
    """The rule's JSON, with rows over it where scripts run and the rule has no groups inside."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        context = {
            "name": name,
            "value": value or "",
            "id": (attrs or {}).get("id", f"id_{name}"),
            "facts": _by_subject(),
            "vocabulary": _vocabulary(),
            "suggestions": _suggestions(),
            "input": " ".join(INPUT_CLASSES),
            "select": " ".join(SELECT_CLASSES),
            "textarea": " ".join(TEXTAREA_CLASSES),
        }
        return mark_safe(render_to_string("admin/dunning/segment/rule.html", context))


def _by_subject() -> dict[str, list[Fact]]:
    subjects: dict[str, list[Fact]] = {}
    for fact in segment_rules.FACTS.values():
        subjects.setdefault(fact.about, []).append(fact)
    return subjects


def _vocabulary() -> dict[str, Any]:
    """What the rows need to know of every fact."""
    return {
        fact.name: {
            "type": fact.type,
            "meaning": fact.meaning,
            "operators": [[operator, segment_rules.IN_WORDS[operator]] for operator in fact.operators],
            "choices": [["true", "yes"], ["false", "no"]] if fact.type == segment_rules.TRUTH else fact.choices,
        }
        for fact in segment_rules.FACTS.values()
    }


def _suggestions() -> dict[str, list[str]]:
    """Values of the book to choose from, as they were some minutes ago; none where the book is slow to tell."""
    found: dict[str, list[str]] | None = cache.get(VALUES_KEY)
    if found is None:
        try:
            with segments.at_most(PATIENCE_SECONDS):
                found = segments.values_in_use()
        except segments.TookTooLong:
            found = {}
        cache.set(VALUES_KEY, found, VALUES_KEPT_SECONDS)
    return found


class RuleField(forms.JSONField):
    widget = RuleWidget

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        # The database keeps the keys of a condition in an order of its own.
        rule = value if segment_rules.check(value) else segment_rules.tidy(value)
        return json.dumps(rule, indent=2, ensure_ascii=False)

    def clean(self, value: Any) -> Any:
        rule = super().clean(value)
        if problems := segment_rules.check(rule):
            raise ValidationError([_sentence(problem) for problem in problems])
        return segment_rules.tidy(rule)


def _sentence(problem: Problem) -> str:
    """A problem of a rule without groups names the condition by its place on the page."""
    if row := _ROW.fullmatch(problem.path):
        return f"Condition {int(row[1]) + 1}: {problem.reason}."
    if problem.path in segment_rules.GROUPS:
        return "It has no condition yet."
    text = str(problem)
    return f"{text[:1].upper()}{text[1:]}."


class SegmentForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own is not generic
    rule = RuleField(label="An account is in it when", initial={"all": []})

    class Meta:
        model = Segment
        fields = ("name", "code", "active", "rule")
        help_texts = {
            "code": "What policies and files call it.",
            "active": "Only active segments are asked when policies look for their accounts.",
        }

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if self.instance.pk and code != self.initial["code"] and (names := segments.named_by(self.initial["code"])):
            raise ValidationError(f"{self.initial['code']} is named by {', '.join(names)}: its code cannot change.")
        return code


# --- The pages --------------------------------------------------------------------------------------------------------


@admin.register(Segment)
class SegmentAdmin(ModelAdmin):
    """The order of the list is the order of the segments: dragged, then saved."""

    form = SegmentForm
    list_display = ("name", "code", "in_short", "accounts", "is_active")
    list_display_links = ("name",)
    ordering = ("position", "pk")
    ordering_field = "position"
    hide_ordering_field = True
    list_per_page = 200
    actions = None
    readonly_fields = ("in_words", "named", "changed")
    warn_unsaved_form = True
    compressed_fields = False
    list_before_template = "admin/dunning/segment/list.html"
    change_form_outer_before_template = "admin/dunning/segment/beside.html"

    class Media:
        css = {"all": ("policies/segments.css",)}
        js = ("policies/segments.js",)

    # The list ---------------------------------------------------------------------------------------------------------

    @display(description="an account is in it when")
    def in_short(self, segment: Segment) -> str:
        return Truncator(_in_words(segment.rule)).chars(170)

    @display(description="accounts")
    def accounts(self, segment: Segment) -> str:
        """Empty until the page asks for all of them at once."""
        return format_html('<span id="segment-count-{}" class="segment-count">…</span>', segment.pk)

    @display(description="active", boolean=True, ordering="active")
    def is_active(self, segment: Segment) -> bool:
        return segment.active

    def get_sortable_by(self, request: HttpRequest) -> tuple[str, ...]:
        """There is one order, and it means something."""
        return ()

    def get_list_display(self, request: HttpRequest) -> Sequence[str]:
        shown: Sequence[str] = super().get_list_display(request)
        return shown if self.has_change_permission(request) else self.list_display

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        if not self.has_change_permission(request):
            changelist.model_admin = copy.copy(self)
            changelist.model_admin.ordering_field = None
        return changelist

    # One segment ------------------------------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Segment | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return ((None, {"fields": (("name", "code"), "in_words", ("active", "named", "changed"))}),)
        about = ((None, {"fields": ("named", "changed")}),) if obj is not None else ()
        return ((None, {"fields": (("name", "code"), "active")}), ("Rule", {"fields": ("rule",)}), *about)

    @display(description="an account is in it when")
    def in_words(self, segment: Segment) -> str:
        return _in_words(segment.rule)

    @display(description="named by the policies")
    def named(self, segment: Segment) -> str:
        return ", ".join(segments.named_by(segment.code)) or "-"

    @display(description="last changed")
    def changed(self, segment: Segment) -> str:
        if segment.changed_at is None:
            return "-"
        return f"{segment.changed_at:%d %b %Y, %H:%M} UTC by {segment.changed_by}"

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        segment = self.get_object(request, unquote(object_id)) if object_id else None
        edits = self.has_change_permission(request) if segment else self.has_add_permission(request)
        beside = {
            "title": segment.name if segment else "New segment",
            "preview_url": reverse("admin:dunning_segment_preview") + (f"?segment={segment.pk}" if segment else ""),
            "edits": edits,
            "show_save_and_add_another": False,
        }
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **beside})

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        segments.keep(obj, actor=actor_of(request), at=timezone.now())
        if not obj.active and (names := segments.named_by(obj.code)):
            messages.warning(request, f"{obj.code} is switched off, and named by {', '.join(names)}.")

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        segment = self.get_object(request, unquote(object_id))
        if segment is not None and (names := segments.named_by(segment.code)):
            messages.error(request, f"{segment.code} cannot be deleted: it is named by {', '.join(names)}.")
            return redirect("admin:dunning_segment_change", segment.pk)
        return super().delete_view(request, object_id, extra_context)

    def delete_model(self, request: HttpRequest, obj: Segment) -> None:
        segments.remove(obj, actor=actor_of(request), at=timezone.now())

    # What they find ---------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview_view)
        counts = self.admin_site.admin_view(self.counts_view)
        return [
            path("preview/", preview, name="dunning_segment_preview"),
            path("counts/", counts, name="dunning_segment_counts"),
            *super().get_urls(),
        ]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the rule of the form as it stands finds, or that of a segment as it is kept."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            try:
                rule = RuleField().clean(request.POST.get("rule", ""))
            except ValidationError as error:
                return self._preview(request, {"missing": error.messages})
        else:
            rule = get_object_or_404(Segment, pk=request.GET.get("segment")).rule
        context: dict[str, Any] = {"sentence": segment_rules.describe(rule)}
        try:
            with segments.at_most(PATIENCE_SECONDS):
                look = segments.look(rule, as_of=business_day.business_date(at=timezone.now()))
        except segments.TookTooLong:
            return self._preview(request, {**context, "seconds": PATIENCE_SECONDS})
        context |= {"found": f"{look.count:,}", "of": f"{look.of:,}", "part": _part(look.count, look.of), "look": look}
        if request.user.has_perm("accounts.view_account"):
            context["headings"] = [fact.heading for fact in look.facts[:FACTS_SHOWN]]
            context["rows"] = [_shown_row(row, look.facts[:FACTS_SHOWN]) for row in look.sample]
        return self._preview(request, context)

    def _preview(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(request, "admin/dunning/segment/preview.html", context)

    def counts_view(self, request: HttpRequest) -> HttpResponse:
        """How many accounts each segment has: the book is read once for the whole list."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = [segment for segment in Segment.objects.all() if not segment_rules.check(segment.rule)]
        rules = [segment.rule for segment in asked]
        try:
            with segments.at_most(PATIENCE_SECONDS):
                of, found = segments.counts(rules, as_of=business_day.business_date(at=timezone.now()))
        except segments.TookTooLong:
            texts = ["see its page"] * len(asked)
        else:
            texts = [f"{count:,} ({_part(count, of)})" for count in found]
        context = {"counts": zip(asked, texts, strict=True)}
        return TemplateResponse(request, "admin/dunning/segment/counts.html", context)


def _in_words(rule: Any) -> str:
    problems = segment_rules.check(rule)
    return f"It cannot be asked: {problems[0]}" if problems else segment_rules.describe(rule)


def _part(count: int, of: int) -> str:
    return f"{Decimal(count) / of:.1%}".replace("%", " %") if of else "0.0 %"


def _shown_row(row: segments.SampleRow, facts: Sequence[Fact]) -> dict[str, Any]:
    return {
        "account": desk_page(row.ref),
        "customer": row.customer,
        "past_due": f"{plain(row.past_due, row.currency)} {row.currency}",
        "facts": [_shown(fact, value, row.currency) for fact, value in zip(facts, row.facts, strict=False)],
    }


def _shown(fact: Fact, value: Any, currency: str) -> str:
    """A fact of an account as a person reads it."""
    if value is None or value == "":
        return "-"
    if fact.type == segment_rules.TRUTH:
        return "yes" if value else "no"
    if fact.type == segment_rules.AMOUNT:
        return plain(value, currency)
    words = dict(fact.choices)
    if fact.several:
        return ", ".join(words.get(one, one) for one in value) or "-"
    return words.get(value, f"{value:,}" if isinstance(value, int) else str(value))
