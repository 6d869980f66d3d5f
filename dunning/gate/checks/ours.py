"""What the operator's own facts forbid: no address, a refusal, a hold, a place that nobody can be reached at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dunning.gate.checks.registry import Check, Theme
from dunning.gate.decision import BLOCK, Objection
from dunning.gate.facts import CONTACTS, Action, Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """A rule without values to set."""


def has_address(params: Nothing, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Somebody without an address for this channel cannot be reached on it."""
    if facts.has_address and not facts.address.unusable:
        return None
    return Objection(reason="There is no usable address for this channel.", outcome=BLOCK)


def not_refused(params: Nothing, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """A channel that the customer refused, or an address of it; what they ask or write may be answered, once."""
    if action.purpose in ("query_reply", "customer_request", "opt_out_confirmation"):
        return None
    if facts.refused or _refused_address(action, facts, at):
        return Objection(reason="The customer asked not to be contacted this way.", outcome=BLOCK)
    return None


def _refused_address(action: Action, facts: Facts, at: datetime) -> bool:
    told = [
        consent
        for consent in facts.consents
        if consent.purpose == "service"
        and consent.channel == action.type
        and consent.at <= at
        and consent.value
        and consent.value == action.address
    ]
    return bool(told) and not max(told, key=lambda consent: consent.at).given


def holds(params: Nothing, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """Holds that stop this kind of action, by the operator's matrix."""
    if action.type in CONTACTS and action.purpose in ("query_reply", "customer_request", "opt_out_confirmation"):
        return []
    return [
        Objection(
            reason=f"A hold is in force: {hold.reason.replace('_', ' ')}.", outcome=BLOCK, rule=f"HOLD-{hold.reason}"
        )
        for hold in facts.holds
    ]


THEME = Theme(
    checks={
        "has_address": Check(Nothing, has_address),
        "not_refused": Check(Nothing, not_refused),
        "holds": Check(Nothing, holds),
    }
)
