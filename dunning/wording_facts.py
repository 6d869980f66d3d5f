"""What a notice may speak of, and the shapes it takes on its way to the customer. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

Consequence = Literal["throttled", "outgoing_barred", "suspended", "disconnected", "agency"]
CONSEQUENCES: tuple[Consequence, ...] = ("throttled", "outgoing_barred", "suspended", "disconnected", "agency")

#: "" nothing is required; "initial" the first communication of a debt collector; "later" every one after it.
Disclosure = Literal["", "initial", "later"]


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
class ValidationFacts:
    """What a validation notice of a third-party collector in the United States states: 12 CFR 1006.34(c).

    All amounts are there, zero is written as zero: the rule knows no blank field (comment 34(c)(2)(viii)-1).
    """

    creditor: str
    """To whom the debt is owed now."""
    itemized_on: date
    """The itemization date: 1006.34(b)(3)."""
    amount_then: Decimal
    interest: Decimal
    fees: Decimal
    payments: Decimal
    credits: Decimal
    ends_on: date
    """The last day of the validation period: 1006.34(b)(5)."""
    collector_address: tuple[str, ...]
    """Where disputes and requests are accepted by post, without the collector's name."""
    consumer_address: tuple[str, ...] = ()
    dispute_url: str | None = None
    """Where a dispute is taken electronically; demanded for a notice that goes out electronically."""

    @property
    def amount_now(self) -> Decimal:
        return self.amount_then + self.interest + self.fees - self.payments - self.credits


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
    extended_until: date | None = None
    """Until when nothing is asked for: the last day of more time to pay."""
    settled_amount: Decimal | None = None
    """What is taken for all of `settled_balance` when it is there by `settled_by`."""
    settled_balance: Decimal | None = None
    settled_by: date | None = None
    disputed_amount: Decimal | None = None
    disputed_bill: str | None = None
    credited_amount: Decimal | None = None
    disputed_rest: Decimal | None = None
    """What is owed after all of what was disputed, where a part was credited."""
    outcome_words: str | None = None
    """What we found when we looked into a dispute, in the words of whoever decided it."""
    advice: str | None = None
    """Where free debt advice is to be had, where a market requires the pointer."""
    regulator: str | None = None
    opt_out_url: str | None = None
    names_court: bool = False
    """Germany: a warning says that one may go to court against the limit (TKG § 61)."""
    help_signpost: bool = False
    """The pointer to free advice stands in short messages too."""
    suspension_on: date | None = None
    """The first day on which a service may be limited, to be said in a sentence of its own."""
    wait_until: date | None = None
    """Until when nothing more is asked of the customer while we check something."""
    answer_by: date | None = None
    """By when we answer: a dispute, or with a call."""
    collector_disclosure: Disclosure = ""
    """The words of 12 CFR 1006.18(e) for a third-party debt collector."""
    validation: ValidationFacts | None = None


@dataclass(frozen=True, slots=True)
class Wording:
    """One message, ready to be handed over. `language` is the language it is written in, which may be the fallback."""

    subject: str
    text: str
    html: str | None
    language: str
    opening: str = ""
    """Of a call: what whoever answers may hear. It is the first paragraph of `text`; the rest waits until the listener
    has confirmed who they are.
    """


@dataclass(frozen=True, slots=True)
class Table:
    """A small table as text: the first columns are words, from `numbers_from` on they are amounts."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total_label: str
    total: str
    numbers_from: int


@dataclass(frozen=True, slots=True)
class TearOff:
    """A form at the end of a letter, to be cut off and sent back: boxes to tick between two addresses."""

    heading: str
    instruction: str
    boxes: tuple[tuple[str, tuple[str, ...]], ...]
    """Each box, and the boxes below it."""
    mail_to: tuple[str, ...]
    sent_by: tuple[str, ...]


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
    payment_ref: str
    """What the customer writes on a transfer; a letter carries it as a bar code too."""
    preview: str
    """What an inbox shows beside the subject; it names no amount, for inboxes are looked at over shoulders."""
    labels: Mapping[str, str]
    rtl: bool = False
    digits: str = "0123456789"
    """Zero to nine, as the customer's country writes them."""
    tear_off: TearOff | None = None
