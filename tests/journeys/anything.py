"""Anything that may happen: policies, accounts, and what people and billing do, drawn by hypothesis.

Days are counted from ``FIRST``. What hypothesis shows of a book that broke a promise is the whole book: its policies as
documents, its accounts, and its facts in the order in which they happen.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from accounts import money
from dunning import policy

#: A Monday; Labor Day is the 35th day after it, so that the calendar has something to say.
FIRST = date(2026, 8, 3)
#: A currency without decimals, one with two, one with three.
CURRENCIES = ("JPY", "USD", "KWD")
CHANNELS = ("sms", "email", "letter", "in_app")
HOLDS = ("manual", "hardship", "payment_in_flight", "vulnerability_review", "legal")


def day(number: int) -> date:
    """So many days after the first."""
    return FIRST + timedelta(days=number)


@dataclass(frozen=True, slots=True)
class Person:
    """An account and its customer: what reaches them, and which of their services nobody may limit."""

    ref: str
    currency: str
    segment: str
    reached_by: frozenset[str]
    protected: tuple[bool, ...]

    @property
    def services(self) -> list[tuple[str, bool]]:
        return [(f"{self.ref}-S{number}", protected) for number, protected in enumerate(self.protected)]

    @property
    def contact(self) -> dict[str, str]:
        points = {"email": f"{self.ref}@customers.example", "phone": "+12025550100", "address": "1 Main Street"}
        return {kind: value for kind, value in points.items() if kind in self.reached_by}


BEFORE, AFTER, UNSEEN = range(3)


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """One thing that happens on a day, before that day's run or between the run and the delivery."""

    on: int
    #: ``BEFORE`` the run, ``AFTER`` it, or after it and ``UNSEEN``: written, and nothing followed from it yet.
    when: int
    #: bill, payment, reversal, credit, charge, hold, lift, dispute, resolve, promise
    kind: str
    ref: str
    account: str
    amount: Decimal = Decimal(0)
    #: The bill it is directed to, or the payment, hold or dispute it takes back.
    about: str = ""
    #: The day a bill is due, a hold ends (none: open), a promise is to be kept.
    until: int | None = None
    #: Of a hold its reason, of a resolved dispute its outcome.
    word: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """Everything there is, everything that happens, and the days on which nobody runs anything."""

    policies: tuple[dict[str, Any], ...]
    people: tuple[Person, ...]
    facts: tuple[Fact, ...]
    days: int
    skipped: frozenset[int]
    #: Days on which the run is repeated at once, and on which it is repeated after what happened since.
    repeated: frozenset[int]
    resumed: frozenset[int]

    def on(self, number: int, *when: int) -> list[Fact]:
        return [fact for fact in self.facts if fact.on == number and fact.when in when]


# --- policies ---------------------------------------------------------------------------------------------------------


