"""What did not get in, and the day the desk believes it is."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class BusinessDate(models.Model):
    """The desk's one business date: set by the day's run, only forward. Before the first run there is no row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    on = models.DateField()
    #: The last date whose run came to its end; another one than ``on`` while a run is under way, or was killed.
    completed_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="business_date_single")]

    def __str__(self) -> str:
        return self.on.isoformat()


class RejectedRow(models.Model):
    """A row of an operator's file that was refused, kept to be mended and run again."""

    file = models.CharField(max_length=80)
    line = models.PositiveIntegerField()
    column = models.CharField(max_length=64, blank=True, default="")
    value = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=300)
    #: The row as it came, column by column (fields longer than 10,000 characters cut).
    row = models.JSONField(default=dict)
    rejected_at = models.DateTimeField()
    #: Landed after all, or set aside by a person.
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["file", "line"], condition=Q(resolved_at__isnull=True), name="rejected_open"),
        ]

    def __str__(self) -> str:
        return f"{self.file} line {self.line}: {self.reason}"
