"""Kinds of events in words, with a drawing and a colour: for the timeline and the audit trail.

Every kind that is written anywhere in the product has its words here.
"""

from __future__ import annotations

from accounts import events
from agents import kinds
from dunning import kinds as dunning_kinds

_TITLES = {
    events.STATUS_CHANGED: "Account status changed",
    events.SERVICE_CHANGED: "Service changed",
    events.MONEY_MOVED: "Money moved",
    events.HOLD_PLACED: "Hold placed",
    events.HOLD_LIFTED: "Hold lifted",
    events.SERVICE_KEPT: "Service kept from limits",
    events.SERVICE_LET_GO: "Service follows the policy again",
    events.FEE_CHARGED: "Fee charged",
    events.FEE_WAIVED: "Fee waived",
    events.RECOVERY_RECEIVED: "Recovered of a write-off",
    events.RECOVERY_RETURNED: "A recovery went back",
    events.PERSONAL_DATA_READ: "Personal data read",
    events.CONSENT_GIVEN: "Contact allowed",
    events.CONSENT_WITHDRAWN: "Contact stopped",
    events.PREFERENCE_NOTED: "Wish about contact noted",
    events.PREFERENCE_ENDED: "Wish about contact ended",
    events.REPRESENTATIVE_NOTED: "Somebody speaks for the customer",
    events.REPRESENTATIVE_ENDED: "Speaks for the customer no longer",
    events.REPRESENTATIVE_WRITTEN_TO: "Written to who speaks for the customer",
    events.REPRESENTATIVE_ANSWERED: "Who speaks for the customer answered",
    events.VULNERABILITY_NOTED: "Support need noted",
    events.VULNERABILITY_REVIEWED: "Support need looked at again",
    events.VULNERABILITY_ENDED: "Support need ended",
    events.TIME_ZONE_STATED: "The customer told us their clock",
    events.LANGUAGE_STATED: "The customer chose their language",
    dunning_kinds.CASE_OPENED: "Case opened",
    dunning_kinds.CASE_CLOSED: "Case closed",
    dunning_kinds.CASE_MIGRATED: "Case moved to another version of its policy",
    dunning_kinds.STEP_TAKEN: "Step taken",
    dunning_kinds.STEP_WAITING: "Step waits",
    dunning_kinds.TASK_REQUESTED: "Task for a person",
    dunning_kinds.WRITTEN_OFF: "Written off",
    dunning_kinds.WRITE_OFF_REQUESTED: "Write-off asked for",
    dunning_kinds.WRITE_OFF_DECLINED: "Write-off declined",
    dunning_kinds.PLACED: "Given to an agency",
    dunning_kinds.RECALLED: "Called back from the agency",
    dunning_kinds.PLACEMENT_TOLD: "Agency told",
    dunning_kinds.PLACEMENT_ACKNOWLEDGED: "Agency answered",
    dunning_kinds.AGENCY_FILE_MADE: "File for an agency made",
    dunning_kinds.AGENCY_FILE_ACKNOWLEDGED: "Agency took its file",
    dunning_kinds.COMMISSION_EARNED: "Commission earned by the agency",
    dunning_kinds.COMMISSION_CHANGED: "Commission of the agency changed",
    dunning_kinds.SERVICES_RESTORED: "Services to be restored",
    dunning_kinds.NOTICE_SENT: "Notice sent",
    dunning_kinds.NOTICE_DELIVERED: "Notice delivered",
    dunning_kinds.NOTICE_WITHDRAWN: "Notice withdrawn",
    dunning_kinds.NOTICE_FAILED: "Notice failed",
    dunning_kinds.NOTICE_DOUBTFUL: "Notice that may have gone or not",
    dunning_kinds.NOTICE_RESENT: "Notice sent again by hand",
    dunning_kinds.ORDER_SENT: "Order sent to the network",
    dunning_kinds.ORDER_CONFIRMED: "Order confirmed by the network",
    dunning_kinds.ORDER_WITHDRAWN: "Order withdrawn",
    dunning_kinds.ORDER_FAILED: "Order failed",
    dunning_kinds.ORDER_ASKED_AGAIN: "Order asked of the network again",
    dunning_kinds.CONTACT_REFUSED: "Contact not allowed",
    dunning_kinds.MESSAGE_RECEIVED: "The customer wrote",
    dunning_kinds.MESSAGE_READ_AGAIN: "Message understood otherwise by a person",
    dunning_kinds.MESSAGE_PLACED: "Message put to this account",
    dunning_kinds.MESSAGE_DONE: "Message dealt with",
    dunning_kinds.POLICY_DRAFTED: "Policy drafted",
    dunning_kinds.POLICY_PUBLISHED: "Policy published",
    dunning_kinds.POLICY_DRAFT_DELETED: "Draft of a policy deleted",
    dunning_kinds.POLICY_TRIED: "Policy tried on the book",
    dunning_kinds.POLICY_REACH_ACCEPTED: "Reach of a policy accepted",
    dunning_kinds.POLICY_PUT_ON_TRIAL: "Policy put on trial",
    dunning_kinds.SEGMENT_CHANGED: "Segment changed",
    dunning_kinds.EXPERIMENT_STARTED: "Experiment started",
    dunning_kinds.EXPERIMENT_ARM_STOPPED: "Arm of an experiment stopped",
    dunning_kinds.EXPERIMENT_ENDED: "Experiment ended",
    dunning_kinds.HOLD_RULES_CHANGED: "Rules of holds changed",
    dunning_kinds.COMPLAINT: "Complaint recorded",
    kinds.ITEM_QUEUED: "Put into the queue",
    kinds.ITEM_CLAIMED: "Taken in hand",
    kinds.ITEM_RELEASED: "Given back to the queue",
    kinds.ITEM_COMPLETED: "Worked and completed",
    kinds.CALL_LOGGED: "Call logged",
    kinds.CONTACT_RECORDED: "Contact recorded",
    kinds.NOTE_ADDED: "Note added",
    kinds.PROMISE_MADE: "Promise to pay",
    kinds.PROMISE_KEPT: "Promise kept",
    kinds.PROMISE_REOPENED: "Promise open again",
    kinds.PROMISE_PART_KEPT: "Promise kept in part",
    kinds.PROMISE_BROKEN: "Promise broken",
    kinds.PROMISE_CANCELLED: "Promise cancelled",
    kinds.PLAN_AGREED: "Plan agreed",
    kinds.PLAN_APPROVED: "Plan approved",
    kinds.PLAN_DECLINED: "Plan declined",
    kinds.PLAN_KEPT: "Plan kept to the end",
    kinds.PLAN_BROKEN: "Plan broken",
    kinds.PLAN_CANCELLED: "Plan cancelled",
    kinds.INSTALMENT_KEPT: "Instalment paid",
    kinds.DISPUTE_OPENED: "Dispute opened",
    kinds.DISPUTE_RESOLVED: "Dispute resolved",
    # Written by the building, which this room does not know.
    "agents.contact.requested": "The customer asks for a person",
    "agents.webhook.added": "Webhook added",
    "agents.webhook.removed": "Webhook removed",
    "portal.opened": "The customer opened their page",
}
_TONES = {
    kinds.PROMISE_BROKEN: "bad",
    kinds.PLAN_BROKEN: "bad",
    kinds.PROMISE_KEPT: "good",
    kinds.PLAN_KEPT: "good",
    kinds.INSTALMENT_KEPT: "good",
    kinds.PROMISE_PART_KEPT: "warn",
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
    "dispute": "dispute",
    "hold": "hold",
    "service": "line",
    "services": "line",
    "order": "line",
    "consent": "shield",
    "contact": "phone",
    "preference": "clock",
    "representative": "user",
    "vulnerability": "heart",
    "time_zone": "globe",
    "language": "globe",
    "message": "inbox",
    "notice": "message",
    "complaint": "dispute",
    "money": "money",
    "recovery": "money",
    "fee": "money",
}


def title_of(kind: str) -> str:
    """An event's kind in words; one that is not known, of an older version, in its own: ``dunning.step.gone``."""
    return _TITLES.get(kind) or _in_words(" ".join(kind.split(".")[1:]))


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
