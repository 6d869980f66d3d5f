from __future__ import annotations

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_settled_for_less"),
        ("agents", "0013_parked_items"),
    ]

    operations = [
        migrations.AddField(
            model_name="interaction",
            name="also_about",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), blank=True, default=list, size=None
            ),
        ),
        migrations.AddIndex(
            model_name="interaction",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("also_about", []), _negated=True),
                fields=["also_about"],
                name="interaction_also_about",
            ),
        ),
    ]
