"""What a customer tells us about ourselves: how they were treated, and what they are not content with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.http import QueryDict

from accounts.models import Account
from accounts.refusals import Refused
from agents import complaints, satisfaction
from agents.models import Complaint, Survey
from collections_desk.portal.asking import actor
from collections_desk.portal.texts import Words
from dunning.gate.checks.cards import masked

#: What was answered stays on the page for so long.
SHOWN_FOR = timedelta(days=90)
SCORES = (1, 2, 3, 4, 5)


class CannotTell(Refused):
    """Something is missing."""

    code = "invalid"


@dataclass(frozen=True, slots=True)
class ComplaintShown:
    """One complaint: when it came, by when or how it was answered."""

    title: str
    state: str
    answer: str
    redress: str


def told_of(account: Account, words: Words, *, as_of: date) -> list[ComplaintShown]:
    """The account's complaints that are open, or were answered lately. One query."""
    rows = Complaint.objects.filter(account=account).exclude(outcome=Complaint.Outcome.WITHDRAWN)
    rows = rows.exclude(closed_on__lt=as_of - SHOWN_FOR).order_by("-received_on", "-pk")
    money = words.money(account.currency)
    return [
        ComplaintShown(
            title=words.say(
                "complaint_of", about=words[f"complaint_on_{row.category}"], day=words.day(row.received_on)
            ),
            state=words.say("complaint_answered", day=words.day(row.closed_on))
            if row.closed_on
            else words.say("complaint_open", day=words.day(row.answer_by)),
            answer=row.answer,
            redress=words.say("complaint_redress", amount=money(row.redress)) if row.redress else "",
        )
        for row in rows[:5]
    ]


def may_complain(account: Account) -> bool:
    """One at a time from the page: what is open from there is looked into first."""
    open_ones = Complaint.objects.filter(account=account, channel="page").exclude(state=Complaint.State.CLOSED)
    return not open_ones.exists()


def complain(account: Account, given: Mapping[str, str], *, as_of: date, at: datetime) -> Complaint:
    """Take the complaint; card numbers in it are masked. Raises ``CannotTell``."""
    text = masked(given.get("text", "").replace("\x00", "").strip()[: complaints.LONGEST_TEXT])[0]
    if not text or given.get("category") not in complaints.CATEGORIES:
        raise CannotTell("Say what it is about, and what happened.")
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
        if not may_complain(account):
            raise CannotTell("There is one already.", code="conflict")
        return complaints.take(
            account_id=account.pk,
            channel="page",
            category=given["category"],
            text=text,
            actor=actor(account),
            as_of=as_of,
            at=at,
        )


def judge(survey: Survey, given: QueryDict, account: Account, *, as_of: date, at: datetime) -> Survey:
    """Keep the answer to the question. Raises ``CannotTell`` without a score, ``satisfaction.CannotAnswer`` twice."""
    score = given.get("score", "")
    if score not in {str(each) for each in SCORES}:
        raise CannotTell("Choose one of five.")
    return satisfaction.answer(
        survey=survey,
        score=int(score),
        reasons=given.getlist("reasons"),
        comment=given.get("comment", "").replace("\x00", ""),
        call_me="call_me" in given,
        actor=actor(account),
        as_of=as_of,
        at=at,
    )
