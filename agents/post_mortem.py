"""What was written off and why, read in bulk: the rows of a period, what led to each, and those that paid beside them.

Four statements, whatever the period: both groups are found first, then what led to each is asked for all of them at
once. What is said of a course is what was known on its last day; what was recovered since is as of now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Count

from accounts.position import BUCKETS, bucket_of
from agents import lessons
from agents.lessons import NOTHING, Course, Finding, Lesson
from dunning import policy
from dunning.models import Segment, WriteOff

#: Stands for a segment, product or policy that is not known, in addresses too: no code has brackets.
NONE = "(none)"
#: What both groups have, and may therefore be narrowed by.
SHARED = ("segment", "product", "policy")


@dataclass(frozen=True, slots=True)
class WrittenOff:
    """One write-off, as it stood on its day, with what became of it since."""

    pk: int
    account_id: int
    account_ref: str
    on: date
    amount: Decimal
    tax: Decimal
    #: Taken back since by credits of billing, and paid since by the customer.
    credited: Decimal
    recovered: Decimal
    days_past_due: int
    #: What it is grouped by: dimension → key.
    keys: Mapping[str, str]
    course: Course

    @property
    def net(self) -> Decimal:
        """What is lost for now."""
        return self.amount - self.credited - self.recovered

    @property
    def findings(self) -> list[Finding]:
        return lessons.findings(self.course)


@dataclass(slots=True)
class Sums:
    """Write-offs together. ``accounts`` counts each account once."""

    amount: Decimal = NOTHING
    tax: Decimal = NOTHING
    credited: Decimal = NOTHING
    recovered: Decimal = NOTHING
    write_offs: int = 0
    days: int = 0
    _accounts: set[int] = field(default_factory=set)

    def add(self, row: WrittenOff) -> None:
        self.amount += row.amount
        self.tax += row.tax
        self.credited += row.credited
        self.recovered += row.recovered
        self.write_offs += 1
        self.days += row.days_past_due
        self._accounts.add(row.account_id)

    @property
    def accounts(self) -> int:
        return len(self._accounts)

    @property
    def net(self) -> Decimal:
        return self.amount - self.credited - self.recovered

    @property
    def average_age(self) -> int | None:
        """Mean days past due on the day of the write-off, rounded half up."""
        return (2 * self.days + self.write_offs) // (2 * self.write_offs) if self.write_offs else None


@dataclass(frozen=True, slots=True)
class Group:
    """One row of a table; ``share`` is of the amount of all of them, in percent."""

    key: str
    label: str
    sums: Sums
    share: Decimal


@dataclass(frozen=True, slots=True)
class Table:
    code: str
    title: str
    groups: list[Group]


@dataclass(frozen=True, slots=True)
class PostMortem:
    """The page: one currency, ``rows`` newest first."""

    currency: str
    rows: list[WrittenOff]
    totals: Sums
    months: list[tuple[date, Sums]]
    tables: list[Table]
    lessons: list[Lesson]
    #: How many accounts paid in the period.
    paid: int
    #: What the period can be narrowed by: dimension → (key, label), whatever it is narrowed by now.
    choices: dict[str, list[tuple[str, str]]]


def currencies(*, first: date, last: date) -> list[str]:
    """The currencies of what was written off in the period, the most frequent first. One query."""
    counted = WriteOff.objects.filter(on__range=(first, last)).values("currency").annotate(rows=Count("pk"))
    return list(counted.order_by("-rows", "currency").values_list("currency", flat=True))


def read(*, first: date, last: date, currency: str, narrowed: Mapping[str, str] | None = None) -> PostMortem:
    """What was written off from ``first`` to ``last``, both included, in one currency.

    ``narrowed`` keeps what has those keys of ``SHARED``, in both groups. Four statements.
    """
    wanted = {dimension: key for dimension, key in (narrowed or {}).items() if dimension in SHARED and key}
    names = dict(Segment.objects.values_list("code", "name"))
    with connection.cursor() as cursor:
        asked: dict[str, Any] = {"first": first, "last": last, "currency": currency, "zone": settings.DESK_TIME_ZONE}
        cursor.execute(_WRITTEN_OFF, asked)
        written_off = [_Found(*row) for row in cursor]
        cursor.execute(_PAID, asked)
        paid = [_Found(*row) for row in cursor]
        choices = {name: _choices(written_off, name, names) for name in SHARED}
        for key, value in wanted.items():
            written_off = [found for found in written_off if found.keys[key] == value]
            paid = [found for found in paid if found.keys[key] == value]
        courses = _courses(cursor, [*written_off, *paid], currency)
    rows = [_row(found, course) for found, course in zip(written_off, courses, strict=False)]
    totals = Sums()
    months: dict[date, Sums] = defaultdict(Sums)
    for row in rows:
        totals.add(row)
        months[row.on.replace(day=1)].add(row)
    controls = courses[len(written_off) :]
    return PostMortem(
        currency=currency,
        rows=rows,
        totals=totals,
        months=sorted(months.items(), key=lambda month: month[0]),
        tables=[_table(code, title, rows, totals, order, names) for code, title, order in _TABLES],
        lessons=lessons.learn([row.course for row in rows], controls),
        paid=len({course.account for course in controls}),
        choices=choices,
    )


def shown(rows: Sequence[WrittenOff], *, by: str, key: str) -> list[WrittenOff]:
    """The write-offs behind one row of a table, or behind one finding; all of them for a table there is not."""
    if by == "finding":
        return [row for row in rows if key in lessons.codes(row.course)]
    if by not in {code for code, _title, _order in _TABLES}:
        return list(rows)
    return [row for row in rows if row.keys[by] == key]


def label_of(report: PostMortem, *, by: str, key: str) -> str:
    """What that row of a table, or that finding, is called; nothing for one there is not."""
    if by == "finding":
        return lessons.titles().get(key, "")
    table = next((table for table in report.tables if table.code == by), None)
    return f"{table.title.lower()}: {_label(key, {})}" if table else ""


def _by_amount(groups: dict[str, Sums]) -> list[str]:
    return sorted(groups, key=lambda key: (-groups[key].amount, key))


def _in_order(order: Sequence[str]) -> Callable[[dict[str, Sums]], list[str]]:
    return lambda groups: [key for key in order if key in groups]


#: The tables: code, title, and the order of their rows.
_TABLES: tuple[tuple[str, str, Callable[[dict[str, Sums]], list[str]]], ...] = (
    ("segment", "Segment", _by_amount),
    ("product", "Product", _by_amount),
    ("policy", "Policy and version", _by_amount),
    ("reason", "Reason", _by_amount),
    ("contact", "Last contact", _in_order(lessons.LAST_CONTACTS)),
    ("age", "Days past due", _in_order(BUCKETS)),
    ("reach", "Reachable by", _by_amount),
)


def _table(
    code: str,
    title: str,
    rows: Sequence[WrittenOff],
    totals: Sums,
    order: Callable[[dict[str, Sums]], list[str]],
    names: Mapping[str, str],
) -> Table:
    groups: dict[str, Sums] = defaultdict(Sums)
    for row in rows:
        groups[row.keys[code]].add(row)
    labels = names if code == "segment" else {}
    return Table(
        code,
        title,
        [
            Group(key, _label(key, labels), groups[key], _share(groups[key].amount, totals.amount))
            for key in order(groups)
        ],
    )


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return part * 100 / whole if whole else NOTHING


def _label(key: str, names: Mapping[str, str]) -> str:
    return "None" if key == NONE else names.get(key, key)


def _choices(rows: Sequence[_Found], name: str, names: Mapping[str, str]) -> list[tuple[str, str]]:
    keys = {found.keys[name] for found in rows}
    return sorted(((key, _label(key, names if name == "segment" else {})) for key in keys), key=lambda pair: pair[1])


class _Found:
    """A write-off or a paid case, before it is known what led to it."""

    __slots__ = ("account_id", "amounts", "case_id", "columns", "ended_on", "keys", "pk", "started_on")

    def __init__(
        self, pk: int, account_id: int, case_id: int | None, started_on: date, ended_on: date,
        segment: str, product: str, label: str, *columns: Any,
    ) -> None:  # fmt: skip
        self.pk, self.account_id, self.case_id = pk, account_id, case_id
        self.started_on, self.ended_on = started_on, ended_on
        self.keys = {"segment": segment or NONE, "product": product or NONE, "policy": label or NONE}
        #: Of a write-off alone: reference, reason, days past due, points of contact, amounts.
        self.columns = columns


def _row(found: _Found, course: Course) -> WrittenOff:
    ref, reason, days_past_due, kinds, amount, tax, credited, recovered = found.columns
    keys = found.keys | {
        "reason": reason or NONE,
        "contact": lessons.last_contact(course),
        "age": bucket_of(days_past_due),
        "reach": lessons.reach(kinds or ()),
    }
    return WrittenOff(
        pk=found.pk,
        account_id=found.account_id,
        account_ref=ref,
        on=found.ended_on,
        amount=amount,
        tax=tax,
        credited=credited,
        recovered=recovered,
        days_past_due=days_past_due,
        keys=keys,
        course=course,
    )


def _courses(cursor: CursorWrapper, found: Sequence[_Found], currency: str) -> list[Course]:
    """What led to each, in the same order: in one statement."""
    if not found:
        return []
    same_money = currency == settings.DESK_COST_CURRENCY
    parameters: dict[str, Any] = {
        "accounts": [one.account_id for one in found],
        "cases": [one.case_id for one in found],
        "starts": [one.started_on for one in found],
        "ends": [one.ended_on for one in found],
        "zone": settings.DESK_TIME_ZONE,
        "channels": list(settings.DESK_CHANNEL_COSTS),
        "costs": list(settings.DESK_CHANNEL_COSTS.values()),
        "press": [policy.LIMIT, policy.TRANSFER, policy.AGENCY],
    }

    cursor.execute(_LED_TO_IT, parameters)
    courses = []
    for one, told in zip(found, cursor.fetchall(), strict=True):
        made, delivered, bounced, tried, warned, last_message, most, cost = told[:8]
        due, spoken, first_spoken, last_spoken = told[8:12]
        limit_due, waited_for, handed_over, passed_over, pressed, on_time = told[12:18]
        limited_on, refused_for, is_protected, is_kept = told[18:22]
        held_days, held_for, broken, plans, broken_early, placed_on, lost_after = told[22:]
        due_on = due or one.started_on
        written_off = bool(one.columns)
        courses.append(
            Course(
                account=one.account_id,
                amount=one.columns[4] if written_off else most,
                due_on=min(due_on, one.started_on),
                ended_on=one.ended_on,
                in_policy=one.case_id is not None,
                passed_over=passed_over or False,
                pressed=pressed or False,
                started_late=(on_time - due_on).days if on_time else None,
                notices=made or 0,
                delivered=delivered or 0,
                bounced=bounced or 0,
                channels_tried=tried or 0,
                warnings_delivered=warned or 0,
                last_message_on=last_message,
                messages_cost=cost if same_money else None,
                conversations=spoken or 0,
                first_spoken_on=first_spoken,
                last_spoken_on=last_spoken,
                limit_due=limit_due or False,
                not_limited_for=_why(waited_for, refused_for, protected=is_protected or False, kept=is_kept or False),
                limited_on=limited_on,
                held_days=held_days or 0,
                held_for=tuple(held_for or ()),
                promises_broken=broken or 0,
                plans=plans or 0,
                plan_broken_early=broken_early or False,
                dispute_lost_after=lost_after,
                handed_over_on=handed_over,
                placed_on=placed_on,
            )
        )
    return courses


_WAITED_FOR = {
    policy.HELD: "a hold stopped it",
    policy.CLOSED_DAY: "it waited for a working day",
    policy.NOT_WARNED: "no warning had arrived",
    policy.NOTICE_RUNNING: "the time of its warning was still running",
    policy.BELOW_MINIMUM: "too little was open",
}


def _why(waited_for: str | None, refused_for: str | None, *, protected: bool, kept: bool) -> str:
    """Why nothing was limited, from the last state of the step, the services and the last order."""
    if waited_for in _WAITED_FOR:
        return _WAITED_FOR[waited_for]
    if protected:
        return "the service is protected"
    if kept:
        return "the service was kept"
    if waited_for == policy.NOTHING_TO_DO:
        return "there was nothing left to limit"
    if refused_for is not None:
        return "the network never confirmed it"
    return (waited_for or "").partition(": ")[2].replace("_", " ")


#: What was written off on one day stands as the journal has it; what came back takes the place of the oldest first.
_WRITTEN_OFF = """
    WITH chosen AS MATERIALIZED (
        SELECT w.*, a.ref AS account_ref, a.customer_id
          FROM dunning_writeoff w JOIN accounts_account a ON a.id = w.account_id
         WHERE w."on" BETWEEN %(first)s AND %(last)s AND w.currency = %(currency)s
    ), stands AS (
        SELECT account_id, "on", -sum(posted_amount) AS amount,
               sum(-sum(posted_amount)) OVER (PARTITION BY account_id ORDER BY "on") AS until
          FROM accounts_adjustment
         WHERE kind = 'write_off' AND account_id IN (SELECT account_id FROM chosen)
         GROUP BY account_id, "on"
    ), back AS (
        SELECT account_id,
               sum(amount * CASE '12000' WHEN debit_code THEN 1 WHEN credit_code THEN -1 ELSE 0 END) AS amount
          FROM accounts_journalentry
         WHERE event_type IN ('RECOVERY', 'RECOVERY_REVERSED') AND account_id IN (SELECT account_id FROM chosen)
         GROUP BY account_id
    )
    SELECT w.id, w.account_id, w.case_id, coalesce(c.opened_on, w."on" - w.days_past_due), w."on",
           w.segment, w.product, p.code || '@' || v.number, w.account_ref, w.reason, w.days_past_due, able.kinds,
           w.amount, w.tax_amount, w.amount - coalesce(s.amount, w.amount),
           least(greatest(coalesce(b.amount, 0) - coalesce(s.until - s.amount, 0), 0), coalesce(s.amount, w.amount))
      FROM chosen w JOIN accounts_customer k ON k.id = w.customer_id
      LEFT JOIN dunning_case c ON c.id = w.case_id
      LEFT JOIN dunning_policyversion v ON v.id = w.version_id LEFT JOIN dunning_policy p ON p.id = v.policy_id
      LEFT JOIN stands s ON s.account_id = w.account_id AND s."on" = w."on"
      LEFT JOIN back b ON b.account_id = w.account_id
     CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT x.kind) AS kinds FROM (
            SELECT * FROM (VALUES ('phone', k.phone), ('email', k.email), ('address', k.address)) AS own(kind, value)
             UNION ALL
            SELECT kind, value FROM accounts_contactpoint WHERE customer_id = k.id
               AND (valid_from IS NULL OR valid_from <= w."on") AND (valid_to IS NULL OR valid_to >= w."on")
        ) x WHERE x.value <> '' AND NOT EXISTS (
            SELECT 1 FROM accounts_unreachableaddress u WHERE u.kind = x.kind AND u.value = x.value
               AND u.since < (w."on" + 1)::timestamp AT TIME ZONE %(zone)s)
     ) able
     ORDER BY w."on" DESC, w.id DESC
