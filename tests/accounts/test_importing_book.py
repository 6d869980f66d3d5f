from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from accounts.book import BILLS
from accounts.importing.landing import CannotImport, CannotLand, land
from accounts.models import (
    Account,
    AccountEvent,
    Adjustment,
    Bill,
    Consent,
    Customer,
    Hold,
    Payment,
    RejectedRow,
    Service,
    Unsettled,
)
from tests.accounts.bookfolder import ON, BookFolder, counts, rejected

pytestmark = pytest.mark.django_db

BILL = "bill_id,account_id,issued_on,due_on,amount\n"
PAYMENT = "payment_id,account_id,received_on,amount,bill_id,reverses_payment_id\n"


@pytest.fixture
def folder(tmp_path) -> BookFolder:
    folder = BookFolder(tmp_path)
    folder.base()
    return folder


@pytest.fixture
def book(folder) -> BookFolder:
    """The base, already in the book."""
    folder.bring()
    folder.settle()
    return folder


def test_the_first_import_writes_and_the_second_finds_nothing_to_write(folder):
    assert counts(folder.bring()) == {"customers": (2, 2, 0, 0), "accounts": (3, 3, 0, 0), "bills": (2, 2, 0, 0)}
    assert counts(folder.bring()) == {"customers": (2, 0, 2, 0), "accounts": (3, 0, 3, 0), "bills": (2, 0, 2, 0)}


def test_accounts_whose_money_changed_wait_for_settling_in_the_same_transaction(folder):
    folder.bring()
    assert set(Unsettled.objects.values_list("account__ref", flat=True)) == {"A1", "A2"}
    folder.settle()
    assert Account.objects.get(ref="A1").overdue == Decimal("50")
    folder.bring()
    assert not Unsettled.objects.exists()


def test_a_later_file_supersedes_by_difference_and_leaves_what_settling_maintains(book):
    book.only("bills", BILL + "B1,A1,2026-01-01,2026-01-20,40.00\nB2,A2,2026-02-01,2026-02-20,50.00\n")
    assert counts(book.bring()) == {"bills": (2, 1, 1, 0)}
    bill = Bill.objects.get(ref="B1")
    assert (bill.amount, bill.open_amount, bill.posted_amount) == (40, 50, 50)
    book.settle()
    bill.refresh_from_db()
    assert (bill.open_amount, bill.posted_amount) == (40, 40)


def test_a_column_the_file_lacks_says_nothing_and_an_empty_one_says_empty(book):
    book.only("customers", "customer_id,name,phone,country\nC1,Acme,+15550100,US\n")
    book.bring()
    book.only("customers", "customer_id,name,country\nC1,Acme Ltd,\n")
    book.bring()
    customer = Customer.objects.get(ref="C1")
    assert (customer.name, customer.phone, customer.country) == ("Acme Ltd", "+15550100", "")


def test_ten_broken_rows_are_refused_one_by_one_and_good_rows_land(folder):
    folder.write("accounts", "account_id,customer_id,currency\nA1,C1,USD\nA2,C2,XXQ\n")
    folder.write(
        "bills",
        (
            BILL
            + "G1,A1,2026-01-01,2026-01-20,10.00\n"
            + "X1,A1,2026-02-30,2026-03-20,10.00\n"  # 3: no such day
            + "X2,A9,2026-01-01,2026-01-20,10.00\n"  # 4: no such account
            + "X3,A1,2026-01-01,2026-01-20,ten\n"  # 5: text
            + "X4,A1,2026-01-01\n"  # 6: short
            + "G1,A1,2026-01-01,2026-01-20,99.00\n"  # 7: twice
            + "X\0,A1,2026-01-01,2026-01-20,10.00\n"  # 8: NUL
            + f"X5,A1,2026-01-01,{'9' * 1_048_576},10.00\n"  # 9: a megabyte
            + "X6,A1,2026-01-01,2026-01-20,-1.00\n"  # 10: negative
            + "G2,A1,2026-01-01,2026-01-20,0.00\n"
        ).encode(),
    )
    folder.write("payments", PAYMENT + "P1,A1,2026-02-01,5.00,,\nP2,A1,2026-02-02,5.00,,P9\n")

    report = folder.bring()

    assert counts(report) == {
        "customers": (2, 2, 0, 0),
        "accounts": (2, 1, 0, 1),
        "bills": (10, 2, 0, 8),
        "payments": (2, 1, 0, 1),
    }
    assert [(r.file, r.line, r.column, r.value[:12]) for r in report.rejected] == [
        ("accounts.csv", 3, "currency", "XXQ"),
        ("bills.csv", 3, "issued_on", "2026-02-30"),
        ("bills.csv", 4, "account_id", "A9"),
        ("bills.csv", 5, "amount", "ten"),
        ("bills.csv", 6, "due_on", ""),
        ("bills.csv", 7, "bill_id", "G1"),
        ("bills.csv", 8, "bill_id", "X\ufffd"),
        ("bills.csv", 9, "due_on", "9" * 12),
        ("bills.csv", 10, "amount", "-1.00"),
        ("payments.csv", 3, "reverses_payment_id", "P9"),
    ]
    assert all(len(r.value) <= 200 and r.reason for r in report.rejected)
    assert Bill.objects.get(ref="G1").amount == 10
    assert RejectedRow.objects.filter(resolved_at=None).count() == 10


