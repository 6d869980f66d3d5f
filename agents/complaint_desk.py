"""The complaints that wait: who reads which, whose they are, which is due first, and who is told when one is late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet

from accounts.models import Account, AccountEvent
from agents import answers_owed, complaints, kinds, rights
from agents.answers_owed import Late, Letter
from agents.models import Agent, Complaint, Interaction, Note

MINE, UNASSIGNED, TEAM, ALL, CLOSED = "mine", "unassigned", "team", "all", "closed"
#: The figures beside the list look back so far.
LOOKS_BACK = timedelta(days=90)
#: So many categories have a line of their own.
MOST_LINES = 8
_OPEN = ~Q(state=Complaint.State.CLOSED)


# The list -----------------------------------------------------------------------------------------------------------


def visible(user: Any) -> QuerySet[Complaint]:
    """The complaints that the user may read, of accounts that they see.

    Whoever answers complaints reads them all; everybody else what they took or work on, nothing of their colleagues.
    """
    rows = Complaint.objects.filter(account__in=rights.visible_accounts(user))
    if complaints.may_answer(user):
        return rows
    return rows.filter(Q(assigned_to=user) | Q(taken_by=rights.actor(user)))


def shown(
    user: Any, *, whose: str = ALL, category: str = "", channel: str = "", country: str = ""
) -> QuerySet[Complaint]:
    """The complaints of a list, the one that is due first on top; what is answered, the latest on top."""
    rows = visible(user).select_related("account__customer", "assigned_to", "about")
    rows = rows.filter(~_OPEN if whose == CLOSED else _OPEN)
    if whose == MINE:
        rows = rows.filter(assigned_to=user)
    elif whose == UNASSIGNED:
        rows = rows.filter(assigned_to=None)
    elif whose == TEAM:
        rows = rows.filter(_of_team(user))
    wanted = {"category": category, "channel": channel, "account__customer__country": country}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    return rows.order_by("-closed_on", "-pk") if whose == CLOSED else rows.order_by("answer_by", "pk")


def _of_team(user: Any) -> Q:
    """Worked on in the user's team, or about somebody of it; of somebody without a team, their own."""
    if user.team_id is None:
        return Q(assigned_to=user)
    return Q(assigned_to__team=user.team_id) | Q(about__team=user.team_id)


def counted(user: Any, *, as_of: date) -> dict[str, int]:
    """How many complaints are on each list, and how many of the open ones are late. One query."""
    return visible(user).aggregate(
        mine=Count("pk", filter=_OPEN & Q(assigned_to=user)),
        unassigned=Count("pk", filter=_OPEN & Q(assigned_to=None)),
        team=Count("pk", filter=_OPEN & _of_team(user)),
        all=Count("pk", filter=_OPEN),
        closed=Count("pk", filter=~_OPEN),
        late=Count("pk", filter=_late(as_of)),
    )


def _late(as_of: date) -> Q:
    """Condition on complaints: not answered, or not acknowledged, by their day."""
    return _OPEN & (Q(answer_by__lt=as_of) | Q(acknowledge_by__lt=as_of, acknowledged_on=None))


def late_in_all(*, as_of: date) -> int:
    """How many open complaints are past one of their dates, whoever's they are."""
    return Complaint.objects.filter(_late(as_of)).count()


def markets_of(user: Any) -> list[str]:
    """The countries whose customers complain."""
    rows = visible(user).filter(_OPEN).exclude(account__customer__country="").order_by("account__customer__country")
    return list(rows.values_list("account__customer__country", flat=True).distinct())


def colleagues(user: Any) -> list[Agent]:
    """To whom the user may give a complaint: themselves; whoever answers them, to people of their team, or to all."""
    if not complaints.may_answer(user):
        return [user]
    people = Agent.objects.filter(is_active=True, groups__name__in=rights.roles_with(rights.Act.WORK))
    if not rights.sees_all_teams(user):
        people = people.filter(team_id=user.team_id)
    return list(people.order_by("username").distinct())


def spoke_with(account: Account) -> list[Agent]:
    """The people whom a complaint of the account may be about: who talked to its customer. One query."""
    talked = Interaction.objects.filter(account=account, agent__isnull=False).order_by().values("agent")
    return list(Agent.objects.filter(pk__in=talked).order_by("username"))


# One complaint ------------------------------------------------------------------------------------------------------


def letters_of(complaint: Complaint) -> list[Letter]:
    """The letters that were asked for, in order. One query."""
    return answers_owed.letters(account_id=complaint.account_id, about=f"complaint.{complaint.ref}")


