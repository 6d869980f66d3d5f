"""Which work is reviewed: drawn by rule and at random at the close of a day.

The chance is a digest of the rule and the piece of work, not a die: the same day closed twice draws the same, a day
that was missed is made up for, and nobody draws again until they like what they see. A share of what matches is a
threshold on that digest. So many for each agent in a week are spread over its working days by systematic sampling with
a random start (Cochran, Sampling Techniques, 3rd ed. 1977, chapter 8): another digest, of rule, agent and week.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import (
    CharField,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    Window,
)
from django.db.models.functions import MD5, Cast, Collate, Concat, RowNumber, Substr
from django.utils.translation import gettext_noop as _

from accounts.refusals import Refused
from agents.models import (
    Agent,
    Complaint,
    Disposition,
    Finding,
    Interaction,
    Note,
    Review,
    SamplingRule,
    Severity,
    Subject,
    Survey,
)
from dunning.models import Notice

#: So far back work is drawn: what customers say of a call, and days that were missed, come later than the call.
LOOKS_BACK = timedelta(days=14)
#: A complaint so many days after the work is about it.
FOLLOWS_WITHIN = timedelta(days=14)
#: A rule draws so many at a time: one wrong word in a text that everybody gets is not a thousand reviews.
MOST_AT_ONCE = 200
WORKING_DAYS = 5
#: Which column names the piece, by subject; notes name their author in text.
PIECE = {Subject.CALL: "interaction", Subject.NOTE: "note", Subject.NOTICE: "notice"}
_ROWS: dict[str, Any] = {Subject.CALL: Interaction, Subject.NOTE: Note, Subject.NOTICE: Notice}
_WHEN = {Subject.CALL: "at", Subject.NOTE: "at", Subject.NOTICE: "sent_at"}
_AUTHOR = "agent:"
_FULL = 16**8


class CannotSample(Refused):
    """The conditions of a rule cannot be read."""

    code = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What work must be like to be drawn; what is not stated is not asked."""

    #: Codes of dispositions, any of them; or only talks that were a conversation.
    dispositions: tuple[str, ...] = ()
    conversation: bool = False
    #: A check found something of at least that weight, which nobody called wrong.
    severity: str = ""
    #: The customer judged it so, of 5, or worse.
    survey_at_most: int | None = None
    #: They complained within two weeks.
    complaint: bool = False
    #: Called although the gate said no.
    override: bool = False
    #: Seconds.
    longer_than: int | None = None
    shorter_than: int | None = None
    #: Of somebody in their first so many days.
    new_agent_days: int | None = None
    #: Names of teams, segments; two-letter countries; codes of the policy's steps.
    teams: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


#: What can be asked of which work.
ASKED: dict[str, frozenset[str]] = {
    Subject.CALL: frozenset(field.name for field in fields(Conditions)) - {"steps"},
    Subject.NOTE: frozenset({"severity", "complaint", "new_agent_days", "teams", "segments", "countries"}),
    Subject.NOTICE: frozenset({"severity", "complaint", "segments", "countries", "steps"}),
}
_LISTS = frozenset({"dispositions", "teams", "segments", "countries", "steps"})
_FLAGS = frozenset({"conversation", "complaint", "override"})


def read(conditions: Mapping[str, Any], *, subject: str) -> Conditions:
    """The conditions of a rule. Raises ``CannotSample`` for what is unknown, or cannot be asked of that work."""
    if unknown := sorted(set(conditions) - ASKED[subject]):
        raise CannotSample(_("Cannot be asked of this work: %(names)s.") % {"names": ", ".join(unknown)})
    told: dict[str, Any] = {}
    for name, value in conditions.items():
        if name in _LISTS:
            good = isinstance(value, list) and all(isinstance(each, str) for each in value)
        elif name in _FLAGS:
            good = isinstance(value, bool)
        elif name == "severity":
            good = value in Severity.values
        else:
            good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if not good:
            raise CannotSample(_("Cannot be read: %(names)s.") % {"names": name})
        told[name] = tuple(value) if name in _LISTS else value
    return Conditions(**told)


# What matches -------------------------------------------------------------------------------------------------------


