"""What a supervisor sees of today: the money, the queue, who did what.

From the stored open amounts, in a fixed number of queries, as plain records for a template or a chart.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import connection, models
from django.db.models import Count, Exists, OuterRef, Q, Sum, Value

from accounts.business_day import calendar_date
from accounts.models import Account, Bill, Payment
from accounts.position import BUCKETS
from agents import kpi_formulas as formulas
from agents.kpi_formulas import NOTHING, Figure
from agents.models import Disposition, Interaction, Promise, Team, WorkItem
from agents.period import NET_RECEIVED, Period, bills_in_force
from dunning.models import Case

#: Days of money, promises and sales that the page looks back.
LOOK_BACK = 30


@dataclass(frozen=True)
class BucketTotal:
    bucket: str
    bills: int
    accounts: int
    amount: Decimal


@dataclass(frozen=True)
class DayCollected:
    """Payments less reversals received on a day: all of them, and those on accounts with an open case that day."""

    on: date
    received: Decimal
    in_collections: Decimal


@dataclass(frozen=True)
class PromisesKept:
    """Of the promises that fell due in ``LOOK_BACK`` days and were decided: how many were kept, and how much."""

    kept: int
    fell_due: int
    kept_amount: Decimal
    fell_due_amount: Decimal
    rate: Figure


@dataclass(frozen=True)
class CurrencyFigures:
    """The money of one currency: every overdue bucket in order, every day of ``LOOK_BACK`` oldest first."""

    currency: str
    buckets: list[BucketTotal]
    overdue: Decimal
    overdue_accounts: int
    collected: list[DayCollected]
    promises: PromisesKept
    dso: Figure
    bpdso: Figure
    add: Figure
    cei: Figure


@dataclass(frozen=True)
class QueueNow:
    """Open items: all; free to be claimed; not offered yet (``not_before``); claimed with a lease that runs."""

    open: int
    free: int
    waiting: int
    claimed: int


@dataclass(frozen=True)
class AgentDay:
    """What an agent did today: items completed, calls logged, and how many reached the right party."""

    agent: str
    items: int
    calls: int
    right_party: int


@dataclass(frozen=True)
class DispositionCount:
    code: str
    label: str
    today: int
    week: int


@dataclass(frozen=True)
class DeskFigures:
    as_of: date
    money: list[CurrencyFigures]
    queue: QueueNow
    agents: list[AgentDay]
    calls: list[DispositionCount]


def desk(*, as_of: date, at: datetime, team: Team | None = None) -> DeskFigures:
    """Today on one page. ``as_of`` is the business date, ``at`` the moment: what agents did counts on its date.

    With a ``team``: the accounts whose open item is the team's, its items and its agents. Ten queries, whatever the
    size of the book. The CEI takes the opening receivables from today's by undoing the period's facts account by
    account; it differs from ``kpis.compute`` by money that waited then for a bill not yet issued.
    """
    period = Period(as_of, LOOK_BACK)
    buckets = _buckets_now(as_of, team)
    standing = _standing(team)
    opening = _opening(period, team)
    billed = _sales_by_currency(period, team)
    collected = _collected_by_day(period, team)
    promises = _promises_by_currency(period, team)
    return DeskFigures(
        as_of=as_of,
        money=[
            _currency_figures(
                currency,
                period=period,
                buckets=buckets[currency],
                overdue_accounts=overdue_accounts,
                receivables=receivables,
                opening=opening.get(currency, NOTHING),
                billed=billed.get(currency, NOTHING),
                collected=collected[currency],
                promises=promises.get(currency),
            )
            for currency, receivables, overdue_accounts in standing
        ],
        queue=_queue_now(at, team),
        agents=_agents_today(at, team),
        calls=_calls_by_disposition(at, team),
    )


def _currency_figures(
    currency: str,
    *,
    period: Period,
    buckets: dict[str, BucketTotal],
    overdue_accounts: int,
    receivables: Decimal,
    opening: Decimal,
    billed: Decimal,
    collected: dict[date, DayCollected],
    promises: PromisesKept | None,
) -> CurrencyFigures:
    overdue = sum((total.amount for total in buckets.values()), NOTHING)
    current = receivables - overdue
    days = [period.start + timedelta(days=number) for number in range(1, period.days + 1)]
    return CurrencyFigures(
        currency=currency,
        buckets=[buckets.get(bucket, BucketTotal(bucket, 0, 0, NOTHING)) for bucket in BUCKETS[1:]],
        overdue=overdue,
        overdue_accounts=overdue_accounts,
        collected=[collected.get(day, DayCollected(day, NOTHING, NOTHING)) for day in days],
        promises=promises or _promises_kept_of(0, 0, NOTHING, NOTHING),
        dso=formulas.dso(receivables=receivables, sales=billed, days=period.days),
        bpdso=formulas.best_possible_dso(current=current, sales=billed, days=period.days),
        add=formulas.average_days_delinquent(receivables=receivables, current=current, sales=billed, days=period.days),
        cei=formulas.collection_effectiveness(
            opening=opening, sales=billed, closing=receivables, closing_current=current
        ),
    )


def _of_team(team: Team | None, account: str = "account") -> Q:
    """Rows of accounts whose open item is the team's; all rows without a team."""
    if team is None:
        return Q()
    items = WorkItem.objects.filter(team=team, done_at__isnull=True)
    return Q(**{f"{account}__in": items.values("account")})


