"""The local counterpart of every gateway: what would have reached the customer or the network."""

from __future__ import annotations

from django.db import models


class OutboxMessage(models.Model):
    key = models.CharField(max_length=120, unique=True)
    channel = models.CharField(max_length=10)
    account_ref = models.CharField(max_length=64)
    to = models.CharField(max_length=400, blank=True, default="")
    subject = models.CharField(max_length=300, blank=True, default="")
    text = models.TextField(blank=True, default="")
    html = models.TextField(blank=True, default="")
    language = models.CharField(max_length=12, blank=True, default="")
    attachment = models.BinaryField(null=True, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        verbose_name = "message"
        indexes = [models.Index(fields=["account_ref", "-id"], name="outbox_account")]

    def __str__(self) -> str:
        return f"{self.channel} to {self.account_ref}"
