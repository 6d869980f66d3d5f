"""Who stands in for whom, as it is typed."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents import delegations
from agents.forms import DayInput
from agents.models import Agent


class DelegationForm(forms.Form):
    """Of whom only for those who say it for others; whether it may be is for ``delegations.make`` to say."""

    of = forms.ModelChoiceField(Agent.objects.none(), label=_("In whose place"), to_field_name="username")
    to = forms.ModelChoiceField(Agent.objects.none(), label=_("Who decides"), to_field_name="username")
    from_on = forms.DateField(label=_("From"), widget=DayInput)
    until_on = forms.DateField(label=_("Until, that day included"), widget=DayInput)
    reason = forms.CharField(label=_("Why"), max_length=200)

    def __init__(self, *args: Any, by: Agent, as_of: date, **options: Any) -> None:
        options.setdefault("initial", {"of": by.username, "from_on": as_of, "until_on": as_of})
        super().__init__(*args, **options)
        people = delegations.people()
        of, to = self.fields["of"], self.fields["to"]
        assert isinstance(of, forms.ModelChoiceField)
        assert isinstance(to, forms.ModelChoiceField)
        if delegations.makes_for_others(by):
            of.queryset = people
        else:
            of.queryset = people.filter(pk=by.pk)
            of.widget = of.hidden_widget()
        # Nobody puts themselves in another's place.
        to.queryset = people.exclude(pk=by.pk)
