"""What supervisors watch and decide: the figures, the audit trail, rejected rows, approvals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date
from accounts.importing import landing
from accounts.models import AccountEvent, RejectedRow, Seal
from accounts.refusals import Refused
from agents import approvals as waiting_for
from agents import card_numbers, dispute_desk, extensions, plans, rights, settlements, today, write_offs
from agents.event_words import title_of
from agents.forms import AuditFilter, MendForm
from agents.models import Extension, Plan, Settlement, WorkItem
from agents.views.session import DeskRequest, may
from dunning import asking

EVENTS, ROWS = 100, 25
#: The longest of one column that a mended row may carry.
LONGEST_VALUE = 10_000


@may(rights.Act.SUPERVISE)
@require_safe
def desk(request: DeskRequest) -> HttpResponse:
    """The figures of today, one currency at a time."""
    at = timezone.now()
    figures = today.desk(as_of=business_date(at=at), at=at)
    wanted = request.GET.get("currency", "")
    largest = sorted(figures.money, key=lambda money: -money.overdue_accounts)
    money = next((row for row in largest if row.currency == wanted), largest[0] if largest else None)
    currencies = [row.currency for row in figures.money]
    context: dict[str, Any] = {"figures": figures, "money": money, "currencies": currencies}
    if money is not None:
        context |= {
            "largest_bucket": max((row.amount for row in money.buckets), default=0),
            "received": sum(row.received for row in money.collected),
            "charts": {
                "buckets": {
                    "labels": [row.bucket for row in money.buckets],
                    "values": [float(row.amount) for row in money.buckets],
                },
                "collected": {
                    "labels": [f"{row.on.day} {row.on:%b}" for row in money.collected],
                    "values": [float(row.received - row.in_collections) for row in money.collected],
                    "in_collections": [float(row.in_collections) for row in money.collected],
                },
                "currency": money.currency,
            },
            "waiting": {
                "approvals": waiting_for.count(request.user),
                "rejected": RejectedRow.objects.filter(resolved_at=None).count(),
                "network": asking.attention(at=at),
                "late_disputes": dispute_desk.late_in_all(as_of=figures.as_of),
            },
        }
    return render(request, "supervise/index.html", context)


@may(rights.Act.SEE_AUDIT)
@require_safe
def audit(request: DeskRequest, ref: str) -> HttpResponse:
    """Every event of an account, newest first, with the policy behind it and whether it is sealed."""
    account = get_object_or_404(rights.visible_accounts(request.user).select_related("customer"), ref=ref)
    form = AuditFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    events = account.events.all()
    if wanted.get("kind"):
        events = events.filter(kind__startswith=wanted["kind"])
    if wanted.get("actor"):
        events = events.filter(actor__startswith=wanted["actor"])
    if wanted.get("after"):
        events = events.filter(pk__lt=wanted["after"])
    rows = list(events.order_by("-pk")[: EVENTS + 1])
    shown = rows[:EVENTS]
    seals = _seals_of(shown)
    return render(
        request,
        "supervise/audit.html",
        {
            "account": account,
            "form": form,
            "rows": [(event, title_of(event.kind), seals.get(event.pk)) for event in shown],
            "after": shown[-1].pk if len(rows) > EVENTS else None,
            "kinds": sorted(set(account.events.values_list("kind", flat=True).distinct()[:100])),
        },
    )


def _seals_of(events: list[AccountEvent]) -> dict[int, int]:
    """The seal over each of these events, as far as there is one: one query."""
    if not events:
        return {}
    ids = [event.pk for event in events]
    seals = Seal.objects.filter(last_event_id__gte=min(ids), first_event_id__lte=max(ids)).only("pk", "event_ids")
    wanted = set(ids)
    return {event_id: seal.pk for seal in seals for event_id in wanted.intersection(seal.event_ids)}


@may(rights.Act.SUPERVISE)
@require_safe
def rejected(request: DeskRequest) -> HttpResponse:
    """Rows that did not get in, oldest file line first."""
    waiting = RejectedRow.objects.filter(resolved_at=None).order_by("file", "line", "pk")
    page = Paginator(waiting, ROWS).get_page(request.GET.get("page"))
    rows = [(row, MendForm(row=_as_in_file(row), prefix=f"r{row.pk}")) for row in page.object_list]
    return render(request, "supervise/rejected.html", {"page": page, "rows": rows})


@may(rights.Act.SUPERVISE)
@require_POST
def mend(request: DeskRequest, pk: int) -> HttpResponse:
    """Keep what was mended in a rejected row, and run it again."""
    row = get_object_or_404(RejectedRow, pk=pk, resolved_at=None)
    form = MendForm(request.POST, row=row.row, prefix=f"r{row.pk}")
    if not form.is_valid():
        raise Http404("This row cannot be read.")
    # A column that was not in the file stays out of it unless somebody filled it.
    row.row = {
        column: None if value == "" and row.row[column] is None else value[:LONGEST_VALUE]
        for column, value in form.cleaned_data.items()
    }
    row.save(update_fields=["row"])
    return _run_again(request)


@may(rights.Act.SUPERVISE)
@require_POST
def run_again(request: DeskRequest) -> HttpResponse:
    """Run every waiting row again, for instance after the file it needed has come."""
    return _run_again(request)


@may(rights.Act.SUPERVISE)
@require_POST
def set_aside(request: DeskRequest, pk: int) -> HttpResponse:
    """Take a row off the list without importing it."""
    at = timezone.now()
    changed = RejectedRow.objects.filter(pk=pk, resolved_at=None).update(
        resolved_at=at, resolved_by=rights.actor(request.user)
    )
    if changed:
        messages.success(request, "The row is set aside; it stays in the database with who did so.")
    return redirect("rejected")


def _as_in_file(row: RejectedRow) -> dict[str, Any]:
    """The row's columns in the order of its file, which the database does not keep."""
    spec = next((spec for spec in import_string(settings.DESK_BOOK) if spec.file == row.file), None)
    order = {column.name: place for place, column in enumerate(spec.columns)} if spec else {}
    return dict(sorted(row.row.items(), key=lambda field: order.get(field[0], len(order))))