@st.composite
def policies(draw: st.DrawFn, code: str = "anything", segment: str = "") -> dict[str, Any]:
    """A document that passes ``policy_file.check``: notices, then anything that a notice before it warned of."""
    steps: list[dict[str, Any]] = [
        {"code": f"early{number}", "day": -draw(st.integers(1, 9)), "action": policy.NOTIFY, **draw(_notices())}
        for number in range(draw(st.integers(0, 2)))
    ]
    warnings: list[str] = []
    at = draw(st.integers(0, 4))
    for number in range(draw(st.integers(2, 7))):
        at += draw(st.integers(0, 4))
        kinds = [policy.NOTIFY] if not warnings else _ACTIONS
        step: dict[str, Any] = {"code": f"s{number}", "day": at, "action": draw(st.sampled_from(kinds))}
        if step["action"] == policy.NOTIFY:
            step |= draw(_notices())
            warnings.append(step["code"])
        elif step["action"] == policy.CHARGE_FEE:
            step["fee"] = draw(st.sampled_from(["late_fee", "reconnection_fee"]))
        elif step["action"] in policy.HURTING:
            step |= {"warned_by": draw(st.sampled_from(warnings)), "notice_days": draw(st.integers(0, 5))}
            step |= {"rung": draw(st.sampled_from(policy.RUNGS[1:]))} if step["action"] == policy.LIMIT else {}
        elif step["action"] == policy.WRITE_OFF and draw(st.booleans()):
            step["approval"] = "required"
        if least := draw(st.sampled_from([0, 0, 0, 0, 0, 30, 60])):
            step["min_amount"] = dict.fromkeys(CURRENCIES, f"{least}")
        if draw(st.integers(0, 7)) == 7:
            step["only_if"] = {"product": ["tv"]}
        steps.append(step)
    return {
        "code": code,
        "applies_to": {"segment": [segment]} if segment else {},
        "enters": {"min_amount": str(draw(st.sampled_from([0, 5, 20]))), "min_days": draw(st.integers(0, 3))},
        "exits": {"max_amount": str(draw(st.sampled_from([0, 0, 4])))},
        "min_gap_days": draw(st.sampled_from([1, 1, 2, 3])),
        "calendar": {"country": "US", "roll": draw(st.sampled_from(["next_working_day", "none"]))},
        "fees": {"late_fee": draw(st.sampled_from(["0", "3"])), "reconnection_fee": draw(st.sampled_from(["0", "2"]))},
        "agency": "northside",
        "steps": steps,
    }


#: What a step that is no warning may be; limits are what most can go wrong with.
_ACTIONS = [
    policy.NOTIFY, policy.NOTIFY, policy.LIMIT, policy.LIMIT, policy.LIMIT, policy.AGENCY, policy.TRANSFER,
    policy.CHARGE_FEE, policy.TASK, policy.WRITE_OFF,
]  # fmt: skip


@st.composite
def _notices(draw: st.DrawFn) -> dict[str, Any]:
    step = {"channels": draw(st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=3, unique=True))}
    step |= {"template": draw(st.sampled_from(["reminder", "suspension-warning", "final-notice"]))}
    if draw(st.booleans()):
        step["all_channels"] = True
    if pay_by := draw(st.integers(0, 5)):
        step["pay_by_days"] = pay_by
    return step


# --- people and what happens ------------------------------------------------------------------------------------------


@st.composite
def amounts(draw: st.DrawFn, currency: str, least: int = 1, most: int = 90) -> Decimal:
    """An amount with the decimals that the currency has."""
    places = money.exponent(currency)
    return Decimal(draw(st.integers(least * 10**places, most * 10**places))).scaleb(-places)


@st.composite
def people(draw: st.DrawFn, ref: str, segment: str = "") -> Person:
    reached = st.sampled_from([{"phone", "email", "address"}, {"phone", "email", "address"}, {"email"}, set[str]()])
    return Person(
        ref=ref,
        currency=draw(st.sampled_from(CURRENCIES)),
        segment=segment,
        reached_by=frozenset(draw(reached)),
        protected=draw(st.sampled_from([(False,), (False,), (False, False), (False, True), (True,), ()])),
    )


