"""Outside agencies, and the accounts that were placed with them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Account, fields
from dunning.models.case import Case


class Agency(models.Model):
    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = "agencies"

    def __str__(self) -> str:
        return self.name


class Placement(models.Model):
    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="placements")
    case = models.ForeignKey(Case, null=True, blank=True, on_delete=models.PROTECT, related_name="placements")
    agency = models.ForeignKey(Agency, on_delete=models.PROTECT, related_name="placements")
    amount = fields.amount()
    placed_on = models.DateField()
    recalled_on = models.DateField(null=True, blank=True)
    recall_reason = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(recalled_on__isnull=True), name="placement_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} with {self.agency_id}"
