"""Agencies in the admin: their terms, what is with them, the files they get and what they answer."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_POST, require_safe
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from accounts import events
from accounts.admin import ReadOnlyAdmin, actor_of, desk_page, in_currency
from accounts.business_day import business_date
from accounts.refusals import Refused
from dunning import placements
from dunning.models import Agency, AgencyFile, Placement

#: Of open placements and of files, on one page.
MOST_PLACEMENTS, MOST_FILES = 200, 60


class AnswerForm(forms.Form):
    """What the agency answered to a file."""

    count = forms.IntegerField(
        label="Placements taken", min_value=0, max_value=2_000_000_000, widget=UnfoldAdminIntegerFieldWidget
    )
    refused = forms.CharField(
        label="Refused, one a line: the placement's id, a space, the reason",
        required=False,
        max_length=200_000,
        widget=UnfoldAdminTextareaWidget,
    )

    def clean_refused(self) -> dict[str, str]:
        refused: dict[str, str] = {}
        for line in filter(None, map(str.strip, self.cleaned_data["refused"].splitlines())):
            ref, _, reason = line.partition(" ")
            if not reason.strip():
                raise ValidationError(f"Say why {ref} was refused.")
            refused[ref] = reason.strip()
        return refused


@admin.register(Agency)
class AgencyAdmin(ModelAdmin):
    list_display = ("code", "name", "commission_percent", "commission_tail_days", "with_it")
    search_fields = ("code", "name")
    ordering = ("code",)
    actions = None
    actions_detail = ("files",)
    fieldsets = (
        (None, {"fields": (("code", "name"),)}),
        (
            "What it earns",
            {
                "fields": (("commission_percent", "commission_tail_days"),),
                "description": "Of every payment between placing and recall, and so many days after the recall.",
            },
        ),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Agency | None = None) -> tuple[str, ...]:
        """Policies name an agency by its code."""
        return ("code",) if obj else ()

    def get_queryset(self, request: HttpRequest) -> Any:
        with_it = Count("placements", filter=Q(placements__recalled_on=None))
        return super().get_queryset(request).annotate(with_it=with_it)

    @display(description="accounts with it", ordering="with_it")
    def with_it(self, agency: Agency) -> int:
        return int(agency.with_it)  # type: ignore[attr-defined]

    # Pages ------------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/files/make/", wrap(require_POST(self.make)), name="dunning_agency_make"),
            path(
                "<path:object_id>/files/<int:number>/download/",
                wrap(require_safe(self.download)),
                name="dunning_agency_download",
            ),
            path("<path:object_id>/files/<int:number>/answer/", wrap(self.answer), name="dunning_agency_answer"),
            *super().get_urls(),
        ]

    def has_exchange_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("dunning.change_agency"))

    @action(description="Placements and files", icon="outbound", url_path="files", permissions=["exchange"])
    def files(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What is with the agency, the files it got, and the button that makes today's."""
        agency = self._agency(request, object_id)
        placed = agency.placements.filter(recalled_on=None).select_related("account__customer").order_by("-pk")
        open_rows = list(placed[:MOST_PLACEMENTS])
        shown = list(_with_refusals(agency).order_by("-number")[:MOST_FILES])
        context = {
            "title": f"{agency.name}: placements and files",
            "count": placed.count(),
            "most": MOST_PLACEMENTS,
            "open": {
                "headers": ["Placement", "Account", "Customer", "Placed", "Amount", "Told", "Acknowledged"],
                "rows": [_open_row(placement) for placement in open_rows],
            },
            "files": {
                "headers": ["File", "Made", "Placed", "Recalled", "Direct payments", "Answer", "Difference", ""],
                "rows": [self._file_row(agency, file) for file in shown],
            },
        }
        return self._page(request, agency, "admin/dunning/agency/files.html", context)

    def _file_row(self, agency: Agency, file: AgencyFile) -> list[Any]:
        refused: int = file.refusals  # type: ignore[attr-defined]
        download = reverse("admin:dunning_agency_download", args=[agency.pk, file.number])
        name = format_html('<a class="text-link" href="{}" download>{}</a>', download, placements.name_of(file))
        columns = [name, f"{file.made_on:%d %b %Y}", file.placements, file.recalls, file.payments]
        if file.acknowledged_on is None:
            address = reverse("admin:dunning_agency_answer", args=[agency.pk, file.number])
            link = format_html('<a class="text-link" href="{}">Record the answer</a>', address)
            return [*columns, "not yet", "", link]
        answer = f"{file.acknowledged_on:%d %b %Y}: {file.acknowledged_count} taken, {refused} refused"
        return [*columns, answer, _difference(placements.missing(file, refused=refused)), ""]

    def make(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make today's file."""
        agency = self._agency(request, object_id)
        at = timezone.now()
        file = placements.make_file(agency, as_of=business_date(at=at), at=at, actor=actor_of(request))
        if file is None:
            messages.info(request, f"{agency.name} knows everything already.")
        else:
            told = f"{file.placements} placed, {file.recalls} recalled, {file.payments} direct payments"
            messages.success(request, f"File {file.number}: {told}.")
        return redirect(self._files_page(agency))

    def download(self, request: HttpRequest, object_id: str, number: int) -> HttpResponse:
        """The file as it was made; whoever takes it is noted."""
        agency = self._agency(request, object_id)
        file = get_object_or_404(agency.files, number=number)
        at = timezone.now()
        events.record(
            account_id=None,
            kind=events.PERSONAL_DATA_READ,
            actor=actor_of(request),
            at=at,
            on=business_date(at=at),
            payload={"agency": agency.code, "file": file.number},
        )
        return HttpResponse(
            file.content,
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{placements.name_of(file)}"'},
        )

    def answer(self, request: HttpRequest, object_id: str, number: int) -> HttpResponse:
        """Record what the agency answered."""
        agency = self._agency(request, object_id)
        file = get_object_or_404(agency.files, number=number)
        form = AnswerForm(request.POST or None, initial={"count": file.placements})
        if request.method == "POST" and form.is_valid():
            at = timezone.now()
            try:
                placements.acknowledge(
                    file, **form.cleaned_data, as_of=business_date(at=at), at=at, actor=actor_of(request)
                )
            except Refused as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(request, f"The answer to file {file.number} is recorded.")
                return redirect(self._files_page(agency))
        context = {"title": f"{agency.name}: the answer to file {number}", "file": file, "form": form}
        return self._page(request, agency, "admin/dunning/agency/answer.html", context)

    def _agency(self, request: HttpRequest, object_id: str) -> Agency:
        if not self.has_exchange_permission(request):
            raise PermissionDenied
        agency: Agency | None = self.get_object(request, unquote(object_id))
        if agency is None:
            raise Http404
        return agency

    def _files_page(self, agency: Agency) -> str:
        return reverse("admin:dunning_agency_files", args=[agency.pk])

    def _page(self, request: HttpRequest, agency: Agency, template: str, context: dict[str, Any]) -> HttpResponse:
        shared = {"opts": self.model._meta, "original": agency, "agency": agency}
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **shared, **context})


