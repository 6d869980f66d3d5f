"""Figures by mail: who wants what and when, who may still get it, and which mails a day asks for.

A report is of a day that was recorded: it leaves at its hour, and not before the close of its day has recorded the
figures. Where days were missed it is of the latest recorded one, once. Each mail is a row before it is anything else;
``report_sending`` hands it over.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import business_day, events
from accounts.refusals import Refused
from agents import kinds, rights, scopes, snapshots
from agents.interface_language import LANGUAGES
from agents.models import Agent, ReportRecipient, ReportRun, ReportSchedule
from agents.scopes import Scope

Every = ReportSchedule.Every
State = ReportRun.State

#: What a report may have, in its order; ``agents.report_mail`` knows what each of them is.
PARTS = {
    "figures": gettext_noop("Figures"),
    "ageing": gettext_noop("Overdue by age, over time"),
    "rolls": gettext_noop("Where money rolled"),
    "promises": gettext_noop("What became of promises"),
    "contacts": gettext_noop("From the queue to a kept promise"),
    "costs": gettext_noop("What collecting cost"),
    "complaints": gettext_noop("Complaints and customers' answers"),
}
#: Of one report, so many people and addresses at most.
MOST_RECIPIENTS = 50
#: So many mails of a report are listed.
LISTED = 50
#: Who may end a subscription by a link is in the link; another use of the same key opens nothing.
_SALT = "reports by mail: stop"
_OUTCOMES = (State.SENT, State.WITHHELD, State.FAILED, State.GIVEN_UP, State.DOUBTFUL)


class CannotSchedule(Refused):
    """This report, of this scope or to these people, is not theirs to order; or it says nothing."""

    code = "invalid"


class NotTheirs(Refused):
    """There is no such report, or it is somebody else's."""

    code = "not_found"


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What somebody orders. ``outside``: addresses with the language of each."""

    title: str
    every: str
    weekday: int = 1
    month_day: int = 1
    hour: int = 7
    scope: Scope = scopes.EVERYTHING
    days: int = 7
    currency: str = ""
    parts: Sequence[str] = tuple(PARTS)
    people: Sequence[Agent] = ()
    outside: Sequence[tuple[str, str]] = ()


# When ---------------------------------------------------------------------------------------------------------------


def is_its_day(schedule: ReportSchedule, day: date) -> bool:
    """Whether the report is of such a day."""
    if schedule.every == Every.WEEK:
        return day.isoweekday() == schedule.weekday
    if schedule.every == Every.MONTH:
        return day.day == min(schedule.month_day, calendar.monthrange(day.year, day.month)[1])
    return True


def next_day(schedule: ReportSchedule, *, after: date) -> date:
    """The first day of the report later than ``after``."""
    day = after + timedelta(days=1)
    while not is_its_day(schedule, day):
        day += timedelta(days=1)
    return day


def leaves_at(schedule: ReportSchedule, day: date) -> datetime:
    """The moment from which the report of a day may leave: its hour in the operator's zone.

    An hour that a change of clocks leaves out is the one after it; one that comes twice is the first.
    """
    local = datetime.combine(day, time(schedule.hour), tzinfo=ZoneInfo(settings.DESK_TIME_ZONE))
    # A moment of an hour that is left out equals none in another zone.
    return local.astimezone(UTC)


def _due_day(schedule: ReportSchedule, *, at: datetime) -> date | None:
    """The day that a due report is of: the latest one whose hour has come and whose close recorded it.

    None while its own day is not recorded: it waits.
    """
    today = business_day.calendar_date(at=at)
    latest = today if leaves_at(schedule, today) <= at else today - timedelta(days=1)
    closed = business_day.completed()
    if closed is None:
        return None
    found = snapshots.last_recorded(until=min(latest, closed))
    return found if found is not None and found >= schedule.next_on else None


def _plan_next(schedule: ReportSchedule, *, at: datetime) -> None:
    """Its next day: today while its hour is still to come."""
    yesterday = business_day.calendar_date(at=at) - timedelta(days=1)
    day = next_day(schedule, after=yesterday)
    if leaves_at(schedule, day) <= at:
        day = next_day(schedule, after=day)
    schedule.next_on, schedule.next_at = day, leaves_at(schedule, day)


# Whose --------------------------------------------------------------------------------------------------------------


def visible(user: Agent) -> QuerySet[ReportSchedule]:
    """The reports that the user keeps: their own; for an admin everybody's."""
    if not scopes.allowed(user):
        return ReportSchedule.objects.none()
    every = ReportSchedule.objects.all()
    return every if rights.ADMIN in rights.roles(user) else every.filter(owner=user)


