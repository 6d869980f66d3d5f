"""The book: every file an operator may bring, in the order that facts depend on each other."""

from __future__ import annotations

from accounts.book import (
    ACCOUNTS,
    ADJUSTMENTS,
    BILLS,
    CONSENTS,
    CONTACTS,
    CUSTOMERS,
    HOLDS,
    PAYMENTS,
    SERVICES,
    VULNERABILITIES,
)
from accounts.importing.spec import FileSpec
from agents.book import DISPUTES, INTERACTIONS, PLANS, PROMISES
from dunning.book import PLACEMENTS

BOOK: tuple[FileSpec, ...] = (
    CUSTOMERS,
    ACCOUNTS,
    SERVICES,
    BILLS,
    PAYMENTS,
    ADJUSTMENTS,
    CONTACTS,
    CONSENTS,
    HOLDS,
    DISPUTES,
    PROMISES,
    PLANS,
    INTERACTIONS,
    VULNERABILITIES,
    PLACEMENTS,
)
