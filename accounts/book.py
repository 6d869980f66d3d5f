"""The files this room takes: customers, accounts, services, money, contacts, consents, holds, vulnerabilities."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.db import connection

from accounts import events
from accounts.importing import columns
from accounts.importing.spec import Check, Column, FileSpec, Into, Landed, row_check
from accounts.models import (
    Account,
    Adjustment,
    Bill,
    Consent,
    ContactPoint,
    Customer,
    Hold,
    Payment,
    Service,
    Vulnerability,
)
from accounts.models.account import AccountStatus, ServiceStatus

CUSTOMERS = FileSpec(
    file="customers.csv",
    model=Customer,
    key=("customer_id",),
    columns=(
        Column("customer_id", columns.NEW_ID, required=True, into="ref"),
        Column("name", columns.text(200), required=True),
        Column("kind", columns.one_of(Customer.Kind.values)),
        Column("language", columns.LANGUAGE),
        Column("timezone", columns.TIME_ZONE),
        Column("country", columns.COUNTRY),
        Column("region", columns.text(64)),
        Column("city", columns.text(120)),
        Column("postal_code", columns.text(20)),
        Column("address", columns.text(400)),
        Column("email", columns.text(254)),
        Column("phone", columns.text(40)),
        Column("birth_date", columns.DATE),
    ),
    prepares=(
        # Where their clock is and what they speak, the customer knows better than billing.
        "UPDATE stage s SET timezone = t.timezone FROM accounts_customer t "
        "WHERE t.ref = s.customer_id AND t.timezone_stated_on IS NOT NULL",
        "UPDATE stage s SET language = t.language FROM accounts_customer t "
        "WHERE t.ref = s.customer_id AND t.language_stated_on IS NOT NULL",
    ),
)

_HAS_MONEY = """(EXISTS (SELECT 1 FROM accounts_bill m WHERE m.account_id = t.id)
    OR EXISTS (SELECT 1 FROM accounts_payment m WHERE m.account_id = t.id)
    OR EXISTS (SELECT 1 FROM accounts_adjustment m WHERE m.account_id = t.id)
    OR EXISTS (SELECT 1 FROM accounts_fee m WHERE m.account_id = t.id)
    OR EXISTS (SELECT 1 FROM accounts_hold m WHERE m.account_id = t.id AND m.amount IS NOT NULL))"""

#: From each account of the file up through its parents, as they would be once the file is in.
_OWN_ANCESTOR = """
    WITH RECURSIVE up (line, start, at) AS (
        SELECT s.line, s.account_id, s.parent_account_id FROM stage s WHERE s.parent_account_id IS NOT NULL
        UNION
        SELECT up.line, up.start, coalesce(s.parent_account_id, book.ref)
          FROM up
          LEFT JOIN stage s ON s.account_id = up.at
          LEFT JOIN accounts_account t ON t.ref = up.at AND s.line IS NULL
          LEFT JOIN accounts_account book ON book.id = t.parent_id
         WHERE up.at <> up.start AND coalesce(s.parent_account_id, book.ref) IS NOT NULL
    )
    SELECT line FROM up WHERE at = start
