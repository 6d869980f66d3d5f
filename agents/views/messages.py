"""Messages that did not arrive as supervisors see them: why, how each channel fares, the print runs, and once more."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date
from agents import rights
from agents.views.session import DeskRequest, may
from dunning import resending
from dunning.channel_health import ChannelHealth
from dunning.models import Notice, PrintRun
from dunning.roads import CHANNELS, desk_name

ROWS = 50
#: At most so many are sent again with one press: what a page shows.
MOST_AT_ONCE = ROWS
#: The lists by their address, with their names.
LISTS = {
    resending.FAILED: "Failed",
    resending.BOUNCED: "Bounced",
    resending.DOUBTFUL: "Doubtful",
    resending.STUCK: "Stuck",
}
NAMES = {"sms": "SMS", "email": "E-mail", "letter": "Letter", "in_app": "In-app", "voice": "Voice"}
STATES = {"closed": "Open", "half_open": "Trying again", "open": "Resting"}


@may(rights.Act.SUPERVISE)
@require_safe
def messages_page(request: DeskRequest) -> HttpResponse:
    """One of the lists with its reasons, the channels, the last print runs."""
    at = timezone.now()
    shown = request.GET.get("list", "")
    shown = shown if shown in LISTS else resending.FAILED
    channel, reason = request.GET.get("channel", ""), request.GET.get("reason", "")
    channel = channel if channel in CHANNELS else ""
    seen = rights.visible_accounts(request.user)
    lists = {name: resending.listed(name, at=at).filter(account__in=seen) for name in LISTS}
    rows = resending.listed(shown, at=at, channel=channel, reason=reason).filter(account__in=seen)
    context = {
        "at": at,
        "lists": [(name, words, lists[name].count()) for name, words in LISTS.items()],
        "shown": shown,
        "channel": channel,
        "reason": reason,
        "channels": _channels(at),
        "reasons": [
            (
                why,
                NAMES.get(why.channel, why.channel),
                urlencode({"list": shown, "channel": why.channel, "reason": why.reason}),
            )
            for why in resending.reasons(lists[shown])
        ],
        "page": Paginator(rows, ROWS).get_page(request.GET.get("page")),
        "kept": urlencode({"list": shown, "channel": channel, "reason": reason}),
        "runs": PrintRun.objects.order_by("-made_at")[:8],
        "names": NAMES,
    }
    return render(request, "agents/messages/messages.html", context)


def _channels(now: datetime) -> list[dict[str, object]]:
    health = ChannelHealth(settings.REDIS_URL, desk=desk_name())
    try:
        told = health.of(CHANNELS)
    finally:
        health.close()
    waiting = resending.waiting_on(CHANNELS, at=now)
    return [
        {
            "code": channel,
            "name": NAMES[channel],
            "road": settings.GATEWAYS[channel]["url"].partition(":")[0],
            "state": STATES[told[channel].state(at=now)],
            "is_well": told[channel].state(at=now) == "closed" and not told[channel].failures,
            "health": told[channel],
            "waiting": waiting[channel].waiting,
            "last": max(filter(None, (waiting[channel].sent_at, told[channel].succeeded_at)), default=None),
        }
        for channel in CHANNELS
    ]


@may(rights.Act.SUPERVISE)
@require_POST
def resend(request: DeskRequest) -> HttpResponse:
    """Send the chosen ones again; the doubtful only where somebody ticked that they may arrive twice."""
    chosen = [int(pk) for pk in request.POST.getlist("message") if pk.isdecimal()][:MOST_AT_ONCE]
    seen = rights.visible_accounts(request.user)
    keys = list(Notice.objects.filter(pk__in=chosen, account__in=seen).order_by("pk").values_list("pk", flat=True))
    at = timezone.now()
    made, refused = resending.resend_all(
        keys,
        actor=rights.actor(request.user),
        as_of=business_date(at=at),
        at=at,
        confirmed=request.POST.get("twice") == "on",
    )
    if not keys:
        messages.error(request, "Choose at least one message.")
    if made:
        messages.success(request, f"{made} message{'s' if made > 1 else ''} will leave with the next hand-over.")
    for words in refused:
        messages.error(request, words)
    kept = {name: request.POST.get(name, "") for name in ("list", "channel", "reason")}
    return redirect(f"{reverse('messages')}?{urlencode(kept)}")
