"""What reviews came to: of one person over time and question by question, of teams, and what checks found.

A fixed number of queries each, however many reviews there are. Calibration counts in none of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Avg, Case, Count, Exists, F, FloatField, Max, OuterRef, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Cast, TruncWeek

from agents import coaching, findings, reviewing, score_cards
from agents.models import (
    Agent,
    Answer,
    Coaching,
    Criterion,
    Disposition,
    Finding,
    Interaction,
    Review,
    Severity,
    Team,
)

#: A person's course is shown over so many weeks, and compared with as many days before.
WEEKS = 12
LATELY = timedelta(days=28)
MOST_CHECKS = 20


def moment(day: date) -> datetime:
    """The beginning of a day on the desk's clock."""
    return datetime.combine(day, time.min, tzinfo=ZoneInfo(settings.DESK_TIME_ZONE))


# One person ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Week:
    """A week that begins on that Monday: its reviews and their mean score."""

    monday: date
    reviews: int
    score: Decimal


@dataclass(frozen=True, slots=True)
class Course:
    """One question over time, of 1: lately, and in as many days before; none where it was not answered."""

    code: str
    text: str
    section: str
    critical: bool
    answers: int
    lately: float | None
    before: float | None
    missed: int

    @property
    def change(self) -> float | None:
        """How much better, in parts of the best answer."""
        return None if self.lately is None or self.before is None else self.lately - self.before


def weeks(agent: Agent, *, as_of: date) -> list[Week]:
    """The person's mean by week, the oldest first; weeks without a review are left out. One query."""
    since = moment(as_of - timedelta(days=as_of.weekday(), weeks=WEEKS - 1))
    rows = (
        reviewing.own(agent)
        .filter(reviewed_at__gte=since, score__isnull=False)
        .annotate(week=TruncWeek("reviewed_at", tzinfo=ZoneInfo(settings.DESK_TIME_ZONE)))
        .order_by()
        .values("week")
        .annotate(n=Count("pk"), mean=Avg("score"))
        .order_by("week")
    )
    return [Week(row["week"].date(), row["n"], row["mean"]) for row in rows]


#: An answer as a part of the best one.
_PART: Any = Case(
    When(criterion__answers=Criterion.Answers.SCALE, then=Cast(F("value"), FloatField()) / Value(4.0)),
    default=Cast(F("value"), FloatField()),
    output_field=FloatField(),
)


def courses(agents: QuerySet[Agent] | Agent, *, as_of: date) -> list[Course]:
    """Every question that was answered of their work lately or before, in the order of the cards. One query.

    Questions are followed by card and code, through the versions of the card.
    """
    mine = Q(review__agent=agents) if isinstance(agents, Agent) else Q(review__agent__in=agents)
    recent = Q(review__reviewed_at__gte=moment(as_of - LATELY))
    rows = (
        Answer.objects.filter(
            mine,
            review__state=Review.State.DONE,
            review__calibration=None,
            review__reviewed_at__gte=moment(as_of - 2 * LATELY),
            value__isnull=False,
        )
        .order_by()
        .values("criterion__card__code", "criterion__code")
        .annotate(
            text=Max("criterion__text"),
            section=Max("criterion__section"),
            place=Max("criterion__position"),
            heavy=Count("pk", filter=Q(criterion__critical=True)),
            n=Count("pk", filter=recent),
            lately=Avg(_PART, filter=recent),
            before=Avg(_PART, filter=~recent),
            missed=Count("pk", filter=recent & Q(value=0)),
        )
        .order_by("criterion__card__code", "place", "criterion__code")
    )
    return [
        Course(
            code=row["criterion__code"],
            text=row["text"],
            section=row["section"],
            critical=row["heavy"] > 0,
            answers=row["n"],
            lately=row["lately"],
            before=row["before"],
            missed=row["missed"],
        )
        for row in rows
    ]


# Teams --------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Line:
    """A team, or one person of it, over some days."""

    name: str
    #: Login of the person; empty for a team.
    who: str = ""
    conversations: int = 0
    #: Of those conversations, the ones that were reviewed since; and reviews of whatever work that were done.
    looked_at: int = 0
    reviews: int = 0
    scores: int = 0
    total: Decimal = Decimal(0)
    passed: int = 0
    critical: int = 0
    waiting: int = 0
    late: int = 0
    coached: int = 0
    answered: int = 0

    @property
    def score(self) -> Decimal | None:
        """The mean of the reviews, from their sum; none without one."""
        return self.total / self.scores if self.scores else None

    @property
    def share(self) -> float | None:
        """Of the conversations, those that were reviewed; none without a conversation."""
        return self.looked_at / self.conversations if self.conversations else None

    def add(self, other: Line) -> None:
        """Sums add up; means are made of them afterwards."""
        for name in (
            "conversations", "looked_at", "reviews", "scores", "total", "passed", "critical", "waiting", "late",
            "coached", "answered",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True, slots=True)
class Teams:
    """What the user may see: everybody together, each team with its people."""

    whole: Line
    teams: list[tuple[Line, list[Line]]]


