"""What comes next: the queue as an agent works it. The desk serves; the list is there to look ahead."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date, calendar_date
from agents import dialling, offering, queue, rights
from agents.models import Agent, Promise, WorkItem
from agents.templatetags.desk import span
from agents.views.session import DeskRequest, may

#: What an agent sees of the queue.
TOP = 25
CALLBACKS = 8
#: Beyond so many it is "more than": nobody needs the number, and counting a long queue takes longer than serving it.
COUNTED = 1_000


@may(rights.Act.WORK)
@require_safe
def queue_page(request: DeskRequest) -> HttpResponse:
    """The next account and why, my callbacks, what I hold, my day, and what comes up."""
    at = timezone.now()
    as_of = business_date(at=at)
    agent = request.user
    waiting = within_team(agent, WorkItem.objects.filter(done_at=None))
    free = queue.offered(waiting.exclude(lease_until__gt=at), at=at, agent=agent)
    items = list(free.select_related("account__customer", "team").order_by("-score", "id")[:TOP])
    context: dict[str, Any] = {
        "at": at,
        "as_of": as_of,
        "whole": rights.sees_all_teams(agent),
        "held": list(
            WorkItem.objects.filter(claimed_by=agent, done_at=None, lease_until__gt=at)
            .select_related("account__customer")
            .order_by("claimed_at")
        ),
        "callbacks": _callbacks(agent, waiting, at),
        "parked": _parked(waiting, at),
        "day": my_day(agent=agent, as_of=as_of, at=at),
        "on_the_phone": dialling.current(agent=agent),
        "items": items,
        "foremost": items[0] if items else None,
        "left": min(left := free[: COUNTED + 1].count(), COUNTED),
        "more_left": left > COUNTED,
    }
    return render(request, "agents/queue.html", context)


def _parked(waiting: QuerySet[WorkItem], at: datetime) -> dict[str, Any]:
    """How many wait for an hour at which they may be called, up to ``COUNTED``, and the first of those hours."""
    hours = waiting.filter(queue.uncallable(at=at)).order_by("callable_from").values_list("callable_from", flat=True)
    first = list(hours[:COUNTED])
    return {"count": len(first), "first": first[0] if first else None}


def _callbacks(agent: Agent, waiting: QuerySet[WorkItem], at: datetime) -> list[WorkItem]:
    """Mine, and those whose agent did not come to them in time: everybody's now."""
    agreed = waiting.filter(Q(kept_for=agent) | Q(kept_for__isnull=False, not_before__lte=at - queue.KEPT_FOR))
    return list(agreed.select_related("account__customer", "kept_for").order_by("not_before", "id")[:CALLBACKS])


@may(rights.Act.WORK)
@require_POST
def next_account(request: DeskRequest) -> HttpResponse:
    """Claim the best free account and open it; who holds one goes on with that first."""
    at = timezone.now()
    call = dialling.current(agent=request.user)
    if call is not None:
        messages.warning(request, dialling.unfinished(call))
        return redirect("account", ref=call.account.ref)
    item = offering.next_account(agent=request.user, at=at)
    if item is None:
        messages.info(request, nobody_left(request.user, at))
        return redirect("queue")
    if item.kind == WorkItem.Kind.APPROVAL:
        return redirect("approvals")
    if item.account.ref == request.POST.get("leaving"):
        messages.warning(request, _("This account is still yours: save an outcome with it, or put it back."))
    return redirect("account", ref=item.account.ref)


def nobody_left(agent: Agent, at: datetime) -> str:
    """Why there is no next account, and when there will be one."""
    waiting = within_team(agent, WorkItem.objects.filter(done_at=None))
    parked = _parked(waiting, at)
    if parked["count"]:
        return ngettext(
            "Nobody may be called now. %(count)s of the queue waits for an hour, the first in %(first)s.",
            "Nobody may be called now. %(count)s of the queue wait for an hour, the first in %(first)s.",
            parked["count"],
        ) % {"count": parked["count"], "first": span(parked["first"], at)}
    return _("The queue is empty for now: everything free has been worked or waits for its time.")


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
