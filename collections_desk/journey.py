"""A bill's journey on one page: the day's run, and who reacts to what.

    facts arrive        accounts.importing, the API           rows, and a mark that the account is unsettled
    amounts follow      accounts.settling                     open amounts, journal, status, events
    news travels up     REACTIONS below                       cases close, services come back, promises are kept
    the day decides     dunning.decide                        cases, steps, notices, orders
    it leaves the house dunning.deliver                       after a last look
    people go on        agents                                the queue, calls, promises, plans, disputes

Everything here may be repeated and killed anywhere: what is left to do is in rows (unsettled accounts, pending events,
due cases, unsent notices), never in memory or in the broker.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from time import monotonic
from typing import Any, Protocol

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from kombu.exceptions import OperationalError

from accounts import audit, business_day, events, settling, wishes
from accounts.models import Account, AccountEvent, AccountStatus, PendingEvent, Unsettled
from accounts.refusals import Refused
from agents import (
    act_effects,
    answers,
    approvals,
    calibration,
    call_effects,
    complaint_desk,
    dispute_desk,
    extensions,
    findings,
    orphans,
    paid_time,
    plans,
    promises,
    quality_sampling,
    queue,
    second_words,
    settlements,
    snapshots,
    steering,
)
from agents import kinds as talk
from agents.habits import count_calls
from agents.models import Dispute, Promise, WorkItem
from collections_desk import clock, webhooks
from dunning import asking, cases, decide, experiment_course, habits, kinds, placements, re_entry
from dunning.models import Case

log = logging.getLogger(__name__)

ACTOR = "desk:journey"
CHUNK = 500

#: Serialises day runs: two of them would not do harm, only the same reading twice.
DAY_LOCK = 7301003


class Decisions(Protocol):
    """Decides everything that is due on a day."""

    def __call__(self, *, as_of: date, at: datetime) -> decide.Tally: ...


class CannotRunDay(Refused):
    """The business date does not go back, and only one run goes at a time."""


@dataclass(frozen=True, slots=True)
class DayReport:
    """What ``run_day`` answers."""

    date: date
    reviewed: int
    cases_opened: int
    cases_closed: int
    steps: Mapping[str, int]
    notices: int
    orders: int
    days_caught_up: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "date": self.date.isoformat(),
            "reviewed": self.reviewed,
            "cases_opened": self.cases_opened,
            "cases_closed": self.cases_closed,
            "steps": dict(sorted(self.steps.items())),
            "notices": self.notices,
            "orders": self.orders,
            "days_caught_up": self.days_caught_up,
            "seconds": round(self.seconds, 3),
        }


# The day ------------------------------------------------------------------------------------------------------------


def run_day(*, as_of: date, at: datetime, decisions: Decisions = decide.run, keeps_figures: bool = True) -> DayReport:
    """The whole day in this process, without broker or workers; sends nothing. Safe to repeat.

    ``decisions`` may spread the middle of the day over processes (``crew``). A day that is only tried keeps no figures.

    Raises ``CannotRunDay`` for a date before the business date, with nothing done.
    """
    started = monotonic()
    with _one_run():
        closed_before = _closed_cases(as_of)
        previous = open_day(as_of=as_of, at=at)
        tally = decisions(as_of=as_of, at=at)
        close_day(as_of=as_of, at=at, keeps_figures=keeps_figures)
    return DayReport(
        date=as_of,
        reviewed=tally.reviewed,
        cases_opened=tally.cases_opened,
        cases_closed=_closed_cases(as_of) - closed_before,
        steps=tally.steps,
        notices=tally.notices,
        orders=tally.orders,
        days_caught_up=max((as_of - previous).days - 1, 0) if previous else 0,
        seconds=monotonic() - started,
    )


def open_day(*, as_of: date, at: datetime) -> date | None:
    """Turn the business date, bring every amount to it and let everybody react; the date of the run before.

    Raises ``CannotRunDay`` for an earlier date.
    """
    with transaction.atomic():
        previous = business_day.last_run()
        if previous is not None and as_of < previous:
            raise CannotRunDay(f"The business date is {previous}; a run of {as_of} would go back.")
        if previous is None:
            settling.mark_all()
        elif as_of > previous:
            settling.mark_day(after=previous, until=as_of)
        # With the date, or a run killed here would never know that they ended.
        _end_disputes(after=previous, until=as_of)
        business_day.move_to(as_of)
    settling.settle(as_of=as_of, at=at)
    react_to_all(as_of=as_of, at=at)
    promises.review(as_of=as_of, at=at)
    plans.review(as_of=as_of, at=at)
    settlements.review(as_of=as_of, at=at)
    extensions.review(as_of=as_of, at=at)
    react_to_all(as_of=as_of, at=at)
    return previous


def close_day(*, as_of: date, at: datetime, keeps_figures: bool = True) -> None:
    """After the decisions: what nobody decided on in time, reactions, what agencies earned, the guard rails, whoever is
    in nobody's hands, what is reviewed of the work, what calls brought, the queue in order, when customers answer, the
    seal, the figures as they stand.
    """
    approvals.expire(as_of=as_of, at=at)
    react_to_all(as_of=as_of, at=at)
    placements.earn(as_of=as_of, at=at)
    experiment_course.watch(as_of=as_of, at=at)
    if lost := queue.unattended(as_of=as_of):
        queue.enqueue(account_ids=lost, reason="nobody was to come across it", as_of=as_of, at=at, actor=ACTOR)
    if due := wishes.to_look_at(as_of=as_of):
        task, why = WorkItem.Kind.TASK, "look again at the support needed"
        queue.enqueue(account_ids=due, reason=why, kind=task, as_of=as_of, at=at, actor=ACTOR)
    dispute_desk.tell_late(as_of=as_of, at=at, actor=ACTOR)
    complaint_desk.tell_late(as_of=as_of, at=at, actor=ACTOR)
    if keeps_figures:
        audit.seal(at=at)  # what is judged is read from the sealed history
        findings.check(as_of=as_of, at=at)
    quality_sampling.draw(as_of=as_of, at=at)
    calibration.close_due(as_of=as_of, at=at, actor=ACTOR)
    paid_time.close_unseen(at)
    orphans.watch(as_of=as_of, at=at, actor=ACTOR)
    call_effects.count(as_of=as_of)
    act_effects.count(as_of=as_of)
    steering.end_pins(as_of=as_of, at=at, actor=ACTOR)
    queue.rescore(as_of=as_of, at=at)
    queue.look_again()
    habits.count(as_of=as_of, at=at)
    count_calls(as_of=as_of, at=at)
    audit.seal(at=at)
    if keeps_figures:
        snapshots.close(as_of=as_of, at=at)
    business_day.complete(as_of)


def is_decided(*, as_of: date) -> bool:
    """Whether nothing of the day is left for a shard to take."""
    return not (Unsettled.objects.exists() or Case.objects.filter(closed_on=None, next_on__lte=as_of).exists())


@contextmanager
def _one_run() -> Iterator[None]:
    # Inside a transaction (a dry run) the lock goes with it, also where it fails.
    held = "xact_" if connection.in_atomic_block else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_{held}lock(%s)", [DAY_LOCK])
        if not cursor.fetchone()[0]:
            raise CannotRunDay("Another run of the day is under way.")
    try:
        with gathering():
            yield
    finally:
        if not held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [DAY_LOCK])


def _closed_cases(as_of: date) -> int:
    return Case.objects.filter(closed_on=as_of).count()


def _end_disputes(*, after: date | None, until: date) -> None:
    """Disputes of the files that ended against the customer: what hurts needs a fresh warning."""
    ended = Dispute.objects.filter(
        resolved_on__lte=until, outcome__in=(Dispute.Outcome.REJECTED, Dispute.Outcome.WITHDRAWN)
    )
    if after is not None:
        ended = ended.filter(resolved_on__gt=after)
    for account_id, resolved_on in ended.order_by("account_id").values_list("account_id", "resolved_on"):
        if resolved_on is not None:
            cases.fresh_warning(account_id=account_id, as_of=resolved_on)


# Reactions ----------------------------------------------------------------------------------------------------------

News = Sequence[AccountEvent]

#: What agents do with an account in their hands.
_WORK = (WorkItem.Kind.COLLECT, WorkItem.Kind.TASK)


def _review(account_ids: Sequence[int], as_of: date, at: datetime) -> None:
    """Money or a hold moved: agreements are judged, cases may exit, the queue is put in order."""
    promises.review(account_ids=account_ids, as_of=as_of, at=at)
    plans.review(account_ids=account_ids, as_of=as_of, at=at)
    settlements.review(account_ids=account_ids, as_of=as_of, at=at)
    extensions.review(account_ids=account_ids, as_of=as_of, at=at)
    cases.review(account_ids=account_ids, as_of=as_of, at=at)
    queue.rescore(account_ids=account_ids, as_of=as_of, at=at)


def _status_changed(news: News, as_of: date, at: datetime) -> None:
    """Handed to agents: into the queue. Cured, placed outside or written off: out of it."""
    reached: dict[str, list[int]] = defaultdict(list)
    latest = {event.account_id: event for event in news}
    for event in latest.values():
        reached[event.payload["to"]].append(_account(event))
    gone = {
        AccountStatus.CURRENT: "paid",
        AccountStatus.AGENCY: "placed outside",
        AccountStatus.WRITTEN_OFF: "written off",
    }
    for status, outcome in gone.items():
        if accounts := reached.get(status):
            # A write-off that was asked for is decided wherever the account is.
            if status == AccountStatus.AGENCY:
                queue.leave(account_ids=accounts, outcome=outcome, at=at, actor=ACTOR, only=_WORK)
            else:
                _leave(accounts, outcome, at)
    if accounts := reached.get(AccountStatus.COLLECTIONS):
        held = Account.objects.filter(pk__in=accounts, status=AccountStatus.COLLECTIONS).values_list("pk", flat=True)
        why: dict[str, list[int]] = defaultdict(list)
        for pk in held:
            why[latest[pk].reason].append(pk)
        for reason, keys in why.items():
            queue.enqueue(account_ids=keys, reason=reason, as_of=as_of, at=at, actor=ACTOR)


def _give_back(news: News, as_of: date, at: datetime) -> None:
    """The first kept instalment of a plan, or a promise that named everything and was kept, restores the services."""
    for event in news:
        if event.kind == talk.INSTALMENT_KEPT and not event.payload.get("first"):
            continue
        cases.restore_services(account_id=_account(event), reason=event.kind.partition(".")[2], as_of=as_of, at=at)


def _kept(news: News, as_of: date, at: datetime) -> None:
    """A promise was kept: services come back when everything it named is paid."""
    refs = [event.payload.get("promise") for event in news]
    named = {promise.ref: promise for promise in Promise.objects.filter(ref__in=refs)}
    paid = []
    for event in news:
        promise = named.get(event.payload.get("promise"))
        if (
            promise is not None
            and not Account.objects.filter(
                pk=promise.account_id, bills__ref__in=promise.bill_refs, bills__open_amount__gt=0
            ).exists()
        ):
            paid.append(event)
    _give_back(paid, as_of, at)


def _enqueue(news: News, as_of: date, at: datetime, *, kind: str = WorkItem.Kind.COLLECT) -> None:
    wanted: dict[str, list[int]] = defaultdict(list)
    for event in news:
        wanted[event.reason or event.kind.rpartition(".")[2]].append(_account(event))
    for reason, accounts in wanted.items():
        queue.enqueue(account_ids=accounts, reason=reason, kind=kind, as_of=as_of, at=at, actor=ACTOR)


_BROKEN = {
    talk.PROMISE_BROKEN: "broken promise",
    talk.PLAN_BROKEN: "broken plan",
    talk.SETTLEMENT_BROKEN: "settlement not paid",
    talk.EXTENSION_ENDED: "time to pay is over",
}


def _broken(news: News, as_of: date, at: datetime) -> None:
    """What was not kept: its case goes on where the policy says, and in the agents' hands it comes back to them."""
    nouns = {talk.PROMISE_BROKEN: "promise", talk.PLAN_BROKEN: "plan"}
    broken = [
        re_entry.Broken(_account(event), f"{noun}:{event.payload[noun]}")
        for event in news
        if (noun := nouns.get(event.kind)) is not None
    ]
    if broken:
        re_entry.re_enter(broken, as_of=as_of, at=at)
    in_hand = set(
        Account.objects.filter(pk__in=_accounts(news), status=AccountStatus.COLLECTIONS).values_list("pk", flat=True)
    )
    for event in news:
        if event.account_id in in_hand and event.payload.get("paid") is not True:
            word = _BROKEN[event.kind]
            queue.enqueue(account_ids=[_account(event)], reason=word, as_of=as_of, at=at, actor=ACTOR)