def _with_refusals(agency: Agency) -> Any:
    refusals = Count("placements_told", filter=~Q(placements_told__refused_reason=""))
    return agency.files.select_related("agency").annotate(refusals=refusals)


def _open_row(placement: Placement) -> list[Any]:
    return [
        placement.ref,
        desk_page(placement.account.ref),
        placement.account.customer.name,
        f"{placement.placed_on:%d %b %Y}",
        in_currency(placement, "amount"),
        "yes" if placement.file_id or not placement.ref.startswith("desk-") else "in the next file",
        f"{placement.acknowledged_on:%d %b %Y}" if placement.acknowledged_on else "",
    ]


def _difference(missing: int) -> str:
    """A finding in its own colour; nothing where told and answered agree."""
    if missing == 0:
        return "none"
    text = f"{missing} unaccounted for" if missing > 0 else f"{-missing} more than told"
    return format_html('<strong class="policy-incomplete">{}</strong>', text)


@admin.register(Placement)
class PlacementAdmin(ReadOnlyAdmin):
    list_display = (
        "ref",
        "account",
        "agency",
        "amount",
        "placed_on",
        "acknowledged_on",
        "recalled_on",
        "recall_reason",
        "refused_reason",
    )
    list_filter = ("agency",)
    list_select_related = ("account", "agency")
    search_help_text = "Placement, account or customer id, exactly"
