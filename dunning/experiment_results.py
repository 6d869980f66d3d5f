"""What came of an experiment: every account counts in the arm it was assigned to, whatever happened to it later.

That is intention to treat: an account whose arm was stopped, that paid before its first notice or that was moved to
another version by hand is counted where chance put it, or the arms would no longer be alike. All four metrics are over
the same days, 1 to N after the assignment:

collected
    Payments received by the payer and by the accounts it pays for, less those of them reversed by day N, as a share of
    what was past due on the day of assignment; from 0 to 1 for each account, so that one large bill decides nothing.
    The mean of these shares, currencies together. Money that came on the day of assignment is owed to no arm: it may
    have come before.
cured
    Accounts that came to owe nothing past due (their status became current) by day N. An account that only pays for
    others shows nothing in its own status: it counts as not cured, in every arm alike.
complaints
    Accounts with a complaint recorded by day N.
suspensions
    Accounts of which the network confirmed a limit of any service by day N, whatever was given back later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from accounts.events import STATUS_CHANGED
from accounts.models import AccountEvent
from dunning import kinds
from dunning.models import Arm, Experiment
from dunning.trial_statistics import (
    CONFIDENCE,
    Interval,
    Mean,
    Verdict,
    judge,
    mean_interval,
    newcombe,
    welch,
    wilson,
)

COLLECTED, CURED = str(Experiment.Metric.COLLECTED), str(Experiment.Metric.CURED)
COMPLAINTS, SUSPENSIONS = str(Experiment.Metric.COMPLAINTS), str(Experiment.Metric.SUSPENSIONS)
HIGHER_IS_BETTER = frozenset({COLLECTED, CURED})

NOT_NAMED = "Not what the experiment was set up to decide."
NO_COMPLAINTS = "No complaints are recorded yet, in this experiment or elsewhere."


class Sample(NamedTuple):
    """What the accounts of one arm came to: those counted, and all that were assigned."""

    n: int
    assigned: int
    collected: float
    #: Of the sample, over n - 1.
    variance: float
    cured: int
    complaints: int
    suspensions: int

    def value(self, metric: str) -> float:
        """The metric, as a share; 0 for an arm without accounts."""
        if metric == COLLECTED:
            return self.collected
        return self._count(metric) / self.n if self.n else 0.0

    def interval(self, metric: str) -> Interval:
        if metric == COLLECTED:
            return mean_interval(self._mean)
        return wilson(self._count(metric), self.n)

    def less(self, other: Sample, metric: str, *, confidence: float = CONFIDENCE) -> Interval:
        """The interval of this arm's metric less the other's."""
        if metric == COLLECTED:
            return welch(self._mean, other._mean, confidence=confidence)
        return newcombe(self._count(metric), self.n, other._count(metric), other.n, confidence=confidence)

    @property
    def _mean(self) -> Mean:
        return Mean(self.n, self.collected, self.variance)

    def _count(self, metric: str) -> int:
        return {CURED: self.cured, COMPLAINTS: self.complaints, SUSPENSIONS: self.suspensions}[metric]


EMPTY = Sample(0, 0, 0.0, 0.0, 0, 0, 0)

_SAMPLES = """
    WITH a AS MATERIALIZED (
        SELECT id, arm_id, account_id, "on", "on" + %(days)s AS until, overdue,
               %(everybody)s OR "on" + %(days)s < %(as_of)s AS counts
          FROM dunning_assignment WHERE experiment_id = %(experiment)s AND "on" <= %(as_of)s
    ), members AS (
        SELECT id, account_id AS member, "on", until FROM a
        UNION ALL
        SELECT a.id, c.id, a."on", a.until
          FROM a JOIN accounts_account c ON c.parent_id = a.account_id AND NOT c.pays_itself
    ), received AS (
        SELECT m.id, sum(CASE WHEN o.id IS NULL THEN p.amount ELSE -p.amount END) AS net
          FROM members m
          JOIN accounts_payment p ON p.account_id = m.member AND p.received_on > m."on" AND p.received_on <= m.until
           AND p.received_on BETWEEN %(since)s AND %(as_of)s
          LEFT JOIN accounts_payment o ON o.id = p.reverses_id
         WHERE o.id IS NULL OR o.received_on > m."on"
         GROUP BY m.id
    ), happened AS (
        SELECT a.id, bool_or(e.kind = %(status)s) AS cured, bool_or(e.kind = %(complaint)s) AS complained
          FROM a JOIN accounts_accountevent e ON e.account_id = a.account_id AND e."on" BETWEEN a."on" AND a.until
         WHERE e."on" BETWEEN %(since)s AND %(as_of)s
           AND (e.kind = %(complaint)s OR e.kind = %(status)s AND e.payload ->> 'to' = 'current')
         GROUP BY a.id
    ), limited AS (
        SELECT DISTINCT a.id
          FROM a JOIN dunning_serviceorder s ON s.account_id = a.account_id AND s.kind = 'limit'
           AND s.state = 'confirmed' AND (s.confirmed_at AT TIME ZONE %(zone)s)::date BETWEEN a."on" AND a.until
         WHERE (s.confirmed_at AT TIME ZONE %(zone)s)::date <= %(as_of)s
    ), account AS (
        SELECT a.arm_id, a.counts, least(greatest(coalesce(r.net, 0) / a.overdue, 0), 1)::float8 AS collected,
               coalesce(h.cured, false) AS cured, coalesce(h.complained, false) AS complained,
               l.id IS NOT NULL AS limited
          FROM a LEFT JOIN received r USING (id) LEFT JOIN happened h USING (id) LEFT JOIN limited l USING (id)
    )
    SELECT arm_id, count(*) FILTER (WHERE counts), count(*),
           coalesce(avg(collected) FILTER (WHERE counts), 0), coalesce(var_samp(collected) FILTER (WHERE counts), 0),
           count(*) FILTER (WHERE counts AND cured), count(*) FILTER (WHERE counts AND complained),
           count(*) FILTER (WHERE counts AND limited)
      FROM account GROUP BY arm_id
