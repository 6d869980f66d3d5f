"""Everything said, done, seen or refused. The database refuses UPDATE, DELETE and TRUNCATE (migration 0002)."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

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
            #: The trail, newest first; the two below stay small, since equal keys are kept once.
            models.Index(fields=["on", "id"], name="event_on"),
            models.Index(fields=["actor", "on"], name="event_actor"),
            models.Index(fields=["policy", "on"], condition=~Q(policy=""), name="event_policy"),
            #: By the rule that was named: of a contact that was refused, of a call.
            GinIndex(
                fields=["payload"],
                opclasses=["jsonb_path_ops"],
                condition=Q(payload__has_any_keys=["rules", "gate"]),
                name="event_rules",
            ),
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


class SealedHead(models.Model):
    """The head of the chain as it was given out: signed, so that even the database's owner cannot begin anew unseen."""

    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, related_name="heads")
    #: Events under the seal and all before it.
    events = models.BigIntegerField()
    hash = models.BinaryField()
    #: Ed25519 over the exported text (``accounts.audit_heads``), and the first bytes of the public key's SHA-256.
    signature = models.BinaryField()
    key_id = models.CharField(max_length=16)
    given_by = models.CharField(max_length=80)
    given_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.events} events, {self.given_at:%Y-%m-%d}"
