"""What the checks of words found: listed, judged with one key; and an agent's own, looked at again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.business_day import business_date
from agents import findings, rights, word_checks
from agents.finding_forms import FindingFilter
from agents.findings import CannotJudge
from agents.models import Finding
from agents.views.session import DeskRequest, may

ROWS = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One finding of the list, in words."""

    finding: Finding
    title: str
    why: str
    #: Of a text: how many got it.
    copies: int
    #: What was found in one's own words is for somebody else to judge.
    is_own: bool


@may(rights.Act.REVIEW)
@require_safe
def finding_list(request: DeskRequest) -> HttpResponse:
    """Every finding that the user may read, as asked for; beside it how often each check was right."""
    about = word_checks.words_about()
    all_of_them = findings.visible(request.user)
    found = findings.choices(all_of_them)
    narrowed = FindingFilter(request.GET, found=found, checks=findings.titles(found.checks, about))
    wanted = narrowed.wanted()
    rows = findings.shown(request.user, **wanted)
    page = Paginator(rows, ROWS).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    context: dict[str, Any] = {
        "page": page,
        "rows": [_row(finding, about, request) for finding in page.object_list],
        "counts": findings.counted(rows),
        "narrowed": narrowed,
        "is_narrowed": bool(wanted),
        "kept": query.urlencode(),
        "precision": [(about.get(one.check, (one.check, ""))[0], one) for one in findings.precision(rows)],
        "tab": "findings",
    }
    return render(request, "supervise/quality/findings.html", context)


def _row(finding: Finding, about: Any, request: DeskRequest) -> Row:
    title, why = about.get(finding.check_code, (finding.check_code, ""))
    text = getattr(finding.notice, "checked_text", None) if finding.notice is not None else None
    return Row(finding, title, why, text.copies if text is not None else 0, finding.agent_id == request.user.pk)


@may(rights.Act.REVIEW)
@require_POST
def judge(request: DeskRequest, pk: int) -> HttpResponse:
    """Right or wrong. Raises ``Http404`` for a finding that the user may not read."""
    at = timezone.now()
    try:
        finding = findings.judge(
            finding_id=pk,
            verdict=request.POST.get("verdict", ""),
            user=request.user,
            as_of=business_date(at=at),
            at=at,
        )
    except CannotJudge as refusal:
        if refusal.code == "not_found":
            raise Http404(str(refusal)) from refusal
        if refusal.code == "forbidden":
            raise PermissionDenied(str(refusal)) from refusal
        return HttpResponse(str(refusal), status=422)
    if request.htmx:
        shown = findings.shown(request.user).get(pk=finding.pk)
        row = _row(shown, word_checks.words_about(), request)
        return render(request, "supervise/quality/findings_row.html", {"row": row})
    messages.success(request, _("Noted."))
    return redirect(f"/supervise/quality/findings/?{request.POST.get('back', '')[:400]}".rstrip("?"))


@may(rights.Act.WORK)
@require_POST
def see(request: DeskRequest, pk: int) -> HttpResponse:
    """The agent has looked at what was found in their own words. Raises ``Http404`` for anybody else's."""
    try:
        findings.see(finding_id=pk, agent=request.user, at=timezone.now())
    except CannotJudge as refusal:
        raise Http404(str(refusal)) from refusal
    return redirect("day")
