"""May this be done now: every rule of every pack asked, the strictest answer given. Pure.

What is only too early is held until the first moment at which no rule holds it any more. A rule that cannot answer
stops machines and warns people: the gate fails closed.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime, timedelta

from dunning.gate.decision import BLOCK, HOLD, STRICTNESS, WARN, Decision, Finding, Objection, combine
from dunning.gate.facts import Action, Facts
from dunning.gate.packs import Pack, Rule, applying

#: How far ahead a lawful moment is looked for.
HORIZON = timedelta(days=60)
_MOST_MOMENTS = 500


def decide(action: Action, facts: Facts, packs: Iterable[Pack]) -> Decision:
    """The answer at ``facts.at``, by those of the packs that apply where the customer is."""
    here = applying(packs, facts.jurisdictions)
    rules = rules_about(here, action, facts)
    versions = tuple(pack.version for pack in here)
    return decide_by(rules, action, facts, versions=versions)


def decide_by(rules: Sequence[Rule], action: Action, facts: Facts, *, versions: tuple[str, ...] = ()) -> Decision:
    """The answer of those rules alone."""
    findings = _ask(rules, action, facts, facts.at)
    if not findings:
        return Decision("ALLOW", pack_versions=versions)
    decision = combine(findings, packs=versions, until=None)
    if decision.outcome != HOLD:
        return decision
    until = _first_free(rules, action, facts, findings)
    if until is None:
        never = [
            Finding(BLOCK, one.rule, one.reason, None, one.override, one.requires, one.pack)
            if one.outcome == HOLD
            else one
            for one in findings
        ]
        return combine(never, packs=versions, until=None)
    return combine(findings, packs=versions, until=until)


def findings_of(rules: Sequence[Rule], action: Action, facts: Facts) -> list[Finding]:
    """What each of those rules says on its own, strictest first; nothing of what all say, nor of later moments."""
    return sorted(_ask(rules, action, facts, facts.at), key=lambda finding: -STRICTNESS.index(finding.outcome))


def rules_about(packs: Iterable[Pack], action: Action, facts: Facts) -> list[Rule]:
    """The rules of the packs that are about such an action: the same for all actions of ``sort_of``."""
    return [rule for pack in packs for rule in pack.rules if concerns(rule, action, facts)]


def sort_of(action: Action, facts: Facts) -> Hashable:
    """What decides which rules are about an action; whoever asks of many keeps their rules by it."""
    about = (action.type, action.purpose, action.automated, action.service)
    return (*about, facts.jurisdictions, facts.role, facts.kind)


def concerns(rule: Rule, action: Action, facts: Facts) -> bool:
    """Whether a rule is about such an action of such a desk to such a customer."""
    applies = rule.written.applies_to
    return (
        rule.check is not None
        and (not applies.actions or action.type in applies.actions)
        and (not applies.roles or facts.role in applies.roles)
        and (not applies.kinds or facts.kind in applies.kinds)
        and (not applies.purposes or action.purpose in applies.purposes)
        and action.purpose not in applies.not_purposes
        and (not applies.services or not action.service or action.service in applies.services)
        and (applies.automated is None or action.automated == applies.automated)
    )


def _ask(rules: Sequence[Rule], action: Action, facts: Facts, at: datetime) -> list[Finding]:
    found: list[Finding] = []
    for rule in rules:
        if rule.check is None or not rule.begins <= at < rule.ends:
            continue
        try:
            said = rule.check.asks(rule.params, action, facts, at)
        except Exception as problem:  # whatever is wrong with a rule, nobody may be harmed by it
            said = Objection(
                reason=f"{rule.id} could not be decided ({type(problem).__name__}).",
                outcome=BLOCK if action.automated else WARN,
            )
        if said:
            found += [_finding(rule, one) for one in (said if isinstance(said, list) else [said])]
    return found


def _finding(rule: Rule, said: Objection) -> Finding:
    written = rule.written
    outcome = said.outcome or written.severity
    if outcome == HOLD and said.until is None:
        outcome = BLOCK
    # What a rule holds it holds no longer than it is in force itself.
    until = min(said.until, rule.ends) if said.until is not None else None
    return Finding(outcome, said.rule or rule.id, said.reason, until, written.override, said.requires, rule.pack)


def _first_free(rules: Sequence[Rule], action: Action, facts: Facts, findings: Sequence[Finding]) -> datetime | None:
    """The first moment within the horizon at which nothing holds or blocks; none when there is none.

    Each check tells the first moment at which it may be silent, so nothing lawful lies before the latest of them.
    """
    moment = facts.at
    for _ in range(_MOST_MOMENTS):
        latest = max((one.until for one in findings if one.outcome == HOLD and one.until), default=None)
        if latest is None or latest <= moment:
            return None
        moment = latest
        if moment > facts.at + HORIZON:
            return None
        findings = _ask(rules, action, facts, moment)
        if any(one.outcome == BLOCK for one in findings):
            return None
        if not any(one.outcome == HOLD for one in findings):
            return moment
    return None
