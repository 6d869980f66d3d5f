"""Targets in the admin: what a figure should come to, for a team or for everybody, from a day on."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin import actor_of
from agents import kpis
from agents.models import KpiTarget
from agents.reporting import group_of


def _choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every figure under the title of its group, as the page has them."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for kpi in kpis.CATALOGUE:
        groups.setdefault(group_of(kpi), []).append((kpi.name, f"{kpi.title} ({kpi.unit})" if kpi.unit else kpi.title))
    return list(groups.items())


class KpiTargetForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own is not generic
    kpi = forms.ChoiceField(choices=_choices, widget=UnfoldAdminSelectWidget, label="Figure")

    class Meta:
        model = KpiTarget
        fields = ("kpi", "team", "aim", "value", "from_on")
        labels = {"from_on": "From"}
        help_texts = {
            "team": "Empty: every team that has no target of its own.",
            "value": "In the figure's unit: per cent as 85, not 0.85.",
            "from_on": "Days before keep the target they had.",
        }


@admin.register(KpiTarget)
class KpiTargetAdmin(ModelAdmin):
    """A target that was in force stays in the list; another takes its place from its day on."""

    form = KpiTargetForm
    list_display = ("kpi", "whose", "in_words", "from_on", "set_by")
    list_filter = ("team",)
    list_select_related = ("team",)
    ordering = ("kpi", "team__name", "-from_on")
    readonly_fields = ("set_by",)
    actions = None

    def save_model(self, request: HttpRequest, obj: KpiTarget, form: Any, change: bool) -> None:
        obj.set_by = actor_of(request)
        super().save_model(request, obj, form, change)

    @display(description="team", ordering="team__name")
    def whose(self, target: KpiTarget) -> str:
        return target.team.name if target.team else "every other team"

    @display(description="target")
    def in_words(self, target: KpiTarget) -> str:
        return f"{target.get_aim_display().lower()} {target.value.normalize():f}"
