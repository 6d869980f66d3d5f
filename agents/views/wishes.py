"""What the customer wants of us, on their account's page: consents, times and places, who speaks for them, support.

Each wish has one address: GET shows its form in the page's panel, POST notes it. Nobody needs to have the account in
hand: a customer who says stop is heard by whoever they reach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts import holds, wishes
from accounts.models import Hold
from accounts.refusals import Refused
from accounts.sensitive_words import crisis_in, diagnosis_in
from agents import queue, rights
from agents.forms import (
    ClockForm,
    ConsentForm,
    LookAgainForm,
    SpeaksForForm,
    SupportForm,
    UnderstandingForm,
    WhenForm,
)
from agents.models import WorkItem
from agents.views.account import CLAIM_LOST, UNPROCESSABLE, page, told
from agents.views.account_page import Desk, addresses_of, desk_of, zone_of
from agents.views.session import DeskRequest, may

#: What a specialist reads in the queue. Other agents read it too: it says nothing of the customer's circumstances.
CRISIS_TASK = "Specialist at once: call back today"
UNDERSTANDING_TASK = "Specialist: talk before anything is agreed"

Commit = Callable[[Desk, Any], str]


@dataclass(frozen=True, slots=True)
class Panel:
    """One form of the page: its title, drawing, template, fields, and what noting it does."""

    title: str
    icon: str
    template: str
    form: Callable[..., forms.Form]
    commit: Commit
    save: str


def note_consent(desk: Desk, form: ConsentForm) -> str:
    """Stop is for every purpose unless one is named; allow is for the one that is named."""
    given = form.cleaned_data
    said: dict[str, Any] = {**_who_and_when(desk), "source": given["source"], "evidence": given["evidence"]}
    if given["says"] == "stop" and given["purpose"] == "service":
        wishes.stop(customer_id=desk.customer.pk, channels=given["channels"], value=given["value"], **said)
    elif given["says"] == "allow" and given["purpose"] == "service" and given["until"] is None:
        wishes.start(customer_id=desk.customer.pk, channels=given["channels"], value=given["value"], **said)
    else:
        until = given["until"] and datetime.combine(given["until"], time.max, tzinfo=zone_of(desk.customer) or UTC)
        for channel in given["channels"]:
            wishes.note_consent(
                customer_id=desk.customer.pk,
                channel=channel,
                purpose=given["purpose"],
                value=given["value"],
                given=given["says"] == "allow",
                until=until,
                **said,
            )
    return "Stopped, from this moment on." if given["says"] == "stop" else "Allowed, and kept with its proof."


def note_when(desk: Desk, form: WhenForm) -> str:
    given = form.cleaned_data
    what = given["what"]
    times = what in {"never", "only"}
    received = given["received_at"] if what == "cease" else None
    wishes.note_preference(
        customer_id=desk.customer.pk,
        kind="time" if times else what,
        wanted=what in {"only", "channel"},
        weekdays=given["weekdays"] if times else (),
        opens=given["opens"] if times else None,
        closes=given["closes"] if times else None,
        place=given["place"] if what == "place" else "",
        channel=given["channel"] if what == "channel" else "",
        received_at=received and received.replace(tzinfo=zone_of(desk.customer) or UTC),
        source=given["source"],
        evidence=given["evidence"],
        **_who_and_when(desk),
    )
    return "All contact ends." if what == "cease" else "Noted; it holds from now on."


def note_speaker(desk: Desk, form: SpeaksForForm) -> str:
    given = {name: value for name, value in form.cleaned_data.items() if name != "source"}
    person = wishes.note_representative(customer_id=desk.customer.pk, **given, **_who_and_when(desk))
    hears = "may hear about the debt" if person.may_be_told else "may tell us things, and hears nothing of the debt"
    return f"{person.name} {hears}."


def note_support(desk: Desk, form: SupportForm) -> str:
    """With their agreement codes are kept; without it that support is needed, or nothing."""
    given = form.cleaned_data
    now = _who_and_when(desk)
    if form.crisis:
        _hand_to_specialist(desk, CRISIS_TASK, pause=True)
    signpost = "Tell them where help is to be had."
    if given["agreed"] == "yes":
        wishes.note_vulnerability(
            customer_id=desk.customer.pk,
            category=given["category"] or "communication",
            severity="high" if form.crisis else given["severity"] or "low",
            needs=given["needs"],
            review_on=given["review_on"],
            consented_at=desk.at,
            source="told an agent",
            # Words of a crisis are acted on, and not kept.
            note="" if form.crisis else given["note"],
            **now,
        )
        return f"Support noted. {signpost}"
    if given["needed"] == "no" and not form.crisis:
        return f"Nothing is kept. {signpost}"
    wishes.note_vulnerability(
        customer_id=desk.customer.pk,
        category=wishes.SUPPORT,
        severity="high" if form.crisis else "medium",
        source="told an agent",
        **now,
    )
    return f"Kept: support is needed, and nothing else. {signpost}"


def note_understanding(desk: Desk, form: UnderstandingForm) -> str:
    """A decision is hard for them now: nothing is agreed today, a specialist talks with them."""
    _hand_to_specialist(desk, UNDERSTANDING_TASK, pause=form.cleaned_data["pause"])
    return "Handed to a specialist. Agree nothing today: send a written summary, and offer a call back."


def note_clock(desk: Desk, form: ClockForm) -> str:
    zone = form.cleaned_data["timezone"].strip().replace(" ", "_")
    wishes.state_timezone(customer_id=desk.customer.pk, timezone=zone, **_who_and_when(desk))
    return f"Their clock is that of {zone}: calls and messages follow it."


PANELS: dict[str, Panel] = {
    "consent": Panel("Consent", "shield", "agents/wishes/_consent.html", ConsentForm, note_consent, "Note it"),
    "when": Panel("Times and places", "clock", "agents/wishes/_when.html", WhenForm, note_when, "Note it"),
    "speaks": Panel("Speaks for them", "user", "agents/wishes/_speaks.html", SpeaksForForm, note_speaker, "Note it"),
    "support": Panel("Support", "heart", "agents/wishes/_support.html", SupportForm, note_support, "Save"),
    "understanding": Panel(
        "Hard to decide?",
        "inbox",
        "agents/wishes/_understanding.html",
        UnderstandingForm,
        note_understanding,
        "Hand to a specialist",
    ),
    "clock": Panel("Their clock", "globe", "agents/wishes/_clock.html", ClockForm, note_clock, "Note it"),
}


@may(rights.Act.WORK)
@require_http_methods(["GET", "POST"])
def wish(request: DeskRequest, ref: str, what: str) -> HttpResponse:
    """One of the forms, or what it says noted; a refusal is shown, and nothing typed is lost."""
    if what not in PANELS:
        raise Http404("There is no such form.")
    desk = desk_of(request, ref, timezone.now())
    kept = PANELS[what]
    options = {"as_of": desk.as_of, "addresses": addresses_of(desk)}
    if request.method != "POST":
        return _show(request, desk, what, kept.form(initial=_first(desk, what), **options))
    form = kept.form(request.POST, **options)
    if not form.is_valid():
        return _show(request, desk, what, form, status=UNPROCESSABLE)
    try:
        said = kept.commit(desk, form)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _show(request, desk, what, form, status=CLAIM_LOST if refusal.code == "conflict" else UNPROCESSABLE)
    messages.success(request, said)
    return _back(request, desk)


@may(rights.Act.WORK)
@require_POST
def heard(request: DeskRequest, ref: str) -> HttpResponse:
    """While a note about support is typed: a crisis comes first, an illness is not kept. Nothing is written."""
    desk = desk_of(request, ref, timezone.now())
    typed = request.POST.get("note", "")
    shown = {"crisis": bool(crisis_in(typed)), "illness": diagnosis_in(typed), "operator": settings.DESK_OPERATOR}
    return render(request, "agents/wishes/_heard.html", {"account": desk.account, **shown})


@may(rights.Act.WORK)
@require_POST
def end_wish(request: DeskRequest, ref: str, what: str, pk: int) -> HttpResponse:
    """A preference, a representative or a need is over. Needs are ended by whoever may see them."""
    desk = desk_of(request, ref, timezone.now())
    now = _who_and_when(desk)
    if what == "preference" and desk.customer.preferences.filter(pk=pk).exists():
        return told(request, desk, lambda: wishes.end_preference(preference_id=pk, **now), "It no longer holds.")
    if what == "representative" and desk.customer.representatives.filter(pk=pk).exists():
        return told(
            request,
            desk,
            lambda: wishes.end_representative(representative_id=pk, **now),
            "They no longer speak for the customer.",
        )
    if what == "vulnerability" and desk.customer.vulnerabilities.filter(pk=pk).exists():
        if not rights.may(request.user, rights.Act.SEE_SUPPORT):
            raise PermissionDenied
        return told(request, desk, lambda: wishes.end_vulnerability(vulnerability_id=pk, **now), "The need has ended.")
    raise Http404("There is no such wish.")


@may(rights.Act.SEE_SUPPORT)
@require_POST
def look_again(request: DeskRequest, ref: str, pk: int) -> HttpResponse:
    """Somebody looked: the need goes on, until the next look."""
    desk = desk_of(request, ref, timezone.now())
    if not desk.customer.vulnerabilities.filter(pk=pk).exists():
        raise Http404("There is no such need.")
    form = LookAgainForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say when to look again.")
        return redirect("account", ref=ref)
    day = form.cleaned_data["review_on"]
    return told(
        request,
        desk,
        lambda: wishes.look_again(vulnerability_id=pk, review_on=day, **_who_and_when(desk)),
        f"It goes on; to be looked at again on {day:%d %b}.",
    )


def _who_and_when(desk: Desk) -> dict[str, Any]:
    return {"actor": desk.actor, "as_of": desk.as_of, "at": desk.at}


def _hand_to_specialist(desk: Desk, task: str, *, pause: bool) -> None:
    """A task beside whatever the account is in the queue for, and, with ``pause``, the hold that goes with it."""
    account = desk.account
    if pause:
        review = Hold.Reason.VULNERABILITY_REVIEW
        if not holds.in_force(account_id=account.pk, as_of=desk.as_of).filter(reason=review).exists():
            holds.place(account_id=account.pk, reason=review, starts_on=desk.as_of, **_who_and_when(desk))
    queue.enqueue(account_ids=[account.pk], reason=task, kind=WorkItem.Kind.TASK, **_who_and_when(desk))


def _first(desk: Desk, what: str) -> dict[str, Any]:
    """Sensible first values."""
    if what == "clock":
        return {"timezone": desk.customer.timezone}
    if what == "when":
        now_there = desk.at.astimezone(zone_of(desk.customer) or UTC)
        return {"what": "never", "received_at": now_there.replace(tzinfo=None)}
    return {"consent": {"says": "stop", "purpose": "service"}}.get(what, {})


def _show(request: DeskRequest, desk: Desk, what: str, form: forms.Form, *, status: int = 200) -> HttpResponse:
    """The form alone for htmx; without it, the whole page with the form open in its place."""
    kept = PANELS[what]
    zone = zone_of(desk.customer) or ZoneInfo("UTC")
    more: dict[str, Any] = {
        "wish": what,
        "wish_panel": kept,
        "operator": settings.DESK_OPERATOR,
        "zones": sorted(available_timezones()) if what == "clock" else (),
        "there": desk.at.astimezone(zone),
    }
    if request.htmx:
        context = {"account": desk.account, "customer": desk.customer, "form": form, **more}
        return render(request, kept.template, context, status=status)
    item = queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    return page(request, desk, item, form=form, panel=kept.template, status=status, **more)  # type: ignore[arg-type]


def _back(request: DeskRequest, desk: Desk) -> HttpResponse:
    if not request.htmx:
        return redirect("account", ref=desk.account.ref)
    fresh = desk_of(request, desk.account.ref, desk.at)
    item = queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    return page(request, fresh, item)
