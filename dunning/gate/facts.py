"""What the gate is told: the action somebody or something is about to take, and what is known. Pure.

What most rules read is named here. What only a few rules read comes as a *part*: a small dataclass that stands beside
the checks that read it (``checks/``), given to ``Facts.parts`` by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TypeVar, cast

from dunning.gate.zones import Place

Part = TypeVar("Part")

NOWHERE = Place()

#: Actions by which somebody is reached.
CONTACTS = frozenset(
    {"call", "ringless_vm", "voicemail", "sms", "email", "letter", "in_app", "push", "social", "visit"}
)
#: Of those, the ones whose moment matters to the customer; post arrives when it arrives.
TIMED = CONTACTS - {"letter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is about to be done. ``type`` is one of ``CONTACTS``, or what hurts or uses data: ``restrict``, ``suspend``,
    ``disconnect``, ``charge_fee``, ``report_credit``, ``place_agency``, ``sell_debt``, ``write_off``, ``take_payment``,
    ``make_plan``, ``defer``, ``settle``, ``store``, ``export_data``, ``erase_data``, ``decide``, ``score``.
    """

    type: str
    #: A machine does it, with nobody looking on.
    automated: bool = False
    prerecorded: bool = False
    #: The number or address that is used.
    address: str = ""
    #: collection, ongoing_bill, not_due, customer_request, query_reply, complaint, court, legal_notice, location,
    #: marketing, opt_out_confirmation, suspension_notice, adviser.
    purpose: str = "collection"
    template: str = ""
    #: The words, where there are any: what they must and must not say is checked.
    text: str = ""
    subject: str = ""
    language: str = ""
    #: The debts it speaks of; empty: the account's.
    debts: frozenset[str] = frozenset()
    amount: Decimal | None = None
    #: Of a limit: throttled, outgoing_barred, suspended, disconnected; and mobile, fixed, broadband, tv, other.
    rung: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One line of the contact log, either direction."""

    at: datetime
    channel: str = "call"
    direction: str = "outbound"
    #: no_connect_busy, no_connect_invalid, rang_no_answer, voicemail_left, voicemail_no_message, answered_wrong_party,
    #: answered_third_party, answered_right_party, answered_dropped; empty: not known.
    result: str = ""
    conversation: bool = False
    address: str = ""
    #: The place or person it reached: home, work, third_party; empty: the customer.
    reached: str = ""
    #: The number turned out to be somebody else's: it does not count for this person.
    not_theirs: bool = False
    #: Kept with another account, and about this one too.
    kept_elsewhere: bool = False
    #: The debts it is counted for; empty: the account's.
    debts: frozenset[str] = frozenset()
    prerecorded: bool = False
    #: Answered something the customer sent or asked.
    reply: bool = False
    template: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFact:
    """What was allowed or forbidden on a channel, for a purpose; ``value``: one number or address only."""

    channel: str
    given: bool
    at: datetime
    purpose: str = "service"
    value: str = ""
    until: datetime | None = None
    #: To whom: desk, or another creditor or collector, whose consents do not pass to us.
    given_to: str = "desk"
    debts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """A wish about time, place or channel, or that all contact end (``cease``)."""

    kind: str
    wanted: bool = False
    weekdays: tuple[int, ...] = ()
    opens: time | None = None
    closes: time | None = None
    place: str = ""
    channel: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeaksFor:
    """Somebody who stands between us and the customer."""

    role: str
    since: datetime
    until: datetime | None = None
    may_be_told: bool = False
    written_to_at: datetime | None = None
    answered_at: datetime | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """A circumstance that asks for gentle treatment: low, medium or high; in force until a person ends it."""

    severity: str
    needs: frozenset[str] = frozenset()
    review_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldInForce:
    """A hold of the account that stops this kind of action, by the operator's own matrix."""

    reason: str
    starts_on: date | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFact:
    """What is known of the number or address that is used."""

    #: home, work; empty: not known.
    use: str = ""
    #: mobile, landline; empty: not known.
    line: str = ""
    #: customer, tracing, others; empty: billing has it.
    source: str = ""
    shared: bool = False
    #: At work: the customer asked for it (True), the employer forbids it (False), nobody said (None).
    permitted: bool | None = None
    #: It bounced, or belongs to somebody else.
    unusable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """What is owed, in the account's currency; dates are the operator's."""

    balance: Decimal | None = None
    overdue: Decimal | None = None
    disputed: Decimal = Decimal(0)
    #: Of the oldest bill with something open and undisputed.
    oldest_due_on: date | None = None
    oldest_bill_on: date | None = None
    currency: str = ""
    #: Nothing is past due yet: a reminder of what is coming.
    not_due: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a decision rests on, at one moment."""

    at: datetime
    place: Place = NOWHERE
    #: Codes of where the customer is at law: US, US-MA, US-NYC, GB, DE …
    jurisdictions: frozenset[str] = frozenset()
    #: first_party (in its own name), first_party_other_name, bpo, third_party, debt_buyer.
    role: str = "first_party"
    #: residential, business.
    kind: str = "residential"
    language: str = ""
    has_address: bool = True
    #: This channel was refused for what concerns bills.
    refused: bool = False
    address: AddressFact = AddressFact()
    contacts: tuple[Contact, ...] = ()
    consents: tuple[ConsentFact, ...] = ()
    preferences: tuple[Preference, ...] = ()
    represented_by: tuple[SpeaksFor, ...] = ()
    care: tuple[Care, ...] = ()
    holds: tuple[HoldInForce, ...] = ()
    debt: Debt = Debt()
    parts: Mapping[str, Any] = field(default_factory=dict)

    def part(self, kind: type[Part]) -> Part | None:
        """That part of the facts, where somebody gave it."""
        return cast("Part | None", self.parts.get(kind.__name__))
