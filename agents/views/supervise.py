"""What supervisors watch and decide: the figures, rejected rows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date
from accounts.importing import landing
from accounts.models import RejectedRow
from accounts.refusals import Refused
from agents import approvals as waiting_for
from agents import complaint_desk, dispute_desk, rights, today
from agents.forms import MendForm
from agents.views.session import DeskRequest, may
from dunning import asking

ROWS = 25
#: The longest of one column that a mended row may carry.
LONGEST_VALUE = 10_000


@may(rights.Act.SUPERVISE)
@require_safe
def desk(request: DeskRequest) -> HttpResponse:
    """The figures of today, one currency at a time; of the own team for somebody who is kept to it."""
    at = timezone.now()
    team = None if rights.sees_all_teams(request.user) else request.user.team
    if team is None and not rights.sees_all_teams(request.user):
        raise PermissionDenied
    figures = today.desk(as_of=business_date(at=at), at=at, team=team)
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
                "currency": money.currency,
                "charts": {
                    "buckets-chart": {
                        "kind": "bar",
                        "unit": "money",
                        "labels": [row.bucket for row in money.buckets],
                        "series": [{"label": _("Overdue"), "values": [float(row.amount) for row in money.buckets]}],
                    },
                    "collected-chart": {
                        "kind": "bar",
                        "stacked": True,
                        "unit": "money",
                        "days": [row.on.isoformat() for row in money.collected],
                        "series": [
                            {
                                "label": _("On open cases"),
                                "values": [float(row.in_collections) for row in money.collected],
                            },
                            {
                                "label": _("Other"),
                                "values": [float(row.received - row.in_collections) for row in money.collected],
                            },
                        ],
                    },
                },
            },
            "waiting": {
                "approvals": waiting_for.count(request.user),
                "rejected": RejectedRow.objects.filter(resolved_at=None).count(),
                "network": asking.attention(at=at),
                "late_disputes": dispute_desk.late_in_all(as_of=figures.as_of),
                "late_complaints": complaint_desk.late_in_all(as_of=figures.as_of),
            },
        }
    return render(request, "supervise/index.html", context)


@may(rights.Act.SUPERVISE, whole_book=True)
@require_safe
def rejected(request: DeskRequest) -> HttpResponse:
    """Rows that did not get in, oldest file line first."""
    waiting = RejectedRow.objects.filter(resolved_at=None).order_by("file", "line", "pk")
    page = Paginator(waiting, ROWS).get_page(request.GET.get("page"))
    rows = [(row, MendForm(row=_as_in_file(row), prefix=f"r{row.pk}")) for row in page.object_list]
    return render(request, "supervise/rejected.html", {"page": page, "rows": rows})


@may(rights.Act.SUPERVISE, whole_book=True)
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


@may(rights.Act.SUPERVISE, whole_book=True)
@require_POST
def run_again(request: DeskRequest) -> HttpResponse:
    """Run every waiting row again, for instance after the file it needed has come."""
    return _run_again(request)


@may(rights.Act.SUPERVISE, whole_book=True)
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
