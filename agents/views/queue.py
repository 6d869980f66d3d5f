"""What comes next: the queue as agents and supervisors see it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, F, Min, Q, QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date, calendar_date
from agents import offering, queue, rights
from agents.models import Agent, Promise, WorkItem
from agents.templatetags.desk import span
from agents.views.session import DeskRequest, may

#: What an agent sees of the queue; the desk serves the next one, the list is there to look ahead.
TOP = 25
PAGE = 50


@may(rights.Act.WORK)
@require_safe
def queue_page(request: DeskRequest) -> HttpResponse:
    """The next account, what I hold, my callbacks, my day, and the top of the list."""
    at = timezone.now()
    as_of = business_date(at=at)
    agent = request.user
    whole = rights.sees_all_teams(agent)
    waiting = within_team(agent, WorkItem.objects.filter(done_at=None))
    listed = waiting.select_related("account__customer", "team", "claimed_by").order_by("-score", "id")
    context: dict[str, Any] = {
        "at": at,
        "as_of": as_of,
        "whole": whole,
        "held": list(
            WorkItem.objects.filter(claimed_by=agent, done_at=None, lease_until__gt=at)
            .select_related("account__customer")
            .order_by("claimed_at")
        ),
        "callbacks": list(
            waiting.filter(not_before__isnull=False, account__interactions__callback_at=F("not_before"))
            .select_related("account__customer")
            .order_by("not_before", "id")
            .distinct()[:8]
        ),
        "parked": waiting.filter(queue.uncallable(at=at)).aggregate(count=Count("pk"), first=Min("callable_from")),
        "day": my_day(agent=agent, as_of=as_of, at=at),
    }
    if whole:
        page = Paginator(listed, PAGE).get_page(request.GET.get("page"))
        context |= {"page": page, "items": page.object_list, "left": page.paginator.count}
    else:
        context |= {"items": list(queue.offered(listed, at=at)[:TOP]), "left": queue.offered(waiting, at=at).count()}
    return render(request, "agents/queue.html", context)


@may(rights.Act.WORK)
@require_POST
def next_account(request: DeskRequest) -> HttpResponse:
    """Claim the best free account and open it; who holds one goes on with that first."""
    at = timezone.now()
    item = offering.next_account(agent=request.user, at=at)
    if item is None:
        messages.info(request, nobody_left(request.user, at))
        return redirect("queue")
    if item.kind == WorkItem.Kind.APPROVAL:
        return redirect("approvals")
    if item.account.ref == request.POST.get("leaving"):
        messages.warning(request, "This account is still yours: save an outcome with it, or put it back.")
    return redirect("account", ref=item.account.ref)


def nobody_left(agent: Agent, at: datetime) -> str:
    """Why there is no next account, and when there will be one."""
    waiting = within_team(agent, WorkItem.objects.filter(done_at=None))
    parked = waiting.filter(queue.uncallable(at=at)).aggregate(count=Count("pk"), first=Min("callable_from"))
    if parked["count"]:
        return (
            f"Nobody may be called now. {parked['count']} of the queue wait{'s' if parked['count'] == 1 else ''} "
            f"for an hour, the first in {span(parked['first'], at)}."
        )
    return "The queue is empty for now: everything free has been worked or waits for its time."


def within_team(agent: Agent, items: QuerySet[WorkItem]) -> QuerySet[WorkItem]:
    """The items on the agent's side of the team wall; approvals for those who may approve."""
    if not rights.may(agent, rights.Act.APPROVE):
        items = items.exclude(kind=WorkItem.Kind.APPROVAL)
    if rights.sees_all_teams(agent):
        return items
    return items.filter(Q(team=None) | Q(team_id=agent.team_id)) if agent.team_id else items.filter(team=None)


def my_day(*, agent: Agent, as_of: date, at: datetime) -> dict[str, Any]:
    """Worked and promised since midnight on the desk's clock: two queries."""
    today = calendar_date(at=at)
    midnight = timezone.make_aware(datetime.combine(today, datetime.min.time()))
    promises = list(
        Promise.objects.filter(taken_by=rights.actor(agent), made_on=as_of)
        .exclude(status=Promise.Status.CANCELLED)
        .values("account__currency")
        .annotate(count=Count("pk"), amount=Sum("amount"))
        .order_by("-amount")
    )
    return {
        "worked": WorkItem.objects.filter(done_by=agent, done_at__gte=midnight).count(),
        "promises": sum(row["count"] for row in promises),
        "amounts": [(row["amount"], row["account__currency"]) for row in promises],
    }
