"""The rows of the decisions.

``policy``      policies, their versions and steps, who changed them
``segment``     named groups of accounts
``experiment``  champion and challengers
``dry_run``     a policy tried on the book
``hold_rule``   the effect matrix of holds
``case``        episodes and the steps taken in them
``notice``      messages to customers, and orders to the network
``gate``        rule packs as they are used, and every decision of the contact gate
``inbound``     what customers write back, and when they answer
``wording``     texts of notices as an admin writes them, print runs
``agency``      outside agencies, what was placed with them, files and commission
``write_off``   what was given up
``outbox``      the local counterpart of every gateway: what the customer got
"""

from __future__ import annotations

from dunning.models.agency import Agency, AgencyFile, Commission, Placement
from dunning.models.case import BillStep, Case, CaseStep
from dunning.models.dry_run import DryRun
from dunning.models.experiment import Arm, Assignment, Experiment, GuardRail
from dunning.models.gate import GateDecision, MarketPacks, PackChange, RulePackVersion
from dunning.models.hold_rule import HoldRule
from dunning.models.inbound import ContactHabit, InboundMessage
from dunning.models.notice import Confirmation, Notice, ServiceOrder
from dunning.models.outbox import OutboxMessage
from dunning.models.policy import Policy, PolicyChange, PolicyVersion, Step
from dunning.models.segment import Segment
from dunning.models.wording import NoticeText, PrintRun
from dunning.models.write_off import WriteOff

__all__ = [
    "Agency",
    "AgencyFile",
    "Arm",
    "Assignment",
    "BillStep",
    "Case",
    "CaseStep",
    "Commission",
    "Confirmation",
    "ContactHabit",
    "DryRun",
    "Experiment",
    "GateDecision",
    "GuardRail",
    "HoldRule",
    "InboundMessage",
    "MarketPacks",
    "Notice",
    "NoticeText",
    "OutboxMessage",
    "PackChange",
    "Placement",
    "Policy",
    "PolicyChange",
    "PolicyVersion",
    "PrintRun",
    "RulePackVersion",
    "Segment",
    "ServiceOrder",
    "Step",
    "WriteOff",
]