def _warn_afresh(news: News, as_of: date, at: datetime) -> None:
    """A dispute that ended against the customer, wholly or for a part: what hurts needs a fresh warning."""
    for event in news:
        lost = event.payload.get("outcome") in (Dispute.Outcome.REJECTED, Dispute.Outcome.WITHDRAWN)
        if (lost or event.payload.get("rest")) and not event.payload.get("slip"):
            cases.fresh_warning(account_id=_account(event), as_of=as_of)


def _look_at_limits(news: News, as_of: date, at: datetime) -> None:
    """A service is kept for another time, or no longer: limits put off for it are looked at again."""
    asking.bring_forward(service_refs={event.payload["service"] for event in news}, at=at)


def _leave_tasks(news: News, as_of: date, at: datetime) -> None:
    """A closed case needs no tasks, and nobody's approval."""
    _leave(_accounts(news), "case closed", at)


def _leave(account_ids: Sequence[int], outcome: str, at: datetime) -> None:
    """Out of the queue; where an agreement still waits for somebody's word, its place among the approvals stays."""
    waiting = second_words.waiting_among(account_ids)
    if free := [pk for pk in account_ids if pk not in waiting]:
        queue.leave(account_ids=free, outcome=outcome, at=at, actor=ACTOR)
    if waiting:
        queue.leave(account_ids=sorted(waiting), outcome=outcome, at=at, actor=ACTOR, only=_WORK)


