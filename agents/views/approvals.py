"""One inbox for everything that waits for somebody's word, and who decides in whose place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from accounts import events
from accounts.business_day import business_date
from accounts.models import Account
from accounts.refusals import Refused
from agents import approvals as waiting
from agents import (
    card_numbers,
    delegations,
    extensions,
    fee_waivers,
    loosening,
    plans,
    rights,
    settlements,
    write_offs,
)
from agents.delegation_forms import DelegationForm
from agents.models import Agent, Asked, Extension, Plan, Settlement, WorkItem
from agents.views.session import DeskRequest, may
from agents.words import said
from dunning.models import MarketPacks, PackChange

UNPROCESSABLE = 422
#: So many delegations are listed, those that are over included.
MOST_DELEGATIONS = 100

#: Where each kind is decided: the name of its address, and by what the address names it.
_DECIDED_AT = {
    waiting.SETTLEMENT: ("decide_settlement", "settlement"),
    waiting.PLAN: ("decide_plan", "plan"),
    waiting.EXTENSION: ("decide_extension", "extension"),
    waiting.WRITE_OFF: ("decide_write_off", "pk"),
    waiting.FEE_WAIVER: ("decide_fee_waiver", "pk"),
    waiting.RULE_CHANGE: ("decide_rule_change", "pk"),
    waiting.PACK_CHOICE: ("decide_pack_choice", "market"),
    waiting.POLICY: ("admin:dunning_policyversion_publish", "object_id"),
    waiting.EXPERIMENT: ("admin:dunning_experiment_start", "object_id"),
}


# The inbox -----------------------------------------------------------------------------------------------------------


@may(rights.Act.APPROVE)
@require_safe
def approvals(request: DeskRequest) -> HttpResponse:
    """What waits, narrowed to a kind or to what the reader may decide; with ``open``, the facts of one thing beside."""
    at = timezone.now()
    as_of = business_date(at=at)
    items = waiting.inbox(request.user, at=at, as_of=as_of, facts=False)
    kind, mine = request.GET.get("kind", ""), request.GET.get("mine") == "1"
    kind = kind if kind in waiting.KINDS else ""
    per_kind = Counter(item.kind for item in items if item.may_decide or not mine)
    shown = [item for item in items if (not kind or item.kind == kind) and (item.may_decide or not mine)]
    opened = next((item for item in shown if item.key == request.GET.get("open", "")), None)
    kept = {"kind": kind, "mine": "1" if mine else ""}
    context: dict[str, Any] = {
        "as_of": as_of,
        "items": shown,
        "kind": kind,
        "mine": mine,
        "kept": urlencode({name: value for name, value in kept.items() if value}),
        "all": sum(per_kind.values()),
        "kinds": [(code, said(words), per_kind[code]) for code, words in waiting.KINDS.items() if per_kind[code]],
        "to_decide": sum(item.may_decide for item in items),
        "waiting": len(items),
        "urgent": sum(item.ends_soon for item in items),
        "acting": sorted(delegations.acting_for(request.user, as_of), key=str),
        "opened": None,
    }
    if opened is not None:
        context |= _opened(request, opened, context["kept"], at)
    return render(request, "supervise/approvals.html", context)


@may(rights.Act.APPROVE)
@require_GET
def approval_facts(request: DeskRequest, kind: str, ref: str) -> HttpResponse:
    """The facts of one thing that waits, with what can be done about it; for htmx alone, else the whole page."""
    if not request.htmx:
        return redirect(f"{reverse('approvals')}?{urlencode({'open': f'{kind}-{ref}'})}")
    at = timezone.now()
    items = waiting.inbox(request.user, at=at, as_of=business_date(at=at), facts=False)
    item = next((item for item in items if (item.kind, item.ref) == (kind, ref)), None)
    if item is None:
        raise Http404("This does not wait any more, or is not yours to see.")
    return render(request, "supervise/_approval.html", _opened(request, item, _kept(request.GET.urlencode()), at))


def _opened(request: DeskRequest, item: waiting.Item, kept: str, at: datetime) -> dict[str, Any]:
    """One thing with its facts. Who reads of a customer is kept as an event."""
    as_of = business_date(at=at)
    if item.account is not None:
        events.record(
            account_id=item.account.pk,
            kind=events.PERSONAL_DATA_READ,
            actor=rights.actor(request.user),
            at=at,
            on=as_of,
            payload={"page": "approvals", "waits": item.kind, "ref": item.ref},
        )
    name, named = _DECIDED_AT[item.kind]
    return {
        "opened": waiting.with_facts([item], request.user, as_of=as_of)[0],
        "as_of": as_of,
        "where": reverse(name, kwargs={named: item.ref}),
        "kept": kept,
    }


def _kept(query: str) -> str:
    """What of an address narrows the list, so that one comes back to it."""
    parts = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
    kind, mine = parts.get("kind", ""), parts.get("mine", "")
    kept = {"kind": kind if kind in waiting.KINDS else "", "mine": "1" if mine == "1" else ""}
    return urlencode({name: value for name, value in kept.items() if value})


# Decisions -----------------------------------------------------------------------------------------------------------


@may(rights.Act.APPROVE)
@require_POST
def decide_plan(request: DeskRequest, plan: str) -> HttpResponse:
    """Approve or decline a plan that waits, and those agreed as one with it."""
    found = _seen(request, Plan.objects.all(), ref=plan)
    words = (_("Plan approved."), _("Plan declined."))
    return _decide(request, plans.decide, words=words, asks_why=True, plan_id=found.pk)


@may(rights.Act.APPROVE)
@require_POST
def decide_extension(request: DeskRequest, extension: str) -> HttpResponse:
    """Approve or decline time to pay that waits."""
    found = _seen(request, Extension.objects.all(), ref=extension)
    words = (_("Time to pay approved."), _("Time to pay declined."))
    return _decide(request, extensions.decide, words=words, asks_why=True, extension_id=found.pk)


@may(rights.Act.APPROVE)
@require_POST
def decide_settlement(request: DeskRequest, settlement: str) -> HttpResponse:
    """Give one's word for a settlement that waits, or against it."""
    found = _seen(request, Settlement.objects.all(), ref=settlement)
    words = (_("You agreed to the settlement."), _("Settlement declined."))
    return _decide(request, settlements.decide, words=words, asks_why=True, settlement_id=found.pk)


