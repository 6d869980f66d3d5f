"""Words in free text that ask for care: names of illnesses, which are not kept, and of a crisis, which comes first.

The words are in ``sensitive_words.yaml``, in the languages customers write in. They make a person look, nothing more:
what is found is said back to whoever typed it.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import yaml

DIAGNOSES, CRISIS = "diagnoses", "crisis"


def diagnosis_in(text: str) -> str:
    """The first word of the text that names an illness or a condition; empty where none does."""
    return _found(DIAGNOSES, text)


def crisis_in(text: str) -> str:
    """The first words of the text that say somebody may harm themselves; empty where none do."""
    return _found(CRISIS, text)


def _found(kind: str, text: str) -> str:
    match = _PATTERNS[kind].search(_plain(text))
    return match.group(0).strip() if match else ""


def _plain(text: str) -> str:
    """Lower case, without accents, typographic apostrophes and runs of space."""
    apart = unicodedata.normalize("NFKD", text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    # Marks of Latin and Arabic only: those of Devanagari are letters of the word.
    kept = (letter for letter in apart if not ("\u0300" <= letter <= "\u036f" or "\u064b" <= letter <= "\u065f"))
    return re.sub(r"\s+", " ", "".join(kept))


def _pattern(words: list[str]) -> re.Pattern[str]:
    longest_first = sorted({_plain(word) for word in words}, key=lambda word: (-len(word), word))
    each = (re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in longest_first)
    return re.compile(rf"(?<!\w)(?:{'|'.join(each)})(?!\w)")


def _read() -> dict[str, re.Pattern[str]]:
    content: dict[str, dict[str, list[str]]] = yaml.safe_load(
        Path(__file__).with_name("sensitive_words.yaml").read_text(encoding="utf-8")
    )
    return {
        kind: _pattern([str(word) for words in languages.values() for word in words])
        for kind, languages in content.items()
    }


_PATTERNS = _read()
