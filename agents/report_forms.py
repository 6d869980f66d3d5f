"""What is typed about a report by mail: when, of what, what is in it, and who gets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from agents import report_mail, reports, scopes, snapshots
from agents.interface_language import LANGUAGES
from agents.models import Agent, ReportSchedule, Snapshot
from agents.reporting import WEEKDAYS
from agents.reports import Terms
from agents.scopes import EVERYTHING, Scope
from agents.snapshots import Kept
from agents.words import said

Every = ReportSchedule.Every

EVERY = ((Every.DAY.value, _("Every day")), (Every.WEEK.value, _("Every week")), (Every.MONTH.value, _("Every month")))


class ReportForm(forms.Form):
    """One report; whether it may be ordered is for ``agents.reports`` to say. ``kept``: what is recorded of a day."""

    title = forms.CharField(max_length=120, label=_("Title"))
    every = forms.ChoiceField(choices=EVERY, label=_("How often"))
    weekday = forms.TypedChoiceField(coerce=int, required=False, label=_("Weekday, of a week"))
    month_day = forms.IntegerField(
        min_value=1, max_value=31, required=False, label=_("Day, of a month"), help_text=_("Or the last one")
    )
    hour = forms.TypedChoiceField(
        coerce=int, choices=[(hour, f"{hour:02d}:00") for hour in range(24)], label=_("Not before")
    )
    scope = forms.ChoiceField(label=_("Of what"))
    days = forms.TypedChoiceField(coerce=int, label=_("Length of the period"))
    currency = forms.ChoiceField(required=False, label=_("Currency"))
    parts = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, label=_("What is in it"))
    people = forms.ModelMultipleChoiceField(
        Agent.objects.none(), required=False, widget=forms.CheckboxSelectMultiple, label=_("Who gets it")
    )
    outside = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), label=_("Addresses outside"))

    def __init__(self, *args: Any, by: Agent, kept: list[Kept], schedule: ReportSchedule | None, **more: Any) -> None:
        more.setdefault("initial", _initial(by, schedule))
        super().__init__(*args, **more)
        self.schedule = schedule
        allowed = scopes.allowed(by)
        found = {one.scope for one in kept if allowed.covers(one.scope)} | _widest(by, allowed)
        if schedule is not None and allowed.covers(reports.scope_of(schedule)):
            found.add(reports.scope_of(schedule))
        self._choose("scope", _grouped(found))
        self._choose("days", [(days, _now("%(days)s days") % {"days": days}) for days in snapshots.WINDOWS])
        own = {schedule.currency} if schedule is not None else set()
        currencies = sorted({one.currency for one in kept} | own - {""})
        self._choose("currency", [("", _now("Each that is recorded")), *((code, code) for code in currencies)])
        self._choose("weekday", [(number, said(name)) for number, name in enumerate(WEEKDAYS, start=1)])
        self._choose("parts", [(code, said(words)) for code, words in reports.PARTS.items()])
        people = self.fields["people"]
        assert isinstance(people, forms.ModelMultipleChoiceField)
        people.queryset = reports.possible_readers(by)
        if not settings.DESK_REPORT_DOMAINS:
            del self.fields["outside"]
        else:
            self.fields["outside"].help_text = _now(
                "One a line, its language behind it (%(languages)s): anna@%(domain)s de. Domains: %(domains)s."
            ) % {
                "languages": ", ".join(LANGUAGES),
                "domain": settings.DESK_REPORT_DOMAINS[0],
                "domains": ", ".join(settings.DESK_REPORT_DOMAINS),
            }

    def _choose(self, name: str, choices: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean_scope(self) -> Scope:
        found = scopes.named(self.cleaned_data["scope"])
        if found is None:
            raise ValidationError(_now("A scope is written as all, or as team:North."))
        return found

    def clean_outside(self) -> list[tuple[str, str]]:
        """Addresses, each with its language where one is named."""
        found = []
        for line in self.cleaned_data["outside"].splitlines():
            address, _space, language = " ".join(line.split()).partition(" ")
            if address:
                found.append((address, language))
        return found

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("every") == Every.MONTH and not given.get("month_day") and "month_day" not in self.errors:
            self.add_error("month_day", _now("Say on which day."))
        return given

    def terms(self) -> Terms:
        """What was ordered, of a form that is valid."""
        given = self.cleaned_data
        return Terms(
            title=given["title"],
            every=given["every"],
            weekday=given["weekday"] or 1,
            month_day=given["month_day"] or 1,
            hour=given["hour"],
            scope=given["scope"],
            days=given["days"],
            currency=given["currency"],
            parts=given["parts"],
            people=list(given["people"]),
            outside=given.get("outside", []),
        )


def _initial(by: Agent, schedule: ReportSchedule | None) -> dict[str, Any]:
    if schedule is None:
        return {
            "every": Every.WEEK, "weekday": 1, "month_day": 1, "hour": 7, "days": 7, "parts": list(reports.PARTS),
            "people": [by.pk], "scope": str(next(iter(_widest(by, scopes.allowed(by))), EVERYTHING)),
        }  # fmt: skip
    listed = [row for row in schedule.recipients.all() if row.left_at is None]
    outside = [f"{row.address} {row.language}".strip() for row in listed if row.address]
    return {
        "title": schedule.title, "every": schedule.every, "weekday": schedule.weekday,
        "month_day": schedule.month_day, "hour": schedule.hour, "scope": str(reports.scope_of(schedule)),
        "days": schedule.days, "currency": schedule.currency, "parts": schedule.parts,
        "people": [row.agent_id for row in listed if row.agent_id is not None], "outside": "\n".join(outside),
    }  # fmt: skip


def _widest(by: Agent, allowed: scopes.Allowed) -> set[Scope]:
    """The widest scope that is theirs, recorded or not."""
    if allowed.everything:
        return {EVERYTHING}
    return {Scope(Snapshot.Dimension.TEAM, by.team.name)} if by.team is not None else set()


def _grouped(found: set[Scope]) -> Iterator[tuple[str, Any]]:
    """The whole book, then each dimension under its name."""
    if EVERYTHING in found:
        yield str(EVERYTHING), report_mail.scope_in_words(EVERYTHING)
    for dimension, label in Snapshot.Dimension.choices:
        members = sorted(one.member for one in found if one.dimension == dimension and one != EVERYTHING)
        if members:
            yield said(label), [(str(Scope(dimension, member)), member or _now("none")) for member in members]