def _standing(team: Team | None) -> list[tuple[str, Decimal, int]]:
    """Each currency with its receivables and number of accounts past due."""
    return list(
        Account.objects.filter(_of_team(team, "pk"))
        .values("currency")
        .annotate(
            receivables=Sum("open_amount"), past_due=Count("pk", filter=Q(overdue__gt=0) | Q(overdue_disputed__gt=0))
        )
        .order_by("currency")
        .values_list("currency", "receivables", "past_due")
    )


def _buckets_now(as_of: date, team: Team | None) -> dict[str, dict[str, BucketTotal]]:
    last_days = dict(zip((30, 60, 90, 120), BUCKETS[1:], strict=False))
    name = models.Case(
        *(
            models.When(due_on__gte=as_of - timedelta(days=last_day), then=Value(bucket))
            for last_day, bucket in last_days.items()
        ),
        default=Value(BUCKETS[-1]),
        output_field=models.CharField(),
    )
    rows = (
        Bill.objects.filter(_of_team(team), open_amount__gt=0, due_on__lt=as_of)
        .annotate(bucket=name)
        .values("account__currency", "bucket")
        .annotate(bills=Count("pk"), accounts=Count("account", distinct=True), total=Sum("open_amount"))
        .order_by()
    )
    found: dict[str, dict[str, BucketTotal]] = defaultdict(dict)
    for row in rows:
        total = BucketTotal(row["bucket"], row["bills"], row["accounts"], row["total"])
        found[row["account__currency"]][total.bucket] = total
    return found


def _sales_by_currency(period: Period, team: Team | None) -> dict[str, Decimal]:
    bills = bills_in_force(period, None).filter(_of_team(team))
    return dict(
        bills.values("account__currency")
        .annotate(total=Sum("amount"))
        .order_by()
        .values_list("account__currency", "total")
    )


def _collected_by_day(period: Period, team: Team | None) -> dict[str, dict[date, DayCollected]]:
    case = Case.objects.filter(account=OuterRef("account"), opened_on__lte=OuterRef("received_on")).filter(
        Q(closed_on__isnull=True) | Q(closed_on__gte=OuterRef("received_on"))
    )
    rows = (
        Payment.objects.filter(period.covers("received_on"), _of_team(team))
        .annotate(net=NET_RECEIVED, in_case=Exists(case))
        .values("account__currency", "received_on")
        .annotate(received=Sum("net"), in_collections=Sum("net", filter=Q(in_case=True)))
        .order_by()
    )
    found: dict[str, dict[date, DayCollected]] = defaultdict(dict)
    for row in rows:
        day = DayCollected(row["received_on"], row["received"], row["in_collections"] or NOTHING)
        found[row["account__currency"]][day.on] = day
    return found


def _promises_by_currency(period: Period, team: Team | None) -> dict[str, PromisesKept]:
    """As the desk has judged them; open ones are still in their days of grace."""
    kept = Q(status=Promise.Status.KEPT)
    rows = (
        Promise.objects.filter(period.covers("due_on"), _of_team(team))
        .exclude(status__in=[Promise.Status.OPEN, Promise.Status.CANCELLED])
        .values("account__currency")
        .annotate(
            kept=Count("pk", filter=kept),
            fell_due=Count("pk"),
            kept_amount=Sum("amount", filter=kept),
            fell_due_amount=Sum("amount"),
        )
        .order_by()
    )
    return {
        row["account__currency"]: _promises_kept_of(
            row["kept"], row["fell_due"], row["kept_amount"] or NOTHING, row["fell_due_amount"]
        )
        for row in rows
    }


def _promises_kept_of(kept: int, fell_due: int, kept_amount: Decimal, fell_due_amount: Decimal) -> PromisesKept:
    rate = formulas.kept_rate(kept=kept, fell_due=fell_due, grace_days=settings.PROMISE_GRACE_DAYS)
    return PromisesKept(kept, fell_due, kept_amount, fell_due_amount, rate)


