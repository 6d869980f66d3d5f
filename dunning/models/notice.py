"""Messages to customers and orders to the network: intent first, then the call, then the result."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import Account, Customer, Service, fields
from dunning.models.case import Case


class HandOver(models.TextChoices):
    PENDING = "pending", "To be sent"
    HANDING_OVER = "handing_over", "Being handed over"
    SENT = "sent", "Handed over"
    DELIVERED = "delivered", "Delivered"
    BOUNCED = "bounced", "Bounced"
    FAILED = "failed", "Failed"
    WITHDRAWN = "withdrawn", "Withdrawn"
    #: The connection broke and the relay knows no key: it may have gone out, so it is not sent again.
    DOUBTFUL = "doubtful", "Doubtful"


class Notice(models.Model):
    """One message to one customer on one channel. The text and the address live here, where erasure can reach them."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="notices")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="notices")
    case = models.ForeignKey(Case, null=True, blank=True, on_delete=models.PROTECT, related_name="notices")
    #: Idempotency key, ours and the provider's: step instance and channel.
    key = models.CharField(max_length=120, unique=True)
    #: What it belongs to: ``code`` of the step, or ``confirmation`` of an agreement.
    step_code = models.CharField(max_length=60)
    template = models.CharField(max_length=60)
    channel = models.CharField(max_length=10)
    #: Channels left to try when this one fails.
    fallbacks = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    language = models.CharField(max_length=12, blank=True, default="")
    tone = models.CharField(max_length=6, blank=True, default="")
    bill_refs = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    amount = fields.amount(default=0)
    currency = models.CharField(max_length=3)
    made_on = models.DateField()
    pay_by_days = models.PositiveIntegerField(null=True, blank=True)
    pay_by = models.DateField(null=True, blank=True)
    consequence = models.CharField(max_length=20, blank=True, default="")

    state = models.CharField(max_length=14, choices=HandOver, default=HandOver.PENDING)
    reason = models.CharField(max_length=200, blank=True, default="")
    #: When to try next; null once nothing more is to be done.
    send_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    address = models.CharField(max_length=400, blank=True, default="")
    subject = models.CharField(max_length=300, blank=True, default="")
    body = models.TextField(blank=True, default="")
    #: Of a text message: how many the network bills.
    segments = models.PositiveSmallIntegerField(null=True, blank=True)
    print_run = models.CharField(max_length=120, blank=True, default="")
    provider_ref = models.CharField(max_length=120, blank=True, default="")
    sent_at = models.DateTimeField(null=True, blank=True)
    #: E-mail: 24 hours after acceptance without a bounce; a letter: three working days after print.
    counts_from = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=HandOver.values), name="notice_state_known"),
        ]
        indexes = [
            models.Index(
                fields=["send_at", "id"], condition=Q(state__in=["pending", "handing_over"]), name="notice_to_send"
            ),
            models.Index(fields=["counts_from"], condition=Q(state="sent"), name="notice_undelivered"),
            models.Index(fields=["account", "-id"], name="notice_account"),
            models.Index(fields=["case", "step_code"], condition=Q(case__isnull=False), name="notice_case_step"),
            models.Index(fields=["provider_ref"], condition=~Q(provider_ref=""), name="notice_provider_ref"),
            models.Index(
                fields=["-id"],
                condition=Q(state__in=["failed", "bounced", "doubtful"]),
                name="notice_dead_letter",
            ),
            models.Index(fields=["sent_at"], condition=Q(sent_at__isnull=False), name="notice_sent"),
            models.Index(
                fields=["address", "-id"],
                condition=Q(channel__in=["sms", "email"], sent_at__isnull=False),
                name="notice_sent_address",
            ),
            models.Index(fields=["customer", "-sent_at"], condition=Q(sent_at__isnull=False), name="notice_sent_to"),
        ]

    def __str__(self) -> str:
        return f"{self.step_code} by {self.channel}: {self.state}"


class Confirmation(models.Model):
    """What was agreed and is confirmed to the customer: the notice with this key says it."""

    #: ``confirm.promise.{ref}``; the notice's own has its channel behind it.
    key = models.CharField(max_length=100, unique=True)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="confirmations")
    template = models.CharField(max_length=60)
    #: What it says beside the account's own facts, as ``dunning.confirming`` writes it.
    wording = models.JSONField(default=dict, blank=True)
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key


class ServiceOrder(models.Model):
    """One request to the network to limit or restore one service; the service moves when the network confirms."""

    class Kind(models.TextChoices):
        LIMIT = "limit", "Limit"
        RESTORE = "restore", "Restore"

    class State(models.TextChoices):
        PENDING = "pending", "To be sent"
        HANDING_OVER = "handing_over", "Being handed over"
        SENT = "sent", "Accepted by the network"
        CONFIRMED = "confirmed", "Confirmed"
        FAILED = "failed", "Failed"
        WITHDRAWN = "withdrawn", "Withdrawn"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="service_orders")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="orders")
    case = models.ForeignKey(Case, null=True, blank=True, on_delete=models.PROTECT, related_name="service_orders")
    key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    rung = models.CharField(max_length=20)
    step_code = models.CharField(max_length=60, blank=True, default="")
    made_on = models.DateField()
    state = models.CharField(max_length=14, choices=State, default=State.PENDING)
    reason = models.CharField(max_length=200, blank=True, default="")
    send_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    provider_ref = models.CharField(max_length=120, blank=True, default="")
    sent_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["pending", "handing_over", "sent", "confirmed", "failed", "withdrawn"]),
                name="service_order_state_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["send_at", "id"], condition=Q(state__in=["pending", "handing_over"]), name="order_to_send"
            ),
            models.Index(
                fields=["made_on", "id"],
                condition=Q(state__in=["pending", "handing_over", "sent", "failed"]),
                name="order_open",
            ),
            models.Index(fields=["account", "-id"], name="order_account"),
            models.Index(fields=["provider_ref"], condition=~Q(provider_ref=""), name="order_provider_ref"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.rung}: {self.state}"
