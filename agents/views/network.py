"""The network as supervisors see it: orders nobody confirmed, services that stand elsewhere, what to do about each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date
from accounts.models import Service
from accounts.refusals import Refused
from agents import rights
from agents.views.session import DeskRequest, may
from dunning import asking
from dunning.models import ServiceOrder

ROWS = 50
#: The lists by their address, with their names.
LISTS = {
    "stuck": "Not confirmed",
    "differing": "Differences",
    "limited": "Left limited",
    "waiting": "Waiting",
}
#: Of a reason that a supervisor types.
LONGEST_WHY = 120


@may(rights.Act.SUPERVISE)
@require_safe
def network(request: DeskRequest) -> HttpResponse:
    """One of the four lists, and how long each of them is."""
    at = timezone.now()
    lists: dict[str, QuerySet[Any]] = {
        "stuck": asking.stuck(at=at),
        "differing": asking.differing(),
        "limited": asking.left_limited(),
        "waiting": asking.waiting(at=at),
    }
    if not rights.sees_all_teams(request.user):
        seen = rights.visible_accounts(request.user)
        lists = {name: rows.filter(account__in=seen) for name, rows in lists.items()}
    shown = request.GET.get("list", "")
    shown = shown if shown in LISTS else "stuck"
    pages = {name: Paginator(rows, ROWS) for name, rows in lists.items()}
    context = {
        "at": at,
        "lists": [(name, words, pages[name].count) for name, words in LISTS.items()],
        "shown": shown,
        "page": pages[shown].get_page(request.GET.get("page")),
        "hours": asking.CONFIRMS_WITHIN.seconds // 3600,
    }
    return render(request, "agents/network/network.html", context)


@may(rights.Act.SUPERVISE)
@require_POST
def ask_again(request: DeskRequest, pk: int) -> HttpResponse:
    """Try an order again, now."""
    order = _order(request, pk)
    return _told(
        request,
        lambda now: asking.ask_again(order_id=order.pk, **now),
        f"{order.service.number or order.service.ref}: asked again, with the next hand-over.",
    )


@may(rights.Act.SUPERVISE)
@require_POST
def give_up(request: DeskRequest, pk: int) -> HttpResponse:
    """Withdraw an order, for a reason, and leave it to a person."""
    order = _order(request, pk)
    why = " ".join(request.POST.get("why", "").split())[:LONGEST_WHY]
    if not why:
        messages.error(request, "Say why it is given up.")
        return _back(request)
    return _told(
        request,
        lambda now: asking.give_up(order_id=order.pk, why=why, **now),
        f"{order.service.number or order.service.ref}: given up, and in the queue as a task.",
    )


@may(rights.Act.SUPERVISE)
@require_POST
def ask_for_ours(request: DeskRequest, service: str) -> HttpResponse:
    """Ask the network once more for the rung that we believe in."""
    found = _service(request, service)
    return _told(
        request,
        lambda now: asking.ask_for_ours(service_id=found.pk, **now),
        f"{found.number or found.ref}: the network is asked for “{found.get_status_display().lower()}” again.",
    )


@may(rights.Act.SUPERVISE)
@require_POST
def restore(request: DeskRequest, service: str) -> HttpResponse:
    """Give back a service that nothing justifies limiting."""
    found = _service(request, service)
    return _told(
        request,
        lambda now: asking.restore(service_id=found.pk, **now),
        f"{found.number or found.ref}: the network is asked to restore it.",
    )


def _order(request: DeskRequest, pk: int) -> ServiceOrder:
    seen = ServiceOrder.objects.filter(account__in=rights.visible_accounts(request.user))
    return get_object_or_404(seen.select_related("service"), pk=pk)


def _service(request: DeskRequest, ref: str) -> Service:
    return get_object_or_404(Service.objects.filter(account__in=rights.visible_accounts(request.user)), ref=ref)


def _told(request: DeskRequest, operation: Callable[[dict[str, Any]], object], said: str) -> HttpResponse:
    """Do it, say so, and show the list again; a refusal is said in its own words."""
    at = timezone.now()
    try:
        operation({"actor": rights.actor(request.user), "as_of": business_date(at=at), "at": at})
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, said)
    return _back(request)


def _back(request: DeskRequest) -> HttpResponse:
    shown = request.POST.get("list", "")
    answer = redirect("network")
    if shown in LISTS:
        answer["Location"] += f"?list={shown}"
    return answer
