"""Reads one variable of the environment, or stops the start with one sentence."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection
from typing import NoReturn
from zoneinfo import ZoneInfo

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


def text(name: str, default: str) -> str:
    """The variable as it stands, without surrounding space; an empty one counts as missing."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    """true or false (also 1, 0, yes, no, on, off)."""
    value = text(name, "true" if default else "false").lower()
    if value not in TRUE | FALSE:
        refuse(name, value, "is neither true nor false")
    return value in TRUE


def number(name: str, *, default: int, least: int = 0) -> int:
    """A whole number, at least `least`."""
    value = text(name, str(default))
    try:
        found = int(value)
    except ValueError:
        refuse(name, value, "is not a whole number")
    if found < least:
        refuse(name, value, f"is less than {least}")
    return found


def listing(name: str) -> list[str]:
    """Values separated by commas."""
    return [part.strip() for part in text(name, "").split(",") if part.strip()]


def pairs(name: str, default: str, *, known: Collection[str] = (), amounts: bool = False) -> dict[str, str]:
    """``left=right`` pairs separated by commas; the right side one of `known`, or an amount."""
    found = {}
    for part in text(name, default).split(","):
        left, equals, right = (piece.strip() for piece in part.partition("="))
        if not (left and equals and right):
            refuse(name, part, "is no pair such as left=right")
        if known and right not in known:
            refuse(name, right, f"is none of {', '.join(known)}")
        if amounts and not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", right):
            refuse(name, right, "is no amount such as 0.05")
        found[left] = right
    return found


def zone(name: str, default: str) -> str:
    """The name of a time zone, such as Europe/Madrid."""
    value = text(name, default)
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        refuse(name, value, "is not a time zone, such as Europe/Madrid")
    return value


def address(name: str, default: str, *, schemes: tuple[str, ...]) -> str:
    """A URL with one of `schemes`."""
    value = text(name, default)
    if value.partition("://")[0] not in schemes or "://" not in value:
        refuse(name, value, f"does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return value


def refuse(name: str, value: str, why: str) -> NoReturn:
    """Says what is wrong with the variable on standard error and exits with 2."""
    shown = "its value" if "SECRET" in name or "URL" in name else repr(value)
    print(f"{name}: {shown} {why}.", file=sys.stderr)
    raise SystemExit(2)
