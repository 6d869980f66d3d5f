"""Which money pays which bill: the cases a collections clerk would ask about, then properties over random histories."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.allocation import allocate
from accounts.facts import BillFact, Books, ChargeFact, CreditFact, DisputeFact, ReversalFact
from accounts.money import parse_amount

FIRST = date(2026, 1, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def bill(ref: str, issued: int, due: int, amount: int, ends: int | None = None) -> BillFact:
    return BillFact(ref, day(issued), day(due), amount, None if ends is None else day(ends))


def credit(ref: str, on: int, amount: int, bill_ref: str = "") -> CreditFact:
    return CreditFact(ref, day(on), amount, bill_ref)


def reversal(ref: str, on: int, amount: int, reverses: str) -> ReversalFact:
    return ReversalFact(ref, day(on), amount, reverses)


def charge(ref: str, on: int, amount: int, bill_ref: str) -> ChargeFact:
    return ChargeFact(ref, day(on), amount, bill_ref)


def dispute(ref: str, starts: int, amount: int, bill_ref: str = "", ends: int | None = None) -> DisputeFact:
    return DisputeFact(ref, day(starts), None if ends is None else day(ends), amount, bill_ref)


def books(as_of: int = 100, **facts: Sequence[Any]) -> Books:
    return allocate(as_of=day(as_of), **{"bills": [], "credits": [], **facts})


TWO = [bill("B1", 0, 15, 100), bill("B2", 0, 45, 100)]

TABLE: dict[str, tuple[dict[str, Any], dict[str, int], dict[str, int]]] = {
    "undirected money pays the oldest due first": (
        {"bills": [bill("B1", 0, 45, 100), bill("B2", 0, 15, 100)], "credits": [credit("P1", 20, 130)]},
        {"B1": 70},
        {},
    ),
    "equal due dates are paid in the order of their ids": (
        {"bills": [bill("B2", 0, 15, 100), bill("B1", 0, 15, 100)], "credits": [credit("P1", 20, 100)]},
        {"B2": 100},
        {},
    ),
    "directed money pays its bill though another is older": (
        {"bills": TWO, "credits": [credit("P1", 20, 60, "B2")]},
        {"B1": 100, "B2": 40},
        {},
    ),
    "what is too much for its bill goes on to the oldest": (
        {"bills": TWO, "credits": [credit("P1", 20, 130, "B2")]},
        {"B1": 70},
        {},
    ),
    "over-payment waits unapplied": (
        {"bills": TWO, "credits": [credit("P1", 20, 250)]},
        {},
        {"P1": 50},
    ),
    "over-payment pays the next bill when it is issued": (
        {"bills": [*TWO, bill("B3", 50, 60, 40)], "credits": [credit("P1", 20, 250)]},
        {},
        {"P1": 10},
    ),
    "money before any bill waits": ({"credits": [credit("P1", 1, 10)]}, {}, {"P1": 10}),
    "money for a bill not yet issued waits though another is open": (
        {"bills": [bill("B1", 0, 15, 100), bill("B9", 200, 220, 30)], "credits": [credit("P1", 20, 30, "B9")]},
        {"B1": 100},
        {"P1": 30},
    ),
    "money for a bill nobody knows waits": (
        {"bills": TWO, "credits": [credit("P1", 20, 30, "B9")]},
        {"B1": 100, "B2": 100},
        {"P1": 30},
    ),
    "money that waited for its bill pays it on its issue": (
        {"bills": [*TWO, bill("B9", 50, 60, 30)], "credits": [credit("P1", 20, 40, "B9")]},
        {"B1": 90, "B2": 100},
        {},
    ),
    "a contested amount is paid last": (
        {"bills": TWO, "credits": [credit("P1", 20, 130)], "disputes": [dispute("D1", 10, 60, "B1")]},
        {"B1": 60, "B2": 10},
        {},
    ),
    "a contested amount is paid when nothing else is open": (
        {"bills": TWO, "credits": [credit("P1", 20, 170)], "disputes": [dispute("D1", 10, 60, "B1")]},
        {"B1": 30},
        {},
    ),
    "money directed to a contested bill pays it": (
        {"bills": TWO, "credits": [credit("P1", 20, 100, "B1")], "disputes": [dispute("D1", 10, 100, "B1")]},
        {"B2": 100},
        {},
    ),
    "a dispute opened after the money came does not move it": (
        {"bills": TWO, "credits": [credit("P1", 20, 100)], "disputes": [dispute("D1", 21, 100, "B1")]},
        {"B2": 100},
        {},
    ),
    "a dispute that has ended does not keep money away": (
        {"bills": TWO, "credits": [credit("P1", 20, 100)], "disputes": [dispute("D1", 10, 100, "B1", ends=20)]},
        {"B2": 100},
        {},
    ),
    "a credit note without a bill pays the oldest due": (
        {"bills": TWO, "credits": [credit("reduction:C1", 20, 30)]},
        {"B1": 70, "B2": 100},
        {},
    ),
    "a full reversal opens the bill again": (
        {"bills": TWO, "credits": [credit("P1", 20, 100)], "reversals": [reversal("R1", 30, 100, "P1")]},
        {"B1": 100, "B2": 100},
        {},
    ),
    "a partial reversal takes back what was applied last": (
        {"bills": TWO, "credits": [credit("P1", 20, 150)], "reversals": [reversal("R1", 30, 70, "P1")]},
        {"B1": 20, "B2": 100},
        {},
    ),
    "a reversal takes what waits before what was applied": (
        {"bills": TWO, "credits": [credit("P1", 20, 250)], "reversals": [reversal("R1", 30, 70, "P1")]},
        {"B2": 20},
        {},
    ),
    "two reversals of one payment take back both": (
        {
            "bills": TWO,
            "credits": [credit("P1", 20, 150)],
            "reversals": [reversal("R1", 30, 70, "P1"), reversal("R2", 30, 80, "P1")],
        },
        {"B1": 100, "B2": 100},
        {},
    ),
    "a bill that a reversal opened is paid by other money that waits": (
        {
            "bills": TWO,
            "credits": [credit("P1", 20, 200), credit("P2", 21, 50)],
            "reversals": [reversal("R1", 30, 100, "P1")],
        },
        {"B2": 50},
        {},
    ),
    "a reversal dated before its payment counts from the payment's day": (
        {"bills": TWO, "credits": [credit("P1", 20, 100)], "reversals": [reversal("R1", 10, 100, "P1")]},
        {"B1": 100, "B2": 100},
        {},
    ),
    "a reversal of a payment that is not there yet changes nothing": (
        {"bills": TWO, "credits": [credit("P1", 200, 100)], "reversals": [reversal("R1", 10, 100, "P1")]},
        {"B1": 100, "B2": 100},
        {},
    ),
    "a cancelled bill owes nothing and frees its money": (
        {"bills": [bill("B1", 0, 15, 100, ends=30), TWO[1]], "credits": [credit("P1", 20, 100)]},
        {},
        {},
    ),
    "money freed by a cancelled bill waits when nothing is open": (
        {"bills": [bill("B1", 0, 15, 100, ends=30)], "credits": [credit("P1", 20, 100)]},
        {},
        {"P1": 100},
    ),
    "money for a bill cancelled later is free for the others": (
        {"bills": [bill("B1", 0, 15, 100, ends=10), TWO[1]], "credits": [credit("P1", 20, 60, "B1")]},
        {"B2": 40},
        {},
    ),
    "money for a bill cancelled from its issue is free for the others": (
        {"bills": [bill("B1", 0, 15, 100, ends=0), TWO[1]], "credits": [credit("P1", 20, 60, "B1")]},
        {"B2": 40},
        {},
    ),
    "a charge opens a paid bill again": (
        {"bills": TWO, "credits": [credit("P1", 20, 100)], "charges": [charge("C1", 30, 25, "B1")]},
        {"B1": 25, "B2": 100},
        {},
    ),
    "money that waits pays a charge": (
        {"bills": TWO[:1], "credits": [credit("P1", 20, 120)], "charges": [charge("C1", 30, 25, "B1")]},
        {"B1": 5},
        {},
    ),
    "a charge before the issue counts from it": (
        {"bills": [bill("B1", 50, 60, 100)], "charges": [charge("C1", 30, 25, "B1")]},
        {"B1": 125},
        {},
    ),
    "a charge on a bill not issued yet does not count": (
        {"bills": [bill("B1", 150, 160, 100)], "charges": [charge("C1", 30, 25, "B1")]},
        {},
        {},
    ),
    "a cancelled bill takes its charges with it": (
        {"bills": [bill("B1", 0, 15, 100, ends=40)], "charges": [charge("C1", 30, 25, "B1")]},
        {},
        {},
    ),
    "a charge does not open a cancelled bill": (
        {"bills": [bill("B1", 0, 15, 100, ends=20)], "charges": [charge("C1", 30, 25, "B1")]},
        {},
        {},
    ),
    "a bill of nothing is never open": ({"bills": [bill("B1", 0, 15, 0)]}, {}, {}),
    "facts of tomorrow wait": (
        {"bills": [*TWO, bill("B3", 101, 110, 9)], "credits": [credit("P1", 101, 100)]},
        {"B1": 100, "B2": 100},
        {},
    ),
    "facts of today count": (
        {"bills": [bill("B3", 100, 110, 9)], "credits": [credit("P1", 100, 4)]},
        {"B3": 5},
        {},
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_allocation(name: str) -> None:
    facts, open_amounts, unapplied = TABLE[name]
    found = books(**facts)
    assert found.open == open_amounts
    assert found.unapplied == unapplied


@pytest.mark.parametrize(
    ("disputes", "contested"),
    [
        ([dispute("D1", 10, 60, "B1")], {"B1": 60}),
        ([dispute("D1", 10, 600, "B1")], {"B1": 100}),
        ([dispute("D1", 10, 60, "B1"), dispute("D2", 11, 60, "B1")], {"B1": 100}),
        ([dispute("D1", 10, 130)], {"B1": 100, "B2": 30}),
        ([dispute("D1", 10, 60, "B1"), dispute("D2", 10, 60)], {"B1": 100, "B2": 20}),
        ([dispute("D1", 10, 60, "B1", ends=100)], {}),
        ([dispute("D1", 10, 60, "B1", ends=101)], {"B1": 60}),
        ([dispute("D1", 100, 60, "B1")], {"B1": 60}),
        ([dispute("D1", 101, 60, "B1")], {}),
        ([dispute("D1", 10, 60, "B9")], {}),
        ([dispute("D1", 10, 60, "B1", ends=10)], {}),
    ],
)
def test_what_is_contested_is_at_most_what_is_open(disputes: list[DisputeFact], contested: dict[str, int]) -> None:
    assert books(bills=TWO, disputes=disputes).disputed == contested


def test_a_reversed_bill_ages_from_its_own_due_date() -> None:
    facts = {"bills": TWO, "credits": [credit("P1", 20, 100)], "reversals": [reversal("R1", 60, 100, "P1")]}
    assert books(59, **facts).open == {"B2": 100}
    assert books(60, **facts).open == {"B1": 100, "B2": 100}
    assert [(entry.on, entry.amount) for entry in books(60, **facts).applied] == [(day(20), 100), (day(60), -100)]


@pytest.mark.parametrize(
    ("currency", "billed", "paid", "left"),
    [("JPY", "1000", "999", "1"), ("EUR", "10.01", "10.00", "0.01"), ("KWD", "1.001", "1.000", "0.001")],
)
def test_the_smallest_unit_of_every_currency_is_kept(currency: str, billed: str, paid: str, left: str) -> None:
    def mills(text: str) -> int:
        return int(parse_amount(text, currency) * 1000)

    facts = {"bills": [bill("B1", 0, 15, mills(billed))], "credits": [credit("P1", 20, mills(paid))]}
    assert books(**facts).open == {"B1": mills(left)}


# --- properties over random histories ---------------------------------------------------------------------------------

LAST = 40
days = st.integers(min_value=0, max_value=LAST)
sums = st.integers(min_value=1, max_value=300)
refs = st.sampled_from(["B1", "B2", "B3", "B4", "B5"])


@st.composite
def histories(draw: st.DrawFn) -> dict[str, list[Any]]:
    bills = []
    for number in range(draw(st.integers(0, 4))):
        issued = draw(days)
        ends = draw(st.none() | st.integers(issued, LAST + 5))
        bills.append(bill(f"B{number + 1}", issued, issued + draw(st.integers(0, 20)), draw(st.integers(0, 300)), ends))
    credits = [
        credit(f"P{number}", draw(days), draw(sums), draw(st.just("") | refs))
        for number in range(draw(st.integers(0, 5)))
    ]
    reversals = []
    for number, paid in enumerate(credits):
        left = paid.amount
        for part in range(draw(st.integers(0, 2))):
            if left:
                amount = draw(st.integers(1, left))
                left -= amount
                reversals.append(reversal(f"R{number}{part}", draw(days), amount, paid.ref))
    charges = [charge(f"C{number}", draw(days), draw(sums), draw(refs)) for number in range(draw(st.integers(0, 3)))]
    disputes = []
    for number in range(draw(st.integers(0, 2))):
        starts = draw(days)
        ends = draw(st.none() | st.integers(starts, LAST + 5))
        disputes.append(dispute(f"D{number}", starts, draw(sums), draw(st.just("") | refs), ends))
    return {"bills": bills, "credits": credits, "reversals": reversals, "charges": charges, "disputes": disputes}


@settings(deadline=None)
@given(histories(), days, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(facts: dict[str, list[Any]], as_of: int, random: Any) -> None:
    before = books(as_of, **facts)
    shuffled = {name: random.sample(rows, len(rows)) for name, rows in facts.items()}
    assert books(as_of, **shuffled) == before


@settings(deadline=None)
@given(histories(), days)
def test_money_is_conserved_and_nothing_is_negative(facts: dict[str, list[Any]], as_of: int) -> None:
    found = books(as_of, **facts)
    today = day(as_of)
    standing = {
        row.ref: row for row in facts["bills"] if row.issued_on <= today and not (row.ends_on and row.ends_on <= today)
    }
    paid = {row.ref: row for row in facts["credits"] if row.on <= today}
    owed = (
        sum(row.amount for row in standing.values())
        + sum(row.amount for row in facts["charges"] if row.on <= today and row.bill_ref in standing)
        - sum(row.amount for row in paid.values())
        + sum(row.amount for row in facts["reversals"] if row.on <= today and row.reverses in paid)
    )
    assert owed == sum(found.open.values()) - sum(found.unapplied.values())
    assert all(amount > 0 for amount in [*found.open.values(), *found.unapplied.values(), *found.disputed.values()])
    assert all(amount <= found.open[ref] for ref, amount in found.disputed.items())
    assert set(found.open) <= set(standing)
    for ref, row in paid.items():
        applied = sum(entry.amount for entry in found.applied if entry.credit_ref == ref)
        back = sum(r.amount for r in facts["reversals"] if r.reverses == ref and r.on <= today)
        assert 0 <= applied == row.amount - back - found.unapplied.get(ref, 0)


@settings(deadline=None)
@given(histories(), days)
def test_nothing_waits_while_something_it_may_pay_is_open(facts: dict[str, list[Any]], as_of: int) -> None:
    found = books(as_of, **facts)
    issued = {row.ref for row in facts["bills"] if row.issued_on <= day(as_of)}
    free = [
        row for row in facts["credits"] if row.ref in found.unapplied and (not row.bill_ref or row.bill_ref in issued)
    ]
    assert not (free and found.open)


@settings(deadline=None)
@given(histories(), days)
def test_facts_dated_later_change_nothing(facts: dict[str, list[Any]], as_of: int) -> None:
    today = day(as_of)
    known = {
        "bills": [row._replace(ends_on=row.ends_on if row.ends_on and row.ends_on <= today else None)
                  for row in facts["bills"] if row.issued_on <= today],
        "credits": [row for row in facts["credits"] if row.on <= today],
        "reversals": [row for row in facts["reversals"] if row.on <= today],
        "charges": [row for row in facts["charges"] if row.on <= today],
        "disputes": [row._replace(ends_on=row.ends_on if row.ends_on and row.ends_on <= today else None)
                     for row in facts["disputes"] if row.starts_on <= today],
    }  # fmt: skip
    assert books(as_of, **facts) == books(as_of, **known)


@settings(deadline=None)
@given(histories(), days, days)
def test_what_was_applied_stays_in_the_history(facts: dict[str, list[Any]], one: int, other: int) -> None:
    earlier, later = books(min(one, other), **facts), books(max(one, other), **facts)
    assert later.applied[: len(earlier.applied)] == earlier.applied
