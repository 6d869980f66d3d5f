"""What a page may load: nothing but our own files, save where somebody else's page needs more."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# The admin's theme evaluates expressions in attributes and writes styles into its pages.
ADMIN = {
    "default-src": [SELF],
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
}
# The API's documentation page carries one style element.
API_DOCS = {"style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]}
RELAXED = {"/admin/": ADMIN, "/api/docs/": API_DOCS}


class RelaxedWhereNeeded:
    """Stands inside CSPMiddleware, which reads what this leaves on the response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for prefix, directives in RELAXED.items():
            if request.path.startswith(prefix):
                response._csp_update = directives  # type: ignore[attr-defined]
        return response
