"""What a check, a part of the facts and a reckoning are, and how data becomes one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import cattrs
from cattrs.preconf.json import JsonConverter

from dunning.gate.decision import Objection
from dunning.gate.facts import Action, Facts


@dataclass(frozen=True, slots=True)
class Check:
    """``asks`` answers with an objection, several, or nothing. It is asked for one moment, which may lie ahead of
    ``facts.at``: then it looks as if nothing happened until then.
    """

    params: type
    asks: Callable[[Any, Action, Facts, datetime], Objection | list[Objection] | None]


@dataclass(frozen=True, slots=True)
class Reckoning:
    """A date or an amount that a rule computes: ``given`` in, named results out."""

    params: type
    given: type
    gives: Callable[[Any, Any], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Theme:
    """What a module of checks brings: its checks and reckonings by the names packs give, its parts of the facts."""

    checks: Mapping[str, Check] = field(default_factory=dict)
    parts: tuple[type, ...] = ()
    reckonings: Mapping[str, Reckoning] = field(default_factory=dict)


def _converter() -> JsonConverter:
    converter = JsonConverter(forbid_extra_keys=True)

    def moment(value: Any, _kind: object) -> datetime:
        if isinstance(value, str) and value.rpartition(" ")[2] in available_timezones():
            local, _, zone = value.rpartition(" ")  # 2026-11-23 10:59 America/New_York
            return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        if found.tzinfo is None:
            raise ValueError(f"{value}: a moment needs its offset")
        return found

    def day(value: Any, _kind: object) -> date:
        if isinstance(value, datetime) or not isinstance(value, date | str):
            raise ValueError(f"{value}: not a date")
        return value if isinstance(value, date) else date.fromisoformat(value)

    def hour(value: Any, _kind: object) -> time:
        return value if isinstance(value, time) else time.fromisoformat(str(value))

    def amount(value: Any, _kind: object) -> Decimal:
        if isinstance(value, float):
            raise ValueError(f"{value}: amounts are written in quotes")
        return Decimal(str(value))

    converter.register_structure_hook(datetime, moment)
    converter.register_structure_hook(date, day)
    converter.register_structure_hook(time, hour)
    converter.register_structure_hook(Decimal, amount)
    for plain in (str, int, bool):
        converter.register_structure_hook(plain, _exactly(plain))
    return converter


def _exactly(kind: type) -> Callable[[Any, object], Any]:
    def same(value: Any, _kind: object) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ValueError(f"{value!r} is not {'text' if kind is str else kind.__name__}")
        return value

    return same


#: Turns the data of a pack into parameters and facts: nothing unknown is taken, nothing is guessed.
CONVERTER: cattrs.Converter = _converter()