"""

ACCOUNTS = FileSpec(
    file="accounts.csv",
    model=Account,
    key=("account_id",),
    columns=(
        Column("account_id", columns.NEW_ID, required=True, into="ref"),
        Column("customer_id", columns.ID, required=True, refers_to=Customer),
        Column("currency", columns.CURRENCY, required=True),
        Column("opened_on", columns.DATE),
        Column("closed_on", columns.DATE),
        Column("product", columns.text(60)),
        Column("payment_method", columns.text(40)),
        Column("segment", columns.text(60)),
        Column("parent_account_id", columns.ID, refers_to=Account, into="parent_id"),
        Column("pays_itself", columns.BOOLEAN),
        Column("status", columns.one_of(AccountStatus.values), into=Into.NOWHERE, seeds="status"),
        Column("stage", columns.text(60), into="taken_over_stage"),
        Column("warned_on", columns.DATE, into="taken_over_warned_on"),
    ),
    checks=(
        Check(
            "currency",
            "the account has money in another currency",
            "SELECT s.line FROM stage s JOIN accounts_account t ON t.ref = s.account_id "
            f"WHERE t.currency <> s.currency AND {_HAS_MONEY}",
        ),
        row_check("parent_account_id", "an account is not its own parent", "s.parent_account_id = s.account_id"),
        Check("parent_account_id", "the account would be among its own ancestors", _OWN_ANCESTOR),
    ),
    # Settling closes what was left with nothing owed.
    settles="t.closed_on IS NOT NULL",
)

SERVICES = FileSpec(
    file="services.csv",
    model=Service,
    key=("service_id",),
    columns=(
        Column("service_id", columns.NEW_ID, required=True, into="ref"),
        Column("account_id", columns.ID, required=True, refers_to=Account),
        Column("kind", columns.one_of(Service.Kind.values), required=True),
        Column("number", columns.text(40)),
        # The network's word: where a new service stands, and what is compared with ours afterwards.
        Column("status", columns.one_of(ServiceStatus.values), into="reported_status", seeds="status"),
        Column("protected", columns.BOOLEAN),
        Column("monthly_fee", columns.amount(at_least=0)),
    ),
    fixed=("account_id",),
)

BILLS = FileSpec(
    file="bills.csv",
    model=Bill,
    key=("bill_id",),
    columns=(
        Column("bill_id", columns.NEW_ID, required=True, into="ref"),
        Column("account_id", columns.ID, required=True, refers_to=Account),
        Column("issued_on", columns.DATE, required=True),
        Column("due_on", columns.DATE, required=True),
        Column("amount", columns.amount(at_least=0), required=True),
        Column("tax_amount", columns.amount(at_least=0)),
        Column("status", columns.one_of(Bill.Status.values)),
        Column("essential_amount", columns.amount(at_least=0)),
        Column("cancelled_on", columns.DATE),
    ),
    fixed=("account_id",),
    checks=(
        row_check("tax_amount", "is more than the bill's amount", "s.tax_amount > s.amount"),
        row_check("essential_amount", "is more than the bill's amount", "s.essential_amount > s.amount"),
    ),
    settles=True,
)

_OF_ANOTHER_ACCOUNT = Check(
    "bill_id",
    "is a bill of another account",
    "SELECT s.line FROM stage s JOIN accounts_bill b ON b.ref = s.bill_id WHERE b.account_id <> s.account_id",
)

#: Of a reversal (``s``) the payment it names: the file's (``o``), else the book's (``p``).
_NAMED = """stage s LEFT JOIN stage o ON o.payment_id = s.reverses_payment_id
    LEFT JOIN accounts_payment p ON p.ref = s.reverses_payment_id"""

_REVERSALS = f"""
    SELECT s.line, s.reverses_payment_id, s.amount, coalesce(o.amount, p.amount) - coalesce((
               SELECT sum(r.amount) FROM accounts_payment r WHERE r.reverses_id = p.id
                  AND NOT EXISTS (SELECT 1 FROM stage x WHERE x.payment_id = r.ref)), 0)
      FROM {_NAMED}
     WHERE s.reverses_payment_id IS NOT NULL AND (s.reverses_payment_id, s.line) > (%s, %s)
     ORDER BY s.reverses_payment_id, s.line LIMIT %s
"""
_BATCH = 5_000


def _over_reversed() -> Iterator[tuple[int, str, str]]:
    """Reversals that take back more than is left of their payment, counted in the order of the lines.

    Other reversals of the book count first; one that the file states anew counts as the file says.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM stage WHERE reverses_payment_id IS NOT NULL)")
        if cursor.fetchone() == (False,):
            return
        cursor.execute("CREATE INDEX IF NOT EXISTS stage_payment ON stage (payment_id)")
        cursor.execute(
            "CREATE INDEX IF NOT EXISTS stage_reversed ON stage (reverses_payment_id, line) "
            "WHERE reverses_payment_id IS NOT NULL"
        )
    payment, line, left = "", -1, Decimal(0)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_REVERSALS, [payment, line, _BATCH])
            batch = cursor.fetchall()
        if not batch:
            return
        for line, named, amount, available in batch:
            if named != payment:
                payment, left = named, available
            if amount <= left:
                left -= amount
            else:
                yield line, "amount", f"takes back more than what is left of the payment ({left.normalize():f})"


