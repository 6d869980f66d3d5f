"""What the API answers. These shapes make the schema; the answers themselves are plain dictionaries."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.models import Hold
from accounts.models.account import AccountStatus, ServiceStatus
from accounts.position import BUCKETS
from agents import complaints
from agents.models import Complaint, Dispute, Interaction, Plan, Promise, WorkItem
from collections_desk.api.bodies import Amount, Day, Moment

Shape = serializers.Serializer[Any]

OUTCOMES = ("ALLOW", "WARN", "HOLD", "REQUIRE", "BLOCK")


def _null(field: type[Any], **options: Any) -> Any:
    return field(allow_null=True, **options)


class Problem(Shape):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.ChoiceField(["invalid", "not_found", "forbidden", "conflict", "blocked", "refused"])
    detail = serializers.CharField()
    errors = serializers.ListField(  # type: ignore[assignment]  # a field of the answer; nobody validates with this shape
        child=serializers.DictField(), required=False, help_text="Which fields, or which rows by index and column."
    )


class Decision(Shape):
    outcome = serializers.ChoiceField(OUTCOMES)
    rule_ids = serializers.ListField(child=serializers.CharField())
    reasons = serializers.ListField(child=serializers.CharField())
    next_allowed_at = _null(Moment)
    requires = serializers.ListField(child=serializers.CharField())
    override = serializers.CharField()
    pack_versions = serializers.ListField(child=serializers.CharField())


class Blocked(Problem):
    decision = Decision(required=False)


class PolicyShape(Shape):
    code = serializers.CharField()
    version = serializers.IntegerField()


class NextStep(Shape):
    code = serializers.CharField()
    on = Day()


class HoldShape(Shape):
    hold_id = serializers.CharField()
    reason = serializers.ChoiceField(Hold.Reason.choices)
    starts_on = Day()
    ends_on = _null(Day)
    amount = _null(Amount)
    bill_ids = serializers.ListField(child=serializers.CharField())


class HoldMade(HoldShape):
    account_id = serializers.CharField()
    note = serializers.CharField()
    stops = serializers.ListField(child=serializers.CharField())
    stops_clock = serializers.BooleanField()
    lifted_on = _null(Day)


class ServiceState(Shape):
    service_id = serializers.CharField()
    status = serializers.ChoiceField(ServiceStatus.choices)


class WorkItemState(Shape):
    item = serializers.IntegerField()
    kind = serializers.ChoiceField(WorkItem.Kind.choices)
    status = serializers.ChoiceField(["waiting", "claimed"])
    score = serializers.IntegerField()
    claimed_by = _null(serializers.CharField)
    lease_until = _null(Moment)


class AccountResource(Shape):
    account_id = serializers.CharField()
    customer_id = serializers.CharField()
    as_of = Day(help_text="The business date at which all of this holds.")
    status = serializers.ChoiceField(AccountStatus.choices)
    currency = serializers.CharField()
    balance = Amount(help_text="Everything open, with our fees, less what is unapplied.")
    overdue = Amount(help_text="Past due and undisputed.")
    disputed = Amount(help_text="Open and contested, past due or not.")
    unapplied = Amount()
    days_past_due = serializers.IntegerField()
    bucket = serializers.ChoiceField(BUCKETS)
    policy = PolicyShape(allow_null=True)
    stage = _null(serializers.CharField, help_text="Code of the last step taken in the open case.")
    next_step = NextStep(allow_null=True)
    holds = HoldShape(many=True)
    services = ServiceState(many=True)
    work_item = WorkItemState(allow_null=True)


class EventShape(Shape):
    event_id = serializers.IntegerField()
    account_id = _null(serializers.CharField)
    kind = serializers.CharField()
    actor = serializers.CharField()
    at = Moment()
    on = Day()
    reason = serializers.CharField()
    policy = serializers.CharField(help_text="`code@version` of the policy behind it, or empty.")
    payload = serializers.DictField()


class SealedEvent(EventShape):
    sealed = serializers.BooleanField(help_text="Whether the hash chain covers it yet.")


class PromiseShape(Shape):
    promise_id = serializers.CharField()
    account_id = serializers.CharField()
    status = serializers.ChoiceField(Promise.Status.choices)
    amount = Amount()
    paid = Amount()
    made_on = Day()
    due_on = Day()
    bill_ids = serializers.ListField(child=serializers.CharField())
    settled_on = _null(Day)
    note = serializers.CharField()


class InstalmentShape(Shape):
    due_on = Day()
    amount = Amount()


class InstalmentState(InstalmentShape):
    paid = Amount()
    paid_on = _null(Day)


class PlanShape(Shape):
    plan_id = serializers.CharField()
    account_id = serializers.CharField()
    status = serializers.ChoiceField(Plan.Status.choices)
    made_on = Day()
    bill_ids = serializers.ListField(child=serializers.CharField())
    total = Amount()
    instalments = InstalmentState(many=True)
    settled_on = _null(Day)
    note = serializers.CharField()


class QuoteShape(Shape):
    instalments = InstalmentShape(many=True)
    total = Amount()
    within_authority = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.CharField())


class DisputeShape(Shape):
    dispute_id = serializers.CharField()
    account_id = serializers.CharField()
    status = serializers.ChoiceField(["open", "resolved"])
    bill_id = _null(serializers.CharField)
    amount = Amount()
    reason = serializers.CharField()
    opened_on = Day()
    resolved_on = _null(Day)
    outcome = _null(serializers.ChoiceField, choices=Dispute.Outcome.choices)
    credited = _null(Amount, help_text="What was upheld of it.")
    note = serializers.CharField()
    stage = serializers.ChoiceField(Dispute.Stage.choices)
    assigned_to = _null(serializers.CharField)
    acknowledge_by = _null(Day, help_text="The market's clock: until when receipt is confirmed to the customer.")
    acknowledged_on = _null(Day)
    decide_by = _null(Day, help_text="The market's clock: until when it is decided.")


class ComplaintShape(Shape):
    complaint_id = serializers.CharField()
    account_id = serializers.CharField()
    state = serializers.ChoiceField(Complaint.State.choices)
    category = serializers.ChoiceField(complaints.CATEGORIES)
    channel = serializers.ChoiceField(complaints.CHANNELS, help_text="How it reached us.")
    text = serializers.CharField()
    about = _null(serializers.CharField, help_text="Login of whom it is about, where it is about somebody.")
    received_on = Day()
    acknowledge_by = Day(help_text="The market's clock: until when receipt is confirmed to the customer.")
    acknowledged_on = _null(Day)
    answer_by = Day(help_text="The market's clock: until when it is answered.")
    closed_on = _null(Day)
    outcome = _null(serializers.ChoiceField, choices=Complaint.Outcome.choices)
    answer = serializers.CharField(help_text="What the customer was told.")
    cause = serializers.CharField()
    redress = _null(Amount, help_text="To be credited by billing; the desk books nothing.")
    repeats = _null(serializers.CharField, help_text="The earlier complaint of the same account and category.")
    assigned_to = _null(serializers.CharField)


class EvidenceShape(Shape):
    evidence_id = serializers.IntegerField()
    name = serializers.CharField()
    content_type = serializers.CharField(help_text="As its first bytes say.")
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField()
    added_at = Moment()


class CallShape(Shape):
    call_id = serializers.CharField()
    account_id = serializers.CharField()
    direction = serializers.ChoiceField(Interaction.Direction.choices)
    disposition = serializers.CharField()
    right_party = serializers.BooleanField()
    number = serializers.CharField()
    started_at = Moment()
    duration_seconds = _null(serializers.IntegerField)
    note = serializers.CharField()
    callback_at = _null(Moment)
    nonpayment_reason = serializers.CharField()
    said = serializers.ListField(
        child=serializers.CharField(), help_text="Codes, each with its moment: `code@20260804T100005Z`."
    )
    promise = PromiseShape(allow_null=True)


class NoteShape(Shape):
    note_id = serializers.IntegerField()
    account_id = serializers.CharField()
    text = serializers.CharField()
    at = Moment()
    by = serializers.CharField()


class ReasonShape(Shape):
    name = serializers.CharField()
    points = serializers.IntegerField()
    text = serializers.CharField()


class ClaimedItem(Shape):
    item = serializers.IntegerField()
    account_id = serializers.CharField()
    kind = serializers.ChoiceField(WorkItem.Kind.choices)
    reason = serializers.CharField()
    lease_until = Moment()
    score = serializers.IntegerField()
    reasons = ReasonShape(many=True)
    draft = serializers.DictField(help_text="What was half typed when the item was last given back.")


class LeftItem(Shape):
    item = serializers.IntegerField()
    account_id = serializers.CharField()
    status = serializers.ChoiceField(["waiting", "done"])


class Receivables(Shape):
    open_bills = serializers.IntegerField()
    open = serializers.CharField()
    overdue_bills = serializers.IntegerField()
    overdue = serializers.CharField()
    overdue_accounts = serializers.IntegerField()
    buckets = serializers.DictField(child=serializers.CharField())


class Figures(Shape):
    as_of = Day()
    days = serializers.IntegerField()
    currency = _null(serializers.CharField)
    receivables = Receivables()
    kpis = serializers.DictField(
        child=serializers.DictField(), help_text="By key: `{value, numerator, denominator, formula}`."
    )


class AuditProblem(Shape):
    event_id = _null(serializers.IntegerField)
    kind = serializers.CharField()
    detail = serializers.CharField()


class AuditVerdict(Shape):
    events = serializers.IntegerField()
    seals = serializers.IntegerField()
    ok = serializers.BooleanField()
    first_problem = AuditProblem(allow_null=True)


class Taken(Shape):
    taken = serializers.IntegerField(help_text="How many told something new.")


class WebhookShape(Shape):
    webhook_id = serializers.IntegerField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    active = serializers.BooleanField()
    created_at = Moment()
    created_by = serializers.CharField()
    waiting = serializers.IntegerField(help_text="Calls still to be made.")
    dead = serializers.IntegerField(help_text="Calls given up.")


class WebhookMade(WebhookShape):
    secret = serializers.CharField(help_text="Signs every call; shown this once.")


class DeadLetter(Shape):
    call_id = serializers.IntegerField()
    webhook_id = serializers.IntegerField()
    event_id = serializers.IntegerField()
    kind = serializers.CharField()
    attempts = serializers.IntegerField()
    reason = serializers.CharField()
    given_up_at = _null(Moment)


def list_of(shape: type[Shape]) -> type[Shape]:
    """A page of those."""
    fields = {
        "results": shape(many=True),
        "next": serializers.URLField(allow_null=True, help_text="The address of the next page; null on the last."),
    }
    return type(f"{shape.__name__}Page", (serializers.Serializer,), fields)
