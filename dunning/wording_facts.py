"""What a notice may speak of, and the shapes it takes on its way to the customer. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

Consequence = Literal["throttled", "outgoing_barred", "suspended", "disconnected", "agency"]
CONSEQUENCES: tuple[Consequence, ...] = ("throttled", "outgoing_barred", "suspended", "disconnected", "agency")


@dataclass(frozen=True, kw_only=True, slots=True)
class BillLine:
    """One bill of the notice; amounts in the notice's currency, `open` is what is left after payments and credits."""

    ref: str
    issued_on: date
    due_on: date
    amount: Decimal
    paid: Decimal
    open: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalmentLine:
    due_on: date
    amount: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeFacts:
    """Everything a notice may speak of. What is None is not spoken of."""

    customer_name: str
    operator_name: str
    account_ref: str
    language: str
    """A BCP 47 tag, `es` or `es-MX`: the language chooses the words, the whole tag how dates and amounts are
    written.
    """
    currency: str
    bills: tuple[BillLine, ...]
    total_due: Decimal
    help_phone: str
    pay_by: date | None = None
    """The date *before* which to pay: on that date the consequence takes effect."""
    consequence: Consequence | None = None
    pay_url: str | None = None
    account_holder: str | None = None
    bank_name: str | None = None
    iban: str | None = None
    transfer_reference: str | None = None
    services: tuple[str, ...] = ()
    agency_name: str | None = None
    promised_amount: Decimal | None = None
    promised_on: date | None = None
    instalments: tuple[InstalmentLine, ...] = ()
    advice: str | None = None
    """Where free debt advice is to be had, where a market requires the pointer."""
    regulator: str | None = None
    opt_out_url: str | None = None


@dataclass(frozen=True, slots=True)
class Wording:
    """One message, ready to be handed over. `language` is the language it is written in, which may be the fallback."""

    subject: str
    text: str
    html: str | None
    language: str


@dataclass(frozen=True, slots=True)
class Table:
    """A small table as text: the first columns are words, from `numbers_from` on they are amounts."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total_label: str
    total: str
    numbers_from: int


@dataclass(frozen=True, slots=True)
class NoticeBody:
    """A notice as parts, before a channel gives it a shape: e-mail and letter are laid out from this."""

    language: str
    locale: str
    subject: str
    greeting: str
    opening: tuple[str, ...]
    table: Table | None
    ways_to_pay: tuple[str, ...]
    transfer: tuple[tuple[str, str], ...]
    """Label and value, for a payment block; empty where nothing is asked for."""
    pay_url: str | None
    """For the button that pays the total; the ways to pay name it too."""
    closing: tuple[str, ...]
    sign_off: str
    operator_name: str
    account_ref: str
    labels: Mapping[str, str]
