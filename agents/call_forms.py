"""What is typed about a call: before it is dialled, and when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents import dialling, identity, reasons, scripting
from agents.forms import AmountField, DayInput, MomentInput, Talk
from agents.models import Disposition, Interaction, Promise


class CallForm(Talk):
    """A call and what it came to."""

    direction = forms.ChoiceField(choices=Interaction.Direction, initial=Interaction.Direction.OUTBOUND)
    number = forms.CharField(required=False, max_length=40)
    disposition = forms.ModelChoiceField(
        queryset=Disposition.objects.none(), error_messages={"required": _("Say what the call came to.")}
    )
    right_party = forms.BooleanField(required=False, label=_("I spoke with the customer, verified"))
    duration_seconds = forms.IntegerField(required=False, min_value=0, max_value=86_400)
    started_at = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    #: The call that the desk knows of, so that it is logged once.
    call = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    callback_at = forms.DateTimeField(required=False, widget=MomentInput, label=_("Call back at, their time"))
    amount = AmountField(required=False, label=_("Promised amount"))
    due_on = forms.DateField(required=False, widget=DayInput, label=_("Promised for"))
    nonpayment_reason = forms.ChoiceField(required=False, label=_("Why it was not paid"))
    said = forms.MultipleChoiceField(required=False)
    note = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 1}))
    override_code = forms.CharField(required=False, max_length=30)
    override_reason = forms.CharField(required=False, max_length=300, label=_("In words"))

    def __init__(self, *args: Any, dispositions: Sequence[Disposition] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dispositions = dispositions
        chosen, why, said = (self.fields[name] for name in ("disposition", "nonpayment_reason", "said"))
        assert isinstance(chosen, forms.ModelChoiceField)
        assert isinstance(why, forms.ChoiceField)
        assert isinstance(said, forms.MultipleChoiceField)
        chosen.queryset = Disposition.objects.filter(active=True)
        why.choices = [("", _("Not said")), *reasons.REASONS.items()]
        said.choices = [(code, code) for code in sorted(scripting.sayable())]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        disposition: Disposition | None = given.get("disposition")
        if disposition is None:
            return given
        if disposition.asks == Disposition.Asks.PROMISE and not self._promised_already():
            missing = {"amount": _("Say how much was promised."), "due_on": _("Say by when it will be paid.")}
            for name, text in missing.items():
                if given.get(name) is None and name not in self.errors:
                    self.add_error(name, str(text))
        if disposition.asks == Disposition.Asks.CALLBACK and given.get("callback_at") is None:
            self.add_error("callback_at", str(_("Say when to call back.")))
        return given

    def _promised_already(self) -> bool:
        """Whether the promise of this call was made, read back and agreed to beside it: then it is not told again."""
        given = self.cleaned_data
        if not given.get("call") or any(given.get(name) or name in self.errors for name in ("amount", "due_on")):
            return False
        made = Promise.objects.filter(account__live_calls__ref=given["call"], made_on=self.as_of)
        return made.filter(status=Promise.Status.OPEN).exists()


class IdentityForm(forms.Form):
    """What matched and what did not, of whoever is on the line."""

    party = forms.CharField(required=False, max_length=20)
    matched = forms.MultipleChoiceField(required=False, choices=[(code, code) for code in identity.DETAILS])
    failed = forms.MultipleChoiceField(required=False, choices=[(code, code) for code in identity.DETAILS])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_bound:
            # One choice a detail: the page sends ``detail.email=matched``.
            ticked = {"matched": list[str](), "failed": list[str]()}
            for name, value in self.data.items():
                code = str(name).partition("detail.")[2]
                if code and value in ticked:
                    ticked[str(value)].append(code)
            data: Any = self.data
            data = data.copy()
            for kind, codes in ticked.items():
                data.setlist(kind, [*data.getlist(kind), *codes])
            self.data = data

    def clean_party(self) -> int | None:
        """The representative on the line; none for the customer."""
        given = self.cleaned_data["party"]
        if given in ("", identity.CUSTOMER):
            return None
        if not given.isdecimal():
            raise forms.ValidationError(_("Say who is on the line."))
        return int(given)


class GiveUpForm(forms.Form):
    """Why there is nothing to log of a call."""

    reason = forms.ChoiceField(
        choices=list(dialling.GIVEN_UP.items()), error_messages={"required": _("Say why there is nothing to log.")}
    )
