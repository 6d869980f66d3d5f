"""Complaints: a customer is not content with us, is told that we have it, and gets an answer by the market's clock.

Whoever works here takes a complaint, notes, and says that it was acknowledged; answering is for others (``rights``),
and never for whom it is about. What a complaint is worth in money is billing's to credit: the desk keeps the amount and
books nothing. An answered complaint stays so: who is still not content makes a new one, which is a repetition.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from accounts import events, holds
from accounts.models import Account, Hold
from accounts.models.fields import DESK_PREFIX
from accounts.money import plain
from accounts.refusals import Refused
from agents import card_numbers, complaint_clocks, confirmations, covered, kinds, rights
from agents.models import Agent, Complaint, Interaction, Note
from dunning import holding
from dunning.kinds import COMPLAINT

#: What a complaint is about: how we behaved, how often or when we contacted, an amount, a service that was limited, an
#: agreement, help that was not given, personal data.
CATEGORIES = ("conduct", "contact", "amount", "service", "agreement", "help", "privacy", "other")
#: How it reached us; ``page`` is the customer's own.
CHANNELS = ("call", "email", "letter", "sms", "in_app", "page", "visit", "regulator")
#: Made again within so long about the same, it is a repetition.
REPEATS_WITHIN = timedelta(days=365)
#: Characters of the complaint, and of the answer to it.
LONGEST_TEXT, LONGEST_ANSWER, LONGEST_CAUSE = 4000, 2000, 300

#: What a complaint's letters are about.
RECEIVED, ANSWERED = "received", "answered"
#: Outcomes by which something was wrong: only these are worth money, and have a cause.
_IN_THE_RIGHT = frozenset({Complaint.Outcome.UPHELD, Complaint.Outcome.PARTLY_UPHELD})
#: Who pauses contact for a complaint, in the history.
ACTOR = "desk:complaints"


class CannotComplain(Refused):
    """That cannot be kept as a complaint; the text says why."""

    code = "invalid"


class CannotWorkComplaint(Refused):
    """It is answered already, or is not for this person; the text says which."""

    code = "conflict"


def take(
    *,
    account_id: int,
    channel: str,
    category: str,
    text: str,
    actor: str,
    as_of: date,
    at: datetime,
    agent: Agent | None = None,
    about: Agent | None = None,
    interaction_id: int | None = None,
    pauses: bool = False,
) -> Complaint:
    """Keep what the customer is not content with, and confirm to them a minute later that we have it.

    ``agent``: who has it at first, unless it is about them. ``pauses``: contact about the debt waits for the answer.
    Raises ``CannotComplain`` and ``card_numbers.CannotKeepCard``.
    """
    text = card_numbers.without_cards(text.strip())
    if category not in CATEGORIES:
        raise CannotComplain(f"A complaint is about one of {', '.join(CATEGORIES)}.")
    if channel not in CHANNELS:
        raise CannotComplain(f"A complaint comes by one of {', '.join(CHANNELS)}.")
    if not text:
        raise CannotComplain("Say what the customer is not content with.")
    if len(text) > LONGEST_TEXT:
        raise CannotComplain(f"A complaint has at most {LONGEST_TEXT} characters.")
    if interaction_id is not None and not Interaction.objects.filter(pk=interaction_id, account=account_id).exists():
        raise CannotComplain("There was no such conversation about this account.")
    with transaction.atomic():
        account = (
            Account.objects.select_for_update(no_key=True, of=("self",)).select_related("customer").get(pk=account_id)
        )
        customer = account.customer
        clock = complaint_clocks.clock(country=customer.country, region=customer.region, received_on=as_of)
        earlier = (
            Complaint.objects.filter(account=account, category=category, received_on__gt=as_of - REPEATS_WITHIN)
            .exclude(outcome=Complaint.Outcome.WITHDRAWN)
            .order_by("-received_on", "-pk")
            .first()
        )
        complaint = Complaint.objects.create(
            ref=f"{DESK_PREFIX}{uuid4().hex}",
            account=account,
            received_on=as_of,
            channel=channel,
            category=category,
            text=text,
            about=about,
            interaction_id=interaction_id,
            acknowledge_by=clock.acknowledge_by,
            answer_by=clock.answer_by,
            repeats=earlier,
            assigned_to=agent if agent != about else None,
            taken_by=actor,
        )
        _tell(
            complaint,
            COMPLAINT,
            actor=actor,
            as_of=as_of,
            at=at,
            react=True,
            category=category,
            channel=channel,
            answer_by=complaint.answer_by,
            repeats=earlier and earlier.ref,
        )
        if pauses:
            _pause(complaint, as_of=as_of, at=at)
        confirmations.of_complaint(complaint, RECEIVED, actor=actor, as_of=as_of, at=at)
    return complaint


def acknowledge(*, complaint_id: int, actor: str, as_of: date, at: datetime) -> Complaint:
    """The customer knows that we have it: told on the telephone, or by hand. Raises ``CannotWorkComplaint``."""
    with transaction.atomic():
        complaint = _open_and_locked(complaint_id)
        if complaint.acknowledged_on is None:
            complaint.acknowledged_on, complaint.state = as_of, Complaint.State.ACKNOWLEDGED
            complaint.save(update_fields=["acknowledged_on", "state"])
            _tell(complaint, kinds.COMPLAINT_ACKNOWLEDGED, actor=actor, as_of=as_of, at=at)
    return complaint


def assign(*, complaint_id: int, to: Agent | None, agent: Agent, as_of: date, at: datetime) -> Complaint:
    """Give a complaint to somebody, or to nobody; never to whom it is about.

    Everybody takes what nobody has, and puts back what is theirs; whoever answers complaints gives them to others, who
    must be able to see the account. Raises ``CannotWorkComplaint``.
    """
    with transaction.atomic():
        complaint = _open_and_locked(complaint_id)
        if complaint.assigned_to_id == (to.pk if to else None):
            return complaint
        gives = may_answer(agent)
        if not gives and to not in (None, agent):
            raise CannotWorkComplaint("Complaints are given to others by whoever answers them.", code="forbidden")
        if not gives and complaint.assigned_to_id not in (None, agent.pk):
            raise CannotWorkComplaint(f"{complaint.assigned_to} works on this complaint.")
        if to is not None and to.pk == complaint.about_id:
            raise CannotWorkComplaint(f"It is about {to}: somebody else looks into it.", code="refused")
        if to is not None and not may_have(to, complaint):
            raise CannotWorkComplaint(f"{to} does not work on this account.", code="refused")
        complaint.assigned_to = to
        complaint.save(update_fields=["assigned_to"])
        by, whom = rights.actor(agent), rights.actor(to) if to else ""
        _tell(complaint, kinds.COMPLAINT_ASSIGNED, actor=by, as_of=as_of, at=at, to=whom)
    return complaint


def may_answer(person: Agent) -> bool:
    """Whether that person answers complaints and gives them to others: whoever decides disputes."""
    return rights.may(person, rights.Act.RESOLVE_DISPUTE)


def may_have(person: Agent, complaint: Complaint) -> bool:
    """Whether the complaint may be that person's: they work here, and see the account."""
    works = person.is_active and rights.may(person, rights.Act.WORK)
    return works and rights.visible_accounts(person).filter(pk=complaint.account_id).exists()