def _run_again(request: DeskRequest) -> HttpResponse:
    at = timezone.now()
    before = RejectedRow.objects.filter(resolved_at=None).count()
    try:
        landing.retry_rejected(
            import_string(settings.DESK_BOOK), on=business_date(at=at), at=at, actor=rights.actor(request.user)
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("rejected")
    left = RejectedRow.objects.filter(resolved_at=None).count()
    landed = before - left
    if landed:
        messages.success(request, f"{landed} row{'' if landed == 1 else 's'} landed; {left} still wait.")
    else:
        messages.warning(request, "Nothing landed: the reasons below still hold.")
    return redirect("rejected")


@may(rights.Act.APPROVE)
@require_safe
def approvals(request: DeskRequest) -> HttpResponse:
    """What was agreed beyond somebody's authority, and write-offs that wait for a second pair of eyes."""
    return render(
        request, "supervise/approvals.html", {"waiting": waiting_for.waiting(request.user, at=timezone.now())}
    )


@may(rights.Act.APPROVE)
@require_POST
def decide_plan(request: DeskRequest, plan: str) -> HttpResponse:
    """Approve or decline a plan that waits, and those agreed as one with it."""
    found = get_object_or_404(Plan.objects.filter(account__in=rights.visible_accounts(request.user)), ref=plan)
    return _decide(request, plans.decide, words=(_("Plan approved."), _("Plan declined.")), plan_id=found.pk)


@may(rights.Act.APPROVE)
@require_POST
def decide_extension(request: DeskRequest, extension: str) -> HttpResponse:
    """Approve or decline time to pay that waits."""
    seen = Extension.objects.filter(account__in=rights.visible_accounts(request.user))
    found = get_object_or_404(seen, ref=extension)
    words = (_("Time to pay approved."), _("Time to pay declined."))
    return _decide(request, extensions.decide, words=words, extension_id=found.pk)


@may(rights.Act.APPROVE)
@require_POST
def decide_settlement(request: DeskRequest, settlement: str) -> HttpResponse:
    """Give one's word for a settlement that waits, or against it."""
    seen = Settlement.objects.filter(account__in=rights.visible_accounts(request.user))
    found = get_object_or_404(seen, ref=settlement)
    words = (_("You agreed to the settlement."), _("Settlement declined."))
    return _decide(request, settlements.decide, words=words, settlement_id=found.pk)


def _decide(request: DeskRequest, act: Callable[..., Any], *, words: tuple[str, str], **named: int) -> HttpResponse:
    approve = request.POST.get("decision") == "approve"
    at = timezone.now()
    try:
        reason = card_numbers.without_cards(request.POST.get("reason", "").strip()[:200])
        act(**named, approve=approve, reason=reason, agent=request.user, as_of=business_date(at=at), at=at)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, words[0] if approve else words[1])
    return redirect("approvals")


@may(rights.Act.APPROVE)
@require_POST
def decide_write_off(request: DeskRequest, pk: int) -> HttpResponse:
    """Write off what is open on an account, or leave it with the desk."""
    item = get_object_or_404(
        WorkItem.objects.filter(account__in=rights.visible_accounts(request.user)).select_related("account"),
        pk=pk,
        kind=WorkItem.Kind.APPROVAL,
        done_at=None,
    )
    approve = request.POST.get("decision") == "approve"
    at = timezone.now()
    try:
        write_offs.decide(
            item_id=item.pk,
            approve=approve,
            reason=request.POST.get("reason", ""),
            agent=request.user,
            as_of=business_date(at=at),
            at=at,
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{item.account.ref} {'written off' if approve else 'stays with the desk'}.")
    return redirect("approvals")
