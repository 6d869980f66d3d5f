"""A form is done once, however often it is sent: pressed twice, sent again after the network came back.

Each form carries a token. The first that arrives takes it, in the transaction of what is done; whoever sends it again
waits for that transaction and finds it done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from accounts.refusals import Refused
from agents.models import Agent, ApiAnswer

LONGEST = 64
_PREFIX = "form "
#: What differs when the same form is sent again.
_PASSING = frozenset({"csrfmiddlewaretoken", "then", "once", "item"})


class CannotSaveAgain(Refused):
    """The form was saved already, with other words."""

    code = "conflict"


def token() -> str:
    """A new one, for a form that is shown."""
    return uuid4().hex


def begin(*, agent: Agent, token: str, path: str, given: Mapping[str, Sequence[str]], at: datetime) -> bool:
    """Whether this is the first time; in the caller's transaction, which does what the form asks for.

    ``given`` are the form's fields, each with its values. A form without a token is always the first. Raises
    ``CannotSaveAgain`` where the token was used for other words.
    """
    if not token:
        return True
    said = {name: list(given[name]) for name in sorted(given.keys() - _PASSING)}
    digest = hashlib.sha256(json.dumps([path, said]).encode()).hexdigest()
    kept, is_first = ApiAnswer.objects.get_or_create(
        user=agent, key=f"{_PREFIX}{token[:LONGEST]}", defaults={"path": path[:200], "digest": digest, "at": at}
    )
    if not is_first and kept.digest != digest:
        raise CannotSaveAgain("This form was saved already, with other words. Save once more to add these too.")
    return is_first


def finish(*, agent: Agent, token: str, said: Mapping[str, Any]) -> None:
    """What came of it, for whoever sends the form again: for work that one transaction does not hold."""
    if token:
        ApiAnswer.objects.filter(user=agent, key=f"{_PREFIX}{token[:LONGEST]}").update(status=200, body=dict(said))


def finished(*, agent: Agent, token: str) -> dict[str, Any] | None:
    """What was said with ``finish``; none where nothing was: it was cut short."""
    done = ApiAnswer.objects.filter(user=agent, key=f"{_PREFIX}{token[:LONGEST]}", status=200)
    body: dict[str, Any] | None = done.values_list("body", flat=True).first()
    return body


def forget(*, agent: Agent, token: str) -> None:
    """It was refused after all: the form may be sent again."""
    if token:
        ApiAnswer.objects.filter(user=agent, key=f"{_PREFIX}{token[:LONGEST]}").delete()