_task = partial(_enqueue, kind=WorkItem.Kind.TASK)
_approval = partial(_enqueue, kind=WorkItem.Kind.APPROVAL)

Reaction = Callable[[News, date, datetime], None]

#: Who reacts to what. Each may see the same event twice and must then find nothing to do.
REACTIONS: dict[str, Reaction] = {
    events.STATUS_CHANGED: _status_changed,
    kinds.CASE_CLOSED: _leave_tasks,
    kinds.TASK_REQUESTED: _task,
    kinds.WRITE_OFF_REQUESTED: _approval,
    kinds.ORDER_FAILED: _task,
    events.SERVICE_KEPT: _look_at_limits,
    events.SERVICE_LET_GO: _look_at_limits,
    talk.INSTALMENT_KEPT: _give_back,
    talk.PROMISE_KEPT: _kept,
    talk.PROMISE_BROKEN: _broken,
    talk.PLAN_BROKEN: _broken,
    talk.SETTLEMENT_BROKEN: _broken,
    talk.EXTENSION_ENDED: _broken,
    talk.DISPUTE_RESOLVED: _warn_afresh,
    "agents.contact.requested": _task,
    kinds.MESSAGE_RECEIVED: answers.take,
}

#: After which the account is looked at again, once, however many came together.
REVIEWED = frozenset(
    {
        events.MONEY_MOVED,
        events.HOLD_PLACED,
        events.HOLD_LIFTED,
        events.STATUS_CHANGED,
        kinds.NOTICE_DELIVERED,
        kinds.NOTICE_FAILED,
        talk.PROMISE_BROKEN,
        talk.PLAN_BROKEN,
        talk.SETTLEMENT_BROKEN,
        talk.SETTLEMENT_REOPENED,
        talk.EXTENSION_ENDED,
        talk.DISPUTE_RESOLVED,
    }
)

