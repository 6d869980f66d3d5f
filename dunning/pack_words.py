"""Rule packs as people read them: values, dates, severities and examples in words, and values as people type them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import yaml

from dunning.gate.examples import failures
from dunning.gate.packs import Change, Example, Pack, Rule, with_params

CONFIDENCE = {
    "READ": "Read in the source itself",
    "READ-2": "Read in somebody else's account of the source",
    "GK": "General knowledge: verify before you rely on it",
    "POLICY": "The operator's own policy",
}
SEVERITIES = {
    "BLOCK": "forbids it",
    "HOLD": "holds it until a later moment",
    "REQUIRE": "asks for something to be done first",
    "WARN": "warns",
    "ALLOW": "says nothing",
}
OVERRIDES = {"none": "nobody", "supervisor": "a supervisor", "legal": "somebody with the right of the law department"}
STRICTER = {
    "less": "less is stricter",
    "more": "more is stricter",
    "earlier": "earlier is stricter",
    "later": "later is stricter",
    "true": "yes is stricter",
    "false": "no is stricter",
    "fewer": "fewer are stricter",
    "longer": "a longer list is stricter",
}


def in_words(value: Any) -> str:
    """A value as a page shows it, and as it may be typed again."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, Mapping):
        return str(yaml.safe_dump(plain(value), allow_unicode=True, sort_keys=True, width=110)).strip()
    if isinstance(value, frozenset | set):
        value = sorted(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value))
    return str(value)


def plain(value: Any) -> Any:
    """The same as lists, maps and text only."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def typed(rule: Rule, parameter: str, text: str) -> Any:
    """What somebody typed, as a pack's file would write it for that value of the rule.

    Raises ``ValueError`` when the rule can take it in no way.
    """
    for value in _readings(text.strip()):
        try:
            found = getattr(with_params(rule, [Change(rule.id, parameter, value)]).params, parameter)
        except Exception:  # not that way: a converter raises whatever it likes
            continue
        return f"{found:%H:%M}" if isinstance(found, time) else value
    raise ValueError(f"{text.strip() or 'Nothing'} is no value for {parameter}.")


def _readings(text: str) -> Iterator[Any]:
    """The strictest first: text can be anything."""
    if text.lower() in ("yes", "true", "no", "false"):
        yield text.lower() in ("yes", "true")
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if text.removeprefix("-").isdecimal():
        yield int(text)
    if parts and all(part.isdecimal() for part in parts):
        yield [int(part) for part in parts]
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    if isinstance(found, dict):
        yield found
    yield parts
    yield text


def in_force_words(rule: Rule, at: datetime) -> tuple[str, str]:
    """``now``, ``past`` or ``coming``, and since, until or from when."""
    if at < rule.begins:
        return "coming", f"from {_day(rule.begins)}"
    if at >= rule.ends:
        return "past", f"until {_day(rule.ends)}"
    begins = "" if rule.begins == datetime.min.replace(tzinfo=UTC) else f"since {_day(rule.begins)}"
    ends = "" if rule.ends == datetime.max.replace(tzinfo=UTC) else f"until {_day(rule.ends)}"
    return "now", ", ".join(part for part in (begins, ends) if part) or "always"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


# --- Examples ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """One example as a line of a table; ``otherwise`` is what the rule says instead, empty where they agree."""

    says: str
    does: str
    given: tuple[str, ...]
    expected: tuple[str, ...]
    otherwise: tuple[str, ...]


def examples_of(rule: Rule, pack: Pack, packs: Mapping[str, Pack]) -> list[Shown]:
    """The examples of a rule, run now."""
    return [_shown(example, rule, pack, packs) for example in rule.written.examples]


def _shown(example: Example, rule: Rule, pack: Pack, packs: Mapping[str, Pack]) -> Shown:
    try:
        otherwise = failures(example, rule, pack, packs)
    except Exception as problem:  # an example that cannot be run is told like one that fails
        otherwise = [f"It could not be run: {problem}"]
    action = dict(example.action)
    does = " ".join([str(action.pop("type", "")), *lines_of(action)])
    return Shown(
        example.says,
        does.replace("_", " ").strip(),
        tuple(lines_of(example.facts or example.given)) + tuple(f"with {line}" for line in lines_of(example.params)),
        tuple(lines_of(example.expect or example.gives)),
        # Where another outcome is, what goes with it is no news.
        tuple(map(_told, [one for one in otherwise if one.startswith("outcome: ")] or otherwise)),
    )


def _told(failure: str) -> str:
    """``outcome: HOLD, not ALLOW (why)`` as a person says it."""
    said = failure.removesuffix(" ()").replace("next_allowed_at: None", "no next moment").replace("+00:00", " UTC")
    return said.removeprefix("outcome: ").replace("next_allowed_at: ", "next allowed at ")


def lines_of(said: Mapping[str, Any], path: str = "") -> list[str]:
    """Data as short lines, ``place country: US``; lists of maps count their members."""
    found: list[str] = []
    for name, value in said.items():
        words = f"{path} {name}".strip().replace("_", " ").replace("parts ", "")
        if isinstance(value, Mapping):
            found += lines_of(value, words)
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            found += [f"{words} {at}: {'; '.join(lines_of(one))}" for at, one in enumerate(value, start=1)]
        elif value is True:
            found.append(words)
        else:
            found.append(f"{words}: {_short(value)}")
    return found


def _short(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "no"
    if isinstance(value, date | Decimal):
        return str(value)
    return in_words(value) or "none"


def differing(before: list[Shown], after: list[Shown]) -> list[Shown]:
    """Of the examples after a change, those that come out otherwise than before it."""
    return [new for old, new in zip(before, after, strict=True) if old.otherwise != new.otherwise]
