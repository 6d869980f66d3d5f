"""The texts of the notices: data in `wordings/<language>/`, read and checked before anything is said with them.

`<template>.yaml` is one notice, `_phrases.yaml` what all share. A text names fields (`$total_due`). Where a list of
texts stands, the first one whose fields are all there is said; an empty text at its end means: else say nothing.
Because the last one may only name fields that are always there, whatever loads can be said. What no notice may leave
out is demanded here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

import yaml

from dunning.wording_facts import CONSEQUENCES

WORDINGS = Path(__file__).with_name("wordings")
FALLBACK_LANGUAGE = "en"
FALLBACK_TEMPLATE = "general"


class WordingError(ValueError):
    """A text that could not be said to every customer; the message names the file and the line of thought."""


# Fields that every notice has, and fields that are there when the facts have them.
ALWAYS = frozenset({"customer_name", "operator_name", "account_ref", "total_due", "help_phone", "several_bills"})
SOMETIMES = frozenset(
    [
        "one_bill",
        "one_bill_due",
        "one_bill_due_day",
        "paid_so_far",
        "still_due",
        "pay_by",
        "pay_by_day",
        "pay_url",
        "bank_name",
        "iban",
        "transfer_reference",
        "services",
        "agency_name",
        "promised_amount",
        "promised_on",
        "promised_day",
        "plan_total",
        "instalment_count",
        "first_instalment_amount",
        "first_instalment_on",
        "first_instalment_day",
        "advice",
        "regulator",
        "opt_out_url",
    ]
)
# Said in this order: a phrase may name the ones before it.
PHRASES = (
    "greeting",
    "sign_off",
    "ask_to_pay",
    "ask_to_pay_short",
    "concerns",
    "part_paid",
    "already_paid",
    "get_help",
    "get_help_short",
    "questions",
    "questions_short",
    "free_advice",
    "complaint",
    "pay_online",
    "pay_transfer",
    "pay_phone",
    "pay_short",
    "opt_out_sms",
    "opt_out_email",
)
LABELS = (
    "bill",
    "issued",
    "due",
    "amount",
    "paid",
    "open",
    "total",
    "instalment",
    "pay_button",
    "how_to_pay",
    "payee",
    "bank",
    "iban",
    "reference",
    "pay_before",
    "online",
    "phone",
    "account",
    "date",
    "page",
)
TABLES = ("bills", "instalments", "none")

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Text:
    """Alternatives, best first; the last can always be said."""

    alternatives: tuple[Template, ...]

    def say(self, values: Values) -> str:
        sayable = next(one for one in self.alternatives if values.keys() >= set(one.get_identifiers()))
        return sayable.substitute(values)

    @property
    def names(self) -> set[str]:
        return {name for one in self.alternatives for name in one.get_identifiers()}


@dataclass(frozen=True, slots=True)
class NoticeTemplate:
    subject: Text
    opening: tuple[Text, ...]
    closing: tuple[Text, ...]
    sms: tuple[Text, ...]
    in_app: tuple[Text, ...]
    table: str
    pays: bool


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    phrases: Mapping[str, Text]
    consequences: Mapping[str, tuple[Text, Text]]
    """Long and short, by consequence."""
    labels: Mapping[str, Text]
    templates: Mapping[str, NoticeTemplate]


@dataclass(frozen=True, slots=True)
class Wordings:
    """All texts of the desk, checked."""

    languages: Mapping[str, Language]

    def template_codes(self) -> frozenset[str]:
        return frozenset(code for language in self.languages.values() for code in language.templates)

    def choose(self, template: str, tag: str) -> tuple[Language, NoticeTemplate]:
        """The template in the customer's language, else in the fallback language, else the general one: what must be
        said comes before the language it is said in.
        """
        fallback = self.languages[FALLBACK_LANGUAGE]
        own = self.languages.get(tag.replace("_", "-").split("-")[0].lower(), fallback)
        for language in (own, fallback):
            if template in language.templates:
                return language, language.templates[template]
        return own, own.templates[FALLBACK_TEMPLATE]


def load_wordings(folder: Path = WORDINGS) -> Wordings:
    """Reads and checks every text below the folder. Raises `WordingError` for the first that might not be sayable."""
    languages = {path.name: _language(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    if FALLBACK_LANGUAGE not in languages:
        raise WordingError(f"{folder.name}: the fallback language {FALLBACK_LANGUAGE!r} is missing")
    return Wordings(languages)


@cache
def standard_wordings() -> Wordings:
    """The texts that ship with the desk, read once."""
    return load_wordings()


def _language(folder: Path) -> Language:
    shared = _mapping(folder / "_phrases.yaml")
    where = f"{folder.name}/_phrases"
    _expect_keys(shared, {*PHRASES, "consequences", "labels"}, where)
    consequences, labels = shared["consequences"], shared["labels"]
    if not isinstance(consequences, dict) or not isinstance(labels, dict):
        raise WordingError(f"{where}: consequences and labels are maps")
    _expect_keys(consequences, set(CONSEQUENCES), f"{where}: consequences")
    _expect_keys(labels, set(LABELS), f"{where}: labels")
    dated = ALWAYS | {"pay_by", "pay_by_day"}
    spoken: dict[str, tuple[Text, Text]] = {}
    for code, pair in consequences.items():
        if not isinstance(pair, dict):
            raise WordingError(f"{where}: {code} has a long and a short text")
        _expect_keys(pair, {"long", "short"}, f"{where}: {code}")
        long = _text(pair["long"], where, SOMETIMES, always=dated)
        short = _text(pair["short"], where, set(), always=dated)
        if any(one.template.count("$pay_by") < 2 for one in (*long.alternatives, *short.alternatives)):
            raise WordingError(f"{where}: {code} must say before when to pay, and when it takes effect")
        spoken[code] = (long, short)
    phrases: dict[str, Text] = {}
    for name in PHRASES:
        extra = SOMETIMES | {"consequence", "consequence_short"}
        phrases[name] = _text(shared[name], f"{where}: {name}", extra, always=ALWAYS | phrases.keys())
    if "STOP" not in phrases["opt_out_sms"].alternatives[-1].template:
        raise WordingError(f"{where}: opt_out_sms must name the word STOP")
    templates = {
        path.stem: _template(path, f"{folder.name}/{path.stem}")
        for path in sorted(folder.glob("*.yaml"))
        if not path.stem.startswith("_")
    }
    if FALLBACK_TEMPLATE not in templates:
        raise WordingError(f"{folder.name}: the template {FALLBACK_TEMPLATE!r} is missing")
    return Language(
        code=folder.name,
        phrases=phrases,
        consequences=spoken,
        labels={name: _text(labels[name], f"{where}: {name}", set(), always=ALWAYS) for name in LABELS},
        templates=templates,
    )


def _template(path: Path, where: str) -> NoticeTemplate:
    content = _mapping(path)
    _expect_keys(content, {"subject", "opening", "closing", "sms", "in_app", "table", "pays"}, where)
    if content["table"] not in TABLES or not isinstance(content["pays"], bool):
        raise WordingError(f"{where}: table is one of {', '.join(TABLES)}, pays is true or false")

    always, extra = ALWAYS | set(PHRASES), SOMETIMES | {"consequence", "consequence_short"}

    def texts(name: str) -> tuple[Text, ...]:
        items = content[name]
        if not isinstance(items, list) or not items:
            raise WordingError(f"{where}: {name} is a list of texts")
        return tuple(_text(item, f"{where}: {name}", extra, always=always) for item in items)

    template = NoticeTemplate(
        subject=_text(content["subject"], f"{where}: subject", extra, always=always),
        opening=texts("opening"),
        closing=texts("closing"),
        sms=texts("sms"),
        in_app=texts("in_app"),
        table=content["table"],
        pays=content["pays"],
    )
    _expect_said(template, where)
    return template


def _expect_said(template: NoticeTemplate, where: str) -> None:
    """What no notice may leave out: how to get help, and, where bills are asked for, what happens when."""
    page = (*template.opening, *template.closing)
    help_line = "get_help" if template.pays else "questions"
    if not any(help_line in text.names for text in page):
        raise WordingError(f"{where}: opening or closing must say ${help_line}")
    if template.table != "bills":
        return
    for place, texts, names in (
        ("opening or closing", page, {"ask_to_pay", "consequence"}),
        ("sms", template.sms, {"ask_to_pay_short", "consequence_short"}),
        ("in_app", template.in_app, {"ask_to_pay_short", "consequence_short"}),
    ):
        if not any(text.names & names for text in texts):
            raise WordingError(f"{where}: {place} must say ${' or $'.join(sorted(names))}")


def _text(value: object, where: str, sometimes: Iterable[str], *, always: Iterable[str]) -> Text:
    alternatives = value if isinstance(value, list) else [value]
    said = [one for one in alternatives if isinstance(one, str)]
    if not said or len(said) < len(alternatives):
        raise WordingError(f"{where}: a text, or a list of texts")
    text = Text(tuple(Template(one) for one in said))
    if not all(one.is_valid() for one in text.alternatives):
        raise WordingError(f"{where}: a lone $ (write $$ for the sign itself)")
    always = set(always)
    if unknown := text.names - always - set(sometimes):
        raise WordingError(f"{where}: unknown field {', '.join(sorted(unknown))}")
    if missing := set(text.alternatives[-1].get_identifiers()) - always:
        raise WordingError(f"{where}: {', '.join(sorted(missing))} may be missing, so another text must follow")
    return text


def _mapping(path: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as problem:
        raise WordingError(f"{path.parent.name}/{path.name}: {problem}") from problem
    if not isinstance(content, dict):
        raise WordingError(f"{path.parent.name}/{path.name}: not a map")
    return content


def _expect_keys(content: Mapping[str, object], expected: set[str], where: str) -> None:
    if different := content.keys() ^ expected:
        raise WordingError(f"{where}: missing or unknown: {', '.join(sorted(map(str, different)))}")