def subscriptions(user: Agent) -> QuerySet[ReportRecipient]:
    """Where the user is on somebody's list, or was until they said that they want no more."""
    rows = ReportRecipient.objects.filter(agent=user).filter(Q(left_at=None) | Q(unsubscribed=True))
    return rows.select_related("schedule__owner").order_by("schedule__title", "pk")


def possible_readers(by: Agent) -> QuerySet[Agent]:
    """Everybody who may look at some of what ``by`` may look at, and so may be put on a list; a report's own scope is
    judged when it is ordered, and again with every mail.
    """
    sees = Agent.objects.filter(is_active=True).filter(
        Q(is_superuser=True) | Q(groups__name__in=rights.roles_with(rights.Act.SEE_KPIS))
    )
    above_the_wall = Q(is_superuser=True) | Q(groups__name=rights.ADMIN) | Q(all_teams=True)
    others = Q(team__isnull=False) if rights.sees_all_teams(by) else Q(team_id=by.team_id or 0)
    return sees.filter(above_the_wall | others).distinct().order_by("first_name", "last_name", "username")


def scope_of(schedule: ReportSchedule) -> Scope:
    return Scope(schedule.dimension, schedule.member)


def objection(schedule: ReportSchedule, reader: Agent | None, address: str = "") -> str:
    """Why somebody gets nothing of the report now; empty where they may have it.

    For an address outside, its domain must be allowed and whoever ordered the report must still see what it is of.
    """
    scope = scope_of(schedule)
    if reader is not None:
        if not scopes.allowed(reader).covers(scope):
            return gettext_noop("may not see these figures any more")
        return "" if reader.email else gettext_noop("has no mail address")
    if not is_allowed_outside(address):
        return gettext_noop("mails to this domain are not allowed")
    return (
        ""
        if scopes.allowed(schedule.owner).covers(scope)
        else gettext_noop("who ordered it may not see these figures any more")
    )


def language_of(reader: Agent | None, recipient: ReportRecipient | None = None) -> str:
    """In which of the desk's languages somebody reads it: as the list says, else as their account has it."""
    wanted = [recipient.language if recipient is not None else "", reader.interface_language if reader else ""]
    return next((language for language in wanted if language in LANGUAGES), "en")


def is_allowed_outside(address: str) -> bool:
    """Whether reports may leave for that address, as the settings list domains."""
    return address.rpartition("@")[2].lower() in settings.DESK_REPORT_DOMAINS


# Ordering -----------------------------------------------------------------------------------------------------------


def order(terms: Terms, *, by: Agent, at: datetime) -> ReportSchedule:
    """A report from now on. Raises ``CannotSchedule``."""
    with transaction.atomic():
        schedule = ReportSchedule(owner=by)
        _take(schedule, terms, by=by, at=at)
        ReportSchedule.objects.bulk_create([schedule])
        _write_recipients(schedule, terms, by=by, at=at)
        _record(schedule, kinds.REPORT_ORDERED, by=by, at=at)
    return schedule


def change(schedule_id: int, terms: Terms, *, by: Agent, at: datetime) -> ReportSchedule:
    """Order it otherwise. Raises ``CannotSchedule``, and ``NotTheirs``."""
    with transaction.atomic():
        schedule = _own(schedule_id, by)
        _take(schedule, terms, by=by, at=at)
        schedule.save(update_fields=[*_TERMS, "next_on", "next_at"])
        _write_recipients(schedule, terms, by=by, at=at)
        _record(schedule, kinds.REPORT_CHANGED, by=by, at=at)
    return schedule


def pause(schedule_id: int, *, by: Agent, at: datetime) -> bool:
    """Nothing more is sent of it, also of what waits; whether it was not paused before. Raises ``NotTheirs``."""
    with transaction.atomic():
        schedule = _own(schedule_id, by)
        if not schedule.active:
            return False
        schedule.active = False
        schedule.save(update_fields=["active"])
        _record(schedule, kinds.REPORT_PAUSED, by=by, at=at)
    return True


