"""Rule packs: data with dates, read from YAML, checked whole before any of it decides. Pure.

A pack is one file of ``packs/``: where it applies, since when, from which source, and its rules. A rule names a check
of ``checks/`` and gives it values. Its examples stand beside it and are what its tests run. Samples, no legal advice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import cattrs
import yaml

from dunning.gate.checks.every import CHECKS, RECKONINGS
from dunning.gate.checks.registry import CONVERTER, Check, Reckoning
from dunning.gate.decision import OVERRIDES, STRICTNESS

#: The same in C, ten times as fast, where there is one.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

FOLDER = Path(__file__).parent.parent / "packs"
EVERYWHERE = "*"
_ALWAYS = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


class PackError(ValueError):
    """A pack that cannot be used; the message names the file, the rule and the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliesTo:
    """Which actions of whom a rule is about; empty: all."""

    actions: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    not_purposes: frozenset[str] = frozenset()
    automated: bool | None = None
    #: Limits of these kinds of service.
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One line of a rule's test table: what is done, on which facts, and what must come of it."""

    says: str
    #: For a check.
    action: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: Packs asked beside the rule's own.
    with_packs: tuple[str, ...] = ()
    #: Only this rule is asked, so that others of the pack do not speak; false: the whole pack.
    alone: bool = True
    expect: Mapping[str, Any] = field(default_factory=dict)
    #: For a reckoning.
    given: Mapping[str, Any] = field(default_factory=dict)
    gives: Mapping[str, Any] = field(default_factory=dict)
    #: Values other than the rule's, for this example.
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A rule as the file has it."""

    id: str
    title: str
    source: str = ""
    #: READ, READ-2, GK or POLICY: how sure we are of it.
    confidence: str = "POLICY"
    check: str = ""
    reckons: str = ""
    severity: str = "BLOCK"
    override: str = "none"
    #: Codes of the reasons for which it may be overridden.
    override_reasons: tuple[str, ...] = ()
    applies_to: AppliesTo = AppliesTo()
    effective_from: date | None = None
    effective_to: date | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    #: For each value an admin may change, which way is stricter: less, more, earlier, later, true, false, fewer,
    #: longer.
    stricter: Mapping[str, str] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A pack as its file has it."""

    pack: str
    title: str
    version: str
    #: Codes of places: US, US-MA, US-NYC, GB, EU's members …; ``*`` is everywhere.
    applies_in: tuple[str, ...]
    effective_from: date
    effective_to: date | None = None
    #: Whose midnight begins and ends what is dated.
    timezone: str = "UTC"
    #: Said with the pack wherever it is shown.
    notice: str = "Sample, not legal advice."
    sources: tuple[Mapping[str, Any], ...] = ()
    #: Words that notices of this market name: ``advice`` (free help with debts), ``regulator`` (complaints),
    #: ``court`` (a warning says that one may go there).
    signposts: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready to be asked."""

    written: Written
    pack: str
    check: Check | None
    reckoning: Reckoning | None
    params: Any
    begins: datetime
    ends: datetime

    @property
    def id(self) -> str:
        return self.written.id


@dataclass(frozen=True, slots=True)
class Change:
    """One value of one rule, as an admin set it."""

    rule: str
    parameter: str
    value: Any


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack ready to be asked; ``changes`` counts the values an admin set."""

    file: File
    rules: tuple[Rule, ...]
    #: SHA-256 of the file's data and what was changed in it.
    digest: str
    #: As the file has it.
    content: Mapping[str, Any]
    changes: tuple[Change, ...] = ()

    @property
    def code(self) -> str:
        return self.file.pack

    @property
    def version(self) -> str:
        """``US-FED@2026.11.1``; with values that were set here ``+2.4f1b9c``: how many, and which reading it is."""
        set_here = f"+{len(self.changes)}.{self.digest[:6]}" if self.changes else ""
        return f"{self.code}@{self.file.version}{set_here}"

    def rule(self, rule_id: str) -> Rule:
        """Raises ``KeyError``. Of one with several periods, the last."""
        found = [rule for rule in self.rules if rule.id == rule_id]
        if not found:
            raise KeyError(rule_id)
        return found[-1]


