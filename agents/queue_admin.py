"""Orders of the queue in the admin: what each part of the score weighs, for a team or for all, and who said so when."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from accounts.admin import actor_of
from agents import orders, priority
from agents.models import CallEffect, QueueOrder

_WEIGHTS = tuple(f"weight_{part}" for part in priority.WEIGHED)


def _percent() -> forms.IntegerField:
    return forms.IntegerField(
        required=False, min_value=0, max_value=priority.WEIGHS_MOST, widget=UnfoldAdminIntegerFieldWidget
    )


class QueueOrderForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own is not generic
    """The weights are one field a part of ``priority.WEIGHED``; they are kept together."""

    weight_amount = _percent()
    weight_chance = _percent()
    weight_broken_promises = _percent()
    weight_age = _percent()
    weight_value = _percent()
    weight_silence = _percent()
    weight_vulnerable = _percent()

    class Meta:
        model = QueueOrder
        fields = ("name", "team", "first", "in_force")
        help_texts = {
            "team": "Empty: every team that has no order of its own.",
            "in_force": "One order is in force a team: this one takes the place of the one before, at once.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for part, label in priority.WEIGHED.items():
            # A field that is shown only, because the order is in force, is not there.
            if (field := self.fields.get(f"weight_{part}")) is not None:
                field.label = f"{label} (%)"
                field.initial = self.instance.weights.get(part, priority.WEIGHS)

    def weights(self) -> dict[str, int]:
        """What differs from 100 %."""
        given = {part: self.cleaned_data.get(f"weight_{part}") for part in priority.WEIGHED}
        return {part: weight for part, weight in given.items() if weight is not None and weight != priority.WEIGHS}


@admin.register(QueueOrder)
class QueueOrderAdmin(ModelAdmin):
    """An order in force is not edited: another takes its place, so that the list says how the queue was worked since
    when. What is in force, and its weights, is an event of the audit trail too.
    """

    form = QueueOrderForm
    list_display = ("name", "whose", "first", "in_words", "in_force", "made_by", "made_at")
    list_filter = ("in_force", "team")
    list_select_related = ("team",)
    ordering = ("-in_force", "-made_at", "-pk")
    actions = None
    fieldsets = (
        (None, {"fields": ("name", ("team", "first"), "in_force")}),
        (
            "Each part of the score weighs",
            {"fields": tuple(zip(_WEIGHTS[::2], _WEIGHTS[1::2], strict=False)) + _WEIGHTS[-1:]},
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: QueueOrder | None = None) -> Any:
        if obj is not None and (obj.in_force or not self.has_change_permission(request, obj)):
            return ((None, {"fields": ("name", ("team", "first"), "in_words", "in_force", ("made_by", "made_at"))}),)
        return self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: QueueOrder | None = None) -> tuple[str, ...]:
        in_force = ("name", "team", "first", "in_words", "made_by", "made_at")
        return in_force if obj is not None and obj.in_force else ("in_words", "made_by", "made_at")

    def has_delete_permission(self, request: HttpRequest, obj: QueueOrder | None = None) -> bool:
        """The list is the history."""
        return False

    def save_model(self, request: HttpRequest, obj: QueueOrder, form: Any, change: bool) -> None:
        """Written through the room, so that putting in force ends the one before and scores what is open."""
        at, actor = timezone.now(), actor_of(request)
        force = bool(form.cleaned_data.get("in_force"))
        if change and form.initial.get("in_force"):
            if not force:
                changed = orders.end(order_id=obj.pk, actor=actor, at=at)
                self.message_user(request, f"No longer in force; {changed} items were scored anew.", messages.SUCCESS)
            return
        obj.weights, obj.made_by, obj.made_at, obj.in_force = form.weights(), actor, at, False
        super().save_model(request, obj, form, change)
        if force:
            changed = orders.put_in_force(order_id=obj.pk, actor=actor, at=at)
            self.message_user(request, f"In force; {changed} items were scored anew.", messages.SUCCESS)

    @display(description="team", ordering="team__name")
    def whose(self, order: QueueOrder) -> str:
        return order.team.name if order.team else "every other team"

    @display(description="weights")
    def in_words(self, order: QueueOrder) -> str:
        if order.first != QueueOrder.First.SCORE:
            return "-"
        weighed = [
            f"{label} {order.weights[part]} %" for part, label in priority.WEIGHED.items() if part in order.weights
        ]
        return ", ".join(weighed) or "every part 100 %"


@admin.register(CallEffect)
class CallEffectAdmin(ModelAdmin):
    """What the chance of a call rests on, to look at."""

    list_display = ("band", "calls", "helped", "share", "counted_on")
    ordering = ("band",)
    actions = None

    @display(description="share")
    def share(self, effect: CallEffect) -> str:
        return f"{round(100 * effect.helped / effect.calls)} %" if effect.calls else "-"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: CallEffect | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: CallEffect | None = None) -> bool:
        return False
