"""Notices on their way out: whether one may still leave, how it is worded, and what its answer makes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from accounts import events
from accounts.models import Service, UnreachableAddress
from dunning import composing, confirming, contact, holding, kinds, notice_texts, policy, reading, workdays
from dunning.gate.checks.cards import OurNumbers
from dunning.gate.decision import HOLD, Decision
from dunning.gateways.base import Gateway, Message, Outcome
from dunning.handing_over import Pass, event_of, write_each
from dunning.inbound_acts import CONFIRM_WITHIN
from dunning.models import InboundMessage, Notice
from dunning.reading import AccountFacts

#: A relay that accepted a mail may still bounce it for so long.
BOUNCE_WINDOW = timedelta(hours=24)
LETTER_WORKING_DAYS = 3
LOOKED_AT_EVERY = timedelta(days=7)


class LeavingNotices(Pass):
    model = Notice
    withdrawn_kind = kinds.NOTICE_WITHDRAWN
    failed_kind = kinds.NOTICE_FAILED

    def road(self, row: Notice) -> Gateway[Message]:
        road: Gateway[Message] = self.roads.messages[row.channel]
        return road

    def breaker_key(self, row: Notice) -> str:
        return row.channel

    def look(self, facts: Mapping[int, AccountFacts], rows: Sequence[Any]) -> None:
        super().look(facts, rows)
        self.confirmed = confirming.Leaving(rows, self.roads.agreements)

    def objection(self, row: Notice, fact: AccountFacts) -> tuple[str, datetime | None]:
        """Why it may not leave now: with a moment it waits until then, without it is withdrawn."""
        purpose = contact.purpose_of(row)
        confirms = row.step_code == contact.CONFIRMATION
        if confirms and (reason := self.confirmed.over(row)):
            return reason, None
        if purpose == contact.OPT_OUT_CONFIRMATION and self._is_late(row):
            return "the minutes in which an opt-out may be confirmed are over", None
        if row.step_code not in contact.PURPOSES and (reason := self._no_longer_due(row, fact)):
            return reason, None
        goes_back = row.step_code in contact.REPLIES
        if not goes_back and row.channel not in fact.reachable() and not self._fall_back(row, fact):
            return "no usable address on any channel" if row.fallbacks else "no usable address on this channel", None
        if not self.roads.careful:
            return "", None
        if purpose not in contact.ANSWERS and self.gate.manner_of(fact.pk).help_first:
            if self.gate.was_offered_help(fact.pk):  # help is no help when it comes with every step
                return "help was offered lately", self._looked_at_again(row)
            row.template, row.consequence, purpose = contact.HELP_FIRST, "", "help"
        decision = self._ask(row, fact, purpose)
        # What this channel cannot carry, not merely not now, another may.
        while not decision.is_allowed and decision.outcome != HOLD and self._fall_back(row, fact):
            decision = self._ask(row, fact, purpose)
        if decision.is_allowed:
            if row.template == contact.HELP_FIRST:
                self.gate.helped.add(fact.pk)
            return "", None
        return decision.reasons[0], decision.next_allowed_at or self._looked_at_again(row)

    def _looked_at_again(self, row: Notice) -> datetime | None:
        """What no hour makes lawful waits for other facts, a week at a time, while its case is open; made anew each day
        it would fill the account's history. What belongs to no case is let go.
        """
        return self.clock() + LOOKED_AT_EVERY if row.case_id is not None else None

    def _is_late(self, row: Notice) -> bool:
        """47 CFR 64.1200(a)(12): one confirmation of an opt-out, within five minutes of it."""
        message = InboundMessage.objects.filter(pk=int(row.key.split(".")[1])).first()
        return message is None or self.clock() > message.received_at + CONFIRM_WITHIN

    def _ask(self, row: Notice, fact: AccountFacts, purpose: str) -> Decision:
        action = contact.contact_action(
            row.channel, automated=True, purpose=purpose, template=row.template, address=row.address
        )
        return self.gate.ask(fact.pk, action, notice=row)

    def _no_longer_due(self, row: Notice, fact: AccountFacts) -> str:
        """Why its step would not send it today; nothing where it still would."""
        judged = fact.judged(self.as_of)
        facts = policy.CaseFacts(self.as_of, fact.currency, fact.traits, judged, tuple(fact.holds))
        if row.case_id is not None:
            if fact.case is None or fact.case.pk != row.case_id:
                return "the case is closed"
            if not judged:
                return "nothing undisputed is past due"
            rules = self.rules[fact.case.version_id]
            step = rules.step(row.step_code)
            minimum = max(
                rules.enter_min_amount.of(fact.currency) or 0, (step.min_amount.of(fact.currency) or 0) if step else 0
            )
            if facts.amount < minimum or policy.exits(rules, fact.currency, fact.past_due_amount):
                return "below the minimum amount"
        elif fact.case is not None:
            return "a case was opened"
        if holding.NOTICES in facts.stopped:
            return "a hold is in force"
        return ""

    def _fall_back(self, row: Notice, fact: AccountFacts) -> bool:
        """Not gone out yet: the same notice on the next channel that reaches somebody, where there is one."""
        for place, channel in enumerate(row.fallbacks):
            if channel in fact.reachable():
                row.channel, row.fallbacks, row.address = channel, row.fallbacks[place + 1 :], ""
                row.save(update_fields=["channel", "fallbacks", "address"])
                return True
        return False

    def compose(self, rows: Sequence[Notice], facts: Mapping[int, AccountFacts]) -> list[tuple[Notice, Message]]:
        wanted = {row.pk: self._bill_refs(row, facts[row.account_id]) for row in rows}
        details = composing.bill_details({ref for refs in wanted.values() for ref in refs})
        # A reminder before the due date lapses with it.
        lapsed = {ref for ref, bill in details.items() if bill.due_on <= self.as_of}
        services: dict[int, list[str]] = defaultdict(list)
        for account_id, number, kind in (
            Service.objects.filter(account__in={row.account_id for row in rows}, protected=False)
            .order_by("pk")
            .values_list("account_id", "number", "kind")
        ):
            services[account_id].append(number or kind)
        composed = []
        wordings = notice_texts.in_use()
        for row in rows:
            bills = [details[ref] for ref in wanted[row.pk] if ref in details and details[ref].open_amount > 0]
            if row.case_id is None:
                bills = [bill for bill in bills if bill.ref not in lapsed]
            fact, purpose = facts[row.account_id], contact.purpose_of(row)
            if row.template == contact.HELP_FIRST:
                bills, purpose = [], "query_reply" if purpose in contact.ANSWERS else "help"
            elif not bills and row.step_code not in contact.PURPOSES:
                self._withdraw([(row, "nothing is open on its bills")])
                continue
            message = composing.compose(
                row,
                fact,
                row.customer,
                bills,
                services[row.account_id],
                as_of=self.as_of,
                manner=self.gate.manner_of(fact.pk),
                wordings=wordings,
                agreed=self.confirmed.agreed(row),
            )
            if self.roads.careful and (reason := self._unsayable(row, fact, purpose, message)):
                if self._fall_back(row, fact):
                    self.again = True  # it is still due, and is looked at as what it is now
                elif (until := self._looked_at_again(row)) is not None:
                    row.send_at, row.reason = until, reason[:200]
                    write_each([row], ("send_at", "reason"))
                else:
                    self._withdraw([(row, reason)])
                continue
            if row.channel == "voice":
                action = contact.contact_action("voice", automated=True, purpose=purpose, address=message.to)
                until = self.gate.allowed_until(fact.pk, action) if self.roads.careful else None
                message = replace(message, allowed_from=self.gate.at, allowed_until=until)
            composed.append((row, message))
        return composed

    def _unsayable(self, row: Notice, fact: AccountFacts, purpose: str, message: Message) -> str:
        """What the rules about words have against the message as it reads now; nothing where they have nothing."""
        action = contact.contact_action(
            row.channel,
            automated=True,
            purpose=purpose,
            template=row.template,
            address=message.to,
            text=message.text,
            subject=message.subject,
            language=message.language,
        )
        parts: dict[str, Any] = {"OurNumbers": OurNumbers(numbers=frozenset({fact.ref, *row.bill_refs}))}
        if row.channel == "sms" and fact.country == "IN":
            parts["Sender"] = notice_texts.sender_of(
                template=row.template, language=message.language, tone=row.tone or "plain"
            )
        decision = self.gate.ask_of_words(fact.pk, action, parts=parts, notice=row)
        return "" if decision.is_allowed else decision.reasons[0]

    def _bill_refs(self, row: Notice, fact: AccountFacts) -> list[str]:
        if row.case_id is not None:
            return [bill.ref for bill in fact.judged(self.as_of)]
        covered = fact.covered(self.as_of)
        return [ref for ref in row.bill_refs if ref not in covered]

    def fail(self, row: Notice, detail: str, *, unclear: bool = False) -> bool:
        """A gateway that never takes it: the next channel's turn."""
        failed = super().fail(row, detail, unclear=unclear)
        if failed:
            go_on(row, detail, at=self.clock())
        return failed

    def take(self, row: Notice, outcome: Outcome, at: datetime) -> None:
        """The far side's answer on the notice's row; a refusal goes on to the next channel."""
        row.provider_ref, row.lease_until, row.send_at = outcome.provider_ref or "", None, None
        row.reason = outcome.detail[:200]
        if outcome.state in ("rejected", "unreachable"):
            row.state = "bounced" if outcome.state == "unreachable" else "failed"
            go_on(row, outcome.detail or outcome.state, at=at)
            return
        row.sent_at = at
        if outcome.state in ("delivered", "confirmed"):
            row.state, row.delivered_at = "delivered", at
        else:
            row.state, row.counts_from = "sent", counts_from(row.channel, at)

    def write_down(self, rows: Sequence[Notice]) -> None:
        write_each(rows, COLUMNS)

    def tell(self, rows: Sequence[Notice], at: datetime) -> None:
        told = {"sent": kinds.NOTICE_SENT, "delivered": kinds.NOTICE_SENT}
        events.record_many(
            [event_of(row, told.get(row.state, self.failed_kind), self.as_of, at, row.reason) for row in rows]
        )
        self.ended.update(row.state for row in rows)


