"""The figures as they stood: recorded at the close of each day for every scope, kept as they were.

Two dates belong to every record: the day it is about (``as_of``) and the moment it was computed (``recorded_at``). Once
its day is over the database refuses to change it; facts that are dated back show in what is computed from then on,
which stands beside it as ``restated``. The whole book's records stay for good, those of its parts for so long
(``forget``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import Max, QuerySet

from accounts import bulk
from accounts.position import BUCKETS
from accounts.refusals import Refused
from agents import kpis, standing
from agents.models import Snapshot
from agents.scopes import EVERYTHING, Scope

#: The lengths of period that every day is recorded for.
WINDOWS = (7, 30, 90)
#: How far a trend looks back.
TREND_DAYS = 90
#: What accounts had past due is kept for so many days, and at the ends of months for good: a cure that has lasted for
#: ninety days began in a period of ninety days.
STANDINGS_KEPT_DAYS = 190

_BATCH = 100
_COLUMNS = (
    "as_of", "days", "currency", "dimension", "member", "recorded_at", "restated", "receivables", "kpis", "pictures",
)  # fmt: skip
_as_json = partial(json.dumps, cls=DjangoJSONEncoder)
#: One writer at a time: two would stop at each other's rows.
_LOCK = 7301041

#: Told what is being done, how much of it is done, and of how much.
Say = Callable[[str, int, int], None]


class CannotRecord(Refused):
    """The day has not come yet, or the period is none."""

    code = "invalid"


class NotKept(Refused):
    """There is no such record."""

    code = "not_found"


def _silently(_what: str, _done: int, _of: int) -> None:
    return None


def close(*, as_of: date, at: datetime, say: Say = _silently) -> int:
    """What the close of a business day keeps: where every account stands, and stood as far as is known now, the
    figures, and no more of the past than is needed; how many records of figures.
    """
    standing.take_up(before=as_of)
    standing.record(on=as_of, business_date=as_of, say=say)
    standing.catch_up(before=as_of, say=say)
    recorded = record(as_of=as_of, at=at, business_date=as_of, say=say)
    forget_standings(as_of=as_of)
    forget(as_of=as_of)
    return recorded


def record(
    *, as_of: date, at: datetime, business_date: date, windows: Sequence[int] = WINDOWS, say: Say = _silently
) -> int:
    """Record a day for every currency and scope, in one transaction; how many records.

    On the business date they take the place of what the day had; of a day that is over they are restated, beside what
    it had. Raises ``CannotRecord`` for a day to come and for periods that are none.
    """
    return _write(
        as_of=as_of, at=at, business_date=business_date, windows=windows, say=say, restated=as_of < business_date
    )


def restate(*, as_of: date, at: datetime, business_date: date, windows: Sequence[int], say: Say = _silently) -> int:
    """Compute a day again from what is known now, for every currency and scope; how many records.

    They stand beside the day's own, also while it is not over. Raises ``CannotRecord`` as ``record`` does.
    """
    return _write(as_of=as_of, at=at, business_date=business_date, windows=windows, say=say, restated=True)


def _write(*, as_of: date, at: datetime, business_date: date, windows: Sequence[int], say: Say, restated: bool) -> int:
    if as_of > business_date:
        raise CannotRecord(f"The business date is {business_date}: {as_of} is still to come.")
    if not windows or not all(1 <= days <= kpis.LONGEST_PERIOD for days in windows):
        raise CannotRecord(f"A period has 1 to {kpis.LONGEST_PERIOD} days.")
    lengths = tuple(sorted(set(windows)))
    written = 0
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if not restated:
            Snapshot.objects.filter(as_of=as_of, days__in=lengths, restated=False).delete()
        found = iter(kpis.every_scope(as_of=as_of, windows=lengths, business_date=business_date, at=at, say=say))
        while batch := list(islice(found, _BATCH)):
            bulk.copy_in(
                "agents_snapshot",
                _COLUMNS,
                (
                    (
                        as_of, row.days, row.currency, row.scope.dimension, row.scope.member, at, restated,
                        _as_json(row.receivables), _as_json(row.kpis), _as_json(row.pictures),
                    )
                    for row in batch
                ),
            )  # fmt: skip
            written += len(batch)
    return written


def forget_standings(*, as_of: date) -> int:
    """Remove where accounts stood longer than ``STANDINGS_KEPT_DAYS`` ago, except at the ends of months; how many."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_STANDINGS, {"before": as_of - timedelta(days=STANDINGS_KEPT_DAYS)})
        return int(cursor.rowcount)


