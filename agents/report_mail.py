"""A report as a mail: what changed most in words, tables with charts above them, a spreadsheet, links into the desk.

Made from the records of its day and from nothing else. Figures only: whoever wants to know whom a number is about
follows its link and signs in. Every chart stands above the table it is drawn from, so that nothing is said by a picture
alone; the plain text has the same tables.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton
from babel.numbers import format_compact_currency, format_currency, format_decimal
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import money
from accounts.refusals import Refused
from agents import kpi_files, report_charts, reporting, reports, snapshots, targets
from agents.models import ReportRecipient, ReportSchedule, Snapshot
from agents.report_charts import Picture, Trend
from agents.reporting import COSTS, Line, Report
from agents.scopes import EVERYTHING, Scope
from agents.templatetags.desk import NONE, day, page_direction, page_language
from agents.templatetags.figures import changed, in_unit, plain_number
from agents.words import from_left, of_code, said, within
from dunning.gateways.base import Enclosure

#: A mail stays below this, as it travels: some relays take no more, and nobody waits for it on a phone.
LARGEST = 1_000_000
#: What text and HTML and the envelope take of it.
_FOR_WORDS = 200_000
#: So many changes are told in words, and drawn as lines.
MOST_CHANGES = 3
#: So many weeks of what was past due.
WEEKS = 13
#: Changes are weighed against the figure, but no less than against so much: from 0.1 % to 0.3 % is no news.
_LEAST_BASE = {"%": Decimal(10), "money": Decimal(0)}
#: From here on nobody reads the decimals of an amount.
_WHOLE_FROM = Decimal(100_000)
#: Groups of the page that are a part of their own.
_GROUPS = {"complaints": "Customers"}

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class NothingRecorded(Refused):
    """The close of the day recorded nothing for this scope, length and currency."""

    code = "not_found"


@dataclass(frozen=True, slots=True)
class Mail:
    subject: str
    text: str
    html: str
    enclosures: tuple[Enclosure, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture as the HTML names it, and in words."""

    cid: str
    alt: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class Cell:
    words: str
    url: str = ""
    #: ``good``, ``bad`` or nothing: said in words too, never by colour alone.
    tone: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One part of a report: columns with whether they hold numbers, rows whose first cell is their heading."""

    title: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[Cell]]
    chart: Chart | None = None
    note: str = ""

    @property
    def lines(self) -> list[str]:
        """As plain text, in columns."""
        heads = [heading for heading, _number in self.columns]
        cells = [[", ".join(filter(None, (cell.words, cell.note))) for cell in row] for row in self.rows]
        wide = [max(_breadth(row[place]) for row in [heads, *cells]) for place in range(len(heads))]
        numbers = [number for _heading, number in self.columns]
        rule = ["-" * size for size in wide]
        return [
            "  ".join(
                f"{' ' * (size - _breadth(cell))}{cell}" if number else f"{cell}{' ' * (size - _breadth(cell))}"
                for cell, size, number in zip(row, wide, numbers, strict=True)
            ).rstrip()
            for row in (heads, rule, *cells)
        ]


def _breadth(text: str) -> int:
    """How many places it takes in a line: marks above letters, and what only turns the direction, take none."""
    return sum(unicodedata.category(letter) not in ("Mn", "Cf") for letter in text)


@dataclass(slots=True)
class Section:
    """A report in one currency."""

    report: Report
    url: str
    changes: Sequence[str]
    tables: list[Table]
    #: The spreadsheet beside the mail, or its address where the mail would grow too large.
    file: str = ""
    file_url: str = ""


@dataclass(slots=True)
class _Room:
    """What a mail still has room for."""

    left: int
    taken: list[Enclosure] = field(default_factory=list)

    def takes(self, one: Enclosure) -> bool:
        """Put it in, unless the mail would grow too large; it travels as text, a third longer."""
        size = len(one.content) * 4 // 3 + 1_000
        if size > self.left:
            return False
        self.left -= size
        self.taken.append(one)
        return True


@dataclass(frozen=True, slots=True)
class Content:
    """What a report of a day says in one language, whoever reads it."""

    schedule: ReportSchedule
    as_of: date
    language: str
    sections: Sequence[Section]
    enclosures: tuple[Enclosure, ...]


def content_of(schedule: ReportSchedule, *, as_of: date, language: str, largest: int = LARGEST) -> Content:
    """What the records of the day say, drawn and as a spreadsheet. Raises ``NothingRecorded``.

    As it travels the mail has at most ``largest`` bytes: what does not fit is left out, charts whose tables say the
    same and spreadsheets, which the page gives too.
    """
    with translation.override(language):
        room = _Room(largest - _FOR_WORDS)
        records = enumerate(_records(schedule, as_of), start=1)
        sections = [_section(schedule, now, before, room, number) for number, (now, before) in records]
    return Content(schedule, as_of, language, sections, tuple(room.taken))


def mail_of(content: Content, *, recipient: ReportRecipient | None = None, stop_url: str = "") -> Mail:
    """The mail to one reader; without a recipient to whoever keeps the report and asked for it."""
    schedule, sections = content.schedule, content.sections
    with translation.override(content.language):
        period = _period(schedule, content.as_of)
        context = {
            "title": schedule.title,
            "period": period,
            "scope": scope_in_words(reports.scope_of(schedule)),
            "sections": sections,
            "several": len(sections) > 1,
            "first": next((line for section in sections for line in section.changes), ""),
            "recorded": _recorded(sections[0].report),
            "owner": schedule.owner,
            "operator": settings.DESK_OPERATOR["name"],
            "is_for_reader": recipient is not None,
            "schedule_url": _address("report", schedule.pk) if _keeps(schedule, recipient) else "",
            "stop_url": stop_url,
            "before": _("Before"),
            "language": page_language(),
            "direction": page_direction(),
        }
        html = render_to_string("supervise/reports/mail.html", context)
        text = render_to_string("supervise/reports/mail.txt", context)
    return Mail(f"{schedule.title}: {period}", _tidy(text), html, content.enclosures)


def _keeps(schedule: ReportSchedule, recipient: ReportRecipient | None) -> bool:
    """Whether whoever reads it may change it: its owner, or whoever asked for it on its page."""
    return recipient is None or recipient.agent_id == schedule.owner_id


def _records(schedule: ReportSchedule, as_of: date) -> list[tuple[Snapshot, Snapshot | None]]:
    """The day's own record in each currency, with that of the period before where there is one."""
    scope, wanted = reports.scope_of(schedule), schedule.currency
    found = []
    for currency in sorted(
        one.currency
        for one in snapshots.kept(as_of=as_of)
        if one.scope == scope and one.days == schedule.days and not one.restated and wanted in ("", one.currency)
    ):
        pair = snapshots.pair(as_of=as_of, days=schedule.days, currency=currency, scope=scope, as_recorded=True)
        if pair.now is not None:
            found.append((pair.now, pair.before))
    if not found:
        raise NothingRecorded(f"Nothing was recorded of {scope} over {schedule.days} days on {as_of}.")
    return found


