"""How a supervisor looks at the queue and what they write about it, as forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.position import BUCKETS
from agents import priority
from agents.models import QueueOrder, Team
from agents.scoring import Ordering

#: What an item may wait for, as a filter.
WAITS = (
    ("", _("Anything")),
    ("now", _("Nothing: free now")),
    ("later", _("A later moment")),
    ("hour", _("An hour to call")),
    ("callback", _("A callback")),
    ("pinned", _("Put on top")),
)
SORTS = {
    "score": ("-score", "id"),
    "overdue": ("-account__overdue", "id"),
    "days": ("account__oldest_due_on", "id"),
    "waiting": ("created_at", "id"),
    "name": ("account__customer__name", "id"),
    "held": ("claimed_by__username", "id"),
}


class QueueFilter(forms.Form):
    """What of the queue is listed; everything is optional, and what makes no sense is left out."""

    team = forms.CharField(required=False, label=_("Team"))
    language = forms.CharField(required=False, label=_("Language"))
    segment = forms.CharField(required=False, label=_("Segment"))
    product = forms.CharField(required=False, label=_("Product"))
    bucket = forms.ChoiceField(required=False, label=_("Days"), choices=[("", ""), *((name, name) for name in BUCKETS)])
    reason = forms.CharField(required=False, label=_("Reason"), max_length=200)
    held = forms.CharField(required=False, label=_("Held by"))
    waiting = forms.ChoiceField(required=False, label=_("Waits for"), choices=WAITS)
    sort = forms.ChoiceField(required=False, choices=[(name, name) for name in SORTS])

    def wanted(self) -> dict[str, Any]:
        """What was asked for, without what cannot be read."""
        self.is_valid()
        return {name: self.cleaned_data.get(name) or "" for name in self.fields}


class OrderForm(forms.Form):
    """An order of the queue: its name, whose it is, what comes first, and how much each part weighs."""

    name = forms.CharField(max_length=80, label=_("Name"))
    team = forms.ModelChoiceField(
        Team.objects.order_by("name"), required=False, label=_("Team"), empty_label=_("Every team without its own")
    )
    first = forms.ChoiceField(choices=QueueOrder.First, label=_("Comes first"))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for part, label in priority.WEIGHED.items():
            self.fields[f"weight_{part}"] = forms.IntegerField(
                label=label,
                required=False,
                min_value=0,
                max_value=priority.WEIGHS_MOST,
                initial=priority.WEIGHS,
                widget=forms.NumberInput(attrs={"step": 10, "inputmode": "numeric"}),
            )

    @classmethod
    def of(cls, order: QueueOrder) -> OrderForm:
        """With what an order says, to begin another from it."""
        weights = {f"weight_{part}": order.weights.get(part, priority.WEIGHS) for part in priority.WEIGHED}
        return cls(initial={"name": order.name, "team": order.team_id, "first": order.first, **weights})

    def weight_fields(self) -> list[forms.BoundField]:
        return [self[f"weight_{part}"] for part in priority.WEIGHED]

    def ordering(self) -> Ordering:
        """Of a form that is valid, as far as the order goes."""
        return Ordering(weights_of(self.cleaned_data), self.cleaned_data.get("first") or QueueOrder.First.SCORE)


class ListForm(forms.Form):
    """Which open items of the queue, and what is done with all of them."""

    team = forms.ChoiceField(required=False, label=_("Team"))
    segment = forms.ChoiceField(required=False, label=_("Segment"))
    product = forms.ChoiceField(required=False, label=_("Product"))
    bucket = forms.ChoiceField(required=False, label=_("Days"))
    policy = forms.ChoiceField(required=False, label=_("Policy"))
    currency = forms.ChoiceField(required=False, label=_("Currency"))
    least = forms.DecimalField(required=False, label=_("Overdue from"), min_value=0, max_digits=18, decimal_places=3)
    most = forms.DecimalField(required=False, label=_("Overdue up to"), min_value=0, max_digits=18, decimal_places=3)
    act = forms.ChoiceField(
        label=_("What to do"),
        choices=[("give", _("Give to a team")), ("pin", _("Put on top")), ("unpin", _("No longer on top"))],
    )
    to = forms.ChoiceField(required=False, label=_("To which team"))
    reason = forms.CharField(required=False, max_length=200, label=_("Why it comes first"))
    points = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=priority.PINNED,
        label=_("Points"),
        widget=forms.NumberInput(attrs={"placeholder": priority.PINNED, "inputmode": "numeric"}),
    )
    until = forms.DateField(required=False, label=_("Until"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, options: Mapping[str, Sequence[tuple[str, Any]]], **more: Any) -> None:
        super().__init__(*args, **more)
        for name, choices in options.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = list(choices)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        least, most = given.get("least"), given.get("most")
        if (least is not None or most is not None) and not given.get("currency"):
            self.add_error("currency", _("Say in which currency."))
        if least is not None and most is not None and least > most:
            self.add_error("most", _("This is less than the other."))
        if given.get("act") == "give" and not given.get("to"):
            self.add_error("to", _("Say which team."))
        if given.get("act") == "pin" and not given.get("reason"):
            self.add_error("reason", _("Say why it is put on top."))
        return given


class TeamMessageForm(forms.Form):
    """A word to a team, and until when it stays."""

    team = forms.ChoiceField(required=False, label=_("To"))
    text = forms.CharField(max_length=300, label=_("Message"), widget=forms.Textarea(attrs={"rows": 2}))
    hours = forms.TypedChoiceField(
        label=_("Stays for"), coerce=int, initial=4,
        choices=[(1, _("1 hour")), (4, _("4 hours")), (8, _("8 hours")), (24, _("1 day")), (168, _("7 days"))],
    )  # fmt: skip

    def __init__(self, *args: Any, teams: Sequence[tuple[str, Any]], **more: Any) -> None:
        super().__init__(*args, **more)
        field = self.fields["team"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(teams)


def weights_of(given: Mapping[str, Any]) -> dict[str, int]:
    """The percent of each part, from fields named ``weight_…``; an empty one weighs as ever."""
    return {
        part: priority.WEIGHS if given.get(f"weight_{part}") is None else int(given[f"weight_{part}"])
        for part in priority.WEIGHED
    }
