"""Agencies: told once of everything, answered to, and paid for what came in, once a payment."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import settling, status
from accounts.models import Account, Consent, JournalEntry
from accounts.models.account import AccountStatus
from dunning import cases, kinds, placements
from dunning.models import Agency, AgencyFile, Commission, Placement
from tests.factories import TODAY, kinds_of, make_customer, make_payment, moment, owing, settled

pytestmark = pytest.mark.django_db

ACTOR = "agent:ada"


@pytest.fixture
def agency() -> Agency:
    return Agency.objects.create(code="northside", name="Northside", commission_percent=18)


def day(number: int) -> date:
    return TODAY + timedelta(days=number)


def placed(agency: Agency, amount: str = "250.00", on: date = TODAY, **columns: Any) -> Placement:
    account = owing(amount, **columns)
    for target in (AccountStatus.COLLECTIONS, AccountStatus.AGENCY):
        status.move_account(account_id=account.pk, target=target, actor=ACTOR, at=moment(on), on=on, reason="x")
    return Placement.objects.create(
        ref=f"desk-placement-{account.pk}-0", account=account, agency=agency, amount=Decimal(amount), placed_on=on
    )


def recall(placement: Placement, on: date) -> None:
    cases.recall(account_ids=[placement.account_id], reason="complaint", as_of=on, at=moment(on), actor=ACTOR)


def make_file(agency: Agency, on: date = TODAY) -> AgencyFile | None:
    return placements.make_file(agency, as_of=on, at=moment(on), actor=ACTOR)


def rows_of(file: AgencyFile | None) -> list[dict[str, str]]:
    assert file is not None
    return list(csv.DictReader(StringIO(file.content)))


def told(file: AgencyFile | None, *columns: str) -> list[str]:
    return [" ".join(row[name] for name in ("record", *columns)) for row in rows_of(file) if row["record"] != "T"]


def earn(on: date = TODAY) -> int:
    return placements.earn(as_of=on, at=moment(on))


def earned() -> list[tuple[Decimal, Decimal, bool]]:
    return list(Commission.objects.order_by("pk").values_list("collected", "amount", "direct"))


# --- telling ----------------------------------------------------------------------------------------------------------


def test_a_placement_is_told_with_what_an_agency_has_to_know_and_once(agency: Agency) -> None:
    customer = make_customer(name="=Cmd()", address="1 Main Street\nLeeds", phone="+441134960000", email="c@x.example")
    Consent.objects.create(customer=customer, channel="sms", given=True, at=moment(day(-9)))
    Consent.objects.create(customer=customer, channel="sms", given=False, at=moment(day(-2)))
    Consent.objects.create(customer=customer, channel="call", given=True, at=moment(day(-2)))
    placement = placed(agency, customer=customer)
    make_payment(placement.account, "1.00", day(-30))
    file = make_file(agency, day(1))
    assert rows_of(file)[0] == dict.fromkeys(placements.COLUMNS, "") | {
        "record": "P",
        "placement": placement.ref,
        "account": placement.account.ref,
        "customer": "'=Cmd()",
        "address": "1 Main Street\nLeeds",
        "phone": "+441134960000",
        "email": "c@x.example",
        "amount": "250.00",
        "currency": "EUR",
        "oldest_due": "2025-10-15",
        "last_payment": day(-30).isoformat(),
        "disputed": "0.00",
        "consents_refused": "sms",
        "date": TODAY.isoformat(),
    }
    placement.refresh_from_db()
    assert placement.file == file
    assert make_file(agency, day(1)) is None
    assert make_file(agency, day(2)) is None
    assert kinds_of(placement.account, kinds.PLACEMENT_TOLD) == [kinds.PLACEMENT_TOLD]


def test_the_trailer_counts_and_sums_every_record_by_currency(agency: Agency) -> None:
    for amount, currency in (("100.00", "EUR"), ("50.50", "EUR"), ("9000", "JPY")):
        placed(agency, amount, currency=currency)
    trailer = [row for row in rows_of(make_file(agency)) if row["record"] == "T"]
    assert [(row["reason"], row["currency"], row["count"], row["amount"]) for row in trailer] == [
        ("P", "EUR", "2", "150.50"),
        ("P", "JPY", "1", "9000"),
    ]


def test_files_are_numbered_by_agency_and_each_hears_of_its_own(agency: Agency) -> None:
    other = Agency.objects.create(code="southside", name="Southside")
    placed(agency)
    placed(other, "70.00")
    assert told(make_file(agency), "amount") == ["P 250.00"]
    assert told(make_file(other), "amount") == ["P 70.00"]
    placed(agency, "80.00")
    file = make_file(agency, day(1))
    assert told(file, "amount") == ["P 80.00"]
    assert file is not None
    assert (file.number, placements.name_of(file)) == (2, f"northside-00002-{day(1)}.csv")


def test_a_recall_is_told_once_and_one_that_came_before_its_placement_was_told_not_at_all(agency: Agency) -> None:
    heard, unheard = placed(agency), placed(agency)
    unheard.placed_on = day(1)
    unheard.save(update_fields=["placed_on"])
    make_file(agency)
    recall(heard, day(1))
    recall(unheard, day(1))
    assert told(make_file(agency, day(1)), "placement", "date", "reason") == [f"R {heard.ref} {day(1)} complaint"]
    assert make_file(agency, day(2)) is None


def test_what_was_placed_beside_the_desk_is_known_to_the_agency_and_its_recall_is_news(agency: Agency) -> None:
    placement = placed(agency)
    Placement.objects.update(ref="G1")
    long_ago = owing()
    Placement.objects.create(ref="G2", account=long_ago, agency=agency, amount=1, placed_on=TODAY, recalled_on=TODAY)
    assert make_file(agency) is None
    make_payment(placement.account, "10.00", day(1))
    recall(placement, day(2))
    assert told(make_file(agency, day(2)), "placement", "amount") == ["R G1 250.00", "D G1 10.00"]


# --- answering --------------------------------------------------------------------------------------------------------


def answer(file: AgencyFile | None, count: int, refused: dict[str, str], on: date = TODAY) -> None:
    assert file is not None
    placements.acknowledge(file, count=count, refused=refused, as_of=on, at=moment(on), actor=ACTOR)


def test_an_answer_marks_what_was_taken_and_recalls_what_was_refused_with_its_reason(agency: Agency) -> None:
    taken, refused = placed(agency), placed(agency)
    file = make_file(agency)
    answer(file, 1, {refused.ref: "outside our territory"}, day(1))
    taken.refresh_from_db()
    refused.refresh_from_db()
    assert (taken.acknowledged_on, taken.recalled_on) == (day(1), None)
    assert (refused.acknowledged_on, refused.recalled_on) == (None, day(1))
    assert (refused.refused_reason, refused.recall_reason) == (
        "outside our territory",
        "refused: outside our territory",
    )
    assert Account.objects.get(pk=refused.account_id).status == AccountStatus.COLLECTIONS
    assert Account.objects.get(pk=taken.account_id).status == AccountStatus.AGENCY
    # The agency refused it: its recall is no news, and what is paid on it earns nothing.
    make_payment(refused.account, "10.00", day(1))
    assert make_file(agency, day(2)) is None
    assert earned() == []


@pytest.mark.parametrize(("count", "refusals", "missing"), [(3, 0, 0), (2, 1, 0), (2, 0, 1), (3, 1, -1)])
def test_a_count_that_differs_from_what_was_told_is_found(
    agency: Agency, count: int, refusals: int, missing: int
) -> None:
    refs = [placed(agency).ref for _ in range(3)]
    file = make_file(agency)
    assert file is not None
    assert placements.missing(file, refused=0) == 0
    answer(file, count, dict.fromkeys(refs[:refusals], "no"))
    file.refresh_from_db()
    assert placements.missing(file, refused=refusals) == missing


def test_an_answer_that_does_not_fit_changes_nothing(agency: Agency) -> None:
    placement = placed(agency)
    file = make_file(agency)
    for refused, match in (({"desk-placement-0": "no"}, "did not tell"), ({placement.ref: " "}, "Say why")):
        with pytest.raises(placements.CannotAcknowledge, match=match):
            answer(file, 1, refused)
    with pytest.raises(placements.CannotAcknowledge, match="before the file"):
        answer(file, 1, {}, day(-1))
    assert AgencyFile.objects.get().acknowledged_on is None
    answer(file, 1, {})
    with pytest.raises(placements.AlreadyAcknowledged):
        answer(file, 1, {})


# --- earning ----------------------------------------------------------------------------------------------------------


def test_a_payment_earns_its_part_once_whatever_is_run_again(agency: Agency) -> None:
    account = placed(agency).account
    payment = make_payment(account, "250.00", day(1))
    assert earn(day(1)) == 1
    assert earn(day(1)) == earn(day(2)) == 0
    assert earned() == [(250, 45, True)]
    entry = JournalEntry.objects.get(event_type="COMMISSION")
    assert (entry.debit_code, entry.credit_code, entry.amount, entry.on) == ("62000", "24000", 45, day(1))
    assert (entry.source_ref, entry.account) == (payment.ref, account)


@pytest.mark.parametrize(
    ("currency", "amount", "percent", "commission"),
    [("EUR", "10.25", "10", "1.03"), ("EUR", "0.03", "12.5", "0"),
     ("JPY", "1003", "15", "150"), ("KWD", "1.001", "15.5", "0.155")],
)  # fmt: skip
def test_commission_is_rounded_half_up_to_the_currency(
    agency: Agency, currency: str, amount: str, percent: str, commission: str
) -> None:
    Agency.objects.update(commission_percent=percent)
    make_payment(placed(agency, "2000", currency=currency).account, amount)
    earn()
    assert Commission.objects.get().amount == Decimal(commission)


@pytest.mark.parametrize(
    ("received", "tail", "earns"), [(-1, 0, False), (0, 0, True), (5, 0, True), (6, 0, False), (8, 3, True),
                                     (9, 3, False)]
)  # fmt: skip
def test_what_counts_is_received_between_placing_and_recall_and_in_the_tail_after_it(
    agency: Agency, received: int, tail: int, earns: bool
) -> None:
    Agency.objects.update(commission_tail_days=tail)
    placement = placed(agency)
    recall(placement, day(5))
    make_payment(placement.account, "100.00", day(received))
    earn(day(20))
    assert bool(earned()) is earns


def test_what_the_agency_remitted_counts_whenever_it_came_and_is_not_told_to_it(agency: Agency) -> None:
    placement = placed(agency)
    make_file(agency)
    recall(placement, day(1))
    make_payment(placement.account, "100.00", day(30), method="agency")
    file = make_file(agency, day(30))
    assert earned() == [(100, 18, False)]
    assert told(file, "placement") == [f"R {placement.ref}"]


def test_of_two_agencies_the_one_that_had_the_account_last_earns(agency: Agency) -> None:
    Agency.objects.update(commission_tail_days=30)
    second = Agency.objects.create(code="southside", name="Southside", commission_percent=10)
    placement = placed(agency)
    recall(placement, day(2))
    Placement.objects.create(
        ref="desk-placement-2", account=placement.account, agency=second, amount=250, placed_on=day(5)
    )
    make_payment(placement.account, "100.00", day(3))
    make_payment(placement.account, "100.00", day(6))
    earn(day(6))
    assert list(Commission.objects.order_by("on").values_list("placement__agency__code", "amount")) == [
        ("northside", 18),
        ("southside", 10),
    ]


def test_a_reversal_lowers_it_by_difference_and_is_told_again(agency: Agency) -> None:
    placement = placed(agency)
    payment = make_payment(placement.account, "100.00")
    assert told(make_file(agency), "payment", "collected", "commission")[1] == f"D {payment.ref} 100.00 18.00"
    make_payment(placement.account, "40.00", day(3), reverses=payment)
    assert earn(day(2)) == 0
    assert earn(day(3)) == 1
    assert earned() == [(60, Decimal("10.80"), True)]
    back = JournalEntry.objects.get(event_type="COMMISSION_REVERSED")
    assert (back.debit_code, back.credit_code, back.amount, back.on) == ("24000", "62000", Decimal("7.20"), day(3))
    assert told(make_file(agency, day(3)), "amount", "collected", "commission") == ["D 100.00 60.00 10.80"]
    make_payment(placement.account, "60.00", day(4), reverses=payment)
    earn(day(4))
    assert earned() == [(0, 0, True)]
    assert kinds_of(placement.account, "dunning.commission") == [
        kinds.COMMISSION_EARNED,
        kinds.COMMISSION_CHANGED,
        kinds.COMMISSION_CHANGED,
    ]


def test_new_terms_do_not_reach_back(agency: Agency) -> None:
    placement = placed(agency)
    payment = make_payment(placement.account, "100.00")
    earn()
    Agency.objects.update(commission_percent=50)
    earn(day(1))
    make_payment(placement.account, "50.00", day(2), reverses=payment)
    make_payment(placement.account, "10.00", day(2))
    earn(day(2))
    assert earned() == [(50, 9, True), (10, 5, True)]


def test_earning_on_many_accounts_takes_as_many_statements_as_on_one(agency: Agency) -> None:
    def statements(count: int, on: date) -> int:
        for _ in range(count):
            make_payment(placed(agency).account, "10.00", on)
        with CaptureQueriesContext(connection) as queries:
            assert earn(on) == count
        return len(queries)

    assert statements(1, day(1)) == statements(12, day(2))


def test_a_recall_with_an_unreported_direct_payment_is_one_file_and_one_commission(agency: Agency) -> None:
    """The bank's news comes after the recall: the agency hears of both at once, and the fee is due once."""
    placement = placed(agency)
    make_file(agency)
    recall(placement, day(3))
    make_payment(placement.account, "100.00", day(2))
    settling.settle(as_of=day(4), at=moment(day(4)))
    assert told(make_file(agency, day(4)), "amount", "commission") == ["R 250.00 ", "D 100.00 18.00"]
    for number in (5, 6):
        assert make_file(agency, day(number)) is None
        assert earn(day(number)) == 0
    assert earned() == [(100, 18, True)]


def test_a_write_off_takes_the_account_back_from_the_agency(agency: Agency) -> None:
    placement = placed(agency)
    make_file(agency)
    settled(placement.account)
    cases.write_off(
        account_id=placement.account_id, actor=ACTOR, as_of=day(1), at=moment(day(1)), reason="uncollectable"
    )
    assert told(make_file(agency, day(1)), "reason") == ["R write-off"]
