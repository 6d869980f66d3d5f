"""The customer's page in the browser. It needs no script, and shows nothing before the question is answered."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.business_day import business_date
from accounts.models import Account
from agents import complaints, satisfaction
from collections_desk.portal import asking, reaching, second_factor, telling
from collections_desk.portal.page import owed
from collections_desk.portal.second_factor import Factor
from collections_desk.portal.texts import LANGUAGES, Words, load, words_for
from dunning.composing import account_ref_of

View = Callable[..., HttpResponse]


def private(view: View) -> View:
    """Finds the account of the token, or says that the link is none; nothing is cached, indexed or passed on.

    Django's CSRF check reads the Origin, which a page without a referrer does not send: the first form needs no session
    to protect, and the others carry the visit's own ticket.
    """

    @wraps(view)
    def shown(request: HttpRequest, token: str) -> HttpResponse:
        account = _account(token)
        if account is None:
            response = face(request, words_for(request), "lost", status=404)
        else:
            response = view(request, token, account, words_for(request, account.customer.language))
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return never_cache(csrf_exempt(shown))


@private
@require_http_methods(["GET", "HEAD", "POST"])
def customer_page(request: HttpRequest, token: str, account: Account, words: Words) -> HttpResponse:
    """The question, its answer, and behind it what is owed."""
    at = timezone.now()
    if second_factor.is_in(request.session, account, at=at):
        return _show(request, token, account, words, at=at)
    factor = second_factor.factor_of(account.customer)
    if factor is None:
        return face(request, words, "unknown")
    if until := second_factor.shut_until(account, at=at):
        return _shut(request, account, words, until)
    if request.method != "POST":
        problem = words["expired"] if second_factor.was_in(request.session) else ""
        return _ask(request, words, factor, problem=problem)
    answer = second_factor.answer_in(factor, request.POST.dict())
    if answer is None:
        return _ask(request, words, factor, problem=words["incomplete"], wrong=True)
    if second_factor.judge(account, factor, answer, at=at):
        second_factor.let_in(request.session, account, at=at)
        as_of = business_date(at=at)
        asking.opened(account, as_of=as_of, at=at)
        satisfaction.ask_about_agreement(account_id=account.pk, as_of=as_of, at=at)
        return _back(request, token)
    if until := second_factor.shut_until(account, at=at):
        return _shut(request, account, words, until)
    left = second_factor.tries_left(account, at=at)
    problem = words["wrong_last"] if left == 1 else words.say("wrong", left=left)
    return _ask(request, words, factor, problem=problem, wrong=True)


@private
@require_POST
def paid(request: HttpRequest, token: str, account: Account, words: Words) -> HttpResponse:
    """The customer says that the money is on its way."""
    at = timezone.now()
    as_of = business_date(at=at)
    if _may_post(request, account, at) and owed(account, words, as_of=as_of, at=at).may_say_paid:
        with suppress(asking.CannotSayPaid):  # the page says since when
            asking.say_paid(account, as_of=as_of, at=at)
    return _back(request, token, "#paid")


@private
@require_POST
def help_wanted(request: HttpRequest, token: str, account: Account, words: Words) -> HttpResponse:
    """The customer wants to talk to a person."""
    at = timezone.now()
    reason = request.POST.get("reason", "")
    if _may_post(request, account, at) and reason in asking.REASONS:
        asking.ask_for_a_call(account, reason, as_of=business_date(at=at), at=at)
    return _back(request, token, "#help")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest, token: str, account: Account, words: Words) -> HttpResponse:
    """How, when and in which language the customer wants to hear from us; behind the same question."""
    at = timezone.now()
    as_of = business_date(at=at)
    if not second_factor.is_in(request.session, account, at=at):
        return _back(request, token)
    if request.method != "POST":
        return _show_contact(request, token, account, words, at=at)
    if not _may_post(request, account, at):
        return _back(request, token)
    if "stop" in request.POST:
        reaching.stop_all(account, as_of=as_of, at=at)
    elif "remove" in request.POST:
        reaching.remove_time(account, request.POST["remove"], as_of=as_of, at=at)
    else:
        try:
            reaching.choose(account, request.POST, as_of=as_of, at=at)
        except reaching.CannotChoose:
            return _show_contact(request, token, account, words, at=at, problem=words["reach_problem"], status=422)
    lang = f"&lang={words.language}" if request.GET.get("lang") in LANGUAGES else ""
    response = HttpResponseRedirect(reverse("pay_contact", args=[token]) + f"?saved=1{lang}")
    response.status_code = 303
    return response


@private
@require_POST
def complaint(request: HttpRequest, token: str, account: Account, words: Words) -> HttpResponse:
    """The customer is not content with us."""
    at = timezone.now()
    if _may_post(request, account, at):
        try:
            telling.complain(account, request.POST.dict(), as_of=business_date(at=at), at=at)
        except telling.CannotTell as refusal:
            if refusal.code == "invalid":
                return _show(request, token, account, words, at=at, problem=words["complaint_problem"], status=422)
    return _back(request, token, "#complaint")


@private
@require_http_methods(["GET", "HEAD", "POST"])
def feedback(request: HttpRequest, token: str, account: Account, words: Words) -> HttpResponse:
    """How the customer was treated: one question, for whoever has the link. It shows nothing of the account."""
    at = timezone.now()
    survey = satisfaction.open_for(account, at=at)
    if survey is None:
        thanks = satisfaction.answered_lately(account, at=at)
        return face(request, words, "feedback_done", thanks=thanks, account_address=_address(request, token))
    problem = ""
    if request.method == "POST":
        try:
            telling.judge(survey, request.POST, account, as_of=business_date(at=at), at=at)
        except telling.CannotTell:
            problem = words["feedback_problem"]
        except satisfaction.CannotAnswer:  # twice at once: the first one stands
            pass
        if not problem:
            lang = f"?lang={words.language}" if request.GET.get("lang") in LANGUAGES else ""
            response = HttpResponseRedirect(reverse("pay_feedback", args=[token]) + lang)
            response.status_code = 303
            return response
    return face(
        request,
        words,
        "feedback",
        status=422 if problem else 200,
        question=words[f"feedback_about_{survey.about}"],
        scores=[(score, words[f"feedback_score_{score}"]) for score in telling.SCORES],
        why=[(code, words[f"feedback_why_{code}"]) for code in satisfaction.REASONS],
        given=request.POST,
        chosen=request.POST.getlist("reasons"),
        longest=satisfaction.LONGEST_COMMENT,
        problem=problem,
    )


@private
@require_POST
def leave(request: HttpRequest, token: str, account: Account, words: Words) -> HttpResponse:
    """Forget this browser."""
    if _may_post(request, account, timezone.now()):
        second_factor.let_out(request.session)
        return face(request, words, "closed", again=_address(request, token))
    return _back(request, token)


def _may_post(request: HttpRequest, account: Account, at: datetime) -> bool:
    return second_factor.is_in(request.session, account, at=at) and second_factor.has_ticket(
        request.session, request.POST.get("ticket", "")
    )


def _account(token: str) -> Account | None:
    try:
        ref = account_ref_of(token)
    except BadSignature:
        return None
    return Account.objects.select_related("customer").filter(ref=ref).first()


def _address(request: HttpRequest, token: str) -> str:
    lang = request.GET.get("lang", "")
    return reverse("pay", args=[token]) + (f"?lang={lang}" if lang in LANGUAGES else "")


def _back(request: HttpRequest, token: str, anchor: str = "") -> HttpResponse:
    response = HttpResponseRedirect(_address(request, token) + anchor)
    response.status_code = 303
    return response


def _ask(request: HttpRequest, words: Words, factor: Factor, *, problem: str = "", wrong: bool = False) -> HttpResponse:
    return face(request, words, "ask", status=422 if wrong else 200, factor=factor.value, problem=problem, wrong=wrong)


def _shut(request: HttpRequest, account: Account, words: Words, until: datetime) -> HttpResponse:
    zone = _zone(account.customer.timezone)
    text = words.say("shut", until=words.hour(until, zone), zone=zone.key.replace("_", " "))
    return face(request, words, "shut", status=429, text=text)


def _show(
    request: HttpRequest,
    token: str,
    account: Account,
    words: Words,
    *,
    at: datetime,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    lang = f"?lang={words.language}" if request.GET.get("lang") in LANGUAGES else ""
    as_of = business_date(at=at)
    return face(
        request,
        words,
        "owed",
        status=status,
        owed=owed(account, words, as_of=as_of, at=at),
        is_asked=satisfaction.open_for(account, at=at) is not None,
        complaints=telling.told_of(account, words, as_of=as_of),
        may_complain=telling.may_complain(account),
        categories=[(code, words[f"complaint_on_{code}"]) for code in complaints.CATEGORIES],
        given=request.POST,
        longest=complaints.LONGEST_TEXT,
        problem=problem,
        complaint_address=reverse("pay_complaint", args=[token]) + lang,
        feedback_address=reverse("pay_feedback", args=[token]) + lang,
        reasons=[(code, words[f"help_{code}"]) for code in asking.REASONS],
        ticket=second_factor.ticket(request.session),
        paid_address=reverse("pay_paid", args=[token]) + lang,
        help_address=reverse("pay_help", args=[token]) + lang,
        contact_address=reverse("pay_contact", args=[token]) + lang,
        leave_address=reverse("pay_leave", args=[token]) + lang,
    )


def _show_contact(
    request: HttpRequest,
    token: str,
    account: Account,
    words: Words,
    *,
    at: datetime,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    lang = f"?lang={words.language}" if request.GET.get("lang") in LANGUAGES else ""
    return face(
        request,
        words,
        "contact",
        status=status,
        reach=reaching.reach(account, words, at=at),
        ticket=second_factor.ticket(request.session),
        contact_address=reverse("pay_contact", args=[token]) + lang,
        account_address=_address(request, token),
        leave_address=reverse("pay_leave", args=[token]) + lang,
        saved="saved" in request.GET and not problem,
        problem=problem,
    )


def face(request: HttpRequest, words: Words, name: str, *, status: int = 200, **shown: Any) -> HttpResponse:
    """One of the page's faces; none of them needs a login, and none shows whose it is unless ``shown`` does."""
    operator = settings.DESK_OPERATOR
    context = {
        "words": words,
        "operator": operator,
        "phone_address": "".join(sign for sign in operator["phone"] if sign.isdigit() or sign == "+"),
        "title": words.say("title", operator=operator["name"]),
        "why": words.say("verify_why", operator=operator["name"]),
        "languages": [(code, load(code)["language_name"].template) for code in LANGUAGES],
        **shown,
    }
    return render(request, f"portal/{name}.html", context, status=status)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or settings.DESK_TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(settings.DESK_TIME_ZONE)
