"""The hardship programme: everything is paused until a day on which a person looks again, with a token if they can.

A token is a small payment that shows good will and keeps the debt alive for nobody's sake but theirs: it is paid until
the review, and what is left then stands in the last instalment of the plan, to be looked at together.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import get_args

from django.db import transaction

from accounts import events, holds
from accounts.models import Hold
from accounts.money import quantize
from accounts.refusals import Refused
from agents import card_numbers, covered, instalments, kinds, plans, queue
from agents.instalments import Instalment
from agents.models import Agent, Plan, WorkItem
from dunning.reading import beginning_of

#: The review is at the latest so many days on: circumstances that last longer are looked at again anyway.
MOST_DAYS = 180


class CannotBegin(Refused):
    """The programme cannot begin here; the text tells the agent what to change."""


def schedule(
    *, total: Decimal, token: Decimal, first_on: date, every: str, review_on: date, currency: str
) -> list[Instalment]:
    """The tokens that fall before the review, and what is left on it. Pure.

    Raises ``CannotBegin``.
    """
    if every not in get_args(instalments.Every):
        raise CannotBegin("Tokens are paid every week, fortnight, four weeks or month.", code="invalid")
    if token <= 0 or token != quantize(token, currency):
        raise CannotBegin(f"{token} is no amount of {currency}.", code="invalid")
    if first_on >= review_on:
        raise CannotBegin("The first token falls due before the review.", code="invalid")
    parts: list[Instalment] = []
    left = total
    while left > 0 and (day := instalments.due(first_on, every, len(parts))) < review_on:
        parts.append(Instalment(day, min(token, left)))
        left -= parts[-1].amount
    return [*parts, Instalment(review_on, left)] if left else parts


def begin(
    *,
    account_id: int,
    review_on: date,
    actor: str,
    agent: Agent | None,
    as_of: date,
    at: datetime,
    token: Decimal | None = None,
    first_on: date | None = None,
    every: str = "month",
    note: str = "",
    agreed_by: str = "",
    read_back: str = "",
    budget_id: int | None = None,
) -> Hold:
    """Pause the account until ``review_on``, with a task for that day; with a ``token`` also a plan of tokens.

    All or nothing. Raises ``CannotBegin``, ``plans.CannotAgree`` and ``card_numbers.CannotKeepCard``.
    """
    note, read_back = card_numbers.without_cards(note), card_numbers.without_cards(read_back)
    if review_on <= as_of:
        raise CannotBegin("The review lies ahead.", code="invalid")
    if review_on > as_of + timedelta(days=MOST_DAYS):
        raise CannotBegin(f"Look at it again after {MOST_DAYS} days at the latest.", code="invalid")
    with transaction.atomic():
        account = covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
        paused = holds.in_force(account_id=account_id, as_of=as_of).filter(reason=Hold.Reason.HARDSHIP).first()
        if paused is not None:
            raise CannotBegin("The account is in the hardship programme already.", code="conflict")
        plan: Plan | None = None
        if token is not None:
            bills = covered.bills_of(account, None, refusal=CannotBegin)
            parts = schedule(
                total=covered.undisputed(bills),
                token=token,
                first_on=first_on or as_of,
                every=every,
                review_on=review_on,
                currency=account.currency,
            )
            plan = plans.agree(
                account_id=account_id,
                instalments=parts,
                note=note,
                actor=actor,
                agent=agent,
                as_of=as_of,
                at=at,
                agreed_by=agreed_by,
                read_back=read_back,
                budget_id=budget_id,
            )
        hold = holds.place(
            account_id=account_id,
            reason=Hold.Reason.HARDSHIP,
            starts_on=as_of,
            ends_on=review_on,
            note="\n".join(filter(None, [note, read_back])),
            actor=actor,
            as_of=as_of,
            at=at,
        )
        events.record(
            account_id=account_id,
            kind=kinds.HARDSHIP_BEGUN,
            actor=actor,
            at=at,
            on=as_of,
            payload={
                "hold": hold.ref,
                "review_on": review_on,
                "plan": plan.ref if plan else None,
                "agreed_by": agreed_by,
            },
        )
        added = queue.enqueue(
            account_ids=[account_id],
            reason=f"Hardship programme: look at it again with the customer on {review_on}.",
            kind=WorkItem.Kind.TASK,
            as_of=as_of,
            at=at,
            actor=actor,
        )
        if added:
            WorkItem.objects.filter(account=account_id, kind=WorkItem.Kind.TASK, done_at=None).update(
                not_before=beginning_of(review_on)
            )
    return hold