_FORGET_STANDINGS = """
    WITH gone AS (
        DELETE FROM agents_standingday WHERE "on" < %(before)s AND extract(day FROM "on" + 1) <> 1
    )
    DELETE FROM agents_standing WHERE "on" < %(before)s AND extract(day FROM "on" + 1) <> 1
"""


def forget(*, as_of: date) -> int:
    """Remove the records of parts of the book (all but the whole) that are older than ``DESK_FIGURES_KEPT_DAYS``; how
    many.

    The last one of each month stays, and the whole book's all do. What was computed again goes as long after it was
    computed.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, {"before": _kept_since(as_of)})
        return int(cursor.rowcount)


_FORGET = """
    DELETE FROM agents_snapshot s
     WHERE s.dimension <> 'all' AND s.as_of < %(before)s AND CASE
           WHEN s.restated THEN s.recorded_at < %(before)s
           ELSE EXISTS (
               SELECT 1 FROM agents_snapshot later
                WHERE later.currency = s.currency AND later.days = s.days AND later.dimension = s.dimension
                  AND later.member = s.member AND NOT later.restated AND later.as_of > s.as_of
                  AND later.as_of < date_trunc('month', s.as_of) + interval '1 month')
           END
"""


def _kept_since(as_of: date) -> date:
    return as_of - timedelta(days=settings.DESK_FIGURES_KEPT_DAYS)


def is_let_go(*, as_of: date, scope: Scope) -> bool:
    """Whether records of that day and scope may have been there and are not kept any more. One query."""
    latest = last_recorded(until=date.max)
    return scope != EVERYTHING and latest is not None and as_of < _kept_since(latest)


# Reading ------------------------------------------------------------------------------------------------------------


def read(*, as_of: date, days: int, currency: str, scope: Scope) -> Snapshot | None:
    """The day's own record; none where the day was not recorded, or not for that length and scope."""
    return _of(days=days, currency=currency, scope=scope).filter(as_of=as_of, restated=False).first()


def as_it_was(*, as_of: date, days: int, currency: str | None, scope: Scope = EVERYTHING) -> dict[str, Any]:
    """What ``kpis --as-recorded`` prints: the day's own record, in the shape of ``kpis.compute``.

    Without a currency, the only one that was recorded. Raises ``NotKept`` where the day was not recorded, not for that
    length, currency or scope, or in several currencies.
    """
    own = [one for one in kept(as_of=as_of) if not one.restated and one.scope == scope]
    if not own:
        of_scope = "" if scope == EVERYTHING else f" for {scope}"
        if is_let_go(as_of=as_of, scope=scope):
            raise NotKept(f"The snapshot of {as_of}{of_scope} is not kept any more: {how_long_kept()}.")
        raise NotKept(f"No snapshot of {as_of}{of_scope} is kept.")
    currencies = sorted({one.currency for one in own})
    if currency is None and len(currencies) > 1:
        raise NotKept(f"The book had several currencies ({', '.join(currencies)}): name one with --currency.")
    wanted = currencies[0] if currency is None else currency
    lengths = sorted({one.days for one in own if one.currency == wanted})
    if not lengths:
        raise NotKept(f"No snapshot of {as_of} in {wanted} is kept; there is {_listed(currencies)}.")
    found = read(as_of=as_of, days=days, currency=wanted, scope=scope)
    if found is None:
        raise NotKept(f"No snapshot of {as_of} over {days} days is kept; there is {_listed(lengths)}.")
    return as_printed(found)


def how_long_kept() -> str:
    """In words, how long the records of parts of the book are there."""
    return f"figures of parts of the book stay for {settings.DESK_FIGURES_KEPT_DAYS} days, the last of a month for good"


def _listed(found: Sequence[int | str]) -> str:
    """``7, 30 and 90``."""
    words = [str(one) for one in found]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


@dataclass(frozen=True)
class Pair:
    """A day's record, and the one of the period before it: as far as they are there."""

    now: Snapshot | None
    before: Snapshot | None