def work(subject: str, conditions: Conditions, *, since: datetime, until: datetime) -> QuerySet[Any]:
    """The pieces of that time that meet the conditions, with ``by`` (the agent's key; none for a text of the desk).

    Calls and notes that nobody here made are left out; so is what was taken back.
    """
    when = _WHEN[Subject(subject)]
    rows: QuerySet[Any] = _ROWS[subject].objects.filter(**{f"{when}__gte": since, f"{when}__lt": until})
    if subject == Subject.CALL:
        rows = rows.filter(agent__isnull=False, kind=Interaction.Kind.CALL, undone_at=None).annotate(by=F("agent_id"))
    elif subject == Subject.NOTE:
        authors = Agent.objects.filter(username=Substr(OuterRef("by"), len(_AUTHOR) + 1))
        rows = rows.filter(by__startswith=_AUTHOR, undone_at=None).annotate(whose=Subquery(authors.values("pk")[:1]))
        rows = rows.filter(whose__isnull=False)
    for name in ASKED[subject]:
        asked = getattr(conditions, name)
        if asked not in (None, "", (), False):
            rows = _CONDITIONS[name](rows, asked, subject)
    return rows


def author(subject: str) -> str | None:
    """The name of the column of ``work`` that has whose it is."""
    return {Subject.CALL: "agent_id", Subject.NOTE: "whose"}.get(Subject(subject))


def _found(rows: QuerySet[Any], least: Any, subject: str) -> QuerySet[Any]:
    heavy = Severity.values[Severity.values.index(least) :]
    found = Finding.objects.filter(**{PIECE[Subject(subject)]: OuterRef("pk")}, severity__in=heavy)
    return rows.filter(Exists(found.exclude(verdict=Finding.Verdict.WRONG)))


def _judged(rows: QuerySet[Any], most: Any, subject: str) -> QuerySet[Any]:
    return rows.filter(Exists(Survey.objects.filter(interaction=OuterRef("pk"), score__lte=most)))


def _complained(rows: QuerySet[Any], asked: Any, subject: str) -> QuerySet[Any]:
    when = _WHEN[Subject(subject)]
    day = OuterRef(f"{when}__date")
    later = Complaint.objects.filter(
        account=OuterRef("account"), received_on__gte=day, received_on__lte=day + FOLLOWS_WITHIN
    )
    # Few accounts complain: the others are passed over before a day is compared.
    rows = rows.filter(account__in=Complaint.objects.order_by().values("account"))
    if subject != Subject.CALL:
        return rows.filter(Exists(later))
    return rows.filter(Q(Exists(later)) | Q(Exists(Complaint.objects.filter(interaction=OuterRef("pk")))))


def _new(rows: QuerySet[Any], days: Any, subject: str) -> QuerySet[Any]:
    joined = Agent.objects.filter(
        pk=OuterRef(author(subject) or ""), date_joined__gt=OuterRef(_WHEN[Subject(subject)]) - timedelta(days=days)
    )
    return rows.filter(Exists(joined))


def _of_teams(rows: QuerySet[Any], names: Any, subject: str) -> QuerySet[Any]:
    return rows.filter(Exists(Agent.objects.filter(pk=OuterRef(author(subject) or ""), team__name__in=names)))


def _talked(rows: QuerySet[Any], asked: Any, subject: str) -> QuerySet[Any]:
    return rows.filter(disposition__in=Disposition.objects.filter(conversation=True).values("code"))


_CONDITIONS: dict[str, Callable[[QuerySet[Any], Any, str], QuerySet[Any]]] = {
    "dispositions": lambda rows, codes, _subject: rows.filter(disposition__in=codes),
    "conversation": _talked,
    "severity": _found,
    "survey_at_most": _judged,
    "complaint": _complained,
    "override": lambda rows, _asked, _subject: rows.exclude(override_code=""),
    "longer_than": lambda rows, seconds, _subject: rows.filter(duration_seconds__gt=seconds),
    "shorter_than": lambda rows, seconds, _subject: rows.filter(duration_seconds__lt=seconds),
    "new_agent_days": _new,
    "teams": _of_teams,
    "segments": lambda rows, names, _subject: rows.filter(account__segment__in=names),
    "countries": lambda rows, codes, _subject: rows.filter(account__customer__country__in=codes),
    "steps": lambda rows, codes, _subject: rows.filter(step_code__in=codes),
}


# The draw -----------------------------------------------------------------------------------------------------------


def draw(*, as_of: date, at: datetime) -> int:
    """What every active rule draws at the close of the day; how many reviews that are. A second time: none.

    A fixed number of queries for each rule, however much work there was. What has a review gets no second one.
    """
    drawn = 0
    for rule in SamplingRule.objects.filter(active=True).order_by("pk"):
        chosen = _share_of(rule, at) if rule.percent is not None else _weekly_of(rule, as_of=as_of, at=at)
        drawn += _to_be_reviewed(rule, chosen, as_of=as_of)
    return drawn


