"""In which language the desk speaks to whoever works at it: as they chose, else as their browser asks."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation

#: The desk's own languages, each in its own words; of every other that a browser asks for it knows single words only.
LANGUAGES = {"en": "English", "de": "Deutsch", "ar": "العربية"}
#: Pages with languages of their own.
_ELSEWHERE = ("/admin/", "/api/", "/pay/", "/static/")


class SpeaksTheirLanguage:
    """After the middleware that knows who is there."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(_ELSEWHERE):
            language = chosen(request)
            translation.activate(language)
            request.LANGUAGE_CODE = language
        return self.get_response(request)


def chosen(request: HttpRequest) -> str:
    """One of ``LANGUAGES``."""
    wanted: str = getattr(request.user, "interface_language", "")
    if wanted in LANGUAGES:
        return wanted
    asked = (translation.get_language() or "en").partition("-")[0]
    return asked if asked in LANGUAGES else "en"
