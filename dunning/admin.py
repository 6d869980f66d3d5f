"""The admin's door to this room: its pages of policies and the like, and what happened and left, to look at."""

from __future__ import annotations

from typing import Any

from csp.decorators import csp_exempt
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import Truncator
from unfold.decorators import display

from accounts.admin import ReadOnlyAdmin, ReadOnlyInline, desk_page
from accounts.money import plain
from dunning import (
    agency_admin,
    dry_run_admin,
    experiment_admin,
    hold_admin,
    pack_admin,
    policy_admin,
    segment_admin,
    text_admin,
)
from dunning.models import (
    BillStep,
    Case,
    CaseStep,
    Notice,
    OutboxMessage,
    ServiceOrder,
)
from dunning.models.notice import HandOver

# Each of these registers its own pages.
__all__ = [
    "agency_admin",
    "dry_run_admin",
    "experiment_admin",
    "hold_admin",
    "pack_admin",
    "policy_admin",
    "segment_admin",
    "text_admin",
]

# --- What happened ----------------------------------------------------------------------------------------------------


class StepsOfCase(ReadOnlyInline):
    model = CaseStep
    fields = ("code", "action", "repeat", "result", "came_on", "done_on", "undone_on", "escalated_on")
    ordering = ("pk",)


@admin.register(Case)
class CaseAdmin(ReadOnlyAdmin):
    list_display = ("account", "version", "opened_on", "stage", "last_step_on", "next_on", "closed_on", "close_reason")
    list_filter = (("closed_on", admin.EmptyFieldListFilter),)
    list_select_related = ("account", "version__policy")
    search_help_text = "Account or customer id, exactly"
    own_ids = ()
    inlines = (StepsOfCase,)


@admin.register(BillStep)
class BillStepAdmin(ReadOnlyAdmin):
    list_display = ("account", "bill", "code", "on", "result")
    list_select_related = ("account", "bill")
    search_help_text = "Account or customer id, exactly"
    own_ids = ()


# --- Out of the house -------------------------------------------------------------------------------------------------

HAND_OVER_COLOURS = {
    "Delivered": "success",
    "Handed over": "info",
    "Confirmed": "success",
    "Accepted by the network": "info",
    "Bounced": "danger",
    "Failed": "danger",
    "Doubtful": "warning",
}


class NeedsAttention(admin.SimpleListFilter):
    """What somebody should look at."""

    title = "needs a person"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("doubtful", "Doubtful: may have gone out"), ("failed", "Failed or bounced")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        states = {"doubtful": [HandOver.DOUBTFUL], "failed": [HandOver.FAILED, HandOver.BOUNCED]}
        asked = self.value()
        return queryset.filter(state__in=states[asked]) if asked in states else queryset


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("made_on", "account", "step_code", "channel", "money", "pay_by", "coloured_state", "reason")
    list_display_links = ("made_on", "step_code")
    list_filter = (NeedsAttention, "state")
    list_select_related = ("account",)
    search_help_text = "Account or customer id, key or the provider's reference, exactly"
    own_ids = ("key", "provider_ref")
    exclude = ("state", "lease_until")
    readonly_fields = ("coloured_state", "as_received")

    @display(description="state", label=HAND_OVER_COLOURS)
    def coloured_state(self, notice: Notice) -> str:
        return str(notice.get_state_display())

    @display(description="amount")
    def money(self, notice: Notice) -> str:
        return f"{plain(notice.amount, notice.currency)} {notice.currency}"

    @display(description="as the customer got it")
    def as_received(self, notice: Notice) -> str:
        message = OutboxMessage.objects.filter(key=notice.key).only("pk").first()
        if message is None:
            return "-"
        address = reverse("admin:dunning_outboxmessage_change", args=[message.pk])
        return format_html('<a class="text-link" href="{}">Open the message</a>', address)


@admin.register(ServiceOrder)
class ServiceOrderAdmin(ReadOnlyAdmin):
    list_display = ("made_on", "account", "service", "kind", "rung", "step_code", "coloured_state", "reason")
    list_display_links = ("made_on", "service")
    list_filter = ("state", "kind")
    list_select_related = ("account", "service")
    search_help_text = "Account or customer id, key or the provider's reference, exactly"
    own_ids = ("key", "provider_ref")
    exclude = ("state", "lease_until")
    readonly_fields = ("coloured_state",)

    @display(description="state", label=HAND_OVER_COLOURS)
    def coloured_state(self, order: ServiceOrder) -> str:
        return str(order.get_state_display())


CHANNELS = {
    "sms": "SMS",
    "email": "E-mail",
    "letter": "Letter",
    "in_app": "In-app",
    "voice": "Voice",
    "network": "Network",
}
CHANNEL_COLOURS = {"SMS": "info", "E-mail": "primary", "Letter": "warning", "In-app": "success"}


class ByChannel(admin.SimpleListFilter):
    title = "channel"
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(CHANNELS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(channel=self.value()) if self.value() else queryset


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    """What the customer got: the words as they arrived, the mail as it looks, the letter as it was printed."""

    list_display = ("received_at", "by", "says", "account_ref", "to")
    list_display_links = ("received_at", "says")
    list_filter = (ByChannel,)
    search_help_text = "Account id or key, exactly"
    own_ids = ("account_ref", "key")
    of_account = False
    fieldsets = ((None, {"fields": (("received_at", "by"), ("to", "on_desk"), ("language", "delivery"))}),)
    readonly_fields = ("received_at", "by", "to", "on_desk", "language", "delivery")
    change_form_outer_after_template = "admin/dunning/outboxmessage/message.html"

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whoever may see what was to be sent may see what arrived."""
        return bool(request.user.has_perm("dunning.view_notice"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxMessage]:
        return super().get_queryset(request).defer("html", "attachment")  # type: ignore[no-any-return]

    @display(description="channel", ordering="channel", label=CHANNEL_COLOURS)
    def by(self, message: OutboxMessage) -> str:
        return CHANNELS.get(message.channel, message.channel)

    @display(description="message")
    def says(self, message: OutboxMessage) -> str:
        first_line = next((line for line in message.text.splitlines() if line.strip()), "")
        return Truncator(message.subject or first_line).chars(90) or "-"

    @display(description="account")
    def on_desk(self, message: OutboxMessage) -> str:
        return desk_page(message.account_ref) if message.account_ref else "-"

    @display(description="delivery")
    def delivery(self, message: OutboxMessage) -> str:
        notice = Notice.objects.filter(key=message.key).first()
        if notice is None:
            return "-"
        address = reverse("admin:dunning_notice_change", args=[notice.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, notice.get_state_display())

    def get_urls(self) -> list[URLPattern]:
        # Browsers show a PDF inside a page of their own, which a policy made for ours would break.
        letter = csp_exempt()(self.admin_site.admin_view(self.letter_view))
        return [path("<int:pk>/letter.pdf", letter, name="dunning_outboxmessage_letter"), *super().get_urls()]

    def letter_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        message = get_object_or_404(OutboxMessage.objects.only("attachment"), pk=pk)
        if not message.attachment:
            raise Http404
        return HttpResponse(
            bytes(message.attachment),
            content_type="application/pdf",
            headers={"Content-Disposition": f'inline; filename="letter-{pk}.pdf"'},
        )