"""
#: Cases that ended because everything was paid.
_PAID = """
    SELECT c.id, c.account_id, c.id, c.opened_on, c.closed_on, coalesce(nullif(c.segment, ''), a.segment), a.product,
           p.code || '@' || v.number
      FROM dunning_case c JOIN accounts_account a ON a.id = c.account_id
      JOIN dunning_policyversion v ON v.id = c.version_id JOIN dunning_policy p ON p.id = v.policy_id
     WHERE c.close_reason = 'paid' AND c.closed_on BETWEEN %(first)s AND %(last)s AND a.currency = %(currency)s
     ORDER BY c.id
"""
#: Every course that is asked about: its account, its case where it had one, its first and its last day.
_EPISODES = """
        SELECT * FROM unnest(%(accounts)s::bigint[], %(cases)s::bigint[], %(starts)s::date[], %(ends)s::date[])
                 WITH ORDINALITY AS e(account_id, case_id, starts, ends, n)
"""
#: Of its case, and of no case in its days.
_NOTICES = """
    SELECT e.n, count(*), count(*) FILTER (WHERE x.arrived_on <= e.ends),
           count(*) FILTER (WHERE x.state IN ('bounced', 'failed')),
           count(DISTINCT x.channel) FILTER (WHERE x.tried),
           count(*) FILTER (WHERE x.arrived_on <= e.ends AND x.consequence <> ''),
           max(x.arrived_on) FILTER (WHERE x.arrived_on <= e.ends), max(x.amount),
           sum(k.each) FILTER (WHERE x.tried)
      FROM e JOIN (
        SELECT account_id, case_id, made_on, channel, state, consequence, amount,
               state NOT IN ('pending', 'handing_over', 'withdrawn') AS tried,
               CASE WHEN state IN ('sent', 'delivered')
                    THEN (coalesce(delivered_at, counts_from) AT TIME ZONE %(zone)s)::date END AS arrived_on
          FROM dunning_notice
      ) x ON x.account_id = e.account_id
       AND (x.case_id = e.case_id OR (x.case_id IS NULL AND x.made_on BETWEEN e.starts AND e.ends))
      LEFT JOIN unnest(%(channels)s::text[], %(costs)s::numeric[]) AS k(channel, each) ON k.channel = x.channel
     GROUP BY e.n
