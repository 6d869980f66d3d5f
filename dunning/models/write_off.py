"""What was given up, as it stood on that day: the rows of the post-mortem."""

from __future__ import annotations

from django.db import models

from accounts.models import Account, fields
from dunning.models.case import Case
from dunning.models.policy import PolicyVersion


class WriteOff(models.Model):
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="write_offs")
    case = models.ForeignKey(Case, null=True, blank=True, on_delete=models.PROTECT, related_name="write_offs")
    version = models.ForeignKey(
        PolicyVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="write_offs"
    )
    on = models.DateField()
    amount = fields.amount()
    #: The part of it that is tax, taken back from what is payable.
    tax_amount = fields.amount(default=0)
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=80)
    segment = models.CharField(max_length=60, blank=True, default="")
    product = models.CharField(max_length=60, blank=True, default="")
    days_past_due = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "on"], name="write_off_once_a_day")]
        indexes = [models.Index(fields=["on"], name="write_off_on")]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} on {self.on}"
