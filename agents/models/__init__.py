"""The rows of the people's room.

``people``     agents with their skills, and teams
``queue``      an account's place in the agents' queue, its order, what was suggested and taken back
``talk``       calls as they go on and as they were, dispositions, identity, the script, notes
``agreement``  promises, plans, extensions, settlements, downgrades, budgets; disputes with their evidence and clocks
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
from agents.models.door import ApiAnswer, PortalVisit, Webhook, WebhookCall
from agents.models.people import Agent, Team
from agents.models.queue import ActEffect, CallEffect, QueueOrder, Suggestion, Undo, WorkItem
from agents.models.talk import Disposition, IdentityCheck, Interaction, LiveCall, Note, ScriptText

__all__ = [
    "ActEffect",
    "Agent",
    "Agreed",
    "ApiAnswer",
    "Budget",
    "CallEffect",
    "Disposition",
    "Dispute",
    "DisputeClock",
    "DisputeEvidence",
    "Downgrade",
    "Extension",
    "IdentityCheck",
    "Instalment",
    "Interaction",
    "LiveCall",
    "Note",
    "Plan",
    "PortalVisit",
    "Promise",
    "QueueOrder",
    "ScriptText",
    "Settlement",
    "Suggestion",
    "Team",
    "Undo",
    "Webhook",
    "WebhookCall",
    "WorkItem",
]
