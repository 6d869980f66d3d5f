"""Every refusal of the API as problem+json (RFC 9457): ``type, title, status, code, detail``.

code        status   when
invalid     400      the body, a parameter or an id cannot be used; ``errors`` names each field
forbidden   401/403  nobody is logged in; the role does not allow it
blocked     403      the contact gate says no; ``decision`` is its answer
not_found   404      there is no such thing, or it is another team's
conflict    409      it was done already, somebody else holds it, the Idempotency-Key was used for something else
refused     422      understood, and not done: the text tells what would be
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.importing.landing import CannotLand
from accounts.refusals import Refused
from agents.calls import CannotCall
from collections_desk.resource import decision_resource

CONTENT_TYPE = "application/problem+json"

STATUS = {"invalid": 400, "forbidden": 403, "blocked": 403, "not_found": 404, "conflict": 409, "refused": 422}
TITLES = {
    "invalid": "This cannot be used",
    "forbidden": "Not allowed",
    "blocked": "Contact is not allowed now",
    "not_found": "Not found",
    "conflict": "This does not fit what is there",
    "refused": "Refused",
}
_CODE_OF = {401: "forbidden", 403: "forbidden", 404: "not_found", 409: "conflict", 422: "refused"}
_TRY_AGAIN = (DeadlockDetected, LockNotAvailable, SerializationFailure)
#: Rows of a list named in one answer.
MOST_ERRORS = 100


def problem(code: str, detail: str, *, status: int | None = None, **more: Any) -> Response:
    """The answer that says no."""
    status = status or STATUS[code]
    body = {"type": f"urn:collections-desk:problem:{code}", "title": TITLES[code], "status": status, "code": code}
    return Response({**body, "detail": detail, **more}, status=status, content_type=CONTENT_TYPE)


def answer_to(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """REST framework's exception handler; none for what is nobody's refusal but our fault."""
    if isinstance(error, Refused):
        return refusal(error)
    if isinstance(error, Http404):
        return problem("not_found", "There is no such thing here.")
    if isinstance(error, PermissionDenied):
        return problem("forbidden", "Your role does not allow this.")
    if isinstance(error, exceptions.ValidationError):
        errors = _errors(error.detail)
        return problem("invalid", _sentence(errors[0]), errors=errors)
    if isinstance(error, exceptions.APIException):
        code = _CODE_OF.get(error.status_code, "invalid")
        answer = problem(code, str(error.detail), status=error.status_code)
        if header := getattr(error, "auth_header", None):
            answer["WWW-Authenticate"] = header
        return answer
    if isinstance(error, OperationalError) and isinstance(error.__cause__, _TRY_AGAIN):
        return problem("conflict", "Somebody else wrote the same at this moment: try again.")
    return None


def refusal(refused: Refused) -> Response:
    """A domain operation's no, with what belongs to it."""
    if isinstance(refused, CannotLand):
        errors = [
            {"index": each.line, "column": each.column or None, "detail": each.reason, "value": each.value}
            for each in refused.rejections[:MOST_ERRORS]
        ]
        return problem("invalid", str(refused), errors=errors)
    if isinstance(refused, CannotCall) and refused.decision is not None:
        return problem("blocked", str(refused), decision=decision_resource(refused.decision))
    return problem(refused.code, str(refused))


class NoSuchAddress(APIView):
    """What an unknown address under /api/v1/ answers, whoever asks and however."""

    authentication_classes = []
    permission_classes = []
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Http404


def _errors(detail: Any, path: str = "") -> list[dict[str, Any]]:
    """Field by field, nested ones with dots: ``instalments.0.amount``."""
    if isinstance(detail, Mapping):
        return [each for name, inner in detail.items() for each in _errors(inner, _join(path, str(name)))]
    if isinstance(detail, Sequence) and not isinstance(detail, str):
        if detail and all(isinstance(inner, Mapping) for inner in detail):
            return [each for at, inner in enumerate(detail) for each in _errors(inner, _join(path, str(at)))]
        return [each for inner in detail for each in _errors(inner, path)]
    return [{"field": path or None, "detail": str(detail)}]


def _join(path: str, name: str) -> str:
    if name == "non_field_errors":
        return path
    return f"{path}.{name}" if path else name


def _sentence(error: Mapping[str, Any]) -> str:
    return f"{error['field']}: {error['detail']}" if error["field"] else str(error["detail"])
