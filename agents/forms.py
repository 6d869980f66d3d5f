"""What agents and supervisors type, checked for its shape; whether it may be done is for the operations to say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.functional import lazy
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts import wishes
from accounts.models import Bill, Consent, ContactPreference, Hold, Representative
from accounts.money import BadAmount, parse_amount
from accounts.sensitive_words import crisis_in, diagnosis_in
from agents.words import said
from dunning.gate.checks.cards import masked

_said = lazy(said, str)


def _shown(choices: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Choices of a row, in the language of the page."""
    return [(value, _said(str(words))) for value, words in choices]


#: Holds a person places; the others come with a promise, a plan or a dispute.
HOLDS_BY_HAND = tuple(
    (reason.value, _said(str(reason.label)))
    for reason in Hold.Reason
    if reason not in {Hold.Reason.PROMISE, Hold.Reason.PLAN, Hold.Reason.DISPUTE}
)
STOPS = (
    ("notices", _("Notices")),
    ("calls", _("Calls")),
    ("fees", _("Fees")),
    ("limits", _("Service limits")),
    ("transfers", _("Transfer, agency, write-off")),
)

#: Fields in which people write freely.
PROSE = frozenset({"note", "text", "override_reason"})


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class MomentInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class AmountField(forms.CharField):
    """An amount of the account's currency, written with a dot; ``currency`` is set by the form."""

    currency = ""
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def clean(self, value: Any) -> Decimal | None:
        text = super().clean(value).replace(" ", "")
        if not text:
            return None
        try:
            amount = parse_amount(text, self.currency)
        except BadAmount as refusal:
            raise ValidationError(f"This is {refusal}." if str(refusal).startswith("not") else f"{refusal}.") from None
        if amount <= 0:
            raise ValidationError(_now("Must be more than nothing."))
        return amount


class Talk(forms.Form):
    """What every form on an account shares: the item it was begun under, and the bills that are ticked."""

    item = forms.IntegerField(required=False, widget=forms.HiddenInput)
    #: Told apart from every other form that was shown: sent twice, it is done once (``agents.once``).
    once = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    bills = forms.MultipleChoiceField(required=False, widget=forms.MultipleHiddenInput)

    #: Fields that are not kept half typed.
    passing: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *args: Any, currency: str, as_of: date, bills: Sequence[Bill] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.as_of = as_of
        for field in self.fields.values():
            if isinstance(field, AmountField):
                field.currency = currency
        ticked = self.fields["bills"]
        assert isinstance(ticked, forms.MultipleChoiceField)
        ticked.choices = [(bill.ref, bill.ref) for bill in bills]

    @property
    def names_kept(self) -> set[str]:
        """The fields of which what was half typed is kept."""
        return self.fields.keys() - self.passing - {"item"}

    def bill_refs(self) -> list[str] | None:
        """The ticked bills, or none for the operation's own choice."""
        return self.cleaned_data["bills"] or None

    def clean(self) -> dict[str, Any]:
        """A card number is not kept: the form comes back with it masked, to be saved like that."""
        given = super().clean() or self.cleaned_data
        shown = {name: masked(text) for name in PROSE & given.keys() if (text := given[name])}
        if any(found for _, found in shown.values()):
            typed: Any = self.data
            typed = typed.copy()
            for name, (text, _) in shown.items():
                typed[self.add_prefix(name)] = text
            self.data = typed
            self.add_error(
                None,
                _now("There was a card number in it, and none may be kept. It is masked now: save it like this?"),
            )
        return given


class NoteForm(Talk):
    text = forms.CharField(max_length=4000, label=_("Note"), widget=forms.Textarea(attrs={"rows": 5}))


class HoldForm(Talk):
    reason = forms.ChoiceField(choices=HOLDS_BY_HAND, label=_("Reason"))
    starts_on = forms.DateField(widget=DayInput, label=_("From"))
    ends_on = forms.DateField(required=False, widget=DayInput, label=_("Last day"))
    stops = forms.MultipleChoiceField(
        required=False, choices=STOPS, widget=forms.CheckboxSelectMultiple, label=_("A manual hold stops")
    )
    stops_clock = forms.BooleanField(required=False, label=_("The days of the steps stop too"))
    note = forms.CharField(required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2}), label=_("Note"))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        starts, ends = given.get("starts_on"), given.get("ends_on")
        if starts and ends and ends < starts:
            self.add_error("ends_on", _now("Is before the first day."))
        manual, bills = given.get("reason") == Hold.Reason.MANUAL, given.get("bills")
        if bills and not manual:
            self.add_error("reason", _now("Only a manual hold covers single bills: choose it, or untick the bills."))
        elif manual and not bills and not given.get("stops"):
            self.add_error("stops", _now("Tick what a manual hold stops, or the bills that it pauses."))
        return given


