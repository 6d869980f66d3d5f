"""The dispute desk: what is contested and by when it is answered, one dispute with its evidence, and the decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date
from accounts.models import AccountEvent, Bill
from accounts.refusals import Refused
from agents import calls, dispute_desk, disputes, evidence, rights
from agents.dispute_forms import (
    DisputeFilter,
    DisputeNoteForm,
    EvidenceForm,
    GiveForm,
    ResolveForm,
    reason_in_words,
)
from agents.event_words import title_of
from agents.models import Agent, Dispute, DisputeEvidence, Note
from agents.views.session import DeskRequest, may
from agents.words import due_in_words, said, within
from dunning import previewing
from dunning.confirming import Agreed
from dunning.previewing import CannotPreview

ROWS = 50
UNPROCESSABLE = 422
#: Days before its date from which a dispute is shown as due soon.
SOON = 3
#: Looked into, waits for the customer, waits for billing.
STAGE_KEYS = "rwl"
LISTS = (
    (dispute_desk.MINE, gettext_lazy("Mine")),
    (dispute_desk.UNASSIGNED, gettext_lazy("Unassigned")),
    (dispute_desk.ALL, gettext_lazy("All open")),
    (dispute_desk.CLOSED, gettext_lazy("Decided")),
)
#: What is handed out is looked at elsewhere: nothing in it runs as a page of ours, whatever it is.
SEALED = "sandbox; default-src 'none'; img-src 'self'; style-src 'none'; frame-ancestors 'none'"


# The list -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One dispute of the list."""

    dispute: Dispute
    reason: str
    due: str
    tone: str


@may(rights.Act.WORK)
@require_safe
def dispute_list(request: DeskRequest) -> HttpResponse:
    """What is contested, the one that is due first on top."""
    as_of = business_date(at=timezone.now())
    counts = dispute_desk.counted(request.user, as_of=as_of)
    whose = request.GET.get("list", "")
    if whose not in dict(LISTS):
        whose = dispute_desk.MINE if counts["mine"] else dispute_desk.ALL
    reasons = dispute_desk.reasons_of(request.user)
    narrowed = DisputeFilter(request.GET, reasons=reasons, countries=dispute_desk.markets_of(request.user))
    wanted = narrowed.wanted()
    rows = dispute_desk.with_files(dispute_desk.shown(request.user, whose=whose, **wanted))
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    gives = rights.may(request.user, rights.Act.RESOLVE_DISPUTE)
    kept = {name: request.GET[name] for name in narrowed.fields if request.GET.get(name)}
    context: dict[str, Any] = {
        "as_of": as_of,
        "page": page,
        "rows": [_row(dispute, as_of=as_of) for dispute in page.object_list],
        "lists": [(code, words, counts[code]) for code, words in LISTS],
        "whose": whose,
        "counts": counts,
        "narrowed": narrowed,
        "is_narrowed": bool(wanted),
        "kept": urlencode(kept),
        "gives": gives,
        "people": dispute_desk.colleagues(request.user) if gives else [],
        "figures": [(reason_in_words(row.reason), row) for row in dispute_desk.figures(request.user, as_of=as_of)],
        "figures_days": dispute_desk.LOOKS_BACK.days,
    }
    return render(request, "agents/disputes/list.html", context)


def _row(dispute: Dispute, *, as_of: date) -> Row:
    return Row(
        dispute, reason_in_words(dispute.reason), due_in_words(dispute.decide_by, as_of=as_of), _tone(dispute, as_of)
    )


def _tone(dispute: Dispute, as_of: date) -> str:
    """How urgent: ``bad`` past its date, ``warn`` soon."""
    if dispute.decide_by is None or dispute.resolved_on is not None:
        return ""
    days = (dispute.decide_by - as_of).days
    return "bad" if days < 0 else "warn" if days <= SOON else ""


@may(rights.Act.WORK)
@require_POST
def give(request: DeskRequest) -> HttpResponse:
    """The ticked disputes to somebody, or to oneself."""
    at = timezone.now()
    rows = dispute_desk.visible(request.user)
    form = GiveForm(request.POST, people=dispute_desk.colleagues(request.user), rows=rows)
    back = redirect(f"/disputes/?{request.POST.get('back', '')[:400]}".rstrip("?"))
    if not form.is_valid() or not form.cleaned_data["dispute"]:
        messages.error(request, _("Tick the disputes, and choose who gets them."))
        return back
    to = request.user if "me" in request.POST else form.cleaned_data["to"]
    given, refused = 0, []
    for dispute in form.cleaned_data["dispute"]:
        try:
            disputes.assign(dispute_id=dispute.pk, to=to, agent=request.user, as_of=business_date(at=at), at=at)
            given += 1
        except Refused as refusal:
            refused.append(str(refusal))
    if given:
        whom = to or _("nobody")
        said = ngettext("%(count)s dispute is with %(whom)s now.", "%(count)s disputes are with %(whom)s now.", given)
        messages.success(request, said % {"count": given, "whom": whom})
    for words in dict.fromkeys(refused):
        messages.error(request, words)
    return back


