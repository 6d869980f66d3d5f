"""What is typed about a complaint: taking it, working on it, answering it, and finding it again."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents import complaints
from agents.forms import AmountField, Talk
from agents.models import Agent, Complaint

_WORDS = {
    "conduct": gettext_lazy("How we behaved"),
    "contact": gettext_lazy("How often or when we contact them"),
    "amount": gettext_lazy("An amount or a fee"),
    "service": gettext_lazy("A service that was limited"),
    "agreement": gettext_lazy("An agreement we did not keep"),
    "help": gettext_lazy("Help they did not get"),
    "privacy": gettext_lazy("Personal data"),
    "other": gettext_lazy("Something else"),
}
_BY = {
    "call": gettext_lazy("Call"),
    "email": gettext_lazy("E-mail"),
    "letter": gettext_lazy("Letter"),
    "sms": gettext_lazy("SMS"),
    "in_app": gettext_lazy("In-app"),
    "page": gettext_lazy("Their own page"),
    "visit": gettext_lazy("Visit"),
    "regulator": gettext_lazy("Regulator or ombudsman"),
}
#: Categories and channels in words, in the order of ``agents.complaints``.
CATEGORIES = tuple((code, _WORDS[code]) for code in complaints.CATEGORIES)
CHANNELS = tuple((code, _BY[code]) for code in complaints.CHANNELS)


class ComplaintForm(Talk):
    """A complaint, taken on the account's page."""

    category = forms.ChoiceField(choices=CATEGORIES, label=gettext_lazy("What it is about"))
    channel = forms.ChoiceField(choices=CHANNELS, label=gettext_lazy("How it reached us"))
    about = forms.ModelChoiceField(
        queryset=Agent.objects.none(),
        to_field_name="username",
        required=False,
        label=gettext_lazy("About whom"),
        empty_label=gettext_lazy("Nobody in particular"),
    )
    text = forms.CharField(
        max_length=complaints.LONGEST_TEXT,
        label=gettext_lazy("In the customer's words"),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    pauses = forms.BooleanField(required=False, label=gettext_lazy("Contact about the debt waits for the answer"))

    def __init__(self, *args: Any, spoke: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        about = self.fields["about"]
        assert isinstance(about, forms.ModelChoiceField)
        if spoke is not None:
            about.queryset = Agent.objects.filter(pk__in=[person.pk for person in spoke])


class AnswerForm(forms.Form):
    """How a complaint ends."""

    outcome = forms.ChoiceField(
        choices=Complaint.Outcome, error_messages={"required": gettext_lazy("Choose how it ends.")}
    )
    answer = forms.CharField(
        required=False,
        max_length=complaints.LONGEST_ANSWER,
        label=gettext_lazy("Our answer, for the customer"),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    cause = forms.CharField(
        required=False, max_length=complaints.LONGEST_CAUSE, label=gettext_lazy("What went wrong, for us")
    )
    redress = AmountField(required=False, label=gettext_lazy("To be credited by billing"))

    def __init__(self, *args: Any, currency: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        amount = self.fields["redress"]
        assert isinstance(amount, AmountField)
        amount.currency = currency

    def terms(self) -> dict[str, Any]:
        """The arguments of the answer: a cause and an amount belong to what is upheld, words to what is answered."""
        given = self.cleaned_data
        upheld = given["outcome"] in (Complaint.Outcome.UPHELD, Complaint.Outcome.PARTLY_UPHELD)
        redress: Decimal | None = given["redress"] if upheld else None
        return {
            "outcome": given["outcome"],
            "answer": given["answer"] if given["outcome"] != Complaint.Outcome.WITHDRAWN else "",
            "cause": given["cause"] if upheld else "",
            "redress": redress,
        }


class ComplaintNoteForm(forms.Form):
    text = forms.CharField(max_length=4000, label=gettext_lazy("Note"), widget=forms.Textarea(attrs={"rows": 2}))


class GiveComplaintsForm(forms.Form):
    """Complaints that are ticked, for somebody."""

    complaint = forms.ModelMultipleChoiceField(queryset=Complaint.objects.none(), to_field_name="ref", required=False)
    to = forms.ModelChoiceField(queryset=Agent.objects.none(), to_field_name="username", required=False)

    def __init__(self, *args: Any, people: Sequence[Agent], rows: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        to, which = self.fields["to"], self.fields["complaint"]
        assert isinstance(to, forms.ModelChoiceField)
        assert isinstance(which, forms.ModelMultipleChoiceField)
        to.queryset = Agent.objects.filter(pk__in=[person.pk for person in people])
        which.queryset = rows


class ComplaintFilter(forms.Form):
    """What the list is narrowed to; what cannot be read narrows nothing."""

    category = forms.ChoiceField(required=False, label=gettext_lazy("About"))
    channel = forms.ChoiceField(required=False, label=gettext_lazy("Came by"))
    country = forms.ChoiceField(required=False, label=gettext_lazy("Market"))

    def __init__(self, *args: Any, countries: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        listed: dict[str, list[tuple[str, Any]]] = {
            "category": [("", _("Everything")), *CATEGORIES],
            "channel": [("", _("Every way")), *CHANNELS],
            "country": [("", _("Every market")), *((code, code) for code in countries)],
        }
        for name, choices in listed.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def wanted(self) -> dict[str, str]:
        """The arguments of the list."""
        self.full_clean()
        return {name: value for name, value in self.cleaned_data.items() if value}


def category_in_words(code: str) -> str:
    """What a complaint is about, as a person reads it."""
    return str(_WORDS.get(code, code))


def channel_in_words(code: str) -> str:
    """How it reached us, as a person reads it."""
    return str(_BY.get(code, code))
