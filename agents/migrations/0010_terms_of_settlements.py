"""The fees within a settlement, and the role it was asked for in."""

from __future__ import annotations

from django.db import migrations, models

import accounts.models.fields


class Migration(migrations.Migration):
    dependencies = [("agents", "0009_calls_as_data_and_who_may_settle")]

    operations = [
        migrations.AddField(
            model_name="settlement",
            name="fees",
            field=accounts.models.fields.amount(default=0),
        ),
        migrations.AddField(
            model_name="settlement",
            name="made_as",
            field=models.CharField(blank=True, default="", max_length=20),
        ),
    ]
