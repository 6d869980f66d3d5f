"""Complaints and their clocks, customers' answers, costs and paid time in the admin."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin

from accounts.admin import ReadOnlyAdmin
from agents.clock_admin import MarketClockAdmin, MarketClockForm
from agents.models import Complaint, ComplaintClock, Cost, Stretch, Survey


@admin.register(Complaint)
class ComplaintAdmin(ReadOnlyAdmin):
    list_display = (
        "ref", "account", "category", "channel", "about", "state", "assigned_to", "received_on", "answer_by",
        "closed_on", "outcome",
    )  # fmt: skip
    list_filter = ("state", "outcome", "category")
    list_select_related = ("account", "about", "assigned_to")
    search_help_text = "Complaint, account or customer id, exactly"


class ComplaintClockForm(MarketClockForm):
    last = "answer_days"
    too_early = "Receipt is confirmed before the answer, not after it."


@admin.register(ComplaintClock)
class ComplaintClockAdmin(MarketClockAdmin):
    """By when complaints of a market are acknowledged and answered: for those that come from now on."""

    form = ComplaintClockForm
    list_display = ("market", "acknowledge_days", "answer_days", "source")


@admin.register(Survey)
class SurveyAdmin(ReadOnlyAdmin):
    list_display = ("asked_at", "account", "about", "agent", "answered_at", "score", "reasons")
    list_filter = ("about", "score")
    list_select_related = ("account", "agent")
    search_help_text = "Account or customer id, exactly"
    own_ids = ()


@admin.register(Cost)
class CostAdmin(ModelAdmin):
    """What collecting costs: the line with the latest day by then counts."""

    list_display = ("kind", "amount", "currency", "from_on")
    list_filter = ("kind", "currency")
    ordering = ("currency", "kind", "-from_on")
    actions = None


@admin.register(Stretch)
class StretchAdmin(ReadOnlyAdmin):
    list_display = ("agent", "what", "begun_at", "seen_at", "ended_at")
    list_filter = ("what", "agent")
    list_select_related = ("agent",)
    own_ids = ()
    of_account = False
