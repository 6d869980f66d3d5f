"""What to say in a call: steps for the situation, in the customer's language and beside it in the desk's own.

All words are data: ``agents/scripts/*.yaml``, over which an admin's own (``ScriptText``) win. What discloses that there
is a debt, or how much, is handed out only once somebody was verified; until then its words do not leave the server.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel.dates import format_skeleton
from babel.numbers import format_currency

from accounts.money import quantize
from agents.models import ScriptText

FOLDER = Path(__file__).resolve().parent / "scripts"
#: The desk's own language where a person's has no script.
DESK_LANGUAGE = "en"
#: An admin's words for a step in every situation that says nothing of its own.
EVERY = "every"
LANGUAGES = ("en", "de", "es", "fr", "ar", "hi")
#: What words may name.
NAMES = (
    "operator", "agent", "customer", "account", "overdue", "disputed", "since", "promised", "promised_on", "until",
)  # fmt: skip
#: Where the day stands before the month.
_LOCALES = {"en": "en_GB"}
_NAMED = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the choice of a script rests on."""

    holds: frozenset[str] = frozenset()
    represented_by: frozenset[str] = frozenset()
    disputed: bool = False
    vulnerable: bool = False
    callback_agreed: bool = False
    broken_plan: bool = False
    broken_promise: bool = False
    inbound: bool = False
    service_limited: bool = False
    reminded: bool = False
    days_past_due: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What the words name. Amounts and dates are written in the language of the words."""

    operator: str
    agent: str
    customer: str
    account: str
    currency: str
    overdue: Decimal
    disputed: Decimal = Decimal(0)
    since: date | None = None
    promised: Decimal | None = None
    promised_on: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it is shown. Withheld, it has a title and nothing more."""

    code: str
    title: str
    #: In the customer's language, and in the desk's own; the second is empty where they are the same.
    words: str
    own_words: str
    language: str
    prompt: str
    warning: str
    withheld: bool
    #: What is ticked once it was said: codes with their words.
    says: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """What to say now."""

    situation: str
    title: str
    language: str
    steps: tuple[Step, ...]
    #: Something waits for the check of who it is.
    withheld: bool


@cache
def plan() -> dict[str, Any]:
    """The steps and situations, as the file has them."""
    return _read("plan")


@cache
def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


@cache
def sayable() -> frozenset[str]:
    """Codes of what has to be said where the contact rules require it."""
    return frozenset(code for step in plan()["steps"].values() for code in step.get("says", ()))


def sayable_words(code: str, language: str = DESK_LANGUAGE) -> str:
    """The words that must be said, in a language."""
    return str(_read(language_of(language))["sayings"][code]).rstrip(".")


def situations() -> list[str]:
    """Every situation, as the file orders them."""
    return list(plan()["situations"])


def situation_words(language: str) -> dict[str, str]:
    """The names of situations in a language, in the file's order."""
    named = _read(language_of(language))["situations"]
    return {code: str(named[code]) for code in situations()}


def step_words(language: str) -> dict[str, str]:
    """The titles of steps in a language."""
    return {code: str(title) for code, title in _read(language_of(language))["titles"].items()}


def steps_of(situation: str) -> list[str]:
    """The steps of a situation in their order."""
    return list(plan()["situations"][situation].get("steps", plan()["steps"]))


def language_of(wanted: str) -> str:
    """A language that has a script: the one asked for, or the desk's own."""
    code = wanted.partition("-")[0].partition("_")[0].lower()
    return code if code in LANGUAGES else DESK_LANGUAGE


def situation_of(facts: Situation) -> str:
    """The first situation of the file that fits."""
    for code, written in plan()["situations"].items():
        if all(_holds(name, wanted, facts) for name, wanted in written["when"].items()):
            return str(code)
    raise LookupError("No situation fits; the last one must fit everything.")


def _holds(name: str, wanted: Any, facts: Situation) -> bool:
    known = getattr(facts, name)
    if isinstance(known, frozenset):
        return bool(known & set(wanted))
    if isinstance(known, bool):
        return known is bool(wanted)
    return bool(known >= wanted)


