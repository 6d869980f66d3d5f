"""The figures of a period as a page and a file say them: each with its trend, its change, its target, its formula.

Made from what ``kpis`` computed or ``snapshots`` kept, and from nothing else: no row is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.position import BUCKETS
from agents import drilling, kpis, snapshots, targets
from agents.kpi_files import Cell, Column, Sheet
from agents.kpis import Kpi
from agents.models import KpiTarget, Snapshot
from agents.pictures import ENDS
from agents.scopes import Scope
from agents.snapshots import Point
from agents.words import of_code, said

#: The groups of the page, in order, with the figures that begin each name; what is in none stands at the end.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (gettext_noop("Receivables"), ("dso", "bpdso", "add", "bad_debt")),
    (
        gettext_noop("Collection"),
        ("cei", "recovery", "cure", "roll", "suspension"),
    ),
    (gettext_noop("Contact"), ("rpc", "contact", "first_contact", "latency")),
    (gettext_noop("Promises"), ("ptp", "kept")),
    (gettext_noop("People"), ("occupancy", "utilization")),
    (gettext_noop("Customers"), ("csat", "complaint", "churn")),
    (gettext_noop("Cost"), ("cost",)),
    (gettext_noop("Compliance"), ("blocked",)),
)
OTHER = gettext_noop("Other")

#: Vintages are drawn for so many months, from the age of so many days on.
DRAWN_MONTHS, YOUNGEST = 6, 30
#: Shades of a share: none at all, then one for every part of the largest.
SHADES = 6
WEEKDAYS = (
    gettext_noop("Monday"), gettext_noop("Tuesday"), gettext_noop("Wednesday"), gettext_noop("Thursday"),
    gettext_noop("Friday"), gettext_noop("Saturday"), gettext_noop("Sunday"),
)  # fmt: skip


def number(given: Any) -> Decimal | None:
    """What a record keeps as text or number; none for nothing and for what is neither."""
    if given is None or isinstance(given, bool | dict | list):
        return None
    try:
        return Decimal(str(given))
    except InvalidOperation:
        return None


@dataclass(frozen=True)
class Line:
    """One figure of the page, or one member of a family."""

    kpi: Kpi
    member: str
    value: Decimal | None
    numerator: Decimal | None
    denominator: Decimal | None
    formula: str
    #: Why there is no value.
    reason: str
    #: In the period before, as it was recorded.
    before: Decimal | None
    points: Sequence[tuple[date, Decimal]]
    target: KpiTarget | None

    @property
    def key(self) -> str:
        """As addresses and targets name it."""
        return f"{self.kpi.name}:{self.member}" if self.member else self.kpi.name

    @property
    def title(self) -> str:
        return f"{said(self.kpi.title)}, {self.member}" if self.member else said(self.kpi.title)

    @property
    def is_variant(self) -> bool:
        return bool(self.kpi.variants_of or self.member)

    @property
    def change(self) -> Decimal | None:
        return None if self.value is None or self.before is None else self.value - self.before

    @property
    def improved(self) -> bool | None:
        """Whether the change is for the better; none where there is none, or neither way is."""
        if not self.change or not self.kpi.better:
            return None
        return (self.change > 0) == (self.kpi.better == "higher")

    @property
    def met(self) -> bool | None:
        """Whether the target is met; none without one, or without a value."""
        return None if self.target is None or self.value is None else targets.is_met(self.target, self.value)


@dataclass(frozen=True)
class Block:
    """A figure with its variants; a family has no value of its own, only its members have."""

    kpi: Kpi
    head: Line | None
    variants: Sequence[Line]


@dataclass(frozen=True)
class Group:
    title: str
    blocks: Sequence[Block]

    @property
    def lines(self) -> Iterator[Line]:
        for block in self.blocks:
            if block.head is not None:
                yield block.head
            yield from block.variants


@dataclass(frozen=True)
class Picture:
    """What is drawn or shaded: ``code`` names its template's part, ``rows`` are its table."""

    code: str
    rows: Sequence[Any]
    columns: Sequence[str] = ()
    #: What stands beside the table.
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Owed:
    """Amounts at the end of a period; ``buckets`` are what is past due: drill, bucket, amount."""

    open: Decimal | None
    overdue: Decimal | None
    buckets: Sequence[tuple[str, str, Decimal | None]]


