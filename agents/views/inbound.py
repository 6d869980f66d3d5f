"""The box: what customers wrote and a person must see, worked by keyboard."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet, Window
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date
from accounts.models import Account
from accounts.refusals import Refused
from agents import answers, rights
from agents.views.session import DeskRequest, may
from dunning import understanding
from dunning.models import InboundMessage

ROWS = 25
ON_ACCOUNT = 5
#: What a person may say that a message asks for; the rest is for machines to find.
READINGS = [
    (intent.value, intent.label)
    for intent in InboundMessage.Intent
    if intent not in (InboundMessage.Intent.AUTO_REPLY, InboundMessage.Intent.BOUNCE)
]
#: Hints in words.
HINTS = {
    "bereavement": "Bereavement?",
    "job_loss": "Job lost?",
    "illness": "Illness?",
    "abuse": "Abuse at home?",
    understanding.CRISIS: "In a crisis?",
}
#: What was done at once, in words.
DONE = {
    "stopped": "Automatic contact stopped",
    "started": "Messages allowed again",
    "payment_in_flight": "Treatment waits for the payment",
    "paused": "Paused until somebody has looked",
    "address_closed": "Address not used again",
    "notices_withdrawn": "Waiting notices withdrawn",
    "answered": "Answered",
}


@may(rights.Act.WORK)
@require_safe
def inbox(request: DeskRequest) -> HttpResponse:
    """What waits for a person: a crisis first, then the newest."""
    at = timezone.now()
    page = Paginator(answers.waiting(request.user), ROWS).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "at": at,
        "as_of": business_date(at=at),
        "page": page,
        "rows": [(message, *worded(message)) for message in page.object_list],
        "readings": READINGS,
        "crisis": understanding.CRISIS,
    }
    return render(request, "agents/inbound/inbox.html", context)


def worded(message: InboundMessage) -> tuple[list[tuple[str, str]], list[str]]:
    """The hints of a message, and what was done about it, in words."""
    return [(hint, HINTS.get(hint, hint)) for hint in message.hints], [DONE.get(act, act) for act in message.acts]


def lately(account: Account) -> QuerySet[InboundMessage]:
    """What the account's customer wrote lately, each with how many wait in all; ``shown`` tells it."""
    waiting = Window(Count("pk", filter=Q(state__in=answers.WAITING)))
    return answers.of_account(account).annotate(waiting_in_all=waiting)[:ON_ACCOUNT]


def shown(wrote: list[Any]) -> dict[str, Any]:
    """What ``agents/_inbound.html`` shows on the account's page. No query."""
    return {
        "inbound": [(message, *worded(message)) for message in wrote],
        "inbound_waiting": wrote[0].waiting_in_all if wrote else 0,
    }


@may(rights.Act.WORK)
@require_POST
def done(request: DeskRequest, pk: int) -> HttpResponse:
    """Somebody has dealt with it."""
    return _told(request, pk, answers.finish, "Done.")


@may(rights.Act.WORK)
@require_POST
def read_again(request: DeskRequest, pk: int) -> HttpResponse:
    """It asks for something else than it was taken for."""
    wanted = request.POST.get("intent", "")
    words = dict(READINGS).get(wanted)
    if words is None:
        messages.error(request, "Say what the message asks for.")
        return _back(request)
    return _told(request, pk, answers.read_again, f"Read as “{words}”.", intent=wanted)


@may(rights.Act.WORK)
@require_POST
def opt_out(request: DeskRequest, pk: int) -> HttpResponse:
    """They mean stop."""
    return _told(request, pk, answers.opt_out, "All automatic contact with this customer has stopped.")


@may(rights.Act.WORK)
@require_POST
def place(request: DeskRequest, pk: int) -> HttpResponse:
    """Somebody knows whose message it is."""
    return _told(request, pk, answers.place, "The message is on its account now.", account=request.POST.get("ref", ""))


def _told(request: DeskRequest, pk: int, act: Any, words: str, **terms: str) -> HttpResponse:
    message = get_object_or_404(answers.visible(request.user), pk=pk)
    at = timezone.now()
    try:
        act(message_id=message.pk, agent=request.user, as_of=business_date(at=at), at=at, **terms)
    except Refused as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, words)
    return _back(request)


def _back(request: DeskRequest) -> HttpResponse:
    """To the account where the act was asked for there; else to the box."""
    account = request.POST.get("account", "")
    return redirect("account", ref=account) if account else redirect("inbox")
