"""The whole queue in a supervisor's hand: listed, sorted, pinned and given away; its order; and who is in nobody's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date
from accounts.position import BUCKETS
from accounts.refusals import Refused
from agents import orders, orphans, priority, queue, rights, steering
from agents.bulk_steering import in_bucket
from agents.models import Agent, QueueOrder, Team, WorkItem
from agents.queue_forms import SORTS, WAITS, OrderForm, QueueFilter
from agents.views.session import DeskRequest, may

PAGE = 50
#: So many orders of the past are listed.
PAST = 30

# What there is to filter by, of what is open now.
_OPTIONS = """
    SELECT array_agg(DISTINCT c.language) FILTER (WHERE c.language <> ''),
           array_agg(DISTINCT a.segment) FILTER (WHERE a.segment <> ''),
           array_agg(DISTINCT a.product) FILTER (WHERE a.product <> ''),
           (SELECT array_agg(reason ORDER BY count DESC, reason) FROM (
                SELECT reason, count(*) AS count FROM agents_workitem
                 WHERE done_at IS NULL AND reason <> '' GROUP BY reason ORDER BY count(*) DESC, reason LIMIT 40) r)
      FROM agents_workitem w JOIN accounts_account a ON a.id = w.account_id
      JOIN accounts_customer c ON c.id = a.customer_id
     WHERE w.done_at IS NULL
