"""A policy as a form: the same document as in a file, checked by the same rules, each problem beside its field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from dunning import policy_file
from dunning.models import Policy, PolicyVersion, Step
from dunning.policy_file import Problem
from dunning.wording_texts import standard_wordings

_RUNGS = {
    "throttled": "Throttled",
    "outgoing_barred": "Outgoing calls barred",
    "suspended": "Suspended",
    "disconnected": "Disconnected",
}


class AmountField(forms.CharField):
    """``10.00`` for every currency, or ``USD 10.00, EUR 9.00``; decimals are judged with the rest of the policy."""

    widget = UnfoldAdminTextInputWidget

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return ", ".join(f"{currency} {amount}" for currency, amount in value.items())
        return value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text or not any(sign.isalpha() for sign in text):
            return text or None
        amounts: dict[str, str] = {}
        for part in text.split(","):
            words = part.split()
            if len(words) != 2 or words[0].upper() in amounts:
                raise ValidationError("One amount, or one for each currency such as: USD 10.00, EUR 9.00")
            amounts[words[0].upper()] = words[1]
        return amounts


class ListField(forms.CharField):
    """Several words between commas, in order."""

    widget = UnfoldAdminTextInputWidget

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        return [word for part in (super().to_python(value) or "").split(",") if (word := part.strip())]


class CountField(forms.IntegerField):
    widget = UnfoldAdminIntegerFieldWidget


def _text(**options: Any) -> forms.CharField:
    return forms.CharField(widget=UnfoldAdminTextInputWidget(), **{"required": False, **options})


def _choice(choices: Iterable[tuple[str, str]], **options: Any) -> forms.ChoiceField:
    return forms.ChoiceField(choices=list(choices), widget=UnfoldAdminSelectWidget(), **{"required": False, **options})


def _audience(said: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {key: said.get(f"{prefix}{key}") for key in policy_file.AUDIENCE}


#: Where a problem of the document shows on the form; the longest beginning of its path counts.
_FIELD_OF = {
    "code": "code",
    "name": "name",
    "priority": "priority",
    "applies_to.kind": "kind",
    "applies_to.product": "product",
    "applies_to.segment": "segment",
    "applies_to.min_tenure_days": "min_tenure_days",
    "enters.min_amount": "enter_min_amount",
    "enters.min_days": "enter_min_days",
    "exits.max_amount": "exit_max_amount",
    "min_gap_days": "min_gap_days",
    "calendar.country": "calendar_country",
    "calendar.region": "calendar_region",
    "calendar.roll": "calendar_roll",
    "calendar.count": "calendar_count",
    "fees.late_fee": "late_fee",
    "fees.late_fee.percent": "late_fee_percent",
    "fees.late_fee.combine": "late_fee_combine",
    "fees.reconnection_fee": "reconnection_fee",
    "agency": "agency",
    "limits_children": "limits_children",
    "after_broken": "after_broken",
}


class VersionForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's own is not generic
    """A draft, all but its steps."""

    code = _text(required=True, help_text="What the policy is called in files and reports. It cannot be changed later.")
    kind = ListField(label="Kinds of customer", help_text="residential, business; empty: every customer")
    product = ListField(label="Products", help_text="Between commas; empty: all")
    segment = ListField(label="Segments", help_text="Between commas; empty: all")
    min_tenure_days = CountField(required=False, min_value=0, label="Days with us, at least")
    enter_min_amount = AmountField(
        label="A case opens at", initial="10.00", help_text="Past due, at least. One amount, or: USD 10.00, EUR 9.00"
    )
    exit_max_amount = AmountField(label="It closes at", initial="0.00", help_text="At most this left past due")
    late_fee = AmountField(initial="0.00", help_text="One amount, or: USD 10.00, EUR 9.00")
    late_fee_percent = _text(label="Late fee, percent", help_text="Of what is past due, undisputed and not held")
    late_fee_combine = _choice(
        [("sum", "Both together"), ("min", "The lesser of the two"), ("max", "The greater of the two")],
        label="Amount and percent",
        help_text="Where both are given",
    )
    reconnection_fee = AmountField(initial="0.00")
    calendar_roll = _choice(
        [("next_working_day", "On the next working day"), ("none", "On any day")], label="What hurts happens"
    )
    calendar_count = _choice(
        [("calendar_days", "Every day"), ("working_days", "Working days only")],
        label="Days of steps count",
        help_text="From the due date on, in the country named here or else the customer's",
    )

    class Meta:
        model = PolicyVersion
        fields = (
            "name", "priority", "enter_min_amount", "enter_min_days", "exit_max_amount", "min_gap_days",
            "calendar_country", "calendar_region", "calendar_roll", "calendar_count", "late_fee", "reconnection_fee",
            "agency", "limits_children", "after_broken",
        )  # fmt: skip
        labels = {
            "enter_min_days": "Days past due, at least",
            "min_gap_days": "Days between two steps",
            "calendar_country": "Country",
            "calendar_region": "Region",
            "limits_children": "Limit the services of accounts that this one pays for",
            "after_broken": "After a broken promise or plan, on at",
        }
        help_texts = {
            "priority": "Higher is asked first; the first policy that applies is taken",
            "calendar_country": "Whose public holidays count, such as US",
            "agency": "For steps that name none",
            "after_broken": "The code of a step: those before it are passed over; empty: where the case stands",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        instance: PolicyVersion | None = options.get("instance")
        if instance is not None and instance.applies_to:
            options["initial"] = {**_audience(instance.applies_to), **(options.get("initial") or {})}
        if instance is not None and policy_file.is_fee_rule(instance.late_fee):
            rule = {"late_fee": instance.late_fee["amount"]}
            rule |= {f"late_fee_{key}": instance.late_fee[key] for key in ("percent", "combine")}
            options["initial"] = {**rule, **(options.get("initial") or {})}
        super().__init__(*args, **options)
        if instance is not None and instance.pk and "code" in self.fields:
            del self.fields["code"]

    def document(self, steps: list[dict[str, Any]]) -> dict[str, Any]:
        """The policy as its file says it, as far as the fields are filled."""
        said = self.cleaned_data
        return {
            "code": self.instance.policy.code if self.instance.pk else said.get("code") or None,
            "name": said.get("name"),
            "priority": said.get("priority"),
            "applies_to": {**_audience(said), "min_tenure_days": said.get("min_tenure_days") or 0},
            "enters": {"min_amount": said.get("enter_min_amount"), "min_days": said.get("enter_min_days")},
            "exits": {"max_amount": said.get("exit_max_amount")},
            "min_gap_days": said.get("min_gap_days"),
            "calendar": {
                "country": (said.get("calendar_country") or "").upper(),
                "region": said.get("calendar_region") or "",
                "roll": said.get("calendar_roll") or "",
                "count": said.get("calendar_count") or policy_file.COUNTS[0],
            },
            "fees": {"late_fee": self._late_fee(), "reconnection_fee": said.get("reconnection_fee")},
            "agency": said.get("agency") or None,
            "limits_children": bool(said.get("limits_children")),
            "after_broken": (said.get("after_broken") or "").strip() or None,
            "steps": steps,
        }

    def _late_fee(self) -> Any:
        said = self.cleaned_data
        amount, percent = said.get("late_fee"), (said.get("late_fee_percent") or "").removesuffix("%").strip()
        if not percent:
            return amount
        return {"amount": amount, "percent": percent, "combine": said.get("late_fee_combine") or None}

    def clean(self) -> dict[str, Any]:
        super().clean()
        for problem in policy_file.check(self.document(steps=[])):
            name = next((_FIELD_OF[path] for path in _beginnings(problem.path) if path in _FIELD_OF), None)
            if name not in self.errors:
                self.add_error(name if name in self.fields else None, _sentence(problem))
        if not self.instance.pk and (code := self.cleaned_data.get("code")):
            drafts = PolicyVersion.objects.filter(policy__code=code, state=PolicyVersion.State.DRAFT)
            if "code" not in self.errors and drafts.exists():
                self.add_error("code", "This policy has a draft already: change that one.")
        return self.cleaned_data


class StepForm(forms.ModelForm):  # type: ignore[type-arg]
    """A step; only what its action asks for is kept."""

    channels = ListField(help_text="sms, email, letter, in_app: the preferred one first")
    all_channels = forms.BooleanField(
        required=False, widget=UnfoldBooleanWidget(), label="On every channel", help_text="not the first that reaches"
    )
    template = _text(help_text="The wording: " + ", ".join(sorted(standard_wordings().template_codes())))
    pay_by_days = CountField(required=False, min_value=1, label="Pay within days")
    rung = _choice([("", "-"), *_RUNGS.items()], label="Limit to")
    warned_by = _text(label="Warned by", help_text="The code of the notice that warns of it")
    notice_days = CountField(required=False, min_value=0, label="Days after its delivery")
    fee = _choice([("", "Late fee"), ("reconnection_fee", "Reconnection fee")])
    reason = _text(
        max_length=200, label="What the agents read", help_text="Why it comes to them; empty: the step's code"
    )
    position = forms.IntegerField(required=False, widget=forms.HiddenInput, label="")
    agency = _text(help_text="Empty: the policy's")
    approval = forms.BooleanField(required=False, widget=UnfoldBooleanWidget(), label="Only when a supervisor approves")
    min_amount = AmountField(label="Waits below", help_text="Empty: the amount at which a case opens")
    only_kind = ListField(label="Only kinds", help_text="Others pass it over")
    only_product = ListField(label="Only products")
    only_segment = ListField(label="Only segments")
    only_min_tenure_days = CountField(required=False, min_value=0, label="Only with us for days")

    class Meta:
        model = Step
        fields = (
            "code", "day", "action", "channels", "all_channels", "template", "pay_by_days", "rung", "warned_by",
            "notice_days", "fee", "agency", "reason", "min_amount", "position",
        )  # fmt: skip
        labels = {"day": "Day after the due date"}
        help_texts = {"day": "Negative: before it"}

    def __init__(self, *args: Any, **options: Any) -> None:
        instance: Step | None = options.get("instance")
        if instance is not None and instance.pk:
            initial = {f"only_{key}": value for key, value in _audience(instance.only_if).items()}
            initial |= {"approval": instance.approval == "required"}
            options["initial"] = {**initial, **(options.get("initial") or {})}
            # What the theme prints above the folded step.
            setattr(instance, "get_inline_title", _title(instance))  # noqa: B010  # it is no column of the row
        super().__init__(*args, **options)

    def _get_validation_exclusions(self) -> set[str]:
        # Two steps may swap their codes in one go: the document is checked as a whole, not row by row.
        return {*super()._get_validation_exclusions(), "version"}  # type: ignore[misc]

    def said(self) -> dict[str, Any]:
        """The step as the file says it."""
        said = self.cleaned_data
        everything = {
            **said,
            "approval": "required" if said.get("approval") else None,
            "only_if": policy_file.tidy_audience(_audience(said, "only_")),
        }
        kept = policy_file.EVERY_STEP | policy_file.OF_ACTION.get(said.get("action", ""), frozenset())
        return {key: everything.get(key) for key in policy_file.STEP if key in kept}


class StepFormSet(PaginationInlineFormSet):
    """The steps of a draft; they run in the order of their days, those of one day in the order they were dragged to."""

    def said(self) -> list[dict[str, Any]]:
        return [form.said() for form in self._kept()]

    def _kept(self) -> list[StepForm]:
        """Those that stay, in their order; the theme numbers what it dragged, and new steps stand at the end."""
        kept = [
            form
            for form in self.forms
            if (form.has_changed() or form.instance.pk) and form not in self.deleted_forms and form.is_valid()
        ]
        return sorted(kept, key=_place)

    def clean(self) -> None:
        if any(form.errors for form in self.forms if form not in self.deleted_forms):
            return
        kept = self._kept()
        document = {
            "code": "any",
            "agency": self.instance.agency,
            "after_broken": self.instance.after_broken,
            "steps": [form.said() for form in kept],
        }
        for problem in policy_file.check(document):
            beginning, _, rest = problem.path.partition("].")
            place = beginning.removeprefix("steps[")
            if problem.path == "after_broken":
                raise forms.ValidationError(f"After a broken promise or plan: {problem.reason}.")
            if not place.isdigit():
                continue  # the agency's own: the form above says it
            name = rest.replace("only_if.", "only_").partition(".")[0].partition("[")[0]
            form = kept[int(place)]
            form.add_error(name if name in form.fields else None, _sentence(problem))

    def validate_unique(self) -> None:
        """Codes are compared by ``clean``, with the rest."""


def _place(form: StepForm) -> float:
    place = form.cleaned_data.get("position")
    return float("inf") if place is None else place


def missing(form: VersionForm, steps: StepFormSet) -> list[str]:
    """What keeps the form from being a policy, field by field, in words."""
    found = [f"{_label(form, name)}: {text}" for name, texts in form.errors.items() for text in texts]
    for place, step in enumerate(steps.forms, start=1):
        if step not in steps.deleted_forms:
            where = step.data.get(step.add_prefix("code")) or f"Step {place}"
            found += [f"{where}, {_label(step, name)}: {text}" for name, texts in step.errors.items() for text in texts]
    found += steps.non_form_errors()
    return found


def _label(form: forms.BaseForm, name: str) -> str:
    return str(form[name].label) if name in form.fields else "as a whole"


class UploadForm(forms.Form):
    """A policy file; it becomes the draft of the policy it names."""

    file = forms.FileField(widget=UnfoldAdminFileFieldWidget(), help_text="YAML, as the export writes it")
    document: dict[str, Any]

    def clean_file(self) -> Any:
        upload = self.cleaned_data["file"]
        try:
            text = upload.read(4 * policy_file.MOST_CHARACTERS).decode("utf-8-sig")
            self.document = policy_file.read(text)
        except UnicodeDecodeError as error:
            raise ValidationError("This is not UTF-8 text.") from error
        except policy_file.UnreadablePolicy as error:
            raise ValidationError(_capitalised(str(error.problem))) from error
        problems = policy_file.located(policy_file.check(self.document), text)
        if problems:
            raise ValidationError([_capitalised(str(problem)) for problem in problems])
        return upload


class DuplicateForm(forms.Form):
    """What a copy is called."""

    code = _text(required=True, help_text="Letters, digits and . _ : - only. It cannot be changed later.")
    name = _text(required=True, max_length=200)

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if not policy_file.CODE.fullmatch(code):
            raise ValidationError("1 to 60 letters, digits or . _ : -")
        if Policy.objects.filter(code=code).exists():
            raise ValidationError(f"There is a policy {code} already.")
        return code


class CompareForm(forms.Form):
    """Two versions of one policy, the earlier on the left."""

    def __init__(self, *args: Any, versions: Sequence[PolicyVersion], **options: Any) -> None:
        super().__init__(*args, **options)
        choices = [(str(version.pk), _version_line(version)) for version in versions]
        self.fields["before"] = _choice(choices, required=True, label="From")
        self.fields["after"] = _choice(choices, required=True, label="To")


class PreviewForm(forms.Form):
    """Whose notice, of which step, in which language."""

    def __init__(self, *args: Any, steps: Iterable[tuple[str, str]], languages: Iterable[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["step"] = _choice(steps, required=True, label="Notice")
        spoken = [(code, _LANGUAGES.get(code, code)) for code in languages]
        self.fields["language"] = _choice([("", "The customer's own"), *spoken], label="Language")
        self.fields["account"] = _text(label="Account's id")


class MigrateForm(forms.Form):
    """Open cases of which version go to which other one."""

    def __init__(
        self,
        *args: Any,
        sources: Iterable[tuple[str, str]],
        targets: Iterable[PolicyVersion],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.fields["source"] = _choice(sources, required=True, label="Open cases of")
        choices = [(str(version.pk), _version_line(version)) for version in targets]
        self.fields["target"] = _choice(choices, required=True, label="Go to")

    def clean(self) -> dict[str, Any]:
        super().clean()
        said = self.cleaned_data
        if said.get("source") and said.get("source") == said.get("target"):
            self.add_error("target", "These cases follow it already.")
        return said


def _version_line(version: PolicyVersion) -> str:
    return f"{version}: {version.name} ({version.get_state_display().lower()})"


_LANGUAGES = {"de": "German", "en": "English", "es": "Spanish", "fr": "French", "hi": "Hindi", "it": "Italian"}


def _title(step: Step) -> str:
    what = _RUNGS.get(step.rung) or step.template or step.agency
    return " · ".join(part for part in (f"day {step.day}", step.code, step.get_action_display(), what) if part)


def _beginnings(path: str) -> list[str]:
    """``a.b.c``, ``a.b``, ``a``; without the places in lists."""
    parts = path.partition("[")[0].split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _sentence(problem: Problem) -> str:
    return f"{_capitalised(problem.reason)}."


def _capitalised(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
