"""Figures by mail: schedules, who gets them, and every mail with what became of it."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0022_word_checks"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReportRecipient",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("address", models.EmailField(blank=True, default="", max_length=254)),
                ("language", models.CharField(blank=True, default="", max_length=8)),
                ("left_at", models.DateTimeField(blank=True, null=True)),
                ("unsubscribed", models.BooleanField(default=False)),
                (
                    "agent",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ReportSchedule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=120)),
                (
                    "every",
                    models.CharField(
                        choices=[("day", "Every day"), ("week", "Every week"), ("month", "Every month")],
                        default="day",
                        max_length=5,
                    ),
                ),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(
                        default=1,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(7),
                        ],
                    ),
                ),
                (
                    "month_day",
                    models.PositiveSmallIntegerField(
                        default=1,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(31),
                        ],
                    ),
                ),
                (
                    "hour",
                    models.PositiveSmallIntegerField(
                        default=7, validators=[django.core.validators.MaxValueValidator(23)]
                    ),
                ),
                (
                    "dimension",
                    models.CharField(
                        choices=[
                            ("all", "The whole book"),
                            ("team", "Team"),
                            ("agent", "Agent"),
                            ("segment", "Segment"),
                            ("product", "Product"),
                            ("policy", "Policy"),
                            ("arm", "Arm of an experiment"),
                        ],
                        default="all",
                        help_text="As figures are recorded",
                        max_length=10,
                    ),
                ),
                ("member", models.CharField(blank=True, default="", max_length=120)),
                (
                    "days",
                    models.PositiveIntegerField(
                        default=7, help_text="Length of the period, one that is recorded every day"
                    ),
                ),
                (
                    "currency",
                    models.CharField(blank=True, default="", help_text="Empty: each that is recorded", max_length=3),
                ),
                (
                    "parts",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=12), default=list, size=None
                    ),
                ),
                ("active", models.BooleanField(default=True)),
                ("next_on", models.DateField()),
                ("next_at", models.DateTimeField()),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="report_schedules",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ReportRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("as_of", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "To be sent"),
                            ("sending", "Being handed over"),
                            ("sent", "Sent"),
                            ("withheld", "Not sent"),
                            ("failed", "Refused"),
                            ("given_up", "Given up"),
                            ("doubtful", "May have arrived"),
                        ],
                        default="pending",
                        max_length=8,
                    ),
                ),
                ("made_at", models.DateTimeField()),
                ("send_at", models.DateTimeField(blank=True, null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("message_id", models.CharField(blank=True, default="", max_length=200)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("error", models.CharField(blank=True, default="", max_length=300)),
                (
                    "asked_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "recipient",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="agents.reportrecipient",
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="runs", to="agents.reportschedule"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="reportrecipient",
            name="schedule",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="recipients", to="agents.reportschedule"
            ),
        ),
        migrations.AddIndex(
            model_name="reportschedule",
            index=models.Index(condition=models.Q(("active", True)), fields=["next_at"], name="report_next"),
        ),
        migrations.AddConstraint(
            model_name="reportschedule",
            constraint=models.CheckConstraint(
                condition=models.Q(("weekday__gte", 1), ("weekday__lte", 7)), name="report_on_a_weekday"
            ),
        ),
        migrations.AddConstraint(
            model_name="reportschedule",
            constraint=models.CheckConstraint(
                condition=models.Q(("month_day__gte", 1), ("month_day__lte", 31)), name="report_on_a_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="reportschedule",
            constraint=models.CheckConstraint(condition=models.Q(("hour__lte", 23)), name="report_at_an_hour"),
        ),
        migrations.AddIndex(
            model_name="reportrun",
            index=models.Index(condition=models.Q(("state", "pending")), fields=["send_at"], name="report_run_due"),
        ),
        migrations.AddIndex(
            model_name="reportrun",
            index=models.Index(
                condition=models.Q(("state", "sending")), fields=["lease_until"], name="report_run_in_hand"
            ),
        ),
        migrations.AddIndex(
            model_name="reportrun",
            index=models.Index(fields=["schedule", "-id"], name="report_run_latest"),
        ),
        migrations.AddConstraint(
            model_name="reportrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("recipient__isnull", False)),
                fields=("schedule", "as_of", "recipient"),
                name="report_run_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="reportrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("asked_by__isnull", True), ("recipient__isnull", False)),
                    models.Q(("asked_by__isnull", False), ("recipient__isnull", True)),
                    _connector="OR",
                ),
                name="report_run_has_a_reader",
            ),
        ),
        migrations.AddConstraint(
            model_name="reportrecipient",
            constraint=models.UniqueConstraint(
                condition=models.Q(("agent__isnull", False)), fields=("schedule", "agent"), name="report_recipient_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="reportrecipient",
            constraint=models.UniqueConstraint(
                condition=models.Q(("address", ""), _negated=True),
                fields=("schedule", "address"),
                name="report_address_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="reportrecipient",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("address", ""), ("agent__isnull", False)),
                    models.Q(("agent__isnull", True), models.Q(("address", ""), _negated=True)),
                    _connector="OR",
                ),
                name="report_recipient_is_one",
            ),
        ),
    ]