def test_the_same_bad_file_again_piles_nothing_up(folder):
    folder.write("bills", BILL + "X1,A9,2026-01-01,2026-01-20,1.00\nX2,A1,2026-01-01\n")
    folder.bring()
    folder.bring()
    assert RejectedRow.objects.filter(resolved_at=None).count() == 2
    assert RejectedRow.objects.values_list("row", flat=True).get(line=3) == {
        "bill_id": "X2",
        "account_id": "A1",
        "issued_on": "2026-01-01",
        "due_on": None,
        "amount": None,
    }


def test_a_retry_lands_what_has_been_mended_or_has_come_true_and_resolves_it(book):
    book.only("bills", BILL + "B8,A8,2026-01-01,2026-01-20,8.00\nB9,A1,soon,2026-01-20,9.00\nB7,A1,2026\n")
    book.bring()
    assert counts(book.retry()) == {"bills": (3, 0, 0, 3)}

    book.only("accounts", "account_id,customer_id,currency\nA8,C1,USD\n")
    book.bring()
    row = RejectedRow.objects.get(line=3)
    row.row["issued_on"] = "2026-01-01"
    row.save(update_fields=["row"])
    report = book.retry()

    assert counts(report) == {"bills": (3, 2, 0, 1)}
    assert rejected(report) == [(4, "due_on", "the row has 3 fields, the header 5")]
    assert set(Bill.objects.values_list("ref", flat=True)) == {"B1", "B2", "B8", "B9"}
    assert list(RejectedRow.objects.filter(resolved_at=None).values_list("line", flat=True)) == [4]


def test_a_retry_never_lets_the_second_of_two_rows_win(book):
    book.only("bills", BILL + "B5,A1,2026-01-01,2026-01-20,5.00\nB5,A1,2026-01-01,2026-01-20,6.00\n")
    book.bring()
    assert counts(book.retry()) == {"bills": (1, 0, 0, 1)}
    assert Bill.objects.get(ref="B5").amount == 5


def test_a_later_file_with_the_same_id_closes_the_rejection_so_that_a_retry_brings_back_no_old_news(book):
    book.only("bills", BILL + "B8,A1,soon,2026-01-20,8.00\n")
    book.bring()
    book.only("bills", BILL + "B8,A1,2026-01-01,2026-01-20,7.00\n")
    book.bring()
    assert not RejectedRow.objects.filter(resolved_at=None).exists()
    assert book.retry().files == []


def test_the_same_row_twice_is_unchanged_the_second_time(folder):
    folder.write("bills", BILL + "B1,A1,2026-01-01,2026-01-20,5.0\nB1,A1,2026-01-01,2026-01-20,5.00\n")
    assert counts(folder.bring())["bills"] == (2, 1, 1, 0)


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("bill_id,account_id,issued_on,due_on", "amount"),
        ("bill_id,account_id,issued_on,due_on,amount,colour", "colour"),
        ("bill_id,account_id,issued_on,due_on,amount,amount", "amount"),
    ],
)
def test_a_wrong_header_refuses_the_file_and_the_others_go_on(folder, header, column):
    folder.write("bills", header + "\n" + ",".join("1" * len(header.split(","))) + "\n")
    folder.write("payments", PAYMENT + "P1,A1,2026-02-01,5.00,,\n")
    report = folder.bring()
    assert [(r.file, r.line, r.column) for r in report.rejected] == [("bills.csv", 1, column)]
    assert not Bill.objects.exists()
    assert Payment.objects.count() == 1


