"""Settlements: less than what is owed, taken for all of it when it is paid in time.

Offered within somebody's authority, or with the words of those who may. While it is open its bills are left alone. Paid
by its day, the rest is let go of: the desk's own fees first, then the debt, as adjustments that balance in the journal.
Not paid by its day, it is void: the whole is owed, less what was paid. Judged by the dates of the payments, whenever
the judging happens, and again when money goes back: what was let go of is owed again then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import transaction

from accounts import events, holds, settling
from accounts.events import EventRow
from accounts.models import Account, AccountEvent, Adjustment, Bill, Fee, Hold
from accounts.models.fields import DESK_PREFIX
from accounts.money import from_mills, total
from accounts.position import PAYMENT, AccountBooks, books_of
from accounts.refusals import Refused
from agents import (
    authority,
    card_numbers,
    confirmations,
    covered,
    delegations,
    kinds,
    queue,
    rights,
    second_words,
    undertakings,
)
from agents.fees import open_fees
from agents.models import Agent, Settlement, WorkItem
from agents.undertakings import RUNNING_SETTLEMENTS as RUNNING
from dunning import rule_packs
from dunning.gate.checks import agreements

ACTOR = "desk:settlements"

#: Accounts judged in one transaction.
CHUNK = 500

#: States that money which comes late, or goes back, can still change.
LOOKED_AT_AGAIN = (*RUNNING, Settlement.Status.KEPT, Settlement.Status.BROKEN)


class CannotSettle(Refused):
    """No such settlement can be offered; the text tells the agent why."""


class CannotCancelSettlement(Refused):
    """It is over already."""

    code = "conflict"


class CannotDecideSettlement(Refused):
    """It does not wait for a word, or not for this person's."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class SettlementQuote:
    """A settlement as it would be.

    ``reasons`` say why somebody else must agree, ``wants`` in which roles; ``refusals`` why nobody may offer it.
    """

    balance: Decimal
    amount: Decimal
    discount: Decimal
    #: Of the balance, to two decimals.
    percent: Decimal
    fees_waived: Decimal
    principal_waived: Decimal
    pay_by: date
    within_authority: bool
    wants: list[str]
    reasons: list[str]
    refusals: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Offer:
    """What is put to the rules, with the bills it is about."""

    bills: list[Bill]
    asked: agreements.Settlement


def quote_for(
    *,
    account_id: int,
    amount: Decimal,
    pay_by: date,
    agent: Agent | None,
    as_of: date,
    at: datetime,
    bill_refs: Sequence[str] | None = None,
) -> SettlementQuote:
    """What it would be over the bills named, else over all that is open, the desk's own fees included.

    Writes nothing. Raises ``CannotSettle``.
    """
    account = Account.objects.select_related("customer").get(pk=account_id)
    requester = rights.actor(agent) if agent is not None else ""
    offer = _offer(account, amount, pay_by, bill_refs, agent=agent, requester=requester, as_of=as_of)
    ruling = authority.settlement(account=account, asked=offer.asked, as_of=as_of, at=at)
    terms = authority.settling_terms(offer.asked)
    return SettlementQuote(
        balance=offer.asked.balance,
        amount=amount,
        discount=terms["discount"],
        percent=terms["percent"],
        fees_waived=terms["fees_waived"],
        principal_waived=terms["principal_waived"],
        pay_by=pay_by,
        within_authority=ruling.is_within,
        wants=ruling.wants,
        reasons=ruling.reasons,
        refusals=ruling.refusals,
        advice=ruling.advice,
    )


