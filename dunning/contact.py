"""The contact gate, asked with the facts of one account: for the call button, the API and ``contact_check``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from dunning import gate, holding, reading


def check(
    *,
    account_id: int,
    channel: str,
    at: datetime,
    as_of: date,
    calls: Sequence[datetime] = (),
    conversations: Sequence[datetime] = (),
    automated: bool = False,
) -> gate.Decision:
    """May this account's customer be contacted on ``channel`` at ``at``? Reads only.

    ``calls`` and ``conversations`` are those of the last two weeks; the room above keeps them.
    """
    fact = reading.read([account_id], as_of=as_of)[account_id]
    effect = holding.CALLS if channel == "call" else holding.NOTICES
    stopping = tuple(
        hold.reason
        for hold in fact.holds
        if hold.covers(as_of) and holding.is_account_wide(hold) and effect in hold.effects
    )
    zones = gate.zones_for(fact.timezone, fact.country, fact.contact.get("phone", ""))
    kind = reading.NEEDS.get(channel)
    return gate.decide(
        gate.ContactFacts(
            channel=channel,
            at=at,
            automated=automated,
            zones=zones,
            has_address=kind is None or bool(fact.contact.get(kind)),
            refused=channel in fact.refused_channels,
            holds=stopping,
            calls=tuple(calls),
            conversations=tuple(conversations),
        ),
        gate.rules_for(fact.country),
    )
