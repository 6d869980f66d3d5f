"""Experiments in the admin: planned as a form, started and ended on pages that say what happens, read as a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminRadioSelectWidget, UnfoldAdminTextInputWidget

from accounts import business_day
from accounts.admin import actor_of, signed
from accounts.refusals import Refused
from dunning import experiment_course, experiment_results, policy_results, writing
from dunning.experiment_results import ArmResult, MetricResult, Results, label_of
from dunning.models import Arm, Experiment, GuardRail, PolicyVersion
from dunning.trial_statistics import BUCKETS, ENOUGH, Interval

PLANNED, RUNNING, ENDED = Experiment.State.PLANNED, Experiment.State.RUNNING, Experiment.State.ENDED
STATE_COLOURS = {"Planned": "info", "Running": "success", "Ended": "warning"}
#: Versions that an arm may get; a draft is put on trial when the experiment starts.
TRIABLE = (PolicyVersion.State.DRAFT, PolicyVersion.State.TRIAL, PolicyVersion.State.RETIRED)


def _number(number: Decimal) -> str:
    """Without the zeros of its column: ``12.5``, ``60``."""
    return f"{number.normalize():f}"


def _percent(share: int) -> str:
    """Ten-thousandths as people write them: ``12.5 %``."""
    return f"{_number(Decimal(share) / 100)} %"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


# --- The plan as a form -----------------------------------------------------------------------------------------------


class VersionChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, version: Any) -> str:
        """``residential@3 (draft): Softer``."""
        return f"{version} ({version.get_state_display().lower()}): {version.name}"


class ArmForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own is not generic
    """An arm with its share in percent; what the role asks for is said beside the field."""

    percent = forms.DecimalField(
        label="Share (%)",
        min_value=Decimal("0.01"),
        max_value=100,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "0.01"}),
    )

    class Meta:
        model = Arm
        fields = ("code", "role", "version", "holdout_days")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.share is not None:
            self.initial["percent"] = _number(Decimal(self.instance.share) / 100)

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        role, version, days = said.get("role"), said.get("version"), said.get("holdout_days")
        if role == Arm.Role.CHALLENGER and version is None and "version" not in self.errors:
            self.add_error("version", "Which version do its accounts get?")
        if role != Arm.Role.CHALLENGER and version is not None:
            self.add_error("version", "Only a challenger has a version of its own.")
        if role == Arm.Role.HOLDOUT and not days:
            self.add_error("holdout_days", "For how many days past due is it left alone?")
        if role != Arm.Role.HOLDOUT and days:
            self.add_error("holdout_days", "Only a holdout is left alone.")
        return said

    def _get_validation_exclusions(self) -> set[str]:
        # One champion is the business of all arms together: two of them may be changing places.
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions | {"role"}

    def save(self, commit: bool = True) -> Any:
        self.instance.share = int(self.cleaned_data["percent"] * 100)
        return super().save(commit)


class ArmFormSet(PaginationInlineFormSet):
    """The arms together: one champion, no more than all accounts. What else is missing is said at the start."""

    def clean(self) -> None:
        super().clean()
        said = [form.cleaned_data for form in self.forms if getattr(form, "cleaned_data", None)]
        kept = [arm for arm in said if not arm.get("DELETE")]
        if [arm.get("role") for arm in kept].count(Arm.Role.CHAMPION) > 1:
            raise forms.ValidationError("There is one champion: what is published.")
        if (total := sum(arm.get("percent") or 0 for arm in kept)) > 100:
            raise forms.ValidationError(f"The shares come to {total} %, more than all accounts.")


class OfPlan:
    """Arms and guard rails change as long as the experiment is planned."""

    def has_add_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return _open(obj) and bool(super().has_add_permission(request, obj))  # type: ignore[misc]

    def has_change_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return _open(obj) and bool(super().has_change_permission(request, obj))  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return _open(obj) and bool(super().has_delete_permission(request, obj))  # type: ignore[misc]


def _open(experiment: Experiment | None) -> bool:
    return experiment is None or experiment.state == PLANNED


def _plain_choice(field: Any) -> Any:
    """A choice without buttons to add, change or look at what is chosen: these have pages of their own."""
    for right in ("add", "change", "delete", "view"):
        if hasattr(field.widget, f"can_{right}_related"):
            setattr(field.widget, f"can_{right}_related", False)
    return field


class ArmInline(OfPlan, TabularInline):
    model = Arm
    form = ArmForm
    formset = ArmFormSet
    extra = 0
    hide_title = True
    ordering = ("position", "pk")
    verbose_name_plural = "arms"

    def get_fields(self, request: HttpRequest, obj: Experiment | None = None) -> tuple[str, ...]:
        if _open(obj):
            return ("code", "role", "percent", "version", "holdout_days")
        return ("code", "role", "share_of_accounts", "version", "holdout_days", "standing")

    def get_readonly_fields(self, request: HttpRequest, obj: Experiment | None = None) -> tuple[str, ...]:
        return () if _open(obj) else ("share_of_accounts", "standing")

    def get_formset(self, request: HttpRequest, obj: Experiment | None = None, **options: Any) -> Any:
        # The share is a field of the form, not of the model, where there is a form at all.
        options["fields"] = ArmForm.Meta.fields if _open(obj) else ()
        self._policy_id = obj.policy_id if obj else None
        self._may_stop = _runs(request)
        return super().get_formset(request, obj, **options)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "version":
            versions = PolicyVersion.objects.filter(state__in=TRIABLE).select_related("policy")
            if self._policy_id is not None:
                versions = versions.filter(policy=self._policy_id)
            options |= {"queryset": versions.order_by("policy__code", "-number"), "form_class": VersionChoice}
        return super().formfield_for_foreignkey(db_field, request, **options)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        return _plain_choice(super().formfield_for_dbfield(db_field, request, **options))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Arm]:
        arms: QuerySet[Arm] = super().get_queryset(request)
        return arms.select_related("version__policy", "experiment")

    @display(description="share")
    def share_of_accounts(self, arm: Arm) -> str:
        return _percent(arm.share)

    @display(description="now")
    def standing(self, arm: Arm) -> str:
        if arm.stopped_on is not None:
            return f"Stopped on {_day(arm.stopped_on)}. {arm.stop_reason}"
        if arm.experiment.state != RUNNING:
            return "-"
        if arm.role == Arm.Role.CHAMPION:
            return "What is published"
        if not self._may_stop:
            return "Takes accounts"
        address = reverse("admin:dunning_experiment_stop", args=[arm.experiment_id, arm.pk])
        return format_html('Takes accounts. <a class="text-link" href="{}">Stop it</a>', address)


class GuardRailForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = GuardRail
        fields = ("metric", "max_worse")
        labels = {"max_worse": "Worse by more than (percentage points)"}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.max_worse is not None:
            self.initial["max_worse"] = _number(self.instance.max_worse)

    def clean_max_worse(self) -> Decimal:
        allowed: Decimal = self.cleaned_data["max_worse"]
        if not 0 <= allowed < 100:
            raise forms.ValidationError("From 0 to 100 percentage points.")
        return allowed


class GuardRailInline(OfPlan, TabularInline):
    model = GuardRail
    form = GuardRailForm
    extra = 0
    hide_title = True
    ordering = ("metric",)
    verbose_name_plural = "guard rails: an arm that is worse than this, beyond chance, is stopped by itself"


class EndForm(forms.Form):
    winner = forms.ChoiceField(widget=UnfoldAdminRadioSelectWidget, required=False, label="Who won")
    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget, label="Why")

    def __init__(self, data: Any, *, arms: list[Arm]) -> None:
        super().__init__(data)
        self.fields["winner"].choices = [  # type: ignore[attr-defined]
            ("", "Nobody: everything stays as it is published"),
            *((str(arm.pk), f"{arm.code}: {arm.version} is published") for arm in arms),
        ]


class StopForm(forms.Form):
    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget, label="Why")


# --- The admin --------------------------------------------------------------------------------------------------------


@admin.register(Experiment)
class ExperimentAdmin(ModelAdmin):
    list_display = ("name", "policy", "coloured_state", "decided_by", "between", "divided")
    list_filter = ("state",)
    list_select_related = ("policy",)
    search_fields = ("code", "name", "policy__code")
    ordering = ("-starts_on", "-pk")
    actions = None
    inlines = (ArmInline, GuardRailInline)
    fieldsets = (
        (None, {"fields": (("code", "name", "policy"),)}),
        ("What decides, named beforehand", {"fields": (("metric", "metric_days"),)}),
        ("Days on which accounts are assigned", {"fields": (("starts_on", "ends_on"),)}),
    )
    read_fieldsets = (
        *fieldsets,
        (
            "How it came about",
            {"fields": (("coloured_state",), ("planned_by", "begun"), ("ended_on", "end_reason"))},
        ),
    )
    readonly_fields = ("coloured_state",)
    warn_unsaved_form = True
    compressed_fields = False
    change_form_outer_before_template = "admin/dunning/experiment/standing.html"
    actions_detail = ("start", "results", "end")

    class Media:
        css = {"all": ("policies/experiments.css",)}

    # Who may do what --------------------------------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return _open(obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Experiment | None = None) -> bool:
        return _open(obj) and bool(super().has_delete_permission(request, obj))

    def has_start_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return _runs(request) and (object_id is None or _found(object_id).state == PLANNED)

    def has_end_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return _runs(request) and (object_id is None or experiment_course.undecided(_found(object_id)))

    def has_results_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_view_permission(request) and (object_id is None or _found(object_id).state != PLANNED)

    # The list ---------------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Experiment]:
        found: QuerySet[Experiment] = super().get_queryset(request)
        return found.prefetch_related(Prefetch("arms", queryset=Arm.objects.order_by("position", "pk")))

    @display(description="state", ordering="state", label=STATE_COLOURS)
    def coloured_state(self, experiment: Experiment) -> str:
        return str(experiment.get_state_display())

    @display(description="planned by")
    def planned_by(self, experiment: Experiment) -> str:
        return signed(writing.name_of(experiment.created_by), experiment.created_at)

    @display(description="started by")
    def begun(self, experiment: Experiment) -> str:
        return signed(writing.name_of(experiment.started_by), experiment.started_at) if experiment.started_at else "-"

    @display(description="decided by", ordering="metric")
    def decided_by(self, experiment: Experiment) -> str:
        return label_of(experiment.metric, experiment.metric_days)

    @display(description="accounts assigned", ordering="starts_on")
    def between(self, experiment: Experiment) -> str:
        first, last = experiment.starts_on, experiment.ends_on
        return f"{first.day} {first:%b} to {last.day} {last:%b %Y}"

    @display(description="arms")
    def divided(self, experiment: Experiment) -> str:
        arms = [
            f"{_percent(arm.share)} {arm.code}{' (stopped)' * bool(arm.stopped_on)}" for arm in experiment.arms.all()
        ]
        return ", ".join(arms) or "-"

    # The form ---------------------------------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Experiment | None = None) -> Any:
        return self.fieldsets if _open(obj) else self.read_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Experiment | None = None) -> tuple[str, ...]:
        """The code divides the accounts and the policy is whose they are: neither changes once there are arms."""
        return ("code", "policy") if obj is not None and _open(obj) else ("coloured_state", "planned_by", "begun")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        return _plain_choice(super().formfield_for_dbfield(db_field, request, **options))

    def get_form(
        self, request: HttpRequest, obj: Experiment | None = None, change: bool = False, **options: Any
    ) -> Any:
        texts = {
            "code": "Divides the accounts, for ever. It cannot be changed later.",
            "policy": "Its published version is the champion.",
            "metric_days": "N: days from an account's assignment.",
        }
        return super().get_form(request, obj, change=change, help_texts=texts, **options)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        more: dict[str, Any] = {"show_save_and_add_another": False}
        experiment = self.get_object(request, unquote(object_id)) if object_id else None
        if experiment is not None:
            more["title"] = experiment.name
            more["sentences"] = _sentences(experiment)
            if experiment.state == PLANNED:
                more["missing"] = experiment_course.problems(
                    experiment, actor="", as_of=_today(), drafts=True
                )  # fmt: skip
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def save_model(self, request: HttpRequest, obj: Experiment, form: Any, change: bool) -> None:
        if not change:
            obj.created_by, obj.created_at = actor_of(request), timezone.now()
            super().save_model(request, obj, form, change)
            return
        if not experiment_course.lock_planned(obj.pk):
            raise PermissionDenied("It was started meanwhile.")
        if form.changed_data:
            obj.save(update_fields=form.changed_data)

    def save_related(self, request: HttpRequest, form: Any, formsets: list[Any], change: bool) -> None:
        super().save_related(request, form, formsets, change)
        for position, arm in enumerate(form.instance.arms.order_by("position", "pk")):
            Arm.objects.filter(pk=arm.pk).update(position=position)
        if change and (form.has_changed() or any(formset.has_changed() for formset in formsets)):
            # The plan is whoever wrote it last: that person does not start it.
            experiment = form.instance
            experiment.created_by, experiment.created_at = actor_of(request), timezone.now()
            experiment.save(update_fields=["created_by", "created_at"])

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        rows = formset.save(commit=False)
        for row in formset.deleted_objects:
            row.delete()
        last = form.instance.arms.count() if formset.model is Arm else 0
        # The champion last: before it another one may have to give up the place.
        for row in sorted(rows, key=lambda row: getattr(row, "role", "") == Arm.Role.CHAMPION):
            if row.pk is not None:
                row.save(update_fields=[column.name for column in row._meta.concrete_fields if not column.primary_key])
                continue
            if formset.model is Arm:
                row.position = last + next(i for i, other in enumerate(formset.new_objects) if other is row)
            formset.model.objects.bulk_create([row])

    # More pages -------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/arms/<int:arm>/stop/", wrap(self.stop_view), name="dunning_experiment_stop"),
            path("<int:pk>/results.csv", wrap(self.csv_view), name="dunning_experiment_csv"),
            *super().get_urls(),
        ]

    @action(description="Start", icon="play_arrow", variant="primary", url_path="start", permissions=["start"])
    def start(self, request: HttpRequest, object_id: str) -> HttpResponse:
        experiment = self._experiment(request, object_id)
        if request.method == "POST":
            try:
                with transaction.atomic():
                    _start(experiment, request)
            except Refused as refusal:
                messages.error(request, str(refusal))
            else:
                messages.success(request, f"{experiment.name} is started.")
            return redirect("admin:dunning_experiment_change", experiment.pk)
        drafts = [arm.version for arm in _arms(experiment) if arm.version and arm.version.state == TRIABLE[0]]
        context = {
            "title": f"Start {experiment.name}?",
            "sentences": _sentences(experiment),
            "drafts": drafts,
            "problems": experiment_course.problems(experiment, actor=actor_of(request), as_of=_today(), drafts=True),
        }
        return self._page(request, experiment, "admin/dunning/experiment/start.html", context)

    @action(description="End", icon="stop", url_path="end", permissions=["end"])
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        experiment = self._experiment(request, object_id)
        may_publish = request.user.has_perm("dunning.publish_policyversion")
        arms = [
            arm
            for arm in _arms(experiment)
            if may_publish and arm.role == Arm.Role.CHALLENGER and experiment_course.may_win(arm)
        ]
        form = EndForm(request.POST or None, arms=arms)
        if request.method == "POST" and form.is_valid():
            winner = next((arm for arm in arms if str(arm.pk) == form.cleaned_data["winner"]), None)
            try:
                experiment_course.end(
                    experiment,
                    actor=actor_of(request),
                    at=timezone.now(),
                    as_of=_today(),
                    reason=form.cleaned_data["reason"],
                    winner=winner,
                )
            except Refused as refusal:
                messages.error(request, str(refusal))
            else:
                told = f" {winner.version} is in force for cases that open from now on." if winner else ""
                messages.success(request, f"{experiment.name} is ended.{told}")
            return redirect("admin:dunning_experiment_change", experiment.pk)
        named = experiment_results.results(experiment, as_of=_today())
        context = {
            "title": f"{'End' if experiment.state == RUNNING else 'Decide'} {experiment.name}?",
            "form": form,
            "decides": _shown(named)[0],
            "under_way": named.under_way,
        }
        return self._page(request, experiment, "admin/dunning/experiment/end.html", context)

    @action(description="Results", icon="monitoring", variant="primary", url_path="results", permissions=["results"])
    def results(self, request: HttpRequest, object_id: str) -> HttpResponse:
        experiment = self._experiment(request, object_id)
        found = experiment_results.results(experiment, as_of=_today())
        heard = policy_results.heard_in(experiment, as_of=_today())
        context = {
            "title": f"Results of {experiment.name}",
            "found": found,
            "shown": _shown(found),
            "heard": [(arm, heard.get(arm.pk)) for arm in _arms(experiment)],
            "heard_within": policy_results.WITHIN.days,
            "enough": ENOUGH,
            "challengers": sum(arm.role != Arm.Role.CHAMPION for arm in _arms(experiment)),
        }
        return self._page(request, experiment, "admin/dunning/experiment/results.html", context)

    def stop_view(self, request: HttpRequest, pk: int, arm: int) -> HttpResponse:
        if not _runs(request):
            raise PermissionDenied
        stopping = get_object_or_404(Arm.objects.select_related("experiment", "version__policy"), pk=arm, experiment=pk)
        form = StopForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                reason = form.cleaned_data["reason"]
                experiment_course.stop_arm(
                    stopping, actor=actor_of(request), at=timezone.now(), as_of=_today(), reason=reason
                )
            except Refused as refusal:
                messages.error(request, str(refusal))
            else:
                messages.success(request, f"{stopping.code} takes no accounts any more.")
            return redirect("admin:dunning_experiment_change", pk)
        context = {"title": f"Stop {stopping.code}?", "form": form, "arm": stopping}
        return self._page(request, stopping.experiment, "admin/dunning/experiment/stop.html", context)

    def csv_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_results_permission(request, str(pk)):
            raise PermissionDenied
        experiment = self._experiment(request, str(pk))
        found = experiment_results.results(experiment, as_of=_today())
        name = f"{experiment.code}-{found.as_of}.csv"
        answer = HttpResponse(
            content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )
        csv.writer(answer).writerows(_lines(found))
        return answer

    def _experiment(self, request: HttpRequest, object_id: str) -> Experiment:
        experiment: Experiment | None = self.get_object(request, unquote(object_id))
        if experiment is None:
            raise Http404
        return experiment

    def _page(
        self, request: HttpRequest, experiment: Experiment, template: str, context: dict[str, Any]
    ) -> HttpResponse:
        shared = {"opts": self.model._meta, "original": experiment, "experiment": experiment}
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **shared, **context})


def _runs(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("dunning.run_experiment"))


def _found(object_id: str) -> Experiment:
    return get_object_or_404(Experiment, pk=unquote(str(object_id)))


def _today() -> date:
    return business_day.business_date(at=timezone.now())


def _start(experiment: Experiment, request: HttpRequest) -> None:
    actor, at = actor_of(request), timezone.now()
    for arm in _arms(experiment):
        if arm.version is not None and arm.version.state == PolicyVersion.State.DRAFT:
            experiment_course.put_on_trial(arm.version, actor=actor, at=at)
    experiment_course.start(experiment, actor=actor, at=at, as_of=_today())


def _arms(experiment: Experiment) -> list[Arm]:
    return list(experiment.arms.select_related("version__policy").order_by("position", "pk"))


# --- In words ---------------------------------------------------------------------------------------------------------


def _sentences(experiment: Experiment) -> list[str]:
    """What the experiment does, in plain words, from its rows alone."""
    arms = _arms(experiment)
    published = experiment.policy.versions.filter(state=PolicyVersion.State.PUBLISHED).first()
    told = [
        f"From {_day(experiment.starts_on)} to {_day(experiment.ends_on)}, every account that comes up under "
        f"{experiment.policy.code} is put in an arm by chance, and stays there.",
        *(_arm_in_words(arm, f"version {published.number}" if published else "nothing yet") for arm in arms),
        f"What decides is named beforehand: the {_lowered(label_of(experiment.metric, experiment.metric_days))} after "
        "its assignment. Every account counts in its arm, whatever happens to it later.",
        *(
            f"An arm is stopped by itself when its {_lowered(label_of(rail.metric, experiment.metric_days))} is worse "
            f"than the champion's by more than {_number(rail.max_worse)} percentage points, beyond chance."
            for rail in experiment.guard_rails.order_by("metric")
        ),
    ]
    if experiment.state == PLANNED:
        told.append("Once it is started, its arms, shares and metric cannot be changed.")
    return told


def _arm_in_words(arm: Arm, published: str) -> str:
    share = f"{_percent(arm.share)} of them ({arm.code})"
    if arm.role == Arm.Role.CHAMPION:
        return f"{share} get what is published, the champion: {published}."
    if arm.version is not None:
        return f"{share} get version {arm.version.number}, {arm.version.name}, which nobody else gets."
    return f"{share} are left alone up to {arm.holdout_days} days past due, and get what is published after that."


def _lowered(label: str) -> str:
    return label[0].lower() + label[1:]


# --- Results as a page and as a file ----------------------------------------------------------------------------------


class Bar(NamedTuple):
    """An interval drawn on the scale of its metric; everything in percent of the width."""

    left: str
    width: str
    at: str
    champion_at: str


class Row(NamedTuple):
    """One line of a results table, ready to be read."""

    arm: ArmResult
    value: str
    interval: str
    bar: Bar
    difference: str
    difference_interval: str
    verdict: str


class Shown(NamedTuple):
    metric: MetricResult
    #: The right end of the scale.
    scale: str
    rows: list[Row]


def _shown(found: Results) -> list[Shown]:
    shown = []
    for metric in found.metrics:
        counted = [result for result in metric.arms if result.n]
        scale = _scale(max((result.interval.high for result in counted), default=1.0))
        champion = next((result.value for result in counted if result.arm.role == Arm.Role.CHAMPION), 0.0)
        rows = [_row(result, scale=scale, champion=champion) for result in metric.arms]
        shown.append(Shown(metric, f"{100 * scale:.0f} %", rows))
    return shown


def _row(result: ArmResult, *, scale: float, champion: float) -> Row:
    low, high = result.interval
    bar = Bar(
        left=f"{100 * low / scale:.2f}%",
        width=f"{100 * (min(high, scale) - low) / scale:.2f}%",
        at=f"{100 * result.value / scale:.2f}%",
        champion_at=f"{100 * champion / scale:.2f}%",
    )
    between = result.difference_interval
    return Row(
        arm=result,
        value=_share(result.value) if result.n else "-",
        interval=_span(result.interval, 1) if result.n else "",
        bar=bar,
        difference="" if result.difference is None else f"{_signed(result.difference)} points",
        difference_interval="" if between is None else f"{_signed(between.low)} to {_signed(between.high)}",
        verdict=str(result.verdict or ""),
    )


def _scale(highest: float) -> float:
    """The next round share that holds every interval."""
    return next(end for end in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0) if end >= min(highest, 1.0))


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"


def _span(interval: Interval, places: int) -> str:
    return f"{100 * interval.low:.{places}f} to {100 * interval.high:.{places}f} %"


def _signed(share: float) -> str:
    """In percentage points, with a real minus."""
    return f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}")


COLUMNS = (
    "metric", "decides", "arm", "role", "share_percent", "stopped_on", "accounts", "under_way", "value", "low", "high",
    "difference", "difference_low", "difference_high", "verdict",
)  # fmt: skip


def _lines(found: Results) -> Iterator[tuple[object, ...]]:
    """The results as a table: shares from 0 to 1 with six decimals, intervals of 95 %."""
    yield COLUMNS
    for metric in found.metrics:
        for result in metric.arms:
            between = result.difference_interval
            yield (
                metric.metric,
                "yes" if metric.decides else "no",
                result.arm.code,
                result.arm.role,
                Decimal(100 * result.arm.share) / BUCKETS,
                result.arm.stopped_on or "",
                result.n,
                result.under_way,
                *((f"{share:.6f}" for share in (result.value, *result.interval)) if result.n else ("", "", "")),
                "" if result.difference is None else f"{result.difference:.6f}",
                *(("", "") if between is None else (f"{end:.6f}" for end in between)),
                result.verdict or "",
            )