def teams(user: Any, *, as_of: date, days: int) -> Teams:
    """How much of each team's work was reviewed in the last ``days`` days, and what it came to. Five queries.

    Conversations are counted by when they were had, reviews by when they were done.
    """
    since = moment(as_of - timedelta(days=days - 1))
    mine = reviewing.people(user)
    people = {
        person.pk: (person, Line(str(person), person.username))
        for person in Agent.objects.filter(pk__in=mine.values("pk")).select_related("team").order_by("username")
    }
    _count_talks(people, since)
    _count_reviews(user, people, since, as_of)
    rows = coaching.visible(user).filter(written_at__gte=since).order_by()
    for row in rows.values("agent").annotate(n=Count("pk"), told=Count("answered_at")):
        if row["agent"] in people:
            line = people[row["agent"]][1]
            line.coached, line.answered = row["n"], row["told"]
    by_team: dict[Team | None, list[Line]] = defaultdict(list)
    for person, line in people.values():
        by_team[person.team].append(line)
    whole, found = Line(""), []
    for team in sorted(by_team, key=lambda team: (team is None, team.name if team else "")):
        together = Line(team.name if team else "")
        for line in by_team[team]:
            together.add(line)
        whole.add(together)
        found.append((together, by_team[team]))
    return Teams(whole, found)


_People = dict[int, tuple[Agent, Line]]


def _count_talks(people: _People, since: datetime) -> None:
    talked = Disposition.objects.filter(conversation=True).values("code")
    rows = Interaction.objects.filter(
        agent__in=list(people), at__gte=since, kind=Interaction.Kind.CALL, disposition__in=talked, undone_at=None
    )
    judged = Review.objects.filter(interaction=OuterRef("pk"), calibration=None, state=Review.State.DONE)
    counted = rows.order_by().annotate(judged=Exists(judged)).values_list("agent")
    for agent_id, count, looked_at in counted.annotate(n=Count("pk"), seen=Count("pk", filter=Q(judged=True))):
        people[agent_id][1].conversations, people[agent_id][1].looked_at = count, looked_at


def _count_reviews(user: Any, people: _People, since: datetime, as_of: date) -> None:
    over = Q(state=Review.State.DONE, reviewed_at__gte=since)
    left = Q(state__in=reviewing.TO_DO)
    rows = (
        reviewing.visible(user)
        .filter(over | left, agent__isnull=False)
        .order_by()
        .values("agent")
        .annotate(
            done=Count("pk", filter=over),
            scores=Count("score", filter=over),
            total=Sum("score", filter=over),
            passed=Count("pk", filter=over & Q(passed=True)),
            failed=Count("pk", filter=over & Q(critical=True)),
            waiting=Count("pk", filter=left),
            late=Count("pk", filter=left & Q(due_on__lt=as_of)),
        )
    )
    for row in rows:
        if row["agent"] not in people:
            continue
        line = people[row["agent"]][1]
        line.reviews, line.scores = row["done"], row["scores"]
        line.total = row["total"] or Decimal(0)
        line.passed, line.critical = row["passed"], row["failed"]
        line.waiting, line.late = row["waiting"], row["late"]


# What checks found --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """One check, or one step of the policies: how often it found something, and what people said of that."""

    name: str
    severity: str
    found: int
    right: int
    wrong: int

    @property
    def unseen(self) -> int:
        return self.found - self.right - self.wrong


def _found(user: Any, since: datetime) -> QuerySet[Finding]:
    """What the user may read of it, what was found in their own words left out."""
    return findings.visible(user).filter(found_at__gte=since).exclude(agent=user)


def by_check(user: Any, *, since: datetime) -> list[Found]:
    """What was found, by check, the most frequent first. One query."""
    return _counted(_found(user, since), "check_code")


def by_step(user: Any, *, since: datetime) -> list[Found]:
    """What was found in texts to customers, by the step of the policy that sent them. One query."""
    return _counted(_found(user, since).filter(notice__isnull=False), "notice__step_code")


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts that a step of a policy sent, as far as somebody reviewed them."""

    policy: str
    step: str
    reviews: int
    score: Decimal | None
    critical: int


def texts(user: Any, *, since: datetime) -> list[Texts]:
    """What reviews say of texts, by policy and step, the worst first. One query."""
    rows = (
        reviewing.visible(user)
        .filter(notice__isnull=False, state=Review.State.DONE, reviewed_at__gte=since)
        .order_by()
        .values("notice__case__version__policy__code", "notice__step_code")
        .annotate(n=Count("pk"), mean=Avg("score"), failed=Count("pk", filter=Q(critical=True)))
        .order_by("mean", "notice__step_code")[:MOST_CHECKS]
    )
    return [
        Texts(
            policy=row["notice__case__version__policy__code"] or "",
            step=row["notice__step_code"],
            reviews=row["n"],
            score=row["mean"],
            critical=row["failed"],
        )
        for row in rows
    ]


def _counted(rows: QuerySet[Finding], name: str) -> list[Found]:
    counted: Iterable[dict[str, Any]] = (
        rows.order_by()
        .values(name)
        .annotate(
            n=Count("pk"),
            worst=Max(findings.WEIGHT),
            right=Count("pk", filter=Q(verdict=Finding.Verdict.RIGHT)),
            wrong=Count("pk", filter=Q(verdict=Finding.Verdict.WRONG)),
        )
        .order_by("-n", name)[:MOST_CHECKS]
    )
    return [Found(row[name], Severity.values[row["worst"]], row["n"], row["right"], row["wrong"]) for row in counted]


def top_of(answer: Answer) -> int:
    """The best answer to its question."""
    return score_cards.TOP[answer.criterion.answers]


def coaching_of(agent: Agent, user: Any) -> list[Coaching]:
    """What the user may read of what was written to that person, what is open first. One query."""
    rows = coaching.visible(user).filter(agent=agent).select_related("written_by", "goal", "review")
    return list(rows.order_by(F("closed_at").desc(nulls_first=True), "-written_at", "-pk")[:50])
