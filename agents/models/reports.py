"""Figures by mail: when, of what, to whom, and what became of each mail."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_noop as _

from agents.models.oversight import Snapshot
from agents.models.people import Agent


class ReportSchedule(models.Model):
    """A summary that somebody wants by mail: of what, how often, at which hour of the operator's zone."""

    class Every(models.TextChoices):
        DAY = "day", _("Every day")
        WEEK = "week", _("Every week")
        MONTH = "month", _("Every month")

    title = models.CharField(max_length=120)
    owner = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="report_schedules")
    every = models.CharField(max_length=5, choices=Every, default=Every.DAY)
    #: Of a week: 1 is Monday.
    weekday = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(7)])
    #: Of a month; in a shorter one its last day.
    month_day = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(31)])
    hour = models.PositiveSmallIntegerField(default=7, validators=[MaxValueValidator(23)])
    dimension = models.CharField(
        max_length=10, choices=Snapshot.Dimension, default=Snapshot.Dimension.ALL, help_text="As figures are recorded"
    )
    member = models.CharField(max_length=120, blank=True, default="")
    days = models.PositiveIntegerField(default=7, help_text="Length of the period, one that is recorded every day")
    currency = models.CharField(max_length=3, blank=True, default="", help_text="Empty: each that is recorded")
    #: Codes of ``agents.reports.PARTS``.
    parts = ArrayField(models.CharField(max_length=12), default=list)
    active = models.BooleanField(default=True)
    #: The next day that it is about, and the moment from which it may leave.
    next_on = models.DateField()
    next_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(weekday__gte=1, weekday__lte=7), name="report_on_a_weekday"),
            models.CheckConstraint(condition=Q(month_day__gte=1, month_day__lte=31), name="report_on_a_day"),
            models.CheckConstraint(condition=Q(hour__lte=23), name="report_at_an_hour"),
        ]
        indexes = [models.Index(fields=["next_at"], condition=Q(active=True), name="report_next")]

    def __str__(self) -> str:
        return self.title


class ReportRecipient(models.Model):
    """Who gets a report: somebody who works here, by the address of their account, or an address outside.

    Whoever was taken off the list, or wants no more of it, stays as who got what was sent.
    """

    schedule = models.ForeignKey(ReportSchedule, on_delete=models.CASCADE, related_name="recipients")
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    address = models.EmailField(blank=True, default="")
    #: One of the desk's own; empty: as their account has it.
    language = models.CharField(max_length=8, blank=True, default="")
    #: When they were taken off; the list has whoever was not.
    left_at = models.DateTimeField(null=True, blank=True)
    #: Whether they said so themselves: then nobody else puts them back.
    unsubscribed = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "agent"], condition=Q(agent__isnull=False), name="report_recipient_once"
            ),
            models.UniqueConstraint(
                fields=["schedule", "address"], condition=~Q(address=""), name="report_address_once"
            ),
            models.CheckConstraint(
                condition=Q(agent__isnull=False, address="") | (Q(agent__isnull=True) & ~Q(address="")),
                name="report_recipient_is_one",
            ),
        ]

    def __str__(self) -> str:
        return str(self.agent) if self.agent is not None else self.address


class ReportRun(models.Model):
    """One mail of a report: about which day, to whom, and what became of it."""

    class State(models.TextChoices):
        PENDING = "pending", _("To be sent")
        SENDING = "sending", _("Being handed over")
        SENT = "sent", _("Sent")
        WITHHELD = "withheld", _("Not sent")
        FAILED = "failed", _("Refused")
        GIVEN_UP = "given_up", _("Given up")
        DOUBTFUL = "doubtful", _("May have arrived")

    schedule = models.ForeignKey(ReportSchedule, on_delete=models.CASCADE, related_name="runs")
    as_of = models.DateField()
    #: Nobody where somebody asked for it, for themselves and at once.
    recipient = models.ForeignKey(ReportRecipient, null=True, blank=True, on_delete=models.CASCADE, related_name="runs")
    asked_by = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    made_at = models.DateTimeField()
    #: When it is tried next.
    send_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    #: Until then a worker has it in hand.
    lease_until = models.DateTimeField(null=True, blank=True)
    message_id = models.CharField(max_length=200, blank=True, default="")
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "as_of", "recipient"],
                condition=Q(recipient__isnull=False),
                name="report_run_once",
            ),
            models.CheckConstraint(
                condition=Q(recipient__isnull=False, asked_by__isnull=True)
                | Q(recipient__isnull=True, asked_by__isnull=False),
                name="report_run_has_a_reader",
            ),
        ]
        indexes = [
            models.Index(fields=["send_at"], condition=Q(state="pending"), name="report_run_due"),
            models.Index(fields=["lease_until"], condition=Q(state="sending"), name="report_run_in_hand"),
            models.Index(fields=["schedule", "-id"], name="report_run_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} of {self.as_of} {self.state}"
