"""Strategy as data. A published version never changes (migration 0002 makes the database refuse it)."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

CODE = RegexValidator(r"^[A-Za-z0-9._:\-]{1,60}$", "Letters, digits and . _ : - only, at most 60.")


class Policy(models.Model):
    """A strategy; its versions hold what it says."""

    code = models.CharField(max_length=60, unique=True, validators=[CODE])

    class Meta:
        verbose_name_plural = "policies"

    def __str__(self) -> str:
        return self.code


class PolicyVersion(models.Model):
    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        #: Fixed like a published one, and taken only by the accounts of an experiment's arm.
        TRIAL = "trial", "On trial"
        RETIRED = "retired", "Retired"

    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    name = models.CharField(max_length=200)
    #: Higher is asked first; the first whose ``applies_to`` matches is taken.
    priority = models.IntegerField(default=100)
    applies_to = models.JSONField(default=dict, blank=True)
    #: An amount as text, or a map of amounts by currency.
    enter_min_amount = models.JSONField(default=str)
    enter_min_days = models.PositiveIntegerField(default=1)
    exit_max_amount = models.JSONField(default=str)
    min_gap_days = models.PositiveIntegerField(default=1)
    calendar_country = models.CharField(max_length=2, blank=True, default="")
    calendar_region = models.CharField(max_length=10, blank=True, default="")
    calendar_roll = models.CharField(max_length=20, default="next_working_day")
    #: What the days of steps count: every day, or working days.
    calendar_count = models.CharField(max_length=20, default="calendar_days")
    late_fee = models.JSONField(default=str, encoder=DjangoJSONEncoder)
    reconnection_fee = models.JSONField(default=str, encoder=DjangoJSONEncoder)
    agency = models.CharField(max_length=60, blank=True, default="")
    limits_children = models.BooleanField(default=False)
    #: Code of the step at which a case comes in again after a broken promise or plan; empty: where it stands.
    after_broken = models.CharField(max_length=60, blank=True, default="", db_default="")
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    #: Who changed the draft last: that person does not publish it.
    changed_by = models.CharField(max_length=80, blank=True, default="")
    changed_at = models.DateTimeField(null=True, blank=True)
    published_by = models.CharField(max_length=80, blank=True, default="")
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [
            ("publish_policyversion", "Can publish a policy version"),
            ("exceed_blast_radius", "Can publish a version that limits many accounts in a day, with a reason"),
            ("migrate_case", "Can move open cases to another version"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["policy", "number"], name="policy_version_number"),
            models.UniqueConstraint(fields=["policy"], condition=Q(state="published"), name="policy_one_published"),
            models.UniqueConstraint(fields=["policy"], condition=Q(state="draft"), name="policy_one_draft"),
        ]

    def __str__(self) -> str:
        return f"{self.policy.code}@{self.number}"


class Step(models.Model):
    class Action(models.TextChoices):
        NOTIFY = "notify", "Send a notice"
        CHARGE_FEE = "charge_fee", "Charge a fee"
        LIMIT = "limit", "Limit service"
        TRANSFER = "transfer_to_collections", "Hand to agents"
        TASK = "create_task", "Create a task"
        AGENCY = "place_with_agency", "Place with an agency"
        WRITE_OFF = "write_off", "Write off"

    version = models.ForeignKey(PolicyVersion, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    code = models.CharField(max_length=60, validators=[CODE])
    #: Days from the due date of the oldest open bill; negative is before it.
    day = models.IntegerField()
    action = models.CharField(max_length=24, choices=Action)
    channels = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    all_channels = models.BooleanField(default=False)
    template = models.CharField(max_length=60, blank=True, default="")
    pay_by_days = models.PositiveIntegerField(null=True, blank=True)
    rung = models.CharField(max_length=20, blank=True, default="")
    warned_by = models.CharField(max_length=60, blank=True, default="")
    notice_days = models.PositiveIntegerField(null=True, blank=True)
    min_amount = models.JSONField(null=True, blank=True)
    only_if = models.JSONField(default=dict, blank=True)
    agency = models.CharField(max_length=60, blank=True, default="")
    approval = models.CharField(max_length=10, blank=True, default="")
    fee = models.CharField(max_length=20, blank=True, default="")
    #: What the people who get the account or the task read.
    reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "code"], name="step_code"),
            models.UniqueConstraint(
                fields=["version", "position"], name="step_position", deferrable=models.Deferrable.DEFERRED
            ),
        ]

    def __str__(self) -> str:
        return f"day {self.day}: {self.code}"


class PolicyChange(models.Model):
    """One saving of a draft: who, when, and the lines of the policy file that came and went."""

    version = models.ForeignKey(PolicyVersion, on_delete=models.CASCADE, related_name="changes")
    by = models.CharField(max_length=80)
    at = models.DateTimeField()
    #: Lines that begin with ``+`` or ``-``, as in a diff.
    lines = models.JSONField(default=list)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.version_id} by {self.by}"
