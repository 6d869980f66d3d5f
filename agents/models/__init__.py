"""The rows of the people's room.

``people``     agents and teams
``queue``      an account's place in the agents' queue
``talk``       interactions, dispositions, notes
``agreement``  promises, plans, instalments, disputes
``door``       idempotent API answers, visits of customers to their page, webhooks and their calls
"""

from __future__ import annotations

from agents.models.agreement import Dispute, Instalment, Plan, Promise
from agents.models.door import ApiAnswer, PortalVisit, Webhook, WebhookCall
from agents.models.people import Agent, Team
from agents.models.queue import WorkItem
from agents.models.talk import Disposition, Interaction, Note

__all__ = [
    "Agent",
    "ApiAnswer",
    "Disposition",
    "Dispute",
    "Instalment",
    "Interaction",
    "Note",
    "Plan",
    "PortalVisit",
    "Promise",
    "Team",
    "Webhook",
    "WebhookCall",
    "WorkItem",
]
