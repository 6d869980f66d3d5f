"""The checks of words in the admin: edited, switched on and off, with how often people found each of them right."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from agents import findings
from agents.models import WordCheck
from agents.word_checks import BUILT_IN
from dunning.tone import RuleError, compiled

SEVERITY_COLOURS = {"Breach": "danger", "Warning": "warning", "Note": "info"}


class LinesField(forms.Field):
    """A list of texts, one on each line."""

    def __init__(self, *, longest: int, **options: Any) -> None:
        self.longest = longest
        super().__init__(widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}), required=False, **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> list[str]:
        lines = [line.strip() for line in str(value or "").splitlines()]
        return list(dict.fromkeys(line for line in lines if line))

    def validate(self, value: Any) -> None:
        super().validate(value)
        for line in value:
            if len(line) > self.longest:
                raise ValidationError(f"At most {self.longest} signs on a line: {line[:40]} …")


class WordCheckForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own is not generic
    kinds = forms.MultipleChoiceField(
        choices=WordCheck.Kind.choices, widget=forms.CheckboxSelectMultiple, label="Looked for in"
    )
    words = LinesField(
        longest=80, label="Words and phrases", help_text="One on a line; whole words in any case; a star: any ending"
    )
    patterns = LinesField(longest=200, label="Patterns", help_text="Regular expressions, one on a line")

    class Meta:
        model = WordCheck
        fields = ("code", "title", "kinds", "languages", "severity", "why", "words", "patterns", "active")

    def clean_patterns(self) -> list[str]:
        patterns: list[str] = self.cleaned_data["patterns"]
        for pattern in patterns:
            try:
                compiled(pattern, "Pattern")
            except RuleError as problem:
                raise ValidationError(str(problem)) from problem
        return patterns

    def clean_languages(self) -> list[str]:
        return [code.strip().lower() for code in self.cleaned_data["languages"] or [] if code.strip()]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        code = given.get("code") or self.instance.code
        if code not in BUILT_IN and not self.errors and not (given.get("words") or given.get("patterns")):
            self.add_error("words", "What is looked for?")
        return given


@admin.register(WordCheck)
class WordCheckAdmin(ModelAdmin):
    """From the next close of a day on, what is written down and sent is judged by what stands here."""

    form = WordCheckForm
    list_display = ("title", "code", "where", "coloured", "active", "found", "looked_at", "right")
    list_filter = ("severity", "active")
    search_fields = ("code", "title")
    ordering = ("code",)
    actions = None
    list_per_page = 100

    def get_queryset(self, request: HttpRequest) -> QuerySet[WordCheck]:
        """With what people said to what each found. One query more."""
        checks: QuerySet[WordCheck] = super().get_queryset(request)
        said = findings.precision()

        def count(of: str) -> Case:
            cases = [When(code=one.check, then=Value(getattr(one, of))) for one in said]
            return Case(*cases, default=Value(0), output_field=IntegerField())

        return checks.annotate(found_count=count("found"), right_count=count("right"), wrong_count=count("wrong"))

    @display(description="looked for in")
    def where(self, check: WordCheck) -> str:
        labels = dict(WordCheck.Kind.choices)
        languages = f" ({', '.join(check.languages)})" if check.languages else ""
        return ", ".join(str(labels[kind]) for kind in check.kinds) + languages

    @display(description="severity", ordering="severity", label=SEVERITY_COLOURS)
    def coloured(self, check: WordCheck) -> str:
        return str(check.get_severity_display())

    @display(description="found", ordering="found_count")
    def found(self, check: Any) -> int:
        return int(check.found_count)

    @display(description="judged by people")
    def looked_at(self, check: Any) -> int:
        return int(check.right_count + check.wrong_count)

    @display(description="of them right")
    def right(self, check: Any) -> str:
        looked = check.right_count + check.wrong_count
        return f"{check.right_count / looked:.0%}" if looked else "n/a"

    def get_readonly_fields(self, request: HttpRequest, obj: WordCheck | None = None) -> tuple[str, ...]:
        """Findings name their check by its code."""
        return ("code", "found", "looked_at", "right") if obj is not None else ()

    def get_fields(self, request: HttpRequest, obj: WordCheck | None = None) -> tuple[str, ...]:
        fields = ("code", "title", "kinds", "languages", "severity", "why", "words", "patterns", "active")
        return (*fields, "found", "looked_at", "right") if obj is not None else fields

    def has_delete_permission(self, request: HttpRequest, obj: WordCheck | None = None) -> bool:
        """What is built in is switched off instead."""
        return bool(super().has_delete_permission(request, obj)) and (obj is None or obj.code not in BUILT_IN)
