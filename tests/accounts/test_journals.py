"""The journal as a file for the general ledger."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts import journals, settling
from accounts.models import Account, Adjustment, Bill, Customer, JournalEntry, Payment

pytestmark = pytest.mark.django_db

MARCH = {"first": date(2026, 3, 1), "last": date(2026, 3, 31)}


@pytest.fixture
def account() -> Account:
    customer = Customer.objects.create(ref="C1", name="Somebody")
    return Account.objects.create(ref="A1", customer=customer, currency="EUR")


def post(account: Account, ref: str, debit: str, credit: str, amount: str, **facts: Any) -> JournalEntry:
    facts.setdefault("on", date(2026, 3, 5))
    facts.setdefault("event_type", "BILL")
    return JournalEntry.objects.create(
        journal_ref=ref,
        account=account,
        debit_code=debit,
        credit_code=credit,
        amount=amount,
        currency=account.currency,
        **facts,
    )


def exported(**period: date) -> list[dict[str, str]]:
    return [dict(zip(journals.COLUMNS, row, strict=True)) for row in journals.rows(**(period or MARCH))]


def test_a_bill_with_tax_is_one_journal_of_three_lines(account: Account) -> None:
    post(account, "J1", "12000", "40000", "100", source_ref="B1")
    post(account, "J1", "12000", "21000", "20", source_ref="B1")
    lines = exported()
    assert [(row["line_no"], row["account_code"], row["debit"], row["credit"]) for row in lines] == [
        ("1", "12000", "120.00", ""),
        ("2", "40000", "", "100.00"),
        ("3", "21000", "", "20.00"),
    ]
    assert lines[0] == {
        "external_id": "J1",
        "journal_date": "2026-03-05",
        "posting_period": "2026-03",
        "journal_source": "COLLECTIONS",
        "line_no": "1",
        "account_code": "12000",
        "account_name": "Accounts receivable",
        "debit": "120.00",
        "credit": "",
        "currency": "EUR",
        "fx_rate": "1",
        "tax_code": "",
        "customer_id": "C1",
        "invoice_no": "B1",
        "cost_center": "",
        "department": "",
        "description": "Bill B1",
        "event_type": "BILL",
    }


def test_only_the_days_asked_for_in_the_order_of_days(account: Account) -> None:
    for ref, day in [("J3", date(2026, 3, 31)), ("J1", date(2026, 2, 28)), ("J2", date(2026, 3, 1))]:
        post(account, ref, "10100", "12000", "5", on=day, event_type="PAYMENT")
    post(account, "J4", "10100", "12000", "5", on=date(2026, 4, 1), event_type="PAYMENT")
    assert [row["external_id"] for row in exported() if row["line_no"] == "1"] == ["J2", "J3"]


def test_a_payment_is_no_invoice(account: Account) -> None:
    post(account, "J1", "10100", "12000", "5", event_type="PAYMENT_REVERSED", source_ref="P9")
    assert exported()[0]["invoice_no"] == ""
    assert exported()[0]["description"] == "Payment reversed P9"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_cell_runs_as_a_formula(account: Account, start: str) -> None:
    post(account, "J1", "12000", "40000", "5", source_ref="-1", description=f"{start}HYPERLINK(1)")
    assert exported()[0]["description"] == f"'{start}HYPERLINK(1)"
    assert exported()[0]["invoice_no"] == "'-1"


def test_amounts_have_the_decimals_of_their_currency(account: Account) -> None:
    account.currency = "KWD"
    post(account, "J1", "12000", "40000", "1.5")
    account.currency = "JPY"
    post(account, "J2", "12000", "40000", "1500")
    assert [row["debit"] for row in exported() if row["debit"]] == ["1.500", "1500"]


def test_what_settling_posts_comes_out_balanced_and_comes_out_again_the_same(account: Account) -> None:
    Bill.objects.create(
        ref="B1",
        account=account,
        amount="120.01",
        tax_amount="20",
        issued_on=date(2026, 3, 1),
        due_on=date(2026, 3, 15),
    )
    Payment.objects.create(ref="P1", account=account, amount="140", received_on=date(2026, 3, 20), bill_ref="B1")
    Adjustment.objects.create(ref="X1", account=account, amount="-3.50", on=date(2026, 3, 21), bill_ref="B1")
    settling.mark_all()
    settling.settle(as_of=date(2026, 3, 31), at=datetime(2026, 3, 31, 12, tzinfo=UTC))
    found = exported()
    balance: dict[str, Decimal] = defaultdict(Decimal)
    for row in found:
        assert (row["debit"] == "") != (row["credit"] == "")
        assert row["account_name"] != row["account_code"]
        balance[row["external_id"]] += Decimal(row["debit"] or 0) - Decimal(row["credit"] or 0)
    assert len(balance) >= 3
    assert set(balance.values()) == {Decimal(0)}
    assert exported() == found


def test_the_command_prints_rfc_4180_and_control_totals(account: Account) -> None:
    post(account, "J1", "12000", "40000", "100", description='said "no", twice')
    post(account, "J1", "12000", "21000", "20")
    post(account, "J2", "10100", "12000", "60", event_type="PAYMENT")
    out, err = StringIO(newline=""), StringIO()
    call_command("export_journals", "--from", "2026-03-01", "--to", "2026-03-31", stdout=out, stderr=err)
    text = out.getvalue()
    assert text.startswith(",".join(journals.COLUMNS) + "\r\n")
    assert text.count("\r\n") == text.count("\n") == 6
    assert '"said ""no"", twice"' in text
    assert len(list(csv.DictReader(StringIO(text)))) == 5
    assert err.getvalue().splitlines() == ["2 journals, 5 lines", "EUR: debit 180.00, credit 180.00"]


def test_the_command_refuses_a_period_that_ends_before_it_begins() -> None:
    with pytest.raises(CommandError) as refusal:
        call_command("export_journals", "--from", "2026-03-02", "--to", "2026-03-01")
    assert refusal.value.returncode == 2