def agree(
    *,
    account_id: int,
    amount: Decimal,
    pay_by: date,
    actor: str,
    agent: Agent | None,
    as_of: date,
    at: datetime,
    bill_refs: Sequence[str] | None = None,
    note: str = "",
    agreed_by: str = "",
    read_back: str = "",
    ref: str | None = None,
) -> Settlement:
    """Offer to take ``amount``, paid by ``pay_by``, for the bills named, else for all that is open.

    Beyond the agent's authority it waits for the words of others, and holds meanwhile; once nobody's is missing, it is
    offered. Raises ``CannotSettle`` and ``card_numbers.CannotKeepCard``.
    """
    note, read_back = card_numbers.without_cards(note), card_numbers.without_cards(read_back)
    with transaction.atomic():
        account = covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
        offer = _offer(account, amount, pay_by, bill_refs, agent=agent, requester=actor, as_of=as_of)
        ruling = authority.settlement(account=account, asked=offer.asked, as_of=as_of, at=at, keep=True)
        if ruling.refusals:
            raise CannotSettle(" ".join(ruling.refusals))
        ruling.keep(actor=actor)
        refs = [bill.ref for bill in offer.bills]
        hold = holds.place(
            account_id=account_id,
            reason=Hold.Reason.PROMISE,
            starts_on=as_of,
            ends_on=pay_by,
            bill_refs=refs,
            note=f"Settlement until {pay_by}",
            actor=actor,
            as_of=as_of,
            at=at,
        )
        settlement = Settlement.objects.create(
            ref=ref or f"{DESK_PREFIX}{uuid4().hex}",
            account=account,
            hold=hold,
            made_on=as_of,
            pay_by=pay_by,
            bill_refs=refs,
            balance=offer.asked.balance,
            amount=amount,
            fees=offer.asked.fees,
            paid_before=covered.paid_on_the_day(account, offer.bills, as_of=as_of),
            status=Settlement.Status.PENDING_APPROVAL if ruling.wants else Settlement.Status.OPEN,
            wants=ruling.wants,
            note=note,
            made_by=actor,
            made_as=offer.asked.role,
            agreed_by=agreed_by,
            read_back=read_back,
        )
        events.record(
            account_id=account_id,
            kind=kinds.SETTLEMENT_OFFERED,
            actor=actor,
            at=at,
            on=as_of,
            reason=" ".join(ruling.reasons),
            payload={
                "settlement": settlement.ref,
                "status": settlement.status,
                "balance": str(settlement.balance),
                "amount": str(amount),
                "pay_by": pay_by,
                "bills": refs,
                "wants": ruling.wants,
            },
        )
        confirmations.of_settlement(settlement, actor=actor, as_of=as_of, at=at)
        if ruling.wants:
            why = f"Settlement waits for approval. {' '.join(ruling.reasons)}"
            second_words.ask(account_id=account_id, reason=why, as_of=as_of, at=at, actor=actor)
    return settlement


def decide(
    *,
    settlement_id: int,
    approve: bool,
    agent: Agent,
    as_of: date,
    at: datetime,
    reason: str = "",
    instead_of: Agent | None = None,
) -> Settlement:
    """Give one's word for a settlement that waits, or against it, in one's own name or in somebody's place.

    It is offered once nobody's word is missing; one word against it ends it. Nobody decides on what they asked for,
    nor in a role that is not missing, nor twice, whoever's place they stand in. Raises ``CannotDecideSettlement`` and
    ``delegations.CannotActFor``.
    """
    with transaction.atomic():
        word = delegations.word_of(agent, instead_of=instead_of, on=as_of)
        if not authority.words_of(word.authority):
            raise CannotDecideSettlement("Whoever may let go of as much decides on settlements.", code="forbidden")
        settlement = _locked(settlement_id, as_of=as_of, at=at, actor=word.actor)
        if settlement.status != Settlement.Status.PENDING_APPROVAL:
            state = settlement.get_status_display().lower()
            raise CannotDecideSettlement(f"This settlement does not wait any more: {state}.")
        if word.is_of(settlement.made_by):
            raise CannotDecideSettlement("Somebody else decides on a settlement that you asked for.", code="forbidden")
        if any(word.is_of(who) for who in given_by(settlement)):
            raise CannotDecideSettlement("You agreed already: somebody else's word is missing.")
        if not rights.may_see_account(word.authority, settlement.account):
            raise CannotDecideSettlement("This account is another team's.", code="forbidden")
        if approve and as_of > (last_day(settlement) or as_of):
            raise CannotDecideSettlement(_too_late(settlement))
        if approve:
            _add_word(settlement, word, as_of=as_of, at=at)
            settlement.save(update_fields=["status", "wants", "approvals"])
            confirmations.of_settlement(settlement, actor=word.actor, as_of=as_of, at=at)
            kind = kinds.SETTLEMENT_APPROVED
            _tell(settlement, kind, actor=word.actor, as_of=as_of, at=at, reason=reason, **word.told)
            if settlement.status != Settlement.Status.PENDING_APPROVAL:
                second_words.settled(account_id=settlement.account_id, outcome="approved", actor=word.actor, at=at)
        elif _word(settlement, word, as_of=as_of, at=at) is None:
            raise CannotDecideSettlement("This settlement waits for somebody else.", code="forbidden")
        else:
            _decline(settlement, actor=word.actor, as_of=as_of, at=at, reason=reason, told=word.told)
    return settlement