def note(*, complaint_id: int, text: str, actor: str, as_of: date, at: datetime) -> Note:
    """A note on the complaint; the account has it too. Raises ``CannotWorkComplaint`` and ``CannotKeepCard``."""
    text = card_numbers.without_cards(text.strip())
    if not text:
        raise CannotWorkComplaint("There is nothing in the note.", code="invalid")
    with transaction.atomic():
        complaint = Complaint.objects.get(pk=complaint_id)
        written = Note.objects.create(account_id=complaint.account_id, text=text, at=at, by=actor)
        _tell(complaint, kinds.NOTE_ADDED, actor=actor, as_of=as_of, at=at, note=written.pk)
    return written


def pause(*, complaint_id: int, as_of: date, at: datetime) -> Hold | None:
    """Contact about the debt waits until the complaint is answered; none where the desk pauses nothing for one.

    Raises ``CannotWorkComplaint``.
    """
    with transaction.atomic():
        return _pause(_open_and_locked(complaint_id), as_of=as_of, at=at)


def paused_by(complaint: Complaint) -> Hold | None:
    """The pause that came with the complaint, whether it is over or not. One query."""
    return Hold.objects.filter(ref=_hold_ref(complaint)).first()


def close(
    *,
    complaint_id: int,
    outcome: str,
    actor: str,
    as_of: date,
    at: datetime,
    answer: str = "",
    cause: str = "",
    redress: Decimal | None = None,
) -> Complaint:
    """Answer a complaint: its pause ends, and the customer is written to, unless they took it back themselves.

    ``answer``: what the customer is told, in their language. ``redress``: what billing is to credit, in the account's
    currency; nothing is booked here. Raises ``CannotWorkComplaint`` and ``card_numbers.CannotKeepCard``.
    """
    answer, cause = card_numbers.without_cards(answer.strip()), card_numbers.without_cards(cause.strip())
    with transaction.atomic():
        complaint = _open_and_locked(complaint_id)
        _check_answer(complaint, outcome=outcome, answer=answer, cause=cause, redress=redress, actor=actor)
        complaint.state, complaint.outcome = Complaint.State.CLOSED, outcome
        complaint.closed_on, complaint.closed_by = as_of, actor
        complaint.answer, complaint.cause, complaint.redress = answer, cause, redress or Decimal(0)
        complaint.save(
            update_fields=["state", "outcome", "closed_on", "closed_by", "answer", "cause", "redress"],
        )
        hold = paused_by(complaint)
        if hold is not None and covered.still_holds(hold, as_of=as_of):
            holds.lift(hold_id=hold.pk, actor=actor, as_of=as_of, at=at, reason=f"complaint {outcome}")
        worth = {"redress": plain(redress, complaint.account.currency)} if redress else {}
        _tell(complaint, kinds.COMPLAINT_CLOSED, actor=actor, as_of=as_of, at=at, react=True, outcome=outcome, **worth)
        confirmations.take_back("complaint", f"{complaint.ref}.{RECEIVED}", reason=f"the complaint is {outcome}", at=at)
        if outcome != Complaint.Outcome.WITHDRAWN:
            confirmations.of_complaint(complaint, ANSWERED, actor=actor, as_of=as_of, at=at)
    return complaint