@dataclass(frozen=True)
class Report:
    as_of: date
    days: int
    currency: str
    scope: Scope
    #: When it was computed, and whether after its day, or just now.
    recorded_at: datetime
    restated: bool
    live: bool
    receivables: Mapping[str, Any]
    groups: Sequence[Group]
    pictures: Mapping[str, Picture]

    @property
    def owed(self) -> Owed:
        """What was open at the end of the period, and past due by age."""
        buckets = self.receivables.get("buckets", {})
        return Owed(
            number(self.receivables.get("open")),
            number(self.receivables.get("overdue")),
            [(name, bucket, number(buckets.get(bucket))) for bucket, name in drilling.OF_BUCKET.items()],
        )

    @property
    def lines(self) -> Iterator[Line]:
        for group in self.groups:
            yield from group.lines


def of_snapshot(
    snapshot: Snapshot,
    *,
    before: Snapshot | None,
    trend: Sequence[Point],
    aims: Mapping[str, KpiTarget],
) -> Report:
    """The report that a record tells."""
    return _report(
        snapshots.as_printed(snapshot),
        pictures=snapshot.pictures,
        scope=Scope(snapshot.dimension, snapshot.member),
        recorded_at=snapshot.recorded_at,
        restated=snapshot.restated,
        live=False,
        before=before,
        trend=trend,
        aims=aims,
    )


def of_figures(
    figures: Mapping[str, Any],
    *,
    scope: Scope,
    at: datetime,
    before: Snapshot | None,
    trend: Sequence[Point],
    aims: Mapping[str, KpiTarget],
) -> Report:
    """The report of what ``kpis.compute`` has just answered."""
    return _report(
        figures,
        pictures=figures.get("pictures", {}),
        scope=scope,
        recorded_at=at,
        restated=False,
        live=True,
        before=before,
        trend=trend,
        aims=aims,
    )


def _report(
    figures: Mapping[str, Any],
    *,
    pictures: Mapping[str, Any],
    scope: Scope,
    recorded_at: datetime,
    restated: bool,
    live: bool,
    before: Snapshot | None,
    trend: Sequence[Point],
    aims: Mapping[str, KpiTarget],
) -> Report:
    grouped: dict[str, list[Block]] = {title: [] for title in (*(title for title, _names in GROUPS), OTHER)}
    for kpi, variants in _families():
        found = [
            line
            for one in (kpi, *variants)
            if one.name in figures["kpis"]
            for line in _lines(one, figures["kpis"][one.name], before=before, trend=trend, aims=aims)
        ]
        if found:
            head = next((line for line in found if line.kpi is kpi and not line.member), None)
            grouped[group_of(kpi)].append(Block(kpi, head, [line for line in found if line is not head]))
    return Report(
        as_of=date.fromisoformat(figures["as_of"]),
        days=figures["days"],
        currency=figures["currency"] or "",
        scope=scope,
        recorded_at=recorded_at,
        restated=restated,
        live=live,
        receivables=figures["receivables"],
        groups=[Group(title, blocks) for title, blocks in grouped.items() if blocks],
        pictures=drawn(pictures),
    )


def _families() -> list[tuple[Kpi, list[Kpi]]]:
    """The catalogue, every figure with its variants."""
    variants: dict[str, list[Kpi]] = {}
    for kpi in kpis.CATALOGUE:
        variants.setdefault(kpi.variants_of, []).append(kpi)
    return [(kpi, variants.get(kpi.name, [])) for kpi in variants[""]]


def group_of(kpi: Kpi) -> str:
    """The title of the group a figure stands in: a variant stands with what it is one of."""
    for name in (kpi.variants_of, kpi.name):
        for title, names in GROUPS:
            if name and name.startswith(names):
                return title
    return OTHER


def _lines(
    kpi: Kpi,
    figure: Mapping[str, Any],
    *,
    before: Snapshot | None,
    trend: Sequence[Point],
    aims: Mapping[str, KpiTarget],
) -> Iterator[Line]:
    """One line a figure; of a family one a member."""
    earlier = before.kpis.get(kpi.name, {}).get("value") if before is not None else None
    members = list(figure["value"]) if isinstance(figure["value"], dict) else [""]
    for member in members:
        value = number(_part(figure, "value", member))
        formula = str(_part(figure, "formula", member) or "")
        reason = ""
        if value is None and ": " in formula:
            formula, _colon, reason = formula.rpartition(": ")
        points = [(point.on, found) for point in trend if (found := point.value(kpi.name, member)) is not None]
        yield Line(
            kpi=kpi,
            member=member,
            value=value,
            numerator=number(_part(figure, "numerator", member)),
            denominator=number(_part(figure, "denominator", member)),
            formula=formula,
            reason=reason,
            before=number(earlier.get(member) if isinstance(earlier, dict) else earlier),
            points=points,
            target=aims.get(kpi.name),
        )