"""
#: Due date of the oldest bill that the first notice of its case named.
_DUE = """
    SELECT f.n, min(b.due_on) FROM (
        SELECT DISTINCT ON (e.n) e.n, x.bill_refs FROM e JOIN dunning_notice x ON x.case_id = e.case_id
         ORDER BY e.n, x.id
    ) f CROSS JOIN unnest(f.bill_refs) AS r(ref) JOIN accounts_bill b ON b.ref = r.ref
     GROUP BY f.n
"""
_TALKS = """
    SELECT e.n, count(*), (min(i.at) AT TIME ZONE %(zone)s)::date, (max(i.at) AT TIME ZONE %(zone)s)::date
      FROM e JOIN agents_interaction i ON i.account_id = e.account_id AND i.right_party AND i.undone_at IS NULL
       AND i.at >= e.starts::timestamp AT TIME ZONE %(zone)s AND i.at < (e.ends + 1)::timestamp AT TIME ZONE %(zone)s
     GROUP BY e.n
"""
#: The day on which the first step would have been on time is left out where a policy counts working days.
_STEPS = """
    SELECT e.n, coalesce(bool_or(s.action = 'limit' AND s.result <> 'passed_over'), false),
           (array_agg(s.result ORDER BY s.came_on, s.id) FILTER (
               WHERE s.action = 'limit' AND s.result NOT IN ('taken', 'passed_over')))[1],
           min(s.done_on) FILTER (WHERE s.action = 'transfer_to_collections' AND s.result = 'taken'),
           bool_or(s.result = 'passed_over'),
           coalesce(bool_or(s.action = ANY(%(press)s) AND s.result <> 'passed_over'), false),
           (array_agg(s.done_on - p.day ORDER BY s.done_on, p.day DESC) FILTER (
               WHERE s.done_on IS NOT NULL AND s.result <> 'passed_over' AND p.day IS NOT NULL
                 AND v.calendar_count = 'calendar_days'))[1]
      FROM e JOIN dunning_casestep s ON s.case_id = e.case_id
      JOIN dunning_case c ON c.id = e.case_id JOIN dunning_policyversion v ON v.id = c.version_id
      LEFT JOIN dunning_step p ON p.version_id = v.id AND p.code = s.code
     GROUP BY e.n