def resume(schedule_id: int, *, by: Agent, at: datetime) -> bool:
    """From its next day on it is sent again; whether it was paused. Raises ``NotTheirs``."""
    with transaction.atomic():
        schedule = _own(schedule_id, by)
        if schedule.active:
            return False
        schedule.active = True
        _plan_next(schedule, at=at)
        schedule.save(update_fields=["active", "next_on", "next_at"])
        _record(schedule, kinds.REPORT_RESUMED, by=by, at=at)
    return True


_TERMS = (
    "title", "every", "weekday", "month_day", "hour", "dimension", "member", "days", "currency", "parts",
)  # fmt: skip


def _own(schedule_id: int, user: Agent) -> ReportSchedule:
    """Locked for the transaction. Raises ``NotTheirs``."""
    rows = visible(user).select_for_update(of=("self",)).select_related("owner__team")
    schedule = rows.filter(pk=schedule_id).first()
    if schedule is None:
        raise NotTheirs("There is no such report.")
    return schedule


def _take(schedule: ReportSchedule, terms: Terms, *, by: Agent, at: datetime) -> None:
    if not scopes.allowed(by).covers(terms.scope):
        raise CannotSchedule(_("These figures are not yours to see."), code="forbidden")
    if not terms.title.strip():
        raise CannotSchedule(_("Give it a title."))
    if terms.days not in snapshots.WINDOWS:
        raise CannotSchedule(_("A report is of a length that is recorded every day."))
    if not terms.parts or not set(terms.parts) <= PARTS.keys():
        raise CannotSchedule(_("Choose what is in it."))
    schedule.title, schedule.every = terms.title.strip(), terms.every
    schedule.weekday, schedule.month_day, schedule.hour = terms.weekday, terms.month_day, terms.hour
    schedule.dimension, schedule.member = terms.scope.dimension, terms.scope.member
    schedule.days, schedule.currency = terms.days, terms.currency
    schedule.parts = [part for part in PARTS if part in terms.parts]
    _plan_next(schedule, at=at)


def _write_recipients(schedule: ReportSchedule, terms: Terms, *, by: Agent, at: datetime) -> None:
    """Bring the list to what was ordered: who is missing leaves it, who is new joins it."""
    people = {person.pk: person for person in terms.people}
    outside = {address.strip().lower(): language for address, language in terms.outside}
    if not people and not outside:
        raise CannotSchedule(_("Say who is to get it."))
    if len(people) + len(outside) > MOST_RECIPIENTS:
        raise CannotSchedule(_("A report goes to %(most)s at most.") % {"most": MOST_RECIPIENTS})
    for person in people.values():
        if not scopes.allowed(person).covers(terms.scope):
            raise CannotSchedule(_("%(person)s may not see these figures.") % {"person": person})
    for address, language in outside.items():
        _check_outside(address, language)
    kept = {(row.agent_id, row.address): row for row in schedule.recipients.select_for_update(of=("self",))}
    wanted = [*((pk, "") for pk in people), *((None, address) for address in outside)]
    for key, row in kept.items():
        if key not in wanted and row.left_at is None:
            row.left_at = at
            row.save(update_fields=["left_at"])
    for pk, address in wanted:
        language = outside.get(address, "")
        found = kept.get((pk, address))
        if found is None:
            ReportRecipient.objects.create(schedule=schedule, agent_id=pk, address=address, language=language)
            continue
        if found.unsubscribed and pk != by.pk:
            raise CannotSchedule(
                _("%(person)s wants no more of it, and is put back by themselves alone.") % {"person": found}
            )
        found.left_at, found.unsubscribed, found.language = None, False, language
        found.save(update_fields=["left_at", "unsubscribed", "language"])


def _check_outside(address: str, language: str) -> None:
    try:
        validate_email(address)
    except ValidationError:
        raise CannotSchedule(_("%(address)s is no mail address.") % {"address": address}) from None
    if not is_allowed_outside(address):
        raise CannotSchedule(
            _("Reports may not be sent to %(domain)s.") % {"domain": address.rpartition("@")[2]}, code="forbidden"
        )
    if language and language not in LANGUAGES:
        raise CannotSchedule(_("The desk speaks %(languages)s.") % {"languages": ", ".join(LANGUAGES)})


