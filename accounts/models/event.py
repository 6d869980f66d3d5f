"""Everything said, done, seen or refused. The database refuses UPDATE, DELETE and TRUNCATE (migration 0002)."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from accounts.models.account import Account


class AccountEvent(models.Model):
    """One line of an account's history: ids, codes, amounts and digests; texts live in rows beside it."""

    account = models.ForeignKey(Account, null=True, on_delete=models.PROTECT, related_name="events")
    #: room.noun.past, such as ``dunning.step.taken`` (``accounts.events`` lists them).
    kind = models.CharField(max_length=60)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()
    #: The business date it belongs to.
    on = models.DateField()
    reason = models.CharField(max_length=300, blank=True, default="")
    #: ``code@number`` of the policy version behind it, when a policy was.
    policy = models.CharField(max_length=80, blank=True, default="")
    payload = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    class Meta:
        indexes = [
            models.Index(fields=["account", "-id"], name="event_account"),
            models.Index(fields=["kind", "on"], name="event_kind_on"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.on}"


class PendingEvent(models.Model):
    """An event somebody must still react to; deleted once ``collections_desk.journey`` has carried it."""

    event = models.OneToOneField(AccountEvent, on_delete=models.PROTECT, primary_key=True, related_name="pending")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["account", "event"], name="pending_account")]

    def __str__(self) -> str:
        return str(self.pk)


class Seal(models.Model):
    """A link of the hash chain over a batch of events (``accounts.audit``)."""

    event_ids = ArrayField(models.BigIntegerField())
    #: SHA-256 of each event, in the order of ``event_ids``, 32 bytes apiece.
    digests = models.BinaryField()
    previous = models.BinaryField()
    #: SHA-256 over ``previous``, the ids and the digests.
    hash = models.BinaryField()
    first_event_id = models.BigIntegerField(unique=True)
    last_event_id = models.BigIntegerField(unique=True)
    sealed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.first_event_id} to {self.last_event_id}"
