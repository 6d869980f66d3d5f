"""Parts of the book that workers take side by side. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """Accounts whose key leaves ``number`` when divided by ``of``: keys are handed out in turn, so parts are even."""

    number: int = 0
    of: int = 1


WHOLE = Shard()