def _section(schedule: ReportSchedule, now: Snapshot, before: Snapshot | None, room: _Room, number: int) -> Section:
    scope = Scope(now.dimension, now.member)
    trend = snapshots.series(until=now.as_of, days=now.days, currency=now.currency, scope=scope)
    report = reporting.of_snapshot(now, before=before, trend=trend, aims=targets.in_force(as_of=now.as_of, scope=scope))
    tables: list[Table] = []
    for part in reports.PARTS:
        if part in schedule.parts:
            for table in _TABLES[part](report, before):
                tables.append(_with_room(table, room, f"{number}-{len(tables) + 1}"))
    section = Section(report, _page(report), _changes(report), tables)
    name = f"figures-{report.as_of}-{report.days}d-{report.currency}.xlsx".lower()
    with kpi_files.as_xlsx(reporting.sheets(report)) as file:
        if room.takes(Enclosure(name=name, media_type=XLSX, content=file.read())):
            section.file = name
        else:
            section.file_url = f"{_address('figures_file', 'xlsx')}?{_question(report)}"
    return section


def _with_room(table: Table, room: _Room, place: str) -> Table:
    """The table with its chart under a name of its own, or without where there is no room for it."""
    if table.chart is None:
        return table
    cid = f"chart-{place}@report"
    png = report_charts.png(table.chart.picture)
    taken = room.takes(Enclosure(name=f"chart-{place}.png", media_type="image/png", content=png, content_id=cid))
    chart = Chart(cid, table.chart.alt, table.chart.picture) if taken else None
    return Table(table.title, table.columns, table.rows, chart, table.note)


