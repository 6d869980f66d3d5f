"""Whether the desk may act at all: the debt is still its own to collect, and its clock is right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dunning.gate.checks.registry import Check, Theme
from dunning.gate.decision import BLOCK, Objection
from dunning.gate.facts import Action, Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What became of the debt."""

    sold_at: datetime | None = None
    #: Given to an agency, and taken back from it.
    placed_at: datetime | None = None
    recalled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDrift:
    """How far this machine's clock is from the time it is compared with; either way."""

    seconds: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StillOurs:
    """Those who act for somebody else, and may no more once the debt is taken back from them."""

    agents: tuple[str, ...] = ("bpo", "third_party")
    #: Answered all the same, whoever the debt belongs to.
    purposes: tuple[str, ...] = ("query_reply", "customer_request", "complaint", "opt_out_confirmation")


def still_ours(params: StillOurs, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """What was decided while the debt was ours is not done once it is somebody else's."""
    owned = facts.part(Ownership)
    if owned is None or action.purpose in params.purposes:
        return None
    if owned.sold_at is not None and owned.sold_at <= at and facts.role != "debt_buyer":
        return Objection(reason="The debt was sold.", outcome=BLOCK)
    recalled = owned.recalled_at is not None and owned.recalled_at <= at
    if facts.role in params.agents:
        return Objection(reason="The debt was taken back.", outcome=BLOCK) if recalled else None
    if owned.placed_at is not None and owned.placed_at <= at and not recalled:
        return Objection(reason="An agency collects this debt.", outcome=BLOCK)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyClock:
    """The most that the clock may be wrong by."""

    most_seconds: Decimal = Decimal(2)


def steady_clock(params: SteadyClock, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Hours are only as right as the clock they are read from."""
    drift = facts.part(ClockDrift)
    if drift is None or abs(drift.seconds) <= params.most_seconds:
        return None
    return Objection(
        reason=f"This machine's clock is wrong by {abs(drift.seconds)} s: nothing is decided by it.",
        outcome=BLOCK,
        requires=("set_clock",),
    )


THEME = Theme(
    checks={"still_ours": Check(StillOurs, still_ours), "steady_clock": Check(SteadyClock, steady_clock)},
    parts=(Ownership, ClockDrift),
)