def script(
    *,
    situation: str,
    spoken: Spoken,
    language: str,
    own_language: str,
    requires: Collection[str] = (),
    verified: bool = False,
    hints: bool = True,
    texts: Iterable[ScriptText] | None = None,
) -> Script:
    """The steps to say. ``verified``: somebody who may be told is on the line; else what discloses is withheld.

    ``texts``: the admin's own words, where they were read already; one query otherwise.
    """
    theirs, own = language_of(language), language_of(own_language)
    rows = {
        (row.situation, row.step, row.language): row
        for row in (texts if texts is not None else texts_of(situation, {theirs, own}))
    }
    open_to_all = bool(plan()["situations"][situation].get("tells_nothing"))
    steps = []
    for code in steps_of(situation):
        about = plan()["steps"][code]
        says = tuple(each for each in about.get("says", ()) if each in requires)
        if about.get("says") and not says:
            continue
        withheld = bool(about["discloses"]) and not (verified or open_to_all)
        title = str(_read(own)["titles"][code])
        if withheld:
            steps.append(Step(code, title, "", "", theirs, "", "", True))
            continue
        words = {lang: fill(_words(situation, code, lang, rows, says), spoken, lang) for lang in (theirs, own)}
        # How to say it is for the agent, in the desk's own language.
        told = _text(situation, code, own, rows)
        steps.append(
            Step(
                code,
                title,
                words[theirs],
                words[own] if own != theirs else "",
                theirs,
                told.get("prompt", "") if hints else "",
                told.get("warning", ""),
                False,
                tuple((each, sayable_words(each, own)) for each in says),
            )
        )
    named = str(_read(own)["situations"][situation])
    return Script(situation, named, theirs, tuple(steps), any(step.withheld for step in steps))


def texts_of(situation: str, languages: Collection[str]) -> list[ScriptText]:
    """The admin's own words for a situation, and for every one. One query."""
    return list(ScriptText.objects.filter(situation__in=[situation, EVERY], language__in=languages))


def _words(
    situation: str, step: str, language: str, rows: Mapping[tuple[str, str, str], ScriptText], says: Sequence[str]
) -> str:
    """What is said; what must be said is exactly that, unless an admin wrote it otherwise."""
    own = any((each, step, language) in rows for each in (situation, EVERY))
    if says and not own:
        return " ".join(str(_read(language)["sayings"][each]) for each in says)
    return _text(situation, step, language, rows).get("words", "")


def _text(situation: str, step: str, language: str, rows: Mapping[tuple[str, str, str], ScriptText]) -> dict[str, str]:
    """A step's words: the admin's for the situation, those that ship for it, the admin's for all, those that ship."""
    shipped = shipped_text(situation, step, language)
    own = rows.get((situation, step, language))
    if own is None and step not in _read(language)["for"].get(situation, {}):
        own = rows.get((EVERY, step, language))
    if own is None:
        return shipped
    return {**shipped, "words": own.words, "prompt": own.prompt or shipped.get("prompt", "")}


def shipped_text(situation: str, step: str, language: str) -> dict[str, str]:
    """Words, prompt and warning that ship; what a situation does not say differently is as in all."""
    written = _read(language_of(language))
    found: dict[str, str] = written["for"].get(situation, {}).get(step) or written["base"][step]
    return found


def fill(words: str, spoken: Spoken, language: str) -> str:
    """The words with what they name; a name that is not known stays as it is written."""
    amounts = {"overdue": spoken.overdue, "disputed": spoken.disputed, "promised": spoken.promised}
    days = {"since": spoken.since, "promised_on": spoken.promised_on, "until": spoken.until}

    def named(found: re.Match[str]) -> str:
        name = found[1]
        if name in amounts:
            amount = amounts[name]
            return "…" if amount is None else _money(amount, spoken.currency, language)
        if name in days:
            on = days[name]
            return "…" if on is None else format_skeleton("MMMMd", on, locale=_LOCALES.get(language, language))
        return str(getattr(spoken, name)) if name in NAMES else found[0]

    return _NAMED.sub(named, words)


def unknown_names(words: str) -> Sequence[str]:
    """What the words name and nobody knows."""
    return sorted(set(_NAMED.findall(words)) - set(NAMES))


def _money(amount: Decimal, currency: str, language: str) -> str:
    return format_currency(quantize(amount, currency), currency, locale=language, currency_digits=True)
