"""Champion and challengers: which version an account of a policy gets, and what came of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Account
from dunning.models.policy import CODE, Policy, PolicyVersion


class Experiment(models.Model):
    """A comparison of versions of one policy, with the metric that decides named before it begins."""

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        RUNNING = "running", "Running"
        ENDED = "ended", "Ended"

    class Metric(models.TextChoices):
        COLLECTED = "collected", "Share of the amount collected by day N"
        CURED = "cured", "Share of accounts cured by day N"
        COMPLAINTS = "complaints", "Share of accounts with a complaint by day N"
        SUSPENSIONS = "suspensions", "Share of accounts limited by day N"

    code = models.CharField(max_length=60, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="experiments")
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    metric = models.CharField(max_length=20, choices=Metric, default=Metric.COLLECTED)
    #: N of the metric: days from an account's assignment.
    metric_days = models.PositiveIntegerField(default=30)
    starts_on = models.DateField()
    #: The last day on which accounts are assigned.
    ends_on = models.DateField()
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    started_by = models.CharField(max_length=80, blank=True, default="")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_on = models.DateField(null=True, blank=True)
    end_reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        permissions = [("run_experiment", "Can start and end an experiment")]
        constraints = [
            models.UniqueConstraint(fields=["policy"], condition=Q(state="running"), name="experiment_one_running"),
            models.CheckConstraint(condition=Q(ends_on__gte=models.F("starts_on")), name="experiment_ends_after_start"),
        ]

    def __str__(self) -> str:
        return self.name


class Arm(models.Model):
    """A share of the accounts and what they get: the champion, a challenger, or (holdout) nothing for a while."""

    class Role(models.TextChoices):
        CHAMPION = "champion", "Champion"
        CHALLENGER = "challenger", "Challenger"
        HOLDOUT = "holdout", "Holdout"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="arms")
    code = models.CharField(max_length=60, validators=[CODE])
    role = models.CharField(max_length=10, choices=Role)
    #: A challenger's version; the champion is whatever is published.
    version = models.ForeignKey(PolicyVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="arms")
    #: In ten-thousandths of the accounts; the arms of an experiment come to 10,000.
    share = models.PositiveIntegerField()
    #: A holdout is left alone for so many days past due, then treated as the champion is.
    holdout_days = models.PositiveIntegerField(null=True, blank=True)
    position = models.PositiveIntegerField(default=0)
    #: No account is assigned to it from that day on: a guard rail, or a person, stopped it.
    stopped_on = models.DateField(null=True, blank=True)
    stop_reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "code"], name="arm_code"),
            models.UniqueConstraint(fields=["experiment"], condition=Q(role="champion"), name="arm_one_champion"),
            models.CheckConstraint(condition=Q(share__lte=10_000), name="arm_share_sound"),
            models.CheckConstraint(
                condition=Q(role="challenger", version__isnull=False) | ~Q(role="challenger") & Q(version__isnull=True),
                name="arm_challenger_has_version",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class GuardRail(models.Model):
    """An arm that is worse than the champion on this by more than so much, beyond chance, is stopped."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="guard_rails")
    metric = models.CharField(max_length=20, choices=Experiment.Metric)
    #: Percentage points.
    max_worse = models.DecimalField(max_digits=6, decimal_places=3)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "metric"], name="guard_rail_once")]

    def __str__(self) -> str:
        return f"{self.metric}: {self.max_worse}"


class Assignment(models.Model):
    """An account's arm, from the day it first came up while the experiment ran; it never changes."""

    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="assignments")
    arm = models.ForeignKey(Arm, on_delete=models.PROTECT, related_name="assignments")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="assignments")
    on = models.DateField()
    #: Past due on that day, in the account's currency: what "collected" is a share of.
    overdue = models.DecimalField(max_digits=18, decimal_places=3)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "account"], name="assignment_once")]
        indexes = [models.Index(fields=["account"], name="assignment_account")]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.arm_id}"
