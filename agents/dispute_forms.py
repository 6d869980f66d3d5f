"""What is typed about a dispute: opening it with its evidence, working on it, deciding it, and finding it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Bill
from agents import disputes, evidence
from agents.file_types import ACCEPT, CannotTake, looked_at
from agents.forms import AmountField, Talk
from agents.models import Agent, Dispute
from agents.words import said

#: What is wrong, as agents note it; files and machines bring words of their own.
REASONS = (
    ("amount", gettext_lazy("The amount is wrong")),
    ("not_received", gettext_lazy("Service was not received")),
    ("quality", gettext_lazy("Quality was poor")),
    ("roaming", gettext_lazy("Roaming or premium charges")),
    ("already_paid", gettext_lazy("Paid already")),
    ("not_mine", gettext_lazy("Not my contract")),
    ("cancelled", gettext_lazy("Cancelled before")),
    ("other", gettext_lazy("Something else")),
)


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files at once, each looked at before anything is done with them."""

    def __init__(self, **options: Any) -> None:
        shown = {"accept": ACCEPT, "data-files": ""}
        super().__init__(widget=FilesInput(attrs=shown), max_length=255, **options)

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        """The files, read from the beginning again."""
        found = [super(FilesField, self).clean(file, initial) for file in data or ()]
        if self.required and not found:
            raise ValidationError(_("Choose a file."))
        for file in found:
            try:
                evidence.check_size(file)
                looked_at(file.name, file.read())
            except CannotTake as refusal:
                raise ValidationError(str(refusal)) from None
            file.seek(0)
        return found


class DisputeForm(Talk):
    bill = forms.ChoiceField(label=gettext_lazy("Which bill"))
    amount = AmountField(label=gettext_lazy("Contested amount"))
    reason = forms.ChoiceField(choices=REASONS, label=gettext_lazy("What is wrong"))
    note = forms.CharField(
        max_length=4000, label=gettext_lazy("In the customer's words"), widget=forms.Textarea(attrs={"rows": 3})
    )
    evidence = FilesField(required=False, label=gettext_lazy("Evidence"))

    def __init__(self, *args: Any, bills: Sequence[Bill] = (), **kwargs: Any) -> None:
        super().__init__(*args, bills=bills, **kwargs)
        which = self.fields["bill"]
        assert isinstance(which, forms.ChoiceField)
        which.choices = [(bill.ref, bill.ref) for bill in bills]


class EvidenceForm(forms.Form):
    evidence = FilesField(label=gettext_lazy("Files"))


class ResolveForm(forms.Form):
    """How a dispute ends; with an amount, it is upheld for so much only."""

    outcome = forms.ChoiceField(
        choices=Dispute.Outcome, error_messages={"required": gettext_lazy("Choose how it ends.")}
    )
    credited = AmountField(required=False, label=gettext_lazy("Credited"))
    told = forms.CharField(
        required=False,
        max_length=disputes.LONGEST_WORDS,
        label=gettext_lazy("What we found, for the customer"),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    note = forms.CharField(
        required=False, max_length=4000, label=gettext_lazy("For the file"), widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, currency: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        amount = self.fields["credited"]
        assert isinstance(amount, AmountField)
        amount.currency = currency

    def terms(self) -> dict[str, Any]:
        """The arguments of the decision: an amount belongs to what is upheld alone."""
        given = self.cleaned_data
        upheld = given["outcome"] == Dispute.Outcome.UPHELD
        return {
            "outcome": given["outcome"],
            "note": given["note"],
            "credited": given["credited"] if upheld else None,
            "told": given["told"] if given["outcome"] != Dispute.Outcome.WITHDRAWN else "",
        }


class DisputeNoteForm(forms.Form):
    text = forms.CharField(max_length=4000, label=gettext_lazy("Note"), widget=forms.Textarea(attrs={"rows": 2}))


class GiveForm(forms.Form):
    """Disputes for somebody: one, or those that are ticked."""

    dispute = forms.ModelMultipleChoiceField(queryset=Dispute.objects.none(), to_field_name="ref", required=False)
    to = forms.ModelChoiceField(queryset=Agent.objects.none(), to_field_name="username", required=False)

    def __init__(self, *args: Any, people: Sequence[Agent], rows: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        to, which = self.fields["to"], self.fields["dispute"]
        assert isinstance(to, forms.ModelChoiceField)
        assert isinstance(which, forms.ModelMultipleChoiceField)
        to.queryset = Agent.objects.filter(pk__in=[person.pk for person in people])
        if rows is not None:
            which.queryset = rows


class DisputeFilter(forms.Form):
    """What the list is narrowed to; what cannot be read narrows nothing."""

    stage = forms.ChoiceField(required=False, label=gettext_lazy("Stage"))
    reason = forms.ChoiceField(required=False, label=gettext_lazy("Reason"))
    country = forms.ChoiceField(required=False, label=gettext_lazy("Market"))
    least = forms.DecimalField(required=False, min_value=0, max_digits=18, decimal_places=3, label=gettext_lazy("From"))
    most = forms.DecimalField(required=False, min_value=0, max_digits=18, decimal_places=3, label=gettext_lazy("To"))

    def __init__(self, *args: Any, reasons: Sequence[str], countries: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stages = [(stage.value, said(stage.label)) for stage in Dispute.Stage if stage is not Dispute.Stage.CLOSED]
        listed = {
            "stage": [("", _("Every stage")), *stages],
            "reason": [("", _("Every reason")), *((code, reason_in_words(code)) for code in reasons)],
            "country": [("", _("Every market")), *((code, code) for code in countries)],
        }
        for name, choices in listed.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices
        for name in ("least", "most"):
            self.fields[name].widget.attrs |= {"inputmode": "decimal", "step": "any"}

    def wanted(self) -> dict[str, Any]:
        """The arguments of the list."""
        self.full_clean()
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}


def reason_in_words(code: str) -> str:
    """A reason as a person reads it; one of a file in its own words."""
    known = dict(REASONS).get(code)
    if known is not None:
        return str(known)
    text = code.replace("_", " ").strip()
    return text[:1].upper() + text[1:]
