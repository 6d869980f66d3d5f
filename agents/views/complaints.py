"""The complaint desk: who is not content with us and by when they get an answer, one complaint, and the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date
from accounts.models import AccountEvent
from accounts.refusals import Refused
from agents import complaint_desk, complaints, kinds, rights
from agents.complaint_forms import (
    AnswerForm,
    ComplaintFilter,
    ComplaintNoteForm,
    GiveComplaintsForm,
    category_in_words,
    channel_in_words,
)
from agents.covered import still_holds
from agents.event_words import title_of
from agents.models import Agent, Complaint
from agents.views.session import DeskRequest, may
from agents.words import due_in_words, said, within
from dunning import previewing
from dunning.confirming import Agreed
from dunning.previewing import CannotPreview

ROWS = 50
UNPROCESSABLE = 422
#: Days before its date from which a complaint is shown as due soon.
SOON = 5
LISTS = (
    (complaint_desk.MINE, gettext_lazy("Mine")),
    (complaint_desk.UNASSIGNED, gettext_lazy("Unassigned")),
    (complaint_desk.TEAM, gettext_lazy("My team")),
    (complaint_desk.ALL, gettext_lazy("All open")),
    (complaint_desk.CLOSED, gettext_lazy("Answered")),
)


# The list -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One complaint of the list."""

    complaint: Complaint
    category: str
    channel: str
    due: str
    tone: str
    #: The customer was to know by now that we have it, and does not.
    unconfirmed: bool


@may(rights.Act.WORK)
@require_safe
def complaint_list(request: DeskRequest) -> HttpResponse:
    """What customers are not content with, the one that is due first on top."""
    as_of = business_date(at=timezone.now())
    counts = complaint_desk.counted(request.user, as_of=as_of)
    whose = request.GET.get("list", "")
    if whose not in dict(LISTS):
        whose = complaint_desk.MINE if counts["mine"] else complaint_desk.ALL
    narrowed = ComplaintFilter(request.GET, countries=complaint_desk.markets_of(request.user))
    wanted = narrowed.wanted()
    rows = complaint_desk.shown(request.user, whose=whose, **wanted)
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    gives = complaints.may_answer(request.user)
    kept = {name: request.GET[name] for name in narrowed.fields if request.GET.get(name)}
    context: dict[str, Any] = {
        "as_of": as_of,
        "page": page,
        "rows": [_row(complaint, as_of=as_of) for complaint in page.object_list],
        "lists": [(code, words, counts[code]) for code, words in LISTS],
        "whose": whose,
        "counts": counts,
        "narrowed": narrowed,
        "is_narrowed": bool(wanted),
        "kept": urlencode(kept),
        "gives": gives,
        "people": complaint_desk.colleagues(request.user) if gives else [],
        "figures": [
            (category_in_words(row.category), row) for row in complaint_desk.figures(request.user, as_of=as_of)
        ],
        "figures_days": complaint_desk.LOOKS_BACK.days,
    }
    return render(request, "agents/complaints/list.html", context)


def _row(complaint: Complaint, *, as_of: date) -> Row:
    due, tone = _due(complaint, as_of)
    category, channel = category_in_words(complaint.category), channel_in_words(complaint.channel)
    return Row(complaint, category, channel, due, tone, _is_unconfirmed(complaint, as_of))


def _is_unconfirmed(complaint: Complaint, as_of: date) -> bool:
    is_open = complaint.state != Complaint.State.CLOSED
    return is_open and complaint.acknowledged_on is None and complaint.acknowledge_by < as_of


def _due(complaint: Complaint, as_of: date) -> tuple[str, str]:
    """How far the answer is, and how urgent: ``bad`` past its date, ``warn`` soon."""
    if complaint.state == Complaint.State.CLOSED:
        return "", ""
    days = (complaint.answer_by - as_of).days
    tone = "bad" if days < 0 else "warn" if days <= SOON else ""
    return due_in_words(complaint.answer_by, as_of=as_of), tone