# Words --------------------------------------------------------------------------------------------------------------


def scope_in_words(scope: Scope) -> str:
    """What it is of: *The whole book*, *Team: North*."""
    if scope == EVERYTHING:
        return _("The whole book")
    return f"{said(Snapshot.Dimension(scope.dimension).label)}: {scope.member or _('none')}"


def _period(schedule: ReportSchedule, as_of: date) -> str:
    return _("%(days)s days until %(day)s") % {"days": schedule.days, "day": day(as_of)}


def _recorded(report: Report) -> str:
    at = report.recorded_at.astimezone(ZoneInfo(settings.DESK_TIME_ZONE))
    return f"{day(at.date())}, {at:%H:%M}"


def _heads(report: Report) -> list[Line]:
    """The figures themselves, without their variants and members."""
    return [line for line in report.lines if not line.is_variant]


def _weight(line: Line) -> Decimal:
    """How much of a change it is, beside the figure's own size."""
    sizes = [abs(value) for value in (line.before, line.value) if value is not None]
    base = max(*sizes, _LEAST_BASE.get(line.kpi.unit, Decimal(1)))
    return abs(line.change or Decimal(0)) / base if base else Decimal(0)


def _moved(report: Report) -> list[Line]:
    """What changed most against the period before, most first."""
    moved = [line for line in _heads(report) if line.change]
    return sorted(moved, key=_weight, reverse=True)[:MOST_CHANGES]


def _changes(report: Report) -> list[str]:
    """What somebody reads who reads no more than three lines."""
    compared = any(line.before is not None for line in _heads(report))
    moved = [_change_in_words(line, report.currency) for line in _moved(report)]
    if not moved:
        moved = [
            _("Nothing changed against the period before.")
            if compared
            else _("Of the period before nothing is recorded to compare with.")
        ]
    aimed = [line for line in report.lines if line.met is not None and not line.member]
    if aimed:
        missed = [_missed_in_words(line, report.currency) for line in aimed if not line.met]
        met = len(aimed) - len(missed)
        told = _("%(met)s of %(all)s targets are met.") % {"met": met, "all": len(aimed)}
        if len(missed) > MOST_CHANGES:
            more = _("and %(more)s more") % {"more": len(missed) - MOST_CHANGES}
            missed = [*missed[:MOST_CHANGES], more]
        if missed:
            told = " ".join([told, _("Not met: %(figures)s.") % {"figures": "; ".join(missed)}])
        moved.append(told)
    return moved


def _change_in_words(line: Line, currency: str) -> str:
    up = (line.change or 0) > 0
    if line.improved is None:
        told = (
            _("%(figure)s rose from %(before)s to %(now)s (%(change)s).")
            if up
            else _("%(figure)s fell from %(before)s to %(now)s (%(change)s).")
        )
    elif line.improved:
        told = (
            _("%(figure)s rose from %(before)s to %(now)s (%(change)s), which is better.")
            if up
            else _("%(figure)s fell from %(before)s to %(now)s (%(change)s), which is better.")
        )
    else:
        told = (
            _("%(figure)s rose from %(before)s to %(now)s (%(change)s), which is worse.")
            if up
            else _("%(figure)s fell from %(before)s to %(now)s (%(change)s), which is worse.")
        )
    return told % {
        "figure": line.title,
        "before": in_unit(line.before, line.kpi.unit, currency),
        "now": in_unit(line.value, line.kpi.unit, currency),
        "change": changed(line, currency),
    }