def _digest(*parts: Any) -> Any:
    """Eight hexadecimal digits of the parts, compared as they are written."""
    text = [Value(part) if isinstance(part, str) else Cast(part, CharField()) for part in parts]
    return Collate(Substr(MD5(Concat(*text)), 1, 8), "C")


def _unseen(rows: QuerySet[Any], subject: str) -> QuerySet[Any]:
    seen = Review.objects.filter(**{PIECE[Subject(subject)]: OuterRef("pk")}, calibration=None)
    return rows.filter(~Exists(seen))


def _share_of(rule: SamplingRule, at: datetime) -> list[tuple[int, int, int | None]]:
    """Key, account and agent of what the share takes: the digest is under the threshold. One query."""
    below = int(_FULL * Decimal(rule.percent or 0) / 100)
    rows = work(rule.subject, read(rule.conditions, subject=rule.subject), since=at - LOOKS_BACK, until=at)
    rows = _unseen(rows, rule.subject).annotate(chance=_digest(f"{rule.code}:", F("pk")))
    if below < _FULL:
        rows = rows.filter(chance__lt=f"{below:08x}")
    whose = author(rule.subject)
    found = rows.order_by("chance", "pk").values_list("pk", "account_id", *filter(None, [whose]))[:MOST_AT_ONCE]
    return [(row[0], row[1], row[2] if whose else None) for row in found]


def _weekly_of(rule: SamplingRule, *, as_of: date, at: datetime) -> list[tuple[int, int, int | None]]:
    """Of this week and the last, what of each agent's quota is not drawn yet. Two queries a week."""
    whose = author(rule.subject)
    if whose is None or not rule.per_agent_week:
        return []
    zone = ZoneInfo(settings.DESK_TIME_ZONE)
    monday = as_of - timedelta(days=as_of.weekday())
    chosen: list[tuple[int, int, int | None]] = []
    for first in (monday - timedelta(days=7), monday):
        since = datetime.combine(first, time.min, tzinfo=zone)
        until = min(datetime.combine(first + timedelta(days=7), time.min, tzinfo=zone), at)
        elapsed = min((as_of - first).days + 1, WORKING_DAYS)
        rows = work(rule.subject, read(rule.conditions, subject=rule.subject), since=since, until=until)
        before = _drawn_of(rule, since=since, until=until)
        ranked = (
            _unseen(rows, rule.subject)
            .annotate(chance=_digest(f"{rule.code}:{first}:", F("pk")))
            .annotate(rank=Window(RowNumber(), partition_by=F(whose), order_by=(F("chance").asc(), F("pk").asc())))
            .filter(rank__lte=rule.per_agent_week)
        )
        for pk, account_id, agent_id, rank in ranked.values_list("pk", "account_id", whose, "rank"):
            quota = due_by(rule.per_agent_week, elapsed, start=_start(rule.code, agent_id, first))
            if rank <= quota - before.get(agent_id, 0):
                chosen.append((pk, account_id, agent_id))
    return chosen


def due_by(wanted: int, elapsed: int, *, start: float) -> int:
    """How many of a week's are drawn once so many of its working days began; ``start``, 0 to under 1, spreads them."""
    return int(wanted * min(elapsed, WORKING_DAYS) / WORKING_DAYS + start)


def _start(code: str, agent_id: int, week: date) -> float:
    digest = hashlib.md5(f"{code}:{agent_id}:{week}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) / _FULL


def _drawn_of(rule: SamplingRule, *, since: datetime, until: datetime) -> dict[int, int]:
    """How many this rule drew of each agent's work of that time."""
    when = f"{PIECE[Subject(rule.subject)]}__{_WHEN[Subject(rule.subject)]}"
    rows = Review.objects.filter(rule=rule, agent__isnull=False, **{f"{when}__gte": since, f"{when}__lt": until})
    return dict(rows.values_list("agent").annotate(n=Count("pk")).values_list("agent", "n"))


def _to_be_reviewed(rule: SamplingRule, chosen: list[tuple[int, int, int | None]], *, as_of: date) -> int:
    """Reviews of what was drawn, in one insert; what somebody asked for meanwhile is not asked for twice."""
    piece = PIECE[Subject(rule.subject)]
    due_on = as_of + timedelta(days=rule.due_days)
    Review.objects.bulk_create(
        [
            Review(
                **{f"{piece}_id": pk},
                account_id=account_id,
                agent_id=agent_id,
                card_id=rule.card_id,
                rule=rule,
                drawn_on=as_of,
                due_on=due_on,
            )
            for pk, account_id, agent_id in chosen
        ],
        ignore_conflicts=True,
        batch_size=1000,
    )
    return len(chosen)