def test_a_dry_run_reports_the_same_and_keeps_nothing(folder):
    folder.write("payments", PAYMENT + "P1,A1,2026-02-01,5.00,,\nP2,A9,2026-02-01,5.00,,\n")
    report = folder.bring(dry_run=True)
    assert counts(report)["payments"] == (2, 1, 0, 1)
    assert not Customer.objects.exists()
    assert not RejectedRow.objects.exists()
    assert counts(folder.bring()) == counts(report)


def test_a_folder_without_a_file_of_the_book_or_no_folder_is_refused(folder, tmp_path):
    folder.only("weather", "a\n")
    with pytest.raises(CannotImport, match="no file of the book"):
        folder.bring()
    folder.path = tmp_path / "nowhere"
    with pytest.raises(CannotImport, match="cannot be read"):
        folder.bring()


def test_more_rows_than_a_chunk_keep_their_lines(folder):
    rows = [f"N{number},A1,2026-01-01,2026-01-20,1.00" for number in range(5_100)]
    rows[5_050] = "N5050,A1,2026-01-01,2026-01-20,one"
    folder.write("bills", BILL + "\n".join(rows) + "\n")
    report = folder.bring()
    assert counts(report)["bills"] == (5_100, 5_099, 0, 1)
    assert rejected(report) == [(5_052, "amount", "is not an amount such as 1234.50")]


class TestAccounts:
    def test_a_status_is_taken_for_a_new_account_only(self, book):
        header = "account_id,customer_id,currency,status,stage,warned_on\n"
        book.only("accounts", header + "A3,C1,USD,collections,final,2026-02-01\nA1,C1,USD,agency,,\n")
        book.bring()
        taken = Account.objects.get(ref="A3")
        assert (taken.status, taken.taken_over_stage, taken.taken_over_warned_on) == (
            "collections",
            "final",
            date(2026, 2, 1),
        )
        assert Account.objects.get(ref="A1").status == "overdue"

    def test_the_currency_changes_only_while_there_is_no_money(self, book):
        book.only("accounts", "account_id,customer_id,currency\nA1,C1,EUR\nJ1,C2,EUR\n")
        assert rejected(book.bring()) == [(2, "currency", "the account has money in another currency")]
        assert Account.objects.get(ref="J1").currency == "EUR"

    def test_parents_may_stand_anywhere_in_the_file_or_in_the_book(self, book):
        header = "account_id,customer_id,currency,parent_account_id\n"
        book.only("accounts", header + "K1,C1,USD,K2\nK2,C1,USD,A1\nK3,C1,USD,K9\n")
        report = book.bring()
        assert counts(report)["accounts"] == (3, 2, 0, 1)
        assert Account.objects.get(ref="K1").parent.parent.ref == "A1"
        assert counts(book.bring())["accounts"] == (3, 0, 2, 1)

    def test_no_account_becomes_its_own_ancestor(self, book):
        header = "account_id,customer_id,currency,parent_account_id\n"
        book.only("accounts", header + "A2,C2,USD,A1\n")
        book.bring()
        book.only("accounts", header + "A1,C1,USD,A2\nK1,C1,USD,K2\nK2,C1,USD,K1\nK3,C1,USD,K3\n")
        assert [line for line, column, _ in rejected(book.bring()) if column == "parent_account_id"] == [2, 3, 4, 5]

    def test_a_parent_that_is_refused_takes_its_child_with_it(self, book):
        header = "account_id,customer_id,currency,parent_account_id\n"
        book.only("accounts", header + "K1,C1,USD,K2\nK2,C1,USD,K3\nK3,C9,USD,\n")
        assert [line for line, _, _ in rejected(book.bring())] == [2, 3, 4]


