"""Quality: the reviews that wait, one piece of work beside its card, and asking for a look at something."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import events
from accounts.business_day import business_date
from accounts.models import Account
from accounts.refusals import Refused
from agents import calibration, findings, quality_forms, reviewing, rights, scripting, timeline
from agents.models import Agent, Disposition, Finding, IdentityCheck, Interaction, Review, Subject, Survey
from agents.quality_forms import CoachingForm, ReviewFilter
from agents.reviewing import Work
from agents.views.session import DeskRequest, may
from agents.words import due_in_words, of_code, said
from dunning.models import Notice

ROWS = 50
UNPROCESSABLE = 422
#: What happened around a piece of work is shown from so long before to so long after.
BEFORE, AFTER = timedelta(days=7), timedelta(days=14)
#: So much of an account is read for it.
_MOST_ENTRIES = 200
PICKED = 20
#: A check of who is on the line belongs to a call so close to it.
_ABOUT_A_CALL = timedelta(minutes=45)
TO_DO, DONE = "todo", "done"
LISTS = ((TO_DO, gettext_lazy("To do")), (DONE, gettext_lazy("Done")))
#: How the timeline numbers what it tells.
_PLACES = {Subject.CALL: 5, Subject.NOTE: 6, Subject.NOTICE: 4}


# The list -----------------------------------------------------------------------------------------------------------


@may(rights.Act.REVIEW)
@require_safe
def quality(request: DeskRequest) -> HttpResponse:
    """The reviews to do, the one that is due first on top, or those that are done."""
    as_of = business_date(at=timezone.now())
    whose = request.GET.get("list", "")
    whose = whose if whose in dict(LISTS) else TO_DO
    people = list(reviewing.people(request.user).order_by("username"))
    narrowed = ReviewFilter(request.GET, people=people)
    wanted = narrowed.wanted()
    listed = reviewing.to_do if whose == TO_DO else reviewing.done
    page = Paginator(reviewing.with_work(listed(request.user, **wanted)), ROWS).get_page(request.GET.get("page"))
    outcomes = dict(Disposition.objects.values_list("code", "label"))
    context: dict[str, Any] = {
        "as_of": as_of,
        "page": page,
        "rows": [_row(review, outcomes, as_of) for review in page.object_list],
        "lists": LISTS,
        "whose": whose,
        "counts": reviewing.counted(request.user, as_of=as_of),
        "narrowed": narrowed,
        "is_narrowed": bool(wanted),
        "kept": urlencode(wanted),
        "calibrating": calibration.to_do(request.user),
        "tab": "quality",
    }
    return render(request, "supervise/quality/list.html", context)


def _row(review: Review, outcomes: dict[str, str], as_of: date) -> dict[str, Any]:
    """One line: what it is, and how far its date is."""
    is_open = review.state in reviewing.TO_DO
    days = (review.due_on - as_of).days
    return {
        "review": review,
        "what": what_of(review, outcomes),
        "due": due_in_words(review.due_on, as_of=as_of) if is_open else "",
        "tone": "" if not is_open else "bad" if days < 0 else "warn" if days <= 1 else "",
    }


def what_of(review: Review, outcomes: dict[str, str]) -> str:
    """A piece of work in few words: what a call came to, which text was sent."""
    if review.interaction is not None:
        return said(outcomes.get(review.interaction.disposition, review.interaction.disposition))
    if review.notice is not None:
        return of_code(review.notice.step_code)
    return _("Note")


# One review ---------------------------------------------------------------------------------------------------------


def review_of(request: DeskRequest, pk: int) -> Review:
    """The review, where the user may do or read it. Raises ``Http404`` for any other.

    Of a calibration that is the user's own part, and never the others'.
    """
    review = reviewing.with_work(reviewing.visible(request.user)).filter(pk=pk).first()
    if review is None:
        mine = Review.objects.filter(calibration__isnull=False, reviewer=request.user).exclude(agent=request.user)
        review = reviewing.with_work(mine).select_related("calibration").filter(pk=pk).first()
    if review is None or (review.calibration_id and not rights.may_see_account(request.user, review.account)):
        raise Http404("There is no such review.")
    return review


@may(rights.Act.REVIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def review_page(request: DeskRequest, pk: int) -> HttpResponse:
    """One piece of work beside its card; with POST its answers, kept or finished, and on to the next."""
    review = review_of(request, pk)
    if request.method != "POST":
        return _page(request, review)
    at, does = timezone.now(), request.POST.get("do", "")
    try:
        if does == "take":
            reviewing.take_over(review_id=pk, reviewer=request.user)
            messages.success(request, _("It is yours now."))
            return redirect(_here(request, "quality_review", pk))
        if does == "aside":
            reviewing.set_aside(review_id=pk, why=request.POST.get("summary", ""), reviewer=request.user, at=at)
            messages.success(request, _("Set aside."))
            return _onwards(request, review)
        questions = list(review.card.criteria.order_by("position", "pk"))
        kept = reviewing.keep(
            review_id=pk,
            answers=quality_forms.answers_in(questions, request.POST.dict()),
            summary=request.POST.get("summary", ""),
            reviewer=request.user,
            at=at,
            finish=does == "finish",
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return _page(request, review, status=UNPROCESSABLE, sent=request.POST.dict())
    if kept.state == Review.State.DOING:
        messages.success(request, _("Kept for later."))
        return redirect(_here(request, "quality"))
    messages.success(request, _finished(kept))
    return _onwards(request, review)


def _finished(review: Review) -> str:
    if review.score is None:
        return _("Reviewed: nothing of the card applied.")
    told = {"score": f"{review.score:.0f}"}
    return (_("Reviewed: %(score)s %%, passed.") if review.passed else _("Reviewed: %(score)s %%, not passed.")) % told


def _onwards(request: DeskRequest, review: Review) -> HttpResponse:
    """To the next of the same list; back to the list, or to the round, when there is none."""
    if review.calibration_id is not None:
        return redirect("quality_calibration", pk=review.calibration_id)
    people = list(reviewing.people(request.user).order_by("username"))
    wanted = ReviewFilter(request.GET, people=people).wanted()
    following = reviewing.next_of(request.user, after=review, **wanted)
    if following is None:
        return redirect(_here(request, "quality"))
    return redirect(_here(request, "quality_review", following.pk))


def _here(request: DeskRequest, name: str, *args: Any) -> str:
    """An address that keeps what the list is narrowed to."""
    kept = {name: request.GET[name] for name in ("subject", "rule", "agent") if request.GET.get(name)}
    address = reverse(name, args=args)
    return f"{address}?{urlencode(kept)}" if kept else address


def _page(
    request: DeskRequest, review: Review, *, status: int = 200, sent: dict[str, str] | None = None
) -> HttpResponse:
    """The page. Who reads of a customer is kept as an event."""
    at = timezone.now()
    as_of = business_date(at=at)
    _was_read(request, review.account, at, {"review": review.pk})
    questions = list(review.card.criteria.order_by("position", "pk"))
    given = {answer.criterion_id: answer for answer in review.answers.select_related("criterion")}
    for answer in given.values():
        answer.in_words = quality_forms.answer_in_words(answer)  # type: ignore[attr-defined]  # for the template
    is_mine = review.reviewer_id in (None, request.user.pk) or review.state == Review.State.WAITING
    context: dict[str, Any] = {
        "review": review,
        "account": review.account,
        "customer": review.account.customer,
        "currency": review.account.currency,
        "as_of": as_of,
        "due": due_in_words(review.due_on, as_of=as_of),
        "is_late": review.due_on < as_of,
        "is_open": review.state in reviewing.TO_DO,
        "is_mine": is_mine,
        "asked": quality_forms.asked(questions, given, sent or {}),
        "given": [given[question.pk] for question in questions if question.pk in given],
        "summary": (sent or {}).get("summary", review.summary),
        "kept": _here(request, "quality").partition("?")[2],
        "coaching_form": CoachingForm() if review.agent and not review.calibration_id else None,
        "coached": list(review.coaching.select_related("written_by", "goal").order_by("-pk")),
        **_piece(review, as_of=as_of),
    }
    return render(request, "supervise/quality/review.html", context, status=status)


def _was_read(request: DeskRequest, account: Account, at: datetime, payload: dict[str, Any]) -> None:
    events.record(
        account_id=account.pk,
        kind=events.PERSONAL_DATA_READ,
        actor=rights.actor(request.user),
        at=at,
        on=business_date(at=at),
        payload={"page": "quality", **payload},
    )


def _piece(review: Review, *, as_of: date) -> dict[str, Any]:
    """The piece of work itself: its facts, what was said, what checks and the customer said of it, what is around."""
    call, note, notice = review.interaction, review.note, review.notice
    outcomes = dict(Disposition.objects.values_list("code", "label"))
    column = {Subject.CALL: "interaction", Subject.NOTE: "note", Subject.NOTICE: "notice"}[review.subject]
    moment = call.at if call else note.at if note else notice.sent_at if notice else None
    zone = ZoneInfo(settings.DESK_TIME_ZONE)
    found: dict[str, Any] = {
        "call": call,
        "note": note,
        "notice": notice,
        "moment": moment,
        "outcome": what_of(review, outcomes),
        "findings": list(Finding.objects.filter(**{column: review.piece_id}).order_by(findings.WEIGHT.desc(), "pk")),
        "around": [],
    }
    if call is not None:
        found |= _of_call(call)
    if moment is not None:
        told = timeline.timeline(account=review.account, as_of=as_of, zone=zone, outcomes=outcomes, most=_MOST_ENTRIES)
        found["around"] = [
            (entry, entry.order == (_PLACES[review.subject], review.piece_id))
            for entry in told.entries
            if moment - BEFORE <= entry.at <= moment + AFTER
        ]
    return found


def _of_call(call: Interaction) -> dict[str, Any]:
    """Who was on the line, what had to be said and was, what the customer said of it afterwards."""
    checks = IdentityCheck.objects.filter(
        account=call.account_id, agent=call.agent_id, at__gte=call.at - _ABOUT_A_CALL, at__lte=call.at + _ABOUT_A_CALL
    )
    sayable = scripting.sayable()
    return {
        "identity": checks.order_by("-at").first(),
        "sayings": [scripting.sayable_words(code) if code in sayable else of_code(code) for code in call.said],
        "survey": Survey.objects.filter(interaction=call, answered_at__isnull=False).first(),
        "complaints": list(call.complaints.order_by("-received_on")[:3]),
    }


# Asking for a look --------------------------------------------------------------------------------------------------


@may(rights.Act.REVIEW)
@require_safe
def pick(request: DeskRequest) -> HttpResponse:
    """The last calls, notes and texts of an account, to be reviewed or to calibrate by."""
    at = timezone.now()
    ref = request.GET.get("account", "").strip()
    context: dict[str, Any] = {"ref": ref, "tab": "pick", "account": None, "works": []}
    if ref:
        account = rights.visible_accounts(request.user).select_related("customer").filter(ref=ref).first()
        context["account"] = account
        if account is not None:
            _was_read(request, account, at, {"picks": True})
            context["works"] = _works_of(request, account)
    return render(request, "supervise/quality/pick.html", context)


def _works_of(request: DeskRequest, account: Account) -> list[tuple[Work, str]]:
    """The latest first, as far as the user may judge it, with a word for each. Four queries."""
    outcomes = dict(Disposition.objects.values_list("code", "label"))
    calls = account.interactions.filter(agent__isnull=False, kind=Interaction.Kind.CALL).select_related("agent__team")
    notes = account.notes.filter(undone_at=None, by__startswith="agent:").order_by("-at")
    notices: QuerySet[Notice] = account.notices.filter(sent_at__isnull=False).defer("body", "address")
    authors = {
        person.username: person
        for person in Agent.objects.filter(username__in=[row.by.partition(":")[2] for row in notes[:PICKED]])
    }
    found: list[tuple[Work, str]] = [
        (Work(Subject.CALL, row, account, row.agent), said(outcomes.get(row.disposition, row.disposition)))
        for row in calls.order_by("-at")[:PICKED]
    ]
    found += [
        (Work(Subject.NOTE, row, account, authors.get(row.by.partition(":")[2])), row.text[:80])
        for row in notes[:PICKED]
    ]
    found += [
        (Work(Subject.NOTICE, row, account, None), of_code(row.step_code)) for row in notices.order_by("-pk")[:PICKED]
    ]
    return sorted(_judged(request, found), key=lambda each: each[0].at or timezone.now(), reverse=True)


def _judged(request: DeskRequest, works: Iterable[tuple[Work, str]]) -> list[tuple[Work, str]]:
    """Without one's own work and another team's; the account is known to be on this side of the wall."""
    sees_all, team = rights.sees_all_teams(request.user), request.user.team_id
    return [
        (work, words)
        for work, words in works
        if work.agent != request.user and (sees_all or work.agent is None or work.agent.team_id == team)
    ]


def work_in(request: DeskRequest) -> Work:
    """The piece of work that the address names. Raises ``Http404`` for one the user may not judge."""
    given = request.POST if request.method == "POST" else request.GET
    subject, pk = given.get("subject", ""), given.get("piece", "")
    work = reviewing.work_of(subject, int(pk)) if pk.isdecimal() and len(pk) < 19 else None
    if work is None or not reviewing.may_judge(request.user, work):
        raise Http404("There is no such work.")
    return work


@may(rights.Act.REVIEW)
@require_POST
def ask(request: DeskRequest) -> HttpResponse:
    """A review of that piece of work, asked for by hand."""
    try:
        review = reviewing.ask(work=work_in(request), by=request.user, as_of=business_date(at=timezone.now()))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("quality_pick")
    return redirect("quality_review", pk=review.pk)
