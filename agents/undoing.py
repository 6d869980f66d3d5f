"""A slip taken back: for a minute, what an agent did can be undone where nothing of it has left the house.

Nothing is erased. Each thing is ended by its own operation, as if a person had ended it a moment later, and the history
keeps both. What an act made is read in that history: everything the same person did to the account at that one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import events, holds
from accounts.models import Account, AccountEvent, Hold, UnreachableAddress
from accounts.refusals import Refused
from agents import disputes, extensions, kinds, plans, promises, queue, rights, settlements
from agents.models import (
    Agent,
    Dispute,
    Extension,
    Interaction,
    LiveCall,
    Note,
    Plan,
    Promise,
    Settlement,
    Undo,
    WorkItem,
)
from dunning import confirming
from dunning.models import Notice, ServiceOrder

WINDOW = timedelta(seconds=60)
REASON = "taken back within a minute"

#: What an event made, by its kind: the name of the row, and where its payload names it.
_MADE = {
    kinds.CALL_LOGGED: ("interaction", "interaction"),
    kinds.NOTE_ADDED: ("note", "note"),
    kinds.PROMISE_MADE: ("promise", "promise"),
    kinds.PLAN_AGREED: ("plan", "plan"),
    kinds.EXTENSION_AGREED: ("extension", "extension"),
    kinds.SETTLEMENT_OFFERED: ("settlement", "settlement"),
    kinds.DISPUTE_OPENED: ("dispute", "dispute"),
    events.HOLD_PLACED: ("hold", "hold"),
    kinds.ITEM_COMPLETED: ("item", "item"),
}
#: Wishes are the customer's own words: what stopped contact is started again where it is read back to them.
_WISHES = (events.CONSENT_WITHDRAWN, events.PREFERENCE_NOTED)
#: Acts on one moment of one account are few; more are no person's.
_MOST = 60


class CannotUndo(Refused):
    """It stays as it is; the text says why, and what to do instead."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class Moment:
    """Who takes back what, when."""

    account_id: int
    actor: str
    as_of: date
    at: datetime

    def ends(self) -> dict[str, Any]:
        """The arguments of an operation that ends something."""
        return {"actor": self.actor, "as_of": self.as_of, "at": self.at, "reason": REASON}


def made_by(*, account_id: int, actor: str, at: datetime) -> dict[str, list[str]]:
    """The rows that ``actor`` made on the account at that moment, by name. One query."""
    made: dict[str, list[str]] = {}
    rows = AccountEvent.objects.filter(account=account_id).order_by("-pk")[:_MOST]
    for event in reversed([row for row in rows if row.actor == actor and row.at == at]):
        if event.kind in _WISHES:
            made.setdefault("wish", []).append(event.kind)
        elif (named := _MADE.get(event.kind)) and event.payload.get(named[1]):
            made.setdefault(named[0], []).append(str(event.payload[named[1]]))
    return made


def remember(
    *, agent: Agent, account_id: int, act: str, rows: Mapping[str, Iterable[str]], said: str, at: datetime
) -> Undo:
    """Keep what was done, for the minute in which it may be taken back."""
    return Undo.objects.create(
        agent=agent,
        account_id=account_id,
        act=act[:20],
        rows={name: list(refs) for name, refs in rows.items()},
        said=said[:200],
        done_at=at,
        until=at + WINDOW,
    )


def offered(*, agent: Agent, account_id: int, act: str, said: str, at: datetime) -> str:
    """Remember what the agent has just done to the account, and the tag of a message that offers to take it back.

    The tag is ``<id>@<moment until which>``; empty where nothing can be taken back.
    """
    rows = made_by(account_id=account_id, actor=rights.actor(agent), at=at)
    if not rows or "wish" in rows:
        return ""
    done = remember(agent=agent, account_id=account_id, act=act, rows=rows, said=said, at=at)
    return f"{done.pk}@{done.until.isoformat()}"