class TestServices:
    def test_a_status_seeds_a_new_service_and_is_a_report_afterwards(self, book):
        header = "service_id,account_id,kind,status\n"
        book.only("services", header + "S1,A1,mobile,suspended\nS2,A1,tv,\n")
        book.bring()
        book.only("services", header + "S1,A1,mobile,active\nS2,A1,tv,\n")
        assert counts(book.bring()) == {"services": (2, 1, 1, 0)}
        assert list(Service.objects.order_by("ref").values_list("status", "reported_status")) == [
            ("suspended", "active"),
            ("active", ""),
        ]


class TestMoney:
    def test_a_bill_keeps_its_account(self, book):
        book.only("bills", BILL + "B1,A2,2026-01-01,2026-01-20,50.00\n")
        assert rejected(book.bring()) == [(2, "account_id", "differs from what the book has; a bill keeps it")]

    def test_tax_and_essential_amount_are_parts_of_the_bill(self, book):
        header = "bill_id,account_id,issued_on,due_on,amount,tax_amount,essential_amount\n"
        row = "2026-01-01,2026-01-20,10.00"
        book.only("bills", header + f"B3,A1,{row},10.01,\nB4,A1,{row},10.00,10.00\nB5,A1,{row},,11\n")
        assert [found[:2] for found in rejected(book.bring())] == [(2, "tax_amount"), (4, "essential_amount")]

    def test_amounts_have_the_decimals_of_the_account_they_belong_to(self, book):
        book.only("bills", BILL + "B3,A1,2026-01-01,2026-01-20,10.55\nB4,J1,2026-01-01,2026-01-20,10.55\n")
        assert [found[:2] for found in rejected(book.bring())] == [(3, "amount")]

    def test_money_may_name_a_bill_to_come_but_not_one_of_another_account(self, book):
        book.only("payments", PAYMENT + "P1,A1,2026-02-01,5.00,B77,\nP2,A1,2026-02-01,5.00,B2,\n")
        assert rejected(book.bring()) == [(3, "bill_id", "is a bill of another account")]
        assert Payment.objects.get().bill_ref == "B77"

    def test_reversals_take_back_at_most_what_is_left_counted_in_the_order_of_the_lines(self, book):
        book.only(
            "payments",
            PAYMENT
            + "R1,A1,2026-02-03,6.00,,P1\n"  # before the payment it names
            + "P1,A1,2026-02-01,10.00,,\n"
            + "R2,A1,2026-02-04,6.00,,P1\n"
            + "R3,A1,2026-02-05,4.00,,P1\n"
            + "R4,A2,2026-02-05,1.00,,P1\n"
            + "R5,A1,2026-02-05,1.00,,R1\n",
        )
        report = book.bring()
        assert [found[:2] for found in rejected(report)] == [
            (4, "amount"),
            (6, "reverses_payment_id"),
            (7, "reverses_payment_id"),
        ]
        assert "(4)" in rejected(report)[0][2]
        assert set(Payment.objects.filter(reverses__ref="P1").values_list("ref", flat=True)) == {"R1", "R3"}

        book.only(
            "payments", PAYMENT + "R6,A1,2026-02-06,0.01,,P1\nP1,A1,2026-02-01,9.99,,\nR3,A1,2026-02-05,3.99,,P1\n"
        )
        assert [found[:2] for found in rejected(book.bring())] == [(3, "amount")]
        assert set(Payment.objects.filter(reverses__ref="P1").values_list("ref", "amount")) == {
            ("R1", Decimal("6")),
            ("R3", Decimal("3.99")),
            ("R6", Decimal("0.01")),
        }

    def test_a_debit_names_its_bill_and_nothing_is_adjusted_by_nothing(self, book):
        header = "adjustment_id,account_id,on,amount,bill_id,dispute_id,fee_id\n"
        book.only(
            "adjustments",
            header
            + "D1,A1,2026-02-01,5.00,,,\nD2,A1,2026-02-01,5.00,B1,,desk-f1\nD3,A1,2026-02-01,-5.00,,desk-d1,\n"
            + "D4,A1,2026-02-01,0.00,B1,,\nD5,A1,2026-02-01,1.00,B2,,\n",
        )
        assert [found[:2] for found in rejected(book.bring())] == [(2, "bill_id"), (5, "amount"), (6, "bill_id")]
        assert list(Adjustment.objects.order_by("ref").values_list("ref", "kind", "dispute_ref", "fee_ref")) == [
            ("D2", "billing", "", "desk-f1"),
            ("D3", "billing", "desk-d1", ""),
        ]


