"""Reports by mail: who keeps which, what one looks like, what became of its mails, and how one gets no more of them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any, ParamSpec, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.business_day import business_date
from accounts.refusals import Refused
from agents import report_mail, reports, rights, scopes, snapshots
from agents.interface_language import LANGUAGES
from agents.models import ReportRecipient, ReportRun, ReportSchedule
from agents.report_forms import ReportForm
from agents.reporting import WEEKDAYS
from agents.snapshots import Kept
from agents.views.session import DeskRequest, DeskView, View, may
from agents.words import said

P = ParamSpec("P")

UNPROCESSABLE = 422
State = ReportRun.State
#: What somebody must look at.
_TROUBLE = frozenset({State.WITHHELD, State.FAILED, State.GIVEN_UP, State.DOUBTFUL})
#: A mail brings its own looks; it may load nothing, run nothing, and be framed by nobody.
_MAIL_ALONE = {
    "default-src": ["'none'"],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["data:"],
    "base-uri": ["'none'"],
    "form-action": ["'none'"],
    "frame-ancestors": ["'none'"],
}


def _sees_figures(view: DeskView[P]) -> View[P]:
    """403 for whoever may look at no figures at all."""

    @wraps(view)
    def seeing(request: DeskRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not scopes.allowed(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return may(rights.Act.SEE_KPIS)(cast("DeskView[P]", seeing))


def _own(request: DeskRequest, pk: int) -> ReportSchedule:
    """One of the reader's reports. Raises ``Http404``."""
    return get_object_or_404(reports.visible(request.user).select_related("owner"), pk=pk)


# The list -----------------------------------------------------------------------------------------------------------


@_sees_figures
@require_safe
def report_list(request: DeskRequest) -> HttpResponse:
    """The reader's reports, an admin's with everybody's, and where others have put them on a list."""
    listed = ReportRecipient.objects.filter(left_at=None).select_related("agent").order_by("pk")
    kept = reports.visible(request.user).select_related("owner")
    rows = list(kept.prefetch_related(Prefetch("recipients", listed, to_attr="listed")).order_by("title", "pk"))
    outcomes = reports.outcomes([row.pk for row in rows])
    context = {
        "rows": [(row, when_in_words(row), _scope_words(row), outcomes.get(row.pk)) for row in rows],
        "subscriptions": reports.subscriptions(request.user).exclude(schedule__owner=request.user),
        "trouble": _TROUBLE,
        "states": dict(State.choices),
        "everybodys": rights.ADMIN in rights.roles(request.user),
        "recorded": snapshots.last_recorded(until=business_date(at=timezone.now())),
    }
    return render(request, "supervise/reports/list.html", context)


def when_in_words(schedule: ReportSchedule) -> str:
    """``Every Monday, from 07:00``."""
    told = {"hour": f"{schedule.hour:02d}:00"}
    if schedule.every == ReportSchedule.Every.WEEK:
        return _("Every %(weekday)s, from %(hour)s") % {**told, "weekday": said(WEEKDAYS[schedule.weekday - 1])}
    if schedule.every == ReportSchedule.Every.MONTH:
        return _("Every month on day %(day)s, from %(hour)s") % {**told, "day": schedule.month_day}
    return _("Every day, from %(hour)s") % told


def _scope_words(schedule: ReportSchedule) -> str:
    return report_mail.scope_in_words(reports.scope_of(schedule))


# One report ---------------------------------------------------------------------------------------------------------


@_sees_figures
@require_http_methods(["GET", "HEAD", "POST"])
def new_report(request: DeskRequest) -> HttpResponse:
    """Order a report."""
    form = ReportForm(request.POST or None, by=request.user, kept=_recorded(), schedule=None)
    if request.method == "POST" and form.is_valid():
        try:
            schedule = reports.order(form.terms(), by=request.user, at=timezone.now())
        except reports.CannotSchedule as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%(title)s will be sent.") % {"title": schedule.title})
            return redirect("reports")
    return _page(request, form)


@_sees_figures
@require_http_methods(["GET", "HEAD", "POST"])
def report(request: DeskRequest, pk: int) -> HttpResponse:
    """One report, to be ordered otherwise, and what became of its mails."""
    schedule = _own(request, pk)
    form = ReportForm(request.POST or None, by=request.user, kept=_recorded(), schedule=schedule)
    if request.method == "POST" and form.is_valid():
        try:
            reports.change(pk, form.terms(), by=request.user, at=timezone.now())
        except reports.CannotSchedule as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("report", pk)
    return _page(request, form)


def _page(request: DeskRequest, form: ReportForm) -> HttpResponse:
    schedule = form.schedule
    context: dict[str, Any] = {"form": form, "schedule": schedule}
    if schedule is not None:
        left = schedule.recipients.filter(unsubscribed=True).select_related("agent").order_by("pk")
        context |= {
            "runs": reports.runs(schedule),
            "trouble": _TROUBLE,
            "unsubscribed": list(left),
            "when": when_in_words(schedule),
            "recorded": snapshots.last_recorded(until=business_date(at=timezone.now())),
            "languages": LANGUAGES,
        }
    return render(request, "supervise/reports/report.html", context, status=UNPROCESSABLE if form.errors else 200)


