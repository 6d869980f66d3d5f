"""One model for every reason to pause: what it stops, from when, until when, who placed it."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from accounts.models import fields
from accounts.models.account import Account


class Hold(models.Model):
    class Reason(models.TextChoices):
        DISPUTE = "dispute", "Dispute"
        PROMISE = "promise", "Promise to pay"
        PLAN = "plan", "Instalment plan"
        HARDSHIP = "hardship", "Hardship"
        BREATHING_SPACE = "breathing_space", "Breathing space"
        VULNERABILITY_REVIEW = "vulnerability_review", "Vulnerability review"
        BANKRUPTCY = "bankruptcy", "Bankruptcy"
        DECEASED = "deceased", "Deceased"
        LEGAL = "legal", "Legal"
        FRAUD = "fraud", "Fraud"
        PAYMENT_IN_FLIGHT = "payment_in_flight", "Payment in flight"
        MANUAL = "manual", "Manual"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holds")
    reason = models.CharField(max_length=24, choices=Reason)
    starts_on = models.DateField()
    #: The hold's last day; open without one.
    ends_on = models.DateField(null=True, blank=True)
    #: The bills it covers, by the operator's ids; empty: the whole account.
    bill_refs = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    #: For a dispute: the contested amount; none contests everything.
    amount = fields.amount(null=True, blank=True)
    #: For a manual hold, as ticked: any of notices, calls, fees, limits, transfers.
    stops = ArrayField(models.CharField(max_length=12), default=list, blank=True)
    stops_clock = models.BooleanField(default=False)
    placed_by = models.CharField(max_length=80)
    note = models.CharField(max_length=1000, blank=True, default="")
    #: Ended early on that day, which is no longer held.
    lifted_on = models.DateField(null=True, blank=True)
    lifted_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")), name="hold_ends_after_start"
            ),
            models.CheckConstraint(condition=Q(amount__isnull=True) | Q(amount__gt=0), name="hold_amount_positive"),
        ]
        indexes = [
            models.Index(fields=["account"], condition=Q(lifted_on__isnull=True), name="hold_open"),
            models.Index(fields=["starts_on"], name="hold_starts_on"),
            models.Index(fields=["ends_on"], condition=Q(ends_on__isnull=False), name="hold_ends_on"),
            models.Index(fields=["lifted_on"], condition=Q(lifted_on__isnull=False), name="hold_lifted_on"),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} from {self.starts_on}"