def _part(figure: Mapping[str, Any], part: str, member: str) -> Any:
    found = figure.get(part)
    return found.get(member) if isinstance(found, dict) else found


# Pictures -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shaded:
    """A cell of a shaded table: what it says, beside it, and how dark it is."""

    value: Decimal | None
    beside: Decimal | None = None
    shade: int = 0


@dataclass(frozen=True)
class Step:
    """A step of a funnel; ``width`` is its share of the first on a scale of 1,000, ``share`` of the one before, or of
    what it is a part of.
    """

    name: str
    count: Decimal
    amount: Decimal | None
    width: int
    share: Decimal | None


def shade(value: Decimal | None, largest: Decimal) -> int:
    """How dark, from 0 for nothing to ``SHADES`` for the largest."""
    if not value or largest <= 0:
        return 0
    return min(max(int(value * SHADES / largest + Decimal("0.999")), 1), SHADES)


def drawn(pictures: Mapping[str, Any]) -> dict[str, Picture]:
    """Each picture with the rows of its table, in the order they are read; what a record lacks is left out."""
    makers: dict[str, Callable[[str, Any], Picture]] = {
        "roll_matrix": _roll_matrix,
        "vintages": _vintages,
        "ageing": _ageing,
        "promise_funnel": _funnel,
        "contact_funnel": _funnel,
        "heat_map": _heat_map,
        "suspension": _named,
        "cost": _named,
        "compliance": _compliance,
    }
    found = {}
    for code, make in makers.items():
        if given := pictures.get(code):
            found[code] = make(code, given)
    if (outside := pictures.get("outside_hours")) is not None and "compliance" not in found:
        found["compliance"] = Picture("compliance", [])
    if "compliance" in found:
        found["compliance"] = Picture("compliance", found["compliance"].rows, extra={"outside_hours": outside})
    return found


def _roll_matrix(code: str, given: Mapping[str, Mapping[str, Any]]) -> Picture:
    """Every row sums to 100 %: where the money of a bucket was at the end."""
    reached = {name for ends in given.values() for name in ends}
    columns = [name for name in (*BUCKETS, *ENDS) if name in reached]
    rows = []
    for bucket in (bucket for bucket in BUCKETS if bucket in given):
        cells = []
        for name in columns:
            cell = given[bucket].get(name) or {}
            share = number(cell.get("share"))
            cells.append(Shaded(share, number(cell.get("amount")), shade(share, Decimal(100))))
        rows.append((_label(bucket), cells))
    return Picture(code, rows, [_label(name) for name in columns])


def _label(end: str) -> str:
    """A bucket as it is written, anything else in words."""
    return end if end in BUCKETS[1:] else of_code(end)


def _vintages(code: str, given: Sequence[Mapping[str, Any]]) -> Picture:
    """Bills of a month: how much of them had come in after so many days; the latest month first."""
    ages = sorted({int(age) for row in given for age in row.get("collected_pct", {})})
    rows = [
        (
            str(row["month"]),
            number(row.get("billed")),
            [number((row.get("collected_pct") or {}).get(str(age))) for age in ages],
        )
        for row in sorted(given, key=lambda row: str(row["month"]), reverse=True)
    ]
    one_in = max((int(row.get("one_in", 1)) for row in given), default=1)
    return Picture(code, rows, [str(age) for age in ages], extra={"one_in": one_in})


def _ageing(code: str, given: Sequence[Mapping[str, Any]]) -> Picture:
    """What was past due on each day, by age; the latest day first."""
    buckets = [bucket for bucket in BUCKETS[1:] if any(bucket in row["buckets"] for row in given)]
    rows = [
        (date.fromisoformat(str(row["on"])), [number(row["buckets"].get(bucket)) or Decimal(0) for bucket in buckets])
        for row in sorted(given, key=lambda row: str(row["on"]), reverse=True)
    ]
    return Picture(code, rows, buckets)


def _funnel(code: str, given: Sequence[Mapping[str, Any]]) -> Picture:
    counts = [number(row.get("n")) or Decimal(0) for row in given]
    largest = max(counts, default=Decimal(0))
    steps = []
    for place, (row, count) in enumerate(zip(given, counts, strict=True)):
        # What became of promises are parts of those that fell due; the steps of a contact lead from one to the next.
        whole = min(place - 1, 1) if code == "promise_funnel" else place - 1
        before = counts[whole] if whole >= (code == "promise_funnel") else None
        share = count * 100 / before if before else None
        width = int(count * 1000 / largest) if largest else 0
        steps.append(Step(str(row["name"]), count, number(row.get("amount")), width, share))
    return Picture(code, steps)


