"""Conversations and their outcomes."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Account, fields
from agents.models.people import Agent


class Disposition(models.Model):
    """What a call came to, as data: what it counts as, and what must be recorded with it."""

    class Asks(models.TextChoices):
        NOTHING = "", "Nothing"
        PROMISE = "promise", "A promise"
        PLAN = "plan", "A plan"
        DISPUTE = "dispute", "A dispute"
        CALLBACK = "callback", "A callback"
        HARDSHIP = "hardship", "A hardship hold"

    code = models.CharField(max_length=40, primary_key=True)
    label = models.CharField(max_length=80)
    key = models.CharField(max_length=1, blank=True, default="", help_text="Key on the account page")
    position = models.PositiveIntegerField(default=100)
    connected = models.BooleanField(default=False, help_text="Somebody or something answered")
    conversation = models.BooleanField(default=False)
    right_party = models.BooleanField(default=False)
    asks = models.CharField(max_length=10, choices=Asks, blank=True, default=Asks.NOTHING)
    #: Hours until the account is offered again; null: by the day's score.
    next_contact_hours = models.PositiveIntegerField(null=True, blank=True)
    #: The number called is not used again.
    bad_number = models.BooleanField(default=False)
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.label


class Interaction(models.Model):
    """A call, message or visit, either direction."""

    class Kind(models.TextChoices):
        CALL = "call", "Call"
        SMS = "sms", "SMS"
        EMAIL = "email", "E-mail"
        LETTER = "letter", "Letter"
        VISIT = "visit", "Visit"
        IN_APP = "in_app", "In-app"

    class Direction(models.TextChoices):
        OUTBOUND = "outbound", "Outbound"
        INBOUND = "inbound", "Inbound"

    ref = fields.ref()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="interactions")
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="interactions")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.CALL)
    direction = models.CharField(max_length=8, choices=Direction)
    #: The code of a ``Disposition``, or an older system's own.
    disposition = models.CharField(max_length=40)
    right_party = models.BooleanField(default=False)
    number = models.CharField(max_length=40, blank=True, default="")
    at = models.DateTimeField()
    duration_seconds = models.PositiveIntegerField(null=True, blank=True)
    note = models.TextField(blank=True, default="")
    callback_at = models.DateTimeField(null=True, blank=True)
    #: The gate said no and somebody with the right to it went on: the code of why.
    override_code = models.CharField(max_length=30, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["account", "-at"], name="interaction_account"),
            models.Index(fields=["agent", "at"], condition=Q(agent__isnull=False), name="interaction_agent"),
            models.Index(fields=["at"], name="interaction_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.disposition} {self.at:%Y-%m-%d}"


class Note(models.Model):
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="notes")
    text = models.TextField()
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    class Meta:
        indexes = [models.Index(fields=["account", "-at"], name="note_account")]

    def __str__(self) -> str:
        return self.text[:60]
