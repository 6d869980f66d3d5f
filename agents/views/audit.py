"""The audit trail: searched, taken out as a file, its head given out; and the file of one account."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_POST, require_safe

from accounts import audit_heads, events
from accounts.business_day import business_date
from accounts.journals import harmless
from accounts.models import Account, SealedHead
from accounts.refusals import Refused
from agents import account_file, audit_search, kinds, rights
from agents.audit_search import Line, Search
from agents.forms import AuditFilter
from agents.views.session import DeskRequest, may
from dunning.gate.packs import shipped

EVENTS = 100
#: Heads shown beside the search: the last that were given out.
HEADS = 5

COLUMNS = (
    "number", "at", "on", "account_id", "kind", "title", "actor", "policy", "step", "reason", "rules", "facts", "seal",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Question:
    form: AuditFilter
    search: Search
    #: Why nothing can be shown, where nothing can.
    fault: str
    address: str


@may(rights.Act.SEE_AUDIT)
@require_safe
def trail(request: DeskRequest) -> HttpResponse:
    """The whole history, searched; the address is the search, and brings it back."""
    return _page(request, None)


@may(rights.Act.SEE_AUDIT)
@require_safe
def of_account(request: DeskRequest, ref: str) -> HttpResponse:
    """Every event of an account, with who or what was behind it and whether it is sealed."""
    return _page(request, _account(request, ref))


def _page(request: DeskRequest, account: Account | None) -> HttpResponse:
    seen = audit_search.seen_by(request.user)
    known = audit_search.chain()
    question = _asked(request, account)
    after = audit_search.read_cursor(request.GET.get("after", ""))
    found = (
        audit_search.Page([], None)
        if question.fault
        else audit_search.page(question.search, known=known, seen=seen, after=after, size=EVENTS)
    )
    return render(
        request,
        "supervise/audit.html",
        {
            "account": account,
            "form": question.form,
            "fault": question.fault,
            "rows": found.lines,
            "after": str(found.after) if found.after else "",
            "begun_behind": after is not None,
            "address": question.address,
            "chain": known,
            "families": audit_search.families(known.kinds),
            "chosen": question.search.kind,
            "policies": known.policies,
            "rules": _rules(),
            "heads": [] if account else _heads(),
        },
    )


@may(rights.Act.SEE_AUDIT)
@require_safe
def trail_file(request: DeskRequest) -> HttpResponse:
    """Everything that a search finds, as CSV; sent while it is read. Who took it out is remembered."""
    question = _asked(request, None)
    if question.fault:
        messages.error(request, question.fault)
        return redirect(f"{reverse('trail')}?{question.address}")
    at = timezone.now()
    events.record(
        account_id=question.search.account_id,
        kind=kinds.TRAIL_TAKEN_OUT,
        actor=rights.actor(request.user),
        at=at,
        on=business_date(at=at),
        payload={name: value for name, value in asdict(question.search).items() if value and name != "account_id"},
    )
    rows = _cells(question.search, audit_search.seen_by(request.user))
    writer = csv.writer(_Echo())
    answer = StreamingHttpResponse(map(writer.writerow, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="audit-{at:%Y-%m-%d}.csv"'
    return cast(HttpResponse, answer)  # one that streams has no type in common with the others but their base


@may(rights.Act.SEE_AUDIT)
@require_POST
def give_out_head(request: DeskRequest) -> HttpResponse:
    """Seal what was written, and hand over the signed head of the chain."""
    try:
        head = audit_heads.give_out(by=rights.actor(request.user), at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("trail")
    return _text(audit_heads.text(head), f"head-{head.given_at:%Y-%m-%d}-{head.pk}.txt")


@may(rights.Act.SEE_AUDIT)
@require_safe
def head_again(request: DeskRequest, pk: int) -> HttpResponse:
    """A head as it was given out then."""
    head = get_object_or_404(_all_heads(), pk=pk)
    return _text(audit_heads.text(head), f"head-{head.given_at:%Y-%m-%d}-{head.pk}.txt")


@may(rights.Act.SEE_AUDIT)
@require_safe
def public_key(request: DeskRequest) -> HttpResponse:
    """The key that checks what is given out here."""
    try:
        pem = audit_heads.public_text()
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("trail")
    return _text(pem, "audit-key.pem")


@may(rights.Act.SEE_AUDIT)
@require_POST
def account_file_out(request: DeskRequest, ref: str) -> HttpResponse:
    """Everything about an account, for a regulator or a court. Who took it out is remembered, in the file too."""
    account = _account(request, ref)
    form = "pdf" if request.POST.get("form") == "pdf" else "json"
    try:
        file = account_file.take_out(
            account,
            by=rights.actor(request.user),
            at=timezone.now(),
            form=form,
            with_support=rights.may(request.user, rights.Act.SEE_SUPPORT),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("audit", ref)
    told = account_file.pdf(file) if form == "pdf" else account_file.as_json(file)
    answer = HttpResponse(told, content_type=f"application/{form}")
    answer["Content-Disposition"] = f'attachment; filename="account-{_plain(account.ref)}.{form}"'
    answer["Cache-Control"] = "no-store, private"
    return answer


def _account(request: DeskRequest, ref: str) -> Account:
    """An account on the person's side of the team wall; 404 for any other."""
    return get_object_or_404(rights.visible_accounts(request.user).select_related("customer", "parent"), ref=ref)


