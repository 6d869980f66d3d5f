"""The others at the demo's desk: who they are, and that they are at work while somebody looks around.

They sign in to nothing: the four logins of the demo are for whoever looks around. While the desk runs they take one
account after another, dial, talk and write down what came of it, through the operations that the pages call. They
leave the foremost accounts of the queue and the hand-made ones to whoever looks around.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q

from accounts import business_day
from accounts.refusals import Refused
from agents import calls, dialling, paid_time, queue
from agents.models import Agent, LiveCall, Team, WorkItem
from collections_desk.demo.showcase import FIRST_NUMBER, STORIES

log = logging.getLogger(__name__)

RETAIL, BUSINESS = "Retail collections", "Business collections"
#: User name, first and last name, team, roles.
COLLEAGUES: tuple[tuple[str, str, str, str, *tuple[str, ...]], ...] = (
    ("amara", "Amara", "Diallo", RETAIL, "agent"),
    ("bruno", "Bruno", "Keller", RETAIL, "agent"),
    ("chloe", "Chloé", "Lambert-Desrosiers", RETAIL, "agent"),
    ("dev", "Dev", "Patel", BUSINESS, "agent"),
    ("elena", "Elena", "Petrova", BUSINESS, "agent"),
    ("greta", "Greta", "Lindholm", RETAIL, "team_lead"),
    ("hugo", "Hugo", "Marchetti", "", "finance"),
    ("ines", "Inês", "Carvalho", "", "manager"),
)
MANAGER, LEAD = "ines", "greta"
AT_THE_TELEPHONE = ("amara", "bruno", "chloe", "dev", "elena")

#: The foremost of the queue, half of it at most, are left to whoever looks around.
LEFT_ALONE, SEEN, TRIED = 40, 120, 5
#: Each moves on about so often.
EVERY = timedelta(seconds=40)
RINGS, TALKS, WRITES, READS = timedelta(seconds=50), timedelta(minutes=4), timedelta(minutes=1), timedelta(minutes=2)
#: How often a break follows an account, and how often somebody answers a call.
RESTS, ANSWERED = 0.15, 0.4
NOT_REACHED = (("no_answer", 5), ("voicemail", 3), ("busy", 1))
#: How far into their work they are as the doors open: minutes since they took an account, and since somebody answered.
_AS_THE_DOORS_OPEN: dict[str, tuple[int, int | None]] = {
    "amara": (7, 5),
    "bruno": (26, None),
    "chloe": (3, 1),
    "dev": (4, None),
}


def join() -> None:
    """They work here. Nobody signs in as one of them."""
    for username, first_name, last_name, team, *roles in COLLEAGUES:
        person, is_new = Agent.objects.get_or_create(
            username=username,
            defaults={
                "first_name": first_name,
                "last_name": last_name,
                "email": f"{username}@northwind.example",
                "team": Team.objects.get_or_create(name=team)[0] if team else None,
            },
        )
        if is_new:
            person.set_unusable_password()
            person.save(update_fields=["password"])
        person.groups.set(Group.objects.filter(name__in=roles))


# At work --------------------------------------------------------------------------------------------------------------


@contextmanager
def at_work(now: Callable[[], datetime]) -> Iterator[None]:
    """They are at work, by the clock given, until this ends."""
    enough = threading.Event()
    threading.Thread(target=_work_on, args=(now, enough), name="colleagues", daemon=True).start()
    try:
        yield
    finally:
        enough.set()


def _work_on(now: Callable[[], datetime], enough: threading.Event) -> None:
    chance = random.Random()
    try:
        open_the_doors(at=now())
        while not enough.wait(EVERY.total_seconds() / len(AT_THE_TELEPHONE)):
            try:
                go_on(_next(chance), at=now(), chance=chance)
            except Refused as refusal:
                # Somebody who looks around was faster: the account was given to another.
                log.info("a colleague of the demo could not go on: %s", refusal)
            connection.close()
    except (OperationalError, InterfaceError) as problem:
        # The desk is being stopped.
        log.info("the demo's colleagues went home: %s", problem)
    finally:
        connection.close()


def _next(chance: random.Random) -> Agent:
    return Agent.objects.get(username=chance.choice(AT_THE_TELEPHONE))


def open_the_doors(*, at: datetime) -> None:
    """Where each is as somebody begins to look around: on the phone, long at one account, at a break."""
    for username in AT_THE_TELEPHONE:
        try:
            _sit_down(Agent.objects.get(username=username), at=at)
        except Refused as refusal:
            log.info("a colleague of the demo could not begin: %s", refusal)


def _sit_down(agent: Agent, *, at: datetime) -> None:
    _put_down(agent, at=at)
    since, answered = _AS_THE_DOORS_OPEN.get(agent.username, (0, None))
    paid_time.seen(agent, at - timedelta(minutes=since))
    if agent.username not in _AS_THE_DOORS_OPEN:
        paid_time.change(agent, "break", at - timedelta(minutes=6))
    else:
        item = _take(agent, at=at - timedelta(minutes=since), chance=random.Random(agent.username))
        if item is not None and answered is not None:
            rang_at = at - timedelta(minutes=answered, seconds=20)
            queue.keep(item_id=item.pk, agent=agent, at=rang_at)
            if _dial(agent, item, at=rang_at):
                _answer(agent, at=at - timedelta(minutes=answered))
        if item is not None:
            queue.keep(item_id=item.pk, agent=agent, at=at)
    paid_time.seen(agent, at)


def go_on(agent: Agent, *, at: datetime, chance: random.Random) -> None:
    """The next small step of one of them, from wherever they are; the others stay with what they do."""
    for person in Agent.objects.filter(username__in=AT_THE_TELEPHONE):
        paid_time.seen(person, at)
        if (held := _in_hand(person, at=at)) is not None:
            queue.keep(item_id=held.pk, agent=person, at=at)
    call = dialling.current(agent=agent)
    if call is not None:
        _talk_on(agent, call, at=at, chance=chance)
        return
    item = _in_hand(agent, at=at)
    if item is None:
        rests = chance.random() < RESTS and paid_time.doing(agent, at) == "work"
        paid_time.change(agent, "break" if rests else "work", at)
        if not rests:
            _take(agent, at=at, chance=chance)
    elif item.claimed_at is not None and at - item.claimed_at > READS and not _dial(agent, item, at=at):
        _finish(agent, item, at=at)


def _talk_on(agent: Agent, call: LiveCall, *, at: datetime, chance: random.Random) -> None:
    state = LiveCall.State(call.state)
    if state == LiveCall.State.ENDED:
        if call.ended_at is not None and at - call.ended_at > WRITES:
            _write_down(agent, call, at=at, chance=chance)
    elif state == LiveCall.State.ANSWERED:
        if call.answered_at is not None and at - call.answered_at > TALKS:
            dialling.hang_up(agent=agent, at=at)
    elif at - call.begun_at > RINGS:
        if chance.random() < ANSWERED:
            _answer(agent, at=at)
        else:
            dialling.hang_up(agent=agent, at=at)


def _take(agent: Agent, *, at: datetime, chance: random.Random) -> WorkItem | None:
    """One of the middle of the queue, that nobody needs for looking around."""
    hand_made = [f"A{FIRST_NUMBER + place}" for place in range(STORIES)]
    kinds = (WorkItem.Kind.COLLECT, WorkItem.Kind.TASK)
    mine = WorkItem.objects.filter(
        Q(team=None) | Q(team=agent.team), done_at=None, kind__in=kinds, pinned_by="", kept_for=None
    )
    mine = mine.exclude(account__ref__in=hand_made).exclude(lease_until__gt=at)
    ready = list(
        queue.offered(mine, at=at, agent=agent).order_by("-score", "pk").values_list("account_id", flat=True)[:SEEN]
    )
    left = ready[min(LEFT_ALONE, len(ready) // 2) :]
    for account_id in chance.sample(left, min(TRIED, len(left))):
        item = queue.claim(account_id=account_id, agent=agent, at=at)
        if item is not None:
            return item
    return None


def _in_hand(agent: Agent, *, at: datetime) -> WorkItem | None:
    held = WorkItem.objects.filter(claimed_by=agent, done_at=None, lease_until__gt=at)
    return held.exclude(kind=WorkItem.Kind.APPROVAL).select_related("account__customer").first()


def _dial(agent: Agent, item: WorkItem, *, at: datetime) -> bool:
    """Whether the gate lets them: where it does not, somebody looks at the account another time."""
    if settings.DESK_CTI_URL:
        return False  # a telephone system is nothing to play with
    number, as_of = item.account.customer.phone, business_day.business_date(at=at)
    try:
        dialling.dial(account_id=item.account_id, agent=agent, number=number, at=at, as_of=as_of)
    except Refused:
        return False
    return True


def _answer(agent: Agent, *, at: datetime) -> None:
    call = dialling.current(agent=agent)
    if call is not None:
        dialling.hear(key=call.ref, state=LiveCall.State.ANSWERED, at=at)


def _write_down(agent: Agent, call: LiveCall, *, at: datetime, chance: random.Random) -> None:
    """What came of it. Who they spoke to they did not ask the details of: somebody else in the house."""
    (missed,) = chance.choices([code for code, _ in NOT_REACHED], [weight for _, weight in NOT_REACHED])
    calls.log(
        account_id=call.account_id,
        agent=agent,
        direction=call.direction,
        disposition="third_party" if call.answered_at is not None else missed,
        number=call.number,
        right_party=False,
        started_at=call.begun_at,
        duration_seconds=None,
        note="",
        as_of=business_day.business_date(at=at),
        at=at,
    )
    item = _in_hand(agent, at=at)
    if item is not None:
        _finish(agent, item, at=at)


def _finish(agent: Agent, item: WorkItem, *, at: datetime) -> None:
    """Back into the queue: it is there for whoever looks around."""
    queue.release(item_id=item.pk, agent=agent, at=at)


def _put_down(agent: Agent, *, at: datetime) -> None:
    """What was in their hands when the desk was stopped."""
    call = dialling.current(agent=agent)
    if call is not None:
        dialling.hang_up(agent=agent, at=at)
        _write_down(agent, dialling.current(agent=agent) or call, at=at, chance=random.Random(0))
    held = WorkItem.objects.filter(claimed_by=agent, done_at=None).exclude(kind=WorkItem.Kind.APPROVAL)
    for item in held:
        queue.release(item_id=item.pk, agent=agent, at=at)
