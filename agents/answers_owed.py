"""What disputes and complaints share: an answer owed by a day, letters about it, and a task where it is late."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from accounts import events
from accounts.events import EventRow
from accounts.models import AccountEvent
from agents import queue
from agents.models import WorkItem
from dunning.models import Notice


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to the customer: which, by what channel, and what became of it."""

    template: str
    channel: str
    state: str
    state_in_words: str
    on: datetime | None
    reason: str


def letters(*, account_id: int, about: str) -> list[Letter]:
    """The letters about a thing, ``dispute.D1`` for instance, that were asked for, in order. One query."""
    rows = Notice.objects.filter(account=account_id, key__startswith=f"confirm.{about}.")
    return [
        Letter(
            template=row.template,
            channel=row.channel,
            state=row.state,
            state_in_words=row.get_state_display(),
            on=row.delivered_at or row.sent_at or row.send_at,
            reason=row.reason,
        )
        for row in rows.order_by("pk")
    ]


def receipts_sent(*, account_ids: Collection[int], template: str) -> set[str]:
    """The keys of those confirmations of receipt that have left, without their channel. One query."""
    sent = Notice.objects.filter(account__in=account_ids, template=template, sent_at__isnull=False)
    return {key.rpartition(".")[0] for key in sent.values_list("key", flat=True)}


@dataclass(frozen=True, slots=True)
class Late:
    """Something past its day: ``what`` was owed, by when, in words, and who works on it."""

    account_id: int
    ref: str
    what: str
    by: date | None
    words: str
    with_whom: int | None


def tell(late: Sequence[Late], *, kind: str, noun: str, why: str, as_of: date, at: datetime, actor: str) -> int:
    """What is late becomes a task on top of the queue, first for whoever has it; each is told once. How many.

    ``noun`` is the name of the thing in the payload of the event, ``why`` what the queue says.
    """
    told = set(
        AccountEvent.objects.filter(account__in={row.account_id for row in late}, kind=kind).values_list(
            f"payload__{noun}", "payload__what"
        )
    )
    news = [row for row in late if (row.ref, row.what) not in told]
    if not news:
        return 0
    with transaction.atomic():
        events.record_many(
            [
                EventRow(
                    row.account_id,
                    kind,
                    actor,
                    at,
                    as_of,
                    reason=row.words,
                    payload={noun: row.ref, "what": row.what, "by": row.by},
                )
                for row in news
            ]
        )
        accounts = sorted({row.account_id for row in news})
        task = WorkItem.Kind.TASK
        queue.enqueue(account_ids=accounts, reason=why, kind=task, as_of=as_of, at=at, actor=actor)
        items = WorkItem.objects.select_for_update().filter(account__in=accounts, kind=task, done_at=None)
        first = {row.account_id: row for row in reversed(news)}
        for item in (pinned := list(items.order_by("pk"))):
            row = first[item.account_id]
            item.pin_points, item.pinned_until = queue.NOT_PINNED[2:]
            item.pinned_by, item.pinned_because = actor, row.words
            if row.with_whom is not None:  # theirs first, then anybody's
                item.kept_for_id, item.not_before = row.with_whom, at
        WorkItem.objects.bulk_update(
            pinned, ["pinned_by", "pinned_because", "pin_points", "pinned_until", "kept_for", "not_before"]
        )
    return len(news)