"""
#: When a limit was first confirmed, else how the last one stood; and whether a service of it may not be limited.
_ORDERS = """
    SELECT e.n, o.limited_on, o.stood, coalesce(s.protected, false), coalesce(s.kept, false)
      FROM e LEFT JOIN (
        SELECT e.n, min((o.confirmed_at AT TIME ZONE %(zone)s)::date) FILTER (
                    WHERE o.state = 'confirmed' AND (o.confirmed_at AT TIME ZONE %(zone)s)::date <= e.ends
               ) AS limited_on,
               (array_agg(o.state ORDER BY o.id DESC))[1] AS stood
          FROM e JOIN dunning_serviceorder o ON o.case_id = e.case_id AND o.kind = 'limit' AND o.step_code <> ''
         GROUP BY e.n
      ) o ON o.n = e.n LEFT JOIN (
        SELECT e.n, bool_or(s.protected) AS protected, bool_or(s.keep_until >= e.starts) AS kept
          FROM e JOIN accounts_service s ON s.account_id = e.account_id
         WHERE s.protected OR s.keep_until IS NOT NULL
         GROUP BY e.n
      ) s ON s.n = e.n
     WHERE o.n IS NOT NULL OR s.n IS NOT NULL
"""
#: Days under a hold of the account, overlapping ones once. Promises, plans and disputes are asked about by themselves.
_HELD = """
    SELECT h.n, (SELECT sum(upper(span) - lower(span)) FROM unnest(h.spans) AS span)::int, h.reasons FROM (
        SELECT e.n, array_agg(DISTINCT h.reason) AS reasons, range_agg(daterange(
                   greatest(h.starts_on, e.starts), least(h.ends_on, h.lifted_on - 1, e.ends), '[]')) AS spans
          FROM e JOIN accounts_hold h ON h.account_id = e.account_id
         WHERE h.reason NOT IN ('dispute', 'promise', 'plan')
           AND NOT (h.reason IN ('manual', 'payment_in_flight') AND cardinality(h.bill_refs) > 0)
           AND greatest(h.starts_on, e.starts) <= least(h.ends_on, h.lifted_on - 1, e.ends)
         GROUP BY e.n
    ) h
