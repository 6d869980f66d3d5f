"""What calls come to, and the words of the script, in the admin: as data, each column with what it does."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from agents import scripting
from agents.models import Disposition, ScriptText
from agents.scripting import Script, Spoken

_LANGUAGES = {
    "en": "English", "de": "German", "es": "Spanish", "fr": "French", "ar": "Arabic", "hi": "Hindi",
}  # fmt: skip


class DispositionForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own is not generic
    class Meta:
        model = Disposition
        exclude: tuple[str, ...] = ()
        labels = {
            "rang": "Something rang",
            "connected": "Somebody or something answered",
            "conversation": "There was a conversation",
            "right_party": "With the customer",
            "result": "The contact rules count it as",
            "phone": "Says of the number",
            "bad_number": "The number is not used again",
            "asks": "Opens next",
            "asks_reason": "Asks why it was not paid",
            "next_contact_hours": "Offered again after hours",
            "hold_reason": "Places a hold",
            "hold_days": "For so many days",
            "stops_contact": "Stops calls, SMS and e-mail",
        }
        help_texts = {
            "code": "Kept with every call: letters, digits and _; it does not change later",
            "right_party": "In a call that the desk made it can be chosen only once somebody was verified",
            "next_contact_hours": "Empty: when the day's score says so",
            "hold_days": "Empty: until somebody lifts it",
            "phone": "Theirs: good again. Somebody else's or dead: not used again",
            "key": "1 to 9, or none: then arrows and Shift with its first letter choose it",
        }

    def clean_key(self) -> str:
        key = str(self.cleaned_data["key"])
        if key and not key.isdecimal():
            raise forms.ValidationError("A digit from 1 to 9.")
        beside = Disposition.objects.filter(key=key, active=True).exclude(pk=self.instance.pk or "")
        if key and (taken := beside.first()) is not None:
            raise forms.ValidationError(f"Taken by {taken.label}.")
        return key

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("right_party") and not given.get("connected", True):
            self.add_error("right_party", "Whoever spoke with the customer was connected.")
        if given.get("hold_days") is not None and not given.get("hold_reason"):
            self.add_error("hold_reason", "Say which hold it places for so many days.")
        return given


@admin.register(Disposition)
class DispositionAdmin(ModelAdmin):
    form = DispositionForm
    list_display = ("label", "code", "key", "position", "counts_as", "brings", "active")
    list_editable = ("position", "active")
    list_filter = ("active",)
    ordering = ("position",)
    actions = None
    fieldsets = (
        (None, {"fields": (("code", "label"), ("key", "position"), "active")}),
        ("What it counts as", {"fields": (("rang", "connected", "conversation", "right_party"), "result")}),
        (
            "What follows",
            {
                "fields": (
                    ("asks", "asks_reason"), "next_contact_hours", ("phone", "bad_number"),
                    ("hold_reason", "hold_days"), "stops_contact",
                )
            },
        ),
    )  # fmt: skip

    @display(description="counts as")
    def counts_as(self, row: Disposition) -> str:
        return str(row.get_result_display()) or "-"

    @display(description="brings with it")
    def brings(self, row: Disposition) -> str:
        brings = []
        if row.asks:
            brings.append(str(row.get_asks_display()).lower())
        if row.hold_reason:
            days = f" for {row.hold_days} days" if row.hold_days is not None else ""
            brings.append(f"{str(row.get_hold_reason_display()).lower()} hold{days}")
        if row.stops_contact:
            brings.append("stops contact")
        if row.next_contact_hours is not None:
            brings.append(f"again after {row.next_contact_hours} h")
        return ", ".join(brings) or "-"

    def get_readonly_fields(self, request: HttpRequest, obj: Disposition | None = None) -> tuple[str, ...]:
        """Interactions keep the code."""
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Disposition | None = None) -> bool:
        """Set aside by ``active``; the history names it."""
        return False


class ScriptTextForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own is not generic
    situation = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    step = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    language = forms.ChoiceField(widget=UnfoldAdminSelectWidget, choices=list(_LANGUAGES.items()))

    class Meta:
        model = ScriptText
        fields = ("situation", "step", "language", "words", "prompt")
        widgets = {
            "words": UnfoldAdminTextareaWidget(attrs={"rows": 4, "dir": "auto"}),
            "prompt": UnfoldAdminTextareaWidget(attrs={"rows": 2, "dir": "auto"}),
        }
        help_texts = {"words": f"May name {', '.join(f'{{{name}}}' for name in scripting.NAMES)}"}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Fields that are shown only are not there.
        if (situation := self.fields.get("situation")) is not None:
            named = scripting.situation_words(scripting.DESK_LANGUAGE)
            assert isinstance(situation, forms.ChoiceField)
            situation.choices = [(scripting.EVERY, "Every situation that says nothing of its own"), *named.items()]
        if (step := self.fields.get("step")) is not None:
            assert isinstance(step, forms.ChoiceField)
            step.choices = list(scripting.step_words(scripting.DESK_LANGUAGE).items())

    def clean_words(self) -> str:
        words = str(self.cleaned_data["words"])
        if unknown := scripting.unknown_names(words):
            raise forms.ValidationError(f"Nobody knows {', '.join(f'{{{name}}}' for name in unknown)}.")
        return words

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        situation, step = given.get("situation"), given.get("step")
        if situation and step and situation != scripting.EVERY and step not in scripting.steps_of(situation):
            self.add_error("step", "That situation has no such step.")
        return given


@admin.register(ScriptText)
class ScriptTextAdmin(ModelAdmin):
    """The desk's own words over those that ship; taken away, those that ship are said again."""

    form = ScriptTextForm
    list_display = ("situation_named", "step", "language", "begins")
    list_filter = ("language", "situation", "step")
    ordering = ("situation", "step", "language")
    actions = None
    readonly_fields = ("as_shipped", "preview")
    fieldsets = (
        (None, {"fields": (("situation", "step", "language"), "words", "prompt")}),
        ("Beside it", {"fields": ("as_shipped", "preview")}),
    )

    @display(description="situation", ordering="situation")
    def situation_named(self, row: ScriptText) -> str:
        if row.situation == scripting.EVERY:
            return "Every situation"
        return scripting.situation_words(scripting.DESK_LANGUAGE).get(row.situation, row.situation)

    @display(description="words")
    def begins(self, row: ScriptText) -> str:
        return row.words[:80]

    @display(description="As shipped")
    def as_shipped(self, row: ScriptText) -> str:
        if not row.pk:
            return "Save once to see what it replaces."
        shipped = scripting.shipped_text(row.situation, row.step, row.language)
        return " ".join(part for part in (shipped.get("words", ""), shipped.get("prompt", "")) if part)

    @display(description="The whole script with it")
    def preview(self, row: ScriptText) -> str:
        if not row.pk:
            return "Save once to see it in its place."
        return render_to_string("admin/agents/scripttext/preview.html", {"script": previewed(row)})


def previewed(row: ScriptText) -> Script:
    """The script that the text belongs to, for a made-up customer."""
    since = date(2026, 1, 15)
    situation = scripting.situations()[-1] if row.situation == scripting.EVERY else row.situation
    return scripting.script(
        situation=situation,
        spoken=Spoken(
            operator=settings.DESK_OPERATOR["name"], agent="Nadia", customer="Sarah Example", account="A-1001",
            currency=settings.DESK_COST_CURRENCY, overdue=Decimal("120.50"), disputed=Decimal("30.00"), since=since,
            promised=Decimal("60.00"), promised_on=since + timedelta(days=21), until=since + timedelta(days=28),
        ),
        language=row.language,
        own_language=row.language,
        requires=scripting.sayable(),
        verified=True,
    )  # fmt: skip
