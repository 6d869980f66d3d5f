"""Time to pay: what is past due is left alone until a day, a few times a year and not for long.

Nothing is taken off what is owed, and its age runs on. It ends with its day, or as soon as nothing is left to pay on
the bills it names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import transaction

from accounts import events, holds
from accounts.events import EventRow
from accounts.models import Account, Bill, Hold
from accounts.models.fields import DESK_PREFIX
from accounts.position import books_of
from accounts.refusals import Refused
from agents import (
    authority,
    card_numbers,
    confirmations,
    covered,
    delegations,
    kinds,
    rights,
    second_words,
    undertakings,
)
from agents.models import Agent, Extension
from agents.undertakings import RUNNING_EXTENSIONS as RUNNING

ACTOR = "desk:extensions"

#: Accounts looked at in one transaction.
CHUNK = 1_000

#: Nobody gives a year; a slip of the keyboard does not keep a debt for ever.
MOST_DAYS = 366


class CannotExtend(Refused):
    """No such time can be given; the text tells the agent why."""


class CannotCancelExtension(Refused):
    """It is over already."""

    code = "conflict"


class CannotDecideExtension(Refused):
    """It does not wait for a decision, or not for this person's."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class ExtensionQuote:
    """Time to pay as it would be; ``reasons`` say why it would need approval, ``refusals`` why nobody may give it."""

    until: date
    total: Decimal
    days: int
    within_authority: bool
    reasons: list[str]
    refusals: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)


def quote_for(
    *,
    account_id: int,
    until: date,
    agent: Agent | None,
    as_of: date,
    at: datetime,
    bill_refs: Sequence[str] | None = None,
) -> ExtensionQuote:
    """What it would be over the bills named, else all that are open. Writes nothing. Raises ``CannotExtend``."""
    account = Account.objects.select_related("customer").get(pk=account_id)
    bills = covered.bills_of(account, bill_refs, refusal=CannotExtend)
    undertakings.refuse_twice(account, bills, refusal=CannotExtend)
    days = _days(bills, until=until, as_of=as_of)
    ruling = authority.deferral(account=account, days=days, agent=agent, as_of=as_of, at=at)
    owed = covered.undisputed(bills)
    return ExtensionQuote(until, owed, days, ruling.is_within, ruling.reasons, ruling.refusals, ruling.advice)


def agree(
    *,
    account_id: int,
    until: date,
    actor: str,
    agent: Agent | None,
    as_of: date,
    at: datetime,
    bill_refs: Sequence[str] | None = None,
    note: str = "",
    agreed_by: str = "",
    read_back: str = "",
    ref: str | None = None,
) -> Extension:
    """Leave the bills named, else all that are open, alone up to and with that day.

    Beyond the agent's authority it waits for approval, and holds meanwhile. Raises ``CannotExtend`` and
    ``card_numbers.CannotKeepCard``.
    """
    note, read_back = card_numbers.without_cards(note), card_numbers.without_cards(read_back)
    with transaction.atomic():
        account = covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
        bills = covered.bills_of(account, bill_refs, refusal=CannotExtend)
        undertakings.refuse_twice(account, bills, refusal=CannotExtend)
        days = _days(bills, until=until, as_of=as_of)
        ruling = authority.deferral(account=account, days=days, agent=agent, as_of=as_of, at=at, keep=True)
        if ruling.refusals:
            raise CannotExtend(" ".join(ruling.refusals))
        ruling.keep(actor=actor)
        refs = [bill.ref for bill in bills]
        hold = holds.place(
            account_id=account_id,
            reason=Hold.Reason.PROMISE,
            starts_on=as_of,
            ends_on=until,
            bill_refs=refs,
            note=f"Time to pay until {until}",
            actor=actor,
            as_of=as_of,
            at=at,
        )
        extension = Extension.objects.create(
            ref=ref or f"{DESK_PREFIX}{uuid4().hex}",
            account=account,
            hold=hold,
            made_on=as_of,
            until=until,
            bill_refs=refs,
            status=Extension.Status.PENDING_APPROVAL if ruling.reasons else Extension.Status.ACTIVE,
            note=note,
            made_by=actor,
            agreed_by=agreed_by,
            read_back=read_back,
        )
        events.record(
            account_id=account_id,
            kind=kinds.EXTENSION_AGREED,
            actor=actor,
            at=at,
            on=as_of,
            reason=" ".join(ruling.reasons),
            payload={
                "extension": extension.ref,
                "status": extension.status,
                "until": until,
                "total": str(covered.undisputed(bills)),
                "bills": refs,
            },
        )
        confirmations.of_extension(extension, actor=actor, as_of=as_of, at=at)
        if ruling.reasons:
            why = f"Time to pay waits for approval. {' '.join(ruling.reasons)}"
            second_words.ask(account_id=account_id, reason=why, as_of=as_of, at=at, actor=actor)
    return extension