"""


def samples(experiment: Experiment, *, as_of: date, everybody: bool = False) -> dict[int, Sample]:
    """What each arm's accounts came to by the end of ``as_of``, by the key of the arm. One statement.

    Counted are the accounts whose N days are over; with ``everybody`` all of them, with what happened so far.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _SAMPLES,
            {
                "experiment": experiment.pk,
                "days": experiment.metric_days,
                "everybody": everybody,
                "as_of": as_of,
                "since": experiment.starts_on,
                "status": STATUS_CHANGED,
                "complaint": kinds.COMPLAINT,
                "zone": settings.DESK_TIME_ZONE,
            },
        )
        return {arm: Sample(*row) for arm, *row in cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm in one metric. Shares, 0 to 1; ``difference`` is the arm less the champion."""

    arm: Arm
    n: int
    under_way: int
    value: float
    interval: Interval
    difference: float | None
    difference_interval: Interval | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class MetricResult:
    """All arms in one metric."""

    metric: str
    label: str
    #: Whether it was named before the experiment began: it alone decides.
    decides: bool
    higher_is_better: bool
    #: What must be said with it.
    note: str
    #: Empty for complaints while none is recorded anywhere.
    arms: tuple[ArmResult, ...]


@dataclass(frozen=True, slots=True)
class Results:
    """The named metric first."""

    experiment: Experiment
    as_of: date
    metrics: tuple[MetricResult, ...]
    #: Accounts whose N days are over, and those still under way.
    n: int
    under_way: int


def results(experiment: Experiment, *, as_of: date) -> Results:
    """All four metrics of every arm by the end of ``as_of``; three or four statements, whatever the number of accounts.

    Only accounts whose N days are over count; an interval holds 95 times in a hundred, each taken alone.
    """
    found = samples(experiment, as_of=as_of)
    arms = list(experiment.arms.order_by("position", "pk"))
    named = str(experiment.metric)
    order = sorted(Experiment.Metric.values, key=lambda metric: metric != named)
    complaints = any(sample.complaints for sample in found.values()) or complaints_are_recorded()
    metrics = tuple(
        MetricResult(
            metric=metric,
            label=label_of(metric, experiment.metric_days),
            decides=metric == named,
            higher_is_better=metric in HIGHER_IS_BETTER,
            note=_note(metric, named, complaints),
            arms=() if metric == COMPLAINTS and not complaints else tuple(_arm_results(arms, found, metric)),
        )
        for metric in order
    )
    counted = sum(sample.n for sample in found.values())
    total = sum(sample.assigned for sample in found.values())
    return Results(experiment, as_of, metrics, counted, total - counted)


def _arm_results(arms: list[Arm], found: Mapping[int, Sample], metric: str) -> list[ArmResult]:
    champion = next((arm.pk for arm in arms if arm.role == Arm.Role.CHAMPION), 0)
    against = found.get(champion, EMPTY)
    told = []
    for arm in arms:
        sample = found.get(arm.pk, EMPTY)
        difference: dict[str, Any] = {"difference": None, "difference_interval": None, "verdict": None}
        if arm.pk != champion:
            interval = sample.less(against, metric)
            fewest = min(sample.n, against.n)
            difference = {
                "difference": sample.value(metric) - against.value(metric) if fewest else None,
                "difference_interval": interval if fewest else None,
                "verdict": judge(interval, higher_is_better=metric in HIGHER_IS_BETTER, fewest=fewest),
            }
        told.append(
            ArmResult(
                arm=arm,
                n=sample.n,
                under_way=sample.assigned - sample.n,
                value=sample.value(metric),
                interval=sample.interval(metric),
                **difference,
            )
        )
    return told


def complaints_are_recorded() -> bool:
    """Whether a complaint was ever recorded: where none is, none says nothing. One query."""
    return AccountEvent.objects.filter(kind=kinds.COMPLAINT).exists()


def label_of(metric: str, days: int) -> str:
    """The metric's name with its days: ``Share of accounts cured by day 30``."""
    return str(Experiment.Metric(metric).label).replace("day N", f"day {days}")


def _note(metric: str, named: str, complaints: bool) -> str:
    notes = [NOT_NAMED] if metric != named else []
    if metric == COMPLAINTS and not complaints:
        notes.append(NO_COMPLAINTS)
    return " ".join(notes)