def _check_answer(
    complaint: Complaint, *, outcome: str, answer: str, cause: str, redress: Decimal | None, actor: str
) -> None:
    if outcome not in Complaint.Outcome.values:
        raise CannotWorkComplaint(f"A complaint is {', '.join(Complaint.Outcome.values)}.", code="invalid")
    if complaint.about is not None and rights.actor(complaint.about) == actor:
        raise CannotWorkComplaint("It is about you: somebody else answers it.", code="refused")
    if not answer and outcome != Complaint.Outcome.WITHDRAWN:
        raise CannotWorkComplaint("Say what the customer is told.", code="invalid")
    if len(answer) > LONGEST_ANSWER or len(cause) > LONGEST_CAUSE:
        raise CannotWorkComplaint(
            f"An answer has at most {LONGEST_ANSWER} characters, a cause {LONGEST_CAUSE}.", code="invalid"
        )
    if outcome in _IN_THE_RIGHT and not cause:
        raise CannotWorkComplaint("Say what went wrong, so that it does not happen again.", code="invalid")
    if redress is not None:
        if outcome not in _IN_THE_RIGHT:
            raise CannotWorkComplaint("Only what is upheld is made good.", code="invalid")
        covered.checked_amount(redress, complaint.account, refusal=CannotWorkComplaint)


def _pause(complaint: Complaint, *, as_of: date, at: datetime) -> Hold | None:
    """One for a complaint, and where the desk stops something for one (``DESK_COMPLAINT_STOPS``)."""
    stops = sorted(holding.EVERYTHING.intersection(settings.DESK_COMPLAINT_STOPS))
    if not stops or paused_by(complaint) is not None:
        return None
    return holds.place(
        account_id=complaint.account_id,
        reason=Hold.Reason.MANUAL,
        starts_on=as_of,
        stops=stops,
        actor=ACTOR,
        as_of=as_of,
        at=at,
        ref=_hold_ref(complaint),
        note="A complaint is looked into: paused until it is answered",
    )


def _hold_ref(complaint: Complaint) -> str:
    return f"{DESK_PREFIX}complaint-{complaint.pk}"


def _open_and_locked(complaint_id: int) -> Complaint:
    rows = Complaint.objects.select_for_update(of=("self",)).select_related("account", "assigned_to", "about")
    complaint = rows.get(pk=complaint_id)
    if complaint.state == Complaint.State.CLOSED:
        said = complaint.get_outcome_display().lower()
        raise CannotWorkComplaint(f"This complaint was {said} on {complaint.closed_on}: another one is a new one.")
    return complaint


def _tell(
    complaint: Complaint, kind: str, *, actor: str, as_of: date, at: datetime, react: bool = False, **payload: object
) -> None:
    events.record(
        account_id=complaint.account_id,
        kind=kind,
        actor=actor,
        at=at,
        on=as_of,
        payload={"complaint": complaint.ref, **payload},
        react=react,
    )
