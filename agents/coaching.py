"""A word to somebody about their work, which they see and answer; and what was made of it.

Whoever may judge a person's work may coach them. What was written is theirs two to read, and of those above them who
see everybody; the person's answer closes nothing: whoever wrote it does, once it is settled.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from accounts import business_day, events
from accounts.refusals import Refused
from agents import card_numbers, kinds, reviewing, rights
from agents.models import Agent, Coaching, Criterion, Review

LONGEST_TEXT = 2000
_UNANSWERED = Q(answered_at=None, closed_at=None)


class CannotCoach(Refused):
    """It is about oneself or somebody of another team, says nothing, or is over."""

    code = "forbidden"


# Who reads what -----------------------------------------------------------------------------------------------------


def visible(user: Any) -> QuerySet[Coaching]:
    """What the user wrote, and what was written to people whose work they may judge."""
    if not reviewing.may_review(user):
        return Coaching.objects.none()
    rows = Coaching.objects.exclude(agent=user)
    if rights.sees_all_teams(user):
        return rows
    return rows.filter(agent__team_id=user.team_id) if user.team_id else rows.filter(agent__team=None)


def own(agent: Agent) -> QuerySet[Coaching]:
    """What was written to the agent: what is not answered first, then the latest."""
    rows = Coaching.objects.filter(agent=agent).select_related("written_by", "goal")
    return rows.order_by(F("closed_at").desc(nulls_first=True), "-written_at", "-pk")


def unseen(agent: Agent) -> QuerySet[Coaching]:
    """What waits for the agent: not read yet, and not closed. By the index of what waits."""
    return Coaching.objects.filter(_UNANSWERED, agent=agent, seen_at=None).order_by("pk")


# What is done -------------------------------------------------------------------------------------------------------


def write(
    *,
    agent: Agent,
    text: str,
    by: Agent,
    at: datetime,
    review: Review | None = None,
    goal: Criterion | None = None,
) -> Coaching:
    """A word to that person. Raises ``CannotCoach`` and ``card_numbers.CannotKeepCard``."""
    text = card_numbers.without_cards(text.strip())
    if not text:
        raise CannotCoach(_("Write what they are to read."), code="invalid")
    if len(text) > LONGEST_TEXT:
        raise CannotCoach(_("At most %(n)s characters.") % {"n": LONGEST_TEXT}, code="invalid")
    if not reviewing.people(by).filter(pk=agent.pk).exists():
        raise CannotCoach(_("One coaches the people whose work one may judge, and never oneself."))
    if review is not None and review.agent_id != agent.pk:
        raise CannotCoach(_("This review is of somebody else's work."), code="invalid")
    with transaction.atomic():
        coaching = Coaching.objects.create(
            agent=agent, review=review, written_by=by, written_at=at, text=text, goal=goal
        )
        _record(coaching, kinds.COACHING_WRITTEN, by, at)
    return coaching


def read(*, coaching_id: int, agent: Agent, at: datetime) -> Coaching:
    """The agent saw it. Raises ``CannotCoach`` where it is not theirs."""
    with transaction.atomic():
        coaching = _theirs(coaching_id, agent)
        if coaching.seen_at is None:
            coaching.seen_at = at
            coaching.save(update_fields=["seen_at"])
    return coaching


def answer(*, coaching_id: int, text: str, agent: Agent, at: datetime) -> Coaching:
    """What the agent says to it; said again while it is open, it stands instead. Raises ``CannotCoach``."""
    text = card_numbers.without_cards(text.strip())
    if not text:
        raise CannotCoach(_("Write your answer."), code="invalid")
    if len(text) > LONGEST_TEXT:
        raise CannotCoach(_("At most %(n)s characters.") % {"n": LONGEST_TEXT}, code="invalid")
    with transaction.atomic():
        coaching = _theirs(coaching_id, agent)
        if coaching.closed_at is not None:
            raise CannotCoach(_("This is settled already."), code="conflict")
        coaching.answer, coaching.answered_at, coaching.seen_at = text, at, coaching.seen_at or at
        coaching.save(update_fields=["answer", "answered_at", "seen_at"])
        _record(coaching, kinds.COACHING_ANSWERED, agent, at)
    return coaching


def close(*, coaching_id: int, by: Agent, at: datetime) -> Coaching:
    """It is settled. Raises ``CannotCoach`` where it is not for this user to say, or is over."""
    with transaction.atomic():
        rows = Coaching.objects.select_for_update(of=("self",)).select_related("agent")
        coaching = rows.filter(pk__in=visible(by).values("pk")).filter(pk=coaching_id).first()
        if coaching is None:
            raise CannotCoach(_("There is no such word to anybody of yours."), code="not_found")
        if coaching.closed_at is not None:
            raise CannotCoach(_("This is settled already."), code="conflict")
        coaching.closed_at, coaching.closed_by = at, rights.actor(by)
        coaching.save(update_fields=["closed_at", "closed_by"])
        _record(coaching, kinds.COACHING_CLOSED, by, at)
    return coaching


def _theirs(coaching_id: int, agent: Agent) -> Coaching:
    rows = Coaching.objects.select_for_update(of=("self",)).select_related("agent")
    coaching = rows.filter(agent=agent, pk=coaching_id).first()
    if coaching is None:
        raise CannotCoach(_("There is no such word to you."), code="not_found")
    return coaching


def _record(coaching: Coaching, kind: str, actor: Agent, at: datetime) -> None:
    payload = {
        "coaching": coaching.pk,
        "about": rights.actor(coaching.agent),
        **({"review": coaching.review_id} if coaching.review_id else {}),
        **({"goal": coaching.goal.code} if coaching.goal else {}),
    }
    events.record(
        account_id=None,
        kind=kind,
        actor=rights.actor(actor),
        at=at,
        on=business_day.business_date(at=at),
        payload=payload,
    )
