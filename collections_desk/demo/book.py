"""Writes the demo book: a folder of CSV files in the form that `import_book` reads.

The same (accounts, as_of, seed) gives the same files, byte for byte. An account is drawn from its own number,
written and forgotten, so memory does not grow with the book.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from random import Random
from typing import TextIO

from collections_desk.demo.catalogue import five, product_of, services_for
from collections_desk.demo.collecting import works_the_account
from collections_desk.demo.facts import Account, Bill, Hold, position
from collections_desk.demo.paying import TROUBLED, payer_of, pays
from collections_desk.demo.people import Customer, market, new_customer, notes_a_need, reach
from collections_desk.demo.showcase import FIRST_NUMBER, showcase

MONTHS = 18

COLUMNS: dict[str, str] = {
    "customers": (
        "customer_id,name,kind,language,timezone,country,region,city,postal_code,address,email,phone,birth_date"
    ),
    "accounts": (
        "account_id,customer_id,currency,opened_on,closed_on,product,payment_method,segment,parent_account_id,pays_itself"
    ),
    "services": "service_id,account_id,kind,number,status,protected,monthly_fee",
    "bills": "bill_id,account_id,issued_on,due_on,amount,tax_amount,status,essential_amount,cancelled_on",
    "payments": "payment_id,account_id,received_on,amount,method,bill_id,reverses_payment_id",
    "adjustments": "adjustment_id,account_id,on,amount,bill_id,reason,dispute_id",
    "contacts": "contact_id,customer_id,kind,value,preferred,valid_from,valid_to",
    "consents": "customer_id,channel,purpose,given,at,source,evidence",
    "holds": "hold_id,account_id,reason,starts_on,ends_on,note",
    "disputes": "dispute_id,account_id,amount,opened_on,bill_id,resolved_on,outcome,note",
    "promises": "promise_id,account_id,amount,due_on,made_on",
    "plans": "plan_id,account_id,made_on,instalments,bill_ids",
    "interactions": "interaction_id,account_id,at,kind,direction,disposition,number,duration_seconds,note",
    "vulnerabilities": "customer_id,category,severity,noted_on,review_on,note",
    "placements": "placement_id,account_id,agency,amount,placed_on,recalled_on",
}

_METHODS = {
    "US": ("card", "ach", "bank_transfer", "check"),
    "ES": ("card", "bank_transfer", "cash"),
    "DE": ("bank_transfer", "bank_transfer", "paypal"),
    "IN": ("upi", "upi", "card", "cash"),
    "GB": ("card", "bank_transfer"),
    "FR": ("card", "bank_transfer", "check"),
    "AE": ("card", "bank_transfer", "cash"),
}
_TOGETHER = 200  # accounts between two writes to the files


def write_book(
    directory: Path,
    *,
    accounts: int = 5000,
    as_of: date,
    seed: int = 7,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a book of exactly `accounts` accounts, with eighteen months of bills up to `as_of`, into `directory`.

    The folder is made if it is missing; files of the book in it are replaced. The first accounts are hand-made
    (`collections_desk.demo.showcase`). `progress`, if given, is called with (accounts written, accounts in all).
    """
    directory.mkdir(parents=True, exist_ok=True)
    last_day = as_of.toordinal()
    with ExitStack() as stack:
        folder = _Folder(
            {
                name: stack.enter_context((directory / f"{name}.csv").open("w", encoding="utf-8", newline=""))
                for name in COLUMNS
            }
        )
        written = 0
        for customer, held in _book(accounts=accounts, last_day=last_day, seed=seed):
            folder.add_customer(customer)
            for account in held:
                folder.add_account(account)
                written += 1
                if written % _TOGETHER == 0:
                    folder.flush()
                    if progress is not None:
                        progress(written, accounts)
        folder.flush()
        if progress is not None and written % _TOGETHER:
            progress(written, accounts)


def _book(*, accounts: int, last_day: int, seed: int) -> Iterator[tuple[Customer, list[Account]]]:
    """Customers with their accounts, until there are `accounts` of them."""
    months = _months(last_day)
    end = FIRST_NUMBER + accounts
    number = FIRST_NUMBER
    for customer, held in showcase(last_day=last_day):
        held = held[: end - number]
        if not held:
            return
        yield customer, held
        number += len(held)
    while number < end:
        customer, held = _household(number=number, room=end - number, months=months, last_day=last_day, seed=seed)
        yield customer, held
        number += len(held)


