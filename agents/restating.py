"""The figures of another day or length, computed by a worker because somebody asked: who waits sees how far it is.

How far it is lives in the cache and may be lost; what was computed is rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.core.cache import cache
from django.utils.module_loading import import_string

from agents import snapshots

#: A computation that says nothing for so long has died.
SILENT_SECONDS = 900


@dataclass(frozen=True)
class Progress:
    """What is being done, how much of it is done, and of how much; of nothing before it began."""

    what: str
    done: int
    of: int

    @property
    def percent(self) -> int | None:
        return self.done * 100 // self.of if self.of else None


def ask(*, as_of: date, days: int) -> bool:
    """Ask a worker for a day's figures; false where none could be asked. Asked for twice it is done once."""
    if not cache.add(_key(as_of, days), ("", 0, 0), timeout=SILENT_SECONDS):
        return True
    if import_string(settings.DESK_START_FIGURES)(as_of=as_of, days=days):
        return True
    cache.delete(_key(as_of, days))
    return False


def progress(*, as_of: date, days: int) -> Progress | None:
    """How far it is; none where nothing is being computed."""
    told = cache.get(_key(as_of, days))
    return Progress(*told) if told else None


def carry_out(*, as_of: date, days: int, business_date: date, at: datetime) -> int:
    """Compute a day again, for every currency and scope; how many records."""

    def tell(what: str, done: int, of: int) -> None:
        cache.set(_key(as_of, days), (what, done, of), timeout=SILENT_SECONDS)

    try:
        tell("", 0, 0)
        return snapshots.restate(as_of=as_of, at=at, business_date=business_date, windows=(days,), say=tell)
    finally:
        cache.delete(_key(as_of, days))


def _key(as_of: date, days: int) -> str:
    return f"figures:{as_of}:{days}"