def decide(
    *,
    extension_id: int,
    approve: bool,
    agent: Agent,
    as_of: date,
    at: datetime,
    reason: str = "",
    instead_of: Agent | None = None,
) -> Extension:
    """Approve or decline what waits.

    Nobody decides on what they gave themselves, nor beyond their own authority or that of the person in whose place
    they do. Raises ``CannotDecideExtension`` and ``delegations.CannotActFor``.
    """
    with transaction.atomic():
        word = delegations.word_of(agent, instead_of=instead_of, on=as_of)
        if not rights.roles(word.authority) & authority.TERMS:
            raise CannotDecideExtension("Supervisors decide on time to pay.", code="forbidden")
        extension = _locked(extension_id, as_of=as_of, at=at, actor=word.actor)
        if extension.status != Extension.Status.PENDING_APPROVAL:
            raise CannotDecideExtension(f"It does not wait any more: it is {extension.get_status_display().lower()}.")
        if word.is_of(extension.made_by):
            raise CannotDecideExtension("Somebody else must decide on time that you gave.", code="forbidden")
        if not rights.may_see_account(word.authority, extension.account):
            raise CannotDecideExtension("This account is another team's.", code="forbidden")
        extension.decided_by, extension.decided_for = word.actor, word.for_whom
        if not approve:
            extension.save(update_fields=["decided_by", "decided_for"])
            _decline(extension, actor=word.actor, as_of=as_of, at=at, reason=reason, told=word.told)
            return extension
        if as_of > (last_day(extension) or as_of):
            raise CannotDecideExtension(_too_late(extension))
        _check(extension, agent=word.authority, as_of=as_of, at=at)
        extension.status = Extension.Status.ACTIVE
        extension.save(update_fields=["status", "decided_by", "decided_for"])
        confirmations.of_extension(extension, actor=word.actor, as_of=as_of, at=at)
        kind = kinds.EXTENSION_APPROVED
        _tell(extension, kind, actor=word.actor, as_of=as_of, at=at, reason=reason, told=word.told)
        second_words.settled(account_id=extension.account_id, outcome="approved", actor=word.actor, at=at)
    return extension


def _decline(
    extension: Extension, *, actor: str, as_of: date, at: datetime, reason: str, told: Mapping[str, Any]
) -> None:
    _end(extension, Extension.Status.CANCELLED, on=as_of, actor=actor, as_of=as_of, at=at)
    confirmations.of_extension(extension, actor=actor, as_of=as_of, at=at)
    _tell(extension, kinds.EXTENSION_DECLINED, actor=actor, as_of=as_of, at=at, reason=reason, told=told)
    second_words.settled(account_id=extension.account_id, outcome="declined", actor=actor, at=at)
    second_words.tell(
        account_id=extension.account_id,
        what="time to pay",
        asked_by=extension.made_by,
        reason=reason,
        actor=actor,
        as_of=as_of,
        at=at,
    )


