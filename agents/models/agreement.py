"""What the customer undertook, and what they contest. Each stands behind a hold of the lower rooms."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import Account, Hold, fields


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

    class Meta:
        indexes = [
            models.Index(fields=["account"], condition=Q(status="active"), name="plan_active"),
            models.Index(fields=["account"], name="plan_account"),
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

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="dispute_amount_positive")]
        indexes = [
            models.Index(fields=["account"], name="dispute_account"),
            models.Index(fields=["opened_on"], condition=Q(resolved_on__isnull=True), name="dispute_open"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.bill_ref or 'the account'}"