# Mails to send ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Due:
    """A report that is due: of which day, to whom. No day: it waits for the close of its own."""

    schedule: ReportSchedule
    as_of: date | None
    recipients: Sequence[ReportRecipient]


def due(*, at: datetime, as_of: date | None = None) -> list[Due]:
    """What would be made now, or of that day whatever the hour: for whoever only asks. Nothing is written or locked."""
    rows = ReportSchedule.objects.filter(active=True).select_related("owner__team").order_by("next_at", "pk")
    if as_of is None:
        asked = [(row, _due_day(row, at=at)) for row in rows.filter(next_at__lte=at)]
    else:
        day = as_of if snapshots.last_recorded(until=as_of) == as_of else None
        asked = [(row, day) for row in rows if is_its_day(row, as_of)]
    return [Due(row, day, _lacking(row, day)) for row, day in asked]


def fall_due(*, at: datetime) -> int:
    """Make the mails of every report that is due and whose day is recorded; how many. Safe beside other workers."""
    waiting = ReportSchedule.objects.filter(active=True, next_at__lte=at).order_by("next_at", "pk")
    made = 0
    for pk in list(waiting.values_list("pk", flat=True)):
        with transaction.atomic():
            schedule = waiting.select_for_update(skip_locked=True).filter(pk=pk).first()
            day = _due_day(schedule, at=at) if schedule is not None else None
            if schedule is None or day is None:
                continue
            made += _make(schedule, day, at=at)
            schedule.next_on = next_day(schedule, after=day)
            schedule.next_at = leaves_at(schedule, schedule.next_on)
            schedule.save(update_fields=["next_on", "next_at"])
    return made


