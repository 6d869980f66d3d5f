"""What the outer doors remember: answers already given, customers' visits to their page, and whom to tell of events."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import Account, AccountEvent
from agents.models.people import Agent


class ApiAnswer(models.Model):
    """The first answer to an ``Idempotency-Key``: sent again, the same call returns it."""

    user = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    path = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="api_answer_once")]

    def __str__(self) -> str:
        return self.key


class PortalVisit(models.Model):
    """A try to open the customer's page; too many wrong ones shut it for a while."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    passed = models.BooleanField()

    class Meta:
        indexes = [models.Index(fields=["account", "-at"], name="portal_visit_account")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.at:%Y-%m-%d %H:%M}"


class Webhook(models.Model):
    """Somebody outside who wants to be told of events as they happen."""

    url = models.CharField(max_length=500)
    #: Kinds of event that begin with one of these, such as ``agents.promise``.
    events = ArrayField(models.CharField(max_length=60))
    #: Signs every call.
    secret = models.CharField(max_length=100)
    active = models.BooleanField(default=True)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.url


class WebhookCall(models.Model):
    """One event to tell one webhook: an outbox row, written with the event's reactions and sent afterwards."""

    class State(models.TextChoices):
        PENDING = "pending", "To be made"
        SENT = "sent", "Made"
        DEAD = "dead", "Given up"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="calls")
    event = models.ForeignKey(AccountEvent, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    #: When to try next; pushed ahead while it is being tried, so that nobody else tries it. Null once it is over.
    send_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True, default="")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["webhook", "event"], name="webhook_call_once")]
        indexes = [
            models.Index(fields=["send_at", "id"], condition=Q(state="pending"), name="webhook_call_due"),
            models.Index(fields=["id"], condition=Q(state="dead"), name="webhook_call_dead"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.webhook_id}: {self.state}"
