"""The desk speaks German and Arabic: nothing it says is left in English, and what is compiled is what is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils.translation.template import templatize

LOCALES = Path(settings.LOCALE_PATHS[0])
LANGUAGES = ("de", "ar")
_CALLS: dict[str, object] = {
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "_": None,
    "_now": None,
}
_PLACES = re.compile(r"%\((\w+)\)[sd]")


def said() -> Iterator[tuple[str, str]]:
    """Every text that is marked for translation, with its context."""
    for template in sorted((settings.BASE_DIR / "templates").rglob("*.html")):
        # What templatize makes is for a tool that does not mind how lines are indented.
        lines = templatize(template.read_text(), origin=str(template)).splitlines()
        yield from _texts("\n".join(line.lstrip() for line in lines).encode())
    for room in ("accounts", "agents", "collections_desk", "dunning"):
        for module in sorted((settings.BASE_DIR / room).rglob("*.py")):
            yield from _texts(module.read_bytes())


def _texts(source: bytes) -> Iterator[tuple[str, str]]:
    for _line, message, _comments, context in extract("python", BytesIO(source), keywords=_CALLS):
        text = message if isinstance(message, str) else next(filter(None, message))
        if text:
            yield text, context or ""


def catalogue(language: str) -> Catalog:
    with (LOCALES / language / "LC_MESSAGES" / "django.po").open("rb") as file:
        return read_po(file, locale=language)


def single(text: str | tuple[str, ...]) -> str:
    return text if isinstance(text, str) else text[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_desk_is_translated(language: str) -> None:
    known = {
        (single(message.id), message.context or "")
        for message in catalogue(language)
        if message.id and not message.fuzzy and all(single_ for single_ in _strings(message.string))
    }
    missing = sorted({text for text, context in said() if (text, context) not in known})
    assert not missing


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_fills_in_what_the_text_does(language: str) -> None:
    wrong = []
    for message in catalogue(language):
        if not message.id:
            continue
        texts = [message.id] if isinstance(message.id, str) else list(message.id)
        wanted = {place for text in texts for place in _PLACES.findall(text)}
        # One, two and few need not say the number.
        for string in _strings(message.string):
            named = set(_PLACES.findall(string))
            if named - wanted or (isinstance(message.id, str) and wanted - named):
                wrong.append((single(message.id), string))
    assert not wrong


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    with (LOCALES / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        compiled = {(single(message.id), _as_text(message.context)): message for message in read_mo(file) if message.id}
    for message in catalogue(language):
        if message.id and message.string and not message.fuzzy:
            found = compiled.get((single(message.id), message.context or ""))
            assert found is not None, message.id
            assert list(_strings(found.string)) == list(_strings(message.string)), message.id


def _as_text(context: str | bytes | None) -> str:
    """What is read back from a compiled catalogue has its contexts in bytes."""
    return context.decode() if isinstance(context, bytes) else context or ""


def _strings(string: str | tuple[str, ...] | list[str]) -> list[str]:
    return [string] if isinstance(string, str) else list(string)
