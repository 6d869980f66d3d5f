"""Episodes: how they close, and what closing or a kept agreement undoes.

Opening happens in ``dunning.decide``. Everything here runs in the caller's transaction with the account rows locked,
and may be repeated: what is undone already is left alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import F, Q

from accounts import events, settling, status, write_offs
from accounts.models import Account, Adjustment, Bill, Fee
from accounts.models.account import AccountStatus, ServiceStatus
from accounts.money import from_mills
from accounts.refusals import Refused
from dunning import holding, kinds, policy, reading, rulebook
from dunning.models import Case, CaseStep, Notice, Placement, ServiceOrder, WriteOff

ACTOR = "desk:cases"

#: Notices and orders that have not left the house.
UNSENT = ("pending",)


class CannotWriteOff(Refused):
    """The account is not one that can be written off."""

    code = "conflict"


def payers_of(account_ids: Collection[int]) -> list[int]:
    """The accounts that are dunned for these: themselves, or the parent that a child pays through."""
    rows = Account.objects.filter(pk__in=account_ids).values_list("pk", "parent_id", "pays_itself")
    return sorted({pk if alone else parent or pk for pk, parent, alone in rows})


def dunned_with(payers: Collection[int]) -> list[int]:
    """Those accounts and the children that pay through them: whose bills and services one case is about."""
    through = Account.objects.filter(parent__in=payers, pays_itself=False).values_list("pk", flat=True)
    return sorted({*payers, *through})


def review(*, account_ids: Collection[int], as_of: date, at: datetime) -> int:
    """Close the open cases that their policy lets go, and look at the others again on ``as_of``; how many closed."""
    closing = []
    with transaction.atomic():
        keys = lock(payers_of(account_ids))
        keys = list(Case.objects.filter(account__in=keys, closed_on=None).values_list("account_id", flat=True))
        if not keys:
            return 0
        facts = reading.read(sorted(keys), as_of=as_of, in_full=False)
        rules = rulebook.rules_of({fact.case.version_id for fact in facts.values() if fact.case})
        look_again = []
        for fact in facts.values():
            if fact.case is None:
                continue
            if policy.exits(rules[fact.case.version_id], fact.currency, fact.past_due_amount):
                reason = "paid" if fact.past_due_amount == 0 else "below_exit_amount"
                closing.append(Closing(fact, rules[fact.case.version_id], reason))
            else:
                look_again.append(fact.case.pk)
        close(closing, as_of=as_of, at=at)
        Case.objects.filter(pk__in=look_again).exclude(next_on__lte=as_of).update(next_on=as_of)
    return len(closing)


class Closing(NamedTuple):
    """An open case that ends, the rules it was pinned to, and why."""

    fact: reading.AccountFacts
    rules: policy.PolicyRules
    reason: str


def close(closings: Sequence[Closing], *, as_of: date, at: datetime) -> None:
    """Close open cases and undo what can be undone: notices and orders not sent, limits, placements.

    A constant number of statements, however many cases.
    """
    by_case = {closing.fact.case.pk: closing for closing in closings if closing.fact.case is not None}
    if not by_case:
        return
    for reason in {closing.reason for closing in by_case.values()}:
        ending = [pk for pk, closing in by_case.items() if closing.reason == reason]
        Case.objects.filter(pk__in=ending).update(closed_on=as_of, close_reason=reason, next_on=None)
    withdraw_unsent(by_case, as_of=as_of, at=at)
    undone = {pk: closing for pk, closing in by_case.items() if closing.reason != "written_off"}
    _give_back(undone, as_of=as_of, at=at)
    accounts = [closing.fact.pk for closing in undone.values()]
    recall(account_ids=accounts, reason="the case is closed", as_of=as_of, at=at, actor=ACTOR)
    # What stays open ages no new case: only a bill that falls due later, or is re-opened, does.
    group = dunned_with(accounts)
    Bill.objects.filter(account__in=group, open_amount__gt=0, due_on__lt=as_of).update(left_at_exit=F("open_amount"))
    left = Account.objects.filter(pk__in=accounts, status=AccountStatus.COLLECTIONS).values_list("pk", flat=True)
    moves = [status.Move(pk, AccountStatus.COLLECTIONS, AccountStatus.OVERDUE, "the case exits") for pk in left]
    status.move_accounts(moves, actor=ACTOR, at=at, on=as_of)
    events.record_many(
        [
            events.EventRow(
                closing.fact.pk,
                kinds.CASE_CLOSED,
                closing.rules.actor,
                at,
                as_of,
                closing.reason,
                closing.rules.label,
                {"case": pk, "left": str(from_mills(closing.fact.past_due_amount))},
                react=True,
            )
            for pk, closing in by_case.items()
        ]
    )


def withdraw_unsent(by_case: Mapping[int, Closing], *, as_of: date, at: datetime) -> None:
    """Withdraw what has not left the house of cases that end, each with its event."""
    limits = ServiceOrder.objects.filter(kind=ServiceOrder.Kind.LIMIT)
    rows = []
    for unsent, kind in ((Notice.objects.all(), kinds.NOTICE_WITHDRAWN), (limits, kinds.ORDER_WITHDRAWN)):
        found: list[Any] = list(unsent.select_for_update().filter(case__in=list(by_case), state__in=UNSENT))
        why: dict[str, list[int]] = defaultdict(list)
        for row in found:
            closing = by_case[row.case_id]
            reason = f"case closed: {closing.reason}"
            rows.append(withdrawn(row, kind, reason, as_of, at, closing.rules.actor))
            why[reason].append(row.pk)
        for reason, keys in why.items():
            unsent.filter(pk__in=keys).update(state="withdrawn", reason=reason, send_at=None)
    events.record_many(rows)


def withdrawn(
    row: Notice | ServiceOrder, kind: str, reason: str, as_of: date, at: datetime, actor: str
) -> events.EventRow:
    """The event of something that was meant to leave and did not."""
    payload = {"key": row.key, "step": row.step_code}
    return events.EventRow(row.account_id, kind, actor, at, as_of, reason[:300], payload=payload)


def restore_services(*, account_id: int, reason: str, as_of: date, at: datetime) -> None:
    """Give back what an open case limited, inside the case: its limits may come again, after a fresh warning."""
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
        case = Case.objects.filter(account_id=account_id, closed_on=None).first()
        if case is None:
            return
        rules = rulebook.rules_of([case.version_id])[case.version_id]
        unsent = ServiceOrder.objects.filter(case=case, state__in=UNSENT, kind=ServiceOrder.Kind.LIMIT)
        rows = [
            withdrawn(order, kinds.ORDER_WITHDRAWN, reason, as_of, at, rules.actor)
            for order in unsent.select_for_update()
        ]
        unsent.update(state="withdrawn", reason=reason, send_at=None)
        events.record_many(rows)
        fact = reading.read([account_id], as_of=as_of)[account_id]
        _give_back({case.pk: Closing(fact, rules, reason)}, as_of=as_of, at=at)
        undone = CaseStep.objects.filter(case=case, action=policy.LIMIT, done_on__isnull=False, undone_on=None)
        if undone.update(undone_on=as_of):
            case.warnings_from = as_of
            case.save(update_fields=["warnings_from"])


def _give_back(by_case: Mapping[int, Closing], *, as_of: date, at: datetime) -> None:
    """Order the restoring of every service that these cases limited and that is, or may soon be, off."""
    # An order whose answer was lost may have been carried out, whatever became of it here.
    left = Q(state__in=("handing_over", "sent", "confirmed")) | Q(sent_at__isnull=False)
    latest = (
        ServiceOrder.objects.filter(
            left | Q(kind=ServiceOrder.Kind.RESTORE),
            service__in=ServiceOrder.objects.filter(left, case__in=list(by_case), kind=ServiceOrder.Kind.LIMIT).values(
                "service"
            ),
        )
        .exclude(service__status=ServiceStatus.DISCONNECTED)
        .select_related("service")
        .order_by("service_id", "-pk")
        .distinct("service_id")
    )
    orders = [
        ServiceOrder(
            account_id=last.account_id,
            service_id=last.service_id,
            case_id=last.case_id,
            key=f"{last.case_id}.restore.{last.pk}.{last.service_id}",
            kind=ServiceOrder.Kind.RESTORE,
            rung=ServiceStatus.ACTIVE,
            made_on=as_of,
            reason=by_case[last.case_id].reason,
            send_at=reading.due_from(as_of, at),
        )
        for last in latest
        if last.kind == ServiceOrder.Kind.LIMIT and last.case_id is not None and last.case_id in by_case
    ]
    if not orders:
        return
    ServiceOrder.objects.bulk_create(orders)
    restored: dict[int, list[ServiceOrder]] = defaultdict(list)
    for order in orders:
        restored[order.case_id or 0].append(order)
    due: list[NewFee] = []
    told: list[events.EventRow] = []
    for case_id, given in restored.items():
        fact, rules, reason = by_case[case_id]
        payload = {"orders": [order.key for order in given]}
        told.append(
            events.EventRow(
                fact.pk, kinds.SERVICES_RESTORED, rules.actor, at, as_of, reason, rules.label, payload=payload
            )
        )
        fee = from_mills(rules.reconnection_fee.of(fact.currency) or 0)
        if fee:
            due.append(NewFee(fact.pk, Fee.Kind.RECONNECTION, fee, given[0].key))
    events.record_many(told)
    if charged := charge(due, as_of=as_of):
        settling.settle(as_of=as_of, at=at, account_ids=[fee.account_id for fee in charged])


class NewFee(NamedTuple):
    """A fee to be charged, with the event that tells of it."""

    account_id: int
    kind: str
    amount: Decimal
    key: str
    event: events.EventRow | None = None


def charge(fees: Sequence[NewFee], *, as_of: date) -> list[NewFee]:
    """Write fees of the desk's own and leave their accounts to be settled; those that were written. Three statements.

    Once a key, and once an account, kind and day: who leaves and re-enters within a day comes to the same stage twice.
    """
    if not fees:
        return []
    accounts = {fee.account_id for fee in fees}
    known = set(Fee.objects.filter(ref__in=[_ref_of(fee) for fee in fees]).values_list("ref", flat=True))
    today = set(Fee.objects.filter(account__in=accounts, on=as_of).values_list("account_id", "kind"))
    new = [fee for fee in fees if _ref_of(fee) not in known and (fee.account_id, fee.kind) not in today]
    Fee.objects.bulk_create(
        [Fee(ref=_ref_of(fee), account_id=fee.account_id, kind=fee.kind, on=as_of, amount=fee.amount) for fee in new],
        batch_size=2_000,
    )
    if new:
        settling.mark_unsettled({fee.account_id for fee in new})
    return new


def _ref_of(fee: NewFee) -> str:
    return f"desk-fee-{fee.key}"[:64]


def recall(*, account_ids: Collection[int], reason: str, as_of: date, at: datetime, actor: str) -> None:
    """Take accounts back from their agencies, where they are placed."""
    _end_placements(account_ids=account_ids, reason=reason, as_of=as_of, at=at, actor=actor)
    placed = Account.objects.filter(pk__in=account_ids, status=AccountStatus.AGENCY).values_list("pk", flat=True)
    why = f"recalled from the agency: {reason}"
    moves = [status.Move(pk, AccountStatus.AGENCY, AccountStatus.COLLECTIONS, why) for pk in placed]
    status.move_accounts(moves, actor=actor, at=at, on=as_of)


def _end_placements(*, account_ids: Collection[int], reason: str, as_of: date, at: datetime, actor: str) -> None:
    placements = list(Placement.objects.select_for_update().filter(account__in=account_ids, recalled_on=None))
    Placement.objects.filter(pk__in=[placement.pk for placement in placements]).update(
        recalled_on=as_of, recall_reason=reason[:60]
    )
    events.record_many(
        [
            events.EventRow(
                placement.account_id, kinds.RECALLED, actor, at, as_of, reason, payload={"placement": placement.ref}
            )
            for placement in placements
        ]
    )


def write_off(
    *,
    account_id: int,
    actor: str,
    as_of: date,
    at: datetime,
    reason: str,
    policy_label: str = "",
    told: Mapping[str, str] | None = None,
) -> Decimal:
    """Write off what is open on the account and its own fees, balanced in the journal; how much it was.

    ``told``: what its event says beside, such as in whose place it was decided.

    What is contested, or under a promise or a plan, stays open: nobody gives up what is not judged yet.

    Raises ``CannotWriteOff`` when nothing is open, a hold stops it, or the account is not one in dunning.
    """
    with transaction.atomic():
        lock([account_id])
        settling.settle(as_of=as_of, at=at, account_ids=[account_id])
        account = Account.objects.get(pk=account_id)
        facts = reading.read([account_id], as_of=as_of, in_full=False)[account_id]
        if any(
            holding.TRANSFERS in hold.effects and holding.is_account_wide(hold) and hold.covers(as_of)
            for hold in facts.holds
        ):
            raise CannotWriteOff("A hold stops it: lift it first, or wait until it ends.")
        covered = facts.covered(as_of)
        bills = Bill.objects.filter(account=account, open_amount__gt=F("disputed_amount")).order_by("due_on", "pk")
        given_up = [bill for bill in bills if bill.ref not in covered]
        if not given_up or (account.status, AccountStatus.WRITTEN_OFF) not in status.graph(Account):
            raise CannotWriteOff("Only an overdue account with something open can be written off.")
        _end_placements(account_ids=[account_id], reason="write-off", as_of=as_of, at=at, actor=actor)
        adjustments = _give_up(account, given_up, as_of, reason[:200])
        total = -sum((row.amount for row in adjustments), Decimal(0))
        move = status.Move(account_id, account.status, AccountStatus.WRITTEN_OFF, reason)
        status.move_accounts([move], actor=actor, at=at, on=as_of, policy=policy_label)
        settling.mark_unsettled([account_id])
        settling.settle(as_of=as_of, at=at, account_ids=[account_id])
        tax = write_offs.tax_of(account_id=account_id, refs=[row.ref for row in adjustments])
        _keep_write_off(
            WriteOff(
                account=account,
                on=as_of,
                amount=total,
                tax_amount=tax,
                currency=account.currency,
                reason=reason[:200],
                actor=actor,
                product=account.product,
                days_past_due=max((as_of - given_up[0].due_on).days, 0),
            )
        )
        events.record(
            account_id=account_id,
            kind=kinds.WRITTEN_OFF,
            actor=actor,
            at=at,
            on=as_of,
            reason=reason,
            policy=policy_label,
            payload={
                "amount": str(total),
                "tax": str(tax),
                "currency": account.currency,
                "bills": [bill.ref for bill in given_up],
                **(told or {}),
            },
        )
        facts = reading.read([account_id], as_of=as_of)[account_id]
        if facts.case:
            rules = rulebook.rules_of([facts.case.version_id])[facts.case.version_id]
            close([Closing(facts, rules, "written_off")], as_of=as_of, at=at)
    return total


def _give_up(account: Account, bills: Sequence[Bill], as_of: date, reason: str) -> list[Adjustment]:
    """Credit each bill by what is open and not contested, and each fee that is not on a bill yet."""
    earlier = Adjustment.objects.filter(account=account, on=as_of, kind=Adjustment.Kind.WRITE_OFF).count()
    again = f"-{earlier}" if earlier else ""
    rows = [
        Adjustment(
            ref=f"desk-write-off-{bill.pk}-{as_of:%Y%m%d}{again}",
            account=account,
            on=as_of,
            amount=bill.disputed_amount - bill.open_amount,
            kind=Adjustment.Kind.WRITE_OFF,
            bill_ref=bill.ref,
            reason=reason,
        )
        for bill in bills
    ]
    replaced = Adjustment.objects.filter(account=account, on__lte=as_of).exclude(fee_ref="").values("fee_ref")
    waiting = Fee.objects.filter(Q(waived_on=None) | Q(waived_on__gt=as_of), account=account, on__lte=as_of)
    rows += [
        Adjustment(
            ref=f"desk-write-off-fee-{fee.pk}",
            account=account,
            on=as_of,
            amount=-fee.amount,
            kind=Adjustment.Kind.WRITE_OFF,
            fee_ref=fee.ref,
            reason=reason,
        )
        for fee in waiting.exclude(ref__in=replaced).order_by("pk")
    ]
    return Adjustment.objects.bulk_create(rows)


def _keep_write_off(row: WriteOff) -> None:
    """One row an account and day, of the open case where there is one; a second write-off of the day adds to it."""
    case = Case.objects.filter(account=row.account, closed_on=None).first()
    row.case, row.version_id = case, case.version_id if case else None
    row.segment = (case.segment if case else "") or row.account.segment
    earlier = WriteOff.objects.filter(account=row.account, on=row.on).first()
    if earlier is None:
        WriteOff.objects.bulk_create([row])
        return
    earlier.amount += row.amount
    earlier.tax_amount += row.tax_amount
    earlier.save(update_fields=["amount", "tax_amount"])


def fresh_warning(*, account_id: int, as_of: date) -> None:
    """Warnings given so far justify nothing that hurts any more: a dispute ended against the customer."""
    Case.objects.filter(account_id=account_id, closed_on=None).update(warnings_from=as_of, next_on=as_of)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where an account stands in its policy, for the account page and the account resource."""

    policy_code: str = ""
    policy_version: int | None = None
    case_opened_on: date | None = None
    stage: str | None = None
    next_step_code: str | None = None
    next_step_on: date | None = None
    last_step_on: date | None = None
    #: Days that count for steps; ``days_past_due`` of the account runs on while a clock stands.
    counted_days: int | None = None
    waiting: tuple[tuple[str, str], ...] = ()
    #: What may stay past due when the case ends, in the account's currency.
    exit_amount: Decimal = Decimal(0)


