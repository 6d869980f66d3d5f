"""The chart of accounts, and the journal as a file for the general ledger.

Codes are examples that an operator maps to its own; the columns are neutral and fit NetSuite, Oracle and PeopleSoft
imports after renaming. The same period exported twice gives the same ``external_id`` for the same journal, so a ledger
that has one skips it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter

from django.db import transaction

from accounts import money
from accounts.models import JournalEntry

BANK = "10100"
CARD_CLEARING = "10150"
RECEIVABLES = "12000"
RECEIVABLES_DISPUTED = "12050"
ALLOWANCE = "12900"
TAX_RELIEF_RECEIVABLE = "13500"
TAX_PAYABLE = "21000"
DEPOSITS = "22000"
UNAPPLIED_CASH = "23000"
AGENCY_COMMISSION_PAYABLE = "24000"
SERVICE_REVENUE = "40000"
LATE_FEE_REVENUE = "41000"
RECONNECTION_FEE_REVENUE = "41100"
CREDIT_NOTES = "49000"
BAD_DEBT_EXPENSE = "61000"
BAD_DEBT_RECOVERIES = "61050"
SETTLEMENT_DISCOUNTS = "61100"
AGENCY_COMMISSION = "62000"
CARD_PROCESSING = "62100"

CHART = {
    BANK: "Bank",
    CARD_CLEARING: "Card/PSP clearing",
    RECEIVABLES: "Accounts receivable",
    RECEIVABLES_DISPUTED: "Accounts receivable, disputed",
    ALLOWANCE: "Allowance for doubtful accounts",
    TAX_RELIEF_RECEIVABLE: "Bad-debt tax relief receivable",
    TAX_PAYABLE: "Sales tax payable",
    DEPOSITS: "Customer deposits",
    UNAPPLIED_CASH: "Unapplied cash",
    AGENCY_COMMISSION_PAYABLE: "Agency commission payable",
    SERVICE_REVENUE: "Service revenue",
    LATE_FEE_REVENUE: "Late-payment fee revenue",
    RECONNECTION_FEE_REVENUE: "Reconnection fee revenue",
    CREDIT_NOTES: "Credit notes and revenue adjustments",
    BAD_DEBT_EXPENSE: "Bad-debt expense",
    BAD_DEBT_RECOVERIES: "Bad-debt recoveries",
    SETTLEMENT_DISCOUNTS: "Settlement discounts given",
    AGENCY_COMMISSION: "Agency commission expense",
    CARD_PROCESSING: "Card-processing cost",
}

COLUMNS = (
    "external_id",
    "journal_date",
    "posting_period",
    "journal_source",
    "line_no",
    "account_code",
    "account_name",
    "debit",
    "credit",
    "currency",
    "fx_rate",
    "tax_code",
    "customer_id",
    "invoice_no",
    "cost_center",
    "department",
    "description",
    "event_type",
)

SOURCE = "COLLECTIONS"

#: A spreadsheet takes a cell that begins so for a formula; OWASP's list.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One account of one journal: a debit or a credit, never both."""

    external_id: str
    on: date
    line_no: int
    code: str
    debit: Decimal | None
    credit: Decimal | None
    currency: str
    customer_ref: str
    source_ref: str
    description: str
    event_type: str

    def cells(self) -> list[str]:
        """In the order of ``COLUMNS``; amounts with the currency's decimals, text that cannot run in a spreadsheet."""
        return [
            harmless(self.external_id),
            self.on.isoformat(),
            f"{self.on:%Y-%m}",
            SOURCE,
            str(self.line_no),
            harmless(self.code),
            harmless(CHART.get(self.code, self.code)),
            "" if self.debit is None else money.plain(self.debit, self.currency),
            "" if self.credit is None else money.plain(self.credit, self.currency),
            self.currency,
            "1",
            "",
            harmless(self.customer_ref),
            harmless(self.source_ref) if self.event_type.startswith("BILL") else "",
            "",
            "",
            harmless(self.description or self._what_happened()),
            harmless(self.event_type),
        ]

    def _what_happened(self) -> str:
        return f"{self.event_type.replace('_', ' ').capitalize()} {self.source_ref}".strip()


@dataclass(kw_only=True)
class ControlTotals:
    """What went out: the receiving ledger compares them with what came in."""

    journals: int = 0
    lines: int = 0
    debit: dict[str, Decimal] = field(default_factory=dict)
    credit: dict[str, Decimal] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        self.lines += 1
        self.journals += line.line_no == 1
        self.debit[line.currency] = self.debit.get(line.currency, Decimal(0)) + (line.debit or Decimal(0))
        self.credit[line.currency] = self.credit.get(line.currency, Decimal(0)) + (line.credit or Decimal(0))

    def sentences(self) -> list[str]:
        """One for the counts, one for each currency."""
        counts = f"{self.journals} journals, {self.lines} lines"
        return [counts] + [
            f"{currency}: debit {money.plain(self.debit[currency], currency)}, "
            f"credit {money.plain(self.credit[currency], currency)}"
            for currency in sorted(self.debit)
        ]


def harmless(text: str) -> str:
    """With an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def lines(*, first: date, last: date) -> Iterator[Line]:
    """The lines of every journal dated ``first`` to ``last``, both included, by day and journal.

    Entries of one journal on the same code and side become one line, debits before credits. Read as one snapshot
    through a server-side cursor, so the memory needed does not grow with the period.
    """
    entries = (
        JournalEntry.objects.filter(on__range=(first, last))
        .order_by("on", "journal_ref", "id")
        .values_list(
            "journal_ref",
            "on",
            "currency",
            "debit_code",
            "credit_code",
            "amount",
            "account__customer__ref",
            "source_ref",
            "description",
            "event_type",
            named=True,
        )
    )
    with transaction.atomic():
        for ref, group in groupby(entries.iterator(chunk_size=2000), key=attrgetter("journal_ref")):
            journal = list(group)
            first_entry = journal[0]
            debits: dict[str, Decimal] = {}
            credits: dict[str, Decimal] = {}
            for entry in journal:
                debits[entry.debit_code] = debits.get(entry.debit_code, Decimal(0)) + entry.amount
                credits[entry.credit_code] = credits.get(entry.credit_code, Decimal(0)) + entry.amount
            sides: list[tuple[str, Decimal | None, Decimal | None]] = [
                *((code, amount, None) for code, amount in debits.items()),
                *((code, None, amount) for code, amount in credits.items()),
            ]
            for line_no, (code, debit, credit) in enumerate(sides, start=1):
                yield Line(
                    external_id=ref,
                    on=first_entry.on,
                    line_no=line_no,
                    code=code,
                    debit=debit,
                    credit=credit,
                    currency=first_entry.currency,
                    customer_ref=first_entry.account__customer__ref,
                    source_ref=first_entry.source_ref,
                    description=first_entry.description,
                    event_type=first_entry.event_type,
                )


def rows(*, first: date, last: date) -> Iterator[list[str]]:
    """``lines`` as cells, without the header."""
    return (line.cells() for line in lines(first=first, last=last))
