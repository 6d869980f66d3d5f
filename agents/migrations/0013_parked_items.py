from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_settled_for_less"),
        ("agents", "0012_suggestions"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="workitem",
            index=models.Index(
                condition=models.Q(("callable_from__isnull", False), ("done_at__isnull", True)),
                fields=["callable_from"],
                name="work_item_parked",
            ),
        ),
    ]
