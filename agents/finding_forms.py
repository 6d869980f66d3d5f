"""How a supervisor narrows the list of what the checks found."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from agents.findings import Choices
from agents.models import Severity, Subject

OPEN = "open"
VERDICTS = (("", _("Any")), (OPEN, _("Nobody looked yet")), ("right", _("Right")), ("wrong", _("Wrong")))
ANY = ("", _("Any"))


class FindingFilter(forms.Form):
    """What of the findings is listed; everything is optional, and what makes no sense is left out."""

    agent = forms.ChoiceField(required=False, label=_("Whose work"))
    of = forms.ChoiceField(required=False, label=_("Found in"), choices=[ANY, *Subject.choices])
    check = forms.ChoiceField(required=False, label=_("Check"))
    severity = forms.ChoiceField(required=False, label=_("How much"), choices=[ANY, *Severity.choices])
    step = forms.ChoiceField(required=False, label=_("Policy and step"))
    verdict = forms.ChoiceField(required=False, label=_("Verdict"), choices=VERDICTS)
    since = forms.DateField(required=False, label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label=_("Until"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: Any, *, found: Choices, checks: list[tuple[str, str]]) -> None:
        super().__init__(data)
        steps = [(f"{policy} {step}", f"{policy}: {step}") for policy, step in found.steps]
        for name, choices in (("agent", found.people), ("check", checks), ("step", steps)):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [ANY, *choices]

    def wanted(self) -> dict[str, Any]:
        """What was asked for, as ``findings.shown`` takes it, without what cannot be read."""
        self.is_valid()
        said = {name: value for name, value in self.cleaned_data.items() if value}
        policy, _space, step = str(said.pop("step", "")).partition(" ")
        wanted = {**said, "policy": policy, "step": step}
        zone = ZoneInfo(settings.DESK_TIME_ZONE)
        if "since" in said:
            wanted["since"] = datetime.combine(said["since"], time(), tzinfo=zone)
        if "until" in said:
            wanted["until"] = datetime.combine(said["until"] + timedelta(days=1), time(), tzinfo=zone)
        return {name: value for name, value in wanted.items() if value}
