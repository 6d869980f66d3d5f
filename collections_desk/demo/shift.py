"""The demo's agents at work: they take accounts from the queue and log calls as the pages do."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts.models import Customer
from accounts.money import quantize
from accounts.refusals import Refused
from agents import calls, offering, paid_time, queue
from agents.models import Agent, WorkItem
from dunning import contact
from dunning.gate.decision import BLOCK, HOLD

#: What calls come to, and how often.
_OUTCOMES = (
    ("no_answer", 34),
    ("voicemail", 16),
    ("busy", 6),
    ("rpc_promise", 18),
    ("rpc_refused", 8),
    ("rpc_already_paid", 4),
    ("rpc_callback", 8),
    ("third_party", 4),
    ("wrong_number", 2),
)
_NOTES = {
    "no_answer": ("Rang out.", "No answer, try later today.", ""),
    "voicemail": ("Left our name and number.", "Voicemail, asked for a call back."),
    "busy": ("Engaged.",),
    "rpc_promise": (
        "Salary arrives at the end of the week, will transfer then.",
        "Was waiting for a refund, pays by card on Friday.",
        "Forgot after moving house, pays next week.",
    ),
    "rpc_refused": ("Says the service was poor and will think about it.", "Upset about the tone of the last letter."),
    "rpc_already_paid": ("Says it was paid at the shop yesterday, will send the receipt.",),
    "rpc_callback": ("In a meeting, asked for the afternoon.", "Driving, call tomorrow."),
    "third_party": ("Partner answered, asked to have the customer call us.",),
    "wrong_number": ("Number belongs to somebody else.",),
}
CALLS_A_SHIFT = 7
TRIED_AGAIN = timedelta(hours=22)


def work_the_queue(*, as_of: date, at: datetime) -> int:
    """Half a shift of every agent: claim, call, note the outcome; how many accounts. Deterministic for a day."""
    if as_of.isoweekday() > 5:
        return 0
    agents = {
        agent: random.Random(f"{as_of}{at.hour}{agent.username}")
        for agent in Agent.objects.filter(groups__name="agent").order_by("username")
    }
    return sum(
        _one_call(agent, chance, as_of=as_of, at=at + timedelta(minutes=9 * number))
        for number in range(CALLS_A_SHIFT)
        for agent, chance in agents.items()
    )


def _tomorrow(at: datetime, customer: Customer, chance: random.Random) -> datetime:
    """A full or half hour of the customer's next working morning or afternoon."""
    zone = ZoneInfo(customer.timezone or "UTC")
    day = at.astimezone(zone).date() + timedelta(days=3 if at.isoweekday() >= 5 else 1)
    return datetime.combine(day, time(chance.randint(9, 17), chance.choice((0, 30))), tzinfo=zone)


def _one_call(agent: Agent, chance: random.Random, *, as_of: date, at: datetime) -> bool:
    paid_time.seen(agent, at)
    item = offering.next_account(agent=agent, at=at)
    if item is None:
        return False
    asked = contact.check_many([item.account_id], channel="call", at=at, as_of=as_of, talks=calls.talks_of)
    decision = asked[item.account_id]
    if decision.outcome in (HOLD, BLOCK):
        # Not callable now: the account waits until it may be called.
        wait = decision.next_allowed_at or at + timedelta(hours=20)
        queue.complete(item_id=item.pk, agent=agent, at=at, outcome="cannot be called now", not_before=wait)
        return False
    (disposition,) = chance.choices([code for code, _ in _OUTCOMES], [weight for _, weight in _OUTCOMES])
    right_party = disposition.startswith("rpc_")
    promise: calls.PromiseTerms | None = None
    account = item.account
    if disposition == "rpc_promise":
        share = chance.choice((Decimal(1), Decimal(1), Decimal("0.5")))
        amount = quantize(account.overdue * share, account.currency)
        due_on = as_of + timedelta(days=chance.randint(2, 9))
        promise = {"amount": amount, "due_on": due_on, "bill_refs": None, "note": ""}
    try:
        calls.log(
            account_id=account.pk,
            agent=agent,
            direction="outbound",
            disposition=disposition,
            number=account.customer.phone,
            right_party=right_party,
            started_at=at,
            duration_seconds=chance.randint(95, 420) if right_party else chance.randint(12, 40),
            note=chance.choice(_NOTES[disposition]),
            callback_at=_tomorrow(at, account.customer, chance) if disposition == "rpc_callback" else None,
            promise=promise,
            as_of=as_of,
            at=at + timedelta(minutes=6),
        )
    except Refused:
        queue.release(item_id=item.pk, agent=agent, at=at)
        return False
    if WorkItem.objects.filter(pk=item.pk, done_at=None, claimed_by=agent).exists():
        # Whoever was tried today is not rung again before tomorrow.
        later = at + timedelta(minutes=7)
        queue.complete(item_id=item.pk, agent=agent, at=later, outcome="tried", not_before=at + TRIED_AGAIN)
    return True
