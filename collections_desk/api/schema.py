"""How the OpenAPI document is made: what every operation has in common."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from collections_desk.api.shapes import Blocked, Problem

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description=(
        "Any text of 1 to 200 printable ASCII characters. The same call with the same key gets the first answer again; "
        "another call with it is a conflict."
    ),
)

_SAYS = {
    400: "`invalid`: the body, a parameter or an id cannot be used; `errors` names the fields.",
    401: "`forbidden`: no token, or none that opens anything.",
    403: "`forbidden`: the role does not allow it; or `blocked`: the contact gate says no, `decision` says why.",
    404: "`not_found`: there is no such thing, or it is another team's.",
    409: "`conflict`: done already, held by somebody else, or the Idempotency-Key was used for another call.",
    422: "`refused`: understood, and not done; `detail` says what would be.",
}


def REFUSALS(*statuses: int) -> dict[Any, OpenApiResponse]:
    """The problem answers of an operation, by status."""
    return {
        (status, "application/problem+json"): OpenApiResponse(Blocked if status == 403 else Problem, _SAYS[status])
        for status in statuses
    }


class DeskSchema(AutoSchema):
    """Operations grouped by what they are about: the first word of the address."""

    def get_tags(self) -> list[str]:
        words = self.path.removeprefix("/api/v1/").split("/")
        return [words[0]]
