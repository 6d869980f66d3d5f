"""The effect matrix of holds, as the admin edits it; what no row says is ``dunning.holding``'s default."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models import Hold


class HoldRule(models.Model):
    class Role(models.TextChoices):
        AGENT = "agent", "Agents"
        SUPERVISOR = "supervisor", "Supervisors"
        ADMIN = "admin", "Admins"

    reason = models.CharField(max_length=24, choices=Hold.Reason, primary_key=True)
    #: Any of notices, calls, fees, limits, transfers.
    stops = ArrayField(models.CharField(max_length=12), default=list, blank=True)
    stops_clock = models.BooleanField(default=False)
    #: Who may end such a hold before its day; each role includes those before it.
    lifted_by = models.CharField(max_length=10, choices=Role, default=Role.AGENT)

    def __str__(self) -> str:
        return str(self.get_reason_display())
