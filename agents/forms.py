"""What agents and supervisors type, checked for its shape; whether it may be done is for the operations to say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from accounts import wishes
from accounts.models import Bill, Consent, ContactPreference, Hold, Representative
from accounts.money import BadAmount, parse_amount
from accounts.sensitive_words import crisis_in, diagnosis_in
from agents.models import Disposition, Dispute, Interaction
from dunning.gate.checks.cards import masked

#: Holds a person places; the others come with a promise, a plan or a dispute.
HOLDS_BY_HAND = tuple(
    (reason.value, reason.label)
    for reason in Hold.Reason
    if reason not in {Hold.Reason.PROMISE, Hold.Reason.PLAN, Hold.Reason.DISPUTE}
)
STOPS = (
    ("notices", "Notices"),
    ("calls", "Calls"),
    ("fees", "Fees"),
    ("limits", "Service limits"),
    ("transfers", "Transfer, agency, write-off"),
)
DISPUTE_REASONS = (
    ("amount", "The amount is wrong"),
    ("not_received", "Service was not received"),
    ("quality", "Quality was poor"),
    ("roaming", "Roaming or premium charges"),
    ("already_paid", "Paid already"),
    ("not_mine", "Not my contract"),
    ("cancelled", "Cancelled before"),
    ("other", "Something else"),
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
            raise ValidationError("Must be more than nothing.")
        return amount


class Talk(forms.Form):
    """What every form on an account shares: the item it was begun under, and the bills that are ticked."""

    item = forms.IntegerField(required=False, widget=forms.HiddenInput)
    bills = forms.MultipleChoiceField(required=False, widget=forms.MultipleHiddenInput)

    def __init__(self, *args: Any, currency: str, as_of: date, bills: Sequence[Bill] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.as_of = as_of
        for field in self.fields.values():
            if isinstance(field, AmountField):
                field.currency = currency
        ticked = self.fields["bills"]
        assert isinstance(ticked, forms.MultipleChoiceField)
        ticked.choices = [(bill.ref, bill.ref) for bill in bills]

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
                None, "There was a card number in it, and none may be kept. It is masked now: save it like this?"
            )
        return given


class CallForm(Talk):
    direction = forms.ChoiceField(choices=Interaction.Direction, initial=Interaction.Direction.OUTBOUND)
    number = forms.CharField(required=False, max_length=40)
    disposition = forms.ModelChoiceField(
        queryset=Disposition.objects.none(), error_messages={"required": "Say what the call came to."}
    )
    right_party = forms.BooleanField(required=False, label="I spoke with the customer, verified")
    duration_seconds = forms.IntegerField(required=False, min_value=0, max_value=86_400)
    started_at = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    callback_at = forms.DateTimeField(required=False, widget=MomentInput, label="Call back at, their time")
    amount = AmountField(required=False, label="Promised amount")
    due_on = forms.DateField(required=False, widget=DayInput, label="Promised for")
    note = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 1}))
    override_code = forms.CharField(required=False, max_length=30)
    override_reason = forms.CharField(required=False, max_length=300, label="In words")

    def __init__(self, *args: Any, dispositions: Sequence[Disposition] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dispositions = dispositions
        chosen = self.fields["disposition"]
        assert isinstance(chosen, forms.ModelChoiceField)
        chosen.queryset = Disposition.objects.filter(active=True)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        disposition: Disposition | None = given.get("disposition")
        if disposition is None:
            return given
        if disposition.asks == Disposition.Asks.PROMISE:
            for name, what in (("amount", "how much was promised"), ("due_on", "by when it will be paid")):
                if given.get(name) is None and name not in self.errors:
                    self.add_error(name, f"Say {what}.")
        if disposition.asks == Disposition.Asks.CALLBACK and given.get("callback_at") is None:
            self.add_error("callback_at", "Say when to call back.")
        return given


class PromiseForm(Talk):
    amount = AmountField(label="Amount")
    due_on = forms.DateField(widget=DayInput, label="Paid by")
    note = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 2}))


class PlanForm(Talk):
    BY = (("count", "Number of them"), ("amount", "Amount each"))
    EVERY = (("week", "Week"), ("fortnight", "Fortnight"), ("month", "Month"))

    by = forms.ChoiceField(choices=BY, initial="count")
    count = forms.IntegerField(required=False, min_value=1, max_value=60, label="How many")
    amount = AmountField(required=False, label="How much each")
    first_on = forms.DateField(widget=DayInput, label="First one on")
    every = forms.ChoiceField(choices=EVERY, initial="month")
    down_payment = AmountField(required=False, label="Paid at once")
    note = forms.CharField(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 2}))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        wanted = given.get("by") or "count"
        if given.get(wanted) is None and wanted not in self.errors:
            self.add_error(wanted, "Say how many." if wanted == "count" else "Say how much each.")
        return given

    def terms(self) -> dict[str, Any]:
        """The arguments of a quote: a count or an amount, never both."""
        given = self.cleaned_data
        counted = given["by"] == "count"
        return {
            "count": given["count"] if counted else None,
            "amount": None if counted else given["amount"],
            "first_on": given["first_on"],
            "every": given["every"],
            "down_payment": given["down_payment"],
        }


class DisputeForm(Talk):
    bill = forms.ChoiceField(label="Which bill")
    amount = AmountField(label="Contested amount")
    reason = forms.ChoiceField(choices=DISPUTE_REASONS, label="What is wrong")
    note = forms.CharField(max_length=4000, label="In the customer's words", widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, bills: Sequence[Bill] = (), **kwargs: Any) -> None:
        super().__init__(*args, bills=bills, **kwargs)
        which = self.fields["bill"]
        assert isinstance(which, forms.ChoiceField)
        which.choices = [(bill.ref, bill.ref) for bill in bills]


class NoteForm(Talk):
    text = forms.CharField(max_length=4000, label="Note", widget=forms.Textarea(attrs={"rows": 5}))


class HoldForm(Talk):
    reason = forms.ChoiceField(choices=HOLDS_BY_HAND)
    starts_on = forms.DateField(widget=DayInput, label="From")
    ends_on = forms.DateField(required=False, widget=DayInput, label="Last day")
    stops = forms.MultipleChoiceField(
        required=False, choices=STOPS, widget=forms.CheckboxSelectMultiple, label="A manual hold stops"
    )
    stops_clock = forms.BooleanField(required=False, label="The days of the steps stop too")
    note = forms.CharField(required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        starts, ends = given.get("starts_on"), given.get("ends_on")
        if starts and ends and ends < starts:
            self.add_error("ends_on", "Is before the first day.")
        manual, bills = given.get("reason") == Hold.Reason.MANUAL, given.get("bills")
        if bills and not manual:
            self.add_error("reason", "Only a manual hold covers single bills: choose it, or untick the bills.")
        elif manual and not bills and not given.get("stops"):
            self.add_error("stops", "Tick what a manual hold stops, or the bills that it pauses.")
        return given


class KeepForm(forms.Form):
    """Until when a service is not limited, and why."""

    WHY = (
        ("depended_on", "Somebody depends on it"),
        ("payment_arranged", "Payment is being arranged"),
        ("complaint", "A complaint is looked into"),
        ("our_mistake", "The limit would be our mistake"),
    )

    until = forms.DateField(widget=DayInput, error_messages={"required": "Say until when."})
    why = forms.ChoiceField(choices=WHY)


class ResolveForm(forms.Form):
    outcome = forms.ChoiceField(choices=Dispute.Outcome)
    note = forms.CharField(required=False, max_length=4000)


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
    kind = forms.CharField(required=False, max_length=60, label="Kind begins with")
    actor = forms.CharField(required=False, max_length=80, label="Actor begins with")
    after = forms.IntegerField(required=False, widget=forms.HiddenInput)


# What the customer wants of us --------------------------------------------------------------------------------------

#: How a wish reached us: the words that are kept as its source.
SAID_BY = (
    ("phone", "On the phone"),
    ("letter", "By letter"),
    ("email", "By e-mail"),
    ("in person", "In person"),
    ("representative", "Through who speaks for them"),
)
WEEKDAYS = tuple((number, name) for number, name in enumerate(("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"), start=1))


class ClockInput(forms.TimeInput):
    input_type = "time"

    def __init__(self) -> None:
        super().__init__(format="%H:%M")


class WishForm(forms.Form):
    """What the forms about the customer's wishes share: where they keep what proves it."""

    source = forms.ChoiceField(choices=SAID_BY, label="Said")
    evidence = forms.CharField(required=False, max_length=1000, label="Proof: their words, a recording, a letter")

    def __init__(self, *args: Any, as_of: date, addresses: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.as_of = as_of
        self.addresses = addresses

    def clean_evidence(self) -> str:
        """What proves it, without the number of a card."""
        return masked(self.cleaned_data["evidence"])[0]


class ConsentForm(WishForm):
    SAYS = (("stop", "Stop"), ("allow", "Allow"))

    says = forms.ChoiceField(choices=SAYS)
    channels = forms.MultipleChoiceField(
        choices=Consent.Channel.choices, error_messages={"required": "Tick at least one channel."}
    )
    purpose = forms.ChoiceField(choices=Consent.Purpose, initial=Consent.Purpose.SERVICE, label="For")
    value = forms.ChoiceField(required=False, label="Only to")
    until = forms.DateField(required=False, widget=DayInput, label="Allowed until")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        which = self.fields["value"]
        assert isinstance(which, forms.ChoiceField)
        which.choices = [("", "Every number and address"), *((address, address) for address in self.addresses)]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        until = given.get("until")
        if until is not None and given.get("says") == "stop":
            self.add_error("until", "A stop holds until they allow it again.")
        elif until is not None and until <= self.as_of:
            self.add_error("until", "Lies in the past.")
        return given


class WhenForm(WishForm):
    """Times and places, the channel they prefer, or no contact at all."""

    WHAT = (
        ("never", "Not at these times"),
        ("only", "Only at these times"),
        ("place", "Not at a place"),
        ("channel", "Prefers a channel"),
        ("cease", "No contact at all, in writing"),
    )

    what = forms.ChoiceField(choices=WHAT)
    weekdays = forms.TypedMultipleChoiceField(required=False, choices=WEEKDAYS, coerce=int)
    opens = forms.TimeField(required=False, widget=ClockInput, label="From, their time")
    closes = forms.TimeField(required=False, widget=ClockInput, label="To")
    place = forms.ChoiceField(required=False, choices=ContactPreference.Place)
    channel = forms.ChoiceField(required=False, choices=Consent.Channel)
    received_at = forms.DateTimeField(required=False, widget=MomentInput, label="Received, their time")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        wanted = {"place": "place", "channel": "channel", "cease": "received_at"}.get(given.get("what", ""))
        if wanted is not None and not given.get(wanted) and wanted not in self.errors:
            self.add_error(wanted, "Say when it came in." if wanted == "received_at" else "Say which.")
        if given.get("what") == "cease" and given.get("source") == "phone":
            self.add_error("source", "Only a letter or an e-mail ends all contact; by phone, stop the channels.")
        return given


class SpeaksForForm(WishForm):
    role = forms.ChoiceField(choices=Representative.Role)
    name = forms.CharField(max_length=200)
    organisation = forms.CharField(required=False, max_length=200)
    email = forms.EmailField(required=False, max_length=254, label="E-mail")
    phone = forms.CharField(required=False, max_length=40)
    address = forms.CharField(required=False, max_length=400)
    may_be_told = forms.BooleanField(
        required=False, label="The customer, or a court, said that they may hear about the debt"
    )


class SupportForm(forms.Form):
    """TEXAS: thank, explain, explicit consent, ask, signpost. Nothing is saved before it was explained."""

    AGREED = (("yes", "Yes, keep it"), ("no", "No"))
    NEEDED = (("yes", "Support is needed"), ("no", "No support needed"))

    explained = forms.BooleanField(
        label="I explained how it is used",
        error_messages={"required": "Explain first how it is used; nothing is kept before."},
    )
    agreed = forms.ChoiceField(choices=AGREED, error_messages={"required": "Ask whether they agree: yes or no."})
    needed = forms.ChoiceField(required=False, choices=NEEDED, initial="yes")
    category = forms.ChoiceField(
        required=False,
        label="What it is about",
        choices=[(code, words) for code, words in wishes.CATEGORIES.items() if code != wishes.SUPPORT],
    )
    severity = forms.ChoiceField(
        required=False,
        label="How grave",
        choices=(
            ("low", "Mild: another way of contact, short of money"),
            ("medium", "Moderate: specialists, gentle reminders"),
            ("high", "High: relies on the line, crisis; nothing is collected"),
        ),
        initial="low",
    )
    needs = forms.MultipleChoiceField(required=False, choices=list(wishes.NEEDS.items()), label="What helps")
    review_on = forms.DateField(required=False, widget=DayInput, label="Look again on")
    note = forms.CharField(
        required=False,
        max_length=wishes.MOST_NOTE,
        label="In few words; no illness",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    escalated = forms.BooleanField(required=False, label="I have followed the card above")

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
            self.add_error("escalated", "First things first: follow the card above.")
        if word := diagnosis_in(given.get("note", "")):
            self.add_error("note", f"Names an illness ({word}): tick what helps instead. It is not kept.")
        return given


class UnderstandingForm(forms.Form):
    """BRUCE: signs in talk and behaviour that a decision is hard for them now."""

    CONCERNS = (
        ("remembering", "Remembering: asks the same again, forgets what was just said"),
        ("understanding", "Understanding: cannot say in their words what was agreed"),
        ("communicating", "Communicating: cannot tell us what they want, or only with help"),
        ("evaluating", "Evaluating: cannot weigh one way against another"),
    )

    concerns = forms.MultipleChoiceField(
        choices=CONCERNS,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick what you noticed; with nothing noticed there is nothing to save."},
    )
    pause = forms.BooleanField(required=False, initial=True, label="Pause fees, limits and transfers until then")

    def __init__(self, *args: Any, as_of: date, addresses: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class ClockForm(forms.Form):
    timezone = forms.CharField(
        max_length=64, label="Time zone", widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, as_of: date, addresses: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class LookAgainForm(forms.Form):
    review_on = forms.DateField(widget=DayInput)