def expire(*, as_of: date, at: datetime) -> int:
    """Decline the time to pay on which nobody decided in time; how many. Run twice, the second finds nothing."""
    before = second_words.asked_before(second_words.EXTENSION, as_of)
    waiting = Extension.objects.filter(status=Extension.Status.PENDING_APPROVAL, made_on__lt=before or date.min)
    declined = 0
    for extension_id in list(waiting.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            extension = _locked(extension_id, as_of=as_of, at=at, actor=second_words.ACTOR)
            if extension.status != Extension.Status.PENDING_APPROVAL:
                continue
            _run_out(extension, as_of=as_of, at=at)
            declined += 1
    return declined


def _run_out(extension: Extension, *, as_of: date, at: datetime) -> None:
    told = {"expired": True}
    _decline(extension, actor=second_words.ACTOR, as_of=as_of, at=at, reason=_too_late(extension), told=told)


def last_day(extension: Extension) -> date | None:
    """Until when somebody may still agree to time that waits: its own day at the latest."""
    return second_words.last_day(second_words.EXTENSION, extension.made_on, until=extension.until)


def _too_late(extension: Extension) -> str:
    return second_words.too_late(second_words.EXTENSION, extension.made_on, until=extension.until)


def _check(extension: Extension, *, agent: Agent, as_of: date, at: datetime) -> None:
    """Whether that person may give it: the rules are asked again, with them."""
    account = extension.account
    bills = list(Bill.objects.filter(account=account, ref__in=extension.bill_refs))
    days = _days(bills, until=extension.until, as_of=extension.made_on)
    ruling = authority.deferral(account=account, days=days, agent=agent, as_of=as_of, at=at, this=extension)
    if ruling.refusals:
        raise CannotDecideExtension(" ".join(ruling.refusals))
    if ruling.reasons:
        raise CannotDecideExtension(f"A supervisor decides on this. {' '.join(ruling.reasons)}", code="forbidden")


def cancel(*, extension_id: int, actor: str, as_of: date, at: datetime, reason: str = "") -> Extension:
    """End it before its time: treatment goes on. Raises ``CannotCancelExtension``."""
    with transaction.atomic():
        extension = _locked(extension_id, as_of=as_of, at=at, actor=actor)
        if extension.status not in RUNNING:
            raise CannotCancelExtension(f"This time to pay is {extension.get_status_display().lower()} already.")
        _end(extension, Extension.Status.CANCELLED, on=as_of, actor=actor, as_of=as_of, at=at)
        confirmations.take_back("extension", extension.ref, reason="it is cancelled", at=at, actor=actor)
        _tell(extension, kinds.EXTENSION_CANCELLED, actor=actor, as_of=as_of, at=at, reason=reason)
        second_words.settled(account_id=extension.account_id, outcome="cancelled", actor=actor, at=at)
    return extension


def review(*, as_of: date, at: datetime, account_ids: Collection[int] | None = None) -> int:
    """End what is over on those accounts, or all: its day has passed, or nothing is left to pay. How many ended.

    Run twice, the second finds nothing.
    """
    found = 0
    for chunk in _chunks(account_ids, as_of=as_of):
        with transaction.atomic():
            found += _review_chunk(chunk, as_of=as_of, at=at)
    return found


def _chunks(account_ids: Collection[int] | None, *, as_of: date) -> Iterator[list[int]]:
    running = Extension.objects.filter(status__in=RUNNING, made_on__lte=as_of)
    if account_ids is not None:
        running = running.filter(account__in=list(account_ids))
    keys = list(running.order_by("account_id").values_list("account_id", flat=True).distinct())
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


def _review_chunk(account_ids: list[int], *, as_of: date, at: datetime) -> int:
    list(Account.objects.select_for_update(no_key=True).filter(pk__in=account_ids).order_by("pk").values_list("pk"))
    running = Extension.objects.select_related("hold", "account").filter(
        account__in=account_ids, status__in=RUNNING, made_on__lte=as_of
    )
    books = books_of(account_ids, as_of=as_of)
    rows: list[EventRow] = []
    undecided = 0
    for extension in running.order_by("account_id", "pk"):
        paid = books[extension.account_id].open_on(extension.bill_refs) == 0
        if not paid and as_of <= extension.until:
            continue
        waited = extension.status == Extension.Status.PENDING_APPROVAL
        if waited and not paid:
            _run_out(extension, as_of=as_of, at=at)
            undecided += 1
            continue
        _end(extension, Extension.Status.ENDED, on=as_of, actor=ACTOR, as_of=as_of, at=at)
        if waited:
            second_words.settled(account_id=extension.account_id, outcome="ended", actor=ACTOR, at=at)
        payload = {"extension": extension.ref, "until": extension.until, "paid": paid}
        why = "paid" if paid else "its day has passed"
        kind = kinds.EXTENSION_ENDED
        rows.append(EventRow(extension.account_id, kind, ACTOR, at, as_of, why, payload=payload, react=True))
    events.record_many(rows)
    return len(rows) + undecided


def _days(bills: Sequence[Bill], *, until: date, as_of: date) -> int:
    """How many days more that is: from today, or from the first due date where that is still to come."""
    if until <= as_of:
        raise CannotExtend("Time to pay reaches beyond today.", code="invalid")
    if (until - as_of).days > MOST_DAYS:
        raise CannotExtend(f"Time to pay is for {MOST_DAYS} days at the very most.", code="invalid")
    first = min((bill.due_on for bill in bills), default=as_of)
    if until <= first:
        raise CannotExtend("Nothing there is due before that day.", code="invalid")
    return (until - max(as_of, first)).days


def _locked(extension_id: int, *, as_of: date, at: datetime, actor: str) -> Extension:
    account_id = Extension.objects.values_list("account_id", flat=True).get(pk=extension_id)
    covered.locked_account(account_id=account_id, as_of=as_of, at=at, actor=actor)
    return Extension.objects.select_related("hold", "account__customer").get(pk=extension_id)


def _tell(
    extension: Extension,
    kind: str,
    *,
    actor: str,
    as_of: date,
    at: datetime,
    reason: str,
    told: Mapping[str, Any] | None = None,
) -> None:
    events.record(
        account_id=extension.account_id,
        kind=kind,
        actor=actor,
        at=at,
        on=as_of,
        reason=reason,
        payload={"extension": extension.ref, "until": extension.until, **(told or {})},
        react=True,
    )


def _end(extension: Extension, status: str, *, on: date, actor: str, as_of: date, at: datetime) -> None:
    extension.status, extension.settled_on = status, on
    extension.save(update_fields=["status", "settled_on"])
    if extension.hold is not None and covered.still_holds(extension.hold, as_of=as_of):
        holds.lift(hold_id=extension.hold.pk, actor=actor, as_of=as_of, at=at, reason=f"extension {status}")