def _missed_in_words(line: Line, currency: str) -> str:
    return _("%(figure)s at %(now)s, target %(target)s") % {
        "figure": line.title,
        "now": in_unit(line.value, line.kpi.unit, currency),
        "target": _aim(line, currency),
    }


def _aim(line: Line, currency: str) -> str:
    assert line.target is not None
    return f"{within(line.target.get_aim_display())} {in_unit(line.target.value, line.kpi.unit, currency)}"


# Links --------------------------------------------------------------------------------------------------------------


def _address(name: str, *parts: object) -> str:
    return f"{settings.DESK_PUBLIC_URL}{reverse(name, args=parts)}"


def _question(report: Report) -> str:
    """What the figures page takes to show the same: the record of that day."""
    return urlencode(
        {
            "as_of": report.as_of.isoformat(), "days": report.days, "currency": report.currency,
            "scope": str(report.scope), "view": "recorded",
        }
    )  # fmt: skip


def _page(report: Report) -> str:
    return f"{_address('figures')}?{_question(report)}"


def _trend_of(report: Report, line: Line) -> str:
    return f"{_address('figures_trend', line.key)}?{_question(report)}"


def _behind(report: Report, drill: str) -> str:
    return f"{_address('figures_accounts', drill)}?{_question(report)}"


# Tables -------------------------------------------------------------------------------------------------------------


def _figures(report: Report, before: Snapshot | None) -> Iterator[Table]:
    """What is owed, and every figure but those that are a part of their own, against the period before and target."""
    groups = [group for group in report.groups if group.title not in _GROUPS.values()]
    lines = [line for group in groups for block in group.blocks if (line := block.head)]
    rows = [*_owed_rows(report, before), *(_figure_row(report, line) for line in lines)]
    chart = _trends(report)
    note = _("Drawn day by day; a dashed line is the target.") if chart is not None else ""
    yield Table(_("Figures"), _figure_columns(), rows, chart, note)


def _figure_columns() -> list[tuple[str, bool]]:
    return [(_("Figure"), False), (_("Now"), True), (_("Before"), True), (_("Change"), True), (_("Target"), False)]


def _owed_rows(report: Report, before: Snapshot | None) -> Iterator[list[Cell]]:
    earlier = before.receivables if before is not None else {}
    owed = (("open", _("Open at the end"), ""), ("overdue", _("Past due at the end"), "overdue"))
    for name, title, drill in owed:
        now, was = reporting.number(report.receivables.get(name)), reporting.number(earlier.get(name))
        change = now - was if now is not None and was is not None else None
        tone = "" if not change or name == "open" else "bad" if change > 0 else "good"
        sign = "" if not change else "+" if change > 0 else "\N{MINUS SIGN}"
        written = _owed(abs(change), report.currency) if change is not None else NONE
        yield [
            Cell(title, _behind(report, drill) if drill else _page(report)),
            Cell(_owed(now, report.currency)),
            Cell(_owed(was, report.currency)),
            Cell(from_left(f"{sign}{written}"), tone=tone, note=_judged(tone)),
            Cell(NONE),
        ]


def _owed(amount: Decimal | None, currency: str) -> str:
    """An amount with its currency, without decimals where it is large."""
    if amount is None or abs(amount) < _WHOLE_FROM:
        return in_unit(amount, "money", currency)
    return str(format_currency(amount, currency, format="¤#,##0", locale=page_language(), currency_digits=False))


def _judged(tone: str) -> str:
    return _("better") if tone == "good" else _("worse") if tone == "bad" else ""


def _figure_row(report: Report, line: Line, *, title: str = "") -> list[Cell]:
    unit, currency = line.kpi.unit, report.currency
    # A change that nobody sees is neither better nor worse.
    seen = in_unit(line.value, unit, currency) != in_unit(line.before, unit, currency)
    tone = "" if line.improved is None or not seen else "good" if line.improved else "bad"
    aim = Cell(NONE)
    if line.target is not None:
        met = "" if line.met is None else "good" if line.met else "bad"
        judged = {"good": _("met"), "bad": _("not met")}.get(met, "")
        aim = Cell(_aim(line, currency), tone=met, note=judged)
    value = in_unit(line.value, unit, currency) if line.value is not None else _("n/a")
    return [
        Cell(title or line.title, _trend_of(report, line)),
        Cell(value, _behind(report, line.kpi.drill) if line.kpi.drill and line.value is not None else ""),
        Cell(in_unit(line.before, unit, currency)),
        Cell(changed(line, currency), tone=tone, note=_judged(tone)),
        aim,
    ]


