"""What was agreed and is confirmed to the customer, and where a case comes in again after a broken promise."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_wishes_and_who_speaks_for_whom"),
        ("dunning", "0011_decisions_are_kept"),
    ]

    operations = [
        migrations.AddField(
            model_name="case",
            name="re_entered_at",
            field=models.CharField(blank=True, db_default="", default="", max_length=60),
        ),
        migrations.AddField(
            model_name="policyversion",
            name="after_broken",
            field=models.CharField(blank=True, db_default="", default="", max_length=60),
        ),
        migrations.CreateModel(
            name="Confirmation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=100, unique=True)),
                ("template", models.CharField(max_length=60)),
                ("wording", models.JSONField(blank=True, default=dict)),
                ("asked_by", models.CharField(max_length=80)),
                ("asked_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="confirmations",
                        to="accounts.account",
                    ),
                ),
            ],
        ),
    ]
