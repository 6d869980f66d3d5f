"""All checks, parts and reckonings by their names, as packs name them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from dunning.gate.checks import (
    affordability,
    agreements,
    cards,
    care,
    channels,
    consents,
    days,
    debts,
    diallers,
    disconnection,
    fees,
    frequency,
    hours,
    limits,
    moratoria,
    ours,
    parties,
    privacy,
    promotion,
    registrations,
    standing,
    words,
)
from dunning.gate.checks.registry import Check, Reckoning

THEMES = (
    hours.THEME,
    frequency.THEME,
    ours.THEME,
    words.THEME,
    channels.THEME,
    days.THEME,
    diallers.THEME,
    fees.THEME,
    limits.THEME,
    moratoria.THEME,
    privacy.THEME,
    promotion.THEME,
    registrations.THEME,
    standing.THEME,
    consents.THEME,
    parties.THEME,
    debts.THEME,
    disconnection.THEME,
    cards.THEME,
    care.THEME,
    affordability.THEME,
    agreements.THEME,
)


def _once(names: Iterable[str]) -> None:
    """Two themes with a name in common would overwrite each other without a word."""
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"Named twice: {', '.join(twice)}")


_once(name for theme in THEMES for name in (*theme.checks, *theme.reckonings))
_once(part.__name__ for theme in THEMES for part in theme.parts)

CHECKS: dict[str, Check] = {name: check for theme in THEMES for name, check in theme.checks.items()}
PARTS: dict[str, type] = {part.__name__: part for theme in THEMES for part in theme.parts}
RECKONINGS: dict[str, Reckoning] = {name: one for theme in THEMES for name, one in theme.reckonings.items()}
