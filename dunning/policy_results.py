"""What came back from customers after the notices of a policy: complaints, answers, and what checks found in the texts.

All of it is read from the history, where the room above writes it down. A complaint and an answer belong to the last
notice that the account got within ``WITHIN`` before: what was on the customer's mind is not known, what reached them
last is. A finding that somebody called wrong does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from dunning import kinds
from dunning.models import Experiment, PolicyVersion

LOOKS_BACK = timedelta(days=90)
WITHIN = timedelta(days=14)
#: Scores are 1 to 5; from this one on somebody is satisfied.
SATISFIED_FROM = 4


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of the notices of one step, or of one arm of an experiment."""

    #: The step's code, or the arm's.
    name: str
    template: str
    sent: int
    findings: int
    breaches: int
    complaints: int
    answers: int
    satisfied: int

    @property
    def complaint_rate(self) -> float | None:
        """Complaints for a thousand notices; none where none was sent."""
        return 1_000 * self.complaints / self.sent if self.sent else None

    @property
    def satisfaction(self) -> float | None:
        """Answers of 4 and 5 as a share of all; none where nobody answered."""
        return self.satisfied / self.answers if self.answers else None


# A finding stands for its text; what was said of it last counts.
_FINDINGS = """
    SELECT e.payload ->> 'key' AS key, e.payload ->> 'severity' AS severity
      FROM accounts_accountevent e
     WHERE e.kind = %(found)s AND e."on" BETWEEN %(since)s AND %(as_of)s AND {condition}
       AND coalesce((SELECT j.payload ->> 'verdict' FROM accounts_accountevent j
                      WHERE j.account_id = e.account_id AND j.kind = %(judged)s
                        AND j.payload ->> 'finding' = e.payload ->> 'finding'
                      ORDER BY j.id DESC LIMIT 1), '') <> 'wrong'
"""

# What customers said, each with the last notice that reached the account before.
_SAID = """
    SELECT n.id, e.kind, (e.payload ->> 'score')::int AS score
      FROM accounts_accountevent e
      JOIN LATERAL (
           SELECT n.id, n.case_id FROM dunning_notice n
            WHERE n.account_id = e.account_id AND n.sent_at <= e.at AND n.sent_at > e.at - %(within)s
            ORDER BY n.sent_at DESC, n.id DESC LIMIT 1) n ON true
     WHERE e.kind IN (%(complaint)s, %(answer)s) AND e."on" BETWEEN %(since)s AND %(as_of)s
"""

_OF_VERSION = f"""
    WITH sent AS MATERIALIZED (
        SELECT n.id, n.key, n.step_code, n.template
          FROM dunning_notice n JOIN dunning_case c ON c.id = n.case_id
         WHERE c.version_id = %(version)s AND n.sent_at >= %(since)s AND n.sent_at < %(until)s
    ), found AS ({_FINDINGS.format(condition="e.policy = %(policy)s")}), said AS ({_SAID})
    SELECT s.step_code, s.template, count(DISTINCT s.id),
           (SELECT count(*) FROM found f JOIN sent t USING (key)
             WHERE (t.step_code, t.template) = (s.step_code, s.template)),
           (SELECT count(*) FROM found f JOIN sent t USING (key)
             WHERE (t.step_code, t.template) = (s.step_code, s.template) AND f.severity = 'breach'),
           count(h.kind) FILTER (WHERE h.kind = %(complaint)s),
           count(h.kind) FILTER (WHERE h.kind = %(answer)s),
           count(h.kind) FILTER (WHERE h.kind = %(answer)s AND h.score >= %(satisfied)s)
      FROM sent s LEFT JOIN said h USING (id)
     GROUP BY s.step_code, s.template ORDER BY s.step_code, s.template
"""

_OF_ARMS = f"""
    WITH sent AS MATERIALIZED (
        SELECT n.id, n.key, a.arm_id
          FROM dunning_assignment a
          JOIN dunning_notice n ON n.account_id = a.account_id
           AND (n.sent_at AT TIME ZONE %(zone)s)::date BETWEEN a."on" AND a."on" + %(days)s
         WHERE a.experiment_id = %(experiment)s AND n.sent_at < %(until)s
    ), found AS ({_FINDINGS.format(condition="true")}), said AS ({_SAID})
    SELECT s.arm_id, '', count(DISTINCT s.id),
           (SELECT count(*) FROM found f JOIN sent t USING (key) WHERE t.arm_id = s.arm_id),
           (SELECT count(*) FROM found f JOIN sent t USING (key) WHERE t.arm_id = s.arm_id AND f.severity = 'breach'),
           count(h.kind) FILTER (WHERE h.kind = %(complaint)s),
           count(h.kind) FILTER (WHERE h.kind = %(answer)s),
           count(h.kind) FILTER (WHERE h.kind = %(answer)s AND h.score >= %(satisfied)s)
      FROM sent s LEFT JOIN said h USING (id)
     GROUP BY s.arm_id
"""


def heard_of(version: PolicyVersion, *, as_of: date) -> list[Heard]:
    """By step and template of the version, of the notices of the last 90 days, in their order. Two queries."""
    since = as_of - LOOKS_BACK
    asked = {"version": version.pk, "policy": str(version)}
    codes = version.steps.order_by("position", "pk").values_list("code", flat=True)
    order = {code: place for place, code in enumerate(codes)}
    found = [Heard(*row) for row in _rows(_OF_VERSION, since=since, as_of=as_of, **asked)]
    return sorted(found, key=lambda one: (order.get(one.name, len(order)), one.name, one.template))


def heard_in(experiment: Experiment, *, as_of: date) -> dict[int, Heard]:
    """By the key of the arm, of the notices to its accounts within the days that count. One query."""
    rows = _rows(
        _OF_ARMS, since=experiment.starts_on, as_of=as_of, experiment=experiment.pk, days=experiment.metric_days
    )
    return {int(row[0]): Heard(str(row[0]), *row[1:]) for row in rows}


def _rows(sql: str, *, since: date, as_of: date, **asked: Any) -> list[tuple[Any, ...]]:
    named: dict[str, Any] = {
        "since": since,
        "as_of": as_of,
        "until": as_of + timedelta(days=1),
        "within": WITHIN,
        "found": kinds.FINDING_MADE,
        "judged": kinds.FINDING_JUDGED,
        "complaint": kinds.COMPLAINT,
        "answer": kinds.SURVEY_ANSWERED,
        "satisfied": SATISFIED_FROM,
        "zone": settings.DESK_TIME_ZONE,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, named | asked)
        return list(cursor.fetchall())