@may(rights.Act.APPROVE)
@require_POST
def decide_write_off(request: DeskRequest, pk: int) -> HttpResponse:
    """Write off what is open on an account, or leave it with the desk."""
    rows = WorkItem.objects.filter(kind=WorkItem.Kind.APPROVAL).select_related("account")
    found = _seen(request, rows, pk=pk)
    told = {"account": found.account.ref}
    words = (_("%(account)s written off.") % told, _("%(account)s stays with the desk.") % told)
    return _decide(request, write_offs.decide, words=words, item_id=found.pk)


@may(rights.Act.APPROVE)
@require_POST
def decide_fee_waiver(request: DeskRequest, pk: int) -> HttpResponse:
    """Let a fee go that somebody asked about, or keep it."""
    found = _seen(request, Asked.objects.filter(kind=Asked.Kind.FEE_WAIVER), pk=pk)
    words = (_("The fee is let go."), _("The fee is kept."))
    return _decide(request, fee_waivers.decide, words=words, asked_id=found.pk)


@may(rights.Act.APPROVE)
@require_POST
def decide_rule_change(request: DeskRequest, pk: int) -> HttpResponse:
    """Let a rule be looser, as the second person, or not."""
    get_object_or_404(PackChange, pk=pk)
    words = (_("The looser value is in force."), _("The rule stays as it is."))
    return _decide(request, loosening.decide_change, words=words, change_id=pk)


@may(rights.Act.APPROVE)
@require_POST
def decide_pack_choice(request: DeskRequest, market: str) -> HttpResponse:
    """Let a market have the packs that were chosen for it, or not."""
    get_object_or_404(MarketPacks, market=market)
    words = (_("The choice is in force."), _("The market keeps its packs."))
    seen = [code for code in request.POST.get("seen", "").split(",") if code]
    return _decide(request, loosening.decide_choice, words=words, market=market, seen=seen)


