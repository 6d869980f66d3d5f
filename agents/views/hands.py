"""What the hands do everywhere at the desk: take a slip back, find any action, hear news, sum an account up, see one's
own day, and set the desk to one's liking.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.business_day import business_date, calendar_date
from accounts.models import AccountEvent
from accounts.refusals import Refused
from agents import (
    answers,
    coaching,
    complaint_desk,
    day,
    dialling,
    findings,
    interface_language,
    kinds,
    paid_time,
    queue,
    rights,
    satisfaction,
    team_messages,
    timeline,
    undoing,
)
from agents.models import (
    Agent,
    Disposition,
    Extension,
    Interaction,
    LiveCall,
    Plan,
    Promise,
    Settlement,
    Stretch,
    Undo,
    WorkItem,
)
from agents.templatetags.desk import actor, money, span, words
from agents.templatetags.desk import day as written
from agents.views.account import wanted_timeline
from agents.views.account_page import Desk, desk_of, lists_of, picture
from agents.views.quality_people import own_quality
from agents.views.session import DeskRequest, may
from agents.words import from_left, said, within
from dunning import cases, understanding
from dunning import kinds as dunning_kinds

#: A callback is told of so long before its moment, and while it is late by no more than the other.
CALLBACK_SOON, CALLBACK_LATE = timedelta(minutes=5), timedelta(hours=1)
#: What customers say of me is summed up over so long.
HEARD_SINCE = timedelta(days=90)
#: A decision is news for so long.
DECIDED_SINCE = timedelta(minutes=30)
_DECISIONS = {
    kinds.PLAN_APPROVED: gettext_lazy("Approved: the plan of %(name)s."),
    kinds.PLAN_DECLINED: gettext_lazy("Declined: the plan of %(name)s."),
    kinds.EXTENSION_APPROVED: gettext_lazy("Approved: the time to pay of %(name)s."),
    kinds.EXTENSION_DECLINED: gettext_lazy("Declined: the time to pay of %(name)s."),
    kinds.SETTLEMENT_APPROVED: gettext_lazy("Agreed to: the settlement of %(name)s."),
    kinds.SETTLEMENT_DECLINED: gettext_lazy("Declined: the settlement of %(name)s."),
    kinds.FEE_WAIVER_APPROVED: gettext_lazy("Let go: the fee of %(name)s."),
    kinds.FEE_WAIVER_DECLINED: gettext_lazy("Declined: letting the fee of %(name)s go."),
    dunning_kinds.RULE_CHANGE_APPROVED: gettext_lazy("Approved: the looser rule %(name)s."),
    dunning_kinds.RULE_CHANGE_DECLINED: gettext_lazy("Declined: the looser rule %(name)s."),
    dunning_kinds.PACK_CHOICE_APPROVED: gettext_lazy("Approved: the packs of %(name)s."),
    dunning_kinds.PACK_CHOICE_DECLINED: gettext_lazy("Declined: the packs of %(name)s."),
}
#: What nobody decided on was declined at the close of a day, when who asked may not have been there.
EXPIRED_SINCE = timedelta(days=1)
#: What is decided on, as the payload names it.
_DECIDED_ON: dict[str, type[Plan | Extension | Settlement]] = {
    "plan": Plan,
    "extension": Extension,
    "settlement": Settlement,
}
_STATUS = {"not_found": 404, "forbidden": 403}


@may(rights.Act.WORK)
@require_POST
def undo(request: DeskRequest, pk: int) -> HttpResponse:
    """Take back what I did within the last minute; in JSON for a script, else back to the account."""
    at = timezone.now()
    done = Undo.objects.filter(pk=pk, agent=request.user).select_related("account").first()
    if done is None:
        raise Http404("There is nothing of yours to take back there.")
    address = reverse("account", args=[done.account.ref])
    try:
        said = _("Taken back: %(said)s") % {
            "said": undoing.undo(undo_id=pk, agent=request.user, as_of=business_date(at=at), at=at)
        }
    except Refused as refusal:
        if request.htmx:
            return JsonResponse({"refused": str(refusal)}, status=_STATUS.get(refusal.code, 409))
        messages.error(request, str(refusal))
        return redirect(address)
    if request.htmx:
        return JsonResponse({"said": said, "account": done.account.ref, "href": address})
    messages.success(request, said)
    return redirect(address)


@may(rights.Act.WORK)
@require_safe
def palette(request: DeskRequest) -> JsonResponse:
    """What the palette offers beside what stands on the page: outcomes of a call, and recent accounts."""
    as_of = business_date(at=timezone.now())
    outcomes = Disposition.objects.filter(active=True).order_by("position", "code")
    return JsonResponse(
        {
            "outcomes": [{"code": row.code, "words": said(row.label), "key": row.key} for row in outcomes],
            "recent": [
                {
                    "href": reverse("account", args=[account.ref]),
                    "words": account.customer.name,
                    "hint": account.ref,
                    "end": money(account.overdue, account.currency) if account.overdue else "",
                }
                for account in day.recent_accounts(agent=request.user, as_of=as_of)
            ],
            "acts": [{"act": "complaint", "words": _("Take a complaint")}],
            "places": [{"href": reverse("complaints"), "words": _("Complaints")}],
        }
    )


@may(rights.Act.WORK)
@require_safe
def news(request: DeskRequest) -> JsonResponse:
    """What an agent wants to hear of wherever they are; each with an id, so that it is told once.

    ``item`` in the address is the place in the queue that the page believes to hold.
    """
    at = timezone.now()
    agent = request.user
    paid_time.seen(agent, at)
    return JsonResponse(
        {
            "callbacks": _callbacks(agent, at),
            "lost": _lost(agent, request.GET.get("item", ""), at),
            "decided": [*_decided(agent, at), *_given(agent, at), *_coached(agent)],
            "crisis": _crisis(agent),
            "ringing": _ringing(agent),
            "messages": _messages(agent, at),
        }
    )


def _given(agent: Agent, at: datetime) -> list[dict[str, str]]:
    """Accounts that a supervisor put into my hands."""
    since = at - DECIDED_SINCE
    rows = AccountEvent.objects.filter(
        kind=kinds.ITEM_HANDED_OVER, on__gte=business_date(at=since), at__gte=since, payload__to=rights.actor(agent)
    )
    return [
        {
            "id": f"given {event.pk}",
            "text": _("%(who)s gave you %(account)s.")
            % {"who": actor(event.actor), "account": event.account.ref if event.account else ""},
            "href": reverse("account", args=[event.account.ref]) if event.account else reverse("queue"),
        }
        for event in rows.select_related("account").order_by("pk")[:10]
    ]


def _coached(agent: Agent) -> list[dict[str, str]]:
    """What was written to me about my work, until I read it."""
    return [
        {
            "id": f"coached {word.pk}",
            "text": _("%(who)s wrote to you about your work.") % {"who": word.written_by or "–"},  # noqa: RUF001
            "href": f"{reverse('day')}#quality",
        }
        for word in coaching.unseen(agent).select_related("written_by")[:5]
    ]


def _messages(agent: Agent, at: datetime) -> list[dict[str, str]]:
    """What a supervisor tells my team, until I saw it; with what says so."""
    return [
        {
            "id": str(message.pk),
            "text": f"{actor(message.sent_by)}, {timezone.localtime(message.sent_at):%H:%M}: {message.text}",
            "seen": reverse("saw_message", args=[message.pk]),
            "offer": _("Seen"),
        }
        for message in team_messages.waiting(agent=agent, at=at)
    ]


def _ringing(agent: Agent) -> dict[str, str] | None:
    """The customer who calls this agent now, as the telephone system tells."""
    call = dialling.current(agent=agent)
    if call is None or call.direction != Interaction.Direction.INBOUND or call.state != LiveCall.State.RINGING:
        return None
    return {
        "id": f"call {call.ref}",
        "text": _("%(name)s is calling.") % {"name": call.account.customer.name},
        "href": reverse("account", args=[call.account.ref]),
    }


def _callbacks(agent: Agent, at: datetime) -> list[dict[str, str]]:
    told = []
    for item in day.callbacks_of(agent, until=at + CALLBACK_SOON):
        moment = item.not_before
        if moment is None or moment < at - CALLBACK_LATE:
            continue
        name = item.account.customer.name
        told.append(
            {
                "id": f"callback {item.pk} {moment.isoformat()}{'' if moment > at else ' now'}",
                "text": _("Call back %(name)s in %(span)s.") % {"name": name, "span": span(moment, at)}
                if moment > at
                else _("Call back %(name)s now.") % {"name": name},
                "href": reverse("account", args=[item.account.ref]),
            }
        )
    return told


def _lost(agent: Agent, item_id: str, at: datetime) -> dict[str, str] | None:
    """Who has the account now that this page believes to hold; none while it is right."""
    if not item_id.isdecimal() or len(item_id) > 18:
        return None
    item = WorkItem.objects.select_related("claimed_by", "account").filter(pk=int(item_id)).first()
    if item is None or item.claimed_by is None or item.claimed_by_id == agent.pk:
        return None
    if item.done_at is not None or item.lease_until is None or item.lease_until <= at:
        return None
    text = _("%(who)s works on this account now. What you typed stays here.") % {"who": item.claimed_by}
    return {
        "id": f"lost {item.pk} {item.claimed_by_id}",
        "text": text,
        "href": reverse("account", args=[item.account.ref]),
    }


def _decided(agent: Agent, at: datetime) -> list[dict[str, str]]:
    """What others decided of what I asked for, or nobody in time."""
    lately = Q(at__gte=at - DECIDED_SINCE) | Q(payload__expired=True)
    since = at - EXPIRED_SINCE
    rows = AccountEvent.objects.filter(lately, kind__in=_DECISIONS, on__gte=business_date(at=since), at__gte=since)
    rows = rows.exclude(actor=rights.actor(agent)).select_related("account__customer")
    latest = list(rows.order_by("-pk")[:200])
    told = []
    for name, model in _DECIDED_ON.items():
        by_ref = {str(row.payload[name]): row for row in reversed(latest) if name in row.payload}
        if not by_ref:
            continue
        mine = model._default_manager.filter(ref__in=by_ref, made_by=rights.actor(agent))
        told += [_decision(by_ref[asked.ref]) for asked in mine.order_by("pk")]
    return told + [_decision(row) for row in latest if row.payload.get("asked_by") == rights.actor(agent)]


def _decision(event: AccountEvent) -> dict[str, str]:
    account = event.account
    if account is not None:
        name, href = account.customer.name, reverse("account", args=[account.ref])
    else:
        name, href = event.payload.get("rule") or event.payload.get("market", ""), reverse("landing")
    return {"id": f"decided {event.pk}", "text": _DECISIONS[event.kind] % {"name": name}, "href": href}


def _crisis(agent: Agent) -> dict[str, str] | None:
    """Somebody may be in danger and wrote to us; it is for whoever of the team sees it first."""
    waiting = answers.waiting(agent).filter(hints__contains=[understanding.CRISIS])
    newest = list(waiting.order_by("-pk").values_list("pk", flat=True)[:100])
    if not newest:
        return None
    text = ngettext(
        "A message in the inbox has words of a crisis.", "%(count)s messages have words of a crisis.", len(newest)
    ) % {"count": len(newest)}
    return {"id": f"crisis {newest[0]}", "text": text, "href": reverse("inbox")}


@may(rights.Act.WORK)
@require_safe
def account_news(request: DeskRequest, ref: str) -> HttpResponse:
    """The header and the timeline anew where something happened after that event; 204 where nothing did."""
    desk = desk_of(request, ref, timezone.now())
    after = request.GET.get("after", "")
    if not after.isdecimal() or len(after) > 18:
        newest = desk.account.events.order_by("-pk").values_list("pk", flat=True).first()
        return HttpResponse(status=204, headers={"X-After": str(newest or 0)})
    newest = timeline.news_since(desk.account, after=int(after))
    if newest is None:
        return HttpResponse(status=204)
    item = queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    show, most = wanted_timeline(request)
    response = render(request, "agents/_news.html", picture(desk, item=item, show=show, most=most))
    response["X-After"] = str(newest)
    return response


@may(rights.Act.WORK)
@require_safe
def summary(request: DeskRequest, ref: str) -> HttpResponse:
    """One sheet about the account, to print; ``?as=text`` the same as plain text, to copy."""
    desk = desk_of(request, ref, timezone.now())
    context = sheet(desk)
    if request.GET.get("as") == "text":
        return render(request, "agents/summary.txt", context, content_type="text/plain; charset=utf-8")
    return render(request, "agents/summary.html", context)


def sheet(desk: Desk) -> dict[str, Any]:
    """What the summary says: amounts, bills, what was agreed, the last contacts, what comes next."""
    account, currency = desk.account, desk.account.currency
    lists = lists_of(desk)
    outlook = cases.outlook(account_id=account.pk, as_of=desk.as_of)
    outcomes = {row.code: row.label for row in lists["dispositions"]}
    if outlook.next_step_code and outlook.next_step_on:
        next_step = _("%(step)s on %(day)s") % {
            "step": words(outlook.next_step_code),
            "day": written(outlook.next_step_on),
        }
    else:
        next_step = _("No automatic step ahead.")
    return {
        "account": account,
        "customer": desk.customer,
        "currency": currency,
        "as_of": desk.as_of,
        "days_past_due": max((desk.as_of - account.oldest_due_on).days, 0) if account.oldest_due_on else 0,
        "bills": lists["bills"],
        "agreements": _agreements(desk, lists),
        "services": [
            f"{said(row.get_kind_display())} {from_left(row.number or row.ref)}: {said(row.get_status_display())}"
            for row in lists["services"]
        ],
        "talks": [
            (
                row.at,
                ", ".join(
                    [
                        said(row.get_kind_display()),
                        _("outcome taken back")
                        if row.undone_at
                        else said(outcomes.get(row.disposition, row.disposition)),
                    ]
                ),
            )
            for row in lists["talks"]
        ],
        "next_step": next_step,
    }


def _agreements(desk: Desk, lists: dict[str, list[Any]]) -> list[str]:
    """What stands between us and the customer now, a line each."""
    account, currency = desk.account, desk.account.currency
    lines = [
        _("Promise: %(amount)s by %(day)s") % {"amount": money(row.amount, currency), "day": written(row.due_on)}
        for row in lists["promises"]
        if row.status == Promise.Status.OPEN
    ]
    for plan in lists["plans"]:
        if plan.status not in {Plan.Status.ACTIVE, Plan.Status.PENDING_APPROVAL}:
            continue
        parts = [part for part in lists["instalments"] if part.plan_id == plan.pk]
        due = next((part for part in parts if part.paid_on is None), None)
        lines.append(
            _("Plan of %(count)s instalments, %(state)s; next %(amount)s on %(day)s")
            % {
                "count": len(parts),
                "state": within(plan.get_status_display()),
                "amount": money(due.amount, currency) if due else money(None, currency),
                "day": written(due.due_on) if due else written(None),
            }
        )
    running = Settlement.Status.OPEN, Settlement.Status.PENDING_APPROVAL
    lines += [
        _("Settlement: %(amount)s by %(day)s") % {"amount": money(row.amount, currency), "day": written(row.pay_by)}
        for row in account.settlements.filter(status__in=running)
    ]
    lines += [
        _("Extension until %(day)s") % {"day": written(row.until)}
        for row in account.extensions.filter(status__in=[Extension.Status.ACTIVE, Extension.Status.PENDING_APPROVAL])
    ]
    lines += [
        _("Dispute: %(amount)s of %(bill)s, open since %(day)s")
        % {
            "amount": money(row.amount, currency),
            "bill": row.bill_ref or account.ref,
            "day": written(row.opened_on),
        }
        for row in lists["disputes"]
        if row.resolved_on is None
    ]
    return lines


@may(rights.Act.WORK)
@require_safe
def my_day(request: DeskRequest) -> HttpResponse:
    """My own figures against what is usual for me, and what waits for me."""
    at = timezone.now()
    as_of = business_date(at=at)
    agent = request.user
    context: dict[str, Any] = {
        "at": at,
        "as_of": as_of,
        "mine": day.day_of(agent=agent, as_of=as_of, at=at),
        "time": paid_time.day_of(agent, today=calendar_date(at=at), at=at),
        "heard": satisfaction.own(agent, since=at - HEARD_SINCE),
        "quality": own_quality(agent),
        "complained": complaint_desk.about(agent, since=as_of - HEARD_SINCE),
        "heard_days": HEARD_SINCE.days,
        "found": findings.own(agent, at=at),
        **_time_choices(agent, at),
    }
    return render(request, "agents/day.html", context)


def _time_choices(agent: Agent, at: datetime) -> dict[str, Any]:
    return {"doing": paid_time.doing(agent, at), "whats": Stretch.What.choices}


@may(rights.Act.WORK)
@require_http_methods(["GET", "POST"])
def paid(request: DeskRequest) -> HttpResponse:
    """What my paid time is for now: the choice, or what was chosen."""
    at = timezone.now()
    if request.method != "POST":
        return render(request, "agents/_time.html", {**_time_choices(request.user, at), "back": _here(request)})
    try:
        paid_time.change(request.user, request.POST.get("what", ""), at)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.info(request, said(Stretch.What(request.POST["what"]).label) + ".")
    return redirect(_back(request))


def _here(request: DeskRequest) -> str:
    """The page that asked for a part of itself."""
    return urlsplit(request.htmx.current_url or "").path or reverse("day")


@may(rights.Act.WORK)
@require_POST
def language(request: DeskRequest) -> HttpResponse:
    """The desk in another language, for me and from now on; empty: as my browser asks."""
    chosen = request.POST.get("language", "")
    if chosen == "" or chosen in interface_language.LANGUAGES:
        request.user.interface_language = chosen
        request.user.save(update_fields=["interface_language"])
    return redirect(_back(request))


@may(rights.Act.WORK)
@require_POST
def hints(request: DeskRequest) -> HttpResponse:
    """Show every hint of the script, or only its warnings."""
    request.user.hints = request.POST.get("hints") == "on"
    request.user.save(update_fields=["hints"])
    messages.info(request, _("Hints are on.") if request.user.hints else _("Hints are off; warnings stay."))
    return redirect(_back(request))


def _back(request: DeskRequest) -> str:
    """The page that was open, if it is one of ours."""
    back = request.POST.get("back", "/")
    return back if url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}) else "/"