@may(rights.Act.WORK)
@require_POST
def give(request: DeskRequest) -> HttpResponse:
    """The ticked complaints to somebody, or to oneself."""
    at = timezone.now()
    rows = complaint_desk.visible(request.user)
    form = GiveComplaintsForm(request.POST, people=complaint_desk.colleagues(request.user), rows=rows)
    back = redirect(f"/complaints/?{request.POST.get('back', '')[:400]}".rstrip("?"))
    if not form.is_valid() or not form.cleaned_data["complaint"]:
        messages.error(request, _("Tick the complaints, and choose who gets them."))
        return back
    to = request.user if "me" in request.POST else form.cleaned_data["to"]
    given, refused = 0, []
    for complaint in form.cleaned_data["complaint"]:
        try:
            complaints.assign(complaint_id=complaint.pk, to=to, agent=request.user, as_of=business_date(at=at), at=at)
            given += 1
        except Refused as refusal:
            refused.append(str(refusal))
    if given:
        whom = to or _("nobody")
        told = ngettext(
            "%(count)s complaint is with %(whom)s now.", "%(count)s complaints are with %(whom)s now.", given
        )
        messages.success(request, told % {"count": given, "whom": whom})
    for words in dict.fromkeys(refused):
        messages.error(request, words)
    return back


# One complaint ------------------------------------------------------------------------------------------------------


def complaint_of(request: DeskRequest, ref: str) -> Complaint:
    """The complaint, where the user may read it. Raises ``Http404`` for any other."""
    rows = complaint_desk.visible(request.user)
    rows = rows.select_related("account__customer", "assigned_to", "about", "interaction", "repeats")
    found = rows.filter(ref=ref).first()
    if found is None:
        raise Http404("There is no such complaint.")
    return found


@may(rights.Act.WORK)
@require_safe
def complaint_page(request: DeskRequest, ref: str) -> HttpResponse:
    """Everything about one complaint."""
    return _page(request, complaint_of(request, ref))


def _page(request: DeskRequest, complaint: Complaint, *, status: int = 200, **forms: Any) -> HttpResponse:
    as_of = business_date(at=timezone.now())
    account = complaint.account
    is_open = complaint.state != Complaint.State.CLOSED
    due, tone = _due(complaint, as_of)
    hold = complaints.paused_by(complaint)
    earlier = account.complaints.filter(category=complaint.category).exclude(pk=complaint.pk)
    context: dict[str, Any] = {
        "complaint": complaint,
        "account": account,
        "customer": account.customer,
        "currency": account.currency,
        "as_of": as_of,
        "is_open": is_open,
        "category": category_in_words(complaint.category),
        "channel": channel_in_words(complaint.channel),
        "due": due,
        "tone": tone,
        "hold": hold,
        "is_paused": still_holds(hold, as_of=as_of),
        "may_pause": is_open and hold is None and bool(settings.DESK_COMPLAINT_STOPS),
        "earlier": list(earlier.order_by("-received_on", "-pk")[:5]),
        "history": _history(complaint),
        "letters": complaint_desk.letters_of(complaint),
        "people": complaint_desk.colleagues(request.user) if is_open else [],
        "answers": complaints.may_answer(request.user),
        "about_me": complaint.about_id == request.user.pk,
        "note_form": forms.get("note_form") or ComplaintNoteForm(prefix="note"),
        "form": forms.get("form") or AnswerForm(currency=account.currency, prefix="decision"),
    }
    return render(request, "agents/complaints/complaint.html", context, status=status)


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the complaint's history."""

    at: datetime
    title: str
    actor: str
    detail: str = ""
    text: str = ""


def _history(complaint: Complaint) -> list[Moment]:
    """Events and notes, newest first."""
    history = complaint_desk.history_of(complaint)
    notes = complaint_desk.notes_in(history)
    moments = []
    for event in history:
        if event.kind != kinds.NOTE_ADDED:
            moments.append(Moment(event.at, title_of(event.kind), event.actor, detail=_detail(event)))
        elif (note := notes.get(event.payload["note"])) is not None:
            moments.append(Moment(event.at, _("Note"), event.actor, text=note.text))
    return moments


def _detail(event: AccountEvent) -> str:
    told = event.payload
    if "to" in told:
        return str(told["to"].partition(":")[2]) or _("to nobody")
    if "outcome" in told:
        words = said(dict(Complaint.Outcome.choices).get(told["outcome"], told["outcome"]))
        return f"{words}: {told['redress']}" if "redress" in told else words
    return event.reason


Act = Callable[[Complaint, DeskRequest, dict[str, Any]], str]


def _told(request: DeskRequest, ref: str, act: Act) -> HttpResponse:
    """Do it, say so, and show the complaint again; a refusal is said in its own words."""
    at = timezone.now()
    complaint = complaint_of(request, ref)
    try:
        messages.success(request, act(complaint, request, {"as_of": business_date(at=at), "at": at}))
    except Refused as refusal:
        messages.error(request, str(refusal))
    if complaint_desk.visible(request.user).filter(pk=complaint.pk).exists():
        return redirect("complaint", ref=ref)
    return redirect("complaints")


