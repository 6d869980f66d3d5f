"""The rows of the decisions.

``policy``  policies, their versions and steps
``case``    episodes and the steps taken in them
``notice``  messages to customers, and orders to the network
``agency``  outside agencies and what was placed with them
``outbox``  the local counterpart of every gateway: what the customer got
"""

from __future__ import annotations

from dunning.models.agency import Agency, Placement
from dunning.models.case import BillStep, Case, CaseStep
from dunning.models.notice import Notice, ServiceOrder
from dunning.models.outbox import OutboxMessage
from dunning.models.policy import Policy, PolicyVersion, Step

__all__ = [
    "Agency",
    "BillStep",
    "Case",
    "CaseStep",
    "Notice",
    "OutboxMessage",
    "Placement",
    "Policy",
    "PolicyVersion",
    "ServiceOrder",
    "Step",
]