"""


@may(rights.Act.SUPERVISE)
@require_safe
def queue_desk(request: DeskRequest) -> HttpResponse:
    """Every open item, as asked for."""
    at = timezone.now()
    as_of = business_date(at=at)
    form = QueueFilter(request.GET)
    wanted = form.wanted()
    sort = wanted["sort"] or "score"
    items = _narrowed(_seen(request.user, WorkItem.objects.filter(done_at=None)), wanted, as_of=as_of, at=at)
    listed = items.select_related("account__customer", "team", "claimed_by", "kept_for").order_by(*SORTS[sort])
    page = Paginator(listed, PAGE).get_page(request.GET.get("page"))
    with connection.cursor() as cursor:
        cursor.execute(_OPTIONS)
        languages, segments, products, reasons = cursor.fetchone()
    query = request.GET.copy()
    query.pop("page", None)
    unsorted = query.copy()
    unsorted.pop("sort", None)
    context = {
        "at": at,
        "as_of": as_of,
        "page": page,
        "items": list(page.object_list),
        "wanted": wanted,
        "sort": sort,
        "narrowed": any(value for name, value in wanted.items() if name != "sort"),
        "query": query.urlencode(),
        "unsorted": unsorted.urlencode(),
        "teams": list(Team.objects.order_by("name")),
        "people": [
            person
            for person in Agent.objects.filter(
                is_active=True, claims__done_at=None, claims__lease_until__gt=at
            ).distinct()
            if rights.sees_all_teams(request.user) or person.team_id == request.user.team_id
        ],
        "languages": languages or [],
        "segments": segments or [],
        "products": products or [],
        "reasons": reasons or [],
        "buckets": BUCKETS,
        "waits": WAITS,
        "tab": "list",
    }
    return render(request, "agents/queue_desk/list.html", context)


def _narrowed(items: QuerySet[WorkItem], wanted: dict[str, str], *, as_of: date, at: datetime) -> QuerySet[WorkItem]:
    if wanted["team"] == "none":
        items = items.filter(team=None)
    elif wanted["team"].isdecimal():
        items = items.filter(team_id=int(wanted["team"]))
    if wanted["language"]:
        items = items.filter(account__customer__language=wanted["language"])
    if wanted["segment"]:
        items = items.filter(account__segment=wanted["segment"])
    if wanted["product"]:
        items = items.filter(account__product=wanted["product"])
    if wanted["reason"]:
        items = items.filter(reason=wanted["reason"])
    if wanted["bucket"]:
        items = items.filter(in_bucket(wanted["bucket"], as_of=as_of))
    held = Q(lease_until__gt=at)
    if wanted["held"] == "anybody":
        items = items.filter(held)
    elif wanted["held"] == "nobody":
        items = items.exclude(held)
    elif wanted["held"].isdecimal():
        items = items.filter(held, claimed_by_id=int(wanted["held"]))
    match wanted["waiting"]:
        case "now":
            items = queue.offered(items.exclude(held), at=at)
        case "later":
            items = items.filter(not_before__gt=at)
        case "hour":
            items = items.filter(queue.uncallable(at=at))
        case "callback":
            items = items.filter(kept_for__isnull=False)
        case "pinned":
            items = items.exclude(pinned_by="")
    return items


def _seen(user: Agent, items: QuerySet[WorkItem]) -> QuerySet[WorkItem]:
    """Those of the items whose accounts this supervisor may see."""
    return items if rights.sees_all_teams(user) else items.filter(account__in=rights.visible_accounts(user))


@may(rights.Act.SUPERVISE)
@require_POST
def steer(request: DeskRequest) -> HttpResponse:
    """Pin, unpin, give to a team, release or bring forward what was ticked."""
    at, agent = timezone.now(), request.user
    ticked = [int(pk) for pk in request.POST.getlist("items") if pk.isdecimal()]
    act = request.POST.get("act", "")
    team: Team | None = None
    if act == "team" and request.POST.get("team", "none") != "none":
        team = get_object_or_404(Team, pk=request.POST["team"] if request.POST["team"].isdecimal() else 0)
    acts: dict[str, Callable[[], int]] = {
        "pin": lambda: steering.pin(item_ids=ticked, reason=request.POST.get("reason", ""), agent=agent, at=at),
        "unpin": lambda: steering.unpin(item_ids=ticked, agent=agent, at=at),
        "team": lambda: steering.give_to(item_ids=ticked, team=team, agent=agent, at=at),
        "release": lambda: steering.release(item_ids=ticked, agent=agent, at=at),
        "forward": lambda: steering.bring_forward(item_ids=ticked, agent=agent, at=at),
    }
    if not ticked or act not in acts:
        messages.warning(request, _("Tick the accounts first."))
        return redirect(_back(request))
    try:
        done = acts[act]()
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(_back(request))
    said = {
        "pin": ngettext("%(count)s account is on top.", "%(count)s accounts are on top.", done),
        "unpin": ngettext(
            "%(count)s account follows its score again.", "%(count)s accounts follow their score again.", done
        ),
        "team": ngettext("%(count)s account given.", "%(count)s accounts given.", done),
        "release": ngettext("%(count)s account is free.", "%(count)s accounts are free.", done),
        "forward": ngettext("%(count)s account is offered now.", "%(count)s accounts are offered now.", done),
    }
    messages.success(request, said[act] % {"count": done})
    return redirect(_back(request))


def _back(request: HttpRequest) -> str:
    back = request.POST.get("back", "")
    here = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return back if here and back.startswith("/supervise/queue/") else "/supervise/queue/"


@may(rights.Act.SUPERVISE)
@require_safe
def order_page(request: DeskRequest) -> HttpResponse:
    """The orders in force, one being written with what it would do, and those before."""
    at = timezone.now()
    begun = request.GET.get("from", "")
    source = QueueOrder.objects.filter(pk=int(begun)).first() if begun.isdecimal() and len(begun) < 12 else None
    form = OrderForm.of(source) if source else OrderForm(initial={"first": QueueOrder.First.SCORE})
    return _order_page(request, form, at)


def _order_page(request: DeskRequest, form: OrderForm, at: datetime, *, status: int = 200) -> HttpResponse:
    rows = list(QueueOrder.objects.select_related("team").order_by("-in_force", "-made_at", "-pk")[:PAST])
    context = {
        "form": form,
        "orders": [(row, _weights_in_words(row)) for row in rows],
        "tab": "order",
        **_previewed(form, request.user, at),
    }
    return render(request, "agents/queue_desk/order.html", context, status=status)


def _weights_in_words(order: QueueOrder) -> str:
    if order.first != QueueOrder.First.SCORE:
        return str(order.get_first_display())
    weighed = [
        f"{priority.WEIGHED[part]} {weight} %" for part, weight in order.weights.items() if part in priority.WEIGHED
    ]
    return ", ".join(weighed) or _("Every part as it comes")


def _previewed(form: OrderForm, user: Agent, at: datetime) -> dict[str, Any]:
    """What the form's order would have on top; of a form nobody has sent, as it stands."""
    asked = form
    if not form.is_bound:
        asked = OrderForm({"name": "-", **{name: form[name].value() for name in form.fields if name != "name"}})
    if not asked.is_valid() and any(name != "name" for name in asked.errors):
        return {"preview": None}
    as_of = business_date(at=at)
    top = orders.preview(team=asked.cleaned_data.get("team"), ordering=asked.ordering(), as_of=as_of, at=at)
    if not rights.sees_all_teams(user):
        seen = _visible(user, [row.item.account_id for row in top])
        top = [row for row in top if row.item.account_id in seen]
    return {
        "preview": [
            (
                place,
                row,
                [{"name": part.name, "points": part.points, "text": part.text} for part in row.parts],
                None if row.now is None else row.now - place,
            )
            for place, row in enumerate(top, start=1)
        ],
        "as_of": as_of,
    }


@may(rights.Act.SUPERVISE)
@require_safe
def preview(request: DeskRequest) -> HttpResponse:
    """The top of an order that is being written, live; nothing is written."""
    context = _previewed(OrderForm(request.GET), request.user, timezone.now())
    return render(request, "agents/queue_desk/_preview.html", context)


