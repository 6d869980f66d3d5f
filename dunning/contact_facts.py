"""What the contact gate is told of customers, read for many at once: where they are, what they allowed and asked for,
who speaks for them, what was sent to them lately and what came back.

Calls are kept by the room above, which tells of them through ``Talks``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from accounts import at_once
from accounts.at_once import AS_IS, CLOCK, DAY, MOMENT, Question
from dunning.gate.facts import AddressFact, Care, ConsentFact, Contact, Preference, SpeaksFor
from dunning.gate.zones import Place

#: As far back as any rule counts what was sent.
LOOKS_BACK = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Talked:
    """Calls of one account, and what the customer allowed in them."""

    contacts: tuple[Contact, ...] = ()
    consents: tuple[ConsentFact, ...] = ()


#: The calls of accounts up to a moment, by account.
Talks = Callable[[Collection[int], datetime], Mapping[int, Talked]]


@dataclass(slots=True)
class Known:
    """One customer, as the gate sees them."""

    place: Place = field(default_factory=Place)
    consents: list[ConsentFact] = field(default_factory=list)
    preferences: list[Preference] = field(default_factory=list)
    represented_by: list[SpeaksFor] = field(default_factory=list)
    care: list[Care] = field(default_factory=list)
    #: What is known of their numbers and addresses, by value.
    points: dict[str, AddressFact] = field(default_factory=dict)
    #: Messages of the last month, both directions, by account.
    sent: dict[int, list[Contact]] = field(default_factory=lambda: defaultdict(list))
    born_on: date | None = None
    #: All accounts of theirs.
    accounts: list[int] = field(default_factory=list)
    #: Since when a message that may ask us to stop waits to be read by a person.
    unread_since: datetime | None = None


_PLACES = """
    SELECT id, timezone, timezone_stated_on, country, region, city, postal_code, phone, birth_date,
           ARRAY(SELECT a.id FROM accounts_account a WHERE a.customer_id = c.id ORDER BY a.id)
      FROM accounts_customer c WHERE id = ANY(%(customers)s)
"""
_POINTS = """
    SELECT customer_id, kind, value, use, line, source, shared, permitted FROM accounts_contactpoint
     WHERE customer_id = ANY(%(customers)s)
       AND (valid_from IS NULL OR valid_from <= %(as_of)s) AND (valid_to IS NULL OR valid_to >= %(as_of)s)
"""
#: The latest word on each purpose, channel and address; for extra calls every word counts.
_CONSENTS = """
    SELECT DISTINCT ON (customer_id, channel, purpose, value, CASE purpose WHEN 'extra_calls' THEN at END)
           customer_id, channel, given, at, purpose, value, until
      FROM accounts_consent WHERE customer_id = ANY(%(customers)s) AND at <= %(at)s
     ORDER BY customer_id, channel, purpose, value, CASE purpose WHEN 'extra_calls' THEN at END, at DESC
"""
_SENT = """
    SELECT customer_id, account_id, channel, sent_at, address, step_code, template, state FROM dunning_notice
     WHERE customer_id = ANY(%(customers)s) AND sent_at > %(since)s AND sent_at <= %(at)s ORDER BY sent_at
"""
_RECEIVED = """
    SELECT customer_id, account_id, channel, received_at, sender, intent = 'opt_out' AND state IN ('new', 'waiting')
      FROM dunning_inboundmessage
     WHERE customer_id = ANY(%(customers)s) AND received_at > %(since)s AND received_at <= %(at)s
       AND intent NOT IN ('auto_reply', 'bounce')
     ORDER BY received_at
"""
_PREFERENCES = """
    SELECT customer_id, kind, wanted, weekdays, opens, closes, place, channel, starts_at, ends_at
      FROM accounts_contactpreference
     WHERE customer_id = ANY(%(customers)s) AND (ends_at IS NULL OR ends_at > %(at)s) ORDER BY id
"""
_SPEAKERS = """
    SELECT customer_id, role, since, until, may_be_told, written_to_at, answered_at, name FROM accounts_representative
     WHERE customer_id = ANY(%(customers)s) AND (until IS NULL OR until > %(at)s) AND since <= %(at)s ORDER BY id
"""
_CARE = """
    SELECT customer_id, severity, needs, review_on FROM accounts_vulnerability
     WHERE customer_id = ANY(%(customers)s) AND (ended_on IS NULL OR ended_on > %(as_of)s) AND noted_on <= %(as_of)s
     ORDER BY id
