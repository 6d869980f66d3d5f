"""The situations in which desks like this one go wrong, replayed: write-offs, agencies and fees.

Numbered like those of ``test_edge_cases``.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest

from accounts import journals
from accounts.models import Fee
from dunning import cases, placements
from dunning.models import Agency, Commission, Placement
from tests import factories
from tests.journeys.ledger import POLICY
from tests.journeys.story import Story, at

pytestmark = pytest.mark.django_db


def mar(day: int) -> date:
    return date(2026, 3, 1) + timedelta(days=day - 1)


def owing(amount: str = "100.00", policy: str = POLICY, **columns: Any) -> Story:
    """One bill, due on 1 March."""
    story = Story(mar(2), policy=policy)
    story.account()
    story.service()
    story.bill(mar(1), amount, ref="B1", **columns)
    return story


# 21: the end of the money.


def sums() -> dict[str, Decimal]:
    """Debit less credit of every account of the journal, those at nothing left out; every journal balances."""
    by_code: dict[str, Decimal] = defaultdict(Decimal)
    by_journal: dict[str, Decimal] = defaultdict(Decimal)
    for line in journals.lines(first=date.min, last=date.max):
        amount = (line.debit or Decimal(0)) - (line.credit or Decimal(0))
        by_code[line.code] += amount
        by_journal[line.external_id] += amount
    assert set(by_journal.values()) == {Decimal(0)}
    return {code: amount for code, amount in by_code.items() if amount}


def test_21_a_write_off_takes_the_net_as_loss_the_tax_back_and_the_receivable_gross_and_a_recovery_in_part() -> None:
    story = owing("120.00", tax_amount="20.00")
    story.days_pass(until=mar(40))
    assert sums() == {journals.RECEIVABLES: 120, journals.SERVICE_REVENUE: -100, journals.TAX_PAYABLE: -20}
    written = cases.write_off(
        account_id=story.account_row().pk, actor="agent:sofia", as_of=mar(40), at=at(mar(40)), reason="gone away"
    )
    assert written == 120
    story.days_pass(until=mar(42))
    story.expect(status="written_off", balance="0.00", overdue="0.00", cases=["03-02 04-09 written_off"])
    assert sums() == {journals.BAD_DEBT_EXPENSE: 100, journals.SERVICE_REVENUE: -100}
    story.pays("60.00")
    story.days_pass(until=mar(43))
    story.expect(status="written_off", balance="0.00", unapplied="0.00")
    # Of the 60.00 ten are tax, owed again; the loss stays what it was, and fifty of it came back.
    assert sums() == {
        journals.BANK: 60,
        journals.BAD_DEBT_EXPENSE: 100,
        journals.BAD_DEBT_RECOVERIES: -50,
        journals.SERVICE_REVENUE: -100,
        journals.TAX_PAYABLE: -10,
    }


# 22: agencies.

PLACED = """
code: placed
enters: {min_amount: "20.00", min_days: 1}
calendar: {country: US, roll: next_working_day}
steps:
  - {code: desk, day: 2, action: transfer_to_collections}
  - {code: notice, day: 3, action: notify, channels: [email], template: placement-notice, pay_by_days: 14}
  - {code: agency, day: 17, action: place_with_agency, agency: northside, warned_by: notice, notice_days: 14}
