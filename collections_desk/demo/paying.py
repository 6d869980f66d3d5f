"""How each kind of payer pays. Given an account with its bills, these write its payments up to the book's last day.

Who pays how is spread evenly over the account numbers (a golden-ratio sequence, not dice), so that a book of 500
accounts has the same mixture as one of 100,000.
"""

from __future__ import annotations

from operator import attrgetter
from random import Random

from collections_desk.demo.catalogue import five
from collections_desk.demo.facts import Account, Bill, Dispute, Hold, Placement, Plan, position
from collections_desk.demo.people import pick

# running share -> payer
_RESIDENTIAL: tuple[tuple[float, str], ...] = (
    (0.130, "early"),
    (0.265, "on_time"),
    (0.425, "direct_debit"),
    (0.450, "bouncing"),
    (0.685, "late"),
    (0.922, "forgetful"),
    (0.977, "difficulty"),
    (0.987, "disputing"),
    (1.000, "gone"),
)
_BUSINESS: tuple[tuple[float, str], ...] = (
    (0.070, "early"),
    (0.270, "on_time"),
    (0.470, "direct_debit"),
    (0.490, "bouncing"),
    (0.740, "late"),
    (0.870, "forgetful"),
    (0.905, "seasonal"),
    (0.940, "difficulty"),
    (0.984, "disputing"),
    (1.000, "gone"),
)
TROUBLED = frozenset({"bouncing", "seasonal", "difficulty", "disputing", "gone"})

_DISPUTE_NOTES = (
    "Roaming charged for days the customer was at home",
    "Says premium SMS were never ordered",
    "Line was down nine days, wants that time credited",
    "Price on the bill differs from the offer in the contract",
    "Charged for a router that was returned",
    "Old tariff billed after the change of plan",
    "Second line was cancelled in the shop, still billed",
    "International calls not made by anyone in the household",
    "Discount code of the shop missing on the bill",
    "Technician visit charged although the fault was ours",
)


def payer_of(*, number: int, seed: int, business: bool) -> str:
    """The kind of payer behind account `number`."""
    draw = ((number + seed * 31) * 0.6180339887498949) % 1.0
    return next(payer for upto, payer in (_BUSINESS if business else _RESIDENTIAL) if draw < upto)


def pays(account: Account, *, payer: str, rng: Random, last_day: int) -> None:
    """Write the payments of `account`, and what comes with them, up to `last_day`."""
    if payer == "difficulty":
        _falls_behind(account, rng=rng, last_day=last_day)
    elif payer == "gone":
        _goes_away(account, rng=rng, last_day=last_day)
    elif payer == "disputing":
        _disputes(account, rng=rng, last_day=last_day)
    elif payer == "seasonal":
        _pays_by_season(account, rng=rng, last_day=last_day)
    else:
        _pays_each_bill(account, payer=payer, rng=rng, last_day=last_day)
    account.payments.sort(key=attrgetter("day"))


def _pays_each_bill(account: Account, *, payer: str, rng: Random, last_day: int) -> None:
    habit = 3 + int(rng.random() ** 1.2 * 19)
    roll = rng.random
    for bill in account.bills:
        if bill.cancelled:
            continue
        if payer == "on_time":
            day = bill.due - int(roll() * 4)
        elif payer == "direct_debit" or payer == "bouncing":
            _collect(account, bill, bounces=0.03 if payer == "direct_debit" else 0.3, rng=rng, last_day=last_day)
            continue
        elif payer == "early":
            day = bill.due - 3 - int(roll() * 12)
        elif payer == "late":
            day = bill.due + max(1, habit - 2 + int(roll() * 5))
        else:
            day = bill.due + _forgets(roll())
        floor = max(bill.issued, bill.credited) + 1
        day = max(day, floor)
        if day <= last_day:
            account.pay(day=day, amount=bill.amount - bill.credit, bill=bill)


def _forgets(draw: float) -> int:
    """Days after the due date: often none, else just after the first, second or last reminder or the barring."""
    if draw < 0.30:
        return -int(draw * 10)
    if draw < 0.59:
        return 4 + int((draw - 0.30) / 0.29 * 6)
    if draw < 0.83:
        return 11 + int((draw - 0.59) / 0.24 * 6)
    if draw < 0.955:
        return 18 + int((draw - 0.83) / 0.125 * 6)
    return 24 + int((draw - 0.955) / 0.045 * 9)