"""
_QUESTIONS = {
    "points": Question(_POINTS, [AS_IS] * 8),
    "places": Question(_PLACES, [AS_IS, AS_IS, DAY, AS_IS, AS_IS, AS_IS, AS_IS, AS_IS, DAY, AS_IS]),
    "consents": Question(_CONSENTS, [AS_IS, AS_IS, AS_IS, MOMENT, AS_IS, AS_IS, MOMENT]),
    "sent": Question(_SENT, [AS_IS, AS_IS, AS_IS, MOMENT, AS_IS, AS_IS, AS_IS, AS_IS]),
    "received": Question(_RECEIVED, [AS_IS, AS_IS, AS_IS, MOMENT, AS_IS, AS_IS]),
    "preferences": Question(_PREFERENCES, [AS_IS] * 4 + [CLOCK, CLOCK, AS_IS, AS_IS, MOMENT, MOMENT]),
    "speakers": Question(_SPEAKERS, [AS_IS, AS_IS, MOMENT, MOMENT, AS_IS, MOMENT, MOMENT, AS_IS]),
    "care": Question(_CARE, [AS_IS, AS_IS, AS_IS, DAY]),
}
#: So few customers are read with one question instead of eight.
FEW = 8


def read(customer_ids: Collection[int], *, at: datetime, as_of: date) -> dict[int, Known]:
    """One query for a few customers, eight for any number."""
    keys = sorted(set(customer_ids))
    found = {key: Known() for key in keys}
    numbers: dict[int, list[str]] = defaultdict(list)
    with connection.cursor() as cursor:
        ask = _asker(cursor, {"customers": keys, "at": at, "since": at - LOOKS_BACK, "as_of": as_of})
        for customer, kind, value, use, line, source, shared, permitted in ask("points"):
            found[customer].points[value] = AddressFact(
                use=use, line=line, source=source, shared=shared, permitted=permitted
            )
            if kind == "phone":
                numbers[customer].append(value)
        for key, zone, stated_on, country, region, city, postal_code, phone, born_on, accounts in ask("places"):
            found[key].born_on, found[key].accounts = born_on, accounts
            on_file = dict.fromkeys([*([phone] if phone else []), *numbers[key]])
            found[key].place = Place(
                timezone=zone,
                stated_on=stated_on,
                country=country,
                region=region,
                city=city,
                postal_code=postal_code,
                numbers=tuple(on_file),
            )
        for customer, channel, given, told_at, purpose, value, until in ask("consents"):
            found[customer].consents.append(
                ConsentFact(channel=channel, given=given, at=told_at, purpose=purpose, value=value, until=until)
            )
        for customer, account, channel, sent_at, address, step, template, state in ask("sent"):
            found[customer].sent[account].append(
                Contact(
                    at=sent_at,
                    channel=channel if channel != "voice" else "call",
                    prerecorded=channel == "voice",
                    address=address,
                    reply=step == "answer",
                    template=template,
                    result="no_connect_invalid" if state == "bounced" and channel == "voice" else "",
                )
            )
        for customer, account, channel, received_at, sender, unread in ask("received"):
            if unread and found[customer].unread_since is None:
                found[customer].unread_since = received_at
            contact = Contact(at=received_at, channel=channel, direction="inbound", address=sender)
            if account is not None:
                found[customer].sent[account].append(contact)
        _read_people(ask, found)
    return found


#: Gives the rows of a question.
Ask = Callable[[str], Iterable[Sequence[Any]]]


def _asker(cursor: CursorWrapper, given: Mapping[str, Any]) -> Ask:
    """All questions at once for a few customers, else each when it is its turn."""
    if len(given["customers"]) <= FEW:
        return at_once.tuples(cursor, _QUESTIONS, given).__getitem__

    def ask(name: str) -> Iterable[Sequence[Any]]:
        cursor.execute(_QUESTIONS[name].sql, given)
        return cursor

    return ask


def _read_people(ask: Ask, found: dict[int, Known]) -> None:
    for key, kind, wanted, weekdays, opens, closes, place, channel, starts_at, ends_at in ask("preferences"):
        found[key].preferences.append(
            Preference(
                kind=kind,
                wanted=wanted,
                weekdays=tuple(weekdays),
                opens=opens,
                closes=closes,
                place=place,
                channel=channel,
                starts_at=starts_at,
                ends_at=ends_at,
            )
        )
    for key, role, since, until, may_be_told, written_to_at, answered_at, name in ask("speakers"):
        found[key].represented_by.append(
            SpeaksFor(
                role=role,
                since=since,
                until=until,
                may_be_told=may_be_told,
                written_to_at=written_to_at,
                answered_at=answered_at,
                name=name,
            )
        )
    for key, severity, needs, review_on in ask("care"):
        found[key].care.append(Care(severity=severity, needs=frozenset(needs), review_on=review_on))