# One dispute --------------------------------------------------------------------------------------------------------


def dispute_of(request: DeskRequest, ref: str) -> Dispute:
    """The dispute, on this side of the team wall. Raises ``Http404`` for any other."""
    rows = dispute_desk.visible(request.user).select_related("account__customer", "assigned_to", "hold")
    found = rows.filter(ref=ref).first()
    if found is None:
        raise Http404("There is no such dispute.")
    return found


@may(rights.Act.WORK)
@require_safe
def dispute_page(request: DeskRequest, ref: str) -> HttpResponse:
    """Everything about one dispute."""
    return _page(request, dispute_of(request, ref))


def _page(request: DeskRequest, dispute: Dispute, *, status: int = 200, **forms: Any) -> HttpResponse:
    as_of = business_date(at=timezone.now())
    account = dispute.account
    bill = account.bills.filter(ref=dispute.bill_ref).first() if dispute.bill_ref else None
    decides = rights.may(request.user, rights.Act.RESOLVE_DISPUTE)
    people = dispute_desk.colleagues(request.user) if dispute.resolved_on is None else []
    context: dict[str, Any] = {
        "dispute": dispute,
        "account": account,
        "customer": account.customer,
        "currency": account.currency,
        "as_of": as_of,
        "reason": reason_in_words(dispute.reason),
        "due": due_in_words(dispute.decide_by, as_of=as_of),
        "tone": _tone(dispute, as_of),
        "bill": bill,
        "lines": _lines(bill),
        "credit": dispute_desk.credit_of(dispute) if dispute.outcome == Dispute.Outcome.UPHELD else None,
        "earlier": list(
            account.disputes.filter(bill_ref=dispute.bill_ref).exclude(pk=dispute.pk).order_by("-opened_on", "-pk")[:5]
        ),
        "evidence": [
            (file, evidence.said_type(file), evidence.has_thumbnail(file)) for file in evidence.listed(dispute)
        ],
        "history": _history(dispute),
        "letters": dispute_desk.letters_of(dispute),
        "stages": [
            (stage.value, said(stage.label), key) for stage, key in zip(disputes.STAGES, STAGE_KEYS, strict=True)
        ],
        "people": people,
        "decides": decides,
        "alone": disputes.may_decide_alone(
            dispute, amount=dispute.amount, actor=rights.actor(request.user), currency=account.currency
        ),
        "limits": evidence.limits_in_words(),
        "file_mb": settings.DESK_EVIDENCE_FILE_MB,
        "note_form": forms.get("note_form") or DisputeNoteForm(prefix="note"),
        "evidence_form": forms.get("evidence_form") or EvidenceForm(),
        "form": forms.get("form") or ResolveForm(currency=account.currency, prefix="decision"),
    }
    return render(request, "agents/disputes/dispute.html", context, status=status)


def _lines(bill: Bill | None) -> list[tuple[str, Decimal]]:
    """What is known of a bill's amount, line by line."""
    if bill is None:
        return []
    lines = [(_("Billed"), bill.amount)]
    if bill.tax_amount is not None:
        lines.append((_("of it tax"), bill.tax_amount))
    if bill.essential_amount is not None:
        lines.append((_("of it for the line itself"), bill.essential_amount))
    lines.append((_("Paid and credited"), bill.amount - bill.open_amount))
    lines.append((pgettext("amount", "Open"), bill.open_amount))
    lines.append((_("of it contested"), bill.disputed_amount))
    return lines


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the dispute's history."""

    at: datetime
    title: str
    actor: str
    detail: str = ""
    text: str = ""


def _history(dispute: Dispute) -> list[Moment]:
    """Events and notes, newest first."""
    stages = dict(Dispute.Stage.choices)
    moments = [_of_event(event, stages) for event in dispute_desk.history_of(dispute)]
    notes = Note.objects.filter(dispute=dispute, undone_at=None)
    moments += [Moment(note.at, _("Note"), note.by, text=note.text) for note in notes]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)


