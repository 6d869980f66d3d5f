"""The live floor of a supervisor: what goes on now, pushed as it changes; accounts moved, lists steered, teams told."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Generator, Mapping
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any

from django.contrib import messages
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.business_day import business_date
from accounts.position import BUCKETS
from accounts.refusals import Refused
from agents import bulk_steering, floor, once, priority, rights, steering, streams, team_messages, watching
from agents.bulk_steering import Act, Chosen, Wanted
from agents.floor import Floor, Sight
from agents.models import Agent, LiveCall, Team, WorkItem
from agents.queue_forms import ListForm, TeamMessageForm
from agents.views.session import DeskRequest, may
from dunning.models import Policy

log = logging.getLogger(__name__)

#: A stream ends by itself after so long; the browser opens another.
LASTS = timedelta(minutes=4)
#: While nothing changes, a line that says so goes out so often: then a browser that has gone is noticed.
STILL_HERE = timedelta(seconds=15)
#: Whoever found no room for a stream asks again after so many seconds, and polls meanwhile.
COME_AGAIN = 60
PARTS = ("people", "callbacks", "queue", "roads", "stuck", "said")

DOING: dict[str, tuple[str | Promise, str]] = {
    "talking": (gettext_lazy("On the phone"), "good"),
    "ringing": (gettext_lazy("Rings"), "info"),
    "wrap_up": (gettext_lazy("Writes down the call"), "info"),
    "account": (gettext_lazy("On an account"), ""),
    "free": (gettext_lazy("Between accounts"), ""),
    "break": (gettext_lazy("Break"), "plum"),
    "training": (gettext_lazy("Training"), "plum"),
    "meeting": (gettext_lazy("Meeting"), "plum"),
    "away": (gettext_lazy("Not seen"), ""),
}
ROADS = {
    "sms": gettext_lazy("SMS"),
    "email": gettext_lazy("E-mail"),
    "letter": gettext_lazy("Letter"),
    "in_app": gettext_lazy("In-app"),
    "voice": gettext_lazy("Voice"),
    "network": gettext_lazy("Network"),
}
ROAD_STATES = {
    "closed": gettext_lazy("Open"),
    "half_open": gettext_lazy("Trying again"),
    "open": gettext_lazy("Resting: it failed too often"),
}
#: What is stuck, and where somebody sees to it.
STUCK: dict[str, tuple[str | Promise, str]] = {
    "failed": (gettext_lazy("Messages that failed"), "/supervise/messages/?list=failed"),
    "doubtful": (gettext_lazy("Messages that may have gone or not"), "/supervise/messages/?list=doubtful"),
    "stuck": (gettext_lazy("Messages that do not leave"), "/supervise/messages/?list=stuck"),
    "orders": (gettext_lazy("Orders the network did not confirm"), "/supervise/network/"),
    "dead_webhooks": (gettext_lazy("Webhooks given up"), ""),
    "unsent_webhooks": (gettext_lazy("Webhooks not called in time"), ""),
    "pending": (gettext_lazy("Events nobody reacted to"), ""),
    "rejected": (gettext_lazy("Rejected rows"), "/supervise/rejected/"),
    "leases": (gettext_lazy("Claims that ran out"), "/supervise/queue/?held=nobody"),
}


# The floor ------------------------------------------------------------------------------------------------------------


@may(rights.Act.SUPERVISE)
@require_safe
def floor_page(request: DeskRequest) -> HttpResponse:
    """The floor as it stands; a script keeps it so."""
    parts = _parts_now(floor.sight_of(request.user), links=rights.may(request.user, rights.Act.WORK))
    return render(request, "supervise/floor.html", {"parts": parts, "tab": "floor", "retry": COME_AGAIN})


@may(rights.Act.SUPERVISE)
@require_safe
def floor_now(request: DeskRequest) -> HttpResponse:
    """What changed since the parts that the page knows (``known``), for whoever polls; 204 where nothing did."""
    parts = _parts_now(floor.sight_of(request.user), links=rights.may(request.user, rights.Act.WORK))
    changed = _changed(parts, _known(request))
    answer = JsonResponse(changed) if changed else HttpResponse(status=204)
    answer["Cache-Control"] = "no-store"
    answer["X-Stream"] = "room" if streams.OPEN.has_room() else "full"
    return answer


@may(rights.Act.SUPERVISE)
@require_GET
def floor_stream(request: DeskRequest) -> HttpResponseBase:
    """The same as server-sent events, as it changes; 503 where this process keeps as many streams as it may."""
    if not streams.OPEN.take():
        return HttpResponse("Come again.", status=503, headers={"Retry-After": str(COME_AGAIN)})
    frames = _frames(request.user.pk, known=_known(request), language=translation.get_language() or "en")
    return StreamingHttpResponse(
        streams.Stream(frames, of=streams.OPEN),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _frames(person: int, *, known: Mapping[str, str], language: str) -> Generator[bytes]:
    """Frames until the stream is old, the person may look no longer, or the process is told to stop."""
    yield b"retry: 2000\n\n"
    sent, ends, spoke = dict(known), monotonic() + LASTS.total_seconds(), float("-inf")
    try:
        while monotonic() < ends:
            if monotonic() - spoke >= STILL_HERE.total_seconds():
                agent = Agent.objects.filter(pk=person, is_active=True).first()
                if agent is None or not rights.may(agent, rights.Act.SUPERVISE):
                    return
                sight, links = floor.sight_of(agent), rights.may(agent, rights.Act.WORK)
                yield b": still here\n\n"
                spoke = monotonic()
            with translation.override(language):
                changed = _changed(_parts_now(sight, links=links), sent)
            watching.let_go_of_the_database()
            if changed:
                sent |= {name: part["digest"] for name, part in changed.items()}
                yield f"data: {json.dumps(changed)}\n\n".encode()
            if not streams.OPEN.wait(watching.EVERY.total_seconds()):
                return
    except (OperationalError, InterfaceError) as problem:
        # The browser opens another stream, and finds the database again or waits.
        log.warning("a stream of the floor ended: %s", problem)
    finally:
        watching.let_go_of_the_database()


def _known(request: DeskRequest) -> dict[str, str]:
    """``people.1f3a,queue.99b2`` as the page sends it."""
    pairs = (pair.partition(".") for pair in request.GET.get("known", "")[:400].split(","))
    return {name: digest for name, _dot, digest in pairs if name in PARTS}


def _changed(parts: Mapping[str, dict[str, str]], known: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: part for name, part in parts.items() if part["digest"] != known.get(name)}


def _parts_now(sight: Sight, *, links: bool) -> dict[str, dict[str, str]]:
    """Each part of the page as it stands, with its digest: made once for all who see the same in the same language."""
    look = watching.FLOOR.look(at=timezone.now())
    made: dict[str, dict[str, str]] = watching.FLOOR.made(
        look, (sight, links, translation.get_language()), lambda: _parts(floor.seen_by(look, sight), links=links)
    )
    return made


def _parts(seen: Floor, *, links: bool) -> dict[str, dict[str, str]]:
    context: dict[str, Any] = {
        "floor": seen,
        "links": links,
        "people": [(row, *DOING[row.doing], row.is_long(seen.at)) for row in seen.people],
        "doing": [(DOING[code][0], seen.doing[code]) for code in DOING if seen.doing.get(code)],
        "roads": [(row, ROADS[row.code], ROAD_STATES[row.state]) for row in seen.works.roads],
        "stuck": [(row, *STUCK[row.code]) for row in seen.works.stuck if row.count],
    }
    made = {}
    for name in PARTS:
        html = render_to_string(f"supervise/floor/parts/{name}.html", context).strip()
        made[name] = {"html": html, "digest": hashlib.sha256(html.encode()).hexdigest()[:12]}
    return made


# One account ----------------------------------------------------------------------------------------------------------


@may(rights.Act.SUPERVISE)
@require_safe
def move_page(request: DeskRequest, pk: int) -> HttpResponse:
    """Who has an account in hand, and to whom it may go instead."""
    item = _item(request, pk)
    at = timezone.now()
    holder = item.claimed_by if item.lease_until and item.lease_until > at else None
    call = LiveCall.objects.select_related("agent").filter(account=item.account_id).exclude(
        state__in=(LiveCall.State.LOGGED, LiveCall.State.FAILED)
    )  # fmt: skip
    context = {
        "item": item,
        "at": at,
        "holder": holder,
        "call": call.first(),
        "people": [person for person in steering.takers(item, request.user).select_related("team") if person != holder],
        "tab": "floor",
    }
    return render(request, "supervise/floor/move.html", context)


@may(rights.Act.SUPERVISE)
@require_POST
def move(request: DeskRequest, pk: int) -> HttpResponse:
    """Give an account to somebody else, or put it back into the queue."""
    item, at = _item(request, pk), timezone.now()
    try:
        if request.POST.get("act") == "back":
            freed = steering.put_back(item_id=item.pk, agent=request.user, at=at)
            said = _("%(account)s is back in the queue.") if freed else _("%(account)s was in nobody's hands.")
            messages.success(request, said % {"account": item.account.ref})
        else:
            to = get_object_or_404(steering.people(request.user), username=request.POST.get("to", ""))
            steering.reassign(item_id=item.pk, to=to, agent=request.user, at=at)
            messages.success(request, _("%(account)s is with %(who)s now.") % {"account": item.account.ref, "who": to})
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("floor_move", pk=pk)
    watching.FLOOR.forget()
    return redirect("floor")


def _item(request: DeskRequest, pk: int) -> WorkItem:
    seen = WorkItem.objects.filter(account__in=rights.visible_accounts(request.user), done_at=None)
    return get_object_or_404(
        seen.exclude(kind=WorkItem.Kind.APPROVAL).select_related("account__customer", "team", "claimed_by"), pk=pk
    )


# A list ---------------------------------------------------------------------------------------------------------------


@may(rights.Act.SUPERVISE)
@require_safe
def list_page(request: DeskRequest) -> HttpResponse:
    """Choose a list, and see what would be done with it before it is."""
    at = timezone.now()
    asked = request.GET if "act" in request.GET else None
    form = ListForm(asked, options=_options(request.user, at), initial=request.GET.dict())
    context: dict[str, Any] = {"form": form, "tab": "steer", "as_of": business_date(at=at), "token": once.token()}
    if form.is_bound and form.is_valid():
        chosen, wanted = _list_of(request, form)
        try:
            context["preview"] = bulk_steering.preview(chosen=chosen, wanted=wanted, agent=request.user, at=at)
            context["asked"] = [(name, request.GET[name]) for name in form.fields if request.GET.get(name)]
            context["wanted"] = wanted
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return render(request, "supervise/floor/list.html", context, status=422 if form.errors else 200)


@may(rights.Act.SUPERVISE)
@require_POST
def steer_list(request: DeskRequest) -> HttpResponse:
    """Do with the list what its preview said."""
    at = timezone.now()
    form = ListForm(request.POST, options=_options(request.user, at))
    upto = request.POST.get("upto", "")
    if not form.is_valid() or not upto.isdecimal() or len(upto) > 18:
        messages.error(request, _("That list cannot be read: choose it again."))
        return redirect("floor_list")
    chosen, wanted = _list_of(request, form)
    try:
        done = bulk_steering.carry_out(
            chosen=chosen,
            wanted=wanted,
            upto=int(upto),
            token=request.POST.get("once", ""),
            given={name: request.POST.getlist(name) for name in request.POST},
            agent=request.user,
            at=at,
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("floor_list")
    watching.FLOOR.forget()
    said = {
        Act.GIVE: ngettext("%(count)s account given.", "%(count)s accounts given.", done.items),
        Act.PIN: ngettext("%(count)s account put on top.", "%(count)s accounts put on top.", done.items),
        Act.UNPIN: ngettext(
            "%(count)s account follows its score again.", "%(count)s accounts follow their score again.", done.items
        ),
    }[wanted.act] % {"count": done.items}
    if done.left_out:
        said += " " + ngettext("%(count)s was left out.", "%(count)s were left out.", done.left_out) % {
            "count": done.left_out
        }
    if done.again:
        said += " " + _("This was done before; nothing was done twice.")
    messages.success(request, said)
    return redirect("floor_list")


def _options(user: Agent, at: datetime) -> dict[str, list[tuple[str, Any]]]:
    """What there is to choose from, of what is open."""
    depths = watching.FLOOR.look(at=at).depths
    any_of = ("", _("Any"))
    teams = [(str(team.pk), team.name) for team in team_messages.teams(user)]
    everybody = [("everybody", _("Every team"))] if rights.sees_all_teams(user) else []
    return {
        "team": [any_of, ("none", _("None of them")), *teams],
        "segment": [any_of, *((name, name) for name in depths.segments)],
        "product": [any_of, *((name, name) for name in depths.products)],
        "bucket": [any_of, *((name, name) for name in BUCKETS)],
        "policy": [any_of, *Policy.objects.order_by("code").values_list("code", "code")],
        "currency": [any_of, *((name, name) for name in depths.currencies)],
        "to": [("", "–"), *teams, *everybody],  # noqa: RUF001
    }


def _list_of(request: DeskRequest, form: ListForm) -> tuple[Chosen, Wanted]:
    given = form.cleaned_data
    team, to = given["team"], given["to"]
    chosen = Chosen(
        team=None if team == "" else bulk_steering.NO_TEAM if team == "none" else int(team),
        segment=given["segment"],
        product=given["product"],
        bucket=given["bucket"],
        policy=given["policy"],
        currency=given["currency"],
        least=given["least"],
        most=given["most"],
    )
    act = Act(given["act"])
    until: date | None = given["until"]
    wanted = Wanted(act)
    if act == Act.GIVE:
        wanted = Wanted(act, team=None if to == "everybody" else get_object_or_404(Team, pk=int(to)))
    elif act == Act.PIN:
        points = given["points"] or priority.PINNED
        wanted = Wanted(act, reason=given["reason"], points=points, until=until)
    return chosen, wanted


# Messages to teams ----------------------------------------------------------------------------------------------------


@may(rights.Act.SUPERVISE)
@require_safe
def messages_page(request: DeskRequest) -> HttpResponse:
    """What teams were told, who saw it, and a new word to them."""
    return _messages_page(request, TeamMessageForm(teams=_teams(request.user)))


def _messages_page(request: DeskRequest, form: TeamMessageForm, *, status: int = 200) -> HttpResponse:
    at = timezone.now()
    shown = request.GET.get("seen", "")
    saw = int(shown) if shown.isdecimal() and len(shown) < 18 else None
    context = {
        "form": form,
        "sent": team_messages.listed(agent=request.user, at=at),
        "saw": saw,
        "who": [] if saw is None else team_messages.who_saw(message_id=saw, agent=request.user),
        "tab": "tell",
    }
    return render(request, "supervise/floor/messages.html", context, status=status)


@may(rights.Act.SUPERVISE)
@require_POST
def send_message(request: DeskRequest) -> HttpResponse:
    """Put a word before a team."""
    at = timezone.now()
    form = TeamMessageForm(request.POST, teams=_teams(request.user))
    if not form.is_valid():
        return _messages_page(request, form, status=422)
    team = form.cleaned_data["team"]
    try:
        team_messages.send(
            text=form.cleaned_data["text"],
            team=get_object_or_404(Team, pk=int(team)) if team else None,
            until=at + timedelta(hours=form.cleaned_data["hours"]),
            agent=request.user,
            at=at,
        )
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _messages_page(request, form, status=422)
    messages.success(request, _("It is before them now, and with whoever signs in until it ends."))
    return redirect("floor_messages")


@may(rights.Act.SUPERVISE)
@require_POST
def end_message(request: DeskRequest, pk: int) -> HttpResponse:
    """Take a message back."""
    try:
        if team_messages.end(message_id=pk, agent=request.user, at=timezone.now()):
            messages.success(request, _("The message is taken back."))
    except Refused as refusal:
        if refusal.code == "not_found":
            raise Http404(str(refusal)) from None
        messages.error(request, str(refusal))
    return redirect("floor_messages")


@may(rights.Act.WORK)
@require_POST
def saw_message(request: DeskRequest, pk: int) -> HttpResponse:
    """I saw it; it is not shown to me again."""
    if not team_messages.see(message_id=pk, agent=request.user, at=timezone.now()):
        raise Http404("There is no such message for you.")
    return HttpResponse(status=204)


def _teams(user: Agent) -> list[tuple[str, Any]]:
    teams = [(str(team.pk), team.name) for team in team_messages.teams(user)]
    return [("", _("Everybody")), *teams] if rights.sees_all_teams(user) else teams
