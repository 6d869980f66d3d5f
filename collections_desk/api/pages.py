"""Lists a page at a time: ``{results, next}``. The cursor is the key of the last row, so a page costs what it shows."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from collections_desk.api.bodies import Body, Text, WholeInAddress

USUAL, MOST = 100, 1_000
_CURSOR = re.compile(rb"[0-9]{1,18}")

Row = TypeVar("Row")


class Paged(Body):
    """The parameters of every list."""

    cursor = Text(required=False, max_length=40, help_text="From `next` of the page before.")
    limit = WholeInAddress(required=False, default=USUAL, min_value=1, max_value=MOST)


def page(
    request: Request,
    rows: QuerySet[Any, Row],
    asked: dict[str, Any],
    *,
    shown: Callable[[list[Row]], list[dict[str, Any]]],
    key: Callable[[Row], int],
    newest_first: bool = False,
) -> dict[str, Any]:
    """The rows after the cursor, in the order of their keys, and the address of what follows."""
    after = _position(asked.get("cursor"))
    if after is not None:
        rows = rows.filter(pk__lt=after) if newest_first else rows.filter(pk__gt=after)
    found = list(rows.order_by("-pk" if newest_first else "pk")[: asked["limit"] + 1])
    more, found = len(found) > asked["limit"], found[: asked["limit"]]
    cursor = urlsafe_b64encode(str(key(found[-1])).encode()).decode() if more else None
    return {
        "results": shown(found),
        "next": replace_query_param(request.build_absolute_uri(), "cursor", cursor) if cursor else None,
    }


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor.encode())
    except ValueError:
        text = b""
    if not _CURSOR.fullmatch(text):
        raise serializers.ValidationError({"cursor": "Is not one of this list."})
    return int(text)
