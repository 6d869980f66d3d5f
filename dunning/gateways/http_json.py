"""One signed POST of a JSON body, and what its answer means for a repeat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import quote

import httpx

from dunning.gateways.base import NotTaken, Unclear
from dunning.gateways.receipts import signature_of

LONGEST_DETAIL = 300

NOT_ABOUT_THIS_ONE = frozenset({401, 403, 404, 405, 407, 408, 425, 429})
"""Answers that say something about our credentials, our address or the moment, not about the message: a wrong password
must not mark every customer's number as bad."""

MAY_HAVE_REACHED_THE_PROVIDER = frozenset({502, 504})
"""A proxy speaks; what stands behind it may have taken the message."""

# Before these the request has not left: no connection, or none free.
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer about this very request: taken (`2xx`, or `409` for one it has already), or refused for good."""

    taken: bool
    status: int
    body: Mapping[str, object]
    detail: str

    def text(self, *names: str) -> str | None:
        """The first of the named fields that is there, as text."""
        return next((str(self.body[name]) for name in names if self.body.get(name) not in (None, "")), None)


class JsonPost:
    """Posts to one URL with our key and signature. Redirects are not followed and proxy variables of the environment
    not read.
    """

    def __init__(self, url: str, *, secret: str, timeout_seconds: float = 10.0, proxy: str | None = None) -> None:
        parts = httpx.URL(url)
        if parts.scheme not in {"http", "https"} or not parts.host:
            raise ValueError(f"Not an http or https URL: {parts.copy_with(password=None)}")
        self._url = parts
        self._secret = secret
        self._client = httpx.Client(timeout=timeout_seconds, trust_env=False, proxy=proxy)

    def send(self, body: Mapping[str, object], *, key: str) -> Answer:
        content = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Accept": "application/json",
            # A header is ASCII: percent-encoding leaves the keys we make as they are.
            "Idempotency-Key": quote(key, safe=":/._-~"),
            "X-Signature": f"sha256={signature_of(content, self._secret)}",
        }
        try:
            response = self._client.post(self._url, content=content, headers=headers)
        except _NEVER_LEFT as problem:
            raise NotTaken(f"no connection: {_short(str(problem))}") from problem
        except httpx.HTTPError as problem:
            raise Unclear(f"{type(problem).__name__}: {_short(str(problem))}") from problem
        return _answer(response)

    def close(self) -> None:
        self._client.close()


def _answer(response: httpx.Response) -> Answer:
    status = response.status_code
    detail = f"{status} {_short(response.text)}".strip()
    if status in MAY_HAVE_REACHED_THE_PROVIDER:
        raise Unclear(detail)
    if status in NOT_ABOUT_THIS_ONE or status < 200 or 300 <= status < 400 or status >= 500:
        raise NotTaken(detail, retry_after=_retry_after(response))
    body = _object(response)
    if status == HTTPStatus.CONFLICT or status < 300:
        if body is None and status != HTTPStatus.CONFLICT:
            # A sign-in page of a hotel network answers 200 as well.
            raise Unclear(f"an answer that is no JSON object: {detail}")
        return Answer(taken=True, status=status, body=body or {}, detail="")
    return Answer(taken=False, status=status, body=body or {}, detail=detail)


def _object(response: httpx.Response) -> Mapping[str, object] | None:
    """The JSON object of an answer; an empty body is an empty object, anything else is None."""
    if not response.content.strip():
        return {}
    try:
        body = json.loads(response.content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _retry_after(response: httpx.Response) -> timedelta | None:
    """`Retry-After` in seconds, or as a date measured against the answer's own `Date`, so that no clock of ours is
    read.
    """
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value), 7 * 86_400))
    try:
        wait = _moment(value) - _moment(response.headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return max(wait, timedelta())


def _moment(value: str) -> datetime:
    moment = parsedate_to_datetime(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _short(text: str) -> str:
    return " ".join(text.split())[:LONGEST_DETAIL]
