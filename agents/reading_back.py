"""What is read to a customer before they agree, in their language and in the desk's. Pure: no rows, no clock.

The words are data, in ``read_aloud/<language>.yaml``: sentences short enough to be said in one breath. A sentence is
said when every field it names is there; where several stand for one place, the first that can be said is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Any

import yaml
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency

from accounts.money import exponent, quantize
from agents.instalments import Instalment

FOLDER = Path(__file__).with_name("read_aloud")
#: Said where nobody has written the words in a customer's language.
FALLBACK = "en"
#: A currency written in letters stands apart from the number.
_SIGN = re.compile(r"(?<=[^\W\d_])(?=\d)")


class ReadBackError(ValueError):
    """Words that could not be said; the message names the file and the place."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Words to read aloud, and the language they are in."""

    text: str
    language: str
    rtl: bool

    @property
    def heard(self) -> str:
        """Stands for exactly these words in a form: who agrees has heard them and no others."""
        return sha256(self.text.encode()).hexdigest()[:20]


@cache
def languages() -> tuple[str, ...]:
    """The languages there are words in."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


@cache
def _words(language: str) -> Mapping[str, Any]:
    path = FOLDER / f"{language}.yaml"
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ReadBackError(f"{path.name}: no words")
    return found


def language_of(tag: str) -> str:
    """The language of ``de-AT`` that there are words in, else the fallback."""
    language = tag.replace("_", "-").partition("-")[0].lower()
    return language if language in languages() else FALLBACK


def say(
    what: str, *, language: str, currency: str, waits: bool = False, **fields: Decimal | date | int | str | None
) -> Spoken:
    """The words for one kind of agreement; fields that are ``None`` are not there.

    ``every`` is a period by its code. ``waits``: somebody else must approve it first, and the customer is told.
    Raises ``KeyError`` for a kind that nobody wrote words for.
    """
    code = language_of(language)
    words, locale = _words(code), _locale(language, code)
    values = {name: _written(value, locale, currency) for name, value in fields.items() if value is not None}
    if "every" in values:
        values["every"] = words["every"][values["every"]]
    sentences = [_sentence(each, values) for each in words[what]]
    if waits:
        sentences.append(words["waits"])
    sentences.append(words["ask"])
    return Spoken(" ".join(filter(None, sentences)), code, locale.text_direction == "rtl")


def of_instalments(parts: Sequence[Instalment], *, every: str, down_payment: Decimal | None) -> dict[str, Any]:
    """The fields of a schedule: equal payments in one breath, the first and the last where they differ."""
    fields: dict[str, Any] = {"total": sum((part.amount for part in parts), Decimal(0))}
    rest = list(parts)
    if down_payment is not None and len(rest) > 1:
        fields |= {"down_payment": rest[0].amount, "down_on": rest[0].due_on}
        rest = rest[1:]
    if len(rest) == 1:
        return fields | {"amount": rest[0].amount, "first_on": rest[0].due_on}
    fields |= {"count": len(rest), "amount": rest[0].amount, "every": every}
    fields |= {"start_on": rest[0].due_on, "last_on": rest[-1].due_on}
    if rest[-1].amount != rest[0].amount:
        fields["last_amount"] = rest[-1].amount
    return fields


def _sentence(written: str | Sequence[str], values: Mapping[str, str]) -> str:
    for text in [written] if isinstance(written, str) else written:
        template = Template(text)
        if set(template.get_identifiers()) <= values.keys():
            return template.substitute(values)
    return ""


def _locale(tag: str, language: str) -> Locale:
    country = next((part for part in tag.replace("_", "-").split("-")[1:] if len(part) == 2 and part.isalpha()), None)
    try:
        return Locale.parse(f"{language}_{country.upper()}") if country else Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return Locale.parse(language)


def _written(value: Decimal | date | int | str, locale: Locale, currency: str) -> str:
    if isinstance(value, Decimal):
        usual = locale.currency_formats["standard"].pattern
        places = exponent(currency)
        pattern = re.sub(r"0(\.0+)?(?=[^0]|$)", f"0.{'0' * places}" if places else "0", usual, count=1)
        shown = format_currency(quantize(value, currency), currency, pattern, locale=locale, currency_digits=False)
        return _SIGN.sub("\N{NO-BREAK SPACE}", shown)
    if isinstance(value, date):
        return format_date(value, "long", locale=locale)
    return str(value)
