"""Which channel it is: the one the customer prefers, another one after silence, no number that costs them extra."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import phonenumbers

from dunning.gate.checks.registry import Check, Theme
from dunning.gate.checks.words import words_of
from dunning.gate.decision import BLOCK, REQUIRE, Objection
from dunning.gate.facts import Action, Facts

#: Messages that the customer waits for, or the law asks for.
_OWED = ("query_reply", "customer_request", "legal_notice", "suspension_notice", "court", "opt_out_confirmation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """So many contacts on a channel without an answer are enough: the next goes another way."""

    after_unanswered: int = 2
    channels: tuple[str, ...] = ("call", "sms", "email", "letter", "in_app", "push")


def rotate(params: Rotation, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Who does not answer there may not read there."""
    if action.type not in params.channels or action.purpose in _OWED:
        return None
    silent = _unanswered(action.type, facts, at)
    if silent < params.after_unanswered:
        return None
    text = f"{silent} contacts by {_named(action.type)} in a row were not answered: use another channel."
    return Objection(reason=text, outcome=REQUIRE, requires=("other_channel",))


def _unanswered(channel: str, facts: Facts, at: datetime) -> int:
    """The last contacts, all of them on that channel, since the customer was heard or reached otherwise."""
    silent = 0
    for contact in sorted(facts.contacts, key=lambda one: one.at, reverse=True):
        if contact.at > at or contact.not_theirs:
            continue
        if contact.direction != "outbound" or contact.conversation or contact.channel != channel:
            break
        silent += 1
    return silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferred:
    """The preferred channel is kept to until it was not answered so often; what is owed goes by any."""

    until_unanswered: int = 2
    purposes: tuple[str, ...] = _OWED


def preferred(params: Preferred, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """The channel a customer prefers is the one that is used."""
    wishes = {
        wish.channel
        for wish in facts.preferences
        if wish.kind == "channel"
        and wish.channel
        and (wish.starts_at is None or wish.starts_at <= at)
        and (wish.ends_at is None or at < wish.ends_at)
    }
    if not wishes or action.type in wishes or action.purpose in params.purposes:
        return None
    if any(_unanswered(channel, facts, at) >= params.until_unanswered for channel in wishes):
        return None
    named = " or ".join(sorted(_named(channel) for channel in wishes))
    return Objection(reason=f"The customer prefers {named}.", outcome=BLOCK, requires=("preferred_channel",))


def _named(channel: str) -> str:
    return {"sms": "text message", "email": "e-mail", "in_app": "the app", "call": "phone"}.get(channel, channel)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPremium:
    """Where numbers without a country code are read."""

    region: str


def no_premium_number(params: NoPremium, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """Nobody pays a premium rate to speak about a debt."""
    found = next(_premium(words_of(action), params.region), "")
    return Objection(reason=f"{found} is a premium-rate number.", outcome=BLOCK) if found else None


def _premium(text: str, region: str) -> Iterator[str]:
    for match in phonenumbers.PhoneNumberMatcher(text, region):
        if phonenumbers.number_type(match.number) == phonenumbers.PhoneNumberType.PREMIUM_RATE:
            yield match.raw_string


THEME = Theme(
    checks={
        "rotate": Check(Rotation, rotate),
        "preferred_channel": Check(Preferred, preferred),
        "no_premium_number": Check(NoPremium, no_premium_number),
    }
)