def _months(last_day: int) -> list[tuple[str, int]]:
    """The months bills may be issued in, as (2026-05, ordinal of its first day), oldest first."""
    year, month = date.fromordinal(last_day).year, date.fromordinal(last_day).month
    months = []
    for back in range(MONTHS, -1, -1):
        years, index = divmod(year * 12 + month - 1 - back, 12)
        months.append((f"{years}-{index + 1:02d}", date(years, index + 1, 1).toordinal()))
    return months


def _household(
    *, number: int, room: int, months: list[tuple[str, int]], last_day: int, seed: int
) -> tuple[Customer, list[Account]]:
    """The customer whose first account is `number`, with at most `room` accounts."""
    rng = Random(f"{seed}:{number}")
    business = rng.random() < 0.12
    vulnerable = not business and rng.random() < 0.023
    year = date.fromordinal(last_day).year
    customer = new_customer(
        rng=rng,
        customer_id=f"C{number}",
        country=market(rng.random()),
        business=business,
        birth_years=(year - 90, year - 55) if vulnerable else (year - 82, year - 18),
    )
    opened = last_day - 15 - int(rng.random() ** 1.4 * 3600)
    reach(customer, rng=rng, opened=opened, last_day=last_day)
    if vulnerable:
        notes_a_need(customer, rng=rng, last_day=last_day)
    payer = payer_of(number=number, seed=seed, business=business)
    if vulnerable and payer not in TROUBLED and rng.random() < 0.2:
        payer = "difficulty"
    many, spread = rng.random(), rng.random()
    count = 1
    if business and many < 0.09:
        count = 3 + int(spread * 4)
    elif not business and many < 0.02:
        count = 2
    held: list[Account] = []
    for index in range(min(count, room)):
        account = _account(number=number + index, customer=customer, opened=opened, payer=payer, rng=rng)
        if business and index:
            account.parent, account.pays_itself = held[0], rng.random() < 0.25
        _bills(account, months=months, rng=rng, last_day=last_day)
        if not business and payer in ("on_time", "early", "direct_debit") and rng.random() < 0.025:
            _leaves(account, last_day=last_day, rng=rng)
        pays(account, payer=payer, rng=rng, last_day=last_day)
        if payer in TROUBLED:
            if vulnerable:
                _asks_for_review(account, last_day=last_day)
            works_the_account(account, rng=rng, last_day=last_day)
        held.append(account)
    _segments(held, last_day=last_day)
    return customer, held


def _account(*, number: int, customer: Customer, opened: int, payer: str, rng: Random) -> Account:
    business = customer.kind == "business"
    services = services_for(rng=rng, customer=customer, business=business)
    for need in customer.vulnerabilities:
        for service in services:
            if need.category == "reliance" and service.kind in ("fixed", "broadband"):
                service.protected = True
    methods = _METHODS[customer.country.code]
    method = "direct_debit" if payer in ("direct_debit", "bouncing") else methods[int(rng.random() * len(methods))]
    product = product_of(services)
    return Account(number, customer, services, opened, method, product=f"business_{product}" if business else product)


