"""Facts from billing, never edited here: a later file supersedes them, a reversal undoes them.

``posted_amount`` is what the journal already holds of a fact; settling posts the difference.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from accounts.models import fields
from accounts.models.account import Account


class Bill(models.Model):
    class Status(models.TextChoices):
        ISSUED = "issued", "Issued"
        DRAFT = "draft", "Draft"
        CANCELLED = "cancelled", "Cancelled"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="bills")
    issued_on = models.DateField()
    due_on = models.DateField()
    amount = fields.amount()
    tax_amount = fields.amount(null=True, blank=True)
    essential_amount = fields.amount(null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.ISSUED)
    cancelled_on = models.DateField(null=True, blank=True)

    #: Amount less what was paid and credited, at the business date: the only amount anything is judged on.
    open_amount = fields.amount(default=0)
    #: The part of ``open_amount`` that is contested.
    disputed_amount = fields.amount(default=0)
    #: What was still open when the last case closed: it does not age a new case unless the bill is re-opened.
    left_at_exit = fields.amount(null=True, blank=True)
    posted_amount = fields.amount(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="bill_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(open_amount__gte=0, disputed_amount__gte=0, disputed_amount__lte=F("open_amount")),
                name="bill_open_amount_sound",
            ),
        ]
        indexes = [
            models.Index(fields=["issued_on"], name="bill_issued_on"),
            models.Index(fields=["due_on"], condition=Q(open_amount__gt=0), name="bill_open_due_on"),
            models.Index(
                fields=["account"],
                include=["due_on", "open_amount", "disputed_amount"],
                condition=Q(open_amount__gt=0),
                name="bill_open",
            ),
            models.Index(fields=["cancelled_on"], condition=Q(cancelled_on__isnull=False), name="bill_cancelled_on"),
        ]

    def __str__(self) -> str:
        return self.ref


class Payment(models.Model):
    """Money received, or (with ``reverses``) money that went back; amounts are positive either way."""

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="payments")
    received_on = models.DateField()
    amount = fields.amount()
    method = models.CharField(max_length=40, blank=True, default="")
    #: The bill it is directed to, by the operator's id: the bill may not have been issued yet.
    bill_ref = models.CharField(max_length=64, blank=True, default="")
    reverses = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversals")
    posted_amount = fields.amount(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive")]
        indexes = [models.Index(fields=["received_on"], name="payment_received_on")]

    def __str__(self) -> str:
        return self.ref


class Adjustment(models.Model):
    """A credit (negative) or a debit (positive) of billing; or of the desk: a write-off, an upheld dispute,
    what a settlement lets go of (positive where it is owed again).

    The desk's own credit for an upheld dispute counts until billing's adjustment with the same ``dispute_ref``
    arrives, and billing's charge with a ``fee_ref`` replaces the desk's fee: never both.
    """

    class Kind(models.TextChoices):
        BILLING = "billing", "From billing"
        DISPUTE = "dispute", "Upheld dispute, until billing's credit"
        WRITE_OFF = "write_off", "Write-off"
        SETTLEMENT = "settlement", "Let go in a settlement"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="adjustments")
    on = models.DateField()
    amount = fields.amount()
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.BILLING)
    bill_ref = models.CharField(max_length=64, blank=True, default="")
    reason = models.CharField(max_length=200, blank=True, default="")
    dispute_ref = models.CharField(max_length=64, blank=True, default="")
    fee_ref = models.CharField(max_length=64, blank=True, default="")
    posted_amount = fields.amount(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="adjustment_amount_not_zero")]
        indexes = [
            models.Index(fields=["on"], name="adjustment_on"),
            models.Index(fields=["dispute_ref"], condition=~Q(dispute_ref=""), name="adjustment_dispute"),
            models.Index(fields=["fee_ref"], condition=~Q(fee_ref=""), name="adjustment_fee"),
        ]

    def __str__(self) -> str:
        return self.ref


class Fee(models.Model):
    """A charge of the desk, due with the next bill: in the balance, not in what steps are judged on."""

    class Kind(models.TextChoices):
        LATE = "late_fee", "Late fee"
        RECONNECTION = "reconnection_fee", "Reconnection fee"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="desk_fees")
    kind = models.CharField(max_length=20, choices=Kind)
    on = models.DateField()
    amount = fields.amount()
    waived_on = models.DateField(null=True, blank=True)
    waived_by = models.CharField(max_length=80, blank=True, default="")
    waive_reason = models.CharField(max_length=200, blank=True, default="")
    posted_amount = fields.amount(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="fee_amount_positive")]

    def __str__(self) -> str:
        return self.ref
