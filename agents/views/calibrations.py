"""Calibration: reviewers who judge the same piece of work, and where they differ."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.business_day import business_date
from accounts.refusals import Refused
from agents import calibration, quality_forms, rights
from agents.quality_forms import CalibrationForm
from agents.views.quality import ROWS, UNPROCESSABLE, work_in
from agents.views.session import DeskRequest, may

#: A round stays open for so long unless somebody says otherwise.
CALIBRATES_FOR = timedelta(days=7)


@may(rights.Act.REVIEW)
@require_safe
def calibrations(request: DeskRequest) -> HttpResponse:
    """The rounds the user takes part in, opened, or may learn from."""
    page = Paginator(calibration.listed(request.user), ROWS).get_page(request.GET.get("page"))
    return render(request, "supervise/quality/calibrations.html", {"page": page, "tab": "calibrations"})


@may(rights.Act.REVIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def open_calibration(request: DeskRequest) -> HttpResponse:
    """Who judges that piece of work, by which card, until when."""
    at = timezone.now()
    as_of = business_date(at=at)
    work = work_in(request)
    form = CalibrationForm(
        request.POST if request.method == "POST" else None,
        subject=work.subject,
        reviewers=calibration.reviewers(request.user, work),
        closes_on=as_of + CALIBRATES_FOR,
    )
    if form.is_valid():
        given = form.cleaned_data
        try:
            made = calibration.open_round(
                work=work,
                title=given["title"],
                card=given["card"],
                people=list(given["people"]),
                closes_on=given["closes_on"],
                by=request.user,
                as_of=as_of,
                at=at,
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The round is open. Everybody sees their own answers until it closes."))
            return redirect("quality_calibration", pk=made.pk)
    context = {"form": form, "work": work, "tab": "calibrations"}
    status = UNPROCESSABLE if form.is_bound else 200
    return render(request, "supervise/quality/calibrate.html", context, status=status)


@may(rights.Act.REVIEW)
@require_safe
def calibration_page(request: DeskRequest, pk: int) -> HttpResponse:
    """One round: while it is open one's own part; closed, how everybody answered and where they differ."""
    row = calibration.listed(request.user).filter(pk=pk).first()
    if row is None:
        raise Http404("There is no such round.")
    context: dict[str, Any] = {
        "round": row,
        "mine": calibration.review_of(request.user, row.pk),
        "closes": row.opened_by == rights.actor(request.user) or rights.sees_all_teams(request.user),
        "outcome": None,
        "tab": "calibrations",
        "enough": calibration.ENOUGH,
    }
    if row.closed_at is not None:
        context["outcome"] = calibration.outcome(row)
        context["shown"] = [
            (line, [quality_forms.answer_in_words(one) if one else "–" for one in line.answers])  # noqa: RUF001
            for line in context["outcome"].lines
        ]
    return render(request, "supervise/quality/calibration.html", context)


@may(rights.Act.REVIEW)
@require_POST
def close_calibration(request: DeskRequest, pk: int) -> HttpResponse:
    """End the round and show what everybody answered."""
    try:
        calibration.close(round_id=pk, by=request.user, at=timezone.now())
    except Refused as refusal:
        if refusal.code == "not_found":
            raise Http404(str(refusal)) from refusal
        messages.error(request, str(refusal))
    return redirect("quality_calibration", pk=pk)