def _heat_map(code: str, given: Mapping[str, Mapping[str, Any]]) -> Picture:
    """When calls reach the right party: a row a weekday, the hours in which anything was tried."""
    cells: dict[tuple[int, int], tuple[Decimal, Decimal]] = {}
    for weekday, hours in given.items():
        for hour, found in hours.items():
            attempts = number(found.get("attempts")) or Decimal(0)
            if attempts:
                cells[int(weekday), int(hour)] = (attempts, number(found.get("right_party")) or Decimal(0))
    if not cells:
        return Picture(code, [])
    tried = [hour for _weekday, hour in cells]
    hours_tried = range(min(tried), max(tried) + 1)
    rates = {place: reached * 100 / attempts for place, (attempts, reached) in cells.items()}
    best = max(rates.values())
    rows = [
        (
            weekday,
            [
                Shaded(
                    rates.get((place, hour)),
                    cells[place, hour][0] if (place, hour) in cells else None,
                    shade(rates.get((place, hour)), best),
                )
                for hour in hours_tried
            ],
        )
        for place, weekday in enumerate(WEEKDAYS)
    ]
    return Picture(code, rows, [f"{hour:02d}" for hour in hours_tried])


def _named(code: str, given: Mapping[str, Any]) -> Picture:
    return Picture(code, [], extra={name: number(value) for name, value in given.items()})


def _compliance(code: str, given: Sequence[Mapping[str, Any]]) -> Picture:
    rows = [
        (str(row["rule"]), number(row.get("blocked")) or Decimal(0), number(row.get("overridden")) or Decimal(0))
        for row in given
    ]
    return Picture(code, rows)


def charts(report: Report) -> dict[str, Any]:
    """What ``charts.js`` draws: lines and bars; the rest are tables with shades."""
    found: dict[str, Any] = {}
    if vintages := report.pictures.get("vintages"):
        found["vintages-chart"] = {
            "kind": "line",
            "unit": "%",
            "from_zero": True,
            "labels": [_("%(days)s days") % {"days": age} for age in vintages.columns],
            "series": [
                {
                    "label": month,
                    "values": [
                        float(share) if share is not None and _is_old_enough(month, int(age), report.as_of) else None
                        for age, share in zip(vintages.columns, shares, strict=True)
                    ],
                }
                for month, _billed, shares in reversed(_drawn_months(vintages.rows, report.as_of))
            ],
        }
    if ageing := report.pictures.get("ageing"):
        oldest_first = list(reversed(ageing.rows))
        found["ageing-chart"] = {
            "kind": "bar",
            "stacked": True,
            "unit": "money",
            "days": [on.isoformat() for on, _amounts in oldest_first],
            "series": [
                {"label": bucket, "values": [float(amounts[place]) for _on, amounts in oldest_first]}
                for place, bucket in enumerate(ageing.columns)
            ],
        }
    if (cost := report.pictures.get("cost")) and any(cost.extra.get(name) for name in COSTS):
        found["cost-chart"] = {
            "kind": "bar",
            "unit": "money",
            "labels": [said(COSTS[name]) for name in COSTS],
            "series": [{"label": _("Cost"), "values": [float(cost.extra.get(name) or 0) for name in COSTS]}],
        }
    return {"currency": report.currency, "charts": found}


def _is_old_enough(month: str, age: int, on: date) -> bool:
    """Whether the youngest bills of a month were that old by then: before, its share still grows."""
    return _last_of(month) + timedelta(days=age) <= on


def _drawn_months(rows: Sequence[Any], on: date) -> list[Any]:
    """The latest months of which something can be drawn; the table has all of them."""
    return [row for row in rows if _last_of(str(row[0])) + timedelta(days=YOUNGEST) <= on][:DRAWN_MONTHS]


def _last_of(month: str) -> date:
    first = date.fromisoformat(f"{month}-01")
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


#: What collecting costs is made of, in order.
COSTS = {
    "pay": gettext_noop("Pay"),
    "calls": gettext_noop("Calls"),
    "messages": gettext_noop("Messages"),
    "commission": gettext_noop("Commission"),
    "overhead": gettext_noop("Overhead"),
}


def trend_chart(line: Line) -> dict[str, Any]:
    """The trend of one figure, large."""
    known = dict(line.points)
    first, last = (line.points[0][0], line.points[-1][0]) if line.points else (date.max, date.min)
    # A day without a record leaves its room.
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    values = [float(known[on]) if on in known else None for on in days]
    series = {"label": line.title, "values": values}
    unit = "%" if line.kpi.unit == "%" else ""
    return {
        "kind": "line",
        "unit": unit,
        "days": [on.isoformat() for on in days],
        "series": [series],
    }