def _decline(
    settlement: Settlement, *, actor: str, as_of: date, at: datetime, reason: str, told: Mapping[str, Any]
) -> None:
    _end(settlement, Settlement.Status.CANCELLED, on=as_of, actor=actor, as_of=as_of, at=at)
    confirmations.of_settlement(settlement, actor=actor, as_of=as_of, at=at)
    _tell(settlement, kinds.SETTLEMENT_DECLINED, actor=actor, as_of=as_of, at=at, reason=reason, **told)
    second_words.settled(account_id=settlement.account_id, outcome="declined", actor=actor, at=at)
    second_words.tell(
        account_id=settlement.account_id,
        what="the settlement",
        asked_by=settlement.made_by,
        reason=reason,
        actor=actor,
        as_of=as_of,
        at=at,
    )


def expire(*, as_of: date, at: datetime) -> int:
    """Decline the settlements on which nobody decided in time; how many. Run twice, the second finds nothing."""
    before = second_words.asked_before(second_words.SETTLEMENT, as_of)
    waiting = Settlement.objects.filter(status=Settlement.Status.PENDING_APPROVAL, made_on__lt=before or date.min)
    declined = 0
    for settlement_id in list(waiting.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            settlement = _locked(settlement_id, as_of=as_of, at=at, actor=second_words.ACTOR)
            if settlement.status != Settlement.Status.PENDING_APPROVAL:
                continue
            _run_out(settlement, as_of=as_of, at=at)
            declined += 1
    return declined


def _run_out(settlement: Settlement, *, as_of: date, at: datetime) -> None:
    told = {"expired": True}
    _decline(settlement, actor=second_words.ACTOR, as_of=as_of, at=at, reason=_too_late(settlement), told=told)


def last_day(settlement: Settlement) -> date | None:
    """Until when somebody may still agree to a settlement that waits: its own day at the latest."""
    return second_words.last_day(second_words.SETTLEMENT, settlement.made_on, until=settlement.pay_by)


def _too_late(settlement: Settlement) -> str:
    return second_words.too_late(second_words.SETTLEMENT, settlement.made_on, until=settlement.pay_by)


def given_by(settlement: Settlement) -> set[str]:
    """Who gave their word already, and in whose place it was given."""
    return {who for given in settlement.approvals for who in (given["by"], given.get("in_place_of", "")) if who}


def cancel(*, settlement_id: int, actor: str, as_of: date, at: datetime, reason: str = "") -> Settlement:
    """Take an offer back before its day: treatment goes on. Raises ``CannotCancelSettlement``."""
    with transaction.atomic():
        settlement = _locked(settlement_id, as_of=as_of, at=at, actor=actor)
        if settlement.status not in RUNNING:
            state = settlement.get_status_display().lower()
            raise CannotCancelSettlement(f"This settlement is over: {state}.")
        _end(settlement, Settlement.Status.CANCELLED, on=as_of, actor=actor, as_of=as_of, at=at)
        confirmations.take_back("settlement", settlement.ref, reason="it is cancelled", at=at, actor=actor)
        _tell(settlement, kinds.SETTLEMENT_CANCELLED, actor=actor, as_of=as_of, at=at, reason=reason)
        second_words.settled(account_id=settlement.account_id, outcome="cancelled", actor=actor, at=at)
    return settlement


def may_decide(settlement: Settlement, agent: Agent, *, at: datetime, packs: rule_packs.InForce | None = None) -> bool:
    """Whether that person's word is one that is missing."""
    return agent.pk in who_may([settlement], [agent], at=at, packs=packs)[settlement.pk]


def who_may(
    settlements: Sequence[Settlement],
    people: Sequence[Agent],
    *,
    at: datetime,
    packs: rule_packs.InForce | None = None,
) -> dict[int, set[int]]:
    """Whose word is missing, of those people, by settlement; two queries for all, one where ``packs`` were read.

    The settlements come with their account.
    """
    packs = packs or rule_packs.in_force()
    oldest = _oldest_due(settlements)
    return {
        one.pk: {agent.pk for agent in people if _is_missing(one, agent, oldest.get(one.pk), at=at, packs=packs)}
        for one in settlements
    }


def _is_missing(
    settlement: Settlement, agent: Agent, oldest: date | None, *, at: datetime, packs: rule_packs.InForce
) -> bool:
    actor = rights.actor(agent)
    if actor == settlement.made_by or actor in given_by(settlement):
        return False
    before = _asked(settlement, oldest)
    now = len(authority.words_missing(before, at=at, packs=packs))
    return any(
        len(authority.words_missing(_with(before, actor, role), at=at, packs=packs)) < now
        for role in authority.words_of(agent)
    )


def latest_day(*, as_of: date) -> date:
    """The last day by which an offer of today may be paid."""
    one = agreements.Settlement(balance=Decimal(2), settle=Decimal(1), requester="", role="", offered_on=as_of)
    latest: date = authority.settling_terms(one)["valid_until"]
    return latest


# The day -------------------------------------------------------------------------------------------------------------


def review(*, as_of: date, at: datetime, account_ids: Collection[int] | None = None) -> int:
    """Judge the settlements of those accounts, or all that run, as of a day; how many changed.

    Of accounts that are named, those that are over are looked at again: money of a kept one may have gone back, and
    money of a void one may turn out to have come in time, or come now. Run twice, the second finds nothing.
    """
    found = 0
    judged = RUNNING if account_ids is None else LOOKED_AT_AGAIN
    for chunk in _chunks(account_ids, judged, as_of=as_of):
        with transaction.atomic():
            found += _review_chunk(chunk, judged, as_of=as_of, at=at)
    return found


def _chunks(account_ids: Collection[int] | None, judged: Sequence[str], *, as_of: date) -> Iterator[list[int]]:
    waiting = Settlement.objects.filter(status__in=judged, made_on__lte=as_of)
    if account_ids is not None:
        waiting = waiting.filter(account__in=list(account_ids))
    keys = list(waiting.order_by("account_id").values_list("account_id", flat=True).distinct())
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def _review_chunk(account_ids: list[int], judged: Sequence[str], *, as_of: date, at: datetime) -> int:
    list(Account.objects.select_for_update(no_key=True).filter(pk__in=account_ids).order_by("pk").values_list("pk"))
    rows = (
        Settlement.objects.select_related("hold", "account")
        .filter(account__in=account_ids, status__in=judged, made_on__lte=as_of)
        .order_by("account_id", "pk")
    )
    found = 0
    for settlement in rows:
        # One at a time: what one lets go of changes the books of the next on its account.
        found += _judge(settlement, as_of=as_of, at=at)
    return found


def _judge(settlement: Settlement, *, as_of: date, at: datetime) -> bool:
    """Bring one settlement to what its payments say; whether that changed anything."""
    now = books_of([settlement.account_id], as_of=as_of)[settlement.account_id]
    in_time = _paid(settlement, now, until=min(settlement.pay_by, as_of))
    status = settlement.status
    if status == Settlement.Status.KEPT:
        # Money that found no bill when it was kept has found one since: only what its own bills lost went back.
        enough = min(settlement.amount, settlement.balance - settlement.fees)
        if in_time >= min(settlement.paid, enough):
            return False
        _owe_again(settlement, in_time, as_of=as_of, at=at)
        return True
    if in_time >= settlement.amount and status in (Settlement.Status.OPEN, Settlement.Status.BROKEN):
        _keep(settlement, in_time, as_of=as_of, at=at)
        return True
    before, settlement.paid = settlement.paid, _paid(settlement, now, until=as_of)
    if before != settlement.paid:
        settlement.save(update_fields=["paid"])
    if status == Settlement.Status.BROKEN:
        return _paid_late(settlement, before, as_of=as_of, at=at)
    if now.open_on(settlement.bill_refs) == 0:
        _settle_in_full(settlement, as_of=as_of, at=at)
        return True
    if as_of <= settlement.pay_by:
        return False
    if status == Settlement.Status.PENDING_APPROVAL:
        _run_out(settlement, as_of=as_of, at=at)
    else:
        _close(settlement, Settlement.Status.BROKEN, reason=f"not paid by {settlement.pay_by}", as_of=as_of, at=at)
        _paid_late(settlement, Decimal(0), as_of=as_of, at=at)
    return True


def _settle_in_full(settlement: Settlement, *, as_of: date, at: datetime) -> None:
    """Paid whole, or credited by billing: there is nothing to let go of."""
    if settlement.status == Settlement.Status.PENDING_APPROVAL:
        status = Settlement.Status.CANCELLED
    else:
        status = Settlement.Status.KEPT if as_of <= settlement.pay_by else Settlement.Status.BROKEN
    _close(settlement, status, reason="nothing is left to pay", as_of=as_of, at=at)


def _paid(settlement: Settlement, books: AccountBooks, *, until: date) -> Decimal:
    """What was paid towards it by a day, net of what went back at any time.

    Where less is let go of than the desk's own fees, some of the money finds no bill, and waits for the one that
    charges them.
    """
    payments = covered.payments_since(
        books, bill_refs=settlement.bill_refs, made_on=settlement.made_on, paid_before=settlement.paid_before
    )
    paid = total([amount for on, amount in payments if on <= until or amount < 0])
    bills = settlement.balance - settlement.fees
    if settlement.amount > bills and paid >= bills:
        waiting = sum(amount for ref, amount in books.books.unapplied.items() if ref.startswith(PAYMENT))
        paid += from_mills(waiting)
    return max(paid, Decimal(0))


def _keep(settlement: Settlement, paid: Decimal, *, as_of: date, at: datetime) -> None:
    """Paid in time: the rest is let go of, fees first."""
    let_go = settlement.balance - settlement.amount
    fees = _waive_fees(settlement, min(let_go, settlement.fees), as_of=as_of, at=at)
    rest = let_go - fees
    round_ = Adjustment.objects.filter(ref__startswith=_refs(settlement)).count()
    rows: list[Adjustment] = []
    bills = Bill.objects.filter(account=settlement.account_id, ref__in=settlement.bill_refs).order_by("due_on", "ref")
    open_now = books_of([settlement.account_id], as_of=as_of)[settlement.account_id]
    for bill in bills:
        part = min(rest, open_now.open_on([bill.ref]))
        if part <= 0:
            continue
        rest -= part
        rows.append(
            _adjustment(settlement, bill.ref, -part, round_ + len(rows), as_of=as_of, reason="Settled for less")
        )
    Adjustment.objects.bulk_create(rows)
    settlement.paid, settlement.status, settlement.settled_on = paid, Settlement.Status.KEPT, as_of
    settlement.save(update_fields=["paid", "status", "settled_on"])
    if settlement.hold is not None and covered.still_holds(settlement.hold, as_of=as_of):
        holds.lift(hold_id=settlement.hold.pk, actor=ACTOR, as_of=as_of, at=at, reason="settlement kept")
    settling.mark_unsettled([settlement.account_id])
    settling.settle(as_of=as_of, at=at, actor=ACTOR, account_ids=[settlement.account_id])
    confirmations.of_settlement_paid(settlement, actor=ACTOR, as_of=as_of, at=at)
    credited = -total([row.amount for row in rows])
    _tell(
        settlement,
        kinds.SETTLEMENT_KEPT,
        actor=ACTOR,
        as_of=as_of,
        at=at,
        reason="",
        paid=str(paid),
        fees=str(fees),
        credited=str(credited),
    )


def _owe_again(settlement: Settlement, in_time: Decimal, *, as_of: date, at: datetime) -> None:
    """What settled it went back: what was let go of is owed again, until its day as an offer, then as before it."""
    before = settlement.paid
    again = as_of <= settlement.pay_by
    rows = list(Adjustment.objects.filter(ref__startswith=_refs(settlement)).order_by("pk"))
    standing: dict[str, Decimal] = {}
    for row in rows:
        standing[row.bill_ref] = standing.get(row.bill_ref, Decimal(0)) + row.amount
    back = [
        _adjustment(settlement, ref, -amount, len(rows) + place, as_of=as_of, reason="A settlement's payment went back")
        for place, (ref, amount) in enumerate((ref, amount) for ref, amount in standing.items() if amount)
    ]
    Adjustment.objects.bulk_create(back)
    fees = _charge_fees_again(settlement, as_of=as_of, at=at)
    settlement.paid = in_time
    settlement.status = Settlement.Status.OPEN if again else Settlement.Status.BROKEN
    settlement.settled_on = None if again else as_of
    if again:
        settlement.hold = holds.place(
            account_id=settlement.account_id,
            reason=Hold.Reason.PROMISE,
            starts_on=as_of,
            ends_on=settlement.pay_by,
            bill_refs=settlement.bill_refs,
            note=f"Settlement until {settlement.pay_by}",
            actor=ACTOR,
            as_of=as_of,
            at=at,
        )
    settlement.save(update_fields=["paid", "status", "settled_on", "hold"])
    settling.mark_unsettled([settlement.account_id])
    settling.settle(as_of=as_of, at=at, actor=ACTOR, account_ids=[settlement.account_id])
    confirmations.take_back("settlement", f"{settlement.ref}.paid", reason="its payment went back", at=at)
    _tell(
        settlement,
        kinds.SETTLEMENT_REOPENED,
        actor=ACTOR,
        as_of=as_of,
        at=at,
        reason="its payment went back",
        paid_before=str(before),
        paid=str(in_time),
        owed_again=str(total([row.amount for row in back])),
        fees=str(fees),
    )


def _paid_late(settlement: Settlement, before: Decimal, *, as_of: date, at: datetime) -> bool:
    """A void offer is paid after its day: a part payment, and a supervisor's to decide. Told once."""
    if settlement.paid < settlement.amount or before >= settlement.amount:
        return bool(before != settlement.paid)
    kind = kinds.SETTLEMENT_PAID_LATE
    _tell(settlement, kind, actor=ACTOR, as_of=as_of, at=at, reason="paid after its day", paid=str(settlement.paid))
    queue.enqueue(
        account_ids=[settlement.account_id],
        reason=f"Paid after the settlement had ended on {settlement.pay_by}: a supervisor decides what becomes of it.",
        kind=WorkItem.Kind.TASK,
        as_of=as_of,
        at=at,
        actor=ACTOR,
    )
    return True


def _close(settlement: Settlement, status: str, *, reason: str, as_of: date, at: datetime) -> None:
    waited = settlement.status == Settlement.Status.PENDING_APPROVAL
    _end(settlement, status, on=as_of, actor=ACTOR, as_of=as_of, at=at)
    confirmations.take_back("settlement", settlement.ref, reason=reason, at=at)
    kind = {
        Settlement.Status.KEPT.value: kinds.SETTLEMENT_KEPT,
        Settlement.Status.BROKEN.value: kinds.SETTLEMENT_BROKEN,
        Settlement.Status.CANCELLED.value: kinds.SETTLEMENT_CANCELLED,
    }[str(status)]
    _tell(settlement, kind, actor=ACTOR, as_of=as_of, at=at, reason=reason, paid=str(settlement.paid))
    if waited:
        second_words.settled(account_id=settlement.account_id, outcome=str(status), actor=ACTOR, at=at)


# Money ---------------------------------------------------------------------------------------------------------------


def _refs(settlement: Settlement) -> str:
    """How the adjustments of a settlement begin."""
    return f"{DESK_PREFIX}settlement-{settlement.pk}-"


def _adjustment(
    settlement: Settlement, bill_ref: str, amount: Decimal, number: int, *, as_of: date, reason: str
) -> Adjustment:
    return Adjustment(
        ref=f"{_refs(settlement)}{number}",
        account_id=settlement.account_id,
        on=as_of,
        amount=amount,
        kind=Adjustment.Kind.SETTLEMENT,
        bill_ref=bill_ref,
        reason=reason,
    )


def _waive_fees(settlement: Settlement, most: Decimal, *, as_of: date, at: datetime) -> Decimal:
    """Let go of open fees of the desk up to ``most``, the oldest first; how much that was.

    Of one that is let go of in part, the rest stays as a fee of its own.
    """
    left = most
    for fee in open_fees(account_id=settlement.account_id, as_of=as_of) if most else ():
        if left <= 0:
            break
        fee.waived_on, fee.waived_by = as_of, ACTOR
        fee.waive_reason = _waive_reason(settlement)
        fee.save(update_fields=["waived_on", "waived_by", "waive_reason"])
        if fee.amount > left:
            _charge_fee(settlement, fee.kind, fee.amount - left, as_of=as_of)
        part = min(fee.amount, left)
        left -= part
        _tell_fee(settlement, events.FEE_WAIVED, fee, part, as_of=as_of, at=at)
    return most - left


def _charge_fees_again(settlement: Settlement, *, as_of: date, at: datetime) -> Decimal:
    """What was let go of in fees when it was kept last is due again; how much that is."""
    told = AccountEvent.objects.filter(
        account=settlement.account_id, kind=kinds.SETTLEMENT_KEPT, payload__settlement=settlement.ref
    )
    last = told.order_by("-pk").first()
    again = Decimal(last.payload.get("fees", "0")) if last is not None else Decimal(0)
    waived = Fee.objects.filter(account=settlement.account_id, waive_reason=_waive_reason(settlement))
    first = waived.order_by("-pk").first()
    if first is None or not again:
        return Decimal(0)
    fee = _charge_fee(settlement, first.kind, again, as_of=as_of)
    _tell_fee(settlement, events.FEE_CHARGED, fee, again, as_of=as_of, at=at)
    return again


def _waive_reason(settlement: Settlement) -> str:
    return f"Settlement {settlement.ref}"


def _fee_refs(settlement: Settlement) -> str:
    return f"{DESK_PREFIX}fee-settlement-{settlement.pk}-"


def _charge_fee(settlement: Settlement, kind: str, amount: Decimal, *, as_of: date) -> Fee:
    number = Fee.objects.filter(ref__startswith=_fee_refs(settlement)).count()
    return Fee.objects.create(
        ref=f"{_fee_refs(settlement)}{number}",
        account_id=settlement.account_id,
        kind=kind,
        on=as_of,
        amount=amount,
    )


def _tell_fee(settlement: Settlement, kind: str, fee: Fee, amount: Decimal, *, as_of: date, at: datetime) -> None:
    payload = {"amount": str(amount), "currency": settlement.account.currency, "kind": fee.kind, "fee": fee.ref}
    events.record(
        account_id=settlement.account_id,
        kind=kind,
        actor=ACTOR,
        at=at,
        on=as_of,
        reason=f"settlement {settlement.ref}",
        payload=payload,
    )


# Terms ---------------------------------------------------------------------------------------------------------------


def _offer(
    account: Account,
    amount: Decimal,
    pay_by: date,
    bill_refs: Sequence[str] | None,
    *,
    agent: Agent | None,
    requester: str,
    as_of: date,
) -> _Offer:
    """The offer as the rules read it. Raises ``CannotSettle``."""
    covered.checked_amount(amount, account, refusal=CannotSettle)
    bills = covered.bills_of(account, bill_refs, refusal=CannotSettle)
    undertakings.refuse_twice(account, bills, refusal=CannotSettle)
    if contested := next((bill for bill in bills if bill.disputed_amount), None):
        raise CannotSettle(f"Bill {contested.ref} is disputed: the dispute is decided first.")
    owed = covered.undisputed(bills)
    fees = Decimal(0)
    if not bill_refs or len(bills) == Bill.objects.filter(account=account, open_amount__gt=0).count():
        fees = total(list(open_fees(account_id=account.pk, as_of=as_of).values_list("amount", flat=True)))
    balance = owed + fees
    if amount >= balance:
        raise CannotSettle(f"A settlement is less than what is owed: {covered.said(balance, account)}.")
    if pay_by < as_of:
        raise CannotSettle("The day to pay by has passed.", code="invalid")
    latest = latest_day(as_of=as_of)
    if pay_by > latest:
        raise CannotSettle(f"An offer holds until {latest} at most.")
    oldest = min(bill.due_on for bill in bills)
    asked = agreements.Settlement(
        balance=balance,
        settle=amount,
        requester=requester,
        role=authority.settles_as(agent),
        fees=fees,
        days_past_due=max((as_of - oldest).days, 0),
        of_staff=account.segment.lower() == authority.STAFF,
        offered_on=as_of,
    )
    return _Offer(bills, asked)


def _oldest_due(settlements: Sequence[Settlement]) -> dict[int, date]:
    """The day on which the oldest bill of each was due: one query."""
    refs = {ref for one in settlements for ref in one.bill_refs}
    bills = Bill.objects.filter(account__in={one.account_id for one in settlements}, ref__in=refs)
    due = {(account, ref): on for account, ref, on in bills.values_list("account_id", "ref", "due_on")}
    found = {one.pk: [due.get((one.account_id, ref)) for ref in one.bill_refs] for one in settlements}
    return {pk: min(days) for pk, dues in found.items() if (days := [on for on in dues if on is not None])}


def _asked(settlement: Settlement, oldest: date | None) -> agreements.Settlement:
    """A settlement that waits, as the rules read it; ``oldest``: when its oldest bill was due."""
    given = [agreements.Approval(by=each["by"], role=each["role"]) for each in settlement.approvals]
    return agreements.Settlement(
        balance=settlement.balance,
        settle=settlement.amount,
        requester=settlement.made_by,
        role=settlement.made_as,
        fees=settlement.fees,
        days_past_due=max((settlement.made_on - oldest).days, 0) if oldest is not None else 0,
        approvals=tuple(given),
        of_staff=settlement.account.segment.lower() == authority.STAFF,
        offered_on=settlement.made_on,
    )


def _with(asked: agreements.Settlement, by: str, role: str) -> agreements.Settlement:
    return replace(asked, approvals=(*asked.approvals, agreements.Approval(by=by, role=role)))


def _word(
    settlement: Settlement, word: delegations.Word, *, as_of: date, at: datetime
) -> tuple[str, authority.Ruling] | None:
    """The role in which that person's word brings the settlement furthest, and what is missing then; none does."""
    best: tuple[str, authority.Ruling] | None = None
    before = _asked(settlement, _oldest_due([settlement]).get(settlement.pk))
    fewest = len(authority.settlement(account=settlement.account, asked=before, as_of=as_of, at=at).wants)
    for role in authority.words_of(word.authority):
        asked = _with(before, word.actor, role)
        ruling = authority.settlement(account=settlement.account, asked=asked, as_of=as_of, at=at)
        if len(ruling.wants) < fewest:
            best, fewest = (role, ruling), len(ruling.wants)
    return best


def _add_word(settlement: Settlement, word: delegations.Word, *, as_of: date, at: datetime) -> None:
    """Write a person's word down, in memory. Raises ``CannotDecideSettlement``."""
    found = _word(settlement, word, as_of=as_of, at=at)
    if found is None:
        missing = " and ".join(role.replace("_", " ") for role in settlement.wants)
        raise CannotDecideSettlement(f"This is more than you may let go of: {missing} must agree.", code="forbidden")
    role, ruling = found
    if ruling.refusals:
        raise CannotDecideSettlement(" ".join(ruling.refusals))
    settlement.approvals = [*settlement.approvals, {"by": word.actor, "role": role, **word.told}]
    settlement.wants = ruling.wants
    if not ruling.wants:
        settlement.status = Settlement.Status.OPEN


def _locked(settlement_id: int, *, as_of: date, at: datetime, actor: str) -> Settlement:
    account_id = Settlement.objects.values_list("account_id", flat=True).get(pk=settlement_id)
    covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
    return Settlement.objects.select_related("hold", "account__customer").get(pk=settlement_id)


def _tell(
    settlement: Settlement, kind: str, *, actor: str, as_of: date, at: datetime, reason: str, **more: Any
) -> None:
    events.record_many(
        [
            EventRow(
                account_id=settlement.account_id,
                kind=kind,
                actor=actor,
                at=at,
                on=as_of,
                reason=reason,
                payload={
                    "settlement": settlement.ref,
                    "amount": str(settlement.amount),
                    "balance": str(settlement.balance),
                    "pay_by": settlement.pay_by,
                    "wants": settlement.wants,
                    **more,
                },
                react=True,
            )
        ]
    )


def _end(settlement: Settlement, status: str, *, on: date, actor: str, as_of: date, at: datetime) -> None:
    settlement.status, settlement.settled_on = status, on
    settlement.save(update_fields=["status", "settled_on"])
    if settlement.hold is not None and covered.still_holds(settlement.hold, as_of=as_of):
        holds.lift(hold_id=settlement.hold.pk, actor=actor, as_of=as_of, at=at, reason=f"settlement {status}")