def history_of(complaint: Complaint, *, most: int = 200) -> list[AccountEvent]:
    """What happened to the complaint, notes included, newest first. One query."""
    rows = AccountEvent.objects.filter(account=complaint.account_id, payload__complaint=complaint.ref)
    return list(rows.order_by("-pk")[:most])


def notes_in(history: list[AccountEvent]) -> dict[int, Note]:
    """The notes that the history speaks of, by key, unless they were taken back. One query."""
    keys = [event.payload["note"] for event in history if event.kind == kinds.NOTE_ADDED]
    return {row.pk: row for row in Note.objects.filter(pk__in=keys, undone_at=None)}


# Figures ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the complaints answered lately in one category, or in all: empty ``category``."""

    category: str
    answered: int
    #: Calendar days from receiving it to the answer: half took no longer.
    median_days: float
    #: Upheld, wholly or for a part.
    upheld: float
    #: Answered by their date.
    in_time: float


_FIGURES = """
    SELECT coalesce(category, ''), grouping(category), count(*),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY closed_on - received_on),
           count(*) FILTER (WHERE outcome IN ('upheld', 'partly_upheld')),
           count(*) FILTER (WHERE closed_on <= answer_by)
      FROM ({complaints}) AS c GROUP BY GROUPING SETS ((category), ()) ORDER BY 2 DESC, 3 DESC, 1
"""


def figures(user: Any, *, as_of: date) -> list[Figures]:
    """How long answers took and how many were upheld, of the last 90 days, without what was withdrawn. One query.

    First of all categories together, then by category, the most frequent first; empty where nothing was answered.
    """
    rows = visible(user).filter(closed_on__gt=as_of - LOOKS_BACK, closed_on__lte=as_of)
    rows = rows.exclude(outcome=Complaint.Outcome.WITHDRAWN)
    columns = rows.values("category", "closed_on", "received_on", "outcome", "answer_by")
    sql, parameters = columns.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES.format(complaints=sql), parameters)
        found = [
            Figures(
                category="" if is_all else category,
                answered=answered,
                median_days=float(median or 0),
                upheld=upheld / answered if answered else 0.0,
                in_time=in_time / answered if answered else 0.0,
            )
            for category, is_all, answered, median, upheld, in_time in cursor.fetchall()
        ]
    return found[: MOST_LINES + 1] if found and found[0].answered else []


@dataclass(frozen=True, slots=True)
class AboutMe:
    """Complaints about one person that were answered in a time, and how many of them were upheld."""

    received: int
    upheld: int


def about(agent: Agent, *, since: date) -> AboutMe:
    """What customers complained of about that person since a day: how many, never what. One query."""
    rows = Complaint.objects.filter(about=agent, received_on__gte=since).exclude(outcome=Complaint.Outcome.WITHDRAWN)
    right = Complaint.Outcome.UPHELD, Complaint.Outcome.PARTLY_UPHELD
    return AboutMe(**rows.aggregate(received=Count("pk"), upheld=Count("pk", filter=Q(outcome__in=right))))


# The day's end ------------------------------------------------------------------------------------------------------


def note_receipts(*, as_of: date) -> int:
    """Write down of open complaints that their receipt was confirmed: the letter has left. How many."""
    waiting = list(
        Complaint.objects.filter(state=Complaint.State.RECEIVED, acknowledged_on=None).values_list(
            "pk", "ref", "account_id"
        )
    )
    if not waiting:
        return 0
    keys = answers_owed.receipts_sent(account_ids={account for _, _, account in waiting}, template="complaint-received")
    left = [pk for pk, ref, _ in waiting if f"confirm.complaint.{ref}.{complaints.RECEIVED}" in keys]
    return Complaint.objects.filter(pk__in=left).update(acknowledged_on=as_of, state=Complaint.State.ACKNOWLEDGED)


def tell_late(*, as_of: date, at: datetime, actor: str) -> int:
    """Complaints past their date become a task on top of the queue, for whoever has them; each once. How many."""
    note_receipts(as_of=as_of)
    late = [
        Late(row.account_id, row.ref, what, by, f"A complaint was to be {wanted} by {by}", row.assigned_to_id)
        for row in Complaint.objects.filter(_late(as_of)).order_by("account_id", "pk")
        for what, by, wanted in (_owed(row, as_of),)
    ]
    return answers_owed.tell(
        late,
        kind=kinds.COMPLAINT_RUN_OUT,
        noun="complaint",
        why="a complaint is past its date",
        as_of=as_of,
        at=at,
        actor=actor,
    )


def _owed(complaint: Complaint, as_of: date) -> tuple[str, date, str]:
    if complaint.answer_by < as_of:
        return "answer", complaint.answer_by, "answered"
    return "acknowledge", complaint.acknowledge_by, "confirmed to the customer"
