"""The checks of words in force: read anew each time, put together once for as long as they stay the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from functools import lru_cache
from hashlib import sha256

from agents.models import WordCheck
from agents.tone_checks import FIRM_TO_VULNERABLE, HARSH_AFTER_KEPT, HEALTH
from dunning.tone import CARD, EXCLAMATIONS, HARD_TO_READ, LONG_SENTENCE, NO_AMOUNT, SHOUTING, Lexicon, Rule

#: Checks without words: they are switched off and weighed, and never deleted.
BUILT_IN = frozenset(
    {
        CARD, EXCLAMATIONS, FIRM_TO_VULNERABLE, HARD_TO_READ, HARSH_AFTER_KEPT, HEALTH, LONG_SENTENCE, NO_AMOUNT,
        SHOUTING,
    }
)  # fmt: skip

_Row = tuple[str, str, tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def in_use() -> Lexicon:
    """The checks that are switched on. One small query."""
    rows = WordCheck.objects.filter(active=True).order_by("code")
    return _lexicon(
        tuple(
            (code, severity, tuple(kinds), tuple(languages), tuple(words), tuple(patterns))
            for code, severity, kinds, languages, words, patterns in rows.values_list(
                "code", "severity", "kinds", "languages", "words", "patterns"
            )
        )
    )


@lru_cache(maxsize=4)
def _lexicon(rows: tuple[_Row, ...]) -> Lexicon:
    return Lexicon(
        [
            Rule(
                code=code,
                severity=severity,
                where=frozenset(kinds),
                languages=frozenset(languages),
                words=words,
                patterns=patterns,
            )
            for code, severity, kinds, languages, words, patterns in rows
        ]
    )


def fingerprint(lexicon: Lexicon) -> str:
    """The same for the same checks, and for no others."""
    told = [
        (code, severity, sorted(where), sorted(languages), words, patterns)
        for code, severity, where, languages, words, patterns in map(astuple, lexicon.rules.values())
    ]
    return sha256(repr(told).encode()).hexdigest()


def words_about() -> Mapping[str, tuple[str, str]]:
    """Of every check, switched on or not: what it is called and the rule it comes from, by its code. One query."""
    return {code: (title, why) for code, title, why in WordCheck.objects.values_list("code", "title", "why")}