@may(rights.Act.WORK)
@require_POST
def assign(request: DeskRequest, ref: str) -> HttpResponse:
    """To oneself, to somebody else, or to nobody."""

    def act(complaint: Complaint, request: DeskRequest, moment: dict[str, Any]) -> str:
        to: Agent | None = request.user
        if "me" not in request.POST:
            name = request.POST.get("to", "")
            to = next((person for person in complaint_desk.colleagues(request.user) if person.username == name), None)
            if name and to is None:
                raise complaints.CannotWorkComplaint(_("Complaints are given to others by whoever answers them."))
        complaints.assign(complaint_id=complaint.pk, to=to, agent=request.user, **moment)
        return _("%(who)s works on it now.") % {"who": to} if to else _("Nobody works on it now.")

    return _told(request, ref, act)


@may(rights.Act.WORK)
@require_POST
def acknowledge(request: DeskRequest, ref: str) -> HttpResponse:
    """The customer was told by a person that we have it."""

    def act(complaint: Complaint, request: DeskRequest, moment: dict[str, Any]) -> str:
        complaints.acknowledge(complaint_id=complaint.pk, actor=rights.actor(request.user), **moment)
        return _("Receipt is confirmed.")

    return _told(request, ref, act)


@may(rights.Act.WORK)
@require_POST
def pause(request: DeskRequest, ref: str) -> HttpResponse:
    """Contact about the debt waits for the answer."""

    def act(complaint: Complaint, request: DeskRequest, moment: dict[str, Any]) -> str:
        complaints.pause(complaint_id=complaint.pk, **moment)
        return _("Contact about the debt waits until it is answered.")

    return _told(request, ref, act)


@may(rights.Act.WORK)
@require_POST
def note(request: DeskRequest, ref: str) -> HttpResponse:
    """A note for whoever looks next."""
    complaint = complaint_of(request, ref)
    form = ComplaintNoteForm(request.POST, prefix="note")
    if form.is_valid():
        at = timezone.now()
        try:
            complaints.note(
                complaint_id=complaint.pk,
                text=form.cleaned_data["text"],
                actor=rights.actor(request.user),
                as_of=business_date(at=at),
                at=at,
            )
        except Refused as refusal:
            form.add_error("text", str(refusal))
        else:
            messages.success(request, _("Noted."))
            return redirect("complaint", ref=ref)
    return _page(request, complaint, status=UNPROCESSABLE, note_form=form)


@may(rights.Act.RESOLVE_DISPUTE)
@require_POST
def close(request: DeskRequest, ref: str) -> HttpResponse:
    """Answer it: upheld, wholly or for a part; rejected; or withdrawn by the customer."""
    at = timezone.now()
    complaint = complaint_of(request, ref)
    form = AnswerForm(request.POST, currency=complaint.account.currency, prefix="decision")
    if form.is_valid():
        try:
            closed = complaints.close(
                complaint_id=complaint.pk,
                actor=rights.actor(request.user),
                as_of=business_date(at=at),
                at=at,
                **form.terms(),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Complaint %(outcome)s.") % {"outcome": within(closed.get_outcome_display())})
            return redirect("complaint", ref=ref)
    return _page(request, complaint, status=UNPROCESSABLE, form=form)


@may(rights.Act.RESOLVE_DISPUTE)
@require_safe
def letter(request: DeskRequest, ref: str) -> HttpResponse:
    """The letter that an answer would send, as it would read for this customer; nothing is written or sent."""
    at = timezone.now()
    complaint = complaint_of(request, ref)
    form = AnswerForm(request.GET, currency=complaint.account.currency, prefix="decision")
    form.is_valid()
    outcome = form.cleaned_data.get("outcome", "")
    errors = form.errors.get("redress")
    context: dict[str, Any] = {"outcome": outcome, "errors": errors, "preview": None, "refusal": ""}
    if outcome and outcome != Complaint.Outcome.WITHDRAWN and not errors:
        terms = form.terms() if not form.errors else {}
        agreed = Agreed(
            outcome_words=form.cleaned_data.get("answer") or None, credited_amount=terms.get("redress") or None
        )
        try:
            context["preview"] = previewing.preview_confirmation(
                template="complaint-answered",
                account_id=complaint.account_id,
                agreed=agreed,
                at=at,
                as_of=business_date(at=at),
            )
        except CannotPreview as refusal:
            context["refusal"] = str(refusal)
    return render(request, "agents/disputes/_letter.html", context)