def _instead_of(request: DeskRequest) -> Agent | None:
    """In whose place the reader decides, if they say so; ``PermissionDenied`` where they do not stand in."""
    on = business_date(at=timezone.now())
    try:
        return delegations.named(request.user, request.POST.get("in_place_of", ""), on)
    except delegations.CannotActFor as refusal:
        raise PermissionDenied(str(refusal)) from refusal


def _seen(request: DeskRequest, rows: QuerySet[Any], **named: Any) -> Any:
    """What is on the side of the team wall of whoever's authority counts. Raises ``Http404``."""
    seen: QuerySet[Account] = rights.visible_accounts(_instead_of(request) or request.user)
    return get_object_or_404(rows.filter(account__in=seen), **named)


def _decide(
    request: DeskRequest, act: Callable[..., Any], *, words: tuple[str, str], asks_why: bool = False, **named: Any
) -> HttpResponse:
    approve = request.POST.get("decision") == "approve"
    instead_of = _instead_of(request)
    at = timezone.now()
    try:
        reason = card_numbers.without_cards(request.POST.get("reason", "").strip()[:200])
        if asks_why and not approve and not reason:
            messages.error(request, _("Say why: whoever asked has to tell it on."))
            return redirect(_back(request, still_open=True))
        act(
            **named,
            approve=approve,
            reason=reason,
            agent=request.user,
            instead_of=instead_of,
            as_of=business_date(at=at),
            at=at,
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(_back(request, still_open=True))
    told = words[0] if approve else words[1]
    if instead_of is not None:
        told = _("%(told)s Decided for %(whom)s.") % {"told": told, "whom": instead_of}
    messages.success(request, told)
    return redirect(_back(request))


def _back(request: DeskRequest, *, still_open: bool = False) -> str:
    """The list as it was narrowed; with what is still open beside it, where it was there."""
    query = _kept(request.POST.get("kept", ""))
    if still_open and (key := request.POST.get("open", "")):
        query = "&".join(filter(None, [query, urlencode({"open": key})]))
    return f"{reverse('approvals')}?{query}" if query else reverse("approvals")


# In whose place ------------------------------------------------------------------------------------------------------


@may(rights.Act.APPROVE)
@require_http_methods(["GET", "HEAD", "POST"])
def delegation_list(request: DeskRequest) -> HttpResponse:
    """Who decides in whose place, now and before; POST lets somebody do so."""
    at = timezone.now()
    as_of = business_date(at=at)
    posted = request.method == "POST"
    form = DelegationForm(request.POST if posted else None, by=request.user, as_of=as_of)
    if posted and form.is_valid():
        try:
            made = delegations.make(**form.cleaned_data, by=request.user, as_of=as_of, at=at)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%(who)s decides for %(whom)s.") % {"who": made.to, "whom": made.of})
            return redirect("delegations")
    rows = list(delegations.seen_by(request.user)[:MOST_DELEGATIONS])
    context = {
        "form": form,
        "as_of": as_of,
        "rows": [
            (row, _state(row.ended_at is not None, row.from_on > as_of, row.until_on < as_of), _ends(request.user, row))
            for row in rows
        ],
    }
    return render(request, "supervise/delegations.html", context, status=UNPROCESSABLE if posted else 200)


def _state(ended: bool, ahead: bool, past: bool) -> str:
    return "ended" if ended else "past" if past else "ahead" if ahead else "now"


def _ends(user: Agent, row: Any) -> bool:
    return row.ended_at is None and delegations.may_end(user, row)


@may(rights.Act.APPROVE)
@require_POST
def end_delegation(request: DeskRequest, pk: int) -> HttpResponse:
    """Nobody decides in their place any more, from this moment on."""
    at = timezone.now()
    get_object_or_404(delegations.seen_by(request.user), pk=pk)
    try:
        ended = delegations.end(delegation_id=pk, by=request.user, as_of=business_date(at=at), at=at)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request, _("%(who)s does not decide for %(whom)s any more.") % {"who": ended.to, "whom": ended.of}
        )
    return redirect("delegations")
