"""Who works here. Roles are Django groups: agent, supervisor, admin (migration 0002)."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models


class Team(models.Model):
    """Agents who share a queue: items of the team, and items of none, are theirs."""

    name = models.CharField(max_length=80, unique=True)

    def __str__(self) -> str:
        return self.name


class Agent(AbstractUser):
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="agents")
    #: Light, dark, or as the device says.
    theme = models.CharField(max_length=8, blank=True, default="")

    class Meta(AbstractUser.Meta):
        verbose_name = "agent"
        verbose_name_plural = "agents"

    def __str__(self) -> str:
        return self.get_full_name() or self.username
