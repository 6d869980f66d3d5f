"""What collectors did so far about the accounts that fell behind: calls, promises, and holds that follow from calls.

A call goes out only where it could have: something past due for 25 days or more, a number to dial, no promise, plan or
hold in the way, a weekday between nine and half past six at the customer's, eight days or more after a conversation.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

from collections_desk.demo.facts import Account, Call, Hold, Payment, Promise, position
from collections_desk.demo.people import pick

AGED = 25  # days past due from which a person calls
LOOKS_BACK = 200
PROMISE_GRACE = 3

_NOTES: dict[str, tuple[str, ...]] = {
    "no_answer": (
        "No answer",
        "Rang out",
        "No answer, try after 5 pm",
        "Rings, nobody picks up",
        "NA x2",
        "No reply, will try the evening",
        "No answer. Worked the old number too, same",
        "Rang out, no machine",
    ),
    "busy": ("Busy", "Engaged, retry later", "Line busy twice", "Busy tone, back in queue"),
    "voicemail": (
        "VM, left name and number only",
        "Voicemail, asked to call back, no details",
        "Mailbox, left callback number",
        "Voicemail full, no message",
        "Left short message, no mention of the bill",
        "VM again, second one this month",
    ),
    "wrong_number": (
        "Wrong number, person has had it since last year",
        "Not our customer, number reassigned",
        "Bakery, not the customer. Number marked bad",
    ),
    "third_party": (
        "Spoke to flatmate, nothing disclosed, asked for callback",
        "Wife answered, customer at work until 6",
        "Son picked up, will pass on the message",
        "Receptionist, accounts person in on Thursdays",
        "Mother answered, gave no details, left number",
    ),
    "rpc_refused": (
        "Refuses to pay until speed is fixed. Explained the fault process, not interested",
        "Says it is too expensive and hung up",
        "Will not discuss by phone, wants everything in writing",
        "Angry about the barring, would not commit to a date",
        "Claims cancelled in the shop, no record. Refused",
        "Hung up after verification",
    ),
    "rpc_callback": (
        "In a meeting, call back tomorrow morning",
        "Driving, asked for a call after 17:00",
        "Needs to check with partner, callback agreed",
        "Wants the bill in front of him first, resend and call again",
        "At the doctor, call back Thursday",
    ),
    "rpc_already_paid": (
        "Says paid by transfer this morning, reference noted",
        "Paid at the shop yesterday, has the receipt",
        "Transfer is on its way, bank says two days",
        "Paid in the app last night per customer",
    ),
    "rpc_hardship": (
        "Lost job, benefits not through yet. Gave debt advice number, hold placed",
        "Reduced hours since last month, cannot pay now. Hold agreed",
        "Illness, very upset. Took it slowly, hold placed and help line given",
    ),
    "rpc_dispute": (
        "Contests part of the bill, dispute opened, will pay the rest",
        "Explained dispute process, amount set aside",
        "Sent screenshots, dispute logged",
    ),
}
_PROMISED = (
    "Will pay {amount} on {day}, salary day",
    "PTP {amount} by {day}. Card expired, doing a transfer",
    "Promised {amount} for {day}, sounded serious",
    "Apologised, was travelling. {amount} on {day}",
    "Agreed {amount} on {day}. Reminded that service stays limited until then",
    "Paying {amount} {day} in the shop, prefers cash",
    "Waiting for client to pay, will send {amount} on {day}",
    "Moved house, letters went to the old address. {amount} by {day}",
    "{amount} on {day}, pay link sent by text",
)
_PLANNED = (
    "Cannot do it at once. {count} instalments, first on {day}, read back and accepted",
    "Plan {count} x, income checked roughly, affordable. Starts {day}",
    "Offered {count} instalments, customer relieved. First {day}",
    "Agreed plan over {count}, keeps paying current bills as well. From {day}",
)
# disposition, weight, seconds of talk from, to
_OUTCOMES: tuple[tuple[str, int, int, int], ...] = (
    ("no_answer", 29, 0, 0),
    ("voicemail", 21, 15, 45),
    ("busy", 5, 0, 0),
    ("third_party", 6, 30, 100),
    ("wrong_number", 2, 15, 40),
    ("rpc_promise", 21, 140, 420),
    ("rpc_refused", 6, 60, 300),
    ("rpc_callback", 7, 40, 110),
    ("rpc_already_paid", 3, 60, 160),
)
_WEIGHTS = tuple(weight for _, weight, _, _ in _OUTCOMES)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def moment_in_office_hours(*, day: int, zone: str, rng: Random) -> str:
    """A moment of `day` between 09:00 and 18:29 on the customer's clock, in UTC with a Z.

    West of the operator's zone the last of those hours belong to the operator's next day; they are left out, so that a
    call and what was agreed in it carry one date.
    """
    opens = datetime.combine(date.fromordinal(day), time(9), _zone(zone))
    ahead = opens.utcoffset() or timedelta()
    minutes = min(570, 900 + int(ahead.total_seconds()) // 60)
    local = opens + timedelta(seconds=int(rng.random() * minutes * 60))
    return local.astimezone(_zone("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")


def spoken_money(amount: int, currency: str) -> str:
    return f"{amount // 100}.{amount % 100:02d} {currency}"


def spoken_day(day: int) -> str:
    when = date.fromordinal(day)
    return f"{when.day} {when:%b}"


def works_the_account(account: Account, *, rng: Random, last_day: int) -> None:
    """Write the calls and promises of an account that fell behind, up to the day before `last_day`.

    `last_day` itself is left to the people who open the desk on it.
    """
    for plan in account.plans:
        note = pick(rng, _PLANNED).format(count=len(plan.instalments), day=spoken_day(plan.instalments[0][0]))
        forbidden = account.customer.withdrawn_on("call") or last_day
        ours = account.customer.phone and plan.made < forbidden and plan.made == weekday_from(plan.made)
        _log(
            account,
            day=plan.made,
            direction="outbound" if ours else "inbound",
            disposition="rpc_plan",
            seconds=240 + int(rng.random() * 500),
            note=note,
        )
    for hold in account.holds:
        if hold.reason == "hardship":
            _spoke(account, day=hold.starts, disposition="rpc_hardship", rng=rng)
    for dispute in account.disputes:
        if rng.random() < 0.6:
            _spoke(account, day=dispute.opened, disposition="rpc_dispute", rng=rng)
    if account.customer.phone:
        _dials(account, rng=rng, last_day=last_day)
    account.calls.sort(key=lambda call: call.day)
    for call in account.calls:
        call.moment = moment_in_office_hours(day=call.day, zone=account.customer.city.timezone, rng=rng)


def _spoke(account: Account, *, day: int, disposition: str, rng: Random) -> None:
    """The customer called us."""
    _log(
        account,
        day=day,
        direction="inbound",
        disposition=disposition,
        seconds=180 + int(rng.random() * 600),
        note=pick(rng, _NOTES[disposition]),
    )


def _log(account: Account, *, day: int, direction: str, disposition: str, seconds: int, note: str) -> None:
    account.calls.append(Call(day, direction, disposition, seconds, note, account.customer.phone))


def weekday_from(day: int) -> int:
    """`day` or the Monday after it."""
    over = (day - 1) % 7 - 4  # ordinal 1 is a Monday
    return day + (3 - over if over > 0 else 0)


def _quiet_until(account: Account, day: int) -> int:
    """The day until which nobody calls out, because of a plan, a promise or a hold; 0 when nothing is in the way."""
    until = 0
    for plan in account.plans:
        if plan.made - 8 <= day < plan.stops:
            until = max(until, plan.stops)
    for promise in account.promises:
        if promise.made <= day <= promise.due + PROMISE_GRACE:
            until = max(until, promise.due + PROMISE_GRACE + 1)
    for hold in account.holds:
        if hold.starts <= day and (not hold.ends or day <= hold.ends):
            until = max(until, hold.ends + 1 if hold.ends else day + 10_000)
    for call in account.calls:
        if call.disposition.startswith("rpc_") and abs(call.day - day) < 8:
            until = max(until, call.day + 8)
    return until


def _dials(account: Account, *, rng: Random, last_day: int) -> None:
    day = last_day - LOOKS_BACK + int(rng.random() * 6)
    attempts = 0
    forbidden = account.customer.withdrawn_on("call") or last_day
    while True:
        day = weekday_from(day)
        if day >= min(last_day, forbidden) or attempts >= 14:
            return
        quiet = _quiet_until(account, day)
        if quiet:
            day = quiet
            continue
        standing = position(account, day)
        if standing.days < AGED + 7:
            early = standing.days >= AGED and rng.random() < 0.2
            if not early:
                day += max(2, AGED + 7 - standing.days) if standing.days else AGED
                continue
        if standing.days > 170:
            return
        attempts += 1
        disposition, gap = _call(account, day=day, owed=standing.past_due, rng=rng, last_day=last_day)
        if disposition == "wrong_number":
            return
        day += gap


def _call(account: Account, *, day: int, owed: int, rng: Random, last_day: int) -> tuple[str, int]:
    """One call out on `day`, with what it led to; answers the disposition and the days until the next try."""
    disposition, _, shortest, longest = rng.choices(_OUTCOMES, _WEIGHTS)[0]
    if disposition == "rpc_already_paid" and not _coming(account, day, upto=min(day + 4, last_day)):
        disposition = "rpc_callback"
    elif disposition in ("rpc_refused", "rpc_callback") and _coming(account, day, upto=min(day + 4, last_day)):
        disposition = "rpc_already_paid"
    if disposition == "rpc_promise" and day + 15 < last_day and not _coming(account, day, upto=day + 15):
        # those who then pay nothing promise less often than they refuse or put us off
        disposition = pick(rng, ("rpc_promise", "rpc_callback", "rpc_refused"))
    if disposition == "rpc_promise":
        note = _promises(account, day=day, owed=owed, rng=rng, last_day=last_day)
    else:
        note = pick(rng, _NOTES[disposition])
        if disposition == "rpc_already_paid" and rng.random() < 0.6:
            account.holds.append(Hold("payment_in_flight", day, day + 5, "Customer says paid, waiting for the bank"))
    seconds = shortest + int(rng.random() * (longest - shortest))
    _log(account, day=day, direction="outbound", disposition=disposition, seconds=seconds, note=note)
    gap = 8 if disposition.startswith("rpc_") else 5 if disposition == "third_party" else 2 + int(rng.random() * 4)
    return disposition, gap


def _coming(account: Account, day: int, *, upto: int) -> list[Payment]:
    """What the account really paid after `day`, apart from bills not yet due."""
    return [
        payment
        for payment in account.payments
        if day < payment.day <= upto and not payment.reverses and (payment.bill is None or payment.bill.due < day)
    ]


def _promises(account: Account, *, day: int, owed: int, rng: Random, last_day: int) -> str:
    """A promise made on `day`: kept if the account really paid in the fortnight after, else broken, or still open."""
    coming = _coming(account, day, upto=min(day + 15, last_day))
    amount, due = owed, day + 4 + int(rng.random() * 8)
    if coming:
        amount, due = min(owed, coming[0].amount), coming[0].day + int(rng.random() * 2)
    account.promises.append(Promise(amount, day, due))
    return pick(rng, _PROMISED).format(
        amount=spoken_money(amount, account.customer.country.currency), day=spoken_day(due)
    )
