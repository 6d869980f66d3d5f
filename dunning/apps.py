from __future__ import annotations

from django.apps import AppConfig


class DunningConfig(AppConfig):
    name = "dunning"
    verbose_name = "Decisions: policies, cases, notices"
    default_auto_field = "django.db.models.BigAutoField"
