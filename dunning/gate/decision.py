"""What the gate answers: five outcomes, the strictest of which wins, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

ALLOW, WARN, REQUIRE, HOLD, BLOCK = "ALLOW", "WARN", "REQUIRE", "HOLD", "BLOCK"
STRICTNESS = (ALLOW, WARN, REQUIRE, HOLD, BLOCK)

#: Who may go on all the same, the most careful last.
OVERRIDES = ("supervisor", "legal", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """What a check has to say; without an ``outcome`` it is as severe as its rule.

    ``until``: the first moment at which this check alone may have nothing to say any more. ``requires``: codes of what
    to do first.
    """

    reason: str
    until: datetime | None = None
    outcome: str = ""
    requires: tuple[str, ...] = ()
    #: Where one rule speaks of several things: the id of this one.
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's objection."""

    outcome: str
    rule: str
    reason: str
    until: datetime | None
    override: str
    requires: tuple[str, ...]
    pack: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's answer, strictest rule first."""

    outcome: str
    rule_ids: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    next_allowed_at: datetime | None = None
    requires: tuple[str, ...] = ()
    #: Who may go on all the same: ``supervisor``, ``legal``, ``none``.
    override: str = "none"
    pack_versions: tuple[str, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """Nothing stands in the way; a warning does not."""
        return self.outcome in (ALLOW, WARN)


def combine(findings: Iterable[Finding], *, packs: tuple[str, ...], until: datetime | None) -> Decision:
    """One answer from all that was found; only who may override every one of the strictest may override it."""
    found = sorted(findings, key=lambda finding: -STRICTNESS.index(finding.outcome))
    if not found:
        return Decision(ALLOW, pack_versions=packs)
    outcome = found[0].outcome
    strictest = [finding.override for finding in found if finding.outcome == outcome]
    return Decision(
        outcome,
        tuple(dict.fromkeys(finding.rule for finding in found)),
        tuple(dict.fromkeys(finding.reason for finding in found)),
        until if outcome == HOLD else None,
        tuple(dict.fromkeys(code for finding in found for code in finding.requires)),
        max(strictest, key=OVERRIDES.index) if outcome in (HOLD, BLOCK, REQUIRE) else "none",
        packs,
    )