class TestHoldsAndConsents:
    def test_a_manual_hold_stops_everything_and_a_payment_in_flight_seven_days_at_most(self, book):
        header = "hold_id,account_id,reason,starts_on,ends_on,note\n"
        book.only(
            "holds",
            header
            + "H1,A1,manual,2026-03-01,,on request\nH2,A1,payment_in_flight,2026-03-01,2026-04-01,\n"
            + "H3,A1,legal,2026-03-02,2026-03-01,\ndesk-1,A1,legal,2026-03-02,,\n",
        )
        report = book.bring()
        assert [found[:2] for found in rejected(report)] == [(4, "ends_on"), (5, "hold_id")]
        manual, in_flight = Hold.objects.order_by("ref")
        assert set(manual.stops) == {"notices", "calls", "fees", "limits", "transfers"}
        assert not manual.stops_clock
        assert in_flight.ends_on == date(2026, 3, 8)
        assert AccountEvent.objects.filter(kind="accounts.hold.placed", account__ref="A1").count() == 2
        assert counts(book.bring())["holds"] == (4, 0, 2, 2)
        assert AccountEvent.objects.filter(kind="accounts.hold.placed").count() == 2

    def test_a_dispute_without_an_amount_contests_all_that_is_owed(self, book):
        book.only("holds", "hold_id,account_id,reason,starts_on\nH1,A1,dispute,2026-03-01\n")
        book.bring()
        book.settle()
        account = Account.objects.get(ref="A1")
        assert (account.overdue, account.disputed) == (0, 50)

    def test_a_consent_is_named_by_customer_channel_and_moment(self, book):
        header = "customer_id,channel,given,at,source\n"
        book.only(
            "consents",
            header
            + "C1,sms,true,2026-01-01T09:00:00Z,form\n"
            + "C1,sms,false,2026-01-01T10:00:00+01:00,form\n"  # the same moment
            + "C1,sms,false,2026-01-02T10:00:00Z,call\n",
        )
        report = book.bring()
        assert [found[:2] for found in rejected(report)] == [(3, "customer_id")]
        assert counts(book.bring())["consents"] == (3, 0, 2, 1)
        assert Consent.objects.count() == 2


class TestLand:
    ROW = {"bill_id": "B9", "account_id": "A1", "issued_on": "2026-01-01", "due_on": "2026-01-20", "amount": "9.00"}

    def test_a_list_lands_by_the_same_rules_and_names_the_accounts_to_settle(self, book):
        landing = land(BILLS, [self.ROW], on=ON, at=book.at, actor="api:billing")
        assert (landing.rows, landing.written, landing.unchanged) == (1, 1, 0)
        assert landing.account_ids == [Account.objects.get(ref="A1").pk]
        again = land(BILLS, [self.ROW], on=ON, at=book.at, actor="api:billing")
        assert (again.written, again.unchanged, again.account_ids) == (0, 1, [])

    def test_all_or_nothing_writes_nothing_and_tells_every_error_by_its_index(self, book):
        rows = [self.ROW, self.ROW | {"bill_id": "B10", "amount": "ten"}, self.ROW | {"bill_id": "B11", "due_on": None}]
        with pytest.raises(CannotLand) as refused:
            land(BILLS, rows, on=ON, at=book.at, actor="api:billing")
        assert [(r.line, r.column) for r in refused.value.rejections] == [(1, "amount"), (2, "due_on")]
        assert not Bill.objects.filter(ref__in=["B9", "B10", "B11"]).exists()
        assert not RejectedRow.objects.exists()

    def test_without_it_good_rows_land_beside_bad_ones(self, book):
        rows = [self.ROW, self.ROW | {"bill_id": "B10", "amount": 1.5}]
        landing = land(BILLS, rows, on=ON, at=book.at, actor="api:billing", all_or_nothing=False)
        assert (landing.written, [r.line for r in landing.rejections]) == (1, [1])

    @pytest.mark.parametrize("row", [ROW | {"colour": "red"}, {"bill_id": "B9"}, {}])
    def test_unknown_and_missing_columns_are_refused(self, book, row):
        with pytest.raises(CannotLand):
            land(BILLS, [row], on=ON, at=book.at, actor="api:billing")
