"""How often each kind of act brought money, counted; and why a suggestion was declined."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0011_notes_and_words_of_disputes")]

    operations = [
        migrations.AddField(
            model_name="suggestion",
            name="declined_because",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
        migrations.CreateModel(
            name="ActEffect",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("act", models.CharField(max_length=20)),
                ("band", models.CharField(max_length=40)),
                ("tried", models.PositiveIntegerField(default=0)),
                ("worked", models.PositiveIntegerField(default=0)),
                ("counted_on", models.DateField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("act", "band"), name="act_effect_once")],
            },
        ),
    ]
