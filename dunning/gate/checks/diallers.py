"""Machines that dial: abandoned and silent calls, the number they show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from dunning.gate.checks.registry import Check, Theme
from dunning.gate.decision import BLOCK, HOLD, REQUIRE, Objection
from dunning.gate.facts import Action, Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialling:
    """The dialler's campaign today, and this call."""

    #: Calls of the campaign today that somebody answered, and those of them without an agent in time.
    answered: int = 0
    abandoned: int = 0
    #: Seconds since this call was answered without an agent; none before it is answered.
    waiting_seconds: Decimal | None = None
    message_played: bool = False
    #: The number that is shown; empty: withheld.
    shows: str = ""
    #: The last time somebody at this number heard nothing.
    silent_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistentMisuse:
    """Limits of a dialler."""

    most_abandoned: Decimal = Decimal("0.03")
    agent_seconds: Decimal = Decimal(2)
    silent_lockout_hours: int = 72


def persistent_misuse(params: PersistentMisuse, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """Ofcom's statement of 1 March 2017, Communications Act 2003 s. 128: silent and abandoned calls harm.

    Fails closed: a machine's call of which nothing is known shows no number.
    """
    dialling = facts.part(Dialling)
    if dialling is None:
        if not action.automated:
            return []
        dialling = Dialling()
    found = []
    if not dialling.shows:
        found.append(Objection(reason="The call shows no number that can be called back.", outcome=BLOCK))
    if dialling.abandoned > dialling.answered * params.most_abandoned:
        share = Decimal(100 * dialling.abandoned) / max(dialling.answered, 1)
        text = f"{share:.1f} % of this campaign's calls were abandoned today: stop it."
        found.append(Objection(reason=text, outcome=BLOCK, requires=("stop_campaign",)))
    waiting = dialling.waiting_seconds
    if waiting is not None and waiting >= params.agent_seconds and not dialling.message_played:
        text = "Nobody came to the call in time: play the message that says who called."
        found.append(Objection(reason=text, outcome=REQUIRE, requires=("play_message",)))
    if dialling.silent_at is not None:
        until = dialling.silent_at + timedelta(hours=params.silent_lockout_hours)
        if at < until:
            text = f"This number heard a silent call less than {params.silent_lockout_hours} hours ago."
            found.append(Objection(reason=text, until=until, outcome=HOLD))
    return found


THEME = Theme(checks={"persistent_misuse": Check(PersistentMisuse, persistent_misuse)}, parts=(Dialling,))
