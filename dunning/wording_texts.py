"""The texts of the notices: data in `wordings/<language>/`, read and checked before anything is said with them.

`<template>.yaml` is one notice, `<template>.<tone>.yaml` the same in another tone, `_phrases.yaml` what all share. A
text names fields (`$total_due`). Where a list of texts stands, the first one whose fields are all there is said; an
empty text at its end means: else say nothing. Because the last one may only name fields that are always there, whatever
loads can be said. What no notice may leave out is demanded here, and what a call may not say is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

import yaml

from dunning.text_messages import plain_signs, sms_segments
from dunning.wording_facts import CONSEQUENCES

WORDINGS = Path(__file__).with_name("wordings")
FALLBACK_LANGUAGE = "en"
FALLBACK_TEMPLATE = "general"
SHARED = "_phrases"
PLAIN = "plain"
TONES = ("gentle", "firm")
"""Beside the plain one: gentle puts help first and the demand last, firm is for a last word."""


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
        "extended_until",
        "extended_until_day",
        "settled_amount",
        "settled_balance",
        "settled_by",
        "settled_by_day",
        "disputed_amount",
        "disputed_bill",
        "credited_amount",
        "disputed_rest",
        "outcome_words",
        "advice",
        "regulator",
        "opt_out_url",
        "suspension_on",
        "wait_until",
        "wait_until_day",
        "answer_by",
        "answer_by_day",
        "dispute_url",
    ]
)
# There for the notice that itemizes a debt, and for no other.
ITEMIZED = frozenset({"creditor", "itemized_on", "debt_then", "validation_ends", "collector_address"})
# Said in this order: a phrase may name the ones before it.
PHRASES = (
    "greeting",
    "sign_off",
    "ask_to_pay",
    "ask_to_pay_short",
    "concerns",
    "part_paid",
    "already_paid",
    "free_advice",
    "get_help",
    "get_help_short",
    "questions",
    "questions_short",
    "help_signpost",
    "suspension_date",
    "court_recourse",
    "mini_miranda",
    "mini_miranda_short",
    "from_collector",
    "complaint",
    "pay_online",
    "pay_transfer",
    "pay_phone",
    "pay_short",
    "opt_out_sms",
    "opt_out_email",
    "preview",
    "voice_open",
    "voice_close",
)
# What a voice cannot say: addresses of pages, and how to answer in writing.
UNSPOKEN = frozenset({"pay_url", "opt_out_url", "pay_short", "pay_online", "opt_out_sms", "opt_out_email"})
# What may be said before the listener has confirmed who they are: no debt, no amount, no account.
BEFORE_CONFIRMING = frozenset({"operator_name", "customer_name"})
LABELS = (
    "colon",
    "comma",
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
    "customer",
    "date",
    "page",
    "confidential",
)
TABLES = ("bills", "instalments", "itemization", "none")
ITEMS = ("then", "interest", "fees", "payments", "credits", "now")
"""The lines of an itemized debt, in this order: 12 CFR 1006.34(c)(2)(vii) to (ix)."""

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
class TearOffText:
    """The words of the form at the end of a letter."""

    heading: Text
    instruction: Text
    boxes: tuple[tuple[Text, tuple[Text, ...]], ...]


@dataclass(frozen=True, slots=True)
class NoticeTemplate:
    subject: Text
    opening: tuple[Text, ...]
    closing: tuple[Text, ...]
    sms: tuple[Text, ...]
    in_app: tuple[Text, ...]
    voice: tuple[Text, ...]
    table: str
    pays: bool
    bare: bool = False
    """Says what stands in it and nothing more: neither how to get help nor how to opt out is added."""
    items: Mapping[str, Text] | None = None
    tear_off: TearOffText | None = None

    @property
    def page(self) -> tuple[Text, ...]:
        """The texts of an e-mail or a letter, in the order they are read."""
        return (*self.opening, *self.closing)


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    phrases: Mapping[str, Text]
    consequences: Mapping[str, tuple[Text, Text]]
    """Long and short, by consequence."""
    labels: Mapping[str, Text]
    templates: Mapping[str, NoticeTemplate]
    """By `template`, or `template.tone`."""

    @property
    def gsm7(self) -> bool:
        """Whether its text messages can be in the cheap alphabet at all."""
        last_words = self.phrases["opt_out_sms"].alternatives[-1].template
        return sms_segments(plain_signs(last_words)).alphabet == "GSM-7"


@dataclass(frozen=True, slots=True)
class Wordings:
    """All texts of the desk, checked."""

    languages: Mapping[str, Language]

    def template_codes(self) -> frozenset[str]:
        return frozenset(name.partition(".")[0] for language in self.languages.values() for name in language.templates)

    def choose(self, template: str, tag: str, tone: str = "") -> tuple[Language, NoticeTemplate]:
        """The template in the customer's language and the tone asked for, else the plain one of that language, else
        the fallback language, else the general one: what must be said comes before the language it is said in.
        """
        fallback = self.languages[FALLBACK_LANGUAGE]
        own = self.languages.get(tag.replace("_", "-").split("-")[0].lower(), fallback)
        for code in (template, FALLBACK_TEMPLATE):
            for language in (own, fallback):
                for name in (f"{code}.{tone}", code):
                    if "." not in code and name in language.templates:
                        return language, language.templates[name]
        raise KeyError(FALLBACK_TEMPLATE)


Contents = Mapping[str, Mapping[str, object]]
"""By language, by file without its ending: what stands in it."""


def load_wordings(folder: Path = WORDINGS) -> Wordings:
    """Reads and checks every text below the folder. Raises `WordingError` for the first that might not be sayable."""
    return read_wordings(wording_contents(folder))


def wording_contents(folder: Path = WORDINGS) -> dict[str, dict[str, object]]:
    """What stands in the files below the folder, unchecked: texts written elsewhere can be put in or over them."""
    return {
        path.name: {file.stem: _content(file) for file in sorted(path.glob("*.yaml"))}
        for path in sorted(folder.iterdir())
        if path.is_dir()
    }


def read_wordings(contents: Contents) -> Wordings:
    """The same, from contents. Raises `WordingError`."""
    if FALLBACK_LANGUAGE not in contents:
        raise WordingError(f"the fallback language {FALLBACK_LANGUAGE!r} is missing")
    return Wordings({code: _language(code, files) for code, files in contents.items()})


@cache
def standard_wordings() -> Wordings:
    """The texts that ship with the desk, read once."""
    return load_wordings()


def _language(code: str, files: Mapping[str, object]) -> Language:
    where = f"{code}/{SHARED}"
    shared = _map(files.get(SHARED), where)
    _expect_keys(shared, {*PHRASES, "consequences", "labels"}, where)
    consequences = _map(shared["consequences"], f"{where}: consequences")
    labels = _map(shared["labels"], f"{where}: labels")
    _expect_keys(consequences, set(CONSEQUENCES), f"{where}: consequences")
    _expect_keys(labels, set(LABELS), f"{where}: labels")
    dated = ALWAYS | {"pay_by", "pay_by_day"}
    spoken: dict[str, tuple[Text, Text]] = {}
    for consequence, value in consequences.items():
        pair = _map(value, f"{where}: {consequence}")
        _expect_keys(pair, {"long", "short"}, f"{where}: {consequence}")
        long = _text(pair["long"], where, SOMETIMES, always=dated)
        short = _text(pair["short"], where, set(), always=dated)
        if any(one.template.count("$pay_by") < 2 for one in (*long.alternatives, *short.alternatives)):
            raise WordingError(f"{where}: {consequence} must say before when to pay, and when it takes effect")
        spoken[consequence] = (long, short)
    phrases: dict[str, Text] = {}
    for name in PHRASES:
        extra = SOMETIMES | {"consequence", "consequence_short"}
        phrases[name] = _text(shared[name], f"{where}: {name}", extra, always=ALWAYS | phrases.keys())
    _expect_phrases(phrases, where)
    templates = {
        name: template_from(content, f"{code}/{name}", tone=name.partition(".")[2])
        for name, content in sorted(files.items())
        if not name.startswith("_")
    }
    if FALLBACK_TEMPLATE not in templates:
        raise WordingError(f"{code}: the template {FALLBACK_TEMPLATE!r} is missing")
    for name in templates:
        plain, _, tone = name.partition(".")
        if tone and (tone not in TONES or plain not in templates):
            raise WordingError(f"{code}/{name}: a tone is one of {', '.join(TONES)}, beside the plain {plain!r}")
    return Language(
        code=code,
        phrases=phrases,
        consequences=spoken,
        labels={name: _text(labels[name], f"{where}: {name}", set(), always=ALWAYS) for name in LABELS},
        templates=templates,
    )


def _expect_phrases(phrases: Mapping[str, Text], where: str) -> None:
    if "STOP" not in phrases["opt_out_sms"].alternatives[-1].template:
        raise WordingError(f"{where}: opt_out_sms must name the word STOP")
    if said := phrases["voice_open"].names - BEFORE_CONFIRMING:
        raise WordingError(
            f"{where}: voice_open is heard by whoever answers and must not say ${', $'.join(sorted(said))}"
        )
    if said := phrases["voice_close"].names & UNSPOKEN:
        raise WordingError(f"{where}: voice_close cannot speak ${', $'.join(sorted(said))}")
    for name in ("mini_miranda", "mini_miranda_short", "from_collector", "voice_open", "voice_close"):
        if not all(one.template.strip() for one in phrases[name].alternatives):
            raise WordingError(f"{where}: {name} must say something")


def template_from(value: object, where: str, *, tone: str = "") -> NoticeTemplate:
    """One notice from what stands in its file, checked. Raises `WordingError`, which begins with ``where``."""
    content = _map(value, where)
    table = content.get("table")
    itemized = {"items", "tear_off"} if table == "itemization" else set()
    _expect_keys(
        content,
        {"subject", "opening", "closing", "sms", "in_app", "table", "pays"} | itemized,
        where,
        {"voice", "bare"},
    )
    flags = content["pays"], content.get("bare", False)
    if not isinstance(table, str) or table not in TABLES or not all(isinstance(flag, bool) for flag in flags):
        raise WordingError(f"{where}: table is one of {', '.join(TABLES)}, pays and bare are true or false")

    always, extra = ALWAYS | set(PHRASES), SOMETIMES | {"consequence", "consequence_short"}
    if itemized:
        always |= ITEMIZED

    def text(name: str, item: object) -> Text:
        return _text(item, f"{where}: {name}", extra, always=always)

    def texts(name: str) -> tuple[Text, ...]:
        items = content[name]
        if not isinstance(items, list) or not items:
            raise WordingError(f"{where}: {name} is a list of texts")
        return tuple(text(name, item) for item in items)

    in_app = texts("in_app")
    template = NoticeTemplate(
        subject=text("subject", content["subject"]),
        opening=texts("opening"),
        closing=texts("closing"),
        sms=texts("sms"),
        in_app=in_app,
        voice=texts("voice") if "voice" in content else _spoken(in_app),
        table=table,
        pays=flags[0] is True,
        bare=flags[1] is True,
        items=_items(content["items"], where, text) if itemized else None,
        tear_off=_tear_off(content["tear_off"], where, text) if itemized else None,
    )
    _expect_said(template, where)
    if tone == "gentle":
        _expect_help_first(template, where)
    return template


def _spoken(texts: tuple[Text, ...]) -> tuple[Text, ...]:
    """What of these a voice can say: a text that always ends in an address is left out."""
    left = []
    for text in texts:
        said = tuple(one for one in text.alternatives if not UNSPOKEN & set(one.get_identifiers()))
        if text.alternatives[-1] in said:
            left.append(Text(said))
    return tuple(left)


def _items(value: object, where: str, text: Callable[[str, object], Text]) -> Mapping[str, Text]:
    labels = _map(value, f"{where}: items")
    _expect_keys(labels, set(ITEMS), f"{where}: items")
    return {name: text("items", labels[name]) for name in ITEMS}


def _tear_off(value: object, where: str, text: Callable[[str, object], Text]) -> TearOffText:
    form = _map(value, f"{where}: tear_off")
    _expect_keys(form, {"heading", "instruction", "boxes"}, f"{where}: tear_off")
    boxes = form["boxes"]
    if not isinstance(boxes, list) or not boxes:
        raise WordingError(f"{where}: tear_off: boxes is a list")
    read = []
    for box in boxes:
        below: list[object] = []
        if isinstance(box, dict) and len(box) == 1:
            [(box, below)] = box.items()
        if not isinstance(below, list):
            raise WordingError(f"{where}: tear_off: below a box stands a list of boxes")
        read.append((text("tear_off", box), tuple(text("tear_off", one) for one in below)))
    return TearOffText(text("tear_off", form["heading"]), text("tear_off", form["instruction"]), tuple(read))


def _expect_said(template: NoticeTemplate, where: str) -> None:
    """What no notice may leave out: how to get help, and, where bills are asked for, what happens when."""
    if not template.voice:
        raise WordingError(f"{where}: in_app leaves nothing to say aloud, so voice must be there")
    if said := {name for text in template.voice for name in text.names} & UNSPOKEN:
        raise WordingError(f"{where}: voice cannot speak ${', $'.join(sorted(said))}")
    if template.bare:
        if template.pays or template.table != "none":
            raise WordingError(f"{where}: a bare notice asks for nothing: table is none, pays is false")
        return
    help_line = "get_help" if template.pays else "questions"
    if not any(help_line in text.names for text in template.page):
        raise WordingError(f"{where}: opening or closing must say ${help_line}")
    demands: list[tuple[str, tuple[Text, ...], set[str]]] = []
    if template.table == "itemization":
        demands = [
            ("opening or closing", template.page, {name})
            for name in ("creditor", "itemized_on", "validation_ends", "collector_address")
        ]
    if template.table == "bills":
        demands = [
            ("opening or closing", template.page, {"ask_to_pay", "consequence"}),
            ("sms", template.sms, {"ask_to_pay_short", "consequence_short"}),
            ("in_app", template.in_app, {"ask_to_pay_short", "consequence_short"}),
            ("voice", template.voice, {"ask_to_pay_short", "consequence_short", "ask_to_pay", "consequence"}),
        ]
    for place, texts, names in demands:
        if not any(text.names & names for text in texts):
            raise WordingError(f"{where}: {place} must say ${' or $'.join(sorted(names))}")


def _expect_help_first(template: NoticeTemplate, where: str) -> None:
    """What makes a tone gentle: help is offered before anything is asked for, on every channel."""
    asks = {"ask_to_pay", "ask_to_pay_short", "consequence", "consequence_short"}
    for place, texts in (
        ("opening or closing", template.page), ("sms", template.sms), ("in_app", template.in_app),
    ):  # fmt: skip
        said = [text.names for text in texts]
        first_help = next((at for at, names in enumerate(said) if names & {"get_help", "get_help_short"}), len(said))
        first_ask = next((at for at, names in enumerate(said) if names & asks), len(said))
        if first_ask <= first_help and template.pays:
            raise WordingError(f"{where}: {place} offers help before it asks for money")
    if template.subject.names & {"pay_by", "pay_by_day", "total_due", *asks}:
        raise WordingError(f"{where}: the subject asks for nothing")


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


def _content(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as problem:
        raise WordingError(f"{path.parent.name}/{path.name}: {problem}") from problem


def _map(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise WordingError(f"{where}: {'missing' if value is None else 'not a map'}")
    return value


def _expect_keys(
    content: Mapping[str, object], expected: set[str], where: str, possible: Iterable[str] = frozenset()
) -> None:
    if different := (content.keys() ^ expected) - set(possible):
        raise WordingError(f"{where}: missing or unknown: {', '.join(sorted(map(str, different)))}")
