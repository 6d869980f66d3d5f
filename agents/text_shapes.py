"""What is the same in all copies of a text: its words without names, figures, dates and links. Pure."""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from hashlib import sha256

from babel import Locale, UnknownLocaleError

#: Stands where a name stood.
NAMELESS = "\u2026"
_AROUND_WORDS = ".,;:!?()[]\u00a0\u2019'\"\u2066\u2067\u2068\u2069"


def without_name(text: str, name: str) -> str:
    """The text without the customer's name, wherever it stands."""
    return text.replace(name, NAMELESS) if len(name.strip()) > 1 else text


def digest_of(text: str, *, name: str, language: str, beside: tuple[str, ...]) -> str:
    """The same for all copies of a text; ``beside`` are what else tells them apart: its step, its channel."""
    said = without_name(unicodedata.normalize("NFC", text), name)
    words = filter(None, (_kept(word, language) for word in said.split()))
    return sha256("\n".join((*beside, *words)).encode()).hexdigest()


@lru_cache(maxsize=50_000)
def _kept(word: str, language: str) -> str:
    """The word, unless it has figures in it, is a link, or the name of a month or a day of the week."""
    bare = word.strip(_AROUND_WORDS)
    if any(sign.isdigit() for sign in bare) or "://" in bare or bare.casefold() in _months(language):
        return ""
    return bare


@cache
def _months(language: str) -> frozenset[str]:
    """Names of months and weekdays in the language, long and short."""
    try:
        locale = Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return frozenset()
    return frozenset(
        name.strip(".").casefold()
        for calendar in (locale.months, locale.days)
        for context in ("format", "stand-alone")
        for width in ("wide", "abbreviated")
        for name in calendar[context][width].values()
    )
