"""The disputes that wait: whose they are, which is due first, how long they take, and who is told when one is late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery

from accounts.models import AccountEvent, Adjustment
from agents import answers_owed, disputes, kinds, rights
from agents.answers_owed import Late, Letter
from agents.models import Agent, Dispute, DisputeEvidence

MINE, UNASSIGNED, ALL, CLOSED = "mine", "unassigned", "all", "closed"
#: The figures beside the list look back so far.
LOOKS_BACK = timedelta(days=90)
#: So many reasons have a line of their own.
MOST_REASONS = 6


# The list -----------------------------------------------------------------------------------------------------------


def visible(user: Any) -> QuerySet[Dispute]:
    """The disputes of the accounts that the user may see."""
    return Dispute.objects.filter(account__in=rights.visible_accounts(user))


def shown(
    user: Any,
    *,
    whose: str = ALL,
    stage: str = "",
    reason: str = "",
    country: str = "",
    least: Decimal | None = None,
    most: Decimal | None = None,
) -> QuerySet[Dispute]:
    """The disputes of a list, the one that is due first on top; what is closed, the latest on top."""
    rows = visible(user).select_related("account__customer", "assigned_to")
    rows = rows.filter(resolved_on__isnull=whose != CLOSED)
    if whose == MINE:
        rows = rows.filter(assigned_to=user)
    elif whose == UNASSIGNED:
        rows = rows.filter(assigned_to=None)
    wanted = {"stage": stage, "reason": reason, "account__customer__country": country}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if least is not None:
        rows = rows.filter(amount__gte=least)
    if most is not None:
        rows = rows.filter(amount__lte=most)
    if whose == CLOSED:
        return rows.order_by("-resolved_on", "-pk")
    return rows.order_by(F("decide_by").asc(nulls_last=True), "pk")


def with_files(rows: QuerySet[Dispute]) -> QuerySet[Dispute]:
    """The same rows, with ``files``: how many files each has."""
    files = DisputeEvidence.objects.filter(dispute=OuterRef("pk")).order_by().values("dispute")
    return rows.annotate(files=Subquery(files.annotate(count=Count("pk")).values("count")))


def counted(user: Any, *, as_of: date) -> dict[str, int]:
    """How many disputes are on each list, and how many of the open ones are late. One query."""
    waits = Q(resolved_on=None)
    return visible(user).aggregate(
        mine=Count("pk", filter=waits & Q(assigned_to=user)),
        unassigned=Count("pk", filter=waits & Q(assigned_to=None)),
        all=Count("pk", filter=waits),
        closed=Count("pk", filter=Q(resolved_on__isnull=False)),
        late=Count("pk", filter=waits & Q(decide_by__lt=as_of)),
        late_mine=Count("pk", filter=waits & Q(decide_by__lt=as_of, assigned_to=user)),
    )


def late_in_all(*, as_of: date) -> int:
    """How many open disputes are past their date, whoever's they are."""
    return Dispute.objects.filter(resolved_on=None, decide_by__lt=as_of).count()


def reasons_of(user: Any) -> list[str]:
    """The reasons that open disputes have, also those of files."""
    rows = visible(user).filter(resolved_on=None).exclude(reason="").order_by("reason")
    return list(rows.values_list("reason", flat=True).distinct())


def markets_of(user: Any) -> list[str]:
    """The countries whose customers contest something."""
    rows = visible(user).filter(resolved_on=None).exclude(account__customer__country="")
    return list(
        rows.order_by("account__customer__country").values_list("account__customer__country", flat=True).distinct()
    )


def colleagues(user: Any) -> list[Agent]:
    """To whom the user may give a dispute: themselves; whoever decides them, to the people of their team, or to all."""
    if not rights.may(user, rights.Act.RESOLVE_DISPUTE):
        return [user]
    people = (
        Agent.objects.filter(is_active=True, groups__name__in=rights.roles_with(rights.Act.WORK))
        .order_by("username")
        .distinct()
    )
    if not rights.sees_all_teams(user):
        people = people.filter(team_id=user.team_id)
    return list(people)


# One dispute --------------------------------------------------------------------------------------------------------


def letters_of(dispute: Dispute) -> list[Letter]:
    """The letters that were asked for, in order. One query."""
    return answers_owed.letters(account_id=dispute.account_id, about=f"dispute.{dispute.ref}")