def _bills(account: Account, *, months: list[tuple[str, int]], rng: Random, last_day: int) -> None:
    """Eighteen monthly bills, or as many as the account is old: fees, usage, sometimes a dear month."""
    number, roll = account.number, rng.random
    on_day = 1 + int(roll() * 28)
    terms = 30 if account.customer.kind == "business" else account.customer.country.due_days
    fees = sum(service.fee for service in account.services)
    appetite = fees * (0.05 + 0.25 * roll())
    drift = 1.0 if roll() < 0.7 else 1.06  # a price rise half-way
    half = months[len(months) // 2][1]
    for label, first in months:
        issued = first + on_day - 1
        if issued > last_day or issued < account.opened + 10 or issued <= last_day - 549:
            continue
        draw = roll()
        usage = appetite * draw * draw + (appetite * 5 * roll() if draw > 0.985 else 0)
        amount = int((fees * drift if first > half else fees) + usage)
        account.bills.append(Bill(f"B{number}-{label}", issued, issued + terms, amount))
    if account.bills and roll() < 0.02:
        bill = account.bills[int(roll() * len(account.bills))]
        credited = bill.issued + 2 + int(roll() * 6)
        if credited < min(bill.due, last_day):
            bill.credit, bill.credited = int(bill.amount * (0.05 + roll() * 0.12)), credited
    elif len(account.bills) > 4 and roll() < 0.004:
        index = int(roll() * (len(account.bills) - 3))
        wrong = account.bills[index]
        wrong.cancelled = wrong.issued + 5
        right = Bill(f"{wrong.bill_id}R", wrong.issued + 5, wrong.due + 5, wrong.amount * 85 // 100)
        account.bills.insert(index + 1, right)


def _leaves(account: Account, *, last_day: int, rng: Random) -> None:
    """The customer left some months ago and paid the last bill."""
    left = last_day - 110 - int(rng.random() * 250)
    kept = [bill for bill in account.bills if bill.issued <= left]
    if not kept:
        return
    account.bills, account.closed = kept, left + 30
    for service in account.services:
        service.status, service.protected = "disconnected", False


def _asks_for_review(account: Account, *, last_day: int) -> None:
    """A vulnerable customer who fell behind: a person looks at it before anything else happens."""
    starts = last_day - 12 - account.number % 20
    if not account.holds and not account.plans and position(account, starts).days >= 15:
        account.holds.append(
            Hold("vulnerability_review", starts, starts + 60, "Need noted on the account, review before any step")
        )


def _segments(held: list[Account], *, last_day: int) -> None:
    for account in held:
        fees = sum(service.fee for service in account.services) * 500 // five(account.customer.country.code)
        if account.customer.vulnerabilities:
            account.segment = "gentle"
        elif account.opened > last_day - 180:
            account.segment = "new"
        elif fees > (26000 if account.customer.kind == "business" else 17000):
            account.segment = "high_value"


class _Days(dict[int, str]):
    """Ordinal to ISO date, each worked out once; 0 is no date."""

    def __missing__(self, day: int) -> str:
        text = self[day] = date.fromordinal(day).isoformat() if day else ""
        return text


def _cell(text: str) -> str:
    """`text` as one CSV field."""
    if "," in text or '"' in text or "\n" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _money(minor: int) -> str:
    """Every currency of the demo book has two decimals."""
    return f"{minor // 100}.{minor % 100:02d}"


class _Folder:
    """The open files of a book and the lines that wait to be written to them."""

    def __init__(self, files: dict[str, TextIO]) -> None:
        self._files = files
        self._waiting: dict[str, list[str]] = {name: [] for name in files}
        self._day = _Days()
        for name, file in files.items():
            file.write(COLUMNS[name] + "\n")

    def flush(self) -> None:
        for name, lines in self._waiting.items():
            self._files[name].write("".join(lines))
            lines.clear()

    def add_customer(self, customer: Customer) -> None:
        day, place = self._day, customer.city
        ref = customer.customer_id
        self._waiting["customers"].append(
            f"{ref},{_cell(customer.name)},{customer.kind},{customer.language},{place.timezone},{customer.country.code},"
            f"{place.region},{place.name},{customer.postal_code},{_cell(customer.address)},{customer.email},{customer.phone},"
            f"{customer.birth_date}\n"
        )
        self._waiting["contacts"].extend(
            f"K{ref[1:]}-{index},{ref},{point.kind},{_cell(point.value)},{'true' if point.preferred else 'false'},"
            f"{day[point.valid_from]},{day[point.valid_to]}\n"
            for index, point in enumerate(customer.contact_points, 1)
        )
        self._waiting["consents"].extend(
            f"{ref},{consent.channel},{consent.purpose},{'true' if consent.given else 'false'},"
            f"{day[consent.day]}T10:00:00Z,{consent.source},{_cell(consent.evidence)}\n"
            for consent in customer.consents
        )
        self._waiting["vulnerabilities"].extend(
            f"{ref},{need.category},{need.severity},{day[need.noted]},{day[need.review]},{_cell(need.note)}\n"
            for need in customer.vulnerabilities
        )

    def add_account(self, account: Account) -> None:
        self._add_contract(account)
        self._add_money(account)
        self._add_agreements(account)

    def _add_contract(self, account: Account) -> None:
        day, ref, number = self._day, account.account_id, account.number
        parent = account.parent.account_id if account.parent else ""
        itself = ("true" if account.pays_itself else "false") if parent else ""
        self._waiting["accounts"].append(
            f"{ref},{account.customer.customer_id},{account.customer.country.currency},{day[account.opened]},"
            f"{day[account.closed]},{account.product},{account.payment_method},{account.segment},{parent},{itself}\n"
        )
        self._waiting["services"].extend(
            f"S{number}-{index},{ref},{service.kind},{service.number},{service.status},"
            f"{'true' if service.protected else 'false'},{_money(service.fee)}\n"
            for index, service in enumerate(account.services, 1)
        )

    def _add_money(self, account: Account) -> None:
        day, ref, number = self._day, account.account_id, account.number
        rate = account.customer.country.tax_rate
        share = rate / (1 + rate)
        basic = sum(service.fee for service in account.services if service.kind == "fixed")
        essential = _money(basic) if basic and len(account.services) > 1 else ""
        bills, payments = self._waiting["bills"], self._waiting["payments"]
        for bill in account.bills:
            amount, tax = bill.amount, int(bill.amount * share + 0.5)
            status = "cancelled" if bill.cancelled else "issued"
            bills.append(
                f"{bill.bill_id},{ref},{day[bill.issued]},{day[bill.due]},{amount // 100}.{amount % 100:02d},"
                f"{tax // 100}.{tax % 100:02d},{status},{essential},{day[bill.cancelled]}\n"
            )
            if bill.credit:
                self._waiting["adjustments"].append(
                    f"J{bill.bill_id[1:]},{ref},{day[bill.credited]},-{_money(bill.credit)},{bill.bill_id},goodwill,\n"
                )
        for index, payment in enumerate(account.payments, 1):
            payment.payment_id = f"P{number}-{index:03d}"
            amount = payment.amount
            bill_id = payment.bill.bill_id if payment.bill else ""
            undoes = payment.reverses.payment_id if payment.reverses else ""
            payments.append(
                f"{payment.payment_id},{ref},{day[payment.day]},{amount // 100}.{amount % 100:02d},{payment.method},"
                f"{bill_id},{undoes}\n"
            )

    def _add_agreements(self, account: Account) -> None:
        day, ref, number = self._day, account.account_id, account.number
        for index, dispute in enumerate(account.disputes, 1):
            self._waiting["disputes"].append(
                f"D{number}-{index},{ref},{_money(dispute.amount)},{day[dispute.opened]},{dispute.bill.bill_id},"
                f"{day[dispute.resolved]},{dispute.outcome},{_cell(dispute.note)}\n"
            )
            if dispute.outcome == "upheld":
                self._waiting["adjustments"].append(
                    f"J{number}-D{index},{ref},{day[dispute.resolved]},-{_money(dispute.amount)},{dispute.bill.bill_id},"
                    f"dispute upheld,D{number}-{index}\n"
                )
        self._waiting["holds"].extend(
            f"H{number}-{index},{ref},{hold.reason},{day[hold.starts]},{day[hold.ends]},{_cell(hold.note)}\n"
            for index, hold in enumerate(account.holds, 1)
        )
        self._waiting["promises"].extend(
            f"R{number}-{index},{ref},{_money(promise.amount)},{day[promise.due]},{day[promise.made]}\n"
            for index, promise in enumerate(account.promises, 1)
        )
        self._waiting["plans"].extend(
            f"N{number}-{index},{ref},{day[plan.made]},"
            f"{';'.join(f'{day[due]}:{_money(amount)}' for due, amount in plan.instalments)},"
            f"{';'.join(bill.bill_id for bill in plan.bills)}\n"
            for index, plan in enumerate(account.plans, 1)
        )
        self._waiting["interactions"].extend(
            f"I{number}-{index},{ref},{call.moment},call,{call.direction},{call.disposition},{call.number},{call.seconds},"
            f"{_cell(call.note)}\n"
            for index, call in enumerate(account.calls, 1)
        )
        self._waiting["placements"].extend(
            f"G{number}-{index},{ref},{placement.agency},{_money(placement.amount)},{day[placement.placed]},"
            f"{day[placement.recalled]}\n"
            for index, placement in enumerate(account.placements, 1)
        )
