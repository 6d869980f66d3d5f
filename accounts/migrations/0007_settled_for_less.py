"""What a settlement lets go of is an adjustment of a kind of its own."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_wishes_and_who_speaks_for_whom")]

    operations = [
        migrations.AlterField(
            model_name="adjustment",
            name="kind",
            field=models.CharField(
                choices=[
                    ("billing", "From billing"),
                    ("dispute", "Upheld dispute, until billing's credit"),
                    ("write_off", "Write-off"),
                    ("settlement", "Let go in a settlement"),
                ],
                default="billing",
                max_length=10,
            ),
        ),
    ]
