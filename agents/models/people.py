"""Who works here. Roles are Django groups: agent, supervisor, admin (migration 0002)."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models import fields


class Team(models.Model):
    """Agents who share a queue: items of the team, and items of none, are theirs."""

    name = models.CharField(max_length=80, unique=True)

    def __str__(self) -> str:
        return self.name


class Agent(AbstractUser):
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="agents")
    #: Of somebody who supervises: whether every team's accounts, people and figures are theirs to see.
    all_teams = models.BooleanField(
        default=True, help_text="Supervisors: sees every team; without it, their own team alone"
    )
    #: Light, dark, or as the device says.
    theme = models.CharField(max_length=8, blank=True, default="")
    #: The language of the desk for this person; empty: as the browser asks.
    interface_language = models.CharField(max_length=8, blank=True, default="")
    #: Whether the script shows every hint; whoever knows the work switches them off and keeps the warnings.
    hints = models.BooleanField(default=True)
    #: Skills. Nothing stated: no account is kept from them for it.
    languages = ArrayField(
        models.CharField(max_length=10), default=list, blank=True, help_text="Languages spoken, such as en, es, de"
    )
    segments = ArrayField(
        models.CharField(max_length=80), default=list, blank=True, help_text="Segments of accounts worked on"
    )
    products = ArrayField(models.CharField(max_length=80), default=list, blank=True, help_text="Products known")
    most_overdue = fields.amount(null=True, blank=True, help_text="Accounts that owe more go to others")

    class Meta(AbstractUser.Meta):
        verbose_name = "agent"
        verbose_name_plural = "agents"

    def __str__(self) -> str:
        return self.get_full_name() or self.username