def _of_event(event: AccountEvent, stages: dict[str, str]) -> Moment:
    told = event.payload
    if "to" in told and "from" in told:
        detail = f"{stages.get(told['from'], told['from'])} → {stages.get(told['to'], told['to'])}"
    elif "to" in told:
        detail = told["to"].partition(":")[2] or _("to nobody")
    elif "outcome" in told:
        words = dict(Dispute.Outcome.choices).get(told["outcome"], told["outcome"])
        detail = f"{words}: {told['credited']}" if "credited" in told else words
    elif "type" in told:
        detail = f"{told['type']}, {int(told['size']) // 1024 + 1} kB"
    else:
        detail = event.reason
    return Moment(event.at, title_of(event.kind), event.actor, detail=detail)


Act = Callable[[Dispute, DeskRequest, dict[str, Any]], str]


def _told(request: DeskRequest, ref: str, act: Act) -> HttpResponse:
    """Do it, say so, and show the dispute again; a refusal is said in its own words."""
    at = timezone.now()
    dispute = dispute_of(request, ref)
    try:
        messages.success(request, act(dispute, request, {"as_of": business_date(at=at), "at": at}))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("dispute", ref=ref)


@may(rights.Act.WORK)
@require_POST
def move(request: DeskRequest, ref: str) -> HttpResponse:
    """Where it stands."""

    def act(dispute: Dispute, request: DeskRequest, moment: dict[str, Any]) -> str:
        moved = disputes.move(dispute_id=dispute.pk, stage=request.POST.get("stage", ""), agent=request.user, **moment)
        return f"{said(moved.get_stage_display())}."

    return _told(request, ref, act)


@may(rights.Act.WORK)
@require_POST
def assign(request: DeskRequest, ref: str) -> HttpResponse:
    """To oneself, to somebody else, or to nobody."""

    def act(dispute: Dispute, request: DeskRequest, moment: dict[str, Any]) -> str:
        to: Agent | None = request.user
        if "me" not in request.POST:
            name = request.POST.get("to", "")
            to = next((person for person in dispute_desk.colleagues(request.user) if person.username == name), None)
            if name and to is None:
                raise disputes.CannotWorkDispute(_("Disputes are given to others by whoever decides them."))
        disputes.assign(dispute_id=dispute.pk, to=to, agent=request.user, **moment)
        return _("%(who)s works on it now.") % {"who": to} if to else _("Nobody works on it now.")

    return _told(request, ref, act)


@may(rights.Act.WORK)
@require_POST
def acknowledge(request: DeskRequest, ref: str) -> HttpResponse:
    """The customer was told by a person that we have it."""

    def act(dispute: Dispute, request: DeskRequest, moment: dict[str, Any]) -> str:
        disputes.acknowledge(dispute_id=dispute.pk, actor=rights.actor(request.user), **moment)
        return _("Receipt is confirmed.")

    return _told(request, ref, act)


@may(rights.Act.WORK)
@require_POST
def note(request: DeskRequest, ref: str) -> HttpResponse:
    """A note for whoever looks next."""
    dispute = dispute_of(request, ref)
    form = DisputeNoteForm(request.POST, prefix="note")
    if form.is_valid():
        at = timezone.now()
        try:
            disputes.note(
                dispute_id=dispute.pk,
                text=form.cleaned_data["text"],
                actor=rights.actor(request.user),
                as_of=business_date(at=at),
                at=at,
            )
        except Refused as refusal:
            form.add_error("text", str(refusal))
        else:
            messages.success(request, _("Noted."))
            return redirect("dispute", ref=ref)
    return _page(request, dispute, status=UNPROCESSABLE, note_form=form)


