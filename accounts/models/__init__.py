"""The rows of the facts, one module a subject.

``customer``  who: customers, contact points, consents and wishes, who speaks for them, vulnerabilities
``account``   the thing that is dunned, and its services, with their state machines
``billing``   facts from billing: bills, payments, adjustments; and the desk's own fees
``hold``      reasons to stop
``journal``   balanced postings, which accounts await settling, and from when on the past of which was touched
``event``     the append-only history, its outbox and its seals
``intake``    rejected rows, and the business date
"""

from __future__ import annotations

from accounts.models.account import Account, AccountStatus, Service, ServiceStatus
from accounts.models.billing import Adjustment, Bill, Fee, Payment
from accounts.models.customer import (
    Consent,
    ContactPoint,
    ContactPreference,
    Customer,
    Representative,
    UnreachableAddress,
    Vulnerability,
)
from accounts.models.event import AccountEvent, PendingEvent, Seal, SealedHead
from accounts.models.hold import Hold
from accounts.models.intake import BusinessDate, RejectedRow
from accounts.models.journal import JournalEntry, Touched, Unsettled

__all__ = [
    "Account",
    "AccountEvent",
    "AccountStatus",
    "Adjustment",
    "Bill",
    "BusinessDate",
    "Consent",
    "ContactPoint",
    "ContactPreference",
    "Customer",
    "Fee",
    "Hold",
    "JournalEntry",
    "Payment",
    "PendingEvent",
    "RejectedRow",
    "Representative",
    "Seal",
    "SealedHead",
    "Service",
    "ServiceStatus",
    "Touched",
    "UnreachableAddress",
    "Unsettled",
    "Vulnerability",
]