def _collect(account: Account, bill: Bill, *, bounces: float, rng: Random, last_day: int) -> None:
    """Direct debit on the due date; when it bounces, a second collection or a card payment some days later."""
    owed = bill.amount - bill.credit
    day = max(bill.due, bill.issued + 1)
    for attempt in range(3):
        if day > last_day:
            return
        payment = account.pay(day=day, amount=owed, bill=bill, method="direct_debit" if attempt < 2 else "card")
        if attempt == 2 or rng.random() >= bounces:
            return
        returned = day + 2 + int(rng.random() * 4)
        if returned > last_day:
            return
        account.bounce(payment, day=returned)
        day = returned + 5 + int(rng.random() * 9)


def _round_down(amount: int, account: Account) -> int:
    """What a person would pay: whole fives, or whole hundreds of rupees."""
    unit = five(account.customer.country.code)
    return max(unit, amount // unit * unit)


def _arrears_start(account: Account, *, months: int, last_day: int) -> int:
    """Index of the first bill that is not simply paid: `months` due bills before the last day, at least one paid."""
    due = [index for index, bill in enumerate(account.bills) if bill.due < last_day]
    return max(1, len(due) - months)


def _settle(account: Account, bills: list[Bill], *, rng: Random, last_day: int) -> None:
    for bill in bills:
        if bill.cancelled:
            continue
        day = max(bill.issued, bill.credited, bill.due - int(rng.random() * 5)) + (1 if bill.credited else 0)
        if day <= last_day:
            account.pay(day=day, amount=bill.amount - bill.credit, bill=bill)


def _falls_behind(account: Account, *, rng: Random, last_day: int) -> None:
    """On time until some months ago; since then part-payments that do not keep up, now and then a catching-up."""
    start = _arrears_start(account, months=1 + int(rng.random() ** 1.5 * 6), last_day=last_day)
    _settle(account, account.bills[:start], rng=rng, last_day=last_day)
    share = 0.45 + rng.random() * 0.5
    makes_plan = rng.random() < 0.42
    plan_day = last_day - 4 - int(rng.random() * 75) if makes_plan else last_day + 1
    for index, bill in enumerate(account.bills[start:], start):
        day = bill.due + 3 + int(rng.random() * 24)
        if bill.due >= plan_day:
            _settle(account, [bill], rng=rng, last_day=last_day)
            continue
        if day >= min(plan_day, last_day + 1) or bill.cancelled:
            continue
        draw = rng.random()
        if draw < 0.26:
            continue
        if draw < 0.42 and index > start:
            owed = position(account, day).past_due
            if owed:
                account.pay(day=day, amount=owed)
        else:
            account.pay(day=day, amount=min(_round_down(int(bill.amount * share), account), bill.amount))
    if makes_plan:
        _agrees_a_plan(account, made=plan_day, rng=rng, last_day=last_day)
    _hardship(account, rng=rng, last_day=last_day)


def _agrees_a_plan(account: Account, *, made: int, rng: Random, last_day: int) -> None:
    """Instalments over what is past due on the day, if that is 25 days or more; four plans in five are being kept."""
    standing = position(account, made)
    smallest = 12 * five(account.customer.country.code)
    if standing.days < 25 or standing.past_due < smallest:
        return
    count = 3 + int(rng.random() * 4)
    every = 30 if rng.random() < 0.7 else 14
    each = standing.past_due // count
    each -= each % 100
    first = made + 5 + int(rng.random() * 9)
    instalments = [(first + every * step, each) for step in range(count - 1)]
    instalments.append((first + every * (count - 1), standing.past_due - each * (count - 1)))
    kept = count if rng.random() < 0.8 else int(rng.random() * 2)
    for due, amount in instalments[:kept]:
        day = due - int(rng.random() * 3)
        if made < day <= last_day:
            account.pay(day=day, amount=amount)
    stops = instalments[-1][0] + 6 if kept == count else instalments[kept][0] + 36
    account.plans.append(Plan(made, instalments, list(standing.bills), stops))


def _hardship(account: Account, *, rng: Random, last_day: int) -> None:
    """One account in six that fell behind has told us why and is left in peace for a while."""
    draw = rng.random()
    if draw >= 0.17 or account.plans:
        return
    starts = last_day - 2 - int(rng.random() * 50)
    if position(account, starts).days < 12:
        return
    if draw < 0.11:
        reason, length = "hardship", 30 + 15 * int(rng.random() * 3)
        note = pick(
            rng,
            (
                "Lost job in spring, benefits pending",
                "Short-time work, reviewed at the end of the hold",
                "Separated, one income left",
                "Waiting for sick pay",
                "Illness in the family, asked for time",
            ),
        )
    elif draw < 0.14:
        reason, length = "breathing_space", 60
        note = "Debt adviser has written in, moratorium registered"
    elif draw < 0.155:
        reason, length = "bankruptcy", 0
        note = "Insolvency opened, claim filed with the court"
    elif draw < 0.165:
        reason, length = "legal", 0
        note = "Represented by a lawyer, write to the firm only"
    else:
        reason, length = "fraud", 0
        note = "Contract may have been signed with stolen papers, police report on file"
    account.holds.append(Hold(reason, starts, starts + length if length else 0, note))


def _goes_away(account: Account, *, rng: Random, last_day: int) -> None:
    """Paid on time, then not at all. Billing stops a hundred days later; some have been with an agency and back."""
    silent = last_day - 25 - int(rng.random() ** 1.7 * 290)
    paid = [bill for bill in account.bills if bill.due < silent]
    _settle(account, paid, rng=rng, last_day=last_day)
    unpaid = [bill for bill in account.bills if bill.due >= silent]
    if not unpaid:
        return
    since = unpaid[0].due
    account.bills = [bill for bill in account.bills if bill.issued < since + 100]
    if since < last_day - 140:
        for service in account.services:
            service.status = "suspended"
    if rng.random() < 0.07:
        account.holds.append(
            Hold(
                "deceased",
                min(last_day - 1, since + 20 + int(rng.random() * 40)),
                0,
                "Daughter called, certificate received",
            )
        )
    elif since < last_day - 215 and rng.random() < 0.6:
        placed = since + 95 + int(rng.random() * 10)
        recalled = min(placed + 45 + int(rng.random() * 30), last_day - 80)
        account.placements.append(Placement("northside", position(account, placed).past_due, placed, recalled))


def _disputes(account: Account, *, rng: Random, last_day: int) -> None:
    """Pays on time but for one bill, of which a part is contested; most contests end, in one way or the other."""
    issued = [bill for bill in account.bills if bill.issued < last_day - 4 and not bill.cancelled]
    if not issued:
        _settle(account, account.bills, rng=rng, last_day=last_day)
        return
    contested = issued[-1 - min(len(issued) - 1, int(rng.random() ** 1.6 * 6))]
    _settle(account, [bill for bill in account.bills if bill is not contested], rng=rng, last_day=last_day)
    owed = contested.amount - contested.credit
    amount = max(100, int(owed * (0.2 + rng.random() * 0.5)) // 10 * 10)
    opened = max(contested.issued + 2, contested.credited + 1, contested.due - 6 + int(rng.random() * 16))
    if opened >= last_day:
        return
    rest_paid = max(contested.issued + 1, contested.credited + 1, contested.due - int(rng.random() * 4))
    if rest_paid <= last_day:
        account.pay(day=rest_paid, amount=owed - amount, bill=contested)
    dispute = Dispute(contested, amount, opened, note=pick(rng, _DISPUTE_NOTES))
    account.disputes.append(dispute)
    resolved = opened + 9 + int(rng.random() * 40)
    if resolved > last_day:
        return
    dispute.resolved = resolved
    draw = rng.random()
    dispute.outcome = "upheld" if draw < 0.45 else "rejected" if draw < 0.85 else "withdrawn"
    after = resolved + (4 + int(rng.random() * 22) if dispute.outcome == "rejected" else 1 + int(rng.random() * 5))
    if dispute.outcome != "upheld" and after <= last_day:
        account.pay(day=after, amount=amount, bill=contested)


def _pays_by_season(account: Account, *, rng: Random, last_day: int) -> None:
    """A business with three quiet months a year, whose bills wait until it earns again."""
    quiet = int(rng.random() * 12)
    for bill in account.bills:
        if bill.cancelled:
            continue
        month = int(bill.due / 30.4368) % 12
        late = 18 + int(rng.random() * 55) if (month - quiet) % 12 < 3 else int(rng.random() * 6) - 3
        day = max(bill.due + late, bill.issued + 1, bill.credited + 1)
        if day <= last_day:
            account.pay(day=day, amount=bill.amount - bill.credit, bill=bill)
