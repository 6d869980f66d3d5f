"""Signing in, where each person lands, and the theme they keep."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_htmx.middleware import HtmxDetails

from agents import lost_claims, paid_time, rights
from agents.forms import SignInForm
from agents.models import Agent

P = ParamSpec("P")
THEMES = frozenset({"", "light", "dark"})
DEMO_PEOPLE = (
    ("agent", "works the queue"),
    ("agent2", "works beside them"),
    ("supervisor", "watches and approves"),
    ("admin", "writes policies"),
)


class DeskRequest(HttpRequest):
    """A request of somebody who works here, as views behind ``may`` get it."""

    user: Agent
    htmx: HtmxDetails


View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
DeskView = Callable[Concatenate[DeskRequest, P], HttpResponseBase]


def may(act: rights.Act, *, whole_book: bool = False) -> Callable[[DeskView[P]], View[P]]:
    """Lets in whoever's role allows ``act``; visitors are sent to the login page, everybody else gets 403.

    ``whole_book``: what is shown is of every team, so somebody who is kept to one gets 403 too.
    """

    def decorate(view: DeskView[P]) -> View[P]:
        @login_required
        @wraps(view)
        def allowed(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not rights.may(request.user, act) or (whole_book and not rights.sees_all_teams(request.user)):
                raise PermissionDenied
            desk = cast(DeskRequest, request)
            if request.method == "GET" and not desk.htmx:
                _tell_of_lost_claims(desk)
            return view(desk, *args, **kwargs)

        return cast(View[P], allowed)

    return decorate


def _tell_of_lost_claims(request: DeskRequest) -> None:
    """Who took an account that the agent had in hand: said once, on the next page whatever it is."""
    for lost in lost_claims.take(request.user.pk):
        messages.warning(
            request,
            _("%(who)s took over %(account)s. What you had typed is kept with it.")
            % {"who": lost.taken_by, "account": lost.account_ref},
        )


class SignIn(auth_views.LoginView):
    """Paid time begins with it, for whoever works here."""

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        answer = super().form_valid(form)
        if rights.may(self.request.user, rights.Act.WORK):
            paid_time.seen(cast(Agent, self.request.user), timezone.now())
        return answer


class SignOut(auth_views.LogoutView):
    """Paid time ends with it."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            paid_time.leave(request.user, timezone.now())
        return super().post(request, *args, **kwargs)


def sign_in(request: HttpRequest) -> HttpResponseBase:
    """The login page; a demo shows its people and their password on it, nothing else ever does."""
    demo = bool(getattr(settings, "DESK_DEMO", False))
    return SignIn.as_view(
        authentication_form=SignInForm,
        redirect_authenticated_user=True,
        extra_context={
            "demo_people": DEMO_PEOPLE if demo else (),
            "demo_password": getattr(settings, "DESK_DEMO_PASSWORD", "") if demo else "",
        },
    )(request)


@login_required
@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """To the desk of whoever is logged in."""
    roles = rights.roles(request.user)
    if request.user.is_superuser or roles == {rights.ADMIN}:
        return redirect("admin:index")
    return redirect("supervise" if rights.SUPERVISOR in roles else "queue")


@may(rights.Act.WORK)
@require_POST
def theme(request: DeskRequest) -> HttpResponse:
    """Keep light, dark, or as the device says; answers 204 to a script and goes back for a form."""
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        request.user.theme = chosen
        request.user.save(update_fields=["theme"])
    if request.htmx:
        return HttpResponse(status=204)
    back = request.POST.get("back", "/")
    return redirect(back if url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}) else "/")