def _trends(report: Report) -> Chart | None:
    """How what changed most came there, day by day; where nothing is known to have, what has a target."""
    told = [*_moved(report), *(line for line in _heads(report) if line.target is not None)]
    found = list(dict.fromkeys(line.key for line in told if len(line.points) > 1 and line.value is not None))
    lines = {line.key: line for line in told}
    if not found:
        return None
    return _lines([lines[key] for key in found[:MOST_CHANGES]], report)


def _lines(found: Sequence[Line], report: Report) -> Chart:
    trends = [
        Trend(
            line.title,
            [(on.toordinal(), float(value)) for on, value in line.points],
            _short_day(line.points[0][0]),
            _short_day(line.points[-1][0]),
            in_unit(line.value, line.kpi.unit, report.currency),
            float(line.target.value) if line.target is not None else None,
        )
        for line in found
    ]
    told = [
        _("%(figure)s from %(first)s on %(begin)s to %(last)s on %(end)s")
        % {
            "figure": line.title,
            "first": in_unit(line.points[0][1], line.kpi.unit, report.currency),
            "begin": day(line.points[0][0]),
            "last": in_unit(line.points[-1][1], line.kpi.unit, report.currency),
            "end": day(line.points[-1][0]),
        }
        for line in found
    ]
    return Chart("", _("Lines, day by day: %(lines)s.") % {"lines": "; ".join(told)}, report_charts.lines(trends))


def _ageing(report: Report, before: Snapshot | None) -> Iterator[Table]:
    if (picture := report.pictures.get("ageing")) is None or not picture.rows:
        return
    weeks = list(picture.rows)[:WEEKS]
    oldest_first = weeks[::-1]
    totals = [(on, sum(amounts, Decimal(0))) for on, amounts in weeks]
    (last_on, last), (first_on, first) = totals[0], totals[-1]
    alt = _("Columns of what was past due: %(first)s on %(begin)s, %(last)s on %(end)s.") % {
        "first": in_unit(first, "money", report.currency),
        "begin": day(first_on),
        "last": in_unit(last, "money", report.currency),
        "end": day(last_on),
    }
    drawn = report_charts.columns(
        [_short_day(on) for on, _amounts in oldest_first],
        [
            (bucket, [float(amounts[place]) for _on, amounts in oldest_first])
            for place, bucket in enumerate(picture.columns)
        ],
        write=lambda amount: _compact(amount, report.currency),
    )
    wide = len(picture.columns) + 1
    written = _amounts(
        [amount for on, amounts in weeks for amount in (*amounts, sum(amounts, Decimal(0)))], report.currency
    )
    rows = [
        [Cell(day(on)), *(Cell(words) for words in written[place * wide : (place + 1) * wide])]
        for place, (on, _amounts_of_week) in enumerate(weeks)
    ]
    heads = [(_("Day"), False), *((bucket, True) for bucket in picture.columns), (_("In all"), True)]
    note = _("Amounts in %(currency)s by days past due.") % {"currency": report.currency}
    yield Table(_("Overdue by age, over time"), heads, rows, Chart("", alt, drawn), note)


def _rolls(report: Report, before: Snapshot | None) -> Iterator[Table]:
    lines = [line for line in report.lines if line.kpi.name == "roll_rates" and line.member]
    if not any(line.value is not None for line in lines):
        return
    known = [line for line in lines if line.value is not None]
    bars = [(line.member, float(line.value or 0), in_unit(line.value, "%")) for line in known]
    rows = [_figure_row(report, line, title=from_left(line.member)) for line in lines]
    note = _("Of what was in a bucket, the share that came into the next.")
    yield Table(_("Where money rolled"), _figure_columns(), rows, _bars(bars), note)