def undo(*, undo_id: int, agent: Agent, as_of: date, at: datetime) -> str:
    """Take back what the agent did; what was taken back, in words.

    All or nothing: raises ``CannotUndo`` where a minute is over, somebody else goes on with it, or something left the
    house. Another agent's is not found.
    """
    with transaction.atomic():
        done = Undo.objects.select_for_update().filter(pk=undo_id, agent=agent).first()
        if done is None:
            raise CannotUndo(_("There is nothing of yours to take back there."), code="not_found")
        if done.undone_at is not None:
            raise CannotUndo(_("This was taken back already."))
        if at > done.until:
            raise CannotUndo(_("A minute is over: it stands. End it where it is listed."))
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=done.account_id)
        now = Moment(account_id=done.account_id, actor=rights.actor(agent), as_of=as_of, at=at)
        _refuse_gone_on(done, agent=agent, at=at)
        # What came with the act after it was remembered: the account's turn in the queue is over.
        rows = {**made_by(account_id=done.account_id, actor=now.actor, at=done.done_at), **done.rows}
        if "wish" in rows:
            raise CannotUndo(_("They asked not to be contacted: that stands until they say otherwise."))
        for name, take_back in _TAKEN_BACK.items():
            for ref in rows.get(name, ()):
                take_back(ref, done, now)
        for ref in rows.get("item", ()):
            _give_back(int(ref), agent=agent, done=done, at=at)
        done.undone_at = at
        done.save(update_fields=["undone_at"])
        events.record(
            account_id=done.account_id,
            kind=kinds.ACT_UNDONE,
            actor=now.actor,
            at=at,
            on=as_of,
            payload={"act": done.act, "done_at": done.done_at, **{name: list(refs) for name, refs in rows.items()}},
        )
    return done.said


def _refuse_gone_on(done: Undo, *, agent: Agent, at: datetime) -> None:
    """Nothing is taken back under another's hands, nor what the network was told since."""
    other = (
        WorkItem.objects.filter(account=done.account_id, done_at=None, lease_until__gt=at)
        .exclude(claimed_by=agent)
        .exclude(kind=WorkItem.Kind.APPROVAL)
        .select_related("claimed_by")
        .first()
    )
    if other is not None and other.claimed_by is not None:
        raise CannotUndo(_("%(who)s works on this account now: ask them.") % {"who": other.claimed_by})
    if ServiceOrder.objects.filter(account=done.account_id, sent_at__gte=done.done_at).exists():
        raise CannotUndo(_("The network was told already: end it where it is listed, and the service follows."))


def _withdraw(key: str, now: Moment) -> None:
    """The confirmation with it, or nothing at all where it has left."""
    confirming.withdraw(key_prefix=key, reason=REASON, at=now.at, actor=now.actor)
    gone = Notice.objects.filter(account=now.account_id, key__startswith=f"{key}.").exclude(state="withdrawn").first()
    if gone is not None:
        raise CannotUndo(
            _("The customer was told already, by %(channel)s: end it where it is listed, and tell them.")
            % {"channel": gone.channel}
        )


def _decided(by: str, now: Moment) -> None:
    if by and by != now.actor:
        raise CannotUndo(_("%(who)s decided on it already: end it where it is listed.") % {"who": by.partition(":")[2]})


def _promise(ref: str, done: Undo, now: Moment) -> None:
    row = Promise.objects.get(account=done.account_id, ref=ref)
    _withdraw(f"confirm.promise.{ref}", now)
    if row.status != Promise.Status.CANCELLED:
        promises.cancel(promise_id=row.pk, **now.ends())


def _plan(ref: str, done: Undo, now: Moment) -> None:
    """The plan, and those of linked accounts that were agreed as one with it."""
    row = Plan.objects.get(account=done.account_id, ref=ref)
    for each in Plan.objects.filter(group=row.group).order_by("account_id") if row.group else [row]:
        _decided(each.decided_by, now)
        _withdraw(f"confirm.plan.{each.ref}", Moment(each.account_id, now.actor, now.as_of, now.at))
    if row.status != Plan.Status.CANCELLED:
        plans.cancel(plan_id=row.pk, together=True, **now.ends())