def read_pack(path: Path) -> Pack:
    """The pack of a file. Raises ``PackError``."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise PackError(f"{path.name}: {problem}") from problem
    return build_pack(content, where=path.name)


def build_pack(content: object, *, where: str, changes: Sequence[Change] = ()) -> Pack:
    """A pack from its data. Raises ``PackError`` for the first thing that could not be decided with."""
    try:
        file = CONVERTER.structure(content, File)
    except Exception as problem:
        raise PackError(f"{where}: {_first(problem)}") from problem
    if not file.rules:
        raise PackError(f"{where}: a pack without rules")
    zone = ZoneInfo(file.timezone)
    rules = tuple(_build(file, written, zone, where, changes) for written in file.rules)
    known = {rule.id for rule in rules}
    if unknown := sorted({change.rule for change in changes} - known):
        raise PackError(f"{where}: there is no rule {', '.join(unknown)}")
    set_here = [[change.rule, change.parameter, change.value] for change in changes]
    canonical = json.dumps([content, set_here], sort_keys=True, default=str, ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return Pack(file, rules, digest, cast("Mapping[str, Any]", content), tuple(changes))


def _build(file: File, written: Written, zone: ZoneInfo, where: str, changes: Sequence[Change]) -> Rule:
    place = f"{where}: {written.id}"
    if written.severity not in STRICTNESS or written.override not in OVERRIDES:
        raise PackError(f"{place}: severity is one of {', '.join(STRICTNESS)}, override of {', '.join(OVERRIDES)}")
    if bool(written.check) == bool(written.reckons):
        raise PackError(f"{place}: a rule either checks or reckons")
    known: Mapping[str, Check | Reckoning] = CHECKS if written.check else RECKONINGS
    kind = known.get(written.check or written.reckons)
    if kind is None:
        raise PackError(f"{place}: there is no {written.check or written.reckons}")
    values = dict(written.params) | {change.parameter: change.value for change in changes if change.rule == written.id}
    try:
        params: Any = CONVERTER.structure(values, kind.params)
    except Exception as problem:
        raise PackError(f"{place}: {_first(problem)}") from problem
    first, last = written.effective_from or file.effective_from, written.effective_to or file.effective_to
    return Rule(
        replace(written, params=values),
        file.pack,
        kind if isinstance(kind, Check) else None,
        kind if isinstance(kind, Reckoning) else None,
        params,
        _midnight(first, zone) or _ALWAYS,
        _midnight(last, zone) or _NEVER,
    )


def with_params(rule: Rule, changes: Sequence[Change]) -> Rule:
    """The same rule with other values. Raises what ``cattrs`` raises."""
    kind = rule.check or rule.reckoning
    if not changes or kind is None:
        return rule
    values = dict(rule.written.params) | {change.parameter: change.value for change in changes}
    return replace(rule, params=CONVERTER.structure(values, kind.params))


def _midnight(day: date | None, zone: ZoneInfo) -> datetime | None:
    return datetime.combine(day, time(), tzinfo=zone) if day else None


def _first(problem: Exception) -> str:
    """What is wrong, in one line."""
    told = cattrs.transform_error(problem) if isinstance(problem, cattrs.BaseValidationError) else [str(problem)]
    return told[0] if told else str(problem)


def changed(pack: Pack, changes: Sequence[Change]) -> Pack:
    """The same pack with values that an admin set. Raises ``PackError`` for one that its rule cannot take."""
    return build_pack(pack.content, where=pack.code, changes=changes) if changes else pack


@cache
def shipped() -> Mapping[str, Pack]:
    """The packs that come with the desk, by code, read once."""
    packs = [read_pack(path) for path in sorted(FOLDER.glob("*.yaml"))]
    found = {pack.code: pack for pack in packs}
    if len(found) < len(packs):
        raise PackError("Two files are the same pack.")
    return found


def applying(packs: Iterable[Pack], jurisdictions: Iterable[str]) -> tuple[Pack, ...]:
    """Those of the packs that apply in one of these places."""
    there = {EVERYWHERE, *jurisdictions}
    return tuple(pack for pack in packs if not there.isdisjoint(pack.file.applies_in))


def direction(how: str, old: Any, new: Any) -> str:
    """Whether a changed value is ``stricter``, ``looser`` or the ``same``; what cannot be told is looser.

    ``how`` is the rule's word for which way is stricter.
    """
    if old == new:
        return "same"
    try:
        ways: dict[str, Callable[[], bool]] = {
            "less": lambda: new < old,
            "earlier": lambda: new < old,
            "more": lambda: new > old,
            "later": lambda: new > old,
            "true": lambda: new is True,
            "false": lambda: new is False,
            "fewer": lambda: set(new) < set(old),
            "longer": lambda: set(new) > set(old),
        }
        stricter = ways[how]()
    except (KeyError, TypeError):
        stricter = False
    return "stricter" if stricter else "looser"
