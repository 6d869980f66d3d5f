"""A write-off that waits for a second pair of eyes: approved or left with the desk, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts import events
from accounts.models import Account
from accounts.refusals import Refused
from agents import delegations, queue, rights, second_words
from agents.models import Agent, WorkItem
from dunning import cases, kinds


class AlreadyDecided(Refused):
    """Somebody decided it, or the account paid meanwhile."""

    code = "conflict"


class AskedForIt(Refused):
    """Whoever asks for a write-off does not approve it."""

    code = "forbidden"


class NeedsReason(Refused):
    """A write-off that is not approved is declined for a reason."""

    code = "invalid"


class CannotDecideWriteOff(Refused):
    """It is not for this person, or nobody decided on it in time."""

    code = "forbidden"


def decide(
    *,
    item_id: int,
    approve: bool,
    reason: str,
    agent: Agent,
    as_of: date,
    at: datetime,
    instead_of: Agent | None = None,
) -> Decimal:
    """Write off what is open on the item's account, or decline; how much was written off.

    Whether the agent may is asked before (``rights.Act.APPROVE``); in somebody's place, here. Raises
    ``AlreadyDecided``, ``AskedForIt``, ``CannotDecideWriteOff``, ``NeedsReason`` when a decline gives none,
    ``delegations.CannotActFor``, and what ``cases.write_off`` raises; the item then waits on.
    """
    reason = reason.strip()
    with transaction.atomic():
        word = delegations.word_of(agent, instead_of=instead_of, on=as_of)
        account_id = WorkItem.objects.values_list("account_id", flat=True).get(pk=item_id)
        cases.lock([account_id])
        item = WorkItem.objects.get(pk=item_id)
        if item.done_at is not None:
            raise AlreadyDecided("This write-off does not wait any more.")
        if what := second_words.agreement_waits(account_id):
            raise AlreadyDecided(f"What waits here is {what}: decide that first.")
        _refuse(word, account_id)
        asked = second_words.write_offs_asked([account_id]).get(account_id)
        if asked is None and second_words.waiver_waits(account_id):
            raise AlreadyDecided("What waits here is the waiver of a fee: nobody asked for a write-off.")
        if not approve:
            if not reason:
                raise NeedsReason("Say why it is not written off.")
            _decline(item, actor=word.actor, as_of=as_of, at=at, reason=reason, told=word.told)
            return Decimal(0)
        if asked is not None and word.is_of(asked.actor):
            raise AskedForIt("Somebody else approves what you asked for.")
        if asked is not None and second_words.is_over(second_words.WRITE_OFF, asked.on, as_of):
            raise CannotDecideWriteOff(second_words.too_late(second_words.WRITE_OFF, asked.on), code="conflict")
        why = ": ".join(filter(None, (item.reason, reason)))
        amount = cases.write_off(
            account_id=account_id, actor=word.actor, as_of=as_of, at=at, reason=why, told=word.told
        )
        second_words.settled(account_id=account_id, outcome="approved", actor=word.actor, at=at)
    return amount


def expire(*, as_of: date, at: datetime) -> int:
    """Decline the write-offs on which nobody decided in time; how many. Run twice, the second finds nothing."""
    declined = 0
    places = WorkItem.objects.filter(kind=WorkItem.Kind.APPROVAL, done_at=None)
    waiting = second_words.write_offs_asked(list(places.values_list("account_id", flat=True)))
    over = [row for row in waiting.values() if second_words.is_over(second_words.WRITE_OFF, row.on, as_of)]
    for account_id in sorted(row.account_id for row in over if row.account_id is not None):
        with transaction.atomic():
            cases.lock([account_id])
            item = places.filter(account=account_id).first()
            asked = second_words.write_offs_asked([account_id]).get(account_id)
            if item is None or asked is None or not second_words.is_over(second_words.WRITE_OFF, asked.on, as_of):
                continue
            reason = second_words.too_late(second_words.WRITE_OFF, asked.on)
            _decline(item, actor=second_words.ACTOR, as_of=as_of, at=at, reason=reason, told={"expired": True})
            who = asked.actor.partition(":")[2] or asked.actor
            queue.enqueue(
                account_ids=[account_id],
                reason=f"Not written off: nobody decided in time (asked by {who}). Go on, or ask anew.",
                kind=WorkItem.Kind.TASK,
                as_of=as_of,
                at=at,
                actor=second_words.ACTOR,
            )
            declined += 1
    return declined


def _refuse(word: delegations.Word, account_id: int) -> None:
    """In somebody's place as they themselves could: with the right to it, on their side of the team wall."""
    if word.instead_of is None:
        return
    if not rights.may(word.authority, rights.Act.APPROVE):
        raise CannotDecideWriteOff("They do not decide on write-offs.")
    if not rights.may_see_account(word.authority, Account.objects.get(pk=account_id)):
        raise CannotDecideWriteOff("This account is another team's.")


def _decline(item: WorkItem, *, actor: str, as_of: date, at: datetime, reason: str, told: Mapping[str, Any]) -> None:
    events.record(
        account_id=item.account_id,
        kind=kinds.WRITE_OFF_DECLINED,
        actor=actor,
        at=at,
        on=as_of,
        reason=reason,
        payload={"step": item.reason, **told},
    )
    second_words.settled(account_id=item.account_id, outcome="declined", actor=actor, at=at)