@may(rights.Act.RESOLVE_DISPUTE)
@require_POST
def resolve(request: DeskRequest, ref: str) -> HttpResponse:
    """Uphold it, wholly or for a part; reject it; or note that it was withdrawn."""
    at = timezone.now()
    dispute = dispute_of(request, ref)
    form = ResolveForm(request.POST, currency=dispute.account.currency, prefix="decision")
    if form.is_valid():
        try:
            calls.refuse_undisclosed(account_id=dispute.account_id, agent=request.user, at=at)
            decided = disputes.resolve(
                dispute_id=dispute.pk,
                actor=rights.actor(request.user),
                as_of=business_date(at=at),
                at=at,
                **form.terms(),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Dispute %(outcome)s.") % {"outcome": within(decided.get_outcome_display())})
            return redirect("dispute", ref=ref)
    return _page(request, dispute, status=UNPROCESSABLE, form=form)


@may(rights.Act.RESOLVE_DISPUTE)
@require_safe
def letter(request: DeskRequest, ref: str) -> HttpResponse:
    """The letter that a decision would send, as it would read for this customer; nothing is written or sent."""
    at = timezone.now()
    dispute = dispute_of(request, ref)
    account = dispute.account
    form = ResolveForm(request.GET, currency=account.currency, prefix="decision")
    form.is_valid()
    outcome = form.cleaned_data.get("outcome", "")
    context: dict[str, Any] = {
        "outcome": outcome,
        "errors": form.errors.get("credited"),
        "preview": None,
        "refusal": "",
    }
    if outcome in disputes.TOLD and not form.errors.get("credited"):
        upheld = outcome == Dispute.Outcome.UPHELD
        credited = (form.cleaned_data.get("credited") or dispute.amount) if upheld else None
        agreed = Agreed(
            disputed_amount=dispute.amount,
            disputed_bill=dispute.bill_ref or None,
            credited_amount=credited,
            disputed_rest=dispute.amount - credited if credited and credited < dispute.amount else None,
            outcome_words=form.cleaned_data.get("told") or None,
        )
        try:
            context["preview"] = previewing.preview_confirmation(
                template=f"dispute-{outcome}", account_id=account.pk, agreed=agreed, at=at, as_of=business_date(at=at)
            )
        except CannotPreview as refusal:
            context["refusal"] = str(refusal)
    return render(request, "agents/disputes/_letter.html", context)


# Evidence -----------------------------------------------------------------------------------------------------------


@may(rights.Act.WORK)
@require_POST
def add_evidence(request: DeskRequest, ref: str) -> HttpResponse:
    """Files for the dispute: all that were chosen, or none."""
    at = timezone.now()
    dispute = dispute_of(request, ref)
    form = EvidenceForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            kept = evidence.add_files(
                dispute_id=dispute.pk,
                files=form.cleaned_data["evidence"],
                actor=rights.actor(request.user),
                as_of=business_date(at=at),
                at=at,
            )
        except Refused as refusal:
            form.add_error("evidence", str(refusal))
        else:
            said = ngettext("%(count)s file is kept.", "%(count)s files are kept.", len(kept))
            messages.success(request, said % {"count": len(kept)})
            return redirect("dispute", ref=ref)
    return _page(request, dispute, status=UNPROCESSABLE, evidence_form=form)


@may(rights.Act.WORK)
@require_safe
def read_evidence(request: DeskRequest, ref: str, pk: int) -> HttpResponse:
    """A file, to be kept on the reader's machine: it is never shown as a page of ours. Who opened it is remembered."""
    at = timezone.now()
    found = _opened(request, ref, pk, at)
    response = HttpResponse(bytes(found.content), content_type=found.content_type)
    plain_name = found.name.encode("ascii", "replace").decode().replace('"', "_").replace("?", "_").replace("\\", "_")
    response["Content-Disposition"] = f"attachment; filename=\"{plain_name}\"; filename*=UTF-8''{quote(found.name)}"
    return _sealed(response)


@may(rights.Act.WORK)
@require_safe
def view_evidence(request: DeskRequest, ref: str, pk: int) -> HttpResponse:
    """A picture to look at, drawn anew. Who looked is remembered."""
    found = _opened(request, ref, pk, timezone.now())
    drawn = evidence.redrawn(found, longer_side=evidence.SCREEN)
    if drawn is None:
        raise Http404("There is no such picture.")
    return _sealed(HttpResponse(drawn, content_type="image/webp"))


def _opened(request: DeskRequest, ref: str, pk: int, at: datetime) -> DisputeEvidence:
    dispute = dispute_of(request, ref)
    found = evidence.opened(
        dispute=dispute, evidence_id=pk, actor=rights.actor(request.user), as_of=business_date(at=at), at=at
    )
    if found is None:
        raise Http404("There is no such file.")
    return found


@may(rights.Act.WORK)
@require_safe
def thumbnail(request: DeskRequest, ref: str, pk: int) -> HttpResponse:
    """A small picture of a picture, drawn anew."""
    dispute = dispute_of(request, ref)
    found: DisputeEvidence | None = dispute.evidence.filter(pk=pk).first()
    small = evidence.redrawn(found, longer_side=evidence.THUMBNAIL) if found is not None else None
    if small is None:
        raise Http404("There is no such picture.")
    response = _sealed(HttpResponse(small, content_type="image/webp"))
    response["Cache-Control"] = "private, max-age=3600"
    return response


def _sealed(response: HttpResponse) -> HttpResponse:
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Content-Security-Policy"] = SEALED
    return response
