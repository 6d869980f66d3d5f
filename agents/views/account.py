"""What is done on an account's page. Each act has one address: GET shows its form, POST does it.

With htmx only the panel is swapped; without, the whole page comes back with the form open in its place. A form that
needs mending answers 422, one whose claim was lost 409, both with everything that was typed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import holds, keeping
from accounts.models import Fee, Hold
from accounts.money import quantize
from accounts.refusals import Refused
from agents import (
    calls,
    complaint_desk,
    complaints,
    dialling,
    disputes,
    evidence,
    fee_waivers,
    links,
    offering,
    offers,
    once,
    plans,
    promises,
    queue,
    rights,
    scripting,
    undertakings,
    undoing,
)
from agents.call_forms import CallForm
from agents.complaint_forms import ComplaintForm
from agents.dispute_forms import DisputeForm, ResolveForm
from agents.forms import HoldForm, KeepForm, NoteForm, Talk
from agents.models import Disposition, LiveCall, WorkItem
from agents.timeline import SHOWS, timeline
from agents.views import agreeing
from agents.views.account_page import (
    ENTRIES,
    MOST_ENTRIES,
    Desk,
    desk_of,
    numbers_of,
    open_bills,
    open_items,
    picture,
    take,
    zone_of,
)
from agents.views.session import DeskRequest, may
from dunning.gate.checks.cards import masked
from dunning.gate.decision import Decision

CLAIM_LOST, UNPROCESSABLE = 409, 422
MOST_DRAFT = 20_000
#: Fields with several values.
SEVERAL = frozenset({"bills", "stops", "accounts", "said"})

#: Acts of the page: address, template of the panel, form.
ACTS: dict[str, tuple[str, type[Talk]]] = {
    "call": ("agents/_work_call.html", CallForm),
    **agreeing.ACTS,
    "dispute": ("agents/_work_dispute.html", DisputeForm),
    "complaint": ("agents/_work_complaint.html", ComplaintForm),
    "note": ("agents/_work_note.html", NoteForm),
    "hold": ("agents/_work_hold.html", HoldForm),
}
#: What tells of the debt or agrees on it: not in a call that we made, before somebody is verified in it.
DISCLOSES = frozenset({*agreeing.ACTS, "dispute"})
#: What a call's disposition opens next, when more must be agreed.
FOLLOWED_BY = {
    Disposition.Asks.PLAN: offers.PLAN,
    Disposition.Asks.DISPUTE: "dispute",
    Disposition.Asks.HARDSHIP: offers.HARDSHIP,
    Disposition.Asks.SETTLEMENT: offers.SETTLEMENT,
}

Commit = Callable[[Desk, Any], str]


@may(rights.Act.WORK)
@require_GET
def account_page(request: DeskRequest, ref: str) -> HttpResponse:
    """The five zones. Opening the page claims the account's item if it is free."""
    desk = desk_of(request, ref, timezone.now())
    items = open_items(desk)
    item = take(desk, items)
    return page(request, desk, item, items=items)


def on_the_phone(desk: Desk) -> LiveCall | None:
    """The agent's call about this account, of which nobody said yet what came of it. One query."""
    call = dialling.current(agent=desk.agent)
    return call if call is not None and call.account_id == desk.account.pk else None


@may(rights.Act.WORK)
@require_GET
def account_timeline(request: DeskRequest, ref: str) -> HttpResponse:
    """The timeline alone, narrowed or longer."""
    desk = desk_of(request, ref, timezone.now())
    show, most = wanted_timeline(request)
    shown = timeline(
        account=desk.account,
        as_of=desk.as_of,
        zone=ZoneInfo(settings.DESK_TIME_ZONE),
        outcomes=dict(Disposition.objects.values_list("code", "label")),
        show=show,
        most=most,
    )
    if not request.htmx:
        return redirect(f"/accounts/{ref}/?show={show}&most={most}")
    context = {"account": desk.account, "currency": desk.account.currency, "timeline": shown, "shows": SHOWS}
    return render(request, "agents/_timeline.html", context)


