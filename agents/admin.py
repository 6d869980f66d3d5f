"""People and what calls come to, edited; what was said and agreed, to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from accounts.admin import MoneyAdmin, ReadOnlyAdmin, ReadOnlyInline
from agents import call_admin, complaint_admin, finding_admin, quality_admin, queue_admin, target_admin
from agents.clock_admin import MarketClockAdmin, MarketClockForm
from agents.models import (
    Agent,
    Dispute,
    DisputeClock,
    Instalment,
    Interaction,
    Plan,
    Promise,
    Team,
    WorkItem,
)

# Each registers its own pages.
__all__ = ["call_admin", "complaint_admin", "finding_admin", "quality_admin", "queue_admin", "target_admin"]


@admin.register(Agent)
class AgentAdmin(UserAdmin, ModelAdmin):  # type: ignore[type-arg]  # Django's own is not generic
    """Roles are groups. Nobody is deleted, because the history names them; nobody rises above who edits here."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "team", "roles", "is_active", "last_login")
    list_filter = ("groups", "team", "is_active")
    list_select_related = ("team",)
    filter_horizontal = ()
    actions = None
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": (("first_name", "last_name"), "email")}),
        ("Work", {"fields": ("groups", "team", "all_teams", "is_active")}),
        (
            "Skills",
            {
                "fields": (("languages", "segments"), ("products", "most_overdue")),
                "description": "What the next account is chosen by. Nothing stated keeps no account from them.",
            },
        ),
        ("Dates", {"fields": (("last_login", "date_joined"),)}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "password1", "password2", ("first_name", "last_name"), "groups", "team")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        return super().get_queryset(request).prefetch_related("groups")

    def has_change_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        above = obj is not None and obj.is_superuser and not request.user.is_superuser
        return bool(super().has_change_permission(request, obj)) and not above

    def has_delete_permission(self, request: HttpRequest, obj: Agent | None = None) -> bool:
        return False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field is not None and db_field.name in ("languages", "segments", "products"):
            field.widget = UnfoldAdminTextInputWidget()
            field.help_text = f"{db_field.help_text}; several with commas between them"
        return field

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **options)
        if field is not None and db_field.name == "groups":
            field.widget = UnfoldAdminCheckboxSelectMultipleWidget(choices=field.choices)
            field.label, field.help_text = "Roles", "What this person may do and see."
        return field

    @display(description="name", ordering="last_name")
    def full_name(self, agent: Agent) -> str:
        return agent.get_full_name() or "-"

    @display(description="roles")
    def roles(self, agent: Agent) -> str:
        return ", ".join(sorted(group.name for group in agent.groups.all())) or "-"


@admin.register(Team)
class TeamAdmin(ModelAdmin):
    list_display = ("name", "people")
    search_fields = ("name",)
    ordering = ("name",)
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        teams: QuerySet[Team] = super().get_queryset(request)
        return teams.annotate(active_agents=Count("agents", filter=Q(agents__is_active=True)))

    @display(description="people")
    def people(self, team: Team) -> int:
        return int(team.active_agents)  # type: ignore[attr-defined]


@admin.register(WorkItem)
class WorkItemAdmin(ReadOnlyAdmin):
    list_display = ("account", "kind", "team", "reason", "score", "claimed_by", "not_before", "done_at", "outcome")
    list_filter = (("done_at", admin.EmptyFieldListFilter), "kind", "team")
    list_select_related = ("account", "team", "claimed_by")
    search_help_text = "Account or customer id, exactly"
    own_ids = ()


@admin.register(Interaction)
class InteractionAdmin(ReadOnlyAdmin):
    list_display = ("at", "account", "kind", "direction", "disposition", "right_party", "agent", "duration_seconds")
    list_filter = ("kind", "direction")
    list_select_related = ("account", "agent")
    search_help_text = "Interaction, account or customer id, exactly"


@admin.register(Promise)
class PromiseAdmin(MoneyAdmin):
    list_display = ("ref", "account", "money", "made_on", "due_on", "status", "taken_by")
    list_filter = ("status",)
    search_help_text = "Promise, account or customer id, exactly"


class InstalmentsOfPlan(ReadOnlyInline):
    model = Instalment
    fields = ("due_on", "amount", "paid", "paid_on")
    ordering = ("position",)


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    list_display = ("ref", "account", "made_on", "status", "made_by", "decided_by", "settled_on")
    list_filter = ("status",)
    list_select_related = ("account",)
    search_help_text = "Plan, account or customer id, exactly"
    inlines = (InstalmentsOfPlan,)


@admin.register(Dispute)
class DisputeAdmin(MoneyAdmin):
    list_display = (
        "ref", "account", "bill_ref", "money", "reason", "stage", "assigned_to", "opened_on", "decide_by",
        "resolved_on", "outcome",
    )  # fmt: skip
    list_filter = ("stage", "outcome")
    list_select_related = ("account", "assigned_to")
    search_help_text = "Dispute, account or customer id, exactly"


class DisputeClockForm(MarketClockForm):
    last = "decide_days"
    too_early = "Receipt is confirmed before the decision, not after it."


@admin.register(DisputeClock)
class DisputeClockAdmin(MarketClockAdmin):
    """By when disputes of a market are confirmed and decided: for those that are opened from now on."""

    form = DisputeClockForm
    list_display = ("market", "acknowledge_days", "decide_days", "source")
