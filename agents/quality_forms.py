"""What is typed about quality: the answers of a card, a word to somebody, a round of calibration, a list narrowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents import coaching, reviewing, score_cards
from agents.forms import DayInput
from agents.models import Agent, Answer, Criterion, SamplingRule, ScoreCard, Subject
from agents.words import said

#: What a form sends for a question that does not apply.
NOT_APPLICABLE = "na"
_YES, _NO = gettext_lazy("Yes"), gettext_lazy("No")


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to answer: what is sent, what is shown, the key for it."""

    code: str
    words: str
    key: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the card with what was answered so far."""

    question: Criterion
    choices: tuple[Choice, ...]
    #: The code chosen, or nothing.
    value: str
    comment: str

    @property
    def name(self) -> str:
        return f"q-{self.question.pk}"

    @property
    def comment_name(self) -> str:
        return f"c-{self.question.pk}"

    @property
    def top(self) -> int:
        """The best answer."""
        return score_cards.TOP[self.question.answers]


def choices_of(question: Criterion) -> tuple[Choice, ...]:
    """The ways to answer a question, the last of them that it does not apply."""
    if question.answers == Criterion.Answers.SCALE:
        listed = [Choice(str(value), str(value), str(value)) for value in range(score_cards.TOP[question.answers] + 1)]
    else:
        listed = [Choice("1", str(_YES), "y"), Choice("0", str(_NO), "n")]
    return (*listed, Choice(NOT_APPLICABLE, _("n/a"), "x"))


def asked(questions: Sequence[Criterion], given: Mapping[int, Answer], sent: Mapping[str, str]) -> list[Asked]:
    """The card as the page shows it: what was just sent, or else what was kept."""
    found = []
    for question in questions:
        kept = given.get(question.pk)
        value = "" if kept is None else NOT_APPLICABLE if kept.value is None else str(kept.value)
        comment = kept.comment if kept else ""
        if sent:
            value, comment = sent.get(f"q-{question.pk}", ""), sent.get(f"c-{question.pk}", "")
        found.append(Asked(question, choices_of(question), value, comment))
    return found


def answers_in(questions: Sequence[Criterion], sent: Mapping[str, str]) -> dict[int, reviewing.Given]:
    """What was answered, by the key of the question; what was not, or cannot be read, is left out."""
    found = {}
    for question in questions:
        value = sent.get(f"q-{question.pk}", "")
        if value in {choice.code for choice in choices_of(question)}:
            number = None if value == NOT_APPLICABLE else int(value)
            found[question.pk] = reviewing.Given(number, sent.get(f"c-{question.pk}", ""))
    return found


def answer_in_words(answer: Answer) -> str:
    """An answer as it is read: yes, no, 3 of 4, does not apply."""
    if answer.value is None:
        return _("n/a")
    if answer.criterion.answers == Criterion.Answers.SCALE:
        return _("%(value)s of %(top)s") % {"value": answer.value, "top": score_cards.TOP[answer.criterion.answers]}
    return str(_YES if answer.value else _NO)


class CoachingForm(forms.Form):
    """A word to somebody about their work."""

    text = forms.CharField(
        max_length=coaching.LONGEST_TEXT,
        label=gettext_lazy("What went well, what to try"),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    goal = forms.ModelChoiceField(
        queryset=Criterion.objects.none(),
        required=False,
        label=gettext_lazy("What it should get better at"),
        empty_label=gettext_lazy("Nothing in particular"),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        goal = self.fields["goal"]
        assert isinstance(goal, forms.ModelChoiceField)
        goal.queryset = Criterion.objects.filter(card__active=True).order_by("card__code", "position", "pk")


class CalibrationForm(forms.Form):
    """A round on one piece of work."""

    title = forms.CharField(max_length=120, label=gettext_lazy("Title"))
    card = forms.ModelChoiceField(queryset=ScoreCard.objects.none(), label=gettext_lazy("Card"), empty_label=None)
    people = forms.ModelMultipleChoiceField(
        queryset=Agent.objects.none(),
        to_field_name="username",
        label=gettext_lazy("Who takes part"),
        widget=forms.CheckboxSelectMultiple,
    )
    closes_on = forms.DateField(label=gettext_lazy("Closes on"), widget=DayInput)

    def __init__(self, *args: Any, subject: str, reviewers: Sequence[Agent], closes_on: date, **options: Any) -> None:
        options.setdefault("initial", {"closes_on": closes_on})
        super().__init__(*args, **options)
        card, people = self.fields["card"], self.fields["people"]
        assert isinstance(card, forms.ModelChoiceField)
        assert isinstance(people, forms.ModelMultipleChoiceField)
        card.queryset = ScoreCard.objects.filter(subject=subject, active=True).order_by("code")
        people.queryset = Agent.objects.filter(pk__in=[person.pk for person in reviewers]).order_by("username")


class ReviewFilter(forms.Form):
    """What the list is narrowed to; what cannot be read narrows nothing."""

    subject = forms.ChoiceField(required=False, label=gettext_lazy("Work"))
    rule = forms.ChoiceField(required=False, label=gettext_lazy("Drawn by"))
    agent = forms.ChoiceField(required=False, label=gettext_lazy("Whose"))

    def __init__(self, *args: Any, people: Sequence[Agent], **options: Any) -> None:
        super().__init__(*args, **options)
        rules = SamplingRule.objects.order_by("title").values_list("code", "title")
        listed: dict[str, list[tuple[str, Any]]] = {
            "subject": [("", _("All work")), *((code, said(words)) for code, words in Subject.choices)],
            "rule": [("", _("Every rule")), *((code, said(title)) for code, title in rules)],
            "agent": [("", _("Everybody")), *((person.username, str(person)) for person in people)],
        }
        for name, choices in listed.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def wanted(self) -> dict[str, str]:
        """The arguments of the list."""
        self.full_clean()
        return {name: value for name, value in self.cleaned_data.items() if value}
