"""What the clocks of disputes and of complaints share in the admin: a line a market, and one for every other."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from dunning import workdays


class MarketClockForm(ModelForm):  # type: ignore[type-arg]  # Django's own is not generic
    """``last`` names the column of the clock's end, which does not come before the receipt is confirmed."""

    last = ""
    too_early = ""

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).upper()
        if country and not workdays.is_known(country):
            raise ValidationError("Not a country whose working days are known, such as GB.")
        return country

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("acknowledge_days", 0) > given.get(self.last, 0) and self.last in given:
            self.add_error(self.last, self.too_early)
        return given


class MarketClockAdmin(ModelAdmin):
    ordering = ("country",)
    actions = None

    @display(description="market", ordering="country")
    def market(self, clock: Any) -> str:
        return clock.country or "every other"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The line of every other market stays that."""
        return ("country",) if obj is not None and not obj.country else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Every market has a clock: its own, or that of every other."""
        return bool(super().has_delete_permission(request, obj)) and (obj is None or bool(obj.country))
