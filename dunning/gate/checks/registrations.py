"""Registers that senders and customers stand in: India's headers and templates, and what its customers wish."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from dunning.gate import calendars
from dunning.gate.checks.promotion import MARKETING, wants_marketing
from dunning.gate.checks.registry import Check, Theme
from dunning.gate.decision import BLOCK, Objection
from dunning.gate.facts import Action, Facts

PROMOTIONAL = "promotional"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """As what a text message goes out: the entity, header and content template registered for it."""

    entity: str = ""
    header: str = ""
    #: service, transactional, promotional.
    header_class: str = ""
    template: str = ""
    #: The template's registered words, with a mark where something is filled in.
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What must be registered, for numbers that begin so."""

    prefix: str = "+91"
    mark: str = "{#var#}"
    longest_variable: int = 30


def registered_sender(params: Registered, action: Action, facts: Facts, at: datetime) -> Objection | None:
    """TCCCPR 2018: what is not registered, or differs by one character, the operators drop.

    Fails closed for a text: without ``Sender`` nothing is registered. While no text is known nothing is said.
    """
    if not action.text or (action.address and not action.address.startswith(params.prefix)):
        return None
    sender = facts.part(Sender) or Sender()
    wanting = [name for name in ("entity", "header", "template", "words") if not getattr(sender, name)]
    if wanting:
        return Objection(reason=f"The message is not registered: its {', '.join(wanting)} is missing.", outcome=BLOCK)
    if (sender.header_class == PROMOTIONAL) != (action.purpose == MARKETING):
        text = f"The sender {sender.header} is registered for {sender.header_class or 'nothing'} messages."
        return Objection(reason=text, outcome=BLOCK)
    if not _fits(action.text, sender.words, params):
        return Objection(reason="The text is not the registered template, character by character.", outcome=BLOCK)
    return None


def _fits(text: str, template: str, params: Registered) -> bool:
    """Whether filling in the template's marks gives the text: every place a part may end at is followed at once."""
    first, *rest = template.split(params.mark)
    ends = {len(first)} if text.startswith(first) else set()
    for literal in rest:
        starts = {end + length for end in ends for length in range(params.longest_variable + 1)}
        ends = {start + len(literal) for start in starts if start <= len(text) and text.startswith(literal, start)}
    return len(text) in ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Hours of a day, half-open; midnight as the end is the day's end."""

    opens: time
    closes: time


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredWishes:
    """What a customer has registered with their provider about advertising."""

    everything: bool = False
    categories: frozenset[str] = frozenset()
    #: sms, call.
    modes: frozenset[str] = frozenset()
    bands: tuple[Band, ...] = ()
    holidays: bool = False
    weekdays: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Where the bands are told, whose public holidays are meant, and the category the desk's advertising is of."""

    zone: str = "Asia/Kolkata"
    calendar: str = "IN"
    category: str = "communication"


def registered_wishes(params: Preferences, action: Action, facts: Facts, at: datetime) -> list[Objection]:
    """TCCCPR 2018, preferences: of advertising alone; explicit consent passes a full block."""
    wishes = facts.part(RegisteredWishes)
    if wishes is None:
        return []
    if (
        wishes.everything or params.category in wishes.categories or action.type in wishes.modes
    ) and not wants_marketing(facts, action, at):
        return [Objection(reason="The customer has registered that they want no such advertising.", outcome=BLOCK)]
    local = at.astimezone(ZoneInfo(params.zone))
    midnight = calendars.beginning(local.date() + timedelta(days=1), ZoneInfo(params.zone))
    found = []
    if wishes.holidays and calendars.is_holiday(local.date(), params.calendar):
        found.append(Objection(reason="The customer wants no advertising on public holidays.", until=midnight))
    if local.isoweekday() in wishes.weekdays:
        found.append(Objection(reason=f"The customer wants no advertising on a {local:%A}.", until=midnight))
    for band in wishes.bands:
        if band.opens <= local.time() and (local.time() < band.closes or band.closes == time.min):
            until = datetime.combine(local.date(), band.closes, tzinfo=local.tzinfo) if band.closes > time.min else None
            text = f"The customer wants no advertising from {band.opens:%H:%M} to {band.closes:%H:%M}."
            found.append(Objection(reason=text, until=until or midnight))
    return found


THEME = Theme(
    checks={
        "registered_sender": Check(Registered, registered_sender),
        "registered_wishes": Check(Preferences, registered_wishes),
    },
    parts=(Sender, RegisteredWishes),
)
