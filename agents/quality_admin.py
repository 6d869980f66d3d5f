"""Score cards and what is sampled, in the admin. A card that people were judged by is copied, never edited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts.admin import actor_of
from agents import quality_sampling, score_cards
from agents.models import Criterion, Disposition, Review, SamplingRule, ScoreCard, Severity, Team


class Criteria(TabularInline):
    model = Criterion
    fields = ("position", "section", "code", "text", "help", "weight", "answers", "critical")
    ordering = ("position", "pk")
    extra = 0

    def has_change_permission(self, request: HttpRequest, obj: ScoreCard | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or score_cards.may_change(obj))

    def has_add_permission(self, request: HttpRequest, obj: ScoreCard | None = None) -> bool:
        return super().has_add_permission(request, obj) and (obj is None or score_cards.may_change(obj))

    def has_delete_permission(self, request: HttpRequest, obj: ScoreCard | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or score_cards.may_change(obj))


@admin.register(ScoreCard)
class ScoreCardAdmin(ModelAdmin):
    """Reviews keep the questions they were judged by: a used card is copied, the copy edited and put in use."""

    list_display = ("title", "version", "subject", "pass_mark", "questions", "judged", "active", "changed_by")
    list_filter = ("subject", "active")
    ordering = ("subject", "code", "-version")
    readonly_fields = ("version", "active", "changed_by")
    fields = ("code", "title", "subject", "pass_mark", "version", "active", "changed_by")
    inlines = (Criteria,)
    actions = None
    actions_detail = ("copy_card", "use_card")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScoreCard]:
        done = Count("reviews", filter=Q(reviews__state=Review.State.DONE), distinct=True)
        rows: QuerySet[ScoreCard] = super().get_queryset(request)
        return rows.annotate(asked=Count("criteria", distinct=True), used=done)

    def get_readonly_fields(self, request: HttpRequest, obj: ScoreCard | None = None) -> tuple[str, ...]:
        """The code and the kind of work are what its versions share."""
        if obj is None:
            return self.readonly_fields
        return (
            *self.readonly_fields,
            "code",
            "subject",
            *(() if score_cards.may_change(obj) else ("title", "pass_mark")),
        )

    def has_delete_permission(self, request: HttpRequest, obj: ScoreCard | None = None) -> bool:
        """A draft may go; what is in use, or was, stays."""
        if obj is not None and (obj.active or not score_cards.may_change(obj)):
            return False
        return bool(super().has_delete_permission(request, obj))

    def save_model(self, request: HttpRequest, obj: ScoreCard, form: Any, change: bool) -> None:
        obj.changed_by = actor_of(request)
        if not change:
            # A new card waits until it has questions; its rules are made afterwards.
            newest = ScoreCard.objects.filter(code=obj.code).order_by("-version").first()
            obj.version, obj.active = (newest.version + 1 if newest else 1), False
        super().save_model(request, obj, form, change)

    @action(description="Copy as a draft", icon="content_copy", url_path="copy", permissions=["change"])
    def copy_card(self, request: HttpRequest, object_id: str) -> HttpResponse:
        card = get_object_or_404(ScoreCard, pk=object_id)
        if request.method != "POST":
            sentences = (
                "The next version begins with the same questions.",
                "Nobody is judged by it until it is in use.",
            )
            return self._asked(request, card, f"Copy {card}?", sentences, "Copy it")
        draft = score_cards.copy(card, by=actor_of(request))
        messages.success(request, f"Version {draft.version} is a draft: edit it, then put it in use.")
        return redirect("admin:agents_scorecard_change", draft.pk)

    @action(description="Put in use", icon="play_arrow", url_path="use", permissions=["change"])
    def use_card(self, request: HttpRequest, object_id: str) -> HttpResponse:
        card = get_object_or_404(ScoreCard, pk=object_id)
        if request.method != "POST":
            sentences = (
                "It takes the place of the version in use, in the rules and in reviews that nobody began.",
                "What was judged by an earlier version keeps its questions and its score.",
            )
            return self._asked(request, card, f"Put {card} in use?", sentences, "Put in use")
        try:
            score_cards.put_in_use(card, by=actor_of(request))
        except score_cards.CannotChangeCard as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"{card} is in use from now on.")
        return redirect("admin:agents_scorecard_change", card.pk)

    def _asked(
        self, request: HttpRequest, card: ScoreCard, title: str, sentences: Sequence[str], does: str
    ) -> HttpResponse:
        """What changes something is asked for with a form, never by following a link."""
        shared = {"opts": self.model._meta, "original": card, "title": title, "sentences": sentences, "does": does}
        context = {**self.admin_site.each_context(request), **shared}
        return TemplateResponse(request, "admin/agents/scorecard/confirm.html", context)

    @display(description="questions")
    def questions(self, card: Any) -> int:
        return int(card.asked)

    @display(description="reviews")
    def judged(self, card: Any) -> int:
        return int(card.used)


def _number(label: str, *, most: int | None = None) -> forms.IntegerField:
    return forms.IntegerField(
        required=False, min_value=0, max_value=most, label=label, widget=UnfoldAdminIntegerFieldWidget
    )


def _flag(label: str) -> forms.BooleanField:
    return forms.BooleanField(required=False, label=label, widget=UnfoldBooleanSwitchWidget)


class ListedField(forms.CharField):
    """Several texts with commas between them."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        return [part.strip() for part in str(value or "").split(",") if part.strip()]


class SamplingRuleForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own is not generic
    """The conditions are one field each; they are kept together."""

    dispositions = ListedField(required=False, label="Outcomes", help_text="Codes, such as rpc_refused, rpc_hardship")
    conversation = _flag("Conversations alone")
    severity = forms.ChoiceField(
        required=False,
        label="A check found at least",
        choices=[("", "anything or nothing"), *Severity.choices],
        widget=UnfoldAdminSelectWidget,
    )
    survey_at_most = _number("The customer judged it, of 5, at most", most=5)
    complaint = _flag("A complaint followed within two weeks")
    override = _flag("Called although the gate said no")
    longer_than = _number("Longer than, in seconds")
    shorter_than = _number("Shorter than, in seconds")
    new_agent_days = _number("Of people in their first days, so many")
    teams = ListedField(required=False, label="Teams", help_text="Names, with commas")
    segments = ListedField(required=False, label="Segments")
    countries = ListedField(required=False, label="Countries", help_text="Such as US, GB")
    steps = ListedField(required=False, label="Steps of the policy", help_text="Codes; of texts sent alone")

    class Meta:
        model = SamplingRule
        fields = ("code", "title", "subject", "card", "percent", "per_agent_week", "due_days", "active")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in _CONDITIONS:
            if name in self.fields:
                self.fields[name].initial = self.instance.conditions.get(name)
        card = self.fields.get("card")
        if isinstance(card, forms.ModelChoiceField):
            card.queryset = ScoreCard.objects.filter(active=True).order_by("subject", "code")

    def clean_dispositions(self) -> list[str]:
        codes: list[str] = self.cleaned_data["dispositions"]
        known = set(Disposition.objects.filter(code__in=codes).values_list("code", flat=True))
        if unknown := [code for code in codes if code not in known]:
            raise ValidationError(f"No such outcome: {', '.join(unknown)}")
        return codes

    def clean_teams(self) -> list[str]:
        names: list[str] = self.cleaned_data["teams"]
        known = set(Team.objects.filter(name__in=names).values_list("name", flat=True))
        if unknown := [name for name in names if name not in known]:
            raise ValidationError(f"No such team: {', '.join(unknown)}")
        return names

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        subject, card = given.get("subject"), given.get("card")
        if subject and card and card.subject != subject:
            self.add_error("card", "This card is for other work.")
        if (given.get("percent") is None) == (given.get("per_agent_week") is None):
            self.add_error("percent", "Either a share of what matches, or so many for each agent in a week.")
        if subject and given.get("per_agent_week") is not None and quality_sampling.author(subject) is None:
            self.add_error("per_agent_week", "Texts that the desk sends are no agent's.")
        if subject:
            try:
                quality_sampling.read(self.conditions(), subject=subject)
            except quality_sampling.CannotSample as refusal:
                self.add_error(None, str(refusal))
        return given

    def conditions(self) -> dict[str, Any]:
        """What is asked; what is left empty is not."""
        given = {name: self.cleaned_data.get(name) for name in _CONDITIONS}
        return {name: value for name, value in given.items() if value not in (None, "", [], False)}

    def save(self, commit: bool = True) -> Any:
        self.instance.conditions = self.conditions()
        return super().save(commit)


_CONDITIONS = tuple(SamplingRuleForm.declared_fields)


@admin.register(SamplingRule)
class SamplingRuleAdmin(ModelAdmin):
    """What is drawn at the close of every day."""

    form = SamplingRuleForm
    list_display = ("title", "subject", "share", "card", "due_days", "drawn", "active")
    list_filter = ("subject", "active")
    list_select_related = ("card",)
    ordering = ("subject", "code")
    actions = None
    fieldsets = (
        (
            None,
            {"fields": ("code", "title", ("subject", "card"), ("percent", "per_agent_week"), ("due_days", "active"))},
        ),
        (
            "What the work is like",
            {
                "fields": (
                    ("conversation", "complaint", "override"),
                    ("severity", "survey_at_most", "new_agent_days"),
                    ("longer_than", "shorter_than"),
                    ("dispositions", "steps"),
                    ("teams", "segments", "countries"),
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[SamplingRule]:
        rows: QuerySet[SamplingRule] = super().get_queryset(request)
        return rows.annotate(n=Count("reviews"))

    @display(description="share")
    def share(self, rule: SamplingRule) -> str:
        if rule.percent is not None:
            return f"{rule.percent.normalize():f} %"
        return f"{rule.per_agent_week} an agent and week"

    @display(description="drawn")
    def drawn(self, rule: Any) -> int:
        return int(rule.n)
