"""How easily a text is read, by the formula published for its language. Pure.

English    Rudolf Flesch, "A New Readability Yardstick", Journal of Applied Psychology 32 (1948)
German     Toni Amstad, "Wie verständlich sind unsere Zeitungen?", Zürich 1978: Flesch's with German weights
Spanish    José Fernández Huerta, "Medidas sencillas de lecturabilidad", Consigna 214 (1959), read as Gwillim Law
           corrected it in 2011: the last factor is words in a sentence

For Hindi and Arabic no formula has come into general use: none is made up here, only long sentences are told. All three
say about 100 for what a child reads and about 0 for what nobody does; below 50 readers find a text difficult.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

#: Shorter texts say nothing: the formulas are for samples of about a hundred words.
FEWEST_WORDS = 50
#: Below it Flesch calls a text difficult, and so do those who follow him.
DIFFICULT = 50.0

_LINK = re.compile(r"https?://\S+|\bwww\.\S+|\S+@\S+")
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['\u2019\u0300-\u036f\u0900-\u0963\u0971-\u097f])*")
_GERMAN_MONTHS = "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
#: Ends a sentence; not the point behind a day ("25. August"), of a decimal, or of "No." before a number.
_END = re.compile(
    rf"(?:(?<!\d)(?<!\bNo)(?<!\bNr)|(?<=[.,]\d\d)|(?<=\d{{4}}))[.](?=\s|$)"
    rf"|(?<=\d)[.](?=\s+(?!(?:{_GERMAN_MONTHS})\b)[A-ZÄÖÜÁÉÍÓÚÑ¿¡])|[!?\u0964\u061f]+|\n+"
)
_VOWELS = re.compile(r"[aeiouy]+")
#: Endings in e whose e is said.
_SPOKEN = ("le", "les", "ee", "ies", "ted", "ded", "ses", "ces")
_GERMAN = re.compile(r"[aeiouyäöü]+")
_GERMAN_TOGETHER = re.compile(r"ei|ai|ey|ay|au|äu|eu|ie|aa|ee|oo|ui")
_SPANISH = re.compile(r"[aeiouáéíóúü]+")


@dataclass(frozen=True, slots=True)
class Formula:
    """``base - for_syllables * syllables per word - for_words * words per sentence``."""

    name: str
    base: float
    for_syllables: float
    for_words: float
    syllables: Callable[[str], int]


def english_syllables(word: str) -> int:
    """Groups of vowels, but for a silent e at the end."""
    said = word.casefold()
    count = len(_VOWELS.findall(said))
    is_silent = said.endswith(("e", "es", "ed")) and not said.endswith(_SPOKEN)
    return max(count - (is_silent and count > 1), 1)


def german_syllables(word: str) -> int:
    """Every vowel is one, but for those that are said together."""
    groups = _GERMAN.findall(word.casefold())
    return max(sum(len(_GERMAN_TOGETHER.sub("e", group)) for group in groups), 1)


def spanish_syllables(word: str) -> int:
    """Every open vowel is one, and every closed one with its accent; a closed one beside another is said with it."""
    said = re.sub(r"(?<=[qg])u(?=[eiéí])", "", word.casefold())
    groups = _SPANISH.findall(re.sub(r"y\b", "i", said))
    return max(sum(max(sum(vowel in "aeoáéóíú" for vowel in group), 1) for group in groups), 1)


FORMULAS: Mapping[str, Formula] = {
    "en": Formula("Flesch 1948", 206.835, 84.6, 1.015, lru_cache(maxsize=20_000)(english_syllables)),
    "de": Formula("Amstad 1978", 180.0, 58.5, 1.0, lru_cache(maxsize=20_000)(german_syllables)),
    "es": Formula("Fernández Huerta 1959", 206.84, 60.0, 1.02, lru_cache(maxsize=20_000)(spanish_syllables)),
}


def words_of(text: str) -> list[str]:
    """The words of a text: no numbers, links or addresses."""
    return _WORD.findall(_LINK.sub(" ", text))


def sentences(text: str) -> list[str]:
    """The sentences of a text, lines apart; what has no words is none."""
    found = (one.strip() for one in _END.split(_LINK.sub(" ", text)))
    return [one for one in found if _WORD.search(one)]


def prose(text: str) -> list[str]:
    """The sentences that are any: of a table's lines, headings and addresses nothing."""
    return [one for one in sentences(text) if len(_WORD.findall(one)) > 3]


def reading_ease(text: str, language: str) -> float | None:
    """By the formula of the language; none where there is none, or the text is too short for it."""
    formula = FORMULAS.get(language.partition("-")[0].lower())
    told = [_WORD.findall(one) for one in prose(text)]
    words = sum(map(len, told))
    if formula is None or words < FEWEST_WORDS:
        return None
    syllables = sum(formula.syllables(word) for sentence in told for word in sentence)
    return formula.base - formula.for_syllables * syllables / words - formula.for_words * words / len(told)


def longest_sentence(text: str) -> tuple[int, str]:
    """How many words the longest sentence has, and the sentence."""
    return max(((len(_WORD.findall(one)), one) for one in sentences(text)), default=(0, ""))
