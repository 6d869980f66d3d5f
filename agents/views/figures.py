"""The figures of a day: all of them in one scope, the trend of one, the accounts behind a number, and files of each.

The address says everything a page shows, so that it can be sent to somebody else; what cannot be read in it, or is
not theirs to see, is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import money
from accounts.business_day import business_date
from accounts.models import Account
from accounts.refusals import Refused
from agents import drilling, kpi_files, kpis, reporting, restating, rights, scopes, snapshots, targets
from agents.drilling import Behind
from agents.kpi_files import Cell, Column, Sheet
from agents.models import Snapshot
from agents.reporting import Report
from agents.scopes import EVERYTHING, Allowed, Scope
from agents.snapshots import Kept
from agents.views.session import DeskRequest, may

P = ParamSpec("P")

#: Length of period where the address names none.
DAYS = 30
ROWS = 50
RECORDED, KNOWN = "recorded", "known"


class _Unreadable(Refused):
    """The address asks for what cannot be."""

    code = "invalid"


@dataclass(frozen=True)
class Question:
    """What the address asks for."""

    as_of: date
    days: int
    currency: str
    scope: Scope
    view: str

    def address(self, **changed: Any) -> str:
        """The query string that asks the same, with something changed."""
        asked = replace(self, **changed)
        return urlencode(
            {
                "as_of": asked.as_of.isoformat(),
                "days": asked.days,
                "currency": asked.currency,
                "scope": str(asked.scope),
                "view": asked.view,
            }
        )


@dataclass(frozen=True)
class _Asked:
    """A question that may be asked, by whom and when, and what is recorded of its day."""

    question: Question
    at: datetime
    today: date
    allowed: Allowed
    kept: list[Kept]
    #: Whether the address said all of it.
    whole: bool


def _asks(view: Callable[Concatenate[DeskRequest, _Asked, P], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Reads the address first: 400 with a sentence for what cannot be read, 404 for what is not there for them."""

    @wraps(view)
    def asking(request: DeskRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        allowed = scopes.allowed(request.user)
        if not allowed:
            raise PermissionDenied
        try:
            return view(request, _read(request, allowed), *args, **kwargs)
        except (_Unreadable, kpis.CannotCompute, drilling.CannotDrill) as refusal:
            return render(request, "supervise/figures_refused.html", {"why": str(refusal)}, status=400)

    return asking


def _read(request: DeskRequest, allowed: Allowed) -> _Asked:
    """The question of the address or form. Raises ``_Unreadable``, and ``Http404`` for a scope that is not theirs."""
    given = request.POST if request.method == "POST" else request.GET
    at = timezone.now()
    today = business_date(at=at)
    as_of = _day(given.get("as_of", ""), today) or snapshots.last_recorded(until=today) or today
    days = _length(given.get("days", ""))
    scope = _scope(given.get("scope", ""), allowed, request)
    kept = [one for one in snapshots.kept(as_of=as_of) if allowed.covers(one.scope)]
    there = scope in {one.scope for one in kept}
    if scope != EVERYTHING and kept and not there and not snapshots.is_let_go(as_of=as_of, scope=scope):
        raise Http404
    view = given.get("view", "") or (RECORDED if any(not one.restated for one in kept) else KNOWN)
    if view not in (RECORDED, KNOWN):
        raise _Unreadable(_("Figures are shown as recorded or as known now."))
    currency = _currency(given.get("currency", ""), kept)
    whole = all(name in given for name in ("as_of", "days", "currency", "scope", "view"))
    return _Asked(Question(as_of, days, currency, scope, view), at, today, allowed, kept, whole)


def _day(typed: str, today: date) -> date | None:
    if not typed:
        return None
    try:
        day = date.fromisoformat(typed)
    except ValueError as slip:
        raise _Unreadable(_("Write a day as 2026-01-31.")) from slip
    if not EARLIEST <= day <= today:
        raise _Unreadable(_("A day lies between %(first)s and %(last)s.") % {"first": EARLIEST, "last": today})
    return day


#: Nothing of a desk is older.
EARLIEST = date(2000, 1, 1)


def _length(typed: str) -> int:
    if not typed:
        return DAYS
    if not (typed.isascii() and typed.isdecimal() and len(typed) <= 5 and 1 <= int(typed) <= kpis.LONGEST_PERIOD):
        raise _Unreadable(_("A period has 1 to %(most)s days.") % {"most": kpis.LONGEST_PERIOD})
    return int(typed)


def _scope(typed: str, allowed: Allowed, request: DeskRequest) -> Scope:
    """The scope of the address; without one the widest that is theirs."""
    if not typed:
        if allowed.everything or request.user.team is None:
            return EVERYTHING
        return Scope(Snapshot.Dimension.TEAM, request.user.team.name)
    scope = scopes.named(typed)
    if scope is None:
        raise _Unreadable(_("A scope is written as all, or as team:North."))
    if not allowed.covers(scope):
        raise Http404
    return scope


def _currency(typed: str, kept: list[Kept]) -> str:
    """The currency of the address; without one, that of which the most is recorded, else the first of the book."""
    records = Counter(one.currency for one in kept)
    recorded = sorted(records)
    if not typed:
        if recorded:
            return max(recorded, key=records.__getitem__)
        return Account.objects.order_by("currency").values_list("currency", flat=True).first() or ""
    try:
        money.exponent(typed)
    except money.UnknownCurrency as unknown:
        raise _Unreadable(f"{unknown}.") from unknown
    if recorded and typed not in recorded:
        raise Http404
    return typed


# The page -------------------------------------------------------------------------------------------------------------


@may(rights.Act.SEE_KPIS)
@require_safe
@_asks
def figures_page(request: DeskRequest, asked: _Asked) -> HttpResponse:
    """Every figure of a scope, and the pictures. An address that leaves something open is completed first."""
    if not asked.whole:
        return redirect(f"{reverse('figures')}?{asked.question.address()}")
    report = _answer(asked)
    context = _choosers(asked) | {
        "report": report,
        "computing": restating.progress(as_of=asked.question.as_of, days=asked.question.days),
        "missing": _missing(asked) if report is None else "",
    }
    if report is not None:
        context["charts"] = reporting.charts(report)
        context["costs"] = (
            [(name, report.pictures["cost"].extra.get(code)) for code, name in reporting.COSTS.items()]
            if ("cost" in report.pictures)
            else []
        )
    return render(request, "supervise/figures.html", context)


def _answer(asked: _Asked) -> Report | None:
    """The report: from the records, or computed at once for a small book; none where it is not there."""
    question = asked.question
    named: dict[str, Any] = {"days": question.days, "currency": question.currency, "scope": question.scope}
    as_recorded = question.view == RECORDED
    at_once = not as_recorded and _is_small()
    pair = snapshots.pair(as_of=question.as_of, as_recorded=as_recorded, **named)
    if pair.now is None and not at_once:
        return None
    trend = snapshots.series(until=question.as_of, **named)
    aims = targets.in_force(as_of=question.as_of, scope=question.scope)
    if at_once or pair.now is None:
        figures = kpis.compute(
            as_of=question.as_of,
            days=question.days,
            currency=question.currency or None,
            business_date=asked.today,
            scope=question.scope,
            pictures=True,
        )
        return reporting.of_figures(
            figures, scope=question.scope, at=asked.at, before=pair.before, trend=trend, aims=aims
        )
    return reporting.of_snapshot(pair.now, before=pair.before, trend=trend, aims=aims)


def _is_small() -> bool:
    """Whether the book is small enough to be counted while somebody waits."""
    most = settings.DESK_FIGURES_AT_ONCE
    return Account.objects.order_by()[: most + 1].count() <= most


def _choosers(asked: _Asked) -> dict[str, Any]:
    """What can be chosen beside what is shown; each choice is an address."""
    question = asked.question
    of_view = [one for one in asked.kept if question.view == KNOWN or not one.restated]
    by_dimension: dict[str, list[Scope]] = {}
    for scope in sorted({one.scope for one in asked.kept} | {question.scope}, key=lambda scope: scope.member):
        by_dimension.setdefault(scope.dimension, []).append(scope)
    return {
        "question": question,
        "here": question.address(),
        "lengths": [(days, question.address(days=days)) for days in snapshots.WINDOWS],
        "recorded_lengths": sorted({one.days for one in of_view}),
        "currencies": sorted({one.currency for one in asked.kept} | {question.currency}),
        "dimensions": [
            (dimension, label, by_dimension[dimension])
            for dimension, label in Snapshot.Dimension.choices
            if dimension in by_dimension
        ],
        "earlier": question.address(as_of=question.as_of - timedelta(days=1)),
        "later": question.address(as_of=question.as_of + timedelta(days=1)) if question.as_of < asked.today else "",
        "other_view": question.address(view=KNOWN if question.view == RECORDED else RECORDED),
        "today": asked.today,
        "standard": question.days in snapshots.WINDOWS,
    }


def _missing(asked: _Asked) -> str:
    """Why there is nothing to show, in a sentence."""
    question = asked.question
    if snapshots.is_let_go(as_of=question.as_of, scope=question.scope):
        return _(
            "Figures of parts of the book are kept for %(days)s days, then those of the last day of each month: there "
            "are none of this day."
        ) % {"days": settings.DESK_FIGURES_KEPT_DAYS}
    if question.view == KNOWN:
        return _("These figures have not been computed yet.")
    lengths = sorted({one.days for one in asked.kept if not one.restated})
    if lengths and question.days not in lengths:
        return _("Of this day %(lengths)s days are recorded, not %(days)s.") % {
            "lengths": ", ".join(str(days) for days in lengths),
            "days": question.days,
        }
    return _("Nothing was recorded at the close of this day.")


# Computing what is not recorded ---------------------------------------------------------------------------------------


@may(rights.Act.SEE_KPIS)
@require_POST
@_asks
def compute_figures(request: DeskRequest, asked: _Asked) -> HttpResponse:
    """Ask a worker for the day and length, as known now; the page says how far it is."""
    question = asked.question
    if not restating.ask(as_of=question.as_of, days=question.days):
        messages.error(request, _("No worker could be reached: try again in a while."))
    return redirect(f"{reverse('figures')}?{question.address(view=KNOWN)}")


@may(rights.Act.SEE_KPIS)
@require_safe
@_asks
def computing(request: DeskRequest, asked: _Asked) -> HttpResponse:
    """How far a computation is; the page is shown again once it is done."""
    progress = restating.progress(as_of=asked.question.as_of, days=asked.question.days)
    if progress is None:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(
        request, "supervise/_figures_computing.html", {"computing": progress, "here": asked.question.address()}
    )


# One figure, day by day -----------------------------------------------------------------------------------------------


@may(rights.Act.SEE_KPIS)
@require_safe
@_asks
def trend(request: DeskRequest, asked: _Asked, kpi: str) -> HttpResponse:
    """One figure as it was recorded day by day, as a line and a table. Raises ``Http404`` for one there is not."""
    report = _answer(asked)
    line = next((line for line in report.lines if line.key == kpi), None) if report is not None else None
    if line is None:
        raise Http404
    chart = reporting.trend_chart(line)
    context = {
        "question": asked.question,
        "here": asked.question.address(),
        "line": line,
        "report": report,
        "charts": {"currency": asked.question.currency, "charts": {"trend-chart": chart} if line.points else {}},
    }
    return render(request, "supervise/figures_trend.html", context)


# The accounts behind a number -----------------------------------------------------------------------------------------


@may(rights.Act.SEE_KPIS)
@require_safe
@_asks
def accounts_behind(request: DeskRequest, asked: _Asked, behind: str) -> HttpResponse:
    """The accounts behind a number, as known now, page by page; no names, each linked to its page."""
    found = _behind(request, asked, behind)
    page = Paginator(found.accounts, ROWS).get_page(request.GET.get("page"))
    context = {
        "question": asked.question,
        "here": asked.question.address(),
        "found": found,
        "beside": drilling.beside(behind),
        "page": page,
        "today": asked.today,
        "opens": rights.may(request.user, rights.Act.WORK),
    }
    return render(request, "supervise/figures_accounts.html", context)


def _behind(request: DeskRequest, asked: _Asked, behind: str) -> Behind:
    """What stands behind a number, on the person's side of the team wall. Raises ``Http404`` for one there is not."""
    question = asked.question
    if behind not in drilling.DRILLS:
        raise Http404
    return drilling.accounts(
        behind,
        as_of=question.as_of,
        days=question.days,
        currency=question.currency,
        scope=question.scope,
        business_date=asked.today,
        seen=rights.visible_accounts(request.user),
    )


# Files ----------------------------------------------------------------------------------------------------------------

_FILES = ("csv", "xlsx")


@may(rights.Act.SEE_KPIS)
@require_safe
@_asks
def figures_file(request: DeskRequest, asked: _Asked, kind: str) -> HttpResponseBase:
    """The page as a file: as CSV its figures, as XLSX the pictures' tables too."""
    report = _answer(asked) if kind in _FILES else None
    if report is None:
        raise Http404
    name = f"figures-{report.as_of}-{report.days}d-{report.currency}".lower()
    if kind == "csv":
        return _csv(name, reporting.figures_sheet(report))
    return _xlsx(name, reporting.sheets(report))


@may(rights.Act.SEE_KPIS)
@require_safe
@_asks
def accounts_file(request: DeskRequest, asked: _Asked, behind: str, kind: str) -> HttpResponseBase:
    """The accounts behind a number as a file: references and amounts, no names."""
    if kind not in _FILES:
        raise Http404
    found = _behind(request, asked, behind)
    question = asked.question
    columns = [
        Column("account_id"), Column(found.column, found.kind), Column("overdue_now", "amount"),
        Column("days_past_due_now", "number"), Column("status"), Column("segment"), Column("product"),
        Column("currency"),
    ]  # fmt: skip
    sheet = Sheet(behind, columns, _account_rows(found, asked.today), question.currency)
    name = f"{behind}-{question.as_of}-{question.days}d-{question.currency}".lower()
    return _csv(name, sheet) if kind == "csv" else _xlsx(name, [sheet])


def _account_rows(found: Behind, today: date) -> Iterator[list[Cell]]:
    columns = ("ref", "behind", "overdue", "oldest_due_on", "status", "segment", "product", "currency")
    for ref, behind, overdue, oldest, *more in found.accounts.values_list(*columns).iterator(chunk_size=2_000):
        yield [ref, behind, overdue, max((today - oldest).days, 0) if oldest else 0, *more]


def _csv(name: str, sheet: Sheet) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        kpi_files.as_csv(sheet),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def _xlsx(name: str, sheets: Iterable[Sheet]) -> FileResponse:
    return FileResponse(kpi_files.as_xlsx(sheets), as_attachment=True, filename=f"{name}.xlsx", content_type=_XLSX)


_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
