"""When customers answer, counted: once a day, in bulk, from what was sent and what came back; read for the next notice.

A try is a message that left the house, or, fed by the room above, a call. It was answered when within a day the account
paid, the customer wrote, or opened their page. What left less than ``SETTLES`` ago waits, for payments come by file the
morning after. Counting goes on where it stopped: the last moment counted is in the rows, one for calls and one for the
rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction

from dunning import best_moment
from dunning.best_moment import NOUNS, Count, HourRate, Moment, Prior
from dunning.sharding import WHOLE, Shard

#: An answer comes within so long of the try.
ANSWERED_WITHIN = timedelta(hours=24)
#: What left later than this ago may still be answered by a payment that no file has brought yet.
SETTLES = timedelta(hours=48)
#: Further back nothing is looked for when counting begins: it would weigh next to nothing.
LOOKS_BACK = timedelta(days=365)
#: Hours in which the desk looks for the best one; the gate narrows them further when the notice leaves.
DAYTIME = range(8, 21)
CALL = "call"
#: The customer opened their page.
PAGE_OPENED = "portal.opened"

#: Channels whose hour matters: a letter has none.
TIMED = tuple(channel for channel in NOUNS if channel != "letter")

_PRIOR_KEPT = timedelta(hours=6)
_ZONES = "(SELECT name FROM pg_timezone_names)"

#: What left, and whether it was answered: ``customer_id, channel, at, answered``. A letter has no hour.
_NOTICES = """
    SELECT n.customer_id, n.channel, n.sent_at AS at, (
           EXISTS (SELECT 1 FROM accounts_payment p
                    WHERE p.account_id = n.account_id AND p.reverses_id IS NULL
                      AND p.received_on BETWEEN (n.sent_at AT TIME ZONE %(desk)s)::date
                                            AND ((n.sent_at + %(within)s) AT TIME ZONE %(desk)s)::date)
        OR EXISTS (SELECT 1 FROM dunning_inboundmessage i
                    WHERE (i.account_id = n.account_id OR i.customer_id = n.customer_id)
                      AND i.received_at BETWEEN n.sent_at AND n.sent_at + %(within)s
                      AND i.intent NOT IN ('bounce', 'auto_reply'))
        OR EXISTS (SELECT 1 FROM accounts_accountevent e
                    WHERE e.account_id = n.account_id AND e.kind = %(page)s
                      AND e."on" BETWEEN (n.sent_at AT TIME ZONE %(desk)s)::date - 1
                                     AND ((n.sent_at + %(within)s) AT TIME ZONE %(desk)s)::date + 1
                      AND e.at BETWEEN n.sent_at AND n.sent_at + %(within)s)
           ) AS answered
      FROM dunning_notice n
     WHERE n.sent_at > %(after)s AND n.sent_at <= %(until)s AND n.state IN ('sent', 'delivered')
       AND n.channel IN ('sms', 'email', 'in_app', 'voice')
       AND n.customer_id %% %(of)s = %(number)s
"""

_COUNT = """
    INSERT INTO dunning_contacthabit AS h (customer_id, channel, hour, tries, answers, counted_to)
    SELECT t.customer_id, t.channel,
           extract(hour FROM t.at AT TIME ZONE coalesce(z.name, %(desk)s))::smallint AS local_hour,
           sum(power(0.5, extract(epoch FROM %(until)s - t.at) / %(half_life)s)),
           coalesce(sum(power(0.5, extract(epoch FROM %(until)s - t.at) / %(half_life)s)) FILTER (WHERE t.answered), 0),
           %(until)s
      FROM ({tries}) t
      JOIN accounts_customer c ON c.id = t.customer_id
      LEFT JOIN {zones} z ON z.name = c.timezone
     GROUP BY t.customer_id, t.channel, local_hour
     ORDER BY t.customer_id, t.channel, local_hour
    ON CONFLICT (customer_id, channel, hour) DO UPDATE
       SET tries = h.tries * power(0.5, extract(epoch FROM excluded.counted_to - h.counted_to) / %(half_life)s)
                 + excluded.tries,
           answers = h.answers * power(0.5, extract(epoch FROM excluded.counted_to - h.counted_to) / %(half_life)s)
                   + excluded.answers,
           counted_to = excluded.counted_to
"""

_COUNTED_TO = """
    SELECT max(counted_to) FROM dunning_contacthabit
     WHERE (channel = 'call') = %s AND customer_id %% %s = %s
"""

_OF_CUSTOMERS = """
    SELECT customer_id, channel, hour, tries, answers, counted_to FROM dunning_contacthabit
     WHERE customer_id = ANY(%s) ORDER BY customer_id, channel, hour
"""

_OF_EVERYBODY = """
    SELECT channel, hour,
           sum(tries * power(0.5, extract(epoch FROM greatest(%(at)s - counted_to, interval '0')) / %(half_life)s)),
           sum(answers * power(0.5, extract(epoch FROM greatest(%(at)s - counted_to, interval '0')) / %(half_life)s))
      FROM dunning_contacthabit GROUP BY channel, hour
"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """When to send to one customer, and why then."""

    at: datetime
    moment: Moment


@dataclass(frozen=True, slots=True)
class Explained:
    """One line for the account's page, and the strip of hours behind it."""

    line: str
    channel: str
    hours: list[HourRate]


def is_on() -> bool:
    """Whether the desk learns and uses the best moment (``DESK_BEST_MOMENT``)."""
    return bool(settings.DESK_BEST_MOMENT)


def count(*, as_of: date, at: datetime, shard: Shard = WHOLE) -> int:
    """Count the messages that left and were not counted yet, for the customers of a shard; how many rows moved.

    Safe to repeat, and beside other shards. ``as_of`` names the day's run and changes nothing.
    """
    return count_from(_NOTICES, calls=False, at=at, shard=shard)