def _recorded() -> list[Kept]:
    """What is recorded of the latest day: what can be chosen."""
    latest = snapshots.last_recorded(until=business_date(at=timezone.now()))
    return [one for one in snapshots.kept(as_of=latest) if not one.restated] if latest is not None else []


@_sees_figures
@require_POST
def pause_report(request: DeskRequest, pk: int) -> HttpResponse:
    """Send nothing more of it."""
    return _do(request, lambda: reports.pause(pk, by=request.user, at=timezone.now()), _("Paused."))


@_sees_figures
@require_POST
def resume_report(request: DeskRequest, pk: int) -> HttpResponse:
    """Send it again from its next day on."""
    return _do(request, lambda: reports.resume(pk, by=request.user, at=timezone.now()), _("It is sent again."))


@_sees_figures
@require_POST
def report_now(request: DeskRequest, pk: int) -> HttpResponse:
    """Send the latest recorded day to whoever asks."""
    words = _("On its way to %(address)s.") % {"address": request.user.email}
    return _do(request, lambda: reports.ask(pk, by=request.user, at=timezone.now()), words)


@_sees_figures
@require_POST
def send_run_again(request: DeskRequest, pk: int) -> HttpResponse:
    """Another round for one mail."""
    return _do(request, lambda: reports.send_again(pk, by=request.user, at=timezone.now()), _("It is tried again."))


def _do(request: DeskRequest, act: Callable[[], object], words: str) -> HttpResponse:
    try:
        if act():
            messages.success(request, words)
    except reports.NotTheirs as refusal:
        raise Http404(str(refusal)) from None
    except Refused as refusal:
        messages.error(request, str(refusal))
    back = request.POST.get("back", "")
    return redirect("report", int(back)) if back.isdecimal() and len(back) < 18 else redirect("reports")


# How it looks -------------------------------------------------------------------------------------------------------


@_sees_figures
@require_safe
def report_preview(request: DeskRequest, pk: int, kind: str) -> HttpResponse:
    """The mail as it would be sent of a recorded day, as HTML or as plain text; nothing is sent."""
    schedule = _own(request, pk)
    if kind not in ("html", "txt") or not scopes.allowed(request.user).covers(reports.scope_of(schedule)):
        raise Http404
    latest = snapshots.last_recorded(until=business_date(at=timezone.now()))
    day = _day(request.GET.get("as_of", "")) or latest
    language = request.GET.get("language", "")
    if language not in LANGUAGES:
        language = reports.language_of(request.user)
    if day is None:
        raise Http404("No day has been recorded yet.")
    try:
        mail = report_mail.mail_of(report_mail.content_of(schedule, as_of=day, language=language))
    except report_mail.NothingRecorded as nothing:
        raise Http404(str(nothing)) from None
    if kind == "txt":
        return HttpResponse(mail.text, content_type="text/plain; charset=utf-8")
    answer = HttpResponse(_with_pictures(mail))
    answer._csp_replace = _MAIL_ALONE  # type: ignore[attr-defined]
    return answer


def _with_pictures(mail: report_mail.Mail) -> str:
    """The HTML with its charts inside: here is no mail that they could be beside."""
    html = mail.html
    for one in mail.enclosures:
        if one.content_id:
            inside = f"data:{one.media_type};base64,{b64encode(one.content).decode('ascii')}"
            html = html.replace(f"cid:{one.content_id}", inside)
    return html


def _day(typed: str) -> date | None:
    try:
        return date.fromisoformat(typed)
    except ValueError:
        return None


# No more of it ------------------------------------------------------------------------------------------------------


@_sees_figures
@require_POST
def leave_report(request: DeskRequest, pk: int) -> HttpResponse:
    """The reader wants no more of somebody's report, or wants it again."""
    recipient = get_object_or_404(
        ReportRecipient.objects.select_related("schedule", "agent"), pk=pk, agent=request.user
    )
    at = timezone.now()
    if recipient.left_at is None and reports.stop(recipient, at=at):
        messages.success(request, _("You get no more of it."))
    elif recipient.unsubscribed and reports.join_again(recipient, at=at):
        messages.success(request, _("You get it again."))
    return redirect("reports")


@csrf_exempt  # RFC 8058: a mail program posts it by itself, with the link's signature as the only proof
@require_http_methods(["GET", "HEAD", "POST"])
def report_stop(request: HttpRequest, token: str) -> HttpResponse:
    """Ends a subscription by its link, without signing in. Opening the link alone ends nothing: scanners open links."""
    recipient = reports.of_token(token)
    if recipient is None:
        raise Http404
    with translation.override(reports.language_of(recipient.agent, recipient)):
        if request.method == "POST":
            reports.stop(recipient, at=timezone.now())
            recipient.refresh_from_db(fields=["left_at", "unsubscribed"])
        return render(request, "supervise/reports/stop.html", {"recipient": recipient, "token": token})