PAYMENTS = FileSpec(
    file="payments.csv",
    model=Payment,
    key=("payment_id",),
    columns=(
        Column("payment_id", columns.NEW_ID, required=True, into="ref"),
        Column("account_id", columns.ID, required=True, refers_to=Account),
        Column("received_on", columns.DATE, required=True),
        Column("amount", columns.amount(above=0), required=True),
        Column("method", columns.text(40)),
        # Not a reference: the bill may not have been issued yet, and the money waits for it.
        Column("bill_id", columns.ID, into="bill_ref"),
        Column("reverses_payment_id", columns.ID, refers_to=Payment, into="reverses_id"),
    ),
    fixed=("account_id",),
    checks=(
        _OF_ANOTHER_ACCOUNT,
        Check(
            "amount",
            "is less than what was taken back of the payment",
            "SELECT s.line FROM stage s JOIN accounts_payment p ON p.ref = s.payment_id WHERE s.amount < p.amount "
            "AND s.amount < (SELECT sum(r.amount) FROM accounts_payment r WHERE r.reverses_id = p.id)",
        ),
        Check(
            "reverses_payment_id",
            "is a payment of another account",
            f"SELECT s.line FROM {_NAMED} WHERE s.reverses_payment_id IS NOT NULL "
            "AND coalesce(o.account_id, p.account_id) <> s.account_id",
        ),
        Check(
            "reverses_payment_id",
            "is itself a reversal",
            f"SELECT s.line FROM {_NAMED} WHERE s.reverses_payment_id IS NOT NULL "
            "AND CASE WHEN o.line IS NULL THEN p.reverses_id IS NOT NULL ELSE o.reverses_payment_id IS NOT NULL END",
        ),
    ),
    judges=_over_reversed,
    settles=True,
)

ADJUSTMENTS = FileSpec(
    file="adjustments.csv",
    model=Adjustment,
    key=("adjustment_id",),
    columns=(
        Column("adjustment_id", columns.NEW_ID, required=True, into="ref"),
        Column("account_id", columns.ID, required=True, refers_to=Account),
        Column("on", columns.DATE, required=True),
        Column("amount", columns.amount(), required=True),
        Column("bill_id", columns.ID, into="bill_ref"),
        Column("reason", columns.text(200)),
        Column("dispute_id", columns.ID, into="dispute_ref"),
        Column("fee_id", columns.ID, into="fee_ref"),
    ),
    fixed=("account_id",),
    checks=(
        row_check("amount", "is zero", "s.amount = 0"),
        row_check("bill_id", "a debit (a positive amount) must name its bill", "s.amount > 0 AND s.bill_id IS NULL"),
        _OF_ANOTHER_ACCOUNT,
    ),
    settles=True,
)

CONTACTS = FileSpec(
    file="contacts.csv",
    model=ContactPoint,
    key=("contact_id",),
    columns=(
        Column("contact_id", columns.NEW_ID, required=True, into="ref"),
        Column("customer_id", columns.ID, required=True, refers_to=Customer),
        Column("kind", columns.one_of(ContactPoint.Kind.values), required=True),
        Column("value", columns.text(400), required=True),
        Column("use", columns.one_of(ContactPoint.Use.values)),
        Column("line_type", columns.one_of(ContactPoint.Line.values), into="line"),
        Column("source", columns.one_of(ContactPoint.Source.values)),
        Column("shared", columns.BOOLEAN),
        Column("permitted", columns.BOOLEAN),
        Column("preferred", columns.BOOLEAN),
        Column("valid_from", columns.DATE),
        Column("valid_to", columns.DATE),
    ),
    fixed=("customer_id",),
    checks=(row_check("valid_to", "is before valid_from", "s.valid_to < s.valid_from"),),
)

