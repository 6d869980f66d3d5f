"""The demo book is what its documentation says, by a reading of the files that shares no code with the writer."""

from __future__ import annotations

import csv
import re
import tracemalloc
from collections import Counter, defaultdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from accounts import wishes
from accounts.models import Consent, ContactPreference, Representative, UnreachableAddress, Vulnerability
from agents import approvals, calls, complaint_desk
from agents.models import Agent, Complaint, Delegation, KpiTarget, Snapshot, TeamMessage
from collections_desk.demo import loading, rulings, voices
from collections_desk.demo.book import write_book
from dunning import decide, deliver, understanding
from dunning.models import (
    ContactHabit,
    GateDecision,
    InboundMessage,
    MarketPacks,
    Notice,
    NoticeText,
    PackChange,
    ServiceOrder,
)
from dunning.roads import roads_from_settings

AS_OF = date(2026, 5, 18)
ACCOUNTS = 2000
POLICIES = Path(__file__).parents[2] / "collections_desk" / "demo" / "policies"

Rows = list[dict[str, str]]
Book = dict[str, Rows]

# file -> columns, required ones with a star: the form of the book as operators are told it
FORM = {
    "customers": (
        "customer_id* name* kind language timezone country region city postal_code address email phone birth_date"
    ),
    "accounts": (
        "account_id* customer_id* currency* opened_on closed_on product payment_method segment parent_account_id"
        " pays_itself status stage warned_on"
    ),
    "services": "service_id* account_id* kind* number status protected monthly_fee",
    "bills": "bill_id* account_id* issued_on* due_on* amount* tax_amount status essential_amount cancelled_on",
    "payments": "payment_id* account_id* received_on* amount* method bill_id reverses_payment_id",
    "adjustments": "adjustment_id* account_id* on* amount* bill_id reason dispute_id fee_id",
    "contacts": "contact_id* customer_id* kind* value* preferred valid_from valid_to",
    "consents": "customer_id* channel* purpose given* at* source evidence",
    "holds": "hold_id* account_id* reason* starts_on* ends_on note",
    "disputes": "dispute_id* account_id* amount* opened_on* bill_id resolved_on outcome note",
    "promises": "promise_id* account_id* amount* due_on* made_on*",
    "plans": "plan_id* account_id* made_on* instalments* bill_ids",
    "interactions": "interaction_id* account_id* at* kind* direction* disposition number duration_seconds note",
    "vulnerabilities": "customer_id* category* severity noted_on* review_on note",
    "placements": "placement_id* account_id* agency* amount* placed_on* recalled_on",
}
ALLOWED = {
    ("customers", "kind"): "residential business",
    ("customers", "language"): "en es de hi fr ar",
    ("customers", "timezone"): (
        "America/New_York America/Chicago America/Los_Angeles Europe/Madrid Europe/Berlin Europe/London Europe/Paris"
        " Asia/Kolkata Asia/Dubai"
    ),
    ("customers", "country"): "US ES DE IN GB FR AE",
    ("accounts", "currency"): "USD EUR INR GBP AED",
    ("accounts", "segment"): "gentle high_value standard new",
    ("services", "kind"): "mobile fixed broadband tv other",
    ("services", "status"): "active suspended disconnected",
    ("bills", "status"): "issued cancelled",
    ("contacts", "kind"): "email phone address",
    ("consents", "channel"): "call sms email",
    ("consents", "purpose"): "electronic",
    ("vulnerabilities", "category"): " ".join(wishes.CATEGORIES),
    ("holds", "reason"): (
        "hardship breathing_space vulnerability_review bankruptcy deceased legal fraud payment_in_flight manual"
    ),
    ("disputes", "outcome"): "upheld rejected withdrawn",
    ("interactions", "kind"): "call",
    ("interactions", "direction"): "inbound outbound",
    ("interactions", "disposition"): (
        "no_answer busy voicemail wrong_number rpc_promise rpc_plan rpc_dispute rpc_hardship rpc_refused rpc_callback"
        " rpc_already_paid third_party"
    ),
    ("vulnerabilities", "severity"): "low medium high",
    **dict.fromkeys(
        (("accounts", "pays_itself"), ("services", "protected"), ("contacts", "preferred"), ("consents", "given")),
        "true false",
    ),
}
MONEY = {"amount", "tax_amount", "essential_amount", "monthly_fee"}


