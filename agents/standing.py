"""What accounts had past due at the end of a day, a row for each: curves of the past and lists of today stand on it.

Written at the close of a day from the stored amounts, for any other day from the facts. What is known now counts: facts
that are dated back are taken up at the close of a day (``take_up``), and the rows since then written anew
(``catch_up``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter

from django.db import connection, transaction
from django.db.models import Max, Q

from accounts import bulk
from accounts.models import Account, Unsettled
from accounts.money import from_mills
from accounts.position import BUCKETS, CHUNK, OpenBill, account_chunks, books_of, bucket_of
from agents.models import Stale, Standing, StandingDay

#: Told what is being done, how much of it is done, and of how much.
Say = Callable[[str, int, int], None]

_FROM_COLUMNS = """
    INSERT INTO agents_standing (account_id, "on", amounts, days_past_due)
    SELECT account_id, %(on)s,
           ARRAY[
               coalesce(sum(open_amount) FILTER (WHERE due_on >= %(on)s), 0),
               coalesce(sum(open_amount) FILTER (WHERE %(on)s - due_on BETWEEN 1 AND 30), 0),
               coalesce(sum(open_amount) FILTER (WHERE %(on)s - due_on BETWEEN 31 AND 60), 0),
               coalesce(sum(open_amount) FILTER (WHERE %(on)s - due_on BETWEEN 61 AND 90), 0),
               coalesce(sum(open_amount) FILTER (WHERE %(on)s - due_on BETWEEN 91 AND 120), 0),
               coalesce(sum(open_amount) FILTER (WHERE %(on)s - due_on > 120), 0)
           ]::numeric(18, 3)[],
           %(on)s - min(due_on)
      FROM accounts_bill WHERE open_amount > 0 AND account_id IN (
          SELECT account_id FROM accounts_bill WHERE open_amount > 0 AND due_on < %(on)s)
       AND NOT account_id = ANY(%(unsettled)s)
     GROUP BY account_id
    HAVING min(due_on) < %(on)s
"""
#: One statement, so that a note is either in the one place or in the other.
_TAKE_UP = """
    WITH noted AS (DELETE FROM accounts_touched RETURNING account_id, since)
    INSERT INTO agents_stale (account_id, since)
    SELECT account_id, min(since) FROM noted GROUP BY account_id HAVING min(since) <= %(last)s ORDER BY account_id
    ON CONFLICT (account_id) DO UPDATE SET since = least(agents_stale.since, excluded.since)
"""


def _silently(_what: str, _done: int, _of: int) -> None:
    return None


def record(*, on: date, business_date: date, say: Say = _silently) -> int:
    """Write the rows of a day in the place of those it has, in one transaction; how many accounts are past due.

    From the stored amounts where the day is the business date (of accounts that wait to be settled from the facts);
    else from the facts of every account, in chunks.
    """
    with transaction.atomic():
        Standing.objects.filter(on=on).delete()
        StandingDay.objects.get_or_create(on=on)
        if on == business_date:
            unsettled = list(Unsettled.objects.order_by("pk").values_list("pk", flat=True))
            with connection.cursor() as cursor:
                cursor.execute(_FROM_COLUMNS, {"on": on, "unsettled": unsettled})
                written = int(cursor.rowcount)
            chunks: Iterable[list[int]] = _chunks(unsettled)
        else:
            written, chunks = 0, account_chunks()
        total, done = Account.objects.count(), 0
        for chunk in chunks:
            written += _write(chunk, on)
            done += len(chunk)
            say(f"what was past due on {on}", done, total)
    return written


def take_up(*, before: date) -> int:
    """Take up which accounts' past was touched since the last time, as far as days before that one are kept; how many.

    To be called before the day itself is recorded: what is taken up is committed, so that the record knows it; what is
    not committed yet is taken up the next time.
    """
    last = StandingDay.objects.filter(on__lt=before).aggregate(last=Max("on"))["last"]
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_UP, {"last": last})
        return int(cursor.rowcount)


def catch_up(*, before: date, say: Say = _silently) -> int:
    """Write the days before that one anew for the accounts that were taken up; how many accounts.

    A transaction a chunk: killed anywhere, what is left is in rows; run twice, the second finds nothing.
    """
    total, done = Stale.objects.count(), 0
    while True:
        with transaction.atomic():
            chunk = dict(Stale.objects.select_for_update().order_by("pk").values_list("pk", "since")[:CHUNK])
            if not chunk:
                return done
            _write_anew(chunk, kept_days(since=min(chunk.values()), before=before))
            Stale.objects.filter(pk__in=list(chunk)).delete()
        done += len(chunk)
        say("facts dated back", done, max(total, done))


def kept_days(*, since: date, before: date) -> list[date]:
    """The days from then on and before that one of which it is kept where accounts stood. One query."""
    days = StandingDay.objects.filter(on__gte=since, on__lt=before)
    return list(days.order_by("on").values_list("on", flat=True))


def is_recorded(on: date) -> bool:
    """Whether it is kept where accounts stood on that day, also where none was late."""
    return StandingDay.objects.filter(on=on).exists()


def _write_anew(since: Mapping[int, date], days: Iterable[date]) -> None:
    """The rows of each account from its day on, in the caller's transaction."""
    for on in days:
        keys = [pk for pk, first in since.items() if first <= on]
        Standing.objects.filter(Q(on=on) & Q(account__in=keys)).delete()
        _write(keys, on)


def _chunks(keys: list[int]) -> Iterator[list[int]]:
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))


def _write(account_ids: Collection[int], on: date) -> int:
    rows = list(rows_of(bills_of(account_ids, on=on), on=on))
    bulk.copy_in("agents_standing", ("account_id", "on", "amounts", "days_past_due"), rows)
    return len(rows)


def bills_of(account_ids: Collection[int], *, on: date) -> Iterator[OpenBill]:
    """What those accounts had open at the end of a day, account by account, from the facts."""
    for account_id, account in books_of(list(account_ids), as_of=on).items():
        for row in account.bills:
            if amount := account.books.open.get(row.fact.ref):
                yield OpenBill(
                    account_id,
                    row.pk,
                    row.fact.issued_on,
                    row.fact.due_on,
                    from_mills(row.fact.amount),
                    from_mills(amount),
                    from_mills(account.books.disputed.get(row.fact.ref, 0)),
                )


def rows_of(bills: Iterable[OpenBill], *, on: date) -> Iterator[tuple[int, date, list[Decimal], int]]:
    """An account's row of bills that come account by account; none for an account that is not late."""
    for account_id, own in groupby(bills, key=attrgetter("account_id")):
        amounts, oldest = dict.fromkeys(BUCKETS, Decimal(0)), on
        for bill in own:
            amounts[bucket_of((on - bill.due_on).days)] += bill.open
            oldest = min(oldest, bill.due_on)
        if oldest < on:
            yield account_id, on, list(amounts.values()), (on - oldest).days
