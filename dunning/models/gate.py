"""Rule packs as they are used: chosen for a market, changed by an admin; and every decision they came to."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from accounts.models import Account, Customer
from dunning.models.notice import Notice, ServiceOrder


class RulePackVersion(models.Model):
    """A pack as it read when it first decided something; kept as it was."""

    pack = models.CharField(max_length=20)
    version = models.CharField(max_length=20)
    title = models.CharField(max_length=120)
    digest = models.CharField(max_length=64)
    content = models.JSONField()
    first_used_at = models.DateTimeField()

    class Meta:
        verbose_name = "pack version"
        constraints = [models.UniqueConstraint(fields=["pack", "version", "digest"], name="pack_version_once")]

    def __str__(self) -> str:
        return f"{self.pack}@{self.version}"


class MarketPacks(models.Model):
    """Which packs an admin chose for a market; without a row, those that ship for the country and region apply."""

    #: ``US``, ``US-MA``, ``DE``; ``*`` for every market.
    market = models.CharField(max_length=10, unique=True)
    packs = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    #: A choice that leaves out a pack of the market waits for a second person.
    waiting_for = ArrayField(models.CharField(max_length=20), null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, default="")
    asked_by = models.CharField(max_length=80, blank=True, default="")
    asked_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=80, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "packs of a market"
        verbose_name_plural = "packs of markets"

    def __str__(self) -> str:
        return f"{self.market}: {', '.join(self.packs)}"


class PackChange(models.Model):
    """One value of a rule, changed by an admin: stricter at once, looser with a reason and a second person."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waits for a second person"
        IN_FORCE = "in_force", "In force"
        REFUSED = "refused", "Refused"
        ENDED = "ended", "Ended"

    pack = models.CharField(max_length=20)
    rule = models.CharField(max_length=30)
    parameter = models.CharField(max_length=60)
    was = models.JSONField()
    value = models.JSONField()
    looser = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, blank=True, default="")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    decided_by = models.CharField(max_length=80, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        permissions = [("loosen_packchange", "Can let a rule be looser, as the second person")]
        constraints = [
            models.UniqueConstraint(
                fields=["pack", "rule", "parameter"], condition=Q(state="in_force"), name="pack_change_in_force_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pack} {self.rule} {self.parameter} = {self.value}"


class GateDecision(models.Model):
    """What the gate said of one contact, limit or other action: asked for, allowed or not. Append-only."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="gate_decisions")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="gate_decisions")
    action = models.CharField(max_length=20)
    automated = models.BooleanField()
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()
    #: The hour at the customer, in each zone they may be in: ``2026-11-23 07:59 America/Los_Angeles``.
    local_times = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    outcome = models.CharField(max_length=8)
    rule_ids = ArrayField(models.CharField(max_length=30), default=list, blank=True)
    reasons = ArrayField(models.CharField(max_length=300), default=list, blank=True)
    next_allowed_at = models.DateTimeField(null=True, blank=True)
    packs = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    #: SHA-256 of the facts it rested on, and of the number or address with the desk's salt.
    facts_digest = models.CharField(max_length=64)
    address_digest = models.CharField(max_length=64, blank=True, default="")
    #: Somebody with the right to it went on all the same.
    override_code = models.CharField(max_length=30, blank=True, default="")
    override_reason = models.CharField(max_length=300, blank=True, default="")
    overridden_by = models.CharField(max_length=80, blank=True, default="")
    notice = models.ForeignKey(Notice, null=True, blank=True, on_delete=models.PROTECT, related_name="gate_decisions")
    order = models.ForeignKey(
        ServiceOrder, null=True, blank=True, on_delete=models.PROTECT, related_name="gate_decisions"
    )

    class Meta:
        permissions = [("override_gatedecision", "Can call although the gate says no")]
        indexes = [
            models.Index(fields=["account", "-id"], name="gate_decision_account"),
            models.Index(fields=["at"], name="gate_decision_at"),
            GinIndex(fields=["rule_ids"], condition=~Q(outcome="ALLOW"), name="gate_decision_rules"),
        ]

    def __str__(self) -> str:
        return f"{self.action}: {self.outcome}"
