"""What is suggested on an account, answered with a key; and what came of it, for supervisors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date
from accounts.models import Hold
from accounts.refusals import Refused
from agents import offers, queue, rights, suggesting, suggestions
from agents.models import WorkItem
from agents.suggestions import Shown
from agents.views.account import begin, onward, page
from agents.views.account_page import Desk, desk_of, open_bills, picture
from agents.views.session import DeskRequest, may
from dunning import pay_links, reading

#: What accepting opens, where it is a form of the page.
OPENS = {
    suggesting.CALL_NOW: "call",
    suggesting.PROMISE: offers.PROMISE,
    suggesting.INSTALMENTS: offers.PLAN,
    suggesting.EXTENSION: offers.EXTENSION,
    suggesting.SETTLEMENT: offers.SETTLEMENT,
    suggesting.HARDSHIP: offers.HARDSHIP,
    suggesting.SPECIALIST: "hold",
    suggesting.GIVE_UP: "note",
    suggesting.LETTER: "note",
}
#: Accepting these is all there is to do here for now: the account comes back by itself.
PUTS_OFF = frozenset({suggesting.CALL_LATER, suggesting.WAIT})
#: Where nothing says when, it is looked at again after so long.
LOOKED_AT_AGAIN = timedelta(days=7)
PERIODS = (30, 90, 365)


@may(rights.Act.WORK)
@require_POST
def answer(request: DeskRequest, ref: str) -> HttpResponse:
    """Accepted: what it suggests is done, or its form is open with its terms. Declined: kept, with a reason if any."""
    desk = desk_of(request, ref, timezone.now())
    item = queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    if item is None:
        messages.error(request, _("This account is not yours any more: nothing was done."))
        return page(request, desk, None)
    shown: Shown | None = picture(desk, item=item)["suggestion"]
    if shown is None or str(shown.row.pk) != request.POST.get("suggestion"):
        messages.error(request, _("This suggestion is not there any more: look again."))
        return page(request, desk, item)
    if request.POST.get("answer") == "declined":
        return _decline(request, desk, item, shown)
    if request.POST.get("answer") != "accepted" or shown.row.action != request.POST.get("action"):
        messages.error(request, _("What is known has changed meanwhile: look again."))
        return page(request, desk, item)
    return _accept(request, desk, item, shown)


def _decline(request: DeskRequest, desk: Desk, item: WorkItem, shown: Shown) -> HttpResponse:
    try:
        suggestions.answer(
            suggestion_id=shown.row.pk, agent=desk.agent, accepted=False, because=request.POST.get("because", ""),
            as_of=desk.as_of, at=desk.at,
        )  # fmt: skip
    except Refused as refusal:
        messages.error(request, str(refusal))
    return page(request, desk, item)


def _accept(request: DeskRequest, desk: Desk, item: WorkItem, shown: Shown) -> HttpResponse:
    action, terms = shown.row.action, shown.candidate.terms
    try:
        with transaction.atomic():
            suggestions.answer(
                suggestion_id=shown.row.pk, agent=desk.agent, accepted=True, as_of=desk.as_of, at=desk.at
            )
            if "channel" in terms:
                pay_links.send(account_id=desk.account.pk, as_of=desk.as_of, at=desk.at, channels=(terms["channel"],))
            elif action in PUTS_OFF:
                queue.complete(
                    item_id=item.pk, agent=desk.agent, at=desk.at, outcome=f"suggested: {action}",
                    not_before=_comes_back(terms, desk),
                )  # fmt: skip
    except Refused as refusal:
        messages.error(request, str(refusal))
        return page(request, desk, queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at))
    if "channel" in terms:
        messages.success(request, _("It leaves within a minute, as soon as they may be written to."))
        return page(request, desk, item)
    if action in PUTS_OFF:
        messages.success(request, _("Put off: %(says)s") % {"says": shown.candidate.says})
        return onward(request, desk)
    if action == suggesting.DISPUTE:
        contested = desk.account.disputes.filter(resolved_on=None).order_by("decide_by", "pk").first()
        if contested is not None:
            address = f"/disputes/{contested.ref}/"
            return HttpResponse(status=204, headers={"HX-Redirect": address}) if request.htmx else redirect(address)
    act = OPENS.get(action, "note")
    form = begin(desk, act, item, open_bills(desk.account))
    for name, value in _first_values(action, shown, terms).items():
        if name in form.fields and name not in item.draft.get(act, {}):
            form.initial[name] = value
    return page(request, desk, item, act=act, form=form)


def _first_values(action: str, shown: Shown, terms: Mapping[str, Any]) -> dict[str, Any]:
    """What the form begins with: the terms of the suggestion, in the names of its fields."""
    if action == suggesting.SPECIALIST:
        return {"reason": Hold.Reason.VULNERABILITY_REVIEW, "note": shown.candidate.says}
    if action in (suggesting.GIVE_UP, suggesting.LETTER):
        return {"text": f"{shown.title}. {' '.join(f'{one.text}.' for one in shown.reasons)}"}
    if action == suggesting.INSTALMENTS:
        return {"by": "count", **terms}
    return dict(terms)


def _comes_back(terms: Mapping[str, Any], desk: Desk) -> datetime:
    if isinstance(moment := terms.get("not_before"), datetime):
        return moment
    if (day := terms.get("until")) is not None:
        return max(datetime.combine(day, time(7), tzinfo=reading.operator_zone()), desk.at)
    return desk.at + LOOKED_AT_AGAIN


@may(rights.Act.SUPERVISE)
@require_safe
def report(request: DeskRequest) -> HttpResponse:
    """What was suggested, accepted and declined, and what came in within a fortnight of each."""
    at = timezone.now()
    asked = request.GET.get("days", "")
    days = int(asked) if asked.isdecimal() and len(asked) < 4 and int(asked) in PERIODS else PERIODS[0]
    as_of = business_date(at=at)
    accounts = None
    if not rights.sees_all_teams(request.user):
        accounts = list(rights.visible_accounts(request.user).values_list("pk", flat=True))
    lines = suggestions.report(after=at - timedelta(days=days), until=at, as_of=as_of, accounts=accounts)
    context = {
        "lines": lines,
        "days": days,
        "periods": PERIODS,
        "suggested": sum(line.suggested for line in lines),
        "accepted": sum(line.accepted.count for line in lines),
        "declined": sum(line.declined.count for line in lines),
        "within": suggestions.WITHIN.days,
        "several": len({line.currency for line in lines}) > 1,
    }
    return render(request, "supervise/suggestions.html", context)
