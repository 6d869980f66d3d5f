"""The words of the customer's page: one YAML file a language, all with the same keys and the same fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from string import Template
from zoneinfo import ZoneInfo

import yaml
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_day_names
from babel.numbers import format_currency, format_decimal
from django.http import HttpRequest
from django.utils.translation.trans_real import parse_accept_lang_header

from accounts.money import exponent

TEXTS = Path(__file__).with_name("texts")
LANGUAGES = ("en", "es", "de", "fr", "hi", "ar")
FALLBACK = "en"


@cache
def load(language: str) -> Mapping[str, Template]:
    """The texts of a language, by key."""
    content = yaml.safe_load((TEXTS / f"{language}.yaml").read_text(encoding="utf-8"))
    return {key: Template(str(text)) for key, text in content.items()}


class Words:
    """One language, with the customer's way of writing dates and amounts.

    In templates ``words.continue`` is a text without fields; those with fields are said by ``say``.
    """

    def __init__(self, tag: str, language: str) -> None:
        self.language = language
        self._texts = load(language)
        self._locale = _locale(tag, language)

    @property
    def direction(self) -> str:
        """How the page runs: ``ltr`` or ``rtl``."""
        return str(self._locale.text_direction)

    def __getitem__(self, key: str) -> str:
        return self._texts[key].template

    def say(self, key: str, **fields: object) -> str:
        """The text with its fields. Raises ``KeyError`` for a field that is missing."""
        return self._texts[key].substitute({name: str(value) for name, value in fields.items()})

    def day(self, day: date) -> str:
        return str(format_date(day, "long", locale=self._locale))

    def weekday(self, number: int) -> str:
        """A day of the week, 1 being Monday, in short."""
        return str(get_day_names("abbreviated", context="stand-alone", locale=self._locale)[number - 1])

    def language_name(self, tag: str) -> str:
        """A language as it is called in this one; as it is where nobody knows it."""
        try:
            return (
                str(Locale.parse(tag.replace("_", "-"), sep="-").get_display_name(self._locale) or tag) if tag else ""
            )
        except (UnknownLocaleError, ValueError):
            return tag

    def hour(self, at: datetime, zone: ZoneInfo) -> str:
        return str(format_time(at, "short", tzinfo=zone, locale=self._locale))

    def money(self, currency: str) -> Callable[[Decimal], str]:
        """Amounts with the decimals of their currency; a currency written in letters stands apart from the number."""
        places = exponent(currency)

        def write(amount: Decimal) -> str:
            text = format_currency(
                amount.quantize(Decimal(1).scaleb(-places)),
                currency,
                locale=self._locale,
                currency_digits=False,
                decimal_quantization=False,
            )
            return re.sub(r"(?<=[^\W\d_])(?=\d)", "\u00a0", text)

        return write

    def number(self, amount: Decimal, currency: str) -> str:
        """The amount as it is typed into a bank's form: no sign of the currency, nothing between thousands."""
        places = exponent(currency)
        return str(format_decimal(amount, format=f"0.{'0' * places}" if places else "0", locale=self._locale))


def words_for(request: HttpRequest, tag: str = "") -> Words:
    """The language asked for in the address, else the customer's, else the browser's, else English."""
    asked = request.GET.get("lang", "")
    if asked in LANGUAGES:
        return Words(tag if tag.lower().startswith(asked) else asked, asked)
    spoken = tag.replace("_", "-").split("-")[0].lower()
    if spoken in LANGUAGES:
        return Words(tag, spoken)
    return Words(FALLBACK, FALLBACK) if tag else _browsers(request)


def _browsers(request: HttpRequest) -> Words:
    for accepted, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        language = accepted.split("-")[0].lower()
        if language in LANGUAGES:
            return Words(language, language)
    return Words(FALLBACK, FALLBACK)


def _locale(tag: str, language: str) -> Locale:
    country = next((part for part in tag.replace("_", "-").split("-")[1:] if len(part) == 2 and part.isalpha()), None)
    try:
        return Locale.parse(f"{language}_{country.upper()}") if country else Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return Locale.parse(language)
