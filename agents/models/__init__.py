"""The rows of the people's room.

``people``     agents with their skills, and teams
``queue``      an account's place in the agents' queue, its order, what was suggested and taken back
``talk``       calls as they go on and as they were, dispositions, identity, the script, notes
``agreement``  promises, plans, extensions, settlements, downgrades, budgets; disputes with their evidence and clocks
``oversight``  figures as they stood, targets, costs, paid time, complaints, customers' answers, who decides for whom
``quality``    score cards, what is sampled and reviewed, calibration, coaching, what checks found
``checked``    how far the checks of words have come
``reports``    figures by mail: when, to whom, what became of each mail
``door``       idempotent API answers, visits of customers to their page, webhooks and their calls
"""

from __future__ import annotations

from agents.models.agreement import (
    Agreed,
    Budget,
    Dispute,
    DisputeClock,
    DisputeEvidence,
    Downgrade,
    Extension,
    Instalment,
    Plan,
    Promise,
    Settlement,
)
from agents.models.checked import CheckedText, CheckedUntil
from agents.models.door import ApiAnswer, PortalVisit, Webhook, WebhookCall
from agents.models.oversight import (
    Asked,
    Complaint,
    ComplaintClock,
    Cost,
    Delegation,
    KpiTarget,
    MessageSeen,
    Snapshot,
    Stale,
    Standing,
    StandingDay,
    Stretch,
    Survey,
    TeamMessage,
)
from agents.models.people import Agent, Team
from agents.models.quality import (
    Answer,
    CalibrationRound,
    Coaching,
    Criterion,
    Finding,
    Review,
    SamplingRule,
    ScoreCard,
    Severity,
    Subject,
    WordCheck,
)
from agents.models.queue import ActEffect, CallEffect, QueueOrder, Suggestion, Undo, WorkItem
from agents.models.reports import ReportRecipient, ReportRun, ReportSchedule
from agents.models.talk import Disposition, IdentityCheck, Interaction, LiveCall, Note, ScriptText

__all__ = [
    "ActEffect",
    "Agent",
    "Agreed",
    "Answer",
    "ApiAnswer",
    "Asked",
    "Budget",
    "CalibrationRound",
    "CallEffect",
    "CheckedText",
    "CheckedUntil",
    "Coaching",
    "Complaint",
    "ComplaintClock",
    "Cost",
    "Criterion",
    "Delegation",
    "Disposition",
    "Dispute",
    "DisputeClock",
    "DisputeEvidence",
    "Downgrade",
    "Extension",
    "Finding",
    "IdentityCheck",
    "Instalment",
    "Interaction",
    "KpiTarget",
    "LiveCall",
    "MessageSeen",
    "Note",
    "Plan",
    "PortalVisit",
    "Promise",
    "QueueOrder",
    "ReportRecipient",
    "ReportRun",
    "ReportSchedule",
    "Review",
    "SamplingRule",
    "ScoreCard",
    "ScriptText",
    "Settlement",
    "Severity",
    "Snapshot",
    "Stale",
    "Standing",
    "StandingDay",
    "Stretch",
    "Subject",
    "Suggestion",
    "Survey",
    "Team",
    "TeamMessage",
    "Undo",
    "Webhook",
    "WebhookCall",
    "WordCheck",
    "WorkItem",
]