"""


def placed_and_told() -> Story:
    """250.00 with an agency for 18 percent since 18 March, which knows of it."""
    story = owing("250.00", PLACED)
    Agency.objects.update(commission_percent=18)
    story.days_pass(until=mar(18))
    story.expect(status="agency", queue=[])
    assert file_of_the_day(story) == ["P 250.00"]
    return story


def file_of_the_day(story: Story) -> list[str]:
    """What the agency is told today: record, amount, commission."""
    agency = Agency.objects.get()
    file = placements.make_file(agency, as_of=story.today, at=at(story.today, 20), actor="desk")
    rows = csv.DictReader(StringIO(file.content)) if file else []
    told = [(row["record"], row["amount"], row["commission"]) for row in rows]
    return [" ".join(filter(None, row)) for row in told if row[0] != "T"]


def test_22_a_recall_while_direct_payments_are_unreported_tells_of_all_once_and_pays_commission_once() -> None:
    story = placed_and_told()
    story.days_pass(until=mar(24))
    story.pays("100.00")
    story.days_pass(until=mar(26))
    story.pays("150.00")
    story.expect(status="current", cases=["03-02 03-26 paid"])
    assert Placement.objects.get().recalled_on == mar(26)
    story.days_pass(until=mar(27))
    assert file_of_the_day(story) == ["R 250.00", "D 100.00 18.00", "D 150.00 27.00"]
    story.days_pass(until=mar(28))
    assert file_of_the_day(story) == []
    assert placements.earn(as_of=mar(28), at=at(mar(28))) == 0
    assert sums() == {
        journals.BANK: 250,
        journals.SERVICE_REVENUE: -250,
        journals.AGENCY_COMMISSION: 45,
        journals.AGENCY_COMMISSION_PAYABLE: -45,
    }


def test_22_what_was_paid_before_the_recall_earns_however_late_it_is_known_and_what_came_after_it_does_not() -> None:
    story = placed_and_told()
    story.days_pass(until=mar(24))
    account = story.account_row()
    cases.recall(
        account_ids=[account.pk], reason="complaint", as_of=story.today, at=at(story.today), actor="agent:sofia"
    )
    story.days_pass(until=mar(26))
    story.expect(status="collections", cases=["03-02 open"])
    factories.make_payment(account, "100.00", mar(23))  # the bank's file was late
    story.days_pass(until=mar(27))
    story.pays("50.00")
    story.days_pass(until=mar(28))
    story.expect(overdue="100.00", status="collections")
    assert file_of_the_day(story) == ["R 250.00", "D 100.00 18.00"]
    assert list(Commission.objects.values_list("collected", "amount", "direct")) == [(100, 18, True)]
    assert sums()[journals.AGENCY_COMMISSION] == 18


def test_22_a_direct_payment_that_goes_back_after_it_was_told_takes_its_commission_back_and_is_told_again() -> None:
    story = placed_and_told()
    story.days_pass(until=mar(24))
    payment = story.pays("250.00")
    assert file_of_the_day(story) == ["R 250.00", "D 250.00 45.00"]
    story.days_pass(until=mar(27))
    story.takes_back(payment)
    story.days_pass(until=mar(28))
    assert file_of_the_day(story) == ["D 250.00 0.00"]
    assert sums() == {journals.RECEIVABLES: 250, journals.SERVICE_REVENUE: -250}


# 25: fees.


def fees_of(account: str = "A1") -> list[tuple[str, str, Decimal]]:
    return [
        (f"{fee.on:%m-%d}", fee.kind, fee.amount) for fee in Fee.objects.filter(account__ref=account).order_by("pk")
    ]


LATE_FEE = POLICY.replace("steps:\n", 'fees: {late_fee: "5.00"}\nsteps:\n').replace(
    "  - {code: warning,", "  - {code: late, day: 6, action: charge_fee, fee: late_fee}\n  - {code: warning,"
)


def test_25_a_fee_is_charged_once_a_stage_however_often_the_day_runs() -> None:
    story = owing(policy=LATE_FEE)
    story.days_pass(until=mar(7))
    for _ in range(2):
        story.run(mar(7))
    assert fees_of() == [("03-07", "late_fee", Decimal(5))]


def test_25_a_payment_taken_back_on_the_day_of_the_fee_charges_no_second_one() -> None:
    """It leaves and re-enters within the day: a new case for the same bill, not a new fee for the same stage."""
    story = owing(policy=LATE_FEE)
    story.days_pass(until=mar(7))
    payment = story.pays("100.00")
    story.takes_back(payment)
    story.run(mar(7))
    story.days_pass(until=mar(20))
    story.expect(cases=["03-02 03-07 paid", "03-07 open"], balance="105.00", overdue="100.00")
    assert fees_of() == [("03-07", "late_fee", Decimal(5))]


def test_25_an_unpaid_fee_stays_in_the_balance_after_the_bill_is_paid_and_starts_no_case() -> None:
    story = owing(policy=LATE_FEE)
    story.days_pass(until=mar(8))
    story.pays("100.00")
    story.days_pass(until=mar(40))
    story.expect(status="current", overdue="0.00", balance="5.00", cases=["03-02 03-08 paid"])
    story.pays("5.00")
    story.expect(balance="0.00")