def _extension(ref: str, done: Undo, now: Moment) -> None:
    row = Extension.objects.get(account=done.account_id, ref=ref)
    _decided(row.decided_by, now)
    _withdraw(f"confirm.extension.{ref}", now)
    if row.status != Extension.Status.CANCELLED:
        extensions.cancel(extension_id=row.pk, **now.ends())


def _settlement(ref: str, done: Undo, now: Moment) -> None:
    row = Settlement.objects.get(account=done.account_id, ref=ref)
    for approval in row.approvals:
        _decided(approval.get("by", ""), now)
    _withdraw(f"confirm.settlement.{ref}", now)
    if row.status != Settlement.Status.CANCELLED:
        settlements.cancel(settlement_id=row.pk, **now.ends())


def _dispute(ref: str, done: Undo, now: Moment) -> None:
    row = Dispute.objects.get(account=done.account_id, ref=ref)
    _withdraw(f"confirm.dispute.{ref}", now)
    if row.resolved_on is None:
        disputes.resolve(
            dispute_id=row.pk,
            outcome=Dispute.Outcome.WITHDRAWN,
            actor=now.actor,
            as_of=now.as_of,
            at=now.at,
            slip=True,
        )


def _hold(ref: str, done: Undo, now: Moment) -> None:
    """After the agreements, whose own holds have gone with them."""
    row = Hold.objects.get(account=done.account_id, ref=ref)
    if row.lifted_on is None:
        holds.lift(hold_id=row.pk, **now.ends())


def _note(pk: str, done: Undo, now: Moment) -> None:
    Note.objects.filter(pk=int(pk), account=done.account_id).update(undone_at=now.at)


def _interaction(ref: str, done: Undo, now: Moment) -> None:
    """The outcome was a slip; that the customer was called counts all the same, and it waits for its outcome."""
    row = Interaction.objects.get(account=done.account_id, ref=ref)
    row.undone_at = now.at
    row.save(update_fields=["undone_at"])
    UnreachableAddress.objects.filter(value=row.number, since=done.done_at).delete()
    LiveCall.objects.filter(interaction=row).update(interaction=None, state=LiveCall.State.ENDED)


#: In this order: what was agreed in a call before the call.
_TAKEN_BACK: dict[str, Callable[[str, Undo, Moment], None]] = {
    "promise": _promise,
    "plan": _plan,
    "extension": _extension,
    "settlement": _settlement,
    "dispute": _dispute,
    "hold": _hold,
    "note": _note,
    "interaction": _interaction,
}


def _give_back(item_id: int, *, agent: Agent, done: Undo, at: datetime) -> None:
    """The account's turn in the queue goes on, in the agent's hands, unless it has got another one meanwhile."""
    item = WorkItem.objects.select_for_update().filter(pk=item_id, account=done.account_id).first()
    if item is None or item.claimed_by_id not in {None, agent.pk}:
        return
    if item.done_at is not None:
        if item.done_at != done.done_at or item.done_by_id != agent.pk:
            return
        if WorkItem.objects.filter(account=done.account_id, kind=item.kind, done_at=None).exists():
            return
    item.done_at, item.done_by, item.outcome, item.not_before, item.kept_for = None, None, "", None, None
    item.claimed_by, item.claimed_at, item.lease_until = agent, at, at + queue.LEASE
    item.save(
        update_fields=[
            "done_at", "done_by", "outcome", "not_before", "kept_for", "claimed_by", "claimed_at", "lease_until",
        ]
    )  # fmt: skip
    events.record(
        account_id=done.account_id,
        kind=kinds.ITEM_CLAIMED,
        actor=rights.actor(agent),
        at=at,
        on=done.done_at.date(),
        payload={"item": item.pk, "item_kind": item.kind},
    )
