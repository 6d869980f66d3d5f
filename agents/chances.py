"""The chance that a call helps: brings a promise or money within a week. Pure: counts in, a chance with words out.

Accounts are put into bands by what is known when they are called: how long past due, whether anybody has reached the
customer before, and what became of earlier promises. The day's run counts each band (``call_effects``). A band with few
calls behind it says little, so its share is drawn towards that of all calls: empirical Bayes with a beta prior,

    chance = (helped + strength * overall) / (calls + strength)

where ``overall`` is the share of all calls that helped and ``strength`` how many calls the prior is worth, estimated
from how far the bands lie apart (the moment estimator of J. C. Kleinman, "Proportions with Extraneous Variance: Single
and Independent Samples", Journal of the American Statistical Association 68, 1973; in plain words: G. Casella, "An
Introduction to Empirical Bayes Data Analysis", The American Statistician 39, 1985). Bands that differ no more than
chance would have it are drawn together; bands that truly differ keep to themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: What a customer who promised before did with it.
KEPT, BROKEN, NONE = "kept", "broken", "none"

#: The prior is worth no fewer and no more calls than these.
STRENGTH_LEAST, STRENGTH_MOST = 5.0, 1_000.0
#: What it is worth as long as one band alone was counted.
STRENGTH_ALONE = 50.0


@dataclass(frozen=True, slots=True)
class Effect:
    """What calls of a band came to."""

    calls: int
    helped: int


@dataclass(frozen=True, slots=True)
class Prior:
    """What all calls came to: their share, and how many calls of a band that weighs."""

    overall: float
    strength: float


@dataclass(frozen=True, slots=True)
class Counted:
    """The bands as counted, with the prior they make together."""

    effects: Mapping[str, Effect] = field(default_factory=dict)
    prior: Prior | None = None


@dataclass(frozen=True, slots=True)
class CallFacts:
    """An account about to be called, and what was counted of calls."""

    #: Ageing bucket, as ``accounts.position`` names it.
    bucket: str
    #: Whether somebody has spoken to the customer before.
    reached: bool
    promises_kept: int
    promises_broken: int
    counted: Counted


@dataclass(frozen=True, slots=True)
class Chance:
    """``rate`` from 0 to 1, and what it rests on."""

    rate: float
    calls: int
    helped: int

    @property
    def words(self) -> str:
        share = f"{round(self.rate * 100)} % of such calls bring money or a promise"
        if not self.calls:
            return f"{share} (none like it yet: as all calls)"
        return f"{share} ({self.helped} of {self.calls})"


def band(*, bucket: str, reached: bool, promises_kept: int, promises_broken: int) -> str:
    """The band of an account: bucket, reached before or not, promises kept or broken; as ``CallEffect`` keeps it."""
    promised = BROKEN if promises_broken > promises_kept else KEPT if promises_kept else NONE
    return f"{bucket}|{'reached' if reached else 'new'}|{promised}"


def counted(effects: Mapping[str, Effect]) -> Counted:
    """The bands with their prior."""
    return Counted(effects, prior_of(effects))


def chance(facts: CallFacts) -> Chance | None:
    """The chance that a call to this account helps; none as long as nothing was counted."""
    prior = facts.counted.prior
    if prior is None:
        return None
    own = facts.counted.effects.get(
        band(
            bucket=facts.bucket,
            reached=facts.reached,
            promises_kept=facts.promises_kept,
            promises_broken=facts.promises_broken,
        ),
        Effect(0, 0),
    )
    rate = (own.helped + prior.strength * prior.overall) / (own.calls + prior.strength)
    return Chance(rate, own.calls, own.helped)


def prior_of(effects: Mapping[str, Effect]) -> Prior | None:
    """The prior that the bands make together; none without calls.

    Kleinman's estimator with each band weighed by its calls: the spread of the bands' shares, less what chance alone
    would spread them by.
    """
    bands = [effect for effect in effects.values() if effect.calls]
    calls = sum(effect.calls for effect in bands)
    if not calls:
        return None
    overall = sum(effect.helped for effect in bands) / calls
    by_chance = overall * (1 - overall)
    apart = calls - sum(effect.calls**2 for effect in bands) / calls - (len(bands) - 1)
    if len(bands) < 2 or by_chance == 0 or apart <= 0:
        return Prior(overall, STRENGTH_ALONE)
    spread = sum(effect.calls * (effect.helped / effect.calls - overall) ** 2 for effect in bands)
    within = (spread - by_chance * (len(bands) - 1)) / (by_chance * apart)
    strength = 1 / within - 1 if within > 0 else STRENGTH_MOST
    return Prior(overall, min(STRENGTH_MOST, max(STRENGTH_LEAST, strength)))