"""
#: Promises broken, plans made, one of them broken with at most one instalment paid, the first placement.
_AGREED = """
    SELECT n, coalesce(sum(broken), 0)::int, coalesce(sum(plans), 0)::int, coalesce(bool_or(early), false),
           min(placed_on)
      FROM (
        SELECT e.n, 1 AS broken, 0 AS plans, false AS early, NULL::date AS placed_on
          FROM e JOIN agents_promise p ON p.account_id = e.account_id AND p.made_on BETWEEN e.starts AND e.ends
         WHERE p.status = 'broken' AND p.settled_on <= e.ends
         UNION ALL
        SELECT e.n, 0, 1, p.status = 'broken' AND p.settled_on <= e.ends AND (
                   SELECT count(*) FROM agents_instalment i WHERE i.plan_id = p.id AND i.paid_on <= e.ends) <= 1, NULL
          FROM e JOIN agents_plan p ON p.account_id = e.account_id AND p.made_on BETWEEN e.starts AND e.ends
         UNION ALL
        SELECT e.n, 0, 0, false, p.placed_on
          FROM e JOIN dunning_placement p ON p.account_id = e.account_id AND p.placed_on BETWEEN e.starts AND e.ends
      ) a GROUP BY n
"""
_DISPUTES = """
    SELECT e.n, max(d.resolved_on - d.opened_on)
      FROM e JOIN agents_dispute d ON d.account_id = e.account_id
       AND d.outcome = 'rejected' AND d.resolved_on BETWEEN e.starts AND e.ends
     GROUP BY e.n
