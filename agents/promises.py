"""What a customer undertakes to pay by a day: made, held for, and found kept or broken.

A promise pauses treatment of the bills it names until its day and some grace have passed. It is kept as soon as the
amount has come in, or nothing is left to pay on those bills; judged by the dates of the payments, whenever the judging
happens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from django.conf import settings
from django.db import transaction

from accounts import events, holds
from accounts.events import EventRow
from accounts.models import Account, Hold
from accounts.models.fields import DESK_PREFIX
from accounts.position import AccountBooks, books_of
from accounts.refusals import Refused
from agents import card_numbers, confirmations, covered, kinds, undertakings
from agents.instalments import Filled, fill
from agents.models import Plan, Promise

ACTOR = "desk:promises"

#: Accounts judged in one transaction.
CHUNK = 1_000


class CannotPromise(Refused):
    """The promise makes no sense here; the text tells the agent what would."""


class CannotCancelPromise(Refused):
    """The promise is settled already."""

    code = "conflict"


def make(
    *,
    account_id: int,
    amount: Decimal,
    due_on: date,
    actor: str,
    as_of: date,
    at: datetime,
    bill_refs: Sequence[str] | None = None,
    note: str = "",
    ref: str | None = None,
    agreed_by: str = "",
    read_back: str = "",
) -> Promise:
    """Record a promise over the bills named, else all that are open, and hold their treatment until due and grace.

    ``agreed_by``: how they agreed, of ``Agreed``; ``read_back``: what was read to them.

    Raises ``CannotPromise`` and ``card_numbers.CannotKeepCard``.
    """
    note, read_back = card_numbers.without_cards(note), card_numbers.without_cards(read_back)
    latest = as_of + timedelta(days=settings.PROMISE_MAX_DAYS)
    if due_on < as_of:
        raise CannotPromise("The day to pay by has passed.", code="invalid")
    if due_on > latest:
        raise CannotPromise(f"A promise reaches to {latest} at most; beyond that, agree a plan.")
    with transaction.atomic():
        account = covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
        covered.checked_amount(amount, account, refusal=CannotPromise)
        bills = covered.bills_of(account, bill_refs, refusal=CannotPromise)
        payable = covered.undisputed(bills)
        if amount > payable:
            raise CannotPromise(f"Only {covered.said(payable, account)} is open there.")
        undertakings.refuse_twice(account, bills, refusal=CannotPromise)
        refs = [bill.ref for bill in bills]
        hold = holds.place(
            account_id=account_id,
            reason=Hold.Reason.PROMISE,
            starts_on=as_of,
            ends_on=due_on + _grace(),
            bill_refs=refs,
            actor=actor,
            as_of=as_of,
            at=at,
        )
        promise = Promise.objects.create(
            ref=ref or f"{DESK_PREFIX}{uuid4().hex}",
            account=account,
            hold=hold,
            amount=amount,
            made_on=as_of,
            due_on=due_on,
            bill_refs=refs,
            paid_before=covered.paid_on_the_day(account, bills, as_of=as_of),
            note=note,
            taken_by=actor,
            agreed_by=agreed_by,
            read_back=read_back,
        )
        events.record(
            account_id=account_id,
            kind=kinds.PROMISE_MADE,
            actor=actor,
            at=at,
            on=as_of,
            payload={"promise": promise.ref, "amount": str(amount), "due_on": due_on, "bills": refs},
        )
        confirmations.of_promise(promise, actor=actor, as_of=as_of, at=at)
    return promise


def cancel(*, promise_id: int, actor: str, as_of: date, at: datetime, reason: str = "") -> Promise:
    """Take an open promise back: treatment goes on. Raises ``CannotCancelPromise``."""
    with transaction.atomic():
        account_id = Promise.objects.values_list("account_id", flat=True).get(pk=promise_id)
        covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
        promise = Promise.objects.select_related("hold").get(pk=promise_id)
        if promise.status != Promise.Status.OPEN:
            raise CannotCancelPromise(f"This promise is {promise.get_status_display().lower()} already.")
        _settle(promise, Promise.Status.CANCELLED, on=as_of, actor=actor, as_of=as_of, at=at)
        events.record(
            account_id=account_id,
            kind=kinds.PROMISE_CANCELLED,
            actor=actor,
            at=at,
            on=as_of,
            reason=reason,
            payload={"promise": promise.ref},
            react=True,
        )
        confirmations.take_back("promise", promise.ref, reason="the promise is cancelled", at=at, actor=actor)
    return promise


def review(*, as_of: date, at: datetime, account_ids: Collection[int] | None = None) -> int:
    """Judge the open promises of those accounts, or all, as of a day; how many were found kept or broken.

    Of accounts that are named, those judged are looked at again: where the money went back, a kept promise is open
    again until its day and grace are over, and broken after them; where money comes late that is dated in time, one
    that was found broken is kept after all.

    A promise from a file that named no bills covers what was open when it was made: that is settled here, the first
    time its day has come. Run twice, the second finds nothing.
    """
    found = 0
    judged = [Promise.Status.OPEN] if account_ids is None else _LOOKED_AT_AGAIN
    for chunk in _chunks(account_ids, judged, as_of=as_of):
        with transaction.atomic():
            found += _review_chunk(chunk, judged, as_of=as_of, at=at)
    return found


#: Not kept, as far as was known.
_MISSED = (Promise.Status.PART_KEPT, Promise.Status.BROKEN)
_LOOKED_AT_AGAIN = (Promise.Status.OPEN, Promise.Status.KEPT, *_MISSED)


def _chunks(account_ids: Collection[int] | None, judged: Sequence[str], *, as_of: date) -> Iterator[list[int]]:
    waiting = Promise.objects.filter(status__in=judged, made_on__lte=as_of)
    if account_ids is not None:
        waiting = waiting.filter(account__in=list(account_ids))
    keys = list(waiting.order_by("account_id").values_list("account_id", flat=True).distinct())
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def _review_chunk(account_ids: list[int], judged: Sequence[str], *, as_of: date, at: datetime) -> int:
    list(Account.objects.select_for_update(no_key=True).filter(pk__in=account_ids).order_by("pk").values_list("pk"))
    promises = list(
        Promise.objects.select_related("hold")
        .filter(account__in=account_ids, status__in=judged, made_on__lte=as_of)
        .order_by("account_id", "pk")
    )
    name_bills(promises)
    books = _books([(promise.account_id, _seen_on(promise, as_of)) for promise in promises])
    rows: list[EventRow] = []
    for promise in promises:
        deadline = _deadline(promise)
        seen = books[promise.account_id, _seen_on(promise, as_of)]
        filled, nothing_left = _paid(promise, seen)
        enough = filled.paid >= promise.amount * settings.PROMISE_KEPT_PERCENT / 100
        if promise.status == Promise.Status.KEPT:
            if filled.paid >= promise.paid or enough or nothing_left:
                continue
            if as_of <= deadline:
                rows.append(_open_again(promise, filled.paid, as_of=as_of, at=at))
                continue
        if promise.status in _MISSED:
            if filled.paid <= promise.paid:
                continue
            # More was paid in time than was known; that nothing is left by now says nothing of its day.
            nothing_left = False
        if filled.paid != promise.paid:
            promise.paid = filled.paid
            promise.save(update_fields=["paid"])
        if filled.paid_on or nothing_left:
            status, kind = Promise.Status.KEPT, kinds.PROMISE_KEPT
        elif as_of <= deadline:
            continue
        elif enough:
            status, kind = Promise.Status.KEPT, kinds.PROMISE_KEPT
        elif filled.paid:
            status, kind = Promise.Status.PART_KEPT, kinds.PROMISE_PART_KEPT
        else:
            status, kind = Promise.Status.BROKEN, kinds.PROMISE_BROKEN
        if status == promise.status:
            continue
        _settle(promise, status, on=filled.paid_on or seen.as_of, actor=ACTOR, as_of=as_of, at=at)
        rows.append(
            EventRow(
                account_id=promise.account_id,
                kind=kind,
                actor=ACTOR,
                at=at,
                on=as_of,
                payload={
                    "promise": promise.ref,
                    "amount": str(promise.amount),
                    "paid": str(filled.paid),
                    "full": nothing_left,
                },
                react=True,
            )
        )
    events.record_many(rows)
    return len(rows)


def _paid(promise: Promise, seen: AccountBooks) -> tuple[Filled, bool]:
    """What was paid towards a promise by the day of those books, and whether nothing is left of what it named."""
    payments = covered.payments_since(
        seen, bill_refs=promise.bill_refs, made_on=promise.made_on, paid_before=promise.paid_before
    )
    # Of what came after its day only that counts which went back.
    payments = [(on, amount) for on, amount in payments if on <= _deadline(promise) or amount < 0]
    [filled] = fill(amounts=[promise.amount], payments=payments)
    return filled, bool(promise.bill_refs) and seen.open_on(promise.bill_refs) == 0


def is_kept(promise: Promise, seen: AccountBooks) -> bool:
    """Whether an open promise is kept by the day of those books."""
    filled, nothing_left = _paid(promise, seen)
    return seen.as_of <= _deadline(promise) and (filled.paid_on is not None or nothing_left)


def paid_by(promise: Promise, seen: AccountBooks) -> Decimal:
    """What was paid towards an open promise by the day of those books."""
    return _paid(promise, seen)[0].paid


def breaks_on(promise: Promise) -> date:
    """The day on which it is found broken when nothing was paid towards it."""
    return _deadline(promise) + timedelta(days=1)


def name_bills(undertakings: Sequence[Promise] | Sequence[Plan]) -> None:
    """Let those that came without bills cover what was open on the day they were made, and their holds with them."""
    unnamed = [each for each in undertakings if not each.bill_refs]
    books = _books([(each.account_id, each.made_on) for each in unnamed])
    for each in unnamed:
        each.bill_refs = covered.open_at(books[each.account_id, each.made_on])
        each.save(update_fields=["bill_refs"])
        if each.hold is not None:
            each.hold.bill_refs = each.bill_refs
            each.hold.save(update_fields=["bill_refs"])


def _books(wanted: Collection[tuple[int, date]]) -> dict[tuple[int, date], AccountBooks]:
    """The books of each account as of its day: five queries for each different day."""
    by_day: dict[date, set[int]] = defaultdict(set)
    for account_id, day in wanted:
        by_day[day].add(account_id)
    return {
        (account_id, day): books
        for day, account_ids in by_day.items()
        for account_id, books in books_of(sorted(account_ids), as_of=day).items()
    }


def _seen_on(promise: Promise, as_of: date) -> date:
    """The day whose books judge it: its last at most, except that of one judged before money may have gone back."""
    return min(as_of, _deadline(promise)) if promise.status == Promise.Status.OPEN else as_of


def _open_again(promise: Promise, paid: Decimal, *, as_of: date, at: datetime) -> EventRow:
    """What kept it went back, and its day is still to come: it holds again until then."""
    promise.hold = holds.place(
        account_id=promise.account_id,
        reason=Hold.Reason.PROMISE,
        starts_on=as_of,
        ends_on=_deadline(promise),
        bill_refs=promise.bill_refs,
        actor=ACTOR,
        as_of=as_of,
        at=at,
    )
    promise.status, promise.settled_on, promise.paid = Promise.Status.OPEN, None, paid
    promise.save(update_fields=["hold", "status", "settled_on", "paid"])
    return EventRow(
        account_id=promise.account_id,
        kind=kinds.PROMISE_REOPENED,
        actor=ACTOR,
        at=at,
        on=as_of,
        reason="its payment went back",
        payload={"promise": promise.ref, "amount": str(promise.amount), "paid": str(paid)},
    )


def _settle(promise: Promise, status: str, *, on: date, actor: str, as_of: date, at: datetime) -> None:
    promise.status, promise.settled_on = status, on
    promise.save(update_fields=["status", "settled_on"])
    if promise.hold is not None and covered.still_holds(promise.hold, as_of=as_of):
        holds.lift(hold_id=promise.hold.pk, actor=actor, as_of=as_of, at=at, reason=f"promise {status}")


def _deadline(promise: Promise) -> date:
    """The last day on which a payment still keeps the promise."""
    return promise.due_on + _grace()


def _grace() -> timedelta:
    return timedelta(days=settings.PROMISE_GRACE_DAYS)
