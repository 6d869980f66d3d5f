"""Kinds of events in words, with a drawing and a colour: for the timeline and the audit trail.

Every kind that is written anywhere in the product has its words here.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from accounts import events
from agents import kinds
from agents.words import said
from dunning import kinds as dunning_kinds

_TITLES = {
    events.STATUS_CHANGED: _("Account status changed"),
    events.SERVICE_CHANGED: _("Service changed"),
    events.MONEY_MOVED: _("Money moved"),
    events.HOLD_PLACED: _("Hold placed"),
    events.HOLD_LIFTED: _("Hold lifted"),
    events.SERVICE_KEPT: _("Service kept from limits"),
    events.SERVICE_LET_GO: _("Service follows the policy again"),
    events.FEE_CHARGED: _("Fee charged"),
    events.FEE_WAIVED: _("Fee waived"),
    events.RECOVERY_RECEIVED: _("Recovered of a write-off"),
    events.RECOVERY_RETURNED: _("A recovery went back"),
    events.PERSONAL_DATA_READ: _("Personal data read"),
    events.CONSENT_GIVEN: _("Contact allowed"),
    events.CONSENT_WITHDRAWN: _("Contact stopped"),
    events.PREFERENCE_NOTED: _("Wish about contact noted"),
    events.PREFERENCE_ENDED: _("Wish about contact ended"),
    events.REPRESENTATIVE_NOTED: _("Somebody speaks for the customer"),
    events.REPRESENTATIVE_ENDED: _("Speaks for the customer no longer"),
    events.REPRESENTATIVE_WRITTEN_TO: _("Written to who speaks for the customer"),
    events.REPRESENTATIVE_ANSWERED: _("Who speaks for the customer answered"),
    events.VULNERABILITY_NOTED: _("Support need noted"),
    events.VULNERABILITY_REVIEWED: _("Support need looked at again"),
    events.VULNERABILITY_ENDED: _("Support need ended"),
    events.TIME_ZONE_STATED: _("The customer told us their clock"),
    events.LANGUAGE_STATED: _("The customer chose their language"),
    dunning_kinds.CASE_OPENED: _("Case opened"),
    dunning_kinds.CASE_CLOSED: _("Case closed"),
    dunning_kinds.CASE_MIGRATED: _("Case moved to another version of its policy"),
    dunning_kinds.CASE_RE_ENTERED: _("Case goes on after a broken agreement"),
    dunning_kinds.STEP_TAKEN: _("Step taken"),
    dunning_kinds.STEP_WAITING: _("Step waits"),
    dunning_kinds.TASK_REQUESTED: _("Task for a person"),
    dunning_kinds.WRITTEN_OFF: _("Written off"),
    dunning_kinds.WRITE_OFF_REQUESTED: _("Write-off asked for"),
    dunning_kinds.WRITE_OFF_DECLINED: _("Write-off declined"),
    dunning_kinds.PLACED: _("Given to an agency"),
    dunning_kinds.RECALLED: _("Called back from the agency"),
    dunning_kinds.PLACEMENT_TOLD: _("Agency told"),
    dunning_kinds.PLACEMENT_ACKNOWLEDGED: _("Agency answered"),
    dunning_kinds.AGENCY_FILE_MADE: _("File for an agency made"),
    dunning_kinds.AGENCY_FILE_ACKNOWLEDGED: _("Agency took its file"),
    dunning_kinds.COMMISSION_EARNED: _("Commission earned by the agency"),
    dunning_kinds.COMMISSION_CHANGED: _("Commission of the agency changed"),
    dunning_kinds.SERVICES_RESTORED: _("Services to be restored"),
    dunning_kinds.NOTICE_SENT: _("Notice sent"),
    dunning_kinds.NOTICE_DELIVERED: _("Notice delivered"),
    dunning_kinds.NOTICE_WITHDRAWN: _("Notice withdrawn"),
    dunning_kinds.NOTICE_FAILED: _("Notice failed"),
    dunning_kinds.NOTICE_DOUBTFUL: _("Notice that may have gone or not"),
    dunning_kinds.NOTICE_RESENT: _("Notice sent again by hand"),
    dunning_kinds.ORDER_SENT: _("Order sent to the network"),
    dunning_kinds.ORDER_CONFIRMED: _("Order confirmed by the network"),
    dunning_kinds.ORDER_WITHDRAWN: _("Order withdrawn"),
    dunning_kinds.ORDER_FAILED: _("Order failed"),
    dunning_kinds.ORDER_ASKED_AGAIN: _("Order asked of the network again"),
    dunning_kinds.CONTACT_REFUSED: _("Contact not allowed"),
    dunning_kinds.MESSAGE_RECEIVED: _("The customer wrote"),
    dunning_kinds.MESSAGE_READ_AGAIN: _("Message understood otherwise by a person"),
    dunning_kinds.MESSAGE_PLACED: _("Message put to this account"),
    dunning_kinds.MESSAGE_DONE: _("Message dealt with"),
    dunning_kinds.POLICY_DRAFTED: _("Policy drafted"),
    dunning_kinds.POLICY_PUBLISHED: _("Policy published"),
    dunning_kinds.POLICY_DRAFT_DELETED: _("Draft of a policy deleted"),
    dunning_kinds.POLICY_TRIED: _("Policy tried on the book"),
    dunning_kinds.POLICY_REACH_ACCEPTED: _("Reach of a policy accepted"),
    dunning_kinds.POLICY_PUT_ON_TRIAL: _("Policy put on trial"),
    dunning_kinds.SEGMENT_CHANGED: _("Segment changed"),
    dunning_kinds.EXPERIMENT_STARTED: _("Experiment started"),
    dunning_kinds.EXPERIMENT_ARM_STOPPED: _("Arm of an experiment stopped"),
    dunning_kinds.EXPERIMENT_ENDED: _("Experiment ended"),
    dunning_kinds.HOLD_RULES_CHANGED: _("Rules of holds changed"),
    dunning_kinds.COMPLAINT: _("Complaint recorded"),
    kinds.ITEM_QUEUED: _("Put into the queue"),
    kinds.ITEM_CLAIMED: _("Taken in hand"),
    kinds.ITEM_RELEASED: _("Given back to the queue"),
    kinds.ITEM_COMPLETED: _("Worked and completed"),
    kinds.ITEM_PINNED: _("Put on top of the queue"),
    kinds.ITEM_UNPINNED: _("No longer on top of the queue"),
    kinds.ITEM_REASSIGNED: _("Given to another team"),
    kinds.ITEM_BROUGHT_FORWARD: _("Its turn brought forward"),
    kinds.QUEUE_ORDERED: _("The queue's order changed"),
    kinds.CALL_DIALLED: _("Number dialled"),
    kinds.CALL_CAME_IN: _("The customer called"),
    kinds.CALL_DISCLOSED: _("Said what must be said"),
    kinds.CALL_GIVEN_UP: _("Call given up without an outcome"),
    kinds.CALL_LOGGED: _("Call logged"),
    kinds.IDENTITY_CHECKED: _("Identity checked"),
    kinds.CONTACT_RECORDED: _("Contact recorded"),
    kinds.NOTE_ADDED: _("Note added"),
    kinds.PROMISE_MADE: _("Promise to pay"),
    kinds.PROMISE_KEPT: _("Promise kept"),
    kinds.PROMISE_REOPENED: _("Promise open again"),
    kinds.PROMISE_PART_KEPT: _("Promise kept in part"),
    kinds.PROMISE_BROKEN: _("Promise broken"),
    kinds.PROMISE_CANCELLED: _("Promise cancelled"),
    kinds.PLAN_AGREED: _("Plan agreed"),
    kinds.PLAN_APPROVED: _("Plan approved"),
    kinds.PLAN_DECLINED: _("Plan declined"),
    kinds.PLAN_KEPT: _("Plan kept to the end"),
    kinds.PLAN_BROKEN: _("Plan broken"),
    kinds.PLAN_CANCELLED: _("Plan cancelled"),
    kinds.INSTALMENT_KEPT: _("Instalment paid"),
    kinds.EXTENSION_AGREED: _("Time to pay given"),
    kinds.EXTENSION_APPROVED: _("Time to pay approved"),
    kinds.EXTENSION_DECLINED: _("Time to pay declined"),
    kinds.EXTENSION_ENDED: _("Time to pay ended"),
    kinds.EXTENSION_CANCELLED: _("Time to pay cancelled"),
    kinds.SETTLEMENT_OFFERED: _("Settlement offered"),
    kinds.SETTLEMENT_APPROVED: _("Settlement approved"),
    kinds.SETTLEMENT_DECLINED: _("Settlement declined"),
    kinds.SETTLEMENT_KEPT: _("Settled: paid in time"),
    kinds.SETTLEMENT_REOPENED: _("Settlement undone: its payment went back"),
    kinds.SETTLEMENT_BROKEN: _("Settlement not paid in time"),
    kinds.SETTLEMENT_PAID_LATE: _("Settlement paid too late: a part payment"),
    kinds.SETTLEMENT_CANCELLED: _("Settlement cancelled"),
    kinds.DOWNGRADE_REQUESTED: _("Cheaper product asked for"),
    kinds.DOWNGRADE_DONE: _("Cheaper product in place"),
    kinds.DOWNGRADE_REFUSED: _("Cheaper product refused"),
    kinds.BUDGET_MADE: _("Budget made"),
    kinds.HARDSHIP_BEGUN: _("Hardship programme begun"),
    kinds.SUGGESTION_ANSWERED: _("Suggestion answered"),
    kinds.DISPUTE_OPENED: _("Dispute opened"),
    kinds.DISPUTE_MOVED: _("Dispute moved on"),
    kinds.DISPUTE_ASSIGNED: _("Dispute given to somebody"),
    kinds.DISPUTE_ACKNOWLEDGED: _("Receipt of a dispute confirmed by a person"),
    kinds.DISPUTE_RUN_OUT: _("Dispute past its date"),
    kinds.DISPUTE_RESOLVED: _("Dispute resolved"),
    kinds.EVIDENCE_ADDED: _("Evidence added to a dispute"),
    kinds.EVIDENCE_READ: _("Evidence of a dispute opened"),
    kinds.ACT_UNDONE: _("Taken back within a minute"),
    # Written by the building, which this room does not know.
    "agents.contact.requested": _("The customer asks for a person"),
    "agents.webhook.added": _("Webhook added"),
    "agents.webhook.removed": _("Webhook removed"),
    "portal.opened": _("The customer opened their page"),
}
_TONES = {
    kinds.PROMISE_BROKEN: "bad",
    kinds.PLAN_BROKEN: "bad",
    kinds.DISPUTE_RUN_OUT: "bad",
    kinds.PROMISE_KEPT: "good",
    kinds.PLAN_KEPT: "good",
    kinds.INSTALMENT_KEPT: "good",
    kinds.PROMISE_PART_KEPT: "warn",
    kinds.SETTLEMENT_KEPT: "good",
    kinds.SETTLEMENT_BROKEN: "bad",
    kinds.SETTLEMENT_REOPENED: "bad",
    kinds.SETTLEMENT_PAID_LATE: "warn",
    kinds.SETTLEMENT_DECLINED: "warn",
    kinds.EXTENSION_DECLINED: "warn",
    kinds.PLAN_DECLINED: "warn",
    kinds.DOWNGRADE_REFUSED: "warn",
    events.RECOVERY_RECEIVED: "good",
    events.RECOVERY_RETURNED: "bad",
    events.CONSENT_GIVEN: "good",
    events.CONSENT_WITHDRAWN: "warn",
    events.REPRESENTATIVE_NOTED: "warn",
    events.VULNERABILITY_NOTED: "warn",
    dunning_kinds.CONTACT_REFUSED: "warn",
    dunning_kinds.COMPLAINT: "bad",
}
#: By what an event is about: the middle of its kind.
_ICONS = {
    "promise": "promise",
    "plan": "plan",
    "instalment": "plan",
    "extension": "clock",
    "settlement": "money",
    "downgrade": "line",
    "dispute": "dispute",
    "hold": "hold",
    "service": "line",
    "services": "line",
    "order": "line",
    "consent": "shield",
    "contact": "phone",
    "call": "phone",
    "identity": "shield",
    "preference": "clock",
    "representative": "user",
    "vulnerability": "heart",
    "time_zone": "globe",
    "language": "globe",
    "message": "inbox",
    "notice": "message",
    "suggestion": "next",
    "complaint": "dispute",
    "money": "money",
    "recovery": "money",
    "fee": "money",
    "budget": "money",
    "hardship": "heart",
}


def title_of(kind: str) -> str:
    """An event's kind in words; one that is not known, of an older version, in its own: ``dunning.step.gone``."""
    return said(_TITLES.get(kind)) or _in_words(" ".join(kind.split(".")[1:]))


def has_words(kind: str) -> bool:
    """Whether the kind has words of its own."""
    return kind in _TITLES


def tone_of(kind: str) -> str:
    """``good``, ``warn``, ``bad`` or nothing."""
    return _TONES.get(kind, "")


def icon_of(kind: str) -> str:
    """Its drawing, by what it is about."""
    return _ICONS.get(noun_of(kind), "gear")


def noun_of(kind: str) -> str:
    """What an event is about: of ``agents.promise.kept`` the promise."""
    return kind.split(".")[1] if kind.count(".") >= 2 else ""


def _in_words(code: str) -> str:
    text = code.replace("_", " ").strip()
    return text[:1].upper() + text[1:]
