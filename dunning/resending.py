"""Messages that did not arrive: listed for whoever must look, and sent again as messages of their own.

A message is sent again as a new row under a new key; the old row stays as it ended. Nothing here talks to a gateway: it
leaves with the next pass of ``deliver``, after its last look at the facts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet

from accounts import events
from accounts.refusals import Refused
from dunning import cases, kinds
from dunning.models import Notice

#: A notice whose time has come leaves with the next pass; one that is still here after so long does not leave at all.
LEAVES_WITHIN = timedelta(hours=1)
#: Each time a message is sent again, its key grows by this.
AGAIN = "~"
LONGEST_KEY = 120
FAILED, BOUNCED, DOUBTFUL, STUCK = "failed", "bounced", "doubtful", "stuck"
LISTS = (FAILED, BOUNCED, DOUBTFUL, STUCK)


class CannotResend(Refused):
    """It arrived, is on its way, or does not apply any more; or it may have arrived and nobody has said to risk it."""

    code = "conflict"


def resend(*, notice_id: int, actor: str, as_of: date, at: datetime, confirmed: bool = False) -> Notice:
    """Make the message again, to leave with the next pass; or, of one that is stuck, let it try at once.

    ``confirmed``: somebody takes it on them that a doubtful one may arrive twice. Raises ``CannotResend``.
    """
    with transaction.atomic():
        account_id = Notice.objects.filter(pk=notice_id).values_list("account_id", flat=True).first()
        if account_id is None:
            raise CannotResend("There is no such message.")
        cases.lock([account_id])
        notice = Notice.objects.select_for_update(of=("self",)).select_related("case").get(pk=notice_id)
        _refuse(notice, confirmed=confirmed)
        made = _try_at_once(notice, at) if notice.state == "pending" else _make_again(notice, at)
        events.record(
            account_id=account_id,
            kind=kinds.NOTICE_RESENT,
            actor=actor,
            at=at,
            on=as_of,
            reason=notice.reason,
            payload={
                "key": made.key,
                "of": notice.key,
                "step": notice.step_code,
                "channel": notice.channel,
                "was": notice.state,
            },
        )
    return made


def _refuse(notice: Notice, *, confirmed: bool) -> None:
    if notice.state in ("sent", "delivered"):
        raise CannotResend("It was handed over: nothing says that it did not arrive.")
    if notice.state == "withdrawn":
        raise CannotResend("It was withdrawn because it does not apply any more.")
    if notice.state == "handing_over":
        # One whose worker died is for ``deliver`` to judge: it may have gone out.
        raise CannotResend("It is being handed over: the next pass says what became of it.")
    if notice.case is not None and notice.case.closed_on is not None:
        raise CannotResend("Its case is closed: nothing is asked for any more.")
    if notice.state == "doubtful" and not confirmed:
        raise CannotResend("It may have arrived: say that it may arrive twice.")
    if len(notice.key) >= LONGEST_KEY:
        raise CannotResend("It was sent again too often: look at the gateway.")
    if Notice.objects.filter(account=notice.account_id, pk__gt=notice.pk, key__startswith=notice.key + AGAIN).exists():
        raise CannotResend("It was sent again already.")
    instance = notice.key.rpartition(".")[0]
    rest = Notice.objects.filter(account=notice.account_id, key__startswith=f"{instance}.").exclude(pk=notice.pk)
    if rest.filter(state__in=("pending", "handing_over", "sent", "delivered"), step_code=notice.step_code).exists():
        raise CannotResend("The same message has gone, or goes, on another channel.")


def _try_at_once(notice: Notice, at: datetime) -> Notice:
    notice.send_at, notice.attempts = at, 0
    notice.save(update_fields=["send_at", "attempts"])
    return notice


def _make_again(notice: Notice, at: datetime) -> Notice:
    return Notice.objects.create(
        account_id=notice.account_id,
        customer_id=notice.customer_id,
        case_id=notice.case_id,
        key=notice.key + AGAIN,
        step_code=notice.step_code,
        template=notice.template,
        channel=notice.channel,
        fallbacks=notice.fallbacks,
        language=notice.language,
        tone=notice.tone,
        bill_refs=notice.bill_refs,
        amount=notice.amount,
        currency=notice.currency,
        made_on=notice.made_on,
        pay_by_days=notice.pay_by_days,
        consequence=notice.consequence,
        send_at=at,
    )


# Lists ----------------------------------------------------------------------------------------------------------------


def listed(name: str, *, at: datetime, channel: str = "", reason: str = "") -> QuerySet[Notice]:
    """One of ``LISTS``, the newest first; what was sent again since is not among it."""
    rows = Notice.objects.filter(_looked_for(name, at))
    if name != STUCK:
        again = Notice.objects.filter(
            account=OuterRef("account"), pk__gt=OuterRef("pk"), key__startswith=OuterRef("key")
        )
        rows = rows.filter(~Exists(again))
    if channel:
        rows = rows.filter(channel=channel)
    if reason:
        rows = rows.filter(reason=reason)
    return rows.select_related("account__customer", "case").order_by("-pk")


def _looked_for(name: str, at: datetime) -> Q:
    if name == STUCK:
        hangs = Q(state="handing_over", lease_until__lt=at)
        return hangs | Q(state="pending", send_at__lt=at - LEAVES_WITHIN) | Q(state="pending", attempts__gt=0)
    return Q(state=name)


class Reason(NamedTuple):
    """So many messages ended for the same reason."""

    channel: str
    reason: str
    messages: int


def reasons(rows: QuerySet[Notice], *, most: int = 12) -> list[Reason]:
    """Why, the most frequent first. One query."""
    counted = rows.order_by().values_list("channel", "reason").annotate(count=Count("pk"))
    return [Reason(*row) for row in counted.order_by("-count", "channel", "reason")[:most]]


class Waiting(NamedTuple):
    """How much a channel has before it, and when it last handed something over."""

    waiting: int
    sent_at: datetime | None


def waiting_on(channels: Collection[str], *, at: datetime) -> dict[str, Waiting]:
    """What is due on each channel, and its last hand-over of the last seven days. Two queries."""
    due = Notice.objects.filter(state="pending", send_at__lte=at).order_by().values_list("channel")
    counts = dict(due.annotate(count=Count("pk")))
    recent = Notice.objects.filter(sent_at__gt=at - timedelta(days=7)).order_by().values_list("channel")
    last = dict(recent.annotate(last=Max("sent_at")))
    return {channel: Waiting(counts.get(channel, 0), last.get(channel)) for channel in channels}


def attention(*, at: datetime) -> int:
    """How many messages need a person: failed, doubtful and stuck ones."""
    return sum(listed(name, at=at).count() for name in (FAILED, DOUBTFUL, STUCK))


def resend_all(
    notice_ids: Sequence[int], *, actor: str, as_of: date, at: datetime, confirmed: bool = False
) -> tuple[int, list[str]]:
    """Each by itself; how many will leave, and in what words the others were refused, each once."""
    made, refused = 0, []
    for notice_id in notice_ids:
        try:
            resend(notice_id=notice_id, actor=actor, as_of=as_of, at=at, confirmed=confirmed)
            made += 1
        except CannotResend as refusal:
            refused.append(str(refusal))
    return made, list(dict.fromkeys(refused))
