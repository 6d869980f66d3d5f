"""Whether a message about a bill is advertising as well: then other law applies to all of it.

The words are in ``promotional_words.yaml``, by language; packs add their own. Every language's words are looked for,
since texts mix them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import yaml

from dunning.gate.checks.registry import Check, Theme
from dunning.gate.checks.words import Phrases, phrases_for, plain, says, words_of
from dunning.gate.decision import BLOCK, REQUIRE, WARN, Objection
from dunning.gate.facts import Action, ConsentFact, Facts

MARKETING = "marketing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What advertising needs. ``words`` and ``harmless`` come beside those everywhere in use."""

    words: Phrases = field(default_factory=dict)
    harmless: Phrases = field(default_factory=dict)
    #: Words that are perhaps advertising: somebody with knowledge of the law looks.
    doubtful: Phrases = field(default_factory=dict)
    #: With consent, advertising may stand in a message about a bill; otherwise never.
    may_be_mixed: bool = True
    #: Advertising needs consent to it, on this channel.
    needs_consent: bool = True
    #: One of these stands in advertising: how to have no more of it. Empty: nothing need be said.
    opt_out: Phrases = field(default_factory=dict)


def promotional_word(text: str, *, words: Phrases | None = None, harmless: Phrases | None = None) -> str:
    """The first words in the text that advertise; empty where none do."""
    rest = plain(text)
    if not rest:
        return ""
    beside = (*phrases_for(_HARMLESS, ""), *phrases_for(harmless or {}, ""))
    for phrase in beside if says(rest, beside) else ():
        rest = re.sub(rf"(?<!\w){re.escape(plain(phrase.removesuffix('*')))}", " ", rest)
    return says(rest, (*phrases_for(_WORDS, ""), *phrases_for(words or {}, "")))


def wants_marketing(facts: Facts, action: Action, at: datetime) -> bool | None:
    """What the customer last said about advertising on this channel or at this address; nothing where they did not."""
    said = [consent for consent in facts.consents if _is_about(consent, action) and consent.at <= at]
    last = max(said, key=lambda consent: consent.at, default=None)
    if last is None:
        return None
    return last.given and (last.until is None or at < last.until)


def _is_about(consent: ConsentFact, action: Action) -> bool:
    return (
        consent.purpose == MARKETING
        and consent.channel == action.type
        and consent.given_to == "desk"
        and (not consent.value or consent.value == action.address)
    )


def promotion(params: Promotion, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """A neutral message about a bill is service; one word of advertising makes all of it advertising."""
    text = words_of(action)
    word = promotional_word(text, words=params.words, harmless=params.harmless)
    if not word and action.purpose != MARKETING:
        doubt = says(text, phrases_for(params.doubtful, ""))
        if not doubt:
            return None
        text = f'"{doubt}" may be advertising: have it looked at.'
        return Objection(reason=text, outcome=WARN, requires=("legal_review",))
    what = f'The text says "{word}", which is advertising' if word else "This is advertising"
    if word and action.purpose != MARKETING and not params.may_be_mixed:
        return Objection(reason=f"{what}: it must be sent as such, not as a message about a bill.", outcome=BLOCK)
    if params.needs_consent and not wants_marketing(facts, action, at):
        return Objection(reason=f"{what}, and the customer did not agree to it on this channel.", outcome=BLOCK)
    if params.opt_out and text and not says(text, phrases_for(params.opt_out, action.language)):
        return Objection(
            reason=f"{what}, and it does not say how to have no more of it.", outcome=REQUIRE, requires=("add_opt_out",)
        )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoDialler:
    """Whether automatic calls were announced to the provider they start from."""

    announced: bool = False


def announced_dialler(params: AutoDialler, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """A machine's call, or a recorded one, from a line whose provider was not told of it and its purpose."""
    if params.announced or not (action.automated or action.prerecorded):
        return None
    return Objection(reason="Automatic calls were not announced to the provider they start from.", outcome=BLOCK)


def _read() -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]:
    content: dict[str, dict[str, list[str]]] = yaml.safe_load(
        Path(__file__).with_name("promotional_words.yaml").read_text(encoding="utf-8")
    )
    words, harmless = (
        {language: tuple(str(word) for word in found) for language, found in content[kind].items()}
        for kind in ("words", "harmless")
    )
    return words, harmless


_WORDS, _HARMLESS = _read()

THEME = Theme(
    checks={
        "promotion": Check(Promotion, promotion),
        "announced_dialler": Check(AutoDialler, announced_dialler),
    }
)