@may(rights.Act.SUPERVISE)
@require_POST
def write_order(request: DeskRequest) -> HttpResponse:
    """Keep an order, and put it in force where that was asked."""
    at = timezone.now()
    form = OrderForm(request.POST)
    if not form.is_valid():
        return _order_page(request, form, at, status=422)
    _refuse_across(request.user, form.cleaned_data["team"])
    actor, ordering = rights.actor(request.user), form.ordering()
    try:
        order = orders.write(
            name=form.cleaned_data["name"],
            team=form.cleaned_data["team"],
            first=ordering.first,
            weights=ordering.weights,
            actor=actor,
            at=at,
        )
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _order_page(request, form, at, status=422)
    if request.POST.get("then") == "force":
        return _forced(request, order, at)
    messages.success(request, _("%(name)s is kept; it is not in force yet.") % {"name": order.name})
    return redirect("queue_orders")


@may(rights.Act.SUPERVISE)
@require_POST
def force_order(request: DeskRequest, pk: int) -> HttpResponse:
    """Put an order in force."""
    return _forced(request, get_object_or_404(QueueOrder, pk=pk), timezone.now())


def _refuse_across(user: Agent, team: Team | None) -> None:
    """Whoever supervises one team orders that team's queue and no other's."""
    if not rights.sees_all_teams(user) and (team is None or team.pk != user.team_id):
        raise PermissionDenied


def _forced(request: DeskRequest, order: QueueOrder, at: datetime) -> HttpResponse:
    _refuse_across(request.user, order.team)
    changed = orders.put_in_force(order_id=order.pk, actor=rights.actor(request.user), at=at)
    messages.success(
        request,
        ngettext(
            "%(name)s is in force; %(count)s item was scored anew.",
            "%(name)s is in force; %(count)s items were scored anew.",
            changed,
        )
        % {"name": order.name, "count": changed},
    )
    return redirect("queue_orders")


@may(rights.Act.SUPERVISE)
@require_POST
def end_order(request: DeskRequest, pk: int) -> HttpResponse:
    """Take an order out of force."""
    order = get_object_or_404(QueueOrder, pk=pk)
    _refuse_across(request.user, order.team)
    orders.end(order_id=order.pk, actor=rights.actor(request.user), at=timezone.now())
    messages.success(request, _("%(name)s is no longer in force.") % {"name": order.name})
    return redirect("queue_orders")


@may(rights.Act.SUPERVISE)
@require_safe
def orphans_page(request: DeskRequest) -> HttpResponse:
    """Accounts that nobody will come across or can work, by why."""
    at = timezone.now()
    found = orphans.find(as_of=business_date(at=at), at=at)
    if not rights.sees_all_teams(request.user):
        seen = _visible(request.user, [row.account_id for row in found.orphans])
        mine = [row for row in found.orphans if row.account_id in seen]
        found = orphans.Found(mine, dict(Counter(row.why for row in mine)))
    titles = {
        orphans.Why.UNATTENDED: _("In nobody's queue"),
        orphans.Why.UNWATCHED: _("Held without an end"),
        orphans.Why.NO_TEAM: _("A team without people"),
        orphans.Why.LANGUAGE: _("A language nobody speaks"),
        orphans.Why.PARKED: _("Parked for longer than a week"),
        orphans.Why.UNCALLABLE: _("Nobody may ever call"),
        orphans.Why.TASK_OVERDUE: _("Tasks overdue"),
    }
    rank = list(orphans.Why)
    rows = sorted(found.orphans, key=lambda row: rank.index(row.why))
    groups = [
        {
            "why": why,
            "title": titles[why],
            "count": found.counts[why],
            "does": orphans.DONE[why],
            "rows": list(group),
        }
        for why, group in groupby(rows, key=lambda row: row.why)
    ]
    context = {"groups": groups, "total": found.total, "at": at, "tab": "orphans"}
    return render(request, "agents/queue_desk/orphans.html", context)


def _visible(user: Agent, account_ids: list[int]) -> set[int]:
    return set(rights.visible_accounts(user).filter(pk__in=account_ids).values_list("pk", flat=True))


@may(rights.Act.SUPERVISE)
@require_POST
def give_next_contact(request: DeskRequest) -> HttpResponse:
    """Give one orphan, or all of them, its next contact."""
    at = timezone.now()
    as_of = business_date(at=at)
    chosen = [int(pk) for pk in request.POST.getlist("account") if pk.isdecimal() and len(pk) < 18]
    if not rights.sees_all_teams(request.user):
        chosen = sorted(_visible(request.user, chosen))
    try:
        done, what = orphans.give_next_contact(account_ids=chosen, agent=request.user, as_of=as_of, at=at)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("orphans")
    if done:
        messages.success(
            request,
            ngettext("%(count)s account: %(what)s.", "%(count)s accounts: %(what)s.", done)
            % {"count": done, "what": "; ".join(what)},
        )
    else:
        messages.info(request, _("They have a next contact already."))
    return redirect("orphans")
