"""Quality of people: teams over some weeks, one person over time, what they are told and what they answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date
from accounts.refusals import Refused
from agents import coaching, quality_forms, quality_results, reviewing, rights
from agents.models import Agent, Answer, Review
from agents.quality_forms import CoachingForm
from agents.templatetags.desk import short_day
from agents.views.session import DeskRequest, may

PERIODS = (7, 28, 91)
USUAL = 28
#: Of one person's reviews, so many are listed, and so many on their own day.
LISTED, ON_A_DAY = 20, 3


@may(rights.Act.REVIEW)
@require_safe
def teams(request: DeskRequest) -> HttpResponse:
    """How much of each team's work was reviewed, what it came to, and what checks found."""
    as_of = business_date(at=timezone.now())
    wanted = request.GET.get("days", "")
    days = next((days for days in PERIODS if str(days) == wanted), USUAL)
    since = quality_results.moment(as_of - timedelta(days=days - 1))
    people = reviewing.people(request.user)
    context: dict[str, Any] = {
        "as_of": as_of,
        "days": days,
        "periods": PERIODS,
        "seen": quality_results.teams(request.user, as_of=as_of, days=days),
        "courses": [
            (course, _tone(course))
            for course in quality_results.courses(Agent.objects.filter(pk__in=people.values("pk")), as_of=as_of)
        ],
        "checks": quality_results.by_check(request.user, since=since),
        "steps": quality_results.by_step(request.user, since=since),
        "texts": quality_results.texts(request.user, since=since),
        "tab": "teams",
    }
    return render(request, "supervise/quality/teams.html", context)


def _tone(course: quality_results.Course) -> str:
    """Better or worse by a twentieth of the best answer."""
    if course.change is None or abs(course.change) < 0.05:
        return ""
    return "good" if course.change > 0 else "bad"


def _person(request: DeskRequest, username: str) -> Agent:
    """Somebody whose work the user may judge. Raises ``Http404`` for anybody else, oneself included."""
    person = reviewing.people(request.user).select_related("team").filter(username=username).first()
    if person is None:
        raise Http404("There is nobody like that.")
    return person


@may(rights.Act.REVIEW)
@require_safe
def person(request: DeskRequest, username: str) -> HttpResponse:
    """One person: their reviews by week, every question lately and before, and what they were told."""
    return _page(request, _person(request, username))


def _page(request: DeskRequest, agent: Agent, *, form: CoachingForm | None = None) -> HttpResponse:
    as_of = business_date(at=timezone.now())
    weeks = quality_results.weeks(agent, as_of=as_of)
    chart = {
        "kind": "line",
        "unit": "%",
        "from_zero": True,
        "labels": [short_day(week.monday) for week in weeks],
        "series": [{"label": _("Mean score"), "values": [float(week.score) for week in weeks]}],
    }
    rows = reviewing.visible(request.user).filter(agent=agent, state=Review.State.DONE).order_by("-reviewed_at", "-pk")
    context: dict[str, Any] = {
        "agent": agent,
        "as_of": as_of,
        "weeks": weeks,
        "charts": {"currency": "", "charts": {"weeks-chart": chart} if len(weeks) > 1 else {}},
        "mean": reviewing.mean(rows.filter(reviewed_at__gte=quality_results.moment(as_of - quality_results.LATELY))),
        "courses": [(course, _tone(course)) for course in quality_results.courses(agent, as_of=as_of)],
        "reviews": list(reviewing.with_work(rows)[:LISTED]),
        "coached": quality_results.coaching_of(agent, request.user),
        "form": form or CoachingForm(),
        "tab": "teams",
    }
    return render(request, "supervise/quality/person.html", context, status=422 if form else 200)


@may(rights.Act.REVIEW)
@require_POST
def coach(request: DeskRequest, username: str) -> HttpResponse:
    """A word to that person, about one of their reviews or in general."""
    agent = _person(request, username)
    form = CoachingForm(request.POST)
    about = request.POST.get("review", "")
    review = None
    if about.isdecimal() and len(about) < 19:
        review = reviewing.visible(request.user).filter(pk=int(about), agent=agent).first()
    if not form.is_valid():
        return _page(request, agent, form=form)
    try:
        coaching.write(
            agent=agent,
            text=form.cleaned_data["text"],
            goal=form.cleaned_data["goal"],
            review=review,
            by=request.user,
            at=timezone.now(),
        )
    except Refused as refusal:
        form.add_error("text", str(refusal))
        return _page(request, agent, form=form)
    messages.success(request, _("%(who)s reads it on their own day.") % {"who": agent})
    if review is not None:
        return redirect("quality_review", pk=review.pk)
    return redirect("quality_person", username=agent.username)


@may(rights.Act.REVIEW)
@require_POST
def settle(request: DeskRequest, pk: int) -> HttpResponse:
    """What was written is settled."""
    try:
        closed = coaching.close(coaching_id=pk, by=request.user, at=timezone.now())
    except Refused as refusal:
        if refusal.code == "not_found":
            raise Http404(str(refusal)) from refusal
        messages.error(request, str(refusal))
        return redirect("quality_teams")
    messages.success(request, _("Settled."))
    return redirect("quality_person", username=closed.agent.username)


# One's own ----------------------------------------------------------------------------------------------------------


def own_quality(agent: Agent) -> dict[str, Any]:
    """What a person's own day shows of it: their mean, their last reviews answer by answer, what they were told.

    Five queries at most. Never a calibration's, never who else was reviewed.
    """
    as_of = business_date(at=timezone.now())
    done = reviewing.own(agent)
    reviews = list(reviewing.answered(done).order_by("-reviewed_at", "-pk")[:ON_A_DAY])
    since = quality_results.moment(as_of - quality_results.LATELY)
    return {
        "mean": reviewing.mean(done.filter(reviewed_at__gte=since)),
        "days": quality_results.LATELY.days,
        "reviews": [(review, [_told(answer) for answer in review.given]) for review in reviews],  # type: ignore[attr-defined]  # prefetched
        "coaching": list(coaching.own(agent)[:10]),
    }


def _told(answer: Answer) -> tuple[Answer, str, str]:
    """An answer, in words, and how it stands: ``bad`` at nothing, ``good`` at the best."""
    if answer.value is None:
        return answer, quality_forms.answer_in_words(answer), ""
    best = answer.value == quality_results.top_of(answer)
    return answer, quality_forms.answer_in_words(answer), "good" if best else "bad" if answer.value == 0 else "warn"


@may(rights.Act.WORK)
@require_POST
def answer_coaching(request: DeskRequest, pk: int) -> HttpResponse:
    """I read what was written to me, and answer it."""
    at = timezone.now()
    try:
        if request.POST.get("do") == "read":
            coaching.read(coaching_id=pk, agent=request.user, at=at)
        else:
            coaching.answer(coaching_id=pk, text=request.POST.get("text", ""), agent=request.user, at=at)
            messages.success(request, _("Answered."))
    except Refused as refusal:
        if refusal.code == "not_found":
            raise Http404(str(refusal)) from refusal
        messages.error(request, str(refusal))
    return redirect(f"{reverse('day')}#quality")