@st.composite
def lives(draw: st.DrawFn, who: Person, days: int, *, lifted: bool) -> list[Fact]:
    """What happens to one account: one to six bills, and anything about them."""
    within, when = st.integers(1, days), st.sampled_from([BEFORE, AFTER, UNSEEN])
    some = amounts(who.currency)
    bills: list[Fact] = []
    for number in range(draw(st.integers(1, 6))):
        due = draw(st.integers(-20, days - 15))
        issued = max(due - draw(st.integers(8, 21)), -25)
        bills.append(Fact(issued, BEFORE, "bill", f"{who.ref}-B{number}", who.ref, draw(some), until=due))
    facts = list(bills)
    any_bill = st.sampled_from([bill.ref for bill in bills])
    for number in range(draw(st.integers(0, 4))):
        ref, whom = f"{who.ref}-P{number}", draw(any_bill | st.just(""))
        # Half of what is paid pays a bill off to the last unit: cures and exits are what must come about.
        exact = st.sampled_from([bill.amount for bill in bills])
        on, first, amount = draw(within), draw(when), draw(exact | some)
        facts.append(Fact(on, first, "payment", ref, who.ref, amount, whom))
        if draw(st.integers(0, 3)) == 3:
            back = draw(st.sampled_from([amount, money.quantize(amount / 2, who.currency)]))
            later = min(on + draw(st.integers(1, 12)), days)
            then = max(draw(when), first) if later == on else draw(when)
            facts.append(Fact(later, then, "reversal", f"{ref}-back", who.ref, back, ref))
    for number in range(draw(st.sampled_from([0, 0, 1, 2]))):
        whom = draw(any_bill | st.just(""))
        facts.append(Fact(draw(within), draw(when), "credit", f"{who.ref}-C{number}", who.ref, draw(some), whom))
    if draw(st.integers(0, 4)) == 4:
        facts.append(Fact(draw(within), draw(when), "charge", f"{who.ref}-D0", who.ref, draw(some), draw(any_bill)))
    for number in range(draw(st.sampled_from([0, 0, 1, 2]))):
        on, ref = draw(within), f"{who.ref}-H{number}"
        ends = draw(st.none() | st.integers(on, on + 15))
        reason = draw(st.sampled_from(HOLDS))
        facts.append(Fact(on, min(draw(when), AFTER), "hold", ref, who.ref, about="", until=ends, word=reason))
        if lifted and (ends is None or ends > on) and draw(st.booleans()):
            end = draw(st.integers(on + 1, min(on + 15 if ends is None else ends, on + 15)))
            facts.append(Fact(end, AFTER, "lift", f"{ref}-lift", who.ref, about=ref))
    if draw(st.integers(0, 2)) == 2:
        on, ref = draw(within), f"{who.ref}-Q0"
        facts.append(Fact(on, AFTER, "dispute", ref, who.ref, draw(some), draw(any_bill)))
        if on < days and draw(st.booleans()):
            word = draw(st.sampled_from(["upheld", "rejected", "withdrawn"]))
            end = draw(st.integers(on + 1, days))
            facts.append(Fact(end, AFTER, "resolve", f"{ref}-end", who.ref, about=ref, word=word))
    if draw(st.integers(0, 2)) == 2:
        on = draw(within)
        facts.append(
            Fact(on, AFTER, "promise", f"{who.ref}-M0", who.ref, draw(some), until=on + draw(st.integers(0, 12)))
        )
    return facts


@st.composite
def books(
    draw: st.DrawFn, *, least: int = 1, most: int = 4, days: int = 45, lifted: bool = True, worlds: int = 1
) -> Book:
    """``least`` to ``most`` accounts under each of ``worlds`` policies; ``lifted``: some holds end before their day."""
    rules: list[dict[str, Any]] = []
    everyone: list[Person] = []
    facts: list[Fact] = []
    for world in range(worlds):
        segment = f"w{world}" if worlds > 1 else ""
        rules.append(draw(policies(f"policy{world}", segment)))
        for number in range(draw(st.integers(least, most))):
            who = draw(people(f"A{world}{number}", segment))
            everyone.append(who)
            facts += draw(lives(who, days, lifted=lifted))
    number = st.integers(2, days - 1)
    return Book(
        policies=tuple(rules),
        people=tuple(everyone),
        facts=tuple(sorted(facts)),
        days=days,
        skipped=draw(st.frozensets(number, max_size=12)),
        repeated=draw(st.frozensets(number, max_size=6)),
        resumed=draw(st.frozensets(number, max_size=12)),
    )


# --- as an operator's files -------------------------------------------------------------------------------------------