def count_from(tries: str, *, calls: bool, at: datetime, shard: Shard = WHOLE, **parameters: Any) -> int:
    """Count tries from SQL that yields ``customer_id, channel, at, answered``, one transaction a shard.

    The SQL takes them from ``%(after)s`` to ``%(until)s``, of customers whose key leaves ``%(number)s`` of ``%(of)s``.
    """
    if not is_on():
        return 0
    until = at - SETTLES
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, shard.number * 2 + calls])
        cursor.execute(_COUNTED_TO, [calls, shard.of, shard.number])
        (counted_to,) = cursor.fetchone()
        after = counted_to or until - LOOKS_BACK
        if after >= until:
            return 0
        known: dict[str, Any] = {
            "after": after,
            "until": until,
            "within": ANSWERED_WITHIN,
            "desk": settings.DESK_TIME_ZONE,
            "page": PAGE_OPENED,
            "half_life": best_moment.HALF_LIFE.total_seconds(),
            "of": shard.of,
            "number": shard.number,
        }
        cursor.execute(_COUNT.format(tries=tries, zones=_ZONES), known | parameters)
        return int(cursor.rowcount)


#: Serialises the counting of one shard: two at once would count the same tries twice.
_LOCK = 7301019


def of_customers(customer_ids: Collection[int], *, at: datetime) -> dict[int, list[Count]]:
    """The habits of those customers, weighted as of a moment: one query, whatever their number."""
    found: dict[int, list[Count]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_OF_CUSTOMERS, [list(customer_ids)])
        for customer, channel, hour, tries, answers, counted_to in cursor:
            age = at - counted_to
            found[customer].append(
                Count(
                    channel,
                    hour,
                    best_moment.decayed(tries, age=age),
                    best_moment.decayed(answers, age=age),
                )
            )
    return dict(found)


def of_everybody(*, at: datetime) -> Prior:
    """What all customers together were tried and answered, as of a moment."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_EVERYBODY, {"at": at, "half_life": best_moment.HALF_LIFE.total_seconds()})
        return {(channel, hour): (tries, answers) for channel, hour, tries, answers in cursor}


def _prior(day: date) -> Prior:
    """Everybody's, as of the beginning of a day; read once in a while, for every chunk of the day asks for it."""
    key = f"best-moment-prior-{day}"
    known: Prior | None = cache.get(key)
    if known is None:
        known = of_everybody(at=_midnight(day, ZoneInfo(settings.DESK_TIME_ZONE)))
        cache.set(key, known, _PRIOR_KEPT.total_seconds())
    return known


def best_moments(
    customer_ids: Collection[int],
    channels: str | Sequence[str],
    *,
    day: date,
    zones: Mapping[int, ZoneInfo],
    allowed_hours: Collection[int] = DAYTIME,
    after: datetime | None = None,
    prior: Prior | None = None,
) -> dict[int, Chosen]:
    """For each customer of whom enough is known, the best hour of that day in their zone, and the channel for it.

    Customers without a zone, or with too little behind them, are left out: the desk does for them what it did before.
    With ``after``, only what is left of the day from then on. Two queries, whatever their number; the same answer each
    time. Sendings are spread over the minutes of the hour by the customer's key.
    """
    if not is_on():
        return {}
    asked = [channels] if isinstance(channels, str) else list(channels)
    start = _midnight(day, ZoneInfo(settings.DESK_TIME_ZONE))
    habits = of_customers(customer_ids, at=start)
    if not habits:
        return {}
    everybody = _prior(day) if prior is None else prior
    chosen = {}
    for customer, own in habits.items():
        if (zone := zones.get(customer)) is None:
            continue
        hours = {hour: datetime.combine(day, time(hour, customer % 60), tzinfo=zone) for hour in sorted(allowed_hours)}
        left = {hour: begins for hour, begins in hours.items() if after is None or begins >= after}
        moment = best_moment.best(own, everybody, allowed_hours=list(left), channels=asked)
        if moment is not None:
            chosen[customer] = Chosen(left[moment.hour], moment)
    return chosen


def best_send_at(
    customer_ids: Collection[int],
    channels: str | Sequence[str],
    *,
    day: date,
    zones: Mapping[int, ZoneInfo],
    allowed_hours: Collection[int] = DAYTIME,
    after: datetime | None = None,
) -> dict[int, datetime]:
    """``best_moments``, the moments alone."""
    found = best_moments(customer_ids, channels, day=day, zones=zones, allowed_hours=allowed_hours, after=after)
    return {customer: chosen.at for customer, chosen in found.items()}


def explain(
    customer_id: int,
    *,
    at: datetime,
    channels: Sequence[str] = TIMED,
    allowed_hours: Collection[int] = DAYTIME,
) -> Explained | None:
    """When and how the customer is best reached, with the reasons; none while too little is known."""
    if not is_on():
        return None
    own = of_customers([customer_id], at=at).get(customer_id)
    if not own:
        return None
    prior = _prior(at.date())
    moment = best_moment.best(own, prior, allowed_hours=allowed_hours, channels=channels)
    if moment is None:
        return None
    return Explained(
        line=f"{moment.hour}:00 by {_BY.get(moment.channel, moment.channel)}: {moment.why}",
        channel=moment.channel,
        hours=best_moment.rates(own, prior, channel=moment.channel, hours=sorted(set(allowed_hours))),
    )


_BY = {"call": "phone", "sms": "SMS", "email": "e-mail", "in_app": "in-app message", "voice": "automatic call"}


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)
