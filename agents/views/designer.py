"""The designer: what may I offer, and what would it come to. Each offer is an act of the account's page."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents import extensions, offers, queue, rights, settlements
from agents.views import agreeing
from agents.views.account import account_act, begin, page, panel, told
from agents.views.account_page import desk_of, open_bills
from agents.views.session import DeskRequest, may


@may(rights.Act.WORK)
@require_http_methods(["GET", "POST"])
def designer(request: DeskRequest, ref: str) -> HttpResponseBase:
    """The offers with the form of the one asked for (``offer``), else of the recommended one; POST agrees it."""
    given = request.POST if request.method == "POST" else request.GET
    offer = given.get("offer", "")
    if offer and offer not in agreeing.ACTS:
        raise Http404("There is no such offer.")
    if request.method == "POST":
        if not offer:
            raise Http404("Say which offer is agreed.")
        return account_act(request, ref, offer)
    desk = desk_of(request, ref, timezone.now())
    item = queue.claim(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    act = offer or agreeing.menu_of(desk).recommended or offers.PAY
    if not request.htmx:
        return page(request, desk, item, act=act)
    form = begin(desk, act, item, open_bills(desk.account))
    # The promise has a panel of its own for its key; here it stands among the other offers.
    return panel(request, desk, act, form, template=agreeing.DESIGNER, **agreeing.on_the_menu(desk))


@may(rights.Act.WORK)
@require_GET
def quote(request: DeskRequest, ref: str, act: str) -> HttpResponse:
    """What half-typed terms come to, live; nothing is written."""
    if act not in agreeing.ACTS:
        raise Http404("There is no such act.")
    desk = desk_of(request, ref, timezone.now())
    form = agreeing.build(desk, act, request.GET, bills=open_bills(desk.account))
    context = {"account": desk.account, "currency": desk.account.currency, "act": act, "form": form}
    return render(request, "agents/designer/_quote.html", context | agreeing.quoted(desk, act, form))


@may(rights.Act.WORK)
@require_POST
def cancel_extension(request: DeskRequest, ref: str, extension: str) -> HttpResponse:
    """End time to pay before its day."""
    desk = desk_of(request, ref, timezone.now())
    found = desk.account.extensions.filter(ref=extension).first()
    if found is None:
        raise Http404("There is no such extension.")
    return told(
        request,
        desk,
        lambda: extensions.cancel(extension_id=found.pk, actor=desk.actor, as_of=desk.as_of, at=desk.at),
        _("Time to pay cancelled."),
    )


@may(rights.Act.WORK)
@require_POST
def cancel_settlement(request: DeskRequest, ref: str, settlement: str) -> HttpResponse:
    """Take an offer of a settlement back."""
    desk = desk_of(request, ref, timezone.now())
    found = desk.account.settlements.filter(ref=settlement).first()
    if found is None:
        raise Http404("There is no such settlement.")
    return told(
        request,
        desk,
        lambda: settlements.cancel(settlement_id=found.pk, actor=desk.actor, as_of=desk.as_of, at=desk.at),
        _("Settlement cancelled."),
    )
