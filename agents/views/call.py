"""A call at the desk: dialled, who it is checked, what must be said ticked, hung up, or given up with a reason.

Each answer to a script holds the call's strip and, out of band, what changed beside it; without scripts the account's
page comes back with the outcome bar open.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import at_once, holds
from accounts.models import Account
from accounts.refusals import Refused
from agents import calls, dialling, identity, queue, rights, scripting
from agents.call_forms import CallForm, GiveUpForm, IdentityForm
from agents.models import Disposition, LiveCall
from agents.views import account as account_views
from agents.views.account_page import Desk, desk_of, numbers_of, open_bills
from agents.views.call_zone import call_lists, call_zone
from agents.views.customer_zone import wishes_of
from agents.views.session import DeskRequest, may
from dunning import cases

UNPROCESSABLE = 422


@may(rights.Act.WORK)
@require_POST
def dial(request: DeskRequest, ref: str) -> HttpResponse:
    """Dial the number that is in the outcome bar."""
    desk = desk_of(request, ref, timezone.now())
    code = request.POST.get("override_code", "")
    override = calls.Override(code, request.POST.get("override_reason", "")) if code else None
    try:
        call = dialling.dial(
            account_id=desk.account.pk,
            agent=desk.agent,
            number=request.POST.get("number", ""),
            at=desk.at,
            as_of=desk.as_of,
            override=override,
        )
    except Refused as refusal:
        return _bar(request, desk, refusal=str(refusal))
    if call.state == dialling.State.FAILED:
        return _bar(request, desk, refusal=call.reason)
    return _bar(request, desk, rings=True)


@may(rights.Act.WORK)
@require_POST
def take(request: DeskRequest, ref: str) -> HttpResponse:
    """The customer is on the telephone."""
    desk = desk_of(request, ref, timezone.now())
    number = request.POST.get("number", "")
    try:
        dialling.take(account_id=desk.account.pk, agent=desk.agent, number=number, as_of=desk.as_of, at=desk.at)
    except Refused as refusal:
        return _bar(request, desk, refusal=str(refusal))
    return _bar(request, desk)


@may(rights.Act.WORK)
@require_POST
def hang_up(request: DeskRequest, ref: str) -> HttpResponse:
    """End the call; its outcome is still to be said."""
    desk = desk_of(request, ref, timezone.now())
    dialling.hang_up(agent=desk.agent, at=desk.at)
    return _strip(request, desk)


@may(rights.Act.WORK)
@require_POST
def give_up(request: DeskRequest, ref: str) -> HttpResponse:
    """There is nothing to log of this call, for a reason."""
    desk = desk_of(request, ref, timezone.now())
    form = GiveUpForm(request.POST)
    if not form.is_valid():
        return _strip(request, desk, refusal=" ".join(str(text) for text in form.errors["reason"]))
    try:
        dialling.give_up(agent=desk.agent, reason=form.cleaned_data["reason"], as_of=desk.as_of, at=desk.at)
    except Refused as refusal:
        return _strip(request, desk, refusal=str(refusal))
    return _bar(request, desk)


@may(rights.Act.WORK)
@require_GET
def live(request: DeskRequest, ref: str) -> HttpResponse:
    """How far the call is: 204 while it is as the page shows it."""
    desk = desk_of(request, ref, timezone.now())
    call = dialling.current(agent=desk.agent)
    state = call.state if call is not None and call.account_id == desk.account.pk else ""
    if state == request.GET.get("seen", ""):
        return HttpResponse(status=204)
    return _strip(request, desk)


@may(rights.Act.WORK)
@require_http_methods(["GET", "POST"])
def check(request: DeskRequest, ref: str) -> HttpResponse:
    """What may be asked of whoever is on the line, and what matched."""
    desk = desk_of(request, ref, timezone.now())
    refusal = ""
    if request.method == "POST":
        form = IdentityForm(request.POST)
        try:
            if not form.is_valid():
                raise identity.CannotCheck("Tick what was asked: it matches or it does not.", code="invalid")
            given = form.cleaned_data
            identity.check(
                account_id=desk.account.pk,
                agent=desk.agent,
                matched=given["matched"],
                failed=given["failed"],
                representative_id=given["party"],
                as_of=desk.as_of,
                at=desk.at,
            )
        except Refused as said:
            refusal = str(said)
    zone = zone_now(desk)
    context = {"account": desk.account, **zone, **_checking(request, desk, zone["live"]), "refusal": refusal}
    status = UNPROCESSABLE if refusal else 200
    if not request.htmx:
        if refusal:
            messages.error(request, refusal)
        return account_views.page(
            request, desk, queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at),
            act="call", status=status, **context, checking=True,
        )  # fmt: skip
    return render(request, "agents/_identity_answer.html", context, status=status)


def _checking(request: DeskRequest, desk: Desk, call: LiveCall | None) -> dict[str, Any]:
    """The details to ask, how far the check is, and who else may be told."""
    speakers = identity.parties(desk.account, at=desk.at)
    party = request.POST.get("party") or request.GET.get("party") or identity.CUSTOMER
    speaks = next((row for row in speakers if str(row.pk) == party), None)
    details = identity.details_on_file(
        desk.account, as_of=desk.as_of, number=call.number if call else "", speaks=speaks
    )
    return {
        "details": details,
        "wanted": identity.wanted(details),
        "standing": identity.standing(call) if call else None,
        "speakers": speakers,
        "party": str(speaks.pk) if speaks else identity.CUSTOMER,
    }


@may(rights.Act.WORK)
@require_GET
def script(request: DeskRequest, ref: str) -> HttpResponse:
    """What to say, as far as it may be said now."""
    desk = desk_of(request, ref, timezone.now())
    return render(request, "agents/_script.html", {"account": desk.account, **zone_now(desk)})


@may(rights.Act.WORK)
@require_POST
def said(request: DeskRequest, ref: str) -> HttpResponse:
    """Something that must be said was said: kept with its moment."""
    desk = desk_of(request, ref, timezone.now())
    try:
        calls.say(
            account_id=desk.account.pk,
            agent=desk.agent,
            code=request.POST.get("code", ""),
            as_of=desk.as_of,
            at=desk.at,
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    if not request.htmx:
        return redirect("account", ref=ref)
    return render(request, "agents/_script.html", {"account": desk.account, **zone_now(desk), "told": True})


def zone_now(desk: Desk) -> dict[str, Any]:
    """The call and its script, read by themselves."""
    account: Account = desk.account
    lists = at_once.rows(
        **call_lists(account, desk.agent),
        **wishes_of(desk.customer, as_of=desk.as_of, at=desk.at),
        holds=holds.in_force(account_id=account.pk, as_of=desk.as_of),
        promises=account.promises.order_by("-made_on", "-pk")[:2],
        plans=account.plans.order_by("-made_on", "-pk")[:1],
        services=account.services.order_by("pk"),
        talks=account.interactions.order_by("-at", "-pk")[:4],
    )
    decision = calls.ask_gate(account_id=account.pk, channel="call", at=desk.at, as_of=desk.as_of, agent=desk.agent)
    outlook = cases.outlook(account_id=account.pk, as_of=desk.as_of)
    zone = call_zone(
        account, desk.agent, lists, requires=decision.requires, stage=outlook.stage, as_of=desk.as_of, at=desk.at
    )
    call: LiveCall | None = zone["live"]
    return {
        **zone,
        "contact": decision,
        "said": calls.said_in(call) if call is not None and scripting.sayable() & set(decision.requires) else {},
        "at": desk.at,
    }


def _strip(request: DeskRequest, desk: Desk, *, refusal: str = "") -> HttpResponse:
    """The strip of the call alone."""
    if not request.htmx:
        if refusal:
            messages.error(request, refusal)
        return redirect("account_act", ref=desk.account.ref, act="call")
    call = dialling.current(agent=desk.agent)
    here = call is not None and call.account_id == desk.account.pk
    context = {
        "account": desk.account,
        "live": call if here else None,
        "verified": call is not None and here and identity.passed(call),
        "give_up_reasons": dialling.GIVEN_UP.items(),
        "refusal": refusal,
        "oob": True,
    }
    return render(request, "agents/_live_answer.html", context, status=UNPROCESSABLE if refusal else 200)


def _bar(request: DeskRequest, desk: Desk, *, refusal: str = "", rings: bool = False) -> HttpResponse:
    """The outcome bar with what was typed, the call's strip and the script."""
    typed = {name: request.POST[name] for name in CallForm.base_fields if name in request.POST}
    bills = open_bills(desk.account)
    call = dialling.current(agent=desk.agent)
    here = call if call is not None and call.account_id == desk.account.pk else None
    typed |= {"call": here.ref if here else "", "direction": here.direction if here else "outbound"}
    if request.POST.getlist("bills"):
        typed["bills"] = request.POST.getlist("bills")  # type: ignore[assignment]
    form = CallForm(initial=typed, currency=desk.account.currency, as_of=desk.as_of, bills=bills)
    if not request.htmx:
        if refusal:
            messages.error(request, refusal)
        item = queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
        return account_views.page(request, desk, item, act="call", form=form, status=UNPROCESSABLE if refusal else 200)
    context = {
        "account": desk.account,
        "currency": desk.account.currency,
        "numbers": numbers_of(desk),
        "dispositions": Disposition.objects.filter(active=True).order_by("position", "code"),
        "act": "call",
        "form": form,
        **zone_now(desk),
        **account_views.extras(desk, "call", form, bills),
        "refusal": refusal,
        "rings": rings and here is not None and here.via == dialling.TEL and settings.DESK_FOLLOW_TEL,
        "tel": dialling.tel(here.number) if here else "",
    }
    return render(request, "agents/_call_answer.html", context, status=UNPROCESSABLE if refusal else 200)
