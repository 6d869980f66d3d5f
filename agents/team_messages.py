"""A word from a supervisor to a team, or to everybody: it stays before each of them until they saw it or its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from accounts import business_day, events
from accounts.refusals import Refused
from agents import card_numbers, kinds, rights
from agents.models import Agent, MessageSeen, Team, TeamMessage

LONGEST = 300
#: A message ends by itself within so long.
LASTS_AT_MOST = timedelta(days=7)
#: So many are before somebody at once; the rest comes when those were seen.
AT_ONCE = 2
#: Of the past, supervisors see so many.
LISTED = 30


class CannotSend(Refused):
    """It says nothing, ends before it begins, or is for a team of somebody else."""

    code = "invalid"


@dataclass(frozen=True, slots=True)
class Sent:
    """A message with how many saw it, of how many it is for who work here now."""

    message: TeamMessage
    seen: int
    people: int
    is_running: bool


def send(*, text: str, team: Team | None, until: datetime, agent: Agent, at: datetime) -> TeamMessage:
    """Put it before the team, or everybody, until that moment. Raises ``CannotSend`` and ``CannotKeepCard``."""
    _refuse(agent, team)
    text = " ".join(card_numbers.without_cards(text).split())
    if not text:
        raise CannotSend("Write what they are to read.")
    if len(text) > LONGEST:
        raise CannotSend(f"At most {LONGEST} characters.")
    if not at < until <= at + LASTS_AT_MOST:
        raise CannotSend(f"It ends later than now, and within {LASTS_AT_MOST.days} days.")
    with transaction.atomic():
        message = TeamMessage.objects.create(team=team, text=text, sent_by=rights.actor(agent), sent_at=at, until=until)
        _record(message, kinds.TEAM_MESSAGE_SENT, agent=agent, at=at)
    return message


def end(*, message_id: int, agent: Agent, at: datetime) -> bool:
    """Take a message back before its end; whether it still ran. Raises ``CannotSend`` for another team's."""
    with transaction.atomic():
        message = (
            TeamMessage.objects.select_for_update(of=("self",)).select_related("team").filter(pk=message_id).first()
        )
        if message is None:
            raise CannotSend("There is no such message.", code="not_found")
        _refuse(agent, message.team)
        if message.until <= at:
            return False
        message.until = at
        message.save(update_fields=["until"])
        _record(message, kinds.TEAM_MESSAGE_ENDED, agent=agent, at=at)
    return True


def waiting(*, agent: Agent, at: datetime) -> list[TeamMessage]:
    """What this person is to read and has not seen, the oldest first. One query."""
    mine = Q(team=None) if agent.team_id is None else Q(team=None) | Q(team_id=agent.team_id)
    running = TeamMessage.objects.filter(mine, until__gt=at, sent_at__lte=at)
    # Nobody needs telling what they wrote themselves.
    unseen = running.exclude(seen__agent=agent).exclude(sent_by=rights.actor(agent))
    return list(unseen.order_by("sent_at", "pk")[:AT_ONCE])


def see(*, message_id: int, agent: Agent, at: datetime) -> bool:
    """Note that this person saw it, once; whether it is for them at all."""
    message = TeamMessage.objects.filter(pk=message_id).first()
    if message is None or message.team_id not in (None, agent.team_id):
        return False
    MessageSeen.objects.get_or_create(message=message, agent=agent, defaults={"at": at})
    return True


def listed(*, agent: Agent, at: datetime) -> list[Sent]:
    """The latest messages that this supervisor may see, with how many saw each. Two queries."""
    rows = _sendable(agent).select_related("team").annotate(seen_count=Count("seen")).order_by("-sent_at", "-pk")
    found = list(rows[:LISTED])
    people = _people()
    return [
        Sent(
            row,
            row.seen_count,
            sum(people.values()) if row.team_id is None else people.get(row.team_id, 0),
            row.until > at,
        )
        for row in found
    ]


def who_saw(*, message_id: int, agent: Agent) -> Sequence[MessageSeen]:
    """Who saw it and when, the first first; nobody of a message that is not this supervisor's to see."""
    if not _sendable(agent).filter(pk=message_id).exists():
        return []
    return list(MessageSeen.objects.filter(message=message_id).select_related("agent").order_by("at", "pk"))


def teams(agent: Agent) -> list[Team]:
    """Whom this supervisor may write to."""
    every = Team.objects.order_by("name")
    return list(every if rights.sees_all_teams(agent) else every.filter(pk=agent.team_id or 0))


def _sendable(agent: Agent) -> QuerySet[TeamMessage]:
    if not rights.may(agent, rights.Act.SUPERVISE):
        return TeamMessage.objects.none()
    every = TeamMessage.objects.all()
    return every if rights.sees_all_teams(agent) else every.filter(team_id=agent.team_id or 0)


def _people() -> dict[int | None, int]:
    """How many work here, by team."""
    workers = Agent.objects.filter(is_active=True, groups__name__in=rights.roles_with(rights.Act.WORK))
    return dict(workers.order_by().values_list("team_id").annotate(n=Count("pk", distinct=True)))


def _refuse(agent: Agent, team: Team | None) -> None:
    if not rights.may(agent, rights.Act.SUPERVISE):
        raise CannotSend("Only a supervisor writes to a team.", code="forbidden")
    if not rights.sees_all_teams(agent) and (team is None or team.pk != agent.team_id):
        raise CannotSend("You write to your own team.", code="forbidden")


def _record(message: TeamMessage, kind: str, *, agent: Agent, at: datetime) -> None:
    events.record(
        account_id=None,
        kind=kind,
        actor=rights.actor(agent),
        at=at,
        on=business_day.business_date(at=at),
        payload={"message": message.pk, "team": message.team_id, "until": message.until},
    )
