"""What the contact gate is told of customers, read for many at once: where they are, what they allowed and asked for,
who speaks for them, what was sent to them lately and what came back.

Calls are kept by the room above, which tells of them through ``Talks``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import Q

from accounts.models import ContactPreference, Representative, Vulnerability
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
      FROM accounts_customer c WHERE id = ANY(%s)
"""
_POINTS = """
    SELECT customer_id, kind, value, use, line, source, shared, permitted FROM accounts_contactpoint
     WHERE customer_id = ANY(%s) AND (valid_from IS NULL OR valid_from <= %s) AND (valid_to IS NULL OR valid_to >= %s)
"""
#: The latest word on each purpose, channel and address; for extra calls every word counts.
_CONSENTS = """
    SELECT DISTINCT ON (customer_id, channel, purpose, value, CASE purpose WHEN 'extra_calls' THEN at END)
           customer_id, channel, given, at, purpose, value, until
      FROM accounts_consent WHERE customer_id = ANY(%s) AND at <= %s
     ORDER BY customer_id, channel, purpose, value, CASE purpose WHEN 'extra_calls' THEN at END, at DESC
"""
_SENT = """
    SELECT customer_id, account_id, channel, sent_at, address, step_code, template, state FROM dunning_notice
     WHERE customer_id = ANY(%s) AND sent_at > %s AND sent_at <= %s ORDER BY sent_at
"""
_RECEIVED = """
    SELECT customer_id, account_id, channel, received_at, sender, intent = 'opt_out' AND state IN ('new', 'waiting')
      FROM dunning_inboundmessage
     WHERE customer_id = ANY(%s) AND received_at > %s AND received_at <= %s AND intent NOT IN ('auto_reply', 'bounce')
     ORDER BY received_at
"""


def read(customer_ids: Collection[int], *, at: datetime, as_of: date) -> dict[int, Known]:
    """Eight queries, whatever the number of customers."""
    keys = sorted(set(customer_ids))
    found = {key: Known() for key in keys}
    since = at - LOOKS_BACK
    numbers: dict[int, list[str]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_POINTS, [keys, as_of, as_of])
        for customer, kind, value, use, line, source, shared, permitted in cursor:
            found[customer].points[value] = AddressFact(
                use=use, line=line, source=source, shared=shared, permitted=permitted
            )
            if kind == "phone":
                numbers[customer].append(value)
        cursor.execute(_PLACES, [keys])
        for key, zone, stated_on, country, region, city, postal_code, phone, born_on, accounts in cursor:
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
        cursor.execute(_CONSENTS, [keys, at])
        for customer, channel, given, told_at, purpose, value, until in cursor:
            found[customer].consents.append(
                ConsentFact(channel=channel, given=given, at=told_at, purpose=purpose, value=value, until=until)
            )
        cursor.execute(_SENT, [keys, since, at])
        for customer, account, channel, sent_at, address, step, template, state in cursor:
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
        cursor.execute(_RECEIVED, [keys, since, at])
        for customer, account, channel, received_at, sender, unread in cursor:
            if unread and found[customer].unread_since is None:
                found[customer].unread_since = received_at
            contact = Contact(at=received_at, channel=channel, direction="inbound", address=sender)
            if account is not None:
                found[customer].sent[account].append(contact)
    _read_people(found, keys, at=at, as_of=as_of)
    return found


def _read_people(found: dict[int, Known], keys: list[int], *, at: datetime, as_of: date) -> None:
    for wish in ContactPreference.objects.filter(Q(ends_at=None) | Q(ends_at__gt=at), customer__in=keys):
        found[wish.customer_id].preferences.append(
            Preference(
                kind=wish.kind,
                wanted=wish.wanted,
                weekdays=tuple(wish.weekdays),
                opens=wish.opens,
                closes=wish.closes,
                place=wish.place,
                channel=wish.channel,
                starts_at=wish.starts_at,
                ends_at=wish.ends_at,
            )
        )
    for person in Representative.objects.filter(Q(until=None) | Q(until__gt=at), customer__in=keys, since__lte=at):
        found[person.customer_id].represented_by.append(
            SpeaksFor(
                role=person.role,
                since=person.since,
                until=person.until,
                may_be_told=person.may_be_told,
                written_to_at=person.written_to_at,
                answered_at=person.answered_at,
                name=person.name,
            )
        )
    noted = Vulnerability.objects.filter(Q(ended_on=None) | Q(ended_on__gt=as_of), customer__in=keys)
    for circumstance in noted.filter(noted_on__lte=as_of):
        found[circumstance.customer_id].care.append(
            Care(
                severity=circumstance.severity,
                needs=frozenset(circumstance.needs),
                review_on=circumstance.review_on,
            )
        )
