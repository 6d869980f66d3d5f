"""The bills that a promise or a plan covers, and what was paid towards them since it was made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from django.db.models import F, Q

from accounts import settling
from accounts.models import Account, Bill, Hold
from accounts.money import plain, quantize, total
from accounts.position import AccountBooks, books_of
from accounts.refusals import Refused


def locked_account(*, account_id: int, as_of: date, at: datetime, actor: str) -> Account:
    """The account, locked until the transaction ends, with amounts that show every fact."""
    Account.objects.select_for_update(no_key=True).only("pk").get(pk=account_id)
    settling.settle(as_of=as_of, at=at, actor=actor, account_ids=[account_id])
    return Account.objects.get(pk=account_id)


def bills_of(account: Account, bill_refs: Sequence[str] | None, *, refusal: type[Refused]) -> list[Bill]:
    """The bills named, else every bill with something open and undisputed; oldest due first.

    Raises ``refusal`` where a bill is not of this account or has nothing open, or nothing is open at all.
    """
    payable = Bill.objects.filter(account=account, open_amount__gt=F("disputed_amount")).order_by("due_on", "ref")
    if not bill_refs:
        bills = list(payable)
        if not bills:
            raise refusal("Nothing is open on this account.")
        return bills
    wanted = set(bill_refs)
    bills = list(payable.filter(ref__in=wanted))
    for ref in sorted(wanted - {bill.ref for bill in bills}):
        if Bill.objects.filter(account=account, ref=ref).exists():
            raise refusal(f"Nothing undisputed is open on bill {ref}.")
        raise refusal(f"Bill {ref} is not of this account.", code="invalid")
    return bills


def undisputed(bills: Iterable[Bill]) -> Decimal:
    """What is open on those bills and not contested."""
    return total([bill.open_amount - bill.disputed_amount for bill in bills])


def checked_amount(amount: Decimal, account: Account, *, refusal: type[Refused]) -> Decimal:
    """The amount, if it is one of the account's currency and more than nothing; raises ``refusal``."""
    if amount <= 0:
        raise refusal("The amount must be more than nothing.", code="invalid")
    if amount != quantize(amount, account.currency):
        raise refusal(f"{amount} has more decimals than {account.currency}.", code="invalid")
    return amount


def said(amount: Decimal, account: Account) -> str:
    """An amount in words for a person: currency and decimals."""
    return f"{account.currency} {plain(amount, account.currency)}"


def overlapping(bills: Sequence[Bill]) -> Q:
    """Condition on promises and plans: they cover one of these bills, or have not said yet which they cover."""
    return Q(bill_refs__overlap=[bill.ref for bill in bills]) | Q(bill_refs=[])


def paid_on_the_day(account: Account, bills: Sequence[Bill], *, as_of: date) -> Decimal:
    """What went to those bills on ``as_of`` so far: paid before the customer undertook anything."""
    books = books_of([account.pk], as_of=as_of)[account.pk]
    return max(
        Decimal(0),
        total([amount for _on, amount in books.paid_towards(bill_refs=[bill.ref for bill in bills], since=as_of)]),
    )


def payments_since(
    books: AccountBooks, *, bill_refs: Sequence[str], made_on: date, paid_before: Decimal
) -> list[tuple[date, Decimal]]:
    """Payments towards the bills since the undertaking, by day, net of what came earlier on its own day."""
    payments: list[tuple[date, Decimal]] = []
    earlier = paid_before
    for on, amount in sorted(books.paid_towards(bill_refs=bill_refs, since=made_on)):
        part = min(earlier, amount) if amount > 0 else Decimal(0)
        earlier -= part
        if amount != part:
            payments.append((on, amount - part))
    return payments


def open_at(books: AccountBooks) -> list[str]:
    """The bills with something open and undisputed in those books, oldest due first."""
    due = {row.fact.ref: row.fact.due_on for row in books.bills}
    contested = books.books.disputed
    payable = [ref for ref, amount in books.books.open.items() if amount > contested.get(ref, 0)]
    return sorted(payable, key=lambda ref: (due[ref], ref))


def still_holds(hold: Hold | None, *, as_of: date) -> bool:
    """Whether there is a hold left to lift on that day."""
    return hold is not None and hold.lifted_on is None and (hold.ends_on is None or hold.ends_on >= as_of)