def _promises(report: Report, before: Snapshot | None) -> Iterator[Table]:
    picture = report.pictures.get("promise_funnel")
    if picture is None or not any(step.count for step in picture.rows):
        return
    rows = [
        [
            Cell(of_code(step.name)), Cell(plain_number(step.count)), Cell(in_unit(step.share, "%")),
            Cell(in_unit(step.amount, "money", report.currency)),
        ]
        for step in picture.rows
    ]  # fmt: skip
    heads = [(_("Step"), False), (_("Count"), True), (_("Of those that fell due"), True), (_("Amount"), True)]
    yield Table(_("What became of promises"), heads, rows, _funnel(picture.rows))


def _contacts(report: Report, before: Snapshot | None) -> Iterator[Table]:
    picture = report.pictures.get("contact_funnel")
    if picture is None or not any(step.count for step in picture.rows):
        return
    rows = [
        [Cell(of_code(step.name)), Cell(plain_number(step.count)), Cell(in_unit(step.share, "%"))]
        for step in picture.rows
    ]
    heads = [(_("Step"), False), (_("Count"), True), (_("Of the one before"), True)]
    yield Table(_("From the queue to a kept promise"), heads, rows, _funnel(picture.rows))


def _costs(report: Report, before: Snapshot | None) -> Iterator[Table]:
    picture = report.pictures.get("cost")
    if picture is None or not picture.extra.get("total"):
        return
    parts = [(said(words), picture.extra.get(code) or Decimal(0)) for code, words in COSTS.items()]
    bars = [(name, float(amount), in_unit(amount, "money", report.currency)) for name, amount in parts]
    whole = [*parts, (_("In all"), picture.extra.get("total")), (_("Collected"), picture.extra.get("collected"))]
    rows = [[Cell(name), Cell(in_unit(amount, "money", report.currency))] for name, amount in whole]
    yield Table(_("What collecting cost"), [(_("Kind"), False), (_("Amount"), True)], rows, _bars(bars))


def _complaints(report: Report, before: Snapshot | None) -> Iterator[Table]:
    groups = [group for group in report.groups if group.title == _GROUPS["complaints"]]
    rows = [_figure_row(report, line) for group in groups for block in group.blocks if (line := block.head)]
    if rows:
        yield Table(_("Complaints and customers' answers"), _figure_columns(), rows)


def _funnel(steps: Sequence[Any]) -> Chart:
    return _bars([(of_code(step.name), float(step.count), plain_number(step.count)) for step in steps])


def _bars(rows: Sequence[tuple[str, float, str]]) -> Chart:
    alt = _("Bars: %(bars)s.") % {"bars": ", ".join(f"{name} {words}" for name, _value, words in rows)}
    return Chart("", alt, report_charts.bars(rows, mirrored=page_direction() == "rtl"))


def _short_day(on: date) -> str:
    """As ``day`` writes it, without the year."""
    if page_language() == "en":
        return f"{on.day} {on:%b}"
    return str(format_skeleton("MMMd", on, locale=page_language()))


def _amounts(amounts: Iterable[Decimal | None], currency: str) -> list[str]:
    """Amounts of one currency under each other: with its decimals, or without where they are large."""
    found = list(amounts)
    largest = max((abs(amount) for amount in found if amount is not None), default=Decimal(0))
    decimals = 0 if largest >= _WHOLE_FROM else money.exponent(currency)
    pattern = f"#,##0.{'0' * decimals}" if decimals else "#,##0"
    return [
        NONE if amount is None else str(format_decimal(amount, format=pattern, locale=page_language()))
        for amount in found
    ]


def _compact(amount: float, currency: str) -> str:
    return str(format_compact_currency(Decimal(str(amount)), currency, locale=page_language(), fraction_digits=1))


#: What each part of a report is.
_TABLES: Mapping[str, Any] = {
    "figures": _figures,
    "ageing": _ageing,
    "rolls": _rolls,
    "promises": _promises,
    "contacts": _contacts,
    "costs": _costs,
    "complaints": _complaints,
}


def _tidy(text: str) -> str:
    """No more than one empty line in a row, none at the ends."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).strip() + "\n"