def make_of_day(*, as_of: date, at: datetime) -> int:
    """Make the mails of a recorded day that its reports have not made yet, whatever the hour; how many."""
    if snapshots.last_recorded(until=as_of) != as_of:
        return 0
    made = 0
    for pk in list(ReportSchedule.objects.filter(active=True).order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            schedule = ReportSchedule.objects.select_for_update().get(pk=pk)
            if schedule.active and is_its_day(schedule, as_of):
                made += _make(schedule, as_of, at=at)
    return made


def _lacking(schedule: ReportSchedule, day: date | None) -> list[ReportRecipient]:
    """Who is on the list and has no mail of that day."""
    rows = schedule.recipients.filter(left_at=None).select_related("agent__team").order_by("pk")
    return list(rows.exclude(runs__as_of=day) if day is not None else rows)


def _make(schedule: ReportSchedule, day: date, *, at: datetime) -> int:
    rows = [
        ReportRun(schedule=schedule, as_of=day, recipient=recipient, made_at=at, send_at=at)
        for recipient in _lacking(schedule, day)
    ]
    ReportRun.objects.bulk_create(rows)
    return len(rows)


def ask(schedule_id: int, *, by: Agent, at: datetime) -> ReportRun:
    """One mail of the latest recorded day to whoever asks, beside the list.

    Raises ``CannotSchedule`` and ``NotTheirs``.
    """
    schedule = visible(by).filter(pk=schedule_id).first()
    if schedule is None:
        raise NotTheirs("There is no such report.")
    day = snapshots.last_recorded(until=business_day.business_date(at=at))
    if day is None:
        raise CannotSchedule(_("No day has been recorded yet."))
    if not by.email:
        raise CannotSchedule(_("Your account has no mail address."))
    return ReportRun.objects.create(schedule=schedule, as_of=day, asked_by=by, made_at=at, send_at=at)


def send_again(run_id: int, *, by: Agent, at: datetime) -> bool:
    """Another round for a mail that did not leave, or may not have arrived; whether it was one.

    Raises ``NotTheirs``.
    """
    rows = ReportRun.objects.filter(pk=run_id, schedule__in=visible(by))
    if not rows.exists():
        raise NotTheirs("There is no such mail.")
    again = rows.filter(state__in=(State.WITHHELD, State.FAILED, State.GIVEN_UP, State.DOUBTFUL))
    return bool(again.update(state=State.PENDING, attempts=0, send_at=at, error=""))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the mails of a report's latest day: how many are in which state."""

    as_of: date
    states: dict[str, int]


def outcomes(schedules: Collection[int]) -> dict[int, Outcome]:
    """Of each report its latest day, whoever asked for themselves left out. One query."""
    latest = ReportRun.objects.filter(schedule=OuterRef("schedule"), recipient__isnull=False).order_by("-as_of")
    rows = ReportRun.objects.filter(schedule__in=schedules, recipient__isnull=False)
    rows = rows.filter(as_of=Subquery(latest.values("as_of")[:1]))
    found: dict[int, Outcome] = {}
    for schedule, as_of, state, count in rows.values_list("schedule", "as_of", "state").annotate(n=Count("pk")):
        found.setdefault(schedule, Outcome(as_of, {})).states[state] = count
    return found


def runs(schedule: ReportSchedule) -> list[ReportRun]:
    """The latest mails of a report, the newest first. One query."""
    return list(schedule.runs.select_related("recipient__agent", "asked_by").order_by("-pk")[:LISTED])


# No more of it ------------------------------------------------------------------------------------------------------


def stop_token(recipient: ReportRecipient) -> str:
    """What the link in a mail says of whose subscription it ends."""
    return signing.dumps(recipient.pk, salt=_SALT)


def of_token(token: str) -> ReportRecipient | None:
    """Whose subscription a link ends; none for one that is not ours."""
    try:
        pk = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        return None
    return ReportRecipient.objects.select_related("schedule", "agent").filter(pk=pk).first()


def stop(recipient: ReportRecipient, *, at: datetime) -> bool:
    """They want no more of it, and nobody else puts them back; whether they were on the list."""
    with transaction.atomic():
        rows = ReportRecipient.objects.filter(pk=recipient.pk, left_at=None)
        if not rows.update(left_at=at, unsubscribed=True):
            return False
        actor = rights.actor(recipient.agent) if recipient.agent is not None else "desk:reports"
        _write(recipient.schedule, kinds.REPORT_STOPPED, actor=actor, at=at, recipient=recipient.pk)
    return True


def join_again(recipient: ReportRecipient, *, at: datetime) -> bool:
    """They want it again after all; whether they had stopped it."""
    with transaction.atomic():
        rows = ReportRecipient.objects.filter(pk=recipient.pk, unsubscribed=True)
        if recipient.agent is None or not rows.update(left_at=None, unsubscribed=False):
            return False
        actor = rights.actor(recipient.agent)
        _write(recipient.schedule, kinds.REPORT_REJOINED, actor=actor, at=at, recipient=recipient.pk)
    return True


def note_end(run: ReportRun, *, at: datetime) -> None:
    """An event of what became of a mail, in the caller's transaction."""
    assert run.state in _OUTCOMES
    kind = kinds.REPORT_SENT if run.state == State.SENT else kinds.REPORT_NOT_SENT
    _write(
        run.schedule, kind, actor="desk:reports", at=at, reason=run.error,
        run=run.pk, as_of=run.as_of, recipient=run.recipient_id,
        to=run.asked_by.username if run.asked_by is not None else "", state=run.state,
    )  # fmt: skip


def _record(schedule: ReportSchedule, kind: str, *, by: Agent, at: datetime) -> None:
    listed = schedule.recipients.filter(left_at=None).order_by("pk")
    people = list(listed.exclude(agent=None).values_list("agent__username", flat=True))
    _write(
        schedule,
        kind,
        actor=rights.actor(by),
        at=at,
        every=schedule.every,
        next_on=schedule.next_on,
        people=people,
        outside=listed.filter(agent=None).count(),
    )


def _write(schedule: ReportSchedule, kind: str, *, actor: str, at: datetime, reason: str = "", **told: object) -> None:
    """An event of the desk itself; no address in it."""
    events.record(
        account_id=None,
        kind=kind,
        actor=actor,
        at=at,
        on=business_day.business_date(at=at),
        reason=reason,
        payload={"report": schedule.pk, "scope": str(scope_of(schedule)), "days": schedule.days, **told},
    )
