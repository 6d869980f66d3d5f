"""What a message brings about at once: only what stops, pauses or answers; money, plans and addresses are people's.

A sender proves nothing, so nothing here can be worse for a customer than their own notices stopping, or waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypedDict

from django.db.models import Q

from accounts import events, holds, wishes
from accounts.models import Consent, Hold, UnreachableAddress
from accounts.models.fields import DESK_PREFIX
from dunning import holding, kinds, understanding, workdays
from dunning.inbound_senders import KINDS, Belongs
from dunning.models import Case, CaseStep, InboundMessage, Notice
from dunning.understanding import Understanding

#: The ``step_code`` of a notice that answers a message, and of one that confirms a stop and says nothing else. Its key
#: is ``answer.{message}.{channel}``.
ANSWER, CONFIRMED = "answer", "opt-out"

#: Of a stop, one confirmation may leave within so long (47 CFR 64.1200(a)(12)).
CONFIRM_WITHIN = timedelta(minutes=5)
#: An answer to something older would only puzzle.
ANSWER_WITHIN = timedelta(days=2)
#: So many answers to one customer on one channel in a day: two machines do not talk to each other for ever.
MOST_ANSWERS = 3
#: A customer's word that it is paid, or wrong, pauses once in so many days, and so long.
PAUSES_EVERY = timedelta(days=30)
PAID_FOR = timedelta(days=7)
LOOKED_AT_WITHIN = 3  # working days


class _Said(TypedDict):
    """Who said it, when, and what proves it."""

    actor: str
    as_of: date
    at: datetime
    source: str
    evidence: str


@dataclass(slots=True)
class Acts:
    """What is done about one message, as it is done."""

    message: InboundMessage
    belongs: Belongs
    said: Understanding
    actor: str
    as_of: date
    at: datetime
    done: list[str] = field(default_factory=list)
    template: str = ""
    #: A person has to look.
    waits: bool = False

    def take(self) -> None:
        """Do what the intent allows; in the caller's transaction, with the account locked."""
        step = _STEPS.get(self.said.intent)
        # A crisis is no moment for a machine, whatever else the words say; a clear stop is heard all the same.
        if step is None or (
            self._is_crisis() and not (self.said.keyword and self.said.intent == understanding.OPT_OUT)
        ):
            self.waits = True
        else:
            step(self)
        self.waits = self.waits or bool(self.said.hints) or bool(self.said.also)

    # What each intent brings about ------------------------------------------------------------------------------

    def opt_out(self) -> None:
        if not self.said.keyword:
            self.waits = True
            # Held until somebody has decided: whoever meant it is not written to meanwhile.
            self._pause((holding.NOTICES,), None, "Seems to ask us to stop")
            return
        channel = self.message.channel
        said: _Said = {
            "actor": self.actor,
            "as_of": self.as_of,
            "at": self.at,
            "source": f"reply by {channel}",
            "evidence": f"message {self.message.pk}",
        }
        for customer in self.belongs.customer_ids:
            for address in self.belongs.addresses:
                wishes.stop(customer_id=customer, channels=[channel], value=address, **said)
            # One STOP ends all automated contact, not the thread it was sent to.
            wishes.stop(customer_id=customer, channels=[channel, "sms"], **said)
            wishes.note_consent(
                customer_id=customer,
                channel=Consent.Channel.CALL,
                given=False,
                purpose=Consent.Purpose.AUTOMATED,
                **said,
            )
        if not self.belongs.customer_ids:
            self._close_addresses("asked us to stop")
        self.done.append("stopped")
        self._withdraw({channel, "sms", "voice"}, "the customer asked us to stop")
        if self._may_confirm():
            self._answer("stop-confirmation")

    def opt_in(self) -> None:
        if not (self.belongs.known and self.said.keyword):
            self.waits = True
            return
        wishes.start(
            customer_id=self.belongs.customer_ids[0],
            channels=[self.message.channel],
            actor=self.actor,
            as_of=self.as_of,
            at=self.at,
            source=f"reply by {self.message.channel}",
            evidence=f"message {self.message.pk}",
        )
        self.done.append("started")

    def paid(self) -> None:
        self.waits = True
        account = self.belongs.account
        if account is None or not self.belongs.known:
            return
        if account.overdue > 0 and not self._paused_lately(_IN_FLIGHT):
            holds.place(
                account_id=account.pk,
                reason=_IN_FLIGHT,
                starts_on=self.as_of,
                ends_on=self.as_of + PAID_FOR,
                actor=self.actor,
                as_of=self.as_of,
                at=self.at,
                note=f"Said so by {self.message.get_channel_display()}",
            )
            self.done.append("payment_in_flight")
        # The answer says that we wait: it is given where we do.
        if holds.in_force(account_id=account.pk, as_of=self.as_of).filter(reason=_IN_FLIGHT).exists():
            self._answer("paid-thanks")

    def call_me(self) -> None:
        self.waits = True
        self._answer("call-back")

    def dispute(self) -> None:
        """Not yet a dispute: which bill, and how much of it, is for a person to find out."""
        self.waits = True
        self._pause((holding.NOTICES, holding.LIMITS), LOOKED_AT_WITHIN, "Contests a bill")
        account = self.belongs.account
        if account and holds.in_force(account_id=account.pk, as_of=self.as_of).filter(ref__startswith=_HOLDS).exists():
            self._answer("dispute-received")

    def cannot_pay(self) -> None:
        self.waits = True
        self._answer("hardship-help")

    def wrong_person(self) -> None:
        """That number is not used again until somebody has verified it, and nothing is told to whoever has it."""
        self.waits = True
        self._close_addresses("says they are not the customer")
        self._withdraw({self.message.channel}, "somebody else has this address")

    def help(self) -> None:
        self.waits = self.belongs.account is None
        self._answer("help")

    def nothing(self) -> None:
        """From a machine: never answered."""

    # How ------------------------------------------------------------------------------------------------------

    def _is_crisis(self) -> bool:
        return understanding.CRISIS in self.said.hints

    @property
    def hold_ref(self) -> str:
        return hold_ref(self.message)

    def _pause(self, stops: Collection[str], working_days: int | None, why: str) -> None:
        account = self.belongs.account
        if account is None or not self.belongs.known or self._paused_lately(Hold.Reason.MANUAL):
            return
        if Hold.objects.filter(ref=self.hold_ref).exists():
            return
        customer = account.customer
        ends_on = working_days and workdays.add_working_days(
            self.as_of, working_days, country=customer.country, region=customer.region
        )
        holds.place(
            account_id=account.pk,
            reason=Hold.Reason.MANUAL,
            starts_on=self.as_of,
            ends_on=ends_on or None,
            stops=sorted(stops),
            actor=self.actor,
            as_of=self.as_of,
            at=self.at,
            ref=self.hold_ref,
            note=f"{why}, by {self.message.get_channel_display()}: paused until somebody has looked",
        )
        self.done.append("paused")

    def _paused_lately(self, reason: str) -> bool:
        lately = Hold.objects.filter(
            account=self.belongs.account, reason=reason, starts_on__gt=self.as_of - PAUSES_EVERY
        )
        if reason == Hold.Reason.MANUAL:
            lately = lately.filter(ref__startswith=_HOLDS).exclude(ref=self.hold_ref)
        return lately.exists()

    def _close_addresses(self, why: str) -> None:
        for address in self.belongs.addresses:
            UnreachableAddress.objects.get_or_create(
                kind=KINDS[self.message.channel], value=address, defaults={"since": self.at, "reason": why}
            )
        self.done.append("address_closed")

    def _withdraw(self, channels: Collection[str], why: str) -> None:
        """What waits for those customers on those channels does not leave; its step may come again elsewhere."""
        waiting = (
            Notice.objects.select_for_update(of=("self",))
            .filter(customer__in=self.belongs.customer_ids, channel__in=channels, state="pending")
            .exclude(step_code__in=(ANSWER, CONFIRMED))
            .order_by("pk")
        )
        rows = list(waiting)
        Notice.objects.filter(pk__in=[row.pk for row in rows]).update(state="withdrawn", reason=why, send_at=None)
        events.record_many(
            [
                events.EventRow(
                    row.account_id,
                    kinds.NOTICE_WITHDRAWN,
                    self.actor,
                    self.at,
                    self.as_of,
                    why,
                    payload={"key": row.key, "step": row.step_code, "channel": row.channel},
                )
                for row in rows
            ]
        )
        steps = Q(pk=None)
        for row in rows:
            instance = row.key.rpartition(".")[0]
            others = Notice.objects.filter(case=row.case_id, key__startswith=f"{instance}.")
            if row.case_id is not None and not others.exclude(state="withdrawn").exists():
                steps |= Q(case=row.case_id, code=row.step_code)
        undone = CaseStep.objects.filter(steps, case__closed_on=None, done_on__isnull=False, undone_on=None)
        if cases := list(undone.values_list("case_id", flat=True)):
            undone.update(undone_on=self.as_of)
            Case.objects.filter(pk__in=cases).update(next_on=self.as_of + timedelta(days=1))
        if rows:
            self.done.append("notices_withdrawn")

    def _may_confirm(self) -> bool:
        """Once, at once, and not where it was confirmed since they last asked us to begin again."""
        if self.at - self.message.received_at > CONFIRM_WITHIN:
            return False
        before = InboundMessage.objects.filter(sender=self.message.sender, channel=self.message.channel)
        begun = before.filter(acts__contains=["started"]).order_by("-pk").values_list("pk", flat=True).first()
        confirmed = before.filter(answer="stop-confirmation", pk__gt=begun or 0).exclude(pk=self.message.pk)
        return not confirmed.exists()

    def _answer(self, template: str) -> None:
        """A notice to where the message came from, through the same gate as everything else."""
        message, belongs = self.message, self.belongs
        account = belongs.account or (belongs.notice.account if belongs.notice else None)
        stop = template == "stop-confirmation"
        if account is None or self._is_crisis() or not (belongs.known or (stop and belongs.customer_ids)):
            return
        answered = Notice.objects.filter(customer=account.customer_id, step_code=ANSWER, channel=message.channel)
        lately = answered.filter(send_at__gt=self.at - timedelta(days=1)) | answered.filter(
            sent_at__gt=self.at - timedelta(days=1)
        )
        if not stop and (lately.count() >= MOST_ANSWERS or self.at - message.received_at > ANSWER_WITHIN):
            self.waits = True
            return
        Notice.objects.get_or_create(
            key=f"{ANSWER}.{message.pk}.{message.channel}",
            defaults={
                "account": account,
                "customer_id": account.customer_id,
                "step_code": CONFIRMED if stop else ANSWER,
                "template": template,
                "channel": message.channel,
                "address": belongs.addresses[0],
                "language": message.language or account.customer.language,
                "currency": account.currency,
                "made_on": self.as_of,
                "send_at": self.at,
            },
        )
        self.template = template
        self.done.append("answered")


_IN_FLIGHT = Hold.Reason.PAYMENT_IN_FLIGHT
_HOLDS = f"{DESK_PREFIX}inbound-"


def hold_ref(message: InboundMessage) -> str:
    """The id of the pause that a message brought, where it brought one."""
    return f"{_HOLDS}{message.pk}"


_STEPS: dict[str, Callable[[Acts], None]] = {
    understanding.OPT_OUT: Acts.opt_out,
    understanding.OPT_IN: Acts.opt_in,
    understanding.PAID: Acts.paid,
    understanding.CALL_ME: Acts.call_me,
    understanding.DISPUTE: Acts.dispute,
    understanding.CANNOT_PAY: Acts.cannot_pay,
    understanding.WRONG_PERSON: Acts.wrong_person,
    understanding.HELP: Acts.help,
    understanding.AUTO_REPLY: Acts.nothing,
    understanding.BOUNCE: Acts.nothing,
}
