"""What the customer undertook, and what they contest. Each stands behind a hold of the lower rooms."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import Account, Customer, Hold, Service, fields
from agents.models.people import Agent


class Agreed(models.TextChoices):
    """How the customer agreed."""

    PHONE = "phone", "On the phone"
    EMAIL = "email", "By e-mail"
    LETTER = "letter", "By letter"
    IN_PERSON = "in_person", "In person"
    SELF_SERVICE = "self_service", "On their own page"
    REPRESENTATIVE = "representative", "Through who speaks for them"


class Promise(models.Model):
    class Status(models.TextChoices):
        OPEN = "open", "Open"
        KEPT = "kept", "Kept"
        PART_KEPT = "part_kept", "Part kept"
        BROKEN = "broken", "Broken"
        CANCELLED = "cancelled", "Cancelled"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="promises")
    hold = models.OneToOneField(Hold, null=True, blank=True, on_delete=models.PROTECT, related_name="promise")
    amount = fields.amount()
    made_on = models.DateField()
    due_on = models.DateField()
    bill_refs = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    #: Paid towards these bills on the day it was made, before it was made: that does not count.
    paid_before = fields.amount(default=0)
    #: Paid towards it since it was made.
    paid = fields.amount(default=0)
    settled_on = models.DateField(null=True, blank=True)
    note = models.TextField(blank=True, default="")
    taken_by = models.CharField(max_length=80)
    agreed_by = models.CharField(max_length=14, choices=Agreed, blank=True, default="")
    #: What was read back to them, word for word, and agreed to.
    read_back = models.TextField(blank=True, default="")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="promise_amount_positive")]
        indexes = [
            models.Index(fields=["due_on"], condition=Q(status="open"), name="promise_open_due_on"),
            models.Index(fields=["account"], name="promise_account"),
            models.Index(fields=["due_on"], name="promise_due_on"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} by {self.due_on}"


class Plan(models.Model):
    class Status(models.TextChoices):
        PENDING_APPROVAL = "pending_approval", "Waits for approval"
        ACTIVE = "active", "Active"
        KEPT = "kept", "Kept"
        BROKEN = "broken", "Broken"
        CANCELLED = "cancelled", "Cancelled"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="plans")
    hold = models.OneToOneField(Hold, null=True, blank=True, on_delete=models.PROTECT, related_name="plan")
    made_on = models.DateField()
    bill_refs = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    #: Paid towards these bills on the day it was made, before it was made: that does not count.
    paid_before = fields.amount(default=0)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    settled_on = models.DateField(null=True, blank=True)
    note = models.TextField(blank=True, default="")
    made_by = models.CharField(max_length=80)
    decided_by = models.CharField(max_length=80, blank=True, default="")
    #: In whose place; empty in their own name.
    decided_for = models.CharField(max_length=80, blank=True, default="")
    #: Plans of linked accounts that were agreed as one, on the same days; empty for a plan of one account.
    group = models.CharField(max_length=64, blank=True, default="")
    agreed_by = models.CharField(max_length=14, choices=Agreed, blank=True, default="")
    read_back = models.TextField(blank=True, default="")
    #: What they can afford, where it was asked.
    budget = models.ForeignKey("Budget", null=True, blank=True, on_delete=models.SET_NULL, related_name="plans")

    class Meta:
        indexes = [
            models.Index(fields=["account"], condition=Q(status="active"), name="plan_active"),
            models.Index(fields=["account"], name="plan_account"),
            models.Index(fields=["group"], condition=~Q(group=""), name="plan_group"),
        ]

    def __str__(self) -> str:
        return self.ref


class Instalment(models.Model):
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="instalments")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()
    due_on = models.DateField()
    amount = fields.amount()
    paid = fields.amount(default=0)
    paid_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "position"], name="instalment_position"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="instalment_amount_positive"),
        ]
        indexes = [models.Index(fields=["due_on"], condition=Q(paid_on__isnull=True), name="instalment_unpaid")]

    def __str__(self) -> str:
        return f"{self.amount} on {self.due_on}"


class Dispute(models.Model):
    class Outcome(models.TextChoices):
        UPHELD = "upheld", "Upheld"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    class Stage(models.TextChoices):
        NEW = "new", "New"
        REVIEWING = "reviewing", "Looked into"
        CUSTOMER = "customer", "Waits for the customer"
        BILLING = "billing", "Waits for billing"
        CLOSED = "closed", "Closed"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="disputes")
    hold = models.OneToOneField(Hold, null=True, blank=True, on_delete=models.PROTECT, related_name="dispute")
    bill_ref = models.CharField(max_length=64, blank=True, default="")
    amount = fields.amount()
    reason = models.CharField(max_length=60, blank=True, default="")
    opened_on = models.DateField()
    opened_by = models.CharField(max_length=80)
    resolved_on = models.DateField(null=True, blank=True)
    resolved_by = models.CharField(max_length=80, blank=True, default="")
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True, default="")
    note = models.TextField(blank=True, default="")
    stage = models.CharField(max_length=10, choices=Stage, default=Stage.NEW)
    assigned_to = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="disputes")
    #: The market's clock: when receipt is confirmed and the decision made, at the latest.
    acknowledge_by = models.DateField(null=True, blank=True)
    acknowledged_on = models.DateField(null=True, blank=True)
    decide_by = models.DateField(null=True, blank=True)
    #: What an upheld dispute credits: all of it, or a part.
    credited = fields.amount(null=True, blank=True)
    #: What the customer is told of the outcome, in their language.
    told = models.TextField(blank=True, default="")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="dispute_amount_positive")]
        indexes = [
            models.Index(fields=["account"], name="dispute_account"),
            models.Index(fields=["opened_on"], condition=Q(resolved_on__isnull=True), name="dispute_open"),
            models.Index(fields=["decide_by"], condition=Q(resolved_on__isnull=True), name="dispute_clock"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.bill_ref or 'the account'}"


class DisputeEvidence(models.Model):
    """A file that belongs to a dispute: kept in the database, so that it is erased and backed up with the rest."""

    dispute = models.ForeignKey(Dispute, on_delete=models.CASCADE, related_name="evidence")
    name = models.CharField(max_length=200)
    #: As its first bytes say, not as its sender does.
    content_type = models.CharField(max_length=60)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    added_by = models.CharField(max_length=80)
    added_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dispute", "sha256"], name="dispute_evidence_once")]

    def __str__(self) -> str:
        return self.name


class DisputeClock(models.Model):
    """How many days a market gives for the answer to a dispute."""

    country = models.CharField(max_length=2, blank=True, default="", unique=True, help_text="Empty: every other market")
    acknowledge_days = models.PositiveIntegerField(help_text="Calendar days until receipt is confirmed")
    decide_days = models.PositiveIntegerField(help_text="Calendar days until the decision")
    source = models.CharField(max_length=200, blank=True, default="", help_text="Where the figures come from")

    def __str__(self) -> str:
        return f"{self.country or 'elsewhere'}: {self.acknowledge_days}, {self.decide_days}"


class Budget(models.Model):
    """What a household has and needs, in the shape of the Standard Financial Statement."""

    class Evidence(models.TextChoices):
        NONE = "none", "None"
        SELF_DECLARED = "self_declared", "As told"
        DOCUMENTS = "documents", "Documents seen"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="budgets")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="budgets")
    #: ``[{category, amount, every}]``, amounts as text in the account's currency.
    lines = models.JSONField(default=list)
    our_balance = fields.amount()
    #: All debts without priority together, ours included.
    debts_in_all = fields.amount()
    household = models.CharField(max_length=40, blank=True, default="")
    evidence = models.CharField(max_length=14, choices=Evidence, default=Evidence.SELF_DECLARED)
    #: Why a line is above its guideline, by category.
    reasons = models.JSONField(default=dict, blank=True)
    #: A month's surplus, and what of it is ours; below nothing: nothing can be paid.
    surplus = models.DecimalField(max_digits=18, decimal_places=3)
    offer = fields.amount(default=0)
    made_on = models.DateField()
    made_by = models.CharField(max_length=80)

    class Meta:
        indexes = [models.Index(fields=["customer", "-made_on"], name="budget_customer")]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.made_on}"


class Extension(models.Model):
    """Time to pay: what is past due is left alone until a day."""

    class Status(models.TextChoices):
        PENDING_APPROVAL = "pending_approval", "Waits for approval"
        ACTIVE = "active", "Active"
        ENDED = "ended", "Ended"
        CANCELLED = "cancelled", "Cancelled"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="extensions")
    hold = models.OneToOneField(Hold, null=True, blank=True, on_delete=models.PROTECT, related_name="extension")
    made_on = models.DateField()
    until = models.DateField()
    bill_refs = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    settled_on = models.DateField(null=True, blank=True)
    note = models.TextField(blank=True, default="")
    made_by = models.CharField(max_length=80)
    decided_by = models.CharField(max_length=80, blank=True, default="")
    #: In whose place; empty in their own name.
    decided_for = models.CharField(max_length=80, blank=True, default="")
    agreed_by = models.CharField(max_length=14, choices=Agreed, blank=True, default="")
    read_back = models.TextField(blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["account"], name="extension_account"),
            models.Index(fields=["until"], condition=Q(status="active"), name="extension_active"),
        ]

    def __str__(self) -> str:
        return f"until {self.until}"


class Settlement(models.Model):
    """Less than what is owed, taken for all of it when it is paid in time."""

    class Status(models.TextChoices):
        PENDING_APPROVAL = "pending_approval", "Waits for approval"
        OPEN = "open", "Offered"
        KEPT = "kept", "Paid: settled"
        BROKEN = "broken", "Not paid in time"
        CANCELLED = "cancelled", "Cancelled"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="settlements")
    hold = models.OneToOneField(Hold, null=True, blank=True, on_delete=models.PROTECT, related_name="settlement")
    made_on = models.DateField()
    #: Paid by this day, or it is void.
    pay_by = models.DateField()
    bill_refs = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    #: What was open on the bills, and what is taken for it.
    balance = fields.amount()
    amount = fields.amount()
    #: Of the balance, the desk's own fees: they are let go of before the debt itself.
    fees = fields.amount(default=0)
    paid_before = fields.amount(default=0)
    #: Paid towards it since it was made, also after its day.
    paid = fields.amount(default=0)
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    #: Roles that must still agree, and who has: ``[{by, role}]``, with ``in_place_of`` where somebody stood in.
    wants = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    approvals = models.JSONField(default=list, blank=True)
    settled_on = models.DateField(null=True, blank=True)
    note = models.TextField(blank=True, default="")
    made_by = models.CharField(max_length=80)
    #: The role in which it was asked for: it says how much needs nobody else's word.
    made_as = models.CharField(max_length=20, blank=True, default="")
    agreed_by = models.CharField(max_length=14, choices=Agreed, blank=True, default="")
    read_back = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0, balance__gt=models.F("amount")), name="settlement_is_less")
        ]
        indexes = [
            models.Index(fields=["account"], name="settlement_account"),
            models.Index(fields=["pay_by"], condition=Q(status="open"), name="settlement_open"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} for {self.balance}"


class Downgrade(models.Model):
    """A cheaper product that the customer asked for: billing and the network are told, and answer."""

    class State(models.TextChoices):
        ASKED = "asked", "Asked for"
        DONE = "done", "Done"
        REFUSED = "refused", "Refused"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="downgrades")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="downgrades")
    to_product = models.CharField(max_length=80)
    from_fee = fields.amount()
    to_fee = fields.amount()
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=80)
    answered_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["account", "-asked_at"], name="downgrade_account")]

    def __str__(self) -> str:
        return f"{self.service_id} to {self.to_product}"
