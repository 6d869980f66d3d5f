"""What was given up and why: the figures, the lessons beside those that paid, the accounts, the file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import money
from accounts.business_day import business_date
from accounts.journals import harmless
from accounts.models import Account
from agents import lessons, post_mortem, rights
from agents.post_mortem import PostMortem, WrittenOff
from agents.views.session import DeskRequest, may

ROWS = 50
#: Months shown when nobody asked for others, the present one among them; and the longest period, in days.
MONTHS = 6
LONGEST_PERIOD = 3_660

COLUMNS = (
    "written_off_on", "account_id", "currency", "amount", "tax", "credited_since", "recovered_since", "net",
    "days_past_due", "segment", "product", "policy", "reason", "last_contact", "reachable_by", "findings",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Question:
    """What the address asks for; ``faults`` say what of it could not be read."""

    first: date
    last: date
    narrowed: dict[str, str]
    by: str
    key: str
    faults: list[str]

    def address(self, currency: str, **changed: str) -> str:
        """The query string of this page with something changed; nothing empty in it."""
        asked = {"from": self.first.isoformat(), "to": self.last.isoformat(), "currency": currency, **self.narrowed}
        asked |= {"by": self.by, "is": self.key} if self.by else {}
        return urlencode({name: value for name, value in (asked | changed).items() if value})


@may(rights.Act.SUPERVISE, whole_book=True)
@require_safe
def write_offs(request: DeskRequest) -> HttpResponse:
    """What was written off in a period, by everything it can be grouped by, and what would have had to be different."""
    question = _asked(request)
    currencies, report = _answer(request, question)
    context: dict[str, Any] = {"question": question, "currencies": currencies, "report": report}
    if report is not None:
        rows = post_mortem.shown(report.rows, by=question.by, key=question.key)
        page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
        whole = question.address(report.currency, by="", **{"is": ""})
        context |= {
            "page": page,
            "rows": _seen(request, list(page.object_list)),
            "only": post_mortem.label_of(report, by=question.by, key=question.key) if question.by else "",
            "whole": whole,
            "here": question.address(report.currency),
            "few": lessons.FEW,
            "largest_month": max((sums.amount for _month, sums in report.months), default=0),
        }
    return render(request, "agents/write_offs/write_offs.html", context)


@may(rights.Act.SUPERVISE, whole_book=True)
@require_safe
def write_offs_file(request: DeskRequest) -> HttpResponse:
    """The accounts of the list as CSV: references and findings, no names."""
    question = _asked(request)
    _currencies, report = _answer(request, question)
    name = f"write-offs-{question.first}-{question.last}.csv"
    answer = HttpResponse(
        content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
    writer = csv.writer(answer)
    writer.writerow(COLUMNS)
    if report is not None:
        rows = post_mortem.shown(report.rows, by=question.by, key=question.key)
        seen = set(rights.visible_accounts(request.user).filter(pk__in=_accounts(rows)).values_list("pk", flat=True))
        writer.writerows(_cells(row, report.currency) for row in rows if row.account_id in seen)
    return answer


def _asked(request: DeskRequest) -> _Question:
    """What the address says, with the last months up to the business date where it says nothing or nonsense."""
    today = business_date(at=timezone.now())
    earliest = date(today.year + (today.month - MONTHS) // 12, (today.month - MONTHS) % 12 + 1, 1)
    faults: list[str] = []
    first, last = (_day(request, name, otherwise, faults) for name, otherwise in (("from", earliest), ("to", today)))
    if last < first:
        faults.append("The period ends before it begins.")
    elif (last - first).days > LONGEST_PERIOD:
        faults.append(f"A period has up to {LONGEST_PERIOD} days.")
    if faults:
        first, last = earliest, today
    narrowed = {name: request.GET[name] for name in post_mortem.SHARED if request.GET.get(name)}
    by, key = request.GET.get("by", ""), request.GET.get("is", "")
    return _Question(first, last, narrowed, by if key else "", key if by else "", faults)


def _day(request: DeskRequest, name: str, otherwise: date, faults: list[str]) -> date:
    typed = request.GET.get(name, "")
    if not typed:
        return otherwise
    try:
        return date.fromisoformat(typed)
    except ValueError:
        faults.append(f"“{typed[:20]}” is not a date.")
        return otherwise


def _answer(request: DeskRequest, question: _Question) -> tuple[list[str], PostMortem | None]:
    """The currencies there are and the report in the one that is asked for; none where nothing was written off."""
    currencies = post_mortem.currencies(first=question.first, last=question.last)
    if not currencies:
        return currencies, None
    wanted = request.GET.get("currency", "")
    currency = wanted if wanted in currencies else currencies[0]
    return currencies, post_mortem.read(
        first=question.first, last=question.last, currency=currency, narrowed=question.narrowed
    )


def _accounts(rows: Sequence[WrittenOff]) -> list[int]:
    return [row.account_id for row in rows]


def _seen(request: DeskRequest, rows: Sequence[WrittenOff]) -> list[tuple[WrittenOff, Account]]:
    """Those of the page that the person may see, each with its account."""
    accounts = rights.visible_accounts(request.user).select_related("customer").in_bulk(_accounts(rows))
    return [(row, accounts[row.account_id]) for row in rows if row.account_id in accounts]


def _cells(row: WrittenOff, currency: str) -> list[str]:
    amounts = (row.amount, row.tax, row.credited, row.recovered, row.net)
    return [
        row.on.isoformat(),
        harmless(row.account_ref),
        currency,
        *(money.plain(amount, currency) for amount in amounts),
        str(row.days_past_due),
        *(harmless(row.keys[name]) for name in ("segment", "product", "policy", "reason", "contact", "reach")),
        harmless(" ".join(finding.words for finding in row.findings)),
    ]
