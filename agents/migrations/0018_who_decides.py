from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0017_complaint_clocks")]

    operations = [
        migrations.AddField(
            model_name=model,
            name="decided_for",
            field=models.CharField(blank=True, default="", max_length=80),
        )
        for model in ("asked", "extension", "plan")
    ]
