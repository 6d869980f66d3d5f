"""Dry runs in the admin: asked for, followed while they run, read, accepted, taken home as files."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.module_loading import import_string
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldBooleanWidget

from accounts import business_day, events
from accounts.admin import actor_of
from accounts.refusals import Refused
from dunning import dry_run_results, kinds, writing
from dunning.models import DryRun, PolicyVersion

State = DryRun.State
UNDER_WAY = (State.WAITING, State.RUNNING)
STATE_COLOURS = {
    "Waiting": "info", "Running": "primary", "Done": "success", "Cancelled": "warning", "Failed": "danger",
}  # fmt: skip
MOST_DAYS = 60
#: A worker tells how far it is after every chunk; after so long without a word it is taken for dead.
SILENT = timedelta(minutes=2)
LIMITS_A_PAGE = 50


class NewRunForm(forms.Form):
    """Which version, over how many days."""

    version = forms.ModelChoiceField(
        queryset=PolicyVersion.objects.select_related("policy").order_by("policy__code", "-number"),
        widget=UnfoldAdminSelectWidget(),
        empty_label=None,
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=MOST_DAYS,
        initial=1,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=f"From the next day to be run on, 1 to {MOST_DAYS}. More days show what the first ones lead to.",
    )
    moves_cases = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget(),
        label="As if open cases moved to it",
        help_text="Without: open cases stay with their version, and only new ones get this one.",
    )


@admin.register(DryRun)
class DryRunAdmin(ModelAdmin):
    """A row is written by asking for it; what it found is read and never edited."""

    list_display = ("asked", "version", "as_of", "days", "coloured_state", "by")
    list_display_links = ("asked",)
    list_filter = ("state",)
    list_select_related = ("version__policy",)
    ordering = ("-pk",)
    list_per_page = 50
    show_full_result_count = False
    actions = None
    actions_list = ("new_run",)

    @display(description="asked", ordering="pk")
    def asked(self, run: DryRun) -> str:
        return f"{timezone.localtime(run.asked_at):%d %b %Y, %H:%M}"

    @display(description="by", ordering="asked_by")
    def by(self, run: DryRun) -> str:
        return writing.name_of(run.asked_by)

    @display(description="state", ordering="state", label=STATE_COLOURS)
    def coloured_state(self, run: DryRun) -> str:
        return str(run.get_state_display())

    @action(description="New dry run", icon="science", url_path="new", permissions=["try"])
    def new_run(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:dunning_dryrun_add")

    # Who may do what --------------------------------------------------------------------------------------------------

    def has_try_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("dunning.add_dryrun"))

    def has_change_permission(self, request: HttpRequest, obj: DryRun | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DryRun | None = None) -> bool:
        """What was tried before a publish is part of its story."""
        return False

    # Pages ------------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        pages = [
            ("progress/", self.progress_view, "progress"),
            ("cancel/", require_POST(self.cancel_view), "cancel"),
            ("accept/", require_POST(self.accept_view), "accept"),
            ("result.json", self.json_view, "json"),
            ("steps.csv", self.steps_view, "steps"),
            ("limits.csv", self.limits_view, "limits"),
        ]
        own = [
            path(f"<int:pk>/{end}", self.admin_site.admin_view(view), name=f"dunning_dryrun_{name}")
            for end, view, name in pages
        ]
        return [*own, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_try_permission(request):
            raise PermissionDenied
        asked = request.GET.get("version", "")
        form = NewRunForm(request.POST or None, initial={"version": asked})
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            run = ask(said["version"], days=said["days"], moves_cases=said["moves_cases"], request=request)
            return redirect("admin:dunning_dryrun_change", run.pk)
        context = {"title": "New dry run", "form": form, "back": asked if asked.isdigit() else ""}
        return self._page(request, "admin/dunning/dryrun/new.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        key = unquote(object_id)
        run = self._run(request, int(key) if key.isdigit() else 0)
        context = {"title": f"Dry run of {run.version or 'a version that was deleted'}", "original": run}
        return self._page(request, "admin/dunning/dryrun/page.html", {**context, **self._shown(request, run)})

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The part of the page that changes; asked for every second until the run has ended."""
        run = self._run(request, pk)
        return TemplateResponse(request, "admin/dunning/dryrun/run.html", self._shown(request, run))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One that waits, or whose worker died, ends here and now; one that runs ends after the chunk it is at."""
        if not self.has_try_permission(request):
            raise PermissionDenied
        run = self._run(request, pk)
        silent = Q(state=State.RUNNING, seen_at__lt=timezone.now() - SILENT)
        waiting = DryRun.objects.filter(Q(state=State.WAITING) | silent, pk=run.pk)
        if not waiting.update(state=State.CANCELLED, cancel_asked=True, finished_at=timezone.now()):
            DryRun.objects.filter(pk=run.pk, state=State.RUNNING).update(cancel_asked=True)
        return redirect("admin:dunning_dryrun_change", run.pk)

    def accept_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm("dunning.exceed_blast_radius"):
            raise PermissionDenied
        run = self._run(request, pk)
        try:
            writing.accept_reach(run, actor=actor_of(request), reason=request.POST.get("reason", ""), at=timezone.now())
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "Accepted; your name and reason stand in the history.")
        return redirect("admin:dunning_dryrun_change", run.pk)

    def json_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self._done(request, pk)
        name = f"dry-run-{pk}.json"
        return JsonResponse(run.result, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    def steps_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self._done(request, pk)
        return _file(f"dry-run-{pk}-steps.csv", dry_run_results.steps_file(run.result or {}, _codes(run)))

    def limits_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = self._done(request, pk)
        return _file(f"dry-run-{pk}-limits.csv", dry_run_results.limits_file(run.result or {}))

    # What is shown ----------------------------------------------------------------------------------------------------

    def _shown(self, request: HttpRequest, run: DryRun) -> dict[str, Any]:
        percent = 100 * run.accounts_done // run.accounts_total if run.accounts_total else 0
        seconds = int((timezone.now() - (run.started_at or run.asked_at)).total_seconds())
        shown: dict[str, Any] = {
            "run": run,
            "asked_by": writing.name_of(run.asked_by),
            "accepted_by": writing.name_of(run.reach_accepted_by),
            "is_under_way": run.state in UNDER_WAY,
            "percent": min(percent, 100),
            "is_silent": run.state == State.RUNNING
            and run.seen_at is not None
            and run.seen_at < timezone.now() - SILENT,
            "may_try": self.has_try_permission(request),
            "seconds": seconds,
            "for_long": f"{seconds} seconds" if seconds < 120 else f"{seconds // 60} minutes",
        }
        if run.state == State.DONE and run.result:
            shown |= self._found(request, run, run.result)
        return shown

    def _found(self, request: HttpRequest, run: DryRun, result: dict[str, Any]) -> dict[str, Any]:
        codes, reach = _codes(run), result.get("reach") or {}
        words = request.GET.get("q", "")
        limits = dry_run_results.found_limits(result, words=words)
        sent = dry_run_results.messages(result)
        page = Paginator(limits, LIMITS_A_PAGE).get_page(request.GET.get("page"))
        shown: dict[str, Any] = {
            "headline": dry_run_results.headline(result),
            "result": result,
            "table": dry_run_results.steps(result, codes),
            "sent": sent,
            "sent_in_all": sum(line.sent for line in sent),
            "cost": dry_run_results.cost(result),
            "fees": dry_run_results.fees(result),
            "restores": dry_run_results.restores(result),
            "differences": dry_run_results.differences(result, codes),
            "lists": [
                ("Limited only with this version", dry_run_results.in_words(result.get("limited_only_now") or [])),
                (
                    "Limited only with today's version",
                    dry_run_results.in_words(result.get("limited_no_more") or []),
                ),
            ],
            "page": page,
            "limits": page.object_list,
            "words": words,
            "page_link": urlencode({"q": words}),
            "reach": reach,
            "reach_on": date.fromisoformat(reach["on"]) if reach.get("on") else None,
            "may_accept": request.user.has_perm("dunning.exceed_blast_radius"),
        }
        version = run.version
        if version is not None and version.state == PolicyVersion.State.DRAFT:
            shown["is_changed"] = writing.digest_of(writing.document_of(version)) != run.digest
            on = business_day.business_date(at=timezone.now())
            shown["conditions"] = writing.conditions(version, actor=actor_of(request), as_of=on)
            shown["is_editor"] = actor_of(request) == writing.last_editor(version)
        return shown

    def _run(self, request: HttpRequest, pk: int) -> DryRun:
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = DryRun.objects.select_related("version__policy").filter(pk=pk).first()
        if run is None:
            raise Http404("There is no such dry run.")
        return run

    def _done(self, request: HttpRequest, pk: int) -> DryRun:
        run = self._run(request, pk)
        if run.state != State.DONE or run.result is None:
            raise Http404("It has no result.")
        return run

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.model._meta}
        return TemplateResponse(request, template, {**shared, **context})


def ask(version: PolicyVersion, *, days: int, moves_cases: bool, request: HttpRequest) -> DryRun:
    """Write the run down and ask a worker for it; without a broker it has failed, and says so."""
    at = timezone.now()
    document = writing.document_of(version)
    as_of = business_day.next_to_run(at=at)
    run = DryRun.objects.create(
        version=version,
        document=document,
        digest=writing.digest_of(document),
        as_of=as_of,
        days=days,
        moves_cases=moves_cases,
        asked_by=actor_of(request),
        asked_at=at,
    )
    events.record(
        account_id=None,
        kind=kinds.POLICY_TRIED,
        actor=run.asked_by,
        at=at,
        on=as_of,
        policy=str(version),
        payload={"dry_run": run.pk, "days": days, "digest": run.digest},
    )
    if not import_string(settings.DESK_START_DRY_RUN)(run.pk):
        run.state, run.finished_at = State.FAILED, at
        run.problem = "The workers could not be asked: their broker (Redis) does not answer. Try again once it is back."
        run.save(update_fields=["state", "finished_at", "problem"])
    return run


def _codes(run: DryRun) -> list[str]:
    return [step["code"] for step in run.document.get("steps", [])]


def _file(name: str, text: str) -> HttpResponse:
    return HttpResponse(
        text,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