def pair(*, as_of: date, days: int, currency: str, scope: Scope, as_recorded: bool) -> Pair:
    """What the page of a day shows. One query.

    ``as_recorded``: the day's own record; else the latest, however it came about. The period before is its own record
    where there is one.
    """
    earlier = as_of - timedelta(days=days)
    rows = _of(days=days, currency=currency, scope=scope).filter(as_of__in=(as_of, earlier)).order_by("recorded_at")
    now = before = None
    for row in rows:
        if row.as_of == as_of and (not as_recorded or not row.restated):
            now = row
        if row.as_of == earlier and (before is None or before.restated):
            before = row
    return Pair(now, before)


@dataclass(frozen=True)
class Point:
    """One day of a trend: every figure's value, a family's by member."""

    on: date
    recorded_at: datetime
    restated: bool
    values: Mapping[str, Any]

    def value(self, name: str, member: str = "") -> Decimal | None:
        """One figure of the day; none where it had no value, or was not recorded yet."""
        found = self.values.get(name)
        if member:
            found = found.get(member) if isinstance(found, Mapping) else None
        return Decimal(found) if isinstance(found, str) else None


#: The values alone: the rest of a record is a hundred times as long.
_SERIES = """
    SELECT DISTINCT ON (as_of) as_of, recorded_at, restated,
           (SELECT jsonb_object_agg(figure.key, figure.value -> 'value') FROM jsonb_each(kpis) figure)::text
      FROM agents_snapshot
     WHERE currency = %(currency)s AND days = %(days)s AND dimension = %(dimension)s AND member = %(member)s
       AND as_of > %(after)s AND as_of <= %(until)s
     ORDER BY as_of, restated, recorded_at DESC
"""


def series(*, until: date, days: int, currency: str, scope: Scope, back: int = TREND_DAYS) -> list[Point]:
    """The records of the ``back`` days that end with ``until``, oldest first: each day's own, else its latest.

    One query.
    """
    asked: dict[str, Any] = {
        "currency": currency,
        "days": days,
        "dimension": scope.dimension,
        "member": scope.member,
        "after": until - timedelta(days=back),
        "until": until,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SERIES, asked)
        return [Point(on, at, restated, json.loads(values or "{}")) for on, at, restated, values in cursor]


@dataclass(frozen=True)
class Kept:
    """One record that there is of a day, without its figures."""

    days: int
    currency: str
    scope: Scope
    restated: bool


def kept(*, as_of: date) -> list[Kept]:
    """What is recorded of a day: its lengths, currencies and scopes. One query."""
    rows = Snapshot.objects.filter(as_of=as_of).values_list("days", "currency", "dimension", "member", "restated")
    return [
        Kept(days, currency, Scope(dimension, member), restated)
        for days, currency, dimension, member, restated in rows.order_by("days", "currency", "dimension", "member")
    ]


def last_recorded(*, until: date) -> date | None:
    """The latest day up to ``until`` that has its own record. One query."""
    latest: date | None = Snapshot.objects.filter(as_of__lte=until, restated=False).aggregate(on=Max("as_of"))["on"]
    return latest


def as_printed(snapshot: Snapshot) -> dict[str, Any]:
    """As ``kpis --json`` prints it, in its order: the database keeps none."""
    return {
        "as_of": snapshot.as_of.isoformat(),
        "days": snapshot.days,
        "currency": snapshot.currency,
        "receivables": {
            **_in_order(snapshot.receivables, _RECEIVABLES),
            "buckets": _in_order(snapshot.receivables["buckets"], BUCKETS),
        },
        "kpis": {
            name: {part: _by_bucket(value) for part, value in _in_order(figure, _PARTS).items()}
            for name, figure in _in_order(snapshot.kpis, [kpi.name for kpi in kpis.CATALOGUE]).items()
        },
    }


_RECEIVABLES = ("open_bills", "open", "overdue_bills", "overdue", "overdue_accounts", "buckets")
_PARTS = ("value", "numerator", "denominator", "formula")


def _in_order(found: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The entries that are named first, in their order; then the others."""
    first = {name: found[name] for name in names if name in found}
    return first | {name: value for name, value in found.items() if name not in first}


def _by_bucket(part: Any) -> Any:
    """A family's members begin with the bucket they start from."""
    if not isinstance(part, dict):
        return part
    place = {bucket: number for number, bucket in enumerate(BUCKETS)}
    return dict(sorted(part.items(), key=lambda entry: (place.get(entry[0].partition(" ")[0], len(place)), entry[0])))


def _of(*, days: int, currency: str, scope: Scope) -> QuerySet[Snapshot]:
    return Snapshot.objects.filter(currency=currency, days=days, dimension=scope.dimension, member=scope.member)
