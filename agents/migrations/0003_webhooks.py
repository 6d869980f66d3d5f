"""Webhooks with their outbox, and the group of machines that bring facts."""

from __future__ import annotations

from typing import Any

import django.contrib.postgres.fields
import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def add_integration(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Group: Any = apps.get_model("auth", "Group")
    Group.objects.get_or_create(name="integration")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_append_only_events"),
        ("agents", "0002_roles_and_dispositions"),
    ]

    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("url", models.CharField(max_length=500)),
                (
                    "events",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), size=None),
                ),
                ("secret", models.CharField(max_length=100)),
                ("active", models.BooleanField(default=True)),
                ("created_by", models.CharField(max_length=80)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="WebhookCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "To be made"), ("sent", "Made"), ("dead", "Given up")],
                        default="pending",
                        max_length=8,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("send_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, default="", max_length=300)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "event",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.accountevent"
                    ),
                ),
                (
                    "webhook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="calls", to="agents.webhook"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "pending")), fields=["send_at", "id"], name="webhook_call_due"
                    ),
                    models.Index(condition=models.Q(("state", "dead")), fields=["id"], name="webhook_call_dead"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("webhook", "event"), name="webhook_call_once"),
                ],
            },
        ),
        migrations.RunPython(add_integration, migrations.RunPython.noop),
    ]
