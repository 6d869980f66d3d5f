"""What does not arrive in the demo: addresses that are gone, texts that are not taken, a line that goes dead.

Receipts come as a provider's do; the line that goes dead stands in a real pass of ``deliver`` for one account.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from zlib import crc32

from agents import calls, confirmations
from dunning import receipts
from dunning.deliver import deliver
from dunning.gateways.base import Message, Outcome, Unclear
from dunning.gateways.receipts import Receipt
from dunning.models import Notice
from dunning.outbox import OutboxGateway
from dunning.roads import roads_from_settings
from dunning.sharding import Shard

#: Of so many mails and texts one does not arrive.
OF_MAILS, OF_TEXTS = 71, 83
#: What an account must wait for is looked at alone: no book has so many.
_ALONE = 1_000_003
_TRIED = 12

_MAIL = ("550 5.1.1 no such user here", "552 5.2.2 mailbox full", "550 5.1.1 no such user here")
_TEXT = ("number not in service", "blocked by the recipient's network", "number not in service")


def come_back(*, as_of: date, at: datetime) -> int:
    """Receipts for messages of this pass that found nobody, and now and then one that failed; how many."""
    told = []
    left = Notice.objects.filter(sent_at=at, channel__in=("email", "sms"), state__in=("sent", "delivered"))
    for key, channel, ref in left.order_by("pk").values_list("key", "channel", "customer__ref"):
        of, why = (OF_MAILS, _MAIL) if channel == "email" else (OF_TEXTS, _TEXT)
        # By the reference, which is the same in every book of this demo; numbers of rows are not.
        lot = crc32(ref.encode())
        if (lot + as_of.toordinal()) % of:
            continue
        reason = why[lot % len(why)]
        state = "failed" if "full" in reason or "blocked" in reason else "bounced"
        told.append(Receipt(key=key, provider_ref=None, state=state, at=at + timedelta(minutes=3), detail=reason))  # type: ignore[arg-type]  # one of its words
    return receipts.take(told, as_of=as_of, at=at + timedelta(minutes=3))


class _DeadLine:
    """A text provider that takes a message and says nothing more, or says that it never will."""

    knows_keys = False

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def hand_over(self, handed: Message, /) -> Outcome:
        if self.answer:
            return Outcome("rejected", None, self.answer)
        raise Unclear("the line went dead after the message had left")

    def close(self) -> None:
        """Nothing is open."""


def line_goes_dead(*, as_of: date, at: datetime) -> None:
    """Of the texts that are due one is left in doubt, and one is not taken."""
    answers = ["", "sender blocked by the carrier's filter"]
    due = Notice.objects.filter(channel="sms", state="pending", send_at__lte=at)
    waiting = due.order_by("account_id").values_list("account_id", flat=True).distinct()
    for account_id in list(waiting[:_TRIED]):
        if not answers:
            return
        roads = roads_from_settings(now=lambda: at, talks=calls.talks_of, agreements=confirmations.standing)
        if not isinstance(roads.messages["sms"], OutboxGateway):
            return  # a provider of the installation is nothing to play with
        with_dead_line = replace(roads, messages={**roads.messages, "sms": _DeadLine(answers[0])})
        ended = deliver(as_of=as_of, at=at, roads=with_dead_line, shard=Shard(account_id % _ALONE, _ALONE))
        roads.close()
        if ended["doubtful"] or ended["failed"]:
            answers.pop(0)
