"""One question to the customer, how they were treated: asked seldom, answered once, on their own page.

Nothing is sent for it: the question stands on the customer's page after somebody talked to them, or after they agreed
to pay, and the link in every message leads there. Whoever is in need, is held, complains or asked to be left alone is
not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zlib import crc32

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts import events, holds
from accounts.models import Account, Consent, ContactPreference, Hold, Vulnerability
from accounts.refusals import Refused
from agents import kinds, queue
from agents.models import Agent, Complaint, Interaction, Plan, Promise, Survey, WorkItem
from dunning.gate.checks.cards import masked

#: What it asks about.
CALL, PLAN = "call", "plan"
#: One customer is asked once in so long, and may answer for so long.
ASKED_EVERY = timedelta(days=90)
OPEN_FOR = timedelta(days=30)
#: From this score on somebody is satisfied; up to that one they may ask for a call.
SATISFIED_FROM, UNHAPPY_TO = 4, 2
#: What the score was for: how they were treated, how clear it was, the choices they had, how long it took, whether it
#: helped.
REASONS = ("respect", "clear", "choices", "time", "solved")
LONGEST_COMMENT = 1000

#: What comes with an agreement keeps nobody from being asked about it.
_AGREED = (Hold.Reason.PROMISE, Hold.Reason.PLAN)
#: An agreement is asked about while it is fresh.
_FRESH = timedelta(days=30)


class CannotAnswer(Refused):
    """It was answered already, or the answer is none."""

    code = "invalid"


# Asking -------------------------------------------------------------------------------------------------------------


def ask(*, account_id: int, about: str, as_of: date, at: datetime, interaction_id: int | None = None) -> Survey | None:
    """Put the question to the account's customer, unless somebody was asked lately or is better left alone.

    In the caller's transaction; one query, and one insert where it is asked.
    """
    if not _is_drawn(account_id, at) or not _may_be_asked(account_id, as_of=as_of, at=at):
        return None
    agent_id = (
        Interaction.objects.filter(pk=interaction_id).values_list("agent_id", flat=True).first()
        if interaction_id is not None
        else None
    )
    return Survey.objects.create(
        account_id=account_id, about=about, interaction_id=interaction_id, agent_id=agent_id, asked_at=at
    )


def ask_about_agreement(*, account_id: int, as_of: date, at: datetime) -> Survey | None:
    """The same about a promise or plan that was made lately and stands; none where there is none."""
    since = as_of - _FRESH
    promised = Promise.objects.filter(account=account_id, status=Promise.Status.OPEN, made_on__gt=since)
    planned = Plan.objects.filter(account=account_id, status=Plan.Status.ACTIVE, made_on__gt=since)
    if not (promised.exists() or planned.exists()):
        return None
    return ask(account_id=account_id, about=PLAN, as_of=as_of, at=at)


def _is_drawn(account_id: int, at: datetime) -> bool:
    """Whether the account is of the share that is asked; the same for one account all day."""
    return crc32(f"{account_id} {at:%Y%m%d}".encode()) % 100 < settings.DESK_SURVEY_SHARE


def _may_be_asked(account_id: int, *, as_of: date, at: datetime) -> bool:
    """Neither asked lately nor in need, held, complaining, or left alone at their wish. One query."""
    customer = OuterRef("customer")
    asked = Survey.objects.filter(account__customer=customer, asked_at__gt=at - ASKED_EVERY)
    asked = asked.exclude(interaction__undone_at__isnull=False)
    in_need = Vulnerability.objects.filter(customer=customer, ended_on=None)
    held = Hold.objects.filter(holds.covering(as_of), account=OuterRef("pk")).exclude(reason__in=_AGREED)
    complains = Complaint.objects.filter(account__customer=customer).exclude(state=Complaint.State.CLOSED)
    ceased = ContactPreference.objects.filter(customer=customer, kind=ContactPreference.Kind.CEASE, starts_at__lte=at)
    ceased = ceased.filter(Q(ends_at=None) | Q(ends_at__gt=at))
    return (
        Account.objects.filter(pk=account_id)
        .exclude(Exists(asked) | Exists(in_need) | Exists(held) | Exists(complains) | Exists(ceased))
        .exclude(Exists(_stopped(at)))
        .exists()
    )


def _stopped(at: datetime) -> QuerySet[Consent]:
    """What stops a whole channel for bills and arrears, as the last word on it."""
    word = Consent.objects.filter(purpose=Consent.Purpose.SERVICE, value="", at__lte=at)
    later = word.filter(customer=OuterRef("customer"), channel=OuterRef("channel"), at__gt=OuterRef("at"), given=True)
    return word.filter(customer=OuterRef("customer"), given=False).exclude(Exists(later))


# Answering ----------------------------------------------------------------------------------------------------------


def open_for(account: Account, *, at: datetime) -> Survey | None:
    """The question that the customer may answer now; of a call whose outcome was taken back there is none."""
    rows = Survey.objects.filter(account=account, answered_at=None, asked_at__gt=at - OPEN_FOR, asked_at__lte=at)
    return rows.exclude(interaction__undone_at__isnull=False).order_by("-pk").first()


def answered_lately(account: Account, *, at: datetime) -> bool:
    """Whether the customer has answered within the time in which they may."""
    return Survey.objects.filter(account=account, answered_at__gt=at - OPEN_FOR).exists()


def answer(
    *,
    survey: Survey,
    score: int,
    reasons: Sequence[str],
    comment: str,
    actor: str,
    as_of: date,
    at: datetime,
    call_me: bool = False,
) -> Survey:
    """Keep the answer, once; card numbers in the comment are masked.

    ``call_me``: whoever is not satisfied is called by a person. Raises ``CannotAnswer``.
    """
    if not 1 <= score <= 5:
        raise CannotAnswer("A score is 1 to 5.")
    told = [reason for reason in REASONS if reason in reasons]
    with transaction.atomic():
        row = Survey.objects.select_for_update(of=("self",)).get(pk=survey.pk)
        if row.answered_at is not None:
            raise CannotAnswer("It was answered already.", code="conflict")
        row.answered_at, row.score, row.reasons = at, score, told
        row.comment = masked(comment.strip()[:LONGEST_COMMENT])[0]
        row.save(update_fields=["answered_at", "score", "reasons", "comment"])
        calls = call_me and score <= UNHAPPY_TO
        events.record(
            account_id=row.account_id,
            kind=kinds.SURVEY_ANSWERED,
            actor=actor,
            at=at,
            on=as_of,
            payload={"survey": row.pk, "about": row.about, "score": score, "reasons": told, "wants_a_call": calls},
        )
        if calls:
            queue.enqueue(
                account_ids=[row.account_id],
                reason="Not satisfied, and asks for a call",
                kind=WorkItem.Kind.TASK,
                as_of=as_of,
                at=at,
                actor=actor,
            )
    return row


# Figures ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Own:
    """What customers answered about one person's work."""

    answers: int
    satisfied: int

    @property
    def rate(self) -> float | None:
        """The share of 4 and 5; none without an answer."""
        return self.satisfied / self.answers if self.answers else None


def own(agent: Agent, *, since: datetime) -> Own:
    """The answers about that person's work since a moment. One query."""
    rows = Survey.objects.filter(agent=agent, answered_at__gte=since)
    return Own(**rows.aggregate(answers=Count("pk"), satisfied=Count("pk", filter=Q(score__gte=SATISFIED_FROM))))
