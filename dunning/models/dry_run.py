"""A policy tried on the live book without writing: what was asked, how far it is, what it found."""

from __future__ import annotations

from django.db import models

from dunning.models.policy import PolicyVersion


class DryRun(models.Model):
    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    #: The version tried; its document is kept here, because a draft goes on changing.
    version = models.ForeignKey(PolicyVersion, null=True, on_delete=models.SET_NULL, related_name="dry_runs")
    document = models.JSONField()
    #: SHA-256 of the tidy document: a publish asks for a dry run of just this content.
    digest = models.CharField(max_length=64)
    as_of = models.DateField()
    days = models.PositiveIntegerField(default=1)
    #: Tried as if the policy's open cases moved to it too, where they can.
    moves_cases = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    #: When its worker last told how far it is: one that is silent for long has died.
    seen_at = models.DateTimeField(null=True, blank=True)
    accounts_total = models.PositiveIntegerField(default=0)
    accounts_done = models.PositiveIntegerField(default=0)
    cancel_asked = models.BooleanField(default=False)
    #: What ``simulate_policy`` answers, with names, costs and the accounts behind the difference.
    result = models.JSONField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True, default="")
    #: Who answers for a version that limits more accounts in a day than the desk allows without a reason.
    reach_accepted_by = models.CharField(max_length=80, blank=True, default="")
    reach_accepted_at = models.DateTimeField(null=True, blank=True)
    reach_reason = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["digest", "-id"], name="dry_run_digest")]

    def __str__(self) -> str:
        return f"dry run {self.pk} as of {self.as_of}"