COLUMNS = (
    "state", "reason", "send_at", "attempts", "lease_until", "provider_ref", "sent_at", "counts_from", "delivered_at",
    "address", "subject", "body", "language", "bill_refs", "amount", "pay_by", "template", "consequence", "tone",
    "segments",
)  # fmt: skip


def counts_from(channel: str, at: datetime) -> datetime | None:
    """From when a notice that was handed over counts as delivered; none where only a receipt tells (SMS)."""
    if channel == "email":
        return at + BOUNCE_WINDOW
    if channel == "letter":
        day = workdays.add_working_days(reading.local_date(at), LETTER_WORKING_DAYS, country="")
        return reading.end_of(day)
    return at if channel == "in_app" else None


def go_on(notice: Notice, detail: str, *, at: datetime) -> None:
    """A notice did not reach anybody: mark its address, and make the same notice on the next channel."""
    if (kind := reading.NEEDS.get(notice.channel)) and notice.address and notice.state == "bounced":
        UnreachableAddress.objects.get_or_create(
            kind=kind, value=notice.address, defaults={"since": at, "reason": detail[:200]}
        )
    if not notice.fallbacks:
        return
    channel, *rest = notice.fallbacks
    Notice.objects.bulk_create(
        [
            Notice(
                account_id=notice.account_id,
                customer_id=notice.customer_id,
                case_id=notice.case_id,
                key=f"{notice.key.rpartition('.')[0]}.{channel}",
                step_code=notice.step_code,
                template=notice.template,
                channel=channel,
                fallbacks=rest,
                language=notice.language,
                bill_refs=notice.bill_refs,
                amount=notice.amount,
                currency=notice.currency,
                made_on=notice.made_on,
                pay_by_days=notice.pay_by_days,
                consequence=notice.consequence,
                send_at=at,
            )
        ],
        ignore_conflicts=True,
    )
