"""An account's place in the agents' queue: one open item an account, claimed by lease."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from accounts.models import Account
from agents.models.people import Agent, Team


class WorkItem(models.Model):
    class Kind(models.TextChoices):
        COLLECT = "collect", "Collect"
        TASK = "task", "Task"
        APPROVAL = "approval", "Approval"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="work_items")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.COLLECT)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="work_items")
    #: Why it is here, in words: handed over by the policy, broken promise, a task's text.
    reason = models.CharField(max_length=200, blank=True, default="")
    score = models.IntegerField(default=0)
    #: ``[{name, points, text}]``, summing to ``score``.
    score_parts = models.JSONField(default=list)
    created_at = models.DateTimeField()
    #: Not offered before that moment: a callback, a promise's day, contact hours.
    not_before = models.DateTimeField(null=True, blank=True)
    #: The contact gate lets nobody call before this moment, and why; null where it does, or was not asked yet.
    callable_from = models.DateTimeField(null=True, blank=True)
    uncallable_because = models.CharField(max_length=300, blank=True, default="")
    claimed_by = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="claims")
    claimed_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    #: What the agent had typed and not saved, by form field.
    draft = models.JSONField(default=dict)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    outcome = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind"], condition=Q(done_at__isnull=True), name="work_item_one_open"
            ),
        ]
        indexes = [
            models.Index(F("score").desc(), "id", condition=Q(done_at__isnull=True), name="work_item_next"),
            models.Index(
                fields=["claimed_by"],
                condition=Q(done_at__isnull=True, claimed_by__isnull=False),
                name="work_item_held",
            ),
            models.Index(fields=["done_at"], condition=Q(done_at__isnull=False), name="work_item_done"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.account_id}"