def history_of(dispute: Dispute, *, most: int = 200) -> list[AccountEvent]:
    """What happened to the dispute, newest first. One query."""
    rows = AccountEvent.objects.filter(
        account=dispute.account_id, kind__startswith="agents.dispute.", payload__dispute=dispute.ref
    )
    return list(rows.order_by("-pk")[:most])


def credit_of(dispute: Dispute) -> Adjustment | None:
    """The credit that stands for it: billing's own where it has come, else the desk's."""
    rows = Adjustment.objects.filter(account=dispute.account_id, dispute_ref=dispute.ref)
    return rows.order_by("kind", "pk").first()


# Figures ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the disputes decided lately for one reason, or for all: empty ``reason``."""

    reason: str
    decided: int
    #: Calendar days from opening to the decision: half took no longer.
    median_days: float
    #: Upheld, wholly or for a part.
    upheld: float
    #: Decided by their date.
    in_time: float


_FIGURES = """
    SELECT coalesce(reason, ''), grouping(reason), count(*),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY resolved_on - opened_on),
           count(*) FILTER (WHERE outcome = 'upheld'),
           count(*) FILTER (WHERE decide_by IS NULL OR resolved_on <= decide_by)
      FROM ({disputes}) AS d GROUP BY GROUPING SETS ((reason), ()) ORDER BY 2 DESC, 3 DESC, 1
"""


def figures(user: Any, *, as_of: date) -> list[Figures]:
    """How long decisions took and how many were upheld, of the last 90 days; withdrawn ones decided nobody. One query.

    First of all reasons together, then by reason, the most frequent first; empty where nothing was decided.
    """
    rows = visible(user).filter(resolved_on__gt=as_of - LOOKS_BACK, resolved_on__lte=as_of)
    rows = rows.exclude(outcome=Dispute.Outcome.WITHDRAWN)
    sql, parameters = rows.values("reason", "resolved_on", "opened_on", "outcome", "decide_by").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES.format(disputes=sql), parameters)
        found = [
            Figures(
                reason="" if is_all else reason or "none",
                decided=decided,
                median_days=float(median or 0),
                upheld=upheld / decided if decided else 0.0,
                in_time=in_time / decided if decided else 0.0,
            )
            for reason, is_all, decided, median, upheld, in_time in cursor.fetchall()
        ]
    return found[: MOST_REASONS + 1] if found and found[0].decided else []


# The day's end ------------------------------------------------------------------------------------------------------


def note_receipts(*, as_of: date) -> int:
    """Write down of open disputes that their receipt was confirmed: the letter has left. How many."""
    waiting = list(
        Dispute.objects.filter(resolved_on=None, acknowledged_on=None, acknowledge_by__isnull=False).values_list(
            "pk", "ref", "account_id"
        )
    )
    if not waiting:
        return 0
    keys = answers_owed.receipts_sent(account_ids={account for _, _, account in waiting}, template="dispute-received")
    left = [pk for pk, ref, _ in waiting if f"confirm.dispute.{ref}.{disputes.RECEIVED}" in keys]
    return Dispute.objects.filter(pk__in=left).update(acknowledged_on=as_of)


def tell_late(*, as_of: date, at: datetime, actor: str) -> int:
    """Disputes past their date become a task on top of the queue, for whoever has them; each once. How many."""
    note_receipts(as_of=as_of)
    rows = (
        Dispute.objects.filter(resolved_on=None)
        .filter(Q(decide_by__lt=as_of) | Q(acknowledge_by__lt=as_of, acknowledged_on=None))
        .select_related("account")
        .order_by("account_id", "pk")
    )
    late = [
        Late(row.account_id, row.ref, what, _due(row, what), _in_words(row, what), row.assigned_to_id)
        for row in rows
        for what in (_late_with(row, as_of),)
    ]
    return answers_owed.tell(
        late,
        kind=kinds.DISPUTE_RUN_OUT,
        noun="dispute",
        why="a dispute is past its date",
        as_of=as_of,
        at=at,
        actor=actor,
    )


def _late_with(dispute: Dispute, as_of: date) -> str:
    return "decide" if dispute.decide_by is not None and dispute.decide_by < as_of else "acknowledge"


def _due(dispute: Dispute, what: str) -> date | None:
    return dispute.decide_by if what == "decide" else dispute.acknowledge_by


def _in_words(dispute: Dispute, what: str) -> str:
    wanted = "decided" if what == "decide" else "confirmed to the customer"
    where = f"of bill {dispute.bill_ref}" if dispute.bill_ref else "of the account"
    return f"A dispute {where} was to be {wanted} by {_due(dispute, what)}"