#: After which somebody who was not to be called yet may be, or not yet.
ASKED_ANEW = frozenset(
    {
        events.HOLD_LIFTED,
        events.CONSENT_GIVEN,
        events.CONSENT_WITHDRAWN,
        events.PREFERENCE_NOTED,
        events.PREFERENCE_ENDED,
        events.REPRESENTATIVE_ENDED,
        events.VULNERABILITY_ENDED,
        events.TIME_ZONE_STATED,
    }
)


def _account(event: AccountEvent) -> int:
    assert event.account_id is not None  # a pending event always has an account
    return event.account_id


def _accounts(news: News) -> list[int]:
    return sorted({_account(event) for event in news})


def react_to_all(*, as_of: date, at: datetime) -> int:
    """Carry every pending event, also those that the reactions themselves write; how many."""
    carried = 0
    while waiting := list(
        PendingEvent.objects.order_by("account_id").values_list("account_id", flat=True).distinct()[:CHUNK]
    ):
        done = react(waiting, as_of=as_of, at=at)
        if done == 0:
            break
        carried += done
    return carried


def react(account_ids: Collection[int], *, as_of: date, at: datetime) -> int:
    """Carry the pending events of those accounts, in order, in one transaction with their effects; how many."""
    with gathering(), transaction.atomic():
        cases.lock(set(account_ids) | set(cases.payers_of(account_ids)))
        pending = list(
            PendingEvent.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("event")
            .filter(account__in=list(account_ids))
            .order_by("event_id")
        )
        news: dict[str, list[AccountEvent]] = defaultdict(list)
        for row in pending:
            news[row.event.kind].append(row.event)
        PendingEvent.objects.filter(pk__in=[row.pk for row in pending]).delete()
        webhooks.queue_for([row.event for row in pending], at=at)
        for kind, batch in news.items():
            if kind in REACTIONS:
                REACTIONS[kind](batch, as_of, at)
        if moved := [event for kind, batch in news.items() if kind in REVIEWED for event in batch]:
            _review(_accounts(moved), as_of, at)
        if told := [event for kind, batch in news.items() if kind in ASKED_ANEW for event in batch]:
            queue.look_again(account_ids=_accounts(told))
    return len(pending)


# News on its way ----------------------------------------------------------------------------------------------------

_gathering: ContextVar[bool] = ContextVar("gathering", default=False)


@contextmanager
def gathering() -> Iterator[None]:
    """Inside, news is only gathered: whoever runs the day carries it when it is complete."""
    token = _gathering.set(True)
    try:
        yield
    finally:
        _gathering.reset(token)


def nudge(account_ids: Sequence[int]) -> None:
    """After commit: react here and now for a few accounts, in a worker for many. A failure is left to the sweep."""
    if _gathering.get():
        return
    if len(account_ids) > settings.DESK_REACT_INLINE:
        try:
            current_app.send_task("collections_desk.tasks.react", ignore_result=True)
        except OperationalError:
            log.warning("The broker is away; the sweep will carry the events of %s accounts", len(account_ids))
        return
    at = clock.business_now()
    try:
        for _ in range(5):
            if not react(account_ids, as_of=business_day.business_date(at=at), at=at):
                break
    except Exception:
        log.exception("Reactions failed; the sweep will try them again")
