"""Mails of reports leave the house: one after another, each at most once where the far side knows no keys.

1. Take one whose time has come, for a while: whoever dies composing it leaves it to be taken again.
2. Judge whether its reader may still have it, and compose it from the records of its day. No transaction is open.
3. Commit that it is about to be handed over, hand it over, commit what was said. Whoever dies in between leaves it
   ``sending``: a relay knows no keys, so it becomes ``doubtful``, is listed, and is sent again by a person alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.urls import reverse
from django.utils.translation import gettext_noop

from agents import report_mail, reports
from agents.models import ReportRun
from agents.report_mail import Content
from dunning.gateways.base import Gateway, Message, NotTaken, Outcome, Unclear
from dunning.gateways.patience import CircuitBreaker, backoff

State = ReportRun.State

#: So long a worker has a mail in hand before another concludes that it died.
LEASE = timedelta(minutes=5)
#: After so many failures the owner must look; with the waits between them that is most of a working day.
MOST_ATTEMPTS = 10
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=2)

_TAKE = """
    UPDATE agents_reportrun SET lease_until = %(until)s
     WHERE id = (SELECT id FROM agents_reportrun
                  WHERE state = 'pending' AND send_at <= %(at)s AND (lease_until IS NULL OR lease_until < %(at)s)
                  ORDER BY send_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
 RETURNING id
"""


def send_due(*, at: datetime, road: Gateway[Message], now: Callable[[], datetime] | None = None) -> Counter[str]:
    """One pass over the mails that are due at ``at``; how many ended in which state. Safe beside other passes.

    ``now`` stamps hand-overs that take time; the default stands still at ``at``.
    """
    clock = now or (lambda: at)
    ended: Counter[str] = Counter(recover(at=at, road=road))
    breaker, said = CircuitBreaker(), Said()
    while breaker.lets_through(at=clock()) and (run := _take(clock())) is not None:
        ended[_send(run, road, breaker, clock, said)] += 1
    return +ended


def recover(*, at: datetime, road: Gateway[Message]) -> Counter[str]:
    """Hand-overs whose worker died: once more where the far side knows our key, in doubt where it does not."""
    left = ReportRun.objects.filter(state=State.SENDING, lease_until__lt=at).order_by("pk")
    ended: Counter[str] = Counter()
    for pk in list(left.values_list("pk", flat=True)):
        with transaction.atomic():
            run = (
                left.select_for_update(skip_locked=True, of=("self",)).select_related("schedule").filter(pk=pk).first()
            )
            if run is None:
                continue
            if road.knows_keys:
                _leave(run, State.PENDING, at, send_at=at)
                continue
            _leave(run, State.DOUBTFUL, at, error=gettext_noop("the worker stopped in the middle of the hand-over"))
            ended[State.DOUBTFUL] += 1
    return ended


def _take(at: datetime) -> ReportRun | None:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"at": at, "until": at + LEASE})
        taken = cursor.fetchone()
    if taken is None:
        return None
    related = ("schedule__owner__team", "recipient__agent__team", "asked_by__team")
    return ReportRun.objects.select_related(*related).get(pk=taken[0])


def _send(
    run: ReportRun, road: Gateway[Message], breaker: CircuitBreaker, clock: Callable[[], datetime], said: Said
) -> str:
    """One mail from a last look to its end; in which state that is."""
    if why := _objection(run):
        return _end(run, State.WITHHELD, clock(), why)
    try:
        message = message_of(run, said)
    except report_mail.NothingRecorded as nothing:
        return _end(run, State.FAILED, clock(), str(nothing))
    if not _intend(run, clock()):
        return run.state
    try:
        outcome = road.hand_over(message)
    except NotTaken as problem:
        breaker.note_failure(at=clock())
        return _again(run, clock(), problem.detail, problem.retry_after)
    except Unclear as problem:
        breaker.note_failure(at=clock())
        if road.knows_keys:
            return _again(run, clock(), problem.detail, None)
        return _end(run, State.DOUBTFUL, clock(), problem.detail)
    breaker.note_success()
    return _answered(run, outcome, clock())


def _objection(run: ReportRun) -> str:
    """Why it is not sent after all; empty where it is."""
    if run.recipient is None:
        return reports.objection(run.schedule, run.asked_by)
    if run.recipient.left_at is not None:
        return (
            gettext_noop("wants no more of it")
            if run.recipient.unsubscribed
            else gettext_noop("is not on the list any more")
        )
    if not run.schedule.active:
        return gettext_noop("the report is paused")
    return reports.objection(run.schedule, run.recipient.agent, run.recipient.address)


class Said:
    """What a pass has drawn already: everybody who reads a report in one language gets the same."""

    MOST = 4

    def __init__(self) -> None:
        self._kept: dict[tuple[int, date, str], Content] = {}

    def by(self, run: ReportRun, language: str) -> Content:
        """Raises ``NothingRecorded``."""
        key = (run.schedule_id, run.as_of, language)
        if key not in self._kept:
            if len(self._kept) >= self.MOST:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = report_mail.content_of(run.schedule, as_of=run.as_of, language=language)
        return self._kept[key]


def message_of(run: ReportRun, said: Said) -> Message:
    """The mail as it is handed over; the same key whenever it is. Raises ``NothingRecorded``."""
    reader = run.asked_by if run.recipient is None else run.recipient.agent
    stop_url = ""
    if run.recipient is not None:
        stop_url = f"{settings.DESK_PUBLIC_URL}{reverse('report_stop', args=[reports.stop_token(run.recipient)])}"
    language = reports.language_of(reader, run.recipient)
    mail = report_mail.mail_of(said.by(run, language), recipient=run.recipient, stop_url=stop_url)
    return Message(
        key=key_of(run),
        channel="email",
        to=reader.email if reader is not None else run.recipient.address if run.recipient is not None else "",
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        language=language,
        enclosures=mail.enclosures,
        unsubscribe_url=stop_url,
        ref=f"report-{run.schedule_id}",
    )


def key_of(run: ReportRun) -> str:
    """What tells this mail from every other, however often it is tried."""
    whose = f"to.{run.recipient_id}" if run.recipient_id is not None else f"asked.{run.pk}"
    return f"report.{run.schedule_id}.{run.as_of}.{whose}"


def _intend(run: ReportRun, at: datetime) -> bool:
    """Commit that it is about to be handed over; not where another worker has taken it meanwhile."""
    ours = ReportRun.objects.filter(pk=run.pk, state=State.PENDING, lease_until=run.lease_until)
    run.attempts, lease = run.attempts + 1, at + LEASE
    if not ours.update(state=State.SENDING, attempts=run.attempts, lease_until=lease):
        return False
    run.state, run.lease_until = State.SENDING, lease
    return True


def _answered(run: ReportRun, outcome: Outcome, at: datetime) -> str:
    if outcome.state in ("rejected", "unreachable"):
        return _end(run, State.FAILED, at, outcome.detail)
    run.message_id = (outcome.provider_ref or "")[:200]
    run.sent_at = at
    with transaction.atomic():
        if not _leave(run, State.SENT, at):
            # It took longer than anybody waits, and was taken for doubtful: now it is known.
            ReportRun.objects.filter(pk=run.pk, state=State.DOUBTFUL).update(
                state=State.SENT, error="", sent_at=at, message_id=run.message_id
            )
    return run.state


def _again(run: ReportRun, at: datetime, detail: str, wait: timedelta | None) -> str:
    if run.attempts >= MOST_ATTEMPTS:
        return _end(run, State.GIVEN_UP, at, detail)
    patience = backoff(run.attempts, key=key_of(run), first=FIRST_WAIT, longest=LONGEST_WAIT)
    with transaction.atomic():
        _leave(run, State.PENDING, at, error=detail, send_at=at + max(wait or timedelta(0), patience))
    return "waiting"


def _end(run: ReportRun, state: State, at: datetime, error: str = "") -> str:
    with transaction.atomic():
        _leave(run, state, at, error=error)
    return run.state


def _leave(run: ReportRun, state: State, at: datetime, *, error: str = "", send_at: datetime | None = None) -> bool:
    """Write how it stands, where the row is still as this worker left it; whether it was. An end is an event."""
    same = ReportRun.objects.filter(pk=run.pk, state=run.state, lease_until=run.lease_until)
    run.state, run.error, run.send_at, run.lease_until = state, error[:300], send_at, None
    columns: dict[str, Any] = {
        name: getattr(run, name) for name in ("state", "error", "send_at", "lease_until", "message_id", "sent_at")
    }
    if not same.update(**columns):
        return False
    if state != State.PENDING:
        reports.note_end(run, at=at)
    return True
