"""Outside agencies, the accounts placed with them, the files exchanged and what they earn."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Account, Payment, fields
from dunning.models.case import Case


class Agency(models.Model):
    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    #: Of what is paid while an account is placed, in percent.
    commission_percent = models.DecimalField(max_digits=6, decimal_places=3, default=0)
    #: A payment so many days after a recall still earns commission: work that began before it.
    commission_tail_days = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "agencies"

    def __str__(self) -> str:
        return self.name


class AgencyFile(models.Model):
    """One hand-over to an agency: new placements, recalls, and payments that came to us directly."""

    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="files")
    number = models.PositiveIntegerField()
    made_on = models.DateField()
    placements = models.PositiveIntegerField(default=0)
    recalls = models.PositiveIntegerField(default=0)
    payments = models.PositiveIntegerField(default=0)
    #: CSV; names and addresses live here, where erasure can reach them.
    content = models.TextField()
    acknowledged_on = models.DateField(null=True, blank=True)
    #: What the agency says it took; a difference to ``placements`` is a finding.
    acknowledged_count = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agency", "number"], name="agency_file_number")]

    def __str__(self) -> str:
        return f"{self.agency_id}, file {self.number}"


class Placement(models.Model):
    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="placements")
    case = models.ForeignKey(Case, null=True, blank=True, on_delete=models.PROTECT, related_name="placements")
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="placements")
    amount = fields.amount()
    placed_on = models.DateField()
    #: The file that told the agency of it, and the agency's answer.
    file = models.ForeignKey(
        AgencyFile, null=True, blank=True, on_delete=models.PROTECT, related_name="placements_told"
    )
    acknowledged_on = models.DateField(null=True, blank=True)
    refused_reason = models.CharField(max_length=200, blank=True, default="")
    recalled_on = models.DateField(null=True, blank=True)
    recall_reason = models.CharField(max_length=60, blank=True, default="")
    #: The file that told the agency of the recall.
    recall_file = models.ForeignKey(
        AgencyFile, null=True, blank=True, on_delete=models.PROTECT, related_name="recalls_told"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(recalled_on__isnull=True), name="placement_one_open"
            ),
        ]
        indexes = [
            models.Index(fields=["agency"], condition=Q(file__isnull=True), name="placement_untold"),
            models.Index(
                fields=["agency"],
                condition=Q(recalled_on__isnull=False, recall_file__isnull=True),
                name="placement_recall_untold",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} with {self.agency_id}"


class Commission(models.Model):
    """What an agency earns on one payment; once a payment, whether it came through the agency or to us directly."""

    placement = models.ForeignKey(Placement, on_delete=models.PROTECT, related_name="commissions")
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="commission")
    on = models.DateField()
    #: Paid, less what was reversed since; and the agency's part of it.
    collected = fields.amount()
    amount = fields.amount()
    #: The customer paid us and not the agency, which must hear of it.
    direct = models.BooleanField(default=True)
    file = models.ForeignKey(AgencyFile, null=True, blank=True, on_delete=models.PROTECT, related_name="payments_told")
    posted_amount = fields.amount(default=0)

    class Meta:
        indexes = [models.Index(fields=["placement"], condition=Q(file__isnull=True), name="commission_untold")]

    def __str__(self) -> str:
        return f"{self.amount} on {self.payment_id}"