def outlook(*, account_id: int, as_of: date, facts: Mapping[int, reading.AccountFacts] | None = None) -> Outlook:
    """The policy, the stage and the next step of one account; about a dozen queries, two where ``facts`` were read."""
    return outlooks([account_id], as_of=as_of, facts=facts).get(account_id, Outlook())


def outlooks(
    account_ids: Collection[int], *, as_of: date, facts: Mapping[int, reading.AccountFacts] | None = None
) -> dict[int, Outlook]:
    """The same for many accounts with the queries of one."""
    if facts is None:
        facts = reading.read(sorted(account_ids), as_of=as_of)
    published = rulebook.published()
    pinned = rulebook.rules_of({fact.case.version_id for fact in facts.values() if fact.case})
    return {pk: _outlook(fact, published, pinned, as_of) for pk, fact in facts.items()}


def _outlook(fact: reading.AccountFacts, published: Any, pinned: Any, as_of: date) -> Outlook:
    if fact.case:
        rules = pinned[fact.case.version_id]
    elif (rules := policy.choose(published, fact.traits, fact.currency)) is None:
        return Outlook()
    case_facts = fact.case_facts(rules, as_of)
    upcoming = policy.outlook(rules, case_facts) if fact.case or case_facts.bills else None
    return Outlook(
        policy_code=rules.code,
        policy_version=rules.number,
        case_opened_on=fact.case.opened_on if fact.case else None,
        stage=(fact.case.stage or None) if fact.case else None,
        next_step_code=upcoming.code if upcoming else None,
        next_step_on=upcoming.on if upcoming else None,
        last_step_on=fact.case.last_step_on if fact.case else None,
        counted_days=case_facts.age,
        waiting=tuple((code, done.result) for code, done in fact.done.items() if done.waiting_since),
        exit_amount=from_mills(rules.exit_max_amount.of(fact.currency) or 0),
    )


def lock(account_ids: Collection[int]) -> list[int]:
    """Lock accounts in order of their keys, inside the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM accounts_account WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [sorted(account_ids)]
        )
        return [pk for (pk,) in cursor.fetchall()]