#: What each account's facts of the period changed, taken off what it owes now: what it owed before. Money that had
#: no bill to pay leaves nothing open, hence the floor at 0.
_OPENING = """
    WITH flow AS (
        SELECT account_id, sum(amount) AS net FROM (
            SELECT account_id, CASE WHEN issued_on > %(start)s THEN amount ELSE 0 END
                             - CASE WHEN ends_on <= %(end)s THEN amount ELSE 0 END AS amount
              FROM (SELECT account_id, amount, issued_on,
                           CASE WHEN status = 'cancelled' THEN coalesce(cancelled_on, issued_on)
                                ELSE cancelled_on END AS ends_on
                      FROM accounts_bill
                     WHERE status <> 'draft' AND issued_on <= %(end)s
                       AND (issued_on > %(start)s OR cancelled_on > %(start)s)) bill
            UNION ALL
            SELECT account_id, CASE WHEN reverses_id IS NULL THEN -amount ELSE amount END
              FROM accounts_payment WHERE received_on > %(start)s AND received_on <= %(end)s
            UNION ALL
            SELECT account_id, amount FROM accounts_adjustment a
             WHERE "on" > %(start)s AND "on" <= %(end)s
               AND NOT (dispute_ref <> '' AND kind = 'billing' AND EXISTS (
                    SELECT 1 FROM accounts_adjustment d WHERE d.dispute_ref = a.dispute_ref AND d.kind = 'dispute'))
        ) change GROUP BY account_id
    )
    SELECT currency, sum(greatest(open_amount - unapplied - coalesce(flow.net, 0), 0))
      FROM accounts_account account LEFT JOIN flow ON flow.account_id = account.id
     WHERE %(team)s::bigint IS NULL OR EXISTS (
            SELECT 1 FROM agents_workitem item
             WHERE item.account_id = account.id AND item.team_id = %(team)s AND item.done_at IS NULL)
     GROUP BY currency
"""


def _opening(period: Period, team: Team | None) -> dict[str, Decimal]:
    with connection.cursor() as cursor:
        cursor.execute(_OPENING, {"start": period.start, "end": period.end, "team": team.pk if team else None})
        return dict(cursor.fetchall())


def _queue_now(at: datetime, team: Team | None) -> QueueNow:
    items = WorkItem.objects.filter(done_at__isnull=True)
    if team is not None:
        items = items.filter(team=team)
    claimed = Q(claimed_by__isnull=False, lease_until__gt=at)
    waiting = Q(not_before__gt=at) & ~claimed
    counts = items.aggregate(open=Count("pk"), claimed=Count("pk", filter=claimed), waiting=Count("pk", filter=waiting))
    return QueueNow(free=counts["open"] - counts["claimed"] - counts["waiting"], **counts)


def _agents_today(at: datetime, team: Team | None) -> list[AgentDay]:
    today = Period(calendar_date(at=at), 1)
    done = WorkItem.objects.filter(today.covers_moment("done_at"), done_by__isnull=False)
    called = Interaction.objects.filter(
        today.covers_moment("at"), agent__isnull=False, kind=Interaction.Kind.CALL, undone_at=None
    )
    if team is not None:
        done, called = done.filter(done_by__team=team), called.filter(agent__team=team)
    items = dict(
        done.values("done_by__username").annotate(n=Count("pk")).order_by().values_list("done_by__username", "n")
    )
    calls = {
        row["agent__username"]: (row["n"], row["reached"])
        for row in called.values("agent__username")
        .annotate(n=Count("pk"), reached=Count("pk", filter=Q(right_party=True)))
        .order_by()
    }
    return [AgentDay(name, items.get(name, 0), *calls.get(name, (0, 0))) for name in sorted({*items, *calls})]


def _calls_by_disposition(at: datetime, team: Team | None) -> list[DispositionCount]:
    """Dispositions with a call in seven days, most used first."""
    day = calendar_date(at=at)
    today, week = Period(day, 1), Period(day, 7)
    calls = Interaction.objects.filter(week.covers_moment("at"), kind=Interaction.Kind.CALL, undone_at=None)
    if team is not None:
        calls = calls.filter(agent__team=team)
    label = Disposition.objects.filter(code=OuterRef("disposition")).values("label")[:1]
    rows = (
        calls.values("disposition")
        .annotate(today=Count("pk", filter=today.covers_moment("at")), week=Count("pk"))
        .annotate(label=models.Subquery(label))
        .order_by("-week", "disposition")
    )
    return [
        DispositionCount(row["disposition"], row["label"] or row["disposition"], row["today"], row["week"])
        for row in rows
    ]
