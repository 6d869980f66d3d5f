"""What customers write back, and when they answer."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import Account, Customer
from dunning.models.notice import Notice


class InboundMessage(models.Model):
    """One message from a customer, as it came; what it asks for, what was done at once, and what waits for a person."""

    class Channel(models.TextChoices):
        SMS = "sms", "SMS"
        EMAIL = "email", "E-mail"
        IN_APP = "in_app", "In-app"

    class Intent(models.TextChoices):
        OPT_OUT = "opt_out", "Asks us to stop"
        OPT_IN = "opt_in", "Asks us to begin again"
        PAID = "paid", "Says it is paid"
        CALL_ME = "call_me", "Asks for a call"
        DISPUTE = "dispute", "Contests a bill"
        CANNOT_PAY = "cannot_pay", "Cannot pay"
        WRONG_PERSON = "wrong_person", "Not the customer"
        HELP = "help", "Asks for help"
        AUTO_REPLY = "auto_reply", "An automatic reply"
        BOUNCE = "bounce", "Could not be delivered"
        UNCLEAR = "unclear", "Not understood"

    class State(models.TextChoices):
        NEW = "new", "To be read"
        ACTED = "acted", "Dealt with"
        WAITING = "waiting", "Waits for a person"
        DONE = "done", "Done by a person"

    gateway = models.CharField(max_length=20)
    #: The provider's or the mail's own id: the same again is the same message.
    provider_ref = models.CharField(max_length=200)
    channel = models.CharField(max_length=10, choices=Channel)
    sender = models.CharField(max_length=254)
    recipient = models.CharField(max_length=254, blank=True, default="")
    subject = models.CharField(max_length=300, blank=True, default="")
    text = models.TextField(blank=True, default="")
    received_at = models.DateTimeField()
    account = models.ForeignKey(Account, null=True, blank=True, on_delete=models.PROTECT, related_name="inbound")
    customer = models.ForeignKey(Customer, null=True, blank=True, on_delete=models.PROTECT, related_name="inbound")
    #: The notice it answers, where that can be told.
    answers = models.ForeignKey(Notice, null=True, blank=True, on_delete=models.SET_NULL, related_name="answered_by")
    language = models.CharField(max_length=12, blank=True, default="")
    intent = models.CharField(max_length=12, choices=Intent, default=Intent.UNCLEAR)
    #: Words that an agent should look at: of vulnerability, of a crisis. Suggested, never acted on alone.
    hints = ArrayField(models.CharField(max_length=30), default=list, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.NEW)
    #: Codes of what was done at once.
    acts = ArrayField(models.CharField(max_length=30), default=list, blank=True)
    answer = models.TextField(blank=True, default="")
    done_by = models.CharField(max_length=80, blank=True, default="")
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway", "provider_ref"], name="inbound_once")]
        indexes = [
            models.Index(fields=["account", "-id"], name="inbound_account"),
            models.Index(fields=["id"], condition=Q(state__in=["new", "waiting"]), name="inbound_to_read"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.intent} {self.received_at:%Y-%m-%d}"


class ContactHabit(models.Model):
    """How often a customer was tried on a channel in an hour of their day, and how often they answered."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="habits")
    channel = models.CharField(max_length=10)
    #: 0 to 23, at the customer.
    hour = models.PositiveSmallIntegerField()
    #: Weighted: what is old counts for less.
    tries = models.FloatField(default=0)
    answers = models.FloatField(default=0)
    counted_to = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["customer", "channel", "hour"], name="contact_habit_once")]
        indexes = [models.Index(fields=["counted_to"], name="contact_habit_counted")]

    def __str__(self) -> str:
        return f"{self.channel} at {self.hour}: {self.answers} of {self.tries}"
