"""The examples that stand beside the rules, run: what a pack says must be what it does. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dunning.gate.checks.every import PARTS
from dunning.gate.checks.registry import CONVERTER
from dunning.gate.deciding import concerns, decide_by
from dunning.gate.facts import Action, Facts
from dunning.gate.packs import Change, Example, Pack, PackError, Rule, with_params


def facts_of(written: Mapping[str, Any]) -> Facts:
    """Facts as an example writes them; ``parts`` by name. Raises what ``cattrs`` raises, and ``PackError``."""
    plain = {name: value for name, value in written.items() if name != "parts"}
    parts: dict[str, Any] = {}
    for name, part in dict(written.get("parts", {})).items():
        if name not in PARTS:
            raise PackError(f"there is no part {name}")
        parts[name] = CONVERTER.structure(part, PARTS[name])
    return replace(CONVERTER.structure(plain, Facts), parts=parts)


def failures(example: Example, rule: Rule, pack: Pack, packs: Mapping[str, Pack]) -> list[str]:
    """What the rule does otherwise than the example says; nothing where they agree."""
    changes = [Change(rule.id, name, value) for name, value in example.params.items()]
    if rule.reckoning is not None:
        given: Any = CONVERTER.structure(dict(example.given), rule.reckoning.given)
        gave = rule.reckoning.gives(with_params(rule, changes).params, given)
        return [
            f"{name}: {_plain(gave.get(name))}, not {_plain(wanted)}"
            for name, wanted in example.gives.items()
            if _plain(gave.get(name)) != _plain(wanted)
        ]
    action = CONVERTER.structure(dict(example.action), Action)
    facts = facts_of(example.facts)
    rules = [with_params(one, changes) for one in pack.rules if one.id == rule.id or not example.alone]
    rules += [one for code in example.with_packs for one in packs[code].rules]
    decision = decide_by([one for one in rules if concerns(one, action, facts)], action, facts)
    said = {
        "outcome": decision.outcome,
        "next_allowed_at": decision.next_allowed_at,
        "override": decision.override,
        "rules": sorted(decision.rule_ids),
        "requires": sorted(decision.requires),
    }
    found = []
    for name, wanted in example.expect.items():
        if name not in said:
            raise PackError(f"{rule.id}: an example cannot expect {name!r}")
        if name == "next_allowed_at" and wanted is not None:
            wanted = CONVERTER.structure(wanted, datetime)
        if name in ("rules", "requires"):
            wanted = sorted(wanted)
        if said[name] != wanted:
            found.append(f"{name}: {said[name]}, not {wanted} ({'; '.join(decision.reasons)})")
    return found


def _plain(value: object) -> object:
    """Dates, amounts and lists of them as an example writes them."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date | Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