def _asked(request: DeskRequest, account: Account | None) -> _Question:
    """What the address asks for; an account that the person may not see is one that is not there."""
    form = AuditFilter(request.GET)
    fault = ""
    if not form.is_valid():
        fault = next(str(error) for errors in form.errors.values() for error in errors)
    given: dict[str, Any] = form.cleaned_data
    ref = "" if account else given.get("account", "")
    account_id = account.pk if account else None
    if ref:
        found = rights.visible_accounts(request.user).filter(ref=ref).values_list("pk", flat=True).first()
        account_id = found
        if found is None:
            fault = fault or _("There is no account %(ref)s.") % {"ref": ref}
    wanted = {name: given.get(name) or empty for name, empty in _EMPTY.items()}
    asked = {"account": ref} | {name: value for name, value in wanted.items() if value}
    return _Question(
        form, Search(account_id=account_id, **wanted), fault, urlencode({k: v for k, v in asked.items() if v})
    )


#: What is searched for beside the account, and what stands for everything.
_EMPTY: dict[str, Any] = {"actor": "", "kind": "", "policy": "", "rule": "", "first": None, "last": None}


def _heads() -> list[SealedHead]:
    return list(_all_heads().order_by("-pk")[:HEADS])


def _all_heads() -> QuerySet[SealedHead]:
    return SealedHead.objects.select_related("seal").defer("seal__event_ids", "seal__digests")


def _rules() -> list[str]:
    """The rules that ship, to choose from."""
    return sorted({rule.id for pack in shipped().values() for rule in pack.rules})


class _Echo:
    """A file that gives back what is written to it: the answer takes it from there."""

    def write(self, text: str) -> str:
        return text


def _cells(search: Search, seen: QuerySet[Account] | None) -> Iterator[list[str]]:
    """The header and a row for each line, in English, as everything that is kept."""
    yield list(COLUMNS)
    found = audit_search.lines(search, known=audit_search.chain(), seen=seen)
    while True:
        with override("en"):
            line = next(found, None)
        if line is None:
            return
        yield _cell(line)


def _cell(line: Line) -> list[str]:
    columns = (
        line.key, _moment(line.at), line.on.isoformat(), line.account, line.kind, line.title, line.actor,
        line.doer.policy, line.doer.step, line.reason, " ".join(line.rules),
        json.dumps(line.payload, ensure_ascii=False), str(line.seal or ""),
    )  # fmt: skip
    return [harmless(column) for column in columns]


def _moment(at: datetime) -> str:
    return at.isoformat()


def _text(text: str, name: str) -> HttpResponse:
    answer = HttpResponse(text, content_type="text/plain; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _plain(ref: str) -> str:
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in ref)
