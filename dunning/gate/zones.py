"""Where a customer may be: every time zone that something known of them points to. Pure.

What the customer said holds alone while it is fresh ("knowledge to the contrary", 12 CFR 1006.6(b)(1)(i), comment
6(b)(1)(i)-2); otherwise the address and every number add their zones, and a contact must suit them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
import us
import yaml
from babel.core import get_global
from phonenumbers import timezone as phone_zones

#: For so many days what a customer said about where they are is believed alone.
STATED_ZONE_DAYS = 30

_AREA_CODES: Mapping[str, Mapping[Any, Any]] = yaml.safe_load(
    Path(__file__).with_name("area_codes.yaml").read_text(encoding="utf-8")
)
#: Area codes that lie in two zones; the number data names one of them.
STRADDLING = {str(code): tuple(zones) for code, zones in _AREA_CODES["straddling"].items()}
_STATES = {str(code): state for state, codes in _AREA_CODES["states"].items() for code in codes}

_KNOWN = frozenset(available_timezones())


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What points to where somebody is; ``numbers`` are all on file, the one being dialled included."""

    #: On file, or as the customer said on ``stated_on``.
    timezone: str = ""
    stated_on: date | None = None
    country: str = ""
    region: str = ""
    city: str = ""
    postal_code: str = ""
    numbers: tuple[str, ...] = ()
    #: Where nothing else is known: the operator's own.
    otherwise: str = ""


def zones_of(place: Place, at: datetime) -> tuple[ZoneInfo, ...]:
    """Every zone the customer may be in at that moment; none where nothing is known.

    A zone on file that nobody dated is what the operator keeps true, and holds alone.
    """
    fresh = place.stated_on is None or at.date() <= place.stated_on + timedelta(days=STATED_ZONE_DAYS)
    return _zones(place, fresh)


@lru_cache(maxsize=100_000)
def _zones(place: Place, fresh: bool) -> tuple[ZoneInfo, ...]:
    if place.timezone in _KNOWN and fresh:
        return (ZoneInfo(place.timezone),)
    names = [place.timezone] if place.timezone else []
    names += _of_address(place.country, place.region, place.postal_code)
    for number in place.numbers:
        names += _of_number(number, place.country)
    return _apart(names) or _apart(_of_country(place.country)) or _apart([place.otherwise])


def _of_address(country: str, region: str, postal_code: str) -> list[str]:
    """Of a state of the United States all its zones, or its postal code's; of a country with one zone that one."""
    if country == "US" and region:
        state = us.states.lookup(region.removeprefix("US-"))
        if state is None:
            return []
        digits = postal_code.strip()[:3]
        if len(digits) == 3 and (split := _AREA_CODES["postal"].get(state.abbr)) is not None:
            return list(split.get(digits, [split["mostly"]]))
        return list(state.time_zones)
    whole = _of_country(country)
    return list(whole) if len(_apart(whole)) == 1 else []


@lru_cache(maxsize=50_000)
def _of_number(number: str, country: str) -> list[str]:
    """Of an area code; a number of a whole country, or of no place, adds nothing."""
    try:
        parsed = phonenumbers.parse(number, country or None)
    except phonenumbers.NumberParseException:
        return []
    home = phonenumbers.region_code_for_number(parsed)
    if home is None or (country and home != country):
        return []
    if home == "US" and (codes := STRADDLING.get(str(parsed.national_number)[:3])):
        return list(codes)
    found = phone_zones.time_zones_for_geographical_number(parsed)
    return list(found) if len(_apart(found)) < len(_apart(_of_country(home))) else []


def states_of(numbers: Iterable[str]) -> frozenset[str]:
    """The states that the area codes of those numbers belong to: ``US-NY``. Where no address is known."""
    return frozenset(state for number in numbers if (state := _state_of(number)))


@lru_cache(maxsize=50_000)
def _state_of(number: str) -> str:
    try:
        parsed = phonenumbers.parse(number, "US")
    except phonenumbers.NumberParseException:
        return ""
    if phonenumbers.region_code_for_number(parsed) != "US":
        return ""
    state = _STATES.get(str(parsed.national_number)[:3])
    return f"US-{state}" if state else ""


@cache
def _of_country(country: str) -> tuple[str, ...]:
    territories = get_global("zone_territories").items()
    return tuple(sorted(name for name, territory in territories if country and territory == country))


def _apart(names: Iterable[str]) -> tuple[ZoneInfo, ...]:
    """One of each kind: two zones that agree in winter and in summer say the same."""
    alike: dict[tuple[timedelta | None, ...], ZoneInfo] = {}
    for name in names:
        if name in _KNOWN:
            zone = ZoneInfo(name)
            alike.setdefault(tuple(datetime(2026, month, 1, tzinfo=zone).utcoffset() for month in (1, 7)), zone)
    return tuple(alike.values())