class KeepForm(forms.Form):
    """Until when a service is not limited, and why."""

    WHY = (
        ("depended_on", _("Somebody depends on it")),
        ("payment_arranged", _("Payment is being arranged")),
        ("complaint", _("A complaint is looked into")),
        ("our_mistake", _("The limit would be our mistake")),
    )

    until = forms.DateField(widget=DayInput, error_messages={"required": _("Say until when.")})
    why = forms.ChoiceField(choices=WHY)


class SignInForm(AuthenticationForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs.update({"autocomplete": "username", "autocapitalize": "none"})
        self.fields["password"].widget.attrs.update({"autocomplete": "current-password"})


class MendForm(forms.Form):
    """A rejected row, one text field a column, as the file had it."""

    def __init__(self, *args: Any, row: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for column, value in row.items():
            self.fields[column] = forms.CharField(
                required=False, initial="" if value is None else value, label=column, strip=False
            )


class AuditFilter(forms.Form):
    """What the trail is searched for; empty is: whatever it is."""

    account = forms.CharField(required=False, max_length=64, label=_("Account"))
    actor = forms.CharField(required=False, max_length=80, label=_("Who"))
    kind = forms.CharField(required=False, max_length=60, label=_("What"))
    first = forms.DateField(required=False, widget=DayInput, label=_("From"))
    last = forms.DateField(required=False, widget=DayInput, label=_("To"))
    rule = forms.CharField(required=False, max_length=30, label=_("Rule"))
    policy = forms.CharField(required=False, max_length=80, label=_("Policy and version"))

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = given.get("first"), given.get("last")
        if first and last and last < first:
            self.add_error("last", _now("The period ends before it begins."))
        return given


# What the customer wants of us --------------------------------------------------------------------------------------

#: How a wish reached us: the words that are kept as its source.
SAID_BY = (
    ("phone", _("On the phone")),
    ("letter", _("By letter")),
    ("email", _("By e-mail")),
    ("in person", _("In person")),
    ("representative", _("Through who speaks for them")),
)
WEEKDAYS = tuple(
    (number, name)
    for number, name in enumerate((_("Mo"), _("Tu"), _("We"), _("Th"), _("Fr"), _("Sa"), _("Su")), start=1)
)


class ClockInput(forms.TimeInput):
    input_type = "time"

    def __init__(self) -> None:
        super().__init__(format="%H:%M")


class WishForm(forms.Form):
    """What the forms about the customer's wishes share: where they keep what proves it."""

    source = forms.ChoiceField(choices=SAID_BY, label=_("Said"))
    evidence = forms.CharField(required=False, max_length=1000, label=_("Proof: their words, a recording, a letter"))

    def __init__(self, *args: Any, as_of: date, addresses: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.as_of = as_of
        self.addresses = addresses

    def clean_evidence(self) -> str:
        """What proves it, without the number of a card."""
        return masked(self.cleaned_data["evidence"])[0]


class ConsentForm(WishForm):
    SAYS = (("stop", _("Stop")), ("allow", _("Allow")))

    says = forms.ChoiceField(choices=SAYS)
    channels = forms.MultipleChoiceField(
        choices=_shown(Consent.Channel.choices), error_messages={"required": _("Tick at least one channel.")}
    )
    purpose = forms.ChoiceField(
        choices=_shown(Consent.Purpose.choices), initial=Consent.Purpose.SERVICE, label=_("For")
    )
    value = forms.ChoiceField(required=False, label=_("Only to"))
    until = forms.DateField(required=False, widget=DayInput, label=_("Allowed until"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        which = self.fields["value"]
        assert isinstance(which, forms.ChoiceField)
        which.choices = [("", _now("Every number and address")), *((address, address) for address in self.addresses)]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        until = given.get("until")
        if until is not None and given.get("says") == "stop":
            self.add_error("until", _now("A stop holds until they allow it again."))
        elif until is not None and until <= self.as_of:
            self.add_error("until", _now("Lies in the past."))
        return given


class WhenForm(WishForm):
    """Times and places, the channel they prefer, or no contact at all."""

    WHAT = (
        ("never", _("Not at these times")),
        ("only", _("Only at these times")),
        ("place", _("Not at a place")),
        ("channel", _("Prefers a channel")),
        ("cease", _("No contact at all, in writing")),
    )

    what = forms.ChoiceField(choices=WHAT)
    weekdays = forms.TypedMultipleChoiceField(required=False, choices=WEEKDAYS, coerce=int)
    opens = forms.TimeField(required=False, widget=ClockInput, label=_("From, their time"))
    closes = forms.TimeField(required=False, widget=ClockInput, label=_("To"))
    place = forms.ChoiceField(required=False, choices=_shown(ContactPreference.Place.choices), label=_("Place"))
    channel = forms.ChoiceField(required=False, choices=_shown(Consent.Channel.choices), label=_("Channel"))
    received_at = forms.DateTimeField(required=False, widget=MomentInput, label=_("Received, their time"))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        wanted = {"place": "place", "channel": "channel", "cease": "received_at"}.get(given.get("what", ""))
        if wanted is not None and not given.get(wanted) and wanted not in self.errors:
            self.add_error(wanted, _now("Say when it came in.") if wanted == "received_at" else _now("Say which."))
        if given.get("what") == "cease" and given.get("source") == "phone":
            self.add_error("source", _now("Only a letter or an e-mail ends all contact; by phone, stop the channels."))
        return given


class SpeaksForForm(WishForm):
    role = forms.ChoiceField(choices=_shown(Representative.Role.choices), label=_("Role"))
    name = forms.CharField(max_length=200, label=_("Name"))
    organisation = forms.CharField(required=False, max_length=200, label=_("Organisation"))
    email = forms.EmailField(required=False, max_length=254, label=_("E-mail"))
    phone = forms.CharField(required=False, max_length=40, label=_("Phone"))
    address = forms.CharField(required=False, max_length=400, label=_("Address"))
    may_be_told = forms.BooleanField(
        required=False, label=_("The customer, or a court, said that they may hear about the debt")
    )


class SupportForm(forms.Form):
    """TEXAS: thank, explain, explicit consent, ask, signpost. Nothing is saved before it was explained."""

    AGREED = (("yes", _("Yes, keep it")), ("no", _("No")))
    NEEDED = (("yes", _("Support is needed")), ("no", _("No support needed")))

    explained = forms.BooleanField(
        label=_("I explained how it is used"),
        error_messages={"required": _("Explain first how it is used; nothing is kept before.")},
    )
    agreed = forms.ChoiceField(choices=AGREED, error_messages={"required": _("Ask whether they agree: yes or no.")})
    needed = forms.ChoiceField(required=False, choices=NEEDED, initial="yes")
    category = forms.ChoiceField(
        required=False,
        label=_("What it is about"),
        choices=_shown((code, words) for code, words in wishes.CATEGORIES.items() if code != wishes.SUPPORT),
    )
    severity = forms.ChoiceField(
        required=False,
        label=_("How grave"),
        choices=(
            ("low", _("Mild: another way of contact, short of money")),
            ("medium", _("Moderate: specialists, gentle reminders")),
            ("high", _("High: relies on the line, crisis; nothing is collected")),
        ),
        initial="low",
    )
    needs = forms.MultipleChoiceField(required=False, choices=_shown(wishes.NEEDS.items()), label=_("What helps"))
    review_on = forms.DateField(required=False, widget=DayInput, label=_("Look again on"))
    note = forms.CharField(
        required=False,
        max_length=wishes.MOST_NOTE,
        label=_("In few words; no illness"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    escalated = forms.BooleanField(required=False, label=_("I have followed the card above"))

    def __init__(self, *args: Any, as_of: date, addresses: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.as_of = as_of

    def clean_note(self) -> str:
        """What helps, without the number of a card."""
        return masked(self.cleaned_data["note"])[0]

    @property
    def crisis(self) -> bool:
        """Whether what was typed says that somebody may harm themselves."""
        return self.is_bound and bool(crisis_in(self.data.get("note", "")))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if self.crisis and not given.get("escalated"):
            self.add_error("escalated", _now("First things first: follow the card above."))
        if word := diagnosis_in(given.get("note", "")):
            self.add_error(
                "note", _now("Names an illness (%(word)s): tick what helps instead. It is not kept.") % {"word": word}
            )
        return given


class UnderstandingForm(forms.Form):
    """BRUCE: signs in talk and behaviour that a decision is hard for them now."""

    CONCERNS = (
        ("remembering", _("Remembering: asks the same again, forgets what was just said")),
        ("understanding", _("Understanding: cannot say in their words what was agreed")),
        ("communicating", _("Communicating: cannot tell us what they want, or only with help")),
        ("evaluating", _("Evaluating: cannot weigh one way against another")),
    )

    concerns = forms.MultipleChoiceField(
        choices=CONCERNS,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Tick what you noticed; with nothing noticed there is nothing to save.")},
    )
    pause = forms.BooleanField(required=False, initial=True, label=_("Pause fees, limits and transfers until then"))

    def __init__(self, *args: Any, as_of: date, addresses: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class ClockForm(forms.Form):
    timezone = forms.CharField(
        max_length=64, label=_("Time zone"), widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, as_of: date, addresses: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class LookAgainForm(forms.Form):
    review_on = forms.DateField(widget=DayInput)
