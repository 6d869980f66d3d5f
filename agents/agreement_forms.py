"""What is typed while something is agreed: terms, how the customer agreed, and what they heard before they did.

Nothing is saved on words that the customer has not heard: each form brings back the mark of what was read to them, and
whoever changes the terms reads anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.functional import lazy
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Account, Service
from accounts.money import quantize
from agents import budgets
from agents.budgets import Line
from agents.forms import AmountField, DayInput, Talk
from agents.models import Agreed, Budget
from agents.words import said

in_page_words = lazy(said, str)
#: How a customer agrees with an agent; on their own page they agree alone.
WAYS = tuple((way.value, in_page_words(str(way.label))) for way in Agreed if way != Agreed.SELF_SERVICE)
EVERY = (("week", _("Week")), ("fortnight", _("Fortnight")), ("four_weeks", _("Four weeks")), ("month", _("Month")))


class Agreement(Talk):
    """What every form of an agreement shares. ``what`` names it in the words that are read aloud."""

    what = ""
    #: Never kept half typed: consent is given to words that were just heard.
    passing = frozenset({"agreed", "heard"})

    agreed = forms.BooleanField(
        label=_("They heard it and agree"),
        error_messages={"required": _("Read it to them, and tick that they agree.")},
    )
    agreed_by = forms.ChoiceField(choices=WAYS, initial=Agreed.PHONE, label=_("How"))
    heard = forms.CharField(required=False, widget=forms.HiddenInput)
    note = forms.CharField(
        required=False, max_length=4000, label=_("Note"), widget=forms.Textarea(attrs={"rows": 1, "data-prose": ""})
    )

    @property
    def has_terms(self) -> bool:
        """Whether what was typed can be quoted, agreed to or not."""
        return self.is_bound and not (self.errors.keys() - {"agreed", "agreed_by"})

    def terms(self) -> dict[str, Any]:
        """The arguments of a quote."""
        return {}


class PromiseForm(Agreement):
    what = "promise"

    amount = AmountField(label=_("Amount"))
    due_on = forms.DateField(widget=DayInput, label=_("Paid by"))

    def terms(self) -> dict[str, Any]:
        return {"amount": self.cleaned_data["amount"], "due_on": self.cleaned_data["due_on"]}


class Schedule(Agreement):
    """Instalments: by their number, by the amount of each, or on the day on which money comes."""

    BY = (("count", pgettext_lazy("instalments", "Number")), ("amount", _("Amount each")), ("payday", _("Payday")))

    by = forms.ChoiceField(choices=BY, initial="count")
    count = forms.IntegerField(required=False, min_value=1, max_value=120, label=_("How many"))
    amount = AmountField(required=False, label=_("How much each"))
    payday = forms.IntegerField(required=False, min_value=1, max_value=31, label=_("Day of the month"))
    first_on = forms.DateField(widget=DayInput, label=_("First one on"))
    every = forms.ChoiceField(choices=EVERY, initial="month", label=_("Every"))
    down_payment = AmountField(required=False, label=_("Paid at once"))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        by = given.get("by") or "count"
        wanted = {
            "count": (("count", _now("Say how many.")),),
            "amount": (("amount", _now("Say how much each.")),),
            "payday": (("payday", _now("Say on which day money comes.")), ("count", _now("Say how many."))),
        }[by]
        for name, text in wanted:
            if given.get(name) is None and name not in self.errors:
                self.add_error(name, text)
        if by == "payday":
            given["every"] = "month"
        return given

    def terms(self) -> dict[str, Any]:
        """A count or an amount, never both."""
        given = self.cleaned_data
        by_amount = given["by"] == "amount"
        return {
            "count": None if by_amount else given["count"],
            "amount": given["amount"] if by_amount else None,
            "payday": given["payday"] if given["by"] == "payday" else None,
            "first_on": given["first_on"],
            "every": given["every"],
            "down_payment": given["down_payment"],
        }


class PlanForm(Schedule):
    what = "plan"


class ConsolidationForm(Schedule):
    what = "consolidation"

    accounts = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label=_("Accounts in the plan")
    )

    def __init__(self, *args: Any, linked: Sequence[Account] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["accounts"]
        assert isinstance(chosen, forms.MultipleChoiceField)
        chosen.choices = [(account.ref, account.ref) for account in linked]

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if not given.get("accounts") and "accounts" not in self.errors:
            self.add_error("accounts", _now("Choose at least one other account."))
        return given


class ExtensionForm(Agreement):
    what = "extension"

    until = forms.DateField(widget=DayInput, label=_("Until"))

    def terms(self) -> dict[str, Any]:
        return {"until": self.cleaned_data["until"]}


class SettlementForm(Agreement):
    what = "settlement"
    BY = (("amount", _("Amount they pay")), ("percent", _("Percent off")))

    by = forms.ChoiceField(choices=BY, initial="amount")
    amount = AmountField(required=False, label=_("They pay"))
    percent = forms.DecimalField(
        required=False,
        min_value=Decimal("0.01"),
        max_value=Decimal("99.99"),
        max_digits=4,
        decimal_places=2,
        label=_("Percent off"),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    pay_by = forms.DateField(widget=DayInput, label=_("Paid by"))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        by = given.get("by") or "amount"
        if given.get(by) is None and by not in self.errors:
            self.add_error(by, _now("Say how much they pay.") if by == "amount" else _now("Say how much off."))
        return given

    def terms_of(self, owed: Decimal, currency: str) -> dict[str, Any]:
        """The arguments of a quote; a percentage is of ``owed``, to the nearest cent."""
        given = self.cleaned_data
        amount = given["amount"]
        if given["by"] == "percent":
            amount = quantize(owed * (100 - given["percent"]) / 100, currency)
        return {"amount": amount, "pay_by": given["pay_by"]}


class DowngradeForm(Agreement):
    what = "downgrade"

    service = forms.ChoiceField(label=_("Which service"))
    to_product = forms.CharField(max_length=80, label=_("To which product"))
    to_fee = AmountField(required=False, label=_("Its fee a month"))

    def __init__(self, *args: Any, services: Sequence[Service] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.services = {service.ref: service for service in services}
        which = self.fields["service"]
        assert isinstance(which, forms.ChoiceField)
        which.choices = [(ref, ref) for ref in self.services]

    def terms(self) -> dict[str, Any]:
        given = self.cleaned_data
        return {
            "service_ref": given["service"],
            "to_product": given["to_product"],
            "to_fee": given["to_fee"] or Decimal(0),
        }


class HardshipForm(Agreement):
    what = "hardship"

    review_on = forms.DateField(widget=DayInput, label=_("Look at it again on"))
    token = AmountField(required=False, label=_("A token, if they can"))
    first_on = forms.DateField(required=False, widget=DayInput, label=_("First token on"))
    every = forms.ChoiceField(choices=EVERY, initial="month", label=_("Every"))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("token") is not None and given.get("first_on") is None and "first_on" not in self.errors:
            self.add_error("first_on", _now("Say when the first token is paid."))
        return given


class PayForm(Talk):
    """The customer pays by themselves: nothing is agreed, the address of their page is told."""


class BudgetForm(Talk):
    """A household's month, line by line, each line by the period in which it comes."""

    HOUSEHOLDS = (("", _("Not said")),)

    debts_in_all = AmountField(required=False, label=_("All debts but the priority ones, ours too"))
    household = forms.ChoiceField(required=False, label=_("Household"))
    evidence = forms.ChoiceField(
        choices=[(one.value, in_page_words(str(one.label))) for one in Budget.Evidence],
        initial=Budget.Evidence.SELF_DECLARED,
        label=pgettext_lazy("evidence", "By"),
    )

    def __init__(self, *args: Any, rules: budgets.Rules, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, currency=currency, **kwargs)
        self.rules = rules
        self.kinds = budgets.categories(rules)
        who = self.fields["household"]
        assert isinstance(who, forms.ChoiceField)
        words = [(each, each.replace("_", " ").capitalize()) for each in budgets.households(rules)]
        who.choices = [*self.HOUSEHOLDS, *words]
        for category in self._categories():
            amount = AmountField(required=False, label=budgets.words_of(category))
            amount.currency = currency
            self.fields[category] = amount
            self.fields[f"{category}_every"] = forms.ChoiceField(
                required=False,
                choices=[(every, budgets.EVERY_WORDS.get(every, every)) for every in self._periods()],
                initial="monthly",
                label=_now("%(line)s, every") % {"line": budgets.words_of(category)},
            )
        for category in rules.ask_why.params.categories:
            self.fields[f"{category}_why"] = forms.CharField(
                required=False,
                max_length=200,
                label=_now("Why more on %(line)s") % {"line": budgets.words_of(category).lower()},
                widget=forms.TextInput(attrs={"data-prose": "", "autocomplete": "off"}),
            )

    def _categories(self) -> Iterator[str]:
        for listed in self.kinds.values():
            yield from listed

    def _periods(self) -> Iterable[str]:
        times: Iterable[str] = self.rules.monthly.params.times_a_year
        return times

    def groups(self) -> list[tuple[str, str, list[tuple[Any, Any]]]]:
        """The lines for the page: each kind with its words, and its amounts beside their periods."""
        return [
            (
                kind,
                str(budgets.KIND_WORDS[kind]),
                [(self[category], self[f"{category}_every"]) for category in listed],
            )
            for kind, listed in self.kinds.items()
            if listed
        ]

    def whys(self) -> list[Any]:
        """The fields for why more is spent than usual, by category."""
        return [self[f"{category}_why"] for category in self.rules.ask_why.params.categories]

    def lines(self) -> list[Line]:
        """What was told, exact."""
        given = self.cleaned_data
        return [
            Line(category, given[category], given.get(f"{category}_every") or "monthly")
            for category in self._categories()
            if given.get(category) is not None
        ]

    def reasons(self) -> dict[str, str]:
        """Why more is spent, by category; only what was said."""
        given = self.cleaned_data
        return {
            category: why
            for category in self.rules.ask_why.params.categories
            if (why := (given.get(f"{category}_why") or "").strip())
        }
