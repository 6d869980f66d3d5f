"""Named groups of accounts, by rule. The order of the list says which one an account is reported under."""

from __future__ import annotations

from django.db import models

from dunning.models.policy import CODE


class Segment(models.Model):
    """An account is in every segment whose rule it meets; the first of them is its main one."""

    code = models.CharField(max_length=60, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    position = models.PositiveIntegerField(default=0)
    #: ``{"all": [condition or group, …]}`` or ``{"any": […]}``; a condition names a fact and one operator with its
    #: value: ``{"fact": "tenure_days", "at_least": 365}`` (``dunning.segment_rules``).
    rule = models.JSONField(default=dict)
    active = models.BooleanField(default=True)
    changed_by = models.CharField(max_length=80, blank=True, default="")
    changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.name