_FILES = {
    "customers": ("customer_id", "name", "country", "email", "phone", "address"),
    "accounts": ("account_id", "customer_id", "currency", "opened_on", "segment"),
    "services": ("service_id", "account_id", "kind", "protected"),
    "bills": ("bill_id", "account_id", "issued_on", "due_on", "amount"),
    "payments": ("payment_id", "account_id", "received_on", "amount", "bill_id", "reverses_payment_id"),
    "adjustments": ("adjustment_id", "account_id", "on", "amount", "bill_id"),
    "holds": ("hold_id", "account_id", "reason", "starts_on", "ends_on"),
    "disputes": ("dispute_id", "account_id", "amount", "opened_on", "bill_id", "resolved_on", "outcome"),
    "promises": ("promise_id", "account_id", "amount", "due_on", "made_on"),
}
Rows = dict[str, list[dict[str, str]]]


def rows_of_people(everyone: Sequence[Person]) -> Rows:
    """Customers, accounts and services as rows of the book's files."""
    found: Rows = {"customers": [], "accounts": [], "services": []}
    for who in everyone:
        contact = {kind: who.contact.get(kind, "") for kind in ("email", "phone", "address")}
        found["customers"].append({"customer_id": f"C-{who.ref}", "name": who.ref, "country": "US", **contact})
        found["accounts"].append(
            {
                "account_id": who.ref,
                "customer_id": f"C-{who.ref}",
                "currency": who.currency,
                "opened_on": "2020-01-01",
                "segment": who.segment,
            }
        )
        for ref, protected in who.services:
            row = {"service_id": ref, "account_id": who.ref, "kind": "mobile", "protected": str(protected).lower()}
            found["services"].append(row)
    return found


def rows_of_facts(facts: Sequence[Fact], *, all_facts: Sequence[Fact]) -> Rows:
    """Those facts as rows; a dispute that ended is stated whole."""
    opened = {fact.ref: fact for fact in all_facts if fact.kind == "dispute"}
    found: Rows = {}
    disputes: dict[str, dict[str, str]] = {}
    for fact in facts:
        own, on, amount = {"account_id": fact.account}, day(fact.on).isoformat(), str(fact.amount)
        until = "" if fact.until is None else day(fact.until).isoformat()
        if fact.kind == "bill":
            row = {"bill_id": fact.ref, "issued_on": on, "due_on": until, "amount": amount}
            found.setdefault("bills", []).append(own | row)
        elif fact.kind in ("payment", "reversal"):
            column = "bill_id" if fact.kind == "payment" else "reverses_payment_id"
            row = {
                "payment_id": fact.ref,
                "received_on": on,
                "amount": amount,
                "bill_id": "",
                "reverses_payment_id": "",
            }
            found.setdefault("payments", []).append(own | row | {column: fact.about})
        elif fact.kind in ("credit", "charge"):
            signed = amount if fact.kind == "charge" else f"-{amount}"
            row = {"adjustment_id": fact.ref, "on": on, "amount": signed, "bill_id": fact.about}
            found.setdefault("adjustments", []).append(own | row)
        elif fact.kind == "hold":
            row = {"hold_id": fact.ref, "reason": fact.word, "starts_on": on, "ends_on": until}
            found.setdefault("holds", []).append(own | row)
        elif fact.kind == "promise":
            row = {"promise_id": fact.ref, "amount": amount, "due_on": until, "made_on": on}
            found.setdefault("promises", []).append(own | row)
        elif fact.kind in ("dispute", "resolve"):
            begun = opened[fact.about or fact.ref] if fact.kind == "resolve" else fact
            row = {
                "dispute_id": begun.ref,
                "amount": str(begun.amount),
                "opened_on": day(begun.on).isoformat(),
                "bill_id": begun.about,
                "resolved_on": on if fact.kind == "resolve" else "",
                "outcome": fact.word,
            }
            disputes[begun.ref] = own | row
    return found | ({"disputes": list(disputes.values())} if disputes else {})


def write(folder: Path, book: Book) -> None:
    """The whole book as the operator's files."""
    rows = rows_of_people(book.people) | rows_of_facts(book.facts, all_facts=book.facts)
    for name, columns in _FILES.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows.get(name, []))