def read(directory: Path) -> Book:
    book = {}
    for path in sorted(directory.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            book[path.stem] = list(csv.DictReader(file, strict=True))
    return book


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("demo") / "book"
    write_book(directory, accounts=ACCOUNTS, as_of=AS_OF)
    return directory


@pytest.fixture(scope="module")
def book(folder: Path) -> Book:
    return read(folder)


class Ledger:
    """The money of one account, allocated plainly: to the bill named, else to the oldest due."""

    def __init__(self, bills: Rows, payments: Rows, adjustments: Rows, disputes: Rows) -> None:
        self.bills, self.payments, self.adjustments, self.disputes = bills, payments, adjustments, disputes

    def open_on(self, day: date) -> tuple[dict[str, Decimal], Decimal]:
        """Open amount by bill, and money that found no bill, as of `day`."""
        today = day.isoformat()
        left = {
            bill["bill_id"]: Decimal(bill["amount"])
            for bill in sorted(self.bills, key=lambda bill: bill["due_on"])
            if bill["issued_on"] <= today and not (bill["cancelled_on"] and bill["cancelled_on"] <= today)
        }
        for adjustment in self.adjustments:
            if adjustment["on"] <= today:
                left[adjustment["bill_id"]] += Decimal(adjustment["amount"])
        contested = self.contested_on(day)
        gone = {row["reverses_payment_id"] for row in self.payments if row["received_on"] <= today} - {""}
        good = [
            row
            for row in self.payments
            if row["received_on"] <= today and not row["reverses_payment_id"] and row["payment_id"] not in gone
        ]
        spare = Decimal(0)
        for row in good:
            taken = min(Decimal(row["amount"]), left.get(row["bill_id"], Decimal(0)))
            if taken:
                left[row["bill_id"]] -= taken
            spare += Decimal(row["amount"]) - taken
        for floor in (contested, defaultdict[str, Decimal](Decimal)):
            for bill_id in left:
                taken = max(Decimal(0), min(spare, left[bill_id] - floor[bill_id]))
                left[bill_id] -= taken
                spare -= taken
        return left, spare

    def contested_on(self, day: date) -> defaultdict[str, Decimal]:
        today, contested = day.isoformat(), defaultdict[str, Decimal](Decimal)
        for dispute in self.disputes:
            if dispute["opened_on"] <= today and not (dispute["resolved_on"] and dispute["resolved_on"] <= today):
                contested[dispute["bill_id"]] += Decimal(dispute["amount"])
        return contested

    def past_due_on(self, day: date) -> tuple[Decimal, int]:
        """What is past due and undisputed, and for how many days the oldest of it."""
        left, _ = self.open_on(day)
        contested = self.contested_on(day)
        total, oldest = Decimal(0), day
        for bill in self.bills:
            due = date.fromisoformat(bill["due_on"])
            owed = left.get(bill["bill_id"], Decimal(0)) - contested[bill["bill_id"]]
            if owed > 0 and due < day:
                total, oldest = total + owed, min(oldest, due)
        return total, (day - oldest).days


def ledgers(book: Book) -> dict[str, Ledger]:
    grouped: dict[str, dict[str, Rows]] = {name: defaultdict(list) for name in FORM}
    for name in ("bills", "payments", "adjustments", "disputes"):
        for row in book[name]:
            grouped[name][row["account_id"]].append(row)
    return {
        account["account_id"]: Ledger(
            *(grouped[name][account["account_id"]] for name in ("bills", "payments", "adjustments", "disputes"))
        )
        for account in book["accounts"]
    }


@pytest.fixture(scope="module")
def by_account(book: Book) -> dict[str, Ledger]:
    return ledgers(book)


def test_the_same_wishes_give_the_same_bytes_and_another_seed_gives_another_book(tmp_path: Path) -> None:
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        write_book(tmp_path / name, accounts=150, as_of=AS_OF, seed=seed)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
    assert (tmp_path / "one" / "bills.csv").read_bytes() != (tmp_path / "three" / "bills.csv").read_bytes()


@pytest.mark.parametrize("accounts", [1, 3, 7, 8, 60, 213])
def test_a_book_has_exactly_as_many_accounts_as_asked_for(tmp_path: Path, accounts: int) -> None:
    seen: list[tuple[int, int]] = []
    write_book(tmp_path, accounts=accounts, as_of=AS_OF, progress=lambda done, total: seen.append((done, total)))
    assert len(read(tmp_path)["accounts"]) == accounts
    assert seen[-1] == (accounts, accounts)
    assert seen == sorted(seen)


def test_every_file_has_the_columns_of_the_form_and_nothing_else(folder: Path, book: Book) -> None:
    assert set(book) == set(FORM)
    for name, form in FORM.items():
        header = (folder / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
        known = [column.rstrip("*") for column in form.split()]
        required = {column.rstrip("*") for column in form.split() if column.endswith("*")}
        assert set(header) <= set(known), name
        assert required <= set(header), name
        assert book[name], f"{name} is empty"
        for row in book[name]:
            assert None not in row, (name, row)
            assert all(row[column] for column in required), (name, row)


def test_values_are_those_the_form_allows(book: Book) -> None:
    for (name, column), words in ALLOWED.items():
        found = {row[column] for row in book[name]} - {""}
        assert found <= set(words.split()), (name, column)
    for name, rows in book.items():
        for row in rows:
            for column, value in row.items():
                if not value:
                    continue
                if column.endswith(("_on", "_date")) or column in ("on", "valid_from", "valid_to"):
                    assert date.fromisoformat(value).isoformat() == value
                elif column == "at":
                    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value)
                    datetime.fromisoformat(value)
                elif column in MONEY:
                    assert re.fullmatch(r"-?\d+\.\d{2}", value), (name, column, value)
                    assert Decimal(value) > 0 or name == "adjustments", (name, row)
                elif column in ("phone", "number") and value:
                    assert re.fullmatch(r"\+[1-9]\d{8,14}", value), (name, value)


def test_ids_are_well_formed_and_unique_in_their_file(book: Book) -> None:
    for name, form in FORM.items():
        key = form.split()[0].rstrip("*")
        if name in ("consents", "vulnerabilities"):
            continue
        ids = [row[key] for row in book[name]]
        assert all(re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", ref) and not ref.startswith("desk-") for ref in ids), name
        assert len(set(ids)) == len(ids), name
    consents = [(row["customer_id"], row["channel"], row["purpose"], row["at"]) for row in book["consents"]]
    assert len(set(consents)) == len(consents)


def test_every_reference_resolves_within_its_account(book: Book) -> None:
    customers = {row["customer_id"] for row in book["customers"]}
    accounts = {row["account_id"]: row for row in book["accounts"]}
    bills = {row["bill_id"]: row["account_id"] for row in book["bills"]}
    payments = {row["payment_id"]: row["account_id"] for row in book["payments"]}
    disputes = {row["dispute_id"]: row["account_id"] for row in book["disputes"]}
    for rows in book.values():
        for row in rows:
            if "customer_id" in row:
                assert row["customer_id"] in customers
            if "account_id" in row:
                assert row["account_id"] in accounts
            if row.get("bill_id") and "due_on" not in row:
                assert bills[row["bill_id"]] == row["account_id"]
            if row.get("reverses_payment_id"):
                assert payments[row["reverses_payment_id"]] == row["account_id"]
            if row.get("dispute_id") and "on" in row:
                assert disputes[row["dispute_id"]] == row["account_id"]
            for bill_id in filter(None, row.get("bill_ids", "").split(";")):
                assert bills[bill_id] == row["account_id"]
    children = [row for row in accounts.values() if row["parent_account_id"]]
    assert children
    for row in children:
        assert accounts[row["parent_account_id"]]["customer_id"] == row["customer_id"]
        assert not accounts[row["parent_account_id"]]["parent_account_id"]
    assert {row["customer_id"] for row in accounts.values()} == customers


def test_no_fact_but_a_due_date_or_an_end_lies_after_the_last_day(book: Book) -> None:
    happened = {
        "accounts": ("opened_on", "closed_on"),
        "bills": ("issued_on", "cancelled_on"),
        "payments": ("received_on",),
        "adjustments": ("on",),
        "consents": ("at",),
        "holds": ("starts_on",),
        "disputes": ("opened_on", "resolved_on"),
        "promises": ("made_on",),
        "plans": ("made_on",),
        "interactions": ("at",),
        "vulnerabilities": ("noted_on",),
        "placements": ("placed_on", "recalled_on"),
    }
    for name, columns in happened.items():
        for row in book[name]:
            for column in columns:
                assert row[column][:10] <= AS_OF.isoformat(), (name, row)
    dues = [row["due_on"] for row in book["bills"]]
    assert max(dues) > AS_OF.isoformat()
    first = min(row["issued_on"] for row in book["bills"])
    assert AS_OF - timedelta(days=549) < date.fromisoformat(first) < AS_OF - timedelta(days=530)


def test_money_is_plausible(book: Book, by_account: dict[str, Ledger]) -> None:
    """Nobody pays before the bill, more than the bills come to, or more than a few hundred of the currency's tens."""
    issued = {row["bill_id"]: row for row in book["bills"]}
    for row in book["bills"]:
        assert row["issued_on"] < row["due_on"]
        assert Decimal(row["tax_amount"]) < Decimal(row["amount"]) / 4
        assert Decimal(row["essential_amount"] or 0) <= Decimal(row["amount"])
    for row in book["payments"]:
        if row["bill_id"]:
            assert row["received_on"] > issued[row["bill_id"]]["issued_on"], row
            assert Decimal(row["amount"]) <= Decimal(issued[row["bill_id"]]["amount"]), row
    for account_id, ledger in by_account.items():
        left, spare = ledger.open_on(AS_OF)
        assert spare == 0, (account_id, spare)
        assert all(amount >= 0 for amount in left.values()), (account_id, left)


def test_a_reversal_takes_back_one_whole_earlier_payment(book: Book) -> None:
    payments = {row["payment_id"]: row for row in book["payments"]}
    reversals = [row for row in book["payments"] if row["reverses_payment_id"]]
    assert len(reversals) > ACCOUNTS / 20
    assert len({row["reverses_payment_id"] for row in reversals}) == len(reversals)
    for row in reversals:
        undone = payments[row["reverses_payment_id"]]
        assert undone["received_on"] < row["received_on"]
        assert undone["amount"] == row["amount"]
        assert not undone["reverses_payment_id"]


@pytest.mark.parametrize(("as_of", "seed"), [(AS_OF, 7), (date(2025, 1, 1), 7), (date(2026, 8, 31), 3)])
def test_about_a_fifth_of_the_accounts_is_past_due_most_of_them_young(tmp_path: Path, as_of: date, seed: int) -> None:
    write_book(tmp_path, accounts=ACCOUNTS, as_of=as_of, seed=seed)
    ages = [ledger.past_due_on(as_of)[1] for ledger in ledgers(read(tmp_path)).values()]

    def share(low: int, high: int) -> float:
        return sum(low <= age <= high for age in ages) / len(ages)

    assert 0.18 <= share(1, 9999) <= 0.22
    assert 0.60 <= share(1, 30) / share(1, 9999) <= 0.85
    assert 0.015 <= share(61, 9999) <= 0.032
    for low, high in ((31, 60), (61, 90), (91, 120), (121, 9999)):
        assert share(low, high) > 0, (low, high)


def test_promises_and_plans_are_over_what_was_open_that_day(book: Book, by_account: dict[str, Ledger]) -> None:
    for row in book["promises"]:
        owed, age = by_account[row["account_id"]].past_due_on(date.fromisoformat(row["made_on"]))
        assert age >= 25
        assert 0 < Decimal(row["amount"]) <= owed
        assert row["made_on"] <= row["due_on"]
    assert any(row["due_on"] > AS_OF.isoformat() for row in book["promises"])
    for row in book["plans"]:
        made = date.fromisoformat(row["made_on"])
        owed, age = by_account[row["account_id"]].past_due_on(made)
        instalments = [part.split(":") for part in row["instalments"].split(";")]
        assert age >= 25
        assert sum(Decimal(amount) for _, amount in instalments) == owed
        left, _ = by_account[row["account_id"]].open_on(made)
        assert sum(left[bill_id] for bill_id in row["bill_ids"].split(";")) == owed
        days = [due for due, _ in instalments]
        assert days == sorted(set(days))
        assert days[0] > row["made_on"]


def test_some_promises_were_kept_and_some_broken(book: Book, by_account: dict[str, Ledger]) -> None:
    kept = broken = 0
    for row in book["promises"]:
        until = date.fromisoformat(row["due_on"]) + timedelta(days=3)
        if until >= AS_OF:
            continue
        paid = sum(
            Decimal(payment["amount"])
            for payment in by_account[row["account_id"]].payments
            if row["made_on"] < payment["received_on"] <= until.isoformat() and not payment["reverses_payment_id"]
        )
        kept, broken = kept + (paid >= Decimal(row["amount"])), broken + (paid < Decimal(row["amount"]))
    assert kept >= 10
    assert broken >= 10
    assert 0.25 < kept / (kept + broken) < 0.8


def test_calls_out_were_made_where_something_was_long_overdue_and_at_a_decent_hour(
    book: Book, by_account: dict[str, Ledger]
) -> None:
    accounts = {row["account_id"]: row["customer_id"] for row in book["accounts"]}
    customers = {row["customer_id"]: row for row in book["customers"]}
    stopped = {
        row["customer_id"]: row["at"]
        for row in book["consents"]
        if row["channel"] == "call" and row["given"] == "false"
    }
    outbound = [row for row in book["interactions"] if row["direction"] == "outbound"]
    assert len(outbound) > ACCOUNTS / 10
    talked: dict[str, date] = {}
    for row in outbound:
        customer = customers[accounts[row["account_id"]]]
        local = datetime.fromisoformat(row["at"]).astimezone(ZoneInfo(customer["timezone"]))
        assert 9 <= local.hour < 19
        assert local.weekday() < 5
        _, age = by_account[row["account_id"]].past_due_on(local.date())
        assert age >= 25, row
        assert row["number"] == customer["phone"] != ""
        assert row["at"] < stopped.get(customer["customer_id"], "9999")
        if row["account_id"] in talked:
            assert (local.date() - talked[row["account_id"]]).days >= 8, row
        if row["disposition"].startswith("rpc_"):
            talked[row["account_id"]] = local.date()


def test_an_outcome_of_a_call_left_its_agreement_behind(book: Book) -> None:
    made: dict[str, set[tuple[str, str]]] = {
        "rpc_promise": {(row["account_id"], row["made_on"]) for row in book["promises"]},
        "rpc_plan": {(row["account_id"], row["made_on"]) for row in book["plans"]},
        "rpc_dispute": {(row["account_id"], row["opened_on"]) for row in book["disputes"]},
        "rpc_hardship": {(row["account_id"], row["starts_on"]) for row in book["holds"] if row["reason"] == "hardship"},
    }
    for code, agreements in made.items():
        calls = {(row["account_id"], row["at"][:10]) for row in book["interactions"] if row["disposition"] == code}
        assert calls, code
        assert calls <= agreements, code


def test_disputes_contest_open_money_and_end_as_recorded(book: Book, by_account: dict[str, Ledger]) -> None:
    credits = {row["dispute_id"]: row for row in book["adjustments"] if row["dispute_id"]}
    for row in book["disputes"]:
        left, _ = by_account[row["account_id"]].open_on(date.fromisoformat(row["opened_on"]))
        assert Decimal(row["amount"]) <= left[row["bill_id"]]
        assert bool(row["resolved_on"]) == bool(row["outcome"])
        assert (row["dispute_id"] in credits) == (row["outcome"] == "upheld")
        if row["outcome"] == "upheld":
            credit = credits[row["dispute_id"]]
            assert (Decimal(credit["amount"]), credit["on"]) == (-Decimal(row["amount"]), row["resolved_on"])
    assert {row["outcome"] for row in book["disputes"]} >= {"", "upheld", "rejected"}


def test_some_customers_need_care_and_their_accounts_say_so(book: Book) -> None:
    needy = {row["customer_id"] for row in book["vulnerabilities"]}
    assert 0.012 <= len(needy) / len(book["customers"]) <= 0.03
    for row in book["accounts"]:
        assert (row["segment"] == "gentle") == (row["customer_id"] in needy)
    reliant = {row["customer_id"] for row in book["vulnerabilities"] if row["category"] == "reliance"}
    held = {row["account_id"] for row in book["accounts"] if row["customer_id"] in reliant}
    for row in book["services"]:
        if row["account_id"] in held and row["kind"] == "fixed":
            assert row["protected"] == "true"


def test_some_cannot_be_reached_on_every_channel(book: Book) -> None:
    total = len(book["customers"])
    assert 0.05 < sum(not row["email"] for row in book["customers"]) / total < 0.14
    assert 0.02 < sum(not row["phone"] for row in book["customers"]) / total < 0.09
    assert all(not row["email"] or row["email"].endswith(".example") for row in book["customers"])
    withdrawn = {row["channel"] for row in book["consents"] if row["given"] == "false"}
    assert withdrawn == {"call", "sms", "email"}


def test_every_market_has_customers_with_numbers_of_its_own_that_nobody_has(book: Book) -> None:
    fictional = {
        "US": r"\+1[2-9]\d\d55501\d\d",
        "GB": r"\+44(7700900\d{3}|20794600\d\d|20794603\d\d|1(61|21|13|41)49600\d\d|29201800\d\d|1134960072)",
        "FR": r"\+33(63998\d{4}|199\d{6}|4657\d{5}|5364\d{5}|3530\d{5}|2619\d{5})",
        "AE": r"\+971(5[056]000\d{4}|[246]0000\d{3})",
    }
    for country, pattern in fictional.items():
        numbers = [row["phone"] for row in book["customers"] if row["country"] == country and row["phone"]]
        assert len(numbers) > ACCOUNTS / 40, country
        assert all(re.fullmatch(pattern, number) for number in numbers), country
    states = {row["region"] for row in book["customers"] if row["country"] == "US"}
    assert states >= {"MA", "NY", "CA", "TX", "FL", "WA", "IN"}
    assert all(row["region"] and row["city"] for row in book["customers"])
    assert {"en", "es", "fr", "de", "hi", "ar"} <= {row["language"] for row in book["customers"]}


def test_most_of_new_york_city_agreed_to_electronic_messages_and_some_did_not(book: Book) -> None:
    there = {
        row["customer_id"] for row in book["customers"] if row["city"] == "New York" and row["kind"] == "residential"
    }
    agreed = {row["customer_id"] for row in book["consents"] if row["purpose"] == "electronic"}
    assert agreed < there
    assert 0.4 < len(agreed) / len(there) < 0.8
    assert all(row["evidence"] for row in book["consents"] if row["purpose"])


def test_the_first_account_is_handed_to_a_person_on_the_last_day(book: Book, by_account: dict[str, Ledger]) -> None:
    assert book["customers"][0]["name"] == "Sarah Miller"
    assert by_account["A10001"].past_due_on(AS_OF)[1] == 32
    assert [row["kind"] for row in book["services"] if row["account_id"] == "A10001"] == ["mobile", "broadband"]
    lines = [row for row in book["services"] if row["account_id"] == "A10002" and row["kind"] == "mobile"]
    assert len(lines) == 6


@pytest.mark.parametrize("as_of", [date(2024, 2, 29), date(2025, 12, 31), date(2026, 3, 1), date(2026, 7, 15)])
def test_the_hand_made_accounts_tell_their_story_on_any_last_day(tmp_path: Path, as_of: date) -> None:
    write_book(tmp_path, accounts=10, as_of=as_of)
    book = read(tmp_path)
    ids = [row["bill_id"] for row in book["bills"]]
    assert len(set(ids)) == len(ids)
    ages = {ref: ledger.past_due_on(as_of)[1] for ref, ledger in ledgers(book).items()}
    assert ages["A10001"] == 32
    assert ages["A10004"] == 52
    assert ages["A10006"] == 9
    assert ages["A10009"] == 196
    promise = next(row for row in book["promises"] if row["account_id"] == "A10010")
    assert date.fromisoformat(promise["due_on"]) == as_of + timedelta(days=1)


def test_memory_does_not_grow_with_the_book(tmp_path: Path) -> None:
    def peak(accounts: int) -> int:
        tracemalloc.start()
        try:
            write_book(tmp_path / str(accounts), accounts=accounts, as_of=AS_OF)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(50)  # what is loaded once: time zones, dates, the ways names are spelt
    small = peak(200)
    assert peak(2000) < small * 1.5


@pytest.mark.parametrize(("code", "kind", "segment"), [
    ("residential", ["residential"], []),
    ("business", ["business"], []),
    ("residential-europe", ["residential"], ["long-warning"]),
    ("residential-germany", ["residential"], ["from-hundred"]),
    ("residential-india", ["residential"], ["two-warnings"]),
    ("gentle", [], ["gentle"]),
])  # fmt: skip
def test_the_policies_of_the_demo_are_complete(code: str, kind: list[str], segment: list[str]) -> None:
    policy = yaml.safe_load((POLICIES / f"{code}.yaml").read_text(encoding="utf-8"))
    assert policy["code"] == code
    assert policy["applies_to"] == {"kind": kind, "product": [], "segment": segment, "min_tenure_days": 0}
    assert set(policy["enters"]["min_amount"]) == {"USD", "EUR", "INR", "GBP", "AED"}
    steps = {step["code"]: step for step in policy["steps"]}
    assert len(steps) == len(policy["steps"])
    assert [step["day"] for step in policy["steps"]] == sorted(step["day"] for step in policy["steps"])
    for step in policy["steps"]:
        if step["action"] in ("limit", "place_with_agency"):
            warning = steps[step["warned_by"]]
            assert warning["action"] == "notify"
            assert warning["day"] + max(step["notice_days"], warning["pay_by_days"]) <= step["day"]
    if code == "gentle":
        assert {step["action"] for step in policy["steps"]} == {"notify", "transfer_to_collections"}


class InProcess:
    """The days of the demo in this process, as its crew spreads them over several."""

    def decide(self, *, as_of: date, at: datetime) -> decide.Tally:
        return decide.run(as_of=as_of, at=at)

    def deliver(self, *, as_of: date, at: datetime) -> Counter[str]:
        roads = roads_from_settings(now=lambda: at, talks=calls.talks_of)
        return deliver.deliver(as_of=as_of, at=at, roads=roads)


@pytest.mark.django_db
def test_the_last_days_fill_every_page_through_the_operations_behind_it(tmp_path: Path) -> None:
    last_day = date(2026, 5, 20)
    plan = loading.Plan(tmp_path, 200, last_day, "amber-birch-1000")
    loading.begin(plan, say=lambda line: None)
    for ago in range(16, -1, -1):
        loading.live(last_day - timedelta(days=ago), InProcess(), last_day=last_day)

    wrote = InboundMessage.objects.all()
    assert {"opt_out", "paid", "dispute", "cannot_pay", "call_me", "unclear"} <= {row.intent for row in wrote}
    assert {"en", "es", "fr", "de"} <= {row.language for row in wrote}
    assert any(understanding.CRISIS in row.hints and row.state == "waiting" for row in wrote)
    assert {row.state for row in wrote} == {"waiting", "acted", "done"}
    assert Consent.objects.filter(given=False, source="reply by sms").exists()
    assert Notice.objects.filter(template="stop-confirmation", state="delivered").exists()
    assert set(ContactPreference.objects.values_list("kind", flat=True)) >= {"time", "place", "channel"}
    assert Representative.objects.filter(role="debt_adviser", may_be_told=True).exists()
    assert {"low", "high"} <= set(Vulnerability.objects.exclude(needs=[]).values_list("severity", flat=True))
    assert Vulnerability.objects.filter(ended_on=None, review_on__lt=last_day).exists()
    assert {"failed", "bounced", "doubtful"} <= set(Notice.objects.values_list("state", flat=True))
    assert UnreachableAddress.objects.exists()
    assert set(PackChange.objects.values_list("state", "looser")) == {("in_force", False), ("waiting", True)}
    assert MarketPacks.objects.filter(market="US-IN", waiting_for=None).exists()
    assert MarketPacks.objects.exclude(waiting_for=None).exists()
    assert set(NoticeText.objects.values_list("state", flat=True)) == {"published", "draft"}
    assert GateDecision.objects.exists()
    assert ContactHabit.objects.exists()
    limited = ServiceOrder.objects.filter(kind="limit", state="confirmed")
    # In which markets depends on the day: their packs want other warnings, and no limit leaves on a closed day.
    assert len(set(limited.values_list("account__customer__country", flat=True))) >= 2
    assert set(Agent.objects.get(username="agent2").groups.values_list("name", flat=True)) == {"agent", "specialist"}

    supervisor = Agent.objects.get(username="supervisor")
    at = loading.moment(last_day, time(20))
    waiting = {item.kind for item in approvals.inbox(supervisor, at=at, as_of=last_day, facts=False)}
    assert waiting >= {"plan", "settlement", "extension", "rule_change", "pack_choice"}
    assert set(Delegation.objects.filter(ended_at=None).values_list("to__username", flat=True)) == {
        "supervisor",
        "ines",
    }
    assert TeamMessage.objects.filter(until__gt=at).exists()
    assert complaint_desk.late_in_all(as_of=last_day) == 0, "of a demo that ran longer some are"
    assert Complaint.objects.exclude(state="closed").exists()
    assert Complaint.objects.filter(state="closed").exists()
    kept = Snapshot.objects.filter(dimension="all", days=30, currency="USD").order_by("as_of")
    assert list(kept.values_list("as_of", flat=True))[-3:] == [last_day - timedelta(days=ago) for ago in (2, 1, 0)]
    assert KpiTarget.objects.filter(team__name="Retail collections").exists()

    before = InboundMessage.objects.count(), NoticeText.objects.count(), PackChange.objects.count()
    assert voices.write_back(as_of=last_day, at=loading.moment(last_day, time(20)), last_day=last_day) == 0
    rulings.rule(as_of=last_day, at=loading.moment(last_day, time(20)), last_day=last_day)
    assert before == (InboundMessage.objects.count(), NoticeText.objects.count(), PackChange.objects.count())
