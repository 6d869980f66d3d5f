"""What an account's page has beside its first look: the whole of a long list, and the accounts that belong to it."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from agents import links, queue, rights
from agents.views.account_page import desk_of, picture
from agents.views.session import DeskRequest, may

#: Lists that are shown in part at first, and their templates.
WHOLE = {"bills": "agents/_bills.html", "services": "agents/_services.html"}


@may(rights.Act.WORK)
@require_GET
def whole(request: DeskRequest, ref: str, what: str) -> HttpResponse:
    """All rows of a list that the page shows in part; without a script, the page with all of them."""
    if what not in WHOLE:
        raise Http404("There is no such list.")
    if not request.htmx:
        return redirect(f"/accounts/{ref}/?whole={what}")
    desk = desk_of(request, ref, timezone.now())
    item = queue.held(account_id=desk.account.pk, agent=desk.agent, at=desk.at)
    return render(request, WHOLE[what], picture(desk, item=item, whole=what))


@may(rights.Act.WORK)
@require_POST
def work_together(request: DeskRequest, ref: str) -> HttpResponse:
    """Take the free linked accounts too, so that nobody else calls the same customer meanwhile."""
    desk = desk_of(request, ref, timezone.now())
    taken, missed = links.work_together(account=desk.account, agent=desk.agent, at=desk.at)
    if taken:
        count = len(taken)
        messages.success(
            request,
            ngettext("%(count)s linked account is yours too.", "%(count)s linked accounts are yours too.", count)
            % {"count": count},
        )
    else:
        messages.info(request, _("No linked account is free."))
    if missed:
        messages.warning(
            request, _("Others work on %(accounts)s.") % {"accounts": ", ".join(row.ref for row in missed)}
        )
    return redirect("account", ref=ref)