# Files --------------------------------------------------------------------------------------------------------------


def figures_sheet(report: Report) -> Sheet:
    """One row a figure, each with what reproduces it."""
    columns = [
        Column("as_of", "day"), Column("days", "number"), Column("currency"), Column("scope"), Column("group"),
        Column("kpi"), Column("title"), Column("value", "number"), Column("unit"), Column("before", "number"),
        Column("change", "number"), Column("target", "number"), Column("met"), Column("numerator", "number"),
        Column("denominator", "number"), Column("formula"), Column("no_value_because"),
    ]  # fmt: skip
    return Sheet("Figures", columns, [row for group in report.groups for row in _rows(report, group)], report.currency)


def _rows(report: Report, group: Group) -> Iterator[list[Cell]]:
    for line in group.lines:
        met = "" if line.met is None else "met" if line.met else "not met"
        yield [
            report.as_of, report.days, report.currency, str(report.scope), group.title, line.key, line.title,
            line.value, line.kpi.unit, line.before, line.change, line.target.value if line.target else None, met,
            line.numerator, line.denominator, line.formula, line.reason,
        ]  # fmt: skip


def sheets(report: Report) -> Iterator[Sheet]:
    """The whole page for a workbook: the figures, what is owed, and each picture's table."""
    yield figures_sheet(report)
    currency = report.currency
    owed: list[list[Cell]] = [[name, number(report.receivables.get(name))] for name in ("open", "overdue")] + [
        [bucket, number(amount)] for bucket, amount in report.receivables.get("buckets", {}).items()
    ]
    yield Sheet("Receivables", [Column("what"), Column("amount", "amount")], owed, currency)
    for picture in report.pictures.values():
        if (sheet := _SHEETS.get(picture.code)) is not None:
            yield sheet(picture, currency)


def _matrix_sheet(picture: Picture, currency: str) -> Sheet:
    columns = [Column("from"), Column("to"), Column("share_percent", "number"), Column("amount", "amount")]
    rows: list[list[Cell]] = [
        [bucket, name, cell.value, cell.beside]
        for bucket, cells in picture.rows
        for name, cell in zip(picture.columns, cells, strict=True)
    ]
    return Sheet("Roll rates", columns, rows, currency)


def _vintage_sheet(picture: Picture, currency: str) -> Sheet:
    columns = [Column("month"), Column("billed", "amount")]
    columns += [Column(f"percent_after_{age}_days", "number") for age in picture.columns]
    return Sheet("Vintages", columns, [[month, billed, *shares] for month, billed, shares in picture.rows], currency)


def _ageing_sheet(picture: Picture, currency: str) -> Sheet:
    columns = [Column("on", "day"), *(Column(bucket, "amount") for bucket in picture.columns)]
    return Sheet("Ageing", columns, [[on, *amounts] for on, amounts in picture.rows], currency)


def _funnel_sheet(picture: Picture, currency: str) -> Sheet:
    columns = [Column("step"), Column("count", "number"), Column("amount", "amount")]
    title = "Promises" if picture.code == "promise_funnel" else "Contacts"
    return Sheet(title, columns, [[step.name, step.count, step.amount] for step in picture.rows], currency)


def _heat_sheet(picture: Picture, currency: str) -> Sheet:
    columns = [Column("weekday"), Column("hour"), Column("attempts", "number"), Column("right_party_percent", "number")]
    rows: list[list[Cell]] = [
        [weekday, hour, cell.beside, cell.value]
        for weekday, cells in picture.rows
        for hour, cell in zip(picture.columns, cells, strict=True)
        if cell.beside
    ]
    return Sheet("Hours", columns, rows, currency)


def _named_sheet(picture: Picture, currency: str) -> Sheet:
    title = "Cost" if picture.code == "cost" else "Limits"
    kind = "amount" if picture.code == "cost" else "number"
    return Sheet(title, [Column("what"), Column("value", kind)], list(picture.extra.items()), currency)


def _compliance_sheet(picture: Picture, currency: str) -> Sheet:
    columns = [Column("rule"), Column("blocked", "number"), Column("overridden", "number")]
    return Sheet("Compliance", columns, list(picture.rows), currency)


_SHEETS = {
    "roll_matrix": _matrix_sheet,
    "vintages": _vintage_sheet,
    "ageing": _ageing_sheet,
    "promise_funnel": _funnel_sheet,
    "contact_funnel": _funnel_sheet,
    "heat_map": _heat_sheet,
    "suspension": _named_sheet,
    "cost": _named_sheet,
    "compliance": _compliance_sheet,
}