CONSENTS = FileSpec(
    file="consents.csv",
    model=Consent,
    key=("customer_id", "channel", "purpose", "value", "at"),
    columns=(
        Column("customer_id", columns.ID, required=True, refers_to=Customer),
        Column("channel", columns.one_of(Consent.Channel.values), required=True),
        Column("purpose", columns.one_of(Consent.Purpose.values)),
        Column("value", columns.text(254)),
        Column("given", columns.BOOLEAN, required=True),
        Column("at", columns.MOMENT, required=True),
        Column("until", columns.MOMENT),
        Column("source", columns.text(120)),
        Column("evidence", columns.text(1000)),
    ),
    checks=(
        row_check(
            "until",
            "only what is given ends of itself, and after it began",
            "s.until IS NOT NULL AND (NOT s.given OR s.until <= s.at)",
        ),
    ),
    prepares=(
        # Who says no more speaks of the bills, on the whole channel.
        f"UPDATE stage SET purpose = coalesce(purpose, '{Consent.Purpose.SERVICE}'), value = coalesce(value, '') "
        "WHERE purpose IS NULL OR value IS NULL",
    ),
)


def _tell_of_holds(landed: Landed) -> None:
    """The events of holds that came by file; what a hold stops, it stops from this moment on."""
    last = 0
    while True:
        holds = list(
            Hold.objects.extra(tables=["landed"], where=["landed.id = accounts_hold.id AND landed.inserted"])
            .filter(pk__gt=last)
            .order_by("pk")[:_BATCH]
        )
        if not holds:
            return
        events.record_many(
            [
                events.EventRow(
                    account_id=hold.account_id,
                    kind=events.HOLD_PLACED,
                    actor=landed.actor,
                    at=landed.at,
                    on=landed.on,
                    reason=hold.reason,
                    payload={"hold": hold.ref, "starts_on": hold.starts_on, "ends_on": hold.ends_on},
                    react=True,
                )
                for hold in holds
            ]
        )
        last = holds[-1].pk


HOLDS = FileSpec(
    file="holds.csv",
    model=Hold,
    key=("hold_id",),
    columns=(
        Column("hold_id", columns.NEW_ID, required=True, into="ref"),
        Column("account_id", columns.ID, required=True, refers_to=Account),
        Column("reason", columns.one_of(Hold.Reason.values), required=True),
        Column("starts_on", columns.DATE, required=True),
        Column("ends_on", columns.DATE),
        Column("note", columns.text(1000)),
    ),
    fixed=("account_id",),
    checks=(row_check("ends_on", "is before starts_on", "s.ends_on < s.starts_on"),),
    prepares=(
        # A payment in flight holds seven days at most, whatever its file hopes.
        "UPDATE stage SET ends_on = least(ends_on, starts_on + 7) "
        "WHERE reason = 'payment_in_flight' AND (ends_on IS NULL OR ends_on > starts_on + 7)",
    ),
    derived={
        "placed_by": "'import'",
        # What nobody ticked because it came by file stops everything; its clock runs.
        "stops": "CASE WHEN s.reason = 'manual' THEN ARRAY['notices', 'calls', 'fees', 'limits', 'transfers']"
        "::varchar[] ELSE '{}' END",
    },
    settles=True,
    after=_tell_of_holds,
)

VULNERABILITIES = FileSpec(
    file="vulnerabilities.csv",
    model=Vulnerability,
    key=("customer_id", "category", "noted_on"),
    columns=(
        Column("customer_id", columns.ID, required=True, refers_to=Customer),
        Column("category", columns.text(60), required=True),
        Column("severity", columns.one_of(Vulnerability.Severity.values)),
        Column("noted_on", columns.DATE, required=True),
        Column("review_on", columns.DATE),
        Column("note", columns.text(1000)),
    ),
)
