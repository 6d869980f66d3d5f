"""What is pinned has its points and its last day; callbacks and pins that end are found without reading the queue."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0018_who_decides")]

    operations = [
        migrations.AddField(
            model_name="workitem",
            name="pin_points",
            field=models.PositiveSmallIntegerField(db_default=1000, default=1000),
        ),
        migrations.AddField(
            model_name="workitem",
            name="pinned_until",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="workitem",
            index=models.Index(
                condition=models.Q(("done_at__isnull", True), ("kept_for__isnull", False)),
                fields=["not_before"],
                name="work_item_callback",
            ),
        ),
        migrations.AddIndex(
            model_name="workitem",
            index=models.Index(
                condition=models.Q(("done_at__isnull", True), ("pinned_until__isnull", False)),
                fields=["pinned_until"],
                name="work_item_pin_ends",
            ),
        ),
    ]