"""
#: All of it at once: the courses go to the database a single time.
_LED_TO_IT = f"""
    WITH e AS MATERIALIZED ({_EPISODES}),
         notices(n, made, delivered, bounced, channels, warned, last_on, most, cost) AS ({_NOTICES}),
         due(n, due_on) AS ({_DUE}),
         talks(n, conversations, first_on, last_on) AS ({_TALKS}),
         steps(n, limit_due, waited_for, handed_over_on, passed_over, pressed, on_time) AS ({_STEPS}),
         orders(n, limited_on, stood, protected, kept) AS ({_ORDERS}),
         held(n, days, reasons) AS ({_HELD}),
         agreed(n, broken, plans, early, placed_on) AS ({_AGREED}),
         disputes(n, lost_after) AS ({_DISPUTES})
    SELECT made, delivered, bounced, channels, warned, notices.last_on, most, cost, due_on,
           conversations, first_on, talks.last_on, limit_due, waited_for, handed_over_on, passed_over, pressed, on_time,
           limited_on, stood, protected, kept, days, reasons, broken, plans, early, placed_on, lost_after
      FROM e LEFT JOIN notices USING (n) LEFT JOIN due USING (n) LEFT JOIN talks USING (n) LEFT JOIN steps USING (n)
      LEFT JOIN orders USING (n) LEFT JOIN held USING (n) LEFT JOIN agreed USING (n) LEFT JOIN disputes USING (n)
     ORDER BY n
"""