def wanted_timeline(request: DeskRequest) -> tuple[str, int]:
    """What the address asks of the timeline; anything else is the default."""
    show = request.GET.get("show", "all")
    most = request.GET.get("most", "")
    return (
        show if show in dict(SHOWS) else "all",
        min(max(int(most), ENTRIES), MOST_ENTRIES) if most.isdecimal() and len(most) < 6 else ENTRIES,
    )


def page(
    request: DeskRequest,
    desk: Desk,
    item: WorkItem | None,
    *,
    items: list[WorkItem] | None = None,
    act: str = "",
    form: Talk | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    """The whole account page, or its inside for htmx; with ``act`` the form of that act is open."""
    show, most = wanted_timeline(request)
    context = picture(desk, item=item, items=items, show=show, most=most, whole=request.GET.get("whole", ""))
    if not act and context["live"] is not None:
        # A call was left open, by a window that closed or an act that was done meanwhile: what came of it?
        act = "call"
    if act and form is None:
        form = begin(desk, act, item, context["bills"])
    context |= {"act": act, "form": form, "panel": ACTS[act][0] if act else "", "drafts": drafts_of(item), **more}
    if act:
        context |= extras(desk, act, form, context["bills"], context["contact"])
    template = "agents/_account.html" if request.htmx and not request.htmx.boosted else "agents/account.html"
    response = render(request, template, context, status=status)
    if request.htmx:
        response["HX-Retarget"], response["HX-Reswap"] = "#account", "outerHTML"
        response["HX-Push-Url"] = f"/accounts/{desk.account.ref}/"
    return response


def panel(
    request: DeskRequest, desk: Desk, act: str, form: Talk, *, template: str = "", status: int = 200, **more: Any
) -> HttpResponse:
    """One form alone, for htmx to swap into its place."""
    bills = open_bills(desk.account)
    context = {
        "account": desk.account,
        "currency": desk.account.currency,
        "numbers": numbers_of(desk),
        "dispositions": Disposition.objects.filter(active=True).order_by("position", "code"),
        "act": act,
        "form": form,
        **extras(desk, act, form, bills),
        **more,
    }
    return render(request, template or ACTS[act][0], context, status=status)


def drafts_of(item: WorkItem | None) -> dict[str, dict[str, Any]]:
    """Half-typed forms of the item, by act."""
    kept = item.draft if item is not None else {}
    return {act: typed for act, typed in kept.items() if act in ACTS and isinstance(typed, dict)}


def begin(desk: Desk, act: str, item: WorkItem | None, bills: list[Any]) -> Talk:
    """An empty form with sensible first values, over which what was half typed is laid."""
    account = desk.account
    first: dict[str, Any] = {"item": item.pk if item else None}
    if act == "call":
        numbers = numbers_of(desk)
        first |= {"number": numbers[0] if numbers else "", "started_at": desk.at}
    elif act in agreeing.ACTS:
        first |= agreeing.first_values(desk, act)
    elif act == "dispute":
        newest = max(bills, key=lambda bill: bill.due_on, default=None)
        if newest is not None:
            half = quantize(newest.open_amount / 2, account.currency)
            first |= {"bill": newest.ref, "amount": f"{half:f}"}
    elif act == "hold":
        first |= {"reason": Hold.Reason.HARDSHIP, "starts_on": desk.as_of, "ends_on": desk.as_of + timedelta(days=30)}
    first |= drafts_of(item).get(act, {})
    first["item"] = item.pk if item else None
    first.setdefault("once", once.token())
    if act == "call":
        call = on_the_phone(desk)
        first["call"] = call.ref if call else ""
        if call is not None:
            first |= {"number": call.number, "direction": call.direction}
    return built(desk, act, initial=first, bills=bills)


def extras(
    desk: Desk, act: str, form: Talk | None, bills: list[Any], decision: Decision | None = None
) -> dict[str, Any]:
    """What a panel shows beside its fields: the plan's quote, and for which reasons a call may be made all the same.

    ``decision``: what the contact gate said, where it was asked already.
    """
    more: dict[str, Any] = {"bills": bills, "as_of": desk.as_of}
    if act == "call":
        decision = decision or calls.ask_gate(
            account_id=desk.account.pk, channel="call", at=desk.at, as_of=desk.as_of, agent=desk.agent
        )
        must_say = sorted(scripting.sayable() & set(decision.requires))
        more |= {
            "contact": decision,
            "overrides": calls.overrides_for(decision, desk.agent),
            "live": on_the_phone(desk),
            "must_say": [(code, scripting.sayable_words(code)) for code in must_say],
        }
    if act in agreeing.ACTS and form is not None:
        more |= agreeing.shown(desk, act, form, bills)
    return more


def built(desk: Desk, act: str, *args: Any, bills: list[Any], **kwargs: Any) -> Talk:
    """The form of an act, empty or with what was typed."""
    if act in agreeing.ACTS:
        return agreeing.build(desk, act, *args, bills=bills, **kwargs)
    if act == "complaint":
        kwargs["spoke"] = complaint_desk.spoke_with(desk.account)
    return ACTS[act][1](*args, currency=desk.account.currency, as_of=desk.as_of, bills=bills, **kwargs)


def act_on(request: DeskRequest, ref: str, act: str, commit: Commit) -> HttpResponse:
    """Show the form, or check it, keep the claim, and do it once; a refusal is shown, nothing is lost."""
    desk = desk_of(request, ref, timezone.now())
    if request.method != "POST":
        item = queue.claim(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
        if request.htmx:
            return panel(request, desk, act, begin(desk, act, item, open_bills(desk.account)))
        return page(request, desk, item, act=act)
    form = built(desk, act, request.POST, request.FILES, bills=open_bills(desk.account))
    valid = form.is_valid()
    try:
        if act in DISCLOSES:
            calls.refuse_undisclosed(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
        if not valid:
            return again(request, desk, act, form, UNPROCESSABLE)
        said = done_once(request, desk, act, form, commit)
    except once.CannotSaveAgain as already:
        typed = request.POST.copy()
        typed["once"] = once.token()
        form.data = typed
        return again(request, desk, act, form, CLAIM_LOST, lost=str(already))
    except queue.CannotKeep as lost:
        return again(request, desk, act, form, CLAIM_LOST, lost=str(lost))
    except Refused as refusal:
        if refusal.code == "conflict":
            return again(request, desk, act, form, CLAIM_LOST, lost=str(refusal))
        form.add_error(None, str(refusal))
        return again(request, desk, act, form, UNPROCESSABLE)
    if said is not None:
        messages.success(request, said[0], extra_tags=said[1])
    return done(request, desk, act, form)


def done_once(request: DeskRequest, desk: Desk, act: str, form: Talk, commit: Commit) -> tuple[str, str] | None:
    """Keep the claim and do it, unless the same form was done before: then none.

    What is said of it, and the tag by which its message offers to take it back. Raises what ``commit`` raises; what
    the operation kept of its refusal stays.
    """
    item_id, token = form.cleaned_data["item"], form.cleaned_data["once"]
    given = dict(request.POST.lists())
    refused: Refused | None = None
    with transaction.atomic():
        if not once.begin(agent=desk.agent, token=token, path=request.path, given=given, at=desk.at):
            return None
        try:
            # A call that was made is logged, whoever has the account by now.
            if item_id is not None and not (act == "call" and on_the_phone(desk)):
                queue.keep(item_id=item_id, agent=desk.agent, at=desk.at)
            said = commit(desk, form)
        except Refused as refusal:
            once.forget(agent=desk.agent, token=token)
            refused = refusal
        else:
            tag = undoing.offered(agent=desk.agent, account_id=desk.account.pk, act=act, said=said, at=desk.at)
            finish(request, desk, act, form)
    if refused is not None:
        raise refused
    return said, tag


def again(request: DeskRequest, desk: Desk, act: str, form: Talk, status: int, **more: Any) -> HttpResponse:
    """The form once more, with its errors and everything typed."""
    if request.htmx:
        return panel(request, desk, act, form, status=status, **more)
    item = queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    return page(request, desk, item, act=act, form=form, status=status, **more)


def done(request: DeskRequest, desk: Desk, act: str, form: Talk) -> HttpResponse:
    """After an act: the next account, the form the disposition asks for, or this page again."""
    follow = what_follows(desk, act, form)
    if follow is None and request.POST.get("then") == "next":
        return onward(request, desk)
    item = queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    fresh = desk_of(request, desk.account.ref, desk.at)
    if request.htmx:
        return page(request, fresh, item, act=follow or "")
    if follow:
        return redirect("account_act", ref=fresh.account.ref, act=follow)
    return redirect("account", ref=fresh.account.ref)


def what_follows(desk: Desk, act: str, form: Talk) -> str | None:
    """The act that the one just done asks for, before anybody goes on."""
    disposition: Disposition | None = form.cleaned_data.get("disposition")
    follow = FOLLOWED_BY.get(Disposition.Asks(disposition.asks)) if disposition else agreeing.FOLLOWED_BY.get(act)
    if disposition and follow is not None and agreed_already(desk, follow):
        follow = None
    # What came of a call is still to be said: before that nobody goes on.
    return "call" if follow is None and on_the_phone(desk) else follow


def agreed_already(desk: Desk, act: str) -> bool:
    """Whether the agent did today, in the call or before it, what its outcome would ask for."""
    account, by, today = desk.account, desk.actor, desk.as_of
    done: dict[str, QuerySet[Any]] = {
        offers.PLAN: account.plans.filter(status__in=undertakings.RUNNING_PLANS, made_by=by, made_on=today),
        offers.SETTLEMENT: account.settlements.filter(
            status__in=undertakings.RUNNING_SETTLEMENTS, made_by=by, made_on=today
        ),
        offers.HARDSHIP: holds.in_force(account_id=account.pk, as_of=today).filter(
            reason=Hold.Reason.HARDSHIP, placed_by=by, starts_on=today
        ),
        "dispute": account.disputes.filter(resolved_on=None, opened_by=by, opened_on=today),
    }
    return act in done and done[act].exists()


def finish(request: DeskRequest, desk: Desk, act: str, form: Talk) -> None:
    """The draft of what was done goes, and with Save & next the account's turn ends; in the transaction of the act."""
    item = queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    if item is not None and act in item.draft:
        others = {other: typed for other, typed in item.draft.items() if other != act}
        queue.keep(item_id=item.pk, agent=desk.agent, at=desk.at, draft=others)
    if request.POST.get("then") != "next" or what_follows(desk, act, form) is not None:
        return
    disposition: Disposition | None = form.cleaned_data.get("disposition")
    callback_at = form.cleaned_data.get("callback_moment")
    outcome = disposition.code if disposition else act
    not_before = calls.next_offer(disposition, callback_at=callback_at, at=desk.at) if disposition else None
    if item is not None:
        queue.complete(
            item_id=item.pk,
            agent=desk.agent,
            at=desk.at,
            outcome=outcome,
            not_before=not_before,
            kept_for=desk.agent if disposition and callback_at else None,
        )
    said = disposition.label if disposition else act
    finish_linked(request, desk, outcome, said, not_before, called=disposition is not None)


def finish_linked(
    request: DeskRequest, desk: Desk, outcome: str, said: str, not_before: datetime | None, *, called: bool
) -> None:
    """Finish the linked accounts that are ticked with the outcome of this one."""
    refs = request.POST.getlist("together")[: links.MOST]
    if not refs:
        return
    finished = links.finish_together(
        account=desk.account,
        refs=refs,
        outcome=outcome,
        said=said,
        not_before=not_before,
        called=called,
        agent=desk.agent,
        as_of=desk.as_of,
        at=desk.at,
    )
    if finished:
        messages.success(request, f"Finished together: {', '.join(finished)}.")


def onward(request: DeskRequest, desk: Desk) -> HttpResponse:
    """To the next free account, or to the queue when there is none."""
    following = offering.next_account(agent=desk.agent, at=desk.at)
    address = f"/accounts/{following.account.ref}/" if following else "/queue/"
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return redirect(address)


def log_call(desk: Desk, form: CallForm) -> str:
    """A call and what it came to; a promise or a callback is recorded with it."""
    given = form.cleaned_data
    disposition: Disposition = given["disposition"]
    callback_at = None
    if disposition.asks == Disposition.Asks.CALLBACK:
        callback_at = given["callback_at"].replace(tzinfo=zone_of(desk.customer) or UTC)
    given["callback_moment"] = callback_at
    promise: calls.PromiseTerms | None = None
    if disposition.asks == Disposition.Asks.PROMISE and given["amount"] is not None:
        promise = {"amount": given["amount"], "due_on": given["due_on"], "bill_refs": form.bill_refs()}
    calls.log(
        account_id=desk.account.pk,
        agent=desk.agent,
        direction=given["direction"],
        disposition=disposition.code,
        number=given["number"],
        right_party=given["right_party"] or disposition.right_party,
        started_at=given["started_at"] or desk.at,
        duration_seconds=given["duration_seconds"],
        note=given["note"],
        callback_at=callback_at,
        promise=promise,
        override=calls.Override(given["override_code"], given["override_reason"]) if given["override_code"] else None,
        nonpayment_reason=given["nonpayment_reason"],
        said=given["said"],
        call_ref=given["call"],
        as_of=desk.as_of,
        at=desk.at,
    )
    return f"Call logged: {disposition.label.lower()}."


def open_dispute(desk: Desk, form: DisputeForm) -> str:
    """A contested amount with its evidence: both, or nothing."""
    calls.refuse_undisclosed(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    given = form.cleaned_data
    moment: dict[str, Any] = {"actor": desk.actor, "as_of": desk.as_of, "at": desk.at}
    with transaction.atomic():
        dispute = disputes.open_dispute(
            account_id=desk.account.pk,
            bill_ref=given["bill"],
            amount=given["amount"],
            reason=given["reason"],
            note=given["note"],
            **moment,
        )
        evidence.add_files(dispute_id=dispute.pk, files=given["evidence"], **moment)
    return f"Dispute opened on bill {given['bill']}; that amount is on hold."


def take_complaint(desk: Desk, form: ComplaintForm) -> str:
    """What the customer is not content with; with whoever took it, unless it is about them."""
    given = form.cleaned_data
    complaint = complaints.take(
        account_id=desk.account.pk,
        channel=given["channel"],
        category=given["category"],
        text=given["text"],
        about=given["about"],
        pauses=given["pauses"],
        agent=desk.agent,
        actor=desk.actor,
        as_of=desk.as_of,
        at=desk.at,
    )
    return f"Complaint taken: an answer is due by {complaint.answer_by:%d %b}."


def add_note(desk: Desk, form: NoteForm) -> str:
    calls.add_note(
        account_id=desk.account.pk, text=form.cleaned_data["text"], actor=desk.actor, as_of=desk.as_of, at=desk.at
    )
    return "Note added."


def place_hold(desk: Desk, form: HoldForm) -> str:
    given = form.cleaned_data
    bills = form.bill_refs() or []
    ticked = given["reason"] == Hold.Reason.MANUAL and not bills
    hold = holds.place(
        account_id=desk.account.pk,
        reason=given["reason"],
        starts_on=given["starts_on"],
        ends_on=given["ends_on"],
        bill_refs=bills,
        stops=given["stops"] if ticked else (),
        stops_clock=given["stops_clock"] and ticked,
        note=given["note"],
        actor=desk.actor,
        as_of=desk.as_of,
        at=desk.at,
    )
    over = f" over {len(bills)} bill{'' if len(bills) == 1 else 's'}" if bills else ""
    return f"{hold.get_reason_display()} hold placed{over}."


COMMITS: dict[str, Commit] = {
    "call": log_call,
    **agreeing.COMMITS,
    "dispute": open_dispute,
    "complaint": take_complaint,
    "note": add_note,
    "hold": place_hold,
}


@may(rights.Act.WORK)
@require_http_methods(["GET", "POST"])
def account_act(request: DeskRequest, ref: str, act: str) -> HttpResponse:
    """One of the page's acts: its form, or its doing."""
    if act not in ACTS:
        raise Http404("There is no such act.")
    return act_on(request, ref, act, COMMITS[act])


@may(rights.Act.WORK)
@require_POST
def keep(request: DeskRequest, ref: str) -> HttpResponse:
    """The page's heartbeat: renews the lease and keeps the form that is being typed, card numbers masked."""
    desk = desk_of(request, ref, timezone.now())
    item = queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    item_id = request.POST.get("item", "")
    act = request.POST.get("act", "")
    draft = None
    if item is not None and act in ACTS:
        names = built(desk, act, bills=[]).names_kept
        typed = {
            name: request.POST.getlist(name) if name in SEVERAL else masked(request.POST[name])[0]
            for name in names
            if name in request.POST
        }
        if len(json.dumps(typed)) <= MOST_DRAFT:
            draft = {**item.draft, act: typed}
    try:
        queue.keep(item_id=int(item_id) if item_id.isdecimal() else 0, agent=desk.agent, at=desk.at, draft=draft)
    except queue.CannotKeep as lost:
        return JsonResponse({"lost": str(lost)}, status=CLAIM_LOST)
    links.keep_together(account=desk.account, agent=desk.agent, at=desk.at)
    return JsonResponse({"kept": desk.at.isoformat()})


@may(rights.Act.WORK)
@require_POST
def release(request: DeskRequest, ref: str) -> HttpResponse:
    """Give the account back to the queue, with what was half typed."""
    desk = desk_of(request, ref, timezone.now())
    item = queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    try:
        if item is not None:
            queue.release(item_id=item.pk, agent=desk.agent, at=desk.at)
    except queue.CannotKeep as lost:
        messages.warning(request, str(lost))
    else:
        messages.success(request, f"{desk.account.ref} is back in the queue.")
    return redirect("queue")


@may(rights.Act.SUPERVISE)
@require_POST
def take_over(request: DeskRequest, ref: str) -> HttpResponse:
    """A supervisor goes on with what another has in hand; that one is told at the next key."""
    desk = desk_of(request, ref, timezone.now())
    try:
        queue.take_over(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    except queue.CannotTakeOver as refusal:
        messages.error(request, str(refusal))
    return redirect("account", ref)


@may(rights.Act.WORK)
@require_POST
def lift_hold(request: DeskRequest, ref: str, hold: str) -> HttpResponse:
    """End a hold early, for whoever may."""
    desk = desk_of(request, ref, timezone.now())
    found = desk.account.holds.filter(ref=hold).first()
    if found is None:
        raise Http404("There is no such hold.")
    if not rights.may_lift(request.user, found.reason):
        raise PermissionDenied
    return told(
        request,
        desk,
        lambda: holds.lift(hold_id=found.pk, actor=desk.actor, as_of=desk.as_of, at=desk.at, reason="lifted by hand"),
        f"{found.get_reason_display()} hold lifted.",
    )


@may(rights.Act.WORK)
@require_POST
def keep_service(request: DeskRequest, ref: str, service: str) -> HttpResponse:
    """Do not limit a service before a day, or let the policy decide again; as far ahead as the role reaches."""
    desk = desk_of(request, ref, timezone.now())
    found = desk.account.services.filter(ref=service).first()
    if found is None:
        raise Http404("There is no such service.")
    now: dict[str, Any] = {"actor": desk.actor, "as_of": desk.as_of, "at": desk.at}
    if "let_go" in request.POST:
        if not rights.may_keep(request.user, found, as_of=desk.as_of):
            raise PermissionDenied
        return told(
            request,
            desk,
            lambda: keeping.let_go(service_id=found.pk, reason="let go by hand", **now),
            f"{found.number or found.ref} follows the policy again.",
        )
    form = KeepForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(str(text) for texts in form.errors.values() for text in texts))
        return redirect("account", ref=ref)
    until = form.cleaned_data["until"]
    if not rights.may_keep(request.user, found, as_of=desk.as_of, until=until):
        latest = rights.keeps_until(request.user, as_of=desk.as_of)
        messages.error(request, f"You keep a service until {latest:%d %b} at most; a supervisor further.")
        return redirect("account", ref=ref)
    return told(
        request,
        desk,
        lambda: keeping.keep(service_id=found.pk, until=until, reason=form.cleaned_data["why"], **now),
        f"{found.number or found.ref} is kept until {until:%d %b}.",
    )


@may(rights.Act.RESOLVE_DISPUTE)
@require_POST
def resolve_dispute(request: DeskRequest, ref: str, dispute: str) -> HttpResponse:
    """Uphold, reject or withdraw a dispute."""
    desk = desk_of(request, ref, timezone.now())
    found = desk.account.disputes.filter(ref=dispute).first()
    if found is None:
        raise Http404("There is no such dispute.")
    form = ResolveForm(request.POST, currency=desk.account.currency)
    if not form.is_valid():
        messages.error(request, "Choose how the dispute ends.")
        return redirect("account", ref=ref)
    terms = form.terms()
    return told(
        request,
        desk,
        lambda: disputes.resolve(dispute_id=found.pk, actor=desk.actor, as_of=desk.as_of, at=desk.at, **terms),
        f"Dispute {terms['outcome']}.",
    )


@may(rights.Act.WORK)
@require_POST
def cancel_promise(request: DeskRequest, ref: str, promise: str) -> HttpResponse:
    """Take back an open promise."""
    desk = desk_of(request, ref, timezone.now())
    found = desk.account.promises.filter(ref=promise).first()
    if found is None:
        raise Http404("There is no such promise.")
    return told(
        request,
        desk,
        lambda: promises.cancel(promise_id=found.pk, actor=desk.actor, as_of=desk.as_of, at=desk.at),
        "Promise cancelled.",
    )


@may(rights.Act.WORK)
@require_POST
def cancel_plan(request: DeskRequest, ref: str, plan: str) -> HttpResponse:
    """End a plan that is active or waits for approval."""
    desk = desk_of(request, ref, timezone.now())
    found = desk.account.plans.filter(ref=plan).first()
    if found is None:
        raise Http404("There is no such plan.")
    return told(
        request,
        desk,
        lambda: plans.cancel(
            plan_id=found.pk, actor=desk.actor, as_of=desk.as_of, at=desk.at, together="together" in request.POST
        ),
        "Plan cancelled.",
    )


@may(rights.Act.APPROVE)
@require_POST
def waive_fee(request: DeskRequest, ref: str, fee: str) -> HttpResponse:
    """Let one of the desk's own fees go, for a reason; of a larger one ask who may."""
    desk, found = _fee_of(request, ref, fee)
    reason = request.POST.get("reason", "")
    within = fee_waivers.is_within(desk.agent, found.amount, desk.account.currency)
    asked = _("Asked: somebody above you decides on so much.")
    return told(
        request,
        desk,
        lambda: fee_waivers.let_go(fee_ref=found.ref, agent=desk.agent, reason=reason, as_of=desk.as_of, at=desk.at),
        f"{found.get_kind_display()} waived." if within else asked,
    )


@may(rights.Act.WORK)
@require_POST
def ask_to_waive(request: DeskRequest, ref: str, fee: str) -> HttpResponse:
    """Ask whoever may to let one of the desk's own fees go."""
    desk, found = _fee_of(request, ref, fee)
    reason = request.POST.get("reason", "")
    return told(
        request,
        desk,
        lambda: fee_waivers.ask(fee_ref=found.ref, agent=desk.agent, reason=reason, as_of=desk.as_of, at=desk.at),
        _("Asked: somebody decides on it under Approvals."),
    )


def _fee_of(request: DeskRequest, ref: str, fee: str) -> tuple[Desk, Fee]:
    desk = desk_of(request, ref, timezone.now())
    found = desk.account.desk_fees.filter(ref=fee).first()
    if found is None:
        raise Http404("There is no such fee.")
    return desk, found


def told(request: DeskRequest, desk: Desk, operation: Callable[[], object], said: str) -> HttpResponse:
    """Do it, say so, and show the account again; a refusal is said in its own words."""
    try:
        operation()
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, said)
    return redirect("account", ref=desk.account.ref)
