"""Ten thousand made-up bills: the desk's figures are those that follow from the files without the desk."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from accounts import settling
from accounts.models import Account, Adjustment, Bill, BusinessDate
from agents import kpis, standing
from tests.agents.made_up_ledger import CONNECTED, ZERO, Files, Ledger, Stand, bucket, make

BUCKETS = ("current", "1-30", "31-60", "61-90", "91-120", "120+")
TODAY = date(2026, 2, 20)
GRACE = timedelta(days=3)
Part = Decimal | int


def percent(above: Part, below: Part, times: int = 100) -> str | None:
    return None if below <= 0 else f"{Decimal(above) * times / Decimal(below):.4f}"


class Figures:
    """What the files say of the days that end with one."""

    def __init__(self, ledger: Ledger, as_of: date, days: int) -> None:
        self.ledger, self.as_of, self.days = ledger, as_of, days
        self.start = as_of - timedelta(days=days)
        self.rolls_from = as_of - timedelta(days=days if days <= 31 else 30)
        self.rows = ledger.files.rows
        self.now = self.stands(as_of)
        self.then = self.stands(self.start)
        self.month_ago = self.stands(self.rolls_from)

    @cache  # noqa: B019
    def stands(self, on: date) -> dict[str, Stand]:
        return {account.ref: account.at(on) for account in self.ledger.accounts()}

    def within(self, text: str) -> bool:
        return bool(text) and self.start < date.fromisoformat(text) <= self.as_of

    # Money

    def in_force(self, on: date) -> list[dict[str, str]]:
        return [
            row
            for row in self.rows["bills"]
            if date.fromisoformat(row["issued_on"]) <= on
            and not (row["cancelled_on"] and date.fromisoformat(row["cancelled_on"]) <= on)
        ]

    def sales(self, after: date) -> Decimal:
        rows = self.in_force(self.as_of)
        return sum((Decimal(row["amount"]) for row in rows if date.fromisoformat(row["issued_on"]) > after), ZERO)

    def sales_of_months(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.in_force(self.as_of):
            found[row["issued_on"][:7]] += Decimal(row["amount"])
        return found

    def receivables(self) -> dict[str, Any]:
        buckets: dict[str, Decimal] = dict.fromkeys(BUCKETS, ZERO)
        late_bills = 0
        for stand in self.now.values():
            for name, amount in stand.in_buckets().items():
                buckets[name] += amount
            late_bills += len(stand.late_bills())
        whole = sum(buckets.values())
        return {
            "open_bills": sum(len(stand.open) for stand in self.now.values()),
            "open": f"{whole:.2f}",
            "overdue_bills": late_bills,
            "overdue": f"{whole - buckets['current']:.2f}",
            "overdue_accounts": sum(stand.late() > 0 for stand in self.now.values()),
            "buckets": {name: f"{amount:.2f}" for name, amount in buckets.items()},
        }

    def of_receivables(self) -> dict[str, str | None]:
        opening = sum((sum(stand.open.values(), ZERO) for stand in self.then.values()), ZERO)
        closing = sum((sum(stand.open.values(), ZERO) for stand in self.now.values()), ZERO)
        late = sum((stand.late() for stand in self.now.values()), ZERO)
        disputed = sum((sum(stand.disputed.values(), ZERO) for stand in self.now.values()), ZERO)
        late_days = aged = ZERO
        months = self.sales_of_months()
        for stand in self.now.values():
            for ref, amount in stand.open.items():
                late_days += amount * max(stand.days_late(ref), 0)
                issued = stand.bills[ref]["issued_on"]
                aged += amount * (self.as_of - date.fromisoformat(issued)).days / months[issued[:7]]
        billed = self.sales(self.start)
        month = billed * 30 / self.days
        written = {row["ref"] for row in self.rows["write_offs"] if self.within(row["on"])}
        written_off = sum(
            (amount for stand in self.now.values() for ref, amount in stand.written_off.items() if ref in written), ZERO
        )
        return {
            "dso": percent(closing, billed, self.days),
            "dso_undisputed": percent(closing - disputed, billed, self.days),
            "dso_countback": self.countback(closing, months),
            "dso_average": percent((opening + closing) / 2, billed, self.days),
            "dso_quarter": percent(closing, self.sales(self.as_of - timedelta(days=91)), 91),
            "dso_year": percent(closing, self.sales(self.as_of.replace(year=self.as_of.year - 1)), 365),
            "dso_true": f"{aged:.4f}",
            "bpdso": percent(closing - late, billed, self.days),
            "add": percent(late, billed, self.days),
            "wadd_all": percent(late_days, closing, 1),
            "wadd_overdue": percent(late_days, late, 1),
            "cei": percent(opening + billed - closing, opening + billed - closing + late),
            "cei_monthly_sales": percent(opening + month - closing, opening + month - closing + late),
            "cei_without_write_offs": percent(
                opening + billed - closing - written_off, opening + billed - closing + late
            ),
            "cei_monthly_sales_without_write_offs": percent(
                opening + month - closing - written_off, opening + month - closing + late
            ),
        }

    def countback(self, left: Decimal, months: dict[str, Decimal]) -> str:
        days, last = ZERO, self.as_of
        while left > months[f"{last:%Y-%m}"]:
            left -= months[f"{last:%Y-%m}"]
            days += last.day
            last = last.replace(day=1) - timedelta(days=1)
        return f"{days + left * last.day / months[f'{last:%Y-%m}']:.4f}"

    def of_recovery(self) -> dict[str, str | None]:
        late = collected = cured_amount = ZERO
        cured = cured_any = accounts = 0
        for ref, then in self.then.items():
            if not then.late():
                continue
            was = {bill for bill, _ in then.late_bills()}
            paid = sum(
                (
                    entry.amount
                    for entry in self.now[ref].paid
                    if entry.kind == "payment" and entry.on > self.start and entry.bill in was
                ),
                ZERO,
            )
            accounts += 1
            late += then.late()
            collected += paid
            if not self.now[ref].late():
                cured_any += 1
                if paid >= then.late():
                    cured += 1
                    cured_amount += then.late()
        return {
            "recovery_rate": percent(collected, late),
            "recovery_rate_net": percent(collected, late),
            "cure_rate": percent(cured, accounts),
            "cure_rate_any": percent(cured_any, accounts),
            "cure_rate_amount": percent(cured_amount, late),
        }

    def of_rolls(self) -> dict[str, dict[str, str | None]]:
        held: dict[str, Decimal] = defaultdict(Decimal)
        went: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        off: dict[str, Decimal] = defaultdict(Decimal)
        now_in: dict[str, Decimal] = defaultdict(Decimal)
        for ref, now in self.now.items():
            for name, amount in now.in_buckets().items():
                now_in[name] += amount
            for name, amount in self.month_ago[ref].in_buckets().items():
                held[name] += amount
                off[name] += ZERO if now.late() else amount
                for other in BUCKETS:
                    went[name, other] += now.in_buckets().get(other, ZERO)
        steps = list(pairwise(BUCKETS))
        return {
            "roll_rates": {f"{a} to {b}": percent(went[a, b], held[a]) for a, b in steps},
            "roll_rates_proxy": {f"{a} to {b}": percent(now_in[b], held[a]) for a, b in steps},
            "roll_stayed": {f"{a} to {a}": percent(went[a, a], held[a]) for a in BUCKETS},
            "roll_back": {f"{b} to {a}": percent(went[b, a], held[b]) for a, b in steps[1:]},
            "roll_off": {f"{a} to cured": percent(off[a], held[a]) for a in BUCKETS[1:]},
        }

    def matrix(self) -> dict[tuple[str, str], Decimal]:
        found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        gone = {
            row["account_id"]
            for row in self.rows["write_offs"]
            if self.rolls_from < date.fromisoformat(row["on"]) <= self.as_of
        }
        for ref, then in self.month_ago.items():
            if then.open:
                now = self.now[ref]
                became = worst(now) if now.open else "written_off" if ref in gone else "paid"
                found[worst(then), became] += sum(then.open.values())
        return found

    def of_write_offs(self) -> dict[str, str | None]:
        year = self.as_of.replace(year=self.as_of.year - 1)
        billed = self.sales(year)
        written = {row["ref"]: row for row in self.rows["write_offs"] if date.fromisoformat(row["on"]) <= self.as_of}
        gross = sum((-Decimal(row["amount"]) for row in written.values()), ZERO)
        back = sum(
            (e.amount for stand in self.now.values() for e in stand.paid if e.recovery and e.kind == "payment"), ZERO
        )
        stands = of_bills = ZERO
        issued = {row["bill_id"]: date.fromisoformat(row["issued_on"]) for row in self.rows["bills"]}
        for stand in self.now.values():
            for ref, amount in stand.written_off.items():
                stands += amount
                of_bills += amount if issued[written[ref]["bill_id"]] > year else ZERO
        assert gross == stands + back, "what is written off stands, or came back"
        return {
            "bad_debt_ratio": percent(gross - back, billed),
            "bad_debt_ratio_of_bills": percent(of_bills, billed),
            "recovery_after_write_off": percent(back, gross),
        }

    def of_paid_bills(self) -> dict[str, str | None]:
        back = {
            row["reverses_payment_id"]
            for row in self.rows["payments"]
            if row["reverses_payment_id"] and date.fromisoformat(row["received_on"]) <= self.as_of
        }
        came: dict[str, list[tuple[date, Decimal, bool]]] = defaultdict(list)
        for row in self.rows["payments"]:
            on = date.fromisoformat(row["received_on"])
            if row["bill_id"] and not row["reverses_payment_id"] and on <= self.as_of:
                came[row["bill_id"]].append((on, Decimal(row["amount"]), row["payment_id"] in back))
        late = []
        for row in self.rows["bills"]:
            paid = came[row["bill_id"]]
            # The last of them counts also where it went back: it is what the customer did.
            if paid and sum((a for _, a, gone in paid if not gone), ZERO) >= Decimal(row["amount"]):
                last = max(on for on, _, _ in paid)
                if self.start < last:
                    late.append((last - date.fromisoformat(row["due_on"])).days)
        return {
            "add_paid_bills": percent(sum(late), len(late), 1),
            "add_paid_bills_late": percent(sum(max(days, 0) for days in late), len(late), 1),
        }

    # People

    def calls(self) -> list[dict[str, str]]:
        return [row for row in self.rows["interactions"] if self.within(row["at"][:10])]

    def of_calls(self) -> dict[str, str | None]:
        calls = self.calls()
        reached = [row for row in calls if row["disposition"].startswith("rpc_")]
        connected = [row for row in calls if row["disposition"] in CONNECTED]
        made = [row for row in calls if row["direction"] == "outbound"]
        promises = {(row["account_id"], row["made_on"]) for row in self.rows["promises"] if self.within(row["made_on"])}
        promised: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for row in self.rows["promises"]:
            if self.within(row["made_on"]):
                key = (row["account_id"], row["made_on"])
                promised[key] = max(promised[key], Decimal(row["amount"]))
        late = sum(
            (max(self.then[ref].late(), self.now[ref].late()) for ref in {row["account_id"] for row in reached}), ZERO
        )
        hours = [int(row["at"][11:13]) for row in made]  # London is at UTC all through these winters
        return {
            "rpc_rate": percent(len(reached), len(connected)),
            "ptp_rate": percent(len(promises), len(reached)),
            "ptp_rate_amount": percent(sum(promised.values(), ZERO), late),
            "contact_rate": percent(sum(row in connected for row in made), len(made)),
            "contact_rate_accounts": percent(
                len({row["account_id"] for row in made if row in connected}), len({row["account_id"] for row in made})
            ),
            "rpc_rate_attempts": percent(sum(row in reached for row in made), len(made)),
            "rpc_rate_accounts": percent(
                len({row["account_id"] for row in reached}), len({row["account_id"] for row in calls})
            ),
            "outside_hours": percent(sum(hour < 8 or hour >= 21 for hour in hours), len(hours)),
        }

    def of_promises(self) -> dict[str, str | None]:
        kept = count = 0
        promised = paid_in_all = ZERO
        for row in self.rows["promises"]:
            due, made, amount = (
                date.fromisoformat(row["due_on"]),
                date.fromisoformat(row["made_on"]),
                Decimal(row["amount"]),
            )
            if not self.start < due <= self.as_of:
                continue
            paid = sum(
                (
                    entry.amount
                    for entry in self.now[row["account_id"]].paid
                    if entry.kind == "payment" and made <= entry.on <= due + GRACE
                ),
                ZERO,
            )
            if paid >= amount or due + GRACE < self.as_of:
                count += 1
                kept += paid >= amount
                promised += amount
                paid_in_all += min(max(paid, ZERO), amount)
        return {"kept_rate": percent(kept, count), "kept_rate_amount": percent(paid_in_all, promised)}

    def of_latency(self) -> dict[str, str | None]:
        back = {
            row["reverses_payment_id"]
            for row in self.rows["payments"]
            if row["reverses_payment_id"] and date.fromisoformat(row["received_on"]) <= self.as_of
        }
        talks: dict[str, list[date]] = defaultdict(list)
        for row in self.rows["interactions"]:
            if row["disposition"].startswith("rpc_"):
                talks[row["account_id"]].append(date.fromisoformat(row["at"][:10]))
        last, first, payments = [], [], 0
        for row in self.rows["payments"]:
            on = date.fromisoformat(row["received_on"])
            if self.within(row["received_on"]) and not row["reverses_payment_id"] and row["payment_id"] not in back:
                payments += 1
                gaps = [(on - talk).days for talk in talks[row["account_id"]] if 0 <= (on - talk).days <= 30]
                if gaps:
                    last.append(min(gaps))
                    first.append(max(gaps))
        return {
            "latency_median": below(last, "0.5"),
            "latency_p90": below(last, "0.9"),
            "latency_first_median": below(first, "0.5"),
            "latency_first_p90": below(first, "0.9"),
            "latency_unattributed": percent(payments - len(last), payments),
        }

    def of_resolution(self) -> dict[str, str | None]:
        after, until = self.start - timedelta(days=14), self.as_of - timedelta(days=14)
        talks: dict[str, list[str]] = defaultdict(list)
        calls: dict[str, list[str]] = defaultdict(list)
        for row in self.rows["interactions"]:
            calls[row["account_id"]].append(row["at"])
            if row["disposition"].startswith("rpc_") and after < date.fromisoformat(row["at"][:10]) <= until:
                talks[row["account_id"]].append(row["at"])
        resolved = 0
        for ref, moments in talks.items():
            first = min(moments)
            on = date.fromisoformat(first[:10])
            later = on + timedelta(days=14)
            again = any(at > first and date.fromisoformat(at[:10]) <= later for at in calls[ref])
            paid = any(
                row["account_id"] == ref
                and not row["reverses_payment_id"]
                and on <= date.fromisoformat(row["received_on"]) <= later
                for row in self.ledger.by_account[ref]["payments"]
            )
            stand = self.ledger.of(ref).at(later)
            owing = any(date.fromisoformat(stand.bills[bill]["due_on"]) < on for bill in stand.open)
            resolved += paid and not again and not owing
        return {"first_contact_resolution": percent(resolved, len(talks))}

    def everything(self) -> dict[str, Any]:
        return {
            **self.of_receivables(), **self.of_recovery(), **self.of_rolls(), **self.of_write_offs(),
            **self.of_paid_bills(), **self.of_calls(), **self.of_promises(), **self.of_latency(),
            **self.of_resolution(),
        }  # fmt: skip


def worst(stand: Stand) -> str:
    return bucket(max(stand.days_late(ref) for ref in stand.open))


def below(values: list[int], share: str) -> str | None:
    """The value that such a share does not exceed, in proportion between neighbours, from the sorted list."""
    if not values:
        return None
    ordered = sorted(values)
    place = Decimal(share) * (len(ordered) - 1)
    lower, upper = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return f"{lower + (upper - lower) * (place - int(place)):.4f}"


def land(files: Files, folder: Path) -> None:
    """The files through the importer, and what the desk wrote off."""
    BusinessDate.objects.create(on=TODAY)
    files.write(folder)
    with connection.cursor() as cursor:
        # The database takes a book that is not committed for an empty one, and would go through it row by row.
        cursor.execute("SET LOCAL enable_nestloop = off")
    call_command("import_book", str(folder))
    keys = dict(Account.objects.values_list("ref", "pk"))
    Adjustment.objects.bulk_create(
        Adjustment(
            ref=row["ref"], account_id=keys[row["account_id"]], on=row["on"], amount=row["amount"],
            kind=Adjustment.Kind.WRITE_OFF, bill_ref=row["bill_id"],
        )
        for row in files.rows["write_offs"]
    )  # fmt: skip
    settling.mark_all()
    settling.settle(as_of=TODAY, at=datetime(2026, 2, 20, 6, tzinfo=UTC))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SET LOCAL enable_nestloop = on")


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger(make(accounts=780, seed=20_260_220))


@pytest.mark.django_db
def test_every_figure_of_ten_thousand_bills_follows_from_the_files(ledger: Ledger, tmp_path: Path) -> None:
    land(ledger.files, tmp_path)
    assert Bill.objects.count() == 10_140
    kinds = Counter(name for name, rows in ledger.files.rows.items() for _ in rows)
    assert min(kinds[name] for name in ("write_offs", "disputes", "adjustments", "promises", "interactions")) > 20
    assert sum(bool(row["reverses_payment_id"]) for row in ledger.files.rows["payments"]) > 100
    for as_of, days in ((TODAY, 30), (TODAY, 90), (date(2026, 1, 31), 7), (date(2025, 12, 31), 30)):
        found = kpis.compute(as_of=as_of, days=days, business_date=TODAY, pictures=True)
        expected = Figures(ledger, as_of, days)
        assert found["receivables"] == expected.receivables(), (as_of, days)
        values = {name: figure["value"] for name, figure in found["kpis"].items()}
        everything = expected.everything()
        assert {name: values[name] for name in everything} == everything, (as_of, days)
        assert sum(value is not None for value in everything.values()) > 30
        moved = {
            (was, became): cell["amount"]
            for was, row in found["pictures"]["roll_matrix"].items()
            for became, cell in row.items()
        }
        assert moved == {key: f"{amount:.2f}" for key, amount in expected.matrix().items()}
        for row in found["pictures"]["roll_matrix"].values():
            assert sum(Decimal(cell["share"]) for cell in row.values()) == 100


@pytest.mark.django_db
def test_cures_that_last_follow_from_the_files(ledger: Ledger, tmp_path: Path) -> None:
    land(ledger.files, tmp_path)
    for days in (0, 60, 90, 120):
        standing.record(on=TODAY - timedelta(days=days), business_date=TODAY)
    figures = Figures(ledger, TODAY, 30)
    late = {
        days: {ref for ref, stand in figures.stands(TODAY - timedelta(days=days)).items() if stand.late()}
        for days in (0, 60, 90, 120)
    }
    found = kpis.compute(as_of=TODAY, days=30, business_date=TODAY)["kpis"]
    # Cured in the thirty days that end 60 days ago: late 90 days ago, not 60 days ago.
    cured_60, cured_90 = late[90] - late[60], late[120] - late[90]
    assert found["cure_sustained_60"]["value"] == percent(len(cured_60 - late[0]), len(cured_60))
    assert found["cure_sustained_90"]["value"] == percent(len(cured_90 - late[0]), len(cured_90))


@pytest.mark.django_db
def test_counting_every_scope_at_once_reads_few_accounts_and_finds_the_same(ledger: Ledger, tmp_path: Path) -> None:
    land(ledger.files, tmp_path)
    told: list[tuple[str, int, int]] = []
    rows = kpis.every_scope(
        as_of=TODAY, windows=(7, 30, 90), business_date=TODAY, at=datetime(2026, 2, 20, 23, tzinfo=UTC),
        say=lambda *said: told.append(said),
    )  # fmt: skip
    found = {(row.days, str(row.scope)): row for row in rows}
    for days in (7, 30, 90):
        alone = kpis.compute(as_of=TODAY, days=days, business_date=TODAY, pictures=True)
        whole = found[days, "all"]
        assert whole.receivables == alone["receivables"]
        assert whole.kpis == alone["kpis"]
        assert whole.pictures == alone["pictures"]
    (read,) = {of for what, _, of in told if what == "accounts that may have been late"}
    # Two in five of these customers are late, and many more have a dispute, a reversal or a charge.
    assert read < 780 * 3 / 4
