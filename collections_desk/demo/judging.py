"""What customers of the demo book say of us: how they were treated, and what they complain of; and our answers.

Each goes through the operation that its page calls. A day asks for what is missing up to it, so a load that was killed
goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zlib import crc32

from accounts.models import Account
from agents import complaints, rights, satisfaction
from agents.models import Agent, Complaint, Interaction, Survey
from collections_desk.demo.strategy import SUPERVISOR

#: Of a hundred who are asked so many answer.
ANSWER = 55
#: Whoever is asked answers within so long, or not at all.
ANSWERED_WITHIN = timedelta(days=2)
#: A complaint is looked into for so long; of so many one stays open for whoever looks around.
LOOKED_INTO, STAYS_OPEN = timedelta(days=3), 3

#: Scores as customers give them, with what they say.
_SCORES = (5, 4, 4, 5, 3, 4, 2, 5, 4, 1)
_SAID = {
    5: ("Very patient, thank you.", ""),
    4: ("", "Clear and quick.", ""),
    3: ("I had to explain it twice.", ""),
    2: ("Nobody could tell me why I was charged.",),
    1: ("I was interrupted all the time.",),
}
_WHY = {5: ["respect", "solved"], 4: ["clear"], 3: ["time"], 2: ["clear", "solved"], 1: ["respect"]}

#: Category, what they say, outcome, what they are told, what went wrong, and what it is worth.
_COMPLAINTS: tuple[tuple[str, str, str, str, str, str], ...] = (
    (
        "contact", "Three calls on one day, one of them at work.", "upheld",
        "You are right: one call was too many. We have noted that you are not called at work.",
        "A place that does not suit was not noted after the first call", "",
    ),
    (
        "conduct", "The person on the phone did not let me finish and threatened to cut me off.", "partly_upheld",
        "We listened to the call. The words about your service were right, the tone was not. We are sorry.",
        "No pause for the customer's own words", "10",
    ),
    (
        "amount", "You charged a late fee although I paid on the last day.", "rejected",
        "Your payment reached us two days after the bill was due, so the fee stands.", "", "",
    ),
    (
        "agreement", "I had agreed on instalments, and still got a reminder.", "upheld",
        "The reminder crossed with our agreement. Nothing more is asked of you beyond the instalments.",
        "A printed letter left after the plan was agreed", "",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Wrote:
    """One complaint that came in writing: so many days before the last one, and what became of it."""

    days_before: int
    channel: str
    category: str
    text: str
    #: After so many days, its outcome and what the customer was told; none: nobody answered yet.
    answered_after: int = 0
    outcome: str = ""
    answer: str = ""
    cause: str = ""
    with_whom: str = ""


_WROTE = (
    _Wrote(58, "letter", "service", "My line was cut although I had paid in the shop.", 12, "upheld",
           "You are right, the payment of the shop reached us a week late. Your line is on again.",
           "The shop's payments came in a file that waited"),
    _Wrote(51, "email", "contact", "Two letters on one day, each with another amount.", 9, "partly_upheld",
           "One letter was written before your payment came in, the other after it. Both were right on their day.",
           "Two letters left on one day"),
    _Wrote(44, "letter", "conduct", "I was told my employer would hear of it. Nobody may do that.",
           with_whom="agent2"),
    _Wrote(40, "email", "amount", "The reminder asks for a bill that I returned the router for.", 15, "rejected",
           "The router came back in May, the bill is for March and April."),
    _Wrote(36, "page", "privacy", "Why do you write to my old address? My neighbour opened it."),
    _Wrote(24, "regulator", "contact", "The ombudsman forwards: nine calls in one week.", 6, "upheld",
           "Nine calls were too many, and we are sorry. We call you twice a week at most from now on.",
           "Calls of two accounts of one customer were not counted together"),
    _Wrote(20, "email", "agreement", "Nobody sent me the plan we agreed on.", 4, "withdrawn"),
    _Wrote(4, "letter", "contact", "Please stop calling before eight in the morning.", with_whom="greta"),
    _Wrote(2, "page", "service", "My internet is slow since the warning came."),
)  # fmt: skip


def hear_and_answer(*, as_of: date, at: datetime, last_day: date) -> None:
    """Complaints that come in writing, long before anybody looks around as well; some are answered, two are late."""
    for place, wrote in enumerate(_WROTE):
        received_on = last_day - timedelta(days=wrote.days_before)
        complaint = Complaint.objects.filter(text=wrote.text).first()
        if complaint is None and as_of >= received_on:
            _write_in(wrote, place, as_of=as_of, at=at)
        elif complaint is not None and _is_due(wrote, complaint, as_of):
            complaints.close(
                complaint_id=complaint.pk, outcome=wrote.outcome, answer=wrote.answer, cause=wrote.cause,
                actor=SUPERVISOR, as_of=as_of, at=at,
            )  # fmt: skip


def _is_due(wrote: _Wrote, complaint: Complaint, as_of: date) -> bool:
    is_open = complaint.state != Complaint.State.CLOSED
    return is_open and bool(wrote.outcome) and (as_of - complaint.received_on).days >= wrote.answered_after


def _write_in(wrote: _Wrote, place: int, *, as_of: date, at: datetime) -> None:
    """By somebody who is behind and has not complained before."""
    behind = Account.objects.filter(overdue__gt=0, customer__kind="residential", complaints=None).order_by("ref")
    refs = list(behind.values_list("pk", flat=True)[:400])
    if refs:
        complaints.take(
            account_id=refs[place * 41 % len(refs)],
            channel=wrote.channel,
            category=wrote.category,
            text=wrote.text,
            agent=Agent.objects.filter(username=wrote.with_whom).first() if wrote.with_whom else None,
            actor=SUPERVISOR,
            as_of=as_of,
            at=at,
        )


def judge(*, as_of: date, at: datetime) -> None:
    """What customers say on a day, and what the supervisor answers."""
    _answer_questions(as_of=as_of, at=at)
    _complain(as_of=as_of, at=at)
    _answer_complaints(as_of=as_of, at=at)


def _answer_questions(*, as_of: date, at: datetime) -> None:
    asked = Survey.objects.filter(answered_at=None, asked_at__gt=at - ANSWERED_WITHIN, asked_at__lte=at)
    for survey in asked.select_related("account__customer").order_by("pk"):
        drawn = crc32(f"{survey.account.ref} {survey.asked_at:%Y%m%d}".encode())
        if drawn % 100 >= ANSWER:
            continue
        score = _SCORES[drawn // 100 % len(_SCORES)]
        said = _SAID[score]
        satisfaction.answer(
            survey=survey,
            score=score,
            reasons=_WHY[score],
            comment=said[drawn // 1000 % len(said)],
            call_me=score == 1,
            actor=f"customer:{survey.account.customer.ref}",
            as_of=as_of,
            at=at,
        )


def _complain(*, as_of: date, at: datetime) -> None:
    """One a day, about a talk of that day."""
    if Complaint.objects.filter(received_on=as_of, interaction__isnull=False).exists():
        return
    talks = Interaction.objects.filter(
        agent__isnull=False, right_party=True, undone_at=None, at__gt=at - timedelta(hours=20), at__lte=at
    )
    talk = talks.exclude(account__complaints__isnull=False).select_related("account", "agent").order_by("pk").first()
    if talk is None or talk.agent is None:
        return
    drawn = crc32(talk.account.ref.encode())
    category, text, *_ = _COMPLAINTS[as_of.toordinal() % len(_COMPLAINTS)]
    taker = Agent.objects.exclude(pk=talk.agent.pk).filter(groups__name="agent").order_by("username").first()
    complaints.take(
        account_id=talk.account_id,
        channel=("call", "email", "page")[drawn % 3],
        category=category,
        text=text,
        about=talk.agent if category == "conduct" else None,
        interaction_id=talk.pk,
        agent=taker,
        actor=rights.actor(taker) if taker else SUPERVISOR,
        pauses=category == "amount",
        as_of=as_of,
        at=at,
    )


def _answer_complaints(*, as_of: date, at: datetime) -> None:
    waiting = Complaint.objects.exclude(state=Complaint.State.CLOSED).filter(received_on__lte=as_of - LOOKED_INTO)
    of_text = {text: (outcome, answer, cause, worth) for _, text, outcome, answer, cause, worth in _COMPLAINTS}
    for complaint in waiting.order_by("pk"):
        drawn = crc32(f"{complaint.account_id} {complaint.category}".encode())
        if drawn % STAYS_OPEN == 0 or complaint.text not in of_text:
            continue
        outcome, answer, cause, worth = of_text[complaint.text]
        terms: dict[str, Any] = {"outcome": outcome, "answer": answer, "cause": cause}
        if worth:
            terms["redress"] = Decimal(worth)
        complaints.close(complaint_id=complaint.pk, actor=SUPERVISOR, as_of=as_of, at=at, **terms)
